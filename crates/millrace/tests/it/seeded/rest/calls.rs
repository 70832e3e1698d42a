//! One call: what arrives, what it does and when, and what is answered. What goes wrong with it [`wire`] decides.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use connect::{HttpRequest, HttpResponse, Transport, TransportError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    RestWarehouse,
    answers::{Answer, blank, plain},
    changes::change,
    order::State,
    reads::is_there,
};
use crate::seeded::{
    cells,
    trace::Fate,
    wire::{self, Call, Instead, Reply, Server, header, query},
};

/// Who signs in.
const CLIENT: &str = "a client";
const SECRET: &str = "a secret";
const USER: &str = "hub";
/// The warehouse, for what goes wrong on the way to it. Made twice by something on the way, an order is there twice,
/// held: neither leaves, and a person is told.
const SERVER: Server = Server {
    told: "warehouse http",
    place: " at the warehouse",
    is_rare: |kind| kind == "warehouse order canceler/post",
    absorbs: |kind| kind != "warehouse order/post",
};

const HAL: &str = "application/hal+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PAGE: &str = "text/html; charset=utf-8";

/// The token that came with a call.
fn token_of(request: &HttpRequest) -> Option<&str> {
    header(request, "authorization")?.strip_prefix("Bearer ")
}

impl State {
    /// The token that comes with a call is good.
    fn lets_in(&self, request: &HttpRequest, now: Timestamp) -> bool {
        self.tokens.get(token_of(request).unwrap_or_default()).is_some_and(|ends| *ends > now)
    }
}

impl RestWarehouse {
    /// Gives a token to whoever has the right client, secret and user. Several are good at once.
    fn sign_in(&self, state: &mut State, request: &HttpRequest, now: Timestamp) -> (u16, Value) {
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        if header(request, "authorization") != Some(basic.as_str()) {
            return (401, json!({"Message": "invalid_client: client not registered"}));
        }
        let body = wire::body(request);
        if body["grant_type"] != "client_credentials" || body["user_login"] != USER {
            return (401, json!({"Message": "invalid_grant: user login not found"}));
        }
        state.signed_in += 1;
        let token = format!("token-{:06}", state.signed_in);
        state.tokens.insert(token.clone(), now + SignedDuration::from_secs(self.token_life));
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": self.token_life,
            "refresh_token": null, "scope": null});
        (200, body)
    }

    fn arrive(&self, request: &HttpRequest) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        let now = self.clock.true_time();
        let change = change(request, now);
        let mut call = Call::new(&self.trace, &self.dice, now, change.as_ref().map(|change| change.kind));
        if let Some(reply) = call.leaves(&SERVER, state.strength, &mut state.faults) {
            return reply;
        }
        state.calls += 1;
        let answer = |status: u16, tag: Option<&str>, form: &str, body: Bytes| {
            let mut headers = vec![wire::date(now)];
            if !body.is_empty() {
                headers.push(("content-type".to_owned(), form.to_owned()));
            }
            headers.extend(tag.map(|tag| ("etag".to_owned(), tag.to_owned())));
            HttpResponse { status, headers, body }
        };
        if request.url.path() == "/AuthServer/api/Token" {
            return call.resets_sign_in().unwrap_or_else(|| {
                let (status, body) = self.sign_in(state, request, now);
                call.soon(answer(status, None, JSON, body.to_string().into()))
            });
        }
        let with_links = header(request, "accept").is_some_and(|form| form.contains("application/hal+json"));
        let told = |(status, tag, body): &Answer| {
            let body = match body {
                Value::Null => String::new(),
                body if with_links => body.to_string(),
                body => plain(body).to_string(),
            };
            answer(*status, tag.as_deref(), if with_links { HAL } else { JSON }, body.into())
        };
        let place = change.map(|change| change.arrives(&mut state.changes, &*self.watch));
        if call.expires() {
            state.tokens.remove(token_of(request).unwrap_or_default());
        }
        let refusal = if call.throttles(false) {
            Some((429, json!({"Message": "not now"})))
        } else {
            (!state.lets_in(request, now)).then_some((401, Value::Null))
        };
        if let Some((status, body)) = refusal {
            if let Some(place) = place {
                state.changes[place].turned_away = true;
            }
            return call.soon(told(&(status, None, body)));
        }
        let instead = |instead: Instead| match instead {
            Instead::Down => told(&(503, None, json!({"Message": "Down for maintenance"}))),
            Instead::Elsewhere => told(&(307, None, json!({"location": "elsewhere"}))),
            Instead::Failed => answer(500, None, TEXT, "An error has occurred.".into()),
            Instead::Page(status, text) => answer(status, None, PAGE, text.into()),
        };
        if let Some(reply) = call.before(place, &mut state.late, &instead) {
            return reply;
        }
        let said = match place {
            Some(place) => {
                let said = self.carry_out(state, place, now);
                if call.doubles() {
                    let change = state.changes[place].clone();
                    let again = self.apply(state, &change, now);
                    self.trace.note(&format!("{now} warehouse does it again: {}", again.0));
                }
                said
            }
            None => {
                let path: Vec<&str> = request.url.path().trim_matches('/').split('/').collect();
                let query = query(request);
                let said = match request.method {
                    "GET" => self.read(state, &path, &query, now),
                    _ => blank(if is_there(&path) { 405 } else { 404 }),
                };
                if said.0 == 200 && call.is_answered() && path == ["orders"] {
                    state.looks.push((now, query.get("rql").cloned().unwrap_or_default()));
                }
                said
            }
        };
        call.after(told(&said), &instead)
    }

    /// The process died with this change on its way: it arrives, and is carried out whenever the warehouse gets to it.
    fn goes_on_alone(&self, request: &HttpRequest) {
        let mut state = self.state();
        let now = self.clock.true_time();
        let Some(change) = change(request, now) else { return };
        state.calls += 1;
        let place = change.arrives(&mut state.changes, &*self.watch);
        self.trace.note(&format!("{now} warehouse is left alone with {}", state.changes[place].kind));
        if state.lets_in(request, now) {
            state.late.put_off(&self.dice, place, now, Duration::ZERO);
        } else {
            state.changes[place].turned_away = true;
        }
    }
}

#[async_trait]
impl Transport for RestWarehouse {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let kind = change(&request, self.clock.true_time()).and_then(|change| cells::change(change.kind));
        let fate = self.trace.crossing(kind);
        if fate == Fate::DiesMeanwhile {
            self.goes_on_alone(&request);
        }
        let reply = matches!(fate, Fate::Lives | Fate::DiesAfter).then(|| self.arrive(&request));
        SERVER.comes_back(reply, fate, &request, &self.trace, &self.clock).await
    }
}
