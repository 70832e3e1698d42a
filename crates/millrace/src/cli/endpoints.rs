//! Stores and warehouses, typed: what there is, whether it works, settings that are not kept, and access that was granted.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;

use super::{
    NEEDS_PERSON, Session,
    args::Paging,
    orders::more,
    people::query,
    print::{self, Printer, table, time},
    system::endpoint,
};
use crate::operate::{
    Failure, FailureKind,
    check::{self, EndpointCheckOut},
    endpoints::{self, Side, TestEndpointIn},
    oauth::{self, GrantOut},
};

/// What to do with stores.
#[derive(Debug, Subcommand)]
pub enum Stores {
    /// List them.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Test one that is kept. Exit code 5 when it does not work.
    Test {
        /// Name or id.
        store: String,
    },
    /// Test settings that are not kept, and keep nothing. Exit code 5 when they do not work.
    Try {
        /// A JSON file with `platform`, `settings`, `secrets`, perhaps `of`: one whose secrets are taken; `-` reads standard input.
        file: PathBuf,
    },
    /// Show what access a store was granted by OAuth.
    Access {
        /// Name or id.
        store: String,
    },
    /// Forget the access that a store was granted by OAuth.
    Disconnect {
        /// Name or id.
        store: String,
    },
}

/// What to do with warehouses.
#[derive(Debug, Subcommand)]
pub enum Warehouses {
    /// List them.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Test one that is kept. Exit code 5 when it does not work.
    Test {
        /// Name or id.
        warehouse: String,
        /// Keep the host key that the test shows, after you compared it.
        #[arg(long)]
        trust_host_key: bool,
    },
    /// Test settings that are not kept, and keep nothing. Exit code 5 when they do not work.
    Try {
        /// A JSON file with `platform`, `settings`, `secrets`, perhaps `of`: one whose secrets are taken; `-` reads standard input.
        file: PathBuf,
    },
}

/// Runs one of the commands on stores.
///
/// # Errors
/// As the operation.
pub(super) async fn stores(session: &Session, command: Stores, printer: Printer) -> Result<ExitCode, Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Stores::List { paging } => list(session, Side::Store, paging, printer).await,
        Stores::Test { store } => told(&check::endpoint(hub, caller, Side::Store, &store, false).await?, printer),
        Stores::Try { file } => try_file(session, Side::Store, &file, printer).await,
        Stores::Access { store } => {
            printer.answer(&oauth::show(hub, caller, &store).await?, access)?;
            Ok(ExitCode::SUCCESS)
        }
        Stores::Disconnect { store } => {
            printer.answer(&oauth::disconnect(hub, caller, &store).await?, access)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs one of the commands on warehouses.
///
/// # Errors
/// As the operation.
pub(super) async fn warehouses(session: &Session, command: Warehouses, printer: Printer) -> Result<ExitCode, Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Warehouses::List { paging } => list(session, Side::Warehouse, paging, printer).await,
        Warehouses::Test { warehouse, trust_host_key } => {
            told(&check::endpoint(hub, caller, Side::Warehouse, &warehouse, trust_host_key).await?, printer)
        }
        Warehouses::Try { file } => try_file(session, Side::Warehouse, &file, printer).await,
    }
}

async fn list(session: &Session, side: Side, paging: Paging, printer: Printer) -> Result<ExitCode, Failure> {
    let page = endpoints::list(&session.hub, &session.caller, side, &query(paging)).await?;
    printer.answer(&page, |page| {
        let rows =
            page.items.iter().map(|one| [one.id.clone(), one.name.clone(), one.platform.clone(), one.merchant.clone()]);
        more(table(["ID", "NAME", "PLATFORM", "MERCHANT"], rows), page.next.as_deref())
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn try_file(session: &Session, side: Side, file: &Path, printer: Printer) -> Result<ExitCode, Failure> {
    let given = read(file)?;
    told(&check::unsaved(&session.hub, &session.caller, side, given).await?, printer)
}

/// Settings to try, from a file or standard input. Where they cannot be read only the place is told: a secret may stand there.
fn read(file: &Path) -> Result<TestEndpointIn, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text))
    };
    read.map_err(|error| Failure::invalid(format!("{}: {error}", file.display()), Vec::new()))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::invalid(
            format!("{}, line {}, column {}: these are no settings", file.display(), error.line(), error.column()),
            Vec::new(),
        )
        .remedy("Give JSON with `platform`, `settings` and `secrets`, as `POST /stores/test` takes it.")
    })
}

fn told(told: &EndpointCheckOut, printer: Printer) -> Result<ExitCode, Failure> {
    printer.answer(told, |told| print::clean(&endpoint(told).join("\n")))?;
    Ok(match (told.ok, told.credentials_refused) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(super::exit_code(FailureKind::Credentials)),
        (false, false) => ExitCode::from(NEEDS_PERSON),
    })
}

fn access(grant: &GrantOut) -> String {
    let mut lines = vec![match grant.state.as_str() {
        "none" => "not connected".to_owned(),
        state => format!("{state} since {}", time(grant.granted_at)),
    }];
    lines.extend(grant.problem.iter().map(|problem| print::clean(problem)));
    lines.extend(grant.next.clone());
    lines.join("\n")
}
