//! What is left of an order when the people in it are erased: everything that goods, money and the journal need, and nobody's name.

use connect::{Address, LineStock, Order, ShipmentRequest};

/// Stands in the place of a name.
pub const ERASED: &str = "[erased]";

/// An order without people. Number, reference, times, rows, SKUs, quantities and prices stay, and of addresses the country; the words of
/// lines without a product go, since people write names into them. Once more changes nothing.
pub fn order(mut order: Order) -> Order {
    order.deliver_to = address(&order.deliver_to);
    order.bill_to = address(&order.bill_to);
    order.notes.clear();
    for line in &mut order.lines {
        if line.stock == LineStock::FreeText || line.product_id.is_none() {
            line.name.clear();
        }
    }
    order
}

/// What a warehouse was asked for, without people.
pub fn request(mut request: ShipmentRequest) -> ShipmentRequest {
    request.ship_to = address(&request.ship_to);
    request.bill_to = address(&request.bill_to);
    request.notes.clear();
    request
}

/// An address without people: its country.
pub fn address(given: &Address) -> Address {
    Address { name: ERASED.to_owned(), country: given.country.clone(), ..Address::default() }
}

#[cfg(test)]
mod tests {
    use connect::{Address, Allocation, BundleRole, LineStock, Order, OrderLine, Progress};
    use rust_decimal::Decimal;

    use super::order;

    fn line(row_id: i64, product_id: Option<i64>, stock: LineStock) -> OrderLine {
        OrderLine {
            row_id,
            product_id,
            sku: format!("SKU-{row_id}"),
            name: "Engraved: CANARY".to_owned(),
            quantity: Decimal::from(row_id),
            unit_price: None,
            stock,
            bundle: BundleRole::None,
            sequence: row_id,
        }
    }

    fn given() -> Order {
        let canary = || "CANARY".to_owned();
        let address = Address {
            name: canary(),
            company: canary(),
            line1: canary(),
            line2: canary(),
            city: canary(),
            state: canary(),
            postcode: canary(),
            country: "GB".to_owned(),
            phone: canary(),
            email: canary(),
        };
        Order {
            order_id: 7,
            parent_id: None,
            version: 1,
            reference: "web-7".to_owned(),
            status_id: 3,
            warehouse_id: Some(2),
            channel_id: Some(1),
            ship_method_id: Some(7),
            placed_at: "2026-05-01T10:00:00Z".parse().unwrap(),
            updated_at: None,
            deliver_on: None,
            notes: canary(),
            is_sale: true,
            allocation: Allocation::All,
            fulfilment: Progress::None,
            shipping: Progress::None,
            deliver_to: address.clone(),
            bill_to: address,
            lines: vec![line(1, None, LineStock::FreeText)],
        }
    }

    #[test]
    fn nobody_is_left_and_the_goods_are() {
        let mut with_goods = given();
        with_goods.lines.push(OrderLine { name: "Lamp".to_owned(), ..line(2, Some(9), LineStock::Stocked) });
        let after = order(with_goods.clone());
        assert!(!serde_json::to_string(&after).unwrap().contains("CANARY"), "{after:?}");
        assert_eq!((after.deliver_to.country.as_str(), after.reference.as_str()), ("GB", "web-7"));
        let rows = |order: &Order| order.lines.iter().map(|line| (line.row_id, line.quantity)).collect::<Vec<_>>();
        assert_eq!(rows(&after), rows(&with_goods));
        assert_eq!(after.lines[1].name, "Lamp");
        assert_eq!(order(after.clone()), after);
    }
}
