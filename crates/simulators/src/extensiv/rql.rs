//! The filter language of list calls.
//!
//! `;` is *and*, `,` is *or*, *and* binds tighter, parentheses group. Names are paths of the model, their case does not
//! matter. The query string has been decoded once when it arrives here; values are decoded a second time after the
//! structure has been found, so an operator inside a value must have been escaped twice by the sender.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use percent_encoding::percent_decode_str;
use rust_decimal::Decimal;

/// Groups nested deeper than this are refused, so that no query can exhaust the stack.
const DEEPEST: usize = 32;

/// Why a filter or an order of rows is refused, with the `Hint` for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RqlError {
    /// It cannot be read.
    NotParsable(String),
    /// It names a property the model has not.
    UnknownProperty(String),
}

/// A property of a row, as filters see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Known, but without a value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number.
    Number(Decimal),
    /// Any text.
    Text(String),
    /// A time without an offset.
    Time(DateTime),
    /// The values of a property that occurs more than once, such as one of the lines.
    Many(Vec<Field>),
}

/// A row that can be filtered and sorted.
pub trait Row {
    /// The property at a path in lower case; `None` when the model has no such path.
    fn field(&self, path: &str) -> Option<Field>;
}

/// A filter that has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Option<Node>);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Test { path: String, test: Test },
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equal(Pattern),
    Different(Pattern),
    Compare(Compare, String),
    In(Vec<String>),
    Out(Vec<String>),
    HasValue(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    text: String,
    open_start: bool,
    open_end: bool,
}

impl Filter {
    /// The filter that lets everything through.
    #[must_use]
    pub fn everything() -> Self {
        Self(None)
    }

    /// Reads a filter.
    ///
    /// # Errors
    /// [`RqlError::NotParsable`] with what was expected and where.
    pub fn parse(text: &str) -> Result<Self, RqlError> {
        let mut parser = Parser { rest: text, depth: 0 };
        let node = parser.any()?;
        if parser.rest.is_empty() { Ok(Self(Some(node))) } else { Err(parser.unexpected("the end, ; or ,")) }
    }

    /// Whether a row passes.
    ///
    /// # Errors
    /// When the filter names a property the row has not, or a value does not fit its property.
    pub fn matches(&self, row: &dyn Row) -> Result<bool, RqlError> {
        self.0.as_ref().map_or(Ok(true), |node| node.matches(row))
    }
}

/// Sorts rows by `sort` (`path`, `-path`, several with commas), keeping their order where they are equal.
///
/// # Errors
/// When it names a property the rows have not.
pub fn sort_rows<R: Row>(rows: &mut [R], sort: &str) -> Result<(), RqlError> {
    let keys: Vec<(String, bool)> = sort
        .split(',')
        .map(|key| match key.trim().strip_prefix('-') {
            Some(path) => (path.to_ascii_lowercase(), true),
            None => (key.trim().to_ascii_lowercase(), false),
        })
        .collect();
    if let Some(row) = rows.first() {
        for (path, _) in &keys {
            row.field(path).ok_or_else(|| RqlError::UnknownProperty(path.clone()))?;
        }
    }
    rows.sort_by(|left, right| {
        keys.iter()
            .map(|(path, descending)| {
                let order = rank(left.field(path).as_ref(), right.field(path).as_ref());
                if *descending { order.reverse() } else { order }
            })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    });
    Ok(())
}

fn rank(left: Option<&Field>, right: Option<&Field>) -> Ordering {
    match (left, right) {
        (Some(Field::Bool(left)), Some(Field::Bool(right))) => left.cmp(right),
        (Some(Field::Number(left)), Some(Field::Number(right))) => left.cmp(right),
        (Some(Field::Text(left)), Some(Field::Text(right))) => left.cmp(right),
        (Some(Field::Time(left)), Some(Field::Time(right))) => left.cmp(right),
        (Some(Field::Null) | None, Some(Field::Null) | None) => Ordering::Equal,
        (Some(Field::Null) | None, Some(_)) => Ordering::Less,
        (Some(_), Some(Field::Null) | None) => Ordering::Greater,
        (Some(_), Some(_)) => Ordering::Equal,
    }
}

impl Node {
    fn matches(&self, row: &dyn Row) -> Result<bool, RqlError> {
        match self {
            Self::All(nodes) => {
                // Every part is looked at, so that an unknown property is refused whatever stands before it.
                let mut all = true;
                for node in nodes {
                    all &= node.matches(row)?;
                }
                Ok(all)
            }
            Self::Any(nodes) => {
                let mut any = false;
                for node in nodes {
                    any |= node.matches(row)?;
                }
                Ok(any)
            }
            Self::Test { path, test } => {
                let field =
                    row.field(&path.to_ascii_lowercase()).ok_or_else(|| RqlError::UnknownProperty(path.clone()))?;
                test.holds(path, &field)
            }
        }
    }
}

impl Test {
    fn holds(&self, path: &str, field: &Field) -> Result<bool, RqlError> {
        match self {
            Self::Equal(pattern) => pattern.equals(path, field),
            Self::Different(pattern) => pattern.equals(path, field).map(|equal| !equal),
            Self::In(values) => any_equal(path, field, values),
            Self::Out(values) => any_equal(path, field, values).map(|equal| !equal),
            Self::HasValue(wanted) => {
                let has = match field {
                    Field::Null => false,
                    Field::Text(text) => !text.is_empty(),
                    Field::Many(values) => !values.is_empty(),
                    Field::Bool(_) | Field::Number(_) | Field::Time(_) => true,
                };
                Ok(has == *wanted)
            }
            Self::Compare(compare, value) => {
                if let Field::Many(fields) = field {
                    for field in fields {
                        if self.holds(path, field)? {
                            return Ok(true);
                        }
                    }
                    return Ok(false);
                }
                let Some(order) = order_against(path, field, value)? else {
                    return Ok(false);
                };
                Ok(match compare {
                    Compare::Greater => order == Ordering::Greater,
                    Compare::GreaterOrEqual => order != Ordering::Less,
                    Compare::Less => order == Ordering::Less,
                    Compare::LessOrEqual => order != Ordering::Greater,
                })
            }
        }
    }
}

fn any_equal(path: &str, field: &Field, values: &[String]) -> Result<bool, RqlError> {
    let mut any = false;
    for value in values {
        let pattern = Pattern { text: value.clone(), open_start: false, open_end: false };
        any |= pattern.equals(path, field)?;
    }
    Ok(any)
}

impl Pattern {
    fn equals(&self, path: &str, field: &Field) -> Result<bool, RqlError> {
        match field {
            Field::Many(fields) => {
                for field in fields {
                    if self.equals(path, field)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            // Text is compared without regard to case, as the vendor's database does by default.
            Field::Text(text) => {
                let text = text.to_lowercase();
                let wanted = self.text.to_lowercase();
                Ok(match (self.open_start, self.open_end) {
                    (false, false) => text == wanted,
                    (false, true) => text.starts_with(&wanted),
                    (true, false) => text.ends_with(&wanted),
                    (true, true) => text.contains(&wanted),
                })
            }
            Field::Null => Ok(false),
            Field::Bool(_) | Field::Number(_) | Field::Time(_) => {
                if self.open_start || self.open_end {
                    return Err(RqlError::NotParsable(format!("wildcards need a text property, {path} is none")));
                }
                Ok(order_against(path, field, &self.text)? == Some(Ordering::Equal))
            }
        }
    }
}

/// How a field stands to a value, `None` when it has none.
fn order_against(path: &str, field: &Field, value: &str) -> Result<Option<Ordering>, RqlError> {
    let misfit = |kind: &str| RqlError::NotParsable(format!("{path}: {value:?} is not {kind}"));
    match field {
        Field::Null | Field::Many(_) => Ok(None),
        Field::Bool(field) => match value.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(field.cmp(&true))),
            "false" => Ok(Some(field.cmp(&false))),
            _ => Err(misfit("true or false")),
        },
        Field::Number(field) => {
            let value: Decimal = value.parse().map_err(|_| misfit("a number"))?;
            Ok(Some(field.cmp(&value)))
        }
        Field::Text(field) => Ok(Some(field.to_lowercase().cmp(&value.to_lowercase()))),
        Field::Time(field) => {
            let value: DateTime = value
                .parse()
                .or_else(|_| {
                    value.parse::<jiff::civil::Date>().map(|date| date.to_datetime(jiff::civil::Time::midnight()))
                })
                .map_err(|_| misfit("a date and time without an offset"))?;
            Ok(Some(field.cmp(&value)))
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Node, RqlError> {
        let mut parts = vec![self.all()?];
        while self.take(",") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Node::Any))
    }

    fn all(&mut self) -> Result<Node, RqlError> {
        let mut parts = vec![self.factor()?];
        while self.take(";") {
            parts.push(self.factor()?);
        }
        Ok(single_or(parts, Node::All))
    }

    fn factor(&mut self) -> Result<Node, RqlError> {
        if !self.take("(") {
            return self.test();
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(RqlError::NotParsable("groups are nested too deep".to_owned()));
        }
        let inner = self.any()?;
        if !self.take(")") {
            return Err(self.unexpected(")"));
        }
        self.depth -= 1;
        Ok(inner)
    }

    fn test(&mut self) -> Result<Node, RqlError> {
        let path = self.until(|c| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
        if path.is_empty() {
            return Err(self.unexpected("a property"));
        }
        let test = if self.take("==") {
            Test::Equal(self.pattern()?)
        } else if self.take("!=") {
            Test::Different(self.pattern()?)
        } else {
            self.worded_test()?
        };
        Ok(Node::Test { path, test })
    }

    fn worded_test(&mut self) -> Result<Test, RqlError> {
        let operator = self
            .rest
            .strip_prefix('=')
            .and_then(|rest| rest.split_once('='))
            .map(|(word, rest)| (word.to_ascii_lowercase(), rest));
        let Some((word, rest)) = operator else {
            return Err(self.unexpected("an operator"));
        };
        let compare = match word.as_str() {
            "gt" => Some(Compare::Greater),
            "ge" => Some(Compare::GreaterOrEqual),
            "lt" => Some(Compare::Less),
            "le" => Some(Compare::LessOrEqual),
            "in" | "out" | "hv" => None,
            _ => return Err(self.unexpected("an operator")),
        };
        self.rest = rest;
        if let Some(compare) = compare {
            return Ok(Test::Compare(compare, self.value()?));
        }
        if word == "hv" {
            return match self.value()?.to_ascii_lowercase().as_str() {
                "true" => Ok(Test::HasValue(true)),
                "false" => Ok(Test::HasValue(false)),
                _ => Err(RqlError::NotParsable("=hv= takes true or false".to_owned())),
            };
        }
        if !self.take("(") {
            return Err(self.unexpected("("));
        }
        let mut values = vec![self.value()?];
        while self.take(",") {
            values.push(self.value()?);
        }
        if !self.take(")") {
            return Err(self.unexpected(")"));
        }
        Ok(if word == "in" { Test::In(values) } else { Test::Out(values) })
    }

    /// A value with wildcards at its ends.
    fn pattern(&mut self) -> Result<Pattern, RqlError> {
        let raw = self.raw_value()?;
        let open_start = raw.starts_with('*');
        let open_end = raw.len() > 1 && raw.ends_with('*');
        let inner = raw.strip_prefix('*').unwrap_or(&raw);
        let inner = if open_end { inner.strip_suffix('*').unwrap_or(inner) } else { inner };
        Ok(Pattern { text: closed_value(inner)?, open_start, open_end })
    }

    /// A value without wildcards.
    fn value(&mut self) -> Result<String, RqlError> {
        closed_value(&self.raw_value()?)
    }

    fn raw_value(&mut self) -> Result<String, RqlError> {
        let raw = self.until(|c| matches!(c, ';' | ',' | '(' | ')' | '=' | '!'));
        if raw.is_empty() {
            return Err(self.unexpected("a value"));
        }
        Ok(raw)
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, stop: impl Fn(char) -> bool) -> String {
        let (taken, rest) = self.rest.split_at(self.rest.find(stop).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken.to_owned()
    }

    fn unexpected(&self, wanted: &str) -> RqlError {
        let found: String = self.rest.chars().take(20).collect();
        RqlError::NotParsable(format!("expected {wanted}, found {found:?}"))
    }
}

/// The second decoding. What is left of `*` and `%` after it must have been escaped.
fn closed_value(raw: &str) -> Result<String, RqlError> {
    if raw.is_empty() || raw.contains('*') {
        return Err(RqlError::NotParsable(format!("{raw:?}: wildcards stand at the ends of a value")));
    }
    let bytes = raw.as_bytes();
    let stray = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%' && !bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if stray {
        return Err(RqlError::NotParsable(format!("{raw:?}: % is not escaped")));
    }
    percent_decode_str(raw)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| RqlError::NotParsable(format!("{raw:?} is not UTF-8")))
}

fn single_or(mut parts: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
