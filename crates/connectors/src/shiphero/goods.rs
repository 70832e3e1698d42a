//! What left of one order: boxes, tracking, lots and serial numbers.

use std::collections::BTreeMap;

use connect::{ConnectorError, Package, PackageLine, ShipMethod, Shipment};
use rust_decimal::Decimal;

use super::{
    orders::line_number,
    wire::{Content, Contents, Label, Line, Order, filled, utc},
};

/// What was shipped, by the shipment's id what of it cannot be used, and why, and what was taken back.
#[derive(Debug, Clone, Default)]
pub(super) struct Left {
    pub(super) shipments: Vec<Shipment>,
    pub(super) unusable: Vec<(String, String)>,
    pub(super) voided: Vec<String>,
}

/// Everything that left of an order. No shipment says that it is the last, which may change after it was told: how the order
/// ended is told by its state.
pub(super) fn left(order: &Order) -> Left {
    let mut left = Left::default();
    for contents in order.shipments() {
        let id = contents.head.id.clone();
        if contents.head.is_void() {
            left.voided.push(id);
        } else if contents.head.has_left() {
            match shipment(order, contents) {
                Ok(shipment) => left.shipments.push(shipment),
                Err(error) => left.unusable.push((id, error.message)),
            }
        }
    }
    left
}

fn shipment(order: &Order, contents: &Contents) -> Result<Shipment, ConnectorError> {
    let head = &contents.head;
    let key = order.head.key().ok_or_else(|| ConnectorError::unexpected("its order has no number"))?.to_owned();
    let left =
        filled(head.created_date.as_deref()).ok_or_else(|| ConnectorError::unexpected("it does not say when"))?;
    let labels: Vec<&Label> = head.labels().iter().filter(|label| !label.is_void()).collect();
    let lines = order.lines()?;
    let by_id: BTreeMap<&str, &Line> = lines.iter().map(|line| (line.id.as_str(), line)).collect();
    let (packages, loose) = packed(&labels, head.labels(), &contents.line_items.typed("goods of a shipment")?, &by_id)?;
    if packages.iter().flat_map(|package| &package.lines).chain(&loose).next().is_none() {
        return Err(ConnectorError::unexpected("it left with nothing in it"));
    }
    let way = |text: fn(&Label) -> Option<&str>| {
        labels.iter().find_map(|label| filled(text(label))).unwrap_or_default().to_owned()
    };
    Ok(Shipment {
        reference: head.id.clone(),
        key,
        shipped_at: utc(left)?,
        ship_method: ShipMethod {
            carrier: way(|label| label.carrier.as_deref()),
            service: way(|label| label.shipping_method.as_deref()),
        },
        packages,
        loose,
        is_final: false,
        ended: Vec::new(),
        whole: false,
        within_order: false,
        numbers_may_be_theirs: false,
    })
}

/// The boxes that hold, with what is in them, and what is in no known box. Goods under a voided label did not leave.
fn packed(
    labels: &[&Label],
    all: &[Label],
    contents: &[Content],
    by_id: &BTreeMap<&str, &Line>,
) -> Result<(Vec<Package>, Vec<PackageLine>), ConnectorError> {
    let mut packages: Vec<Package> = labels
        .iter()
        .map(|label| Package {
            tracking: filled(label.tracking_number.as_deref()).map(str::to_owned),
            ..Package::default()
        })
        .collect();
    let mut loose = Vec::new();
    for content in contents {
        if content.quantity < Decimal::ZERO {
            return Err(ConnectorError::unexpected("less than nothing of a line left"));
        }
        if content.quantity.is_zero() {
            continue;
        }
        let line = by_id.get(content.line_item_id.as_str()).ok_or_else(|| {
            ConnectorError::unexpected(format!(
                "it holds goods of line {}, which the order does not have",
                content.line_item_id
            ))
        })?;
        let named = filled(content.shipping_label_id.as_deref());
        if named.is_some_and(|id| all.iter().any(|label| label.id == id && label.is_void())) {
            continue;
        }
        let place = match named {
            Some(id) => labels.iter().position(|label| label.id == id),
            // With one box there is no question.
            None => Some(0).filter(|_| labels.len() == 1),
        };
        let goods = goods(line, content);
        match place.and_then(|place| packages.get_mut(place)) {
            Some(package) => package.lines.push(goods),
            None => loose.push(goods),
        }
    }
    Ok((packages, loose))
}

/// Serial numbers stand with the order's line, not with the shipment: they are told where the whole line is here. Otherwise
/// nobody can tell which of them left in which box.
fn goods(line: &Line, content: &Content) -> PackageLine {
    let serials = if content.quantity == line.quantity { line.serials() } else { Vec::new() };
    PackageLine {
        line_number: line.partner_line_item_id.as_deref().and_then(line_number),
        sku: line.sku.clone(),
        quantity: content.quantity,
        lot: content.lot().map(str::to_owned),
        serials,
    }
}
