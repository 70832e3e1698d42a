//! The log as one object a line (`--log-format json`), as docs/operating.md says: the fields of requests and runs, under dotted
//! names, and nothing secret.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Desk, Serving, account, typed};

const PASSWORD: &str = "CANARY-p4ssw0rd-3b7e";
/// Where somebody might write what belongs into no log.
const CANARY: &str = "CANARY-5c21";

/// Every line of the log; each is an object.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .inspect(|line| assert!(line.is_object(), "{line}"))
        .collect()
}

/// The lines whose message this is.
fn saying<'l>(lines: &'l [Value], message: &str) -> Vec<&'l Value> {
    lines
        .iter()
        .filter(|line| line["fields"]["message"].as_str().is_some_and(|said| said.starts_with(message)))
        .collect()
}

/// The log, once it says so.
async fn logged(serving: &Serving, part: &str) {
    let start = Instant::now();
    while !serving.log().contains(part) {
        assert!(start.elapsed() < Duration::from_secs(60), "{part} is not logged: {}", serving.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_json_and_holds_no_secret() {
    let source = account(20, PASSWORD).await;
    let desk = Arc::new(Desk { password: PASSWORD.to_owned(), ..Desk::new() });
    let key = desk.works(&["--json", "init"]).json()["administrator_key"].as_str().unwrap().to_owned();
    desk.configure(&source.base_url(), &[]);
    assert_eq!(typed(&desk, &["apply", "-f", "millrace.toml"]).await.code, 0);
    // The warehouse's counts cannot be read: a run fails, and says so within itself.
    std::fs::remove_dir(desk.warehouse().join("out")).unwrap();
    let serving = desk.serve_with(&["--log-format", "json"], &[]);
    serving.sends_an_order_on(&key).await;
    logged(&serving, "channel run failed").await;

    // Requests: one that is answered, and such that carry a secret wherever somebody might put one.
    let address = serving.address().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(format!("http://{address}/api/v1/orders?text={CANARY}")).bearer_auth(&key);
    let answered = asked.send().await.unwrap();
    assert_eq!(answered.status(), 200);
    let request = answered.headers()["x-request-id"].to_str().unwrap().to_owned();
    for path in ["brightpearl/CANARY-5c21", "warehouse/CANARY-5c21/", "CANARY-5c21/", "CANARY-5c21"] {
        let sent = client.post(format!("http://{address}/hooks/{path}")).body(CANARY).send().await.unwrap();
        assert!(sent.status().is_client_error(), "{path}: {}", sent.status());
    }
    let wrong = serde_json::json!({ "email": "ada@example.com", "password": CANARY }).to_string();
    let sign_in = client
        .post(format!("http://{address}/api/v1/session"))
        .header("content-type", "application/json")
        .header("sec-fetch-site", "same-origin")
        .body(wrong);
    assert!(sign_in.send().await.unwrap().status().is_client_error());
    let stranger = client.get(format!("http://{address}/api/v1/orders")).bearer_auth(format!("mr_{CANARY}"));
    assert_eq!(stranger.send().await.unwrap().status(), 401);

    let log = serving.end();
    let lines = lines(&log);
    for line in &lines {
        let (at, level, target) =
            (&line["timestamp"], line["level"].as_str().unwrap(), line["target"].as_str().unwrap());
        assert!(at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(["ERROR", "WARN", "INFO"].contains(&level), "nothing below is logged unless asked for: {line}");
        assert!(line["fields"]["message"].is_string(), "{line}");
        if !["millrace", "connect", "connectors", "engine"].iter().any(|own| target.starts_with(own)) {
            continue;
        }
        let spans = line["spans"].as_array().into_iter().flatten();
        for holder in spans.chain([&line["fields"]]) {
            for name in holder.as_object().unwrap().keys().filter(|name| !["message", "name"].contains(&name.as_str()))
            {
                assert!(name.contains('.'), "{name}: {line}");
            }
        }
    }

    // A request is one line, with the id that its answer had.
    let of_it: Vec<&Value> =
        saying(&lines, "request").into_iter().filter(|line| line["fields"]["request.id"] == request.as_str()).collect();
    assert_eq!(of_it.len(), 1, "{of_it:?}");
    let fields = &of_it[0]["fields"];
    assert_eq!((&fields["http.method"], &fields["http.path"]), (&Value::from("GET"), &Value::from("/api/v1/orders")));
    assert_eq!(fields["http.status"], 200);
    assert!(fields["http.took_ms"].is_u64(), "{fields}");
    let hooks: Vec<&str> = saying(&lines, "request")
        .into_iter()
        .filter_map(|line| line["fields"]["http.path"].as_str())
        .filter(|path| path.starts_with("/hooks"))
        .collect();
    assert_eq!(hooks, ["/hooks/brightpearl", "/hooks/warehouse", "/hooks", "/hooks"]);

    // What a run says carries whose it is and of which channel, and so does the span around it.
    let failed = saying(&lines, "channel run failed");
    let stock = failed.iter().find(|line| line["fields"]["channel.kind"] == "stock").expect("the stock channel fails");
    assert_eq!(stock["level"], "WARN");
    let connection = stock["fields"]["connection.id"].as_str().unwrap();
    assert!(connection.starts_with("con_"), "{stock}");
    let span = stock["spans"].as_array().unwrap().iter().find(|span| span["name"] == "channel").expect("a span");
    assert_eq!((&span["connection.id"], &span["channel.kind"]), (&Value::from(connection), &Value::from("stock")));
    assert_eq!(saying(&lines, "connection runs")[0]["fields"]["connection.id"], connection);
    assert!(saying(&lines, "listening on http://")[0]["fields"]["web.address"].is_string());

    for secret in [PASSWORD, CANARY, key.as_str()] {
        assert!(!log.contains(secret), "a secret is in the log: {secret}");
    }
    let told = std::fs::read_to_string(desk.path().join("serve.out")).unwrap();
    let link = told.split_whitespace().find(|word| word.contains("/setup#")).expect("the first administrator's link");
    assert!(!log.contains(link.split_once('#').unwrap().1), "it is told on standard output and not in the log");
}
