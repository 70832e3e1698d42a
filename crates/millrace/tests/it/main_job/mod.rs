//! The main job through the real program, judged by the ledgers of the two ends.

mod faults;
mod flow;
mod overlap;
mod stock;
