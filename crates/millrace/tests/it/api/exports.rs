//! Exports: every list of the API has one or says why not, each writes what is there, and none holds a secret.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use connect::{FeedCursor, Inbound, RejectedInput};
use engine::{
    cause::{Cause, CauseKind},
    order::Disposition,
    preflight::Tally,
};
use millrace::{
    api,
    db::{NewPreflight, PreflightWork, RunState},
};
use serde_json::{Value, json};

use super::orders::Shop;
use crate::db::{
    stock::{corrections, feed, line, run},
    world::{LEASE, imported, order, request_key, requested, shipment},
};

/// A list of the API, by its `operationId`, and where it is exported; or why it is not.
pub const LISTS: &[(&str, Result<&[&str], &str>)] = &[
    ("list_orders", Ok(&["orders", "order_lines", "requests", "request_lines"])),
    ("list_shipments", Ok(&["shipments", "shipment_lines"])),
    ("list_effects", Ok(&["effects"])),
    ("list_exceptions", Ok(&["exceptions"])),
    ("list_exception_groups", Ok(&["exception_groups"])),
    ("list_findings", Ok(&["findings"])),
    ("get_census", Ok(&["census", "findings"])),
    ("list_issues", Ok(&["issues"])),
    ("follow_events", Ok(&["events"])),
    ("list_audit", Ok(&["audit"])),
    ("list_stock_levels", Ok(&["stock_levels"])),
    ("list_stock_runs", Ok(&["stock_runs"])),
    ("list_stock_run_lines", Ok(&["stock_run_lines"])),
    ("list_stock_holds", Ok(&["stock_holds"])),
    ("get_drift", Ok(&["drift"])),
    ("get_mappings", Ok(&["mappings", "kits", "ship_methods", "source_methods", "locations"])),
    ("list_preflights", Ok(&["preflights", "preflight_causes"])),
    ("list_channel_runs", Ok(&["channel_runs"])),
    ("list_merchants", Ok(&["merchants"])),
    ("list_stores", Ok(&["stores"])),
    ("list_warehouses", Ok(&["warehouses"])),
    ("list_connections", Ok(&["connections"])),
    ("list_alert_channels", Ok(&["alert_channels"])),
    ("list_alert_policies", Ok(&["alert_policies"])),
    ("list_alert_deliveries", Ok(&["deliveries"])),
    ("list_webhooks", Ok(&["webhooks"])),
    ("list_webhook_deliveries", Ok(&["deliveries"])),
    ("list_hand_offs", Ok(&["hand_offs"])),
    ("list_people", Ok(&["people"])),
    ("list_invitations", Ok(&["invitations"])),
    ("list_keys", Ok(&["keys"])),
    ("list_tenants", Ok(&["tenants"])),
    ("list_backups", Ok(&["backups"])),
    (
        "list_desk_requests",
        Err("a warehouse's own: its key opens its desk alone, and `requests` has them for everybody else"),
    ),
    ("list_drafts", Err("what one person has not finished typing, which nobody else sees")),
    ("list_own_sessions", Err("open now, and over by themselves within hours")),
    ("list_persons_sessions", Err("open now, and over by themselves within hours")),
    ("list_platforms", Err("what the program can do: the same everywhere")),
    ("get_choices", Err("the account's own lists, which Brightpearl keeps")),
    ("get_store_choices", Err("the account's own lists, which Brightpearl keeps")),
    ("get_warehouse_choices", Err("the warehouse's own lists, which it keeps")),
    ("get_overview", Err("sums of what is exported")),
    ("get_audit_verification", Err("one answer for each trail, worked out when it is asked for")),
    ("explain_order", Err("what can be done about one order")),
    ("explain_effect", Err("what can be done about one effect")),
    ("get_exception_document", Err("one document, segment by segment")),
];

pub fn document() -> Value {
    serde_json::from_str(&api::document().to_json().unwrap()).unwrap()
}

/// What a schema refers to.
pub fn meant<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(reference) => meant(document, &document["components"]["schemas"][reference.rsplit('/').next().unwrap()]),
        None => schema,
    }
}

pub fn is_list(document: &Value, schema: &Value) -> bool {
    let schema = meant(document, schema);
    let perhaps = schema["type"].as_array().is_some_and(|types| types.contains(&json!("array")));
    (perhaps || schema["type"] == "array") && {
        let of = meant(document, &schema["items"]);
        of["type"] == "object" || of["type"] == "array" || of["allOf"].is_array()
    }
}

/// The fields of an object with those of what it is put together from.
fn fields<'d>(document: &'d Value, schema: &'d Value) -> Vec<&'d Value> {
    let schema = meant(document, schema);
    let own = schema["properties"].as_object().into_iter().flat_map(|own| own.values());
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| fields(document, part))).collect()
}

/// Every `GET` whose answer is a list or has lists in it, but for one thing with all that is its own.
fn lists() -> BTreeSet<String> {
    let document = document();
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let content = &methods["get"]["responses"]["200"]["content"];
        let schema = &content["application/json"]["schema"];
        let of_one_thing = path.ends_with('}');
        let has_lists = !of_one_thing && fields(&document, schema).into_iter().any(|one| is_list(&document, one));
        if is_list(&document, schema) || has_lists || !content["text/event-stream"].is_null() {
            found.insert(methods["get"]["operationId"].as_str().unwrap().to_owned());
        }
    }
    found
}

/// Every kind of export.
fn kinds() -> BTreeSet<String> {
    let document = document();
    let parameters = document["paths"]["/api/v1/exports/{kind}"]["get"]["parameters"].as_array().unwrap();
    let kind = parameters.iter().find(|one| one["name"] == "kind").unwrap();
    let kinds = kind["schema"]["enum"].as_array().unwrap();
    kinds.iter().map(|kind| kind.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_list_is_exported_or_says_why_not() {
    let lists = lists();
    assert!(lists.len() > 40, "{lists:?}");
    let named: BTreeSet<String> = LISTS.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(named.len(), LISTS.len(), "a list twice");
    let missing: Vec<_> = lists.difference(&named).collect();
    assert!(missing.is_empty(), "export these lists, or say here why not: {missing:?}");
    let gone: Vec<_> = named.difference(&lists).collect();
    assert!(gone.is_empty(), "named here, and no list of the API: {gone:?}");
    let exported: BTreeSet<String> =
        LISTS.iter().filter_map(|(_, told)| told.ok()).flatten().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(exported, kinds(), "every kind is of a list, and there is every kind that is named");
}

/// A shop with something of every kind, and the secrets that no answer shows.
async fn furnished() -> (Shop, Vec<String>) {
    let shop = Shop::new().await;
    let (db, installation) = (&shop.installation.hub.db, &shop.installation);
    let held = imported(order(2), Disposition::Held("=row 21 lacks \"B\"".to_owned()), Vec::new());
    db.record_orders(&shop.key, "acme", vec![requested(1), held]).await.unwrap();
    let left = shipment(&order(1), "S1", &request_key(1), &[3, 1]);
    let input = Inbound { name: "ship.csv".to_owned(), content_hash: "h".to_owned(), content: b"a".to_vec() };
    let rejected = [RejectedInput { input, reason: "line 1 cannot be read".to_owned(), beside: false, key: None }];
    db.record_shipments(&shop.key, vec![left], Vec::new(), &[], &rejected, &FeedCursor::default()).await.unwrap();
    let now = db.now().await.unwrap();
    let mut planned = run("inv_1", now, RunState::Planned);
    planned.lines = vec![line(1001, "-2"), line(1002, "1")];
    let wanted = corrections(db, &shop.key, "batch", &[(1001, "-2")]).await;
    db.record_run(&shop.key, planned, wanted, &feed("inv_1", now, &[("W-1001", "5")], false)).await.unwrap();
    db.begin_census(&shop.key).await.unwrap();
    let NewPreflight::Made(preflight) = db.new_preflight(&shop.key, 30, "=cmd").await.unwrap() else {
        panic!("no pre-flight runs yet")
    };
    db.hold_preflight(&shop.key, &preflight, "one", LEASE).await.unwrap();
    let mut tally = Tally::default();
    tally.add(7, &[Cause::new(CauseKind::UnknownSku, "+A")]);
    let work = PreflightWork { revision: 3, total: 9, place: 1, tally };
    assert!(db.advance_preflight(&shop.key, &preflight, "one", work).await.unwrap());
    let mapped = installation
        .put(
            "/api/v1/connections/main/mappings",
            json!({
                "listings": [["A", "@B"]],
                "kits": [{ "sku": "KIT", "parts": [["P-1", "2"], ["=P-2", "1"]] }],
                "locations": [{ "facility": "=MAIN", "warehouse": 2 }],
                "ship_methods": [{ "source": 5, "carrier": "UPS", "service": "-GND" }],
                "source_methods": [{ "source": 6, "carrier": "DHL", "service": "EXP" }],
            }),
        )
        .await;
    assert_eq!(mapped.status, StatusCode::OK, "{}", mapped.text);
    let make = async |path: &str, body: Value| {
        let made = installation.post(&format!("/api/v1/{path}"), body).await;
        assert!(made.status.is_success(), "{path}: {}", made.text);
        made.json()
    };
    let mut secrets = vec!["example-password".to_owned(), installation.administrator.clone()];
    let mut secret = |answer: &Value, field: &str| secrets.push(answer[field].as_str().expect(field).to_owned());
    secret(&make("keys", json!({ "name": "=key", "role": "read" })).await, "key");
    let hook = json!({ "name": "Hook", "url": "https://hooks.example.com/a", "events": ["order"] });
    secret(&make("webhooks", hook).await, "secret");
    let chat = json!({ "name": "Chat", "kind": "chat", "url": "https://chat.example.com/CANARY-chat" });
    make("alerts/channels", chat).await;
    make("alerts/policies", json!({ "name": "@Policy" })).await;
    secret(&make("hand-offs", json!({ "merchant": "Acme", "name": "Handed" })).await, "token");
    let guest = json!({ "email": "guest@example.com", "name": "=Guest", "role": "staff" });
    secret(&make("invitations", guest).await, "token");
    make("backups", json!({})).await;
    super::browser::administrator(installation).await;
    secrets.push("CANARY-chat".to_owned());
    (shop, secrets)
}

fn asked(kind: &str) -> String {
    // Its two systems are read for it, so one is named.
    let connection = if kind == "drift" { "?connection=main" } else { "" };
    format!("/api/v1/exports/{kind}{connection}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_written_and_none_holds_a_secret() {
    let (shop, secrets) = furnished().await;
    // What some line of each begins with or holds; of the others the test of the figures has more.
    let holds: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("requests", &[",BPacme-O1,", ",false,false,"][..]),
        ("request_lines", &[",BPacme-O1,1,W-SKU-1001,3,", ",BPacme-O1,2,"]),
        ("shipment_lines", &[",S1,BPacme-O1,", ",1,1ZS1,"]),
        ("stock_run_lines", &[",inv_1,", ",W-1001,5,7,-2,", ",correct,,eff_", ",W-1002,5,4,1,"]),
        ("kits", &[",KIT,P-1,2", ",KIT,'=P-2,1"]),
        ("ship_methods", &[",5,UPS,'-GND"]),
        ("source_methods", &[",DHL,EXP,6"]),
        ("locations", &[",'=MAIN,2"]),
        ("mappings", &[",A,'@B"]),
        ("preflights", &["pre_", ",'=cmd,", ",9,1,0,1,0,1000"]),
        ("preflight_causes", &["pre_", ",unknown_sku,'+A,false,1,"]),
        ("exception_groups", &["grp_", ",order_held,"]),
        ("merchants", &["mer_"]),
        ("stores", &["sto_", ",BP,", "account_id=acme", ",password"]),
        ("warehouses", &["whs_", ",WH,"]),
        ("connections", &["con_", ",main,"]),
        ("alert_channels", &["alc_", ",Chat,chat,,,chat.example.com,"]),
        ("alert_policies", &["default,", ",'@Policy,"]),
        ("webhooks", &["whk_", ",https://hooks.example.com/a,order,true,"]),
        ("hand_offs", &["lnk_", ",Handed,brightpearl,", ",open,"]),
        ("people", &["per_", ",ada@example.com,", ",administrator,"]),
        ("invitations", &["lnk_", ",guest@example.com,'=Guest,staff,,open,"]),
        ("keys", &["key_", ",'=key,read,"]),
        ("tenants", &["ten_", ",default,"]),
        ("backups", &["bak_", ".backup,"]),
    ]);
    for kind in kinds() {
        let answer = shop.installation.get(&asked(&kind)).await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}: {}", answer.text);
        let text = &answer.text;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns = reader.headers().unwrap().clone();
        assert!(columns.len() > 1 && !columns.iter().any(str::is_empty), "{kind}: {columns:?}");
        let records = reader.records().collect::<Result<Vec<_>, _>>();
        let records =
            records.unwrap_or_else(|error| panic!("{kind}: every line has the columns of the first: {error}"));
        for cell in records.iter().flatten() {
            let is_figure = cell.parse::<f64>().is_ok();
            assert!(is_figure || !cell.starts_with(['=', '+', '-', '@']), "{kind}: {cell} is a formula");
        }
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{kind} shows a secret");
        }
        for wanted in holds.get(kind.as_str()).copied().unwrap_or_default() {
            assert!(text.contains(wanted), "{kind} lacks {wanted}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_filtered_as_what_they_belong_to() {
    let (shop, _) = furnished().await;
    let lines = async |query: &str| {
        let answer = shop.installation.get(&format!("/api/v1/exports/{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
        answer.text.lines().count() - 1
    };
    assert_eq!((lines("requests").await, lines("request_lines").await), (1, 2));
    assert_eq!((lines("requests?state=held").await, lines("request_lines?text=nobody").await), (0, 0));
    assert_eq!(lines("request_lines?connection=main&merchant=Acme").await, 2);
    assert_eq!((lines("shipment_lines").await, lines("shipment_lines?confirmed=true").await), (2, 0));
    assert_eq!(lines("stock_run_lines?connection=main").await, 2);
    // A filter that a kind does not have is refused: the file would hold what nobody wanted.
    for wrong in
        ["people?connection=main", "audit?connection=main", "stock_run_lines?text=A", "kits?merchant=Acme", "drift"]
    {
        let told = shop.installation.get(&format!("/api/v1/exports/{wrong}")).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", told.text);
        assert_eq!(told.json()["problems"].as_array().map(Vec::len), Some(1), "{wrong}");
    }
}
