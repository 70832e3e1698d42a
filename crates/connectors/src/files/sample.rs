//! How a sample file would be read with the settings of a connector, and how an order would be written.

use connect::{
    Address, Money, Random, RequestId, RequestLine, Sample, SampleKind, ShipMethod, ShipmentRequest, Shown, ShownRow,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    exchange::Incoming,
    orders::{OrderFiles, OrderRows},
    outbox::Complete,
    table::{Layout, SetAside, Table},
};

/// Most rows that are shown.
const MOST_ROWS: usize = 50;
/// Most shipments or figures that are told, and most problems.
const MOST_TOLD: usize = 50;

/// Shows a sample.
pub(crate) fn show(sample: &Sample<'_>, incoming: &Incoming, orders: &impl OrderFiles) -> Shown {
    let mut shown = Shown { order: order(orders), ..Shown::default() };
    let (layout, name_fits) = match sample.kind {
        SampleKind::Shipments => (&incoming.shipments.layout, incoming.is_shipments(sample.name)),
        SampleKind::Stock => (&incoming.stock.layout, incoming.is_stock(sample.name)),
    };
    shown.name_fits = name_fits;
    let bad = match sample.kind {
        SampleKind::Shipments => shipments(sample, incoming, &mut shown),
        SampleKind::Stock => stock(sample, incoming, &mut shown),
    };
    match Table::read(sample.content, layout, &incoming.form) {
        Ok(table) => rows(&table, layout, &bad, &mut shown),
        // What is wrong has been told; the first row helps to mend the map.
        Err(_) => shown.titles = first_row(sample.content, incoming),
    }
    shown
}

fn shipments(sample: &Sample<'_>, incoming: &Incoming, shown: &mut Shown) -> Vec<SetAside> {
    match incoming.shipped(&complete(sample)) {
        Ok(read) => {
            for shipment in read.shipments.iter().take(MOST_TOLD) {
                let units: Decimal = shipment.lines().map(|line| line.quantity).sum();
                let goods = match shipment.whole {
                    true => "all of it that had not left before".to_owned(),
                    false => format!("{units} units of {} lines", shipment.lines().count()),
                };
                shown.found.push(format!(
                    "order {}: shipment {}, {goods} in {} boxes, left {}{}{}",
                    shipment.key,
                    shipment.reference,
                    shipment.packages.len(),
                    shipment.shipped_at,
                    shipment.tracking_numbers().iter().map(|number| format!(", {number}")).collect::<String>(),
                    if shipment.is_final { "; nothing more will come" } else { "" }
                ));
            }
            shown
                .found
                .extend(read.cancelled.iter().take(MOST_TOLD).map(|key| format!("order {key}: nothing will leave")));
            let aside: Vec<SetAside> = read.bad.into_iter().chain(read.others).collect();
            told(&aside, shown);
            aside
        }
        Err(why) => {
            shown.problems.push(why);
            Vec::new()
        }
    }
}

fn stock(sample: &Sample<'_>, incoming: &Incoming, shown: &mut Shown) -> Vec<SetAside> {
    match incoming.counted(&complete(sample)) {
        Ok(read) => {
            shown.found.push(format!("{} figures as of {}", read.feed.levels.len(), read.feed.cut_off));
            for level in read.feed.levels.iter().take(MOST_TOLD) {
                let figure = |name: &str, units: Option<Decimal>| {
                    units.map(|units| format!(", {name} {units}")).unwrap_or_default()
                };
                let facility = level.facility.as_ref().map(|at| format!(" in {at}")).unwrap_or_default();
                let (available, physical) = (figure("available", level.available), figure("on hand", level.physical));
                shown.found.push(format!("{}{facility}{available}{physical}", level.sku));
            }
            let aside: Vec<SetAside> = read.bad.into_iter().chain(read.others).collect();
            told(&aside, shown);
            aside
        }
        Err(why) => {
            shown.problems.push(why);
            Vec::new()
        }
    }
}

fn complete(sample: &Sample<'_>) -> Complete {
    Complete { name: sample.name.to_owned(), modified: Some(sample.written_at), content: sample.content.to_vec() }
}

fn told(bad: &[SetAside], shown: &mut Shown) {
    let one = |bad: &SetAside| match bad.why.starts_with(&bad.what) {
        true => bad.why.clone(),
        false => format!("{}: {}", bad.what, bad.why),
    };
    shown.problems.extend(bad.iter().take(MOST_TOLD).map(one));
    if bad.len() > MOST_TOLD {
        shown.problems.push(format!("and {} more like these", bad.len() - MOST_TOLD));
    }
}

fn rows(table: &Table<'_>, layout: &Layout, bad: &[SetAside], shown: &mut Shown) {
    shown.titles = table.names.clone().unwrap_or_default();
    let why = |line: u64| bad.iter().find(|bad| bad.lines.contains(&line)).map(|bad| bad.why.clone());
    let mut all: Vec<ShownRow> = table
        .every_row()
        .map(|row| {
            let cell = |field: &'static str| Some((field.to_owned(), row.text(field)?.to_owned()));
            ShownRow { line: row.line(), fields: layout.fields().filter_map(cell).collect(), problem: why(row.line()) }
        })
        .collect();
    all.sort_by_key(|row| row.line);
    shown.more_rows = all.len().saturating_sub(MOST_ROWS);
    all.truncate(MOST_ROWS);
    shown.rows = all;
}

fn first_row(content: &[u8], incoming: &Incoming) -> Vec<String> {
    let text = incoming.form.decode(content.get(..content.len().min(64 * 1024)).unwrap_or_default());
    let first = super::table::records(&text, &incoming.form).into_iter().next();
    first.map(|record| record.cells.into_iter().map(|cell| cell.trim().to_owned()).collect()).unwrap_or_default()
}

fn order(orders: &impl OrderFiles) -> String {
    let written = orders.rows(&example()).map_err(|problem| problem.to_string()).and_then(|rows| {
        let order = OrderRows { file: String::new(), place: 0, rows };
        orders.write(&[&order])
    });
    match written {
        Ok(content) => String::from_utf8_lossy(&content).into_owned(),
        Err(problem) => problem,
    }
}

/// An order that shows what there is to write.
pub(crate) fn example() -> ShipmentRequest {
    let at = Timestamp::from_second(1_795_415_400).unwrap_or(Timestamp::UNIX_EPOCH);
    let address = Address {
        name: "Jane Doe".to_owned(),
        company: "Doe Ltd".to_owned(),
        line1: "1 High St".to_owned(),
        line2: "Flat 2, rear".to_owned(),
        city: "Leeds".to_owned(),
        state: "West Yorkshire".to_owned(),
        postcode: "LS1 1AA".to_owned(),
        country: "GB".to_owned(),
        phone: "+44 113 000 0000".to_owned(),
        email: "jane@example.test".to_owned(),
    };
    let line = |line_number: u32, sku: &str, quantity: i64, pence: i64| RequestLine {
        line_number,
        sku: sku.to_owned(),
        quantity: quantity.into(),
        row_id: i64::from(line_number),
        product_id: i64::from(line_number),
        per_unit: Decimal::ONE,
        name: format!("Goods {sku}"),
        unit_price: Some(Money { currency: "GBP".to_owned(), amount: Decimal::new(pence, 2) }),
    };
    ShipmentRequest {
        id: RequestId::generate(at, &Nothing),
        key: "BPexample-O100001".to_owned(),
        order_number: "100001".to_owned(),
        reference: "PO4500".to_owned(),
        placed_at: at,
        deliver_on: None,
        ship_to: address.clone(),
        bill_to: address,
        ship_method: ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() },
        facility: None,
        notes: "Leave with neighbour".to_owned(),
        lines: vec![line(1, "SKU-A", 5, 1000), line(2, "SKU-B", 3, 450)],
    }
}

/// Draws nothing: the example is always the same.
struct Nothing;

impl Random for Nothing {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use connect::{Sample, SampleKind, Settings, Shown};
    use jiff::Timestamp;

    fn shown(kind: SampleKind, more: &[(&str, &str)], name: &str, content: &str) -> Shown {
        let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
        values.extend_from_slice(more);
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let sample = Sample { kind, name, content: content.as_bytes(), written_at: Timestamp::UNIX_EPOCH };
        crate::csv::SPEC.show.unwrap()(&Settings { values, ..Settings::default() }, &sample).unwrap()
    }

    const MAP: [(&str, &str); 4] = [
        ("shipment_columns", "order_number=Order, shipment_id=Despatch, shipped_at=Date, sku=Item, quantity=Qty"),
        ("shipment_files", "despatch*.csv"),
        ("delimiter", "semicolon"),
        ("dates", "DD/MM/YYYY"),
    ];

    #[test]
    fn a_sample_is_shown_as_it_would_be_read() {
        let content =
            "Order;Despatch;Date;Item;Qty\nA;D1;23/11/2026;SKU-A;2\nB;D2;11/23/2026;SKU-A;1\nC;D3;24/11/2026;SKU-B;\n";
        let read = shown(SampleKind::Shipments, &MAP, "Despatch 7.CSV", content);
        assert!(read.name_fits);
        assert_eq!(read.titles, ["Order", "Despatch", "Date", "Item", "Qty"]);
        assert_eq!(read.rows.len(), 3);
        assert_eq!(read.rows[0].fields["shipment_id"], "D1");
        assert!(read.rows[1].problem.as_ref().unwrap().contains("DD/MM/YYYY"), "{:?}", read.rows[1]);
        assert_eq!(read.rows[0].problem, None);
        assert!(
            read.found.len() == 1 && read.found[0].starts_with("order A: shipment D1, 2 units"),
            "{:?}",
            read.found
        );
        assert!(read.problems.len() == 2 && read.problems[1].starts_with("C-D3: line 4"), "{:?}", read.problems);
        assert!(
            read.order.starts_with("\"order_number\";") && read.order.contains("BPexample-O100001"),
            "{}",
            read.order
        );
    }

    #[test]
    fn a_map_that_does_not_fit_is_told_with_what_is_there() {
        let read = shown(SampleKind::Shipments, &MAP, "x.txt", "Order,Despatch,Date\nA,D1,x\n");
        assert!(!read.name_fits && read.found.is_empty());
        assert_eq!(read.titles, ["Order,Despatch,Date"], "the delimiter is wrong, and that can be seen");
        assert!(read.problems[0].contains("there is no column"), "{:?}", read.problems);
        let read = shown(SampleKind::Stock, &[], "inv_1.csv", "sku,available\nA,5\nB,many\n");
        assert_eq!(read.found, ["1 figures as of 1970-01-01T00:00:00Z", "A, available 5"]);
        assert!(read.problems[0].contains("line 3, column 2"), "{:?}", read.problems);
    }
}
