//! A small Brightpearl account behind [`connect::Transport`], written from the published API: it knows nothing of the hub.
//!
//! | Module | Holds |
//! |---|---|
//! | [`account`] | what the account holds, and its rules |
//! | `answers` | its documents and searches |
//! | `calls` | one call: log-in, call limit, and the ledger of changes |

pub mod account;
mod answers;
mod calls;

pub use answers::id_set;
pub use calls::{Brightpearl, Change, Watcher, asked_rows};
