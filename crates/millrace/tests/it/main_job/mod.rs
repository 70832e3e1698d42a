//! The main job through the real program, judged by the ledgers of the two ends.

mod flow;
mod overlap;

pub use flow::run;
