//! Pre-flights, typed.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use tokio_util::sync::CancellationToken;

use super::{
    NEEDS_PERSON, Session,
    args::Preflight,
    orders::more,
    print::{self, Printer, table, time},
};
use crate::operate::{
    Failure, PagingQuery,
    preflight::{self, CauseOut, PreflightDetailOut, PreflightIn, PreflightOut},
};

/// Carries a pre-flight out, or shows, lists or ends one.
///
/// # Errors
/// As the operation.
pub(super) async fn run(
    session: &Session,
    command: Preflight,
    printer: Printer,
    stop: &CancellationToken,
) -> Result<ExitCode, Failure> {
    let (hub, caller, named) = (&session.hub, &session.caller, command.connection.as_str());
    if command.list {
        let page = preflight::list(hub, caller, named, &PagingQuery { limit: Some(100), cursor: None }).await?;
        printer.answer(&page, |page| more(list(&page.items), page.next.as_deref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = if let Some(id) = &command.cancel {
        preflight::cancel(hub, caller, named, id).await?
    } else if let Some(id) = &command.run {
        preflight::show(hub, caller, named, id).await?
    } else {
        let mut said = (None, 0);
        let progress = |run: &PreflightOut| {
            if (run.total, run.orders) != said {
                said = (run.total, run.orders);
                say(run);
            }
        };
        preflight::take(hub, caller, named, PreflightIn { days: command.days }, stop, progress).await?
    };
    printer.answer(&shown, text)?;
    Ok(if shown.run.stuck > 0 { ExitCode::from(NEEDS_PERSON) } else { ExitCode::SUCCESS })
}

/// How far it has come, for whoever sits in front of it.
fn say(run: &PreflightOut) {
    if io::stderr().is_terminal()
        && let Some(total) = run.total
    {
        // Nobody reads it: the answer still comes.
        let _ = writeln!(io::stderr(), "{} of {total} orders looked at", run.orders);
    }
}

fn text(shown: &PreflightDetailOut) -> String {
    let run = &shown.run;
    let mut parts = vec![head(run)];
    if let Some(problem) = &run.problem {
        parts.push(problem.clone());
    }
    let (left_out, stuck): (Vec<&CauseOut>, Vec<&CauseOut>) = shown.causes.iter().partition(|cause| cause.left_out);
    if !stuck.is_empty() {
        parts.push(format!("Would have stood still\n{}", groups(&stuck)));
        let mut remedies: Vec<String> =
            stuck.iter().map(|cause| format!("{}: {}", cause.kind.replace('_', " "), cause.remedy)).collect();
        remedies.dedup();
        parts.push(remedies.join("\n"));
    }
    if !left_out.is_empty() {
        parts.push(format!("Left out on purpose\n{}", groups(&left_out)));
    }
    if let Some(before) = &shown.before {
        let mut lines = vec![format!(
            "The run before ({}, {} days): {} of {} would have gone, {} would have stood still{}",
            before.id,
            before.days,
            before.through,
            before.orders,
            before.stuck,
            percent(before.stuck_per_mille)
        )];
        lines.extend(
            before.mended.iter().map(|one| format!("mended: {} {} ({} orders)", one.kind, one.subject, one.orders)),
        );
        parts.push(lines.join("\n"));
    }
    print::clean(&parts.join("\n\n"))
}

fn head(run: &PreflightOut) -> String {
    format!(
        "{} {}: {} orders since {}\n{} would have gone, {} would have stood still{}, {} left out on purpose",
        run.id,
        run.state,
        run.orders,
        time(Some(run.since)),
        run.through,
        run.stuck,
        percent(run.stuck_per_mille),
        run.left_out
    )
}

/// Of those that were meant to go.
fn percent(per_mille: Option<u64>) -> String {
    per_mille.map(|share| format!(" ({}.{} %)", share / 10, share % 10)).unwrap_or_default()
}

fn groups(causes: &[&CauseOut]) -> String {
    table(
        ["WHY", "WHAT", "ORDERS", "BEFORE", "SUCH AS"],
        causes.iter().map(|cause| {
            let examples: Vec<String> = cause.examples.iter().map(i64::to_string).collect();
            [
                cause.kind.replace('_', " "),
                cause.subject.clone(),
                cause.orders.to_string(),
                cause.before.map(|before| before.to_string()).unwrap_or_default(),
                examples.join(", "),
            ]
        }),
    )
}

fn list(runs: &[PreflightOut]) -> String {
    table(
        ["ID", "STATE", "DAYS", "ASKED FOR", "ORDERS", "GO", "STAND STILL", "LEFT OUT"],
        runs.iter().map(|run| {
            [
                run.id.clone(),
                run.state.clone(),
                run.days.to_string(),
                time(Some(run.wanted_at)),
                run.orders.to_string(),
                run.through.to_string(),
                format!("{}{}", run.stuck, percent(run.stuck_per_mille)),
                run.left_out.to_string(),
            ]
        }),
    )
}
