//! Which column of a file holds what, and reading a file by it.
//!
//! A file comes from outside: it is taken whole or not at all, and what is wrong is told with line and column.

use std::collections::BTreeMap;

use encoding_rs::{Encoding, UTF_8};
use jiff::{Timestamp, civil, tz::TimeZone};
use rust_decimal::Decimal;

use crate::numbers;

/// Most rows of one file.
const MOST_ROWS: usize = 200_000;
/// Most columns of one row.
const MOST_COLUMNS: usize = 500;
/// Longest cell, in bytes.
const LONGEST_CELL: usize = 4096;

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Column {
    /// Under this column name, without case and spaces.
    Named(String),
    /// At this place, from 0.
    At(usize),
}

/// A column map, as a setting gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    columns: BTreeMap<&'static str, Column>,
    header: bool,
    /// The last row begins with this word and holds the number of rows before it.
    trailer: Option<String>,
    /// Place of the sequence in the trailer row, from 0.
    trailer_sequence: Option<usize>,
}

impl Layout {
    /// Reads `field=column name or position, …`.
    ///
    /// # Errors
    /// What is wrong with the text, for the person who gave it.
    pub(super) fn parse(
        text: &str,
        header: bool,
        known: &'static [&'static str],
        required: &[&str],
    ) -> Result<Self, String> {
        let mut layout = Self { columns: BTreeMap::new(), header, trailer: None, trailer_sequence: None };
        for part in text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
            let (field, column) = part
                .split_once('=')
                .map(|(field, column)| (field.trim(), column.trim()))
                .filter(|(_, column)| !column.is_empty())
                .ok_or_else(|| format!("{part:?} is not of the form field=column"))?;
            if field == "trailer" && layout.trailer.is_none() {
                layout.trailer = Some(column.to_owned());
                continue;
            }
            let field =
                known.iter().copied().find(|name| *name == field).ok_or_else(|| {
                    format!("{field:?} is not a field here; there are: {}, trailer", known.join(", "))
                })?;
            let column = match column.parse::<usize>() {
                Ok(0) => return Err(format!("{field}: positions count from 1")),
                Ok(position) if position > MOST_COLUMNS => {
                    return Err(format!("{field}: there is no column {position}"));
                }
                Ok(position) => Column::At(position - 1),
                Err(_) if header => Column::Named(folded(column)),
                Err(_) => return Err(format!("{field}: without column names in the file, give a position from 1")),
            };
            if layout.columns.insert(field, column).is_some() {
                return Err(format!("{field} is given twice"));
            }
        }
        if layout.trailer.is_some()
            && let Some(column) = layout.columns.remove("sequence")
        {
            match column {
                Column::At(place) => layout.trailer_sequence = Some(place),
                Column::Named(_) => {
                    return Err("sequence: with a trailer, give its position in the trailer row".to_owned());
                }
            }
        }
        match required.iter().find(|field| !layout.columns.contains_key(*field)) {
            Some(missing) => Err(format!("{missing} must be there")),
            None => Ok(layout),
        }
    }

    /// Whether the field is mapped.
    pub(super) fn has(&self, field: &str) -> bool {
        self.columns.contains_key(field)
    }
}

/// A file, read.
#[derive(Debug)]
pub(super) struct Table {
    places: BTreeMap<&'static str, usize>,
    rows: Vec<(u64, Vec<String>)>,
    /// From the trailer row.
    pub(super) sequence: Option<i64>,
}

/// One row of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    /// Line of the file, from 1.
    pub(super) line: u64,
    cells: &'a [String],
}

impl Table {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first thing that is wrong, with line and column.
    pub(super) fn read(content: &[u8], layout: &Layout, encoding: &'static Encoding) -> Result<Self, String> {
        let text = decode(content, encoding)?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
        let mut lines = Lines::new(text.as_bytes());
        for record in reader.records() {
            let record = record.map_err(|error| format!("it is not readable as CSV: {error}"))?;
            let line = lines.at(record.position().map_or(0, csv::Position::byte));
            if rows.len() > MOST_ROWS {
                return Err(format!("it has more than {MOST_ROWS} rows: ask the warehouse for smaller files"));
            }
            if record.len() > MOST_COLUMNS {
                return Err(format!("line {line} has more than {MOST_COLUMNS} columns"));
            }
            for (index, cell) in record.iter().enumerate() {
                check_cell(cell).map_err(|problem| format!("line {line}, column {}: {problem}", index + 1))?;
            }
            rows.push((line, record.iter().map(|cell| cell.trim().to_owned()).collect()));
        }
        let mut table = Self { places: BTreeMap::new(), rows, sequence: None };
        table.take_trailer(layout)?;
        let header = if layout.header {
            if table.rows.is_empty() {
                return Err("the row of column names is missing".to_owned());
            }
            Some(table.rows.remove(0).1)
        } else {
            None
        };
        table.place(layout, header.as_deref())?;
        let columns = header.as_ref().or_else(|| table.rows.first().map(|(_, cells)| cells)).map_or(0, Vec::len);
        if let Some((line, cells)) = table.rows.iter().find(|(_, cells)| cells.len() != columns) {
            return Err(format!("line {line} has {} columns where {columns} are expected", cells.len()));
        }
        match table.places.iter().find(|(_, place)| **place >= columns && columns > 0) {
            Some((field, place)) => {
                Err(format!("{field} is expected in column {}, and there are only {columns}", place + 1))
            }
            None => Ok(table),
        }
    }

    fn take_trailer(&mut self, layout: &Layout) -> Result<(), String> {
        let Some(word) = &layout.trailer else { return Ok(()) };
        let (line, cells) = self
            .rows
            .pop_if(|(_, cells)| cells.first() == Some(word))
            .ok_or_else(|| format!("the last row does not begin with {word}: the file is not complete"))?;
        let data = self.rows.len().saturating_sub(usize::from(layout.header));
        let count = cells.get(1).and_then(|cell| cell.parse::<usize>().ok());
        if count != Some(data) {
            let said = cells.get(1).map_or("nothing", String::as_str);
            return Err(format!("line {line}, column 2: the trailer counts {said} rows, and there are {data}"));
        }
        if let Some(place) = layout.trailer_sequence {
            let cell = cells.get(place).map_or("", String::as_str);
            let sequence = cell
                .parse()
                .map_err(|_| format!("line {line}, column {}: {cell:?} is not a sequence number", place + 1))?;
            self.sequence = Some(sequence);
        }
        Ok(())
    }

    fn place(&mut self, layout: &Layout, header: Option<&[String]>) -> Result<(), String> {
        for (field, column) in &layout.columns {
            let place = match column {
                Column::At(place) => *place,
                Column::Named(name) => {
                    let mut places = header
                        .unwrap_or_default()
                        .iter()
                        .enumerate()
                        .filter(|(_, title)| folded(title) == *name)
                        .map(|(place, _)| place);
                    let place =
                        places.next().ok_or_else(|| format!("line 1: there is no column {name:?} (for {field})"))?;
                    if let Some(second) = places.next() {
                        return Err(format!("line 1, column {}: a second column {name:?}", second + 1));
                    }
                    place
                }
            };
            self.places.insert(field, place);
        }
        Ok(())
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, cells)| Row { table: self, line: *line, cells })
    }
}

impl<'a> Row<'a> {
    /// The cell; `None` when it is empty or not mapped.
    pub(super) fn text(self, field: &str) -> Option<&'a str> {
        let place = *self.table.places.get(field)?;
        self.cells.get(place).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    /// The cell, which must be there.
    pub(super) fn require(self, field: &str) -> Result<&'a str, String> {
        self.text(field).ok_or_else(|| self.wrong(field, "it is empty"))
    }

    /// A number in plain digits.
    pub(super) fn number(self, field: &str) -> Result<Option<Decimal>, String> {
        self.text(field)
            .map(|cell| plain_decimal(cell).ok_or_else(|| self.wrong(field, "it is not a plain number")))
            .transpose()
    }

    /// A moment: with an offset as it stands, without one in the zone.
    pub(super) fn moment(self, field: &str, zone: &TimeZone) -> Result<Option<Timestamp>, String> {
        let problem = || self.wrong(field, "it is not an ISO 8601 time, such as 2026-11-23T06:30:00Z");
        self.text(field).map(|cell| moment(cell, zone).ok_or_else(problem)).transpose()
    }

    /// Says what is wrong with a cell, and where.
    pub(super) fn wrong(self, field: &str, problem: &str) -> String {
        let column = self.table.places.get(field).map_or(0, |place| place + 1);
        let cell: String = self.text(field).unwrap_or_default().chars().take(60).collect();
        format!("line {}, column {column} ({field}): {problem}: {cell:?}", self.line)
    }
}

/// Counts lines on the way through a text. The CSV reader's own count is one short after lines that end in CR LF.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, counted: 0, line: 1 }
    }

    /// The line of a record that begins at this byte or after the line ends that stand there.
    fn at(&mut self, byte: u64) -> u64 {
        let rest = |from: usize| self.text.get(from..).unwrap_or_default();
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).max(self.counted);
        let start = byte + rest(byte).iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.text.get(self.counted..start).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = start.min(self.text.len());
        self.line
    }
}

fn decode(content: &[u8], encoding: &'static Encoding) -> Result<String, String> {
    if encoding != UTF_8 {
        return Ok(encoding.decode_without_bom_handling(content).0.into_owned());
    }
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let cells = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = cells.iter().filter(|byte| **byte == b',').count() + 1;
        format!("line {line}, column {column}: it is not UTF-8; if the warehouse writes Windows-1252, set the encoding")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned())
}

fn check_cell(cell: &str) -> Result<(), &'static str> {
    if cell.len() > LONGEST_CELL {
        return Err("the cell is longer than any real one (a quote may be missing)");
    }
    if cell.chars().any(|character| character.is_control() && character != '\t') {
        return Err("the cell holds a control character or a line break");
    }
    Ok(())
}

fn folded(name: &str) -> String {
    name.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Digits with at most one point and a minus sign: no exponent, no separators, nothing a spreadsheet makes of numbers.
fn plain_decimal(cell: &str) -> Option<Decimal> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|character| character.is_ascii_digit() || character == '.')
        && digits.matches('.').count() <= 1;
    if plain { numbers::decimal_text(cell).map(|number| number.normalize()) } else { None }
}

fn moment(cell: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(moment) = cell.parse::<Timestamp>() {
        return Some(moment);
    }
    // The civil parser would drop an offset in silence; a text with one has been tried above.
    if cell.chars().skip(10).any(|character| matches!(character, '+' | '-' | 'Z' | 'z' | '[')) {
        return None;
    }
    cell.parse::<civil::DateTime>().ok()?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use encoding_rs::{UTF_8, WINDOWS_1252};
    use jiff::tz::TimeZone;

    use super::{Layout, Table, moment, plain_decimal};

    const KNOWN: &[&str] = &["sku", "quantity", "sequence"];

    fn layout(text: &str, header: bool) -> Layout {
        Layout::parse(text, header, KNOWN, &["sku"]).unwrap()
    }

    fn cells(content: &[u8], layout: &Layout) -> Result<Vec<(u64, String)>, String> {
        let table = Table::read(content, layout, UTF_8)?;
        Ok(table.rows().map(|row| (row.line, row.text("sku").unwrap_or_default().to_owned())).collect())
    }

    #[test]
    fn columns_are_found_by_name_or_position() {
        let by_name = layout("sku = Item No, quantity=qty", true);
        assert_eq!(
            cells(b"\xef\xbb\xbfQty, ITEM no \n1,A\n2, B\n", &by_name).unwrap(),
            [(2, "A".into()), (3, "B".into())]
        );
        let by_place = layout("sku=2", false);
        assert_eq!(cells(b"1,A\r\n2,B\r\n", &by_place).unwrap(), [(1, "A".into()), (2, "B".into())]);
        let table = Table::read(b"caf\xe9,1\n", &layout("sku=1", false), WINDOWS_1252).unwrap();
        assert_eq!(table.rows().next().unwrap().text("sku"), Some("caf\u{e9}"));
    }

    #[test]
    fn what_is_wrong_with_a_map_is_told() {
        for (text, header, told) in [
            ("sku", true, "form field=column"),
            ("sku=", true, "form field=column"),
            ("colour=1", true, "not a field"),
            ("sku=0", true, "count from 1"),
            ("sku=9999", true, "no column"),
            ("sku=name", false, "position"),
            ("sku=1, sku=2", true, "twice"),
            ("quantity=1", true, "sku must be there"),
            ("sku=1, trailer=T, sequence=name", true, "position in the trailer"),
        ] {
            let problem = Layout::parse(text, header, KNOWN, &["sku"]).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_place() {
        let by_name = layout("sku=sku", true);
        for (content, told) in [
            (&b""[..], "column names"),
            (b"item,qty\n", "line 1: there is no column \"sku\""),
            (b"sku,sku\n", "line 1, column 2"),
            (b"sku,qty\nA,1\nB\n", "line 3 has 1 columns where 2"),
            (b"sku,qty\nA,1,2\n", "line 2 has 3 columns where 2"),
            (b"sku,qty\nA,\0\n", "line 2, column 2"),
            (b"sku,qty\nA,1\nB,\xff\n", "line 3, column 2"),
            (b"sku,qty\n\"A\nB\",1\n", "line 2, column 1: the cell holds a control"),
            (b"sku,qty\n\"A,1\nB,2\n", "line 2, column 1"),
        ] {
            let problem = cells(content, &by_name).unwrap_err();
            assert!(problem.contains(told), "{:?}: {problem}", String::from_utf8_lossy(content));
        }
        let long = format!("sku\n{}\n", "x".repeat(5000));
        assert!(cells(long.as_bytes(), &by_name).unwrap_err().contains("longer"));
        assert!(cells(b"A\n", &layout("sku=3", false)).unwrap_err().contains("column 3"));
    }

    #[test]
    fn a_trailer_is_enforced_only_when_it_is_mapped() {
        let mapped = layout("sku=sku, trailer=TRAILER, sequence=3", true);
        let table = Table::read(b"sku,q\nA,1\nTRAILER,1,17\n", &mapped, UTF_8).unwrap();
        assert_eq!((table.rows().count(), table.sequence), (1, Some(17)));
        for (content, told) in [
            (&b"sku,q\nA,1\n"[..], "not complete"),
            (b"sku,q\nA,1\nTRAILER,2,17\n", "counts 2 rows, and there are 1"),
            (b"sku,q\nTRAILER,0,17\nA,1\n", "not complete"),
            (b"sku,q\nA,1\nTRAILER,1,x\n", "line 3, column 3"),
        ] {
            let problem = Table::read(content, &mapped, UTF_8).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
        assert_eq!(cells(b"sku\nA\n", &layout("sku=sku", true)).unwrap().len(), 1);
    }

    #[test]
    fn numbers_are_plain() {
        for (cell, plain) in [("5", "5"), ("5.50", "5.5"), ("-3", "-3"), ("0", "0"), ("0012", "12")] {
            assert_eq!(plain_decimal(cell).unwrap().to_string(), plain);
        }
        for cell in ["", "-", "1e3", "1,000", "1_000", "+5", "0x1", "1.2.3", ".5", "NaN", "\u{661}", "--1"] {
            assert_eq!(plain_decimal(cell), None, "{cell}");
        }
    }

    #[test]
    fn times_without_an_offset_are_the_zones() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (cell, utc) in [
            ("2026-11-23T06:30:00Z", "2026-11-23T06:30:00Z"),
            ("2026-11-23T06:30:00+02:00", "2026-11-23T04:30:00Z"),
            ("2026-11-23T06:30:00", "2026-11-23T11:30:00Z"),
            ("2026-11-23 06:30:00", "2026-11-23T11:30:00Z"),
            ("2026-07-01", "2026-07-01T04:00:00Z"),
        ] {
            assert_eq!(moment(cell, &zone).unwrap().to_string(), utc, "{cell}");
        }
        for cell in ["", "yesterday", "23/11/2026", "2026-13-01", "2026-11-23T06:30:00+99:00"] {
            assert_eq!(moment(cell, &zone), None, "{cell}");
        }
    }
}
