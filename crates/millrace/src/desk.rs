//! The desk of one warehouse, for its connector: kept in the database.

use std::sync::Arc;

use async_trait::async_trait;
use connect::{ConnectorError, Desk, OnDesk, PostedCount, ShipmentRequest, ToldPage};

use crate::db::{Database, DbError, DeskKey};

/// What was said is read in pages of so many.
const PAGE: u32 = 200;
/// Counts that are looked at together.
const COUNTS: u32 = 200;

/// The desk of one warehouse.
pub struct WarehouseDesk {
    db: Database,
    key: DeskKey,
}

impl WarehouseDesk {
    /// Of this warehouse.
    pub fn shared(db: Database, key: DeskKey) -> Arc<dyn Desk> {
        Arc::new(Self { db, key })
    }
}

fn away(error: DbError) -> ConnectorError {
    tracing::warn!("a desk cannot be read or written: {error}");
    ConnectorError::transient("the warehouse's desk cannot be read or written at the moment; it is tried again")
}

#[async_trait]
impl Desk for WarehouseDesk {
    async fn lay(&self, request: &ShipmentRequest) -> Result<Option<OnDesk>, ConnectorError> {
        self.db.lay_on_desk(&self.key, request).await.map_err(away)
    }

    async fn look(&self, keys: &[String]) -> Result<Vec<OnDesk>, ConnectorError> {
        self.db.look_at_desk(&self.key, keys).await.map_err(away)
    }

    async fn take_back(&self, key: &str) -> Result<Option<OnDesk>, ConnectorError> {
        self.db.take_back_from_desk(&self.key, key).await.map_err(away)
    }

    async fn told(&self, after: i64) -> Result<ToldPage, ConnectorError> {
        self.db.told_at_desk(&self.key, after, PAGE).await.map_err(away)
    }

    async fn counts(&self) -> Result<Vec<PostedCount>, ConnectorError> {
        self.db.counts_at_desk(&self.key, COUNTS).await.map_err(away)
    }

    async fn put_away(&self, counts: &[String]) -> Result<(), ConnectorError> {
        self.db.put_counts_away(&self.key, counts).await.map_err(away)
    }
}
