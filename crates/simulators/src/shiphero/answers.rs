//! Documents with everything in them; what is asked for is picked out of them afterwards.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::floor::{Floor, account_id};
use super::model::{Order, Product, Shipment, Status, global, number_of};

/// Times carry no offset, and mean UTC.
fn time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A time in an argument, with an offset or without.
fn moment(value: Option<&Value>) -> Option<Timestamp> {
    let text = value?.as_str()?;
    text.parse::<Timestamp>().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        Some(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

impl Floor {
    /// The answer to one field at the top, whole; or the words of a refusal.
    pub(super) fn read(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        lag: Duration,
        now: Timestamp,
    ) -> Result<Value, String> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let seen = |order: &&Order| order.created.checked_add(lag).is_ok_and(|visible| visible <= now);
        let data: Vec<Value> = match name {
            "account" => return Ok(json!({ "data": self.account_document() })),
            "order" => {
                let id = self.order_of(arguments, "id")?;
                return Ok(json!({ "data": self.orders.get(&id).map(|order| self.order_document(order)) }));
            }
            "orders" => {
                let account = self.account(arguments)?;
                let from = moment(arguments.get("updated_from"));
                let fits = |order: &&Order| {
                    order.account == account
                        && text("order_number").is_none_or(|number| order.number == number)
                        && text("partner_order_id").is_none_or(|id| order.partner_id == id)
                        && text("shop_name").is_none_or(|shop| order.shop == shop)
                        && text("fulfillment_status").is_none_or(|word| self.status_word(order) == word)
                        && from.is_none_or(|from| order.updated >= from)
                };
                self.orders.values().filter(seen).filter(fits).map(|order| self.order_document(order)).collect()
            }
            "shipments" => {
                let account = self.account(arguments)?;
                let from = moment(arguments.get("date_from"));
                let of = text("order_id").and_then(|id| number_of("Order", id));
                let voided = arguments.get("voided").and_then(Value::as_bool);
                let orders = self.orders.values().filter(|order| order.account == account);
                let mut found: Vec<(&Order, &Shipment)> = orders
                    .filter(|order| of.is_none_or(|of| order.id == of))
                    .flat_map(|order| order.shipments.iter().map(move |shipment| (order, shipment)))
                    .filter(|(_, shipment)| from.is_none_or(|from| shipment.at >= from))
                    .filter(|(_, shipment)| voided.is_none_or(|voided| shipment.is_voided() == voided))
                    .collect();
                found.sort_by_key(|(_, shipment)| (shipment.at, shipment.id));
                found.into_iter().map(|(order, shipment)| self.shipment_document(order, shipment)).collect()
            }
            "warehouse_products" => {
                let account = self.account(arguments)?;
                let from = moment(arguments.get("updated_from"));
                let fits = |product: &&Product| {
                    product.account == account
                        && text("sku").is_none_or(|sku| product.sku == sku)
                        && text("warehouse_id").is_none_or(|id| id == global("Warehouse", 1))
                        && from.is_none_or(|from| product.updated >= from)
                };
                self.products.iter().filter(fits).map(|product| self.product_document(product)).collect()
            }
            other => return Err(format!("{other} is not simulated")),
        };
        Ok(json!({ "data": data }))
    }

    fn account_document(&self) -> Value {
        let children: Vec<Value> = self
            .children
            .iter()
            .map(|(id, name)| {
                json!({
                    "id": account_id(*id), "legacy_id": id, "email": format!("{name}@example.test"), "username": name,
                    "is_3pl": false, "warehouses": [], "customers": [],
                })
            })
            .collect();
        json!({
            "id": global("Account", self.parent), "legacy_id": self.parent, "email": "hub@example.test",
            "username": "hub", "is_3pl": !self.children.is_empty(),
            "warehouses": [{"id": global("Warehouse", 1), "legacy_id": 1, "identifier": "Primary"}],
            "customers": children,
        })
    }

    fn status_word(&self, order: &Order) -> String {
        match order.status {
            Status::Pending => self.switches.pending_word.to_owned(),
            Status::Fulfilled => "fulfilled".to_owned(),
            Status::Canceled => self.switches.cancelled_word.to_owned(),
        }
    }

    pub(super) fn order_document(&self, order: &Order) -> Value {
        let mut document = self.order_head(order);
        if let Some(fields) = document.as_object_mut() {
            let shipments: Vec<Value> =
                order.shipments.iter().map(|shipment| self.shipment_document(order, shipment)).collect();
            fields.insert("shipments".to_owned(), json!(shipments));
        }
        document
    }

    /// An order without what left of it, so that documents inside documents end.
    fn order_head(&self, order: &Order) -> Value {
        let lines = order.lines.iter().map(|line| {
            json!({
                "id": global("LineItem", line.id), "legacy_id": line.id, "sku": line.sku,
                "partner_line_item_id": line.partner_id, "quantity": line.quantity - line.removed,
                "quantity_allocated": line.open(), "quantity_shipped": line.shipped, "backorder_quantity": 0,
                "price": line.price, "product_name": line.name,
                "serial_numbers": line.serials.iter().map(|one| json!({"serial_number": one})).collect::<Vec<_>>(),
            })
        });
        let ready = order.status == Status::Pending && !order.is_held();
        json!({
            "id": global("Order", order.id), "legacy_id": order.id, "order_number": order.number,
            "partner_order_id": order.partner_id, "shop_name": order.shop,
            "fulfillment_status": self.status_word(order), "order_date": time(order.created),
            "updated_at": time(order.updated), "required_ship_date": null, "account_id": account_id(order.account),
            "holds": order.holds, "shipping_address": order.address_document(), "line_items": lines.collect::<Vec<_>>(),
            "allocations": [{"warehouse_id": global("Warehouse", 1), "ready_to_ship": ready}],
        })
    }

    fn shipment_document(&self, order: &Order, shipment: &Shipment) -> Value {
        let (carrier, method) = &order.carrier;
        let labels = shipment.labels.iter().map(|label| {
            json!({
                "id": global("Label", label.id), "status": if label.voided { "voided" } else { "valid" },
                "tracking_number": label.tracking, "alternate_tracking_id": "", "carrier": carrier,
                "shipping_name": method, "shipping_method": method, "box_name": "Box",
            })
        });
        let contents = shipment.contents.iter().map(|content| {
            let lot = (!content.lot.is_empty()).then(|| json!({"name": content.lot, "expires_at": null}));
            json!({
                "id": global("ShipmentLineItem", content.line), "line_item_id": global("LineItem", content.line),
                "quantity": content.units, "shipping_label_id": global("Label", content.label), "lot": lot,
            })
        });
        json!({
            "id": global("Shipment", shipment.id), "legacy_id": shipment.id, "order_id": global("Order", order.id),
            "warehouse_id": global("Warehouse", 1), "created_date": time(shipment.at), "completed": true,
            "shipped_off_shiphero": false, "refunded": false, "needs_refund": false,
            "shipping_labels": labels.collect::<Vec<_>>(), "line_items": contents.collect::<Vec<_>>(),
            "order": self.order_head(order),
        })
    }

    fn product_document(&self, product: &Product) -> Value {
        let allocated = self.allocated(product.account, &product.sku).min(product.on_hand);
        json!({
            "id": global("WarehouseProduct", 1), "account_id": account_id(product.account), "sku": product.sku,
            "warehouse_id": global("Warehouse", 1), "warehouse_identifier": "Primary", "on_hand": product.on_hand,
            "allocated": allocated, "available": product.on_hand - allocated, "backorder": 0, "reserve_inventory": 0,
            "non_sellable_quantity": product.non_sellable, "in_tote": 0, "sell_ahead": 0,
            "updated_at": time(product.updated), "active": true,
        })
    }
}

impl Order {
    /// Every part, also those that were not given.
    fn address_document(&self) -> Value {
        let parts = [
            "first_name",
            "last_name",
            "company",
            "address1",
            "address2",
            "city",
            "state",
            "zip",
            "country",
            "country_code",
            "email",
            "phone",
        ];
        let given =
            parts.into_iter().map(|part| (part.to_owned(), self.address.get(part).cloned().unwrap_or_default()));
        Value::Object(given.collect())
    }
}
