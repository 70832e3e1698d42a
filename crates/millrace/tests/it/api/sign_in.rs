//! Signing in and out (security controls 1 to 4): the first start, cookies, sessions that end, and the throttle.

use axum::http::StatusCode;
use jiff::SignedDuration;
use millrace::db::Access;
use serde_json::{Value, json};

use super::{
    Installation,
    browser::{Browser, COOKIE, HOST, PASSWORD, administrator, setup_token, with_time},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_comes_in_by_a_link_that_works_once() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    assert_eq!(installation.hub.db.number_of_people(&tenant).await.unwrap(), 0, "there is no default account");
    let first = setup_token(&installation).await.unwrap();
    let second = setup_token(&installation).await.unwrap();
    let mut browser = Browser::new(&installation);
    let given =
        |token: &str| json!({ "token": token, "email": "Ada@Example.com", "name": "Ada", "password": PASSWORD });

    let old = browser.post("/api/v1/links/redeem", given(&first)).await;
    assert_eq!(
        (old.status, old.problem().as_str()),
        (StatusCode::NOT_FOUND, "not_found"),
        "each start makes a new one"
    );
    let about = browser.post("/api/v1/links/describe", json!({ "token": second })).await.json();
    assert_eq!((about["kind"].as_str(), about["role"].as_str()), (Some("setup"), Some("administrator")));
    // What is refused does not use it up.
    let mut short = given(&second);
    short["password"] = json!("hunter2");
    let refused = browser.post("/api/v1/links/redeem", short).await;
    assert_eq!((refused.status, refused.problem().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid"));
    assert!(!refused.text.contains("hunter2"));
    let (one, two) = {
        let (mut left, mut right) = (Browser::new(&installation), Browser::new(&installation));
        tokio::join!(
            left.post("/api/v1/links/redeem", given(&second)),
            right.post("/api/v1/links/redeem", given(&second)),
        )
    };
    let mut came = [one.status, two.status];
    came.sort();
    assert_eq!(came, [StatusCode::CREATED, StatusCode::NOT_FOUND], "of two at the same time one comes in");
    assert_eq!(setup_token(&installation).await, None);
    assert_eq!(installation.hub.db.number_of_people(&tenant).await.unwrap(), 1);

    let mut ada = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    let session = ada.get("/api/v1/session").await.json();
    assert_eq!(session["person"]["role"], "administrator");
    assert_eq!(session["csrf"].as_str(), ada.csrf.as_deref());
    // As the person to whom the installation belongs: stops and releases all sending.
    let frozen = ada.post("/api/v1/safety/freeze", json!({ "reason": "test" })).await;
    assert_eq!(frozen.status, StatusCode::OK, "{}", frozen.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_end_by_themselves() {
    let (installation, clock) = with_time().await;
    let token = setup_token(&installation).await.unwrap();
    clock.pass(SignedDuration::from_hours(25));
    let mut browser = Browser::new(&installation);
    let given = json!({ "token": token, "email": "ada@example.com", "name": "Ada", "password": PASSWORD });
    assert_eq!(browser.post("/api/v1/links/redeem", given).await.status, StatusCode::NOT_FOUND);
    let tenant = installation.tenant("default").await;
    assert_eq!(installation.hub.db.number_of_people(&tenant).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_for_this_host_only() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    let answer = ada.sign_in("ada@example.com", PASSWORD).await;
    let token = ada.cookie.clone().unwrap();
    assert_eq!(token.len(), 4 + 64, "256 random bits");
    assert_eq!(
        answer.headers["set-cookie"].to_str().unwrap(),
        format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    assert!(!answer.text.contains(&token), "no script sees it");
    assert_eq!(answer.headers["cache-control"], "no-store");

    // On this machine without TLS it has another name, and the one is not taken for the other.
    let here = ada
        .request("POST", "/api/v1/session")
        .extension(axum::extract::ConnectInfo("127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap()))
        .header("content-type", "application/json");
    let mut here = here
        .body(axum::body::Body::from(json!({ "email": "ada@example.com", "password": PASSWORD }).to_string()))
        .unwrap();
    here.headers_mut().insert("host", "127.0.0.1:8080".parse().unwrap());
    let local = installation.send(here).await;
    let set = local.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("millrace-local=mrs_") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    let local_token = set["millrace-local=".len()..].split(';').next().unwrap();
    let mut request = axum::http::Request::get("/api/v1/session").header("host", HOST);
    request = request.header("cookie", format!("millrace-local={local_token}"));
    let foreign = installation.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(foreign.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_new_at_every_sign_in_and_dead_after_signing_out() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    // Fixation: whatever cookie the browser came with, it gets another one.
    let planted = format!("mrs_{}", "0".repeat(64));
    let mut victim = Browser { cookie: Some(planted.clone()), ..Browser::new(&installation) };
    victim.sign_in("ada@example.com", PASSWORD).await;
    let (first, csrf) = (victim.cookie.clone().unwrap(), victim.csrf.clone().unwrap());
    assert_ne!(first, planted);
    let mut attacker = Browser { cookie: Some(planted), ..Browser::new(&installation) };
    assert_eq!(attacker.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
    victim.sign_in("ada@example.com", PASSWORD).await;
    assert_ne!(victim.cookie.as_deref(), Some(first.as_str()));
    assert_ne!(victim.csrf.as_deref(), Some(csrf.as_str()));
    // The one that the browser had before is over.
    let mut old = Browser { cookie: Some(first), ..Browser::new(&installation) };
    assert_eq!(old.get("/api/v1/orders").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ada.get("/api/v1/session/all").await.json().as_array().unwrap().len(), 2, "hers, and the new one");

    // Replay after signing out.
    let stolen = victim.cookie.clone();
    assert_eq!(victim.get("/api/v1/orders").await.status, StatusCode::OK);
    let out = victim.delete("/api/v1/session").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.headers["set-cookie"].to_str().unwrap().starts_with("__Host-millrace=; "), "the browser forgets it");
    assert_eq!(out.headers["clear-site-data"], "\"cache\"", "and the pages it has seen");
    let mut replay = Browser { cookie: stolen, ..Browser::new(&installation) };
    let answer = replay.get("/api/v1/orders").await;
    assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::UNAUTHORIZED, "unauthorised"));
    // The other sessions go on, and can be ended one by one.
    let mut elsewhere = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    let list = ada.get("/api/v1/session/all").await.json();
    let other = list.as_array().unwrap().iter().find(|one| one["this"] == false).unwrap()["id"].as_str().unwrap();
    assert_eq!(ada.delete(&format!("/api/v1/session/all/{other}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(elsewhere.get("/api/v1/orders").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ada.get("/api/v1/orders").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_unused_after_an_hour_and_used_after_a_day() {
    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    for _ in 0..25 {
        clock.pass(SignedDuration::from_mins(55));
        assert_eq!(ada.get("/api/v1/session").await.status, StatusCode::OK, "it was used within the hour");
    }
    clock.pass(SignedDuration::from_mins(70));
    assert_eq!(ada.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED, "unused for more than an hour");
    let mut ada = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    for _ in 0..28 {
        clock.pass(SignedDuration::from_mins(50));
        assert_eq!(ada.get("/api/v1/session").await.status, StatusCode::OK);
    }
    clock.pass(SignedDuration::from_mins(45));
    assert_eq!(ada.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED, "a day is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_session() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    let mut elsewhere = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    let before = ada.cookie.clone();
    let new = "Ünïcödé 漢字 — sixty-four characters and then some more of them, really";
    assert!(new.chars().count() >= 64);
    let wrong = ada.put("/api/v1/session/password", json!({ "current": "not this one at all", "new": new })).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::UNAUTHORIZED, "sign_in_refused"));
    for bad in ["short", "passwordpassword", "ada@example.com!"] {
        let refused = ada.put("/api/v1/session/password", json!({ "current": PASSWORD, "new": bad })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {}", refused.text);
    }
    let changed = ada.put("/api/v1/session/password", json!({ "current": PASSWORD, "new": new })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(elsewhere.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
    let mut replay = Browser { cookie: before, ..Browser::new(&installation) };
    assert_eq!(replay.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ada.get("/api/v1/session").await.status, StatusCode::OK, "this one began anew");
    assert_eq!(Browser::new(&installation).sign_in("ada@example.com", PASSWORD).await.problem(), "sign_in_refused");
    Browser::new(&installation).signed_in("ada@example.com", new).await;
}

/// Whoever tries cannot tell from words, status, headers or work whether there is somebody.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_people_are_answered_like_wrong_passwords() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    let mut gone = super::browser::invited(&mut ada, "gone@example.com", json!({ "role": "staff" })).await;
    assert_eq!(ada.post("/api/v1/people/gone@example.com/disable", json!({})).await.status, StatusCode::OK);
    assert_eq!(gone.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED, "ended at once");
    let mut told = Vec::new();
    for (email, password) in [
        ("ada@example.com", "a wrong password, long"),
        ("nobody@example.com", "a wrong password, long"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("not an address", PASSWORD),
    ] {
        let before = installation.hub.hashing.checks();
        let answer = Browser::new(&installation).sign_in(email, password).await;
        assert_eq!(installation.hub.hashing.checks(), before + 1, "{email}: as much work for everybody");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
        assert!(!answer.headers.contains_key("set-cookie"));
        let mut body = answer.json();
        body["instance"] = json!("");
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        told.push((body, names));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");

    // Each is in the audit trail: of the tenant, or of the installation where there is nobody.
    let tenant = installation.tenant("default").await;
    let why = |rows: Vec<millrace::db::AuditRow>, action: &str| -> Vec<String> {
        let rows = rows.into_iter().filter(|row| row.action == action);
        rows.map(|row| serde_json::from_str::<serde_json::Value>(&row.detail).unwrap()["why"].to_string()).collect()
    };
    let rows = installation.hub.db.audit_after(&Access::Tenant(tenant.clone()), 0, 100).await.unwrap();
    assert_eq!(why(rows.clone(), "sign_in.failure"), ["\"password\"", "\"disabled\""]);
    assert_eq!(why(rows, "sign_in.success").len(), 2);
    let rows = installation.hub.db.audit_after(&Access::System, 0, 100).await.unwrap();
    assert_eq!(why(rows, "sign_in.failure"), ["\"unknown\"", "\"unknown\"", "\"unknown\""]);
    assert_eq!(installation.hub.db.verify_audit(&Access::Tenant(tenant)).await.unwrap(), None);
}

/// A thousand tries are looked at a few times only, from wherever they come and whomever they are for.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tries_are_a_few_comparisons() {
    let (installation, clock) = with_time().await;
    administrator(&installation).await;
    let checks = || installation.hub.hashing.checks();
    let before = checks();
    let mut refused = None;
    for number in 0..500_u16 {
        let peer = format!("198.51.{}.{}:1", number / 250, number % 250).parse().unwrap();
        let answer =
            Browser { peer, ..Browser::new(&installation) }.sign_in("ada@example.com", "wrong, and long").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
        } else {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }
    assert!(checks() - before <= 12, "{} comparisons for one account", checks() - before);
    let refused = refused.unwrap();
    assert_eq!(refused.problem(), "too_many_tries");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    // Nobody is told apart here either.
    let before = checks();
    for number in 0..500 {
        let email = format!("nobody{number}@example.com");
        Browser::new(&installation).sign_in(&email, "wrong, and long").await;
    }
    assert!(checks() - before <= 40, "{} comparisons from one address", checks() - before);

    // The right password has to wait as well, and gets in after the wait; then all is forgotten.
    let peer = "203.0.113.5:1".parse().unwrap();
    clock.pass(SignedDuration::from_mins(16));
    let wrong = Browser { peer, ..Browser::new(&installation) }.sign_in("ada@example.com", "wrong, and long").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "it is looked at");
    let early = Browser { peer, ..Browser::new(&installation) }.sign_in("ada@example.com", PASSWORD).await;
    assert_eq!(early.status, StatusCode::TOO_MANY_REQUESTS);
    clock.pass(SignedDuration::from_mins(16));
    Browser { peer, ..Browser::new(&installation) }.signed_in("ada@example.com", PASSWORD).await;
    let wrong = Browser { peer, ..Browser::new(&installation) }.sign_in("ada@example.com", "wrong, and long").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED, "it is looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_proves_lasts_ten_minutes() {
    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    let make = json!({ "name": "program", "role": "read" });
    assert_eq!(ada.post("/api/v1/keys", make.clone()).await.status, StatusCode::CREATED);
    clock.pass(SignedDuration::from_mins(11));
    let merchant = installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    assert_eq!(merchant.status, StatusCode::CREATED, "a key proves itself with each call");
    // Every route is asked so in `matrix`; here what depends on what is given with it.
    let decide = |decision: &str| json!({ "decision": decision, "reason": "test" });
    let undo = || json!({ "reason": "test", "skus": [] });
    let test = |more: Value| {
        let mut given = json!({ "platform": "brightpearl", "settings": {}, "secrets": {} });
        given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        given
    };
    for (path, asks, leaves) in [
        ("keys", (make.clone(), ""), None),
        ("effects/eff_1/decide", (decide("retry"), ""), Some((decide("void"), ""))),
        ("stock/runs/run_1/undo", (undo(), ""), Some((undo(), "?dry_run=true"))),
        ("stores/test", (test(json!({ "of": "BP" })), ""), Some((test(json!({})), ""))),
        ("stores/test", (test(json!({ "draft": "dft_1" })), ""), None),
        ("warehouses/WH/test", (json!({}), "?trust_host_key=true"), Some((json!({}), ""))),
    ] {
        let answer = ada.post(&format!("/api/v1/{path}{}", asks.1), asks.0).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}: {}", answer.text);
        assert_eq!(answer.problem(), "proof_needed", "{path}");
        if let Some((body, query)) = leaves {
            let answer = ada.post(&format!("/api/v1/{path}{query}"), body).await;
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{path}{query}: {}", answer.text);
        }
    }
    assert_eq!(ada.get("/api/v1/people").await.status, StatusCode::OK, "looking needs nothing more");
    let wrong = ada.post("/api/v1/session/proof", json!({ "password": "not this one at all" })).await;
    assert_eq!(wrong.problem(), "sign_in_refused");
    let before = ada.cookie.clone();
    let proved = ada.post("/api/v1/session/proof", json!({ "password": PASSWORD })).await;
    assert_eq!(proved.status, StatusCode::OK, "{}", proved.text);
    assert_ne!(ada.cookie, before, "more rights, another token");
    assert_eq!(ada.post("/api/v1/keys", make).await.status, StatusCode::CREATED);
    let mut replay = Browser { cookie: before, ..Browser::new(&installation) };
    assert_eq!(replay.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
}
