//! Everything as CSV, page by page, so that memory does not grow with what is exported. A cell that a spreadsheet would take for a
//! formula gets an apostrophe in front.

mod columns;
mod parts;
mod rows;
mod set_up;

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
    /// What was asked of warehouses, order by order.
    Requests,
    /// The lines of what was asked of warehouses.
    RequestLines,
    /// The goods of shipments, box by box.
    ShipmentLines,
    /// The lines of comparisons of stock, with the corrections that they led to.
    StockRunLines,
    /// Products whose stock is not written until they are released.
    StockHolds,
    /// Where the warehouse of a connection and Brightpearl differ now; both are read for it.
    Drift,
    /// Kits and their parts.
    Kits,
    /// Brightpearl's shipping methods and what they are at the warehouse.
    ShipMethods,
    /// The warehouse's carriers and what they are in Brightpearl.
    SourceMethods,
    /// The warehouse's facilities and which Brightpearl warehouse each is.
    Locations,
    /// Pre-flights and what share of the orders would have stood still.
    Preflights,
    /// Why orders of each pre-flight would have stood still, or been left out.
    PreflightCauses,
    /// What needs a person now, by its cause.
    ExceptionGroups,
    /// Merchants.
    Merchants,
    /// Stores, without their secrets.
    Stores,
    /// Warehouses, without their secrets.
    Warehouses,
    /// Connections, those that were put away too.
    Connections,
    /// Where people are told what needs them; a chat by its host alone.
    AlertChannels,
    /// Who is told what.
    AlertPolicies,
    /// Webhooks, without their secrets.
    Webhooks,
    /// Hand-offs, without their links; for staff.
    HandOffs,
    /// People; for administrators.
    People,
    /// Invitations, without their links; for administrators.
    Invitations,
    /// API keys, without the keys themselves; for administrators.
    Keys,
    /// Tenants; for the installation's administrators.
    Tenants,
    /// Backups beside the database; for the installation's administrators.
    Backups,
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
            Self::Requests => "requests.csv",
            Self::RequestLines => "request_lines.csv",
            Self::ShipmentLines => "shipment_lines.csv",
            Self::StockRunLines => "stock_run_lines.csv",
            Self::StockHolds => "stock_holds.csv",
            Self::Drift => "drift.csv",
            Self::Kits => "kits.csv",
            Self::ShipMethods => "ship_methods.csv",
            Self::SourceMethods => "source_methods.csv",
            Self::Locations => "locations.csv",
            Self::Preflights => "preflights.csv",
            Self::PreflightCauses => "preflight_causes.csv",
            Self::ExceptionGroups => "exception_groups.csv",
            Self::Merchants => "merchants.csv",
            Self::Stores => "stores.csv",
            Self::Warehouses => "warehouses.csv",
            Self::Connections => "connections.csv",
            Self::AlertChannels => "alert_channels.csv",
            Self::AlertPolicies => "alert_policies.csv",
            Self::Webhooks => "webhooks.csv",
            Self::HandOffs => "hand_offs.csv",
            Self::People => "people.csv",
            Self::Invitations => "invitations.csv",
            Self::Keys => "keys.csv",
            Self::Tenants => "tenants.csv",
            Self::Backups => "backups.csv",
        }
    }

    /// Whether each entry belongs to one connection.
    fn is_of_connections(self) -> bool {
        !matches!(
            self,
            Self::Audit
                | Self::Events
                | Self::Deliveries
                | Self::Merchants
                | Self::Stores
                | Self::Warehouses
                | Self::Connections
                | Self::AlertChannels
                | Self::AlertPolicies
                | Self::Webhooks
                | Self::HandOffs
                | Self::People
                | Self::Invitations
                | Self::Keys
                | Self::Tenants
                | Self::Backups
        )
    }
}

/// Which part of it.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only of this connection (name or id), where what is exported is of one; drift is of the one that is named.
    pub connection: Option<String>,
    /// Of orders, their lines and requests, as in their list: in this state; several with commas. Without, all, archived ones too.
    pub state: Option<String>,
    /// Of orders and shipments with all that is theirs: found as their list finds it.
    pub text: Option<String>,
    /// Of orders, their lines and requests: of this merchant (name or id).
    pub merchant: Option<String>,
    /// Of orders, their lines and requests: placed at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub placed_from: Option<Timestamp>,
    /// Of orders, their lines and requests: placed before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub placed_to: Option<Timestamp>,
    /// Of shipments and their goods: known to Brightpearl in full, or not.
    pub confirmed: Option<bool>,
    /// Of shipments and their goods: with something that a person is needed for, or without.
    pub needs_person: Option<bool>,
}

impl ExportQuery {
    /// A filter that this kind does not have would be passed over, and the file hold what nobody wanted.
    fn fits(&self, kind: ExportKind) -> Result<(), Failure> {
        use ExportKind::{OrderLines, Orders, RequestLines, Requests, ShipmentLines, Shipments};
        let orders = matches!(kind, Orders | OrderLines | Requests | RequestLines);
        let shipments = matches!(kind, Shipments | ShipmentLines);
        let given = [
            ("connection", self.connection.is_some(), kind.is_of_connections()),
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
    let mut first = format!("{}\r\n", columns::of(kind));
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
    // A negative figure stays one: to a spreadsheet it means nothing but itself.
    let written = |text: String| if is_figure(&text) { text } else { cell(&text) };
    let mut line = cells.into_iter().map(written).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn is_figure(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
