//! The thin layer under every query: values, rows, and the transaction they travel in.
//!
//! One SQL text serves SQLite and PostgreSQL: `$1` placeholders, columns of TEXT, BIGINT and BLOB only. A dialect branch
//! stands only where the two cannot agree, and says why.

use std::{str::FromStr, sync::Arc};

use connect::{Clock, Random};
use jiff::Timestamp;
use rust_decimal::Decimal;
use sqlx::{
    AssertSqlSafe, Column as _, PgConnection, Postgres, Row as _, SqlSafeStr, Sqlite, SqliteConnection, TypeInfo as _,
    ValueRef as _, pool::PoolConnection,
};

use super::{DbError, Wakes, records::Access};

/// A value bound to a placeholder or read from a column. Nulls are typed, because PostgreSQL wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// TEXT.
    Text(Option<String>),
    /// BIGINT.
    Int(Option<i64>),
    /// BLOB, BYTEA.
    Blob(Option<Vec<u8>>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}
impl From<std::borrow::Cow<'_, str>> for Value {
    fn from(text: std::borrow::Cow<'_, str>) -> Self {
        Self::Text(Some(text.into_owned()))
    }
}
impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}
impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}
impl<K: connect::IdKind> From<&connect::Id<K>> for Value {
    fn from(id: &connect::Id<K>) -> Self {
        Self::from(id.as_str())
    }
}
impl<K: connect::IdKind> From<Option<&connect::Id<K>>> for Value {
    fn from(id: Option<&connect::Id<K>>) -> Self {
        Self::from(id.map(connect::Id::as_str))
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(i64::from(number)))
    }
}
impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}
impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Int(Some(i64::from(yes)))
    }
}
impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(Some(at.as_millisecond()))
    }
}
impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Int(at.map(Timestamp::as_millisecond))
    }
}
impl From<Decimal> for Value {
    fn from(quantity: Decimal) -> Self {
        Self::Text(Some(quantity.normalize().to_string()))
    }
}
impl From<Option<Decimal>> for Value {
    fn from(quantity: Option<Decimal>) -> Self {
        Self::Text(quantity.map(|quantity| quantity.normalize().to_string()))
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(Some(bytes))
    }
}
impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Blob(bytes)
    }
}

/// One row of an answer. Reading a column of the wrong type or past the end is [`DbError::Corrupt`], never a panic.
#[derive(Debug)]
pub(super) struct Row(Vec<Value>);

impl Row {
    fn wrong<T>(&self, column: usize, wanted: &str) -> Result<T, DbError> {
        let what = match self.0.get(column) {
            None => "missing",
            Some(Value::Text(_)) => "a text",
            Some(Value::Int(_)) => "a number",
            Some(Value::Blob(_)) => "bytes",
        };
        Err(DbError::Corrupt(format!("column {column} is {what}, wanted {wanted}")))
    }

    pub(super) fn opt_text(&self, column: usize) -> Result<Option<&str>, DbError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text.as_deref()),
            Some(Value::Int(None) | Value::Blob(None)) => Ok(None),
            _ => self.wrong(column, "a text"),
        }
    }

    pub(super) fn text(&self, column: usize) -> Result<&str, DbError> {
        self.opt_text(column)?.map_or_else(|| self.wrong(column, "a text, not null"), Ok)
    }

    pub(super) fn string(&self, column: usize) -> Result<String, DbError> {
        self.text(column).map(str::to_owned)
    }

    pub(super) fn opt_string(&self, column: usize) -> Result<Option<String>, DbError> {
        Ok(self.opt_text(column)?.map(str::to_owned))
    }

    pub(super) fn opt_int(&self, column: usize) -> Result<Option<i64>, DbError> {
        match self.0.get(column) {
            Some(Value::Int(number)) => Ok(*number),
            Some(Value::Text(None) | Value::Blob(None)) => Ok(None),
            _ => self.wrong(column, "a number"),
        }
    }

    pub(super) fn int(&self, column: usize) -> Result<i64, DbError> {
        self.opt_int(column)?.map_or_else(|| self.wrong(column, "a number, not null"), Ok)
    }

    pub(super) fn u32(&self, column: usize) -> Result<u32, DbError> {
        u32::try_from(self.int(column)?).map_err(DbError::corrupt)
    }

    pub(super) fn flag(&self, column: usize) -> Result<bool, DbError> {
        Ok(self.int(column)? != 0)
    }

    pub(super) fn blob(&self, column: usize) -> Result<&[u8], DbError> {
        match self.0.get(column) {
            Some(Value::Blob(Some(bytes))) => Ok(bytes),
            _ => self.wrong(column, "bytes"),
        }
    }

    pub(super) fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>, DbError> {
        match self.0.get(column) {
            Some(Value::Blob(bytes)) => Ok(bytes.as_deref()),
            Some(Value::Text(None) | Value::Int(None)) => Ok(None),
            _ => self.wrong(column, "bytes"),
        }
    }

    /// A text that is one of the program's own types: an id, a state, a quantity.
    pub(super) fn parsed<T>(&self, column: usize) -> Result<T, DbError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.text(column)?.parse().map_err(DbError::corrupt)
    }

    pub(super) fn opt_parsed<T>(&self, column: usize) -> Result<Option<T>, DbError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.opt_text(column)?.map(|text| text.parse().map_err(DbError::corrupt)).transpose()
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T, DbError> {
        serde_json::from_str(self.text(column)?).map_err(DbError::corrupt)
    }

    pub(super) fn opt_json<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<Option<T>, DbError> {
        self.opt_text(column)?.map(|text| serde_json::from_str(text).map_err(DbError::corrupt)).transpose()
    }

    pub(super) fn time(&self, column: usize) -> Result<Timestamp, DbError> {
        Timestamp::from_millisecond(self.int(column)?).map_err(DbError::corrupt)
    }

    pub(super) fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, DbError> {
        self.opt_int(column)?.map(|at| Timestamp::from_millisecond(at).map_err(DbError::corrupt)).transpose()
    }
}

/// JSON as kept in a TEXT column.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::Refused(format!("it cannot be written as JSON: {error}")))
}

/// The connection a transaction runs on.
pub(super) enum Connection {
    /// The one writer, or a reader.
    Sqlite(Box<SqliteConnection>),
    /// A pooled reader.
    SqliteReader(PoolConnection<Sqlite>),
    /// Out of the pool.
    Postgres(PoolConnection<Postgres>),
}

/// An event to be appended when the transaction's work is done.
pub(super) struct PendingEvent {
    pub(super) merchant: String,
    pub(super) what: &'static str,
    pub(super) subject: String,
    pub(super) change: String,
}

/// An open transaction: what every query runs in. Made by [`super::Database::write`] and [`super::Database::read`] only.
pub struct Tx {
    pub(super) connection: Connection,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    /// Whose rows it may touch.
    pub(super) access: Access,
    /// The database's time when the transaction began.
    pub(super) now: Timestamp,
    pub(super) events: Vec<PendingEvent>,
    /// Who is waiting for what this transaction writes.
    pub(super) wakes: Wakes,
}

/// Rows of one multi-row statement: few sizes, so that the prepared statements are few.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];

fn chunks<T>(mut rest: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rest.len())?;
        let (chunk, left) = rest.split_at(size);
        rest = left;
        Some(chunk)
    })
}

/// `$n` for `count` placeholders after the first `taken`.
fn push_places(sql: &mut String, taken: usize, count: usize) {
    for place in 1..=count {
        if place > 1 {
            sql.push_str(", ");
        }
        sql.push('$');
        sql.push_str(&(taken + place).to_string());
    }
}

impl Tx {
    pub(super) fn new(connection: Connection, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let now = clock.now();
        Self { connection, clock, random, access: Access::System, now, events: Vec::new(), wakes: Wakes::default() }
    }

    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.connection, Connection::Postgres(_))
    }

    /// The rows of one statement.
    pub(super) async fn query(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, DbError> {
        self.fetch(sql, values).await
    }

    /// The first row, if any.
    pub(super) async fn first(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>, DbError> {
        Ok(self.fetch(sql, values).await?.into_iter().next())
    }

    /// Rows changed by one statement.
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, DbError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => Ok(sqlite(sql, values).execute(&mut **connection).await?.rows_affected()),
            Connection::SqliteReader(connection) => {
                Ok(sqlite(sql, values).execute(&mut **connection).await?.rows_affected())
            }
            Connection::Postgres(connection) => {
                Ok(postgres(sql, values).execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    /// The rows of a statement put together from this module's own constants (conditions of a filter, say). Whatever comes
    /// from outside is in `values`.
    pub(super) async fn query_built(&mut self, sql: String, values: &[Value]) -> Result<Vec<Row>, DbError> {
        // Safe: callers pass constants and placeholders only.
        self.fetch(AssertSqlSafe(sql), values).await
    }

    /// From here to its end this transaction executes statements by the plans that were made when they were first prepared. PostgreSQL
    /// would plan those of many parts anew each time, for ten times as long as it reads. Only for statements of which every
    /// plan is the same: for others one that suits no value in particular can be ruinous.
    pub(super) async fn plan_once(&mut self) -> Result<(), DbError> {
        if self.is_postgres() {
            self.query("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)", &[]).await?;
        }
        Ok(())
    }

    /// One statement for many rows: `before` + `($n, …), …` + `after`, with `fixed` bound to the first placeholders. Used for
    /// `INSERT … VALUES` and for `UPDATE … FROM (VALUES …) AS v`, whose columns are `column1`, `column2`, … on both databases.
    /// `{first}` in `after` stands for the first column of all rows as a list: said once more as `IN ({first})` it lets
    /// PostgreSQL find the rows by index however little it knows of the table.
    pub(super) async fn many(
        &mut self,
        before: &'static str,
        after: &'static str,
        fixed: &[Value],
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, DbError> {
        let mut answer = Vec::new();
        for chunk in chunks(&rows) {
            let width = chunk.first().map_or(0, Vec::len);
            let mut sql = String::with_capacity(before.len() + after.len() + chunk.len() * (width * 6 + 4));
            sql.push_str(before);
            for row in 0..chunk.len() {
                sql.push_str(if row == 0 { "(" } else { ", (" });
                push_places(&mut sql, fixed.len() + row * width, width);
                sql.push(')');
            }
            match after.split_once("{first}") {
                Some((until, from)) => {
                    sql.push_str(until);
                    let first: Vec<String> =
                        (0..chunk.len()).map(|row| format!("${}", fixed.len() + row * width + 1)).collect();
                    sql.push_str(&first.join(", "));
                    sql.push_str(from);
                }
                None => sql.push_str(after),
            }
            let values: Vec<Value> = fixed.iter().chain(chunk.iter().flatten()).cloned().collect();
            // Safe: constants, and numbered placeholders.
            answer.extend(self.fetch(AssertSqlSafe(sql), &values).await?);
        }
        Ok(answer)
    }

    /// One statement for all of some values: `before` + `$n, $n, …` + `after`, with `fixed` bound to the first placeholders.
    /// Used for `column IN (…)`. A plain list finds its index on both databases; a list of rows, or an order that another
    /// index happens to give, can make either of them read everything a merchant has, so callers sort for themselves.
    pub(super) async fn among<T: Into<Value>>(
        &mut self,
        before: &'static str,
        after: &'static str,
        fixed: &[Value],
        values: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Row>, DbError> {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let mut answer = Vec::new();
        for chunk in chunks(&values) {
            let mut sql = String::with_capacity(before.len() + after.len() + chunk.len() * 6);
            sql.push_str(before);
            push_places(&mut sql, fixed.len(), chunk.len());
            sql.push_str(after);
            let values: Vec<Value> = fixed.iter().chain(chunk).cloned().collect();
            // Safe: constants, and numbered placeholders.
            answer.extend(self.fetch(AssertSqlSafe(sql), &values).await?);
        }
        Ok(answer)
    }

    async fn fetch(&mut self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Vec<Row>, DbError> {
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                sqlite(sql, values).fetch_all(&mut **connection).await?.iter().map(from_sqlite).collect()
            }
            Connection::SqliteReader(connection) => {
                sqlite(sql, values).fetch_all(&mut **connection).await?.iter().map(from_sqlite).collect()
            }
            Connection::Postgres(connection) => {
                postgres(sql, values).fetch_all(&mut **connection).await?.iter().map(from_postgres).collect()
            }
        }
    }

    /// The database's time now, later than [`Tx::now`]: for what is decided under a lock that may have been waited for.
    pub(super) async fn fresh_now(&mut self) -> Result<Timestamp, DbError> {
        if self.is_postgres() {
            let row = self.first(DATABASE_TIME, &[]).await?;
            self.now = row.map_or(Ok(self.now), |row| row.time(0))?;
        } else {
            self.now = self.clock.now();
        }
        Ok(self.now)
    }
}

/// PostgreSQL's own clock, which all nodes share.
const DATABASE_TIME: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

type SqliteQuery<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;
type PostgresQuery<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

fn sqlite<'q>(sql: impl SqlSafeStr, values: &[Value]) -> SqliteQuery<'q> {
    values.iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Int(number) => query.bind(*number),
        Value::Blob(bytes) => query.bind(bytes.as_deref()),
    })
}

fn postgres<'q>(sql: impl SqlSafeStr, values: &[Value]) -> PostgresQuery<'q> {
    values.iter().fold(sqlx::query(sql), |query, value| match value {
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Int(number) => query.bind(*number),
        Value::Blob(bytes) => query.bind(bytes.as_deref()),
    })
}

fn from_sqlite(row: &sqlx::sqlite::SqliteRow) -> Result<Row, DbError> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let (null, kind) = {
            let raw = row.try_get_raw(column)?;
            (raw.is_null(), raw.type_info().name().to_owned())
        };
        values.push(if null {
            Value::Text(None)
        } else {
            match kind.as_str() {
                "TEXT" => Value::Text(Some(row.try_get_unchecked(column)?)),
                "INTEGER" | "BOOLEAN" => Value::Int(Some(row.try_get_unchecked(column)?)),
                "BLOB" => Value::Blob(Some(row.try_get_unchecked(column)?)),
                other => return Err(unreadable(row.column(column).name(), other)),
            }
        });
    }
    Ok(Row(values))
}

fn from_postgres(row: &sqlx::postgres::PgRow) -> Result<Row, DbError> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let (null, kind) = {
            let raw = row.try_get_raw(column)?;
            (raw.is_null(), raw.type_info().name().to_owned())
        };
        values.push(if null {
            Value::Text(None)
        } else {
            match kind.as_str() {
                "TEXT" | "VARCHAR" | "NAME" => Value::Text(Some(row.try_get_unchecked(column)?)),
                "INT8" => Value::Int(Some(row.try_get_unchecked(column)?)),
                "INT4" => Value::Int(Some(i64::from(row.try_get_unchecked::<i32, _>(column)?))),
                "BYTEA" => Value::Blob(Some(row.try_get_unchecked(column)?)),
                other => return Err(unreadable(row.column(column).name(), other)),
            }
        });
    }
    Ok(Row(values))
}

fn unreadable(column: &str, kind: &str) -> DbError {
    DbError::Corrupt(format!("column {column} has the type {kind}, which this program does not use"))
}

/// Statements of a transaction itself.
pub(super) async fn plain_sqlite(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), DbError> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// Statements of a transaction itself.
pub(super) async fn plain_postgres(connection: &mut PgConnection, sql: &'static str) -> Result<(), DbError> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}
