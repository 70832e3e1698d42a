//! Reading orders: the complete scan of what is in scope, and orders by id.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Order, OrderFilter, OrderHead, OrderScan};

use super::{
    client::{Client, Failure, Purpose},
    idset,
    lenient::{time_text, whole},
    map,
    search::{self, Filter, Query},
    wire,
};

/// The most ids of one order GET (Brightpearl API docs: order-service/order/get).
const ORDERS_PER_CALL: usize = 200;

/// Every sales order in scope that is not yet shipped, whole or in part.
///
/// Channels cannot be searched for, and `placedOn` neither (`createdOn` is another time: orders are imported late), so
/// those two parts of the filter are the caller's after reading.
pub(super) async fn scan(client: &Client, filter: &OrderFilter) -> Result<OrderScan, Failure> {
    // Not shipped, and part shipped.
    heads(client, filter, ("orderShippingStatusId", Filter::Any(BTreeSet::from([2, 3])))).await
}

/// Every sales order in scope that changed since, shipped or not. One that was never changed has no time of change and is
/// not found: its status is then the one it was made with.
pub(super) async fn scan_changed(
    client: &Client,
    filter: &OrderFilter,
    since: jiff::Timestamp,
) -> Result<OrderScan, Failure> {
    heads(client, filter, ("updatedOn", Filter::text(format!("{}/", time_text(since))))).await
}

/// Every sales order made since, whatever its status, by id. `createdOn` is the time it came into Brightpearl, which is what a
/// hub would have seen; `placedOn` may be much earlier, and cannot be searched for.
pub(super) async fn scan_history(
    client: &Client,
    purpose: Purpose,
    since: jiff::Timestamp,
) -> Result<Vec<i64>, Failure> {
    let filters =
        vec![("orderTypeId", Filter::text("1")), ("createdOn", Filter::text(format!("{}/", time_text(since))))];
    let query = Query { path: "order-service/order-search", columns: &["orderId"], filters };
    let rows = search::all(client, purpose, &query).await?;
    let ids = rows.iter().map(|row| row.first().and_then(whole)).collect::<Option<Vec<_>>>();
    ids.ok_or_else(|| Failure::Unreadable("a row of order-search has no id".to_owned()))
}

async fn heads(client: &Client, filter: &OrderFilter, more: (&'static str, Filter)) -> Result<OrderScan, Failure> {
    let mut filters = vec![("orderTypeId", Filter::text("1")), more];
    if !filter.statuses.is_empty() {
        filters.push(("orderStatusId", Filter::Any(filter.statuses.clone())));
    }
    if !filter.warehouses.is_empty() {
        filters.push(("warehouseId", Filter::Any(filter.warehouses.clone())));
    }
    let query =
        Query { path: "order-service/order-search", columns: &["orderId", "orderStatusId", "updatedOn"], filters };
    let rows = search::all(client, Purpose::orders("order_search"), &query).await?;
    let head = |row: &search::Row| match row.as_slice() {
        [order_id, status_id, updated] => Some(OrderHead {
            order_id: whole(order_id)?,
            status_id: whole(status_id)?,
            updated: updated.as_str().unwrap_or_default().to_owned(),
        }),
        _ => None,
    };
    let heads = rows.iter().map(head).collect::<Option<Vec<_>>>();
    let heads = heads.ok_or_else(|| Failure::Unreadable("a row of order-search has no status".to_owned()))?;
    Ok(OrderScan { heads })
}

/// The orders as they are now, by id. Those that do not exist are left out: Brightpearl answers them with an empty
/// list.
pub(super) async fn read(client: &Client, purpose: Purpose, ids: &[i64]) -> Result<BTreeMap<i64, Order>, Failure> {
    let groups = idset::chunks(ids, ORDERS_PER_CALL);
    let answers: Vec<Vec<wire::Order>> =
        client.get_set(purpose, groups, |ids| format!("order-service/order/{}", idset::compact(ids))).await?;
    let orders = answers.into_iter().flatten().map(|order| map::to_order(order).map(|order| (order.order_id, order)));
    orders.collect()
}

/// The notes on one order, each with its text.
pub(super) async fn read_order_notes(
    client: &Client,
    purpose: Purpose,
    order_id: i64,
) -> Result<Vec<wire::OrderNote>, Failure> {
    match client.get(purpose, &format!("order-service/order/{order_id}/note")).await {
        Err(failure) if failure.is_not_found() => Ok(Vec::new()),
        answer => answer,
    }
}
