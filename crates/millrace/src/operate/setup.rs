//! A new installation and its tenants.

use std::{fs, io, path::Path};

use connect::TenantId;
use serde::Serialize;

use super::{
    Failure, FailureKind, Hub, Role, keys,
    wrapping_key::{cannot, write_new},
};
use crate::{
    config::Config,
    db::{Database, NewApiKey, TenantRecord},
    seal::{KeySource, Keyring, VARIABLE},
    worker::Seams,
};

/// What the first tenant is called.
pub const FIRST_TENANT: &str = "default";

/// A new installation.
#[derive(Serialize)]
pub struct InstalledOut {
    /// Where its database is.
    pub database: String,
    /// Where its wrapping key is; absent when the environment holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// Its first tenant.
    pub tenant: String,
    /// The administrator's API key: shown this once, kept as a hash only.
    pub administrator_key: String,
}

/// Makes a new installation: folder, wrapping key, database, one tenant, one administrator key.
///
/// # Errors
/// When there is one already: nothing of it is touched.
pub async fn init(config: &Config, seams: &Seams) -> Result<InstalledOut, Failure> {
    let from_environment = std::env::var(VARIABLE).is_ok_and(|text| !text.is_empty());
    let exists = |what: &Path| {
        Failure::conflict(format!("{} exists already: there is an installation here", what.display()))
            .remedy("Start it with `millrace serve`, or choose another folder with --data. Nothing was changed.")
    };
    let file = config.database.strip_prefix("sqlite:").map(Path::new);
    if let Some(file) = file.filter(|file| file.exists()) {
        return Err(exists(file));
    }
    for folder in [config.key_file.parent(), file.and_then(Path::parent)].into_iter().flatten() {
        create_private_folder(folder).map_err(|error| cannot(folder, &error))?;
    }
    if from_environment {
        // Refused now rather than at the first start.
        Keyring::load(&KeySource::EnvironmentOr(config.key_file.clone()))
            .map_err(|error| Failure::new(FailureKind::Setup, error.to_string()))?;
    } else {
        let line = Keyring::generate(&*seams.random);
        match write_new(&config.key_file, line.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(&config.key_file)),
            written => written.map_err(|error| cannot(&config.key_file, &error))?,
        }
    }
    let made = fill(config, seams).await;
    if made.is_err() && !from_environment {
        // Without a database the key protects nothing, and it would stand in the way of the next try.
        let _ = fs::remove_file(&config.key_file);
    }
    let administrator_key = made?;
    Ok(InstalledOut {
        database: super::without_password(&config.database),
        key_file: (!from_environment).then(|| config.key_file.display().to_string()),
        tenant: FIRST_TENANT.to_owned(),
        administrator_key,
    })
}

async fn fill(config: &Config, seams: &Seams) -> Result<String, Failure> {
    let db = Database::open(&config.database_config(seams)).await.map_err(|error| {
        Failure { kind: FailureKind::Setup, ..Failure::from(error) }
            .remedy("Check the database's address, its rights and its room.")
    })?;
    if !db.tenants().await?.is_empty() {
        return Err(Failure::conflict("the database holds an installation already")
            .remedy("Use its own key file, or give another database. Nothing was changed."));
    }
    db.create_tenant(FIRST_TENANT).await?;
    let key = keys::generate(&*seams.random);
    let new = NewApiKey {
        tenant: None,
        name: "first administrator".to_owned(),
        hash: keys::hash(&key),
        role: Role::Admin.as_str().to_owned(),
        scopes: String::new(),
        merchant: None,
        warehouse: None,
        expires_at: None,
    };
    db.create_api_key(new, "millrace init").await?;
    db.close().await;
    Ok(key)
}

fn create_private_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The tenant of this name or id; without one, the only tenant there is.
///
/// # Errors
/// When there is none of this name, or several and none was named.
pub async fn tenant(hub: &Hub, named: Option<&str>) -> Result<TenantId, Failure> {
    among(hub.db.tenants().await?, named)
}

/// The same among those that were read.
pub(super) fn among(tenants: Vec<TenantRecord>, named: Option<&str>) -> Result<TenantId, Failure> {
    if let Some(named) = named {
        let found = tenants.into_iter().find(|tenant| tenant.name == named || tenant.id.as_str() == named);
        return found
            .map(|tenant| tenant.id)
            .ok_or_else(|| Failure::not_found(format!("tenant {}", super::quoted(named))));
    }
    let mut tenants = tenants.into_iter();
    match (tenants.next(), tenants.next()) {
        (Some(only), None) => Ok(only.id),
        (None, _) => {
            Err(Failure::new(FailureKind::Setup, "the database holds no tenant").remedy("Run `millrace init`."))
        }
        _ => Err(Failure::invalid("there are several tenants, and none was named", Vec::new())
            .remedy("Name one: --tenant NAME, or the header Millrace-Tenant.")),
    }
}
