//! What all calls have in common: sign-in, media types, pages, and the note in the ledger.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::extensiv::Handle;
use crate::extensiv::catalogue::Listed;
use crate::extensiv::floor::Floor;
use crate::extensiv::ledger::Mutation;
use crate::extensiv::model::Order;
use crate::extensiv::refusal::Refusal;
use crate::extensiv::rql::{Filter, Row, RqlError, sort_rows};
use crate::extensiv::wire::{Shape, camel};

/// What a successful call answers.
pub(super) struct Done {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) document: Option<Value>,
    /// Whether anything changed.
    pub(super) effect: bool,
}

impl Done {
    pub(super) fn document(document: Value) -> Self {
        Self { status: StatusCode::OK, etag: None, document: Some(document), effect: true }
    }

    pub(super) fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, etag: None, document: None, effect: true }
    }
}

/// A call as it came in.
pub(super) struct Call<'a> {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) role: &'static str,
    pub(super) order: Option<u64>,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: Option<String>,
}

pub(super) type Query = BTreeMap<String, String>;

impl Handle {
    pub(super) fn read(
        &self,
        call: &Call<'_>,
        work: impl FnOnce(&Floor, &Query, Timestamp) -> Result<Done, Refusal>,
    ) -> Response {
        let result = self.authorise(call.headers, Some(call.role)).and_then(|()| {
            let query = call.query();
            self.with(|world, now| work(&world.floor, &query, now))
        });
        answer(call.shape(), result)
    }

    /// Runs a change and notes in the ledger whether it took effect.
    pub(super) fn change(
        &self,
        call: &Call<'_>,
        body: &Bytes,
        work: impl FnOnce(&mut Floor, &Value, Timestamp) -> Result<(Done, Option<u64>), Refusal>,
    ) -> Response {
        let body = self.authorise(call.headers, Some(call.role)).and_then(|()| read_body(call.headers, body));
        let result = self.with(|world, now| {
            let result = body.and_then(|body| work(&mut world.floor, &body, now));
            world.floor.mutations.push(Mutation {
                at: now,
                method: call.method.to_owned(),
                path: call.path.clone(),
                order_id: result.as_ref().map_or(call.order, |done| done.1.or(call.order)),
                took_effect: result.as_ref().is_ok_and(|done| done.0.effect),
                status: match &result {
                    Ok(done) => done.0.status.as_u16(),
                    Err(refusal) => refusal.status().as_u16(),
                },
                code: result.as_ref().err().and_then(Refusal::code).map(str::to_owned),
            });
            result.map(|done| done.0)
        });
        answer(call.shape(), result)
    }
}

impl Call<'_> {
    fn shape(&self) -> Shape {
        let accepts_hal = self
            .headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("application/hal+json"));
        if accepts_hal { Shape::Hal } else { Shape::Plain }
    }

    /// Names in lower case; values decoded once.
    pub(super) fn query(&self) -> Query {
        url::form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
            .collect()
    }

    /// `If-Match` against the order's tag. The weak form is taken as well: a public client sends it.
    pub(super) fn check_match(&self, order: &Order) -> Result<(), Refusal> {
        let given = self
            .headers
            .get(IF_MATCH)
            .ok_or(Refusal::PreconditionRequired)?
            .to_str()
            .map_err(|_| Refusal::PreconditionFailed)?;
        let bare = given.strip_prefix("W/").unwrap_or(given);
        if bare == order.etag() || bare == "*" { Ok(()) } else { Err(Refusal::PreconditionFailed) }
    }
}

pub(super) fn read_body(headers: &HeaderMap, body: &Bytes) -> Result<Value, Refusal> {
    let is_json =
        headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("json"));
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if !is_json {
        return Err(Refusal::UnsupportedMediaType);
    }
    serde_json::from_slice(body).map(camel).map_err(|error| Refusal::Model {
        property: "Body".to_owned(),
        value: None,
        code: "ValueNotSupported",
        hint: error.to_string(),
    })
}

pub(super) fn answer(shape: Shape, result: Result<Done, Refusal>) -> Response {
    let (status, etag, body) = match result {
        Ok(done) => (done.status, done.etag, done.document.map(|document| shape.dress(document))),
        Err(refusal) => (refusal.status(), None, refusal.body()),
    };
    let mut response = match body {
        Some(body) => (status, [(CONTENT_TYPE, shape.media_type())], body.to_string()).into_response(),
        None => status.into_response(),
    };
    if let Some(etag) = etag
        && let Ok(value) = etag.parse()
    {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// Page sizes of one list call.
#[derive(Clone, Copy)]
pub(super) struct Pages {
    pub(super) default: usize,
    pub(super) most: usize,
}

/// What a page of a list is wrapped in.
#[derive(Clone, Copy)]
pub(super) enum Wrap {
    /// `_embedded` under this key.
    Embedded(&'static str),
    /// `summaries`, without `_embedded`.
    Summaries,
}

pub(super) fn number_of(query: &Query, name: &'static str, default: usize) -> Result<usize, Refusal> {
    match query.get(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Refusal::query(name, "NotParsable", "must be a positive whole number")),
    }
}

pub(super) fn rql_refusal(parameter: &'static str) -> impl Fn(RqlError) -> Refusal {
    move |error| match error {
        RqlError::NotParsable(hint) => Refusal::query(parameter, "NotParsable", &hint),
        RqlError::UnknownProperty(path) => {
            Refusal::query(parameter, "NotParsable", &format!("Properties not supported: {path}"))
        }
    }
}

/// Filters, sorts and cuts a list.
pub(super) fn list<R: Row>(
    path: &str,
    query: &Query,
    pages: Pages,
    wrap: Wrap,
    rows: Vec<R>,
    document: impl Fn(&R) -> Value,
) -> Result<Done, Refusal> {
    let size = number_of(query, "pgsiz", pages.default)?;
    if size > pages.most {
        let hint = format!("must be at most {}", pages.most);
        return Err(Refusal::query("pgsiz", "NotParsable", &hint));
    }
    let page = number_of(query, "pgnum", 1)?;
    let filter = match query.get("rql").filter(|text| !text.is_empty()) {
        Some(text) => Filter::parse(text).map_err(rql_refusal("rql"))?,
        None => Filter::everything(),
    };
    let mut found = Vec::new();
    for row in rows {
        if filter.matches(&row).map_err(rql_refusal("rql"))? {
            found.push(row);
        }
    }
    if let Some(sort) = query.get("sort").filter(|text| !text.is_empty()) {
        sort_rows(&mut found, sort).map_err(rql_refusal("sort"))?;
    }
    let total = found.len();
    let shown: Vec<Value> = found.iter().skip((page - 1).saturating_mul(size)).take(size).map(document).collect();
    let mut body = Map::new();
    body.insert("totalResults".to_owned(), json!(total));
    match wrap {
        Wrap::Embedded(key) => {
            let href = |page: usize| json!({"href": format!("{path}?pgsiz={size}&pgnum={page}")});
            let mut links = Map::new();
            links.insert("self".to_owned(), href(page));
            if page.saturating_mul(size) < total {
                links.insert("next".to_owned(), href(page + 1));
            }
            if page > 1 {
                links.insert("prev".to_owned(), href(page - 1));
            }
            body.insert("_embedded".to_owned(), json!({key: shown}));
            body.insert("_links".to_owned(), Value::Object(links));
        }
        Wrap::Summaries => {
            body.insert("summaries".to_owned(), Value::Array(shown));
        }
    }
    Ok(Done::document(Value::Object(body)))
}

pub(super) fn listed(path: &str, query: &Query, pages: Pages, wrap: Wrap, rows: Vec<Listed>) -> Result<Done, Refusal> {
    list(path, query, pages, wrap, rows, |row| row.document.clone())
}

pub(super) fn get_call<'a>(path: &str, role: &'static str, headers: &'a HeaderMap, query: Option<String>) -> Call<'a> {
    Call { method: "GET", path: path.to_owned(), role, order: None, headers, query }
}

pub(super) fn path_id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}
