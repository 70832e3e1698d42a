//! Taking a file of the warehouse apart: which of its documents are used, and which are held for a person.

use connect::{Inbound, Receipt, Reception, RejectedInput, RequestState, ShipmentPage, StockFeed, StockPage};

use super::{
    acknowledgement::{Acknowledgement, InterchangeAcknowledgement, Verdict},
    answering::{Fate, in_error, stock_in_error, unread, unread_stock},
    channel::{Concern, concern},
    finding::{Broken, Finding},
    incoming::{Said, UNKNOWN_VERSION},
    leniency::BY_AGREEMENT,
    profile::Profile,
    reader::{Group, Interchange, Set, read},
    repeats::{Memory, REUSED, SHIPMENTS, STOCK, Standing, file_mark},
    segment::Segment,
};
use crate::files::outbox::{Complete, sha256};

/// A file, read as far as it can be.
pub(super) struct Opened<'a> {
    file: &'a Complete,
    pub(super) interchanges: Vec<Interchange>,
    /// Why each of them may not be used, whatever else stands in the file.
    faults: Vec<Option<Broken>>,
    /// Why nothing of it may be used.
    broken: Option<Broken>,
    /// Its hash, where it holds something for both channels.
    pub(super) shared: Option<String>,
}

impl Opened<'_> {
    /// Which channels take something out of it.
    pub(super) fn concern(&self) -> Concern {
        concern(&self.file.content, &self.interchanges)
    }

    /// Its interchanges, and why one may not be used.
    fn judged(&self) -> impl Iterator<Item = (&Interchange, Option<&Broken>)> {
        self.interchanges.iter().zip(self.faults.iter().map(Option::as_ref))
    }
}

impl Profile {
    pub(super) fn open<'a>(&self, file: &'a Complete) -> Opened<'a> {
        let (interchanges, broken) = match read(&file.content) {
            Ok(interchanges) => (interchanges, None),
            Err(broken) => (Vec::new(), Some(broken)),
        };
        let faults: Vec<Option<Broken>> = interchanges.iter().map(|one| self.judge(one).err()).collect();
        // One that is not for us says nothing of how those that are were to be treated.
        let ours = interchanges.iter().zip(&faults).filter(|(_, fault)| fault.is_none()).map(|(one, _)| one);
        let broken = broken.or_else(|| self.leniency.of_file(ours));
        let shared = concern(&file.content, &interchanges) == Concern::Both;
        let shared = shared.then(|| sha256(&file.content));
        Opened { file, interchanges, faults, broken, shared }
    }

    /// Takes what is for the shipments channel out of a file.
    pub(super) fn take(&self, opened: &Opened<'_>, memory: &mut Memory, page: &mut ShipmentPage) {
        let file = opened.file;
        if let Some(hash) = opened.shared.as_deref().filter(|hash| memory.took(SHIPMENTS, hash)) {
            // It lies there for the other channel, or was not put away in time.
            if memory.took(STOCK, hash) {
                page.taken.push(file.taken());
            }
            return;
        }
        opened.interchanges.iter().for_each(|one| note(one, &one.findings));
        if let Some(broken) = &opened.broken {
            let refusals = opened
                .judged()
                .flat_map(|(one, fault)| self.refusals(one, |_| true, in_error, fault.unwrap_or(broken), memory));
            page.letters.answers.extend(refusals);
            let aside = set_aside(file.taken(), std::slice::from_ref(broken));
            page.rejected.push(RejectedInput { beside: !is_x12(&file.content), ..aside });
            return;
        }
        let mut standings = Vec::new();
        for (interchange, fault) in opened.judged().filter(|(one, _)| one.holds_others()) {
            standings.push((interchange, self.standing_of(interchange, fault, memory)));
        }
        let asides: Vec<Broken> = standings.iter().filter_map(|(_, standing)| standing.aside().cloned()).collect();
        let any_left = opened.judged().any(|(one, fault)| !one.holds_others() && fault.is_none());
        let whole = asides.len() == standings.len() && !any_left;
        for (interchange, broken) in standings.iter().filter_map(|(one, standing)| Some((one, standing.aside()?))) {
            page.letters.answers.extend(self.refusals(interchange, |_| true, in_error, broken, memory));
        }
        if whole {
            page.rejected.push(set_aside(file.taken(), &asides));
            return;
        }
        for (interchange, standing) in standings {
            let held = page.rejected.len();
            let mark = match standing {
                Standing::New(mark, begun_again) => {
                    note(interchange, begun_again.as_slice());
                    let ours = |group: &Group| !group.holds_stock();
                    page.letters.answers.extend(self.answers(interchange, ours, Fate::Read(&unread), memory.now));
                    mark
                }
                Standing::Repeated => {
                    tracing::info!(interchange.control = interchange.control(), "came before, and says nothing new");
                    continue;
                }
                Standing::Aside(broken) => {
                    page.rejected.push(interchange_aside(file, interchange, &broken));
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
        page.letters.marks.extend(opened.shared.as_deref().map(|hash| file_mark(SHIPMENTS, hash)));
        page.taken.push(file.taken());
    }

    fn standing_of(&self, interchange: &Interchange, fault: Option<&Broken>, memory: &mut Memory) -> Standing {
        match fault {
            Some(broken) => Standing::Aside(broken.clone()),
            None => self.standing(interchange, memory),
        }
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
            // For the other channel.
            "846" | "947" => {}
            other => {
                let why = format!("documents of kind {other} are not taken here");
                let aside = part(file, interchange, &set.control, &set.segments, why);
                page.rejected.push(RejectedInput { beside: true, ..aside });
            }
        }
    }

    /// Takes what is for the stock channel out of a file: whole, or not at all.
    pub(super) fn take_stock(&self, opened: &Opened<'_>, memory: &mut Memory, page: &mut StockPage) {
        let file = opened.file;
        if let Some(hash) = &opened.shared {
            // What left by the count, as the same file says, must be known before the count is used.
            if !memory.took(SHIPMENTS, hash) {
                return;
            }
            if memory.took(STOCK, hash) {
                page.taken.push(file.taken());
                return;
            }
        } else {
            opened.interchanges.iter().for_each(|one| note(one, &one.findings));
        }
        // Of an interchange with other documents that may not be used the other channel tells.
        let judged: Vec<(&Interchange, Option<&Broken>)> = opened
            .judged()
            .filter(|(one, fault)| one.holds_stock() && !(one.holds_others() && fault.is_some()))
            .collect();
        let usable = judged.iter().filter(|(_, fault)| fault.is_none()).map(|(one, _)| *one);
        if let Some(broken) = opened.broken.clone().or_else(|| self.leniency.of_stock(usable)) {
            for (interchange, fault) in &judged {
                let why = fault.unwrap_or(&broken);
                page.letters.answers.extend(self.refusals(
                    interchange,
                    Group::holds_stock,
                    stock_in_error,
                    why,
                    memory,
                ));
            }
            return stock_aside(opened, judged.iter().map(|(one, _)| *one), &[broken], page);
        }
        let (mut new, mut asides) = (Vec::new(), Vec::new());
        for (interchange, fault) in judged {
            let standing = match interchange.holds_others() {
                true => self.standing_of_stock(interchange, memory),
                false => self.standing_of(interchange, fault, memory),
            };
            match standing {
                Standing::New(mark, begun_again) => {
                    note(interchange, begun_again.as_slice());
                    new.push((interchange, mark));
                }
                Standing::Repeated => {}
                Standing::Aside(broken) => asides.push((interchange, broken)),
            }
        }
        for (interchange, broken) in &asides {
            page.letters.answers.extend(self.refusals(interchange, Group::holds_stock, stock_in_error, broken, memory));
        }
        let words: Vec<Broken> = asides.iter().map(|(_, broken)| broken.clone()).collect();
        // What a whole count lacks is gone: one that may be part of another one takes that with it.
        let lacking = self.full_snapshot && words.iter().any(|broken| [UNKNOWN_VERSION, REUSED].contains(&broken.note));
        let feeds = self.feeds(file, new.iter().map(|(interchange, _)| *interchange));
        let used = feeds.is_ok() && !lacking;
        for (interchange, _) in &new {
            let unread = unread_stock(interchange, used);
            let answers = self.answers(interchange, Group::holds_stock, Fate::Read(&unread), memory.now);
            page.letters.answers.extend(answers);
        }
        let none_left = new.is_empty() && asides.len() == opened.interchanges.len();
        let feeds = match feeds {
            Ok(feeds) if !lacking && !none_left => feeds,
            feeds => {
                new.iter().for_each(|(_, mark)| memory.forget(mark));
                let words: Vec<Broken> = words.into_iter().chain(feeds.err()).collect();
                let all = new.iter().map(|(one, _)| *one).chain(asides.iter().map(|(one, _)| *one));
                return stock_aside(opened, all, &words, page);
            }
        };
        page.feeds.extend(feeds);
        for (interchange, broken) in &asides {
            page.rejected.push(match interchange.holds_others() {
                true => part(file, interchange, "", &stock_of(interchange), broken.to_string()),
                false => interchange_aside(file, interchange, broken),
            });
        }
        for (interchange, mark) in new {
            // What is held may come again under its number, mended.
            match self.take_adjustments(file, interchange, page) {
                true => page.letters.marks.push(mark),
                false => memory.forget(&mark),
            }
        }
        page.letters.marks.extend(opened.shared.as_deref().map(|hash| file_mark(STOCK, hash)));
        page.taken.push(file.taken());
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

    /// What is said of an interchange that nothing is used of: of what is of an unknown version that it is, and of what is not used
    /// by agreement that these sets are in error. A sender whom nobody knows, and a test in production, are told nothing.
    fn refusals(
        &self,
        interchange: &Interchange,
        ours: fn(&Group) -> bool,
        by_agreement: fn(&Set) -> Option<&'static str>,
        broken: &Broken,
        memory: &Memory,
    ) -> Vec<connect::EffectDraft> {
        match broken.note {
            UNKNOWN_VERSION => self.answers(interchange, ours, Fate::UnknownVersion, memory.now),
            BY_AGREEMENT => self.answers(interchange, ours, Fate::Read(&by_agreement), memory.now),
            _ => Vec::new(),
        }
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

fn set_aside(input: Inbound, broken: &[Broken]) -> RejectedInput {
    let why: Vec<String> = broken.iter().map(ToString::to_string).collect();
    RejectedInput {
        reason: format!("{}: {}. Nothing of the file was used", input.name, why.join("; ")),
        input,
        beside: false,
        key: None,
    }
}

/// Sets the stock of these interchanges of a file aside: with the file, where nothing else stands in it.
fn stock_aside<'a>(
    opened: &Opened<'_>,
    interchanges: impl Iterator<Item = &'a Interchange>,
    broken: &[Broken],
    page: &mut StockPage,
) {
    let file = opened.file;
    let Some(hash) = &opened.shared else {
        page.rejected.push(set_aside(file.taken(), broken));
        return;
    };
    let why: Vec<String> = broken.iter().map(ToString::to_string).collect();
    let why = format!("{}. Nothing of the stock in the file was used; its other documents were", why.join("; "));
    page.rejected.extend(interchanges.map(|one| part(file, one, "", &stock_of(one), why.clone())));
    page.letters.marks.push(file_mark(STOCK, hash));
    page.taken.push(file.taken());
}

/// The segments of the documents that are for the stock channel.
fn stock_of(interchange: &Interchange) -> Vec<Segment> {
    let sets = interchange.sets().filter(|(_, set)| set.is_stock());
    sets.flat_map(|(_, set)| set.segments.iter().cloned()).collect()
}

/// An interchange that is not used, while others of its file are.
fn interchange_aside(file: &Complete, interchange: &Interchange, broken: &Broken) -> RejectedInput {
    let why = format!("{broken}. Nothing of this interchange was used; others of its file were");
    part(file, interchange, "", &everything(interchange), why)
}

/// One document of a file that is held for a person, or an interchange where there is no number of a document, while the others of
/// the file are used.
fn part(file: &Complete, interchange: &Interchange, control: &str, segments: &[Segment], why: String) -> RejectedInput {
    let content = raw(interchange, segments).into_bytes();
    let number = if control.is_empty() { String::new() } else { format!("-{control}") };
    let name = format!("{}#{}{number}", file.name, interchange.control());
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
