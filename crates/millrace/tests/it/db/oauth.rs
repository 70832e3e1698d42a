//! Granted tokens and consents, on both databases and from two nodes; and hand-offs out of another merchant's reach.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{NewTokens, OsRandom, Refreshed, Secret};
use jiff::SignedDuration;
use millrace::{
    db::{
        Access, Database, DbError, EndpointChange, NewConsent, NewEndpoint, NewHandOff, Scope, StoreKey, Target,
        TargetKind,
    },
    seal::Keyring,
};

use super::world::{World, on_both};

fn keyring() -> Keyring {
    Keyring::parse(&Keyring::generate(&OsRandom)).unwrap()
}

fn endpoint(name: &str) -> NewEndpoint {
    NewEndpoint {
        name: name.to_owned(),
        platform: "brightpearl".to_owned(),
        account: "acme".to_owned(),
        ..NewEndpoint::default()
    }
}

async fn store(db: &Database, scope: &Scope) -> StoreKey {
    let store = db.create_store(scope, endpoint("another")).await.unwrap();
    StoreKey { scope: scope.clone(), store }
}

async fn tokens(db: &Database, number: u32) -> NewTokens {
    NewTokens {
        access: Secret::new(format!("CANARY-access-{number}")),
        refresh: Secret::new(format!("CANARY-refresh-{number}")),
        api_domain: "ws-use.brightpearl.com".to_owned(),
        expires_at: db.now().await.unwrap() + SignedDuration::from_hours(1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refreshes_and_new_tokens_take_the_place_of_the_old() {
    on_both(|world: World| async move {
        let (db, other) = (world.db.clone(), world.another_node().await);
        let key = store(&db, &world.connection("acme").await.scope).await;
        let ring = keyring();
        let turn = Duration::from_secs(60);
        assert!(db.grant(&key, &ring).await.unwrap().is_none());
        assert!(db.begin_refresh(&key, 1, turn).await.unwrap().is_none(), "nothing was granted");
        db.keep_grant(&key, tokens(&db, 1).await, "13", &ring, "ada").await.unwrap();
        assert_eq!(db.grant(&key, &ring).await.unwrap().unwrap().refresh.expose(), "CANARY-refresh-1");

        // Of many on two nodes one has the turn.
        let tries: Vec<_> = (0..16)
            .map(|number| {
                let (db, key) = (if number % 2 == 0 { db.clone() } else { other.clone() }, key.clone());
                tokio::spawn(async move { db.begin_refresh(&key, 1, turn).await.unwrap() })
            })
            .collect();
        let mut turns = Vec::new();
        for one in tries {
            turns.extend(one.await.unwrap());
        }
        assert_eq!(turns.len(), 1);
        let until = turns[0];
        db.end_refresh(&key, 1, until, Refreshed::Tokens(tokens(&db, 2).await), &ring).await.unwrap();
        // A second answer to the same, however late, changes nothing.
        db.end_refresh(&key, 1, until, Refreshed::Tokens(tokens(&db, 3).await), &ring).await.unwrap();
        db.end_refresh(&key, 1, until, Refreshed::Refused, &ring).await.unwrap();
        let grant = other.grant(&key, &ring).await.unwrap().unwrap();
        assert_eq!((grant.version, grant.refresh.expose(), grant.lost), (2, "CANARY-refresh-2", None));
        assert!(db.begin_refresh(&key, 1, turn).await.unwrap().is_none(), "that version is over");

        // Nothing left: the turn is free again. No answer, and then a refusal: it is known why.
        let until = db.begin_refresh(&key, 2, turn).await.unwrap().unwrap();
        db.end_refresh(&key, 2, until, Refreshed::NotSent, &ring).await.unwrap();
        let next = other.begin_refresh(&key, 2, turn * 2).await.unwrap().unwrap();
        // Who had the turn before does not end this one.
        db.end_refresh(&key, 2, until, Refreshed::NotSent, &ring).await.unwrap();
        assert!(db.begin_refresh(&key, 2, turn).await.unwrap().is_none());
        other.end_refresh(&key, 2, next, Refreshed::Unanswered, &ring).await.unwrap();
        let last = db.begin_refresh(&key, 2, turn).await.unwrap().unwrap();
        db.end_refresh(&key, 2, last, Refreshed::Refused, &ring).await.unwrap();
        let lost = db.grant_view(&key).await.unwrap().unwrap().lost.unwrap();
        assert!(lost.contains("was lost"), "{lost}");
        assert!(db.begin_refresh(&key, 2, turn).await.unwrap().is_none(), "it is lost");
        db.keep_grant(&key, tokens(&db, 4).await, "", &ring, "ada").await.unwrap();
        assert_eq!(db.grant_view(&key).await.unwrap().unwrap().lost, None);

        // Sealed, renewed with the tenant's key, and gone with the store.
        assert_eq!(db.renew_data_key(&key.scope.tenant, &ring).await.unwrap(), 2);
        assert_eq!(db.grant(&key, &ring).await.unwrap().unwrap().access.expose(), "CANARY-access-4");
        let mut raw = world.raw().await;
        let hex = if world.db.is_postgres() { "encode(sealed, 'hex')" } else { "hex(sealed)" };
        let sealed = raw.texts(&format!("SELECT lower({hex}) FROM secret WHERE object LIKE 'oauth:%'")).await;
        assert_eq!(sealed.len(), 2);
        let canary: String = "CANARY".bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(sealed.iter().all(|text| !text.contains(&canary)));
        db.delete_store(&key.scope, &key.store).await.unwrap();
        assert!(raw.texts("SELECT object FROM secret WHERE object LIKE 'oauth:%'").await.is_empty());
        assert_eq!(db.verify_audit(&Access::from(&key.scope.tenant)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_taken_once_by_its_session() {
    on_both(|world: World| async move {
        let (db, other) = (world.db.clone(), world.another_node().await);
        let key = store(&db, &world.connection("acme").await.scope).await;
        let stranger = world.connection("acme").await.scope;
        let tenant = &key.scope.tenant;
        let now = db.now().await.unwrap();
        let consent = |hash: &str, minutes: i64| NewConsent {
            hash: hash.to_owned(),
            session: "ses_1".to_owned(),
            redirect_uri: "https://hub.example.com/oauth/brightpearl".to_owned(),
            expires_at: now + SignedDuration::from_mins(minutes),
        };
        db.begin_consent(&key, consent("h1", -1), "ada").await.unwrap();
        assert!(db.take_consent(tenant, "h1", "ses_1").await.unwrap().is_none(), "it is over");
        db.begin_consent(&key, consent("h2", 10), "ada").await.unwrap();
        assert!(db.take_consent(tenant, "h2", "ses_2").await.unwrap().is_none(), "another session's");
        assert!(db.take_consent(&stranger.tenant, "h2", "ses_1").await.unwrap().is_none(), "another tenant's");
        let (one, two) =
            tokio::join!(db.take_consent(tenant, "h2", "ses_1"), other.take_consent(tenant, "h2", "ses_1"));
        let taken: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(taken.len(), 1, "of two at the same time one has it");
        assert_eq!(taken[0].key, key);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_off_is_saved_once_and_belongs_to_its_merchant() {
    on_both(|world: World| async move {
        let (db, other) = (world.db.clone(), world.another_node().await);
        let scope = world.connection("acme").await.scope;
        let brand = db.create_merchant(&scope.tenant, "Brand").await.unwrap();
        let foreign = Scope { tenant: scope.tenant.clone(), merchant: brand };
        let ring = keyring();
        let new = NewHandOff {
            hash: "hash".to_owned(),
            target: Target {
                kind: TargetKind::Store,
                endpoint: None,
                name: "Handed".to_owned(),
                platform: "brightpearl".to_owned(),
                settings: BTreeMap::new(),
            },
            fields: BTreeSet::from(["password".to_owned()]),
            asked_by: "Ada".to_owned(),
            expires_at: db.now().await.unwrap() + SignedDuration::from_hours(1),
        };
        let id = db.create_hand_off(&scope, new, "ada").await.unwrap();
        let link = db.find_link("hash").await.unwrap().unwrap();
        assert_eq!((link.id.as_str(), &link.tenant), (id.as_str(), &scope.tenant));
        assert!(matches!(db.hand_off(&(&foreign).into(), &id).await, Err(DbError::NotFound(_))));
        assert!(db.hand_offs(&(&foreign).into(), None, 10).await.unwrap().is_empty());
        assert!(!db.begin_hand_off_test(&foreign, &id, 10).await.unwrap(), "another merchant's is not there");
        let some = Access::Merchants(scope.tenant.clone(), [scope.merchant.clone(), foreign.merchant.clone()].into());
        let found = db.hand_off(&some, &id).await.unwrap();
        assert_eq!(db.hand_offs(&(&scope.tenant).into(), None, 10).await.unwrap(), std::slice::from_ref(&found));
        assert!(db.begin_hand_off_test(&scope, &id, 1).await.unwrap());
        assert!(!db.begin_hand_off_test(&scope, &id, 1).await.unwrap(), "there is an end");

        // A name that is taken keeps nothing, and the link is as it was.
        db.create_store(&scope, endpoint("Taken")).await.unwrap();
        let given = |name| EndpointChange {
            kind: TargetKind::Store,
            known: None,
            new: endpoint(name),
            secrets: BTreeMap::from([("password".to_owned(), Secret::new("CANARY"))]),
            moves: false,
        };
        let taken = db.save_hand_off(&found, "hash", given("Taken"), &ring).await;
        assert!(matches!(taken, Err(DbError::Conflict(_))), "{taken:?}");
        let (one, two) = tokio::join!(
            db.save_hand_off(&found, "hash", given("Handed"), &ring),
            other.save_hand_off(&found, "hash", given("Handed"), &ring)
        );
        let made: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(made.len(), 1, "of two at the same time one saves");
        assert_eq!(db.secrets(&scope, made[0].as_str(), &ring).await.unwrap()["password"].expose(), "CANARY");
        assert!(db.find_link("hash").await.unwrap().unwrap().used_at.is_some());
        assert_eq!(db.verify_audit(&Access::from(&scope.tenant)).await.unwrap(), None);
    })
    .await;
}
