//! Choices about orders, search, price lists and webhooks. The first of each is the default.

use serde::{Deserialize, Serialize};

/// When a new correction or note appears in a direct GET (*assumption*, question 17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectReadLag {
    /// At once.
    #[default]
    None,
    /// After 2 s.
    TwoSeconds,
}

impl DirectReadLag {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::TwoSeconds];
}

/// When a new correction or note appears in a search (*assumption*, question 17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchLag {
    /// At once.
    #[default]
    None,
    /// After 60 s.
    SixtySeconds,
}

impl SearchLag {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::SixtySeconds];
}

/// What a status PUT to the present status does (*assumption*, question 24).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameStatus {
    /// 200, a note is added.
    #[default]
    Noted,
    /// 400.
    Refused,
    /// 200, no note.
    Silent,
}

impl SameStatus {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 2] = [Self::Refused, Self::Silent];
}

/// The body of the 200 to a repeated sales order (*assumption*, question 25).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateSalesOrder {
    /// The existing id.
    #[default]
    ExistingId,
    /// An empty object.
    Empty,
}

impl DuplicateSalesOrder {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Empty];
}

/// How a failed webhook call is repeated (*assumption*, question 37).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookRetries {
    /// 10 times, the wait doubling from one minute.
    #[default]
    TenFromMinute,
    /// 3 times, the wait doubling from ten seconds.
    ThreeFromTenSeconds,
}

impl WebhookRetries {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::ThreeFromTenSeconds];
}

/// Whether webhook calls follow redirects (*assumption*, question 38).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookRedirects {
    /// No.
    #[default]
    Ignored,
    /// Yes.
    Followed,
}

impl WebhookRedirects {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Followed];
}

/// Whether webhook calls check the certificate of the receiver (*assumption*, question 38).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookCertificates {
    /// Yes.
    #[default]
    Checked,
    /// No.
    Unchecked,
}

impl WebhookCertificates {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Unchecked];
}

/// Which changes raise `order.modified` (*assumption*, question 43).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderModified {
    /// Every change of head, row, status and note.
    #[default]
    Every,
    /// Changes of the status.
    StatusOnly,
}

impl OrderModified {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::StatusOnly];
}

/// The type code of a price list for selling (*assumption*, question 44).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SellListCode {
    /// `SELL`.
    #[default]
    Sell,
    /// `SALE`.
    Sale,
}

impl SellListCode {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Sale];
}

/// When a change of an order appears in order-search (*assumption*, question 46).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderSearchLag {
    /// At once.
    #[default]
    None,
    /// After 60 s.
    SixtySeconds,
}

impl OrderSearchLag {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::SixtySeconds];
}

/// Whether a goods-out note and its shipping change `updatedOn` of the order (*assumption*, question 46).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteTouchesOrder {
    /// Both do.
    #[default]
    Yes,
    /// Neither does.
    No,
}

impl NoteTouchesOrder {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::No];
}

/// The `version` of a new order (*assumption*, question 47).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstVersion {
    /// 0.
    #[default]
    Zero,
    /// 1.
    One,
}

impl FirstVersion {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::One];
}

/// The ids of UNPAID, PARTIALLY_PAID and PAID in searches (*assumption*, question 49).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatusIds {
    /// 2, 3, 4.
    #[default]
    Ascending,
    /// 4, 3, 2.
    Descending,
}

impl PaymentStatusIds {
    /// Every choice but the default.
    pub const ALTERNATIVES: [Self; 1] = [Self::Descending];
}
