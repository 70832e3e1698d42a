//! What the warehouse has under some keys, for whoever compares it with what was sent.

use connect::{ConnectorError, RequestState, Sighting, Sightings, budget::Priority};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    ShipHero,
    client::Purpose,
    effects::AT_ONCE,
    wire::{Head, filled, utc},
};

const SWEEP: Purpose = Purpose(Priority::Sweeps, "sightings");

impl ShipHero {
    /// Searches by number over all statuses, one key a call. The search may lag behind (see
    /// [`connect::Effects::capabilities`]): what was sent a moment ago may not be seen yet.
    pub(super) async fn look_for(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let found: Vec<(String, Vec<Head>)> = stream::iter(keys.to_vec())
            .map(|key| async move { self.find(SWEEP, &key).await.map(|orders| (key, orders)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut sightings = Sightings::default();
        for (key, orders) in found {
            if let Some(sighting) = sighting(&orders)? {
                sightings.found.insert(key, sighting);
            }
        }
        Ok(sightings)
    }
}

fn sighting(orders: &[Head]) -> Result<Option<Sighting>, ConnectorError> {
    // What was cancelled after some of it left is no order that will not leave.
    let live: Vec<&Head> = orders.iter().filter(|order| order.standing() != RequestState::Cancelled).collect();
    let considered: Vec<&Head> = if live.is_empty() { orders.iter().collect() } else { live };
    let Some(state) = considered.iter().map(|order| order.standing()).max_by_key(RequestState::progress) else {
        return Ok(None);
    };
    let left: Vec<_> = considered.iter().flat_map(|order| order.left()).collect();
    let since = match state {
        RequestState::Finished => latest(left.iter().map(|shipment| shipment.created_date.as_deref()))?,
        _ => latest(considered.iter().map(|order| order.updated_at.as_deref()))?,
    };
    Ok(Some(Sighting {
        references: considered.iter().map(|order| order.id.clone()).collect(),
        state,
        left: left.iter().map(|shipment| shipment.id.clone()).collect(),
        since,
    }))
}

/// The latest of some times; those that are not said are passed over.
fn latest<'t>(times: impl Iterator<Item = Option<&'t str>>) -> Result<Option<Timestamp>, ConnectorError> {
    let mut latest = None;
    for text in times.filter_map(filled) {
        latest = latest.max(Some(utc(text)?));
    }
    Ok(latest)
}
