//! The settings of a ShipHero warehouse.

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

/// The form.
pub(super) static FIELDS: &[Field] = &[
    field(
        "username",
        "User e-mail",
        FieldKind::Text,
        None,
        "A ShipHero user made for this integration. Not needed with a refresh token.",
    ),
    field("password", "Password", FieldKind::Secret, None, "Of that user."),
    field(
        "refresh_token",
        "Refresh token",
        FieldKind::Secret,
        None,
        "As ShipHero shows it when a developer user is made; instead of e-mail and password.",
    ),
    field(
        "customer_account_id",
        "Customer account ID",
        FieldKind::Text,
        None,
        "Your account at the 3PL; the test of the settings lists them. Needed when the user is the 3PL's: without it orders would \
         be the 3PL's own.",
    ),
    Field {
        required: true,
        ..field(
            "warehouse_id",
            "Warehouse ID",
            FieldKind::Text,
            None,
            "Warehouse of orders that name none, a text such as V2FyZWhvdXNlOjE=; the test of the settings lists them.",
        )
    },
    field(
        "shop_name",
        "Shop name",
        FieldKind::Text,
        Some("millrace"),
        "The shop that orders are filed under. Orders of other shops in the account are left alone.",
    ),
    field(
        "create_held",
        "Create orders held",
        FieldKind::Switch,
        Some("true"),
        "On: an order is put there with a client hold, looked at, and only then let go, so that one sent twice after a lost answer \
         is noticed before it leaves. Off for accounts that use the client hold themselves.",
    ),
    field(
        "skip_address_validation",
        "Skip address validation",
        FieldKind::Switch,
        Some("false"),
        "Off: ShipHero looks up addresses in the United States, and holds orders whose address it does not find.",
    ),
    field(
        "subtract_non_sellable",
        "Subtract non-sellable units",
        FieldKind::Switch,
        Some("true"),
        "Units that lie there and cannot be sold (damaged, say) do not count as stock.",
    ),
    field(
        "webhook_secrets",
        "Webhook secrets",
        FieldKind::LongSecret,
        None,
        "The secret of each webhook that calls Millrace, one a line. ShipHero shows it once, when the webhook is made. Empty: \
         ShipHero is only asked, not called by.",
    ),
    field(
        "calls_per_minute",
        "Calls per minute",
        FieldKind::Integer,
        Some("600"),
        "Most calls in any minute. The account allows 7000 in five minutes to all who use it, and counts credits beside.",
    ),
    field(
        "base_url",
        "Address",
        FieldKind::Operator,
        Some("https://public-api.shiphero.com"),
        "Address of the service; another one for stand-ins.",
    ),
];

/// How the connector proves who it is.
#[derive(Clone)]
pub(super) struct SignIn {
    /// Of the user, where they are given.
    pub(super) user: Option<(String, Secret)>,
    /// Gives tokens without the password.
    pub(super) refresh: Option<Secret>,
}

/// What the connector works with.
pub(super) struct Config {
    pub(super) sign_in: SignIn,
    pub(super) customer: Option<String>,
    pub(super) warehouse: String,
    pub(super) shop: String,
    pub(super) create_held: bool,
    pub(super) skip_address_validation: bool,
    pub(super) subtract_non_sellable: bool,
    pub(super) webhook_secrets: Vec<Secret>,
    pub(super) calls_per_minute: u32,
    pub(super) base: Url,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let is_on = |name: &str| text(name).as_deref() == Some("true");
        let user = match (text("username"), settings.secret("password")) {
            (Some(name), Some(password)) => Some((name, password)),
            (Some(_), None) if settings.secret("refresh_token").is_none() => {
                return Err(SettingsError::field("password", "must be given with the user e-mail"));
            }
            _ => None,
        };
        let sign_in = SignIn { user, refresh: settings.secret("refresh_token") };
        if sign_in.user.is_none() && sign_in.refresh.is_none() {
            let problem = "must be given, with the password; or give a refresh token";
            return Err(SettingsError::field("username", problem));
        }
        let base = Url::parse(&given("base_url")?)
            .ok()
            .filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
            .ok_or_else(|| SettingsError::field("base_url", "must be a whole address, beginning with https://"))?;
        let calls = given("calls_per_minute")?.parse::<u32>().ok().filter(|calls| *calls > 0);
        let webhook_secrets = settings.secret("webhook_secrets").map(|lines| {
            let lines = lines.expose().lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(Secret::new).collect()
        });
        Ok(Self {
            sign_in,
            customer: text("customer_account_id"),
            warehouse: given("warehouse_id")?,
            shop: given("shop_name")?,
            create_held: is_on("create_held"),
            skip_address_validation: is_on("skip_address_validation"),
            subtract_non_sellable: is_on("subtract_non_sellable"),
            webhook_secrets: webhook_secrets.unwrap_or_default(),
            calls_per_minute: calls
                .ok_or_else(|| SettingsError::field("calls_per_minute", "must be a whole number above zero"))?,
            base,
        })
    }
}
