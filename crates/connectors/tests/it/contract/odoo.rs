//! Odoo itself, over each of its two interfaces. `./dev test-odoo` starts it; without it these are listed as not run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use connect::{Capability, EffectKind, Warehouse, WebhookCall};
use rand::{SeedableRng as _, rngs::StdRng};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulators::{
    audit::WarehouseOrder,
    odoo::{Dispatch, Habits, Odoo, Rest},
};

use super::{
    harness::{Can, Does, Entry, Opened, Opening, Site, Trouble},
    run::every_scenario,
};
use crate::{
    hub::{HandClock, context, settings, warehouse},
    odoo::{Fault, Line, settings_of},
};

const DECLARES: &[(EffectKind, &[Capability])] = &[
    (EffectKind::SubmitRequest, &[Capability::AbsoluteSet, Capability::StrongRead, Capability::Held]),
    (EffectKind::ReleaseRequest, &[Capability::AbsoluteSet, Capability::StrongRead]),
    (EffectKind::CancelRequest, &[Capability::AbsoluteSet, Capability::StrongRead]),
];
const CAN: &[Can] = &[
    Can::SayThatAnOrderIsShort,
    Can::NameBoxes,
    Can::NameLotsOrSerials,
    Can::SayThatItGaveUp,
    Can::Substitute,
    Can::Throttle,
    Can::EndASignIn,
    Can::AnswerNonsense,
    Can::BeAskedWhatItHas,
    Can::ListWhatItHas,
];

pub static ENTRIES: &[Entry] = &[
    Entry { platform: "odoo", declares: DECLARES, can: CAN, open: |opening| open(opening, "json2") },
    Entry { platform: "odoo", declares: DECLARES, can: CAN, open: |opening| open(opening, "jsonrpc") },
];

#[tokio::test]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn json_2() {
    every_scenario(&ENTRIES[0]).await;
}

#[tokio::test]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn json_rpc() {
    every_scenario(&ENTRIES[1]).await;
}

fn open(opening: Opening, interface: &'static str) -> Opened {
    Box::pin(async move { Box::new(Building::new(opening, interface)) as Box<dyn Site> })
}

/// A database serves one scenario after the other: what was there is put out of sight in between.
static FREE: Mutex<Vec<Arc<Odoo>>> = Mutex::new(Vec::new());

struct Building {
    odoo: Arc<Odoo>,
    line: Arc<Line>,
    warehouse: Arc<dyn Warehouse>,
    clock: Arc<HandClock>,
    /// Keys of what left since it is to come out of order.
    again: Mutex<Option<Vec<String>>>,
}

impl Building {
    fn new(opening: Opening, interface: &str) -> Self {
        let used = FREE.lock().unwrap().pop();
        let odoo = used.unwrap_or_else(|| Arc::new(Odoo::open().unwrap_or_else(|error| panic!("{error}"))));
        odoo.clear().unwrap();
        if opening.tracked {
            let serials: Vec<String> = (1..=100).map(|number| format!("SN{number:04}")).collect();
            let serials: Vec<(&str, i64)> = serials.iter().map(|serial| (serial.as_str(), 1)).collect();
            odoo.add_products(&["SKU-A"], "serial").unwrap();
            odoo.add_products(&["SKU-LOT"], "lot").unwrap();
            odoo.shelve_lots("SKU-A", &serials).unwrap();
            odoo.shelve_lots("SKU-LOT", &[("L1", 100)]).unwrap();
        } else {
            odoo.add_products(&["SKU-A", "SKU-B", "SKU-LOT"], "none").unwrap();
            odoo.shelve(&["SKU-A", "SKU-B", "SKU-LOT"].map(|sku| (sku.to_owned(), 100)).into()).unwrap();
        }
        let (values, secrets) = settings_of(&odoo, interface, "hub");
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let clock = HandClock::patient();
        let line = Line::new();
        let hub = context(Arc::clone(&clock), line.clone(), None);
        let warehouse = warehouse("odoo", &settings(&values, &[("api_key", &secrets)]), &hub);
        Self { odoo, line, warehouse, clock, again: Mutex::default() }
    }

    /// Somebody writes a note on what left, the last first: each is listed again, behind what left after it.
    fn list_again(&self, keys: &[String]) {
        for key in keys.iter().rev() {
            let domain = json!([["sale_id.client_order_ref", "=", key], ["state", "=", "done"]]);
            let left = self.odoo.search("stock.picking", domain, &["id"]).unwrap();
            let ids: Vec<&Value> = left.iter().map(|transfer| &transfer["id"]).collect();
            assert!(!ids.is_empty(), "{key} has left");
            let write = json!({ "ids": ids, "vals": { "note": "seen" } });
            self.odoo.call("stock.picking", "write", &write).unwrap();
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if let Ok(mut free) = FREE.lock() {
            free.push(Arc::clone(&self.odoo));
        }
    }
}

#[async_trait]
impl Site for Building {
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
            Does::Part => Dispatch { only: some, rest: Rest::Follows, boxes: 1 },
            Does::Short => Dispatch { only: some, rest: Rest::Nothing, boxes: 1 },
            Does::GiveUp => return self.odoo.give_up(key).unwrap(),
            Does::Substitute => return self.odoo.substitute(key, "SKU-A", "SKU-B").unwrap(),
        };
        self.odoo.ship(key, &how).unwrap();
        if let Some(left) = self.again.lock().unwrap().as_mut() {
            left.push(key.to_owned());
            self.list_again(left);
        }
    }

    fn work_off(&self) {
        let mut dice = StdRng::seed_from_u64(1);
        let habits = Habits { part_percent: 0, boxes_percent: 0 };
        for _ in 0..20 {
            if self.odoo.work_off(habits, &mut dice).unwrap() == 0 {
                return;
            }
        }
        panic!("the people there never end");
    }

    fn touch(&self, key: &str) {
        self.odoo.touch(key).unwrap();
    }

    fn orders(&self) -> Vec<WarehouseOrder> {
        self.odoo.orders().unwrap()
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        self.odoo.shelve(&BTreeMap::from([(sku.to_owned(), i64::try_from(units).unwrap())])).unwrap();
    }

    fn count(&self) {}

    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        self.odoo.figures().unwrap()
    }

    fn trouble(&self, trouble: Trouble, kind: EffectKind) {
        let fault = match trouble {
            Trouble::LostAfter => Fault::LostAfter,
            Trouble::LostBefore => Fault::LostBefore,
            // Odoo counts no calls; servers in front of it do.
            Trouble::Throttled => Fault::Throttled,
            Trouble::Nonsense => Fault::PageAfter,
            Trouble::SignInEnded => Fault::KeyEnded,
        };
        let method = match kind {
            EffectKind::ReleaseRequest => "action_confirm",
            EffectKind::CancelRequest => "action_cancel",
            _ => "load",
        };
        self.line.next(fault, "sale.order", method, 1);
    }

    fn spoil(&self) {
        self.line.next(Fault::PageAfter, "stock.picking", "search_read", 3);
    }

    /// It lists by when something was last written, and does so in order: out of order is what is written on once more.
    fn disorder(&self) {
        *self.again.lock().unwrap() = Some(Vec::new());
    }

    async fn calls(&self) -> Vec<WebhookCall> {
        Vec::new()
    }
}
