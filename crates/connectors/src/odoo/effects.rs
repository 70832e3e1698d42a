//! Creating, confirming and cancelling orders.
//!
//! An order is written with *load* under an external id of ours: a create-or-update in one transaction, so the same rows once more
//! change nothing. It is a quotation then, which nobody picks; it is read back, compared, and confirmed. Other content is never
//! loaded under a key that was used: Odoo would change the open transfer with it.

use std::{collections::BTreeMap, time::Duration};

use connect::{
    Armed, Capture, ConnectorError, Delivery, Effect, EffectDraft, EffectKind, PlanError, Prepared, Probe, RemoteRef,
    Sent, budget::Priority,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Odoo,
    answer::{Answer, Loaded, is_of_others, loaded, shortened},
    client::{Call, Changed, Purpose},
    find::Found,
    orders::{Ids, Lines, Wanted, contact_rows, order_rows, reference, verdict},
    wire::Transfer,
};
use crate::turn::Turn;

const SUBMIT: Purpose = Purpose(Priority::Orders, "submit");
const RELEASE: Purpose = Purpose(Priority::Orders, "release");
const CANCEL: Purpose = Purpose(Priority::Shipments, "cancel");

/// Code of a cancel that was refused because everything had left.
pub(super) const TOO_LATE: &str = "too_late";

/// What confirming and cancelling work with: the frozen body of the effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    order_id: i64,
    key: String,
    /// Digest of the lines that were asked for, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lines: Option<String>,
}

fn draft(kind: EffectKind, target: &Target, title: String) -> EffectDraft {
    EffectDraft { kind, key: target.key.clone(), batch: None, body: json!(target).to_string(), title, numbering: None }
}

/// Lets an order be picked.
pub(super) fn plan_release(key: &str, reference: &RemoteRef) -> Option<EffectDraft> {
    let order_id = reference.id.parse().ok()?;
    let target = Target { order_id, key: key.to_owned(), lines: reference.facts.get("lines").cloned() };
    Some(draft(EffectKind::ReleaseRequest, &target, format!("Confirm order {order_id} at the warehouse")))
}

/// Stops an order.
pub(super) fn plan_cancel(key: &str, reference: &RemoteRef) -> Result<EffectDraft, PlanError> {
    let order_id = reference
        .id
        .parse()
        .map_err(|_| PlanError::new(format!("{:?} is not the number of an order at the warehouse", reference.id)))?;
    let target = Target { order_id, key: key.to_owned(), lines: None };
    Ok(draft(EffectKind::CancelRequest, &target, format!("Cancel order {order_id} at the warehouse")))
}

/// An effect's frozen body, read back.
enum Work {
    Submit(Box<Wanted>),
    Release(Target),
    Cancel(Target),
}

/// What there is of each key: its orders, and the transfers of all of them.
struct There {
    found: BTreeMap<String, Vec<Found>>,
    transfers: Vec<Transfer>,
}

impl Work {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Submit(_) => SUBMIT,
            Self::Release(_) => RELEASE,
            Self::Cancel(_) => CANCEL,
        }
    }

    /// What there is of it: before it is sent and after it was, the same question.
    fn look(&self, key: &str, there: &There) -> Probe {
        let found = there.found.get(key).map(Vec::as_slice).unwrap_or_default();
        match self {
            Self::Submit(wanted) => verdict(wanted, found),
            Self::Release(target) => released(target, found),
            Self::Cancel(target) => ended(target, found, &there.transfers),
        }
    }
}

impl Odoo {
    fn work(&self, effect: &Effect) -> Result<Work, ConnectorError> {
        let unreadable = |error: serde_json::Error| {
            ConnectorError::unexpected(format!("the planned {} cannot be read back: {error}", effect.kind))
        };
        match effect.kind {
            EffectKind::SubmitRequest => serde_json::from_str(&effect.body).map(Work::Submit).map_err(unreadable),
            EffectKind::ReleaseRequest if self.config.confirm => {
                serde_json::from_str(&effect.body).map(Work::Release).map_err(unreadable)
            }
            EffectKind::CancelRequest => serde_json::from_str(&effect.body).map(Work::Cancel).map_err(unreadable),
            kind => Err(ConnectorError::unsupported(format!("this warehouse cannot {kind}"))),
        }
    }

    pub(super) async fn prepare_all(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let works = effects.iter().map(|effect| self.work(effect)).collect::<Result<Vec<Work>, ConnectorError>>()?;
        let there = self.there(effects.iter().zip(&works)).await?;
        let looked: Vec<Probe> =
            effects.iter().zip(&works).map(|(effect, work)| work.look(&effect.key, &there)).collect();
        // Orders that are not there yet need Odoo's ids of what they are made of, and are made with those.
        let absent: Vec<&Wanted> = works
            .iter()
            .zip(&looked)
            .filter_map(|(work, probe)| match (work, probe) {
                (Work::Submit(wanted), Probe::Absent) => Some(&**wanted),
                _ => None,
            })
            .collect();
        let mut resolved = self.resolve(SUBMIT, &absent).await?.into_iter();
        Ok(works
            .iter()
            .zip(looked)
            .map(|(work, probe)| match (work, probe) {
                (Work::Submit(_), Probe::Absent) => match resolved.next() {
                    Some(Ok(ids)) => Prepared::Ready { baseline: json!(ids) },
                    Some(Err(why)) => Prepared::Impossible { why },
                    None => Prepared::NotYet { why: "what the order is made of was not looked up".to_owned() },
                },
                (_, Probe::Absent) => Prepared::Ready { baseline: json!({}) },
                (_, there) => Prepared::Found(there),
            })
            .collect())
    }

    pub(super) async fn probe_all(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        let works =
            effects.iter().map(|armed| self.work(&armed.effect)).collect::<Result<Vec<Work>, ConnectorError>>()?;
        let there = self.there(effects.iter().map(|armed| &armed.effect).zip(&works)).await?;
        Ok(effects.iter().zip(&works).map(|(armed, work)| work.look(&armed.effect.key, &there)).collect())
    }

    async fn there<'a>(&self, works: impl Iterator<Item = (&'a Effect, &'a Work)>) -> Result<There, ConnectorError> {
        let (mut keys, mut purpose, mut with_transfers) = (Vec::new(), SUBMIT, false);
        for (effect, work) in works {
            keys.push(effect.key.clone());
            purpose = work.purpose();
            with_transfers |= matches!(work, Work::Cancel(_));
        }
        let found = self.find(purpose, &keys).await?;
        let orders: Vec<i64> = found.values().flatten().map(|one| one.order.id).collect();
        let transfers = if with_transfers { self.transfers(purpose, &orders).await? } else { Vec::new() };
        Ok(There { found, transfers })
    }

    /// One outcome for each, sent one after the other.
    pub(super) async fn send_all(&self, batch: &[Armed], until: Duration) -> Delivery {
        let mut delivery = Delivery { outcomes: Vec::with_capacity(batch.len()), capture: None };
        for armed in batch {
            let mut capture = Capture::default();
            let outcome = match self.work(&armed.effect) {
                Ok(Work::Submit(wanted)) => self.submit(&wanted, &armed.baseline, until, &mut capture).await,
                Ok(Work::Release(target)) => self.release(&target, until, &mut capture).await,
                Ok(Work::Cancel(target)) => self.cancel(&target, until, &mut capture).await,
                Err(cause) => Sent::NotSent { cause },
            };
            delivery.outcomes.push(outcome);
            delivery.capture = Some(capture);
        }
        delivery
    }

    /// The contact, then the order. Nothing hangs on the contact alone: while the order has not left, nothing has happened.
    async fn submit(&self, wanted: &Wanted, baseline: &Value, until: Duration, capture: &mut Capture) -> Sent {
        let ids: Ids = match serde_json::from_value(baseline.clone()) {
            Ok(ids) => ids,
            Err(error) => {
                let cause = ConnectorError::unexpected(format!("what was prepared cannot be read back: {error}"));
                return Sent::NotSent { cause };
            }
        };
        let not_yet = |why: String| Sent::NotSent {
            cause: ConnectorError::transient(format!(
                "the delivery address was not written, so the order was not sent: {why}"
            )),
        };
        let contact = Call::new("res.partner", "load", contact_rows(wanted, &ids));
        match self.exchange(SUBMIT, &contact, until, capture).await {
            Err(sent @ (Sent::NotSent { .. } | Sent::Throttled { .. } | Sent::Refused { .. })) => return sent,
            Err(Sent::Unknown { why }) => return not_yet(why),
            Err(Sent::Accepted { .. }) => return not_yet("the answer cannot be read".to_owned()),
            Ok(result) => match loaded(&result) {
                Loaded::Made(_) => {}
                Loaded::Refused(message) => return refused("load", &message),
                Loaded::Conflict(why) | Loaded::Odd(why) => return not_yet(why),
            },
        }
        let order = Call::new("sale.order", "load", order_rows(wanted, &ids));
        match self.exchange(SUBMIT, &order, until, capture).await {
            Err(sent) => sent,
            Ok(result) => match loaded(&result) {
                Loaded::Made(id) => {
                    let reference = RemoteRef::new(id.to_string()).with("lines", Lines::wanted(wanted).digest());
                    Sent::Accepted { reference: Some(reference) }
                }
                Loaded::Refused(message) => refused("load", &message),
                Loaded::Conflict(why) => in_the_way(&why),
                Loaded::Odd(why) => Sent::unknown(format!("the order was loaded, and {why}")),
            },
        }
    }

    async fn release(&self, target: &Target, until: Duration, capture: &mut Capture) -> Sent {
        let call = Call::on("sale.order", "action_confirm", &[target.order_id], json!({}));
        match self.exchange(RELEASE, &call, until, capture).await {
            // What is confirmed already, by an answer that was lost or by a person, is refused: then it is done.
            Err(refused @ Sent::Refused { .. }) => match self
                .look_again(RELEASE, target, until, |target, found, _| released(target, found))
                .await
            {
                Ok(Probe::Equal(reference)) => Sent::Accepted { reference: Some(reference) },
                Ok(_) => refused,
                Err(error) => Sent::unknown(format!("it was refused, and how the order stands is not known: {error}")),
            },
            Err(sent) => sent,
            Ok(Value::Bool(true)) => Sent::Accepted { reference: Some(RemoteRef::new(target.order_id.to_string())) },
            // A dialog, say.
            Ok(other) => {
                Sent::unknown(format!("Odoo did not say that it is confirmed: {}", shortened(&other.to_string())))
            }
        }
    }

    /// Odoo accepts a cancel even of what has left, so what became of it is read afterwards.
    async fn cancel(&self, target: &Target, until: Duration, capture: &mut Capture) -> Sent {
        let call = Call::on("sale.order", "action_cancel", &[target.order_id], json!({}))
            .context("disable_cancel_warning", json!(true));
        let answered = match self.exchange(CANCEL, &call, until, capture).await {
            Err(refused @ Sent::Refused { .. }) => Some(refused),
            Err(sent) => return sent,
            Ok(_) => None,
        };
        match (answered, self.look_again(CANCEL, target, until, ended).await) {
            (_, Err(error)) => Sent::unknown(format!("it was answered, and what became of it is not known: {error}")),
            (None, Ok(Probe::Equal(reference))) => Sent::Accepted { reference: Some(reference) },
            (None, Ok(_)) => Sent::unknown("Odoo took the cancel, and the order does not stand cancelled"),
            (Some(_), Ok(Probe::Equal(reference))) if is_too_late(&reference) => {
                Sent::Refused { code: TOO_LATE.to_owned(), message: "everything had left".to_owned() }
            }
            (Some(_), Ok(Probe::Equal(_))) => Sent::unknown("it was refused, and stands cancelled; it is read again"),
            (Some(refused), Ok(_)) => refused,
        }
    }

    /// How the order of a change stands, read within the time that is left to it.
    async fn look_again(
        &self,
        purpose: Purpose,
        target: &Target,
        until: Duration,
        judge: fn(&Target, &[Found], &[Transfer]) -> Probe,
    ) -> Result<Probe, ConnectorError> {
        let look = async {
            let found =
                self.find(purpose, std::slice::from_ref(&target.key)).await?.remove(&target.key).unwrap_or_default();
            let orders: Vec<i64> = found.iter().map(|one| one.order.id).collect();
            Ok(judge(target, &found, &self.transfers(purpose, &orders).await?))
        };
        Turn::new(&*self.clock, until).look(look).await
    }

    /// One changing call: what it returned, or how it ended otherwise. What was said stays in `capture`.
    async fn exchange(
        &self,
        purpose: Purpose,
        call: &Call,
        until: Duration,
        capture: &mut Capture,
    ) -> Result<Value, Sent> {
        *capture = Capture { request: call.name(), request_body: call.shown(), ..Capture::default() };
        match self.client.change(purpose, call, until).await {
            Changed::NotSent(cause) => Err(Sent::NotSent { cause }),
            Changed::Unknown(why) => Err(Sent::Unknown { why }),
            Changed::Answered { status, body, answer } => {
                capture.status = status;
                let words = match &answer {
                    Answer::Refused { name, message } | Answer::Failed { name, message } => {
                        format!("{name}: {message}")
                    }
                    Answer::Unclear(why) => why.clone(),
                    _ => shortened(&body),
                };
                capture.response_body = words;
                match answer {
                    Answer::Result(result) => Ok(result),
                    Answer::Refused { name, message } if is_of_others(&name) => Err(in_the_way(&message)),
                    Answer::Refused { name, message } => Err(refused(&name, &message)),
                    Answer::Throttled(wait) => Err(Sent::Throttled { wait }),
                    Answer::Failed { name, message } => {
                        Err(Sent::unknown(format!("Odoo failed with {name}: {message}")))
                    }
                    Answer::Unclear(why) | Answer::Denied(why) => Err(Sent::Unknown { why }),
                }
            }
        }
    }
}

fn refused(code: &str, message: &str) -> Sent {
    Sent::Refused { code: code.to_owned(), message: message.to_owned() }
}

/// Nothing was written, since somebody else was writing: it is sent again.
fn in_the_way(why: &str) -> Sent {
    Sent::NotSent { cause: ConnectorError::transient(format!("somebody else wrote at the same moment: {why}")) }
}

fn is_too_late(reference: &RemoteRef) -> bool {
    reference.facts.get("outcome").is_some_and(|outcome| outcome == TOO_LATE)
}

fn gone(target: &Target) -> Probe {
    Probe::Different {
        reference: RemoteRef::new(target.order_id.to_string()),
        difference: "it is not at the warehouse any more".to_owned(),
    }
}

/// Whether an order was let go. It must be the only one under its key, and hold what was asked for.
fn released(target: &Target, found: &[Found]) -> Probe {
    let live: Vec<&Found> = found.iter().filter(|one| !one.order.is_cancelled()).collect();
    if live.len() > 1 {
        return Probe::Many(live.into_iter().map(|one| reference(&one.order)).collect());
    }
    let Some(there) = found.iter().find(|one| one.order.id == target.order_id) else { return gone(target) };
    let different =
        |difference: &str| Probe::Different { reference: reference(&there.order), difference: difference.to_owned() };
    if there.order.is_confirmed() {
        return Probe::Equal(reference(&there.order));
    }
    if there.order.is_cancelled() {
        return different("it was cancelled there before it was confirmed");
    }
    match &target.lines {
        Some(lines) if there.lines.digest() != *lines => {
            different("its lines are not those that were asked for; it stays a quotation")
        }
        _ => Probe::Absent,
    }
}

/// How far cancelling has come, by the transfers: an order that is cancelled may have left before.
fn ended(target: &Target, found: &[Found], transfers: &[Transfer]) -> Probe {
    let Some(there) = found.iter().find(|one| one.order.id == target.order_id) else { return gone(target) };
    let mine = || {
        let of = move |transfer: &&Transfer| transfer.sale_id.as_ref().is_some_and(|sale| sale.id == target.order_id);
        transfers.iter().filter(of)
    };
    let has_left = mine().any(Transfer::is_done);
    let is_open = mine().any(Transfer::is_open);
    let reference = reference(&there.order);
    let outcome = |outcome: &str| Probe::Equal(reference.clone().with("outcome", outcome));
    match (is_open, has_left, there.order.is_cancelled()) {
        (true, ..) | (false, false, false) => Probe::Absent,
        (false, false, true) => Probe::Equal(reference),
        (false, true, true) if !there.is_delivered => outcome("partly"),
        // Nothing more would leave.
        (false, true, _) => outcome(TOO_LATE),
    }
}

#[cfg(test)]
mod tests {
    use connect::{Probe, RemoteRef};

    use super::{Found, Target, Transfer, ended, plan_cancel, plan_release, released};
    use crate::odoo::{
        orders::Lines,
        wire::{Link, Order},
    };

    const KEY: &str = "BPacme-O1";

    fn found(state: &str, is_delivered: bool) -> Vec<Found> {
        let order = Order {
            id: 7,
            state: state.to_owned(),
            client_order_ref: KEY.to_owned(),
            partner_shipping_id: None,
            write_date: String::new(),
        };
        let lines: Lines = [("A", 5.into())].into_iter().collect();
        vec![Found { order, xmlid: String::new(), lines, is_delivered, contact: None }]
    }

    fn transfers(states: &[&str]) -> Vec<Transfer> {
        let one = |state: &&str| Transfer {
            id: 1,
            name: "WH/OUT/1".to_owned(),
            state: (*state).to_owned(),
            picking_type_code: "outgoing".to_owned(),
            sale_id: Some(Link { id: 7, name: "S7".to_owned() }),
            date_done: String::new(),
            carrier_id: None,
            carrier_tracking_ref: String::new(),
            write_date: String::new(),
        };
        states.iter().map(one).collect()
    }

    fn target(lines: Option<String>) -> Target {
        Target { order_id: 7, key: KEY.to_owned(), lines }
    }

    #[test]
    fn how_far_a_cancel_has_come() {
        let outcome = |state: &str, is_delivered: bool, moves: &[&str]| match ended(
            &target(None),
            &found(state, is_delivered),
            &transfers(moves),
        ) {
            Probe::Absent => "absent".to_owned(),
            Probe::Equal(reference) => reference.facts.get("outcome").cloned().unwrap_or("accepted".to_owned()),
            other => panic!("{other:?}"),
        };
        for (state, is_delivered, moves, expected) in [
            ("draft", false, &[][..], "absent"),
            ("sale", false, &["assigned"][..], "absent"),
            ("sale", false, &["done", "confirmed"][..], "absent"),
            ("sale", true, &["done"][..], "too_late"),
            ("sale", false, &["done", "cancel"][..], "too_late"),
            ("cancel", false, &[][..], "accepted"),
            ("cancel", false, &["cancel"][..], "accepted"),
            ("cancel", false, &["done", "cancel"][..], "partly"),
            ("cancel", true, &["done"][..], "too_late"),
        ] {
            assert_eq!(outcome(state, is_delivered, moves), expected, "{state} {moves:?}");
        }
        assert!(matches!(ended(&target(None), &[], &[]), Probe::Different { .. }));
    }

    #[test]
    fn only_what_was_asked_for_is_let_go() {
        let reference = RemoteRef::new("7").with("lines", found("draft", false)[0].lines.digest());
        let draft = plan_release(KEY, &reference).unwrap();
        let same: Target = serde_json::from_str(&draft.body).unwrap();
        assert_eq!(released(&same, &found("draft", false)), Probe::Absent);
        assert_eq!(released(&same, &found("sent", false)), Probe::Absent);
        assert!(matches!(released(&same, &found("sale", false)), Probe::Equal(_)));
        assert!(matches!(released(&same, &found("cancel", false)), Probe::Different { .. }));
        assert!(matches!(released(&target(Some("other".to_owned())), &found("draft", false)), Probe::Different { .. }));
        let twice = [found("draft", false), found("sale", false)].concat();
        assert!(matches!(released(&same, &twice), Probe::Many(_)));
        assert!(plan_cancel(KEY, &RemoteRef::new("S00007")).is_err());
    }
}
