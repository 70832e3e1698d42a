//! What happened, as one hash; and the places at which a process can die.

use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// What becomes of the process at a crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Lives,
    /// It dies before the call leaves it.
    DiesBefore,
    /// It dies before it sees the answer.
    DiesAfter,
    /// It is dead already: nothing leaves it any more.
    Dead,
}

/// Every crossing of a seam, in order.
pub struct Trace(Mutex<Inner>);

struct Inner {
    hash: Sha256,
    crossings: u64,
    /// Crossings until the process dies.
    dies_in: Option<u64>,
    dead: bool,
    shown: bool,
}

impl Trace {
    /// Nothing yet. With `MILLRACE_TRACE` in the environment every line is also shown.
    pub fn new() -> Self {
        let shown = std::env::var_os("MILLRACE_TRACE").is_some();
        Self(Mutex::new(Inner { hash: Sha256::new(), crossings: 0, dies_in: None, dead: false, shown }))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line.
    pub fn note(&self, line: &str) {
        let mut inner = self.inner();
        inner.hash.update(line.as_bytes());
        inner.hash.update(b"\n");
        if inner.shown {
            #[expect(clippy::print_stderr, reason = "asked for by whoever replays a seed")]
            {
                eprintln!("{line}");
            }
        }
    }

    /// A call crosses a seam: what becomes of the process here.
    pub fn crossing(&self) -> Fate {
        let mut inner = self.inner();
        if inner.dead {
            return Fate::Dead;
        }
        inner.crossings += 1;
        match inner.dies_in {
            Some(0) => {
                inner.dies_in = None;
                inner.dead = true;
                if inner.crossings.is_multiple_of(2) { Fate::DiesBefore } else { Fate::DiesAfter }
            }
            Some(left) => {
                inner.dies_in = Some(left - 1);
                Fate::Lives
            }
            None => Fate::Lives,
        }
    }

    /// The process will die after so many crossings; `None`: it will not.
    pub fn die_in(&self, crossings: Option<u64>) {
        self.inner().dies_in = crossings;
    }

    /// Whether the process is dead.
    pub fn is_dead(&self) -> bool {
        self.inner().dead
    }

    /// A new process takes the dead one's place.
    pub fn revive(&self) {
        let mut inner = self.inner();
        inner.dead = false;
        inner.dies_in = None;
    }

    /// How many crossings there were.
    pub fn crossings(&self) -> u64 {
        self.inner().crossings
    }

    /// The hash of everything, in hexadecimal.
    pub fn hash(&self) -> String {
        let hash: [u8; 32] = self.inner().hash.clone().finalize().into();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
