//! What the operator decides when the program starts.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc};

use connect::{Secret, Waits};

use crate::{
    accounts::{allowance, demand::SecondFactor},
    db::DatabaseConfig,
    node,
    notify::mail::MailSettings,
    operate::demo::DemoLink,
    serving::Patience,
    tls::TlsFiles,
    worker::Seams,
};

/// Which parts of the program run in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Web pages and API.
    pub web: bool,
    /// Flows and journal.
    pub workers: bool,
}

impl Default for Roles {
    fn default() -> Self {
        Self { web: true, workers: true }
    }
}

/// An identity provider (OpenID Connect) at which people can sign in, and this installation's client there.
#[derive(Clone)]
pub struct Provider {
    /// What it calls itself, letter by letter; its description is found below it.
    pub issuer: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// What people call it.
    pub name: String,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// The operator's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the web role listens. Loopback unless the operator says otherwise.
    pub listen: SocketAddr,
    /// `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// PostgreSQL: the address of the tables' owner, who brings them up to date; the login of `database` then owns nothing.
    pub database_owner: Option<String>,
    /// File that holds the wrapping key; the environment variable `MILLRACE_KEY` takes its place when set.
    pub key_file: PathBuf,
    /// The address under which the world reaches this installation, for webhooks; without it every channel polls only.
    pub public_url: Option<url::Url>,
    /// What runs here.
    pub roles: Roles,
    /// Name of this node, for leases; unique among nodes on one database.
    pub node: String,
    /// The contract's waits.
    pub waits: Waits,
    /// The operator declares that the database's replicas have every commit before it is reported: a promoted one is trusted.
    pub synchronous_replication: bool,
    /// Whether settings marked *operator* (addresses of stand-ins) may be given.
    pub allow_stand_ins: bool,
    /// Networks that are not public and may be dialled all the same.
    pub private_networks: Vec<connect::Network>,
    /// Ports that may be dialled beside the usual ones.
    pub outbound_ports: Vec<u16>,
    /// Certificate and key, where the web role speaks TLS itself.
    pub tls: Option<TlsFiles>,
    /// How long clients of the web role may take.
    pub patience: Patience,
    /// Requests a minute that an API key, or a person who signed in, may make at this node; without it nobody counts them.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Who has to have a second factor.
    pub second_factor: SecondFactor,
    /// Where people can sign in besides.
    pub provider: Option<Provider>,
    /// Where e-mail is handed over; without it alert channels of this kind take nothing.
    pub mail: Option<MailSettings>,
    /// The link by which a demo signs its own person in. `millrace demo` sets it, and nothing else can.
    pub demo: Option<Arc<DemoLink>>,
}

impl Config {
    /// How the database is opened.
    pub fn database_config(&self, seams: &Seams) -> DatabaseConfig {
        DatabaseConfig {
            owner: self.database_owner.clone(),
            clock: Arc::clone(&seams.clock),
            random: Arc::clone(&seams.random),
            ..DatabaseConfig::new(&self.database)
        }
    }

    /// What decides which addresses are dialled.
    pub fn guard(&self) -> connect::Guard {
        connect::Guard::new(&self.private_networks, &self.outbound_ports, self.allow_stand_ins)
    }

    /// With everything in one folder, as `init` lays it out.
    pub fn in_folder(folder: &std::path::Path) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            database: format!("sqlite:{}", folder.join("millrace.db").display()),
            database_owner: None,
            key_file: folder.join("millrace.key"),
            public_url: None,
            roles: Roles::default(),
            node: node::name(),
            waits: Waits::default(),
            allow_stand_ins: false,
            private_networks: Vec::new(),
            outbound_ports: Vec::new(),
            tls: None,
            patience: Patience::default(),
            requests_per_minute: Some(allowance::USUAL),
            second_factor: SecondFactor::default(),
            mail: None,
            demo: None,
            provider: None,
            synchronous_replication: false,
        }
    }

    /// The file beside the key that follows the journal: see [`crate::witness`].
    pub fn witness_file(&self) -> PathBuf {
        self.key_file.with_extension("epoch")
    }

    /// The database's file, where it is one.
    pub fn database_file(&self) -> Option<&std::path::Path> {
        let path = self.database.strip_prefix("sqlite:")?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Some(std::path::Path::new(path.strip_prefix("//").unwrap_or(path)))
    }
}
