//! What is refused is written to the audit trail: keys that open nothing, what somebody may not do, changes that other pages forged,
//! too many tries. Who, from where and for what; and so much of it only that a flood fills no disk ([`crate::accounts::refusals`]).
//! Counted in this process: with several web nodes each writes down what comes to it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{Extensions, HeaderValue, header},
};
use connect::TenantId;
use jiff::Timestamp;

use super::{Api, auth, problem::ProblemOut};
use crate::{
    accounts::refusals::{Told, Window},
    db::Access,
    operate::{
        Caller, Failure,
        keys::{self, Wms},
    },
};

/// Who a request came from, once that is known. It goes with the answer, to the layer that logs it and writes down what was refused.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// As the audit trail names them.
    actor: String,
    /// Whose trail it is; `None`: the installation's.
    tenant: Option<TenantId>,
}

impl Known {
    /// As the log names them: by what they are and its id. Names and e-mail addresses stay out of it.
    pub(super) fn in_log(&self) -> &str {
        self.actor.split_once(" (").map_or(self.actor.as_str(), |(id, _)| id)
    }
}

impl From<&Caller> for Known {
    fn from(caller: &Caller) -> Self {
        Self { actor: caller.actor.clone(), tenant: Some(caller.tenant.clone()) }
    }
}

impl From<&Wms> for Known {
    fn from(wms: &Wms) -> Self {
        Self { actor: wms.actor.clone(), tenant: Some(wms.desk.scope.tenant.clone()) }
    }
}

/// Goes with an answer that tells a stranger nothing: a call came that did not prove where it is from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unproved;

/// What was refused so far, in each trail.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    trails: Mutex<BTreeMap<Option<TenantId>, Window>>,
}

impl Refusals {
    fn count(&self, tenant: Option<&TenantId>, what: [String; 3], now: Timestamp) -> Told {
        let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
        trails.entry(tenant.cloned()).or_insert_with(|| Window::new(now)).count(what, now)
    }
}

/// What a request asked for, kept until its answer is there.
pub(super) struct Asked {
    id: String,
    method: String,
    route: String,
    address: String,
    credentials: Option<HeaderValue>,
}

impl Asked {
    /// The route is told as the document names it: what a stranger writes in its place, ids of others say, gets into no trail.
    /// The log has the whole path, under the same id.
    pub(super) fn new(id: &str, address: &str, request: &Request) -> Self {
        Self {
            id: id.to_owned(),
            method: request.method().to_string(),
            route: request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned(),
            address: address.to_owned(),
            credentials: request.headers().get(header::AUTHORIZATION).cloned(),
        }
    }

    /// Why it was refused, where that is to be written down. Who sends nothing has tried nothing, and a session that has ended is
    /// everybody's lot.
    pub(super) fn refused(&self, problem: Option<&ProblemOut>, known: &Extensions) -> Option<&'static str> {
        if known.get::<Unproved>().is_some() {
            return Some("call");
        }
        match problem?.kind.as_str() {
            "unauthorised" if self.credentials.is_some() => Some("key"),
            "forbidden" => Some("forbidden"),
            "cross_site" => Some("cross_site"),
            "too_many_requests" => Some("too_many_requests"),
            "too_many_tries" => Some("too_many_tries"),
            _ => None,
        }
    }

    /// Writes down what was refused. Where that does not work the request stays refused, and the log says so.
    pub(super) async fn note(self, api: &Api, known: Option<Known>, why: &str) {
        if let Err(failure) = self.write(api, known, why).await {
            tracing::warn!(refusal.reason = why, "a refused request is missing in the audit trail: {}", failure.detail);
        }
    }

    async fn write(self, api: &Api, known: Option<Known>, why: &str) -> Result<(), Failure> {
        let (tenant, actor) = known.as_ref().map_or((None, ""), |known| (known.tenant.as_ref(), known.actor.as_str()));
        let what = [actor.to_owned(), self.address.clone(), why.to_owned()];
        let told = match api.refusals.count(tenant, what, api.hub.seams.clock.now()) {
            Told::Nothing => return Ok(()),
            Told::Times(times) => serde_json::json!({ "times": times }),
            Told::NoMore => serde_json::json!({ "no_more": "what else is refused within the hour is in the log only" }),
        };
        // A key that is refused may be known all the same, because it was revoked, has ended, or is for something else. It is looked
        // up only where there is a row to write.
        let key = self.credentials.as_ref().and_then(auth::bearer);
        let (tenant, actor) = match (known, key) {
            (Some(known), _) => (known.tenant, known.actor),
            (None, Some(key)) => keys::whose(&api.hub, key).await?.unwrap_or((None, "unknown key".to_owned())),
            (None, None) => (None, "unknown".to_owned()),
        };
        let access = tenant.map_or(Access::System, Access::Tenant);
        let mut detail = serde_json::json!({
            "address": self.address, "why": why, "method": self.method, "request": self.id,
        });
        if let (Some(detail), serde_json::Value::Object(told)) = (detail.as_object_mut(), told) {
            detail.extend(told);
        }
        Ok(api.hub.db.audit(&access, &actor, "access.refused", &self.route, &detail).await?)
    }
}
