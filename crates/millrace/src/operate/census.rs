//! The census: where every eligible order is, by an independent look at all three ledgers.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, Role, connections,
    findings::{self, FindingOut},
};
use crate::{
    db::{CensusRun, ConnectionKey, Extent, FindingQuery},
    reconcile::{Reconciler, Report},
};

/// The census of a connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CensusOut {
    /// Which connection's.
    pub connection: String,
    /// Orders (in goods-out-note mode: notes) that nobody can account for, by the newest run; `null` before the first.
    pub unaccounted: Option<i64>,
    /// The runs: of what is recent, every 15 minutes, and of everything, every day.
    pub runs: Vec<CensusRunOut>,
    /// The newest run that went to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// What is wrong, newest first, at most 500. It never acts by itself.
    pub findings: Vec<FindingOut>,
}

/// When the census ran, and when it runs next.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CensusRunOut {
    /// `recent` or `full`.
    pub extent: String,
    /// A run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub wanted_at: Option<Timestamp>,
    /// Start of the last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// End of the last run that went to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What the last run failed of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What it could not account for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaccounted: Option<i64>,
}

/// Which census to take.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CensusIn {
    /// Everything that can still matter, not only what is recent.
    pub full: bool,
}

impl CensusIn {
    fn extent(self) -> Extent {
        if self.full { Extent::Full } else { Extent::Recent }
    }
}

impl From<&CensusRun> for CensusRunOut {
    fn from(run: &CensusRun) -> Self {
        Self {
            extent: run.extent.as_str().to_owned(),
            wanted_at: run.wanted_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            problem: run.problem.clone(),
            unaccounted: run.unaccounted,
        }
    }
}

/// What the last census showed.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<CensusOut, Failure> {
    let key = connections::find(hub, caller, named).await?;
    shown(hub, caller, &key).await
}

async fn shown(hub: &Hub, caller: &Caller, key: &ConnectionKey) -> Result<CensusOut, Failure> {
    let runs = hub.db.census_runs(key).await?;
    let newest = runs.iter().filter(|run| run.report.is_some()).max_by_key(|run| run.finished_at);
    let report =
        newest.and_then(|run| run.report.as_deref()).map(serde_json::from_slice).transpose().map_err(|error| {
            Failure::new(FailureKind::Internal, format!("what the census showed cannot be read back: {error}"))
        })?;
    let query = FindingQuery { connection: Some(key.clone()), limit: 500, ..FindingQuery::default() };
    let found = hub.db.list_findings(&caller.access(), query).await?;
    Ok(CensusOut {
        connection: key.connection.to_string(),
        unaccounted: newest.and_then(|run| run.unaccounted),
        runs: runs.iter().map(CensusRunOut::from).collect(),
        report,
        findings: found.items.into_iter().map(findings::out).collect(),
    })
}

/// Asks for a census now. The node that holds the account takes it.
///
/// # Errors
/// When the connection is switched off: nothing would take it.
pub async fn want(hub: &Hub, caller: &Caller, named: &str, given: CensusIn) -> Result<CensusOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = connections::find(hub, caller, named).await?;
    if !hub.db.connection(&key, &hub.keyring).await?.enabled {
        return Err(Failure::conflict("the connection is switched off, so nothing takes its census")
            .remedy("Switch it on, or run `millrace census NAME --now` on the machine that has the key file."));
    }
    hub.db.want_census(&key, given.extent()).await?;
    if let Some(runtime) = hub.workers.runtime(&key) {
        runtime.wake.census.notify_one();
    }
    shown(hub, caller, &key).await
}

/// Takes a census now and waits for its end: by the node that holds the account, or here when no node does.
///
/// # Errors
/// When it cannot be taken, or does not end in time.
pub async fn take(hub: &Hub, caller: &Caller, named: &str, given: CensusIn) -> Result<CensusOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = connections::find(hub, caller, named).await?;
    let extent = given.extent();
    let reconciler = hub.workers.reconciler(&key).await?;
    let wanted = hub.db.want_census(&key, extent).await?;
    let started = hub.seams.clock.monotonic();
    let pause = Duration::from_millis(500);
    loop {
        // The account's calls are one budget with one owner. While a node has it, that node takes the census.
        if hub.db.hold_account(&reconciler.account, &hub.config.node, hub.config.waits.lease).await? {
            run_here(hub, &reconciler, extent).await?;
            return shown(hub, caller, &key).await;
        }
        let runs = hub.db.census_runs(&key).await?;
        if let Some(run) = runs.iter().find(|run| run.extent == extent)
            && run.started_at.is_some_and(|at| at >= wanted)
        {
            if run.finished_at >= run.started_at {
                return shown(hub, caller, &key).await;
            }
            if let Some(problem) = &run.problem {
                return Err(Failure::new(FailureKind::Remote, format!("the census could not be taken: {problem}")));
            }
        }
        if hub.seams.clock.monotonic().saturating_sub(started) > LONGEST {
            return Err(Failure::new(FailureKind::Unavailable, "the census has not ended yet")
                .remedy("Its calls let all others go first. `millrace census NAME` shows it when it has ended."));
        }
        hub.seams.clock.sleep(pause).await;
    }
}

/// The longest wait for a census that another process takes.
const LONGEST: Duration = Duration::from_secs(600);

/// Takes the census in this process and keeps the account while it lasts.
async fn run_here(hub: &Hub, reconciler: &Reconciler, extent: Extent) -> Result<(), Failure> {
    let lease = hub.config.waits.lease;
    let keep = async {
        loop {
            hub.seams.clock.sleep(lease / 3).await;
            match hub.db.hold_account(&reconciler.account, &hub.config.node, lease).await {
                Ok(true) => {}
                // Its calls are another node's to count from here on.
                Ok(false) => break,
                Err(error) => tracing::warn!("whether the account is still held is not known: {error}"),
            }
        }
    };
    let ended = tokio::select! {
        ended = reconciler.run(extent) => ended,
        () = keep => {
            return Err(Failure::conflict("another node took the account over while the census was taken")
                .remedy("Ask again: that node takes it now."));
        }
    };
    hub.db.release_account(&reconciler.account, &hub.config.node).await?;
    ended?;
    Ok(())
}
