//! When a request is over although not everything of it left: its warehouse says so line by line, in one report or in several.

use std::collections::BTreeMap;

use connect::{LineRef, PackageLine, RequestLine};
use rust_decimal::Decimal;

/// What became of the units of one line that have not left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rest {
    /// They are still to leave.
    pub to_come: Decimal,
    /// They never will: the line has ended.
    pub lapsed: Decimal,
}

/// What of each line of a request has not left, in the order of the lines.
///
/// What left is counted to its line by the number that the warehouse gives back, and otherwise fills the open lines of its article
/// in order (x12.md §8.3). A line that ended without a number is the first open one of its article.
pub fn rests<'a>(
    asked: &[RequestLine],
    left: impl IntoIterator<Item = &'a PackageLine>,
    ended: &[LineRef],
) -> Vec<Rest> {
    let mut rests: Vec<Rest> =
        asked.iter().map(|line| Rest { to_come: line.quantity, lapsed: Decimal::ZERO }).collect();
    let mut anywhere: Vec<(&str, Decimal)> = Vec::new();
    for goods in left {
        // What the line that is named has no room for fills the others, as where it is told.
        let named = asked.iter().zip(&mut rests).find(|(line, _)| Some(line.line_number) == goods.line_number);
        let taken = named.map_or(Decimal::ZERO, |(_, rest)| {
            let taken = goods.quantity.min(rest.to_come);
            rest.to_come -= taken;
            taken
        });
        anywhere.push((&goods.sku, goods.quantity - taken));
    }
    let mut over = vec![false; asked.len()];
    for end in ended {
        let number = end.line_number.filter(|number| asked.iter().any(|line| line.line_number == *number));
        let place = asked.iter().zip(&rests).zip(&over).position(|((line, rest), over)| {
            let is_it = match number {
                Some(number) => line.line_number == number,
                None => line.sku == end.sku && rest.to_come > Decimal::ZERO,
            };
            is_it && !over
        });
        if let Some(((line, rest), over)) =
            place.and_then(|place| Some(((asked.get(place)?, rests.get_mut(place)?), over.get_mut(place)?)))
        {
            // What left of it without a number is counted to none of the others.
            rest.lapsed = rest.to_come - take(&mut anywhere, &line.sku, rest.to_come);
            rest.to_come = Decimal::ZERO;
            *over = true;
        }
    }
    for (line, rest) in asked.iter().zip(&mut rests) {
        rest.to_come -= take(&mut anywhere, &line.sku, rest.to_come);
    }
    rests
}

/// Whether of every line of a request all has left, or nothing more will.
pub fn is_over<'a>(asked: &[RequestLine], left: impl IntoIterator<Item = &'a PackageLine>, ended: &[LineRef]) -> bool {
    rests(asked, left, ended).iter().all(|rest| rest.to_come <= Decimal::ZERO)
}

/// Adds what one report says has ended to what others have said. A line without a number may be the same that another report
/// spoke of: of those of an article as many ended as the report says that names most.
pub fn merge(known: &mut Vec<LineRef>, said: Vec<LineRef>) {
    let mut met: BTreeMap<LineRef, usize> = BTreeMap::new();
    for line in said {
        let here = met.entry(line.clone()).or_default();
        *here += 1;
        if known.iter().filter(|other| **other == line).count() < *here {
            known.push(line);
        }
    }
}

/// Takes up to so many units of an article from what left.
fn take(left: &mut [(&str, Decimal)], sku: &str, most: Decimal) -> Decimal {
    let mut taken = Decimal::ZERO;
    for (_, units) in left.iter_mut().filter(|(article, _)| *article == sku) {
        let some = (*units).min(most - taken).max(Decimal::ZERO);
        *units -= some;
        taken += some;
    }
    taken
}

#[cfg(test)]
mod tests {
    use connect::{LineRef, PackageLine, RequestLine};
    use proptest::prelude::{Strategy, any, prop, prop_assert, proptest};
    use rust_decimal::Decimal;

    use super::{Rest, is_over, merge, rests};

    fn asked(lines: &[(&str, i64)]) -> Vec<RequestLine> {
        (1..)
            .zip(lines)
            .map(|(line_number, (sku, quantity))| RequestLine {
                line_number,
                sku: (*sku).to_owned(),
                quantity: Decimal::from(*quantity),
                row_id: i64::from(line_number),
                product_id: 1,
                per_unit: Decimal::ONE,
                name: "Goods".to_owned(),
                unit_price: None,
            })
            .collect()
    }

    fn goods(line_number: Option<u32>, sku: &str, quantity: i64) -> PackageLine {
        PackageLine { line_number, sku: sku.to_owned(), quantity: quantity.into(), lot: None, serials: Vec::new() }
    }

    fn end(line_number: Option<u32>, sku: &str) -> LineRef {
        LineRef { line_number, sku: sku.to_owned() }
    }

    #[test]
    fn a_request_is_over_when_each_line_has_left_or_ended() {
        let two = asked(&[("A", 3), ("B", 2)]);
        let over = |left: &[PackageLine], ended: &[LineRef]| is_over(&two, left, ended);
        assert!(!over(&[goods(Some(1), "A", 2)], &[end(Some(1), "A")]), "of line 2 nothing was said");
        assert!(over(&[goods(Some(1), "A", 2), goods(Some(2), "B", 2)], &[end(Some(1), "A")]));
        assert!(over(&[goods(None, "A", 2)], &[end(None, "A"), end(None, "B")]));
        assert!(over(&[], &[end(Some(2), ""), end(Some(1), "")]));
        assert!(!over(&[], &[end(Some(2), "B"), end(Some(2), "B")]), "said twice, it is one line");
        assert!(over(&[goods(Some(1), "A", 3), goods(None, "B", 2)], &[]));
        // One article on two lines.
        let twice = asked(&[("A", 3), ("A", 2)]);
        let over = |left: &[PackageLine], ended: &[LineRef]| is_over(&twice, left, ended);
        assert!(!over(&[goods(None, "A", 2)], &[end(None, "A")]), "what left is of the line that ended");
        assert!(!over(&[goods(None, "A", 4)], &[end(None, "A")]), "three of the four are of the line that ended");
        assert!(over(&[goods(None, "A", 5)], &[end(None, "A")]));
        assert!(over(&[goods(Some(1), "A", 1), goods(Some(2), "A", 2)], &[end(Some(1), "A")]));
    }

    #[test]
    fn a_copy_of_a_report_ends_nothing_more() {
        let twice = asked(&[("A", 3), ("A", 2)]);
        let mut known = Vec::new();
        merge(&mut known, vec![end(None, "A")]);
        merge(&mut known, vec![end(None, "A")]);
        assert!(!is_over(&twice, &[], &known), "it is one line");
        merge(&mut known, vec![end(None, "A"), end(None, "A")]);
        assert!(is_over(&twice, &[], &known), "one report names both");
    }

    #[test]
    fn what_a_line_has_no_room_for_fills_the_others() {
        let three = asked(&[("A", 3), ("A", 2), ("B", 1)]);
        assert!(is_over(&three, &[goods(Some(1), "A", 5)], &[end(Some(3), "B")]));
    }

    #[test]
    fn what_has_not_left_is_to_come_or_has_lapsed() {
        let three = asked(&[("A", 3), ("A", 2), ("B", 1)]);
        let rest = |to_come: i64, lapsed: i64| Rest { to_come: to_come.into(), lapsed: lapsed.into() };
        let left = [goods(Some(1), "A", 1), goods(None, "A", 1)];
        assert_eq!(rests(&three, &left, &[]), [rest(1, 0), rest(2, 0), rest(1, 0)]);
        assert_eq!(rests(&three, &left, &[end(Some(2), "A")]), [rest(2, 0), rest(0, 1), rest(1, 0)]);
        assert_eq!(rests(&three, &left, &[end(None, "A"), end(Some(3), "B")]), [rest(0, 1), rest(2, 0), rest(0, 1)]);
    }

    fn some_lines() -> impl Strategy<Value = Vec<(&'static str, i64)>> {
        prop::collection::vec((prop::sample::select(vec!["A", "B"]), 1..4_i64), 1..5)
    }

    proptest! {
        #[test]
        fn what_all_left_is_over_and_what_nobody_spoke_of_is_not(lines in some_lines(), numbered in any::<bool>(), without in any::<prop::sample::Index>()) {
            let asked = asked(&lines);
            let left: Vec<PackageLine> = asked
                .iter()
                .map(|line| PackageLine {
                    line_number: numbered.then_some(line.line_number),
                    sku: line.sku.clone(),
                    quantity: line.quantity,
                    lot: None,
                    serials: Vec::new(),
                })
                .collect();
            prop_assert!(is_over(&asked, &left, &[]));
            let out = without.index(left.len());
            let rest: Vec<&PackageLine> = left.iter().enumerate().filter(|(place, _)| *place != out).map(|(_, one)| one).collect();
            prop_assert!(!is_over(&asked, rest.iter().copied(), &[]));
            let ends = [end(numbered.then_some(asked[out].line_number), &asked[out].sku)];
            // Each unit left, is to come or has lapsed.
            for ends in [&ends[..], &[]] {
                let open: Decimal = rests(&asked, rest.iter().copied(), ends).iter().map(|rest| rest.to_come + rest.lapsed).sum();
                prop_assert!(open == asked[out].quantity, "{open} of {asked:?}");
            }
            // Ended or left, in any mix: the one line that is missing ended.
            if numbered {
                prop_assert!(is_over(&asked, rest.iter().copied(), &ends));
            }
        }
    }
}
