use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{GoodsOutNote, NoteRow, NoteState};
use jiff::Timestamp;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

use super::{Facts, MOST_GENERATIONS, Request, Shipment, examine};
use crate::{
    census::Patience,
    effect::later,
    finding::{FindingKind, Repair, Subject},
};

/// The hub's own contact at the source.
const AUTHOR: i64 = 4;

fn patience() -> Patience {
    Patience::new(Duration::from_secs(60), Duration::from_secs(60), 1)
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn hours(hours: u64) -> Timestamp {
    later(start(), Duration::from_secs(hours * 3_600))
}

fn rows(units: &[(i64, i64)]) -> Vec<NoteRow> {
    units
        .iter()
        .map(|(row_id, units)| NoteRow { row_id: *row_id, product_id: 100, quantity: Decimal::from(*units) })
        .collect()
}

fn note(note_id: i64, created_by: i64, units: &[(i64, i64)]) -> GoodsOutNote {
    GoodsOutNote {
        note_id,
        order_id: 1,
        warehouse_id: 5,
        transfer: false,
        state: NoteState::Unshipped,
        shipped_at: None,
        created_by,
        created_at: start(),
        release_at: None,
        ship_method_id: 0,
        reference: String::new(),
        version: 1,
        rows: rows(units),
    }
}

fn shipped(note: GoodsOutNote, reference: &str) -> GoodsOutNote {
    GoodsOutNote { state: NoteState::Shipped, shipped_at: Some(start()), reference: reference.to_owned(), ..note }
}

fn request(note_id: Option<i64>, units: &[(i64, i64)]) -> Request {
    Request {
        key: "BPacme-O1".to_owned(),
        note_id,
        rows: rows(units),
        sent: true,
        some_left: false,
        over: false,
        replaced: false,
    }
}

fn told(note_id: i64) -> Shipment {
    Shipment {
        reference: "S1".to_owned(),
        read_at: start(),
        tracking: vec!["1Z".to_owned()],
        tracking_kept: Some("1Z".to_owned()),
        rows: Some(rows(&[(10, 4), (11, 2)])),
        to_be_told: true,
        note_id: Some(note_id),
        told_at: Some(start()),
    }
}

/// An order of 4 units of row 10 and 2 of row 11.
struct Case {
    notes: Vec<GoodsOutNote>,
    requests: Vec<Request>,
    shipments: Vec<Shipment>,
    made: BTreeSet<i64>,
    rows_of_others: BTreeSet<i64>,
    busy: bool,
    generations: usize,
}

impl Case {
    fn new(notes: Vec<GoodsOutNote>) -> Self {
        Self {
            notes,
            requests: vec![request(None, &[(10, 4), (11, 2)])],
            shipments: Vec::new(),
            made: BTreeSet::new(),
            rows_of_others: BTreeSet::new(),
            busy: false,
            generations: 0,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn found(&self, now: Timestamp) -> Vec<(FindingKind, String)> {
        let ordered: BTreeMap<i64, Decimal> = [(10, Decimal::from(4)), (11, Decimal::from(2))].into();
        let findings = examine(
            &Facts {
                order_id: 1,
                notes: &self.notes,
                ordered: Some(&ordered),
                author: Some(AUTHOR),
                warehouses: &BTreeSet::from([5]),
                known: !self.requests.is_empty(),
                requests: &self.requests,
                shipments: &self.shipments,
                made: &self.made,
                rows_of_others: &self.rows_of_others,
                busy: self.busy,
                generations: self.generations,
            },
            &patience(),
            now,
        );
        findings.into_iter().map(|finding| (finding.kind, finding.subject.to_string())).collect()
    }

    fn finds(&self, kind: FindingKind, subject: &Subject) {
        assert_eq!(self.found(hours(3)), [(kind, subject.to_string())]);
    }

    fn is_well(&self) {
        assert_eq!(self.found(hours(3)), []);
    }
}

#[test]
fn a_shipment_that_was_told_is_well_only_on_a_shipped_note_with_its_tracking() {
    let case = |notes| Case::new(notes).with(|case| case.shipments.push(told(7)));
    let whole = &[(10, 4), (11, 2)];
    let subject = Subject::Shipment("S1".to_owned());
    case(vec![shipped(note(7, AUTHOR, whole), "1Z")]).is_well();
    case(vec![shipped(note(7, AUTHOR, whole), " ")]).finds(FindingKind::TrackingMissing, &subject);
    case(vec![note(7, AUTHOR, whole)]).finds(FindingKind::NoteNotShipped, &subject);
    case(Vec::new()).finds(FindingKind::NoteMissing, &subject);
    case(Vec::new()).with(|case| case.shipments[0].to_be_told = false).is_well();
    assert_eq!(case(Vec::new()).found(start()), [], "what was told a moment ago may not show yet");
    assert_eq!(FindingKind::TrackingMissing.repair(), Repair::WriteTracking);
}

#[test]
fn a_shipped_note_says_what_left_and_how_it_is_followed() {
    let case = |notes| Case::new(notes).with(|case| case.shipments.push(told(7)));
    let whole = &[(10, 4), (11, 2)];
    let subject = Subject::Shipment("S1".to_owned());
    let other = case(vec![shipped(note(7, AUTHOR, whole), "1Y")]);
    other.finds(FindingKind::TrackingDiffers, &subject);
    assert_eq!(FindingKind::TrackingDiffers.repair(), Repair::WriteTracking);
    assert_eq!(other.found(start()), [], "what was told a moment ago may not show yet");
    // Several numbers are kept in the source's own form, which alone is compared.
    let several = |kept: &str| {
        case(vec![shipped(note(7, AUTHOR, whole), kept)]).with(|case| {
            case.shipments[0].tracking = vec!["1Z".to_owned(), "2Z".to_owned(), "3Z".to_owned()];
            case.shipments[0].tracking_kept = Some("1Z, 2Z +1".to_owned());
        })
    };
    several("1Z, 2Z +1").is_well();
    several("1Z").finds(FindingKind::TrackingDiffers, &subject);
    // Without tracking the note keeps whatever it had.
    let none = |kept: Option<&str>| {
        case(vec![shipped(note(7, AUTHOR, whole), "the office's own")]).with(|case| {
            case.shipments[0].tracking.clear();
            case.shipments[0].tracking_kept = kept.map(str::to_owned);
        })
    };
    none(Some("")).is_well();
    none(None).is_well();
    let fewer = case(vec![shipped(note(7, AUTHOR, &[(10, 3), (11, 2)]), "1Z")]);
    fewer.finds(FindingKind::GoodsDiffer, &subject);
    fewer.with(|case| case.shipments[0].rows = None).is_well();
    // A row in two pieces is the same row.
    case(vec![shipped(note(7, AUTHOR, &[(10, 3), (11, 2), (10, 1)]), "1Z")]).is_well();
}

#[test]
fn a_note_is_stuck_when_the_goods_left_long_ago() {
    let waiting = |notes| {
        Case::new(notes).with(|case| {
            case.shipments.push(Shipment { told_at: None, ..told(7) });
            case.requests[0].some_left = true;
        })
    };
    waiting(vec![note(7, AUTHOR, &[(10, 4)])]).finds(FindingKind::StuckNote, &Subject::Note(7));
    waiting(Vec::new()).finds(FindingKind::StuckShipment, &Subject::Shipment("S1".to_owned()));
    assert_eq!(waiting(Vec::new()).found(start()), []);
}

#[test]
fn an_own_note_that_belongs_to_nothing_is_an_orphan() {
    let orphan = || Case::new(vec![note(7, AUTHOR, &[(10, 1)])]);
    orphan().finds(FindingKind::OrphanNote, &Subject::Note(7));
    orphan().with(|case| case.requests.clear()).finds(FindingKind::OrphanNote, &Subject::Note(7));
    // What another connection of the installation made for its part of the order is neither lost nor to be taken away.
    let theirs = |case: &mut Case| {
        case.rows_of_others.insert(10);
    };
    orphan().with(theirs).is_well();
    Case::new(vec![shipped(note(7, AUTHOR, &[(10, 1)]), "1Z")]).with(theirs).is_well();
    orphan().with(|case| case.busy = true).is_well();
    orphan().with(|case| case.made = BTreeSet::from([7])).is_well();
    orphan().with(|case| case.notes[0].created_by = 203).is_well();
    orphan().with(|case| case.notes[0].warehouse_id = 2).is_well();
    assert_eq!(orphan().found(start()), [], "one that was made a moment ago may still be told of");
    Case::new(vec![shipped(note(7, AUTHOR, &[(10, 1)]), "1Z")]).finds(FindingKind::ShippedUntold, &Subject::Note(7));
    assert_eq!(FindingKind::OrphanNote.repair(), Repair::DeleteNote);
}

#[test]
fn the_second_note_for_the_same_goods_is_the_one_too_many() {
    let two = || Case::new(vec![note(7, 203, &[(10, 2)]), note(8, 203, &[(10, 2)])]);
    two().finds(FindingKind::DuplicateNote, &Subject::Note(8));
    two().with(|case| case.requests[0].sent = false).is_well();
    // Both are requests: somebody meant two shipments.
    two().with(|case| case.requests = vec![request(Some(7), &[(10, 2)]), request(Some(8), &[(10, 2)])]).is_well();
    // A person's note with the goods that the warehouse ships will be used for them.
    Case::new(vec![note(7, 203, &[(10, 4), (11, 2)])]).is_well();
    // More than ordered, by notes of different goods.
    Case::new(vec![note(7, 203, &[(10, 3)]), note(8, 203, &[(10, 2)])])
        .finds(FindingKind::DuplicateNote, &Subject::Note(8));
    Case::new(vec![shipped(note(7, 203, &[(10, 3)]), ""), shipped(note(8, 203, &[(10, 2)]), "")])
        .finds(FindingKind::TooManyNotes, &Subject::Order(1));
}

#[test]
fn a_note_that_is_a_request_is_left_alone() {
    let asked = |notes| Case::new(notes).with(|case| case.requests = vec![request(Some(7), &[(10, 4)])]);
    asked(vec![note(7, 203, &[(10, 4)])]).is_well();
    asked(vec![note(7, 203, &[(10, 3)])]).finds(FindingKind::NoteChanged, &Subject::Note(7));
    asked(Vec::new()).finds(FindingKind::RequestNoteGone, &Subject::Note(7));
    asked(Vec::new()).with(|case| case.requests[0].over = true).is_well();
    asked(Vec::new()).with(|case| case.requests[0].replaced = true).is_well();
    asked(vec![shipped(note(7, 203, &[(10, 4)]), "")]).finds(FindingKind::ShippedByHand, &Subject::Note(7));
    asked(vec![shipped(note(7, 203, &[(10, 4)]), "")]).with(|case| case.requests[0].some_left = true).is_well();
}

#[test]
fn an_order_may_be_split_and_split_again_but_not_for_ever() {
    Case::new(Vec::new()).with(|case| case.generations = MOST_GENERATIONS).is_well();
    Case::new(Vec::new())
        .with(|case| case.generations = MOST_GENERATIONS + 1)
        .finds(FindingKind::EndlessSplit, &Subject::Order(1));
}

fn any_notes() -> impl Strategy<Value = Vec<GoodsOutNote>> {
    let one = (1_i64..6, prop::sample::select(vec![AUTHOR, 203]), 1_i64..3, any::<bool>(), 0_u64..4);
    prop::collection::vec(one, 0..5).prop_map(|notes| {
        let notes: BTreeMap<i64, GoodsOutNote> = notes
            .into_iter()
            .map(|(id, author, units, left, made)| {
                let made = GoodsOutNote { created_at: hours(made), ..note(id, author, &[(10, units)]) };
                (id, if left { shipped(made, "") } else { made })
            })
            .collect();
        notes.into_values().collect()
    })
}

proptest! {
    /// Only an unshipped note that belongs to nothing is ever proposed for deletion, each finding is there once, and nothing
    /// new is found about a moment that has just passed.
    #[test]
    fn deletion_is_proposed_for_loose_notes_only(
        notes in any_notes(),
        linked in prop::collection::btree_set(1_i64..6, 0..3),
        made in prop::collection::btree_set(1_i64..6, 0..3),
        busy in any::<bool>(),
        at in 0_u64..8,
    ) {
        let case = Case::new(notes.clone()).with(|case| {
            case.requests.extend(linked.iter().map(|id| request(Some(*id), &[(10, 1)])));
            case.made = made.clone();
            case.busy = busy;
        });
        let found = case.found(hours(at));
        let distinct: BTreeSet<&(FindingKind, String)> = found.iter().collect();
        prop_assert_eq!(distinct.len(), found.len());
        for (kind, subject) in &found {
            if kind.repair() != Repair::DeleteNote {
                continue;
            }
            let Ok(Subject::Note(id)) = subject.parse() else { panic!("{subject} is no note") };
            let note = notes.iter().find(|note| note.note_id == id).unwrap();
            prop_assert!(!busy && !linked.contains(&id) && !made.contains(&id));
            prop_assert_eq!(note.state, NoteState::Unshipped);
            prop_assert!(hours(at) > later(note.created_at, patience().grace));
        }
    }
}
