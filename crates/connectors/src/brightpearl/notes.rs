//! Reading goods-out notes: the scan of unshipped ones, and notes by order or by id.

use std::collections::{BTreeMap, BTreeSet};

use connect::NoteScan;
use rust_decimal::Decimal;

use super::{
    client::{Client, Failure, Purpose},
    idset,
    lenient::{IdMap, whole},
    map::{self, NoteDetail},
    search::{self, Filter, Query},
    wire,
};

/// The most ids of one goods-out note GET (Brightpearl API docs: warehouse-service/goods-out-note/get).
const NOTES_PER_CALL: usize = 500;

/// Every unshipped note of these warehouses (all of them when none is named), transfers left out.
pub(super) async fn scan(client: &Client, purpose: Purpose, warehouses: &BTreeSet<i64>) -> Result<NoteScan, Failure> {
    let mut filters = vec![("shipped", Filter::text("false"))];
    if !warehouses.is_empty() {
        filters.push(("warehouseId", Filter::Any(warehouses.clone())));
    }
    let query = Query {
        path: "warehouse-service/goods-note/goods-out-search",
        columns: &["goodsOutNoteId", "orderId"],
        filters,
    };
    let rows = search::all(client, purpose, &query).await?;
    let ids = |row: &search::Row| match row.as_slice() {
        [note_id, order_id] => Some((whole(order_id).unwrap_or(0), whole(note_id)?)),
        _ => None,
    };
    // Notes that move stock between warehouses have no order.
    let notes = rows.iter().filter_map(ids).filter(|(order_id, _)| *order_id > 0).collect();
    Ok(NoteScan { notes })
}

/// Every note of these orders, by note id, whoever made it and in whichever warehouse.
pub(super) async fn of_orders(
    client: &Client,
    purpose: Purpose,
    order_ids: &[i64],
) -> Result<BTreeMap<i64, NoteDetail>, Failure> {
    let groups = idset::chunks(order_ids, NOTES_PER_CALL);
    read(client, purpose, groups, |ids| {
        format!("warehouse-service/order/{}/goods-note/goods-out/", idset::compact(ids))
    })
    .await
}

/// These notes, by id. Those that do not exist are left out.
pub(super) async fn by_id(
    client: &Client,
    purpose: Purpose,
    note_ids: &[i64],
) -> Result<BTreeMap<i64, NoteDetail>, Failure> {
    let groups = idset::chunks(note_ids, NOTES_PER_CALL);
    read(client, purpose, groups, |ids| {
        format!("warehouse-service/order/*/goods-note/goods-out/{}", idset::compact(ids))
    })
    .await
}

/// Units of each row of an order that goods-out and drop-ship notes ask for (Brightpearl API docs:
/// warehouse-service/fulfilment-status/get).
pub(super) async fn fulfilled(
    client: &Client,
    purpose: Purpose,
    order_id: i64,
) -> Result<BTreeMap<i64, Decimal>, Failure> {
    let path = format!("warehouse-service/order/{order_id}/fulfilment-status");
    let rows: IdMap<wire::RowFulfilment> = match client.get(purpose, &path).await {
        // Only the API's own word that there is none, or no such thing. Any other refusal says nothing of what a supplier sends, and
        // taken for nothing it would have the goods sent a second time.
        Err(Failure::Refused { status: 404, code, .. }) if code == "CMNC-404" => return Ok(BTreeMap::new()),
        answer => answer?,
    };
    Ok(rows.0.into_iter().map(|(row_id, row)| (row_id, row.fulfilled.or_zero())).collect())
}

async fn read(
    client: &Client,
    purpose: Purpose,
    groups: Vec<BTreeSet<i64>>,
    path: impl Fn(&BTreeSet<i64>) -> String,
) -> Result<BTreeMap<i64, NoteDetail>, Failure> {
    let answers: Vec<IdMap<wire::GoodsOutNote>> = client.get_set(purpose, groups, path).await?;
    let notes = answers.into_iter().flat_map(|notes| notes.0);
    notes.map(|(note_id, note)| map::to_note(note_id, note).map(|note| (note_id, note))).collect()
}
