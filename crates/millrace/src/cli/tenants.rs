//! The tenants of an installation, typed.

use clap::Subcommand;

use super::{
    Session,
    args::Paging,
    orders::more,
    people::{query, shown_once},
    print::{Printer, clean, table, time},
};
use crate::operate::{
    Failure,
    tenants::{self, NewTenantIn, TenantOut},
};

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub enum Tenants {
    /// List them, disabled ones too.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Make one, and the link by which its first administrator comes in, once. It is shown once: give it to them.
    Create {
        /// What people call it.
        name: String,
    },
    /// Make another link for the first administrator, while nobody has come.
    SetUp {
        /// Name or id.
        tenant: String,
    },
    /// Stop its work and let nobody of it in. Its data stays.
    Disable {
        /// Name or id.
        tenant: String,
    },
    /// Let it work again, from where it stopped.
    Enable {
        /// Name or id.
        tenant: String,
    },
}

/// Runs one of the commands on tenants.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Tenants, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Tenants::List { paging } => {
            let page = tenants::list(hub, caller, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|tenant| {
                    [
                        tenant.id.clone(),
                        tenant.name.clone(),
                        tenant.people.to_string(),
                        time(Some(tenant.created_at)),
                        time(tenant.disabled_at),
                    ]
                });
                more(table(["id", "name", "people", "made", "disabled"], rows), page.next.as_deref())
            })
        }
        Tenants::Create { name } => {
            let made = tenants::create(hub, caller, &NewTenantIn { name }).await?;
            printer.answer(&made, |made| format!("{}\n{}", told(&made.tenant), shown_once(&made.link)))
        }
        Tenants::SetUp { tenant } => printer.answer(&tenants::set_up(hub, caller, &tenant).await?, shown_once),
        Tenants::Disable { tenant } => printer.answer(&tenants::set_disabled(hub, caller, &tenant, true).await?, told),
        Tenants::Enable { tenant } => printer.answer(&tenants::set_disabled(hub, caller, &tenant, false).await?, told),
    }
}

fn told(tenant: &TenantOut) -> String {
    let state = match tenant.disabled_at {
        None => "works".to_owned(),
        since => format!("is disabled since {}", time(since)),
    };
    format!("{} ({}) {state}", clean(&tenant.name), tenant.id)
}
