//! Everything as CSV, page by page, so that memory does not grow with what is exported. A cell that a spreadsheet would take for a
//! formula gets an apostrophe in front.

use std::{collections::VecDeque, sync::Arc};

use futures_util::{Stream, stream};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, PageOut, PagingQuery,
    activity::{self, AuditQuery},
    connections,
    effects::{self, EffectsQuery},
    exceptions::{self, ExceptionsQuery},
    findings::{self, FindingsQuery},
    mappings_csv::cell,
    orders::{self, OrdersQuery},
    shipments::{self, ShipmentsQuery},
    stock::{self, LevelsQuery, RunOut},
};
use crate::db::CensusRun;

/// Rows read at a time.
const PAGE: u32 = 500;

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// Orders of every state.
    Orders,
    /// Shipments.
    Shipments,
    /// The warehouses' latest figures.
    StockLevels,
    /// Exceptions, those that were dealt with too.
    Exceptions,
    /// Effects.
    Effects,
    /// The audit trail; for administrators.
    Audit,
    /// SKUs of Brightpearl and of the warehouse.
    Mappings,
    /// Comparisons of stock.
    StockRuns,
    /// Findings of the census, those that are gone too.
    Findings,
    /// When the census of each connection ran, and what it could not account for.
    Census,
}

impl ExportKind {
    /// The name of the file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Orders => "orders.csv",
            Self::Shipments => "shipments.csv",
            Self::StockLevels => "stock_levels.csv",
            Self::Exceptions => "exceptions.csv",
            Self::Effects => "effects.csv",
            Self::Audit => "audit.csv",
            Self::Mappings => "mappings.csv",
            Self::StockRuns => "stock_runs.csv",
            Self::Findings => "findings.csv",
            Self::Census => "census.csv",
        }
    }

    fn head(self) -> &'static [&'static str] {
        match self {
            Self::Orders => &[
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
            Self::Shipments => &[
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
            Self::StockLevels => &["connection", "sku", "facility", "available", "physical", "cut_off", "feed"],
            Self::Exceptions => &["id", "connection", "kind", "subject", "reason", "at", "resolved_at", "resolved_by"],
            Self::Effects => &[
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
            Self::Audit => &["number", "at", "actor", "action", "target", "detail", "hash"],
            Self::Mappings => &["connection", "brightpearl_sku", "warehouse_sku"],
            Self::StockRuns => {
                &["id", "connection", "feed", "cut_off", "made_at", "state", "reason", "skus", "compared", "changed"]
            }
            Self::Findings => &[
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
            Self::Census => &["connection", "extent", "started_at", "finished_at", "unaccounted", "problem"],
        }
    }
}

/// Which part of it.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only of this connection (name or id); the audit trail has none.
    pub connection: Option<String>,
}

type Rows = Vec<Vec<String>>;

/// Where an export stands.
struct Export {
    hub: Arc<Hub>,
    caller: Caller,
    kind: ExportKind,
    connection: Option<String>,
    /// Of what is listed by connection: those that are still to come.
    connections: VecDeque<String>,
    cursor: Option<String>,
    ended: bool,
}

/// The lines of an export, in pieces of some hundred. The first piece is there when this returns, so that what is refused is
/// refused before anything is sent.
///
/// # Errors
/// When the caller may not, or the filter names what does not exist.
pub async fn export(
    hub: Arc<Hub>,
    caller: Caller,
    kind: ExportKind,
    query: ExportQuery,
) -> Result<impl Stream<Item = Result<String, Failure>> + Send, Failure> {
    if kind == ExportKind::Audit {
        caller.administers()?;
    }
    if let Some(named) = &query.connection {
        connections::find(&hub, &caller, named).await?;
    }
    let connections = match &query.connection {
        Some(named) => VecDeque::from([named.clone()]),
        None => hub.db.connections(&caller.access()).await?.into_iter().map(|summary| summary.id.to_string()).collect(),
    };
    let mut export =
        Export { hub, caller, kind, connection: query.connection, connections, cursor: None, ended: false };
    let mut first = line(kind.head().iter().map(|name| (*name).to_owned()));
    first.push_str(&export.piece().await?.unwrap_or_default());
    let rest = stream::unfold(Some(export), |export| async move {
        let mut export = export?;
        match export.piece().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(export))),
            Ok(None) => None,
            Err(failure) => Some((Err(failure), None)),
        }
    });
    Ok(futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest))
}

impl Export {
    /// The next lines; `None` at the end.
    async fn piece(&mut self) -> Result<Option<String>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let rows = match self.kind {
            ExportKind::StockLevels | ExportKind::Mappings | ExportKind::StockRuns | ExportKind::Census => {
                self.of_a_connection().await?
            }
            _ => {
                let PageOut { items, next } = self.page().await?;
                self.ended = next.is_none();
                self.cursor = next;
                items
            }
        };
        Ok(Some(rows.into_iter().map(line).collect()))
    }

    async fn page(&self) -> Result<PageOut<Vec<String>>, Failure> {
        let (hub, caller) = (&*self.hub, &self.caller);
        let (connection, limit, cursor) = (self.connection.clone(), Some(PAGE), self.cursor.clone());
        Ok(match self.kind {
            ExportKind::Shipments => {
                let query = ShipmentsQuery { connection, limit, cursor, ..ShipmentsQuery::default() };
                rows(shipments::list(hub, caller, query).await?, |one| {
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
                })
            }
            ExportKind::Exceptions => {
                let query = ExceptionsQuery { connection, all: true, limit, cursor };
                rows(exceptions::list(hub, caller, query).await?, |one| {
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
                })
            }
            ExportKind::Effects => {
                let query = EffectsQuery { connection, limit, cursor, ..EffectsQuery::default() };
                rows(effects::list(hub, caller, query).await?, |one| {
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
                })
            }
            ExportKind::Audit => rows(
                activity::audit(hub, caller, AuditQuery { limit, cursor, ..AuditQuery::default() }).await?,
                |one| {
                    vec![
                        one.number.to_string(),
                        one.at.to_string(),
                        one.actor,
                        one.action,
                        one.target,
                        one.detail.to_string(),
                        one.hash,
                    ]
                },
            ),
            ExportKind::Findings => {
                let query = FindingsQuery { connection, all: true, limit, cursor, ..FindingsQuery::default() };
                rows(findings::list(hub, caller, query).await?, |one| {
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
                })
            }
            ExportKind::Orders
            | ExportKind::StockLevels
            | ExportKind::Mappings
            | ExportKind::StockRuns
            | ExportKind::Census => {
                let every = engine::order::OrderState::ALL.map(engine::order::OrderState::as_str).join(",");
                let query = OrdersQuery { state: Some(every), connection, limit, cursor, ..OrdersQuery::default() };
                rows(orders::list(hub, caller, query).await?, |one| {
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
                })
            }
        })
    }

    /// Goes on in the same connection, or with the one after it.
    fn goes_on(&mut self, next: Option<String>) {
        self.cursor = next;
        if self.cursor.is_none() {
            self.connections.pop_front();
        }
    }

    /// What is listed by connection: a page of one, or all of its mappings.
    async fn of_a_connection(&mut self) -> Result<Rows, Failure> {
        let Some(connection) = self.connections.front().cloned() else {
            self.ended = true;
            return Ok(Vec::new());
        };
        if self.kind == ExportKind::Mappings {
            let key = connections::find(&self.hub, &self.caller, &connection).await?;
            self.connections.pop_front();
            let listings = self.hub.db.mappings(&key).await?.listings;
            return Ok(listings.into_iter().map(|(ours, theirs)| vec![connection.clone(), ours, theirs]).collect());
        }
        if self.kind == ExportKind::Census {
            let key = connections::find(&self.hub, &self.caller, &connection).await?;
            self.connections.pop_front();
            return Ok(self.hub.db.census_runs(&key).await?.iter().map(|run| census_row(&connection, run)).collect());
        }
        if self.kind == ExportKind::StockRuns {
            let query = PagingQuery { limit: Some(PAGE), cursor: self.cursor.take() };
            let page = stock::runs(&self.hub, &self.caller, &connection, &query).await?;
            self.goes_on(page.next);
            return Ok(page.items.into_iter().map(run_row).collect());
        }
        let query = LevelsQuery { limit: Some(PAGE), cursor: self.cursor.take(), ..LevelsQuery::default() };
        let page = stock::levels(&self.hub, &self.caller, &connection, query).await?;
        self.goes_on(page.next);
        let number = |figure: Option<Decimal>| figure.map(|figure| figure.to_string()).unwrap_or_default();
        Ok(page
            .items
            .into_iter()
            .map(|one| {
                vec![
                    connection.clone(),
                    one.sku,
                    one.facility,
                    number(one.available),
                    number(one.physical),
                    one.cut_off.to_string(),
                    one.feed,
                ]
            })
            .collect())
    }
}

fn run_row(run: RunOut) -> Vec<String> {
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

fn census_row(connection: &str, run: &CensusRun) -> Vec<String> {
    vec![
        connection.to_owned(),
        run.extent.as_str().to_owned(),
        time(run.started_at),
        time(run.finished_at),
        run.unaccounted.map(|count| count.to_string()).unwrap_or_default(),
        run.problem.clone().unwrap_or_default(),
    ]
}

fn rows<T>(page: PageOut<T>, row: impl Fn(T) -> Vec<String>) -> PageOut<Vec<String>> {
    PageOut { items: page.items.into_iter().map(row).collect(), next: page.next }
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    let mut line = cells.into_iter().map(|text| cell(&text)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}
