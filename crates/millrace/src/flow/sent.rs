//! Orders that were sent: whether they still are what the source wants (docs/cancels-and-changes.md).

use std::collections::{BTreeMap, BTreeSet};

use connect::{BundleRole, Order, OrderLine, Product};
use engine::change;

use super::{
    FlowError,
    orders::{Read, SLICE, read},
};
use crate::{
    db::{Patience, SeenBy, WishOrigin},
    runtime::Runtime,
};

/// Looks at orders that are at the warehouse and not finished: a cancel or a change in the source shows here even when the
/// order left the scan with its status.
///
/// # Errors
/// As [`super::orders::run`].
pub async fn watch_sent(runtime: &Runtime) -> Result<(), FlowError> {
    if runtime.db.import_waits(&runtime.key).await?.is_some() {
        // After a loss, what was sent is not known before the connection is read again.
        return Ok(());
    }
    let open = runtime.db.open_sent_orders(&runtime.key).await?;
    look(runtime, &open).await.map(drop)
}

/// Reads orders that were sent, and writes down what was cancelled or changed. Which could be compared with what is wanted now.
///
/// # Errors
/// As [`super::orders::run`].
pub(super) async fn look(runtime: &Runtime, orders: &[i64]) -> Result<BTreeSet<i64>, FlowError> {
    let mut compared = BTreeSet::new();
    for slice in orders.chunks(SLICE) {
        let read = read(runtime, slice).await?;
        for order in read.orders.values().filter(|order| !read.busy.contains(&order.order_id)) {
            let mark = mark_of(runtime, order);
            match compare_sent(runtime, order, SeenBy::Passing(&mark), &read).await? {
                Compared::Same | Compared::Changed => {}
                Compared::NotKnown => continue,
                Compared::NothingThere => {
                    // Import plans it.
                    runtime.db.mark_seen(&runtime.key, order.order_id, "", None).await?;
                    runtime.wake.orders.notify_one();
                }
            }
            compared.insert(order.order_id);
        }
    }
    Ok(compared)
}

/// How long the warehouse has to answer a cancel, and who asks it then.
fn patience(runtime: &Runtime) -> Patience {
    Patience::of(&runtime.settings, &runtime.name, runtime.waits.factor)
}

/// What became of an order of which something may be at the warehouse.
pub(super) enum Compared {
    /// Nothing new.
    Same,
    /// It was cancelled or changed.
    Changed,
    /// It is not cancelled. Whether it changed is not known: the source would not tell what suppliers sent, and that is no change of
    /// what was sent, however much it looks like one.
    NotKnown,
    /// It was taken up again, and the warehouse has cancelled all it had: it is planned like a new one.
    NothingThere,
}

/// An order of which something may be at the warehouse: what was sent is never planned again. What was cancelled or changed
/// since is a race with the warehouse (docs/cancels-and-changes.md).
pub(super) async fn compare_sent(
    runtime: &Runtime,
    order: &Order,
    seen: SeenBy<'_>,
    read: &Read,
) -> Result<Compared, FlowError> {
    let (db, connection, order_id) = (&runtime.db, &runtime.key, order.order_id);
    if read.cancelled_status == Some(order.status_id) {
        let why = "cancelled in Brightpearl";
        db.want_cancel(connection, order_id, why, WishOrigin::Status, "", &patience(runtime)).await?;
        db.mark_compared(connection, order_id, seen).await?;
        runtime.wake.advance.notify_one();
        return Ok(Compared::Changed);
    }
    let mut sent = db.sent_requests(connection, order_id).await?;
    if sent.iter().any(|request| request.cancelled_by_status) {
        let nothing_there = db.take_back_cancel(connection, order_id, read.as_of).await?;
        runtime.wake.advance.notify_one();
        if nothing_there {
            return Ok(Compared::NothingThere);
        }
        sent = db.sent_requests(connection, order_id).await?;
    }
    if let Some(why) = read.drop_ship_unread.get(&order_id) {
        tracing::warn!(
            connection.id = %connection.connection,
            "order {order_id} cannot be compared with what was sent: what suppliers sent of it cannot be read: {why}"
        );
        return Ok(Compared::NotKnown);
    }
    let sent: Vec<change::Sent> = sent.into_iter().map(|request| request.sent).collect();
    let differences = change::compare(
        &sent,
        &change::Now {
            order,
            notes: read.notes.get(&order_id).map_or(&[], Vec::as_slice),
            drop_shipped: &read.drop_shipped,
            warehouses: &runtime.settings.warehouses_in_scope(),
            ships: &|line: &OrderLine| ships(line, &read.products),
        },
    );
    let new = db
        .note_changes(connection, order_id, read.as_of, differences, runtime.settings.on_change, &patience(runtime))
        .await?;
    db.mark_compared(connection, order_id, seen).await?;
    if new {
        runtime.wake.advance.notify_one();
    }
    Ok(if new { Compared::Changed } else { Compared::Same })
}

pub(super) fn ships(line: &OrderLine, products: &BTreeMap<i64, Product>) -> bool {
    line.bundle != BundleRole::Parent
        && line
            .product_id
            .and_then(|product| products.get(&product))
            .is_some_and(|product| product.stock_tracked && product.components.is_empty())
}

/// The mark of an order that was read without the scan.
pub(super) fn mark_of(runtime: &Runtime, order: &Order) -> String {
    let updated = order.updated_at.map(|at| at.to_string()).unwrap_or_default();
    format!("{}/{updated}#{}", order.status_id, runtime.revision)
}
