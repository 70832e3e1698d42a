//! The second factor (security control 2): enrolled, asked for, used once.

use axum::http::StatusCode;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha1::Sha1;

use super::{
    access::{NO_AREAS, routes_by_area},
    browser::{Browser, PASSWORD, administrator, invited, with_time, with_time_and},
};

/// The authenticator app, written from RFC 6238.
pub fn app(secret: &str, now: Timestamp) -> String {
    let mut bits = String::new();
    for letter in secret.chars() {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
        bits.push_str(&format!("{value:05b}"));
    }
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&u64::try_from(now.as_second() / 30).unwrap().to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_lets_in_once() {
    let (installation, clock) = with_time().await;
    let now = || installation.hub.seams.clock.now();
    let step = || clock.pass(SignedDuration::from_secs(30));
    let mut ada = administrator(&installation).await;
    let factor = ada.post("/api/v1/session/second-factor", json!({})).await;
    assert_eq!(factor.status, StatusCode::CREATED, "{}", factor.text);
    let factor = factor.json();
    let secret = factor["secret"].as_str().unwrap();
    assert!(factor["address"].as_str().unwrap().starts_with("otpauth://totp/Millrace:ada%40example%2Ecom?secret="));
    // Nothing asks for it before its first code was right.
    Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    let wrong = ada.post("/api/v1/session/second-factor/confirm", json!({ "code": "000000x" })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let first = app(secret, now());
    let confirmed = ada.post("/api/v1/session/second-factor/confirm", json!({ "code": first })).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    let recovery = confirmed.json()["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(recovery.len(), 10);
    assert_eq!(ada.post("/api/v1/session/second-factor", json!({})).await.status, StatusCode::CONFLICT);

    let sign_in = async |code: Option<&str>| {
        let mut given = json!({ "email": "ada@example.com", "password": PASSWORD });
        if let Some(code) = code {
            given["code"] = json!(code);
        }
        Browser::new(&installation).post("/api/v1/session", given).await
    };
    for code in [None, Some(""), Some("123"), Some(first.as_str())] {
        let answer = sign_in(code).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{code:?}: the first code was used to confirm");
        assert_eq!(answer.problem(), "second_factor_needed");
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let wrong = Browser::new(&installation)
        .post("/api/v1/session", json!({ "email": "ada@example.com", "password": "wrong, and long", "code": first }))
        .await;
    assert_eq!(wrong.problem(), "sign_in_refused", "the code alone says nothing about the password");

    step();
    let second = app(secret, now());
    let (one, two) = tokio::join!(sign_in(Some(&second)), sign_in(Some(&second)));
    let mut came = [one.status, two.status];
    came.sort();
    assert_eq!(came, [StatusCode::CREATED, StatusCode::UNAUTHORIZED], "of two at the same time one comes in");
    assert_eq!(sign_in(Some(&second)).await.problem(), "second_factor_needed", "a code is used once");

    // A recovery code, as it is typed, once.
    let code = recovery[3].as_str().unwrap().to_lowercase().replace('-', " ");
    assert_eq!(sign_in(Some(&code)).await.status, StatusCode::CREATED);
    assert_eq!(sign_in(Some(&code)).await.problem(), "second_factor_needed", "a recovery code is used once");

    // Giving the password again asks for it too, and so does taking it away.
    clock.pass(SignedDuration::from_mins(11));
    assert_eq!(ada.delete("/api/v1/session/second-factor").await.problem(), "proof_needed");
    let without = ada.post("/api/v1/session/proof", json!({ "password": PASSWORD })).await;
    assert_eq!(without.problem(), "second_factor_needed");
    let proof = json!({ "password": PASSWORD, "code": app(secret, now()) });
    assert_eq!(ada.post("/api/v1/session/proof", proof).await.status, StatusCode::OK);
    assert_eq!(ada.delete("/api/v1/session/second-factor").await.status, StatusCode::NO_CONTENT);
    assert_eq!(sign_in(None).await.status, StatusCode::CREATED);
    let unused = recovery[4].as_str().unwrap();
    let bystander = ada.get("/api/v1/session").await.json();
    assert_eq!(bystander["person"]["second_factor"], false);
    let trail = ada.get("/api/v1/audit?limit=100").await.text;
    assert!(!trail.contains(unused), "no code is written down");
    assert!(trail.contains("\"factor\":\"here\""), "that one was given is: {trail}");
}

/// Whoever knows the password gets no free tries at the code: leaving the code out forgives nothing.
#[tokio::test(flavor = "multi_thread")]
async fn codes_cannot_be_tried_out() {
    let (installation, _) = with_time().await;
    let mut ada = administrator(&installation).await;
    let secret = ada.post("/api/v1/session/second-factor", json!({})).await.json();
    let code = app(secret["secret"].as_str().unwrap(), installation.hub.seams.clock.now());
    let confirmed = ada.post("/api/v1/session/second-factor/confirm", json!({ "code": code })).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    let mut looked_at = 0;
    for number in 0..100_u8 {
        let peer = format!("198.51.100.{number}:1").parse().unwrap();
        let mut thief = Browser { peer, ..Browser::new(&installation) };
        thief.sign_in("ada@example.com", PASSWORD).await;
        let given = json!({ "email": "ada@example.com", "password": PASSWORD, "code": format!("{number:06}") });
        let answer = thief.post("/api/v1/session", given).await;
        looked_at += u32::from(answer.status == StatusCode::UNAUTHORIZED);
    }
    assert!(looked_at <= 12, "{looked_at} codes were looked at");
}

/// Where the operator asks administrators for one, they set it up before anything else; others are not asked, and keys neither.
#[tokio::test(flavor = "multi_thread")]
async fn who_owes_one_sets_it_up_first() {
    let (installation, _) =
        with_time_and(|config| config.second_factor = millrace::accounts::demand::SecondFactor::Administrators).await;
    let mut ada = administrator(&installation).await;
    let session = ada.get("/api/v1/session").await.json();
    assert_eq!(
        (&session["second_factor_owed"], &session["second_factor_demand"]),
        (&json!(true), &json!("administrators"))
    );
    let routes = routes_by_area();
    assert!(routes.len() > 150, "{}", routes.len());
    for (_, method, path) in routes.into_iter().filter(|(area, ..)| !NO_AREAS.contains(&area.as_str())) {
        let answer = ada.ask(&method, &path, (method != "GET").then(|| json!({}))).await;
        let told = (answer.status, answer.problem());
        assert_eq!(told, (StatusCode::FORBIDDEN, "second_factor_owed".to_owned()), "{method} {path}");
    }
    assert_eq!(installation.get("/api/v1/orders").await.status, StatusCode::OK, "keys are not asked");
    assert_eq!(ada.get("/api/v1/session/all").await.status, StatusCode::OK, "what concerns oneself is open");

    let secret = ada.post("/api/v1/session/second-factor", json!({})).await.json();
    assert_eq!(ada.get("/api/v1/orders").await.problem(), "second_factor_owed", "begun is not set up");
    let code = app(secret["secret"].as_str().unwrap(), installation.hub.seams.clock.now());
    let confirmed = ada.post("/api/v1/session/second-factor/confirm", json!({ "code": code })).await;
    assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.text);
    assert_eq!(ada.get("/api/v1/session").await.json()["second_factor_owed"], false);
    assert_eq!(ada.get("/api/v1/orders").await.status, StatusCode::OK);

    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    assert_eq!(bob.get("/api/v1/session").await.json()["second_factor_owed"], false);
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::OK);
    // Made an administrator, he owes one, in sessions that are open too.
    let role = json!({ "role": "administrator" });
    assert_eq!(ada.put("/api/v1/people/bob@example.com", role).await.status, StatusCode::OK);
    assert_eq!(bob.get("/api/v1/orders").await.problem(), "second_factor_owed");
    // Taken away, it is owed again.
    assert_eq!(ada.delete("/api/v1/session/second-factor").await.status, StatusCode::NO_CONTENT);
    assert_eq!(ada.get("/api/v1/orders").await.problem(), "second_factor_owed");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_means_everybody() {
    let (installation, _) =
        with_time_and(|config| config.second_factor = millrace::accounts::demand::SecondFactor::Everybody).await;
    let mut ada = administrator(&installation).await;
    let secret = ada.post("/api/v1/session/second-factor", json!({})).await.json();
    let code = app(secret["secret"].as_str().unwrap(), installation.hub.seams.clock.now());
    ada.post("/api/v1/session/second-factor/confirm", json!({ "code": code })).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    assert_eq!(bob.get("/api/v1/orders").await.problem(), "second_factor_owed");
}
