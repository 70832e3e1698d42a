//! People, through the program as it runs: the link at the first start, the command line beside a running server, and the
//! cookie a browser on the same machine gets. What they prove themselves with is in no log and in no file.

use std::{
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};

use super::Desk;

const PASSWORD: &str = "CANARY the quiet mill race turns";

struct Serving {
    child: Child,
    address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that logs everything there is. What it says on standard output goes to `out`.
fn serve(desk: &Desk, out: &Path, log: &Path) -> Serving {
    let child = desk
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("RUST_LOG", "trace,hyper=debug,h2=debug")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(out).unwrap())
        .stderr(std::fs::File::create(log).unwrap())
        .spawn()
        .unwrap();
    let text = wait_for(log, "workers run");
    let rest = text.split("listening on http://").nth(1).unwrap();
    let address = rest.chars().take_while(|letter| letter.is_ascii_digit() || ".:".contains(*letter)).collect();
    Serving { child, address }
}

fn wait_for(file: &Path, what: &str) -> String {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.contains(what) {
            return text;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{what} is not there: {text}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What comes back: status, the cookie it sets, and the body.
struct Answer {
    status: StatusCode,
    cookie: Option<String>,
    body: Value,
}

async fn ask(serving: &Serving, method: Method, path: &str, cookie: Option<&str>, body: Option<Value>) -> Answer {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client
        .request(method, format!("http://{}/api/v1/{path}", serving.address))
        .header("sec-fetch-site", "same-origin");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let set = response.headers().get(header::SET_COOKIE).map(|value| value.to_str().unwrap().to_owned());
    let cookie = set.map(|set| set.split(';').next().unwrap().to_owned());
    let status = response.status();
    let text = response.text().await.unwrap();
    Answer { status, cookie, body: serde_json::from_str(&text).unwrap_or_default() }
}

async fn sign_in(serving: &Serving, email: &str, password: &str) -> Answer {
    let given = json!({ "email": email, "password": password });
    ask(serving, Method::POST, "session", None, Some(given)).await
}

async fn may_look(serving: &Serving, cookie: &str) -> StatusCode {
    ask(serving, Method::GET, "orders", Some(cookie), None).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_by_links_and_go_at_once() {
    let desk = Desk::new();
    desk.works(&["init"]);
    assert_eq!(desk.works(&["--json", "people", "list"]).json()["items"], json!([]), "there is no default account");
    let (out, log) = (desk.path().join("serve.out"), desk.path().join("serve.log"));
    let serving = serve(&desk, &out, &log);
    let told = wait_for(&out, "/setup#mrl_");
    let link = told.split_whitespace().find(|word| word.contains("/setup#")).unwrap();
    let (place, setup) = link.split_once('#').unwrap();
    assert_eq!(place, format!("http://{}/setup", serving.address));
    let given = json!({ "token": setup, "email": "ada@example.com", "name": "Ada", "password": PASSWORD });
    let made = ask(&serving, Method::POST, "links/redeem", None, Some(given)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let ada = sign_in(&serving, "ada@example.com", PASSWORD).await;
    assert_eq!(ada.status, StatusCode::CREATED, "{}", ada.body);
    let ada_cookie = ada.cookie.unwrap();
    assert!(ada_cookie.starts_with("millrace-local=mrs_"), "on this machine, without TLS");
    assert_eq!(may_look(&serving, &ada_cookie).await, StatusCode::OK);

    // The command line, beside it.
    let invited =
        desk.works(&["--json", "people", "invite", "bob@example.com", "--name", "Bob", "--role", "staff"]).json();
    let invitation = invited["token"].as_str().unwrap().to_owned();
    let given = json!({ "token": invitation, "password": PASSWORD });
    assert_eq!(ask(&serving, Method::POST, "links/redeem", None, Some(given)).await.status, StatusCode::CREATED);
    let bob = sign_in(&serving, "bob@example.com", PASSWORD).await;
    let bob_cookie = bob.cookie.unwrap();
    assert_eq!(may_look(&serving, &bob_cookie).await, StatusCode::OK);
    let sessions = desk.works(&["--json", "people", "sessions", "bob@example.com"]).json();
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    desk.works(&["people", "end-sessions", "bob@example.com"]);
    assert_eq!(may_look(&serving, &bob_cookie).await, StatusCode::UNAUTHORIZED);
    let bob_cookie = sign_in(&serving, "bob@example.com", PASSWORD).await.cookie.unwrap();
    let shown = desk.works(&["people", "disable", "bob@example.com"]);
    assert!(shown.out.contains("bob@example.com may not sign in"), "{}", shown.out);
    assert_eq!(may_look(&serving, &bob_cookie).await, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&serving, "bob@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    desk.works(&["people", "enable", "bob@example.com"]);
    let changed = desk.works(&["--json", "people", "role", "bob@example.com", "--role", "administrator"]).json();
    assert_eq!(changed["role"], "administrator");
    let reset = desk.works(&["--json", "people", "reset", "bob@example.com"]).json();
    let reset = reset["token"].as_str().unwrap().to_owned();
    let given = json!({ "token": reset, "password": format!("{PASSWORD} again") });
    assert_eq!(ask(&serving, Method::POST, "links/redeem", None, Some(given)).await.status, StatusCode::CREATED);
    assert_eq!(sign_in(&serving, "bob@example.com", &format!("{PASSWORD} again")).await.status, StatusCode::CREATED);

    // What is wrong is said, with its exit code.
    for (arguments, code) in [
        (vec!["people", "disable", "nobody@example.com"], 4),
        (vec!["people", "invite", "mia@example.com", "--name", "Mia", "--role", "merchant"], 3),
        (vec!["people", "invite", "bob@example.com", "--name", "Bob", "--role", "staff"], 1),
        (vec!["people", "remove-second-factor", "bob@example.com"], 4),
        (vec!["people", "role", "bob@example.com", "--role", "king"], 2),
    ] {
        let ended = desk.type_in(&arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.all());
    }
    let third =
        desk.works(&["--json", "people", "invite", "mia@example.com", "--name", "Mia", "--role", "staff"]).json();
    desk.works(&["people", "withdraw", third["id"].as_str().unwrap()]);
    let listed = desk.works(&["people", "invitations"]).out;
    assert!(listed.contains("withdrawn") && listed.contains("used"), "{listed}");
    let audit = desk.works(&["--json", "audit", "--limit", "100"]).out;
    for action in
        ["link.setup", "person.create", "sign_in.success", "sign_in.failure", "person.disable", "session.end_all"]
    {
        assert!(audit.contains(action), "{action}");
    }

    // Started again, nobody is invited any more.
    drop(serving);
    let (out_again, log_again) = (desk.path().join("again.out"), desk.path().join("again.log"));
    let serving = serve(&desk, &out_again, &log_again);
    assert_eq!(may_look(&serving, &ada_cookie).await, StatusCode::OK, "sessions outlive a restart");
    drop(serving);
    assert_eq!(std::fs::read_to_string(&out_again).unwrap(), "");

    let token = ada_cookie.split_once('=').unwrap().1;
    let mut kept = std::fs::read(&log).unwrap();
    kept.extend(std::fs::read(&log_again).unwrap());
    assert!(String::from_utf8_lossy(&kept).contains("/api/v1/session"), "requests are logged, so the search works");
    for entry in std::fs::read_dir(desk.data()).unwrap() {
        kept.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("ada@example.com") && kept.contains("$argon2id$"), "the search works");
    for secret in [PASSWORD, token, setup, invitation.as_str(), reset.as_str()] {
        assert!(!kept.contains(secret), "a secret was kept: {}", &secret[..12]);
    }
}
