//! Connecting a store by OAuth (security control 33): the way there and back, and the tokens that come of it.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::StatusCode};
use connect::Waits;
use jiff::SignedDuration;
use millrace::{
    config::Config,
    db::StoreKey,
    operate::{Caller, Hub, KeyScopes, Role, check, endpoints::Side},
};
use serde_json::{Value, json};
use simulators::{
    brightpearl::{self, AppKind},
    faults::{Fault, FaultRule},
};
use url::Url;

use super::{
    Answer, Installation,
    browser::{Browser, administrator, invited, with_time_and},
    seams,
};

const PUBLIC: &str = "https://hub.example.com";
const REDIRECT: &str = "https://hub.example.com/oauth/brightpearl";
/// Every wait is divided by this, here and in the stand-in.
const FACTOR: u32 = 20;

/// An account whose owner has an app that sends browsers back here.
async fn account() -> brightpearl::Running {
    let mut account = brightpearl::AccountConfig::new("acme");
    account.data = brightpearl::DataConfig { products: 5, orders: 0, customers: 2 };
    for app in &mut account.apps {
        if let AppKind::OAuth { redirect_uri, access_token, .. } = &mut app.kind {
            REDIRECT.clone_into(redirect_uri);
            *access_token = None;
        }
    }
    let config = brightpearl::Config {
        accounts: vec![account],
        requests_per_window: None,
        time_factor: FACTOR,
        ..brightpearl::Config::default()
    };
    brightpearl::start(config).await.unwrap()
}

fn configured(config: &mut Config) {
    config.public_url = Some(Url::parse(PUBLIC).unwrap());
    config.waits = Waits::default().divided(FACTOR);
}

async fn installation() -> Installation {
    Installation::with(seams(), configured).await
}

/// A store that signs in by OAuth, not connected yet.
async fn store(ada: &mut Browser<'_>, base_url: &str) -> Value {
    ada.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    let store = json!({
        "name": "BP", "merchant": "Acme", "platform": "brightpearl",
        "settings": {
            "datacenter_code": "use", "account_id": "acme", "base_url": base_url, "sign_in": "oauth",
            "app_ref": "example-app", "dev_ref": "example-dev", "staff_id": "4", "calls_per_minute": "60000",
        },
        "secrets": { "client_secret": "example-client-secret" },
    });
    let made = ada.post("/api/v1/stores", store).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()
}

async fn begin(ada: &mut Browser<'_>) -> Url {
    let begun = ada.post("/api/v1/stores/BP/oauth", json!({})).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    assert_eq!(begun.json()["redirect_uri"], REDIRECT);
    Url::parse(begun.json()["address"].as_str().unwrap()).unwrap()
}

/// Gives consent at the account: where it sends the browser back to.
async fn consent(address: &Url) -> Url {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(address.clone()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 302, "{}", answer.text().await.unwrap());
    let back = answer.headers()["location"].to_str().unwrap();
    assert!(back.starts_with(REDIRECT), "{back}");
    Url::parse(back).unwrap()
}

/// A browser follows a redirect from elsewhere: it sends the cookie and says where it comes from, and has no token.
async fn come_back(browser: &Browser<'_>, back: &Url) -> Answer {
    let path = format!("{}?{}", back.path(), back.query().unwrap_or_default());
    let mut request = axum::http::Request::builder()
        .method("GET")
        .uri(path)
        .extension(axum::extract::ConnectInfo(browser.peer))
        .header("host", super::browser::HOST)
        .header("sec-fetch-site", "cross-site");
    if let Some(cookie) = &browser.cookie {
        request = request.header("cookie", format!("{}={cookie}", super::browser::COOKIE));
    }
    browser.installation.send(request.body(Body::empty()).unwrap()).await
}

/// A store that is connected.
async fn connected(ada: &mut Browser<'_>, base_url: &str) -> Value {
    let made = store(ada, base_url).await;
    let back = consent(&begin(ada).await).await;
    let came = come_back(ada, &back).await;
    assert_eq!(came.status, StatusCode::OK, "{}", came.text);
    made
}

/// Calls of the token address, so far.
fn token_calls(source: &brightpearl::Running) -> u64 {
    source.calls("acme").into_iter().filter(|((_, message), _)| message == "token").map(|(_, count)| count).sum()
}

async fn test(ada: &mut Browser<'_>) -> Value {
    ada.post("/api/v1/stores/BP/test", json!({})).await.json()
}

fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut changed = url.clone();
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(key, _)| key != name)
        .chain(value.map(|v| (name.to_owned(), v.to_owned())))
        .collect();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_connected_at_brightpearl() {
    let (installation, source) = (installation().await, account().await);
    let mut ada = administrator(&installation).await;
    store(&mut ada, &source.base_url()).await;
    let before = test(&mut ada).await;
    assert_eq!((&before["ok"], &before["credentials_refused"]), (&json!(false), &json!(true)), "{before}");
    assert!(before["problem"].as_str().unwrap().contains("has not been granted yet"));
    assert_eq!(ada.get("/api/v1/stores/BP/oauth").await.json()["state"], "none");

    let address = begin(&mut ada).await;
    let asked: std::collections::BTreeMap<_, _> = address.query_pairs().into_owned().collect();
    assert_eq!(address.path(), "/authorize/acme");
    assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", "example-app"));
    assert_eq!(asked["redirect_uri"], REDIRECT);
    assert!(asked["state"].len() > 64 && !address.as_str().contains("example-client-secret"));
    let back = consent(&address).await;
    let came = come_back(&ada, &back).await;
    assert_eq!(came.status, StatusCode::OK, "{}", came.text);
    assert_eq!(came.headers["content-type"], "text/plain; charset=utf-8");
    assert!(came.text.contains("is connected"), "{}", came.text);
    let after = test(&mut ada).await;
    assert_eq!(after["ok"], true, "{after}");
    let shown = ada.get("/api/v1/stores/BP/oauth").await;
    assert_eq!(shown.json()["state"], "granted");
    // Every call of the API carried the token and both references; the tokens themselves are shown nowhere.
    let calls: Vec<_> = source.requests().into_iter().filter(|call| call.url.starts_with("/public-api/")).collect();
    assert!(!calls.is_empty());
    let mut tokens = std::collections::BTreeSet::new();
    for call in &calls {
        let header = |name: &str| call.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        tokens.insert(header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned());
        assert_eq!(
            (header("brightpearl-app-ref"), header("brightpearl-dev-ref")),
            (Some("example-app"), Some("example-dev"))
        );
    }
    assert_eq!(tokens.len(), 1);
    let audit = ada.get("/api/v1/audit?limit=200").await.text;
    assert!(audit.contains("oauth.begin") && audit.contains("oauth.grant"), "{audit}");
    let store = ada.get("/api/v1/stores/BP").await;
    assert_eq!(store.json()["secrets"], json!(["client_secret"]));
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    for text in [&audit, &store.text, &shown.text, &came.text] {
        for secret in [tokens.first().unwrap(), &code, &asked["state"]] {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
    }
}

/// The way back is an address that anybody can call.
#[tokio::test(flavor = "multi_thread")]
async fn forged_replayed_and_foreign_ways_back_are_refused() {
    let (installation, source) = (installation().await, account().await);
    let mut ada = administrator(&installation).await;
    let bob = invited(&mut ada, "bob@example.com", json!({ "role": "administrator" })).await;
    store(&mut ada, &source.base_url()).await;
    let back = consent(&begin(&mut ada).await).await;
    let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let refused = async |browser: &Browser<'_>, back: &Url, status: StatusCode, why: &str| {
        let answer = come_back(browser, back).await;
        assert_eq!(answer.status, status, "{why}: {}", answer.text);
    };
    // Nobody, another person, and the same person in another session.
    refused(&Browser::new(&installation), &back, StatusCode::UNAUTHORIZED, "nobody").await;
    refused(&bob, &back, StatusCode::NOT_FOUND, "another person").await;
    let elsewhere = Browser::new(&installation).signed_in("ada@example.com", super::browser::PASSWORD).await;
    refused(&elsewhere, &back, StatusCode::NOT_FOUND, "another session").await;
    // A state of nobody's, none, and one of another tenant's form.
    let flipped = format!("{}{}", &state[..state.len() - 1], if state.ends_with('0') { '1' } else { '0' });
    for forged in [Some(flipped.as_str()), Some("x"), Some(""), None, Some("mro_ten_00000000000000000000000000.0")] {
        refused(&ada, &with(&back, "state", forged), StatusCode::NOT_FOUND, "a forged state").await;
    }
    assert_eq!(token_calls(&source), 0, "no code was exchanged");
    // None of it has used the right one up; that is used once.
    assert_eq!(come_back(&ada, &back).await.status, StatusCode::OK);
    assert_eq!(token_calls(&source), 1);
    refused(&ada, &back, StatusCode::NOT_FOUND, "replayed").await;
    // Begun anew, the one before is worth nothing; nor is one without a code, and then it is used.
    let old = consent(&begin(&mut ada).await).await;
    let new = consent(&begin(&mut ada).await).await;
    refused(&ada, &old, StatusCode::NOT_FOUND, "replaced").await;
    let denied = with(&with(&new, "code", None), "error", Some("access_denied"));
    refused(&ada, &denied, StatusCode::BAD_GATEWAY, "denied").await;
    refused(&ada, &new, StatusCode::NOT_FOUND, "used by the denial").await;
    // A code that is none.
    let fresh = consent(&begin(&mut ada).await).await;
    refused(&ada, &with(&fresh, "code", Some("forged")), StatusCode::BAD_GATEWAY, "a forged code").await;
    assert_eq!(test(&mut ada).await["ok"], true, "what was granted before still is");
    assert!(ada.get("/api/v1/audit?limit=200").await.text.contains("oauth.refused"));
    // Signed out, the consent is gone with the session.
    let last = consent(&begin(&mut ada).await).await;
    let gone = Browser { cookie: ada.cookie.clone(), csrf: None, ..Browser::new(&installation) };
    assert_eq!(ada.delete("/api/v1/session").await.status, StatusCode::NO_CONTENT);
    refused(&gone, &last, StatusCode::UNAUTHORIZED, "signed out").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_ends_after_ten_minutes_and_needs_its_rights() {
    let (installation, clock) = with_time_and(configured).await;
    let source = account().await;
    let mut ada = administrator(&installation).await;
    store(&mut ada, &source.base_url()).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "administrator" })).await;
    let back = consent(&begin(&mut bob).await).await;
    assert_eq!(ada.put("/api/v1/people/bob@example.com", json!({ "role": "staff" })).await.status, StatusCode::OK);
    assert_eq!(come_back(&bob, &back).await.status, StatusCode::FORBIDDEN);
    let back = consent(&begin(&mut ada).await).await;
    clock.pass(SignedDuration::from_secs(601));
    assert_eq!(come_back(&ada, &back).await.status, StatusCode::NOT_FOUND);
    // The password was given too long ago, and a key is nobody.
    assert_eq!(ada.post("/api/v1/stores/BP/oauth", json!({})).await.problem(), "proof_needed");
    assert_eq!(installation.post("/api/v1/stores/BP/oauth", json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(token_calls(&source), 0);
}

/// Somebody who looks at the store through a hub: this one, or another node's.
fn operator(tenant: connect::TenantId) -> Caller {
    Caller {
        actor: "test".to_owned(),
        role: Role::Admin,
        tenant,
        merchants: None,
        scopes: KeyScopes::default(),
        installation: true,
        signed_in: None,
    }
}

async fn key(installation: &Installation) -> StoreKey {
    let tenant = installation.tenant("default").await;
    let (scope, store) = installation.hub.db.store_by_name(&tenant, "BP").await.unwrap();
    StoreKey { scope, store }
}

/// Tokens are renewed once however many ask, on two nodes; the new ones hold over a restart.
#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_renew_with_one_call_and_a_restart_goes_on() {
    let (installation, source) = (installation().await, account().await);
    let mut ada = administrator(&installation).await;
    connected(&mut ada, &source.base_url()).await;
    assert_eq!(token_calls(&source), 1);
    let key = key(&installation).await;
    let caller = operator(key.scope.tenant.clone());
    let other = Hub::open(installation.hub.config.clone(), seams()).await.unwrap();
    for round in 1..=3_u64 {
        let before = installation.hub.db.grant(&key, &installation.hub.keyring).await.unwrap().unwrap();
        source.expire_tokens("acme").unwrap();
        let looks = (0..12).map(|number| {
            let hub = Arc::clone(if number % 2 == 0 { &installation.hub } else { &other });
            let caller = caller.clone();
            tokio::spawn(async move { check::endpoint(&hub, &caller, Side::Store, "BP", false).await.unwrap() })
        });
        for look in looks.collect::<Vec<_>>() {
            let told = look.await.unwrap();
            assert!(told.ok, "{:?}", told.problem);
        }
        assert_eq!(token_calls(&source), 1 + round, "one call for all");
        let after = installation.hub.db.grant(&key, &installation.hub.keyring).await.unwrap().unwrap();
        assert_eq!(after.version, before.version + 1);
        assert_ne!(after.refresh.expose(), before.refresh.expose(), "it rotates");
    }
    // Another process, later: the tokens at hand are used, and the next renewal works with the last refresh token.
    let later = Hub::open(installation.hub.config.clone(), seams()).await.unwrap();
    assert!(check::endpoint(&later, &caller, Side::Store, "BP", false).await.unwrap().ok);
    assert_eq!(token_calls(&source), 4);
    source.expire_tokens("acme").unwrap();
    assert!(check::endpoint(&later, &caller, Side::Store, "BP", false).await.unwrap().ok);
    assert_eq!(token_calls(&source), 5);
}

/// Access that was withdrawn is a matter of credentials, says what to do, and is mended by a new consent.
#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_access_is_told_and_mended() {
    let (installation, source) = (installation().await, account().await);
    let mut ada = administrator(&installation).await;
    connected(&mut ada, &source.base_url()).await;
    assert_eq!(test(&mut ada).await["ok"], true);
    source.revoke_tokens("acme").unwrap();
    for _ in 0..3 {
        let told = test(&mut ada).await;
        assert_eq!((&told["ok"], &told["credentials_refused"]), (&json!(false), &json!(true)), "{told}");
        let problem = told["problem"].as_str().unwrap();
        assert!(problem.contains("withdrawn") && problem.contains("Connect the store"), "{problem}");
    }
    assert_eq!(token_calls(&source), 2, "what is lost is not asked for again");
    let shown = ada.get("/api/v1/stores/BP/oauth").await.json();
    assert_eq!(shown["state"], "lost");
    assert!(shown["problem"].as_str().unwrap().contains("withdrawn"));
    assert!(ada.get("/api/v1/audit?limit=200").await.text.contains("oauth.lost"));
    let back = consent(&begin(&mut ada).await).await;
    assert_eq!(come_back(&ada, &back).await.status, StatusCode::OK);
    assert_eq!(test(&mut ada).await["ok"], true);
}

/// A renewal whose answer was lost: the old refresh token is offered once more. Where it still works, all goes on; where it
/// was used up, a new consent is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_tried_once_more() {
    for (fault, goes_on) in [
        // Nothing was changed behind the failure.
        (Fault::ErrorBeforeEffect { html: false }, true),
        // The tokens were rotated, and the new ones lost on the way.
        (Fault::ResetMidBody, false),
    ] {
        let (installation, source) = (installation().await, account().await);
        let mut ada = administrator(&installation).await;
        connected(&mut ada, &source.base_url()).await;
        source.expire_tokens("acme").unwrap();
        let rule = FaultRule::new(fault.clone()).path_contains("/token/").first(1);
        source.faults().add(rule);
        let first = test(&mut ada).await;
        assert_eq!((&first["ok"], &first["credentials_refused"]), (&json!(false), &json!(false)), "{fault:?} {first}");
        let second = test(&mut ada).await;
        assert_eq!(second["ok"], goes_on, "{fault:?} {second}");
        if !goes_on {
            assert_eq!(second["credentials_refused"], true);
            let shown = ada.get("/api/v1/stores/BP/oauth").await.json();
            assert!(shown["problem"].as_str().unwrap().contains("was lost"), "{shown}");
        }
    }
}

/// Whoever goes away in the middle of a renewal leaves a turn that ends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_left_behind_ends() {
    let (installation, source) = (installation().await, account().await);
    let mut ada = administrator(&installation).await;
    connected(&mut ada, &source.base_url()).await;
    let key = key(&installation).await;
    let hub = &installation.hub;
    let version = hub.db.grant(&key, &hub.keyring).await.unwrap().unwrap().version;
    let left_behind = Duration::from_millis(600);
    assert!(hub.db.begin_refresh(&key, version, left_behind).await.unwrap().is_some());
    assert!(hub.db.begin_refresh(&key, version, left_behind).await.unwrap().is_none(), "one at a time");
    source.expire_tokens("acme").unwrap();
    let told = test(&mut ada).await;
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(token_calls(&source), 2);
}

/// Disconnected, the tokens are gone here, the store says so, and a new consent connects it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_disconnected() {
    let (installation, source) = (installation().await, account().await);
    let mut ada = administrator(&installation).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    store(&mut ada, &source.base_url()).await;
    assert_eq!(ada.delete("/api/v1/stores/BP/oauth").await.status, StatusCode::NOT_FOUND, "nothing was granted yet");
    let back = consent(&begin(&mut ada).await).await;
    assert_eq!(come_back(&ada, &back).await.status, StatusCode::OK);
    assert_eq!(test(&mut ada).await["ok"], true);
    // A consent on its way is gone as well.
    let late = consent(&begin(&mut ada).await).await;
    assert_eq!(bob.delete("/api/v1/stores/BP/oauth").await.status, StatusCode::FORBIDDEN);
    let gone = ada.delete("/api/v1/stores/BP/oauth").await;
    assert_eq!((gone.status, &gone.json()["state"]), (StatusCode::OK, &json!("none")), "{}", gone.text);
    assert!(gone.json()["next"].as_str().unwrap().contains("Connect the store"));
    assert_eq!(ada.get("/api/v1/stores/BP/oauth").await.json()["state"], "none");
    assert_eq!(come_back(&ada, &late).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.delete("/api/v1/stores/BP/oauth").await.status, StatusCode::NOT_FOUND);
    let calls = source.requests().len();
    let told = test(&mut ada).await;
    assert_eq!((&told["ok"], &told["credentials_refused"]), (&json!(false), &json!(true)), "{told}");
    assert_eq!(source.requests().len(), calls, "no token is left to call with");
    let key = key(&installation).await;
    assert!(installation.hub.db.grant(&key, &installation.hub.keyring).await.unwrap().is_none());
    assert!(ada.get("/api/v1/audit?limit=200").await.text.contains("oauth.disconnect"));
    let back = consent(&begin(&mut ada).await).await;
    assert_eq!(come_back(&ada, &back).await.status, StatusCode::OK);
    assert_eq!(test(&mut ada).await["ok"], true);
}
