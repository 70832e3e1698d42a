//! The columns of an export and its rows. Columns are added at the end only: programs read them by place.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::ExportKind;
use crate::{
    db::{CensusRun, Event},
    operate::{
        activity::AuditOut,
        alerts::IssueOut,
        deliveries::DeliveryOut,
        effects::EffectOut,
        exceptions::ExceptionOut,
        findings::FindingOut,
        orders::OrderOut,
        schedules::ChannelRunOut,
        shipments::ShipmentOut,
        stock::{LevelOut, RunOut},
    },
};

type Row = Vec<String>;

/// The names of the columns.
pub(super) fn head(kind: ExportKind) -> &'static [&'static str] {
    match kind {
        ExportKind::Orders => &[
            "id",
            "merchant",
            "connection",
            "number",
            "reference",
            "ship_to",
            "placed_at",
            "imported_at",
            "changed_at",
            "state",
            "reason",
        ],
        ExportKind::Shipments => &[
            "id",
            "connection",
            "order",
            "reference",
            "key",
            "shipped_at",
            "carrier",
            "service",
            "tracking",
            "confirmed_at",
            "problem",
        ],
        ExportKind::StockLevels => &["connection", "sku", "facility", "available", "physical", "cut_off", "feed"],
        ExportKind::Exceptions => {
            &["id", "connection", "kind", "subject", "reason", "at", "resolved_at", "resolved_by"]
        }
        ExportKind::Effects => &[
            "id",
            "connection",
            "kind",
            "title",
            "state",
            "note",
            "attempt",
            "order",
            "reference",
            "created_at",
            "changed_at",
        ],
        ExportKind::Audit => &["number", "at", "actor", "action", "target", "detail", "hash"],
        ExportKind::Mappings => &["connection", "brightpearl_sku", "warehouse_sku"],
        ExportKind::StockRuns => {
            &["id", "connection", "feed", "cut_off", "made_at", "state", "reason", "skus", "compared", "changed"]
        }
        ExportKind::Findings => &[
            "id",
            "connection",
            "kind",
            "subject",
            "order",
            "what",
            "repair",
            "first_at",
            "last_at",
            "resolved_at",
            "repaired_at",
            "repaired_by",
        ],
        ExportKind::Census => &["connection", "extent", "started_at", "finished_at", "unaccounted", "problem"],
        ExportKind::OrderLines => &["order", "connection", "number", "row", "product", "sku", "name", "quantity"],
        ExportKind::Issues => &[
            "id",
            "connection",
            "kind",
            "state",
            "what",
            "remedy",
            "count",
            "opened_at",
            "closed_at",
            "acknowledged_by",
        ],
        ExportKind::Deliveries => &["id", "to", "kind", "event", "state", "tries", "created_at", "ended_at"],
        ExportKind::ChannelRuns => {
            &["id", "connection", "channel", "cause", "asked_by", "started_at", "ended_at", "outcome", "summary"]
        }
        ExportKind::Events => &["id", "at", "what", "subject", "change", "merchant"],
    }
}

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
        line.product_id.map(|product| product.to_string()).unwrap_or_default(),
        line.sku,
        line.name,
        line.quantity.to_string(),
    ]
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
        time(one.confirmed_at),
        one.problem.unwrap_or_default(),
    ]
}

pub(super) fn stock_level(connection: &str, one: LevelOut) -> Row {
    let number = |figure: Option<Decimal>| figure.map(|figure| figure.to_string()).unwrap_or_default();
    vec![
        connection.to_owned(),
        one.sku,
        one.facility,
        number(one.available),
        number(one.physical),
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
        time(one.resolved_at),
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

pub(super) fn finding(one: FindingOut) -> Row {
    vec![
        one.id,
        one.connection,
        one.kind,
        one.subject,
        one.order.map(|order| order.to_string()).unwrap_or_default(),
        one.what,
        one.repair,
        one.first_at.to_string(),
        one.last_at.to_string(),
        time(one.resolved_at),
        time(one.repaired_at),
        one.repaired_by.unwrap_or_default(),
    ]
}

pub(super) fn census(connection: &str, run: &CensusRun) -> Row {
    vec![
        connection.to_owned(),
        run.extent.as_str().to_owned(),
        time(run.started_at),
        time(run.finished_at),
        run.unaccounted.map(|count| count.to_string()).unwrap_or_default(),
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
        time(one.closed_at),
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
        time(one.ended_at),
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
        time(run.ended_at),
        run.outcome,
        run.summary,
    ]
}

pub(super) fn event(one: Event) -> Row {
    vec![
        one.id.to_string(),
        one.at.to_string(),
        one.what,
        one.subject,
        one.change,
        one.merchant.map(|merchant| merchant.to_string()).unwrap_or_default(),
    ]
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}
