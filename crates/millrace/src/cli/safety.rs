//! Backups, and whether anything is sent, typed.

use std::{process::ExitCode, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::{
    NEEDS_PERSON, Session, actor,
    args::{Backup, Recover, Release, Restore, WithReason},
    print::{Printer, table, time},
};
use crate::{
    config::Config,
    operate::{
        Failure, FailureKind, PagingQuery, backup, backups,
        safety::{self, LookOut, RecoverIn, RecoveryOut, ReleaseIn, SafetyOut},
    },
    worker::Seams,
};

/// Longest wait for a recovery. What cannot be looked up for so long needs a person anyhow.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// Looks, a second apart, that must find nothing left to look up.
const QUIET_LOOKS: u32 = 3;

fn spinner(printer: Printer) -> ProgressBar {
    let bar = if printer.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Takes a backup.
///
/// # Errors
/// As the operation.
pub(super) async fn backup(session: &Session, options: Backup, printer: Printer) -> Result<(), Failure> {
    if options.list {
        let page = backups::list(&session.hub, &session.caller, &PagingQuery { limit: Some(500), cursor: None })?;
        return printer.answer(&page, |page| {
            let rows = page
                .items
                .iter()
                .map(|one| [one.id.clone(), time(Some(one.taken_at)), one.bytes.to_string(), one.file.clone()]);
            table(["ID", "TAKEN", "BYTES", "FILE"], rows)
        });
    }
    if options.keep {
        let bar = spinner(printer);
        bar.set_message("copying");
        let taken = backups::take(&session.hub, &session.caller).await;
        bar.finish_and_clear();
        return printer.answer(&taken?, |taken| format!("{}\n{} ({} bytes)", taken.id, taken.file, taken.bytes));
    }
    let Some(to) = options.to else {
        backup::record(&session.hub, &session.caller).await?;
        return printer.answer(&serde_json::json!({ "recorded": true }), |_| "Noted.".to_owned());
    };
    let to = std::path::absolute(&to)
        .map_err(|error| Failure::new(FailureKind::Setup, format!("{}: {error}", to.display())))?;
    let bar = spinner(printer);
    let progress = |done: u64, whole: u64| bar.set_message(format!("copying: {} of {} KiB", done / 1024, whole / 1024));
    let taken = backup::take(&session.hub, &session.caller, &to, progress).await;
    bar.finish_and_clear();
    printer.answer(&taken?, |taken| {
        format!(
            "{} holds everything as of {} ({} KiB).\nSecrets in it are sealed, and the key that opens them is not: keep a copy of {} \
             elsewhere, never beside the backup. Addresses and orders in it are readable: keep it where only you can read it.",
            taken.file,
            taken.taken_at,
            taken.bytes / 1024,
            taken.key_file
        )
    })
}

/// Puts a backup back.
///
/// # Errors
/// As the operation.
pub(super) async fn restore(config: &Config, seams: &Seams, given: &Restore, printer: Printer) -> Result<(), Failure> {
    let bar = spinner(printer);
    let done = backup::restore(config, seams, &given.file, given.replace, &actor(), |what| {
        bar.set_message(what.to_owned());
    })
    .await;
    bar.finish_and_clear();
    printer.answer(&done?, |done| {
        let mut lines = vec![format!("{} is as it was at {}, and sends nothing.", done.file, done.taken_at)];
        lines.extend(done.set_aside.iter().map(|path| format!("What was there is now {path}.")));
        if done.lost > 0 {
            lines.push(format!("{} changes had been sent since then, as far as is known here.", done.lost));
        }
        if !done.missing_keys.is_empty() {
            lines.push(format!(
                "WARNING: its secrets are sealed with the key {}, which this installation does not have.",
                done.missing_keys.join(", ")
            ));
        }
        lines.push(done.next.clone());
        lines.join("\n")
    })
}

/// Shows the state of sending.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn show(session: &Session, printer: Printer) -> Result<ExitCode, Failure> {
    let state = safety::show(&session.hub, &session.caller).await?;
    printer.answer(&state, text)?;
    Ok(if state.frozen { ExitCode::from(NEEDS_PERSON) } else { ExitCode::SUCCESS })
}

/// Stops sending.
///
/// # Errors
/// As the operation.
pub(super) async fn freeze(session: &Session, given: WithReason, printer: Printer) -> Result<(), Failure> {
    printer.answer(&safety::freeze(&session.hub, &session.caller, &given.reason).await?, text)
}

/// Begins a recovery, and waits for its end where that is wanted.
///
/// # Errors
/// As the operation, and when it takes too long.
pub(super) async fn recover(
    session: &Session,
    given: Recover,
    printer: Printer,
    shutdown: CancellationToken,
) -> Result<ExitCode, Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    let mut state = safety::recover(hub, caller, &RecoverIn { since: given.since }).await?;
    if given.wait {
        let bar = spinner(printer);
        let began = std::time::Instant::now();
        // What is found leads to a next step, which is looked up as well: it is over when nothing comes any more.
        let mut quiet = 0;
        while let Some(recovery) = state.recovery.as_ref() {
            quiet = if recovery.is_answered() { quiet + 1 } else { 0 };
            if quiet > QUIET_LOOKS {
                break;
            }
            bar.set_message(format!(
                "{} to look up, {} found, {} not there",
                recovery.open, recovery.confirmed, recovery.absent
            ));
            if began.elapsed() > LONGEST {
                return Err(Failure::new(FailureKind::NeedsPerson, "it is not all looked up yet").remedy(
                    "See that `millrace serve` runs and reaches both sides; `millrace safety` shows what is left.",
                ));
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            state = safety::show(hub, caller).await?;
        }
        bar.finish_and_clear();
    }
    printer.answer(&state, text)?;
    Ok(ExitCode::SUCCESS)
}

/// Lets sending go on.
///
/// # Errors
/// As the operation.
pub(super) async fn release(session: &Session, given: Release, printer: Printer) -> Result<(), Failure> {
    let given = ReleaseIn { reason: given.reason, force: given.force };
    printer.answer(&safety::release(&session.hub, &session.caller, &given).await?, text)
}

fn text(state: &SafetyOut) -> String {
    let mut lines = Vec::new();
    if state.frozen {
        lines.push(format!(
            "NOTHING IS SENT: {} since {}.\n  {}",
            state.kind.as_deref().unwrap_or("stopped"),
            time(state.since),
            state.reason.as_deref().unwrap_or_default()
        ));
    } else {
        lines.push("Sending is allowed.".to_owned());
    }
    lines.push(format!(
        "Last backup: {}.",
        state.backed_up_at.map_or_else(|| "none that Millrace knows of".to_owned(), |at| time(Some(at)))
    ));
    if let Some(recovery) = &state.recovery {
        lines.extend(recovery_text(recovery));
    }
    lines.extend(state.next.iter().map(|next| format!("Next: {next}")));
    lines.join("\n")
}

fn recovery_text(recovery: &RecoveryOut) -> Vec<String> {
    let mut lines = vec![format!(
        "Recovery of {} to {}, by {}{}:\n  {} to look up, {} found, {} not there, {} in conflict, {} that cannot be asked",
        time(Some(recovery.since)),
        time(Some(recovery.until)),
        recovery.by,
        recovery.released_at.map(|at| format!(", released {}", time(Some(at)))).unwrap_or_default(),
        recovery.open,
        recovery.confirmed,
        recovery.absent,
        recovery.conflicts,
        recovery.cannot_ask
    )];
    for connection in &recovery.connections {
        let failed = connection.report.as_ref().and_then(|report| report["failed"].as_str());
        let how = match (connection.read_at, connection.enabled, failed) {
            (Some(at), ..) => format!("read again {}", time(Some(at))),
            (None, true, None) => "not read again yet".to_owned(),
            (None, true, Some(why)) => format!("not read again yet, and tried again: {why}"),
            (None, false, _) => "switched off: read again when it is switched on".to_owned(),
        };
        lines.push(format!("  {}: {how}", connection.name));
        for list in ["not_there", "to_compare", "unclear", "forgotten"] {
            let entries =
                connection.report.as_ref().and_then(|report| report[list].as_array().cloned()).unwrap_or_default();
            let what = match list {
                "not_there" => "stands at a status that the hub sets, and the warehouse does not have it",
                "to_compare" => "compare with the warehouse",
                "forgotten" => "the warehouse has it, and nothing here asked for it when it was looked for",
                _ => "cannot be worked out",
            };
            lines.extend(entries.iter().filter_map(|entry| entry.as_str()).map(|entry| format!("    {what}: {entry}")));
        }
    }
    let shown = |one: &LookOut| format!("  {} {}: {} ({})", one.look, one.id, one.title, one.note);
    lines.extend(recovery.needing_a_person.iter().filter(|one| one.look != "open").map(shown));
    lines
}
