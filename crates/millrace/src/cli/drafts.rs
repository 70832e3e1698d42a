//! Drafts of the wizard, typed. A draft is whoever entered it; at the machine, where everything may be done, it is named whose.

use clap::Subcommand;

use super::{
    Session,
    args::Paging,
    orders::more,
    people::query,
    print::{Printer, clean, table, time},
};
use crate::operate::{
    Caller, Failure, SignedIn,
    drafts::{self, DraftOut},
    people,
};

/// What to do with drafts.
#[derive(Debug, Subcommand)]
pub enum Drafts {
    /// List somebody's drafts, the one begun last first.
    List {
        /// Whose: e-mail address or id (`per_…`).
        #[arg(long, value_name = "PERSON")]
        of: String,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one; of its secrets, which are set.
    Show {
        /// Id (`dft_…`).
        draft: String,
        /// Whose: e-mail address or id (`per_…`).
        #[arg(long, value_name = "PERSON")]
        of: String,
    },
    /// Forget one, with its secrets.
    Remove {
        /// Id (`dft_…`).
        draft: String,
        /// Whose: e-mail address or id (`per_…`).
        #[arg(long, value_name = "PERSON")]
        of: String,
    },
}

/// Runs one of the commands.
///
/// # Errors
/// As the operation, or when there is no such person.
pub(super) async fn run(session: &Session, command: Drafts, printer: Printer) -> Result<(), Failure> {
    let hub = &session.hub;
    match command {
        Drafts::List { of, paging } => {
            let page = drafts::list(hub, &owner(session, &of).await?, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|one| {
                    [one.id.clone(), one.name.clone(), time(Some(one.changed_at)), time(Some(one.expires_at))]
                });
                more(table(["ID", "NAME", "CHANGED", "ENDS"], rows), page.next.as_deref())
            })
        }
        Drafts::Show { draft, of } => {
            printer.answer(&drafts::show(hub, &owner(session, &of).await?, &draft).await?, shown)
        }
        Drafts::Remove { draft, of } => {
            drafts::delete(hub, &owner(session, &of).await?, &draft).await?;
            printer.answer(&serde_json::json!({ "removed": draft }), |_| "It is forgotten.".to_owned())
        }
    }
}

/// Whoever types, in the place of the person whose drafts they are.
async fn owner(session: &Session, named: &str) -> Result<Caller, Failure> {
    let person = people::show(&session.hub, &session.caller, named).await?;
    let signed_in = SignedIn {
        tenant: session.caller.tenant.clone(),
        person: person.id,
        session: String::new(),
        proved_at: session.hub.seams.clock.now(),
        several_factors: false,
        owes_factor: false,
    };
    Ok(Caller { signed_in: Some(signed_in), ..session.caller.clone() })
}

fn shown(draft: &DraftOut) -> String {
    let content = serde_json::to_string_pretty(&draft.content).unwrap_or_default();
    let secrets = if draft.secrets.is_empty() { "none".to_owned() } else { draft.secrets.join(", ") };
    clean(&format!(
        "{} ({})\n  changed  {}\n  ends     {}\n  secrets  {secrets}\n{content}",
        draft.name,
        draft.id,
        time(Some(draft.changed_at)),
        time(Some(draft.expires_at))
    ))
}
