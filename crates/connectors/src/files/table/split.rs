//! From text to rows of cells.
//!
//! A cell in quotes may hold line ends, and a quote that is missing would swallow every row behind it. So a row that goes over
//! several lines counts only when it has as many cells as the first; otherwise its first line is wrong by itself, and reading
//! goes on with the next.

use super::form::Form;

/// Longest cell, in bytes.
pub(super) const LONGEST_CELL: usize = 4096;

/// A row of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Line it begins in, from 1.
    pub(crate) line: u64,
    /// Where it stands in the text, its line end left out.
    pub(crate) place: std::ops::Range<usize>,
    /// As they stand there, quotes taken off.
    pub(crate) cells: Vec<String>,
    /// A quote was opened and not closed where the row should end.
    pub(crate) open: bool,
}

/// What was found from one place on.
#[derive(Default)]
struct Found {
    cells: Vec<String>,
    /// Bytes of the row, without and with its line end.
    length: usize,
    with_end: usize,
    /// Line ends inside it.
    breaks: u64,
    open: bool,
    /// Text stands behind a closing quote, as it does where that was meant to open the next cell.
    ragged: bool,
}

/// Every row of a text but those that are empty.
pub(crate) fn records(text: &str, form: &Form) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let (mut at, mut line) = (0, 1);
    let mut columns: Option<usize> = None;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let mut found = row(rest, form);
        let odd = found.ragged || columns.is_some_and(|columns| columns != found.cells.len());
        if found.open || (found.breaks > 0 && odd) {
            found = first_line(rest, form);
        }
        let is_empty = found.cells.iter().all(|cell| cell.trim().is_empty());
        if !is_empty {
            columns.get_or_insert(found.cells.len());
            let place = at..at + found.length;
            records.push(Record { line, place, cells: found.cells, open: found.open });
        }
        at += found.with_end.max(1);
        line += found.breaks + 1;
    }
    records
}

fn row(text: &str, form: &Form) -> Found {
    let mut found = Found::default();
    let (mut cell, mut quoted, mut closed) = (String::new(), false, false);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let is_quote = form.quote == Some(character);
        match character {
            _ if quoted && is_quote => match characters.next_if(|(_, next)| form.quote == Some(*next)) {
                Some(_) => cell.push(character),
                None => (quoted, closed) = (false, true),
            },
            _ if quoted => {
                found.breaks += u64::from(character == '\n');
                cell.push(character);
                if cell.len() > LONGEST_CELL {
                    found.open = true;
                    return found;
                }
            }
            _ if is_quote && cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            _ if character == form.delimiter => {
                found.cells.push(std::mem::take(&mut cell));
                closed = false;
            }
            '\n' | '\r' => {
                let pair = character == '\r' && characters.next_if(|(_, next)| *next == '\n').is_some();
                found.cells.push(cell);
                (found.length, found.with_end) = (at, at + 1 + usize::from(pair));
                return found;
            }
            _ => {
                found.ragged |= closed && character != ' ';
                cell.push(character);
            }
        }
    }
    found.cells.push(cell);
    (found.length, found.with_end, found.open) = (text.len(), text.len(), quoted);
    found
}

/// The first line by itself, its cells parted without regard to quotes.
fn first_line(text: &str, form: &Form) -> Found {
    let length = text.find(['\n', '\r']).unwrap_or(text.len());
    let line = text.get(..length).unwrap_or_default();
    let end = text.get(length..).unwrap_or_default();
    let with_end = length + if end.starts_with("\r\n") { 2 } else { usize::from(!end.is_empty()) };
    let cells = line.split(form.delimiter).map(|cell| cell.trim_matches(|one| Some(one) == form.quote).to_owned());
    Found { cells: cells.collect(), length, with_end, breaks: 0, open: true, ragged: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{super::form::Form, records};

    fn cells(text: &str, form: &Form) -> Vec<(u64, Vec<String>, bool)> {
        records(text, form).into_iter().map(|record| (record.line, record.cells, record.open)).collect()
    }

    #[test]
    fn rows_and_cells_are_parted() {
        let form = Form::plain();
        let read = cells("a,b\r\n\n\"x, \"\"y\"\"\", \"z\" \r\n,,\n1,\"two\nlines\"\nlast,", &form);
        let expected = [(1, ["a", "b"]), (3, ["x, \"y\"", "z "]), (5, ["1", "two\nlines"]), (7, ["last", ""])];
        assert_eq!(read.len(), expected.len(), "{read:?}");
        for ((line, cells, open), (expected_line, expected_cells)) in read.iter().zip(expected) {
            assert_eq!(
                (*line, cells.as_slice(), *open),
                (expected_line, expected_cells.map(str::to_owned).as_slice(), false)
            );
        }
        let form = Form { delimiter: ';', quote: Some('\''), ..Form::plain() };
        assert_eq!(cells("'a;b';c\"d", &form), [(1, vec!["a;b".to_owned(), "c\"d".to_owned()], false)]);
        let form = Form { quote: None, ..Form::plain() };
        assert_eq!(cells("\"a,b", &form), [(1, vec!["\"a".to_owned(), "b".to_owned()], false)]);
    }

    #[test]
    fn a_missing_quote_costs_one_row() {
        let form = Form::plain();
        let read = cells("a,b\n1,\"x\n2,y\n3,z\n4,\"w\"\n", &form);
        let rows: Vec<(u64, bool)> = read.iter().map(|(line, _, open)| (*line, *open)).collect();
        assert_eq!(rows, [(1, false), (2, true), (3, false), (4, false), (5, false)]);
        // The same when nothing closes it any more, and when it would be longer than any cell.
        let read = cells(&format!("a,b\n1,\"x\n{}", "2,y\n".repeat(3000)), &form);
        assert_eq!((read.len(), read.iter().filter(|(_, _, open)| *open).count()), (3002, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_parted_to_its_end(text in any::<String>(), quote in any::<bool>()) {
            let form = Form { quote: quote.then_some('"'), ..Form::plain() };
            let read = records(&text, &form);
            let mut end = 0;
            for record in &read {
                prop_assert!(record.place.start >= end && record.place.end <= text.len());
                prop_assert!(text.get(record.place.clone()).is_some());
                end = record.place.end;
            }
            if !quote {
                let filled = |line: &&str| line.split(',').any(|cell| !cell.trim().is_empty());
                prop_assert_eq!(read.len(), text.split(['\n', '\r']).filter(filled).count());
            }
        }
    }
}
