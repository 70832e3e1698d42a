//! Making things as a file says.

use super::{
    Document,
    compare::{self, ConnectionStep, EndpointStep, Plan, Step},
};
use crate::{
    db::{ConnectionKey, Mappings, Scope},
    operate::{
        Caller, Failure, Hub, connections,
        endpoints::{self, NewMerchantIn, Side},
        id, mappings, switches,
    },
};

/// Applies a file; what it changed. What is not in the file is left alone. Applied again, it changes nothing; cut off half
/// way, applying it again does the rest.
///
/// # Errors
/// When the file cannot be applied: every problem, with its line; then nothing was changed.
pub async fn apply(hub: &Hub, caller: &Caller, document: &Document) -> Result<Plan, Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let work = compare::work(hub, caller, document).await?;
    for step in work.steps {
        match step {
            Step::Merchant { name } => {
                endpoints::create_merchant(hub, caller, NewMerchantIn { name }).await?;
            }
            Step::Endpoint(step) => endpoint(hub, caller, *step).await?,
            Step::Connection(step) => connection(hub, caller, *step).await?,
        }
    }
    Ok(work.plan)
}

async fn endpoint(hub: &Hub, caller: &Caller, step: EndpointStep) -> Result<(), Failure> {
    let EndpointStep { side, known, name, merchant, platform, settings } = step;
    let merchant = endpoints::merchant(hub, caller, &merchant).await?;
    let scope = Scope { tenant: caller.tenant.clone(), merchant: id(&merchant.id)? };
    let spec = endpoints::platform(side, &platform)?;
    let known = known.as_ref().map(|(id, before)| (id.as_str(), before));
    let kept = endpoints::Keep { side, scope: &scope, known, name: &name, renamed: false, spec, settings };
    endpoints::keep(hub, caller, kept).await?;
    Ok(())
}

async fn connection(hub: &Hub, caller: &Caller, step: ConnectionStep) -> Result<(), Failure> {
    let ConnectionStep { key, name, store, warehouse, settings, mappings: tables, channels, enabled } = step;
    let key = match key {
        Some(key) => {
            if let Some(settings) = &settings {
                let record = hub.db.connection(&key, &hub.keyring).await?;
                connections::write_settings(hub, caller, &record, &name, settings).await?;
            }
            key
        }
        None => {
            let store = endpoints::find(hub, caller, Side::Store, &store).await?;
            let warehouse = endpoints::find(hub, caller, Side::Warehouse, &warehouse).await?;
            let settings = settings.unwrap_or_default();
            let made = hub
                .db
                .create_connection(&store.scope, &name, &id(&store.summary.id)?, &id(&warehouse.summary.id)?, &settings)
                .await?;
            let detail = serde_json::json!({ "name": name });
            hub.db.audit(&caller.access(), &caller.actor, "connection.create", made.as_str(), &detail).await?;
            ConnectionKey { scope: store.scope, connection: made }
        }
    };
    if let Some(tables) = &tables {
        let before: Mappings = hub.db.mappings(&key).await?;
        mappings::write(hub, caller, &key, &before, tables).await?;
    }
    for (kind, channel) in channels {
        let record = hub.db.connection(&key, &hub.keyring).await?;
        switches::write_channel(hub, caller, &record, kind, channel).await?;
    }
    match enabled {
        Some(true) => {
            switches::enable(hub, caller, key.connection.as_str()).await?;
        }
        Some(false) => {
            switches::disable(hub, caller, key.connection.as_str()).await?;
        }
        None => {}
    }
    Ok(())
}
