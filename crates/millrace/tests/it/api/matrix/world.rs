//! What the matrix asks about: a tenant with one object of every kind, and callers of every kind.

use std::collections::BTreeMap;

use connect::{FeedCursor, Inbound, MerchantId, OsRandom, RejectedInput, Secret, TenantId};
use engine::{
    alert::{AlertKind, CauseKey, Change, Sighting},
    finding::{Finding, FindingKind, Subject},
};
use jiff::Timestamp;
use millrace::{
    db::{Access, CensusOutcome, ConnectionKey, DeskKey, Extent, NewApiKey, NewPreflight, RunState, Scope},
    operate::{Role, keys},
    reconcile::Report,
};
use serde_json::{Value, json};
use simulators::brightpearl::Running;

use super::{
    super::{
        Installation,
        access::{brightpearl, connected},
        browser::{Browser, PASSWORD, administrator},
    },
    text,
};
use crate::db::{
    stock::{feed, line, run},
    world::{order, request_key, requested, shipment},
};

/// A tenant with one object of every kind, and callers of every kind.
pub struct World {
    pub installation: Installation,
    pub keys: BTreeMap<&'static str, String>,
    pub people: BTreeMap<&'static str, Session>,
    /// What stands in a path or a body in the place of its parameters.
    pub objects: BTreeMap<&'static str, String>,
    // The account that the connection talks to.
    _source: Running,
    _folder: tempfile::TempDir,
}

/// Somebody who has signed in.
pub struct Session {
    pub email: &'static str,
    pub cookie: String,
    pub csrf: String,
}

impl Session {
    async fn begin(installation: &Installation, email: &'static str) -> Self {
        let browser = Browser::new(installation).signed_in(email, PASSWORD).await;
        Self { email, cookie: browser.cookie.unwrap(), csrf: browser.csrf.unwrap() }
    }

    /// The browser that holds it.
    pub fn browser<'i>(&self, installation: &'i Installation) -> Browser<'i> {
        Browser { cookie: Some(self.cookie.clone()), csrf: Some(self.csrf.clone()), ..Browser::new(installation) }
    }
}

impl World {
    pub async fn new() -> Self {
        Self::of(Installation::new().await).await
    }

    pub async fn of(installation: Installation) -> Self {
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
        let draft = installation.post("/api/v1/drafts", json!({ "name": "Begun", "content": {} })).await.json();
        objects.insert("draft", text(&draft["id"]));
        let list = async |path: &str| installation.get(&format!("/api/v1/{path}")).await.json();
        let merchants = list("merchants").await;
        let acme = merchants["items"].as_array().unwrap().iter().find(|merchant| merchant["name"] == "Acme").unwrap();
        objects.insert("merchant", text(&acme["id"]));
        objects.insert("store", text(&list("stores").await["items"][0]["id"]));
        objects.insert("warehouse", text(&list("warehouses").await["items"][0]["id"]));
        for (name, path) in [
            ("order", "orders"),
            ("shipment", "shipments"),
            ("effect", "effects"),
            ("exception", "exceptions"),
            ("finding", "findings?all=true"),
        ] {
            objects.insert(name, text(&list(path).await["items"][0]["id"]));
        }
        objects.insert("group", text(&list("exceptions/groups").await["items"][0]["id"]));
        objects.insert("kind", "orders".to_owned());
        objects.insert("table", "listings.csv".to_owned());
        let mut keys = BTreeMap::new();
        for (who, name) in [("OfTheWarehouse", "Desk"), ("OfAnotherWarehouse", "Other desk")] {
            let (warehouse, secret) = desk(&installation, name).await;
            keys.insert(who, secret);
            if who == "OfTheWarehouse" {
                let key = DeskKey { scope: key.scope.clone(), warehouse };
                objects.insert("request", "BPacme-O9001".to_owned());
                objects.insert("lease", laid(&installation, &key).await);
            }
        }
        let db = &installation.hub.db;
        // As an operator makes them: one that somebody comes into, and one that routes are tried on.
        let mut set_up = None;
        for name in ["other", "third"] {
            let made = installation.post("/api/v1/tenants", json!({ "name": name })).await;
            assert_eq!(made.status, 201, "{}", made.text);
            let made = made.json();
            if name == "other" {
                set_up = Some(text(&made["link"]["token"]));
            } else {
                objects.insert("tenant", text(&made["tenant"]["id"]));
            }
        }
        let other = installation.tenant("other").await;
        let backup = installation.ask("POST", "/api/v1/backups", Some(&installation.administrator), None).await;
        // A PostgreSQL server makes its own, and there is none of this name.
        objects.insert("backup", backup.json()["id"].as_str().unwrap_or("bak_0000000000000").to_owned());
        let brand = db.create_merchant(&own, "Brand").await.unwrap();
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
        let own_key = &keys["Administrator"];
        told_of(&installation, own_key, &key, &mut objects).await;
        for (name, object, token) in
            [("Handed", "entered", "hand_off_token"), ("Handed too", "hand_off", "second_hand_off_token")]
        {
            let given = json!({ "merchant": "Acme", "name": name, "settings": { "base_url": source.base_url() } });
            let made = installation.ask("POST", "/api/v1/hand-offs", Some(own_key), Some(&given)).await.json();
            objects.insert(object, text(&made["id"]));
            objects.insert(token, text(&made["token"]));
        }
        let (own_brand, brand) = (key.scope.merchant.as_str(), brand.as_str());
        let mut people = BTreeMap::new();
        let owner = administrator(&installation).await;
        let owner = Session { email: "ada@example.com", cookie: owner.cookie.unwrap(), csrf: owner.csrf.unwrap() };
        people.insert("OperatingPerson", owner);
        for (who, key, email, rights) in [
            ("AdministratingPerson", own_key, "bob@example.com", json!({ "role": "administrator" })),
            ("PersonOfStaff", own_key, "joe@example.com", json!({ "role": "staff", "merchants": [own_brand] })),
            (
                "PersonOfTheMerchant",
                own_key,
                "eve@example.com",
                json!({ "role": "merchant", "merchants": [own_brand] }),
            ),
            ("PersonOfAnotherMerchant", own_key, "kim@example.com", json!({ "role": "staff", "merchants": [brand] })),
            ("SignedOut", own_key, "max@example.com", json!({ "role": "administrator" })),
        ] {
            come(&installation, key, email, rights).await;
            people.insert(who, Session::begin(&installation, email).await);
        }
        // The first administrator of a tenant comes by the link that was made with it.
        let email = "lee@example.com";
        let given = json!({ "token": set_up, "email": email, "name": "Lee", "password": PASSWORD });
        let came = Browser::new(&installation).post("/api/v1/links/redeem", given).await;
        assert_eq!(came.status, 201, "{}", came.text);
        people.insert("PersonOfAnotherTenant", Session::begin(&installation, email).await);
        let left = people["SignedOut"].browser(&installation).delete("/api/v1/session").await;
        assert_eq!(left.status, 204, "{}", left.text);
        known(&installation, own_key, &own, &mut objects).await;
        Self { installation, keys, people, objects, _source: source, _folder: folder }
    }
}

/// A warehouse that calls us, with a key of its own.
async fn desk(installation: &Installation, name: &str) -> (connect::WarehouseId, String) {
    let given = json!({ "name": name, "merchant": "Acme", "platform": "warehouse_api" });
    let made = installation.post("/api/v1/warehouses", given).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = text(&made.json()["id"]);
    let made = installation.post(&format!("/api/v1/warehouses/{id}/keys"), json!({ "name": "WMS" })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (id.parse().unwrap(), text(&made.json()["key"]))
}

/// Two requests on a desk, of which the first was handed out: under which lease.
async fn laid(installation: &Installation, key: &DeskKey) -> String {
    let db = &installation.hub.db;
    for number in [9001, 9002] {
        let request = crate::db::desk::request(&format!("BPacme-O{number}"));
        assert!(db.lay_on_desk(key, &request).await.unwrap().is_none());
    }
    let hour = jiff::SignedDuration::from_hours(1);
    db.pull_from_desk(key, 1, hour).await.unwrap().0
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
        scopes: String::new(),
        merchant: merchant.cloned(),
        warehouse: None,
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
    let rejected =
        [RejectedInput { input, reason: "line 1: nothing of it can be read".to_owned(), beside: false, key: None }];
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
    let NewPreflight::Made(preflight) = db.new_preflight(key, 30, "test").await.unwrap() else {
        panic!("no pre-flight runs yet")
    };
    BTreeMap::from([("run", kept.id), ("preflight", preflight)])
}

/// Invites somebody, without their coming yet: the link's id and its token.
async fn invite(installation: &Installation, key: &str, email: &str, rights: Value) -> (String, String) {
    let mut given = json!({ "email": email, "name": "Somebody" });
    given.as_object_mut().unwrap().extend(rights.as_object().unwrap().clone());
    let made = installation.ask("POST", "/api/v1/invitations", Some(key), Some(&given)).await.json();
    (text(&made["id"]), text(&made["token"]))
}

/// Somebody who was invited and came. Their id.
async fn come(installation: &Installation, key: &str, email: &str, rights: Value) -> String {
    let (_, token) = invite(installation, key, email, rights).await;
    let given = json!({ "token": token, "password": PASSWORD });
    let came = Browser::new(installation).post("/api/v1/links/redeem", given).await;
    assert_eq!(came.status, 201, "{}", came.text);
    text(&came.json()["person"])
}

/// A person with a second factor, a session, and invitations.
async fn known(
    installation: &Installation,
    key: &str,
    tenant: &TenantId,
    objects: &mut BTreeMap<&'static str, String>,
) {
    let person = come(installation, key, "ann@example.com", json!({ "role": "staff" })).await;
    let (hub, secret) = (&installation.hub, Secret::new("JBSWY3DPEHPK3PXP"));
    hub.db.begin_factor(tenant, &person, secret, &hub.keyring).await.unwrap();
    let known = hub.db.person(tenant, &person).await.unwrap();
    hub.db.link_identity(&known, "https://login.example.com", "248", "test").await.unwrap();
    objects.insert("person", person);
    // A second session of the administrator.
    let mut second = Browser::new(installation).signed_in("bob@example.com", PASSWORD).await;
    objects.insert("session", text(&second.get("/api/v1/session").await.json()["id"]));
    let staff = || json!({ "role": "staff" });
    objects.insert("invitation", invite(installation, key, "guest@example.com", staff()).await.0);
    objects.insert("token", invite(installation, key, "door@example.com", staff()).await.1);
}

/// A webhook with a delivery, an alert channel, a policy and an issue, all of the merchant.
async fn told_of(
    installation: &Installation,
    key: &str,
    connection: &ConnectionKey,
    objects: &mut BTreeMap<&'static str, String>,
) {
    let make = async |path: &str, body: Value| {
        let made = installation.ask("POST", &format!("/api/v1/{path}"), Some(key), Some(&body)).await;
        assert!(made.status.is_success(), "{path}: {}", made.text);
        made.json()
    };
    let hook = json!({ "name": "Hook", "url": "https://hooks.example.com/a", "events": [], "merchant": "Acme" });
    let webhook = text(&make("webhooks", hook).await["webhook"]["id"]);
    objects.insert("delivery", text(&make(&format!("webhooks/{webhook}/test"), json!({})).await["id"]));
    objects.insert("webhook", webhook);
    let channel = json!({ "name": "Mail", "kind": "email", "to": ["ops@example.com"], "merchant": "Acme" });
    objects.insert("alert_channel", text(&make("alerts/channels", channel).await["id"]));
    let policy = json!({ "name": "Policy", "merchant": "Acme" });
    objects.insert("policy", text(&make("alerts/policies", policy).await["id"]));
    let seen = Sighting {
        key: CauseKey {
            kind: AlertKind::OrderHeld,
            merchant: connection.scope.merchant.to_string(),
            connection: connection.connection.to_string(),
            cause: "the matrix".to_owned(),
        },
        what: "an order is held".to_owned(),
        count: 1,
        subjects: Vec::new(),
    };
    let access = Access::Tenant(connection.scope.tenant.clone());
    installation.hub.db.change_issues(&access, vec![Change::Open(seen)]).await.unwrap();
    let issues = installation.ask("GET", "/api/v1/alerts/issues", Some(key), None).await.json();
    objects.insert("issue", text(&issues["items"][0]["id"]));
}
