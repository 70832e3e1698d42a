//! The rows of what is set up, in the order of their columns. They are made of what lists show, so that no secret is in them.

use std::collections::BTreeMap;

use super::rows::{Row, text};
use crate::operate::{
    alert_channels::AlertChannelOut,
    alerts::PolicyOut,
    backups::KeptBackupOut,
    connections::ConnectionOut,
    endpoints::{EndpointOut, MerchantOut},
    hand_offs::HandOffOut,
    keys::KeyOut,
    links::InvitationOut,
    outlets::WebhookOut,
    people::PersonOut,
    tenants::TenantOut,
};

pub(super) fn merchant(one: MerchantOut) -> Row {
    vec![one.id, one.name]
}

pub(super) fn endpoint(one: EndpointOut) -> Row {
    vec![one.id, one.name, one.merchant, one.platform, pairs(&one.settings), one.secrets.join(" ")]
}

pub(super) fn connection(one: ConnectionOut) -> Row {
    let on = one.channels.iter().filter(|channel| channel.enabled).map(|channel| channel.channel.as_str());
    vec![
        one.id,
        one.name,
        one.merchant,
        one.store,
        one.store_name,
        one.warehouse,
        one.warehouse_name,
        one.enabled.to_string(),
        one.state,
        on.collect::<Vec<_>>().join(" "),
        pairs(&one.paused),
    ]
}

pub(super) fn alert_channel(one: AlertChannelOut) -> Row {
    vec![
        one.id,
        one.name,
        one.kind,
        one.merchant.unwrap_or_default(),
        one.to.join(" "),
        one.host.unwrap_or_default(),
        one.enabled.to_string(),
        one.problem.unwrap_or_default(),
        text(one.failing_since),
        text(one.last_message_at),
    ]
}

pub(super) fn alert_policy(one: PolicyOut) -> Row {
    let quiet = one.quiet.map(|quiet| format!("{}-{} {}", quiet.from, quiet.until, quiet.zone));
    vec![
        one.id,
        one.name,
        one.enabled.to_string(),
        one.merchant.unwrap_or_default(),
        one.kinds.join(" "),
        one.connections.join(" "),
        one.channels.join(" "),
        one.remind_hours.to_string(),
        quiet.unwrap_or_default(),
    ]
}

pub(super) fn webhook(one: WebhookOut) -> Row {
    vec![
        one.id,
        one.name,
        one.merchant.unwrap_or_default(),
        one.url,
        one.events.join(" "),
        one.enabled.to_string(),
        one.disabled_why.unwrap_or_default(),
        text(one.failing_since),
        one.created_at.to_string(),
    ]
}

pub(super) fn hand_off(one: HandOffOut) -> Row {
    vec![
        one.id,
        one.merchant,
        one.store.unwrap_or_default(),
        one.warehouse.unwrap_or_default(),
        one.side.as_str().to_owned(),
        one.name,
        one.platform,
        one.fields.into_iter().collect::<Vec<_>>().join(" "),
        one.state,
        one.created_by,
        one.created_at.to_string(),
        one.expires_at.to_string(),
        text(one.opened_at),
        one.tests.to_string(),
        text(one.tested_at),
        text(one.worked),
        text(one.saved_at),
    ]
}

pub(super) fn person(one: PersonOut) -> Row {
    vec![
        one.id,
        one.email,
        one.name,
        one.role,
        one.merchants.unwrap_or_default().join(" "),
        one.installation.to_string(),
        one.disabled.to_string(),
        one.second_factor.to_string(),
        one.linked.to_string(),
        one.created_at.to_string(),
    ]
}

pub(super) fn invitation(one: InvitationOut) -> Row {
    vec![
        one.id,
        one.email,
        one.name,
        one.role,
        one.merchants.unwrap_or_default().join(" "),
        one.state,
        one.created_by,
        one.created_at.to_string(),
        one.expires_at.to_string(),
    ]
}

pub(super) fn key(one: KeyOut) -> Row {
    vec![
        one.id,
        one.name,
        one.role,
        one.scopes.join(" "),
        one.merchant.unwrap_or_default(),
        one.warehouse.unwrap_or_default(),
        one.installation.to_string(),
        one.created_at.to_string(),
        text(one.expires_at),
        text(one.last_used_at),
        text(one.revoked_at),
    ]
}

pub(super) fn tenant(one: TenantOut) -> Row {
    vec![one.id, one.name, one.created_at.to_string(), text(one.disabled_at), one.people.to_string()]
}

pub(super) fn backup(one: KeptBackupOut) -> Row {
    vec![one.id, one.file, one.bytes.to_string(), one.taken_at.to_string()]
}

/// Names and what stands for each, in one cell.
fn pairs(pairs: &BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}
