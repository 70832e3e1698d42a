//! What may be typed.

pub mod notify;
pub mod provider;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

/// Exit codes, as `millrace help exit-codes` shows them.
pub const EXIT_CODES: &str = "\
Exit codes

  0  it worked
  1  it failed: a remote system, the database, or a fault; the message says which
  2  the command line was not understood
  3  configuration or credentials are wrong
  4  what was named does not exist
  5  something needs a person, or a check found problems";

/// Millrace: Brightpearl on one side, warehouses on the other, orders to shipment and stock in sync.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, about, disable_help_subcommand = false, after_help = EXIT_CODES)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Folder that holds the database and the key file.
    #[arg(long, global = true, env = "MILLRACE_DATA", default_value = "millrace-data", value_name = "FOLDER")]
    pub data: PathBuf,
    /// Database: sqlite:PATH or postgres://USER@HOST/NAME. Default: millrace.db in the data folder.
    #[arg(long, global = true, env = "MILLRACE_DATABASE", value_name = "ADDRESS", hide_env_values = true)]
    pub database: Option<String>,
    /// PostgreSQL: the address of the tables' owner, who brings them up to date; the login of --database then owns nothing.
    #[arg(long, global = true, env = "MILLRACE_DATABASE_OWNER", value_name = "ADDRESS", hide_env_values = true)]
    pub database_owner: Option<String>,
    /// File with the wrapping key; MILLRACE_KEY in the environment takes its place. Default: millrace.key in the data folder.
    #[arg(long, global = true, env = "MILLRACE_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Address under which the world reaches this installation (https), for webhooks. Without it, channels poll only.
    #[arg(long, global = true, env = "MILLRACE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Url>,
    /// Declares that the database's replicas have every commit before it is reported, so that a promoted replica is trusted.
    #[arg(long, global = true, env = "MILLRACE_SYNCHRONOUS_REPLICATION")]
    pub synchronous_replication: bool,
    /// Permits settings for stand-ins and local folders (marked "operator" in the documentation), and dialling this machine.
    #[arg(long, global = true, env = "MILLRACE_ALLOW_STAND_INS")]
    pub allow_stand_ins: bool,
    /// Private networks that warehouses may be in (10.1.0.0/16,10.2.3.4), there also without TLS. Others must be public.
    #[arg(long, global = true, env = "MILLRACE_PRIVATE_NETWORKS", value_delimiter = ',', value_name = "NETWORKS")]
    pub private_networks: Vec<connect::Network>,
    /// Ports that warehouses may use beside 443, 8443 (HTTPS), 80 (HTTP) and 22, 2222 (SFTP).
    #[arg(long, global = true, env = "MILLRACE_OUTBOUND_PORTS", value_delimiter = ',', value_name = "PORTS")]
    pub outbound_ports: Vec<u16>,
    /// Mail server for alerts: smtps://USER@HOST, or smtp://USER@HOST with STARTTLS. Its password is MILLRACE_SMTP_PASSWORD in the
    /// environment, or in --smtp-password-file.
    #[arg(
        long,
        global = true,
        env = "MILLRACE_SMTP",
        value_name = "ADDRESS",
        hide_env_values = true,
        requires = "mail_from"
    )]
    pub smtp: Option<Url>,
    /// File that holds the mail server's password.
    #[arg(long, global = true, env = "MILLRACE_SMTP_PASSWORD_FILE", value_name = "FILE")]
    pub smtp_password_file: Option<PathBuf>,
    /// Who alerts by e-mail are from, e.g. "Millrace <millrace@example.com>".
    #[arg(long, global = true, env = "MILLRACE_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
    /// Whose data. Not needed while there is one tenant.
    #[arg(long, global = true, env = "MILLRACE_TENANT", value_name = "NAME")]
    pub tenant: Option<String>,
    /// Answers as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// How log lines look; RUST_LOG says how many.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// Divides every wait; for tests.
    #[arg(long, global = true, hide = true, default_value_t = 1)]
    pub time_factor: u32,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new installation: key file, database, and one administrator key, shown once.
    Init,
    /// Run it: web, API and workers, or some of them.
    Serve(Serve),
    /// Test configuration, database, keys and every connection.
    Check(Check),
    /// Show what applying a configuration file would change. Writes nothing.
    Plan(FromFile),
    /// Apply a configuration file.
    Apply(FromFile),
    /// Print the configuration as a file, secrets as references.
    Export,
    /// One look at everything: what flows, what needs somebody, how long it takes.
    Overview,
    /// Everything of one kind as CSV, to standard output or a file.
    Exports(super::figures::Exports),
    /// Stores: whether they work, settings to try, access that was granted.
    #[command(subcommand)]
    Stores(super::endpoints::Stores),
    /// Warehouses: whether they work, settings to try.
    #[command(subcommand)]
    Warehouses(super::endpoints::Warehouses),
    /// Connections, their channels, settings, tables and webhooks.
    #[command(subcommand)]
    Connections(Connections),
    /// When the flows of a connection run, and what became of their runs.
    #[command(subcommand)]
    Channels(super::channels::Channels),
    /// How a sample file of a warehouse would be read with its settings, and how an order would be written. Changes nothing.
    Preview(super::layouts::Preview),
    /// Orders.
    #[command(subcommand)]
    Orders(Orders),
    /// Shipments.
    #[command(subcommand)]
    Shipments(Shipments),
    /// Stock runs and levels.
    #[command(subcommand)]
    Stock(Stock),
    /// Where the warehouse's stock and Brightpearl's differ, and what explains it. Changes nothing.
    Drift(Drift),
    /// Changes at remote systems.
    #[command(subcommand)]
    Effects(Effects),
    /// Where every eligible order is, by an independent look. Exit code 5 when any cannot be accounted for.
    Census(Census),
    /// What would have become of past orders, and why: reads and plans them, sends nothing. Exit code 5 when any would have
    /// stood still.
    Preflight(Preflight),
    /// What is wrong with goods-out notes, and having it repaired.
    #[command(subcommand)]
    Doctor(Doctor),
    /// What came in and could not be used.
    #[command(subcommand)]
    Exceptions(Exceptions),
    /// Calls to your programs when something changes.
    #[command(subcommand)]
    Webhooks(notify::Webhooks),
    /// What needs a person, who is told of it, and where.
    #[command(subcommand)]
    Alerts(notify::Alerts),
    /// What changed, newest last.
    Events(Events),
    /// Who did what.
    Audit(Audit),
    /// People who sign in: inviting them, what they may do, and how that ends.
    #[command(subcommand)]
    People(super::people::People),
    /// Links through which a store's credentials are entered by whoever has them.
    #[command(subcommand)]
    HandOff(super::hand_offs::HandOffs),
    /// The organisations that use this installation.
    #[command(subcommand)]
    Tenants(super::tenants::Tenants),
    /// All of a merchant's data: to a file, and without the people in it.
    #[command(subcommand)]
    Merchants(super::merchants::Merchants),
    /// What somebody has entered in the wizard so far.
    #[command(subcommand)]
    Drafts(super::drafts::Drafts),
    /// API keys, and the wrapping key.
    #[command(subcommand)]
    Keys(Keys),
    /// Backups kept beside the database.
    #[command(subcommand)]
    Backups(super::backups::Backups),
    /// Write a copy of the database, while it is used, to a file.
    Backup(Backup),
    /// Put a backup in the place of the database. It sends nothing until it is recovered and released.
    Restore(Restore),
    /// Show whether anything is sent, why not, and how far a recovery is.
    Safety,
    /// Stop sending, for the whole installation. Reading goes on.
    FreezeSending(WithReason),
    /// After a loss: look up everything that may have been sent since a moment.
    Recover(Recover),
    /// Let sending go on.
    ReleaseSending(Release),
    /// Print the OpenAPI document.
    Openapi,
    /// X12 documents.
    #[command(subcommand)]
    X12(X12),
    /// Run a stand-in of a remote system on 127.0.0.1 until Ctrl-C.
    #[command(subcommand)]
    Simulate(Simulate),
    /// See it work: Millrace and simulators in one process.
    Demo(crate::demo::DemoOptions),
    /// Measure it.
    Bench(crate::bench::BenchOptions),
    /// What the exit codes mean.
    #[command(name = "exit-codes", long_about = EXIT_CODES)]
    ExitCodes,
}

/// Options of `census`.
#[derive(Debug, Clone, Args)]
pub struct Census {
    /// Connection, by name or id.
    pub connection: String,
    /// Take one now, of what is recent, and wait for its end.
    #[arg(long)]
    pub now: bool,
    /// Take one now, of everything, and wait for its end.
    #[arg(long)]
    pub full: bool,
}

/// Options of `preflight`.
#[derive(Debug, Clone, Args)]
pub struct Preflight {
    /// Connection, by name or id.
    pub connection: String,
    /// Orders of so many days, 1 to 90; 30 where not given.
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,
    /// List the runs so far instead.
    #[arg(long, conflicts_with_all = ["days", "run", "cancel"])]
    pub list: bool,
    /// Show this run instead.
    #[arg(long, value_name = "ID", conflicts_with_all = ["days", "cancel"])]
    pub run: Option<String>,
    /// End this run, whoever works on it.
    #[arg(long, value_name = "ID", conflicts_with = "days")]
    pub cancel: Option<String>,
}

/// Commands of `doctor`.
#[derive(Debug, Clone, Subcommand)]
pub enum Doctor {
    /// What is wrong, newest first.
    List {
        /// Of this connection.
        #[arg(long)]
        connection: Option<String>,
        /// All findings of the census, not only those about goods-out notes.
        #[arg(long)]
        everything: bool,
        /// Those that are gone as well.
        #[arg(long)]
        all: bool,
        /// How much of it.
        #[command(flatten)]
        paging: Paging,
    },
    /// One finding: what is wrong, why it matters, what would mend it.
    Show {
        /// Finding (fnd_…).
        finding: String,
    },
    /// Have a finding repaired as it proposes. Both sides are read once more first.
    Repair {
        /// Finding (fnd_…).
        finding: String,
        /// Why; kept in the audit trail.
        #[arg(long)]
        reason: String,
    },
}

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Where to listen. Loopback unless you say otherwise.
    #[arg(long, env = "MILLRACE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Which parts run here.
    #[arg(long, value_delimiter = ',', default_value = "web,workers", value_name = "ROLES")]
    pub roles: Vec<RoleName>,
    /// Speak TLS with this certificate (PEM, its chain behind it); taken up anew when the file changes.
    #[arg(long, env = "MILLRACE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, env = "MILLRACE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Requests a minute that an API key, or a person who signed in, may make at this node. 0: as many as they like.
    #[arg(
        long,
        env = "MILLRACE_REQUESTS_PER_MINUTE",
        default_value_t = crate::accounts::allowance::USUAL.get(),
        value_parser = clap::value_parser!(u32).range(..=100_000),
        value_name = "N"
    )]
    pub requests_per_minute: u32,
    /// Who has to have a second factor. Who has none yet can set one up and do nothing else.
    #[arg(long, env = "MILLRACE_SECOND_FACTOR", value_enum, default_value_t, value_name = "WHO")]
    pub second_factor: crate::accounts::demand::SecondFactor,
    /// Where people can sign in besides.
    #[command(flatten)]
    pub provider: provider::Provider,
    /// Name of this node for leases; for tests. A node that comes back under its own name goes on at once, with a fresh call
    /// budget, where another would wait until the lease ends.
    #[arg(long, hide = true, value_name = "NAME")]
    pub node: Option<String>,
}

/// A part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Web pages and API.
    Web,
    /// Flows and journal.
    Workers,
}

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Only this connection (name or id).
    #[arg(long, value_name = "NAME")]
    pub connection: Option<String>,
    /// Keep the host keys that the test shows, after you compared them.
    #[arg(long)]
    pub trust_host_key: bool,
}

/// A configuration file.
#[derive(Debug, Clone, Args)]
pub struct FromFile {
    /// TOML file.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
}

/// The audit trail: a page of it, or a look whether it is whole.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    /// Another thing than a page.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Only what they did: id or e-mail address of a person, id of a key, or how the name in the trail begins.
    #[arg(long)]
    pub actor: Option<String>,
    /// Only this, or what begins so: `order.hold`, `order.`.
    #[arg(long)]
    pub action: Option<String>,
    /// Only what was done on this: an id, or how it begins.
    #[arg(long)]
    pub target: Option<String>,
    /// At or after, e.g. 2026-01-31T00:00:00Z.
    #[arg(long)]
    pub from: Option<jiff::Timestamp>,
    /// Before.
    #[arg(long)]
    pub to: Option<jiff::Timestamp>,
    /// How much.
    #[command(flatten)]
    pub paging: Paging,
}

/// What else can be asked of the audit trail.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Work out the chain of every trail anew. Exit code 5, and the row, where one is not as it was written.
    Verify,
}

/// How much of a list.
#[derive(Debug, Clone, Args)]
pub struct Paging {
    /// Most entries.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Where to go on: the `next` of the list before.
    #[arg(long, allow_hyphen_values = true)]
    pub cursor: Option<String>,
}

/// One connection, by name or id.
#[derive(Debug, Clone, Args)]
pub struct OneConnection {
    /// Name or id.
    pub connection: String,
}

/// What to do with connections.
#[derive(Debug, Subcommand)]
pub enum Connections {
    /// List them.
    List {
        /// Also those that were put away.
        #[arg(long)]
        archived: bool,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one with its channels and problems.
    Show(OneConnection),
    /// Give a merchant, store, warehouse or connection another name.
    Rename {
        /// What it is.
        what: Thing,
        /// Name or id.
        named: String,
        /// What it is called from now on.
        name: String,
    },
    /// Delete a merchant, store, warehouse or connection that nothing depends on. A connection with which something has happened
    /// is put away with its history.
    Delete {
        /// What it is.
        what: Thing,
        /// Name or id.
        named: String,
    },
    /// Switch one on; says what is missing when it cannot be.
    Enable(OneConnection),
    /// Switch one off. What is on its way ends first.
    Disable(OneConnection),
    /// Let a paused connection go on, e.g. after its credentials were mended.
    Resume(OneConnection),
    /// The account's own lists: statuses, warehouses, channels, shipping methods, price lists.
    Choices(OneConnection),
    /// Change one channel.
    Channel {
        /// Name or id.
        connection: String,
        /// Which.
        channel: ChannelName,
        /// Switch it on or off.
        #[arg(long)]
        enabled: Option<bool>,
        /// Seconds between runs.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400))]
        every: Option<u32>,
    },
    /// Run one channel as soon as possible.
    Run {
        /// Name or id.
        connection: String,
        /// Which.
        channel: ChannelName,
    },
    /// Show the translation tables.
    Mappings(OneConnection),
    /// Take a translation table in from a CSV file with the columns that `export-mappings` writes.
    ImportMappings {
        /// Name or id.
        connection: String,
        /// Which table.
        #[arg(value_enum)]
        table: TableName,
        /// CSV file.
        #[arg(short, long)]
        file: PathBuf,
        /// What to do with entries that are there already.
        #[arg(long, value_enum, default_value = "ignore")]
        existing: Existing,
        /// Show what would change, and change nothing.
        #[arg(long)]
        preview: bool,
    },
    /// Print a translation table as CSV.
    ExportMappings {
        /// Name or id.
        connection: String,
        /// Which table.
        #[arg(value_enum)]
        table: TableName,
    },
    /// Register webhooks at Brightpearl and show their state.
    Webhooks {
        /// Name or id.
        connection: String,
        /// Register (or mend) the subscriptions.
        #[arg(long)]
        register: bool,
    },
}

/// What can be given another name, or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Thing {
    /// A brand.
    Merchant,
    /// An account orders come from.
    Store,
    /// An account that ships.
    Warehouse,
    /// A store and a warehouse, connected.
    Connection,
}

/// A flow of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChannelName {
    /// Orders to the warehouse.
    Orders,
    /// Shipments back.
    Shipments,
    /// Stock back.
    Stock,
}

/// A translation table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableName {
    /// SKUs: Brightpearl's, the warehouse's.
    Listings,
    /// Kits, a line for each part: Brightpearl's SKU, the part's SKU at the warehouse, units.
    Kits,
    /// Shipping methods: Brightpearl's, the warehouse's carrier and service.
    ShipMethods,
    /// Carriers back: the warehouse's carrier and service, Brightpearl's shipping method.
    SourceMethods,
    /// Facilities: the warehouse's, the Brightpearl warehouse.
    Locations,
}

/// What to do with entries that exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Existing {
    /// Leave them.
    Ignore,
    /// Replace them.
    Overwrite,
}

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum Orders {
    /// List them, newest first.
    List {
        /// Only this state.
        #[arg(long)]
        state: Option<String>,
        /// Only those with words that begin so: number, reference, names, address, e-mail, SKU, tracking number.
        #[arg(long)]
        text: Option<String>,
        /// Only this connection (name or id).
        #[arg(long)]
        connection: Option<String>,
        /// Placed at or after, e.g. 2026-01-31T00:00:00Z.
        #[arg(long)]
        placed_from: Option<jiff::Timestamp>,
        /// Placed before.
        #[arg(long)]
        placed_to: Option<jiff::Timestamp>,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one: lines, requests, shipments, effects, and why it is where it is.
    Show(OneOrder),
    /// Why it is where it is, and what to do.
    Explain(OneOrder),
    /// Read it again and plan anew.
    Retry(OneOrder),
    /// Hold it back.
    Hold {
        /// Id or Brightpearl order number.
        order: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let a held order go on.
    Release(OneOrder),
    /// Put it away.
    Archive(OneOrder),
    /// Take an archived one out again.
    Unarchive(OneOrder),
    /// Edit one that has not been sent.
    Edit {
        /// Id or Brightpearl order number.
        order: String,
        /// A JSON file: any of `ship_to`, `ship_method`, `deliver_on`, `notes`, `take_back`; `-` reads standard input.
        file: std::path::PathBuf,
    },
    /// Do the same to many: shows what would happen, and does it with --yes.
    Bulk(super::bulk::Bulk),
    /// How many there are of each state.
    Counts {
        /// Only those with words that begin so.
        #[arg(long)]
        text: Option<String>,
        /// Only this connection (name or id).
        #[arg(long)]
        connection: Option<String>,
    },
    /// Cancel it: not sent, or asked back from the warehouse.
    Cancel {
        /// Id or Brightpearl order number.
        order: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Record what the warehouse said to a cancel or change that came after the order was sent.
    Answer {
        /// Id or Brightpearl order number.
        order: String,
        /// What it said.
        #[arg(value_enum)]
        answer: WarehouseSaid,
        /// Who said so, and how.
        #[arg(long)]
        reason: String,
    },
    /// Cancel it at the warehouse, and send it again as it now stands once the warehouse has accepted that.
    Resend {
        /// Id or Brightpearl order number.
        order: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// What a warehouse says to a cancel or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WarehouseSaid {
    /// It is stopped: nothing will ship.
    Accepted,
    /// It ships as it was sent.
    TooLate,
    /// Some ships, the rest does not.
    Partly,
}

/// One order.
#[derive(Debug, Clone, Args)]
pub struct OneOrder {
    /// Id (`ord_…`) or Brightpearl order number.
    pub order: String,
}

/// What to do with shipments.
#[derive(Debug, Subcommand)]
pub enum Shipments {
    /// List them, newest first.
    List {
        /// Only those with this text in key, reference or tracking.
        #[arg(long)]
        text: Option<String>,
        /// Only this connection (name or id).
        #[arg(long)]
        connection: Option<String>,
        /// Only those that Brightpearl does not know in full yet.
        #[arg(long)]
        open: bool,
        /// Only those that a person is needed for.
        #[arg(long)]
        needs_person: bool,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one.
    Show {
        /// Id (`shp_…`).
        shipment: String,
    },
    /// Decide its next step again.
    Retry {
        /// Id (`shp_…`).
        shipment: String,
    },
}

/// What to do with stock.
#[derive(Debug, Subcommand)]
pub enum Stock {
    /// List runs, newest first.
    Runs {
        /// Name or id.
        connection: String,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a run with its lines.
    Show(OneRun),
    /// Approve a run that waits, or single held lines of the newest run: worked out anew, and what still differs is corrected.
    Approve {
        /// Id (`run_…`).
        run: String,
        /// Only the held line of this SKU of the warehouse, in a run that was acted upon; may be given several times.
        #[arg(long, value_name = "SKU")]
        sku: Vec<String>,
    },
    /// Turn a waiting run down.
    Drop(OneRun),
    /// Take back what a run corrected, and hold its products until you release them.
    Undo {
        /// Id (`run_…`).
        run: String,
        /// Why.
        #[arg(long, required_unless_present = "dry_run")]
        reason: Option<String>,
        /// Only this SKU of the warehouse, even if a later correction has changed it since; may be given several times.
        #[arg(long, value_name = "SKU")]
        sku: Vec<String>,
        /// Show what would be written, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// The products that are held: no count changes their stock.
    Holds(OneConnection),
    /// Let held products go again: the next count writes their stock.
    Release {
        /// Name or id.
        connection: String,
        /// This SKU of the warehouse; may be given several times.
        #[arg(long, value_name = "SKU", required_unless_present = "all")]
        sku: Vec<String>,
        /// All of them.
        #[arg(long, conflicts_with = "sku")]
        all: bool,
    },
    /// The warehouse's latest figures.
    Levels {
        /// Name or id.
        connection: String,
        /// Only SKUs with this text.
        #[arg(long)]
        text: Option<String>,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Run stock as soon as possible.
    Run(OneConnection),
}

/// Options of `drift`.
#[derive(Debug, Clone, Args)]
pub struct Drift {
    /// Name or id.
    pub connection: String,
    /// Only SKUs of the warehouse with this text.
    #[arg(long, value_name = "TEXT")]
    pub sku: Option<String>,
    /// Those that agree as well.
    #[arg(long)]
    pub all: bool,
    /// Most lines; the headline counts all.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub limit: u32,
    /// Where to go on, as the lines before it say.
    #[arg(long)]
    pub cursor: Option<String>,
}

/// One stock run.
#[derive(Debug, Clone, Args)]
pub struct OneRun {
    /// Id (`run_…`).
    pub run: String,
}

/// What to do with effects.
#[derive(Debug, Subcommand)]
pub enum Effects {
    /// List them, newest first.
    List {
        /// Only this state.
        #[arg(long)]
        state: Option<String>,
        /// Only this kind.
        #[arg(long)]
        kind: Option<String>,
        /// Only this connection (name or id).
        #[arg(long)]
        connection: Option<String>,
        /// Only those that need a person.
        #[arg(long)]
        needs_person: bool,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one with its attempts.
    Show(OneEffect),
    /// Why it is where it is, and what to do.
    Explain(OneEffect),
    /// It goes again. From *parked* you say that it is not there.
    Retry(Decision),
    /// It is there: from *parked*, with its number at the remote system.
    Applied {
        /// Id (`eff_…`).
        effect: String,
        /// What it is called at the remote system.
        #[arg(long)]
        reference: String,
        /// Why you know.
        #[arg(long)]
        reason: String,
    },
    /// It is not wanted any more. From *parked* you say that it is not there.
    Void(Decision),
    /// Not now: its order is held back.
    Hold(Decision),
}

/// One effect.
#[derive(Debug, Clone, Args)]
pub struct OneEffect {
    /// Id (`eff_…`).
    pub effect: String,
}

/// A decision on an effect.
#[derive(Debug, Clone, Args)]
pub struct Decision {
    /// Id (`eff_…`).
    pub effect: String,
    /// Why.
    #[arg(long)]
    pub reason: String,
}

/// What to do with exceptions.
#[derive(Debug, Subcommand)]
pub enum Exceptions {
    /// List those that are open.
    List {
        /// Only this connection (name or id).
        #[arg(long)]
        connection: Option<String>,
        /// Those that were dealt with as well.
        #[arg(long)]
        all: bool,
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// What needs somebody, put together by its cause.
    Groups {
        /// Only of this connection (name or id).
        #[arg(long)]
        connection: Option<String>,
    },
    /// Retry everything of one cause.
    Retry {
        /// Id of the group (`grp_…`).
        group: String,
    },
    /// Show the document that one keeps, segment by segment.
    Document {
        /// Id (`exc_…`).
        exception: String,
    },
    /// Show what one keeps of what came in, as it came.
    Content {
        /// Id (`exc_…`).
        exception: String,
    },
    /// Mark one as dealt with.
    Resolve {
        /// Id (`exc_…`).
        exception: String,
    },
}

/// Options of `events`.
#[derive(Debug, Clone, Args)]
pub struct Events {
    /// After the event with this id; without it, from the oldest on (with --follow: from now on).
    #[arg(long)]
    pub after: Option<String>,
    /// Most entries at once.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Go on as they come, until Ctrl-C.
    #[arg(long)]
    pub follow: bool,
}

/// Options of `backup`.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Backup {
    /// File to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Write it to the folder `backups` beside the database.
    #[arg(long)]
    pub keep: bool,
    /// Take none: list those in the folder `backups`.
    #[arg(long)]
    pub list: bool,
    /// Take none: note that one was taken by other means (pg_dump, a snapshot).
    #[arg(long)]
    pub record: bool,
}

/// Options of `restore`.
#[derive(Debug, Clone, Args)]
pub struct Restore {
    /// The backup.
    pub file: PathBuf,
    /// Although a database is there: it is set aside under another name.
    #[arg(long)]
    pub replace: bool,
}

/// Why something is done.
#[derive(Debug, Clone, Args)]
pub struct WithReason {
    /// Why; kept in the audit trail.
    #[arg(long)]
    pub reason: String,
}

/// Options of `recover`.
#[derive(Debug, Clone, Args)]
pub struct Recover {
    /// A moment before which the database surely knew everything: when its backup was taken (UTC, e.g. 2026-03-01T04:00:00Z).
    #[arg(long, value_name = "TIME")]
    pub since: jiff::Timestamp,
    /// Wait until everything is looked up.
    #[arg(long)]
    pub wait: bool,
}

/// Options of `release-sending`.
#[derive(Debug, Clone, Args)]
pub struct Release {
    /// Why; kept in the audit trail.
    #[arg(long)]
    pub reason: String,
    /// Although something of the recovery's window has not been looked up yet; does not help where no window is named.
    #[arg(long)]
    pub force: bool,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List API keys, newest first.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Make an API key; it is shown once.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "read")]
        role: KeyRole,
        /// Only this part of the API, as `orders:read` or `stock:write`; may be given several times.
        #[arg(long = "scope", value_name = "AREA:VERB")]
        scopes: Vec<String>,
        /// Only this merchant (name).
        #[arg(long)]
        merchant: Option<String>,
        /// For the system of this warehouse (name or id): it opens the Warehouse API and nothing else.
        #[arg(long, conflicts_with_all = ["role", "scopes", "merchant"])]
        warehouse: Option<String>,
        /// Days until it ends.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// End an API key at once.
    Revoke {
        /// Id (`key_…`).
        key: String,
    },
    /// Which wrapping key is used, what it wraps, and when it was replaced.
    Wrapping,
    /// Make a new wrapping key and wrap every data key with it.
    Rotate,
}

/// What an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyRole {
    /// Everything, keys and configuration included.
    Admin,
    /// Orders, shipments, stock, effects, mappings.
    Staff,
    /// Look.
    Read,
}

/// What to do with X12 documents.
#[derive(Debug, Subcommand)]
pub enum X12 {
    /// Show a file segment by segment, with what elements and codes mean and what is wrong. Reads the file and nothing else.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// Which stand-in.
#[derive(Debug, Subcommand)]
pub enum Simulate {
    /// Brightpearl's HTTP API.
    Brightpearl {
        /// Port; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Account code.
        #[arg(long, default_value = "exampleeu")]
        account: String,
        /// Divides its waits.
        #[arg(long, default_value_t = 1)]
        time_factor: u32,
        /// Orders at the start.
        #[arg(long)]
        orders: Option<u32>,
    },
    /// A warehouse that reads and writes CSV files in a folder.
    Dsfx {
        /// The folder; made where it is missing.
        folder: PathBuf,
        /// Seconds between looks.
        #[arg(long, default_value_t = 2)]
        every: u64,
        /// What lies on its shelves: a CSV file of SKU and units, without a heading. Orders for other SKUs are refused.
        #[arg(long, value_name = "FILE")]
        stock: Option<PathBuf>,
    },
    /// Extensiv 3PL Warehouse Manager.
    Extensiv {
        /// Port; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Divides its waits.
        #[arg(long, default_value_t = 1)]
        time_factor: u32,
    },
    /// Mintsoft.
    Mintsoft {
        /// Port; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Divides its waits.
        #[arg(long, default_value_t = 1)]
        time_factor: u32,
    },
    /// ShipHero.
    Shiphero {
        /// Port; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Divides its waits.
        #[arg(long, default_value_t = 1)]
        time_factor: u32,
    },
}
