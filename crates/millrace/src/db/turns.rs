//! Turns: of nodes that change the same kind of thing, one does at a time.

use std::convert::Infallible;

use connect::TenantId;
use tokio::sync::oneshot;

use super::{Database, Engine, R};

/// A turn, until it is dropped. It reads and writes nothing itself: that goes the usual ways.
#[derive(Debug, Default)]
#[must_use = "the turn is over when it is dropped"]
pub struct Turn {
    /// Tells whoever holds the lock that it is over; none where no other node could take the turn.
    pub(super) _over: Option<oneshot::Sender<Infallible>>,
}

impl Database {
    /// Waits until no other node has the turn for this kind of thing of a tenant. A database of one process has no others: there
    /// the process sees to its turns itself.
    ///
    /// # Errors
    /// [`super::DbError::Unavailable`] where it does not come within the time that nodes wait for each other.
    pub async fn turn(&self, tenant: &TenantId, kind: &str) -> R<Turn> {
        match &self.inner.engine {
            Engine::Sqlite(_) | Engine::Inline(_) => Ok(Turn::default()),
            Engine::Postgres(postgres) => postgres.turn(format!("{tenant} {kind}")).await,
        }
    }
}
