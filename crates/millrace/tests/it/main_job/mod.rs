//! The main job through the real program, judged by the ledgers of the two ends.

mod census;
mod csv;
mod desk;
mod edits;
mod failover;
mod faults;
mod feeds;
mod flow;
mod kills;
mod mintsoft;
mod notify;
mod odoo;
mod overlap;
mod people;
mod races;
mod recovery;
mod restart;
mod schedules;
mod shiphero;
mod soak;
mod stock;
mod true_waits;
mod webhooks;
mod x12;
