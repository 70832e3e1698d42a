//! The configuration of one tenant as a TOML file: what may be written in it, and reading it.
//!
//! Reading touches neither the network nor the database. Every unknown key is an error that names its line.

mod apply;
mod compare;
mod differences;
mod export;
mod model;
mod resolve;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use connect::{Secret, TenantId};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use toml::Spanned;
use toml_parser::lexer::TokenKind;

use super::{Failure, Hub, Problem};
use crate::db::DbError;

pub use apply::apply;
pub use compare::{Action, Change, Plan, plan};
pub use differences::Difference;
pub use export::export;
pub use model::{
    BrakesIn, ChannelIn, ChannelsIn, ConnectionSettingsIn, KitIn, LocationRow, MappingsIn, NameOrId, ShipMethodIn,
    ShipMethodRow, StockSettingsIn,
};
pub use resolve::{Names, settings as resolve_settings, ship_method, warehouse};

/// A configuration file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Which tenant it is for; the caller's own where it is not given.
    pub tenant: Option<TenantIn>,
    /// Brands.
    #[serde(default, rename = "merchant")]
    pub merchants: Vec<MerchantIn>,
    /// Order sources.
    #[serde(default, rename = "store")]
    pub stores: Vec<EndpointIn>,
    /// Systems that ship.
    #[serde(default, rename = "warehouse")]
    pub warehouses: Vec<EndpointIn>,
    /// What is connected with what.
    #[serde(default, rename = "connection")]
    pub connections: Vec<ConnectionIn>,
}

/// The tenant of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantIn {
    /// Its name.
    pub name: Spanned<String>,
}

/// A merchant of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantIn {
    /// Its name, unique in the tenant.
    pub name: Spanned<String>,
}

/// A store or a warehouse of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointIn {
    /// Its name, unique in the tenant.
    pub name: Spanned<String>,
    /// Whose it is.
    pub merchant: Spanned<String>,
    /// The connector's name.
    pub platform: Spanned<String>,
    /// Plain settings.
    #[serde(default)]
    pub settings: BTreeMap<Spanned<String>, Scalar>,
    /// Where its secrets are.
    #[serde(default)]
    pub secrets: BTreeMap<Spanned<String>, SecretRef>,
}

/// A connection of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionIn {
    /// Its name, unique in the tenant.
    pub name: Spanned<String>,
    /// Whose it is.
    pub merchant: Spanned<String>,
    /// Name of the store.
    pub store: Spanned<String>,
    /// Name of the warehouse.
    pub warehouse: Spanned<String>,
    /// Switched on. Left as it is where not given; a new connection starts switched off.
    pub enabled: Option<bool>,
    /// What the person chooses.
    #[serde(default)]
    pub settings: ConnectionSettingsIn,
    /// Its flows; those not given are left as they are.
    #[serde(default)]
    pub channels: ChannelsIn,
    /// Its translation tables; those not given are left as they are.
    #[serde(default)]
    pub mappings: MappingsIn,
}

/// A plain setting: text, whole number or switch, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl Visitor<'_> for Plain {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true or false")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Plain)
    }
}

/// Where a secret is. A secret itself is never written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file; a line end behind it is not part of it.
    File(PathBuf),
}

impl SecretRef {
    /// The secret.
    ///
    /// # Errors
    /// When it is not there: what to provide. Never the secret itself.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set (or not text)"))?
            }
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?,
        };
        // Only the line end that editors add: a password may end with a space.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Secret::new(text))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            env: Option<String>,
            file: Option<PathBuf>,
        }
        struct Reference;
        impl<'de> Visitor<'de> for Reference {
            type Value = SecretRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where the secret is: { env = \"NAME\" } or { file = \"/path\" }")
            }
            // Said here, because the usual words for a wrong type would quote the secret.
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom("a secret is not written in the file; give { env = \"NAME\" } or { file = \"/path\" }"))
            }
            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretRef, E> {
                self.visit_str("")
            }
            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretRef, E> {
                self.visit_str("")
            }
            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<SecretRef, E> {
                self.visit_str("")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretRef, A::Error> {
                let table = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                match (table.env, table.file) {
                    (Some(env), None) => Ok(SecretRef::Env(env)),
                    (None, Some(file)) => Ok(SecretRef::File(file)),
                    _ => Err(A::Error::custom("give either env or file")),
                }
            }
        }
        deserializer.deserialize_any(Reference)
    }
}

/// Where a configuration came from, which decides what it may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file on this machine, given by its operator; paths in it are relative to this folder.
    Folder(PathBuf),
    /// Over the network: it may not name files or variables of this machine. Its secrets stay as they are.
    Remote,
}

/// A file with where its lines begin.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub file: File,
    /// Where it came from.
    pub origin: Origin,
    lines: Vec<usize>,
    name: String,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is not a configuration; the line is named.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::invalid(format!("{} cannot be read: {error}", path.display()), Vec::new())
                .remedy("Check the path and that the file may be read.")
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        Self::parse(&text, &path.display().to_string(), Origin::Folder(folder))
    }

    /// Reads a text; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn parse(text: &str, name: &str, origin: Origin) -> Result<Self, Failure> {
        let lines: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect();
        if let Some(offset) = too_deep(text) {
            let at = place(&lines, name, offset);
            let why = format!("more than {DEEPEST} brackets are open inside each other");
            return Err(Failure::invalid(format!("{at}: {why}"), vec![Problem::new(at, why)])
                .remedy("Close what was opened before; docs/configuration.md lists every key."));
        }
        match toml::from_str::<File>(text) {
            Ok(file) => Ok(Self { file, origin, lines, name: name.to_owned() }),
            Err(error) => {
                // The parser's own rendering shows the line, which may hold what should not be shown.
                let at = error.span().map_or_else(|| name.to_owned(), |span| place(&lines, name, span.start));
                Err(Failure::invalid(
                    format!("{at}: {}", error.message()),
                    vec![Problem::new(at, error.message().to_owned())],
                )
                .remedy("Correct the file; docs/configuration.md lists every key."))
            }
        }
    }

    /// `file:line` of a spanned value.
    pub fn at<T>(&self, value: &Spanned<T>) -> String {
        place(&self.lines, &self.name, value.span().start)
    }
}

/// The tenant a file is for. With `create` it is made where it is missing; without, a missing one is as good as empty.
///
/// # Errors
/// When the database cannot be reached.
pub async fn tenant(hub: &Hub, named: &str, create: bool) -> Result<TenantId, Failure> {
    match hub.db.tenant_by_name(named).await {
        Err(DbError::NotFound(_)) if create => Ok(hub.db.create_tenant(named).await?),
        Err(DbError::NotFound(_)) => Ok(TenantId::generate(hub.seams.clock.now(), &*hub.seams.random)),
        found => Ok(found?),
    }
}

/// Brackets that may be open inside each other; what people write has a handful.
const DEEPEST: usize = 32;

/// Where more brackets are open than a file may have. The parser calls itself for each, also while it reads on behind a fault, where it
/// does not count them: a short text could exhaust the stack, and end the program.
fn too_deep(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    for token in toml_parser::Source::new(text).lex() {
        let opened_by = match token.kind() {
            kind @ (TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket) => {
                open.push(kind);
                if open.len() > DEEPEST {
                    return Some(token.span().start());
                }
                continue;
            }
            TokenKind::RightSquareBracket => TokenKind::LeftSquareBracket,
            TokenKind::RightCurlyBracket => TokenKind::LeftCurlyBracket,
            _ => continue,
        };
        // One that closes nothing is a fault, and the parser stays where it is.
        if open.last() == Some(&opened_by) {
            open.pop();
        }
    }
    None
}

fn place(lines: &[usize], name: &str, offset: usize) -> String {
    let line = lines.partition_point(|start| *start <= offset);
    format!("{name}:{}", line.max(1))
}

#[cfg(test)]
mod tests {
    use super::{Document, Origin};

    /// On as little stack as a worker has: a file that is nothing but depth is refused with its line, and ends nothing.
    #[test]
    fn depth_is_refused() {
        for unit in ["[", "{", "{a", "{a=", "{a={a", "[{a]", "{a]", "[a}", "a.", "[a.", "[[a."] {
            for before in ["", "[tenant]\nname = ", "x = ["] {
                for after in ["", "\n", "= 1\n", "a = 1"] {
                    let text = format!("{before}{}{after}", unit.repeat(100_000));
                    let read = Document::parse(&text, "millrace.toml", Origin::Remote);
                    let failure = read.expect_err("it is no configuration");
                    assert!(failure.detail.starts_with("millrace.toml"), "{unit}: {}", failure.detail);
                }
            }
        }
        let text = "[tenant]\nname = \"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"\n";
        Document::parse(text, "millrace.toml", Origin::Remote).expect("brackets in words open nothing");
    }
}
