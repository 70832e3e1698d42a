//! All of a merchant's data, typed: to a file, and without the people in it.

use std::{path::PathBuf, pin::pin, sync::Arc};

use clap::Subcommand;
use futures_util::TryStreamExt as _;

use super::{
    Session,
    args::Paging,
    orders::more,
    people::query,
    print::{self, NewFile, Printer, table},
};
use crate::operate::{
    Failure, archive, endpoints,
    erasure::{self, ErasureIn, ErasureOut},
};

/// What to do with merchants.
#[derive(Debug, Subcommand)]
pub enum Merchants {
    /// List merchants.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Write everything of a merchant but secrets to one archive (.tar.gz) of NDJSON and CSV files.
    Export {
        /// Name or id.
        merchant: String,
        /// File to write; never over another.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Erase people from a merchant's finished orders, for good: names, addresses, telephones, e-mails, and payloads that hold them. Shows what
    /// would be erased; does it with `--yes`.
    Erase {
        /// Name or id.
        merchant: String,
        /// Why; kept in the audit trail.
        #[arg(long)]
        reason: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs one of the commands.
///
/// # Errors
/// As the operation, or when the file cannot be written.
pub(super) async fn run(session: &Session, command: Merchants, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Merchants::List { paging } => {
            let page = endpoints::list_merchants(hub, caller, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|one| [one.id.clone(), one.name.clone()]);
                more(table(["ID", "NAME"], rows), page.next.as_deref())
            })
        }
        Merchants::Export { merchant, to } => {
            let archive = archive::export(Arc::clone(hub), caller, &merchant).await?;
            let mut file = NewFile::at(&to)?;
            let mut content = pin!(archive.content);
            let mut bytes = 0;
            while let Some(piece) = content.try_next().await? {
                file.write(&piece)?;
                bytes += piece.len();
            }
            file.end()?;
            let told = serde_json::json!({ "file": to, "bytes": bytes });
            printer.answer(&told, |_| {
                format!(
                    "{} ({bytes} bytes). Addresses in it are readable: keep it where only you can read it.",
                    to.display()
                )
            })
        }
        Merchants::Erase { merchant, reason, yes } => {
            let seen = erasure::preview(hub, caller, &merchant).await?;
            if !yes {
                return printer.answer(&seen, |seen| format!("{}\nNothing was erased; `--yes` does it.", shown(seen)));
            }
            let given = ErasureIn { orders: seen.orders, reason };
            printer.answer(&erasure::erase(hub, caller, &merchant, &given).await?, |done| {
                format!("{}\nErased. Backups taken before still have it.", shown(done))
            })
        }
    }
}

fn shown(seen: &ErasureOut) -> String {
    let ErasureOut { merchant, orders, in_flight, inputs, exceptions } = seen;
    let mut lines = vec![format!(
        "{}: {orders} finished orders with people in them, {inputs} kept files and pages of warehouses, {exceptions} inputs that were dealt with.",
        print::clean(&merchant.name)
    )];
    if *in_flight > 0 {
        lines.push(format!("{in_flight} orders are not finished: they keep their people until they are."));
    }
    lines.join("\n")
}
