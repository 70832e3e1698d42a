//! Order files: one row for each line, in the columns of the map.

use std::collections::BTreeMap;

use connect::{Address, PlanError, RequestLine, ShipmentRequest};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::files::{
    exchange::Names,
    orders::{OrderFiles, OrderRows, is_key_character},
    table::{Form, entries, is_one_line, records, unquoted},
};

/// What can stand in a column.
pub(super) const FIELDS: [&str; 37] = [
    "order_number",
    "source_number",
    "reference",
    "placed_at",
    "deliver_on",
    "name",
    "company",
    "address1",
    "address2",
    "city",
    "state",
    "postcode",
    "country",
    "phone",
    "email",
    "bill_name",
    "bill_company",
    "bill_address1",
    "bill_address2",
    "bill_city",
    "bill_state",
    "bill_postcode",
    "bill_country",
    "bill_phone",
    "bill_email",
    "carrier",
    "service",
    "ship_method",
    "facility",
    "notes",
    "line_number",
    "line_count",
    "sku",
    "quantity",
    "description",
    "unit_price",
    "currency",
];
/// Without these nobody could ship it.
const REQUIRED: [&str; 8] = ["order_number", "name", "address1", "city", "postcode", "country", "sku", "quantity"];
/// Written as they are or not at all: the warehouse's answers are matched by them.
const IDENTITIES: [&str; 2] = ["order_number", "sku"];
/// Longest cell written, in bytes.
const LONGEST_CELL: usize = 4000;

/// What becomes of a text that a spreadsheet would run as a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formulas {
    /// It gets an apostrophe before it.
    Apostrophe,
    /// It is written as it is.
    Keep,
}

/// A column of an order file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    title: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Field(&'static str),
    Fixed(String),
}

/// How orders are written.
pub(super) struct OrderTable {
    pub(super) columns: Vec<Column>,
    pub(super) header: bool,
    pub(super) form: Form,
    /// Quotes around every cell, or only around those that need them.
    pub(super) quote_all: bool,
    pub(super) line_end: &'static str,
    pub(super) formulas: Formulas,
    pub(super) names: Names,
    pub(super) orders_per_file: usize,
    /// Of orders that name none.
    pub(super) facility: String,
}

/// Reads the columns of order files, `title=field or "fixed text", …`, in their order.
///
/// # Errors
/// What is wrong with the text, for the person who gave it.
pub(super) fn columns(text: &str) -> Result<Vec<Column>, String> {
    let mut columns: Vec<Column> = Vec::new();
    for part in entries(text) {
        let mut quoted = false;
        let parted = part.split_once(|character| {
            quoted ^= character == '"';
            character == '=' && !quoted
        });
        let (title, value) = parted
            .map(|(title, value)| (unquoted(title.trim()).to_owned(), value.trim()))
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| format!("{part:?} is not of the form title=field"))?;
        let value = match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            Some(fixed) if fixed.chars().all(is_one_line) => Value::Fixed(fixed.to_owned()),
            Some(_) => return Err(format!("{title}: a fixed text must stand on one line")),
            None => Value::Field(FIELDS.into_iter().find(|field| *field == value).ok_or_else(|| {
                format!(
                    "{title}: {value:?} is not a field here; there are: {}. A fixed text stands in double quotes",
                    FIELDS.join(", ")
                )
            })?),
        };
        if title.is_empty() || !title.chars().all(is_one_line) {
            return Err(format!("{part:?} gives the column no title"));
        }
        columns.push(Column { title, value });
    }
    let has = |field: &str| columns.iter().any(|column| column.value == Value::Field(known(field)));
    match REQUIRED.iter().find(|field| !has(field)) {
        Some(missing) => Err(format!("{missing} must be in a column")),
        None => Ok(columns),
    }
}

/// Whether titles and fixed texts can be written as they are: each of them would be wrong in every file.
///
/// # Errors
/// Which of them cannot, for the person who gave it.
pub(super) fn can_be_written(columns: &[Column], header: bool, form: &Form) -> Result<(), String> {
    for column in columns {
        let title = header.then_some(("the title", &column.title));
        let fixed = match &column.value {
            Value::Fixed(text) => Some(("the fixed text", text)),
            Value::Field(_) => None,
        };
        for (what, text) in title.into_iter().chain(fixed) {
            if form.quote.is_none() && text.contains(form.delimiter) {
                return Err(format!(
                    "{}: {what} {text:?} holds the mark between cells, and nothing is quoted, so it would be two cells: change \
                     the text, the mark, or the quotes",
                    column.title
                ));
            }
            if !form.carries(text) {
                return Err(format!(
                    "{}: {what} {text:?} holds characters that {} cannot carry",
                    column.title,
                    form.encoding.name()
                ));
            }
        }
    }
    Ok(())
}

/// The field itself, from its name.
fn known(name: &str) -> &'static str {
    FIELDS.into_iter().find(|field| *field == name).unwrap_or_default()
}

impl OrderTable {
    fn has(&self, field: &str) -> bool {
        self.columns.iter().any(|column| column.value == Value::Field(known(field)))
    }

    /// What must be there before anything is written, where a column asks for it.
    fn check(&self, request: &ShipmentRequest) -> Result<(), PlanError> {
        if request.lines.is_empty() {
            return Err(PlanError::new("the order has no line to ship"));
        }
        for line in &request.lines {
            if line.sku.trim().is_empty() {
                return Err(PlanError::new(format!("line {} has no SKU", line.line_number)));
            }
            if line.quantity <= Decimal::ZERO {
                return Err(PlanError::new(format!(
                    "line {} asks for {}: there must be something to ship",
                    line.line_number, line.quantity
                )));
            }
        }
        let to = &request.ship_to;
        let name = if to.name.trim().is_empty() { &to.company } else { &to.name };
        for (part, text) in [
            ("name", name),
            ("street", &to.line1),
            ("town", &to.city),
            ("postcode", &to.postcode),
            ("country", &to.country),
        ] {
            if clean(text).is_empty() {
                return Err(PlanError::address(
                    part,
                    format!(
                        "the {part} of the delivery address is missing, and the warehouse needs it: complete the order"
                    ),
                ));
            }
        }
        let country = to.country.trim();
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(PlanError::address("country", format!("the country {country:?} is not a two-letter code")));
        }
        if (self.has("carrier") || self.has("ship_method")) && request.ship_method.carrier.trim().is_empty() {
            return Err(PlanError::new("the carrier is missing: map the shipping method to one of the warehouse's"));
        }
        Ok(())
    }

    /// A text as it is written: one line, no formula, in the encoding.
    fn cell(&self, field: &str, text: &str) -> Result<String, PlanError> {
        let mut cell = clean(text);
        let is_identity = IDENTITIES.contains(&field);
        let kept = |reason: &str| {
            PlanError::new(format!(
                "the {field} {text:?} cannot be written as it is in the warehouse's files: {reason}"
            ))
        };
        if is_identity && cell != text.trim() {
            return Err(kept("it holds a line break or a control character"));
        }
        if self.form.quote.is_none() && cell.contains(self.form.delimiter) {
            if is_identity {
                return Err(kept("it holds the delimiter, and nothing is quoted there"));
            }
            cell = cell.replace(self.form.delimiter, " ");
        }
        if self.formulas == Formulas::Apostrophe && is_formula(&cell) {
            if is_identity {
                return Err(kept(
                    "a spreadsheet would run it as a formula; map it to another one, or let formulas pass",
                ));
            }
            cell.insert(0, '\'');
        }
        if cell.len() > LONGEST_CELL {
            return Err(PlanError::new(format!("the {field} has more than {LONGEST_CELL} characters: shorten it")));
        }
        if !self.form.carries(&cell) {
            return Err(PlanError::new(format!(
                "the {field} {cell:?} holds characters that {} cannot carry: change them on the order, or agree on UTF-8 with \
                 the warehouse",
                self.form.encoding.name()
            )));
        }
        Ok(cell)
    }

    fn value(&self, field: &str, request: &ShipmentRequest, line: &RequestLine) -> String {
        if let Some(text) = address(field, &request.ship_to) {
            return text;
        }
        if let Some(text) = field.strip_prefix("bill_").and_then(|part| address(part, &request.bill_to)) {
            return text;
        }
        let (carrier, service) = (request.ship_method.carrier.trim(), request.ship_method.service.trim());
        match field {
            "order_number" => request.key.clone(),
            "source_number" => request.order_number.clone(),
            "reference" => request.reference.clone(),
            "placed_at" => self.form.time(request.placed_at),
            "deliver_on" => request.deliver_on.map(|at| self.form.wanted(at)).unwrap_or_default(),
            "carrier" => carrier.to_owned(),
            "service" => service.to_owned(),
            "ship_method" => format!("{carrier} {service}"),
            "facility" => request.facility.clone().unwrap_or_else(|| self.facility.clone()),
            "notes" => request.notes.clone(),
            "line_number" => line.line_number.to_string(),
            "line_count" => request.lines.len().to_string(),
            "sku" => line.sku.clone(),
            "quantity" => self.form.written(line.quantity),
            "description" => line.name.clone(),
            "unit_price" => line.unit_price.as_ref().map(|price| self.form.written(price.amount)).unwrap_or_default(),
            "currency" => line.unit_price.as_ref().map(|price| price.currency.clone()).unwrap_or_default(),
            _ => String::new(),
        }
    }

    fn line_of<'t>(&self, cells: impl Iterator<Item = &'t str>) -> String {
        let written: Vec<String> = cells.map(|cell| self.quoted(cell)).collect();
        written.join(&self.form.delimiter.to_string()) + self.line_end
    }

    fn quoted(&self, cell: &str) -> String {
        let Some(quote) = self.form.quote else { return cell.to_owned() };
        let needed = cell.contains([quote, self.form.delimiter]) || cell.starts_with(' ');
        if self.quote_all || needed {
            let doubled = cell.replace(quote, &format!("{quote}{quote}"));
            format!("{quote}{doubled}{quote}")
        } else {
            cell.to_owned()
        }
    }
}

impl OrderFiles for OrderTable {
    fn rows(&self, request: &ShipmentRequest) -> Result<Vec<Vec<String>>, PlanError> {
        self.check(request)?;
        let mut rows = Vec::with_capacity(request.lines.len());
        for line in &request.lines {
            let mut row = Vec::with_capacity(self.columns.len());
            for column in &self.columns {
                row.push(match &column.value {
                    Value::Fixed(text) => text.clone(),
                    Value::Field(field) => self.cell(field, &self.value(field, request, line))?,
                });
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn name(&self, first_key: &str, now: Timestamp) -> String {
        let Names { before, after, .. } = &self.names;
        format!("{before}{first_key}_{}{after}", now.strftime("%y%m%d%H%M%S"))
    }

    fn is_name(&self, name: &str) -> bool {
        let Names { before, after, .. } = &self.names;
        let stem = name.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
        stem.is_some_and(|stem| !stem.is_empty() && stem.chars().all(is_key_character))
    }

    fn most(&self) -> usize {
        self.orders_per_file
    }

    fn write(&self, orders: &[&OrderRows]) -> Result<Vec<u8>, String> {
        let mut text = String::new();
        if self.header {
            text.push_str(&self.line_of(self.columns.iter().map(|column| column.title.as_str())));
        }
        for row in orders.iter().flat_map(|order| &order.rows) {
            text.push_str(&self.line_of(row.iter().map(String::as_str)));
        }
        self.form.encode(text)
    }

    fn by_order(&self, content: &[u8]) -> BTreeMap<String, Vec<Vec<String>>> {
        let key = self.columns.iter().position(|column| column.value == Value::Field("order_number"));
        let mut orders: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for record in records(&self.form.decode(content), &self.form).into_iter().skip(usize::from(self.header)) {
            let Some(key) = key.and_then(|place| record.cells.get(place)).filter(|_| !record.open) else {
                return BTreeMap::new();
            };
            orders.entry(key.clone()).or_default().push(record.cells);
        }
        orders
    }
}

fn address(part: &str, of: &Address) -> Option<String> {
    Some(match part {
        // Where no person is named the company is whom it goes to.
        "name" if of.name.trim().is_empty() => of.company.clone(),
        "name" => of.name.clone(),
        "company" => of.company.clone(),
        "address1" => of.line1.clone(),
        "address2" => of.line2.clone(),
        "city" => of.city.clone(),
        "state" => of.state.clone(),
        "postcode" => of.postcode.clone(),
        "country" => of.country.clone(),
        "phone" => of.phone.clone(),
        "email" => of.email.clone(),
        _ => return None,
    })
}

/// One line of text: whatever could begin a new line or confuse a reader becomes a space.
fn clean(text: &str) -> String {
    let spaced = |character: char| if is_one_line(character) { character } else { ' ' };
    text.chars().map(spaced).collect::<String>().trim().to_owned()
}

/// Whether a spreadsheet would run it: numbers with a sign, telephone numbers among them, are none.
fn is_formula(cell: &str) -> bool {
    let Some(first) = cell.chars().next() else { return false };
    let harmless = |rest: &str| rest.chars().all(|one| one.is_ascii_digit() || " .,()-/".contains(one));
    match first {
        '=' | '@' | '\u{ff1d}' | '\u{ff20}' | '\u{ff0b}' | '\u{ff0d}' => true,
        '+' | '-' => !harmless(cell.get(1..).unwrap_or_default()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use connect::{Settings, ShipmentRequest};
    use jiff::Timestamp;
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{super::settings::Config, OrderFiles as _, OrderTable, columns, is_formula};
    use crate::files::{orders::OrderRows, sample::example};

    fn table(more: &[(&str, &str)]) -> OrderTable {
        let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
        values.extend_from_slice(more);
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Config::new(&Settings { values, ..Settings::default() }).unwrap_or_else(|error| panic!("{error}")).orders
    }

    #[test]
    fn what_is_wrong_with_the_columns_is_told() {
        let whole = "o=order_number,n=name,a=address1,c=city,p=postcode,y=country,s=sku,q=quantity";
        assert_eq!(columns(whole).unwrap().len(), 8);
        assert_eq!(columns(&format!("{whole},\"a, b\"=\"x=1, y\"")).unwrap()[8].title, "a, b");
        for (text, told) in [
            ("", "order_number must be"),
            ("o=order_number", "name must be in a column"),
            ("o", "title=field"),
            ("o=", "title=field"),
            ("=sku", "no title"),
            ("o=colour", "not a field here"),
        ] {
            let problem = columns(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn a_text_of_the_settings_that_would_be_two_cells_is_refused() {
        let whole = "o=order_number,n=name,a=address1,c=city,p=postcode,y=country,s=sku,q=quantity";
        let tried = |more: &str, set: &[(&str, &str)]| {
            let columns = format!("{whole},{more}");
            let mut values =
                vec![("transport", "folder"), ("folder", "/srv/exchange"), ("order_columns", columns.as_str())];
            values.extend_from_slice(set);
            let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Config::new(&Settings { values, ..Settings::default() }).map(|_| ()).map_err(|error| error.to_string())
        };
        let bare = [("quote", "none"), ("delimiter", "pipe")];
        let headless = [("quote", "none"), ("delimiter", "pipe"), ("order_has_header", "false")];
        for (more, set) in [("f=\"a|b\"", &bare[..]), ("\"x|y\"=notes", &bare), ("f=\"a|b\"", &headless)] {
            let problem = tried(more, set).unwrap_err();
            assert!(problem.contains("order_columns") && problem.contains("two cells"), "{more}: {problem}");
        }
        // A title that is not written, another mark, and quotes around it.
        for (more, set) in [
            ("\"x|y\"=notes", &headless[..]),
            ("f=\"a;b\",\"x;y\"=notes", &bare),
            ("f=\"a|b\",\"x|y\"=notes", &[("delimiter", "pipe")]),
        ] {
            assert_eq!(tried(more, set), Ok(()), "{more}");
        }
        assert!(tried("f=\"\u{6771}\"", &[("encoding", "windows-1252")]).unwrap_err().contains("cannot carry"));
    }

    #[test]
    fn formulas_are_told_from_numbers() {
        for cell in ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd", "\u{ff1d}1+1"] {
            assert!(is_formula(cell), "{cell}");
        }
        for cell in ["", "-5", "+44 (113) 000-000", "1=1", "a@b.example", "- 3", "x"] {
            assert!(!is_formula(cell), "{cell}");
        }
    }

    #[test]
    fn a_text_is_written_so_that_it_harms_nobody() {
        let mut order = example();
        order.ship_to.line2 = "=HYPERLINK(\"http://127.0.0.1/\")".to_owned();
        order.notes = "first\r\nsecond\u{2028}third".to_owned();
        order.ship_to.phone = "+44 113 000 0000".to_owned();
        let written = |more: &[(&str, &str)], order: &ShipmentRequest| {
            let table = table(more);
            let rows = table.rows(order)?;
            let order = OrderRows { file: String::new(), place: 0, rows };
            Ok::<String, connect::PlanError>(String::from_utf8(table.write(&[&order]).unwrap()).unwrap())
        };
        let for_people = [("formulas", "apostrophe")];
        let text = written(&for_people, &order).unwrap();
        assert!(text.contains("\"'=HYPERLINK(\"\"http://127.0.0.1/\"\")\""), "{text}");
        assert!(text.contains("\"first  second third\"") && text.contains("\"+44 113 000 0000\""), "{text}");
        assert!(written(&[], &order).unwrap().contains("\"=HYPERLINK"));
        // Where nothing is quoted, a text gives way, and what orders are matched by does not.
        let bare = [("quote", "none"), ("delimiter", "semicolon")];
        order.notes = "a;b".to_owned();
        assert!(written(&bare, &order).unwrap().contains(";a b;"));
        order.lines[0].sku = "A;B".to_owned();
        assert!(written(&bare, &order).unwrap_err().why.contains("delimiter"));
        order.lines[0].sku = "=A".to_owned();
        assert!(written(&for_people, &order).unwrap_err().why.contains("formula"));
        order.lines[0].sku = "A\nB".to_owned();
        assert!(written(&[], &order).unwrap_err().why.contains("line break"));
        order.lines[0].sku = "A".to_owned();
        order.notes = "\u{6771}\u{4eac}".to_owned();
        assert!(written(&[("encoding", "windows-1252")], &order).unwrap_err().why.contains("cannot carry"));
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let hostile = proptest::sample::select(vec![
            "\"", "\"\"", ",", "\r\n", "\n\"x\"", "\u{2028}", "\0", "=1+1", "\\", "\u{feff}", "'", ";", "\t", "|", " ",
        ]);
        let piece = proptest::prop_oneof![hostile.prop_map(str::to_owned), any::<String>()];
        let text = proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat());
        proptest::collection::vec(text, 9)
    }

    proptest! {
        #[test]
        fn any_text_stays_one_cell_and_makes_no_row(
            texts in texts(), delimiter in 0..4_usize, quote in 0..3_usize, all in any::<bool>(), header in any::<bool>(),
        ) {
            let table = table(&[
                ("delimiter", ["comma", "semicolon", "tab", "pipe"][delimiter]),
                ("quote", ["double", "single", "none"][quote]),
                ("quoting", if all { "all" } else { "needed" }),
                ("order_has_header", if header { "true" } else { "false" }),
            ]);
            let mut order = example();
            let text = |at: usize| texts[at].clone();
            order.reference = text(0);
            order.ship_to.name = format!("x{}", text(1));
            order.ship_to.company = text(2);
            order.ship_to.line1 = format!("x{}", text(3));
            order.ship_to.line2 = text(4);
            order.ship_to.phone = text(5);
            order.notes = text(6);
            order.lines[0].name = text(7);
            order.ship_method.service = text(8);
            let rows = table.rows(&order).unwrap();
            let lines = rows.len();
            let file = OrderRows { file: table.name(&order.key, Timestamp::UNIX_EPOCH), place: 0, rows };
            prop_assert!(table.is_name(&file.file));
            let content = table.write(&[&file]).unwrap();
            prop_assert_eq!(content.iter().filter(|byte| **byte == b'\n').count(), lines + usize::from(header));
            let read = table.by_order(&content);
            prop_assert_eq!(read.get(&order.key), Some(&file.rows));
            prop_assert_eq!(read.len(), 1);
        }
    }
}
