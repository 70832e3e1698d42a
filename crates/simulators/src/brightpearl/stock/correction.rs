//! Stock corrections: signed differences, one note per line.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Batch, Correction, Moved, Movement};
use crate::brightpearl::account::{Account, next, visibility};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, UNKNOWN_CODE, decimal, field, int, number, text};
use crate::brightpearl::switches::{
    BadCorrectionLine, CorrectionIds, CorrectionLines, ReasonText, ShortCorrection, Switches,
};
use crate::clock;

struct Line {
    product: i64,
    quantity: i64,
    reason: String,
    location: i64,
    cost: Decimal,
    batch: Option<i64>,
    order: Option<i64>,
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, warehouse: i64) -> Answer {
    account.known_warehouse(warehouse)?;
    let body = call.json()?;
    let given = field(body, "corrections").and_then(Value::as_array).filter(|lines| !lines.is_empty());
    let given = given.ok_or_else(|| Refusal::invalid("You have not supplied any corrections"))?;
    let cap = match call.switches.correction_lines {
        CorrectionLines::Hundred => 100,
        CorrectionLines::Ten => 10,
        CorrectionLines::FiveHundred => 500,
        CorrectionLines::Unlimited => usize::MAX,
    };
    if given.len() > cap {
        return Err(Refusal::invalid(format!("At most {cap} corrections can be made at once")));
    }
    let mut good = Vec::new();
    let mut bad = None;
    // Removals of earlier lines leave less for later ones.
    let mut removed: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for line in given {
        match account.read_line(line, warehouse, &mut removed, call.switches) {
            Ok(line) => good.push(line),
            Err((refusal, false)) if call.switches.bad_correction_line == BadCorrectionLine::GoodApplied => {
                bad = Some(refusal);
            }
            Err((refusal, true)) if call.switches.short_stock_on_correction == ShortCorrection::OtherLines => {
                bad = Some(refusal);
            }
            Err((refusal, _)) => return Err(refusal),
        }
    }
    if let Some(refusal) = bad.filter(|_| good.is_empty()) {
        return Err(refusal);
    }
    let ids = account.correct_lines(good, warehouse, call);
    Ok(Reply::of(ids))
}

impl Account {
    /// Reads and checks one line; the flag tells shortage from other refusals.
    fn read_line(
        &self,
        line: &Value,
        warehouse: i64,
        removed: &mut BTreeMap<(i64, i64), i64>,
        switches: &Switches,
    ) -> Result<Line, (Refusal, bool)> {
        let bad = |message: &str| (Refusal::invalid(message), false);
        let quantity = field(line, "quantity").and_then(int).filter(|quantity| *quantity != 0);
        let quantity = quantity.ok_or_else(|| bad("The quantity must be a whole number other than 0"))?;
        let product = field(line, "productId").and_then(int);
        let known = product.and_then(|id| self.products.get(&id)).ok_or_else(|| bad("The product does not exist"))?;
        if !known.stock_tracked {
            return Err(bad("The product is not stock tracked"));
        }
        let reason = field(line, "reason").and_then(text).filter(|reason| !reason.is_empty());
        let reason = reason.ok_or_else(|| bad("You have not supplied a reason"))?;
        let reason = stored_reason(reason, switches).map_err(|refusal| (refusal, false))?;
        let location = field(line, "locationId").and_then(int);
        let location = location
            .filter(|id| self.warehouses.get(&warehouse).is_some_and(|known| known.locations.contains_key(id)))
            .ok_or_else(|| bad("The location does not exist in the warehouse"))?;
        let cost = line.pointer("/cost/value").and_then(decimal);
        let batch = field(line, "batchId").and_then(int);
        if quantity > 0 {
            if batch.is_some() {
                return Err(bad("A batch can only be given when stock is removed"));
            }
            if cost.is_none_or(|cost| cost.is_sign_negative()) {
                return Err(bad("You have not supplied a cost"));
            }
        } else {
            if field(line, "cost").is_some() {
                return Err(bad("A cost can only be given when stock is added"));
            }
            self.check_removal(known.id, warehouse, location, batch, -quantity, removed, switches)
                .map_err(|refusal| (refusal, true))?;
        }
        let order = field(line, "orderId").and_then(int);
        Ok(Line { product: known.id, quantity, reason, location, cost: cost.unwrap_or_default(), batch, order })
    }

    #[expect(clippy::too_many_arguments, reason = "each narrows what may be removed")]
    fn check_removal(
        &self,
        product: i64,
        warehouse: i64,
        location: i64,
        batch: Option<i64>,
        quantity: i64,
        removed: &mut BTreeMap<(i64, i64), i64>,
        switches: &Switches,
    ) -> Result<(), Refusal> {
        let held = self.stock.holdings.get(&(product, warehouse));
        let earlier = removed.values_of(product);
        let here = removed.get(&(product, location)).copied().unwrap_or(0);
        let enough = held.is_some_and(|held| {
            held.on_hand() - earlier >= quantity
                && held.in_location(location) - here >= quantity
                && batch.is_none_or(|note| held.in_batch(note) >= quantity)
        });
        if !enough {
            let status = match switches.short_stock_on_correction {
                ShortCorrection::Conflict => 409,
                ShortCorrection::ServerError => 500,
                ShortCorrection::BadRequest | ShortCorrection::OtherLines => 400,
            };
            return Err(Refusal::new(status, UNKNOWN_CODE, "insufficient stock"));
        }
        *removed.entry((product, location)).or_insert(0) += quantity;
        Ok(())
    }

    fn correct_lines(&mut self, lines: Vec<Line>, warehouse: i64, call: &mut Call<'_>) -> Vec<i64> {
        let mut ids: Vec<i64> = Vec::new();
        let mut of_product: BTreeMap<i64, i64> = BTreeMap::new();
        for line in lines {
            let shared = of_product
                .get(&line.product)
                .copied()
                .filter(|_| call.switches.correction_ids == CorrectionIds::PerProduct);
            let id = shared.unwrap_or_else(|| next(&mut self.next.goods_note));
            of_product.insert(line.product, id);
            if !ids.contains(&id) {
                ids.push(id);
            }
            self.apply_line(id, line, warehouse, call);
        }
        if call.switches.correction_ids == CorrectionIds::Reversed {
            ids.reverse();
        }
        ids
    }

    fn apply_line(&mut self, id: i64, line: Line, warehouse: i64, call: &mut Call<'_>) {
        let holding = self.stock.holding(line.product, warehouse);
        holding.figures.corrected += line.quantity;
        let pieces: Vec<Batch> = if line.quantity > 0 {
            let batch = Batch { note_id: id, location_id: line.location, quantity: line.quantity, cost: line.cost };
            holding.batches.push(batch.clone());
            vec![batch]
        } else {
            let taken = holding.take(-line.quantity, |batch| {
                batch.location_id == line.location && line.batch.is_none_or(|note| batch.note_id == note)
            });
            taken.into_iter().map(|piece| Batch { quantity: -piece.quantity, ..piece }).collect()
        };
        let (read_from, searched_from) = visibility(call);
        for piece in &pieces {
            let movement = Movement {
                id: next(&mut self.next.movement),
                product_id: line.product,
                sales_row: None,
                purchase_row: None,
                quantity: piece.quantity,
                location_id: piece.location_id,
                warehouse_id: warehouse,
                note_id: id,
                value: piece.cost,
                currency: self.currency.clone(),
                order_id: line.order,
                cleared: true,
                quarantine: false,
                batch_id: piece.note_id,
                code: "SC",
                at: call.now,
                searched_from,
            };
            self.stock.movements.push(movement);
        }
        let moved = pieces.into_iter().map(|piece| Moved {
            product_id: line.product,
            quantity: piece.quantity,
            location_id: piece.location_id,
            batch_id: piece.note_id,
            value: piece.cost,
        });
        let correction = self.stock.corrections.entry(id).or_insert_with(|| Correction {
            id,
            warehouse_id: warehouse,
            reason: String::new(),
            order_id: line.order,
            moved: Vec::new(),
            created_on: call.now,
            created_by: call.caller.contact_id,
            read_from,
        });
        if !correction.reason.is_empty() {
            correction.reason.push_str("; ");
        }
        correction.reason.push_str(&line.reason);
        correction.moved.extend(moved);
        call.trace.took_effect = true;
        if line.quantity > 0
            && let Some(product) = self.products.get_mut(&line.product)
        {
            product.archived = false;
        }
        self.raise("product", "modified", Some("on-hand-modified"), line.product, call.now);
    }
}

/// The sum of what earlier lines of the request remove of a product.
trait ValuesOf {
    fn values_of(&self, product: i64) -> i64;
}

impl ValuesOf for BTreeMap<(i64, i64), i64> {
    fn values_of(&self, product: i64) -> i64 {
        self.range((product, i64::MIN)..=(product, i64::MAX)).map(|(_, quantity)| quantity).sum()
    }
}

fn stored_reason(reason: &str, switches: &Switches) -> Result<String, Refusal> {
    let limit = if switches.reason_text == ReasonText::Limit128 { 128 } else { 255 };
    if switches.reason_text != ReasonText::Cut128 && reason.chars().count() > limit {
        return Err(Refusal::invalid(format!("The reason is longer than {limit} characters")));
    }
    Ok(match switches.reason_text {
        ReasonText::Kept255 | ReasonText::Limit128 => reason.to_owned(),
        ReasonText::Cut128 => reason.chars().take(128).collect(),
        ReasonText::Trimmed => reason.trim().to_owned(),
        ReasonText::Escaped => {
            reason.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
        }
    })
}

pub(crate) fn get(account: &Account, call: &Call<'_>, warehouse: i64, ids: &str) -> Answer {
    account.known_warehouse(warehouse)?;
    let now = clock::now();
    let found: Vec<Value> = call
        .id_set(ids, Some(200))?
        .present_in(&account.stock.corrections)
        .iter()
        .filter_map(|id| account.stock.corrections.get(id))
        .filter(|note| note.warehouse_id == warehouse && note.read_from <= now)
        .map(|note| render(account, note))
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found(format!("No stock corrections found in ID Set {ids}")));
    }
    Ok(Reply::of(found))
}

fn render(account: &Account, note: &Correction) -> Value {
    let moved: Vec<Value> = note
        .moved
        .iter()
        .map(|moved| {
            json!({
                "productId": moved.product_id, "quantity": moved.quantity,
                "destinationLocationId": moved.location_id, "batchGoodsNoteId": moved.batch_id,
                "productValue": { "currency": account.currency, "value": number(moved.value) },
                "createdOn": account.time(note.created_on), "createdBy": note.created_by
            })
        })
        .collect();
    let mut out = json!({
        "goodsNoteId": note.id, "warehouseId": note.warehouse_id, "reason": note.reason, "goodsMoved": moved
    });
    if let Some(order) = note.order_id {
        out["orderId"] = json!(order);
    }
    out
}
