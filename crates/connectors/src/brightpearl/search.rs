//! Searches: rows in pages of up to 500, with the columns' names in each answer (Brightpearl help: *Resource search*,
//! article 212644983).

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::{
    client::{Client, Failure, Purpose},
    idset,
    lenient::{Text, whole},
};

/// The most rows of one page.
const PAGE_SIZE: i64 = 500;
/// How often a search is begun again when rows leave it while it is read.
const PASSES: u32 = 5;
/// The code for a filter value that cannot be read, a list where a filter takes none among them.
const UNREADABLE_FILTER: &str = "CMNC-018";

/// What stays as it is in a query. The slash of a period must: one client found `%2F` refused.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b',')
    .remove(b':')
    .remove(b'@');

/// What a filter looks for.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    /// This text.
    Text(String),
    /// Any of these ids.
    Any(BTreeSet<i64>),
}

impl Filter {
    /// This text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// A search.
#[derive(Debug, Clone)]
pub(super) struct Query<'a> {
    /// Path within the account.
    pub(super) path: &'a str,
    /// Wanted columns. The first is the row's own id; rows are read in its order.
    pub(super) columns: &'a [&'static str],
    /// Filters by column.
    pub(super) filters: Vec<(&'static str, Filter)>,
}

/// One row: the wanted columns in the wanted order.
pub(super) type Row = Vec<Value>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    results: Vec<Vec<Value>>,
    meta_data: MetaData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaData {
    #[serde(default)]
    more_pages_available: bool,
    #[serde(default)]
    results_available: i64,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: Text,
}

/// How many rows there are, as far as the API says.
pub(super) async fn count(client: &Client, purpose: Purpose, query: &Query<'_>) -> Result<i64, Failure> {
    let page: Page = client.get(purpose, &address(query, 1)).await?;
    Ok(page.meta_data.results_available)
}

/// Every row, by id. Complete: a row that is there from the first page to the last is in it.
///
/// INTEGER filters take "one number or a list" by the documentation, and only one number by the experience of one
/// client: where a list is refused, each value is searched for itself.
pub(super) async fn all(client: &Client, purpose: Purpose, query: &Query<'_>) -> Result<Vec<Row>, Failure> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![query.clone()];
    while let Some(query) = waiting.pop() {
        let refused = query.filters.iter().find_map(|(name, filter)| match filter {
            Filter::Any(ids) if ids.len() > 1 && !client.takes_lists(name) => Some(*name),
            Filter::Any(_) | Filter::Text(_) => None,
        });
        if let Some(name) = refused {
            waiting.extend(one_by_one(&query, name));
            continue;
        }
        match in_order(client, purpose, &query).await {
            Ok(rows) => found.extend(rows),
            Err(Failure::Refused { code, message, .. })
                if code == UNREADABLE_FILTER && refused_list(&query, &message).is_some() =>
            {
                if let Some(name) = refused_list(&query, &message) {
                    client.refuses_lists(name);
                    waiting.push(query);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(found.into_values().collect())
}

/// The list that a refusal names, else the first list there is.
fn refused_list(query: &Query<'_>, message: &str) -> Option<&'static str> {
    let lists = || {
        query.filters.iter().filter_map(|(name, filter)| match filter {
            Filter::Any(ids) if ids.len() > 1 => Some(*name),
            Filter::Any(_) | Filter::Text(_) => None,
        })
    };
    lists().find(|name| message.contains(name)).or_else(|| lists().next())
}

/// The query once for each value of this filter.
fn one_by_one<'a>(query: &Query<'a>, name: &str) -> Vec<Query<'a>> {
    let ids = query.filters.iter().find_map(|(filter, value)| match value {
        Filter::Any(ids) if *filter == name => Some(ids.clone()),
        Filter::Any(_) | Filter::Text(_) => None,
    });
    let single = |id: i64| {
        let filters = query.filters.iter().map(|(filter, value)| {
            let value = if *filter == name { Filter::Any(BTreeSet::from([id])) } else { value.clone() };
            (*filter, value)
        });
        Query { filters: filters.collect(), ..query.clone() }
    };
    ids.unwrap_or_default().into_iter().map(single).collect()
}

async fn in_order(client: &Client, purpose: Purpose, query: &Query<'_>) -> Result<BTreeMap<i64, Row>, Failure> {
    for _ in 0..PASSES {
        if let Some(rows) = pass(client, purpose, query).await? {
            return Ok(rows);
        }
        tracing::debug!(http.path = query.path, "rows left a search while it was read; it is begun again");
    }
    Err(Failure::Outage(format!(
        "rows kept leaving {} while it was read, so that none of {PASSES} readings was complete",
        query.path
    )))
}

/// One reading of all pages; `None` when a row left the search meanwhile, since then the rows behind it moved up and
/// one of them may have slipped through between two pages.
///
/// Each page begins with the last row of the page before. Where it does not, rows have moved. This sees what a
/// shrinking total would not: a row that left while another came in behind.
async fn pass(client: &Client, purpose: Purpose, query: &Query<'_>) -> Result<Option<BTreeMap<i64, Row>>, Failure> {
    let mut found = BTreeMap::new();
    let mut first = 1;
    loop {
        let page: Page = client.get(purpose, &address(query, first)).await?;
        let (more, returned) = (page.meta_data.more_pages_available, page.results.len());
        let rows = rows(query, page)?;
        let ids = rows.iter().map(|row| row.first().and_then(whole)).collect::<Option<Vec<i64>>>();
        let ids = ids.ok_or_else(|| Failure::Unreadable(format!("a row of {} has no id", query.path)))?;
        if let Some((last, _)) = found.last_key_value()
            && ids.first().is_none_or(|id| id > last)
        {
            return Ok(None);
        }
        let before = found.len();
        found.extend(ids.into_iter().zip(rows));
        if !more {
            return Ok(Some(found));
        }
        if found.len() == before {
            return Err(Failure::Unreadable(format!("{} promises more rows and gives none", query.path)));
        }
        first += i64::try_from(returned).unwrap_or(PAGE_SIZE) - 1;
    }
}

fn address(query: &Query<'_>, first: i64) -> String {
    let mut text = format!("{}?", query.path);
    for (name, filter) in &query.filters {
        let value = match filter {
            Filter::Text(text) => text.clone(),
            Filter::Any(ids) => idset::list(ids),
        };
        text.push_str(&format!("{name}={}&", utf8_percent_encode(&value, QUERY)));
    }
    let sort = query.columns.first().copied().unwrap_or_default();
    text.push_str(&format!(
        "columns={}&sort={sort}.ASC&pageSize={PAGE_SIZE}&firstResult={first}",
        query.columns.join(",")
    ));
    text
}

/// The wanted columns, found by their names in this very answer.
fn rows(query: &Query<'_>, page: Page) -> Result<Vec<Row>, Failure> {
    let places =
        query.columns.iter().map(|wanted| page.meta_data.columns.iter().position(|column| column.name.0 == *wanted));
    let places = places.collect::<Option<Vec<usize>>>().ok_or_else(|| {
        Failure::Unreadable(format!("{} does not name all of the columns {}", query.path, query.columns.join(", ")))
    })?;
    let pick = |row: &Vec<Value>| places.iter().map(|place| row.get(*place).cloned().unwrap_or(Value::Null)).collect();
    Ok(page.results.iter().map(pick).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{from_value, json};

    use super::{Filter, Page, Query, address, one_by_one, refused_list, rows};

    fn query() -> Query<'static> {
        Query {
            path: "order-service/order-search",
            columns: &["orderId", "updatedOn"],
            filters: vec![
                ("customerRef", Filter::text("#1 a")),
                ("updatedOn", Filter::text("2026-01-01T00:00:00.000Z/")),
                ("orderStatusId", Filter::Any(BTreeSet::from([3, 7]))),
            ],
        }
    }

    #[test]
    fn values_are_encoded_but_for_slashes_and_commas() {
        assert_eq!(
            address(&query(), 501),
            "order-service/order-search?customerRef=%231%20a&updatedOn=2026-01-01T00:00:00.000Z/&orderStatusId=3,7&\
             columns=orderId,updatedOn&sort=orderId.ASC&pageSize=500&firstResult=501"
        );
    }

    #[test]
    fn columns_are_taken_by_name() {
        let page: Page = from_value(json!({
            "results": [["x", null, 322], ["y"]],
            "metaData": {"morePagesAvailable": false, "resultsAvailable": 2,
                         "columns": [{"name": "ref"}, {"name": "updatedOn"}, {"name": "orderId"}]}
        }))
        .unwrap();
        assert_eq!(rows(&query(), page).unwrap(), [[json!(322), json!(null)], [json!(null), json!(null)]]);
    }

    #[test]
    fn a_refused_list_is_asked_value_by_value() {
        let query = query();
        assert_eq!(
            refused_list(&query, "The filter orderStatusId=3,7 cannot be parsed as: INTEGER"),
            Some("orderStatusId")
        );
        let single: Vec<String> = one_by_one(&query, "orderStatusId").iter().map(|query| address(query, 1)).collect();
        assert_eq!(single.len(), 2);
        assert!(single.iter().any(|text| text.contains("orderStatusId=3&")));
        assert!(single.iter().any(|text| text.contains("orderStatusId=7&")));
    }
}
