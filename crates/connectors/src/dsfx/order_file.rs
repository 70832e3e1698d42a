//! Order files: one pick header row (PH) for each order, followed by its pick detail rows (PD).
//!
//! The columns of PH version 1 up to the ship payment type, the place of the e-mail in version 2, and the PD row are
//! published (DropStream help centre, "DSFX: orders"). What stands behind the payment type is known from one sample only;
//! notes as the last field of version 2, and the facility behind them in version 3, are an assumption of this project.

use std::collections::BTreeMap;

use connect::{Address, PlanError, ShipmentRequest};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::files::{
    orders::{OrderFiles, OrderRows, is_key_character},
    table::{Form, is_one_line},
};

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
    pub(super) form: Form,
}

impl OrderFiles for OrderFormat {
    fn rows(&self, request: &ShipmentRequest) -> Result<Vec<Vec<String>>, PlanError> {
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
        if let Some(cell) = rows.iter().flatten().find(|cell| !self.form.carries(cell)) {
            return Err(PlanError::new(format!(
                "{cell:?} holds characters that {} cannot carry: change them on the order, or agree on UTF-8 with the warehouse",
                self.form.encoding.name()
            )));
        }
        Ok(rows)
    }

    fn name(&self, first_key: &str, now: Timestamp) -> String {
        format!("ord_{first_key}_{}.csv", now.strftime("%y%m%d%H%M%S"))
    }

    fn is_name(&self, name: &str) -> bool {
        let stem = name.strip_prefix("ord_").and_then(|rest| rest.strip_suffix(".csv"));
        stem.is_some_and(|stem| !stem.is_empty() && stem.chars().all(is_key_character))
    }

    fn most(&self) -> usize {
        self.orders_per_file
    }

    /// Every field quoted, lines ended with a line feed.
    fn write(&self, orders: &[&OrderRows]) -> Result<Vec<u8>, String> {
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            .from_writer(Vec::new());
        for row in orders.iter().flat_map(|order| &order.rows) {
            writer.write_record(row).map_err(|error| error.to_string())?;
        }
        let content = writer.into_inner().map_err(|error| error.to_string())?;
        self.form.encode(String::from_utf8(content).map_err(|error| error.to_string())?)
    }

    fn by_order(&self, content: &[u8]) -> BTreeMap<String, Vec<Vec<String>>> {
        let text = self.form.decode(content);
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
}

impl OrderFormat {
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

/// Name and attention: a company is addressed first, the person then gets the attention.
fn named(address: &Address) -> (String, String) {
    let (company, person) = (clean(&address.company), clean(&address.name));
    if company.is_empty() || company == person { (person, String::new()) } else { (company, person) }
}

/// One line of text: whatever could begin a new line or confuse a reader becomes a space.
fn clean(text: &str) -> String {
    let spaced = |character: char| if is_one_line(character) { character } else { ' ' };
    text.chars().map(spaced).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use connect::{Address, OsRandom, RequestId, RequestLine, ShipMethod, ShipmentRequest};
    use jiff::Timestamp;
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

    use super::{OrderFiles as _, OrderFormat, OrderRows, PhVersion};
    use crate::files::{orders::plan, table::Form};

    fn format(version: PhVersion) -> OrderFormat {
        OrderFormat {
            version,
            orders_per_file: 50,
            facility: String::new(),
            payment_type: "P".into(),
            form: Form::plain(),
        }
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
                let format = format(version);
                let draft = plan(&format, std::slice::from_ref(&request), Timestamp::UNIX_EPOCH).remove(0).unwrap();
                let order: OrderRows = serde_json::from_str(&draft.body).unwrap();
                prop_assert!(format.is_name(&order.file));
                let content = format.write(&[&order]).unwrap();
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
