//! Who asks. Every route of v1 but those for signing in passes here; nothing is open unless this lets it in.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension,
    extract::{MatchedPath, OriginalUri, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use connect::Secret;
use utoipa::openapi::OpenApi;

use super::{Api, browser, browser::Cookie, problem::ProblemOut, refusals::Known};
use crate::operate::{Caller, Failure, FailureKind, Role, keys, sign_in};

/// Header that names the tenant, for administrators of the installation where there are several tenants.
pub(super) const TENANT: &str = "millrace-tenant";

/// Where v1 lies.
pub(super) const V1: &str = "/api/v1";

/// The session a request came with.
#[derive(Clone)]
pub(super) struct Token(pub(super) Secret);

/// Lets in who has a valid key, or a session. With a session, what changes something must come from our own pages.
pub(super) async fn authenticate(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let cookie = Cookie::of(request.extensions(), request.headers(), request.uri());
    match of_session(&api, cookie, looks(&request), request.headers(), request.uri()).await {
        Err(refused) => return refused,
        Ok(Some((caller, token))) => {
            let known = Known::from(&caller);
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(Token(Secret::new(token)));
            return of(known, next.run(request).await);
        }
        Ok(None) => {}
    }
    match caller(&api, request.headers()).await {
        Ok(caller) => {
            let known = Known::from(&caller);
            request.extensions_mut().insert(caller);
            of(known, next.run(request).await)
        }
        Err(response) => response,
    }
}

/// An answer that goes to somebody who is known.
fn of(known: Known, mut response: Response) -> Response {
    response.extensions_mut().insert(known);
    response
}

/// Who came with a session, and with which; `None`: the request has a key, or neither.
async fn of_session(
    api: &Api,
    cookie: Cookie,
    looks: bool,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Option<(Caller, String)>, Response> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let Some(token) = cookie.token(headers) else { return Ok(None) };
    let tenant = headers.get(TENANT).and_then(|value| value.to_str().ok());
    let caller = match sign_in::session(&api.hub, &token, tenant).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return Err(ended(cookie)),
        Err(failure) => return Err(failure.into_response()),
    };
    if !looks {
        let expected = sign_in::csrf(&token);
        let public = api.hub.config.public_url.as_ref();
        if let Some(why) = browser::refused(headers, uri, public, &expected) {
            return Err(of(Known::from(&caller), cross_site(why)));
        }
    }
    Ok(Some((caller, token)))
}

/// Lets in the system of a warehouse, which has a key of its own; nobody else.
pub(super) async fn authenticate_warehouse(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let cookie = Cookie::of(request.extensions(), request.headers(), request.uri());
    match of_session(&api, cookie, looks(&request), request.headers(), request.uri()).await {
        Err(refused) => return refused,
        Ok(Some((caller, _))) => {
            let why = "this is for the system of a warehouse, with a key of its own";
            return of(Known::from(&caller), Failure::new(FailureKind::Forbidden, why).into_response());
        }
        Ok(None) => {}
    }
    let Some(key) = request.headers().get(header::AUTHORIZATION).and_then(bearer) else {
        return ProblemOut::unauthorised().into_response();
    };
    match keys::warehouse(&api.hub, key).await {
        Ok(Some(wms)) => {
            let known = Known::from(&wms);
            request.extensions_mut().insert(wms);
            of(known, next.run(request).await)
        }
        Ok(None) => ProblemOut::unauthorised().into_response(),
        Err(failure) => failure.into_response(),
    }
}

/// Where no tenant is meant, a key of the installation's administrators need not say which: the oldest one stands for it. It
/// only decides where answers to repeats are kept.
pub(super) async fn of_no_tenant(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::AUTHORIZATION) && !request.headers().contains_key(TENANT) {
        let oldest = match api.hub.db.tenants().await {
            Ok(tenants) => tenants.into_iter().next(),
            Err(error) => return Failure::from(error).into_response(),
        };
        if let Some(value) = oldest.and_then(|tenant| HeaderValue::from_str(tenant.id.as_str()).ok()) {
            request.headers_mut().insert(TENANT, value);
        }
    }
    next.run(request).await
}

/// Who owes a second factor sets one up first: that, and what else people do about themselves, is all that is open.
pub(super) async fn with_factor(Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    match owes(&caller) {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    }
}

/// The refusal of a caller who owes a second factor.
pub(super) fn owes(caller: &Caller) -> Option<Failure> {
    let owes = caller.signed_in.as_ref().is_some_and(|own| own.owes_factor);
    let why = "this installation asks you for a second factor, and you have none";
    owes.then(|| Failure::new(FailureKind::FactorOwed, why))
}

/// To change anything takes more than the right to look; what takes more than that is asked by the operation itself.
pub(super) async fn may_change(Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    if !looks(&request)
        && let Err(refused) = caller.needs(Role::Staff)
    {
        return refused.into_response();
    }
    next.run(request).await
}

/// The area of each route: the tag it has in the document, by its path there.
pub(super) fn areas(document: &OpenApi) -> Arc<BTreeMap<String, String>> {
    let tagged = document.paths.paths.iter().filter_map(|(path, item)| {
        let operations = [&item.get, &item.put, &item.post, &item.patch, &item.delete];
        let tag = operations.into_iter().flatten().find_map(|operation| operation.tags.as_ref()?.first().cloned())?;
        Some((path.clone(), tag))
    });
    Arc::new(tagged.collect())
}

/// A key with scopes opens the areas that they name, and nothing of any other.
pub(super) async fn within_scopes(
    State(areas): State<Arc<BTreeMap<String, String>>>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    // Where nothing is matched there is nothing to be opened.
    if let Some(path) = request.extensions().get::<MatchedPath>() {
        let path = path.as_str();
        let area = areas.get(path.strip_prefix(V1).unwrap_or(path)).map_or("", String::as_str);
        let writes = !looks(&request);
        if !caller.scopes.permit(area, writes) {
            let verb = if writes { "write" } else { "read" };
            let why = format!("this needs the scope {area}:{verb}, and the key has {}", caller.scopes);
            let remedy = "Use a key with that scope, or with none, which may all that its role may (`POST /keys`).";
            return Failure::new(FailureKind::Forbidden, why).remedy(remedy).into_response();
        }
    }
    next.run(request).await
}

/// What people do about themselves is for people: a key is nobody.
pub(super) async fn only_people(Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    match caller.person() {
        Ok(_) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Before anybody is signed in there is no session to protect, but another site's page must not sign somebody in.
pub(super) async fn from_here(
    State(api): State<Arc<Api>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    if browser::from_elsewhere(request.headers(), &uri, api.hub.config.public_url.as_ref()) {
        return cross_site("it does not come from a page of this installation");
    }
    next.run(request).await
}

fn looks(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The session has ended: its cookie goes.
fn ended(cookie: Cookie) -> Response {
    let mut response = ProblemOut::unauthorised().into_response();
    if let Some(value) = cookie.clear() {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

fn cross_site(why: &str) -> Response {
    ProblemOut::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        "Refused to protect you",
        format!("this change came with your session, and {why}"),
        "Do it on Millrace's own pages; programs use an API key.",
    )
    .into_response()
}

/// Whether a request that goes on for long, like an open stream, would still be let in, and as whom.
pub(super) async fn still(api: &Api, headers: &HeaderMap, token: Option<&Token>) -> Option<Caller> {
    let Some(Token(token)) = token else { return caller(api, headers).await.ok() };
    let tenant = headers.get(TENANT).and_then(|value| value.to_str().ok());
    let caller = sign_in::still(&api.hub, token.expose(), tenant).await.ok().flatten();
    caller.filter(|caller| owes(caller).is_none())
}

/// The key in an `Authorization` header.
pub(super) fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The caller behind the key in these headers.
pub(super) async fn caller(api: &Api, headers: &HeaderMap) -> Result<Caller, Response> {
    let Some(key) = headers.get(header::AUTHORIZATION).and_then(bearer) else {
        return Err(ProblemOut::unauthorised().into_response());
    };
    let tenant = headers.get(TENANT).and_then(|value| value.to_str().ok());
    match keys::sign_in(&api.hub, key, tenant).await {
        Ok(Some(caller)) => Ok(caller),
        Ok(None) => Err(ProblemOut::unauthorised().into_response()),
        Err(failure) => Err(failure.into_response()),
    }
}
