//! Interchanges that come again: the same once more says nothing new, and another one under a used control number is set aside,
//! since one of the two is not what it says.

use std::collections::BTreeMap;

use connect::{Known, Mark};
use jiff::Timestamp;

use super::{
    finding::Broken,
    profile::Profile,
    reader::Interchange,
    taking::{everything, raw},
};
use crate::files::outbox::sha256;

/// What was taken in before, the files of this reading included.
pub(super) struct Memory {
    known: BTreeMap<String, Known>,
    pub(super) now: Timestamp,
}

impl Memory {
    pub(super) fn new(known: BTreeMap<String, Known>, now: Timestamp) -> Self {
        Self { known, now }
    }

    /// This was not taken in after all. What stood in its place is not needed again in this reading.
    pub(super) fn forget(&mut self, mark: &Mark) {
        self.known.remove(&mark.name);
    }
}

/// How an interchange stands to those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is used.
    New(Mark),
    /// The same came before.
    Repeated,
    /// Another one came before under its number.
    Reused(Broken),
}

impl Profile {
    /// By what an interchange is known: who sends to whom, and its control number.
    pub(super) fn mark_name(interchange: &Interchange) -> String {
        let (from, to) = (&interchange.sender, &interchange.receiver);
        let mode = if interchange.is_test() { "T" } else { "P" };
        let number = interchange.control().trim_start_matches('0');
        format!("x12 {}:{} {}:{} {mode} {number}", from.qualifier, from.id, to.qualifier, to.id)
    }

    /// Whether this interchange is used, and remembers it if it is.
    pub(super) fn standing(&self, interchange: &Interchange, memory: &mut Memory) -> Standing {
        let name = Self::mark_name(interchange);
        let content_hash = sha256(raw(interchange, &everything(interchange)).as_bytes());
        let instead_of = match memory.known.get(&name) {
            None => None,
            Some(known) if known.content_hash == content_hash => return Standing::Repeated,
            // Partners begin their numbers again, with new software or a new year.
            Some(known) if memory.now.duration_since(known.at) >= self.numbers_again => {
                Some(known.content_hash.clone())
            }
            Some(known) => {
                return Standing::Reused(Broken::new(
                    interchange.head.at,
                    "025",
                    format!(
                        "control number {} came before, on {}, with other content: one of the two is not what it says. Ask the \
                         warehouse which documents it sent, and to send what is missing under a number of its own",
                        interchange.control(),
                        known.at.strftime("%Y-%m-%d")
                    ),
                ));
            }
        };
        memory.known.insert(name.clone(), Known { content_hash: content_hash.clone(), at: memory.now });
        Standing::New(Mark { name, content_hash, instead_of })
    }
}
