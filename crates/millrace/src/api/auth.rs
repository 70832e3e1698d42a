//! Who asks. Every route of v1 passes here; nothing is open unless this lets it in.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{Api, problem::ProblemOut};
use crate::operate::{Caller, Role, keys};

/// Header that names the tenant, for keys of the installation's administrators where there are several tenants.
pub(super) const TENANT: &str = "millrace-tenant";

/// Lets in who has a valid key. To change anything takes more than the right to look; what takes more than that is asked by
/// the operation itself.
pub(super) async fn authenticate(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let caller = match caller(&api, request.headers()).await {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if !looks && let Err(refused) = caller.needs(Role::Staff) {
        return refused.into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The caller behind these headers.
pub(super) async fn caller(api: &Api, headers: &HeaderMap) -> Result<Caller, Response> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    let Some(key) = key else { return Err(ProblemOut::unauthorised().into_response()) };
    let tenant = headers.get(TENANT).and_then(|value| value.to_str().ok());
    match keys::sign_in(&api.hub, key, tenant).await {
        Ok(Some(caller)) => Ok(caller),
        Ok(None) => Err(ProblemOut::unauthorised().into_response()),
        Err(failure) => Err(failure.into_response()),
    }
}
