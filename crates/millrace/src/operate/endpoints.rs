//! Merchants, and the accounts they have at order sources and warehouses.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorSpec, Field, FieldKind, Secret, Settings, TenantId};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Caller, Failure, Hub, PageOut, PagingQuery, Problem, drafts, id, platforms as names, quoted};
use crate::db::{EndpointChange, EndpointSummary, MerchantRecord, NewEndpoint, Scope, StoreKey, TargetKind};

/// Which role an account plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Orders live there.
    Store,
    /// It ships.
    Warehouse,
}

impl Side {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Warehouse => "warehouse",
        }
    }

    pub(super) fn plays(self, role: &connect::Role) -> bool {
        matches!(
            (self, role),
            (Self::Store, connect::Role::OrderSource(_)) | (Self::Warehouse, connect::Role::Warehouse(_))
        )
    }
}

impl From<Side> for TargetKind {
    fn from(side: Side) -> Self {
        match side {
            Side::Store => Self::Store,
            Side::Warehouse => Self::Warehouse,
        }
    }
}

/// A brand.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MerchantOut {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A brand to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMerchantIn {
    /// Its name, unique in the tenant.
    pub name: String,
}

/// A connector.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlatformOut {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it connects to and how.
    pub summary: String,
    /// What it was proven against.
    pub proven: String,
    /// Which role it plays.
    pub role: Side,
    /// Its settings, in the order of a form.
    pub fields: Vec<FieldOut>,
    /// Whether this installation permits fields of the kind `operator`: addresses of stand-ins, folders of this machine.
    pub stand_ins: bool,
    /// Its files have columns that settings describe: a sample of them can be previewed (`POST /warehouses/preview`).
    pub previews: bool,
}

/// A setting of a connector: one field of a form.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldOut {
    /// Its key.
    pub name: String,
    /// Its label.
    pub title: String,
    /// Where to find it and what it does.
    pub help: String,
    /// `text`, `long_text`, `secret`, `long_secret`, `integer`, `switch`, `choice`, `operator`, `learned`.
    pub kind: String,
    /// Value and title of each choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceOfField>,
    /// It must be given.
    pub required: bool,
    /// Used when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// One choice of a field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChoiceOfField {
    /// What is kept.
    pub value: String,
    /// What people see.
    pub title: String,
}

impl From<&Field> for FieldOut {
    fn from(field: &Field) -> Self {
        let (kind, choices) = match field.kind {
            FieldKind::Text => ("text", &[][..]),
            FieldKind::LongText => ("long_text", &[][..]),
            FieldKind::Secret => ("secret", &[][..]),
            FieldKind::LongSecret => ("long_secret", &[][..]),
            FieldKind::Integer => ("integer", &[][..]),
            FieldKind::Switch => ("switch", &[][..]),
            FieldKind::Choice(choices) => ("choice", choices),
            FieldKind::Operator => ("operator", &[][..]),
            FieldKind::Learned => ("learned", &[][..]),
        };
        Self {
            name: field.name.to_owned(),
            title: field.title.to_owned(),
            help: field.help.to_owned(),
            kind: kind.to_owned(),
            choices: choices
                .iter()
                .map(|(value, title)| ChoiceOfField { value: (*value).to_owned(), title: (*title).to_owned() })
                .collect(),
            required: field.required,
            default: field.default.map(str::to_owned),
        }
    }
}

/// A store or a warehouse. Its secrets are never shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EndpointOut {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub merchant: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings.
    pub settings: BTreeMap<String, String>,
    /// Which secrets are set.
    pub secrets: Vec<String>,
}

/// A secret as given. It cannot be shown or written out.
#[derive(Clone)]
pub struct SecretIn(pub(super) Secret);

impl SecretIn {
    /// Of a secret that was not typed in.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }
}

impl SecretIn {
    /// For the one place that seals it.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }

    /// Typed at a command line.
    pub fn typed(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl<'de> Deserialize<'de> for SecretIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// A store or a warehouse to make.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpointIn {
    /// Its name, unique in the tenant.
    pub name: String,
    /// Whose it is (name or id).
    pub merchant: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Secrets.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub secrets: BTreeMap<String, SecretIn>,
    /// A draft of the caller's own (`dft_…`): secrets that are not given are those it holds.
    #[serde(default)]
    pub draft: Option<String>,
}

/// Settings to be tested without being kept.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestEndpointIn {
    /// What it is called in the answer.
    #[serde(default)]
    pub name: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Secrets.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub secrets: BTreeMap<String, SecretIn>,
    /// One that is kept (name or id): what it has learned and secrets that are not given are its own.
    #[serde(default)]
    pub of: Option<String>,
    /// A draft of the caller's own (`dft_…`): secrets that are not given are those it holds.
    #[serde(default)]
    pub draft: Option<String>,
}

/// What a store or a warehouse is to become.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateEndpointIn {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// Plain settings, all of them. What a test learned (a host key, say) stays.
    pub settings: BTreeMap<String, String>,
    /// Secrets to replace; the others stay.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub secrets: BTreeMap<String, SecretIn>,
}

/// A store or a warehouse as kept, with its scope.
#[derive(Clone)]
pub struct Endpoint {
    /// Whose.
    pub scope: Scope,
    /// Id, name, platform, plain settings.
    pub summary: EndpointSummary,
}

impl Endpoint {
    /// Which store it is; `None` for a warehouse.
    pub fn store_key(&self) -> Option<StoreKey> {
        let store = self.summary.id.parse().ok()?;
        Some(StoreKey { scope: self.scope.clone(), store })
    }
}

/// The connectors there are.
pub fn platforms(hub: &Hub) -> Vec<PlatformOut> {
    connectors::CONNECTORS
        .iter()
        .map(|spec| PlatformOut {
            name: spec.name.to_owned(),
            title: spec.title.to_owned(),
            summary: spec.summary.to_owned(),
            proven: spec.proven.to_owned(),
            role: if Side::Store.plays(&spec.role) { Side::Store } else { Side::Warehouse },
            fields: spec.fields.iter().map(FieldOut::from).collect(),
            stand_ins: hub.config.allow_stand_ins,
            previews: spec.show.is_some(),
        })
        .collect()
}

impl From<MerchantRecord> for MerchantOut {
    fn from(record: MerchantRecord) -> Self {
        Self { id: record.id.to_string(), name: record.name }
    }
}

/// The brands the caller may see, by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list_merchants(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<MerchantOut>, Failure> {
    let page = hub.db.list_merchants(&caller.access(), paging.cursor.as_deref(), paging.limit()).await?;
    Ok(PageOut { items: page.items.into_iter().map(MerchantOut::from).collect(), next: page.next })
}

/// All of them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn merchants(hub: &Hub, caller: &Caller) -> Result<Vec<MerchantOut>, Failure> {
    let merchants = hub.db.merchants(&caller.tenant).await?;
    Ok(merchants.into_iter().filter(|merchant| caller.sees(&merchant.id)).map(MerchantOut::from).collect())
}

/// One brand, by name or id.
///
/// # Errors
/// When there is none for this caller.
pub async fn merchant(hub: &Hub, caller: &Caller, named: &str) -> Result<MerchantOut, Failure> {
    merchants(hub, caller)
        .await?
        .into_iter()
        .find(|merchant| merchant.name == named || merchant.id == named)
        .ok_or_else(|| Failure::not_found(format!("merchant {}", quoted(named))))
}

/// Makes a brand.
///
/// # Errors
/// When the caller may not, or the name is taken.
pub async fn create_merchant(hub: &Hub, caller: &Caller, given: NewMerchantIn) -> Result<MerchantOut, Failure> {
    caller.administers()?;
    let name = name(&given.name)?;
    let made = hub.db.create_merchant(&caller.tenant, &name).await?;
    let target = made.to_string();
    hub.db
        .audit(&caller.access(), &caller.actor, "merchant.create", &target, &serde_json::json!({ "name": name }))
        .await?;
    Ok(MerchantOut { id: target, name })
}

/// A name for people: one line, not empty, not too long.
pub(super) fn name(given: &str) -> Result<String, Failure> {
    let name = given.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Failure::invalid(
            format!("{} cannot be a name", quoted(given)),
            vec![Problem::new("name", "give one line of at most 100 characters")],
        ));
    }
    Ok(name.to_owned())
}

/// The accounts of one kind that the caller may see.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all(hub: &Hub, caller: &Caller, side: Side) -> Result<Vec<Endpoint>, Failure> {
    let access = caller.access();
    let summaries = match side {
        Side::Store => hub.db.stores(&access).await?,
        Side::Warehouse => hub.db.warehouses(&access).await?,
    };
    Ok(summaries.into_iter().map(|summary| of(caller, summary)).collect())
}

fn of(caller: &Caller, summary: EndpointSummary) -> Endpoint {
    Endpoint { scope: Scope { tenant: caller.tenant.clone(), merchant: summary.merchant.clone() }, summary }
}

/// One account, by name or id.
///
/// # Errors
/// When there is none for this caller.
pub async fn find(hub: &Hub, caller: &Caller, side: Side, named: &str) -> Result<Endpoint, Failure> {
    all(hub, caller, side)
        .await?
        .into_iter()
        .find(|endpoint| endpoint.summary.name == named || endpoint.summary.id == named)
        .ok_or_else(|| Failure::not_found(format!("{} {}", side.as_str(), quoted(named))))
}

/// The accounts of one kind, for showing, by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list(
    hub: &Hub,
    caller: &Caller,
    side: Side,
    paging: &PagingQuery,
) -> Result<PageOut<EndpointOut>, Failure> {
    let (access, after) = (caller.access(), paging.cursor.as_deref());
    let page = match side {
        Side::Store => hub.db.list_stores(&access, after, paging.limit()).await?,
        Side::Warehouse => hub.db.list_warehouses(&access, after, paging.limit()).await?,
    };
    let mut items = Vec::with_capacity(page.items.len());
    for summary in page.items {
        items.push(out(hub, of(caller, summary)).await?);
    }
    Ok(PageOut { items, next: page.next })
}

/// All of them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all_shown(hub: &Hub, caller: &Caller, side: Side) -> Result<Vec<EndpointOut>, Failure> {
    let mut shown = Vec::new();
    for endpoint in all(hub, caller, side).await? {
        shown.push(out(hub, endpoint).await?);
    }
    Ok(shown)
}

/// One account, for showing.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, side: Side, named: &str) -> Result<EndpointOut, Failure> {
    out(hub, find(hub, caller, side, named).await?).await
}

async fn out(hub: &Hub, endpoint: Endpoint) -> Result<EndpointOut, Failure> {
    let Endpoint { scope, summary } = endpoint;
    let secrets = hub.db.secret_fields(&scope, &summary.id).await?;
    let EndpointSummary { id, merchant, name, platform, values, .. } = summary;
    Ok(EndpointOut { id, name, merchant: merchant.to_string(), platform, settings: values, secrets })
}

/// Makes an account.
///
/// # Errors
/// When the caller may not, the settings cannot be used (every problem is listed), or the name is taken.
pub async fn create(hub: &Hub, caller: &Caller, side: Side, given: NewEndpointIn) -> Result<EndpointOut, Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let name = name(&given.name)?;
    let merchant = merchant(hub, caller, &given.merchant).await?;
    let scope = Scope { tenant: caller.tenant.clone(), merchant: id(&merchant.id)? };
    let mut secrets = opened(given.secrets);
    if let Some(draft) = &given.draft {
        for (field, secret) in drafts::secrets(hub, caller, draft, side).await? {
            secrets.entry(field).or_insert(secret);
        }
    }
    let settings = Settings { values: kept(given.settings), secrets };
    let spec = platform(side, &given.platform)?;
    // Over the network nobody is the operator, whatever the key may do.
    validate(hub, &caller.tenant, spec, &settings, None)?;
    let kept = Keep { side, scope: &scope, known: None, name: &name, renamed: true, spec, settings };
    let made = keep(hub, caller, kept).await?;
    out(hub, find(hub, caller, side, &made).await?).await
}

/// Changes an account. Its connections are built anew.
///
/// # Errors
/// As [`create`].
pub async fn update(
    hub: &Hub,
    caller: &Caller,
    side: Side,
    named: &str,
    given: UpdateEndpointIn,
) -> Result<EndpointOut, Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let endpoint = find(hub, caller, side, named).await?;
    let spec = platform(side, &endpoint.summary.platform)?;
    let id = endpoint.summary.id;
    let Settings { values: before, mut secrets } =
        hub.db.endpoint_settings(&endpoint.scope, side.into(), &id, &hub.keyring).await?;
    let mut values = kept(given.settings);
    learned(spec, &before, &mut values);
    let changed = opened(given.secrets);
    spec.secrets_stay(&before, &values, secrets.keys().filter(|name| !changed.contains_key(*name)))?;
    secrets.extend(changed.clone());
    let settings = Settings { values, secrets };
    validate(hub, &caller.tenant, spec, &settings, Some(&before))?;
    let new_name = given.name.as_deref().map(name).transpose()?;
    let kept = Keep {
        side,
        scope: &endpoint.scope,
        known: Some((&id, &before)),
        name: new_name.as_deref().unwrap_or(&endpoint.summary.name),
        renamed: new_name.is_some(),
        spec,
        settings: Settings { values: settings.values, secrets: changed },
    };
    keep(hub, caller, kept).await?;
    out(hub, find(hub, caller, side, &id).await?).await
}

/// What tests have learned stays, unless it was learned of another server.
pub(super) fn learned(spec: &ConnectorSpec, before: &BTreeMap<String, String>, values: &mut BTreeMap<String, String>) {
    if spec.moves(before, values) {
        return;
    }
    for field in spec.fields.iter().filter(|field| field.kind == FieldKind::Learned) {
        if let Some(learned) = before.get(field.name) {
            values.entry(field.name.to_owned()).or_insert_with(|| learned.clone());
        }
    }
}

pub(super) fn kept(values: BTreeMap<String, String>) -> BTreeMap<String, String> {
    values.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect()
}

pub(super) fn opened(secrets: BTreeMap<String, SecretIn>) -> BTreeMap<String, Secret> {
    secrets.into_iter().map(|(field, SecretIn(secret))| (field, secret)).collect()
}

/// The connector of this name for this role.
///
/// # Errors
/// When there is none; those there are are named.
pub fn platform(side: Side, named: &str) -> Result<&'static ConnectorSpec, Failure> {
    connectors::find(named).filter(|spec| side.plays(&spec.role)).ok_or_else(|| {
        Failure::invalid(
            format!("there is no connector {} for a {}; there are: {}", quoted(named), side.as_str(), names()),
            vec![Problem::new("platform", "choose one of the connectors for this role")],
        )
    })
}

/// Refuses settings of the operator, unless they are as `before`.
///
/// # Errors
/// Every problem.
pub(super) fn permitted(
    hub: &Hub,
    spec: &ConnectorSpec,
    values: &BTreeMap<String, String>,
    before: Option<&BTreeMap<String, String>>,
) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for field in spec.fields {
        let Some(value) = values.get(field.name) else { continue };
        let same = before.and_then(|before| before.get(field.name)) == Some(value);
        if field.kind == FieldKind::Operator && !hub.config.allow_stand_ins && !same {
            problems.push(Problem::new(
                field.name,
                "is set by the operator of the installation only; start Millrace with --allow-stand-ins to permit it",
            ));
        }
    }
    if !problems.is_empty() {
        return Err(Failure::invalid(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "), problems));
    }
    Ok(())
}

/// Checks settings against the connector's own rules, by building it; nothing is opened. Settings of the operator and what
/// tests learn may not be given, unless they are as `before`.
///
/// # Errors
/// Every problem.
pub fn validate(
    hub: &Hub,
    tenant: &TenantId,
    spec: &ConnectorSpec,
    settings: &Settings,
    before: Option<&BTreeMap<String, String>>,
) -> Result<(), Failure> {
    permitted(hub, spec, &settings.values, before)?;
    settings.validate(spec.fields)?;
    let context = hub.workers.context(tenant, "check");
    match spec.role {
        connect::Role::OrderSource(build) => build(settings, &context).map(|_| ())?,
        connect::Role::Warehouse(build) => build(settings, &context).map(|_| ())?,
    }
    Ok(())
}

/// The account's own code, which calls are counted and rows are claimed by.
pub(super) fn account(values: &BTreeMap<String, String>) -> String {
    values.get("account_id").map(|code| code.trim().to_lowercase()).unwrap_or_default()
}

/// What is to be written down of an account.
pub(super) struct Keep<'a> {
    pub(super) side: Side,
    pub(super) scope: &'a Scope,
    /// Which one, and the plain settings that this was decided on; `None`: it is made.
    pub(super) known: Option<(&'a str, &'a BTreeMap<String, String>)>,
    /// Its name; that of a known one is changed where it is `renamed`.
    pub(super) name: &'a str,
    pub(super) renamed: bool,
    pub(super) spec: &'a ConnectorSpec,
    /// All plain values, and the secrets that change.
    pub(super) settings: Settings,
}

impl Keep<'_> {
    pub(super) fn change(self) -> EndpointChange {
        let Keep { side, known, name, renamed, spec, settings, .. } = self;
        let account = match side {
            Side::Store => account(&settings.values),
            Side::Warehouse => String::new(),
        };
        let moves = known.is_some_and(|(_, before)| spec.moves(before, &settings.values));
        let name = if renamed || known.is_none() { name } else { "" };
        let known = known.map(|(id, before)| (id.to_owned(), before.clone()));
        let platform = spec.name.to_owned();
        let new = NewEndpoint { name: name.to_owned(), platform, values: settings.values, account };
        EndpointChange { kind: side.into(), known, new, secrets: settings.secrets, moves }
    }
}

/// Writes an account down. Its id.
pub(super) async fn keep(hub: &Hub, caller: &Caller, kept: Keep<'_>) -> Result<String, Failure> {
    let action = match (kept.side, kept.known.is_some()) {
        (Side::Store, false) => "store.create",
        (Side::Warehouse, false) => "warehouse.create",
        (Side::Store, true) => "store.update",
        (Side::Warehouse, true) => "warehouse.update",
    };
    let fields: BTreeSet<&str> = kept.settings.secrets.keys().map(String::as_str).collect();
    let detail = serde_json::json!({ "name": kept.name, "secrets_changed": fields });
    let scope = kept.scope;
    Ok(hub.db.keep_endpoint(scope, kept.change(), &hub.keyring, (&caller.actor, action, detail)).await?)
}
