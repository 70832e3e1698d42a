//! Laying requests on the desk, and taking them back.

use std::collections::BTreeMap;

use connect::{
    Armed, CancelAsked, Capture, ConnectorError, Delivery, DeskState, Effect, EffectDraft, EffectKind, FoundAgain,
    OnDesk, PlanError, Prepared, Probe, RemoteRef, Sent, ShipmentRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{WarehouseApi, settings::Config};

/// Code of a cancel that comes after everything has left, or after the warehouse has said so.
pub(super) const TOO_LATE: &str = "too_late";
/// Code of anything else that cannot be done any more.
const GONE: &str = "not_there";

/// Longest key; it is part of addresses.
const LONGEST_KEY: usize = 100;

/// What taking back works with: the frozen body of the effect.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    key: String,
}

/// Lays one request down.
pub(super) fn plan(config: &Config, request: &ShipmentRequest) -> Result<EffectDraft, PlanError> {
    let key = &request.key;
    let plain = key.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_' || one == '.');
    if key.is_empty() || key.len() > LONGEST_KEY || !plain {
        return Err(PlanError::new(format!(
            "order key {key:?} may hold letters, digits, dash, underscore and point only, and at most {LONGEST_KEY} of them: \
             change the order key prefix of the connection"
        )));
    }
    if request.lines.is_empty() {
        return Err(PlanError::new("the order has no line to ship"));
    }
    if let Some(line) = request.lines.iter().find(|line| line.sku.trim().is_empty()) {
        return Err(PlanError::new(format!("line {} has no SKU", line.line_number)));
    }
    let known = |facility: &String| config.facilities.is_empty() || config.facilities.contains(facility);
    if let Some(facility) = request.facility.as_ref().filter(|facility| !known(facility)) {
        return Err(PlanError::new(format!(
            "the warehouse has no facility {facility:?}; there are: {}",
            config.facilities.join(", ")
        )));
    }
    let body = serde_json::to_string(request)
        .map_err(|error| PlanError::new(format!("the request cannot be written down: {error}")))?;
    let count = request.lines.len();
    Ok(EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: key.clone(),
        batch: None,
        body,
        title: format!(
            "Lay order {} on the warehouse's desk ({count} {})",
            request.order_number,
            if count == 1 { "line" } else { "lines" }
        ),
        numbering: None,
    })
}

/// Takes one back.
pub(super) fn plan_cancel(key: &str) -> EffectDraft {
    EffectDraft {
        kind: EffectKind::CancelRequest,
        key: key.to_owned(),
        batch: None,
        body: json!(Target { key: key.to_owned() }).to_string(),
        title: format!("Take request {key} back from the warehouse"),
        numbering: None,
    }
}

/// An effect's frozen body, read back.
enum Work {
    Lay(Box<ShipmentRequest>),
    TakeBack(Target),
}

impl Work {
    fn key(&self) -> &str {
        match self {
            Self::Lay(request) => &request.key,
            Self::TakeBack(target) => &target.key,
        }
    }

    /// What there is, judged against it.
    fn verdict(&self, there: Option<&OnDesk>) -> Probe {
        let Some(there) = there else { return Probe::Absent };
        match self {
            Self::Lay(request) => match difference(request, &there.request) {
                None => Probe::Equal(reference(there)),
                Some(difference) => Probe::Different { reference: reference(there), difference },
            },
            Self::TakeBack(_) => match ended(there) {
                Some(reference) => Probe::Equal(reference),
                None => Probe::Absent,
            },
        }
    }
}

fn work(effect: &Effect) -> Result<Work, ConnectorError> {
    let unreadable = |error: serde_json::Error| {
        ConnectorError::unexpected(format!("the planned {} cannot be read back: {error}", effect.kind))
    };
    match effect.kind {
        EffectKind::SubmitRequest => {
            serde_json::from_str(&effect.body).map(|request| Work::Lay(Box::new(request))).map_err(unreadable)
        }
        EffectKind::CancelRequest => serde_json::from_str(&effect.body).map(Work::TakeBack).map_err(unreadable),
        kind => Err(ConnectorError::unsupported(format!("this warehouse cannot {kind}"))),
    }
}

/// How two requests differ; the hub's own id is no part of what is asked for.
fn difference(wanted: &ShipmentRequest, there: &ShipmentRequest) -> Option<String> {
    let same_id = ShipmentRequest { id: wanted.id.clone(), ..there.clone() };
    if *wanted == same_id {
        return None;
    }
    let parts = [
        ("its lines differ", wanted.lines != there.lines),
        ("its delivery address differs", wanted.ship_to != there.ship_to),
        ("its shipping method differs", wanted.ship_method != there.ship_method),
        ("its facility differs", wanted.facility != there.facility),
    ];
    let found = parts.into_iter().find(|(_, differs)| *differs).map_or("its details differ", |(words, _)| words);
    Some(found.to_owned())
}

/// Its key is all the desk knows it by.
fn reference(there: &OnDesk) -> RemoteRef {
    let reference = RemoteRef::new(&there.request.key);
    match there.state {
        DeskState::Cancelled | DeskState::GivenUp => reference.with("state", "cancelled"),
        DeskState::Waiting | DeskState::Acknowledged | DeskState::Closed => reference,
    }
}

/// What came of taking it back, where anything did: stopped, too late, or asked.
fn ended(there: &OnDesk) -> Option<RemoteRef> {
    let reference = RemoteRef::new(&there.request.key);
    match (there.state, there.cancel) {
        (DeskState::Cancelled | DeskState::GivenUp, _) => Some(reference),
        (_, CancelAsked::TooLate) => Some(reference.with("outcome", TOO_LATE)),
        (_, CancelAsked::Asked) => Some(reference.with("outcome", "asked")),
        (_, CancelAsked::None) => None,
    }
}

impl WarehouseApi {
    pub(super) async fn prepare_all(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let looked = self.look(effects.iter()).await?;
        Ok(looked
            .into_iter()
            .map(|probe| match probe {
                Probe::Absent => Prepared::Ready { baseline: json!({}) },
                there => Prepared::Found(there),
            })
            .collect())
    }

    /// What there is of each: before it is laid down and after, the same question.
    pub(super) async fn look<'a>(
        &self,
        effects: impl Iterator<Item = &'a Effect>,
    ) -> Result<Vec<Probe>, ConnectorError> {
        let works = effects.map(work).collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<String> = works.iter().map(|work| work.key().to_owned()).collect();
        let there: BTreeMap<String, OnDesk> =
            self.desk.look(&keys).await?.into_iter().map(|one| (one.request.key.clone(), one)).collect();
        Ok(works.iter().map(|work| work.verdict(there.get(work.key()))).collect())
    }

    /// The desk is kept where the journal is, and lost with it: what is not on it may be at the warehouse all the same.
    pub(super) async fn look_after_a_loss(&self, effects: &[Armed]) -> Result<Vec<FoundAgain>, ConnectorError> {
        let looked = self.look(effects.iter().map(|armed| &armed.effect)).await?;
        Ok(looked
            .into_iter()
            .zip(effects)
            .map(|(probe, armed)| match probe {
                Probe::Absent => FoundAgain::CannotBeAsked {
                    compare: format!("whether the warehouse has request {}, and how it stands there", armed.effect.key),
                },
                there => FoundAgain::Seen(there),
            })
            .collect())
    }

    pub(super) async fn send_all(&self, batch: &[Armed]) -> Delivery {
        let mut delivery = Delivery { outcomes: Vec::with_capacity(batch.len()), capture: None };
        for armed in batch {
            let (outcome, capture) = match work(&armed.effect) {
                Ok(Work::Lay(request)) => (self.lay(&request).await, capture(&armed.effect, "lay")),
                Ok(Work::TakeBack(target)) => (self.take_back(&target).await, capture(&armed.effect, "take back")),
                Err(cause) => (Sent::NotSent { cause }, Capture::default()),
            };
            delivery.outcomes.push(outcome);
            delivery.capture = Some(capture);
        }
        delivery
    }

    async fn lay(&self, request: &ShipmentRequest) -> Sent {
        match self.desk.lay(request).await {
            Ok(None) => Sent::Accepted { reference: Some(RemoteRef::new(&request.key)) },
            Ok(Some(there)) => Sent::unknown(match difference(request, &there.request) {
                None => "the same request lies on the desk already".to_owned(),
                Some(difference) => format!("another request lies on the desk under this key: {difference}"),
            }),
            Err(error) => Sent::unknown(format!("whether it lies on the desk is not known: {error}")),
        }
    }

    async fn take_back(&self, target: &Target) -> Sent {
        match self.desk.take_back(&target.key).await {
            Ok(Some(there)) => match ended(&there) {
                Some(reference) if reference.facts.get("outcome").is_some_and(|outcome| outcome == TOO_LATE) => {
                    refused(TOO_LATE, "the warehouse has said that it is too late")
                }
                Some(reference) => Sent::Accepted { reference: Some(reference) },
                None => refused(TOO_LATE, "everything of the request has left"),
            },
            Ok(None) => refused(GONE, "there is no such request on the desk"),
            Err(error) => Sent::unknown(format!("whether it was taken back is not known: {error}")),
        }
    }
}

fn refused(code: &str, message: &str) -> Sent {
    Sent::Refused { code: code.to_owned(), message: message.to_owned() }
}

fn capture(effect: &Effect, what: &str) -> Capture {
    Capture {
        request: format!("{what} {} (the warehouse's desk)", effect.key),
        request_body: effect.body.clone(),
        ..Capture::default()
    }
}
