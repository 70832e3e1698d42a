//! Creating, releasing and cancelling orders.
//!
//! Whether a repeated reference number is refused depends on the warehouse, so nothing hangs on it: an order is looked up
//! first, created held, counted and compared, and only then released (prepare, verify, commit).

use std::{collections::BTreeMap, time::Duration};

use connect::{
    Armed, Capture, ConnectorError, Delivery, Effect, EffectDraft, EffectKind, ErrorKind, HttpResponse, PlanError,
    Prepared, Probe, RemoteRef, Sent, budget::Priority,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Extensiv,
    client::{Changed, Purpose, change_outcome, own_error, parse, rql, shortened},
    orders::{Lines, base_key, reference, verdict},
    wire::{Order, filled, page, typed},
};
use crate::turn::Turn;

const SUBMIT: Purpose = Purpose(Priority::Orders, "submit");
const CANCEL: Purpose = Purpose(Priority::Shipments, "cancel");
/// Keys in one filter, which keeps addresses short enough for any server on the way.
pub(super) const KEYS_AT_ONCE: usize = 15;
/// Orders a page.
const PAGE: usize = 100;
/// Orders read at once.
const AT_ONCE: usize = 4;

/// Orders by the key they were made under.
pub(super) type Found = BTreeMap<String, Vec<Order>>;

/// What releasing and cancelling an order work with: the frozen body of the effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    order_id: i64,
    key: String,
    /// Digest of the lines that were asked for, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Lets an order be picked.
pub(super) fn plan_release(key: &str, reference: &RemoteRef) -> Option<EffectDraft> {
    let order_id = reference.id.parse().ok()?;
    let target = Target { order_id, key: key.to_owned(), lines: reference.facts.get("lines").cloned(), reason: None };
    Some(draft(EffectKind::ReleaseRequest, &target, format!("Release order {order_id} at the warehouse")))
}

/// Stops an order.
pub(super) fn plan_cancel(key: &str, reference: &RemoteRef) -> Result<EffectDraft, PlanError> {
    let order_id = reference
        .id
        .parse()
        .map_err(|_| PlanError::new(format!("{:?} is not the number of an order at the warehouse", reference.id)))?;
    let reason = Some("Cancelled by the merchant".to_owned());
    let target = Target { order_id, key: key.to_owned(), lines: None, reason };
    Ok(draft(EffectKind::CancelRequest, &target, format!("Cancel order {order_id} at the warehouse")))
}

fn draft(kind: EffectKind, target: &Target, title: String) -> EffectDraft {
    EffectDraft { kind, key: target.key.clone(), batch: None, body: json!(target).to_string(), title, numbering: None }
}

/// An effect's frozen body, read back.
enum Work {
    Submit(Value),
    Release(Target),
    Cancel(Target),
}

fn work(effect: &Effect) -> Result<Work, ConnectorError> {
    let unreadable = |error: serde_json::Error| {
        ConnectorError::unexpected(format!("the planned {} cannot be read back: {error}", effect.kind))
    };
    match effect.kind {
        EffectKind::SubmitRequest => serde_json::from_str(&effect.body).map(Work::Submit).map_err(unreadable),
        EffectKind::ReleaseRequest => serde_json::from_str(&effect.body).map(Work::Release).map_err(unreadable),
        EffectKind::CancelRequest => serde_json::from_str(&effect.body).map(Work::Cancel).map_err(unreadable),
        kind => Err(ConnectorError::unsupported(format!("this warehouse cannot {kind}"))),
    }
}

impl Extensiv {
    pub(super) async fn prepare_all(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let works = effects.iter().map(work).collect::<Result<Vec<Work>, ConnectorError>>()?;
        let found = &self.find(effects.iter().map(|effect| effect.key.as_str())).await?;
        let keys: Vec<String> = effects.iter().map(|effect| effect.key.clone()).collect();
        stream::iter(keys.into_iter().zip(works))
            .map(|(key, work)| self.prepare_one(key, work, found))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn prepare_one(&self, key: String, work: Work, found: &Found) -> Result<Prepared, ConnectorError> {
        let found = found.get(&key).map(Vec::as_slice).unwrap_or_default();
        match work {
            Work::Submit(body) => Ok(match verdict(&key, &body, found)? {
                Probe::Absent => Prepared::Ready { baseline: json!({}) },
                there => Prepared::Found(there),
            }),
            Work::Release(target) => self.prepare_release(&target, found).await,
            Work::Cancel(target) => self.prepare_cancel(&target, found).await,
        }
    }

    /// Exactly one order under the key, with the lines that were asked for: otherwise it is not let go.
    async fn prepare_release(&self, target: &Target, found: &[Order]) -> Result<Prepared, ConnectorError> {
        let live: Vec<&Order> =
            found.iter().filter(|order| order.reference_num == target.key && !order.is_cancelled()).collect();
        if live.len() > 1 {
            return Ok(Prepared::Found(Probe::Many(live.into_iter().map(reference).collect())));
        }
        let Some((order, version)) = self.read_order(target.order_id).await? else {
            return Ok(Prepared::Impossible {
                why: format!("order {} is not at the warehouse any more", target.order_id),
            });
        };
        let there = release_state(&order);
        if there != Probe::Absent {
            return Ok(Prepared::Found(there));
        }
        if live.is_empty() {
            return Ok(Prepared::NotYet { why: "the order does not show in the warehouse's search yet".to_owned() });
        }
        if let Some(lines) = &target.lines
            && *lines != Lines::there([&order])?.digest()
        {
            let difference = "its lines are not those that were asked for; it stays held".to_owned();
            return Ok(Prepared::Found(Probe::Different { reference: reference(&order), difference }));
        }
        if filled(order.read_only.on_hold_date.as_deref()).is_some() {
            return Ok(Prepared::NotYet { why: "the warehouse has put the order on hold".to_owned() });
        }
        Ok(Prepared::Ready { baseline: json!({ "version": version }) })
    }

    async fn prepare_cancel(&self, target: &Target, found: &[Order]) -> Result<Prepared, ConnectorError> {
        let Some((order, version)) = self.read_order(target.order_id).await? else {
            return Ok(Prepared::Found(gone(target)));
        };
        match end(target, &order, found) {
            Probe::Absent => Ok(Prepared::Ready { baseline: json!({ "version": version }) }),
            there => Ok(Prepared::Found(there)),
        }
    }

    /// How far cancelling has come, of the order and of what was split off it.
    async fn look_for_end(&self, target: &Target, found: &[Order]) -> Result<Probe, ConnectorError> {
        Ok(match self.read_order(target.order_id).await? {
            Some((order, _)) => end(target, &order, found),
            None => gone(target),
        })
    }

    /// What a yes to a cancel came to. Acted upon, the order may go again at once: so what is there counts, and not the answer, which
    /// says nothing of it.
    async fn verified(&self, target: &Target, until: Duration) -> Sent {
        let look = async {
            let found = self.find_for(CANCEL, std::iter::once(target.key.as_str())).await?;
            self.look_for_end(target, found.get(&target.key).map(Vec::as_slice).unwrap_or_default()).await
        };
        match Turn::new(&*self.clock, until).look(look).await {
            Ok(Probe::Equal(reference)) => Sent::Accepted { reference: Some(reference) },
            Ok(_) => Sent::unknown("the warehouse said yes, and the order has not come to its end; it is read again"),
            Err(error) => Sent::unknown(format!("the warehouse said yes, and the order could not be read: {error}")),
        }
    }

    pub(super) async fn send_one(&self, armed: &Armed, until: Duration) -> (Sent, Capture) {
        let work = match work(&armed.effect) {
            Ok(work) => work,
            Err(cause) => return (Sent::NotSent { cause }, Capture::default()),
        };
        let (path, body, purpose) = match &work {
            Work::Submit(_) => ("/orders".to_owned(), armed.effect.body.clone(), SUBMIT),
            Work::Release(target) => (
                format!("/orders/{}/completer", target.order_id),
                "{}".to_owned(),
                Purpose(Priority::Orders, "release"),
            ),
            Work::Cancel(target) => (
                format!("/orders/{}/canceler", target.order_id),
                json!({ "reason": target.reason }).to_string(),
                CANCEL,
            ),
        };
        let version = armed.baseline.get("version").and_then(Value::as_str);
        let mut capture = Capture { request: format!("POST {path}"), request_body: body.clone(), ..Capture::default() };
        if armed.effect.kind != EffectKind::SubmitRequest && version.is_none() {
            return (
                Sent::not_sent(ErrorKind::Transient, "the version of the order is not known; it is read again"),
                capture,
            );
        }
        // Sent late, it could land after its outcome has been settled (docs/reliability.md).
        let outcome = match self.client.post(purpose, &path, version, body, until).await {
            Changed::NotSent(cause) => Sent::NotSent { cause },
            Changed::Unknown(why) => Sent::Unknown { why },
            Changed::Answered(response) => {
                capture.status = response.status;
                capture.response_body = shortened(&String::from_utf8_lossy(&response.body));
                match (outcome(&armed.effect, &response), &work) {
                    (Sent::Accepted { .. }, Work::Cancel(target)) => self.verified(target, until).await,
                    (outcome, _) => outcome,
                }
            }
        };
        (outcome, capture)
    }

    pub(super) async fn probe_all(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        let works = effects.iter().map(|armed| work(&armed.effect)).collect::<Result<Vec<Work>, ConnectorError>>()?;
        let sought = effects.iter().filter(|armed| armed.effect.kind != EffectKind::ReleaseRequest);
        let found = &self.find(sought.map(|armed| armed.effect.key.as_str())).await?;
        let keys: Vec<String> = effects.iter().map(|armed| armed.effect.key.clone()).collect();
        stream::iter(keys.into_iter().zip(works))
            .map(|(key, work)| self.probe_one(key, work, found))
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn probe_one(&self, key: String, work: Work, found: &Found) -> Result<Probe, ConnectorError> {
        let found = found.get(&key).map(Vec::as_slice).unwrap_or_default();
        match work {
            Work::Submit(body) => verdict(&key, &body, found),
            Work::Release(target) => Ok(match self.read_order(target.order_id).await? {
                Some((order, _)) => release_state(&order),
                None => gone(&target),
            }),
            Work::Cancel(target) => self.look_for_end(&target, found).await,
        }
    }

    /// Every order under these keys, whatever its state, with what was split off them (`KEY-2`, …), by key. The filter
    /// names the customer and no facility: an order that was moved to another is still ours.
    async fn find(&self, keys: impl Iterator<Item = &str>) -> Result<Found, ConnectorError> {
        self.find_for(SUBMIT, keys).await
    }

    /// As [`Extensiv::find`], counted for another purpose.
    pub(super) async fn find_for(
        &self,
        purpose: Purpose,
        keys: impl Iterator<Item = &str>,
    ) -> Result<Found, ConnectorError> {
        let keys: Vec<&str> = keys.collect();
        let mut found = Found::new();
        for some in keys.chunks(KEYS_AT_ONCE) {
            for order in self.search(purpose, some, "").await? {
                let key = base_key(&order.reference_num);
                if let Some(key) = some.iter().find(|wanted| **wanted == key || **wanted == order.reference_num) {
                    found.entry((*key).to_owned()).or_default().push(order);
                }
            }
        }
        Ok(found)
    }

    /// The orders under some keys and what was split off them.
    pub(super) async fn search(
        &self,
        purpose: Purpose,
        keys: &[&str],
        more: &str,
    ) -> Result<Vec<Order>, ConnectorError> {
        let one_of: Vec<String> =
            keys.iter().map(|key| rql(key)).map(|key| format!("referenceNum=={key},referenceNum=={key}-*")).collect();
        let listed = self.listed(purpose, &format!("({}){more}", one_of.join(","))).await?;
        listed.into_iter().map(|value| typed("an order", value)).collect()
    }

    /// The customer's orders that match a filter, as they came, by their ids.
    pub(super) async fn listed(&self, purpose: Purpose, filter: &str) -> Result<Vec<Value>, ConnectorError> {
        let filter = format!("readOnly.customerIdentifier.id=={};{filter}", self.config.customer);
        let mut orders: BTreeMap<Option<i64>, Value> = BTreeMap::new();
        for number in 1.. {
            let query = [
                ("detail", "OrderItems".to_owned()),
                ("pgsiz", PAGE.to_string()),
                ("pgnum", number.to_string()),
                ("rql", filter.clone()),
            ];
            let (total, list) = page("orders", &self.client.get_json(purpose, "/orders", &query).await?)?;
            // A page that is not full is the last one, whatever total was promised.
            let is_last = list.len() < PAGE;
            for value in list {
                orders.insert(value.pointer("/readOnly/orderId").and_then(Value::as_i64), value);
            }
            if is_last || number * PAGE >= total {
                if orders.len() < total {
                    return Err(ConnectorError::transient("the orders changed while they were read"));
                }
                break;
            }
        }
        Ok(orders.into_values().collect())
    }

    /// One order, read directly, with its version; `None` when there is none.
    async fn read_order(&self, id: i64) -> Result<Option<(Order, String)>, ConnectorError> {
        let query = [("detail", "All".to_owned()), ("itemdetail", "All".to_owned())];
        let what = format!("/orders/{id}");
        let response = match self.client.get(SUBMIT, &what, &query).await {
            Ok(response) => response,
            Err(ConnectorError { kind: ErrorKind::NotFound, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = response
            .header("etag")
            .ok_or_else(|| ConnectorError::unexpected(format!("{what} came without its version")))?
            .to_owned();
        Ok(Some((typed(&what, parse(&what, &response)?)?, version)))
    }
}

/// Whether an order has been released. Which field moves when an order is completed is not documented; where none does,
/// this stays *absent* and completing again is answered with `AlreadyCompleted`.
fn release_state(order: &Order) -> Probe {
    if order.is_cancelled() {
        return Probe::Different {
            reference: reference(order),
            difference: "it is cancelled at the warehouse".to_owned(),
        };
    }
    if order.is_closed() || order.is_started() || order.read_only.defer_notification == Some(false) {
        return Probe::Equal(reference(order));
    }
    Probe::Absent
}

fn gone(target: &Target) -> Probe {
    Probe::Different {
        reference: RemoteRef::new(target.order_id.to_string()),
        difference: "it is not at the warehouse any more".to_owned(),
    }
}

/// How far cancelling has come. `found`: everything under the key, with what was split off it.
fn end(target: &Target, order: &Order, found: &[Order]) -> Probe {
    let parts = || found.iter().filter(|other| other.read_only.order_id != target.order_id);
    // A part that still can leave speaks for the whole, whatever became of what it was split off.
    if let Some(open) = parts().find(|part| !part.is_cancelled() && !part.is_closed()) {
        let difference = if open.reference_num == target.key {
            format!(
                "the warehouse has it a second time, as {}: ask it to cancel that one, too",
                open.read_only.order_id
            )
        } else {
            format!("the warehouse has split it ({}): ask it to cancel each part", open.reference_num)
        };
        return Probe::Different { reference: reference(open), difference };
    }
    if order.is_cancelled() {
        let some_left = parts().any(|part| !part.is_cancelled());
        let reference = reference(order);
        return Probe::Equal(if some_left { reference.with("outcome", "partly") } else { reference });
    }
    if order.is_closed() {
        return Probe::Equal(reference(order).with("outcome", "too_late"));
    }
    Probe::Absent
}

/// Codes of a refused cancel that say: closed, complete, or in somebody's hands.
pub(super) fn too_late(code: &str) -> bool {
    matches!(code, "OrderConfirmed" | "AlreadyCompleted" | "InUse")
}

/// What an answer to one of our changes means.
fn outcome(effect: &Effect, response: &HttpResponse) -> Sent {
    let code = own_error(&response.body).map(|(code, _)| code);
    match (effect.kind, response.status, code.as_deref()) {
        // Somebody has been here: the probe reads and compares before anybody calls it a success.
        (EffectKind::SubmitRequest, 400..500, Some("Duplicate")) => {
            Sent::unknown("the warehouse has an order under this key already; it is read and compared")
        }
        (EffectKind::CancelRequest, 400..500, Some("OrderCanceled")) => {
            Sent::unknown("the warehouse says that the order is cancelled already; it is read again")
        }
        // Its content was verified when this was prepared, and complete is what was wanted.
        (EffectKind::ReleaseRequest, 403, Some("AlreadyCompleted")) => Sent::Accepted { reference: None },
        _ => change_outcome(response).unwrap_or_else(|| done(effect, response)),
    }
}

fn done(effect: &Effect, response: &HttpResponse) -> Sent {
    if effect.kind != EffectKind::SubmitRequest {
        // The service answers with nothing, or in JSON. A page is from something on the way, which knows nothing of the order.
        let is_blank = response.body.iter().all(u8::is_ascii_whitespace);
        return match is_blank || serde_json::from_slice::<Value>(&response.body).is_ok() {
            true => Sent::Accepted { reference: None },
            false => Sent::unknown("the answer is not the service's own"),
        };
    }
    let created: Option<Value> = serde_json::from_slice(&response.body).ok();
    match created.as_ref().and_then(|order| order.pointer("/readOnly/orderId")?.as_i64()) {
        Some(id) if id > 0 => {
            let body = serde_json::from_str(&effect.body).unwrap_or(Value::Null);
            let reference = RemoteRef::new(id.to_string()).with("lines", Lines::planned(&body).digest());
            Sent::Accepted { reference: Some(reference) }
        }
        Some(_) | None => Sent::unknown("the answer does not name the order that was made"),
    }
}

/// One outcome for each, sent one after the other.
pub(super) async fn send_all(warehouse: &Extensiv, batch: &[Armed], until: Duration) -> Delivery {
    let mut delivery = Delivery { outcomes: Vec::with_capacity(batch.len()), capture: None };
    for armed in batch {
        let (outcome, capture) = warehouse.send_one(armed, until).await;
        delivery.outcomes.push(outcome);
        delivery.capture = Some(capture);
    }
    delivery
}

#[cfg(test)]
mod tests {
    use connect::{Effect, EffectId, EffectKind, ErrorKind, HttpResponse, OsRandom, Probe, Sent};
    use jiff::Timestamp;
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{Order, Target, end, outcome};

    fn effect(kind: EffectKind) -> Effect {
        let id = EffectId::generate(Timestamp::UNIX_EPOCH, &OsRandom);
        Effect {
            id,
            kind,
            key: "K".into(),
            batch: None,
            body: "{}".into(),
            number: None,
            tried: None,
            others: std::collections::BTreeSet::new(),
        }
    }

    fn class(kind: EffectKind, status: u16, body: &str, headers: &[(&str, &str)]) -> &'static str {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = HttpResponse { status, headers, body: body.to_owned().into() };
        match outcome(&effect(kind), &response) {
            Sent::NotSent { cause } => {
                assert_eq!(cause.kind, ErrorKind::Transient);
                "not sent"
            }
            Sent::Throttled { wait: Some(_) } => "throttled, told how long",
            Sent::Throttled { wait: None } => "throttled",
            Sent::Accepted { reference: Some(_) } => "accepted, named",
            Sent::Accepted { reference: None } => "accepted",
            Sent::Refused { .. } => "refused",
            Sent::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn every_row_of_the_table() {
        use EffectKind::{CancelRequest, ReleaseRequest, SubmitRequest};
        let error = |code: &str| format!("{{\"$type\":\"x\",\"ErrorCode\":\"{code}\",\"Hint\":\"\"}}");
        let created = "{\"readOnly\":{\"orderId\":206568}}";
        for (kind, status, body, expected) in [
            (SubmitRequest, 201, created.to_owned(), "accepted, named"),
            (SubmitRequest, 200, created.to_owned(), "accepted, named"),
            (SubmitRequest, 201, String::new(), "unknown"),
            (SubmitRequest, 201, created[..20].to_owned(), "unknown"),
            (SubmitRequest, 201, "{\"readOnly\":{}}".to_owned(), "unknown"),
            (SubmitRequest, 201, created.replace("206568", "-1"), "unknown"),
            (SubmitRequest, 302, String::new(), "unknown"),
            (SubmitRequest, 400, error("Required"), "refused"),
            (SubmitRequest, 400, error("DoesNotExist"), "refused"),
            (SubmitRequest, 400, error("Duplicate"), "unknown"),
            (SubmitRequest, 400, "<html>".to_owned(), "unknown"),
            (SubmitRequest, 403, error("AuthorizationException"), "refused"),
            (SubmitRequest, 403, String::new(), "unknown"),
            (SubmitRequest, 408, error("Late"), "unknown"),
            (SubmitRequest, 429, String::new(), "throttled"),
            (SubmitRequest, 500, "An error has occurred.".to_owned(), "unknown"),
            (SubmitRequest, 503, error("Busy"), "unknown"),
            (ReleaseRequest, 204, String::new(), "accepted"),
            (ReleaseRequest, 200, "{}".to_owned(), "accepted"),
            (ReleaseRequest, 200, "<html>".to_owned(), "unknown"),
            (CancelRequest, 200, "<html>".to_owned(), "unknown"),
            (ReleaseRequest, 403, error("AlreadyCompleted"), "accepted"),
            (ReleaseRequest, 403, error("OrderCanceled"), "refused"),
            (ReleaseRequest, 403, error("InUse"), "refused"),
            (ReleaseRequest, 404, String::new(), "refused"),
            (ReleaseRequest, 412, String::new(), "not sent"),
            (ReleaseRequest, 428, error("Required"), "not sent"),
            (ReleaseRequest, 500, "text".to_owned(), "unknown"),
            (CancelRequest, 204, String::new(), "accepted"),
            (CancelRequest, 403, error("OrderConfirmed"), "refused"),
            (CancelRequest, 403, error("AlreadyCompleted"), "refused"),
            (CancelRequest, 403, error("OrderCanceled"), "unknown"),
            (CancelRequest, 412, String::new(), "not sent"),
            (CancelRequest, 502, String::new(), "unknown"),
        ] {
            assert_eq!(class(kind, status, &body, &[]), expected, "{kind} {status} {body}");
        }
        assert_eq!(class(SubmitRequest, 429, "", &[("retry-after", "7")]), "throttled, told how long");
    }

    proptest! {
        #[test]
        fn any_answer_has_an_outcome_and_server_errors_are_never_certain(status in 100_u16..1000, body in any::<String>()) {
            for kind in [EffectKind::SubmitRequest, EffectKind::ReleaseRequest, EffectKind::CancelRequest] {
                let class = class(kind, status, &body, &[]);
                if status >= 500 {
                    prop_assert!(class == "unknown");
                }
            }
            let id = serde_json::from_str::<serde_json::Value>(&body).is_ok();
            prop_assert!(id || class(EffectKind::SubmitRequest, status, &body, &[]) != "accepted, named");
        }
    }

    #[test]
    fn a_cancel_has_come_to_its_end_when_no_part_can_leave() {
        let order = |id: i64, number: &str, status: i64| -> Order {
            serde_json::from_value(
                serde_json::json!({ "referenceNum": number, "readOnly": { "orderId": id, "status": status } }),
            )
            .unwrap()
        };
        let (open, closed, cancelled) = (0, 1, 2);
        let target: Target = serde_json::from_str("{\"order_id\":1,\"key\":\"K\"}").unwrap();
        for (whole, part, expected) in [
            (open, None, "absent"),
            (cancelled, None, "accepted"),
            (closed, None, "too_late"),
            (cancelled, Some(open), "different"),
            (closed, Some(open), "different"),
            (open, Some(cancelled), "absent"),
            (cancelled, Some(cancelled), "accepted"),
            // What left of it cannot go again with the rest.
            (cancelled, Some(closed), "partly"),
            (closed, Some(cancelled), "too_late"),
        ] {
            let whole = order(1, "K", whole);
            let found: Vec<Order> =
                std::iter::once(whole.clone()).chain(part.map(|part| order(2, "K-2", part))).collect();
            let said = match end(&target, &whole, &found) {
                Probe::Absent => "absent".to_owned(),
                Probe::Equal(at) => at.facts.get("outcome").cloned().unwrap_or_else(|| "accepted".to_owned()),
                _ => "different".to_owned(),
            };
            assert_eq!(said, expected, "{found:?}");
        }
        // A second one under the same number that nobody cancelled.
        let found = [order(1, "K", cancelled), order(3, "K", open)];
        let said = end(&target, &found[0], &found);
        assert!(
            matches!(&said, Probe::Different { difference, .. } if difference.contains("a second time")),
            "{said:?}"
        );
    }

    #[test]
    fn bodies_are_read_back() {
        let target: Target = serde_json::from_str("{\"order_id\":1,\"key\":\"K\"}").unwrap();
        assert_eq!((target.order_id, target.lines), (1, None));
    }
}
