//! What happened, as one hash; the places at which a process can die; and which faults struck where.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest as _, Sha256};

use super::cells::{self, Kind, Moment};

/// What becomes of the process at a crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Lives,
    /// It dies before the call leaves it.
    DiesBefore,
    /// It dies when the call has left it and has done nothing yet.
    DiesMeanwhile,
    /// It dies before it sees the answer.
    DiesAfter,
    /// It is dead already: nothing leaves it any more.
    Dead,
}

impl Fate {
    fn moment(self) -> Option<Moment> {
        match self {
            Self::DiesBefore => Some(Moment::BeforeSend),
            Self::DiesMeanwhile => Some(Moment::OnItsWay),
            Self::DiesAfter => Some(Moment::AfterEffect),
            Self::Lives | Self::Dead => None,
        }
    }
}

/// Every crossing of a seam, in order.
pub struct Trace(Mutex<Inner>);

struct Inner {
    hash: Sha256,
    crossings: u64,
    /// The crossings at which a change left.
    changes: Vec<u64>,
    /// Crossings until the process dies, and how.
    dies_in: Option<(u64, Fate)>,
    /// It dies at the next change of this kind, at this moment of its life; changes that few worlds have are waited for apart, so
    /// that they stand in no other's way.
    dies_at: [Option<(usize, Moment)>; 2],
    /// The change that was made last and is not written down yet.
    made: Option<usize>,
    dead: bool,
    shown: bool,
    cells: BTreeMap<String, u64>,
}

impl Inner {
    fn die(&mut self) {
        self.dies_in = None;
        self.dies_at = [None; 2];
        self.dead = true;
    }

    fn hit(&mut self, change: usize, kind: Kind, moment: Moment) {
        *self.cells.entry(cells::name(change, kind, moment)).or_default() += 1;
    }
}

impl Trace {
    /// Nothing yet. With `MILLRACE_TRACE` in the environment every line is also shown.
    pub fn new() -> Self {
        Self(Mutex::new(Inner {
            hash: Sha256::new(),
            crossings: 0,
            changes: Vec::new(),
            dies_in: None,
            dies_at: [None; 2],
            made: None,
            dead: false,
            shown: std::env::var_os("MILLRACE_TRACE").is_some(),
            cells: BTreeMap::new(),
        }))
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

    /// A call crosses a seam: what becomes of the process here. `change` is the kind of change it makes, if one.
    pub fn crossing(&self, change: Option<usize>) -> Fate {
        let mut inner = self.inner();
        if inner.dead {
            return Fate::Dead;
        }
        if change.is_some() {
            let place = inner.crossings;
            inner.changes.push(place);
        }
        inner.crossings += 1;
        let by_number = match inner.dies_in {
            Some((0, fate)) => Some(fate),
            Some((left, fate)) => {
                inner.dies_in = Some((left - 1, fate));
                None
            }
            None => None,
        };
        let wanted = inner.dies_at.iter().flatten().find(|(wanted, _)| Some(*wanted) == change);
        let by_cell = wanted.and_then(|(_, moment)| match moment {
            Moment::BeforeSend => Some(Fate::DiesBefore),
            Moment::OnItsWay => Some(Fate::DiesMeanwhile),
            Moment::AfterEffect => Some(Fate::DiesAfter),
            Moment::BeforeCommit | Moment::AfterCommit => None,
        });
        let fate = match by_number.or(by_cell) {
            // Only a change can be on its way.
            Some(Fate::DiesMeanwhile) if change.is_none() => Fate::DiesBefore,
            Some(fate) => fate,
            None => Fate::Lives,
        };
        if let Some(moment) = fate.moment() {
            inner.die();
            if let Some(change) = change {
                inner.hit(change, Kind::Crash, moment);
            }
        } else if change.is_some() {
            inner.made = change;
        }
        fate
    }

    /// An outcome is written down: whether the process dies here. Called before and after its commit.
    pub fn writes_down(&self, moment: Moment, fate: Fate) -> Fate {
        let mut inner = self.inner();
        let Some(change) = inner.made else { return fate };
        let dies = match fate {
            Fate::Lives => inner.dies_at.contains(&Some((change, moment))),
            Fate::DiesBefore | Fate::DiesMeanwhile | Fate::DiesAfter => true,
            Fate::Dead => return fate,
        };
        if dies {
            inner.die();
            inner.hit(change, Kind::Crash, moment);
        } else if moment == Moment::AfterCommit {
            inner.made = None;
        }
        match (dies, moment) {
            (false, _) => fate,
            (true, Moment::AfterCommit) => Fate::DiesAfter,
            (true, _) => Fate::DiesBefore,
        }
    }

    /// A fault struck a change.
    pub fn struck(&self, change: Option<usize>, kind: Kind, moment: Moment) {
        if let Some(change) = change {
            self.inner().hit(change, kind, moment);
        }
    }

    /// The process will die after so many crossings, in this way.
    pub fn die_in(&self, crossings: u64, way: Fate) {
        self.inner().dies_in = Some((crossings, way));
    }

    /// The process will not die after all.
    pub fn spare(&self) {
        let mut inner = self.inner();
        inner.dies_in = None;
        inner.dies_at = [None; 2];
    }

    /// The process will die at the next change of this kind, at this moment of its life.
    pub fn die_at(&self, change: usize, moment: Moment) {
        self.inner().dies_at[usize::from(change >= cells::OFTEN)] = Some((change, moment));
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
        inner.dies_at = [None; 2];
        inner.made = None;
    }

    /// How many crossings there were.
    pub fn crossings(&self) -> u64 {
        self.inner().crossings
    }

    /// The numbers of the crossings at which a change left.
    pub fn changes(&self) -> Vec<u64> {
        self.inner().changes.clone()
    }

    /// How often each cell was hit.
    pub fn cells(&self) -> BTreeMap<String, u64> {
        self.inner().cells.clone()
    }

    /// The hash of everything, in hexadecimal.
    pub fn hash(&self) -> String {
        let hash: [u8; 32] = self.inner().hash.clone().finalize().into();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
