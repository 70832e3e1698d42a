//! Reading a file by a map of its columns.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    form::Form,
    layout::{Column, Layout, folded},
    split::{LONGEST_CELL, Record, records},
};

/// Most rows of one file.
const MOST_ROWS: usize = 200_000;
/// Most columns of one row.
pub(super) const MOST_COLUMNS: usize = 500;
/// With more rows that cannot be read the map is wrong, or the file, and nothing of it is believed.
const MOST_BAD: usize = 50;

/// Rows of a file that cannot be used, while the others are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetAside {
    /// What they are about, as far as that can be read.
    pub(crate) what: String,
    /// What is wrong, with line and column.
    pub(crate) why: String,
    /// The lines they begin in, from 1.
    pub(crate) lines: Vec<u64>,
    /// As they stand in the file.
    pub(crate) text: String,
}

/// A file, read.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    form: &'a Form,
    text: String,
    places: BTreeMap<&'static str, usize>,
    rows: Vec<Record>,
    /// Rows of which not even the cells are certain.
    bad: Vec<(Record, String)>,
    /// Rows that say of themselves that they are of another kind (x12.md §12.1).
    others: Vec<Record>,
    /// The row of column names, where there is one.
    pub(crate) names: Option<Vec<String>>,
    /// From the trailer row.
    pub(crate) sequence: Option<i64>,
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'a Table<'a>,
    record: &'a Record,
}

impl<'a> Table<'a> {
    /// Reads a whole file.
    ///
    /// # Errors
    /// What is wrong with the file as a whole, so that none of its rows can be believed.
    pub(crate) fn read(content: &[u8], layout: &Layout, form: &'a Form) -> Result<Self, String> {
        let text = form.decode(content);
        let rows = records(&text, form);
        if rows.len() > MOST_ROWS {
            return Err(format!("it has more than {MOST_ROWS} rows: ask the warehouse for smaller files"));
        }
        let mut table = Self {
            form,
            text,
            places: BTreeMap::new(),
            rows,
            bad: Vec::new(),
            others: Vec::new(),
            names: None,
            sequence: None,
        };
        table.take_trailer(layout)?;
        let says = |place: usize| table.rows.get(place).and_then(|row| row.cells.first()).map(|cell| cell.trim());
        let (first, second) = (says(0), says(1));
        let records = layout.records.as_ref().filter(|records| [first, second].contains(&Some(records.word)));
        let says_word = records.is_some_and(|records| first == Some(records.word)) && !table.begins_with_names(layout);
        let width = |place: usize| table.rows.get(place).map(|row| row.cells.len());
        if records.is_some_and(|records| first != Some(records.word)) && width(0) != width(1) {
            // It stands above the rows, and names none of their columns.
            let above = table.rows.remove(0);
            table.others.push(above);
        } else if layout.header && !says_word {
            if table.rows.is_empty() {
                return Err("the row of column names is missing".to_owned());
            }
            let names = table.rows.remove(0);
            if names.open {
                return Err("line 1: a quote is opened and not closed".to_owned());
            }
            table.names = Some(names.cells.iter().map(|name| name.trim().to_owned()).collect());
        }
        match records {
            Some(records) if table.names.is_none() => table.places.clone_from(&records.places),
            _ => table.place(layout)?,
        }
        let columns =
            table.names.as_ref().map_or_else(|| table.rows.first().map_or(0, |row| row.cells.len()), Vec::len);
        if layout.records.is_some() {
            table.places.retain(|field, place| *place < columns || layout.required.contains(field));
        }
        if let Some((field, place)) = table.places.iter().find(|(_, place)| **place >= columns && columns > 0) {
            return Err(format!("{field} is expected in column {}, and there are only {columns}", place + 1));
        }
        table.look_at_cells(columns, records.map(|records| records.word));
        match table.bad.first() {
            Some((_, why)) if table.rows.is_empty() || table.bad.len() > MOST_BAD => {
                let others = table.bad.len() - 1;
                Err(if others == 0 { why.clone() } else { format!("{why}; and so on in {others} more rows") })
            }
            Some(_) | None => Ok(table),
        }
    }

    /// Whether the first row names columns, whatever its first cell is called: the word of the rows below it, say. It names all that
    /// must be there, and holds no number, as every row of data does.
    fn begins_with_names(&self, layout: &Layout) -> bool {
        let Some(first) = self.rows.first() else { return false };
        let titles: Vec<String> = first.cells.iter().map(|cell| folded(cell)).collect();
        let is_named = |field: &str| match layout.columns.get(field) {
            Some(Column::Named(names)) => names.iter().any(|name| titles.contains(name)),
            Some(Column::At(_)) | None => false,
        };
        let is_number = |cell: &String| self.form.number(cell.trim()).is_some();
        layout.required.iter().all(|field| is_named(field)) && !first.cells.iter().any(is_number)
    }

    fn take_trailer(&mut self, layout: &Layout) -> Result<(), String> {
        let Some(word) = &layout.trailer else { return Ok(()) };
        let cell = |record: &Record, place: usize| {
            record.cells.get(place).map_or(String::new(), |cell| cell.trim().to_owned())
        };
        let record = self
            .rows
            .pop_if(|record| !record.open && cell(record, 0) == *word)
            .ok_or_else(|| format!("the last row does not begin with {word}: the file is not complete"))?;
        let (line, said) = (record.line, cell(&record, 1));
        let data = self.rows.len().saturating_sub(usize::from(layout.header));
        if said.parse::<usize>().ok() != Some(data) {
            let said = if said.is_empty() { "nothing" } else { &said };
            return Err(format!("line {line}, column 2: the trailer counts {said} rows, and there are {data}"));
        }
        if let Some(place) = layout.trailer_sequence {
            let cell = cell(&record, place);
            let sequence = cell
                .parse()
                .map_err(|_| format!("line {line}, column {}: {cell:?} is not a sequence number", place + 1))?;
            self.sequence = Some(sequence);
        }
        Ok(())
    }

    fn place(&mut self, layout: &Layout) -> Result<(), String> {
        let titles: Vec<String> = self.names.iter().flatten().map(|title| folded(title)).collect();
        for (field, column) in &layout.columns {
            let place = match column {
                Column::At(place) => *place,
                Column::Named(names) => {
                    let Some(name) = names.iter().find(|name| titles.contains(name)) else {
                        if layout.may_lack(field, &titles) {
                            continue;
                        }
                        let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                        return Err(format!("line 1: there is no column {} (for {field})", names.join(" or ")));
                    };
                    let mut places = (0..titles.len()).filter(|place| titles.get(*place) == Some(name));
                    let place = places.next().unwrap_or_default();
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

    /// Parts the rows whose cells stand where they should from those that cannot be read. Cells that are not mapped may hold
    /// what they want. `word`: what every row says that it is.
    fn look_at_cells(&mut self, columns: usize, word: Option<&str>) {
        let mut places: Vec<usize> = self.places.values().copied().collect();
        places.sort_unstable();
        for mut record in std::mem::take(&mut self.rows) {
            let line = record.line;
            // Delimiters behind the last cell hold nothing.
            while record.cells.len() > columns && record.cells.last().is_some_and(|cell| cell.trim().is_empty()) {
                record.cells.pop();
            }
            let cells = record.cells.len();
            let kind = record.cells.first().map(|cell| cell.trim()).unwrap_or_default();
            let problem = if record.open {
                Some(format!("line {line}: a quote is opened and not closed, or a cell is longer than any real one"))
            } else if word.is_some_and(|word| word != kind) {
                self.others.push(record);
                continue;
            } else if cells > MOST_COLUMNS {
                Some(format!("line {line} has more than {MOST_COLUMNS} columns"))
            } else if cells != columns {
                Some(format!("line {line} has {cells} columns where {columns} are expected"))
            } else {
                places.iter().find_map(|place| {
                    let wrong = check_cell(record.cells.get(*place)?).err()?;
                    Some(format!("line {line}, column {}: {wrong}", place + 1))
                })
            };
            match problem {
                Some(why) => self.bad.push((record, why)),
                None => self.rows.push(record),
            }
        }
    }

    pub(crate) fn rows(&'a self) -> impl Iterator<Item = Row<'a>> {
        self.rows.iter().map(|record| Row { table: self, record })
    }

    /// Rows of which not even the cells are certain, and what is wrong with each.
    pub(super) fn bad(&'a self) -> impl Iterator<Item = (Row<'a>, &'a str)> {
        self.bad.iter().map(|(record, why)| (Row { table: self, record }, why.as_str()))
    }

    /// Rows of other kinds than are known here.
    pub(super) fn others(&self) -> Vec<SetAside> {
        let aside = |record: &Record| {
            let kind: String =
                record.cells.first().map(|cell| cell.trim()).unwrap_or_default().chars().take(60).collect();
            let why = format!("line {}, column 1: {kind:?} is not a kind of row that is known here", record.line);
            self.set_aside(&format!("line {}", record.line), &why, &[Row { table: self, record }])
        };
        self.others.iter().map(aside).collect()
    }

    /// Whether all cells of the last row stand where they should.
    pub(crate) fn last_row_is_read(&self) -> bool {
        let last = |records: &mut dyn Iterator<Item = &Record>| records.map(|record| record.line).max();
        let bad = last(&mut self.bad.iter().map(|(record, _)| record).chain(&self.others));
        last(&mut self.rows.iter()) > bad
    }

    /// Whether the last cell of the file belongs to one of these fields.
    pub(crate) fn last_cell_is_of(&self, fields: &[&str]) -> bool {
        let last = self.rows.last().and_then(|record| record.cells.len().checked_sub(1));
        fields.iter().any(|field| self.places.get(field).copied() == last && last.is_some())
    }

    /// Every row, whether it can be read or not.
    pub(crate) fn every_row(&'a self) -> impl Iterator<Item = Row<'a>> {
        self.rows().chain(self.bad().map(|(row, _)| row))
    }

    /// Whether the field is mapped.
    pub(super) fn has(&self, field: &str) -> bool {
        self.places.contains_key(field)
    }

    /// Rows that are set aside.
    pub(super) fn set_aside(&self, what: &str, why: &str, rows: &[Row<'_>]) -> SetAside {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| row.record.line);
        let text = |row: &Row<'_>| self.text.get(row.record.place.clone()).unwrap_or_default().to_owned() + "\n";
        SetAside {
            // It becomes part of a name.
            what: what.chars().take(100).collect(),
            why: why.to_owned(),
            lines: rows.iter().map(|row| row.record.line).collect(),
            text: rows.iter().map(text).collect(),
        }
    }
}

impl<'a> Row<'a> {
    /// Line of the file, from 1.
    pub(crate) fn line(self) -> u64 {
        self.record.line
    }

    /// Whether any cell is exactly this.
    pub(super) fn holds(self, text: &str) -> bool {
        self.record.cells.iter().any(|cell| cell.trim() == text)
    }

    /// The cell; `None` when it is empty or not mapped.
    pub(crate) fn text(self, field: &str) -> Option<&'a str> {
        let place = *self.table.places.get(field)?;
        self.record.cells.get(place).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
    }

    /// The cell, which must be there.
    pub(super) fn require(self, field: &str) -> Result<&'a str, String> {
        self.text(field).ok_or_else(|| self.wrong(field, "it is empty"))
    }

    /// A number in plain digits.
    pub(super) fn number(self, field: &str) -> Result<Option<Decimal>, String> {
        self.text(field)
            .map(|cell| self.table.form.number(cell).ok_or_else(|| self.wrong(field, "it is not a plain number")))
            .transpose()
    }

    /// A moment.
    pub(super) fn moment(self, field: &str) -> Result<Option<Timestamp>, String> {
        let problem = || self.wrong(field, &format!("it is not {}", self.table.form.times()));
        self.text(field).map(|cell| self.table.form.moment(cell).ok_or_else(problem)).transpose()
    }

    /// For a time that is not to be guessed, such as that of a count.
    ///
    /// # Errors
    /// Where it is a local time that was not once.
    pub(super) fn was_once(self, field: &str) -> Result<(), String> {
        let doubt = self.text(field).and_then(|cell| self.table.form.doubt(cell));
        doubt.map_or(Ok(()), |why| Err(self.wrong(field, why)))
    }

    /// Says what is wrong with a cell, and where.
    pub(super) fn wrong(self, field: &str, problem: &str) -> String {
        let column = self.table.places.get(field).map_or(0, |place| place + 1);
        let cell: String = self.text(field).unwrap_or_default().chars().take(60).collect();
        format!("line {}, column {column} ({field}): {problem}: {cell:?}", self.line())
    }
}

fn check_cell(cell: &str) -> Result<(), &'static str> {
    let cell = cell.trim();
    if cell.len() > LONGEST_CELL {
        return Err("the cell is longer than any real one (a quote may be missing)");
    }
    if cell.contains('\u{fffd}') {
        return Err("it is not in the encoding of the settings; if the warehouse writes Windows-1252, set it");
    }
    if cell.chars().any(|character| character.is_control() && character != '\t') {
        return Err("the cell holds a control character or a line break");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use encoding_rs::WINDOWS_1252;

    use super::{
        super::{form::Form, layout::Layout},
        Table,
    };

    const KNOWN: &[&str] = &["sku", "quantity", "sequence"];

    fn layout(text: &str, header: bool) -> Layout {
        Layout::parse(text, header, KNOWN, &["sku"]).unwrap()
    }

    /// The SKUs by line, and what is wrong with the other rows.
    type Read = (Vec<(u64, String)>, Vec<String>);

    fn cells(content: &[u8], layout: &Layout) -> Result<Read, String> {
        let form = Form::plain();
        let table = Table::read(content, layout, &form)?;
        let rows = table.rows().map(|row| (row.line(), row.text("sku").unwrap_or_default().to_owned())).collect();
        Ok((rows, table.bad().map(|(_, why)| why.to_owned()).collect()))
    }

    #[test]
    fn columns_are_found_by_name_or_position() {
        let by_name = layout("sku = Item No, quantity=qty", true);
        let read = cells(b"\xef\xbb\xbfQty, ITEM no \n1,A\n2, B\n", &by_name).unwrap();
        assert_eq!(read, (vec![(2, "A".into()), (3, "B".into())], vec![]));
        let by_place = layout("sku=2", false);
        assert_eq!(cells(b"1,A\r\n2,B\r\n", &by_place).unwrap().0, [(1, "A".into()), (2, "B".into())]);
        let form = Form { encoding: WINDOWS_1252, ..Form::plain() };
        let table = Table::read(b"caf\xe9,1\n", &layout("sku=1", false), &form).unwrap();
        assert_eq!(table.rows().next().unwrap().text("sku"), Some("caf\u{e9}"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_place() {
        let by_name = layout("sku=sku, quantity=qty", true);
        for (content, told) in [
            (&b""[..], "column names"),
            (b"item,qty\n", "line 1: there is no column \"sku\""),
            (b"sku,sku,qty\n", "line 1, column 2"),
            (b"\"sku,qty\nA,1\n", "line 1: a quote"),
            (b"sku,qty\nB\n", "line 2 has 1 columns where 2"),
            (b"sku,qty\nA,\0\n", "line 2, column 2"),
            (b"sku,qty\n\"A\nB\",1\n", "line 2, column 1: the cell holds a control"),
        ] {
            let problem = cells(content, &by_name).unwrap_err();
            assert!(problem.contains(told), "{:?}: {problem}", String::from_utf8_lossy(content));
        }
        let long = format!("sku,qty\n{},1\n", "x".repeat(5000));
        assert!(cells(long.as_bytes(), &by_name).unwrap_err().contains("longer"));
        assert!(cells(b"A\n", &layout("sku=3", false)).unwrap_err().contains("column 3"));
    }

    #[test]
    fn a_wrong_row_costs_no_other() {
        let by_name = layout("sku=sku, quantity=qty", true);
        let content = b"sku,qty,note\nA,1,\nB\nC,2,caf\xff \0\nD,\xff,\nE,3,,,\n\"F,4,\nG,5,\"two\nlines\"\n\"H\",6,\n";
        let (read, bad) = cells(content, &by_name).unwrap();
        let skus: Vec<&str> = read.iter().map(|(_, sku)| sku.as_str()).collect();
        assert_eq!(skus, ["A", "C", "E", "G", "H"]);
        assert_eq!(read[4].0, 10, "lines are counted through cells of several");
        let told = ["line 3 has 1 columns", "line 5, column 2", "line 7: a quote"];
        assert!(bad.len() == 3 && bad.iter().zip(told).all(|(bad, told)| bad.contains(told)), "{bad:?}");
        let hopeless = format!("sku,qty\nA,1\n{}", "B\n".repeat(60));
        assert!(cells(hopeless.as_bytes(), &by_name).unwrap_err().contains("59 more rows"));
    }

    #[test]
    fn a_trailer_is_enforced_only_when_it_is_mapped() {
        let mapped = layout("sku=sku, trailer=TRAILER, sequence=3", true);
        let form = Form::plain();
        let table = Table::read(b"sku,q\nA,1\nTRAILER,1,17\n", &mapped, &form).unwrap();
        assert_eq!((table.rows().count(), table.sequence), (1, Some(17)));
        for (content, told) in [
            (&b"sku,q\nA,1\n"[..], "not complete"),
            (b"sku,q\nA,1\nTRAILER,2,17\n", "counts 2 rows, and there are 1"),
            (b"sku,q\nTRAILER,0,17\nA,1\n", "not complete"),
            (b"sku,q\nA,1\nTRAILER,1,x\n", "line 3, column 3"),
        ] {
            let problem = Table::read(content, &mapped, &form).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
        assert_eq!(cells(b"sku\nA\n", &layout("sku=sku", true)).unwrap().0.len(), 1);
    }
}
