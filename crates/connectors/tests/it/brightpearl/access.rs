//! Signing in, tokens that end, and what is said when something is wrong.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    BuildContext, Effects, ErrorKind, HttpRequest, HttpResponse, OrderSource, Sent, Transport, TransportError,
};
use connectors::brightpearl::build_source;
use simulators::{
    brightpearl::{
        AppKind, Config, Switches,
        switches::{EarlierTokens, WrongPassword},
    },
    faults::{Fault, FaultRule},
};

use super::{ACCOUNT, Bench, EMAIL, FACTOR, PASSWORD, context, small, staff_log_in};
use crate::hub::settings;

#[tokio::test]
async fn four_credentials_sign_in_and_find_what_is_needed() {
    let bench = Bench::small().await;
    let check = bench.connector.check().await.unwrap();
    assert_eq!(check.account, ACCOUNT);
    assert_eq!(check.staff_id, Some(4));
    assert!(check.clock_difference.abs() <= 2);
    let reached = check.reached.join("\n");
    for word in [
        "exampleeu",
        "GBP",
        "Europe/London",
        "4 warehouses: ",
        "Staff contact 4",
        "May read orders, goods-out notes, products",
        "nothing was written",
        "the right to make, change, ship and remove goods-out notes",
        "clock and this machine's agree",
    ] {
        assert!(reached.contains(word), "{word} is not in: {reached}");
    }
    // The stand-in is run with more calls than Brightpearl allows.
    assert_eq!(check.warnings.len(), 1, "{:?}", check.warnings);
    let urls: Vec<String> = bench.sim.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(urls.first().map(String::as_str), Some("/exampleeu/authorise"));
    assert!(urls.iter().skip(1).all(|url| url.starts_with("/2.0.0/exampleeu/")), "{urls:?}");
    assert!(urls.iter().all(|url| !url.contains(PASSWORD) && !url.contains("api.user")));
}

/// Lets everything through but what is below this path, which these credentials may not.
struct Forbids {
    inner: Arc<dyn Transport>,
    path: &'static str,
}

#[async_trait]
impl Transport for Forbids {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        if !request.url.path().ends_with(self.path) {
            return self.inner.send(request).await;
        }
        let body = r#"{"errors":[{"code":"CMNC-403","message":"You do not have permission to access this resource"}]}"#;
        Ok(HttpResponse { status: 403, headers: Vec::new(), body: body.to_owned().into() })
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_what_it_is_needed_for() {
    let bench = Bench::small().await;
    let hub = context(FACTOR);
    let forbids = Forbids { inner: Arc::clone(&hub.transport), path: "/goods-note/goods-out-search" };
    let hub = BuildContext { transport: Arc::new(forbids), ..hub };
    let source = build_source(&staff_log_in(&bench.sim.base_url(), &[]), &hub).unwrap();
    let check = source.check().await.unwrap();
    assert!(check.reached.iter().any(|line| line == "May read orders, products"), "{:?}", check.reached);
    let told = check.warnings.join("\n");
    for words in ["read goods-out notes", "You do not have permission", "no shipment is confirmed", "then test again"] {
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn an_apps_tokens_sign_in_on_the_current_path() {
    let mut config = small();
    for app in config.accounts.iter_mut().flat_map(|account| &mut account.apps) {
        if let AppKind::Staff { staff_token } = &mut app.kind {
            *staff_token = Some("EXAMPLE-STAFF-TOKEN".to_owned());
        }
    }
    let bench = Bench::new(config, &[]).await;
    for (sign_in, app_ref, token) in [
        ("account_token", "exampleeu_hub", "EXAMPLE-ACCOUNT-TOKEN"),
        ("staff_token", "exampleeu_desk", "EXAMPLE-STAFF-TOKEN"),
    ] {
        let base = bench.sim.base_url();
        let values = |staff_id: &'static str| {
            [
                ("datacenter_code", "use"),
                ("account_id", ACCOUNT),
                ("sign_in", sign_in),
                ("app_ref", app_ref),
                ("staff_id", staff_id),
                ("base_url", base.as_str()),
            ]
        };
        let app = build_source(&settings(&values("4"), &[(sign_in, token)]), &context(FACTOR)).unwrap();
        assert_eq!(app.check().await.unwrap().staff_id, Some(4));
        // A customer's contact id is not taken for staff.
        let customer = build_source(&settings(&values("200"), &[(sign_in, token)]), &context(FACTOR)).unwrap();
        assert!(customer.check().await.unwrap_err().message.contains("not a staff contact"));
        let wrong = build_source(&settings(&values("4"), &[(sign_in, "WRONG-TOKEN")]), &context(FACTOR)).unwrap();
        let error = wrong.check().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Credentials);
        assert!(!error.message.contains("WRONG-TOKEN"), "{error}");
    }
    assert!(bench.sim.requests().iter().all(|request| request.url.starts_with("/public-api/")));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    for wrong_password in WrongPassword::ALTERNATIVES.into_iter().chain([WrongPassword::default()]) {
        let bench = Bench::with(Switches { wrong_password, ..Switches::default() }).await;
        let base = bench.sim.base_url();
        let mut credentials = staff_log_in(&base, &[]);
        credentials.secrets.insert("password".to_owned(), connect::Secret::new("wr0ng-canary"));
        let error = build_source(&credentials, &context(FACTOR)).unwrap().check().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Credentials, "{wrong_password:?}: {error}");
        assert!(
            error.message.contains("API column") && error.message.contains("password"),
            "{wrong_password:?}: {error}"
        );
        assert!(!error.message.contains("wr0ng-canary"));

        // A user without the API column cannot be told from a wrong password.
        let office = staff_log_in(&base, &[("email", "office@example.test")]);
        let error = build_source(&office, &context(FACTOR)).unwrap().check().await.unwrap_err();
        assert!(error.message.contains("API column"), "{error}");
    }
    let bench = Bench::small().await;
    let unknown = staff_log_in(&bench.sim.base_url(), &[("account_id", "nobody")]);
    let error = build_source(&unknown, &context(FACTOR)).unwrap().check().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert!(error.message.contains("Datacenter Code") && error.message.contains("nobody"), "{error}");

    let nowhere = staff_log_in("http://127.0.0.1:1", &[]);
    let error = build_source(&nowhere, &context(FACTOR * 10)).unwrap().check().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(error.message.contains("cannot be reached"), "{error}");
}

/// Since 2025 a server stands in front of Brightpearl, whose pages say nothing of the password.
#[tokio::test]
async fn a_page_from_the_edge_does_not_pause_the_store() {
    let bench = Bench::small().await;
    for status in [400, 401, 403, 404, 429, 530] {
        let fault = Fault::Answer {
            status,
            headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
            body: "<html><title>Attention Required!</title></html>".to_owned(),
        };
        let rule = bench.sim.faults().add(FaultRule::new(fault).path_contains("/authorise"));
        let source = build_source(&staff_log_in(&bench.sim.base_url(), &[]), &context(FACTOR * 10)).unwrap();
        let error = source.choices().await.unwrap_err();
        assert!(error.is_passing(), "{status}: {error:?}");
        bench.sim.faults().remove(rule);
        source.choices().await.unwrap_or_else(|error| panic!("{status}: it goes on by itself: {error}"));
    }
}

#[tokio::test]
async fn a_refused_log_in_is_not_hammered() {
    let bench = Bench::small().await;
    bench.sim.change_password(ACCOUNT, EMAIL, "another").unwrap();
    for _ in 0..5 {
        assert_eq!(bench.connector.choices().await.unwrap_err().kind, ErrorKind::Credentials);
    }
    assert_eq!(bench.calls("sign_in"), 1);
}

#[tokio::test]
async fn an_ended_token_is_renewed_once_however_many_calls_meet_it() {
    let bench = Bench::small().await;
    let order = bench.order(&[1]);
    bench.connector.orders(&[order]).await.unwrap();
    assert_eq!(bench.calls("sign_in"), 1);
    bench.sim.expire_tokens(ACCOUNT).unwrap();
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let connector = bench.connector.clone();
        reads.spawn(async move { connector.orders(&[order]).await.map(|orders| orders.len()) });
    }
    for found in reads.join_all().await {
        assert_eq!(found.unwrap(), 1);
    }
    assert_eq!(bench.calls("sign_in"), 2);
}

#[tokio::test]
async fn connectors_of_one_hub_share_a_log_in() {
    // Else each log-in would end the other's token, for ever.
    let bench = Bench::with(Switches { earlier_legacy_tokens: EarlierTokens::End, ..Switches::default() }).await;
    let second = build_source(&staff_log_in(&bench.sim.base_url(), &[]), &bench.context).unwrap();
    for _ in 0..3 {
        bench.connector.choices().await.unwrap();
        second.choices().await.unwrap();
    }
    assert_eq!(bench.calls("sign_in"), 1);
}

#[tokio::test]
async fn a_change_with_an_ended_token_was_not_made() {
    let bench = Bench::small().await;
    let order = bench.order(&[1]);
    let draft = bench.connector.plan_order_note("key", order, "Sent to the warehouse").unwrap();
    let armed = bench.armed(&draft).await;
    bench.connector.orders(&[order]).await.unwrap();
    bench.sim.expire_tokens(ACCOUNT).unwrap();
    match bench.send(&armed).await {
        Sent::NotSent { cause } => assert_eq!(cause.kind, ErrorKind::Transient),
        other => panic!("{other:?}"),
    }
    assert!(matches!(bench.send(&armed).await, Sent::Accepted { .. }));
    assert_eq!(bench.sim.order(ACCOUNT, order).unwrap().texts.len(), 1);

    // Two tokens in a row refused: a new one does not help.
    bench.sim.expire_tokens(ACCOUNT).unwrap();
    assert!(matches!(bench.send(&armed).await, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient));
    bench.connector.orders(&[order]).await.unwrap();
    bench.sim.expire_tokens(ACCOUNT).unwrap();
    assert!(matches!(bench.send(&armed).await, Sent::NotSent { cause } if cause.kind == ErrorKind::Credentials));
}

#[tokio::test]
async fn a_withdrawn_app_stops_changes_at_once() {
    let bench = Bench::small().await;
    let order = bench.order(&[1]);
    let base = bench.sim.base_url();
    let values = [
        ("datacenter_code", "use"),
        ("account_id", ACCOUNT),
        ("sign_in", "account_token"),
        ("app_ref", "exampleeu_hub"),
        ("base_url", base.as_str()),
    ];
    let app =
        build_source(&settings(&values, &[("account_token", "EXAMPLE-ACCOUNT-TOKEN")]), &context(FACTOR)).unwrap();
    let draft = app.plan_order_note("key", order, "text").unwrap();
    let armed = bench.armed(&draft).await;
    bench.sim.revoke_tokens(ACCOUNT).unwrap();
    let delivery = app.send(std::slice::from_ref(&armed), Duration::from_secs(1_000_000)).await;
    assert!(!format!("{delivery:?}").contains("EXAMPLE-ACCOUNT-TOKEN"));
    assert!(matches!(delivery.outcomes.first(), Some(Sent::NotSent { cause }) if cause.kind == ErrorKind::Credentials));
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let bench = Bench::new(Config { requests_per_window: Some(10), ..small() }, &[]).await;
    let order = bench.order(&[1]);
    for _ in 0..25 {
        assert_eq!(bench.connector.orders(&[order]).await.unwrap().len(), 1);
    }
    let reports = bench.context.budgets.reports();
    // The headers are believed before the account says no.
    assert_eq!(bench.sim.throttled_requests(ACCOUNT), 0, "{reports:?}");
}
