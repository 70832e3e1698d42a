//! Everything as CSV, page by page, so that memory does not grow with what is exported. A cell that a spreadsheet would take for a
//! formula gets an apostrophe in front.

mod parts;
mod rows;

use std::{collections::VecDeque, sync::Arc};

use futures_util::{Stream, stream};
use parts::Part;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, FailureKind, Hub, PageOut, connections, mappings_csv::cell};

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
}

/// Where an export stands.
struct Export {
    hub: Arc<Hub>,
    caller: Caller,
    kind: ExportKind,
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
    if let Some(named) = &query.connection {
        connections::find(&hub, &caller, named).await?;
    }
    let parts = parts::of(&hub, &caller, kind, query.connection).await?;
    let mut export = Export { hub, caller, kind, parts, cursor: None };
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
        let page = match parts::page(&self.hub, &self.caller, self.kind, part, self.cursor.take()).await {
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
