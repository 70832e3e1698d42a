//! Tenants that are founded, disabled and enabled: what is found of them across tenants.

use connect::Secret;
use jiff::SignedDuration;
use millrace::db::{DbError, LinkKind, NewApiKey, NewLink, NewSession, PersonRights, Redeeming};

use super::world::{World, on_both};

fn administrator(installation: bool) -> PersonRights {
    PersonRights { role: "administrator".to_owned(), merchants: None, installation }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_disabled_tenant_is_found() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let now = db.now().await.unwrap();
        let link = |hash: &str, installation: bool| NewLink {
            kind: LinkKind::Setup,
            hash: hash.to_owned(),
            person: None,
            email: String::new(),
            name: String::new(),
            rights: administrator(installation),
            expires_at: now + SignedDuration::from_hours(1),
        };
        let redeeming = |hash: &str, email: &str| Redeeming {
            hash: hash.to_owned(),
            email: email.to_owned(),
            name: "Ada".to_owned(),
            password_hash: Secret::new("hashed"),
        };
        // Without its link there is no tenant either.
        let (north, _) = db.found_tenant("North", link("north", false), "op").await.unwrap();
        assert!(matches!(db.found_tenant("South", link("north", false), "op").await, Err(DbError::Conflict(_))));
        assert!(matches!(db.found_tenant("North", link("other", false), "op").await, Err(DbError::Conflict(_))));
        assert_eq!(
            db.tenants().await.unwrap().iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(),
            ["North"]
        );

        let first = db.find_link("north").await.unwrap().unwrap();
        db.redeem_link(&first, redeeming("north", "ada@example.com")).await.unwrap();
        let merchant = db.create_merchant(&north, "Acme").await.unwrap();
        let connection = world.further_connection(&north, &merchant, "acme").await;
        db.enable_connection(&connection, true).await.unwrap();
        db.ensure_hook(&connection.scope, "sto_x", "path").await.unwrap();
        db.create_link(&north, NewLink { kind: LinkKind::Invitation, ..link("open", false) }, "op").await.unwrap();
        let key = NewApiKey {
            tenant: Some(north.clone()),
            name: "key".to_owned(),
            hash: "key".to_owned(),
            role: "admin".to_owned(),
            scopes: String::new(),
            merchant: None,
            warehouse: None,
            expires_at: None,
        };
        db.create_api_key(key, "op").await.unwrap();
        let (ada, hash) = db.person_by_email(None, "ada@example.com").await.unwrap().unwrap();
        let new = |hash: &str| NewSession {
            hash: hash.to_owned(),
            address: "192.0.2.1".to_owned(),
            agent: "T".to_owned(),
            by: "password",
            proved_at: None,
            several_factors: false,
            factor: None,
        };
        db.begin_session(&ada, &hash, new("session"), "ada").await.unwrap().unwrap();

        let found = async || {
            [
                db.active_connections().await.unwrap().len() == 1,
                db.hook_by_path("path").await.unwrap().is_some(),
                db.find_link("open").await.unwrap().is_some(),
                db.find_api_key("key").await.unwrap().is_some(),
                db.person_by_email(None, "ada@example.com").await.unwrap().is_some(),
                db.person_by_email(Some(&north), "ada@example.com").await.unwrap().is_some(),
            ]
        };
        assert_eq!(found().await, [true; 6]);
        assert!(db.find_session("session").await.unwrap().is_some());
        let mut changes = db.changes();
        let waiting = tokio::spawn(async move { changes.configuration().await });
        db.set_tenant_disabled(&north, true, "op").await.unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.expect("workers are woken").unwrap();
        assert_eq!(found().await, [false; 6]);
        assert!(db.find_session("session").await.unwrap().is_none());
        // One that was begun at the same moment is no way around it.
        db.begin_session(&ada, &hash, new("late"), "ada").await.unwrap().unwrap();
        assert!(db.find_session("late").await.unwrap().is_none());
        // The address is free for somebody of the same name elsewhere.
        let (south, _) = db.found_tenant("South", link("south", true), "op").await.unwrap();
        let second = db.find_link("south").await.unwrap().unwrap();
        db.redeem_link(&second, redeeming("south", "ada@example.com")).await.unwrap();
        assert_eq!(db.person_by_email(None, "ada@example.com").await.unwrap().unwrap().0.tenant, south);
        // Who administers the installation is not locked out.
        let refused = db.set_tenant_disabled(&south, true, "op").await;
        assert!(matches!(&refused, Err(DbError::Conflict(why)) if why.contains("ada@example.com")), "{refused:?}");

        db.set_tenant_disabled(&north, false, "op").await.unwrap();
        assert_eq!(found().await, [true; 6]);
        let session = db.find_session("session").await.unwrap().unwrap().0;
        assert!(session.ended_at.is_some(), "sessions ended when it was disabled");
    })
    .await;
}
