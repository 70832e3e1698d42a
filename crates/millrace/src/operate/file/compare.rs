//! What a file says against what there is: the steps that lead from the one to the other.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Choices, FieldKind, Secret, Settings};
use engine::{
    schedule::{self, Rule},
    settings::ConnectionSettings,
};
use serde::Serialize;
use toml::Spanned;
use utoipa::ToSchema;

use super::{
    ChannelIn, ConnectionIn, Document, EndpointIn, MappingsIn, Names, Origin,
    differences::{Difference, flat_differences, settings_differences, table_differences},
    resolve,
};
use crate::{
    db::{Channel, ChannelKind, ConnectionKey, ConnectionRecord, DbError, Mappings, Scope, StoreKey},
    operate::{
        Caller, Failure, FailureKind, Hub, Problem, check,
        endpoints::{self, Endpoint, Side},
        mappings, mappings_csv, switches,
    },
};

/// What applying a file changes, or changed.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Plan {
    /// The changes, in their order; none: everything is as the file says.
    pub changes: Vec<Change>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// One thing that is made or changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Change {
    /// Made or changed.
    pub action: Action,
    /// `merchant`, `store`, `warehouse`, `connection`, `channel`, `mappings`.
    pub what: String,
    /// Its name.
    pub name: String,
    /// Field by field.
    pub differences: Vec<Difference>,
}

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Change,
}

/// One thing to do.
pub(super) enum Step {
    Merchant { name: String },
    Endpoint(Box<EndpointStep>),
    Connection(Box<ConnectionStep>),
}

/// A store or warehouse to make or change.
pub(super) struct EndpointStep {
    pub(super) side: Side,
    /// Its id, and its plain settings as they are; `None`: it is made.
    pub(super) known: Option<(String, BTreeMap<String, String>)>,
    pub(super) name: String,
    pub(super) merchant: String,
    pub(super) platform: String,
    /// All plain values, and the secrets that change.
    pub(super) settings: Settings,
}

/// A connection to make or change.
pub(super) struct ConnectionStep {
    pub(super) key: Option<ConnectionKey>,
    pub(super) name: String,
    pub(super) store: String,
    pub(super) warehouse: String,
    /// `None`: they stay.
    pub(super) settings: Option<ConnectionSettings>,
    /// `None`: they stay.
    pub(super) mappings: Option<Mappings>,
    pub(super) channels: Vec<(ChannelKind, ChannelIn)>,
    pub(super) enabled: Option<bool>,
}

pub(super) struct Work {
    pub(super) plan: Plan,
    pub(super) steps: Vec<Step>,
}

/// What applying the file would change. Reads the stores that its connections use; writes nothing.
///
/// # Errors
/// When the file cannot be applied: every problem, with its line.
pub async fn plan(hub: &Hub, caller: &Caller, document: &Document) -> Result<Plan, Failure> {
    caller.administers()?;
    Ok(work(hub, caller, document).await?.plan)
}

/// An account as it will be.
struct Planned {
    merchant: String,
    platform: String,
    settings: Settings,
    line: String,
}

struct Comparison<'a> {
    hub: &'a Hub,
    caller: &'a Caller,
    document: &'a Document,
    problems: Vec<Problem>,
    plan: Plan,
    steps: Vec<Step>,
    merchants: BTreeSet<String>,
    stores: BTreeMap<String, Planned>,
    warehouses: BTreeMap<String, Planned>,
    choices: BTreeMap<String, Choices>,
}

pub(super) async fn work(hub: &Hub, caller: &Caller, document: &Document) -> Result<Work, Failure> {
    let mut comparison = Comparison {
        hub,
        caller,
        document,
        problems: Vec::new(),
        plan: Plan::default(),
        steps: Vec::new(),
        merchants: BTreeSet::new(),
        stores: BTreeMap::new(),
        warehouses: BTreeMap::new(),
        choices: BTreeMap::new(),
    };
    comparison.merchants().await?;
    comparison.endpoints(Side::Store).await?;
    comparison.endpoints(Side::Warehouse).await?;
    // What its stores and warehouses get wrong would only be repeated by the connections.
    comparison.check()?;
    comparison.connections().await?;
    comparison.check()?;
    Ok(Work { plan: comparison.plan, steps: comparison.steps })
}

impl Comparison<'_> {
    fn wrong<T>(&mut self, at: &Spanned<T>, problem: impl Into<String>) {
        self.problems.push(Problem::new(self.document.at(at), problem));
    }

    fn check(&mut self) -> Result<(), Failure> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let problems = std::mem::take(&mut self.problems);
        let detail = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        Err(Failure::invalid(detail, problems).remedy("Correct the file; nothing was changed."))
    }

    async fn merchants(&mut self) -> Result<(), Failure> {
        for known in endpoints::merchants(self.hub, self.caller).await? {
            self.merchants.insert(known.name);
        }
        let mut named = BTreeSet::new();
        for merchant in &self.document.file.merchants {
            let name = merchant.name.get_ref();
            if let Err(failure) = endpoints::name(name) {
                self.wrong(&merchant.name, failure.detail);
            } else if !named.insert(name.clone()) {
                self.wrong(&merchant.name, format!("the merchant {name:?} is named twice"));
            } else if self.merchants.insert(name.clone()) {
                self.change(Action::Create, "merchant", name, Vec::new());
                self.steps.push(Step::Merchant { name: name.clone() });
            }
        }
        Ok(())
    }

    fn change(&mut self, action: Action, what: &str, name: &str, differences: Vec<Difference>) {
        self.plan.changes.push(Change { action, what: what.to_owned(), name: name.to_owned(), differences });
    }

    async fn endpoints(&mut self, side: Side) -> Result<(), Failure> {
        let document = self.document;
        let given = if side == Side::Store { &document.file.stores } else { &document.file.warehouses };
        let mut known: BTreeMap<String, Endpoint> = BTreeMap::new();
        let mut planned: BTreeMap<String, Planned> = BTreeMap::new();
        let merchants: BTreeMap<String, String> = endpoints::merchants(self.hub, self.caller)
            .await?
            .into_iter()
            .map(|merchant| (merchant.id, merchant.name))
            .collect();
        for endpoint in endpoints::all(self.hub, self.caller, side).await? {
            let secrets = self.hub.db.secrets(&endpoint.scope, &endpoint.summary.id, &self.hub.keyring).await?;
            let summary = &endpoint.summary;
            planned.insert(
                summary.name.clone(),
                Planned {
                    merchant: merchants.get(summary.merchant.as_str()).cloned().unwrap_or_default(),
                    platform: summary.platform.clone(),
                    settings: Settings { values: summary.values.clone(), secrets },
                    line: String::new(),
                },
            );
            known.insert(summary.name.clone(), endpoint);
        }
        let mut named = BTreeSet::new();
        for one in given {
            let name = one.name.get_ref();
            if let Err(failure) = endpoints::name(name) {
                self.wrong(&one.name, failure.detail);
            } else if !named.insert(name.clone()) {
                self.wrong(&one.name, format!("the {} {name:?} is named twice", side.as_str()));
            } else {
                self.endpoint(side, one, known.get(name), &mut planned);
            }
        }
        for name in known.keys().filter(|name| !named.contains(*name)) {
            self.plan.notes.push(format!("the {} {name:?} is not in the file and stays as it is", side.as_str()));
        }
        match side {
            Side::Store => self.stores = planned,
            Side::Warehouse => self.warehouses = planned,
        }
        Ok(())
    }

    fn endpoint(
        &mut self,
        side: Side,
        given: &EndpointIn,
        known: Option<&Endpoint>,
        planned: &mut BTreeMap<String, Planned>,
    ) {
        let name = given.name.get_ref();
        let spec = match endpoints::platform(side, given.platform.get_ref()) {
            Ok(spec) => spec,
            Err(failure) => return self.wrong(&given.platform, failure.detail),
        };
        if !self.merchants.contains(given.merchant.get_ref()) {
            let problem = format!("there is no merchant {:?}, here or in the file", given.merchant.get_ref());
            return self.wrong(&given.merchant, problem);
        }
        let before = planned.get(name);
        if let Some(before) = before {
            if before.platform != *given.platform.get_ref() {
                let problem = format!("{name:?} is a {} and cannot become another; give a new name", before.platform);
                return self.wrong(&given.platform, problem);
            }
            if before.merchant != *given.merchant.get_ref() {
                let problem = format!("{name:?} belongs to {:?} and cannot be moved; give a new name", before.merchant);
                return self.wrong(&given.merchant, problem);
            }
        }
        let problems = self.problems.len();
        let mut values = BTreeMap::new();
        for (key, value) in &given.settings {
            match spec.fields.iter().find(|field| field.name == key.get_ref()) {
                None => {
                    let known: Vec<&str> =
                        spec.fields.iter().filter(|field| !field.is_secret()).map(|field| field.name).collect();
                    let problem =
                        format!("{} is not a setting of {}; there are: {}", key.get_ref(), spec.name, known.join(", "));
                    self.wrong(key, problem);
                }
                Some(field) if field.is_secret() => {
                    let problem = format!(
                        "{} is a secret: give it under secrets, as {{ env = \"NAME\" }} or {{ file = \"/path\" }}",
                        field.name
                    );
                    self.wrong(key, problem);
                }
                Some(field) if field.kind == FieldKind::Operator && !self.hub.config.allow_stand_ins => {
                    let problem = format!(
                        "{} is for the operator of the installation: start Millrace with --allow-stand-ins to permit it",
                        field.name
                    );
                    self.wrong(key, problem);
                }
                Some(_) if value.0.trim().is_empty() => {}
                Some(_) => {
                    values.insert(key.get_ref().clone(), value.0.clone());
                }
            }
        }
        let no_secrets = BTreeMap::new();
        let old_secrets = before.map_or(&no_secrets, |before| &before.settings.secrets);
        let mut secrets = old_secrets.clone();
        let (mut changed, mut anew) = (BTreeMap::<String, Secret>::new(), BTreeMap::<String, Secret>::new());
        for (key, reference) in &given.secrets {
            if !spec.fields.iter().any(|field| field.name == key.get_ref() && field.is_secret()) {
                let known: Vec<&str> =
                    spec.fields.iter().filter(|field| field.is_secret()).map(|field| field.name).collect();
                let problem =
                    format!("{} is not a secret of {}; there are: {}", key.get_ref(), spec.name, known.join(", "));
                self.wrong(key, problem);
                continue;
            }
            if self.document.origin == Origin::Remote {
                // Nobody over the network reads this machine's files and variables; what is sealed stays.
                continue;
            }
            match reference.read() {
                Err(why) => self.wrong(key, format!("{}: {why}", key.get_ref())),
                Ok(secret) => {
                    if old_secrets.get(key.get_ref()).map(Secret::expose) != Some(secret.expose()) {
                        changed.insert(key.get_ref().clone(), secret.clone());
                    }
                    anew.insert(key.get_ref().clone(), secret.clone());
                    secrets.insert(key.get_ref().clone(), secret);
                }
            }
        }
        if self.problems.len() > problems {
            return;
        }
        let values_before = before.map(|before| &before.settings.values);
        if let Some(before) = values_before {
            endpoints::learned(spec, before, &mut values);
        }
        let settings = Settings { values, secrets };
        let kept = old_secrets.keys().filter(|name| !anew.contains_key(*name));
        let stays = values_before.map_or(Ok(()), |before| spec.secrets_stay(before, &settings.values, kept));
        if let Err(failure) = stays
            .map_err(Failure::from)
            .and_then(|()| endpoints::validate(self.hub, &self.caller.tenant, spec, &settings, values_before))
        {
            for problem in failure.problems {
                self.wrong(&given.name, format!("{} {name:?}: {problem}", side.as_str()));
            }
            return;
        }
        let mut differences = flat_differences(
            before.map(|before| &before.settings.values).unwrap_or(&BTreeMap::new()),
            &settings.values,
        );
        for field in changed.keys() {
            let before = old_secrets.contains_key(field).then(|| "(secret)".to_owned());
            differences.push(Difference { field: field.clone(), before, after: Some("(new secret)".to_owned()) });
        }
        if known.is_none() || !differences.is_empty() {
            let action = if known.is_none() { Action::Create } else { Action::Change };
            self.change(action, side.as_str(), name, differences);
            self.steps.push(Step::Endpoint(Box::new(EndpointStep {
                side,
                known: known.map(|known| {
                    let before = values_before.cloned().unwrap_or_default();
                    (known.summary.id.clone(), before)
                }),
                name: name.clone(),
                merchant: given.merchant.get_ref().clone(),
                platform: spec.name.to_owned(),
                // What goes to another server is given anew, even where it is the same there.
                settings: Settings {
                    secrets: match values_before {
                        Some(before) if spec.moves(before, &settings.values) => anew,
                        _ => changed,
                    },
                    values: settings.values.clone(),
                },
            })));
        }
        let line = self.document.at(&given.name);
        let merchant = given.merchant.get_ref().clone();
        planned.insert(name.clone(), Planned { merchant, platform: spec.name.to_owned(), settings, line });
    }

    async fn connections(&mut self) -> Result<(), Failure> {
        let document = self.document;
        let mut known: BTreeMap<String, ConnectionRecord> = BTreeMap::new();
        for summary in self.hub.db.connections(&self.caller.access()).await? {
            let scope = Scope { tenant: self.caller.tenant.clone(), merchant: summary.merchant };
            let key = ConnectionKey { scope, connection: summary.id };
            known.insert(summary.name, self.hub.db.connection(&key, &self.hub.keyring).await?);
        }
        let mut named = BTreeSet::new();
        for one in &document.file.connections {
            let name = one.name.get_ref();
            if let Err(failure) = endpoints::name(name) {
                self.wrong(&one.name, failure.detail);
            } else if !named.insert(name.clone()) {
                self.wrong(&one.name, format!("the connection {name:?} is named twice"));
            } else {
                self.connection(one, known.get(name)).await?;
            }
        }
        for name in known.keys().filter(|name| !named.contains(*name)) {
            self.plan.notes.push(format!("the connection {name:?} is not in the file and stays as it is"));
        }
        Ok(())
    }

    async fn connection(&mut self, given: &ConnectionIn, known: Option<&ConnectionRecord>) -> Result<(), Failure> {
        let name = given.name.get_ref();
        let merchant = given.merchant.get_ref();
        for (side, named, there) in
            [(Side::Store, &given.store, &self.stores), (Side::Warehouse, &given.warehouse, &self.warehouses)]
        {
            let problem = match there.get(named.get_ref()) {
                None => format!("there is no {} {:?}, here or in the file", side.as_str(), named.get_ref()),
                Some(found) if found.merchant != *merchant => {
                    format!(
                        "the {} {:?} belongs to {:?}, not to {merchant:?}",
                        side.as_str(),
                        named.get_ref(),
                        found.merchant
                    )
                }
                Some(_) => continue,
            };
            self.problems.push(Problem::new(self.document.at(named), problem));
            return Ok(());
        }
        if let Some(known) = known
            && (known.store.name != *given.store.get_ref() || known.warehouse.name != *given.warehouse.get_ref())
        {
            let problem = format!(
                "{name:?} connects {:?} with {:?} and cannot connect others; give a new name",
                known.store.name, known.warehouse.name
            );
            self.wrong(&given.name, problem);
            return Ok(());
        }
        let choices = self.choices(given).await?;
        let at = self.document.at(&given.name);
        let prefix = format!("connection {name:?}: ");
        let settings = match resolve::settings(&given.settings, &choices, &prefix) {
            Ok(settings) => settings,
            Err(problems) => {
                self.problems.extend(problems.into_iter().map(|problem| Problem::new(at.clone(), problem.to_string())));
                return Ok(());
            }
        };
        let old_mappings = match known {
            Some(known) => self.hub.db.mappings(&known.key).await?,
            None => Mappings::default(),
        };
        let tables = match self.tables(given, &old_mappings, &choices, &prefix) {
            Ok(tables) => tables,
            Err(problems) => {
                self.problems.extend(problems.into_iter().map(|problem| Problem::new(at.clone(), problem.to_string())));
                return Ok(());
            }
        };
        let names = Names::of(&choices);
        let before = known.map(|known| names.settings(&known.settings)).unwrap_or_default();
        let differs = known.is_none_or(|known| known.settings != settings);
        let mut differences =
            if differs { settings_differences(&before, &names.settings(&settings)) } else { Vec::new() };
        let was_enabled = known.is_some_and(|known| known.enabled);
        let enabled = given.enabled.filter(|enabled| *enabled != was_enabled);
        if let Some(enabled) = enabled {
            differences.push(Difference {
                field: "enabled".to_owned(),
                before: Some(was_enabled.to_string()),
                after: Some(enabled.to_string()),
            });
        }
        let mut channels = Vec::new();
        let mut channel_changes = Vec::new();
        for (kind, wanted) in [
            (ChannelKind::Orders, &given.channels.orders),
            (ChannelKind::Shipments, &given.channels.shipments),
            (ChannelKind::Stock, &given.channels.stock),
        ] {
            let Some(wanted) = wanted else { continue };
            let mut wanted = wanted.clone();
            if wanted.every_seconds.is_some_and(|every| !(1..=86_400).contains(&every)) {
                self.problems.push(Problem::new(
                    at.clone(),
                    format!("{prefix}channels.{}.every_seconds: must be between 1 and 86400 (a day)", kind.as_str()),
                ));
            }
            let is = known.and_then(|known| known.channels.iter().find(|channel| channel.kind == kind));
            let switched = is.is_some_and(|is| is.enabled) != wanted.enabled;
            let paced = wanted.every_seconds.is_some_and(|every| is.is_none_or(|is| is.every_seconds != every));
            let rules =
                self.schedule(&mut wanted, is, &choices, &at, &format!("{prefix}channels.{}.schedule.", kind.as_str()));
            if switched || paced || rules.is_some() {
                let mut differences = Vec::new();
                if switched {
                    differences.push(Difference {
                        field: "enabled".to_owned(),
                        before: is.map(|is| is.enabled.to_string()),
                        after: Some(wanted.enabled.to_string()),
                    });
                }
                if paced {
                    differences.push(Difference {
                        field: "every_seconds".to_owned(),
                        before: is.map(|is| is.every_seconds.to_string()),
                        after: wanted.every_seconds.map(|every| every.to_string()),
                    });
                }
                differences.extend(rules);
                channel_changes.push((kind, differences));
                channels.push((kind, wanted));
            }
        }
        self.permitted(given, known, &settings, &tables, &at);
        if known.is_none() || !differences.is_empty() {
            let action = if known.is_none() { Action::Create } else { Action::Change };
            self.change(action, "connection", name, differences);
        }
        let mappings_differ = tables != old_mappings;
        if mappings_differ {
            self.change(Action::Change, "mappings", name, table_differences(&old_mappings, &tables));
        }
        for (kind, differences) in channel_changes {
            self.change(Action::Change, "channel", &format!("{name}/{}", kind.as_str()), differences);
        }
        if known.is_none() || differs || enabled.is_some() || mappings_differ || !channels.is_empty() {
            self.steps.push(Step::Connection(Box::new(ConnectionStep {
                key: known.map(|known| known.key.clone()),
                name: name.clone(),
                store: given.store.get_ref().clone(),
                warehouse: given.warehouse.get_ref().clone(),
                settings: differs.then_some(settings),
                mappings: mappings_differ.then_some(tables),
                channels,
                enabled,
            })));
        }
        Ok(())
    }

    /// What changes about a channel's rules. Without a zone of its own the file means the one set before, else the account's.
    fn schedule(
        &mut self,
        wanted: &mut ChannelIn,
        is: Option<&Channel>,
        choices: &Choices,
        at: &str,
        prefix: &str,
    ) -> Option<Difference> {
        let schedule = wanted.schedule.as_mut()?;
        let kept = is.and_then(|is| is.schedule.as_ref());
        if schedule.zone.is_none() {
            schedule.zone = Some(kept.map_or_else(|| choices.time_zone.clone(), |kept| kept.zone.clone()));
        }
        let rules = match schedule.rules() {
            Ok(rules) => rules,
            Err(problems) => {
                self.problems
                    .extend(problems.into_iter().map(|problem| Problem::new(at, format!("{prefix}{problem}"))));
                return None;
            }
        };
        let shown = |rules: &[Rule], zone: &str| format!("{} ({zone})", schedule::words(rules));
        let before = kept.map(|kept| shown(&kept.rules, &kept.zone));
        let after = schedule.zone.as_deref().filter(|_| !rules.is_empty()).map(|zone| shown(&rules, zone));
        (before != after).then(|| Difference { field: "schedule".to_owned(), before, after })
    }

    /// The lists of the account that a connection uses, read once.
    async fn choices(&mut self, given: &ConnectionIn) -> Result<Choices, Failure> {
        let name = given.store.get_ref();
        if let Some(choices) = self.choices.get(name) {
            return Ok(choices.clone());
        }
        let Some(store) = self.stores.get(name) else { return Ok(Choices::default()) };
        let at = if store.line.is_empty() { self.document.at(&given.store) } else { store.line.clone() };
        let kept = match self.hub.db.store_by_name(&self.caller.tenant, name).await {
            Ok((scope, store)) => Some(StoreKey { scope, store }),
            // Made by this very file: nothing was granted to it yet.
            Err(DbError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let read = match check::source(self.hub, &self.caller.tenant, &store.platform, &store.settings, kept.as_ref()) {
            Ok(source) => source.choices().await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        let choices = read.map_err(|failure| {
            let kind = failure.kind;
            let remedy = match kind {
                FailureKind::Credentials => "Correct the credentials; nothing was changed.",
                _ => "Nothing was changed.",
            };
            let detail = format!("{at}: store {name:?}: {}", failure.detail);
            Failure { problems: vec![Problem::new(at, failure.detail)], ..Failure::new(kind, detail) }.remedy(remedy)
        })?;
        self.choices.insert(name.clone(), choices.clone());
        Ok(choices)
    }

    /// The translation tables after the change.
    fn tables(
        &self,
        given: &ConnectionIn,
        before: &Mappings,
        choices: &Choices,
        prefix: &str,
    ) -> Result<Mappings, Vec<Problem>> {
        let mut wanted: MappingsIn = given.mappings.clone();
        if let Some(path) = wanted.listings_csv.take() {
            let wrong = |problem: String| vec![Problem::new(format!("{prefix}mappings.listings_csv"), problem)];
            if wanted.listings.is_some() {
                return Err(wrong("give either listings or listings_csv".to_owned()));
            }
            let Origin::Folder(folder) = &self.document.origin else {
                return Err(wrong("files can be named in a file on this machine only; give the listings".to_owned()));
            };
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| wrong(format!("{} cannot be read: {error}", path.display())))?;
            wanted.listings = Some(mappings_csv::listings(&text).map_err(|failure| wrong(failure.detail))?);
        }
        mappings::resolve(&wanted, before, Some(choices), &format!("{prefix}mappings."))
    }

    /// Whether the connection may be switched on as the file wants it; found now rather than half way through applying.
    fn permitted(
        &mut self,
        given: &ConnectionIn,
        known: Option<&ConnectionRecord>,
        settings: &ConnectionSettings,
        tables: &Mappings,
        at: &str,
    ) {
        let stock_on = given.channels.stock.as_ref().is_some_and(|stock| stock.enabled);
        let on = given.enabled.unwrap_or(known.is_some_and(|known| known.enabled));
        if !on && !stock_on {
            return;
        }
        let mut problems = settings.problems();
        if stock_on || known.is_some_and(|known| stock_is_on(known) && given.channels.stock.is_none()) {
            problems.extend(switches::stock_problems(settings, tables));
        }
        for problem in problems {
            self.problems.push(Problem::new(
                at,
                format!("connection {:?} cannot be switched on: {problem}", given.name.get_ref()),
            ));
        }
    }
}

fn stock_is_on(record: &ConnectionRecord) -> bool {
    record.channels.iter().any(|channel| channel.kind == ChannelKind::Stock && channel.enabled)
}
