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
//! and walks all rows from the newest one where it believes the state to be common. What stands for the state of a shipment is how
//! far the source knows of it.
//!
//! Where something that is asked for is rare, what has it is looked up, however many rows there are. What no index leads to is
//! passed over in the one that is read, without looking at the rows.

use std::collections::BTreeSet;

use connect::{
    ConnectionId, MerchantId,
    planted::{Planted, planted},
};
use engine::effect::EffectState;
use jiff::Timestamp;

use super::{
    Access, Database, R,
    queries::{EFFECT, SHIPMENT, effect_view, page, shipment_view},
    sql::{Row, Tx, Value},
    views::{EffectQuery, EffectView, Page, ShipmentQuery, ShipmentView},
    words,
};

/// Something rare is what no more rows have than this: they are looked up. For what is more common, rows are walked until a page
/// is full, which is soon.
const RARE: usize = 1_500;

/// Of the rows with something rare, so many are looked at together, newest first, until a page is full.
const SLICE: usize = 500;

/// A list that is read state by state.
pub(super) struct List {
    /// The table, and what it is called in conditions.
    pub(super) table: &'static str,
    pub(super) alias: &'static str,
    /// What is read of a row; the first column is the id.
    pub(super) columns: &'static str,
    /// The column that the states stand in.
    pub(super) state: &'static str,
}

const EFFECTS: List = List { table: "effect", alias: "e", columns: EFFECT, state: "state" };
const SHIPMENTS: List = List { table: "shipment", alias: "s", columns: SHIPMENT, state: "told" };

/// What lists of shipments are read by, with whether the source knows everything of one that stands so, and whether a person is
/// needed for it.
const TOLD: [(&str, bool, bool); 4] =
    [("open", false, false), ("open_stopped", false, true), ("told", true, false), ("told_stopped", true, true)];

/// Conditions of a list: constants of this module, and bound values.
#[derive(Clone)]
pub(super) struct Conditions {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    /// The column of the index that is to be read that holds the state behind something else, and what that is; only lists of one
    /// state each look at it.
    head: Option<(&'static str, &'static str)>,
}

impl Conditions {
    /// Of a tenant, or of one of its merchants.
    pub(super) fn of(access: &Access, alias: &'static str) -> Self {
        let (_, merchant) = access.setting();
        let mut conditions = Self::of_tenant(access, alias);
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

    /// Of the tenant, whichever of its merchants.
    fn of_tenant(access: &Access, alias: &'static str) -> Self {
        let (tenant, _) = access.setting();
        let of_tenant = if planted(Planted::EveryTenant) { "<> ''" } else { "= $1" };
        Self { sql: format!("{alias}.tenant {of_tenant}"), values: vec![tenant.into()], head: None }
    }

    /// This one, of one value, as `$1`.
    pub(super) fn new(condition: &str, value: impl Into<Value>) -> Self {
        Self { sql: condition.to_owned(), values: vec![value.into()], head: None }
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

    /// With a word that begins with each of these; `of` says where the words of the list's rows are, and which column there is the
    /// row's id.
    pub(super) fn words(&mut self, alias: &'static str, (table, id): (&'static str, &'static str), terms: &[String]) {
        for term in terms {
            self.values.push(term.into());
            self.values.push(words::end_of(term).into());
            let (from, to) = (self.values.len() - 1, self.values.len());
            self.sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM {table} AS w WHERE w.tenant = {alias}.tenant AND w.merchant = {alias}.merchant
                     AND w.{id} = {alias}.id AND w.word >= ${from} AND w.word < ${to} LIMIT 1 OFFSET 0)"
            ));
        }
    }

    /// As [`Self::page`], of the rows in one state.
    fn page_of_state(&mut self, list: &List, state: &'static str, after: Option<&String>, limit: u32) -> String {
        let alias = list.alias;
        let (column, value) = match self.head {
            Some((column, head)) => (column, format!("{head} {state}")),
            None => (list.state, state.to_owned()),
        };
        let state = format!("{alias}.{column}");
        // From there to there: taken as an equality, any index of ids would give the order.
        self.compare(&state, ">=", value.as_str());
        match after {
            None => self.compare(&state, "<=", value),
            Some(after) => {
                self.values.extend([value.into(), after.into()]);
                let last = self.values.len();
                self.sql.push_str(&format!(" AND ({state}, {alias}.id) < (${}, ${last})", last - 1));
            }
        }
        self.values.push(i64::from(limit.clamp(1, 500) + 1).into());
        format!("{} ORDER BY {state} DESC, {alias}.id DESC LIMIT ${}", self.sql, self.values.len())
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
#[derive(Clone)]
pub(super) enum Heads {
    /// The whole tenant.
    Tenant,
    /// These connections, each with its merchant.
    Connections(Vec<(String, String)>),
}

/// The connections that a list is limited to by its access or its filters.
pub(super) async fn heads(
    tx: &mut Tx,
    access: &Access,
    merchant: Option<&MerchantId>,
    connection: Option<&ConnectionId>,
) -> R<Heads> {
    if merchant.is_none() && connection.is_none() && matches!(access, Access::Tenant(_)) {
        return Ok(Heads::Tenant);
    }
    let mut conditions = Conditions::of(access, "c");
    if let Some(merchant) = merchant {
        conditions.and("c", "merchant =", merchant);
    }
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
        list: &List,
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
        let (alias, columns, table) = (list.alias, list.columns, list.table);
        let common = self.sql.clone();
        let mut parts = Vec::with_capacity(each.len() * states.len());
        for pair in each {
            for state in states {
                self.sql.clone_from(&common);
                if let Some((merchant, connection)) = pair {
                    self.and(alias, "merchant =", merchant);
                    self.and(alias, "connection =", connection);
                }
                parts.push(self.page_of_state(list, state, after, limit));
            }
        }
        if let [only] = parts.as_slice() {
            return Some(format!("SELECT {columns} FROM {table} AS {alias} WHERE {only}"));
        }
        let numbered = parts.iter().enumerate().map(|(number, part)| {
            format!(
                "SELECT * FROM (SELECT {alias}.tenant, {alias}.merchant, {alias}.id FROM {table} AS {alias}
                 WHERE {part}) AS p{number}"
            )
        });
        self.values.push(i64::from(limit.clamp(1, 500) + 1).into());
        let parts = numbered.collect::<Vec<_>>().join(" UNION ALL ");
        // Each state's page stands in an index; the rows themselves are looked up of one page alone. A cross join, since SQLite
        // keeps to its order.
        Some(format!(
            "SELECT {columns} FROM ({parts} ORDER BY 3 DESC LIMIT ${}) AS p CROSS JOIN {table} AS {alias}
             WHERE {alias}.tenant = p.tenant AND {alias}.merchant = p.merchant AND {alias}.id = p.id
             ORDER BY {alias}.id DESC",
            self.values.len()
        ))
    }
}

/// Where something is looked up that may be rare: the id of what has it, `FROM` where, and which rows there.
pub(super) type Source = (&'static str, Conditions);

/// The words of a list's rows that begin with each of these; `from` is the column of the row's id and the table, as `w`.
pub(super) fn sources(access: &Access, from: &'static str, terms: &[String]) -> Vec<Source> {
    let of = |term: &String| {
        let mut conditions = Conditions::of(access, "w");
        conditions.and("w", "word >=", term);
        conditions.and("w", "word <", words::end_of(term));
        (from, conditions)
    };
    terms.iter().map(of).collect()
}

/// What has the rarest of these, `None` where each of them is common or there is none.
pub(super) async fn rarest(tx: &mut Tx, sources: Vec<Source>) -> R<Option<BTreeSet<String>>> {
    let mut rarest: Option<BTreeSet<String>> = None;
    for (source, mut conditions) in sources {
        // One row may have the same word twice, from two origins, and several words with this beginning.
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

/// The rows of a page, of those in these states among `ids`, which are few.
pub(super) async fn among_few(
    tx: &mut Tx,
    (list, conditions): (&List, &Conditions),
    states: &[&'static str],
    ids: BTreeSet<String>,
    after: Option<&String>,
    limit: u32,
) -> R<Vec<Row>> {
    let wanted = usize::try_from(limit.clamp(1, 500)).unwrap_or(1);
    let ids: Vec<String> = ids.into_iter().rev().filter(|id| after.is_none_or(|after| id < after)).collect();
    let mut found = Vec::new();
    for ids in ids.chunks(SLICE) {
        let mut conditions = conditions.clone();
        conditions.one_of(list.alias, list.state, states.to_vec());
        conditions.among(list.alias, "id", ids.iter().map(Value::from).collect());
        let page = conditions.page(list.alias, after.cloned(), limit);
        let sql = format!("SELECT {} FROM {} AS {} WHERE {page}", list.columns, list.table, list.alias);
        found.extend(tx.query_built(sql, &conditions.values).await?);
        if found.len() > wanted {
            break;
        }
    }
    Ok(found)
}

impl Database {
    /// Shipments, newest first.
    pub async fn list_shipments(&self, access: &Access, query: ShipmentQuery) -> R<Page<ShipmentView>> {
        let access = access.clone();
        self.read(access.clone(), "list_shipments", move |tx| {
            Box::pin(async move {
                let terms = words::terms(&query.text);
                if terms.is_empty() && !query.text.trim().is_empty() {
                    return Ok(Page { items: Vec::new(), next: None });
                }
                let mut conditions = shipments(&access, &query, &terms);
                let states = told(&query);
                let after = query.after.as_ref();
                let found_by = sources(&access, "w.shipment FROM shipment_word AS w", &terms);
                let rows = match rarest(tx, found_by).await? {
                    Some(ids) => among_few(tx, (&SHIPMENTS, &conditions), &states, ids, after, query.limit).await?,
                    None => {
                        let heads = heads(tx, &access, None, query.connection.as_ref()).await?;
                        match conditions.by_state(&SHIPMENTS, &heads, &states, after, query.limit) {
                            Some(sql) => {
                                tx.plan_once().await?;
                                tx.query_built(sql, &conditions.values).await?
                            }
                            None => Vec::new(),
                        }
                    }
                };
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
                let heads = heads(tx, &access, None, query.connection.as_ref()).await?;
                let (mut conditions, heads) = effects(&access, &query, heads);
                let sql = conditions.by_state(&EFFECTS, &heads, &states, query.after.as_ref(), query.limit);
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

/// Everything but how far the source knows of them and the page.
fn shipments(access: &Access, query: &ShipmentQuery, terms: &[String]) -> Conditions {
    let mut conditions = Conditions::of(access, "s");
    if let Some(connection) = &query.connection {
        conditions.and("s", "connection =", connection);
    }
    conditions.words("s", ("shipment_word", "shipment"), terms);
    conditions
}

/// Everything but state and page, and by what it is read.
fn effects(access: &Access, query: &EffectQuery, heads: Heads) -> (Conditions, Heads) {
    let nothing = matches!(&heads, Heads::Connections(pairs) if pairs.is_empty());
    let (mut conditions, heads) = match (query.kind, &query.connection) {
        // Of one kind, an index of the whole tenant gives the order, and whose each of them is.
        (Some(_), None) if !nothing => (Conditions::of(access, "e"), Heads::Tenant),
        // The connection is one that the access reaches. Asked for its merchant as well, SQLite would take the index of the
        // connection's states, and look at its effects of every kind.
        (Some(_), Some(_)) if !nothing => (Conditions::of_tenant(access, "e"), Heads::Tenant),
        _ => (Conditions::of(access, "e"), heads),
    };
    if let Some(connection) = &query.connection {
        conditions.and("e", "connection =", connection);
    }
    if let Some(kind) = query.kind {
        conditions.head = Some(("kind_state", kind.as_str()));
    }
    (conditions, heads)
}

/// What a list of shipments may hold.
fn told(query: &ShipmentQuery) -> Vec<&'static str> {
    let wanted = |asked: Option<bool>, is: bool| asked.is_none_or(|asked| asked == is);
    TOLD.into_iter()
        .filter(|(_, confirmed, stopped)| wanted(query.confirmed, *confirmed) && wanted(query.needs_person, *stopped))
        .map(|(name, _, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use connect::EffectKind;

    use super::*;
    use crate::db::{
        DatabaseConfig, OrderQuery, Scope,
        order_list::{ORDERS, filtered},
    };

    /// How some states of a list are read: the steps that SQLite takes, which are the same however full its tables are.
    async fn plan(
        db: &Database,
        access: &Access,
        list: &'static List,
        of: (Conditions, Heads),
        states: &[&'static str],
        after: bool,
    ) -> Vec<String> {
        let (mut conditions, heads) = of;
        let after = after.then(|| "x".to_owned());
        let sql = conditions.by_state(list, &heads, states, after.as_ref(), 50).unwrap();
        db.read(access.clone(), "plan", move |tx| {
            Box::pin(async move {
                let steps = tx.query_built(format!("EXPLAIN QUERY PLAN {sql}"), &conditions.values).await?;
                steps.iter().map(|step| step.string(3)).collect()
            })
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn an_index_gives_each_list_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("plans.db").display());
        let db = Database::open(&DatabaseConfig::new(url)).await.unwrap();
        let tenant = db.create_tenant("North").await.unwrap();
        let merchant = db.create_merchant(&tenant, "Acme").await.unwrap();
        let connection = ConnectionId::generate(Timestamp::UNIX_EPOCH, &connect::OsRandom);
        let all = Access::Tenant(tenant.clone());
        let own = Access::Merchant(Scope { tenant, merchant: merchant.clone() });
        let pair = || Heads::Connections(vec![(merchant.to_string(), connection.to_string())]);
        let words = || words::terms("ada 1001");
        let dated = OrderQuery { imported_from: Some(Timestamp::UNIX_EPOCH), ..OrderQuery::default() };
        let of_brand = OrderQuery { merchant: Some(merchant.clone()), ..dated.clone() };
        let of_connection = OrderQuery { connection: Some(connection.clone()), ..dated.clone() };
        let shipped = ShipmentQuery { connection: Some(connection.clone()), ..ShipmentQuery::default() };
        let kind = EffectQuery { kind: Some(EffectKind::SetStatus), ..EffectQuery::default() };
        let kind_there = EffectQuery { connection: Some(connection.clone()), ..kind.clone() };
        let there = EffectQuery { connection: Some(connection.clone()), ..EffectQuery::default() };
        for (access, list, (of, heads), index) in [
            (&all, &ORDERS, (filtered(&all, &dated, &words()), Heads::Tenant), "orders_in_state"),
            (&own, &ORDERS, (filtered(&own, &dated, &words()), pair()), "orders_by_state"),
            (&all, &ORDERS, (filtered(&all, &of_brand, &[]), pair()), "orders_by_state"),
            (&all, &ORDERS, (filtered(&all, &of_connection, &[]), pair()), "orders_by_state"),
            (&all, &SHIPMENTS, (shipments(&all, &ShipmentQuery::default(), &words()), Heads::Tenant), "shipment_told"),
            (&own, &SHIPMENTS, (shipments(&own, &shipped, &words()), pair()), "shipment_told_of_connection"),
            (&all, &EFFECTS, effects(&all, &EffectQuery::default(), Heads::Tenant), "effect_of_tenant"),
            (&all, &EFFECTS, effects(&all, &there, pair()), "effect_by_state"),
            (&all, &EFFECTS, effects(&all, &kind, Heads::Tenant), "effect_of_kind"),
            (&own, &EFFECTS, effects(&own, &kind, pair()), "effect_of_kind"),
            (&own, &EFFECTS, effects(&own, &kind_there, pair()), "effect_of_kind"),
        ] {
            for after in [false, true] {
                let steps = plan(&db, access, list, (of.clone(), heads.clone()), &["open"], after).await;
                let read = format!("SEARCH {} USING INDEX {index} (", list.alias);
                assert!(steps.iter().any(|step| step.starts_with(&read)), "{index}: {steps:?}");
                assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{index}: {steps:?}");
                assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{index}: {steps:?}");

                // Of several states, the index gives each one's page, and the rows of one page are looked up by their ids.
                let states = ["open", "held", "told"];
                let steps = plan(&db, access, list, (of.clone(), heads.clone()), &states, after).await;
                let by_index = |step: &&String| {
                    step.starts_with(&format!("SEARCH {} USING", list.alias))
                        && step.contains(&format!("INDEX {index} ("))
                };
                assert_eq!(steps.iter().filter(by_index).count(), states.len(), "{index}: {steps:?}");
                let by_id = format!("SEARCH {} USING INDEX sqlite_autoindex_{}_1 (", list.alias, list.table);
                let looked_up = |step: &&String| step.starts_with(&by_id) && step.contains("id=?");
                assert_eq!(steps.iter().filter(looked_up).count(), 1, "{index}: {steps:?}");
                assert!(
                    !steps.iter().any(|step| step.starts_with(&format!("SCAN {}", list.alias))),
                    "{index}: {steps:?}"
                );
            }
        }
    }
}
