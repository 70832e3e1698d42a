//! Faults on demand: what networks, proxies and vendors do to a request on a bad day.
//!
//! A [`FaultPlan`] holds rules. Each rule names the requests it is about, how often it fires and the [`Fault`] it plays.
//! [`serve`] runs a simulator behind a plan; the plan is a cheap handle, so a test keeps a clone and adds rules while the
//! simulator runs. What fired, and for which request, can be read back with [`FaultPlan::fired`].
//!
//! ```
//! use simulators::faults::{Fault, FaultPlan, FaultRule};
//! use std::time::Duration;
//!
//! let plan = FaultPlan::new(7);
//! // The second creation of a goods-out note takes effect, but its answer never arrives.
//! plan.add(
//!     FaultRule::new(Fault::TimeoutAfterEffect { hold: Duration::from_millis(200) })
//!         .method("POST")
//!         .path_contains("/goods-note/goods-out")
//!         .nth(2),
//! );
//! ```
//!
//! Requests below `/_sim/` are the control surface of a simulator: they never meet a fault.

mod control;
mod play;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::clock;

pub use control::routes;
pub use wire::{Hold, serve};

/// The page a proxy in front of a vendor shows when the vendor does not answer as it should.
pub const ERROR_PAGE: &str = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr><center>cloudflare</center></body></html>";

/// What happens to a request. *Effect* means the change the request asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The connection is reset without an answer, before the effect.
    Refuse,
    /// No answer for `hold_ms`, then the connection closes. The effect never happens.
    TimeoutBeforeEffect {
        /// How long the connection stays open.
        #[serde(rename = "hold_ms", with = "milliseconds")]
        hold: Duration,
    },
    /// The effect happens at once, then no answer for `hold_ms`, then the connection closes.
    TimeoutAfterEffect {
        /// How long the connection stays open.
        #[serde(rename = "hold_ms", with = "milliseconds")]
        hold: Duration,
    },
    /// The effect happens; the connection breaks in the middle of the answer's body.
    ResetMidBody,
    /// The effect happens; the answer is a 500.
    ErrorAfterEffect {
        /// Whether the body is an HTML page rather than the vendor's own error.
        html: bool,
    },
    /// A 500 without the effect.
    ErrorBeforeEffect {
        /// Whether the body is an HTML page rather than the vendor's own error.
        html: bool,
    },
    /// The vendor's own *too many requests*, without the effect.
    Throttled,
    /// The vendor is down for maintenance, without the effect.
    Outage,
    /// The effect happens; the answer keeps its status but its body stops half-way, with a matching length.
    TruncatedBody,
    /// The effect happens; the answer is 200 with an HTML page.
    HtmlBody,
    /// The answer's body arrives in single pieces, spread over `over_ms`.
    SlowBody {
        /// From the first piece to the last.
        #[serde(rename = "over_ms", with = "milliseconds")]
        over: Duration,
    },
    /// Something on the way delivers the request twice; the client sees one answer.
    DuplicateDelivery {
        /// Whether the client sees the answer to the second copy.
        answer_second: bool,
    },
    /// The connection closes at once; the effect happens after `delay_ms`.
    LateEffect {
        /// From the arrival of the request to its effect.
        #[serde(rename = "delay_ms", with = "milliseconds")]
        delay: Duration,
    },
    /// Every token of the account in the path stops working, then the request is answered.
    ExpireTokens,
    /// A fixed answer, without the effect: a redirect, a 429, a wrong content type.
    Answer {
        /// HTTP status.
        status: u16,
        /// Header names and values.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body, as it is.
        #[serde(default)]
        body: String,
    },
}

/// Which of the matching requests meet the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum Occurrence {
    /// All of them.
    Every,
    /// Only the n-th, counted from 1.
    Nth {
        /// Which one.
        n: u64,
    },
    /// The first `count`.
    First {
        /// How many.
        count: u64,
    },
    /// Each with this probability, drawn from the plan's seed.
    Chance {
        /// Between 0 and 1.
        probability: f64,
    },
}

/// One rule of a [`FaultPlan`]. A part that is `None` matches every request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// HTTP method.
    #[serde(default)]
    pub method: Option<String>,
    /// Text the path with its query must contain.
    #[serde(default)]
    pub path_contains: Option<String>,
    /// Text the request body must contain.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// Which of the matching requests.
    pub occurrence: Occurrence,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule that meets every request.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { method: None, path_contains: None, body_contains: None, occurrence: Occurrence::Every, fault }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests whose path with query contains `text`.
    #[must_use]
    pub fn path_contains(mut self, text: &str) -> Self {
        self.path_contains = Some(text.to_owned());
        self
    }

    /// Only requests whose body contains `text`.
    #[must_use]
    pub fn body_contains(mut self, text: &str) -> Self {
        self.body_contains = Some(text.to_owned());
        self
    }

    /// Only the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.occurrence = Occurrence::Nth { n };
        self
    }

    /// Only the first `count` matching requests.
    #[must_use]
    pub fn first(mut self, count: u64) -> Self {
        self.occurrence = Occurrence::First { count };
        self
    }

    /// Each matching request with this probability.
    #[must_use]
    pub fn chance(mut self, probability: f64) -> Self {
        self.occurrence = Occurrence::Chance { probability };
        self
    }

    fn matches(&self, method: &str, path: &str, body: &[u8]) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_deref().is_none_or(|text| path.contains(text))
            && self.body_contains.as_deref().is_none_or(|text| String::from_utf8_lossy(body).contains(text))
    }
}

/// A fault that was played.
#[derive(Clone, Debug, Serialize)]
pub struct Fired {
    /// When.
    pub at: Timestamp,
    /// Id of the rule, as [`FaultPlan::add`] returned it.
    pub rule: u64,
    /// What was played.
    pub fault: Fault,
    /// Method of the request.
    pub method: String,
    /// Path and query of the request.
    pub path: String,
    /// Body of the request, as text.
    pub body: String,
}

/// The answers and switches of one vendor that faults need.
///
/// The defaults suit a vendor with nothing particular to say.
pub trait Vendor: Send + Sync + 'static {
    /// The answer to a client that sends too much.
    fn throttled(&self) -> Response {
        StatusCode::TOO_MANY_REQUESTS.into_response()
    }

    /// The answer while the vendor is down.
    fn outage(&self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, Html(ERROR_PAGE)).into_response()
    }

    /// The vendor's own form of an internal error.
    fn failed(&self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }

    /// Make every token of the account that `path` names stop working.
    fn expire_tokens(&self, path: &str);

    /// Whether a request whose client has gone is still worked on.
    fn finishes_abandoned_requests(&self) -> bool {
        true
    }
}

/// The faults a simulator plays, in the order they were added: the first rule that fires wins.
#[derive(Clone)]
pub struct FaultPlan {
    state: Arc<Mutex<State>>,
}

struct State {
    rng: StdRng,
    next_id: u64,
    rules: Vec<Armed>,
    fired: Vec<Fired>,
}

struct Armed {
    id: u64,
    rule: FaultRule,
    seen: u64,
}

impl FaultPlan {
    /// A plan without rules. `seed` decides every [`Occurrence::Chance`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State { rng: StdRng::seed_from_u64(seed), next_id: 1, rules: Vec::new(), fired: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Adds a rule and returns its id.
    pub fn add(&self, rule: FaultRule) -> u64 {
        self.with(|state| {
            let id = state.next_id;
            state.next_id += 1;
            state.rules.push(Armed { id, rule, seen: 0 });
            id
        })
    }

    /// Removes one rule; `false` if there is none with this id.
    pub fn remove(&self, id: u64) -> bool {
        self.with(|state| {
            let before = state.rules.len();
            state.rules.retain(|armed| armed.id != id);
            state.rules.len() < before
        })
    }

    /// Removes every rule. What fired stays readable.
    pub fn clear(&self) {
        self.with(|state| state.rules.clear());
    }

    /// The rules with their ids.
    #[must_use]
    pub fn rules(&self) -> Vec<(u64, FaultRule)> {
        self.with(|state| state.rules.iter().map(|armed| (armed.id, armed.rule.clone())).collect())
    }

    /// Everything that fired, oldest first.
    #[must_use]
    pub fn fired(&self) -> Vec<Fired> {
        self.with(|state| state.fired.clone())
    }

    /// How often a rule fired.
    #[must_use]
    pub fn fired_count(&self, rule: u64) -> usize {
        self.with(|state| state.fired.iter().filter(|fired| fired.rule == rule).count())
    }

    /// Whether any rule is set; a request need not be buffered otherwise.
    fn is_idle(&self) -> bool {
        self.with(|state| state.rules.is_empty())
    }

    /// The fault this request meets, if any. Every matching rule before the one that fires counts the request as seen.
    fn draw(&self, method: &str, path: &str, body: &[u8]) -> Option<Fault> {
        self.with(|state| {
            let State { rng, rules, fired, .. } = state;
            for armed in rules.iter_mut().filter(|armed| armed.rule.matches(method, path, body)) {
                armed.seen += 1;
                let fires = match armed.rule.occurrence {
                    Occurrence::Every => true,
                    Occurrence::Nth { n } => armed.seen == n,
                    Occurrence::First { count } => armed.seen <= count,
                    Occurrence::Chance { probability } => rng.random_bool(probability.clamp(0.0, 1.0)),
                };
                if fires {
                    fired.push(Fired {
                        at: clock::now(),
                        rule: armed.id,
                        fault: armed.rule.fault.clone(),
                        method: method.to_owned(),
                        path: path.to_owned(),
                        body: String::from_utf8_lossy(body).into_owned(),
                    });
                    return Some(armed.rule.fault.clone());
                }
            }
            None
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic in another thread leaves counters at worst one short: the plan stays usable.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
