//! Schedules of channels, and what became of their runs.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    schedules::{self, ChannelRunOut, ScheduleIn, ScheduleOut},
};

/// Get the schedule of a channel
///
/// Its rules, and the next five moments at which one of them fires.
#[utoipa::path(get, path = "/connections/{connection}/channels/{channel}/schedule", operation_id = "get_schedule", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("channel" = String, Path, description = "`orders`, `shipments` or `stock`.")),
    responses((status = 200, body = ScheduleOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_schedule(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, channel)): Named<(String, String)>,
) -> Result<Json<ScheduleOut>, Failure> {
    Ok(Json(schedules::show(&api.hub, &caller, &connection, &channel).await?))
}

/// Update the schedule of a channel
///
/// Rules stand beside each other: whichever fires, runs. They take the place of the channel's own pace; what happens meanwhile
/// (calls, people) makes it run all the same. No rules: its own pace again. A channel that is switched off keeps them.
#[utoipa::path(put, path = "/connections/{connection}/channels/{channel}/schedule", operation_id = "update_schedule", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("channel" = String, Path, description = "`orders`, `shipments` or `stock`.")),
    request_body = ScheduleIn,
    responses((status = 200, body = ScheduleOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_schedule(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, channel)): Named<(String, String)>,
    Given(given): Given<ScheduleIn>,
) -> Result<Json<ScheduleOut>, Failure> {
    Ok(Json(schedules::set(&api.hub, &caller, &connection, &channel, &given).await?))
}

/// List the runs of a channel
///
/// Of the last week, newest first: why each was begun, what it did, and how far one that is under way has come.
#[utoipa::path(get, path = "/connections/{connection}/channels/{channel}/runs", operation_id = "list_channel_runs", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("channel" = String, Path, description = "`orders`, `shipments` or `stock`."), PagingQuery),
    responses((status = 200, body = PageOut<ChannelRunOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_channel_runs(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, channel)): Named<(String, String)>,
    Asked(query): Asked<PagingQuery>,
) -> Result<Json<PageOut<ChannelRunOut>>, Failure> {
    Ok(Json(schedules::runs(&api.hub, &caller, &connection, &channel, &query).await?))
}
