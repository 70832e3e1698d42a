//! Configuration files: every connector's settings, and all that may be chosen for a connection.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use connect::Role;
use millrace::operate::file::{Document, Origin};
use rand::RngExt as _;
use serde_json::{Map, Value, json};
use simulators::{
    brightpearl::Running,
    fuzz::{Form, damaged},
};

use super::{CANARY, campaign, runtime, told};
use crate::api::{Answer, Installation, access::brightpearl};

/// A file with a store and a warehouse that are not there yet.
const WRITTEN: &str = r#"
[tenant]
name = "default"

[[merchant]]
name = "Acme"

[[store]]
name = "BP"
merchant = "Acme"
platform = "brightpearl"
[store.settings]
datacenter_code = "eu1"
account_id = "acme"
calls_per_minute = 150
[store.secrets]
password = { env = "BP_PASSWORD" }

[[warehouse]]
name = "WH"
merchant = "Acme"
platform = "dsfx"
[warehouse.settings]
transport = "folder"
folder = "/srv/exchange"

[[connection]]
name = "main"
merchant = "Acme"
store = "BP"
warehouse = "WH"
enabled = true
[connection.settings]
start_mode = "order"
import_statuses = ["Ready to ship", 7]
default_ship_method = { carrier = "UPS", service = "Ground" }
[connection.settings.stock]
basis = "available"
settle_seconds = 10
[connection.channels]
orders = { enabled = true, every_seconds = 10 }
[connection.mappings]
listings = [["A", "W-A"], ["B", "W-B"]]
"#;

/// A connection of a store that is there, with all that may be chosen for one.
const CONNECTION: &str = r#"
[[connection]]
name = "to PLATFORM"
merchant = "Acme"
store = "Kept"
warehouse = "PLATFORM"
[connection.settings]
start_mode = "order"
import_statuses = ["Ready to ship"]
warehouse = "Example 3PL"
import_warehouses = ["Example 3PL", 2]
placed_from = "2026-01-01T00:00:00Z"
at_warehouse_status = "At warehouse"
shipped_status = "Shipped"
unmapped_sku = "pass_through"
default_ship_method = { carrier = "UPS", service = "Ground" }
default_source_method = "Tracked 24"
key_prefix = "ACME"
hold_minutes = 5
on_change = "ask"
cancel_deadline_minutes = 60
cancel_owner = "Ann"
facility = "1"
[connection.settings.stock]
basis = "physical"
increases = "hold"
first_run = "ask"
batch = 50
settle_seconds = 10
two_people = false
[connection.settings.stock.brakes]
line = 100
run = 1000
share_percent = 20
zero_percent = 50
missing_percent = 100
feed_age_minutes = 60
[connection.channels]
orders = { enabled = false, every_seconds = 60 }
shipments = { enabled = false, schedule = { zone = "Europe/London", rules = [
    { kind = "flexible", days = ["monday", "friday"], blocks = [{ from = 8, to = 18 }], minutes = 5 },
    { kind = "daily", at = "02:00" },
] } }
[connection.mappings]
listings = [["A", "W-A"], ["B", "W-B"]]
kits = [{ sku = "SET", parts = [["W-A", 2], ["W-B", 1]] }]
ship_methods = [{ source = "Tracked 24", carrier = "UPS", service = "Ground" }, { source = 50, carrier = "DPD" }]
source_methods = [{ source = 49, carrier = "DPD", service = "" }]
locations = [{ facility = "1", warehouse = "Example 3PL" }, { facility = "EAST", warehouse = 2 }]
"#;

/// Settings of a warehouse, and the names of its secrets.
struct Platform {
    name: &'static str,
    values: &'static [(&'static str, &'static str)],
    secrets: &'static [&'static str],
}

const PLATFORMS: &[Platform] = &[
    Platform {
        name: "csv",
        values: &[
            ("transport", "folder"),
            ("folder", "/srv/csv"),
            ("order_files", "ORDERS_*.csv"),
            (
                "order_columns",
                "Order=order_number\nType=\"SALE\"\nName=name\nStreet=address1\nStreet 2=address2\nTown=city\n\
                 Postcode=postcode\nCountry=country\nShip by=ship_method\nLine=line_number\nItem=sku\nQty=quantity\n",
            ),
            ("orders_per_file", "20"),
            ("shipment_files", "shp_*.csv"),
            (
                "shipment_columns",
                "shipment_id=Despatch No, order_number=Order, shipped_at=Despatched, tracking_number=Tracking, sku=Item, \
                 quantity=Qty, status=Status",
            ),
            ("closed_status", "closed, complete"),
            ("stock_files", "inv_*.csv"),
            ("stock_columns", "sku=Item, available=Free"),
            ("delimiter", "semicolon"),
            ("decimal", "comma"),
            ("encoding", "windows-1252"),
            ("dates", "DD/MM/YYYY HH:mm"),
            ("time_zone", "Europe/London"),
        ],
        secrets: &[],
    },
    Platform {
        name: "dsfx",
        values: &[
            ("transport", "folder"),
            ("folder", "/srv/dsfx"),
            ("ph_version", "3"),
            ("orders_per_file", "20"),
            ("facility", "1"),
            ("shipment_columns", "order_number=1, shipment_id=2, shipped_at=3, sku=4, quantity=5, trailer=TRAILER"),
            ("shipment_has_header", "false"),
            ("stock_columns", "sku=1, available=2, trailer=TRAILER, sequence=3"),
            ("stock_has_header", "false"),
            ("full_snapshot", "true"),
            ("after_reading", "keep"),
        ],
        secrets: &[],
    },
    Platform {
        name: "extensiv",
        values: &[
            ("client_id", "client"),
            ("tpl_key", "{00000000-0000-0000-0000-000000000000}"),
            ("user_login_id", "millrace"),
            ("customer_id", "143"),
            ("inventory_mode", "both"),
            ("facility_id", "10"),
            ("time_zone", "America/Chicago"),
            ("billing_code", "Prepaid"),
            ("customer_retailer_id", "7"),
            ("calls_per_minute", "400"),
        ],
        secrets: &["client_secret"],
    },
    Platform {
        name: "mintsoft",
        values: &[
            ("username", "hub"),
            ("client_id", "12"),
            ("warehouse_id", "3"),
            ("courier_service", "AUTO"),
            ("despatched_statuses", "DESPATCHED, INVOICED"),
            ("time_zone", "Europe/London"),
            ("calls_per_minute", "300"),
        ],
        secrets: &["password"],
    },
    Platform {
        name: "odoo",
        values: &[
            ("base_url", "https://erp.example.com"),
            ("interface", "jsonrpc"),
            ("database", "wms"),
            ("login", "hub"),
            ("warehouse", "WH"),
            ("sku_field", "barcode"),
            ("tracking_wait_minutes", "30"),
        ],
        secrets: &["api_key"],
    },
    Platform {
        name: "shiphero",
        values: &[
            ("username", "hub@example.test"),
            ("customer_account_id", "Q3VzdG9tZXJBY2NvdW50OjEyMw=="),
            ("warehouse_id", "V2FyZWhvdXNlOjE="),
            ("shop_name", "millrace"),
            ("create_held", "false"),
        ],
        secrets: &["password", "webhook_secrets"],
    },
    Platform {
        name: "warehouse_api",
        values: &[("facilities", "East\nWest"), ("carriers", "UPS: Ground, Next day\nDPD")],
        secrets: &[],
    },
    Platform {
        name: "x12",
        values: &[
            ("host", "sftp.example.com"),
            ("port", "2222"),
            ("user", "acme"),
            ("root", "acme"),
            ("our_id", "ACME"),
            ("their_id", "THREEPL"),
            ("mode", "test"),
            ("version", "004010"),
            ("versions_in", "004010, 005010"),
            ("separators", "*>~"),
            ("expect_997_minutes", "60"),
            ("numbers_again_days", "90"),
            ("first_control_number", "100"),
            ("sku_qualifiers_in", "VN, UP"),
            ("unit", "EA"),
            ("units_in", "PC=1, CA=12"),
            ("tracking_at", "box"),
            ("tracking_qualifiers", "2I, CN"),
            ("serial_qualifiers", "SE"),
            ("line_statuses", "ZZ=complete, BO=rest_follows"),
            ("available", "33"),
            ("on_hand", "17, 02"),
            ("damaged", "74"),
            ("leniency", "segment_count=hold"),
        ],
        secrets: &["password"],
    },
];

impl Platform {
    /// A file with this warehouse and a connection to it. No store stands in it: the lists of the one that is there are read, and
    /// damage must not lead anywhere else.
    fn file(&self) -> String {
        let name = self.name;
        let mut text = format!(
            "[tenant]\nname = \"default\"\n\n[[warehouse]]\nname = {name:?}\nmerchant = \"Acme\"\nplatform = {name:?}\n\
             [warehouse.settings]\n"
        );
        for (setting, value) in self.values {
            text.push_str(&format!("{setting} = {value:?}\n"));
        }
        text.push_str(&CONNECTION.replace("PLATFORM", name));
        text
    }

    /// The warehouse is there, with its secrets, which nobody can give over the network.
    async fn make(&self, installation: &Installation) {
        let texts = |pairs: Vec<(&str, &str)>| -> Map<String, Value> {
            pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
        };
        let secrets = self.secrets.iter().map(|name| (*name, CANARY)).collect();
        let given = json!({
            "name": self.name, "merchant": "Acme", "platform": self.name, "settings": texts(self.values.to_vec()),
            "secrets": texts(secrets),
        });
        let made = installation.post("/api/v1/warehouses", given).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}: {}", self.name, made.text);
    }
}

/// A merchant with a store, whose lists can be read, and a warehouse of each kind.
async fn installed() -> (Installation, Running) {
    let (installation, source) = (Installation::new().await, brightpearl(0).await);
    installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    let store = json!({
        "name": "Kept", "merchant": "Acme", "platform": "brightpearl",
        "settings": {
            "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test",
            "base_url": source.base_url(), "calls_per_minute": "60000",
        },
        "secrets": { "password": "example-password" },
    });
    let made = installation.post("/api/v1/stores", store).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    for platform in PLATFORMS {
        platform.make(&installation).await;
    }
    (installation, source)
}

#[test]
fn settings_files() {
    let warehouses = connectors::CONNECTORS.iter().filter(|spec| matches!(spec.role, Role::Warehouse(_)));
    let warehouses: BTreeSet<&str> = warehouses.map(|spec| spec.name).collect();
    assert_eq!(PLATFORMS.iter().map(|platform| platform.name).collect::<BTreeSet<_>>(), warehouses);
    let runtime = runtime();
    let (installation, _source) = runtime.block_on(installed());
    // What can be read is compared with what is there, without a change.
    let plan = |text: &str| -> Answer {
        let (key, body) = (Some(installation.administrator.as_str()), json!({ "toml": text }));
        runtime.block_on(installation.ask("POST", "/api/v1/configuration/plan", key, Some(&body)))
    };
    let files: Vec<String> = PLATFORMS.iter().map(Platform::file).collect();
    for file in &files {
        let answer = plan(file);
        assert_eq!(answer.status, StatusCode::OK, "{}\n{file}", answer.text);
    }
    // A secret written where it must not be: whatever is wrong with the file, it is not quoted.
    let careless = WRITTEN.replace("{ env = \"BP_PASSWORD\" }", &format!("\"{CANARY}\""));
    let with_store = [WRITTEN.as_bytes(), careless.as_bytes()];
    let without: Vec<&[u8]> = files.iter().map(String::as_bytes).collect();
    campaign("settings_files").run(
        |dice| {
            // Nothing of the one kind gets into the other: see Platform::file.
            let files: &[&[u8]] = if dice.random_bool(0.25) { &with_store } else { &without };
            damaged(Form::Text, files[dice.random_range(0..files.len())], files, dice)
        },
        |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Ok(()) };
            let read = Document::parse(text, "millrace.toml", Origin::Remote);
            if let Err(failure) = &read {
                let words = format!("{} {failure:?}", failure.detail);
                if failure.detail.trim().is_empty() {
                    return Err("an error without words".to_owned());
                }
                // Only what stands where a secret belongs is one: damage may have copied it to the place of a name, and names that
                // are not known are quoted.
                let kept_to_its_place = text.matches(CANARY).count() == 1;
                let secret = text.contains(&format!("password = \"{CANARY}\"")) && kept_to_its_place;
                if secret && words.contains(CANARY) {
                    return Err(format!("the error quotes a secret: {words}"));
                }
            }
            match read {
                Ok(_) => told(&plan(text)),
                Err(_) => Ok(()),
            }
        },
    );
}
