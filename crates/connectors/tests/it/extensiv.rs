//! Extensiv 3PL Warehouse Manager, against the simulator under each answer to an open question.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    Armed, Capability, Clock as _, EffectDraft, EffectKind, ErrorKind, FeedCursor, Guard, HttpRequest, HttpResponse,
    HttpTransport, HttpWaits, Prepared, Probe, RemoteRef, RequestState, Sent, Shipment, StockPage, Transport,
    TransportError, Warehouse, WebhookCall,
};
use rust_decimal::Decimal;
use simulators::{
    extensiv::{
        CancelUntil, CompleteShows, Config, Dispatch, Duplicates, Extensiv, Habits, Handle, Load, LocalTimes,
        Quantities, Received, Rest, Running, Switches, WebhookRules,
    },
    faults::{Fault, FaultRule},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::hub::{HandClock, at, context, effect, effects, request, settings, warehouse};

const CUSTOMER: u64 = 143;

struct Site {
    simulator: Running,
    warehouse: Arc<dyn Warehouse>,
    clock: Arc<HandClock>,
}

impl Site {
    async fn new(switches: Switches) -> Self {
        Self::with(Config { switches, ..Config::default() }, &[]).await
    }

    async fn with(config: Config, more: &[(&str, &str)]) -> Self {
        let simulator = Extensiv::start(config).await.unwrap();
        let handle = simulator.handle();
        for sku in ["SKU-A", "SKU-LOT"] {
            handle.add_item(CUSTOMER, sku);
            handle.receive(&Received::plain(CUSTOMER, 10, sku, 1000.into()));
        }
        let clock = HandClock::new();
        let waits = HttpWaits { total: Duration::from_secs(2), ..HttpWaits::default() };
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap());
        let warehouse = connector(&simulator.base_url(), &clock, transport, more);
        Self { simulator, warehouse, clock }
    }

    fn handle(&self) -> Handle {
        self.simulator.handle()
    }

    fn arm(&self, draft: &EffectDraft, baseline: serde_json::Value) -> Armed {
        Armed { effect: effect(draft), baseline, attempt: 1, armed_at: self.clock.now() }
    }

    /// Prepared, which must find nothing in the way, and armed.
    async fn ready(&self, draft: &EffectDraft) -> Armed {
        match self.prepare(draft).await {
            Prepared::Ready { baseline } => self.arm(draft, baseline),
            other => panic!("not ready: {other:?}"),
        }
    }

    async fn prepare(&self, draft: &EffectDraft) -> Prepared {
        self.warehouse.prepare(&[effect(draft)]).await.unwrap().remove(0)
    }

    async fn send(&self, armed: &Armed) -> Sent {
        self.send_by(armed, self.clock.monotonic() + Duration::from_secs(30)).await
    }

    async fn send_by(&self, armed: &Armed, until: Duration) -> Sent {
        self.warehouse.send(std::slice::from_ref(armed), until).await.outcomes.remove(0)
    }

    async fn probe(&self, armed: &Armed) -> Probe {
        self.warehouse.probe(std::slice::from_ref(armed)).await.unwrap().remove(0)
    }

    /// Creates an order, held.
    async fn submit(&self, key: &str) -> (Armed, RemoteRef) {
        let armed = self.ready(&plan(self.warehouse.as_ref(), key)).await;
        match self.send(&armed).await {
            Sent::Accepted { reference: Some(reference) } => (armed, reference),
            other => panic!("not created: {other:?}"),
        }
    }

    /// Creates an order and lets it be picked; its number.
    async fn order(&self, key: &str) -> u64 {
        let (_, reference) = self.submit(key).await;
        let release = self.ready(&self.warehouse.plan_release(key, &reference).unwrap()).await;
        assert!(matches!(self.send(&release).await, Sent::Accepted { .. }));
        reference.id.parse().unwrap()
    }

    /// Everything that left, each shipment as last read, with the states of what did not.
    async fn shipments(&self, cursor: &mut FeedCursor) -> (BTreeMap<String, Shipment>, BTreeMap<String, RequestState>) {
        let (mut shipments, mut states) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..20 {
            let page = self.warehouse.shipments(cursor).await.unwrap();
            assert_eq!(page.rejected, []);
            shipments.extend(page.shipments.into_iter().map(|shipment| (shipment.reference.clone(), shipment)));
            states.extend(page.states);
            *cursor = page.next;
            if !page.more {
                return (shipments, states);
            }
        }
        panic!("the reading did not end");
    }
}

fn connector(
    base: &str,
    clock: &Arc<HandClock>,
    transport: Arc<dyn Transport>,
    more: &[(&str, &str)],
) -> Arc<dyn Warehouse> {
    let mut values = vec![
        ("base_url", base),
        ("client_id", "client"),
        ("user_login_id", "millrace"),
        ("customer_id", "143"),
        ("facility_id", "10"),
        ("calls_per_minute", "100000"),
    ];
    values.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    values.extend_from_slice(more);
    let secret = ("client_secret", "secret");
    warehouse("extensiv", &settings(&values, &[secret]), &context(Arc::clone(clock), transport, None))
}

fn plan(warehouse: &dyn Warehouse, key: &str) -> EffectDraft {
    warehouse.plan_submit(&[request(key)], at("2026-11-23T06:30:00Z")).remove(0).unwrap()
}

#[tokio::test]
async fn under_every_answer_to_an_open_question_orders_go_out_once_and_come_back() {
    let mut all = vec![("as expected", Switches::default())];
    all.extend(Switches::alternatives());
    for (name, switches) in all {
        let site = Site::new(switches).await;
        let handle = site.handle();
        let check = site.warehouse.check().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(check.facilities.contains(&"10".to_owned()), "{name}: {check:?}");
        assert!(!check.carriers.is_empty(), "{name}: {check:?}");
        let lists = site.warehouse.choices().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&lists.facilities, &lists.carriers), (&check.facilities, &check.carriers), "{name}");

        let keys: Vec<String> = (1..=12).map(|number| format!("BPacme-O{number}")).collect();
        for key in &keys {
            let (submitted, reference) = site.submit(key).await;
            assert!(matches!(site.probe(&submitted).await, Probe::Equal(found) if found == reference), "{name}");
            let again = site.prepare(&plan(site.warehouse.as_ref(), key)).await;
            assert!(matches!(again, Prepared::Found(Probe::Equal(_))), "{name}: {again:?}");
            let release = site.warehouse.plan_release(key, &reference).unwrap();
            let armed = site.ready(&release).await;
            assert_eq!(site.probe(&armed).await, Probe::Absent, "{name}");
            let sent = site.send(&armed).await;
            assert!(matches!(sent, Sent::Accepted { .. }), "{name}: {sent:?}");
            // Asking again must end well whether or not the order shows that it is complete.
            match site.prepare(&release).await {
                Prepared::Ready { baseline } => {
                    assert_eq!(switches.complete_shows, CompleteShows::Nothing, "{name}");
                    let sent = site.send(&site.arm(&release, baseline)).await;
                    assert!(matches!(sent, Sent::Accepted { .. }), "{name}: {sent:?}");
                }
                Prepared::Found(Probe::Equal(_)) => {}
                other => panic!("{name}: {other:?}"),
            }
        }
        let mut cursor = FeedCursor::default();
        let mut shipments = BTreeMap::new();
        let mut quiet = 0;
        while quiet < 2 {
            quiet = if handle.work() == 0 { quiet + 1 } else { 0 };
            shipments.extend(site.shipments(&mut cursor).await.0);
        }
        let ledger = handle.ledger();
        assert!(ledger.duplicates.is_empty(), "{name}");
        for order in &ledger.orders {
            let shipment = shipments.get(&order.order_id.to_string()).unwrap_or_else(|| panic!("{name}: {order:?}"));
            let mut left: BTreeMap<&str, Decimal> = BTreeMap::new();
            for (_, sku, units) in &order.shipped {
                *left.entry(sku).or_default() += units;
            }
            let mut told: BTreeMap<&str, Decimal> = BTreeMap::new();
            for line in shipment.lines() {
                *told.entry(&line.sku).or_default() += line.quantity;
                assert!(line.line_number.is_some(), "{name}: {line:?}");
            }
            assert_eq!(told, left, "{name}");
            assert!(keys.contains(&shipment.key), "{name}: {shipment:?}");
            assert!(!shipment.tracking_numbers().is_empty(), "{name}: {shipment:?}");
            // Which zone the times are in is an open question; the setting answers it for the facility's.
            if switches.local_times == LocalTimes::Facility {
                let apart = shipment.shipped_at.as_second() - order.closed_at.unwrap().as_second();
                assert!(apart.abs() <= 1, "{name}: {} s", apart);
            }
        }
        assert_eq!(shipments.len(), ledger.orders.len(), "{name}");
        // What leaves last ends the order, and nothing else does.
        for key in &keys {
            let ends = shipments.values().filter(|shipment| shipment.key == *key && shipment.is_final).count();
            assert_eq!(ends, 1, "{name}: {key}");
        }

        let stock = site.warehouse.stock().await.unwrap();
        let levels: BTreeMap<_, _> = stock.feeds[0].levels.iter().map(|level| (level.sku.as_str(), level)).collect();
        for truth in handle.stock() {
            let level = levels[truth.sku.as_str()];
            assert_eq!((level.available, level.physical), (Some(truth.available), Some(truth.physical)), "{name}");
            assert_eq!(level.facility.as_deref(), Some("10"));
        }
    }
}

#[tokio::test]
async fn cancelling_ends_as_the_warehouse_has_it() {
    for until in [CancelUntil::Complete, CancelUntil::Picking, CancelUntil::Closed, CancelUntil::Never] {
        let site = Site::new(Switches { cancel_until: until, ..Switches::default() }).await;
        let (_, reference) = site.submit("BPacme-O1").await;
        let cancel = site.warehouse.plan_cancel("BPacme-O1", &reference, at("2026-11-23T06:30:00Z")).unwrap();
        let armed = site.ready(&cancel).await;
        let sent = site.send(&armed).await;
        if until == CancelUntil::Never {
            let Sent::Refused { code, .. } = &sent else { panic!("{sent:?}") };
            assert!(site.warehouse.too_late(code), "{code}");
            assert!(!site.warehouse.too_late("AuthorizationException"));
            assert_eq!(site.probe(&armed).await, Probe::Absent);
        } else {
            assert!(matches!(sent, Sent::Accepted { .. }), "{until:?}: {sent:?}");
            assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
            assert!(matches!(site.prepare(&cancel).await, Prepared::Found(Probe::Equal(_))));
            // What was cancelled is not made again, nor released.
            let again = site.prepare(&plan(site.warehouse.as_ref(), "BPacme-O1")).await;
            let Prepared::Found(Probe::Equal(found)) = again else { panic!("{again:?}") };
            assert_eq!(found.facts.get("state").map(String::as_str), Some("cancelled"));
            let release = site.warehouse.plan_release("BPacme-O1", &reference).unwrap();
            assert!(matches!(site.prepare(&release).await, Prepared::Found(Probe::Different { .. })));
            let (_, states) = site.shipments(&mut FeedCursor::default()).await;
            assert_eq!(states["BPacme-O1"], RequestState::Cancelled);
        }
        let id = site.order("BPacme-O2").await;
        site.handle().ship(id, &Dispatch::full()).unwrap();
        let late = site
            .warehouse
            .plan_cancel("BPacme-O2", &RemoteRef::new(id.to_string()), at("2026-11-23T06:30:00Z"))
            .unwrap();
        let late = site.prepare(&late).await;
        let Prepared::Found(Probe::Equal(found)) = late else { panic!("{late:?}") };
        assert_eq!(found.facts.get("outcome").map(String::as_str), Some("too_late"));
    }
    let site = Site::new(Switches::default()).await;
    assert!(site.warehouse.plan_cancel("BPacme-O1", &RemoteRef::new("x"), at("2026-11-23T06:30:00Z")).is_err());
}

/// A blank yes says nothing of the order, and what was accepted may go again at once.
#[tokio::test]
async fn a_yes_to_a_cancel_counts_once_the_order_says_so() {
    for body in ["", "{}"] {
        let site = Site::new(Switches::default()).await;
        let (_, reference) = site.submit("BPacme-O1").await;
        let cancel = site.warehouse.plan_cancel("BPacme-O1", &reference, at("2026-11-23T06:30:00Z")).unwrap();
        let armed = site.ready(&cancel).await;
        let yes = Fault::Answer { status: 200, headers: BTreeMap::new(), body: body.to_owned() };
        site.simulator.faults().add(FaultRule::new(yes).path_contains("/canceler").first(1));
        let sent = site.send(&armed).await;
        assert!(matches!(&sent, Sent::Unknown { why } if why.contains("has not come to its end")), "{sent:?}");
        assert_eq!(site.probe(&armed).await, Probe::Absent);
        // Nothing can be read after it.
        site.simulator.faults().add(FaultRule::new(Fault::Outage).method("GET").path_contains("/orders").first(3));
        let sent = site.send(&armed).await;
        assert!(matches!(&sent, Sent::Unknown { why } if why.contains("could not be read")), "{sent:?}");
        site.simulator.faults().clear();
        let Probe::Equal(found) = site.probe(&armed).await else { panic!("it is cancelled") };
        assert_eq!((found.id, found.facts.get("outcome")), (reference.id.clone(), None));
    }
    // Accepted, it carries what the order says of itself.
    let site = Site::new(Switches::default()).await;
    let (_, reference) = site.submit("BPacme-O1").await;
    let cancel = site.warehouse.plan_cancel("BPacme-O1", &reference, at("2026-11-23T06:30:00Z")).unwrap();
    let armed = site.ready(&cancel).await;
    let Sent::Accepted { reference: Some(found) } = site.send(&armed).await else { panic!("it is cancelled") };
    assert_eq!((found.id, found.facts.get("state").map(String::as_str)), (reference.id, Some("cancelled")));
    // What is split off and goes on speaks for the whole, also to a probe.
    let id = site.order("BPacme-O2").await;
    let cancel =
        site.warehouse.plan_cancel("BPacme-O2", &RemoteRef::new(id.to_string()), at("2026-11-23T06:30:00Z")).unwrap();
    let some = Dispatch {
        quantities: Quantities::Only(BTreeMap::from([("SKU-A".to_owned(), 2.into())])),
        rest: Rest::Split,
        load: Load::Boxes(1),
    };
    let armed = site.arm(&cancel, serde_json::json!({}));
    site.handle().ship(id, &some).unwrap().expect("the rest is split off");
    let probe = site.probe(&armed).await;
    assert!(matches!(&probe, Probe::Different { difference, .. } if difference.contains("split")), "{probe:?}");
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_found() {
    let hold = Duration::from_secs(10);
    for fault in [
        Fault::TimeoutAfterEffect { hold },
        Fault::ResetMidBody,
        Fault::TruncatedBody,
        Fault::HtmlBody,
        Fault::ErrorAfterEffect { html: false },
        Fault::ErrorAfterEffect { html: true },
    ] {
        let site = Site::new(Switches::default()).await;
        let armed = site.ready(&plan(site.warehouse.as_ref(), "BPacme-O1")).await;
        site.simulator.faults().add(FaultRule::new(fault.clone()).method("POST").path_contains("/orders").first(1));
        let sent = site.send(&armed).await;
        assert!(matches!(sent, Sent::Unknown { .. }), "{fault:?}: {sent:?}");
        assert!(matches!(site.probe(&armed).await, Probe::Equal(_)), "{fault:?}");
        assert_eq!(site.handle().ledger().orders.len(), 1);
    }
    for fault in
        [Fault::Refuse, Fault::TimeoutBeforeEffect { hold }, Fault::ErrorBeforeEffect { html: false }, Fault::Outage]
    {
        let site = Site::new(Switches::default()).await;
        let armed = site.ready(&plan(site.warehouse.as_ref(), "BPacme-O1")).await;
        site.simulator.faults().add(FaultRule::new(fault.clone()).method("POST").path_contains("/orders").first(1));
        let sent = site.send(&armed).await;
        assert!(matches!(sent, Sent::Unknown { .. }), "{fault:?}: {sent:?}");
        assert_eq!(site.probe(&armed).await, Probe::Absent, "{fault:?}");
    }
}

#[tokio::test]
async fn a_doubled_order_is_never_released() {
    let site = Site::new(Switches::default()).await;
    let draft = plan(site.warehouse.as_ref(), "BPacme-O1");
    let armed = site.ready(&draft).await;
    let rule =
        FaultRule::new(Fault::DuplicateDelivery { answer_second: false }).method("POST").path_contains("/orders");
    site.simulator.faults().add(rule.first(1));
    let Sent::Accepted { reference: Some(reference) } = site.send(&armed).await else { panic!("it was answered") };
    assert!(matches!(site.probe(&armed).await, Probe::Many(found) if found.len() == 2));
    let release = site.warehouse.plan_release("BPacme-O1", &reference).unwrap();
    assert!(matches!(site.prepare(&release).await, Prepared::Found(Probe::Many(_))));

    // Where the warehouse refuses repeats, the refusal is looked up, not believed.
    for duplicates in [Duplicates::RefusedAmongLive, Duplicates::RefusedEver] {
        let site = Site::new(Switches { duplicates, ..Switches::default() }).await;
        let (armed, _) = site.submit("BPacme-O1").await;
        assert!(matches!(site.send(&armed).await, Sent::Unknown { .. }));
        assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
        let mut other = request("BPacme-O1");
        other.ship_to.line1 = "2 Low St".to_owned();
        let other = site.warehouse.plan_submit(&[other], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let found = site.probe(&site.arm(&other, serde_json::json!({}))).await;
        assert!(matches!(&found, Probe::Different { difference, .. } if difference.contains("address1")), "{found:?}");
    }
}

#[tokio::test]
async fn what_is_there_is_compared_before_it_is_taken_for_ours() {
    let site = Site::new(Switches::default()).await;
    site.submit("BPacme-O1").await;
    // Keys that begin alike are other orders.
    assert!(matches!(site.prepare(&plan(site.warehouse.as_ref(), "BPacme-O")).await, Prepared::Ready { .. }));
    site.submit("BPacme-O10").await;
    let found = |change: fn(&mut connect::ShipmentRequest)| {
        let mut changed = request("BPacme-O1");
        change(&mut changed);
        let draft = site.warehouse.plan_submit(&[changed], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let site = &site;
        async move { format!("{:?}", site.prepare(&draft).await) }
    };
    assert!(found(|_| {}).await.contains("Equal"));
    for (told, outcome) in [
        ("SKU-A", found(|request| request.lines[0].quantity = 6.into()).await),
        ("SKU-B", found(|request| request.lines[0].sku = "SKU-B".into()).await),
        ("facility", found(|request| request.facility = Some("11".into())).await),
        ("(zip)", found(|request| request.ship_to.postcode = "LS2".into()).await),
    ] {
        assert!(outcome.contains("Different") && outcome.contains(told), "{told}: {outcome}");
    }
    // Many are looked up together.
    let keys: Vec<String> = (1..=40).map(|number| format!("BPacme-O{number}")).collect();
    let drafts: Vec<_> = keys.iter().map(|key| plan(site.warehouse.as_ref(), key)).collect();
    let prepared = site.warehouse.prepare(&effects(&drafts)).await.unwrap();
    let there: Vec<_> = keys
        .iter()
        .zip(&prepared)
        .filter(|(_, prepared)| matches!(prepared, Prepared::Found(_)))
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(there, ["BPacme-O1", "BPacme-O10"]);
}

#[tokio::test]
async fn an_order_that_changed_meanwhile_is_read_again() {
    let site = Site::new(Switches::default()).await;
    let (_, reference) = site.submit("BPacme-O1").await;
    let release = site.warehouse.plan_release("BPacme-O1", &reference).unwrap();
    let armed = site.ready(&release).await;
    let id = reference.id.parse().unwrap();
    assert!(site.handle().hold(id, Some("wait")));
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient), "{sent:?}");
    assert!(matches!(site.prepare(&release).await, Prepared::NotYet { .. }));
    let (_, states) = site.shipments(&mut FeedCursor::default()).await;
    assert_eq!(states["BPacme-O1"], RequestState::Held);
    assert!(site.handle().hold(id, None));
    let armed = site.ready(&release).await;
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));

    // What waited too long for a free call is not sent any more.
    let (_, reference) = site.submit("BPacme-O2").await;
    let armed = site.ready(&site.warehouse.plan_release("BPacme-O2", &reference).unwrap()).await;
    let until = site.clock.monotonic() + Duration::from_secs(30);
    site.clock.pass(Duration::from_secs(31));
    assert!(matches!(site.send_by(&armed, until).await, Sent::NotSent { .. }));
    let unread = site.arm(&site.warehouse.plan_release("BPacme-O2", &reference).unwrap(), serde_json::json!({}));
    assert!(matches!(site.send(&unread).await, Sent::NotSent { .. }));
}

#[tokio::test]
async fn an_order_that_the_search_does_not_show_yet_is_not_released() {
    let site = Site::with(Config { search_lag: Duration::from_secs(5), ..Config::default() }, &[]).await;
    let (submitted, reference) = site.submit("BPacme-O1").await;
    assert_eq!(site.probe(&submitted).await, Probe::Absent);
    let release = site.warehouse.plan_release("BPacme-O1", &reference).unwrap();
    assert!(matches!(site.prepare(&release).await, Prepared::NotYet { .. }));
    site.handle().advance(Duration::from_secs(6));
    assert!(matches!(site.probe(&submitted).await, Probe::Equal(_)));
    site.ready(&release).await;
}

#[tokio::test]
async fn tokens_end_and_are_renewed() {
    let site = Site::new(Switches::default()).await;
    site.warehouse.check().await.unwrap();
    site.handle().expire_tokens();
    site.warehouse.stock().await.unwrap();
    let armed = site.ready(&plan(site.warehouse.as_ref(), "BPacme-O1")).await;
    site.handle().expire_tokens();
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient), "{sent:?}");
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));

    for (more, secret) in
        [(("client_id", "other"), "secret"), (("user_login_id", "other"), "secret"), (("client_id", "client"), "wrong")]
    {
        let base = site.simulator.base_url();
        let mut values = vec![
            ("base_url", base.as_str()),
            ("customer_id", "143"),
            ("client_id", "client"),
            ("user_login_id", "millrace"),
        ];
        values.retain(|(name, _)| *name != more.0);
        values.push(more);
        let transport: Arc<dyn Transport> =
            Arc::new(HttpTransport::new(HttpWaits::default(), Guard::stand_ins()).unwrap());
        let wrong = warehouse(
            "extensiv",
            &settings(&values, &[("client_secret", secret)]),
            &context(HandClock::new(), transport, None),
        );
        let refused = wrong.check().await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Credentials, "{refused}");
        assert!(!refused.message.contains(secret), "{refused}");
        let sent = wrong.send(std::slice::from_ref(&armed), Duration::from_secs(1_000_000)).await.outcomes.remove(0);
        assert!(matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Credentials), "{sent:?}");
    }
    let numbered = Site::with(Config::default(), &[("user_login_id", "7")]).await;
    numbered.warehouse.check().await.unwrap();
    let dynamic = Config { tpl: Some("{0f6d1c2e-0000-4000-8000-000000000001}".to_owned()), ..Config::default() };
    let dynamic = Site::with(dynamic, &[("tpl_key", "0f6d1c2e-0000-4000-8000-000000000001")]).await;
    dynamic.warehouse.check().await.unwrap();
}

#[tokio::test]
async fn parts_come_as_parts_and_only_the_last_is_final() {
    let site = Site::new(Switches::default()).await;
    let id = site.order("BPacme-O1").await;
    let some = Dispatch {
        quantities: Quantities::Only(BTreeMap::from([("SKU-A".to_owned(), 2.into())])),
        rest: Rest::Split,
        load: Load::Boxes(2),
    };
    let split = site.handle().ship(id, &some).unwrap().expect("the rest is split off");
    let mut cursor = FeedCursor::default();
    let (shipments, _) = site.shipments(&mut cursor).await;
    let first = &shipments[&id.to_string()];
    assert!(!first.is_final && first.key == "BPacme-O1", "{first:?}");
    assert_eq!(first.packages.len(), 2);
    assert_eq!(first.lines().map(|line| line.quantity).sum::<Decimal>(), 2.into());
    // A second release is not asked for the part; a cancel of the whole is a person's matter.
    let cancel =
        site.warehouse.plan_cancel("BPacme-O1", &RemoteRef::new(id.to_string()), at("2026-11-23T06:30:00Z")).unwrap();
    assert!(matches!(site.prepare(&cancel).await, Prepared::Found(Probe::Different { .. })));
    // The whole is still found equal: what was split off counts.
    assert!(matches!(
        site.prepare(&plan(site.warehouse.as_ref(), "BPacme-O1")).await,
        Prepared::Found(Probe::Equal(_))
    ));

    site.handle().ship(split, &Dispatch::full()).unwrap();
    let (shipments, _) = site.shipments(&mut cursor).await;
    let second = &shipments[&split.to_string()];
    assert!(second.is_final && second.key == "BPacme-O1", "{second:?}");
    assert_eq!(second.lines().map(|line| line.quantity).sum::<Decimal>(), 6.into());
}

#[tokio::test]
async fn goods_without_boxes_are_loose_and_tracking_is_found_where_it_is() {
    for details in ["true", "false"] {
        let site = Site::with(Config::default(), &[("include_package_details", details)]).await;
        for (number, load) in [Load::BoxesWithoutContents(2), Load::Freight, Load::BillOfLading].into_iter().enumerate()
        {
            let id = site.order(&format!("BPacme-O{number}")).await;
            site.handle().ship(id, &Dispatch { load, ..Dispatch::full() }).unwrap();
            let (shipments, _) = site.shipments(&mut FeedCursor::default()).await;
            let shipment = &shipments[&id.to_string()];
            assert_eq!(shipment.loose.iter().map(|line| line.quantity).sum::<Decimal>(), 8.into(), "{shipment:?}");
            assert!(shipment.packages.iter().all(|package| package.lines.is_empty()));
            let order = site.handle().ledger().orders.into_iter().find(|order| order.order_id == id).unwrap();
            let expected = match load {
                Load::BillOfLading => order.bill_of_lading,
                _ => order.tracking,
            };
            assert_eq!(shipment.tracking_numbers()[0], expected, "{load:?}");
        }
    }
}

/// What is in the boxes may not be wanted; their numbers are.
#[tokio::test]
async fn without_package_details_each_box_is_still_told_by_its_number() {
    let numbers = |details: &'static str| async move {
        let site = Site::with(Config::default(), &[("include_package_details", details)]).await;
        let id = site.order("BPacme-O1").await;
        site.handle().ship(id, &Dispatch { load: Load::Boxes(3), ..Dispatch::full() }).unwrap();
        let asked = FaultRule::new(Fault::Refuse).path_contains("/packages");
        site.simulator.faults().add(asked);
        let (shipments, _) = site.shipments(&mut FeedCursor::default()).await;
        let shipment = &shipments[&id.to_string()];
        let is_loose = shipment.loose.iter().map(|line| line.quantity).sum::<Decimal>() == 8.into();
        assert_eq!(is_loose, details == "false", "{shipment:?}");
        assert!(site.simulator.faults().fired().is_empty(), "nothing more is asked for them");
        shipment.tracking_numbers().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let told = numbers("false").await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told, numbers("true").await);
}

#[tokio::test]
async fn a_long_list_of_changes_is_read_in_pages_and_again_from_the_cursor() {
    let habits = Habits { split_percent: 0, short_percent: 0, boxes_percent: 0, freight_percent: 0, cancel_percent: 0 };
    let site = Site::with(Config { habits, ..Config::default() }, &[]).await;
    for number in 0..230 {
        site.order(&format!("BPacme-O{number}")).await;
    }
    let mut cursor = FeedCursor::default();
    let (_, states) = site.shipments(&mut cursor).await;
    assert_eq!(states.len(), 230);
    assert!(site.handle().work_until_quiet(20));
    let (shipments, _) = site.shipments(&mut cursor).await;
    // The stock is enough for 200 orders of five.
    let closed = site.handle().ledger().orders.iter().filter(|order| order.closed_at.is_some()).count();
    assert_eq!(shipments.len(), closed);
    assert!(closed >= 200, "{closed}");
    let before = cursor.clone();
    site.shipments(&mut cursor).await;
    assert_eq!(cursor, before, "nothing new, nothing moved");
}

#[tokio::test]
async fn calls_of_the_warehouse_are_hints_once_their_signature_fits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let rules = WebhookRules { allow_http_to_loopback: true, ..WebhookRules::default() };
    let site = Site::with(Config { webhooks: rules, ..Config::default() }, &[]).await;
    site.handle().subscribe(&url, true).unwrap();

    let id = site.order("BPacme-O1").await;
    let call = receive(&listener).await;
    let hints = site.warehouse.parse_webhook(&call).await.unwrap();
    assert!(hints[0].event_id.contains(':') && hints[0].subject.contains(&id.to_string()), "{hints:?}");

    let rejected = ErrorKind::Rejected { code: "signature".to_owned() };
    let mut forged = call.clone();
    forged.body.push(b' ');
    assert_eq!(site.warehouse.parse_webhook(&forged).await.unwrap_err().kind, rejected);
    let unsigned = WebhookCall { headers: Vec::new(), ..call.clone() };
    assert_eq!(site.warehouse.parse_webhook(&unsigned).await.unwrap_err().kind, rejected);

    // After a change of the vendor's key.
    site.handle().rotate_webhook_key();
    site.clock.pass(Duration::from_secs(61));
    site.handle().ship(id, &Dispatch::full()).unwrap();
    let mut hint = None;
    for _ in 0..20 {
        let call = receive(&listener).await;
        if let Ok(hints) = site.warehouse.parse_webhook(&call).await
            && hints[0].event == "OrderConfirm"
        {
            hint = hints.into_iter().next();
            break;
        }
    }
    assert!(hint.is_some(), "the call signed with the new key is understood");
}

/// One call, answered.
pub async fn receive(listener: &TcpListener) -> WebhookCall {
    let (stream, _) =
        tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.expect("a call comes").unwrap();
    answered(stream).await
}

/// Every call that comes, at least this many, each answered.
pub async fn receive_all(listener: &TcpListener, least: usize) -> Vec<WebhookCall> {
    let mut calls = Vec::new();
    while calls.len() < least {
        calls.push(receive(listener).await);
    }
    while let Ok(accepted) = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await {
        calls.push(answered(accepted.unwrap().0).await);
    }
    calls
}

async fn answered(mut stream: TcpStream) -> WebhookCall {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let headers: Vec<(String, String)> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
        if body.len() >= length {
            let body = body.as_bytes().to_vec();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
            return WebhookCall { headers, body, received_at: at("2026-11-23T06:30:00Z") };
        }
    }
}

/// Answers as told, in order, and keeps what it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<HttpResponse, TransportError>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn new(answers: Vec<Result<HttpResponse, TransportError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into()), asked: Mutex::default() })
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.asked.lock().unwrap().push(format!("{} {}", request.method, request.url));
        self.answers.lock().unwrap().pop_front().expect("no more calls than expected")
    }
}

fn answer(status: u16, body: &str) -> Result<HttpResponse, TransportError> {
    let headers = vec![("date".to_owned(), "Mon, 23 Nov 2026 07:00:00 GMT".to_owned())];
    Ok(HttpResponse { status, headers, body: body.to_owned().into() })
}

fn token() -> Result<HttpResponse, TransportError> {
    answer(200, r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#)
}

async fn stock_of(
    answers: Vec<Result<HttpResponse, TransportError>>,
) -> (Result<StockPage, connect::ConnectorError>, Vec<String>) {
    let script = Script::new(answers);
    let transport: Arc<dyn Transport> = script.clone();
    let warehouse = connector("https://secure-wms.example", &HandClock::new(), transport, &[]);
    let outcome = warehouse.stock().await;
    let asked = script.asked.lock().unwrap().clone();
    (outcome, asked)
}

fn summary(sku: &str, qualifier: &str, available: &str, on_hand: &str) -> String {
    format!(
        r#"{{"itemIdentifier":{{"sku":"{sku}","id":1}},"qualifier":"{qualifier}","available":{available},"onHand":{on_hand},"facilityId":10}}"#
    )
}

#[tokio::test]
async fn stock_is_whole_or_not_at_all() {
    let rows =
        [summary("A", "", "95.5", "100.0"), summary("A", "B-GRADE", "1.0", "1.0"), summary("STRANGER", "", "7", "7")]
            .join(",");
    let items = r#"{"totalResults":1,"_embedded":{"item":[{"sku":"A"}]}}"#;
    let (page, asked) = stock_of(vec![
        token(),
        answer(200, &format!(r#"{{"totalResults":3,"summaries":[{rows}]}}"#)),
        answer(200, items),
    ])
    .await;
    let feed = &page.unwrap().feeds[0];
    assert_eq!(feed.levels.len(), 1, "another customer's SKU is left out");
    assert_eq!((feed.levels[0].available, feed.levels[0].physical), (Some("96.5".parse().unwrap()), Some(101.into())));
    assert_eq!(feed.cut_off, at("2026-11-23T07:00:00Z"));
    assert!(!feed.absent_is_zero);
    assert!(asked[1].contains("rql=customerIdentifier.id%3D%3D143"), "{asked:?}");

    let short = format!(r#"{{"totalResults":4,"summaries":[{rows}]}}"#);
    assert_eq!(stock_of(vec![token(), answer(200, &short)]).await.0.unwrap_err().kind, ErrorKind::Transient);
    let many = format!(r#"{{"totalResults":501,"summaries":[{}]}}"#, vec![summary("A", "", "1", "1"); 500].join(","));
    let fewer = r#"{"totalResults":500,"summaries":[]}"#;
    assert_eq!(
        stock_of(vec![token(), answer(200, &many), answer(200, fewer)]).await.0.unwrap_err().kind,
        ErrorKind::Transient
    );
    // A page of somebody between us says nothing about the stock: it is asked for again.
    assert_eq!(stock_of(vec![token(), answer(200, "<html>")]).await.0.unwrap_err().kind, ErrorKind::Transient);
    for odd in ["[]", "{}", r#"{"totalResults":1,"summaries":[{"available":1}]}"#] {
        assert_eq!(stock_of(vec![token(), answer(200, odd)]).await.0.unwrap_err().kind, ErrorKind::Unexpected, "{odd}");
    }
}

#[tokio::test]
async fn failed_calls_are_sorted_by_what_to_do() {
    for (status, kind) in [
        (403, ErrorKind::Credentials),
        (404, ErrorKind::NotFound),
        (429, ErrorKind::RateLimited { retry_after: None }),
        (400, ErrorKind::Rejected { code: "400".to_owned() }),
        (500, ErrorKind::Transient),
        (302, ErrorKind::Transient),
    ] {
        assert_eq!(stock_of(vec![token(), answer(status, "text")]).await.0.unwrap_err().kind, kind, "{status}");
    }
    // What stands in front of the service says nothing of credentials, nor of what there is.
    for status in [400, 401, 403, 404] {
        let page = || answer(status, "<html>");
        let stock = stock_of(vec![token(), page(), token(), page()]).await;
        assert_eq!(stock.0.unwrap_err().kind, ErrorKind::Transient, "{status}");
        assert_eq!(stock_of(vec![page()]).await.0.unwrap_err().kind, ErrorKind::Transient, "the sign-in: {status}");
    }
    let twice = vec![token(), answer(401, ""), token(), answer(401, "")];
    assert_eq!(stock_of(twice).await.0.unwrap_err().kind, ErrorKind::Credentials);
    let lost = vec![token(), Err(TransportError::Unknown("reset".to_owned()))];
    assert_eq!(stock_of(lost).await.0.unwrap_err().kind, ErrorKind::Transient);
    for (status, kind) in [
        (401, ErrorKind::Credentials),
        (400, ErrorKind::Credentials),
        (500, ErrorKind::Transient),
        (200, ErrorKind::Unexpected),
    ] {
        assert_eq!(stock_of(vec![answer(status, "{}")]).await.0.unwrap_err().kind, kind, "token {status}");
    }

    // A changing call: once, with an honest word.
    let lost = || Err(TransportError::Unknown("reset".to_owned()));
    let unreached = || Err(TransportError::NotSent("no route".to_owned()));
    for (answers, expected) in [
        (vec![unreached()], "not sent"),
        (vec![token(), unreached()], "not sent"),
        (vec![token(), lost()], "unknown"),
        (vec![token(), answer(500, "text")], "unknown"),
        (vec![token(), answer(307, "")], "unknown"),
        (vec![token(), answer(401, ""), token()], "not sent"),
        (vec![token(), answer(401, ""), answer(401, "{}")], "credentials"),
        (vec![answer(401, r#"{"Message":"invalid_client"}"#)], "credentials"),
        (vec![token(), answer(429, "")], "throttled"),
    ] {
        let clock = HandClock::new();
        let count = answers.len();
        let script = Script::new(answers);
        let transport: Arc<dyn Transport> = script.clone();
        let warehouse = connector("https://secure-wms.example", &clock, transport, &[]);
        let draft = plan(warehouse.as_ref(), "BPacme-O1");
        let armed =
            Armed { effect: effect(&draft), baseline: serde_json::json!({}), attempt: 1, armed_at: clock.now() };
        let delivery = warehouse.send(&[armed], Duration::from_secs(1_000_000)).await;
        let got = match &delivery.outcomes[0] {
            Sent::NotSent { cause } if cause.kind == ErrorKind::Credentials => "credentials",
            Sent::NotSent { .. } => "not sent",
            Sent::Throttled { .. } => "throttled",
            Sent::Unknown { .. } => "unknown",
            other => panic!("{other:?}"),
        };
        assert_eq!(got, expected);
        assert_eq!(script.asked.lock().unwrap().len(), count, "no call is repeated");
        assert!(!format!("{:?}", delivery.capture).contains("Bearer"));
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_before_anything_is_sent() {
    let warehouse = connector(
        "https://secure-wms.example",
        &HandClock::new(),
        Script::new(Vec::new()),
        &[("billing_postcode", "30301"), ("ups_account", "1X2Y"), ("customer_retailer_id", "9")],
    );
    let changed = |change: fn(&mut connect::ShipmentRequest)| {
        let mut request = request("BPacme-O1");
        change(&mut request);
        warehouse.plan_submit(&[request], at("2026-11-23T06:30:00Z")).remove(0)
    };
    let draft = changed(|_| {}).unwrap();
    let body: serde_json::Value = serde_json::from_str(&draft.body).unwrap();
    assert_eq!(body["deferNotification"], true);
    assert_eq!((&body["referenceNum"], &body["poNum"]), (&"BPacme-O1".into(), &"PO4500".into()));
    assert_eq!(body["orderItems"][0]["qty"].to_string(), "5");
    assert_eq!(body["routingInfo"]["account"], "1X2Y");
    assert_eq!(body["shipTo"]["retailerInfo"]["id"], 9);
    for (told, outcome) in [
        ("split order", changed(|request| request.key = "BPacme-1".into())),
        ("letters", changed(|request| request.key = "BP acme".into())),
        ("street", changed(|request| request.ship_to.line1 = " ".into())),
        ("not a number", changed(|request| request.facility = Some("North".into()))),
        ("no line", changed(|request| request.lines.clear())),
        ("line 1", changed(|request| request.lines[0].quantity = Decimal::ZERO)),
        ("line 1", changed(|request| request.lines[0].quantity = "0.1234567890123456789".parse().unwrap())),
        ("line 2", changed(|request| request.lines[1].sku.clear())),
    ] {
        let problem = outcome.unwrap_err().to_string();
        assert!(problem.contains(told), "{told}: {problem}");
    }
    let submit = warehouse.capabilities(EffectKind::SubmitRequest).unwrap();
    assert!(submit.has(Capability::Held) && !submit.repeat_is_safe());
    assert!(warehouse.capabilities(EffectKind::CancelRequest).unwrap().repeat_is_safe());
    assert!(warehouse.capabilities(EffectKind::CorrectStock).is_none());
}

#[tokio::test]
async fn the_warehouse_is_asked_what_it_has_whatever_became_of_it() {
    let site = Site::new(Switches::default()).await;
    let handle = site.handle();
    let (waiting, cancelled, shipped) =
        (site.order("BPacme-O1").await, site.order("BPacme-O2").await, site.order("BPacme-O3").await);
    assert!(handle.cancel(cancelled, "a mistake"));
    handle.ship(shipped, &Dispatch::full()).unwrap();
    let (_, held) = site.submit("BPacme-O4").await;
    let removed = site.order("BPacme-O5").await;
    assert!(handle.remove(removed));
    // More keys than one filter takes, most of them of orders that are not there.
    let keys: Vec<String> = (1..=40).map(|number| format!("BPacme-O{number}")).collect();
    let before = handle.ledger().mutations.len();
    let seen = site.warehouse.sightings(&keys).await.unwrap();
    assert_eq!(seen.blind, None, "what is not found is not there");
    assert_eq!(handle.ledger().mutations.len(), before, "it only reads");
    let found: Vec<(&str, &str, RequestState)> =
        seen.found.iter().map(|(key, one)| (key.as_str(), one.references[0].as_str(), one.state.clone())).collect();
    let (waiting, cancelled, shipped) = (waiting.to_string(), cancelled.to_string(), shipped.to_string());
    assert_eq!(
        found,
        [
            ("BPacme-O1", waiting.as_str(), RequestState::Waiting),
            ("BPacme-O2", cancelled.as_str(), RequestState::Cancelled),
            ("BPacme-O3", shipped.as_str(), RequestState::Finished),
            ("BPacme-O4", held.id.as_str(), RequestState::Waiting),
        ]
    );
    assert!(seen.found["BPacme-O3"].since.is_some(), "it says when it left");
    assert_eq!(site.warehouse.sightings(&[]).await.unwrap().found, BTreeMap::new());
}

#[tokio::test]
async fn two_orders_under_one_key_are_both_seen_and_a_split_is_not_a_second() {
    let site = Site::new(Switches { duplicates: Duplicates::Accepted, ..Switches::default() }).await;
    let handle = site.handle();
    let first = site.order("BPacme-O1").await;
    let draft = plan(site.warehouse.as_ref(), "BPacme-O1");
    // As if a first copy had landed late: sent without a look.
    let Sent::Accepted { reference: Some(second) } = site.send(&site.arm(&draft, serde_json::json!({}))).await else {
        panic!("the warehouse takes a second one")
    };
    let split = site.order("BPacme-O2").await;
    let part = BTreeMap::from([("SKU-A".to_owned(), Decimal::ONE)]);
    let how = Dispatch { quantities: Quantities::Only(part), rest: Rest::Split, load: Load::Boxes(1) };
    handle.ship(split, &how).unwrap().expect("a rest");
    let seen = site.warehouse.sightings(&["BPacme-O1".to_owned(), "BPacme-O2".to_owned()]).await.unwrap();
    assert_eq!(seen.found["BPacme-O1"].references, [first.to_string(), second.id]);
    let part = &seen.found["BPacme-O2"];
    assert_eq!((part.references.len(), part.state.clone()), (1, RequestState::Working), "some has left: {part:?}");
}
