//! The database loses what it had committed: the disk had not kept what it said it had, a snapshot is put back, a backup is
//! restored. What the hub has done since is forgotten, and everything around it has gone on (docs/recovery.md).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use connect::{Clock as _, RemoteRef};
use engine::{
    effect::EffectState,
    safety::{Home, Witness as Outer, judge},
};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use millrace::{
    db::{Access, Database, EffectDecision, Guard, Look, Outside, alarm},
    flow::{self, FlowError},
    runtime::Runtime,
};

use super::{
    brightpearl::Change,
    run::{Process, Run, to_the_end, while_alive},
};

/// Whoever says since when it may have been lost is on the safe side by as much.
const MARGIN: SignedDuration = SignedDuration::from_secs(20);
/// Most rounds until the window has been looked at, once nothing fails any more.
const ROUNDS: u64 = 240;

/// The count of commitments that is kept outside the database.
#[derive(Debug, Default)]
struct Count(AtomicI64);

impl Outside for Count {
    fn known(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn committed(&self, armed: i64) -> BoxFuture<'_, Result<(), String>> {
        self.0.fetch_max(armed, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// An older state of the database.
struct Older {
    path: PathBuf,
    taken: Timestamp,
}

/// Everything of a world in which the database loses something.
#[derive(Default)]
pub struct Losses {
    outside: Arc<Count>,
    older: Option<Older>,
    /// When the database was found to be older, in true time; until a person releases it nothing more may leave.
    frozen: Option<Timestamp>,
    /// When it last lost something.
    last: Option<Timestamp>,
}

impl Losses {
    /// What serving does at a start, before anything can be sent.
    pub fn guard(&self, db: &Database) {
        let state = to_the_end(db.safety()).unwrap();
        let known = self.outside.known();
        let outer = Outer { installation: state.kept.installation.clone(), folder: "seeded".to_owned(), armed: known };
        let alarm = alarm(judge(&state.kept, Some(&outer), &Home::default(), false));
        let armed = known.max(state.kept.armed);
        to_the_end(db.settle_home(Home::default(), armed, alarm)).unwrap();
        db.set_guard(Guard { outside: Arc::clone(&self.outside) as _, synchronous: false });
    }
}

impl Run {
    /// Now and then a copy of the database is made; later the power goes, and what comes back is that copy.
    pub async fn may_lose(&mut self, round: u64, process: Process) -> Process {
        let Some(losses) = &self.losses else { return process };
        let Some(older) = &losses.older else {
            if round >= 5 && self.dice.chance(150) {
                self.copies();
            }
            return process;
        };
        if losses.frozen.is_none() && self.clock.now().duration_since(older.taken) > MARGIN && self.dice.chance(150) {
            drop(process);
            return self.loses().await;
        }
        if self.dice.chance(600) { self.somebody_recovers(process).await } else { process }
    }

    fn copies(&mut self) {
        let path = self.database.with_extension("older");
        self.witness.copy_to(&path);
        let taken = self.clock.now();
        self.trace.note(&format!("{taken} the database is copied"));
        if let Some(losses) = &mut self.losses {
            losses.older = Some(Older { path, taken });
        }
    }

    async fn loses(&mut self) -> Process {
        self.trace.note("the power goes, and the database is as it was some time ago");
        self.count("databases that lost something");
        let at = self.clock.true_time();
        if let Some(losses) = &mut self.losses
            && let Some(older) = &losses.older
        {
            self.witness.puts_back(&self.database, &older.path);
            losses.last = Some(at);
            // Without an archive nothing says of an order that a person has cancelled since whether it was sent.
            if !self.warehouse.keeps_order_files && !self.warehouse.is_rest() {
                self.watch.is_blind();
            }
            // Of what is counted in the database and was not told outside, nothing has come yet.
            let known = losses.outside.known();
            losses.frozen = (self.witness.count("SELECT armed FROM journal_clock") < known).then_some(at);
        }
        let process = self.another_takes_its_place(self.dice.between(0, 150_000).unsigned_abs()).await;
        let frozen = self.witness.count("SELECT frozen FROM installation") == 1;
        let forgot = self.losses.as_ref().is_some_and(|losses| losses.frozen.is_some());
        if forgot != frozen {
            self.watch.finding(format!("X: commitments were lost: {forgot}, and sending is frozen: {frozen}"));
        }
        if !forgot && let Some(losses) = &mut self.losses {
            losses.older = None;
        }
        process
    }

    /// Somebody does what `millrace safety` says is next.
    async fn somebody_recovers(&mut self, process: Process) -> Process {
        let Some(Losses { older: Some(older), frozen: Some(_), .. }) = &self.losses else { return process };
        let since = older.taken - MARGIN;
        // A warehouse that keeps no archive is asked on the telephone.
        let there: BTreeSet<String> = self.warehouse.orders.iter().map(|order| order.key.clone()).collect();
        let released = while_alive(&self.trace, recovers(&process.runtime, since, &there)).await;
        // The answer may be lost, and the release is there all the same.
        if self.witness.count("SELECT frozen FROM installation") == 0 {
            self.is_released();
        }
        match released {
            None => {
                drop(process);
                return self.another_takes_its_place(self.dice.between(0, 150_000).unsigned_abs()).await;
            }
            Some(Ok(())) => {}
            Some(Err(FlowError::Db(error))) if !error.is_passing() => {
                self.watch.finding(format!("X: recovering: {error}"));
            }
            Some(Err(error)) => self.trace.note(&format!("recovering ended early: {error}")),
        }
        process
    }

    fn is_released(&mut self) {
        self.count("losses looked at and released");
        let Some(losses) = &mut self.losses else { return };
        losses.older = None;
        let Some(frozen) = losses.frozen.take() else { return };
        // What was asked for before may arrive at any time.
        let arrived = |changes: &[Change]| changes.iter().filter(|change| change.arrived > frozen).count();
        let changes = arrived(&self.account.state().changes) + arrived(&self.rest.state().changes);
        let published: Vec<_> = self.watch.published().into_iter().filter(|(asked, _)| *asked > frozen).collect();
        if changes > 0 || !published.is_empty() {
            self.watch
                .finding(format!("X: sending was frozen at {frozen}, and {changes} changes and {published:?} left"));
        }
    }

    /// Something was lost, and nobody has released sending since.
    pub fn is_frozen(&self) -> bool {
        self.losses.as_ref().is_some_and(|losses| losses.frozen.is_some())
    }

    /// The database has lost something in this run.
    pub fn lost_something(&self) -> bool {
        self.lost_last().is_some()
    }

    /// When it last did, in true time.
    pub fn lost_last(&self) -> Option<Timestamp> {
        self.losses.as_ref()?.last
    }

    /// In the quiet time: until nothing of a loss is open any more.
    pub async fn recover_whole(&mut self, mut process: Process) -> Process {
        for _ in 0..ROUNDS {
            if !self.is_frozen() {
                return process;
            }
            process = self.somebody_recovers(process).await;
            self.steps(&process.runtime, &super::run::STEPS, false).await;
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
        self.watch.finding("L1: a loss of the journal is never looked at to its end".to_owned());
        process
    }

    /// The first comparison after a loss is for a person to see, who lets it go ahead.
    pub async fn somebody_approves(&mut self, process: &Runtime) {
        // Not while sending is frozen (`operate::stock` refuses it), nor what is not the warehouse's latest count.
        if !self.lost_something() || self.is_frozen() {
            return;
        }
        let which = match self.warehouse.counted_at() {
            _ if self.warehouse.is_rest() => String::new(),
            Some(counted) => format!("AND cut_off = {}", counted.as_millisecond()),
            None => return,
        };
        let waiting =
            format!("SELECT id FROM stock_run WHERE state = 'waiting' {which} ORDER BY cut_off DESC, id DESC LIMIT 1");
        let Some(run) = self.witness.rows(&waiting).concat().pop() else { return };
        match while_alive(&self.trace, flow::stock::approve(process, &run, "a person")).await {
            Some(Ok(_)) => self.count("comparisons approved after a loss"),
            Some(Err(error)) => self.trace.note(&format!("approving ended early: {error}")),
            None => {}
        }
    }
}

/// The next thing to do. `there`: the order numbers that the warehouse has.
async fn recovers(process: &Runtime, since: Timestamp, there: &BTreeSet<String>) -> Result<(), FlowError> {
    let (db, scope) = (&process.db, &process.key.scope);
    let state = db.safety().await?;
    if state.frozen.is_none() {
        return Ok(());
    }
    if state.lost.is_none_or(|lost| lost.released_at.is_some()) {
        db.begin_recovery(since, "a person").await?;
        return Ok(());
    }
    if let Some(lost) = db.pass_wanted(&process.key).await? {
        let report = flow::recover::run(process, &lost).await?;
        db.keep_pass(&process.key, &lost, &report, true).await?;
        return Ok(());
    }
    if !db.looked_for(&Access::Tenant(scope.tenant.clone()), Look::Open, 1).await?.is_empty() {
        return Ok(());
    }
    let compared = db.looked_for(&Access::Tenant(scope.tenant.clone()), Look::CannotAsk, 100).await?;
    if let Some(one) = compared.into_iter().find(|one| one.state == EffectState::Parked) {
        let decision = match there.contains(&one.key) {
            true => EffectDecision::Applied(RemoteRef::new(&one.key)),
            false => EffectDecision::Retry,
        };
        db.decide(scope, &one.id, decision, "a person", "the warehouse was asked").await?;
        return Ok(());
    }
    db.release("a person", "everything was looked up").await?;
    Ok(())
}

/// The files of a database.
pub fn files_of(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{}{ending}", database.display())))
}
