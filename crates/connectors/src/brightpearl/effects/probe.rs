//! Looking after an unknown outcome: what is there now, against what was there before (docs/reliability.md). Reads
//! only.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Armed, ConnectorError, EffectKind, GoodsOutNote, MovementKind, NewNote, NoteState, Probe, RemoteRef, SourceLevels,
    StockMovement,
    planted::{Planted, planted},
};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;

use super::{
    again::is_made_for,
    bodies::{self, Correction, Deletion, Details, OrderNote, Shipped, Status, quantities},
    prepare::{NotesBefore, StockBefore, Unsaid, baseline, difference, note_ref, order_ref, shipped_ref, was_shipped},
};
use crate::brightpearl::{Brightpearl, client::Purpose, movements, orders, stock};

const PROBE: Purpose = Purpose::shipments("probe");
const PROBE_STOCK: Purpose = Purpose::stock("probe");
/// How much earlier than it was armed a correction is looked for, since two clocks are compared.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(5);
/// Their clock is known to the second: how far around the reading of a figure a movement may be in it or not.
const READING: SignedDuration = SignedDuration::from_secs(2);

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
        EffectKind::SubmitRequest
        | EffectKind::ReleaseRequest
        | EffectKind::CancelRequest
        | EffectKind::Acknowledge => {
            Err(ConnectorError::unsupported("Brightpearl is an order source, not a warehouse"))
        }
    }
}

fn bodies_of<T: DeserializeOwned>(effects: &[Armed]) -> Result<Vec<T>, ConnectorError> {
    effects.iter().map(|armed| bodies::read(&armed.effect.body).map_err(ConnectorError::unexpected)).collect()
}

/// Under which contact the hub's notes are kept, while it is not known: `made` are the creators of the notes that hold the very
/// time the hub wrote into them. It takes both: what is written into a note, and that the contact is the API user's own.
pub(super) async fn learn_author(connector: &Brightpearl, made: &BTreeSet<i64>) -> Result<Option<i64>, ConnectorError> {
    if let (Some(author), 1, None) = (made.first(), made.len(), connector.note_author())
        && connector.staff_id().await? == Some(*author)
    {
        connector.keep_author(*author);
    }
    Ok(connector.note_author())
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
        let of_order: Vec<&GoodsOutNote> =
            notes.values().map(|note| &note.note).filter(|note| note.order_id == wanted.order_id).collect();
        let author = match before.author.or(connector.note_author()) {
            None => {
                let new = of_order.iter().copied().filter(|note| !before.notes.contains_key(&note.note_id));
                let made = new.filter(|note| is_made_for(wanted, note)).map(|note| note.created_by).collect();
                learn_author(connector, &made).await?
            }
            known => known,
        };
        probes.push(note_was_made(wanted, &before, &of_order, author));
    }
    Ok(probes)
}

/// Whether a note that was not there before is the wanted one. Orders are changed one effect at a time (R6), so a new
/// note of the hub's own in this warehouse can only come from this effect, whatever its rows; but for what a lost journal made.
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
        // A journal that was lost may have made the notes of later shipments since (docs/recovery.md). What was written into
        // each tells them apart; what was made twice looks the same twice.
        several => {
            let made: Vec<_> = several.iter().filter(|note| is_own(note) && is_made_for(wanted, note)).collect();
            match made.as_slice() {
                [only] => Probe::Equal(note_ref(only)),
                _ => Probe::Many(several.iter().map(|note| note_ref(note)).collect()),
            }
        }
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
    // One search for all lines of a warehouse, since the first of them was prepared.
    let mut wanted: BTreeMap<i64, (BTreeSet<i64>, Timestamp)> = BTreeMap::new();
    let before: Vec<Option<StockBefore>> = effects.iter().map(|armed| baseline(&armed.baseline).ok()).collect();
    for ((body, armed), before) in bodies.iter().zip(effects).zip(&before) {
        let from = before.as_ref().map_or(armed.armed_at, |before| before.from.min(armed.armed_at));
        let (products, since) = wanted.entry(body.warehouse_id).or_insert_with(|| (BTreeSet::new(), from));
        products.insert(body.product_id);
        *since = (*since).min(from);
    }
    let mut found = BTreeMap::new();
    for (warehouse_id, (products, since)) in wanted {
        let since = since.checked_sub(LOOK_BACK).unwrap_or(since);
        let client = &connector.client;
        let levels = if before.iter().any(Option::is_some) {
            let products: Vec<i64> = products.iter().copied().collect();
            stock::levels(client, PROBE_STOCK, warehouse_id, &products).await?
        } else {
            SourceLevels::default()
        };
        let moved = movements::since(client, PROBE_STOCK, warehouse_id, &products, since).await?;
        let notes = moved.iter().filter(|moved| moved.kind == MovementKind::Correction).map(|moved| moved.note_id);
        let corrections = movements::corrections(client, PROBE_STOCK, warehouse_id, &notes.collect()).await?;
        found.insert(warehouse_id, (levels, moved, corrections));
    }
    let one = |(body, before): (&Correction, &Option<StockBefore>)| {
        let Some((levels, moved, corrections)) = found.get(&body.warehouse_id) else { return Probe::Absent };
        let probe = correction_was_made(body, corrections);
        match (&probe, before, levels.unread.get(&body.product_id)) {
            (Probe::Absent, Some(_), Some(why)) => {
                Probe::Unaccounted { why: format!("its stock cannot be read: {why}") }
            }
            (Probe::Absent, Some(before), None) => {
                let now = levels.of(body.product_id).in_stock;
                let of_product: Vec<&StockMovement> =
                    moved.iter().filter(|moved| moved.product_id == body.product_id).collect();
                adds_up(before, now, &of_product)
            }
            _ => probe,
        }
    };
    Ok(bodies.iter().zip(&before).map(one).collect())
}

/// Whether what is in stock now is what was before and what moved since (docs/reliability.md): then a correction that is not
/// among the movements did not happen. Movements of the moment in which the figure was read may be in it or not.
fn adds_up(before: &StockBefore, now: Decimal, moved: &[&StockMovement]) -> Probe {
    let change = now - before.in_stock;
    let from = before.from.checked_sub(READING).unwrap_or(before.from);
    let to = before.to.checked_add(READING).unwrap_or(before.to);
    // In the order of their ids: their times are of whole seconds. What certainly came after, then each of the doubtful ones,
    // the latest first.
    let moved: Vec<(Timestamp, Decimal)> = moved.iter().map(|moved| (moved.at, moved.quantity)).collect();
    let mut sum: Decimal = moved.iter().filter(|(at, _)| *at > to).map(|(_, quantity)| *quantity).sum();
    let certain = sum;
    let mut fits = sum == change;
    for (_, quantity) in moved.iter().rev().filter(|(at, _)| *at >= from && *at <= to) {
        sum += *quantity;
        fits |= sum == change;
    }
    if fits {
        return Probe::Absent;
    }
    Probe::Unaccounted {
        why: format!(
            "the stock went from {} to {} while movements of {certain:+} are known",
            before.in_stock.normalize(),
            now.normalize()
        ),
    }
}

/// Whether corrections carry the marker of a line, and move what the line should. Only the marker's own characters are
/// looked for: what stands around them may come back trimmed or escaped.
fn correction_was_made(wanted: &Correction, corrections: &[movements::Correction]) -> Probe {
    let marked = corrections.iter().filter(|correction| correction.reason.contains(&wanted.marker));
    let moved = |correction: &movements::Correction| -> Decimal {
        let of_product = correction.moved.iter().filter(|(product_id, _)| *product_id == wanted.product_id);
        of_product.map(|(_, quantity)| *quantity).sum()
    };
    let reference = |correction: &movements::Correction| {
        let reference = RemoteRef::new(correction.note_id.to_string());
        match correction.made_at {
            Some(at) => reference.with("made_at", at.to_string()),
            None => reference,
        }
    };
    let found: Vec<(RemoteRef, Decimal)> =
        marked.map(|correction| (reference(correction), moved(correction))).collect();
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

    use connect::{GoodsOutNote, MovementKind, NewNote, NoteRow, NoteState, Probe, StockMovement};
    use rust_decimal::Decimal;

    use super::{Correction, NotesBefore, StockBefore, adds_up, correction_was_made, movements, note_was_made};

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
        // Notes that a lost journal made: each holds when its goods left.
        let to_leave = |note: GoodsOutNote, at: &str| GoodsOutNote { release_at: Some(at.parse().unwrap()), ..note };
        let ours = to_leave(note(6, 3, 4), "2026-01-02T00:00:00Z");
        let later = to_leave(note(7, 1, 4), "2026-01-02T00:05:00Z");
        assert!(matches!(look(&[ours.clone(), later], Some(4)), Probe::Equal(found) if found.id == "6"));
        let twice = GoodsOutNote { note_id: 7, ..ours.clone() };
        assert!(matches!(look(&[ours, twice], Some(4)), Probe::Many(_)));
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
        let note = |note_id, moved: &[i64]| movements::Correction {
            note_id,
            reason: "Count &amp; check &#91;hub:01JEXAMPLE0123456789ABCDEF&#93;".to_owned(),
            moved: moved.iter().map(|quantity| (7, Decimal::from(*quantity))).collect(),
            made_at: None,
        };
        let other = movements::Correction { reason: "[hub:01JEXAMPLE0123456789ABCDEX]".to_owned(), ..note(1, &[-3]) };
        assert_eq!(correction_was_made(&wanted, &[other]), Probe::Absent);
        assert!(matches!(correction_was_made(&wanted, &[note(2, &[-1, -2])]), Probe::Equal(found) if found.id == "2"));
        assert!(matches!(correction_was_made(&wanted, &[note(2, &[-2])]), Probe::Different { .. }));
        assert!(matches!(correction_was_made(&wanted, &[note(2, &[-3]), note(3, &[-3])]), Probe::Many(_)));
    }

    /// §8.3: a correction that is not found did not happen only if the figures add up without it.
    #[test]
    fn figures_tell_whether_something_is_missing() {
        let at = |second: i64| jiff::Timestamp::from_second(1_800_000_000 + second).unwrap();
        let before = StockBefore { in_stock: Decimal::from(20), from: at(0), to: at(1) };
        let moved = |second, quantity: i64| StockMovement {
            product_id: 7,
            quantity: Decimal::from(quantity),
            kind: MovementKind::GoodsOut,
            note_id: 1,
            order_id: Some(1),
            reason: String::new(),
            at: at(second),
        };
        let look =
            |now: i64, moved: &[StockMovement]| adds_up(&before, Decimal::from(now), &moved.iter().collect::<Vec<_>>());
        assert_eq!(look(20, &[]), Probe::Absent);
        assert_eq!(look(17, &[moved(30, -2), moved(90, -1)]), Probe::Absent);
        assert_eq!(look(20, &[moved(-60, -2)]), Probe::Absent, "long before");
        // At the moment of reading: in the figure or not.
        assert_eq!(look(20, &[moved(1, -2)]), Probe::Absent);
        assert_eq!(look(18, &[moved(1, -2)]), Probe::Absent);
        assert_eq!(look(16, &[moved(0, -3), moved(1, -2), moved(60, -2)]), Probe::Absent);
        // Three are gone and no movement says so: ours, or somebody's that does not show yet.
        assert!(matches!(look(17, &[]), Probe::Unaccounted { .. }));
        assert!(matches!(look(17, &[moved(30, -2)]), Probe::Unaccounted { why } if why.contains("from 20 to 17")));
    }
}
