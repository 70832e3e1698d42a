//! What left with one transfer: boxes, goods, lots and serial numbers; and where an order stands by all of its transfers.

use std::collections::BTreeMap;

use connect::{ConnectorError, Package, PackageLine, RequestState, ShipMethod, Shipment};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    Odoo,
    client::{Call, Purpose},
    orders::line_number,
    wire::{Link, Move, Moved, Order, Product, Transfer, ids, moved, rows},
};
use crate::times::moment;

/// Goods by transfer.
pub(super) type Goods = BTreeMap<i64, Vec<Item>>;

/// Goods of one product and one lot in one box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    line_number: Option<u32>,
    sku: String,
    quantity: Decimal,
    lot: Option<String>,
    has_serials: bool,
    package: Option<Link>,
}

impl Odoo {
    /// What these transfers moved.
    pub(super) async fn goods(&self, purpose: Purpose, transfers: &[i64]) -> Result<Goods, ConnectorError> {
        if transfers.is_empty() {
            return Ok(Goods::new());
        }
        let fields = moved(self.version(purpose).await?);
        let domain = json!([["picking_id", "in", transfers], ["state", "=", "done"]]);
        let answer = self.client.read(purpose, Call::search("stock.move.line", domain, &fields)).await?;
        let moved: Vec<Moved> = rows("moved goods", answer)?;
        let products = self.products(purpose, ids(moved.iter().map(|one| one.product_id.as_ref()))).await?;
        let moves = ids(moved.iter().map(|one| one.move_id.as_ref()));
        let numbers = self.line_numbers(purpose, &moves).await?;
        let mut goods = Goods::new();
        for one in moved {
            let (Some(transfer), Some(product)) = (&one.picking_id, &one.product_id) else {
                return Err(ConnectorError::unexpected("goods left of no product, or with no transfer"));
            };
            let product: &Product = products.get(&product.id).ok_or_else(|| {
                ConnectorError::unexpected(format!("product {} left, and cannot be read", product.name))
            })?;
            goods.entry(transfer.id).or_default().push(Item {
                line_number: one.move_id.as_ref().and_then(|link| numbers.get(&link.id).copied()),
                sku: product.sku.clone(),
                quantity: one.quantity,
                lot: one.lot_id.map(|lot| lot.name),
                has_serials: product.has_serials,
                package: one.result_package_id,
            });
        }
        Ok(goods)
    }

    /// The hub's line numbers, by what its lines became in the warehouse.
    async fn line_numbers(&self, purpose: Purpose, moves: &[i64]) -> Result<BTreeMap<i64, u32>, ConnectorError> {
        if moves.is_empty() {
            return Ok(BTreeMap::new());
        }
        let call = Call::on("stock.move", "read", moves, json!({ "fields": ["sale_line_id"] }));
        let moves: Vec<Move> = rows("moves", self.client.read(purpose, call).await?)?;
        let lines = ids(moves.iter().map(|one| one.sale_line_id.as_ref()));
        let names = self.external_ids(purpose, "sale.order.line", &lines).await?;
        let number = |one: &Move| line_number(names.get(&one.sale_line_id.as_ref()?.id)?);
        Ok(moves.iter().filter_map(|one| Some((one.id, number(one)?))).collect())
    }
}

/// The shipment that a transfer is, once it is done. Its id is the transfer's: tracking numbers are corrected, shared or missing.
/// None of them says that it is the last, which may change after it was told; [`standing`] says how they end.
pub(super) fn shipment(key: &str, transfer: &Transfer, items: &[Item]) -> Result<Shipment, ConnectorError> {
    let items: Vec<&Item> = items.iter().filter(|item| item.quantity > Decimal::ZERO).collect();
    if items.is_empty() {
        return Err(ConnectorError::unexpected("it is done with nothing in it"));
    }
    if let Some(nameless) = items.iter().find(|item| item.sku.is_empty()) {
        return Err(ConnectorError::unexpected(format!(
            "{} units of a product without a SKU left: give the product one in Odoo",
            nameless.quantity
        )));
    }
    let left = left_at(transfer)?;
    let mut boxes: Vec<&Link> = items.iter().filter_map(|item| item.package.as_ref()).collect();
    boxes.sort_unstable();
    boxes.dedup();
    let within = |package: Option<&Link>| lines(items.iter().copied().filter(|item| item.package.as_ref() == package));
    let mut packages: Vec<Package> =
        boxes.iter().map(|package| Package { lines: within(Some(package)), ..Package::default() }).collect();
    let numbers = tracking(&transfer.carrier_tracking_ref);
    match numbers.as_slice() {
        // One consignment of several boxes.
        [only] if !packages.is_empty() => packages.iter_mut().for_each(|package| package.tracking = Some(only.clone())),
        several if several.len() == packages.len() => {
            packages.iter_mut().zip(&numbers).for_each(|(package, number)| package.tracking = Some(number.clone()));
        }
        _ => {
            packages.extend(numbers.into_iter().map(|number| Package { tracking: Some(number), ..Package::default() }))
        }
    }
    Ok(Shipment {
        reference: transfer.id.to_string(),
        key: key.to_owned(),
        shipped_at: left,
        ship_method: ShipMethod {
            carrier: transfer.carrier_id.as_ref().map(|carrier| carrier.name.clone()).unwrap_or_default(),
            service: String::new(),
        },
        packages,
        loose: within(None),
        is_final: false,
        ended: Vec::new(),
        whole: false,
        within_order: false,
        numbers_may_be_theirs: false,
    })
}

/// When it left.
pub(super) fn left_at(transfer: &Transfer) -> Result<Timestamp, ConnectorError> {
    if transfer.date_done.is_empty() {
        return Err(ConnectorError::unexpected("it is done and does not say when"));
    }
    moment(&transfer.date_done, &TimeZone::UTC)
}

/// Goods by line, product and lot.
fn lines<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<PackageLine> {
    let mut sums: BTreeMap<(Option<u32>, &str, Option<&str>), PackageLine> = BTreeMap::new();
    for item in items {
        // A serial number is a lot of one.
        let (lot, serial) = if item.has_serials { (None, item.lot.clone()) } else { (item.lot.as_deref(), None) };
        let line = sums.entry((item.line_number, &item.sku, lot)).or_insert_with(|| PackageLine {
            line_number: item.line_number,
            sku: item.sku.clone(),
            quantity: Decimal::ZERO,
            lot: lot.map(str::to_owned),
            serials: Vec::new(),
        });
        line.quantity = (line.quantity + item.quantity).normalize();
        line.serials.extend(serial.filter(|serial| !line.serials.contains(serial)));
    }
    let mut lines: Vec<PackageLine> = sums.into_values().collect();
    lines.iter_mut().for_each(|line| line.serials.sort_unstable());
    lines
}

/// The numbers in a transfer's one text, each once.
pub(super) fn tracking(text: &str) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    for number in text.split([',', ';', '+']).map(str::trim).filter(|number| !number.is_empty()) {
        if !numbers.iter().any(|known| known == number) {
            numbers.push(number.to_owned());
        }
    }
    numbers
}

/// Where an order stands. By its transfers, since Odoo calls an order delivered whose rest was cancelled.
pub(super) fn standing(order: &Order, transfers: &[&Transfer]) -> RequestState {
    let has_left = transfers.iter().any(|transfer| transfer.is_done());
    let is_open = transfers.iter().any(|transfer| transfer.is_open());
    match (has_left, is_open) {
        (true, true) => RequestState::Working,
        (true, false) => RequestState::Finished,
        (false, _) if order.is_cancelled() => RequestState::Cancelled,
        (false, true) => RequestState::Waiting,
        (false, false) if !order.is_confirmed() => RequestState::Held,
        // Every transfer was cancelled, though the order was not.
        (false, false) if !transfers.is_empty() && transfers.iter().all(|one| one.is_cancelled()) => {
            RequestState::Cancelled
        }
        (false, false) => RequestState::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use connect::RequestState;
    use rust_decimal::Decimal;

    use super::{Item, Link, Order, Transfer, shipment, standing, tracking};

    fn transfer(state: &str, numbers: &str) -> Transfer {
        Transfer {
            id: 3,
            name: "WH/OUT/00003".to_owned(),
            state: state.to_owned(),
            picking_type_code: "outgoing".to_owned(),
            sale_id: None,
            date_done: "2026-11-23 07:27:17".to_owned(),
            carrier_id: Some(Link { id: 1, name: "UPS Ground".to_owned() }),
            carrier_tracking_ref: numbers.to_owned(),
            write_date: String::new(),
        }
    }

    fn item(line: u32, units: i64, lot: &str, has_serials: bool, package: Option<i64>) -> Item {
        Item {
            line_number: Some(line),
            sku: format!("SKU-{line}"),
            quantity: units.into(),
            lot: (!lot.is_empty()).then(|| lot.to_owned()),
            has_serials,
            package: package.map(|id| Link { id, name: format!("PACK{id}") }),
        }
    }

    #[test]
    fn boxes_lots_and_serial_numbers() {
        let items = [
            item(1, 1, "S2", true, Some(8)),
            item(1, 1, "S1", true, Some(8)),
            item(2, 2, "L1", false, Some(9)),
            item(2, 1, "L2", false, Some(9)),
        ];
        let told = shipment("K", &transfer("done", "T1, T2"), &items).unwrap();
        assert_eq!((told.reference.as_str(), told.packages.len(), told.loose.len()), ("3", 2, 0));
        assert_eq!(told.tracking_numbers(), ["T1", "T2"]);
        assert_eq!(told.packages[0].lines[0].serials, ["S1", "S2"]);
        assert_eq!(told.packages[0].lines[0].quantity, Decimal::TWO);
        let lots: Vec<_> = told.packages[1].lines.iter().map(|line| line.lot.clone().unwrap()).collect();
        assert_eq!(lots, ["L1", "L2"]);
        // One number for both; no box at all; nothing in it.
        let told = shipment("K", &transfer("done", "T1"), &items).unwrap();
        assert!(told.packages.iter().all(|package| package.tracking.as_deref() == Some("T1")));
        let told = shipment("K", &transfer("done", "T1"), &[item(1, 2, "", false, None)]).unwrap();
        assert_eq!((told.packages.len(), told.packages[0].lines.len(), told.loose.len()), (1, 0, 1));
        assert!(shipment("K", &transfer("done", "T1"), &[item(1, 0, "", false, None)]).is_err());
        let nameless = Item { sku: String::new(), ..item(1, 1, "", false, None) };
        assert!(shipment("K", &transfer("done", "T1"), &[nameless]).is_err());
        assert!(shipment("K", &Transfer { date_done: String::new(), ..transfer("done", "") }, &items).is_err());
    }

    #[test]
    fn numbers_in_one_text() {
        assert_eq!(tracking(" T1,T2; T1 ,, "), ["T1", "T2"]);
        assert_eq!(tracking(""), Vec::<String>::new());
    }

    #[test]
    fn where_an_order_stands() {
        let order = |state: &str| Order {
            id: 1,
            state: state.to_owned(),
            client_order_ref: "K".to_owned(),
            partner_shipping_id: None,
            write_date: String::new(),
        };
        for (state, transfers, expected) in [
            ("draft", &[][..], RequestState::Held),
            ("sent", &[][..], RequestState::Held),
            ("sale", &[][..], RequestState::Waiting),
            ("sale", &["confirmed"][..], RequestState::Waiting),
            ("sale", &["assigned"][..], RequestState::Waiting),
            ("sale", &["done", "confirmed"][..], RequestState::Working),
            ("sale", &["done"][..], RequestState::Finished),
            ("sale", &["done", "cancel"][..], RequestState::Finished),
            ("sale", &["cancel"][..], RequestState::Cancelled),
            ("cancel", &[][..], RequestState::Cancelled),
            ("cancel", &["cancel"][..], RequestState::Cancelled),
            ("cancel", &["done", "cancel"][..], RequestState::Finished),
        ] {
            let moves: Vec<Transfer> = transfers.iter().map(|state| transfer(state, "")).collect();
            let moves: Vec<&Transfer> = moves.iter().collect();
            assert_eq!(standing(&order(state), &moves), expected, "{state} {transfers:?}");
        }
        // Picked in steps: what is picked has left nothing, and what is still to be picked keeps the order open.
        let step = |state: &str| Transfer { picking_type_code: "internal".to_owned(), ..transfer(state, "") };
        for (moves, expected) in [
            (vec![step("done"), transfer("assigned", "")], RequestState::Waiting),
            (vec![step("done"), transfer("done", ""), step("assigned")], RequestState::Working),
            (vec![step("done")], RequestState::Waiting),
            (vec![step("done"), transfer("done", ""), step("cancel")], RequestState::Finished),
        ] {
            let moves: Vec<&Transfer> = moves.iter().collect();
            assert_eq!(standing(&order("sale"), &moves), expected, "{moves:?}");
        }
    }
}
