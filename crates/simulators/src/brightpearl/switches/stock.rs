//! Choices about goods-out notes, reservations and stock. The first of each is the default.

use serde::{Deserialize, Serialize};

/// What a goods-out note POST answers when stock is short (*assumption*, question 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortStock {
    /// 400, nothing happens.
    #[default]
    BadRequest,
    /// 409, nothing happens.
    Conflict,
    /// 500, nothing happens.
    ServerError,
    /// A note over what there is.
    Partial,
}

impl ShortStock {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 3] = [Self::Conflict, Self::ServerError, Self::Partial];
}

/// What a stock correction answers when it would remove more than there is (*assumption*, question 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortCorrection {
    /// 400, nothing happens.
    #[default]
    BadRequest,
    /// 409, nothing happens.
    Conflict,
    /// 500, nothing happens.
    ServerError,
    /// The other lines are applied.
    OtherLines,
}

impl ShortCorrection {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 3] = [Self::Conflict, Self::ServerError, Self::OtherLines];
}

/// The form of the id a goods-out note POST answers (*assumption*, question 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotePostAnswer {
    /// An array of ids.
    #[default]
    Array,
    /// The first id alone.
    Number,
}

impl NotePostAnswer {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Number];
}

/// What happens to a note over more than is left to fulfil (*assumption*, question 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverFulfilment {
    /// 400.
    #[default]
    Refused,
    /// It is made.
    Accepted,
}

impl OverFulfilment {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Accepted];
}

/// What an event with an outdated `If-Match` gets (*assumption*, question 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaleVersion {
    /// 412.
    #[default]
    PreconditionFailed,
    /// 409.
    Conflict,
    /// 400.
    BadRequest,
    /// The header is not looked at.
    Ignored,
}

impl StaleVersion {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 3] = [Self::Conflict, Self::BadRequest, Self::Ignored];
}

/// What a second SHW on a shipped note gets (*assumption*, question 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondShip {
    /// 400, *cannot be edited*.
    #[default]
    BadRequest,
    /// 409, *cannot be edited*.
    Conflict,
    /// 200 without effect.
    Ok,
}

impl SecondShip {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 2] = [Self::Conflict, Self::Ok];
}

/// What a PUT on a shipped note gets (*assumption*, question 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOfShipped {
    /// 400, *cannot be edited*.
    #[default]
    BadRequest,
    /// 409, *cannot be edited*.
    Conflict,
}

impl ChangeOfShipped {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Conflict];
}

/// Whether a printed, picked or packed note can be deleted (*assumption*, question 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteOfProgressed {
    /// Yes, the steps are undone.
    #[default]
    Allowed,
    /// Only after the steps were undone.
    Refused,
}

impl DeleteOfProgressed {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Refused];
}

/// What deleting a goods-out note answers (*assumption*, question 11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteDeleteAnswer {
    /// The id of the note.
    #[default]
    Id,
    /// An empty object.
    Empty,
}

impl NoteDeleteAnswer {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Empty];
}

/// What reading goods-out notes answers when there are none (*assumption*, question 12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingNote {
    /// 404 CMNC-404.
    #[default]
    NotFound,
    /// 200 with an empty map.
    EmptyMap,
}

impl MissingNote {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::EmptyMap];
}

/// How many lines a stock correction may have (*assumption*, question 13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrectionLines {
    /// 100.
    #[default]
    Hundred,
    /// 10.
    Ten,
    /// 500.
    FiveHundred,
    /// Any number.
    Unlimited,
}

impl CorrectionLines {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 3] = [Self::Ten, Self::FiveHundred, Self::Unlimited];
}

/// What one bad line does to a stock correction (*assumption*, question 14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadCorrectionLine {
    /// Nothing is applied.
    #[default]
    AllRefused,
    /// The good lines are applied.
    GoodApplied,
}

impl BadCorrectionLine {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::GoodApplied];
}

/// The note ids a stock correction answers (*assumption*, question 15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrectionIds {
    /// One per line, in the order of the request.
    #[default]
    RequestOrder,
    /// One per line, last line first.
    Reversed,
    /// One per product.
    PerProduct,
}

impl CorrectionIds {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 2] = [Self::Reversed, Self::PerProduct];
}

/// How the `reason` of a correction is kept (*assumption*, question 16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonText {
    /// Up to 255 characters, exactly.
    #[default]
    Kept255,
    /// Up to 128 characters, exactly.
    Limit128,
    /// Cut after 128 characters.
    Cut128,
    /// Without blanks at its ends.
    Trimmed,
    /// With HTML entities.
    Escaped,
}

impl ReasonText {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 4] = [Self::Limit128, Self::Cut128, Self::Trimmed, Self::Escaped];
}

/// What a product without stock tracking does to an availability request (*assumption*, question 26).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonStockAvailability {
    /// It is left out.
    #[default]
    Ignored,
    /// The whole request is refused, 400 WHSC-097.
    Refused,
}

impl NonStockAvailability {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Refused];
}

/// What an unknown product does to an availability request (*assumption*, question 27).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownAvailability {
    /// It is left out.
    #[default]
    Absent,
    /// 400.
    BadRequest,
    /// 404.
    NotFound,
}

impl UnknownAvailability {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 2] = [Self::BadRequest, Self::NotFound];
}

/// How many products an availability request may name (*assumption*, question 28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AvailabilityCap {
    /// 200.
    #[default]
    TwoHundred,
    /// 500.
    FiveHundred,
    /// Any number.
    Unlimited,
}

impl AvailabilityCap {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 2] = [Self::FiveHundred, Self::Unlimited];
}

/// What a second reservation POST for an order does (*assumption*, question 31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondReservation {
    /// 400.
    #[default]
    Refused,
    /// It adds to the first.
    Adds,
    /// It replaces the first.
    Replaces,
}

impl SecondReservation {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 2] = [Self::Adds, Self::Replaces];
}

/// How a reservation is removed (*assumption*, question 32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationRemoval {
    /// `DELETE /order/{id}/reservation`.
    #[default]
    Delete,
    /// There is no such call.
    None,
}

impl ReservationRemoval {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::None];
}

/// The status when nothing at all can be reserved (*assumption*, question 33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NothingToReserve {
    /// 400.
    #[default]
    BadRequest,
    /// 409.
    Conflict,
}

impl NothingToReserve {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Conflict];
}

/// Who may own an event (*assumption*, question 34).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOwner {
    /// Any contact.
    #[default]
    Contact,
    /// A member of staff.
    Staff,
}

impl EventOwner {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Staff];
}

/// When an event may have happened (*assumption*, question 34).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventTime {
    /// At any time.
    #[default]
    Any,
    /// Not before the note was made, nor in the future.
    Plausible,
}

impl EventTime {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Plausible];
}

/// Goods-note types beyond SC, GO, GI and IT (*assumption*, question 40).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementCodes {
    /// None.
    #[default]
    Basic,
    /// `QR` for what leaves quarantine.
    Extended,
}

impl MovementCodes {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Extended];
}

/// What counts as allocated (*assumption*, question 41).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllocationBasis {
    /// What is on a note or reserved.
    #[default]
    NotesAndReservations,
    /// What is reserved.
    ReservationsOnly,
}

impl AllocationBasis {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::ReservationsOnly];
}

/// What a note does to a reservation of the same rows (*assumption*, question 42).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationUse {
    /// It takes the stock over.
    #[default]
    Absorbed,
    /// It is refused until the reservation is gone.
    MustBeRemoved,
}

impl ReservationUse {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::MustBeRemoved];
}

/// Whether goods on an unshipped note show among the movements, not cleared (*assumption*, question 50).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnclearedMovements {
    /// Only what has left shows.
    #[default]
    Hidden,
    /// They show with `isCleared` false until they leave.
    Listed,
}

impl UnclearedMovements {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Listed];
}

/// What a change of a goods-out note does to what it does not name (*assumption*, question 51).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteUpdate {
    /// It stays.
    #[default]
    Keeps,
    /// It is cleared.
    Replaces,
}

impl NoteUpdate {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Replaces];
}
