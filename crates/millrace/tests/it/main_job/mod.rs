//! The main job through the real program, judged by the ledgers of the two ends.

mod census;
mod faults;
mod flow;
mod overlap;
