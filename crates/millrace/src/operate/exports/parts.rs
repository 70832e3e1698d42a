//! Where the rows of an export come from: all at once, or of one thing after another.

use std::collections::VecDeque;

use super::{ExportKind, ExportQuery, rows, set_up};
use crate::{
    db::ChannelKind,
    operate::{
        Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Problem,
        activity::{self, AuditQuery},
        alert_channels,
        alerts::{self, IssuesQuery},
        backups,
        connections::{self, ConnectionsQuery},
        deliveries::{self, DeliveriesQuery},
        drift,
        effects::{self, EffectsQuery},
        endpoints::{self, Side},
        exceptions::{self, ExceptionsQuery},
        findings::{self, FindingsQuery},
        groups, hand_offs, keys, links,
        mappings_csv::{self, MappingTable},
        orders, outlets, people, preflight, schedules, shipments,
        stock::{self, LevelsQuery},
        tenants, undo,
    },
};

/// Rows read at a time.
const PAGE: u32 = 500;

/// Comparisons and pre-flights read at a time: each has all of its lines with it.
const RUNS: u32 = 20;

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
    match kind {
        ExportKind::Drift if connection.is_none() => Err(Failure::invalid(
            "drift is worked out for one connection at a time: both its systems are read for it",
            vec![Problem::new("connection", "name one")],
        )),
        ExportKind::StockLevels
        | ExportKind::StockRuns
        | ExportKind::StockRunLines
        | ExportKind::StockHolds
        | ExportKind::Drift
        | ExportKind::Mappings
        | ExportKind::Kits
        | ExportKind::ShipMethods
        | ExportKind::SourceMethods
        | ExportKind::Locations
        | ExportKind::Preflights
        | ExportKind::PreflightCauses
        | ExportKind::Census => {
            Ok(connections_of(hub, caller, connection).await?.into_iter().map(Part::Connection).collect())
        }
        ExportKind::ChannelRuns => {
            let channels = |named: String| ChannelKind::ALL.map(|channel| Part::Channel(named.clone(), channel));
            Ok(connections_of(hub, caller, connection).await?.into_iter().flat_map(channels).collect())
        }
        ExportKind::Deliveries => {
            let webhooks = outlets::all(hub, caller).await?.into_iter().map(|webhook| Part::Webhook(webhook.id));
            let channels = alert_channels::all(hub, caller).await?;
            Ok(webhooks.chain(channels.into_iter().map(|channel| Part::AlertChannel(channel.id))).collect())
        }
        _ => Ok(VecDeque::from([Part::All])),
    }
}

/// The connection that is named, or all that the caller may see; those that were put away too.
async fn connections_of(hub: &Hub, caller: &Caller, connection: Option<&str>) -> Result<Vec<String>, Failure> {
    if let Some(named) = connection {
        return Ok(vec![connections::find(hub, caller, named).await?.connection.to_string()]);
    }
    let all = hub.db.connections(&caller.access()).await?;
    Ok(all.into_iter().map(|summary| summary.id.to_string()).collect())
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
        ExportKind::Requests => {
            let page = orders::with_requests(hub, caller, asked.orders(PAGE, cursor)).await?;
            each(page, |(order, requests)| requests.into_iter().map(|one| rows::request(&order, one)).collect())
        }
        ExportKind::RequestLines => {
            let page = orders::with_requests(hub, caller, asked.orders(PAGE, cursor)).await?;
            each(page, |(order, requests)| requests.iter().flat_map(|one| rows::request_lines(&order, one)).collect())
        }
        ExportKind::ShipmentLines => {
            each(shipments::with_lines(hub, caller, asked.shipments(PAGE, cursor)).await?, rows::shipment_lines)
        }
        ExportKind::ExceptionGroups => {
            let groups = groups::all(hub, caller, connection.as_deref()).await?;
            listed(PageOut { items: groups, next: None }, rows::exception_group)
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
        ExportKind::Orders => listed(orders::list(hub, caller, asked.orders(PAGE, cursor)).await?, rows::order),
        _ => set_up(hub, caller, kind, cursor).await?,
    })
}

/// What is set up, by whoever may see the list of it.
async fn set_up(
    hub: &Hub,
    caller: &Caller,
    kind: ExportKind,
    cursor: Option<String>,
) -> Result<PageOut<Vec<String>>, Failure> {
    let paging = PagingQuery { limit: Some(PAGE), cursor };
    Ok(match kind {
        ExportKind::Merchants => listed(endpoints::list_merchants(hub, caller, &paging).await?, set_up::merchant),
        ExportKind::Stores => listed(endpoints::list(hub, caller, Side::Store, &paging).await?, set_up::endpoint),
        ExportKind::Warehouses => {
            listed(endpoints::list(hub, caller, Side::Warehouse, &paging).await?, set_up::endpoint)
        }
        ExportKind::Connections => {
            let query = ConnectionsQuery { archived: true, limit: paging.limit, cursor: paging.cursor };
            listed(connections::list(hub, caller, &query).await?, set_up::connection)
        }
        ExportKind::AlertChannels => listed(alert_channels::list(hub, caller, &paging).await?, set_up::alert_channel),
        ExportKind::AlertPolicies => listed(alerts::list_policies(hub, caller, &paging).await?, set_up::alert_policy),
        ExportKind::Webhooks => listed(outlets::list(hub, caller, &paging).await?, set_up::webhook),
        ExportKind::HandOffs => listed(hand_offs::list(hub, caller, &paging).await?, set_up::hand_off),
        ExportKind::People => listed(people::list(hub, caller, &paging).await?, set_up::person),
        ExportKind::Invitations => listed(links::invitations(hub, caller, &paging).await?, set_up::invitation),
        ExportKind::Keys => listed(keys::list(hub, caller, &paging).await?, set_up::key),
        ExportKind::Tenants => listed(tenants::list(hub, caller, &paging).await?, set_up::tenant),
        ExportKind::Backups => listed(backups::list(hub, caller, &paging)?, set_up::backup),
        _ => return Err(Failure::new(FailureKind::Internal, format!("nothing writes {}", kind.file()))),
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
    if let Some(table) = table(kind) {
        let key = connections::find(hub, caller, named).await?;
        let lines = mappings_csv::lines(table, &hub.db.mappings(&key).await?);
        let row = |line: Vec<String>| [named.to_owned()].into_iter().chain(line).collect();
        return Ok(PageOut { items: lines.into_iter().map(row).collect(), next: None });
    }
    let few = PagingQuery { limit: Some(RUNS), cursor: cursor.clone() };
    match kind {
        ExportKind::StockRunLines => {
            Ok(each(stock::with_lines(hub, caller, named, &few).await?, rows::stock_run_lines))
        }
        ExportKind::PreflightCauses => {
            Ok(each(preflight::with_causes(hub, caller, named, &few).await?, rows::preflight_causes))
        }
        ExportKind::Preflights => Ok(listed(preflight::list(hub, caller, named, &few).await?, rows::preflight)),
        ExportKind::StockHolds => {
            let held = undo::all_holds(hub, caller, named).await?;
            Ok(listed(PageOut { items: held, next: None }, |hold| rows::stock_hold(named, hold)))
        }
        ExportKind::Drift => {
            let found = drift::whole(hub, caller, named).await?;
            let page = PageOut { items: found.lines, next: None };
            Ok(listed(page, |line| rows::drift(named, found.at, line)))
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

/// The translation table that is exported.
fn table(kind: ExportKind) -> Option<MappingTable> {
    match kind {
        ExportKind::Mappings => Some(MappingTable::Listings),
        ExportKind::Kits => Some(MappingTable::Kits),
        ExportKind::ShipMethods => Some(MappingTable::ShipMethods),
        ExportKind::SourceMethods => Some(MappingTable::SourceMethods),
        ExportKind::Locations => Some(MappingTable::Locations),
        _ => None,
    }
}

fn listed<T>(page: PageOut<T>, row: impl Fn(T) -> Vec<String>) -> PageOut<Vec<String>> {
    PageOut { items: page.items.into_iter().map(row).collect(), next: page.next }
}

/// As [`listed`], several rows of each.
fn each<T>(page: PageOut<T>, rows: impl FnMut(T) -> Vec<Vec<String>>) -> PageOut<Vec<String>> {
    PageOut { items: page.items.into_iter().flat_map(rows).collect(), next: page.next }
}
