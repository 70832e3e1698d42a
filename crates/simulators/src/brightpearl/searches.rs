//! The columns of every search, in their recorded or documented order.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::Account;
use super::call::{Answer, Call};
use super::contacts::Contact;
use super::notes_out::Note;
use super::orders::{Order, OrderNote, OrderType, PaymentStatus, SHIPPING_STATUSES, STOCK_STATUSES};
use super::payments::Payment;
use super::products::Product;
use super::search::{Cell, Column, Kind, Search, nameless};
use super::setup::{ShippingMethod, Warehouse};
use super::stock::Movement;
use crate::clock;

type Orders = Column<Order>;

const ORDER: Search<Order> = Search {
    columns: &[
        Orders::new("orderId", Kind::IdSet, |order| Cell::Int(order.id)),
        Orders::new("orderTypeId", Kind::IdSet, |order| Cell::Int(order.kind.id())).named_by("orderTypeNames"),
        Orders::new("contactId", Kind::Integer, |order| Cell::Int(order.other_party.contact_id)),
        Orders::new("orderStatusId", Kind::Integer, |order| Cell::Int(order.status_id)).named_by("orderStatusNames"),
        Orders::new("orderStockStatusId", Kind::Integer, |order| {
            Cell::Int(Order::status_id_of(&STOCK_STATUSES, order.stock_status))
        })
        .named_by("orderStockStatusNames"),
        Orders::new("createdOn", Kind::Period, |order| Cell::Time(order.created_on)),
        Orders::new("createdById", Kind::Integer, |order| Cell::Int(order.created_by)),
        Orders::new("customerRef", Kind::Text, |order| Cell::text(&order.reference)),
        Orders::new("orderPaymentStatusId", Kind::Integer, |order| {
            Cell::Int(order.payment_status().id(order.payment_ids))
        })
        .named_by("orderPaymentStatusNames"),
        Orders::new("updatedOn", Kind::Period, |order| Cell::maybe_time(order.updated_on)),
        Orders::new("parentOrderId", Kind::IdSet, |order| Cell::Int(order.parent_id)),
        Orders::new("orderShippingStatusId", Kind::Integer, |order| {
            Cell::Int(Order::status_id_of(&SHIPPING_STATUSES, order.shipping_status))
        })
        .named_by("orderShippingStatusNames"),
        Orders::new("externalRef", Kind::Text, |order| Cell::maybe_text(order.external_ref.as_deref())),
        Orders::new("installedIntegrationInstanceId", Kind::Integer, |order| Cell::maybe(order.instance_id)),
        Orders::new("warehouseId", Kind::IdSet, |order| Cell::Int(order.warehouse_id)),
        Orders::new("staffOwnerContactId", Kind::Integer, |order| Cell::Int(order.assignment.owner)),
        Orders::new("taxDate", Kind::Period, |order| Cell::Time(order.tax_date)),
        Orders::new("departmentId", Kind::Integer, |order| Cell::Int(order.assignment.project)),
        Orders::new("deliveryDate", Kind::Period, |order| Cell::maybe_time(order.delivery_date)),
    ],
    extra: &[],
    name: order_names,
};

fn order_names(account: &Account, map: &str, cell: &Cell<'_>) -> Option<Value> {
    let Cell::Int(id) = cell else { return None };
    let listed = |list: &[(i64, &'static str, &'static str)]| {
        list.iter().find(|(known, ..)| known == id).map(|(_, _, text)| json!(text))
    };
    match map {
        "orderTypeNames" => OrderType::ALL.into_iter().find(|kind| kind.id() == *id).map(|kind| json!(kind.name())),
        "orderStatusNames" => account.statuses.get(id).map(|status| json!(status.name)),
        "orderStockStatusNames" => listed(&STOCK_STATUSES),
        "orderShippingStatusNames" => listed(&SHIPPING_STATUSES),
        "orderPaymentStatusNames" => {
            let ids = account.orders.values().next().map(|order| order.payment_ids).unwrap_or_default();
            PaymentStatus::ALL.into_iter().find(|status| status.id(ids) == *id).map(|status| json!(status.name()))
        }
        _ => None,
    }
}

const SALES_ORDER: Search<Order> = Search {
    columns: &[
        Orders::new("salesOrderId", Kind::IdSet, |order| Cell::Int(order.id)),
        Orders::new("customerId", Kind::IdSet, |order| Cell::Int(order.other_party.contact_id)),
        Orders::new("orderStatusId", Kind::IdSet, |order| Cell::Int(order.status_id)).named_by("orderStatusNames"),
        Orders::new("orderStockStatus", Kind::Text, |order| Cell::text(order.stock_status)),
        Orders::new("createdOn", Kind::Period, |order| Cell::Time(order.created_on)),
        Orders::new("createdById", Kind::IdSet, |order| Cell::Int(order.created_by)),
        Orders::new("customerRef", Kind::Text, |order| Cell::text(&order.reference)),
        Orders::new("orderPaymentStatus", Kind::Text, |order| Cell::text(order.payment_status().name())),
        Orders::new("updatedOn", Kind::Period, |order| Cell::maybe_time(order.updated_on)),
        Orders::new("orderShippingStatus", Kind::Text, |order| Cell::text(order.shipping_status)),
        Orders::new("externalRef", Kind::Text, |order| Cell::maybe_text(order.external_ref.as_deref())),
        Orders::new("installedIntegrationInstanceId", Kind::IdSet, |order| Cell::maybe(order.instance_id)),
        Orders::new("warehouseId", Kind::IdSet, |order| Cell::Int(order.warehouse_id)),
        Orders::new("staffOwnerId", Kind::IdSet, |order| Cell::Int(order.assignment.owner)),
        Orders::new("taxDate", Kind::Period, |order| Cell::Time(order.tax_date)),
        Orders::new("channelId", Kind::IdSet, |order| Cell::Int(order.assignment.channel)),
        Orders::new("deliveryDate", Kind::Period, |order| Cell::maybe_time(order.delivery_date)),
    ],
    extra: &[],
    name: order_names,
};

type Products = Column<Product>;

fn nothing<T>(_: &T) -> Cell<'_> {
    Cell::Null
}

fn blank<T>(_: &T) -> Cell<'_> {
    Cell::text("")
}

const PRODUCT: Search<Product> = Search {
    columns: &[
        Products::new("productId", Kind::IdSet, |product| Cell::Int(product.id)).named_by("productCategoryMembership"),
        Products::new("productName", Kind::SearchText, |product| Cell::text(&product.name)),
        Products::new("SKU", Kind::Text, |product| Cell::text(&product.sku)),
        Products::new("barcode", Kind::Text, |product| Cell::text(&product.barcode)),
        Products::new("EAN", Kind::Text, |product| Cell::text(product.ean.as_deref().unwrap_or_default())),
        Products::new("UPC", Kind::Text, blank),
        Products::new("ISBN", Kind::Text, blank),
        Products::new("MPN", Kind::Text, blank),
        Products::new("stockTracked", Kind::Boolean, |product| Cell::Bool(product.stock_tracked)),
        Products::new("salesChannelName", Kind::Text, |_| Cell::text("Brightpearl")).unfilterable(),
        Products::new("createdOn", Kind::Period, |product| Cell::Time(product.created_on)),
        Products::new("updatedOn", Kind::Period, |product| Cell::Time(product.updated_on)),
        Products::new("brightpearlCategoryCode", Kind::IdSet, |product| Cell::maybe(product.category.parse().ok()))
            .unsortable(),
        Products::new("productGroupId", Kind::Integer, |product| {
            Cell::Int(product.variation.as_ref().map_or(0, |(group, _)| *group))
        }),
        Products::new("brandId", Kind::IdSet, |product| Cell::Int(product.brand_id)),
        Products::new("productTypeId", Kind::IdSet, |_| Cell::Int(1)),
        Products::new("productStatus", Kind::Text, |product| {
            Cell::text(if product.archived { "ARCHIVED" } else { "LIVE" })
        }),
        Products::new("primarySupplierId", Kind::IdSet, nothing),
    ],
    extra: &[],
    name: |account, _, cell| {
        let Cell::Int(id) = cell else { return None };
        let category = account.products.get(id)?.category.parse::<i64>().ok()?;
        Some(json!([category]))
    },
};

type Contacts = Column<Contact>;

const CONTACT: Search<Contact> = Search {
    columns: &[
        Contacts::new("contactId", Kind::IdSet, |contact| Cell::Int(contact.id)),
        Contacts::new("primaryEmail", Kind::SearchText, |contact| Cell::text(&contact.email)),
        Contacts::new("secondaryEmail", Kind::SearchText, blank),
        Contacts::new("tertiaryEmail", Kind::SearchText, blank),
        Contacts::new("firstName", Kind::SearchText, |contact| Cell::text(&contact.first_name)),
        Contacts::new("lastName", Kind::SearchText, |contact| Cell::text(&contact.last_name)),
        Contacts::new("isSupplier", Kind::Boolean, |contact| Cell::Bool(contact.supplier)).unsortable(),
        Contacts::new("companyName", Kind::SearchText, |contact| Cell::text(&contact.company)),
        Contacts::new("isStaff", Kind::Boolean, |contact| Cell::Bool(contact.staff)).unsortable(),
        Contacts::new("isCustomer", Kind::Boolean, |contact| Cell::Bool(!contact.staff && !contact.supplier))
            .unsortable(),
        Contacts::new("createdOn", Kind::Period, |contact| Cell::Time(contact.created_on)),
        Contacts::new("updatedOn", Kind::Period, |contact| {
            Cell::Time(contact.updated_on.unwrap_or(contact.created_on))
        }),
        Contacts::new("lastContactedOn", Kind::Period, nothing),
        Contacts::new("lastOrderedOn", Kind::Period, nothing),
        Contacts::new("nominalCode", Kind::Integer, |_| Cell::Int(0)),
        Contacts::new("isPrimary", Kind::Boolean, |_| Cell::Bool(false)),
        Contacts::new("pri", Kind::Text, |contact| Cell::text(&contact.telephone)),
        Contacts::new("sec", Kind::Text, blank),
        Contacts::new("mob", Kind::Text, blank),
        Contacts::new("exactCompanyName", Kind::Text, |contact| Cell::text(&contact.company)),
        Contacts::new("title", Kind::Text, nothing),
    ],
    extra: &[],
    name: nameless,
};

type Notes = Column<Note>;

const GOODS_OUT: Search<Note> = Search {
    columns: &[
        Notes::new("goodsOutNoteId", Kind::Integer, |note| Cell::Int(note.id)),
        Notes::new("printed", Kind::Boolean, |note| Cell::Bool(note.printed.is_some())),
        Notes::new("picked", Kind::Boolean, |note| Cell::Bool(note.picked.is_some())),
        Notes::new("packed", Kind::Boolean, |note| Cell::Bool(note.packed.is_some())),
        Notes::new("shipped", Kind::Boolean, |note| Cell::Bool(note.shipped.is_some())),
        Notes::new("shippedOn", Kind::Period, |note| Cell::maybe_time(note.shipped.map(|(at, _)| at))),
        Notes::new("orderId", Kind::Integer, |note| Cell::Int(note.order_id)),
        Notes::new("shippingMethodId", Kind::IdSet, |note| Cell::Int(note.method_id)),
        Notes::new("warehouseId", Kind::Integer, |note| Cell::Int(note.warehouse_id)),
        Notes::new("priority", Kind::Boolean, |note| Cell::Bool(note.priority)),
        Notes::new("createdOn", Kind::Period, |note| Cell::Time(note.created_on)),
        Notes::new("releaseDate", Kind::Period, |note| Cell::Time(note.release_date)),
        Notes::new("createdBy", Kind::Integer, |note| Cell::Int(note.created_by)),
        Notes::new("labelUri", Kind::Text, |note| Cell::maybe_text(note.label_uri.as_deref())),
    ],
    extra: &[Notes::new("transfer", Kind::Boolean, |note| Cell::Bool(note.transfer))],
    name: nameless,
};

type Movements = Column<Movement>;

const MOVEMENT: Search<Movement> = Search {
    columns: &[
        Movements::new("goodsMovementId", Kind::IdSet, |moved| Cell::Int(moved.id)),
        Movements::new("productId", Kind::Integer, |moved| Cell::Int(moved.product_id)),
        Movements::new("salesOrderRowId", Kind::IdSet, |moved| Cell::maybe(moved.sales_row)),
        Movements::new("purchaseOrderRowId", Kind::IdSet, |moved| Cell::maybe(moved.purchase_row)),
        Movements::new("quantity", Kind::Integer, |moved| Cell::Int(moved.quantity)),
        Movements::new("destinationLocationId", Kind::Integer, |moved| Cell::Int(moved.location_id)),
        Movements::new("warehouseId", Kind::Integer, |moved| Cell::Int(moved.warehouse_id)),
        Movements::new("goodsNoteId", Kind::IdSet, |moved| Cell::Int(moved.note_id)),
        Movements::new("productValue", Kind::Text, |moved| Cell::Text(Cow::Owned(format!("{:.2}", moved.value)))),
        Movements::new("currencyCode", Kind::Text, |moved| Cell::text(&moved.currency)),
        Movements::new("orderId", Kind::Integer, |moved| Cell::maybe(moved.order_id)),
        Movements::new("isCleared", Kind::Boolean, |moved| Cell::Bool(moved.cleared)),
        Movements::new("isQuarantine", Kind::Boolean, |moved| Cell::Bool(moved.quarantine)),
        Movements::new("batchId", Kind::Integer, |moved| Cell::Int(moved.batch_id)),
        Movements::new("goodsNoteTypeCode", Kind::Text, |moved| Cell::text(moved.code)),
        Movements::new("updatedOn", Kind::Period, |moved| Cell::Time(moved.at)),
    ],
    extra: &[],
    name: nameless,
};

type OrderNotes = Column<OrderNote>;

const ORDER_NOTE: Search<OrderNote> = Search {
    columns: &[
        OrderNotes::new("noteId", Kind::IdSet, |note| Cell::Int(note.id)),
        OrderNotes::new("orderId", Kind::IdSet, |note| Cell::Int(note.order_id)),
        OrderNotes::new("contactId", Kind::IdSet, |note| Cell::Int(note.contact_id)),
        OrderNotes::new("noteText", Kind::SearchText, |note| Cell::text(&note.text)),
        OrderNotes::new("isPublic", Kind::Boolean, |note| Cell::Bool(note.public)),
        OrderNotes::new("dateAdded", Kind::Period, |note| Cell::Time(note.added_on)),
        OrderNotes::new("addedBy", Kind::IdSet, |note| Cell::Int(note.added_by)),
        OrderNotes::new("orderStatusId", Kind::IdSet, |note| Cell::Int(note.status_id)),
    ],
    extra: &[],
    name: nameless,
};

type Payments = Column<Payment>;

const PAYMENT: Search<Payment> = Search {
    columns: &[
        Payments::new("paymentId", Kind::IdSet, |payment| Cell::Int(payment.id)),
        Payments::new("transactionRef", Kind::Text, |payment| Cell::text(&payment.transaction_ref)).unsortable(),
        Payments::new("transactionCode", Kind::Text, |payment| Cell::text(&payment.transaction_code)).unsortable(),
        Payments::new("paymentMethodCode", Kind::Text, |payment| Cell::text(&payment.method_code)).unsortable(),
        Payments::new("paymentType", Kind::Text, |payment| Cell::text(&payment.kind)).unsortable(),
        Payments::new("orderId", Kind::IdSet, |payment| Cell::Int(payment.order_id)).unsortable(),
        Payments::new("currencyId", Kind::IdSet, |_| Cell::Int(1)).unsortable(),
        Payments::new("currencyCode", Kind::Text, |payment| Cell::text(&payment.currency)).unsortable(),
        Payments::new("amountAuthorized", Kind::Text, |_| Cell::text("0.00")).unsortable(),
        Payments::new("amountPaid", Kind::Text, |payment| Cell::Text(Cow::Owned(format!("{:.2}", payment.amount))))
            .unsortable(),
        Payments::new("expires", Kind::Period, nothing).unsortable(),
        Payments::new("paymentDate", Kind::Period, |payment| Cell::Time(payment.payment_date)),
        Payments::new("createdOn", Kind::Period, |payment| Cell::Time(payment.created_on)),
        Payments::new("journalId", Kind::IdSet, |payment| Cell::Int(payment.id)),
    ],
    extra: &[],
    name: nameless,
};

/// The columns of this and the next search are an assumption.
const WAREHOUSE: Search<Warehouse> = Search {
    columns: &[
        Column::new("warehouseId", Kind::IdSet, |warehouse: &Warehouse| Cell::Int(warehouse.id)),
        Column::new("warehouseName", Kind::Text, |warehouse: &Warehouse| Cell::text(&warehouse.name)),
        Column::new("warehouseTypeCode", Kind::Text, |warehouse: &Warehouse| Cell::text(warehouse.type_code)),
    ],
    extra: &[],
    name: nameless,
};

const SHIPPING_METHOD: Search<ShippingMethod> = Search {
    columns: &[
        Column::new("shippingMethodId", Kind::IdSet, |method: &ShippingMethod| Cell::Int(method.id)),
        Column::new("name", Kind::Text, |method: &ShippingMethod| Cell::text(&method.name)),
        Column::new("code", Kind::Text, |method: &ShippingMethod| Cell::text(&method.code)),
        Column::new("carrier", Kind::Text, |method: &ShippingMethod| Cell::text(&method.carrier)),
    ],
    extra: &[],
    name: nameless,
};

/// One received line, with the note it came on.
struct Receipt {
    order: i64,
    batch: i64,
    reference: Option<String>,
    product: i64,
    location: i64,
    price: String,
    currency: String,
    quantity: i64,
    created: Timestamp,
    received: Timestamp,
    warehouse: i64,
}

const GOODS_IN: Search<Receipt> = Search {
    columns: &[
        Column::new("batchId", Kind::IdSet, |line: &Receipt| Cell::Int(line.batch)),
        Column::new("purchaseOrderId", Kind::IdSet, |line: &Receipt| Cell::Int(line.order)),
        Column::new("userBatchRef", Kind::SearchText, |line: &Receipt| Cell::maybe_text(line.reference.as_deref())),
        Column::new("productId", Kind::IdSet, |line: &Receipt| Cell::Int(line.product)),
        Column::new("locationId", Kind::IdSet, |line: &Receipt| Cell::Int(line.location)),
        Column::new("price", Kind::Text, |line: &Receipt| Cell::text(&line.price)),
        Column::new("currCode", Kind::Text, |line: &Receipt| Cell::text(&line.currency)),
        Column::new("receivedQuantity", Kind::Integer, |line: &Receipt| Cell::Int(line.quantity)),
        Column::new("createdDate", Kind::Period, |line: &Receipt| Cell::Time(line.created)),
        Column::new("receivedDate", Kind::Period, |line: &Receipt| Cell::Time(line.received)),
        Column::new("warehouseId", Kind::IdSet, |line: &Receipt| Cell::Int(line.warehouse)),
    ],
    extra: &[],
    name: nameless,
};

fn receipts(account: &Account) -> Vec<Receipt> {
    account
        .goods_in
        .values()
        .flat_map(|note| {
            note.lines.iter().map(|line| Receipt {
                order: note.order_id,
                batch: note.id,
                reference: note.batch_reference.clone(),
                product: line.product_id,
                location: line.location_id,
                price: format!("{:.4}", line.value),
                currency: account.currency.clone(),
                quantity: line.quantity,
                created: note.created_on,
                received: note.received_on,
                warehouse: note.warehouse_id,
            })
        })
        .collect()
}

/// Answers a search by the name of its resource, `None` if there is no such search.
pub(crate) fn answer(account: &Account, call: &Call<'_>, resource: &str, meta_data: bool) -> Option<Answer> {
    let now = clock::now();
    let orders = || account.orders.values().filter_map(|order| order.as_searched(now));
    Some(match resource {
        "order-search" => pick(&ORDER, account, call, meta_data, orders()),
        "sales-order-search" => {
            let sales = orders().filter(|order| order.kind == OrderType::SalesOrder);
            pick(&SALES_ORDER, account, call, meta_data, sales)
        }
        "order-note-search" => pick(&ORDER_NOTE, account, call, meta_data, account.order_notes.values()),
        "product-search" => pick(&PRODUCT, account, call, meta_data, account.products.values()),
        "contact-search" => pick(&CONTACT, account, call, meta_data, account.contacts.values()),
        "customer-payment-search" => pick(&PAYMENT, account, call, meta_data, account.payments.values()),
        "goods-out-search" => {
            let notes = account.notes.values().filter(|note| note.searched_from <= now);
            pick(&GOODS_OUT, account, call, meta_data, notes)
        }
        "goods-movement-search" => {
            let movements = account.stock.movements.iter().filter(|moved| moved.searched_from <= now);
            pick(&MOVEMENT, account, call, meta_data, movements)
        }
        "goods-in-search" => pick(&GOODS_IN, account, call, meta_data, receipts(account).iter()),
        "warehouse-search" => pick(&WAREHOUSE, account, call, meta_data, account.warehouses.values()),
        "shipping-method-search" => pick(&SHIPPING_METHOD, account, call, meta_data, account.shipping_methods.values()),
        _ => return None,
    })
}

fn pick<'a, T: 'a>(
    search: &Search<T>,
    account: &Account,
    call: &Call<'_>,
    meta_data: bool,
    items: impl Iterator<Item = &'a T>,
) -> Answer {
    if meta_data { search.meta_data() } else { search.run(account, call, items) }
}
