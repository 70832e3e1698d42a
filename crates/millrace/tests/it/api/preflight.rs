//! Pre-flight on history: what it says, what it costs, and that it changes nothing.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use engine::preflight::Tally;
use millrace::{
    db::{ConnectionKey, NewPreflight, PreflightWork, Scope},
    operate::Role,
    worker::Tried,
};
use serde_json::{Value, json};
use simulators::brightpearl::{Allocation, Brightpearl, NewLine, NewOrder, Running};
use tokio_util::sync::CancellationToken;

use super::{
    Installation,
    access::{brightpearl, connected},
};

const ACCOUNT: &str = "acme";
/// The Brightpearl warehouse of the connection, and another.
const OURS: i64 = 5;
const THEIRS: i64 = 2;
const STAFF: i64 = 203;
const RUNS: &str = "/api/v1/connections/main/preflight";

/// A connection to an account without orders.
struct Bench {
    installation: Installation,
    source: Running,
    key: ConnectionKey,
    /// Two products by their SKUs; only the first is mapped.
    skus: [String; 2],
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let source = brightpearl(0).await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["in", "out"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let (connection, merchant) =
            connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
        let own = installation.tenant("default").await;
        let scope = Scope { tenant: own, merchant: merchant.parse().unwrap() };
        let key = ConnectionKey { scope, connection: connection.parse().unwrap() };
        let desk = source.handle();
        let products = desk.plain_products(ACCOUNT).unwrap();
        let skus = [products[0].1.clone(), products[1].1.clone()];
        for (product, _) in &products[..2] {
            desk.change_stock(ACCOUNT, *product, OURS, 100_000).unwrap();
            desk.change_stock(ACCOUNT, *product, THEIRS, 1_000).unwrap();
        }
        let settings = json!({
            "import_statuses": ["Ready to ship"], "warehouse": "Example 3PL", "unmapped_sku": "strict",
            // Work begins today; the pre-flight looks at the time before.
            "placed_from": "2099-01-01T00:00:00Z",
        });
        let set = installation.put("/api/v1/connections/main/settings", settings).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.text);
        let bench = Self { installation, source, key, skus, _folder: folder };
        bench.map(json!([[bench.skus[0], "W-1"]])).await;
        bench
    }

    async fn map(&self, listings: Value) {
        let carriers = json!([{ "source": 1, "carrier": "UPS", "service": "Ground" }]);
        let given = json!({ "listings": listings, "ship_methods": carriers });
        let mapped = self.installation.put("/api/v1/connections/main/mappings", given).await;
        assert_eq!(mapped.status, StatusCode::OK, "{}", mapped.text);
    }

    fn desk(&self) -> Brightpearl {
        self.source.handle()
    }

    /// An order of the first product, ready in every way.
    fn ready(&self) -> NewOrder {
        self.of(&[0])
    }

    fn of(&self, products: &[usize]) -> NewOrder {
        NewOrder {
            status_id: Some(self.desk().status_id(ACCOUNT, "Ready to ship").unwrap()),
            warehouse_id: Some(OURS),
            shipping_method_id: Some(1),
            ..NewOrder::of(products.iter().map(|product| NewLine::sku(&self.skus[*product], 1)))
        }
    }

    fn place(&self, order: NewOrder) -> i64 {
        self.desk().create_order(ACCOUNT, order).unwrap()
    }

    fn calls(&self) -> u64 {
        self.desk().calls(ACCOUNT).values().sum()
    }

    /// Carries the run out, as a node would.
    async fn carried_out(&self, id: &str) -> Value {
        let stop = CancellationToken::new();
        let node = tokio::spawn(Arc::clone(&self.installation.hub.workers).run_preflights(stop.clone()));
        let mut shown = Value::Null;
        for _ in 0..300 {
            shown = self.installation.get(&format!("{RUNS}/{id}")).await.json();
            if !["waiting", "running"].contains(&shown["state"].as_str().unwrap()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.cancel();
        node.await.unwrap();
        assert_eq!(shown["state"], "finished", "{shown}");
        shown
    }

    async fn begun(&self) -> String {
        let started = self.installation.post(RUNS, json!({ "days": 30 })).await;
        assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.text);
        started.json()["id"].as_str().unwrap().to_owned()
    }
}

/// The calls made so far, by purpose.
async fn spent(installation: &Installation) -> serde_json::Map<String, Value> {
    let budgets = installation.get("/api/v1/budgets").await.json();
    budgets[format!("brightpearl:{ACCOUNT}")]["calls"].as_object().cloned().unwrap_or_default()
}

fn cause<'v>(shown: &'v Value, kind: &str) -> &'v Value {
    let causes = shown["causes"].as_array().unwrap();
    causes.iter().find(|cause| cause["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {shown:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_would_have_stood_still_and_changes_nothing() {
    let bench = Bench::new().await;
    let desk = bench.desk();
    let through = [bench.place(bench.ready()), bench.place(bench.ready())];
    let unmapped = bench.place(bench.of(&[1]));
    bench.place(bench.of(&[0, 1]));
    bench.place(NewOrder { allocation: Allocation::None, ..bench.ready() });
    let phone = desk.status_id(ACCOUNT, "New phone order").unwrap();
    bench.place(NewOrder { status_id: Some(phone), ..bench.ready() });
    bench.place(NewOrder { shipping_method_id: Some(49), ..bench.ready() });
    let nowhere = bench.place(bench.ready());
    desk.set_postcode(ACCOUNT, nowhere, "").unwrap();
    bench.place(NewOrder { warehouse_id: Some(THEIRS), ..bench.ready() });
    let cancelled = bench.place(NewOrder { allocation: Allocation::None, ..bench.ready() });
    desk.cancel_order(ACCOUNT, cancelled).unwrap();
    // Shipped by hand, and moved on since.
    let shipped = bench.place(bench.ready());
    let note = desk.create_note(ACCOUNT, shipped, OURS, STAFF, None).unwrap();
    desk.ship_note(ACCOUNT, note, STAFF).unwrap();
    desk.set_status(ACCOUNT, shipped, phone).unwrap();
    let (ledger, before, spent_before) = (desk.ledger(), bench.calls(), spent(&bench.installation).await);

    let id = bench.begun().await;
    let again = bench.installation.post(RUNS, json!({})).await;
    assert_eq!(again.problem(), "conflict", "{}", again.text);
    let shown = bench.carried_out(&id).await;
    assert_eq!(
        (&shown["orders"], &shown["through"], &shown["stuck"], &shown["left_out"], &shown["stuck_per_mille"]),
        (&json!(11), &json!(3), &json!(6), &json!(2), &json!(667)),
        "{shown:#}"
    );
    assert_eq!((&shown["total"], &shown["before"]), (&json!(11), &Value::Null));
    let sku = cause(&shown, "unknown_sku");
    assert_eq!((&sku["subject"], &sku["orders"], &sku["left_out"]), (&json!(bench.skus[1]), &json!(2), &json!(false)));
    assert_eq!(sku["examples"][0], json!(unmapped));
    assert!(sku["remedy"].as_str().unwrap().contains("Map the SKU"), "{sku}");
    for (kind, subject, left_out) in [
        ("ship_method", "Tracked 24", false),
        ("address", "postcode", false),
        ("status", "New phone order", false),
        ("not_allocated", "", false),
        ("warehouse", "Main warehouse", true),
        ("cancelled", "", true),
    ] {
        let cause = cause(&shown, kind);
        let found = (&cause["subject"], &cause["orders"], &cause["left_out"]);
        assert_eq!(found, (&json!(subject), &json!(1), &json!(left_out)), "{kind}");
    }
    assert_eq!(shown["causes"].as_array().unwrap().len(), 7);
    assert_eq!(shown["causes"][0]["kind"], "unknown_sku", "the most first");

    // Nothing was changed there, and nothing came in here.
    assert_eq!(desk.ledger().len(), ledger.len(), "{:?}", desk.ledger().last());
    for list in ["orders", "effects", "exceptions"] {
        let listed = bench.installation.get(&format!("/api/v1/{list}")).await.json();
        assert_eq!(listed["items"], json!([]), "{list}");
    }
    assert!(bench.installation.hub.db.known_orders(&bench.key, &through).await.unwrap().is_empty());
    // One sign-in, six lists of the account, one search, one read of orders and one of notes.
    let calls = bench.calls() - before;
    assert!(calls <= 12, "{calls} calls: {:?}", desk.calls(ACCOUNT));
    // Every one of them let all others go first.
    let mut spent_since = spent(&bench.installation).await;
    assert!(spent_since.remove("preflight").is_some_and(|count| count.as_u64().is_some_and(|count| count <= calls)));
    assert_eq!(spent_since, spent_before);

    // Mended, and run again.
    bench.map(json!([[bench.skus[0], "W-1"], [bench.skus[1], "W-2"]])).await;
    let second = bench.carried_out(&bench.begun().await).await;
    assert_eq!((&second["through"], &second["stuck"]), (&json!(5), &json!(4)), "{second:#}");
    let earlier = &second["before"];
    assert_eq!((&earlier["id"], &earlier["stuck"]), (&json!(id), &json!(6)));
    assert_eq!(earlier["mended"], json!([{ "kind": "unknown_sku", "subject": bench.skus[1], "orders": 2 }]));
    assert_eq!(cause(&second, "address")["before"], 1);
    let listed = bench.installation.get(RUNS).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][1]["id"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_where_another_was_killed() {
    let bench = Bench::new().await;
    let mut orders: Vec<i64> = (0..203).map(|_| bench.place(bench.ready())).collect();
    orders.sort_unstable();
    let (hub, key) = (&bench.installation.hub, &bench.key);
    let NewPreflight::Made(id) = hub.db.new_preflight(key, 30, "test").await.unwrap() else { panic!("one runs") };
    let revision = hub.workers.build(key).await.unwrap().revision;
    // It had looked at the first slice when it was killed: its lease stands.
    let minute = Duration::from_secs(60);
    hub.db.hold_preflight(key, &id, "killed", minute).await.unwrap().unwrap();
    let mut tally = Tally::default();
    orders[..200].iter().for_each(|order| tally.add(*order, &[]));
    let work = PreflightWork { revision, total: 203, place: orders[199], tally };
    assert!(hub.db.advance_preflight(key, &id, "killed", work).await.unwrap());
    let run = hub.db.preflight(key, &id).await.unwrap();
    let stop = CancellationToken::new();
    assert_eq!(hub.workers.try_preflight(&run, &stop).await.unwrap(), Tried::Elsewhere);
    assert_eq!(bench.installation.get(&format!("{RUNS}/{id}")).await.json()["state"], "running");
    hub.db.defer_preflight(key, &id, "killed", Duration::ZERO, None).await.unwrap();
    let before = bench.desk().calls(ACCOUNT);
    let shown = bench.carried_out(&id).await;
    assert_eq!((&shown["orders"], &shown["through"]), (&json!(203), &json!(203)));
    let read = |calls: &std::collections::BTreeMap<(String, String), u64>| -> u64 {
        calls.iter().filter(|((_, message), _)| message == "order.get").map(|(_, count)| count).sum()
    };
    assert!(read(&bench.desk().calls(ACCOUNT)) - read(&before) <= 1, "only the rest is read");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_and_ended_by_those_who_may() {
    let bench = Bench::new().await;
    let installation = &bench.installation;
    let own = &bench.key.scope.tenant;
    let read = installation.key(own, Role::Read, None).await;
    let refused = installation.ask("POST", RUNS, Some(&read), Some(&json!({}))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    for days in [0, 91] {
        let refused = installation.post(RUNS, json!({ "days": days })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    }
    let id = bench.begun().await;
    let path = format!("{RUNS}/{id}");
    assert_eq!(installation.get(&path).await.json()["state"], "waiting");
    let refused = installation.ask("POST", &format!("{path}/cancel"), Some(&read), None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let ended = installation.post(&format!("{path}/cancel"), Value::Null).await;
    assert_eq!((ended.status, &ended.json()["state"]), (StatusCode::OK, &json!("cancelled")));
    let again = installation.post(&format!("{path}/cancel"), Value::Null).await;
    assert_eq!((again.status, &again.json()["state"]), (StatusCode::OK, &json!("cancelled")));
    let none = installation.get(&format!("{RUNS}/pre_00000000000000000000000000")).await;
    assert_eq!(none.problem(), "not_found");
    // The credentials do not work any more: it says so instead of trying for ever.
    bench.desk().change_password(ACCOUNT, "api.user@example.test", "another-password").unwrap();
    let id = bench.begun().await;
    let run = installation.hub.db.preflight(&bench.key, &id).await.unwrap();
    let tried = installation.hub.workers.try_preflight(&run, &CancellationToken::new()).await.unwrap();
    assert_eq!(tried, Tried::Done);
    let failed = installation.get(&format!("{RUNS}/{id}")).await.json();
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["problem"].as_str().unwrap().contains("credentials"), "{failed}");
}
