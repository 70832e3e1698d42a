//! Sealed settings.

use connect::{OsRandom, Secret};
use millrace::{
    db::{DbError, Scope},
    seal::Keyring,
};

use super::world::{World, on_both};

const PLANTED: &str = "correct-horse-battery-staple";

fn keyring() -> Keyring {
    Keyring::parse(&Keyring::generate(&OsRandom)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn are_written_replaced_and_opened() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let (keys, object) = (keyring(), "sto_1");
        let put = |field: &'static str, text: &'static str| {
            let (db, scope, keys) = (db.clone(), key.scope.clone(), keys.clone());
            async move { db.put_secret(&scope, object, field, &Secret::new(text), &keys).await.unwrap() }
        };
        put("password", "first").await;
        put("token", "other").await;
        put("password", PLANTED).await;
        assert_eq!(db.secret_fields(&key.scope, object).await.unwrap(), ["password", "token"]);
        let opened = db.secrets(&key.scope, object, &keys).await.unwrap();
        assert_eq!((opened["password"].expose(), opened["token"].expose()), (PLANTED, "other"));
        assert!(matches!(db.secrets(&key.scope, object, &keyring()).await, Err(DbError::Refused(_))), "another key");
        // Nothing of them in what is stored.
        let stored = match &world.postgres {
            Some((server, name)) => server.dump(name).unwrap(),
            None => {
                db.close().await;
                let mut stored = Vec::new();
                for file in std::fs::read_dir(world.folder.path()).unwrap() {
                    stored.extend(std::fs::read(file.unwrap().path()).unwrap());
                }
                stored
            }
        };
        let planted = [PLANTED.as_bytes().to_vec(), hex(PLANTED).into_bytes()];
        assert!(planted.iter().all(|planted| !stored.windows(planted.len()).any(|window| window == planted)));
        assert!(stored.windows(5).any(|window| window == b"sto_1"), "it is the whole database");
    })
    .await;
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// X2: a sealed value that is moved to another row does not open.
#[tokio::test(flavor = "multi_thread")]
async fn do_not_open_in_another_place() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let keys = keyring();
        for (field, text) in [("password", "one"), ("token", "two")] {
            db.put_secret(&key.scope, "sto_1", field, &Secret::new(text), &keys).await.unwrap();
        }
        let other = db.create_merchant(&key.scope.tenant, "Other").await.unwrap();
        let other = Scope { tenant: key.scope.tenant.clone(), merchant: other };
        db.put_secret(&other, "sto_2", "password", &Secret::new("three"), &keys).await.unwrap();
        let mut raw = world.raw().await;
        raw.run(
            "UPDATE secret SET sealed = (SELECT s.sealed FROM secret s WHERE s.object = 'sto_1' AND s.field = 'token')
             WHERE object = 'sto_1' AND field = 'password'",
        )
        .await
        .unwrap();
        assert!(matches!(db.secrets(&key.scope, "sto_1", &keys).await, Err(DbError::Refused(_))));
        assert_eq!(db.secrets(&other, "sto_2", &keys).await.unwrap()["password"].expose(), "three");
        raw.run("UPDATE secret SET object = 'sto_9' WHERE object = 'sto_2'").await.unwrap();
        assert!(matches!(db.secrets(&other, "sto_9", &keys).await, Err(DbError::Refused(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outlive_their_keys() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let (old, new) = (Keyring::generate(&OsRandom), Keyring::generate(&OsRandom));
        let (before, both) = (Keyring::parse(&old).unwrap(), Keyring::parse(&format!("{}\n{}", *new, *old)).unwrap());
        let mut scopes = Vec::new();
        for _ in 0..3 {
            let key = world.connection("acme").await;
            db.put_secret(&key.scope, "sto_1", "password", &Secret::new(PLANTED), &before).await.unwrap();
            scopes.push(key.scope);
        }
        // While somebody reads all the time.
        let reader = {
            let (db, scope, both) = (db.clone(), scopes[0].clone(), both.clone());
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(db.secrets(&scope, "sto_1", &both).await.unwrap()["password"].expose(), PLANTED);
                }
            })
        };
        assert_eq!(db.rotate_keys(&both).await.unwrap(), 3);
        assert_eq!(db.rotate_keys(&both).await.unwrap(), 0);
        assert_eq!(db.renew_data_key(&scopes[0].tenant, &both).await.unwrap(), 1);
        reader.await.unwrap();
        let after = Keyring::parse(&new).unwrap();
        for scope in &scopes {
            assert_eq!(db.secrets(scope, "sto_1", &after).await.unwrap()["password"].expose(), PLANTED);
            assert!(db.secrets(scope, "sto_1", &before).await.is_err(), "the old key opens nothing any more");
        }
    })
    .await;
}
