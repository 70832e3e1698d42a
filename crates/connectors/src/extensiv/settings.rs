//! The settings of an Extensiv warehouse.

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

const fn required(field: Field) -> Field {
    Field { required: true, ..field }
}

/// The form.
pub(super) static FIELDS: &[Field] = &[
    required(field(
        "client_id",
        "Client ID",
        FieldKind::Text,
        None,
        "From the API credentials that the warehouse makes for this integration.",
    )),
    required(field("client_secret", "Client Secret", FieldKind::Secret, None, "Comes with the client ID.")),
    field(
        "tpl_key",
        "TPL Key",
        FieldKind::Text,
        None,
        "A text like {00000000-0000-0000-0000-000000000000}. Only for credentials of the dynamic kind; leave empty otherwise.",
    ),
    required(field(
        "user_login_id",
        "User Login ID",
        FieldKind::Text,
        None,
        "The warehouse manager user made for this integration: its name, or the number that older credentials use.",
    )),
    required(field(
        "customer_id",
        "Customer ID",
        FieldKind::Integer,
        None,
        "Your number as the warehouse's customer. Orders, items and stock are read and written for it alone.",
    )),
    field(
        "inventory_mode",
        "Inventory Mode",
        FieldKind::Choice(&[("both", "Both figures"), ("available", "Available only"), ("on_hand", "On hand only")]),
        Some("both"),
        "Which figures are taken in. Which of them Millrace compares with is set on the connection.",
    ),
    field("facility_id", "Facility ID", FieldKind::Integer, Some("1"), "Facility of orders that name none."),
    field(
        "time_zone",
        "Local Time Zone",
        FieldKind::Text,
        Some("America/New_York"),
        "Zone of the warehouse's times, which carry none, e.g. America/Chicago.",
    ),
    field(
        "billing_code",
        "Carrier billing code",
        FieldKind::Choice(&[
            ("Prepaid", "Prepaid"),
            ("Recipient", "Recipient"),
            ("USPS Third Party", "USPS Third Party"),
            ("FedEx Third Party", "FedEx Third Party"),
            ("UPS Third Party", "UPS Third Party"),
            ("Collect", "Collect"),
        ]),
        Some("Prepaid"),
        "Who pays the carrier. The test of the settings compares it with the codes that the warehouse's carriers list.",
    ),
    field("fedex_account", "FedEx account number", FieldKind::Text, None, "Sent with orders that go by FedEx."),
    field("ups_account", "UPS account number", FieldKind::Text, None, "Sent with orders that go by UPS."),
    field(
        "customer_retailer_id",
        "Customer Retailer ID",
        FieldKind::Integer,
        None,
        "Retailer named in the delivery address, where the warehouse uses them.",
    ),
    field(
        "billing_postcode",
        "Carrier billing postal code",
        FieldKind::Text,
        None,
        "Postcode of the account that pays the carrier.",
    ),
    field(
        "include_package_details",
        "Include Package Details",
        FieldKind::Switch,
        Some("true"),
        "Read which goods are in which box. Off: tracking numbers and shipped quantities only.",
    ),
    field(
        "calls_per_minute",
        "Calls per minute",
        FieldKind::Integer,
        Some("400"),
        "Most calls in any minute. No limit is published; use is metered.",
    ),
    field(
        "base_url",
        "Address",
        FieldKind::Operator,
        Some("https://secure-wms.com"),
        "Address of the service; another one for stand-ins.",
    ),
];

/// Which stock figures are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InventoryMode {
    Both,
    Available,
    OnHand,
}

/// What the connector works with.
pub(super) struct Config {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) tpl_key: Option<String>,
    pub(super) user_login: String,
    pub(super) customer: i64,
    pub(super) inventory_mode: InventoryMode,
    pub(super) facility: i64,
    pub(super) zone: TimeZone,
    pub(super) billing_code: String,
    pub(super) fedex_account: String,
    pub(super) ups_account: String,
    pub(super) retailer: Option<i64>,
    pub(super) billing_postcode: String,
    pub(super) package_details: bool,
    pub(super) calls_per_minute: u32,
    pub(super) base: Url,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let positive = |name: &str| {
            text(name)
                .map(|value| {
                    value
                        .parse::<i64>()
                        .ok()
                        .filter(|number| *number > 0)
                        .ok_or_else(|| SettingsError::field(name, "must be a whole number above zero"))
                })
                .transpose()
        };
        let number = |name: &str| positive(name)?.ok_or_else(|| SettingsError::field(name, "must be given"));
        let base = Url::parse(&given("base_url")?)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
            .ok_or_else(|| SettingsError::field("base_url", "must be a whole address, beginning with https://"))?;
        Ok(Self {
            client_id: given("client_id")?,
            client_secret: settings
                .secret("client_secret")
                .ok_or_else(|| SettingsError::field("client_secret", "must be given"))?,
            tpl_key: text("tpl_key").map(|key| format!("{{{}}}", key.trim_matches(['{', '}']))),
            user_login: given("user_login_id")?,
            customer: number("customer_id")?,
            inventory_mode: match given("inventory_mode")?.as_str() {
                "available" => InventoryMode::Available,
                "on_hand" => InventoryMode::OnHand,
                _ => InventoryMode::Both,
            },
            facility: number("facility_id")?,
            zone: TimeZone::get(&given("time_zone")?).map_err(|_| {
                SettingsError::field("time_zone", "is not a time zone; give a name such as America/New_York")
            })?,
            billing_code: given("billing_code")?,
            fedex_account: text("fedex_account").unwrap_or_default(),
            ups_account: text("ups_account").unwrap_or_default(),
            retailer: positive("customer_retailer_id")?,
            billing_postcode: text("billing_postcode").unwrap_or_default(),
            package_details: text("include_package_details").as_deref() == Some("true"),
            calls_per_minute: u32::try_from(number("calls_per_minute")?)
                .map_err(|_| SettingsError::field("calls_per_minute", "is too large"))?,
            base,
        })
    }
}
