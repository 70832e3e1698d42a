//! Backups kept beside the database, typed.

use std::{path::PathBuf, pin::pin};

use clap::Subcommand;
use futures_util::TryStreamExt as _;

use super::{
    Session,
    args::Paging,
    orders::more,
    people::query,
    print::{NewFile, Printer, table, time},
};
use crate::operate::{Failure, FailureKind, backups};

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub enum Backups {
    /// List the backups in the folder `backups` beside the database, newest first.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Copy one to a file. It holds every tenant's data, readable but for secrets; that it was fetched is written down.
    Fetch {
        /// Id (`bak_…`).
        backup: String,
        /// File to write; never over another.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Remove one.
    Remove {
        /// Id (`bak_…`).
        backup: String,
    },
}

/// Runs one of the commands.
///
/// # Errors
/// As the operation, or when the file cannot be written.
pub(super) async fn run(session: &Session, command: Backups, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Backups::List { paging } => printer.answer(&backups::list(hub, caller, &query(paging))?, |page| {
            let rows = page
                .items
                .iter()
                .map(|one| [one.id.clone(), time(Some(one.taken_at)), one.bytes.to_string(), one.file.clone()]);
            more(table(["ID", "TAKEN", "BYTES", "FILE"], rows), page.next.as_deref())
        }),
        Backups::Fetch { backup, to } => {
            let fetched = backups::fetch(hub, caller, &backup).await?;
            let mut file = NewFile::at(&to)?;
            let mut content = pin!(fetched.content);
            while let Some(piece) = content.try_next().await.map_err(unreadable)? {
                file.write(&piece)?;
            }
            file.end()?;
            printer.answer(&fetched.about, |about| {
                format!(
                    "{} ({} bytes). Addresses and orders in it are readable: keep it where only you can read it.",
                    to.display(),
                    about.bytes
                )
            })
        }
        Backups::Remove { backup } => {
            backups::remove(hub, caller, &backup).await?;
            printer.answer(&serde_json::json!({ "removed": backup }), |_| "It is removed.".to_owned())
        }
    }
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::new(FailureKind::Setup, format!("the backup cannot be read: {error}"))
        .remedy("Check the folder `backups` beside the database.")
}
