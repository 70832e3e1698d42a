//! The installation itself, typed: setting up, testing, keys, exceptions, events, audit.

use std::{process::ExitCode, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::{
    NEEDS_PERSON, Session,
    args::{Audit, AuditCommand, Check, Events, Exceptions, KeyRole, Keys},
    figures,
    orders::more,
    people::query,
    print::{self, Printer, table, time, yes},
    x12,
};
use crate::{
    api,
    config::Config,
    operate::{
        EventOut, Failure, FailureKind, Role,
        activity::{self, AuditQuery},
        check::{self, CheckOut, EndpointCheckOut},
        documents,
        exceptions::{self, ExceptionsQuery},
        keys::{self, NewKeyIn, NewKeyOut, NewWarehouseKeyIn},
        setup, verification, wrapping_key,
    },
    worker::Seams,
};

/// Makes a new installation.
///
/// # Errors
/// When there is one already.
pub(super) async fn init(config: &Config, seams: &Seams, printer: Printer) -> Result<(), Failure> {
    let made = setup::init(config, seams).await?;
    printer.answer(&made, |made| {
        let key_file = made.key_file.as_deref().map_or_else(
            || "  wrapping key       in the environment (MILLRACE_KEY)".to_owned(),
            |path| format!("  wrapping key       {path}  (keep a copy elsewhere: without it no secret opens)"),
        );
        format!(
            "A new installation is ready.\n  database           {}\n{key_file}\n  tenant             {}\n  administrator key  \
             {}\n\nThe administrator key is shown this once. Next: write a configuration file, `millrace apply -f FILE`, then \
             `millrace serve`.",
            made.database, made.tenant, made.administrator_key
        )
    })
}

/// Prints the OpenAPI document.
///
/// # Errors
/// When it cannot be written.
pub(super) fn openapi() -> Result<(), Failure> {
    let text = api::document()
        .to_pretty_json()
        .map_err(|error| Failure::new(FailureKind::Internal, format!("the document cannot be written: {error}")))?;
    print::write(&text)
}

/// Tests everything.
///
/// # Errors
/// When the test itself cannot be made.
pub(super) async fn check(session: &Session, check: Check, printer: Printer) -> Result<ExitCode, Failure> {
    let bar = if printer.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} testing {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    let told =
        check::everything(&session.hub, &session.caller, check.connection.as_deref(), check.trust_host_key, |what| {
            bar.set_message(what.to_owned())
        })
        .await;
    bar.finish_and_clear();
    let told = told?;
    printer.answer(&told, checked)?;
    Ok(match (told.ok, told.credentials_refused()) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(super::exit_code(FailureKind::Credentials)),
        (false, false) => ExitCode::from(NEEDS_PERSON),
    })
}

fn checked(told: &CheckOut) -> String {
    let mut lines = vec![
        format!("database     {} ({} bytes)", told.database, told.bytes),
        format!("secrets      wrapped with key {}", told.key),
        format!("audit trail  {}", if told.audit { "as it was written" } else { "ALTERED" }),
    ];
    lines.extend(told.problems.iter().map(|problem| format!("problem      {problem}")));
    for connection in &told.connections {
        lines.push(format!(
            "\nconnection \"{}\": {}",
            connection.name,
            if connection.ok { "works" } else { "DOES NOT WORK" }
        ));
        lines.extend(endpoint(&connection.store));
        lines.extend(endpoint(&connection.warehouse));
        lines.extend(connection.problems.iter().map(|problem| format!("  problem: {problem}")));
    }
    for one in &told.unconnected {
        lines.push(String::new());
        lines.extend(endpoint(one));
    }
    print::clean(&lines.join("\n"))
}

pub(super) fn endpoint(told: &EndpointCheckOut) -> Vec<String> {
    let mut lines = vec![format!("  {} \"{}\" ({})", told.side.as_str(), told.name, told.platform)];
    lines.extend(told.reached.iter().map(|reached| format!("    ok: {reached}")));
    lines.extend(told.warnings.iter().map(|warning| format!("    note: {warning}")));
    lines.extend(
        told.learned
            .iter()
            .map(|(field, value)| format!("    {field} = {value}{}", if told.kept { " (kept)" } else { "" })),
    );
    lines.extend(told.problem.iter().map(|problem| format!("    PROBLEM: {problem}")));
    lines
}

/// Runs one of the commands on exceptions.
///
/// # Errors
/// As the operation.
pub(super) async fn exceptions(session: &Session, command: Exceptions, printer: Printer) -> Result<(), Failure> {
    match command {
        Exceptions::List { connection, all, paging } => {
            let query = ExceptionsQuery { connection, all, limit: Some(paging.limit), cursor: paging.cursor };
            let page = exceptions::list(&session.hub, &session.caller, query).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|one| {
                    [
                        one.id.clone(),
                        one.kind.clone(),
                        one.subject.clone(),
                        time(Some(one.at)),
                        yes(one.resolved_at.is_some()),
                        one.reason.clone(),
                    ]
                });
                more(table(["ID", "KIND", "ABOUT", "AT", "DEALT WITH", "WHAT"], rows), page.next.as_deref())
            })
        }
        Exceptions::Groups { connection } => figures::groups(session, connection, printer).await,
        Exceptions::Retry { group } => figures::retry(session, &group, printer).await,
        Exceptions::Document { exception } => {
            let shown = documents::of_exception(&session.hub, &session.caller, &exception).await?;
            printer.answer(&shown.segments, |segments| x12::text(segments))
        }
        Exceptions::Content { exception } => {
            let content = documents::content(&session.hub, &session.caller, &exception).await?;
            printer.answer(&content, |content| print::clean(&content.text.replace("\r\n", "\n")))
        }
        Exceptions::Resolve { exception } => {
            exceptions::resolve(&session.hub, &session.caller, &exception).await?;
            printer.answer(&serde_json::json!({ "resolved": exception }), |_| "Marked as dealt with.".to_owned())
        }
    }
}

/// Shows what changed, once or as it comes.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn events(
    session: &Session,
    asked: Events,
    printer: Printer,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let db = &session.hub.db;
    let mut changes = db.changes();
    let mut after = match &asked.after {
        Some(id) => db.event_number(&session.caller.access(), id).await?,
        None if asked.follow => db.last_event().await?,
        None => 0,
    };
    loop {
        let (events, reached) = activity::events(&session.hub, &session.caller, after, asked.limit).await?;
        after = reached;
        if !asked.follow {
            return printer
                .answer(&events, |events| table(["ID", "AT", "WHAT", "SUBJECT", "CHANGE"], events.iter().map(row)));
        }
        for event in &events {
            if printer.json {
                print::write(&serde_json::to_string(event).unwrap_or_default())?;
            } else {
                print::write(&print::clean(&row(event).join("  ")))?;
            }
        }
        if !events.is_empty() {
            continue;
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            () = changes.any() => {}
            // Another process writes the database as well, and does not wake this one.
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

fn row(event: &EventOut) -> [String; 5] {
    [event.id.clone(), time(Some(event.at)), event.what.clone(), event.subject.clone(), event.change.clone()]
}

/// Shows who did what.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn audit(session: &Session, asked: Audit, printer: Printer) -> Result<ExitCode, Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    if let Some(AuditCommand::Verify) = asked.command {
        let told = verification::verify(hub, caller).await?;
        printer.answer(&told, |told| {
            let rows = told.trails.iter().map(|trail| {
                let state = match trail.altered {
                    None => "as it was written".to_owned(),
                    Some(number) => format!("ROW {number} IS NOT AS IT WAS WRITTEN"),
                };
                [trail.of.clone(), trail.rows.to_string(), state, trail.head.clone()]
            });
            table(["TRAIL OF", "ROWS", "STATE", "HASH OF THE LAST GOOD ROW"], rows)
        })?;
        return Ok(if told.whole { ExitCode::SUCCESS } else { ExitCode::from(NEEDS_PERSON) });
    }
    let Audit { actor, action, target, from, to, paging, .. } = asked;
    let query = AuditQuery { actor, action, target, from, to, limit: Some(paging.limit), cursor: paging.cursor };
    let page = activity::audit(hub, caller, query).await?;
    printer.answer(&page, |page| {
        let rows = page.items.iter().map(|row| {
            [row.number.to_string(), time(Some(row.at)), row.actor.clone(), row.action.clone(), row.target.clone()]
        });
        more(table(["NUMBER", "AT", "WHO", "WHAT", "ON"], rows), page.next.as_deref())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Runs one of the commands on keys.
///
/// # Errors
/// As the operation.
fn shown(made: &NewKeyOut) -> String {
    format!("{}\n{}\nIt is shown this once.", made.id, made.key)
}

pub(super) async fn keys(session: &Session, command: Keys, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Keys::List { paging } => {
            let page = keys::list(hub, caller, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|key| {
                    let state = if key.revoked_at.is_some() { "revoked" } else { "valid" };
                    [
                        key.id.clone(),
                        key.name.clone(),
                        key.role.clone(),
                        if key.scopes.is_empty() { "all".to_owned() } else { key.scopes.join(" ") },
                        key.merchant.clone().unwrap_or_else(|| "all".to_owned()),
                        time(key.expires_at),
                        time(key.last_used_at),
                        state.to_owned(),
                    ]
                });
                let head = ["ID", "NAME", "ROLE", "SCOPES", "MERCHANT", "ENDS", "LAST USED", ""];
                more(table(head, rows), page.next.as_deref())
            })
        }
        Keys::Create { name, warehouse: Some(warehouse), days, .. } => {
            let given = NewWarehouseKeyIn { name, days };
            let made = keys::create_for_warehouse(hub, caller, &warehouse, given).await?;
            printer.answer(&made, shown)
        }
        Keys::Create { name, role, scopes, merchant, warehouse: None, days } => {
            let role = match role {
                KeyRole::Admin => Role::Admin,
                KeyRole::Staff => Role::Staff,
                KeyRole::Read => Role::Read,
            };
            let made = keys::create(hub, caller, NewKeyIn { name, role, scopes, merchant, days }).await?;
            printer.answer(&made, shown)
        }
        Keys::Revoke { key } => {
            keys::revoke(hub, caller, &key).await?;
            printer.answer(&serde_json::json!({ "revoked": key }), |_| "Revoked; it ends at once.".to_owned())
        }
        Keys::Wrapping => {
            let key = wrapping_key::show(hub, caller).await?;
            printer.answer(&key, |key| {
                let place = key.key_file.as_deref().unwrap_or("the environment");
                let mut words = format!("{} in {place}\nIt wraps {} data keys", key.key, key.wraps);
                if key.left > 0 {
                    words += &format!("; {} more are wrapped by an older key, whose line must stay", key.left);
                }
                words
                    + &format!(
                        ".\nReplaced: {}",
                        key.rotated_at.map_or_else(|| "never".to_owned(), |at| time(Some(at)))
                    )
            })
        }
        Keys::Rotate => {
            let done = wrapping_key::rotate(hub, caller).await?;
            printer.answer(&done, |done| {
                format!(
                    "{} data keys are wrapped with the new key {} in {}.\n{}",
                    done.wrapped, done.key, done.key_file, done.next
                )
            })
        }
    }
}
