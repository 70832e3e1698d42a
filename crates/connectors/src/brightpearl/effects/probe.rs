//! Looking after an unknown outcome: what is there now, against what was there before (docs/reliability.md). Reads
//! only.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Armed, ConnectorError, EffectKind, GoodsOutNote, NewNote, NoteState, Probe, RemoteRef,
    planted::{Planted, planted},
};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;

use super::{
    bodies::{self, Correction, Deletion, Details, OrderNote, Shipped, Status},
    prepare::{NotesBefore, Unsaid, baseline, difference, note_ref, order_ref, quantities, shipped_ref, was_shipped},
};
use crate::brightpearl::{Brightpearl, client::Purpose, orders, stock};

const PROBE: Purpose = Purpose::shipments("probe");
const PROBE_STOCK: Purpose = Purpose::stock("probe");
/// How much earlier than it was armed a correction is looked for, since two clocks are compared.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(5);

/// One answer for each effect, in order; the effects are of one kind.
pub(in crate::brightpearl) async fn probe(
    connector: &Brightpearl,
    effects: &[Armed],
) -> Result<Vec<Probe>, ConnectorError> {
    let Some(first) = effects.first() else { return Ok(Vec::new()) };
    if effects.iter().any(|armed| armed.effect.kind != first.effect.kind) {
        return Err(ConnectorError::unexpected("effects of several kinds cannot be looked for together"));
    }
    match first.effect.kind {
        EffectKind::CreateNote => probe_notes(connector, &bodies_of(effects)?, effects).await,
        EffectKind::DeleteNote => probe_deletions(connector, &bodies_of(effects)?).await,
        EffectKind::UpdateShipping => probe_details(connector, &bodies_of(effects)?).await,
        EffectKind::PostShipped => probe_shipped(connector, &bodies_of(effects)?).await,
        EffectKind::SetStatus => probe_statuses(connector, &bodies_of(effects)?).await,
        EffectKind::AddOrderNote => probe_order_notes(connector, &bodies_of(effects)?).await,
        EffectKind::CorrectStock => probe_corrections(connector, &bodies_of(effects)?, effects).await,
        EffectKind::SubmitRequest | EffectKind::ReleaseRequest | EffectKind::CancelRequest => {
            Err(ConnectorError::unsupported("Brightpearl is an order source, not a warehouse"))
        }
    }
}

fn bodies_of<T: DeserializeOwned>(effects: &[Armed]) -> Result<Vec<T>, ConnectorError> {
    effects.iter().map(|armed| bodies::read(&armed.effect.body).map_err(ConnectorError::unexpected)).collect()
}

async fn probe_notes(
    connector: &Brightpearl,
    wanted: &[NewNote],
    effects: &[Armed],
) -> Result<Vec<Probe>, ConnectorError> {
    let order_ids: Vec<i64> = wanted.iter().map(|note| note.order_id).collect();
    let notes = connector.notes_of_orders(PROBE, &order_ids).await?;
    let mut probes = Vec::with_capacity(effects.len());
    for (wanted, armed) in wanted.iter().zip(effects) {
        let before: NotesBefore = baseline(&armed.baseline).map_err(ConnectorError::unexpected)?;
        let author = before.author.or(connector.note_author());
        let of_order = notes.values().map(|note| &note.note).filter(|note| note.order_id == wanted.order_id);
        probes.push(note_was_made(wanted, &before, &of_order.collect::<Vec<_>>(), author));
    }
    Ok(probes)
}

/// Whether a note that was not there before is the wanted one. Orders are changed one effect at a time (R6), so a new
/// note of the hub's own in this warehouse can only come from this effect, whatever its rows.
fn note_was_made(wanted: &NewNote, before: &NotesBefore, notes: &[&GoodsOutNote], author: Option<i64>) -> Probe {
    let rows = quantities(&wanted.rows);
    let is_equal = |note: &GoodsOutNote| quantities(&note.rows) == rows;
    let is_own = |note: &GoodsOutNote| author == Some(note.created_by);
    let new = notes.iter().copied().filter(|note| {
        !before.notes.contains_key(&note.note_id)
            && note.warehouse_id == wanted.warehouse_id
            && (is_equal(note) || is_own(note) || planted(Planted::AnyNoteIsOurs))
    });
    let candidates: Vec<&GoodsOutNote> = new.collect();
    match candidates.as_slice() {
        [] => Probe::Absent,
        [only] if is_equal(only) && is_own(only) || planted(Planted::AnyNoteIsOurs) => Probe::Equal(note_ref(only)),
        [only] => Probe::Different {
            reference: note_ref(only),
            difference: match (is_equal(only), author) {
                (false, _) => "the note has other rows or quantities than were sent".to_owned(),
                (true, Some(author)) => {
                    format!(
                        "the note was made by contact {}, the hub's own are made by contact {author}",
                        only.created_by
                    )
                }
                (true, None) => format!(
                    "the note was made by contact {}, and it is not confirmed yet under which contact the hub's own are kept",
                    only.created_by
                ),
            },
        },
        several => Probe::Many(several.iter().map(|note| note_ref(note)).collect()),
    }
}

async fn probe_deletions(connector: &Brightpearl, bodies: &[Deletion]) -> Result<Vec<Probe>, ConnectorError> {
    let notes = connector.notes_by_id(PROBE, &bodies.iter().map(|body| body.note_id).collect::<Vec<_>>()).await?;
    let one = |body: &Deletion| match notes.get(&body.note_id) {
        None => Probe::Equal(RemoteRef::new(body.note_id.to_string())),
        Some(found) if found.note.state == NoteState::Shipped => was_shipped(found),
        Some(_) => Probe::Absent,
    };
    Ok(bodies.iter().map(one).collect())
}

async fn probe_details(connector: &Brightpearl, bodies: &[Details]) -> Result<Vec<Probe>, ConnectorError> {
    let notes = connector.notes_by_id(PROBE, &bodies.iter().map(|body| body.note_id).collect::<Vec<_>>()).await?;
    let one = |body: &Details| {
        let Some(found) = notes.get(&body.note_id) else { return note_is_gone(body.note_id) };
        match difference(body, found, Unsaid::Agrees) {
            None => Probe::Equal(note_ref(&found.note)),
            Some(difference) if found.note.state == NoteState::Shipped => {
                Probe::Different { reference: note_ref(&found.note), difference }
            }
            Some(_) => Probe::Absent,
        }
    };
    Ok(bodies.iter().map(one).collect())
}

async fn probe_shipped(connector: &Brightpearl, bodies: &[Shipped]) -> Result<Vec<Probe>, ConnectorError> {
    let notes = connector.notes_by_id(PROBE, &bodies.iter().map(|body| body.note_id).collect::<Vec<_>>()).await?;
    let one = |body: &Shipped| match notes.get(&body.note_id) {
        None => note_is_gone(body.note_id),
        Some(found) if found.note.state == NoteState::Shipped => Probe::Equal(shipped_ref(found)),
        Some(_) => Probe::Absent,
    };
    Ok(bodies.iter().map(one).collect())
}

fn note_is_gone(note_id: i64) -> Probe {
    Probe::Different {
        reference: RemoteRef::new(note_id.to_string()),
        difference: format!("goods-out note {note_id} does not exist any more"),
    }
}

async fn probe_statuses(connector: &Brightpearl, bodies: &[Status]) -> Result<Vec<Probe>, ConnectorError> {
    let ids: Vec<i64> = bodies.iter().map(|body| body.order_id).collect();
    let orders = orders::read(&connector.client, PROBE, &ids).await?;
    let one = |body: &Status| match orders.get(&body.order_id) {
        None => Probe::MovedOn { state: "gone".to_owned() },
        Some(order) if order.status_id == body.to => Probe::Equal(order_ref(order)),
        Some(order) if body.from.contains(&order.status_id) || planted(Planted::OverwritesStatus) => Probe::Absent,
        Some(order) => Probe::MovedOn { state: order.status_id.to_string() },
    };
    Ok(bodies.iter().map(one).collect())
}

async fn probe_order_notes(connector: &Brightpearl, bodies: &[OrderNote]) -> Result<Vec<Probe>, ConnectorError> {
    let mut probes = Vec::with_capacity(bodies.len());
    for body in bodies {
        // The notes of the order itself: a search might lag behind.
        let notes = orders::read_order_notes(&connector.client, PROBE, body.order_id).await?;
        let marked = notes.iter().filter(|note| note.text.0.contains(&body.marker));
        let found: Vec<RemoteRef> = marked
            .map(|note| RemoteRef::new(note.note_id.0.to_string()).with("added_by", note.added_by.0.to_string()))
            .collect();
        probes.push(match found.as_slice() {
            [] => Probe::Absent,
            [only] => Probe::Equal(only.clone()),
            _ => Probe::Many(found),
        });
    }
    Ok(probes)
}

async fn probe_corrections(
    connector: &Brightpearl,
    bodies: &[Correction],
    effects: &[Armed],
) -> Result<Vec<Probe>, ConnectorError> {
    // One search for all lines of a warehouse, since the first of them was armed.
    let mut wanted: BTreeMap<i64, (BTreeSet<i64>, Timestamp)> = BTreeMap::new();
    for (body, armed) in bodies.iter().zip(effects) {
        let (products, since) = wanted.entry(body.warehouse_id).or_insert_with(|| (BTreeSet::new(), armed.armed_at));
        products.insert(body.product_id);
        *since = (*since).min(armed.armed_at);
    }
    let mut found = BTreeMap::new();
    for (warehouse_id, (products, since)) in wanted {
        let since = since.checked_sub(LOOK_BACK).unwrap_or(since);
        let corrections =
            stock::corrections_since(&connector.client, PROBE_STOCK, warehouse_id, products, since).await?;
        found.insert(warehouse_id, corrections);
    }
    let one = |body: &Correction| {
        let corrections = found.get(&body.warehouse_id).map(Vec::as_slice).unwrap_or_default();
        correction_was_made(body, corrections)
    };
    Ok(bodies.iter().map(one).collect())
}

/// Whether corrections carry the marker of a line, and move what the line should. Only the marker's own characters are
/// looked for: what stands around them may come back trimmed or escaped.
fn correction_was_made(wanted: &Correction, corrections: &[stock::Correction]) -> Probe {
    let marked = corrections.iter().filter(|correction| correction.reason.contains(&wanted.marker));
    let moved = |correction: &stock::Correction| -> Decimal {
        let of_product = correction.moved.iter().filter(|(product_id, _)| *product_id == wanted.product_id);
        of_product.map(|(_, quantity)| *quantity).sum()
    };
    let found: Vec<(RemoteRef, Decimal)> =
        marked.map(|correction| (RemoteRef::new(correction.note_id.to_string()), moved(correction))).collect();
    let difference = Decimal::from(wanted.difference);
    // A removal may come as several movements.
    let sum: Decimal = found.iter().map(|(_, moved)| *moved).sum();
    match found.as_slice() {
        [] => Probe::Absent,
        [(first, _), ..] if sum == difference => Probe::Equal(first.clone()),
        [_, _, ..] if found.iter().all(|(_, moved)| *moved == difference) => {
            Probe::Many(found.into_iter().map(|(reference, _)| reference).collect())
        }
        [(first, _), ..] => Probe::Different {
            reference: first.clone(),
            difference: format!("{sum} was moved instead of {difference}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use connect::{GoodsOutNote, NewNote, NoteRow, NoteState, Probe};
    use rust_decimal::Decimal;

    use super::{Correction, NotesBefore, correction_was_made, note_was_made, stock};

    fn note(note_id: i64, quantity: i64, created_by: i64) -> GoodsOutNote {
        GoodsOutNote {
            note_id,
            order_id: 1,
            warehouse_id: 2,
            transfer: false,
            state: NoteState::Unshipped,
            shipped_at: None,
            created_by,
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            release_at: None,
            ship_method_id: 0,
            reference: String::new(),
            version: 1,
            rows: vec![NoteRow { row_id: 8, product_id: 7, quantity: Decimal::from(quantity) }],
        }
    }

    fn look(notes: &[GoodsOutNote], author: Option<i64>) -> Probe {
        let wanted = NewNote {
            order_id: 1,
            warehouse_id: 2,
            released_at: "2026-01-02T00:00:00Z".parse().unwrap(),
            ship_method_id: None,
            rows: vec![NoteRow { row_id: 8, product_id: 7, quantity: Decimal::from(3) }],
        };
        let before = NotesBefore { notes: BTreeMap::from([(5, BTreeMap::new())]), author: None };
        note_was_made(&wanted, &before, &notes.iter().collect::<Vec<_>>(), author)
    }

    #[test]
    fn only_a_new_equal_note_of_ones_own_is_taken() {
        assert_eq!(look(&[note(5, 3, 4)], Some(4)), Probe::Absent);
        assert!(matches!(look(&[note(5, 3, 4), note(6, 3, 4)], Some(4)), Probe::Equal(found) if found.id == "6"));
        assert!(matches!(look(&[note(6, 3, 203)], Some(4)), Probe::Different { .. }));
        assert!(matches!(look(&[note(6, 3, 4)], None), Probe::Different { .. }));
        assert!(matches!(look(&[note(6, 2, 4)], Some(4)), Probe::Different { .. }));
        assert_eq!(look(&[note(6, 2, 203)], Some(4)), Probe::Absent);
        assert!(matches!(look(&[note(6, 3, 4), note(7, 3, 4)], Some(4)), Probe::Many(found) if found.len() == 2));
    }

    #[test]
    fn corrections_are_found_by_their_marker_and_summed() {
        let wanted = Correction {
            warehouse_id: 2,
            location_id: 2,
            product_id: 7,
            difference: -3,
            reason: String::new(),
            marker: "01JEXAMPLE0123456789ABCDEF".to_owned(),
            cost: None,
        };
        let note = |note_id, moved: &[i64]| stock::Correction {
            note_id,
            reason: "Count &amp; check &#91;hub:01JEXAMPLE0123456789ABCDEF&#93;".to_owned(),
            moved: moved.iter().map(|quantity| (7, Decimal::from(*quantity))).collect(),
        };
        let other = stock::Correction { reason: "[hub:01JEXAMPLE0123456789ABCDEX]".to_owned(), ..note(1, &[-3]) };
        assert_eq!(correction_was_made(&wanted, &[other]), Probe::Absent);
        assert!(matches!(correction_was_made(&wanted, &[note(2, &[-1, -2])]), Probe::Equal(found) if found.id == "2"));
        assert!(matches!(correction_was_made(&wanted, &[note(2, &[-2])]), Probe::Different { .. }));
        assert!(matches!(correction_was_made(&wanted, &[note(2, &[-3]), note(3, &[-3])]), Probe::Many(_)));
    }
}
