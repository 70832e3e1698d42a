//! Everything as CSV, page by page, so that memory does not grow with what is exported. A cell that a spreadsheet would take for a
//! formula gets an apostrophe in front.

mod parts;
mod rows;

use std::{collections::VecDeque, sync::Arc};

use futures_util::{Stream, stream};
use jiff::Timestamp;
use parts::Part;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, FailureKind, Hub, PageOut, Problem, connections, mappings_csv::cell, orders::OrdersQuery,
    shipments::ShipmentsQuery,
};

/// What can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema, clap::ValueEnum)]
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
    /// The lines of orders, as Brightpearl held them when they were last planned.
    OrderLines,
    /// What needed a person, what is over too.
    Issues,
    /// Calls to webhooks and messages of alert channels.
    Deliveries,
    /// When each channel ran, and what became of it.
    ChannelRuns,
    /// What changed, oldest first, as far as it is kept.
    Events,
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
            Self::OrderLines => "order_lines.csv",
            Self::Issues => "issues.csv",
            Self::Deliveries => "deliveries.csv",
            Self::ChannelRuns => "channel_runs.csv",
            Self::Events => "events.csv",
        }
    }
}

/// Which part of it.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only of this connection (name or id); the audit trail, events and deliveries are of none.
    pub connection: Option<String>,
    /// Of orders and their lines, as in their list: in this state; several with commas. Without, all, archived ones too.
    pub state: Option<String>,
    /// Of orders, their lines, and shipments: found as their list finds it.
    pub text: Option<String>,
    /// Of orders and their lines: of this merchant (name or id).
    pub merchant: Option<String>,
    /// Of orders and their lines: placed at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub placed_from: Option<Timestamp>,
    /// Of orders and their lines: placed before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub placed_to: Option<Timestamp>,
    /// Of shipments: known to Brightpearl in full, or not.
    pub confirmed: Option<bool>,
    /// Of shipments: with something that a person is needed for, or without.
    pub needs_person: Option<bool>,
}

impl ExportQuery {
    /// A filter that this kind does not have would be passed over, and the file hold what nobody wanted.
    fn fits(&self, kind: ExportKind) -> Result<(), Failure> {
        let (orders, shipments) =
            (matches!(kind, ExportKind::Orders | ExportKind::OrderLines), kind == ExportKind::Shipments);
        let given = [
            ("state", self.state.is_some(), orders),
            ("text", self.text.is_some(), orders || shipments),
            ("merchant", self.merchant.is_some(), orders),
            ("placed_from", self.placed_from.is_some(), orders),
            ("placed_to", self.placed_to.is_some(), orders),
            ("confirmed", self.confirmed.is_some(), shipments),
            ("needs_person", self.needs_person.is_some(), shipments),
        ];
        match given.into_iter().find(|(_, is_given, applies)| *is_given && !applies) {
            Some((name, ..)) => Err(Failure::invalid(
                "this export has no such filter",
                vec![Problem::new(name, "leave it out: the file holds all of this kind")],
            )),
            None => Ok(()),
        }
    }

    /// Which orders, a page of them.
    fn orders(&self, limit: u32, cursor: Option<String>) -> OrdersQuery {
        let every = OrdersQuery::every(self.connection.clone(), limit, cursor);
        OrdersQuery {
            state: self.state.clone().or(every.state),
            text: self.text.clone(),
            merchant: self.merchant.clone(),
            placed_from: self.placed_from,
            placed_to: self.placed_to,
            ..every
        }
    }

    /// Which shipments, a page of them.
    fn shipments(&self, limit: u32, cursor: Option<String>) -> ShipmentsQuery {
        ShipmentsQuery {
            text: self.text.clone(),
            connection: self.connection.clone(),
            confirmed: self.confirmed,
            needs_person: self.needs_person,
            limit: Some(limit),
            cursor,
        }
    }
}

/// Where an export stands.
struct Export {
    hub: Arc<Hub>,
    caller: Caller,
    kind: ExportKind,
    query: ExportQuery,
    /// What is still to come; the first has been begun where there is a cursor.
    parts: VecDeque<Part>,
    cursor: Option<String>,
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
    query.fits(kind)?;
    if let Some(named) = &query.connection {
        connections::find(&hub, &caller, named).await?;
    }
    let parts = parts::of(&hub, &caller, kind, query.connection.as_deref()).await?;
    let mut export = Export { hub, caller, kind, query, parts, cursor: None };
    let mut first = line(rows::head(kind).iter().map(|name| (*name).to_owned()));
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
        let Some(part) = self.parts.front() else { return Ok(None) };
        let page = match parts::page(&self.hub, &self.caller, (self.kind, &self.query), part, self.cursor.take()).await
        {
            // It was deleted meanwhile: nothing of it is left to be written.
            Err(failure) if failure.kind == FailureKind::NotFound => PageOut { items: Vec::new(), next: None },
            page => page?,
        };
        self.cursor = page.next;
        if self.cursor.is_none() {
            self.parts.pop_front();
        }
        Ok(Some(page.items.into_iter().map(line).collect()))
    }
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    let mut line = cells.into_iter().map(|text| cell(&text)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}
