//! A small warehouse behind an API: orders are made held, let go and cancelled at the version that was read, and a search shows
//! them with a delay. Written from what Extensiv publishes of its 3PL Warehouse Manager (orders, completer, canceler, packages,
//! stock summaries); it knows nothing of the hub. What is documented nowhere the seed decides. Changing an order in place (`PUT`)
//! and the warehouse's own holds are not modelled.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use connect::{HttpRequest, HttpResponse, Transport, TransportError};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    brightpearl::{Change, Watcher as _, query},
    cells::{self, Kind, Moment},
    clock::ModelClock,
    random::Dice,
    run::warehouse_sku,
    trace::{Fate, Trace},
    warehouse::{Line, Packed},
    watch::Watch,
};

/// Where it is reached.
pub const HOST: &str = "secure-wms.com";
/// Whose orders they are, and where they are picked.
pub const CUSTOMER: i64 = 7;
pub const FACILITY: i64 = 1;
/// Who signs in.
const CLIENT: &str = "a client";
const SECRET: &str = "a secret";
const USER: &str = "hub";
/// Another customer of the same warehouse, whom the same credentials may see.
const STRANGER: i64 = 8;
/// Whole-call limit of the other side (D_http).
const PATIENCE: Duration = Duration::from_secs(30);
/// A search knows what happened within so many seconds.
const LONGEST_LAG: i64 = 50;
/// What orders are told apart by in their tags.
const MARK: i64 = 0x5bd1_e995;
/// How often, in a thousand, an open order is changed in a round without any consequence, and how often the staff cancels one.
const TOUCHED: u64 = 60;
const CANCELLED_BY_STAFF: u64 = 30;

const HAL: &str = "application/hal+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PAGE: &str = "text/html; charset=utf-8";

/// The zone of the warehouse's times, which carry none.
static ZONE: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap());

/// A query, by name, decoded once.
type Query = BTreeMap<String, String>;

/// One line of an order.
#[derive(Debug, Clone)]
struct Item {
    id: i64,
    line: u32,
    sku: String,
    quantity: i64,
}

/// An order as it stands.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: i64,
    customer: i64,
    pub reference: String,
    /// It was split off another one.
    pub is_part: bool,
    items: Vec<Item>,
    /// As it was asked for.
    asked: Value,
    /// It was made held.
    deferred: bool,
    /// Nobody works on it yet.
    pub held: bool,
    started: bool,
    pub cancelled: bool,
    closed: Option<Timestamp>,
    /// Tracking number, and line and units of what is in it.
    boxes: Vec<Packed>,
    version: i64,
    created: Timestamp,
    modified: Timestamp,
}

impl Made {
    /// Number, SKU and units of its lines.
    pub fn lines(&self) -> Vec<Line> {
        let line = |item: &Item| Line { number: item.line, sku: item.sku.clone(), asked: item.quantity, shipped: 0 };
        self.items.iter().map(line).collect()
    }

    fn is_open(&self) -> bool {
        !self.cancelled && self.closed.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NotSent,
    LostBefore,
    LostAfter,
    FailsAfter,
    CutOff,
    WebPage,
    Throttled,
    Outage,
    Late,
    Expired,
    Slow,
    Redirect,
    Doubled,
}

/// Weights in a thousand, at strength 1.
const OF_CHANGES: [(Fault, u64); 13] = [
    (Fault::NotSent, 15),
    (Fault::LostBefore, 15),
    (Fault::LostAfter, 25),
    (Fault::FailsAfter, 15),
    (Fault::CutOff, 10),
    (Fault::WebPage, 10),
    (Fault::Throttled, 10),
    (Fault::Outage, 10),
    (Fault::Late, 25),
    (Fault::Expired, 10),
    (Fault::Slow, 5),
    (Fault::Redirect, 5),
    (Fault::Doubled, 10),
];
const OF_READS: [(Fault, u64); 7] = [
    (Fault::NotSent, 8),
    (Fault::LostAfter, 5),
    (Fault::CutOff, 5),
    (Fault::WebPage, 5),
    (Fault::Throttled, 5),
    (Fault::Outage, 8),
    (Fault::Expired, 5),
];

/// What a run knows of it.
pub struct State {
    /// What happened to each order: it as it stood from then on, by its id.
    orders: BTreeMap<i64, Vec<(Timestamp, Made)>>,
    /// Every change that arrived, in order.
    pub changes: Vec<Change>,
    /// Searches for orders that were answered in full: when, and their filter.
    pub looks: Vec<(Timestamp, String)>,
    /// What the warehouse's own staff cancelled: when, and its number.
    pub by_staff: Vec<(Timestamp, String)>,
    pub calls: u64,
    /// Times each fault happened.
    pub faults: BTreeMap<String, u64>,
    /// How often things go wrong; 0: never.
    pub strength: u64,
    /// Seconds until what happened shows in a search, at most: each search is behind by some of them.
    pub lag: i64,
    /// Physically there, by SKU.
    pub stock: BTreeMap<String, i64>,
    /// Stock is set aside for what is held, too, and not only for what was let go.
    pub sets_aside_held: bool,
    works_on: i64,
    signed_in: u64,
    /// Tokens, with the time at which each ends.
    tokens: BTreeMap<String, Timestamp>,
    late: Vec<(usize, Timestamp)>,
    last_id: i64,
}

impl State {
    fn id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Every order of ours as it stands.
    pub fn made(&self) -> impl Iterator<Item = &Made> {
        let last = self.orders.values().filter_map(|history| history.last());
        last.map(|(_, made)| made).filter(|made| made.customer == CUSTOMER)
    }

    /// Units that open orders ask for and that stock is set aside for, as far as it reaches.
    fn asked(&self, sku: &str) -> i64 {
        let open = self.made().filter(|made| made.is_open() && (self.sets_aside_held || !made.held));
        open.flat_map(|made| &made.items).filter(|item| item.sku == sku).map(|item| item.quantity).sum()
    }

    /// Units that are set aside for open orders: what is there and not among these is available.
    pub fn committed(&self, sku: &str) -> i64 {
        let there = self.stock.get(sku).copied().unwrap_or(0);
        self.asked(sku).min(there).max(0)
    }

    fn order(&self, id: i64) -> Option<&Made> {
        Some(&self.orders.get(&id)?.last()?.1)
    }

    /// Every order as it stood then, those of other customers included.
    fn known(&self, then: Timestamp) -> impl Iterator<Item = &Made> {
        self.orders
            .values()
            .filter_map(move |history| history.iter().rev().find(|(at, _)| *at <= then).map(|(_, made)| made))
    }

    /// Changes an order.
    fn touch(&mut self, now: Timestamp, id: i64, change: impl FnOnce(&mut Made)) {
        let Some(mut made) = self.order(id).cloned() else { return };
        change(&mut made);
        made.version += 1;
        made.modified = now;
        self.orders.entry(id).or_default().push((now, made));
    }
}

/// The warehouse, as the hub reaches it.
pub struct RestWarehouse {
    clock: Arc<ModelClock>,
    trace: Arc<Trace>,
    dice: Dice,
    watch: Arc<Watch>,
    state: Mutex<State>,
    /// A second order of one number is refused.
    refuses_repeats: bool,
    /// What was let go can be told from what is held.
    shows_release: bool,
    /// What was let go can be cancelled until somebody works on it.
    stops_late: bool,
    /// A cancelled order counts as closed, too.
    closes_cancelled: bool,
    /// An order tells what is in its boxes; otherwise only the list below it does.
    shows_boxes: bool,
    /// What of another customer's lies there, under whatever SKU.
    stock_of_stranger: BTreeMap<String, i64>,
    /// Seconds for which a token is good.
    token_life: i64,
}

struct Reply {
    after: Duration,
    answer: Result<HttpResponse, TransportError>,
}

/// Status, tag and body.
type Answer = (u16, Option<String>, Value);

/// An answer without a body.
fn blank(status: u16) -> Answer {
    (status, None, Value::Null)
}

fn kind_of_refusal(name: &str) -> String {
    format!("WMS.V2.Generic.Models.Exceptions.{name}, WMS.V2.Generic.Models")
}

/// A property of the body is refused.
fn invalid(property: &str, value: &str, code: &str) -> Answer {
    let body = json!({"$type": kind_of_refusal("ModelValidationException"), "ModelType": 0,
        "Properties": [{"Name": property, "Value": value}], "ErrorCode": code, "Hint": ""});
    (400, None, body)
}

/// A parameter of a read is refused.
fn misasked(parameter: &str, hint: &str) -> Answer {
    let body = json!({"$type": kind_of_refusal("QueryParameterException"), "Parameters": [parameter],
        "ErrorCode": "NotParsable", "Hint": hint});
    (400, None, body)
}

/// What is asked for does not fit how the order stands.
fn forbidden(action: &str, code: &str) -> Answer {
    let body = json!({"$type": kind_of_refusal("OperationException"), "ActionName": action, "ErrorCode": code,
        "Hint": ""});
    (403, None, body)
}

/// Times carry no zone: they are the warehouse's own.
fn written(time: Timestamp) -> String {
    time.to_zoned(ZONE.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The tag of an order at a version.
fn tag(id: i64, version: i64) -> String {
    format!("\"{:x}-{version}\"", id ^ MARK)
}

/// The version of an order that a tag names; -1: none of its own. The weak form is as good.
fn version_in(text: &str, id: i64) -> i64 {
    let bare = text.strip_prefix("W/").unwrap_or(text);
    let version = bare.strip_suffix('"').and_then(|bare| bare.rsplit_once('-')?.1.parse::<i64>().ok());
    version.filter(|version| tag(id, *version) == bare).unwrap_or(-1)
}

/// Which parts of an order are asked for.
#[derive(Debug, Clone, Copy)]
struct Detail {
    lines: bool,
    boxes: bool,
}

impl Detail {
    const ALL: Self = Self { lines: true, boxes: true };

    fn of(query: &Query) -> Self {
        let words = query.get("detail").map(String::as_str).unwrap_or_default();
        let has =
            |word: &str| words.split(',').any(|one| one.eq_ignore_ascii_case(word) || one.eq_ignore_ascii_case("All"));
        Self { lines: has("OrderItems"), boxes: has("Packages") }
    }
}

fn rel(name: &str) -> String {
    format!("http://api.3plCentral.com/rels/{name}")
}

fn list(name: &str, total: usize, rows: Vec<Value>) -> Answer {
    (200, None, json!({"totalResults": total, "_embedded": {rel(name): rows}}))
}

/// The other shape of an answer, for whoever does not ask for the one with links: names begin with a capital, and lists stand in
/// the answer itself.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(fields) => {
            let mut told = serde_json::Map::new();
            for (name, value) in fields {
                match value {
                    Value::Object(lists) if name == "_embedded" => {
                        told.extend(lists.values().map(|list| ("ResourceList".to_owned(), plain(list))));
                    }
                    value => {
                        let mut letters = name.chars();
                        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                        told.insert(first.into_iter().chain(letters).collect(), plain(value));
                    }
                }
            }
            Value::Object(told)
        }
        other => other.clone(),
    }
}

/// A whole number above zero.
fn number(query: &Query, name: &str, default: usize) -> Result<usize, Answer> {
    let Some(text) = query.get(name) else { return Ok(default) };
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| misasked(name, "a whole number above zero is needed"))
}

/// A list as it is asked for: how many rows there are in all, and those of the page. `fact` tells what a filter may name of a row,
/// by its path in lower case.
fn listed<R>(
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

/// Orders of another customer, some open, some shipped, some cancelled. Numbers are each customer's own: some are those that ours
/// have, too.
fn orders_of_stranger(dice: &Dice, now: Timestamp) -> BTreeMap<i64, Vec<(Timestamp, Made)>> {
    let mut orders = BTreeMap::new();
    for place in 0..dice.between(3, 10) {
        let id = 150_000 + place * 10;
        let at = now - SignedDuration::from_mins(dice.between(60, 3 * 24 * 60));
        let reference =
            if place % 2 == 0 { format!("BPacme-O{}", 100_001 + place / 2) } else { format!("OTHER-X{place}") };
        let sku = warehouse_sku(1001);
        let packed: Packed = (format!("1Z999ZZ9{place:08}"), vec![(1, sku.clone(), 3)]);
        let is_closed = place % 3 == 0;
        let made = Made {
            id,
            customer: STRANGER,
            reference,
            is_part: false,
            items: vec![Item { id: id + 1, line: 1, sku, quantity: 3 }],
            asked: json!({"shipTo": {"name": "SOMEBODY ELSE", "city": "Leeds", "country": "GB"}}),
            deferred: true,
            held: false,
            started: is_closed,
            cancelled: place % 3 == 1,
            closed: is_closed.then_some(at),
            boxes: if is_closed { vec![packed] } else { Vec::new() },
            version: 3,
            created: at,
            modified: at,
        };
        orders.insert(id, vec![(at, made)]);
    }
    orders
}

/// What of an item lies there, and what open orders ask of it.
struct Shelf {
    customer: i64,
    item: i64,
    sku: String,
    there: i64,
    asked: i64,
    committed: i64,
}

impl Shelf {
    /// The customer is among what a filter may name, and not told.
    fn fact(&self, path: &str) -> Option<Value> {
        Some(match path {
            "customeridentifier.id" => json!(self.customer),
            "facilityid" => json!(FACILITY),
            "itemidentifier.id" => json!(self.item),
            "itemidentifier.sku" => json!(self.sku),
            "qualifier" => json!(""),
            _ => return None,
        })
    }

    fn told(&self) -> Value {
        json!({
            "itemIdentifier": {"sku": self.sku, "id": self.item}, "qualifier": "", "allocated": self.committed as f64,
            "available": (self.there - self.committed) as f64, "onHold": 0.0, "onHand": self.there as f64,
            "orderedNotAllocated": (self.asked - self.committed) as f64, "facilityId": FACILITY,
        })
    }
}

/// Whether there is anything behind a path, for another method perhaps.
fn is_there(path: &[&str]) -> bool {
    matches!(
        path,
        ["orders"]
            | ["orders", _]
            | ["orders", _, "completer" | "canceler" | "packages"]
            | ["inventory", "stocksummaries"]
            | ["customers", _, "items"]
    )
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The token that came with a call.
fn token_of(request: &HttpRequest) -> Option<&str> {
    header(request, "authorization")?.strip_prefix("Bearer ")
}

impl RestWarehouse {
    pub fn new(seed: u64, clock: Arc<ModelClock>, trace: Arc<Trace>, watch: Arc<Watch>, works_on: Duration) -> Self {
        let dice = Dice::new(seed, "rest warehouse");
        let state = State {
            orders: orders_of_stranger(&dice, clock.true_time()),
            changes: Vec::new(),
            looks: Vec::new(),
            by_staff: Vec::new(),
            calls: 0,
            faults: BTreeMap::new(),
            strength: *dice.pick(&[0, 1, 1, 2, 4]),
            lag: if dice.chance(500) { dice.between(1, LONGEST_LAG) } else { 0 },
            stock: BTreeMap::new(),
            sets_aside_held: dice.chance(500),
            works_on: works_on.as_millis() as i64,
            signed_in: 0,
            tokens: BTreeMap::new(),
            late: Vec::new(),
            last_id: 206_000,
        };
        let (refuses_repeats, shows_release, stops_late) = (dice.chance(500), dice.chance(700), dice.chance(500));
        let (closes_cancelled, shows_boxes) = (dice.chance(300), dice.chance(700));
        let stock_of_stranger = [warehouse_sku(1001), "OTHER-1".to_owned()].map(|sku| (sku, dice.between(10, 500)));
        let token_life = dice.between(30 * 60, 60 * 60);
        Self {
            clock,
            trace,
            dice,
            watch,
            state: Mutex::new(state),
            refuses_repeats,
            shows_release,
            stops_late,
            closes_cancelled,
            shows_boxes,
            stock_of_stranger: BTreeMap::from(stock_of_stranger),
            token_life,
        }
    }

    /// It as it stands now: whatever was due has happened.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.true_time();
        loop {
            let due = state.late.iter().enumerate().map(|(place, (_, due))| (*due, place));
            let Some((at, place)) = due.filter(|(due, _)| *due <= now).min() else { return state };
            let (change, _) = state.late.remove(place);
            self.carry_out(&mut state, change, at);
        }
    }

    /// A round of the staff's. Somebody begins to work on some of what was let go: it cannot be stopped any more. And some of what
    /// is open, held or not, is changed without any consequence: a version that was read before does not fit any more.
    pub fn begins(&self, now: Timestamp) {
        let mut state = self.state();
        let open: Vec<(i64, bool)> =
            state.made().filter(|made| made.is_open()).map(|made| (made.id, !made.held && !made.started)).collect();
        for (id, waits) in open {
            if waits && self.dice.chance(250) {
                self.trace.note(&format!("{now} warehouse begins to pick {id}"));
                state.touch(now, id, |made| made.started = true);
            }
            if self.dice.chance(TOUCHED) {
                self.trace.note(&format!("{now} warehouse touches {id}"));
                state.touch(now, id, |_| {});
            }
        }
    }

    /// Now and then the staff cancels one of the orders that were let go and that nobody works on, which asks nobody. Its number.
    pub fn staff_cancels(&self, now: Timestamp) -> Option<String> {
        let mut state = self.state();
        if !self.dice.chance(CANCELLED_BY_STAFF) {
            return None;
        }
        let waits = |made: &&Made| made.is_open() && !made.held && !made.started && !made.is_part;
        let open: Vec<(i64, String)> =
            state.made().filter(waits).map(|made| (made.id, made.reference.clone())).collect();
        if open.is_empty() {
            return None;
        }
        let (id, reference) = self.dice.pick(&open).clone();
        self.trace.note(&format!("{now} warehouse cancels {id} by itself"));
        state.touch(now, id, |made| made.cancelled = true);
        state.by_staff.push((now, reference.clone()));
        Some(reference)
    }

    /// Whether goods of this order may leave.
    pub fn may_ship(&self, id: i64) -> bool {
        self.state().order(id).is_some_and(|made| made.is_open() && !made.held)
    }

    /// An order, or a part of one, leaves in these boxes. What is left of it goes on as a part of its own, whose id this is.
    pub fn ships(&self, now: Timestamp, id: i64, boxes: &[Packed]) -> Option<i64> {
        let mut state = self.state();
        let whole = state.order(id)?.clone();
        let left = |line: u32| -> i64 {
            let lines = boxes.iter().flat_map(|(_, lines)| lines);
            lines.filter(|(of, _, _)| *of == line).map(|(_, _, units)| units).sum()
        };
        let mut rest = whole.clone();
        for item in &mut rest.items {
            item.quantity -= left(item.line);
        }
        rest.items.retain(|item| item.quantity > 0);
        state.touch(now, id, |made| {
            for item in &mut made.items {
                item.quantity = left(item.line);
            }
            made.items.retain(|item| item.quantity > 0);
            made.closed = Some(now);
            made.boxes = boxes.to_vec();
        });
        if rest.items.is_empty() {
            return None;
        }
        // A part has the whole's number with its own behind it.
        let (base, number) = match whole.reference.rsplit_once('-') {
            Some((base, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (base.to_owned(), number.parse::<u32>().unwrap() + 1)
            }
            _ => (whole.reference.clone(), 2),
        };
        rest.id = state.id();
        rest.reference = format!("{base}-{number}");
        for place in 0..rest.items.len() {
            rest.items[place].id = state.id();
        }
        rest.is_part = true;
        rest.version = 1;
        rest.created = now;
        rest.modified = now;
        let id = rest.id;
        state.orders.insert(id, vec![(now, rest)]);
        Some(id)
    }

    fn carry_out(&self, state: &mut State, place: usize, now: Timestamp) -> Answer {
        let change = state.changes[place].clone();
        let answer = self.apply(state, &change, now);
        self.trace
            .note(&format!("{now} warehouse does {} {:?}: {} {}", change.kind, change.target, answer.0, answer.2));
        if (200..300).contains(&answer.0) {
            let order = change.target.first().and_then(|id| state.order(*id));
            self.watch.warehouse_does(&change, order.map_or("", |made| &made.reference), now);
        }
        state.changes[place].done = Some((now, (answer.0, answer.2.clone())));
        answer
    }

    fn apply(&self, state: &mut State, change: &Change, now: Timestamp) -> Answer {
        if change.kind == "warehouse order/post" {
            return self.make(state, &change.body, now);
        }
        let id = change.target[0];
        let Some(made) = state.order(id).cloned() else { return blank(404) };
        if made.customer != CUSTOMER {
            self.watch.finding(format!("T1: at {now} {} of {id}, which is another customer's", change.kind));
        }
        match change.if_match {
            None => return blank(428),
            Some(version) if version != made.version => return blank(412),
            Some(_) => {}
        }
        let completes = change.kind == "warehouse order completer/post";
        let action = if completes { "OrderComplete" } else { "OrderCancel" };
        if !completes && change.body["reason"].as_str().unwrap_or_default().is_empty() {
            return invalid("Reason", "", "Required");
        }
        if made.cancelled {
            return forbidden(action, "OrderCanceled");
        }
        if made.closed.is_some() {
            return forbidden(action, "OrderConfirmed");
        }
        if completes {
            if !made.held {
                return forbidden(action, "AlreadyCompleted");
            }
            state.touch(now, id, |made| made.held = false);
        } else {
            if made.started {
                return forbidden(action, "InUse");
            }
            if !made.held && !self.stops_late {
                return forbidden(action, "AlreadyCompleted");
            }
            state.touch(now, id, |made| made.cancelled = true);
        }
        blank(204)
    }

    fn make(&self, state: &mut State, body: &Value, now: Timestamp) -> Answer {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reference = text(&body["referenceNum"]);
        if reference.is_empty() {
            return invalid("ReferenceNum", "", "Required");
        }
        for (property, there, wanted) in [
            ("CustomerIdentifier", &body["customerIdentifier"]["id"], CUSTOMER),
            ("FacilityIdentifier", &body["facilityIdentifier"]["id"], FACILITY),
        ] {
            if *there != wanted {
                return invalid(
                    property,
                    &there.to_string(),
                    if there.is_null() { "Required" } else { "DoesNotExist" },
                );
            }
        }
        if !body["shipTo"].is_object() {
            return invalid("ShipTo", "", "Required");
        }
        let routing = &body["routingInfo"];
        if !(text(&routing["carrier"]) + &text(&routing["mode"])).is_empty() && text(&body["billingCode"]).is_empty() {
            return invalid("BillingCode", "", "Required");
        }
        if self.refuses_repeats && state.made().any(|made| made.reference == reference && !made.cancelled) {
            return invalid("ReferenceNum", &reference, "Duplicate");
        }
        let id = state.id();
        let mut items = Vec::new();
        for item in body["orderItems"].as_array().into_iter().flatten() {
            let (sku, quantity) = (text(&item["itemIdentifier"]["sku"]), item["qty"].as_f64().unwrap_or(0.0) as i64);
            if !state.stock.contains_key(&sku) {
                return invalid("ItemIdentifier", &sku, "DoesNotExist");
            }
            if quantity < 1 {
                return invalid("Qty", &item["qty"].to_string(), "Required");
            }
            let line = item["externalId"].as_str().and_then(|line| line.parse().ok()).unwrap_or(0);
            items.push(Item { id: state.id(), line, sku, quantity });
        }
        if items.is_empty() {
            return invalid("OrderItems", "", "Required");
        }
        let deferred = body["deferNotification"] == true;
        let made = Made {
            id,
            customer: CUSTOMER,
            reference,
            is_part: false,
            items,
            asked: body.clone(),
            deferred,
            held: deferred,
            started: false,
            cancelled: false,
            closed: None,
            boxes: Vec::new(),
            version: 1,
            created: now,
            modified: now,
        };
        let answer = (201, Some(tag(id, 1)), self.document(&made, Detail::ALL));
        state.orders.insert(id, vec![(now, made)]);
        answer
    }

    /// What a filter may name of an order. Of its status only whether it is cancelled can be relied upon.
    fn fact(&self, made: &Made, path: &str) -> Option<Value> {
        Some(match path {
            "referencenum" => json!(made.reference),
            "externalid" => made.asked["externalId"].clone(),
            "ponum" => made.asked["poNum"].clone(),
            "readonly.orderid" => json!(made.id),
            "readonly.status" => json!(if made.cancelled { 2 } else { 0 }),
            "readonly.isclosed" => json!(self.is_closed(made)),
            "readonly.defernotification" => json!(self.is_deferred(made)),
            "readonly.pickstarted" => json!(made.started),
            "readonly.creationdate" => json!(written(made.created)),
            "readonly.lastmodifieddate" => json!(written(made.modified)),
            "readonly.processdate" | "readonly.shipdate" => json!(made.closed.map(written)),
            "readonly.customeridentifier.id" => json!(made.customer),
            "readonly.facilityidentifier.id" => json!(FACILITY),
            _ => return None,
        })
    }

    fn is_closed(&self, made: &Made) -> bool {
        made.closed.is_some() || made.cancelled && self.closes_cancelled
    }

    /// As an order shows it: where being let go does not show, it stays what it was made as.
    fn is_deferred(&self, made: &Made) -> bool {
        if self.shows_release { made.held } else { made.deferred }
    }

    fn document(&self, made: &Made, detail: Detail) -> Value {
        let status = if made.cancelled { 2 } else { i64::from(made.closed.is_some()) };
        let mut told = json!({
            "readOnly": {
                "orderId": made.id, "status": status, "isClosed": self.is_closed(made),
                "deferNotification": self.is_deferred(made), "creationDate": written(made.created),
                "lastModifiedDate": written(made.modified), "processDate": made.closed.map(written),
                "shipDate": made.closed.map(written), "pickStarted": made.started, "pickDoneDate": null,
                "packStarted": false, "packDoneDate": null, "onHoldDate": null, "onHoldReason": null,
                "customerIdentifier": {"externalId": null, "id": made.customer},
                "facilityIdentifier": {"id": FACILITY},
            },
            "referenceNum": made.reference,
            "poNum": made.asked["poNum"],
            "externalId": made.asked["externalId"],
            "routingInfo": {"carrier": "UPS", "mode": "Ground", "trackingNumber": "", "billOfLading": ""},
            "shipTo": made.asked["shipTo"],
            "_links": {"self": {"href": format!("/orders/{}", made.id)}},
        });
        if detail.lines {
            let line = |item: &Item| {
                json!({"readOnly": {"orderItemId": item.id}, "itemIdentifier": {"sku": item.sku}, "qualifier": "",
                    "externalId": item.line.to_string(), "qty": item.quantity as f64, "lotNumber": "",
                    "serialNumber": "", "expirationDate": null})
            };
            let lines: Vec<Value> = made.items.iter().map(line).collect();
            told["_embedded"] = json!({rel("orders/item"): lines});
        }
        if detail.boxes {
            told["readOnly"]["packages"] =
                if self.shows_boxes { packages(made, false).into() } else { Value::Array(Vec::new()) };
        }
        told
    }

    fn read(&self, state: &State, path: &[&str], query: &Query, now: Timestamp) -> Answer {
        let order = |id: &str| id.parse().ok().and_then(|id| state.order(id));
        let told = match path {
            ["orders"] => {
                let then = now - SignedDuration::from_secs(self.dice.between(0, state.lag));
                let detail = Detail::of(query);
                let (fact, show) =
                    (|made: &&Made, path: &str| self.fact(made, path), |made: &&Made| self.document(made, detail));
                let orders: Vec<&Made> = state.known(then).collect();
                let found = listed(query, (100, 1000), orders, fact, show);
                found.map(|(total, rows)| list("orders/order", total, rows))
            }
            ["orders", id] => Ok(match order(id) {
                Some(made) => (200, Some(tag(made.id, made.version)), self.document(made, Detail::of(query))),
                None => blank(404),
            }),
            ["orders", id, "packages"] => Ok(match order(id) {
                Some(made) => list("orders/package", made.boxes.len(), packages(made, true)),
                None => blank(404),
            }),
            ["inventory", "stocksummaries"] => {
                let ours = state.stock.iter().zip(501..).map(|((sku, there), item)| Shelf {
                    customer: CUSTOMER,
                    item,
                    sku: sku.clone(),
                    there: *there,
                    asked: state.asked(sku),
                    committed: state.committed(sku),
                });
                let theirs = self.stock_of_stranger.iter().zip(901..).map(|((sku, there), item)| Shelf {
                    customer: STRANGER,
                    item,
                    sku: sku.clone(),
                    there: *there,
                    asked: 0,
                    committed: 0,
                });
                let shelves: Vec<Shelf> = ours.chain(theirs).collect();
                let found = listed(query, (100, 500), shelves, Shelf::fact, Shelf::told);
                found.map(|(total, rows)| (200, None, json!({"totalResults": total, "summaries": rows})))
            }
            ["customers", id, "items"] if *id == CUSTOMER.to_string() => {
                let items: Vec<(&String, i64)> = state.stock.keys().zip(501..).collect();
                let fact = |(sku, item): &(&String, i64), path: &str| match path {
                    "sku" => Some(json!(sku)),
                    "readonly.itemid" => Some(json!(item)),
                    "readonly.deactivated" => Some(json!(false)),
                    _ => None,
                };
                let show = |(sku, item): &(&String, i64)| {
                    let read_only = json!({"itemId": item, "deactivated": false});
                    json!({"sku": sku, "readOnly": read_only})
                };
                listed(query, (10, 100), items, fact, show).map(|(total, rows)| list("customers/item", total, rows))
            }
            ["orders", _, "completer" | "canceler"] => Ok(blank(405)),
            _ => Ok(blank(404)),
        };
        told.unwrap_or_else(|refusal| refusal)
    }

    /// Gives a token to whoever has the right client, secret and user. Several are good at once.
    fn sign_in(&self, state: &mut State, request: &HttpRequest, now: Timestamp) -> (u16, Value) {
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        if header(request, "authorization") != Some(basic.as_str()) {
            return (401, json!({"Message": "invalid_client: client not registered"}));
        }
        let body: Value = serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default();
        if body["grant_type"] != "client_credentials" || body["user_login"] != USER {
            return (401, json!({"Message": "invalid_grant: user login not found"}));
        }
        state.signed_in += 1;
        let token = format!("token-{:06}", state.signed_in);
        state.tokens.insert(token.clone(), now + SignedDuration::from_secs(self.token_life));
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": self.token_life,
            "refresh_token": null, "scope": null});
        (200, body)
    }

    fn fault(&self, state: &mut State, change: Option<&Change>) -> Fault {
        let weights: &[(Fault, u64)] = if change.is_some() { &OF_CHANGES } else { &OF_READS };
        let is_rare = change.is_some_and(|change| change.kind == "warehouse order canceler/post");
        let strength = if is_rare { (state.strength * 3).min(6) } else { state.strength };
        let mut roll = self.dice.below(1000);
        for (fault, weight) in weights {
            let weight = weight * strength;
            if roll < weight {
                *state.faults.entry(format!("{fault:?} at the warehouse")).or_default() += 1;
                return *fault;
            }
            roll -= weight;
        }
        Fault::None
    }

    fn arrive(&self, request: &HttpRequest) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        let now = self.clock.true_time();
        let quick = Duration::from_millis(self.dice.between(20, 400).unsigned_abs());
        let change = change(request, now);
        let fault = self.fault(state, change.as_ref());
        let cell = change.as_ref().and_then(|change| cells::change(change.kind));
        // Made twice by something on the way, an order is there twice, held: neither leaves, and a person is told.
        let fault = match fault {
            Fault::Doubled if change.as_ref().is_some_and(|change| change.kind == "warehouse order/post") => {
                Fault::None
            }
            fault => fault,
        };
        let struck = |kind: Kind, moment: Moment| self.trace.struck(cell, kind, moment);
        let gone = |text: &str| Err(TransportError::Unknown(text.to_owned()));
        if fault == Fault::NotSent {
            struck(Kind::Refused, Moment::BeforeSend);
            return Reply { after: quick, answer: Err(TransportError::NotSent("connection refused".to_owned())) };
        }
        state.calls += 1;
        let answer = |status: u16, tag: Option<&str>, form: &str, body: Bytes| {
            let mut headers = vec![(
                "date".to_owned(),
                now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            )];
            if !body.is_empty() {
                headers.push(("content-type".to_owned(), form.to_owned()));
            }
            headers.extend(tag.map(|tag| ("etag".to_owned(), tag.to_owned())));
            Ok(HttpResponse { status, headers, body })
        };
        let with_links = header(request, "accept").is_some_and(|form| form.contains("application/hal+json"));
        let form = if with_links { HAL } else { JSON };
        let body_of = |body: &Value| match body {
            Value::Null => String::new(),
            body if with_links => body.to_string(),
            body => plain(body).to_string(),
        };
        let told = |(status, tag, body): &Answer| Reply {
            after: quick,
            answer: answer(*status, tag.as_deref(), form, body_of(body).into()),
        };
        if request.url.path() == "/AuthServer/api/Token" {
            if fault != Fault::None && fault != Fault::Expired {
                return Reply { after: quick, answer: gone("the connection was reset") };
            }
            let (status, body) = self.sign_in(state, request, now);
            return Reply { after: quick, answer: answer(status, None, JSON, body.to_string().into()) };
        }
        let place = change.map(|change| {
            state.changes.push(change);
            state.changes.len() - 1
        });
        if let Some(place) = place {
            state.changes[place].effects = self.watch.arrives(&state.changes[place]);
        }
        let mut turn_away = |status: u16, body: Value| {
            if let Some(place) = place {
                state.changes[place].turned_away = true;
            }
            told(&(status, None, body))
        };
        if fault == Fault::Throttled {
            struck(Kind::Throttled, Moment::OnItsWay);
            return turn_away(429, json!({"Message": "not now"}));
        }
        let token = token_of(request).unwrap_or_default();
        if fault == Fault::Expired {
            state.tokens.remove(token);
        }
        if state.tokens.get(token).is_none_or(|ends| *ends <= now) {
            return turn_away(401, Value::Null);
        }
        let lost = |loud: bool| match loud {
            true => Reply { after: quick, answer: gone("the connection was reset") },
            false => Reply { after: PATIENCE, answer: gone("no answer within 30 s") },
        };
        let loud = self.dice.chance(400);
        let no_answer = if loud { Kind::Reset } else { Kind::TimedOut };
        let page = |status: u16| Reply {
            after: quick,
            answer: answer(status, None, PAGE, "<html>One moment, please</html>".into()),
        };
        match fault {
            Fault::Outage => {
                struck(Kind::ServerError, Moment::OnItsWay);
                return told(&(503, None, json!({"Message": "Down for maintenance"})));
            }
            Fault::LostBefore => {
                struck(no_answer, Moment::OnItsWay);
                return lost(loud);
            }
            Fault::Redirect => {
                struck(Kind::Redirected, Moment::OnItsWay);
                return told(&(307, None, json!({"location": "elsewhere"})));
            }
            Fault::CutOff if self.dice.chance(500) => {
                struck(Kind::Truncated, Moment::OnItsWay);
                return Reply { after: quick, answer: answer(502, None, PAGE, "<html><head><title>Bad gat".into()) };
            }
            Fault::Late => {
                if let Some(place) = place {
                    struck(Kind::Late, Moment::OnItsWay);
                    let latest = PATIENCE.as_millis() as i64 + state.works_on;
                    let due = now + SignedDuration::from_millis(self.dice.between(0, latest));
                    state.late.push((place, due));
                    return lost(false);
                }
            }
            Fault::WebPage if self.dice.chance(500) => {
                struck(Kind::Garbage, Moment::OnItsWay);
                return page(200);
            }
            _ => {}
        }
        let said = match place {
            Some(place) => self.carry_out(state, place, now),
            None => {
                let path: Vec<&str> = request.url.path().trim_matches('/').split('/').collect();
                let query = query(request);
                let said = match request.method {
                    "GET" => self.read(state, &path, &query, now),
                    _ => blank(if is_there(&path) { 405 } else { 404 }),
                };
                if said.0 == 200 && matches!(fault, Fault::None | Fault::Slow) && path == ["orders"] {
                    state.looks.push((now, query.get("rql").cloned().unwrap_or_default()));
                }
                said
            }
        };
        match fault {
            Fault::LostAfter => {
                struck(no_answer, Moment::AfterEffect);
                lost(loud)
            }
            Fault::Slow => {
                struck(Kind::SlowBody, Moment::AfterEffect);
                Reply { after: PATIENCE - quick, ..told(&said) }
            }
            Fault::Doubled => {
                struck(Kind::Doubled, Moment::AfterEffect);
                if let Some(place) = place {
                    let change = state.changes[place].clone();
                    let again = self.apply(state, &change, now);
                    self.trace.note(&format!("{now} warehouse does it again: {}", again.0));
                }
                told(&said)
            }
            Fault::FailsAfter => {
                struck(Kind::ServerError, Moment::AfterEffect);
                Reply { after: quick, answer: answer(500, None, TEXT, "An error has occurred.".into()) }
            }
            Fault::CutOff => {
                let body = body_of(&said.2);
                // Of an answer without a body nothing arrives at all.
                if body.is_empty() {
                    struck(Kind::Reset, Moment::AfterEffect);
                    return lost(true);
                }
                struck(Kind::Truncated, Moment::AfterEffect);
                let cut = body.len() / 2;
                let half = Bytes::from(body.into_bytes()).slice(..cut);
                Reply { after: quick, answer: answer(said.0, said.1.as_deref(), form, half) }
            }
            Fault::WebPage => {
                struck(Kind::Garbage, Moment::AfterEffect);
                page(200)
            }
            _ => told(&said),
        }
    }

    /// The process died with this change on its way: it arrives, and is carried out whenever the warehouse gets to it.
    fn goes_on_alone(&self, request: &HttpRequest) {
        let mut state = self.state();
        let now = self.clock.true_time();
        let Some(change) = change(request, now) else { return };
        state.calls += 1;
        state.changes.push(change);
        let place = state.changes.len() - 1;
        state.changes[place].effects = self.watch.arrives(&state.changes[place]);
        self.trace.note(&format!("{now} warehouse is left alone with {}", state.changes[place].kind));
        if state.tokens.get(token_of(request).unwrap_or_default()).is_none_or(|ends| *ends <= now) {
            state.changes[place].turned_away = true;
            return;
        }
        let due = now + SignedDuration::from_millis(self.dice.between(0, state.works_on));
        state.late.push((place, due));
    }
}

/// What is in the boxes of an order, and below it or in itself.
fn packages(made: &Made, below: bool) -> Vec<Value> {
    let package = |((tracking, lines), number): (&Packed, i64)| {
        let id = made.id * 100 + number;
        let content = |(line, _, units): &(u32, String, i64)| {
            let item = made.items.iter().find(|item| item.line == *line)?;
            Some(json!({"packageId": id, "orderItemId": item.id, "qty": *units as f64, "lotNumber": "",
                "serialNumber": "", "serialNumbers": [], "expirationDate": null}))
        };
        let contents: Vec<Value> = lines.iter().filter_map(content).collect();
        let mut told = json!({"packageId": id, "trackingNumber": tracking, "createDate": made.closed.map(written)});
        if below {
            told["_embedded"] = json!({rel("orders/packagecontent"): contents});
        } else {
            told["packageContents"] = contents.into();
        }
        told
    };
    made.boxes.iter().zip(1..).map(package).collect()
}

#[async_trait]
impl Transport for RestWarehouse {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let kind = change(&request, self.clock.true_time()).and_then(|change| cells::change(change.kind));
        let fate = self.trace.crossing(kind);
        if fate == Fate::DiesMeanwhile {
            self.goes_on_alone(&request);
        }
        if matches!(fate, Fate::Dead | Fate::DiesBefore | Fate::DiesMeanwhile) {
            return std::future::pending().await;
        }
        let reply = self.arrive(&request);
        let text = match &reply.answer {
            Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => error.to_string(),
        };
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default());
        self.trace.note(&format!(
            "{} warehouse http {} {} {body} -> {text}",
            self.clock.true_time(),
            request.method,
            request.url
        ));
        if fate == Fate::DiesAfter {
            return std::future::pending().await;
        }
        tokio::time::sleep(reply.after).await;
        reply.answer
    }
}

/// The change that a request asks for; `None` for a read and for the sign-in.
fn change(request: &HttpRequest, now: Timestamp) -> Option<Change> {
    let path: Vec<&str> = request.url.path().trim_matches('/').split('/').collect();
    let (kind, id) = match (request.method, path.as_slice()) {
        ("POST", ["orders"]) => ("warehouse order/post", None),
        ("POST", ["orders", id, "completer"]) => ("warehouse order completer/post", Some(id)),
        ("POST", ["orders", id, "canceler"]) => ("warehouse order canceler/post", Some(id)),
        _ => return None,
    };
    let target: Vec<i64> = id.into_iter().map(|id| id.parse().unwrap_or(0)).collect();
    let if_match = header(request, "if-match").map(|text| version_in(text, target.first().copied().unwrap_or(0)));
    Some(Change {
        kind,
        target,
        body: serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap_or_default(),
        if_match,
        arrived: now,
        done: None,
        turned_away: false,
        effects: Vec::new(),
    })
}
