//! From method and path to the call: the surface of the API, with the message name of each call.

use rand::rngs::StdRng;

use super::account::Account;
use super::call::{Answer, Call, Refusal};
use super::notes_out::{create, events, read as notes, reservation, transfer};
use super::orders::{self, custom, patch, read, rows, sales, status};
use super::stock::{availability, correction};
use super::{contacts, goods_in, payments, products, searches, setup, webhooks};

fn id(segment: &str) -> Result<i64, Refusal> {
    segment.parse().ok().filter(|id| *id >= 0).ok_or_else(|| Refusal::bad("CMNC-008", format!("{segment} is no ID")))
}

/// Answers a call; the name is what the `Message-Type` header says.
pub(crate) fn dispatch(
    account: &mut Account,
    call: &mut Call<'_>,
    method: &str,
    path: &[&str],
    rng: &mut StdRng,
) -> (&'static str, Answer) {
    let Some((service, rest)) = path.split_first() else { return unknown(path) };
    if method == "GET"
        && let Some(found) = search(account, call, rest)
    {
        return ("bulk-data-search", found);
    }
    let found = match *service {
        "order-service" => order_service(account, call, method, rest, rng),
        "warehouse-service" => warehouse_service(account, call, method, rest),
        "product-service" => product_service(account, call, method, rest),
        "contact-service" => contact_service(account, call, method, rest),
        "accounting-service" => accounting_service(account, call, method, rest),
        "integration-service" => integration_service(account, call, method, rest),
        _ => None,
    };
    found.unwrap_or_else(|| unknown(rest))
}

fn unknown(path: &[&str]) -> (&'static str, Answer) {
    let message = format!("Cannot find the resource /app/{}", path.join("/"));
    ("api-proxy", Err(Refusal::not_found(message)))
}

/// Searches end in `-search`; those of goods-out notes lie one level deeper.
fn search(account: &Account, call: &Call<'_>, path: &[&str]) -> Option<Answer> {
    let path = match path {
        ["goods-note", rest @ ..] => rest,
        other => other,
    };
    match path {
        [resource] if resource.ends_with("-search") => searches::answer(account, call, resource, false),
        [resource, "meta-data"] if resource.ends_with("-search") => searches::answer(account, call, resource, true),
        _ => None,
    }
}

type Found = Option<(&'static str, Answer)>;

/// Runs a call whose path holds an id.
fn with_id(segment: &str, work: impl FnOnce(i64) -> Answer) -> Answer {
    id(segment).and_then(work)
}

fn with_ids(first: &str, second: &str, work: impl FnOnce(i64, i64) -> Answer) -> Answer {
    let (first, second) = (id(first)?, id(second)?);
    work(first, second)
}

fn order_service(account: &mut Account, call: &mut Call<'_>, method: &str, path: &[&str], rng: &mut StdRng) -> Found {
    Some(match (method, path) {
        ("GET", ["order"]) => ("get-order", read::set_needed()),
        ("GET", ["order", ids]) => ("get-order", read::get(account, call, ids, rng)),
        ("OPTIONS", ["order"]) => ("options-order", read::options(call, "/order", None, &account.orders)),
        ("OPTIONS", ["order", ids]) => ("options-order", read::options(call, "/order", Some(ids), &account.orders)),
        ("POST", ["order"]) => ("post-order", orders::create::post(account, call)),
        ("PATCH", ["order", order]) => ("patch-order", with_id(order, |id| patch::patch(account, call, id))),
        ("PUT", ["order", order, "status"]) => {
            ("put-order-status", with_id(order, |id| status::put(account, call, id)))
        }
        ("POST", ["order", order, "row"]) => ("post-order-row", with_id(order, |id| rows::post(account, call, id))),
        ("PATCH", ["order", order, "row", row]) => {
            ("patch-order-row", with_ids(order, row, |order, row| rows::patch(account, call, order, row)))
        }
        ("DELETE", ["order", order, "row", row]) => {
            ("delete-order-row", with_ids(order, row, |order, row| rows::delete(account, call, order, row)))
        }
        ("POST", ["order", order, "note"]) => {
            ("post-order-note", with_id(order, |id| orders::notes::post(account, call, id)))
        }
        ("GET", ["order", order, "note"]) => {
            ("get-order-note", with_id(order, |id| orders::notes::get(account, call, id, None)))
        }
        ("GET", ["order", order, "note", ids]) => {
            ("get-order-note", with_id(order, |id| orders::notes::get(account, call, id, Some(ids))))
        }
        ("GET", ["order", order, "custom-field"]) => {
            ("get-custom-fields", with_id(order, |id| custom::get(account, id)))
        }
        ("PATCH", ["order", order, "custom-field"]) => {
            ("patch-custom-fields", with_id(order, |id| custom::patch(account, call, id)))
        }
        ("GET", ["sale" | "purchase", "custom-field-meta-data"]) => {
            ("get-custom-fields-metadata", custom::meta_data(account, call, None))
        }
        ("GET", ["sale" | "purchase", "custom-field-meta-data", ids]) => {
            ("get-custom-fields-metadata", custom::meta_data(account, call, Some(ids)))
        }
        ("POST", ["sales-order"]) => ("post-sales-order", sales::post(account, call)),
        ("GET", ["sales-order"]) => ("get-sales-order", read::set_needed()),
        ("GET", ["sales-order", ids]) => ("get-sales-order", sales::get(account, call, ids)),
        ("OPTIONS", ["sales-order", ids]) => {
            ("options-sales-order", read::options(call, "/sales-order", Some(ids), &account.orders))
        }
        ("GET", ["order-status"]) => ("get-order-status", status::list(account, call, None)),
        ("GET", ["order-status", ids]) => ("get-order-status", status::list(account, call, Some(ids))),
        ("POST", ["order-status"]) => ("post-order-status", status::post(account, call)),
        ("GET", ["order-stock-status"]) => ("get-order-stock-status", read::stock_statuses()),
        ("GET", ["order-shipping-status"]) => ("get-order-shipping-status", read::shipping_statuses()),
        ("GET", ["order-type"]) => ("get-order-type", read::types()),
        _ => return None,
    })
}

fn warehouse_service(account: &mut Account, call: &mut Call<'_>, method: &str, path: &[&str]) -> Found {
    Some(match (method, path) {
        ("POST", ["order", order, "goods-note", "goods-out"]) => {
            ("post-goods-out-note", with_id(order, |id| create::post(account, call, id)))
        }
        ("GET", ["order", orders, "goods-note", "goods-out"]) => {
            ("get-goods-out-note", notes::get(account, call, orders, None))
        }
        ("GET", ["order", orders, "goods-note", "goods-out", ids]) => {
            ("get-goods-out-note", notes::get(account, call, orders, Some(ids)))
        }
        ("DELETE", ["order", order, "goods-note", "goods-out", note]) => {
            ("delete-goods-out-note", with_ids(order, note, |order, note| create::delete(account, call, order, note)))
        }
        ("PUT", ["goods-note", "goods-out", note]) => {
            ("put-goods-out-note", with_id(note, |id| create::put(account, call, id)))
        }
        ("POST", ["goods-note", "goods-out", note, "event"]) => {
            ("post-goods-out-note-event", with_id(note, |id| events::post(account, call, id)))
        }
        ("POST", ["order", order, "goods-note", "goods-in"]) => {
            ("post-goods-in-note", with_id(order, |id| goods_in::post(account, call, id)))
        }
        ("GET", ["order", orders, "goods-note", "goods-in"]) => {
            ("get-goods-in-note", goods_in::get(account, call, orders, None))
        }
        ("GET", ["order", orders, "goods-note", "goods-in", ids]) => {
            ("get-goods-in-note", goods_in::get(account, call, orders, Some(ids)))
        }
        ("POST", ["order", order, "reservation", "warehouse", warehouse]) => (
            "post-reservation",
            with_ids(order, warehouse, |order, warehouse| reservation::post(account, call, order, warehouse)),
        ),
        ("PUT", ["order", order, "reservation"]) => {
            ("put-reservation", with_id(order, |id| reservation::put(account, call, id)))
        }
        ("GET", ["order", order, "reservation"]) => {
            ("get-reservation", with_id(order, |id| reservation::get(account, id)))
        }
        ("DELETE", ["order", order, "reservation"]) => {
            ("delete-reservation", with_id(order, |id| reservation::delete(account, call, id)))
        }
        ("GET", ["order", order, "fulfilment-status"]) => {
            ("get-fulfilment-status", with_id(order, |id| notes::fulfilment_status(account, id)))
        }
        ("GET", ["product-availability"]) => ("get-product-availability", availability::get(account, call, None)),
        ("GET", ["product-availability", ids]) => {
            ("get-product-availability", availability::get(account, call, Some(ids)))
        }
        ("GET", ["bundle-availability", bundle]) => {
            ("get-bundle-availability", with_id(bundle, |id| availability::bundle(account, id)))
        }
        ("GET", ["shipping-method"]) => ("get-shipping-method", setup::shipping_methods(account, call, None)),
        ("GET", ["shipping-method", ids]) => ("get-shipping-method", setup::shipping_methods(account, call, Some(ids))),
        ("GET", ["warehouse"]) => ("get-warehouse", setup::warehouses(account, call, None)),
        ("GET", ["warehouse", ids]) => ("get-warehouse", setup::warehouses(account, call, Some(ids))),
        (_, ["warehouse", warehouse, rest @ ..]) => return one_warehouse(account, call, method, warehouse, rest),
        _ => return None,
    })
}

fn one_warehouse(account: &mut Account, call: &mut Call<'_>, method: &str, warehouse: &str, path: &[&str]) -> Found {
    Some(match (method, path) {
        ("POST", ["stock-correction"]) => {
            ("post-stock-correction", with_id(warehouse, |id| correction::post(account, call, id)))
        }
        ("GET", ["stock-correction", ids]) => {
            ("get-stock-correction", with_id(warehouse, |id| correction::get(account, call, id, ids)))
        }
        ("POST", ["stock-transfer"]) => {
            ("post-stock-transfer", with_id(warehouse, |id| transfer::post_head(account, call, id)))
        }
        ("POST", ["external-transfer"]) => {
            ("post-external-transfer", with_id(warehouse, |id| transfer::post_external(account, call, id)))
        }
        ("GET", ["location", "default"]) => {
            ("get-default-location", with_id(warehouse, |id| setup::default_location(account, id)))
        }
        ("GET", ["location", "quarantine"]) => {
            ("get-quarantine-location", with_id(warehouse, |id| setup::quarantine_location(account, id)))
        }
        ("GET", ["location"]) => ("get-location", with_id(warehouse, |id| setup::locations(account, call, id, None))),
        ("GET", ["location", ids]) => {
            ("get-location", with_id(warehouse, |id| setup::locations(account, call, id, Some(ids))))
        }
        ("GET", ["product", ids]) => {
            ("get-warehouse-defaults", with_id(warehouse, |id| setup::product_defaults(account, call, id, ids)))
        }
        _ => return None,
    })
}

fn product_service(account: &mut Account, call: &mut Call<'_>, method: &str, path: &[&str]) -> Found {
    Some(match (method, path) {
        ("GET", ["product"]) => ("product-get", read::set_needed()),
        ("GET", ["product", ids]) => ("product-get", products::get(account, call, ids)),
        ("OPTIONS", ["product"]) => ("product-options", read::options(call, "/product", None, &account.products)),
        ("OPTIONS", ["product", ids]) => {
            ("product-options", read::options(call, "/product", Some(ids), &account.products))
        }
        ("POST", ["product"]) => ("post-product", products::post(account, call)),
        ("PUT", ["product", product]) => ("put-product", with_id(product, |id| products::put(account, call, id))),
        ("GET", ["product-price", ids]) => ("get-product-price", products::get_prices(account, call, ids, None)),
        ("GET", ["product-price", ids, "price-list", lists]) => {
            ("get-product-price", products::get_prices(account, call, ids, Some(lists)))
        }
        ("OPTIONS", ["product-price", ids]) => {
            ("options-product-price", read::options(call, "/product-price", Some(ids), &account.products))
        }
        ("PUT", ["product-price", product, "price-list"]) => {
            ("put-product-price", with_id(product, |id| products::put_prices(account, call, id)))
        }
        ("GET", ["price-list"]) => ("get-price-list", products::price_lists(account, call, None)),
        ("GET", ["price-list", ids]) => ("get-price-list", products::price_lists(account, call, Some(ids))),
        ("GET", ["brand"]) => ("get-brand", products::brands(account, call, None)),
        ("GET", ["brand", ids]) => ("get-brand", products::brands(account, call, Some(ids))),
        ("POST", ["brand"]) => ("post-brand", products::post_brand(account, call)),
        ("GET", ["channel"]) => ("get-channel", setup::channels(account, call, None)),
        ("GET", ["channel", ids]) => ("get-channel", setup::channels(account, call, Some(ids))),
        _ => return None,
    })
}

fn contact_service(account: &mut Account, call: &mut Call<'_>, method: &str, path: &[&str]) -> Found {
    Some(match (method, path) {
        ("GET", ["contact"]) => ("get-contact", read::set_needed()),
        ("GET", ["contact", ids]) => ("get-contact", contacts::get(account, call, ids)),
        ("OPTIONS", ["contact", ids]) => {
            ("options-contact", read::options(call, "/contact", Some(ids), &account.contacts))
        }
        ("POST", ["contact"]) => ("post-contact", contacts::post(account, call)),
        ("PATCH", ["contact", contact]) => ("patch-contact", with_id(contact, |id| contacts::patch(account, call, id))),
        ("GET", ["contact", contact, "custom-field"]) => {
            ("get-custom-fields", with_id(contact, |id| contacts::custom_fields(account, id)))
        }
        ("PATCH", ["contact", contact, "custom-field"]) => {
            ("patch-custom-fields", with_id(contact, |id| contacts::patch_custom_fields(account, call, id)))
        }
        ("POST", ["postal-address"]) => ("post-postal-address", contacts::post_address(account, call)),
        _ => return None,
    })
}

fn accounting_service(account: &mut Account, call: &mut Call<'_>, method: &str, path: &[&str]) -> Found {
    Some(match (method, path) {
        ("GET", ["tax-code"]) => ("get-tax-code", products::tax_codes(account, call, None)),
        ("GET", ["tax-code", ids]) => ("get-tax-code", products::tax_codes(account, call, Some(ids))),
        ("POST", ["customer-payment"]) => ("post-customer-payment", payments::post(account, call)),
        ("DELETE", ["customer-payment", payment]) => {
            ("delete-customer-payment", with_id(payment, |id| payments::delete(account, call, id)))
        }
        ("POST", ["sales-receipt"]) => ("post-sales-receipt", payments::post_receipt(account, call)),
        _ => return None,
    })
}

fn integration_service(account: &mut Account, call: &mut Call<'_>, method: &str, path: &[&str]) -> Found {
    Some(match (method, path) {
        ("GET", ["account-configuration"]) => ("get-account-configuration", setup::configuration(account)),
        ("POST", ["webhook"]) => ("post-webhook", webhooks::post(account, call)),
        ("GET", ["webhook"]) => ("get-webhook", webhooks::get(account, call, None)),
        ("GET", ["webhook", ids]) => ("get-webhook", webhooks::get(account, call, Some(ids))),
        ("DELETE", ["webhook", webhook]) => {
            ("delete-webhook", with_id(webhook, |id| webhooks::delete(account, call, id)))
        }
        ("POST", ["webhook", webhook, "simulate"]) => {
            ("post-webhook-simulate", with_id(webhook, |id| webhooks::simulate(account, call, id)))
        }
        _ => return None,
    })
}
