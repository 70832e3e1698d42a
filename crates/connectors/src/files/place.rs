//! The settings of where files are exchanged, the same in every exchange of files.

use std::path::{Path, PathBuf};

use connect::{Clock, Field, FieldKind, FileLocation, Settings, SettingsError};
use jiff::tz::TimeZone;

/// A setting that need not be given.
pub(crate) const fn field(
    name: &'static str,
    title: &'static str,
    kind: FieldKind,
    default: Option<&'static str>,
    help: &'static str,
) -> Field {
    Field { name, title, help, kind, required: false, default }
}

pub(crate) const TRANSPORT: Field = field(
    "transport",
    "Transport",
    FieldKind::Choice(&[("folder", "Folder on this machine"), ("sftp", "SFTP server")]),
    Some("sftp"),
    "How files get to the warehouse and back.",
);
pub(crate) const FOLDER: Field = field(
    "folder",
    "Folder",
    // A folder of the hub's own machine: a tenant who could choose it could read what others keep there.
    FieldKind::Operator,
    None,
    "Folder on this machine that holds a folder for orders (in) and one for shipments and stock (out). Set by the operator.",
);
pub(crate) const HOST: Field = field("host", "SFTP host", FieldKind::Text, None, "Name or address of the SFTP server.");
pub(crate) const PORT: Field = field("port", "SFTP port", FieldKind::Integer, Some("22"), "Port of the SFTP server.");
pub(crate) const USER: Field =
    field("user", "SFTP user", FieldKind::Text, None, "Login name. Each merchant needs one of its own.");
pub(crate) const PASSWORD: Field =
    field("password", "SFTP password", FieldKind::Secret, None, "Not needed with a private key.");
pub(crate) const PRIVATE_KEY: Field = field(
    "private_key",
    "SFTP private key",
    FieldKind::LongSecret,
    None,
    "The whole text of a private key in OpenSSH or PEM form, without a passphrase. Better than a password.",
);
pub(crate) const HOST_KEY: Field = field(
    "host_key",
    "SFTP host key",
    FieldKind::Learned,
    None,
    "Fingerprint of the server's key (SHA256:…). The test of the settings shows it; compare it with what the server's \
     owner tells you. When the key changes later, the exchange stops.",
);
pub(crate) const ROOT: Field = field(
    "root",
    "SFTP root",
    FieldKind::Text,
    None,
    "Folder on the server that holds a folder for orders (in) and one for shipments and stock (out); empty: the login folder.",
);
pub(crate) const IN_FOLDER: Field = field(
    "in_folder",
    "Folder for orders",
    FieldKind::Text,
    Some("in"),
    "Where the warehouse reads, seen from the root. Letter case counts.",
);
pub(crate) const OUT_FOLDER: Field = field(
    "out_folder",
    "Folder for shipments and stock",
    FieldKind::Text,
    Some("out"),
    "Where the warehouse writes, seen from the root.",
);
pub(crate) const ORDERS_PER_FILE: Field =
    field("orders_per_file", "Orders per file", FieldKind::Integer, Some("50"), "Most orders in one file, 1 to 1000.");
pub(crate) const AFTER_READING: Field = field(
    "after_reading",
    "After reading",
    FieldKind::Choice(&[("archive", "Move to archive/ and rejected/"), ("keep", "Leave where they are")]),
    Some("archive"),
    "What becomes of files that were taken in.",
);
pub(crate) const TIME_ZONE: Field =
    field("time_zone", "Time zone", FieldKind::Text, Some("UTC"), "Zone of times that name none, e.g. Europe/London.");

/// The settings that say to which server the password and the key go.
pub(crate) const DESTINATION: &[&str] = &[HOST.name, PORT.name];

/// What [`ORDERS_PER_FILE`] says.
///
/// # Errors
/// When it is not within its bounds.
pub(crate) fn orders_per_file(settings: &Settings, fields: &[Field]) -> Result<usize, SettingsError> {
    let given = settings.require(fields, ORDERS_PER_FILE.name)?;
    given
        .parse::<usize>()
        .ok()
        .filter(|number| (1..=1000).contains(number))
        .ok_or_else(|| SettingsError::field(ORDERS_PER_FILE.name, "must be a whole number from 1 to 1000"))
}

/// The same settings for a place that does not matter: for looking at what is exchanged there.
pub(crate) fn anywhere(settings: &Settings) -> Settings {
    let mut values = settings.values.clone();
    for field in [TRANSPORT, FOLDER, HOST, PORT, USER, HOST_KEY, ROOT] {
        values.remove(field.name);
    }
    values.insert(TRANSPORT.name.to_owned(), "folder".to_owned());
    values.insert(FOLDER.name.to_owned(), "/".to_owned());
    Settings { values, ..Settings::default() }
}

/// Where files are exchanged.
pub(crate) struct Place {
    pub(crate) location: FileLocation,
    /// Names the place in what is kept, so that work begun in one place is not judged by another.
    pub(crate) place: String,
    pub(crate) in_folder: String,
    pub(crate) out_folder: String,
    /// Whether files that were read are moved away.
    pub(crate) archive: bool,
    /// Of times that name none.
    pub(crate) zone: TimeZone,
}

impl Place {
    /// What the settings above say.
    ///
    /// # Errors
    /// The first that is wrong.
    pub(crate) fn of(settings: &Settings, fields: &[Field]) -> Result<Self, SettingsError> {
        let text = |name: &str| settings.get(fields, name);
        let given = |name: &str| settings.require(fields, name);
        let number = |name: &str, least: i64, most: i64| {
            given(name)?
                .parse::<i64>()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| SettingsError::field(name, format!("must be a whole number from {least} to {most}")))
        };
        let (location, place) = match given("transport")?.as_str() {
            "folder" => {
                let folder = given("folder")?;
                if !Path::new(&folder).is_absolute() {
                    return Err(SettingsError::field("folder", "must be a whole path, beginning with /"));
                }
                (FileLocation::Folder(PathBuf::from(&folder)), folder)
            }
            _ => {
                let (host, user) = (given("host")?, given("user")?);
                if host.contains('/') {
                    return Err(SettingsError::field(
                        "host",
                        "must be the name or address alone, without sftp:// and what follows it",
                    ));
                }
                let port = u16::try_from(number("port", 1, i64::from(u16::MAX))?).unwrap_or(22);
                let root = text("root").unwrap_or_default();
                let (password, private_key) = (settings.secret("password"), settings.secret("private_key"));
                if password.is_none() && private_key.is_none() {
                    return Err(SettingsError::field("private_key", "give a private key or a password"));
                }
                let place = format!("sftp://{user}@{host}:{port}/{root}");
                let host_key = text("host_key");
                (FileLocation::Sftp { host, port, user, password, private_key, host_key, root }, place)
            }
        };
        let folder = |name: &str| {
            let folder = given(name)?.trim_matches('/').to_owned();
            let inside = folder.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
            if inside && !folder.contains(['\\', '\0']) {
                Ok(folder)
            } else {
                Err(SettingsError::field(name, "must be a folder below the root, without .."))
            }
        };
        let (in_folder, out_folder) = (folder("in_folder")?, folder("out_folder")?);
        if in_folder == out_folder {
            return Err(SettingsError::field("out_folder", "must differ from the folder for orders"));
        }
        let archive = given("after_reading")? == "archive";
        let zone = TimeZone::get(&given("time_zone")?).map_err(|_| {
            SettingsError::field(
                "time_zone",
                "is not a time zone; give a name such as Europe/London or America/New_York",
            )
        })?;
        Ok(Self { location, place, in_folder, out_folder, archive, zone })
    }

    /// The folder that is read, as [`connect::Warehouse::takes_from`] names it.
    pub(crate) fn takes_from(&self) -> String {
        format!("{}/{}", self.place.trim_end_matches('/'), self.out_folder)
    }

    /// Whether a host key is needed and not agreed yet.
    pub(crate) fn host_key_missing(&self) -> bool {
        matches!(&self.location, FileLocation::Sftp { host_key: None, .. })
    }

    /// Ours, to compare theirs with; `None` for a folder of this machine.
    pub(crate) fn their_clock<'a>(&self, ours: &'a dyn Clock) -> Option<&'a dyn Clock> {
        matches!(&self.location, FileLocation::Sftp { .. }).then_some(ours)
    }
}
