//! Questions the public documentation leaves open, each as a switch.
//!
//! The default is the reading a client should be most afraid of where both are plausible, else the more likely one.
//! A client that works under every one of [`Switches::alternatives`] does not depend on an answer nobody has.

use serde::{Deserialize, Serialize};

/// Is a repeated `referenceNum` refused?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Duplicates {
    /// No: two creations make two orders, as a public client reports.
    #[default]
    Accepted,
    /// Refused with `Duplicate` while an order of the same customer that is not cancelled carries it.
    RefusedAmongLive,
    /// Refused with `Duplicate` when any order of the same customer ever carried it.
    RefusedEver,
}

/// What becomes of an order created without `deferNotification`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderQueue {
    /// It is complete at once.
    #[default]
    Complete,
    /// It is incomplete until somebody completes it.
    Incomplete,
}

/// When stock is set aside for an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allocation {
    /// When it is completed.
    #[default]
    WhenComplete,
    /// When it is created, deferred or not.
    WhenCreated,
}

/// Which field tells a complete order from a deferred one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompleteShows {
    /// `readOnly.deferNotification` turns false.
    #[default]
    DeferNotificationFalse,
    /// None: `deferNotification` stays as it was created; only the modification time and the ETag move.
    Nothing,
}

/// Until when an order can be cancelled over the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelUntil {
    /// Until it is complete.
    #[default]
    Complete,
    /// Until picking starts.
    Picking,
    /// Until it is closed.
    Closed,
    /// Never, not even while deferred.
    Never,
}

/// `isClosed` of a cancelled order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelledIsClosed {
    /// False.
    #[default]
    No,
    /// True, so that a poll for closed orders brings cancelled ones too.
    Yes,
}

/// What a filter on `status` finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusFilter {
    /// Only 2 (cancelled) is reliable: closed orders are found under 0.
    #[default]
    CancelledOnly,
    /// Every value.
    Reliable,
}

/// Whether `poNum` can be searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoNumSearch {
    /// Yes.
    #[default]
    Works,
    /// 400, as at some warehouses.
    Refused,
}

/// What `PUT /orders/{id}` does to lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutLines {
    /// The order has exactly the lines sent.
    #[default]
    Replace,
    /// Lines sent are changed or added; the others stay.
    Merge,
}

/// Zone of times without an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocalTimes {
    /// The zone of the order's facility.
    #[default]
    Facility,
    /// UTC.
    Utc,
    /// The vendor's own, US Pacific.
    Pacific,
}

/// What `onHand` of a stock summary counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnHand {
    /// Available, allocated and on hold.
    #[default]
    WithHeld,
    /// Available and allocated.
    WithoutHeld,
}

/// A line that was shorted to nothing before the order was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShortToNothing {
    /// The line is gone.
    #[default]
    LineRemoved,
    /// The line stays with quantity 0.
    LineZero,
}

/// `readOnly.originalPrimaryQty` after the warehouse edited a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OriginalQuantity {
    /// Follows the edit, so that the order no longer shows what was asked.
    #[default]
    Edited,
    /// Stays as ordered.
    Kept,
}

/// Where packages are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PackagesAt {
    /// In `readOnly.packages` with the right `detail`, and below the order.
    #[default]
    Both,
    /// Only in `readOnly.packages`.
    OrderOnly,
    /// Only at `/orders/{id}/packages`.
    SubresourceOnly,
}

/// Form of a refused token call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenRefusal {
    /// 401 `{"Message": "invalid_client: …"}`.
    #[default]
    Message,
    /// 401 `{"error": …, "error_description": …}`.
    OAuth,
}

/// Whether the public key of webhooks needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookKey {
    /// Anyone may read it.
    #[default]
    Open,
    /// 401 without a token.
    NeedsToken,
}

/// One setting of every switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// See [`Duplicates`].
    pub duplicates: Duplicates,
    /// See [`OrderQueue`].
    pub order_queue: OrderQueue,
    /// See [`Allocation`].
    pub allocation: Allocation,
    /// See [`CompleteShows`].
    pub complete_shows: CompleteShows,
    /// See [`CancelUntil`].
    pub cancel_until: CancelUntil,
    /// See [`CancelledIsClosed`].
    pub cancelled_is_closed: CancelledIsClosed,
    /// See [`StatusFilter`].
    pub status_filter: StatusFilter,
    /// See [`PoNumSearch`].
    pub po_num_search: PoNumSearch,
    /// See [`PutLines`].
    pub put_lines: PutLines,
    /// See [`LocalTimes`].
    pub local_times: LocalTimes,
    /// See [`OnHand`].
    pub on_hand: OnHand,
    /// See [`ShortToNothing`].
    pub short_to_nothing: ShortToNothing,
    /// See [`OriginalQuantity`].
    pub original_quantity: OriginalQuantity,
    /// See [`PackagesAt`].
    pub packages_at: PackagesAt,
    /// See [`TokenRefusal`].
    pub token_refusal: TokenRefusal,
    /// See [`WebhookKey`].
    pub webhook_key: WebhookKey,
}

impl Switches {
    /// Every setting that differs from the default in exactly one switch, with a name for the test report.
    #[must_use]
    pub fn alternatives() -> Vec<(&'static str, Self)> {
        let base = Self::default();
        vec![
            ("duplicates refused among live", Self { duplicates: Duplicates::RefusedAmongLive, ..base }),
            ("duplicates refused ever", Self { duplicates: Duplicates::RefusedEver, ..base }),
            ("order queue holds orders", Self { order_queue: OrderQueue::Incomplete, ..base }),
            ("allocation when created", Self { allocation: Allocation::WhenCreated, ..base }),
            ("complete shows nothing", Self { complete_shows: CompleteShows::Nothing, ..base }),
            ("cancel until picking", Self { cancel_until: CancelUntil::Picking, ..base }),
            ("cancel until closed", Self { cancel_until: CancelUntil::Closed, ..base }),
            ("cancel never", Self { cancel_until: CancelUntil::Never, ..base }),
            ("cancelled is closed", Self { cancelled_is_closed: CancelledIsClosed::Yes, ..base }),
            ("status filter reliable", Self { status_filter: StatusFilter::Reliable, ..base }),
            ("poNum search refused", Self { po_num_search: PoNumSearch::Refused, ..base }),
            ("put merges lines", Self { put_lines: PutLines::Merge, ..base }),
            ("local times in UTC", Self { local_times: LocalTimes::Utc, ..base }),
            ("local times in Pacific", Self { local_times: LocalTimes::Pacific, ..base }),
            ("on hand without held", Self { on_hand: OnHand::WithoutHeld, ..base }),
            ("shorted line stays with zero", Self { short_to_nothing: ShortToNothing::LineZero, ..base }),
            ("original quantity kept", Self { original_quantity: OriginalQuantity::Kept, ..base }),
            ("packages on the order only", Self { packages_at: PackagesAt::OrderOnly, ..base }),
            ("packages below the order only", Self { packages_at: PackagesAt::SubresourceOnly, ..base }),
            ("token refusal in OAuth form", Self { token_refusal: TokenRefusal::OAuth, ..base }),
            ("webhook key needs a token", Self { webhook_key: WebhookKey::NeedsToken, ..base }),
        ]
    }
}
