//! Mintsoft.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{Capability, EffectKind, Guard, HttpTransport, HttpWaits, Transport, Warehouse, WebhookCall};
use rust_decimal::Decimal;
use simulators::{
    audit::{self, WarehouseOrder},
    faults::{Fault, FaultRule},
    mintsoft::{Config, Dispatch, Habits, Handle, Mintsoft, Received, Rest, Running, Status},
};
use tokio::net::TcpListener;

use super::{
    disorder::Disorder,
    harness::{Can, Does, Entry, Opened, Opening, Site, Trouble},
    run::{every_scenario, stock_scenarios},
};
use crate::{
    extensiv::receive_all,
    hub::{HandClock, context, settings, warehouse},
};

const CLIENT: u64 = 12;
const BUILDING: u64 = 3;

pub static ENTRIES: &[Entry] = &[Entry {
    platform: "mintsoft",
    declares: &[
        (EffectKind::SubmitRequest, &[Capability::UniqueKey, Capability::LaggingRead]),
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
        Can::CallAtASecretAddress,
        Can::BeAskedWhatItHas,
        Can::ListWhatItHas,
    ],
    open: |opening| open(opening, "false"),
}];

/// The same where only changes of stock are read in between.
static BY_CHANGES: Entry = Entry { open: |opening| open(opening, "true"), ..ENTRIES[0] };

#[tokio::test]
async fn mintsoft() {
    every_scenario(&ENTRIES[0]).await;
}

#[tokio::test]
async fn mintsoft_stock_by_changes() {
    stock_scenarios(&BY_CHANGES).await;
}

fn open(opening: Opening, stock_by_changes: &'static str) -> Opened {
    Box::pin(async move { Box::new(Account::new(opening, stock_by_changes).await) as Box<dyn Site> })
}

struct Account {
    simulator: Running,
    warehouse: Arc<dyn Warehouse>,
    lists: Arc<Disorder>,
    clock: Arc<HandClock>,
    listener: Option<TcpListener>,
}

impl Account {
    async fn new(opening: Opening, stock_by_changes: &str) -> Self {
        let habits = Habits { split_percent: 0, short_percent: 0, boxes_percent: 0 };
        let simulator = Mintsoft::start(Config { habits, ..Config::default() }).await.unwrap();
        let handle = simulator.handle();
        for sku in ["SKU-A", "SKU-B", "SKU-LOT"] {
            handle.add_product(CLIENT, sku);
            let mut came = Received::plain(CLIENT, BUILDING, sku, 100);
            if opening.tracked && sku == "SKU-LOT" {
                came.batch = "L1".to_owned();
                came.serials = (1..=100).map(|number| format!("SN{number:04}")).collect();
            }
            assert!(handle.receive(&came));
        }
        let base = simulator.base_url();
        let values = [
            ("base_url", base.as_str()),
            ("username", "hub"),
            ("client_id", "12"),
            ("warehouse_id", "3"),
            ("courier_service", "UPS Ground"),
            ("unique_numbers", "true"),
            ("stock_by_changes", stock_by_changes),
            ("calls_per_minute", "100000"),
        ];
        let mut secrets = vec![("password", "secret".to_owned())];
        let mut listener = None;
        if opening.calls {
            let heard = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("http://{}/hooks/warehouse/0123456789abcdef", heard.local_addr().unwrap());
            secrets.push(("callback_address", address));
            listener = Some(heard);
        }
        let secrets: Vec<(&str, &str)> = secrets.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let clock = HandClock::new();
        let waits = HttpWaits { total: Duration::from_secs(5), ..HttpWaits::default() };
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap());
        let lists = Disorder::over(transport, &["/api/Order/List"]);
        let hub = context(Arc::clone(&clock), lists.clone(), None);
        let warehouse = warehouse("mintsoft", &settings(&values, &secrets), &hub);
        Self { simulator, warehouse, lists, clock, listener }
    }

    fn handle(&self) -> Handle {
        self.simulator.handle()
    }

    /// The id of the order under a key, or of what was split off it last.
    fn id(&self, key: &str, split: bool) -> u64 {
        let ledger = self.handle().ledger();
        let whole = ledger.orders.iter().find(|order| order.number == key && order.split_of.is_none());
        let whole = whole.expect("an order").order_id;
        match split {
            false => whole,
            true => ledger.orders.iter().rfind(|order| order.split_of == Some(whole)).expect("a part").order_id,
        }
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
            Does::Part => Dispatch { only: some, rest: Rest::Split, boxes: 1 },
            Does::Short => Dispatch { only: some, rest: Rest::Cancel, boxes: 1 },
            Does::GiveUp => {
                assert!(self.handle().cancel(self.id(key, false)));
                return;
            }
            Does::Substitute => {
                assert!(self.handle().substitute(self.id(key, false), "SKU-A", "SKU-B"));
                Dispatch::full()
            }
        };
        self.handle().ship(self.id(key, does == Does::Rest), &how).unwrap();
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
        assert!(self.handle().set_status(self.id(key, false), Status::AwaitingPicking));
    }

    fn orders(&self) -> Vec<WarehouseOrder> {
        audit::mintsoft_orders(&self.handle().ledger(), CLIENT)
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        let (_, there) = self.figures()[sku];
        let more = i64::try_from(units - there).unwrap();
        assert!(self.handle().receive(&Received::plain(CLIENT, BUILDING, sku, more)));
    }

    fn count(&self) {}

    /// It says what is on hand, and nothing of what is promised.
    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        let stock = self.handle().ledger().stock.into_iter().filter(|row| row.client == CLIENT);
        stock.map(|row| (row.sku, (Decimal::ZERO, row.units.into()))).collect()
    }

    fn trouble(&self, trouble: Trouble, kind: EffectKind) {
        let fault = match trouble {
            Trouble::LostAfter => Fault::ErrorAfterEffect { html: true },
            Trouble::LostBefore => Fault::Refuse,
            Trouble::Throttled => Fault::Throttled,
            Trouble::SignInEnded => Fault::ExpireTokens,
            Trouble::Nonsense => Fault::HtmlBody,
        };
        let rule = match kind {
            EffectKind::CancelRequest => FaultRule::new(fault).method("GET").path_contains("/Cancel"),
            _ => FaultRule::new(fault).method("PUT").path_contains("/api/Order"),
        };
        self.simulator.faults().add(rule.first(1));
    }

    fn spoil(&self) {
        let rule = FaultRule::new(Fault::HtmlBody).method("GET").path_contains("/api/Order/List");
        self.simulator.faults().add(rule.first(3));
    }

    /// In which order its list comes is not documented.
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
