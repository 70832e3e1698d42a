//! Signing in at an identity provider. The way back from there is no route of v1: a browser is sent there, not a program.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Given, Returned},
    problem::ProblemOut,
    session::Browser,
};
use crate::operate::{
    Failure, FailureKind,
    provider::{self, BackIn, Came, ProviderBegunOut, ProviderIn, ProviderOut},
    second_factor::CodeIn,
    sign_in::SessionOut,
};

/// Say whether people can sign in at an identity provider
#[utoipa::path(get, path = "/session/provider", operation_id = "get_provider", tag = "session", security(()),
    responses((status = 200, body = ProviderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_provider(State(api): State<Arc<Api>>) -> Json<ProviderOut> {
    Json(provider::about(&api.hub))
}

/// Begin to sign in at the identity provider
///
/// Open the address of the answer in the same browser within ten minutes; the provider sends it back here.
#[utoipa::path(post, path = "/session/provider", operation_id = "begin_provider_sign_in", tag = "session", security(()),
    request_body = ProviderIn,
    responses((status = 201, body = ProviderBegunOut), (status = "default", body = ProblemOut)))]
pub(super) async fn begin_provider_sign_in(
    State(api): State<Arc<Api>>,
    browser: Browser,
    Given(given): Given<ProviderIn>,
) -> Result<Response, Failure> {
    let begun = provider::begin(&api.hub, &browser.visitor, &given).await?;
    let mut response = (StatusCode::CREATED, Json(begun.begun)).into_response();
    if let Some(value) = browser.cookie.set_flow(begun.token.expose()) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Give the code of the second factor after the identity provider
///
/// For whoever came back from there and has a second factor here, which the provider did not ask for itself.
#[utoipa::path(post, path = "/session/provider/code", operation_id = "finish_provider_sign_in", tag = "session",
    security(()), request_body = CodeIn,
    responses((status = 201, body = SessionOut), (status = "default", body = ProblemOut)))]
pub(super) async fn finish_provider_sign_in(
    State(api): State<Arc<Api>>,
    browser: Browser,
    headers: HeaderMap,
    Given(given): Given<CodeIn>,
) -> Result<Response, Failure> {
    let token = browser.cookie.flow_token(&headers);
    let begun = provider::finish(&api.hub, &browser.visitor, token.as_deref(), &given).await?;
    browser.ends_earlier(&api).await;
    let mut response = browser.keeps(StatusCode::CREATED, begun);
    if let Some(value) = browser.cookie.clear_flow() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Where the provider sends the browser back to. It goes on to a page of the app, which has words for what it came to: nothing
/// that came with the address is shown, or kept in the browser's list of addresses.
pub(super) async fn come_back(
    State(api): State<Arc<Api>>,
    browser: Browser,
    headers: HeaderMap,
    Returned(given): Returned<BackIn>,
) -> Response {
    let token = browser.cookie.flow_token(&headers);
    let came = provider::come_back(&api.hub, &browser.visitor, token.as_deref(), given).await;
    let (place, cookies) = match came {
        Ok(Came::In(begun)) => {
            browser.ends_earlier(&api).await;
            ("/", vec![browser.cookie.set(begun.token.expose()), browser.cookie.clear_flow()])
        }
        Ok(Came::Waits) => ("/sign-in#provider=code", Vec::new()),
        Err(failure) => {
            tracing::info!(
                client.address = browser.visitor.address,
                "nobody came in by the provider: {}",
                failure.detail
            );
            let place = match failure.kind {
                FailureKind::SignIn => "/sign-in#provider=refused",
                FailureKind::NotFound => "/sign-in#provider=ended",
                FailureKind::Credentials => "/sign-in#provider=cancelled",
                _ => "/sign-in#provider=failed",
            };
            (place, Vec::new())
        }
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(place));
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
