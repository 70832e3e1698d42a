//! The authorisation matrix (control 6): every route of the OpenAPI document, with every kind of key, on own and on foreign
//! objects. The document and the table of what is expected must name the same routes.

mod expected;

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::{FeedCursor, Inbound, MerchantId, OsRandom, RejectedInput, TenantId};
use engine::finding::{Finding, FindingKind, Subject};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use millrace::{
    api,
    db::{CensusOutcome, ConnectionKey, Extent, NewApiKey, RunState, Scope},
    operate::{Role, keys},
    reconcile::Report,
};
use serde_json::Value;
use simulators::brightpearl::Running;
use tower::ServiceExt as _;

use self::expected::{Needs, Row, expected};
use super::{
    Installation,
    access::{brightpearl, connected},
};
use crate::db::{
    stock::{feed, line, run},
    world::{order, request_key, requested, shipment},
};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Stranger,
    Revoked,
    Expired,
    Reader,
    Staff,
    Administrator,
    OfTheMerchant,
    OfAnotherMerchant,
    OfAnotherTenant,
    Operator,
}

const EVERYBODY: [Who; 11] = [
    Who::Nobody,
    Who::Stranger,
    Who::Revoked,
    Who::Expired,
    Who::OfAnotherMerchant,
    Who::OfAnotherTenant,
    Who::Reader,
    Who::Staff,
    Who::OfTheMerchant,
    Who::Administrator,
    Who::Operator,
];

impl Who {
    /// What this caller gets of a route, for an object of the tenant that the matrix is about.
    fn expects(self, row: &Row) -> Vec<u16> {
        let own = row.own.to_vec();
        let enough = |has: Needs| if has >= row.needs { own.clone() } else { vec![403] };
        match self {
            Self::Nobody | Self::Stranger | Self::Revoked | Self::Expired => vec![401],
            Self::Reader => enough(Needs::Read),
            Self::Staff | Self::OfTheMerchant => enough(Needs::Staff),
            Self::Administrator => enough(Needs::Admin),
            Self::Operator => own,
            Self::OfAnotherMerchant if row.needs >= Needs::Admin => vec![403],
            // A second time, what was made is there.
            Self::OfAnotherTenant | Self::OfAnotherMerchant if row.foreign == 201 => vec![201, 409],
            Self::OfAnotherTenant | Self::OfAnotherMerchant => vec![row.foreign],
        }
    }

    /// Whether nothing of the tenant may be in the answer.
    fn is_foreign(self) -> bool {
        !matches!(self, Self::Reader | Self::Staff | Self::OfTheMerchant | Self::Administrator | Self::Operator)
    }
}

/// A tenant with one object of every kind, and a key of every kind.
struct World {
    installation: Installation,
    keys: BTreeMap<&'static str, String>,
    /// What stands in a path in the place of its parameters.
    objects: BTreeMap<&'static str, String>,
    // The account that the connection talks to.
    _source: Running,
    _folder: tempfile::TempDir,
}

impl World {
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
        let scope = Scope { tenant: own.clone(), merchant: merchant.parse().unwrap() };
        let key = ConnectionKey { scope, connection: connection.parse().unwrap() };
        let mut objects = furnish(&installation, &key).await;
        objects.insert("connection", connection);
        let list = async |path: &str| installation.get(&format!("/api/v1/{path}")).await.json();
        objects.insert("store", text(&list("stores").await[0]["id"]));
        objects.insert("warehouse", text(&list("warehouses").await[0]["id"]));
        for (name, path) in [
            ("order", "orders"),
            ("shipment", "shipments"),
            ("effect", "effects"),
            ("exception", "exceptions"),
            ("finding", "findings?all=true"),
        ] {
            objects.insert(name, text(&list(path).await["items"][0]["id"]));
        }
        let db = &installation.hub.db;
        let other = db.create_tenant("other").await.unwrap();
        let brand = db.create_merchant(&own, "Brand").await.unwrap();
        let mut keys = BTreeMap::new();
        for (who, tenant, role, merchant) in [
            ("Reader", &own, Role::Read, None),
            ("Staff", &own, Role::Staff, None),
            ("Administrator", &own, Role::Admin, None),
            ("OfTheMerchant", &own, Role::Admin, Some(&key.scope.merchant)),
            ("OfAnotherMerchant", &own, Role::Admin, Some(&brand)),
            ("OfAnotherTenant", &other, Role::Admin, None),
        ] {
            keys.insert(who, make_key(&installation, tenant, role, merchant, None).await.1);
        }
        let (revoked, secret) = make_key(&installation, &own, Role::Admin, None, None).await;
        db.revoke_api_key(Some(&own), &revoked, "test").await.unwrap();
        keys.insert("Revoked", secret);
        let ended = Timestamp::from_second(1_700_000_000).unwrap();
        keys.insert("Expired", make_key(&installation, &own, Role::Admin, None, Some(ended)).await.1);
        keys.insert("Stranger", format!("mr_{}", "0".repeat(64)));
        keys.insert("Operator", installation.administrator.clone());
        // The key that is revoked in the course of it.
        objects.insert("key", make_key(&installation, &own, Role::Read, None, None).await.0);
        objects.insert("channel", "stock".to_owned());
        Self { installation, keys, objects, _source: source, _folder: folder }
    }

    fn path(&self, template: &str) -> String {
        let mut path = template.to_owned();
        for (name, value) in &self.objects {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        assert!(!path.contains('{'), "an object for {template}");
        path
    }

    /// What is wrong with this answer to this caller; nothing, if all is as expected.
    async fn ask(&self, who: Who, method: &str, template: &str, row: &Row) -> Option<String> {
        let mut request = Request::builder().method(method).uri(format!("{}{}", self.path(template), row.query));
        if let Some(key) = self.keys.get(format!("{who:?}").as_str()) {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if who == Who::Operator {
            request = request.header("millrace-tenant", "default");
        }
        let body = match &row.body {
            Value::Null => Body::empty(),
            Value::String(csv) => {
                request = request.header("content-type", "text/csv");
                Body::from(csv.clone())
            }
            json => {
                request = request.header("content-type", "application/json");
                Body::from(json.to_string())
            }
        };
        let response = self.installation.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let mut stream = response.into_body().into_data_stream();
        let mut text = String::new();
        // A stream of events has no end; what is there at once is looked at.
        let wait = if row.id == "follow_events" { 400 } else { 120_000 };
        while let Ok(Some(Ok(chunk))) =
            tokio::time::timeout(std::time::Duration::from_millis(wait), stream.next()).await
        {
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
        let expected = who.expects(row);
        if !expected.contains(&status.as_u16()) {
            return Some(format!("{who:?} {method} {template}: {status}, expected {expected:?}: {text}"));
        }
        let named = self.objects.iter().filter(|(name, _)| **name != "channel").map(|(_, value)| value);
        let mut told: BTreeSet<&String> = named.filter(|value| text.contains(*value)).collect();
        // What the caller has said itself is no news.
        told.retain(|value| !self.path(template).contains(*value));
        if who.is_foreign() && !told.is_empty() {
            return Some(format!("{who:?} {method} {template}: tells {told:?}"));
        }
        None
    }

    /// Every route with every caller: everything that is not as expected.
    async fn play(&self) -> Vec<String> {
        let routes = documented();
        let mut found = Vec::new();
        for row in expected() {
            let Some((method, path)) = routes.get(row.id) else { continue };
            for who in EVERYBODY {
                found.extend(self.ask(who, method, path, &row).await);
            }
        }
        found
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("an id").to_owned()
}

async fn make_key(
    installation: &Installation,
    tenant: &TenantId,
    role: Role,
    merchant: Option<&MerchantId>,
    expires_at: Option<Timestamp>,
) -> (String, String) {
    let key = keys::generate(&OsRandom);
    let new = NewApiKey {
        tenant: Some(tenant.clone()),
        name: "test".to_owned(),
        hash: keys::hash(&key),
        role: role.as_str().to_owned(),
        merchant: merchant.cloned(),
        expires_at,
    };
    (installation.hub.db.create_api_key(new, "test").await.unwrap(), key)
}

/// An order with its effect and shipment, a stock run, an exception and a finding.
async fn furnish(installation: &Installation, key: &ConnectionKey) -> BTreeMap<&'static str, String> {
    let db = &installation.hub.db;
    db.record_orders(key, "acme", vec![requested(1)]).await.unwrap();
    let left = shipment(&order(1), "S1", &request_key(1), &[3, 1]);
    let input = Inbound { name: "ship.csv".to_owned(), content_hash: "h".to_owned(), content: b"a,b".to_vec() };
    let rejected = [RejectedInput { input, reason: "line 1: nothing of it can be read".to_owned() }];
    let cursor = FeedCursor::default();
    db.record_shipments(key, vec![left], Vec::new(), &[], &rejected, &cursor).await.unwrap();
    let now = db.now().await.unwrap();
    let mut waiting = run("inv_1", now, RunState::Waiting);
    waiting.lines = vec![line(1001, "2")];
    let counted = feed("inv_1", now, &[("W-1001", "5")], false);
    let kept = db.record_run(key, waiting, Vec::new(), &counted).await.unwrap();
    let orphan = Finding {
        kind: FindingKind::OrphanNote,
        subject: Subject::Note(7),
        order_id: Some(1),
        what: "goods-out note 7 belongs to nothing".to_owned(),
    };
    let report = Report {
        extent: "recent".to_owned(),
        from: now,
        to: now,
        unaccounted: 0,
        counted: 1,
        buckets: Vec::new(),
        lost: Vec::new(),
        warehouse_not_asked: None,
        unchecked: Vec::new(),
        findings: 1,
    };
    let outcome = CensusOutcome {
        unaccounted: 0,
        report: serde_json::to_vec(&report).unwrap(),
        findings: vec![orphan],
        checked: FindingKind::ALL.into(),
    };
    db.begin_census(key).await.unwrap();
    db.finish_census(key, Extent::Recent, outcome).await.unwrap();
    BTreeMap::from([("run", kept.id)])
}

/// Every documented route by its id: method, and path with its parameters in braces.
fn documented() -> BTreeMap<String, (String, String)> {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let mut routes = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            routes.insert(text(&operation["operationId"]), (method.to_uppercase(), path.clone()));
        }
    }
    routes
}

#[test]
fn every_route_has_its_row() {
    let documented: BTreeSet<String> = documented().into_keys().collect();
    let expected: Vec<String> = expected().into_iter().map(|row| row.id.to_owned()).collect();
    let rows: BTreeSet<String> = expected.iter().cloned().collect();
    assert_eq!(rows.len(), expected.len(), "a row twice");
    let missing: Vec<_> = documented.difference(&rows).collect();
    assert!(missing.is_empty(), "say in matrix/expected.rs who may use these new routes: {missing:?}");
    let gone: Vec<_> = rows.difference(&documented).collect();
    assert!(gone.is_empty(), "rows without a route: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_theirs_and_nothing_else() {
    let found = World::new().await.play().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Everything that can be looked at, as a tenant sees it, byte for byte: it is the same with and without another tenant whose
/// things have the same names and numbers and are busy meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_the_same_with_and_without_another_ones_traffic() {
    let world = World::new().await;
    let before = world.seen().await;
    assert!(before.len() > 30, "{}", before.len());
    let db = &world.installation.hub.db;
    let other = world.installation.tenant("other").await;
    let merchant = db.create_merchant(&other, "Acme").await.unwrap();
    let crowd = crate::db::world::busy_neighbour(db, &other, &merchant).await;
    let key = &world.keys["OfAnotherTenant"];
    let orders = world.installation.ask("GET", "/api/v1/orders", Some(key), None).await.json();
    assert_eq!(orders["items"].as_array().unwrap().len(), crowd, "there is another tenant's traffic");
    for (path, after) in world.seen().await {
        assert_eq!(before[&path], after, "{path}");
    }
}

impl World {
    /// Every answer of every route that only looks, in its own words, but for the request's own id.
    async fn seen(&self) -> BTreeMap<String, (StatusCode, String)> {
        let routes = documented();
        let mut seen = BTreeMap::new();
        // What is counted for the whole process, what never ends, and what tells the time of its own asking.
        let apart = ["get_budgets", "follow_events", "list_keys", "list_audit", "get_audit_verification"];
        for row in expected().into_iter().filter(|row| !apart.contains(&row.id)) {
            let (method, template) = &routes[row.id];
            if method != "GET" {
                continue;
            }
            let path = format!("{}{}", self.path(template), row.query);
            let answer = self.installation.ask("GET", &path, Some(&self.keys["Administrator"]), None).await;
            // The drift says when it was worked out, which is now.
            let now = if row.id == "get_drift" { text(&answer.json()["at"]) } else { String::new() };
            let told = if now.is_empty() { answer.text } else { answer.text.replace(&now, "now") };
            seen.insert(path, (answer.status, told));
        }
        seen
    }
}

/// A route without its check, and a list without its tenant, are holes that the matrix shows. A fault is planted for one
/// thread, so everything runs on this one.
#[cfg(feature = "planted")]
#[tokio::test]
async fn planted_holes_are_noticed() {
    use connect::planted::{Planted, plant};

    for hole in [Planted::OpenRoute, Planted::EveryTenant] {
        let world = World::new().await;
        plant(Some(hole));
        let found = world.play().await;
        plant(None);
        assert!(!found.is_empty(), "{hole:?} was not noticed");
    }
}
