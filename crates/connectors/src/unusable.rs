//! A row of a warehouse's list that cannot be used: kept as it came, for a person.

use connect::{Inbound, RejectedInput};

use crate::files::outbox::sha256;

/// Sets a row aside. Another content is another input, so that a row which was mended and spoiled again is told again.
pub(crate) fn unusable(name: String, content: String, reason: &str, key: Option<String>) -> RejectedInput {
    let content = content.into_bytes();
    RejectedInput {
        reason: format!("{name} could not be used: {reason}"),
        input: Inbound { name, content_hash: sha256(&content), content },
        beside: false,
        key,
    }
}
