//! From the bytes of a request to the bytes of an answer.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use rand::RngExt;
use serde_json::{Value, json};
use uuid::Builder;

use super::account::Account;
use super::auth::NOT_AUTHENTICATED;
use super::call::{Answer, Call, Refusal, Trace};
use super::delivery::Outgoing;
use super::envelope::{Generation, Outside, TOO_MANY, seal, write_shuffled};
use super::ledger::{LedgerEntry, RequestRecord};
use super::switches::{
    AbandonedRequest, ForbiddenBody, LargestBody, MultiMessageCost, ThrottleHeaders, ThrottledRequest,
};
use super::throttle::Verdict;
use super::{Brightpearl, World, control, multi_message, routes, sign_in};
use crate::clock;
use crate::faults::{ERROR_PAGE, Vendor};

/// The API and its control desk.
pub(crate) fn router(sim: Brightpearl) -> Router {
    Router::new().fallback(answer).with_state(sim.clone()).merge(control::http::routes(sim))
}

async fn answer(State(sim): State<Brightpearl>, request: Request) -> Response {
    let limit = match sim.shared.switches.largest_body {
        LargestBody::Mebibyte => 1024 * 1024,
        LargestBody::Unlimited => usize::MAX,
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, limit).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, Html(ERROR_PAGE)).into_response();
    };
    sim.answer(&parts, &body)
}

/// A request, read as far as the account.
pub(crate) struct Asked<'a> {
    parts: &'a Parts,
    body: &'a Bytes,
    pub(crate) now: Timestamp,
    pub(crate) ruid: String,
}

impl Asked<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn url(&self) -> String {
        self.parts.uri.path_and_query().map_or_else(String::new, ToString::to_string)
    }

    pub(crate) fn record(&self, account: &str, message: &str, status: u16) -> RequestRecord {
        RequestRecord {
            at: self.now,
            account: account.to_owned(),
            ruid: self.ruid.clone(),
            method: self.parts.method.to_string(),
            url: self.url(),
            message_type: message.to_owned(),
            status,
            headers: readable(&self.parts.headers),
        }
    }

    pub(crate) fn query(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
    }

    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body).into_owned().collect()
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok()
    }
}

impl Brightpearl {
    fn answer(&self, parts: &Parts, body: &Bytes) -> Response {
        let segments: Vec<String> = parts
            .uri
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut world = self.world();
        let ruid = Builder::from_random_bytes(world.rng.random()).into_uuid().to_string();
        let asked = Asked { parts, body, now: clock::now(), ruid };
        match (parts.method.as_str(), segments.as_slice()) {
            (_, ["public-api", account, path @ ..]) => self.api(&mut world, &asked, Generation::Current, account, path),
            (_, ["2.0.0", account, path @ ..]) => self.api(&mut world, &asked, Generation::Legacy, account, path),
            ("POST", [account, "authorise"]) => self.log_in(&mut world, &asked, account),
            ("GET", ["authorize", account]) => self.consent(&mut world, &asked, account),
            ("POST", ["token", account]) => self.token(&mut world, &asked, account),
            ("GET", ["developer-tools", _, "account-location", account]) if world.accounts.contains_key(*account) => {
                sign_in::account_location(&asked, account)
            }
            _ => plain(404, &Refusal::not_found(format!("Cannot find the resource {}", parts.uri.path())).body()),
        }
    }

    fn api(&self, world: &mut World, asked: &Asked<'_>, generation: Generation, code: &str, path: &[&str]) -> Response {
        let switches = &self.shared.switches;
        let World { accounts, ledger, rng } = world;
        let mut outside = Outside {
            generation,
            status: 200,
            message: "api-proxy",
            ruid: asked.ruid.clone(),
            throttle: None,
            instance: None,
            retry_after: false,
        };
        let Some(account) = accounts.get_mut(code) else {
            outside.status = 401;
            return seal(&outside, json!({ "response": NOT_AUTHENTICATED }).to_string().into_bytes());
        };
        let verdict = self.take_quota(account, asked, path);
        outside.throttle = Some(verdict);
        let caller = account.access.caller(&asked.parts.headers, asked.now);
        let mut trace = Trace::default();
        let mut made_by = String::new();
        let (status, body) = match caller {
            _ if !verdict.granted && switches.throttled_request == ThrottledRequest::NoEffect => {
                self.throttled(&mut outside, verdict)
            }
            Err(text) => {
                outside.instance = None;
                (401, json!({ "response": text }))
            }
            Ok(caller) => {
                made_by.clone_from(&caller.label);
                outside.instance = caller.instance;
                let mut call = Call {
                    now: whole_seconds(asked.now),
                    switches,
                    pace: self.shared.pace,
                    caller,
                    query: asked.query(),
                    body: asked.json(),
                    if_match: asked.header("if-match").map(str::to_owned),
                    trace: Trace::default(),
                };
                let (message, answer) = if let (&["multi-message"], "POST") = (path, asked.parts.method.as_str()) {
                    ("multi-message", multi_message::post(account, &mut call, rng))
                } else {
                    routes::dispatch(account, &mut call, asked.parts.method.as_str(), path, rng)
                };
                trace = call.trace;
                outside.message = message;
                if verdict.granted { settle(&mut outside, answer) } else { self.throttled(&mut outside, verdict) }
            }
        };
        outside.status = status;
        self.shared.announce(account);
        let changes = !matches!(asked.parts.method.as_str(), "GET" | "OPTIONS");
        if changes {
            ledger.enter(LedgerEntry {
                sequence: 0,
                at: asked.now,
                account: code.to_owned(),
                ruid: asked.ruid.clone(),
                caller: made_by,
                method: asked.parts.method.to_string(),
                path: path.join("/"),
                message_type: outside.message.to_owned(),
                orders: distinct(trace.orders),
                notes: distinct(trace.notes),
                body: asked.json(),
                status,
                took_effect: trace.took_effect,
            });
        }
        let window = SignedDuration::from_millis(60_000 / i64::from(self.shared.pace.0.max(1)));
        let record = asked.record(code, outside.message, status);
        ledger.request(record, !verdict.granted, Some(window));
        if matches!(status, 403 | 414) && switches.forbidden_body == ForbiddenBody::Html {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            return (status, Html(ERROR_PAGE)).into_response();
        }
        seal(&outside, write_shuffled(&body, rng))
    }

    fn take_quota(&self, account: &mut Account, asked: &Asked<'_>, path: &[&str]) -> Verdict {
        let developer = asked.header("brightpearl-dev-ref");
        let pool = developer.map_or_else(|| "private".to_owned(), |developer| format!("dev {developer}"));
        let granted = developer.and_then(|developer| account.access.granted_requests(developer));
        let limit = account.requests_per_window.map(|usual| granted.unwrap_or(usual));
        let parts = || asked.json().and_then(|body| body.get("messages")?.as_array().map(Vec::len));
        let cost = match self.shared.switches.multi_message_cost {
            MultiMessageCost::Parts if path == ["multi-message"] => parts().unwrap_or(1),
            _ => 1,
        };
        let cost = u32::try_from(cost).unwrap_or(u32::MAX).max(1);
        account.throttle.take(&pool, asked.now, cost, limit, (&self.shared.switches, self.shared.pace))
    }

    /// Makes the outside that of a throttled answer.
    fn throttled(&self, outside: &mut Outside, verdict: Verdict) -> (u16, Value) {
        outside.message = "api-proxy";
        outside.instance = None;
        outside.retry_after = verdict.burst;
        if self.shared.switches.throttle_headers == ThrottleHeaders::None {
            outside.throttle = None;
        }
        (if verdict.burst { 429 } else { 503 }, json!({ "response": TOO_MANY }))
    }
}

impl super::Shared {
    /// Hands what happened in an account to the webhooks that want it.
    pub(crate) fn announce(&self, account: &mut Account) {
        for (webhook, values) in std::mem::take(&mut account.test_calls) {
            // Nobody listens once the simulator ends.
            let _ = self.queue.send(Outgoing::Test { account: account.code.clone(), webhook, values });
        }
        let events = std::mem::take(&mut account.events);
        if account.webhooks.is_empty() {
            return;
        }
        for event in events {
            let name = event.full_name();
            for webhook in account.webhooks.values().filter(|webhook| webhook.wants(&name)) {
                let (account, webhook) = (account.code.clone(), webhook.clone());
                let _ = self.queue.send(Outgoing::Event { account, webhook, event: event.clone() });
            }
        }
    }
}

impl Vendor for Brightpearl {
    fn throttled(&self) -> Response {
        let both = self.shared.switches.throttle_headers == ThrottleHeaders::Both;
        let period = self.shared.pace.scaled_millis(1000);
        let verdict = Verdict { granted: false, burst: false, remaining: 0, period };
        let outside = Outside {
            generation: Generation::Current,
            status: 503,
            message: "api-proxy",
            ruid: Builder::from_random_bytes(self.world().rng.random()).into_uuid().to_string(),
            throttle: both.then_some(verdict),
            instance: None,
            retry_after: false,
        };
        seal(&outside, json!({ "response": TOO_MANY }).to_string().into_bytes())
    }

    fn outage(&self) -> Response {
        plain(503, &json!({ "response": "The service is temporarily unavailable" }))
    }

    fn failed(&self) -> Response {
        plain(500, &Refusal::new(500, "CMNU-003", "Internal Server Error").body())
    }

    fn expire_tokens(&self, path: &str) {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let mut world = self.world();
        if let Some(account) = segments.get(1).and_then(|code| world.accounts.get_mut(*code)) {
            account.access.expire(clock::now());
        }
    }

    fn finishes_abandoned_requests(&self) -> bool {
        self.shared.switches.abandoned_request == AbandonedRequest::Finished
    }
}

/// Status and body of an answer; its message name may replace that of the route.
fn settle(outside: &mut Outside, answer: Answer) -> (u16, Value) {
    match answer {
        Ok(reply) => {
            outside.message = reply.message.unwrap_or(outside.message);
            (reply.status, reply.body)
        }
        Err(refusal) => (refusal.status, refusal.body()),
    }
}

pub(crate) fn plain(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json;charset=UTF-8"));
    response
}

pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

pub(crate) fn distinct(mut ids: Vec<i64>) -> Vec<i64> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
