//! Taking a file of the warehouse apart: which of its documents are used, and which are held for a person.

use connect::{Inbound, Receipt, Reception, RejectedInput, RequestState, ShipmentPage, StockFeed, StockPage};

use super::{
    acknowledgement::{Acknowledgement, InterchangeAcknowledgement, Verdict},
    answering::{Fate, in_error, unread, unread_stock},
    channel::is_stock,
    finding::{Broken, Finding},
    incoming::{Said, UNKNOWN_VERSION},
    leniency::BY_AGREEMENT,
    profile::Profile,
    reader::{Interchange, Set, read},
    repeats::{Memory, Standing},
    segment::Segment,
};
use crate::files::outbox::{Complete, sha256};

/// A file, read as far as it can be.
pub(super) struct Opened<'a> {
    file: &'a Complete,
    pub(super) interchanges: Vec<Interchange>,
    /// Why nothing of it may be used.
    broken: Option<Broken>,
}

impl Opened<'_> {
    /// Whether the stock channel takes it.
    pub(super) fn is_stock(&self) -> bool {
        is_stock(&self.file.content, &self.interchanges)
    }
}

impl Profile {
    pub(super) fn open<'a>(&self, file: &'a Complete) -> Opened<'a> {
        match read(&file.content) {
            Ok(interchanges) => {
                let broken = interchanges.iter().find_map(|interchange| self.judge(interchange).err());
                let broken = broken.or_else(|| self.leniency.of_file(&interchanges));
                Opened { file, interchanges, broken }
            }
            Err(broken) => Opened { file, interchanges: Vec::new(), broken: Some(broken) },
        }
    }

    /// Takes a document of the shipments channel apart.
    pub(super) fn take(&self, opened: &Opened<'_>, memory: &mut Memory, page: &mut ShipmentPage) {
        let file = opened.file;
        opened.interchanges.iter().for_each(|one| note(one, &one.findings));
        if let Some(broken) = &opened.broken {
            page.letters.answers.extend(self.refusals(opened, broken, memory));
            page.rejected.push(RejectedInput { beside: !is_x12(&file.content), ..set_aside(file.taken(), broken) });
            return;
        }
        let standings: Vec<Standing> = opened.interchanges.iter().map(|one| self.standing(one, memory)).collect();
        if let [Standing::Reused(broken)] = standings.as_slice() {
            page.rejected.push(set_aside(file.taken(), broken));
            return;
        }
        for (interchange, standing) in opened.interchanges.iter().zip(standings) {
            let held = page.rejected.len();
            let mark = match standing {
                Standing::New(mark, begun_again) => {
                    note(interchange, begun_again.as_slice());
                    page.letters.answers.extend(self.answers(interchange, Fate::Read(&unread), memory.now));
                    mark
                }
                Standing::Repeated => {
                    tracing::info!(interchange.control = interchange.control(), "came before, and says nothing new");
                    continue;
                }
                Standing::Reused(broken) => {
                    let whole = everything(interchange);
                    page.rejected.push(part(file, interchange, "", &whole, broken.to_string()));
                    continue;
                }
            };
            for segment in &interchange.acknowledgements {
                self.take_acknowledgement(file, interchange, segment, page);
            }
            for (_, set) in interchange.sets() {
                self.take_set(file, interchange, set, page);
            }
            // What is held may come again under its number, mended.
            match page.rejected.len() == held {
                true => page.letters.marks.push(mark),
                false => memory.forget(&mark),
            }
        }
        page.taken.push(file.taken());
    }

    fn take_acknowledgement(
        &self,
        file: &Complete,
        interchange: &Interchange,
        segment: &Segment,
        page: &mut ShipmentPage,
    ) {
        let said = InterchangeAcknowledgement::read(segment);
        // A duplicate is known to have arrived before, and once.
        if said.verdict.is_accepted() || said.is_duplicate() {
            return;
        }
        let meaning = super::meaning("TA1", 5, &said.note).unwrap_or("a note of the partner's own");
        let (why, received): (_, fn(String) -> Reception) = match said.verdict {
            Verdict::Rejected => {
                (format!("it rejects interchange {}: note {} ({meaning})", said.control, said.note), Reception::Refused)
            }
            _ => (
                format!(
                    "its TA1 says neither yes nor no of interchange {}: note {} ({meaning})",
                    said.control, said.note
                ),
                Reception::Unclear,
            ),
        };
        match said.control.parse() {
            Ok(number) => page.letters.receipts.push(Receipt { number, reception: received(why) }),
            Err(_) => page.rejected.push(part(
                file,
                interchange,
                segment.get(1),
                std::slice::from_ref(segment),
                format!("the warehouse says that {why}"),
            )),
        }
    }

    fn take_set(&self, file: &Complete, interchange: &Interchange, set: &Set, page: &mut ShipmentPage) {
        let mut aside = |why: String| page.rejected.push(part(file, interchange, &set.control, &set.segments, why));
        if let Some(broken) = self.leniency.of_set(interchange, set) {
            return aside(broken.to_string());
        }
        match set.code.as_str() {
            "945" => match self.shipment(interchange, set) {
                Ok(Said::Shipment(shipment)) => page.shipments.push(shipment),
                Ok(Said::ByReference(shipment)) => page.by_reference.push(shipment),
                Ok(Said::Nothing(key, lines)) => page.states.push((key, RequestState::LinesEnded(lines))),
                Err(broken) => aside(broken.to_string()),
            },
            "997" => match Acknowledgement::read(set) {
                Ok(said) => match (said.control.parse(), reception(&said)) {
                    // Of groups that are not orders nothing is waited for.
                    (Ok(number), reception) if said.group == "OW" => {
                        page.letters.receipts.push(Receipt { number, reception });
                    }
                    (_, Reception::Refused(why) | Reception::Unclear(why)) => {
                        aside(format!("the warehouse says that {why}"))
                    }
                    (_, Reception::Read) => {}
                },
                Err(broken) => aside(broken.to_string()),
            },
            // Shown by the viewer; nothing is done with them.
            "943" | "944" | "856" | "990" => {}
            "846" | "947" => aside(
                "stock stands in one file with other documents: ask the warehouse for files of their own".to_owned(),
            ),
            other => {
                let why = format!("documents of kind {other} are not taken here");
                let aside = part(file, interchange, &set.control, &set.segments, why);
                page.rejected.push(RejectedInput { beside: true, ..aside });
            }
        }
    }

    /// Takes a document of the stock channel apart: whole, or not at all.
    pub(super) fn take_stock(&self, opened: &Opened<'_>, memory: &mut Memory, page: &mut StockPage) {
        let file = opened.file;
        opened.interchanges.iter().for_each(|one| note(one, &one.findings));
        let broken = opened.broken.clone().or_else(|| self.leniency.of_stock(&opened.interchanges));
        if let Some(broken) = &broken {
            page.letters.answers.extend(self.refusals(opened, broken, memory));
            page.rejected.push(set_aside(file.taken(), broken));
            return;
        }
        let mut new = Vec::new();
        for interchange in &opened.interchanges {
            match self.standing(interchange, memory) {
                Standing::New(mark, begun_again) => {
                    note(interchange, begun_again.as_slice());
                    new.push((interchange, mark));
                }
                Standing::Repeated => {}
                Standing::Reused(broken) => {
                    new.iter().for_each(|(_, mark)| memory.forget(mark));
                    page.rejected.push(set_aside(file.taken(), &broken));
                    return;
                }
            }
        }
        let feeds = self.feeds(file, new.iter().map(|(interchange, _)| *interchange));
        for (interchange, _) in &new {
            let unread = unread_stock(interchange, feeds.is_ok());
            page.letters.answers.extend(self.answers(interchange, Fate::Read(&unread), memory.now));
        }
        match feeds {
            Ok(feeds) => {
                page.feeds.extend(feeds);
                for (interchange, mark) in new {
                    // What is held may come again under its number, mended.
                    match self.take_adjustments(file, interchange, page) {
                        true => page.letters.marks.push(mark),
                        false => memory.forget(&mark),
                    }
                }
                page.taken.push(file.taken());
            }
            Err(broken) => {
                new.iter().for_each(|(_, mark)| memory.forget(mark));
                page.rejected.push(set_aside(file.taken(), &broken));
            }
        }
    }

    /// Takes in the adjustments of an interchange, and holds for a person each that cannot be used. Whether all of them could.
    fn take_adjustments(&self, file: &Complete, interchange: &Interchange, page: &mut StockPage) -> bool {
        let held = page.rejected.len();
        for (_, set) in interchange.sets().filter(|(_, set)| set.code == "947") {
            match self.adjustment(interchange, set) {
                Ok(lines) => page.adjustments.extend(lines),
                Err(broken) => {
                    let why = broken.to_string();
                    page.rejected.push(part(file, interchange, &set.control, &set.segments, why));
                }
            }
        }
        page.rejected.len() == held
    }

    fn feeds<'a>(
        &self,
        file: &Complete,
        interchanges: impl Iterator<Item = &'a Interchange>,
    ) -> Result<Vec<StockFeed>, Broken> {
        let mut feeds = Vec::new();
        for interchange in interchanges {
            // A 947 only explains: the next report has its change in it, which would count twice.
            for (_, set) in interchange.sets().filter(|(_, set)| set.code == "846") {
                let hash = sha256(raw(interchange, &set.segments).as_bytes());
                let reference = format!("{} {}", file.name, set.control);
                let feed = self.feed(interchange, set, &reference, &hash)?;
                match feeds
                    .last_mut()
                    .filter(|last: &&mut StockFeed| last.absent_is_zero && last.cut_off == feed.cut_off)
                {
                    Some(last) => join(last, feed, set)?,
                    None => feeds.push(feed),
                }
            }
        }
        Ok(feeds)
    }

    /// What is said of a file that nothing is used of: of what is of an unknown version that it is, and of what is not used by
    /// agreement that it is in error. A sender whom nobody knows, and a test in production, are told nothing.
    fn refusals(&self, opened: &Opened<'_>, broken: &Broken, memory: &Memory) -> Vec<connect::EffectDraft> {
        let fate = match broken.note {
            UNKNOWN_VERSION => Fate::UnknownVersion,
            BY_AGREEMENT => Fate::Read(&in_error),
            _ => return Vec::new(),
        };
        let groups = opened.interchanges.iter();
        groups.flat_map(|interchange| self.answers(interchange, fate, memory.now)).collect()
    }
}

/// Whole counts of one moment are parts of one: what is absent from one of them stands in another.
fn join(whole: &mut StockFeed, part: StockFeed, set: &Set) -> Result<(), Broken> {
    for level in part.levels {
        if whole.levels.iter().any(|known| (&known.sku, &known.facility) == (&level.sku, &level.facility)) {
            let at = set.segments.first().map_or(0, |segment| segment.at);
            let words =
                format!("{} stands in two reports of the same moment: which one counts cannot be told", level.sku);
            return Err(Broken::new(at, "024", words));
        }
        whole.levels.push(level);
    }
    whole.content_hash = sha256(format!("{} {}", whole.content_hash, part.content_hash).as_bytes());
    Ok(())
}

/// What the warehouse says of a group of ours, which holds one document.
fn reception(said: &Acknowledgement) -> Reception {
    let Acknowledgement { group, control, verdict, sets, errors } = said;
    let not_taken: Vec<_> = sets.iter().filter(|set| !set.verdict.is_accepted()).collect();
    if verdict.is_accepted() && not_taken.is_empty() {
        return Reception::Read;
    }
    let mut errors = errors.clone();
    for set in &not_taken {
        errors.extend(set.errors.iter().map(|error| format!("{} {}: {error}", set.code, set.control)));
    }
    let why = if errors.is_empty() { "it gives no reason".to_owned() } else { errors.join("; ") };
    // Of the group alone its word counts, of documents theirs; where the two differ, neither.
    let all = |wanted: Verdict| sets.iter().all(|set| set.verdict == wanted);
    let rejected =
        all(Verdict::Rejected) && (*verdict == Verdict::Rejected || (*verdict == Verdict::Partly && !sets.is_empty()));
    if rejected {
        return Reception::Refused(format!("its 997 rejects group {group} {control}: {why}"));
    }
    Reception::Unclear(format!("its 997 says neither yes nor no of group {group} {control}: {why}"))
}

/// Whether a file may hold an interchange at all; something else lies in the folder by mistake.
fn is_x12(content: &[u8]) -> bool {
    let letters: Vec<u8> = content.iter().copied().filter(|byte| *byte != 0).collect();
    letters.windows(3).any(|three| three.eq_ignore_ascii_case(b"ISA"))
}

/// What was passed over, in the log.
fn note(interchange: &Interchange, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    // Kinds and places only: the words hold what customers typed.
    let kinds: Vec<String> = findings.iter().map(|finding| format!("{:?} at {}", finding.kind, finding.at)).collect();
    tracing::info!(
        interchange.control = interchange.control(),
        "passed over in a document of the warehouse: {}",
        kinds.join(", ")
    );
}

pub(super) fn set_aside(input: Inbound, broken: &Broken) -> RejectedInput {
    RejectedInput {
        reason: format!("{}: {broken}. Nothing of the file was used", input.name),
        input,
        beside: false,
        key: None,
    }
}

/// One document of a file that is held for a person, while the others of the file are used.
fn part(file: &Complete, interchange: &Interchange, control: &str, segments: &[Segment], why: String) -> RejectedInput {
    let content = raw(interchange, segments).into_bytes();
    let name = format!("{}#{}-{control}", file.name, interchange.control());
    let input = Inbound { name, content_hash: sha256(&content), content };
    RejectedInput { reason: format!("{}: {why}", input.name), input, beside: false, key: None }
}

/// Every segment of an interchange but the ends of groups.
pub(super) fn everything(interchange: &Interchange) -> Vec<Segment> {
    let mut segments = vec![interchange.head.clone()];
    segments.extend(interchange.acknowledgements.iter().cloned());
    for group in &interchange.groups {
        segments.push(group.head.clone());
        segments.extend(group.sets.iter().flat_map(|set| set.segments.iter().cloned()));
    }
    segments
}

/// Segments as text, for people and to tell documents apart.
pub(super) fn raw(interchange: &Interchange, segments: &[Segment]) -> String {
    let element = interchange.separators.element.to_string();
    let mut text = String::new();
    for segment in segments {
        let elements: Vec<&str> =
            std::iter::once(segment.id.as_str()).chain(segment.elements.iter().map(String::as_str)).collect();
        text.push_str(&elements.join(&element));
        text.push_str("~\n");
    }
    text
}
