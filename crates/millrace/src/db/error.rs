//! What can go wrong with the database, sorted by what the caller does about it.

/// A failed read or write. Nothing of a failed write is kept, except where `commit_unknown` says that this is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// Gone, busy or restarting: try again later. With `commit_unknown`, read before repeating (R1).
    #[error("the database cannot be reached: {why}{}", if *.commit_unknown { " (it is not known whether the last change was kept)" } else { "" })]
    Unavailable {
        /// The database's words.
        why: String,
        /// The connection was lost while committing.
        commit_unknown: bool,
    },
    /// No room left.
    #[error("the database has no room left: {0}. Free space on its disk, or raise its size limit; nothing was lost")]
    Full(String),
    /// Something of this name or key exists already, with other content.
    #[error("{0}")]
    Conflict(String),
    /// It does not exist, or not in this scope.
    #[error("{0} does not exist")]
    NotFound(String),
    /// Somebody else changed or took it meanwhile.
    #[error("{0} was changed or taken over meanwhile")]
    Fenced(String),
    /// What is stored cannot be read back: damage, or a newer version of the program wrote it.
    #[error("the database holds something unreadable: {0}. Restore a backup, or start the version that wrote it")]
    Corrupt(String),
    /// A rule of the database forbids it.
    #[error("refused: {0}")]
    Refused(String),
}

impl DbError {
    /// Lost before anything was kept.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into(), commit_unknown: false }
    }

    /// Lost while committing: it may have been kept.
    pub fn commit_unknown(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into(), commit_unknown: true }
    }

    /// What is stored cannot be read back.
    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    /// Whether waiting alone may mend it.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full(_))
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::ColumnIndexOutOfBounds { .. } => Self::corrupt(error),
                sqlx::Error::Configuration(_) => Self::Refused(error.to_string()),
                other => Self::unavailable(other.to_string()),
            };
        };
        let message = database.message().to_owned();
        let code = database.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
        // SQLSTATE has five characters, SQLite's extended result codes at most four digits.
        if code.len() == 5 { from_sqlstate(&code, message) } else { from_sqlite(&code, message) }
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn from_sqlstate(code: &str, message: String) -> DbError {
    match code {
        "23505" => DbError::Conflict(message),
        "53100" => DbError::Full(message),
        "XX001" | "XX002" => DbError::Corrupt(message),
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57") || code.starts_with("40") => {
            DbError::unavailable(message)
        }
        "55P03" | "25006" | "25P02" => DbError::unavailable(message),
        _ => DbError::Refused(message),
    }
}

/// <https://www.sqlite.org/rescode.html>; the lowest byte is the primary code.
fn from_sqlite(code: &str, message: String) -> DbError {
    let code: i64 = code.parse().unwrap_or(1);
    match (code, code & 0xff) {
        (2067 | 1555, _) => DbError::Conflict(message),
        (_, 13) => DbError::Full(message),
        (_, 11 | 26) => DbError::Corrupt(message),
        (_, 5 | 6 | 7 | 9 | 10 | 14 | 17) => DbError::unavailable(message),
        _ => DbError::Refused(message),
    }
}
