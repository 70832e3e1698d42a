//! Integration tests of the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod api;
mod cli;
mod contract;
mod db;
mod fuzz;
#[path = "../../../connectors/tests/it/hub.rs"]
#[allow(dead_code, reason = "the connectors' own tests use all of it")]
mod hub;
mod main_job;
mod notify;
mod seeded;
mod source;
mod wms;
mod world;
