//! Creating, releasing and cancelling orders.
//!
//! The service has no key against repeats and says nothing of unique numbers, so nothing hangs on them: an order is looked up
//! first, created held, counted and compared, and only then let go (prepare, verify, commit). When the service says no in the
//! form that it publishes, what is there is looked at before that is called a refusal; any other answer with errors in it is
//! looked up as if no answer had come.

use std::{collections::BTreeSet, time::Duration};

use connect::{
    Armed, Capture, ConnectorError, Delivery, Effect, EffectDraft, EffectKind, ErrorKind, PlanError, Prepared, Probe,
    RemoteRef, Sent, budget::Priority,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ShipHero,
    client::{Changed, Purpose},
    documents::{ACCOUNT, CANCEL, CREATE, Document, PRODUCT, RELEASE},
    judge::{Complaints, Judged, shortened},
    orders::{Lines, reference, verdict},
    wire::{Head, Order, filled, is_cancelled},
};
use crate::turn::Turn;

const SUBMIT: Purpose = Purpose(Priority::Orders, "submit");
const LET_GO: Purpose = Purpose(Priority::Orders, "release");
const STOP: Purpose = Purpose(Priority::Shipments, "cancel");
/// Orders read at once.
pub(super) const AT_ONCE: usize = 4;
/// Changes prepared or looked up together: each needs readings of its own, for which the account has few calls or credits.
pub(super) const TOGETHER: usize = 8;

/// Code of a cancel that was refused because some of the order had left.
pub(super) const TOO_LATE: &str = "too_late";
/// Code of any other refusal; the service gives none that says why.
const DENIED: &str = "denied";

/// What releasing and cancelling an order work with: the frozen body of the effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    order_id: String,
    key: String,
    /// Digest of the lines that were asked for, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Lets an order be picked.
pub(super) fn plan_release(key: &str, reference: &RemoteRef) -> Option<EffectDraft> {
    let lines = reference.facts.get("lines").cloned();
    let target = Target { order_id: reference.id.clone(), key: key.to_owned(), lines, reason: None };
    Some(draft(EffectKind::ReleaseRequest, &target, format!("Release order {key} at the warehouse")))
}

/// Stops an order.
pub(super) fn plan_cancel(key: &str, reference: &RemoteRef) -> Result<EffectDraft, PlanError> {
    if reference.id.trim().is_empty() {
        return Err(PlanError::new("the id of the order at the warehouse is not known"));
    }
    let reason = Some("Cancelled by the merchant".to_owned());
    let target = Target { order_id: reference.id.clone(), key: key.to_owned(), lines: None, reason };
    Ok(draft(EffectKind::CancelRequest, &target, format!("Cancel order {key} at the warehouse")))
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

impl ShipHero {
    pub(super) async fn prepare_all(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let mut works = Vec::new();
        for effect in effects {
            let work = work(effect)?;
            if matches!(work, Work::Release(_)) && !self.config.create_held {
                return Err(ConnectorError::unsupported("orders are not created held, so there is nothing to release"));
            }
            works.push((effect.key.clone(), work));
        }
        stream::iter(works)
            .map(|(key, work)| async move {
                let prepared = match work {
                    Work::Submit(body) => self.prepare_submit(&key, &body).await,
                    Work::Release(target) => self.prepare_release(&target).await,
                    Work::Cancel(target) => self.look_for_end(&target).await.map(ready_unless),
                };
                match prepared {
                    // An order that cannot be read is its own trouble, and not that of the others.
                    Err(error) if matches!(error.kind, ErrorKind::Unexpected) => {
                        Ok(Prepared::NotYet { why: error.message })
                    }
                    prepared => prepared,
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn prepare_submit(&self, key: &str, body: &Value) -> Result<Prepared, ConnectorError> {
        match self.look_for_order(key, body).await? {
            Probe::Absent => {}
            there => return Ok(Prepared::Found(there)),
        }
        self.is_meant_for_a_customer().await?;
        let customer = body.get("customer_account_id").and_then(Value::as_str);
        if customer != self.config.customer.as_deref() {
            let why = "it was planned for another customer account than the settings name now: reprocess the order"
                .to_owned();
            return Ok(Prepared::NotYet { why });
        }
        Ok(match self.unknown_sku(body).await? {
            Some(sku) => Prepared::NotYet {
                why: format!(
                    "the warehouse has no product with the SKU {sku} in this account: ask it to add the product"
                ),
            },
            None => Prepared::Ready { baseline: json!({}) },
        })
    }

    /// An order of a 3PL's user that names no customer would be the 3PL's own.
    async fn is_meant_for_a_customer(&self) -> Result<(), ConnectorError> {
        if self.config.customer.is_some() {
            return Ok(());
        }
        let mut is_3pl = self.is_3pl.lock().await;
        if is_3pl.is_none() {
            let read = self.client.read(SUBMIT, &ACCOUNT, &json!({})).await?;
            *is_3pl = read.data.pointer("/account/data/is_3pl").and_then(Value::as_bool);
        }
        match *is_3pl {
            Some(true) => Err(ConnectorError::credentials(
                "the user is a 3PL's, and no customer account is set: enter Customer account ID, or orders would be the 3PL's own",
            )),
            Some(false) => Ok(()),
            None => Err(ConnectorError::unexpected("the account does not say whether it is a 3PL's")),
        }
    }

    /// What becomes of an order for a SKU that nobody knows is not documented, so none is sent.
    async fn unknown_sku(&self, body: &Value) -> Result<Option<String>, ConnectorError> {
        let items = body.get("line_items").and_then(Value::as_array);
        let skus: BTreeSet<&str> = items.into_iter().flatten().filter_map(|item| item.get("sku")?.as_str()).collect();
        for sku in skus {
            if self.skus.lock().await.contains(sku) {
                continue;
            }
            let variables = json!({ "sku": sku, "customer": self.config.customer });
            let found: Vec<Value> = self.few(SUBMIT, &PRODUCT, &variables).await?;
            if !found.iter().any(|product| product.get("sku").and_then(Value::as_str) == Some(sku)) {
                return Ok(Some(sku.to_owned()));
            }
            self.skus.lock().await.insert(sku.to_owned());
        }
        Ok(None)
    }

    /// Exactly one order under the key, with the lines that were asked for: otherwise it is not let go.
    async fn prepare_release(&self, target: &Target) -> Result<Prepared, ConnectorError> {
        let found = self.find(LET_GO, &target.key).await?;
        let live: Vec<&Head> = found.iter().filter(|order| !order.is_cancelled()).collect();
        if live.len() > 1 {
            return Ok(Prepared::Found(Probe::Many(live.into_iter().map(reference).collect())));
        }
        let Some(order) = self.read_order(LET_GO, &target.order_id).await? else {
            return Ok(Prepared::Impossible { why: "the order is not at the warehouse any more".to_owned() });
        };
        let there = release_state(&order)?;
        if there != Probe::Absent {
            return Ok(Prepared::Found(there));
        }
        if live.is_empty() {
            return Ok(Prepared::NotYet { why: "the order does not show in the warehouse's search yet".to_owned() });
        }
        // The search may show another one of the key only, while the one that was made last does not show yet.
        if live.iter().any(|there| there.id != target.order_id) {
            let both = live.iter().map(|there| there.id.as_str()).chain([target.order_id.as_str()]).map(RemoteRef::new);
            return Ok(Prepared::Found(Probe::Many(both.collect())));
        }
        if let Some(lines) = &target.lines
            && *lines != Lines::there(&order)?.digest()
        {
            let difference = "its lines are not those that were asked for; it stays held".to_owned();
            return Ok(Prepared::Found(Probe::Different { reference: reference(&order.head), difference }));
        }
        Ok(Prepared::Ready { baseline: json!({}) })
    }

    pub(super) async fn probe_all(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        let mut works = Vec::new();
        for armed in effects {
            works.push((armed.effect.key.clone(), work(&armed.effect)?));
        }
        stream::iter(works)
            .map(|(key, work)| async move {
                match work {
                    Work::Submit(body) => self.look_for_order(&key, &body).await,
                    Work::Release(target) => self.look_whether_released(&target).await,
                    Work::Cancel(target) => self.look_for_end(&target).await,
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// What there is under a key. A cancelled order counts where no other is there: it is ours, and it is never made again behind
    /// the warehouse's back.
    async fn look_for_order(&self, key: &str, body: &Value) -> Result<Probe, ConnectorError> {
        let found = self.find(SUBMIT, key).await?;
        let live: Vec<&Head> = found.iter().filter(|order| !order.is_cancelled()).collect();
        if live.len() > 1 {
            return Ok(Probe::Many(live.into_iter().map(reference).collect()));
        }
        let newest = || found.iter().max_by(|a, b| (&a.updated_at, &a.id).cmp(&(&b.updated_at, &b.id)));
        let Some(order) = live.first().copied().or_else(newest) else { return Ok(Probe::Absent) };
        match self.read_order(SUBMIT, &order.id).await? {
            Some(order) => verdict(body, &order),
            None => Err(ConnectorError::transient(format!(
                "the warehouse's search shows an order under {key}, and the order cannot be read; it is looked for again"
            ))),
        }
    }

    async fn look_whether_released(&self, target: &Target) -> Result<Probe, ConnectorError> {
        match self.read_order(LET_GO, &target.order_id).await? {
            Some(order) => release_state(&order),
            None => Ok(gone(target)),
        }
    }

    async fn look_for_end(&self, target: &Target) -> Result<Probe, ConnectorError> {
        Ok(match self.read_order(STOP, &target.order_id).await? {
            Some(order) => end(&order.head),
            None => gone(target),
        })
    }

    /// One outcome for each, sent one after the other.
    pub(super) async fn send_all(&self, batch: &[Armed], until: Duration) -> Delivery {
        let mut delivery = Delivery { outcomes: Vec::with_capacity(batch.len()), capture: None };
        for armed in batch {
            let (outcome, capture) = self.send_one(&armed.effect, until).await;
            delivery.outcomes.push(outcome);
            delivery.capture = Some(capture);
        }
        delivery
    }

    async fn send_one(&self, effect: &Effect, until: Duration) -> (Sent, Capture) {
        let work = match work(effect) {
            Ok(Work::Release(_)) if !self.config.create_held => {
                let cause = ConnectorError::unsupported("orders are not created held, so there is nothing to release");
                return (Sent::NotSent { cause }, Capture::default());
            }
            Ok(work) => work,
            Err(cause) => return (Sent::NotSent { cause }, Capture::default()),
        };
        let (document, purpose, data): (&Document, Purpose, Value) = match &work {
            Work::Submit(body) => (&CREATE, SUBMIT, body.clone()),
            Work::Release(target) => (&RELEASE, LET_GO, self.input(target, &json!({ "client_hold": false }))),
            // Never with `force`, which cancels what has a label.
            Work::Cancel(target) => (&CANCEL, STOP, self.input(target, &json!({ "reason": target.reason }))),
        };
        let mut capture = Capture {
            request: format!("POST /graphql {}", document.field),
            request_body: data.to_string(),
            ..Capture::default()
        };
        let outcome = match self.client.change(purpose, document, &json!({ "data": data }), until).await {
            Changed::NotSent(cause) => Sent::NotSent { cause },
            Changed::Unknown(why) => Sent::Unknown { why },
            Changed::Answered(response, judged) => {
                capture.status = response.status;
                capture.response_body = shortened(&String::from_utf8_lossy(&response.body));
                self.outcome(&work, document, judged, until).await
            }
        };
        (outcome, capture)
    }

    fn input(&self, target: &Target, more: &Value) -> Value {
        let mut input = json!({ "order_id": target.order_id });
        if let (Some(fields), Some(more)) = (input.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
            if let Some(customer) = &self.config.customer {
                fields.insert("customer_account_id".to_owned(), json!(customer));
            }
        }
        input
    }

    async fn outcome(&self, work: &Work, document: &Document, judged: Judged, until: Duration) -> Sent {
        match (judged, work) {
            (Judged::Data(data), work) => done(work, data.get(document.field).and_then(|field| field.get("order"))),
            (Judged::Throttled(wait), _) => Sent::Throttled { wait },
            (Judged::Unclear(why), _) => Sent::Unknown { why },
            (Judged::Errors(complaints), work) => {
                let looked = Turn::new(&*self.clock, until).look(self.denied(work, document.field, &complaints)).await;
                looked.unwrap_or_else(|error| {
                    Sent::unknown(format!(
                        "the warehouse said no ({}), and how the order stands is not known: {error}",
                        complaints.told
                    ))
                })
            }
        }
    }

    /// The service said no. What is there decides whether that is a refusal.
    async fn denied(&self, work: &Work, operation: &str, complaints: &Complaints) -> Result<Sent, ConnectorError> {
        let told = &complaints.told;
        match (work, complaints.refusal_of(operation)) {
            (Work::Cancel(target), _) => self.denied_cancel(target, told).await,
            (Work::Submit(_) | Work::Release(_), None) => Ok(Sent::unknown(format!(
                "the warehouse said no ({told}); whether it was done all the same is looked up"
            ))),
            (Work::Submit(body), Some(code)) => self.denied_submit(body, code, told).await,
            (Work::Release(target), Some(code)) => self.denied_release(target, code, told).await,
        }
    }

    async fn denied_submit(&self, body: &Value, code: String, told: &str) -> Result<Sent, ConnectorError> {
        let key = body.get("partner_order_id").and_then(Value::as_str).unwrap_or_default();
        Ok(match self.look_for_order(key, body).await? {
            Probe::Absent if !speaks_of_another(told) => Sent::Refused {
                code,
                message: format!("{told}. Mend what it names, in the order or at the warehouse, and send it again"),
            },
            Probe::Absent => Sent::unknown(format!(
                "the warehouse seems to have an order under this key ({told}), and does not show it yet"
            )),
            _ => Sent::unknown(format!(
                "the warehouse has an order under this key already ({told}); it is read and compared"
            )),
        })
    }

    async fn denied_release(&self, target: &Target, code: String, told: &str) -> Result<Sent, ConnectorError> {
        Ok(match self.look_whether_released(target).await? {
            Probe::Absent => Sent::Refused {
                code,
                message: format!(
                    "{told}. The order lies there held: ask the warehouse what keeps it, or to take the client hold off, and \
                     try it again"
                ),
            },
            _ => Sent::unknown(format!("the warehouse said no ({told}), and the hold is off or the order has changed")),
        })
    }

    /// A cancel was refused. The order itself, read directly, says whether it was too late.
    async fn denied_cancel(&self, target: &Target, told: &str) -> Result<Sent, ConnectorError> {
        let refused = |code: &str| Sent::Refused { code: code.to_owned(), message: told.to_owned() };
        Ok(match self.read_order(STOP, &target.order_id).await? {
            None => Sent::unknown(format!("the order is not there any more ({told})")),
            Some(order) if order.head.is_cancelled() => {
                Sent::unknown(format!("the order is cancelled already ({told}); it is read again"))
            }
            Some(order) if order.head.is_fulfilled() || order.shipments().iter().any(|one| !one.head.is_void()) => {
                refused(TOO_LATE)
            }
            Some(_) => refused(DENIED),
        })
    }
}

/// Whether a refusal may mean that there is an order of that number; the search may not show it yet.
fn speaks_of_another(told: &str) -> bool {
    let told = told.to_lowercase();
    ["exist", "duplicate", "already", "unique", "in use"].iter().any(|word| told.contains(word))
}

fn ready_unless(found: Probe) -> Prepared {
    match found {
        Probe::Absent => Prepared::Ready { baseline: json!({}) },
        there => Prepared::Found(there),
    }
}

/// What the answer says of the order, which must be what was wanted.
fn done(work: &Work, order: Option<&Value>) -> Sent {
    let text = |path: &str| filled(order?.pointer(path)?.as_str());
    match work {
        Work::Submit(body) => match text("/id") {
            Some(id) => {
                Sent::Accepted { reference: Some(RemoteRef::new(id).with("lines", Lines::planned(body).digest())) }
            }
            None => Sent::unknown("the answer does not name the order that was made"),
        },
        Work::Release(_) => {
            match order.and_then(|order| order.pointer("/holds/client_hold")).and_then(Value::as_bool) {
                Some(false) => Sent::Accepted { reference: None },
                _ => Sent::unknown("the answer does not say that the hold is off"),
            }
        }
        Work::Cancel(target) => {
            let some_left =
                order.and_then(|order| order.get("shipments")?.as_array()).is_some_and(|left| !left.is_empty());
            match text("/fulfillment_status") {
                // How much had left is read from the order itself.
                Some(status) if is_cancelled(status) && !some_left => {
                    Sent::Accepted { reference: Some(RemoteRef::new(target.order_id.clone())) }
                }
                _ => Sent::unknown("the answer does not say that all of the order is cancelled"),
            }
        }
    }
}

fn gone(target: &Target) -> Probe {
    Probe::Different {
        reference: RemoteRef::new(target.order_id.clone()),
        difference: "it is not at the warehouse any more".to_owned(),
    }
}

/// Whether our hold is off. Other holds are the warehouse's own.
fn release_state(order: &Order) -> Result<Probe, ConnectorError> {
    let head = &order.head;
    if head.is_cancelled() {
        let difference = "it is cancelled at the warehouse".to_owned();
        return Ok(Probe::Different { reference: reference(head), difference });
    }
    match head.holds.as_ref().and_then(|holds| holds.client_hold) {
        Some(true) => Ok(Probe::Absent),
        Some(false) => Ok(Probe::Equal(reference(head))),
        None => Err(ConnectorError::unexpected("the order does not say whether it is held")),
    }
}

/// How far cancelling has come.
fn end(head: &Head) -> Probe {
    let some_left = head.left().next().is_some();
    match (head.is_cancelled(), some_left) {
        (true, true) => Probe::Equal(reference(head).with("outcome", "partly")),
        (true, false) => Probe::Equal(reference(head)),
        (false, _) if head.is_fulfilled() => Probe::Equal(reference(head).with("outcome", TOO_LATE)),
        (false, _) => Probe::Absent,
    }
}
