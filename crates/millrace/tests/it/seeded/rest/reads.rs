//! The documents of the warehouse, and the lists of them.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    CUSTOMER, FACILITY, RestWarehouse, STRANGER,
    answers::{Answer, blank, list, rel},
    filter::listed,
    order::{Item, Made, State, tag},
};
use crate::seeded::{warehouse::Packed, wire::Query};

/// The zone of the warehouse's times, which carry none.
static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap());

/// Times carry no zone: they are the warehouse's own.
fn written(time: Timestamp) -> String {
    time.to_zoned(ZONE.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Which parts of an order are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    lines: bool,
    boxes: bool,
}

impl Detail {
    pub(super) const ALL: Self = Self { lines: true, boxes: true };

    fn of(query: &Query) -> Self {
        let words = query.get("detail").map(String::as_str).unwrap_or_default();
        let has =
            |word: &str| words.split(',').any(|one| one.eq_ignore_ascii_case(word) || one.eq_ignore_ascii_case("All"));
        Self { lines: has("OrderItems"), boxes: has("Packages") }
    }
}

/// What of an item lies there, and what open orders ask of it.
struct Shelf {
    customer: i64,
    item: i64,
    sku: String,
    there: i64,
    asked: i64,
    committed: i64,
}

impl Shelf {
    /// The customer is among what a filter may name, and not told.
    fn fact(&self, path: &str) -> Option<Value> {
        Some(match path {
            "customeridentifier.id" => json!(self.customer),
            "facilityid" => json!(FACILITY),
            "itemidentifier.id" => json!(self.item),
            "itemidentifier.sku" => json!(self.sku),
            "qualifier" => json!(""),
            _ => return None,
        })
    }

    fn told(&self) -> Value {
        json!({
            "itemIdentifier": {"sku": self.sku, "id": self.item}, "qualifier": "", "allocated": self.committed as f64,
            "available": (self.there - self.committed) as f64, "onHold": 0.0, "onHand": self.there as f64,
            "orderedNotAllocated": (self.asked - self.committed) as f64, "facilityId": FACILITY,
        })
    }
}

/// Whether there is anything behind a path, for another method perhaps.
pub(super) fn is_there(path: &[&str]) -> bool {
    matches!(
        path,
        ["orders"]
            | ["orders", _]
            | ["orders", _, "completer" | "canceler" | "packages"]
            | ["inventory", "stocksummaries"]
            | ["customers", _, "items"]
    )
}

impl RestWarehouse {
    /// What a filter may name of an order. Of its status only whether it is cancelled can be relied upon.
    fn fact(&self, made: &Made, path: &str) -> Option<Value> {
        Some(match path {
            "referencenum" => json!(made.reference),
            "externalid" => made.asked["externalId"].clone(),
            "ponum" => made.asked["poNum"].clone(),
            "readonly.orderid" => json!(made.id),
            "readonly.status" => json!(if made.cancelled { 2 } else { 0 }),
            "readonly.isclosed" => json!(self.is_closed(made)),
            "readonly.defernotification" => json!(self.is_deferred(made)),
            "readonly.pickstarted" => json!(made.started),
            "readonly.creationdate" => json!(written(made.created)),
            "readonly.lastmodifieddate" => json!(written(made.modified)),
            "readonly.processdate" | "readonly.shipdate" => json!(made.closed.map(written)),
            "readonly.customeridentifier.id" => json!(made.customer),
            "readonly.facilityidentifier.id" => json!(FACILITY),
            _ => return None,
        })
    }

    fn is_closed(&self, made: &Made) -> bool {
        made.closed.is_some() || made.cancelled && self.closes_cancelled
    }

    /// As an order shows it: where being let go does not show, it stays what it was made as.
    fn is_deferred(&self, made: &Made) -> bool {
        if self.shows_release { made.held } else { made.deferred }
    }

    pub(super) fn document(&self, made: &Made, detail: Detail) -> Value {
        let status = if made.cancelled { 2 } else { i64::from(made.closed.is_some()) };
        let mut told = json!({
            "readOnly": {
                "orderId": made.id, "status": status, "isClosed": self.is_closed(made),
                "deferNotification": self.is_deferred(made), "creationDate": written(made.created),
                "lastModifiedDate": written(made.modified), "processDate": made.closed.map(written),
                "shipDate": made.closed.map(written), "pickStarted": made.started, "pickDoneDate": null,
                "packStarted": false, "packDoneDate": null, "onHoldDate": null, "onHoldReason": null,
                "customerIdentifier": {"externalId": null, "id": made.customer},
                "facilityIdentifier": {"id": FACILITY},
            },
            "referenceNum": made.reference,
            "poNum": made.asked["poNum"],
            "externalId": made.asked["externalId"],
            "routingInfo": {"carrier": "UPS", "mode": "Ground", "trackingNumber": "", "billOfLading": ""},
            "shipTo": made.asked["shipTo"],
            "_links": {"self": {"href": format!("/orders/{}", made.id)}},
        });
        if detail.lines {
            let line = |item: &Item| {
                json!({"readOnly": {"orderItemId": item.id}, "itemIdentifier": {"sku": item.sku}, "qualifier": "",
                    "externalId": item.line.to_string(), "qty": item.quantity as f64, "lotNumber": "",
                    "serialNumber": "", "expirationDate": null})
            };
            let lines: Vec<Value> = made.items.iter().map(line).collect();
            told["_embedded"] = json!({rel("orders/item"): lines});
        }
        if detail.boxes {
            told["readOnly"]["packages"] =
                if self.shows_boxes { packages(made, false).into() } else { Value::Array(Vec::new()) };
        }
        told
    }

    pub(super) fn read(&self, state: &State, path: &[&str], query: &Query, now: Timestamp) -> Answer {
        let order = |id: &str| id.parse().ok().and_then(|id| state.order(id));
        let told = match path {
            ["orders"] => {
                let then = now - SignedDuration::from_secs(self.dice.between(0, state.lag));
                let detail = Detail::of(query);
                let (fact, show) =
                    (|made: &&Made, path: &str| self.fact(made, path), |made: &&Made| self.document(made, detail));
                let orders: Vec<&Made> = state.known(then).collect();
                let found = listed(query, (100, 1000), orders, fact, show);
                found.map(|(total, rows)| list("orders/order", total, rows))
            }
            ["orders", id] => Ok(match order(id) {
                Some(made) => (200, Some(tag(made.id, made.version)), self.document(made, Detail::of(query))),
                None => blank(404),
            }),
            ["orders", id, "packages"] => Ok(match order(id) {
                Some(made) => list("orders/package", made.boxes.len(), packages(made, true)),
                None => blank(404),
            }),
            ["inventory", "stocksummaries"] => {
                let ours = state.stock.iter().zip(501..).map(|((sku, there), item)| Shelf {
                    customer: CUSTOMER,
                    item,
                    sku: sku.clone(),
                    there: *there,
                    asked: state.asked(sku),
                    committed: state.committed(sku),
                });
                let theirs = self.stock_of_stranger.iter().zip(901..).map(|((sku, there), item)| Shelf {
                    customer: STRANGER,
                    item,
                    sku: sku.clone(),
                    there: *there,
                    asked: 0,
                    committed: 0,
                });
                let shelves: Vec<Shelf> = ours.chain(theirs).collect();
                let found = listed(query, (100, 500), shelves, Shelf::fact, Shelf::told);
                found.map(|(total, rows)| (200, None, json!({"totalResults": total, "summaries": rows})))
            }
            ["customers", id, "items"] if *id == CUSTOMER.to_string() => {
                let items: Vec<(&String, i64)> = state.stock.keys().zip(501..).collect();
                let fact = |(sku, item): &(&String, i64), path: &str| match path {
                    "sku" => Some(json!(sku)),
                    "readonly.itemid" => Some(json!(item)),
                    "readonly.deactivated" => Some(json!(false)),
                    _ => None,
                };
                let show = |(sku, item): &(&String, i64)| {
                    let read_only = json!({"itemId": item, "deactivated": false});
                    json!({"sku": sku, "readOnly": read_only})
                };
                listed(query, (10, 100), items, fact, show).map(|(total, rows)| list("customers/item", total, rows))
            }
            ["orders", _, "completer" | "canceler"] => Ok(blank(405)),
            _ => Ok(blank(404)),
        };
        told.unwrap_or_else(|refusal| refusal)
    }
}

/// What is in the boxes of an order, and below it or in itself.
fn packages(made: &Made, below: bool) -> Vec<Value> {
    let package = |((tracking, lines), number): (&Packed, i64)| {
        let id = made.id * 100 + number;
        let content = |(line, _, units): &(u32, String, i64)| {
            let item = made.items.iter().find(|item| item.line == *line)?;
            Some(json!({"packageId": id, "orderItemId": item.id, "qty": *units as f64, "lotNumber": "",
                "serialNumber": "", "serialNumbers": [], "expirationDate": null}))
        };
        let contents: Vec<Value> = lines.iter().filter_map(content).collect();
        let mut told = json!({"packageId": id, "trackingNumber": tracking, "createDate": made.closed.map(written)});
        if below {
            told["_embedded"] = json!({rel("orders/packagecontent"): contents});
        } else {
            told["packageContents"] = contents.into();
        }
        told
    };
    made.boxes.iter().zip(1..).map(package).collect()
}
