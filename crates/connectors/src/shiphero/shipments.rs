//! What left: a poll of the orders that changed and of the shipments that were made since.
//!
//! Whether a shipment moves its order's time of change is not documented, so both lists are read. They are short: every row
//! costs a credit. What is in a shipment is read with its order, once for each change.
//!
//! Nor is it documented whether voiding a label moves anything in these lists. So once an hour what was voided is asked for by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{ConnectorError, FeedCursor, KeysAgain, RejectedInput, RequestState, ShipmentPage, budget::Priority};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    ShipHero,
    client::Purpose,
    documents::{ACCOUNT, CHANGED, LEFT},
    effects::AT_ONCE,
    goods::{Left, left},
    wire::{Head, ShipmentHead, filled, is_cancelled, typed, utc},
};
use crate::{times::can_go_on_from, unusable::unusable};

const POLL: Purpose = Purpose(Priority::Shipments, "shipments");
/// A reading goes back so far behind the newest time that was read: twice the lag that is allowed for. Every row that is read
/// again costs a credit, so it is no longer than that.
const OVERLAP: Duration = Duration::from_secs(120);
/// What is read when nothing was read before: a connection's own orders are not older.
const FIRST_READING: SignedDuration = SignedDuration::from_hours(8 * 24);
/// Between two looks for what was voided: each costs as much as a list of shipments, and a person who is told an hour later can do
/// the same.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Shipments made since then are asked for. A label is voided when its parcel stays: that shows within days, and a month is longer than
/// any goods wait for a carrier.
const SWEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What was found of an order in the two lists.
#[derive(Default)]
struct Seen {
    head: Option<Head>,
    /// Whether something of it left, or was taken back.
    moved: bool,
    /// Everything that was listed of it: the same again is nothing new.
    print: String,
}

/// What was read of an order when its lists said the same.
#[derive(Debug, Clone)]
pub(super) struct Told {
    print: String,
    left: Left,
    state: Option<(String, RequestState)>,
}

/// The service's form of a time, without a zone: it means UTC.
fn written(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

impl ShipHero {
    /// The orders that moved since the cursor: the newest time that was read, in the service's own clock.
    pub(super) async fn read_shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let from = self.begin(cursor).await?;
        let since = format!("{}Z", written(from));
        let variables = json!({ "from": since, "customer": self.config.customer, "shop": self.config.shop });
        let (changed, at) = self.all(POLL, &CHANGED, variables).await?;
        let (made, _) = self.all(POLL, &LEFT, json!({ "from": since, "customer": self.config.customer })).await?;
        let mut read = ShipmentPage::default();
        let mut newest = from;
        // The oldest shipment that has not left: its number comes later, and nothing may tell of it but this list.
        let mut waits: Option<Timestamp> = None;
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        self.sweep(at, &mut read, &mut seen).await?;
        for row in changed {
            newest = newest.max(time_of(&row, "updated_at", at)?);
            match typed::<Head>("an order", row.clone()) {
                Ok(head) => {
                    let order = seen.entry(head.id.clone()).or_default();
                    order.moved |= head.shipments.iter().flatten().any(|one| one.has_left() || one.is_void());
                    order.print.push_str(&row.to_string());
                    order.head = Some(head);
                }
                Err(error) => read.rejected.push(rejected(&row, &error.message)),
            }
        }
        for row in made {
            let made = time_of(&row, "created_date", at)?;
            newest = newest.max(made);
            match (typed::<ShipmentHead>("a shipment", row.clone()), row.get("order_id").and_then(Value::as_str)) {
                (Ok(shipment), Some(id)) if is_ours(&row) => {
                    let order = seen.entry(id.to_owned()).or_default();
                    let is_over = shipment.has_left() || shipment.is_void();
                    if !is_over {
                        waits = Some(waits.map_or(made, |earlier| earlier.min(made)));
                    }
                    order.moved |= is_over;
                    order.print.push_str(&row.to_string());
                }
                (Ok(_), Some(_)) => {}
                (Ok(_), None) => read.rejected.push(rejected(&row, "it does not name its order")),
                (Err(error), _) => read.rejected.push(rejected(&row, &error.message)),
            }
        }
        let ids: BTreeSet<String> = seen.keys().cloned().collect();
        let told: Vec<(String, Option<String>, Result<Told, ConnectorError>)> = stream::iter(seen)
            .map(|(id, seen)| async move {
                let key = seen.head.as_ref().and_then(Head::key).map(str::to_owned);
                match self.tell(&id, seen).await {
                    Err(error) if error.is_of_asking() => Err(error),
                    told => Ok((id, key, told)),
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (id, key, told) in told {
            match told {
                Ok(told) => take(&mut read, &id, told),
                Err(error) => {
                    read.rejected.push(RejectedInput { key, ..rejected(&json!({ "id": id }), &error.message) })
                }
            }
        }
        self.told.lock().await.retain(|id, _| ids.contains(id));
        // What was voided may be in the sweep and in a list.
        let mut known = BTreeSet::new();
        read.rejected.retain(|one| known.insert((one.input.name.clone(), one.input.content_hash.clone())));
        read.next = FeedCursor(Some(written(reached(from, newest, at, waits))));
        Ok(read)
    }

    /// Keys of orders that begin like this, are not cancelled and changed since a time.
    pub(super) async fn keys_since(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        let since = format!("{}Z", written(since));
        let variables = json!({ "from": since, "customer": self.config.customer, "shop": self.config.shop });
        let (changed, _) = self.all(POLL, &CHANGED, variables).await?;
        let mut keys = BTreeSet::new();
        for row in &changed {
            // As they came: one that makes no sense otherwise is there all the same.
            let text = |field: &str| filled(row.get(field).and_then(Value::as_str));
            if !text("fulfillment_status").is_some_and(is_cancelled) {
                let key = text("partner_order_id").or_else(|| text("order_number"));
                keys.extend(key.filter(|key| key.starts_with(head)).map(str::to_owned));
            }
        }
        Ok(KeysAgain { keys, whole: true })
    }

    /// What was voided of late, once an hour: told as a voided shipment of an order is, and the same again is known by what it says.
    /// A shipment of which a label still holds is read with its order.
    async fn sweep(
        &self,
        at: Option<Timestamp>,
        read: &mut ShipmentPage,
        seen: &mut BTreeMap<String, Seen>,
    ) -> Result<(), ConnectorError> {
        let mut swept = self.swept.lock().await;
        let now = self.clock.monotonic();
        let every = SWEEP_EVERY / self.waits.factor.max(1);
        if swept.is_some_and(|last| now.saturating_sub(last) < every) {
            return Ok(());
        }
        let since = at.unwrap_or_else(|| self.clock.now()).checked_sub(SWEPT).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = format!("{}Z", written(since));
        let variables = json!({ "from": since, "customer": self.config.customer, "voided": true });
        let voided = match self.all(POLL, &LEFT, variables).await {
            Ok((voided, _)) => voided,
            Err(error) => {
                // What left is told whether voids can be asked for or not; they are asked for again before long.
                tracing::warn!("what was voided cannot be asked for: {error}");
                *swept = Some(now.saturating_sub(every - every / 12));
                return Ok(());
            }
        };
        *swept = Some(now);
        for row in voided.into_iter().filter(is_ours) {
            let order = row.get("order_id").and_then(Value::as_str);
            match (typed::<ShipmentHead>("a shipment", row.clone()), order) {
                (Ok(shipment), Some(id)) if shipment.is_void_in_part() => {
                    let order = seen.entry(id.to_owned()).or_default();
                    order.moved = true;
                    order.print.push_str(&row.to_string());
                }
                // The words of a label's status are not published, and what was asked for is: it is voided, whatever they are.
                (Ok(shipment), Some(id)) => read.rejected.push(voided_of(&shipment.id, id, key_in(&row))),
                (Ok(_), None) => read.rejected.push(rejected(&row, "it does not name its order")),
                (Err(error), _) => read.rejected.push(rejected(&row, &error.message)),
            }
        }
        Ok(())
    }

    /// Where to read from.
    async fn begin(&self, cursor: &FeedCursor) -> Result<Timestamp, ConnectorError> {
        let overlap = SignedDuration::try_from(OVERLAP / self.waits.factor.max(1)).unwrap_or(FIRST_READING);
        let (moment, back) = match cursor.0.as_deref() {
            // Times are told in whole seconds.
            Some(text) => (utc(text)?, overlap.max(SignedDuration::from_secs(5))),
            None => {
                let read = self.client.read(POLL, &ACCOUNT, &json!({})).await?;
                // The service's own clock; ours only where it tells none, and days before anything of ours was sent.
                (read.at.unwrap_or_else(|| self.clock.now()), FIRST_READING)
            }
        };
        Ok(moment.checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// What is to be told of an order, read again only if its lists say something new.
    async fn tell(&self, id: &str, seen: Seen) -> Result<Told, ConnectorError> {
        if let Some(told) = self.told.lock().await.get(id).filter(|told| told.print == seen.print) {
            return Ok(told.clone());
        }
        let told = match (&seen.head, seen.moved) {
            // Nothing left, so there is nothing to look into.
            (Some(head), false) => Told { state: state(head), left: Left::default(), print: seen.print },
            _ => match self.read_order(POLL, id).await? {
                Some(order) => Told { state: state(&order.head), left: left(&order), print: seen.print },
                None => return Err(ConnectorError::unexpected("something of it left, and the order is not there")),
            },
        };
        self.told.lock().await.insert(id.to_owned(), told.clone());
        Ok(told)
    }
}

/// Where the next reading goes on: not behind the moment at which this one began, since what changed meanwhile may have moved to
/// a page that was read already; and not behind a shipment that has yet to leave, unless it has waited for too long.
fn reached(from: Timestamp, newest: Timestamp, began: Option<Timestamp>, waits: Option<Timestamp>) -> Timestamp {
    let newest = began.map_or(newest, |began| newest.min(began)).max(from);
    match waits {
        Some(made) if made < newest && newest.duration_since(made) < FIRST_READING => made,
        _ => newest,
    }
}

fn state(head: &Head) -> Option<(String, RequestState)> {
    Some((head.key()?.to_owned(), head.standing()))
}

/// The account may hold orders of others, which carry a number and a partner's id of their own: ours are alike.
fn is_ours(row: &Value) -> bool {
    let text = |path: &str| filled(row.pointer(path).and_then(Value::as_str));
    text("/order/order_number").is_some() && text("/order/order_number") == text("/order/partner_order_id")
}

fn time_of(row: &Value, field: &str, at: Option<Timestamp>) -> Result<Timestamp, ConnectorError> {
    let text = row
        .get(field)
        .and_then(Value::as_str)
        .ok_or_else(|| ConnectorError::unexpected(format!("an order or shipment came without its {field}")))?;
    let moment = utc(text)?;
    can_go_on_from(&written(moment), at)?;
    Ok(moment)
}

fn take(read: &mut ShipmentPage, id: &str, told: Told) {
    read.shipments.extend(told.left.shipments);
    // What a person has to look at first has not been told: the order is not over.
    let open = !told.left.unusable.is_empty() || !told.left.voided.is_empty();
    let key = told.state.as_ref().map(|(key, _)| key.clone());
    read.states.extend(told.state.map(|(key, state)| match state {
        RequestState::Finished if open => (key, RequestState::Working),
        state => (key, state),
    }));
    for (shipment, why) in told.left.unusable {
        read.rejected.push(unusable_of(&shipment, id, &why, key.clone()));
    }
    for shipment in told.left.voided {
        read.rejected.push(voided_of(&shipment, id, key.clone()));
    }
}

/// The same whichever list it was seen in: what is known is told once.
fn unusable_of(shipment: &str, order: &str, why: &str, key: Option<String>) -> RejectedInput {
    RejectedInput { key, ..rejected(&json!({ "id": shipment, "order_id": order }), why) }
}

/// A shipment that was taken back. It says that goods did not leave, so that no count of stock waits for a person to look at it.
fn voided_of(shipment: &str, order: &str, key: Option<String>) -> RejectedInput {
    let why = "it was voided. If the order source was told that it left, that cannot be taken back there: look at both";
    RejectedInput { beside: true, ..unusable_of(shipment, order, why, key) }
}

/// What the order of a row was made under, also of one that cannot be read as a whole. Told as [`Head::key`] tells it.
fn key_in(row: &Value) -> Option<String> {
    let order = row.get("order").unwrap_or(row);
    let text = |field: &str| filled(order.get(field).and_then(Value::as_str));
    text("partner_order_id").or_else(|| text("order_number")).map(str::to_owned)
}

fn rejected(row: &Value, reason: &str) -> RejectedInput {
    let id = row.get("id").and_then(Value::as_str).unwrap_or("without an id");
    unusable(format!("order or shipment {id}"), row.to_string(), reason, key_in(row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_cannot_be_used_says_whose_it_is() {
        let key = |row: serde_json::Value| super::rejected(&row, "no").key;
        assert_eq!(key(json!({ "order_number": "PO-4711" })).as_deref(), Some("PO-4711"));
        let shipment = json!({ "id": "S1", "order": { "order_number": "7", "partner_order_id": "BPacme-O1" } });
        assert_eq!(key(shipment).as_deref(), Some("BPacme-O1"));
        assert_eq!(key(json!({ "id": "S1" })), None);
    }
}
