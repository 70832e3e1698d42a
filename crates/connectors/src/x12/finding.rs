//! What is wrong with a document that came in: what is passed over and shown, and what nothing may be taken from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fault that is passed over: the document is used, and the fault is named and shown, unless the partner's settings
/// say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Elements of the ISA do not have their fixed length.
    IsaNotPadded,
    /// The ISA ends otherwise than the segments behind it.
    IsaEnd,
    /// The ISA names no component separator: ISA16 is missing, or is the terminator.
    NoComponentSeparator,
    /// A line end stands inside a segment.
    LineBreakInside,
    /// SE01 does not count the segments that are there.
    SegmentCount,
    /// SE02 is not ST02.
    SetControl,
    /// GE01 does not count the sets that are there.
    SetCount,
    /// GE02 is not GS06.
    GroupControl,
    /// IEA01 does not count the groups that are there.
    GroupCount,
    /// IEA02 is not ISA13.
    InterchangeControl,
    /// CTT01 does not count the lines that are there.
    LineCount,
    /// GS01 is not the group code of the set; the set's own code decides.
    GroupCode,
    /// ISA12 and GS08 name different versions; GS08 decides.
    VersionsDisagree,
    /// An element is shorter or longer than the standard lets it be.
    ElementLength,
    /// A date or time that is none.
    BadDate,
    /// A number that is none.
    BadNumber,
    /// Of a qualifier and its value, one is missing.
    HalfPair,
    /// The set has no such segment; it is kept and shown.
    UnknownSegment,
    /// A segment stands under its party more often than the set has room for.
    TooOften,
    /// The last segment has no end.
    LastEndMissing,
    /// The sender has begun its control numbers again.
    NumbersBegunAgain,
}

/// A fault that was passed over, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which.
    pub kind: FindingKind,
    /// The segment, counted in the file from 1.
    pub at: usize,
    /// The element, where it is one that is at fault: what an acknowledgement says of it (AK4).
    pub element: Option<ElementFault>,
    /// What it is, for people.
    pub words: String,
}

/// Which element of a segment is at fault, in the terms of an acknowledgement (997, AK4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElementFault {
    /// AK401: its number in the segment, from 1.
    pub number: usize,
    /// AK403: what is wrong, e.g. `4` too short, `8` no date.
    pub code: &'static str,
    /// AK404: what stands there; empty where nothing does.
    pub text: String,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, at: usize, words: impl Into<String>) -> Self {
        Self { kind, at, element: None, words: words.into() }
    }

    pub(super) fn of_element(kind: FindingKind, at: usize, element: ElementFault, words: impl Into<String>) -> Self {
        Self { kind, at, element: Some(element), words: words.into() }
    }

    /// Whether a stock figure may not be used any more: a damaged snapshot could empty a shop, while a damaged shipment only
    /// delays.
    pub fn spoils_stock(&self) -> bool {
        matches!(
            self.kind,
            FindingKind::SegmentCount
                | FindingKind::SetControl
                | FindingKind::SetCount
                | FindingKind::GroupControl
                | FindingKind::GroupCount
                | FindingKind::InterchangeControl
                | FindingKind::LineCount
                | FindingKind::BadNumber
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}: {}", self.at, self.words)
    }
}

/// A document that nothing may be taken from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("segment {at}: {why}")]
pub struct Broken {
    /// The segment, counted in the file from 1.
    pub at: usize,
    /// What is wrong, and what to do.
    pub why: String,
    /// What an interchange acknowledgement (TA1) calls it: element 5.
    pub note: &'static str,
}

impl Broken {
    pub(super) fn new(at: usize, note: &'static str, why: impl Into<String>) -> Self {
        Self { at, why: why.into(), note }
    }
}
