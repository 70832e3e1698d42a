//! Millrace: the program.
//!
//! [`app::run`] is the composition root, used by the command line and by every test alike.

pub mod accounts;
pub mod api;
pub mod app;
pub mod bench;
pub mod cli;
pub mod config;
pub mod db;
pub mod demo;
pub mod desk;
pub mod flow;
pub mod grants;
pub mod journal;
pub mod letters;
pub mod metrics;
mod node;
pub mod notify;
pub mod operate;
#[cfg(feature = "otel")]
pub mod otel;
pub mod reconcile;
pub mod runtime;
pub mod seal;
pub mod serving;
pub mod tls;
pub mod witness;
pub mod worker;
