//! People, their links and sessions, and tries to sign in: on both databases, and from two nodes.

use std::collections::BTreeSet;

use connect::{OsRandom, Secret};
use jiff::SignedDuration;
use millrace::{
    accounts::throttle::{ACCOUNT, Rule},
    db::{
        Access, Database, DbError, EffectQuery, LinkKind, NewLink, NewSession, OrderQuery, Person, PersonRights,
        Redeeming, Scope, ShipmentQuery,
    },
    seal::Keyring,
};

use super::world::{Raw, World, on_both, requested};

pub fn rights(role: &str, merchants: Option<BTreeSet<connect::MerchantId>>) -> PersonRights {
    PersonRights { role: role.to_owned(), merchants, installation: false }
}

/// A person who came by an invitation.
pub async fn come(db: &Database, scope: &Scope, email: &str, rights: PersonRights) -> Person {
    let new = NewLink {
        kind: LinkKind::Invitation,
        hash: format!("hash of {email} {}", scope.tenant),
        person: None,
        email: email.to_owned(),
        name: "Ada".to_owned(),
        rights,
        expires_at: db.now().await.unwrap() + SignedDuration::from_hours(1),
    };
    db.create_link(&scope.tenant, new.clone(), "cli").await.unwrap();
    let link = db.find_link(&new.hash).await.unwrap().unwrap();
    let redeemed = db.redeem_link(&link, redeeming(&new.hash)).await.unwrap();
    assert_eq!(redeemed.kind, LinkKind::Invitation);
    db.person(&scope.tenant, &redeemed.person).await.unwrap()
}

fn redeeming(hash: &str) -> Redeeming {
    Redeeming {
        hash: hash.to_owned(),
        email: "first@example.com".to_owned(),
        name: "Ada".to_owned(),
        password_hash: Secret::new("password 1"),
    }
}

pub fn session(hash: &str) -> NewSession {
    NewSession {
        hash: hash.to_owned(),
        address: "192.0.2.1".to_owned(),
        agent: "Test".to_owned(),
        by: "password",
        proved_at: None,
        several_factors: false,
        factor: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_sign_in_and_go() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let scope = world.connection("acme").await.scope;
        let tenant = &scope.tenant;
        assert_eq!(db.number_of_people(tenant).await.unwrap(), 0);
        let merchants: BTreeSet<_> = [scope.merchant.clone()].into();
        let ada = come(&db, &scope, "ada@example.com", rights("administrator", None)).await;
        let joe = come(&db, &scope, "joe@example.com", rights("staff", Some(merchants.clone()))).await;
        assert_eq!(joe.rights.merchants, Some(merchants));
        assert_eq!(db.number_of_people(tenant).await.unwrap(), 2);
        let listed = db.people(tenant, "", 1).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&ada));
        assert_eq!(db.people(tenant, &ada.id, 10).await.unwrap(), std::slice::from_ref(&joe));
        assert_eq!(db.person(tenant, "JOE@example.com").await.unwrap(), joe);

        // Found before anybody knows whose they are; in a tenant that is named, in that one only.
        let (found, hash) = db.person_by_email(None, "Ada@Example.com").await.unwrap().unwrap();
        assert_eq!((found, hash.expose()), (ada.clone(), "password 1"));
        let other = world.connection("acme").await.scope;
        let namesake = come(&db, &other, "ada@example.com", rights("administrator", None)).await;
        let first = db.person_by_email(None, "ada@example.com").await.unwrap().unwrap().0;
        assert_eq!(first, ada, "who had the address first");
        let named = db.person_by_email(Some(&other.tenant), "ada@example.com").await.unwrap().unwrap().0;
        assert_eq!(named, namesake);
        assert!(db.person_by_email(None, "nobody@example.com").await.unwrap().is_none());
        assert!(matches!(db.person(&other.tenant, &joe.id).await, Err(DbError::NotFound(_))));

        // A session belongs to the password that was compared.
        let wrong = db.begin_session(&ada, &Secret::new("password 0"), session("s0"), "ada").await.unwrap();
        assert!(wrong.is_none());
        let own = db.begin_session(&ada, &hash, session("s1"), "ada").await.unwrap().unwrap();
        db.begin_session(&ada, &hash, session("s2"), "ada").await.unwrap().unwrap();
        assert_eq!(db.find_session("s1").await.unwrap().unwrap(), (own.clone(), ada.clone()));
        assert!(db.find_session("s3").await.unwrap().is_none());
        assert_eq!(db.sessions(tenant, &ada.id).await.unwrap().len(), 2);
        let proved = db.prove_session(tenant, &own.id, "s4", "ada").await.unwrap();
        assert!(proved.proved_at >= own.proved_at);
        assert!(db.find_session("s1").await.unwrap().is_none(), "its token is another one");
        assert!(matches!(db.end_session(tenant, &joe.id, &own.id, "joe").await, Err(DbError::NotFound(_))));
        db.end_session(tenant, &ada.id, &own.id, "ada").await.unwrap();
        assert!(db.find_session("s4").await.unwrap().unwrap().0.ended_at.is_some());
        assert!(matches!(db.prove_session(tenant, &own.id, "s5", "ada").await, Err(DbError::NotFound(_))));
        db.change_password(tenant, &ada.id, Secret::new("password 2"), "ada").await.unwrap();
        assert!(db.sessions(tenant, &ada.id).await.unwrap().is_empty());
        assert!(db.begin_session(&ada, &hash, session("s6"), "ada").await.unwrap().is_none());

        // The last administrator stays; others may go.
        let last = "administrator";
        for refused in [
            db.set_disabled(tenant, &ada.id, true, last, "cli").await,
            db.change_rights(tenant, &ada.id, rights("staff", None), last, "cli").await,
        ] {
            assert!(matches!(refused, Err(DbError::Conflict(_))), "{refused:?}");
        }
        assert!(!db.person(tenant, &ada.id).await.unwrap().disabled);
        db.set_disabled(tenant, &joe.id, true, last, "cli").await.unwrap();
        let none = rights("staff", Some(BTreeSet::new()));
        assert!(db.change_rights(tenant, &joe.id, none, last, "cli").await.is_err(), "limited to nothing is no limit");
        db.change_rights(tenant, &joe.id, rights("administrator", None), last, "cli").await.unwrap();
        assert_eq!(db.person(tenant, &joe.id).await.unwrap().rights, rights("administrator", None));
        let joes = db.password_hash(tenant, &joe.id).await.unwrap().unwrap();
        assert!(db.begin_session(&joe, &joes, session("s7"), "joe").await.unwrap().is_none(), "disabled");
        assert_eq!(db.verify_audit(&Access::from(tenant)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_lets_one_in() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let other = world.another_node().await;
        let scope = world.connection("acme").await.scope;
        let setup = |hash: &str, now: jiff::Timestamp| NewLink {
            kind: LinkKind::Setup,
            hash: hash.to_owned(),
            person: None,
            email: String::new(),
            name: String::new(),
            rights: rights("administrator", None),
            expires_at: now + SignedDuration::from_hours(1),
        };
        let now = db.now().await.unwrap();
        db.create_link(&scope.tenant, setup("one", now), "start").await.unwrap();
        db.create_link(&scope.tenant, setup("two", now), "start").await.unwrap();
        let replaced = db.find_link("one").await.unwrap().unwrap();
        assert!(!replaced.is_open(now) && replaced.withdrawn_at.is_some());
        assert!(matches!(db.redeem_link(&replaced, redeeming("one")).await, Err(DbError::NotFound(_))));
        let link = db.find_link("two").await.unwrap().unwrap();
        assert!(link.is_open(now) && !link.is_open(now + SignedDuration::from_hours(1)));
        assert!(matches!(db.redeem_link(&link, redeeming("three")).await, Err(DbError::NotFound(_))));
        let (here, there) =
            tokio::join!(db.redeem_link(&link, redeeming("two")), other.redeem_link(&link, redeeming("two")));
        assert_eq!([&here, &there].iter().filter(|came| came.is_ok()).count(), 1, "{here:?} {there:?}");
        assert_eq!(db.number_of_people(&scope.tenant).await.unwrap(), 1);
        // Once there is anybody, no set-up link works, however it came to be there.
        db.create_link(&scope.tenant, setup("late", now), "start").await.unwrap();
        let late = db.find_link("late").await.unwrap().unwrap();
        assert!(matches!(db.redeem_link(&late, redeeming("late")).await, Err(DbError::NotFound(_))));
        assert_eq!(db.find_link("late").await.unwrap().unwrap().used_at, None, "nothing of it is kept");
        let past = NewLink { expires_at: now, ..setup("past", now) };
        db.create_link(&scope.tenant, NewLink { kind: LinkKind::Reset, ..past }, "cli").await.unwrap();
        let past = db.find_link("past").await.unwrap().unwrap();
        assert!(matches!(db.redeem_link(&past, redeeming("past")).await, Err(DbError::NotFound(_))));
    })
    .await;
}

/// Tries are counted by all nodes together, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn tries_are_counted_together() {
    on_both(|world: World| async move {
        let nodes = [world.db.clone(), world.another_node().await];
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..60_usize {
            let db = nodes[number % 2].clone();
            let of_address = (format!("address {}", number % 7), Rule { free: 1000, ..ACCOUNT });
            tasks.spawn(async move { db.begin_try(vec![("ada".to_owned(), ACCOUNT), of_address]).await.unwrap() });
        }
        let mut admitted = 0;
        while let Some(answer) = tasks.join_next().await {
            admitted += usize::from(answer.unwrap().is_ok());
        }
        // Five are free; the sixth is looked at, and then one has to wait, at first for a second.
        assert!((6..=9).contains(&admitted), "{admitted} of 60 at the same time");
        let db = &nodes[0];
        let other = db.begin_try(vec![("bob".to_owned(), ACCOUNT)]).await.unwrap();
        assert!(other.is_ok(), "others are not kept waiting");
        db.end_try(vec!["address 0".to_owned()], Some("ada".to_owned())).await.unwrap();
        assert!(nodes[1].begin_try(vec![("ada".to_owned(), ACCOUNT)]).await.unwrap().is_ok());
        let mut raw = world.raw().await;
        let kept = raw.texts("SELECT cast(failures AS TEXT) FROM sign_in_try WHERE subject = 'ada'").await;
        assert_eq!(kept, ["1"]);
        raw.run("UPDATE sign_in_try SET last_at = 1 WHERE subject <> 'ada'").await.unwrap();
        db.forget_tries().await.unwrap();
        assert_eq!(raw.texts("SELECT subject FROM sign_in_try").await, ["ada"]);
    })
    .await;
}

/// A second factor's secret is sealed, bound to its person, and comes along when the data key is renewed.
#[tokio::test(flavor = "multi_thread")]
async fn second_factors_are_sealed() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let keyring = Keyring::parse(&Keyring::generate(&OsRandom)).unwrap();
        let scope = world.connection("acme").await.scope;
        let tenant = &scope.tenant;
        let ada = come(&db, &scope, "ada@example.com", rights("administrator", None)).await;
        let joe = come(&db, &scope, "joe@example.com", rights("staff", None)).await;
        assert!(db.factor(tenant, &ada.id, &keyring).await.unwrap().is_none());
        for (person, secret) in [(&ada, "ADASECRET"), (&joe, "JOESECRET")] {
            db.begin_factor(tenant, &person.id, Secret::new(secret), &keyring).await.unwrap();
            db.confirm_factor(tenant, &person.id, 7, vec![format!("code of {}", person.id)], "x").await.unwrap();
        }
        let again = db.begin_factor(tenant, &ada.id, Secret::new("OTHER"), &keyring).await;
        assert!(matches!(again, Err(DbError::Conflict(_))));
        assert!(db.confirm_factor(tenant, &ada.id, 8, Vec::new(), "x").await.is_err());
        assert!(db.person(tenant, &ada.id).await.unwrap().factor_since.is_some());
        db.renew_data_key(tenant, &keyring).await.unwrap();
        let factor = db.factor(tenant, &ada.id, &keyring).await.unwrap().unwrap();
        assert_eq!((factor.secret.expose(), factor.step), ("ADASECRET", Some(7)));

        for (step, used) in [(7, false), (6, false), (9, true), (9, false), (8, false), (10, true)] {
            assert_eq!(db.use_factor_step(tenant, &ada.id, step).await.unwrap(), used, "{step}");
        }
        let code = format!("code of {}", ada.id);
        assert!(!db.use_recovery_code(tenant, &joe.id, &code, "x").await.unwrap(), "somebody else's");
        assert!(db.use_recovery_code(tenant, &ada.id, &code, "x").await.unwrap());
        assert!(!db.use_recovery_code(tenant, &ada.id, &code, "x").await.unwrap());

        // Moved to another person it opens for nobody.
        let mut raw = world.raw().await;
        raw.run(&format!(
            "UPDATE person SET factor_sealed = (SELECT factor_sealed FROM person WHERE id = '{}') WHERE id = '{}'",
            ada.id, joe.id
        ))
        .await
        .unwrap();
        assert!(db.factor(tenant, &joe.id, &keyring).await.is_err());
        db.clear_factor(tenant, &ada.id, "x").await.unwrap();
        assert!(db.factor(tenant, &ada.id, &keyring).await.unwrap().is_none());
        assert!(matches!(db.clear_factor(tenant, &ada.id, "x").await, Err(DbError::NotFound(_))));
        let codes = raw.texts(&format!("SELECT hash FROM recovery_code WHERE person = '{}'", ada.id)).await;
        assert!(codes.is_empty(), "{codes:?}");
    })
    .await;
}

/// Somebody limited to several brands sees those, by query and, on PostgreSQL, by policy too.
#[tokio::test(flavor = "multi_thread")]
async fn several_brands_are_seen_and_no_others() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let one = world.connection("acme").await;
        let tenant = one.scope.tenant.clone();
        let mut keys = vec![one];
        for name in ["Second", "Third"] {
            let brand = db.create_merchant(&tenant, name).await.unwrap();
            keys.push(world.further_connection(&tenant, &brand, "acme").await);
        }
        let foreign = world.connection("acme").await;
        for (key, number) in keys.iter().chain([&foreign]).zip(1..) {
            db.record_orders(key, "acme", vec![requested(number)]).await.unwrap();
        }
        let access = |places: &[usize]| {
            let ids = places.iter().map(|place| keys[*place].scope.merchant.clone()).collect();
            Access::Merchants(tenant.clone(), ids)
        };
        for places in [vec![], vec![1], vec![0, 2], vec![0, 1, 2]] {
            let access = access(&places);
            let expected: BTreeSet<i64> = places.iter().map(|place| i64::try_from(*place).unwrap() + 1).collect();
            let orders = db.list_orders(&access, OrderQuery { limit: 10, ..OrderQuery::default() }).await.unwrap();
            assert_eq!(orders.items.iter().map(|order| order.order_id).collect::<BTreeSet<_>>(), expected);
            let effects = db.list_effects(&access, EffectQuery { limit: 10, ..EffectQuery::default() }).await.unwrap();
            assert_eq!(effects.items.len(), expected.len());
            let shipments = ShipmentQuery { limit: 10, ..ShipmentQuery::default() };
            assert!(db.list_shipments(&access, shipments).await.unwrap().items.is_empty());
            assert_eq!(db.connections(&access).await.unwrap().len(), expected.len());
            assert_eq!(db.stores(&access).await.unwrap().len(), expected.len());
            assert_eq!(db.warehouses(&access).await.unwrap().len(), expected.len());
            assert_eq!(db.passes(&access).await.unwrap().len(), expected.len());
            for number in 1..=4 {
                let found = db.find_order(&access, &number.to_string()).await;
                assert_eq!(found.is_ok(), expected.contains(&number), "{number} with {places:?}");
            }
            let events = db.events_after(&access, 0, 500).await.unwrap();
            let seen: BTreeSet<_> = events.into_iter().filter_map(|event| event.merchant).collect();
            assert_eq!(seen, places.iter().map(|place| keys[*place].scope.merchant.clone()).collect());
        }
        if let Raw::Postgres(_) = world.raw().await {
            let mut raw = world.raw().await;
            let narrow = "SELECT tablename::text FROM pg_policies WHERE policyname = 'own'
                AND qual LIKE '%millrace.merchant%' AND qual NOT LIKE '%string_to_array%'";
            assert_eq!(
                raw.texts(narrow).await,
                Vec::<String>::new(),
                "these hide rows from people with several merchants"
            );
            // The policy alone, without the query's own condition.
            use sqlx::Connection as _;
            let mut app = sqlx::PgConnection::connect(&world.url).await.unwrap();
            for (merchants, expected) in [(vec![0_usize, 2], 2_i64), (vec![1], 1), (vec![], 0)] {
                let list: Vec<String> = merchants.iter().map(|place| keys[*place].scope.merchant.to_string()).collect();
                let sql = format!(
                    "SET ROLE millrace_app; BEGIN; SELECT set_config('millrace.tenant', '{tenant}', true);
                     SELECT set_config('millrace.merchant', '{}', true)",
                    list.join(",")
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut app).await.unwrap();
                for table in ["orders", "request", "effect", "store", "merchant"] {
                    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
                    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut app).await.unwrap();
                    assert_eq!(count, expected, "{table} with {merchants:?}");
                }
                sqlx::raw_sql("ROLLBACK").execute(&mut app).await.unwrap();
            }
        }
    })
    .await;
}
