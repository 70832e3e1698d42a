//! Who may call, how often, and what the outside of every answer says.

use serde_json::json;
use simulators::brightpearl::switches::{
    BurstLimit, DescendingList, EarlierTokens, ForbiddenBody, IdCapAnswer, LargestBody, LogInCost, MultiMessageCost,
    ThrottleHeaders, ThrottleWindow, ThrottledRequest, WrongPassword,
};
use simulators::brightpearl::{App, AppKind, Config, NewOrder, Switches, sign};

use super::client::{ACCOUNT, Bench, small};

const ORDERS: &str = "order-service/order-search?pageSize=1";

async fn log_in(bench: &Bench, key: &str, password: &str, headers: &[(&str, &str)]) -> super::client::Answer {
    let email = if key == "office" { "office@example.test" } else { "api.user@example.test" };
    let key = if key == "office" { "emailAddress" } else { key };
    let body = json!({ "apiAccountCredentials": { key: email, "password": password } });
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    bench.raw("POST", "/exampleeu/authorise", &all, Some(body.to_string())).await.unwrap()
}

#[tokio::test]
async fn staff_log_in() {
    let bench = Bench::new().await;
    let mut tokens = Vec::new();
    for key in ["emailAddress", "email"] {
        let answer = log_in(&bench, key, "example-password", &[]).await;
        assert!(answer.header("brightpearl-requests-remaining").is_none());
        tokens.push(answer.response().as_str().unwrap().to_owned());
    }
    assert_ne!(tokens[0], tokens[1]);
    for token in &tokens {
        for path in ["/public-api/exampleeu", "/2.0.0/exampleeu", "/2.0.0/exampleeu/", "/public-api/exampleeu/"] {
            let path = format!("{path}/warehouse-service/warehouse/");
            let answer = bench.raw("GET", &path, &[("brightpearl-auth", token)], None).await.unwrap();
            assert_eq!(answer.response().as_array().unwrap().len(), 4, "{path}");
            assert_eq!(answer.header("message-type").is_some(), path.starts_with("/public-api"));
        }
    }
    let unticked = log_in(&bench, "office", "office-password", &[]).await;
    assert_eq!(unticked.status, 401);
    bench.sim.expire_tokens(ACCOUNT).unwrap();
    let answer = bench.raw("GET", "/public-api/exampleeu/x", &[("brightpearl-auth", &tokens[0])], None).await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (401, r#"{"response":"Authorization token expired"}"#));
    assert_eq!(log_in(&bench, "email", "example-password", &[]).await.status, 200);
    assert_eq!(bench.sim.calls(ACCOUNT)[&("POST".to_owned(), "authorise".to_owned())], 4);
}

#[tokio::test]
async fn a_wrong_password_gets_what_the_switch_says() {
    for (choice, status, key) in [
        (WrongPassword::Unauthorised, 401, "response"),
        (WrongPassword::BadRequest, 400, "errors"),
        (WrongPassword::Forbidden, 403, "errors"),
        (WrongPassword::Ok, 200, "errors"),
    ] {
        let bench = Bench::switched(|switches| switches.wrong_password = choice).await;
        let answer = log_in(&bench, "email", "wrong", &[]).await;
        assert_eq!(answer.status, status);
        assert!(answer.json().get(key).is_some(), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_later_log_in_may_end_earlier_tokens_and_use_quota() {
    let switches =
        Switches { earlier_legacy_tokens: EarlierTokens::End, log_in_cost: LogInCost::One, ..Switches::default() };
    let bench = Bench::with(Config { requests_per_window: Some(3), time_factor: 1, ..small(switches) }).await;
    let first = log_in(&bench, "email", "example-password", &[]).await.response();
    let second = log_in(&bench, "email", "example-password", &[]).await.response();
    let token = first.as_str().unwrap();
    let answer = bench.raw("GET", "/public-api/exampleeu/x", &[("brightpearl-auth", token)], None).await.unwrap();
    assert_eq!(answer.status, 401);
    assert_ne!(first, second);
    assert_eq!(log_in(&bench, "email", "example-password", &[]).await.status, 503);
}

#[tokio::test]
async fn apps_of_every_kind() {
    let mut config = small(Switches::default());
    config.accounts[0].apps.push(App {
        reference: "public-app".to_owned(),
        contact_id: 4,
        instance_id: 77,
        kind: AppKind::Public {
            developer: "dev".to_owned(),
            secret: "secret".to_owned(),
            account_token: "token".to_owned(),
        },
    });
    let bench = Bench::with(config).await;
    let path = "/public-api/exampleeu/warehouse-service/warehouse";
    let signed = sign("token", "secret");
    let staff = log_in(&bench, "email", "example-password", &[("brightpearl-app-ref", "exampleeu_desk")]).await;
    let staff = staff.response().as_str().unwrap().to_owned();
    let accepted: [Vec<(&str, &str)>; 4] = [
        vec![("brightpearl-app-ref", "exampleeu_hub"), ("brightpearl-account-token", "EXAMPLE-ACCOUNT-TOKEN")],
        vec![("brightpearl-app-ref", "exampleeu_desk"), ("brightpearl-staff-token", &staff)],
        vec![
            ("brightpearl-dev-ref", "dev"),
            ("brightpearl-app-ref", "public-app"),
            ("brightpearl-account-token", &signed),
        ],
        vec![
            ("brightpearl-dev-ref", "example-dev"),
            ("brightpearl-app-ref", "example-app"),
            ("authorization", "Bearer EXAMPLE-ACCESS-TOKEN"),
        ],
    ];
    for headers in &accepted {
        assert_eq!(bench.raw("GET", path, headers, None).await.unwrap().status, 200, "{headers:?}");
    }
    let refused: [Vec<(&str, &str)>; 4] = [
        vec![],
        vec![("brightpearl-app-ref", "exampleeu_hub")],
        vec![("brightpearl-app-ref", "exampleeu_hub"), ("brightpearl-account-token", "other")],
        vec![
            ("brightpearl-dev-ref", "dev"),
            ("brightpearl-app-ref", "public-app"),
            ("brightpearl-account-token", "token"),
        ],
    ];
    for headers in &refused {
        let answer = bench.raw("GET", path, headers, None).await.unwrap();
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.header("message-type"), Some("api-proxy"));
        assert!(answer.header("brightpearl-installed-integration-instance-id").is_none());
        assert_eq!(answer.json()["response"], "Not authenticated. You must provide a valid authentication token.");
    }
    bench.sim.revoke_tokens(ACCOUNT).unwrap();
    for headers in &accepted {
        assert_eq!(bench.raw("GET", path, headers, None).await.unwrap().status, 401);
    }
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let bench = Bench::new().await;
    let form = "grant_type=authorization_code&code=CODE&client_id=example-app&client_secret=example-client-secret\
                &redirect_uri=https%3A%2F%2Fclient.example.test%2Fbrightpearl_oauth_redirect";
    let consent = "/authorize/exampleeu?response_type=code&client_id=example-app&state=s\
                   &redirect_uri=https%3A%2F%2Fclient.example.test%2Fbrightpearl_oauth_redirect";
    let target = bench.raw("GET", consent, &[], None).await.unwrap();
    let code = target.header("location").unwrap().split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let other = form.replace("CODE", &code).replace("brightpearl_oauth_redirect", "elsewhere");
    let answer = bench.raw("POST", "/token/exampleeu", &[], Some(other)).await.unwrap();
    assert_eq!(
        answer.json()["error_description"],
        "Redirect uri does not match that used to request auth token",
        "{}",
        answer.text
    );
    let first = bench.raw("POST", "/token/exampleeu", &[], Some(form.replace("CODE", &code))).await.unwrap().json();
    let refresh: String =
        url::form_urlencoded::byte_serialize(first["refresh_token"].as_str().unwrap().as_bytes()).collect();
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=example-app");
    let second = bench.raw("POST", "/token/exampleeu", &[], Some(form.clone())).await.unwrap().json();
    assert!(second.get("installation_instance_id").is_none());
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(bench.raw("POST", "/token/exampleeu", &[], Some(form)).await.unwrap().status, 400);
}

#[tokio::test]
async fn every_answer_counts_and_the_201st_is_throttled() {
    // A window of 20 s; the wait is for enough of it to be left.
    let config = small(Switches::default());
    let bench = Bench::with(Config { requests_per_window: Some(200), time_factor: 3, ..config }).await;
    loop {
        let answer = bench.get(ORDERS).await;
        let period: u64 = answer.header("brightpearl-next-throttle-period").unwrap().parse().unwrap();
        if period > 6_000 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(period + 5)).await;
    }
    let before: u32 = bench.get(ORDERS).await.header("brightpearl-requests-remaining").unwrap().parse().unwrap();
    let refused = bench.raw("GET", "/public-api/exampleeu/x", &[], None).await.unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("brightpearl-requests-remaining").unwrap(), (before - 1).to_string());
    let mut last = before - 1;
    while last > 0 {
        let answer = bench.get("order-service/order/999").await;
        assert_eq!(answer.header("brightpearl-requests-remaining").unwrap(), (last - 1).to_string());
        last -= 1;
    }
    let body = json!({ "text": "x" });
    let order = bench.sim.create_order(ACCOUNT, NewOrder::default()).unwrap();
    let answer = bench.post(&format!("order-service/order/{order}/note"), body).await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json()["response"],
        "You have sent too many requests. Please wait before sending another request"
    );
    assert_eq!(answer.header("brightpearl-requests-remaining"), Some("0"));
    assert!(answer.header("retry-after").is_none());
    assert!(bench.sim.order(ACCOUNT, order).unwrap().texts.is_empty());
    assert_eq!(bench.sim.throttled_requests(ACCOUNT), 1);
    assert!(bench.sim.busiest_window(ACCOUNT) > 200);
    // A public developer has a pool of its own.
    let developer = [
        ("authorization", "Bearer EXAMPLE-ACCESS-TOKEN"),
        ("brightpearl-app-ref", "example-app"),
        ("brightpearl-dev-ref", "example-dev"),
    ];
    let other = bench.raw("GET", "/public-api/exampleeu/warehouse-service/warehouse", &developer, None).await.unwrap();
    assert_eq!((other.status, other.header("brightpearl-requests-remaining")), (200, Some("199")));
}

#[tokio::test]
async fn the_other_readings_of_throttling() {
    let switches = Switches {
        throttle_window: ThrottleWindow::Rolling,
        throttled_request: ThrottledRequest::TakesEffect,
        throttle_headers: ThrottleHeaders::None,
        multi_message_cost: MultiMessageCost::Parts,
        ..Switches::default()
    };
    let bench = Bench::with(Config { requests_per_window: Some(3), time_factor: 1, ..small(switches) }).await;
    let parts = json!({ "processingMode": "SEQUENTIAL", "onFail": "STOP", "messages": [
        { "label": "a", "uri": "/product-service/brand", "httpMethod": "POST", "body": { "name": "One" } },
        { "label": "b", "uri": "/product-service/brand", "httpMethod": "POST", "body": { "name": "Two" } }
    ]});
    let answer = bench.post("multi-message", parts).await;
    assert_eq!(answer.header("brightpearl-requests-remaining"), Some("1"));
    let order = bench.sim.create_order(ACCOUNT, NewOrder::default()).unwrap();
    let note = format!("order-service/order/{order}/note");
    assert_eq!(bench.post(&note, json!({ "text": "in time" })).await.status, 200);
    let throttled = bench.post(&note, json!({ "text": "behind the 503" })).await;
    assert_eq!(throttled.status, 503);
    assert!(throttled.header("brightpearl-requests-remaining").is_none());
    assert_eq!(bench.sim.order(ACCOUNT, order).unwrap().texts.len(), 2);

    let switches = Switches { burst_limit: BurstLimit::TwentyASecond, ..Switches::default() };
    let bench = Bench::with(Config { requests_per_window: Some(1000), time_factor: 1, ..small(switches) }).await;
    let mut burst = None;
    for _ in 0..200 {
        let answer = bench.get("order-service/order/1").await;
        if answer.status == 429 {
            burst = Some(answer);
            break;
        }
    }
    assert!(burst.expect("200 requests are a burst").header("retry-after").is_some());
}

#[tokio::test]
async fn id_sets() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("order-service/order/1-200").await.status, 200);
    assert_eq!(bench.get("order-service/order/1-201").await.status, 400);
    assert_eq!(bench.get("order-service/order/3,1,2").await.refusal(), (400, vec!["CMNC-006".to_owned()]));
    assert_eq!(bench.get("order-service/order/3.1.2").await.status, 200);
    assert_eq!(bench.get("order-service/order/x").await.refusal(), (400, vec!["CMNC-008".to_owned()]));
    let bench = Bench::switched(|switches| {
        switches.descending_list = DescendingList::Accepted;
        switches.id_cap_answer = IdCapAnswer::UriTooLong;
        switches.forbidden_body = ForbiddenBody::Html;
    })
    .await;
    assert_eq!(bench.get("order-service/order/3,1,2").await.status, 200);
    let long = bench.get("order-service/order/1-201").await;
    assert_eq!(long.status, 414);
    assert!(long.text.starts_with("<html>"));
}

#[tokio::test]
async fn bodies_and_unknown_addresses() {
    let bench = Bench::new().await;
    let big = Some(json!({ "reference": "x".repeat(1_100_000) }));
    assert_eq!(bench.call("POST", "order-service/order", big.clone()).await.status, 413);
    assert_eq!(bench.call("POST", "order-service/order", None).await.refusal(), (400, vec!["CMNC-010".to_owned()]));
    let unknown = bench.get("order-service/somebrokenuri").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["errors"][0]["message"], "Cannot find the resource /app/somebrokenuri");
    let bench = Bench::switched(|switches| switches.largest_body = LargestBody::Unlimited).await;
    assert_eq!(bench.call("POST", "order-service/order", big).await.status, 400);
}

#[tokio::test]
async fn every_alternative_runs() {
    let alternatives = Switches::alternatives();
    let names: std::collections::BTreeSet<_> = alternatives.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.len(), alternatives.len());
    for (name, switches) in alternatives {
        assert_ne!(switches, Switches::default(), "{name}");
        let written = serde_json::to_string(&switches).unwrap();
        assert_eq!(serde_json::from_str::<Switches>(&written).unwrap(), switches, "{name}");
    }
}
