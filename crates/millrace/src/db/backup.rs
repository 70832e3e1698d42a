//! Copies of an SQLite database: taken whole while it is used, and looked at before one takes the place of another
//! (docs/recovery.md). A copy sends nothing from birth, by whatever way it comes to be opened.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{DbError, R};

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Fingerprint of the installation.
    pub fingerprint: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The program's version.
    pub version: String,
    /// Number of the last migration.
    pub migration: i64,
    /// Intents committed by then.
    pub armed: i64,
    /// Names of the wrapping keys that open its secrets.
    pub keys: Vec<String>,
}

/// What is known of a database file that another is to take the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct There {
    /// Fingerprint of the installation; empty when it cannot be read.
    pub fingerprint: String,
    /// Intents committed; 0 when it is from before they were counted.
    pub armed: i64,
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10)).disable_statement_logging()
}

/// Writes a consistent copy of a database that may be in use to a path where no file is, with a manifest inside. The caller
/// gives it its name.
///
/// # Errors
/// When it cannot be read, there is no room, or the copy is not sound.
pub async fn copy(source: &Path, target: &Path, now: Timestamp) -> R<Manifest> {
    let mut reader = options(source).read_only(true).connect().await?;
    let name = target.to_str().ok_or_else(|| DbError::Refused("the name of the copy is not plain text".to_owned()))?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(&mut reader).await?;
    reader.close().await?;
    let mut copy = options(target).synchronous(SqliteSynchronous::Full).connect().await?;
    let manifest = stamp(&mut copy, now).await?;
    sound(&mut copy).await?;
    copy.close().await?;
    Ok(manifest)
}

async fn stamp(copy: &mut SqliteConnection, now: Timestamp) -> R<Manifest> {
    let row = sqlx::query(
        "SELECT i.fingerprint, c.armed, (SELECT max(version) FROM _sqlx_migrations)
         FROM installation AS i, journal_clock AS c WHERE i.one = 1 AND c.one = 1",
    )
    .fetch_one(&mut *copy)
    .await?;
    let manifest = Manifest {
        fingerprint: row.try_get(0)?,
        armed: row.try_get(1)?,
        migration: row.try_get(2)?,
        taken_at: Timestamp::from_millisecond(now.as_millisecond()).map_err(DbError::corrupt)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        keys: keys(copy).await?,
    };
    let mut transaction = copy.begin().await?;
    sqlx::query("DROP TABLE IF EXISTS backup_manifest").execute(&mut *transaction).await?;
    sqlx::query(
        "CREATE TABLE backup_manifest (fingerprint TEXT NOT NULL, taken_at BIGINT NOT NULL, version TEXT NOT NULL,
             migration BIGINT NOT NULL, armed BIGINT NOT NULL)",
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO backup_manifest (fingerprint, taken_at, version, migration, armed) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&manifest.fingerprint)
    .bind(manifest.taken_at.as_millisecond())
    .bind(&manifest.version)
    .bind(manifest.migration)
    .bind(manifest.armed)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("UPDATE installation SET frozen = 1 WHERE one = 1").execute(&mut *transaction).await?;
    // Where the original runs says nothing of where this will: it is frozen for what it is.
    sqlx::query(
        "UPDATE safety SET frozen_kind = 'restored', frozen_at = NULL, backup_at = $1, home = NULL,
             lost_before = CASE WHEN recovered_at IS NULL THEN lost_before
                 ELSE json_insert(lost_before, '$[#]', json_array(lost_since, lost_until)) END,
             lost_since = NULL, lost_until = NULL, recovered_at = NULL, recovered_by = NULL, released_at = NULL, released_by = NULL,
             frozen_reason = 'this database came out of a backup' WHERE one = 1",
    )
    .bind(manifest.taken_at.as_millisecond())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(manifest)
}

async fn keys(connection: &mut SqliteConnection) -> R<Vec<String>> {
    let keys = sqlx::query_scalar("SELECT DISTINCT wrapped_by FROM data_key ORDER BY wrapped_by");
    Ok(keys.fetch_all(connection).await?)
}

async fn sound(connection: &mut SqliteConnection) -> R<()> {
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await?;
    if found != ["ok"] {
        return Err(DbError::Corrupt(found.into_iter().take(3).collect::<Vec<_>>().join("; ")));
    }
    Ok(())
}

/// Looks at a backup: its manifest, and whether it is sound.
///
/// # Errors
/// [`DbError::Refused`] when it is no backup, [`DbError::Corrupt`] when it is damaged.
pub async fn inspect(path: &Path) -> R<Manifest> {
    let mut connection = options(path).read_only(true).immutable(true).connect().await?;
    let no_backup = |error: sqlx::Error| match error {
        sqlx::Error::Database(error) => {
            DbError::Refused(format!("it is no backup that `millrace backup` made ({error})"))
        }
        other => DbError::from(other),
    };
    let row = sqlx::query("SELECT fingerprint, taken_at, version, migration, armed FROM backup_manifest")
        .fetch_one(&mut connection)
        .await
        .map_err(no_backup)?;
    let manifest = Manifest {
        fingerprint: row.try_get(0)?,
        taken_at: Timestamp::from_millisecond(row.try_get(1)?).map_err(DbError::corrupt)?,
        version: row.try_get(2)?,
        migration: row.try_get(3)?,
        armed: row.try_get(4)?,
        keys: keys(&mut connection).await?,
    };
    sound(&mut connection).await?;
    connection.close().await?;
    Ok(manifest)
}

/// Takes the manifest out of a copy that is about to become a database.
///
/// # Errors
/// When it cannot be written.
pub async fn unstamp(path: &Path) -> R<()> {
    let mut copy = options(path).synchronous(SqliteSynchronous::Full).connect().await?;
    sqlx::query("DROP TABLE IF EXISTS backup_manifest").execute(&mut copy).await?;
    copy.close().await?;
    Ok(())
}

/// Makes sure that nobody has a database file open, that all of it is in the one file, and says what it is.
///
/// # Errors
/// [`DbError::Conflict`] when somebody has it open.
pub async fn take(path: &Path) -> R<There> {
    let in_use = |error: sqlx::Error| match error {
        sqlx::Error::Database(error) if error.message().contains("lock") => {
            DbError::Conflict("the database is in use".to_owned())
        }
        other => DbError::from(other),
    };
    let options = options(path).busy_timeout(Duration::from_millis(200));
    let mut connection = options.connect().await.map_err(in_use)?;
    let row = sqlx::query("SELECT fingerprint FROM installation WHERE one = 1").fetch_optional(&mut connection).await;
    let fingerprint = match row {
        Ok(Some(row)) => row.try_get(0)?,
        Ok(None) | Err(_) => String::new(),
    };
    let armed =
        sqlx::query_scalar("SELECT armed FROM journal_clock WHERE one = 1").fetch_optional(&mut connection).await;
    let armed = armed.ok().flatten().unwrap_or(0);
    // Only the one who has it open alone may leave the mode that a running program uses.
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut connection).await.map_err(in_use)?;
    if !mode.eq_ignore_ascii_case("delete") {
        return Err(DbError::Conflict("the database is in use".to_owned()));
    }
    connection.close().await?;
    Ok(There { fingerprint, armed })
}

/// Longest wait for a connection of this process to let a file go after it was closed.
const LET_GO: Duration = Duration::from_secs(10);

/// Makes sure that all of a database file, closed just now, is in the one file, durably.
///
/// # Errors
/// When it cannot be written, or something has it open.
pub async fn settle(path: &Path) -> R<()> {
    let since = std::time::Instant::now();
    loop {
        let opened =
            options(path).journal_mode(SqliteJournalMode::Delete).synchronous(SqliteSynchronous::Full).connect().await;
        match opened {
            Ok(connection) => return Ok(connection.close().await?),
            // Closing ends in a thread of its own.
            Err(sqlx::Error::Database(error)) if error.message().contains("lock") && since.elapsed() < LET_GO => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
