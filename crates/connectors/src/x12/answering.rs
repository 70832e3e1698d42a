//! Acknowledging (997) the groups that were read: what is said of each set, and the effect that says it.
//!
//! A 997 says that a document could be read, never that what it says was agreed to: a shipping advice that is held for a
//! person because its sums do not fit was read all the same, and is accepted.

use connect::{EffectDraft, EffectKind};
use jiff::Timestamp;

use super::{
    acknowledgement::{Acknowledgement, NOT_TAKEN, answer, refuse_group},
    advice::Advice,
    dictionary::set_name,
    finding::FindingKind,
    inventory::{Adjustment, Inventory},
    profile::Profile,
    reader::{Group, Interchange, Set, read},
    receipt::Receipt,
    segment::Segment,
    taking::raw,
};
use crate::files::outbox::sha256;

/// AK502: something in its segments.
const IN_ERROR: &str = "5";
/// AK905: the version is not taken here.
const VERSION: &str = "2";

/// What is to be said of the groups of an interchange.
#[derive(Clone, Copy)]
pub(super) enum Fate<'a> {
    /// They were read; of each set why it could not be, or was not taken (AK502).
    Read(&'a dyn Fn(&Set) -> Option<&'static str>),
    /// They are of a version that is not read.
    UnknownVersion,
}

/// Why a set of the shipments channel counts as not taken in (AK502).
pub(super) fn unread(set: &Set) -> Option<&'static str> {
    let wrong = match set.code.as_str() {
        "945" => Advice::read(set).is_err(),
        "943" | "944" => Receipt::read(set).is_err(),
        "997" | "856" | "990" => false,
        _ => return Some(NOT_TAKEN),
    };
    wrong.then_some(IN_ERROR)
}

/// The same where nothing of the file is used.
pub(super) fn in_error(_: &Set) -> Option<&'static str> {
    Some(IN_ERROR)
}

/// The same where none of the stock of a file is used. Other sets are the other channel's to use.
pub(super) fn stock_in_error(set: &Set) -> Option<&'static str> {
    match set.code.as_str() {
        "846" | "947" => Some(IN_ERROR),
        _ => unread(set),
    }
}

/// The same for the stock channel, by which the stock of a file is used whole or not at all: a set is rejected for what is wrong
/// with its own file, since nothing of that was used. Other sets of its groups are the other channel's to use.
pub(super) fn unread_stock(interchange: &Interchange, used: bool) -> impl Fn(&Set) -> Option<&'static str> {
    let spoiled = interchange.findings_of_stock().find(|finding| finding.spoils_stock()).map(|finding| finding.kind);
    move |set: &Set| match set.code.as_str() {
        "846" if !used => Some(match spoiled {
            Some(FindingKind::SegmentCount) => "4",
            Some(FindingKind::SetControl) => "3",
            _ => IN_ERROR,
        }),
        "846" => Inventory::read(set).is_err().then_some(IN_ERROR),
        "947" => (!used || Adjustment::read(set).is_err()).then_some(IN_ERROR),
        _ => unread(set),
    }
}

impl Profile {
    /// The effects that acknowledge those groups of an interchange that are for this channel: none for what is an
    /// acknowledgement itself, and none where the partner wants none. Their keys are made of who counted what, and of the content.
    pub(super) fn answers(
        &self,
        interchange: &Interchange,
        ours: fn(&Group) -> bool,
        fate: Fate<'_>,
        now: Timestamp,
    ) -> Vec<EffectDraft> {
        if !self.answering.groups {
            return Vec::new();
        }
        // What they hold decides, not what they are called: an acknowledgement that is acknowledged never ends.
        let answered = |group: &&Group| group.sets.iter().any(|set| !matches!(set.code.as_str(), "997" | "999"));
        let groups = interchange.groups.iter().filter(|group| ours(group)).filter(answered);
        groups.filter_map(|group| self.answer_to(interchange, group, fate, now)).collect()
    }

    fn answer_to(
        &self,
        interchange: &Interchange,
        group: &Group,
        fate: Fate<'_>,
        now: Timestamp,
    ) -> Option<EffectDraft> {
        let said = match fate {
            Fate::Read(unread) => {
                if !self.answering.refused && group.sets.iter().any(|set| unread(set).is_some()) {
                    return None;
                }
                answer(group, &interchange.findings, unread, self.answering.detail)
            }
            Fate::UnknownVersion if self.answering.refused && !self.reads(group.version()) => {
                refuse_group(group, VERSION)
            }
            Fate::UnknownVersion => return None,
        };
        let Some(segments) = self.fitting_answer(&said) else {
            tracing::warn!(
                interchange.control = interchange.control(),
                "a group cannot be acknowledged: its code or number fits into no 997"
            );
            return None;
        };
        let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).take(12).collect::<String>();
        let (code, control) = (plain(group.code()), plain(group.control()));
        let hash = sha256(raw_group(interchange, group).as_bytes());
        let (whole, short) = (plain(interchange.control()), hash.get(..8).unwrap_or_default());
        let name = group.sets.first().and_then(|set| set_name(&set.code)).unwrap_or("documents").to_lowercase();
        let at = self.local(now);
        let body = self.body("997", "FA", &format!("{code}{control}"), at, segments).ok()?;
        Some(EffectDraft {
            kind: EffectKind::Acknowledge,
            key: format!("{code}-{whole}-{control}-{short}"),
            batch: None,
            body,
            title: format!("Acknowledge group {code} {control} of the warehouse ({name})"),
            numbering: Some(self.numbering(None)),
        })
    }

    /// Whether this version is read here.
    pub(super) fn reads(&self, version: &str) -> bool {
        self.versions_in.iter().any(|known| version.starts_with(known.as_str()))
    }

    /// The answer as it can be written: whole, else of the group alone where a set has no number that fits.
    fn fitting_answer(&self, said: &[Segment]) -> Option<Vec<Segment>> {
        let syntax = &self.envelope.syntax;
        syntax.set("997", said).ok().or_else(|| {
            let group: Vec<Segment> =
                said.iter().filter(|segment| matches!(segment.id.as_str(), "AK1" | "AK9")).cloned().collect();
            syntax.set("997", &group).ok()
        })
    }
}

fn raw_group(interchange: &Interchange, group: &Group) -> String {
    let mut text = raw(interchange, std::slice::from_ref(&group.head));
    for set in &group.sets {
        text.push_str(&raw(interchange, &set.segments));
    }
    text
}

/// The acknowledgements in a file that we may have written, by the group they are for.
pub(super) fn acknowledged(content: &[u8]) -> Vec<(String, Acknowledgement)> {
    let interchanges = read(content).unwrap_or_default();
    let sets = interchanges.iter().flat_map(|one| one.sets()).filter(|(_, set)| set.code == "997");
    let said = sets.filter_map(|(_, set)| Acknowledgement::read(set).ok());
    said.map(|said| (format!("{} {}", said.group, said.control), said)).collect()
}
