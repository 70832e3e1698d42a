//! What left: transfers and orders that changed since the last reading, by Odoo's own times.
//!
//! `write_date` is when the transaction that wrote began, in whole seconds: so it is asked for from a time on, never after it, and
//! a new reading goes ten minutes back.

use std::collections::BTreeMap;

use connect::{
    ConnectorError, FeedCursor, KeysAgain, RejectedInput, RequestState, Shipment, ShipmentPage, budget::Priority,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    Odoo,
    client::{Call, Purpose},
    transfers::{left_at, shipment, standing, tracking},
    wire::{ORDER, Order, TRANSFER, Transfer, rows},
};
use crate::{
    times::{can_go_on_from, moment},
    unusable::unusable,
};

const POLL: Purpose = Purpose(Priority::Shipments, "shipments");
/// Orders looked at in one reading.
const AT_ONCE: usize = 100;
/// Changes listed in one call.
const LISTED: usize = 1000;
/// What is read when nothing was read before: a connection's own orders are not older.
const FIRST_READING: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A change of something that belongs to an order.
type Touched = (String, i64);

/// Where reading stands, in times of Odoo's: the text of a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    /// Up to where it was read.
    time: Option<String>,
    /// Whether a reading goes on from there; otherwise a new one begins. Written `|`, behind the time.
    goes_on: bool,
    /// When the earliest of that left which is held back for its tracking number. Written behind `<`.
    held: Option<String>,
}

impl Place {
    fn of(cursor: &FeedCursor) -> Self {
        let Some(text) = cursor.0.as_deref() else { return Self::default() };
        let (time, held) = match text.split_once('<') {
            Some((time, held)) => (time, Some(held.to_owned())),
            None => (text, None),
        };
        let (time, goes_on) = time.strip_suffix('|').map_or((time, false), |time| (time, true));
        Self { time: Some(time.to_owned()), goes_on, held }
    }

    fn cursor(&self) -> FeedCursor {
        let held = self.held.as_ref().map(|held| format!("<{held}")).unwrap_or_default();
        let goes_on = if self.goes_on { "|" } else { "" };
        FeedCursor(self.time.as_ref().map(|time| format!("{time}{goes_on}{held}")))
    }
}

/// The earlier of two times of Odoo's, of which either may be none.
fn earlier(one: Option<String>, other: Option<String>) -> Option<String> {
    one.into_iter().chain(other).min()
}

impl Odoo {
    /// What changed since the cursor.
    pub(super) async fn read_shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let place = Place::of(cursor);
        let from = self.begin(&place)?;
        let (touched, more) = self.touched(&from).await?;
        let newest = touched.last().map(|(changed, _)| changed.clone());
        let mut orders: Vec<i64> = touched.into_iter().map(|(_, order)| order).collect();
        // What is held back is looked at in the last part of a reading, all of it.
        let mut held = None;
        match &place.held {
            Some(since) if more => held = Some(since.clone()),
            Some(since) => {
                let (untracked, known_to) = self.untracked(since).await?;
                orders.extend(untracked);
                held = known_to;
            }
            None => {}
        }
        orders.sort_unstable();
        orders.dedup();
        let (mut page, waiting) = self.of_orders(&orders).await?;
        page.more = more;
        let time = match (newest, more) {
            // What was listed is complete up to that second.
            (Some(newest), true) => moved(&newest, 1)?,
            (Some(newest), false) => place.time.map_or(newest.clone(), |kept| kept.max(newest)),
            (None, _) => place.time.unwrap_or(from),
        };
        page.next = Place { time: Some(time), goes_on: more, held: earlier(held, waiting) }.cursor();
        Ok(page)
    }

    /// What a hub that has lost its memory reads once more.
    pub(super) async fn read_again(&self, since: Timestamp) -> Result<ShipmentPage, ConnectorError> {
        let mut all = ShipmentPage::default();
        let mut from = written(since);
        loop {
            let place = Place { time: Some(from.clone()), goes_on: true, held: None };
            let page = self.read_shipments(&place.cursor()).await?;
            all.shipments.extend(page.shipments);
            all.rejected.extend(page.rejected);
            let next = Place::of(&page.next).time.unwrap_or_default();
            // Each reading goes on from a later time, so this ends.
            if !page.more || next <= from {
                return Ok(all);
            }
            from = next;
        }
    }

    /// Keys of orders that begin like this, are not cancelled and changed since a time.
    pub(super) async fn keys_since(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        let (mut found, mut last) = (KeysAgain { whole: true, ..KeysAgain::default() }, 0);
        loop {
            let domain = json!([
                ["client_order_ref", "!=", false],
                ["state", "!=", "cancel"],
                ["write_date", ">=", written(since)],
                ["id", ">", last]
            ]);
            let call = Call::search("sale.order", domain, ORDER).first(LISTED, "id");
            let orders: Vec<Order> = rows("orders", self.client.read(POLL, call).await?)?;
            let Some(newest) = orders.iter().map(|order| order.id).max().filter(|newest| *newest > last) else {
                return Ok(found);
            };
            let is_last = orders.len() < LISTED;
            let keys = orders.into_iter().map(|order| order.client_order_ref);
            found.keys.extend(keys.filter(|key| key.starts_with(head)));
            if is_last {
                return Ok(found);
            }
            last = newest;
        }
    }

    fn begin(&self, place: &Place) -> Result<String, ConnectorError> {
        match &place.time {
            Some(time) => moved(time, if place.goes_on { 0 } else { -600 }),
            None => Ok(written(self.clock.now().checked_sub(FIRST_READING).unwrap_or(Timestamp::UNIX_EPOCH))),
        }
    }

    /// The earliest changes from a time on, whole seconds of them, and whether there are more.
    async fn touched(&self, from: &str) -> Result<(Vec<Touched>, bool), ConnectorError> {
        let ours = json!(["sale_id.client_order_ref", "!=", false]);
        let ended = json!(["state", "in", ["done", "cancel"]]);
        let since = json!(["write_date", ">=", from]);
        let domain = json!([["picking_type_code", "in", ["outgoing", "internal"]], ended, ours, since]);
        let transfers = self.changes("stock.picking", domain, "sale_id").await?;
        let domain = json!([["state", "=", "cancel"], ["client_order_ref", "!=", false], since]);
        let orders = self.changes("sale.order", domain, "id").await?;
        // A full list says nothing of its last second, nor of what comes after.
        let known_to = [&transfers, &orders]
            .into_iter()
            .filter(|list| list.len() >= LISTED)
            .filter_map(|list| list.last().map(|(changed, _)| changed.clone()))
            .min();
        let mut all: Vec<Touched> = transfers.into_iter().chain(orders).collect();
        all.sort_unstable();
        if let Some(known_to) = &known_to {
            all.retain(|(changed, _)| changed < known_to);
            if all.is_empty() {
                return Err(ConnectorError::unexpected(format!(
                    "more than {LISTED} transfers changed within one second ({known_to}); nothing was read"
                )));
            }
        }
        let last = all.get(AT_ONCE.saturating_sub(1)).map(|(changed, _)| changed.clone());
        let count = last.map_or(all.len(), |last| all.partition_point(|(changed, _)| *changed <= last));
        let more = count < all.len() || known_to.is_some();
        all.truncate(count);
        Ok((all, more))
    }

    /// Orders of what left at this time or later without a tracking number, and up to when all of them are listed where that is not
    /// up to now. Nothing changes in Odoo when the wait for a number ends, so it is not among the changes then.
    async fn untracked(&self, since: &str) -> Result<(Vec<i64>, Option<String>), ConnectorError> {
        let domain = json!([
            ["picking_type_code", "=", "outgoing"],
            ["state", "=", "done"],
            ["carrier_tracking_ref", "=", false],
            ["sale_id.client_order_ref", "!=", false],
            ["date_done", ">=", moved(since, 0)?]
        ]);
        let call = Call::search("stock.picking", domain, TRANSFER).first(LISTED, "date_done, id");
        let listed: Vec<Transfer> = rows("transfers without a number", self.client.read(POLL, call).await?)?;
        let known_to = match listed.last() {
            Some(last) if listed.len() >= LISTED => Some(moved(&last.date_done, 0)?),
            _ => None,
        };
        Ok((listed.iter().filter_map(|one| Some(one.sale_id.as_ref()?.id)).collect(), known_to))
    }

    /// How long a number is waited for.
    fn patience(&self) -> SignedDuration {
        SignedDuration::from_secs(
            i64::from(self.config.tracking_wait_minutes) * 60 / i64::from(self.waits.factor.max(1)),
        )
    }

    async fn changes(
        &self,
        model: &'static str,
        domain: Value,
        order_in: &str,
    ) -> Result<Vec<Touched>, ConnectorError> {
        let call = Call::search(model, domain, &["write_date", order_in]).first(LISTED, "write_date, id");
        let (answer, now) = self.client.read_at(POLL, call).await?;
        let listed: Vec<Value> = rows("changes", answer)?;
        let mut changes = Vec::with_capacity(listed.len());
        for row in &listed {
            let order = row.get(order_in).and_then(|order| order.as_i64().or_else(|| order.get(0)?.as_i64()));
            let (Some(changed), Some(order)) = (row.get("write_date").and_then(Value::as_str), order) else {
                return Err(ConnectorError::unexpected("a change came without its time, or of no order"));
            };
            can_go_on_from(changed, now)?;
            changes.push((moved(changed, 0)?, order));
        }
        Ok(changes)
    }

    /// Everything that left of these orders, and where they stand; and when the earliest of it left that is held back for its
    /// tracking number. All transfers of an order are told together, so that its end is never told before them.
    async fn of_orders(&self, orders: &[i64]) -> Result<(ShipmentPage, Option<String>), ConnectorError> {
        let (mut page, mut held) = (ShipmentPage::default(), None);
        if orders.is_empty() {
            return Ok((page, held));
        }
        let call = Call::on("sale.order", "read", orders, json!({ "fields": ORDER }));
        let listed: Vec<Order> = rows("orders", self.client.read(POLL, call).await?)?;
        let transfers = self.transfers(POLL, orders).await?;
        let done: Vec<i64> = transfers.iter().filter(|one| one.is_done()).map(|one| one.id).collect();
        let goods = self.goods(POLL, &done).await?;
        let mut by_order: BTreeMap<i64, Vec<&Transfer>> = BTreeMap::new();
        for transfer in &transfers {
            by_order.entry(transfer.sale_id.as_ref().map_or(0, |sale| sale.id)).or_default().push(transfer);
        }
        for order in listed.iter().filter(|order| !order.client_order_ref.is_empty()) {
            let mine = by_order.get(&order.id).map(Vec::as_slice).unwrap_or_default();
            let mut is_whole = true;
            for transfer in mine.iter().filter(|transfer| transfer.is_done()) {
                let items = goods.get(&transfer.id).map(Vec::as_slice).unwrap_or_default();
                match shipment(&order.client_order_ref, transfer, items) {
                    Ok(shipment) if self.waits_for_tracking(transfer, &shipment) => {
                        is_whole = false;
                        held = earlier(held, Some(moved(&transfer.date_done, 0)?));
                    }
                    Ok(shipment) => page.shipments.push(shipment),
                    Err(error) => {
                        is_whole = false;
                        page.rejected.push(rejected(transfer, &order.client_order_ref, &error.message));
                    }
                }
            }
            let state = standing(order, mine);
            // The end is told with the last of what left.
            let state = if is_whole || state != RequestState::Finished { state } else { RequestState::Working };
            page.states.push((order.client_order_ref.clone(), state));
        }
        Ok((page, held))
    }

    /// Whether a number is still expected to be typed in.
    fn waits_for_tracking(&self, transfer: &Transfer, shipment: &Shipment) -> bool {
        let is_tracked = !tracking(&transfer.carrier_tracking_ref).is_empty();
        // By Odoo's clock, which may be ahead of ours.
        let until = shipment.shipped_at.checked_add(self.patience());
        self.config.tracking_wait_minutes > 0 && !is_tracked && until.is_ok_and(|until| self.clock.now() < until)
    }
}

/// A time of Odoo's, so many seconds later, in its own form.
fn moved(text: &str, seconds: i64) -> Result<String, ConnectorError> {
    let time: Option<civil::DateTime> =
        text.parse().ok().and_then(|time: civil::DateTime| time.checked_add(seconds.seconds()).ok());
    let time = time.ok_or_else(|| {
        ConnectorError::unexpected(format!(
            "{:?} is not a time to read from",
            text.chars().take(40).collect::<String>()
        ))
    })?;
    Ok(time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn written(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn rejected(transfer: &Transfer, key: &str, reason: &str) -> RejectedInput {
    let content = format!("{} ({}) of {key}, {}", transfer.name, transfer.id, transfer.write_date);
    let reason = format!("{reason} (order {key})");
    unusable(format!("transfer {}", transfer.name), content, &reason, Some(key.to_owned()))
}

/// When the last of it left, or when it was last changed there.
pub(super) fn since(order: &Order, transfers: &[&Transfer]) -> Result<Option<Timestamp>, ConnectorError> {
    let mut latest = None;
    for transfer in transfers.iter().filter(|transfer| transfer.is_done()) {
        latest = latest.max(Some(left_at(transfer)?));
    }
    let is_open = transfers.iter().any(|transfer| transfer.is_open());
    match latest.filter(|_| !is_open) {
        Some(left) => Ok(Some(left)),
        None if order.write_date.is_empty() => Ok(latest),
        None => Ok(latest.max(Some(moment(&order.write_date, &TimeZone::UTC)?))),
    }
}

#[cfg(test)]
mod tests {
    use connect::FeedCursor;

    use super::{Place, Transfer, moved, rejected};

    #[test]
    fn what_cannot_be_used_says_whose_it_is() {
        let transfer = Transfer {
            id: 3,
            name: "WH/OUT/00003".to_owned(),
            state: "done".to_owned(),
            picking_type_code: "outgoing".to_owned(),
            sale_id: None,
            date_done: String::new(),
            carrier_id: None,
            carrier_tracking_ref: String::new(),
            write_date: String::new(),
        };
        assert_eq!(rejected(&transfer, "PO-4711", "a product without a SKU left").key.as_deref(), Some("PO-4711"));
    }

    #[test]
    fn a_place_is_read_back_as_it_was_written() {
        for text in [
            "2026-11-23 07:20:00",
            "2026-11-23 07:20:00|",
            "2026-11-23 07:20:00<2026-11-23 06:20:00",
            "2026-11-23 07:20:00|<2026-11-23 06:20:00",
        ] {
            let cursor = FeedCursor(Some(text.to_owned()));
            let place = Place::of(&cursor);
            assert_eq!(place.time.as_deref(), Some("2026-11-23 07:20:00"));
            assert_eq!((place.goes_on, place.held.is_some()), (text.contains('|'), text.contains('<')), "{text}");
            assert_eq!(place.cursor(), cursor);
        }
        assert_eq!(Place::of(&FeedCursor(None)).cursor(), FeedCursor(None));
    }

    #[test]
    fn times_keep_their_form_and_their_order() {
        assert_eq!(moved("2026-11-23 07:20:00", -600).unwrap(), "2026-11-23 07:10:00");
        assert_eq!(moved("2026-11-23 23:59:59", 1).unwrap(), "2026-11-24 00:00:00");
        assert_eq!(moved("2026-11-23T07:20:00.5", 0).unwrap(), "2026-11-23 07:20:00");
        assert!(moved("soon", 0).is_err());
    }
}
