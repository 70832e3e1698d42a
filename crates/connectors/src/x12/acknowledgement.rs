//! 997, functional acknowledgement, both ways, and TA1, which comes for a whole interchange.
//!
//! A 997 says that a document could be parsed, never that what it asks for will be done.

use super::{
    finding::{Broken, ElementFault, Finding, FindingKind},
    reader::{Group, Set},
    segment::Segment,
};

/// What is said of a group or a set (AK501, AK901).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// `A`.
    Accepted,
    /// `E`: accepted with errors.
    AcceptedWithErrors,
    /// `P`: some of its sets.
    Partly,
    /// `R`, and `M`, `W`, `X` for what cannot be trusted.
    Rejected,
    /// Whatever else: a word that is not known is neither a yes nor a no.
    Unclear,
}

impl Verdict {
    fn of(code: &str) -> Self {
        match code {
            "A" => Self::Accepted,
            "E" => Self::AcceptedWithErrors,
            "P" => Self::Partly,
            "R" | "M" | "W" | "X" => Self::Rejected,
            _ => Self::Unclear,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Accepted => "A",
            Self::AcceptedWithErrors => "E",
            Self::Partly => "P",
            Self::Rejected | Self::Unclear => "R",
        }
    }

    /// Whether what it is about was taken in.
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Accepted | Self::AcceptedWithErrors)
    }
}

/// What is said of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetVerdict {
    /// AK201.
    pub code: String,
    /// AK202: its control number in the group.
    pub control: String,
    /// AK501.
    pub verdict: Verdict,
    /// What was wrong, one line each, for people.
    pub errors: Vec<String>,
}

/// A 997.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// AK101: the group code of what is acknowledged, e.g. `OW`.
    pub group: String,
    /// AK102: its group control number.
    pub control: String,
    /// AK901.
    pub verdict: Verdict,
    /// One by one; empty where only the group is spoken of.
    pub sets: Vec<SetVerdict>,
    /// AK905 to AK909, for people.
    pub errors: Vec<String>,
}

fn named(segment: &Segment, element: usize, what: &str) -> Option<String> {
    let code = segment.text(element)?;
    let meaning = super::codes::meaning(&segment.id, element, code).unwrap_or("a code of the partner's own");
    Some(format!("{what} {code} ({meaning})"))
}

impl Acknowledgement {
    /// The acknowledgement that a document says.
    ///
    /// # Errors
    /// When it does not name a group, or gives no result for it.
    pub fn read(set: &Set) -> Result<Self, Broken> {
        let at = set.segments.first().map_or(0, |segment| segment.at);
        let mut group = None;
        let mut result = None;
        let mut sets: Vec<SetVerdict> = Vec::new();
        for segment in &set.segments {
            match segment.id.as_str() {
                "AK1" => group = Some((segment.get(1).to_owned(), segment.get(2).to_owned())),
                "AK2" => sets.push(SetVerdict {
                    code: segment.get(1).to_owned(),
                    control: segment.get(2).to_owned(),
                    // Until its AK5 says something.
                    verdict: Verdict::Unclear,
                    errors: Vec::new(),
                }),
                "AK3" => {
                    if let Some(open) = sets.last_mut() {
                        let error = named(segment, 4, "error").unwrap_or_default();
                        open.errors.push(format!("segment {} at {}: {error}", segment.get(1), segment.get(2)));
                    }
                }
                "AK4" => {
                    if let Some(open) = sets.last_mut() {
                        let error = named(segment, 3, "error").unwrap_or_default();
                        open.errors.push(format!("element {}: {error}: {:?}", segment.get(1), segment.get(4)));
                    }
                }
                "AK5" => {
                    if let Some(open) = sets.last_mut() {
                        open.verdict = Verdict::of(segment.get(1));
                        open.errors.extend((2..=6).filter_map(|element| named(segment, element, "reason")));
                    }
                }
                "AK9" => {
                    let errors = (5..=9).filter_map(|element| named(segment, element, "reason")).collect();
                    result = Some((Verdict::of(segment.get(1)), errors));
                }
                _ => {}
            }
        }
        let (group, control) = group
            .filter(|(_, control)| !control.is_empty())
            .ok_or_else(|| Broken::new(at, "024", "the 997 does not say which group it is about (AK1)"))?;
        let (verdict, errors) =
            result.ok_or_else(|| Broken::new(at, "024", "the 997 gives no result for its group (AK9)"))?;
        Ok(Self { group, control, verdict, sets, errors })
    }

    /// What it says of the set with this control number: its own result where there is one, else the group's.
    pub fn of_set(&self, control: &str) -> (Verdict, Vec<String>) {
        match self.sets.iter().find(|set| super::reader::same_number(&set.control, control)) {
            Some(set) => (set.verdict, set.errors.iter().chain(&self.errors).cloned().collect()),
            None => (self.verdict, self.errors.clone()),
        }
    }
}

/// AK502 of a set of a kind that is not taken: none of its segments is at fault.
pub(super) const NOT_TAKEN: &str = "1";
/// AK905: GE01 is not the number of sets that came.
const MISCOUNTED: &str = "5";
/// AK905: GE02 is not GS06.
const ENDS_AS_ANOTHER: &str = "4";
/// Largest number that fits into AK902.
const MOST_SETS: u32 = 999_999;
/// AK404 in characters.
const LONGEST_COPY: usize = 99;

/// The answer to a group, without ST and SE: each set accepted, or accepted with errors where findings were passed over and
/// `detail` is wanted; rejected for this reason where `refused` gives one (AK502). With `detail` the segments and elements at
/// fault are named (AK3, AK4), and a group whose end does not fit is accepted with errors, too (AK905).
pub fn answer(
    group: &Group,
    findings: &[Finding],
    refused: impl Fn(&Set) -> Option<&'static str>,
    detail: bool,
) -> Vec<Segment> {
    let mut out = vec![Segment::new("AK1", [group.code(), group.control()])];
    let mut accepted = 0;
    let mut all_clean = true;
    for set in &group.sets {
        out.push(Segment::new("AK2", [set.code.as_str(), &set.control]));
        let (first, last) = (set.segments.first().map_or(0, |one| one.at), set.segments.last().map_or(0, |one| one.at));
        let of_set: Vec<&Finding> = findings.iter().filter(|finding| (first..=last).contains(&finding.at)).collect();
        let refused = refused(set);
        if detail && refused != Some(NOT_TAKEN) {
            out.extend(segments_at_fault(set, &of_set, first));
        }
        out.push(match refused {
            Some(reason) => Segment::new("AK5", [Verdict::Rejected.code(), reason]),
            None if detail && !of_set.is_empty() => {
                accepted += 1;
                all_clean = false;
                let reasons = reasons(&of_set);
                Segment::new("AK5", std::iter::once(Verdict::AcceptedWithErrors.code()).chain(reasons))
            }
            None => {
                accepted += 1;
                Segment::new("AK5", [Verdict::Accepted.code()])
            }
        });
    }
    let of_group = group_reasons(group);
    all_clean &= !detail || of_group.is_empty();
    let verdict = match accepted {
        all if all == group.sets.len() && all_clean => Verdict::Accepted,
        all if all == group.sets.len() => Verdict::AcceptedWithErrors,
        0 => Verdict::Rejected,
        _ => Verdict::Partly,
    };
    // What is accepted without a word has no reasons.
    let reasons = if verdict == Verdict::Accepted { Vec::new() } else { of_group };
    out.push(group_result(group, verdict, accepted, &reasons));
    out
}

/// The answer to a group of which nothing was read, for this reason (AK905).
pub fn refuse_group(group: &Group, reason: &str) -> Vec<Segment> {
    let reasons: Vec<&str> = std::iter::once(reason).chain(group_reasons(group)).collect();
    vec![Segment::new("AK1", [group.code(), group.control()]), group_result(group, Verdict::Rejected, 0, &reasons)]
}

/// AK9: how many sets the sender counted (GE01), how many came, how many were accepted.
fn group_result(group: &Group, verdict: Verdict, accepted: usize, reasons: &[&str]) -> Segment {
    let received = group.sets.len().to_string();
    // Where no such number stands there, what came is the only count there is.
    let counted = group.counted().filter(|count| *count <= MOST_SETS).map(|count| count.to_string());
    let (counted, accepted) = (counted.as_deref().unwrap_or(&received), accepted.to_string());
    let head = [verdict.code(), counted, received.as_str(), accepted.as_str()];
    Segment::new("AK9", head.into_iter().chain(reasons.iter().copied()))
}

/// AK905 and on: what is wrong with the end of the group.
fn group_reasons(group: &Group) -> Vec<&'static str> {
    let reasons = [(group.ends_as_another(), ENDS_AS_ANOTHER), (group.is_miscounted(), MISCOUNTED)];
    reasons.into_iter().filter(|(is_one, _)| *is_one).map(|(_, reason)| reason).collect()
}

/// AK3 for each segment that something was passed over in, with AK4 for each element of it.
fn segments_at_fault(set: &Set, findings: &[&Finding], first: usize) -> Vec<Segment> {
    let mut out = Vec::new();
    for segment in set.segments.iter().filter(|segment| matches!(segment.id.len(), 2 | 3)) {
        let of_segment = || findings.iter().filter(|finding| finding.at == segment.at);
        let place = (segment.at + 1 - first).to_string();
        for (kind, error) in [(FindingKind::TooOften, "5"), (FindingKind::UnknownSegment, "6")] {
            if of_segment().any(|finding| finding.kind == kind) {
                out.push(Segment::new("AK3", [segment.id.as_str(), &place, "", error]));
            }
        }
        let mut elements = of_segment().filter_map(|finding| finding.element.as_ref()).peekable();
        if elements.peek().is_some() {
            out.push(Segment::new("AK3", [segment.id.as_str(), &place, "", "8"]));
            out.extend(elements.map(element_at_fault));
        }
    }
    out
}

fn element_at_fault(fault: &ElementFault) -> Segment {
    // A letter that cannot be written in every partner's characters would leave the whole answer unwritten.
    let plain = fault.text.chars().all(|character| matches!(character, ' '..='~'));
    let copy: String = fault.text.chars().filter(|_| plain).take(LONGEST_COPY).collect();
    Segment::new("AK4", [fault.number.to_string().as_str(), "", fault.code, &copy])
}

/// AK502 and on: why a set is accepted with errors.
fn reasons(findings: &[&Finding]) -> Vec<&'static str> {
    let any = |kinds: &[FindingKind]| findings.iter().any(|finding| kinds.contains(&finding.kind));
    let (counts, controls) = (any(&[FindingKind::SegmentCount]), any(&[FindingKind::SetControl]));
    let segments = findings.iter().any(|finding| {
        finding.element.is_some() || matches!(finding.kind, FindingKind::UnknownSegment | FindingKind::TooOften)
    }) || !(counts || controls);
    let reasons = [(controls, "3"), (counts, "4"), (segments, "5")];
    reasons.into_iter().filter(|(is_one, _)| *is_one).map(|(_, reason)| reason).collect()
}

/// A TA1: what the receiver says of a whole interchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterchangeAcknowledgement {
    /// Our ISA13.
    pub control: String,
    /// TA104.
    pub verdict: Verdict,
    /// TA105.
    pub note: String,
}

impl InterchangeAcknowledgement {
    /// What a TA1 segment says.
    pub fn read(segment: &Segment) -> Self {
        Self {
            control: segment.get(1).to_owned(),
            verdict: Verdict::of(segment.get(4)),
            note: segment.get(5).to_owned(),
        }
    }

    /// Whether it says that the same interchange came before: it arrived, then, and only once.
    pub fn is_duplicate(&self) -> bool {
        self.note == "025"
    }
}
