//! The address that takes the link of `millrace demo`. It is there in a demo only, and in no document.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};

use super::{Api, extract::Given, session::Browser};
use crate::operate::{Failure, demo, links::LinkIn};

/// Where it is.
pub(super) const PATH: &str = "/sign-in/demo";

/// The token travels in the body: addresses are written to logs.
pub(super) async fn come_in(
    State(api): State<Arc<Api>>,
    browser: Browser,
    Given(given): Given<LinkIn>,
) -> Result<Response, Failure> {
    let begun = demo::come_in(&api.hub, &browser.visitor, &given).await?;
    browser.ends_earlier(&api).await;
    Ok(browser.keeps(StatusCode::CREATED, begun))
}
