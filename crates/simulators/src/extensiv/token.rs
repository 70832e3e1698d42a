//! Tokens: how they are given out and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rand::RngExt;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::switches::TokenRefusal;
use super::wire::camel;
use super::{Config, Handle, World};

/// Roles a hub needs, as the vendor's help centre names them.
pub(super) const ROLES: [&str; 9] = [
    "CustomerView",
    "FacilityView",
    "InventoryDetailView",
    "ItemView",
    "OrderEdit",
    "OrderView",
    "OrderWrite",
    "ReadPropertiesThirdParty",
    "ReceiverView",
];

/// Tokens in force, with the time each ends.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    given: BTreeMap<String, Timestamp>,
}

impl Tokens {
    pub(super) fn clear(&mut self) {
        self.given.clear();
    }
}

impl World {
    fn give_token(&mut self, config: &Config, now: Timestamp) -> (String, Duration) {
        let (shortest, longest) = config.token_life;
        let spread = longest.saturating_sub(shortest).as_secs();
        // Whole seconds, because that is what the answer can say; never zero.
        let seconds = (shortest.as_secs() + self.rng.random_range(0..=spread)).max(1);
        let life = Duration::from_secs(seconds);
        let token = format!("sim.{:032x}", self.rng.random::<u128>());
        self.tokens.given.retain(|_, ends| *ends > now);
        self.tokens.given.insert(token.clone(), now.checked_add(life).unwrap_or(Timestamp::MAX));
        (token, life)
    }
}

impl Handle {
    /// Whether the caller has a token in force and the role the call asks for.
    pub(super) fn authorise(&self, headers: &HeaderMap, role: Option<&'static str>) -> Result<(), Refusal> {
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(Refusal::Unauthenticated)?;
        let in_force = self.with(|world, now| world.tokens.given.get(token).is_some_and(|ends| *ends > now));
        if !in_force {
            return Err(Refusal::Unauthenticated);
        }
        match role {
            Some(role) if !self.shared.config.roles.contains(role) => Err(Refusal::Role(role)),
            Some(_) | None => Ok(()),
        }
    }
}

/// `POST /AuthServer/api/Token`.
pub(super) async fn give(State(handle): State<Handle>, headers: HeaderMap, body: Bytes) -> Response {
    match check(&handle.shared.config, &headers, &body) {
        Err((error, description)) => {
            let body = match handle.shared.config.switches.token_refusal {
                TokenRefusal::Message => json!({"Message": format!("{error}: {description}")}),
                TokenRefusal::OAuth => json!({"error": error, "error_description": description}),
            };
            (StatusCode::UNAUTHORIZED, Json(body)).into_response()
        }
        Ok(()) => {
            let (token, life) = handle.with(|world, now| world.give_token(&handle.shared.config, now));
            Json(json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": life.as_secs(),
                "refresh_token": null,
                "scope": null,
            }))
            .into_response()
        }
    }
}

fn check(config: &Config, headers: &HeaderMap, body: &Bytes) -> Result<(), (&'static str, &'static str)> {
    let credential = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|encoded| STANDARD.decode(encoded).ok());
    let expected = format!("{}:{}", config.client_id, config.client_secret);
    if credential.as_deref() != Some(expected.as_bytes()) {
        return Err(("invalid_client", "client not registered"));
    }
    let body: Value =
        serde_json::from_slice(body).map(camel).map_err(|_| ("invalid_request", "the body is not JSON"))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("grant_type") != "client_credentials" {
        return Err(("unsupported_grant_type", "only client_credentials is supported"));
    }
    let by_id = match body.get("user_login_id") {
        Some(Value::Number(id)) => id.as_u64() == Some(config.user_login_id),
        Some(Value::String(id)) => *id == config.user_login_id.to_string(),
        _ => false,
    };
    if text("user_login") != config.user_login && !by_id {
        return Err(("invalid_grant", "user login not found"));
    }
    let bare = |text: &str| text.trim_matches(['{', '}']).to_ascii_lowercase();
    match &config.tpl {
        Some(tpl) if bare(tpl) != bare(text("tpl")) => Err(("invalid_grant", "tpl not found")),
        Some(_) | None => Ok(()),
    }
}
