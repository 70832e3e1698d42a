//! The addresses where tokens are handed out.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::auth::{Grant, NOT_AUTHENTICATED};
use super::call::{Refusal, field, text};
use super::envelope::{Generation, Outside, TOO_MANY, seal};
use super::server::{Asked, plain};
use super::switches::{LogInCost, WrongPassword};
use super::{Brightpearl, World};

impl Brightpearl {
    pub(super) fn log_in(&self, world: &mut World, asked: &Asked<'_>, code: &str) -> Response {
        let (status, body) = self.check_log_in(world, asked, code);
        let record = asked.record(code, "authorise", status);
        // A log-in is not part of the quota unless assumed otherwise, so it is no part of the busiest window either.
        world.ledger.request(record, status == 503, None);
        let outside = Outside {
            generation: Generation::Legacy,
            status,
            message: "",
            ruid: asked.ruid.clone(),
            throttle: None,
            instance: None,
            retry_after: false,
        };
        seal(&outside, body.to_string().into_bytes())
    }

    fn check_log_in(&self, world: &mut World, asked: &Asked<'_>, code: &str) -> (u16, Value) {
        let switches = &self.shared.switches;
        let terms = (switches, self.shared.pace);
        let World { accounts, rng, .. } = world;
        // What an unknown account gets is an assumption.
        let Some(account) = accounts.get_mut(code) else {
            return (404, Refusal::not_found(format!("Cannot find the resource /{code}/authorise")).body());
        };
        if switches.log_in_cost == LogInCost::One {
            let limit = account.requests_per_window;
            if !account.throttle.take("private", asked.now, 1, limit, terms).granted {
                return (503, json!({ "response": TOO_MANY }));
            }
        }
        let body = asked.json().unwrap_or(Value::Null);
        let given = |name: &str| {
            body.get("apiAccountCredentials").and_then(|given| field(given, name)).and_then(text).map(str::to_owned)
        };
        let email = given("emailAddress").or_else(|| given("email")).unwrap_or_default();
        let password = given("password").unwrap_or_default();
        let app = asked.header("brightpearl-app-ref");
        if let Some(token) = account.access.log_in(&email, &password, app, asked.now, terms, rng) {
            return (200, json!({ "response": token }));
        }
        let errors = Refusal::invalid("Invalid credentials").body();
        match switches.wrong_password {
            WrongPassword::Unauthorised => (401, json!({ "response": NOT_AUTHENTICATED })),
            WrongPassword::BadRequest => (400, errors),
            WrongPassword::Forbidden => (403, errors),
            WrongPassword::Ok => (200, errors),
        }
    }

    /// The consent page of the real system asks a person; here the owner always agrees.
    pub(super) fn consent(&self, world: &mut World, asked: &Asked<'_>, code: &str) -> Response {
        let World { accounts, rng, .. } = world;
        let query: BTreeMap<String, String> = asked.query().into_iter().collect();
        let given = |name: &str| query.get(name).map_or("", String::as_str);
        let redirect = given("redirect_uri");
        let code = accounts
            .get_mut(code)
            .and_then(|found| found.access.consent(given("client_id"), redirect, asked.now, self.shared.pace, rng));
        let (Some(code), Ok(mut target)) = (code, url::Url::parse(redirect)) else {
            return plain(400, &json!({ "error": "invalid_client" }));
        };
        target.query_pairs_mut().append_pair("code", &code).append_pair("state", given("state"));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FOUND;
        if let Ok(value) = HeaderValue::from_str(target.as_str()) {
            response.headers_mut().insert("location", value);
        }
        response
    }

    pub(super) fn token(&self, world: &mut World, asked: &Asked<'_>, code: &str) -> Response {
        let response = self.hand_out(world, asked, code);
        // No part of the quota: it has no throttle headers.
        let record = asked.record(code, "token", response.status().as_u16());
        world.ledger.request(record, false, None);
        response
    }

    fn hand_out(&self, world: &mut World, asked: &Asked<'_>, code: &str) -> Response {
        let World { accounts, rng, .. } = world;
        let Some(account) = accounts.get_mut(code) else {
            return oauth(400, &json!({ "error": "invalid_client" }));
        };
        let terms = (&self.shared.switches, self.shared.pace);
        match account.access.exchange(&asked.form(), asked.now, terms, rng) {
            Grant::Tokens { access, refresh, instance, expires_in } => {
                let mut body = json!({
                    "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
                    "api_domain": asked.header("host").unwrap_or("ws-use.brightpearl.com"), "expires_in": expires_in
                });
                if let Some(instance) = instance {
                    body["installation_instance_id"] = json!(instance.to_string());
                }
                oauth(200, &body)
            }
            Grant::InvalidClient => oauth(400, &json!({ "error": "invalid_client" })),
            Grant::UnknownCode => oauth(
                400,
                &json!({
                    "error_description": "The auth token has either expired or does not exist", "error": "invalid_grant"
                }),
            ),
            Grant::OtherRedirect => oauth(
                400,
                &json!({
                    "error_description": "Redirect uri does not match that used to request auth token",
                    "error": "invalid_grant"
                }),
            ),
        }
    }
}

pub(super) fn account_location(asked: &Asked<'_>, account: &str) -> Response {
    let host = asked.header("host").unwrap_or_default();
    plain(
        200,
        &json!({ "response": {
            "datacentreCode": "euw1", "apiDomain": host,
            "urls": {
                "login": format!("http://{host}/{account}.login"),
                "authorizeServer": format!("http://{host}/authorize/server"),
                "authorizeInstance": format!("http://{host}/authorize_instance.php")
            }
        } }),
    )
}

fn oauth(status: u16, body: &Value) -> Response {
    let mut response = plain(status, body);
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-cache, private"));
    headers.insert("vary", HeaderValue::from_static("X-Forwarded-Proto"));
    headers.insert("strict-transport-security", HeaderValue::from_static("max-age=15724800"));
    response
}
