//! What people and programs can do, once: the command line and the API are two ways of asking for it.
//!
//! Every operation takes the [`Caller`] and touches only what that caller may see; what it may not see does not exist for it.

pub mod activity;
pub mod alert_channels;
pub mod alerts;
pub mod archive;
pub mod backup;
pub mod backups;
pub mod bulk;
pub mod census;
pub mod check;
pub mod connections;
pub mod deliveries;
pub mod demo;
pub mod desk;
pub mod documents;
pub mod drafts;
pub mod drift;
pub mod effects;
pub mod endpoints;
pub mod erasure;
pub mod exceptions;
pub mod explain;
pub mod exports;
mod failure;
pub mod file;
pub mod findings;
pub mod groups;
pub mod hand_offs;
pub mod keys;
pub mod layouts;
pub mod links;
mod mailing;
pub mod mappings;
pub mod mappings_csv;
pub mod oauth;
pub mod order_edits;
pub mod orders;
pub mod outlets;
pub mod overview;
mod paging;
pub mod people;
pub mod preflight;
pub mod provider;
pub mod races;
pub mod removal;
pub mod safety;
pub mod schedules;
pub mod scopes;
pub mod second_factor;
pub mod setup;
pub mod shipments;
pub mod sign_in;
pub mod stock;
pub mod switches;
mod tar;
pub mod tenants;
pub mod undo;
pub mod verification;
pub mod webhooks;
pub mod wrapping_key;

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use connect::{Id, IdKind, MerchantId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    accounts::hashing::Hashing,
    config::Config,
    db::{Access, Database, Event, Scope},
    seal::{KeySource, Keyring, SealError},
    worker::{Seams, Workers},
};

pub use failure::{Failure, FailureKind, Problem, platforms};
pub use scopes::KeyScopes;
pub use setup::init;

/// What operations work with.
pub struct Hub {
    /// The operator's settings.
    pub config: Config,
    /// What is kept.
    pub db: Database,
    /// Opens secrets.
    pub keyring: Keyring,
    /// Hashes people's passwords.
    pub hashing: Hashing,
    /// Held while a backup is taken on request: one at a time.
    pub backing_up: tokio::sync::Mutex<()>,
    /// Connections, running here or built for one look.
    pub workers: Arc<Workers>,
    /// Time, randomness, network, files.
    pub seams: Seams,
}

impl Hub {
    /// Opens the database and the keys of an installation.
    ///
    /// # Errors
    /// When there is no key, or the database cannot be opened; the remedy says what to do.
    pub async fn open(config: Config, seams: Seams) -> Result<Arc<Self>, Failure> {
        // First, so that nothing is made where there is no installation.
        let keyring = load_keys(&config)?;
        let db = Database::open(&config.database_config(&seams)).await.map_err(|error| {
            Failure { kind: FailureKind::Setup, ..Failure::from(error) }.remedy(format!(
                "Check that {} is right, that it may be written, and that there is room; `millrace init` makes a new \
                 installation.",
                without_password(&config.database)
            ))
        })?;
        let workers = Workers::new(db.clone(), keyring.clone(), seams.clone(), config.waits, config.node.clone());
        let hashing = Hashing::new(Arc::clone(&seams.random));
        Ok(Arc::new(Self {
            config,
            db,
            keyring,
            hashing,
            backing_up: tokio::sync::Mutex::new(()),
            workers: Arc::new(workers),
            seams,
        }))
    }
}

fn load_keys(config: &Config) -> Result<Keyring, Failure> {
    Keyring::load(&KeySource::EnvironmentOr(config.key_file.clone())).map_err(|error| {
        let remedy = match &error {
            SealError::NoKey => format!(
                "Run `millrace init` to make a new installation, or bring back the key file {} (or MILLRACE_KEY) of this one.",
                config.key_file.display()
            ),
            _ => format!("Correct the key file {} (or MILLRACE_KEY).", config.key_file.display()),
        };
        Failure::new(FailureKind::Setup, error.to_string()).remedy(remedy)
    })
}

/// A database address as it may be shown.
pub fn without_password(address: &str) -> String {
    match url::Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            // Refused for addresses that cannot have one, which then have none to hide.
            let _ = url.set_password(Some("…"));
            url.to_string()
        }
        _ => address.to_owned(),
    }
}

/// What a caller may do; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Read,
    /// Orders, shipments, stock, effects, mappings, switches.
    Staff,
    /// Everything: keys, accounts, configuration, audit.
    Admin,
}

impl Role {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Staff => "staff",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        [Self::Read, Self::Staff, Self::Admin].into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            Failure::invalid(format!("{text:?} is not a role; there are: admin, staff, read"), Vec::new())
        })
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// As the audit trail names it.
    pub actor: String,
    /// What it may do.
    pub role: Role,
    /// Whose data it sees.
    pub tenant: TenantId,
    /// Limited to these brands; `None`: all of the tenant's.
    pub merchants: Option<BTreeSet<MerchantId>>,
    /// The parts of the API it is limited to; people and the command line are limited to none.
    pub scopes: KeyScopes,
    /// It administers the installation.
    pub installation: bool,
    /// The person, where one signed in; keys and the command line are nobody.
    pub signed_in: Option<SignedIn>,
}

/// A person who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The tenant the person belongs to; an administrator of the installation may work in another.
    pub tenant: TenantId,
    /// `per_…`.
    pub person: String,
    /// `ses_…`.
    pub session: String,
    /// When the password was last given.
    pub proved_at: Timestamp,
    /// An identity provider said that it asked for several factors.
    pub several_factors: bool,
    /// The operator asks them for a second factor, and they have none: they may set one up, and nothing else.
    pub owes_factor: bool,
}

/// So long after the password was given, somebody may do what needs it. After that it may be another person at the keyboard.
pub const PROOF: SignedDuration = SignedDuration::from_mins(10);

impl Caller {
    /// Refuses unless the caller may do so much.
    ///
    /// # Errors
    /// [`FailureKind::Forbidden`].
    pub fn needs(&self, role: Role) -> Result<(), Failure> {
        if self.role >= role {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Forbidden,
            format!("this needs the role {}, and yours is {}", role.as_str(), self.role.as_str()),
        ))
    }

    /// Refuses unless the caller may administer its whole tenant.
    ///
    /// # Errors
    /// [`FailureKind::Forbidden`].
    pub fn administers(&self) -> Result<(), Failure> {
        self.needs(Role::Admin)?;
        if self.merchants.is_some() {
            return Err(Failure::new(
                FailureKind::Forbidden,
                "this needs rights for the whole tenant, not for one merchant",
            ));
        }
        Ok(())
    }

    /// Refuses unless the caller administers the installation; `why` says what is only for those who do.
    ///
    /// # Errors
    /// [`FailureKind::Forbidden`].
    pub fn operates(&self, why: &str) -> Result<(), Failure> {
        self.needs(Role::Admin)?;
        if self.installation { Ok(()) } else { Err(Failure::new(FailureKind::Forbidden, why)) }
    }

    /// Refuses where a person signed in, and gave the password too long ago: for credentials, keys, people, stock and the
    /// release of sending (security control 27). Keys and the command line prove themselves with each call.
    ///
    /// # Errors
    /// [`FailureKind::Proof`].
    pub fn proves(&self, hub: &Hub) -> Result<(), Failure> {
        match &self.signed_in {
            Some(person) if hub.seams.clock.now().duration_since(person.proved_at) >= PROOF => Err(Failure::new(
                FailureKind::Proof,
                format!("this needs your password, given within the last {} minutes", PROOF.as_mins()),
            )),
            _ => Ok(()),
        }
    }

    /// The person.
    ///
    /// # Errors
    /// [`FailureKind::Forbidden`] for keys and the command line.
    pub fn person(&self) -> Result<&SignedIn, Failure> {
        self.signed_in.as_ref().ok_or_else(|| {
            Failure::new(FailureKind::Forbidden, "this is for people who signed in, and a key is nobody")
                .remedy("Sign in (`POST /session`).")
        })
    }

    /// The rows it may see.
    pub fn access(&self) -> Access {
        let Some(merchants) = &self.merchants else { return Access::Tenant(self.tenant.clone()) };
        match merchants.first() {
            Some(only) if merchants.len() == 1 => {
                Access::Merchant(Scope { tenant: self.tenant.clone(), merchant: only.clone() })
            }
            _ => Access::Merchants(self.tenant.clone(), merchants.clone()),
        }
    }

    /// Whether it may see this brand.
    pub fn sees(&self, merchant: &MerchantId) -> bool {
        self.merchants.as_ref().is_none_or(|own| own.contains(merchant))
    }
}

/// An id as given. What is no id of the kind does not exist.
fn id<K: IdKind>(text: &str) -> Result<Id<K>, Failure> {
    text.parse().map_err(|_| Failure::not_found(quoted(text)))
}

/// What somebody named, short and in quotes, for messages.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PageOut<T> {
    /// Its entries.
    pub items: Vec<T>,
    /// Give it as `cursor` to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How much of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PagingQuery {
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

impl PagingQuery {
    /// Within its bounds.
    pub fn limit(&self) -> u32 {
        limit(self.limit)
    }

    /// How much of a list that is put together as a whole: at most so many, and after which cursor.
    fn asked(&self) -> (usize, Option<&str>) {
        (entries(self.limit), self.cursor.as_deref())
    }
}

/// Entries of one page.
fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(50).clamp(1, 500)
}

/// The same, of what is in memory.
fn entries(asked: Option<u32>) -> usize {
    usize::try_from(limit(asked)).unwrap_or(50)
}

/// Why somebody does something.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonIn {
    /// In a few words; kept in the audit trail.
    pub reason: String,
}

/// A reason that says something.
fn reason(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 500 {
        return Err(Failure::invalid(
            "a reason is needed, of at most 500 characters",
            vec![Problem::new("reason", "say why, in a few words")],
        ));
    }
    Ok(text)
}

/// Something that changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventOut {
    /// Its id, `evt_…`.
    pub id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: jiff::Timestamp,
    /// `order`, `shipment`, `effect`, `channel`, `run`, `connection`, `merchant`, `store`, `warehouse`, `exception`, `census`,
    /// `finding`, `safety`, `alert`, `preflight`, `desk`.
    pub what: String,
    /// Its id.
    pub subject: String,
    /// What happened, in one word or state.
    pub change: String,
    /// Whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
}

impl From<Event> for EventOut {
    fn from(event: Event) -> Self {
        let Event { id, number: _, at, what, subject, change, merchant } = event;
        let (id, merchant) = (id.to_string(), merchant.map(|merchant| merchant.to_string()));
        Self { id, at, what, subject, change, merchant }
    }
}
