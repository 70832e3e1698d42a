//! The main job through the real program, judged by the ledgers of the two ends.

mod failover;
mod faults;
mod flow;
mod kills;
mod overlap;
mod soak;
mod true_waits;
mod recovery;
mod stock;
