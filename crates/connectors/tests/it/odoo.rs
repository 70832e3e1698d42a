//! The Odoo connector against Odoo itself, beside the contract suite: rights, refusals, times, tracking that comes late, two who
//! write at once. `./dev test-odoo` starts it; without it these are listed as not run.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    ErrorKind, FeedCursor, Guard, HttpRequest, HttpResponse, HttpTransport, HttpWaits, Prepared, Sent, ShipMethod,
    Transport, TransportError, Warehouse,
};
use serde_json::json;
use simulators::odoo::{Dispatch, Odoo};

use crate::hub::{HandClock, arm, at, context, effects, request, settings, warehouse};

/// Longer than any call takes.
const SEND_BY: Duration = Duration::from_secs(10_000_000);

/// What happens to a call on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It arrives, and the answer does not.
    LostAfter,
    /// It does not arrive, and nobody knows.
    LostBefore,
    /// A server in front asks for fewer calls.
    Throttled,
    /// It arrives, and a page comes back.
    PageAfter,
    /// The key has ended, and was renewed by the next call: each interface refuses in its own way.
    KeyEnded,
}

/// The network, with a fault on the next calls of one method.
pub struct Line {
    inner: HttpTransport,
    next: Mutex<Vec<(Fault, &'static str, &'static str)>>,
}

impl Line {
    pub fn new() -> Arc<Self> {
        let waits = HttpWaits { total: Duration::from_secs(60), ..HttpWaits::default() };
        let inner = HttpTransport::new(waits, Guard::stand_ins()).unwrap();
        Arc::new(Self { inner, next: Mutex::default() })
    }

    /// So many of the next calls of this method meet it.
    pub fn next(&self, fault: Fault, model: &'static str, method: &'static str, times: usize) {
        self.next.lock().unwrap().extend(vec![(fault, model, method); times]);
    }

    fn met(&self, request: &HttpRequest) -> Option<Fault> {
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()).into_owned();
        let mut next = self.next.lock().unwrap();
        let met = next.iter().position(|(_, model, method)| {
            request.url.path() == format!("/json/2/{model}/{method}")
                || body.contains(&format!("\"{model}\",\"{method}\""))
        });
        met.map(|place| next.remove(place).0)
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let page = |status: u16| HttpResponse {
            status,
            headers: Vec::new(),
            body: "<html>the service is busy</html>".to_owned().into(),
        };
        let lost = || TransportError::Unknown("the line is dead".to_owned());
        match self.met(&request) {
            None => self.inner.send(request).await,
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::Throttled) => Ok(page(429)),
            Some(Fault::KeyEnded) => Ok(denied(request.url.path().starts_with("/json/2/"))),
            Some(Fault::LostAfter) => self.inner.send(request).await.and_then(|_| Err(lost())),
            Some(Fault::PageAfter) => self.inner.send(request).await.map(|_| page(200)),
        }
    }
}

/// What Odoo answers where a key is none, or none any more.
fn denied(newer: bool) -> HttpResponse {
    let told = match newer {
        true => json!({ "name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": [] }),
        false => json!({ "jsonrpc": "2.0", "id": null, "error": {
            "code": 200, "message": "Odoo Server Error",
            "data": { "name": "odoo.exceptions.AccessDenied", "message": "Access Denied", "arguments": ["Access Denied"] },
        } }),
    };
    HttpResponse { status: if newer { 401 } else { 200 }, headers: Vec::new(), body: told.to_string().into() }
}

/// Settings of a user by login, and its key. Before version 19 Odoo also takes the password for one.
pub fn settings_of(odoo: &Odoo, interface: &str, login: &str) -> (Vec<(&'static str, String)>, String) {
    let values = vec![
        ("base_url", odoo.url().to_owned()),
        ("interface", interface.to_owned()),
        ("database", odoo.database().to_owned()),
        ("login", login.to_owned()),
        ("warehouse", "WH".to_owned()),
        ("calls_per_minute", "100000".to_owned()),
    ];
    (values, odoo.key(login).to_owned())
}

const BOTH: [&str; 2] = ["json2", "jsonrpc"];

fn shop() -> Odoo {
    let odoo = Odoo::open().unwrap_or_else(|error| panic!("{error}"));
    odoo.add_products(&["SKU-A", "SKU-LOT"], "none").unwrap();
    odoo.shelve(&["SKU-A", "SKU-LOT"].map(|sku| (sku.to_owned(), 100)).into()).unwrap();
    odoo
}

fn hub(odoo: &Odoo, interface: &str, more: &[(&'static str, &str)]) -> (Arc<dyn Warehouse>, Arc<HandClock>) {
    let (mut values, key) = settings_of(odoo, interface, "hub");
    values.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    let mut values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let key = more.iter().find(|(name, _)| *name == "api_key").map_or(key.as_str(), |(_, key)| key);
    values.extend(more.iter().filter(|(name, _)| *name != "api_key"));
    let clock = HandClock::patient();
    let context = context(Arc::clone(&clock), Line::new(), None);
    (warehouse("odoo", &settings(&values, &[("api_key", key)]), &context), clock)
}

#[tokio::test]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn the_test_of_the_settings_says_what_is_wrong() {
    let odoo = shop();
    for interface in BOTH {
        let shop = hub(&odoo, interface, &[]).0;
        let told = shop.check().await.unwrap();
        let lists = shop.choices().await.unwrap();
        assert_eq!((&lists.facilities, &lists.carriers), (&told.facilities, &told.carriers), "{interface}");
        let reached = told.reached.join("\n");
        for words in ["Odoo 19 answers", "Signed in", "rights that are needed", "Warehouse WH", "ends on"] {
            assert!(reached.contains(words), "{interface}: {reached}");
        }
        assert_eq!(told.facilities, ["WH", "WH2"]);
        assert!(told.carriers.iter().any(|choice| choice.carrier == "UPS Ground"), "{:?}", told.carriers);
        let warned = told.warnings.join("\n");
        assert!(warned.contains("http://"), "{warned}");
        assert_eq!(warned.contains("newer interface"), interface == "jsonrpc", "{warned}");

        let nobody = odoo.key("nobody").to_owned();
        for (more, kind, words) in [
            (vec![("api_key", "wrong")], ErrorKind::Credentials, "API key"),
            (vec![("login", "nobody"), ("api_key", nobody.as_str())], ErrorKind::Credentials, "Inventory: User"),
        ] {
            let error = hub(&odoo, interface, &more).0.check().await.unwrap_err();
            assert_eq!(error.kind, kind, "{interface}: {error}");
            assert!(error.message.contains(words), "{interface}: {error}");
        }
        let error = hub(&odoo, interface, &[("database", "wms_none")]).0.check().await.unwrap_err();
        assert!(!error.message.contains("Traceback") && !error.message.trim().is_empty(), "{error}");
        let told = hub(&odoo, interface, &[("warehouse", "NORTH"), ("sku_field", "barcode")]).0.check().await.unwrap();
        let warned = told.warnings.join("\n");
        assert!(warned.contains("no warehouse with the short name NORTH") && warned.contains("SKU is in"), "{warned}");
    }
}

#[tokio::test]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn what_odoo_lacks_is_said_before_anything_is_sent() {
    let odoo = shop();
    odoo.add_products(&["TWICE"], "none").unwrap();
    odoo.add_products(&["TWICE"], "none").unwrap();
    for interface in BOTH {
        let (warehouse, _) = hub(&odoo, interface, &[]);
        let plan = |change: &dyn Fn(&mut connect::ShipmentRequest)| {
            let mut order = request("BPacme-O9");
            change(&mut order);
            warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap()
        };
        let drafts = [
            plan(&|order| order.lines[0].sku = "NO-SUCH".to_owned()),
            plan(&|order| order.lines[0].sku = "TWICE".to_owned()),
            plan(&|order| order.ship_to.country = "ZZ".to_owned()),
            plan(&|order| order.facility = Some("NORTH".to_owned())),
            plan(&|order| order.ship_method.carrier = "Pigeon".to_owned()),
        ];
        let words = ["no product NO-SUCH", "2 products", "country ZZ", "short name NORTH", "delivery method Pigeon"];
        let prepared = warehouse.prepare(&effects(&drafts)).await.unwrap();
        for (prepared, words) in prepared.iter().zip(words) {
            assert!(
                matches!(prepared, Prepared::Impossible { why } if why.contains(words)),
                "{interface}: {prepared:?}"
            );
        }
    }
    assert_eq!(odoo.orders().unwrap(), []);
}

/// The user's own zone is Sydney's: a time is what was asked for all the same. Words stay words, and a county stays.
#[tokio::test]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn what_is_written_is_what_was_asked_for() {
    let odoo = shop();
    for (interface, key) in BOTH.iter().zip(["BPacme-O1", "BPacme-O2"]) {
        let (warehouse, _) = hub(&odoo, interface, &[]);
        let mut order = request(key);
        order.deliver_on = Some(at("2026-11-26T09:15:00Z"));
        order.notes = "<script>no</script> & yes\nring twice".to_owned();
        order.ship_to.state = "Nowhereshire".to_owned();
        order.ship_method = ShipMethod { carrier: "royal mail".to_owned(), service: String::new() };
        order.lines[0].quantity = "2.5".parse().unwrap();
        let draft = warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let wanted = effects(&[draft]);
        let armed = arm(&wanted, &warehouse.prepare(&wanted).await.unwrap());
        let sent = warehouse.send(&armed, SEND_BY).await;
        assert!(matches!(sent.outcomes[0], Sent::Accepted { .. }), "{sent:?}");
        let capture = format!("{:?}", sent.capture);
        assert!(!capture.contains(odoo.key("hub")), "the key is not kept");
        let fields = ["commitment_date", "note", "carrier_id", "warehouse_id", "origin", "partner_shipping_id"];
        let there = odoo.search("sale.order", json!([["client_order_ref", "=", key]]), &fields).unwrap().remove(0);
        assert_eq!(there["commitment_date"], "2026-11-26 09:15:00");
        assert_eq!(there["carrier_id"][1], "Royal Mail");
        assert_eq!(there["origin"], "100001");
        let note = there["note"].as_str().unwrap();
        assert!(note.contains("&lt;script&gt;no") && note.contains("ring twice"), "{note}");
        let contact = odoo
            .search(
                "res.partner",
                json!([["id", "=", there["partner_shipping_id"][0]]]),
                &["name", "city", "zip", "email"],
            )
            .unwrap()
            .remove(0);
        assert_eq!((contact["name"].as_str(), contact["zip"].as_str()), (Some("Jane Doe"), Some("LS1 1AA")));
        assert_eq!(contact["city"], "Leeds, Nowhereshire");
        let found = warehouse.prepare(&wanted).await.unwrap();
        assert!(matches!(&found[0], Prepared::Found(connect::Probe::Equal(_))), "{found:?}");
    }
}

/// Eight send the same order at once: Odoo makes one, and nobody is told that there are more or that it was refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn many_at_once_are_one_order() {
    let odoo = shop();
    let (warehouse, _) = hub(&odoo, "json2", &[]);
    let draft = warehouse.plan_submit(&[request("BPacme-O1")], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    let wanted = effects(&[draft]);
    let armed = arm(&wanted, &warehouse.prepare(&wanted).await.unwrap());
    let sending = (0..8).map(|_| {
        let (warehouse, armed) = (Arc::clone(&warehouse), armed.clone());
        tokio::spawn(async move { warehouse.send(&armed, SEND_BY).await.outcomes.remove(0) })
    });
    let mut accepted = 0;
    for sent in sending.collect::<Vec<_>>() {
        match sent.await.unwrap() {
            Sent::Accepted { .. } => accepted += 1,
            // Told to look and try again.
            Sent::NotSent { cause } => assert!(cause.is_passing(), "{cause}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(accepted > 0, "nobody got through");
    let orders = odoo.orders().unwrap();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0].asked.values().sum::<rust_decimal::Decimal>(), 8.into());
}

/// A number that is typed in after the transfer was validated is waited for as long as the settings say, and not longer.
#[tokio::test]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn tracking_that_comes_late_is_waited_for() {
    let odoo = shop();
    let (warehouse, clock) = hub(&odoo, "json2", &[("tracking_wait_minutes", "30")]);
    let now = connect::Clock::now(&connect::SystemClock::default());
    let ahead = Duration::try_from(now.duration_since(connect::Clock::now(&*clock))).unwrap_or_default();
    clock.pass(ahead);
    let mut references = Vec::new();
    for key in ["BPacme-O1", "BPacme-O2"] {
        let draft = warehouse.plan_submit(&[request(key)], now).remove(0).unwrap();
        let wanted = effects(&[draft]);
        let armed = arm(&wanted, &warehouse.prepare(&wanted).await.unwrap());
        let Sent::Accepted { reference: Some(reference) } = warehouse.send(&armed, SEND_BY).await.outcomes.remove(0)
        else {
            panic!("it is taken")
        };
        let release = effects(&[warehouse.plan_release(key, &reference).unwrap()]);
        let armed = arm(&release, &warehouse.prepare(&release).await.unwrap());
        let sent = warehouse.send(&armed, SEND_BY).await;
        assert!(matches!(sent.outcomes[0], Sent::Accepted { .. }), "{sent:?}");
        odoo.ship(key, &Dispatch::full()).unwrap();
        references.push(reference);
    }
    let transfers = odoo.search("stock.picking", json!([["state", "=", "done"]]), &["name"]).unwrap();
    let type_in = |place: usize, number: serde_json::Value| {
        let ids = [transfers[place]["id"].as_i64().unwrap()];
        let values = json!({ "ids": ids, "vals": { "carrier_tracking_ref": number } });
        odoo.call("stock.picking", "write", &values).unwrap();
    };
    type_in(0, json!(false));
    type_in(1, json!(false));
    let page = warehouse.shipments(&FeedCursor::default()).await.unwrap();
    assert_eq!(page.shipments, [], "both are waited for");
    assert!(page.states.iter().all(|(_, state)| *state != connect::RequestState::Finished), "{:?}", page.states);
    type_in(0, json!("1Z999"));
    let page = warehouse.shipments(&page.next).await.unwrap();
    assert_eq!(page.shipments.len(), 1);
    assert_eq!(page.shipments[0].tracking_numbers(), ["1Z999"]);
    // Nothing moves there any more, and it is long past in what is read; it is told all the same once the wait is over, however
    // long the hub was away, or once nothing is waited for.
    odoo.backdate_changes(Duration::from_secs(3600)).unwrap();
    let held = warehouse.shipments(&page.next).await.unwrap();
    assert_eq!(held.shipments, [], "one is long told, the other still waited for");
    let (hasty, _) = hub(&odoo, "json2", &[("tracking_wait_minutes", "0")]);
    let told = hasty.shipments(&held.next).await.unwrap();
    assert_eq!(told.shipments.len(), 1, "{:?}", told.shipments);
    clock.pass(Duration::from_secs(9 * 3600));
    let late = warehouse.shipments(&held.next).await.unwrap();
    assert_eq!(late.shipments, told.shipments);
    assert_eq!(late.shipments[0].tracking_numbers(), Vec::<String>::new());
    assert!(late.states.iter().any(|(_, state)| *state == connect::RequestState::Finished), "{:?}", late.states);
    let after = warehouse.shipments(&late.next).await.unwrap();
    assert_eq!(after.shipments, [], "nothing is held back any more, so nothing is looked for");
}
