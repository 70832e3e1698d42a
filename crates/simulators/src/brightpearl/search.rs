//! The search engine behind every `…-search`: filters by type, columns, sorting, paging, reference.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::account::Account;
use super::call::{Answer, Call, Refusal, Reply, time};
use super::idset::IdSet;

/// Rows of a page unless told otherwise, and at most.
const PAGE: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    IdSet,
    Text,
    SearchText,
    Boolean,
    Period,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::IdSet => "IDSET",
            Self::Text => "STRING",
            Self::SearchText => "SEARCH_STRING",
            Self::Boolean => "BOOLEAN",
            Self::Period => "PERIOD",
        }
    }
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Time(Timestamp),
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    pub(crate) fn maybe(id: Option<i64>) -> Self {
        id.map_or(Self::Null, Self::Int)
    }

    pub(crate) fn maybe_time(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Null, Self::Time)
    }

    pub(crate) fn maybe_text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    fn json(&self, account: &Account) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Int(value) => json!(value),
            Self::Bool(value) => json!(value),
            Self::Time(at) => account.time(*at),
            Self::Text(text) => json!(text),
        }
    }
}

/// A column of a search: how it is described and where its values come from.
pub(crate) struct Column<T> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) sortable: bool,
    pub(crate) filterable: bool,
    /// The map of names its values appear in.
    pub(crate) reference: Option<&'static str>,
    pub(crate) get: for<'a> fn(&'a T) -> Cell<'a>,
}

impl<T> Column<T> {
    pub(crate) const fn new(name: &'static str, kind: Kind, get: for<'a> fn(&'a T) -> Cell<'a>) -> Self {
        Self { name, kind, sortable: true, filterable: true, reference: None, get }
    }

    pub(crate) const fn named_by(mut self, reference: &'static str) -> Self {
        self.reference = Some(reference);
        self
    }

    pub(crate) const fn unsortable(mut self) -> Self {
        self.sortable = false;
        self
    }

    pub(crate) const fn unfilterable(mut self) -> Self {
        self.filterable = false;
        self
    }

    fn describe(&self) -> Value {
        let reference: Vec<&str> = self.reference.into_iter().collect();
        json!({
            "name": self.name, "sortable": self.sortable, "filterable": self.filterable,
            "reportDataType": self.kind.name(), "referenceData": reference, "isFreeTextSearchable": false,
            "required": false
        })
    }
}

/// A search over one kind of resource. The first column is the id it is sorted by.
pub(crate) struct Search<T: 'static> {
    pub(crate) columns: &'static [Column<T>],
    /// Filters that are not columns.
    pub(crate) extra: &'static [Column<T>],
    /// The entry of a reference map for a value: key and name.
    pub(crate) name: fn(&Account, &str, &Cell<'_>) -> Option<Value>,
}

enum Filter {
    Ids(IdSet),
    Text(String),
    Contains(String),
    Bool(bool),
    Between(Option<Timestamp>, Option<Timestamp>),
}

impl Filter {
    fn read(kind: Kind, value: &str) -> Option<Self> {
        match kind {
            // Ranges were refused where a list of numbers is meant.
            Kind::Integer if value.contains(['-', '*']) => None,
            Kind::Integer | Kind::IdSet => IdSet::parse_unordered(value).ok().map(Self::Ids),
            Kind::Text => Some(Self::Text(value.to_owned())),
            Kind::SearchText => Some(Self::Contains(value.to_lowercase())),
            Kind::Boolean => value.parse().ok().map(Self::Bool),
            Kind::Period => {
                let (from, to) = value.split_once('/')?;
                let end = |text: &str| if text.is_empty() { Some(None) } else { time(text).map(Some) };
                Some(Self::Between(end(from)?, end(to)?))
            }
        }
    }

    fn accepts(&self, cell: &Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Ids(set), Cell::Int(id)) => set.contains(*id),
            (Self::Text(wanted), Cell::Text(text)) => wanted == text,
            (Self::Contains(part), Cell::Text(text)) => text.to_lowercase().contains(part),
            (Self::Bool(wanted), Cell::Bool(value)) => wanted == value,
            (Self::Between(from, to), Cell::Time(at)) => {
                from.is_none_or(|from| from <= *at) && to.is_none_or(|to| *at <= to)
            }
            _ => false,
        }
    }
}

/// Query parameters that are not filters.
const CONTROLS: [&str; 5] = ["columns", "sort", "pageSize", "firstResult", "countOnly"];

impl<T> Search<T> {
    /// `…-search/meta-data`: what can be asked, without asking.
    pub(crate) fn meta_data(&self) -> Answer {
        let columns: Vec<Value> = self.columns.iter().map(Column::describe).collect();
        let filters: Vec<Value> =
            self.columns.iter().chain(self.extra).filter(|column| column.filterable).map(Column::describe).collect();
        Ok(Reply::of(json!({ "columns": columns, "filters": filters, "sorting": self.sorting(&self.default_sort()) })))
    }

    /// Runs the search over `items`.
    pub(crate) fn run<'a>(&self, account: &Account, call: &Call<'_>, items: impl Iterator<Item = &'a T>) -> Answer
    where
        T: 'a,
    {
        let filters = self.filters(call)?;
        let columns = self.chosen_columns(call)?;
        let sort = self.chosen_sort(call)?;
        let number = |name: &str, default: usize| match call.option(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| Refusal::invalid(format!("{name} must be a positive number"))),
        };
        let (size, first) = (number("pageSize", PAGE)?.min(PAGE), number("firstResult", 1)?);
        let mut found: Vec<&T> =
            items.filter(|item| filters.iter().all(|(column, filter)| filter.accepts(&(column.get)(item)))).collect();
        found.sort_by(|a, b| compare(&sort, a, b));
        let available = found.len();
        let count_only = call.option("countOnly") == Some("true");
        let page: Vec<&T> =
            if count_only { Vec::new() } else { found.into_iter().skip(first - 1).take(size).collect() };
        let rows: Vec<Value> =
            page.iter().map(|item| columns.iter().map(|column| (column.get)(item).json(account)).collect()).collect();
        let last = first - 1 + page.len();
        let mut meta = json!({
            "morePagesAvailable": !count_only && last < available, "resultsAvailable": available,
            "resultsReturned": page.len(),
            "columns": columns.iter().map(|column| column.describe()).collect::<Vec<_>>(),
            "sorting": self.sorting(&sort)
        });
        if !page.is_empty() {
            meta["firstResult"] = json!(first);
            meta["lastResult"] = json!(last);
        }
        let reference = self.reference(account, &columns, &page);
        Ok(Reply::body(json!({
            "response": { "results": rows, "metaData": meta },
            "reference": reference
        })))
    }

    fn filters(&self, call: &Call<'_>) -> Result<Vec<(&Column<T>, Filter)>, Refusal> {
        let mut filters = Vec::new();
        for (name, value) in call.query.iter().filter(|(name, _)| !CONTROLS.contains(&name.as_str())) {
            let column = self.columns.iter().chain(self.extra).find(|column| column.name == name && column.filterable);
            // Refused rather than ignored (assumption): a misspelt filter must not pass for "everything".
            let column = column.ok_or_else(|| Refusal::invalid(format!("The filter {name} does not exist")))?;
            let filter = Filter::read(column.kind, value).ok_or_else(|| {
                let message = format!("The filter {name}={value} cannot be parsed as: {}", column.kind.name());
                Refusal::new(500, "CMNC-018", message)
            })?;
            filters.push((column, filter));
        }
        Ok(filters)
    }

    fn column(&self, name: &str) -> Result<&Column<T>, Refusal> {
        let column = self.columns.iter().find(|column| column.name == name);
        column.ok_or_else(|| Refusal::invalid(format!("The column {name} does not exist")))
    }

    fn chosen_columns(&self, call: &Call<'_>) -> Result<Vec<&Column<T>>, Refusal> {
        match call.option("columns") {
            None | Some("") => Ok(self.columns.iter().collect()),
            Some(names) => names.split(',').map(|name| self.column(name.trim())).collect(),
        }
    }

    fn default_sort(&self) -> Vec<(&Column<T>, bool)> {
        self.columns.first().map(|column| (column, true)).into_iter().collect()
    }

    fn chosen_sort(&self, call: &Call<'_>) -> Result<Vec<(&Column<T>, bool)>, Refusal> {
        let Some(keys) = call.option("sort").filter(|keys| !keys.is_empty()) else {
            return Ok(self.default_sort());
        };
        keys.split(',')
            .map(|key| {
                let (name, direction) = key.rsplit_once('.').unwrap_or((key, "ASC"));
                let column = self.column(name)?;
                match direction {
                    _ if !column.sortable => Err(Refusal::invalid(format!("The column {name} cannot be sorted by"))),
                    "ASC" => Ok((column, true)),
                    "DESC" => Ok((column, false)),
                    _ => Err(Refusal::invalid(format!("The direction {direction} does not exist"))),
                }
            })
            .collect()
    }

    fn sorting(&self, sort: &[(&Column<T>, bool)]) -> Value {
        sort.iter()
            .map(|(column, ascending)| {
                json!({ "filterable": column.describe(), "direction": if *ascending { "ASC" } else { "DESC" } })
            })
            .collect()
    }

    /// Names of the values on the page.
    fn reference(&self, account: &Account, columns: &[&Column<T>], page: &[&T]) -> Value {
        let mut maps: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for column in columns {
            let Some(map) = column.reference else { continue };
            for item in page {
                let cell = (column.get)(item);
                if let (Cell::Int(id), Some(name)) = (&cell, (self.name)(account, map, &cell)) {
                    maps.entry(map).or_default().insert(id.to_string(), name);
                }
            }
        }
        json!(maps)
    }
}

/// A search without names.
pub(crate) fn nameless(_: &Account, _: &str, _: &Cell<'_>) -> Option<Value> {
    None
}

fn compare<T>(sort: &[(&Column<T>, bool)], a: &T, b: &T) -> Ordering {
    sort.iter()
        .map(|(column, ascending)| {
            let order = (column.get)(a).cmp(&(column.get)(b));
            if *ascending { order } else { order.reverse() }
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
