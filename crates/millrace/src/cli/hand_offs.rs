//! Hand-offs, typed.

use std::collections::BTreeMap;

use clap::Subcommand;

use super::{
    Session,
    args::Paging,
    orders::more,
    people::{query, shown_once},
    print::{Printer, table, time, yes},
};
use crate::operate::{
    Failure,
    hand_offs::{self, NewHandOffIn},
};

/// What to do with hand-offs.
#[derive(Debug, Subcommand)]
pub enum HandOffs {
    /// Make a link through which somebody without an account enters the credentials of a store or warehouse, once. It is shown once.
    Create {
        /// A store that is there, by name or id.
        #[arg(long, conflicts_with_all = ["merchant", "name", "platform", "settled"])]
        store: Option<String>,
        /// A warehouse that is there, by name or id.
        #[arg(long, conflicts_with_all = ["store", "merchant", "name", "platform", "settled"])]
        warehouse: Option<String>,
        /// Of one that saving will make: whose, by name or id.
        #[arg(long, requires = "name")]
        merchant: Option<String>,
        /// Of one that saving will make: what it is called.
        #[arg(long, requires = "merchant")]
        name: Option<String>,
        /// Of one that saving will make: its connector, which says whether it is a store or a warehouse.
        #[arg(long)]
        platform: Option<String>,
        /// Of one that saving will make: a plain setting that is settled; may be given several times.
        #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = pair)]
        settled: Vec<(String, String)>,
        /// A field that is asked for; may be given several times. Without it: secrets, and texts and choices without a value.
        #[arg(long = "ask", value_name = "FIELD")]
        fields: Vec<String>,
        /// Days that the link works.
        #[arg(long)]
        days: Option<u32>,
    },
    /// List hand-offs, newest first.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Take an open hand-off back.
    Revoke {
        /// Id (`lnk_…`).
        hand_off: String,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("give FIELD=VALUE, e.g. account_id=acme")?;
    Ok((field.trim().to_owned(), value.to_owned()))
}

/// Runs one of the commands.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: HandOffs, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        HandOffs::Create { store, warehouse, merchant, name, platform, settled, fields, days } => {
            let settings: BTreeMap<String, String> = settled.into_iter().collect();
            let fields = fields.into_iter().collect();
            let given = NewHandOffIn { store, warehouse, merchant, name, platform, settings, fields, days };
            printer.answer(&hand_offs::create(hub, caller, given).await?, shown_once)
        }
        HandOffs::List { paging } => {
            let page = hand_offs::list(hub, caller, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|one| {
                    [
                        one.id.clone(),
                        one.name.clone(),
                        one.state.clone(),
                        time(one.opened_at),
                        one.tests.to_string(),
                        one.worked.map_or_else(String::new, yes),
                        time(Some(one.expires_at)),
                        one.created_by.clone(),
                    ]
                });
                let head = ["ID", "FOR", "STATE", "OPENED", "TESTS", "WORKED", "ENDS", "BY"];
                more(table(head, rows), page.next.as_deref())
            })
        }
        HandOffs::Revoke { hand_off } => {
            hand_offs::revoke(hub, caller, &hand_off).await?;
            printer
                .answer(&serde_json::json!({ "revoked": hand_off }), |_| "Its link does nothing any more.".to_owned())
        }
    }
}
