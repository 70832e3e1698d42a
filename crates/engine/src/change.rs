//! Whether an order still is what was sent to the warehouse.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Address, GoodsOutNote, NoteState, Order, OrderLine};
use rust_decimal::Decimal;

/// A request that was sent and is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its key.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// Units of each of the source's rows that it asks for.
    pub rows: BTreeMap<i64, Decimal>,
    /// Where it was sent to go; `None` where that was not kept.
    pub ship_to: Option<Address>,
    /// Something of it has left: its note is the hub's own matter from then on.
    pub left: bool,
}

/// What the source says now.
pub struct Now<'a> {
    /// The order.
    pub order: &'a Order,
    /// Its notes, without those the hub made itself.
    pub notes: &'a [GoodsOutNote],
    /// Units by row that a supplier sends.
    pub drop_shipped: &'a BTreeMap<i64, Decimal>,
    /// The source's warehouses in scope; empty means all.
    pub warehouses: &'a BTreeSet<i64>,
    /// Whether goods of a row can leave a warehouse.
    pub ships: &'a dyn Fn(&OrderLine) -> bool,
}

/// What follows from a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follows {
    /// The connection's policy on changes decides.
    Policy,
    /// A person decides, whatever the policy: sending it again is hardly what is meant.
    Ask,
    /// The request is no longer wanted.
    Cancel,
}

/// How one request differs from what is wanted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// For people.
    pub words: Vec<String>,
    /// What follows; the strongest of its parts.
    pub follows: Follows,
}

/// Compares what was sent with what is wanted now: by key, the requests that differ.
pub fn compare(sent: &[Sent], now: &Now<'_>) -> BTreeMap<String, Difference> {
    let mut found: BTreeMap<String, Difference> = BTreeMap::new();
    let mut add = |key: &str, follows: Follows, words: String| {
        let one =
            found.entry(key.to_owned()).or_insert_with(|| Difference { words: Vec::new(), follows: Follows::Policy });
        one.words.push(words);
        one.follows = one.follows.max(follows);
    };
    for request in sent {
        let changed =
            request.ship_to.as_ref().map(|before| address_fields(before, &now.order.deliver_to)).unwrap_or_default();
        if !changed.is_empty() {
            add(&request.key, Follows::Policy, format!("delivery address: {} changed", changed.join(", ")));
        }
        let Some(note_id) = request.note_id.filter(|_| !request.left) else { continue };
        match now.notes.iter().find(|note| note.note_id == note_id) {
            None => {
                add(&request.key, Follows::Cancel, format!("its goods-out note {note_id} was deleted in Brightpearl"));
            }
            Some(note) if note.state == NoteState::Shipped => add(
                &request.key,
                Follows::Ask,
                format!(
                    "goods-out note {note_id} was posted as shipped in Brightpearl before the warehouse shipped it"
                ),
            ),
            Some(note) if note_units(note) != request.rows => {
                add(&request.key, Follows::Policy, format!("goods-out note {note_id} holds other rows now"));
            }
            Some(_) => {}
        }
    }
    rows(sent, now, &mut add);
    found
}

/// Rows of requests that no note stands for: what is ordered, less what stands on notes.
fn rows(sent: &[Sent], now: &Now<'_>, add: &mut dyn FnMut(&str, Follows, String)) {
    let plain: Vec<&Sent> = sent.iter().filter(|request| request.note_id.is_none()).collect();
    let Some(first) = plain.first() else { return };
    let ours = |note: &GoodsOutNote| now.warehouses.is_empty() || now.warehouses.contains(&note.warehouse_id);
    let mut elsewhere: BTreeMap<i64, Decimal> = now.drop_shipped.clone();
    for note in now.notes.iter().filter(|note| !note.transfer) {
        // Of the same goods as a request and not shipped: it is taken for the hub's own once they leave.
        let same = ours(note) && plain.iter().any(|request| request.rows == note_units(note));
        if same && note.state == NoteState::Unshipped {
            continue;
        }
        if same {
            let words = format!(
                "goods-out note {} over the same goods was posted as shipped in Brightpearl before the warehouse shipped them",
                note.note_id
            );
            add(&first.key, Follows::Ask, words);
            continue;
        }
        for row in &note.rows {
            *elsewhere.entry(row.row_id).or_default() += row.quantity;
        }
    }
    let mut asked: BTreeMap<i64, (Decimal, &str)> = BTreeMap::new();
    for request in &plain {
        for (row, units) in &request.rows {
            asked.entry(*row).or_insert((Decimal::ZERO, &request.key)).0 += *units;
        }
    }
    let lines: BTreeMap<i64, &OrderLine> = now.order.lines.iter().map(|line| (line.row_id, line)).collect();
    for row in asked.keys().chain(lines.keys()).collect::<BTreeSet<_>>() {
        let line = lines.get(row);
        let (sent, key) = asked.get(row).copied().unwrap_or((Decimal::ZERO, &first.key));
        let ordered = line.map_or(Decimal::ZERO, |line| line.quantity);
        let wanted = (ordered - elsewhere.get(row).copied().unwrap_or_default()).max(Decimal::ZERO);
        if wanted < sent || (wanted > sent && line.is_some_and(|line| (now.ships)(line))) {
            add(
                key,
                Follows::Policy,
                format!("row {row}: {} sent, {} wanted now", sent.normalize(), wanted.normalize()),
            );
        }
    }
}

fn note_units(note: &GoodsOutNote) -> BTreeMap<i64, Decimal> {
    let mut units: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in &note.rows {
        *units.entry(row.row_id).or_default() += row.quantity;
    }
    units
}

/// The parts of an address that are not the same. Names only: what people's addresses hold stays out of reasons and logs.
fn address_fields(before: &Address, after: &Address) -> Vec<&'static str> {
    let parts = |address: &Address| {
        let Address { name, company, line1, line2, city, state, postcode, country, phone, email } = address.clone();
        [
            ("name", name),
            ("company", company),
            ("first line", line1),
            ("second line", line2),
            ("city", city),
            ("state", state),
            ("postcode", postcode),
            ("country", country),
            ("telephone", phone),
            ("e-mail", email),
        ]
    };
    let pairs = parts(before).into_iter().zip(parts(after));
    pairs.filter(|((_, before), (_, after))| before.trim() != after.trim()).map(|((name, _), _)| name).collect()
}

#[cfg(test)]
mod tests;
