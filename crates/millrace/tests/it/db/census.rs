//! The census: what the hub's ledger says of orders, runs that are kept, findings that come and go, and repairs.

use std::collections::BTreeSet;

use connect::{EffectKind, FeedCursor, RemoteRef, Side};
use engine::{
    effect::EffectState::{Applied, NotSent, Unknown},
    finding::{Finding, FindingKind, Subject},
    order::Disposition,
};
use jiff::Timestamp;
use millrace::db::{
    Access, Advance, CensusOutcome, ConnectionKey, Database, DbError, Extent, FindingQuery, FindingRow, RepairPlan,
    Scope, Subject as EffectSubject,
};

use super::world::{
    DEADLINE, LEASE, World, arm_of, carry_out, decimal, effect, imported, on_both, order, request_key, requested,
    settlement, shipment,
};

fn orphan(note: i64) -> Finding {
    Finding {
        kind: FindingKind::OrphanNote,
        subject: Subject::Note(note),
        order_id: Some(1),
        what: format!("note {note}"),
    }
}

fn marker() -> Finding {
    Finding {
        kind: FindingKind::MarkerTwice,
        subject: Subject::Marker("01JEXAMPLE0123456789ABCDEF".to_owned()),
        order_id: None,
        what: "twice".to_owned(),
    }
}

fn outcome(findings: Vec<Finding>) -> CensusOutcome {
    CensusOutcome { unaccounted: 0, report: b"{}".to_vec(), findings, checked: FindingKind::ALL.into() }
}

async fn found(db: &Database, key: &ConnectionKey, resolved: bool) -> Vec<FindingRow> {
    let query = FindingQuery { connection: Some(key.clone()), resolved, limit: 100, ..FindingQuery::default() };
    db.list_findings(&key.into(), query).await.unwrap().items
}

async fn told(db: &Database, key: &ConnectionKey) -> Vec<String> {
    let events = db.events_after(&Access::from(key), 0, 500).await.unwrap();
    events.into_iter().filter(|event| event.what == "finding").map(|event| event.change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_kept_with_what_they_showed() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        assert!(db.census_runs(&key).await.unwrap().is_empty());
        db.begin_census(&key).await.unwrap();
        let begun = db.census_runs(&key).await.unwrap();
        db.begin_census(&key).await.unwrap();
        assert_eq!(db.census_runs(&key).await.unwrap(), begun, "beginning again changes nothing");
        assert_eq!(begun.iter().map(|run| run.extent).collect::<Vec<_>>(), [Extent::Recent, Extent::Full]);
        let wanted = db.want_census(&key, Extent::Full).await.unwrap();
        let full = db.census_runs(&key).await.unwrap().remove(1);
        assert_eq!(full.wanted_at.map(Timestamp::as_millisecond), Some(wanted.as_millisecond()));
        db.start_census(&key, Extent::Full).await.unwrap();
        db.fail_census(&key, Extent::Full, "no answer").await.unwrap();
        let full = db.census_runs(&key).await.unwrap().remove(1);
        assert!(full.wanted_at.is_none() && full.finished_at.is_none());
        assert_eq!(full.problem.as_deref(), Some("no answer"));
        db.start_census(&key, Extent::Full).await.unwrap();
        let report = CensusOutcome { unaccounted: 2, ..outcome(Vec::new()) };
        db.finish_census(&key, Extent::Full, report).await.unwrap();
        let full = db.census_runs(&key).await.unwrap().remove(1);
        assert_eq!((full.problem, full.unaccounted, full.report), (None, Some(2), Some(b"{}".to_vec())));
        assert!(full.finished_at >= full.started_at);
        assert_eq!(db.census_runs(&key).await.unwrap()[0].started_at, None, "the other extent has its own row");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_come_stay_go_and_come_again() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        db.begin_census(&key).await.unwrap();
        let look = async |findings| db.finish_census(&key, Extent::Recent, outcome(findings)).await.unwrap();
        look(vec![orphan(7), orphan(8), orphan(7), marker()]).await;
        let first = found(db, &key, false).await;
        assert_eq!(first.len(), 3, "each is kept once");
        look(vec![orphan(7), marker()]).await;
        let second = found(db, &key, false).await;
        assert_eq!(second.len(), 2);
        let seven = second.iter().find(|row| row.finding == orphan(7)).unwrap();
        assert!(first.iter().any(|row| row.id == seven.id && row.first_at == seven.first_at), "the same one stays");
        // A look that could not look for it leaves it as it was.
        let blind = CensusOutcome { checked: BTreeSet::new(), ..outcome(Vec::new()) };
        db.finish_census(&key, Extent::Recent, blind).await.unwrap();
        assert_eq!(found(db, &key, false).await.len(), 2);
        // A correction that was made twice stays made, however short a time was looked at.
        look(Vec::new()).await;
        let open = found(db, &key, false).await;
        assert_eq!(open.iter().map(|row| &row.finding).collect::<Vec<_>>(), [&marker()]);
        assert_eq!(found(db, &key, true).await.len(), 3);
        look(vec![orphan(7), marker()]).await;
        let again = found(db, &key, false).await;
        assert!(again.iter().any(|row| row.id == seven.id && row.first_at == row.last_at), "a spell of its own");
        let told = told(db, &key).await;
        let count = |change: &str| told.iter().filter(|told| *told == change).count();
        assert_eq!((count("orphan_note"), count("marker_twice"), count("resolved")), (3, 1, 2), "{told:?}");
        let only =
            FindingQuery { kinds: vec![FindingKind::OrphanNote], resolved: true, limit: 1, ..FindingQuery::default() };
        let page = db.list_findings(&(&key).into(), only.clone()).await.unwrap();
        assert_eq!(page.items.len(), 1);
        let next = FindingQuery { after: page.next, ..only };
        assert_eq!(db.list_findings(&(&key).into(), next).await.unwrap().items.len(), 1);
    })
    .await;
}

fn deletion(key: &str) -> RepairPlan {
    let mut effect = effect(EffectKind::DeleteNote, key, "order:acme:1");
    effect.subject = EffectSubject::default();
    RepairPlan { effect: Some(effect), deletes_note: Some(7), ..RepairPlan::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_is_planned_once_and_signed() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        db.begin_census(&key).await.unwrap();
        db.finish_census(&key, Extent::Recent, outcome(vec![orphan(7)])).await.unwrap();
        let id = found(db, &key, false).await[0].id.clone();
        db.repair(&key, &id, deletion("d"), "ann", "looked at it").await.unwrap();
        let row = db.find_finding(&(&key).into(), &id).await.unwrap();
        assert_eq!((row.repair_by.as_deref(), row.repair_reason.as_deref()), (Some("ann"), Some("looked at it")));
        let effect = row.repair_effect.expect("the effect that came of it");
        let again = db.repair(&key, &id, deletion("d"), "ann", "again").await;
        assert!(matches!(again, Err(DbError::Conflict(_))), "{again:?}");
        let done = carry_out(db, &key, Side::Source, &[Applied]).await;
        assert_eq!(done.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [effect]);
        // Its own effect has ended: pressing again finds it under its key and does nothing twice.
        let again = db.repair(&key, &id, deletion("d"), "ann", "again").await;
        assert!(matches!(again, Err(DbError::Conflict(_))), "{again:?}");
        assert!(db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows.is_empty());
        let audit = db.audit_after(&(&key).into(), 0, 100).await.unwrap();
        assert_eq!(audit.iter().filter(|row| row.action == "finding.repair" && row.actor == "ann").count(), 1);
        db.finish_census(&key, Extent::Recent, outcome(Vec::new())).await.unwrap();
        let gone = db.repair(&key, &id, RepairPlan::default(), "ann", "late").await;
        assert!(matches!(gone, Err(DbError::Conflict(_))), "{gone:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_became_somebodys_is_not_deleted() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        db.begin_census(&key).await.unwrap();
        db.finish_census(&key, Extent::Recent, outcome(vec![orphan(7)])).await.unwrap();
        let id = found(db, &key, false).await[0].id.clone();
        // Something of the order is on its way: it may be about to take the note for its own.
        db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "c", "order:acme:1")]).await.unwrap();
        let busy = db.repair(&key, &id, deletion("d"), "ann", "r").await;
        assert!(matches!(busy, Err(DbError::Conflict(_))), "{busy:?}");
        let rows = db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows;
        db.arm(&key, rows.iter().map(arm_of).collect(), DEADLINE).await.unwrap();
        let mut adopted = settlement(&rows[0], &[Applied]);
        adopted.remote = Some(RemoteRef::new("7"));
        db.settle(&key, vec![adopted]).await.unwrap();
        let taken = db.repair(&key, &id, deletion("d"), "ann", "r").await;
        assert!(matches!(taken, Err(DbError::Conflict(why)) if why.contains("belongs to")), "it was adopted");
        assert!(
            db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows.is_empty(),
            "nothing was planned"
        );
        assert_eq!(db.find_finding(&(&key).into(), &id).await.unwrap().repair_by, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_by_word_stays_settled_and_marks_are_shown_on_the_order() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        db.begin_census(&key).await.unwrap();
        db.finish_census(&key, Extent::Recent, outcome(vec![marker(), orphan(7)])).await.unwrap();
        let rows = found(db, &key, false).await;
        let id = |finding: &Finding| rows.iter().find(|row| row.finding == *finding).unwrap().id.clone();
        let waits = db.stock_waits(&key).await.unwrap();
        assert!(waits.is_some_and(|why| why.starts_with("twice: ")), "K3 stops what made it");
        let settle = RepairPlan { resolves: true, ..RepairPlan::default() };
        db.repair(&key, &id(&marker()), settle, "ann", "corrected by hand").await.unwrap();
        assert_eq!(db.stock_waits(&key).await.unwrap(), None);
        let mark = RepairPlan { mark: Some("look at note 7".to_owned()), ..RepairPlan::default() };
        db.repair(&key, &id(&orphan(7)), mark, "ann", "ask the shop").await.unwrap();
        let shown = async || {
            let found = db.find_order(&(&key).into(), "1").await.unwrap();
            db.order(&key.scope, &found.id).await.unwrap().view
        };
        let marked = shown().await;
        assert_eq!((marked.state.as_str(), marked.reason.as_str()), ("error", "look at note 7"));
        // Whatever is read meanwhile leaves it, until somebody has the order looked at afresh.
        db.mark_seen(&key, 1, "seen", None).await.unwrap();
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        assert_eq!(shown().await.reason, "look at note 7");
        db.look_afresh(&key, 1).await.unwrap();
        assert_ne!(shown().await.state.as_str(), "error");
        let mark = RepairPlan { mark: Some("look at note 7".to_owned()), ..RepairPlan::default() };
        db.repair(&key, &id(&orphan(7)), mark, "ann", "ask once more").await.unwrap();
        assert_eq!(shown().await.reason, "look at note 7");
        db.finish_census(&key, Extent::Recent, outcome(vec![marker(), orphan(7)])).await.unwrap();
        let open = found(db, &key, false).await;
        assert_eq!(open.iter().map(|row| &row.finding).collect::<Vec<_>>(), [&orphan(7)]);
        db.finish_census(&key, Extent::Recent, outcome(vec![marker()])).await.unwrap();
        assert_ne!(shown().await.state.as_str(), "error", "it is settled there");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hubs_ledger_says_where_its_orders_are() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let held = imported(order(3), Disposition::Held("a SKU is not mapped".to_owned()), Vec::new());
        db.record_orders(&key, "acme", vec![requested(1), requested(2), held]).await.unwrap();
        let before = db.now().await.unwrap();
        let rows = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        db.arm(&key, rows.iter().map(arm_of).collect(), DEADLINE).await.unwrap();
        let of = |number: i64| rows.iter().find(|row| row.key == request_key(number)).unwrap();
        let settled = vec![settlement(of(1), &[Applied]), settlement(of(2), &[Unknown])];
        assert!(db.settle(&key, settled).await.unwrap().into_iter().all(|done| done));
        let left = shipment(&order(1), "S1", &request_key(1), &[3, 0]);
        db.record_shipments(&key, vec![left], Vec::new(), &[], &[], &FeedCursor(None)).await.unwrap();

        let ledger = db.census_orders(&key, &[1, 2, 3, 4]).await.unwrap();
        assert_eq!(ledger.keys().copied().collect::<Vec<_>>(), [1, 2, 3], "what is not known is left out");
        let sent = &ledger[&1].requests[0];
        assert_eq!((sent.submit, sent.sent, sent.some_left, sent.all_left), (Applied, true, true, false));
        assert_eq!(sent.rows.iter().map(|row| row.quantity).collect::<Vec<_>>(), [decimal("3"), decimal("1")]);
        let left = &ledger[&1].shipments[0];
        assert_eq!((left.reference.as_str(), left.to_be_told, left.told_at), ("S1", true, None));
        assert_eq!(left.tracking, ["1ZS1"]);
        assert_eq!(ledger[&2].requests[0].submit, Unknown);
        assert_eq!(ledger[&3].disposition, Disposition::Held("a SKU is not mapped".to_owned()));

        assert_eq!(db.unknown_effects(&key, before).await.unwrap(), [], "not yet for too long");
        let soon = db.now().await.unwrap().checked_add(jiff::SignedDuration::from_secs(60)).unwrap();
        let unknown = db.unknown_effects(&key, soon).await.unwrap();
        assert_eq!(unknown.iter().map(|effect| effect.order_id).collect::<Vec<_>>(), [Some(2)]);
        assert_eq!(db.census_ids(&key, soon).await.unwrap(), BTreeSet::from([1, 2, 3]), "what is open, whenever");

        // Looking again moves the time of the next look and nothing else.
        db.look_again(&key, Some(2), None).await.unwrap();
        assert_eq!(db.census_orders(&key, &[2]).await.unwrap()[&2].requests[0].submit, Unknown);
        assert!(db.next_effect_due(&key, Side::Warehouse).await.unwrap().unwrap() <= soon);
        let work = db.requests_to_advance(&key, 10).await.unwrap();
        let version = work.iter().find(|work| work.order_id == 1).unwrap().version;
        let request = work.iter().find(|work| work.order_id == 1).unwrap().id.clone();
        let steps = Advance {
            effects: vec![{
                let mut create = effect(EffectKind::CreateNote, "note", "order:acme:1");
                create.subject.order = Some(ledger[&1].id.clone());
                create.subject.request = Some(request.clone());
                create
            }],
            ..Advance::default()
        };
        db.advance(&key, &request, version, steps).await.unwrap();
        assert!(db.census_orders(&key, &[1]).await.unwrap()[&1].busy, "a note is being made");
        carry_out(db, &key, Side::Source, &[NotSent]).await;
        assert!(db.census_orders(&key, &[1]).await.unwrap()[&1].busy);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_who_else_holds_an_order_and_why_nothing_moves() {
    on_both(|world: World| async move {
        let db = &world.db;
        let ours = world.connection("acme").await;
        let (tenant, merchant) = (ours.scope.tenant.clone(), ours.scope.merchant.clone());
        let beside = world.further_connection(&tenant, &merchant, "acme").await;
        let foreign = world.connection("acme").await;
        db.record_orders(&ours, "acme", vec![requested(1)]).await.unwrap();
        assert_eq!(db.held_elsewhere(&ours, "acme", &[1]).await.unwrap().len(), 0, "it is its own");
        let named = db.held_elsewhere(&beside, "acme", &[1, 2]).await.unwrap();
        assert!(named[&1].holder.contains("claimed by connection") && !named[&1].rows.is_empty(), "{named:?}");
        let hidden = db.held_elsewhere(&foreign, "acme", &[1]).await.unwrap();
        assert_eq!(hidden[&1].holder, "held by another connection of this installation");

        let why = async || db.why_stopped(&ours).await.unwrap();
        assert_eq!(why().await.as_deref(), Some("the connection is switched off"));
        db.enable_connection(&ours, true).await.unwrap();
        db.set_channel(&ours, millrace::db::ChannelKind::Orders, true, 60).await.unwrap();
        assert_eq!(why().await, None);
        db.pause(&ours, Side::Warehouse, Some("refused")).await.unwrap();
        assert_eq!(why().await.as_deref(), Some("the connection is paused: refused"));
        db.set_frozen(true).await.unwrap();
        assert!(why().await.unwrap().contains("frozen"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_and_runs_are_out_of_others_reach() {
    on_both(|world: World| async move {
        let db = &world.db;
        let (ours, theirs) = (world.connection("acme").await, world.connection("acme").await);
        db.begin_census(&ours).await.unwrap();
        db.finish_census(&ours, Extent::Recent, outcome(vec![orphan(7)])).await.unwrap();
        let id = found(db, &ours, false).await[0].id.clone();
        let brand = db.create_merchant(&ours.scope.tenant, "Other brand").await.unwrap();
        for scope in [theirs.scope.clone(), Scope { tenant: ours.scope.tenant.clone(), merchant: brand }] {
            let key = ConnectionKey { scope: scope.clone(), connection: ours.connection.clone() };
            let access: Access = (&scope).into();
            assert!(db.census_runs(&key).await.unwrap().is_empty());
            assert!(
                db.list_findings(&access, FindingQuery { limit: 10, ..FindingQuery::default() })
                    .await
                    .unwrap()
                    .items
                    .is_empty()
            );
            assert!(matches!(db.find_finding(&access, &id).await, Err(DbError::NotFound(_))));
            let repair = db.repair(&key, &id, RepairPlan::default(), "eve", "r").await;
            assert!(matches!(repair, Err(DbError::NotFound(_))), "{repair:?}");
            assert!(db.begin_census(&key).await.is_err(), "no such connection there");
        }
        let tenant: Access = (&ours.scope.tenant).into();
        assert_eq!(db.find_finding(&tenant, &id).await.unwrap().key, ours, "the tenant sees all its brands");
    })
    .await;
}
