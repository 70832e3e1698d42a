//! Goods-out notes that the hub made itself.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, OrderId};
use engine::effect::EffectState;
use jiff::Timestamp;

use super::{
    ConnectionKey, Database, DbError, R, Scope, effect_records::was_found, effects::key_values, facts::scope_values,
    sql::json,
};

/// The hub's own notes of some orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnNotes {
    /// Notes that effects of the hub made.
    pub notes: BTreeSet<i64>,
    /// Orders of which a note is being made or taken away, or may have been: which notes are whose is not known just now.
    pub busy: BTreeSet<i64>,
    /// Notes that are requests of this connection.
    pub requested: BTreeSet<i64>,
}

/// A goods-out note that is something already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteInUse {
    /// Its id at the source.
    pub note: String,
    /// The effect that made it or is compared with it; none where it is a request.
    pub effect: Option<EffectId>,
}

impl NoteInUse {
    /// Whether it is in the way of this effect.
    pub fn is_of_another(&self, effect: &EffectId) -> bool {
        self.effect.as_ref() != Some(effect)
    }
}

impl Database {
    /// Which notes of these orders (the source's ids) this connection made itself: they are never requests.
    pub async fn own_notes(&self, key: &ConnectionKey, order_ids: &[i64]) -> R<OwnNotes> {
        let (key, order_ids) = (key.clone(), order_ids.to_vec());
        self.read(&key.clone(), "own_notes", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT o.order_id, e.kind, e.state, e.remote_id FROM orders AS o
                         JOIN effect AS e ON e.tenant = o.tenant AND e.merchant = o.merchant AND e.order_ref = o.id
                             AND e.kind IN ('create_note', 'delete_note')
                         WHERE o.tenant = $1 AND o.merchant = $2 AND o.connection = $3 AND o.order_id IN (",
                        ")",
                        &key_values(&key),
                        order_ids.iter().copied(),
                    )
                    .await?;
                let mut own = OwnNotes::default();
                for row in &rows {
                    let state: EffectState = row.parsed(2)?;
                    if row.text(1)? == "create_note"
                        && let Some(note_id) = row.opt_text(3)?.and_then(|id| id.parse().ok())
                    {
                        own.notes.insert(note_id);
                    }
                    if state.in_flight() || state.open() || matches!(state, EffectState::Parked | EffectState::Conflict) {
                        own.busy.insert(row.int(0)?);
                    }
                }
                let requested = tx
                    .among(
                        "SELECT note_id FROM request WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND live = 1
                             AND note_id IS NOT NULL AND order_id IN (",
                        ")",
                        &key_values(&key),
                        order_ids,
                    )
                    .await?;
                for row in &requested {
                    own.requested.insert(row.int(0)?);
                }
                Ok(own)
            })
        })
        .await
    }

    /// The notes of these orders (the source's ids) whose shipped event is the hub's own, or was known to it by a time. One that
    /// was already there when the hub went to send it, and that it met only after that time, is neither: what is worked out
    /// since then knows nothing of it.
    pub async fn notes_told(&self, key: &ConnectionKey, order_ids: &[i64], known_by: Timestamp) -> R<BTreeSet<i64>> {
        let (key, order_ids) = (key.clone(), order_ids.to_vec());
        self.read(&key.clone(), "notes_told", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT e.body, e.baseline, e.changed_at FROM orders AS o
                         JOIN effect AS e ON e.tenant = o.tenant AND e.merchant = o.merchant AND e.order_ref = o.id
                             AND e.kind = 'post_shipped' AND e.state = 'applied'
                         WHERE o.tenant = $1 AND o.merchant = $2 AND o.connection = $3 AND o.order_id IN (",
                        ")",
                        &key_values(&key),
                        order_ids,
                    )
                    .await?;
                let mut told = BTreeSet::new();
                for row in &rows {
                    if row.opt_json(1)?.is_some_and(|baseline| was_found(&baseline)) && row.time(2)? >= known_by {
                        continue;
                    }
                    let body: serde_json::Value = row.json(0)?;
                    told.extend(body["note_id"].as_i64());
                }
                Ok(told)
            })
        })
        .await
    }

    /// By order, its notes that are something already: one of this connection's live requests, or what a shipment's note was made
    /// as or is compared with. With each the effect that has it; none where it is a request.
    pub async fn notes_in_use(&self, scope: &Scope, orders: BTreeSet<OrderId>) -> R<BTreeMap<OrderId, Vec<NoteInUse>>> {
        let scope = scope.clone();
        self.read(&scope.tenant.clone(), "notes_in_use", move |tx| {
            Box::pin(async move {
                let requests = tx
                    .among(
                        "SELECT order_ref, CAST(note_id AS TEXT) FROM request WHERE tenant = $1 AND merchant = $2 AND live = 1
                             AND note_id IS NOT NULL AND order_ref IN (",
                        ")",
                        &scope_values(&scope),
                        orders.iter(),
                    )
                    .await?;
                let made = tx
                    .among(
                        "SELECT order_ref, remote_id, id FROM effect WHERE tenant = $1 AND merchant = $2 AND kind = 'create_note'
                             AND remote_id IS NOT NULL AND order_ref IN (",
                        ")",
                        &scope_values(&scope),
                        orders.iter(),
                    )
                    .await?;
                let mut in_use: BTreeMap<OrderId, Vec<NoteInUse>> = BTreeMap::new();
                for row in &requests {
                    let note = NoteInUse { note: row.string(1)?, effect: None };
                    in_use.entry(row.parsed(0)?).or_default().push(note);
                }
                for row in &made {
                    let note = NoteInUse { note: row.string(1)?, effect: Some(row.parsed(2)?) };
                    in_use.entry(row.parsed(0)?).or_default().push(note);
                }
                Ok(in_use)
            })
        })
        .await
    }

    /// Which of these notes of an account are already somebody's: the request of a connection, or a shipment's. Such a note is
    /// not taken for a new shipment, however equal it looks; but for the very effect that has it.
    pub async fn taken_notes(&self, key: &ConnectionKey, account: &str, note_ids: &[i64]) -> R<Vec<NoteInUse>> {
        let (key, account, note_ids) = (key.clone(), account.to_owned(), note_ids.to_vec());
        self.read(&key.clone(), "taken_notes", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&key.scope);
                let requests = tx
                    .among(
                        "SELECT CAST(note_id AS TEXT) FROM request WHERE tenant = $1 AND merchant = $2 AND account = $3
                             AND live = 1 AND note_id IS NOT NULL AND note_id IN (",
                        ")",
                        &[tenant.clone(), merchant.clone(), account.into()],
                        note_ids.iter().copied(),
                    )
                    .await?;
                let effects = tx
                    .among(
                        "SELECT remote_id, id FROM effect WHERE tenant = $1 AND merchant = $2 AND kind = 'create_note'
                             AND remote_id IN (",
                        ")",
                        &[tenant, merchant],
                        note_ids.iter().map(i64::to_string),
                    )
                    .await?;
                let mut taken = Vec::with_capacity(requests.len() + effects.len());
                for row in &requests {
                    taken.push(NoteInUse { note: row.string(0)?, effect: None });
                }
                for row in &effects {
                    taken.push(NoteInUse { note: row.string(0)?, effect: Some(row.parsed(1)?) });
                }
                Ok(taken)
            })
        })
        .await
    }

    /// Keeps what the order source's connector learned while working. The connection goes on as it runs.
    pub async fn keep_learned(&self, key: &ConnectionKey, learned: BTreeMap<&'static str, String>) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "keep_learned", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT s.id, s.settings FROM store AS s JOIN connection AS c
                             ON c.tenant = s.tenant AND c.merchant = s.merchant AND c.store = s.id
                         WHERE c.tenant = $1 AND c.merchant = $2 AND c.id = $3",
                        &[tenant.clone(), merchant.clone(), connection],
                    )
                    .await?
                    .ok_or_else(|| DbError::NotFound(format!("connection {}", key.connection)))?;
                let mut settings: BTreeMap<String, String> = row.json(1)?;
                settings.extend(learned.into_iter().map(|(field, value)| (field.to_owned(), value)));
                tx.execute(
                    "UPDATE store SET settings = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, row.string(0)?.into(), json(&settings)?.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }
}
