//! What changed, numbered: for live pages and outgoing webhooks. The numbers count what everybody does, so they stay inside; outside an
//! event is called by its id.

use connect::{EventId, MerchantId};
use jiff::{SignedDuration, Timestamp};

use super::{
    Access, Database, Event, R,
    records::INSTALLATION,
    sql::{PendingEvent, Tx},
};

/// Most rows that are removed at once: others write meanwhile.
pub(super) const TRIMMED: i64 = 5_000;

impl Tx {
    /// Appends an event when this transaction commits.
    pub(super) fn event(&mut self, what: &'static str, subject: impl Into<String>, change: impl Into<String>) {
        let merchant = match &self.access {
            Access::Merchant(scope) => scope.merchant.as_str().to_owned(),
            Access::Tenant(_) | Access::Merchants(..) | Access::System => String::new(),
        };
        self.events.push(PendingEvent { merchant, what, subject: subject.into(), change: change.into() });
    }

    /// Appends an event about a merchant that is changed from without: it is told of that one, and not of the tenant's others.
    pub(super) fn event_about(&mut self, merchant: &MerchantId, change: &'static str) {
        let merchant = merchant.to_string();
        let subject = merchant.clone();
        self.events.push(PendingEvent { merchant, what: "merchant", subject, change: change.to_owned() });
    }
}

/// Writes the events of a transaction. Their numbers come from one counter that is locked until the commit, so they have no
/// gaps and become visible in their order: a reader that has seen a number has seen all before it.
pub(super) async fn flush(tx: &mut Tx) -> R<()> {
    let events = std::mem::take(&mut tx.events);
    if events.is_empty() {
        return Ok(());
    }
    let tenant = match &tx.access {
        Access::Merchant(scope) => scope.tenant.as_str().to_owned(),
        Access::Tenant(tenant) | Access::Merchants(tenant, _) => tenant.as_str().to_owned(),
        Access::System => INSTALLATION.to_owned(),
    };
    let count = i64::try_from(events.len()).unwrap_or(0);
    let row = tx
        .first("UPDATE installation SET events = events + $1 WHERE one = 1 RETURNING events", &[count.into()])
        .await?
        .ok_or_else(|| super::DbError::Corrupt("the installation's own row is missing".to_owned()))?;
    let first = row.int(0)? - count + 1;
    let now = tx.now;
    let mut ids: Vec<EventId> = events.iter().map(|_| EventId::generate(now, &*tx.random)).collect();
    // Of one moment: sorted, they stand as texts in the order of their numbers.
    ids.sort();
    let rows = events
        .into_iter()
        .zip(ids)
        .zip(first..)
        .map(|((event, id), number)| {
            vec![
                tenant.as_str().into(),
                number.into(),
                (&id).into(),
                event.merchant.into(),
                now.into(),
                event.what.into(),
                event.subject.into(),
                event.change.into(),
            ]
        })
        .collect();
    tx.many("INSERT INTO event (tenant, number, id, merchant, at, what, subject, change) VALUES ", "", &[], rows)
        .await?;
    tx.wakes.work = true;
    Ok(())
}

impl Database {
    /// The events of a tenant after a number, oldest first; with the access of merchants, those of these merchants and
    /// those that concern the whole tenant.
    pub async fn events_after(&self, access: &Access, number: i64, limit: u32) -> R<Vec<Event>> {
        let access = access.clone();
        self.read(access.clone(), "events_after", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT number, at, what, subject, change, merchant, id FROM event
                         WHERE tenant = $1 AND number > $2 AND ($3 = '*' OR merchant = '' OR replace($3, merchant, '') <> $3)
                         ORDER BY number LIMIT $4",
                        &[tenant.into(), number.into(), merchant.into(), limit.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        let merchant = row.text(5)?;
                        Ok(Event {
                            id: row.parsed(6)?,
                            number: row.int(0)?,
                            at: row.time(1)?,
                            what: row.string(2)?,
                            subject: row.string(3)?,
                            change: row.string(4)?,
                            merchant: if merchant.is_empty() { None } else { Some(row.parsed(5)?) },
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// The number of the event that is called so, to go on after it. One that is not there, or not for this access, is taken for one
    /// that is kept no longer: before everything there is.
    pub async fn event_number(&self, access: &Access, id: &str) -> R<i64> {
        let Ok(id) = id.parse::<EventId>() else { return Ok(0) };
        let access = access.clone();
        self.read(access.clone(), "event_number", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let row = tx
                    .first(
                        "SELECT number FROM event
                         WHERE tenant = $1 AND id = $2 AND ($3 = '*' OR merchant = '' OR replace($3, merchant, '') <> $3)",
                        &[tenant.into(), (&id).into(), merchant.into()],
                    )
                    .await?;
                row.map_or(Ok(0), |row| row.int(0))
            })
        })
        .await
    }

    /// The number of the installation's last event, to begin following from.
    pub async fn last_event(&self) -> R<i64> {
        self.read(Access::System, "last_event", |tx| {
            Box::pin(async move {
                let row = tx.first("SELECT events FROM installation WHERE one = 1", &[]).await?;
                row.map_or(Ok(0), |row| row.int(0))
            })
        })
        .await
    }

    /// Removes events that are so old; whoever follows has read them long since. How many.
    pub async fn trim_events(&self, access: &Access, age: SignedDuration) -> R<u64> {
        let mut trimmed = 0;
        loop {
            let whose = access.clone();
            let gone = self
                .write(access.clone(), "trim_events", move |tx| {
                    Box::pin(async move {
                        let before = tx.now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
                        let of = [whose.setting().0.into(), before.into(), TRIMMED.into()];
                        tx.execute(
                            "DELETE FROM event WHERE tenant = $1 AND at < $2 AND number IN
                                 (SELECT number FROM event WHERE tenant = $1 ORDER BY number LIMIT $3)",
                            &of,
                        )
                        .await
                    })
                })
                .await?;
            trimmed += gone;
            if gone < TRIMMED.unsigned_abs() {
                return Ok(trimmed);
            }
        }
    }
}
