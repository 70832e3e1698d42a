//! What differs, field by field, for people.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ConnectionSettingsIn;
use crate::db::Mappings;

/// One field that differs. A secret shows that it differs, never what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// Which.
    pub field: String,
    /// What it is; absent where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it becomes; absent where it is unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

pub(super) fn flat_differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Difference> {
    let fields: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field))
        .map(|field| Difference {
            field: field.clone(),
            before: before.get(field).cloned(),
            after: after.get(field).cloned(),
        })
        .collect()
}

pub(super) fn settings_differences(before: &ConnectionSettingsIn, after: &ConnectionSettingsIn) -> Vec<Difference> {
    let flat = |settings: &ConnectionSettingsIn| {
        let mut fields = BTreeMap::new();
        flatten("", &serde_json::to_value(settings).unwrap_or_default(), &mut fields);
        fields
    };
    flat_differences(&flat(before), &flat(after))
}

/// Dotted names of all values that are set.
fn flatten(prefix: &str, value: &Value, fields: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(object) => {
            for (name, value) in object {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, fields);
            }
        }
        Value::Array(entries) if entries.is_empty() => {}
        Value::Array(entries) => {
            let texts: Vec<String> = entries.iter().map(plain).collect();
            fields.insert(prefix.to_owned(), texts.join(", "));
        }
        other => {
            fields.insert(prefix.to_owned(), plain(other));
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn table_differences(before: &Mappings, after: &Mappings) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut table = |field: &str, before: (usize, bool), after: usize| {
        let (before, same) = before;
        if !same {
            differences.push(Difference {
                field: field.to_owned(),
                before: Some(format!("{before} entries")),
                after: Some(format!("{after} entries")),
            });
        }
    };
    table("listings", (before.listings.len(), before.listings == after.listings), after.listings.len());
    table("kits", (before.kits.len(), before.kits == after.kits), after.kits.len());
    table(
        "ship_methods",
        (before.ship_methods.len(), before.ship_methods == after.ship_methods),
        after.ship_methods.len(),
    );
    table(
        "source_methods",
        (before.source_methods.len(), before.source_methods == after.source_methods),
        after.source_methods.len(),
    );
    table("locations", (before.locations.len(), before.locations == after.locations), after.locations.len());
    differences
}
