//! Extensiv 3PL Warehouse Manager, row by row against its public REL pages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

mod client;
mod orders;
mod rql;
mod sign_in;
mod stock;
mod warehouse;
mod webhooks;
