//! The hub's ledger beside the warehouse's own word, request by request. Pure.

use connect::RequestState;
use engine::{
    census::Patience,
    effect::{EffectState, later},
    finding::{Finding, FindingKind, Subject},
};
use jiff::Timestamp;

use super::look::Seen;
use crate::db::{CensusOrder, CensusRequest};

/// What is wrong between the two ledgers for one order's requests, beyond what is unaccounted.
pub(super) fn compare(
    order_id: i64,
    known: &CensusOrder,
    seen: &Seen,
    patience: &Patience,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for request in &known.requests {
        let Some(Some(sighting)) = seen.of(&request.key) else { continue };
        let numbers = sighting.references.join(", ");
        let mut add = |kind, what: String| {
            let subject = Subject::Request(request.key.clone());
            findings.push(Finding { kind, subject, order_id: Some(order_id), what });
        };
        let live = !matches!(sighting.state, RequestState::Cancelled | RequestState::Gone);
        if live && sighting.references.len() > 1 {
            add(
                FindingKind::DuplicateAtWarehouse,
                format!("the warehouse has {} of order {order_id} more than once: {numbers}", request.key),
            );
        }
        let settled = now > later(request.submit_changed_at, patience.grace);
        // Its own word may be a moment ahead of what was read of it.
        let stands = sighting.since.is_none_or(|since| now > later(since, patience.grace));
        if live && settled && stands && unexpected(request) {
            add(
                FindingKind::UnexpectedAtWarehouse,
                format!(
                    "the warehouse has {} of order {order_id} as {numbers}, and Millrace {}",
                    request.key,
                    never(request)
                ),
            );
        }
        let open = request.live && request.submit == EffectState::Applied && !request.cancel_accepted;
        if !live
            && open
            && settled
            && stands
            && !request.cancelling
            && !request.cancelled_by_warehouse
            && !request.some_left
        {
            add(
                FindingKind::CancelledAtWarehouse,
                format!("the warehouse has cancelled {} of order {order_id} ({numbers})", request.key),
            );
        }
        if sighting.state == RequestState::Finished && open && stands && !request.some_left {
            add(
                FindingKind::ShipmentNotRead,
                format!(
                    "the warehouse says that {} of order {order_id} ({numbers}) has left, and no shipment has been read",
                    request.key
                ),
            );
        }
    }
    findings
}

/// Whether the warehouse should not have it, by the hub's own ledger.
fn unexpected(request: &CensusRequest) -> bool {
    request.cancel_accepted
        || !request.live
        || matches!(request.submit, EffectState::Planned | EffectState::Refused | EffectState::Voided)
}

fn never(request: &CensusRequest) -> &'static str {
    if request.cancel_accepted {
        "took its cancel for accepted"
    } else if !request.live || request.submit == EffectState::Voided {
        "took it back before it was sent"
    } else {
        "has not sent it"
    }
}
