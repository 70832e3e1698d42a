//! What left: a poll of the orders that changed, in windows.
//!
//! The list shows at most a hundred orders. Its description has a page number, a public client found that of no use, and in
//! which order it lists is not documented either. So a full page is followed by a look at the second one, and what comes decides
//! how the reading goes on: from the last time there, where times ascend; else page by page, where there are pages; else
//! not at all, and it says so.

use std::collections::BTreeSet;

use connect::{ConnectorError, FeedCursor, KeysAgain, RejectedInput, ShipmentPage, budget::Priority};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{
    Mintsoft,
    calls::{PAGE, Read},
    client::Purpose,
    statuses::Standing,
    wire::{Order, filled, list, parse, typed},
};
use crate::{
    times::{can_go_on_from, earlier, http_date, overlap},
    unusable::unusable,
};

pub(super) const POLL: Purpose = Purpose(Priority::Shipments, "shipments");
/// Pages read at most where they can only be read one after the other.
const MOST_PAGES: usize = 50;
/// What is read when nothing was read before: a connection's own orders are not older.
const FIRST_READING: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Rows of the list, as they came, each with the time of its last change.
type Rows = Vec<(String, Value)>;

/// A window of the list.
struct Window {
    rows: Rows,
    /// Whether more is behind it.
    more: bool,
}

impl Mintsoft {
    /// The orders that changed since the cursor: a time of the service's own, with `|` behind it while a reading goes on. A new
    /// reading goes ten minutes back, and further where clocks may have been put back: the times carry no zone.
    pub(super) async fn read_shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let from = self.begin(cursor).await?;
        let window = self.window(&from).await?;
        let mut read = ShipmentPage::default();
        let mut orders = Vec::new();
        let mut newest = String::new();
        for (changed, value) in window.rows {
            newest = newest.max(changed);
            match typed::<Order>("an order", value.clone()) {
                Ok(order) => orders.push((value, order)),
                Err(error) => read.rejected.push(rejected(&value, &error.message)),
            }
        }
        let statuses = self.statuses(POLL, orders.iter().map(|(_, order)| order.order_status_id)).await?;
        for (value, order) in &orders {
            let standing = statuses.of(order.order_status_id);
            if standing == Standing::Despatched {
                match self.shipment_of(order).await {
                    Ok(shipment) => read.shipments.push(shipment),
                    Err(error) if error.is_of_asking() => return Err(error),
                    Err(error) => {
                        read.rejected.push(rejected(value, &error.message));
                        continue;
                    }
                }
            }
            let state = match order.is_part() {
                // An open part says nothing of the whole.
                true if standing.is_open() => Ok(None),
                true => self.ending(order, &statuses).await,
                false => Ok(Some(standing.state()).filter(|_| standing != Standing::Despatched)),
            };
            match state {
                Ok(state) => read.states.extend(state.map(|state| (order.key().to_owned(), state))),
                Err(error) if error.is_of_asking() => return Err(error),
                Err(error) => read.rejected.push(rejected(value, &error.message)),
            }
        }
        self.forget_all_but(&orders).await;
        read.more = window.more;
        read.next = FeedCursor(Some(match (read.more, newest > from) {
            (true, _) => format!("{newest}|"),
            (false, true) => newest,
            (false, false) => match cursor.0.clone() {
                Some(kept) => kept.trim_end_matches('|').to_owned(),
                None => from,
            },
        }));
        Ok(read)
    }

    /// Keys of orders that begin like this, are not cancelled and changed since a time, in the zone of the settings or in UTC,
    /// whichever goes further back: which of the two is asked for in is not published.
    pub(super) async fn keys_since(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        let local = |zone| since.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let mut from = [self.config.zone.clone(), TimeZone::UTC].map(local).into_iter().min().unwrap_or_default();
        let mut keys = BTreeSet::new();
        loop {
            let window = self.window(&from).await?;
            let status = |order: &Value| order.get("OrderStatusId").and_then(Value::as_i64).unwrap_or_default();
            let statuses = self.statuses(POLL, window.rows.iter().map(|(_, order)| status(order))).await?;
            for (_, order) in &window.rows {
                if statuses.of(status(order)) != Standing::Cancelled {
                    keys.extend(key_in(order).filter(|key| key.starts_with(head)));
                }
            }
            match window.rows.into_iter().map(|(changed, _)| changed).max() {
                Some(newest) if window.more && newest > from => from = newest,
                _ => return Ok(KeysAgain { keys, whole: true }),
            }
        }
    }

    /// Where to read from.
    async fn begin(&self, cursor: &FeedCursor) -> Result<String, ConnectorError> {
        match cursor.0.as_deref() {
            Some(text) => match text.strip_suffix('|') {
                Some(from) => Ok(from.to_owned()),
                None => earlier(text, overlap(text, &[self.config.zone.clone(), TimeZone::UTC]))
                    .ok_or_else(|| ConnectorError::unexpected(format!("{text:?} is not a cursor"))),
            },
            None => {
                let response = self.client.read(POLL, Read::Statuses, &self.config).await?;
                // The service's own clock; ours only where it tells none, and days before anything of ours was sent.
                let now = response.header("date").and_then(http_date).unwrap_or_else(|| self.clock.now());
                let from = now.checked_sub(FIRST_READING).unwrap_or(Timestamp::UNIX_EPOCH);
                Ok(from.to_zoned(self.config.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string())
            }
        }
    }

    async fn window(&self, from: &str) -> Result<Window, ConnectorError> {
        let (first, is_full) = self.page(from, 1).await?;
        if !is_full {
            return Ok(Window { rows: first, more: false });
        }
        let (second, more) = self.page(from, 2).await?;
        let has_pages = second.is_empty() || second.iter().any(|row| !first.iter().any(|known| id(known) == id(row)));
        let mut rows = first;
        if has_pages {
            rows.extend(second);
        }
        if !has_pages || more {
            // Times that ascend over all that was seen: from the last one on is what was not.
            let ascends = rows.is_sorted_by(|a, b| a.0 <= b.0);
            if ascends && rows.last().is_some_and(|(last, _)| last.as_str() > from) {
                return Ok(Window { rows, more: true });
            }
        }
        if !has_pages {
            return Err(ConnectorError::unexpected(format!(
                "more than {PAGE} orders changed since {from}, and the warehouse shows only the first {PAGE} of them, in no order \
                 of time; nothing was read. Ask the warehouse to have pages switched on for /api/Order/List"
            )));
        }
        if more {
            self.rest(from, &mut rows).await?;
        }
        Ok(Window { rows, more: false })
    }

    /// The pages from the third on, up to one that is not full.
    async fn rest(&self, from: &str, rows: &mut Rows) -> Result<(), ConnectorError> {
        for number in 3..=MOST_PAGES {
            let (page, is_full) = self.page(from, number).await?;
            rows.extend(page);
            if !is_full {
                return Ok(());
            }
        }
        Err(ConnectorError::unexpected(format!(
            "more than {} orders changed since {from}, and the warehouse lists them in no order of time; nothing was read",
            MOST_PAGES * PAGE
        )))
    }

    /// The rows of a page, and whether there may be another.
    async fn page(&self, since: &str, page: usize) -> Result<(Rows, bool), ConnectorError> {
        let read = Read::Changed { since, page };
        let response = self.client.read(POLL, read, &self.config).await?;
        // The service's own clock: ours may be wrong.
        let now = response.header("date").and_then(http_date);
        let listed = list(&read.path(), parse(&read.path(), &response)?)?;
        let is_full = listed.len() >= PAGE;
        let mut rows = Rows::new();
        for value in listed {
            let changed = value
                .get("LastUpdated")
                .and_then(Value::as_str)
                .ok_or_else(|| ConnectorError::unexpected("an order came without the time of its last change"))?
                .to_owned();
            can_go_on_from(&changed, now)?;
            if self.is_of_client(&value) {
                rows.push((changed, value));
            }
        }
        Ok((rows, is_full))
    }

    /// The filter of the call is one fence between clients, and this the other.
    fn is_of_client(&self, order: &Value) -> bool {
        let theirs = order.get("ClientId").and_then(Value::as_i64);
        self.config.client.is_none_or(|client| theirs.is_none_or(|theirs| theirs == client))
    }
}

fn id(row: &(String, Value)) -> Option<i64> {
    row.1.get("ID").and_then(Value::as_i64)
}

/// What an order was made under, also of one that cannot be read as a whole. Told as [`Order::key`] tells it.
fn key_in(order: &Value) -> Option<String> {
    let text = |field: &str| filled(order.get(field).and_then(Value::as_str));
    let number = text("OrderNumber")?;
    Some(text("ExternalOrderReference").filter(|reference| number.starts_with(reference)).unwrap_or(number).to_owned())
}

fn rejected(order: &Value, reason: &str) -> RejectedInput {
    let id = order.get("ID").map_or_else(|| "without a number".to_owned(), Value::to_string);
    unusable(format!("order {id}"), order.to_string(), reason, key_in(order))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_cannot_be_used_says_whose_it_is() {
        let key = |order: serde_json::Value| super::rejected(&order, "no").key;
        assert_eq!(key(json!({ "OrderNumber": "PO-4711" })).as_deref(), Some("PO-4711"));
        let part = json!({ "OrderNumber": "BPacme-O1-2", "ExternalOrderReference": "BPacme-O1" });
        assert_eq!(key(part).as_deref(), Some("BPacme-O1"));
        assert_eq!(key(json!({ "OrderNumber": 7 })), None);
    }
}
