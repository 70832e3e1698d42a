//! Lists of orders, newest first, and how many there are of each state.
//!
//! A list is put together as those of [`super::lists`] are, unless something it asks for is rare: then what is rare is looked
//! at, however many orders there are.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Order, OrderLine};
use engine::order::OrderState;

use super::{
    Access, Database, R, facts,
    lists::{Conditions, List, Source, among_few, heads, rarest, sources},
    payload::unpack_json,
    queries::{ORDER, order_view, page},
    sql::Value,
    views::{OrderQuery, OrderView, Page},
    words,
};

pub(super) const ORDERS: List = List { table: "orders", alias: "o", columns: ORDER, state: "state" };

impl Database {
    /// The lines of these orders, as they were when each was last planned, by its id.
    pub async fn order_lines(&self, access: &Access, ids: Vec<String>) -> R<BTreeMap<String, Vec<OrderLine>>> {
        let access = access.clone();
        self.read(access.clone(), "order_lines", move |tx| {
            Box::pin(async move {
                let mut conditions = Conditions::of(&access, "o");
                conditions.among("o", "id", ids.into_iter().map(Value::from).collect());
                let sql = format!("SELECT o.id, o.document FROM orders AS o WHERE {}", conditions.sql);
                let mut lines = BTreeMap::new();
                for row in &tx.query_built(sql, &conditions.values).await? {
                    let order: Order = unpack_json(row.blob(1)?)?;
                    lines.insert(row.string(0)?, order.lines);
                }
                Ok(lines)
            })
        })
        .await
    }

    /// Orders, newest first.
    pub async fn list_orders(&self, access: &Access, query: OrderQuery) -> R<Page<OrderView>> {
        let access = access.clone();
        self.read(access.clone(), "list_orders", move |tx| {
            Box::pin(async move {
                let terms = words::terms(&query.text);
                if terms.is_empty() && !query.text.trim().is_empty() {
                    return Ok(Page { items: Vec::new(), next: None });
                }
                let states: Vec<&'static str> = states(&query).iter().map(|state| state.as_str()).collect();
                let after = query.after.as_ref();
                let mut conditions = filtered(&access, &query, &terms);
                let rows = match rarest(tx, found_by(&access, &query, &terms)).await? {
                    Some(ids) => among_few(tx, (&ORDERS, &conditions), &states, ids, after, query.limit).await?,
                    None => {
                        let heads = heads(tx, &access, query.merchant.as_ref(), query.connection.as_ref()).await?;
                        match conditions.by_state(&ORDERS, &heads, &states, after, query.limit) {
                            Some(sql) => {
                                tx.plan_once().await?;
                                tx.query_built(sql, &conditions.values).await?
                            }
                            None => Vec::new(),
                        }
                    }
                };
                let found = rows.iter().map(order_view).collect::<R<Vec<_>>>()?;
                Ok(page(found, query.limit, |order| order.id.to_string()))
            })
        })
        .await
    }

    /// How many orders stand where, of those the query is about, whatever states it names.
    pub async fn count_orders(&self, access: &Access, query: OrderQuery) -> R<BTreeMap<OrderState, i64>> {
        let access = access.clone();
        self.read(access.clone(), "count_orders", move |tx| {
            Box::pin(async move {
                let terms = words::terms(&query.text);
                if terms.is_empty() && !query.text.trim().is_empty() {
                    return Ok(BTreeMap::new());
                }
                let mut conditions = filtered(&access, &query, &terms);
                if let Some(ids) = rarest(tx, found_by(&access, &query, &terms)).await? {
                    conditions.among("o", "id", ids.iter().map(Value::from).collect());
                }
                let sql =
                    format!("SELECT o.state, count(*) FROM orders AS o WHERE {} GROUP BY o.state", conditions.sql);
                let rows = tx.query_built(sql, &conditions.values).await?;
                rows.iter().map(|row| Ok((facts::state(row.text(0)?)?, row.int(1)?))).collect()
            })
        })
        .await
    }
}

/// The states a list may hold: those asked for, else all but archived ones.
fn states(query: &OrderQuery) -> Vec<OrderState> {
    if query.states.is_empty() {
        OrderState::ALL.into_iter().filter(|state| *state != OrderState::Archived).collect()
    } else {
        query.states.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Everything but state and page.
pub(super) fn filtered(access: &Access, query: &OrderQuery, terms: &[String]) -> Conditions {
    let mut conditions = Conditions::of(access, "o");
    if let Some(merchant) = &query.merchant {
        conditions.and("o", "merchant =", merchant);
    }
    if let Some(connection) = &query.connection {
        conditions.and("o", "connection =", connection);
    }
    conditions.within("o", "placed_at", query.placed_from, query.placed_to);
    conditions.within("o", "imported_at", query.imported_from, query.imported_to);
    conditions.words("o", ("order_word", "order_ref"), terms);
    conditions
}

/// Where what is asked for is looked up if it is rare: words and dates.
fn found_by(access: &Access, query: &OrderQuery, terms: &[String]) -> Vec<Source> {
    let mut sources = sources(access, "w.order_ref FROM order_word AS w", terms);
    if query.placed_from.is_some() || query.placed_to.is_some() {
        let mut conditions = Conditions::of(access, "o");
        conditions.within("o", "placed_at", query.placed_from, query.placed_to);
        sources.push(("o.id FROM orders AS o", conditions));
    }
    sources
}
