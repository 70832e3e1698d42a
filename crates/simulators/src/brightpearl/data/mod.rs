//! The account a simulator starts with: set-up, products, people, stock and orders with the odd shapes of real ones.

mod orders;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use rand::rngs::StdRng;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::account::{Account, NextIds, StatusRoles};
use super::auth::{Access, Caller};
use super::call::{Call, Pace, Trace};
use super::contacts::{Address, Contact};
use super::orders::OrderType;
use super::products::{Brand, PriceList, Product, TaxCode};
use super::server::whole_seconds;
use super::setup::{Channel, CustomField, CustomFieldKind, OrderStatus, ShippingMethod, Warehouse};
use super::stock::{Batch, Stock};
use super::throttle::Throttle;
use super::{AccountConfig, Config};
use crate::clock;

/// How much an account holds at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Products; some are bundles, not stock tracked, archived, or have a SKU that is empty or not their own.
    pub products: usize,
    /// Orders of all kinds and states.
    pub orders: usize,
    /// Customers.
    pub customers: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { products: 2000, orders: 500, customers: 50 }
    }
}

/// The first id of a product that is not reserved.
const FIRST_PRODUCT: i64 = 1007;
/// The first id of a customer.
const FIRST_CUSTOMER: i64 = 200;
/// A supplier.
const SUPPLIER: i64 = 418;
/// The contact behind automation and apps.
const AUTOMATION: i64 = 203;

/// Builds an account.
pub(super) fn build(config: &AccountConfig, zone: TimeZone, all: &Config, rng: &mut StdRng) -> Account {
    let now = whole_seconds(clock::now());
    let start = now.checked_sub(SignedDuration::from_hours(30 * 24)).unwrap_or(now);
    let mut account = Account {
        code: config.code.clone(),
        zone,
        zone_name: config.zone.clone(),
        currency: config.currency.clone(),
        requests_per_window: all.requests_per_window,
        access: Access::new(config.staff.clone(), config.apps.clone()),
        throttle: Throttle::default(),
        next: NextIds {
            order: 100_001,
            row: 200_001,
            order_note: 300_001,
            goods_note: 400_001,
            event_version: 500_001,
            movement: 600_001,
            webhook: 121,
            contact: 10_001,
            address: 20_001,
            product: FIRST_PRODUCT,
            payment: 700_001,
            other: 61,
        },
        roles: StatusRoles {
            new_sales_order: 3,
            new_purchase_order: 6,
            new_sales_credit: 10,
            new_purchase_credit: 12,
            invoiced: 4,
            cancelled: 5,
        },
        orders: BTreeMap::new(),
        order_notes: BTreeMap::new(),
        notes: BTreeMap::new(),
        reservations: BTreeMap::new(),
        goods_in: BTreeMap::new(),
        transfers: BTreeMap::new(),
        stock: Stock::default(),
        products: BTreeMap::new(),
        brands: BTreeMap::from([
            (74, Brand { id: 74, name: "House brand".to_owned() }),
            (75, Brand { id: 75, name: "Example Brand".to_owned() }),
        ]),
        price_lists: price_lists(),
        tax_codes: tax_codes(),
        contacts: BTreeMap::new(),
        addresses: BTreeMap::new(),
        warehouses: warehouses(),
        shipping_methods: shipping_methods(),
        statuses: statuses(&config.code),
        channels: channels(),
        custom_fields: custom_fields(),
        payments: BTreeMap::new(),
        webhooks: BTreeMap::new(),
        external_refs: BTreeMap::new(),
        events: Vec::new(),
        test_calls: Vec::new(),
    };
    people(&mut account, config, start);
    products(&mut account, config.data.products, start, rng);
    opening_stock(&mut account, rng);
    let mut call = Call {
        now: start,
        switches: &all.switches,
        pace: Pace(all.time_factor),
        caller: Caller { label: "opening data".to_owned(), contact_id: AUTOMATION, instance: None },
        query: Vec::new(),
        body: None,
        if_match: None,
        trace: Trace::default(),
    };
    orders::fill(&mut account, config.data.orders, (start, now), &mut call, rng);
    account.events.clear();
    account
}

fn price_lists() -> BTreeMap<i64, PriceList> {
    [
        (1, "Cost", "COST", true),
        (2, "Retail", "RETAIL", false),
        (3, "Wholesale", "TRADE", false),
        (4, "Landed cost", "LANDED", true),
    ]
    .into_iter()
    .map(|(id, name, code, buys)| {
        (id, PriceList { id, name: name.to_owned(), code: code.to_owned(), buys, gross: false })
    })
    .collect()
}

fn tax_codes() -> BTreeMap<i64, TaxCode> {
    let rate = |tenths: i64| Some(Decimal::new(tenths, 1));
    [
        (1, "Z", "Exempt", None),
        (2, "T", "Taxable", rate(100)),
        (3, "N", "Non Taxable", None),
        (4, "VAT", "VAT", rate(130)),
        (8, "T20", "Standard rate", rate(200)),
        (9, "13", "IVA 13%", rate(130)),
    ]
    .into_iter()
    .map(|(id, code, description, rate)| {
        (id, TaxCode { id, code: code.to_owned(), description: description.to_owned(), rate })
    })
    .collect()
}

fn warehouses() -> BTreeMap<i64, Warehouse> {
    [
        (2, "Main warehouse", "warehouse", "Warehouse", 2, 9),
        (3, "High street store", "store", "Store", 21, 22),
        (4, "Overflow", "warehouse", "Warehouse", 31, 32),
        (5, "Example 3PL", "3pl", "Third party logistics", 41, 42),
    ]
    .into_iter()
    .map(|(id, name, type_code, type_description, default_location, quarantine_location)| {
        let zeros = ["0", "0", "0", "0"].map(str::to_owned);
        let quarantine = ["QUARANTINE", "", "", ""].map(str::to_owned);
        let mut locations = BTreeMap::from([(default_location, zeros), (quarantine_location, quarantine)]);
        if id == 2 {
            locations.insert(16, ["A", "1", "2", "3"].map(str::to_owned));
        }
        let warehouse = Warehouse {
            id,
            name: name.to_owned(),
            type_code,
            type_description,
            address_id: id,
            default_location,
            quarantine_location,
            locations,
        };
        (id, warehouse)
    })
    .collect()
}

fn shipping_methods() -> BTreeMap<i64, ShippingMethod> {
    [
        (1, "Standard", "STD", "Royal Mail"),
        (6, "Courier", "COU", "DPD"),
        (49, "Tracked 24", "TRK24", "Royal Mail"),
        (50, "Next day by noon", "ND12", "UPS"),
        (51, "International priority", "INTL", "FedEx"),
    ]
    .into_iter()
    .map(|(id, name, code, carrier)| {
        (id, ShippingMethod { id, name: name.to_owned(), code: code.to_owned(), carrier: carrier.to_owned() })
    })
    .collect()
}

/// The statuses every account starts with, and those an account made itself, whose ids differ between accounts.
fn statuses(code: &str) -> BTreeMap<i64, OrderStatus> {
    use OrderType::{PurchaseCredit, PurchaseOrder, SalesCredit, SalesOrder};
    let own = 21 + code.bytes().map(i64::from).sum::<i64>() % 7;
    [
        (1, "Draft / Quote", SalesOrder, "draft"),
        (2, "Quote sent", SalesOrder, "draft"),
        (3, "New phone order", SalesOrder, "normal"),
        (4, "Invoiced", SalesOrder, "invoiced"),
        (5, "Cancelled", SalesOrder, "cancelled"),
        (6, "Pending PO", PurchaseOrder, "normal"),
        (7, "Placed with supplier", PurchaseOrder, "normal"),
        (10, "Sales credit", SalesCredit, "normal"),
        (12, "Purchase credit", PurchaseCredit, "normal"),
        (own, "Ready to ship", SalesOrder, "normal"),
        (own + 1, "At warehouse", SalesOrder, "normal"),
        (own + 2, "Shipped", SalesOrder, "normal"),
        (own + 3, "On hold", SalesOrder, "normal"),
        (own + 4, "Old shop", SalesOrder, "normal"),
    ]
    .into_iter()
    .zip(0..)
    .map(|((id, name, kind, state), sort_order)| {
        let status = OrderStatus {
            id,
            name: name.to_owned(),
            kind,
            sort_order,
            disabled: name == "Old shop",
            visible: state != "draft",
            color: "#E7E6E4".to_owned(),
            state: state.to_owned(),
        };
        (id, status)
    })
    .collect()
}

fn channels() -> BTreeMap<i64, Channel> {
    [(1, "Web shop", Some(2), vec![2, 5]), (2, "Marketplace", Some(5), vec![5]), (3, "Telephone", None, Vec::new())]
        .into_iter()
        .map(|(id, name, default_warehouse, warehouses)| {
            (id, Channel { id, name: name.to_owned(), default_warehouse, warehouses })
        })
        .collect()
}

fn custom_fields() -> BTreeMap<i64, CustomField> {
    let select = |options: &[(i64, &str)]| {
        CustomFieldKind::Select(options.iter().map(|(id, value)| (*id, (*value).to_owned())).collect())
    };
    [
        (
            131,
            "PCF_BIZTYPE",
            "Type of business",
            select(&[
                (156, "Small business ($0-$10K)"),
                (157, "Medium business ($10K-$30K)"),
                (158, "Large business ($30K+)"),
                (159, "Gifts"),
                (160, "Global contract"),
            ]),
        ),
        (132, "PCF_PAYFORM", "Form of payment", select(&[(137, "Form A"), (138, "Form B")])),
        (133, "PCF_ZONE", "Zone", select(&[(64, "Z.1"), (65, "Z.2")])),
        (134, "PCF_TEAM", "Team", CustomFieldKind::Text),
        (135, "PCF_EXTCODE", "External code", CustomFieldKind::Integer),
        (136, "PCF_GIFT", "Gift", CustomFieldKind::Boolean),
    ]
    .into_iter()
    .map(|(id, code, name, kind)| (id, CustomField { id, code: code.to_owned(), name: name.to_owned(), kind }))
    .collect()
}

/// Names with what real names have: accents, apostrophes, other scripts.
const NAMES: [(&str, &str); 10] = [
    ("Alex", "Example"),
    ("Zoë", "O'Brien"),
    ("José", "Muñoz García"),
    ("Łukasz", "Żółty"),
    ("花子", "山田"),
    ("Anne-Marie", "Lefèvre"),
    ("Jürgen", "Groß"),
    ("Robin", "van der Berg"),
    ("Олена", "Шевченко"),
    ("Sam", "Sample & Sons \"Ltd\""),
];

/// Streets with city, region, postal code and country; one without a country.
const PLACES: [(&str, &str, &str, &str, &str); 7] = [
    ("1 Example Street", "Exampletown", "Exampleshire", "EX1 1EX", "GB"),
    ("Unit 2, Sample Park", "Bristol", "Avon", "BS1 4DJ", "GB"),
    ("500 Test Avenue", "Springfield", "IL", "62701", "US"),
    ("Musterstraße 12", "München", "Bayern", "80331", "DE"),
    ("3 rue de l'Église", "Besançon", "", "25000", "FR"),
    ("1-2-3 例町", "東京", "", "100-0001", "JP"),
    ("Somewhere 7", "Nowhere", "", "", ""),
];

fn people(account: &mut Account, config: &AccountConfig, start: Timestamp) {
    let contact = |id, first: &str, last: &str, email: &str| Contact {
        id,
        salutation: String::new(),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        company: String::new(),
        email: email.to_owned(),
        telephone: "01632 960001".to_owned(),
        staff: false,
        supplier: false,
        price_list_id: 2,
        addresses: BTreeMap::new(),
        custom_fields: BTreeMap::new(),
        created_on: start,
        updated_on: None,
    };
    for user in &config.staff {
        let person = Contact { staff: true, ..contact(user.contact_id, "Staff", "Member", &user.email) };
        account.contacts.insert(user.contact_id, person);
    }
    for app in &config.apps {
        let robot =
            Contact { staff: true, ..contact(app.contact_id, "Automation", &app.reference, "robot@example.test") };
        account.contacts.entry(app.contact_id).or_insert(robot);
    }
    let automation = Contact { staff: true, ..contact(AUTOMATION, "Automation", "", "automation@example.test") };
    account.contacts.entry(AUTOMATION).or_insert(automation);
    let supplier = Contact { supplier: true, ..contact(SUPPLIER, "Sue", "Supplier", "orders@supplier.example.test") };
    account.contacts.insert(SUPPLIER, supplier);
    let mut id = FIRST_CUSTOMER;
    for number in 0..config.data.customers.max(1) {
        while account.contacts.contains_key(&id) {
            id += 1;
        }
        let (first, last) = NAMES.get(number % NAMES.len()).copied().unwrap_or_default();
        let (street, city, region, postal_code, country) =
            PLACES.get(number % PLACES.len()).copied().unwrap_or_default();
        let address_id = id + 70_000;
        let address = Address {
            line1: street.to_owned(),
            city: city.to_owned(),
            region: region.to_owned(),
            postal_code: postal_code.to_owned(),
            country: country.to_owned(),
            ..Address::default()
        };
        account.addresses.insert(address_id, address);
        let mut customer = contact(id, first, last, &format!("customer{id}@example.test"));
        customer.company = if number % 3 == 0 { "Example Customer Ltd.".to_owned() } else { String::new() };
        customer.addresses = ["DEF", "BIL", "DEL"].map(|kind| (kind.to_owned(), address_id)).into();
        account.contacts.insert(id, customer);
        id += 1;
    }
}

fn products(account: &mut Account, count: usize, start: Timestamp, rng: &mut StdRng) {
    for number in 1..=count {
        let id = super::account::next(&mut account.next.product);
        let every = |n: usize| number % n == 0;
        let bundle = every(50);
        let stock_tracked = !bundle && !every(40);
        // A bundle of the products just before it; some hold the bundle before as well.
        let mut components = Vec::new();
        if bundle {
            components = vec![(id - 1, 1), (id - 2, rng.random_range(1..=3))];
            if every(400) {
                components.push((id - 50, 1));
            }
        }
        let sku = if every(97) {
            String::new()
        } else if every(89) {
            // The SKU of the product before: two products answer to it.
            format!("SKU-{:05}", id - 1)
        } else {
            format!("SKU-{id:05}")
        };
        let cost = Decimal::new(rng.random_range(100..5_000), 2);
        let retail = (cost * Decimal::new(22, 1)).round_dp(2);
        let mut prices = BTreeMap::from([
            (1, BTreeMap::from([(1, cost)])),
            (2, BTreeMap::from([(1, retail), (10, (retail * Decimal::new(9, 1)).round_dp(2))])),
        ]);
        if !every(60) {
            prices.insert(4, BTreeMap::from([(1, (cost * Decimal::new(105, 2)).round_dp(4))]));
        }
        let product = Product {
            id,
            sku,
            name: format!("Example product {id}"),
            brand_id: 74,
            barcode: if every(3) { format!("50{id:011}") } else { String::new() },
            ean: every(4).then(|| format!("40{id:011}")),
            stock_tracked,
            archived: every(45) && stock_tracked,
            tax_code: 8,
            weight: Decimal::new(rng.random_range(1..500), 1),
            category: "296".to_owned(),
            variation: every(7)
                .then(|| (2, ["Green", "Blue", "Red"].get(number % 3).map_or("", |color| color).to_owned())),
            components,
            prices,
            created_on: start,
            updated_on: start,
        };
        account.products.insert(id, product);
    }
}

fn opening_stock(account: &mut Account, rng: &mut StdRng) {
    let tracked: Vec<(i64, Decimal)> = account
        .products
        .values()
        .filter(|product| product.stock_tracked && !product.archived)
        .map(|product| (product.id, product.price(1).unwrap_or_default()))
        .collect();
    let places: Vec<(i64, i64)> =
        account.warehouses.values().map(|warehouse| (warehouse.id, warehouse.default_location)).collect();
    for (product, cost) in tracked {
        for (warehouse, location_id) in &places {
            let quantity: i64 = match warehouse {
                2 | 5 => rng.random_range(0..300),
                _ if rng.random_bool(0.3) => rng.random_range(1..40),
                _ => 0,
            };
            // Two receipts, so that first-in-first-out has something to choose from.
            let first = quantity / 3;
            for piece in [first, quantity - first] {
                if piece > 0 {
                    let note_id = super::account::next(&mut account.next.goods_note);
                    let batch = Batch { note_id, location_id: *location_id, quantity: piece, cost };
                    account.stock.open(product, *warehouse, batch);
                }
            }
        }
    }
}
