#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod client;
mod double_entry;
mod faults;
mod fulfilment;
mod orders;
mod recordings;
mod search;
mod shape;
mod stock;
mod traffic;
mod webhooks;
