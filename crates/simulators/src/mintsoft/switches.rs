//! Answers to the questions that the documentation leaves open.

use serde::{Deserialize, Serialize};

/// Whether a second order of one number is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uniqueness {
    /// Per client, cancelled ones included: a 3PL's account.
    #[default]
    PerClient,
    /// Per client, cancelled ones not counted.
    AmongLive,
    /// Not at all: a merchant's own account.
    None,
}

/// In which order the list of orders comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListOrder {
    /// Oldest change first.
    #[default]
    ByChange,
    /// Newest change first.
    NewestFirst,
    /// By id.
    ById,
}

/// What a search that finds nothing answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nothing {
    /// An empty list.
    #[default]
    EmptyList,
    /// 404.
    NotFound,
}

/// What the number of a part that was split off looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartNumbers {
    /// The same as the whole order's.
    #[default]
    Same,
    /// With the part's number behind it.
    Suffixed,
}

/// What is scanned when an order is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scanned {
    /// Everything, by box.
    #[default]
    Everything,
    /// The first line alone.
    Some,
    /// Nothing.
    Nothing,
}

/// Where tracking numbers stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackingAt {
    /// A shipment for each parcel.
    #[default]
    Shipments,
    /// One shipment with a list of parcels.
    ParcelNumbers,
    /// On the order alone.
    Order,
    /// On the order, beside shipments without a number.
    OrderBesideShipments,
}

/// Until when an order can be cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelUntil {
    /// Until it is picked.
    #[default]
    Picked,
    /// Until it is despatched.
    Despatched,
}

/// All of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// See [`Uniqueness`].
    pub uniqueness: Uniqueness,
    /// The HTTP status of a refusal in the body.
    pub refusal_status: u16,
    /// See [`ListOrder`].
    pub list_order: ListOrder,
    /// Whether `PageNo` of the list does anything.
    pub pages: bool,
    /// See [`Nothing`].
    pub nothing: Nothing,
    /// Whether a search finds what begins with the number as well.
    pub search_by_beginning: bool,
    /// Whether a search finds the parts of a split order.
    pub search_finds_parts: bool,
    /// Whether the rows of a search carry the lines.
    pub search_has_items: bool,
    /// See [`PartNumbers`].
    pub part_numbers: PartNumbers,
    /// See [`Scanned`].
    pub scanned: Scanned,
    /// See [`TrackingAt`].
    pub tracking_at: TrackingAt,
    /// See [`CancelUntil`].
    pub cancel_until: CancelUntil,
    /// Whether orders of several lines are split on entry.
    pub splits_on_entry: bool,
    /// Whether the account has numbers of its own for the statuses.
    pub own_status_numbers: bool,
    /// Whether the words of a refusal of a second order speak of it at all.
    pub duplicates_are_named: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            uniqueness: Uniqueness::default(),
            refusal_status: 200,
            list_order: ListOrder::default(),
            pages: true,
            nothing: Nothing::default(),
            search_by_beginning: false,
            search_finds_parts: true,
            search_has_items: true,
            part_numbers: PartNumbers::default(),
            scanned: Scanned::default(),
            tracking_at: TrackingAt::default(),
            cancel_until: CancelUntil::default(),
            splits_on_entry: false,
            own_status_numbers: false,
            duplicates_are_named: true,
        }
    }
}

impl Switches {
    /// Every other answer, one at a time, with its name.
    #[must_use]
    pub fn alternatives() -> Vec<(&'static str, Self)> {
        let usual = Self::default();
        vec![
            ("unique among live orders", Self { uniqueness: Uniqueness::AmongLive, ..usual }),
            ("numbers are not unique", Self { uniqueness: Uniqueness::None, ..usual }),
            ("a refusal is a 400", Self { refusal_status: 400, ..usual }),
            ("newest change first", Self { list_order: ListOrder::NewestFirst, ..usual }),
            ("listed by id", Self { list_order: ListOrder::ById, ..usual }),
            ("no pages", Self { pages: false, ..usual }),
            ("nothing is a 404", Self { nothing: Nothing::NotFound, ..usual }),
            ("search by beginning", Self { search_by_beginning: true, ..usual }),
            ("search does not find parts", Self { search_finds_parts: false, ..usual }),
            ("search without lines", Self { search_has_items: false, ..usual }),
            ("parts have numbers", Self { part_numbers: PartNumbers::Suffixed, ..usual }),
            ("some is scanned", Self { scanned: Scanned::Some, ..usual }),
            ("nothing is scanned", Self { scanned: Scanned::Nothing, ..usual }),
            ("parcel numbers", Self { tracking_at: TrackingAt::ParcelNumbers, ..usual }),
            ("tracking on the order", Self { tracking_at: TrackingAt::Order, ..usual }),
            ("shipments without a number", Self { tracking_at: TrackingAt::OrderBesideShipments, ..usual }),
            ("cancelled until despatched", Self { cancel_until: CancelUntil::Despatched, ..usual }),
            ("split on entry", Self { splits_on_entry: true, ..usual }),
            ("own status numbers", Self { own_status_numbers: true, ..usual }),
            ("duplicates are not named", Self { duplicates_are_named: false, ..usual }),
        ]
    }
}
