//! Interchanges that come again: the same once more says nothing new, and another one under a used control number is set aside,
//! since one of the two is not what it says, unless its sender has begun its numbers again.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorError, Known, Mark, Marks};
use jiff::Timestamp;

use super::{
    finding::{Broken, Finding, FindingKind},
    profile::Profile,
    reader::Interchange,
    taking::{everything, raw},
};
use crate::files::outbox::sha256;

/// What was taken in before, the files of this reading included.
pub(super) struct Memory {
    known: BTreeMap<String, Known>,
    /// By series, the highest number and when its interchange was written.
    highest: BTreeMap<String, (u64, Timestamp)>,
    pub(super) now: Timestamp,
}

impl Memory {
    /// A memory of nothing.
    pub(super) fn empty(now: Timestamp) -> Self {
        Self { known: BTreeMap::new(), highest: BTreeMap::new(), now }
    }

    /// What is remembered of these interchanges, of their series, and of the files of these hashes.
    pub(super) async fn of<'a>(
        interchanges: impl Iterator<Item = &'a Interchange> + Clone + Send,
        files: impl Iterator<Item = &'a str> + Send,
        marks: &dyn Marks,
        now: Timestamp,
    ) -> Result<Self, ConnectorError> {
        let mut memory = Self::empty(now);
        let of_stock = interchanges.clone().filter(|one| one.holds_stock()).map(stock_mark_name);
        let of_files = files.flat_map(|hash| CHANNELS.map(|channel| file_mark_name(channel, hash)));
        let names: Vec<String> = interchanges.clone().map(mark_name).chain(of_stock).chain(of_files).collect();
        if names.is_empty() {
            return Ok(memory);
        }
        memory.known = marks.known(&names).await?;
        for series in interchanges.map(series).collect::<BTreeSet<_>>() {
            if let Some((number, known)) = marks.highest(&series).await? {
                memory.highest.insert(series, (number, known.written_by()));
            }
        }
        Ok(memory)
    }

    /// Whether this channel has taken its part of the file of this hash.
    pub(super) fn took(&self, channel: &str, content_hash: &str) -> bool {
        self.known.contains_key(&file_mark_name(channel, content_hash))
    }

    /// This was not taken in after all. What stood in its place is not needed again in this reading.
    pub(super) fn forget(&mut self, mark: &Mark) {
        self.known.remove(&mark.name);
    }

    /// Whether the sender has begun its numbers again with this interchange: its number is lower than one that came, and it was
    /// written later than that one, and than the one that had its own number (x12.md §8.5).
    fn begun_again(&self, interchange: &Interchange, written: Option<Timestamp>) -> Option<Finding> {
        let (number, written) = (number(interchange)?, written?);
        let (highest, then) = self.highest.get(&series(interchange)).copied()?;
        let known = self.known.get(&mark_name(interchange));
        let newer = written > then && known.is_none_or(|known| written > known.written_by());
        (number < highest && newer).then(|| {
            let words = format!(
                "control number {number} comes after {highest} and was written later: the sender has begun its numbers again"
            );
            Finding::new(FindingKind::NumbersBegunAgain, interchange.head.at, words)
        })
    }

    fn keep(&mut self, interchange: &Interchange, mark: &Mark) {
        let known = self.keep_name(mark);
        if let Some(number) = number(interchange) {
            let highest = self.highest.entry(series(interchange)).or_insert((number, known.written_by()));
            if number > highest.0 {
                *highest = (number, known.written_by());
            }
        }
    }

    fn keep_name(&mut self, mark: &Mark) -> Known {
        let known = Known { content_hash: mark.content_hash.clone(), at: self.now, written: mark.written };
        self.known.insert(mark.name.clone(), known.clone());
        known
    }
}

/// How an interchange stands to those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is used; with what is to be said of its number.
    New(Mark, Option<Finding>),
    /// The same came before.
    Repeated,
    /// Nothing of it may be used: it is not for us, say, or another one came before under its number.
    Aside(Broken),
}

impl Standing {
    pub(super) fn aside(&self) -> Option<&Broken> {
        match self {
            Self::Aside(broken) => Some(broken),
            Self::New(..) | Self::Repeated => None,
        }
    }
}

/// The shipments channel, in marks of files.
pub(super) const SHIPMENTS: &str = "shipments";
/// The stock channel, in marks of files.
pub(super) const STOCK: &str = "stock";
const CHANNELS: [&str; 2] = [SHIPMENTS, STOCK];

/// TA105: the control number came before.
pub(super) const REUSED: &str = "025";

/// By what it is known that a channel has taken its part of a file that holds something for both.
fn file_mark_name(channel: &str, content_hash: &str) -> String {
    format!("x12 file {channel} {content_hash}")
}

/// That a channel has taken its part of such a file. Kept when what stands in the part is kept.
pub(super) fn file_mark(channel: &str, content_hash: &str) -> Mark {
    let name = file_mark_name(channel, content_hash);
    Mark { name, content_hash: content_hash.to_owned(), written: None, instead_of: None }
}

/// Those of these files of which one channel has taken its part and the other has not: they stay where they are until it has.
pub(super) async fn half_taken<'a>(
    content_hashes: impl Iterator<Item = &'a str> + Clone + Send,
    marks: &dyn Marks,
) -> Result<BTreeSet<String>, ConnectorError> {
    let hashes = content_hashes.clone();
    let names: Vec<String> = hashes.flat_map(|hash| CHANNELS.map(|channel| file_mark_name(channel, hash))).collect();
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    let known = marks.known(&names).await?;
    let took = |hash: &str| CHANNELS.map(|channel| known.contains_key(&file_mark_name(channel, hash)));
    Ok(content_hashes.filter(|hash| matches!(took(hash), [true, false] | [false, true])).map(str::to_owned).collect())
}

/// Who sends to whom, in which mode: what is counted together.
fn series(interchange: &Interchange) -> String {
    let (from, to) = (&interchange.sender, &interchange.receiver);
    let mode = if interchange.is_test() { "T" } else { "P" };
    format!("x12 {}:{} {}:{} {mode}", from.qualifier, from.id, to.qualifier, to.id)
}

fn hash_of(interchange: &Interchange) -> String {
    sha256(raw(interchange, &everything(interchange)).as_bytes())
}

/// By what an interchange is known: its series, and its control number.
fn mark_name(interchange: &Interchange) -> String {
    format!("{} {}", series(interchange), interchange.control().trim_start_matches('0'))
}

/// The same of the stock in an interchange that holds other documents as well, which the other channel keeps the interchange by.
/// It does not begin like the names of the series, among which the highest number is looked for.
fn stock_mark_name(interchange: &Interchange) -> String {
    format!("stock of {}", mark_name(interchange))
}

fn number(interchange: &Interchange) -> Option<u64> {
    let number = interchange.control();
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Profile {
    /// Whether this interchange is used, and remembers it if it is.
    pub(super) fn standing(&self, interchange: &Interchange, memory: &mut Memory) -> Standing {
        let standing = self.look_up(interchange, memory);
        if let Standing::New(mark, _) = &standing {
            memory.keep(interchange, mark);
        }
        standing
    }

    /// The same of the stock in an interchange that holds other documents as well. That the interchange is known says only that
    /// those were taken in.
    pub(super) fn standing_of_stock(&self, interchange: &Interchange, memory: &mut Memory) -> Standing {
        if let aside @ Standing::Aside(_) = self.look_up(interchange, memory) {
            return aside;
        }
        let name = stock_mark_name(interchange);
        let content_hash = hash_of(interchange);
        let before = memory.known.get(&name).map(|known| known.content_hash.clone());
        if before.as_ref() == Some(&content_hash) {
            return Standing::Repeated;
        }
        let mark = Mark { name, content_hash, written: self.written_at(interchange), instead_of: before };
        memory.keep_name(&mark);
        Standing::New(mark, None)
    }

    fn look_up(&self, interchange: &Interchange, memory: &Memory) -> Standing {
        let name = mark_name(interchange);
        let content_hash = hash_of(interchange);
        let written = self.written_at(interchange);
        let mut begun_again = memory.begun_again(interchange, written);
        let instead_of = match memory.known.get(&name) {
            None => None,
            Some(known) if known.content_hash == content_hash => return Standing::Repeated,
            // After so long a number stands for nothing any more.
            Some(known) if memory.now.duration_since(known.at) >= self.numbers_again => {
                begun_again = None;
                Some(known.content_hash.clone())
            }
            // With new software, say. What its documents say of shipments and adjustments that are known is told from them by
            // the hub, which knows those by their own numbers.
            Some(known) if begun_again.is_some() => Some(known.content_hash.clone()),
            Some(known) => {
                return Standing::Aside(Broken::new(
                    interchange.head.at,
                    REUSED,
                    format!(
                        "control number {} came before, on {}, with other content, and nothing shows that the numbers began \
                         again: one of the two is not what it says. Ask the warehouse which documents it sent, and to send what \
                         is missing under a number of its own",
                        interchange.control(),
                        known.at.strftime("%Y-%m-%d")
                    ),
                ));
            }
        };
        Standing::New(Mark { name, content_hash, written, instead_of }, begun_again)
    }
}
