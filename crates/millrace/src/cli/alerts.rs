//! Alerts, typed.

use std::{io::Read as _, path::Path};

use serde_json::json;

use super::{
    Session,
    args::notify::{AlertChannels, AlertPolicies, Alerts, PolicyOptions},
    orders::more,
    people::query,
    print::{self, Printer, table, time, yes},
    webhooks::{page, sent},
};
use crate::operate::{
    Failure, Problem,
    alert_channels::{self, AlertChannelOut, ChannelKindIn, NewAlertChannelIn, UpdateAlertChannelIn},
    alerts::{self, AcknowledgeIn, IssueOut, IssuesQuery, PolicyIn, PolicyOut, Quiet, SnoozeIn},
    deliveries::{self, DeliveriesQuery},
    endpoints::SecretIn,
};

/// Longest file that holds an address, in bytes.
const LONGEST: u64 = 16 * 1024;

/// Runs one of the commands on alerts.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Alerts, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Alerts::Issues { all, kind, connection, paging } => {
            let query = IssuesQuery { all, kind, connection, limit: Some(paging.limit), cursor: paging.cursor };
            let found = alerts::issues(hub, caller, query).await?;
            printer.answer(&found, |found| more(issues(&found.items), found.next.as_deref()))
        }
        Alerts::Show { issue } => printer.answer(&alerts::issue(hub, caller, &issue).await?, one),
        Alerts::Acknowledge { issue, undo } => {
            printer.answer(&alerts::acknowledge(hub, caller, &issue, &AcknowledgeIn { undo }).await?, one)
        }
        Alerts::Snooze { issue, hours } => {
            printer.answer(&alerts::snooze(hub, caller, &issue, &SnoozeIn { hours }).await?, one)
        }
        Alerts::Channels(command) => channels(session, command, printer).await,
        Alerts::Policies(command) => policies(session, command, printer).await,
    }
}

async fn channels(session: &Session, command: AlertChannels, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        AlertChannels::List { paging } => {
            let found = alert_channels::list(hub, caller, &query(paging)).await?;
            printer.answer(&found, |found| more(channel_rows(&found.items), found.next.as_deref()))
        }
        AlertChannels::CreateEmail { name, to, merchant } => {
            let given = NewAlertChannelIn { name, kind: ChannelKindIn::Email, to, url: None, merchant };
            printer.answer(&alert_channels::create(hub, caller, given).await?, one_channel)
        }
        AlertChannels::CreateChat { name, url_file, merchant } => {
            let url = Some(read(&url_file)?);
            let given = NewAlertChannelIn { name, kind: ChannelKindIn::Chat, to: Vec::new(), url, merchant };
            printer.answer(&alert_channels::create(hub, caller, given).await?, one_channel)
        }
        AlertChannels::Update { channel, name, to, url_file, enabled } => {
            let before = alert_channels::show(hub, caller, &channel).await?;
            let given = UpdateAlertChannelIn {
                name: name.unwrap_or(before.name),
                to: to.unwrap_or(before.to),
                url: url_file.as_deref().map(read).transpose()?,
                enabled: enabled.unwrap_or(before.enabled),
            };
            printer.answer(&alert_channels::update(hub, caller, &before.id, given).await?, one_channel)
        }
        AlertChannels::Delete { channel } => {
            alert_channels::delete(hub, caller, &channel).await?;
            printer.answer(&json!({ "deleted": channel }), |_| "Deleted.".to_owned())
        }
        AlertChannels::Test { channel } => sent(&deliveries::test_channel(hub, caller, &channel).await?, printer),
        AlertChannels::Deliveries { channel, state, paging } => {
            let state = state.map(|state| state.as_str().to_owned());
            let query = DeliveriesQuery { state, limit: Some(paging.limit), cursor: paging.cursor };
            page(&deliveries::of_channel(hub, caller, &channel, &query).await?, printer)
        }
    }
}

async fn policies(session: &Session, command: AlertPolicies, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        AlertPolicies::List { paging } => {
            let found = alerts::list_policies(hub, caller, &query(paging)).await?;
            printer.answer(&found, |found| more(policy_rows(&found.items), found.next.as_deref()))
        }
        AlertPolicies::Create { name, merchant, options } => {
            let given = PolicyIn {
                name,
                enabled: true,
                merchant,
                kinds: Vec::new(),
                connections: Vec::new(),
                channels: Vec::new(),
                remind_hours: 24,
                quiet: None,
            };
            printer.answer(&alerts::create_policy(hub, caller, with(given, options)?).await?, one_policy)
        }
        AlertPolicies::Update { policy, name, options } => {
            let before = alerts::policy(hub, caller, &policy).await?;
            let given = PolicyIn {
                name: name.unwrap_or(before.name),
                enabled: before.enabled,
                merchant: None,
                kinds: before.kinds,
                connections: before.connections,
                channels: before.channels,
                remind_hours: before.remind_hours,
                quiet: before.quiet,
            };
            printer.answer(&alerts::update_policy(hub, caller, &before.id, with(given, options)?).await?, one_policy)
        }
        AlertPolicies::Delete { policy } => {
            alerts::delete_policy(hub, caller, &policy).await?;
            printer.answer(&json!({ "deleted": policy }), |_| "Deleted.".to_owned())
        }
    }
}

/// A policy with what was typed in the place of what it said.
fn with(before: PolicyIn, options: PolicyOptions) -> Result<PolicyIn, Failure> {
    let quiet = match options.quiet.as_deref() {
        None => before.quiet,
        Some("none") => None,
        Some(text) => match text.split(',').map(str::trim).collect::<Vec<_>>().as_slice() {
            [from, until, zone] => {
                Some(Quiet { from: (*from).to_owned(), until: (*until).to_owned(), zone: (*zone).to_owned() })
            }
            _ => {
                let problem = "give from, until and zone, e.g. 22:00,07:00,Europe/London";
                return Err(Failure::invalid(format!("quiet: {problem}"), vec![Problem::new("quiet", problem)]));
            }
        },
    };
    Ok(PolicyIn {
        kinds: options.kinds.unwrap_or(before.kinds),
        connections: options.connections.unwrap_or(before.connections),
        channels: options.channels.unwrap_or(before.channels),
        remind_hours: options.remind_hours.unwrap_or(before.remind_hours),
        enabled: options.enabled.unwrap_or(before.enabled),
        name: before.name,
        merchant: before.merchant,
        quiet,
    })
}

/// An address out of a file, or standard input: on the command line others of this machine could read it.
fn read(file: &Path) -> Result<SecretIn, Failure> {
    let mut text = String::new();
    let done = if file == Path::new("-") {
        std::io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(LONGEST).read_to_string(&mut text))
    };
    done.map_err(|error| {
        let why = format!("{} cannot be read: {error}", file.display());
        Failure::invalid(why.clone(), vec![Problem::new("url_file", why)])
    })?;
    Ok(SecretIn::typed(text.trim().to_owned()))
}

fn issues(list: &[IssueOut]) -> String {
    let rows = list.iter().map(|issue| {
        let state = match (&issue.acknowledged_by, issue.snoozed_until) {
            (Some(by), _) => format!("{}, taken on by {by}", issue.state),
            (None, Some(until)) => format!("{}, snoozed until {}", issue.state, time(Some(until))),
            (None, None) => issue.state.clone(),
        };
        let kind = issue.kind.replace('_', " ");
        [issue.id.clone(), kind, state, time(Some(issue.opened_at)), issue.count.to_string(), issue.what.clone()]
    });
    table(["ID", "KIND", "STATE", "SINCE", "TIMES", "WHAT"], rows)
}

fn one(issue: &IssueOut) -> String {
    let subjects =
        if issue.subjects.is_empty() { String::new() } else { format!("\nE.g.: {}", issue.subjects.join(", ")) };
    print::clean(&format!("{}\n\n{}{subjects}", issues(std::slice::from_ref(issue)), issue.remedy))
}

fn channel_rows(list: &[AlertChannelOut]) -> String {
    let rows = list.iter().map(|channel| {
        let place = channel.host.clone().unwrap_or_else(|| channel.to.join(", "));
        let state = match (&channel.problem, channel.failing_since) {
            (Some(problem), _) => problem.clone(),
            (None, Some(since)) => format!("takes nothing since {}", time(Some(since))),
            (None, None) => String::new(),
        };
        [channel.id.clone(), channel.name.clone(), channel.kind.clone(), place, yes(channel.enabled), state]
    });
    table(["ID", "NAME", "KIND", "WHERE", "ON", ""], rows)
}

fn one_channel(channel: &AlertChannelOut) -> String {
    channel_rows(std::slice::from_ref(channel))
}

fn policy_rows(list: &[PolicyOut]) -> String {
    let or = |list: &[String], all: &str| if list.is_empty() { all.to_owned() } else { list.join(", ") };
    let rows = list.iter().map(|policy| {
        let quiet = policy.quiet.as_ref().map(|quiet| format!("{}-{} {}", quiet.from, quiet.until, quiet.zone));
        let remind =
            if policy.remind_hours == 0 { "never".to_owned() } else { format!("every {} h", policy.remind_hours) };
        [
            policy.id.clone(),
            policy.name.clone(),
            or(&policy.kinds, "everything"),
            or(&policy.channels, "all alert channels"),
            remind,
            quiet.unwrap_or_default(),
            yes(policy.enabled),
        ]
    });
    table(["ID", "NAME", "OF", "WHERE", "REMINDERS", "QUIET", "ON"], rows)
}

fn one_policy(policy: &PolicyOut) -> String {
    policy_rows(std::slice::from_ref(policy))
}
