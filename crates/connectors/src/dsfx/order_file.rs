//! Order files: one pick header row (PH) for each order, followed by its pick detail rows (PD).
//!
//! The columns of PH version 1 up to the ship payment type, the place of the e-mail in version 2, and the PD row are
//! published (DropStream help centre, "DSFX: orders"). What stands behind the payment type is known from one sample only;
//! notes as the last field of version 2, and the facility behind them in version 3, are an assumption of this project.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Address, EffectDraft, EffectKind, PlanError, ShipmentRequest};
use encoding_rs::{Encoding, UTF_8};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Longest order number. The format names no limit; this keeps file names well below those of file systems.
const LONGEST_KEY: usize = 64;

/// Layout of the PH row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PhVersion {
    /// The base layout: 25 fields.
    One,
    /// With the customer's e-mail behind the purchase order number, and notes as the last field.
    Two,
    /// Version 2 with the facility id behind the notes.
    Three,
}

/// How orders are written.
pub(super) struct OrderFormat {
    pub(super) version: PhVersion,
    pub(super) orders_per_file: usize,
    /// Of orders that name none.
    pub(super) facility: String,
    pub(super) payment_type: String,
    pub(super) encoding: &'static Encoding,
}

/// One order of a file: the frozen body of its effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OrderRows {
    /// Name of the file it belongs to.
    pub(super) file: String,
    /// Its place in the file, from 0.
    pub(super) place: usize,
    /// Its PH row and its PD rows.
    pub(super) rows: Vec<Vec<String>>,
}

impl OrderFormat {
    /// One effect for each request, in order; as many as fit share a file.
    pub(super) fn plan(&self, requests: &[ShipmentRequest], now: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        let mut seen = BTreeSet::new();
        let mut file: Option<(String, usize)> = None;
        let mut plan = Vec::with_capacity(requests.len());
        for request in requests {
            let rows = if seen.insert(request.key.as_str()) {
                self.rows(request)
            } else {
                Err(PlanError::new(format!("order number {} is given twice", request.key)))
            };
            plan.push(rows.map(|rows| {
                let (name, place) = file
                    .take()
                    .filter(|(_, used)| *used < self.orders_per_file)
                    .unwrap_or_else(|| (file_name(&request.key, now), 0));
                file = Some((name.clone(), place + 1));
                draft(request, OrderRows { file: name, place, rows })
            }));
        }
        plan
    }

    fn rows(&self, request: &ShipmentRequest) -> Result<Vec<Vec<String>>, PlanError> {
        check_key(&request.key)?;
        if request.lines.is_empty() {
            return Err(PlanError::new("the order has no line to ship"));
        }
        let mut rows = vec![self.header(request)?];
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
            let price = line.unit_price.as_ref().map(|price| price.amount.to_string()).unwrap_or_default();
            rows.push(vec![
                "PD".to_owned(),
                request.key.clone(),
                line.line_number.to_string(),
                clean(&line.sku),
                line.quantity.normalize().to_string(),
                price,
            ]);
        }
        if self.encoding != UTF_8 {
            for cell in rows.iter().flatten() {
                if self.encoding.encode(cell).2 {
                    return Err(PlanError::new(format!(
                        "{cell:?} holds characters that {} cannot carry: change them on the order, or agree on UTF-8 with \
                         the warehouse",
                        self.encoding.name()
                    )));
                }
            }
        }
        Ok(rows)
    }

    fn header(&self, request: &ShipmentRequest) -> Result<Vec<String>, PlanError> {
        let to = &request.ship_to;
        let (name, attention) = named(to);
        let needed = |text: &str, part: &'static str| {
            let text = clean(text);
            if text.is_empty() {
                return Err(PlanError::address(
                    part,
                    format!(
                        "the {part} of the delivery address is missing, and the file format needs it: complete the order"
                    ),
                ));
            }
            Ok(text)
        };
        let country = needed(&to.country, "country")?;
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(PlanError::address("country", format!("the country {country:?} is not a two-letter code")));
        }
        // The published table calls the state required; only these countries' addresses have one everywhere.
        if ["US", "CA", "AU"].contains(&country.as_str()) {
            needed(&to.state, "state")?;
        }
        let carrier = clean(&request.ship_method.carrier);
        if carrier.is_empty() {
            return Err(PlanError::new(
                "the carrier is missing, and the file format needs it: map the shipping method to one",
            ));
        }
        let service = clean(&request.ship_method.service);
        let (bill_name, _) = named(&request.bill_to);
        let bill = &request.bill_to;
        let mut row = vec!["PH".to_owned(), request.key.clone(), clean(&request.reference)];
        if self.version != PhVersion::One {
            row.push(clean(&to.email));
        }
        row.extend([
            needed(&name, "name")?,
            needed(&to.line1, "street")?,
            clean(&to.line2),
            needed(&to.city, "town")?,
            clean(&to.state),
            needed(&to.postcode, "postcode")?,
            country,
            attention,
            clean(&to.phone),
            bill_name,
            clean(&bill.line1),
            clean(&bill.line2),
            clean(&bill.city),
            clean(&bill.state),
            clean(&bill.postcode),
            clean(&bill.country),
            if service.is_empty() { carrier } else { format!("{carrier} {service}") },
            clean(&self.payment_type),
            String::new(),
            request.placed_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            String::new(),
            String::new(),
        ]);
        if self.version != PhVersion::One {
            row.push(clean(&request.notes));
        }
        if self.version == PhVersion::Three {
            row.push(clean(request.facility.as_deref().unwrap_or(&self.facility)));
        }
        Ok(row)
    }
}

/// The bytes of a file: every field quoted, lines ended with a line feed.
///
/// # Errors
/// When a row cannot be written as CSV in the encoding.
pub(super) fn write<'a>(
    orders: impl IntoIterator<Item = &'a OrderRows>,
    encoding: &'static Encoding,
) -> Result<Vec<u8>, String> {
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::Any(b'\n'))
        .flexible(true)
        .from_writer(Vec::new());
    for row in orders.into_iter().flat_map(|order| &order.rows) {
        writer.write_record(row).map_err(|error| error.to_string())?;
    }
    let content = writer.into_inner().map_err(|error| error.to_string())?;
    if encoding == UTF_8 {
        return Ok(content);
    }
    let text = String::from_utf8(content).map_err(|error| error.to_string())?;
    let (content, _, lost) = encoding.encode(&text);
    if lost { Err(format!("the file does not fit {}", encoding.name())) } else { Ok(content.into_owned()) }
}

/// The rows of a file of orders by order number; empty when it is not one.
pub(super) fn rows_by_order(content: &[u8], encoding: &'static Encoding) -> BTreeMap<String, Vec<Vec<String>>> {
    let (text, _) = encoding.decode_without_bom_handling(content);
    let mut orders: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    for row in reader.records() {
        let Ok(row) = row else { return BTreeMap::new() };
        let cells: Vec<String> = row.iter().map(str::to_owned).collect();
        match cells.as_slice() {
            [kind, key, ..] if kind == "PH" || kind == "PD" => orders.entry(key.clone()).or_default().push(cells),
            _ => return BTreeMap::new(),
        }
    }
    orders
}

/// Whether this is a name that [`OrderFormat::plan`] gives.
pub(super) fn is_file_name(name: &str) -> bool {
    let stem = name.strip_prefix("ord_").and_then(|rest| rest.strip_suffix(".csv"));
    stem.is_some_and(|stem| !stem.is_empty() && stem.chars().all(is_key_character))
}

fn file_name(first_key: &str, now: Timestamp) -> String {
    format!("ord_{first_key}_{}.csv", now.strftime("%y%m%d%H%M%S"))
}

fn draft(request: &ShipmentRequest, order: OrderRows) -> EffectDraft {
    let lines = request.lines.len();
    EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: request.key.clone(),
        batch: Some(order.file.clone()),
        body: serde_json::json!(order).to_string(),
        numbering: None,
        title: format!(
            "Send order {} to the warehouse ({lines} {})",
            request.order_number,
            if lines == 1 { "line" } else { "lines" }
        ),
    }
}

fn is_key_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

fn check_key(key: &str) -> Result<(), PlanError> {
    if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(is_key_character) {
        return Err(PlanError::new(format!(
            "order number {key:?} may hold letters, digits, dash and underscore only, and at most {LONGEST_KEY} of them: \
             shorten the order key prefix of the connection"
        )));
    }
    Ok(())
}

/// Name and attention: a company is addressed first, the person then gets the attention.
fn named(address: &Address) -> (String, String) {
    let (company, person) = (clean(&address.company), clean(&address.name));
    if company.is_empty() || company == person { (person, String::new()) } else { (company, person) }
}

/// One line of text: whatever could begin a new line or confuse a reader becomes a space.
fn clean(text: &str) -> String {
    let odd = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.chars().map(|character| if odd(character) { ' ' } else { character }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use connect::{Address, OsRandom, RequestId, RequestLine, ShipMethod, ShipmentRequest};
    use encoding_rs::UTF_8;
    use jiff::Timestamp;
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{OrderFormat, OrderRows, PhVersion, is_file_name, write};

    fn format(version: PhVersion) -> OrderFormat {
        OrderFormat { version, orders_per_file: 50, facility: String::new(), payment_type: "P".into(), encoding: UTF_8 }
    }

    fn request(texts: &[String], quantity: rust_decimal::Decimal) -> ShipmentRequest {
        let text = |at: usize| texts.get(at).cloned().unwrap_or_default();
        let filled = |at: usize| format!("x{}", text(at));
        let now = Timestamp::UNIX_EPOCH;
        let address = Address {
            name: filled(0),
            company: text(1),
            line1: filled(2),
            line2: text(3),
            city: filled(4),
            state: text(5),
            postcode: filled(6),
            country: "GB".into(),
            phone: text(7),
            email: text(8),
        };
        ShipmentRequest {
            id: RequestId::generate(now, &OsRandom),
            key: "BPacme-O1".into(),
            order_number: text(9),
            reference: text(10),
            placed_at: now,
            deliver_on: None,
            ship_to: address.clone(),
            bill_to: address,
            ship_method: ShipMethod { carrier: filled(11), service: text(12) },
            facility: Some(text(13)),
            notes: text(14),
            lines: vec![RequestLine {
                line_number: 1,
                sku: filled(15),
                quantity,
                row_id: 1,
                product_id: 1,
                per_unit: 1.into(),
                name: text(16),
                unit_price: None,
            }],
        }
    }

    fn texts() -> impl Strategy<Value = Vec<String>> {
        let hostile = proptest::sample::select(vec![
            "\"",
            "\"\"",
            ",",
            "\r\n",
            "\n\"PH\",\"X\"",
            "\u{2028}",
            "\0",
            "=1+1",
            "~*ISA*",
            "\\",
            "\u{feff}",
            "'",
            ";",
            "\t",
        ]);
        let piece = proptest::prop_oneof![hostile.prop_map(str::to_owned), any::<String>()];
        let text = proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat());
        proptest::collection::vec(text, 17)
    }

    proptest! {
        #[test]
        fn any_text_stays_one_cell_and_makes_no_row(texts in texts(), units in 1..10_000_000_000_i64, scale in 0..8_u32) {
            for (version, columns) in [(PhVersion::One, 25), (PhVersion::Two, 27), (PhVersion::Three, 28)] {
                let quantity = rust_decimal::Decimal::new(units, scale);
                let request = request(&texts, quantity);
                let draft = format(version).plan(std::slice::from_ref(&request), Timestamp::UNIX_EPOCH).remove(0).unwrap();
                let order: OrderRows = serde_json::from_str(&draft.body).unwrap();
                prop_assert!(is_file_name(&order.file));
                let content = write([&order], UTF_8).unwrap();
                prop_assert_eq!(content.iter().filter(|byte| **byte == b'\n').count(), 2);
                prop_assert!(!content.contains(&b'\r'));
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&content[..]);
                let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
                prop_assert_eq!(rows.len(), 2);
                prop_assert_eq!(rows[0].len(), columns);
                prop_assert_eq!(rows[1].len(), 6);
                let read: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(str::to_owned).collect()).collect();
                prop_assert_eq!(&read, &order.rows);
                prop_assert!(rows[1][4].chars().all(|digit| digit.is_ascii_digit() || digit == '.'), "{}", &rows[1][4]);
                prop_assert_eq!(rows[1][4].parse::<rust_decimal::Decimal>().unwrap(), quantity);
            }
        }
    }
}
