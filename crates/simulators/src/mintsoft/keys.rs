//! Keys: how they are given out and checked.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use rand::RngExt;
use serde_json::{Value, json};

use super::Handle;

/// Keys in force, with the time each ends.
#[derive(Debug, Default)]
pub(super) struct Keys {
    given: BTreeMap<String, Timestamp>,
}

impl Keys {
    pub(super) fn clear(&mut self) {
        self.given.clear();
    }
}

impl Handle {
    /// Whether the caller has a key in force. A key in the address has not worked since 2024.
    pub(super) fn is_signed_in(&self, headers: &HeaderMap) -> bool {
        let key = headers.get("ms-apikey").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let lasting = self.shared.config.lasting_key.as_deref() == Some(key);
        lasting || self.with(|world, now| world.keys.given.get(key).is_some_and(|ends| *ends > now))
    }
}

/// The answer to whoever has none.
pub(super) fn denied() -> Response {
    let told = json!({"Message": "Authorization has been denied for this request."});
    (StatusCode::UNAUTHORIZED, Json(told)).into_response()
}

/// `POST /api/Auth`: the key is a JSON text by itself.
pub(super) async fn give(State(handle): State<Handle>, body: Bytes) -> Response {
    let config = &handle.shared.config;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is = |name: &str, wanted: &str| body.get(name).and_then(Value::as_str) == Some(wanted);
    if !is("Username", &config.username) || !is("Password", &config.password) {
        let told = json!({"Message": "Username or password is incorrect"});
        return (StatusCode::UNAUTHORIZED, Json(told)).into_response();
    }
    let key = handle.with(|world, now| {
        let key = uuid::Uuid::from_u128(world.rng.random()).to_string();
        let ends = now.checked_add(config.key_life).unwrap_or(Timestamp::MAX);
        world.keys.given.retain(|_, ends| *ends > now);
        world.keys.given.insert(key.clone(), ends);
        key
    });
    Json(key).into_response()
}
