//! How much one caller may ask: an API key by itself, a person over all of their sessions. Counted in this process: with several web
//! nodes each counts what comes to it.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{Api, problem::ProblemOut};
use crate::{
    accounts::allowance::{Standing, take},
    operate::{Caller, keys::Wms},
};

/// What everybody is told: requests that the full allowance holds, requests that are left of it, seconds until it is full again.
pub(super) const HEADERS: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

/// Beyond so many callers those whose allowance is full again are forgotten.
const REMEMBERED: usize = 1000;

/// When each caller's allowance is full again, on the clock that never goes back.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    full_at: Mutex<BTreeMap<String, Duration>>,
}

impl Allowances {
    fn take(&self, caller: &str, a_minute: NonZeroU32, now: Duration) -> Standing {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= REMEMBERED && !full_at.contains_key(caller) {
            full_at.retain(|_, full_at| *full_at > now);
        }
        let (after, standing) = take(a_minute, full_at.get(caller).copied(), now);
        full_at.insert(caller.to_owned(), after);
        standing
    }
}

/// Lets in who has something left, and tells everybody how much that is.
pub(super) async fn keep(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let (Some(a_minute), Some(who)) = (api.hub.config.requests_per_minute, who(&request)) else {
        return next.run(request).await;
    };
    let standing = api.allowances.take(&who, a_minute, api.hub.seams.clock.monotonic());
    let mut response = match standing.retry_in {
        None => next.run(request).await,
        Some(wait) => refused(standing.limit, wait),
    };
    let figures = [u64::from(standing.limit), u64::from(standing.remaining), whole_seconds(standing.full_in)];
    for (name, figure) in HEADERS.into_iter().zip(figures) {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            response.headers_mut().insert(name, HeaderValue::from(figure));
        }
    }
    response
}

/// Whose allowance it is: a person's, a key's, or that of a warehouse's key.
fn who(request: &Request) -> Option<String> {
    let known = request.extensions();
    let caller = known.get::<Caller>().map(|caller| match &caller.signed_in {
        Some(person) => person.person.clone(),
        None => caller.actor.clone(),
    });
    caller.or_else(|| known.get::<Wms>().map(|wms| wms.actor.clone()))
}

fn refused(limit: u32, wait: Duration) -> Response {
    ProblemOut::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_requests",
        "Too many requests",
        format!("this key or person may make {limit} requests a minute, and has made them; nothing was done"),
        "Wait for the seconds of `Retry-After`, then send it again. `RateLimit-Remaining` says beforehand how many are left.",
    )
    .after(whole_seconds(wait))
    .into_response()
}

/// Rounded up: who waits that long has waited long enough.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
