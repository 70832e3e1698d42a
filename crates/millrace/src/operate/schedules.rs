//! Schedules of channels: the rules by which one runs, when it runs next, and what became of its runs.

use std::collections::BTreeSet;

use engine::schedule::{self, Block, Day, MOST_RULES, Rule};
use jiff::{Timestamp, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder, Type},
};

use super::{
    Caller, Failure, Hub, PageOut, PagingQuery, Problem, Role, check,
    connections::{channel_kind, find},
};
use crate::db::{Channel, ChannelKind, ChannelRun, ConnectionKey, Counts, RunCause};

/// Moments shown before they come.
const PREVIEWED: usize = 5;

/// Rules for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleIn {
    /// The time zone in which the rules are read, by its IANA name, e.g. `Europe/London`; where not given, the one set before,
    /// else the account's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whichever fires, runs. None: the channel keeps its own pace.
    #[schema(max_items = 20)]
    pub rules: Vec<RuleIn>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleIn {
    /// Every so many minutes, counted from midnight.
    Minutely {
        /// How many.
        #[schema(minimum = 1, maximum = 720)]
        minutes: u32,
    },
    /// Every so many hours, counted from midnight, at one minute of the hour.
    Hourly {
        /// How many.
        #[schema(minimum = 1, maximum = 12)]
        hours: u32,
        /// The minute of the hour.
        #[schema(minimum = 0, maximum = 59)]
        minute: u32,
    },
    /// Once a day.
    Daily {
        /// The time of day, `HH:MM`.
        #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
        at: String,
    },
    /// On some days of the week, within some hours.
    Flexible {
        /// Their English names, in small letters.
        #[schema(schema_with = days)]
        days: BTreeSet<Day>,
        /// The hours.
        #[schema(min_items = 1, max_items = 24)]
        blocks: Vec<BlockIn>,
        /// Every so many minutes, counted from the start of each block.
        #[schema(minimum = 1, maximum = 720)]
        minutes: u32,
    },
}

/// Hours of a day: from one full hour until another, which is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockIn {
    /// The first hour.
    #[schema(minimum = 0, maximum = 23)]
    pub from: u32,
    /// The hour that is no more part of it.
    #[schema(minimum = 1, maximum = 24)]
    pub to: u32,
}

fn days() -> utoipa::openapi::schema::Array {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let day = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    ArrayBuilder::new().items(day).unique_items(true).min_items(Some(1)).build()
}

/// When a channel runs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScheduleOut {
    /// The time zone of the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The rules; none: its own pace.
    pub rules: Vec<RuleIn>,
    /// The same in words.
    pub recurrence: String,
    /// The next moments at which a rule fires, whether the channel is switched on or not.
    #[schema(value_type = Vec<String>)]
    pub next_runs: Vec<Timestamp>,
}

/// One run of a channel.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelRunOut {
    /// `chr_…`
    pub id: String,
    /// Why it was begun: `schedule` (a rule), `pace` (the channel's own), `event` (a call, or something that happened here),
    /// `person`.
    pub cause: String,
    /// Which person, as the audit trail names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// `running`, `done`, `failed`, or `cut_off`: the program ended in the middle of it, and the next run went on.
    pub outcome: String,
    /// What it did, or what it failed of.
    pub summary: String,
    /// What it counted: while it runs, so far.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    pub counts: Counts,
    /// How much of `total` it has done.
    pub done: u64,
    /// How much there is to do, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl From<ChannelRun> for ChannelRunOut {
    fn from(run: ChannelRun) -> Self {
        let ChannelRun { id, cause, started_at, ended_at, end, words, counts, done, total } = run;
        Self {
            id,
            outcome: end.map_or("running", |end| end.as_str()).to_owned(),
            started_at,
            ended_at,
            summary: words,
            counts,
            done,
            total,
            cause: cause.as_str().to_owned(),
            asked_by: match cause {
                RunCause::Person(person) => Some(person),
                _ => None,
            },
        }
    }
}

impl From<&Rule> for RuleIn {
    fn from(rule: &Rule) -> Self {
        match rule {
            Rule::Minutely { minutes } => Self::Minutely { minutes: *minutes },
            Rule::Hourly { hours, minute } => Self::Hourly { hours: *hours, minute: *minute },
            Rule::Daily { at } => Self::Daily { at: at.strftime("%H:%M").to_string() },
            Rule::Flexible { days, blocks, minutes } => Self::Flexible {
                days: days.clone(),
                blocks: blocks.iter().map(|block| BlockIn { from: block.from, to: block.to }).collect(),
                minutes: *minutes,
            },
        }
    }
}

impl RuleIn {
    /// The rule, or what makes it none: the field and what to enter.
    fn rule(&self) -> Result<Rule, String> {
        let rule = match self {
            Self::Minutely { minutes } => Rule::Minutely { minutes: *minutes },
            Self::Hourly { hours, minute } => Rule::Hourly { hours: *hours, minute: *minute },
            Self::Daily { at } => Rule::Daily {
                at: Time::strptime("%H:%M", at).map_err(|_| "at: give a time of day, e.g. 02:00".to_owned())?,
            },
            Self::Flexible { days, blocks, minutes } => Rule::Flexible {
                days: days.clone(),
                blocks: blocks.iter().map(|block| Block { from: block.from, to: block.to }).collect(),
                minutes: *minutes,
            },
        };
        rule.problem().map_or(Ok(rule), |problem| Err(problem.to_owned()))
    }
}

impl ScheduleIn {
    /// The rules, or everything that is wrong with what was given.
    ///
    /// # Errors
    /// Each field with what to enter there.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, Vec<Problem>> {
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        if self.rules.len() > MOST_RULES {
            problems.push(Problem::new("rules", format!("give at most {MOST_RULES}")));
        }
        for (index, given) in self.rules.iter().enumerate() {
            match given.rule() {
                Ok(rule) => rules.push(rule),
                Err(problem) => {
                    let (field, what) = problem.split_once(": ").unwrap_or(("", &problem));
                    problems.push(Problem::new(format!("rules.{index}.{field}"), what));
                }
            }
        }
        if self.zone.as_ref().is_some_and(|zone| TimeZone::get(zone).is_err()) {
            problems.push(Problem::new("zone", "give the IANA name of a time zone, e.g. Europe/London"));
        }
        if problems.is_empty() { Ok(rules) } else { Err(problems) }
    }
}

/// When a channel runs, in words.
pub(super) fn recurrence(channel: &Channel) -> String {
    match &channel.schedule {
        Some(schedule) => format!("{} ({})", schedule::words(&schedule.rules), schedule.zone),
        None if channel.every_seconds == 1 => "every second".to_owned(),
        None => format!("every {} seconds", channel.every_seconds),
    }
}

/// When a channel runs, and the next moments.
///
/// # Errors
/// When there is no such connection or channel.
pub async fn show(hub: &Hub, caller: &Caller, named: &str, channel: &str) -> Result<ScheduleOut, Failure> {
    let kind = channel_kind(channel)?;
    out(hub, &find(hub, caller, named).await?, kind).await
}

async fn out(hub: &Hub, key: &ConnectionKey, kind: ChannelKind) -> Result<ScheduleOut, Failure> {
    let channel = one(hub, key, kind).await?;
    let recurrence = recurrence(&channel);
    let Some(schedule) = channel.schedule else {
        return Ok(ScheduleOut { zone: None, rules: Vec::new(), recurrence, next_runs: Vec::new() });
    };
    let zone = TimeZone::get(&schedule.zone);
    let next_runs = zone.map(|zone| schedule::preview(&schedule.rules, &zone, hub.seams.clock.now(), PREVIEWED));
    Ok(ScheduleOut {
        rules: schedule.rules.iter().map(RuleIn::from).collect(),
        zone: Some(schedule.zone),
        recurrence,
        next_runs: next_runs.unwrap_or_default(),
    })
}

async fn one(hub: &Hub, key: &ConnectionKey, kind: ChannelKind) -> Result<Channel, Failure> {
    let channels = hub.db.channels(key).await?;
    let found = channels.into_iter().find(|channel| channel.kind == kind);
    found.ok_or_else(|| Failure::not_found(format!("channel {}", kind.as_str())))
}

/// Sets the rules of a channel. It keeps them when it is switched off.
///
/// # Errors
/// When a rule or the zone cannot be used: every problem; or when no zone is given and the account cannot be asked.
pub async fn set(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    channel: &str,
    given: &ScheduleIn,
) -> Result<ScheduleOut, Failure> {
    caller.needs(Role::Staff)?;
    let kind = channel_kind(channel)?;
    let key = find(hub, caller, named).await?;
    let before = one(hub, &key, kind).await?;
    let (zone, rules) = checked(hub, &key, Some(&before), given).await?;
    keep(hub, caller, &key, Some(&before), kind, &zone, rules).await?;
    out(hub, &key, kind).await
}

/// The zone and the rules as they are to be kept.
pub(super) async fn checked(
    hub: &Hub,
    key: &ConnectionKey,
    before: Option<&Channel>,
    given: &ScheduleIn,
) -> Result<(String, Vec<Rule>), Failure> {
    let rules = given.rules().map_err(|problems| {
        let all: Vec<String> = problems.iter().map(Problem::to_string).collect();
        Failure::invalid(format!("the schedule cannot be used: {}", all.join("; ")), problems)
    })?;
    if rules.is_empty() {
        return Ok((String::new(), rules));
    }
    let kept = before.and_then(|before| before.schedule.as_ref()).map(|schedule| schedule.zone.clone());
    let zone = match given.zone.clone().or(kept) {
        Some(zone) => zone,
        None => check::source_of(hub, key).await?.choices().await?.time_zone,
    };
    if TimeZone::get(&zone).is_err() {
        return Err(Failure::invalid(
            format!("the account's time zone, {zone:?}, is not one that is known here"),
            vec![Problem::new("zone", "give the IANA name of a time zone, e.g. Europe/London")],
        ));
    }
    Ok((zone, rules))
}

/// Keeps rules, with their row in the audit trail; the same ones again change nothing, not even when they fire next.
pub(super) async fn keep(
    hub: &Hub,
    caller: &Caller,
    key: &ConnectionKey,
    before: Option<&Channel>,
    kind: ChannelKind,
    zone: &str,
    rules: Vec<Rule>,
) -> Result<(), Failure> {
    let kept = before.and_then(|before| before.schedule.as_ref());
    let same = match kept {
        Some(kept) => kept.zone == zone && kept.rules == rules,
        None => rules.is_empty(),
    };
    if same {
        return Ok(());
    }
    let words =
        |rules: &[Rule], zone: &str| (!rules.is_empty()).then(|| format!("{} ({zone})", schedule::words(rules)));
    let detail = serde_json::json!({
        "channel": kind.as_str(),
        "before": kept.and_then(|kept| words(&kept.rules, &kept.zone)),
        "after": words(&rules, zone),
    });
    hub.db.set_schedule(key, kind, zone, rules).await?;
    hub.db.audit(&caller.access(), &caller.actor, "connection.schedule", key.connection.as_str(), &detail).await?;
    Ok(())
}

/// What became of the runs of a channel, newest first.
///
/// # Errors
/// When there is no such connection or channel.
pub async fn runs(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    channel: &str,
    query: &PagingQuery,
) -> Result<PageOut<ChannelRunOut>, Failure> {
    let kind = channel_kind(channel)?;
    let key = find(hub, caller, named).await?;
    let page = hub.db.channel_runs(&key, kind, query.cursor.clone(), query.limit()).await?;
    Ok(PageOut { items: page.items.into_iter().map(ChannelRunOut::from).collect(), next: page.next })
}
