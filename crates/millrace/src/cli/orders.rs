//! Orders, shipments and effects, typed.

use engine::race::Answer;

use super::{
    Session,
    args::{Effects, Orders, Shipments, WarehouseSaid},
    bulk,
    print::{self, Printer, table, time, yes},
};
use crate::operate::{
    Failure,
    effects::{self, DecisionIn, DecisionName, EffectDetailOut, EffectOut, EffectsQuery},
    explain::ExplainOut,
    order_edits::{self, OrderEditIn},
    orders::{self, OrderDetailOut, OrderOut, OrdersQuery},
    races::{self, AnswerIn},
    shipments::{self, ShipmentDetailOut, ShipmentOut, ShipmentsQuery},
};

/// Runs one of the commands on orders.
///
/// # Errors
/// As the operation.
pub(super) async fn orders(session: &Session, command: Orders, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    let changed =
        |order: &OrderOut| format!("Order {} is {}: {}", order.number, order.state, print::clean(&order.reason));
    match command {
        Orders::List { state, text, connection, placed_from, placed_to, paging } => {
            let query = OrdersQuery {
                state,
                text,
                connection,
                placed_from,
                placed_to,
                limit: Some(paging.limit),
                cursor: paging.cursor,
                ..OrdersQuery::default()
            };
            let page = orders::list(hub, caller, query).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|order| {
                    [
                        order.number.to_string(),
                        order.id.clone(),
                        order.state.clone(),
                        order.reference.clone(),
                        order.ship_to.clone(),
                        time(Some(order.placed_at)),
                        order.reason.clone(),
                    ]
                });
                more(
                    table(["NUMBER", "ID", "STATE", "REFERENCE", "SHIP TO", "PLACED", "WHY"], rows),
                    page.next.as_deref(),
                )
            })
        }
        Orders::Show(one) => printer.answer(&orders::show(hub, caller, &one.order).await?, order_detail),
        Orders::Explain(one) => printer.answer(&orders::show(hub, caller, &one.order).await?.explain, explained),
        Orders::Retry(one) => printer.answer(&orders::retry(hub, caller, &one.order).await?, changed),
        Orders::Hold { order, reason } => printer.answer(&orders::hold(hub, caller, &order, &reason).await?, changed),
        Orders::Release(one) => printer.answer(&orders::release(hub, caller, &one.order).await?, changed),
        Orders::Archive(one) => printer.answer(&orders::archive(hub, caller, &one.order).await?, changed),
        Orders::Unarchive(one) => printer.answer(&orders::unarchive(hub, caller, &one.order).await?, changed),
        Orders::Edit { order, file } => {
            let given = edit_file(&file)?;
            printer.answer(&order_edits::edit(hub, caller, &order, given).await?, order_detail)
        }
        Orders::Bulk(asked) => bulk::run(session, asked, printer).await,
        Orders::Counts { text, connection } => {
            let query = OrdersQuery { text, connection, ..OrdersQuery::default() };
            printer.answer(&orders::counts(hub, caller, query).await?, |counts| {
                let rows = counts.states.iter().map(|(state, count)| [state.clone(), count.to_string()]);
                table(["STATE", "ORDERS"], rows)
            })
        }
        Orders::Cancel { order, reason } => {
            printer.answer(&orders::cancel(hub, caller, &order, &reason).await?, changed)
        }
        Orders::Answer { order, answer, reason } => {
            let answer = match answer {
                WarehouseSaid::Accepted => Answer::Accepted,
                WarehouseSaid::TooLate => Answer::TooLate,
                WarehouseSaid::Partly => Answer::Partly,
            };
            let given = AnswerIn { answer, reason };
            printer.answer(&races::answer(hub, caller, &order, &given).await?, changed)
        }
        Orders::Resend { order, reason } => {
            printer.answer(&races::resend(hub, caller, &order, &reason).await?, changed)
        }
    }
}

/// What is to be edited, from a file or standard input.
fn edit_file(file: &std::path::Path) -> Result<OrderEditIn, Failure> {
    let read = if file == std::path::Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text =
        read.map_err(|error| Failure::invalid(format!("{} cannot be read: {error}", file.display()), Vec::new()))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::invalid(format!("{} is not what can be edited: {error}", file.display()), Vec::new()))
}

/// A list, and how to go on.
pub(super) fn more(table: String, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{table}\nThere is more: --cursor {}", print::typed(next)),
        None => table,
    }
}

fn explained(explain: &ExplainOut) -> String {
    let mut lines = vec![format!("{}: {}", explain.state, print::clean(&explain.why))];
    if !explain.waits_for.is_empty() {
        lines.push(format!("  waits for {}", explain.waits_for));
    }
    for action in &explain.actions {
        lines.push(format!("  {}: {}", action.action, action.does));
        lines.push(format!("      {}", action.command));
    }
    lines.join("\n")
}

fn order_detail(shown: &OrderDetailOut) -> String {
    let order = &shown.order;
    let mut parts = vec![
        format!(
            "Order {} ({})\n  reference  {}\n  ship to    {}\n  placed     {}",
            order.number,
            order.id,
            print::clean(&order.reference),
            print::clean(&order.ship_to),
            time(Some(order.placed_at)),
        ),
        explained(&shown.explain),
    ];
    let lines = shown
        .lines
        .iter()
        .map(|line| [line.row.to_string(), line.sku.clone(), line.quantity.normalize().to_string(), line.name.clone()]);
    parts.push(format!("Lines\n{}", table(["ROW", "SKU", "QUANTITY", "NAME"], lines)));
    if !shown.requests.is_empty() {
        let requests = shown.requests.iter().map(|request| {
            let asked: Vec<String> =
                request.lines.iter().map(|line| format!("{} x {}", line.quantity.normalize(), line.sku)).collect();
            [request.key.clone(), asked.join(", "), request.problem.clone().unwrap_or_default()]
        });
        parts.push(format!("Requests\n{}", table(["KEY", "ASKED FOR", "PROBLEM"], requests)));
    }
    for (request, race) in shown.requests.iter().filter_map(|request| Some((request, request.race.as_ref()?))) {
        let steps = race.steps.iter().map(|step| {
            let who = if step.actor.is_empty() { "millrace" } else { &step.actor };
            [time(Some(step.at)), step.step.clone(), who.to_owned(), step.words.clone()]
        });
        parts.push(format!(
            "{} of {} ({}, asked {}, answer due {}, owner {})\n  {}\n{}",
            if race.what == "change" { "Change" } else { "Cancel" },
            print::clean(&request.key),
            race.outcome.replace('_', " "),
            time(Some(race.asked_at)),
            time(Some(race.deadline)),
            print::clean(&race.owner),
            print::clean(&race.told),
            table(["AT", "WHAT", "WHO", "WORDS"], steps),
        ));
    }
    if !shown.shipments.is_empty() {
        parts.push(format!("Shipments\n{}", shipment_table(&shown.shipments)));
    }
    if !shown.effects.is_empty() {
        parts.push(format!("Changes\n{}", effect_table(&shown.effects)));
    }
    if !shown.timeline.is_empty() {
        let rows = shown.timeline.iter().map(|attempt| {
            [
                time(Some(attempt.at)),
                attempt.effect.clone(),
                attempt.what.clone(),
                attempt.outcome.clone(),
                format!("{} ms", attempt.took_ms),
                attempt.note.clone(),
            ]
        });
        parts.push(format!("Timeline\n{}", table(["AT", "CHANGE", "WHAT", "OUTCOME", "TOOK", "NOTE"], rows)));
    }
    parts.join("\n\n")
}

fn shipment_table(shipments: &[ShipmentOut]) -> String {
    table(
        ["ID", "KEY", "REFERENCE", "SHIPPED", "CARRIER", "TRACKING", "TOLD", "PROBLEM"],
        shipments.iter().map(|shipment| {
            [
                shipment.id.clone(),
                shipment.key.clone(),
                shipment.reference.clone(),
                time(Some(shipment.shipped_at)),
                format!("{} {}", shipment.carrier, shipment.service).trim().to_owned(),
                shipment.tracking.join(", "),
                yes(shipment.confirmed_at.is_some()),
                shipment.problem.clone().unwrap_or_default(),
            ]
        }),
    )
}

fn effect_table(effects: &[EffectOut]) -> String {
    table(
        ["ID", "WHAT", "STATE", "TRIES", "NOTE"],
        effects.iter().map(|effect| {
            [
                effect.id.clone(),
                effect.title.clone(),
                effect.state.clone(),
                effect.attempt.to_string(),
                effect.note.clone(),
            ]
        }),
    )
}

/// Runs one of the commands on shipments.
///
/// # Errors
/// As the operation.
pub(super) async fn shipments(session: &Session, command: Shipments, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Shipments::List { text, connection, open, needs_person, paging } => {
            let query = ShipmentsQuery {
                text,
                connection,
                confirmed: open.then_some(false),
                needs_person: needs_person.then_some(true),
                limit: Some(paging.limit),
                cursor: paging.cursor,
            };
            let page = shipments::list(hub, caller, query).await?;
            printer.answer(&page, |page| more(shipment_table(&page.items), page.next.as_deref()))
        }
        Shipments::Show { shipment } => {
            printer.answer(&shipments::show(hub, caller, &shipment).await?, shipment_detail)
        }
        Shipments::Retry { shipment } => {
            printer.answer(&shipments::retry(hub, caller, &shipment).await?, shipment_detail)
        }
    }
}

fn shipment_detail(shown: &ShipmentDetailOut) -> String {
    let mut parts = vec![shipment_table(std::slice::from_ref(&shown.shipment))];
    let loose = shown.loose.iter().map(|line| ("-".to_owned(), line));
    let boxed = shown.boxes.iter().enumerate().flat_map(|(place, one)| {
        let name = format!("{} {}", place + 1, one.tracking.as_deref().unwrap_or_default());
        one.lines.iter().map(move |line| (name.clone(), line))
    });
    let rows = boxed
        .chain(loose)
        .map(|(name, line)| [name, line.sku.clone(), line.quantity.normalize().to_string(), line.serials.join(", ")]);
    parts.push(format!("Boxes\n{}", table(["BOX", "SKU", "QUANTITY", "SERIALS"], rows)));
    parts.push(format!("Changes\n{}", effect_table(&shown.effects)));
    parts.join("\n\n")
}

/// Runs one of the commands on effects.
///
/// # Errors
/// As the operation.
pub(super) async fn effects(session: &Session, command: Effects, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    let (effect, given) = match command {
        Effects::List { state, kind, connection, needs_person, paging } => {
            let query = EffectsQuery {
                state,
                kind,
                connection,
                needs_person,
                limit: Some(paging.limit),
                cursor: paging.cursor,
            };
            let page = effects::list(hub, caller, query).await?;
            return printer.answer(&page, |page| more(effect_table(&page.items), page.next.as_deref()));
        }
        Effects::Show(one) => {
            return printer.answer(&effects::show(hub, caller, &one.effect).await?, effect_detail);
        }
        Effects::Explain(one) => {
            return printer.answer(&effects::show(hub, caller, &one.effect).await?.explain, explained);
        }
        Effects::Hold(decision) => {
            // An effect is held with its order: the others of the order wait behind it anyway.
            let shown = effects::show(hub, caller, &decision.effect).await?;
            let Some(order) = shown.effect.order else {
                return Err(Failure::conflict("it belongs to no order, so it cannot be held back")
                    .remedy("Void it, or switch the channel off."));
            };
            let order = orders::hold(hub, caller, &order, &decision.reason).await?;
            return printer.answer(&order, |order| format!("Order {} is held back: {}", order.number, decision.reason));
        }
        Effects::Retry(decision) => {
            (decision.effect, DecisionIn { decision: DecisionName::Retry, reference: None, reason: decision.reason })
        }
        Effects::Void(decision) => {
            (decision.effect, DecisionIn { decision: DecisionName::Void, reference: None, reason: decision.reason })
        }
        Effects::Applied { effect, reference, reason } => {
            (effect, DecisionIn { decision: DecisionName::Applied, reference: Some(reference), reason })
        }
    };
    printer.answer(&effects::decide(hub, caller, &effect, given).await?, effect_detail)
}

fn effect_detail(shown: &EffectDetailOut) -> String {
    let mut parts = vec![
        format!(
            "{} ({})\n  kind  {} at the {}\n  key   {}",
            print::clean(&shown.effect.title),
            shown.effect.id,
            shown.effect.kind,
            shown.side,
            print::clean(&shown.key)
        ),
        explained(&shown.explain),
        format!("As planned\n{}", print::clean(&shown.body)),
    ];
    for attempt in &shown.attempts {
        let mut lines = vec![format!(
            "{}  {}: {} -> {} ({} ms) {}",
            time(Some(attempt.at)),
            attempt.what,
            attempt.outcome,
            attempt.state,
            attempt.took_ms,
            print::clean(&attempt.note)
        )];
        if let Some(exchange) = &attempt.exchange {
            lines.push(format!("    {}", print::clean(&exchange.request)));
            lines.push(format!("    sent: {}", print::clean(&exchange.request_body)));
            lines.push(format!("    answer {}: {}", exchange.status, print::clean(&exchange.response_body)));
        }
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}
