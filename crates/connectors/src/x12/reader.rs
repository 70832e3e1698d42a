//! Reading an interchange: lenient, since no two partners write the same X12.
//!
//! Byte positions are not trusted. The separators are found by counting, the terminator from the first segment behind the
//! ISA, which is the first place where it can be seen at work. What can be understood is read, with a [`Finding`] where it
//! is not as it should be; what was cut off or cannot be told apart is [`Broken`], because half a shipping advice reads like
//! a short shipment.

use super::{
    dictionary,
    finding::{Broken, Finding, FindingKind},
    segment::{Segment, Separators},
};

/// Longest tail of an ISA, in characters: separators and line ends, nothing else.
const LONGEST_TAIL: usize = 16;
/// Longest element of an ISA that is taken as one, in characters; the longest by the standard has 15.
const LONGEST_ISA_ELEMENT: usize = 80;
/// Fixed lengths of ISA01 to ISA15.
const ISA_LENGTHS: [usize; 15] = [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1];

/// One end of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// What kind of id it is, e.g. `ZZ` mutually agreed, `01` DUNS.
    pub qualifier: String,
    /// The id, without padding.
    pub id: String,
}

/// A transaction set: one business document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// E.g. `945`.
    pub code: String,
    /// ST02.
    pub control: String,
    /// From ST to SE, both included.
    pub segments: Vec<Segment>,
    /// Version of its group, e.g. `004010`.
    pub version: String,
}

impl Set {
    /// Whether this was found in one of its segments.
    pub(super) fn holds(&self, finding: &Finding) -> bool {
        let (first, last) = (self.segments.first(), self.segments.last());
        first.zip(last).is_some_and(|(first, last)| (first.at..=last.at).contains(&finding.at))
    }
}

/// A functional group: sets of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// GS01 to GS08.
    pub head: Segment,
    /// Its sets.
    pub sets: Vec<Set>,
    /// GE01 and GE02; `None` of a group that was not read.
    pub end: Option<Segment>,
}

impl Group {
    /// GS01, e.g. `SW`.
    pub fn code(&self) -> &str {
        self.head.get(1)
    }

    /// GS06.
    pub fn control(&self) -> &str {
        self.head.get(6)
    }

    /// GS08, e.g. `004010`.
    pub fn version(&self) -> &str {
        self.head.get(8)
    }

    /// GE01, how many sets its sender says it holds; `None` where no such number stands there.
    pub fn counted(&self) -> Option<u32> {
        let count = self.end.as_ref()?.get(1);
        count.parse().ok().filter(|_| count.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Whether GE01 is not the number of sets that came.
    pub(super) fn is_miscounted(&self) -> bool {
        self.end.is_some() && self.counted().and_then(|count| usize::try_from(count).ok()) != Some(self.sets.len())
    }

    /// Whether GE02 is not GS06.
    pub(super) fn ends_as_another(&self) -> bool {
        self.end.as_ref().is_some_and(|end| !same_number(end.get(2), self.control()))
    }
}

/// An interchange: an envelope with groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interchange {
    /// What parts it.
    pub separators: Separators,
    /// ISA01 to ISA15, and the component separator where there is one.
    pub head: Segment,
    /// ISA05 and ISA06.
    pub sender: Party,
    /// ISA07 and ISA08.
    pub receiver: Party,
    /// Acknowledgements of whole interchanges (TA1).
    pub acknowledgements: Vec<Segment>,
    /// Its groups.
    pub groups: Vec<Group>,
    /// What was passed over.
    pub findings: Vec<Finding>,
}

impl Interchange {
    /// ISA13.
    pub fn control(&self) -> &str {
        self.head.get(13)
    }

    /// Whether the sender asks for a TA1 (ISA14).
    pub fn wants_acknowledgement(&self) -> bool {
        self.head.get(14) == "1"
    }

    /// Whether it is a test (ISA15).
    pub fn is_test(&self) -> bool {
        self.head.get(15).eq_ignore_ascii_case("T")
    }

    /// Its sets with their groups, in order.
    pub fn sets(&self) -> impl Iterator<Item = (&Group, &Set)> {
        self.groups.iter().flat_map(|group| group.sets.iter().map(move |set| (group, set)))
    }
}

/// The text of a file: UTF-8, else each byte one character of Latin-1. Byte-order marks in front are left off.
pub fn decode(content: &[u8]) -> String {
    match std::str::from_utf8(content) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => content.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The interchanges of a file, in order.
///
/// # Errors
/// When the separators cannot be found, or something was cut off: then nothing of the whole file may be used.
pub fn read(content: &[u8]) -> Result<Vec<Interchange>, Broken> {
    let text = decode(content);
    let mut rest = behind_marks(&text);
    if rest.is_empty() {
        return Err(Broken::new(1, "022", "the file is empty"));
    }
    let mut interchanges = Vec::new();
    let mut counted = 0;
    while !rest.is_empty() {
        let mut reading = Reading::begin(rest, counted)?;
        rest = reading.run()?;
        counted = reading.at;
        interchanges.push(reading.interchange);
        // Files that were put together into one each keep the mark they began with.
        rest = behind_marks(rest);
    }
    Ok(interchanges)
}

/// What separates the elements of a file and ends its segments, as far as its head says so.
pub(super) fn separators(text: &str) -> Option<Separators> {
    head(behind_marks(text), 1).ok().map(|head| head.separators)
}

/// The text from where an interchange begins: without byte-order marks, white space, and what some programs put behind the
/// end of a file.
fn behind_marks(mut text: &str) -> &str {
    let nothing = |character: char| character.is_whitespace() || character.is_control() || character == '\u{feff}';
    loop {
        text = text.trim_start_matches(nothing);
        // The three bytes of the mark in a file whose others are no UTF-8.
        match text.strip_prefix("\u{ef}\u{bb}\u{bf}") {
            Some(behind) => text = behind,
            None => return text,
        }
    }
}

/// The head of an interchange, as far as the separators can be told.
struct Head<'a> {
    elements: Vec<&'a str>,
    separators: Separators,
    findings: Vec<(FindingKind, String)>,
    /// From the first segment behind the ISA.
    rest: &'a str,
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\r' | '\n')
}

fn head(text: &str, at: usize) -> Result<Head<'_>, Broken> {
    let begins = text.get(..3).is_some_and(|id| id.eq_ignore_ascii_case("ISA"));
    let behind = text.get(3..).unwrap_or_default();
    let element = behind.chars().next().filter(|_| begins);
    let Some(element) = element.filter(|found| !found.is_alphanumeric() && !matches!(found, ' ' | '\r' | '\n')) else {
        return Err(Broken::new(
            at,
            "024",
            "it does not begin with ISA and a separator: it is no X12. Ask the sender for the file as it was made",
        ));
    };
    let mut findings = Vec::new();
    let mut rest = behind.get(element.len_utf8()..).unwrap_or_default();
    let mut elements = Vec::with_capacity(16);
    for length in ISA_LENGTHS {
        let Some((found, behind)) = rest.split_once(element).filter(|(found, _)| found.len() <= LONGEST_ISA_ELEMENT)
        else {
            return Err(Broken::new(
                at,
                "022",
                "the ISA has fewer than 15 elements: the head of the interchange is cut",
            ));
        };
        if found.chars().count() != length && !findings.iter().any(|(kind, _)| *kind == FindingKind::IsaNotPadded) {
            let number = elements.len() + 1;
            let words = format!("ISA{number:02} has {} characters where {length} are fixed", found.chars().count());
            findings.push((FindingKind::IsaNotPadded, words));
        }
        elements.push(found.trim());
        rest = behind;
    }
    let next = ["GS", "TA1", "IEA"].iter().filter_map(|id| find_segment(rest, id, element)).min();
    let Some(tail_ends) =
        next.filter(|ends| rest.get(..*ends).is_some_and(|tail| tail.chars().count() <= LONGEST_TAIL))
    else {
        return Err(Broken::new(
            at,
            "022",
            "behind the ISA there is no group (GS), no acknowledgement (TA1) and no end (IEA) where one must be",
        ));
    };
    let tail = rest.get(..tail_ends).unwrap_or_default();
    if tail.contains(element) {
        return Err(Broken::new(at, "022", "the ISA has more than 16 elements: where it ends cannot be told"));
    }
    let rest = rest.get(tail_ends..).unwrap_or_default();
    let terminator = terminator(rest, element, tail)
        .ok_or_else(|| Broken::new(at + 1, "004", "the first segment behind the ISA does not end"))?;
    let component = component(tail, terminator, &mut findings);
    let repetition = elements
        .get(10)
        .and_then(|isa11| isa11.chars().next())
        .filter(|isa11| !isa11.is_alphanumeric() && *isa11 != element && *isa11 != terminator);
    Ok(Head { elements, separators: Separators { element, component, repetition, terminator }, findings, rest })
}

/// Where a segment of this id begins. Ids are compared in upper case (x12.md §9.1).
fn find_segment(text: &str, id: &str, element: char) -> Option<usize> {
    let near = text.get(..200.min(text.len())).unwrap_or(text);
    let mut places = near.char_indices().map(|(place, _)| place);
    places.find(|place| near.get(*place..).is_some_and(|text| begins_with(text, id, element)))
}

/// Whether a text begins with a segment of this id.
fn begins_with(text: &str, id: &str, element: char) -> bool {
    text.get(..id.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(id))
        && text.get(id.len()..).is_some_and(|behind| behind.starts_with(element))
}

/// The character that ends the first segment behind the ISA: whatever stands behind its last element. A line end is that only
/// where a segment begins behind it: else it stands inside the segment, or before its end, and means nothing (x12.md §9.1).
fn terminator(rest: &str, element: char, tail: &str) -> Option<char> {
    let last = if begins_with(rest, "GS", element) {
        8
    } else if begins_with(rest, "TA1", element) {
        5
    } else {
        2
    };
    let mut elements = 0;
    for (place, character) in rest.char_indices() {
        if character == element {
            elements += 1;
        }
        if elements < last || character == element {
            continue;
        }
        if is_line_end(character) {
            if segment_begins(rest.get(place..).unwrap_or_default(), element) {
                return Some('\n');
            }
        } else if !character.is_alphanumeric() && !matches!(character, ' ' | '.' | '-' | '/') {
            return Some(character);
        }
    }
    // A file that ends without an end of its last segment: the ISA's own end is all there is to go by.
    let mut marks = tail.chars().filter(|character| !is_line_end(*character));
    Some(marks.next_back().filter(|_| marks.next().is_some()).unwrap_or('\n')).filter(|_| elements >= last)
}

/// Whether nothing more comes, or behind white space a segment that can be the second one behind an ISA, or the next ISA.
fn segment_begins(text: &str, element: char) -> bool {
    let text = behind_marks(text);
    let next_interchange = text.get(..3).is_some_and(|id| id.eq_ignore_ascii_case("ISA"));
    text.is_empty()
        || next_interchange
        || ["ST", "GE", "GS", "TA1", "IEA"].iter().any(|id| begins_with(text, id, element))
}

/// The component separator, from what stands between ISA15 and the first segment.
fn component(tail: &str, terminator: char, findings: &mut Vec<(FindingKind, String)>) -> Option<char> {
    let marks: Vec<char> = tail.chars().filter(|character| !is_line_end(*character)).collect();
    let by_line = is_line_end(terminator);
    let found = match marks.as_slice() {
        [] => None,
        [only] if *only == terminator => None,
        [component] if by_line => Some(*component),
        [component, end] if *end == terminator && !by_line => Some(*component),
        [component, ..] => {
            let words = format!("the ISA ends with {tail:?}, the segments behind it with {terminator:?}");
            findings.push((FindingKind::IsaEnd, words));
            Some(*component)
        }
    };
    let found = found.filter(|component| *component != terminator && !component.is_whitespace());
    if found.is_none() {
        let words = "the ISA names no component separator (ISA16)".to_owned();
        findings.push((FindingKind::NoComponentSeparator, words));
    }
    found
}

/// One interchange on the way.
struct Reading<'a> {
    interchange: Interchange,
    rest: &'a str,
    /// Segments read so far, in the file.
    at: usize,
}

impl<'a> Reading<'a> {
    fn begin(text: &'a str, counted: usize) -> Result<Self, Broken> {
        let at = counted + 1;
        let Head { elements, separators, findings, rest } = head(text, at)?;
        let party = |qualifier: usize| Party {
            qualifier: elements.get(qualifier).copied().unwrap_or_default().to_owned(),
            id: elements.get(qualifier + 1).copied().unwrap_or_default().to_owned(),
        };
        let (sender, receiver) = (party(4), party(6));
        let mut elements: Vec<String> = elements.into_iter().map(str::to_owned).collect();
        elements.extend(separators.component.map(String::from));
        let findings = findings.into_iter().map(|(kind, words)| Finding::new(kind, at, words)).collect();
        let head = Segment { id: "ISA".to_owned(), elements, at };
        let (acknowledgements, groups) = (Vec::new(), Vec::new());
        let interchange = Interchange { separators, head, sender, receiver, acknowledgements, groups, findings };
        Ok(Self { interchange, rest, at })
    }

    fn find(&mut self, kind: FindingKind, words: String) {
        self.interchange.findings.push(Finding::new(kind, self.at, words));
    }

    /// Up to the end of the interchange; gives what stands behind it.
    fn run(&mut self) -> Result<&'a str, Broken> {
        let mut group: Option<Group> = None;
        let mut set: Option<Set> = None;
        while let Some(segment) = self.next() {
            match (segment.id.as_str(), &mut group, &mut set) {
                ("SE", Some(group), Some(_)) => {
                    if let Some(whole) = set.take() {
                        group.sets.push(self.end_set(whole, segment, &group.head));
                    }
                }
                ("ST" | "GS" | "GE" | "ISA" | "IEA", _, Some(open)) => {
                    return Err(self.cut(format!(
                        "set {} {} has no end (SE) before {}: it was cut off",
                        open.code, open.control, segment.id
                    )));
                }
                (_, _, Some(open)) => open.segments.push(segment),
                ("ST", Some(group), None) => {
                    let (code, control) = (segment.get(1).to_owned(), segment.get(2).to_owned());
                    let version = group.version().to_owned();
                    set = Some(Set { code, control, segments: vec![segment], version });
                }
                ("GE", Some(_), None) => {
                    if let Some(mut whole) = group.take() {
                        whole.end = Some(segment);
                        self.end_group(&whole);
                        self.interchange.groups.push(whole);
                    }
                }
                ("GS", None, None) => {
                    self.begin_group(&segment);
                    group = Some(Group { head: segment, sets: Vec::new(), end: None });
                }
                ("TA1", None, None) => self.interchange.acknowledgements.push(segment),
                ("IEA", None, None) => {
                    self.end(&segment);
                    return Ok(self.rest);
                }
                ("GS" | "ISA" | "IEA", Some(open), None) => {
                    return Err(self.cut(format!("group {} has no end (GE): it was cut off", open.control())));
                }
                (other, ..) => {
                    return Err(Broken::new(
                        self.at,
                        "024",
                        format!("{other} stands where no such segment can be: between the documents"),
                    ));
                }
            }
        }
        Err(self.cut(format!("interchange {} has no end (IEA): it was cut off", self.interchange.control())))
    }

    fn cut(&self, why: String) -> Broken {
        Broken::new(self.at, "023", why + ". Ask the sender to send it again")
    }

    /// The next segment that is not empty.
    fn next(&mut self) -> Option<Segment> {
        let separators = self.interchange.separators;
        let by_line = is_line_end(separators.terminator);
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return None;
            }
            let ends = |character: char| {
                if by_line { is_line_end(character) } else { character == separators.terminator }
            };
            let (raw, behind) = match self.rest.find(ends) {
                Some(end) => (self.rest.get(..end)?, self.rest.get(end + separators.terminator.len_utf8()..)?),
                None => (self.rest, ""),
            };
            let open = raw.len() == self.rest.len();
            self.rest = behind;
            let raw = raw.trim();
            if raw.is_empty() {
                continue;
            }
            self.at += 1;
            if open {
                self.find(FindingKind::LastEndMissing, "the last segment has no end".to_owned());
            }
            let whole: String;
            let raw = if raw.contains(is_line_end) {
                whole = raw.chars().filter(|character| !is_line_end(*character)).collect();
                self.find(FindingKind::LineBreakInside, "a line end stands inside the segment".to_owned());
                whole.as_str()
            } else {
                raw
            };
            let mut elements = raw.split(separators.element).map(|element| element.trim().to_owned());
            let id = elements.next().unwrap_or_default().to_ascii_uppercase();
            let mut elements: Vec<String> = elements.collect();
            while elements.last().is_some_and(String::is_empty) {
                elements.pop();
            }
            return Some(Segment { id, elements, at: self.at });
        }
    }

    fn begin_group(&mut self, head: &Segment) {
        let (isa12, gs08) = (self.interchange.head.get(12).to_owned(), head.get(8).to_owned());
        if !gs08.starts_with(&isa12) {
            self.find(
                FindingKind::VersionsDisagree,
                format!("the ISA says version {isa12}, the group {gs08}; the group's counts"),
            );
        }
    }

    fn end_set(&mut self, mut set: Set, end: Segment, group: &Segment) -> Set {
        let (count, control) = (end.get(1).to_owned(), end.get(2).to_owned());
        set.segments.push(end);
        if count.parse::<usize>().ok() != Some(set.segments.len()) {
            let words = format!("SE01 counts {count} segments, and there are {}", set.segments.len());
            self.find(FindingKind::SegmentCount, words);
        }
        if !same_number(&control, &set.control) {
            let words = format!("the set begins as number {} and ends as number {control}", set.control);
            self.find(FindingKind::SetControl, words);
        }
        if let Some(code) = dictionary::group_code(&set.code)
            && code != group.get(1)
        {
            let words = format!("a {} stands in a group of {}, not of {code}", set.code, group.get(1));
            self.find(FindingKind::GroupCode, words);
        }
        self.interchange.findings.extend(dictionary::look_over(&set));
        set
    }

    fn end_group(&mut self, group: &Group) {
        let Some(end) = &group.end else { return };
        if group.is_miscounted() {
            let words = format!("GE01 counts {} sets, and there are {}", end.get(1), group.sets.len());
            self.find(FindingKind::SetCount, words);
        }
        if group.ends_as_another() {
            let words = format!("the group begins as number {} and ends as number {}", group.control(), end.get(2));
            self.find(FindingKind::GroupControl, words);
        }
    }

    fn end(&mut self, end: &Segment) {
        let groups = self.interchange.groups.len();
        if end.get(1).parse::<usize>().ok() != Some(groups) {
            let words = format!("IEA01 counts {} groups, and there are {groups}", end.get(1));
            self.find(FindingKind::GroupCount, words);
        }
        if !same_number(end.get(2), self.interchange.control()) {
            let words = format!(
                "the interchange begins as number {} and ends as number {}",
                self.interchange.control(),
                end.get(2)
            );
            self.find(FindingKind::InterchangeControl, words);
        }
    }
}

/// Whether two control numbers are one: zeros in front do not count.
pub(super) fn same_number(one: &str, other: &str) -> bool {
    let plain = |number: &str| number.trim_start_matches('0').to_owned();
    one == other || (plain(one) == plain(other) && !one.is_empty() && !other.is_empty())
}
