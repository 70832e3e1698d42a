//! Extensiv 3PL Warehouse Manager.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{Capability, EffectKind, Guard, HttpTransport, HttpWaits, Transport, Warehouse, WebhookCall};
use rust_decimal::Decimal;
use simulators::{
    audit::{self, WarehouseOrder},
    extensiv::{
        Config, Dispatch, Extensiv, Habits, Handle, Item, Load, Quantities, Received, Rest, Running, TrackBys,
        WebhookRules,
    },
    faults::{Fault, FaultRule},
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

const CUSTOMER: u64 = 143;
const FACILITY: u64 = 10;

pub static ENTRIES: &[Entry] = &[Entry {
    platform: "extensiv",
    declares: &[
        (EffectKind::SubmitRequest, &[Capability::LaggingRead, Capability::Held]),
        (EffectKind::ReleaseRequest, &[Capability::ConditionalWrite]),
        (EffectKind::CancelRequest, &[Capability::ConditionalWrite]),
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
async fn extensiv() {
    every_scenario(&ENTRIES[0]).await;
}

fn open(opening: Opening) -> Opened {
    Box::pin(async move { Box::new(Rest3pl::new(opening).await) as Box<dyn Site> })
}

struct Rest3pl {
    simulator: Running,
    warehouse: Arc<dyn Warehouse>,
    lists: Arc<Disorder>,
    clock: Arc<HandClock>,
    listener: Option<TcpListener>,
}

impl Rest3pl {
    async fn new(opening: Opening) -> Self {
        let quiet =
            Habits { split_percent: 0, short_percent: 0, boxes_percent: 0, freight_percent: 0, cancel_percent: 0 };
        let webhooks = WebhookRules { allow_http_to_loopback: true, ..WebhookRules::default() };
        let config = Config { habits: quiet, webhooks, work_every: None, ..Config::default() };
        let simulator = Extensiv::start(config).await.unwrap();
        let handle = simulator.handle();
        for sku in ["SKU-A", "SKU-B", "SKU-LOT"] {
            let tracked = opening.tracked && sku == "SKU-LOT";
            handle.put_item(Item {
                id: 0,
                customer: CUSTOMER,
                sku: sku.to_owned(),
                description: sku.to_owned(),
                upc: String::new(),
                deactivated: false,
                track_bys: if tracked { TrackBys { lot: 2, serial: 2, expiration: 0 } } else { TrackBys::default() },
            });
            let mut came = Received::plain(CUSTOMER, FACILITY, sku, 100.into());
            if tracked {
                came.lot = "L1".to_owned();
                came.serials = (1..=100).map(|number| format!("SN{number:04}")).collect();
            }
            assert!(handle.receive(&came).is_some());
        }
        let mut listener = None;
        if opening.calls {
            let heard = TcpListener::bind("127.0.0.1:0").await.unwrap();
            handle.subscribe(&format!("http://{}/hook", heard.local_addr().unwrap()), true).unwrap();
            listener = Some(heard);
        }
        let clock = HandClock::new();
        let waits = HttpWaits { total: Duration::from_secs(5), ..HttpWaits::default() };
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(waits, Guard::stand_ins()).unwrap());
        let base = simulator.base_url();
        let values = [
            ("base_url", base.as_str()),
            ("client_id", "client"),
            ("user_login_id", "millrace"),
            ("customer_id", "143"),
            ("facility_id", "10"),
            ("calls_per_minute", "100000"),
        ];
        let lists = Disorder::over(transport, &["/orders"]);
        let hub = context(Arc::clone(&clock), lists.clone(), None);
        let warehouse = warehouse("extensiv", &settings(&values, &[("client_secret", "secret")]), &hub);
        Self { simulator, warehouse, lists, clock, listener }
    }

    fn handle(&self) -> Handle {
        self.simulator.handle()
    }

    /// The number of the order under a key, or of what was split off it last.
    fn id(&self, key: &str, split: bool) -> u64 {
        let ledger = self.handle().ledger();
        let whole =
            ledger.orders.iter().find(|order| order.reference == key && order.split_of.is_none()).expect("an order");
        match split {
            false => whole.order_id,
            true => ledger.orders.iter().rfind(|order| order.split_of.is_some()).expect("a part").order_id,
        }
    }
}

#[async_trait]
impl Site for Rest3pl {
    fn warehouse(&self) -> &Arc<dyn Warehouse> {
        &self.warehouse
    }

    fn clock(&self) -> &Arc<HandClock> {
        &self.clock
    }

    fn take_in(&self) {}

    fn work(&self, key: &str, does: Does) {
        let some = Quantities::Only(BTreeMap::from([("SKU-A".to_owned(), 2.into())]));
        let how = match does {
            Does::All | Does::Rest => Dispatch::full(),
            Does::TwoBoxes => Dispatch { load: Load::Boxes(2), ..Dispatch::full() },
            Does::Part => Dispatch { quantities: some, rest: Rest::Split, load: Load::Boxes(1) },
            Does::Short => Dispatch { quantities: some, rest: Rest::Short, load: Load::Boxes(1) },
            Does::GiveUp => {
                assert!(self.handle().cancel(self.id(key, false), "nobody can ship it"));
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
        self.handle().work_until_quiet(20);
    }

    fn touch(&self, key: &str) {
        let id = self.id(key, false);
        assert!(self.handle().hold(id, Some("a person looks at it")) && self.handle().hold(id, None));
    }

    fn orders(&self) -> Vec<WarehouseOrder> {
        audit::extensiv_orders(&self.handle().ledger(), CUSTOMER)
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        let (_, there) = self.figures()[sku];
        assert!(self.handle().receive(&Received::plain(CUSTOMER, FACILITY, sku, units - there)).is_some());
    }

    fn count(&self) {}

    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        let mut figures: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
        for row in self.handle().stock().into_iter().filter(|row| row.customer == CUSTOMER) {
            let sum = figures.entry(row.sku).or_default();
            sum.0 += row.available;
            sum.1 += row.physical;
        }
        figures
    }

    fn trouble(&self, trouble: Trouble, kind: EffectKind) {
        let fault = match trouble {
            Trouble::LostAfter => Fault::ErrorAfterEffect { html: true },
            Trouble::LostBefore => Fault::Refuse,
            Trouble::Throttled => Fault::Throttled,
            Trouble::SignInEnded => Fault::ExpireTokens,
            Trouble::Nonsense => Fault::HtmlBody,
        };
        let path = match kind {
            EffectKind::ReleaseRequest => "/completer",
            EffectKind::CancelRequest => "/canceler",
            _ => "/orders",
        };
        self.simulator.faults().add(FaultRule::new(fault).method("POST").path_contains(path).first(1));
    }

    fn spoil(&self) {
        let rule = FaultRule::new(Fault::HtmlBody).method("GET").path_contains("/orders");
        self.simulator.faults().add(rule.first(3));
    }

    /// Its list is asked for in order of change; here it does not keep to that, and lists twice.
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
