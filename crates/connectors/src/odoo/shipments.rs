//! What left: transfers and orders that changed since the last reading, by Odoo's own times.
//!
//! `write_date` is when the transaction that wrote began, in whole seconds: so it is asked for from a time on, never after it, and
//! a new reading goes ten minutes back.

use std::collections::BTreeMap;

use connect::{
    ConnectorError, FeedCursor, Inbound, RejectedInput, RequestState, Shipment, ShipmentPage, budget::Priority,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil, tz::TimeZone};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Odoo,
    client::{Call, Purpose},
    transfers::{left_at, shipment, standing, tracking},
    wire::{ORDER, Order, Transfer, rows},
};
use crate::times::{can_go_on_from, moment};

const POLL: Purpose = Purpose(Priority::Shipments, "shipments");
/// Orders looked at in one reading.
const AT_ONCE: usize = 100;
/// Changes listed in one call.
const LISTED: usize = 1000;
/// What is read when nothing was read before: a connection's own orders are not older.
const FIRST_READING: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A change of something that belongs to an order.
type Touched = (String, i64);

impl Odoo {
    /// What changed since the cursor: a time of Odoo's, with `|` behind it while a reading goes on.
    pub(super) async fn read_shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let from = self.begin(cursor)?;
        let (touched, more) = self.touched(&from).await?;
        let newest = touched.last().map(|(changed, _)| changed.clone());
        let mut orders: Vec<i64> = touched.into_iter().map(|(_, order)| order).collect();
        if !more && self.config.tracking_wait_minutes > 0 {
            orders.extend(self.untracked().await?);
        }
        orders.sort_unstable();
        orders.dedup();
        let mut page = self.of_orders(&orders).await?;
        page.more = more;
        let kept = cursor.0.as_deref().map(|text| text.trim_end_matches('|').to_owned());
        page.next = FeedCursor(Some(match (newest, more) {
            // What was listed is complete up to that second.
            (Some(newest), true) => format!("{}|", moved(&newest, 1)?),
            (Some(newest), false) => kept.map_or(newest.clone(), |kept| kept.max(newest)),
            (None, _) => kept.unwrap_or(from),
        }));
        Ok(page)
    }

    /// What a hub that has lost its memory reads once more.
    pub(super) async fn read_again(&self, since: Timestamp) -> Result<ShipmentPage, ConnectorError> {
        let mut all = ShipmentPage::default();
        let mut from = written(since);
        loop {
            let page = self.read_shipments(&FeedCursor(Some(format!("{from}|")))).await?;
            all.shipments.extend(page.shipments);
            all.rejected.extend(page.rejected);
            let next = page.next.0.unwrap_or_default();
            let next = next.trim_end_matches('|').to_owned();
            // Each reading goes on from a later time, so this ends.
            if !page.more || next <= from {
                return Ok(all);
            }
            from = next;
        }
    }

    fn begin(&self, cursor: &FeedCursor) -> Result<String, ConnectorError> {
        match cursor.0.as_deref() {
            Some(text) => match text.strip_suffix('|') {
                Some(from) => moved(from, 0),
                None => moved(text, -600),
            },
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

    /// Orders of what left a short while ago without a tracking number. Nothing changes there when the wait for one ends.
    async fn untracked(&self) -> Result<Vec<i64>, ConnectorError> {
        let wait = self.patience() + SignedDuration::from_hours(1);
        let from = written(self.clock.now().checked_sub(wait).unwrap_or(Timestamp::UNIX_EPOCH));
        let domain = json!([
            ["picking_type_code", "=", "outgoing"],
            ["state", "=", "done"],
            ["carrier_tracking_ref", "=", false],
            ["sale_id.client_order_ref", "!=", false],
            ["date_done", ">=", from]
        ]);
        let listed = self.changes("stock.picking", domain, "sale_id").await?;
        Ok(listed.into_iter().map(|(_, order)| order).collect())
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

    /// Everything that left of these orders, and where they stand. All transfers of an order are told together, so that its end is
    /// never told before them.
    async fn of_orders(&self, orders: &[i64]) -> Result<ShipmentPage, ConnectorError> {
        let mut page = ShipmentPage::default();
        if orders.is_empty() {
            return Ok(page);
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
                    Ok(shipment) if self.waits_for_tracking(transfer, &shipment) => is_whole = false,
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
        Ok(page)
    }

    /// Whether a number is still expected to be typed in.
    fn waits_for_tracking(&self, transfer: &Transfer, shipment: &Shipment) -> bool {
        let is_tracked = !tracking(&transfer.carrier_tracking_ref).is_empty();
        let until = shipment.shipped_at.checked_add(self.patience());
        !is_tracked && until.is_ok_and(|until| self.clock.now() < until)
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
    RejectedInput {
        input: Inbound {
            name: format!("transfer {}", transfer.name),
            content_hash: Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect(),
            content: content.into_bytes(),
        },
        reason: format!("transfer {} of {key} could not be used: {reason}", transfer.name),
    }
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
    use super::moved;

    #[test]
    fn times_keep_their_form_and_their_order() {
        assert_eq!(moved("2026-11-23 07:20:00", -600).unwrap(), "2026-11-23 07:10:00");
        assert_eq!(moved("2026-11-23 23:59:59", 1).unwrap(), "2026-11-24 00:00:00");
        assert_eq!(moved("2026-11-23T07:20:00.5", 0).unwrap(), "2026-11-23 07:20:00");
        assert!(moved("soon", 0).is_err());
    }
}
