//! Which lines of a request a warehouse means by numbers that may be its own count (x12.md §8.3).
//!
//! One that keeps our numbers gives each line of an article the number of a line of that article. One that counts its boxes does so
//! by chance at most, and a single number that fits no line gives it away: then none of them counts, and what left is counted by
//! article.

use connect::{LineRef, LinesEnded, PackageLine, RequestLine, Shipment};

/// What a warehouse reports of lines.
pub trait Numbered {
    /// Whether its line numbers may be the warehouse's own.
    fn may_be_theirs(&self) -> bool;

    /// The line numbers in it, each with its article.
    fn numbers(&mut self) -> Vec<(&mut Option<u32>, &str)>;
}

impl Numbered for Shipment {
    fn may_be_theirs(&self) -> bool {
        self.numbers_may_be_theirs
    }

    fn numbers(&mut self) -> Vec<(&mut Option<u32>, &str)> {
        let packed = self.packages.iter_mut().flat_map(|package| package.lines.iter_mut()).chain(&mut self.loose);
        let packed = packed.map(|PackageLine { line_number, sku, .. }| (line_number, sku.as_str()));
        packed.chain(self.ended.iter_mut().map(of_line)).collect()
    }
}

impl Numbered for LinesEnded {
    fn may_be_theirs(&self) -> bool {
        self.numbers_may_be_theirs
    }

    fn numbers(&mut self) -> Vec<(&mut Option<u32>, &str)> {
        self.ended.iter_mut().chain(&mut self.none_left).map(of_line).collect()
    }
}

fn of_line(line: &mut LineRef) -> (&mut Option<u32>, &str) {
    (&mut line.line_number, line.sku.as_str())
}

/// Whether the numbers are those of the request.
pub fn are_ours(asked: &[RequestLine], report: &mut impl Numbered) -> bool {
    let ours =
        |number: Option<u32>, sku: &str| asked.iter().any(|line| Some(line.line_number) == number && line.sku == sku);
    !report.may_be_theirs() || report.numbers().into_iter().all(|(number, sku)| ours(*number, sku))
}

/// Takes out numbers that may not be ours.
pub fn take_out(report: &mut impl Numbered) {
    if report.may_be_theirs() {
        report.numbers().into_iter().for_each(|(number, _)| *number = None);
    }
}

#[cfg(test)]
mod tests {
    use connect::{LineRef, LinesEnded, RequestLine};
    use rust_decimal::Decimal;

    use super::{are_ours, take_out};

    fn asked(skus: &[&str]) -> Vec<RequestLine> {
        (1..)
            .zip(skus)
            .map(|(line_number, sku)| RequestLine {
                line_number,
                sku: (*sku).to_owned(),
                quantity: Decimal::ONE,
                row_id: i64::from(line_number),
                product_id: 1,
                per_unit: Decimal::ONE,
                name: "Goods".to_owned(),
                unit_price: None,
            })
            .collect()
    }

    fn report(theirs: bool, lines: &[(u32, &str)]) -> LinesEnded {
        let line = |(number, sku): &(u32, &str)| LineRef { line_number: Some(*number), sku: (*sku).to_owned() };
        LinesEnded {
            ended: lines.iter().take(1).map(line).collect(),
            none_left: lines.iter().skip(1).map(line).collect(),
            odd: None,
            numbers_may_be_theirs: theirs,
        }
    }

    #[test]
    fn numbers_are_ours_where_each_names_a_line_of_its_article() {
        let asked = asked(&["A", "B", "A"]);
        for (lines, ours) in [
            (&[(1, "A"), (2, "B"), (3, "A")][..], true),
            (&[(3, "A")], true),
            // Two lots of one line.
            (&[(2, "B"), (2, "B")], true),
            // Boxes that were counted.
            (&[(1, "B"), (2, "A")], false),
            (&[(1, "A"), (2, "A")], false),
            (&[(1, "A"), (4, "A")], false),
            (&[(1, "A"), (3, "C")], false),
        ] {
            assert_eq!(are_ours(&asked, &mut report(true, lines)), ours, "{lines:?}");
            assert!(are_ours(&asked, &mut report(false, lines)), "{lines:?}: it gave our numbers back");
        }
    }

    #[test]
    fn only_numbers_that_may_be_theirs_are_taken_out() {
        for theirs in [false, true] {
            let mut report = report(theirs, &[(1, "A"), (2, "B")]);
            take_out(&mut report);
            let numbers: Vec<Option<u32>> =
                report.ended.iter().chain(&report.none_left).map(|line| line.line_number).collect();
            assert_eq!(numbers, if theirs { [None, None] } else { [Some(1), Some(2)] });
        }
    }
}
