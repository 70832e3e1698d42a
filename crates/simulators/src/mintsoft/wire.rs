//! Documents as the API shows them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::floor::Floor;
use super::model::{Order, Product, Scan};
use super::switches::TrackingAt;

/// Times are British and carry no offset.
pub(super) fn zone() -> TimeZone {
    TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").unwrap_or(TimeZone::UTC)
}

pub(super) fn local(moment: Timestamp) -> String {
    moment.to_zoned(zone()).strftime("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

/// A time in a query.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let local: jiff::civil::DateTime = text.parse().ok()?;
    Some(local.to_zoned(zone()).ok()?.timestamp())
}

impl Floor {
    pub(super) fn order_document(&self, order: &Order, with_items: bool) -> Value {
        let mut document = Map::new();
        // What the client wrote comes back as it came; what it may not write does not.
        for (name, value) in &order.written {
            if !matches!(name.as_str(), "CourierService" | "Country" | "Warehouse" | "Channel" | "Currency" | "Client")
            {
                document.insert(name.clone(), value.clone());
            }
        }
        let on_order = matches!(self.switches.tracking_at, TrackingAt::Order | TrackingAt::OrderBesideShipments);
        let tracking =
            if on_order { order.parcels.join(",") } else { order.parcels.first().cloned().unwrap_or_default() };
        let own = json!({
            "ID": order.id,
            "ClientId": order.client,
            "WarehouseId": order.warehouse,
            "OrderNumber": order.number,
            "ExternalOrderReference": order.reference,
            "OrderStatusId": order.status.number(self.switches.own_status_numbers),
            "OrderDate": local(order.created),
            "LastUpdated": local(order.changed),
            "DespatchDate": order.despatched.map(local),
            "CourierServiceName": order.courier,
            "TrackingNumber": (!tracking.is_empty()).then_some(tracking),
            "NumberOfParcels": order.parcels.len(),
            "Part": order.part,
            "NumberOfParts": order.parts,
            "TotalItems": order.lines.iter().map(|line| line.quantity).sum::<i64>(),
        });
        document.extend(own.as_object().cloned().unwrap_or_default());
        if with_items {
            document.insert("OrderItems".to_owned(), self.item_documents(order));
        }
        Value::Object(document)
    }

    pub(super) fn item_documents(&self, order: &Order) -> Value {
        let items = order.lines.iter().map(|line| {
            let mut item = line.written.clone();
            item.insert("ID".to_owned(), json!(line.id));
            item.insert("OrderId".to_owned(), json!(order.id));
            item.insert("ProductId".to_owned(), json!(line.product));
            item.insert("SKU".to_owned(), json!(line.sku));
            item.insert("Quantity".to_owned(), json!(line.quantity));
            // Spelt so by the service.
            for count in ["Allocated", "Commited", "OnBackOrder"] {
                item.insert(count.to_owned(), json!(0));
            }
            Value::Object(item)
        });
        Value::Array(items.collect())
    }

    pub(super) fn shipment_documents(&self, order: &Order) -> Value {
        let Some(at) = order.despatched else { return json!([]) };
        let shipment = |id: u64, number: &str, parcels: &[String]| {
            json!({
                "ID": id, "OrderId": order.id, "CourierType": "Simulated", "Number": number, "ParcelNumbers": parcels,
                "ShipmentDate": local(at), "Manifested": true, "LabelURL": null, "LastUpdated": local(at),
            })
        };
        let first = order.parcels.first().cloned().unwrap_or_default();
        match self.switches.tracking_at {
            TrackingAt::Order => json!([]),
            TrackingAt::OrderBesideShipments => json!([shipment(order.id, "", &[])]),
            TrackingAt::ParcelNumbers => json!([shipment(order.id, &first, &order.parcels)]),
            TrackingAt::Shipments => {
                let each = (order.id..).zip(&order.parcels).map(|(id, number)| shipment(id, number, &[]));
                Value::Array(each.collect())
            }
        }
    }

    /// One row for each part that was split off, as seen from any of them.
    pub(super) fn split_documents(&self, order: &Order) -> Value {
        let root = order.split_of.unwrap_or(order.id);
        let parts = self.orders.values().filter(|part| part.split_of == Some(root));
        Value::Array(parts.map(|part| json!({"ID": part.id, "OrderId": root, "SplitOrderId": part.id})).collect())
    }

    pub(super) fn stock_document(&self, product: &Product, warehouse: u64, breakdown: bool) -> Value {
        let here = self.shelves.iter().filter(|shelf| shelf.product == product.id);
        let here: Vec<_> = here.filter(|shelf| warehouse == 0 || shelf.warehouse == warehouse).collect();
        let level: i64 = match warehouse {
            0 => self.buildings.iter().map(|building| self.level(product, building.id)).sum(),
            one => self.level(product, one),
        };
        let changed = here.iter().map(|shelf| shelf.changed).max().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut row = json!({
            "ProductId": product.id, "WarehouseId": warehouse, "ClientId": product.client, "SKU": product.sku,
            "Level": level, "TotalStockLevel": level, "PreOrderable": false, "Bundle": !product.parts.is_empty(),
            "LowStockLevel": 0, "LastUpdated": local(changed),
        });
        if let (true, Some(fields)) = (breakdown, row.as_object_mut()) {
            let parts = here.iter().filter(|shelf| shelf.units > 0).map(|shelf| {
                json!({
                    "Quantity": shelf.units, "BatchNo": filled(&shelf.batch), "SerialNo": null,
                    "BestBefore": shelf.best_before.map(english), "Type": "Pick",
                })
            });
            fields.insert("Breakdown".to_owned(), Value::Array(parts.collect()));
        }
        row
    }
}

pub(super) fn scan_document(order: &Order, scan: &Scan) -> Value {
    json!({
        "ID": scan.line, "OrderId": order.id, "OrderItemId": scan.line, "Quantity": scan.units, "BatchNo": filled(&scan.batch),
        "SerialNo": filled(&scan.serial), "ExpiryDate": scan.best_before.map(|date| format!("{date}T00:00:00")),
        "BoxNumber": scan.box_number, "SSCCNumber": null, "ManuallyConfirmed": false, "MobileApp": true,
    })
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// `05-May-2027`.
fn english(date: jiff::civil::Date) -> String {
    date.strftime("%d-%b-%Y").to_string()
}
