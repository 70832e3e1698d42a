//! The census and the doctor, typed.

use std::process::ExitCode;

use super::{
    NEEDS_PERSON, Session,
    args::{Census, Doctor},
    orders::more,
    print::{self, Printer, table, time},
};
use crate::operate::{
    Failure, ReasonIn,
    census::{self, CensusIn, CensusOut},
    findings::{self, FindingOut, FindingsQuery},
};

/// Shows the census, or takes one first.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Census, printer: Printer) -> Result<ExitCode, Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    let shown = if command.now || command.full {
        census::take(hub, caller, &command.connection, CensusIn { full: command.full }).await?
    } else {
        census::show(hub, caller, &command.connection).await?
    };
    printer.answer(&shown, text)?;
    Ok(match shown.unaccounted {
        Some(count) if count > 0 => ExitCode::from(NEEDS_PERSON),
        _ => ExitCode::SUCCESS,
    })
}

/// Shows findings about goods-out notes, or has one repaired.
///
/// # Errors
/// As the operation.
pub(super) async fn doctor(session: &Session, command: Doctor, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Doctor::List { connection, everything, all, paging } => {
            let query = FindingsQuery {
                connection,
                notes: !everything,
                all,
                limit: Some(paging.limit),
                cursor: paging.cursor,
                ..FindingsQuery::default()
            };
            let page = findings::list(hub, caller, query).await?;
            printer.answer(&page, |page| more(list(&page.items), page.next.as_deref()))
        }
        Doctor::Show { finding } => printer.answer(&findings::show(hub, caller, &finding).await?, one),
        Doctor::Repair { finding, reason } => {
            printer.answer(&findings::repair(hub, caller, &finding, &ReasonIn { reason }).await?, one)
        }
    }
}

fn text(census: &CensusOut) -> String {
    let mut parts = Vec::new();
    match (census.unaccounted, &census.report) {
        (Some(count), Some(report)) => {
            parts.push(format!(
                "unaccounted: {count}\n\n{} looked at, {} census of {}",
                report.counted,
                report.extent,
                time(Some(report.from))
            ));
            let rows = report.buckets.iter().filter(|bucket| bucket.count > 0).map(|bucket| {
                let reasons: Vec<String> = bucket
                    .reasons
                    .iter()
                    .take(3)
                    .map(|reason| format!("{} × {}", reason.count, reason.why))
                    .collect();
                [bucket.bucket.replace('_', " "), bucket.count.to_string(), reasons.join("; ")]
            });
            parts.push(table(["WHERE", "HOW MANY", "WHY"], rows));
            if !report.lost.is_empty() {
                let rows = report.lost.iter().map(|lost| {
                    let note = lost.note.map(|note| note.to_string()).unwrap_or_default();
                    [lost.order.to_string(), note, lost.why.clone()]
                });
                parts.push(format!("Unaccounted\n{}", table(["ORDER", "NOTE", "WHY"], rows)));
            }
            if let Some(why) = &report.warehouse_not_asked {
                parts.push(format!("The warehouse's own word is missing: {why}"));
            }
            for why in &report.unchecked {
                parts.push(format!("Not looked for: {why}"));
            }
        }
        _ => parts.push(
            "No census has been taken yet. The first comes 15 minutes after the connection began to run; --now takes one."
                .to_owned(),
        ),
    }
    for run in &census.runs {
        if let Some(problem) = &run.problem {
            parts.push(format!("The last {} census failed: {problem}", run.extent));
        }
    }
    if !census.findings.is_empty() {
        parts.push(format!("Findings\n{}", list(&census.findings)));
        parts.push("Repair one as it proposes: millrace doctor repair ID --reason TEXT".to_owned());
    }
    print::clean(&parts.join("\n\n"))
}

fn list(found: &[FindingOut]) -> String {
    table(
        ["ID", "KIND", "SINCE", "WHAT", "REPAIR"],
        found.iter().map(|finding| {
            [
                finding.id.clone(),
                finding.kind.clone(),
                time(Some(finding.first_at)),
                finding.what.clone(),
                finding.repair.clone(),
            ]
        }),
    )
}

fn one(finding: &FindingOut) -> String {
    let mut lines = vec![
        format!("{}: {}", finding.kind.replace('_', " "), finding.what),
        finding.matters.clone(),
        format!("Repair ({}): {}", finding.repair, finding.does),
        format!("Seen from {} to {}", time(Some(finding.first_at)), time(Some(finding.last_at))),
    ];
    if let (Some(by), Some(reason)) = (&finding.repaired_by, &finding.repair_reason) {
        lines.push(format!("Repaired by {by} at {}: {reason}", time(finding.repaired_at)));
    }
    if let Some(effect) = &finding.effect {
        lines.push(format!("It is carried out as {effect}; see: millrace effects show {effect}"));
    }
    if finding.resolved_at.is_some() {
        lines.push(format!("Gone since {}", time(finding.resolved_at)));
    }
    print::clean(&lines.join("\n"))
}
