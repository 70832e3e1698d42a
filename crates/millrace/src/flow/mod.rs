//! The three flows, each a straight line that can be taken up again at every point: orders, shipments, stock.
//!
//! A flow reads, decides by the engine's pure functions, and writes facts and planned effects in one transaction. It never
//! changes a remote system: that is the journal's part.

pub mod advance;
pub mod drift;
pub mod gate;
pub mod orders;
pub mod preflight;
pub mod recover;
pub mod sent;
pub mod shipments;
pub mod stock;

use connect::{ConnectorError, ErrorKind};

use crate::db::{Counts, DbError};

/// Why a run of a flow ended early. What it had written stays; the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A remote system.
    #[error("{0}")]
    Connector(#[from] ConnectorError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The connection's own settings, or the state of the installation: it must not go on just now, and says why.
    #[error("{0}")]
    Settings(String),
}

impl FlowError {
    /// Whether the credentials are refused, so that trying again is useless.
    pub fn is_credentials(&self) -> bool {
        matches!(self, Self::Connector(error) if error.kind == ErrorKind::Credentials)
    }
}

/// What a run counted, by name.
fn counts<const N: usize>(counted: [(&str, usize); N]) -> Counts {
    counted.into_iter().map(|(name, count)| (name.to_owned(), u64::try_from(count).unwrap_or(u64::MAX))).collect()
}
