//! ShipHero, against the simulator under each answer to an open question. The simulator judges every request by its schema.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use connect::{
    Armed, Clock as _, EffectDraft, EffectKind, ErrorKind, FeedCursor, Guard, HttpTransport, HttpWaits, Prepared,
    Probe, RemoteRef, RequestState, Role, Sent, Shipment, Transport, Warehouse,
};
use rust_decimal::Decimal;
use simulators::{
    faults::{Fault, FaultRule},
    shiphero::{CancelUntil, Config, Credits, Dispatch, Habits, Handle, Running, ShipHero, Status, Switches, global},
};

use crate::hub::{HandClock, at, context, effect, request, settings, warehouse};

const CUSTOMER: u64 = 123;

struct Site {
    simulator: Running,
    warehouse: Arc<dyn Warehouse>,
    clock: Arc<HandClock>,
}

impl Site {
    async fn new() -> Self {
        Self::with(Config::default(), &[]).await
    }

    async fn with(config: Config, more: &[(&str, &str)]) -> Self {
        let simulator = ShipHero::start(config).await.unwrap();
        for sku in ["SKU-A", "SKU-LOT"] {
            simulator.handle().receive(CUSTOMER, sku, 1000);
        }
        let clock = HandClock::new();
        let warehouse = connector(&simulator.base_url(), &clock, more, &[("password", "secret")]);
        Self { simulator, warehouse, clock }
    }

    fn handle(&self) -> Handle {
        self.simulator.handle()
    }

    async fn prepare(&self, draft: &EffectDraft) -> Prepared {
        self.warehouse.prepare(&[effect(draft)]).await.unwrap().remove(0)
    }

    /// Prepared, which must find nothing in the way, and armed.
    async fn ready(&self, draft: &EffectDraft) -> Armed {
        match self.prepare(draft).await {
            Prepared::Ready { baseline } => {
                Armed { effect: effect(draft), baseline, attempt: 1, armed_at: self.clock.now() }
            }
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

    /// Creates an order, held; its reference.
    async fn put(&self, key: &str) -> RemoteRef {
        let armed = self.ready(&self.plan(key)).await;
        match self.send(&armed).await {
            Sent::Accepted { reference: Some(reference) } => reference,
            other => panic!("not created: {other:?}"),
        }
    }

    /// Creates an order and lets it go; its reference, and its number there.
    async fn order(&self, key: &str) -> (RemoteRef, u64) {
        let reference = self.put(key).await;
        if let Some(draft) = self.warehouse.plan_release(key, &reference) {
            let armed = self.ready(&draft).await;
            let sent = self.send(&armed).await;
            assert!(matches!(sent, Sent::Accepted { .. }), "{sent:?}");
        }
        (reference, self.number(key))
    }

    fn number(&self, key: &str) -> u64 {
        let orders = self.handle().ledger().orders;
        orders.iter().find(|order| order.partner_id == key).expect("an order").order_id
    }

    fn plan_cancel(&self, key: &str, reference: &RemoteRef) -> EffectDraft {
        self.warehouse.plan_cancel(key, reference, at("2026-11-23T06:30:00Z")).unwrap()
    }

    /// Everything that left, with the states, and what could not be used.
    async fn shipments(
        &self,
        cursor: &mut FeedCursor,
    ) -> (BTreeMap<String, Shipment>, BTreeMap<String, RequestState>, Vec<String>) {
        let page = self.warehouse.shipments(cursor).await.unwrap();
        assert!(!page.more);
        *cursor = page.next;
        let shipments = page.shipments.into_iter().map(|shipment| (shipment.reference.clone(), shipment)).collect();
        let reasons = page.rejected.into_iter().map(|rejected| rejected.reason).collect();
        (shipments, page.states.into_iter().collect(), reasons)
    }

    /// Nothing was asked or answered that the schema does not have.
    fn is_of_the_schema(&self) {
        assert_eq!(self.handle().ledger().off_schema, Vec::<String>::new());
    }
}

fn connector(
    base: &str,
    clock: &Arc<HandClock>,
    more: &[(&str, &str)],
    secrets: &[(&str, &str)],
) -> Arc<dyn Warehouse> {
    let (customer, building) = (global("CustomerAccount", CUSTOMER), global("Warehouse", 1));
    let mut values = vec![
        ("base_url", base),
        ("username", "hub@example.test"),
        ("customer_account_id", customer.as_str()),
        ("warehouse_id", building.as_str()),
        ("calls_per_minute", "100000"),
    ];
    values.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    values.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    let waits = HttpWaits { total: Duration::from_secs(2), ..HttpWaits::default() };
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap());
    warehouse("shiphero", &settings(&values, secrets), &context(Arc::clone(clock), transport, None))
}

#[tokio::test]
async fn under_every_answer_to_an_open_question_orders_go_out_once_and_come_back() {
    let mut all = vec![("as expected", Switches::default(), "true")];
    all.extend(Switches::alternatives().into_iter().map(|(name, switches)| (name, switches, "true")));
    all.push(("orders are not held", Switches::default(), "false"));
    let habits = Habits { split_percent: 40, short_percent: 20, boxes_percent: 30 };
    for (name, switches, held) in all {
        let credits = Credits { bucket: 100_000, ..Credits::default() };
        let site =
            Site::with(Config { switches, habits, credits, ..Config::default() }, &[("create_held", held)]).await;
        let handle = site.handle();
        let check = site.warehouse.check().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(check.facilities, [global("Warehouse", 1)], "{name}");
        let lists = site.warehouse.choices().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&lists.facilities, &lists.carriers), (&check.facilities, &check.carriers), "{name}");
        assert!(handle.ledger().mutations.is_empty(), "{name}: a test changes nothing");

        let keys: Vec<String> = (1..=12).map(|number| format!("BPacme-O{number}")).collect();
        for key in &keys {
            site.order(key).await;
            let again = site.prepare(&site.plan(key)).await;
            assert!(matches!(again, Prepared::Found(Probe::Equal(_))), "{name}: {again:?}");
        }
        let mut cursor = FeedCursor::default();
        let (mut shipments, mut states, mut quiet) = (BTreeMap::new(), BTreeMap::new(), 0);
        while quiet < 2 {
            quiet = if handle.work() == 0 { quiet + 1 } else { 0 };
            let (left, moved, unusable) = site.shipments(&mut cursor).await;
            assert_eq!(unusable, Vec::<String>::new(), "{name}");
            for (id, shipment) in left {
                // What was told once is never told otherwise.
                let before = shipments.insert(id, shipment.clone());
                assert!(before.is_none_or(|before| before == shipment), "{name}: {shipment:?}");
            }
            states.extend(moved);
        }
        let ledger = handle.ledger();
        assert!(ledger.duplicates.is_empty(), "{name}");
        let left: Vec<_> = ledger
            .orders
            .iter()
            .flat_map(|order| order.shipments.iter().map(move |shipment| (order, shipment)))
            .collect();
        assert_eq!(shipments.len(), left.len(), "{name}");
        assert!(left.len() > keys.len(), "{name}: some are in parts");
        for (order, true_one) in left {
            let shipment = &shipments[&true_one.id];
            let mut told: BTreeMap<String, i64> = BTreeMap::new();
            for line in shipment.lines() {
                *told.entry(line.sku.clone()).or_default() += i64::try_from(line.quantity).unwrap();
                assert!(line.line_number.is_some(), "{name}: {line:?}");
            }
            assert_eq!(told, true_one.units, "{name}");
            assert_eq!((shipment.key.as_str(), shipment.is_final), (order.number.as_str(), false), "{name}");
            assert_eq!(shipment.tracking_numbers(), true_one.tracking, "{name}");
            assert_eq!(shipment.ship_method.carrier, "UPS", "{name}");
            assert!(shipment.loose.is_empty(), "{name}: the boxes are known: {shipment:?}");
        }
        for key in &keys {
            assert_eq!(states.get(key), Some(&RequestState::Finished), "{name}: {key}");
        }
        let sightings = site.warehouse.sightings(&keys).await.unwrap();
        assert_eq!(sightings.found.len(), keys.len(), "{name}");
        assert!(
            sightings.found.values().all(|seen| seen.state == RequestState::Finished && seen.references.len() == 1)
        );
        site.is_of_the_schema();
    }
}

#[tokio::test]
async fn two_under_a_key_are_seen_and_neither_is_let_go() {
    let site = Site::new().await;
    let armed = site.ready(&site.plan("BPacme-O1")).await;
    let Sent::Accepted { reference: Some(reference) } = site.send(&armed).await else { panic!("not created") };
    // The service takes a second one.
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
    assert!(matches!(site.probe(&armed).await, Probe::Many(two) if two.len() == 2));
    let release = site.warehouse.plan_release("BPacme-O1", &reference).unwrap();
    assert!(matches!(site.prepare(&release).await, Prepared::Found(Probe::Many(two)) if two.len() == 2));
    assert_eq!(site.handle().work(), 0, "both are held");
    let seen = site.warehouse.sightings(&["BPacme-O1".to_owned()]).await.unwrap();
    assert_eq!(seen.found["BPacme-O1"].references.len(), 2);
    // One of them is taken away there: the other goes.
    let other = site.handle().ledger().orders.iter().find(|order| order.id != reference.id).unwrap().order_id;
    assert!(site.handle().cancel(other));
    let armed = site.ready(&release).await;
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
}

#[tokio::test]
async fn what_was_changed_there_is_not_let_go() {
    let site = Site::new().await;
    let reference = site.put("BPacme-O1").await;
    let changed = reference.clone().with("lines", "of another order");
    let release = site.warehouse.plan_release("BPacme-O1", &changed).unwrap();
    assert!(matches!(site.prepare(&release).await, Prepared::Found(Probe::Different { .. })));
    assert!(site.handle().remove(site.number("BPacme-O1")));
    assert!(matches!(site.prepare(&release).await, Prepared::Impossible { .. }));
    let cancel = site.plan_cancel("BPacme-O1", &reference);
    assert!(matches!(site.prepare(&cancel).await, Prepared::Found(Probe::Different { .. })), "it is gone");
}

#[tokio::test]
async fn an_answer_with_errors_is_no_refusal_of_a_creation() {
    let site = Site::new().await;
    let armed = site.ready(&site.plan("BPacme-O1")).await;
    site.handle().complain_beside(1);
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::Unknown { why } if why.contains("something else went wrong")), "{sent:?}");
    assert!(matches!(site.probe(&armed).await, Probe::Equal(_)), "it was made all the same");
    // Refused in truth.
    let refused = site.ready(&site.plan("BPacme-O2")).await;
    let mut wrong = refused.clone();
    wrong.effect.body = refused.effect.body.replace("SKU-LOT", "NO-SUCH");
    let sent = site.send(&wrong).await;
    assert!(matches!(&sent, Sent::Refused { code, message } if code == "5" && message.contains("NO-SUCH")), "{sent:?}");
    assert_eq!(site.probe(&refused).await, Probe::Absent);
}

#[tokio::test]
async fn what_is_refused_for_good_ends_with_the_services_words() {
    let site = Site::new().await;
    let handle = site.handle();
    let armed = site.ready(&site.plan("BPacme-O1")).await;
    handle.refuse("order_create", Some("Shipping address is invalid"));
    let sent = site.send(&armed).await;
    assert!(
        matches!(&sent, Sent::Refused { code, message } if code == "3" && message.starts_with("Shipping address is invalid.")),
        "{sent:?}"
    );
    // Words that speak of another order, or of a fault that passes, prove nothing.
    for words in ["Order number already exists", "Internal server error", "Please try again"] {
        handle.refuse("order_create", Some(words));
        let sent = site.send(&armed).await;
        assert!(matches!(&sent, Sent::Unknown { why } if why.contains(words)), "{sent:?}");
    }
    // Neither does a form that is not published, nor what stands beside credits, a page, or a broken answer.
    for (status, body) in [
        (200, r#"{"errors":[{"message":"Shipping address is invalid"}]}"#),
        (200, r#"{"errors":[{"message":"no","code":3,"operation":"order_cancel"}],"data":{"order_create":null}}"#),
        (400, r#"{"errors":[{"message":"no","code":3,"operation":"order_create"}],"data":{"order_create":null}}"#),
        (500, r#"{"errors":[{"message":"no","code":3,"operation":"order_create"}],"data":{"order_create":null}}"#),
        (200, "<html>"),
    ] {
        let answer = Fault::Answer { status, headers: BTreeMap::new(), body: body.to_owned() };
        site.simulator.faults().add(FaultRule::new(answer).body_contains("mutation create").first(1));
        let sent = site.send(&armed).await;
        assert!(matches!(sent, Sent::Unknown { .. }), "{status} {body}: {sent:?}");
        site.simulator.faults().clear();
    }
    assert!(handle.ledger().orders.is_empty());

    // What stands there already is compared, whatever the service says.
    handle.refuse("order_create", None);
    let reference = site.put("BPacme-O1").await;
    handle.refuse("order_create", Some("Shipping address is invalid"));
    assert!(matches!(site.send(&armed).await, Sent::Unknown { .. }));

    let release = site.ready(&site.warehouse.plan_release("BPacme-O1", &reference).unwrap()).await;
    handle.refuse("order_update_holds", Some("Holds of this order cannot be changed"));
    let sent = site.send(&release).await;
    assert!(
        matches!(&sent, Sent::Refused { code, message } if code == "3" && message.contains("cannot be changed") && message.contains("held")),
        "{sent:?}"
    );
    handle.refuse("order_update_holds", Some("Something went wrong"));
    assert!(matches!(site.send(&release).await, Sent::Unknown { .. }));
    // Let go by a person meanwhile: that is what was wanted.
    handle.refuse("order_update_holds", Some("Holds of this order cannot be changed"));
    assert!(handle.hold(site.number("BPacme-O1"), "client_hold", false));
    assert!(matches!(site.send(&release).await, Sent::Unknown { .. }));
    assert!(matches!(site.probe(&release).await, Probe::Equal(_)));

    let cancel = site.ready(&site.plan_cancel("BPacme-O1", &reference)).await;
    handle.refuse("order_cancel", Some("This order cannot be canceled"));
    let sent = site.send(&cancel).await;
    assert!(
        matches!(&sent, Sent::Refused { code, message } if !site.warehouse.too_late(code) && message.contains("cannot be canceled")),
        "{sent:?}"
    );
    site.is_of_the_schema();
}

#[tokio::test]
async fn nothing_is_sent_for_a_sku_that_nobody_knows_until_it_is_known() {
    let site = Site::new().await;
    let mut order = request("BPacme-O1");
    order.lines[0].sku = "NEW".to_owned();
    let draft = site.warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    let waits = site.prepare(&draft).await;
    assert!(matches!(&waits, Prepared::NotYet { why } if why.contains("NEW")), "{waits:?}");
    // Another account's does not count.
    site.handle().receive(124, "NEW", 5);
    assert!(matches!(site.prepare(&draft).await, Prepared::NotYet { .. }));
    site.handle().receive(CUSTOMER, "NEW", 5);
    site.ready(&draft).await;
    assert!(site.handle().ledger().mutations.is_empty());
}

#[tokio::test]
async fn a_3pls_user_without_a_customer_sends_nothing() {
    let site = Site::with(Config::default(), &[("customer_account_id", "")]).await;
    let error = site.warehouse.check().await.unwrap_err();
    assert!(error.message.contains("Customer account ID") && error.message.contains(&global("CustomerAccount", 124)));
    let error = site.warehouse.prepare(&[effect(&site.plan("BPacme-O1"))]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert!(site.handle().ledger().orders.is_empty());
    let foreign = connector(
        &site.simulator.base_url(),
        &site.clock,
        &[("customer_account_id", "Q3VzdG9tZXJBY2NvdW50Ojk=")],
        &[("password", "secret")],
    );
    assert!(foreign.check().await.unwrap_err().message.contains("has no customer"));

    // An account of its own needs none.
    let site = Site::with(Config { children: Vec::new(), ..Config::default() }, &[("customer_account_id", "")]).await;
    for sku in ["SKU-A", "SKU-LOT"] {
        site.handle().receive(1, sku, 10);
    }
    site.warehouse.check().await.unwrap();
    site.put("BPacme-O1").await;
    assert_eq!(site.handle().ledger().orders[0].account, 1);
    site.is_of_the_schema();
}

#[tokio::test]
async fn accounts_of_one_3pl_see_nothing_of_each_other() {
    let site = Site::new().await;
    let customer = global("CustomerAccount", 124);
    let other = connector(
        &site.simulator.base_url(),
        &site.clock,
        &[("customer_account_id", customer.as_str())],
        &[("password", "secret")],
    );
    let (_, number) = site.order("BPacme-O1").await;
    site.handle().ship(number, &Dispatch::full()).unwrap();
    let page = other.shipments(&FeedCursor::default()).await.unwrap();
    assert!(page.shipments.is_empty() && page.states.is_empty());
    assert!(other.sightings(&["BPacme-O1".to_owned()]).await.unwrap().found.is_empty());
    assert!(other.stock().await.unwrap().feeds[0].levels.is_empty());
}

#[tokio::test]
async fn how_a_cancel_ends_is_read_from_the_order() {
    for until in [CancelUntil::Labelled, CancelUntil::Fulfilled] {
        let switches = Switches { cancel_until: until, ..Switches::default() };
        let site = Site::with(Config { switches, ..Config::default() }, &[]).await;
        let (whole, _) = site.order("BPacme-O1").await;
        let armed = site.ready(&site.plan_cancel("BPacme-O1", &whole)).await;
        assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
        assert!(matches!(site.probe(&armed).await, Probe::Equal(end) if !end.facts.contains_key("outcome")));

        let (part, number) = site.order("BPacme-O2").await;
        let some = Dispatch { only: Some([("SKU-A".to_owned(), 2)].into()), ..Dispatch::full() };
        site.handle().ship(number, &some).unwrap();
        let armed = site.ready(&site.plan_cancel("BPacme-O2", &part)).await;
        let sent = site.send(&armed).await;
        match until {
            CancelUntil::Labelled => {
                assert!(matches!(&sent, Sent::Refused { code, .. } if site.warehouse.too_late(code)), "{sent:?}");
                assert_eq!(site.probe(&armed).await, Probe::Absent);
            }
            CancelUntil::Fulfilled => {
                assert!(matches!(sent, Sent::Unknown { .. }), "not all of it: {sent:?}");
                let Probe::Equal(end) = site.probe(&armed).await else { panic!("it is cancelled") };
                assert_eq!(end.facts["outcome"], "partly");
                let (_, states, _) = site.shipments(&mut FeedCursor::default()).await;
                assert_eq!(states["BPacme-O2"], RequestState::Finished);
            }
        }
        let (gone, number) = site.order("BPacme-O3").await;
        let armed = site.ready(&site.plan_cancel("BPacme-O3", &gone)).await;
        site.handle().ship(number, &Dispatch::full()).unwrap();
        // It left in between: the refusal is looked into.
        assert!(matches!(site.send(&armed).await, Sent::Refused { code, .. } if site.warehouse.too_late(&code)));
        assert!(matches!(site.probe(&armed).await, Probe::Equal(end) if end.facts["outcome"] == "too_late"));
        site.is_of_the_schema();
    }
}

#[tokio::test]
async fn holds_and_cancels_of_the_warehouse_are_told() {
    let site = Site::new().await;
    site.put("BPacme-O1").await;
    let (_, held) = site.order("BPacme-O2").await;
    site.handle().hold(held, "address_hold", true);
    site.order("BPacme-O3").await;
    let (_, given_up) = site.order("BPacme-O4").await;
    assert!(site.handle().cancel(given_up));
    let mut cursor = FeedCursor::default();
    let (shipments, states, _) = site.shipments(&mut cursor).await;
    assert!(shipments.is_empty());
    let expected = [
        ("BPacme-O1", RequestState::Held),
        ("BPacme-O2", RequestState::Held),
        ("BPacme-O3", RequestState::Waiting),
        ("BPacme-O4", RequestState::Cancelled),
    ];
    assert_eq!(states, expected.map(|(key, state)| (key.to_owned(), state)).into());
}

#[tokio::test]
async fn what_is_voided_is_shown_to_a_person_and_not_told() {
    let site = Site::new().await;
    let (_, number) = site.order("BPacme-O1").await;
    let shipment = site.handle().ship(number, &Dispatch::full()).unwrap();
    let mut cursor = FeedCursor::default();
    let (told, _, unusable) = site.shipments(&mut cursor).await;
    assert_eq!((told.len(), unusable.len()), (1, 0));
    assert!(site.handle().void(shipment));
    let (told, states, unusable) = site.shipments(&mut cursor).await;
    assert!(told.is_empty());
    assert!(unusable.len() == 1 && unusable[0].contains("voided"), "{unusable:?}");
    assert_eq!(states["BPacme-O1"], RequestState::Waiting);
    let (_, _, again) = site.shipments(&mut cursor).await;
    assert_eq!(again, unusable, "the same again, which is known by what it says");
}

/// Whether a void moves anything that is listed is not documented, so it is asked for by itself.
#[tokio::test]
async fn what_is_voided_later_is_told_within_the_hour() {
    let switches = Switches { voids_move_orders: false, ..Switches::default() };
    let site = Site::with(Config { switches, ..Config::default() }, &[]).await;
    let (_, number) = site.order("BPacme-O1").await;
    let shipment = site.handle().ship(number, &Dispatch::full()).unwrap();
    let mut cursor = FeedCursor::default();
    assert_eq!(site.shipments(&mut cursor).await.0.len(), 1);
    // The reading has gone on, as it does where others move it, and then the label is voided.
    let told: jiff::civil::DateTime = cursor.0.unwrap().parse().unwrap();
    let cursor = FeedCursor(Some(told.saturating_add(jiff::SignedDuration::from_mins(10)).to_string()));
    assert!(site.handle().void(shipment));
    let page = site.warehouse.shipments(&cursor).await.unwrap();
    assert!(page.shipments.is_empty() && page.rejected.is_empty(), "neither list has it: {page:?}");
    site.clock.pass(Duration::from_secs(3600));
    let page = site.warehouse.shipments(&cursor).await.unwrap();
    let [rejected] = page.rejected.as_slice() else { panic!("one: {page:?}") };
    assert!(rejected.reason.contains("voided") && rejected.key.as_deref() == Some("BPacme-O1"), "{rejected:?}");
    assert!(rejected.beside, "no count of stock waits for it");
    assert!(page.shipments.is_empty(), "{page:?}");
    // An hour later it says the same, to the letter, so that it is known; in between nobody asks.
    assert_eq!(site.warehouse.shipments(&cursor).await.unwrap().rejected, []);
    site.clock.pass(Duration::from_secs(3600));
    assert_eq!(site.warehouse.shipments(&cursor).await.unwrap().rejected, page.rejected);
    site.is_of_the_schema();
}

#[tokio::test]
async fn a_long_order_is_read_whole_and_what_is_read_again_costs_little() {
    let site = Site::new().await;
    let mut order = request("BPacme-O1");
    let line = order.lines[0].clone();
    order.lines = (1..=130)
        .map(|number| {
            let sku = format!("SKU-{number}");
            site.handle().receive(CUSTOMER, &sku, 10);
            connect::RequestLine { line_number: number, sku, ..line.clone() }
        })
        .collect();
    let draft = site.warehouse.plan_submit(&[order.clone()], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    let armed = site.ready(&draft).await;
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
    assert!(matches!(site.probe(&armed).await, Probe::Equal(_)));
    let number = site.number("BPacme-O1");
    assert!(site.handle().hold(number, "client_hold", false));
    site.handle().advance(Duration::from_secs(300));
    site.handle().ship(number, &Dispatch::full()).unwrap();
    let mut cursor = FeedCursor::default();
    let (told, ..) = site.shipments(&mut cursor).await;
    assert_eq!(told.values().next().unwrap().lines().count(), 130);
    // Two short lists, and nothing of the order again.
    site.handle().set_credits(60);
    let (again, ..) = site.shipments(&mut cursor).await;
    assert_eq!(again, told);
    assert_eq!(site.handle().ledger().refused_for_credits, 0);
    order.lines.extend((131..=501).map(|number| connect::RequestLine { line_number: number, ..line.clone() }));
    let refused = site.warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap_err();
    assert!(refused.why.contains("split it"), "{refused}");
    site.is_of_the_schema();
}

#[tokio::test]
async fn a_reading_waits_for_credits_and_a_change_says_that_it_must() {
    let credits = Credits { bucket: 210, per_second: 150 };
    let site = Site::with(Config { credits, ..Config::default() }, &[]).await;
    for number in 0..450 {
        site.handle().receive(CUSTOMER, &format!("S{number:03}"), number);
    }
    site.handle().set_non_sellable(CUSTOMER, "S449", 9);
    let page = site.warehouse.stock().await.unwrap();
    let levels = &page.feeds[0].levels;
    assert_eq!(levels.len(), 452, "five pages, of which two can be paid at once");
    assert!(site.handle().ledger().refused_for_credits >= 1);
    let last = levels.iter().find(|level| level.sku == "S449").unwrap();
    assert_eq!((last.physical, last.available), (Some(Decimal::from(440)), Some(Decimal::from(440))));

    tokio::time::sleep(Duration::from_secs(2)).await;
    let armed = site.ready(&site.plan("BPacme-O1")).await;
    site.handle().set_credits(0);
    site.simulator.faults().add(FaultRule::new(Fault::Throttled).body_contains("mutation create").first(1));
    let sent = site.send(&armed).await;
    assert!(matches!(sent, Sent::Throttled { wait: Some(wait) } if wait == Duration::from_secs(1)), "{sent:?}");
    assert!(site.handle().ledger().orders.is_empty());
    // Nobody gives up a reading for one refusal; for want of credits without end somebody does.
    site.simulator.faults().add(FaultRule::new(Fault::Throttled).body_contains("query find"));
    let error = site.warehouse.prepare(&[effect(&site.plan("BPacme-O1"))]).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::RateLimited { .. }), "{error:?}");
}

#[tokio::test]
async fn a_token_is_renewed_without_the_password_and_a_wrong_one_is_said() {
    let site = Site::new().await;
    site.put("BPacme-O1").await;
    site.handle().expire_tokens();
    site.warehouse.stock().await.unwrap();
    site.handle().expire_tokens();
    let armed = site.ready(&site.plan("BPacme-O2")).await;
    site.handle().expire_tokens();
    let sent = site.send(&armed).await;
    assert!(matches!(&sent, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient), "{sent:?}");
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));

    let base = site.simulator.base_url();
    let by_token = connector(&base, &site.clock, &[("username", "")], &[("refresh_token", "refresh")]);
    by_token.check().await.unwrap();
    // An old refresh token beside a good password.
    let both = connector(&base, &site.clock, &[], &[("refresh_token", "long-gone"), ("password", "secret")]);
    both.check().await.unwrap();
    for (values, secrets) in [
        (&[][..], &[("password", "canary-of-a-password")][..]),
        (&[("username", "")], &[("refresh_token", "canary-of-a-token")]),
    ] {
        let error = connector(&base, &site.clock, values, secrets).check().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Credentials);
        assert!(!error.message.contains("canary"), "{error}");
    }
}

#[test]
fn wrong_settings_are_named_when_they_are_entered() {
    let Some(spec) = connectors::find("shiphero") else { panic!("it is listed") };
    let Role::Warehouse(build) = spec.role else { panic!("it ships") };
    let hub = context(HandClock::new(), Arc::new(crate::hub::NoNetwork), None);
    let wrong = |values: &[(&str, &str)], secrets: &[(&str, &str)]| -> BTreeSet<String> {
        let mut all = vec![("warehouse_id", "V2FyZWhvdXNlOjE="), ("username", "hub@example.test")];
        all.retain(|(name, _)| !values.iter().any(|(other, _)| other == name));
        all.extend(values.iter().filter(|(_, value)| !value.is_empty()));
        match build(&settings(&all, secrets), &hub) {
            Ok(_) => BTreeSet::new(),
            Err(error) => error.problems.into_iter().map(|(field, _)| field).collect(),
        }
    };
    let password = [("password", "x")];
    assert_eq!(wrong(&[], &password), BTreeSet::new());
    assert_eq!(wrong(&[("username", "")], &[("refresh_token", "x")]), BTreeSet::new());
    for (values, secrets, field) in [
        (&[][..], &[][..], "password"),
        (&[("username", "")], &[], "username"),
        (&[("username", "")], &password, "username"),
        (&[("warehouse_id", "")], &password, "warehouse_id"),
        (&[("calls_per_minute", "0")], &password, "calls_per_minute"),
        (&[("base_url", "shiphero")], &password, "base_url"),
        (&[("create_held", "perhaps")], &password, "create_held"),
        (&[("nothing", "x")], &password, "nothing"),
    ] {
        assert_eq!(wrong(values, secrets), BTreeSet::from([field.to_owned()]), "{values:?}");
    }
}

/// What is wrong with a request.
type Damage = fn(&mut connect::ShipmentRequest);

#[tokio::test]
async fn an_order_carries_what_the_warehouse_needs() {
    let site = Site::new().await;
    let mut order = request("BPacme-O1");
    order.deliver_on = Some(at("2026-11-26T00:00:00Z"));
    let draft = site.warehouse.plan_submit(&[order.clone()], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    assert_eq!((draft.kind, draft.key.as_str()), (EffectKind::SubmitRequest, "BPacme-O1"));
    let body: serde_json::Value = serde_json::from_str(&draft.body).unwrap();
    for (path, expected) in [
        ("/customer_account_id", global("CustomerAccount", CUSTOMER)),
        ("/order_number", "BPacme-O1".to_owned()),
        ("/partner_order_id", "BPacme-O1".to_owned()),
        ("/required_ship_date", "2026-11-26T00:00:00Z".to_owned()),
        ("/shipping_lines/carrier", "UPS".to_owned()),
        ("/shipping_address/last_name", "Doe".to_owned()),
        ("/line_items/0/partner_line_item_id", "BPacme-O1_1".to_owned()),
        ("/line_items/0/price", "10.00".to_owned()),
        ("/line_items/1/warehouse_id", global("Warehouse", 1)),
        ("/packing_note", "Leave with neighbour".to_owned()),
    ] {
        assert_eq!(body.pointer(path).and_then(serde_json::Value::as_str), Some(expected.as_str()), "{path}");
    }
    assert_eq!(body.pointer("/holds/client_hold"), Some(&serde_json::Value::Bool(true)));
    let damage: [(&str, Damage); 5] = [
        ("name", |order| order.ship_to.name = " ".to_owned()),
        ("country", |order| order.ship_to.country = String::new()),
        ("whole units", |order| order.lines[0].quantity = Decimal::new(15, 1)),
        ("no SKU", |order| order.lines[1].sku = String::new()),
        ("order number", |order| order.key = "no spaces".to_owned()),
    ];
    for (why, change) in damage {
        let mut wrong = order.clone();
        change(&mut wrong);
        let refused = site.warehouse.plan_submit(&[wrong], at("2026-11-23T06:30:00Z")).remove(0).unwrap_err();
        assert!(refused.why.contains(why), "{why}: {refused}");
    }
    let armed = site.ready(&draft).await;
    assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
    assert_eq!(site.handle().ledger().orders[0].status, Status::Pending);
    site.is_of_the_schema();
}
