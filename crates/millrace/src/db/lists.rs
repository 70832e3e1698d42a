//! Long lists with filters and pages: effects and shipments, and what all lists are put together from. Orders are in
//! [`super::order_list`].
//!
//! Lists are newest first. A page ends with the id to go on after, so that rows coming in meanwhile neither repeat nor hide
//! others.
//!
//! However many rows there are, a page reads about as many as it shows. No index gives rows of several states in the order of
//! their ids, so each state is read by its own index as far as a page goes, and the parts are put together; a state that hardly
//! any row has costs nothing, and neither does one that nearly all have. A state is asked for as a range of (state, id), whose
//! order only an index that begins with the state gives: asked for `state = …`, PostgreSQL takes the order of ids for granted
//! and walks all rows from the newest one where it believes the state to be common.

use std::collections::BTreeSet;

use connect::{
    ConnectionId,
    planted::{Planted, planted},
};
use engine::effect::EffectState;
use jiff::Timestamp;

use super::{
    Access, Database, R,
    queries::{EFFECT, SHIPMENT, effect_view, page, shipment_view},
    sql::{Tx, Value},
    views::{EffectQuery, EffectView, Page, ShipmentQuery, ShipmentView},
};

/// Conditions of a list: constants of this module, and bound values.
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    /// Of a tenant, or of one of its merchants.
    pub(super) fn of(access: &Access, alias: &'static str) -> Self {
        let (tenant, merchant) = access.setting();
        let of_tenant = if planted(Planted::EveryTenant) { "<> ''" } else { "= $1" };
        let mut conditions = Self { sql: format!("{alias}.tenant {of_tenant}"), values: vec![tenant.into()] };
        match access {
            // A plain list or a plain value finds the index.
            Access::Merchants(_, merchants) => {
                conditions.among(alias, "merchant", merchants.iter().map(Value::from).collect());
            }
            _ if merchant != "*" => conditions.and(alias, "merchant =", merchant),
            _ => {}
        }
        conditions
    }

    /// This one, of one value, as `$1`.
    pub(super) fn new(condition: &str, value: impl Into<Value>) -> Self {
        Self { sql: condition.to_owned(), values: vec![value.into()] }
    }

    /// What stands there compared with a value; `place` and `sign` are constants of this module's users.
    pub(super) fn compare(&mut self, place: &str, sign: &'static str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.sql.push_str(&format!(" AND {place} {sign} ${}", self.values.len()));
    }

    pub(super) fn and(&mut self, alias: &'static str, condition: &'static str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.sql.push_str(&format!(" AND {alias}.{condition} ${}", self.values.len()));
    }

    /// From a time on and before another; whichever is given.
    pub(super) fn within(
        &mut self,
        alias: &'static str,
        column: &'static str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) {
        for (bound, at) in [(">=", from), ("<", to)] {
            if let Some(at) = at {
                self.values.push(at.into());
                self.sql.push_str(&format!(" AND {alias}.{column} {bound} ${}", self.values.len()));
            }
        }
    }

    /// Any of these; no condition where there is none.
    pub(super) fn one_of(&mut self, alias: &'static str, column: &'static str, values: Vec<&'static str>) {
        if !values.is_empty() {
            self.among(alias, column, values.into_iter().map(Value::from).collect());
        }
    }

    /// One of these, and nothing where there is none.
    pub(super) fn among(&mut self, alias: &'static str, column: &'static str, values: Vec<Value>) {
        if values.is_empty() {
            self.sql.push_str(" AND 1 = 0");
            return;
        }
        let mut places = Vec::with_capacity(values.len());
        for value in values {
            self.values.push(value);
            places.push(format!("${}", self.values.len()));
        }
        self.sql.push_str(&format!(" AND {alias}.{column} IN ({})", places.join(", ")));
    }

    fn text(&mut self, alias: &'static str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let escaped = text.trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        self.values.push(format!("%{escaped}%").into());
        self.sql.push_str(&format!(" AND {alias}.search LIKE ${} ESCAPE '\\'", self.values.len()));
    }

    /// As [`Self::page`], of the rows in one state.
    fn page_of_state(
        &mut self,
        alias: &'static str,
        state: &'static str,
        after: Option<&String>,
        limit: u32,
    ) -> String {
        self.and(alias, "state >=", state);
        match after {
            None => self.and(alias, "state <=", state),
            Some(after) => {
                self.values.push(state.into());
                self.values.push(after.into());
                let (state, id) = (self.values.len() - 1, self.values.len());
                self.sql.push_str(&format!(" AND ({alias}.state, {alias}.id) < (${state}, ${id})"));
            }
        }
        self.values.push(i64::from(limit.clamp(1, 500) + 1).into());
        format!("{} ORDER BY {alias}.state DESC, {alias}.id DESC LIMIT ${}", self.sql, self.values.len())
    }

    /// The condition of a page and its order; one row more than wanted tells whether there is a next page.
    pub(super) fn page(&mut self, alias: &'static str, after: Option<String>, limit: u32) -> String {
        if let Some(after) = after {
            self.and(alias, "id <", after);
        }
        self.values.push(i64::from(limit.clamp(1, 500) + 1).into());
        format!("{} ORDER BY {alias}.id DESC LIMIT ${}", self.sql, self.values.len())
    }
}

/// Most parts of one statement: connections times states. Beyond that the tenant's rows are read and the others left out.
const MOST_PARTS: usize = 60;

/// What a list is limited to, in a way that an index finds.
pub(super) enum Heads {
    /// The whole tenant.
    Tenant,
    /// These connections, each with its merchant.
    Connections(Vec<(String, String)>),
}

/// The connections that a list is limited to by its access or its filter.
pub(super) async fn heads(tx: &mut Tx, access: &Access, connection: Option<&ConnectionId>) -> R<Heads> {
    if connection.is_none() && matches!(access, Access::Tenant(_)) {
        return Ok(Heads::Tenant);
    }
    let mut conditions = Conditions::of(access, "c");
    if let Some(connection) = connection {
        conditions.and("c", "id =", connection);
    }
    let sql = format!("SELECT c.merchant, c.id FROM connection AS c WHERE {}", conditions.sql);
    let rows = tx.query_built(sql, &conditions.values).await?;
    let pairs = rows.iter().map(|row| Ok((row.string(0)?, row.string(1)?))).collect::<R<_>>()?;
    Ok(Heads::Connections(pairs))
}

impl Conditions {
    /// The statement that reads a page of these states, newest first; `None` where nothing can be in it.
    pub(super) fn by_state(
        &mut self,
        (alias, columns, table): (&'static str, &'static str, &'static str),
        heads: &Heads,
        states: &[&'static str],
        after: Option<&String>,
        limit: u32,
    ) -> Option<String> {
        let whole = [None];
        let each: Vec<Option<&(String, String)>> = match heads {
            Heads::Connections(pairs) if pairs.is_empty() => return None,
            Heads::Connections(pairs) if pairs.len() * states.len() <= MOST_PARTS => pairs.iter().map(Some).collect(),
            Heads::Connections(_) | Heads::Tenant => whole.to_vec(),
        };
        let common = self.sql.clone();
        let mut parts = Vec::with_capacity(each.len() * states.len());
        for pair in each {
            for state in states {
                self.sql.clone_from(&common);
                if let Some((merchant, connection)) = pair {
                    self.and(alias, "merchant =", merchant);
                    self.and(alias, "connection =", connection);
                }
                let wanted = self.page_of_state(alias, state, after, limit);
                parts.push(format!("SELECT {columns} FROM {table} AS {alias} WHERE {wanted}"));
            }
        }
        if let [only] = parts.as_slice() {
            return Some(only.clone());
        }
        let numbered = parts.iter().enumerate().map(|(number, part)| format!("SELECT * FROM ({part}) AS p{number}"));
        self.values.push(i64::from(limit.clamp(1, 500) + 1).into());
        let parts = numbered.collect::<Vec<_>>().join(" UNION ALL ");
        // The first column of every list is the id.
        Some(format!("{parts} ORDER BY 1 DESC LIMIT ${}", self.values.len()))
    }
}

impl Database {
    /// Shipments, newest first.
    pub async fn list_shipments(&self, access: &Access, query: ShipmentQuery) -> R<Page<ShipmentView>> {
        let access = access.clone();
        self.read(access.clone(), "list_shipments", move |tx| {
            Box::pin(async move {
                let mut conditions = Conditions::of(&access, "s");
                if let Some(connection) = &query.connection {
                    // With its merchant, so that an index finds it.
                    if let Heads::Connections(pairs) = heads(tx, &access, Some(connection)).await?
                        && let Some((merchant, _)) = pairs.first()
                    {
                        conditions.and("s", "merchant =", merchant);
                    }
                    conditions.and("s", "connection =", connection);
                }
                match query.confirmed {
                    Some(true) => conditions.sql.push_str(" AND s.confirmed_at IS NOT NULL"),
                    Some(false) => conditions.sql.push_str(" AND s.confirmed_at IS NULL"),
                    None => {}
                }
                match query.needs_person {
                    Some(true) => conditions.sql.push_str(" AND s.problem IS NOT NULL"),
                    Some(false) => conditions.sql.push_str(" AND s.problem IS NULL"),
                    None => {}
                }
                conditions.text("s", &query.text);
                let wanted = conditions.page("s", query.after, query.limit);
                let sql = format!("SELECT {SHIPMENT} FROM shipment AS s WHERE {wanted}");
                let rows = tx.query_built(sql, &conditions.values).await?;
                let items = rows.iter().map(shipment_view).collect::<R<Vec<_>>>()?;
                Ok(page(items, query.limit, |shipment| shipment.id.clone()))
            })
        })
        .await
    }

    /// Effects, newest first.
    pub async fn list_effects(&self, access: &Access, query: EffectQuery) -> R<Page<EffectView>> {
        let access = access.clone();
        self.read(access.clone(), "list_effects", move |tx| {
            Box::pin(async move {
                let states: Vec<&'static str> = if query.states.is_empty() {
                    EffectState::ALL.into_iter().map(EffectState::as_str).collect()
                } else {
                    query.states.iter().map(|state| state.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
                };
                let mut conditions = Conditions::of(&access, "e");
                if let Some(connection) = &query.connection {
                    conditions.and("e", "connection =", connection);
                }
                if let Some(kind) = query.kind {
                    conditions.and("e", "kind =", kind.as_str());
                }
                let heads = heads(tx, &access, query.connection.as_ref()).await?;
                let from = ("e", EFFECT, "effect");
                let sql = conditions.by_state(from, &heads, &states, query.after.as_ref(), query.limit);
                let Some(sql) = sql else { return Ok(Page { items: Vec::new(), next: None }) };
                tx.plan_once().await?;
                let rows = tx.query_built(sql, &conditions.values).await?;
                let items = rows.iter().map(effect_view).collect::<R<Vec<_>>>()?;
                Ok(page(items, query.limit, |effect| effect.id.to_string()))
            })
        })
        .await
    }
}
