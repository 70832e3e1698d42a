//! New orders: the head alone, with rows to follow.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, Zoned};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{Assignment, Order, OrderType, Party};
use crate::brightpearl::account::{Account, next, search_delay};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, decimal, field, int, text, time};
use crate::brightpearl::switches::FirstVersion;

/// The warehouse of a new order unless told otherwise.
const FIRST_WAREHOUSE: i64 = 2;

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let code = field(body, "orderTypeCode")
        .and_then(text)
        .ok_or_else(|| Refusal::bad("ORDC-005", "You have not supplied an order type code"))?;
    let kind = OrderType::from_code(code)
        .ok_or_else(|| Refusal::bad("ORDC-006", "You have supplied an invalid order type code"))?;
    let party = if kind.buys() { "supplier" } else { "customer" };
    let contact = body.pointer(&format!("/parties/{party}/contactId")).and_then(int);
    let contact = contact.filter(|id| account.contacts.contains_key(id)).ok_or_else(|| {
        if kind.buys() {
            Refusal::bad("ORDC-022", "Suppllier ID Required.")
        } else {
            Refusal::invalid("Customer ID Required.")
        }
    })?;
    let reference = field(body, "reference").and_then(text).unwrap_or_default();
    if reference.chars().count() > 64 {
        return Err(Refusal::invalid("The reference is longer than 64 characters"));
    }
    let mut order = account.blank_order(kind, contact, call);
    reference.clone_into(&mut order.reference);
    if let Some(warehouse) = field(body, "warehouseId").and_then(int) {
        if !account.warehouses.contains_key(&warehouse) {
            return Err(Refusal::invalid(format!("Warehouse {warehouse} does not exist")));
        }
        order.warehouse_id = warehouse;
    }
    if let Some(status) = body.pointer("/orderStatus/orderStatusId").and_then(int) {
        let known = account.statuses.get(&status).is_some_and(|known| known.kind == kind);
        if !known {
            return Err(Refusal::invalid(format!("Order status {status} does not exist for this order type")));
        }
        order.status_id = status;
    }
    if let Some(placed) = field(body, "placedOn").and_then(text) {
        order.placed_on = time(placed).ok_or_else(|| Refusal::invalid("placedOn cannot be read"))?;
    }
    if let Some(channel) = body.pointer("/assignment/current/channelId").and_then(int) {
        order.assignment.channel = channel;
    }
    if let Some(method) = body.pointer("/delivery/shippingMethodId").and_then(int) {
        order.shipping_method_id = account.known_method(method)?;
    }
    if let Some(rate) = body.pointer("/currency/exchangeRate").and_then(decimal).filter(|rate| !rate.is_zero()) {
        order.exchange_rate = rate;
    }
    if let Some(currency) = body.pointer("/currency/orderCurrencyCode").and_then(text) {
        currency.clone_into(&mut order.currency);
    }
    let id = account.insert_order(order, call);
    Ok(Reply::of(id))
}

impl Account {
    /// A new order with what the account and the contact prescribe, not stored yet.
    pub(crate) fn blank_order(&mut self, kind: OrderType, contact: i64, call: &Call<'_>) -> Order {
        let address = self.contacts.get(&contact).map(|found| found.address(&self.addresses)).unwrap_or_default();
        let party = Party { contact_id: contact, address: address.clone() };
        let buys = kind.buys();
        Order {
            id: 0,
            kind,
            parent_id: 0,
            reference: String::new(),
            version: match call.switches.first_version {
                FirstVersion::Zero => 0,
                FirstVersion::One => 1,
            },
            status_id: match kind {
                OrderType::SalesOrder => self.roles.new_sales_order,
                OrderType::PurchaseOrder => self.roles.new_purchase_order,
                OrderType::SalesCredit => self.roles.new_sales_credit,
                OrderType::PurchaseCredit => self.roles.new_purchase_credit,
            },
            placed_on: call.now,
            created_on: call.now,
            updated_on: None,
            closed_on: None,
            created_by: call.caller.contact_id,
            price_list_id: if buys { self.cost_price_list() } else { self.sell_price_list() },
            tax_inclusive: false,
            delivery_date: (kind == OrderType::PurchaseOrder)
                .then(|| call.now.checked_add(SignedDuration::from_hours(7 * 24)).unwrap_or(call.now)),
            shipping_method_id: 0,
            invoice: None,
            tax_date: utc_midnight(call.now),
            currency: self.currency.clone(),
            exchange_rate: Decimal::ONE,
            fixed_rate: true,
            assignment: Assignment::default(),
            delivery: address,
            billing: party.clone(),
            other_party: party,
            rows: BTreeMap::new(),
            warehouse_id: FIRST_WAREHOUSE,
            cost_price_list_id: self.cost_price_list(),
            external_ref: None,
            instance_id: None,
            custom_fields: BTreeMap::new(),
            paid: Decimal::ZERO,
            stock_status: "NON",
            allocation_status: "ANR",
            shipping_status: "NST",
            payment_ids: call.switches.payment_status_ids,
            notes_out: Vec::new(),
            drop_shipped: BTreeMap::new(),
            note_sequence: 0,
            lagging: Vec::new(),
        }
    }

    /// Stores a new order and gives it its id.
    pub(crate) fn insert_order(&mut self, mut order: Order, call: &mut Call<'_>) -> i64 {
        let id = next(&mut self.next.order);
        order.id = id;
        order.hide_from_search(search_delay(call.switches, call.pace, true));
        self.orders.insert(id, order);
        self.refresh_codes(id, call.switches);
        call.trace.changed_order(id);
        id
    }

    /// A shipping method by id; 0 is none.
    pub(crate) fn known_method(&self, id: i64) -> Result<i64, Refusal> {
        if id == 0 || self.shipping_methods.contains_key(&id) {
            Ok(id)
        } else {
            Err(Refusal::invalid(format!("Shipping method {id} does not exist")))
        }
    }
}

/// Midnight UTC of the day.
pub(crate) fn utc_midnight(at: Timestamp) -> Timestamp {
    let zoned: Zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    zoned.start_of_day().map_or(at, |midnight| midnight.timestamp())
}

/// Reads an amount that may stand alone or in an object with `value`.
pub(crate) fn amount(value: Option<&Value>) -> Option<Decimal> {
    let value = value?;
    decimal(value).or_else(|| decimal(value.get("value")?))
}
