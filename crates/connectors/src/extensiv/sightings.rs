//! What the warehouse has under some keys, for whoever compares it with what was sent.

use connect::{ConnectorError, RequestState, Sighting, Sightings, budget::Priority};
use jiff::Timestamp;

use super::{
    Extensiv,
    client::Purpose,
    shipments::{left_at, standing},
    wire::{Order, filled},
};
use crate::times::moment;

const SWEEP: Purpose = Purpose(Priority::Sweeps, "sightings");

impl Extensiv {
    /// Searches by reference number over all statuses, fifteen keys a call, with what was split off them. The search may lag
    /// behind (see [`connect::Effects::capabilities`]): what was sent a moment ago may not be seen yet.
    pub(super) async fn look_for(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let mut sightings = Sightings::default();
        for (key, orders) in self.find_for(SWEEP, keys.iter().map(String::as_str)).await? {
            if let Some(sighting) = self.sighting(&key, &orders)? {
                sightings.found.insert(key, sighting);
            }
        }
        Ok(sightings)
    }

    fn sighting(&self, key: &str, orders: &[Order]) -> Result<Option<Sighting>, ConnectorError> {
        let numbers = |orders: &[&Order]| orders.iter().map(|order| order.read_only.order_id.to_string()).collect();
        let live: Vec<&Order> = orders.iter().filter(|order| !order.is_cancelled()).collect();
        let open: Vec<&Order> = live.iter().copied().filter(|order| !order.is_closed()).collect();
        let Some(first) = live.first() else {
            let cancelled: Vec<&Order> = orders.iter().collect();
            if cancelled.is_empty() {
                return Ok(None);
            }
            let since = self.latest(&cancelled, |order| filled(order.read_only.last_modified_date.as_deref()))?;
            let references = numbers(&cancelled);
            return Ok(Some(Sighting { references, state: RequestState::Cancelled, left: Vec::new(), since }));
        };
        // Parts that were split off are the same order; only whole ones can be one too many.
        let whole: Vec<&Order> = live.iter().copied().filter(|order| order.reference_num == key).collect();
        let references = if whole.is_empty() { vec![first.read_only.order_id.to_string()] } else { numbers(&whole) };
        let state = match open.as_slice() {
            [] => RequestState::Finished,
            // Some has left.
            _ if open.len() < live.len() => RequestState::Working,
            [only] => standing(only),
            _ => RequestState::Working,
        };
        let since = if open.is_empty() {
            self.latest(&live, left_at)?
        } else {
            self.latest(&live, |order| filled(order.read_only.last_modified_date.as_deref()))?
        };
        let closed: Vec<&Order> = live.iter().copied().filter(|order| order.is_closed()).collect();
        Ok(Some(Sighting { references, state, left: numbers(&closed), since }))
    }

    /// The latest of a time of several orders; those that do not say it are passed over.
    fn latest(
        &self,
        orders: &[&Order],
        time: impl Fn(&Order) -> Option<&str>,
    ) -> Result<Option<Timestamp>, ConnectorError> {
        let mut latest = None;
        for text in orders.iter().filter_map(|order| time(order)) {
            latest = latest.max(Some(moment(text, &self.config.zone)?));
        }
        Ok(latest)
    }
}
