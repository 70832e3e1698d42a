//! One call: what arrives, what it does and when, and what is answered. What goes wrong with it [`wire`] decides.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use connect::{HttpRequest, HttpResponse, Transport, TransportError};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    account::{Account, Answer, HUB, refused},
    answers::{self, Ages},
};
use crate::seeded::{
    cells,
    clock::ModelClock,
    random::Dice,
    trace::{Fate, Trace},
    wire::{self, Call, Instead, Late, Reply, Server, header, query},
};

/// Where the account's calls begin.
const ROOT: &str = "/2.0.0/acme/";
/// Calls that the account allows in a minute.
const ALLOWED: usize = 200;
/// The account, for what goes wrong on the way to it. What it absorbs when it comes twice must not harm.
const SERVER: Server = Server {
    told: "http",
    place: "",
    is_rare: |kind| cells::change(kind).is_some_and(|kind| kind >= cells::OFTEN),
    absorbs: |kind| {
        ["goods-out-note/put", "goods-out-note event/post", "goods-out-note/delete", "order-status/put"].contains(&kind)
    },
};

/// A change that arrived.
#[derive(Debug, Clone)]
pub struct Change {
    /// Message, such as `goods-out-note/post`.
    pub kind: &'static str,
    /// The order, note or warehouse it names, and the note for a deletion.
    pub target: Vec<i64>,
    pub body: Value,
    pub if_match: Option<i64>,
    pub arrived: Timestamp,
    /// When it was carried out or refused by the account's rules, and the answer; `None`: it never was.
    pub done: Option<(Timestamp, Answer)>,
    /// The caller was told in documented form that nothing was done.
    pub turned_away: bool,
    /// What the watcher said when it arrived: the effects behind it.
    pub effects: Vec<String>,
}

impl Change {
    /// What a call asks for.
    pub fn new(
        request: &HttpRequest,
        kind: &'static str,
        target: Vec<i64>,
        if_match: Option<i64>,
        arrived: Timestamp,
    ) -> Self {
        let body = wire::body(request);
        Self { kind, target, body, if_match, arrived, done: None, turned_away: false, effects: Vec::new() }
    }

    /// It arrives behind these: its place among them.
    pub fn arrives(mut self, changes: &mut Vec<Self>, watcher: &dyn Watcher) -> usize {
        self.effects = watcher.arrives(&self);
        changes.push(self);
        changes.len() - 1
    }
}

/// Looks on as changes arrive and as they are carried out.
pub trait Watcher: Send + Sync {
    /// A change arrived: the effects behind it.
    fn arrives(&self, change: &Change) -> Vec<String>;
    /// A change is about to be carried out on this account.
    fn happens(&self, change: &Change, account: &Account, now: Timestamp);
}

/// The longest time, in seconds, in which a search of orders or notes does not know what happened.
pub const LONGEST_SEARCH_LAG: i64 = 50;

/// What a run knows of the account.
pub struct State {
    pub account: Account,
    /// Every change that arrived, in order.
    pub changes: Vec<Change>,
    /// When each call arrived.
    pub calls: Vec<Timestamp>,
    /// Reads that were answered in full: when, and the path behind the account's own.
    pub looks: Vec<(Timestamp, String)>,
    /// Times each fault happened.
    pub faults: BTreeMap<String, u64>,
    /// How often things go wrong; 0: never.
    pub strength: u64,
    /// Seconds until a movement shows in a search.
    pub lag: i64,
    /// Seconds until what happened to an order or a goods-out note shows in a search (A6); mostly none.
    pub search_lag: i64,
    /// Until then the API user's password is not the hub's.
    pub locked_until: Option<Timestamp>,
    tokens: u64,
    token: Option<String>,
    late: Late,
}

impl State {
    /// Every token ends.
    pub fn log_out(&mut self) {
        self.token = None;
    }

    /// The token that comes with a call is good.
    fn lets_in(&self, request: &HttpRequest) -> bool {
        let sent = header(request, "brightpearl-auth");
        sent.is_some() && sent == self.token.as_deref()
    }
}

/// The account, as the hub reaches it.
pub struct Brightpearl {
    clock: Arc<ModelClock>,
    trace: Arc<Trace>,
    dice: Dice,
    watcher: Arc<dyn Watcher>,
    state: Mutex<State>,
}

impl Brightpearl {
    pub fn new(
        seed: u64,
        clock: Arc<ModelClock>,
        trace: Arc<Trace>,
        account: Account,
        watcher: Arc<dyn Watcher>,
        works_on: Duration,
    ) -> Self {
        let dice = Dice::new(seed, "brightpearl");
        let strength = *dice.pick(&[0, 1, 1, 2, 4]);
        let lag = dice.between(0, 55);
        let index = Dice::new(seed, "index");
        let search_lag = if index.chance(300) { index.between(1, LONGEST_SEARCH_LAG) } else { 0 };
        let state = State {
            account,
            changes: Vec::new(),
            calls: Vec::new(),
            looks: Vec::new(),
            faults: BTreeMap::new(),
            strength,
            lag,
            search_lag,
            locked_until: None,
            tokens: 0,
            token: None,
            late: Late::new(works_on),
        };
        Self { clock, trace, dice, watcher, state: Mutex::new(state) }
    }

    /// The account as it stands now: whatever was due has happened.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.true_time();
        while let Some((change, at)) = state.late.take_due(now) {
            self.carry_out(&mut state, change, at);
        }
        state
    }

    fn carry_out(&self, state: &mut State, place: usize, now: Timestamp) -> Answer {
        let change = state.changes[place].clone();
        self.watcher.happens(&change, &state.account, now);
        let answer = apply(&mut state.account, &change, now);
        self.trace.note(&format!("{now} brightpearl does {} {:?}: {}", change.kind, change.target, answer.1));
        state.changes[place].done = Some((now, answer.clone()));
        answer
    }

    fn arrive(&self, request: &HttpRequest) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        let now = self.clock.true_time();
        let path = request.url.path();
        let is_log_in = path.ends_with("/authorise");
        let change = (!is_log_in).then(|| change(request, now)).flatten();
        let mut call = Call::new(&self.trace, &self.dice, now, change.as_ref().map(|change| change.kind));
        if let Some(reply) = call.leaves(&SERVER, state.strength, &mut state.faults) {
            return reply;
        }
        state.calls.push(now);
        let in_minute = state.calls.iter().rev().take_while(|at| at.as_second() / 60 == now.as_second() / 60).count();
        let answer = |status: u16, body: Bytes| {
            let mut headers =
                vec![("content-type".to_owned(), "application/json;charset=UTF-8".to_owned()), wire::date(now)];
            if !is_log_in {
                let left = 60_000 - now.as_millisecond().rem_euclid(60_000);
                headers
                    .push(("brightpearl-requests-remaining".to_owned(), ALLOWED.saturating_sub(in_minute).to_string()));
                headers.push(("brightpearl-next-throttle-period".to_owned(), left.to_string()));
            }
            HttpResponse { status, headers, body }
        };
        let told = |status: u16, body: &Value| answer(status, body.to_string().into());
        if is_log_in {
            return call.resets_sign_in().unwrap_or_else(|| call.soon(told(200, &log_in(state, request, now))));
        }
        let place = change.map(|change| change.arrives(&mut state.changes, &*self.watcher));
        let refusal = if call.throttles(in_minute > ALLOWED) {
            Some((503, "You have sent too many requests. Please wait before sending another request"))
        } else if call.expires() || !state.lets_in(request) {
            state.token = None;
            Some((401, "Authorization token expired"))
        } else {
            None
        };
        if let Some((status, text)) = refusal {
            if let Some(place) = place {
                state.changes[place].turned_away = true;
            }
            return call.soon(told(status, &json!({"response": text})));
        }
        let instead = |instead: Instead| match instead {
            Instead::Down => told(503, &json!({"response": "Down for maintenance"})),
            Instead::Elsewhere => told(307, &json!({"location": "elsewhere"})),
            Instead::Failed => {
                told(500, &json!({"errors": [{"code": "CMNU-003", "message": "Internal Server Error"}]}))
            }
            Instead::Page(status, text) => answer(status, text.into()),
        };
        if let Some(reply) = call.before(place, &mut state.late, &instead) {
            return reply;
        }
        let (status, body) = match place {
            Some(place) => {
                let said = self.carry_out(state, place, now);
                if call.doubles() {
                    // Nobody sees the second answer.
                    let again = apply(&mut state.account, &state.changes[place], now);
                    self.trace.note(&format!("{now} brightpearl does it again: {}", again.1));
                }
                said
            }
            None => {
                let path = path.strip_prefix(ROOT).unwrap_or_default();
                if call.is_answered() {
                    state.looks.push((now, path.to_owned()));
                }
                let path: Vec<&str> = path.split('/').collect();
                let age = Ages { movements: state.lag, searches: state.search_lag };
                answers::get(&state.account, &path, &query(request), now, age)
            }
        };
        call.after(told(status, &body), &instead)
    }

    /// The process died with this change on its way: it arrives, and is carried out whenever the account gets to it.
    fn goes_on_alone(&self, request: &HttpRequest) {
        let mut state = self.state();
        let now = self.clock.true_time();
        let Some(change) = change(request, now) else { return };
        state.calls.push(now);
        let place = change.arrives(&mut state.changes, &*self.watcher);
        self.trace.note(&format!("{now} brightpearl is left alone with {}", state.changes[place].kind));
        if state.lets_in(request) {
            state.late.put_off(&self.dice, place, now, Duration::ZERO);
        } else {
            state.changes[place].turned_away = true;
        }
    }
}

#[async_trait]
impl Transport for Brightpearl {
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

fn log_in(state: &mut State, request: &HttpRequest, now: Timestamp) -> Value {
    let body = wire::body(request);
    let given = &body["apiAccountCredentials"];
    let locked = state.locked_until.is_some_and(|until| now < until);
    if locked || given["emailAddress"] != "hub@example.test" || given["password"] != "a password" {
        return json!({"errors": [{"code": "GWY-001", "message": "Invalid credentials"}]});
    }
    state.tokens += 1;
    let token = format!("00000000-0000-4000-8000-{:012}", state.tokens);
    state.token = Some(token.clone());
    json!({"response": token})
}

/// The change that a request asks for; `None` for a read.
fn change(request: &HttpRequest, now: Timestamp) -> Option<Change> {
    let path = request.url.path().strip_prefix(ROOT)?;
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let (kind, ids): (&'static str, Vec<&str>) = match (request.method, segments.as_slice()) {
        ("GET", _) => return None,
        ("POST", ["warehouse-service", "order", order, "goods-note", "goods-out"]) => {
            ("goods-out-note/post", vec![order])
        }
        ("PUT", ["warehouse-service", "goods-note", "goods-out", note]) => ("goods-out-note/put", vec![note]),
        ("POST", ["warehouse-service", "goods-note", "goods-out", note, "event"]) => {
            ("goods-out-note event/post", vec![note])
        }
        ("DELETE", ["warehouse-service", "order", order, "goods-note", "goods-out", note]) => {
            ("goods-out-note/delete", vec![order, note])
        }
        ("PUT", ["order-service", "order", order, "status"]) => ("order-status/put", vec![order]),
        ("POST", ["order-service", "order", order, "note"]) => ("order-note/post", vec![order]),
        ("POST", ["warehouse-service", "warehouse", warehouse, "stock-correction"]) => {
            ("stock-correction/post", vec![warehouse])
        }
        _ => ("unknown", Vec::new()),
    };
    let target: Vec<i64> = ids.iter().map(|id| id.parse().unwrap_or(0)).collect();
    let if_match = header(request, "if-match").and_then(|value| value.parse().ok());
    Some(Change::new(request, kind, target, if_match, now))
}

/// Row to product and quantity, as a goods-out note is asked for.
pub fn asked_rows(body: &Value) -> BTreeMap<i64, (i64, i64)> {
    let rows = body["warehouses"][0]["products"].as_array().into_iter().flatten();
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap_or(0);
    rows.map(|row| (number(row, "salesOrderRowId"), (number(row, "productId"), number(row, "quantity")))).collect()
}

fn apply(account: &mut Account, change: &Change, now: Timestamp) -> Answer {
    let body = &change.body;
    match (change.kind, change.target.as_slice()) {
        ("goods-out-note/post", [order]) => {
            let release = body["warehouses"][0]["releaseDate"].as_str().unwrap_or_default();
            account.make_note(
                now,
                HUB,
                *order,
                &asked_rows(body),
                body["shippingMethodId"].as_i64().unwrap_or(0),
                release,
            )
        }
        ("goods-out-note/put", [note]) => account.update_note(*note, &body["shipping"]),
        ("goods-out-note event/post", [note]) => {
            let event = &body["events"][0];
            if event["eventCode"] != "SHW"
                || event["occured"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).is_none()
            {
                return refused(400, "WHSC-060", "The event is not complete");
            }
            account.ship_note(now, *note, event["eventOwnerId"].as_i64().unwrap_or(0), change.if_match)
        }
        ("goods-out-note/delete", [order, note]) => account.delete_note(now, *order, *note),
        ("order-status/put", [order]) => {
            let text = body["orderNote"]["text"].as_str().unwrap_or("Status changed");
            account.set_status(now, *order, body["orderStatusId"].as_i64().unwrap_or(0), text)
        }
        ("order-note/post", [order]) => account.add_note(now, *order, body["text"].as_str().unwrap_or_default()),
        ("stock-correction/post", [_]) => {
            account.correct(now, body["corrections"].as_array().map_or(&[], Vec::as_slice))
        }
        _ => refused(404, "CMNC-404", "Cannot find the resource"),
    }
}
