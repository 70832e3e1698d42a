//! Changing the head of an order.

use jiff::Timestamp;

use super::read::render;
use crate::brightpearl::account::{Account, Change};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, int, text, time};

/// Warehouses an order cannot be moved to.
const RESERVED_WAREHOUSES: [i64; 2] = [1, 2];

enum Step {
    Reference(String),
    Warehouse(i64),
    Method(i64),
    DeliveryDate(Timestamp),
    Customer(i64),
    Billing(i64),
}

pub(crate) fn patch(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let patch = call.patch()?;
    let order = account.order(id)?;
    if order.invoice.is_some() {
        return Err(Refusal::invalid("The order has been invoiced"));
    }
    let mut steps = Vec::new();
    for step in &patch {
        let read = match (step.path.as_str(), step.op.as_str()) {
            ("/reference", "replace") => {
                let reference = text(&step.value).unwrap_or_default();
                if reference.chars().count() > 64 {
                    return Err(Refusal::invalid("The reference is longer than 64 characters"));
                }
                Step::Reference(reference.to_owned())
            }
            ("/reference", "remove") => Step::Reference(String::new()),
            ("/warehouseId", "replace") => {
                let warehouse = int(&step.value).filter(|id| account.warehouses.contains_key(id));
                let warehouse = warehouse
                    .filter(|id| !RESERVED_WAREHOUSES.contains(id))
                    .ok_or_else(|| Refusal::invalid("The warehouse does not exist or is reserved"))?;
                if account.reservations.contains_key(&id) || !order.notes_out.is_empty() {
                    return Err(Refusal::invalid("Stock is allocated to the order"));
                }
                Step::Warehouse(warehouse)
            }
            ("/delivery/shippingMethodId", "replace") => {
                let method = int(&step.value).ok_or_else(|| Refusal::invalid("The shipping method is no id"))?;
                Step::Method(account.known_method(method)?)
            }
            ("/delivery/shippingMethodId", "remove") => Step::Method(0),
            ("/delivery/deliveryDate", "replace") => {
                let date = text(&step.value).and_then(time);
                Step::DeliveryDate(date.ok_or_else(|| Refusal::invalid("The delivery date cannot be read"))?)
            }
            ("/parties/customer/contactId" | "/parties/billing/contactId", "replace") => {
                let contact = int(&step.value)
                    .filter(|id| account.contacts.get(id).is_some_and(|contact| !contact.staff && !contact.supplier))
                    .ok_or_else(|| Refusal::invalid("The contact is not a customer"))?;
                if step.path.contains("customer") { Step::Customer(contact) } else { Step::Billing(contact) }
            }
            (
                "/reference"
                | "/warehouseId"
                | "/delivery/shippingMethodId"
                | "/delivery/deliveryDate"
                | "/parties/customer/contactId"
                | "/parties/billing/contactId",
                _,
            ) => return Err(step.not_allowed()),
            _ => return Err(step.unknown_path()),
        };
        steps.push(read);
    }
    let before = order.updated_on;
    let addresses: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Step::Customer(contact) | Step::Billing(contact) => {
                account.contacts.get(contact).map(|contact| contact.address(&account.addresses))
            }
            _ => None,
        })
        .collect();
    account.change_order(id, Change::Content, call, |order| {
        for (step, address) in steps.into_iter().zip(addresses) {
            match step {
                Step::Reference(reference) => order.reference = reference,
                Step::Warehouse(warehouse) => order.warehouse_id = warehouse,
                Step::Method(method) => order.shipping_method_id = method,
                Step::DeliveryDate(date) => order.delivery_date = Some(date),
                Step::Customer(contact) => {
                    order.other_party.contact_id = contact;
                    order.other_party.address = address.unwrap_or_default();
                }
                Step::Billing(contact) => {
                    order.billing.contact_id = contact;
                    order.billing.address = address.unwrap_or_default();
                }
            }
        }
    })?;
    // The answer tells the time of the change before this one: none after the first.
    let mut shown = account.order(id)?.clone();
    shown.updated_on = before;
    Ok(Reply::of(render(account, &shown)))
}
