//! A change that comes with a session must come from our own pages (security control 5): every route, every way to forge it.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};

use super::{
    Installation,
    access::routes,
    browser::{Browser, COOKIE, HOST, PASSWORD, administrator},
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_by_a_foreign_page() {
    let installation = Installation::new().await;
    let ada = administrator(&installation).await;
    let (cookie, token) = (ada.cookie.clone().unwrap(), ada.csrf.clone().unwrap());
    let changing: Vec<_> = routes("nothing").into_iter().filter(|(method, _)| method != "GET").collect();
    assert!(changing.len() > 50, "{} routes", changing.len());
    let site = "sec-fetch-site";
    let json = ("content-type", "application/json");
    let own = (site, "same-origin");
    let with = ("millrace-csrf", token.as_str());
    let ways: [(&str, Vec<(&str, &str)>); 9] = [
        ("no token", vec![own, json]),
        ("another token", vec![own, json, ("millrace-csrf", "0000")]),
        ("cross-site", vec![(site, "cross-site"), json, with]),
        ("same-site", vec![(site, "same-site"), json, with]),
        ("typed in", vec![(site, "none"), json, with]),
        ("foreign origin", vec![("origin", "https://evil.example"), json, with]),
        ("nothing about where from", vec![json, with]),
        ("text/plain", vec![own, ("content-type", "text/plain"), with]),
        ("a form", vec![own, ("content-type", "application/x-www-form-urlencoded"), with]),
    ];
    for (method, path) in &changing {
        for (way, headers) in &ways {
            let mut request = Request::builder().method(method.as_str()).uri(path).header("host", HOST);
            request = request.header("cookie", format!("{COOKIE}={cookie}"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = installation.send(request.body(Body::from("{}")).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}, {way}: {}", answer.text);
            assert_eq!(answer.problem(), "cross_site", "{method} {path}, {way}");
        }
    }
    // The session is as it was, and from the own page the same is let through to the operation.
    let mut ada = Browser { cookie: Some(cookie), csrf: Some(token), ..Browser::new(&installation) };
    // At a desk nobody may do anything who is no warehouse.
    let others = |path: &str| !path.contains("/session") && !path.contains("/desk/");
    for (method, path) in changing.iter().filter(|(_, path)| others(path)) {
        let answer = ada.ask(method, path, Some(serde_json::json!({}))).await;
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.text);
    }
}

/// No other site signs somebody in, or uses a link for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_signs_nobody_in() {
    let installation = Installation::new().await;
    administrator(&installation).await;
    for path in ["/api/v1/session", "/api/v1/links/redeem", "/api/v1/links/describe"] {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let request = Request::post(path)
                .header("host", HOST)
                .header("content-type", "application/json")
                .header(name, value)
                .body(Body::from(format!("{{\"email\":\"ada@example.com\",\"password\":\"{PASSWORD}\"}}")))
                .unwrap();
            let answer = installation.send(request).await;
            assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "cross_site"), "{path}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }
}
