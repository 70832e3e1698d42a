//! Stateful stand-ins for the remote systems Millrace talks to.
//!
//! Each simulator is an HTTP server of its own with the rules, the refusals and the odd answers of the real system, a
//! ledger of everything that was done to it, and [`faults`] on demand. They are written from the vendors' published
//! documentation and from recorded answers, never from what a client of ours happens to send: a simulator is the judge,
//! not the accomplice. Nothing here knows any other crate of the workspace.
//!
//! | Module | Stands in for |
//! |---|---|
//! | [`brightpearl`] | Brightpearl's HTTP API: orders, goods-out notes, stock, products, search, webhooks |
//! | [`dsfx`] | a warehouse that lives in a folder and talks in CSV files |
//! | [`extensiv`] | Extensiv 3PL Warehouse Manager: tokens, orders, packages, stock, webhooks |
//! | [`mintsoft`] | Mintsoft: keys, orders and their parts, stock, call-backs |
//! | [`shiphero`] | ShipHero: GraphQL judged against a schema, credits, child accounts, signed webhooks |
//! | [`odoo`] | nothing: a database of a real Odoo, with people who work in it |
//! | [`openssh`] | nothing: starts the real OpenSSH server, for SFTP |
//! | [`audit`] | nothing: compares the ledgers of both ends of a run |
//! | [`proxy`] | the network below HTTP: a TCP line that can be disturbed |
//! | [`fuzz`] | nothing: damages documents, and drives readers with them |
//! | [`faults`] | the network and the bad days of a vendor, shared by all simulators |

pub mod audit;
pub mod brightpearl;
mod clock;
pub mod dsfx;
pub mod extensiv;
pub mod faults;
pub mod fuzz;
pub mod mintsoft;
pub mod odoo;
pub mod openssh;
pub mod postgres;
pub mod proxy;
pub mod shiphero;
