//! `ETag` and `If-Match`: nobody overwrites what somebody else has changed meanwhile.

use std::{pin::pin, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use millrace::api;
use serde_json::{Value, json};

use super::{
    Answer, Held, Installation,
    access::{brightpearl, connected},
    browser::{administrator, invited},
};

async fn with(installation: &Installation, method: &str, path: &str, header: (&str, &str), body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", installation.administrator))
        .header("content-type", "application/json")
        .header(header.0, header.1);
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    installation.send(request.body(body).unwrap()).await
}

fn version(answer: &Answer) -> String {
    let tag = answer.headers.get("etag").unwrap_or_else(|| panic!("no ETag: {} {}", answer.status, answer.text));
    tag.to_str().unwrap().to_owned()
}

/// Every route of the document that takes `If-Match`.
fn versioned() -> Vec<String> {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let takes = |put: &Value| {
        put["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == "If-Match")
    };
    paths.filter(|(_, methods)| takes(&methods["put"])).map(|(path, _)| path.clone()).collect()
}

/// Every kind of thing with a version: read, changed by two who have read the same, and read again.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_who_read_the_same_is_refused() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder).await;
    let of = format!("/api/v1/connections/{connection}");
    let webhook = json!({ "name": "Hook", "url": "https://hooks.example.com/b", "events": [] });
    let webhook =
        installation.post("/api/v1/webhooks", webhook).await.json()["webhook"]["id"].as_str().unwrap().to_owned();
    let mail = json!({ "name": "Mail", "kind": "email", "to": ["ops@example.com"] });
    let mail = installation.post("/api/v1/alerts/channels", mail).await.json()["id"].as_str().unwrap().to_owned();
    let policy = installation.get("/api/v1/alerts/policies/default").await.json();
    let policy = |hours: u32| {
        let mut policy = policy.clone();
        policy["remind_hours"] = json!(hours);
        let fields = policy.as_object_mut().unwrap();
        fields.retain(|name, _| !["id", "merchant"].contains(&name.as_str()));
        policy
    };
    let settings = |statuses: &str| {
        json!({
            "import_statuses": [statuses], "warehouse": "Example 3PL", "unmapped_sku": "pass_through",
            "default_ship_method": { "carrier": "UPS", "service": "Ground" },
        })
    };
    let store = |email: &str| {
        json!({ "settings": {
            "datacenter_code": "eu1", "account_id": "acme", "email": email, "base_url": source.base_url(),
            "calls_per_minute": "60000",
        } })
    };
    let ships = |name: &str| json!({ "name": name, "settings": { "transport": "folder", "folder": folder } });
    let toml = |name: &str| json!({ "toml": format!("[[merchant]]\nname = \"{name}\"\n") });
    let every = |minutes: u32| json!({ "zone": "UTC", "rules": [{ "kind": "minutely", "minutes": minutes }] });
    let hook = |url: &str| json!({ "name": "Hook", "url": url, "events": [], "enabled": true });
    let told = |to: &str| json!({ "name": "Mail", "to": [to], "enabled": true });
    let draft = |step: u32| json!({ "name": "Begun", "content": { "step": step } });
    let begun = installation.post("/api/v1/drafts", draft(1)).await.json()["id"].as_str().unwrap().to_owned();
    invited(&mut administrator(&installation).await, "joe@example.com", json!({ "role": "staff" })).await;
    let things = [
        (format!("{of}/settings"), settings("Quote sent"), settings("Draft / Quote")),
        (format!("{of}/mappings"), json!({ "listings": [["A", "B"]] }), json!({ "listings": [["A", "C"]] })),
        (
            format!("{of}/channels/shipments"),
            json!({ "enabled": false, "every_seconds": 61 }),
            json!({ "enabled": false, "every_seconds": 62 }),
        ),
        (format!("{of}/channels/orders/schedule"), every(5), every(6)),
        ("/api/v1/stores/BP".to_owned(), store("one@example.test"), store("two@example.test")),
        ("/api/v1/warehouses/WH".to_owned(), ships("WH"), ships("WH")),
        (
            format!("/api/v1/webhooks/{webhook}"),
            hook("https://hooks.example.com/c"),
            hook("https://hooks.example.com/d"),
        ),
        (format!("/api/v1/alerts/channels/{mail}"), told("one@example.com"), told("two@example.com")),
        ("/api/v1/alerts/policies/default".to_owned(), policy(2), policy(3)),
        (
            "/api/v1/people/joe@example.com".to_owned(),
            json!({ "role": "administrator" }),
            json!({ "role": "staff", "merchants": ["Acme"] }),
        ),
        (format!("/api/v1/drafts/{begun}"), draft(2), draft(3)),
        ("/api/v1/configuration".to_owned(), toml("Acme Two"), toml("Acme Three")),
    ];
    assert_eq!(things.len(), versioned().len(), "all of {:?}", versioned());
    for (path, one, two) in things {
        let shown = installation.get(&path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
        let read = version(&shown);
        assert_eq!(version(&installation.get(&path).await), read, "{path}: it has not changed");
        if path.ends_with("/WH") {
            // What does not change what is shown is no other version.
            let same = with(&installation, "PUT", &path, ("if-match", &read), &one).await;
            assert_eq!(same.status, StatusCode::OK, "{path}: {}", same.text);
            continue;
        }
        let first = with(&installation, "PUT", &path, ("if-match", &read), &one).await;
        assert_eq!(first.status, StatusCode::OK, "{path}: {}", first.text);
        let now = installation.get(&path).await;
        assert_ne!(version(&now), read, "{path}");
        if first.headers.contains_key("etag") {
            assert_eq!(version(&first), version(&now), "{path}");
        }
        let second = with(&installation, "PUT", &path, ("if-match", &read), &two).await;
        assert_eq!(second.status, StatusCode::PRECONDITION_FAILED, "{path}: {}", second.text);
        assert_eq!(second.problem(), "changed_meanwhile");
        assert_eq!(version(&second), version(&now), "{path}: it says which version there is");
        assert_eq!(installation.get(&path).await.text, now.text, "{path}: nothing was written");
        let both = format!("\"other\", {}", version(&now));
        let third = with(&installation, "PUT", &path, ("if-match", &both), &two).await;
        assert_eq!(third.status, StatusCode::OK, "{path}: {}", third.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stayed_the_same_is_not_sent_again() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let path = format!("/api/v1/connections/{connection}/mappings");
    let read = version(&installation.get(&path).await);
    let same = with(&installation, "GET", &path, ("if-none-match", &read), &Value::Null).await;
    assert_eq!((same.status, same.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(version(&same), read);
    installation.put(&path, json!({ "listings": [["A", "B"]] })).await;
    let other = with(&installation, "GET", &path, ("if-none-match", &read), &Value::Null).await;
    assert_eq!(other.status, StatusCode::OK);
    assert_eq!(other.json()["listings"], json!([["A", "B"]]));

    // A weak tag names no version, `*` any; what does not exist has none.
    let weak = format!("W/{}", version(&other));
    let refused = with(&installation, "PUT", &path, ("if-match", &weak), &json!({ "listings": [] })).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    let any = with(&installation, "PUT", &path, ("if-match", "*"), &json!({ "listings": [] })).await;
    assert_eq!(any.status, StatusCode::OK, "{}", any.text);
    let missing =
        with(&installation, "PUT", "/api/v1/stores/none", ("if-match", "*"), &json!({ "settings": {} })).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    // What passes by itself is no part of the version, and is always shown.
    let path = format!("/api/v1/connections/{connection}/channels/orders/schedule");
    installation.put(&path, json!({ "zone": "UTC", "rules": [{ "kind": "minutely", "minutes": 1 }] })).await;
    let read = version(&installation.get(&path).await);
    let again = with(&installation, "GET", &path, ("if-none-match", &read), &Value::Null).await;
    assert_eq!((again.status, version(&again)), (StatusCode::OK, read));
}

/// Many at once who all have read the same: one of them writes.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_writes() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let path = format!("/api/v1/connections/{connection}/mappings");
    let named = "/api/v1/connections/main/mappings";
    let read = version(&installation.get(&path).await);
    let changes = (0..12).map(|index| {
        let (installation, read) = (&installation, &read);
        let path = if index % 2 == 0 { path.as_str() } else { named };
        async move {
            let body = json!({ "listings": [["A", index.to_string()]] });
            with(installation, "PUT", path, ("if-match", read), &body).await.status
        }
    });
    let answers = futures_util::future::join_all(changes).await;
    let written = answers.iter().filter(|status| **status == StatusCode::OK).count();
    assert_eq!(written, 1, "{answers:?}");
    assert!(answers.iter().all(|status| [StatusCode::OK, StatusCode::PRECONDITION_FAILED].contains(status)));
}

/// Two nodes on one database: while one is about to write, the other waits, and then sees what was written. A turn ends with its
/// request, also where whoever asked goes away.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_writes() {
    let one = Installation::on_postgres().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&one, &source.base_url(), folder.path().to_str().unwrap()).await;
    let other = one.another_node().await;
    let path = format!("/api/v1/connections/{connection}/mappings");
    let change = async |node: &Installation, read: &str, to: &str| {
        with(node, "PUT", &path, ("if-match", read), &json!({ "listings": [["A", to]] })).await
    };
    let read = version(&one.get(&path).await);
    assert_eq!(version(&other.get(&path).await), read, "both see the same");
    let held = Held::at(&one, "replace_mappings");
    let (first, second) = tokio::join!(change(&one, &read, "B"), async {
        held.arrived.notified().await;
        let mut second = pin!(change(&other, &read, "C"));
        // Long enough for it to be written, were it not for the turn.
        let early = tokio::time::timeout(Duration::from_secs(1), &mut second).await;
        held.go.notify_one();
        match early {
            Ok(answer) => answer,
            Err(_) => second.await,
        }
    });
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    assert_eq!(second.status, StatusCode::PRECONDITION_FAILED, "{}", second.text);
    let now = other.get(&path).await;
    assert_eq!(now.json()["listings"], json!([["A", "B"]]));

    let read = version(&now);
    let gone = tokio::time::timeout(Duration::from_secs(1), change(&one, &read, "D")).await;
    assert!(gone.is_err(), "it is held until its client has gone");
    let third = change(&other, &read, "E").await;
    assert_eq!(third.status, StatusCode::OK, "{}", third.text);
    assert_eq!(one.get(&path).await.json()["listings"], json!([["A", "E"]]));
}
