//! Lists that are ordered by name: a name says where to go on, also when its row is gone.

use connect::MerchantId;
use millrace::db::{Access, AlertPolicy, DEFAULT_POLICY, PolicySettings, Scope};

use super::world::{World, on_both};

fn policy(name: &str, merchant: Option<&MerchantId>) -> AlertPolicy {
    AlertPolicy {
        id: String::new(),
        merchant: merchant.cloned(),
        name: name.to_owned(),
        enabled: true,
        settings: PolicySettings::default(),
    }
}

fn first_one() -> AlertPolicy {
    AlertPolicy { id: DEFAULT_POLICY.to_owned(), ..policy(DEFAULT_POLICY, None) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_behind_a_row_that_is_gone() {
    on_both(|world: World| async move {
        // The whole of it: its folder goes with it.
        let world = world;
        let db = world.db.clone();
        let tenant = db.create_tenant("Acme Group").await.unwrap();
        let access = Access::from(&tenant);
        for name in ["d", "b", "a", "c"] {
            db.create_merchant(&tenant, name).await.unwrap();
        }
        let first = db.list_merchants(&access, None, 2).await.unwrap();
        assert_eq!(first.items.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(first.next.as_deref(), Some("b"));
        db.delete_merchant(&tenant, &first.items[1].id).await.unwrap();
        db.create_merchant(&tenant, "a2").await.unwrap();
        let rest = db.list_merchants(&access, first.next.as_deref(), 2).await.unwrap();
        assert_eq!(rest.items.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["c", "d"]);
        assert_eq!(rest.next, None);
        assert_eq!(db.merchants(&tenant).await.unwrap().len(), 4, "all of them need no pages");
        let only = Access::Merchant(Scope { tenant, merchant: rest.items[0].id.clone() });
        assert_eq!(db.list_merchants(&only, None, 2).await.unwrap().items, rest.items[..1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_put_away_make_no_page_short() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let first = world.connection("acme").await;
        let Scope { tenant, merchant } = first.scope.clone();
        let mut made = vec![first];
        for account in ["b", "c", "d", "e", "f"] {
            made.push(world.further_connection(&tenant, &merchant, account).await);
        }
        for (key, name) in made.iter().step_by(2).zip(["0 away", "1 away", "2 away"]) {
            db.archive_connection(key, name).await.unwrap();
        }
        let access = Access::from(&tenant);
        let page = db.list_connections(&access, false, None, 2).await.unwrap();
        assert_eq!(page.items.len(), 2);
        let rest = db.list_connections(&access, false, page.next.as_deref(), 2).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (1, None));
        assert!(page.items.iter().chain(&rest.items).all(|one| !one.archived));
        let all = db.list_connections(&access, true, None, 500).await.unwrap();
        assert_eq!((all.items.len(), all.next), (6, None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_policy_has_its_place_in_the_list() {
    on_both(|world: World| async move {
        // The whole of it: its folder goes with it.
        let world = world;
        let db = world.db.clone();
        let tenant = db.create_tenant("Acme Group").await.unwrap();
        let merchant = db.create_merchant(&tenant, "Acme").await.unwrap();
        let access = Access::from(&tenant);
        db.put_alert_policy(&access, policy("chat", Some(&merchant)), "test").await.unwrap();
        db.put_alert_policy(&access, policy("night", None), "test").await.unwrap();
        let walk = async |access: &Access| {
            let (mut names, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = db.list_alert_policies(access, first_one(), after.as_deref(), 1).await.unwrap();
                names.extend(page.items.into_iter().map(|policy| (policy.name, policy.enabled)));
                after = page.next;
                if after.is_none() {
                    return names;
                }
            }
        };
        let named = |given: &[(&str, bool)]| -> Vec<(String, bool)> {
            given.iter().map(|(name, enabled)| ((*name).to_owned(), *enabled)).collect()
        };
        assert_eq!(walk(&access).await, named(&[("chat", true), ("default", true), ("night", true)]));
        let own = Access::Merchant(Scope { tenant: tenant.clone(), merchant });
        assert_eq!(walk(&own).await, named(&[("chat", true)]), "the default one is the tenant's");
        // Once somebody has changed it, it is a row like the others.
        db.put_alert_policy(&access, AlertPolicy { enabled: false, ..first_one() }, "test").await.unwrap();
        assert_eq!(walk(&access).await, named(&[("chat", true), ("default", false), ("night", true)]));
    })
    .await;
}
