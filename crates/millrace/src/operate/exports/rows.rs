//! The rows of what flows, in the order of their columns.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::{
    db::{CensusRun, Event},
    operate::{
        activity::AuditOut,
        alerts::IssueOut,
        deliveries::DeliveryOut,
        drift::DriftLineOut,
        effects::EffectOut,
        exceptions::ExceptionOut,
        findings::FindingOut,
        groups::GroupOut,
        orders::{OrderOut, RequestLineOut, RequestOut},
        preflight::{CauseOut, PreflightOut},
        schedules::ChannelRunOut,
        shipments::{BoxLineOut, BoxOut, ShipmentOut},
        stock::{LevelOut, RunLineOut, RunOut},
        undo::HoldOut,
    },
};

pub(super) type Row = Vec<String>;

pub(super) fn order(one: OrderOut) -> Row {
    vec![
        one.id,
        one.merchant,
        one.connection,
        one.number.to_string(),
        one.reference,
        one.ship_to,
        one.placed_at.to_string(),
        one.imported_at.to_string(),
        one.changed_at.to_string(),
        one.state,
        one.reason,
    ]
}

pub(super) fn order_line(order: &OrderOut, line: connect::OrderLine) -> Row {
    vec![
        order.id.clone(),
        order.connection.clone(),
        order.number.to_string(),
        line.row_id.to_string(),
        text(line.product_id),
        line.sku,
        line.name,
        line.quantity.to_string(),
    ]
}

pub(super) fn request(order: &OrderOut, one: RequestOut) -> Row {
    vec![
        one.id,
        order.id.clone(),
        order.connection.clone(),
        order.number.to_string(),
        one.key,
        text(one.note),
        one.given_up.to_string(),
        one.finished.to_string(),
        one.cancel_wanted.unwrap_or_default(),
        one.race.map(|race| race.outcome).unwrap_or_default(),
        one.problem.unwrap_or_default(),
        text(one.leaves_at),
    ]
}

/// A row for each line of a request.
pub(super) fn request_lines(order: &OrderOut, one: &RequestOut) -> Vec<Row> {
    let row = |line: &RequestLineOut| {
        vec![
            one.id.clone(),
            order.id.clone(),
            order.connection.clone(),
            order.number.to_string(),
            one.key.clone(),
            line.line.to_string(),
            line.sku.clone(),
            line.quantity.to_string(),
            line.row.to_string(),
        ]
    };
    one.lines.iter().map(row).collect()
}

pub(super) fn shipment(one: ShipmentOut) -> Row {
    vec![
        one.id,
        one.connection,
        one.order.unwrap_or_default(),
        one.reference,
        one.key,
        one.shipped_at.to_string(),
        one.carrier,
        one.service,
        one.tracking.join(" "),
        text(one.confirmed_at),
        one.problem.unwrap_or_default(),
    ]
}

/// A row for each line of a shipment's boxes, which are numbered from 1, and for its goods of which no box is known.
pub(super) fn shipment_lines((of, boxes, loose): (ShipmentOut, Vec<BoxOut>, Vec<BoxLineOut>)) -> Vec<Row> {
    let row = |place: Option<usize>, tracking: Option<&String>, weight: Option<Decimal>, line: BoxLineOut| {
        vec![
            of.id.clone(),
            of.connection.clone(),
            of.order.clone().unwrap_or_default(),
            of.reference.clone(),
            of.key.clone(),
            of.shipped_at.to_string(),
            text(place),
            tracking.cloned().unwrap_or_default(),
            text(weight),
            text(line.line),
            line.sku,
            line.quantity.to_string(),
            line.lot.unwrap_or_default(),
            line.serials.join(" "),
        ]
    };
    let mut rows = Vec::new();
    for (place, one) in (1..).zip(boxes) {
        let (tracking, weight) = (one.tracking, one.weight);
        rows.extend(one.lines.into_iter().map(|line| row(Some(place), tracking.as_ref(), weight, line)));
    }
    rows.extend(loose.into_iter().map(|line| row(None, None, None, line)));
    rows
}

pub(super) fn stock_level(connection: &str, one: LevelOut) -> Row {
    vec![
        connection.to_owned(),
        one.sku,
        one.facility,
        text(one.available),
        text(one.physical),
        one.cut_off.to_string(),
        one.feed,
    ]
}

pub(super) fn exception(one: ExceptionOut) -> Row {
    vec![
        one.id,
        one.connection,
        one.kind,
        one.subject,
        one.reason,
        one.at.to_string(),
        text(one.resolved_at),
        one.resolved_by.unwrap_or_default(),
    ]
}

pub(super) fn effect(one: EffectOut) -> Row {
    vec![
        one.id,
        one.connection,
        one.kind,
        one.title,
        one.state,
        one.note,
        one.attempt.to_string(),
        one.order.unwrap_or_default(),
        one.reference.unwrap_or_default(),
        one.created_at.to_string(),
        one.changed_at.to_string(),
    ]
}

pub(super) fn audit(one: AuditOut) -> Row {
    vec![
        one.number.to_string(),
        one.at.to_string(),
        one.actor,
        one.action,
        one.target,
        one.detail.to_string(),
        one.hash,
    ]
}

pub(super) fn stock_run(run: RunOut) -> Row {
    vec![
        run.id,
        run.connection,
        run.feed,
        run.cut_off.to_string(),
        run.made_at.to_string(),
        run.state,
        run.reason,
        run.skus.to_string(),
        run.compared.to_string(),
        run.changed.to_string(),
    ]
}

/// A row for each line of a comparison.
pub(super) fn stock_run_lines((of, lines): (RunOut, Vec<RunLineOut>)) -> Vec<Row> {
    let row = |line: RunLineOut| {
        vec![
            of.id.clone(),
            of.connection.clone(),
            of.feed.clone(),
            of.cut_off.to_string(),
            of.state.clone(),
            line.warehouse.to_string(),
            line.product.to_string(),
            line.skus.join(" "),
            line.figure.to_string(),
            line.brightpearl.to_string(),
            line.difference.to_string(),
            parts(&line.parts),
            line.verdict,
            line.reason,
            line.effect.unwrap_or_default(),
            line.effect_state.unwrap_or_default(),
            line.undone_by.unwrap_or_default(),
        ]
    };
    lines.into_iter().map(row).collect()
}

pub(super) fn stock_hold(connection: &str, one: HoldOut) -> Row {
    vec![
        connection.to_owned(),
        one.sku,
        one.warehouse.to_string(),
        one.product.to_string(),
        one.reason,
        one.actor,
        one.at.to_string(),
    ]
}

pub(super) fn drift(connection: &str, at: Timestamp, one: DriftLineOut) -> Row {
    let part = |(name, units): (&String, &Option<Decimal>)| match units {
        Some(units) => format!("{name} {units}"),
        None => format!("{name} not read"),
    };
    let named: Vec<String> = one.parts.iter().map(part).collect();
    vec![
        connection.to_owned(),
        at.to_string(),
        one.skus.join(" "),
        text(one.warehouse),
        text(one.product),
        one.counted.to_string(),
        one.brightpearl.to_string(),
        one.difference.to_string(),
        named.join("; "),
        one.unexplained.to_string(),
        text(one.counted_at),
        one.notes.join("; "),
    ]
}

pub(super) fn preflight(one: PreflightOut) -> Row {
    vec![
        one.id,
        one.connection,
        one.state,
        one.days.to_string(),
        one.since.to_string(),
        one.wanted_at.to_string(),
        one.wanted_by,
        text(one.started_at),
        text(one.ended_at),
        one.problem.unwrap_or_default(),
        text(one.total),
        one.orders.to_string(),
        one.through.to_string(),
        one.stuck.to_string(),
        one.left_out.to_string(),
        text(one.stuck_per_mille),
    ]
}

/// A row for each cause of a pre-flight.
pub(super) fn preflight_causes((of, causes): (PreflightOut, Vec<CauseOut>)) -> Vec<Row> {
    let row = |cause: CauseOut| {
        vec![
            of.id.clone(),
            of.connection.clone(),
            of.wanted_at.to_string(),
            cause.kind,
            cause.subject,
            cause.left_out.to_string(),
            cause.orders.to_string(),
            cause.remedy,
            cause.examples.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        ]
    };
    causes.into_iter().map(row).collect()
}

pub(super) fn exception_group(one: GroupOut) -> Row {
    vec![
        one.id,
        one.kind,
        one.merchant,
        one.connection,
        one.cause,
        one.example,
        one.count.to_string(),
        one.first_at.to_string(),
        one.last_at.to_string(),
        one.examples.join(" "),
        one.remedy,
        one.can_retry.to_string(),
    ]
}

pub(super) fn finding(one: FindingOut) -> Row {
    vec![
        one.id,
        one.connection,
        one.kind,
        one.subject,
        text(one.order),
        one.what,
        one.repair,
        one.first_at.to_string(),
        one.last_at.to_string(),
        text(one.resolved_at),
        text(one.repaired_at),
        one.repaired_by.unwrap_or_default(),
    ]
}

pub(super) fn census(connection: &str, run: &CensusRun) -> Row {
    vec![
        connection.to_owned(),
        run.extent.as_str().to_owned(),
        text(run.started_at),
        text(run.finished_at),
        text(run.unaccounted),
        run.problem.clone().unwrap_or_default(),
    ]
}

pub(super) fn issue(one: IssueOut) -> Row {
    vec![
        one.id,
        one.connection.unwrap_or_default(),
        one.kind,
        one.state,
        one.what,
        one.remedy,
        one.count.to_string(),
        one.opened_at.to_string(),
        text(one.closed_at),
        one.acknowledged_by.unwrap_or_default(),
    ]
}

pub(super) fn delivery(one: DeliveryOut) -> Row {
    vec![
        one.id,
        one.to,
        one.kind,
        one.event.unwrap_or_default(),
        one.state,
        one.tries.to_string(),
        one.created_at.to_string(),
        text(one.ended_at),
    ]
}

pub(super) fn channel_run(connection: &str, channel: &str, run: ChannelRunOut) -> Row {
    vec![
        run.id,
        connection.to_owned(),
        channel.to_owned(),
        run.cause,
        run.asked_by.unwrap_or_default(),
        run.started_at.to_string(),
        text(run.ended_at),
        run.outcome,
        run.summary,
    ]
}

pub(super) fn event(one: Event) -> Row {
    vec![one.id.to_string(), one.at.to_string(), one.what, one.subject, one.change, text(one.merchant)]
}

/// What there is, or an empty cell.
pub(super) fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The parts of a figure in one cell: name and units of each.
fn parts(parts: &BTreeMap<String, Decimal>) -> String {
    parts.iter().map(|(name, units)| format!("{name} {units}")).collect::<Vec<_>>().join("; ")
}
