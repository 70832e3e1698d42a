//! Taking a stock correction back: whether a line of a run may be undone, and by what.
//!
//! A correction is a signed difference, and so is what takes it back: the same units with the other sign, as a correction of
//! its own. Nothing here knows how it is sent; see docs/stock.md.

use connect::Money;
use rust_decimal::Decimal;

/// What it follows from whether a line may be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoFacts {
    /// What the correction moved, signed.
    pub difference: Decimal,
    /// It is certainly done at the source.
    pub applied: bool,
    /// Where it stands, for people, where it is not applied.
    pub standing: String,
    /// It is undone already, or its undoing is under way.
    pub undone: bool,
    /// Another correction of the product is open, unknown or parked.
    pub correcting: bool,
    /// A later correction of the product was made, or may have been.
    pub touched_later: bool,
    /// The person named this very SKU, and so says yes to that.
    pub named: bool,
    /// What the source can let go of: in stock and not allocated.
    pub on_hand: Decimal,
    /// Cost of one, where a price list has it.
    pub cost: Option<Money>,
    /// Put away: adding stock would bring it back to life.
    pub archived: bool,
    /// Stock may be added to archived products.
    pub revive_archived: bool,
}

/// What becomes of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// This signed difference takes it back.
    By(Decimal),
    /// It stays: why, for people.
    Stays(String),
}

/// Decides about one line.
pub fn undo(facts: &UndoFacts) -> Undo {
    let stays = |why: &str| Undo::Stays(why.to_owned());
    if facts.undone {
        return stays("it is undone already");
    }
    if !facts.applied {
        return Undo::Stays(format!("only what is done can be undone, and it is {}", facts.standing));
    }
    if facts.correcting {
        return stays("another correction of it is not settled; try again when it is");
    }
    if facts.touched_later && !facts.named {
        return stays("a later correction has changed it since; name its SKU to undo it all the same");
    }
    let back = -facts.difference;
    if back.is_sign_negative() && -back > facts.on_hand {
        return Undo::Stays(format!(
            "only {} of it are not allocated in Brightpearl, which does not let allocated stock go",
            facts.on_hand.normalize()
        ));
    }
    if back.is_sign_positive() && facts.archived && !facts.revive_archived {
        return stays("the product is archived in Brightpearl, and adding stock would bring it back");
    }
    if back.is_sign_positive() && facts.cost.is_none() {
        return stays("no price list gives its cost, which an addition needs");
    }
    Undo::By(back)
}

#[cfg(test)]
mod tests {
    use connect::Money;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use rust_decimal::Decimal;

    use super::{Undo, UndoFacts, undo};

    fn facts(difference: i64) -> UndoFacts {
        UndoFacts {
            difference: Decimal::from(difference),
            applied: true,
            standing: "applied".to_owned(),
            undone: false,
            correcting: false,
            touched_later: false,
            named: false,
            on_hand: Decimal::from(10),
            cost: Some(Money { currency: "GBP".to_owned(), amount: Decimal::ONE }),
            archived: false,
            revive_archived: false,
        }
    }

    proptest! {
        /// Undoing is the inverse: what the source had before the correction it has again, and undoing the undoing gives the
        /// correction back. Nothing is undone twice, before it is done, beyond what is free, or without a cost.
        #[test]
        fn takes_back_exactly_what_was_done(
            difference in -30_i64..30,
            (before, allocated) in (0_i64..60, 0_i64..60),
            (applied, undone, correcting, later, named) in
                (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
            (cost, archived, revive_archived) in (any::<bool>(), any::<bool>(), any::<bool>()),
        ) {
            let after = before + difference;
            let base = facts(difference);
            let facts = UndoFacts {
                applied,
                undone,
                correcting,
                touched_later: later,
                named,
                on_hand: Decimal::from(after - allocated),
                cost: base.cost.clone().filter(|_| cost),
                archived,
                revive_archived,
                ..base
            };
            match undo(&facts) {
                Undo::By(back) => {
                    prop_assert_eq!(Decimal::from(after) + back, Decimal::from(before));
                    prop_assert!(applied && !undone && !correcting && (named || !later));
                    prop_assert!(back >= Decimal::ZERO || facts.on_hand + back >= Decimal::ZERO);
                    prop_assert!(back <= Decimal::ZERO || (cost && (!archived || revive_archived)));
                    let again = UndoFacts { difference: back, on_hand: Decimal::from(1_000), ..self::facts(0) };
                    prop_assert_eq!(undo(&again), Undo::By(Decimal::from(difference)));
                    let twice = undo(&UndoFacts { undone: true, ..facts });
                    prop_assert!(matches!(twice, Undo::Stays(_)));
                }
                Undo::Stays(why) => prop_assert!(!why.is_empty()),
            }
        }
    }

    #[test]
    fn says_why_it_stays() {
        let cases = [
            (UndoFacts { undone: true, ..facts(3) }, "undone already"),
            (UndoFacts { applied: false, standing: "voided".to_owned(), ..facts(3) }, "it is voided"),
            (UndoFacts { correcting: true, ..facts(3) }, "not settled"),
            (UndoFacts { touched_later: true, ..facts(3) }, "later correction"),
            (facts(11), "only 10 of it"),
            (UndoFacts { cost: None, ..facts(-3) }, "its cost"),
            (UndoFacts { archived: true, ..facts(-3) }, "archived"),
        ];
        for (facts, words) in cases {
            let Undo::Stays(why) = undo(&facts) else { panic!("{facts:?} was undone") };
            assert!(why.contains(words), "{why:?} does not say {words:?}");
        }
        assert_eq!(undo(&UndoFacts { touched_later: true, named: true, ..facts(3) }), Undo::By(Decimal::from(-3)));
        assert_eq!(undo(&UndoFacts { cost: None, archived: true, ..facts(3) }), Undo::By(Decimal::from(-3)));
    }
}
