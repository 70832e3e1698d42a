//! Live changes: everybody who listens is told everything that they may see, once and in its order, however slow they are.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use futures_util::StreamExt as _;
use millrace::{db::Access, operate::Role};
use tower::ServiceExt as _;

use super::orders::Shop;
use crate::db::world::requested;

/// More than wait for a slow listener.
const MANY: i64 = 1_500;

/// A stream that somebody follows.
struct Followed {
    body: BodyDataStream,
    text: String,
}

impl Followed {
    async fn new(shop: &Shop, key: &str, query: &str) -> Self {
        let request = Request::get(format!("/api/v1/events{query}")).header("authorization", format!("Bearer {key}"));
        let request = request.body(Body::empty()).unwrap();
        let response = shop.installation.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// Numbers of the events that come until nothing has come for a while.
    async fn numbers(&mut self, while_nothing: Duration) -> Vec<i64> {
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(while_nothing, self.body.next()).await {
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
        let numbers = self.text.lines().filter_map(|line| line.strip_prefix("id: "));
        numbers.map(|number| number.parse().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_misses_nothing_and_nobody_sees_a_brand_that_is_not_theirs() {
    let shop = Shop::new().await;
    let (db, tenant) = (&shop.installation.hub.db, shop.key.scope.tenant.clone());
    let brand = db.create_merchant(&tenant, "Brand").await.unwrap();
    let whole = shop.installation.key(&tenant, Role::Read, None).await;
    let own = shop.installation.key(&tenant, Role::Read, Some(shop.key.scope.merchant.as_str())).await;
    let other = shop.installation.key(&tenant, Role::Read, Some(brand.as_str())).await;
    let begun = db.last_event().await.unwrap();
    let mut slow = Followed::new(&shop, &whole, "").await;
    let mut of_the_brand = Followed::new(&shop, &own, "").await;
    let mut of_another = Followed::new(&shop, &other, "").await;
    // Once they have caught up they are told, and what is not taken waits.
    for stream in [&mut slow, &mut of_the_brand, &mut of_another] {
        assert_eq!(stream.numbers(Duration::from_millis(300)).await, Vec::<i64>::new());
    }
    let mut quick = Followed::new(&shop, &whole, &format!("?after={begun}")).await;
    for first in (1..=MANY).step_by(250) {
        let orders = (first..first + 250).map(requested).collect();
        db.record_orders(&shop.key, "acme", orders).await.unwrap();
        quick.numbers(Duration::from_millis(50)).await;
    }
    let of = async |access: Access| -> Vec<i64> {
        db.events_after(&access, begun, 10_000).await.unwrap().iter().map(|event| event.number).collect()
    };
    let everything = of(Access::Tenant(tenant.clone())).await;
    assert!(everything.len() >= MANY as usize);
    let a_while = Duration::from_secs(2);
    assert_eq!(slow.numbers(a_while).await, everything, "who was slow");
    assert_eq!(quick.numbers(a_while).await, everything, "who was quick");
    assert_eq!(of_the_brand.numbers(a_while).await, of((&shop.key.scope).into()).await);
    let seen = of_another.numbers(a_while).await;
    assert_eq!(seen, of(Access::Merchant(millrace::db::Scope { tenant, merchant: brand })).await);
    assert!(seen.is_empty(), "{}", seen.len());
    // Who comes back misses nothing either.
    let last = everything[everything.len() - 700];
    let mut again = Followed::new(&shop, &whole, &format!("?after={last}")).await;
    assert_eq!(again.numbers(Duration::from_millis(500)).await, everything[everything.len() - 699..]);
}
