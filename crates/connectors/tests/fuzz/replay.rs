//! A network that answers from a session, a network that records one, and a clock that nobody can overdo.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    BuildContext, Clock, Guard, HttpRequest, HttpResponse, OsRandom, Transport, TransportError, Waits, budget::Budgets,
};
use connectors::files::Files;
use jiff::{SignedDuration, Timestamp};

use super::session::Answer;

/// Calls for one thing asked. Far more than any needs; whoever makes them goes round in circles.
const MOST_CALLS: usize = 2_000;
/// Nothing a remote system says makes us wait longer at once.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Answers each request with the recorded answer to it, else to one like it.
pub struct Replay {
    state: Mutex<State>,
}

struct State {
    answers: Vec<(Answer, bool)>,
    served: Vec<usize>,
    calls: usize,
}

impl Replay {
    pub fn new(answers: &[Answer]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| (answer.clone(), false)).collect();
        Arc::new(Self { state: Mutex::new(State { answers, served: Vec::new(), calls: 0 }) })
    }

    /// The answers that were given, in order.
    pub fn served(&self) -> Vec<Answer> {
        let state = self.state.lock().unwrap();
        state.served.iter().map(|place| state.answers[*place].0.clone()).collect()
    }

    /// The answer to the last request that changes something.
    pub fn change(&self) -> Option<Answer> {
        last_change(&self.served())
    }

    /// Whether the work done for one thing asked had an end of its own.
    pub fn bounded(&self) -> Result<(), String> {
        match self.state.lock().unwrap().calls {
            calls if calls > MOST_CALLS => Err(format!("more than {MOST_CALLS} calls were made")),
            _ => Ok(()),
        }
    }
}

/// The answer to the last request that changes something.
pub fn last_change(answers: &[Answer]) -> Option<Answer> {
    let signs_in = |path: &str| path.contains("authorise") || path.contains("/Token");
    answers.iter().rev().find(|answer| answer.method != "GET" && !signs_in(&answer.path)).cloned()
}

/// A path without its query and with every number alike.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    path.chars().map(|character| if character.is_ascii_digit() { '#' } else { character }).collect()
}

#[async_trait]
impl Transport for Replay {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let path = path_of(&request);
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        if state.calls > MOST_CALLS {
            return Err(TransportError::Unknown("nobody answers any more".to_owned()));
        }
        let of_method = |answer: &Answer| answer.method == request.method;
        let place = [
            state.answers.iter().position(|(answer, used)| !used && of_method(answer) && answer.path == path),
            state.answers.iter().position(|(answer, _)| of_method(answer) && answer.path == path),
            state.answers.iter().position(|(answer, _)| of_method(answer) && shape(&answer.path) == shape(&path)),
        ]
        .into_iter()
        .flatten()
        .next();
        let Some(place) = place else { return Err(TransportError::Unknown("nothing is recorded for this".to_owned())) };
        state.served.push(place);
        let (answer, used) = &mut state.answers[place];
        *used = true;
        Ok(answer.response())
    }
}

/// With the query; where one address is asked for everything (GraphQL, JSON-RPC), with the name of the operation.
fn path_of(request: &HttpRequest) -> String {
    match (request.url.query(), operation(request)) {
        (Some(query), _) => format!("{}?{query}", request.url.path()),
        (None, Some(operation)) => format!("{}#{operation}", request.url.path()),
        (None, None) => request.url.path().to_owned(),
    }
}

fn operation(request: &HttpRequest) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(request.body.as_ref()?).ok()?;
    if let Some(params) = body.get("params") {
        let word = |place: &str| params.pointer(place).and_then(serde_json::Value::as_str);
        // Of a call of an object its model and method, which stand behind the sign-in.
        let named = match word("/service")? {
            "object" => (word("/args/3")?, word("/args/4")?),
            service => (service, word("/method")?),
        };
        return Some(format!("{}/{}", named.0, named.1));
    }
    let mut words = body.get("query")?.as_str()?.split([' ', '(', '{']);
    words.find(|word| matches!(*word, "query" | "mutation"))?;
    words.find(|word| !word.is_empty()).map(str::to_owned)
}

/// Passes on and writes down.
pub struct Recorder {
    inner: Arc<dyn Transport>,
    answers: Mutex<Vec<Answer>>,
}

impl Recorder {
    pub fn new(inner: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { inner, answers: Mutex::default() })
    }

    /// What was written down since the last time.
    pub fn take(&self) -> Vec<Answer> {
        std::mem::take(&mut self.answers.lock().unwrap())
    }

    /// The answer to the last request that changes something, since the last time.
    pub fn change(&self) -> Option<Answer> {
        last_change(&self.answers.lock().unwrap())
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (method, path) = (request.method.to_owned(), path_of(&request));
        let response = self.inner.send(request).await?;
        let answer = Answer {
            method,
            path,
            status: response.status,
            headers: response.headers.clone(),
            body: response.body.to_vec(),
        };
        self.answers.lock().unwrap().push(answer);
        Ok(response)
    }
}

/// What a dial's monotonic clock shows at first.
const BEGIN: Duration = Duration::from_secs(1_000);
/// When a change must be over that is made when a dial begins: after the whole-call limit.
pub const SEND_BY: Duration = Duration::from_secs(1_030);

/// Time that passes only by sleeping, and never runs over.
pub struct Dial {
    now: Mutex<(Timestamp, Duration, Duration)>,
}

impl Dial {
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { now: Mutex::new((now, BEGIN, Duration::ZERO)) })
    }

    /// Whether nobody was made to wait without end.
    pub fn bounded(&self) -> Result<(), String> {
        match self.now.lock().unwrap().2 {
            longest if longest > LONGEST_WAIT => Err(format!("an answer made the hub wait {longest:?} at once")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Clock for Dial {
    fn now(&self) -> Timestamp {
        self.now.lock().unwrap().0
    }

    fn monotonic(&self) -> Duration {
        self.now.lock().unwrap().1
    }

    async fn sleep(&self, time: Duration) {
        {
            let mut now = self.now.lock().unwrap();
            now.2 = now.2.max(time);
            let time = time.min(LONGEST_WAIT);
            now.0 = now.0.checked_add(SignedDuration::try_from(time).unwrap()).unwrap_or(Timestamp::MAX);
            now.1 += time;
        }
        tokio::task::yield_now().await;
    }
}

/// What a hub gives a connector.
pub fn context(transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, waits: Waits) -> BuildContext {
    BuildContext {
        transport,
        files: Arc::new(Files::new(waits, Guard::stand_ins())),
        random: Arc::new(OsRandom),
        budgets: Arc::new(Budgets::new(Arc::clone(&clock))),
        clock,
        waits,
        grants: Arc::new(connect::NoGrants),
        desk: Arc::new(connect::NoDesk),
        marks: Arc::new(connect::NoMarks),
        share: "con_fuzz".to_owned(),
    }
}
