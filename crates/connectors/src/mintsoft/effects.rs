//! Creating and cancelling orders.
//!
//! Whether a second order of one number is refused depends on the account, and so does the wording of a refusal. So an order is
//! looked up before it is sent; and when the service says no, it is looked up again before that is called a refusal.

use std::{collections::BTreeMap, time::Duration};

use connect::{
    Armed, Capture, ConnectorError, Delivery, Effect, EffectDraft, EffectKind, HttpResponse, PlanError, Prepared,
    Probe, RemoteRef, Sent, budget::Priority,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Mintsoft,
    calls::Change,
    client::{Changed, Purpose},
    judge::{self, Judged, shortened},
    orders::{reference, verdict},
    statuses::{Standing, Statuses},
    wire::Order,
};
use crate::turn::Turn;

pub(super) const SUBMIT: Purpose = Purpose(Priority::Orders, "submit");
const CANCEL: Purpose = Purpose(Priority::Shipments, "cancel");
/// Orders read at once.
pub(super) const AT_ONCE: usize = 4;
/// What is not answered by then nobody waits for: the order is taken, and that is to be written down.
const LONGEST_ASKING: Duration = Duration::from_secs(3);
/// Changes prepared or looked up together: each needs readings of its own, for which the account has few calls or credits.
pub(super) const TOGETHER: usize = 8;

/// Code of a cancel that was refused because the order had left or was in somebody's hands.
pub(super) const TOO_LATE: &str = "too_late";
/// Code of anything else that the service said no to; it gives none of its own.
const DENIED: &str = "denied";

/// What cancelling works with: the frozen body of the effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    order_id: i64,
    key: String,
}

/// Stops an order.
pub(super) fn plan_cancel(key: &str, reference: &RemoteRef) -> Result<EffectDraft, PlanError> {
    let order_id = reference
        .id
        .parse()
        .map_err(|_| PlanError::new(format!("{:?} is not the number of an order at the warehouse", reference.id)))?;
    let target = Target { order_id, key: key.to_owned() };
    Ok(EffectDraft {
        kind: EffectKind::CancelRequest,
        key: target.key.clone(),
        batch: None,
        body: json!(target).to_string(),
        title: format!("Cancel order {order_id} at the warehouse"),
        numbering: None,
    })
}

/// An effect's frozen body, read back.
enum Work {
    Submit(Value),
    Cancel(Target),
}

fn work(effect: &Effect) -> Result<Work, ConnectorError> {
    let unreadable = |error: serde_json::Error| {
        ConnectorError::unexpected(format!("the planned {} cannot be read back: {error}", effect.kind))
    };
    match effect.kind {
        EffectKind::SubmitRequest => serde_json::from_str(&effect.body).map(Work::Submit).map_err(unreadable),
        EffectKind::CancelRequest => serde_json::from_str(&effect.body).map(Work::Cancel).map_err(unreadable),
        kind => Err(ConnectorError::unsupported(format!("this warehouse cannot {kind}"))),
    }
}

impl Mintsoft {
    pub(super) async fn prepare_all(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let ready = Prepared::Ready { baseline: json!({}) };
        let looked = self.look(effects.iter()).await?;
        Ok(looked
            .into_iter()
            .map(|probe| match probe {
                Probe::Absent => ready.clone(),
                there => Prepared::Found(there),
            })
            .collect())
    }

    pub(super) async fn probe_all(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        self.look(effects.iter().map(|armed| &armed.effect)).await
    }

    /// What there is of each: before it is sent and after it was, the same question.
    async fn look<'a>(&self, effects: impl Iterator<Item = &'a Effect>) -> Result<Vec<Probe>, ConnectorError> {
        let mut works = Vec::new();
        for effect in effects {
            works.push((effect.key.clone(), work(effect)?));
        }
        stream::iter(works)
            .map(|(key, work)| async move {
                match work {
                    Work::Submit(body) => self.look_for_order(&key, &body).await,
                    Work::Cancel(target) => self.look_for_end(&target).await,
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn look_for_order(&self, key: &str, body: &Value) -> Result<Probe, ConnectorError> {
        let found = self.find(SUBMIT, key).await?;
        let statuses = self.statuses_of(SUBMIT, &found).await?;
        Ok(verdict(body, &found, &statuses))
    }

    /// Whether everything under the key has come to an end.
    async fn look_for_end(&self, target: &Target) -> Result<Probe, ConnectorError> {
        let mut found = self.find(CANCEL, &target.key).await?;
        if !found.iter().any(|order| order.id == target.order_id) {
            found.extend(self.read_order(CANCEL, target.order_id).await?);
            self.add_parts(CANCEL, &mut found).await?;
        }
        let statuses = self.statuses_of(CANCEL, &found).await?;
        Ok(end(target.order_id, &found, &statuses))
    }

    async fn statuses_of(&self, purpose: Purpose, orders: &[Order]) -> Result<Statuses, ConnectorError> {
        if orders.is_empty() {
            return Ok(Statuses::default());
        }
        self.statuses(purpose, orders.iter().map(|order| order.order_status_id)).await
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
            Ok(work) => work,
            Err(cause) => return (Sent::NotSent { cause }, Capture::default()),
        };
        let (change, purpose) = match &work {
            Work::Submit(_) => (Change::Create, SUBMIT),
            Work::Cancel(target) => (Change::Cancel(target.order_id), CANCEL),
        };
        let mut capture = Capture { request: format!("{} {}", change.verb(), change.path()), ..Capture::default() };
        let body = match &work {
            Work::Submit(body) => {
                capture.request_body.clone_from(&effect.body);
                Some(body.to_string())
            }
            Work::Cancel(_) => None,
        };
        let outcome = match self.client.change(purpose, change, body, until).await {
            Changed::NotSent(cause) => Sent::NotSent { cause },
            Changed::Unknown(why) => Sent::Unknown { why },
            Changed::Answered(response) => {
                capture.status = response.status;
                capture.response_body = shortened(&String::from_utf8_lossy(&response.body));
                self.outcome(effect, &work, &response, until).await
            }
        };
        (outcome, capture)
    }

    async fn outcome(&self, effect: &Effect, work: &Work, response: &HttpResponse, until: Duration) -> Sent {
        let judged = match work {
            Work::Submit(_) => judge::created(response),
            Work::Cancel(_) => judge::cancelled(response),
        };
        match judged {
            Judged::Done(ids) => match work {
                Work::Submit(_) => {
                    self.ask_for_calls(&effect.key, &ids, until).await;
                    Sent::Accepted { reference: ids.iter().min().map(|id| RemoteRef::new(id.to_string())) }
                }
                Work::Cancel(target) => self.verified(target, until).await,
            },
            Judged::Throttled(wait) => Sent::Throttled { wait },
            Judged::Unclear(why) => Sent::Unknown { why },
            Judged::Denied(message) => {
                let looked = Turn::new(&*self.clock, until).look(self.denied(effect, work, &message)).await;
                looked.unwrap_or_else(|error| {
                    Sent::unknown(format!(
                        "the warehouse said no ({message}), and whether it is there is not known: {error}"
                    ))
                })
            }
        }
    }

    /// The service said no. The words of *there is one already* are not published, so what is there decides.
    async fn denied(&self, effect: &Effect, work: &Work, message: &str) -> Result<Sent, ConnectorError> {
        let refused = |code: &str| Sent::Refused { code: code.to_owned(), message: message.to_owned() };
        match work {
            Work::Submit(body) => Ok(match self.look_for_order(&effect.key, body).await? {
                Probe::Absent if !speaks_of_another(message) => refused(DENIED),
                Probe::Absent => Sent::unknown(format!(
                    "the warehouse seems to have an order under this key ({message}), and does not show it yet"
                )),
                _ => Sent::unknown(format!(
                    "the warehouse has an order under this key already ({message}); it is read and compared"
                )),
            }),
            Work::Cancel(target) => {
                let Some(order) = self.read_order(CANCEL, target.order_id).await? else {
                    return Ok(Sent::unknown(format!("the order is not there any more ({message})")));
                };
                let statuses = self.statuses_of(CANCEL, std::slice::from_ref(&order)).await?;
                Ok(match statuses.of(order.order_status_id) {
                    Standing::Despatched | Standing::Working => refused(TOO_LATE),
                    Standing::Waiting | Standing::Held => refused(DENIED),
                    Standing::Cancelled => {
                        Sent::unknown(format!("the order is cancelled already ({message}); it is read again"))
                    }
                })
            }
        }
    }

    /// What a yes to a cancel came to. Mintsoft's cancel has no condition: the warehouse may have split the order, or begun with it,
    /// since it was looked at. Acted upon, the order may go again at once: so what is there counts, and not the answer.
    async fn verified(&self, target: &Target, until: Duration) -> Sent {
        match Turn::new(&*self.clock, until).look(self.look_for_end(target)).await {
            Ok(Probe::Equal(reference)) => Sent::Accepted { reference: Some(reference) },
            Ok(_) => Sent::unknown("the warehouse said yes, and the order has not come to its end; it is read again"),
            Err(error) => Sent::unknown(format!("the warehouse said yes, and the order could not be read: {error}")),
        }
    }

    /// Mintsoft calls for one order at a time, at addresses it is told when the order is there. They say nothing that is not read
    /// anyway, so this is asked once, for a moment, and what became of it changes nothing: an order that nobody calls
    /// for is seen by the next reading. The address is a secret, so it is in nothing that is kept for people.
    async fn ask_for_calls(&self, key: &str, ids: &[i64], until: Duration) {
        let Some(secret) = &self.config.callback else { return };
        let until = until.min(self.clock.monotonic() + LONGEST_ASKING);
        let address = secret.expose().trim();
        let body = json!({
            "Type": "API", "SourceOrderId": key, "Complete": false,
            // Despatched, cancelled, delivered, split.
            "ExtraCode1": address, "ExtraCode2": address, "ExtraCode3": address, "ExtraCode5": address,
        });
        for id in ids {
            match self.client.change(SUBMIT, Change::Calls(*id), Some(body.to_string()), until).await {
                Changed::Answered(response) if judge::taken(&response) => {}
                Changed::Answered(_) | Changed::NotSent(_) | Changed::Unknown(_) => {
                    tracing::info!(order.id = id, "Mintsoft may not call for an order; it is read all the same");
                }
            }
        }
    }
}

/// Whether a refusal may mean that there is an order of that number.
fn speaks_of_another(message: &str) -> bool {
    let message = message.to_lowercase();
    ["exist", "duplicate", "already", "unique", "in use"].iter().any(|word| message.contains(word))
}

/// How far cancelling has come. Parts of an order end one by one.
fn end(order_id: i64, found: &[Order], statuses: &Statuses) -> Probe {
    let by_standing = found.iter().fold(BTreeMap::<&str, Vec<&Order>>::new(), |mut sorted, order| {
        let word = match statuses.of(order.order_status_id) {
            Standing::Despatched => "despatched",
            Standing::Cancelled => "cancelled",
            Standing::Waiting | Standing::Held | Standing::Working => "open",
        };
        sorted.entry(word).or_default().push(order);
        sorted
    });
    let some = |word: &str| by_standing.get(word).map(Vec::as_slice).unwrap_or_default();
    let parts = found.iter().filter_map(|order| order.number_of_parts).max().unwrap_or(1);
    match (some("open"), some("despatched").first(), some("cancelled").first()) {
        ([only], _, _) if only.id == order_id => Probe::Absent,
        ([first, ..], _, _) => Probe::Different {
            reference: reference(first, statuses),
            difference: format!(
                "the warehouse has split it (order {} goes on by itself): ask it to cancel each part",
                first.id
            ),
        },
        // What is not shown may go on.
        ([], _, _) if i64::try_from(found.len()).is_ok_and(|shown| 0 < shown && shown < parts) => Probe::Different {
            reference: RemoteRef::new(order_id.to_string()),
            difference: format!(
                "the warehouse has split it into {parts} parts and shows {} of them: ask it what becomes of the others",
                found.len()
            ),
        },
        ([], Some(left), Some(_)) => Probe::Equal(reference(left, statuses).with("outcome", "partly")),
        ([], Some(left), None) => Probe::Equal(reference(left, statuses).with("outcome", TOO_LATE)),
        ([], None, Some(order)) => Probe::Equal(reference(order, statuses)),
        ([], None, None) => Probe::Different {
            reference: RemoteRef::new(order_id.to_string()),
            difference: "it is not at the warehouse any more".to_owned(),
        },
    }
}
