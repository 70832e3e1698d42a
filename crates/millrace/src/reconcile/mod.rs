//! The census and the reconciler: an independent look at what the source, the hub and the warehouse hold.
//!
//! It goes another way than the flows do. It has connectors of its own, which only read and let every other call go first; it
//! asks the source for everything eligible, the hub's tables for what is made of it, and the warehouse for what it has, and
//! trusts none of them alone. What it finds is written down and never acts: a person presses the button.

mod beside;
mod look;
mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use connect::{Clock, ConnectorError, ErrorKind, OrderSource, Waits, Warehouse};
use engine::{
    census::{Bucket, Patience, Place},
    effect::later,
    finding::{Finding, FindingKind, Subject},
    settings::{ConnectionSettings, StartMode},
};
use jiff::{SignedDuration, Timestamp};

pub use report::{BucketCount, LostEntry, Report};

use crate::{
    db::{CensusOutcome, CensusRun, Channel, ChannelKind, ConnectionKey, Database, Extent, Mappings},
    flow::FlowError,
};
use look::{Look, Subjects};

/// What happened within this time is *recent*.
const RECENT: Duration = Duration::from_secs(24 * 3_600);

/// What was finished longer ago than this is final at both ends and is not looked at again.
const FULL: Duration = Duration::from_secs(90 * 24 * 3_600);

/// A full run counts the markers of corrections of this time; a recent run those of [`RECENT`].
const MARKERS: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Orders looked at together.
const SLICE: usize = 1_000;

/// Time between two runs.
pub fn every(extent: Extent) -> Duration {
    match extent {
        Extent::Recent => Duration::from_secs(15 * 60),
        Extent::Full => Duration::from_secs(24 * 3_600),
    }
}

/// One connection as the reconciler sees it.
pub struct Reconciler {
    /// Whose, and which.
    pub key: ConnectionKey,
    /// The source account's code.
    pub account: String,
    /// What the person chose.
    pub settings: ConnectionSettings,
    /// Its translation tables.
    pub mappings: Mappings,
    /// What is kept.
    pub db: Database,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The contract's waits.
    pub waits: Waits,
    /// The contact that the hub's own notes are kept under, as far as the running connection has learned it.
    pub author: Option<i64>,
    source: Arc<dyn OrderSource>,
    warehouse: Arc<dyn Warehouse>,
}

/// What one run showed.
pub struct Census {
    /// For people.
    pub report: Report,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What it could look for.
    pub checked: BTreeSet<FindingKind>,
}

impl Reconciler {
    /// With connectors built for sweeps: nothing here ever sends.
    #[expect(clippy::too_many_arguments, reason = "one place puts it together")]
    pub fn new(
        key: ConnectionKey,
        account: String,
        settings: ConnectionSettings,
        mappings: Mappings,
        db: Database,
        clock: Arc<dyn Clock>,
        waits: Waits,
        (source, warehouse): (Arc<dyn OrderSource>, Arc<dyn Warehouse>),
    ) -> Self {
        let author = source.note_author();
        Self { key, account, settings, mappings, db, clock, waits, author, source, warehouse }
    }

    /// Runs once and keeps what came of it.
    ///
    /// # Errors
    /// When the source or the database cannot be read; that is written down, and nothing counts as gone.
    pub async fn run(&self, extent: Extent) -> Result<Report, FlowError> {
        self.db.start_census(&self.key, extent).await?;
        match self.take(extent).await {
            Ok(census) => {
                let outcome = CensusOutcome {
                    unaccounted: census.report.unaccounted,
                    report: serde_json::to_vec(&census.report)
                        .map_err(|error| FlowError::Settings(format!("the report cannot be written: {error}")))?,
                    findings: census.findings,
                    checked: census.checked,
                };
                self.db.finish_census(&self.key, extent, outcome).await?;
                Ok(census.report)
            }
            Err(error) => {
                self.db.fail_census(&self.key, extent, &error.to_string()).await?;
                Err(error)
            }
        }
    }

    /// Looks at everything in the extent. Changes nothing anywhere.
    ///
    /// # Errors
    /// When the source or the database cannot be read.
    pub async fn take(&self, extent: Extent) -> Result<Census, FlowError> {
        let now = self.clock.now();
        let since = match extent {
            Extent::Recent => earlier(now, RECENT),
            Extent::Full => earlier(now, FULL),
        };
        let subjects = self.subjects().await?;
        let mut ids: BTreeSet<i64> = self.db.census_ids(&self.key, since).await?;
        ids.extend(&subjects.orders);
        ids.extend(subjects.notes.iter().map(|(order_id, _)| *order_id));
        let mut look = Look::begin(self, &subjects, self.patience().await?).await?;
        let ids: Vec<i64> = ids.into_iter().collect();
        for slice in ids.chunks(SLICE) {
            look.at(slice).await?;
        }
        look.once_more().await?;
        let mut checked: BTreeSet<FindingKind> = FindingKind::ALL.into();
        if look.warehouse_failed {
            checked.retain(|kind| !kind.needs_warehouse());
        }
        let mut findings = std::mem::take(&mut look.findings);
        let (places, mut unchecked, blind) = (std::mem::take(&mut look.places), look.unchecked(), look.blind.clone());
        if look.author.is_none() {
            checked.remove(&FindingKind::OrphanNote);
            checked.remove(&FindingKind::ShippedUntold);
        }
        self.unknown_effects(now, &mut findings).await?;
        if let Err(why) = self.markers(extent, now, &mut findings).await? {
            checked.remove(&FindingKind::MarkerTwice);
            unchecked.push(why);
        }
        findings.sort();
        findings.dedup_by(|a, b| (a.kind, &a.subject) == (b.kind, &b.subject));
        let report = Report::of(extent, now, self.clock.now(), &places, blind, unchecked, findings.len());
        Ok(Census { report, findings, checked })
    }

    /// Looks at one order only: what is wrong with it now.
    ///
    /// # Errors
    /// As [`Reconciler::take`].
    pub async fn examine(&self, order_id: i64) -> Result<Vec<Finding>, FlowError> {
        let subjects = self.subjects().await?;
        let mut look = Look::begin(self, &subjects, self.patience().await?).await?;
        look.at(&[order_id]).await?;
        look.once_more().await?;
        Ok(look.findings)
    }

    /// What the source holds that this connection has to account for, by its own searches.
    async fn subjects(&self) -> Result<Subjects, FlowError> {
        let problems = self.settings.problems();
        if !problems.is_empty() {
            return Err(FlowError::Settings(problems.join("; ")));
        }
        let warehouses = self.settings.warehouses_in_scope();
        let notes: BTreeSet<(i64, i64)> = self.source.scan_notes(&warehouses).await?.notes.into_iter().collect();
        let mut orders = BTreeSet::new();
        if self.settings.start_mode == StartMode::Order {
            let mut filter = self.settings.order_filter();
            // Where the hub puts orders that are at the warehouse: one that it has lost stands there.
            filter.statuses.extend(self.settings.at_warehouse_status);
            filter.statuses.extend(self.settings.partly_shipped_status);
            orders = self.source.scan_orders(&filter).await?.heads.into_iter().map(|head| head.order_id).collect();
        }
        Ok(Subjects { orders, notes })
    }

    async fn patience(&self) -> Result<Patience, FlowError> {
        let channels = self.db.channels(&self.key).await?;
        let rest =
            |kind| channels.iter().find(|channel| channel.kind == kind).map_or(Duration::from_secs(60), Channel::rest);
        Ok(Patience::new(rest(ChannelKind::Orders), rest(ChannelKind::Shipments), self.waits.factor))
    }

    /// Effects of which nobody knows for too long whether they happened (J4).
    async fn unknown_effects(&self, now: Timestamp, findings: &mut Vec<Finding>) -> Result<(), FlowError> {
        let unknown = Patience::new(Duration::ZERO, Duration::ZERO, self.waits.factor).unknown;
        for effect in self.db.unknown_effects(&self.key, earlier(now, unknown)).await? {
            findings.push(Finding {
                kind: FindingKind::EffectUnknown,
                subject: Subject::Effect(effect.id.to_string()),
                order_id: effect.order_id,
                what: format!(
                    "{}: sent at {}, and nobody knows whether it happened",
                    effect.title,
                    time(effect.armed_at)
                ),
            });
        }
        Ok(())
    }

    /// Stock corrections that were made more than once (K3). `Err` with the reason where they cannot be read.
    async fn markers(
        &self,
        extent: Extent,
        now: Timestamp,
        findings: &mut Vec<Finding>,
    ) -> Result<Result<(), String>, FlowError> {
        let since = match extent {
            Extent::Recent => earlier(now, RECENT),
            Extent::Full => earlier(now, MARKERS),
        };
        let warehouses: BTreeSet<i64> =
            self.mappings.locations.values().copied().chain(self.settings.default_warehouse()).collect();
        for warehouse in warehouses {
            let made = match self.source.correction_markers(warehouse, since).await {
                Ok(made) => made,
                Err(ConnectorError { kind: ErrorKind::Unsupported, message }) => {
                    return Ok(Err(format!("stock corrections: {message}")));
                }
                Err(error) => return Err(error.into()),
            };
            for (marker, times) in made.into_iter().filter(|(_, times)| *times > 1) {
                findings.push(Finding {
                    kind: FindingKind::MarkerTwice,
                    what: format!("stock correction [hub:{marker}] was made {times} times in warehouse {warehouse}"),
                    subject: Subject::Marker(marker),
                    order_id: None,
                });
            }
        }
        Ok(Ok(()))
    }
}

/// Where everything was, by what it is: an order, and in goods-out-note mode one of its notes.
type Places = BTreeMap<(i64, Option<i64>), Place>;

fn lost(places: &Places) -> impl Iterator<Item = (&(i64, Option<i64>), &Place)> {
    places.iter().filter(|(_, place)| place.bucket == Bucket::Unaccounted)
}

/// So much earlier, at most the beginning of time.
fn earlier(at: Timestamp, time: Duration) -> Timestamp {
    SignedDuration::try_from(time).ok().and_then(|time| at.checked_sub(time).ok()).unwrap_or(Timestamp::MIN)
}

/// A time for people.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// After a run that failed or was cut off, the next one comes so much later.
const AGAIN: Duration = Duration::from_secs(300);

/// Which run comes next, and when; a time in the past means now. A full run is a recent one as well.
pub fn next(runs: &[CensusRun], scaled: impl Fn(Duration) -> Duration) -> Option<(Extent, Timestamp)> {
    let full = runs.iter().find(|run| run.extent == Extent::Full);
    let dues = runs.iter().map(|run| {
        let mut run = run.clone();
        if let Some(full) = full.filter(|full| full.started_at > run.started_at) {
            (run.started_at, run.finished_at) = (full.started_at, full.finished_at);
        }
        (run.extent, due(&run, &scaled))
    });
    // Of two that are due now the full one does for both.
    dues.min_by_key(|(extent, due)| (*due, *extent != Extent::Full))
}

fn due(run: &CensusRun, scaled: &impl Fn(Duration) -> Duration) -> Timestamp {
    let by_schedule = match run.started_at {
        None => later(run.begun_at, scaled(every(run.extent))),
        Some(started) if run.finished_at.is_none_or(|finished| finished < started) => later(started, scaled(AGAIN)),
        Some(started) => later(started, scaled(every(run.extent))),
    };
    let wanted = run.wanted_at.filter(|wanted| run.started_at.is_none_or(|started| *wanted >= started));
    wanted.map_or(by_schedule, |wanted| wanted.min(by_schedule))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::effect::later;
    use jiff::Timestamp;

    use super::{CensusRun, Extent, next};

    fn start() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn at(minutes: u64) -> Timestamp {
        later(start(), Duration::from_secs(minutes * 60))
    }

    fn run(extent: Extent, started: Option<u64>, finished: Option<u64>) -> CensusRun {
        CensusRun {
            extent,
            begun_at: start(),
            wanted_at: None,
            started_at: started.map(at),
            finished_at: finished.map(at),
            problem: None,
            unaccounted: None,
            report: None,
        }
    }

    fn due(recent: CensusRun, full: CensusRun) -> (Extent, u64) {
        let (extent, due) = next(&[recent, full], |wait| wait).unwrap();
        (extent, u64::try_from(due.duration_since(start()).as_mins()).unwrap())
    }

    #[test]
    fn runs_follow_each_other_whatever_stops_meanwhile() {
        let none = |extent| run(extent, None, None);
        assert_eq!(due(none(Extent::Recent), none(Extent::Full)), (Extent::Recent, 15));
        let recent = run(Extent::Recent, Some(100), Some(101));
        assert_eq!(due(recent.clone(), none(Extent::Full)), (Extent::Recent, 115));
        // Cut off or failed: soon again.
        assert_eq!(due(run(Extent::Recent, Some(100), Some(90)), none(Extent::Full)), (Extent::Recent, 105));
        assert_eq!(due(recent.clone(), run(Extent::Full, Some(90), None)), (Extent::Full, 95));
        // A full run is a recent one as well.
        assert_eq!(due(recent.clone(), run(Extent::Full, Some(110), Some(112))), (Extent::Recent, 125));
        let wanted = CensusRun { wanted_at: Some(at(102)), ..run(Extent::Full, Some(90), Some(92)) };
        assert_eq!(due(recent.clone(), wanted.clone()), (Extent::Full, 102));
        // What was wanted before the last run began has been had.
        let had = CensusRun { wanted_at: Some(at(80)), ..wanted };
        assert_eq!(due(recent, had), (Extent::Recent, 115));
        assert_eq!(next(&[], |wait| wait), None);
    }
}
