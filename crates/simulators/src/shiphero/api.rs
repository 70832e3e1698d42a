//! The vendor's HTTP interface: signing in, and one address for everything else.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use rand::RngExt;
use serde_json::{Map, Value, json};

use super::judge::{Request, Wanted};
use super::ledger::Mutation;
use super::schema::Schema;
use super::{Config, Handle, World};
use crate::faults::Vendor;

pub(super) fn routes(handle: Handle) -> Router {
    Router::new()
        .route("/auth/token", post(token))
        .route("/auth/refresh", post(refresh))
        .route("/graphql", post(graphql))
        .with_state(handle)
}

impl Vendor for Handle {
    /// Refused for credits, with 200.
    fn throttled(&self) -> Response {
        Json(out_of_credits("orders", 101, 0, 1)).into_response()
    }

    fn failed(&self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"errors": [{"message": "Internal server error"}]})))
            .into_response()
    }

    fn expire_tokens(&self, _path: &str) {
        Handle::expire_tokens(self);
    }
}

async fn token(State(handle): State<Handle>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let config = &handle.shared.config;
    let is = |name: &str, wanted: &str| body.get(name).and_then(Value::as_str) == Some(wanted);
    if !is("username", &config.username) || !is("password", &config.password) {
        let told = json!({"message": "Wrong email or password.", "code": "invalid_grant"});
        return (StatusCode::FORBIDDEN, Json(told)).into_response();
    }
    let (access, life) = handle.give_token();
    let refresh = handle.shared.config.refresh_token.clone();
    Json(json!({
        "access_token": access, "expires_in": life.as_secs(), "refresh_token": refresh, "scope": "view:profile",
        "token_type": "Bearer",
    }))
    .into_response()
}

async fn refresh(State(handle): State<Handle>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if body.get("refresh_token").and_then(Value::as_str) != Some(&handle.shared.config.refresh_token) {
        let told = json!({"message": "Unknown or invalid refresh token.", "code": "invalid_grant"});
        return (StatusCode::FORBIDDEN, Json(told)).into_response();
    }
    let (access, life) = handle.give_token();
    Json(json!({
        "access_token": access, "expires_in": life.as_secs(), "scope": "view:profile", "token_type": "Bearer",
    }))
    .into_response()
}

impl Handle {
    fn give_token(&self) -> (String, Duration) {
        let life = self.shared.config.token_life;
        let token = self.with(|world, now| {
            let token = format!("eyJ{:032x}", world.rng.random::<u128>());
            world.tokens.retain(|_, ends| *ends > now);
            world.tokens.insert(token.clone(), now.checked_add(life).unwrap_or(Timestamp::MAX));
            token
        });
        (token, life)
    }

    fn is_signed_in(&self, headers: &HeaderMap) -> bool {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = token.and_then(|value| value.strip_prefix("Bearer ")) else { return false };
        self.with(|world, now| world.tokens.get(token).is_some_and(|ends| *ends > now))
    }
}

async fn graphql(State(handle): State<Handle>, headers: HeaderMap, body: Bytes) -> Response {
    if !handle.is_signed_in(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"message": "Unauthorized"}))).into_response();
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let variables = body.get("variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let schema = &handle.shared.schema;
    let request = match schema.judge(query, &variables) {
        Ok(request) => request,
        Err(why) => {
            handle.with(|world, _| world.off_schema.push(format!("{why}\n{query}")));
            return Json(json!({"errors": [{"message": why}]})).into_response();
        }
    };
    let config = &handle.shared.config;
    let answer = handle.with(|world, now| world.answer(schema, &request, config, now));
    Json(answer).into_response()
}

fn out_of_credits(operation: &str, required: u64, left: u64, seconds: u64) -> Value {
    json!({"errors": [{
        "code": 30,
        "message": format!(
            "There are not enough credits to perform the requested operation, which requires {required} credits, but there are \
             only {left} left. In {seconds} seconds you will have enough credits to perform the operation"
        ),
        "operation": operation, "request_id": "5d0000000000000000000000", "required_credits": required,
        "remaining_credits": left, "time_remaining": format!("{seconds} seconds"),
    }]})
}

impl World {
    /// What has come back to the bucket by now.
    fn refill(&mut self, config: &Config, now: Timestamp) {
        let seconds = now.duration_since(self.credits.1).as_secs_f64().max(0.0);
        let gained = seconds * f64::from(config.credits.per_second);
        self.credits = ((self.credits.0 + gained).min(f64::from(config.credits.bucket)), now);
    }

    fn answer(&mut self, schema: &Schema, request: &Request, config: &Config, now: Timestamp) -> Value {
        self.refill(config, now);
        let is_asked_only = |wanted: &Wanted| wanted.arguments.get("analyze").and_then(Value::as_bool) == Some(true);
        let price: u64 = request.asked.iter().filter(|(one, _)| !is_asked_only(one)).map(|(_, price)| price).sum();
        #[expect(clippy::cast_precision_loss, reason = "prices are small")]
        let cost = price as f64;
        let operation = request.asked.first().map_or("", |(one, _)| one.name.as_str());
        if cost > self.credits.0 {
            let wait = ((cost - self.credits.0) / f64::from(config.credits.per_second.max(1))).ceil().max(1.0);
            self.refused_for_credits += 1;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above zero and small")]
            return out_of_credits(operation, price, self.credits.0 as u64, wait as u64);
        }
        self.credits.0 -= cost;
        let request_id = format!("{:024x}", self.rng.random::<u64>());
        let root = if request.changes { "Mutation" } else { "Query" };
        let (mut data, mut errors) = (Map::new(), Vec::new());
        for (one, price) in &request.asked {
            let result = match request.changes {
                _ if is_asked_only(one) => Ok(json!({ "data": null })),
                true => self.change(&one.name, &one.arguments, now),
                false if one.name == "user_quota" => Ok(self.quota(config)),
                false => self.floor.read(&one.name, &one.arguments, config.search_lag, now),
            };
            let value = match result {
                Ok(mut document) => {
                    if let Some(fields) = document.as_object_mut() {
                        fields.insert("request_id".to_owned(), json!(request_id));
                        fields.insert("complexity".to_owned(), json!(price));
                    }
                    match schema.field(root, &one.name) {
                        Some(field) => schema.answer(&field.ty, &document, one, &mut self.off_schema),
                        None => Value::Null,
                    }
                }
                Err(why) => {
                    // Published: 5 is what was not found. The other codes are not known.
                    let code = if why.ends_with("not found") { 5 } else { 3 };
                    errors.push(json!({
                        "code": code, "message": why, "operation": one.name, "field": one.name, "request_id": request_id,
                    }));
                    Value::Null
                }
            };
            data.insert(one.key.clone(), value);
        }
        if request.changes && self.complaints > 0 {
            self.complaints -= 1;
            let why = "something else went wrong";
            errors.push(json!({"code": 1, "message": why, "operation": operation, "request_id": request_id}));
        }
        if errors.is_empty() { json!({"data": data}) } else { json!({"data": data, "errors": errors}) }
    }

    fn quota(&self, config: &Config) -> Value {
        #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
        let left = self.credits.0 as i64;
        json!({
            "credits_remaining": left, "max_available": config.credits.bucket,
            "increment_rate": config.credits.per_second,
        })
    }

    fn change(&mut self, name: &str, arguments: &Map<String, Value>, now: Timestamp) -> Result<Value, String> {
        let data = arguments.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        let result = match name {
            _ if self.refusals.contains_key(name) => Err(self.refusals[name].clone()),
            "order_create" => self.floor.create(&data, now).map(Some),
            "order_update_holds" => self.floor.set_holds(&data, now).map(Some),
            "order_cancel" => self.floor.cancel(&data, now).map(Some),
            "webhook_create" => return self.subscribe_by_api(&data),
            "webhook_delete" => return self.unsubscribe(&data),
            other => Err(format!("{other} is not simulated")),
        };
        self.floor.mutations.push(Mutation {
            at: now,
            name: name.to_owned(),
            order_id: result.as_ref().ok().copied().flatten(),
            refusal: result.as_ref().err().cloned(),
        });
        let id = result?;
        let order = id.and_then(|id| self.floor.orders.get(&id)).map(|order| self.floor.order_document(order));
        Ok(json!({ "order": order }))
    }
}
