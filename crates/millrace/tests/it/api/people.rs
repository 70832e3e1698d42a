//! Inviting people, changing what they may do, and how that ends.

use axum::http::StatusCode;
use jiff::SignedDuration;
use millrace::notify::mail::MailSettings;
use serde_json::{Value, json};

use super::{
    Installation,
    browser::{Browser, PASSWORD, administrator, invited, with_time},
    seams,
};
use crate::notify::receiver::MailServer;

fn problem(answer: &super::Answer) -> (StatusCode, String) {
    (answer.status, answer.problem())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_works_once_and_can_be_taken_back() {
    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    let invite = |email: &str| json!({ "email": email, "name": "Bob", "role": "staff" });
    let first = ada.post("/api/v1/invitations", invite("bob@example.com")).await.json();
    // Inviting again replaces the first.
    let second = ada.post("/api/v1/invitations", invite("Bob@Example.com")).await.json();
    assert_eq!(second["link"].as_str().unwrap().split_once("/invitation#").unwrap().1, second["token"]);
    let mut bob = Browser::new(&installation);
    let redeem = |link: &Value| json!({ "token": link["token"], "password": PASSWORD, "name": "Robert" });
    assert_eq!(bob.post("/api/v1/links/redeem", redeem(&first)).await.status, StatusCode::NOT_FOUND);
    let came = bob.post("/api/v1/links/redeem", redeem(&second)).await;
    assert_eq!(came.status, StatusCode::CREATED, "{}", came.text);
    assert_eq!(came.json()["email"], "bob@example.com");
    assert_eq!(bob.post("/api/v1/links/redeem", redeem(&second)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(problem(&ada.post("/api/v1/invitations", invite("bob@example.com")).await).0, StatusCode::CONFLICT);

    // Taken back, and run out.
    let third = ada.post("/api/v1/invitations", invite("eve@example.com")).await.json();
    let path = format!("/api/v1/invitations/{}", third["id"].as_str().unwrap());
    assert_eq!(ada.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ada.delete(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.post("/api/v1/links/redeem", redeem(&third)).await.status, StatusCode::NOT_FOUND);
    let fourth = ada.post("/api/v1/invitations", invite("joe@example.com")).await.json();
    clock.pass(SignedDuration::from_hours(24 * 7 + 1));
    assert_eq!(bob.post("/api/v1/links/redeem", redeem(&fourth)).await.status, StatusCode::NOT_FOUND);

    let mut ada = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    let listed = ada.get("/api/v1/invitations?limit=3").await.json();
    let states = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&listed), ["expired", "withdrawn", "used"]);
    let next = listed["next"].as_str().unwrap();
    let rest = ada.get(&format!("/api/v1/invitations?limit=3&cursor={next}")).await.json();
    assert_eq!(states(&rest), ["withdrawn"]);
    for link in [&first, &second, &third, &fourth] {
        assert!(!listed.to_string().contains(link["token"].as_str().unwrap()), "a token is shown once");
    }
    let people = ada.get("/api/v1/people").await.json();
    assert_eq!(people["items"][1]["name"], "Robert");
    let audit = ada.get("/api/v1/audit?limit=100").await.text;
    for action in ["link.setup", "link.invitation", "link.withdraw", "person.create", "sign_in.success"] {
        assert!(audit.contains(action), "{action} in {audit}");
    }
    // Whoever is called otherwise later is found all the same: by who they are.
    let id = people["items"][0]["id"].as_str().unwrap();
    let by_address = ada.get("/api/v1/audit?actor=ada@example.com&limit=500").await.json();
    assert_eq!(by_address, ada.get(&format!("/api/v1/audit?actor={id}&limit=500")).await.json());
    let mut rows = by_address["items"].as_array().unwrap().iter();
    assert!(rows.len() > 3 && rows.all(|row| row["actor"].as_str().unwrap().contains(id)), "{by_address}");
    let links = ada.get(&format!("/api/v1/audit?actor={id}&action=link.&limit=1")).await.json();
    let next = links["next"].as_str().unwrap();
    let older = ada.get(&format!("/api/v1/audit?actor={id}&action=link.&limit=1&cursor={next}")).await.json();
    for page in [&links, &older] {
        assert!(page["items"][0]["action"].as_str().unwrap().starts_with("link."), "{page}");
    }
    assert!(links["items"][0]["number"].as_i64() > older["items"][0]["number"].as_i64());
    let none = ada.get("/api/v1/audit?actor=nobody@example.com&from=2020-01-01T00:00:00Z").await.json();
    assert_eq!(none, json!({ "items": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_ends_at_once() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "administrator" })).await;
    assert_eq!(bob.get("/api/v1/people").await.status, StatusCode::OK);

    // A smaller role holds from the next request on.
    let changed = ada.put("/api/v1/people/bob@example.com", json!({ "role": "staff" })).await;
    assert_eq!(changed.json()["role"], "staff", "{}", changed.text);
    assert_eq!(bob.get("/api/v1/people").await.status, StatusCode::FORBIDDEN);
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::OK);

    // Sessions, seen and ended by an administrator.
    let sessions = ada.get("/api/v1/people/bob@example.com/sessions").await.json();
    assert_eq!(sessions[0]["agent"], "Test/1.0");
    assert_eq!(sessions[0]["address"], "192.0.2.7");
    let ended = ada.delete("/api/v1/people/bob@example.com/sessions").await.json();
    assert_eq!(ended["ended"], 1);
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::UNAUTHORIZED);

    // A link for a new password: the old one holds until then, and no longer.
    let mut bob = Browser::new(&installation).signed_in("bob@example.com", PASSWORD).await;
    let link = ada.post("/api/v1/people/bob@example.com/reset", json!({})).await.json();
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::OK);
    let new = "another password, just as long";
    let given = json!({ "token": link["token"], "password": new });
    let mut elsewhere = Browser::new(&installation);
    assert_eq!(elsewhere.post("/api/v1/links/redeem", given.clone()).await.status, StatusCode::CREATED);
    assert_eq!(elsewhere.post("/api/v1/links/redeem", given).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(Browser::new(&installation).sign_in("bob@example.com", PASSWORD).await.problem(), "sign_in_refused");
    let mut bob = Browser::new(&installation).signed_in("bob@example.com", new).await;

    // Disabled.
    assert_eq!(ada.post("/api/v1/people/bob@example.com/disable", json!({})).await.json()["disabled"], true);
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ada.post("/api/v1/people/bob@example.com/reset", json!({})).await.status, StatusCode::CONFLICT);
    assert_eq!(ada.post("/api/v1/people/bob@example.com/enable", json!({})).await.json()["disabled"], false);
    assert_eq!(bob.get("/api/v1/orders").await.status, StatusCode::UNAUTHORIZED, "the old session stays ended");
    Browser::new(&installation).signed_in("bob@example.com", new).await;
    // The last administrator stays.
    for (method, path, body) in [
        ("POST", "/api/v1/people/ada@example.com/disable", json!({})),
        ("PUT", "/api/v1/people/ada@example.com", json!({ "role": "staff" })),
    ] {
        assert_eq!(ada.ask(method, path, Some(body)).await.status, StatusCode::CONFLICT, "{path}");
    }
}

/// Nobody makes more of themselves, or of others, than they are.
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_not_taken() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "administrator" })).await;
    let mut joe = invited(&mut ada, "joe@example.com", json!({ "role": "staff" })).await;
    // An administrator of the tenant is none of the installation.
    let whole = json!({ "email": "x@example.com", "name": "X", "role": "administrator", "installation": true });
    let wanted = [
        ("POST", "/api/v1/invitations", whole),
        ("PUT", "/api/v1/people/bob@example.com", json!({ "role": "administrator", "installation": true })),
        ("PUT", "/api/v1/people/ada@example.com", json!({ "role": "staff" })),
        ("POST", "/api/v1/people/ada@example.com/reset", json!({})),
        ("POST", "/api/v1/people/ada@example.com/disable", json!({})),
        ("DELETE", "/api/v1/people/ada@example.com/second-factor", json!({})),
        ("POST", "/api/v1/safety/freeze", json!({ "reason": "test" })),
        ("POST", "/api/v1/safety/release", json!({ "reason": "test" })),
    ];
    for (method, path, body) in &wanted {
        let answer = bob.ask(method, path, Some(body.clone())).await;
        assert_eq!(problem(&answer), (StatusCode::FORBIDDEN, "forbidden".to_owned()), "{method} {path}");
    }
    for path in ["/api/v1/people", "/api/v1/people/joe@example.com", "/api/v1/invitations", "/api/v1/keys"] {
        assert_eq!(joe.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = joe.put("/api/v1/people/joe@example.com", json!({ "role": "administrator" })).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // Another tenant's people do not exist.
    let other = installation.hub.db.create_tenant("other").await.unwrap();
    let key = installation.key(&other, millrace::operate::Role::Admin, None).await;
    for path in ["/api/v1/people/bob@example.com", "/api/v1/people/per_00000000000000000000000000"] {
        let answer = installation.ask("GET", path, Some(&key), None).await;
        assert_eq!(problem(&answer), (StatusCode::NOT_FOUND, "not_found".to_owned()), "{path}");
    }
    assert_eq!(installation.ask("GET", "/api/v1/people", Some(&key), None).await.json()["items"], json!([]));
    // A key is nobody: it has no session, password or second factor.
    let key = installation.key(&other, millrace::operate::Role::Admin, None).await;
    for path in ["/api/v1/session", "/api/v1/session/all"] {
        assert_eq!(installation.ask("GET", path, Some(&key), None).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

/// An open stream ends with its session, and does not keep it alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session() {
    use futures_util::StreamExt as _;
    use tower::ServiceExt as _;

    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    let bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    let request = bob.request("GET", "/api/v1/events?after=0").body(axum::body::Body::empty()).unwrap();
    let response = installation.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(ada.delete("/api/v1/people/bob@example.com/sessions").await.status, StatusCode::OK);
    clock.pass(SignedDuration::from_secs(31));
    let stream = response.into_body().into_data_stream();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), stream.collect::<Vec<_>>()).await;
    assert!(ended.is_ok(), "it goes on");
}

/// Where there is a mail server the invitation goes to whom it is for; whether or not it arrives, whoever invites has the link.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_goes_by_mail_where_there_is_a_mail_server() {
    let mail = MailServer::start().await;
    let settings = |url: &str| MailSettings {
        server: url.parse().unwrap(),
        password: None,
        from: "Millrace <millrace@example.test>".to_owned(),
    };
    let public = || Some("https://hub.example.com".parse().unwrap());
    let given = json!({ "email": "bob@example.com", "name": "Bob", "role": "staff" });

    let installation = Installation::with(seams(), |config| {
        config.mail = Some(settings(&mail.url));
        config.public_url = public();
    })
    .await;
    let mut ada = administrator(&installation).await;
    let made = ada.post("/api/v1/invitations", given.clone()).await;
    assert_eq!(
        (made.status, &made.json()["sent_to"]),
        (StatusCode::CREATED, &json!("bob@example.com")),
        "{}",
        made.text
    );
    let mails = mail.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = mails[0].replace("=\r\n", "").replace("=3D", "=");
    assert!(text.contains("To: bob@example.com") && text.contains(made.json()["link"].as_str().unwrap()), "{text}");
    let trail = ada.get("/api/v1/audit?limit=50").await.text;
    assert!(trail.contains("invitation.send") && !trail.contains(made.json()["token"].as_str().unwrap()), "{trail}");
    // A link that sets a password is not sent: it is for whoever asked, who knows the person.
    let reset = ada.post("/api/v1/people/ada@example.com/reset", json!({})).await.json();
    assert!(reset.get("sent_to").is_none() && mail.mails().len() == 1, "{reset}");

    // Nobody listens there.
    let installation = Installation::with(seams(), |config| {
        config.mail = Some(settings("smtp://127.0.0.1:9?tls=none"));
        config.public_url = public();
    })
    .await;
    let mut ada = administrator(&installation).await;
    let made = ada.post("/api/v1/invitations", given.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    assert!(made["not_sent"].as_str().unwrap().contains("give the link") && made.get("sent_to").is_none(), "{made}");
    let redeemed = json!({ "token": made["token"], "password": PASSWORD });
    assert_eq!(Browser::new(&installation).post("/api/v1/links/redeem", redeemed).await.status, StatusCode::CREATED);

    // Where others could not open it, it is not sent.
    let installation = Installation::with(seams(), |config| config.mail = Some(settings(&mail.url))).await;
    let mut ada = administrator(&installation).await;
    let made = ada.post("/api/v1/invitations", given).await.json();
    assert!(made.get("sent_to").is_none() && made.get("not_sent").is_none(), "{made}");
    assert_eq!(mail.mails().len(), 1);
}

/// A link holds as long as what it rests on: whose password it sets, what they may do, and who made it.
#[tokio::test(flavor = "multi_thread")]
async fn links_end_with_what_they_rest_on() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "administrator" })).await;
    let mut eve = invited(&mut ada, "eve@example.com", json!({ "role": "staff" })).await;
    let new = "another password, just as long";
    let works = async |link: &Value, name: bool| {
        let mut given = json!({ "token": link["token"], "password": new });
        if name {
            given["name"] = json!("Somebody");
        }
        Browser::new(&installation).post("/api/v1/links/redeem", given).await.status == StatusCode::CREATED
    };
    // Their rights were changed.
    let reset = bob.post("/api/v1/people/eve@example.com/reset", json!({})).await.json();
    let rights = json!({ "role": "administrator" });
    assert_eq!(ada.put("/api/v1/people/eve@example.com", rights).await.status, StatusCode::OK);
    assert!(!works(&reset, false).await);
    // They have another password since.
    let reset = bob.post("/api/v1/people/eve@example.com/reset", json!({})).await.json();
    let own = json!({ "current": PASSWORD, "new": new });
    let changed = eve.put("/api/v1/session/password", own).await;
    assert!(changed.status.is_success(), "{}", changed.text);
    assert!(!works(&reset, false).await);
    // Whoever made them is let in no more.
    let reset = bob.post("/api/v1/people/eve@example.com/reset", json!({})).await.json();
    let invitation = json!({ "email": "mallory@example.com", "name": "Mallory", "role": "administrator" });
    let invitation = bob.post("/api/v1/invitations", invitation).await.json();
    assert_eq!(ada.post("/api/v1/people/bob@example.com/disable", json!({})).await.status, StatusCode::OK);
    assert!(!works(&reset, false).await && !works(&invitation, true).await);
    // One that rests on nothing that has changed works.
    let reset = ada.post("/api/v1/people/eve@example.com/reset", json!({})).await.json();
    assert!(works(&reset, false).await);
}
