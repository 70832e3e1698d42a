//! The configuration as a file.

use super::{
    Session, args,
    args::Common,
    caller, config,
    print::{self, Printer},
    seams,
};
use crate::operate::{
    Caller, Failure, Hub,
    file::{self, Action, Document, Plan},
    setup,
};

/// Shows what a file would change.
///
/// # Errors
/// When it cannot be applied.
pub(super) async fn plan(common: &Common, from: &args::FromFile, printer: Printer) -> Result<(), Failure> {
    let (hub, caller, document) = open(common, from, false).await?;
    let plan = file::plan(&hub, &caller, &document).await;
    hub.db.close().await;
    printer.answer(&plan?, |plan| shown(plan, "Nothing would change.", "would be"))
}

/// Applies a file.
///
/// # Errors
/// When it cannot be applied; then nothing was changed.
pub(super) async fn apply(common: &Common, from: &args::FromFile, printer: Printer) -> Result<(), Failure> {
    let (hub, caller, document) = open(common, from, true).await?;
    let plan = file::apply(&hub, &caller, &document).await;
    hub.db.close().await;
    printer.answer(&plan?, |plan| shown(plan, "Everything is as the file says; nothing was changed.", "was"))
}

/// Opens the installation for the tenant that the file, or else the command, names.
async fn open(
    common: &Common,
    from: &args::FromFile,
    create: bool,
) -> Result<(std::sync::Arc<Hub>, Caller, Document), Failure> {
    let document = Document::read(&from.file)?;
    let hub = Hub::open(config(common)?, seams(common)?).await?;
    let named = document.file.tenant.as_ref().map(|tenant| tenant.name.get_ref().clone());
    let tenant = match (&named, &common.tenant) {
        (Some(named), Some(asked)) if named != asked => {
            return Err(Failure::invalid(
                format!("the file is for the tenant {named:?}, not for {asked:?}"),
                Vec::new(),
            ));
        }
        (Some(named), _) => file::tenant(&hub, named, create).await?,
        (None, asked) => setup::tenant(&hub, asked.as_deref()).await?,
    };
    Ok((hub, caller(tenant), document))
}

/// Prints the configuration.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn export(session: &Session) -> Result<(), Failure> {
    print::write(&file::export(&session.hub, &session.caller).await?)
}

fn shown(plan: &Plan, nothing: &str, verb: &str) -> String {
    let mut lines = Vec::new();
    for change in &plan.changes {
        let (sign, done) = match change.action {
            Action::Create => ("+", "created"),
            Action::Change => ("~", "changed"),
        };
        lines.push(format!("{sign} {} \"{}\" {verb} {done}", change.what, print::clean(&change.name)));
        for difference in &change.differences {
            let value =
                |value: &Option<String>| value.as_deref().map_or("nothing".to_owned(), |value| format!("{value:?}"));
            lines.push(format!(
                "    {}: {} -> {}",
                difference.field,
                value(&difference.before),
                value(&difference.after)
            ));
        }
    }
    if plan.changes.is_empty() {
        lines.push(nothing.to_owned());
    }
    lines.extend(plan.notes.iter().map(|note| format!("  note: {}", print::clean(note))));
    lines.join("\n")
}
