//! Documents of formats that people cannot read as they are, and how they are shown.

use serde::Serialize;

use crate::ConnectorError;

/// An element that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownElement {
    /// Its number in the segment, from 1.
    pub number: usize,
    /// What it is called, where that is known.
    pub name: Option<&'static str>,
    /// What stands there.
    pub value: String,
    /// What the code means, where it is one that is known.
    pub meaning: Option<&'static str>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSegment {
    /// Its place in the file, from 1.
    pub at: usize,
    /// E.g. `W05`.
    pub id: String,
    /// What it is called, where that is known.
    pub name: Option<&'static str>,
    /// Its elements.
    pub elements: Vec<ShownElement>,
    /// What is wrong with it and was passed over.
    pub findings: Vec<String>,
}

/// Shows a document of a connector's format, segment by segment. Fails when it is of another format or cannot be told apart.
pub type ShowDocument = fn(&[u8]) -> Result<Vec<ShownSegment>, ConnectorError>;
