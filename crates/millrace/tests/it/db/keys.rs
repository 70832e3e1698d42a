//! API keys and the audit trail.

use jiff::SignedDuration;
use millrace::db::{Access, DbError, NewApiKey};

use super::world::{Raw, World, on_both};

fn new(name: &str, hash: &str) -> NewApiKey {
    NewApiKey {
        tenant: None,
        name: name.to_owned(),
        hash: hash.to_owned(),
        role: "admin".to_owned(),
        scopes: String::new(),
        merchant: None,
        warehouse: None,
        expires_at: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn api_keys_are_found_used_and_revoked() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let tenant = key.scope.tenant.clone();
        let now = db.now().await.unwrap();
        let admin = db.create_api_key(new("init", "hash-1"), "cli").await.unwrap();
        let limited = NewApiKey {
            tenant: Some(tenant.clone()),
            merchant: Some(key.scope.merchant.clone()),
            scopes: "orders:read stock:write".to_owned(),
            expires_at: Some(now + SignedDuration::from_hours(1)),
            ..new("shop", "hash-2")
        };
        let shop = db.create_api_key(limited, "ada").await.unwrap();
        assert!(matches!(db.create_api_key(new("again", "hash-2"), "x").await, Err(DbError::Conflict(_))));
        let found = db.find_api_key("hash-1").await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.tenant.as_ref()), (admin.as_str(), None));
        let found = db.find_api_key("hash-2").await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.tenant.as_ref()), (shop.as_str(), Some(&tenant)));
        assert_eq!(found.merchant.as_ref(), Some(&key.scope.merchant));
        assert_eq!(found.scopes, "orders:read stock:write");
        assert!(found.is_valid(now));
        assert!(!found.is_valid(now + SignedDuration::from_hours(2)), "expired");
        assert!(db.find_api_key("hash-3").await.unwrap().is_none());
        db.touch_api_key(&found).await.unwrap();
        assert!(db.find_api_key("hash-2").await.unwrap().unwrap().last_used_at.is_some());
        assert_eq!(db.api_keys(Some(&tenant), None, 10).await.unwrap().len(), 1);
        assert_eq!(db.api_keys(None, None, 10).await.unwrap().len(), 1);
        // Not with the scope of somebody else.
        assert!(matches!(db.revoke_api_key(None, &shop, "x").await, Err(DbError::NotFound(_))));
        db.revoke_api_key(Some(&tenant), &shop, "ada").await.unwrap();
        assert!(!db.find_api_key("hash-2").await.unwrap().unwrap().is_valid(now));
        assert_eq!(db.audit_after(&(&tenant).into(), 0, 10).await.unwrap().len(), 2);
    })
    .await;
}

/// AU1: rows are only added, and a changed or missing one is found.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_trail_shows_tampering() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let key = world.connection("acme").await;
        let access = Access::from(&key.scope.tenant);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (db, access) = (db.clone(), access.clone());
            tasks.spawn(async move {
                let detail = serde_json::json!({ "line": "a\r\nb" });
                db.audit(&access, "ada", "test.act", &format!("thing {number}"), &detail).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(db.verify_audit(&access).await.unwrap(), None);
        let mut raw = world.raw().await;
        for change in ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"] {
            assert!(raw.run(change).await.is_err(), "the trail is only added to");
        }
        let tenant = key.scope.tenant.as_str();
        match &mut raw {
            Raw::Sqlite(_) => raw.run("DROP TRIGGER audit_kept; DROP TRIGGER audit_kept_whole").await.unwrap(),
            Raw::Postgres(_) => raw.run("ALTER TABLE audit DISABLE TRIGGER audit_guard").await.unwrap(),
        }
        raw.run(&format!("UPDATE audit SET actor = 'eve' WHERE number = 7 AND tenant = '{tenant}'")).await.unwrap();
        assert_eq!(db.verify_audit(&access).await.unwrap(), Some(7));
        raw.run(&format!("UPDATE audit SET actor = 'ada' WHERE number = 7 AND tenant = '{tenant}'")).await.unwrap();
        raw.run(&format!("DELETE FROM audit WHERE number = 9 AND tenant = '{tenant}'")).await.unwrap();
        assert_eq!(db.verify_audit(&access).await.unwrap(), Some(9));
    })
    .await;
}
