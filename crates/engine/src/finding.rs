//! Findings: what a comparison of the ledgers shows to be wrong, why that matters, and what would mend it. A finding never
//! acts by itself.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::census::Lost;

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Ready at the source, and the hub has no record of it.
    NotKnown,
    /// The hub takes it to be at the warehouse, and the warehouse does not have it.
    NotAtWarehouse,
    /// Wanted, and nothing of it is planned.
    NothingPlanned,
    /// In the queue for too long.
    QueuedTooLong,
    /// The warehouse has what the hub never sent, took back or cancelled.
    UnexpectedAtWarehouse,
    /// The warehouse has it more than once (O1).
    DuplicateAtWarehouse,
    /// The warehouse has cancelled it, and nobody was told.
    CancelledAtWarehouse,
    /// The warehouse says that it has left, and no shipment has been read.
    ShipmentNotRead,
    /// It left long ago and the source does not know.
    StuckShipment,
    /// It left long ago and its goods-out note is not shipped.
    StuckNote,
    /// The note of a shipment is gone (S1).
    NoteMissing,
    /// The note of a shipment that was told is not shipped (S1).
    NoteNotShipped,
    /// A shipped note without the tracking that the warehouse gave (S1).
    TrackingMissing,
    /// A shipped note with other tracking than the warehouse gave (S1).
    TrackingDiffers,
    /// A shipped note with other goods than its shipment (S1).
    GoodsDiffer,
    /// A note of the hub's own, not shipped, that belongs to nothing.
    OrphanNote,
    /// A note of the hub's own that was shipped for no shipment.
    ShippedUntold,
    /// Two notes for the same goods.
    DuplicateNote,
    /// More on notes than was ordered (S2), and no single note to take away.
    TooManyNotes,
    /// A note was changed after it became a request.
    NoteChanged,
    /// A note that is a request was deleted.
    RequestNoteGone,
    /// A note that is a request was shipped by somebody else.
    ShippedByHand,
    /// An order that is split again and again.
    EndlessSplit,
    /// One stock correction was made more than once (K3).
    MarkerTwice,
    /// Whether a change happened is unknown for too long (J4).
    EffectUnknown,
}

/// What would mend a finding. A person says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Delete the unshipped note.
    DeleteNote,
    /// Read and decide again.
    LookAgain,
    /// Write the tracking as a note on the order.
    WriteTracking,
    /// Show it on the order until a person has settled it in the other systems.
    MarkForPerson,
}

impl Repair {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeleteNote => "delete_note",
            Self::LookAgain => "look_again",
            Self::WriteTracking => "write_tracking",
            Self::MarkForPerson => "mark_for_person",
        }
    }

    /// What it does, for the button.
    pub fn does(self) -> &'static str {
        match self {
            Self::DeleteNote => {
                "Delete the goods-out note. It is not shipped: its goods are set aside for the order again."
            }
            Self::LookAgain => "Read both sides again and decide the next step anew.",
            Self::WriteTracking => {
                "Write the tracking as a note on the order: Brightpearl takes none on a goods-out note that is shipped."
            }
            Self::MarkForPerson => {
                "Show it on the order as an error until the next census does not find it any more, or *retry*."
            }
        }
    }
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::NotKnown,
        Self::NotAtWarehouse,
        Self::NothingPlanned,
        Self::QueuedTooLong,
        Self::UnexpectedAtWarehouse,
        Self::DuplicateAtWarehouse,
        Self::CancelledAtWarehouse,
        Self::ShipmentNotRead,
        Self::StuckShipment,
        Self::StuckNote,
        Self::NoteMissing,
        Self::NoteNotShipped,
        Self::TrackingMissing,
        Self::TrackingDiffers,
        Self::GoodsDiffer,
        Self::OrphanNote,
        Self::ShippedUntold,
        Self::DuplicateNote,
        Self::TooManyNotes,
        Self::NoteChanged,
        Self::RequestNoteGone,
        Self::ShippedByHand,
        Self::EndlessSplit,
        Self::MarkerTwice,
        Self::EffectUnknown,
    ];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotKnown => "not_known",
            Self::NotAtWarehouse => "not_at_warehouse",
            Self::NothingPlanned => "nothing_planned",
            Self::QueuedTooLong => "queued_too_long",
            Self::UnexpectedAtWarehouse => "unexpected_at_warehouse",
            Self::DuplicateAtWarehouse => "duplicate_at_warehouse",
            Self::CancelledAtWarehouse => "cancelled_at_warehouse",
            Self::ShipmentNotRead => "shipment_not_read",
            Self::StuckShipment => "stuck_shipment",
            Self::StuckNote => "stuck_note",
            Self::NoteMissing => "note_missing",
            Self::NoteNotShipped => "note_not_shipped",
            Self::TrackingMissing => "tracking_missing",
            Self::TrackingDiffers => "tracking_differs",
            Self::GoodsDiffer => "goods_differ",
            Self::OrphanNote => "orphan_note",
            Self::ShippedUntold => "shipped_untold",
            Self::DuplicateNote => "duplicate_note",
            Self::TooManyNotes => "too_many_notes",
            Self::NoteChanged => "note_changed",
            Self::RequestNoteGone => "request_note_gone",
            Self::ShippedByHand => "shipped_by_hand",
            Self::EndlessSplit => "endless_split",
            Self::MarkerTwice => "marker_twice",
            Self::EffectUnknown => "effect_unknown",
        }
    }

    /// Why it matters, for people.
    pub fn matters(self) -> &'static str {
        match self {
            Self::NotKnown => "A customer waits for goods that nobody is going to send.",
            Self::NotAtWarehouse => "It looks as if it were being picked, and nobody picks it.",
            Self::NothingPlanned => "It is wanted and nobody is going to send it.",
            Self::QueuedTooLong => "The warehouse has not been told of it, and the customer waits.",
            Self::UnexpectedAtWarehouse => "Goods may leave that nobody should send, or that are sent twice.",
            Self::DuplicateAtWarehouse => "The customer may be sent the same goods twice.",
            Self::CancelledAtWarehouse => "Nobody is going to ship it, and Brightpearl still waits for it.",
            Self::ShipmentNotRead => "The goods are gone and Brightpearl is not told: no tracking, and wrong stock.",
            Self::StuckShipment | Self::StuckNote => {
                "The goods are gone and Brightpearl still has them in stock; the customer has no tracking."
            }
            Self::NoteMissing | Self::NoteNotShipped => {
                "The goods are gone and Brightpearl counts them as in stock: they can be sold again."
            }
            Self::TrackingMissing => "The customer is told that it left, and cannot follow it.",
            Self::TrackingDiffers => "The customer follows another parcel, or none.",
            Self::GoodsDiffer => {
                "Stock in Brightpearl is wrong by the difference, and the order says that other goods left."
            }
            Self::OrphanNote => "It keeps goods set aside for a shipment that does not exist.",
            Self::ShippedUntold => "Stock was taken out of Brightpearl for goods that may never have left.",
            Self::DuplicateNote => "The same goods are set aside twice, and may be shipped twice in Brightpearl.",
            Self::TooManyNotes => "More is taken out of stock than was ordered.",
            Self::NoteChanged => "The warehouse packs what the note said before.",
            Self::RequestNoteGone => "The warehouse ships for a note that does not exist: nothing can be told on it.",
            Self::ShippedByHand => "Stock has left Brightpearl, and the warehouse may still ship the goods once more.",
            Self::EndlessSplit => "Each split makes a new order for the rest; something splits it without end.",
            Self::MarkerTwice => "Stock in Brightpearl is wrong by the amount that was written twice.",
            Self::EffectUnknown => "Nobody knows whether a change was made, and what depends on it waits.",
        }
    }

    /// What would mend it.
    pub fn repair(self) -> Repair {
        match self {
            Self::OrphanNote | Self::DuplicateNote => Repair::DeleteNote,
            Self::TrackingMissing | Self::TrackingDiffers => Repair::WriteTracking,
            Self::QueuedTooLong
            | Self::ShipmentNotRead
            | Self::StuckShipment
            | Self::StuckNote
            | Self::NothingPlanned
            | Self::EffectUnknown => Repair::LookAgain,
            Self::NotKnown
            | Self::NotAtWarehouse
            | Self::UnexpectedAtWarehouse
            | Self::DuplicateAtWarehouse
            | Self::CancelledAtWarehouse
            | Self::NoteMissing
            | Self::NoteNotShipped
            | Self::GoodsDiffer
            | Self::ShippedUntold
            | Self::TooManyNotes
            | Self::NoteChanged
            | Self::RequestNoteGone
            | Self::ShippedByHand
            | Self::EndlessSplit
            | Self::MarkerTwice => Repair::MarkForPerson,
        }
    }

    /// Whether it is about goods-out notes: the doctor's part.
    pub fn is_about_notes(self) -> bool {
        matches!(
            self,
            Self::StuckShipment
                | Self::StuckNote
                | Self::NoteMissing
                | Self::NoteNotShipped
                | Self::TrackingMissing
                | Self::TrackingDiffers
                | Self::GoodsDiffer
                | Self::OrphanNote
                | Self::ShippedUntold
                | Self::DuplicateNote
                | Self::TooManyNotes
                | Self::NoteChanged
                | Self::RequestNoteGone
                | Self::ShippedByHand
                | Self::EndlessSplit
        )
    }

    /// Whether it follows from the warehouse's own answer: a look that got none leaves what was found before as it was.
    pub fn needs_warehouse(self) -> bool {
        matches!(
            self,
            Self::NotAtWarehouse
                | Self::UnexpectedAtWarehouse
                | Self::DuplicateAtWarehouse
                | Self::CancelledAtWarehouse
                | Self::ShipmentNotRead
        )
    }
}

impl From<Lost> for FindingKind {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::NotKnown => Self::NotKnown,
            Lost::NotAtWarehouse => Self::NotAtWarehouse,
            Lost::NothingPlanned => Self::NothingPlanned,
            Lost::QueuedTooLong => Self::QueuedTooLong,
            Lost::OutcomeUnknown => Self::EffectUnknown,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no kind of finding.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a kind of finding")]
pub struct NotAFinding(String);

impl FromStr for FindingKind {
    type Err = NotAFinding;

    fn from_str(text: &str) -> Result<Self, NotAFinding> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| NotAFinding(text.to_owned()))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which kind.
    pub kind: FindingKind,
    /// What it is about: with the kind it tells findings apart, from one look to the next.
    pub subject: Subject,
    /// The source's order, where it is about one.
    pub order_id: Option<i64>,
    /// What is wrong, in numbers and names, for people.
    pub what: String,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An order of the source.
    Order(i64),
    /// A goods-out note.
    Note(i64),
    /// A shipment, by the warehouse's own id.
    Shipment(String),
    /// A request, by its key.
    Request(String),
    /// An effect, by the hub's id.
    Effect(String),
    /// A stock correction, by its marker.
    Marker(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(id) => write!(f, "order {id}"),
            Self::Note(id) => write!(f, "goods-out note {id}"),
            Self::Shipment(reference) => write!(f, "shipment {reference}"),
            Self::Request(key) => write!(f, "request {key}"),
            Self::Effect(id) => write!(f, "effect {id}"),
            Self::Marker(marker) => write!(f, "marker {marker}"),
        }
    }
}

/// A text that names nothing a finding can be about.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is nothing a finding can be about")]
pub struct NotASubject(String);

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let number = |which: &str| which.parse().map_err(|_| NotASubject(text.to_owned()));
        let after = |what: &str| text.strip_prefix(what).filter(|which| !which.is_empty());
        if let Some(which) = after("order ") {
            Ok(Self::Order(number(which)?))
        } else if let Some(which) = after("goods-out note ") {
            Ok(Self::Note(number(which)?))
        } else if let Some(which) = after("shipment ") {
            Ok(Self::Shipment(which.to_owned()))
        } else if let Some(which) = after("request ") {
            Ok(Self::Request(which.to_owned()))
        } else if let Some(which) = after("effect ") {
            Ok(Self::Effect(which.to_owned()))
        } else if let Some(which) = after("marker ") {
            Ok(Self::Marker(which.to_owned()))
        } else {
            Err(NotASubject(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FindingKind, Subject};

    #[test]
    fn names_and_subjects_come_back_as_they_went() {
        let names: BTreeSet<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), FindingKind::ALL.len());
        for kind in FindingKind::ALL {
            assert_eq!(kind.as_str().parse::<FindingKind>().unwrap(), kind);
            assert!(!kind.matters().is_empty() && !kind.repair().does().is_empty());
        }
        for subject in [
            Subject::Order(5),
            Subject::Note(7),
            Subject::Shipment("SHP 1 of 2".to_owned()),
            Subject::Request("BPacme-O1-G2".to_owned()),
            Subject::Effect("eff_1".to_owned()),
            Subject::Marker("01J".to_owned()),
        ] {
            assert_eq!(subject.to_string().parse::<Subject>().unwrap(), subject);
        }
        assert!("order x".parse::<Subject>().is_err());
        assert!("nothing".parse::<Subject>().is_err());
    }
}
