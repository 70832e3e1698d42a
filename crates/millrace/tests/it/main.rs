//! Integration tests of the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod api;
mod cli;
mod db;
mod fuzz;
mod main_job;
mod notify;
mod seeded;
mod source;
mod wms;
mod world;
