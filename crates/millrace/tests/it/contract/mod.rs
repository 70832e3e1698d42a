//! The contract suite of the connectors, over what this program itself is the other end of: the desk.
//!
//! Scenarios, classes and how they are played are the files of the connectors' own tests, included as they are; only the entry is
//! of this crate. See docs/decisions/0030-one-contract-suite.md.

#![allow(dead_code, reason = "what only other entries of the suite need")]

#[path = "../../../../connectors/tests/it/contract/classes.rs"]
mod classes;
mod desk;
#[path = "../../../../connectors/tests/it/contract/harness.rs"]
mod harness;
#[path = "../../../../connectors/tests/it/contract/reading.rs"]
mod reading;
#[path = "../../../../connectors/tests/it/contract/run.rs"]
mod run;
#[path = "../../../../connectors/tests/it/contract/scenarios.rs"]
mod scenarios;
