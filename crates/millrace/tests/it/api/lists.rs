//! Lists of what is set up: every page goes on where the one before ended, and holds only what its caller may see.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use connect::{StoreId, WarehouseId};
use engine::settings::ConnectionSettings;
use millrace::{db::Scope, operate::Role};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{
    Answer, Installation,
    browser::{administrator, invited},
};

const LISTS: [&str; 8] =
    ["connections", "merchants", "stores", "warehouses", "keys", "webhooks", "alerts/channels", "alerts/policies"];

/// A brand with a store and a warehouse, between which connections can be made.
struct Brand {
    name: &'static str,
    scope: Scope,
    store: StoreId,
    warehouse: WarehouseId,
}

impl Brand {
    async fn new(installation: &Installation, name: &'static str) -> Self {
        let tenant = installation.tenant("default").await;
        let merchant = made(installation, "merchants", json!({ "name": name })).await.parse().unwrap();
        Self {
            name,
            scope: Scope { tenant, merchant },
            store: made(installation, "stores", store(name, &format!("{name} store"))).await.parse().unwrap(),
            warehouse: made(installation, "warehouses", warehouse(name, &format!("{name} warehouse")))
                .await
                .parse()
                .unwrap(),
        }
    }

    /// One more entry of a list. Its id.
    async fn make(&self, installation: &Installation, list: &str, name: &str) -> String {
        let brand = self.name;
        let given = match list {
            "connections" => {
                // Over the API it would ask the account.
                let settings = ConnectionSettings::default();
                let (db, scope) = (&installation.hub.db, &self.scope);
                let connection = db.create_connection(scope, name, &self.store, &self.warehouse, &settings).await;
                return connection.unwrap().to_string();
            }
            "merchants" => json!({ "name": name }),
            "stores" => store(brand, name),
            "warehouses" => warehouse(brand, name),
            "keys" => json!({ "name": name, "role": "read", "merchant": brand }),
            "webhooks" => {
                json!({ "name": name, "url": "https://hooks.example.com/b", "events": [], "merchant": brand })
            }
            "alerts/channels" => {
                json!({ "name": name, "kind": "email", "to": ["a@example.com"], "merchant": brand })
            }
            _ => json!({ "name": name, "merchant": brand }),
        };
        made(installation, list, given).await
    }
}

fn store(merchant: &str, name: &str) -> Value {
    json!({
        "name": name, "merchant": merchant, "platform": "brightpearl",
        "settings": { "datacenter_code": "eu1", "account_id": "acme", "email": "a@example.com" },
        "secrets": { "password": "example-password" },
    })
}

fn warehouse(merchant: &str, name: &str) -> Value {
    let settings = json!({ "transport": "folder", "folder": "/var/empty" });
    json!({ "name": name, "merchant": merchant, "platform": "dsfx", "settings": settings })
}

async fn made(installation: &Installation, list: &str, given: Value) -> String {
    let made = installation.post(&format!("/api/v1/{list}"), given).await;
    assert_eq!(made.status, StatusCode::CREATED, "{list}: {}", made.text);
    let made = made.json();
    // A webhook stands beside its secret.
    made["id"].as_str().or_else(|| made["webhook"]["id"].as_str()).unwrap().to_owned()
}

async fn both() -> [Installation; 2] {
    [Installation::new().await, Installation::on_postgres().await]
}

fn items(page: &Answer) -> Vec<Value> {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    page.json()["items"].as_array().unwrap().clone()
}

fn ids(items: &[Value]) -> Vec<String> {
    items.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// All pages of a list, two at a time, as somebody sees them who asks for them so; `meanwhile` is done after the first.
async fn walk(list: &str, mut ask: impl AsyncFnMut(&str) -> Answer, meanwhile: impl AsyncFnOnce()) -> Vec<String> {
    let (mut found, mut cursor, mut meanwhile) = (Vec::new(), String::new(), Some(meanwhile));
    loop {
        let page = ask(&format!("/api/v1/{list}?limit=2{cursor}")).await;
        let here = ids(&items(&page));
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile().await;
        }
        let full = here.len() == 2;
        found.extend(here);
        let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { return found };
        assert!(full, "{list}: only the last page may be short: {}", page.text);
        cursor = format!("&cursor={}", byte_serialize(next.as_bytes()).collect::<String>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_comes_once_whatever_comes_in_meanwhile() {
    for installation in both().await {
        let acme = Brand::new(&installation, "Acme").await;
        for list in LISTS {
            let mut made = BTreeSet::new();
            for name in ["b 2", "\u{d6}l & mehr", "A 1", "c'3", "d+4"] {
                made.insert(acme.make(&installation, list, &format!("{list} {name}")).await);
            }
            let before = ids(&items(&installation.get(&format!("/api/v1/{list}?limit=500")).await));
            assert!(made.iter().all(|id| before.contains(id)), "{list}: {made:?} in {before:?}");
            let coming = async || {
                for name in ["A 0", "z 9"] {
                    acme.make(&installation, list, &format!("{list} {name}")).await;
                }
            };
            let walked = walk(list, async |path: &str| installation.get(path).await, coming).await;
            let different: BTreeSet<&String> = walked.iter().collect();
            assert_eq!(different.len(), walked.len(), "{list}: one came twice: {walked:?}");
            let kept: Vec<String> = walked.into_iter().filter(|id| before.contains(id)).collect();
            assert_eq!(kept, before, "{list}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_somebody_limited_to_merchants_are_full_of_their_own() {
    for installation in both().await {
        let mut brands = Vec::new();
        for name in ["Acme", "Bolt", "Cask", "Dorn"] {
            brands.push(Brand::new(&installation, name).await);
        }
        let lists = LISTS.into_iter().filter(|list| *list != "keys");
        for list in lists.clone().filter(|list| *list != "merchants") {
            for (number, brand) in brands.iter().cycle().take(12).enumerate() {
                brand.make(&installation, list, &format!("{list} {number:02}")).await;
            }
        }
        let mut ada = administrator(&installation).await;
        let limit = json!({ "role": "staff", "merchants": ["Bolt", "Cask", "Dorn"] });
        let mut joe = invited(&mut ada, "joe@example.com", limit).await;
        let [_, bolt, others @ ..] = brands.as_slice() else { panic!("four brands were made") };
        let bolts = bolt.scope.merchant.as_str();
        let key = installation.key(&bolt.scope.tenant, Role::Admin, Some(bolts)).await;
        for list in lists {
            let all = items(&installation.get(&format!("/api/v1/{list}?limit=500")).await);
            let of = |merchants: &[&str]| -> Vec<String> {
                let whose = if list == "merchants" { "id" } else { "merchant" };
                let theirs = all.iter().filter(|one| one[whose].as_str().is_some_and(|id| merchants.contains(&id)));
                ids(&theirs.cloned().collect::<Vec<_>>())
            };
            let joes: Vec<&str> = others.iter().map(|brand| brand.scope.merchant.as_str()).chain([bolts]).collect();
            let (of_joe, of_key) = (of(&joes), of(&[bolts]));
            assert!(of_joe.len() > 2 && of_joe.len() > of_key.len() && of_joe.len() < all.len(), "{list}");
            assert_eq!(walk(list, async |path: &str| joe.get(path).await, async || {}).await, of_joe, "{list}");
            let by_key = async |path: &str| installation.ask("GET", path, Some(&key), None).await;
            assert_eq!(walk(list, by_key, async || {}).await, of_key, "{list}");
        }
    }
}
