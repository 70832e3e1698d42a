//! When a channel runs by the rules that a person gave it. Any number of rules stand beside each other; whichever fires, runs.
//!
//! Rules are read on the clock of the wall in one time zone. Where that clock is put forward, what would have been in the
//! hour that is left out is once, at the first moment after it. Where it is put back, a rule that names a time of day
//! (hourly, daily) has it once, the first time; a rule that is a pace (minutely, flexible) goes on through both hours.

use std::{collections::BTreeSet, fmt};

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};
use serde::{Deserialize, Serialize};

/// Most rules of one channel.
pub const MOST_RULES: usize = 20;

/// Most blocks of hours in one rule.
pub const MOST_BLOCKS: usize = 24;

/// Minutes of a day on a clock that is not changed.
const DAY: u32 = 24 * 60;

/// Longest that a rule may rest: a week, and the days that a zone has ever left out.
const SEARCHED: usize = 10;

/// No clock was ever put back by more than this within one day, in hours.
const PUT_BACK: i64 = 4;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Every so many minutes, counted from midnight.
    Minutely {
        /// 1 to 720.
        minutes: u32,
    },
    /// Every so many hours, counted from midnight, at one minute of the hour.
    Hourly {
        /// 1 to 12.
        hours: u32,
        /// 0 to 59.
        minute: u32,
    },
    /// Once a day.
    Daily {
        /// At this time.
        at: Time,
    },
    /// On some days of the week, within some hours.
    Flexible {
        /// The days.
        days: BTreeSet<Day>,
        /// The hours.
        blocks: Vec<Block>,
        /// Every so many minutes, counted from the start of each block: 1 to 720.
        minutes: u32,
    },
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Monday => "Mon",
            Self::Tuesday => "Tue",
            Self::Wednesday => "Wed",
            Self::Thursday => "Thu",
            Self::Friday => "Fri",
            Self::Saturday => "Sat",
            Self::Sunday => "Sun",
        }
    }
}

/// Hours of a day: from one full hour until another, which is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// 0 to 23.
    pub from: u32,
    /// 1 to 24, after `from`.
    pub to: u32,
}

impl Rule {
    /// What makes it no rule, in words; `None` when it can be used. A rule without a problem fires at least once a week.
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Minutely { minutes } | Self::Flexible { minutes, .. } if !(1..=720).contains(minutes) => {
                Some("minutes: give 1 to 720")
            }
            Self::Hourly { hours, .. } if !(1..=12).contains(hours) => Some("hours: give 1 to 12"),
            Self::Hourly { minute, .. } if *minute > 59 => Some("minute: give 0 to 59"),
            Self::Flexible { days, .. } if days.is_empty() => Some("days: name at least one"),
            Self::Flexible { blocks, .. } if !(1..=MOST_BLOCKS).contains(&blocks.len()) => {
                Some("blocks: give 1 to 24 blocks of hours")
            }
            Self::Flexible { blocks, .. } if blocks.iter().any(|block| block.from >= block.to || block.to > 24) => {
                Some("blocks: from 0 to 23, and to after it, at most 24; hours over midnight are two blocks")
            }
            _ => None,
        }
    }

    /// Whether it names times of day; else it is a pace.
    fn names_times(&self) -> bool {
        matches!(self, Self::Hourly { .. } | Self::Daily { .. })
    }

    /// The minutes of a day at which it fires, by the clock of the wall.
    fn minutes(&self, day: Day) -> Vec<u32> {
        let paced = |from: u32, to: u32, every: u32| (from..to).step_by(usize::try_from(every.max(1)).unwrap_or(1));
        match self {
            Self::Minutely { minutes } => paced(0, DAY, *minutes).collect(),
            Self::Hourly { hours, minute } => paced(0, 24, *hours).map(|hour| hour * 60 + minute.min(&59)).collect(),
            Self::Daily { at } => {
                vec![u32::from(at.hour().unsigned_abs()) * 60 + u32::from(at.minute().unsigned_abs())]
            }
            Self::Flexible { days, .. } if !days.contains(&day) => Vec::new(),
            Self::Flexible { blocks, minutes, .. } => {
                blocks.iter().flat_map(|block| paced(block.from * 60, block.to.min(24) * 60, *minutes)).collect()
            }
        }
    }

    /// The first moment after `after` at which it fires. `None` only at the end of all times.
    pub fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let here = after.to_zoned(zone.clone()).datetime();
        let begin = here.checked_sub(jiff::Span::new().hours(PUT_BACK)).ok()?;
        let mut date = begin.date();
        for _ in 0..SEARCHED {
            let found = self
                .minutes(Day::of(date))
                .into_iter()
                .filter_map(|minute| at(date, minute))
                .filter(|time| *time >= begin)
                .flat_map(|time| moments(zone, time, self.names_times()))
                .flatten()
                .filter(|moment| *moment > after)
                .min();
            if found.is_some() {
                return found;
            }
            date = date.tomorrow().ok()?;
        }
        None
    }
}

fn at(date: Date, minute: u32) -> Option<DateTime> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Time::new(hour, minute, 0, 0).ok().map(|time| date.to_datetime(time))
}

/// The moments at which the clock of the wall shows this time: one, or two where it is put back and `once` is not asked. Where
/// it never shows it: the moment at which it jumps over it.
fn moments(zone: &TimeZone, time: DateTime, once: bool) -> [Option<Timestamp>; 2] {
    let shown = zone.to_ambiguous_timestamp(time);
    match shown.offset() {
        AmbiguousOffset::Unambiguous { .. } => [shown.compatible().ok(), None],
        AmbiguousOffset::Fold { .. } => [shown.earlier().ok(), if once { None } else { shown.later().ok() }],
        AmbiguousOffset::Gap { .. } => {
            let jump = shown.earlier().ok().and_then(|before| {
                zone.following(before)
                    .take(4)
                    .map(|change| change.timestamp())
                    .find(|change| change.to_zoned(zone.clone()).datetime() > time)
            });
            [jump, None]
        }
    }
}

/// The first moment after `after` at which any of the rules fires. `None` without rules.
pub fn next(rules: &[Rule], zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    rules.iter().filter_map(|rule| rule.next(zone, after)).min()
}

/// The next so many moments after `after`.
pub fn preview(rules: &[Rule], zone: &TimeZone, after: Timestamp, count: usize) -> Vec<Timestamp> {
    std::iter::successors(next(rules, zone, after), |last| next(rules, zone, *last)).take(count).collect()
}

/// When a channel that last ran (or whose rules were last changed) at `since` runs next. Waits are divided by `factor`: 1, but
/// for tests. A moment that has passed meanwhile still counts, so that a run that was missed is made up for, once.
pub fn due(rules: &[Rule], zone: &TimeZone, since: Timestamp, factor: u32) -> Option<Timestamp> {
    let next = next(rules, zone, since)?;
    since.checked_add(next.duration_since(since) / i32::try_from(factor.max(1)).unwrap_or(i32::MAX)).ok()
}

/// The rules in words, for people.
pub fn words(rules: &[Rule]) -> String {
    rules.iter().map(Rule::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutely { minutes } => pace(f, *minutes, "minute"),
            Self::Hourly { hours, minute } => {
                pace(f, *hours, "hour")?;
                write!(f, " at minute {minute:02}")
            }
            Self::Daily { at } => write!(f, "every day at {:02}:{:02}", at.hour(), at.minute()),
            Self::Flexible { days, blocks, minutes } => {
                let days: Vec<&str> = days.iter().map(|day| day.short()).collect();
                let blocks: Vec<String> =
                    blocks.iter().map(|block| format!("{:02}:00-{:02}:00", block.from, block.to)).collect();
                write!(f, "{} {} ", days.join(", "), blocks.join(", "))?;
                pace(f, *minutes, "minute")
            }
        }
    }
}

fn pace(f: &mut fmt::Formatter<'_>, every: u32, unit: &str) -> fmt::Result {
    if every == 1 { write!(f, "every {unit}") } else { write!(f, "every {every} {unit}s") }
}

#[cfg(test)]
mod tests;
