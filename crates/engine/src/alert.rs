//! When people are told that something needs them.
//!
//! A *cause* is something that is wrong now, however often it shows: forty orders that fail of the same missing SKU are one cause. While
//! a cause is seen there is one *issue* of it. An issue opens when its cause is first seen, counts further sightings, and closes by
//! itself once the cause has been gone for a while. What is said about issues, to whom and when, follows from what was said before:
//! [`words`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use jiff::{Timestamp, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// What kinds of things need a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Nothing is sent to any remote system.
    SendingFrozen,
    /// A side of a connection is paused, e.g. because its credentials are refused.
    ConnectionPaused,
    /// The last run of a channel failed.
    ChannelFailing,
    /// A channel has not run well for much longer than its pace.
    ChannelLate,
    /// Orders in the state *error*.
    OrderError,
    /// Orders that are held until a person or a mapping is there.
    OrderHeld,
    /// Inputs that could not be used, shipments of unknown orders.
    Exception,
    /// Effects that wait for a person.
    Effect,
    /// Effects of which nobody knows for long whether they happened.
    EffectUnknown,
    /// The census cannot account for orders.
    Unaccounted,
    /// What the census found wrong.
    Finding,
    /// A warehouse does not answer to a cancel or change, or says nothing of orders it has had for long.
    WarehouseSilent,
    /// A webhook or alert channel takes nothing, or was switched off for it.
    DeliveryFailing,
    /// A comparison of stock that waits for a decision.
    StockRun,
    /// No backup for too long.
    BackupOverdue,
}

impl AlertKind {
    /// Every kind, the most pressing first.
    pub const ALL: [Self; 15] = [
        Self::SendingFrozen,
        Self::ConnectionPaused,
        Self::ChannelFailing,
        Self::ChannelLate,
        Self::OrderError,
        Self::OrderHeld,
        Self::Exception,
        Self::Effect,
        Self::EffectUnknown,
        Self::Unaccounted,
        Self::Finding,
        Self::WarehouseSilent,
        Self::StockRun,
        Self::DeliveryFailing,
        Self::BackupOverdue,
    ];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendingFrozen => "sending_frozen",
            Self::ConnectionPaused => "connection_paused",
            Self::ChannelFailing => "channel_failing",
            Self::ChannelLate => "channel_late",
            Self::OrderError => "order_error",
            Self::OrderHeld => "order_held",
            Self::Exception => "exception",
            Self::Effect => "effect",
            Self::EffectUnknown => "effect_unknown",
            Self::Unaccounted => "unaccounted",
            Self::Finding => "finding",
            Self::WarehouseSilent => "warehouse_silent",
            Self::DeliveryFailing => "delivery_failing",
            Self::StockRun => "stock_run",
            Self::BackupOverdue => "backup_overdue",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::SendingFrozen => "See `millrace safety`; release sending once it is safe.",
            Self::ConnectionPaused => "Mend what is named, then resume the connection.",
            Self::ChannelFailing => "Look at the connection; it is tried again at its own pace.",
            Self::ChannelLate => "Look whether the workers run and whether the connection is reachable.",
            Self::OrderError => "Open the orders; each says what to press.",
            Self::OrderHeld => "Add what is missing (a listing, a shipping method); they go on by themselves.",
            Self::Exception => "Look at the exceptions and settle them.",
            Self::Effect => "Look in the other system, then decide: retry, applied or void.",
            Self::EffectUnknown => {
                "It is looked up again by itself; see whether the other system can be reached, and look there."
            }
            Self::Unaccounted => "See `millrace census`: these orders are nowhere.",
            Self::Finding => "See the findings; each proposes its repair.",
            Self::WarehouseSilent => "Ask the warehouse.",
            Self::DeliveryFailing => "See its deliveries; mend the receiver, then enable it and replay what it missed.",
            Self::StockRun => "Look at the run, then approve or drop it.",
            Self::BackupOverdue => "Take a backup (`millrace backup`), or record one taken otherwise.",
        }
    }
}

impl fmt::Display for AlertKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no kind of alert.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a kind of alert")]
pub struct NotAKind(String);

impl FromStr for AlertKind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| NotAKind(text.to_owned()))
    }
}

/// What tells causes apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CauseKey {
    /// What kind.
    pub kind: AlertKind,
    /// Whose; empty for what concerns the whole tenant or the installation.
    pub merchant: String,
    /// Which connection's; empty where it is no connection's.
    pub connection: String,
    /// The cause itself, without what differs from one sighting to the next: see [`cause_of`].
    pub cause: String,
}

/// A cause as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which cause.
    pub key: CauseKey,
    /// What is wrong, in one line for people.
    pub what: String,
    /// How many things show it.
    pub count: u64,
    /// Ids of some of them.
    pub subjects: Vec<String>,
}

/// Ids kept with an issue.
const SUBJECTS: usize = 5;

/// Issues of one kind and connection that are kept apart. What is beyond them is one issue more: a fault that words each of its thousand
/// failures differently must not become a thousand messages.
pub const MOST_CAUSES: usize = 12;

/// The cause for all beyond [`MOST_CAUSES`].
const OTHERS: &str = "others";

/// What a reason has in common with others of its kind: numbers and quoted names are taken out.
pub fn cause_of(reason: &str) -> String {
    let mut cause = String::with_capacity(reason.len().min(200));
    let mut quote = None;
    for c in reason.chars().take(400) {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None if c == '"' => {
                quote = Some('"');
                cause.push('…');
            }
            None if c.is_ascii_digit() => {
                if !cause.ends_with('#') {
                    cause.push('#');
                }
            }
            None => cause.push(c),
        }
    }
    cause.chars().take(200).collect()
}

/// Puts sightings of the same cause together, and those of too many causes of one kind and connection into one.
pub fn group(seen: impl IntoIterator<Item = Sighting>) -> Vec<Sighting> {
    let mut causes: BTreeMap<CauseKey, Sighting> = BTreeMap::new();
    for sighting in seen {
        match causes.get_mut(&sighting.key) {
            Some(known) => known.add(sighting),
            None => {
                let mut sighting = sighting;
                sighting.subjects.truncate(SUBJECTS);
                causes.insert(sighting.key.clone(), sighting);
            }
        }
    }
    let mut found: Vec<Sighting> = Vec::with_capacity(causes.len());
    let mut kept: BTreeMap<(AlertKind, String, String), usize> = BTreeMap::new();
    for (key, sighting) in causes {
        let of = (key.kind, key.merchant.clone(), key.connection.clone());
        let number = kept.entry(of).or_default();
        *number += 1;
        match found.last_mut() {
            Some(last) if *number > MOST_CAUSES + 1 => last.add(sighting),
            _ if *number == MOST_CAUSES + 1 => {
                let key = CauseKey { cause: OTHERS.to_owned(), ..key };
                found.push(Sighting { key, what: format!("further causes, e.g.: {}", sighting.what), ..sighting });
            }
            _ => found.push(sighting),
        }
    }
    found
}

impl Sighting {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        let room = SUBJECTS.saturating_sub(self.subjects.len());
        self.subjects.extend(other.subjects.into_iter().take(room));
    }
}

/// An issue as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// `iss_…`.
    pub id: String,
    /// Of which cause.
    pub key: CauseKey,
    /// What is wrong.
    pub what: String,
    /// How many things show it, when it was last seen.
    pub count: u64,
    /// Ids of some of them.
    pub subjects: Vec<String>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When its cause was last seen.
    pub last_at: Timestamp,
    /// Its cause is not seen since then.
    pub gone_since: Option<Timestamp>,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// A person deals with it: no reminders.
    pub acknowledged: bool,
    /// Nothing is said of it until then.
    pub snoozed_until: Option<Timestamp>,
}

/// What becomes of an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new one.
    Open(Sighting),
    /// Seen again, with these figures.
    Seen(String, Sighting),
    /// Its cause is not seen any more.
    Gone(String),
    /// Its cause has been gone for long enough.
    Close(String),
}

/// Compares open issues with what is seen now. A cause must have been gone for `rest` before its issue closes, so that one which comes
/// and goes is one issue and not many.
pub fn compare(open: &[Issue], seen: Vec<Sighting>, now: Timestamp, rest: Duration) -> Vec<Change> {
    let mut known: BTreeMap<&CauseKey, &Issue> = open.iter().map(|issue| (&issue.key, issue)).collect();
    let mut changes = Vec::new();
    for sighting in seen {
        match known.remove(&sighting.key) {
            Some(issue)
                if issue.gone_since.is_none() && issue.count == sighting.count && issue.what == sighting.what => {}
            Some(issue) => changes.push(Change::Seen(issue.id.clone(), sighting)),
            None => changes.push(Change::Open(sighting)),
        }
    }
    for issue in known.into_values() {
        match issue.gone_since {
            None => changes.push(Change::Gone(issue.id.clone())),
            Some(since) if passed(since, now, rest) => changes.push(Change::Close(issue.id.clone())),
            Some(_) => {}
        }
    }
    changes
}

fn passed(since: Timestamp, now: Timestamp, time: Duration) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|long| long >= time)
}

/// Hours of the day in which nothing is said. What came up meanwhile is said afterwards, if it still is.
#[derive(Debug, Clone)]
pub struct Quiet {
    /// From this time of day.
    pub from: Time,
    /// Until this one; before `from` it is that of the next day.
    pub until: Time,
    /// Where.
    pub zone: TimeZone,
}

impl Quiet {
    /// Whether it is quiet then.
    pub fn holds(&self, now: Timestamp) -> bool {
        let time = now.to_zoned(self.zone.clone()).time();
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            time >= self.from || time < self.until
        }
    }
}

/// Who is told what.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Only this merchant's; empty: everybody's.
    pub merchant: String,
    /// Only these kinds; empty: all.
    pub kinds: BTreeSet<AlertKind>,
    /// Only of these connections; empty: all, and what is no connection's.
    pub connections: BTreeSet<String>,
    /// Only these channels; empty: all.
    pub channels: BTreeSet<String>,
    /// Pace of reminders while an issue is open and nobody has acknowledged it; `None`: no reminders.
    pub remind: Option<Duration>,
    /// When nothing is said.
    pub quiet: Option<Quiet>,
}

impl Policy {
    fn covers(&self, issue: &Issue) -> bool {
        let key = &issue.key;
        (self.merchant.is_empty() || self.merchant == key.merchant)
            && (self.kinds.is_empty() || self.kinds.contains(&key.kind))
            && (self.connections.is_empty() || self.connections.contains(&key.connection))
    }
}

/// Where people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Only this merchant's issues; empty: all of the tenant's.
    pub merchant: String,
    /// When something was last said here.
    pub last_at: Option<Timestamp>,
}

/// What was said of an issue in a channel before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// When it was last spoken of.
    pub at: Timestamp,
    /// It was said to be closed: nothing follows.
    pub closed: bool,
}

/// What is to be said of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It has opened.
    Opened,
    /// It is still open.
    Reminder,
    /// It has closed by itself.
    Closed,
}

impl Word {
    /// For people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reminder => "reminder",
            Self::Closed => "closed",
        }
    }
}

/// What is to be said of one issue, by one policy.
fn word(issue: &Issue, said: Option<Said>, policy: &Policy, now: Timestamp) -> Option<Word> {
    let closed = issue.closed_at.is_some();
    match said {
        // Closed before anybody heard of it, or on its way there.
        None if closed || issue.gone_since.is_some() => None,
        _ if issue.snoozed_until.is_some_and(|until| now < until) && !closed => None,
        None => Some(Word::Opened),
        Some(said) if said.closed => None,
        Some(_) if closed => Some(Word::Closed),
        Some(_) if issue.acknowledged || issue.gone_since.is_some() => None,
        Some(said) => policy.remind.filter(|pace| passed(said.at, now, *pace)).map(|_| Word::Reminder),
    }
}

/// What is to be said now in one channel: one message with all of it, or nothing. At most one message goes out in `pace`, whatever
/// happens; an issue goes to the channels of every policy that covers it.
pub fn words(
    channel: &Channel,
    issues: &[(Issue, Option<Said>)],
    policies: &[Policy],
    now: Timestamp,
    pace: Duration,
) -> Vec<(usize, Word)> {
    if channel.last_at.is_some_and(|at| !passed(at, now, pace)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (place, (issue, said)) in issues.iter().enumerate() {
        if !channel.merchant.is_empty() && channel.merchant != issue.key.merchant {
            continue;
        }
        let speaks = |policy: &&Policy| {
            (policy.channels.is_empty() || policy.channels.contains(&channel.id))
                && policy.covers(issue)
                && !policy.quiet.as_ref().is_some_and(|quiet| quiet.holds(now))
        };
        let word = policies.iter().filter(speaks).find_map(|policy| word(issue, *said, policy, now));
        found.extend(word.map(|word| (place, word)));
    }
    found
}

#[cfg(test)]
mod tests;
