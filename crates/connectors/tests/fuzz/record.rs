//! Records the sessions that are damaged, from the stand-ins: once, on demand.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use connect::{
    Clock as _, EffectDraft, Effects, Guard, HttpTransport, HttpWaits, Money, NewNote, NoteRow, OrderSource as _,
    Prepared, Sent, ShippingDetails, StockCorrection, SystemClock, Waits, Warehouse, ulid,
};
use jiff::Timestamp;
use serde::Serialize;
use simulators::{
    brightpearl::{AccountConfig, Config, DataConfig, NewLine, NewOrder, Running, start},
    extensiv::{self as simulator, Received},
};

use super::{
    brightpearl::{self, Op},
    extensiv,
    replay::{Recorder, context},
    rest::Op as WarehouseOp,
    session::{Session, Written},
};
use crate::hub::{at, request};

const ACCOUNT: &str = "exampleeu";
const WAREHOUSE: i64 = 5;
/// Before anything that is recorded.
const BEFORE: &str = "2020-01-01T00:00:00Z";

pub fn now() -> Timestamp {
    SystemClock::default().now()
}

pub fn is_wanted() -> bool {
    std::env::var_os("MILLRACE_FUZZ_RECORD").is_some()
}

pub fn write<Op: Serialize>(name: &str, sessions: &[Session<Op>]) {
    let folder = crate::folder().join("corpus");
    std::fs::create_dir_all(&folder).unwrap();
    let lines: Vec<String> = sessions.iter().map(|session| serde_json::to_string(session).unwrap()).collect();
    std::fs::write(folder.join(name), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
}

pub fn network() -> Arc<Recorder> {
    let waits = HttpWaits { total: Duration::from_secs(10), ..HttpWaits::default() };
    Recorder::new(Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap()))
}

/// Asks the stand-in as a connector of its own, so that each session has its log-in.
struct Account {
    sim: Running,
    recorder: Arc<Recorder>,
    sessions: Vec<Session<Op>>,
}

impl Account {
    fn connector(&self) -> Arc<connectors::brightpearl::Brightpearl> {
        let context = context(self.recorder.clone(), Arc::new(SystemClock::default()), Waits::default());
        brightpearl::connector(&self.sim.base_url(), &context)
    }

    async fn ask(&mut self, op: Op) {
        self.recorder.take();
        let mut session = Session { op, at: now(), answers: Vec::new() };
        let connector = self.connector();
        brightpearl::perform(&connector, &session, || self.recorder.change()).await.unwrap();
        session.answers = self.recorder.take();
        // Some preparations need no call: there is nothing in them to damage.
        if !session.answers.is_empty() {
            self.sessions.push(session);
        }
    }

    /// Prepares, looks, sends, and looks again; the id of what came to be.
    async fn make(&mut self, drafts: &[EffectDraft]) -> Option<i64> {
        let connector = self.connector();
        let planned: Vec<Written> = drafts.iter().map(|draft| Written::new(draft, None)).collect();
        let now = now();
        let effects: Vec<_> = planned.iter().map(|effect| effect.effect(now)).collect();
        let prepared = connector.prepare(&effects).await.unwrap();
        let ready: Vec<Written> =
            drafts.iter().zip(&prepared).map(|(draft, prepared)| Written::new(draft, Some(prepared))).collect();
        self.ask(Op::Prepare { effects: planned.clone() }).await;
        self.ask(Op::Probe { effects: ready.clone() }).await;
        self.ask(Op::Send { effects: ready.clone() }).await;
        let sent = self.sessions.last().unwrap().answers.last().unwrap().json().unwrap_or_default();
        self.ask(Op::Probe { effects: ready }).await;
        let response = sent.get("response")?;
        response.as_i64().or_else(|| response.get(0)?.as_i64())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn record_brightpearl() {
    if !is_wanted() {
        return;
    }
    let mut config = Config { accounts: vec![AccountConfig::new(ACCOUNT)], ..Config::default() };
    for account in &mut config.accounts {
        account.data = DataConfig { products: 25, orders: 0, customers: 3 };
    }
    let sim = start(Config { time_factor: 30, requests_per_window: None, ..config }).await.unwrap();
    let products: Vec<(i64, String)> = sim.plain_products(ACCOUNT).unwrap();
    let ready = sim.status_id(ACCOUNT, "Ready to ship").unwrap();
    let shipped = sim.status_id(ACCOUNT, "Shipped").unwrap();
    let order = |quantities: &[i64]| {
        let lines = products.iter().zip(quantities).map(|((product, _), quantity)| {
            sim.change_stock(ACCOUNT, *product, WAREHOUSE, quantity + 20).unwrap();
            NewLine::product(*product, *quantity)
        });
        let order = NewOrder {
            status_id: Some(ready),
            warehouse_id: Some(WAREHOUSE),
            channel_id: Some(1),
            ..NewOrder::of(lines.collect::<Vec<_>>())
        };
        sim.create_order(ACCOUNT, order).unwrap()
    };
    let (plain, noted, gone) = (order(&[3, 1]), order(&[2]), order(&[1, 1]));
    let foreign = sim.create_note(ACCOUNT, noted, WAREHOUSE, 203, None).unwrap();
    let left = sim.create_note(ACCOUNT, gone, WAREHOUSE, 4, None).unwrap();
    sim.ship_note(ACCOUNT, left, 4).unwrap();
    let rows: Vec<(i64, i64)> = {
        let rows = sim.order(ACCOUNT, plain).unwrap().rows;
        rows.into_iter().filter(|(_, row)| row.ships).map(|(id, row)| (id, row.product_id)).collect()
    };
    let (ids, skus): (Vec<i64>, Vec<String>) = products.iter().take(6).cloned().unzip();
    let mut account = Account { sim, recorder: network(), sessions: Vec::new() };
    let address = "https://hub.example.test/hooks/abc".to_owned();
    for op in [
        Op::Check,
        Op::Choices,
        Op::ScanOrders { statuses: [ready, shipped].into(), warehouses: [WAREHOUSE].into() },
        Op::ScanChanged { statuses: [ready, shipped].into(), warehouses: [WAREHOUSE].into(), since: at(BEFORE) },
        Op::ScanHistory { since: at(BEFORE) },
        Op::ScanNotes { warehouses: [WAREHOUSE].into() },
        Op::OpenNotes { warehouse: WAREHOUSE },
        Op::Fulfilled { order: noted },
        Op::Orders { ids: vec![plain, noted, gone] },
        Op::Notes { ids: vec![plain, noted, gone] },
        Op::Products { ids: ids.clone() },
        Op::FindSkus { skus },
        Op::Stock { warehouse: WAREHOUSE, ids: ids.clone() },
        Op::SurveyStock { warehouse: WAREHOUSE, ids: ids.clone() },
        Op::Costs { list: 1, ids: ids.clone() },
        Op::DefaultLocation { warehouse: WAREHOUSE },
        Op::StaffId,
        Op::OwnContact,
        Op::RegisterWebhooks { address: address.clone() },
        Op::ListWebhooks { address: address.clone() },
        Op::UnregisterWebhooks { address },
    ] {
        account.ask(op).await;
    }
    let connector = account.connector();
    let now = now();
    let note = NewNote {
        order_id: plain,
        warehouse_id: WAREHOUSE,
        released_at: now,
        ship_method_id: Some(49),
        rows: rows
            .iter()
            .map(|(row_id, product_id)| NoteRow { row_id: *row_id, product_id: *product_id, quantity: 1.into() })
            .collect(),
    };
    let note = account.make(&[connector.plan_note("note", &note).unwrap()]).await.unwrap();
    let details = ShippingDetails {
        order_id: plain,
        note_id: note,
        tracking: vec!["1Z999AA10123456784".to_owned()],
        ship_method_id: Some(50),
        boxes: 2,
        weight: Some("3.4".parse().unwrap()),
    };
    let shipping = connector.plan_shipping("shipping", &details).unwrap().remove(0);
    account.make(&[shipping]).await;
    account.make(&[connector.plan_shipped("shipped", plain, note, &[], now).unwrap()]).await;
    account.make(&[connector.plan_status("status", plain, &[ready].into(), shipped, None).unwrap()]).await;
    account.make(&[connector.plan_order_note("text", plain, "Sent to the warehouse").unwrap()]).await;
    account.make(&[connector.plan_note_deletion("delete", noted, foreign).unwrap()]).await;
    let correction = |product_id: i64, difference: i64| {
        let correction = StockCorrection {
            warehouse_id: WAREHOUSE,
            location_id: 41,
            product_id,
            difference,
            marker: ulid(now, &connect::OsRandom),
            reason: "Stock count".to_owned(),
            cost: (difference > 0).then(|| Money { currency: "GBP".to_owned(), amount: "2.68".parse().unwrap() }),
        };
        connector.plan_correction("batch", &correction).unwrap()
    };
    account.make(&[correction(ids[0], 5), correction(ids[1], -3)]).await;
    account.ask(Op::Movements { warehouse: WAREHOUSE, ids, since: at(BEFORE) }).await;
    account.ask(Op::CorrectionMarkers { warehouse: WAREHOUSE, since: at(BEFORE) }).await;
    write(brightpearl::CORPUS, &account.sessions);
}

#[tokio::test(flavor = "multi_thread")]
async fn record_extensiv() {
    if !is_wanted() {
        return;
    }
    let config = simulator::Config::default();
    let simulator = simulator::Extensiv::start(config).await.unwrap();
    let handle = simulator.handle();
    for sku in ["SKU-A", "SKU-LOT"] {
        handle.add_item(143, sku);
        handle.receive(&Received::plain(143, 10, sku, 1000.into()));
    }
    let recorder = network();
    let clock = Arc::new(SystemClock::default());
    let connector = || {
        // The simulator knows its own secret only; the recording does not hold it.
        let context = context(recorder.clone(), clock.clone(), Waits::default());
        let values = [
            ("base_url", simulator.base_url()),
            ("client_id", "client".to_owned()),
            ("user_login_id", "millrace".to_owned()),
            ("customer_id", "143".to_owned()),
            ("facility_id", "10".to_owned()),
            ("calls_per_minute", "100000".to_owned()),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        crate::hub::warehouse("extensiv", &crate::hub::settings(&values, &[("client_secret", "secret")]), &context)
    };
    let mut sessions: Vec<Session<WarehouseOp>> = Vec::new();
    let mut orders: BTreeMap<&str, connect::RemoteRef> = BTreeMap::new();
    for key in ["BPacme-O1", "BPacme-O2", "BPacme-O3"] {
        let warehouse = connector();
        let draft = warehouse.plan_submit(&[request(key)], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let sent = exchange(&mut sessions, &recorder, &connector, &draft).await;
        let Sent::Accepted { reference: Some(reference) } = sent else { panic!("{sent:?}") };
        orders.insert(key, reference.clone());
        let next = match key {
            "BPacme-O3" => warehouse.plan_cancel(key, &reference, at("2026-11-23T06:30:00Z")).unwrap(),
            _ => warehouse.plan_release(key, &reference).unwrap(),
        };
        exchange(&mut sessions, &recorder, &connector, &next).await;
    }
    while handle.work() > 0 {}
    let cursors = [None, Some("2026-11-23T06:30:04".to_owned())];
    read(&mut sessions, &recorder, &connector, cursors).await;
    write(extensiv::CORPUS, &sessions);
}

/// Reads shipments from these places on, stock, and makes the test of the settings.
pub async fn read(
    sessions: &mut Vec<Session<WarehouseOp>>,
    recorder: &Recorder,
    connector: &impl Fn() -> Arc<dyn Warehouse>,
    cursors: [Option<String>; 2],
) {
    for cursor in cursors {
        let op = WarehouseOp::Shipments { cursor: connect::FeedCursor(cursor) };
        recorder.take();
        let session = Session { op, at: now(), answers: Vec::new() };
        let WarehouseOp::Shipments { cursor } = &session.op else { unreachable!() };
        let page = connector().shipments(cursor).await.unwrap();
        assert!(!page.shipments.is_empty());
        sessions.push(Session { answers: recorder.take(), ..session });
    }
    recorder.take();
    connector().check().await.unwrap();
    sessions.push(Session { op: WarehouseOp::Check, at: now(), answers: recorder.take() });
    connector().stock().await.unwrap();
    sessions.push(Session { op: WarehouseOp::Stock, at: now(), answers: recorder.take() });
}

/// Prepares, looks, sends and looks again, each as a session of its own.
pub async fn exchange(
    sessions: &mut Vec<Session<WarehouseOp>>,
    recorder: &Recorder,
    connector: &impl Fn() -> Arc<dyn Warehouse>,
    draft: &EffectDraft,
) -> Sent {
    let now = now();
    let planned = Written::new(draft, None);
    recorder.take();
    let prepared: Vec<Prepared> = connector().prepare(&[planned.effect(now)]).await.unwrap();
    let effects = vec![planned];
    sessions.push(Session { op: WarehouseOp::Prepare { effects }, at: now, answers: recorder.take() });
    let ready = Written::new(draft, prepared.first());
    let effects = || vec![ready.clone()];
    connector().probe(&[ready.armed(now)]).await.unwrap();
    sessions.push(Session { op: WarehouseOp::Probe { effects: effects() }, at: now, answers: recorder.take() });
    let sent = connector().send(&[ready.armed(now)], Duration::from_secs(1_000_000)).await.outcomes.remove(0);
    sessions.push(Session { op: WarehouseOp::Send { effects: effects() }, at: now, answers: recorder.take() });
    connector().probe(&[ready.armed(now)]).await.unwrap();
    sessions.push(Session { op: WarehouseOp::Probe { effects: effects() }, at: now, answers: recorder.take() });
    sent
}
