//! Stock and master data as they look on the wire.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::floor::Floor;
use super::ledger::LedgerStock;
use super::model::{Item, Status};
use super::rql::{Field, Row};
use super::switches::OnHand;
use super::wire::{local, number};

/// A document with the properties filters may name. The customer of a stock row is among the latter only.
pub(super) struct Listed {
    pub document: Value,
    pub fields: Vec<(&'static str, Field)>,
}

impl Row for Listed {
    fn field(&self, path: &str) -> Option<Field> {
        let bare = path.strip_prefix("readonly.").unwrap_or(path);
        self.fields.iter().find(|(name, _)| *name == bare).map(|(_, field)| field.clone())
    }
}

#[derive(Default)]
struct Summary {
    received: Decimal,
    allocated: Decimal,
    free: Decimal,
    held: Decimal,
    ordered: Decimal,
}

fn whole(value: u64) -> Field {
    Field::Number(value.into())
}

impl Floor {
    /// Stock per item, qualifier and facility.
    pub(super) fn stock_summaries(&self) -> Vec<Listed> {
        let mut sums: BTreeMap<(u64, String, u64), Summary> = BTreeMap::new();
        for stock in self.stock.values() {
            let key = (stock.item, stock.came.qualifier.clone(), stock.came.facility);
            let sum = sums.entry(key).or_default();
            sum.received += stock.came.quantity;
            sum.allocated += stock.allocated;
            sum.free += stock.free();
            sum.held += stock.held();
        }
        for order in self.orders.values() {
            if order.status == Status::Open && order.complete {
                for line in &order.lines {
                    let key = (line.item, line.qualifier.clone(), order.facility);
                    if let Some(sum) = sums.get_mut(&key) {
                        sum.ordered += line.qty - line.allocated();
                    }
                }
            }
        }
        sums.into_iter()
            .filter_map(|((item, qualifier, facility), sum)| {
                let item = self.items.get(&item)?;
                let on_hand = sum.free
                    + sum.allocated
                    + match self.switches.on_hand {
                        OnHand::WithHeld => sum.held,
                        OnHand::WithoutHeld => Decimal::ZERO,
                    };
                Some(Listed {
                    document: json!({
                        "itemIdentifier": {"sku": item.sku, "id": item.id},
                        "qualifier": qualifier,
                        "totalReceived": number(sum.received),
                        "allocated": number(sum.allocated),
                        "available": number(sum.free),
                        "onHold": number(sum.held),
                        "onHand": number(on_hand),
                        "orderedNotAllocated": number(sum.ordered),
                        "facilityId": facility,
                    }),
                    fields: vec![
                        ("customeridentifier.id", whole(item.customer)),
                        ("facilityid", whole(facility)),
                        ("facilityidentifier.id", whole(facility)),
                        ("itemidentifier.id", whole(item.id)),
                        ("itemidentifier.sku", Field::Text(item.sku.clone())),
                        ("qualifier", Field::Text(qualifier)),
                        ("onhand", Field::Number(on_hand)),
                        ("available", Field::Number(sum.free)),
                    ],
                })
            })
            .collect()
    }

    /// Stock per receive item. `/inventory/stockdetails` and `/inventory` name the quantities differently.
    pub(super) fn stock_details(&self, inventory_names: bool) -> Vec<Listed> {
        self.stock
            .values()
            .filter_map(|stock| {
                let item = self.items.get(&stock.item)?;
                let came = &stock.came;
                let zone = self.zone(came.facility);
                let mut document = json!({
                    "receiveItemId": stock.id,
                    "itemIdentifier": {"sku": item.sku, "id": item.id},
                    "description": item.description,
                    "upc": item.upc,
                    "qualifier": came.qualifier,
                    "lotNumber": came.lot,
                    "serialNumber": stock.serials.first().cloned().unwrap_or_default(),
                    "expirationDate": came.expiration,
                    "locationIdentifier": {
                        "nameKey": {"facilityIdentifier": self.facility_identifier(came.facility), "name": "A-01-01"},
                        "id": 1,
                    },
                    "receivedDate": local(stock.at, &zone),
                });
                if let Value::Object(document) = &mut document {
                    let quantities = if inventory_names {
                        document.insert("customerIdentifier".to_owned(), self.customer_identifier(item.customer));
                        document.insert("facilityIdentifier".to_owned(), self.facility_identifier(came.facility));
                        document.insert("onHold".to_owned(), json!(stock.blocked()));
                        ["receivedQty", "availableQty", "onHandQty"]
                    } else {
                        document.insert("isOnHold".to_owned(), json!(came.on_hold));
                        document.insert("quarantined".to_owned(), json!(came.quarantined));
                        ["received", "available", "onHand"]
                    };
                    let values = [came.quantity, stock.free(), stock.on_hand];
                    for (name, value) in quantities.into_iter().zip(values) {
                        document.insert(name.to_owned(), number(value));
                    }
                }
                Some(Listed {
                    document,
                    fields: vec![
                        ("receiveitemid", whole(stock.id)),
                        ("customeridentifier.id", whole(item.customer)),
                        ("facilityidentifier.id", whole(came.facility)),
                        ("itemidentifier.id", whole(item.id)),
                        ("itemidentifier.sku", Field::Text(item.sku.clone())),
                        ("qualifier", Field::Text(came.qualifier.clone())),
                        ("lotnumber", Field::Text(came.lot.clone())),
                    ],
                })
            })
            .collect()
    }

    pub(super) fn item_list(&self, customer: u64) -> Vec<Listed> {
        self.items
            .values()
            .filter(|item| item.customer == customer)
            .map(|item| Listed {
                document: self.item_document(item),
                fields: vec![
                    ("itemid", whole(item.id)),
                    ("sku", Field::Text(item.sku.clone())),
                    ("upc", Field::Text(item.upc.clone())),
                    ("description", Field::Text(item.description.clone())),
                    ("deactivated", Field::Bool(item.deactivated)),
                ],
            })
            .collect()
    }

    pub(super) fn item_document(&self, item: &Item) -> Value {
        json!({
            "readOnly": {
                "customerIdentifier": self.customer_identifier(item.customer),
                "itemId": item.id,
                "deactivated": item.deactivated,
            },
            "itemId": item.id,
            "sku": item.sku,
            "upc": item.upc,
            "description": item.description,
            "options": {
                "inventoryUnit": {"unitIdentifier": {"name": "Each", "id": 1}},
                "trackBys": {
                    "trackLotNumber": item.track_bys.lot,
                    "trackSerialNumber": item.track_bys.serial,
                    "trackExpirationDate": item.track_bys.expiration,
                    "trackCost": 0,
                },
            },
            "_links": {"self": {"href": format!("/customers/{}/items/{}", item.customer, item.id)}},
        })
    }

    pub(super) fn customer_list(&self) -> Vec<Listed> {
        self.customers
            .values()
            .map(|customer| {
                let facilities: Vec<Value> = self.facilities.keys().map(|id| self.facility_identifier(*id)).collect();
                Listed {
                    document: json!({
                        "readOnly": {"customerId": customer.id, "deactivated": false},
                        "companyInfo": {"companyName": customer.name},
                        "externalId": null,
                        "facilities": facilities,
                        "_links": {"self": {"href": format!("/customers/{}", customer.id)}},
                    }),
                    fields: vec![
                        ("customerid", whole(customer.id)),
                        ("deactivated", Field::Bool(false)),
                        ("companyinfo.companyname", Field::Text(customer.name.clone())),
                    ],
                }
            })
            .collect()
    }

    pub(super) fn facility_list(&self) -> Vec<Listed> {
        self.facilities
            .values()
            .map(|facility| Listed {
                document: json!({
                    "facilityId": facility.id,
                    "name": facility.name,
                    "deactivated": false,
                    "code": facility.name,
                    "timeZoneName": facility.zone.windows_name(),
                }),
                fields: vec![
                    ("facilityid", whole(facility.id)),
                    ("name", Field::Text(facility.name.clone())),
                    ("deactivated", Field::Bool(false)),
                ],
            })
            .collect()
    }

    /// Stock by customer, SKU and facility, for the ledger.
    pub(super) fn ledger_stock(&self) -> Vec<LedgerStock> {
        let mut rows: BTreeMap<(u64, u64, String), LedgerStock> = BTreeMap::new();
        for stock in self.stock.values() {
            let Some(item) = self.items.get(&stock.item) else {
                continue;
            };
            let key = (item.customer, stock.came.facility, item.sku.clone());
            let row = rows.entry(key).or_insert_with(|| LedgerStock {
                customer: item.customer,
                facility: stock.came.facility,
                sku: item.sku.clone(),
                physical: Decimal::ZERO,
                allocated: Decimal::ZERO,
                held: Decimal::ZERO,
                available: Decimal::ZERO,
            });
            row.physical += stock.on_hand;
            row.allocated += stock.allocated;
            row.held += stock.held();
            row.available += stock.free();
        }
        rows.into_values().collect()
    }
}

/// Carriers with their services, as a warehouse in the United States or the United Kingdom would have them.
pub(super) fn carriers() -> Vec<Value> {
    let carrier = |name: &str, code: &str, scac: &str, services: &[(&str, &str)], off: bool| {
        let services: Vec<Value> =
            services.iter().map(|(code, description)| json!({"code": code, "description": description})).collect();
        json!({
            "name": name,
            "description": name,
            "carrierCode": code,
            "scacCode": scac,
            "deactivated": off,
            "shipmentServices": services,
            "billingCodes": billing_codes(),
        })
    };
    vec![
        carrier("UPS", "UPS", "UPSN", &[("03", "Ground"), ("02", "2nd Day Air"), ("01", "Next Day Air")], false),
        carrier("FedEx", "FEDEX", "FDEG", &[("92", "Ground"), ("03", "2 Day"), ("05", "Standard Overnight")], false),
        carrier("USPS", "USPS", "USPS", &[("92", "Priority Mail"), ("94", "First-Class Package")], false),
        carrier("Royal Mail", "RM", "", &[("TPN24", "Tracked 24"), ("TPS48", "Tracked 48")], false),
        carrier("DPD", "DPD", "", &[("12", "Next Day"), ("11", "Two Day")], false),
        carrier("Pony Express", "PONY", "", &[("1", "Relay")], true),
    ]
}

pub(super) fn billing_codes() -> Value {
    json!([
        {"code": "Prepaid"},
        {"code": "Collect"},
        {"code": "Recipient"},
        {"code": "BillThirdParty"},
    ])
}
