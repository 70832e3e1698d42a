//! From Brightpearl's documents to the hub's words.

use connect::{
    Address, Allocation, BundleRole, Choice, GoodsOutNote, LineStock, Money, NoteRow, NoteState, Order, OrderLine,
    OrderStatusChoice, Product, Progress, SourceStock,
};
use rust_decimal::Decimal;

use super::{
    client::Failure,
    lenient::{Text, Whole},
    wire,
};

/// The product id that Brightpearl gives to rows of free text.
const FREE_TEXT_PRODUCT: i64 = 1000;
/// How deep bundles may hold bundles before it is taken for a circle.
const DEEPEST_BUNDLE: u32 = 8;

/// A whole order.
pub(super) fn to_order(order: wire::Order) -> Result<Order, Failure> {
    let order_id = order.id.0;
    if order_id < 1 {
        return Err(Failure::Unreadable("an order without an id".to_owned()));
    }
    let placed_at = order.placed_on.0.or(order.created_on.0);
    let placed_at = placed_at
        .ok_or_else(|| Failure::Unreadable(format!("order {order_id} says neither placedOn nor createdOn")))?;
    let parties = order.parties.unwrap_or_default();
    let customer = parties.customer.unwrap_or_default();
    let mut deliver_to = to_address(parties.delivery.as_ref().unwrap_or(&customer));
    let mut bill_to = to_address(parties.billing.as_ref().unwrap_or(&customer));
    for address in [&mut deliver_to, &mut bill_to] {
        if address.email.is_empty() {
            customer.email.0.trim().clone_into(&mut address.email);
        }
    }
    let mut lines: Vec<OrderLine> =
        order.order_rows.0.into_iter().map(|(row_id, row)| to_order_line(row_id, row)).collect();
    lines.sort_by_key(|line| (line.sequence, line.row_id));
    let delivery = order.delivery.unwrap_or_default();
    Ok(Order {
        order_id,
        parent_id: order.parent_order_id.id(),
        version: order.version.0,
        reference: order.reference.0,
        status_id: order.order_status.unwrap_or_default().order_status_id.0,
        warehouse_id: order.warehouse_id.id(),
        channel_id: order.assignment.and_then(|assignment| assignment.current).unwrap_or_default().channel_id.id(),
        ship_method_id: delivery.shipping_method_id.id(),
        placed_at,
        updated_at: order.updated_on.0,
        deliver_on: delivery.delivery_date.midnight(),
        // Brightpearl's order notes are for its own people.
        notes: String::new(),
        is_sale: order.order_type_code.0 == "SO",
        allocation: to_allocation(&order.allocation_status_code.0),
        fulfilment: to_fulfilment(&order.stock_status_code.0),
        shipping: to_shipping(&order.shipping_status_code.0),
        deliver_to,
        bill_to,
        lines,
    })
}

/// Allocation codes. A code that is not known is read as nothing allocated: the order waits and is read again, instead
/// of going out without goods.
fn to_allocation(code: &str) -> Allocation {
    match code {
        "ANR" => Allocation::NotRequired,
        "APA" => Allocation::Part,
        "AAA" => Allocation::All,
        _ => Allocation::None,
    }
}

/// Stock status codes of the four order types: goods-out notes made, not allocation. A code that is not known is read
/// as some, so that the notes themselves are looked at.
fn to_fulfilment(code: &str) -> Progress {
    match code {
        "NON" => Progress::NotApplicable,
        "SON" | "PON" | "SCN" | "PCN" => Progress::None,
        "SOA" | "POA" | "SCA" | "PCA" => Progress::All,
        _ => Progress::Part,
    }
}

/// Shipping status codes; one that is not known is read as some, for the same reason.
fn to_shipping(code: &str) -> Progress {
    match code {
        "NST" => Progress::NotApplicable,
        "SNS" => Progress::None,
        "ASS" => Progress::All,
        _ => Progress::Part,
    }
}

/// Brightpearl keeps the town in line 3 and the state or county in line 4.
fn to_address(party: &wire::Party) -> Address {
    let text = |text: &Text| text.0.trim().to_owned();
    let telephone = text(&party.telephone);
    Address {
        name: text(&party.address_full_name),
        company: text(&party.company_name),
        line1: text(&party.address_line1),
        line2: text(&party.address_line2),
        city: text(&party.address_line3),
        state: text(&party.address_line4),
        postcode: text(&party.postal_code),
        country: text(&party.country_iso_code),
        phone: if telephone.is_empty() { text(&party.mobile_telephone) } else { telephone },
        email: text(&party.email),
    }
}

fn to_order_line(row_id: i64, row: wire::OrderRow) -> OrderLine {
    let product_id = row.product_id.id().filter(|id| *id != FREE_TEXT_PRODUCT);
    let quantity = row.quantity.unwrap_or_default().magnitude.or_zero();
    let composition = row.composition.unwrap_or_default();
    let bundle = match composition.parent_order_row_id.id() {
        Some(parent) if composition.bundle_child.0 => BundleRole::Child(parent),
        _ if composition.bundle_parent.0 => BundleRole::Parent,
        _ => BundleRole::None,
    };
    OrderLine {
        row_id,
        product_id,
        sku: row.product_sku.0,
        name: row.product_name.0,
        quantity,
        unit_price: to_unit_price(row.product_price, row.row_value, quantity),
        stock: if product_id.is_some() { LineStock::Unknown } else { LineStock::FreeText },
        bundle,
        sequence: row.order_row_sequence.0,
    }
}

/// The product's price; rows that programs add may have none, then the row's net value over its quantity.
fn to_unit_price(price: Option<wire::MoneyValue>, value: Option<wire::RowValue>, quantity: Decimal) -> Option<Money> {
    let price = price
        .filter(|price| !price.value.or_zero().is_zero())
        .map(|price| (price.currency_code.0, price.value.or_zero()));
    let net = || {
        let net = value?.row_net?;
        let each = net.value.0?.checked_div(quantity)?.round_dp(4);
        Some((net.currency_code.0, each))
    };
    let (currency, amount) = price.or_else(net)?;
    (!currency.is_empty()).then_some(Money { currency, amount })
}

/// A goods-out note with what the trait's form leaves out.
#[derive(Debug, Clone)]
pub(super) struct NoteDetail {
    pub(super) note: GoodsOutNote,
    pub(super) priority: bool,
    pub(super) label_uri: String,
    /// `None` where the note does not say.
    pub(super) boxes: Option<i64>,
    /// `None` where the note does not say.
    pub(super) weight: Option<Decimal>,
    /// 0 while unshipped.
    pub(super) shipped_by: i64,
}

/// A goods-out note.
pub(super) fn to_note(note_id: i64, note: wire::GoodsOutNote) -> Result<NoteDetail, Failure> {
    let created_at = note.created_on.0.or(note.release_date.0);
    let created_at = created_at
        .ok_or_else(|| Failure::Unreadable(format!("goods-out note {note_id} does not say when it was made")))?;
    let status = note.status.unwrap_or_default();
    let shipping = note.shipping.unwrap_or_default();
    let rows = note.order_rows.0.into_iter().filter_map(|(row_id, parts)| {
        // One entry per location.
        let product_id = parts.first()?.product_id.0;
        let quantity = parts.iter().map(|part| part.quantity.or_zero()).sum();
        Some(NoteRow { row_id, product_id, quantity })
    });
    Ok(NoteDetail {
        note: GoodsOutNote {
            note_id,
            order_id: note.order_id.0,
            warehouse_id: note.warehouse_id.0,
            transfer: note.transfer.0 || note.order_id.id().is_none(),
            state: if status.shipped.0 { NoteState::Shipped } else { NoteState::Unshipped },
            shipped_at: status.shipped_on.0,
            created_by: note.created_by.0,
            created_at,
            release_at: note.release_date.0,
            ship_method_id: shipping.shipping_method_id.0,
            reference: shipping.reference.0,
            version: note.last_event_version.0,
            rows: rows.collect(),
        },
        priority: note.priority.0,
        label_uri: note.label_uri.0,
        boxes: shipping.boxes.map(|boxes| boxes.0),
        weight: shipping.weight.and_then(|weight| weight.0),
        shipped_by: status.shipped_by_id.0,
    })
}

/// A product. Components of bundles within bundles are multiplied down to what is stocked.
pub(super) fn to_product(product: wire::Product) -> Product {
    let mut components = Vec::new();
    if let Some(composition) = product.composition.filter(|composition| composition.bundle.0) {
        collect_components(&composition, Decimal::ONE, DEEPEST_BUNDLE, &mut components);
    }
    Product {
        product_id: product.id.0,
        sku: product.identity.unwrap_or_default().sku.0,
        stock_tracked: product.stock.unwrap_or_default().stock_tracked.0,
        archived: product.status.0.eq_ignore_ascii_case("ARCHIVED"),
        components,
    }
}

fn collect_components(composition: &wire::Composition, times: Decimal, depth: u32, into: &mut Vec<(i64, Decimal)>) {
    for component in &composition.bundle_components {
        let units = times.saturating_mul(component.product_quantity.0.unwrap_or(Decimal::ONE));
        match &component.composition {
            Some(inner) if inner.bundle.0 && depth > 0 => collect_components(inner, units, depth - 1, into),
            Some(_) | None => match into.iter_mut().find(|(id, _)| *id == component.product_id.0) {
                Some((_, sum)) => *sum = sum.saturating_add(units),
                None => into.push((component.product_id.0, units)),
            },
        }
    }
}

/// Stock figures.
pub(super) fn to_stock(availability: &wire::Availability) -> SourceStock {
    SourceStock {
        in_stock: availability.in_stock.or_zero(),
        on_hand: availability.on_hand.or_zero(),
        allocated: availability.allocated.or_zero(),
    }
}

/// The price for a single one. That of many is another price, and at nothing the stock would be worth nothing.
pub(super) fn to_cost(price: &wire::ProductPrice, price_list: i64) -> Option<Money> {
    let list = price.price_lists.iter().find(|list| list.price_list_id == Whole(price_list))?;
    let amount = list.quantity_price.0.get(&1)?.0.filter(|amount| *amount > Decimal::ZERO)?;
    Some(Money { currency: list.currency_code.0.clone(), amount })
}

/// A warehouse to pick.
pub(super) fn to_warehouse(warehouse: wire::Warehouse) -> Choice {
    Choice { id: warehouse.id.0, name: warehouse.name.0, detail: warehouse.type_description.0 }
}

/// A status to pick, where it is one of sales orders.
pub(super) fn to_status(status: wire::OrderStatus) -> Option<OrderStatusChoice> {
    (status.order_type_code.0 == "SO").then_some(OrderStatusChoice {
        id: status.status_id.0,
        name: status.name.0,
        order_type: status.order_type_code.0,
        disabled: status.disabled.0,
    })
}

/// A channel to pick.
pub(super) fn to_channel(channel: wire::Channel) -> Choice {
    Choice { id: channel.id.0, name: channel.name.0, detail: String::new() }
}

/// A shipping method to pick, told apart by carrier and code.
pub(super) fn to_ship_method(method: wire::ShippingMethod) -> Choice {
    let detail = join(&[&method.carrier.0, &method.code.0]);
    Choice { id: method.id.0, name: method.name.0, detail }
}

/// A price list to pick, told apart by type and currency.
pub(super) fn to_price_list(list: wire::PriceList) -> Choice {
    let name = list.name.map(|name| name.text.0).filter(|name| !name.is_empty()).unwrap_or(list.code.0);
    Choice { id: list.id.0, name, detail: join(&[&list.price_list_type_code.0, &list.currency_code.0]) }
}

fn join(words: &[&str]) -> String {
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use connect::{Allocation, BundleRole, LineStock, Progress};
    use rust_decimal::Decimal;
    use serde_json::{from_value, json};

    use super::{to_allocation, to_cost, to_fulfilment, to_note, to_order, to_product, to_shipping};

    #[test]
    fn odd_order_shapes() {
        let order = to_order(
            from_value(json!({
                "id": 5, "placedOn": "2026-02-03T10:15:00.000+01:00", "parentOrderId": 3, "orderTypeCode": "SO",
                "delivery": {"deliveryDate": "2022-01-19T18:00:00.000-06:00", "shippingMethodId": 0}, "parties": {"customer": {"email": "c@example.test", "addressLine3": "Town", "addressLine4": null}},
                "orderRows": {
                    "30": {"orderRowSequence": "20", "productId": 7, "productSku": "", "quantity": {"magnitude": 2},
                           "composition": {"bundleParent": false, "bundleChild": true, "parentOrderRowId": 29}},
                    "29": {"orderRowSequence": "10", "productId": 6, "quantity": {"magnitude": "1.0000"},
                           "composition": {"bundleParent": true}},
                    "31": {"orderRowSequence": "30", "productId": 1000, "productName": "Gift wrap", "quantity": {"magnitude": "4.0000"},
                           "productPrice": {"currencyCode": "EUR", "value": "0.0000"},
                           "rowValue": {"rowNet": {"currencyCode": "EUR", "value": "10.0000"}}},
                    "32": {"productName": "No product at all"}
                },
                "unknown": {"anything": [1]}
            }))
            .unwrap(),
        )
        .unwrap();
        assert_eq!(order.parent_id, Some(3));
        assert_eq!((order.warehouse_id, order.ship_method_id), (None, None));
        // The recorded answer to writing 2022-01-20.
        assert_eq!(order.deliver_on.unwrap().to_string(), "2022-01-20T00:00:00Z");
        assert_eq!((order.deliver_to.city.as_str(), order.deliver_to.email.as_str()), ("Town", "c@example.test"));
        let lines: Vec<_> =
            order.lines.iter().map(|line| (line.row_id, line.product_id, line.bundle, line.stock)).collect();
        assert_eq!(
            lines,
            [
                (32, None, BundleRole::None, LineStock::FreeText),
                (29, Some(6), BundleRole::Parent, LineStock::Unknown),
                (30, Some(7), BundleRole::Child(29), LineStock::Unknown),
                (31, None, BundleRole::None, LineStock::FreeText),
            ]
        );
        assert_eq!(order.lines.last().unwrap().unit_price.as_ref().unwrap().amount, Decimal::new(25, 1));
        assert!(to_order(from_value(json!({"id": 5})).unwrap()).is_err());
    }

    #[test]
    fn codes() {
        assert_eq!(to_allocation("AAA"), Allocation::All);
        assert_eq!(to_allocation("AAO"), Allocation::None);
        assert_eq!(to_fulfilment("SOP"), Progress::Part);
        assert_eq!(to_fulfilment("PCN"), Progress::None);
        assert_eq!(to_shipping("NST"), Progress::NotApplicable);
        assert_eq!(to_shipping("new"), Progress::Part);
    }

    #[test]
    fn a_note_sums_locations_and_a_transfer_is_told() {
        let note = to_note(
            9,
            from_value(json!({
                "orderId": 1, "warehouseId": 2, "createdOn": "2026-02-03T10:15:00.000+01:00", "status": {"shipped": false},
                "shipping": {"reference": null, "weight": "3.40"}, "lastEventVersion": 11,
                "orderRows": {"8": [{"productId": 7, "quantity": 1, "locationId": 2}, {"productId": 7, "quantity": "2", "locationId": 3}]}
            }))
            .unwrap(),
        )
        .unwrap();
        assert_eq!(note.note.rows.first().unwrap().quantity, Decimal::from(3));
        assert_eq!((note.boxes, note.weight), (None, Some(Decimal::new(340, 2))));
        assert!(!note.note.transfer);
        let transfer = json!({"orderId": 0, "transfer": true, "createdOn": "2026-02-03T10:15:00Z", "orderRows": {}});
        assert!(to_note(10, from_value(transfer).unwrap()).unwrap().note.transfer);
    }

    #[test]
    fn bundles_within_bundles() {
        let product = to_product(
            from_value(json!({
                "id": 4, "identity": {"sku": "KIT"}, "status": "ARCHIVED", "stock": {"stockTracked": false},
                "composition": {"bundle": true, "bundleComponents": [
                    {"productId": 7, "productQuantity": 1},
                    {"productId": 8, "productQuantity": "2", "composition": {"bundle": true, "bundleComponents": [
                        {"productId": 7, "productQuantity": 3}]}}]}
            }))
            .unwrap(),
        );
        assert_eq!(product.components, [(7, Decimal::from(7))]);
        assert!(product.archived && !product.stock_tracked);
    }

    #[test]
    fn the_cost_is_the_price_for_one() {
        let price = from_value(json!({"productId": 1, "priceLists": [
            {"priceListId": 1, "currencyCode": "GBP", "quantityPrice": {"5": "9.0000", "1": "10.0000"}},
            {"priceListId": 2, "currencyCode": "GBP", "quantityPrice": {}},
            {"priceListId": 4, "currencyCode": "GBP", "quantityPrice": {"5": "9.0000"}},
            {"priceListId": 5, "currencyCode": "GBP", "quantityPrice": {"1": "0.0000"}}]}))
        .unwrap();
        assert_eq!(to_cost(&price, 1).unwrap().amount, Decimal::from(10));
        for without in 2..=5 {
            assert_eq!(to_cost(&price, without), None);
        }
    }
}
