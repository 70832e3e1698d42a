//! Where the rows of an export come from: all at once, or of one thing after another.

use std::collections::VecDeque;

use super::{ExportKind, ExportQuery, rows};
use crate::{
    db::ChannelKind,
    operate::{
        Caller, Failure, Hub, PageOut, PagingQuery,
        activity::{self, AuditQuery},
        alert_channels,
        alerts::{self, IssuesQuery},
        connections,
        deliveries::{self, DeliveriesQuery},
        effects::{self, EffectsQuery},
        exceptions::{self, ExceptionsQuery},
        findings::{self, FindingsQuery},
        orders, outlets, schedules, shipments,
        stock::{self, LevelsQuery},
    },
};

/// Rows read at a time.
const PAGE: u32 = 500;

/// What is read page by page before the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// All that was asked for.
    All,
    /// What this connection has.
    Connection(String),
    /// What this channel of a connection has.
    Channel(String, ChannelKind),
    /// What went to this webhook.
    Webhook(String),
    /// What went to this alert channel.
    AlertChannel(String),
}

/// The parts of an export, in their order.
pub(super) async fn of(
    hub: &Hub,
    caller: &Caller,
    kind: ExportKind,
    connection: Option<&str>,
) -> Result<VecDeque<Part>, Failure> {
    use ExportKind::{Census, ChannelRuns, Deliveries, Mappings, StockLevels, StockRuns};
    match kind {
        StockLevels | Mappings | StockRuns | Census | ChannelRuns => {
            let connections: Vec<String> = match connection {
                Some(named) => vec![connections::find(hub, caller, named).await?.connection.to_string()],
                None => {
                    let all = hub.db.connections(&caller.access()).await?;
                    all.into_iter().map(|summary| summary.id.to_string()).collect()
                }
            };
            Ok(if kind == ChannelRuns {
                let channels = |named: String| ChannelKind::ALL.map(|channel| Part::Channel(named.clone(), channel));
                connections.into_iter().flat_map(channels).collect()
            } else {
                connections.into_iter().map(Part::Connection).collect()
            })
        }
        Deliveries => {
            let webhooks = outlets::all(hub, caller).await?.into_iter().map(|webhook| Part::Webhook(webhook.id));
            let channels = alert_channels::all(hub, caller).await?;
            Ok(webhooks.chain(channels.into_iter().map(|channel| Part::AlertChannel(channel.id))).collect())
        }
        _ => Ok(VecDeque::from([Part::All])),
    }
}

/// The next rows of a part, after the cursor.
pub(super) async fn page(
    hub: &Hub,
    caller: &Caller,
    (kind, asked): (ExportKind, &ExportQuery),
    part: &Part,
    cursor: Option<String>,
) -> Result<PageOut<Vec<String>>, Failure> {
    let limit = Some(PAGE);
    match part {
        Part::All => all(hub, caller, (kind, asked), cursor).await,
        Part::Connection(named) => of_a_connection(hub, caller, kind, named, cursor).await,
        Part::Channel(named, channel) => {
            let query = PagingQuery { limit, cursor };
            let page = schedules::runs(hub, caller, named, channel.as_str(), &query).await?;
            Ok(listed(page, |run| rows::channel_run(named, channel.as_str(), run)))
        }
        Part::Webhook(id) => {
            let query = DeliveriesQuery { limit, cursor, ..DeliveriesQuery::default() };
            Ok(listed(deliveries::of_webhook(hub, caller, id, &query).await?, rows::delivery))
        }
        Part::AlertChannel(id) => {
            let query = DeliveriesQuery { limit, cursor, ..DeliveriesQuery::default() };
            Ok(listed(deliveries::of_channel(hub, caller, id, &query).await?, rows::delivery))
        }
    }
}

async fn all(
    hub: &Hub,
    caller: &Caller,
    (kind, asked): (ExportKind, &ExportQuery),
    cursor: Option<String>,
) -> Result<PageOut<Vec<String>>, Failure> {
    let (limit, connection) = (Some(PAGE), asked.connection.clone());
    Ok(match kind {
        ExportKind::Shipments => {
            listed(shipments::list(hub, caller, asked.shipments(PAGE, cursor)).await?, rows::shipment)
        }
        ExportKind::Exceptions => {
            let query = ExceptionsQuery { connection, all: true, limit, cursor };
            listed(exceptions::list(hub, caller, query).await?, rows::exception)
        }
        ExportKind::Effects => {
            let query = EffectsQuery { connection, limit, cursor, ..EffectsQuery::default() };
            listed(effects::list(hub, caller, query).await?, rows::effect)
        }
        ExportKind::Audit => {
            let query = AuditQuery { limit, cursor, ..AuditQuery::default() };
            listed(activity::audit(hub, caller, query).await?, rows::audit)
        }
        ExportKind::Findings => {
            let query = FindingsQuery { connection, all: true, limit, cursor, ..FindingsQuery::default() };
            listed(findings::list(hub, caller, query).await?, rows::finding)
        }
        ExportKind::Issues => {
            let query = IssuesQuery { connection, all: true, limit, cursor, ..IssuesQuery::default() };
            listed(alerts::issues(hub, caller, query).await?, rows::issue)
        }
        ExportKind::Events => {
            let after = cursor.and_then(|number| number.parse().ok()).unwrap_or(0);
            let events = hub.db.events_after(&caller.access(), after, PAGE).await?;
            let next = events.last().map(|event| event.number.to_string());
            listed(PageOut { items: events, next }, rows::event)
        }
        ExportKind::OrderLines => {
            let page = orders::list(hub, caller, asked.orders(PAGE, cursor)).await?;
            let ids = page.items.iter().map(|order| order.id.clone()).collect();
            let mut lines = hub.db.order_lines(&caller.access(), ids).await?;
            let of_order = |order: &orders::OrderOut| {
                let lines = lines.remove(&order.id).unwrap_or_default();
                lines.into_iter().map(|line| rows::order_line(order, line)).collect::<Vec<_>>()
            };
            PageOut { items: page.items.iter().flat_map(of_order).collect(), next: page.next }
        }
        ExportKind::Orders
        | ExportKind::StockLevels
        | ExportKind::Mappings
        | ExportKind::StockRuns
        | ExportKind::Census
        | ExportKind::Deliveries
        | ExportKind::ChannelRuns => listed(orders::list(hub, caller, asked.orders(PAGE, cursor)).await?, rows::order),
    })
}

/// What is listed by connection: a page of it, or all where there is not much.
async fn of_a_connection(
    hub: &Hub,
    caller: &Caller,
    kind: ExportKind,
    named: &str,
    cursor: Option<String>,
) -> Result<PageOut<Vec<String>>, Failure> {
    match kind {
        ExportKind::Mappings => {
            let key = connections::find(hub, caller, named).await?;
            let listings = hub.db.mappings(&key).await?.listings;
            let row = |(ours, theirs)| vec![named.to_owned(), ours, theirs];
            Ok(PageOut { items: listings.into_iter().map(row).collect(), next: None })
        }
        ExportKind::Census => {
            let key = connections::find(hub, caller, named).await?;
            let runs = hub.db.census_runs(&key).await?;
            Ok(PageOut { items: runs.iter().map(|run| rows::census(named, run)).collect(), next: None })
        }
        ExportKind::StockRuns => {
            let query = PagingQuery { limit: Some(PAGE), cursor };
            Ok(listed(stock::runs(hub, caller, named, &query).await?, rows::stock_run))
        }
        _ => {
            let query = LevelsQuery { limit: Some(PAGE), cursor, ..LevelsQuery::default() };
            Ok(listed(stock::levels(hub, caller, named, query).await?, |level| rows::stock_level(named, level)))
        }
    }
}

fn listed<T>(page: PageOut<T>, row: impl Fn(T) -> Vec<String>) -> PageOut<Vec<String>> {
    PageOut { items: page.items.into_iter().map(row).collect(), next: page.next }
}
