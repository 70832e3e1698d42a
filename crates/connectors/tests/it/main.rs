//! Connectors against the simulators and against real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod brightpearl;
mod contract;
mod csv;
mod dsfx;
mod extensiv;
mod guard;
mod hub;
mod mintsoft;
mod odoo;
mod sftp;
mod shiphero;
mod x12;
