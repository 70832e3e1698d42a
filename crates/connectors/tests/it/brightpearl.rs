//! Brightpearl: the connector against recorded answers, and against the stand-in with its faults and open questions.

mod access;
mod effects;
mod open_questions;
mod reads;
mod recordings;
mod webhooks;

use std::{sync::Arc, time::Duration};

use connect::{
    Armed, BuildContext, Delivery, Effect, EffectDraft, EffectId, Effects, Guard, HttpTransport, HttpWaits, OsRandom,
    Prepared, Probe, Sent, SystemClock, Transport, Waits, budget::Budgets,
};
use connectors::{
    brightpearl::{Brightpearl, build_source},
    files::Files,
};
use simulators::brightpearl::{Config, DataConfig, NewOrder, Running, Switches, start};

use crate::hub::settings;

const ACCOUNT: &str = "exampleeu";
const PASSWORD: &str = "example-password";
const EMAIL: &str = "api.user@example.test";
/// Everything waits this many times shorter than in production, in the connector and in the stand-in alike.
const FACTOR: u32 = 30;

/// A stand-in with a connector on it.
struct Bench {
    sim: Running,
    connector: Arc<Brightpearl>,
    context: BuildContext,
}

/// A small account without throttling.
fn small() -> Config {
    let mut config = Config::one_account(ACCOUNT);
    for account in &mut config.accounts {
        account.data = DataConfig { products: 60, orders: 0, customers: 5 };
    }
    Config { time_factor: FACTOR, requests_per_window: None, ..config }
}

fn context(factor: u32) -> BuildContext {
    let clock = Arc::new(SystemClock::default());
    let waits = Waits::default().divided(factor);
    let http = HttpWaits { connect: Duration::from_secs(2), total: waits.http, ..HttpWaits::default() };
    BuildContext {
        transport: Arc::new(HttpTransport::new(http, Guard::stand_ins()).unwrap()),
        files: Arc::new(Files::new(waits, Guard::stand_ins())),
        random: Arc::new(OsRandom),
        budgets: Arc::new(Budgets::new(clock.clone())),
        clock,
        waits,
        grants: Arc::new(connect::NoGrants),
        desk: Arc::new(connect::NoDesk),
        marks: Arc::new(connect::NoMarks),
        share: "con_test".to_owned(),
    }
}

fn staff_log_in(base: &str, more: &[(&str, &str)]) -> connect::Settings {
    let mut values = vec![
        ("datacenter_code", "eu1"),
        ("account_id", ACCOUNT),
        ("email", EMAIL),
        ("calls_per_minute", "1000000"),
        ("base_url", base),
    ];
    values.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    values.extend_from_slice(more);
    settings(&values, &[("password", PASSWORD)])
}

impl Bench {
    async fn new(config: Config, more: &[(&str, &str)]) -> Self {
        let factor = config.time_factor;
        let sim = start(config).await.unwrap();
        let context = context(factor);
        let connector = build_source(&staff_log_in(&sim.base_url(), more), &context).unwrap();
        Self { sim, connector, context }
    }

    async fn small() -> Self {
        Self::new(small(), &[]).await
    }

    async fn with(switches: Switches) -> Self {
        Self::new(Config { switches, ..small() }, &[]).await
    }

    fn calls(&self, purpose: &str) -> u64 {
        let reports = self.context.budgets.reports();
        reports.values().filter_map(|report| report.calls.get(purpose)).sum()
    }

    fn status(&self, name: &str) -> i64 {
        self.sim.status_id(ACCOUNT, name).unwrap()
    }

    /// Ids of products with stock of their own and no twin.
    fn products(&self) -> Vec<i64> {
        self.sim.plain_products(ACCOUNT).unwrap().into_iter().map(|(id, _)| id).collect()
    }

    /// An order ready to ship in the 3PL's warehouse, with stock for it.
    fn order(&self, quantities: &[i64]) -> i64 {
        use simulators::brightpearl::NewLine;
        let lines = self.products().into_iter().zip(quantities).map(|(product, quantity)| {
            self.sim.change_stock(ACCOUNT, product, WAREHOUSE, *quantity + 20).unwrap();
            NewLine::product(product, *quantity)
        });
        let order = NewOrder {
            status_id: Some(self.status("Ready to ship")),
            warehouse_id: Some(WAREHOUSE),
            channel_id: Some(1),
            ..NewOrder::of(lines.collect::<Vec<_>>())
        };
        self.sim.create_order(ACCOUNT, order).unwrap()
    }

    fn rows(&self, order: i64) -> Vec<(i64, i64, i64)> {
        let order = self.sim.order(ACCOUNT, order).unwrap();
        let ships = order.rows.into_iter().filter(|(_, row)| row.ships);
        ships.map(|(id, row)| (id, row.product_id, i64::try_from(row.quantity).unwrap())).collect()
    }

    async fn prepare(&self, draft: &EffectDraft) -> (Effect, Prepared) {
        let effect = self.effect(draft);
        let prepared = self.connector.prepare(std::slice::from_ref(&effect)).await.unwrap();
        (effect, prepared.into_iter().next().unwrap())
    }

    fn effect(&self, draft: &EffectDraft) -> Effect {
        Effect {
            id: EffectId::generate(self.context.clock.now(), &OsRandom),
            kind: draft.kind,
            key: draft.key.clone(),
            batch: draft.batch.clone(),
            body: draft.body.clone(),
            number: None,
            tried: None,
            others: std::collections::BTreeSet::new(),
        }
    }

    async fn armed(&self, draft: &EffectDraft) -> Armed {
        let (effect, prepared) = self.prepare(draft).await;
        self.arm(effect, prepared)
    }

    fn arm(&self, effect: Effect, prepared: Prepared) -> Armed {
        let Prepared::Ready { baseline } = prepared else { panic!("{} is not ready: {prepared:?}", effect.kind) };
        Armed { effect, baseline, attempt: 1, armed_at: self.context.clock.now() }
    }

    async fn send(&self, armed: &Armed) -> Sent {
        self.deliver(std::slice::from_ref(armed)).await.outcomes.into_iter().next().unwrap()
    }

    async fn deliver(&self, batch: &[Armed]) -> Delivery {
        let delivery = self.connector.send(batch, self.context.clock.monotonic() + self.context.waits.http).await;
        assert_eq!(delivery.outcomes.len(), batch.len());
        let shown = format!("{delivery:?}");
        assert!(!shown.contains(PASSWORD), "the password is in {shown}");
        delivery
    }

    async fn probe(&self, armed: &Armed) -> Probe {
        self.connector.probe(std::slice::from_ref(armed)).await.unwrap().into_iter().next().unwrap()
    }

    /// Prepares and sends, which must work at once; the id it gives.
    async fn make(&self, draft: &EffectDraft) -> i64 {
        let armed = self.armed(draft).await;
        match self.send(&armed).await {
            Sent::Accepted { reference } => reference.map_or(0, |reference| reference.id.parse().unwrap()),
            other => panic!("{}: {other:?}", draft.kind),
        }
    }
}

/// The 3PL's warehouse in the stand-in's accounts.
const WAREHOUSE: i64 = 5;
/// Its default location.
const LOCATION: i64 = 41;

fn transport(factor: u32) -> Arc<dyn Transport> {
    context(factor).transport
}
