//! The main job through the real program, judged by the ledgers of the two ends.

mod faults;
mod feeds;
mod flow;
mod overlap;
mod people;
mod races;
mod webhooks;
