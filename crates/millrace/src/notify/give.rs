//! Events become deliveries.

use crate::{
    db::{Access, DbError, Event, Outlet, OutletKind, Scope, Telling},
    notify::{Notifier, locked, message},
};

/// Events read at one time.
const SLICE: u32 = 500;

/// A cursor is written at least this often, wanted events or not.
const FAR: i64 = 1000;

impl Notifier {
    /// Makes deliveries of every event that a webhook wants and was not given yet.
    ///
    /// # Errors
    /// When the database cannot be reached; what was made stays, the rest is made next time.
    pub async fn give(&self) -> Result<(), DbError> {
        let last = self.hub.db.last_event().await?;
        if *locked(&self.given) == Some(last) {
            return Ok(());
        }
        for tenant in self.hub.db.tenants().await? {
            let access = Access::Tenant(tenant.id);
            for outlet in self.hub.db.outlets(&access).await? {
                if outlet.kind == OutletKind::Webhook && outlet.enabled {
                    self.give_outlet(&access, outlet).await?;
                }
            }
        }
        *locked(&self.given) = Some(last);
        Ok(())
    }

    async fn give_outlet(&self, access: &Access, mut outlet: Outlet) -> Result<(), DbError> {
        let mut from = locked(&self.passed).get(&outlet.id).copied().unwrap_or(0).max(outlet.cursor);
        loop {
            let (events, up_to, more) = self.slice(access, &outlet, from).await?;
            let tellings = tellings(&outlet, events);
            if !tellings.is_empty() || up_to - outlet.cursor >= FAR {
                self.hub.db.give_events(access, &outlet, up_to, tellings).await?;
                outlet.cursor = up_to;
            }
            locked(&self.passed).insert(outlet.id.clone(), up_to);
            if !more {
                return Ok(());
            }
            from = up_to;
        }
    }

    /// The next events that concern an outlet, its owner's and the installation's, up to which number, and whether there may be more.
    async fn slice(&self, access: &Access, outlet: &Outlet, from: i64) -> Result<(Vec<Event>, i64, bool), DbError> {
        let own = match (access, &outlet.merchant) {
            (Access::Tenant(tenant), Some(merchant)) => {
                Access::Merchant(Scope { tenant: tenant.clone(), merchant: merchant.clone() })
            }
            _ => access.clone(),
        };
        let mut events = self.hub.db.events_after(&own, from, SLICE).await?;
        let full = |events: &[Event]| usize::try_from(SLICE).is_ok_and(|slice| events.len() >= slice);
        let mut more = full(&events);
        // What is beyond a full slice is read next time, together with what belongs between.
        let mut up_to = if more { last(&events, from) } else { i64::MAX };
        let installation = self.hub.db.events_after(&Access::System, from, SLICE).await?;
        if full(&installation) {
            more = true;
            up_to = up_to.min(last(&installation, from));
        }
        events.extend(installation);
        events.retain(|event| event.number <= up_to);
        events.sort_by_key(|event| event.number);
        let up_to = if up_to == i64::MAX { last(&events, from) } else { up_to };
        Ok((events, up_to, more))
    }
}

fn last(events: &[Event], from: i64) -> i64 {
    events.last().map_or(from, |event| event.number)
}

/// What an outlet is told of these events.
pub(crate) fn tellings(outlet: &Outlet, events: Vec<Event>) -> Vec<Telling> {
    events
        .into_iter()
        .filter(|event| message::is_wanted(&outlet.events, event))
        .map(|event| {
            let body = message::of_event(&event);
            Telling { event: event.number, id: event.id, kind: event.what, body }
        })
        .collect()
}
