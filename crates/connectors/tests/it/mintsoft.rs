//! Mintsoft, against the simulator under each answer to an open question.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use connect::{
    Armed, Capability, Clock as _, EffectDraft, EffectKind, ErrorKind, FeedCursor, Guard, HttpTransport, HttpWaits,
    Prepared, Probe, RemoteRef, RequestState, Sent, Shipment, Transport, Warehouse,
};
use rust_decimal::Decimal;
use simulators::{
    faults::{Fault, FaultRule},
    mintsoft::{
        CancelUntil, Config, Dispatch, Habits, Handle, ListOrder, Mintsoft, PartNumbers, Received, Rest, Running,
        Scanned, Status, Switches, Uniqueness,
    },
};

use crate::hub::{HandClock, at, context, effect, request, settings, warehouse};

mod reads;

const CLIENT: u64 = 12;

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
        let simulator = Mintsoft::start(config).await.unwrap();
        let handle = simulator.handle();
        for sku in ["SKU-A", "SKU-LOT"] {
            handle.add_product(CLIENT, sku);
            assert!(handle.receive(&Received::plain(CLIENT, 3, sku, 1000)));
        }
        let clock = HandClock::new();
        let warehouse = connector(&simulator.base_url(), &clock, more, &[]);
        Self { simulator, warehouse, clock }
    }

    fn handle(&self) -> Handle {
        self.simulator.handle()
    }

    fn arm(&self, draft: &EffectDraft) -> Armed {
        Armed { effect: effect(draft), baseline: serde_json::json!({}), attempt: 1, armed_at: self.clock.now() }
    }

    async fn prepare(&self, draft: &EffectDraft) -> Prepared {
        self.warehouse.prepare(&[effect(draft)]).await.unwrap().remove(0)
    }

    /// Prepared, which must find nothing in the way, and armed.
    async fn ready(&self, draft: &EffectDraft) -> Armed {
        match self.prepare(draft).await {
            Prepared::Ready { .. } => self.arm(draft),
            other => panic!("not ready: {other:?}"),
        }
    }

    async fn send(&self, armed: &Armed) -> Sent {
        let until = self.clock.monotonic() + Duration::from_secs(30);
        self.warehouse.send(std::slice::from_ref(armed), until).await.outcomes.remove(0)
    }

    async fn probe(&self, armed: &Armed) -> Probe {
        self.warehouse.probe(std::slice::from_ref(armed)).await.unwrap().remove(0)
    }

    fn plan(&self, key: &str) -> EffectDraft {
        self.warehouse.plan_submit(&[request(key)], at("2026-11-23T06:30:00Z")).remove(0).unwrap()
    }

    fn plan_cancel(&self, key: &str, reference: &RemoteRef) -> EffectDraft {
        self.warehouse.plan_cancel(key, reference, at("2026-11-23T06:30:00Z")).unwrap()
    }

    /// Creates an order; its effect and its number.
    async fn order(&self, key: &str) -> (Armed, u64) {
        let armed = self.ready(&self.plan(key)).await;
        match self.send(&armed).await {
            Sent::Accepted { reference: Some(reference) } => (armed, reference.id.parse().unwrap()),
            other => panic!("not created: {other:?}"),
        }
    }

    /// Everything that left, each shipment as last read, with the states of what did not.
    async fn shipments(&self, cursor: &mut FeedCursor) -> (BTreeMap<String, Shipment>, BTreeMap<String, RequestState>) {
        let (mut shipments, mut states) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..40 {
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
    more: &[(&str, &str)],
    secrets: &[(&str, &str)],
) -> Arc<dyn Warehouse> {
    let mut values = vec![
        ("base_url", base),
        ("username", "hub"),
        ("client_id", "12"),
        ("warehouse_id", "3"),
        ("courier_service", "UPS Ground"),
        ("calls_per_minute", "100000"),
    ];
    values.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    values.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    let mut all = vec![("password", "secret")];
    all.retain(|(name, _)| !secrets.iter().any(|(other, _)| other == name));
    all.extend_from_slice(secrets);
    let waits = HttpWaits { total: Duration::from_secs(2), ..HttpWaits::default() };
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap());
    warehouse("mintsoft", &settings(&values, &all), &context(Arc::clone(clock), transport, None))
}

/// The changes that anybody asked the warehouse for.
fn changes(handle: &Handle) -> Vec<(String, bool)> {
    let mutations = handle.ledger().mutations;
    mutations.into_iter().map(|one| (format!("{} {}", one.method, one.path), one.took_effect)).collect()
}

#[tokio::test]
async fn under_every_answer_to_an_open_question_orders_go_out_once_and_come_back() {
    let mut all = vec![("as expected", Switches::default())];
    all.extend(Switches::alternatives());
    let habits = Habits { split_percent: 40, short_percent: 20, boxes_percent: 30 };
    for (name, switches) in all {
        let site = Site::with(Config { switches, habits, ..Config::default() }, &[]).await;
        let handle = site.handle();
        let check = site.warehouse.check().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(check.facilities, ["3"], "{name}");
        let carriers: Vec<&str> = check.carriers.iter().map(|carrier| carrier.carrier.as_str()).collect();
        assert_eq!(carriers, ["UPS Ground", "Royal Mail 24", "DPD Next Day"], "{name}: without what is not in use");
        let lists = site.warehouse.choices().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&lists.facilities, &lists.carriers), (&check.facilities, &check.carriers), "{name}");
        assert_eq!(changes(&handle), [], "{name}: a test changes nothing");

        let keys: Vec<String> = (1..=12).map(|number| format!("BPacme-O{number}")).collect();
        for key in &keys {
            let (armed, id) = site.order(key).await;
            assert!(matches!(site.probe(&armed).await, Probe::Equal(found) if found.id == id.to_string()), "{name}");
            let again = site.prepare(&site.plan(key)).await;
            assert!(matches!(again, Prepared::Found(Probe::Equal(_))), "{name}: {again:?}");
        }
        let mut cursor = FeedCursor::default();
        let (mut shipments, mut states, mut quiet) = (BTreeMap::new(), BTreeMap::new(), 0);
        while quiet < 2 {
            quiet = if handle.work() == 0 { quiet + 1 } else { 0 };
            let (left, moved) = site.shipments(&mut cursor).await;
            for (id, shipment) in left {
                // What was told once is never told otherwise.
                let before = shipments.insert(id, shipment.clone());
                assert!(before.is_none_or(|before| before == shipment), "{name}: {shipment:?}");
            }
            states.extend(moved);
        }
        let ledger = handle.ledger();
        assert!(ledger.duplicates.is_empty(), "{name}");
        let left: Vec<_> = ledger.orders.iter().filter(|order| order.status == Status::Despatched).collect();
        assert_eq!(shipments.len(), left.len(), "{name}");
        assert!(left.len() > keys.len(), "{name}: some are in parts");
        for order in left {
            let shipment = shipments.get(&order.order_id.to_string()).unwrap_or_else(|| panic!("{name}: {order:?}"));
            let mut units: BTreeMap<&str, Decimal> = BTreeMap::new();
            for (_, sku, count) in &order.shipped {
                *units.entry(sku).or_default() += Decimal::from(*count);
            }
            let mut told: BTreeMap<&str, Decimal> = BTreeMap::new();
            for line in shipment.lines() {
                *told.entry(&line.sku).or_default() += line.quantity;
                assert!(line.line_number.is_some(), "{name}: {line:?}");
            }
            assert_eq!(told, units, "{name}");
            assert!(keys.contains(&shipment.key), "{name}: {shipment:?}");
            assert_eq!(shipment.tracking_numbers(), order.parcels, "{name}");
            assert_eq!(shipment.ship_method.carrier, order.courier, "{name}");
            let apart = shipment.shipped_at.as_second() - order.despatched_at.unwrap().as_second();
            assert!(apart.abs() <= 1, "{name}: {apart} s");
            if switches.scanned == Scanned::Everything {
                assert!(shipment.loose.is_empty(), "{name}: the boxes are known: {shipment:?}");
            }
        }
        // A whole order says that nothing follows; of a split one the last of its parts does.
        for key in &keys {
            let of_key: Vec<&Shipment> = shipments.values().filter(|shipment| shipment.key == *key).collect();
            let is_whole = matches!(of_key.as_slice(), [only] if only.is_final);
            assert!(is_whole || states[key] == RequestState::Finished, "{name}: {key}: {of_key:?}");
        }
        let stock = site.warehouse.stock().await.unwrap();
        let levels: BTreeMap<_, _> = stock.feeds[0].levels.iter().map(|level| (level.sku.as_str(), level)).collect();
        for truth in handle.ledger().stock {
            let level = levels[truth.sku.as_str()];
            assert_eq!((level.available, level.physical), (None, Some(truth.units.into())), "{name}");
            assert_eq!(level.facility.as_deref(), Some("3"));
        }
    }
}

#[tokio::test]
async fn cancelling_ends_as_the_warehouse_has_it() {
    for until in [CancelUntil::Picked, CancelUntil::Despatched] {
        let site = Site::new(Switches { cancel_until: until, ..Switches::default() }).await;
        let handle = site.handle();
        let reference = |id: u64| RemoteRef::new(id.to_string());
        let (_, id) = site.order("BPacme-O1").await;
        let cancel = site.plan_cancel("BPacme-O1", &reference(id));
        let armed = site.ready(&cancel).await;
        assert_eq!(site.probe(&armed).await, Probe::Absent);
        assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
        assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
        assert!(matches!(site.prepare(&cancel).await, Prepared::Found(Probe::Equal(_))));
        // Sent again all the same, it says yes and nothing happens.
        assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
        let cancels: Vec<_> = changes(&handle).into_iter().filter(|(path, _)| path.ends_with("/Cancel")).collect();
        let path = format!("GET /api/Order/{id}/Cancel");
        assert_eq!(cancels, [(path.clone(), true), (path, false)], "each was sent once, and the looks changed nothing");
        // What was cancelled is not made again.
        let Prepared::Found(Probe::Equal(found)) = site.prepare(&site.plan("BPacme-O1")).await else {
            panic!("it is there")
        };
        assert_eq!(found.facts.get("state").map(String::as_str), Some("cancelled"));
        let (_, states) = site.shipments(&mut FeedCursor::default()).await;
        assert_eq!(states["BPacme-O1"], RequestState::Cancelled);

        // Picked: one account says no, another yes.
        let (_, picked) = site.order("BPacme-O2").await;
        assert!(handle.set_status(picked, Status::Picked));
        let armed = site.ready(&site.plan_cancel("BPacme-O2", &reference(picked))).await;
        match (until, site.send(&armed).await) {
            (CancelUntil::Picked, Sent::Refused { code, .. }) => {
                assert!(site.warehouse.too_late(&code) && !site.warehouse.too_late("denied"));
            }
            (CancelUntil::Despatched, Sent::Accepted { .. }) => {}
            (_, other) => panic!("{until:?}: {other:?}"),
        }
        // Despatched: too late before anything is sent, and when it leaves in that moment.
        let (_, left) = site.order("BPacme-O3").await;
        let armed = site.ready(&site.plan_cancel("BPacme-O3", &reference(left))).await;
        handle.ship(left, &Dispatch::full()).unwrap();
        assert!(matches!(site.send(&armed).await, Sent::Refused { code, .. } if site.warehouse.too_late(&code)));
        let Probe::Equal(found) = site.probe(&armed).await else { panic!("it has left") };
        assert_eq!(found.facts.get("outcome").map(String::as_str), Some("too_late"));

        // A part has left and the other is cancelled; a part that goes on by itself is a person's matter.
        let (_, part) = site.order("BPacme-O4").await;
        let only = BTreeMap::from([("SKU-A".to_owned(), 5)]);
        let rest = handle.ship(part, &Dispatch { only: Some(only), rest: Rest::Split, boxes: 1 }).unwrap().unwrap();
        let cancel = site.plan_cancel("BPacme-O4", &reference(part));
        assert!(
            matches!(site.prepare(&cancel).await, Prepared::Found(Probe::Different { difference, .. }) if difference.contains("split"))
        );
        assert!(handle.cancel(rest));
        let Prepared::Found(Probe::Equal(found)) = site.prepare(&cancel).await else { panic!("it has ended") };
        assert_eq!(found.facts.get("outcome").map(String::as_str), Some("partly"));
        // Gone.
        let (_, gone) = site.order("BPacme-O5").await;
        assert!(handle.remove(gone));
        let gone = site.prepare(&site.plan_cancel("BPacme-O5", &reference(gone))).await;
        assert!(matches!(gone, Prepared::Found(Probe::Different { .. })), "{gone:?}");
    }
    let site = Site::new(Switches::default()).await;
    assert!(site.warehouse.plan_cancel("K", &RemoteRef::new("x"), at("2026-11-23T06:30:00Z")).is_err());
    assert_eq!(site.warehouse.plan_release("K", &RemoteRef::new("1")), None);
}

/// What is not shown of a split order may go on, whatever became of the part that is.
#[tokio::test]
async fn a_cancel_has_not_ended_while_a_part_is_not_shown() {
    let site = Site::new(Switches { search_finds_parts: false, ..Switches::default() }).await;
    let (_, whole) = site.order("BPacme-O1").await;
    let part = site.handle().split(whole, &BTreeMap::from([("SKU-A".to_owned(), 5)])).expect("a part");
    assert!(site.handle().cancel(whole));
    let nothing = Fault::Answer { status: 200, headers: BTreeMap::new(), body: "[]".to_owned() };
    let rule = site.simulator.faults().add(FaultRule::new(nothing).path_contains("/Splits"));
    let cancel = site.plan_cancel("BPacme-O1", &RemoteRef::new(whole.to_string()));
    let found = site.prepare(&cancel).await;
    assert!(
        matches!(&found, Prepared::Found(Probe::Different { difference, .. }) if difference.contains("shows 1 of them")),
        "{found:?}"
    );
    assert!(site.simulator.faults().remove(rule) && site.handle().cancel(part));
    assert!(matches!(site.prepare(&cancel).await, Prepared::Found(Probe::Equal(_))));
}

/// Mintsoft's cancel has no condition, and what was accepted may go again at once.
#[tokio::test]
async fn a_yes_to_a_cancel_counts_once_the_order_says_so() {
    for (suffixed, finds_parts) in [(false, true), (true, false)] {
        let part_numbers = if suffixed { PartNumbers::Suffixed } else { PartNumbers::Same };
        let site = Site::new(Switches { part_numbers, search_finds_parts: finds_parts, ..Switches::default() }).await;
        let (_, id) = site.order("BPacme-O1").await;
        let armed = site.ready(&site.plan_cancel("BPacme-O1", &RemoteRef::new(id.to_string()))).await;
        let part = site.handle().split(id, &BTreeMap::from([("SKU-A".to_owned(), 5)])).expect("a part");
        let sent = site.send(&armed).await;
        assert!(matches!(&sent, Sent::Unknown { why } if why.contains("said yes")), "{sent:?}");
        let cancelled: Vec<u64> = site
            .handle()
            .ledger()
            .orders
            .iter()
            .filter(|order| order.status == Status::Cancelled)
            .map(|order| order.order_id)
            .collect();
        assert_eq!(cancelled, [id], "the warehouse did cancel it, and the part goes on");
        let probe = site.probe(&armed).await;
        assert!(matches!(&probe, Probe::Different { difference, .. } if difference.contains("split")), "{probe:?}");
        assert!(site.handle().cancel(part));
        assert!(matches!(site.probe(&armed).await, Probe::Equal(end) if !end.facts.contains_key("outcome")));
    }
    let site = Site::new(Switches::default()).await;
    let (_, id) = site.order("BPacme-O1").await;
    let armed = site.ready(&site.plan_cancel("BPacme-O1", &RemoteRef::new(id.to_string()))).await;
    // A yes after which nothing has happened.
    let body = format!("{{\"ID\":{id},\"Success\":true,\"Message\":\"\"}}");
    let yes = Fault::Answer { status: 200, headers: BTreeMap::new(), body };
    site.simulator.faults().add(FaultRule::new(yes).path_contains("/Cancel").first(1));
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::Unknown { why } if why.contains("has not come to its end")), "{sent:?}");
    assert_eq!(site.probe(&armed).await, Probe::Absent);
    // One after which nothing can be read.
    site.simulator.faults().add(FaultRule::new(Fault::Outage).path_contains("/api/Order/Search").first(3));
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::Unknown { why } if why.contains("could not be read")), "{sent:?}");
    site.simulator.faults().clear();
    assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_found() {
    let hold = Duration::from_secs(10);
    let after = [
        Fault::TimeoutAfterEffect { hold },
        Fault::ResetMidBody,
        Fault::TruncatedBody,
        Fault::HtmlBody,
        Fault::ErrorAfterEffect { html: false },
        Fault::ErrorAfterEffect { html: true },
    ];
    let before =
        [Fault::Refuse, Fault::TimeoutBeforeEffect { hold }, Fault::ErrorBeforeEffect { html: false }, Fault::Outage];
    for (fault, happened) in after.into_iter().map(|fault| (fault, true)).chain(before.map(|fault| (fault, false))) {
        let site = Site::new(Switches::default()).await;
        let faults = site.simulator.faults();
        let armed = site.ready(&site.plan("BPacme-O1")).await;
        faults.add(FaultRule::new(fault.clone()).method("PUT").path_contains("/api/Order").first(1));
        let sent = site.send(&armed).await;
        assert!(matches!(sent, Sent::Unknown { .. }), "{fault:?}: {sent:?}");
        let probe = site.probe(&armed).await;
        assert_eq!(matches!(probe, Probe::Equal(_)), happened, "{fault:?}: {probe:?}");
        assert_eq!(site.handle().ledger().orders.len(), usize::from(happened));

        // The same of the GET that cancels: nobody makes it a second time by himself.
        let (_, id) = site.order("BPacme-O2").await;
        let cancel = site.ready(&site.plan_cancel("BPacme-O2", &RemoteRef::new(id.to_string()))).await;
        faults.add(FaultRule::new(fault.clone()).method("GET").path_contains("/Cancel").first(1));
        let sent = site.send(&cancel).await;
        assert!(matches!(sent, Sent::Unknown { .. }), "{fault:?}: {sent:?}");
        let probe = site.probe(&cancel).await;
        assert_eq!(matches!(probe, Probe::Equal(_)), happened, "{fault:?}: {probe:?}");
        let made = faults.fired().iter().filter(|fired| fired.path.ends_with("/Cancel")).count();
        let seen = changes(&site.handle()).iter().filter(|(path, _)| path.ends_with("/Cancel")).count();
        assert_eq!((made, seen), (1, usize::from(happened)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_late_first_copy_is_refused_where_numbers_are_unique_and_seen_where_they_are_not() {
    for uniqueness in [Uniqueness::PerClient, Uniqueness::AmongLive, Uniqueness::None] {
        let site = Site::new(Switches { uniqueness, ..Switches::default() }).await;
        let armed = site.ready(&site.plan("BPacme-O1")).await;
        let late = Fault::LateEffect { delay: Duration::from_millis(300) };
        site.simulator.faults().add(FaultRule::new(late).method("PUT").first(1));
        assert!(matches!(site.send(&armed).await, Sent::Unknown { .. }));
        assert_eq!(site.probe(&armed).await, Probe::Absent, "it has not arrived yet");
        // As an account with unique numbers may be sent to at once.
        assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
        tokio::time::sleep(Duration::from_millis(600)).await;
        let probe = site.probe(&armed).await;
        let orders = site.handle().ledger().orders.len();
        match uniqueness {
            Uniqueness::None => assert!(matches!(&probe, Probe::Many(found) if found.len() == 2), "{probe:?}"),
            _ => assert!(matches!(probe, Probe::Equal(_)) && orders == 1, "{probe:?}, {orders} orders"),
        }
    }
    let classes = |more: &[(&str, &str)]| {
        let hub = connector("http://127.0.0.1:9", &HandClock::new(), more, &[]);
        (hub.capabilities(EffectKind::SubmitRequest).unwrap(), hub.capabilities(EffectKind::CancelRequest).unwrap())
    };
    let (submit, cancel) = classes(&[]);
    assert!(!submit.repeat_is_safe() && submit.has(Capability::LaggingRead), "until the settings say so");
    assert!(cancel.has(Capability::AbsoluteSet));
    assert!(classes(&[("unique_numbers", "true")]).0.has(Capability::UniqueKey));
}

#[tokio::test]
async fn a_no_is_looked_up_before_it_is_called_a_refusal() {
    for (named, status) in [(true, 200), (false, 200), (true, 400)] {
        let switches = Switches { duplicates_are_named: named, refusal_status: status, ..Switches::default() };
        let site = Site::new(switches).await;
        let (armed, _) = site.order("BPacme-O1").await;
        // Sent again as if the first answer had been lost: there is one already, whatever the words are.
        let sent = site.send(&armed).await;
        assert!(matches!(&sent, Sent::Unknown { why } if why.contains("read and compared")), "{sent:?}");
        assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
        // A real refusal is one, with the warehouse's words.
        let mut odd = request("BPacme-O2");
        odd.lines[0].sku = "NO-SUCH".to_owned();
        let odd = site.warehouse.plan_submit(&[odd], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let armed = site.ready(&odd).await;
        let sent = site.send(&armed).await;
        assert!(matches!(&sent, Sent::Refused { message, .. } if message.contains("NO-SUCH")), "{sent:?}");
    }
    // One that speaks of an order that the search does not show yet is not believed.
    let site = Site::with(Config { search_lag: Duration::from_secs(5), ..Config::default() }, &[]).await;
    let (armed, _) = site.order("BPacme-O1").await;
    assert_eq!(site.probe(&armed).await, Probe::Absent);
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::Unknown { why } if why.contains("does not show it yet")), "{sent:?}");
    site.handle().advance(Duration::from_secs(6));
    assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
}

#[tokio::test]
async fn what_is_there_is_compared_before_it_is_taken_for_ours() {
    let switches = Switches { search_by_beginning: true, ..Switches::default() };
    let site = Site::new(switches).await;
    site.order("BPacme-O10").await;
    // Keys that begin alike are other orders.
    site.order("BPacme-O1").await;
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
        ("warehouse 3", found(|request| request.facility = Some("4".into())).await),
        ("(PostCode)", found(|request| request.ship_to.postcode = "LS2".into()).await),
        ("(LastName)", found(|request| request.ship_to.name = "Jane Roe".into()).await),
    ] {
        assert!(outcome.contains("Different") && outcome.contains(told), "{told}: {outcome}");
    }
    // Split on entry: several orders are one.
    let site = Site::new(Switches { splits_on_entry: true, ..Switches::default() }).await;
    let (armed, _) = site.order("BPacme-O1").await;
    assert_eq!(site.handle().ledger().orders.len(), 2);
    assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
}

#[tokio::test]
async fn what_can_never_be_ordered_is_said_before_it_is_sent() {
    let site = Site::new(Switches::default()).await;
    let problem = |change: fn(&mut connect::ShipmentRequest)| {
        let mut changed = request("BPacme-O1");
        change(&mut changed);
        site.warehouse.plan_submit(&[changed], at("2026-11-23T06:30:00Z")).remove(0).unwrap_err()
    };
    for (told, problem) in [
        ("whole units", problem(|request| request.lines[0].quantity = "1.5".parse().unwrap())),
        ("whole units", problem(|request| request.lines[0].quantity = 0.into())),
        ("no SKU", problem(|request| request.lines[1].sku = " ".into())),
        ("no line", problem(|request| request.lines.clear())),
        ("shorten the order key prefix", problem(|request| request.key = "K".repeat(51))),
        ("shorten the order key prefix", problem(|request| request.key = "BP 1".into())),
        ("not a number", problem(|request| request.facility = Some("Leeds".into()))),
    ] {
        assert!(problem.why.contains(told) && problem.address.is_none(), "{told}: {problem}");
    }
    for (part, problem) in [
        ("postcode", problem(|request| request.ship_to.postcode = String::new())),
        ("street", problem(|request| request.ship_to.line1 = " ".into())),
        ("country", problem(|request| request.ship_to.country = String::new())),
        ("name", problem(|request| request.ship_to.name = String::new())),
    ] {
        assert_eq!(problem.address, Some(part));
    }
    // A company without a person, a method with a service, and a date.
    let mut one = request("BPacme-O1");
    one.ship_to.company = "Doe Ltd".to_owned();
    one.ship_to.name = String::new();
    one.ship_method.service = String::new();
    one.ship_method.carrier = "DPD Next Day".to_owned();
    one.deliver_on = Some(at("2026-07-01T00:00:00Z"));
    one.lines[0].per_unit = 2.into();
    let draft = site.warehouse.plan_submit(&[one], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    let body: serde_json::Value = serde_json::from_str(&draft.body).unwrap();
    assert_eq!((&body["FirstName"], &body["LastName"]), (&"Doe".into(), &"Ltd".into()));
    assert_eq!(
        (&body["CourierService"], &body["RequiredDeliveryDate"]),
        (&"DPD Next Day".into(), &"2026-07-01T00:00:00".into())
    );
    assert_eq!(body["OrderItems"][0].get("UnitPrice"), None, "the price of the kit is not that of its part");
    assert_eq!(body["OrderItems"][1]["UnitPrice"], 4.5);
}

#[tokio::test]
async fn keys_end_and_are_renewed() {
    let site = Site::new(Switches::default()).await;
    site.warehouse.check().await.unwrap();
    site.handle().expire_keys();
    site.warehouse.stock().await.unwrap();
    let armed = site.ready(&site.plan("BPacme-O1")).await;
    site.handle().expire_keys();
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient), "{sent:?}");
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
    // Several that leave together meet its end together, and that is no reason to stop.
    let mut together = Vec::new();
    for number in 11..15 {
        together.push(site.ready(&site.plan(&format!("BPacme-O{number}"))).await);
    }
    site.handle().expire_keys();
    let until = site.clock.monotonic() + Duration::from_secs(30);
    for sent in site.warehouse.send(&together, until).await.outcomes {
        let fine = matches!(&sent, Sent::Accepted { .. })
            || matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient);
        assert!(fine, "{sent:?}");
    }
    // After a day a new key is fetched before the old one is refused.
    site.clock.pass(Duration::from_secs(24 * 3600));
    site.handle().advance(Duration::from_secs(24 * 3600));
    let (armed, _) = site.order("BPacme-O2").await;
    assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));

    // A lasting key is never renewed.
    let config = Config { lasting_key: Some("lasting".to_owned()), ..Config::default() };
    let site = Site::with(config, &[]).await;
    let base = site.simulator.base_url();
    let with_key =
        |key: &str| connector(&base, &site.clock, &[("username", "")], &[("api_key", key), ("password", "")]);
    with_key("lasting").check().await.unwrap();
    for (warehouse, told) in [
        (with_key("other"), "refused the API key"),
        (connector(&base, &site.clock, &[], &[("password", "wrong")]), "Check User name and Password"),
        (connector(&base, &site.clock, &[("username", "other")], &[]), "Check User name and Password"),
    ] {
        let error = warehouse.check().await.unwrap_err();
        assert!(error.kind == ErrorKind::Credentials && error.message.contains(told), "{error}");
        let armed = site.arm(&site.plan("BPacme-O9"));
        let until = site.clock.monotonic() + Duration::from_secs(30);
        let sent = warehouse.send(&[armed], until).await.outcomes.remove(0);
        assert!(matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Credentials), "{sent:?}");
    }
    assert_eq!(changes(&site.handle()), []);
}

#[tokio::test]
async fn throttled_calls_are_not_made() {
    let site = Site::new(Switches::default()).await;
    let armed = site.ready(&site.plan("BPacme-O1")).await;
    site.simulator.faults().add(FaultRule::new(Fault::Throttled).first(1));
    assert!(matches!(site.send(&armed).await, Sent::Throttled { wait: None }));
    site.simulator.faults().add(FaultRule::new(Fault::Throttled).first(1));
    let error = site.warehouse.stock().await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::RateLimited { .. }), "{error}");
    // What waited too long for a free call is not sent any more.
    let until = site.clock.monotonic();
    site.clock.pass(Duration::from_secs(1));
    let sent = site.warehouse.send(std::slice::from_ref(&armed), until).await.outcomes.remove(0);
    assert!(matches!(sent, Sent::NotSent { .. }), "{sent:?}");
    assert_eq!(changes(&site.handle()), []);
}

#[tokio::test]
async fn the_test_of_the_settings_says_how_to_mend_them() {
    let site = Site::new(Switches::default()).await;
    let base = site.simulator.base_url();
    let check = |more: &'static [(&'static str, &'static str)]| {
        let warehouse = connector(&base, &site.clock, more, &[]);
        async move { warehouse.check().await }
    };
    let fine = check(&[]).await.unwrap();
    assert!(fine.reached.iter().any(|line| line == "Client 12 is Acme."), "{fine:?}");
    let warned = |check: &connect::WarehouseCheck, told: &str| check.warnings.iter().any(|line| line.contains(told));
    assert!(warned(&fine, "Order numbers are unique") && warned(&fine, "call-back address"), "{fine:?}");
    let odd = check(&[
        ("warehouse_id", "9"),
        ("courier_service", "Pigeon"),
        ("channel", "Stall"),
        ("despatched_statuses", "GONE"),
        ("unique_numbers", "true"),
    ])
    .await
    .unwrap();
    for told in ["Warehouse ID 9", "no courier service Pigeon", "no channel Stall", "no order status GONE"] {
        assert!(warned(&odd, told), "{told}: {odd:?}");
    }
    assert!(!warned(&odd, "Order numbers are unique"));
    for (more, told) in [
        (&[("client_id", "")][..], "sees 2 clients of the warehouse (12 Acme, 13 Other): enter your own"),
        (&[("client_id", "77")], "no client 77"),
    ] {
        let error = connector(&base, &site.clock, more, &[]).check().await.unwrap_err();
        assert!(error.message.contains(told), "{error}");
    }
    // A user of one client needs no number.
    let own = Site::with(Config { user_client: Some(CLIENT), ..Config::default() }, &[("client_id", "")]).await;
    own.warehouse.check().await.unwrap();
    own.order("BPacme-O1").await;

    let problems = |values: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let connect::Role::Warehouse(build) = connectors::find("mintsoft").unwrap().role else { panic!("a warehouse") };
        let context = context(HandClock::new(), Arc::new(crate::hub::NoNetwork), None);
        build(&settings(values, secrets), &context).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let user = ("username", "hub");
    let password = ("password", "x");
    let place = ("warehouse_id", "3");
    for (told, problem) in [
        ("username: must be given", problems(&[place], &[])),
        ("password: must be given", problems(&[place, user], &[])),
        ("warehouse_id", problems(&[user], &[password])),
        ("client_id", problems(&[user, place, ("client_id", "-1")], &[password])),
        ("time_zone", problems(&[user, place, ("time_zone", "Leeds")], &[password])),
        ("despatched_statuses", problems(&[user, place, ("despatched_statuses", " , ")], &[password])),
        ("base_url", problems(&[user, place, ("base_url", "mintsoft")], &[password])),
        ("callback_address", problems(&[user, place], &[password, ("callback_address", "https://example.test/in")])),
        ("callback_address", problems(&[user, place], &[password, ("callback_address", "nonsense")])),
    ] {
        assert!(problem.contains(told), "{told}: {problem}");
    }
    let address = ("callback_address", "https://hub.example.test/hooks/warehouse/abc");
    assert_eq!(problems(&[place], &[("api_key", "k"), address]), "");
}

#[tokio::test]
async fn the_warehouse_is_asked_what_it_has_whatever_became_of_it() {
    let site = Site::new(Switches::default()).await;
    let handle = site.handle();
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.push(site.order(&format!("BPacme-O{number}")).await.1);
    }
    assert!(handle.cancel(ids[1]) && handle.remove(ids[4]) && handle.set_status(ids[3], Status::QueryRaised));
    handle.ship(ids[2], &Dispatch::full()).unwrap();
    let keys: Vec<String> = (1..=8).map(|number| format!("BPacme-O{number}")).collect();
    let before = changes(&handle);
    let seen = site.warehouse.sightings(&keys).await.unwrap();
    assert_eq!((seen.blind, changes(&handle)), (None, before), "it only reads");
    let found: Vec<(String, String, RequestState)> =
        seen.found.iter().map(|(key, one)| (key.clone(), one.references.join(","), one.state.clone())).collect();
    let expected = [RequestState::Waiting, RequestState::Cancelled, RequestState::Finished, RequestState::Held];
    let expected: Vec<_> = expected
        .into_iter()
        .enumerate()
        .map(|(place, state)| (format!("BPacme-O{}", place + 1), ids[place].to_string(), state))
        .collect();
    assert_eq!(found, expected);
    assert!(seen.found["BPacme-O3"].since.is_some(), "it says when it left");

    // A part is not a second order; a second order is.
    let only = BTreeMap::from([("SKU-A".to_owned(), 1)]);
    handle.ship(ids[0], &Dispatch { only: Some(only), rest: Rest::Split, boxes: 1 }).unwrap().expect("a rest");
    let seen = site.warehouse.sightings(&keys[..1]).await.unwrap();
    let part = &seen.found["BPacme-O1"];
    assert_eq!((part.references.len(), part.left.len(), part.state.clone()), (1, 1, RequestState::Working));
    let site = Site::new(Switches { uniqueness: Uniqueness::None, ..Switches::default() }).await;
    let (armed, first) = site.order("BPacme-O1").await;
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
    let seen = site.warehouse.sightings(&keys[..1]).await.unwrap();
    let references: BTreeSet<&str> = seen.found["BPacme-O1"].references.iter().map(String::as_str).collect();
    assert!(references.len() == 2 && references.contains(first.to_string().as_str()), "{references:?}");
}
