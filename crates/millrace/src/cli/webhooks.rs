//! Outgoing webhooks, typed.

use serde_json::json;

use super::{
    Session,
    args::notify::{Replay, Webhooks},
    orders::more,
    people::query,
    print::{self, Printer, table, time, yes},
};
use crate::operate::{
    Failure, PageOut,
    deliveries::{self, DeliveriesQuery, DeliveryDetailOut, DeliveryOut, ReplayIn},
    outlets::{self, NewWebhookIn, RotateIn, UpdateWebhookIn, WebhookOut},
};

/// Runs one of the commands on webhooks.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Webhooks, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Webhooks::List { paging } => {
            let found = outlets::list(hub, caller, &query(paging)).await?;
            printer.answer(&found, |found| more(webhooks(&found.items), found.next.as_deref()))
        }
        Webhooks::Show { webhook } => printer.answer(&outlets::show(hub, caller, &webhook).await?, one),
        Webhooks::Create { name, url, events, merchant } => {
            let made = outlets::create(hub, caller, NewWebhookIn { name, url, events, merchant }).await?;
            printer.answer(&made, |made| {
                format!("{}\nsecret: {}\nThe secret is shown this once.", one(&made.webhook), made.secret)
            })
        }
        Webhooks::Update { webhook, name, url, events, enabled } => {
            let before = outlets::show(hub, caller, &webhook).await?;
            let given = UpdateWebhookIn {
                name: name.unwrap_or(before.name),
                url: url.unwrap_or(before.url),
                events: events.unwrap_or(before.events),
                enabled: enabled.unwrap_or(before.enabled),
            };
            printer.answer(&outlets::update(hub, caller, &before.id, given).await?, one)
        }
        Webhooks::Delete { webhook } => {
            outlets::delete(hub, caller, &webhook).await?;
            printer.answer(&json!({ "deleted": webhook }), |_| "Deleted.".to_owned())
        }
        Webhooks::Rotate { webhook, hours } => {
            let made = outlets::rotate(hub, caller, &webhook, &RotateIn { hours: Some(hours) }).await?;
            printer.answer(&made, |made| {
                format!(
                    "secret: {}\nIt is shown this once. Messages are signed with the old one too until {}.",
                    made.secret, made.old_valid_until
                )
            })
        }
        Webhooks::Test { webhook } => sent(&deliveries::test_webhook(hub, caller, &webhook).await?, printer),
        Webhooks::Deliveries { webhook, state, paging } => {
            let state = state.map(|state| state.as_str().to_owned());
            let query = DeliveriesQuery { state, limit: Some(paging.limit), cursor: paging.cursor };
            page(&deliveries::of_webhook(hub, caller, &webhook, &query).await?, printer)
        }
        Webhooks::Delivery { delivery } => printer.answer(&deliveries::show(hub, caller, &delivery).await?, whole),
        Webhooks::Replay(Replay { what, from: Some(from), until }) => {
            let done = deliveries::replay_range(hub, caller, &what, &ReplayIn { from, until }).await?;
            printer.answer(&done, |done| format!("{} events go (again).", done.events))
        }
        Webhooks::Replay(Replay { what, from: None, .. }) => {
            sent(&deliveries::replay(hub, caller, &what).await?, printer)
        }
    }
}

/// A delivery that goes now.
pub(super) fn sent(delivery: &DeliveryOut, printer: Printer) -> Result<(), Failure> {
    printer.answer(delivery, |delivery| {
        format!("{0} goes as soon as a server runs; see: millrace webhooks delivery {0}", delivery.id)
    })
}

/// A page of deliveries.
pub(super) fn page(page: &PageOut<DeliveryOut>, printer: Printer) -> Result<(), Failure> {
    printer.answer(page, |page| {
        let rows = page.items.iter().map(|delivery| {
            [
                delivery.id.clone(),
                time(Some(delivery.created_at)),
                delivery.kind.clone(),
                delivery.event.clone().unwrap_or_default(),
                delivery.state.clone(),
                delivery.tries.to_string(),
                time(delivery.next_at),
            ]
        });
        more(table(["ID", "MADE", "OF", "EVENT", "STATE", "TRIES", "NEXT TRY"], rows), page.next.as_deref())
    })
}

fn whole(detail: &DeliveryDetailOut) -> String {
    let delivery = &detail.delivery;
    let rows = detail.attempts.iter().map(|attempt| {
        [
            time(Some(attempt.at)),
            format!("{} ms", attempt.took_ms),
            attempt.status.map(|status| status.to_string()).unwrap_or_default(),
            attempt.problem.clone().unwrap_or_else(|| "taken".to_owned()),
            attempt.answer.chars().take(80).collect(),
        ]
    });
    let tries = table(["AT", "TOOK", "STATUS", "", "ANSWER"], rows);
    print::clean(&format!("{} to {}: {}\n\n{}\n\n{tries}", delivery.id, delivery.to, delivery.state, detail.body))
}

fn webhooks(list: &[WebhookOut]) -> String {
    let rows = list.iter().map(|webhook| {
        let state = match (&webhook.disabled_why, webhook.failing_since) {
            (Some(why), _) => format!("switched off: {why}"),
            (None, Some(since)) => format!("takes nothing since {}", time(Some(since))),
            (None, None) => String::new(),
        };
        [
            webhook.id.clone(),
            webhook.name.clone(),
            webhook.url.clone(),
            webhook.events.join(", "),
            yes(webhook.enabled),
            state,
        ]
    });
    table(["ID", "NAME", "URL", "EVENTS", "ON", ""], rows)
}

fn one(webhook: &WebhookOut) -> String {
    webhooks(std::slice::from_ref(webhook))
}
