//! What switches a connection and its flows on and off.

use connect::Side;
use engine::settings::ConnectionSettings;

use super::{
    Caller, Failure, Hub, Problem, Role,
    connections::{ChannelOut, ConnectionDetailOut, channel_kind, detail, find, problems},
    file::ChannelIn,
    schedules,
};
use crate::db::{ChannelKind, ConnectionKey, ConnectionRecord, Mappings};

/// Switches a connection on.
///
/// # Errors
/// While something stands in its way; every reason is listed.
pub async fn enable(hub: &Hub, caller: &Caller, named: &str) -> Result<ConnectionDetailOut, Failure> {
    switch(hub, caller, named, true).await
}

/// Switches a connection off. What is on its way ends first.
///
/// # Errors
/// When there is none for this caller.
pub async fn disable(hub: &Hub, caller: &Caller, named: &str) -> Result<ConnectionDetailOut, Failure> {
    switch(hub, caller, named, false).await
}

async fn switch(hub: &Hub, caller: &Caller, named: &str, on: bool) -> Result<ConnectionDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    if on {
        not_archived(&record)?;
        let problems = problems(hub, &record, &hub.db.mappings(&key).await?);
        refuse(&record.name, "it cannot be switched on", problems)?;
        if record.channels.iter().any(|channel| channel.kind == ChannelKind::Stock && channel.enabled) {
            permit_stock(hub, &record).await?;
        }
    }
    if record.enabled != on {
        hub.db.enable_connection(&key, on).await?;
        let action = if on { "connection.enable" } else { "connection.disable" };
        let target = key.connection.as_str();
        hub.db.audit(&caller.access(), &caller.actor, action, target, &serde_json::json!({})).await?;
    }
    detail(hub, caller, &key).await
}

/// What was put away stays away.
fn not_archived(record: &ConnectionRecord) -> Result<(), Failure> {
    if record.archived_at.is_none() {
        return Ok(());
    }
    Err(Failure::conflict(format!("\"{}\" was put away, and cannot be switched on again", record.name))
        .remedy("Make a new connection of the same store and warehouse; what happened with this one stays readable."))
}

/// Lets a paused connection go on.
///
/// # Errors
/// When there is none for this caller.
pub async fn resume(hub: &Hub, caller: &Caller, named: &str) -> Result<ConnectionDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = find(hub, caller, named).await?;
    for side in [Side::Source, Side::Warehouse] {
        hub.db.pause(&key, side, None).await?;
    }
    let target = key.connection.as_str();
    hub.db.audit(&caller.access(), &caller.actor, "connection.resume", target, &serde_json::json!({})).await?;
    detail(hub, caller, &key).await
}

/// A channel of a connection.
///
/// # Errors
/// When there is none.
pub async fn show_channel(hub: &Hub, caller: &Caller, named: &str, channel: &str) -> Result<ChannelOut, Failure> {
    let kind = channel_kind(channel)?;
    let key = find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    let found = record.channels.iter().find(|channel| channel.kind == kind);
    let found = found.ok_or_else(|| Failure::not_found(format!("channel {}", kind.as_str())))?;
    Ok(ChannelOut::of(hub, found, record.enabled))
}

/// Switches a channel and sets its pace.
///
/// # Errors
/// When it cannot be switched on; every reason is listed.
pub async fn set_channel(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    channel: &str,
    given: ChannelIn,
) -> Result<ConnectionDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let kind = channel_kind(channel)?;
    let key = find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    write_channel(hub, caller, &record, kind, given).await?;
    detail(hub, caller, &key).await
}

/// Writes a channel down, with its row in the audit trail.
pub(super) async fn write_channel(
    hub: &Hub,
    caller: &Caller,
    record: &ConnectionRecord,
    kind: ChannelKind,
    given: ChannelIn,
) -> Result<(), Failure> {
    let before = record.channels.iter().find(|channel| channel.kind == kind);
    if given.enabled {
        not_archived(record)?;
    }
    let every_seconds = given.every_seconds.or(before.map(|before| before.every_seconds)).unwrap_or(60);
    if !(1..=86_400).contains(&every_seconds) {
        return Err(Failure::invalid(
            "every_seconds: must be between 1 and 86400 (a day)",
            vec![Problem::new("every_seconds", "give seconds between 1 and 86400")],
        ));
    }
    if kind == ChannelKind::Stock {
        if given.enabled {
            permit_stock(hub, record).await?;
        } else {
            hub.db.release_stock(&record.key).await?;
        }
    }
    let schedule = match &given.schedule {
        Some(schedule) => Some(schedules::checked(hub, &record.key, before, schedule).await?),
        None => None,
    };
    hub.db.set_channel(&record.key, kind, given.enabled, every_seconds).await?;
    let detail =
        serde_json::json!({ "channel": kind.as_str(), "enabled": given.enabled, "every_seconds": every_seconds });
    let target = record.key.connection.as_str();
    hub.db.audit(&caller.access(), &caller.actor, "connection.channel", target, &detail).await?;
    if let Some((zone, rules)) = schedule {
        schedules::keep(hub, caller, &record.key, before, kind, &zone, rules).await?;
    }
    Ok(())
}

/// Asks for a run of a channel.
///
/// # Errors
/// When there is no such connection or channel.
pub async fn run_now(hub: &Hub, caller: &Caller, named: &str, channel: &str) -> Result<(), Failure> {
    caller.needs(Role::Staff)?;
    let key = find(hub, caller, named).await?;
    want(hub, &key, channel_kind(channel)?, Some(&caller.actor)).await
}

/// Asks for a run, here and on whichever node runs the connection: for this person, or because something happened.
pub(super) async fn want(
    hub: &Hub,
    key: &ConnectionKey,
    kind: ChannelKind,
    person: Option<&str>,
) -> Result<(), Failure> {
    hub.db.want_run(key, kind, person).await?;
    if let Some(runtime) = hub.workers.runtime(key) {
        match kind {
            ChannelKind::Orders => runtime.wake.orders.notify_one(),
            ChannelKind::Shipments => runtime.wake.shipments.notify_one(),
            ChannelKind::Stock => runtime.wake.stock.notify_one(),
        }
    }
    Ok(())
}

/// What keeps the stock channel from being switched on.
pub(super) fn stock_problems(settings: &ConnectionSettings, mappings: &Mappings) -> Vec<String> {
    let mut problems = Vec::new();
    if settings.stock.increases.is_none() {
        problems.push(
            "stock.increases: choose what happens when the warehouse counts more: \"correct\" (the warehouse is master, and \
             purchase orders are then not received in Brightpearl as well) or \"hold\" (a person looks)"
                .to_owned(),
        );
    }
    if stock_warehouses(settings, mappings).is_empty() {
        problems.push(
            "warehouse: choose Warehouse Name (or exactly one warehouse to import from), or map the facilities under \
             locations: it is not known which Brightpearl warehouse the stock is of"
                .to_owned(),
        );
    }
    problems
}

fn stock_warehouses(settings: &ConnectionSettings, mappings: &Mappings) -> Vec<i64> {
    let mut warehouses: Vec<i64> = mappings.locations.values().copied().collect();
    if warehouses.is_empty() {
        warehouses.extend(settings.default_warehouse());
    }
    warehouses.sort_unstable();
    warehouses.dedup();
    warehouses
}

/// Refuses while something keeps the stock channel from being switched on; else takes the right to write the stock.
async fn permit_stock(hub: &Hub, record: &ConnectionRecord) -> Result<(), Failure> {
    let mappings = hub.db.mappings(&record.key).await?;
    refuse(&record.name, "the stock channel cannot be switched on", stock_problems(&record.settings, &mappings))?;
    let warehouses = stock_warehouses(&record.settings, &mappings);
    match hub.db.own_stock(&record.key, &record.account, &warehouses).await? {
        Ok(()) => Ok(()),
        Err(holder) => Err(Failure::conflict(format!("the stock channel cannot be switched on: {holder}"))
            .remedy("One connection writes the stock of a warehouse; switch the other's stock channel off first.")),
    }
}

fn refuse(name: &str, what: &str, problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    let detail = format!("{name}: {what}: {}", problems.join("; "));
    let problems = problems
        .into_iter()
        .map(|problem| match problem.split_once(": ") {
            Some((at, what)) => Problem::new(at, what),
            None => Problem::new("", problem),
        })
        .collect();
    Err(Failure::invalid(detail, problems).remedy("Mend what is named, then try again."))
}
