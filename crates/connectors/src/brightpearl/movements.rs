//! What moved in a warehouse: the account's goods movements, and the words of its stock corrections.

use std::collections::{BTreeMap, BTreeSet};

use connect::{MovementKind, StockMovement};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    client::{Client, Failure, Purpose},
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

/// What moved of these products in one warehouse since a time. What went into quarantine is in no figure and left out (it comes into
/// the figures with a movement of its own when it is released), and so is what has not moved yet: goods that wait on an unshipped
/// note are still in stock.
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
                "isCleared",
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
    let [_, product, quantity, note, code, order, cleared, quarantine, at] = row else { return None };
    // Goods on a note move when it is shipped or received. A correction is one from the start, and its marker must be found.
    let waits = cleared.as_bool() == Some(false) && code.as_str() != Some("SC");
    if waits || quarantine.as_bool() == Some(true) {
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
        .get_set(purpose, idset::chunks(&notes, NOTES_PER_CALL), |ids| {
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

/// How often the change of each of the hub's markers was made in a warehouse since a time.
pub(super) async fn markers(
    client: &Client,
    warehouse_id: i64,
    since: Timestamp,
) -> Result<BTreeMap<String, u32>, Failure> {
    const PURPOSE: Purpose = Purpose::sweeps("stock_read");
    let query = Query {
        path: "warehouse-service/goods-movement-search",
        columns: &["goodsMovementId", "goodsNoteId", "goodsNoteTypeCode"],
        filters: vec![
            ("warehouseId", Filter::Any(BTreeSet::from([warehouse_id]))),
            ("goodsNoteTypeCode", Filter::text("SC")),
            ("updatedOn", Filter::text(format!("{}/", lenient::time_text(since)))),
        ],
    };
    let rows = search::all(client, PURPOSE, &query).await?;
    let is_correction = |row: &&search::Row| row.get(2).and_then(Value::as_str) == Some("SC");
    let notes = rows.iter().filter(is_correction).filter_map(|row| row.get(1).and_then(whole)).collect();
    let corrections = corrections(client, PURPOSE, warehouse_id, &notes).await?;
    Ok(times_made(&corrections))
}

/// How often each marked change was made. One removal may come as several movements, each with a note of its own: only notes
/// that move the very same count as repeats.
fn times_made(corrections: &[Correction]) -> BTreeMap<String, u32> {
    type Moved = BTreeMap<i64, Decimal>;
    let mut made: BTreeMap<&str, BTreeMap<Moved, BTreeSet<i64>>> = BTreeMap::new();
    for correction in corrections {
        let Some(marker) = marker(&correction.reason) else { continue };
        let mut moved = Moved::new();
        for (product_id, quantity) in &correction.moved {
            *moved.entry(*product_id).or_default() += *quantity;
        }
        made.entry(marker).or_default().entry(moved).or_default().insert(correction.note_id);
    }
    let most = |changes: &BTreeMap<Moved, BTreeSet<i64>>| changes.values().map(BTreeSet::len).max().unwrap_or(0);
    made.iter()
        .map(|(marker, changes)| ((*marker).to_owned(), u32::try_from(most(changes)).unwrap_or(u32::MAX)))
        .collect()
}

/// The hub's marker in the words of a correction, whatever became of the brackets around it.
fn marker(reason: &str) -> Option<&str> {
    const LENGTH: usize = 26;
    let (_, rest) = reason.split_once("hub:")?;
    let marker = rest.get(..LENGTH)?;
    marker.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).then_some(marker)
}

#[cfg(test)]
mod tests {
    use connect::MovementKind;
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::{Correction, movement, times_made};

    #[test]
    fn rows_are_read_and_what_is_in_no_figure_is_left_out() {
        let with = |code: &str, order: serde_json::Value, cleared: serde_json::Value, quarantine: bool| {
            [
                json!(510_001),
                json!(1010),
                json!(-5),
                json!(8796),
                json!(code),
                order,
                cleared,
                json!(quarantine),
                json!("2026-02-03T18:16:37.000+00:00"),
            ]
        };
        let row = |code: &str, order: serde_json::Value, quarantine| with(code, order, json!(true), quarantine);
        let moved = movement(&row("SC", json!(null), false)).unwrap();
        assert_eq!((moved.product_id, moved.note_id, moved.order_id), (1010, 8796, None));
        assert_eq!((moved.quantity, moved.kind), ((-5).into(), MovementKind::Correction));
        assert_eq!(movement(&row("GO", json!(6), false)).unwrap().order_id, Some(6));
        assert_eq!(movement(&row("IT", json!(0), false)).unwrap().kind, MovementKind::Other);
        assert_eq!(movement(&row("GI", json!(6), true)), None);
        assert_eq!(movement(&with("GO", json!(6), json!(false), false)), None);
        assert!(movement(&with("GO", json!(6), json!(null), false)).is_some(), "it need not say");
        assert!(movement(&with("SC", json!(null), json!(false), false)).is_some(), "its marker must be found");
        assert_eq!(movement(&[json!(1)]), None);
    }

    #[test]
    fn a_marker_counts_twice_only_where_the_same_change_was_made_twice() {
        let note = |note_id, marker: &str, moved: i64| Correction {
            note_id,
            reason: format!("Count &#91;hub:{marker}&#93;"),
            moved: vec![(7, Decimal::from(moved))],
            made_at: None,
        };
        let (once, twice, parts) =
            ("01JEXAMPLE0123456789ABCDEF", "01JEXAMPLE0123456789ABCDEG", "01JEXAMPLE0123456789ABCDEH");
        let unmarked =
            Correction { note_id: 9, reason: "Counted [hub:short]".to_owned(), moved: Vec::new(), made_at: None };
        let times = times_made(&[
            note(1, once, -3),
            note(1, once, -3),
            note(2, twice, 4),
            note(3, twice, 4),
            note(4, parts, -1),
            note(5, parts, -2),
            unmarked,
        ]);
        let expected = [(once, 1), (twice, 2), (parts, 1)].map(|(marker, times)| (marker.to_owned(), times));
        assert_eq!(times, expected.into());
    }
}
