//! Orders: lists, one with everything about it, and what a person can do with it.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Address, MerchantId, OrderId};
use engine::order::OrderState;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, PageOut, Problem, Role,
    activity::DeedOut,
    connections,
    desk::PriceOut,
    effects::{AttemptOut, EffectOut},
    endpoints,
    explain::{self, ExplainOut},
    limit,
    order_edits::{self, OrderEditOut},
    races::{self, RaceOut},
    reason,
    shipments::ShipmentOut,
    switches,
};
use crate::db::{
    AuditQuery, ChannelKind, FoundOrder, OrderDetail, OrderQuery, OrderView, RequestView, Scope, WishOrigin,
};

/// Which orders.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct OrdersQuery {
    /// In this state; several with commas. Without, all but archived ones.
    pub state: Option<String>,
    /// With words that begin so, all of them: number, reference, names, address, e-mail, SKU or tracking number.
    pub text: Option<String>,
    /// Of this merchant (name or id).
    pub merchant: Option<String>,
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Placed at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub placed_from: Option<Timestamp>,
    /// Placed before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub placed_to: Option<Timestamp>,
    /// First imported at or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub imported_from: Option<Timestamp>,
    /// First imported before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub imported_to: Option<Timestamp>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

impl OrdersQuery {
    /// A page of all that there are, archived ones too.
    pub fn every(connection: Option<String>, limit: u32, cursor: Option<String>) -> Self {
        let state = Some(OrderState::ALL.map(OrderState::as_str).join(","));
        Self { state, connection, limit: Some(limit), cursor, ..Self::default() }
    }
}

/// An order in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderOut {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub merchant: String,
    /// The connection that imported it.
    pub connection: String,
    /// Brightpearl's order number.
    pub number: i64,
    /// The customer's or shop's reference.
    pub reference: String,
    /// Name and place.
    pub ship_to: String,
    /// When the customer placed it.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// When it was first imported.
    #[schema(value_type = String, format = DateTime)]
    pub imported_at: Timestamp,
    /// When its state last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// `new`, `held`, `queued`, `open`, `partly_shipped`, `shipped`, `closed`, `skipped`, `cancelled`, `error`, `archived`.
    pub state: String,
    /// Why.
    pub reason: String,
}

impl From<OrderView> for OrderOut {
    fn from(view: OrderView) -> Self {
        Self {
            id: view.id.to_string(),
            merchant: view.merchant.to_string(),
            connection: view.connection.to_string(),
            number: view.order_id,
            reference: view.reference,
            ship_to: view.ship_to,
            placed_at: view.placed_at,
            imported_at: view.imported_at,
            changed_at: view.changed_at,
            state: view.state.as_str().to_owned(),
            reason: view.reason,
        }
    }
}

/// An order with everything about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderDetailOut {
    /// As in the list.
    #[serde(flatten)]
    pub order: OrderOut,
    /// Where it goes, as edited.
    pub deliver_to: AddressOut,
    /// The account's id of the shipping method, as edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_method: Option<i64>,
    /// Wanted by, as edited. A day without a time is midnight UTC of that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deliver_on: Option<Timestamp>,
    /// Words for the warehouse, as edited.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// What was edited here, beside what Brightpearl says.
    pub edits: Vec<OrderEditOut>,
    /// Grows with every edit; give it back with the next one.
    pub edition: i64,
    /// Its lines, as Brightpearl held them when it was last planned.
    pub lines: Vec<LineOut>,
    /// What was asked of the warehouse.
    pub requests: Vec<RequestOut>,
    /// What has left, oldest first.
    pub shipments: Vec<ShipmentOut>,
    /// The changes made or to be made for it, oldest first.
    pub effects: Vec<EffectOut>,
    /// What was done for it, oldest first.
    pub timeline: Vec<AttemptOut>,
    /// What people did with it here, oldest first; for staff and administrators.
    pub history: Vec<DeedOut>,
    /// Why it is where it is.
    pub explain: ExplainOut,
}

/// A postal address.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AddressOut {
    /// The person.
    pub name: String,
    /// The company.
    pub company: String,
    /// First street line.
    pub line1: String,
    /// Second street line.
    pub line2: String,
    /// Town or city.
    pub city: String,
    /// State, province or county.
    pub state: String,
    /// Postal code.
    pub postcode: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// Telephone.
    pub phone: String,
    /// E-mail.
    pub email: String,
}

impl From<Address> for AddressOut {
    fn from(address: Address) -> Self {
        let Address { name, company, line1, line2, city, state, postcode, country, phone, email } = address;
        Self { name, company, line1, line2, city, state, postcode, country, phone, email }
    }
}

/// A line of an order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineOut {
    /// Brightpearl's row id.
    pub row: i64,
    /// Brightpearl's product id; absent for free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<i64>,
    /// SKU.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Ordered quantity.
    #[schema(value_type = String)]
    pub quantity: Decimal,
    /// What of it has left, as far as is known here.
    #[schema(value_type = String)]
    pub shipped: Decimal,
    /// What one costs the customer, as Brightpearl says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<PriceOut>,
}

/// Most of what people did with an order that is shown with it.
const HISTORY: u32 = 200;

/// What was asked of a warehouse.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestOut {
    /// Its id.
    pub id: String,
    /// Its key at the warehouse.
    pub key: String,
    /// The goods-out note that is the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<i64>,
    /// Given up before anything was sent, or cancelled at the warehouse and planned anew under another key.
    pub given_up: bool,
    /// The warehouse says nothing more will leave.
    pub finished: bool,
    /// A cancel is wanted: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_wanted: Option<String>,
    /// What a person is needed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The time for second thoughts runs until then: a cancel or change before costs nothing at the warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub leaves_at: Option<Timestamp>,
    /// A cancel or change that came after it was sent, and how it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub race: Option<RaceOut>,
    /// What is asked for.
    pub lines: Vec<RequestLineOut>,
}

impl From<RequestView> for RequestOut {
    fn from(request: RequestView) -> Self {
        let line = |line: connect::RequestLine| RequestLineOut {
            line: line.line_number,
            sku: line.sku,
            quantity: line.quantity,
            row: line.row_id,
        };
        Self {
            id: request.id,
            key: request.key,
            note: request.note_id,
            given_up: !request.live,
            finished: request.finished,
            cancel_wanted: request.cancel_wanted,
            problem: request.problem,
            leaves_at: request.leaves_at,
            race: request.race.map(RaceOut::from),
            lines: request.lines.into_iter().map(line).collect(),
        }
    }
}

/// A line of a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestLineOut {
    /// Its number.
    pub line: u32,
    /// The warehouse's SKU.
    pub sku: String,
    /// Units asked for.
    #[schema(value_type = String)]
    pub quantity: Decimal,
    /// Brightpearl's row it ships.
    pub row: i64,
}

/// The warehouse does not have it and nobody had asked for that: it was cancelled there, or could not be read.
fn not_there_unasked(request: &RequestView) -> bool {
    request.live && (request.cancelled_there || request.turned_down) && request.race.is_none()
}

/// The states named, separated by commas.
fn states(text: Option<&str>) -> Result<Vec<OrderState>, Failure> {
    let named = text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    named
        .map(|name| {
            name.parse().map_err(|_| {
                let all = OrderState::ALL.map(OrderState::as_str).join(", ");
                Failure::invalid(
                    format!("{} is not a state; there are: {all}", super::quoted(name)),
                    vec![Problem::new("state", format!("choose among: {all}"))],
                )
            })
        })
        .collect()
}

/// The orders the caller may see, newest first.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn list(hub: &Hub, caller: &Caller, query: OrdersQuery) -> Result<PageOut<OrderOut>, Failure> {
    let query = asked(hub, caller, query).await?;
    let page = hub.db.list_orders(&caller.access(), query).await?;
    Ok(PageOut { items: page.items.into_iter().map(OrderOut::from).collect(), next: page.next })
}

/// As [`list`], each with what was asked of warehouses for it.
pub(super) async fn with_requests(
    hub: &Hub,
    caller: &Caller,
    query: OrdersQuery,
) -> Result<PageOut<(OrderOut, Vec<RequestOut>)>, Failure> {
    let page = hub.db.list_orders(&caller.access(), asked(hub, caller, query).await?).await?;
    let mut by_merchant: BTreeMap<MerchantId, BTreeSet<OrderId>> = BTreeMap::new();
    for order in &page.items {
        by_merchant.entry(order.merchant.clone()).or_default().insert(order.id.clone());
    }
    let mut requests = BTreeMap::new();
    for (merchant, orders) in by_merchant {
        requests.extend(hub.db.requests(&Scope { tenant: caller.tenant.clone(), merchant }, orders).await?);
    }
    let with = |order: OrderView| {
        let requests = requests.remove(&order.id).unwrap_or_default();
        (OrderOut::from(order), requests.into_iter().map(RequestOut::from).collect())
    };
    Ok(PageOut { items: page.items.into_iter().map(with).collect(), next: page.next })
}

/// The query as the database is asked it.
///
/// # Errors
/// When it names what does not exist.
pub(super) async fn asked(hub: &Hub, caller: &Caller, query: OrdersQuery) -> Result<OrderQuery, Failure> {
    let connection = match &query.connection {
        Some(named) => Some(connections::find(hub, caller, named).await?.connection),
        None => None,
    };
    let merchant = match &query.merchant {
        Some(named) => Some(super::id(&endpoints::merchant(hub, caller, named).await?.id)?),
        None => None,
    };
    Ok(OrderQuery {
        connection,
        merchant,
        states: states(query.state.as_deref())?,
        text: query.text.unwrap_or_default(),
        placed_from: query.placed_from,
        placed_to: query.placed_to,
        imported_from: query.imported_from,
        imported_to: query.imported_to,
        after: query.cursor,
        limit: limit(query.limit),
    })
}

/// How many orders there are of each state.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderCountsOut {
    /// All of them, archived ones left out.
    pub total: i64,
    /// By state; every state is there.
    pub states: BTreeMap<String, i64>,
}

/// How many of the orders that a list would show are in each state, whatever states the query names.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn counts(hub: &Hub, caller: &Caller, query: OrdersQuery) -> Result<OrderCountsOut, Failure> {
    let query = asked(hub, caller, query).await?;
    let counted = hub.db.count_orders(&caller.access(), query).await?;
    let count = |state: &OrderState| counted.get(state).copied().unwrap_or_default();
    let total = OrderState::ALL.iter().filter(|state| **state != OrderState::Archived).map(count).sum();
    Ok(OrderCountsOut {
        total,
        states: OrderState::ALL.iter().map(|state| (state.as_str().to_owned(), count(state))).collect(),
    })
}

/// One order with everything about it.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<OrderDetailOut, Failure> {
    let found = hub.db.find_order(&caller.access(), named).await?;
    let detail = hub.db.order(&found.key.scope, &found.id).await?;
    let connection = hub.db.connection(&found.key, &hub.keyring).await?;
    let explain = {
        let ids: Vec<(String, &crate::db::EffectView)> =
            detail.effects.iter().map(|effect| (effect.id.to_string(), effect)).collect();
        let effects = ids.iter().filter_map(|(id, effect)| super::effects::facts(id, effect)).collect();
        explain::order(&explain::OrderFacts {
            id: detail.view.id.as_str(),
            state: detail.view.state,
            reason: &detail.view.reason,
            held_by_person: detail.view.held_reason.is_some(),
            connection: &connection.name,
            enabled: connection.enabled,
            paused: connection.paused.values().next().map(String::as_str),
            races: detail
                .requests
                .iter()
                .filter(|request| request.live)
                .filter_map(|request| request.race.as_ref().map(|race| &race.shown))
                .collect(),
            leaves: detail.requests.iter().any(|request| request.live && request.leaves_at.is_some()),
            sent: detail.requests.iter().any(|request| request.live && request.sent),
            not_there: detail.view.state == OrderState::Error && detail.requests.iter().any(not_there_unasked),
            effects,
        })
    };
    let OrderDetail { view, mut order, requests, shipments, effects, attempts, edits, edition } = detail;
    let shown_edits = edits.iter().map(|edit| order_edits::out(edit, &order)).collect();
    let edits: Vec<engine::edit::Edit> = edits.into_iter().map(|view| view.edit).collect();
    engine::edit::lay_over(&mut order, &edits);
    let mut shipped: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in shipments.iter().flat_map(|shipment| &shipment.rows) {
        *shipped.entry(row.row_id).or_default() += row.quantity;
    }
    let history = history(hub, caller, &found).await?;
    Ok(OrderDetailOut {
        order: OrderOut::from(view),
        ship_method: order.ship_method_id,
        deliver_on: order.deliver_on,
        notes: order.notes,
        edits: shown_edits,
        edition,
        deliver_to: AddressOut::from(order.deliver_to),
        lines: order
            .lines
            .into_iter()
            .map(|line| LineOut {
                row: line.row_id,
                product: line.product_id,
                sku: line.sku,
                name: line.name,
                quantity: line.quantity,
                shipped: shipped.get(&line.row_id).copied().unwrap_or_default().normalize(),
                unit_price: line.unit_price.map(PriceOut::from),
            })
            .collect(),
        requests: requests.into_iter().map(RequestOut::from).collect(),
        shipments: shipments.into_iter().map(ShipmentOut::from).collect(),
        effects: effects.into_iter().map(EffectOut::from).collect(),
        timeline: attempts.into_iter().map(AttemptOut::from).collect(),
        history,
        explain,
    })
}

async fn history(hub: &Hub, caller: &Caller, found: &FoundOrder) -> Result<Vec<DeedOut>, Failure> {
    if caller.needs(Role::Staff).is_err() {
        return Ok(Vec::new());
    }
    let query = AuditQuery { target: found.id.to_string(), limit: HISTORY, ..AuditQuery::default() };
    let mut rows = hub.db.list_audit(&caller.access(), query).await?;
    rows.reverse();
    Ok(rows.into_iter().map(DeedOut::from).collect())
}

/// Has an order read again and planned anew, now. What is at the warehouse already is not sent again.
///
/// # Errors
/// When there is none for this caller.
pub async fn retry(hub: &Hub, caller: &Caller, named: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    // Without the mark of its last change, import takes it up whatever the scan says.
    hub.db.look_afresh(&found.key, found.order_id).await?;
    note(hub, caller, "order.retry", &found, &serde_json::json!({})).await?;
    switches::want(hub, &found.key, ChannelKind::Orders, None).await?;
    after(hub, &found).await
}

/// Holds an order back. What is at the warehouse already is not touched.
///
/// # Errors
/// When there is none for this caller, or no reason is given.
pub async fn hold(hub: &Hub, caller: &Caller, named: &str, why: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let why = reason(why)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    hub.db.held_by_person(&found.key, &found.id, Some(why), &caller.actor).await?;
    after(hub, &found).await
}

/// Lets a held order go on, or takes an archived one out again.
///
/// # Errors
/// When there is none for this caller.
pub async fn release(hub: &Hub, caller: &Caller, named: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    if after(hub, &found).await?.state == OrderState::Archived.as_str() {
        hub.db.archive_order(&found.key, &found.id, false, &caller.actor).await?;
    }
    hub.db.held_by_person(&found.key, &found.id, None, &caller.actor).await?;
    if let Some(runtime) = hub.workers.runtime(&found.key) {
        runtime.wake.warehouse.notify_one();
    }
    switches::want(hub, &found.key, ChannelKind::Orders, None).await?;
    after(hub, &found).await
}

/// Puts an order away. What was not sent of it is given up.
///
/// # Errors
/// When there is none for this caller.
pub async fn archive(hub: &Hub, caller: &Caller, named: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    hub.db.archive_order(&found.key, &found.id, true, &caller.actor).await?;
    after(hub, &found).await
}

/// Takes an archived order out again: import looks at it.
///
/// # Errors
/// When there is none for this caller, or it is not archived.
pub async fn unarchive(hub: &Hub, caller: &Caller, named: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    if after(hub, &found).await?.state != OrderState::Archived.as_str() {
        return Err(Failure::conflict("it is not archived"));
    }
    hub.db.archive_order(&found.key, &found.id, false, &caller.actor).await?;
    switches::want(hub, &found.key, ChannelKind::Orders, None).await?;
    after(hub, &found).await
}

/// Stops an order: what was not sent is given up, what was is asked back from the warehouse.
///
/// # Errors
/// When there is none for this caller, or no reason is given.
pub async fn cancel(hub: &Hub, caller: &Caller, named: &str, why: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let why = reason(why)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    let patience = races::patience(hub, &found.key).await?;
    hub.db.want_cancel(&found.key, found.order_id, why, WishOrigin::Person, &caller.actor, &patience).await?;
    note(hub, caller, "order.cancel", &found, &serde_json::json!({ "reason": why })).await?;
    races::wake(hub, &found.key);
    after(hub, &found).await
}

async fn note(
    hub: &Hub,
    caller: &Caller,
    action: &str,
    found: &FoundOrder,
    detail: &serde_json::Value,
) -> Result<(), Failure> {
    Ok(hub.db.audit(&caller.access(), &caller.actor, action, found.id.as_str(), detail).await?)
}

pub(super) async fn after(hub: &Hub, found: &FoundOrder) -> Result<OrderOut, Failure> {
    Ok(OrderOut::from(hub.db.order(&found.key.scope, &found.id).await?.view))
}
