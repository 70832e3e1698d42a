//! The settings of an Odoo warehouse.

use connect::{Field, FieldKind, Secret, Settings, SettingsError};
use url::Url;

const fn field(
    name: &'static str,
    title: &'static str,
    kind: FieldKind,
    default: Option<&'static str>,
    help: &'static str,
) -> Field {
    Field { name, title, help, kind, required: false, default }
}

const fn required(field: Field) -> Field {
    Field { required: true, ..field }
}

/// The form.
pub(super) static FIELDS: &[Field] = &[
    required(field(
        "base_url",
        "Address",
        FieldKind::Text,
        None,
        "Where people sign in, such as https://erp.example.com.",
    )),
    field(
        "interface",
        "Version",
        FieldKind::Choice(&[("json2", "Odoo 19 and later (JSON-2)"), ("jsonrpc", "Odoo 14 to 18 (JSON-RPC)")]),
        Some("json2"),
        "Which of Odoo's interfaces is used. Odoo 19 still answers to the older one, Odoo 20 will not.",
    ),
    field(
        "database",
        "Database",
        FieldKind::Text,
        None,
        "Name of the database. Needed when the server has several, and always before Odoo 19.",
    ),
    field(
        "login",
        "User name",
        FieldKind::Text,
        None,
        "A user made for Millrace, as it signs in. Needed before Odoo 19; from then on the API key says whose it is.",
    ),
    required(field(
        "api_key",
        "API key",
        FieldKind::Secret,
        None,
        "Of that user: Preferences, Account security, New API key. It ends after 90 days at the latest unless an administrator made \
         it for longer; the test of the settings says when.",
    )),
    field(
        "warehouse",
        "Warehouse",
        FieldKind::Text,
        None,
        "Short name of the warehouse (WH, say) for orders that name none; the test of the settings lists them. Empty: Odoo \
         chooses.",
    ),
    field(
        "sku_field",
        "SKU is in",
        FieldKind::Choice(&[("default_code", "Internal reference"), ("barcode", "Barcode")]),
        Some("default_code"),
        "Where products carry the SKU that orders are sent with.",
    ),
    field(
        "confirm",
        "Confirm orders",
        FieldKind::Switch,
        Some("true"),
        "On: an order is read back and compared, then confirmed, and can be picked. Off: it stays a quotation until somebody \
         confirms it in Odoo.",
    ),
    field(
        "tracking_wait_minutes",
        "Wait for tracking",
        FieldKind::Integer,
        Some("0"),
        "Minutes that a transfer without a tracking number is waited for, where numbers are typed in after it is validated. A \
         number that comes later than that is shown to you, and not sent on by itself.",
    ),
    field(
        "calls_per_minute",
        "Calls per minute",
        FieldKind::Integer,
        Some("300"),
        "Most calls in any minute. Odoo has no limit of its own; a server in front of it may have one.",
    ),
];

/// Which of Odoo's two interfaces is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interface {
    /// Odoo 19 and later.
    Json2,
    /// Before.
    JsonRpc,
}

/// What the connector works with.
pub(super) struct Config {
    pub(super) base: Url,
    pub(super) interface: Interface,
    pub(super) database: Option<String>,
    pub(super) login: String,
    pub(super) api_key: Secret,
    /// By its short name.
    pub(super) warehouse: Option<String>,
    pub(super) sku_field: String,
    pub(super) confirm: bool,
    pub(super) tracking_wait_minutes: u32,
    pub(super) calls_per_minute: u32,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let number = |name: &str, least: u32| {
            let wrong = || SettingsError::field(name, format!("must be a whole number, {least} or more"));
            given(name)?.parse::<u32>().ok().filter(|number| *number >= least).ok_or_else(wrong)
        };
        let base = Url::parse(&given("base_url")?)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
            .ok_or_else(|| {
                SettingsError::field("base_url", "must be a whole address, such as https://erp.example.com")
            })?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(SettingsError::field("base_url", "must not hold a user name or a password"));
        }
        let interface = match given("interface")?.as_str() {
            "jsonrpc" => Interface::JsonRpc,
            _ => Interface::Json2,
        };
        if interface == Interface::JsonRpc {
            for name in ["database", "login"] {
                if text(name).is_none() {
                    return Err(SettingsError::field(name, "must be given for Odoo before 19"));
                }
            }
        }
        let api_key = settings.secret("api_key").ok_or_else(|| SettingsError::field("api_key", "must be given"))?;
        Ok(Self {
            base,
            interface,
            database: text("database"),
            login: text("login").unwrap_or_default(),
            api_key: Secret::new(api_key.expose().trim()),
            warehouse: text("warehouse"),
            sku_field: given("sku_field")?,
            confirm: given("confirm")? == "true",
            tracking_wait_minutes: number("tracking_wait_minutes", 0)?,
            calls_per_minute: number("calls_per_minute", 1)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use connect::{Secret, Settings};

    use super::Config;

    fn settings(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings { values, secrets: BTreeMap::from([("api_key".to_owned(), Secret::new("key"))]) }
    }

    #[test]
    fn what_is_wrong_is_said_when_it_is_entered() {
        let https = ("base_url", "https://erp.example.com");
        assert!(Config::new(&settings(&[https])).is_ok());
        for (values, field) in [
            (&[][..], "base_url"),
            (&[("base_url", "erp.example.com")][..], "base_url"),
            (&[("base_url", "ftp://erp.example.com")][..], "base_url"),
            (&[("base_url", "https://hub:secret@erp.example.com")][..], "base_url"),
            (&[https, ("interface", "xmlrpc")][..], "interface"),
            (&[https, ("interface", "jsonrpc"), ("database", "wms")][..], "login"),
            (&[https, ("interface", "jsonrpc"), ("login", "hub")][..], "database"),
            (&[https, ("sku_field", "name")][..], "sku_field"),
            (&[https, ("tracking_wait_minutes", "-1")][..], "tracking_wait_minutes"),
            (&[https, ("calls_per_minute", "0")][..], "calls_per_minute"),
        ] {
            let error = Config::new(&settings(values)).err().unwrap_or_else(|| panic!("{values:?} is taken"));
            assert_eq!(error.problems[0].0, field, "{error}");
        }
        let keyless = Settings { secrets: BTreeMap::new(), ..settings(&[https]) };
        assert_eq!(Config::new(&keyless).err().map(|error| error.problems[0].0.clone()).as_deref(), Some("api_key"));
    }
}
