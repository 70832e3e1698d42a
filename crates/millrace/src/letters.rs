//! The messages that one connection has taken in, for its connector: kept in the database.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use connect::{ConnectorError, Known, Marks};

use crate::db::{ConnectionKey, Database, DbError};

/// The messages of one connection.
pub struct ConnectionMarks {
    db: Database,
    key: ConnectionKey,
}

impl ConnectionMarks {
    /// Of this connection.
    pub fn shared(db: Database, key: ConnectionKey) -> Arc<dyn Marks> {
        Arc::new(Self { db, key })
    }
}

#[async_trait]
impl Marks for ConnectionMarks {
    async fn known(&self, names: &[String]) -> Result<BTreeMap<String, Known>, ConnectorError> {
        self.db.letters(&self.key, names).await.map_err(|error| unreadable(&error))
    }

    async fn highest(&self, series: &str) -> Result<Option<(u64, Known)>, ConnectorError> {
        self.db.highest_letter(&self.key, series).await.map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &DbError) -> ConnectorError {
    tracing::warn!("what was taken in before cannot be read: {error}");
    ConnectorError::transient("what was taken in before cannot be read at the moment; it is tried again")
}
