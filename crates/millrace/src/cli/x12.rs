//! `x12`: documents as people read them.

use std::fmt::Write as _;

use super::{
    args::X12,
    print::{Printer, clean},
};
use crate::operate::{
    Failure, FailureKind,
    documents::{self, SegmentOut},
};

/// Largest file shown, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Shows a file segment by segment.
///
/// # Errors
/// When the file cannot be read, or is no X12.
pub(super) fn run(command: X12, printer: Printer) -> Result<(), Failure> {
    let X12::Show { file } = command;
    let named = file.display();
    let unread = |why: String| Failure::new(FailureKind::Invalid, format!("{named} cannot be read: {why}"));
    let size = std::fs::metadata(&file).map_err(|error| unread(error.to_string()))?.len();
    if size > LARGEST {
        return Err(unread(format!("it has {size} bytes, and {LARGEST} are the most")));
    }
    let content = std::fs::read(&file).map_err(|error| unread(error.to_string()))?;
    let shown = documents::shown(&content).map_err(unread)?;
    printer.answer(&shown.segments, |shown| text(shown))
}

/// Segments for people.
pub(super) fn text(segments: &[SegmentOut]) -> String {
    let mut out = String::new();
    for segment in segments {
        // Writing to a text cannot fail.
        let _ = writeln!(
            out,
            "{:>5}  {:<3}  {}",
            segment.at,
            clean(&segment.id),
            segment.name.as_deref().unwrap_or_default()
        );
        for element in &segment.elements {
            let name = element.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let meaning = element.meaning.as_ref().map(|meaning| format!(" ({meaning})")).unwrap_or_default();
            let _ = writeln!(out, "         {:02}  {name}{}{meaning}", element.number, clean(&element.value));
        }
        for finding in &segment.findings {
            let _ = writeln!(out, "         !   {}", clean(finding));
        }
    }
    out
}
