//! What needs somebody, by its cause; one look at everything; everything as CSV: typed.

use std::{path::PathBuf, pin::pin, sync::Arc};

use clap::Args;
use futures_util::TryStreamExt as _;

use super::{
    Session,
    print::{self, NewFile, Printer, table, time},
};
use crate::operate::{
    Failure,
    exports::{self, ExportKind, ExportQuery},
    groups::{self, GroupOut},
    overview::{self, OverviewOut},
};

/// What to write out.
#[derive(Debug, Args)]
pub struct Exports {
    /// Of what.
    #[arg(value_enum)]
    kind: ExportKind,
    /// Only of this connection (name or id), where what is exported is of one; drift is of the one that is named.
    #[arg(long)]
    connection: Option<String>,
    /// File to write; it must not exist. Without, standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Writes everything of one kind as CSV, piece by piece.
///
/// # Errors
/// As the operation, or when it cannot be written.
pub(super) async fn export(session: &Session, asked: Exports) -> Result<(), Failure> {
    let query = ExportQuery { connection: asked.connection, ..ExportQuery::default() };
    let pieces = exports::export(Arc::clone(&session.hub), session.caller.clone(), asked.kind, query).await?;
    let mut pieces = pin!(pieces);
    let Some(path) = asked.to else {
        while let Some(piece) = pieces.try_next().await? {
            // A piece ends with a line end, and an empty one is no line.
            if !piece.is_empty() {
                print::write(&piece)?;
            }
        }
        return Ok(());
    };
    let mut file = NewFile::at(&path)?;
    while let Some(piece) = pieces.try_next().await? {
        file.write(piece.as_bytes())?;
    }
    file.end()
}

/// Shows what needs somebody, by its cause.
///
/// # Errors
/// As the operation.
pub(super) async fn groups(session: &Session, connection: Option<String>, printer: Printer) -> Result<(), Failure> {
    let found = groups::all(&session.hub, &session.caller, connection.as_deref()).await?;
    printer.answer(&found, |found: &Vec<GroupOut>| {
        let rows = found.iter().map(|group| {
            [
                group.id.clone(),
                group.kind.clone(),
                group.count.to_string(),
                time(Some(group.first_at)),
                print::yes(group.can_retry),
                group.cause.clone(),
                group.remedy.clone(),
            ]
        });
        table(["ID", "KIND", "HOW MANY", "SINCE", "RETRIES", "CAUSE", "WHAT TO DO"], rows)
    })
}

/// Retries everything of one cause.
///
/// # Errors
/// As the operation.
pub(super) async fn retry(session: &Session, group: &str, printer: Printer) -> Result<(), Failure> {
    let told = groups::retry(&session.hub, &session.caller, group).await?;
    printer.answer(&told, |told| {
        let mut lines = vec![format!("{} retried, {} left.", told.retried, told.left)];
        lines.extend(told.failed.iter().map(|one| format!("{}: {}", one.id, print::clean(&one.why))));
        lines.join("\n")
    })
}

/// Shows the figures of the first page.
///
/// # Errors
/// As the operation.
pub(super) async fn overview(session: &Session, printer: Printer) -> Result<(), Failure> {
    printer.answer(&overview::show(&session.hub, &session.caller).await?, shown)
}

fn shown(told: &OverviewOut) -> String {
    let flowed = |pick: fn(&overview::HourOut) -> i64| told.hours.iter().map(pick).sum::<i64>();
    let needs = &told.needs;
    let mut lines = vec![
        format!("last 24 hours   {} orders, {} shipments", flowed(|hour| hour.orders), flowed(|hour| hour.shipments)),
        format!(
            "needs somebody  {} orders in error, {} held, {} exceptions, {} changes, {} stock runs, {} findings, {} issues",
            needs.orders_in_error,
            needs.orders_held,
            needs.exceptions,
            needs.changes,
            needs.stock_runs,
            needs.findings,
            needs.issues
        ),
    ];
    let census = match (told.unaccounted, told.census_at) {
        (Some(unaccounted), at) => format!("unaccounted     {unaccounted} (by the census of {})", time(at)),
        (None, _) => "unaccounted     no census yet".to_owned(),
    };
    lines.push(census);
    for hop in &told.latency {
        let figure = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        lines.push(format!("{}: {}, p50 {}, p99 {}", hop.hop, hop.count, figure(hop.p50_ms), figure(hop.p99_ms)));
    }
    lines.push(table(["STATE", "ORDERS"], told.states.iter().map(|(state, count)| [state.clone(), count.to_string()])));
    lines.join("\n")
}
