//! Sign-ins at an identity provider, and who is whom there.

use connect::{Secret, TenantId};
use jiff::SignedDuration;
use millrace::db::{DbError, LinkKind, NewLink, NewProviderFlow, Person, PersonRights, Redeeming};

use super::world::{World, on_both};

const ISSUER: &str = "https://login.example.com";

/// The first administrator of a new tenant.
async fn first(world: &World, name: &str) -> Person {
    let db = &world.db;
    let link = NewLink {
        kind: LinkKind::Setup,
        hash: format!("link of {name}"),
        person: None,
        email: String::new(),
        name: String::new(),
        rights: PersonRights { role: "administrator".to_owned(), merchants: None, installation: false },
        expires_at: db.now().await.unwrap() + SignedDuration::from_hours(1),
    };
    let hash = link.hash.clone();
    let (tenant, _) = db.found_tenant(name, link, "op").await.unwrap();
    let link = db.find_link(&hash).await.unwrap().unwrap();
    let given = Redeeming {
        hash,
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        password_hash: Secret::new("hashed"),
    };
    let redeemed = db.redeem_link(&link, given).await.unwrap();
    db.person(&tenant, &redeemed.person).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_comes_back_once_to_its_browser() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let ada = first(&world, "North").await;
        let now = db.now().await.unwrap();
        let flow = |hash: &str, browser: &str, hours: i64| NewProviderFlow {
            hash: hash.to_owned(),
            browser: browser.to_owned(),
            wanted: Some(ada.tenant.clone()),
            expires_at: now + SignedDuration::from_hours(hours),
        };
        db.begin_provider_flow(flow("old", "old browser", -1)).await.unwrap();
        assert_eq!(db.take_provider_flow("old", "old browser").await.unwrap(), None, "it is over");
        db.begin_provider_flow(flow("state", "browser", 1)).await.unwrap();
        assert_eq!(db.take_provider_flow("state", "another").await.unwrap(), None);
        assert_eq!(db.take_provider_flow("another", "browser").await.unwrap(), None);
        let node = world.another_node().await;
        let (here, there) =
            tokio::join!(db.take_provider_flow("state", "browser"), node.take_provider_flow("state", "browser"));
        let taken = [here.unwrap(), there.unwrap()];
        assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), [&Some(ada.tenant.clone())], "once");
        // Who still has to give a code waits in that browser, and comes in once.
        assert!(db.waiting_provider_flow("browser").await.unwrap().is_none());
        db.link_identity(&ada, ISSUER, "248", "ada").await.unwrap();
        db.provider_flow_waits("browser", &ada, now).await.unwrap();
        let (waits, _, asked_at) = db.waiting_provider_flow("browser").await.unwrap().unwrap();
        assert_eq!((waits.id, asked_at.as_millisecond()), (ada.id.clone(), now.as_millisecond()));
        db.unlink_identity(&ada.tenant, &ada.id, "op").await.unwrap();
        assert!(db.waiting_provider_flow("browser").await.unwrap().is_none(), "the link was taken away");
        db.link_identity(&ada, ISSUER, "248", "ada").await.unwrap();
        assert!(db.waiting_provider_flow("another").await.unwrap().is_none());
        db.set_tenant_disabled(&ada.tenant, true, "op").await.unwrap();
        assert!(db.waiting_provider_flow("browser").await.unwrap().is_none());
        db.set_tenant_disabled(&ada.tenant, false, "op").await.unwrap();
        assert!(db.end_provider_flow("browser").await.unwrap());
        assert!(!db.end_provider_flow("browser").await.unwrap());
        assert!(db.waiting_provider_flow("browser").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_one_somebody_at_the_provider() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let (north, south) = (first(&world, "North").await, first(&world, "South").await);
        let found = async |tenant: Option<&TenantId>| {
            db.person_by_identity(tenant, ISSUER, "248").await.unwrap().map(|(person, _)| person.id)
        };
        assert_eq!(found(None).await, None);
        assert!(!north.linked);
        db.link_identity(&north, ISSUER, "248", "ada").await.unwrap();
        assert!(db.person(&north.tenant, &north.id).await.unwrap().linked);
        assert_eq!(found(None).await.as_ref(), Some(&north.id));
        assert_eq!(found(Some(&north.tenant)).await.as_ref(), Some(&north.id));
        assert_eq!(found(Some(&south.tenant)).await, None);
        // One person is not two there, and two are not one in a tenant.
        assert!(matches!(db.link_identity(&north, ISSUER, "249", "ada").await, Err(DbError::Conflict(_))));
        let mut namesake = north.clone();
        namesake.id = "per_another".to_owned();
        assert!(matches!(db.link_identity(&namesake, ISSUER, "248", "ada").await, Err(DbError::Conflict(_))));
        let links = async || {
            let trail = db.audit_after(&(&north.tenant).into(), 0, 50).await.unwrap();
            trail.iter().filter(|row| row.action == "person.link").count()
        };
        db.link_identity(&north, ISSUER, "248", "ada").await.unwrap();
        assert_eq!(links().await, 1, "two windows link once");
        db.link_identity(&north, "https://another.example.com", "249", "ada").await.unwrap();
        db.link_identity(&south, ISSUER, "248", "ada").await.unwrap();
        assert_eq!(found(None).await.as_ref(), Some(&north.id), "the first");
        db.set_tenant_disabled(&north.tenant, true, "op").await.unwrap();
        assert_eq!(found(None).await.as_ref(), Some(&south.id));
        assert_eq!(found(Some(&north.tenant)).await, None);
        db.unlink_identity(&south.tenant, &south.id, "op").await.unwrap();
        assert_eq!(found(None).await, None);
        assert!(matches!(db.unlink_identity(&south.tenant, &south.id, "op").await, Err(DbError::NotFound(_))));
        let trail = db.audit_after(&(&south.tenant).into(), 0, 50).await.unwrap();
        let actions: Vec<_> = trail.iter().map(|row| row.action.as_str()).collect();
        assert!(actions.contains(&"person.link") && actions.contains(&"person.unlink"), "{actions:?}");
    })
    .await;
}
