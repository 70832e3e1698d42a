//! The tokens of one store, for its connector: kept in the database, renewed by one node at a time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{ConnectorError, Grant, Grants, Refreshed};
use jiff::Timestamp;

use crate::{
    db::{Database, DbError, StoreKey},
    seal::Keyring,
};

/// What was granted to one store.
pub struct StoreGrants {
    db: Database,
    keyring: Keyring,
    key: StoreKey,
    turn: Duration,
}

impl StoreGrants {
    /// A turn of refreshing lasts `turn`: longer than the call may take.
    pub fn shared(db: Database, keyring: Keyring, key: StoreKey, turn: Duration) -> Arc<dyn Grants> {
        Arc::new(Self { db, keyring, key, turn })
    }
}

fn away(error: DbError) -> ConnectorError {
    tracing::warn!("the tokens of a store cannot be read or kept: {error}");
    ConnectorError::transient("the store's tokens cannot be read or kept at the moment; it is tried again")
}

#[async_trait]
impl Grants for StoreGrants {
    async fn current(&self) -> Result<Option<Grant>, ConnectorError> {
        self.db.grant(&self.key, &self.keyring).await.map_err(away)
    }

    async fn begin_refresh(&self, version: u64) -> Result<Option<Timestamp>, ConnectorError> {
        self.db.begin_refresh(&self.key, version, self.turn).await.map_err(away)
    }

    async fn end_refresh(&self, version: u64, until: Timestamp, came: Refreshed) -> Result<(), ConnectorError> {
        self.db.end_refresh(&self.key, version, until, came, &self.keyring).await.map_err(away)
    }
}
