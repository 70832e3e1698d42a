//! Documents of warehouses as people read them, for formats that cannot be read as they are.

use connect::ConnectorError;

pub use crate::x12::{ShownElement, ShownSegment};

/// A document segment by segment, with what its elements and codes mean and what is wrong with it.
///
/// # Errors
/// When it is of no format that is known here, or cannot be told apart; a file that is set aside for that reason cannot be
/// shown either.
pub fn show(content: &[u8]) -> Result<Vec<ShownSegment>, ConnectorError> {
    crate::x12::show(content).map_err(|broken| ConnectorError::unexpected(broken.to_string()))
}
