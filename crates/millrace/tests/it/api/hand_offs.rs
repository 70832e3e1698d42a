//! Hand-offs: somebody without an account enters a store's credentials, and nobody else sees them.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulators::extensiv::{self, Extensiv};

use super::{
    Answer, Installation,
    access::brightpearl,
    browser::{Browser, PASSWORD as OWN_PASSWORD, administrator, invited, with_time},
};

/// What the warehouse's people type.
const CLIENT_SECRET: &str = "secret";

/// What the merchant types.
const PASSWORD: &str = "example-password";

/// A hand-off of a store that is not there yet, at this stand-in.
fn wanted(base_url: &str) -> Value {
    json!({
        "merchant": "Acme", "name": "BP",
        "settings": { "account_id": "acme", "base_url": base_url, "calls_per_minute": "60000" },
    })
}

fn entered(token: &Value, password: &str) -> Value {
    json!({
        "token": token,
        "settings": { "datacenter_code": "eu1", "email": "api.user@example.test" },
        "secrets": { "password": password },
    })
}

async fn handed(browser: &mut Browser<'_>, base_url: &str) -> Value {
    browser.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    let made = browser.post("/api/v1/hand-offs", wanted(base_url)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()
}

async fn describe(browser: &mut Browser<'_>, token: &Value) -> Answer {
    browser.post("/api/v1/links/describe", json!({ "token": token })).await
}

async fn submit(browser: &mut Browser<'_>, given: Value) -> Answer {
    browser.post("/api/v1/links/hand-off", given).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_enters_the_credentials_and_nobody_else_sees_them() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let mut ada = administrator(&installation).await;
    let link = handed(&mut ada, &source.base_url()).await;
    let token = &link["token"];
    assert_eq!(link["link"].as_str().unwrap().split_once("/hand-off#").unwrap().1, token.as_str().unwrap());

    // Somebody without an account.
    let mut merchant = Browser::new(&installation);
    let about = describe(&mut merchant, token).await.json();
    assert_eq!(about["kind"], "hand_off");
    assert_eq!(about["hand_off"]["asked_by"], "default: Ada (ada@example.com)");
    assert_eq!(about["hand_off"]["merchant"], "Acme");
    assert_eq!(about["hand_off"]["store"], "BP");
    assert_eq!(about["hand_off"]["settled"]["account_id"], "acme");
    let fields = about["hand_off"]["fields"].as_array().unwrap();
    let asked: Vec<&str> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(asked[0], "datacenter_code");
    assert!(asked.contains(&"password") && !asked.contains(&"account_id") && !asked.contains(&"base_url"), "{asked:?}");
    assert!(fields[0]["help"].as_str().unwrap().contains("GMT / CET"));
    assert!(!about.to_string().contains(&source.base_url()), "what the operator decides is not shown");

    // It is for this and nothing else.
    let redeemed = json!({ "token": token, "password": OWN_PASSWORD, "email": "x@example.com", "name": "X" });
    assert_eq!(merchant.post("/api/v1/links/redeem", redeemed).await.status, StatusCode::NOT_FOUND);
    let people = ada.get("/api/v1/people").await.json();
    assert_eq!(people["items"].as_array().unwrap().len(), 1, "it made nobody");

    // What was not asked for is refused, without repeating what was typed in the wrong place.
    for (part, name) in
        [("settings", "account_id"), ("settings", "base_url"), ("settings", PASSWORD), ("secrets", "email")]
    {
        let mut given = entered(token, PASSWORD);
        given[part][name] = json!("http://127.0.0.1:9");
        let refused = submit(&mut merchant, given).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{part} {name}: {}", refused.text);
        assert!(!refused.text.contains(PASSWORD), "{}", refused.text);
    }
    let stores = ada.get("/api/v1/stores").await.json();
    assert_eq!(stores["items"], json!([]));

    // Wrong: told what it can be, and not kept.
    let wrong = submit(&mut merchant, entered(token, "a wrong password")).await;
    assert_eq!(wrong.status, StatusCode::OK, "{}", wrong.text);
    let wrong = wrong.json();
    assert_eq!((&wrong["ok"], &wrong["saved"]), (&json!(false), &json!(false)));
    assert!(wrong["problem"].as_str().unwrap().contains("API column"), "{wrong}");
    assert_eq!(wrong["tests_left"], 19);
    assert_eq!(ada.get("/api/v1/stores").await.json()["items"], json!([]));

    // Tested only, then kept.
    let mut only = entered(token, PASSWORD);
    only["save"] = json!("no");
    let tested = submit(&mut merchant, only).await.json();
    assert_eq!((&tested["ok"], &tested["saved"]), (&json!(true), &json!(false)), "{tested}");
    let saved = submit(&mut merchant, entered(token, PASSWORD)).await.json();
    assert_eq!((&saved["ok"], &saved["saved"]), (&json!(true), &json!(true)), "{saved}");
    assert!(!saved["reached"].as_array().unwrap().is_empty());

    // Once.
    assert_eq!(submit(&mut merchant, entered(token, PASSWORD)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(describe(&mut merchant, token).await.status, StatusCode::NOT_FOUND);

    // The store works, and shows its password to nobody.
    let store = ada.get("/api/v1/stores/BP").await;
    assert_eq!(store.json()["secrets"], json!(["password"]));
    assert_eq!(store.json()["settings"]["email"], "api.user@example.test");
    let tested = ada.post("/api/v1/stores/BP/test", json!({})).await.json();
    assert_eq!(tested["ok"], true, "{tested}");
    let listed = ada.get("/api/v1/hand-offs").await;
    let one = &listed.json()["items"][0];
    assert_eq!((&one["state"], &one["tests"], &one["worked"]), (&json!("used"), &json!(3), &json!(true)));
    assert_eq!(one["store"], store.json()["id"]);
    let audit = ada.get("/api/v1/audit?limit=200").await;
    for action in ["hand_off.create", "hand_off.open", "hand_off.test", "hand_off.save"] {
        assert!(audit.text.contains(action), "{action}");
    }
    for shown in [&store.text, &listed.text, &audit.text] {
        assert!(!shown.contains(PASSWORD) && !shown.contains("a wrong password"), "{shown}");
        assert!(!shown.contains(token.as_str().unwrap()), "the token is kept as its hash");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_off_ends() {
    let (installation, clock) = with_time().await;
    let source = brightpearl(0).await;
    let mut ada = administrator(&installation).await;
    let first = handed(&mut ada, &source.base_url()).await;
    let second = handed(&mut ada, &source.base_url()).await;
    let mut merchant = Browser::new(&installation);
    assert_eq!(describe(&mut merchant, &first["token"]).await.status, StatusCode::NOT_FOUND, "replaced");
    assert_eq!(describe(&mut merchant, &second["token"]).await.status, StatusCode::OK);
    let path = format!("/api/v1/hand-offs/{}", second["id"].as_str().unwrap());
    assert_eq!(ada.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ada.delete(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(submit(&mut merchant, entered(&second["token"], PASSWORD)).await.status, StatusCode::NOT_FOUND);
    let third = handed(&mut ada, &source.base_url()).await;
    clock.pass(SignedDuration::from_hours(24 * 7 + 1));
    for answer in [
        describe(&mut merchant, &third["token"]).await,
        submit(&mut merchant, entered(&third["token"], PASSWORD)).await,
    ] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
    }
    let mut ada = Browser::new(&installation).signed_in("ada@example.com", OWN_PASSWORD).await;
    let listed = ada.get("/api/v1/hand-offs").await.json();
    let states: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["expired", "withdrawn", "withdrawn"]);
    for days in [0, 31] {
        let mut given = wanted(&source.base_url());
        given["days"] = json!(days);
        assert_eq!(ada.post("/api/v1/hand-offs", given).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert!(ada.get("/api/v1/audit?limit=200").await.text.contains("link.withdraw"));
}

/// Guesses are slowed and then at their end; so is knocking at the merchant's account.
#[tokio::test(flavor = "multi_thread")]
async fn tests_are_bounded() {
    let (installation, clock) = with_time().await;
    let source = brightpearl(0).await;
    let mut ada = administrator(&installation).await;
    let link = handed(&mut ada, &source.base_url()).await;
    let mut merchant = Browser::new(&installation);
    let (mut looked_at, mut slowed) = (0, 0);
    let ended = loop {
        let answer = submit(&mut merchant, entered(&link["token"], &format!("guess {looked_at}"))).await;
        match answer.status {
            StatusCode::OK => looked_at += 1,
            StatusCode::TOO_MANY_REQUESTS if answer.text.contains("as often as it may be") => break looked_at,
            StatusCode::TOO_MANY_REQUESTS => {
                assert!(answer.headers.contains_key("retry-after"));
                slowed += 1;
                clock.pass(SignedDuration::from_mins(15));
            }
            other => panic!("{other} {}", answer.text),
        }
        assert!(looked_at <= 20, "there is an end");
    };
    assert_eq!(ended, 20);
    assert!(slowed > 10, "{slowed}");
    let log_ins = source.calls("acme").into_iter().filter(|((_, message), _)| message == "authorise");
    assert!(log_ins.map(|(_, count)| count).sum::<u64>() <= 20);
    // Right ones are too late, and nothing was kept.
    clock.pass(SignedDuration::from_mins(15));
    let late = submit(&mut merchant, entered(&link["token"], PASSWORD)).await;
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(installation.get("/api/v1/stores").await.json()["items"], json!([]));
}

/// A person may decide to keep what did not work: a merchant whose account is not ready yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_is_kept_by_decision_only() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let mut ada = administrator(&installation).await;
    let link = handed(&mut ada, &source.base_url()).await;
    let mut merchant = Browser::new(&installation);
    let mut given = entered(&link["token"], "not ready yet");
    given["save"] = json!("anyway");
    let kept = submit(&mut merchant, given).await.json();
    assert_eq!((&kept["ok"], &kept["saved"]), (&json!(false), &json!(true)), "{kept}");

    // Once more for the store that is there now: by staff that may see it, and by nobody else.
    let brand = ada.post("/api/v1/merchants", json!({ "name": "Brand" })).await.json();
    let acme = ada.get("/api/v1/stores/BP").await.json()["merchant"].clone();
    let mut joe = invited(&mut ada, "joe@example.com", json!({ "role": "staff", "merchants": [acme] })).await;
    let mut kim = invited(&mut ada, "kim@example.com", json!({ "role": "staff", "merchants": [brand["id"]] })).await;
    let mut eve = invited(&mut ada, "eve@example.com", json!({ "role": "merchant", "merchants": [acme] })).await;
    let again = json!({ "store": "BP" });
    assert_eq!(kim.post("/api/v1/hand-offs", again.clone()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(eve.post("/api/v1/hand-offs", again.clone()).await.status, StatusCode::FORBIDDEN);
    let new = json!({ "merchant": "Acme", "name": "Other" });
    assert_eq!(joe.post("/api/v1/hand-offs", new).await.status, StatusCode::FORBIDDEN, "staff makes no stores");
    let link = joe.post("/api/v1/hand-offs", again).await;
    assert_eq!(link.status, StatusCode::CREATED, "{}", link.text);
    let link = link.json();
    let path = format!("/api/v1/hand-offs/{}", link["id"].as_str().unwrap());
    assert_eq!(kim.get("/api/v1/hand-offs").await.json()["items"], json!([]));
    assert_eq!(kim.delete(&path).await.status, StatusCode::NOT_FOUND);
    // The address of the account is settled: only what proves who they are is asked for.
    let about = describe(&mut merchant, &link["token"]).await.json();
    assert_eq!(about["hand_off"]["settled"]["email"], "api.user@example.test");
    assert!(!about.to_string().contains("not ready yet"));
    let given = json!({ "token": link["token"], "secrets": { "password": PASSWORD } });
    let saved = submit(&mut merchant, given).await.json();
    assert_eq!((&saved["ok"], &saved["saved"]), (&json!(true), &json!(true)), "{saved}");
    assert_eq!(ada.post("/api/v1/stores/BP/test", json!({})).await.json()["ok"], true);
}

/// Of two at the same time one saves.
#[tokio::test(flavor = "multi_thread")]
async fn saving_works_once() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let mut ada = administrator(&installation).await;
    let link = handed(&mut ada, &source.base_url()).await;
    let (mut one, mut two) = (Browser::new(&installation), Browser::new(&installation));
    let (first, second) = tokio::join!(
        submit(&mut one, entered(&link["token"], PASSWORD)),
        submit(&mut two, entered(&link["token"], PASSWORD))
    );
    let mut came = [first.status, second.status];
    came.sort();
    assert_eq!(came, [StatusCode::OK, StatusCode::NOT_FOUND], "{} {}", first.text, second.text);
    assert_eq!(ada.get("/api/v1/stores").await.json()["items"].as_array().unwrap().len(), 1);
}

/// A warehouse's credentials are handed off like a store's: made by saving, and entered anew where it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_is_handed_off_too() {
    let installation = Installation::new().await;
    let remote = Extensiv::start(extensiv::Config::default()).await.unwrap();
    let mut ada = administrator(&installation).await;
    ada.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    let wanted = json!({
        "merchant": "Acme", "name": "3PL", "platform": "extensiv",
        "settings": {
            "client_id": "client", "user_login_id": "millrace", "customer_id": "143", "facility_id": "10",
            "time_zone": "America/New_York", "base_url": remote.base_url(),
        },
    });
    let made = ada.post("/api/v1/hand-offs", wanted).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let link = made.json();
    let mut holder = Browser::new(&installation);
    let about = describe(&mut holder, &link["token"]).await.json();
    assert_eq!((&about["hand_off"]["side"], &about["hand_off"]["store"]), (&json!("warehouse"), &json!("3PL")));
    let asked: Vec<_> = about["hand_off"]["fields"].as_array().unwrap().iter().map(|field| &field["name"]).collect();
    assert!(asked.contains(&&json!("client_secret")), "{asked:?}");
    assert!(!asked.contains(&&json!("base_url")) && !about.to_string().contains(&remote.base_url()));

    let given = |token: &Value, secret: &str| json!({ "token": token, "secrets": { "client_secret": secret } });
    let wrong = submit(&mut holder, given(&link["token"], "a wrong secret")).await.json();
    assert_eq!((&wrong["ok"], &wrong["saved"]), (&json!(false), &json!(false)), "{wrong}");
    assert_eq!(ada.get("/api/v1/warehouses").await.json()["items"], json!([]));
    let saved = submit(&mut holder, given(&link["token"], CLIENT_SECRET)).await.json();
    assert_eq!((&saved["ok"], &saved["saved"]), (&json!(true), &json!(true)), "{saved}");
    let warehouse = ada.get("/api/v1/warehouses/3PL").await.json();
    assert_eq!(warehouse["secrets"], json!(["client_secret"]));
    assert_eq!(ada.get("/api/v1/stores").await.json()["items"], json!([]), "it is no store");
    assert_eq!(ada.post("/api/v1/warehouses/3PL/test", json!({})).await.json()["ok"], true);
    let listed = ada.get("/api/v1/hand-offs").await.json();
    let one = &listed["items"][0];
    assert_eq!((&one["side"], &one["warehouse"]), (&json!("warehouse"), &warehouse["id"]));
    assert!(one.get("store").is_none());

    // One that is there; not both, and not what is there with other settings.
    let again = ada.post("/api/v1/hand-offs", json!({ "warehouse": "3PL" })).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    for refused in [
        json!({ "warehouse": "3PL", "store": "BP" }),
        json!({ "warehouse": "3PL", "settings": { "base_url": "https://example.net" } }),
    ] {
        assert_eq!(ada.post("/api/v1/hand-offs", refused).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(ada.post("/api/v1/hand-offs", json!({ "store": "3PL" })).await.status, StatusCode::NOT_FOUND);
    let saved = submit(&mut holder, given(&again.json()["token"], CLIENT_SECRET)).await.json();
    assert_eq!(saved["saved"], true, "{saved}");
    assert_eq!(ada.get("/api/v1/warehouses").await.json()["items"].as_array().unwrap().len(), 1);
}

/// Otherwise who may change settings, and knows the password of none, would have each sent to a server of their own.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_are_kept_go_to_no_other_server() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    ada.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    for (platform, settings, secret, elsewhere) in [
        ("dsfx", json!({ "host": "sftp.example.com", "user": "acme" }), "password", ("host", "evil.example.com")),
        ("dsfx", json!({ "host": "sftp.example.com", "user": "acme" }), "password", ("port", "2222")),
        ("csv", json!({ "host": "sftp.example.com", "user": "acme" }), "password", ("host", "evil.example.com")),
        (
            "odoo",
            json!({ "base_url": "https://erp.example.com", "warehouse": "WH" }),
            "api_key",
            ("base_url", "https://evil.example.com"),
        ),
    ] {
        let name = format!("{platform} {}", elsewhere.0);
        let path = format!("/api/v1/warehouses/{}", name.replace(' ', "%20"));
        let mut new = json!({ "merchant": "Acme", "name": name, "platform": platform, "settings": settings });
        new["secrets"] = json!({ secret: PASSWORD });
        let made = ada.post("/api/v1/warehouses", new).await;
        assert_eq!(made.status, StatusCode::CREATED, "{name}: {}", made.text);
        let kept = ada.get(&path).await.json();

        let mut moved = kept["settings"].clone();
        moved[elsewhere.0] = json!(elsewhere.1);
        let refused = |answer: &Answer| {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {}", answer.text);
            assert!(
                answer.text.contains("give it once more") && answer.text.contains(secret),
                "{name}: {}",
                answer.text
            );
        };
        refused(&ada.put(&path, json!({ "settings": moved })).await);
        let test = json!({ "platform": platform, "settings": moved, "of": name });
        refused(&ada.post("/api/v1/warehouses/test", test).await);
        // Not by a link of one's own either.
        let link = ada.post("/api/v1/hand-offs", json!({ "warehouse": name, "fields": [elsewhere.0] })).await;
        assert_eq!(link.status, StatusCode::CREATED, "{name}: {}", link.text);
        let given = json!({
            "token": link.json()["token"], "settings": { elsewhere.0: elsewhere.1 }, "save": "anyway",
        });
        refused(&submit(&mut Browser::new(&installation), given).await);
        // Nor by a file: what it says of secrets is not read over the network.
        let file = ada.get("/api/v1/configuration").await.text;
        let with = |value: &Value| format!("{} = {value}", elsewhere.0);
        let here = kept["settings"].get(elsewhere.0).map(with).filter(|line| file.matches(line).count() == 1);
        if let Some(line) = here {
            let file = file.replace(&line, &with(&json!(elsewhere.1)));
            refused(&ada.put("/api/v1/configuration", json!({ "toml": file })).await);
        }
        assert_eq!(ada.get(&path).await.json(), kept, "{name}");

        // What does not lead elsewhere is changed with the secret that is kept, and with a new one everything is.
        let mut same = kept["settings"].clone();
        if platform != "odoo" {
            same["port"] = json!("22");
            same["user"] = json!("acme-2");
        }
        let changed = ada.put(&path, json!({ "settings": same })).await;
        assert_eq!(changed.status, StatusCode::OK, "{name}: {}", changed.text);
        let changed = ada.put(&path, json!({ "settings": moved, "secrets": { secret: "another" } })).await;
        assert_eq!(changed.status, StatusCode::OK, "{name}: {}", changed.text);
    }
}

/// Whoever may not change settings may have none changed by a link of their own.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_is_asked_for_by_administrators_only() {
    let installation = Installation::new().await;
    let mut ada = administrator(&installation).await;
    ada.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    let new = json!({
        "merchant": "Acme", "name": "3PL", "platform": "dsfx", "secrets": { "password": PASSWORD },
        "settings": { "host": "127.0.0.1", "port": "9", "user": "acme" },
    });
    assert_eq!(ada.post("/api/v1/warehouses", new).await.status, StatusCode::CREATED);
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    for fields in [json!(["host", "password"]), json!(["user"])] {
        let asked = json!({ "warehouse": "3PL", "fields": fields });
        assert_eq!(bob.post("/api/v1/hand-offs", asked.clone()).await.status, StatusCode::FORBIDDEN, "{fields}");
        assert_eq!(ada.post("/api/v1/hand-offs", asked).await.status, StatusCode::CREATED, "{fields}");
    }
    // Secrets, and what nobody has given yet.
    let asked = json!({ "warehouse": "3PL", "fields": ["password", "root"] });
    let link = bob.post("/api/v1/hand-offs", asked).await;
    assert_eq!(link.status, StatusCode::CREATED, "{}", link.text);

    // What is entered was decided on the settings that were shown: who changed them meanwhile is not overwritten.
    let changed = json!({ "settings": { "host": "127.0.0.1", "port": "9", "user": "acme-2" } });
    let given = json!({ "token": link.json()["token"], "secrets": { "password": "new" }, "save": "anyway" });
    let mut holder = Browser::new(&installation);
    let (saved, changed) = tokio::join!(submit(&mut holder, given), ada.put("/api/v1/warehouses/3PL", changed));
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert!([StatusCode::OK, StatusCode::CONFLICT].contains(&saved.status), "{}", saved.text);
    let kept = ada.get("/api/v1/warehouses/3PL").await.json();
    assert_eq!((&kept["name"], &kept["settings"]["user"]), (&json!("3PL"), &json!("acme-2")), "{kept}");
}
