//! Custom fields of orders, and the patch they share with contacts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::brightpearl::account::{Account, Change};
use crate::brightpearl::call::{Answer, Call, PatchStep, Refusal, Reply, boolean, int};
use crate::brightpearl::setup::{CustomField, CustomFieldKind};

pub(crate) fn get(account: &Account, order: i64) -> Answer {
    Ok(Reply::of(json!(account.order(order)?.custom_fields)))
}

pub(crate) fn patch(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    let steps = call.patch()?;
    let fields = patch_fields(&account.custom_fields, account.order(order)?.custom_fields.clone(), &steps)?;
    let out = json!(fields);
    account.change_order(order, Change::Content, call, |order| order.custom_fields = fields)?;
    Ok(Reply::of(out))
}

/// Definitions of the fields of an order kind.
pub(crate) fn meta_data(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let found: Vec<Value> = account
        .custom_fields
        .values()
        .filter(|field| set.as_ref().is_none_or(|set| set.contains(field.id)))
        .map(render)
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No custom fields found"));
    }
    Ok(Reply::of(found))
}

fn render(field: &CustomField) -> Value {
    let mut out = json!({
        "id": field.id, "code": field.code, "name": field.name,
        "customFieldType": field.kind.code(), "required": false
    });
    if let CustomFieldKind::Select(options) = &field.kind {
        let options: serde_json::Map<String, Value> =
            options.iter().map(|(id, value)| (id.to_string(), json!({ "id": id, "value": value }))).collect();
        out["options"] = Value::Object(options);
    }
    out
}

/// Applies a patch; nothing is kept if any step is refused.
pub(crate) fn patch_fields(
    definitions: &BTreeMap<i64, CustomField>,
    mut fields: BTreeMap<String, Value>,
    steps: &[PatchStep],
) -> Result<BTreeMap<String, Value>, Refusal> {
    for step in steps {
        let code = step.path.trim_start_matches('/');
        let known = definitions.values().find(|field| field.code == code).ok_or_else(|| step.unknown_path())?;
        match step.op.as_str() {
            "add" | "replace" => {
                if step.op == "replace" && !fields.contains_key(code) {
                    return Err(Refusal::bad("CMNC-038", format!("The path {} does not exist", step.path)));
                }
                fields.insert(code.to_owned(), stored(known, step)?);
            }
            "remove" => {
                if fields.remove(code).is_none() {
                    return Err(Refusal::bad("CMNC-038", format!("The path {} does not exist", step.path)));
                }
            }
            _ => return Err(step.not_allowed()),
        }
    }
    Ok(fields)
}

/// The value as it will be read back.
fn stored(field: &CustomField, step: &PatchStep) -> Result<Value, Refusal> {
    let unusable = || Refusal::invalid(format!("The value for {} cannot be used", field.code));
    match &field.kind {
        CustomFieldKind::Text => Ok(Value::from(step.value.as_str().ok_or_else(unusable)?)),
        CustomFieldKind::Integer => int(&step.value).map(Value::from).ok_or_else(unusable),
        CustomFieldKind::Boolean => boolean(&step.value).map(Value::from).ok_or_else(unusable),
        CustomFieldKind::Select(options) => {
            let id = step.value.get("id").and_then(int).ok_or_else(unusable)?;
            let value = options.get(&id).ok_or_else(unusable)?;
            Ok(json!({ "id": id, "value": value }))
        }
    }
}
