//! What goes wrong inside the hub: its database's commits, its own death in them, and planted faults.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use connect::{HttpRequest, HttpResponse, Transport, TransportError};
use millrace::db::{Observer, Phase, Verdict};

use super::{
    cells::Moment,
    clock::ModelClock,
    node::{Node, Stands},
    random::Dice,
    trace::{Fate, Trace},
};

/// A fault of the hub itself, put there to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// None.
    Nothing,
    /// It does not wait for what the vendor may still be working on.
    ShortWait,
    /// Its HTTP client sends again when no answer came (R7).
    Retry,
    /// One that is compiled into the program.
    #[cfg(feature = "planted")]
    Inside(connect::planted::Planted),
}

/// An HTTP client that sends again.
pub struct Retrying(pub Arc<dyn Transport>);

#[async_trait]
impl Transport for Retrying {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        match self.0.send(request.clone()).await {
            Err(TransportError::Unknown(_)) => self.0.send(request).await,
            other => other,
        }
    }
}

/// What goes wrong with the database, and where a process may die in it.
pub struct DatabaseFaults {
    trace: Arc<Trace>,
    clock: Arc<ModelClock>,
    dice: Dice,
    per_mille: AtomicU64,
}

impl DatabaseFaults {
    pub fn new(seed: u64, trace: Arc<Trace>, clock: Arc<ModelClock>) -> Self {
        let dice = Dice::new(seed, "database");
        let per_mille = *dice.pick(&[0, 0, 2, 5, 15]);
        Self { trace, clock, dice, per_mille: per_mille.into() }
    }

    /// From now on nothing fails.
    pub fn stop(&self) {
        self.per_mille.store(0, Ordering::Relaxed);
    }

    fn verdict(&self, operation: &'static str, phase: Phase) -> Verdict {
        let mut fate = match (self.trace.is_dead(), phase) {
            (true, Phase::Before) => return Verdict::Fail,
            (true, Phase::AfterCommit) => return Verdict::LoseReply,
            (false, _) => self.trace.crossing(None),
        };
        if operation == "settle" {
            let moment = if phase == Phase::Before { Moment::BeforeCommit } else { Moment::AfterCommit };
            fate = self.trace.writes_down(moment, fate);
        }
        let fails = self.dice.chance(self.per_mille.load(Ordering::Relaxed));
        match (fate, phase) {
            (Fate::DiesBefore, Phase::Before) => Verdict::Fail,
            // It dies within: the commit is made, and nobody is there to hear of it.
            (Fate::DiesAfter, Phase::Before) => Verdict::Continue,
            (_, Phase::Before) if fails => Verdict::Fail,
            (Fate::DiesBefore | Fate::DiesMeanwhile | Fate::DiesAfter | Fate::Dead, Phase::AfterCommit) => {
                Verdict::LoseReply
            }
            (_, Phase::AfterCommit) if fails => Verdict::LoseReply,
            _ => Verdict::Continue,
        }
    }
}

/// The database as one process reaches it.
pub struct NodeDatabase {
    pub node: Arc<Node>,
    pub faults: Arc<DatabaseFaults>,
}

#[async_trait]
impl Observer for NodeDatabase {
    async fn crossing(&self, operation: &'static str, phase: Phase) -> Verdict {
        self.node.pass(Stands::Inside).await;
        let verdict = self.faults.verdict(operation, phase);
        let faults = &self.faults;
        faults.trace.note(&format!("{} database {operation} {phase:?} {verdict:?}", faults.clock.true_time()));
        verdict
    }
}
