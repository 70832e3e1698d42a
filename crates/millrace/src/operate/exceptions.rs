//! Exceptions: what came in, could not be used, and belongs to no order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, PageOut, Role, connections, limit};
use crate::db::FoundException;

/// Which exceptions.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ExceptionsQuery {
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Those that were dealt with as well.
    pub all: bool,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// Something a person should look at and that belongs to no order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExceptionOut {
    /// Its id.
    pub id: String,
    /// Which connection's.
    pub connection: String,
    /// `shipment_input` (a file or page about shipments that could not be used: stock counts wait until it has come again
    /// whole, or somebody has settled it), `input` (any other one), `unknown_key` (a shipment of an order that is not known),
    /// `forgotten_request` (the warehouse has an order that a lost journal had sent, under a key that nothing here knows),
    /// `changed_shipment` (a shipment that came again with other content), `changed_adjustment` (the same of a stock adjustment),
    /// `shipped_after_cancel` (a shipment of what the
    /// warehouse had cancelled and was sent again), `nothing_left` (a report that calls a line complete of which nothing left, or that all of an order left which had left before),
    /// `unacknowledged` (the warehouse has not said in time that it read what was
    /// sent; settles itself when it does), `refused_message` (the warehouse could not take in what was sent).
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What is wrong, and what to do.
    pub reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// When it was dealt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
}

impl From<FoundException> for ExceptionOut {
    fn from(found: FoundException) -> Self {
        let row = found.row;
        Self {
            id: row.id,
            connection: found.key.connection.to_string(),
            kind: row.kind,
            subject: row.subject,
            reason: row.reason,
            at: row.at,
            resolved_at: row.resolved_at,
            resolved_by: row.resolved_by,
        }
    }
}

/// The exceptions the caller may see, newest first.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn list(hub: &Hub, caller: &Caller, query: ExceptionsQuery) -> Result<PageOut<ExceptionOut>, Failure> {
    let connection = match &query.connection {
        Some(named) => Some(connections::find(hub, caller, named).await?),
        None => None,
    };
    let limit = limit(query.limit);
    let page = hub
        .db
        .list_exceptions(&caller.access(), connection.as_ref(), query.all, query.cursor.as_deref(), limit)
        .await?;
    Ok(PageOut { items: page.items.into_iter().map(ExceptionOut::from).collect(), next: page.next })
}

/// A person has dealt with an exception.
///
/// # Errors
/// When there is no open one for this caller.
pub async fn resolve(hub: &Hub, caller: &Caller, exception: &str) -> Result<(), Failure> {
    caller.needs(Role::Staff)?;
    let key = hub.db.find_exception(&caller.access(), exception).await?;
    Ok(hub.db.resolve_exception(&key.scope, exception, &caller.actor).await?)
}
