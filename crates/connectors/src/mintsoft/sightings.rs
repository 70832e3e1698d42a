//! What the warehouse has under some keys, for whoever compares it with what was sent.

use connect::{ConnectorError, Sighting, Sightings, budget::Priority};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::{
    Mintsoft,
    client::Purpose,
    effects::AT_ONCE,
    orders::is_doubled,
    statuses::{Standing, Statuses},
    wire::{Order, filled},
};
use crate::times::moment;

const SWEEP: Purpose = Purpose(Priority::Sweeps, "sightings");

impl Mintsoft {
    /// Searches by order number over all statuses, one key a call. The search may lag behind (see
    /// [`connect::Effects::capabilities`]): what was sent a moment ago may not be seen yet.
    pub(super) async fn look_for(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let found: Vec<(String, Vec<Order>)> = stream::iter(keys.to_vec())
            .map(|key| async move { self.find(SWEEP, &key).await.map(|orders| (key, orders)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut sightings = Sightings::default();
        for (key, orders) in found.into_iter().filter(|(_, orders)| !orders.is_empty()) {
            let statuses = self.statuses(SWEEP, orders.iter().map(|order| order.order_status_id)).await?;
            sightings.found.insert(key, self.sighting(&orders, &statuses)?);
        }
        Ok(sightings)
    }

    fn sighting(&self, orders: &[Order], statuses: &Statuses) -> Result<Sighting, ConnectorError> {
        let standing = |order: &Order| statuses.of(order.order_status_id);
        let numbers = |orders: &[&Order]| orders.iter().map(|order| order.id.to_string()).collect();
        let live: Vec<&Order> = orders.iter().filter(|order| standing(order) != Standing::Cancelled).collect();
        if live.is_empty() {
            let all: Vec<&Order> = orders.iter().collect();
            let since = self.latest(&all, |order| order.last_updated.as_deref())?;
            let state = Standing::Cancelled.state();
            return Ok(Sighting { references: numbers(&all), state, left: Vec::new(), since });
        }
        let left: Vec<&Order> = live.iter().copied().filter(|order| standing(order) == Standing::Despatched).collect();
        let open: Vec<&Order> = live.iter().copied().filter(|order| standing(order).is_open()).collect();
        // Parts are one order; only what claims to be the same part can be one too many.
        let references = if is_doubled(&live) { numbers(&live) } else { numbers(live.get(..1).unwrap_or_default()) };
        let state = match open.as_slice() {
            [] => Standing::Despatched,
            // Some has left.
            _ if !left.is_empty() => Standing::Working,
            [only] => standing(only),
            _ => Standing::Working,
        };
        let since = match open.is_empty() {
            true => {
                self.latest(&left, |order| filled(order.despatch_date.as_deref()).or(order.last_updated.as_deref()))?
            }
            false => self.latest(&live, |order| order.last_updated.as_deref())?,
        };
        Ok(Sighting { references, state: state.state(), left: numbers(&left), since })
    }

    /// The latest of a time of several orders; those that do not say it are passed over.
    fn latest(
        &self,
        orders: &[&Order],
        time: impl Fn(&Order) -> Option<&str>,
    ) -> Result<Option<Timestamp>, ConnectorError> {
        let mut latest = None;
        for text in orders.iter().filter_map(|order| filled(time(order))) {
            latest = latest.max(Some(moment(text, &self.config.zone)?));
        }
        Ok(latest)
    }
}
