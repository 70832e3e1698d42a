//! Planted secrets turn up nowhere (X1): not in what commands print, not in logs, not in API answers, not in the database.

use std::{io::Read as _, sync::Arc};

use super::{Desk, account, contains};

const PASSWORD: &str = "CANARY-p4ssw0rd-6f1d";

async fn typed(desk: &Arc<Desk>, arguments: Vec<String>) -> String {
    let desk = Arc::clone(desk);
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        desk.type_in(&arguments).all()
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_turn_up_nowhere() {
    let source = account(40, PASSWORD).await;
    let desk = Arc::new(Desk { password: PASSWORD.to_owned(), ..Desk::new() });
    let made = desk.works(&["--json", "init"]).json();
    let key = made["administrator_key"].as_str().unwrap().to_owned();
    desk.configure(&source.base_url(), &[]);
    let outer = std::fs::read_to_string(desk.data().join("millrace.key")).unwrap().trim().to_owned();

    let mut seen = String::new();
    for command in ["plan -f millrace.toml", "apply -f millrace.toml", "--json plan -f millrace.toml"] {
        seen.push_str(&typed(&desk, command.split(' ').map(str::to_owned).collect()).await);
    }
    // A server with every log line there is.
    let serving = desk.serve(&[("RUST_LOG", "trace,hyper=debug,h2=debug")]);
    serving.sends_an_order_on(&key).await;
    let address = serving.address().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in [
        "connections",
        "connections/main",
        "connections/main/choices",
        "connections/main/mappings",
        "connections/main/webhooks",
        "stores",
        "stores/BP",
        "warehouses",
        "merchants",
        "platforms",
        "orders",
        "shipments",
        "effects",
        "exceptions",
        "audit",
        "keys",
        "budgets",
        "configuration",
        "connections/main/census",
        "findings",
        "connections/main/stock/runs",
    ] {
        let answer = client.get(format!("http://{address}/api/v1/{path}")).bearer_auth(&key).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        seen.push_str(&answer.text().await.unwrap());
    }
    let effects = client.get(format!("http://{address}/api/v1/effects")).bearer_auth(&key).send().await.unwrap();
    let effects: serde_json::Value = serde_json::from_str(&effects.text().await.unwrap()).unwrap();
    for effect in effects["items"].as_array().unwrap().iter().take(10) {
        let path = format!("http://{address}/api/v1/effects/{}", effect["id"].as_str().unwrap());
        seen.push_str(&client.get(path).bearer_auth(&key).send().await.unwrap().text().await.unwrap());
    }
    for command in ["export", "check", "--json check", "connections show main", "keys list", "audit", "events"] {
        seen.push_str(&typed(&desk, command.split(' ').map(str::to_owned).collect()).await);
    }
    let log = serving.end();
    let line = log.lines().find(|line| line.contains("request.who") && line.contains("/api/v1/effects")).unwrap();
    assert!(line.contains("key key_") && line.contains("request.from"), "who asked and from where: {line}");
    seen.push_str(&log);
    seen.push_str(&std::fs::read_to_string(desk.path().join("serve.out")).unwrap());
    for secret in [PASSWORD, key.as_str(), outer.as_str()] {
        assert!(!seen.contains(secret), "a planted secret was shown: {}", around(&seen, secret));
    }

    // The database as it lies on the disk: every file of it, whole.
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(desk.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("millrace.db")) {
            std::fs::File::open(path).unwrap().read_to_end(&mut stored).unwrap();
        }
    }
    assert!(stored.len() > 50_000);
    assert!(contains(&stored, b"api.user@example.test"), "plain settings are found, so the search works");
    for secret in [PASSWORD, key.as_str(), outer.as_str()] {
        assert!(!contains(&stored, secret.as_bytes()), "a planted secret lies in the database");
    }
}

fn around(text: &str, secret: &str) -> String {
    let at = text.find(secret).unwrap_or(0);
    text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect()
}
