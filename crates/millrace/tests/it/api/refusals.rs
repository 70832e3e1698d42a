//! What is refused is in the audit trail, with who and from where (ASVS V16.3), and no flood of it fills the disk.

use std::{net::SocketAddr, num::NonZeroU32};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use connect::TenantId;
use jiff::SignedDuration;
use millrace::{
    accounts::refusals::MOST,
    db::{Access, AuditRow},
    operate::Role,
};
use serde_json::{Value, json};

use super::{
    Answer, Installation,
    browser::{COOKIE, HOST, administrator, invited, with_time, with_time_and},
};

const PEER: &str = "192.0.2.9:4711";

/// Asks with a key, from an address.
async fn asked(installation: &Installation, peer: &str, method: &str, path: &str, key: &str) -> Answer {
    let peer: SocketAddr = peer.parse().unwrap();
    let request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
    let request = request.header("authorization", format!("Bearer {key}")).header("content-type", "application/json");
    installation.send(request.body(Body::from(json!({ "name": "Acme" }).to_string())).unwrap()).await
}

/// The refusals of a trail, oldest first: the row, and its detail read.
async fn refused(installation: &Installation, tenant: Option<&TenantId>) -> Vec<(AuditRow, Value)> {
    let access = tenant.map_or(Access::System, |tenant| Access::Tenant(tenant.clone()));
    let rows = installation.hub.db.audit_after(&access, 0, 1000).await.unwrap();
    assert_eq!(installation.hub.db.verify_audit(&access).await.unwrap(), None);
    let rows = rows.into_iter().filter(|row| row.action == "access.refused");
    rows.map(|row| (row.clone(), serde_json::from_str(&row.detail).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_leaves_where_it_came_from() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    let stranger = "mr_stranger";
    let of = |path| asked(&installation, PEER, "GET", path, stranger);
    let answer = of("/api/v1/merchants?limit=1").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let rows = refused(&installation, None).await;
    let (row, detail) = &rows[0];
    assert_eq!((row.actor.as_str(), row.target.as_str()), ("unknown key", "/api/v1/merchants"), "without its query");
    let request = answer.headers["x-request-id"].to_str().unwrap();
    let told = json!({ "address": "192.0.2.9", "why": "key", "method": "GET", "request": request, "times": 1 });
    assert_eq!((rows.len(), detail), (1, &told));
    assert!(!format!("{rows:?}").contains(stranger), "what was tried is written down nowhere");

    // A repeat is counted.
    for _ in 0..11 {
        assert_eq!(of("/api/v1/orders/BPacme-1").await.status, StatusCode::UNAUTHORIZED);
    }
    let rows = refused(&installation, None).await;
    let times: Vec<_> = rows.iter().map(|(_, detail)| detail["times"].as_u64().unwrap()).collect();
    assert_eq!(times, [1, 10]);
    assert_eq!(rows[1].0.target, "/api/v1/orders/{order}", "what stands in the address may be anything");

    // A key that was revoked is known, and is in the trail of its tenant.
    let key = installation.key(&tenant, Role::Staff, None).await;
    let listed = installation.get("/api/v1/keys").await.json();
    let own = listed["items"].as_array().unwrap().iter().find(|one| one["name"] == "test").unwrap();
    let id = own["id"].as_str().unwrap();
    let revoked =
        installation.ask("DELETE", &format!("/api/v1/keys/{id}"), Some(&installation.administrator), None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT, "{}", revoked.text);
    let answer = asked(&installation, "192.0.2.10:1", "GET", "/api/v1/orders", &key).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let rows = refused(&installation, Some(&tenant)).await;
    assert_eq!((rows.len(), rows[0].0.actor.as_str()), (1, format!("key {id} (test)").as_str()));
    assert_eq!((&rows[0].1["address"], &rows[0].1["why"]), (&json!("192.0.2.10"), &json!("key")));

    // Who sends nothing has tried nothing.
    let before = refused(&installation, None).await.len();
    assert_eq!(installation.ask("GET", "/api/v1/orders", None, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused(&installation, None).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_may_not_do_is_written_down_with_who_it_was() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    let key = installation.key(&tenant, Role::Read, None).await;
    let answer = asked(&installation, PEER, "POST", "/api/v1/merchants", &key).await;
    assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "forbidden"));
    let mut ada = administrator(&installation).await;
    let mut joe = invited(&mut ada, "joe@example.com", json!({ "role": "staff" })).await;
    assert_eq!(joe.get("/api/v1/audit").await.problem(), "forbidden");

    let rows = refused(&installation, Some(&tenant)).await;
    let short: Vec<_> = rows
        .iter()
        .map(|(row, detail)| (row.target.as_str(), detail["method"].as_str(), detail["address"].as_str()))
        .collect();
    let of_key = ("/api/v1/merchants", Some("POST"), Some("192.0.2.9"));
    assert_eq!(short, [of_key, ("/api/v1/audit", Some("GET"), Some("192.0.2.7"))]);
    assert!(rows.iter().all(|(_, detail)| detail["why"] == "forbidden"), "{rows:?}");
    assert!(rows[0].0.actor.starts_with("key key_") && rows[1].0.actor.contains("(joe@example.com)"), "{rows:?}");
    // Whoever administers reads it over the API.
    assert!(ada.get("/api/v1/audit?action=access.refused").await.text.contains("joe@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_change_is_written_down() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    let ada = administrator(&installation).await;
    let forged = |path: &str, cookie: Option<&str>| {
        let peer: SocketAddr = PEER.parse().unwrap();
        let request = Request::post(path).extension(ConnectInfo(peer)).header("host", HOST);
        let request = request.header("content-type", "application/json").header("sec-fetch-site", "cross-site");
        let request = match cookie {
            Some(cookie) => request.header("cookie", format!("{COOKIE}={cookie}")),
            None => request,
        };
        installation.send(request.body(Body::from("{}")).unwrap())
    };
    assert_eq!(forged("/api/v1/merchants", ada.cookie.as_deref()).await.problem(), "cross_site");
    let rows = refused(&installation, Some(&tenant)).await;
    assert_eq!((rows.len(), &rows[0].1["why"], &rows[0].1["address"]), (1, &json!("cross_site"), &json!("192.0.2.9")));
    assert!(rows[0].0.actor.contains("(ada@example.com)"), "whose session was used: {rows:?}");

    // Where nobody is signed in yet, it is the installation's trail.
    assert_eq!(forged("/api/v1/session", None).await.problem(), "cross_site");
    let rows = refused(&installation, None).await;
    assert_eq!((rows.len(), rows[0].0.actor.as_str(), &rows[0].1["why"]), (1, "unknown", &json!("cross_site")));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_and_unproved_calls_are_written_down() {
    let (installation, _) = with_time_and(|config| config.requests_per_minute = NonZeroU32::new(2)).await;
    let tenant = installation.tenant("default").await;
    let key = installation.key(&tenant, Role::Read, None).await;
    for _ in 0..2 {
        assert_eq!(asked(&installation, PEER, "GET", "/api/v1/merchants", &key).await.status, StatusCode::OK);
    }
    assert_eq!(asked(&installation, PEER, "GET", "/api/v1/merchants", &key).await.problem(), "too_many_requests");
    let rows = refused(&installation, Some(&tenant)).await;
    assert_eq!((rows.len(), &rows[0].1["why"]), (1, &json!("too_many_requests")));

    let call = Request::post("/hooks/brightpearl/secretpart").body(Body::from("{}")).unwrap();
    assert_eq!(installation.send(call).await.status, StatusCode::NOT_FOUND);
    let rows = refused(&installation, None).await;
    let (row, detail) = &rows[0];
    assert_eq!((rows.len(), row.target.as_str(), &detail["why"]), (1, "/hooks/brightpearl/{path}", &json!("call")));
}

/// However many come from however many addresses: a hundred rows an hour, and everybody is refused as ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_fills_no_disk() {
    let (installation, clock) = with_time().await;
    let tenant = installation.tenant("default").await;
    for number in 0..400_u16 {
        let peer = format!("198.51.{}.{}:1", number / 200, number % 200);
        let answer = asked(&installation, &peer, "GET", "/api/v1/orders", &format!("mr_{number}")).await;
        assert_eq!(answer.problem(), "unauthorised", "{number}");
    }
    let rows = refused(&installation, None).await;
    assert_eq!(u32::try_from(rows.len()).unwrap(), MOST);
    assert!(rows.last().unwrap().1["no_more"].is_string(), "the last one says that it is: {rows:?}");
    assert!(rows.iter().rev().skip(1).all(|(_, detail)| detail["times"] == 1));
    // It hides nothing of a tenant's.
    let key = installation.key(&tenant, Role::Read, None).await;
    assert_eq!(asked(&installation, PEER, "POST", "/api/v1/merchants", &key).await.problem(), "forbidden");
    assert_eq!(refused(&installation, Some(&tenant)).await.len(), 1);
    // An hour later it is written down again.
    clock.pass(SignedDuration::from_hours(1));
    asked(&installation, PEER, "GET", "/api/v1/orders", "mr_late").await;
    assert_eq!(u32::try_from(refused(&installation, None).await.len()).unwrap(), MOST + 1);
}
