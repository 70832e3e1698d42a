//! Looking for what a journal that was lost may have made (docs/recovery.md). What was there before is not known any more, so
//! goods-out notes are told by what was written into them. Reads only.

use std::collections::BTreeSet;

use connect::{Armed, ConnectorError, EffectKind, FoundAgain, GoodsOutNote, NewNote, Probe};
use jiff::{SignedDuration, Timestamp};

use super::{
    bodies,
    bodies::quantities,
    prepare::note_ref,
    probe::{self, learn_author},
};
use crate::brightpearl::{Brightpearl, client::Purpose};

const FIND: Purpose = Purpose::shipments("find_again");
/// Times come back in the account's own zone and to the second.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(1);
/// How much earlier than the window a note may have been made and still be looked at, since two clocks are compared.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(10);

/// One answer for each effect, in order; the effects are of one kind.
pub(in crate::brightpearl) async fn find_again(
    connector: &Brightpearl,
    effects: &[Armed],
    since: Timestamp,
) -> Result<Vec<FoundAgain>, ConnectorError> {
    if effects.iter().any(|armed| armed.effect.kind == EffectKind::CreateNote) {
        return find_notes(connector, effects, since).await;
    }
    // Everything else is found by what it is about or by its marker, whatever was there before.
    let effects: Vec<Armed> =
        effects.iter().map(|armed| Armed { armed_at: armed.armed_at.min(since), ..armed.clone() }).collect();
    Ok(probe::probe(connector, &effects).await?.into_iter().map(FoundAgain::Seen).collect())
}

async fn find_notes(
    connector: &Brightpearl,
    effects: &[Armed],
    since: Timestamp,
) -> Result<Vec<FoundAgain>, ConnectorError> {
    let wanted: Vec<NewNote> = effects
        .iter()
        .map(|armed| bodies::read(&armed.effect.body).map_err(ConnectorError::unexpected))
        .collect::<Result<_, _>>()?;
    let order_ids: Vec<i64> = wanted.iter().map(|note| note.order_id).collect();
    let notes = connector.notes_of_orders(FIND, &order_ids).await?;
    let since = since.checked_sub(LOOK_BACK).unwrap_or(since);
    let mut authors = BTreeSet::new();
    let mut found = Vec::with_capacity(wanted.len());
    for wanted in &wanted {
        let of_order: Vec<&GoodsOutNote> =
            notes.values().map(|note| &note.note).filter(|note| note.order_id == wanted.order_id).collect();
        authors.extend(of_order.iter().filter(|note| is_made_for(wanted, note)).map(|note| note.created_by));
        found.push(note_again(wanted, &of_order, since));
    }
    // Under which contact the hub's notes are kept may have been lost as well.
    learn_author(connector, &authors).await?;
    Ok(found)
}

/// The same goods from the same warehouse, to leave at the very time the shipment left: that time is written into each note
/// the hub makes.
pub(super) fn is_made_for(wanted: &NewNote, note: &GoodsOutNote) -> bool {
    holds(wanted, note) && note.release_at.is_some_and(|at| at.duration_since(wanted.released_at).abs() <= SAME_TIME)
}

fn holds(wanted: &NewNote, note: &GoodsOutNote) -> bool {
    !note.transfer && note.warehouse_id == wanted.warehouse_id && quantities(&note.rows) == quantities(&wanted.rows)
}

/// A note made for it is the one, shipped or not. One of the same goods that was made since and says no time may be anybody's.
fn note_again(wanted: &NewNote, notes: &[&GoodsOutNote], since: Timestamp) -> FoundAgain {
    let mut same_goods: Vec<&GoodsOutNote> = notes.iter().copied().filter(|note| holds(wanted, note)).collect();
    same_goods.sort_by_key(|note| note.note_id);
    // Parts of one order that left in one moment look alike but for their tracking, which the caller knows.
    let with_tracking = |note: &GoodsOutNote| note_ref(note).with("reference", note.reference.clone());
    let exact: Vec<_> =
        same_goods.iter().copied().filter(|note| is_made_for(wanted, note)).map(with_tracking).collect();
    if !exact.is_empty() {
        return FoundAgain::AnyOf(exact);
    }
    // Without a time on it, nothing but its age speaks for it.
    match same_goods.iter().find(|note| note.release_at.is_none() && note.created_at >= since) {
        Some(note) => FoundAgain::Seen(Probe::Different {
            reference: note_ref(note),
            difference: "it holds the same goods and does not say when they left: whether it is this shipment's is for a person to see"
                .to_owned(),
        }),
        None => FoundAgain::Seen(Probe::Absent),
    }
}

#[cfg(test)]
mod tests {
    use connect::{FoundAgain, GoodsOutNote, NewNote, NoteRow, NoteState, Probe};
    use rust_decimal::Decimal;

    use super::note_again;

    const LEFT: &str = "2026-01-02T10:00:00Z";

    fn note(note_id: i64, quantity: i64, release: Option<&str>) -> GoodsOutNote {
        GoodsOutNote {
            note_id,
            order_id: 1,
            warehouse_id: 2,
            transfer: false,
            state: NoteState::Shipped,
            shipped_at: None,
            created_by: 4,
            created_at: "2026-01-02T10:05:00Z".parse().unwrap(),
            release_at: release.map(|at| at.parse().unwrap()),
            ship_method_id: 0,
            reference: String::new(),
            version: 1,
            rows: vec![NoteRow { row_id: 8, product_id: 7, quantity: Decimal::from(quantity) }],
        }
    }

    fn look(notes: &[GoodsOutNote], since: &str) -> FoundAgain {
        let wanted = NewNote {
            order_id: 1,
            warehouse_id: 2,
            released_at: LEFT.parse().unwrap(),
            ship_method_id: None,
            rows: vec![NoteRow { row_id: 8, product_id: 7, quantity: Decimal::from(3) }],
        };
        note_again(&wanted, &notes.iter().collect::<Vec<_>>(), since.parse().unwrap())
    }

    #[test]
    fn a_note_is_known_by_its_goods_and_the_time_they_left() {
        let since = "2026-01-02T09:00:00Z";
        assert_eq!(look(&[], since), FoundAgain::Seen(Probe::Absent));
        assert_eq!(look(&[note(5, 2, Some(LEFT))], since), FoundAgain::Seen(Probe::Absent), "other goods");
        let other = note(5, 3, Some("2026-01-02T11:00:00Z"));
        assert_eq!(look(std::slice::from_ref(&other), since), FoundAgain::Seen(Probe::Absent), "another shipment's");
        let both = [note(7, 3, Some("2026-01-02T11:00:01+01:00")), note(6, 3, Some(LEFT)), other];
        let FoundAgain::AnyOf(found) = look(&both, since) else { panic!("it is not found") };
        assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["6", "7"]);
    }

    #[test]
    fn a_note_without_a_time_is_for_a_person_when_it_is_of_the_window() {
        let one = [note(5, 3, None)];
        assert!(matches!(look(&one, "2026-01-02T09:00:00Z"), FoundAgain::Seen(Probe::Different { .. })));
        assert_eq!(look(&one, "2026-01-02T12:00:00Z"), FoundAgain::Seen(Probe::Absent));
    }
}
