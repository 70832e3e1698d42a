//! Calls from Brightpearl: kept before they are answered, and nothing told to whoever cannot prove itself (§9, control 20).

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::Secret;
use millrace::db::{Observer, Phase, Scope, Verdict};
use serde_json::json;

use super::{
    Installation,
    access::{brightpearl, connected},
};

struct Away;

#[async_trait::async_trait]
impl Observer for Away {
    async fn crossing(&self, _operation: &'static str, _phase: Phase) -> Verdict {
        Verdict::Fail
    }
}

fn call(path: &str, secret: &str, id: &str, raised_on: &str) -> Request<Body> {
    let body = json!({
        "accountCode": "acme", "resourceType": "order", "id": id, "lifecycleEvent": "modified",
        "fullEvent": "order.modified.order-status", "raisedOn": raised_on, "secret": secret,
    });
    Request::post(path).body(Body::from(body.to_string())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_kept_once_and_only_with_their_secret() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let (hub, tenant) = (&installation.hub, installation.tenant("default").await);
    let (scope, store) = hub.db.store_by_name(&tenant, "BP").await.unwrap();
    let hook = hub.db.ensure_hook(&scope, store.as_str(), "0123456789abcdef").await.unwrap();
    hub.db.put_secret(&scope, &hook.id, "webhook_secret", &Secret::new("right"), &hub.keyring).await.unwrap();
    let path = "/hooks/brightpearl/0123456789abcdef";
    let at = "2026-02-03T16:41:39Z";

    for (path, secret) in [(path, "wrong"), (path, ""), ("/hooks/brightpearl/other", "right")] {
        let answer = installation.send(call(path, secret, "1", at)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.problem(), "not_found");
    }
    let nonsense = installation.send(Request::post(path).body(Body::from("right")).unwrap()).await;
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
    assert_eq!(waiting(&installation, &scope).await, 0);

    assert_eq!(installation.send(call(path, "right", "7-9,11", at)).await.status, StatusCode::OK);
    assert_eq!(installation.send(call(path, "right", "9,11", at)).await.status, StatusCode::OK);
    assert_eq!(waiting(&installation, &scope).await, 4, "a repeat is known by what it says");
    assert_eq!(installation.send(call(path, "right", "9", "2026-02-03T16:41:40Z")).await.status, StatusCode::OK);
    assert_eq!(waiting(&installation, &scope).await, 1);

    // What an earlier program subscribed to and nothing follows is answered, and does not stand before what is wanted.
    let body = json!({
        "accountCode": "acme", "resourceType": "product", "id": "1000-1999", "lifecycleEvent": "modified",
        "fullEvent": "product.modified.on-hand-modified", "raisedOn": at, "secret": "right",
    });
    let answer = installation.send(Request::post(path).body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!((answer.status, waiting(&installation, &scope).await), (StatusCode::OK, 0));

    let channels = hub.db.connection_by_name(&tenant, "main").await.unwrap();
    let channels = hub.db.channels(&channels).await.unwrap();
    assert!(channels.iter().any(|channel| channel.wanted_at.is_some()), "a call asks for a run");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_trouble_makes_them_come_again() {
    let installation = Installation::new().await;
    installation.hub.db.set_observer(Arc::new(Away));
    let answer = installation.send(call("/hooks/brightpearl/any", "right", "1", "2026-02-03T16:41:39Z")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.problem(), "unavailable");
    assert_eq!(installation.ask("GET", "/readyz", None, None).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(installation.ask("GET", "/healthz", None, None).await.status, StatusCode::OK);
}

async fn waiting(installation: &Installation, scope: &Scope) -> usize {
    installation.hub.db.take_calls(scope, "acme", 100).await.unwrap().len()
}

/// The answers that would lose a call for good are noticed by what [`own_trouble_makes_them_come_again`] asks for.
#[cfg(feature = "planted")]
#[tokio::test(flavor = "current_thread")]
async fn planted_answers_are_noticed() {
    use connect::planted::{Planted, plant};
    let installation = Installation::new().await;
    installation.hub.db.set_observer(Arc::new(Away));
    for fault in [Planted::CallerAtFault, Planted::AnswersFirst] {
        plant(Some(fault));
        let answer = installation.send(call("/hooks/brightpearl/any", "right", "1", "2026-02-03T16:41:39Z")).await;
        plant(None);
        assert_ne!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?} changes nothing, so nothing notices it");
    }
}
