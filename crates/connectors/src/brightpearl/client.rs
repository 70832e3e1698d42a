//! One call: a place in the call budget, the headers, the transport, and what the answer means.
//!
//! Reads repeat themselves on what passes (outages, throttling, an ended token). A change is sent once and never
//! repeated here (R7): what its answer means is [`super::effects::classify`]'s matter, what follows is the journal's.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connect::{
    BuildContext, Capture, Clock, ConnectorError, ErrorKind, HttpRequest, HttpResponse, Transport, TransportError,
    Waits,
    budget::{Budget, Limit, Priority},
    clocks::Dated,
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use url::Url;

use super::{auth::Session, envelope, idset, settings::Account};
use crate::turn::Turn;

/// How often a read is repeated on what passes.
const READ_TRIES: u32 = 4;

/// What a call is for: who goes first, and the word it is counted under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose {
    pub(super) priority: Priority,
    pub(super) name: &'static str,
}

impl Purpose {
    /// Reading or changing what belongs to a shipment.
    pub(super) const fn shipments(name: &'static str) -> Self {
        Self { priority: Priority::Shipments, name }
    }

    /// Importing orders.
    pub(super) const fn orders(name: &'static str) -> Self {
        Self { priority: Priority::Orders, name }
    }

    /// Keeping stock in step.
    pub(super) const fn stock(name: &'static str) -> Self {
        Self { priority: Priority::Stock, name }
    }

    /// Lists, checks, webhooks.
    pub(super) const fn sweeps(name: &'static str) -> Self {
        Self { priority: Priority::Sweeps, name }
    }
}

/// Which account is spoken to, for texts.
#[derive(Debug, Clone)]
pub(super) struct Place {
    account: String,
    host: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Brightpearl account {} at {}", self.account, self.host)
    }
}

/// Why a call gave nothing, sorted by what is done about it.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// No byte left.
    Unreachable(String),
    /// No whole answer arrived.
    NoAnswer(String),
    /// Too many calls.
    Throttled(Option<Duration>),
    /// 401.
    TokenRefused(String),
    /// The log-in itself was refused.
    LogIn(ConnectorError),
    /// Understood and refused.
    Refused { status: u16, code: String, message: String },
    /// Brightpearl or something in front of it is in trouble.
    Outage(String),
    /// The answer does not have the documented form.
    Unreadable(String),
}

impl Failure {
    /// Whether a read is worth repeating.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NoAnswer(_) | Self::Throttled(_) | Self::Outage(_) | Self::Unreadable(_) => {
                true
            }
            Self::TokenRefused(_) | Self::LogIn(_) | Self::Refused { .. } => false,
        }
    }

    /// Whether it is the API's "there is none": 404 with its own code. A 404 of anything on the way, or for an address
    /// that does not exist, says nothing about what was asked for.
    pub(super) fn is_not_found(&self) -> bool {
        match self {
            Self::Refused { status: 404, code, message } => {
                code == "CMNC-404" && !message.contains("Cannot find the resource")
            }
            _ => false,
        }
    }
}

/// What a set of ids is refused for, besides its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// "Not found" means that nothing of the set exists.
    All,
    /// One id that does not exist, or is not of the kind asked for, refuses the whole set.
    One,
}

/// What came of ids of which one may refuse the whole set.
pub(super) struct Answers<T> {
    pub(super) found: Vec<T>,
    /// Ids that were refused alone, each with the answer: what it means is for whoever asked.
    pub(super) refused: BTreeMap<i64, Failure>,
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NotSent(text) => Self::Unreachable(text),
            TransportError::Unknown(text) => Self::NoAnswer(text),
        }
    }
}

impl From<Failure> for ConnectorError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(text) => Self::transient(format!(
                "Brightpearl cannot be reached: {text}. Check the Datacenter Code and this machine's way to the internet."
            )),
            Failure::NoAnswer(text) => {
                Self::transient(format!("Brightpearl did not answer: {text}. It is tried again."))
            }
            Failure::Throttled(wait) => Self::new(
                ErrorKind::RateLimited { retry_after: wait },
                "Brightpearl takes no more calls for the moment: the account's calls are used up, by the hub or by other apps.",
            ),
            Failure::TokenRefused(text) => Self::credentials(text),
            Failure::LogIn(error) => error,
            Failure::Refused { status: 404, message, .. } => Self::new(ErrorKind::NotFound, message),
            Failure::Refused { code, message, .. } => {
                let text = format!("Brightpearl refused the call: {code} {message}");
                Self::new(ErrorKind::Rejected { code }, text)
            }
            Failure::Outage(text) => Self::transient(format!("Brightpearl is in trouble: {text}. It is tried again.")),
            Failure::Unreadable(text) => {
                Self::unexpected(format!("Brightpearl's answer does not have the documented form: {text}"))
            }
        }
    }
}

/// What every call of an account goes through.
pub(super) struct Gateway {
    /// It remembers Brightpearl's clock, as the last answer showed it.
    pub(super) transport: Arc<Dated>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) budget: Arc<Budget>,
    pub(super) share: String,
    pub(super) waits: Waits,
    pub(super) place: Place,
}

impl Gateway {
    /// Sends once, and believes what the answer says about the budget.
    pub(super) async fn once(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let answer = self.transport.send(request).await?;
        if let Some(quota) = envelope::quota(&answer) {
            self.budget.observe(quota.remaining, quota.refills_in);
        }
        Ok(answer)
    }

    /// The failure of a throttle answer, which the budget is told of; `None` for any other answer.
    pub(super) fn throttled(&self, answer: &HttpResponse) -> Option<Failure> {
        let throttled = answer.status == 429 || envelope::is_throttled(answer.status, &answer.body);
        throttled.then(|| {
            let wait = envelope::throttle_wait(answer);
            self.budget.throttled(wait);
            Failure::Throttled(wait)
        })
    }
}

/// A change to be sent.
pub(super) struct Change {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<String>,
    pub(super) if_match: Option<i64>,
}

/// What became of a change.
pub(super) enum Changed {
    /// Certainly nothing left.
    NotSent(ConnectorError),
    /// Something may have left, and no whole answer came.
    NoAnswer(String, Capture),
    /// An answer came, to a call with this token.
    Answer { answer: HttpResponse, generation: u64, capture: Capture },
}

/// Calls of one account.
pub(super) struct Client {
    pub(super) gateway: Gateway,
    session: Arc<Session>,
    root: String,
    /// Search filters that have refused lists: such are asked value by value.
    single_filters: Mutex<BTreeSet<&'static str>>,
    /// When each place in the budget was taken for a change that is about to be sent.
    reserved: Mutex<VecDeque<Duration>>,
}

impl Client {
    /// Opens nothing yet.
    pub(super) fn new(account: &Account, context: &BuildContext) -> Self {
        let limit = Limit::new(account.calls_per_minute, context.waits.throttle_window);
        let budget = context.budgets.account(&format!("brightpearl:{}", account.code), limit);
        // The settings may have changed since the account's budget was made.
        budget.set_limit(limit);
        Self {
            gateway: Gateway {
                transport: Arc::new(Dated::around(Arc::clone(&context.transport), Arc::clone(&context.clock))),
                clock: Arc::clone(&context.clock),
                budget,
                share: context.share.clone(),
                waits: context.waits,
                place: Place {
                    account: account.code.clone(),
                    host: account.origin().split_once("://").map_or_else(String::new, |(_, host)| host.to_owned()),
                },
            },
            session: Session::open(account, context),
            root: account.root(),
            single_filters: Mutex::default(),
            reserved: Mutex::default(),
        }
    }

    /// Waits for a place in the budget, and keeps it for the next change.
    pub(super) async fn reserve(&self, purpose: Purpose) {
        self.gateway.budget.acquire(purpose.priority, purpose.name, &self.gateway.share).await;
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).push_back(self.gateway.clock.monotonic());
    }

    /// Takes a place that was kept, unless it is so old that the budget has been refilled since: using it then would be one
    /// call too many.
    fn take_reserved(&self) -> bool {
        let now = self.gateway.clock.monotonic();
        let fresh = self.gateway.waits.throttle_window / 4;
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(since) = reserved.pop_front() {
            if now.saturating_sub(since) < fresh {
                return true;
            }
        }
        false
    }

    /// Brightpearl's clock less ours, in seconds, by the last answer.
    pub(super) fn clock_difference(&self) -> i64 {
        self.gateway.transport.difference().unwrap_or(0)
    }

    /// Now by Brightpearl's clock, to the second or so.
    pub(super) fn their_now(&self) -> Timestamp {
        let now = self.gateway.clock.now();
        now.checked_add(jiff::SignedDuration::from_secs(self.clock_difference())).unwrap_or(now)
    }

    /// Now, or earlier where Brightpearl's clock is behind: a time that it will not take for the future.
    pub(super) fn past_for_both(&self) -> Timestamp {
        let now = self.gateway.clock.now();
        let behind = self.clock_difference().min(0);
        now.checked_add(jiff::SignedDuration::from_secs(behind)).unwrap_or(now)
    }

    /// Whether a search filter has refused lists before.
    pub(super) fn takes_lists(&self, filter: &str) -> bool {
        !self.single_filters.lock().unwrap_or_else(PoisonError::into_inner).contains(filter)
    }

    /// Remembers that a search filter refuses lists.
    pub(super) fn refuses_lists(&self, filter: &'static str) {
        self.single_filters.lock().unwrap_or_else(PoisonError::into_inner).insert(filter);
    }

    /// The `response` of a GET. Repeats itself on what passes.
    pub(super) async fn get<T: DeserializeOwned>(&self, purpose: Purpose, path: &str) -> Result<T, Failure> {
        let url = self.url(path)?;
        let (mut tries, mut renewed) = (0, false);
        loop {
            let failure = match self.get_once(purpose, &url).await {
                Ok(value) => return Ok(value),
                Err((failure, generation)) => {
                    if let (Failure::TokenRefused(_), Some(generation)) = (&failure, generation)
                        && self.session.can_renew()
                        && !renewed
                    {
                        renewed = true;
                        self.session.forget(generation).await;
                        continue;
                    }
                    failure
                }
            };
            if !failure.is_passing() || tries >= READ_TRIES {
                return Err(failure);
            }
            tracing::debug!(call.purpose = purpose.name, call.tries = tries, call.failure = ?failure, "a read is repeated");
            // 1, 2, 4, 8 s by default.
            self.gateway.clock.sleep(self.gateway.waits.http / 30 * (1 << tries)).await;
            tries += 1;
        }
    }

    async fn get_once<T: DeserializeOwned>(&self, purpose: Purpose, url: &Url) -> Result<T, (Failure, Option<u64>)> {
        let token = self.session.token(&self.gateway, purpose.priority).await.map_err(|failure| (failure, None))?;
        self.gateway.budget.acquire(purpose.priority, purpose.name, &self.gateway.share).await;
        let read = async {
            let request = token.apply(HttpRequest::new("GET", url.clone()).header("accept", "application/json"));
            let answer = self.gateway.once(request).await?;
            self.read_answer(&answer)
        };
        read.await.map_err(|failure| (failure, Some(token.generation)))
    }

    fn read_answer<T: DeserializeOwned>(&self, answer: &HttpResponse) -> Result<T, Failure> {
        if let Some(failure) = self.gateway.throttled(answer) {
            return Err(failure);
        }
        let status = answer.status;
        let refusal = envelope::refusal(status, &answer.body);
        match (status, refusal) {
            (200..=299, None) => {
                envelope::response(&answer.body).map_err(|error| Failure::Unreadable(error.to_string()))
            }
            // A page is the word of something in front of Brightpearl, which knows nothing of tokens.
            (401, _) if !answer.is_page() => Err(Failure::TokenRefused(format!(
                "{} does not accept the credentials (401). Check the API user's e-mail and password, or the app's reference \
                 and token, and that the account lives at this datacentre; where access was granted by OAuth, connect the \
                 store again. Then test the connection.",
                self.gateway.place
            ))),
            (500, Some(refusal)) if envelope::is_refusal_code(&refusal.code) => {
                Err(Failure::Refused { status, code: refusal.code, message: refusal.message })
            }
            (200..=299 | 400..=407 | 409..=499, Some(refusal)) => {
                Err(Failure::Refused { status, code: refusal.code, message: refusal.message })
            }
            (403 | 404 | 413 | 414, None) => Err(Failure::Refused {
                status,
                code: format!("HTTP {status}"),
                message: format!("{} answered HTTP {status} without saying why", self.gateway.place),
            }),
            (_, refusal) => {
                let words =
                    refusal.map(|refusal| format!(": {} {}", refusal.code, refusal.message)).unwrap_or_default();
                Err(Failure::Outage(format!("{} answered HTTP {status}{words}", self.gateway.place)))
            }
        }
    }

    /// Reads ids in groups, of which those that do not exist are left out. A group that is refused for its size is halved
    /// until it is not.
    pub(super) async fn get_set<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        groups: Vec<BTreeSet<i64>>,
        path: impl Fn(&BTreeSet<i64>) -> String,
    ) -> Result<Vec<T>, Failure> {
        self.get_groups(purpose, groups, Missing::All, path).await.map(|answers| answers.found)
    }

    /// Reads ids in groups. A group that is refused for its size, or for one id in it, is halved until that one stands alone.
    pub(super) async fn get_each<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        groups: Vec<BTreeSet<i64>>,
        path: impl Fn(&BTreeSet<i64>) -> String,
    ) -> Result<Answers<T>, Failure> {
        self.get_groups(purpose, groups, Missing::One, path).await
    }

    async fn get_groups<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        groups: Vec<BTreeSet<i64>>,
        missing: Missing,
        path: impl Fn(&BTreeSet<i64>) -> String,
    ) -> Result<Answers<T>, Failure> {
        let mut found = Vec::new();
        let mut refused = BTreeMap::new();
        let mut waiting: Vec<BTreeSet<i64>> = groups.into_iter().rev().collect();
        while let Some(ids) = waiting.pop() {
            let failure = match self.get(purpose, &path(&ids)).await {
                Ok(value) => {
                    found.push(value);
                    continue;
                }
                Err(failure) => failure,
            };
            // The code of "not found" for one id of several is not documented; that of an address that is not there is.
            let one_is_bad = missing == Missing::One
                && matches!(&failure, Failure::Refused { status: 400 | 404, code, message }
                    if code != "HTTP 404" && !message.contains("Cannot find the resource"));
            let too_many = matches!(failure, Failure::Refused { status: 400 | 413 | 414, .. });
            match idset::halves(&ids) {
                _ if failure.is_not_found() && missing == Missing::All => {}
                Some((low, high)) if one_is_bad || too_many => waiting.extend([high, low]),
                None if one_is_bad => refused.extend(ids.first().map(|id| (*id, failure))),
                Some(_) | None => return Err(failure),
            }
        }
        Ok(Answers { found, refused })
    }

    /// When a call that begins now must be over (D_http), on the monotonic clock.
    pub(super) fn whole_call(&self) -> Duration {
        self.gateway.clock.monotonic() + self.gateway.waits.http
    }

    /// Makes a change, once. It is over at `until`, waiting for the budget included: what the journal counts from arming must
    /// have ended when it looks for what a lost answer left behind.
    pub(super) async fn change(&self, purpose: Purpose, change: Change, until: Duration) -> Changed {
        let turn = Turn::new(&*self.gateway.clock, until);
        let url = match self.url(&change.path) {
            Ok(url) => url,
            Err(failure) => return Changed::NotSent(failure.into()),
        };
        let ready = async {
            // Logging in changes nothing, so whatever it fails of, the change was not sent.
            let token = self.session.token(&self.gateway, purpose.priority).await?;
            if !self.take_reserved() {
                self.gateway.budget.acquire(purpose.priority, purpose.name, &self.gateway.share).await;
            }
            Ok(token)
        };
        let token = match turn.ready(ready).await {
            Ok(token) => token,
            Err(error) => return Changed::NotSent(error),
        };
        let mut request = token.apply(HttpRequest::new(change.method, url).header("accept", "application/json"));
        let capture = Capture {
            request: format!("{} {}", change.method, request.url),
            request_body: change.body.clone().unwrap_or_default(),
            ..Capture::default()
        };
        if let Some(version) = change.if_match {
            request = request.header("if-match", version.to_string());
        }
        if let Some(body) = change.body {
            request = request.json(body);
        }
        match turn.answer(self.gateway.once(request)).await {
            Err(TransportError::NotSent(text)) => Changed::NotSent(Failure::Unreachable(text).into()),
            Err(TransportError::Unknown(text)) => Changed::NoAnswer(text, capture),
            Ok(answer) => {
                let capture =
                    Capture { status: answer.status, response_body: envelope::shown_body(&answer), ..capture };
                Changed::Answer { answer, generation: token.generation, capture }
            }
        }
    }

    /// What follows a change that was refused for its token: the token is dropped, so that the next call logs in
    /// afresh.
    pub(super) async fn token_was_refused(&self, generation: u64) -> ConnectorError {
        self.session.forget(generation).await;
        if self.session.change_was_refused(generation) {
            return ConnectorError::credentials(format!(
                "{} refuses the token of changes, also after a new log-in (401). Check the API user's or the app's rights, \
                 then test the connection.",
                self.gateway.place
            ));
        }
        ConnectorError::transient("the token had ended; the change was not made and is tried again with a new one")
    }

    /// Takes note that a change was answered by something other than a refusal of its token.
    pub(super) fn token_was_accepted(&self) {
        self.session.change_was_answered();
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        Url::parse(&format!("{}/{path}", self.root))
            .map_err(|error| Failure::Unreadable(format!("the address of a call cannot be used: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use connect::{ConnectorError, ErrorKind};

    use super::Failure;

    #[test]
    fn failures_keep_what_the_caller_does_about_them() {
        let refused = |status| Failure::Refused { status, code: "CMNC-404".to_owned(), message: "none".to_owned() };
        assert!(refused(404).is_not_found());
        assert!(!refused(400).is_not_found());
        let elsewhere = |code: &str, message: &str| Failure::Refused {
            status: 404,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        assert!(!elsewhere("HTTP 404", "").is_not_found());
        assert!(!elsewhere("CMNC-404", "Cannot find the resource /app/somebrokenuri").is_not_found());
        assert_eq!(ConnectorError::from(refused(404)).kind, ErrorKind::NotFound);
        assert_eq!(ConnectorError::from(refused(400)).kind, ErrorKind::Rejected { code: "CMNC-404".to_owned() });
        assert_eq!(ConnectorError::from(Failure::Throttled(None)).kind, ErrorKind::RateLimited { retry_after: None });
        assert_eq!(ConnectorError::from(Failure::TokenRefused(String::new())).kind, ErrorKind::Credentials);
        assert!(ConnectorError::from(Failure::NoAnswer(String::new())).is_passing());
    }
}
