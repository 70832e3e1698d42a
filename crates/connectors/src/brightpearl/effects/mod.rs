//! Changes to a Brightpearl account. No endpoint takes an idempotency key and a goods-out note carries no reference of
//! the caller's, so each kind has its own way of being found again:
//!
//! | Kind | Found by |
//! |---|---|
//! | goods-out note | notes of the order that were not there before, ours, same warehouse, same rows |
//! | shipping details, deletion | the note as it stands |
//! | shipped event | the note as it stands; sent with If-Match |
//! | status | the order as it stands; the private note it leaves carries a marker |
//! | order note | a marker in its text |
//! | stock correction | a marker in its reason |

mod again;
pub(super) mod bodies;
mod classify;
mod prepare;
mod probe;
mod reference;
mod send;

pub(super) use again::find_again;
pub(super) use prepare::prepare;
pub(super) use probe::probe;
pub(super) use send::send;

use std::time::Duration;

use connect::{Capabilities, Capability, EffectKind, Waits};

use super::client::Purpose;

/// What a change of this kind is counted under; `None` for changes that are a warehouse's.
pub(super) fn purpose(kind: EffectKind) -> Option<Purpose> {
    match kind {
        EffectKind::CreateNote => Some(Purpose::shipments("create_note")),
        EffectKind::DeleteNote => Some(Purpose::shipments("delete_note")),
        EffectKind::UpdateShipping => Some(Purpose::shipments("update_shipping")),
        EffectKind::PostShipped => Some(Purpose::shipments("post_shipped")),
        // People wait for orders and tracking, not for a status: it goes after the reads that import orders.
        EffectKind::SetStatus => Some(Purpose::stock("set_status")),
        EffectKind::AddOrderNote => Some(Purpose::stock("order_note")),
        EffectKind::CorrectStock => Some(Purpose::stock("stock_correction")),
        EffectKind::SubmitRequest
        | EffectKind::ReleaseRequest
        | EffectKind::CancelRequest
        | EffectKind::Acknowledge => None,
    }
}

/// How long a stock correction may stay invisible to the movement search. Brightpearl does not document a lag; a minute
/// is assumed. Everything else is looked for by direct reads.
const SEARCH_LAG: Duration = Duration::from_secs(60);

/// What a note keeps of these tracking numbers: the one rule by which they are also written and verified.
pub(super) fn tracking_kept(numbers: &[String]) -> String {
    reference::reference(&reference::clean(numbers)).text
}

/// What can be promised for each kind (docs/reliability.md).
pub(super) fn capabilities(kind: EffectKind, waits: Waits) -> Option<Capabilities> {
    let (classes, index_lag): (&'static [Capability], Duration) = match kind {
        EffectKind::CreateNote | EffectKind::AddOrderNote => (&[Capability::StrongRead], Duration::ZERO),
        EffectKind::DeleteNote | EffectKind::UpdateShipping => {
            (&[Capability::AbsoluteSet, Capability::StrongRead], Duration::ZERO)
        }
        EffectKind::PostShipped => (&[Capability::ConditionalWrite, Capability::StrongRead], Duration::ZERO),
        // The state is absolute, but each success leaves a note and may start the account's own automation.
        EffectKind::SetStatus => (&[Capability::StrongRead], Duration::ZERO),
        EffectKind::CorrectStock => (&[Capability::LaggingRead], SEARCH_LAG / waits.factor.max(1)),
        EffectKind::SubmitRequest
        | EffectKind::ReleaseRequest
        | EffectKind::CancelRequest
        | EffectKind::Acknowledge => return None,
    };
    Some(Capabilities { classes, index_lag })
}
