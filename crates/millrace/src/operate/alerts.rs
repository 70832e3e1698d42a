//! Issues that need a person, and who is told of them.

use engine::alert::AlertKind;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Problem, Role, connections, endpoints, limit, outlets,
    quoted,
};
use crate::{
    db::{AlertPolicy, DEFAULT_POLICY, IssueDecision, IssueQuery, IssueRecord, PolicySettings, QuietHours},
    notify,
};

/// Longest pace of reminders, and longest snooze, in hours.
const LONGEST: u32 = 30 * 24;

/// Something that needs a person: one cause, however often it shows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IssueOut {
    /// Its id.
    pub id: String,
    /// `sending_frozen`, `connection_paused`, `channel_failing`, `channel_late`, `order_error`, `order_held`, `exception`, `effect`,
    /// `effect_unknown`, `unaccounted`, `finding`, `warehouse_silent`, `stock_run`, `delivery_failing`, `backup_overdue`.
    pub kind: String,
    /// `open`, `going` (its cause is gone; it closes if that stays so) or `closed`.
    pub state: String,
    /// Whose; absent for what concerns the whole tenant or the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// Which connection's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// How many things show it.
    pub count: u64,
    /// Ids of some of them.
    pub subjects: Vec<String>,
    /// When it opened.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// When its figures last changed.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// When it closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
    /// When somebody took it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Timestamp>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// Nothing is said of it until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub snoozed_until: Option<Timestamp>,
}

impl From<IssueRecord> for IssueOut {
    fn from(record: IssueRecord) -> Self {
        let IssueRecord { issue, acknowledged_at, acknowledged_by } = record;
        let state = match (issue.closed_at, issue.gone_since) {
            (Some(_), _) => "closed",
            (None, Some(_)) => "going",
            (None, None) => "open",
        };
        let given = |text: String| if text.is_empty() { None } else { Some(text) };
        Self {
            id: issue.id,
            kind: issue.key.kind.as_str().to_owned(),
            state: state.to_owned(),
            merchant: given(issue.key.merchant),
            connection: given(issue.key.connection),
            what: issue.what,
            remedy: issue.key.kind.remedy().to_owned(),
            count: issue.count,
            subjects: issue.subjects,
            opened_at: issue.opened_at,
            last_at: issue.last_at,
            closed_at: issue.closed_at,
            acknowledged_at,
            acknowledged_by,
            snoozed_until: issue.snoozed_until,
        }
    }
}

/// Which issues.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct IssuesQuery {
    /// Closed ones as well.
    pub all: bool,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// Taking an issue on.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AcknowledgeIn {
    /// Gives it back: reminders go on.
    pub undo: bool,
}

/// How long to say nothing of an issue.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnoozeIn {
    /// Hours, up to 720; 0 ends it.
    pub hours: u32,
}

/// Hours in which nothing is said; what is still open is said afterwards.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// From this time of day, e.g. `22:00`.
    pub from: String,
    /// Until this one.
    pub until: String,
    /// Time zone, e.g. `Europe/London`.
    pub zone: String,
}

/// Who is told what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PolicyOut {
    /// Its id; `default` for the one that every tenant has.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// Only this merchant's issues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// Only these kinds; empty: everything that needs a person.
    pub kinds: Vec<String>,
    /// Only of these connections (ids); empty: all.
    pub connections: Vec<String>,
    /// Only there (ids of alert channels and webhooks); empty: in all alert channels.
    pub channels: Vec<String>,
    /// Hours between reminders while an issue is open and nobody has taken it on; 0: none.
    pub remind_hours: u32,
    /// When nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
}

/// A policy, as a whole.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyIn {
    /// Its name; that of the default one stays.
    pub name: String,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Only this merchant's issues (name or id); cannot be changed later.
    #[serde(default)]
    pub merchant: Option<String>,
    /// Only these kinds; empty: everything that needs a person.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Only of these connections (names or ids); empty: all.
    #[serde(default)]
    pub connections: Vec<String>,
    /// Only there (names or ids of alert channels and webhooks); empty: in all alert channels.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Hours between reminders, up to 720; 0: none.
    #[serde(default = "daily")]
    pub remind_hours: u32,
    /// When nothing is said.
    #[serde(default)]
    pub quiet: Option<Quiet>,
}

fn yes() -> bool {
    true
}

fn daily() -> u32 {
    24
}

impl From<AlertPolicy> for PolicyOut {
    fn from(policy: AlertPolicy) -> Self {
        let AlertPolicy { id, merchant, name, enabled, settings } = policy;
        Self {
            id,
            name,
            enabled,
            merchant: merchant.map(|merchant| merchant.to_string()),
            kinds: settings.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
            connections: settings.connections,
            channels: settings.channels,
            remind_hours: settings.remind_hours,
            quiet: settings.quiet.map(|QuietHours { from, until, zone }| Quiet { from, until, zone }),
        }
    }
}

/// The issues the caller may see, newest first.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn issues(hub: &Hub, caller: &Caller, query: IssuesQuery) -> Result<PageOut<IssueOut>, Failure> {
    let connection = match &query.connection {
        Some(named) => Some(connections::find(hub, caller, named).await?.connection.to_string()),
        None => None,
    };
    let kind = query.kind.as_deref().map(kind).transpose()?;
    let limit = limit(query.limit);
    let asked = IssueQuery { all: query.all, kind, connection, after: query.cursor, limit };
    let page = hub.db.list_issues(&caller.access(), asked).await?;
    Ok(PageOut { items: page.items.into_iter().map(IssueOut::from).collect(), next: page.next })
}

/// One issue.
///
/// # Errors
/// When there is none for this caller.
pub async fn issue(hub: &Hub, caller: &Caller, id: &str) -> Result<IssueOut, Failure> {
    Ok(hub.db.issue(&caller.access(), id).await?.into())
}

/// Takes an issue on, or gives it back.
///
/// # Errors
/// When the caller may not, there is none, or it has closed.
pub async fn acknowledge(hub: &Hub, caller: &Caller, id: &str, given: &AcknowledgeIn) -> Result<IssueOut, Failure> {
    caller.needs(Role::Staff)?;
    let decision = IssueDecision::Acknowledge(!given.undo);
    Ok(hub.db.decide_issue(&caller.access(), id, decision, &caller.actor).await?.into())
}

/// Says nothing of an issue for a while.
///
/// # Errors
/// When the caller may not, there is none, it has closed, or the hours are out of bounds.
pub async fn snooze(hub: &Hub, caller: &Caller, id: &str, given: &SnoozeIn) -> Result<IssueOut, Failure> {
    caller.needs(Role::Staff)?;
    let until = match given.hours {
        0 => None,
        hours if hours <= LONGEST => {
            let until = hub.db.now().await?.checked_add(SignedDuration::from_hours(i64::from(hours)));
            Some(until.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?)
        }
        _ => {
            return Err(Failure::invalid(
                "an issue is snoozed for at most 720 hours",
                vec![Problem::new("hours", "give 0 to 720")],
            ));
        }
    };
    Ok(hub.db.decide_issue(&caller.access(), id, IssueDecision::Snooze(until), &caller.actor).await?.into())
}

/// The policies the caller may see, by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list_policies(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<PolicyOut>, Failure> {
    let (access, default) = (caller.access(), notify::default_policy());
    let page = hub.db.list_alert_policies(&access, default, paging.cursor.as_deref(), paging.limit()).await?;
    Ok(PageOut { items: page.items.into_iter().map(PolicyOut::from).collect(), next: page.next })
}

/// All of them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn policies(hub: &Hub, caller: &Caller) -> Result<Vec<PolicyOut>, Failure> {
    let kept = hub.db.alert_policies(&caller.access()).await?;
    // Whoever is limited to a merchant sees its own; the default one is the tenant's.
    let all = if caller.merchants.is_some() { kept } else { notify::with_default(kept) };
    Ok(all.into_iter().map(PolicyOut::from).collect())
}

/// One policy, by name or id.
///
/// # Errors
/// When there is none for this caller.
pub async fn policy(hub: &Hub, caller: &Caller, named: &str) -> Result<PolicyOut, Failure> {
    policies(hub, caller)
        .await?
        .into_iter()
        .find(|policy| policy.id == named || policy.name == named)
        .ok_or_else(|| Failure::not_found(format!("alert policy {}", quoted(named))))
}

/// Makes a policy.
///
/// # Errors
/// When the caller may not, what is given cannot be used, or the name is taken.
pub async fn create_policy(hub: &Hub, caller: &Caller, given: PolicyIn) -> Result<PolicyOut, Failure> {
    caller.needs(Role::Admin)?;
    let merchant = outlets::owner(hub, caller, given.merchant.as_deref()).await?;
    let name = endpoints::name(&given.name)?;
    if name == DEFAULT_POLICY {
        return Err(Failure::conflict("every tenant has the policy \"default\" already")
            .remedy("Change it, or give another name."));
    }
    let settings = settings(hub, caller, &given).await?;
    let policy = AlertPolicy { id: String::new(), merchant, name, enabled: given.enabled, settings };
    let id = hub.db.put_alert_policy(&caller.access(), policy, &caller.actor).await?;
    self::policy(hub, caller, &id).await
}

/// Changes a policy as a whole.
///
/// # Errors
/// As [`create_policy`].
pub async fn update_policy(hub: &Hub, caller: &Caller, named: &str, given: PolicyIn) -> Result<PolicyOut, Failure> {
    caller.needs(Role::Admin)?;
    let found = policy(hub, caller, named).await?;
    let kept = hub.db.alert_policies(&caller.access()).await?;
    let before = kept.into_iter().find(|policy| policy.id == found.id).unwrap_or_else(notify::default_policy);
    let name = if before.id == DEFAULT_POLICY { before.name } else { endpoints::name(&given.name)? };
    let settings = settings(hub, caller, &given).await?;
    let policy = AlertPolicy { name, enabled: given.enabled, settings, id: before.id, merchant: before.merchant };
    let id = hub.db.put_alert_policy(&caller.access(), policy, &caller.actor).await?;
    self::policy(hub, caller, &id).await
}

/// Removes a policy; the default one becomes what it was at first.
///
/// # Errors
/// When the caller may not, or there is none.
pub async fn delete_policy(hub: &Hub, caller: &Caller, named: &str) -> Result<(), Failure> {
    caller.needs(Role::Admin)?;
    let found = policy(hub, caller, named).await?;
    match hub.db.delete_alert_policy(&caller.access(), &found.id, &caller.actor).await {
        Err(crate::db::DbError::NotFound(_)) if found.id == DEFAULT_POLICY => Ok(()),
        done => Ok(done?),
    }
}

fn kind(text: &str) -> Result<AlertKind, Failure> {
    text.parse().map_err(|_| {
        let all: Vec<&str> = AlertKind::ALL.into_iter().map(AlertKind::as_str).collect();
        Failure::invalid(
            format!("{} is not a kind of issue; there are: {}", quoted(text), all.join(", ")),
            vec![Problem::new("kinds", format!("{} is not one", quoted(text)))],
        )
    })
}

async fn settings(hub: &Hub, caller: &Caller, given: &PolicyIn) -> Result<PolicySettings, Failure> {
    let kinds = given.kinds.iter().map(|text| kind(text)).collect::<Result<Vec<_>, _>>()?;
    let mut connections = Vec::new();
    for named in &given.connections {
        connections.push(connections::find(hub, caller, named).await?.connection.to_string());
    }
    let outlets = hub.db.outlets(&caller.access()).await?;
    let mut channels = Vec::new();
    for named in &given.channels {
        let found = outlets.iter().find(|outlet| outlet.id == *named || outlet.name == *named);
        let found = found.ok_or_else(|| Failure::not_found(format!("alert channel {}", quoted(named))))?;
        channels.push(found.id.clone());
    }
    if given.remind_hours > LONGEST {
        return Err(Failure::invalid(
            "reminders come at least every 720 hours, or not at all",
            vec![Problem::new("remind_hours", "give 0 to 720")],
        ));
    }
    let quiet = given.quiet.as_ref().map(|Quiet { from, until, zone }| QuietHours {
        from: from.clone(),
        until: until.clone(),
        zone: zone.clone(),
    });
    if let Some(hours) = &quiet {
        notify::quiet(hours)
            .map_err(|why| Failure::invalid(format!("quiet: {why}"), vec![Problem::new("quiet", why)]))?;
    }
    Ok(PolicySettings { kinds, connections, channels, remind_hours: given.remind_hours, quiet })
}
