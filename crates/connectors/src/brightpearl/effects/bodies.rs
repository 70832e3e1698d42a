//! Planning: the frozen bodies of changes (R9). Pure: the same input gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    EffectDraft, EffectKind, HEAVIEST, Money, NewNote, NoteRow, PlanError, ShippingDetails, StockCorrection,
};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::reference::{clean, reference};

/// Characters of a correction's reason in front of its marker. The marker must survive whatever Brightpearl does to
/// long texts, so the whole stays far below the 128 characters that may be the limit.
const REASON_WORDS: usize = 60;

/// The deletion of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deletion {
    pub(super) order_id: i64,
    pub(super) note_id: i64,
}

/// Tracking, method, boxes and weight of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Details {
    pub(super) order_id: i64,
    pub(super) note_id: i64,
    pub(super) reference: String,
    pub(super) ship_method_id: Option<i64>,
    pub(super) boxes: u32,
    /// Kilograms with two decimals.
    pub(super) weight: Option<Decimal>,
}

/// The shipped event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shipped {
    pub(super) order_id: i64,
    pub(super) note_id: i64,
    /// What the note holds; empty in events that were planned before this was kept.
    #[serde(default)]
    pub(super) rows: BTreeMap<i64, Decimal>,
    pub(super) shipped_at: Timestamp,
}

/// An order's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) order_id: i64,
    pub(super) from: BTreeSet<i64>,
    pub(super) to: i64,
    /// Of the private note that the change leaves on the order; begins with the marker.
    pub(super) text: String,
}

/// A note on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OrderNote {
    pub(super) order_id: i64,
    /// Begins with the marker.
    pub(super) text: String,
    pub(super) marker: String,
}

/// One line of a stock correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Correction {
    pub(super) warehouse_id: i64,
    pub(super) location_id: i64,
    pub(super) product_id: i64,
    pub(super) difference: i64,
    /// Ends with the marker.
    pub(super) reason: String,
    pub(super) marker: String,
    pub(super) cost: Option<Money>,
}

/// Row id to quantity: what two notes are compared by.
pub(super) fn quantities(rows: &[NoteRow]) -> BTreeMap<i64, Decimal> {
    let mut sums: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(row.row_id).or_default();
        *sum = sum.saturating_add(row.quantity).normalize();
    }
    sums
}

/// Reads a frozen body back.
pub(super) fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("the planned change cannot be read back: {error}"))
}

/// The short marker of a change, by its key: what its traces at Brightpearl are found and counted by.
fn marker(key: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(key).into();
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// What a goods-out note is created from: rows in order, one per order row, whole units.
pub(in crate::brightpearl) fn note(key: &str, note: &NewNote) -> Result<EffectDraft, PlanError> {
    needs_id(note.order_id, "an order")?;
    needs_id(note.warehouse_id, "the account's warehouse")?;
    let mut rows: BTreeMap<i64, NoteRow> = BTreeMap::new();
    for row in &note.rows {
        needs_id(row.row_id, "an order row")?;
        needs_id(row.product_id, "a product")?;
        let sum = rows.entry(row.row_id).or_insert_with(|| NoteRow { quantity: Decimal::ZERO, ..row.clone() });
        if sum.product_id != row.product_id {
            return Err(PlanError::new(format!("order row {} is given with two products", row.row_id)));
        }
        sum.quantity = sum.quantity.saturating_add(row.quantity);
    }
    for row in rows.values_mut() {
        row.quantity = row.quantity.normalize();
        if row.quantity <= Decimal::ZERO || !row.quantity.fract().is_zero() {
            return Err(PlanError::new(format!(
                "order row {} would ship {}: a goods-out note takes whole units, at least one",
                row.row_id, row.quantity
            )));
        }
    }
    if rows.is_empty() {
        return Err(PlanError::new("a goods-out note needs at least one row"));
    }
    let title = format!("Create goods-out note for order {} ({})", note.order_id, count(rows.len(), "line"));
    let note = NewNote { rows: rows.into_values().collect(), ..note.clone() };
    draft(EffectKind::CreateNote, key, None, &note, title)
}

/// The deletion of an unshipped note.
pub(in crate::brightpearl) fn note_deletion(key: &str, order_id: i64, note_id: i64) -> Result<EffectDraft, PlanError> {
    needs_id(order_id, "an order")?;
    needs_id(note_id, "a goods-out note")?;
    let title = format!("Delete goods-out note {note_id} of order {order_id}");
    draft(EffectKind::DeleteNote, key, None, &Deletion { order_id, note_id }, title)
}

/// Tracking and method on a note; where the numbers do not fit, also an order note with all of them.
pub(in crate::brightpearl) fn shipping(key: &str, details: &ShippingDetails) -> Result<Vec<EffectDraft>, PlanError> {
    let (order_id, note_id) = (details.order_id, details.note_id);
    needs_id(order_id, "an order")?;
    needs_id(note_id, "a goods-out note")?;
    let numbers = clean(&details.tracking);
    let written = reference(&numbers);
    let weight = details.weight.map(|weight| weight.round_dp(2));
    if weight.is_some_and(|weight| weight < Decimal::ZERO || weight > HEAVIEST) {
        return Err(PlanError::new("the weight of a goods-out note must be between 0 and 999999.99 kg"));
    }
    let body = Details {
        order_id,
        note_id,
        reference: written.text,
        ship_method_id: details.ship_method_id.filter(|id| *id > 0),
        boxes: details.boxes,
        weight: weight.filter(|weight| !weight.is_zero()),
    };
    let title = format!("Write tracking on goods-out note {note_id} of order {order_id}");
    let mut drafts = vec![draft(EffectKind::UpdateShipping, key, None, &body, title)?];
    if !written.is_complete {
        let text = format!("Tracking numbers of goods-out note {note_id}: {}", numbers.join(", "));
        drafts.push(order_note(&format!("{key}:tracking"), order_id, &text)?);
    }
    Ok(drafts)
}

/// The shipped event.
pub(in crate::brightpearl) fn shipped(
    key: &str,
    order_id: i64,
    note_id: i64,
    rows: &[NoteRow],
    shipped_at: Timestamp,
) -> Result<EffectDraft, PlanError> {
    needs_id(order_id, "an order")?;
    needs_id(note_id, "a goods-out note")?;
    let rows = quantities(rows);
    let title = format!("Mark goods-out note {note_id} of order {order_id} as shipped");
    draft(EffectKind::PostShipped, key, None, &Shipped { order_id, note_id, rows, shipped_at }, title)
}

/// The order's status, only while it stands at one of `from`.
pub(in crate::brightpearl) fn status(
    key: &str,
    order_id: i64,
    from: &BTreeSet<i64>,
    to: i64,
    name: Option<&str>,
) -> Result<EffectDraft, PlanError> {
    needs_id(order_id, "an order")?;
    needs_id(to, "a status")?;
    if from.is_empty() {
        return Err(PlanError::new(
            "a status is only set while the order stands at one of given statuses; none is given",
        ));
    }
    let text = format!("[hub:{}] Status set by Millrace", marker(key));
    let title = match name {
        Some(name) => format!("Set status of order {order_id} to {name} ({to})"),
        None => format!("Set status of order {order_id} to {to}"),
    };
    draft(EffectKind::SetStatus, key, None, &Status { order_id, from: from.clone(), to, text }, title)
}

/// A private note on the order.
pub(in crate::brightpearl) fn order_note(key: &str, order_id: i64, text: &str) -> Result<EffectDraft, PlanError> {
    needs_id(order_id, "an order")?;
    let marker = format!("[hub:{}]", marker(key));
    let text = format!("{marker} {text}");
    let title = format!("Add a note to order {order_id}");
    draft(EffectKind::AddOrderNote, key, None, &OrderNote { order_id, text, marker }, title)
}

/// One line of a stock correction. The key is the marker, which is drawn once.
pub(in crate::brightpearl) fn correction(batch: &str, line: &StockCorrection) -> Result<EffectDraft, PlanError> {
    needs_id(line.warehouse_id, "the account's warehouse")?;
    needs_id(line.location_id, "the warehouse's default location")?;
    needs_id(line.product_id, "a product")?;
    if line.difference == 0 {
        return Err(PlanError::new("a stock correction needs a difference"));
    }
    if line.marker.len() != 26 || !line.marker.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(PlanError::new("the marker of a stock correction has 26 letters and digits"));
    }
    let cost = match (&line.cost, line.difference > 0) {
        (Some(cost), true) if !cost.currency.is_empty() && cost.amount >= Decimal::ZERO => Some(cost.clone()),
        (_, true) => {
            return Err(PlanError::new(format!(
                "adding stock of product {} needs its cost; give it a price on the Inventory Update Price List or on the \
                 account's cost price list",
                line.product_id
            )));
        }
        (_, false) => None,
    };
    let words: String = line.reason.chars().filter(|letter| !letter.is_control()).take(REASON_WORDS).collect();
    let reason = format!("{} [hub:{}]", words.trim(), line.marker).trim().to_owned();
    let body = Correction {
        warehouse_id: line.warehouse_id,
        location_id: line.location_id,
        product_id: line.product_id,
        difference: line.difference,
        reason,
        marker: line.marker.clone(),
        cost,
    };
    let title = format!("Correct stock of product {} by {:+}", line.product_id, line.difference);
    draft(EffectKind::CorrectStock, &line.marker, Some(batch.to_owned()), &body, title)
}

fn draft<T: Serialize>(
    kind: EffectKind,
    key: &str,
    batch: Option<String>,
    body: &T,
    title: String,
) -> Result<EffectDraft, PlanError> {
    let body = serde_json::to_string(body)
        .map_err(|error| PlanError::new(format!("the change cannot be written: {error}")))?;
    Ok(EffectDraft { kind, key: key.to_owned(), batch, body, title, numbering: None })
}

fn needs_id(id: i64, what: &str) -> Result<(), PlanError> {
    if id > 0 { Ok(()) } else { Err(PlanError::new(format!("the id of {what} is missing"))) }
}

fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use connect::{EffectKind, Money, NewNote, NoteRow, ShippingDetails, StockCorrection};
    use rust_decimal::Decimal;

    use super::{Correction, Details, HEAVIEST, correction, note, read, shipping, status};

    fn new_note(quantities: &[(i64, &str)]) -> NewNote {
        let row = |(row_id, quantity): &(i64, &str)| NoteRow {
            row_id: *row_id,
            product_id: 7,
            quantity: quantity.parse().unwrap(),
        };
        NewNote {
            order_id: 1,
            warehouse_id: 2,
            released_at: "2026-02-03T11:00:00Z".parse().unwrap(),
            ship_method_id: None,
            rows: quantities.iter().map(row).collect(),
        }
    }

    fn line(difference: i64, cost: Option<&str>) -> StockCorrection {
        StockCorrection {
            warehouse_id: 2,
            location_id: 2,
            product_id: 1010,
            difference,
            marker: "01JEXAMPLE0123456789ABCDEF".to_owned(),
            reason: "x".repeat(200),
            cost: cost.map(|amount| Money { currency: "GBP".to_owned(), amount: amount.parse().unwrap() }),
        }
    }

    #[test]
    fn rows_are_whole_units_in_one_order() {
        let one = note("k", &new_note(&[(9, "1.0000"), (8, "2"), (9, "1")])).unwrap();
        let other = note("k", &new_note(&[(8, "2.0"), (9, "2")])).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.title, "Create goods-out note for order 1 (2 lines)");
        assert!(note("k", &new_note(&[(8, "0.5")])).is_err());
        assert!(note("k", &new_note(&[(8, "0")])).is_err());
        assert!(note("k", &new_note(&[])).is_err());
    }

    #[test]
    fn numbers_that_do_not_fit_go_into_an_order_note() {
        let mut details = ShippingDetails {
            order_id: 1,
            note_id: 5,
            tracking: (0..6).map(|number| format!("1Z999AA1012345678{number}")).collect(),
            ship_method_id: Some(49),
            boxes: 6,
            weight: Some("3.4".parse().unwrap()),
        };
        let drafts = shipping("k", &details).unwrap();
        assert_eq!(
            drafts.iter().map(|draft| draft.kind).collect::<Vec<_>>(),
            [EffectKind::UpdateShipping, EffectKind::AddOrderNote]
        );
        let body: Details = read(&drafts.first().unwrap().body).unwrap();
        assert!(body.reference.ends_with("+3"));
        // Whoever compares notes with shipments later must find no difference here.
        assert_eq!(body.reference, crate::brightpearl::effects::tracking_kept(&details.tracking));
        assert!(details.tracking.iter().all(|number| drafts.last().unwrap().body.contains(number)));
        details.tracking.truncate(1);
        assert_eq!(shipping("k", &details).unwrap().len(), 1);
        details.weight = Some(HEAVIEST + Decimal::ONE);
        assert!(shipping("k", &details).is_err());
        assert_eq!(HEAVIEST.to_string(), "999999.99");
    }

    #[test]
    fn additions_need_a_cost_and_removals_carry_none() {
        assert!(correction("b", &line(5, None)).is_err());
        assert!(correction("b", &line(0, Some("1"))).is_err());
        let removal: Correction = read(&correction("b", &line(-3, Some("2.68"))).unwrap().body).unwrap();
        assert_eq!(removal.cost, None);
        let draft = correction("b", &line(5, Some("2.68"))).unwrap();
        assert_eq!((draft.key.as_str(), draft.batch.as_deref()), ("01JEXAMPLE0123456789ABCDEF", Some("b")));
        let addition: Correction = read(&draft.body).unwrap();
        assert!(addition.reason.len() <= 100 && addition.reason.ends_with("[hub:01JEXAMPLE0123456789ABCDEF]"));
        assert!(correction("b", &StockCorrection { marker: "short".to_owned(), ..line(1, Some("1")) }).is_err());
    }

    #[test]
    fn a_status_is_marked_by_its_key() {
        let draft = status("BP1-O5-shipped", 5, &BTreeSet::from([3]), 21, None).unwrap();
        assert_eq!(draft, status("BP1-O5-shipped", 5, &BTreeSet::from([3]), 21, None).unwrap());
        assert_ne!(draft.body, status("BP1-O6-shipped", 5, &BTreeSet::from([3]), 21, None).unwrap().body);
        assert!(status("k", 5, &BTreeSet::new(), 21, None).is_err());
    }
}
