//! `preview`: how a warehouse's file would be read.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};

use super::{
    Session,
    print::{Printer, clean},
};
use crate::operate::{
    Failure,
    layouts::{self, PreviewIn, PreviewOut, SampleHolds},
};

/// Largest sample, in bytes: its first rows are what is shown.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Options of `preview`.
#[derive(Debug, Clone, Args)]
pub struct Preview {
    /// The sample file.
    file: PathBuf,
    /// What it holds.
    #[arg(long, value_enum)]
    holds: Holds,
    /// A warehouse that is kept, by name or id: its settings are used.
    #[arg(long, required_unless_present = "platform")]
    warehouse: Option<String>,
    /// The connector, where no warehouse is kept yet.
    #[arg(long)]
    platform: Option<String>,
    /// A setting to try, over those of the warehouse: NAME=VALUE.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

/// What a sample holds.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Holds {
    /// What left.
    Shipments,
    /// What is there.
    Stock,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give it as NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

/// Shows how a sample file would be read.
///
/// # Errors
/// When the file cannot be read, or as the operation.
pub(super) async fn preview(session: &Session, asked: Preview, printer: Printer) -> Result<(), Failure> {
    let unread = |why: String| Failure::invalid(format!("{} cannot be read: {why}", asked.file.display()), Vec::new());
    let size = std::fs::metadata(&asked.file).map_err(|error| unread(error.to_string()))?.len();
    if size > LARGEST {
        return Err(unread(format!("it has {size} bytes, and {LARGEST} are the most")));
    }
    let content = std::fs::read(&asked.file).map_err(|error| unread(error.to_string()))?;
    let given = PreviewIn {
        platform: asked.platform,
        settings: asked.settings.into_iter().collect::<BTreeMap<_, _>>(),
        of: asked.warehouse,
        holds: match asked.holds {
            Holds::Shipments => SampleHolds::Shipments,
            Holds::Stock => SampleHolds::Stock,
        },
        name: asked.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        content_base64: STANDARD.encode(content),
    };
    printer.answer(&layouts::preview(&session.hub, &session.caller, given).await?, text)
}

fn text(shown: &PreviewOut) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    if !shown.name_fits {
        let _ = writeln!(out, "Files of this name would be left alone: the settings name others.");
    }
    if !shown.titles.is_empty() {
        let _ = writeln!(out, "Columns: {}", clean(&shown.titles.join(" | ")));
    }
    for row in &shown.rows {
        let fields: Vec<String> = row.fields.iter().map(|(field, value)| format!("{field}={}", clean(value))).collect();
        let _ = writeln!(out, "{:>6}  {}", row.line, fields.join("  "));
        if let Some(problem) = &row.problem {
            let _ = writeln!(out, "     !  {}", clean(problem));
        }
    }
    if shown.more_rows > 0 {
        let _ = writeln!(out, "        and {} more rows", shown.more_rows);
    }
    for (heading, lines) in [("It would come to:", &shown.found), ("What is wrong:", &shown.problems)] {
        if !lines.is_empty() {
            let _ = writeln!(out, "{heading}");
        }
        for line in lines {
            let _ = writeln!(out, "  {}", clean(line));
        }
    }
    if shown.found.is_empty() {
        let _ = writeln!(out, "Nothing of the file would be used.");
    }
    let _ = writeln!(out, "An order would be written like this:");
    for line in shown.order.lines() {
        let _ = writeln!(out, "  {}", clean(line));
    }
    out
}
