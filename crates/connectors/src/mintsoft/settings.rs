//! The settings of a Mintsoft warehouse.

use connect::{Field, FieldKind, Secret, Settings, SettingsError};
use jiff::tz::TimeZone;
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

/// The form.
pub(super) static FIELDS: &[Field] = &[
    field(
        "username",
        "User name",
        FieldKind::Text,
        None,
        "A Mintsoft user made for this integration. Not needed with an API key that does not expire.",
    ),
    field("password", "Password", FieldKind::Secret, None, "Of that user. A key is fetched with it and renewed daily."),
    field(
        "api_key",
        "API key",
        FieldKind::Secret,
        None,
        "A key that does not expire, as an administrator of the warehouse can make one; instead of user name and password.",
    ),
    field(
        "client_id",
        "Client ID",
        FieldKind::Integer,
        None,
        "Your number as the warehouse's client; the test of the settings lists them. Needed when the user is an administrator, \
         who sees the orders of every client.",
    ),
    Field {
        required: true,
        ..field(
            "warehouse_id",
            "Warehouse ID",
            FieldKind::Integer,
            None,
            "Warehouse of orders that name none; the test of the settings lists them.",
        )
    },
    field(
        "courier_service",
        "Courier service",
        FieldKind::Text,
        Some("AUTO"),
        "Of orders whose shipping method names none. AUTO: the warehouse's own rules choose.",
    ),
    field(
        "channel",
        "Channel",
        FieldKind::Text,
        None,
        "Channel that orders are filed under; empty: the account's own.",
    ),
    field(
        "unique_numbers",
        "Order numbers are unique",
        FieldKind::Switch,
        Some("false"),
        "On when the account refuses a second order of one number, as those of 3PLs do: ask the warehouse. An order whose \
         reply was lost then goes again at once instead of minutes later. Never switch it on where that is not so.",
    ),
    field(
        "despatched_statuses",
        "Statuses that mean despatched",
        FieldKind::Text,
        Some("DESPATCHED"),
        "Names of the order statuses in which the goods have left, separated by commas. Add those that the account moves \
         despatched orders on to (INVOICED, say). Every other status means that nothing has left.",
    ),
    field(
        "time_zone",
        "Time zone",
        FieldKind::Text,
        Some("Europe/London"),
        "Zone of the warehouse's times, which carry none.",
    ),
    field(
        "include_package_details",
        "Include package details",
        FieldKind::Switch,
        Some("true"),
        "Read which goods are in which box, with batches and serial numbers, where the warehouse scans them. Off: tracking \
         numbers and shipped quantities only.",
    ),
    field(
        "stock_by_changes",
        "Read changes of stock",
        FieldKind::Switch,
        Some("false"),
        "On: all stock is read once an hour, and only what changed in between; it needs an account that reports every change. \
         Off: all stock is read every time.",
    ),
    field(
        "callback_address",
        "Call-back address",
        FieldKind::Secret,
        None,
        "The address that Millrace gives for calls from this warehouse. Mintsoft is told it for each order that it took, so that it \
         calls when the order is despatched, split or cancelled. Empty: Mintsoft is only asked, not called by.",
    ),
    field(
        "calls_per_minute",
        "Calls per minute",
        FieldKind::Integer,
        Some("300"),
        "Most calls in any minute. No limit is published.",
    ),
    field(
        "base_url",
        "Address",
        FieldKind::Operator,
        Some("https://api.mintsoft.co.uk"),
        "Address of the service; another one for stand-ins.",
    ),
];

/// How the connector proves who it is.
#[derive(Clone)]
pub(super) enum SignIn {
    /// A day key, fetched with these.
    User { name: String, password: Secret },
    /// A key that lasts.
    Key(Secret),
}

/// What the connector works with.
pub(super) struct Config {
    pub(super) sign_in: SignIn,
    pub(super) client: Option<i64>,
    pub(super) warehouse: i64,
    pub(super) courier_service: String,
    pub(super) channel: Option<String>,
    pub(super) unique_numbers: bool,
    /// In the form of [`super::statuses::plain`].
    pub(super) despatched: Vec<String>,
    pub(super) zone: TimeZone,
    pub(super) package_details: bool,
    pub(super) stock_by_changes: bool,
    pub(super) callback: Option<Secret>,
    pub(super) calls_per_minute: u32,
    pub(super) base: Url,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let is_on = |name: &str| text(name).as_deref() == Some("true");
        let positive = |name: &str| {
            let wrong = || SettingsError::field(name, "must be a whole number above zero");
            let number = text(name).map(|value| value.parse::<i64>().ok().filter(|number| *number > 0));
            number.map(|number| number.ok_or_else(wrong)).transpose()
        };
        let number = |name: &str| positive(name)?.ok_or_else(|| SettingsError::field(name, "must be given"));
        let address = |name: &str, text: &str| {
            Url::parse(text)
                .ok()
                .filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
                .ok_or_else(|| SettingsError::field(name, "must be a whole address, beginning with https://"))
        };
        let sign_in = match (settings.secret("api_key"), text("username"), settings.secret("password")) {
            (Some(key), _, _) => SignIn::Key(key),
            (None, Some(name), Some(password)) => SignIn::User { name, password },
            (None, Some(_), None) => return Err(SettingsError::field("password", "must be given with the user name")),
            (None, None, _) => {
                return Err(SettingsError::field("username", "must be given, with the password; or give an API key"));
            }
        };
        let callback = settings.secret("callback_address");
        if let Some(secret) = &callback {
            let url = address("callback_address", secret.expose().trim())?;
            if !url.path().contains("/hooks/warehouse/") {
                let problem = "is not an address that Millrace gave: ask for the call address of this warehouse";
                return Err(SettingsError::field("callback_address", problem));
            }
        }
        let statuses = given("despatched_statuses")?;
        let despatched: Vec<String> =
            statuses.split(',').map(super::statuses::plain).filter(|name| !name.is_empty()).collect();
        if despatched.is_empty() {
            return Err(SettingsError::field("despatched_statuses", "must name a status"));
        }
        Ok(Self {
            sign_in,
            client: positive("client_id")?,
            warehouse: number("warehouse_id")?,
            courier_service: given("courier_service")?,
            channel: text("channel"),
            unique_numbers: is_on("unique_numbers"),
            despatched,
            zone: TimeZone::get(&given("time_zone")?).map_err(|_| {
                SettingsError::field("time_zone", "is not a time zone; give a name such as Europe/London")
            })?,
            package_details: is_on("include_package_details"),
            stock_by_changes: is_on("stock_by_changes"),
            callback,
            calls_per_minute: u32::try_from(number("calls_per_minute")?)
                .map_err(|_| SettingsError::field("calls_per_minute", "is too large"))?,
            base: address("base_url", &given("base_url")?)?,
        })
    }
}
