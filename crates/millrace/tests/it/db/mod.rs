//! The conformance suite of the database: every function, on SQLite and on PostgreSQL.

mod assents;
mod census;
mod claims;
mod config;
mod erasure;
mod faults;
mod inline;
mod isolation;
mod journal;
mod keys;
mod lists;
mod many;
mod numbers;
mod oauth;
mod orders;
mod people;
mod preflight;
mod provider;
mod races;
mod recovery;
mod secrets;
pub mod stock;
mod tenants;
mod trigger;
mod undo;
mod upgrade;
pub mod world;
