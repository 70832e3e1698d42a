//! Decisions, and nothing else: what should happen next, given the facts.
//!
//! Every function here is pure. Nothing opens a socket, reads a clock, draws a random number or touches a database; time and
//! facts are arguments. Doing what is decided is the program's job.

pub mod alert;
pub mod bulk;
pub mod cause;
pub mod census;
pub mod change;
pub mod confirm;
pub mod delivery;
pub mod desk;
pub mod doctor;
pub mod drift;
pub mod edit;
pub mod effect;
pub mod ended;
pub mod erasure;
pub mod finding;
pub mod key;
pub mod line;
pub mod order;
pub mod plan;
pub mod preflight;
pub mod race;
pub mod safety;
pub mod schedule;
pub mod settings;
pub mod steady;
pub mod stock;
pub mod undo;
