//! What is checked while a run goes on: each change as it arrives and as it happens.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    brightpearl::{
        Change, Watcher,
        account::{AT_WAREHOUSE, Account, CANCELLED, HUB, NEW, Note, PARTLY_SHIPPED, SET_ASIDE, SHIPPED},
        asked_rows,
    },
    files::Publishing,
    run::warehouse_sku,
    warehouse::{csv_rows, keys},
    witness::Witness,
};

/// A person's change of a status may be overwritten only by a call that was already on its way.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(60);

/// Looks on.
pub struct Watch {
    witness: Arc<Witness>,
    findings: Mutex<Vec<String>>,
    /// Every order number that was published, and when it was asked for.
    published: Mutex<Vec<(Timestamp, String)>>,
    /// Every order number that was let go behind an API, and when it was asked for.
    released: Mutex<Vec<(Timestamp, String)>>,
    /// The hub's clock is set by minutes now and then: what left when, beside the warehouse's count, cannot be told by it, so that
    /// single corrections may be wrong until the next count (docs/reliability.md).
    sets_clock: bool,
    /// Units may leave of which the hub cannot know, since its journal was lost.
    blind: AtomicBool,
    /// Units found so far in the warehouse, by product; fewer where lost.
    found: Mutex<BTreeMap<i64, i64>>,
}

impl Watch {
    pub fn new(witness: Arc<Witness>, sets_clock: bool) -> Self {
        Self {
            witness,
            sets_clock,
            blind: AtomicBool::new(false),
            findings: Mutex::default(),
            published: Mutex::default(),
            released: Mutex::default(),
            found: Mutex::default(),
        }
    }

    /// From now on units may leave of which the hub cannot know.
    pub fn is_blind(&self) {
        self.blind.store(true, Ordering::Relaxed);
    }

    /// Something is not as promised.
    pub fn finding(&self, text: String) {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Everything that is not as promised.
    pub fn findings(&self) -> Vec<String> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every order number that was published, and when it was asked for.
    pub fn published(&self) -> Vec<(Timestamp, String)> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every order number that was let go behind an API, and when it was asked for.
    pub fn released(&self) -> Vec<(Timestamp, String)> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A warehouse behind an API has done this, to the order with this number where it was there before.
    pub fn warehouse_does(&self, change: &Change, reference: &str, now: Timestamp) {
        match change.kind {
            "warehouse order/post" => {
                let key = change.body["referenceNum"].as_str().unwrap_or_default().to_owned();
                self.published.lock().unwrap_or_else(PoisonError::into_inner).push((change.arrived, key));
            }
            _ if change.if_match.is_none() => {
                self.finding(format!("C3: at {now} {} of {:?}, whatever its version", change.kind, change.target));
            }
            "warehouse order completer/post" => {
                let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
                released.push((change.arrived, reference.to_owned()));
            }
            _ => {}
        }
    }

    /// The warehouse found units of a product.
    pub fn finds(&self, product: i64, units: i64) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner).entry(product).or_default() += units;
    }

    /// J1: the effects of this kind whose intent is committed with this payload.
    fn armed(&self, kind: &str, is: impl Fn(&Value) -> bool) -> Vec<String> {
        // A process that stood still may send what another has begun to look up meanwhile; the intent was committed.
        let rows = self.witness.rows(&format!(
            "SELECT id, body FROM effect WHERE kind = '{kind}' AND attempt > 0 AND state IN ('armed', 'unknown', 'probing')"
        ));
        let body = |row: &Vec<String>| serde_json::from_str::<Value>(&row[1]).unwrap();
        rows.iter().filter(|row| is(&body(row))).map(|row| row[0].clone()).collect()
    }
}

fn units(rows: &Value) -> BTreeMap<i64, (i64, i64)> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0);
    let rows = rows.as_array().into_iter().flatten();
    rows.map(|row| (number(&row["row_id"]), (number(&row["product_id"]), number(&row["quantity"])))).collect()
}

impl Watcher for Watch {
    fn arrives(&self, change: &Change) -> Vec<String> {
        let body = &change.body;
        let first = change.target.first().copied().unwrap_or(0);
        let found = match change.kind {
            "goods-out-note/post" => self.armed("create_note", |planned| {
                planned["order_id"] == first
                    && planned["warehouse_id"] == body["warehouses"][0]["warehouseId"]
                    && units(&planned["rows"]) == asked_rows(body)
            }),
            "goods-out-note/put" => self.armed("update_shipping", |planned| {
                planned["note_id"] == first && planned["reference"] == body["shipping"]["reference"]
            }),
            "goods-out-note event/post" => self.armed("post_shipped", |planned| planned["note_id"] == first),
            "goods-out-note/delete" => self.armed("delete_note", |planned| planned["note_id"] == change.target[1]),
            "order-status/put" => self
                .armed("set_status", |planned| planned["order_id"] == first && planned["to"] == body["orderStatusId"]),
            "order-note/post" => {
                self.armed("add_order_note", |planned| planned["order_id"] == first && planned["text"] == body["text"])
            }
            "warehouse order/post" => self.armed("submit_request", |planned| planned == body),
            "warehouse order completer/post" => self.armed("release_request", |planned| planned["order_id"] == first),
            "warehouse order canceler/post" => self.armed("cancel_request", |planned| planned["order_id"] == first),
            "stock-correction/post" => {
                let lines = body["corrections"].as_array().map_or(&[][..], Vec::as_slice);
                let of_line = |line: &Value| {
                    self.armed("correct_stock", |planned| {
                        planned["reason"] == line["reason"]
                            && planned["difference"] == line["quantity"]
                            && planned["product_id"] == line["productId"]
                    })
                };
                let found: Vec<Vec<String>> = lines.iter().map(of_line).collect();
                if found.iter().all(|found| found.len() == 1) { found.concat() } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        let expected =
            if change.kind == "stock-correction/post" { body["corrections"].as_array().map_or(0, Vec::len) } else { 1 };
        if found.len() != expected {
            self.finding(format!(
                "J1: {} {:?} {body} came with {} committed intents",
                change.kind,
                change.target,
                found.len()
            ));
        }
        found
    }

    fn happens(&self, change: &Change, account: &Account, now: Timestamp) {
        if ["goods-out-note/put", "goods-out-note event/post"].contains(&change.kind) {
            self.is_our_note(change, account, now);
        }
        match change.kind {
            "order-status/put" => self.status_moves(change, account),
            "goods-out-note event/post" if change.if_match.is_none() => {
                self.finding(format!("C3: at {now} note {} is shipped whatever its version", change.target[0]));
            }
            "stock-correction/post" if !self.sets_clock && !self.blind.load(Ordering::Relaxed) => {
                let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for line in change.body["corrections"].as_array().into_iter().flatten() {
                    let (product, units) =
                        (line["productId"].as_i64().unwrap_or(0), line["quantity"].as_i64().unwrap_or(0));
                    if self.left_for_nothing_known(product) {
                        continue;
                    }
                    let before: i64 = account
                        .corrections
                        .iter()
                        .filter(|line| line.product == product)
                        .map(|line| line.quantity)
                        .sum();
                    let found = found.get(&product).copied().unwrap_or(0);
                    let nowhere = self.shipped_from_nowhere(account, product);
                    let after = before + units;
                    // A run's products only ever gain or only ever lose, so that no correction may go beyond what was found.
                    if after < found.min(0) || after > found.max(0) + nowhere {
                        self.finding(format!(
                            "K: at {now} product {product} is corrected by {units} after {before}, and {found} were found"
                        ));
                    }
                    // So what takes back a part of what an earlier correction did was worked out on a count older than that.
                    if units.signum() * found.signum() < 0 && nowhere == 0 {
                        self.finding(format!(
                            "K4: at {now} product {product} is corrected back by {units}, and {found} were found"
                        ));
                    }
                }
            }
            _ => {}
        }
    }
}

impl Watch {
    /// Whether units of a product have left, after a loss, for an order that the hub does not know: such a difference is one like any
    /// other (as at rest, `checks::stock`).
    fn left_for_nothing_known(&self, product: i64) -> bool {
        let sku = warehouse_sku(product);
        self.witness.count(&format!(
            "SELECT count(*) FROM shipment WHERE request IS NULL AND document LIKE '%\"{sku}\"%'
                 AND EXISTS (SELECT 1 FROM safety WHERE lost_since IS NOT NULL)"
        )) > 0
    }

    /// Units on notes that a person shipped while no open request asks for the product, for this very note where it asks for one:
    /// nothing leaves for these, and the warehouse still counts them.
    fn shipped_from_nowhere(&self, account: &Account, product: i64) -> i64 {
        let by_person = account.notes.iter().filter_map(|(id, note)| {
            let (at, _) = note.shipped.filter(|(_, by)| *by != HUB)?;
            Some((*id, note, at))
        });
        let units =
            |note: &Note| note.rows.values().filter(|(of, _)| *of == product).map(|(_, units)| units).sum::<i64>();
        let notes: Vec<_> = by_person.filter(|(_, note, _)| units(note) > 0).collect();
        if notes.is_empty() {
            return 0;
        }
        let open = self.witness.rows(&format!(
            "SELECT order_id, created_at, coalesce(note_id, 0) FROM request
             WHERE live = 1 AND done = 0 AND lines LIKE '%\"product_id\":{product},%'"
        ));
        let asked_before = |id: i64, order: i64, at: Timestamp| {
            open.iter().any(|row| {
                row[0].parse() == Ok(order)
                    && row[1].parse::<i64>().is_ok_and(|since| since <= at.as_millisecond())
                    && [Ok(0), Ok(id)].contains(&row[2].parse())
            })
        };
        notes.iter().filter(|(id, note, at)| !asked_before(*id, note.order, *at)).map(|(_, note, _)| units(note)).sum()
    }

    /// S1: what left is told on a note that the hub made, on the one that the warehouse was asked with, or on one over just these goods.
    fn is_our_note(&self, change: &Change, account: &Account, now: Timestamp) {
        let Some((id, note)) = change.target.first().and_then(|id| Some((id, account.notes.get(id)?))) else { return };
        let asked_with = || self.witness.count(&format!("SELECT count(*) FROM request WHERE note_id = {id}")) > 0;
        let over_just_these = || {
            change.effects.iter().all(|effect| {
                let left = self.witness.rows(&format!(
                    "SELECT s.note_rows FROM effect AS e JOIN shipment AS s ON s.id = e.shipment_ref WHERE e.id = '{effect}'"
                ));
                left.iter().all(|row| units(&serde_json::from_str(&row[0]).unwrap_or_default()) == note.rows)
            })
        };
        if note.created_by != HUB && !asked_with() && !over_just_these() {
            self.finding(format!(
                "S1: at {now} {} is for note {id}, which somebody else made of other goods",
                change.kind
            ));
        }
    }

    /// S4.
    fn status_moves(&self, change: &Change, account: &Account) {
        let Some(order) = account.orders.get(&change.target[0]) else { return };
        let rank = |status: i64| [NEW, AT_WAREHOUSE, PARTLY_SHIPPED, SHIPPED].iter().position(|known| *known == status);
        let to = change.body["orderStatusId"].as_i64().unwrap_or(0);
        let by_person = order.person_status.is_some_and(|at| at > change.arrived - ON_ITS_WAY);
        let moved_back = match (rank(order.status), rank(to)) {
            (Some(from), Some(to)) => to <= from,
            _ => [CANCELLED, SET_ASIDE].contains(&order.status),
        };
        if moved_back && !by_person {
            self.finding(format!("S4: order {} is moved from {} to {to}", change.target[0], order.status));
        }
    }
}

impl Publishing for Watch {
    fn publishes(&self, name: &str, content: &str, asked: Timestamp, happens: bool) {
        if happens {
            let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
            published.extend(keys(content).into_iter().map(|key| (asked, key)));
            return;
        }
        let rows = csv_rows(content.as_bytes());
        for key in keys(content) {
            let of_key: Vec<&Vec<String>> = rows.iter().filter(|row| row.get(1) == Some(&key)).collect();
            let found = self.armed("submit_request", |planned| {
                let cells = |row: &Value| -> Vec<String> {
                    row.as_array().into_iter().flatten().filter_map(|cell| cell.as_str().map(str::to_owned)).collect()
                };
                let wanted: Vec<Vec<String>> = planned["rows"].as_array().into_iter().flatten().map(cells).collect();
                wanted.iter().collect::<Vec<_>>() == of_key && planned["file"] == name
            });
            if found.len() != 1 {
                self.finding(format!("J1: {key} was published in {name} with {} committed intents", found.len()));
            }
        }
    }
}
