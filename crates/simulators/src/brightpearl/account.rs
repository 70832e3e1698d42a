//! One account: everything it holds, and the rules that tie the parts together.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::auth::{Access, after};
use super::call::{Call, Pace, Refusal};
use super::contacts::{Address, Contact};
use super::goods_in::GoodsIn;
use super::notes_out::{Note, Reservation};
use super::orders::{Order, OrderNote};
use super::payments::Payment;
use super::products::{Brand, PriceList, Product, TaxCode};
use super::setup::{Channel, CustomField, OrderStatus, ShippingMethod, Warehouse};
use super::stock::Stock;
use super::switches::{
    AllocationBasis, DirectReadLag, NoteTouchesOrder, OrderModified, OrderSearchLag, SearchLag, Switches,
};
use super::throttle::Throttle;
use super::webhooks::{Event, Webhook};
use crate::clock;

/// The ids of an account count up and are never used twice.
#[derive(Clone, Debug)]
pub(crate) struct NextIds {
    pub(crate) order: i64,
    pub(crate) row: i64,
    pub(crate) order_note: i64,
    pub(crate) goods_note: i64,
    pub(crate) event_version: i64,
    pub(crate) movement: i64,
    pub(crate) webhook: i64,
    pub(crate) contact: i64,
    pub(crate) address: i64,
    pub(crate) product: i64,
    pub(crate) payment: i64,
    pub(crate) other: i64,
}

/// Takes the next id of a counter.
pub(crate) fn next(counter: &mut i64) -> i64 {
    let id = *counter;
    *counter += 1;
    id
}

/// Ids of statuses with a meaning to the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusRoles {
    pub(crate) new_sales_order: i64,
    pub(crate) new_purchase_order: i64,
    pub(crate) new_sales_credit: i64,
    pub(crate) new_purchase_credit: i64,
    pub(crate) invoiced: i64,
    pub(crate) cancelled: i64,
}

pub(crate) struct Account {
    pub(crate) code: String,
    pub(crate) zone: TimeZone,
    pub(crate) zone_name: String,
    pub(crate) currency: String,
    pub(crate) requests_per_window: Option<u32>,
    pub(crate) access: Access,
    pub(crate) throttle: Throttle,
    pub(crate) next: NextIds,
    pub(crate) roles: StatusRoles,
    pub(crate) orders: BTreeMap<i64, Order>,
    pub(crate) order_notes: BTreeMap<i64, OrderNote>,
    pub(crate) notes: BTreeMap<i64, Note>,
    pub(crate) reservations: BTreeMap<i64, Reservation>,
    pub(crate) goods_in: BTreeMap<i64, GoodsIn>,
    pub(crate) transfers: BTreeMap<i64, String>,
    pub(crate) stock: Stock,
    pub(crate) products: BTreeMap<i64, Product>,
    pub(crate) brands: BTreeMap<i64, Brand>,
    pub(crate) price_lists: BTreeMap<i64, PriceList>,
    pub(crate) tax_codes: BTreeMap<i64, TaxCode>,
    pub(crate) contacts: BTreeMap<i64, Contact>,
    pub(crate) addresses: BTreeMap<i64, Address>,
    pub(crate) warehouses: BTreeMap<i64, Warehouse>,
    pub(crate) shipping_methods: BTreeMap<i64, ShippingMethod>,
    pub(crate) statuses: BTreeMap<i64, OrderStatus>,
    pub(crate) channels: BTreeMap<i64, Channel>,
    pub(crate) custom_fields: BTreeMap<i64, CustomField>,
    pub(crate) payments: BTreeMap<i64, Payment>,
    pub(crate) webhooks: BTreeMap<i64, Webhook>,
    /// `externalRef` and instance id of sales orders: the pair is unique.
    pub(crate) external_refs: BTreeMap<(String, i64), i64>,
    /// What happened since the events were last collected.
    pub(crate) events: Vec<Event>,
    /// Test calls of webhooks that were asked for since then, with their values.
    pub(crate) test_calls: Vec<(Webhook, Vec<(String, String)>)>,
}

/// What a change means to the order it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Head or rows.
    Content,
    Status,
    OrderNote,
    /// A goods-out note or a reservation of the order.
    Fulfilment,
}

impl Account {
    /// A time as the API writes it: milliseconds and the offset of the account's zone.
    pub(crate) fn time(&self, at: Timestamp) -> Value {
        Value::from(at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
    }

    pub(crate) fn order(&self, id: i64) -> Result<&Order, Refusal> {
        self.orders.get(&id).ok_or_else(|| missing_order(id))
    }

    /// Changes an order: the version counts, `updatedOn` moves, derived codes and search follow, webhooks are told.
    pub(crate) fn change_order(
        &mut self,
        id: i64,
        change: Change,
        call: &mut Call<'_>,
        work: impl FnOnce(&mut Order),
    ) -> Result<(), Refusal> {
        let lag = search_delay(call.switches, call.pace, true);
        let order = self.orders.get_mut(&id).ok_or_else(|| missing_order(id))?;
        order.keep_for_search(call.now, lag);
        work(order);
        if change != Change::Fulfilment || call.switches.note_touches_order == NoteTouchesOrder::Yes {
            order.version += 1;
            order.updated_on = Some(call.now);
        }
        self.refresh_codes(id, call.switches);
        call.trace.changed_order(id);
        self.announce_order(id, change, call);
        Ok(())
    }

    fn announce_order(&mut self, id: i64, change: Change, call: &Call<'_>) {
        if change == Change::Fulfilment {
            return;
        }
        if change == Change::Status {
            self.raise("order", "modified", Some("order-status"), id, call.now);
        } else if call.switches.order_modified == OrderModified::Every {
            self.raise("order", "modified", None, id, call.now);
        }
    }

    /// Tells the webhooks.
    pub(crate) fn raise(
        &mut self,
        resource: &'static str,
        lifecycle: &'static str,
        specifier: Option<&'static str>,
        id: i64,
        at: Timestamp,
    ) {
        self.events.push(Event { resource, lifecycle, specifier, id, at });
    }

    /// Works the stock, allocation and shipping codes of an order out anew.
    pub(crate) fn refresh_codes(&mut self, id: i64, switches: &Switches) {
        let Some(order) = self.orders.get(&id) else { return };
        let (mut ordered, mut noted, mut shipped) = (0, order.drop_shipped.values().sum::<i64>(), 0);
        for note in order.notes_out.iter().filter_map(|note| self.notes.get(note)) {
            let quantity: i64 = note.rows.values().flatten().map(|line| line.quantity).sum();
            noted += quantity;
            if note.shipped.is_some() {
                shipped += quantity;
            }
        }
        for row in order.rows.values().filter(|row| row.ships()) {
            ordered += row.whole_quantity();
        }
        let received: i64 = self.goods_in.values().filter(|note| note.order_id == id).map(|note| note.quantity()).sum();
        let reserved: i64 =
            self.reservations.get(&id).map_or(0, |reservation| reservation.rows.values().map(|row| row.quantity).sum());
        let allocated = match switches.allocation_basis {
            AllocationBasis::NotesAndReservations => noted + reserved,
            AllocationBasis::ReservationsOnly => reserved,
        };
        if let Some(order) = self.orders.get_mut(&id) {
            order.set_codes(ordered, if order.is_purchase() { received } else { noted }, allocated, shipped);
        }
    }

    /// The quantity of each row of an order that is on goods-out notes.
    pub(crate) fn noted_quantities(&self, order: &Order) -> BTreeMap<i64, i64> {
        let mut quantities = order.drop_shipped.clone();
        for note in order.notes_out.iter().filter_map(|id| self.notes.get(id)) {
            for (row, lines) in &note.rows {
                *quantities.entry(*row).or_insert(0) += lines.iter().map(|line| line.quantity).sum::<i64>();
            }
        }
        quantities
    }
}

pub(crate) fn missing_order(id: i64) -> Refusal {
    Refusal::bad("ORDC-003", format!("You have supplied an invalid order id: {id}"))
}

/// From a change to its appearance in searches; orders have a switch of their own.
pub(crate) fn search_delay(switches: &Switches, pace: Pace, order: bool) -> Option<Duration> {
    let lags = switches.search_lag == SearchLag::SixtySeconds
        || (order && switches.order_search_lag == OrderSearchLag::SixtySeconds);
    lags.then(|| pace.wait(Duration::from_secs(60)))
}

/// When something made now appears in direct reads and in searches.
pub(crate) fn visibility(call: &Call<'_>) -> (Timestamp, Timestamp) {
    let exact = clock::now();
    let read = match call.switches.direct_read_lag {
        DirectReadLag::None => exact,
        DirectReadLag::TwoSeconds => after(exact, call.pace.wait(Duration::from_secs(2))),
    };
    let search = search_delay(call.switches, call.pace, false).map_or(read, |wait| after(exact, wait).max(read));
    (read, search)
}
