//! Stock, typed.

use super::{
    Session,
    args::Stock,
    orders::more,
    print::{self, Printer, table, time},
};
use crate::operate::{
    Failure, PagingQuery,
    stock::{self, LevelsQuery, RunDetailOut, RunOut},
    switches,
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
        Stock::Show(one) => printer.answer(&stock::show(hub, caller, &one.run).await?, detail),
        Stock::Approve(one) => printer.answer(&stock::approve(hub, caller, &one.run).await?, detail),
        Stock::Drop(one) => printer.answer(&stock::turn_down(hub, caller, &one.run).await?, detail),
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

fn detail(shown: &RunDetailOut) -> String {
    let mut parts = vec![runs(std::slice::from_ref(&shown.run))];
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
            line.reason.clone(),
        ]
    });
    parts.push(table(
        ["SKU", "PRODUCT", "WAREHOUSE", "COUNTED", "BRIGHTPEARL", "DIFFERENCE", "VERDICT", "FROM", "WHY"],
        rows,
    ));
    if shown.run.state == "waiting" {
        parts.push(format!("It waits for you: millrace stock approve {0}, or millrace stock drop {0}", shown.run.id));
    }
    print::clean(&parts.join("\n\n"))
}
