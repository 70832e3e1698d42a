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

    /// What is remembered of these interchanges, and of their series.
    pub(super) async fn of<'a>(
        interchanges: impl Iterator<Item = &'a Interchange> + Clone + Send,
        marks: &dyn Marks,
        now: Timestamp,
    ) -> Result<Self, ConnectorError> {
        let mut memory = Self::empty(now);
        let names: Vec<String> = interchanges.clone().map(mark_name).collect();
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
        let known = Known { content_hash: mark.content_hash.clone(), at: self.now, written: mark.written };
        if let Some(number) = number(interchange) {
            let highest = self.highest.entry(series(interchange)).or_insert((number, known.written_by()));
            if number > highest.0 {
                *highest = (number, known.written_by());
            }
        }
        self.known.insert(mark.name.clone(), known);
    }
}

/// How an interchange stands to those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is used; with what is to be said of its number.
    New(Mark, Option<Finding>),
    /// The same came before.
    Repeated,
    /// Another one came before under its number.
    Reused(Broken),
}

/// Who sends to whom, in which mode: what is counted together.
fn series(interchange: &Interchange) -> String {
    let (from, to) = (&interchange.sender, &interchange.receiver);
    let mode = if interchange.is_test() { "T" } else { "P" };
    format!("x12 {}:{} {}:{} {mode}", from.qualifier, from.id, to.qualifier, to.id)
}

/// By what an interchange is known: its series, and its control number.
fn mark_name(interchange: &Interchange) -> String {
    format!("{} {}", series(interchange), interchange.control().trim_start_matches('0'))
}

fn number(interchange: &Interchange) -> Option<u64> {
    let number = interchange.control();
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Profile {
    /// Whether this interchange is used, and remembers it if it is.
    pub(super) fn standing(&self, interchange: &Interchange, memory: &mut Memory) -> Standing {
        let name = mark_name(interchange);
        let content_hash = sha256(raw(interchange, &everything(interchange)).as_bytes());
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
                return Standing::Reused(Broken::new(
                    interchange.head.at,
                    "025",
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
        let mark = Mark { name, content_hash, written, instead_of };
        memory.keep(interchange, &mark);
        Standing::New(mark, begun_again)
    }
}
