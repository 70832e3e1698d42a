//! Stock, typed.

use super::{
    Session,
    args::{Drift, Stock},
    orders::more,
    print::{self, Printer, table, time},
};
use crate::operate::{
    Failure, PagingQuery,
    drift::{DriftQuery, drift as operate_drift},
    stock::{self, LevelsQuery, RunOut, WholeRunOut},
    switches,
    undo::{self, HoldOut, StockReleaseIn, UndoIn, UndoOut},
};

/// Runs one of the commands.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Stock, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Stock::Runs { connection, paging } => {
            let query = PagingQuery { limit: Some(paging.limit), cursor: paging.cursor };
            let page = stock::runs(hub, caller, &connection, &query).await?;
            printer.answer(&page, |page| more(runs(&page.items), page.next.as_deref()))
        }
        Stock::Show(one) => printer.answer(&stock::whole(hub, caller, &one.run).await?, detail),
        Stock::Approve { run, sku } => {
            stock::approve(hub, caller, &run, &sku.into_iter().collect()).await?;
            printer.answer(&stock::whole(hub, caller, &run).await?, detail)
        }
        Stock::Undo { run, reason, sku, dry_run } => {
            let given = UndoIn { reason: reason.unwrap_or_default(), skus: sku.into_iter().collect() };
            printer.answer(&undo::undo(hub, caller, &run, &given, dry_run).await?, undone)
        }
        Stock::Holds(one) => printer.answer(&undo::all_holds(hub, caller, &one.connection).await?, |held| holds(held)),
        Stock::Release { connection, sku, all } => {
            let given = StockReleaseIn { skus: sku.into_iter().collect(), all };
            let released = undo::release(hub, caller, &connection, &given).await?;
            printer.answer(&released, |released| {
                format!("{}\n\nReleased. The next count writes their stock.", holds(released))
            })
        }
        Stock::Drop(one) => {
            stock::turn_down(hub, caller, &one.run).await?;
            printer.answer(&stock::whole(hub, caller, &one.run).await?, detail)
        }
        Stock::Levels { connection, text, paging } => {
            let query = LevelsQuery { text, limit: Some(paging.limit), cursor: paging.cursor };
            let page = stock::levels(hub, caller, &connection, query).await?;
            printer.answer(&page, |page| {
                let figure = |figure: Option<rust_decimal::Decimal>| {
                    figure.map(|figure| figure.normalize().to_string()).unwrap_or_default()
                };
                let rows = page.items.iter().map(|level| {
                    [
                        level.sku.clone(),
                        level.facility.clone(),
                        figure(level.available),
                        figure(level.physical),
                        time(Some(level.cut_off)),
                        level.feed.clone(),
                    ]
                });
                more(table(["SKU", "FACILITY", "AVAILABLE", "PHYSICAL", "AS OF", "FEED"], rows), page.next.as_deref())
            })
        }
        Stock::Run(one) => {
            switches::run_now(hub, caller, &one.connection, "stock").await?;
            printer.answer(&serde_json::json!({ "wanted": true }), |_| {
                "A run is asked for; a running server takes it up within seconds.".to_owned()
            })
        }
    }
}

/// Where both sides differ.
///
/// # Errors
/// As the operation.
pub(super) async fn drift(session: &Session, asked: Drift, printer: Printer) -> Result<(), Failure> {
    let query = DriftQuery { sku: asked.sku, all: asked.all, limit: Some(asked.limit), cursor: asked.cursor };
    let found = operate_drift(&session.hub, &session.caller, &asked.connection, &query).await?;
    printer.answer(&found, |found| {
        let rows = found.lines.iter().map(|line| {
            // What was not read matters where something is left to explain.
            let part = |(name, units): (&String, &Option<rust_decimal::Decimal>)| match units {
                Some(units) => Some(format!("{name} {:+}", units.normalize())),
                None => (!line.unexplained.is_zero()).then(|| format!("{name} not read")),
            };
            let parts: Vec<String> = line.parts.iter().filter_map(part).collect();
            [
                line.skus.join(", "),
                line.product.map(|product| product.to_string()).unwrap_or_default(),
                line.counted.normalize().to_string(),
                line.brightpearl.normalize().to_string(),
                format!("{:+}", line.difference.normalize()),
                format!("{:+}", line.unexplained.normalize()),
                parts.join(", "),
                line.age_minutes.map(|age| age.to_string()).unwrap_or_default(),
                line.notes.join("; "),
            ]
        });
        let headings =
            ["SKU", "PRODUCT", "COUNTED", "BRIGHTPEARL", "DIFFERENCE", "UNEXPLAINED", "PARTS", "AGE (MIN)", "NOTES"];
        let mut parts = vec![found.headline.clone(), table(headings, rows)];
        parts.extend(found.notes.iter().map(|note| format!("Note: {note}.")));
        more(print::clean(&parts.join("\n\n")), found.next.as_deref())
    })
}

fn undone(undone: &UndoOut) -> String {
    let rows = undone.lines.iter().map(|line| {
        [
            line.skus.join(", "),
            line.product.to_string(),
            line.warehouse.to_string(),
            format!("{:+}", line.changed_by.normalize()),
            line.undo_by.map(|back| format!("{:+}", back.normalize())).unwrap_or_default(),
            line.brightpearl_on_hand.normalize().to_string(),
            line.undo_effect.clone().unwrap_or_default(),
            line.reason.clone(),
        ]
    });
    let headings = ["SKU", "PRODUCT", "WAREHOUSE", "CHANGED BY", "UNDO BY", "ON HAND", "EFFECT", "STAYS BECAUSE"];
    print::clean(&format!("{}\n\n{}.", table(headings, rows), undone.told))
}

fn holds(held: &[HoldOut]) -> String {
    table(
        ["SKU", "PRODUCT", "WAREHOUSE", "SINCE", "WHY"],
        held.iter().map(|hold| {
            [
                hold.sku.clone(),
                hold.product.to_string(),
                hold.warehouse.to_string(),
                time(Some(hold.at)),
                hold.reason.clone(),
            ]
        }),
    )
}

fn runs(runs: &[RunOut]) -> String {
    table(
        ["ID", "FEED", "AS OF", "STATE", "SKUS", "COMPARED", "CHANGES", "WHY"],
        runs.iter().map(|run| {
            [
                run.id.clone(),
                run.feed.clone(),
                time(Some(run.cut_off)),
                run.state.clone(),
                run.skus.to_string(),
                run.compared.to_string(),
                run.changed.to_string(),
                run.reason.clone(),
            ]
        }),
    )
}

fn detail(shown: &WholeRunOut) -> String {
    let run = &shown.detail.run;
    let mut parts = vec![runs(std::slice::from_ref(run))];
    let rows = shown.lines.iter().map(|line| {
        let parts: Vec<String> =
            line.parts.iter().map(|(name, value)| format!("{name} {}", value.normalize())).collect();
        [
            line.skus.join(", "),
            line.product.to_string(),
            line.warehouse.to_string(),
            line.figure.normalize().to_string(),
            line.brightpearl.normalize().to_string(),
            line.difference.normalize().to_string(),
            line.verdict.clone(),
            parts.join(", "),
            match (&line.effect_state, &line.undone_by) {
                (_, Some(by)) => format!("undone by {by}"),
                (Some(state), None) => state.clone(),
                (None, None) => String::new(),
            },
            line.reason.clone(),
        ]
    });
    parts.push(table(
        ["SKU", "PRODUCT", "WAREHOUSE", "COUNTED", "BRIGHTPEARL", "DIFFERENCE", "VERDICT", "FROM", "CORRECTION", "WHY"],
        rows,
    ));
    if run.state == "waiting" {
        parts.push(format!("It waits for you: millrace stock approve {0}, or millrace stock drop {0}", run.id));
    }
    print::clean(&parts.join("\n\n"))
}
