//! What the network, and a server with too much to do, make of one call to a model. The seed decides; every model asks
//! in this order:
//!
//! 1. [`Call::leaves`]: what goes wrong with the call is decided; perhaps nothing of it ever leaves.
//! 2. [`Call::resets_sign_in`], where it is one.
//! 3. [`Call::throttles`] and [`Call::expires`]: the server turns it away, as it is documented.
//! 4. [`Call::before`]: it gets no further, or is carried out later.
//! 5. The server does what is asked; perhaps twice ([`Call::doubles`]).
//! 6. [`Call::after`]: what of the answer comes back.

use std::{collections::BTreeMap, time::Duration};

use connect::{HttpRequest, HttpResponse, TransportError};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{
    cells::{self, Kind, Moment},
    clock::ModelClock,
    random::Dice,
    trace::{Fate, Trace},
};

/// Whole-call limit of the other side (D_http).
pub const PATIENCE: Duration = Duration::from_secs(30);

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

impl Fault {
    fn roll(dice: &Dice, weights: &[(Self, u64)], strength: u64) -> Self {
        let mut roll = dice.below(1000);
        for (fault, weight) in weights {
            let weight = weight * strength;
            if roll < weight {
                return *fault;
            }
            roll -= weight;
        }
        Self::None
    }
}

/// What is particular to the calls of one server.
pub struct Server {
    /// What the trace calls them.
    pub told: &'static str,
    /// What follows the name of a fault where it is counted.
    pub place: &'static str,
    /// Whether few worlds have this change. It is struck more often, or some faults would hardly ever strike it.
    pub is_rare: fn(&str) -> bool,
    /// Whether this change may be delivered twice: no client can undo what somebody else sends twice.
    pub absorbs: fn(&str) -> bool,
}

/// What is said instead of the server's own answer.
#[derive(Debug, Clone, Copy)]
pub enum Instead {
    /// 503: it does nothing now.
    Down,
    /// 307: something on the way has another address.
    Elsewhere,
    /// 500: it has done what was asked, and fails.
    Failed,
    /// Something on the way shows a page, with this status.
    Page(u16, &'static str),
}

/// What comes back, after a wait.
pub struct Reply {
    after: Duration,
    answer: Result<HttpResponse, TransportError>,
}

/// Changes that are carried out later, whether or not their caller is still there, and knows.
pub struct Late {
    /// The server may still be working so long after the caller has given up, in milliseconds (P_max).
    works_on: i64,
    /// Place among the changes that arrived, and when.
    due: Vec<(usize, Timestamp)>,
}

impl Late {
    pub fn new(works_on: Duration) -> Self {
        Self { works_on: works_on.as_millis() as i64, due: Vec::new() }
    }

    /// The first that is due by now, and when it was.
    pub fn take_due(&mut self, now: Timestamp) -> Option<(usize, Timestamp)> {
        let due = self.due.iter().enumerate().map(|(place, (_, due))| (*due, place));
        let (_, place) = due.filter(|(due, _)| *due <= now).min()?;
        Some(self.due.remove(place))
    }

    /// A change is carried out whenever the server gets to it; its caller waits so long.
    pub fn put_off(&mut self, dice: &Dice, change: usize, now: Timestamp, waits: Duration) {
        let latest = waits.as_millis() as i64 + self.works_on;
        self.due.push((change, now + SignedDuration::from_millis(dice.between(0, latest))));
    }
}

/// One call under way.
pub struct Call<'a> {
    trace: &'a Trace,
    dice: &'a Dice,
    now: Timestamp,
    /// The message of the change that it asks for; `None`: a read or a sign-in.
    change: Option<&'static str>,
    /// An ordinary answer takes so long.
    quick: Duration,
    fault: Fault,
    /// What is lost is lost by a reset, and not by silence.
    loud: bool,
}

impl<'a> Call<'a> {
    pub fn new(trace: &'a Trace, dice: &'a Dice, now: Timestamp, change: Option<&'static str>) -> Self {
        let quick = Duration::from_millis(dice.between(20, 400).unsigned_abs());
        Self { trace, dice, now, change, quick, fault: Fault::None, loud: false }
    }

    /// Decides what goes wrong with it, and counts it. The answer where nothing of it leaves.
    pub fn leaves(&mut self, server: &Server, strength: u64, faults: &mut BTreeMap<String, u64>) -> Option<Reply> {
        let weights: &[(Fault, u64)] = if self.change.is_some() { &OF_CHANGES } else { &OF_READS };
        let is_rare = self.change.is_some_and(server.is_rare);
        let strength = if is_rare { (strength * 3).min(MOST_STRENGTH) } else { strength };
        self.fault = Fault::roll(self.dice, weights, strength);
        if self.fault != Fault::None {
            *faults.entry(format!("{:?}{}", self.fault, server.place)).or_default() += 1;
        }
        let absorbed = self.change.is_some_and(server.absorbs);
        if self.fault == Fault::Doubled && !absorbed {
            self.fault = Fault::None;
        }
        if self.fault != Fault::NotSent {
            return None;
        }
        self.struck(Kind::Refused, Moment::BeforeSend);
        Some(Reply { after: self.quick, answer: Err(TransportError::NotSent("connection refused".to_owned())) })
    }

    /// The answer to a sign-in that something goes wrong with. No token can have expired in it.
    pub fn resets_sign_in(&self) -> Option<Reply> {
        (!matches!(self.fault, Fault::None | Fault::Expired)).then(|| self.lost(true))
    }

    /// The server has had too many calls: the caller's own, where their limit is reached, or those of others.
    pub fn throttles(&self, limit_reached: bool) -> bool {
        let throttled = limit_reached || self.fault == Fault::Throttled;
        if throttled {
            self.struck(Kind::Throttled, Moment::OnItsWay);
        }
        throttled
    }

    /// The token ends with this call.
    pub fn expires(&self) -> bool {
        self.fault == Fault::Expired
    }

    /// The answer to a call that was let in and does nothing now, or nothing at all; `None`: it is carried out.
    /// `change` is its place among the changes that arrived.
    pub fn before(
        &mut self,
        change: Option<usize>,
        late: &mut Late,
        instead: &dyn Fn(Instead) -> HttpResponse,
    ) -> Option<Reply> {
        self.loud = self.dice.chance(400);
        let (kind, reply) = match self.fault {
            Fault::Outage => (Kind::ServerError, self.soon(instead(Instead::Down))),
            Fault::LostBefore => self.no_answer(),
            Fault::Redirect => (Kind::Redirected, self.soon(instead(Instead::Elsewhere))),
            Fault::CutOff if self.dice.chance(500) => {
                (Kind::Truncated, self.soon(instead(Instead::Page(502, "<html><head><title>Bad gat"))))
            }
            Fault::Late => {
                late.put_off(self.dice, change?, self.now, PATIENCE);
                (Kind::Late, self.lost(false))
            }
            Fault::WebPage if self.dice.chance(500) => self.page(instead),
            _ => return None,
        };
        self.struck(kind, Moment::OnItsWay);
        Some(reply)
    }

    /// Something on the way delivers it once more.
    pub fn doubles(&self) -> bool {
        let doubled = self.fault == Fault::Doubled;
        if doubled {
            self.struck(Kind::Doubled, Moment::AfterEffect);
        }
        doubled
    }

    /// Its answer comes back in full.
    pub fn is_answered(&self) -> bool {
        matches!(self.fault, Fault::None | Fault::Slow)
    }

    /// What of the server's own answer comes back.
    pub fn after(&self, said: HttpResponse, instead: &dyn Fn(Instead) -> HttpResponse) -> Reply {
        let (kind, reply) = match self.fault {
            Fault::LostAfter => self.no_answer(),
            Fault::Slow => (Kind::SlowBody, Reply { after: PATIENCE - self.quick, answer: Ok(said) }),
            Fault::FailsAfter => (Kind::ServerError, self.soon(instead(Instead::Failed))),
            // Of an answer without a body nothing arrives at all.
            Fault::CutOff if said.body.is_empty() => (Kind::Reset, self.lost(true)),
            Fault::CutOff => {
                let half = said.body.slice(..said.body.len() / 2);
                (Kind::Truncated, self.soon(HttpResponse { body: half, ..said }))
            }
            Fault::WebPage => self.page(instead),
            _ => return self.soon(said),
        };
        self.struck(kind, Moment::AfterEffect);
        reply
    }

    /// An answer as it comes when nothing goes wrong.
    pub fn soon(&self, answer: HttpResponse) -> Reply {
        Reply { after: self.quick, answer: Ok(answer) }
    }

    fn struck(&self, kind: Kind, moment: Moment) {
        self.trace.struck(self.change.and_then(cells::change), kind, moment);
    }

    fn page(&self, instead: &dyn Fn(Instead) -> HttpResponse) -> (Kind, Reply) {
        (Kind::Garbage, self.soon(instead(Instead::Page(200, "<html>One moment, please</html>"))))
    }

    fn no_answer(&self) -> (Kind, Reply) {
        (if self.loud { Kind::Reset } else { Kind::TimedOut }, self.lost(self.loud))
    }

    /// Lost either by a reset or by silence.
    fn lost(&self, loud: bool) -> Reply {
        let (after, text) =
            if loud { (self.quick, "the connection was reset") } else { (PATIENCE, "no answer within 30 s") };
        Reply { after, answer: Err(TransportError::Unknown(text.to_owned())) }
    }
}

impl Server {
    /// What came of a call is told, and comes back in its time to whoever is still there. No reply: nobody is.
    pub async fn comes_back(
        &self,
        reply: Option<Reply>,
        fate: Fate,
        request: &HttpRequest,
        trace: &Trace,
        clock: &ModelClock,
    ) -> Result<HttpResponse, TransportError> {
        let Some(reply) = reply else { return std::future::pending().await };
        let text = match &reply.answer {
            Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => error.to_string(),
        };
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default());
        let now = clock.true_time();
        trace.note(&format!("{now} {} {} {} {body} -> {text}", self.told, request.method, request.url));
        if fate == Fate::DiesAfter {
            return std::future::pending().await;
        }
        tokio::time::sleep(reply.after).await;
        reply.answer
    }
}

/// A header of a call.
pub fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The body of a call.
pub fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default()
}

/// A query, by name, decoded once.
pub type Query = BTreeMap<String, String>;

/// What stands behind the question mark.
pub fn query(request: &HttpRequest) -> Query {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = request.url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// The header that says when an answer was given.
pub fn date(now: Timestamp) -> (String, String) {
    ("date".to_owned(), now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}
