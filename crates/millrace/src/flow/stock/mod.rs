//! Stock: what the warehouse counts → corrections at the source.
//!
//! | Module | Holds |
//! |---|---|
//! | `place` | which product of which warehouse a figure belongs to |
//! | `plan` | the comparison with the source, and the corrections that follow |
//! | `approve` | a person's yes to a run or to single lines |
//! | `undo` | taking a run back |
//! | `late` | corrections that show after they were given up |

mod approve;
mod late;
pub(super) mod place;
pub(super) mod plan;
mod undo;

use std::{collections::BTreeSet, time::Duration};

use connect::{
    ConnectorError, EffectKind, FeedBasis, Inbound, RejectedInput, StockFeed,
    planted::{Planted, planted},
    ulid,
};
use engine::stock::{self, RunFacts, RunVerdict, Verdict};

use super::{FlowError, counts, shipments};
use crate::{
    db::{ChannelKind, Counts, DbError, Ran, RunState, StockRun},
    runtime::Runtime,
};
use plan::{Comparison, SLICE};

pub use approve::{approve, approve_lines};
pub use undo::{UndoLine, Undone, undo};

/// What one run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Feeds worked out.
    pub feeds: usize,
    /// Products compared.
    pub compared: u32,
    /// Corrections planned.
    pub corrected: u32,
    /// Runs that wait for a person, or were refused: why.
    pub stopped: Vec<String>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} feeds, {} products compared, {} corrected", self.feeds, self.compared, self.corrected)?;
        for reason in &self.stopped {
            write!(f, "; stopped: {reason}")?;
        }
        Ok(())
    }
}

impl Summary {
    /// For the history of runs.
    pub fn ran(&self) -> Ran {
        Ran { words: self.to_string(), counts: self.counts() }
    }

    fn counts(&self) -> Counts {
        let small = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        counts([
            ("feeds", self.feeds),
            ("compared", small(self.compared)),
            ("corrected", small(self.corrected)),
            ("stopped", self.stopped.len()),
        ])
    }
}

/// Reads what the warehouse counts, and works out the newest feed.
///
/// # Errors
/// When a read or the database fails; a feed that was not finished is worked out again.
pub async fn run(runtime: &Runtime) -> Result<Summary, FlowError> {
    let mut summary = Summary::default();
    // Before anything is compared: what shows now was not in the figures that came before it.
    late::look(runtime).await?;
    let page = runtime.warehouse.stock().await?;
    let read_at = runtime.clock.monotonic();
    let mut fresh: Vec<StockFeed> = Vec::new();
    for feed in page.feeds {
        if !runtime.db.feed_seen(&runtime.key, &feed.content_hash).await? {
            fresh.push(feed);
        }
    }
    fresh.sort_by(|a, b| (a.cut_off, &a.reference).cmp(&(b.cut_off, &b.reference)));
    let (mut rest, mut newest): (&[StockFeed], Vec<&StockFeed>) = (&fresh, Vec::new());
    while let Some((feed, later)) = rest.split_first() {
        match stock::is_said_again(feed, later) {
            true => _ = refuse(runtime, feed, "a newer count came with it").await?,
            false => newest.push(feed),
        }
        rest = later;
    }
    let feeds = newest.len();
    for feed in newest {
        match work_out(runtime, feed, read_at).await {
            Ok(run) => {
                summary.feeds += 1;
                summary.compared += run.compared;
                match run.state {
                    RunState::Planned => summary.corrected += run.changed,
                    _ => summary.stopped.push(run.reason),
                }
                runtime.wake.source.notify_one();
                runtime.tell_progress(ChannelKind::Stock, summary.feeds, Some(feeds), summary.counts()).await;
            }
            Err(Unfinished::Later(why)) => {
                // Not put away: the next run takes it up again.
                summary.stopped.push(why);
                return Ok(summary);
            }
            Err(Unfinished::Failed(error)) => return Err(error),
        }
    }
    keep_rejected(runtime, &page.taken, &page.rejected).await?;
    runtime.db.keep_adjustments(&runtime.key, page.adjustments).await?;
    shipments::keep_letters(runtime, page.letters).await?;
    shipments::put_away(runtime, &page.taken, &page.rejected).await;
    Ok(summary)
}

async fn keep_rejected(runtime: &Runtime, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), FlowError> {
    if !taken.is_empty() || !rejected.is_empty() {
        runtime.db.record_inputs(&runtime.key, taken, rejected).await?;
    }
    Ok(())
}

enum Unfinished {
    /// It cannot be worked out yet.
    Later(String),
    /// Something failed.
    Failed(FlowError),
}

impl From<FlowError> for Unfinished {
    fn from(error: FlowError) -> Self {
        Self::Failed(error)
    }
}
impl From<ConnectorError> for Unfinished {
    fn from(error: ConnectorError) -> Self {
        Self::Failed(error.into())
    }
}
impl From<DbError> for Unfinished {
    fn from(error: DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// `read_at`: when the feed was there, on the monotonic clock.
async fn work_out(runtime: &Runtime, feed: &StockFeed, read_at: Duration) -> Result<StockRun, Unfinished> {
    if let Some(why) = runtime.db.outdated(&runtime.key, feed).await? {
        return Ok(refuse(runtime, feed, &why).await?);
    }
    // Everything that left by the cut-off must be known before the source's figure is read: a unit that left the shelves
    // unnoticed would be taken out of the source twice, by this correction and by its shipped event. Where what left comes from a
    // search, it shows there only some time after it is missing from the figures.
    let lag = runtime.warehouse.capabilities(EffectKind::SubmitRequest).map_or(Duration::ZERO, |can| can.index_lag);
    let wait = lag.saturating_sub(runtime.clock.monotonic().saturating_sub(read_at));
    if !wait.is_zero() && !planted(Planted::ComparesAtOnce) {
        tokio::select! {
            biased;
            () = runtime.stop.cancelled() => {
                return Err(Unfinished::Later("the connection stops; the count is worked out when it runs again".to_owned()));
            }
            () = runtime.clock.sleep(wait) => {}
        }
    }
    let mut known = shipments::run(runtime).await?;
    if !lag.is_zero() && known.exhausted && !known.from_start {
        // What goes on from the middle of an earlier reading does not come by what showed since that began.
        known = shipments::run(runtime).await?;
    }
    if !known.exhausted {
        return Err(Unfinished::Later("shipments are still being read; the count waits for them".to_owned()));
    }
    if let Some(unread) = runtime.db.unread_shipments(&runtime.key).await? {
        return Err(Unfinished::Later(format!(
            "{unread} says what left and could not be read; the count waits until it comes again whole, or its exception is \
             settled"
        )));
    }
    if runtime.settings.stock.basis == FeedBasis::Available
        && let Some(gone) = runtime.db.forgotten(&runtime.key).await?
    {
        return Err(Unfinished::Later(format!(
            "the warehouse has {gone}, which a lost journal had asked for, and what it keeps for that is not known; the count waits \
             until the exception about it is settled"
        )));
    }
    let counts = runtime.db.counts_kept(&runtime.key).await?;
    let (mut counted, unplaced) = place::place(runtime, feed).await?;
    place::add_other_facilities(runtime, feed, &mut counted).await?;
    let warehouses: Vec<i64> =
        counted.keys().map(|(warehouse_id, _)| *warehouse_id).collect::<BTreeSet<_>>().into_iter().collect();
    if warehouses.is_empty() {
        let reason = match unplaced.first() {
            Some(line) => format!("no SKU of it could be placed, e.g. {}: {}", line.skus.join(", "), line.reason),
            None => "it holds no SKU".to_owned(),
        };
        return Ok(refuse(runtime, feed, &reason).await?);
    }
    if let Err(holder) = runtime.db.own_stock(&runtime.key, &runtime.account, &warehouses).await? {
        return Ok(refuse(runtime, feed, &holder).await?);
    }
    let facts = RunFacts {
        first: !runtime.db.runs_planned_before(&runtime.key).await?,
        age_minutes: runtime.clock.now().duration_since(feed.cut_off).as_mins(),
        skus: u32::try_from(feed.levels.len()).unwrap_or(u32::MAX),
        last_skus: runtime.db.last_skus(&runtime.key, feed).await?,
        absent_is_zero: feed.absent_is_zero,
        ..RunFacts::default()
    };
    let mut comparison = Comparison::new(runtime, feed, facts).await?;
    comparison.lines = unplaced;
    for warehouse_id in warehouses {
        let products: Vec<_> = counted
            .iter()
            .filter(|((warehouse, _), _)| *warehouse == warehouse_id)
            .map(|((_, product), counted)| (*product, counted.clone()))
            .collect();
        for slice in products.chunks(SLICE) {
            comparison.products(runtime, warehouse_id, slice).await?;
        }
    }
    let Comparison { facts, lines, marks, settings, .. } = comparison;
    let approved = settings.first_run == engine::settings::FirstRun::Approve;
    let (state, reason) = match stock::run(&facts, &settings.brakes, approved) {
        RunVerdict::Go => (RunState::Planned, String::new()),
        RunVerdict::Ask(why) => (RunState::Waiting, why),
        RunVerdict::Refuse(why) => (RunState::Refused, why),
    };
    let (state, reason) = match (state, runtime.db.stock_waits(&runtime.key).await?) {
        (RunState::Planned, Some(why)) => (RunState::Waiting, why),
        _ => (state, reason),
    };
    let run = StockRun {
        compared: facts.compared,
        changed: facts.changed,
        lines: lines.into_iter().filter(|line| line.verdict != Verdict::Same.as_str()).collect(),
        ..blank(runtime, feed, state, reason)
    };
    let corrections =
        if state == RunState::Planned { plan::of_run(runtime, &run, &marks, None, &run.id).await? } else { Vec::new() };
    match runtime.db.record_summed_run(&runtime.key, run, corrections, feed, counts).await {
        Err(DbError::Fenced(_)) => {
            Err(Unfinished::Later("another count came while it was worked out; it is worked out again".to_owned()))
        }
        kept => Ok(kept?),
    }
}

/// A run of this feed that compared nothing yet.
fn blank(runtime: &Runtime, feed: &StockFeed, state: RunState, reason: String) -> StockRun {
    StockRun {
        id: format!("run_{}", ulid(runtime.clock.now(), &*runtime.random)),
        feed: feed.reference.clone(),
        content_hash: feed.content_hash.clone(),
        cut_off: feed.cut_off,
        sequence: feed.sequence,
        made_at: runtime.clock.now(),
        state,
        reason,
        skus: u32::try_from(feed.levels.len()).unwrap_or(u32::MAX),
        compared: 0,
        changed: 0,
        lines: Vec::new(),
    }
}

async fn refuse(runtime: &Runtime, feed: &StockFeed, why: &str) -> Result<StockRun, FlowError> {
    let run = blank(runtime, feed, RunState::Refused, why.to_owned());
    Ok(runtime.db.record_run(&runtime.key, run, Vec::new(), feed).await?)
}
