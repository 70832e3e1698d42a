//! The stock equation: what the source's figure must change by, and whether that may be done unattended.
//!
//! Symbols and reasons: docs/reliability.md With a *physical* feed, `difference = W + S − R − inStock`; with an
//! *available* one, `difference = (A − R − U) − onHand`. Receipts are not carried yet, so R is nil.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    FeedBasis, Money, SourceStock, StockFeed,
    planted::{Planted, planted},
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::settings::{Brakes, Increases, StockSettings};

/// What the difference of one product in one of the source's warehouses follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductFacts {
    /// The warehouse's figure, summed over the facilities that feed this warehouse (W or A).
    pub figure: Decimal,
    /// The source's figures, read after the feed's cut-off.
    pub source: SourceStock,
    /// S: left the warehouse by the cut-off, shipped event not applied at the source.
    pub shipped_not_posted: Decimal,
    /// P: left after the cut-off with the shipped event already applied.
    pub posted_after: Decimal,
    /// Units of requests that the warehouse had accepted by the cut-off and whose shipped event is not applied.
    pub accepted: Decimal,
    /// Something that touches it is not settled: an effect whose outcome is unknown, or work accepted too close to the
    /// cut-off to know whether the warehouse counted it.
    pub unsettled: bool,
    /// How many of its units the warehouse keeps for an open order is not known: a journal that was lost had sent the order, and
    /// a person said that it is there.
    pub by_word: bool,
    /// Whether the warehouse kept units of it for an order when it counted is not known: it held the order, or of the order something
    /// ended without leaving since then, or it is asked to be cancelled and that is not answered. The id of the order at the source.
    pub ending: Option<i64>,
    /// A goods-out note of an open order of it was posted as shipped by somebody else: whether the goods it stands for are still
    /// on the shelves, and whether the hub's own event will follow, nobody can say before the order is settled. Which note.
    pub posted_by_others: Option<String>,
    /// A correction of it is open, unknown or parked.
    pub correcting: bool,
    /// Put away: adding stock would bring it back to life.
    pub archived: bool,
    /// Cost of one, where a price list has it.
    pub cost: Option<Money>,
    /// Two products share the warehouse's SKU, so its figure says nothing about either.
    pub shared_sku: bool,
    /// A person keeps it out of stock: why.
    pub held: Option<String>,
    /// Its figure is not complete yet, e.g. one of its facilities has not been counted lately: why.
    pub incomplete: Option<String>,
}

/// What to do about one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write the difference.
    Correct,
    /// Both agree.
    Same,
    /// Not now; the next feed decides.
    Skip,
    /// A person decides.
    Hold,
}

impl Verdict {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::Same => "same",
            Self::Skip => "skip",
            Self::Hold => "hold",
        }
    }
}

/// One product, worked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What to do.
    pub verdict: Verdict,
    /// Signed difference.
    pub difference: Decimal,
    /// The source's figure that was compared.
    pub source_figure: Decimal,
    /// The named parts of the equation.
    pub parts: BTreeMap<&'static str, Decimal>,
    /// Why, for people; empty where both agree or it is simply corrected.
    pub reason: String,
}

/// Why nobody knows what a count of what is available says: this order was held or ending.
pub fn ends(order: i64) -> String {
    format!(
        "order {order} was held, ended or to be cancelled at the warehouse, which may or may not have kept units for it when it counted"
    )
}

/// Works out one product.
pub fn line(facts: &ProductFacts, settings: &StockSettings) -> Line {
    let (difference, source_figure, parts) = difference(facts, settings.basis);
    let done = |verdict, reason: String| Line { verdict, difference, source_figure, parts: parts.clone(), reason };
    if facts.shared_sku {
        return done(Verdict::Hold, "two products share this SKU of the warehouse; give each its own".to_owned());
    }
    if let Some(why) = &facts.held {
        return done(Verdict::Hold, why.clone());
    }
    if let Some(why) = &facts.incomplete {
        return done(Verdict::Skip, why.clone());
    }
    if facts.correcting && !planted(Planted::CorrectsTwice) {
        return done(Verdict::Skip, "an earlier correction of it is not settled".to_owned());
    }
    if facts.unsettled {
        return done(Verdict::Skip, "an order or shipment of it is between the two systems".to_owned());
    }
    if let Some(which) = &facts.posted_by_others {
        return done(
            Verdict::Skip,
            format!(
                "{which} was posted as shipped in Brightpearl by somebody else; it waits until that order is settled"
            ),
        );
    }
    // An available figure knows nothing of an order accepted after the count either, and those that it does know of cannot
    // be told apart here, so both bases wait.
    if !facts.posted_after.is_zero() {
        return done(
            Verdict::Skip,
            "units left after the count and are posted already; the next count decides".to_owned(),
        );
    }
    if settings.basis == FeedBasis::Available && facts.by_word {
        return done(
            Verdict::Skip,
            "a lost journal had sent an open order of it, perhaps for other units: it waits until that order is over; cancel what \
             never comes"
                .to_owned(),
        );
    }
    if let Some(order) = facts.ending.filter(|_| settings.basis == FeedBasis::Available)
        && !planted(Planted::ForgetsEnding)
    {
        return done(Verdict::Skip, ends(order));
    }
    if settings.basis == FeedBasis::Available && facts.accepted > facts.source.allocated {
        // The equation holds only while each commitment at the warehouse mirrors an allocation at the source.
        return done(
            Verdict::Skip,
            "the warehouse has accepted more of it than Brightpearl has allocated: an order of it was changed or cancelled"
                .to_owned(),
        );
    }
    if difference.is_zero() {
        return done(Verdict::Same, String::new());
    }
    if !difference.fract().is_zero() {
        return done(Verdict::Hold, "the difference is not a whole number of units".to_owned());
    }
    if settings.brakes.line.is_some_and(|most| difference.abs() > most) {
        return done(Verdict::Hold, "the difference is larger than the limit for one line".to_owned());
    }
    if difference.is_sign_negative() && -difference > facts.source.on_hand {
        return done(
            Verdict::Hold,
            format!(
                "only {} of it are not allocated in Brightpearl, which does not let allocated stock go",
                facts.source.on_hand.normalize()
            ),
        );
    }
    if difference.is_sign_positive() {
        if settings.increases != Some(Increases::Correct) {
            return done(
                Verdict::Hold,
                "the warehouse counts more; increases wait until a person chooses what to do with them".to_owned(),
            );
        }
        if facts.archived && !settings.revive_archived {
            return done(
                Verdict::Hold,
                "the product is archived in Brightpearl, and adding stock would bring it back".to_owned(),
            );
        }
        if facts.cost.is_none() {
            return done(Verdict::Hold, "no price list gives its cost, which an addition needs".to_owned());
        }
    }
    done(Verdict::Correct, String::new())
}

fn difference(facts: &ProductFacts, basis: FeedBasis) -> (Decimal, Decimal, BTreeMap<&'static str, Decimal>) {
    let mut parts = BTreeMap::new();
    match basis {
        FeedBasis::Physical => {
            parts.insert("warehouse_physical", facts.figure);
            parts.insert("shipped_not_posted", facts.shipped_not_posted);
            parts.insert("brightpearl_in_stock", facts.source.in_stock);
            let theirs = match planted(Planted::OnHandForInStock) {
                true => facts.source.on_hand,
                false => facts.source.in_stock,
            };
            let left = match planted(Planted::ForgetsShipped) {
                true => Decimal::ZERO,
                false => facts.shipped_not_posted,
            };
            let difference = facts.figure + left - theirs;
            (difference, facts.source.in_stock, parts)
        }
        FeedBasis::Available => {
            // U: allocated in the source to orders this warehouse has not accepted.
            let not_accepted = facts.source.allocated - facts.accepted;
            parts.insert("warehouse_available", facts.figure);
            parts.insert("allocated_not_accepted", not_accepted);
            parts.insert("brightpearl_on_hand", facts.source.on_hand);
            (facts.figure - not_accepted - facts.source.on_hand, facts.source.on_hand, parts)
        }
    }
}

/// A count, as far as it says which of two is the newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'a> {
    /// When it was counted.
    pub cut_off: Timestamp,
    /// Its name at the warehouse; of two counts of one moment the later name is the newer.
    pub reference: &'a str,
    /// The warehouse's running number, where it gives one.
    pub sequence: Option<i64>,
}

/// Why a count is not acted upon because of what is known already; `None`: it is the newest (K4). `last` is the newest count of
/// the same facilities that was not refused, `newest_figure` the latest time that any kept figure of these facilities speaks of.
///
/// It is asked before a count is worked out, and again in the transaction that keeps the result: a process that stood still
/// in between would otherwise take back what another one made of a newer count.
pub fn outdated(count: Counted<'_>, last: Option<Counted<'_>>, newest_figure: Option<Timestamp>) -> Option<String> {
    if planted(Planted::OldCount) {
        return None;
    }
    if let Some(last) = last {
        if (count.cut_off, count.reference) <= (last.cut_off, last.reference) {
            return Some("it is not newer than the last count acted upon".to_owned());
        }
        if let (Some(this), Some(before)) = (count.sequence, last.sequence)
            && this <= before
        {
            return Some(format!(
                "its running number {this} is not above {before}, that of the last count acted upon; have the warehouse \
                 export again"
            ));
        }
    }
    newest_figure
        .filter(|at| *at > count.cut_off)
        .map(|at| format!("a count of {at} of the same facilities was acted upon, and it is older"))
}

/// Whether later counts say everything again that this one says: then it is not acted upon. A count of some SKUs says nothing of
/// the others, so two of them that came together both count.
pub fn is_said_again(count: &StockFeed, later: &[StockFeed]) -> bool {
    let mut open: BTreeSet<(&str, Option<&str>)> =
        count.levels.iter().map(|level| (level.sku.as_str(), level.facility.as_deref())).collect();
    let mut whole = !count.absent_is_zero;
    for later in later.iter().filter(|later| later.cut_off >= count.cut_off) {
        whole |= later.absent_is_zero;
        if later.absent_is_zero {
            let facilities: BTreeSet<Option<&str>> =
                later.levels.iter().map(|level| level.facility.as_deref()).collect();
            open.retain(|(_, facility)| !facilities.contains(facility));
        }
        for level in &later.levels {
            open.remove(&(level.sku.as_str(), level.facility.as_deref()));
        }
    }
    // What it says of SKUs that it does not name, no count of some SKUs says again.
    open.is_empty() && whole
}

/// What a whole run looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// Products compared.
    pub compared: u32,
    /// Products that would be corrected.
    pub changed: u32,
    /// Units that would be moved: the sum of the differences that would be written, each without its sign.
    pub units: Decimal,
    /// SKUs the feed reports as zero while the source has stock of them.
    pub newly_zero: u32,
    /// Products of which the source has stock.
    pub stocked: u32,
    /// SKUs in the feed.
    pub skus: u32,
    /// SKUs in the last feed of the same facilities that was acted upon, where there was one.
    pub last_skus: Option<u32>,
    /// Whether a SKU that is absent from the feed has none.
    pub absent_is_zero: bool,
    /// No run was ever planned or approved.
    pub first: bool,
    /// Age of the feed in minutes.
    pub age_minutes: i64,
}

/// Whether a run may go on unattended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunVerdict {
    /// Yes.
    Go,
    /// A person looks first: why.
    Ask(String),
    /// The feed is not believed: why, and what to do.
    Refuse(String),
}

/// A share of a handful of SKUs says nothing about a feed as a whole.
const ENOUGH: u32 = 10;

/// One product that becomes zero is sold out; several at once may be a fault of the export.
const SEVERAL: u32 = 2;

/// Judges a run by its brakes (§8.4). `approved_first` is the person's standing approval of the first run.
pub fn run(facts: &RunFacts, brakes: &Brakes, approved_first: bool) -> RunVerdict {
    if let Some(why) = disbelieved(facts, brakes) {
        return RunVerdict::Refuse(why);
    }
    if facts.changed > 0 && facts.newly_zero >= SEVERAL {
        if facts.newly_zero >= facts.stocked {
            return RunVerdict::Ask(format!(
                "the feed says zero for all {} products that Brightpearl has stock of",
                facts.stocked
            ));
        }
        if exceeds(facts.newly_zero, facts.stocked, brakes.zero_percent) {
            return RunVerdict::Ask(format!(
                "the feed says zero for {} of {} products that Brightpearl has stock of, more than {} percent",
                facts.newly_zero, facts.stocked, brakes.zero_percent
            ));
        }
    }
    if let Some(last) = facts.last_skus
        && fewer(facts, last, brakes)
    {
        return RunVerdict::Ask(format!(
            "the feed holds {} SKUs and the last one held {last}; where the warehouse sends only what changed, set \
             brakes.missing_percent to 100",
            facts.skus
        ));
    }
    if facts.first {
        return if approved_first {
            RunVerdict::Go
        } else {
            RunVerdict::Ask("it is the first run; look at it and approve it".to_owned())
        };
    }
    if facts.compared >= ENOUGH && exceeds(facts.changed, facts.compared, brakes.share_percent) {
        return RunVerdict::Ask(format!(
            "it changes {} of {} products, more than {} percent",
            facts.changed, facts.compared, brakes.share_percent
        ));
    }
    if let Some(most) = brakes.run
        && facts.units > most
    {
        return RunVerdict::Ask(format!(
            "it moves {} units in all, more than the {} that go unattended",
            facts.units.normalize(),
            most.normalize()
        ));
    }
    RunVerdict::Go
}

/// Why a feed is not believed at all, and what to do; `None` where it is.
fn disbelieved(facts: &RunFacts, brakes: &Brakes) -> Option<String> {
    if facts.age_minutes > i64::from(brakes.feed_age_minutes) {
        return Some(format!(
            "the feed is {} minutes old; at most {} are acted upon (brakes.feed_age_minutes). Have the warehouse count or \
             export again",
            facts.age_minutes, brakes.feed_age_minutes
        ));
    }
    if facts.age_minutes < 0 {
        return Some(format!(
            "the feed speaks of a time {} minutes ahead; check the clock and the time zone of the warehouse",
            -facts.age_minutes
        ));
    }
    if let Some(last) = facts.last_skus
        && facts.absent_is_zero
        && fewer(facts, last, brakes)
    {
        return Some(format!(
            "the feed holds {} SKUs and the last one held {last}, and a SKU that is missing would count as zero. Have the \
             warehouse export again; if so many SKUs are really gone, raise brakes.missing_percent for one count",
            facts.skus
        ));
    }
    if facts.stocked >= ENOUGH && exceeds(facts.newly_zero, facts.stocked, brakes.zero_percent) {
        return Some(format!(
            "the feed says zero for {} of {} products that Brightpearl has stock of. Check the warehouse's export; if they \
             are really gone, raise brakes.zero_percent for one count",
            facts.newly_zero, facts.stocked
        ));
    }
    None
}

/// Whether a feed holds so many fewer SKUs than the last one that part of it may be missing.
fn fewer(facts: &RunFacts, last: u32, brakes: &Brakes) -> bool {
    last >= ENOUGH && exceeds(last.saturating_sub(facts.skus), last, brakes.missing_percent)
}

/// Whether `part` is more than `percent` of `whole`.
fn exceeds(part: u32, whole: u32, percent: u32) -> bool {
    u64::from(part) * 100 > u64::from(whole) * u64::from(percent)
}

#[cfg(test)]
mod tests;
