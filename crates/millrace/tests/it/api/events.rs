//! Live changes: everybody who listens is told everything that they may see, once and in its order, however slow they are.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use futures_util::StreamExt as _;
use millrace::{
    db::{Access, Scope},
    operate::Role,
};
use tower::ServiceExt as _;

use super::orders::Shop;
use crate::db::world::{busy_neighbour, requested};

/// More than wait for a slow listener.
const MANY: i64 = 1_500;

/// Ids of what somebody with this access may see after a place, in its order.
async fn ids(shop: &Shop, access: Access, after: i64) -> Vec<String> {
    let events = shop.installation.hub.db.events_after(&access, after, 10_000).await.unwrap();
    events.iter().map(|event| event.id.to_string()).collect()
}

/// A stream that somebody follows.
struct Followed {
    body: BodyDataStream,
    text: String,
}

impl Followed {
    async fn new(shop: &Shop, key: &str, query: &str) -> Self {
        Self::again(shop, key, query, None).await
    }

    /// As a client that comes back and says what it saw last.
    async fn again(shop: &Shop, key: &str, query: &str, last: Option<&str>) -> Self {
        let mut request =
            Request::get(format!("/api/v1/events{query}")).header("authorization", format!("Bearer {key}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = shop.installation.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// Ids of the events that come until nothing has come for a while.
    async fn ids(&mut self, while_nothing: Duration) -> Vec<String> {
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(while_nothing, self.body.next()).await {
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
        self.text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
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
        assert_eq!(stream.ids(Duration::from_millis(300)).await, Vec::<String>::new());
    }
    let last = ids(&shop, Access::Tenant(tenant.clone()), 0).await.pop().unwrap();
    let mut quick = Followed::new(&shop, &whole, &format!("?after={last}")).await;
    for first in (1..=MANY).step_by(250) {
        let orders = (first..first + 250).map(requested).collect();
        db.record_orders(&shop.key, "acme", orders).await.unwrap();
        quick.ids(Duration::from_millis(50)).await;
    }
    let of = async |access: Access| ids(&shop, access, begun).await;
    let everything = of(Access::Tenant(tenant.clone())).await;
    assert!(everything.len() >= MANY as usize);
    let a_while = Duration::from_secs(2);
    assert_eq!(slow.ids(a_while).await, everything, "who was slow");
    assert_eq!(quick.ids(a_while).await, everything, "who was quick");
    assert_eq!(of_the_brand.ids(a_while).await, of((&shop.key.scope).into()).await);
    let seen = of_another.ids(a_while).await;
    assert_eq!(seen, of(Access::Merchant(Scope { tenant, merchant: brand })).await);
    assert!(seen.is_empty(), "{}", seen.len());
    // Who comes back misses nothing either.
    let last = &everything[everything.len() - 700];
    let mut again = Followed::new(&shop, &whole, &format!("?after={last}")).await;
    assert_eq!(again.ids(Duration::from_millis(500)).await, everything[everything.len() - 699..]);
}

/// The id of an event is looked up among what the caller may see: that of another's, like one that is kept no longer, begins at the
/// beginning, and tells neither that it is there nor where it stands.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_theirs_is_a_place_for_nobody() {
    let shop = Shop::new().await;
    let (db, tenant) = (&shop.installation.hub.db, shop.key.scope.tenant.clone());
    let brand = db.create_merchant(&tenant, "Brand").await.unwrap();
    let key = shop.installation.key(&tenant, Role::Read, Some(brand.as_str())).await;
    // Between what the brand does, another one does something.
    busy_neighbour(db, &tenant, &brand).await;
    let before = db.last_event().await.unwrap();
    shop.orders(3).await;
    let foreign = ids(&shop, (&shop.key.scope).into(), before).await.pop().unwrap();
    db.rename_merchant(&tenant, &brand, "Brand of old").await.unwrap();
    let own = ids(&shop, Access::Merchant(Scope { tenant, merchant: brand }), 0).await;
    assert!(own.len() > 20 && !own.contains(&foreign), "{}", own.len());
    let a_while = Duration::from_millis(500);
    let unknown = "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for nobodys in [foreign.as_str(), unknown, "0", "4711"] {
        let mut asked = Followed::new(&shop, &key, &format!("?after={nobodys}")).await;
        assert_eq!(asked.ids(a_while).await, own, "after {nobodys}");
        let mut back = Followed::again(&shop, &key, "", Some(nobodys)).await;
        assert_eq!(back.ids(a_while).await, own, "back after {nobodys}");
    }
    // Their own is, and what a client says that it saw goes before what it asked for at first.
    let place = own.len() - 2;
    let mut asked = Followed::new(&shop, &key, &format!("?after={}", own[place])).await;
    assert_eq!(asked.ids(a_while).await, own[place + 1..]);
    let mut back = Followed::again(&shop, &key, &format!("?after={foreign}"), Some(&own[place])).await;
    assert_eq!(back.ids(a_while).await, own[place + 1..]);
}
