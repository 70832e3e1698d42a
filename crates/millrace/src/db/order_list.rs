//! Lists of orders, newest first, and how many there are of each state.
//!
//! A list is put together as those of [`super::lists`] are, unless something it asks for is rare: then what is rare is looked
//! at, however many orders there are.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Order, OrderLine};
use engine::order::OrderState;

use super::{
    Access, Database, R, facts,
    lists::{Conditions, heads},
    payload::unpack_json,
    queries::{ORDER, order_view, page},
    sql::{Tx, Value},
    views::{OrderQuery, OrderView, Page},
    words,
};

/// A word or a range of dates of which there are no more orders than this is looked up first; of a more common one, orders are
/// walked until a page is full, which is soon.
const RARE: usize = 1_500;

/// Of the orders with something rare, so many are looked at together, newest first, until a page is full.
const SLICE: usize = 500;

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
                let mut found = Vec::new();
                match rarest(tx, &access, &query, &terms).await? {
                    Some(ids) => {
                        let wanted = usize::try_from(query.limit.clamp(1, 500)).unwrap_or(1);
                        for ids in newest(ids, query.after.as_deref()).chunks(SLICE) {
                            let mut conditions = filtered(&access, &query, &terms);
                            conditions.one_of("o", "state", states.clone());
                            conditions.among("o", "id", ids.iter().map(Value::from).collect());
                            let page = conditions.page("o", query.after.clone(), query.limit);
                            let sql = format!("SELECT {ORDER} FROM orders AS o WHERE {page}");
                            found.extend(read(tx, sql, &conditions).await?);
                            if found.len() > wanted {
                                break;
                            }
                        }
                    }
                    None => {
                        let heads = heads(tx, &access, query.connection.as_ref()).await?;
                        let mut conditions = filtered(&access, &query, &terms);
                        let from = ("o", ORDER, "orders");
                        if let Some(sql) = conditions.by_state(from, &heads, &states, query.after.as_ref(), query.limit)
                        {
                            tx.plan_once().await?;
                            found = read(tx, sql, &conditions).await?;
                        }
                    }
                }
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
                if let Some(ids) = rarest(tx, &access, &query, &terms).await? {
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
fn filtered(access: &Access, query: &OrderQuery, terms: &[String]) -> Conditions {
    let mut conditions = Conditions::of(access, "o");
    if let Some(merchant) = &query.merchant {
        conditions.and("o", "merchant =", merchant);
    }
    if let Some(connection) = &query.connection {
        conditions.and("o", "connection =", connection);
    }
    conditions.within("o", "placed_at", query.placed_from, query.placed_to);
    conditions.within("o", "imported_at", query.imported_from, query.imported_to);
    for term in terms {
        conditions.values.push(term.into());
        conditions.values.push(words::end_of(term).into());
        let (from, to) = (conditions.values.len() - 1, conditions.values.len());
        conditions.sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM order_word AS w WHERE w.tenant = o.tenant AND w.merchant = o.merchant
                 AND w.order_ref = o.id AND w.word >= ${from} AND w.word < ${to} LIMIT 1 OFFSET 0)"
        ));
    }
    conditions
}

async fn read(tx: &mut Tx, sql: String, conditions: &Conditions) -> R<Vec<OrderView>> {
    tx.query_built(sql, &conditions.values).await?.iter().map(order_view).collect()
}

/// The orders with the rarest of these words or dates, `None` where each of them is common or there is none.
async fn rarest(tx: &mut Tx, access: &Access, query: &OrderQuery, terms: &[String]) -> R<Option<BTreeSet<String>>> {
    let mut sources = Vec::with_capacity(terms.len() + 1);
    for term in terms {
        let mut conditions = Conditions::of(access, "w");
        conditions.and("w", "word >=", term);
        conditions.and("w", "word <", words::end_of(term));
        sources.push(("w.order_ref FROM order_word AS w", conditions));
    }
    if query.placed_from.is_some() || query.placed_to.is_some() {
        let mut conditions = Conditions::of(access, "o");
        conditions.within("o", "placed_at", query.placed_from, query.placed_to);
        sources.push(("o.id FROM orders AS o", conditions));
    }
    let mut rarest: Option<BTreeSet<String>> = None;
    for (source, mut conditions) in sources {
        // One order may have the same word twice, from two origins, and several words with this beginning.
        let most = RARE * 2;
        conditions.values.push(i64::try_from(most).unwrap_or(i64::MAX).into());
        let sql = format!("SELECT {source} WHERE {} LIMIT ${}", conditions.sql, conditions.values.len());
        let counted = tx.query_built(format!("SELECT count(*) FROM ({sql}) AS c"), &conditions.values).await?;
        let count = counted.first().map_or(Ok(0), |row| row.int(0))?;
        if usize::try_from(count).is_ok_and(|count| count >= most) {
            continue;
        }
        let rows = tx.query_built(sql, &conditions.values).await?;
        let ids = rows.iter().map(|row| row.string(0)).collect::<R<BTreeSet<String>>>()?;
        if ids.len() <= RARE && rarest.as_ref().is_none_or(|rarest| ids.len() < rarest.len()) {
            rarest = Some(ids);
        }
    }
    Ok(rarest)
}

/// Newest first, after the page before.
fn newest(ids: BTreeSet<String>, after: Option<&str>) -> Vec<String> {
    ids.into_iter().rev().filter(|id| after.is_none_or(|after| id.as_str() < after)).collect()
}
