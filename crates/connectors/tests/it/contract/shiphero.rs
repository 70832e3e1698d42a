//! ShipHero.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{Capability, EffectKind, Guard, HttpTransport, HttpWaits, Transport, Warehouse, WebhookCall};
use rust_decimal::Decimal;
use simulators::{
    audit::{self, WarehouseOrder},
    faults::{Fault, FaultRule},
    shiphero::{Config, Dispatch, Habits, Handle, Running, ShipHero, global},
};
use tokio::net::TcpListener;

use super::{
    disorder::Disorder,
    harness::{Can, Does, Entry, Opened, Opening, Site, Trouble},
    run::every_scenario,
};
use crate::{
    extensiv::receive_all,
    hub::{HandClock, context, settings, warehouse},
};

const CUSTOMER: u64 = 123;

pub static ENTRIES: &[Entry] = &[Entry {
    platform: "shiphero",
    declares: &[
        (EffectKind::SubmitRequest, &[Capability::LaggingRead, Capability::Held]),
        (EffectKind::ReleaseRequest, &[Capability::AbsoluteSet]),
        (EffectKind::CancelRequest, &[Capability::AbsoluteSet]),
    ],
    can: &[
        Can::SayThatAnOrderIsShort,
        Can::NameBoxes,
        Can::NameLotsAndSerials,
        Can::SayThatItGaveUp,
        Can::Substitute,
        Can::Throttle,
        Can::EndASignIn,
        Can::AnswerNonsense,
        Can::Call,
        Can::BeAskedWhatItHas,
        Can::ListWhatItHas,
    ],
    open,
}];

#[tokio::test]
async fn shiphero() {
    every_scenario(&ENTRIES[0]).await;
}

fn open(opening: Opening) -> Opened {
    Box::pin(async move { Box::new(Account::new(opening).await) as Box<dyn Site> })
}

struct Account {
    simulator: Running,
    warehouse: Arc<dyn Warehouse>,
    lists: Arc<Disorder>,
    clock: Arc<HandClock>,
    listener: Option<TcpListener>,
}

impl Account {
    async fn new(opening: Opening) -> Self {
        let habits = Habits { split_percent: 0, short_percent: 0, boxes_percent: 0 };
        let simulator = ShipHero::start(Config { habits, ..Config::default() }).await.unwrap();
        let handle = simulator.handle();
        let serials: Vec<String> = (1..=100).map(|number| format!("SN{number:04}")).collect();
        let serials: Vec<&str> = serials.iter().map(String::as_str).collect();
        for sku in ["SKU-A", "SKU-B", "SKU-LOT"] {
            match opening.tracked && sku == "SKU-LOT" {
                true => handle.receive_lot(CUSTOMER, sku, 100, "L1", &serials),
                false => handle.receive(CUSTOMER, sku, 100),
            }
        }
        let (base, customer, building) =
            (simulator.base_url(), global("CustomerAccount", CUSTOMER), global("Warehouse", 1));
        let values = [
            ("base_url", base.as_str()),
            ("username", "hub@example.test"),
            ("customer_account_id", customer.as_str()),
            ("warehouse_id", building.as_str()),
            ("calls_per_minute", "100000"),
        ];
        let mut secrets = vec![("password", "secret".to_owned())];
        let mut listener = None;
        if opening.calls {
            let heard = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/hook", heard.local_addr().unwrap());
            secrets.push(("webhook_secrets", handle.subscribe(CUSTOMER, "Shipment Update", &url)));
            listener = Some(heard);
        }
        let secrets: Vec<(&str, &str)> = secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let clock = HandClock::new();
        let waits = HttpWaits { total: Duration::from_secs(5), ..HttpWaits::default() };
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap());
        let lists = Disorder::over(transport, &["query changed", "query left"]);
        let hub = context(Arc::clone(&clock), lists.clone(), None);
        let warehouse = warehouse("shiphero", &settings(&values, &secrets), &hub);
        Self { simulator, warehouse, lists, clock, listener }
    }

    fn handle(&self) -> Handle {
        self.simulator.handle()
    }

    /// The number of the order under a key.
    fn id(&self, key: &str) -> u64 {
        let orders = self.handle().ledger().orders;
        orders.iter().find(|order| order.partner_id == key).expect("an order").order_id
    }
}

/// Whatever was asked and answered was of the schema.
impl Drop for Account {
    fn drop(&mut self) {
        let off = self.handle().ledger().off_schema;
        assert!(off.is_empty() || std::thread::panicking(), "{off:?}");
    }
}

#[async_trait]
impl Site for Account {
    fn warehouse(&self) -> &Arc<dyn Warehouse> {
        &self.warehouse
    }

    fn clock(&self) -> &Arc<HandClock> {
        &self.clock
    }

    fn take_in(&self) {}

    fn work(&self, key: &str, does: Does) {
        let some = Some(BTreeMap::from([("SKU-A".to_owned(), 2)]));
        let how = match does {
            Does::All | Does::Rest => Dispatch::full(),
            Does::TwoBoxes => Dispatch { boxes: 2, ..Dispatch::full() },
            Does::Part => Dispatch { only: some, ..Dispatch::full() },
            Does::Short => Dispatch { only: some, short: true, boxes: 1 },
            Does::GiveUp => {
                assert!(self.handle().cancel(self.id(key)));
                return;
            }
            Does::Substitute => {
                assert!(self.handle().substitute(self.id(key), "SKU-A", "SKU-B"));
                Dispatch::full()
            }
        };
        self.handle().ship(self.id(key), &how).unwrap();
    }

    fn work_off(&self) {
        for _ in 0..20 {
            if self.handle().work() == 0 {
                return;
            }
        }
        panic!("the people there never end");
    }

    fn touch(&self, key: &str) {
        let id = self.id(key);
        assert!(self.handle().hold(id, "operator_hold", true) && self.handle().hold(id, "operator_hold", false));
    }

    fn orders(&self) -> Vec<WarehouseOrder> {
        audit::shiphero_orders(&self.handle().ledger(), CUSTOMER)
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        let (_, there) = self.figures()[sku];
        self.handle().receive(CUSTOMER, sku, i64::try_from(units - there).unwrap());
    }

    fn count(&self) {}

    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        let figures = self.handle().figures(CUSTOMER).into_iter();
        figures.map(|(sku, (available, on_hand))| (sku, (available.into(), on_hand.into()))).collect()
    }

    fn trouble(&self, trouble: Trouble, kind: EffectKind) {
        let fault = match trouble {
            Trouble::LostAfter => Fault::ErrorAfterEffect { html: true },
            Trouble::LostBefore => Fault::Refuse,
            Trouble::Throttled => Fault::Throttled,
            Trouble::SignInEnded => Fault::ExpireTokens,
            Trouble::Nonsense => Fault::HtmlBody,
        };
        let asks = match kind {
            EffectKind::ReleaseRequest => "mutation release",
            EffectKind::CancelRequest => "mutation cancel",
            _ => "mutation create",
        };
        self.simulator.faults().add(FaultRule::new(fault).body_contains(asks).first(1));
    }

    fn spoil(&self) {
        let rule = FaultRule::new(Fault::HtmlBody).body_contains("query changed");
        self.simulator.faults().add(rule.first(3));
    }

    /// In which order its lists come is not documented; calls are another scenario.
    fn disorder(&self) {
        self.lists.begin();
    }

    /// It calls when something leaves.
    async fn calls(&self) -> Vec<WebhookCall> {
        let Some(listener) = &self.listener else { return Vec::new() };
        let orders = self.handle().ledger().orders;
        for order in &orders {
            self.handle().ship(order.order_id, &Dispatch::full()).unwrap();
        }
        receive_all(listener, orders.len()).await
    }
}
