//! Giving merchants, stores, warehouses and connections other names, and taking them away.
//!
//! What something depends on stays: the refusal says what must go first. A connection with which something happened is put away
//! instead, so that every order and every effect can still be explained.

use engine::order::OrderState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub,
    connections::{self, ConnectionDetailOut, find},
    endpoints::{self, EndpointOut, MerchantOut, Side, name},
    id,
};
use crate::db::{ConnectionRecord, DbError, OrderQuery, Removed};

/// Another name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameIn {
    /// What it is called from now on, unique in the tenant.
    pub name: String,
}

/// What became of a connection that was to go.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RemovedOut {
    /// `deleted`: nothing had happened with it, and nothing of it is left. `archived`: it is put away with its history, and
    /// cannot be switched on again.
    pub outcome: String,
    /// What it is called now that it is put away: its name is free for another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Orders in these states are finished; all others are in flight.
const FINISHED: [OrderState; 4] =
    [OrderState::Closed, OrderState::Skipped, OrderState::Cancelled, OrderState::Archived];

/// Gives a merchant another name.
///
/// # Errors
/// When the caller may not, there is none, or the name is taken.
pub async fn rename_merchant(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    given: &RenameIn,
) -> Result<MerchantOut, Failure> {
    caller.administers()?;
    let merchant = endpoints::merchant(hub, caller, named).await?;
    let after = name(&given.name)?;
    if after != merchant.name {
        hub.db.rename_merchant(&caller.tenant, &id(&merchant.id)?, &after).await?;
        renamed(hub, caller, "merchant.rename", &merchant.id, &merchant.name, &after).await?;
    }
    Ok(MerchantOut { name: after, ..merchant })
}

/// Gives a store or warehouse another name.
///
/// # Errors
/// When the caller may not, there is none, or the name is taken.
pub async fn rename_endpoint(
    hub: &Hub,
    caller: &Caller,
    side: Side,
    named: &str,
    given: &RenameIn,
) -> Result<EndpointOut, Failure> {
    caller.administers()?;
    let found = endpoints::find(hub, caller, side, named).await?;
    let (before, target) = (found.summary.name.clone(), found.summary.id.clone());
    let after = name(&given.name)?;
    if after != before {
        hub.db.rename_endpoint(&found.scope, side.into(), &target, &after).await?;
        let action = match side {
            Side::Store => "store.rename",
            Side::Warehouse => "warehouse.rename",
        };
        renamed(hub, caller, action, &target, &before, &after).await?;
    }
    endpoints::show(hub, caller, side, &target).await
}

/// Gives a connection another name.
///
/// # Errors
/// When the caller may not, there is none, or the name is taken.
pub async fn rename_connection(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    given: &RenameIn,
) -> Result<ConnectionDetailOut, Failure> {
    caller.administers()?;
    let key = find(hub, caller, named).await?;
    let before = hub.db.connection(&key, &hub.keyring).await?.name;
    let after = name(&given.name)?;
    if after != before {
        hub.db.rename_connection(&key, &after).await?;
        renamed(hub, caller, "connection.rename", key.connection.as_str(), &before, &after).await?;
    }
    connections::detail(hub, caller, &key).await
}

async fn renamed(
    hub: &Hub,
    caller: &Caller,
    action: &'static str,
    target: &str,
    before: &str,
    after: &str,
) -> Result<(), Failure> {
    let detail = serde_json::json!({ "before": before, "after": after });
    hub.db.audit(&caller.access(), &caller.actor, action, target, &detail).await?;
    Ok(())
}

/// Takes a merchant away that nothing belongs to.
///
/// # Errors
/// When the caller may not, or something belongs to it: what, and how many.
pub async fn remove_merchant(hub: &Hub, caller: &Caller, named: &str) -> Result<(), Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let merchant = endpoints::merchant(hub, caller, named).await?;
    hub.db.delete_merchant(&caller.tenant, &id(&merchant.id)?).await.map_err(|error| {
        Failure::from(error).remedy("Remove what belongs to it first; a merchant that has orders is kept with them.")
    })?;
    removed(hub, caller, "merchant.delete", &merchant.id, &merchant.name).await
}

/// Takes a store or warehouse away that no connection uses, with its secrets.
///
/// # Errors
/// When the caller may not, or connections use it, those that were put away included: their names.
pub async fn remove_endpoint(hub: &Hub, caller: &Caller, side: Side, named: &str) -> Result<(), Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let found = endpoints::find(hub, caller, side, named).await?;
    let (before, target) = (found.summary.name, found.summary.id);
    let users: Vec<String> = hub
        .db
        .connections(&caller.access())
        .await?
        .into_iter()
        .filter(|connection| connection.store.as_str() == target || connection.warehouse.as_str() == target)
        .map(|connection| format!("\"{}\"", connection.name))
        .collect();
    if !users.is_empty() {
        return Err(Failure::conflict(format!(
            "the {} \"{before}\" is used by the connections {}",
            side.as_str(),
            users.join(", ")
        ))
        .remedy(
            "Remove these connections first. What happened with one that was put away stays, and its accounts with it.",
        ));
    }
    let action = match side {
        Side::Store => {
            hub.db.delete_store(&found.scope, &id(&target)?).await?;
            "store.delete"
        }
        Side::Warehouse => {
            hub.db.delete_warehouse(&found.scope, &id(&target)?).await?;
            "warehouse.delete"
        }
    };
    removed(hub, caller, action, &target, &before).await
}

/// Takes a connection away: wholly when nothing has happened with it, else it is put away with its history.
///
/// # Errors
/// When the caller may not, it is switched on, or something of it is in flight: what, and how much.
pub async fn remove_connection(hub: &Hub, caller: &Caller, named: &str) -> Result<RemovedOut, Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let key = find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    if record.archived_at.is_some() {
        return Err(Failure::conflict(format!("\"{}\" was put away already", record.name))
            .remedy("What happened with it is kept; there is nothing left to remove."));
    }
    if record.enabled {
        return Err(Failure::conflict(format!("\"{}\" is switched on", record.name))
            .remedy("Switch it off first; what is on its way ends then."));
    }
    let open = in_flight(hub, caller, &record).await?;
    if !open.is_empty() {
        return Err(Failure::conflict(format!("\"{}\" has work in flight: {}", record.name, open.join(", ")))
            .remedy("Let it finish, or cancel or archive the orders and decide about the effects; then try again."));
    }
    let target = key.connection.as_str();
    match hub.db.delete_connection(&key).await {
        Ok(()) => {
            removed(hub, caller, "connection.delete", target, &record.name).await?;
            Ok(removed_out(Removed::Deleted, None))
        }
        Err(DbError::Refused(_)) => {
            let kept = put_away(&record.name, target);
            hub.db.archive_connection(&key, &kept).await?;
            let detail = serde_json::json!({ "before": record.name, "after": kept });
            hub.db.audit(&caller.access(), &caller.actor, "connection.archive", target, &detail).await?;
            Ok(removed_out(Removed::Archived, Some(kept)))
        }
        Err(error) => Err(error.into()),
    }
}

fn removed_out(removed: Removed, name: Option<String>) -> RemovedOut {
    let outcome = match removed {
        Removed::Deleted => "deleted",
        Removed::Archived => "archived",
    };
    RemovedOut { outcome: outcome.to_owned(), name }
}

/// A name that another connection will not want: the end of the id makes it the only one.
fn put_away(name: &str, id: &str) -> String {
    let from = id.char_indices().rev().nth(5).map_or(0, |(at, _)| at);
    let short: String = name.chars().take(80).collect();
    format!("{short} (archived {})", id.get(from..).unwrap_or(id))
}

/// What of a connection is neither finished nor given up, in words.
async fn in_flight(hub: &Hub, caller: &Caller, record: &ConnectionRecord) -> Result<Vec<String>, Failure> {
    let query = OrderQuery { connection: Some(record.key.connection.clone()), limit: 1, ..OrderQuery::default() };
    let counted = hub.db.count_orders(&caller.access(), query).await?;
    let mut open: Vec<String> = OrderState::ALL
        .iter()
        .filter(|state| !FINISHED.contains(state))
        .filter_map(|state| {
            let count = counted.get(state).copied().filter(|count| *count > 0)?;
            Some(format!("orders {}: {count}", state.as_str().replace('_', " ")))
        })
        .collect();
    let effects = hub.db.effects_under_way(&record.key).await?;
    if effects > 0 {
        open.push(format!("changes at remote systems that are not settled: {effects}"));
    }
    Ok(open)
}

async fn removed(hub: &Hub, caller: &Caller, action: &'static str, target: &str, name: &str) -> Result<(), Failure> {
    hub.db.audit(&caller.access(), &caller.actor, action, target, &serde_json::json!({ "name": name })).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::put_away;

    #[test]
    fn a_name_that_was_put_away_is_free_and_its_own() {
        assert_eq!(put_away("main", "con_01ABCDEF"), "main (archived ABCDEF)");
        let long = put_away(&"ä".repeat(100), "con_01ABCDEF");
        assert!(long.chars().count() <= 100 && long.ends_with("(archived ABCDEF)"), "{long}");
    }
}
