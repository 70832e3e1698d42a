//! What people look at: counts, short lists, and one order with everything that happened to it. Long lists are in
//! [`super::lists`] and [`super::order_list`].

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, OrderId};

use super::{
    Access, ConnectionKey, Database, DbError, R, Scope, StockRun,
    effects::key_values,
    facts,
    lists::Conditions,
    order_edits,
    payload::{unpack, unpack_json},
    race_answers,
    sql::{Row, Tx},
    stock,
    views::{AttemptView, EffectView, LevelView, OrderDetail, OrderView, Page, RaceView, RequestView, ShipmentView},
};

/// Which rows of a list that is ordered by name. A name is unique in its tenant, so that the last one of a page says where to go
/// on, and still does when its row is gone.
pub(super) struct Stretch {
    /// Rows whose names come after this one; before every name stands the empty text.
    pub(super) after: String,
    /// At most so many. Both databases take any number as a limit, but not the same word for none.
    pub(super) rows: i64,
}

impl Stretch {
    /// All of them.
    pub(super) fn whole() -> Self {
        Self { after: String::new(), rows: i64::MAX }
    }

    /// A page, and the row more that tells whether there is a next one.
    pub(super) fn page(after: Option<&str>, limit: u32) -> Self {
        Self { after: after.unwrap_or_default().to_owned(), rows: i64::from(limit.clamp(1, 500)) + 1 }
    }
}

/// Cuts the extra row off and tells where to go on.
pub(super) fn page<T>(mut items: Vec<T>, limit: u32, id: impl Fn(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit.clamp(1, 500)).unwrap_or(1);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(id) } else { None };
    Page { items, next }
}

pub(super) const ORDER: &str =
    "o.id, o.merchant, o.connection, o.order_id, o.reference, o.ship_to, o.placed_at, o.imported_at,
    o.changed_at, o.state, o.state_reason, o.held_reason";

pub(super) fn order_view(row: &Row) -> R<OrderView> {
    Ok(OrderView {
        id: row.parsed(0)?,
        merchant: row.parsed(1)?,
        connection: row.parsed(2)?,
        order_id: row.int(3)?,
        reference: row.string(4)?,
        ship_to: row.string(5)?,
        placed_at: row.time(6)?,
        imported_at: row.time(7)?,
        changed_at: row.time(8)?,
        state: facts::state(row.text(9)?)?,
        reason: row.string(10)?,
        held_reason: row.opt_string(11)?,
    })
}

pub(super) const SHIPMENT: &str = "s.id, s.connection, s.order_ref, s.document, s.confirmed_at, s.problem, s.note_rows";

pub(super) fn shipment_view(row: &Row) -> R<ShipmentView> {
    Ok(ShipmentView {
        id: row.string(0)?,
        connection: row.parsed(1)?,
        order: row.opt_parsed(2)?,
        shipment: row.json(3)?,
        confirmed_at: row.opt_time(4)?,
        problem: row.opt_string(5)?,
        rows: row.opt_json(6)?.unwrap_or_default(),
    })
}

pub(super) const LEVEL: &str = "sku, facility, available, physical, cut_off, feed";

pub(super) fn level_view(row: &Row) -> R<LevelView> {
    Ok(LevelView {
        sku: row.string(0)?,
        facility: row.string(1)?,
        available: row.opt_parsed(2)?,
        physical: row.opt_parsed(3)?,
        cut_off: row.time(4)?,
        feed: row.string(5)?,
    })
}

pub(super) const EFFECT: &str =
    "e.id, e.connection, e.kind, e.key, e.title, e.state, e.note, e.attempt, e.order_ref, e.remote, e.next_at,
    e.created_at, e.changed_at";

pub(super) fn effect_view(row: &Row) -> R<EffectView> {
    Ok(EffectView {
        id: row.parsed(0)?,
        connection: row.parsed(1)?,
        kind: row.parsed(2)?,
        key: row.string(3)?,
        title: row.string(4)?,
        state: row.string(5)?,
        note: row.string(6)?,
        attempt: row.int(7)?,
        order: row.opt_parsed(8)?,
        remote: row.opt_json(9)?,
        next_at: row.time(10)?,
        created_at: row.time(11)?,
        changed_at: row.time(12)?,
    })
}

const ATTEMPT: &str = "a.effect, a.what, a.outcome, a.state, a.note, a.started_at, a.took_ms, a.recorded_at, a.capture";

fn attempt_view(row: &Row) -> R<AttemptView> {
    Ok(AttemptView {
        effect: row.parsed(0)?,
        what: row.string(1)?,
        outcome: row.string(2)?,
        state: row.string(3)?,
        note: row.string(4)?,
        started_at: row.opt_time(5)?,
        took_ms: row.int(6)?,
        recorded_at: row.time(7)?,
        capture: row.opt_blob(8)?.map(unpack_json).transpose()?,
    })
}

impl Database {
    /// One order with everything that happened to it.
    pub async fn order(&self, scope: &Scope, id: &OrderId) -> R<OrderDetail> {
        let (scope, id) = (scope.clone(), id.clone());
        self.read(&scope.clone(), "order", move |tx| Box::pin(async move { order_detail(tx, &scope, &id).await })).await
    }

    /// What was asked of warehouses for these orders, by order.
    pub async fn requests(&self, scope: &Scope, orders: BTreeSet<OrderId>) -> R<BTreeMap<OrderId, Vec<RequestView>>> {
        let scope = scope.clone();
        self.read(&scope.clone(), "requests", move |tx| Box::pin(async move { requests(tx, &scope, &orders).await }))
            .await
    }

    /// What was done for an effect, oldest first.
    pub async fn attempts(&self, scope: &Scope, effect: &EffectId) -> R<Vec<AttemptView>> {
        let (scope, effect) = (scope.clone(), effect.clone());
        self.read(&scope.clone(), "attempts", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {ATTEMPT} FROM attempt AS a WHERE a.tenant = $1 AND a.merchant = $2 AND a.effect = $3
                     ORDER BY a.fence"
                );
                let [tenant, merchant] = facts::scope_values(&scope);
                tx.query_built(sql, &[tenant, merchant, (&effect).into()]).await?.iter().map(attempt_view).collect()
            })
        })
        .await
    }

    /// Stock runs, newest first.
    pub async fn runs(&self, key: &ConnectionKey, after: Option<&str>, limit: u32) -> R<Page<StockRun>> {
        let (key, after) = (key.clone(), after.map(str::to_owned));
        self.read(&key.clone(), "runs", move |tx| {
            Box::pin(async move {
                let mut conditions = Conditions::of(&Access::from(&key), "r");
                conditions.and("r", "connection =", &key.connection);
                let wanted = conditions.page("r", after, limit);
                let sql = format!("SELECT {} FROM stock_run AS r WHERE {wanted}", stock::RUN_COLUMNS);
                let rows = tx.query_built(sql, &conditions.values).await?;
                let items = rows.iter().map(stock::stock_run).collect::<R<Vec<_>>>()?;
                Ok(page(items, limit, |run| run.id.clone()))
            })
        })
        .await
    }

    /// The warehouse's latest figures by SKU and facility, after a SKU, of SKUs with this text. Letters beyond ASCII are the
    /// caller's to look at: the two databases do not agree about them, so all that may match are given.
    pub async fn levels(&self, key: &ConnectionKey, text: &str, after: Option<&str>, limit: u32) -> R<Vec<LevelView>> {
        let (key, after) = (key.clone(), after.unwrap_or_default().to_owned());
        let pattern = with_ascii_of(text);
        self.read(&key.clone(), "levels", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let sql = format!(
                    "SELECT {LEVEL} FROM stock_level
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND sku > $4
                         AND lower(sku) LIKE $6 ESCAPE '!'
                     ORDER BY sku, facility LIMIT $5"
                );
                let values = [tenant, merchant, connection, after.into(), limit.into(), pattern.into()];
                tx.query_built(sql, &values).await?.iter().map(level_view).collect()
            })
        })
        .await
    }

    /// An input as it came, for people.
    pub async fn input(&self, key: &ConnectionKey, name: &str) -> R<Vec<u8>> {
        let (key, name) = (key.clone(), name.to_owned());
        self.read(&key.clone(), "input", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT content FROM input WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND name = $4
                         ORDER BY at DESC LIMIT 1",
                        &[tenant, merchant, connection, (&name).into()],
                    )
                    .await?;
                unpack(row.ok_or_else(|| DbError::NotFound(format!("input {name}")))?.blob(0)?)
            })
        })
        .await
    }
}

/// A pattern of SQL that everything with this text matches, whatever letters beyond ASCII are capital: those match anything.
fn with_ascii_of(text: &str) -> String {
    let mut pattern = String::from("%");
    let mut open = true;
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
            open = false;
        } else if !open {
            pattern.push('%');
            open = true;
        }
    }
    if !open {
        pattern.push('%');
    }
    pattern
}

/// What was asked of warehouses for these orders.
async fn requests(tx: &mut Tx, scope: &Scope, orders: &BTreeSet<OrderId>) -> R<BTreeMap<OrderId, Vec<RequestView>>> {
    let bundles = facts::load(tx, scope, orders).await?;
    let mut steps = race_answers::steps(tx, scope, bundles.values().flat_map(|bundle| bundle.races.keys())).await?;
    let mut views: BTreeMap<OrderId, Vec<RequestView>> = BTreeMap::new();
    for (order, bundle) in &bundles {
        let view = |request: &facts::RequestRow| RequestView {
            id: request.id.to_string(),
            key: request.key.clone(),
            note_id: request.note_id,
            lines: request.lines.clone(),
            live: request.live,
            sent: bundle.may_have_left(request),
            finished: request.finished,
            cancelled_there: request.cancelled_by_warehouse,
            turned_down: bundle.turned_down(request),
            cancel_wanted: request.cancel_wanted.clone(),
            problem: request.problem.clone(),
            leaves_at: bundle.leaves_at(request),
            race: bundle.races.get(&request.id).map(|race| RaceView {
                shown: race.shown.clone(),
                asked_at: race.asked_at,
                outcome_at: race.outcome_at,
                withdrawn: race.withdrawn,
                steps: steps.remove(&request.id).unwrap_or_default(),
            }),
        };
        views.insert(order.clone(), bundle.requests.iter().map(view).collect());
    }
    Ok(views)
}

async fn order_detail(tx: &mut Tx, scope: &Scope, id: &OrderId) -> R<OrderDetail> {
    let [tenant, merchant] = facts::scope_values(scope);
    let values = [tenant, merchant, id.into()];
    let sql = format!(
        "SELECT {ORDER}, o.document, o.edition FROM orders AS o WHERE o.tenant = $1 AND o.merchant = $2 AND o.id = $3"
    );
    let rows = tx.query_built(sql, &values).await?;
    let row = rows.first().ok_or_else(|| DbError::NotFound(format!("order {id}")))?;
    let requests = requests(tx, scope, &[id.clone()].into()).await?.into_values().flatten().collect();
    let sql =
        format!("SELECT {SHIPMENT} FROM shipment AS s WHERE s.tenant = $1 AND s.merchant = $2 AND s.order_ref = $3");
    let mut shipments = tx.query_built(sql, &values).await?.iter().map(shipment_view).collect::<R<Vec<_>>>()?;
    shipments.sort_by(|a, b| (a.shipment.shipped_at, &a.id).cmp(&(b.shipment.shipped_at, &b.id)));
    let sql = format!("SELECT {EFFECT} FROM effect AS e WHERE e.tenant = $1 AND e.merchant = $2 AND e.order_ref = $3");
    let mut effects = tx.query_built(sql, &values).await?.iter().map(effect_view).collect::<R<Vec<_>>>()?;
    effects.sort_by(|a, b| a.id.cmp(&b.id));
    let sql = format!(
        // No join: without statistics SQLite reads the attempts of all orders for one.
        "SELECT {ATTEMPT} FROM attempt AS a
         WHERE a.tenant = $1 AND a.merchant = $2
             AND a.effect IN (SELECT e.id FROM effect AS e WHERE e.tenant = $1 AND e.merchant = $2 AND e.order_ref = $3)
         ORDER BY a.recorded_at, a.effect, a.fence"
    );
    let attempts = tx.query_built(sql, &values).await?.iter().map(attempt_view).collect::<R<_>>()?;
    Ok(OrderDetail {
        view: order_view(row)?,
        order: unpack_json(row.blob(12)?)?,
        requests,
        shipments,
        effects,
        attempts,
        edits: order_edits::views(tx, scope, id).await?,
        edition: row.int(13)?,
    })
}
