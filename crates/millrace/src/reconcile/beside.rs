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
        let stood = |patience| sighting.since.is_none_or(|since| now > later(since, patience));
        let stands = stood(patience.grace);
        // What it did waits for the channel that reads it.
        let read_by_now = stood(patience.reading);
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
            && now > later(request.submit_changed_at, patience.reading)
            && read_by_now
            && !request.cancelling
            && !request.cancelled_by_warehouse
            && !request.some_left
        {
            add(
                FindingKind::CancelledAtWarehouse,
                format!("the warehouse has cancelled {} of order {order_id} ({numbers})", request.key),
            );
        }
        let unread: Vec<&str> = sighting
            .left
            .iter()
            .map(String::as_str)
            .filter(|left| !known.shipments.iter().any(|shipment| shipment.reference == *left))
            .collect();
        if !unread.is_empty() && open && read_by_now {
            // Of several shipments one can be lost while the others make the order look whole.
            add(
                FindingKind::ShipmentNotRead,
                format!(
                    "the warehouse says that {} of {} of order {order_id} has left, and that was not read",
                    unread.join(", "),
                    request.key
                ),
            );
        } else if sighting.state == RequestState::Finished && open && read_by_now && !request.some_left {
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

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };

    use connect::{OrderId, OsRandom, RequestState, Sighting};
    use engine::{
        census::Patience,
        effect::{EffectState, later},
        finding::FindingKind,
        order::Disposition,
    };
    use jiff::Timestamp;

    use super::compare;
    use crate::{
        db::{CensusOrder, CensusRequest, CensusShipment},
        reconcile::look::Seen,
    };

    fn start() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn sent() -> CensusRequest {
        CensusRequest {
            key: "K".to_owned(),
            note_id: None,
            rows: Vec::new(),
            live: true,
            submit: EffectState::Applied,
            submit_changed_at: start(),
            planned_at: start(),
            sent: true,
            cancelling: false,
            cancel_accepted: false,
            cancelled_by_warehouse: false,
            some_left: false,
            all_left: false,
            problem: None,
            replaced: false,
        }
    }

    fn seen(state: RequestState, copies: usize) -> Seen {
        let references = (0..copies).map(|number| number.to_string()).collect();
        Seen::new(
            BTreeMap::from([("K".to_owned(), Sighting { references, state, left: Vec::new(), since: Some(start()) })]),
            true,
        )
    }

    fn found(request: CensusRequest, seen: &Seen, minutes: u64) -> Vec<FindingKind> {
        beside(request, &[], seen, minutes)
    }

    fn beside(request: CensusRequest, read: &[&str], seen: &Seen, minutes: u64) -> Vec<FindingKind> {
        let shipment = |reference: &&str| CensusShipment {
            reference: (*reference).to_owned(),
            request: None,
            read_at: start(),
            tracking: Vec::new(),
            rows: None,
            to_be_told: true,
            note_id: None,
            told_at: None,
        };
        let order = CensusOrder {
            id: OrderId::generate(start(), &OsRandom),
            archived: false,
            held_reason: None,
            disposition: Disposition::Requested,
            problem: None,
            marked: None,
            changed_at: start(),
            requests: vec![request],
            shipments: read.iter().map(shipment).collect(),
            made_notes: BTreeSet::new(),
            busy: false,
        };
        // The shipments channel rests for ten minutes, the orders channel for one.
        let patience = Patience::new(Duration::from_secs(60), Duration::from_secs(600), 1);
        let now = later(start(), Duration::from_secs(minutes * 60));
        compare(1, &order, seen, &patience, now).into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn one_lost_shipment_of_several_is_found() {
        let sighting = Sighting {
            references: vec!["7".to_owned()],
            state: RequestState::Finished,
            left: vec!["7".to_owned(), "8".to_owned()],
            since: Some(start()),
        };
        let seen = Seen::new(BTreeMap::from([("K".to_owned(), sighting)]), true);
        let whole = CensusRequest { some_left: true, all_left: true, ..sent() };
        assert_eq!(beside(whole.clone(), &["7", "8"], &seen, 60), []);
        assert_eq!(beside(whole.clone(), &["7"], &seen, 60), [FindingKind::ShipmentNotRead]);
        assert_eq!(beside(whole, &["7"], &seen, 2), [], "the next reading of shipments may bring it");
    }

    #[test]
    fn the_two_ledgers_are_compared_request_by_request() {
        let waiting = || seen(RequestState::Waiting, 1);
        assert_eq!(found(sent(), &waiting(), 60), []);
        assert_eq!(
            found(sent(), &Seen::new(BTreeMap::new(), true), 60),
            [],
            "what is not there is the census's matter"
        );
        assert_eq!(found(sent(), &seen(RequestState::Working, 2), 0), [FindingKind::DuplicateAtWarehouse]);
        for unexpected in [
            CensusRequest { submit: EffectState::Voided, sent: false, ..sent() },
            CensusRequest { submit: EffectState::Planned, sent: false, ..sent() },
            CensusRequest { live: false, submit: EffectState::Voided, sent: false, ..sent() },
            CensusRequest { cancel_accepted: true, ..sent() },
        ] {
            assert_eq!(found(unexpected.clone(), &waiting(), 6), [FindingKind::UnexpectedAtWarehouse]);
            assert_eq!(found(unexpected.clone(), &waiting(), 2), [], "it changed a moment ago");
            assert_eq!(found(unexpected, &seen(RequestState::Cancelled, 1), 60), []);
        }
        let unknown = CensusRequest { submit: EffectState::Unknown, ..sent() };
        assert_eq!(found(unknown, &waiting(), 60), [], "whether it is there was the question");
        let cancelled = || seen(RequestState::Cancelled, 1);
        assert_eq!(found(sent(), &cancelled(), 60), [FindingKind::CancelledAtWarehouse]);
        assert_eq!(found(CensusRequest { cancelling: true, ..sent() }, &cancelled(), 60), []);
        assert_eq!(found(CensusRequest { cancelled_by_warehouse: true, ..sent() }, &cancelled(), 60), []);
        let left = || seen(RequestState::Finished, 1);
        assert_eq!(found(sent(), &left(), 60), [FindingKind::ShipmentNotRead]);
        assert_eq!(found(sent(), &left(), 20), [], "the next reading of shipments may bring it");
        assert_eq!(found(sent(), &cancelled(), 20), [], "and what was cancelled");
        assert_eq!(found(CensusRequest { some_left: true, all_left: true, ..sent() }, &left(), 60), []);
    }
}
