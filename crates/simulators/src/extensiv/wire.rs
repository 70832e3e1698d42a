//! Orders as they look on the wire, and both media types.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use super::floor::Floor;
use super::model::{Content, Line, Order, Package, Status};
use super::rql::{Field, Row};
use super::switches::{CancelledIsClosed, CompleteShows, PackagesAt, PoNumSearch, StatusFilter};

pub(super) const ORDER: &str = "http://api.3plCentral.com/rels/orders/order";
pub(super) const ORDER_ITEM: &str = "http://api.3plCentral.com/rels/orders/item";
pub(super) const PACKAGE: &str = "http://api.3plCentral.com/rels/orders/package";
pub(super) const PACKAGE_CONTENT: &str = "http://api.3plCentral.com/rels/orders/packagecontent";
pub(super) const CUSTOMER: &str = "http://api.3plCentral.com/rels/customers/customer";
pub(super) const ITEM: &str = "http://api.3plCentral.com/rels/customers/item";
pub(super) const FACILITY: &str = "http://api.3plCentral.com/rels/properties/facility";
pub(super) const CARRIER: &str = "http://api.3plCentral.com/rels/properties/carrier";

/// The shape an answer takes, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `application/hal+json`: camelCase, `_embedded`, `_links`.
    Hal,
    /// `application/json`: PascalCase, `ResourceList`.
    Plain,
}

impl Shape {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Hal => "application/hal+json; charset=utf-8",
            Self::Plain => "application/json; charset=utf-8",
        }
    }

    /// A document written for hal+json in this shape.
    pub(super) fn dress(self, document: Value) -> Value {
        match self {
            Self::Hal => document,
            Self::Plain => pascal(document, true),
        }
    }
}

fn pascal(value: Value, top: bool) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(|one| pascal(one, false)).collect()),
        Value::Object(object) => {
            let is_list = top && object.contains_key("totalResults");
            let mut out = Map::new();
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("_links", _) => {}
                    ("_embedded", Value::Object(embedded)) => {
                        for (rel, list) in embedded {
                            let name = if is_list { "ResourceList" } else { list_name(&rel) };
                            out.insert(name.to_owned(), pascal(list, false));
                        }
                    }
                    (_, value) => {
                        out.insert(first_letter(&name, char::to_ascii_uppercase), pascal(value, false));
                    }
                }
            }
            Value::Object(out)
        }
        other => other,
    }
}

fn list_name(rel: &str) -> &'static str {
    match rel {
        ORDER_ITEM => "OrderItems",
        PACKAGE => "Packages",
        PACKAGE_CONTENT => "PackageContents",
        _ => "ResourceList",
    }
}

/// Property names as the vendor's parser reads them: the case of the first letter does not matter.
pub(super) fn camel(value: Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(camel).collect()),
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(name, value)| (first_letter(&name, char::to_ascii_lowercase), camel(value)))
                .collect(),
        ),
        other => other,
    }
}

fn first_letter(name: &str, change: fn(&char) -> char) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => std::iter::once(change(&first)).chain(letters).collect(),
        None => String::new(),
    }
}

/// Quantities are binary fractions on this wire.
pub(super) fn number(value: Decimal) -> Value {
    value.to_f64().map_or(Value::Null, |value| json!(value))
}

/// A time without an offset, to the second.
pub(super) fn local(at: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    civil(at, zone).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn civil(at: Timestamp, zone: &jiff::tz::TimeZone) -> DateTime {
    let time = at.to_zoned(zone.clone()).datetime();
    time.with().subsec_nanosecond(0).build().unwrap_or(time)
}

fn maybe_local(at: Option<Timestamp>, zone: &jiff::tz::TimeZone) -> Value {
    at.map_or(Value::Null, |at| Value::String(local(at, zone)))
}

/// Which parts of an order were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Detail {
    pub items: bool,
    pub packages: bool,
    pub saved_elements: bool,
    pub outbound_serials: bool,
    pub small_parcel: bool,
    pub allocations: bool,
    pub item_saved_elements: bool,
}

impl Detail {
    /// Reads `detail` and `itemdetail`; the error is the name of the parameter that holds an unknown word.
    pub(super) fn parse(detail: &str, item_detail: &str) -> Result<Self, &'static str> {
        let order_words = [
            "none",
            "orderitems",
            "billingdetails",
            "savedelements",
            "packages",
            "contacts",
            "proposedbilling",
            "outboundserialnumbers",
            "smallparcel",
            "parceloptions",
            "inserts",
            "all",
        ];
        let item_words = ["none", "savedelements", "allocations", "all", "allocationswithdetail"];
        let order = words(detail, &order_words).ok_or("detail")?;
        let item = words(item_detail, &item_words).ok_or("itemdetail")?;
        let has = |word: &str| order.contains(word) || order.contains("all");
        let item_has = |word: &str| item.contains(word) || item.contains("all");
        Ok(Self {
            items: has("orderitems"),
            packages: has("packages"),
            saved_elements: has("savedelements"),
            outbound_serials: has("outboundserialnumbers"),
            small_parcel: has("smallparcel"),
            allocations: item_has("allocations") || item_has("allocationswithdetail"),
            item_saved_elements: item_has("savedelements"),
        })
    }
}

fn words(text: &str, known: &[&str]) -> Option<BTreeSet<String>> {
    let words: BTreeSet<String> =
        text.split(',').map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect();
    words.iter().all(|word| known.contains(&word.as_str())).then_some(words)
}

impl Floor {
    /// An order in hal+json.
    pub(super) fn order_document(&self, order: &Order, detail: &Detail) -> Value {
        let zone = self.zone(order.facility);
        let mut document = Map::new();
        document.insert("readOnly".to_owned(), self.read_only(order, detail, &zone));
        document.insert("referenceNum".to_owned(), json!(order.reference));
        for (name, value) in &order.written {
            if name != "savedElements" || detail.saved_elements {
                document.insert(name.clone(), value.clone());
            }
        }
        let routing = document.entry("routingInfo").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(routing) = routing
            && order.status == Status::Closed
        {
            routing.insert("trackingNumber".to_owned(), json!(order.tracking));
            routing.insert("billOfLading".to_owned(), json!(order.bill_of_lading));
        }
        if detail.small_parcel {
            let numbers: Vec<&str> = order.packages.iter().map(|one| one.tracking.as_str()).collect();
            document.insert(
                "parcelResponse".to_owned(),
                json!({"orderId": order.id, "trackingNumbers": numbers, "returnTrackingNumbers": []}),
            );
        }
        if detail.items {
            document.insert("_embedded".to_owned(), json!({ORDER_ITEM: self.line_documents(order, detail)}));
        }
        let own = format!("/orders/{}", order.id);
        document.insert(
            "_links".to_owned(),
            json!({
                "self": {"href": own},
                ORDER_ITEM: {"href": format!("{own}/items")},
                PACKAGE: {"href": format!("{own}/packages")},
            }),
        );
        Value::Object(document)
    }

    fn read_only(&self, order: &Order, detail: &Detail, zone: &jiff::tz::TimeZone) -> Value {
        let mut part = json!({
            "orderId": order.id,
            "status": order.status.code(),
            "isClosed": self.shows_closed(order),
            "fullyAllocated": order.fully_allocated(),
            "deferNotification": self.shows_deferred(order),
            "creationDate": local(order.created, zone),
            "lastModifiedDate": local(order.modified, zone),
            "processDate": maybe_local(order.closed, zone),
            "pickStarted": order.pick_started,
            "pickDoneDate": maybe_local(order.pick_done, zone),
            "packStarted": order.pack_started,
            "packDoneDate": maybe_local(order.pack_done, zone),
            "shipDate": maybe_local(order.closed, zone),
            "onHoldDate": maybe_local(order.hold.as_ref().map(|hold| hold.0), zone),
            "onHoldReason": order.hold.as_ref().map(|hold| hold.1.clone()),
            "loadedState": 0,
            "customerIdentifier": self.customer_identifier(order.customer),
            "facilityIdentifier": self.facility_identifier(order.facility),
            "warehouseTransactionSourceType": 7,
        });
        if let Value::Object(part) = &mut part {
            if detail.packages && self.switches.packages_at != PackagesAt::SubresourceOnly {
                let packages: Vec<Value> =
                    order.packages.iter().map(|package| package_document(package, zone, false)).collect();
                part.insert("packages".to_owned(), Value::Array(packages));
            }
            if detail.outbound_serials {
                let serials: Vec<Value> = order
                    .outbound_serials
                    .iter()
                    .map(|(sku, serials)| {
                        let id = self.item_by_sku(order.customer, sku).map(|item| item.id);
                        json!({"itemIdentifier": {"sku": sku, "id": id}, "qualifier": "", "serialNumbers": serials})
                    })
                    .collect();
                part.insert("outboundSerialNumbers".to_owned(), Value::Array(serials));
            }
        }
        part
    }

    pub(super) fn shows_closed(&self, order: &Order) -> bool {
        match order.status {
            Status::Open => false,
            Status::Closed => true,
            Status::Cancelled => self.switches.cancelled_is_closed == CancelledIsClosed::Yes,
        }
    }

    fn shows_deferred(&self, order: &Order) -> bool {
        match self.switches.complete_shows {
            CompleteShows::DeferNotificationFalse => !order.complete,
            CompleteShows::Nothing => order.created_deferred,
        }
    }

    pub(super) fn customer_identifier(&self, id: u64) -> Value {
        let name = self.customers.get(&id).map(|one| one.name.as_str());
        json!({"externalId": null, "name": name, "id": id})
    }

    pub(super) fn facility_identifier(&self, id: u64) -> Value {
        let name = self.facilities.get(&id).map(|one| one.name.as_str());
        json!({"name": name, "id": id})
    }

    pub(super) fn line_documents(&self, order: &Order, detail: &Detail) -> Vec<Value> {
        order.lines.iter().map(|line| line_document(order, line, detail)).collect()
    }

    pub(super) fn package_documents(&self, order: &Order) -> Vec<Value> {
        if self.switches.packages_at == PackagesAt::OrderOnly {
            return Vec::new();
        }
        let zone = self.zone(order.facility);
        order.packages.iter().map(|package| package_document(package, &zone, true)).collect()
    }
}

fn line_document(order: &Order, line: &Line, detail: &Detail) -> Value {
    let mut document = json!({
        "readOnly": {
            "orderItemId": line.id,
            "fullyAllocated": line.allocated() >= line.qty || order.status == Status::Closed,
            "unitIdentifier": {"name": "Each", "id": 1},
            "originalPrimaryQty": number(line.shown_original),
            "rowVersion": format!("AAAAA{:07}=", line.id),
        },
        "itemIdentifier": {"sku": line.sku, "id": line.item},
        "qualifier": line.qualifier,
        "externalId": line.external_id,
        "qty": number(line.qty),
        "lotNumber": line.lot,
        "serialNumber": line.serial,
        "expirationDate": null,
    });
    if detail.item_saved_elements {
        set(&mut document, "savedElements", line.saved_elements.clone());
    }
    if detail.allocations {
        let allocations: Vec<Value> = line
            .allocations
            .iter()
            .map(|(stock, units)| json!({"receiveItemId": stock, "qty": number(*units)}))
            .collect();
        if let Some(part) = document.get_mut("readOnly") {
            set(part, "allocations", Value::Array(allocations));
        }
    }
    document
}

fn package_document(package: &Package, zone: &jiff::tz::TimeZone, embed: bool) -> Value {
    let contents: Vec<Value> = package.contents.iter().map(|content| content_document(package.id, content)).collect();
    let mut document = json!({
        "packageId": package.id,
        "packageTypeId": 2,
        "length": 12.0,
        "width": 10.0,
        "height": 8.0,
        "weight": 14.5,
        "trackingNumber": package.tracking,
        "description": format!("Box {}", package.number),
        "createDate": local(package.created, zone),
        "ucc128": package.number,
    });
    if embed {
        set(&mut document, "_embedded", json!({PACKAGE_CONTENT: contents}));
    } else {
        set(&mut document, "packageContents", Value::Array(contents));
    }
    document
}

fn content_document(package: u64, content: &Content) -> Value {
    json!({
        "packageContentId": content.id,
        "packageId": package,
        "orderItemId": content.line,
        "receiveItemId": content.stock,
        "qty": number(content.qty),
        "lotNumber": content.lot,
        "serialNumber": "",
        "serialNumbers": content.serials,
        "expirationDate": content.expiration,
    })
}

fn set(document: &mut Value, name: &str, value: Value) {
    if let Value::Object(object) = document {
        object.insert(name.to_owned(), value);
    }
}

/// An order as filters see it.
pub(super) struct OrderRow<'a> {
    pub floor: &'a Floor,
    pub order: &'a Order,
}

impl Row for OrderRow<'_> {
    fn field(&self, path: &str) -> Option<Field> {
        let Self { floor, order } = *self;
        let zone = || floor.zone(order.facility);
        let whole = |value: u64| Some(Field::Number(value.into()));
        let time = |at: Option<Timestamp>| Some(at.map_or(Field::Null, |at| Field::Time(civil(at, &zone()))));
        let text = |value: &str| Some(Field::Text(value.to_owned()));
        let name = |name: Option<&String>| Some(name.map_or(Field::Null, |name| Field::Text(name.clone())));
        let path = path.strip_prefix("readonly.").unwrap_or(path);
        match path {
            "orderid" => whole(order.id),
            "status" => {
                let shown = match (floor.switches.status_filter, order.status) {
                    (StatusFilter::CancelledOnly, Status::Closed) => Status::Open,
                    (_, status) => status,
                };
                whole(u64::from(shown.code()))
            }
            "isclosed" => Some(Field::Bool(floor.shows_closed(order))),
            "fullyallocated" => Some(Field::Bool(order.fully_allocated())),
            "defernotification" => Some(Field::Bool(floor.shows_deferred(order))),
            "creationdate" => time(Some(order.created)),
            "lastmodifieddate" => time(Some(order.modified)),
            "processdate" | "shipdate" => time(order.closed),
            "pickstarted" => Some(Field::Bool(order.pick_started)),
            "pickdonedate" => time(order.pick_done),
            "packstarted" => Some(Field::Bool(order.pack_started)),
            "packdonedate" => time(order.pack_done),
            "onholddate" => time(order.hold.as_ref().map(|hold| hold.0)),
            "onholdreason" => name(order.hold.as_ref().map(|hold| &hold.1)),
            "customeridentifier.id" => whole(order.customer),
            "customeridentifier.name" => name(floor.customers.get(&order.customer).map(|one| &one.name)),
            "facilityidentifier.id" => whole(order.facility),
            "facilityidentifier.name" => name(floor.facilities.get(&order.facility).map(|one| &one.name)),
            "referencenum" => text(&order.reference),
            "ponum" if floor.switches.po_num_search == PoNumSearch::Refused => None,
            "routinginfo.trackingnumber" => text(&order.tracking),
            "orderitems.itemidentifier.sku" => {
                Some(Field::Many(order.lines.iter().map(|line| Field::Text(line.sku.clone())).collect()))
            }
            _ => written_field(order, path),
        }
    }
}

/// Properties that are kept as they were written.
fn written_field(order: &Order, path: &str) -> Option<Field> {
    let known = [
        "externalid",
        "ponum",
        "description",
        "notes",
        "shippingnotes",
        "billingcode",
        "asnnumber",
        "invoicenumber",
        "ordertype",
        "earliestshipdate",
        "shipcanceldate",
        "routinginfo.carrier",
        "routinginfo.mode",
        "routinginfo.scaccode",
        "routinginfo.account",
        "shipto.name",
        "shipto.companyname",
        "shipto.address1",
        "shipto.city",
        "shipto.state",
        "shipto.zip",
        "shipto.country",
        "shipto.code",
        "shipto.emailaddress",
        "shipto.phonenumber",
    ];
    if !known.contains(&path) {
        return None;
    }
    let mut parts = path.split('.');
    let mut value = parts.next().and_then(|name| find_member(&order.written, name));
    for name in parts {
        value = value.and_then(Value::as_object).and_then(|object| find_member(object, name));
    }
    Some(match value {
        Some(Value::String(text)) => match text.parse::<DateTime>() {
            Ok(time) if path.ends_with("date") => Field::Time(time),
            Ok(_) | Err(_) => Field::Text(text.clone()),
        },
        Some(Value::Bool(value)) => Field::Bool(*value),
        Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => Field::Null,
    })
}

fn find_member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
