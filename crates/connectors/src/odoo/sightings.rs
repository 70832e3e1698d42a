//! What Odoo has under some keys, for whoever compares it with what was sent.

use connect::{ConnectorError, Sighting, Sightings, budget::Priority};

use super::{Odoo, client::Purpose, shipments::since, transfers::standing, wire::Transfer};

const SWEEP: Purpose = Purpose(Priority::Sweeps, "sightings");
/// Keys in one question.
const AT_ONCE: usize = 100;

impl Odoo {
    /// Asked by key over all states. A direct read: what is there is seen.
    pub(super) async fn look_for(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let mut sightings = Sightings::default();
        for keys in keys.chunks(AT_ONCE) {
            let found = self.find(SWEEP, keys).await?;
            let orders: Vec<i64> = found.values().flatten().map(|one| one.order.id).collect();
            let transfers = self.transfers(SWEEP, &orders).await?;
            for (key, orders) in found {
                let live: Vec<_> = orders.iter().filter(|one| !one.order.is_cancelled()).collect();
                let counted = if live.is_empty() { orders.iter().collect() } else { live };
                let mut sighting: Option<Sighting> = None;
                for one in counted {
                    let id = one.order.id;
                    let of = |transfer: &&Transfer| transfer.sale_id.as_ref().is_some_and(|sale| sale.id == id);
                    let mine: Vec<&Transfer> = transfers.iter().filter(of).collect();
                    let state = standing(&one.order, &mine);
                    let left =
                        mine.iter().filter(|transfer| transfer.is_done()).map(|transfer| transfer.id.to_string());
                    let since = since(&one.order, &mine)?;
                    let seen = sighting.get_or_insert_with(|| Sighting {
                        references: Vec::new(),
                        state: state.clone(),
                        left: Vec::new(),
                        since: None,
                    });
                    seen.references.push(id.to_string());
                    seen.left.extend(left);
                    seen.since = seen.since.max(since);
                    if state.progress() > seen.state.progress() {
                        seen.state = state;
                    }
                }
                sightings.found.extend(sighting.map(|sighting| (key, sighting)));
            }
        }
        Ok(sightings)
    }
}
