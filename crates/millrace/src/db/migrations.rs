//! Bringing the tables up to date, and looking whether all is well.

use std::borrow::Cow;

use connect::ulid;
use serde::Serialize;
use sqlx::{
    PgConnection, SqlSafeStr as _, SqliteConnection,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{Access, Database, DbError, R};

/// The same numbers and the same meaning on both databases.
const SQLITE: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    (2, "web", include_str!("../../migrations/sqlite/0002_web.sql")),
    (3, "census", include_str!("../../migrations/sqlite/0003_census.sql")),
    (4, "stock_guard", include_str!("../../migrations/sqlite/0004_stock_guard.sql")),
    (5, "recovery", include_str!("../../migrations/sqlite/0005_recovery.sql")),
    (6, "races", include_str!("../../migrations/sqlite/0006_races.sql")),
    (7, "accounts", include_str!("../../migrations/sqlite/0007_accounts.sql")),
    (8, "notify", include_str!("../../migrations/sqlite/0008_notify.sql")),
    (9, "credentials", include_str!("../../migrations/sqlite/0009_credentials.sql")),
    (10, "resources", include_str!("../../migrations/sqlite/0010_resources.sql")),
    (11, "preflight", include_str!("../../migrations/sqlite/0011_preflight.sql")),
    (12, "schedules", include_str!("../../migrations/sqlite/0012_schedules.sql")),
    (13, "settings", include_str!("../../migrations/sqlite/0013_settings.sql")),
    (14, "tenants", include_str!("../../migrations/sqlite/0014_tenants.sql")),
    (15, "people", include_str!("../../migrations/sqlite/0015_people.sql")),
    (16, "numbers", include_str!("../../migrations/sqlite/0016_numbers.sql")),
    (17, "erasure", include_str!("../../migrations/sqlite/0017_erasure.sql")),
    (18, "desk", include_str!("../../migrations/sqlite/0018_desk.sql")),
    (19, "orders_by_date", include_str!("../../migrations/sqlite/0019_orders_by_date.sql")),
    (20, "letters", include_str!("../../migrations/sqlite/0020_letters.sql")),
    (21, "unmarked", include_str!("../../migrations/sqlite/0021_unmarked.sql")),
    (22, "kept", include_str!("../../migrations/sqlite/0022_kept.sql")),
    (23, "lookups", include_str!("../../migrations/sqlite/0023_lookups.sql")),
    (24, "key_scopes", include_str!("../../migrations/sqlite/0024_key_scopes.sql")),
    (25, "ended", include_str!("../../migrations/sqlite/0025_ended.sql")),
    (26, "marked", include_str!("../../migrations/sqlite/0026_marked.sql")),
    (27, "several_factors", include_str!("../../migrations/sqlite/0027_several_factors.sql")),
    (28, "requested_notes", include_str!("../../migrations/sqlite/0028_requested_notes.sql")),
    (29, "shipment_lookups", include_str!("../../migrations/sqlite/0029_shipment_lookups.sql")),
    (30, "lists", include_str!("../../migrations/sqlite/0030_lists.sql")),
    (31, "event_ids", include_str!("../../migrations/sqlite/0031_event_ids.sql")),
    (32, "needing", include_str!("../../migrations/sqlite/0032_needing.sql")),
    (33, "written", include_str!("../../migrations/sqlite/0033_written.sql")),
    (34, "kind_state", include_str!("../../migrations/sqlite/0034_kind_state.sql")),
    (35, "stuck", include_str!("../../migrations/sqlite/0035_stuck.sql")),
    (36, "trimmed_calls", include_str!("../../migrations/sqlite/0036_trimmed_calls.sql")),
    (37, "ended_at", include_str!("../../migrations/sqlite/0037_ended_at.sql")),
];
const POSTGRES: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/postgres/0001_initial.sql")),
    (2, "web", include_str!("../../migrations/postgres/0002_web.sql")),
    (3, "census", include_str!("../../migrations/postgres/0003_census.sql")),
    (4, "stock_guard", include_str!("../../migrations/postgres/0004_stock_guard.sql")),
    (5, "recovery", include_str!("../../migrations/postgres/0005_recovery.sql")),
    (6, "races", include_str!("../../migrations/postgres/0006_races.sql")),
    (7, "accounts", include_str!("../../migrations/postgres/0007_accounts.sql")),
    (8, "notify", include_str!("../../migrations/postgres/0008_notify.sql")),
    (9, "credentials", include_str!("../../migrations/postgres/0009_credentials.sql")),
    (10, "resources", include_str!("../../migrations/postgres/0010_resources.sql")),
    (11, "preflight", include_str!("../../migrations/postgres/0011_preflight.sql")),
    (12, "schedules", include_str!("../../migrations/postgres/0012_schedules.sql")),
    (13, "settings", include_str!("../../migrations/postgres/0013_settings.sql")),
    (14, "tenants", include_str!("../../migrations/postgres/0014_tenants.sql")),
    (15, "people", include_str!("../../migrations/postgres/0015_people.sql")),
    (16, "numbers", include_str!("../../migrations/postgres/0016_numbers.sql")),
    (17, "erasure", include_str!("../../migrations/postgres/0017_erasure.sql")),
    (18, "desk", include_str!("../../migrations/postgres/0018_desk.sql")),
    (19, "orders_by_date", include_str!("../../migrations/postgres/0019_orders_by_date.sql")),
    (20, "letters", include_str!("../../migrations/postgres/0020_letters.sql")),
    (21, "unmarked", include_str!("../../migrations/postgres/0021_unmarked.sql")),
    (22, "kept", include_str!("../../migrations/postgres/0022_kept.sql")),
    (23, "lookups", include_str!("../../migrations/postgres/0023_lookups.sql")),
    (24, "key_scopes", include_str!("../../migrations/postgres/0024_key_scopes.sql")),
    (25, "ended", include_str!("../../migrations/postgres/0025_ended.sql")),
    (26, "marked", include_str!("../../migrations/postgres/0026_marked.sql")),
    (27, "several_factors", include_str!("../../migrations/postgres/0027_several_factors.sql")),
    (28, "requested_notes", include_str!("../../migrations/postgres/0028_requested_notes.sql")),
    (29, "shipment_lookups", include_str!("../../migrations/postgres/0029_shipment_lookups.sql")),
    (30, "lists", include_str!("../../migrations/postgres/0030_lists.sql")),
    (31, "event_ids", include_str!("../../migrations/postgres/0031_event_ids.sql")),
    (32, "needing", include_str!("../../migrations/postgres/0032_needing.sql")),
    (33, "written", include_str!("../../migrations/postgres/0033_written.sql")),
    (34, "kind_state", include_str!("../../migrations/postgres/0034_kind_state.sql")),
    (35, "stuck", include_str!("../../migrations/postgres/0035_stuck.sql")),
    (36, "trimmed_calls", include_str!("../../migrations/postgres/0036_trimmed_calls.sql")),
    (37, "ended_at", include_str!("../../migrations/postgres/0037_ended_at.sql")),
];

fn migrator(list: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = list.iter().map(|(number, name, sql)| {
        Migration::new(*number, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

pub(super) async fn run_sqlite(connection: &mut SqliteConnection) -> R<()> {
    migrator(SQLITE).run_direct(None, connection, false).await.map_err(explain)
}

pub(super) async fn run_postgres(connection: &mut PgConnection) -> R<()> {
    migrator(POSTGRES).run_direct(None, connection, false).await.map_err(explain)
}

fn explain(error: MigrateError) -> DbError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => DbError::from(error),
        MigrateError::VersionMissing(number) => DbError::Refused(format!(
            "the database was brought to step {number} by a newer version of the program: start that version"
        )),
        MigrateError::VersionMismatch(number) => DbError::Corrupt(format!("step {number} of its tables was altered")),
        other => DbError::Refused(format!("its tables cannot be brought up to date: {other}")),
    }
}

/// What a look at the database found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseCheck {
    /// Name and version.
    pub database: String,
    /// Number of the last migration.
    pub migration: i64,
    /// Bytes it takes.
    pub bytes: i64,
    /// Nothing is sent to any remote system.
    pub frozen: bool,
    /// Tells this installation from others, copies of it included once they are opened as new.
    pub fingerprint: String,
}

impl Database {
    pub(super) async fn ensure_installation(&self) -> R<()> {
        self.write(Access::System, "ensure_installation", |tx| {
            Box::pin(async move {
                let fingerprint = ulid(tx.now, &*tx.random);
                tx.execute(
                    "INSERT INTO installation (one, fingerprint, frozen, events, created_at) VALUES (1, $1, 0, 0, $2)
                     ON CONFLICT (one) DO NOTHING",
                    &[fingerprint.into(), tx.now.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Reads, writes and measures: whether the database can be worked with.
    pub async fn check(&self) -> R<DatabaseCheck> {
        self.write(Access::System, "check", |tx| {
            Box::pin(async move {
                tx.execute("UPDATE installation SET frozen = frozen", &[]).await?;
                let version = if tx.is_postgres() {
                    "SELECT 'PostgreSQL ' || current_setting('server_version'), pg_database_size(current_database())"
                } else {
                    "SELECT 'SQLite ' || sqlite_version(), s.page_size * c.page_count
                     FROM pragma_page_size AS s, pragma_page_count AS c"
                };
                let unreadable = || DbError::Corrupt("the installation's own row is missing".to_owned());
                let about = tx.first(version, &[]).await?.ok_or_else(unreadable)?;
                let row = tx
                    .first("SELECT frozen, fingerprint FROM installation WHERE one = 1", &[])
                    .await?
                    .ok_or_else(unreadable)?;
                Ok(DatabaseCheck {
                    database: about.string(0)?,
                    migration: SQLITE.last().map_or(0, |(number, _, _)| *number),
                    bytes: about.int(1)?,
                    frozen: row.flag(0)?,
                    fingerprint: row.string(1)?,
                })
            })
        })
        .await
    }

    /// Whether nothing is sent to any remote system.
    pub async fn frozen(&self) -> R<bool> {
        self.read(Access::System, "frozen", |tx| Box::pin(super::effects::is_frozen(tx))).await
    }

    /// Stops or allows sending, for the whole installation, without a word about it; see [`Database::freeze`]. Looking goes on.
    pub async fn set_frozen(&self, frozen: bool) -> R<()> {
        self.write(Access::System, "set_frozen", move |tx| {
            Box::pin(async move {
                tx.execute("UPDATE installation SET frozen = $1 WHERE one = 1", &[frozen.into()]).await?;
                tx.wakes.work = true;
                Ok(())
            })
        })
        .await
    }

    /// What tells this installation from others.
    pub async fn fingerprint(&self) -> R<String> {
        self.read(Access::System, "fingerprint", |tx| {
            Box::pin(async move {
                let row = tx.first("SELECT fingerprint FROM installation WHERE one = 1", &[]).await?;
                row.ok_or_else(|| DbError::Corrupt("the installation's own row is missing".to_owned()))?.string(0)
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::{POSTGRES, SQLITE};

    #[test]
    fn every_file_is_run_on_both_databases() {
        for (folder, list) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files: BTreeSet<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            let listed: BTreeSet<String> =
                list.iter().map(|(number, name, _)| format!("{number:04}_{name}.sql")).collect();
            assert_eq!(files, listed);
        }
        let numbers = |list: &[(i64, &'static str, &str)]| list.iter().map(|one| (one.0, one.1)).collect::<Vec<_>>();
        assert_eq!(numbers(SQLITE), numbers(POSTGRES));
    }
}
