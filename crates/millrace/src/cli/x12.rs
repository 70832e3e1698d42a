//! `x12`: documents as people read them.

use std::fmt::Write as _;

use connectors::x12::{ShownSegment, show};

use super::{
    args::X12,
    print::{Printer, clean},
};
use crate::operate::{Failure, FailureKind};

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
    let shown = show(&content).map_err(|broken| unread(broken.to_string()))?;
    printer.answer(&shown, |shown| text(shown))
}

fn text(segments: &[ShownSegment]) -> String {
    let mut out = String::new();
    for segment in segments {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{:>5}  {:<3}  {}", segment.at, clean(&segment.id), segment.name.unwrap_or_default());
        for element in &segment.elements {
            let name = element.name.map(|name| format!("{name}: ")).unwrap_or_default();
            let meaning = element.meaning.map(|meaning| format!(" ({meaning})")).unwrap_or_default();
            let _ = writeln!(out, "         {:02}  {name}{}{meaning}", element.number, clean(&element.value));
        }
        for finding in &segment.findings {
            let _ = writeln!(out, "         !   {}", clean(finding));
        }
    }
    out
}
