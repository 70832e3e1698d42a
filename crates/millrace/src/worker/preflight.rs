//! Carries out pre-flights: of any connection, enabled or not, one at a time for each, several side by side.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{BuildError, LOOK, Workers};
use crate::{
    db::{Access, DbError, PreflightEnd, PreflightRow},
    flow::preflight::{self, AGAIN, Ended},
};

/// Most pre-flights at once on one node. They wait for calls nearly all of the time.
const MOST: usize = 4;

/// What one try at a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It has ended, or goes on later; the run says which.
    Done,
    /// Another node works on it, or holds its account.
    Elsewhere,
}

impl Workers {
    /// Carries out what is asked for until it is told to stop. What is under way then is let go, and another node or the next
    /// start goes on with it.
    pub async fn run_preflights(self: Arc<Self>, stop: CancellationToken) {
        let mut busy: BTreeSet<String> = BTreeSet::new();
        let mut tasks: JoinSet<String> = JoinSet::new();
        let mut changes = self.db.changes();
        while !stop.is_cancelled() {
            match self.due_preflights().await {
                Ok(due) => {
                    for run in due {
                        if busy.len() >= MOST || !busy.insert(run.id.clone()) {
                            continue;
                        }
                        let (workers, stop) = (Arc::clone(&self), stop.clone());
                        tasks.spawn(async move {
                            if let Err(error) = workers.try_preflight(&run, &stop).await {
                                tracing::warn!(
                                    connection.id = %run.key.connection, preflight.id = %run.id,
                                    "pre-flight cannot be kept: {error}"
                                );
                            }
                            run.id
                        });
                    }
                }
                Err(error) => tracing::warn!("the list of pre-flights cannot be read: {error}"),
            }
            let look = LOOK / self.waits.factor.max(1);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = tasks.join_next(), if !tasks.is_empty() => match done {
                    // One that is held elsewhere would be tried again at once.
                    Ok(id) => {
                        busy.remove(&id);
                        self.seams.clock.sleep(look).await;
                    }
                    // A task that panicked gives no id; all are looked at anew then.
                    Err(_) => busy.clear(),
                },
                () = changes.any() => self.seams.clock.sleep(look / 4).await,
                () = self.seams.clock.sleep(look) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn due_preflights(&self) -> Result<Vec<PreflightRow>, DbError> {
        let mut due = Vec::new();
        for tenant in self.db.tenants().await?.into_iter().filter(|tenant| tenant.disabled_at.is_none()) {
            due.extend(self.db.due_preflights(&Access::Tenant(tenant.id)).await?);
        }
        Ok(due)
    }

    /// Works on a run until it ends, fails, or `stop`, if this node may: the account's calls are one budget with one owner.
    ///
    /// # Errors
    /// When the database cannot be reached: somebody else goes on with it when the lease is over.
    pub async fn try_preflight(&self, run: &PreflightRow, stop: &CancellationToken) -> Result<Tried, DbError> {
        let (key, lease) = (&run.key, self.waits.lease);
        let runtime = match self.build_for(key, "preflight").await {
            Ok(runtime) => runtime,
            Err(BuildError::Db(error)) => return Err(error),
            Err(error) => {
                if self.db.hold_preflight(key, &run.id, &self.node, lease).await?.is_some() {
                    let why = error.to_string();
                    self.db.end_preflight(key, &run.id, &self.node, PreflightEnd::Failed, Some(&why)).await?;
                }
                return Ok(Tried::Done);
            }
        };
        if !self.db.hold_account(&runtime.account, &self.node, lease).await? {
            return Ok(Tried::Elsewhere);
        }
        let Some(run) = self.db.hold_preflight(key, &run.id, &self.node, lease).await? else {
            return Ok(Tried::Elsewhere);
        };
        tracing::info!(connection.id = %key.connection, preflight.id = %run.id, "pre-flight runs");
        let ended = tokio::select! {
            biased;
            // It only reads: cutting it off loses a slice, and it is taken up again.
            () = stop.cancelled() => None,
            () = self.keep(&runtime.account, &run) => Some(Ok(Ended::Stopped)),
            ended = preflight::run(&runtime, &run) => Some(ended),
        };
        match ended {
            None => self.db.defer_preflight(key, &run.id, &self.node, Duration::ZERO, None).await?,
            Some(Ok(Ended::Stopped)) => {}
            Some(Ok(Ended::All)) => {
                self.db.end_preflight(key, &run.id, &self.node, PreflightEnd::Finished, None).await?;
                tracing::info!(connection.id = %key.connection, preflight.id = %run.id, "pre-flight finished");
            }
            Some(Err(error)) => {
                let why = preflight::words(&error);
                tracing::warn!(connection.id = %key.connection, preflight.id = %run.id, "pre-flight: {why}");
                if preflight::is_passing(&error) {
                    let wait = AGAIN / self.waits.factor.max(1);
                    self.db.defer_preflight(key, &run.id, &self.node, wait, Some(&why)).await?;
                } else {
                    self.db.end_preflight(key, &run.id, &self.node, PreflightEnd::Failed, Some(&why)).await?;
                }
            }
        }
        Ok(Tried::Done)
    }

    /// Keeps the run and its account for as long as it may; returns when it may not any more.
    async fn keep(&self, account: &str, run: &PreflightRow) {
        let lease = self.waits.lease;
        loop {
            // Often enough that a person who ends it does not wait for long.
            self.seams.clock.sleep((lease / 3).min(LOOK / self.waits.factor.max(1))).await;
            let held = async {
                Ok::<bool, DbError>(
                    self.db.hold_account(account, &self.node, lease).await?
                        && self.db.hold_preflight(&run.key, &run.id, &self.node, lease).await?.is_some(),
                )
            };
            match held.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(preflight.id = %run.id, "the pre-flight's lease cannot be kept: {error}");
                }
            }
        }
    }
}
