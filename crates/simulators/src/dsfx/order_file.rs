//! Reading order files: pick header (PH) and pick detail (PD) rows.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Layout of the pick header row.
///
/// Version 1 has 25 fields, of which the first 20 (up to the ship method) must be there. Version 2 puts the customer's
/// e-mail after the purchase order number, which moves everything behind it by one, and ends with a notes field.
/// Version 3 is version 2 with the facility id as its last field. The public description fixes neither where the notes
/// stand nor how many fields lie between: *last* is this simulator's reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhVersion {
    /// The base layout.
    One,
    /// With e-mail and notes; the usual one.
    Two,
    /// With e-mail, notes and facility.
    Three,
}

/// Whether an order without a ship-to state is refused. The published table calls the field required, and also calls it
/// a postal code of the country: many countries have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateRule {
    /// Required where postal addresses carry one (US, CA, AU), free elsewhere.
    WhereUsed,
    /// Required for every country.
    Always,
}

/// Where the goods go, as the order file said it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShipTo {
    /// Recipient.
    pub name: String,
    /// First address line.
    pub address1: String,
    /// Second address line.
    pub address2: String,
    /// City.
    pub city: String,
    /// State or province.
    pub state: String,
    /// Postcode.
    pub postcode: String,
    /// Two-letter country code.
    pub country: String,
    /// For the attention of.
    pub attention: String,
    /// Telephone.
    pub telephone: String,
}

/// One pick detail row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReceivedLine {
    pub number: String,
    pub sku: String,
    pub quantity: Decimal,
    pub unit_price: Option<Decimal>,
}

/// One order of a file: its header and its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReceivedOrder {
    pub number: String,
    pub po_number: String,
    pub email: String,
    pub ship_to: ShipTo,
    pub ship_method: String,
    pub payment_type: String,
    pub notes: String,
    /// Empty means the warehouse's own default facility.
    pub facility: String,
    pub lines: Vec<ReceivedLine>,
}

/// Reads a whole file, or says in one sentence why it is refused. A file is taken whole or not at all.
pub(super) fn parse(bytes: &[u8], version: PhVersion, state_rule: StateRule) -> Result<Vec<ReceivedOrder>, String> {
    let mut orders: Vec<ReceivedOrder> = Vec::new();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    for (index, row) in reader.records().enumerate() {
        let place = index + 1;
        let row = row.map_err(|error| format!("row {place} is not readable CSV: {error}"))?;
        match row.get(0).unwrap_or_default() {
            "PH" => orders.push(header(&row, version, state_rule).map_err(|why| format!("row {place}: {why}"))?),
            "PD" => {
                let order = orders.last_mut().ok_or_else(|| format!("row {place}: PD without a PH before it"))?;
                let line = detail(&row, order).map_err(|why| format!("row {place}: {why}"))?;
                order.lines.push(line);
            }
            other => return Err(format!("row {place}: unknown record type {other:?}")),
        }
    }
    if orders.is_empty() {
        return Err("the file holds no order".to_owned());
    }
    match orders.iter().find(|order| order.lines.is_empty()) {
        Some(empty) => Err(format!("order {} has no PD row", empty.number)),
        None => Ok(orders),
    }
}

fn header(row: &csv::StringRecord, version: PhVersion, state_rule: StateRule) -> Result<ReceivedOrder, String> {
    let (shift, shortest, longest) = match version {
        PhVersion::One => (0, 20, 25),
        PhVersion::Two => (1, 22, 27),
        PhVersion::Three => (1, 23, 28),
    };
    if row.len() < shortest || row.len() > longest {
        return Err(format!("PH has {} fields, expected {shortest} to {longest}", row.len()));
    }
    // Positions count from 1, as in the published table of version 1.
    let base = |position: usize| {
        let moved = if position > 3 { position + shift } else { position };
        row.get(moved - 1).unwrap_or_default().to_owned()
    };
    let from_end =
        |places: usize| row.len().checked_sub(places).and_then(|at| row.get(at)).unwrap_or_default().to_owned();
    let required = |position: usize, name: &str| match base(position) {
        text if text.trim().is_empty() => Err(format!("PH field {name} is empty")),
        text => Ok(text),
    };
    let number = base(2);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if number.is_empty() || !number.chars().all(allowed) {
        return Err(format!("order number {number:?} may hold letters, digits, dash and underscore only"));
    }
    let country = required(10, "ship-to country")?;
    if country.len() != 2 || !country.chars().all(|c| c.is_ascii_uppercase()) {
        return Err(format!("ship-to country {country:?} is not a two-letter code"));
    }
    let wants_state = match state_rule {
        StateRule::WhereUsed => ["US", "CA", "AU"].contains(&country.as_str()),
        StateRule::Always => true,
    };
    let state = if wants_state { required(8, "ship-to state")? } else { base(8) };
    let beyond_base = version != PhVersion::One;
    Ok(ReceivedOrder {
        po_number: base(3),
        email: if beyond_base { row.get(3).unwrap_or_default().to_owned() } else { String::new() },
        ship_to: ShipTo {
            name: required(4, "ship-to name")?,
            address1: required(5, "ship-to address 1")?,
            address2: base(6),
            city: required(7, "ship-to city")?,
            state,
            postcode: required(9, "ship-to postcode")?,
            country,
            attention: base(11),
            telephone: base(12),
        },
        ship_method: required(20, "ship method")?,
        payment_type: if row.len() > 20 + shift { base(21) } else { String::new() },
        notes: match version {
            PhVersion::One => String::new(),
            PhVersion::Two => from_end(1),
            PhVersion::Three => from_end(2),
        },
        facility: match version {
            PhVersion::One | PhVersion::Two => String::new(),
            PhVersion::Three => from_end(1),
        },
        lines: Vec::new(),
        number,
    })
}

fn detail(row: &csv::StringRecord, order: &ReceivedOrder) -> Result<ReceivedLine, String> {
    if row.len() != 5 && row.len() != 6 {
        return Err(format!("PD has {} fields, expected 5 or 6", row.len()));
    }
    let field = |at: usize| row.get(at).unwrap_or_default();
    if field(1) != order.number {
        return Err(format!("PD names order {:?} under the PH of {:?}", field(1), order.number));
    }
    let number = field(2).to_owned();
    if number.is_empty() || order.lines.iter().any(|line| line.number == number) {
        return Err(format!("line number {number:?} is empty or used twice"));
    }
    if field(3).is_empty() {
        return Err("PD field SKU is empty".to_owned());
    }
    let quantity = field(4)
        .parse::<Decimal>()
        .ok()
        .filter(|quantity| *quantity > Decimal::ZERO)
        .ok_or_else(|| format!("quantity {:?} is not a number above zero", field(4)))?;
    let unit_price = match field(5) {
        "" => None,
        text => Some(text.parse::<Decimal>().map_err(|_| format!("unit price {text:?} is not a number"))?),
    };
    Ok(ReceivedLine { number, sku: field(3).to_owned(), quantity, unit_price })
}
