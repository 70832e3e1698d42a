//! The same warehouse for partners that talk in X12: orders come as 940, and 945, 846 and 997 go out, version 004010.
//!
//! A warehouse of the strict kind: a document with a wrong length, count or control number is refused whole. Written from the
//! standard, as this project's notes on it have it; nothing of the hub's own reader or writer is used.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::ledger::{LedgerOrder, LedgerShipment, OrderState, StockRow};
use super::order_file::{ReceivedLine, ReceivedOrder, ShipTo};

/// Who the two sides are in their envelopes; both with qualifier `ZZ`, at most 15 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partners {
    /// This warehouse.
    pub warehouse: String,
    /// The owner of the goods.
    pub depositor: String,
}

impl Default for Partners {
    fn default() -> Self {
        Self { warehouse: "THREEPL".to_owned(), depositor: "BPMERCHANT".to_owned() }
    }
}

/// What a file of orders asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// GS06.
    pub group: String,
    /// New orders.
    pub orders: Vec<ReceivedOrder>,
    /// Numbers of orders that are not to be shipped.
    pub cancels: Vec<String>,
}

/// What a file of the depositor's says of groups that this warehouse sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// AK101 and AK102.
    pub group: String,
    /// AK901.
    pub result: String,
}

type Segment<'a> = Vec<&'a str>;

fn at<'a>(segment: &[&'a str], element: usize) -> &'a str {
    segment.get(element).copied().unwrap_or_default()
}

/// A file of orders, whole, or in one sentence why it is refused.
pub(super) fn parse(bytes: &[u8], partners: &Partners) -> Result<Asked, String> {
    let (group, sets) = document(bytes, partners, "OW", "940")?;
    let mut asked = Asked { group, orders: vec![], cancels: vec![] };
    for set in &sets {
        order(set, &mut asked)?;
    }
    Ok(asked)
}

/// A file that acknowledges groups of ours, or in one sentence why it is refused. `sent` are those that were written, with how
/// many sets each had.
pub(super) fn acknowledged(
    bytes: &[u8],
    partners: &Partners,
    sent: &BTreeMap<String, usize>,
) -> Result<Vec<Said>, String> {
    let (_, sets) = document(bytes, partners, "FA", "997")?;
    let mut said = Vec::new();
    for set in &sets {
        let (mut group, mut spoken_of, mut results) = (String::new(), 0, Vec::new());
        for segment in set {
            match at(segment, 0) {
                "AK1" => group = format!("{} {}", at(segment, 1), at(segment, 2)),
                "AK2" => spoken_of += 1,
                "AK5" => results.push(at(segment, 1)),
                "AK9" => {
                    let sets = *sent.get(&group).ok_or_else(|| format!("we sent no group {group}"))?;
                    let accepted = results.iter().filter(|result| matches!(**result, "A" | "E")).count();
                    let counts = [at(segment, 2), at(segment, 3)].map(|count| count.parse::<usize>().ok());
                    let all = spoken_of == 0 || (spoken_of == sets && results.len() == sets);
                    if counts != [Some(sets); 2] || !all || (spoken_of > 0 && at(segment, 4) != accepted.to_string()) {
                        return Err(format!("AK9 of group {group} does not count its {sets} sets"));
                    }
                    said.push(Said { group: std::mem::take(&mut group), result: at(segment, 1).to_owned() });
                }
                _ => {}
            }
        }
    }
    if said.len() == sets.len() { Ok(said) } else { Err("a 997 gives no result for its group".to_owned()) }
}

/// The group number and the sets of a file with one group of this kind. A file is taken whole or not at all.
fn document<'a>(
    bytes: &'a [u8],
    partners: &Partners,
    kind: &str,
    code: &str,
) -> Result<(String, Vec<Vec<Segment<'a>>>), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    if text.get(..4) != Some("ISA*") || text.get(105..106) != Some("~") {
        return Err("the ISA is not 106 characters long, with * and ~".to_owned());
    }
    let mut segments: Vec<Segment<'_>> = Vec::new();
    for segment in text.split('~').map(|segment| segment.trim_matches(['\r', '\n'])).filter(|one| !one.is_empty()) {
        if segment.ends_with('*') {
            return Err(format!("segment {} ends with an empty element", segments.len() + 1));
        }
        segments.push(segment.split('*').collect());
    }
    let (Some(isa), Some(iea)) = (segments.first(), segments.last()) else { return Err("it is empty".to_owned()) };
    if at(isa, 6).trim_end() != partners.depositor || at(isa, 8).trim_end() != partners.warehouse {
        return Err(format!("it goes from {:?} to {:?}, which is not for us", at(isa, 6), at(isa, 8)));
    }
    let (Some(gs), Some(ge)) = (segments.get(1), segments.len().checked_sub(2).and_then(|place| segments.get(place)))
    else {
        return Err("it has no group".to_owned());
    };
    let control = at(isa, 13);
    if at(iea, 0) != "IEA" || at(iea, 2) != control || control.len() != 9 {
        return Err(format!("interchange {control} does not end with its number"));
    }
    if at(gs, 0) != "GS" || at(gs, 1) != kind || at(gs, 8) != "004010" || at(ge, 0) != "GE" || at(ge, 2) != at(gs, 6) {
        return Err(format!("its group is not one of kind {kind} in version 004010 that ends with its number"));
    }
    let group = at(gs, 6).to_owned();
    let inside = segments.get(2..segments.len() - 2).unwrap_or_default();
    let mut sets = Vec::new();
    for set in inside.split_inclusive(|segment| at(segment, 0) == "SE") {
        let number = sets.len() + 1;
        let (Some(st), Some(se)) = (set.first(), set.last()) else { continue };
        if at(st, 0) != "ST" || at(st, 1) != code || at(se, 0) != "SE" || at(se, 2) != at(st, 2) {
            return Err(format!("set {number} is no {code} that ends with its number"));
        }
        if at(se, 1) != set.len().to_string() {
            return Err(format!("set {number} counts {} segments and has {}", at(se, 1), set.len()));
        }
        sets.push(set.to_vec());
    }
    if at(ge, 1) != sets.len().to_string() || at(iea, 1) != "1" {
        return Err("the counts of sets or groups are wrong".to_owned());
    }
    Ok((group, sets))
}

fn order(set: &[Segment<'_>], asked: &mut Asked) -> Result<(), String> {
    let w05 = set.iter().find(|segment| at(segment, 0) == "W05").ok_or("there is no W05")?;
    let number = at(w05, 2);
    if number.is_empty() || number.len() > 22 {
        return Err(format!("the depositor order number {number:?} is not 1 to 22 characters long"));
    }
    match at(w05, 1) {
        "F" => {
            asked.cancels.push(number.to_owned());
            return Ok(());
        }
        "N" => {}
        other => return Err(format!("order {number} has status {other:?}, which is neither N nor F")),
    }
    let mut order = ReceivedOrder {
        number: number.to_owned(),
        po_number: at(w05, 3).to_owned(),
        email: String::new(),
        ship_to: ShipTo::default(),
        ship_method: String::new(),
        payment_type: String::new(),
        notes: String::new(),
        facility: String::new(),
        lines: Vec::new(),
    };
    let mut party = "";
    let mut total = None;
    for segment in set {
        match at(segment, 0) {
            "N1" => {
                party = at(segment, 1);
                match party {
                    "ST" => order.ship_to.name = at(segment, 2).to_owned(),
                    "WH" => {
                        order.facility = [at(segment, 4), at(segment, 2)]
                            .into_iter()
                            .find(|id| !id.is_empty())
                            .unwrap_or_default()
                            .to_owned()
                    }
                    _ => {}
                }
            }
            "N2" if party == "ST" => order.ship_to.attention = at(segment, 1).to_owned(),
            "N3" if party == "ST" && order.ship_to.address1.is_empty() => {
                order.ship_to.address1 = at(segment, 1).to_owned();
                order.ship_to.address2 = at(segment, 2).to_owned();
            }
            "N4" if party == "ST" => {
                order.ship_to.city = at(segment, 1).to_owned();
                order.ship_to.state = at(segment, 2).to_owned();
                order.ship_to.postcode = at(segment, 3).to_owned();
                order.ship_to.country = at(segment, 4).to_owned();
            }
            "PER" => {
                for pair in [3, 5, 7] {
                    match at(segment, pair) {
                        "TE" => order.ship_to.telephone = at(segment, pair + 1).to_owned(),
                        "EM" => order.email = at(segment, pair + 1).to_owned(),
                        _ => {}
                    }
                }
            }
            "NTE" => order.notes.push_str(at(segment, 2)),
            "W66" => {
                order.payment_type = at(segment, 1).to_owned();
                order.ship_method = format!("{} {}", at(segment, 10), at(segment, 5)).trim().to_owned();
            }
            "W01" => order.lines.push(line(segment)?),
            "N9" if at(segment, 1) == "LI" => {
                if let Some(line) = order.lines.last_mut() {
                    line.number = at(segment, 2).to_owned();
                }
            }
            "W76" => total = at(segment, 1).parse::<Decimal>().ok(),
            _ => {}
        }
    }
    if order.lines.is_empty() || order.ship_to.name.is_empty() || order.ship_to.country.is_empty() {
        return Err(format!("order {number} lacks lines, a name or a country"));
    }
    if total != Some(order.lines.iter().map(|line| line.quantity).sum()) {
        return Err(format!("order {number}: W76 is not the sum of its lines"));
    }
    asked.orders.push(order);
    Ok(())
}

fn line(segment: &[&str]) -> Result<ReceivedLine, String> {
    let quantity = at(segment, 1).parse::<Decimal>().ok().filter(|quantity| *quantity > Decimal::ZERO);
    let quantity = quantity.ok_or_else(|| format!("the quantity {:?} is not above zero", at(segment, 1)))?;
    if at(segment, 2) != "EA" {
        return Err(format!("the unit {:?} is not EA", at(segment, 2)));
    }
    let sku = [4, 6, 15].into_iter().find(|pair| at(segment, *pair) == "VN").map(|pair| at(segment, pair + 1));
    let sku = sku.filter(|sku| !sku.is_empty()).ok_or("a line has no product id VN")?;
    Ok(ReceivedLine { number: String::new(), sku: sku.to_owned(), quantity, unit_price: None })
}

/// An interchange of one group, with the sets given without ST and SE.
fn envelope(
    partners: &Partners,
    control: u64,
    group: &str,
    set: &str,
    sets: &[Vec<String>],
    now: Timestamp,
) -> Vec<u8> {
    let Partners { warehouse, depositor } = partners;
    let (short, date) = (now.strftime("%y%m%d*%H%M").to_string(), now.strftime("%Y%m%d*%H%M").to_string());
    let mut lines = vec![
        format!(
            "ISA*00*          *00*          *ZZ*{warehouse:<15}*ZZ*{depositor:<15}*{short}*U*00401*{control:09}*0*P*>"
        ),
        format!("GS*{group}*{warehouse}*{depositor}*{date}*{control}*X*004010"),
    ];
    for (place, segments) in sets.iter().enumerate() {
        lines.push(format!("ST*{set}*{:04}", place + 1));
        lines.extend(segments.iter().cloned());
        lines.push(format!("SE*{}*{:04}", segments.len() + 2, place + 1));
    }
    lines.push(format!("GE*{}*{control}", sets.len()));
    lines.push(format!("IEA*1*{control:09}"));
    (lines.join("~\n") + "~\n").into_bytes()
}

/// 945: one set for each shipment, one LX for each box.
pub(super) fn shipments<'a>(
    partners: &Partners,
    control: u64,
    shipped: impl Iterator<Item = (&'a LedgerOrder, &'a LedgerShipment)>,
    now: Timestamp,
) -> Vec<u8> {
    let mut sets = Vec::new();
    for (order, shipment) in shipped {
        let date = shipment.shipped_at.strftime("%Y%m%d").to_string();
        let mut set = vec![
            format!("W06*F*{}*{date}*{}", order.number, shipment.shipment_id),
            format!("N1*WH*{}", partners.warehouse),
            format!("G62*11*{date}"),
            format!("W27*U*{}*{}", shipment.carrier, shipment.service).trim_end_matches('*').to_owned(),
        ];
        let mut units = Decimal::ZERO;
        for package in &shipment.packages {
            set.push(format!("LX*{}", package.number));
            set.push(format!("MAN*CP*{}", package.tracking_number));
            for content in &package.contents {
                units += content.quantity;
                let line = order.lines.iter().find(|line| line.number == content.line_number);
                let (ordered, left) =
                    line.map_or((content.quantity, Decimal::ZERO), |line| (line.ordered, line.remaining()));
                let substituted = line.is_some_and(|line| line.substituted);
                let status = match (left.is_zero(), order.state == OrderState::ShippedShort) {
                    _ if substituted => "CS",
                    (true, _) => "CC",
                    (false, true) => "CP",
                    (false, false) => "BP",
                };
                let (quantity, difference) = (content.quantity.normalize(), (content.quantity - ordered).normalize());
                let lot = if content.lot.is_empty() { String::new() } else { format!("*{}", content.lot) };
                set.push(format!(
                    "W12*{status}*{}*{quantity}*{difference}*EA**VN*{}{lot}",
                    ordered.normalize(),
                    content.sku
                ));
                set.push(format!("N9*LI*{}", content.line_number));
                set.extend(content.serials.iter().map(|serial| format!("N9*SE*{serial}")));
            }
        }
        set.push(format!("W03*{}", units.normalize()));
        sets.push(set);
    }
    envelope(partners, control, "SW", "945", &sets, now)
}

/// 945 of an order of which nothing will leave.
pub(super) fn cancelled(partners: &Partners, control: u64, order: &LedgerOrder, now: Timestamp) -> Vec<u8> {
    let mut set = vec![
        format!("W06*F*{}*{}", order.number, now.strftime("%Y%m%d")),
        format!("N1*WH*{}", partners.warehouse),
        "W27*U".to_owned(),
    ];
    for (place, line) in order.lines.iter().enumerate() {
        set.push(format!("LX*{}", place + 1));
        set.push(format!("W12*IC*{0}*0*-{0}*EA**VN*{1}", line.ordered.normalize(), line.sku));
    }
    set.push("W03*0".to_owned());
    envelope(partners, control, "SW", "945", &[set], now)
}

/// 846: available and on hand of each SKU and facility.
pub(super) fn stock(partners: &Partners, control: u64, rows: &[StockRow], now: Timestamp) -> Vec<u8> {
    let mut set = vec![format!("BIA*00*DD*INV{control}*{}", now.strftime("%Y%m%d*%H%M%S"))];
    for (place, row) in rows.iter().enumerate() {
        set.push(format!("LIN*{}*VN*{}", place + 1, row.sku));
        set.push(format!("QTY*33*{}*EA", row.available.normalize()));
        set.push(format!("QTY*17*{}*EA", row.physical.normalize()));
        set.push(format!("N1*WH*{}", row.facility));
    }
    set.push(format!("CTT*{}", rows.len()));
    envelope(partners, control, "IB", "846", &[set], now)
}

/// 947: one figure was changed, for this reason (W1901).
pub(super) fn adjustment(
    partners: &Partners,
    control: u64,
    sku: &str,
    change: Decimal,
    reason: &str,
    now: Timestamp,
) -> Vec<u8> {
    let set = vec![
        format!("W15*{}*ADJ{control}", now.strftime("%Y%m%d")),
        format!("N1*WH*{}", partners.warehouse),
        format!("W19*{reason}*{}*EA**VN*{sku}", change.normalize()),
    ];
    envelope(partners, control, "AW", "947", &[set], now)
}

/// 997: all of a group was taken in, or all of it refused.
pub(super) fn acknowledgement(
    partners: &Partners,
    control: u64,
    group: &str,
    count: usize,
    takes: bool,
    now: Timestamp,
) -> Vec<u8> {
    let mut set = vec![format!("AK1*OW*{group}")];
    let (one, all, accepted) = if takes { ("AK5*A", "A", count) } else { ("AK5*R*5", "R", 0) };
    for place in 1..=count {
        set.push(format!("AK2*940*{place:04}"));
        set.push(one.to_owned());
    }
    set.push(format!("AK9*{all}*{count}*{count}*{accepted}"));
    envelope(partners, control, "FA", "997", &[set], now)
}
