//! Schedules of channels and their runs, typed.

use clap::Subcommand;
use engine::schedule::Day;

use super::{
    Session,
    args::{ChannelName, Paging},
    connections::name,
    orders::more,
    print::{self, Printer, table},
};
use crate::operate::{
    Failure, PageOut, PagingQuery, Problem,
    schedules::{self, BlockIn, ChannelRunOut, RuleIn, ScheduleIn, ScheduleOut},
};

/// What to do with the channels of a connection.
#[derive(Debug, Clone, Subcommand)]
pub enum Channels {
    /// Show when a channel runs, or give it rules. Rules given together stand beside each other and replace those before.
    Schedule {
        /// Connection, by name or id.
        connection: String,
        /// Which.
        channel: ChannelName,
        /// Run every so many minutes.
        #[arg(long, value_name = "MINUTES")]
        minutely: Vec<u32>,
        /// Run every so many hours at a minute of the hour: `2:30`.
        #[arg(long, value_name = "HOURS:MINUTE")]
        hourly: Vec<String>,
        /// Run at a time of day: `02:00`.
        #[arg(long, value_name = "HH:MM")]
        daily: Vec<String>,
        /// Run on days, within blocks of hours, every so many minutes: `mon,tue/8-12,13-18/10`.
        #[arg(long, value_name = "DAYS/HOURS/MINUTES")]
        flexible: Vec<String>,
        /// Time zone of the rules, by its IANA name. Where not given, the one set before, else the account's.
        #[arg(long)]
        zone: Option<String>,
        /// Take all rules away: the channel keeps its own pace.
        #[arg(long, conflicts_with_all = ["minutely", "hourly", "daily", "flexible", "zone"])]
        none: bool,
    },
    /// What became of the runs of the last week, newest first.
    Runs {
        /// Connection, by name or id.
        connection: String,
        /// Which.
        channel: ChannelName,
        #[command(flatten)]
        paging: Paging,
    },
}

/// Runs one of the commands.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Channels, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Channels::Schedule { connection, channel, minutely, hourly, daily, flexible, zone, none } => {
            let mut rules: Vec<RuleIn> = minutely.into_iter().map(|minutes| RuleIn::Minutely { minutes }).collect();
            for text in &hourly {
                rules.push(parse_hourly(text).ok_or_else(|| misread("hourly", text, "2:30"))?);
            }
            rules.extend(daily.into_iter().map(|at| RuleIn::Daily { at }));
            for text in &flexible {
                rules.push(parse_flexible(text).ok_or_else(|| misread("flexible", text, "mon,tue/8-12,13-18/10"))?);
            }
            let channel = name(channel);
            let shown = if none || !rules.is_empty() {
                schedules::set(hub, caller, &connection, channel, &ScheduleIn { zone, rules }).await?
            } else {
                let before = schedules::show(hub, caller, &connection, channel).await?;
                match zone {
                    // The rules stay, and are read in another zone.
                    Some(zone) => {
                        let given = ScheduleIn { zone: Some(zone), rules: before.rules };
                        schedules::set(hub, caller, &connection, channel, &given).await?
                    }
                    None => before,
                }
            };
            printer.answer(&shown, text)
        }
        Channels::Runs { connection, channel, paging } => {
            let query = PagingQuery { limit: Some(paging.limit), cursor: paging.cursor };
            printer.answer(&schedules::runs(hub, caller, &connection, name(channel), &query).await?, runs)
        }
    }
}

fn misread(option: &str, text: &str, example: &str) -> Failure {
    Failure::invalid(
        format!("--{option} {text:?} is not understood"),
        vec![Problem::new(format!("--{option}"), format!("write it like {example}"))],
    )
}

fn parse_hourly(text: &str) -> Option<RuleIn> {
    let (hours, minute) = text.split_once(':')?;
    Some(RuleIn::Hourly { hours: hours.parse().ok()?, minute: minute.parse().ok()? })
}

fn parse_flexible(text: &str) -> Option<RuleIn> {
    let mut parts = text.split('/');
    let (days, hours, minutes) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let block = |text: &str| {
        let (from, to) = text.trim().split_once('-')?;
        Some(BlockIn { from: from.parse().ok()?, to: to.parse().ok()? })
    };
    Some(RuleIn::Flexible {
        days: days.split(',').map(day).collect::<Option<_>>()?,
        blocks: hours.split(',').map(block).collect::<Option<_>>()?,
        minutes: minutes.trim().parse().ok()?,
    })
}

fn day(text: &str) -> Option<Day> {
    Some(match text.trim().to_lowercase().as_str() {
        "mon" | "monday" => Day::Monday,
        "tue" | "tuesday" => Day::Tuesday,
        "wed" | "wednesday" => Day::Wednesday,
        "thu" | "thursday" => Day::Thursday,
        "fri" | "friday" => Day::Friday,
        "sat" | "saturday" => Day::Saturday,
        "sun" | "sunday" => Day::Sunday,
        _ => return None,
    })
}

fn text(shown: &ScheduleOut) -> String {
    let mut lines = vec![format!("Runs {}", print::clean(&shown.recurrence))];
    lines.extend(shown.next_runs.iter().map(|at| format!("  next  {}", print::time(Some(*at)))));
    lines.join("\n")
}

fn runs(page: &PageOut<ChannelRunOut>) -> String {
    let rows = page.items.iter().map(|run| {
        let of = run.total.map(|total| format!("{} of {total}", run.done));
        [
            print::time(Some(run.started_at)),
            print::time(run.ended_at),
            run.asked_by.clone().unwrap_or_else(|| run.cause.clone()),
            run.outcome.replace('_', " "),
            if run.ended_at.is_none() { of.unwrap_or_else(|| run.done.to_string()) } else { run.summary.clone() },
        ]
    });
    more(table(["STARTED", "ENDED", "ASKED BY", "OUTCOME", "WHAT IT DID"], rows), page.next.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_typed() {
        let wanted = RuleIn::Flexible {
            days: [Day::Monday, Day::Tuesday].into(),
            blocks: vec![BlockIn { from: 8, to: 12 }, BlockIn { from: 13, to: 18 }],
            minutes: 10,
        };
        assert_eq!(parse_flexible("mon,Tuesday/8-12,13-18/10"), Some(wanted));
        assert_eq!(parse_hourly("2:30"), Some(RuleIn::Hourly { hours: 2, minute: 30 }));
        for wrong in ["mon/8-12", "mon/8-12/10/5", "noday/8-12/10", "mon/8/10", "mon/8-12/x", ""] {
            assert_eq!(parse_flexible(wrong), None, "{wrong}");
        }
        assert_eq!(parse_hourly("2"), None);
    }
}
