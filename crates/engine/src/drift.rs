//! Explained drift: the difference between the warehouse's figure and the source's, split into named parts and a rest that
//! nothing explains.
//!
//! Every part carries the sign with which it makes the warehouse's figure differ from the source's, so parts and rest add up to
//! the difference exactly. Symbols: docs/reliability.md; what each part means for people: docs/stock.md.

use connect::{FeedBasis, SourceStock};
use rust_decimal::Decimal;

/// Units that moved at the source since the count and that the hub did not move; signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MovedSince {
    /// Left with goods-out notes that are not the hub's.
    pub goods_out: Decimal,
    /// Received.
    pub received: Decimal,
    /// Corrected by somebody else.
    pub corrected: Decimal,
    /// Anything else.
    pub other: Decimal,
}

/// What the difference of one product in one of the source's warehouses follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftFacts {
    /// What the warehouse's figures mean.
    pub basis: FeedBasis,
    /// The warehouse reports the product at all.
    pub counted: bool,
    /// The warehouse's figure for this basis, summed over the facilities that feed this warehouse.
    pub figure: Decimal,
    /// Everything on the shelves, where the warehouse reports that beside what is available.
    pub physical: Option<Decimal>,
    /// The source's figures now.
    pub source: SourceStock,
    /// Left by the count; no goods-out note for it yet.
    pub not_told: Decimal,
    /// Left by the count; on a goods-out note of the hub whose shipped event is not posted.
    pub on_own_notes: Decimal,
    /// Left after the count with the shipped event already posted.
    pub posted_after: Decimal,
    /// Of those: units of requests that the warehouse had not accepted by the count.
    pub posted_unseen: Decimal,
    /// Units of requests that the warehouse had accepted by the count and whose shipped event is not posted.
    pub accepted: Decimal,
    /// Units of the hub's requests that the count does not know of: queued, or accepted after it.
    pub not_accepted: Decimal,
    /// Units on unshipped goods-out notes of this warehouse that are no request of the hub and tell of none of its shipments.
    pub on_others_notes: Decimal,
    /// Units that requests for kits hold at the warehouse, accepted by the count and not left by then.
    pub kits_committed: Decimal,
    /// Units that left in kits by the count, the kits' shipped event not posted.
    pub kits_shipped: Decimal,
    /// Sum of corrections under way, signed.
    pub correcting: Decimal,
    /// Sum of what was undone and is held, signed: done or under way.
    pub undone: Decimal,
    /// What moved at the source since the count by other hands.
    pub moved: MovedSince,
    /// Received at the warehouse and not yet in the source; `None` where the warehouse's receipts are not read.
    pub unposted_receipts: Option<Decimal>,
    /// What is wrong with the mapping, so that the figures cannot be set against each other.
    pub mapping: bool,
}

/// A named part of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Left the warehouse; Brightpearl has no goods-out note for it yet.
    ShippedNotTold,
    /// Left the warehouse; on a goods-out note of ours that is not posted as shipped yet.
    OnOpenNotes,
    /// Left after the count, posted already.
    ShippedAfterCount,
    /// Of orders that the count does not know of: queued here, or accepted after it.
    OrdersNotCounted,
    /// On goods-out notes in Brightpearl that are not ours.
    OnOthersNotes,
    /// Allocated in Brightpearl to orders that Millrace has not sent.
    AllocatedElsewhere,
    /// At the warehouse for orders that Brightpearl does not allocate to any more.
    NotAllocated,
    /// Held, damaged or in quarantine at the warehouse.
    HeldAtWarehouse,
    /// Tied up in kits.
    InKits,
    /// Received at the warehouse, not in Brightpearl.
    UnpostedReceipts,
    /// Our own correction is on its way.
    CorrectionsUnderWay,
    /// A correction that a person undid; held since.
    Undone,
    /// Left in Brightpearl since the count, by other hands.
    GoodsOutSinceCount,
    /// Received in Brightpearl since the count.
    ReceivedSinceCount,
    /// Corrected in Brightpearl since the count, by other hands.
    CorrectedSinceCount,
    /// Moved otherwise in Brightpearl since the count.
    MovedSinceCount,
    /// The SKU cannot be placed, or two products share it.
    Mapping,
    /// The warehouse has not reported it.
    NotCounted,
}

impl Part {
    /// Every part, in the order they are shown.
    pub const ALL: [Self; 18] = [
        Self::ShippedNotTold,
        Self::OnOpenNotes,
        Self::ShippedAfterCount,
        Self::OrdersNotCounted,
        Self::OnOthersNotes,
        Self::AllocatedElsewhere,
        Self::NotAllocated,
        Self::HeldAtWarehouse,
        Self::InKits,
        Self::UnpostedReceipts,
        Self::CorrectionsUnderWay,
        Self::Undone,
        Self::GoodsOutSinceCount,
        Self::ReceivedSinceCount,
        Self::CorrectedSinceCount,
        Self::MovedSinceCount,
        Self::Mapping,
        Self::NotCounted,
    ];

    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShippedNotTold => "shipped_not_told",
            Self::OnOpenNotes => "on_open_notes",
            Self::ShippedAfterCount => "shipped_after_count",
            Self::OrdersNotCounted => "orders_not_counted",
            Self::OnOthersNotes => "on_others_notes",
            Self::AllocatedElsewhere => "allocated_elsewhere",
            Self::NotAllocated => "not_allocated",
            Self::HeldAtWarehouse => "held_at_warehouse",
            Self::InKits => "in_kits",
            Self::UnpostedReceipts => "unposted_receipts",
            Self::CorrectionsUnderWay => "corrections_under_way",
            Self::Undone => "undone",
            Self::GoodsOutSinceCount => "goods_out_since_count",
            Self::ReceivedSinceCount => "received_since_count",
            Self::CorrectedSinceCount => "corrected_since_count",
            Self::MovedSinceCount => "moved_since_count",
            Self::Mapping => "mapping",
            Self::NotCounted => "not_counted",
        }
    }
}

/// A difference, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The warehouse's figure less the source's, for the feed's basis.
    pub difference: Decimal,
    /// The source's figure that was compared.
    pub source_figure: Decimal,
    /// The parts that are not nil, in the order they are shown.
    pub parts: Vec<(Part, Decimal)>,
    /// Parts that were not read: what is left may be of them, wholly or in part.
    pub not_read: Vec<Part>,
    /// What is left: `difference` less the sum of `parts`.
    pub unexplained: Decimal,
}

/// Splits one product's difference.
pub fn split(facts: &DriftFacts) -> Drift {
    let source_figure = match facts.basis {
        FeedBasis::Physical => facts.source.in_stock,
        FeedBasis::Available => facts.source.on_hand,
    };
    let difference = facts.figure - source_figure;
    if !facts.counted {
        return whole(difference, source_figure, if facts.mapping { Part::Mapping } else { Part::NotCounted });
    }
    let mut parts = match facts.basis {
        FeedBasis::Physical => physical(facts),
        FeedBasis::Available => available(facts),
    };
    parts.extend([
        (Part::UnpostedReceipts, facts.unposted_receipts.unwrap_or_default()),
        (Part::CorrectionsUnderWay, facts.correcting),
        (Part::Undone, -facts.undone),
        // What left the source's figure since the count is still in the warehouse's, and the other way round.
        (Part::GoodsOutSinceCount, -facts.moved.goods_out),
        (Part::ReceivedSinceCount, -facts.moved.received),
        (Part::CorrectedSinceCount, -facts.moved.corrected),
        (Part::MovedSinceCount, -facts.moved.other),
    ]);
    let mut unexplained = difference - parts.iter().map(|(_, units)| *units).sum::<Decimal>();
    if facts.mapping {
        parts.push((Part::Mapping, unexplained));
        unexplained = Decimal::ZERO;
    }
    parts.retain(|(_, units)| !units.is_zero());
    parts.sort_by_key(|(part, _)| *part);
    // Figures that cannot be set against each other are a matter of the mapping as a whole.
    let not_read = match facts.unposted_receipts {
        None if !facts.mapping => vec![Part::UnpostedReceipts],
        _ => Vec::new(),
    };
    Drift { difference, source_figure, parts, not_read, unexplained }
}

/// A difference that one thing explains as a whole.
fn whole(difference: Decimal, source_figure: Decimal, part: Part) -> Drift {
    let parts = if difference.is_zero() { Vec::new() } else { vec![(part, difference)] };
    Drift { difference, source_figure, parts, not_read: Vec::new(), unexplained: Decimal::ZERO }
}

fn physical(facts: &DriftFacts) -> Vec<(Part, Decimal)> {
    vec![
        (Part::ShippedNotTold, -facts.not_told),
        (Part::OnOpenNotes, -facts.on_own_notes),
        (Part::ShippedAfterCount, facts.posted_after),
        (Part::InKits, -facts.kits_shipped),
    ]
}

fn available(facts: &DriftFacts) -> Vec<(Part, Decimal)> {
    // U: allocated in the source to orders that the count does not know of. What is known of it is named first.
    let unknown = facts.source.allocated - facts.accepted;
    let orders = facts.not_accepted.min(unknown).max(Decimal::ZERO);
    let notes = facts.on_others_notes.min(unknown - orders).max(Decimal::ZERO);
    let rest = unknown - orders - notes;
    vec![
        // Where the order was accepted by the count, its units were missing from the warehouse's figure already.
        (Part::ShippedAfterCount, facts.posted_unseen),
        (Part::OrdersNotCounted, orders),
        (Part::OnOthersNotes, notes),
        (if rest.is_sign_negative() { Part::NotAllocated } else { Part::AllocatedElsewhere }, rest),
        (Part::HeldAtWarehouse, -held(facts)),
        (Part::InKits, -(facts.kits_committed + facts.kits_shipped)),
    ]
}

/// Units on the shelves that are neither available nor committed to an order of ours.
fn held(facts: &DriftFacts) -> Decimal {
    let Some(physical) = facts.physical else { return Decimal::ZERO };
    // Committed at the count: accepted by then, and not left by then.
    let shipped = facts.not_told + facts.on_own_notes;
    let committed = facts.accepted - shipped + (facts.posted_after - facts.posted_unseen) + facts.kits_committed;
    (physical - facts.figure - committed).max(Decimal::ZERO)
}

#[cfg(test)]
mod tests;
