//! Looking before sending: what is there already, and what is needed to send.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Armed, ConnectorError, Effect, EffectKind, GoodsOutNote, NewNote, NoteState, Order, Prepared, Probe, RemoteRef,
    planted::{Planted, planted},
};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    bodies::{self, Correction, Deletion, Details, OrderNote, Shipped, Status},
    probe::probe,
};
use crate::brightpearl::{
    Brightpearl,
    client::{Failure, Purpose},
    lenient::time_text,
    map::NoteDetail,
    orders, stock,
};

pub(super) const READ_NOTES: Purpose = Purpose::shipments("note_read");
const READ_ORDERS: Purpose = Purpose::shipments("order_read");
const READ_STOCK: Purpose = Purpose::stock("stock_read");

/// What was there before a goods-out note was sent for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct NotesBefore {
    /// Every note of the order, with the quantities of its rows.
    pub(super) notes: BTreeMap<i64, BTreeMap<i64, Decimal>>,
    /// The contact that the hub's own notes are kept under, where that is known.
    pub(super) author: Option<i64>,
}

/// What shipping details are sent with, so that they leave alone what is not theirs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct DetailsBefore {
    pub(super) priority: bool,
    pub(super) label_uri: String,
    pub(super) ship_method_id: i64,
    #[serde(default)]
    pub(super) reference: String,
    #[serde(default)]
    pub(super) weight: Option<Decimal>,
}

/// What a shipped event is sent with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ShippedBefore {
    pub(super) version: i64,
    pub(super) owner_id: i64,
    pub(super) occurred: String,
}

/// What was in stock before a correction was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StockBefore {
    pub(super) in_stock: Decimal,
    /// It was read between these, by Brightpearl's clock.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// What an order note is sent with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OrderNoteBefore {
    pub(super) added_on: String,
}

/// One answer for each effect, in order; the effects are of one kind.
pub(in crate::brightpearl) async fn prepare(
    connector: &Brightpearl,
    effects: &[Effect],
) -> Result<Vec<Prepared>, ConnectorError> {
    let Some(first) = effects.first() else { return Ok(Vec::new()) };
    if effects.iter().any(|effect| effect.kind != first.kind) {
        return Err(ConnectorError::unexpected("effects of several kinds cannot be prepared together"));
    }
    let prepared = match first.kind {
        EffectKind::CreateNote => return prepare_notes(connector, effects).await,
        EffectKind::DeleteNote => prepare_deletions(connector, effects).await,
        EffectKind::UpdateShipping => prepare_details(connector, effects).await,
        EffectKind::PostShipped => return prepare_shipped(connector, effects).await,
        EffectKind::SetStatus => prepare_statuses(connector, effects).await,
        EffectKind::AddOrderNote => {
            let before = found_before(connector, effects).await?;
            let added_on = time_text(connector.client.past_for_both());
            let fresh = each::<OrderNote>(effects, |_| ready(&OrderNoteBefore { added_on: added_on.clone() }));
            return Ok(before.into_iter().zip(fresh).map(|(before, fresh)| before.unwrap_or(fresh)).collect());
        }
        EffectKind::CorrectStock => {
            let before = found_before(connector, effects).await?;
            let fresh = prepare_corrections(connector, effects).await?;
            return Ok(before.into_iter().zip(fresh).map(|(before, fresh)| before.unwrap_or(fresh)).collect());
        }
        EffectKind::SubmitRequest
        | EffectKind::ReleaseRequest
        | EffectKind::CancelRequest
        | EffectKind::Acknowledge => {
            return Err(ConnectorError::unsupported("Brightpearl is an order source, not a warehouse"));
        }
    };
    Ok(prepared?)
}

/// What an earlier attempt left behind after all, by its marker. These kinds say the same again when they are sent again, and that
/// an answer meant *not sent* is the vendor's word (brightpearl-api.md §23, row 19).
async fn found_before(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Option<Prepared>>, ConnectorError> {
    let tried: Vec<Armed> = effects
        .iter()
        .filter_map(|effect| {
            let baseline = effect.tried.clone()?;
            Some(Armed { effect: effect.clone(), baseline, attempt: 1, armed_at: connector.client.their_now() })
        })
        .collect();
    if tried.is_empty() {
        return Ok(effects.iter().map(|_| None).collect());
    }
    let mut found = probe(connector, &tried).await?.into_iter();
    let is_there = |probe: Probe| match probe {
        Probe::Equal(_) | Probe::Different { .. } | Probe::Many(_) => Some(Prepared::Found(probe)),
        _ => None,
    };
    Ok(effects.iter().map(|effect| effect.tried.as_ref().and_then(|_| found.next()).and_then(is_there)).collect())
}

fn each<T: serde::de::DeserializeOwned>(effects: &[Effect], decide: impl Fn(T) -> Prepared) -> Vec<Prepared> {
    let one = |effect: &Effect| bodies::read(&effect.body).map_or_else(|why| Prepared::Impossible { why }, &decide);
    effects.iter().map(one).collect()
}

fn ready<T: Serialize>(baseline: &T) -> Prepared {
    match serde_json::to_value(baseline) {
        Ok(baseline) => Prepared::Ready { baseline },
        Err(error) => Prepared::Impossible { why: format!("what was found cannot be written down: {error}") },
    }
}

/// The ids that the bodies name, for one read of them all.
fn ids<T: serde::de::DeserializeOwned>(effects: &[Effect], id: impl Fn(&T) -> i64) -> Vec<i64> {
    effects.iter().filter_map(|effect| bodies::read(&effect.body).ok()).map(|body| id(&body)).collect()
}

/// The figures before anything is sent. They decide nothing now; after a lost answer they tell whether what is there adds up
/// without the correction.
async fn prepare_corrections(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Prepared>, Failure> {
    let mut wanted: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for line in effects.iter().filter_map(|effect| bodies::read::<Correction>(&effect.body).ok()) {
        wanted.entry(line.warehouse_id).or_default().push(line.product_id);
    }
    let mut read = BTreeMap::new();
    for (warehouse_id, products) in wanted {
        let from = connector.client.their_now();
        let levels = stock::levels(&connector.client, READ_STOCK, warehouse_id, &products).await?;
        read.insert(warehouse_id, (from, connector.client.their_now(), levels));
    }
    Ok(each(effects, |line: Correction| match read.get(&line.warehouse_id) {
        Some((from, to, stock)) => match stock.unread.get(&line.product_id) {
            // Without the figure before, nobody could tell after a lost answer whether the correction was made.
            Some(why) => Prepared::NotYet { why: format!("its stock cannot be read: {why}") },
            None => ready(&StockBefore { in_stock: stock.of(line.product_id).in_stock, from: *from, to: *to }),
        },
        None => Prepared::Impossible { why: "the warehouse of this correction was not read".to_owned() },
    }))
}

async fn prepare_notes(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
    let order_ids = ids(effects, |note: &NewNote| note.order_id);
    let notes = connector.notes_of_orders(READ_NOTES, &order_ids).await?;
    let orders = orders::read(&connector.client, READ_ORDERS, &order_ids).await?;
    let author = connector.note_author();
    // A journal that was lost may have made this account's first notes, and no note has confirmed since whose they are.
    let own = match author {
        None if notes.values().any(|found| found.note.state == NoteState::Unshipped) => connector.staff_id().await?,
        known => known,
    };
    let authors = Authors { own, confirmed: author };
    let one = |effect: &Effect| match bodies::read::<NewNote>(&effect.body) {
        Err(why) => Prepared::Impossible { why },
        Ok(wanted) => {
            let notes = notes.values().map(|note| &note.note).filter(|note| note.order_id == wanted.order_id);
            let order = orders.get(&wanted.order_id);
            note_may_be_made(&wanted, order, &notes.collect::<Vec<_>>(), &effect.others, authors)
        }
    };
    Ok(effects.iter().map(one).collect())
}

/// Whose the hub's own notes are.
#[derive(Debug, Clone, Copy)]
struct Authors {
    /// The contact that they would be kept under.
    own: Option<i64>,
    /// The same, once a note has confirmed it.
    confirmed: Option<i64>,
}

/// Whether a goods-out note may be made (docs/reliability.md): one that is there already is used, nothing is
/// shipped beyond what is ordered (S2), and an open note of somebody else's in our warehouse is a person's matter. `others` are
/// notes of the same order that the hub knows to be something else: they count for what is ordered, and stand in nobody's way.
fn note_may_be_made(
    wanted: &NewNote,
    order: Option<&Order>,
    notes: &[&GoodsOutNote],
    others: &BTreeSet<String>,
    authors: Authors,
) -> Prepared {
    let Some(order) = order else {
        return Prepared::Impossible { why: format!("order {} does not exist any more", wanted.order_id) };
    };
    let open = || {
        notes.iter().filter(|note| {
            note.state == NoteState::Unshipped
                && note.warehouse_id == wanted.warehouse_id
                && !others.contains(&note.note_id.to_string())
        })
    };
    let quantities = bodies::quantities(&wanted.rows);
    let usable: Vec<RemoteRef> = open()
        .filter(|note| bodies::quantities(&note.rows) == quantities)
        .map(|note| note_ref(note).with("adopted", "true"))
        .collect();
    match usable.as_slice() {
        [] => {}
        [only] => return Prepared::Found(Probe::Equal(only.clone())),
        _ => return Prepared::Found(Probe::Many(usable)),
    }
    // A note of the hub's own is another shipment of this order on its way.
    if let Some(other) = open().find(|note| authors.own != Some(note.created_by)) {
        return Prepared::Found(Probe::Different {
            reference: note_ref(other),
            difference: format!(
                "goods-out note {} of order {} is open in the same warehouse, made by contact {}, with other rows or quantities \
                 than were shipped",
                other.note_id, wanted.order_id, other.created_by
            ),
        });
    }
    for row in &wanted.rows {
        let Some(line) = order.lines.iter().find(|line| line.row_id == row.row_id) else {
            return Prepared::Impossible {
                why: format!("row {} is not on order {} any more", row.row_id, order.order_id),
            };
        };
        let on_notes: Decimal = notes
            .iter()
            .flat_map(|note| &note.rows)
            .filter(|other| other.row_id == row.row_id)
            .map(|other| other.quantity)
            .sum();
        if on_notes + row.quantity > line.quantity {
            return Prepared::Impossible {
                why: format!(
                    "row {} of order {} is ordered {} times and already {on_notes} times on goods-out notes: a note over {} \
                     more would be too much",
                    row.row_id,
                    order.order_id,
                    line.quantity.normalize(),
                    row.quantity
                ),
            };
        }
    }
    let notes = notes.iter().map(|note| (note.note_id, bodies::quantities(&note.rows))).collect();
    ready(&NotesBefore { notes, author: authors.confirmed })
}

async fn prepare_deletions(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Prepared>, Failure> {
    let notes = connector.notes_by_id(READ_NOTES, &ids(effects, |body: &Deletion| body.note_id)).await?;
    Ok(each(effects, |body: Deletion| match notes.get(&body.note_id) {
        None if connector.made_lately(body.note_id) => not_shown_yet(body.note_id),
        None => Prepared::Found(Probe::Equal(RemoteRef::new(body.note_id.to_string()))),
        Some(found) if found.note.state == NoteState::Shipped => Prepared::Found(was_shipped(found)),
        Some(found) => Prepared::Ready { baseline: json!({ "version": found.note.version }) },
    }))
}

async fn prepare_details(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Prepared>, Failure> {
    let notes = connector.notes_by_id(READ_NOTES, &ids(effects, |body: &Details| body.note_id)).await?;
    Ok(each(effects, |body: Details| {
        let Some(found) = notes.get(&body.note_id) else { return gone(connector, body.note_id) };
        // Before sending, a box count that the note does not show is not there yet.
        match difference(&body, found, Unsaid::Differs) {
            None => Prepared::Found(Probe::Equal(note_ref(&found.note))),
            Some(difference) if found.note.state == NoteState::Shipped => {
                Prepared::Found(Probe::Different { reference: note_ref(&found.note), difference })
            }
            Some(_) => ready(&DetailsBefore {
                priority: found.priority,
                label_uri: found.label_uri.clone(),
                ship_method_id: found.note.ship_method_id,
                reference: found.note.reference.clone(),
                weight: found.weight,
            }),
        }
    }))
}

async fn prepare_shipped(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
    let notes = connector.notes_by_id(READ_NOTES, &ids(effects, |body: &Shipped| body.note_id)).await?;
    let owner = connector.staff_id().await?;
    // After reading, which has shown what time it is at Brightpearl.
    let now = connector.client.past_for_both();
    Ok(each(effects, |body: Shipped| {
        let Some(found) = notes.get(&body.note_id) else { return gone(connector, body.note_id) };
        if found.note.state == NoteState::Shipped {
            return Prepared::Found(Probe::Equal(shipped_ref(found)));
        }
        // The last look before what cannot be taken back: the answer to the POST does not say what the note holds, and a person
        // may have changed it since.
        let holds = bodies::quantities(&found.note.rows);
        if !body.rows.is_empty() && holds != body.rows {
            let words = |rows: &BTreeMap<i64, Decimal>| {
                rows.iter().map(|(row, units)| format!("{units} of row {row}")).collect::<Vec<_>>().join(", ")
            };
            return Prepared::Found(Probe::Different {
                reference: note_ref(&found.note),
                difference: format!("it holds {}, and {} left", words(&holds), words(&body.rows)),
            });
        }
        let Some(owner_id) = owner else {
            return Prepared::Impossible {
                why: "the staff contact that shipped events are posted as is not known: enter Staff contact id in the settings \
                      of the store"
                    .to_owned(),
            };
        };
        ready(&ShippedBefore { version: found.note.version, owner_id, occurred: time_text(body.shipped_at.min(now)) })
    }))
}

async fn prepare_statuses(connector: &Brightpearl, effects: &[Effect]) -> Result<Vec<Prepared>, Failure> {
    let order_ids = ids(effects, |body: &Status| body.order_id);
    let orders = orders::read(&connector.client, READ_ORDERS, &order_ids).await?;
    Ok(each(effects, |body: Status| match orders.get(&body.order_id) {
        None => Prepared::Impossible { why: format!("order {} does not exist any more", body.order_id) },
        Some(order) if order.status_id == body.to => Prepared::Found(Probe::Equal(order_ref(order))),
        Some(order) if body.from.contains(&order.status_id) || planted(Planted::OverwritesStatus) => {
            Prepared::Ready { baseline: json!({ "status": order.status_id }) }
        }
        Some(order) => Prepared::Found(Probe::MovedOn { state: order.status_id.to_string() }),
    }))
}

fn gone(connector: &Brightpearl, note_id: i64) -> Prepared {
    if connector.made_lately(note_id) {
        return not_shown_yet(note_id);
    }
    Prepared::Impossible { why: format!("goods-out note {note_id} does not exist any more") }
}

fn not_shown_yet(note_id: i64) -> Prepared {
    Prepared::NotYet {
        why: format!("goods-out note {note_id} was made a moment ago and Brightpearl does not show it yet"),
    }
}

/// Something that a note does not say: whether that counts as a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsaid {
    Differs,
    Agrees,
}

/// How a note differs from the shipping details that it should have; `None` when it does not.
pub(super) fn difference(wanted: &Details, found: &NoteDetail, unsaid: Unsaid) -> Option<String> {
    let mut differences = Vec::new();
    let note = &found.note;
    // A shipment without a tracking number says nothing about one that stands there.
    if !wanted.reference.is_empty() && note.reference != wanted.reference {
        differences.push(format!("reference {:?} instead of {:?}", note.reference, wanted.reference));
    }
    if let Some(method) = wanted.ship_method_id
        && method != note.ship_method_id
    {
        differences.push(format!("shipping method {} instead of {method}", note.ship_method_id));
    }
    match found.boxes {
        Some(boxes) if boxes != i64::from(wanted.boxes) => {
            differences.push(format!("{boxes} boxes instead of {}", wanted.boxes))
        }
        None if unsaid == Unsaid::Differs && wanted.boxes > 0 => {
            differences.push(format!("no boxes instead of {}", wanted.boxes))
        }
        Some(_) | None => {}
    }
    if let Some(weight) = wanted.weight {
        match found.weight {
            Some(found) if found != weight => differences.push(format!("weight {found} instead of {weight}")),
            None if unsaid == Unsaid::Differs => differences.push(format!("no weight instead of {weight}")),
            Some(_) | None => {}
        }
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}

/// A note by its id, with who made it.
pub(super) fn note_ref(note: &GoodsOutNote) -> RemoteRef {
    RemoteRef::new(note.note_id.to_string()).with("created_by", note.created_by.to_string())
}

/// A shipped note, with who shipped it and when.
pub(super) fn shipped_ref(found: &NoteDetail) -> RemoteRef {
    let reference = note_ref(&found.note).with("shipped_by", found.shipped_by.to_string());
    match found.note.shipped_at {
        Some(at) => reference.with("shipped_at", at.to_string()),
        None => reference,
    }
}

/// What is said of a note that should be deleted and was shipped.
pub(super) fn was_shipped(found: &NoteDetail) -> Probe {
    Probe::Different { reference: shipped_ref(found), difference: "the note was shipped meanwhile".to_owned() }
}

/// An order by its id, with its status.
pub(super) fn order_ref(order: &Order) -> RemoteRef {
    RemoteRef::new(order.order_id.to_string()).with("status", order.status_id.to_string())
}

/// A baseline read back.
pub(super) fn baseline<T: serde::de::DeserializeOwned>(baseline: &Value) -> Result<T, String> {
    T::deserialize(baseline).map_err(|error| format!("what was found before sending cannot be read back: {error}"))
}

#[cfg(test)]
mod tests {
    use connect::{GoodsOutNote, NewNote, NoteRow, NoteState, Order, Prepared, Probe};
    use rust_decimal::Decimal;
    use serde_json::{from_value, json};

    use super::{Authors, NotesBefore, baseline, note_may_be_made};
    use crate::brightpearl::map;

    fn order(quantity: i64) -> Order {
        map::to_order(
            from_value(json!({"id": 1, "placedOn": "2026-01-01T00:00:00Z",
                              "orderRows": {"8": {"productId": 7, "quantity": {"magnitude": quantity}}}}))
            .unwrap(),
        )
        .unwrap()
    }

    fn rows(quantity: i64) -> Vec<NoteRow> {
        vec![NoteRow { row_id: 8, product_id: 7, quantity: Decimal::from(quantity) }]
    }

    fn note(note_id: i64, quantity: i64, state: NoteState, created_by: i64) -> GoodsOutNote {
        GoodsOutNote {
            note_id,
            order_id: 1,
            warehouse_id: 2,
            transfer: false,
            state,
            shipped_at: None,
            created_by,
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            release_at: None,
            ship_method_id: 0,
            reference: String::new(),
            version: 1,
            rows: rows(quantity),
        }
    }

    fn decide(ordered: i64, wanted: i64, notes: &[GoodsOutNote], author: Option<i64>) -> Prepared {
        decide_beside(&[], ordered, wanted, notes, author)
    }

    fn decide_beside(
        others: &[i64],
        ordered: i64,
        wanted: i64,
        notes: &[GoodsOutNote],
        author: Option<i64>,
    ) -> Prepared {
        let wanted = NewNote {
            order_id: 1,
            warehouse_id: 2,
            released_at: "2026-01-02T00:00:00Z".parse().unwrap(),
            ship_method_id: None,
            rows: rows(wanted),
        };
        let others = others.iter().map(i64::to_string).collect();
        let authors = Authors { own: author, confirmed: author };
        note_may_be_made(&wanted, Some(&order(ordered)), &notes.iter().collect::<Vec<_>>(), &others, authors)
    }

    #[test]
    fn never_more_than_ordered() {
        let shipped = |quantity| note(1, quantity, NoteState::Shipped, 4);
        assert!(matches!(decide(10, 6, &[shipped(4)], None), Prepared::Ready { .. }));
        assert!(matches!(decide(10, 7, &[shipped(4)], None), Prepared::Impossible { .. }));
    }

    #[test]
    fn an_open_note_with_the_same_rows_is_used() {
        let Prepared::Found(Probe::Equal(found)) = decide(10, 6, &[note(9, 6, NoteState::Unshipped, 203)], None) else {
            panic!("the note is not used")
        };
        assert_eq!(found.id, "9");
        assert_eq!(found.facts.get("adopted").map(String::as_str), Some("true"));
        let two = [note(9, 3, NoteState::Unshipped, 203), note(10, 3, NoteState::Unshipped, 4)];
        assert!(matches!(decide(10, 3, &two, None), Prepared::Found(Probe::Many(_))));
    }

    #[test]
    fn an_open_note_of_others_with_other_rows_is_a_persons_matter() {
        let open = [note(9, 4, NoteState::Unshipped, 203)];
        assert!(matches!(decide(10, 6, &open, Some(4)), Prepared::Found(Probe::Different { .. })));
        assert!(matches!(decide(10, 6, &open, None), Prepared::Found(Probe::Different { .. })));
        assert!(matches!(decide(10, 6, &open, Some(203)), Prepared::Ready { .. }));
    }

    #[test]
    fn a_note_that_is_something_else_is_left_alone() {
        // Another request's of the same goods, and of others, both made by people.
        for quantity in [3, 4] {
            let open = [note(9, quantity, NoteState::Unshipped, 203)];
            assert!(matches!(decide_beside(&[9], 10, 3, &open, Some(4)), Prepared::Ready { .. }), "{quantity}");
            assert!(matches!(decide_beside(&[8], 10, 3, &open, Some(4)), Prepared::Found(_)), "{quantity}");
            let too_much = decide_beside(&[9], 10, 11 - quantity, &open, Some(4));
            assert!(matches!(too_much, Prepared::Impossible { .. }), "its units count: {quantity}");
        }
        let two = [note(9, 3, NoteState::Unshipped, 203), note(10, 3, NoteState::Unshipped, 4)];
        let Prepared::Found(Probe::Equal(found)) = decide_beside(&[9], 10, 3, &two, Some(4)) else {
            panic!("the one that is nobody's is not used")
        };
        assert_eq!(found.id, "10");
    }

    #[test]
    fn what_was_there_before_is_read_back() {
        let Prepared::Ready { baseline: found } = decide(10, 3, &[note(9, 4, NoteState::Shipped, 203)], Some(4)) else {
            panic!("the note is not ready")
        };
        let before: NotesBefore = baseline(&found).unwrap();
        assert_eq!(before.author, Some(4));
        assert_eq!(before.notes.get(&9).unwrap().get(&8), Some(&Decimal::from(4)));
    }
}
