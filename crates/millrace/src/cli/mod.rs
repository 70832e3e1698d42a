//! The command line: what [`crate::operate`] can do, typed. Commands work on the database directly; a running server notices
//! what they change.

mod alerts;
pub mod args;
mod backups;
mod bulk;
mod census;
mod channels;
mod connections;
mod drafts;
mod endpoints;
mod figures;
mod file;
mod hand_offs;
mod layouts;
mod logging;
mod merchants;
mod orders;
mod people;
mod preflight;
mod print;
mod safety;
mod simulate;
mod stock;
mod system;
mod tenants;
mod webhooks;
mod x12;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use connect::{Guard, HttpTransport, HttpWaits, OsRandom, Secret, SystemClock, Waits};
use tokio_util::sync::CancellationToken;

use crate::{
    app,
    config::{Config, Roles},
    notify::mail::MailSettings,
    operate::{Caller, Failure, FailureKind, Hub, KeyScopes, Role, setup},
    tls::TlsFiles,
    worker::Seams,
};
use args::{Cli, Command, Common, RoleName, Serve};
use print::Printer;

/// Something was found that needs a person.
const NEEDS_PERSON: u8 = 5;

/// Runs one command to its end.
pub fn start(cli: Cli) -> ExitCode {
    let logging = logging::begin(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(&Failure::new(FailureKind::Internal, format!("cannot start: {error}")), false),
    };
    let json = cli.common.json;
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        tokio::spawn(stop_on_signal(shutdown.clone()));
        run(cli, shutdown).await
    });
    logging.end();
    match outcome {
        Ok(code) => code,
        Err(failure) => told(&failure, json),
    }
}

async fn stop_on_signal(shutdown: CancellationToken) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    shutdown.cancel();
    // A second Ctrl-C ends it at once: what was on its way is found again by the journal.
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(130);
    }
}

/// Says what failed and what to do, on standard error.
fn told(failure: &Failure, json: bool) -> ExitCode {
    let code = exit_code(failure.kind);
    let text = if json {
        serde_json::json!({
            "type": failure.kind.code(), "title": failure.kind.title(), "detail": failure.detail,
            "remedy": failure.remedy, "problems": failure.problems, "exit_code": code,
        })
        .to_string()
    } else {
        format!("error: {}\n  {}", print::clean(&failure.detail), print::clean(&failure.remedy))
    };
    // Nobody reads it: the exit code still says it.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::from(code)
}

/// See [`args::EXIT_CODES`].
fn exit_code(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::Invalid | FailureKind::Credentials | FailureKind::Setup => 3,
        FailureKind::NotFound => 4,
        FailureKind::NeedsPerson => NEEDS_PERSON,
        FailureKind::Conflict
        | FailureKind::Forbidden
        | FailureKind::SignIn
        | FailureKind::SecondFactor
        | FailureKind::Proof
        | FailureKind::FactorOwed
        | FailureKind::TooMany
        | FailureKind::Remote
        | FailureKind::Unavailable
        | FailureKind::Internal => 1,
    }
}

async fn run(cli: Cli, shutdown: CancellationToken) -> Result<ExitCode, Failure> {
    let Cli { common, command } = cli;
    let printer = Printer { json: common.json };
    match command {
        Command::ExitCodes => print::write(args::EXIT_CODES)?,
        Command::Openapi => system::openapi()?,
        Command::Init => system::init(&config(&common)?, &seams(&common)?, printer).await?,
        Command::Serve(serve) => {
            app::run(serving(&common, &serve)?, None, seams(&common)?, shutdown).await?;
        }
        Command::X12(command) => x12::run(command, printer)?,
        Command::Simulate(which) => simulate::run(which, printer, shutdown).await?,
        Command::Demo(options) => {
            let good = crate::demo::run(options, shutdown).await.map_err(|error| fault(&error))?;
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Bench(options) => crate::bench::run(options, common.json).await.map_err(|error| fault(&error))?,
        Command::Plan(from) => file::plan(&common, &from, printer).await?,
        Command::Apply(from) => file::apply(&common, &from, printer).await?,
        Command::Restore(from) => safety::restore(&config(&common)?, &seams(&common)?, &from, printer).await?,
        other => {
            let session = Session::open(&common, &other).await?;
            let outcome = within(&session, other, printer, shutdown).await;
            session.hub.db.close().await;
            return outcome;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn within(
    session: &Session,
    command: Command,
    printer: Printer,
    shutdown: CancellationToken,
) -> Result<ExitCode, Failure> {
    match command {
        Command::Check(check) => return system::check(session, check, printer).await,
        Command::Census(command) => return census::run(session, command, printer).await,
        Command::Preflight(command) => return preflight::run(session, command, printer, &shutdown).await,
        Command::Doctor(command) => census::doctor(session, command, printer).await?,
        Command::Export => file::export(session).await?,
        Command::Overview => figures::overview(session, printer).await?,
        Command::Exports(asked) => figures::export(session, asked).await?,
        Command::Stores(command) => return endpoints::stores(session, command, printer).await,
        Command::Warehouses(command) => return endpoints::warehouses(session, command, printer).await,
        Command::Connections(command) => connections::run(session, command, printer).await?,
        Command::Channels(command) => channels::run(session, command, printer).await?,
        Command::Preview(asked) => layouts::preview(session, asked, printer).await?,
        Command::Orders(command) => orders::orders(session, command, printer).await?,
        Command::Shipments(command) => orders::shipments(session, command, printer).await?,
        Command::Effects(command) => orders::effects(session, command, printer).await?,
        Command::Stock(command) => stock::run(session, command, printer).await?,
        Command::Drift(asked) => stock::drift(session, asked, printer).await?,
        Command::Exceptions(command) => system::exceptions(session, command, printer).await?,
        Command::Webhooks(command) => webhooks::run(session, command, printer).await?,
        Command::Alerts(command) => alerts::run(session, command, printer).await?,
        Command::Events(events) => system::events(session, events, printer, shutdown).await?,
        Command::Audit(asked) => return system::audit(session, asked, printer).await,
        Command::HandOff(command) => hand_offs::run(session, command, printer).await?,
        Command::People(command) => people::run(session, command, printer).await?,
        Command::Tenants(command) => tenants::run(session, command, printer).await?,
        Command::Merchants(command) => merchants::run(session, command, printer).await?,
        Command::Drafts(command) => drafts::run(session, command, printer).await?,
        Command::Keys(command) => system::keys(session, command, printer).await?,
        Command::Backups(command) => backups::run(session, command, printer).await?,
        Command::Backup(options) => safety::backup(session, options, printer).await?,
        Command::Safety => return safety::show(session, printer).await,
        Command::FreezeSending(given) => safety::freeze(session, given, printer).await?,
        Command::Recover(given) => return safety::recover(session, given, printer, shutdown).await,
        Command::ReleaseSending(given) => safety::release(session, given, printer).await?,
        Command::Init
        | Command::Serve(_)
        | Command::Plan(_)
        | Command::Apply(_)
        | Command::Restore(_)
        | Command::Openapi
        | Command::X12(_)
        | Command::Simulate(_)
        | Command::Demo(_)
        | Command::Bench(_)
        | Command::ExitCodes => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn fault(error: &anyhow::Error) -> Failure {
    Failure::new(FailureKind::Remote, format!("{error:#}"))
}

/// An opened installation, and who types.
struct Session {
    hub: Arc<Hub>,
    caller: Caller,
}

impl Session {
    async fn open(common: &Common, command: &Command) -> Result<Self, Failure> {
        let hub = Hub::open(config(common)?, seams(common)?).await?;
        let oldest = match (command, &common.tenant) {
            // None of them is meant, so none has to be named.
            (Command::Tenants(_) | Command::Backups(_), None) => hub.db.tenants().await?.into_iter().next(),
            _ => None,
        };
        let tenant = match oldest {
            Some(oldest) => oldest.id,
            None => setup::tenant(&hub, common.tenant.as_deref()).await?,
        };
        Ok(Self { caller: caller(tenant), hub })
    }
}

/// Whoever can read the key file and the database may do everything.
fn caller(tenant: connect::TenantId) -> Caller {
    Caller {
        actor: actor(),
        role: Role::Admin,
        tenant,
        merchants: None,
        scopes: KeyScopes::default(),
        installation: true,
        signed_in: None,
    }
}

fn actor() -> String {
    let named = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(named).or_else(user_number);
    format!("command line ({})", user.unwrap_or_else(|| "somebody".to_owned()))
}

/// Where no variable says who it is, as in a container or a timer: whose process this is.
#[cfg(target_os = "linux")]
fn user_number() -> Option<String> {
    let about = std::fs::metadata("/proc/self").ok()?;
    Some(format!("user {}", std::os::unix::fs::MetadataExt::uid(&about)))
}

#[cfg(not(target_os = "linux"))]
fn user_number() -> Option<String> {
    None
}

fn config(common: &Common) -> Result<Config, Failure> {
    let data = std::path::absolute(&common.data)
        .map_err(|error| Failure::new(FailureKind::Setup, format!("{}: {error}", common.data.display())))?;
    let mut config = Config::in_folder(&data);
    if let Some(database) = &common.database {
        config.database.clone_from(database);
    }
    config.database_owner.clone_from(&common.database_owner);
    if let Some(key_file) = &common.key_file {
        config.key_file.clone_from(key_file);
    }
    config.public_url.clone_from(&common.public_url);
    config.allow_stand_ins = common.allow_stand_ins;
    config.private_networks.clone_from(&common.private_networks);
    config.outbound_ports.clone_from(&common.outbound_ports);
    config.synchronous_replication = common.synchronous_replication;
    config.waits = Waits::default().divided(common.time_factor);
    config.mail = mail(common)?;
    Ok(config)
}

/// The environment variable that holds the mail server's password.
const SMTP_PASSWORD: &str = "MILLRACE_SMTP_PASSWORD";

fn mail(common: &Common) -> Result<Option<MailSettings>, Failure> {
    let (Some(server), Some(from)) = (&common.smtp, &common.mail_from) else { return Ok(None) };
    let typed = std::env::var(SMTP_PASSWORD).ok().filter(|text| !text.is_empty()).map(Secret::new);
    let password = match (&common.smtp_password_file, typed) {
        (_, Some(typed)) => Some(typed),
        (Some(file), None) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                let why = format!("the mail server's password file {} cannot be read: {error}", file.display());
                Failure::new(FailureKind::Setup, why).remedy("Correct --smtp-password-file, or its permissions.")
            })?;
            Some(Secret::new(text.trim_end()))
        }
        (None, None) => None,
    };
    Ok(Some(MailSettings { server: server.clone(), password, from: from.clone() }))
}

fn serving(common: &Common, serve: &Serve) -> Result<Config, Failure> {
    let mut config = config(common)?;
    config.listen = serve.listen;
    config.tls = match (&serve.tls_certificate, &serve.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
        _ => None,
    };
    config.requests_per_minute = std::num::NonZeroU32::new(serve.requests_per_minute);
    config.second_factor = serve.second_factor;
    config.provider = serve.provider.settings(&config)?;
    if let Some(node) = &serve.node {
        config.node.clone_from(node);
    }
    config.roles =
        Roles { web: serve.roles.contains(&RoleName::Web), workers: serve.roles.contains(&RoleName::Workers) };
    Ok(config)
}

fn seams(common: &Common) -> Result<Seams, Failure> {
    let waits = Waits::default().divided(common.time_factor);
    let http = HttpWaits { connect: waits.connect, total: waits.http, ..HttpWaits::default() };
    let guard = Guard::new(&common.private_networks, &common.outbound_ports, common.allow_stand_ins);
    let transport = HttpTransport::new(http, guard.clone())
        .map_err(|error| Failure::new(FailureKind::Setup, format!("HTTP cannot be set up: {error}")))?;
    Ok(Seams {
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(OsRandom),
        transport: Arc::new(transport),
        files: Arc::new(connectors::files::Files::new(waits, guard)),
    })
}
