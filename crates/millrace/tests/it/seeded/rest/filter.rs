//! What of a list is asked for: a filter, an order and a page.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::answers::{Answer, misasked};
use crate::seeded::wire::Query;

/// A whole number above zero.
fn number(query: &Query, name: &str, default: usize) -> Result<usize, Answer> {
    let Some(text) = query.get(name) else { return Ok(default) };
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| misasked(name, "a whole number above zero is needed"))
}

/// A list as it is asked for: how many rows there are in all, and those of the page. `fact` tells what a filter may name of a row,
/// by its path in lower case.
pub(super) fn listed<R>(
    query: &Query,
    (default, most): (usize, usize),
    mut rows: Vec<R>,
    fact: impl Fn(&R, &str) -> Option<Value>,
    show: impl Fn(&R) -> Value,
) -> Result<(usize, Vec<Value>), Answer> {
    let (size, page) = (number(query, "pgsiz", default)?, number(query, "pgnum", 1)?);
    if size > most {
        return Err(misasked("pgsiz", &format!("a page has at most {most} rows")));
    }
    if let Some(text) = query.get("rql").filter(|text| !text.is_empty()) {
        let filter = Filter::read(text).map_err(|hint| misasked("rql", &hint))?;
        let mut found = Vec::new();
        for row in rows {
            let passes = filter.passes(&|path: &str| fact(&row, path)).map_err(|hint| misasked("rql", &hint))?;
            if passes {
                found.push(row);
            }
        }
        rows = found;
    }
    if let Some(sort) = query.get("sort").filter(|text| !text.is_empty()) {
        let (path, down) = match sort.strip_prefix('-') {
            Some(path) => (path, true),
            None => (sort.as_str(), false),
        };
        let path = path.to_ascii_lowercase();
        let mut keyed = Vec::new();
        for row in rows {
            let key = fact(&row, &path).ok_or_else(|| misasked("sort", &unknown(&path)))?;
            keyed.push((key, row));
        }
        keyed.sort_by(|(left, _), (right, _)| if down { rank(right, left) } else { rank(left, right) });
        rows = keyed.into_iter().map(|(_, row)| row).collect();
    }
    let shown = rows.iter().skip((page - 1).saturating_mul(size)).take(size).map(show).collect();
    Ok((rows.len(), shown))
}

fn rank(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (left, right) => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
    }
}

fn unknown(path: &str) -> String {
    format!("Properties not supported: {path}")
}

/// A filter of a list (RQL): `;` is *and*, `,` is *or* and binds less, and parentheses group. The case of paths does not matter.
enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    /// Values as they were written, which are decoded a second time.
    Test {
        path: String,
        is: Is,
        values: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Equal,
    Different,
    Above,
    AtLeast,
    Below,
    AtMost,
    OneOf,
    NoneOf,
    There,
}

const OPERATORS: [(&str, Is); 9] = [
    ("==", Is::Equal),
    ("!=", Is::Different),
    ("=gt=", Is::Above),
    ("=ge=", Is::AtLeast),
    ("=lt=", Is::Below),
    ("=le=", Is::AtMost),
    ("=in=", Is::OneOf),
    ("=out=", Is::NoneOf),
    ("=hv=", Is::There),
];

impl Filter {
    fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader(text);
        let filter = reader.any()?;
        if reader.0.is_empty() { Ok(filter) } else { Err(reader.expected("the end")) }
    }

    /// Every part is looked at, so that one that cannot be understood is refused whatever stands before it.
    fn passes(&self, fact: &dyn Fn(&str) -> Option<Value>) -> Result<bool, String> {
        match self {
            Self::All(parts) => parts.iter().try_fold(true, |all, part| Ok::<_, String>(part.passes(fact)? && all)),
            Self::Any(parts) => parts.iter().try_fold(false, |any, part| Ok::<_, String>(part.passes(fact)? || any)),
            Self::Test { path, is, values } => {
                let path = path.to_ascii_lowercase();
                let held = fact(&path).ok_or_else(|| unknown(&path))?;
                is.holds(&path, &held, values)
            }
        }
    }
}

impl Is {
    fn holds(self, path: &str, held: &Value, values: &[String]) -> Result<bool, String> {
        let wild = matches!(self, Self::Equal | Self::Different);
        let is_one =
            || values.iter().try_fold(false, |one, value| Ok::<_, String>(equals(path, held, value, wild)? || one));
        match self {
            Self::Equal | Self::OneOf => is_one(),
            Self::Different | Self::NoneOf => is_one().map(|one| !one),
            Self::There => {
                let wanted = values.concat().to_ascii_lowercase().parse::<bool>();
                let is_there = !held.is_null() && held != "";
                wanted.map(|wanted| wanted == is_there).map_err(|_| "=hv= takes true or false".to_owned())
            }
            Self::Above | Self::AtLeast | Self::Below | Self::AtMost => {
                let stands = compared(path, held, &decoded(&values.concat())?)?;
                Ok(stands.is_some_and(|stands| match self {
                    Self::Above => stands.is_gt(),
                    Self::AtLeast => stands.is_ge(),
                    Self::Below => stands.is_lt(),
                    _ => stands.is_le(),
                }))
            }
        }
    }
}

/// Whether a row has this value; where wildcards are allowed they stand at its ends.
fn equals(path: &str, held: &Value, value: &str, wild: bool) -> Result<bool, String> {
    let open_start = wild && value.starts_with('*');
    let inside = if open_start { &value[1..] } else { value };
    let open_end = wild && inside.ends_with('*');
    let inside = decoded(if open_end { &inside[..inside.len() - 1] } else { inside })?;
    if !open_start && !open_end {
        return Ok(compared(path, held, &inside)? == Some(Ordering::Equal));
    }
    match held {
        Value::Null => Ok(false),
        Value::String(text) if !path.ends_with("date") => {
            let (text, inside) = (text.to_lowercase(), inside.to_lowercase());
            Ok(match (open_start, open_end) {
                (true, true) => text.contains(&inside),
                (true, false) => text.ends_with(&inside),
                _ => text.starts_with(&inside),
            })
        }
        _ => Err(format!("wildcards need a text, and {path} is none")),
    }
}

/// How what a row has stands to a value; `None`: it has nothing.
fn compared(path: &str, held: &Value, value: &str) -> Result<Option<Ordering>, String> {
    let misfit = |wanted: &str| format!("{path}: {value:?} is not {wanted}");
    match held {
        Value::Bool(held) => {
            let value = value.to_ascii_lowercase().parse::<bool>().map_err(|_| misfit("true or false"))?;
            Ok(Some(held.cmp(&value)))
        }
        Value::Number(held) => {
            let value = value.parse::<f64>().map_err(|_| misfit("a number"))?;
            Ok(held.as_f64().and_then(|held| held.partial_cmp(&value)))
        }
        Value::String(held) if path.ends_with("date") => {
            let value = value.parse::<DateTime>().map_err(|_| misfit("a time without an offset"))?;
            Ok(held.parse::<DateTime>().ok().map(|held| held.cmp(&value)))
        }
        Value::String(held) => Ok(Some(held.to_lowercase().cmp(&value.to_lowercase()))),
        Value::Null | Value::Array(_) | Value::Object(_) => Ok(None),
    }
}

/// A value, decoded the second time.
fn decoded(value: &str) -> Result<String, String> {
    if value.contains('*') {
        return Err(format!("{value:?}: a wildcard stands where none may"));
    }
    let text = percent_decode_str(value).decode_utf8().map_err(|_| format!("{value:?} is not UTF-8"))?;
    Ok(text.into_owned())
}

/// What is left of a filter to read.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.takes(",") {
            parts.push(self.all()?);
        }
        Ok(Filter::Any(parts))
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while self.takes(";") {
            parts.push(self.one()?);
        }
        Ok(Filter::All(parts))
    }

    fn one(&mut self) -> Result<Filter, String> {
        if self.takes("(") {
            let inside = self.any()?;
            return if self.takes(")") { Ok(inside) } else { Err(self.expected(")")) };
        }
        let path = self.until(|letter| !letter.is_ascii_alphanumeric() && letter != '.');
        let operator = OPERATORS
            .into_iter()
            .find(|(text, _)| self.0.get(..text.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(text)));
        let Some((text, is)) = operator.filter(|_| !path.is_empty()) else {
            return Err(self.expected("a property and an operator"));
        };
        self.0 = &self.0[text.len()..];
        let several = matches!(is, Is::OneOf | Is::NoneOf);
        if several && !self.takes("(") {
            return Err(self.expected("("));
        }
        let mut values = vec![self.value()?];
        while several && self.takes(",") {
            values.push(self.value()?);
        }
        if several && !self.takes(")") {
            return Err(self.expected(")"));
        }
        Ok(Filter::Test { path, is, values })
    }

    fn value(&mut self) -> Result<String, String> {
        let value = self.until(|letter| matches!(letter, ';' | ',' | '(' | ')' | '=' | '!'));
        if value.is_empty() { Err(self.expected("a value")) } else { Ok(value) }
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> String {
        let (taken, left) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
        self.0 = left;
        taken.to_owned()
    }

    fn takes(&mut self, text: &str) -> bool {
        let left = self.0.strip_prefix(text);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    fn expected(&self, what: &str) -> String {
        format!("{what} is expected before {:?}", self.0.chars().take(20).collect::<String>())
    }
}
