//! Readers of outside data under damaged documents: Brightpearl, Extensiv, Mintsoft, ShipHero, Odoo, file exchange, CSV, X12, webhook
//! calls. See docs/gates.md.
//!
//! What is damaged are whole exchanges, recorded once from the stand-ins into `fuzz/corpus/` and played back to the real
//! connector through its own doors. `MILLRACE_FUZZ_RECORD=1 cargo test -p connectors --test fuzz record` records them anew; those
//! of Odoo, which has no stand-in, come from Odoo itself: `MILLRACE_FUZZ_RECORD=1 ./dev test-odoo record_odoo`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

#[path = "fuzz/again.rs"]
mod again;
#[path = "fuzz/brightpearl.rs"]
mod brightpearl;
#[path = "fuzz/csv.rs"]
mod csv;
#[path = "fuzz/dsfx.rs"]
mod dsfx;
#[path = "fuzz/extensiv.rs"]
mod extensiv;
#[path = "fuzz/hooks.rs"]
mod hooks;
#[allow(dead_code, reason = "shared with the other tests, which use all of it")]
#[path = "it/hub.rs"]
mod hub;
#[path = "fuzz/mintsoft.rs"]
mod mintsoft;
#[path = "fuzz/oauth.rs"]
mod oauth;
#[path = "fuzz/odoo.rs"]
mod odoo;
#[path = "fuzz/record.rs"]
mod record;
#[path = "fuzz/replay.rs"]
mod replay;
#[path = "fuzz/rest.rs"]
mod rest;
#[path = "fuzz/session.rs"]
mod session;
#[path = "fuzz/shiphero.rs"]
mod shiphero;
#[path = "fuzz/x12.rs"]
mod x12;

use std::path::{Path, PathBuf};

use simulators::fuzz::Campaign;

/// Planted, so that it can be looked for where it must not be.
const PASSWORD: &str = "example-password";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn campaign(name: &'static str) -> Campaign {
    Campaign::new(name, &folder().join("found"), Path::new(env!("CARGO_TARGET_TMPDIR")))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An error has words, and none of them is a secret.
fn said<T>(result: Result<T, connect::ConnectorError>) -> Result<Option<T>, String> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.message.trim().is_empty() => Err(format!("an error without words: {error:?}")),
        Err(error) if error.message.contains(PASSWORD) => Err("a secret is in an error".to_owned()),
        Err(_) => Ok(None),
    }
}
