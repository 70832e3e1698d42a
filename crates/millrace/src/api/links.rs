//! Links that let somebody in once. Tokens travel in bodies only: addresses are written to logs.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::{Api, extract::Given, problem::ProblemOut, session::Browser};
use crate::operate::{
    Failure,
    links::{self, LinkAboutOut, LinkIn, RedeemIn, RedeemedOut},
};

/// Say what a link is for
///
/// It is not used by that. Unknown, used and ended links answer alike.
#[utoipa::path(post, path = "/links/describe", operation_id = "describe_link", tag = "session", security(()),
    request_body = LinkIn,
    responses((status = 200, body = LinkAboutOut), (status = "default", body = ProblemOut)))]
pub(super) async fn describe_link(
    State(api): State<Arc<Api>>,
    browser: Browser,
    Given(given): Given<LinkIn>,
) -> Result<Json<LinkAboutOut>, Failure> {
    Ok(Json(links::about(&api.hub, &browser.visitor, &given).await?))
}

/// Use a link
///
/// Makes the person it is for, or sets their password. It works once. Sign in afterwards.
#[utoipa::path(post, path = "/links/redeem", operation_id = "redeem_link", tag = "session", security(()),
    request_body = RedeemIn,
    responses((status = 201, body = RedeemedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn redeem_link(
    State(api): State<Arc<Api>>,
    browser: Browser,
    Given(given): Given<RedeemIn>,
) -> Result<(StatusCode, Json<RedeemedOut>), Failure> {
    Ok((StatusCode::CREATED, Json(links::redeem(&api.hub, &browser.visitor, given).await?)))
}
