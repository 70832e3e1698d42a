//! Shipment files: one row for each line in each box.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Package, PackageLine, ShipMethod, Shipment};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::read::{Row, SetAside, Table};

/// What can be mapped.
pub(crate) const FIELDS: &[&str] = &[
    "order_number",
    "shipment_id",
    "shipped_at",
    "carrier",
    "service",
    "package_number",
    "tracking_number",
    "line_number",
    "sku",
    "quantity",
    "lot",
    "serial",
    "status",
];

/// What a file of shipments says.
#[derive(Debug, Default)]
pub(crate) struct Shipped {
    pub(crate) shipments: Vec<Shipment>,
    /// Orders of which nothing will leave.
    pub(crate) cancelled: Vec<String>,
    /// What cannot be used, shipment by shipment.
    pub(crate) bad: Vec<SetAside>,
    /// Rows of other kinds.
    pub(crate) others: Vec<SetAside>,
}

/// Where a file comes from.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) content_hash: String,
    pub(crate) written_at: Option<Timestamp>,
}

impl Source<'_> {
    /// What a shipment is called that its row does not name: read again, the file says the same, and what another file says is
    /// another shipment, though it may say no other thing. It is made of the file alone, so that a hub that lost its memory makes
    /// the same of it.
    fn identity(&self) -> String {
        format!("{}-{}", self.name, self.content_hash.get(..12).unwrap_or_default())
    }
}

/// The rows of one shipment.
struct Group<'a> {
    order: &'a str,
    id: String,
    rows: Vec<Row<'a>>,
    wrong: Option<String>,
}

/// What the rows of a shipment say.
enum Said {
    Left(Shipment),
    Cancelled,
    Nothing,
}

/// What belongs to goods, and says nothing where a file names none.
pub(crate) const OF_GOODS: &[&str] = &["line_number", "quantity", "lot", "serial", "status"];

/// The shipments of a file, in order of first appearance. Rows are grouped by order number and shipment id; where the map
/// names no shipment id, by order number and time, which are then the shipment's identity; where it names no time either, by
/// order number and tracking number, and without a tracking number by order and file ([`Source::identity`]). What has no time left
/// when the file was written. Boxes are told apart by
/// package number, else by tracking number. Serial numbers in one cell are separated by `;`. A row of quantity 0 says that nothing of
/// a line left, and adds nothing. Where the map names no SKU, a row is a box with all of its order that had not left before; the
/// order is then its own identity where neither id nor time is named. A status among `closed`, in lower case, says that nothing more
/// of the order will come.
///
/// A shipment with a row that is wrong is set aside whole, since half of it would pass for all; so is one that a row with
/// uncertain cells may belong to. The others of the file are read.
pub(crate) fn read(table: &Table<'_>, closed: &[String], source: &Source<'_>) -> Shipped {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut loose: Vec<(Row<'_>, String)> = table.bad().map(|(row, why)| (row, why.to_owned())).collect();
    for row in table.rows() {
        match identity(table, row, source) {
            Ok((order, id)) => {
                let place = *places.entry((order, id.clone())).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Group { order, id, rows: Vec::new(), wrong: None });
                }
                if let Some(group) = groups.get_mut(place) {
                    group.rows.push(row);
                }
            }
            Err(why) => loose.push((row, why)),
        }
    }
    let mut shipped = Shipped { others: table.others(), ..Shipped::default() };
    for (row, why) in loose {
        let names = |group: &Group<'_>| (row.holds(group.order), row.holds(&group.id));
        let exact = groups.iter().any(|group| names(group) == (true, true));
        let mut belongs = false;
        for group in &mut groups {
            let (order, id) = names(group);
            if (order && id) || (!exact && (order || id)) {
                belongs = true;
                group.rows.push(row);
                group.wrong.get_or_insert_with(|| why.clone());
            }
        }
        if !belongs {
            shipped.bad.push(table.set_aside(&format!("line {}", row.line()), &why, &[row]));
        }
    }
    let mut held: BTreeSet<&str> = BTreeSet::new();
    let mut ended: Vec<&str> = Vec::new();
    for group in groups {
        let said = match group.wrong.clone() {
            Some(why) => Err(why),
            None => group.said(table, closed, source.written_at),
        };
        match said {
            Ok(Said::Left(shipment)) => shipped.shipments.push(shipment),
            Ok(Said::Cancelled) => ended.push(group.order),
            Ok(Said::Nothing) => {}
            Err(why) => {
                held.insert(group.order);
                shipped.bad.push(table.set_aside(&format!("{}-{}", group.order, group.id), &why, &group.rows));
            }
        }
    }
    for order in ended {
        // Rows with which nothing left end what of the order did leave by the same file: it is short, not cancelled. Where some of
        // that cannot be read, what left is not known.
        if held.contains(order) {
            continue;
        }
        let mut left = shipped.shipments.iter_mut().filter(|shipment| shipment.key == order).peekable();
        if left.peek().is_some() {
            left.for_each(|shipment| shipment.is_final = true);
        } else {
            shipped.cancelled.push(order.to_owned());
        }
    }
    shipped
}

fn identity<'a>(table: &Table<'_>, row: Row<'a>, source: &Source<'_>) -> Result<(&'a str, String), String> {
    let order = row.require("order_number")?;
    if table.has("shipment_id") {
        return Ok((order, row.require("shipment_id")?.to_owned()));
    }
    if !table.has("shipped_at") {
        if !table.has("sku") {
            return Ok((order, order.to_owned()));
        }
        return Ok((order, row.text("tracking_number").map_or_else(|| source.identity(), str::to_owned)));
    }
    row.require("shipped_at")?;
    let at = row.moment("shipped_at")?.unwrap_or(Timestamp::UNIX_EPOCH);
    Ok((order, at.strftime("%Y%m%dT%H%M%SZ").to_string()))
}

impl<'a> Group<'a> {
    fn said(&self, table: &Table<'_>, closed: &[String], written_at: Option<Timestamp>) -> Result<Said, String> {
        let Some(first) = self.rows.first().copied() else { return Ok(Said::Nothing) };
        let shipped_at = if table.has("shipped_at") {
            first.require("shipped_at")?;
            first.moment("shipped_at")?.ok_or_else(|| first.wrong("shipped_at", "it is empty"))?
        } else {
            written_at.ok_or("no column says when it left, and the file itself has no time")?
        };
        let method = |field| first.text(field).unwrap_or_default().to_owned();
        let mut shipment = Shipment {
            reference: self.id.clone(),
            key: self.order.to_owned(),
            shipped_at,
            ship_method: ShipMethod { carrier: method("carrier"), service: method("service") },
            packages: Vec::new(),
            loose: Vec::new(),
            is_final: false,
            ended: Vec::new(),
            whole: !table.has("sku"),
            within_order: true,
            numbers_may_be_theirs: false,
        };
        let mut numbers: Vec<&str> = Vec::new();
        let mut seen: BTreeMap<[&str; 6], u64> = BTreeMap::new();
        let (mut ends, mut all_end) = (false, true);
        for row in self.rows.iter().copied() {
            let identity = ["package_number", "tracking_number", "line_number", "sku", "lot", "serial"]
                .map(|field| row.text(field).unwrap_or_default());
            if let Some(earlier) = seen.insert(identity, row.line()) {
                return Err(
                    row.wrong("sku", &format!("the same goods in the same box stand in line {earlier} already"))
                );
            }
            for field in ["shipped_at", "carrier", "service"] {
                if row.text(field) != first.text(field) {
                    return Err(
                        row.wrong(field, &format!("it differs from line {} of the same shipment", first.line()))
                    );
                }
            }
            let row_ends = row.text("status").is_some_and(|status| closed.contains(&status.to_lowercase()));
            ends |= row_ends;
            all_end &= row_ends;
            if shipment.whole {
                lines(row, &mut shipment, &mut numbers)?;
            } else if let Some(line) = package_line(row)? {
                lines(row, &mut shipment, &mut numbers)?.push(line);
            }
        }
        let something_left = shipment.whole || shipment.lines().next().is_some();
        shipment.is_final = ends;
        Ok(match (something_left, all_end) {
            (true, _) => Said::Left(shipment),
            (false, true) => Said::Cancelled,
            (false, false) => Said::Nothing,
        })
    }
}

/// The goods of a row; `None` when nothing left.
fn package_line(row: Row<'_>) -> Result<Option<PackageLine>, String> {
    row.require("quantity")?;
    let quantity = row.number("quantity")?.unwrap_or_default();
    if quantity < Decimal::ZERO {
        return Err(row.wrong("quantity", "less than nothing cannot leave"));
    }
    let line_number = match row.text("line_number") {
        Some(cell) => Some(cell.parse::<u32>().map_err(|_| row.wrong("line_number", "it is not a line number"))?),
        None => None,
    };
    let sku = row.require("sku")?.to_owned();
    let serials = row.text("serial").unwrap_or_default().split(';').map(str::trim).filter(|serial| !serial.is_empty());
    Ok((!quantity.is_zero()).then(|| PackageLine {
        line_number,
        sku,
        quantity,
        lot: row.text("lot").map(str::to_owned),
        serials: serials.map(str::to_owned).collect(),
    }))
}

/// Where the row's goods go: its box, or the goods without one. `numbers` names each package of the shipment.
fn lines<'s, 'a>(
    row: Row<'a>,
    shipment: &'s mut Shipment,
    numbers: &mut Vec<&'a str>,
) -> Result<&'s mut Vec<PackageLine>, String> {
    let tracking = row.text("tracking_number");
    let Some(number) = row.text("package_number").or(tracking) else {
        return Ok(&mut shipment.loose);
    };
    let place = numbers.iter().position(|known| *known == number).unwrap_or_else(|| {
        numbers.push(number);
        shipment.packages.push(Package { tracking: tracking.map(str::to_owned), ..Package::default() });
        numbers.len() - 1
    });
    let package = shipment.packages.get_mut(place).ok_or_else(|| row.wrong("package_number", "it is unknown"))?;
    if package.tracking.as_deref() != tracking {
        return Err(row.wrong("tracking_number", "it differs from another line of the same box"));
    }
    Ok(&mut package.lines)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{UTF_8, WINDOWS_1252};
    use jiff::Timestamp;
    use proptest::prelude::{Strategy, any, prop_assert, proptest};

    use super::{FIELDS, Shipped, Source, read};
    use crate::files::table::{Form, Layout, Table, stock};

    const MAP: &str = "order_number=1, shipment_id=2, shipped_at=3, sku=4, quantity=5, status=6";

    fn source<'a>(name: &'a str, hash: &str, written_at: Option<Timestamp>) -> Source<'a> {
        Source { name, content_hash: hash.to_owned(), written_at }
    }

    fn shipped(map: &str, content: &str) -> Shipped {
        shipped_by(&source("shp_1.csv", "0123456789abcdef", Some(Timestamp::UNIX_EPOCH)), map, content)
    }

    fn shipped_by(source: &Source<'_>, map: &str, content: &str) -> Shipped {
        let (layout, form) = (Layout::parse(map, false, FIELDS, &[]).unwrap(), Form::plain());
        let table = Table::read(content.as_bytes(), &layout, &form).unwrap();
        read(&table, &["closed".to_owned()], source)
    }

    #[test]
    fn a_wrong_row_takes_its_shipment_along_and_no_other() {
        let read = shipped(
            MAP,
            "A,S1,2026-11-23,SKU,1,\nB,S2,2026-11-23,SKU,x,\nC,S3,2026-11-23,SKU,2,\nC,S3,2026-11-23,SKV\n\
             ,S9,2026-11-23,SKU,1,\nD,S4,2026-11-23,SKU,3,\n?\n",
        );
        let left: Vec<&str> = read.shipments.iter().map(|shipment| shipment.reference.as_str()).collect();
        assert_eq!(left, ["S1", "S4"]);
        let bad: Vec<(&str, &[u64])> = read.bad.iter().map(|bad| (bad.what.as_str(), bad.lines.as_slice())).collect();
        assert_eq!(bad, [("line 7", &[7_u64][..]), ("line 5", &[5]), ("B-S2", &[2]), ("C-S3", &[3, 4])]);
        assert!(read.bad[2].why.contains("line 2, column 5 (quantity)"), "{}", read.bad[2].why);
        assert_eq!(read.bad[3].text, "C,S3,2026-11-23,SKU,2,\nC,S3,2026-11-23,SKV\n");
    }

    #[test]
    fn a_status_tells_what_is_still_to_come() {
        let read = shipped(
            MAP,
            "A,S1,2026-11-23,SKU,1,Closed\nA,S1,2026-11-23,SKV,0,open\nB,S2,2026-11-23,SKU,0,closed\n\
             C,S3,2026-11-23,SKU,0,open\nD,S4,2026-11-23,SKU,2,open\n",
        );
        let left: Vec<(&str, bool)> =
            read.shipments.iter().map(|shipment| (shipment.key.as_str(), shipment.is_final)).collect();
        assert_eq!(left, [("A", true), ("D", false)]);
        assert_eq!((read.cancelled.as_slice(), read.bad.len()), (&["B".to_owned()][..], 0));
    }

    #[test]
    fn without_an_id_the_time_is_the_identity() {
        let read = shipped(
            "order_number=1, shipped_at=2, sku=3, quantity=4",
            "A,2026-11-23T06:00:00Z,SKU,1\nA,2026-11-23T07:00:00Z,SKU,1\nA,2026-11-23T06:00:00Z,SKV,2\n",
        );
        let left: Vec<(&str, usize)> =
            read.shipments.iter().map(|shipment| (shipment.reference.as_str(), shipment.lines().count())).collect();
        assert_eq!(left, [("20261123T060000Z", 2), ("20261123T070000Z", 1)]);
    }

    #[test]
    fn without_a_time_it_left_when_the_file_was_written() {
        let map = "order_number=1, tracking_number=2, sku=3, quantity=4";
        let content = "A,T1,SKU,1\nA,T2,SKU,1\nA,T1,SKV,2\nB,,SKU,1\n";
        let read_at = |written_at| shipped_by(&source("shp_1.csv", "0123456789abcdef", written_at), map, content);
        let at = Timestamp::from_second(1_795_415_400).unwrap();
        let read = read_at(Some(at));
        let left: Vec<(&str, usize, Timestamp)> = read
            .shipments
            .iter()
            .map(|shipment| (shipment.reference.as_str(), shipment.lines().count(), shipment.shipped_at))
            .collect();
        let by_file = "shp_1.csv-0123456789ab";
        assert_eq!((left, read.bad.len()), (vec![("T1", 2, at), ("T2", 1, at), (by_file, 1, at)], 0));
        let timeless = read_at(None);
        assert!(timeless.shipments.is_empty() && timeless.bad[1].why.contains("has no time"), "{:?}", timeless.bad);
    }

    #[test]
    fn an_order_of_which_some_left_is_short_and_not_cancelled() {
        let map = "order_number=1, sku=2, quantity=3, tracking_number=4, status=5";
        let said = |content: &str| shipped(map, content);
        let short = said("A,SKU-A,5,1Z1,shipped\nA,SKU-B,0,,closed\nB,SKU-A,0,,closed\n");
        assert_eq!(short.cancelled, ["B"]);
        assert_eq!(
            short.shipments.iter().map(|one| (one.key.as_str(), one.is_final)).collect::<Vec<_>>(),
            [("A", true)]
        );
        let in_part = said("A,SKU-A,5,1Z1,shipped\nA,SKU-A,x,1Z2,shipped\nA,SKU-B,0,,closed\n");
        assert_eq!((in_part.shipments.len(), in_part.bad.len()), (1, 1), "{in_part:?}");
        assert!(!in_part.shipments[0].is_final, "what is held may have left: {in_part:?}");
        let unread = said("A,SKU-A,x,1Z1,shipped\nA,SKU-B,0,,closed\n");
        assert_eq!((unread.cancelled.len(), unread.shipments.len(), unread.bad.len()), (0, 0, 1), "{unread:?}");
    }

    #[test]
    fn without_anything_that_names_it_the_file_is_the_identity() {
        let map = "order_number=1, sku=2, quantity=3";
        let content = "A,SKU,1\nB,SKU,2\nA,SKV,1\nB,SKW,x\n";
        let named = |name: &str, hash: &str| {
            let read = shipped_by(&source(name, hash, Some(Timestamp::UNIX_EPOCH)), map, content);
            assert_eq!((read.bad.len(), read.bad[0].lines.as_slice()), (1, &[2, 4][..]), "{:?}", read.bad);
            let [only] = read.shipments.as_slice() else { panic!("one order can be used: {read:?}") };
            assert_eq!((only.key.as_str(), only.lines().count(), only.within_order), ("A", 2, true));
            only.reference.clone()
        };
        let first = named("shp_1.csv", "0123456789abcdef");
        assert_eq!(named("shp_1.csv", "0123456789abcdef"), first, "the same file read again");
        assert_ne!(named("shp_1.csv", "fedcba9876543210"), first, "other content");
        assert_ne!(named("shp_2.csv", "0123456789abcdef"), first, "another file that says the same");
    }

    #[test]
    fn without_goods_a_row_is_all_of_its_order() {
        let content = "A,T1,UPS\nA,T2,UPS\nB,,DPD\nC,T3,UPS\nC,T3,UPS\n";
        let read = shipped("order_number=1, tracking_number=2, carrier=3", content);
        let left: Vec<(&str, &str, bool, usize)> = read
            .shipments
            .iter()
            .map(|one| (one.key.as_str(), one.reference.as_str(), one.whole, one.tracking_numbers().len()))
            .collect();
        assert_eq!(left, [("A", "A", true, 2), ("B", "B", true, 0)]);
        assert!(read.shipments.iter().all(|one| one.lines().next().is_none()));
        assert!(read.bad.len() == 1 && read.bad[0].what == "C-C", "the same box twice: {:?}", read.bad);
        let read = shipped("order_number=1, shipment_id=2, tracking_number=3", "A,S1,T1\nA,S2,T2\n");
        assert_eq!(read.shipments.iter().map(|one| one.reference.as_str()).collect::<Vec<_>>(), ["S1", "S2"]);
    }

    /// Bytes at random, and files that are nearly right.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let cell = proptest::sample::select(vec![
            "A",
            "S1",
            "2026-11-23T06:00:00Z",
            "2026-11-23",
            "5",
            "-1",
            "0.5",
            "1e3",
            "",
            "\"",
            "\"x\"",
            ",",
            "\u{e9}",
            "\0",
            "TRAILER",
        ]);
        let row = proptest::collection::vec(cell, 0..7).prop_map(|cells| cells.join(","));
        let rows = proptest::collection::vec(row, 0..6).prop_map(|rows| (rows.join("\n") + "\n").into_bytes());
        proptest::prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), rows]
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_it_is_read_or_refused(content in content(), trailer in any::<bool>(), narrow in any::<bool>()) {
            let form = Form { encoding: if narrow { WINDOWS_1252 } else { UTF_8 }, ..Form::plain() };
            let more = if trailer { ", trailer=TRAILER" } else { "" };
            let map = format!("order_number=1, shipment_id=2, shipped_at=3, sku=4, quantity=5{more}");
            let layout = Layout::parse(&map, false, FIELDS, &[]).unwrap();
            if let Ok(table) = Table::read(&content, &layout, &form) {
                let read = read(&table, &[], &source("shp_1.csv", "", None));
                prop_assert!(read.shipments.iter().all(|shipment| shipment.lines().all(|line| line.quantity > 0.into())));
                prop_assert!(read.bad.iter().all(|bad| !bad.why.is_empty() && !bad.lines.is_empty()));
            }
            let layout = Layout::parse(&format!("sku=1, available=2{more}, sequence=3"), false, stock::FIELDS, stock::REQUIRED);
            let source = stock::Source { name: "inv_1.csv", content_hash: String::new(), modified: None, full_snapshot: true };
            if let Ok(table) = Table::read(&content, &layout.unwrap(), &form) {
                // Without a time of count and without a time of the file there is no cut-off.
                prop_assert!(stock::read(&table, &source).is_err());
            }
        }
    }
}
