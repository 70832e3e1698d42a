//! The authorisation matrix (control 6): every route of the OpenAPI document, with every kind of key and of person, on own
//! and on foreign objects. The document and the table of what is expected must name the same routes.

mod expected;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use millrace::{
    api,
    db::{Access, ConnectionKey, Scope},
    notify::Notifier,
    operate::PROOF,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use self::{
    expected::{Needs, Password, Row, expected, expected_on_postgres},
    world::World,
};
use super::{
    Installation,
    browser::{Browser, PASSWORD, with_time},
    exports::LISTS,
};
use crate::db::world::requested;

/// Who asks: with a key, or as a person who signed in.
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
    /// The system of the warehouse whose desk is asked about.
    OfTheWarehouse,
    /// The system of another warehouse of the same merchant.
    OfAnotherWarehouse,
    Operator,
    /// Their session has ended.
    SignedOut,
    /// From outside, and sees the merchant.
    PersonOfTheMerchant,
    /// Limited to the merchant.
    PersonOfStaff,
    AdministratingPerson,
    /// Staff, limited to another merchant.
    PersonOfAnotherMerchant,
    /// Administers another tenant.
    PersonOfAnotherTenant,
    /// Administers the installation.
    OperatingPerson,
}

const EVERYBODY: [Who; 20] = [
    Who::Nobody,
    Who::Stranger,
    Who::Revoked,
    Who::Expired,
    Who::SignedOut,
    Who::OfAnotherMerchant,
    Who::OfAnotherTenant,
    Who::OfAnotherWarehouse,
    Who::OfTheWarehouse,
    Who::PersonOfAnotherMerchant,
    Who::PersonOfAnotherTenant,
    Who::Reader,
    Who::PersonOfTheMerchant,
    Who::Staff,
    Who::PersonOfStaff,
    Who::OfTheMerchant,
    Who::Administrator,
    Who::AdministratingPerson,
    Who::Operator,
    Who::OperatingPerson,
];

impl Who {
    /// What this caller gets of a route, for an object of the tenant that the matrix is about.
    fn expects(self, row: &Row) -> Vec<u16> {
        let own = row.own.to_vec();
        let enough = |has: Needs| if has >= row.needs { own.clone() } else { vec![403] };
        match self {
            _ if row.needs == Needs::Nothing => own,
            Self::Nobody | Self::Stranger | Self::Revoked | Self::Expired | Self::SignedOut => vec![401],
            // A key of a warehouse opens its own desk and nothing else, and no other key does.
            Self::OfTheWarehouse if row.needs == Needs::Warehouse => own,
            Self::OfAnotherWarehouse if row.needs == Needs::Warehouse => vec![row.foreign],
            Self::OfTheWarehouse | Self::OfAnotherWarehouse => vec![403],
            _ if row.needs == Needs::Warehouse => vec![403],
            // What there is about oneself is the administrator's own, and another person's for the others. A key is nobody.
            Self::AdministratingPerson if row.needs == Needs::Oneself => own,
            _ if row.needs == Needs::Oneself => vec![if self.is_person() { row.foreign } else { 403 }],
            Self::Reader | Self::PersonOfTheMerchant => enough(Needs::Read),
            Self::Staff | Self::PersonOfStaff => enough(Needs::Staff),
            Self::OfTheMerchant => enough(Needs::Manage),
            Self::Administrator | Self::AdministratingPerson => enough(Needs::Admin),
            Self::Operator | Self::OperatingPerson => own,
            Self::OfAnotherMerchant if row.needs > Needs::Manage => vec![403],
            Self::PersonOfAnotherMerchant if row.needs > Needs::Staff => vec![403],
            // A second time, what was made is there.
            _ if row.foreign == 201 => vec![201, 409],
            Self::OfAnotherMerchant
            | Self::OfAnotherTenant
            | Self::PersonOfAnotherMerchant
            | Self::PersonOfAnotherTenant => vec![row.foreign],
        }
    }

    fn is_person(self) -> bool {
        matches!(
            self,
            Self::PersonOfTheMerchant
                | Self::PersonOfStaff
                | Self::AdministratingPerson
                | Self::PersonOfAnotherMerchant
                | Self::PersonOfAnotherTenant
                | Self::OperatingPerson
        )
    }

    /// Whether nothing of the tenant may be in the answer.
    fn is_foreign(self) -> bool {
        matches!(
            self,
            Self::Nobody
                | Self::Stranger
                | Self::Revoked
                | Self::Expired
                | Self::SignedOut
                | Self::OfAnotherMerchant
                | Self::OfAnotherTenant
                | Self::OfAnotherWarehouse
                | Self::PersonOfAnotherMerchant
                | Self::PersonOfAnotherTenant
        )
    }
}

impl World {
    fn path(&self, template: &str) -> String {
        // Two kinds of things are called channels.
        let path = self.filled(&template.replace("/alerts/channels/{channel}", "/alerts/channels/{alert_channel}"));
        assert!(!path.contains('{'), "an object for {template}");
        path
    }

    fn filled(&self, template: &str) -> String {
        let fill = |text: String, (name, value): (&&str, &String)| text.replace(&format!("{{{name}}}"), value);
        self.objects.iter().fold(template.to_owned(), fill)
    }

    /// A request as this caller makes it.
    async fn request(&self, who: Who, method: &str, uri: &str, row: &Row) -> axum::http::request::Builder {
        let name = format!("{who:?}");
        let mut request = match self.people.get(name.as_str()) {
            // What is done about oneself may end a session, so it is done with another one each time.
            Some(person) if who.is_person() && row.needs == Needs::Oneself => {
                Browser::new(&self.installation).signed_in(person.email, PASSWORD).await.request(method, uri)
            }
            Some(person) => person.browser(&self.installation).request(method, uri),
            None => Request::builder().method(method).uri(uri),
        };
        if let Some(key) = self.keys.get(name.as_str()) {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if [Who::Operator, Who::OperatingPerson].contains(&who) {
            request = request.header("millrace-tenant", "default");
        }
        request
    }

    /// The row's body, and what kind it is.
    async fn body(&self, who: Who, row: &Row) -> (Body, Option<&'static str>) {
        match &row.body {
            Value::Null => (Body::empty(), None),
            Value::String(csv) => (Body::from(csv.clone()), Some("text/csv")),
            json => {
                let mut text = self.filled(&json.to_string());
                if text.contains("{previewed}") {
                    text = text.replace("{previewed}", &self.previewed(who, row).await);
                }
                (Body::from(text), Some("application/json"))
            }
        }
    }

    /// The token of a bulk action that this caller has seen the outcome of; of one of the administrator's, good and not used, where
    /// the caller may have none of its own on these orders.
    async fn previewed(&self, who: Who, row: &Row) -> String {
        let whose = if who.expects(row) == row.own { who } else { Who::Administrator };
        let request = self.request(whose, "POST", "/api/v1/orders/bulk/preview", row).await;
        let asked = json!({ "action": "hold", "filter": {}, "reason": "the matrix" });
        let request = request.header("content-type", "application/json").body(Body::from(asked.to_string())).unwrap();
        let preview = self.installation.send(request).await;
        assert_eq!(preview.status, StatusCode::OK, "{whose:?}: {}", preview.text);
        text(&preview.json()["token"])
    }

    /// What is wrong with this answer to this caller; nothing, if all is as expected.
    async fn ask(&self, who: Who, method: &str, template: &str, row: &Row) -> Option<String> {
        let uri = format!("{}{}", self.path(template), row.query);
        let mut request = self.request(who, method, &uri, row).await;
        let (body, kind) = self.body(who, row).await;
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = self.installation.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let text = read(row.id, response.into_body()).await;
        let expected = who.expects(row);
        if !expected.contains(&status.as_u16()) {
            return Some(format!("{who:?} {method} {template}: {status}, expected {expected:?}: {text}"));
        }
        let named = self.objects.iter().filter(|(name, _)| !["channel", "kind", "table"].contains(name));
        let mut told: BTreeMap<_, _> = named.filter(|(_, value)| text.contains(*value)).collect();
        // What the caller has said itself is no news.
        told.retain(|_, value| !self.path(template).contains(*value));
        if who.is_foreign() && !told.is_empty() {
            return Some(format!("{who:?} {method} {template}: tells {told:?}"));
        }
        None
    }

    /// Every export with every caller, held against the row of the list that it is of.
    async fn play_exports(&self) -> Vec<String> {
        let routes = documented();
        let rows = expected();
        let mut found = Vec::new();
        for (id, told) in LISTS {
            let Ok(kinds) = told else { continue };
            let list = rows.iter().find(|row| row.id == *id).expect("a row of the list");
            let (_, path) = &routes[*id];
            // Where the list is of something else than a connection, the export is of all that the caller sees.
            let (query, foreign) = match (path.contains("{connection}"), path.contains('{')) {
                (true, _) => ("?connection={connection}", list.foreign),
                (false, true) => ("", 200),
                (false, false) => ("", list.foreign),
            };
            let row = Row {
                id: "export_data",
                needs: list.needs,
                password: Password::Whenever,
                body: Value::Null,
                query: "",
                own: list.own,
                foreign,
            };
            for kind in *kinds {
                for who in EVERYBODY {
                    let path = format!("/api/v1/exports/{kind}{query}");
                    found.extend(self.ask(who, "GET", &path, &row).await);
                }
            }
        }
        found
    }

    /// Every route with every caller: everything that is not as expected.
    async fn play(&self) -> Vec<String> {
        let routes = documented();
        let mut found = Vec::new();
        let rows = if self.installation.hub.db.is_postgres() { expected_on_postgres() } else { expected() };
        for row in rows {
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

/// Fields that say what a route is about: credentials or where they go to in what it takes, and something secret in what it
/// answers. A `key` is one where something was made.
const TAKEN: [&str; 2] = ["secrets", "url"];
const GIVEN: [&str; 5] = ["secret", "token", "recovery_codes", "address", "link"];

/// Routes with such fields that ask for no password: a draft's secrets are used for nothing until somebody gives it, and the token
/// of a preview opens nothing that its holder could not do without.
const HARMLESS: [&str; 3] = ["create_draft", "update_draft", "preview_bulk_action"];

/// All names of fields in a schema and in what it refers to.
fn fields<'d>(document: &'d Value, schema: &'d Value, seen: &mut BTreeSet<&'d str>, names: &mut BTreeSet<&'d str>) {
    match schema {
        Value::Object(parts) => {
            if let Some(named) = parts.get("$ref").and_then(Value::as_str)
                && seen.insert(named)
            {
                fields(document, &document["components"]["schemas"][named.rsplit('/').next().unwrap()], seen, names);
            }
            if let Some(properties) = parts.get("properties").and_then(Value::as_object) {
                names.extend(properties.keys().map(String::as_str));
            }
            parts.values().for_each(|part| fields(document, part, seen, names));
        }
        Value::Array(parts) => parts.iter().for_each(|part| fields(document, part, seen, names)),
        _ => {}
    }
}

/// A new route that takes or gives credentials cannot say that it asks for nothing.
#[test]
fn what_takes_or_gives_credentials_asks_for_the_password() {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let mut asks = 0;
    let mut open = Vec::new();
    for row in expected().into_iter().filter(|row| row.needs != Needs::Nothing) {
        let mut operations = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
        let (method, operation) = operations
            .find(|(_, operation)| operation["operationId"] == row.id)
            .unwrap_or_else(|| panic!("no route {}", row.id));
        if method == "get" {
            continue;
        }
        let names = |schemas: &Value| {
            let mut names = BTreeSet::new();
            fields(&document, schemas, &mut BTreeSet::new(), &mut names);
            names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let answers = operation["responses"].as_object().unwrap();
        let taken = names(&operation["requestBody"]);
        let given = answers.iter().filter(|(status, _)| status.starts_with('2')).flat_map(|(_, answer)| names(answer));
        let given: BTreeSet<String> = given.collect();
        let made = answers.contains_key("201") && given.contains("key");
        let about = TAKEN.iter().any(|name| taken.contains(*name)) || GIVEN.iter().any(|name| given.contains(*name));
        if !(about || made) || HARMLESS.contains(&row.id) {
            continue;
        }
        match row.password {
            Password::Lately => asks += 1,
            Password::Whenever => open.push(row.id),
        }
    }
    assert!(open.is_empty(), "these take or give credentials, and ask for no password: {open:?}");
    assert!(asks >= 20, "{asks}");
}

/// Somebody who may do everything and gave the password too long ago is asked for it where the table says so, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_asked_for_again_where_the_table_says_so() {
    let (installation, clock) = with_time().await;
    let world = World::of(installation).await;
    let too_long = PROOF + SignedDuration::from_mins(1);
    clock.pass(too_long);
    let (who, routes) = (Who::OperatingPerson, documented());
    let owner = &world.people["OperatingPerson"];
    let mut found = Vec::new();
    for row in expected() {
        if [Needs::Nothing, Needs::Warehouse].contains(&row.needs) {
            continue;
        }
        let Some((method, template)) = routes.get(row.id) else { continue };
        let browser = if row.needs == Needs::Oneself {
            // It may end the session, so each has its own.
            let browser = Browser::new(&world.installation).signed_in(owner.email, PASSWORD).await;
            clock.pass(too_long);
            browser
        } else {
            owner.browser(&world.installation)
        };
        let mut request = browser.request(method, &format!("{}{}", world.path(template), row.query));
        let (body, kind) = world.body(who, &row).await;
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = world.installation.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let text = read(row.id, response.into_body()).await;
        let asked = status == StatusCode::UNAUTHORIZED && text.contains("\"proof_needed\"");
        if asked != (row.password == Password::Lately) || (!asked && status == StatusCode::UNAUTHORIZED) {
            found.push(format!("{method} {template}: {status}, expected {:?}: {text}", row.password));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What this caller gets of a route that is not in the document, asked from another machine.
fn expects_beside(who: Who, path: &str) -> Vec<u16> {
    let is_known = !matches!(who, Who::Nobody | Who::Stranger | Who::Revoked | Who::Expired | Who::SignedOut);
    match path {
        "/healthz" | "/readyz" | "/hooks/reach/{nonce}" => vec![200],
        _ if path.contains("/docs") || path.ends_with("openapi.json") => vec![200],
        // Every tenant is counted there.
        "/metrics" if who == Who::Operator => vec![200],
        "/metrics" if is_known && !who.is_person() => vec![403],
        "/metrics" => vec![401],
        // Their address is the secret, and this one is nobody's.
        "/hooks/brightpearl/{path}" | "/hooks/warehouse/{path}" => vec![404],
        // Whoever began it holds a session, and this was begun by nobody.
        "/oauth/brightpearl" if who.is_person() => vec![404],
        "/oauth/brightpearl" => vec![401],
        // Back to the door, which says why.
        "/sign-in/provider" => vec![303],
        _ => panic!("say here who may use the new route {path}"),
    }
}

/// The routes that are not in the document: what calls from outside, what browsers are sent back to, what watches over it.
#[tokio::test(flavor = "multi_thread")]
async fn routes_beside_the_document_tell_nothing_of_anybody() {
    let world = World::new().await;
    let row = expected().into_iter().find(|row| row.id == "get_overview").expect("a row of something looked at");
    let mut found = Vec::new();
    for (method, template) in api::routes_beside() {
        let path = template.replace("{path}", "nobody-s").replace("{nonce}", "0123456789abcdef0123456789abcdef");
        let query = if path.contains("oauth") || path.contains("sign-in") { "?code=a&state=b" } else { "" };
        for who in EVERYBODY {
            let request = world.request(who, method.as_str(), &format!("{path}{query}"), &row).await;
            let peer = axum::extract::ConnectInfo(std::net::SocketAddr::from(([192, 0, 2, 7], 50_000)));
            let request = request.extension(peer).body(Body::from("{}")).unwrap();
            let response = world.installation.router.clone().oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let text = read(template, response.into_body()).await;
            let expected = expects_beside(who, template);
            if !expected.contains(&status) {
                found.push(format!("{who:?} {method} {template}: {status}, expected {expected:?}: {text}"));
            }
            let ids = world.objects.values().filter(|value| value.contains('_'));
            let told: Vec<&String> = ids.filter(|id| text.contains(*id)).collect();
            if template != "/metrics" && !told.is_empty() {
                found.push(format!("{who:?} {method} {template}: tells {told:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_theirs_and_nothing_else() {
    let found = World::new().await.play().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_for_whom_its_list_is() {
    let found = World::new().await.play_exports().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The same where row-level security is the second wall: it hides nothing from whoever may see it, and its refusals are no other
/// answers than those of the program's own scopes.
#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_theirs_on_postgres_too() {
    let found = World::of(Installation::on_postgres().await).await.play().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Everything that can be looked at, byte for byte: a tenant sees the same with and without another tenant whose things have the
/// same names and numbers and are busy meanwhile, and so does a brand with and without another brand of its tenant.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_the_traffic_of_another_tenant_or_brand() {
    for installation in [Installation::new().await, Installation::on_postgres().await] {
        let world = World::of(installation).await;
        let db = &world.installation.hub.db;
        for (sees, busy, tenant, merchant) in [
            ("Administrator", "OfAnotherTenant", "other", "Acme"),
            ("OfTheMerchant", "OfYetAnotherMerchant", "default", "Busy"),
        ] {
            let before = world.seen(sees).await;
            assert!(before.len() > 40, "{}", before.len());
            let tenant = world.installation.tenant(tenant).await;
            let merchant = db.create_merchant(&tenant, merchant).await.unwrap();
            let crowd = crate::db::world::busy_neighbour(db, &tenant, &merchant).await;
            let key = match world.keys.get(busy) {
                Some(key) => key.clone(),
                None => world.installation.key(&tenant, millrace::operate::Role::Admin, Some(merchant.as_str())).await,
            };
            let orders = world.installation.ask("GET", "/api/v1/orders", Some(&key), None).await.json();
            assert_eq!(orders["items"].as_array().unwrap().len(), crowd, "there is traffic of {busy}");
            for (path, after) in world.seen(sees).await {
                assert_eq!(before[&path], after, "{sees} sees {busy} at {path}");
            }
        }
    }
}

/// Fields that pass by themselves: when it was worked out, when a key was last used, the time of the day, what this process has
/// called until now.
const FLEETING: [(&str, &[&str]); 4] = [
    ("get_drift", &["at"]),
    ("list_keys", &["last_used_at"]),
    ("get_overview", &["at", "budgets"]),
    ("get_budgets", &["calls", "remaining", "waiting", "foreign_calls"]),
];

fn without(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|value| without(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| without(value, names)),
        _ => {}
    }
}

impl World {
    /// Every answer of every route that only looks, in its own words, but for the request's own id and what passes by itself.
    async fn seen(&self, who: &str) -> BTreeMap<String, (StatusCode, String)> {
        let routes = documented();
        let mut seen = BTreeMap::new();
        // Packed, with the time in every head.
        let of_the_tenant =
            |row: &Row| (Needs::Read..=Needs::Admin).contains(&row.needs) && row.id != "export_merchant";
        for row in expected().into_iter().filter(of_the_tenant) {
            let (method, template) = &routes[row.id];
            if method != "GET" {
                continue;
            }
            let path = format!("{}{}", self.path(template), row.query);
            let request = Request::get(&path).header("authorization", format!("Bearer {}", self.keys[who]));
            let response =
                self.installation.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = response.status();
            let mut told = read(row.id, response.into_body()).await;
            if let Ok(mut json) = serde_json::from_str::<Value>(&told) {
                let fleeting = FLEETING.iter().find(|(id, _)| *id == row.id).map(|(_, names)| *names);
                // A refusal names its own request.
                if let Some(hours) = json.get_mut("hours").and_then(Value::as_array_mut) {
                    // Which of them are there depends on the time of the day; those without anything say nothing.
                    hours.retain(|hour| hour["orders"] != 0 || hour["shipments"] != 0);
                }
                let names = if status.is_success() { fleeting } else { Some(["instance"].as_slice()) };
                if let Some(names) = names {
                    without(&mut json, names);
                    told = json.to_string();
                }
            }
            seen.insert(path, (status, told));
        }
        seen
    }
}

/// All of an answer; of a stream of events, which has no end, what is there at once.
async fn read(id: &str, body: Body) -> String {
    until_nothing_comes(body, Duration::from_millis(if id == "follow_events" { 400 } else { 120_000 })).await
}

async fn until_nothing_comes(body: Body, for_so_long: Duration) -> String {
    let mut stream = body.into_data_stream();
    let mut text = String::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(for_so_long, stream.next()).await {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

/// What differs between two runs by chance and by the clock, and nothing besides: an id stands for its kind and for how many ids were
/// named before it, a moment for any other, and so does a hash, which covers ids and moments. Every other byte is compared.
#[derive(Default)]
struct Mask(BTreeMap<String, String>);

impl Mask {
    fn over(&mut self, text: &str) -> String {
        let within = |c: char| c.is_ascii_alphanumeric() || "_-:.+".contains(c);
        let mut masked = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c| !within(c)) {
            let word = piece.trim_end_matches(|c| !within(c)).trim_end_matches(['.', ':']);
            masked.push_str(&self.word(word));
            masked.push_str(&piece[word.len()..]);
        }
        masked
    }

    fn word(&mut self, word: &str) -> String {
        let is_id = matches!(word.split_once('_'), Some((kind, rest)) if kind.len() == 3 && rest.len() == 26
            && kind.bytes().all(|byte| byte.is_ascii_lowercase())
            && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
        if is_id {
            let before = self.0.len();
            return self.0.entry(word.to_owned()).or_insert_with(|| format!("{}_{before}", &word[..3])).clone();
        }
        let is_hash = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        // In sentences the day and the time stand apart.
        let is_day = word.parse::<jiff::civil::Date>().is_ok() && word.len() == 10;
        let is_time = word.parse::<jiff::civil::Time>().is_ok() && word.len() == 8 && word.contains(':');
        match word.parse::<Timestamp>() {
            Ok(_) => "a moment".to_owned(),
            Err(_) if is_day => "a day".to_owned(),
            Err(_) if is_time => "a time".to_owned(),
            Err(_) if is_hash => "a hash".to_owned(),
            Err(_) => word.to_owned(),
        }
    }
}

#[test]
fn the_mask_leaves_what_is_counted() {
    let id = "ord_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let told =
        format!("id: {id}\ndata: {{\"at\":\"2026-11-29T12:00:00.1Z\",\"number\":4711,\"of\":\"evt_4711, {id}\"}}");
    let masked = Mask::default().over(&told);
    assert_eq!(masked, "id: ord_0\ndata: {\"at\":\"a moment\",\"number\":4711,\"of\":\"evt_4711, ord_0\"}");
}

impl World {
    /// Another tenant or brand at work, with things of the same names and numbers. How much is told of it, to whom it belongs.
    async fn others_work(&self, tenant: &str, merchant: &str) -> i64 {
        let db = &self.installation.hub.db;
        let before = db.last_event().await.unwrap();
        let tenant = self.installation.tenant(tenant).await;
        let made = db.create_merchant(&tenant, merchant).await.unwrap();
        crate::db::world::busy_neighbour(db, &tenant, &made).await;
        db.rename_merchant(&tenant, &made, &format!("{merchant} the busy")).await.unwrap();
        for turn in 0..5 {
            let detail = json!({ "turn": turn });
            db.audit(&Access::Tenant(tenant.clone()), "a neighbour", "merchant.look", made.as_str(), &detail)
                .await
                .unwrap();
        }
        db.last_event().await.unwrap() - before
    }

    /// What is done by somebody, after others have worked or not, and everything that is told to them of it.
    async fn done_by(&self, who: &str, order: i64, others: Option<(&str, &str)>) -> Vec<(String, String)> {
        let (installation, key) = (&self.installation, self.keys[who].as_str());
        let hub = &installation.hub;
        let ask = async |method: &str, path: &str, body: Option<Value>| {
            let answer = installation.ask(method, &format!("/api/v1/{path}"), Some(key), body.as_ref()).await;
            assert!(answer.status.is_success(), "{who} {method} {path}: {} {}", answer.status, answer.text);
            answer
        };
        let follow = async |last: Option<&str>| {
            let mut request = Request::get("/api/v1/events").header("authorization", format!("Bearer {key}"));
            if let Some(last) = last {
                request = request.header("last-event-id", last);
            }
            installation.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_body()
        };
        let given = json!({
            "name": format!("Hook of {who}"), "merchant": "Acme", "url": "https://hooks.example.com/w",
            "events": ["order", "effect", "channel", "connection"],
        });
        let hook = text(&ask("POST", "webhooks", Some(given)).await.json()["webhook"]["id"]);
        let stream = follow(None).await;
        if let Some((tenant, merchant)) = others {
            let told = self.others_work(tenant, merchant).await;
            assert!(told > 20, "{told} events of {merchant}");
        }

        let mut told = Vec::new();
        let connection = &self.objects["connection"];
        let scope =
            Scope { tenant: installation.tenant("default").await, merchant: self.objects["merchant"].parse().unwrap() };
        let connected = ConnectionKey { scope, connection: connection.parse().unwrap() };
        hub.db.record_orders(&connected, "acme", vec![requested(order)]).await.unwrap();
        for (method, path, body) in [
            ("POST", format!("orders/{order}/hold"), json!({ "reason": "to look at it" })),
            ("POST", format!("orders/{order}/release"), json!({})),
        ] {
            told.push((path.clone(), ask(method, &path, Some(body)).await.text));
        }
        let channel = format!("connections/{connection}/channels/orders");
        ask("PUT", &channel, Some(json!({ "enabled": false, "every_seconds": 60 + order }))).await;
        Notifier::new(Arc::clone(hub)).unwrap().give().await.unwrap();

        // Between events a stream says now and then that it is still there.
        let events = async |body: Body| until_nothing_comes(body, Duration::from_secs(2)).await.replace(":\n\n", "");
        let heard = events(stream).await;
        let ids: Vec<String> = heard.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect();
        assert!(ids.len() >= 4, "come, held, released and changed: {heard}");
        let rest = events(follow(Some(&ids[0])).await).await;
        assert!(heard.ends_with(&rest) && rest.matches("id: ").count() == ids.len() - 1, "{heard}\n{rest}");
        told.extend([("what was heard".to_owned(), heard), ("what was heard again".to_owned(), rest)]);
        let mut looks: Vec<String> = [
            &format!("orders/{order}"),
            &channel,
            "orders",
            "exports/events",
            "exports/orders",
            "exports/order_lines",
            "exceptions?all=true",
            "findings?all=true",
        ]
        .map(str::to_owned)
        .into();
        if who == "Administrator" {
            looks.push("audit?limit=5".to_owned());
        }
        for path in looks {
            told.push((path.clone(), ask("GET", &path, None).await.text));
        }
        // What is made in one moment has ids in no order; the events that are told have one.
        let made = ask("GET", &format!("webhooks/{hook}/deliveries"), None).await.json();
        let mut made = made["items"].as_array().unwrap().clone();
        made.sort_by_key(|delivery| ids.iter().position(|id| delivery["event"] == **id));
        assert!(made.len() >= 4, "{made:?}");
        for delivery in made {
            let shown = ask("GET", &format!("deliveries/{}", text(&delivery["id"])), None).await;
            told.push(("what the webhook is told".to_owned(), shown.text));
        }
        told
    }
}

/// What somebody does is told to them byte for byte alike, whether others have worked before or not, in two runs: a number that counts
/// everybody's work would differ by theirs.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_does_is_told_alike_with_and_without_others() {
    for on_postgres in [false, true] {
        let mut runs = Vec::new();
        for busy in [false, true] {
            let installation = if on_postgres { Installation::on_postgres().await } else { Installation::new().await };
            let world = World::of(installation).await;
            // First a tenant beside another one, then a brand beside another one of its tenant.
            let mut told = world.done_by("Administrator", 101, busy.then_some(("other", "Acme"))).await;
            told.extend(world.done_by("OfTheMerchant", 102, busy.then_some(("default", "Busy"))).await);
            let mut mask = Mask::default();
            let masked = |(path, text): (String, String)| (mask.over(&path), mask.over(&text));
            let masked: Vec<(String, String)> = told.into_iter().map(masked).collect();
            runs.push((masked, world.installation.hub.db.last_event().await.unwrap()));
        }
        let [(alone, few), (beside, many)] = runs.try_into().expect("two runs");
        assert!(many > few + 40, "{few} events without others, {many} with them");
        assert_eq!(alone.len(), beside.len());
        for (alone, beside) in alone.into_iter().zip(beside) {
            assert_eq!(alone, beside);
        }
    }
}

/// A route without its check, and lists without their tenant, are holes that the matrix shows: it names the route, and what it
/// tells. Without a hole it finds nothing. A fault is planted for one thread, so everything runs on this one.
#[cfg(feature = "planted")]
#[tokio::test]
async fn planted_holes_are_noticed() {
    use connect::planted::{Planted, plant};

    for hole in [None, Some(Planted::OpenRoute), Some(Planted::EveryTenant)] {
        let world = World::new().await;
        plant(hole);
        let found = world.play().await;
        plant(None);
        let all = found.join("\n");
        let has = |begins: String, part: &str| found.iter().any(|one| one.starts_with(&begins) && one.contains(part));
        match hole {
            Some(Planted::OpenRoute) => {
                for who in [Who::Reader, Who::Staff, Who::OfTheMerchant, Who::PersonOfAnotherMerchant] {
                    assert!(has(format!("{who:?} GET /api/v1/keys: 200 OK"), "expected [403]"), "{who:?}: {all}");
                }
                assert!(found.iter().all(|one| one.contains(" GET /api/v1/keys: ")), "and no other route: {all}");
            }
            Some(Planted::EveryTenant) => {
                for who in [Who::OfAnotherTenant, Who::PersonOfAnotherTenant] {
                    for (list, table) in [("orders", "order"), ("effects", "effect"), ("shipments", "shipment")] {
                        let told = format!("{table:?}: {:?}", world.objects[table]);
                        assert!(has(format!("{who:?} GET /api/v1/{list}: tells"), &told), "{who:?} {list}: {all}");
                    }
                }
            }
            _ => assert!(found.is_empty(), "without a hole: {all}"),
        }
    }
}
