//! Names of the account's own lists turned into its ids, and back.

use std::collections::BTreeSet;

use connect::{Choice, Choices};
use engine::settings::{ConnectionSettings, StockSettings};

use super::{ConnectionSettingsIn, NameOrId, StockSettingsIn};
use crate::operate::Problem;

/// One of the account's lists.
struct List<'a> {
    what: &'static str,
    entries: Vec<(i64, &'a str)>,
}

impl<'a> List<'a> {
    fn of(what: &'static str, choices: &'a [Choice]) -> Self {
        Self { what, entries: choices.iter().map(|choice| (choice.id, choice.name.as_str())).collect() }
    }

    fn statuses(choices: &'a Choices) -> Self {
        let entries = choices
            .statuses
            .iter()
            .filter(|status| !status.disabled)
            .map(|status| (status.id, status.name.as_str()))
            .collect();
        Self { what: "order status", entries }
    }

    fn find(&self, wanted: &NameOrId) -> Result<i64, String> {
        match wanted {
            NameOrId::Id(id) if self.entries.iter().any(|(known, _)| known == id) => Ok(*id),
            NameOrId::Id(id) => Err(format!("the account has no {} {id}; {}", self.what, self.all())),
            NameOrId::Name(name) => {
                let same = |known: &str| known.trim().to_lowercase() == name.trim().to_lowercase();
                let found: Vec<i64> = self.entries.iter().filter(|(_, known)| same(known)).map(|(id, _)| *id).collect();
                match found.as_slice() {
                    [id] => Ok(*id),
                    [] => Err(format!("the account has no {} \"{name}\"; {}", self.what, self.all())),
                    several => Err(format!(
                        "the account has {} entries \"{name}\"; give one of the ids {}",
                        several.len(),
                        several.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
                    )),
                }
            }
        }
    }

    fn all(&self) -> String {
        /// More would hide the message.
        const SHOWN: usize = 40;
        if self.entries.is_empty() {
            return "it has none at all".to_owned();
        }
        let mut names: Vec<String> =
            self.entries.iter().take(SHOWN).map(|(id, name)| format!("\"{}\" ({id})", name.trim())).collect();
        if self.entries.len() > SHOWN {
            names.push(format!("and {} more", self.entries.len() - SHOWN));
        }
        format!("there are: {}", names.join(", "))
    }

    fn name(&self, id: i64) -> NameOrId {
        let mut named = self.entries.iter().filter(|(known, _)| *known == id);
        let Some((_, name)) = named.next() else { return NameOrId::Id(id) };
        let same = |known: &str| known.trim().to_lowercase() == name.trim().to_lowercase();
        let alone = self.entries.iter().filter(|(_, known)| same(known)).count() == 1;
        if alone { NameOrId::Name(name.trim().to_owned()) } else { NameOrId::Id(id) }
    }
}

struct Resolver<'a> {
    problems: Vec<Problem>,
    prefix: &'a str,
}

impl Resolver<'_> {
    fn one(&mut self, field: &str, list: &List<'_>, wanted: Option<&NameOrId>) -> Option<i64> {
        match list.find(wanted?) {
            Ok(id) => Some(id),
            Err(problem) => {
                self.problems.push(Problem::new(format!("{}{field}", self.prefix), problem));
                None
            }
        }
    }

    fn set(&mut self, field: &str, list: &List<'_>, wanted: &[NameOrId]) -> BTreeSet<i64> {
        wanted.iter().filter_map(|one| self.one(field, list, Some(one))).collect()
    }
}

/// Settings with the account's ids, checked against its lists and against each other. `prefix` stands before field names in
/// problems.
///
/// # Errors
/// Every single thing that is wrong.
pub fn settings(
    given: &ConnectionSettingsIn,
    choices: &Choices,
    prefix: &str,
) -> Result<ConnectionSettings, Vec<Problem>> {
    let statuses = List::statuses(choices);
    let warehouses = List::of("warehouse", &choices.warehouses);
    let channels = List::of("channel", &choices.channels);
    let methods = List::of("shipping method", &choices.ship_methods);
    let price_lists = List::of("price list", &choices.price_lists);
    let mut resolver = Resolver { problems: Vec::new(), prefix };
    let resolved = ConnectionSettings {
        start_mode: given.start_mode,
        import_statuses: resolver.set("import_statuses", &statuses, &given.import_statuses),
        warehouse: resolver.one("warehouse", &warehouses, given.warehouse.as_ref()),
        import_warehouses: resolver.set("import_warehouses", &warehouses, &given.import_warehouses),
        channels: resolver.set("channels", &channels, &given.channels),
        placed_from: given.placed_from,
        at_warehouse_status: resolver.one("at_warehouse_status", &statuses, given.at_warehouse_status.as_ref()),
        shipped_status: resolver.one("shipped_status", &statuses, given.shipped_status.as_ref()),
        partly_shipped_status: resolver.one("partly_shipped_status", &statuses, given.partly_shipped_status.as_ref()),
        price_list: resolver.one("price_list", &price_lists, given.price_list.as_ref()),
        unmapped_sku: given.unmapped_sku,
        default_ship_method: given.default_ship_method.clone(),
        default_source_method: resolver.one("default_source_method", &methods, given.default_source_method.as_ref()),
        short_ship: given.short_ship,
        key_prefix: given.key_prefix.clone().filter(|prefix| !prefix.is_empty()),
        hold_minutes: given.hold_minutes,
        on_change: given.on_change,
        cancel_deadline_minutes: given.cancel_deadline_minutes,
        cancel_owner: given.cancel_owner.clone().filter(|owner| !owner.trim().is_empty()),
        facility: given.facility.clone().filter(|facility| !facility.is_empty()),
        stock: StockSettings::from(&given.stock),
    };
    let Resolver { mut problems, .. } = resolver;
    if problems.is_empty() {
        problems.extend(resolved.problems().into_iter().map(|problem| {
            let (field, problem) =
                problem.split_once(": ").map_or(("", problem.as_str()), |(field, rest)| (field, rest));
            Problem::new(format!("{prefix}{field}"), problem)
        }));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// One shipping method.
///
/// # Errors
/// When the account has none of this name or id.
pub fn ship_method(wanted: &NameOrId, choices: &Choices) -> Result<i64, String> {
    List::of("shipping method", &choices.ship_methods).find(wanted)
}

/// One warehouse of the account.
///
/// # Errors
/// When the account has none of this name or id.
pub fn warehouse(wanted: &NameOrId, choices: &Choices) -> Result<i64, String> {
    List::of("warehouse", &choices.warehouses).find(wanted)
}

/// The account's names for ids, for showing and for files.
pub struct Names<'a> {
    statuses: List<'a>,
    warehouses: List<'a>,
    channels: List<'a>,
    methods: List<'a>,
    price_lists: List<'a>,
}

impl<'a> Names<'a> {
    /// From the account's lists.
    pub fn of(choices: &'a Choices) -> Self {
        Self {
            statuses: List::statuses(choices),
            warehouses: List::of("warehouse", &choices.warehouses),
            channels: List::of("channel", &choices.channels),
            methods: List::of("shipping method", &choices.ship_methods),
            price_lists: List::of("price list", &choices.price_lists),
        }
    }

    /// A shipping method, by name where that is clear.
    pub fn ship_method(&self, id: i64) -> NameOrId {
        self.methods.name(id)
    }

    /// A warehouse, by name where that is clear.
    pub fn warehouse(&self, id: i64) -> NameOrId {
        self.warehouses.name(id)
    }

    /// Settings as a person writes them: names where they are clear, ids elsewhere.
    pub fn settings(&self, settings: &ConnectionSettings) -> ConnectionSettingsIn {
        let set = |list: &List<'_>, ids: &BTreeSet<i64>| ids.iter().map(|id| list.name(*id)).collect::<Vec<_>>();
        ConnectionSettingsIn {
            start_mode: settings.start_mode,
            import_statuses: set(&self.statuses, &settings.import_statuses),
            warehouse: settings.warehouse.map(|id| self.warehouses.name(id)),
            import_warehouses: set(&self.warehouses, &settings.import_warehouses),
            channels: set(&self.channels, &settings.channels),
            placed_from: settings.placed_from,
            at_warehouse_status: settings.at_warehouse_status.map(|id| self.statuses.name(id)),
            shipped_status: settings.shipped_status.map(|id| self.statuses.name(id)),
            partly_shipped_status: settings.partly_shipped_status.map(|id| self.statuses.name(id)),
            price_list: settings.price_list.map(|id| self.price_lists.name(id)),
            unmapped_sku: settings.unmapped_sku,
            default_ship_method: settings.default_ship_method.clone(),
            default_source_method: settings.default_source_method.map(|id| self.methods.name(id)),
            short_ship: settings.short_ship,
            key_prefix: settings.key_prefix.clone(),
            hold_minutes: settings.hold_minutes,
            on_change: settings.on_change,
            cancel_deadline_minutes: settings.cancel_deadline_minutes,
            cancel_owner: settings.cancel_owner.clone(),
            facility: settings.facility.clone(),
            stock: StockSettingsIn::from(&settings.stock),
        }
    }
}
