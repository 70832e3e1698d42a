//! What moved in a warehouse: the account's goods movements, and the words of its stock corrections.

use std::collections::BTreeSet;

use connect::{MovementKind, StockMovement};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    client::{Client, Failure, Missing, Purpose},
    idset,
    lenient::{self, whole},
    search::{self, Filter, Query},
    wire,
};

/// The most ids of one stock-correction GET (Brightpearl API docs: warehouse-service/stock-correction/get).
const NOTES_PER_CALL: usize = 200;
/// The most products one search is asked for: a longer list makes an address that something on the way may refuse.
const PRODUCTS_PER_SEARCH: usize = 200;

/// A stock correction as the account keeps it: its note, its words, and what moved.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    pub(super) note_id: i64,
    pub(super) reason: String,
    /// Product and signed quantity.
    pub(super) moved: Vec<(i64, Decimal)>,
    /// When it was made, where the answer says so.
    pub(super) made_at: Option<Timestamp>,
}

/// What moved of these products in one warehouse since a time. What lies in quarantine is in no figure and left out.
pub(super) async fn since(
    client: &Client,
    purpose: Purpose,
    warehouse_id: i64,
    product_ids: &BTreeSet<i64>,
    since: Timestamp,
) -> Result<Vec<StockMovement>, Failure> {
    let mut found = Vec::new();
    for products in idset::chunks(&product_ids.iter().copied().collect::<Vec<_>>(), PRODUCTS_PER_SEARCH) {
        let query = Query {
            path: "warehouse-service/goods-movement-search",
            columns: &[
                "goodsMovementId",
                "productId",
                "quantity",
                "goodsNoteId",
                "goodsNoteTypeCode",
                "orderId",
                "isQuarantine",
                "updatedOn",
            ],
            filters: vec![
                ("warehouseId", Filter::Any(BTreeSet::from([warehouse_id]))),
                ("updatedOn", Filter::text(format!("{}/", lenient::time_text(since)))),
                ("productId", Filter::Any(products)),
            ],
        };
        let rows = search::all(client, purpose, &query).await?;
        found.extend(rows.iter().filter_map(|row| movement(row)));
    }
    Ok(found)
}

fn movement(row: &[Value]) -> Option<StockMovement> {
    let [_, product, quantity, note, code, order, quarantine, at] = row else { return None };
    if quarantine.as_bool() == Some(true) {
        return None;
    }
    Some(StockMovement {
        product_id: whole(product)?,
        quantity: lenient::decimal(quantity)?,
        kind: match code.as_str() {
            Some("SC") => MovementKind::Correction,
            Some("GO") => MovementKind::GoodsOut,
            Some("GI") => MovementKind::GoodsIn,
            _ => MovementKind::Other,
        },
        note_id: whole(note)?,
        order_id: whole(order).filter(|order| *order > 0),
        reason: String::new(),
        at: at.as_str().and_then(lenient::moment)?,
    })
}

/// These stock corrections of a warehouse, with their words.
pub(super) async fn corrections(
    client: &Client,
    purpose: Purpose,
    warehouse_id: i64,
    note_ids: &BTreeSet<i64>,
) -> Result<Vec<Correction>, Failure> {
    let notes: Vec<i64> = note_ids.iter().copied().collect();
    let answers: Vec<Vec<wire::StockCorrectionNote>> = client
        .get_set(purpose, idset::chunks(&notes, NOTES_PER_CALL), Missing::All, |ids| {
            format!("warehouse-service/warehouse/{warehouse_id}/stock-correction/{}", idset::compact(ids))
        })
        .await?;
    let correction = |note: wire::StockCorrectionNote| Correction {
        note_id: note.goods_note_id.0,
        moved: note.goods_moved.iter().map(|moved| (moved.product_id.0, moved.quantity.or_zero())).collect(),
        made_at: note.goods_moved.iter().find_map(|moved| moved.created_on.0),
        reason: note.reason.0,
    };
    Ok(answers.into_iter().flatten().map(correction).collect())
}

#[cfg(test)]
mod tests {
    use connect::MovementKind;
    use serde_json::json;

    use super::movement;

    #[test]
    fn rows_are_read_and_quarantine_is_left_out() {
        let row = |code: &str, order: serde_json::Value, quarantine: bool| {
            [
                json!(510_001),
                json!(1010),
                json!(-5),
                json!(8796),
                json!(code),
                order,
                json!(quarantine),
                json!("2026-02-03T18:16:37.000+00:00"),
            ]
        };
        let moved = movement(&row("SC", json!(null), false)).unwrap();
        assert_eq!((moved.product_id, moved.note_id, moved.order_id), (1010, 8796, None));
        assert_eq!((moved.quantity, moved.kind), ((-5).into(), MovementKind::Correction));
        assert_eq!(movement(&row("GO", json!(6), false)).unwrap().order_id, Some(6));
        assert_eq!(movement(&row("IT", json!(0), false)).unwrap().kind, MovementKind::Other);
        assert_eq!(movement(&row("GI", json!(6), true)), None);
        assert_eq!(movement(&[json!(1)]), None);
    }
}
