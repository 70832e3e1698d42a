//! Hand-offs: the credentials of a store or warehouse are entered by whoever has them, through a link that works once.
//!
//! Whoever asks settles which one it is for and which fields are asked for; the holder of the link fills these in and nothing
//! else, sees how the test of them ended, and stays nobody. Secrets that are kept already are not shown, not tested and not
//! sent anywhere by a hand-off. Nobody here sees what was entered: it is sealed like every secret.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorSpec, Field, FieldKind, Settings};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Problem, Role, check,
    endpoints::{self, FieldOut, SecretIn, Side},
    id, keys,
    links::{self, LinkOut, gone},
    quoted,
    sign_in::{self, Visitor},
};
use crate::db::{DbError, HandOff, Link, LinkKind, NewHandOff, Scope, Target, TargetKind};

/// So often the credentials of one link are tested at most: a guess at them is no way in, and the account is not locked.
const MOST_TESTS: u32 = 20;

/// The longest life of a link, in days.
const MOST_DAYS: u32 = 30;

/// A hand-off to make.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHandOffIn {
    /// A store that is there (name or id), whose credentials are to be entered.
    #[serde(default)]
    pub store: Option<String>,
    /// Or a warehouse that is there (name or id).
    #[serde(default)]
    pub warehouse: Option<String>,
    /// Or one that saving will make: whose (name or id of the merchant),
    #[serde(default)]
    pub merchant: Option<String>,
    /// what it is called,
    #[serde(default)]
    pub name: Option<String>,
    /// the connector's name, which says whether it is a store or a warehouse (`brightpearl` where it is not given),
    #[serde(default)]
    pub platform: Option<String>,
    /// and the plain settings that are settled. They are shown, and not asked for.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The fields that are asked for. Not given: every secret, and every text and choice that has no value yet.
    #[serde(default)]
    pub fields: BTreeSet<String>,
    /// How many days the link works, 1 to 30; 7 where it is not given.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A hand-off, without its token.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandOffOut {
    /// `lnk_…`.
    pub id: String,
    /// Whose it is: id of the merchant.
    pub merchant: String,
    /// Id of the store; absent until saving makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Id of the warehouse; absent until saving makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// Which of the two it is for.
    pub side: Side,
    /// What it is called.
    pub name: String,
    /// The connector's name.
    pub platform: String,
    /// The fields that are asked for.
    pub fields: BTreeSet<String>,
    /// `open`, `used` (the credentials are saved), `withdrawn`, `expired`.
    pub state: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was opened first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// How often credentials were tested.
    pub tests: u32,
    /// When they were tested last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub tested_at: Option<Timestamp>,
    /// Whether the last test reached the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worked: Option<bool>,
    /// When the credentials were saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub saved_at: Option<Timestamp>,
}

impl HandOffOut {
    fn new(one: HandOff, now: Timestamp) -> Self {
        let side = side(one.target.kind);
        let at = |wanted| one.target.endpoint.clone().filter(|_| side == wanted);
        Self {
            store: at(Side::Store),
            warehouse: at(Side::Warehouse),
            side,
            state: links::state(one.used_at, one.withdrawn_at, one.expires_at, now).to_owned(),
            id: one.id,
            merchant: one.scope.merchant.to_string(),
            name: one.target.name,
            platform: one.target.platform,
            fields: one.fields,
            created_by: one.created_by,
            created_at: one.created_at,
            expires_at: one.expires_at,
            opened_at: one.opened_at,
            tests: one.tests,
            tested_at: one.tested_at,
            worked: one.worked,
            saved_at: one.used_at,
        }
    }
}

/// Who asks the holder of a link for what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandOffAboutOut {
    /// Who asks.
    pub asked_by: String,
    /// For whom: the merchant's name.
    pub merchant: String,
    /// Whether they are of a store or of a warehouse.
    pub side: Side,
    /// What the store or warehouse is called.
    pub store: String,
    /// What people call its kind, e.g. Brightpearl.
    pub title: String,
    /// What is settled: field and value. It cannot be changed here.
    pub settled: BTreeMap<String, String>,
    /// What is asked for, in the order of a form.
    pub fields: Vec<FieldOut>,
    /// So many tests are left.
    pub tests_left: u32,
}

/// When what was entered is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaveIn {
    /// Once the test has reached the account.
    #[default]
    IfItWorks,
    /// Whatever the test says: the person has read it, and wants it so.
    Anyway,
    /// Not now: a test only.
    No,
}

/// What the holder of a link enters.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOffIn {
    /// The link's token.
    #[schema(value_type = String)]
    pub token: SecretIn,
    /// Plain settings, of the fields that are asked for.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Secrets, of the fields that are asked for.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub secrets: BTreeMap<String, SecretIn>,
    /// When it is kept.
    #[serde(default)]
    pub save: SaveIn,
}

/// What came of it, in words for the holder.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandOffResultOut {
    /// The account was reached, and can be worked with.
    pub ok: bool,
    /// It is kept now, and the link is used.
    pub saved: bool,
    /// What was reached, a line each.
    pub reached: Vec<String>,
    /// What is not right but does not stop it, a line each.
    pub warnings: Vec<String>,
    /// What is wrong and how to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What to do now.
    pub next: String,
    /// So many tests are left.
    pub tests_left: u32,
}

fn side(kind: TargetKind) -> Side {
    match kind {
        TargetKind::Store => Side::Store,
        TargetKind::Warehouse => Side::Warehouse,
    }
}

fn kind(side: Side) -> TargetKind {
    match side {
        Side::Store => TargetKind::Store,
        Side::Warehouse => TargetKind::Warehouse,
    }
}

/// Whether what was entered is kept.
fn keeps(save: SaveIn, worked: bool) -> bool {
    match save {
        SaveIn::IfItWorks => worked,
        SaveIn::Anyway => true,
        SaveIn::No => false,
    }
}

/// Whether somebody outside may be asked for a field: what tests learn and what the operator decides is not for them.
fn can_be_asked(field: &Field) -> bool {
    !matches!(field.kind, FieldKind::Operator | FieldKind::Learned)
}

/// The fields that are asked for: those wanted, or the secrets and every text and choice without a value.
fn asked(
    spec: &ConnectorSpec,
    wanted: &BTreeSet<String>,
    settled: &BTreeMap<String, String>,
) -> Result<BTreeSet<String>, Vec<Problem>> {
    if wanted.is_empty() {
        let open = |field: &&Field| {
            field.is_secret()
                || (matches!(field.kind, FieldKind::Text | FieldKind::LongText | FieldKind::Choice(_))
                    && !settled.contains_key(field.name))
        };
        return Ok(spec.fields.iter().filter(open).map(|field| field.name.to_owned()).collect());
    }
    let wrong: Vec<Problem> = wanted
        .iter()
        .filter(|name| !spec.fields.iter().any(|field| field.name == name.as_str() && can_be_asked(field)))
        .map(|name| Problem::new(format!("fields.{name}"), "is no field that can be asked for"))
        .collect();
    if wrong.is_empty() { Ok(wanted.clone()) } else { Err(wrong) }
}

fn refused(problems: Vec<Problem>) -> Failure {
    Failure::invalid(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "), problems)
}

/// What a hand-off is for, with the plain settings that are settled.
async fn target(
    hub: &Hub,
    caller: &Caller,
    given: &NewHandOffIn,
) -> Result<(Scope, Target, BTreeMap<String, String>), Failure> {
    let there = match (&given.store, &given.warehouse) {
        (Some(_), Some(_)) => {
            return Err(refused(vec![Problem::new("warehouse", "name a store or a warehouse, not both")]));
        }
        (Some(named), None) => Some((Side::Store, named)),
        (None, Some(named)) => Some((Side::Warehouse, named)),
        (None, None) => None,
    };
    if let Some((side, named)) = there {
        if given.merchant.is_some() || given.name.is_some() || given.platform.is_some() || !given.settings.is_empty() {
            return Err(refused(vec![Problem::new(
                side.as_str(),
                "is there: its settings are changed there, not here",
            )]));
        }
        let found = endpoints::find(hub, caller, side, named).await?;
        let target = Target {
            kind: kind(side),
            endpoint: Some(found.summary.id),
            name: found.summary.name,
            platform: found.summary.platform,
            settings: BTreeMap::new(),
        };
        return Ok((found.scope, target, found.summary.values));
    }
    let (Some(merchant), Some(name)) = (&given.merchant, &given.name) else {
        return Err(refused(vec![Problem::new(
            "store",
            "name a store or a warehouse, or merchant and name of one to be made",
        )]));
    };
    // Saving makes one, which takes what making one takes.
    caller.administers()?;
    let merchant = endpoints::merchant(hub, caller, merchant).await?;
    let name = endpoints::name(name)?;
    let platform = given.platform.as_deref().unwrap_or("brightpearl");
    let ships = connectors::find(platform).is_some_and(|spec| Side::Warehouse.plays(&spec.role));
    let side = if ships { Side::Warehouse } else { Side::Store };
    let spec = endpoints::platform(side, platform)?;
    let settings = endpoints::kept(given.settings.clone());
    endpoints::permitted(hub, spec, &settings, None)?;
    let unknown: Vec<Problem> = settings
        .keys()
        .filter(|key| !spec.fields.iter().any(|field| field.name == key.as_str() && !field.is_secret()))
        .map(|key| Problem::new(format!("settings.{key}"), "is no plain setting of this connector"))
        .collect();
    if !unknown.is_empty() {
        return Err(refused(unknown));
    }
    if endpoints::all(hub, caller, side).await?.iter().any(|there| there.summary.name == name) {
        return Err(Failure::conflict(format!("there is a {} called {} already", side.as_str(), quoted(&name)))
            .remedy("Give another name, or hand that one off."));
    }
    let scope = Scope { tenant: caller.tenant.clone(), merchant: id(&merchant.id)? };
    let platform = spec.name.to_owned();
    Ok((scope, Target { kind: kind(side), endpoint: None, name, platform, settings: settings.clone() }, settings))
}

/// Who asks, in words for somebody who knows nobody here.
async fn asker(hub: &Hub, caller: &Caller) -> Result<String, Failure> {
    let tenants = hub.db.tenants().await?;
    let tenant = tenants.into_iter().find(|tenant| tenant.id == caller.tenant);
    let tenant = tenant.map_or_else(String::new, |tenant| tenant.name);
    let Some(person) = &caller.signed_in else { return Ok(tenant) };
    let person = hub.db.person(&person.tenant, &person.person).await?;
    Ok(format!("{tenant}: {} ({})", person.name, person.email))
}

/// Makes a link for entering the credentials of a store or warehouse; an open one for the same ends.
///
/// # Errors
/// When the caller may not, there is no such store or warehouse, or it cannot be asked for so.
pub async fn create(hub: &Hub, caller: &Caller, given: NewHandOffIn) -> Result<LinkOut, Failure> {
    caller.needs(Role::Staff)?;
    caller.proves(hub)?;
    let (scope, target, settled) = target(hub, caller, &given).await?;
    let spec = endpoints::platform(side(target.kind), &target.platform)?;
    let fields = asked(spec, &given.fields, &settled).map_err(refused)?;
    let is_settled = |field: &Field| !field.is_secret() && settled.contains_key(field.name);
    if spec.fields.iter().any(|field| fields.contains(field.name) && is_settled(field)) {
        // Whoever may not change them may not have a link change them either.
        caller.administers()?;
    }
    let days = match given.days {
        None => links::life(LinkKind::HandOff),
        Some(days) if (1..=MOST_DAYS).contains(&days) => SignedDuration::from_hours(24 * i64::from(days)),
        Some(_) => return Err(refused(vec![Problem::new("days", format!("give a number from 1 to {MOST_DAYS}"))])),
    };
    let expires_at =
        hub.db.now().await?.saturating_add(days).map_err(|error| {
            Failure::new(FailureKind::Internal, format!("the end of a link cannot be told: {error}"))
        })?;
    let token = keys::token(links::PREFIX, &*hub.seams.random);
    let asked_by = asker(hub, caller).await?;
    let new = NewHandOff { hash: keys::hash(&token), target, fields, asked_by, expires_at };
    let id = hub.db.create_hand_off(&scope, new, &caller.actor).await?;
    let link = links::address(hub, hub.config.listen, LinkKind::HandOff, &token);
    Ok(LinkOut::new(id, link, token, expires_at))
}

/// The hand-offs that the caller may see, newest first, ended ones as well.
///
/// # Errors
/// When the caller may not see them.
pub async fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<HandOffOut>, Failure> {
    caller.needs(Role::Staff)?;
    let now = hub.db.now().await?;
    let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let mut found = hub.db.hand_offs(&caller.access(), paging.cursor.as_deref(), paging.limit() + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|one| one.id.clone()) } else { None };
    Ok(PageOut { items: found.into_iter().map(|one| HandOffOut::new(one, now)).collect(), next })
}

/// Takes an open hand-off back.
///
/// # Errors
/// When the caller may not, or it is not open.
pub async fn revoke(hub: &Hub, caller: &Caller, named: &str) -> Result<(), Failure> {
    caller.needs(Role::Staff)?;
    caller.proves(hub)?;
    let found = hub.db.hand_off(&caller.access(), named).await?;
    Ok(hub.db.withdraw_link(&found.scope.tenant, &found.id, &caller.actor).await?)
}

/// What a link asks for. Its first opening is written down.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn about(hub: &Hub, visitor: &Visitor, link: &Link) -> Result<HandOffAboutOut, Failure> {
    let found = hub.db.hand_off(&(&link.tenant).into(), &link.id).await?;
    hub.db.open_hand_off(&found.scope, &found.id, &visitor.address).await?;
    let side = side(found.target.kind);
    let spec = endpoints::platform(side, &found.target.platform)?;
    let settled = settled(hub, &found).await?;
    let merchants = hub.db.merchants(&link.tenant).await?;
    let merchant = merchants.into_iter().find(|merchant| merchant.id == found.scope.merchant);
    let asked = |field: &&Field| found.fields.contains(field.name);
    Ok(HandOffAboutOut {
        merchant: merchant.map_or_else(String::new, |merchant| merchant.name),
        side,
        store: found.target.name,
        title: spec.title.to_owned(),
        settled: settled
            .into_iter()
            .filter(|(name, _)| {
                !found.fields.contains(name)
                    && spec.fields.iter().any(|field| field.name == name && can_be_asked(field))
            })
            .collect(),
        fields: spec.fields.iter().filter(asked).map(FieldOut::from).collect(),
        asked_by: found.asked_by,
        tests_left: MOST_TESTS.saturating_sub(found.tests),
    })
}

/// The plain settings that are there before anything is entered.
async fn settled(hub: &Hub, found: &HandOff) -> Result<BTreeMap<String, String>, Failure> {
    let Some(id) = &found.target.endpoint else { return Ok(found.target.settings.clone()) };
    let all = match found.target.kind {
        TargetKind::Store => hub.db.stores(&(&found.scope).into()).await?,
        TargetKind::Warehouse => hub.db.warehouses(&(&found.scope).into()).await?,
    };
    // It was removed: nothing can be entered for it any more.
    Ok(all.into_iter().find(|known| known.id == *id).ok_or_else(gone)?.values)
}

/// Tests what the holder of a link entered, and keeps it as asked.
///
/// # Errors
/// When the link does not work, what is given was not asked for or cannot be used, or there were too many tests. What the
/// test finds wrong is in its answer.
pub async fn submit(hub: &Hub, visitor: &Visitor, given: HandOffIn) -> Result<HandOffResultOut, Failure> {
    let link = links::open(hub, &given.token).await?;
    if link.kind != LinkKind::HandOff {
        return Err(gone());
    }
    let found = hub.db.hand_off(&(&link.tenant).into(), &link.id).await?;
    let side = side(found.target.kind);
    let spec = endpoints::platform(side, &found.target.platform)?;
    let before = settled(hub, &found).await?;
    let settings = entered(&found, spec, &before, given.settings, given.secrets)?;
    if let Some(endpoint) = &found.target.endpoint {
        // Whoever holds the link need not be who gave the secrets that are kept.
        let kept = hub.db.secret_fields(&found.scope, endpoint).await?;
        spec.secrets_stay(&before, &settings.values, kept.iter().filter(|name| !settings.secrets.contains_key(*name)))?;
    }
    endpoints::validate(hub, &found.scope.tenant, spec, &settings, Some(&before))?;

    let subject = sign_in::subject("hand_off", &found.id);
    sign_in::count(hub, visitor, subject.clone()).await?;
    if !hub.db.begin_hand_off_test(&found.scope, &found.id, MOST_TESTS).await? {
        return Err(Failure::new(FailureKind::TooMany, "this link was tested as often as it may be")
            .remedy("Ask whoever sent it for a new one."));
    }
    let told = check::test(hub, &found.scope.tenant, side, (&found.target.name, spec.name), &settings, None).await;
    hub.db.end_hand_off_test(&found.scope, &found.id, told.ok, &visitor.address).await?;
    if told.ok {
        hub.db.end_try(vec![sign_in::address(visitor)], Some(subject)).await?;
    }
    let saved = keeps(given.save, told.ok);
    if saved {
        let kept = endpoints::Keep {
            side,
            scope: &found.scope,
            known: found.target.endpoint.as_deref().map(|id| (id, &before)),
            name: &found.target.name,
            renamed: false,
            spec,
            settings,
        };
        let hash = keys::hash(given.token.0.expose());
        let saved = hub.db.save_hand_off(&found, &hash, kept.change(), &hub.keyring).await;
        saved
            .map_err(|error| match error {
                DbError::Conflict(_) if found.target.endpoint.is_some() => {
                    Failure::conflict("its settings were changed meanwhile, so this cannot be kept")
                        .remedy("Open the link again, look at what is settled, and enter it once more.")
                }
                DbError::Conflict(_) => {
                    Failure::conflict("one of this name was made meanwhile, so this one cannot be kept")
                        .remedy("Tell whoever sent the link: they make a new one.")
                }
                other => other.into(),
            })?
            .ok_or_else(gone)?;
        tracing::info!(link.id = found.id, client.address = visitor.address, "credentials were handed off");
    }
    let tests_left = MOST_TESTS.saturating_sub(found.tests + 1);
    let next = next(saved, told.ok, tests_left).to_owned();
    let check::EndpointCheckOut { ok, reached, warnings, problem, .. } = told;
    Ok(HandOffResultOut { ok, saved, reached, warnings, problem, next, tests_left })
}

/// What the holder does now.
fn next(saved: bool, worked: bool, tests_left: u32) -> &'static str {
    match (saved, worked) {
        (true, true) => "It works and is kept. You are done: this link does nothing any more.",
        (true, false) => "It is kept as you entered it, though the test did not work. Tell whoever sent you the link.",
        (false, true) => "It works. Nothing is kept yet: send it once more to keep it.",
        (false, false) if tests_left == 0 => {
            "Nothing is kept, and the link was tested as often as it may be. Ask for a new one."
        }
        (false, false) => "Nothing is kept. Correct it and try again.",
    }
}

/// The settings with what was entered: of the fields that are asked for, and no others.
fn entered(
    found: &HandOff,
    spec: &ConnectorSpec,
    before: &BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    secrets: BTreeMap<String, SecretIn>,
) -> Result<Settings, Failure> {
    let allowed = |name: &str, secret: bool| {
        found.fields.contains(name)
            && spec.fields.iter().any(|field| field.name == name && can_be_asked(field) && field.is_secret() == secret)
    };
    let mut problems = Vec::new();
    for (part, name, secret) in
        values.keys().map(|name| ("settings", name, false)).chain(secrets.keys().map(|name| ("secrets", name, true)))
    {
        if !allowed(name, secret) {
            // What somebody typed as a name is not repeated: it may be a password.
            let place = if spec.fields.iter().any(|field| field.name == name) { name.as_str() } else { "…" };
            problems.push(Problem::new(format!("{part}.{place}"), "is not asked for"));
        }
    }
    if !problems.is_empty() {
        return Err(refused(problems));
    }
    let mut all = before.clone();
    all.extend(endpoints::kept(values));
    if spec.moves(before, &all) {
        // What was learned of the other server.
        all.retain(|name, _| !spec.fields.iter().any(|field| field.name == name && field.kind == FieldKind::Learned));
    }
    let secrets = endpoints::opened(secrets).into_iter().filter(|(_, secret)| !secret.is_empty()).collect();
    Ok(Settings { values: all, secrets })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{SaveIn, asked, keeps};

    #[test]
    fn what_does_not_work_is_kept_only_by_decision() {
        for (save, worked, kept) in [
            (SaveIn::IfItWorks, true, true),
            (SaveIn::IfItWorks, false, false),
            (SaveIn::Anyway, true, true),
            (SaveIn::Anyway, false, true),
            (SaveIn::No, true, false),
            (SaveIn::No, false, false),
        ] {
            assert_eq!(keeps(save, worked), kept, "{save:?} {worked}");
        }
    }

    #[test]
    fn what_is_settled_is_not_asked_for() {
        let spec = connectors::find("brightpearl").unwrap();
        let settled = BTreeMap::from([("account_id".to_owned(), "acme".to_owned())]);
        let fields = asked(spec, &BTreeSet::new(), &settled).unwrap();
        for name in ["datacenter_code", "email", "password", "sign_in"] {
            assert!(fields.contains(name), "{name}");
        }
        for name in ["account_id", "base_url", "note_author", "calls_per_minute"] {
            assert!(!fields.contains(name), "{name}");
        }
        let wanted = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(asked(spec, &wanted(&["account_id", "password"]), &settled).unwrap().len(), 2);
        let wrong = asked(spec, &wanted(&["base_url", "nonsense", "note_author", "email"]), &settled).unwrap_err();
        assert_eq!(wrong.len(), 3);
    }
}
