//! A second way into the database of a run: what is committed, as anybody else would see it.

use std::{
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
};

use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection, TypeInfo as _,
    ValueRef as _, sqlite::SqliteConnectOptions,
};

use super::losses::files_of;

/// A connection of its own, used to the end of each question while the run stands still.
pub struct Witness(Mutex<SqliteConnection>);

impl Witness {
    /// On this file.
    pub fn new(path: &Path) -> Self {
        Self(Mutex::new(to_the_end(open_at(path)).unwrap()))
    }

    /// Copies the database as it stands, to a file that is not there yet.
    pub fn copy_to(&self, path: &Path) {
        let _gone = std::fs::remove_file(path);
        self.write(&format!("VACUUM INTO '{}'", path.display()));
    }

    /// Puts an older copy in the place of the database, which nobody else has open.
    pub fn puts_back(&self, database: &Path, older: &Path) {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nowhere = to_the_end(open_at(Path::new(":memory:"))).unwrap();
        let open = std::mem::replace(&mut *connection, nowhere);
        to_the_end(open.close()).unwrap();
        for file in files_of(database) {
            let _gone = std::fs::remove_file(file);
        }
        std::fs::copy(older, database).unwrap();
        *connection = to_the_end(open_at(database)).unwrap();
    }

    /// The rows of a question, every value as text; empty for null.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = to_the_end(sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *connection)).unwrap();
        let text = |row: &sqlx::sqlite::SqliteRow, place: usize| {
            let raw = row.try_get_raw(place).unwrap();
            match (raw.is_null(), raw.type_info().name().to_owned().as_str()) {
                (true, _) => String::new(),
                (_, "INTEGER") => row.try_get_unchecked::<i64, _>(place).unwrap().to_string(),
                (_, "TEXT") => row.try_get_unchecked::<String, _>(place).unwrap(),
                (_, other) => panic!("column {} is {other}", row.column(place).name()),
            }
        };
        rows.iter().map(|row| (0..row.len()).map(|place| text(row, place)).collect()).collect()
    }

    /// The one number that is asked for.
    pub fn count(&self, sql: &str) -> i64 {
        self.rows(sql)[0][0].parse().unwrap()
    }

    /// Writes: what is there before the run begins, and what people do with the file.
    pub fn write(&self, sql: &str) {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        to_the_end(sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *connection)).unwrap();
    }
}

async fn open_at(path: &Path) -> sqlx::Result<SqliteConnection> {
    SqliteConnectOptions::new().filename(path).foreign_keys(true).disable_statement_logging().connect().await
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// SQLite works on a thread of its own; waited for on the run's runtime, its paused clock would run ahead meanwhile.
fn to_the_end<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
