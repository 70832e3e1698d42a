//! Signing in at an identity provider (OpenID Connect), against a strict stand-in over real HTTP.

mod stand_in;

use std::sync::Arc;

use axum::{body::Body, http::StatusCode};
use connect::Secret;
use jiff::SignedDuration;
use millrace::config::{Config, Provider};
use serde_json::{Value, json};
use url::Url;

use self::stand_in::{CLIENT, REDIRECT, SECRET, StandIn};
use super::{
    Answer, Installation,
    browser::{Browser, COOKIE, HOST, Later, PASSWORD, administrator, invited, with_time, with_time_and},
    second_factor::app,
};

/// What the browser holds meanwhile.
const FLOW: &str = "__Host-millrace-flow";

async fn installed() -> (Installation, Arc<Later>, StandIn) {
    installed_with(|_| {}).await
}

async fn installed_with(change: impl FnOnce(&mut Config)) -> (Installation, Arc<Later>, StandIn) {
    let (listener, issuer) = stand_in::listen().await;
    let (installation, clock) = with_time_and(|config: &mut Config| {
        change(config);
        config.public_url = Some(Url::parse("https://hub.example.com").unwrap());
        config.provider = Some(Provider {
            issuer: issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Secret::new(SECRET),
            name: "Example".to_owned(),
        });
    })
    .await;
    let provider = stand_in::start(listener, &issuer, Arc::<Later>::clone(&clock));
    (installation, clock, provider)
}

/// A cookie of this name that an answer sets.
fn set(answer: &Answer, name: &str) -> Option<String> {
    let all = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let mut own = all.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    own.next().map(|rest| rest.split(';').next().unwrap().to_owned()).filter(|value| !value.is_empty())
}

/// Begins in a browser that holds nothing yet: where it is sent to, and what it holds.
async fn begin(installation: &Installation, given: Value) -> (Url, String) {
    let request = Browser::new(installation).request("POST", "/api/v1/session/provider");
    let body = Body::from(given.to_string());
    let answer = installation.send(request.header("content-type", "application/json").body(body).unwrap()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    (Url::parse(answer.json()["address"].as_str().unwrap()).unwrap(), set(&answer, FLOW).unwrap())
}

/// Signs in at the provider: where it sends the browser back to.
async fn consent(address: &Url) -> Url {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(address.clone()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 302, "{}", answer.text().await.unwrap());
    Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
}

/// A browser follows the redirect back.
async fn come_back(installation: &Installation, back: &Url, flow: Option<&str>) -> Answer {
    assert!(back.as_str().starts_with(REDIRECT), "{back}");
    let mut request = axum::http::Request::builder()
        .method("GET")
        .uri(format!("{}?{}", back.path(), back.query().unwrap()))
        .extension(axum::extract::ConnectInfo(Browser::new(installation).peer))
        .header("host", HOST)
        .header("sec-fetch-site", "cross-site");
    if let Some(flow) = flow {
        request = request.header("cookie", format!("{FLOW}={flow}"));
    }
    let answer = installation.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer
}

fn place(answer: &Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

/// The whole way, once.
async fn there_and_back(installation: &Installation) -> Answer {
    let (address, flow) = begin(installation, json!({})).await;
    come_back(installation, &consent(&address).await, Some(&flow)).await
}

/// The same for somebody who comes in: their browser.
async fn comes_in(installation: &Installation) -> Browser<'_> {
    let answer = there_and_back(installation).await;
    assert_eq!(place(&answer), "/", "{:?}", answer.headers);
    Browser { cookie: Some(set(&answer, COOKIE).unwrap()), ..Browser::new(installation) }
}

/// Nobody comes in, and the browser is told no more than this.
async fn refused(installation: &Installation, why: &str) {
    let answer = there_and_back(installation).await;
    assert_eq!((place(&answer), set(&answer, COOKIE)), ("/sign-in#provider=refused", None), "{why}");
}

async fn trail(ada: &mut Browser<'_>) -> String {
    ada.get("/api/v1/audit?limit=500").await.text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_person_comes_in_and_is_known_from_then_on() {
    let (installation, _, provider) = installed().await;
    let mut ada = administrator(&installation).await;
    let shown = Browser::new(&installation).get("/api/v1/session/provider").await;
    assert_eq!(shown.json(), json!({ "configured": true, "name": "Example" }));

    let (address, flow) = begin(&installation, json!({})).await;
    assert!(!address.as_str().contains(&flow) && !address.as_str().contains("client%20secret"), "{address}");
    let back = consent(&address).await;
    let answer = come_back(&installation, &back, Some(&flow)).await;
    assert_eq!(place(&answer), "/");
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies[0].starts_with(COOKIE) && cookies[0].ends_with("; Secure"), "{cookies:?}");
    assert!(cookies[1].starts_with(FLOW) && cookies[1].ends_with("; Max-Age=0"), "{cookies:?}");
    let mut browser = Browser { cookie: Some(set(&answer, COOKIE).unwrap()), ..Browser::new(&installation) };
    let session = browser.get("/api/v1/session").await.json();
    assert_eq!(session["person"]["email"], "ada@example.com");
    browser.csrf = Some(session["csrf"].as_str().unwrap().to_owned());
    assert_eq!(browser.post("/api/v1/merchants", json!({ "name": "Acme" })).await.status, StatusCode::CREATED);
    assert_eq!(ada.get("/api/v1/people/ada@example.com").await.json()["linked"], true);
    let audit = trail(&mut ada).await;
    assert!(audit.contains("person.link") && audit.contains("sign_in.success"), "{audit}");

    // From now on it is who they are at the provider that counts.
    provider.inner().person = json!({ "sub": "248", "email": "ada.married@example.com", "email_verified": false });
    assert_eq!(comes_in(&installation).await.get("/api/v1/session").await.json()["person"]["email"], "ada@example.com");
    // The address went to another employee: that is somebody else.
    provider.inner().person = json!({ "sub": "999", "email": "ada@example.com", "email_verified": true });
    refused(&installation, "somebody else with the address").await;
    assert!(trail(&mut ada).await.contains("somebody else at the provider already"));
    // Until an administrator says so.
    assert_eq!(ada.delete("/api/v1/people/ada@example.com/provider").await.json()["linked"], false);
    assert_eq!(ada.delete("/api/v1/people/ada@example.com/provider").await.status, StatusCode::NOT_FOUND);
    comes_in(&installation).await;
    for text in [trail(&mut ada).await, shown.text] {
        for secret in [SECRET, flow.as_str(), "code-"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_made_and_nobody_comes_in_who_may_not() {
    let (installation, _, provider) = installed().await;
    let mut ada = administrator(&installation).await;
    invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    let tenant = installation.tenant("default").await;
    for (person, why) in [
        (json!({ "sub": "1", "email": "eve@example.com", "email_verified": true }), "unknown"),
        (json!({ "sub": "2", "email": "bob@example.com", "email_verified": false }), "no verified address"),
        (json!({ "sub": "3", "email": "bob@example.com", "email_verified": "true" }), "no verified address"),
        (json!({ "sub": "4", "email": "bob@example.com" }), "no verified address"),
        (json!({ "sub": "5" }), "no verified address"),
    ] {
        provider.inner().person = person;
        refused(&installation, why).await;
        assert!(installation_trail(&installation).await.contains(&format!("provider: {why}")), "{why}");
    }
    assert_eq!(installation.hub.db.number_of_people(&tenant).await.unwrap(), 2);

    // Disabled, linked or not.
    provider.inner().person = json!({ "sub": "6", "email": "bob@example.com", "email_verified": true });
    let mut bob = comes_in(&installation).await;
    assert_eq!(ada.post("/api/v1/people/bob@example.com/disable", json!({})).await.status, StatusCode::OK);
    assert_eq!(bob.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
    refused(&installation, "disabled").await;
    assert!(trail(&mut ada).await.contains("provider: disabled"));
    assert_eq!(ada.post("/api/v1/people/bob@example.com/enable", json!({})).await.status, StatusCode::OK);
    comes_in(&installation).await;

    // Somebody of another tenant, by its name, and not while it is disabled.
    let made = installation.post("/api/v1/tenants", json!({ "name": "North" })).await.json();
    let given = json!({
        "token": made["link"]["token"], "email": "bob@example.com", "name": "Bob of North", "password": PASSWORD,
    });
    assert_eq!(Browser::new(&installation).post("/api/v1/links/redeem", given).await.status, StatusCode::CREATED);
    let (address, flow) = begin(&installation, json!({ "tenant": "North" })).await;
    let back = consent(&address).await;
    let answer = come_back(&installation, &back, Some(&flow)).await;
    let mut north = Browser { cookie: set(&answer, COOKIE), ..Browser::new(&installation) };
    assert_eq!(north.get("/api/v1/session").await.json()["person"]["name"], "Bob of North");
    assert_eq!(ada.post("/api/v1/tenants/North/disable", json!({})).await.status, StatusCode::OK);
    let (address, flow) = begin(&installation, json!({ "tenant": "North" })).await;
    let answer = come_back(&installation, &consent(&address).await, Some(&flow)).await;
    assert_eq!(place(&answer), "/sign-in#provider=refused");
    // Whether there is such a tenant cannot be told: the way is the same.
    let (address, flow) = begin(&installation, json!({ "tenant": "Nowhere" })).await;
    let answer = come_back(&installation, &consent(&address).await, Some(&flow)).await;
    assert_eq!(place(&answer), "/sign-in#provider=refused");
    // Without a name it is the first, who still may.
    comes_in(&installation).await;
}

/// Somebody at a browser that the provider knows comes in without being asked anything. What needs the password given lately
/// asks for it then, unless the provider says when it last asked.
#[tokio::test(flavor = "multi_thread")]
async fn coming_in_is_a_proof_only_where_the_provider_asked_lately() {
    let (installation, _, provider) = installed().await;
    administrator(&installation).await;
    let now = clock_seconds(&installation);
    for (auth_time, proves) in [
        (Value::Null, false),
        (json!(0), false),
        (json!(now - 601), false),
        (json!("now"), false),
        (json!(now - 300), true),
        // A clock that is ahead proves no longer than one that is right.
        (json!(now + 86_400), true),
    ] {
        provider.inner().person["auth_time"] = auth_time.clone();
        if auth_time == "now" {
            assert_eq!(place(&there_and_back(&installation).await), "/sign-in#provider=failed");
            continue;
        }
        let mut browser = comes_in(&installation).await;
        let session = browser.get("/api/v1/session").await.json();
        browser.csrf = Some(session["csrf"].as_str().unwrap().to_owned());
        let until: jiff::Timestamp = session["proved_until"].as_str().unwrap().parse().unwrap();
        let left = until.duration_since(installation.hub.seams.clock.now());
        assert!(left <= SignedDuration::from_mins(10), "{auth_time}: {left}");
        let made = browser.post("/api/v1/keys", json!({ "name": "k", "role": "read" })).await;
        if proves {
            assert_eq!(made.status, StatusCode::CREATED, "{auth_time}: {}", made.text);
        } else {
            assert_eq!(made.problem(), "proof_needed", "{auth_time}");
            let proof = browser.post("/api/v1/session/proof", json!({ "password": PASSWORD })).await;
            assert_eq!(proof.status, StatusCode::OK, "{}", proof.text);
            let made = browser.post("/api/v1/keys", json!({ "name": "k", "role": "read" })).await;
            assert_eq!(made.status, StatusCode::CREATED, "{auth_time}: {}", made.text);
        }
    }
}

/// The keys are read at each sign-in, so a provider that changes its key locks nobody out.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_change_its_key_and_may_be_down() {
    let (installation, _, provider) = installed().await;
    administrator(&installation).await;
    comes_in(&installation).await;
    provider.inner().next_key = true;
    comes_in(&installation).await;

    // A token endpoint that sends on to another place is not followed there.
    let elsewhere = provider.inner().asked.len();
    let moved = format!("{}/moved", provider.issuer());
    provider.inner().description = json!({ "token_endpoint": moved });
    assert_eq!(place(&there_and_back(&installation).await), "/sign-in#provider=failed");
    let asked = provider.inner().asked.split_off(elsewhere);
    assert!(asked.iter().all(|what| what != "elsewhere" && what != "token"), "{asked:?}");
    provider.inner().description = json!({});

    let (address, flow) = begin(&installation, json!({})).await;
    let back = consent(&address).await;
    drop(provider);
    assert_eq!(place(&come_back(&installation, &back, Some(&flow)).await), "/sign-in#provider=failed");
    for _ in 0..40 {
        let begun = Browser::new(&installation).post("/api/v1/session/provider", json!({})).await;
        assert!([StatusCode::BAD_GATEWAY, StatusCode::TOO_MANY_REQUESTS].contains(&begun.status), "{}", begun.text);
    }
    // Whoever pressed the button in vain can still use the password.
    Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
}

/// The installation's own audit trail: of tries by nobody that is known.
async fn installation_trail(installation: &Installation) -> String {
    let rows = installation.hub.db.audit_after(&millrace::db::Access::System, 0, 500).await.unwrap();
    rows.into_iter().map(|row| format!("{} {}\n", row.action, row.detail)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_issued_for_this_sign_in_is_refused() {
    let (installation, clock, provider) = installed().await;
    administrator(&installation).await;
    let now = clock_seconds(&installation);
    for (twist, why) in [
        (json!({ "nonce": "another" }), "answers another sign-in"),
        (json!({ "nonce": null }), "answers another sign-in"),
        (json!({ "aud": "another-client" }), "meant for somebody else"),
        (json!({ "aud": [CLIENT, "another"], "azp": "another" }), "asked for by somebody else"),
        (json!({ "iss": "https://login.example.net" }), "issued by somebody else"),
        (json!({ "exp": now - 61 }), "has ended"),
        (json!({ "iat": now + 3600 }), "from the future"),
    ] {
        provider.inner().twist = twist.clone();
        let answer = there_and_back(&installation).await;
        assert_eq!((place(&answer), set(&answer, COOKIE)), ("/sign-in#provider=failed", None), "{twist}: {why}");
    }
    provider.inner().twist = json!({});
    provider.inner().foreign_key = true;
    assert_eq!(place(&there_and_back(&installation).await), "/sign-in#provider=failed", "another key");
    provider.inner().foreign_key = false;
    let failures = installation_trail(&installation).await;
    assert_eq!(failures.matches("sign_in.failure").count(), 8, "{failures}");

    // The way back: forged, of another browser, replayed, over.
    let (address, flow) = begin(&installation, json!({})).await;
    let back = consent(&address).await;
    let exchanged = |provider: &StandIn| provider.inner().asked.iter().filter(|what| *what == "token").count();
    let before = exchanged(&provider);
    let (_, other) = begin(&installation, json!({})).await;
    for token in [None, Some(""), Some("mrf_x"), Some(other.as_str())] {
        assert_eq!(place(&come_back(&installation, &back, token).await), "/sign-in#provider=ended", "{token:?}");
    }
    let mut forged = back.clone();
    forged.query_pairs_mut().clear().append_pair("code", "code-1").append_pair("state", &"0".repeat(64));
    assert_eq!(place(&come_back(&installation, &forged, Some(&flow)).await), "/sign-in#provider=ended");
    assert_eq!(exchanged(&provider), before, "no code was exchanged");
    assert_eq!(place(&come_back(&installation, &back, Some(&flow)).await), "/");
    assert_eq!(place(&come_back(&installation, &back, Some(&flow)).await), "/sign-in#provider=ended", "replayed");
    assert_eq!(exchanged(&provider), before + 1);
    let (address, flow) = begin(&installation, json!({})).await;
    let back = consent(&address).await;
    clock.pass(SignedDuration::from_secs(601));
    assert_eq!(place(&come_back(&installation, &back, Some(&flow)).await), "/sign-in#provider=ended", "over");
    // Somebody changed their mind, or another provider answers.
    let (address, flow) = begin(&installation, json!({})).await;
    let mut denied = consent(&address).await;
    let state = denied.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    denied.query_pairs_mut().clear().append_pair("error", "access_denied").append_pair("state", &state);
    assert_eq!(place(&come_back(&installation, &denied, Some(&flow)).await), "/sign-in#provider=cancelled");
    let (address, flow) = begin(&installation, json!({})).await;
    let mut mixed = consent(&address).await;
    mixed.query_pairs_mut().append_pair("iss", "https://login.example.net");
    assert_eq!(place(&come_back(&installation, &mixed, Some(&flow)).await), "/sign-in#provider=failed");
}

fn clock_seconds(installation: &Installation) -> i64 {
    installation.hub.seams.clock.now().as_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_second_factor_is_asked_for_unless_the_provider_asked_for_one() {
    let (installation, clock, provider) = installed().await;
    let mut ada = administrator(&installation).await;
    // Another one, so that she may be disabled.
    invited(&mut ada, "bob@example.com", json!({ "role": "administrator" })).await;
    let factor = ada.post("/api/v1/session/second-factor", json!({})).await.json();
    let secret = factor["secret"].as_str().unwrap();
    let now = || installation.hub.seams.clock.now();
    let confirmed = ada.post("/api/v1/session/second-factor/confirm", json!({ "code": app(secret, now()) })).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    clock.pass(SignedDuration::from_secs(30));

    let (address, flow) = begin(&installation, json!({})).await;
    let back = consent(&address).await;
    let answer = come_back(&installation, &back, Some(&flow)).await;
    assert_eq!((place(&answer), set(&answer, COOKIE)), ("/sign-in#provider=code", None));
    let finish = async |flow: &str, code: &str| {
        let request = Browser::new(&installation)
            .request("POST", "/api/v1/session/provider/code")
            .header("content-type", "application/json")
            .header("cookie", format!("{FLOW}={flow}"));
        installation.send(request.body(Body::from(json!({ "code": code }).to_string())).unwrap()).await
    };
    let (_, other) = begin(&installation, json!({})).await;
    assert_eq!(finish(&other, &app(secret, now())).await.status, StatusCode::NOT_FOUND, "nobody came back there");
    let wrong = finish(&flow, "000000x").await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::UNAUTHORIZED, "second_factor_needed"));
    let right = finish(&flow, &app(secret, now())).await;
    assert_eq!(right.status, StatusCode::CREATED, "{}", right.text);
    assert_eq!(right.json()["person"]["email"], "ada@example.com");
    assert!(set(&right, COOKIE).is_some());
    clock.pass(SignedDuration::from_secs(30));
    assert_eq!(finish(&flow, &app(secret, now())).await.status, StatusCode::NOT_FOUND, "it lets in once");

    // Who is disabled, or no longer linked, while the code is waited for does not come in.
    for (method, path) in [("POST", "disable"), ("DELETE", "provider")] {
        let (address, flow) = begin(&installation, json!({})).await;
        let answer = come_back(&installation, &consent(&address).await, Some(&flow)).await;
        assert_eq!(place(&answer), "/sign-in#provider=code");
        let changed = installation
            .ask(method, &format!("/api/v1/people/ada@example.com/{path}"), Some(&installation.administrator), None)
            .await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        let late = finish(&flow, &app(secret, now())).await;
        assert!([StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND].contains(&late.status), "{path}: {}", late.text);
        assert!(set(&late, COOKIE).is_none(), "{path}");
        installation
            .ask("POST", "/api/v1/people/ada@example.com/enable", Some(&installation.administrator), None)
            .await;
        clock.pass(SignedDuration::from_secs(30));
    }

    // Codes cannot be tried out: the account's throttle holds here as well.
    let (address, flow) = begin(&installation, json!({})).await;
    come_back(&installation, &consent(&address).await, Some(&flow)).await;
    let mut looked = 0;
    for _ in 0..30 {
        looked += usize::from(finish(&flow, "000000x").await.status == StatusCode::UNAUTHORIZED);
    }
    assert!((1..=8).contains(&looked), "{looked} codes were looked at");

    provider.inner().person["amr"] = json!(["pwd", "mfa"]);
    comes_in(&installation).await;
}

/// Where the operator asks for a second factor, a provider that asked for several has asked for it, and one that did not has not.
#[tokio::test(flavor = "multi_thread")]
async fn several_factors_at_the_provider_are_one_here() {
    let demand = |config: &mut Config| config.second_factor = millrace::accounts::demand::SecondFactor::Everybody;
    let (installation, _, provider) = installed_with(demand).await;
    administrator(&installation).await;
    let owed = async |browser: &mut Browser<'_>| {
        let session = browser.get("/api/v1/session").await.json();
        browser.csrf = Some(session["csrf"].as_str().unwrap().to_owned());
        let orders = browser.get("/api/v1/orders").await;
        let owed = session["second_factor_owed"].as_bool().unwrap();
        assert_eq!(orders.status == StatusCode::OK, !owed, "{}", orders.text);
        owed
    };
    assert!(owed(&mut comes_in(&installation).await).await);
    provider.inner().person["amr"] = json!(["pwd", "mfa"]);
    let mut ada = comes_in(&installation).await;
    assert!(!owed(&mut ada).await);
    // The session that begins with another password, or with the password given again, is the same in that.
    let proved = ada.post("/api/v1/session/proof", json!({ "password": PASSWORD })).await;
    assert_eq!(proved.status, StatusCode::OK, "{}", proved.text);
    assert!(!owed(&mut ada).await);
    let given = json!({ "current": PASSWORD, "new": "another long sentence to type" });
    let changed = ada.put("/api/v1/session/password", given).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert!(!owed(&mut ada).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_leads_nowhere_else_and_is_not_asked_without_end() {
    let (installation, _, provider) = installed().await;
    administrator(&installation).await;
    let begun = async || {
        let request = Browser::new(&installation).request("POST", "/api/v1/session/provider");
        installation.send(request.header("content-type", "application/json").body(Body::from("{}")).unwrap()).await
    };
    for description in [
        json!({ "jwks_uri": "http://169.254.169.254/keys" }),
        json!({ "token_endpoint": "https://10.0.0.1/token" }),
        json!({ "authorization_endpoint": "javascript:alert(1)" }),
        json!({ "token_endpoint": "https://user:word@login.example.com/token" }),
        json!({ "issuer": "https://login.example.net" }),
        json!({ "jwks_uri": 7 }),
    ] {
        provider.inner().description = description.clone();
        let answer = begun().await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_GATEWAY, "remote_system"),
            "{description}"
        );
        assert!(set(&answer, FLOW).is_none());
    }
    provider.inner().description = json!({});
    // From another site's page nothing is begun.
    let request = axum::http::Request::builder()
        .method("POST")
        .uri("/api/v1/session/provider")
        .header("host", HOST)
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/json");
    let foreign = installation.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!((foreign.status, foreign.problem().as_str()), (StatusCode::FORBIDDEN, "cross_site"));
    // A stranger's beginnings are counted like tries.
    let mut taken = 0;
    for _ in 0..60 {
        taken += usize::from(begun().await.status == StatusCode::CREATED);
    }
    assert!((20..=30).contains(&taken), "{taken}");
    let slowed = begun().await;
    assert_eq!((slowed.status, slowed.problem().as_str()), (StatusCode::TOO_MANY_REQUESTS, "too_many_tries"));
    // They are no tries of a password, and keep nobody from giving one.
    Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_none() {
    let (installation, _) = with_time().await;
    let mut browser = Browser::new(&installation);
    assert_eq!(browser.get("/api/v1/session/provider").await.json(), json!({ "configured": false }));
    let begun = browser.post("/api/v1/session/provider", json!({})).await;
    assert_eq!((begun.status, begun.problem().as_str()), (StatusCode::NOT_IMPLEMENTED, "setup"));
}
