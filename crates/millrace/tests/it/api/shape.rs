//! What the API promises to programs: the document, problems, pages, live events, repeats.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::{Clock, SystemClock};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use millrace::{
    api,
    db::{Access, Observer, Phase, REPEAT_SILENT, RunState, StockLine, Verdict},
    worker::Seams,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    Held, Installation,
    access::{brightpearl, connected, routes},
    browser::with_time,
    exports::{document, is_list, meant},
    orders::Shop,
    seams,
};
use crate::db::stock::{feed, line, run};

/// `openapi.json` at the root is what the code says. To bring it up to date: `millrace openapi > openapi.json`.
#[test]
fn the_checked_in_document_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let now: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    assert_eq!(kept, now, "run `cargo run -p millrace -- openapi > openapi.json`");
    assert!(now["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for (path, methods) in now["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let verb = id.split('_').next().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            if ["list", "get", "explain", "export", "follow"].contains(&verb) {
                assert_eq!(method, "get", "{path} {id}");
            } else {
                assert_ne!(method, "get", "{path} {id}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_a_problem_document() {
    let installation = Installation::new().await;
    let administrator = installation.administrator.clone();
    let big = json!({ "name": "x".repeat(2 * 1024 * 1024) });
    let big = Request::post("/api/v1/merchants")
        .header("authorization", format!("Bearer {administrator}"))
        .header("content-type", "application/json")
        .header("content-length", big.to_string().len().to_string())
        .body(Body::from(big.to_string()))
        .unwrap();
    let text = Request::post("/api/v1/merchants")
        .header("authorization", format!("Bearer {administrator}"))
        .header("content-type", "text/plain")
        .body(Body::from("{}"))
        .unwrap();
    let answers = [
        (installation.get("/nowhere").await, 404, "not_found"),
        (installation.get("/api/v1/nowhere").await, 404, "not_found"),
        (installation.get("/api/v1/orders/ord_x").await, 404, "not_found"),
        (installation.ask("PATCH", "/api/v1/orders", Some(&administrator), None).await, 405, "method_not_allowed"),
        (installation.get("/api/v1/orders?limit=many").await, 400, "invalid_query"),
        (installation.get("/api/v1/orders?stat=open").await, 400, "invalid_query"),
        (installation.get("/api/v1/orders?state=lost").await, 422, "invalid"),
        (installation.post("/api/v1/merchants", json!({ "nome": "x" })).await, 422, "invalid_body"),
        (installation.post("/api/v1/merchants", json!({ "name": " " })).await, 422, "invalid"),
        (installation.send(big).await, 413, "too_large"),
        (installation.send(text).await, 415, "invalid_body"),
    ];
    for (answer, status, kind) in answers {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(answer.problem(), kind, "{}", answer.text);
        let body = answer.json();
        for field in ["title", "detail", "remedy", "instance"] {
            assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {body}");
        }
        assert_eq!(body["status"], status);
        assert_eq!(body["instance"], answer.headers["x-request-id"].to_str().unwrap());
        for header in ["content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"] {
            assert!(answer.headers.contains_key(header), "{header}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_not_repeated_in_the_answer() {
    let installation = Installation::new().await;
    let wrong = json!({
        "name": "BP", "merchant": "Acme", "platform": "brightpearl", "settings": {}, "secrets": "CANARY-hunter2",
    });
    let answer = installation.post("/api/v1/stores", wrong).await;
    assert_eq!(answer.problem(), "invalid_body");
    assert!(!answer.text.contains("CANARY"), "{}", answer.text);
}

/// A key that belongs to another request is refused by every POST before anything is done; only what people do about themselves, whose
/// answers show secrets, and what warehouses post, which has ids of its own, take none.
#[tokio::test(flavor = "multi_thread")]
async fn every_post_takes_an_idempotency_key() {
    let installation = Installation::new().await;
    let ask = |path: &str| {
        Request::post(path)
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "application/json")
            .header("idempotency-key", "taken")
            .body(Body::from(json!({ "name": "Acme" }).to_string()))
            .unwrap()
    };
    assert_eq!(installation.send(ask("/api/v1/merchants")).await.status, StatusCode::CREATED);
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let mut taken = 0;
    for (method, path) in routes("nothing").into_iter().filter(|(method, _)| method == "POST") {
        if path.contains("/session") || path.contains("/desk/") || path == "/api/v1/merchants" {
            continue;
        }
        let answer = installation.send(ask(&path)).await;
        assert_eq!(answer.problem(), "idempotency_key_reused", "{method} {path}: {}", answer.text);
        taken += 1;
    }
    assert!(taken > 40, "{taken}");
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(post) = methods.get("post") else { continue };
        let says = post["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "Idempotency-Key");
        let apart = [json!(["session"]), json!(["warehouse"])].contains(&post["tags"]);
        assert_eq!(says, !apart, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_the_same_key_is_answered_and_not_done() {
    let installation = Installation::new().await;
    let ask = |key: &str, name: &str| {
        Request::post("/api/v1/merchants")
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(json!({ "name": name }).to_string()))
            .unwrap()
    };
    let first = installation.send(ask("one", "Acme")).await;
    let again = installation.send(ask("one", "Acme")).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.json(), again.json());
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(installation.send(ask("one", "Other")).await.problem(), "idempotency_key_reused");
    assert_eq!(installation.send(ask("two", "Acme")).await.status, StatusCode::CONFLICT);
    let merchants = installation.get("/api/v1/merchants").await.json();
    assert_eq!(merchants["items"].as_array().unwrap().len(), 1);

    // What differs in its query alone is another request: a preview is not the real thing.
    let merchants = |query: &str| {
        Request::post(format!("/api/v1/merchants{query}"))
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "application/json")
            .header("idempotency-key", "one")
            .body(Body::from(json!({ "name": "Acme" }).to_string()))
            .unwrap()
    };
    assert_eq!(installation.send(merchants("?preview=true")).await.problem(), "idempotency_key_reused");
    assert_eq!(installation.send(merchants("")).await.headers["idempotent-replayed"], "true");

    // What is shown once is not kept for a repeat.
    let make = || {
        Request::post("/api/v1/keys")
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "application/json")
            .header("idempotency-key", "three")
            .body(Body::from(json!({ "name": "k", "role": "read" }).to_string()))
            .unwrap()
    };
    assert_eq!(installation.send(make()).await.status, StatusCode::CREATED);
    assert_eq!(installation.send(make()).await.problem(), "shown_once");
}

/// A request that makes a merchant, with an idempotency key.
fn makes(installation: &Installation, name: &str) -> Request<Body> {
    Request::post("/api/v1/merchants")
        .header("authorization", format!("Bearer {}", installation.administrator))
        .header("content-type", "application/json")
        .header("idempotency-key", name)
        .body(Body::from(json!({ "name": name }).to_string()))
        .unwrap()
}

/// An answer too long to keep: the repeat is told so, and what others have changed since stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_at_length_is_not_done_again() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let path = "/api/v1/connections/main/mappings/listings.csv";
    let import = |key: Option<&str>, csv: &str| {
        let request = Request::post(format!("{path}?overwrite=true"))
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "text/csv");
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        installation.send(request.body(Body::from(csv.to_owned())).unwrap())
    };
    let table = |theirs: &str| {
        let lines = (0..1_200).map(|number| format!("SKU-{number},{}\n", theirs.repeat(150)));
        format!("Brightpearl SKU,Warehouse SKU\n{}", lines.collect::<String>())
    };
    assert_eq!(import(None, &table("A")).await.status, StatusCode::OK);
    let first = import(Some("one"), &table("B")).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    assert!(first.text.len() > 256 * 1024, "{}", first.text.len());
    let since = import(None, "Brightpearl SKU,Warehouse SKU\nSKU-7,by somebody else\n").await;
    assert_eq!(since.status, StatusCode::OK, "{}", since.text);
    let stands = installation.get(path).await.text;
    for _ in 0..2 {
        let again = import(Some("one"), &table("B")).await;
        assert_eq!((again.status, again.problem()), (StatusCode::CONFLICT, "answer_not_kept".to_owned()));
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert!(again.text.contains("answered with 200"), "{}", again.text);
        assert_eq!(installation.get(path).await.text, stands, "nothing is done again");
    }
    assert!(stands.contains("by somebody else"), "{}", &stands[..stands.len().min(600)]);
}

/// A database that is away when the end of a request is to be written down: for whoever asks again, as if the program had died.
struct Ends;

#[async_trait]
impl Observer for Ends {
    async fn crossing(&self, operation: &'static str, phase: Phase) -> Verdict {
        if (operation, phase) == ("end_repeatable", Phase::Before) { Verdict::Fail } else { Verdict::Continue }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_cut_off_says_that_its_outcome_is_not_known() {
    let (installation, clock) = with_time().await;
    installation.hub.db.set_observer(Arc::new(Ends));
    assert_eq!(installation.send(makes(&installation, "Acme")).await.status, StatusCode::CREATED);
    let soon = installation.send(makes(&installation, "Acme")).await;
    assert_eq!((soon.status, soon.problem()), (StatusCode::CONFLICT, "still_running".to_owned()));
    assert!(soon.headers.contains_key("retry-after"));
    clock.pass(REPEAT_SILENT + SignedDuration::from_secs(1));
    for _ in 0..2 {
        let later = installation.send(makes(&installation, "Acme")).await;
        assert_eq!((later.status, later.problem()), (StatusCode::CONFLICT, "outcome_unknown".to_owned()));
        assert!(later.json()["remedy"].as_str().unwrap().contains("new key"), "{}", later.text);
    }
    let merchants = installation.get("/api/v1/merchants").await.json();
    assert_eq!(merchants["items"].as_array().unwrap().len(), 1, "{merchants}");
}

/// A clock on which waits are short, and that goes on by what the test lets pass.
#[derive(Default)]
struct Hasty {
    system: SystemClock,
    passed_secs: AtomicI64,
}

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.system.now() + SignedDuration::from_secs(self.passed_secs.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }

    async fn sleep(&self, time: Duration) {
        self.system.sleep(time / 1_000).await;
    }
}

/// However long it takes, what still runs is not taken for cut off.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_is_still_running() {
    let clock = Arc::new(Hasty::default());
    let installation = Installation::with(Seams { clock: Arc::<Hasty>::clone(&clock), ..seams() }, |_| {}).await;
    let held = Held::at(&installation, "create_merchant");
    let (first, ()) = tokio::join!(installation.send(makes(&installation, "Acme")), async {
        held.arrived.notified().await;
        clock.passed_secs.fetch_add(2 * REPEAT_SILENT.as_secs(), Ordering::SeqCst);
        let begun = Instant::now();
        loop {
            let answer = installation.send(makes(&installation, "Acme")).await;
            if answer.problem() == "still_running" {
                break;
            }
            assert_eq!(answer.problem(), "outcome_unknown", "{}", answer.text);
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not show that it runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        held.go.notify_one();
    });
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let again = installation.send(makes(&installation, "Acme")).await;
    assert_eq!((again.status, again.json()), (StatusCode::CREATED, first.json()));
}

/// Whoever hangs up half way can ask again with the same key: it was done once, or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_client_has_gone_is_answered_all_the_same() {
    let installation = Installation::new().await;
    let ask = |number: u64| {
        Request::post("/api/v1/merchants")
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("key {number}"))
            .body(Body::from(json!({ "name": format!("Acme {number}") }).to_string()))
            .unwrap()
    };
    let clients = 60;
    for number in 0..clients {
        let patience = Duration::from_micros(100 * number);
        let _ = tokio::time::timeout(patience, installation.send(ask(number))).await;
    }
    for number in 0..clients {
        let begun = Instant::now();
        loop {
            let answer = installation.send(ask(number)).await;
            if answer.status == StatusCode::CREATED {
                break;
            }
            assert_eq!(answer.problem(), "still_running", "{}", answer.text);
            assert!(begun.elapsed() < Duration::from_secs(20), "client {number} never gets an answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let merchants = installation.get("/api/v1/merchants?limit=500").await.json();
    assert_eq!(merchants["items"].as_array().unwrap().len(), usize::try_from(clients).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_every_order_once() {
    let installation = Installation::new().await;
    let source = brightpearl(60).await;
    let folder = tempfile::tempdir().unwrap();
    for part in ["in", "out"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
    }
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let tenant = installation.tenant("default").await;
    let key = installation.hub.db.connection_by_name(&tenant, "main").await.unwrap();
    let runtime = installation.hub.workers.build(&key).await.unwrap();
    millrace::flow::orders::run(&runtime).await.unwrap();

    let all = installation.get("/api/v1/orders?limit=500").await.json();
    let all = ids(&all);
    assert!(all.len() >= 5, "{} orders", all.len());
    let mut seen = Vec::new();
    let mut path = format!("/api/v1/orders?limit=2&connection={connection}");
    loop {
        let page = installation.get(&path).await.json();
        let found = ids(&page);
        assert!((1..=2).contains(&found.len()));
        seen.extend(found);
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/orders?limit=2&connection={connection}&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);

    // Each can be looked at, and says why it is where it is.
    for id in all.iter().take(5) {
        let order = installation.get(&format!("/api/v1/orders/{id}")).await.json();
        assert_eq!(order["id"].as_str(), Some(id.as_str()));
        assert!(!order["explain"]["why"].as_str().unwrap().is_empty());
        let number = order["number"].as_i64().unwrap();
        let by_number = installation.get(&format!("/api/v1/orders/{number}")).await.json();
        assert_eq!(by_number["id"], order["id"]);
    }
    let held = installation.post(&format!("/api/v1/orders/{}/hold", &all[0]), json!({ "reason": "test" })).await;
    assert_eq!(held.status, StatusCode::OK, "{}", held.text);
    let audit = installation.get("/api/v1/audit?limit=1").await.json();
    assert!(audit["items"][0]["actor"].as_str().unwrap().contains("first administrator"), "{audit}");
}

/// Lists that are answered as a whole, each with the reason.
const WHOLE: &[(&str, &str)] = &[
    ("list_platforms", "what the program can do: as many as it has connectors"),
    ("list_own_sessions", "one person's, of a few browsers, and over by themselves within hours"),
    ("list_persons_sessions", "one person's, of a few browsers, and over by themselves within hours"),
];

/// Every `GET` that answers a list, or a part of one, can be gone on with.
#[test]
fn every_list_comes_in_pages_or_says_why_not() {
    let document = document();
    let mut whole = BTreeSet::new();
    let mut paged = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let get = &methods["get"];
        let schema = &get["responses"]["200"]["content"]["application/json"]["schema"];
        let answer = meant(&document, schema);
        let parameters = get["parameters"].as_array().into_iter().flatten();
        let taken: BTreeSet<&str> = parameters.filter_map(|one| one["name"].as_str()).collect();
        let has = |name: &str| !answer["properties"][name].is_null();
        let in_parts = has("items") || has("next") && taken.contains("cursor");
        if !in_parts && !is_list(&document, schema) {
            continue;
        }
        let id = get["operationId"].as_str().unwrap();
        if taken.contains("limit") && taken.contains("cursor") && !answer["properties"]["next"].is_null() {
            paged += 1;
        } else {
            assert!(whole.insert(id), "{path} twice");
        }
    }
    assert!(paged > 30, "{paged}");
    assert_eq!(whole, WHOLE.iter().map(|(id, _)| *id).collect(), "give these cursor and limit, or say here why not");
}

/// What is put together as a whole, in pages: of held products, and of the lines of a stock run.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_worked_out_comes_in_pages_too() {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    let now = db.now().await.unwrap();
    let mut waiting = run("inv_1", now, RunState::Waiting);
    waiting.lines = (1001..=1007).rev().map(|product| line(product, "2")).collect();
    waiting.lines[3].verdict = "hold".to_owned();
    // Nothing in Brightpearl is called so: of these, only the SKUs are known.
    waiting.lines.extend(["X-2", "X-1"].map(|sku| StockLine {
        warehouse_id: 0,
        product_id: 0,
        skus: vec![sku.to_owned()],
        verdict: "hold".to_owned(),
        ..line(1, "0")
    }));
    let kept = db.record_run(&shop.key, waiting, Vec::new(), &feed("inv_1", now, &[], false)).await.unwrap();
    let all = async |path: &str, limit: usize| {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.get(&format!("{path}limit={limit}{cursor}")).await;
            let found = page["items"].as_array().unwrap().clone();
            assert!(found.len() <= limit);
            items.extend(found);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    };
    let skus =
        |lines: &[Value]| lines.iter().map(|line| line["skus"][0].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let path = format!("stock/runs/{}/lines?", kept.id);
    let lines = all(&path, 2).await;
    let wanted = ["X-1", "X-2", "W-1001", "W-1002", "W-1003", "W-1004", "W-1005", "W-1006", "W-1007"];
    assert_eq!(skus(&lines), wanted);
    assert_eq!(lines, all(&path, 500).await);
    assert_eq!(skus(&all(&format!("{path}verdict=hold&"), 2).await), ["X-1", "X-2", "W-1004"]);
    assert_eq!(all(&format!("{path}verdict=correct,hold&"), 4).await.len(), 9);
    let shown = shop.get(&format!("stock/runs/{}", kept.id)).await;
    assert_eq!((&shown["verdicts"], &shown["corrections"]), (&json!({ "correct": 6, "hold": 3 }), &json!({})));
    assert!(shown.get("lines").is_none(), "{shown}");
    assert!(all("connections/main/stock/holds?", 2).await.is_empty());
    for path in [path.as_str(), "connections/main/stock/holds?", "connections/main/drift?"] {
        let wrong = shop.installation.get(&format!("/api/v1/{path}cursor=nonsense")).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {}", wrong.text);
    }
    // The warehouse counts what Brightpearl does not have: it differs, and a page at a time is all of it.
    let drift = async |query: &str| shop.get(&format!("connections/main/drift?{query}")).await;
    let levels = [("Z-1", "5"), ("Z-2", "7"), ("Z-3", "5")];
    let counted = run("inv_2", now + Duration::from_secs(1), RunState::Waiting);
    let of_them = feed("inv_2", now + Duration::from_secs(1), &levels, false);
    db.record_run(&shop.key, counted, Vec::new(), &of_them).await.unwrap();
    let whole = drift("limit=5000").await;
    assert_eq!(
        (skus(whole["lines"].as_array().unwrap()), whole["next"].is_null()),
        (["Z-2", "Z-1", "Z-3"].map(str::to_owned).to_vec(), true),
        "{whole}"
    );
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = drift(&format!("limit=1{cursor}")).await;
        seen.extend(skus(page["lines"].as_array().unwrap()));
        assert_eq!(page["differing"], 3, "{page}");
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["Z-2", "Z-1", "Z-3"]);
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The ids of the next `count` events of a stream.
async fn follow(installation: &Installation, last: Option<&str>, count: usize) -> Vec<String> {
    let mut request = Request::get("/api/v1/events?after=0")
        .header("authorization", format!("Bearer {}", installation.administrator));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = installation.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.into_body().into_data_stream();
    let mut bytes = Vec::new();
    let mut ids = Vec::new();
    while ids.len() < count {
        let chunk = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("events come").unwrap();
        bytes.extend(chunk.unwrap());
        let text = String::from_utf8_lossy(&bytes);
        // What the last chunk breaks off in the middle of is no line yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        ids = whole.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
    }
    ids.truncate(count);
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_comes_back_misses_nothing() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    for every in [10, 20, 30] {
        let path = format!("/api/v1/connections/{connection}/channels/orders");
        let changed = installation.put(&path, json!({ "enabled": false, "every_seconds": every })).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    }
    let all = follow(&installation, None, 4).await;
    let access = Access::Tenant(installation.tenant("default").await);
    let kept = async || -> Vec<String> {
        let events = installation.hub.db.events_after(&access, 0, 1_000).await.unwrap();
        events.iter().map(|event| event.id.to_string()).collect()
    };
    assert_eq!(all, kept().await[..4], "from the oldest on, without gaps");
    assert_eq!(follow(&installation, Some(&all[1]), 2).await, all[2..]);

    // What comes while somebody listens arrives without asking.
    let last = kept().await.pop().unwrap();
    let (next, _) = tokio::join!(follow(&installation, Some(&last), 1), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let path = format!("/api/v1/connections/{connection}/channels/orders");
        installation.put(&path, json!({ "enabled": false, "every_seconds": 40 })).await;
    });
    let kept = kept().await;
    let place = kept.iter().position(|id| *id == last).unwrap();
    assert_eq!(next, kept[place + 1..place + 2]);
    installation.stop.cancel();
}
