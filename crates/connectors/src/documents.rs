//! Documents of warehouses as people read them, for formats that cannot be read as they are.

use connect::ConnectorError;

pub use connect::{ShownElement, ShownSegment};

use crate::CONNECTORS;

/// A document segment by segment, with what its elements and codes mean and what is wrong with it: by the first connector that
/// can tell it apart.
///
/// # Errors
/// When it is of no format that is known here, or cannot be told apart; a file that is set aside for that reason cannot be
/// shown either.
pub fn show(content: &[u8]) -> Result<Vec<ShownSegment>, ConnectorError> {
    let mut why = None;
    for show in CONNECTORS.iter().filter_map(|spec| spec.documents) {
        match show(content) {
            Ok(shown) => return Ok(shown),
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or_else(|| ConnectorError::unexpected("no connector here has documents to show")))
}
