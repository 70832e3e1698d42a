//! One call: what arrives, what it does and when, and what of the answer comes back. The seed decides what goes wrong.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use connect::{HttpRequest, HttpResponse, Transport, TransportError};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    account::{Account, Answer, HUB, refused},
    answers::{self, Ages},
};
use crate::seeded::{
    cells::{self, Kind, Moment},
    clock::ModelClock,
    random::Dice,
    trace::{Fate, Trace},
};

/// Where the account's calls begin.
const ROOT: &str = "/2.0.0/acme/";
/// Calls that the account allows in a minute.
const ALLOWED: usize = 200;
/// Whole-call limit of the other side (D_http).
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Looks on as changes arrive and as they are carried out.
pub trait Watcher: Send + Sync {
    /// A change arrived: the effects behind it.
    fn arrives(&self, change: &Change) -> Vec<String>;
    /// A change is about to be carried out on this account.
    fn happens(&self, change: &Change, account: &Account, now: Timestamp);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NotSent,
    LostBefore,
    LostAfter,
    FailsAfter,
    CutOff,
    WebPage,
    Throttled,
    Outage,
    Late,
    Expired,
    /// The answer comes as late as a caller still waits for.
    Slow,
    /// Something on the way answers with another address.
    Redirect,
    /// Something on the way delivers it twice.
    Doubled,
}

/// Weights in a thousand, at strength 1.
const OF_CHANGES: [(Fault, u64); 13] = [
    (Fault::NotSent, 15),
    (Fault::LostBefore, 15),
    (Fault::LostAfter, 25),
    (Fault::FailsAfter, 15),
    (Fault::CutOff, 10),
    (Fault::WebPage, 10),
    (Fault::Throttled, 10),
    (Fault::Outage, 10),
    (Fault::Late, 25),
    (Fault::Expired, 10),
    (Fault::Slow, 5),
    (Fault::Redirect, 5),
    (Fault::Doubled, 10),
];
/// Beyond this the last of the faults of changes would have no room.
const MOST_STRENGTH: u64 = 6;
const OF_READS: [(Fault, u64); 7] = [
    (Fault::NotSent, 8),
    (Fault::LostAfter, 5),
    (Fault::CutOff, 5),
    (Fault::WebPage, 5),
    (Fault::Throttled, 5),
    (Fault::Outage, 8),
    (Fault::Expired, 5),
];

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
    /// It may still be working so long after the caller has given up, in milliseconds (P_max).
    works_on: i64,
    tokens: u64,
    token: Option<String>,
    /// Changes that are carried out later: place in `changes`, and when.
    late: Vec<(usize, Timestamp)>,
}

impl State {
    /// Every token ends.
    pub fn log_out(&mut self) {
        self.token = None;
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

/// What comes back, after a wait.
struct Reply {
    after: Duration,
    answer: Result<HttpResponse, TransportError>,
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
            works_on: works_on.as_millis() as i64,
            tokens: 0,
            token: None,
            late: Vec::new(),
        };
        Self { clock, trace, dice, watcher, state: Mutex::new(state) }
    }

    /// The account as it stands now: whatever was due has happened.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.true_time();
        loop {
            let due = state.late.iter().enumerate().map(|(place, (_, due))| (*due, place));
            let Some((at, place)) = due.filter(|(due, _)| *due <= now).min() else { return state };
            let (change, _) = state.late.remove(place);
            self.carry_out(&mut state, change, at);
        }
    }

    fn carry_out(&self, state: &mut State, place: usize, now: Timestamp) {
        let change = state.changes[place].clone();
        self.watcher.happens(&change, &state.account, now);
        let answer = apply(&mut state.account, &change, now);
        self.trace.note(&format!("{now} brightpearl does {} {:?}: {}", change.kind, change.target, answer.1));
        state.changes[place].done = Some((now, answer));
    }

    /// Changes that few worlds have are struck more often, or some faults would hardly ever strike them.
    fn fault(&self, state: &mut State, change: Option<&Change>) -> Fault {
        let weights: &[(Fault, u64)] = if change.is_some() { &OF_CHANGES } else { &OF_READS };
        let is_rare = change.and_then(|change| cells::change(change.kind)).is_some_and(|kind| kind >= cells::OFTEN);
        let strength = if is_rare { (state.strength * 3).min(MOST_STRENGTH) } else { state.strength };
        let mut roll = self.dice.below(1000);
        let mut found = Fault::None;
        for (fault, weight) in weights {
            let weight = weight * strength;
            if roll < weight {
                found = *fault;
                break;
            }
            roll -= weight;
        }
        if found != Fault::None {
            *state.faults.entry(format!("{found:?}")).or_default() += 1;
        }
        found
    }

    fn arrive(&self, request: &HttpRequest) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        let now = self.clock.true_time();
        let quick = Duration::from_millis(self.dice.between(20, 400).unsigned_abs());
        let path = request.url.path().to_owned();
        let is_log_in = path.ends_with("/authorise");
        let change = (!is_log_in).then(|| change(request, now)).flatten();
        let mut fault = self.fault(state, change.as_ref());
        let cell = change.as_ref().and_then(|change| cells::change(change.kind));
        // No client can undo what somebody else sends twice; what the target itself absorbs must not harm.
        let absorbed = ["goods-out-note/put", "goods-out-note event/post", "goods-out-note/delete", "order-status/put"]
            .contains(&change.as_ref().map_or("", |change| change.kind));
        if fault == Fault::Doubled && !absorbed {
            fault = Fault::None;
        }
        let struck = |kind: Kind, moment: Moment| self.trace.struck(cell, kind, moment);
        let gone = |text: &str| Err(TransportError::Unknown(text.to_owned()));
        if fault == Fault::NotSent {
            struck(Kind::Refused, Moment::BeforeSend);
            return Reply { after: quick, answer: Err(TransportError::NotSent("connection refused".to_owned())) };
        }
        state.calls.push(now);
        let in_minute = state.calls.iter().rev().take_while(|at| at.as_second() / 60 == now.as_second() / 60).count();
        let answer = |status: u16, body: Bytes| {
            let mut headers = vec![
                ("content-type".to_owned(), "application/json;charset=UTF-8".to_owned()),
                ("date".to_owned(), now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
            ];
            if !is_log_in {
                let left = 60_000 - now.as_millisecond().rem_euclid(60_000);
                headers
                    .push(("brightpearl-requests-remaining".to_owned(), ALLOWED.saturating_sub(in_minute).to_string()));
                headers.push(("brightpearl-next-throttle-period".to_owned(), left.to_string()));
            }
            Ok(HttpResponse { status, headers, body })
        };
        let told = |status: u16, body: &Value| Reply { after: quick, answer: answer(status, body.to_string().into()) };
        if is_log_in {
            if fault != Fault::None && fault != Fault::Expired {
                return Reply { after: quick, answer: gone("the connection was reset") };
            }
            return told(200, &log_in(state, request, now));
        }
        let place = change.map(|change| {
            state.changes.push(change);
            state.changes.len() - 1
        });
        if let Some(place) = place {
            state.changes[place].effects = self.watcher.arrives(&state.changes[place]);
        }
        let mut turn_away = |status: u16, text: &str| {
            if let Some(place) = place {
                state.changes[place].turned_away = true;
            }
            told(status, &json!({"response": text}))
        };
        if in_minute > ALLOWED || fault == Fault::Throttled {
            struck(Kind::Throttled, Moment::OnItsWay);
            return turn_away(503, "You have sent too many requests. Please wait before sending another request");
        }
        let sent_token =
            request.headers.iter().find(|(name, _)| name == "brightpearl-auth").map(|(_, token)| token.clone());
        if fault == Fault::Expired || sent_token.is_none() || sent_token != state.token {
            let reply = turn_away(401, "Authorization token expired");
            state.token = None;
            return reply;
        }
        // Lost either by silence or by a reset.
        let lost = |loud: bool| match loud {
            true => Reply { after: quick, answer: gone("the connection was reset") },
            false => Reply { after: PATIENCE, answer: gone("no answer within 30 s") },
        };
        let loud = self.dice.chance(400);
        let no_answer = if loud { Kind::Reset } else { Kind::TimedOut };
        match fault {
            Fault::Outage => {
                struck(Kind::ServerError, Moment::OnItsWay);
                return told(503, &json!({"response": "Down for maintenance"}));
            }
            Fault::LostBefore => {
                struck(no_answer, Moment::OnItsWay);
                return lost(loud);
            }
            Fault::Redirect => {
                struck(Kind::Redirected, Moment::OnItsWay);
                return told(307, &json!({"location": "elsewhere"}));
            }
            Fault::CutOff if self.dice.chance(500) => {
                struck(Kind::Truncated, Moment::OnItsWay);
                return Reply { after: quick, answer: answer(502, "<html><head><title>Bad gat".into()) };
            }
            Fault::Late => {
                if let Some(place) = place {
                    struck(Kind::Late, Moment::OnItsWay);
                    // Whether or not its caller is still there, and knows.
                    let latest = PATIENCE.as_millis() as i64 + state.works_on;
                    let due = now + SignedDuration::from_millis(self.dice.between(0, latest));
                    state.late.push((place, due));
                    return lost(false);
                }
            }
            Fault::WebPage if self.dice.chance(500) => {
                struck(Kind::Garbage, Moment::OnItsWay);
                return Reply { after: quick, answer: answer(200, "<html>One moment, please</html>".into()) };
            }
            _ => {}
        }
        let (status, body) = match place {
            Some(place) => {
                self.carry_out(state, place, now);
                state.changes[place]
                    .done
                    .clone()
                    .map(|(_, answer)| answer)
                    .unwrap_or_else(|| refused(500, "CMNU-003", "?"))
            }
            None => {
                let path = path.strip_prefix(ROOT).unwrap_or_default();
                if matches!(fault, Fault::None | Fault::Slow) {
                    state.looks.push((now, path.to_owned()));
                }
                let path: Vec<&str> = path.split('/').collect();
                {
                    let age = Ages { movements: state.lag, searches: state.search_lag };
                    answers::get(&state.account, &path, &query(request), now, age)
                }
            }
        };
        match fault {
            Fault::LostAfter => {
                struck(no_answer, Moment::AfterEffect);
                lost(loud)
            }
            Fault::Slow => {
                struck(Kind::SlowBody, Moment::AfterEffect);
                Reply { after: PATIENCE - quick, ..told(status, &body) }
            }
            Fault::Doubled => {
                struck(Kind::Doubled, Moment::AfterEffect);
                if let Some(place) = place {
                    // Nobody sees the second answer.
                    let again = apply(&mut state.account, &state.changes[place], now);
                    self.trace.note(&format!("{now} brightpearl does it again: {}", again.1));
                }
                told(status, &body)
            }
            Fault::FailsAfter => {
                struck(Kind::ServerError, Moment::AfterEffect);
                told(500, &json!({"errors": [{"code": "CMNU-003", "message": "Internal Server Error"}]}))
            }
            Fault::CutOff => {
                struck(Kind::Truncated, Moment::AfterEffect);
                let body = body.to_string();
                let cut = body.len() / 2;
                Reply { after: quick, answer: answer(status, Bytes::from(body.into_bytes()).slice(..cut)) }
            }
            Fault::WebPage => {
                struck(Kind::Garbage, Moment::AfterEffect);
                Reply { after: quick, answer: answer(200, "<html>One moment, please</html>".into()) }
            }
            _ => told(status, &body),
        }
    }
}

impl Brightpearl {
    /// The process died with this change on its way: it arrives, and is carried out whenever the account gets to it.
    fn goes_on_alone(&self, request: &HttpRequest) {
        let mut state = self.state();
        let now = self.clock.true_time();
        let Some(change) = change(request, now) else { return };
        let sent_token =
            request.headers.iter().find(|(name, _)| name == "brightpearl-auth").map(|(_, token)| token.clone());
        state.calls.push(now);
        state.changes.push(change);
        let place = state.changes.len() - 1;
        state.changes[place].effects = self.watcher.arrives(&state.changes[place]);
        self.trace.note(&format!("{now} brightpearl is left alone with {}", state.changes[place].kind));
        if sent_token.is_none() || sent_token != state.token {
            state.changes[place].turned_away = true;
            return;
        }
        let due = now + SignedDuration::from_millis(self.dice.between(0, state.works_on));
        state.late.push((place, due));
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
        if matches!(fate, Fate::Dead | Fate::DiesBefore | Fate::DiesMeanwhile) {
            return std::future::pending().await;
        }
        let reply = self.arrive(&request);
        let text = match &reply.answer {
            Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => error.to_string(),
        };
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default());
        self.trace.note(&format!(
            "{} http {} {} {body} -> {text}",
            self.clock.true_time(),
            request.method,
            request.url
        ));
        if fate == Fate::DiesAfter {
            return std::future::pending().await;
        }
        tokio::time::sleep(reply.after).await;
        reply.answer
    }
}

fn log_in(state: &mut State, request: &HttpRequest, now: Timestamp) -> Value {
    let body: Value = serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default();
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

/// What stands behind the question mark, decoded once.
pub fn query(request: &HttpRequest) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = request.url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
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
    let if_match =
        request.headers.iter().find(|(name, _)| name == "if-match").and_then(|(_, value)| value.parse().ok());
    Some(Change {
        kind,
        target: ids.iter().map(|id| id.parse().unwrap_or(0)).collect(),
        body: serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default(),
        if_match,
        arrived: now,
        done: None,
        turned_away: false,
        effects: Vec::new(),
    })
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
