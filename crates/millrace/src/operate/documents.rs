//! Documents of warehouses as people read them: one that is given, or one that was set aside.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use connectors::documents::{self, ShownSegment};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Failure, FailureKind, Hub, Problem};

/// A document to show.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentIn {
    /// Its bytes in base64, so that any encoding arrives as it is.
    pub content_base64: String,
}

/// An element that is not empty.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ElementOut {
    /// Its number in the segment, from 1.
    pub number: usize,
    /// What it is called, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What stands there.
    pub value: String,
    /// What the code means, where it is one that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
}

/// A segment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SegmentOut {
    /// Its place in the document, from 1.
    pub at: usize,
    /// E.g. `W05`; empty for an end of which only its faults are shown.
    pub id: String,
    /// What it is called, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its elements.
    pub elements: Vec<ElementOut>,
    /// What is wrong with it and was passed over.
    pub findings: Vec<String>,
}

/// A document segment by segment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DocumentOut {
    /// Its segments, in order.
    pub segments: Vec<SegmentOut>,
}

impl From<ShownSegment> for SegmentOut {
    fn from(shown: ShownSegment) -> Self {
        let elements = shown.elements.into_iter().map(|element| ElementOut {
            number: element.number,
            name: element.name.map(str::to_owned),
            value: element.value,
            meaning: element.meaning.map(str::to_owned),
        });
        Self {
            at: shown.at,
            id: shown.id,
            name: shown.name.map(str::to_owned),
            elements: elements.collect(),
            findings: shown.findings,
        }
    }
}

/// Shows a document, to anybody who is known. Nothing is kept of it.
///
/// # Errors
/// When it is not in base64, or cannot be told apart.
pub fn show(_caller: &Caller, given: &DocumentIn) -> Result<DocumentOut, Failure> {
    let content = STANDARD.decode(given.content_base64.trim()).map_err(|_| {
        Failure::invalid(
            "the document is not in base64",
            vec![Problem::new("content_base64", "send its bytes in base64")],
        )
    })?;
    shown(&content).map_err(|why| Failure::invalid(why.clone(), vec![Problem::new("content_base64", why)]))
}

/// What an exception keeps of what came in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ContentOut {
    /// As text; what is no UTF-8 is shown as \u{FFFD}.
    pub text: String,
    /// How many bytes it has.
    pub bytes: usize,
    /// Only its beginning is shown.
    pub cut: bool,
}

/// Most of what came in that is shown, in bytes.
const SHOWN: usize = 256 * 1024;

/// What an exception keeps of what came in, as it came.
///
/// # Errors
/// When there is none for this caller, or it keeps nothing.
pub async fn content(hub: &Hub, caller: &Caller, exception: &str) -> Result<ContentOut, Failure> {
    let key = hub.db.find_exception(&caller.access(), exception).await?;
    let content = hub.db.exception_content(&key, exception).await?;
    let content = content.ok_or_else(|| {
        Failure::new(FailureKind::NotFound, "this exception keeps nothing of what came in").remedy("See its reason.")
    })?;
    let beginning = content.get(..SHOWN).unwrap_or(&content);
    Ok(ContentOut {
        text: String::from_utf8_lossy(beginning).into_owned(),
        bytes: content.len(),
        cut: beginning.len() < content.len(),
    })
}

/// Shows what an exception keeps of a document that was set aside.
///
/// # Errors
/// When there is none for this caller, it keeps no document, or that cannot be told apart.
pub async fn of_exception(hub: &Hub, caller: &Caller, exception: &str) -> Result<DocumentOut, Failure> {
    let key = hub.db.find_exception(&caller.access(), exception).await?;
    let content = hub.db.exception_content(&key, exception).await?;
    let content = content.ok_or_else(|| {
        Failure::invalid("this exception keeps no document", vec![Problem::new("exception", "see its reason")])
    })?;
    shown(&content).map_err(|why| Failure::invalid(why.clone(), vec![Problem::new("exception", why)]))
}

/// A document from its bytes.
///
/// # Errors
/// Why it cannot be shown, for people.
pub fn shown(content: &[u8]) -> Result<DocumentOut, String> {
    let segments = documents::show(content).map_err(|error| format!("it cannot be shown: {}", error.message))?;
    Ok(DocumentOut { segments: segments.into_iter().map(SegmentOut::from).collect() })
}
