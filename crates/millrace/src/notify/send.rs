//! Deliveries go out, one outlet's one after the other.

use std::{collections::BTreeMap, time::Duration};

use connect::{HttpRequest, HttpResponse, Secret, TransportError};
use engine::{
    delivery::{self, Answer, PATIENCE},
    effect::later,
};
use jiff::Timestamp;

use crate::{
    db::{Access, DbError, Delivery, DeliveryAttempt, Outlet, OutletKind, Settled, field},
    notify::{Notifier, address, message, signature},
};

/// Deliveries of one outlet at one go.
const SLICE: u32 = 50;
/// Characters of an answer that are kept.
const KEPT: usize = 1000;

/// What came of one try.
struct Outcome {
    answer: Answer,
    status: Option<u16>,
    /// The answer's text.
    text: String,
    /// What failed.
    problem: Option<String>,
}

impl Outcome {
    fn failed(problem: impl Into<String>) -> Self {
        Self { answer: Answer::Again { wait: None }, status: None, text: String::new(), problem: Some(problem.into()) }
    }
}

impl Notifier {
    /// Tells an outlet what is due. Stops at the first that finds nobody: the others would wait as long for the same end.
    pub(super) async fn tell(&self, access: &Access, outlet: &Outlet) -> Result<(), DbError> {
        let secrets = match self.hub.db.outlet_secrets(access, outlet, &self.hub.keyring).await {
            Ok(secrets) => secrets,
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                tracing::error!(outlet.id = %outlet.id, "its secrets cannot be opened: {error}");
                BTreeMap::new()
            }
        };
        let frozen = self.hub.db.frozen().await?;
        for delivery in self.hub.db.due_deliveries(access, outlet, SLICE, frozen).await? {
            let clock = &self.hub.seams.clock;
            let (at, begun) = (clock.now(), clock.monotonic());
            let outcome = self.attempt(outlet, &secrets, &delivery, at).await;
            let took = clock.monotonic().saturating_sub(begun);
            let found_nobody = outcome.status.is_none() && outcome.problem.is_some();
            let switched_off = self.settle(access, outlet, &delivery, outcome, at, took).await?;
            if found_nobody || switched_off {
                break;
            }
        }
        Ok(())
    }

    async fn attempt(
        &self,
        outlet: &Outlet,
        secrets: &BTreeMap<String, Secret>,
        delivery: &Delivery,
        at: Timestamp,
    ) -> Outcome {
        match outlet.kind {
            OutletKind::Webhook => {
                let signing =
                    [field::SIGNING, field::SIGNING_BEFORE].into_iter().filter_map(|field| secrets.get(field));
                let seconds = at.as_second();
                match signature::sign(signing, &delivery.id, seconds, &delivery.body) {
                    Ok(signature) => {
                        let headers = [
                            ("webhook-id", delivery.id.clone()),
                            ("webhook-timestamp", seconds.to_string()),
                            ("webhook-signature", signature),
                        ];
                        self.post(&outlet.address, &headers, delivery.body.clone()).await
                    }
                    Err(error) => Outcome::failed(format!("it cannot be signed: {error}; give it a new secret")),
                }
            }
            OutletKind::Chat => match secrets.get(field::ADDRESS) {
                Some(address) => self.post(address.expose(), &[], message::for_chat(&delivery.body)).await,
                None => Outcome::failed("its address cannot be opened; give it again"),
            },
            OutletKind::Email => {
                let Some(mailer) = &self.mailer else {
                    return Outcome::failed("no mail server is configured: start with --smtp and --mail-from");
                };
                let (subject, text) = message::for_people(&delivery.body);
                let to: Vec<&str> = outlet.address.split(',').map(str::trim).collect();
                match mailer.send(&to, &delivery.id, &subject, &text).await {
                    Ok(text) => Outcome { answer: Answer::Taken, status: None, text, problem: None },
                    Err(problem) => Outcome::failed(problem),
                }
            }
        }
    }

    /// Posts JSON to an address that somebody gave.
    async fn post(&self, address: &str, headers: &[(&str, String)], body: String) -> Outcome {
        // Checked again with each try: what the operator permits may have changed.
        let url = match address::allowed(address, &self.hub.config.guard()) {
            Ok(url) => url,
            Err(why) => return Outcome::failed(format!("the address may not be called: {why}")),
        };
        let mut request = HttpRequest::new("POST", url).json(body);
        for (name, value) in headers {
            request = request.header(name, value.clone());
        }
        match self.transport.send(request).await {
            Ok(response) => answered(&response),
            Err(TransportError::NotSent(why) | TransportError::Unknown(why)) => Outcome::failed(why),
        }
    }

    /// Keeps what came of a try; whether the outlet is switched off for it.
    async fn settle(
        &self,
        access: &Access,
        outlet: &Outlet,
        delivery: &Delivery,
        outcome: Outcome,
        at: Timestamp,
        took: Duration,
    ) -> Result<bool, DbError> {
        let mut chance = [0_u8; 2];
        self.hub.seams.random.fill(&mut chance);
        // The database's time, which decides when it is due.
        let now = self.hub.db.now().await?;
        let lost = delivery::is_lost(outlet.failing_since, now, self.scaled(PATIENCE));
        let (settled, switch_off) = match outcome.answer {
            Answer::Taken => (Settled::Taken, None),
            Answer::Gone => (Settled::GivenUp, Some("it answered 410 Gone".to_owned())),
            Answer::Again { wait } => {
                let wait = delivery::wait(delivery.tries + 1, wait, u16::from_be_bytes(chance));
                let settled = wait.map_or(Settled::GivenUp, |wait| Settled::Again(later(now, self.scaled(wait))));
                (settled, lost.then(|| "it has taken nothing for five days".to_owned()))
            }
        };
        let off = switch_off.is_some();
        if let Some(problem) = &outcome.problem {
            tracing::info!(outlet.id = %outlet.id, delivery.id = %delivery.id, "a delivery was not taken: {problem}");
        }
        let attempt = DeliveryAttempt {
            at,
            took_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            status: outcome.status,
            answer: cut(&outcome.text),
            problem: outcome.problem.as_deref().map(cut),
        };
        self.hub.db.settle_delivery(access, outlet, &delivery.id, attempt, settled, switch_off).await?;
        Ok(off)
    }
}

fn answered(response: &HttpResponse) -> Outcome {
    // Only seconds: a date would be measured by the receiver's clock.
    let wait = response.header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let problem = match response.status {
        200..=299 => None,
        300..=399 => {
            Some(format!("it answered {}; redirects are not followed: give the address it leads to", response.status))
        }
        status => Some(format!("it answered {status}")),
    };
    Outcome {
        answer: delivery::read(Some(response.status), wait),
        status: Some(response.status),
        text: String::from_utf8_lossy(&response.body).into_owned(),
        problem,
    }
}

/// The beginning of a text, without what databases and screens do not take.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).take(KEPT).collect()
}
