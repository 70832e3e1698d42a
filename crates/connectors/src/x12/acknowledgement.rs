//! 997, functional acknowledgement, both ways, and TA1, which comes for a whole interchange.
//!
//! A 997 says that a document could be parsed, never that what it asks for will be done.

use super::{
    finding::{Broken, Finding, FindingKind},
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

/// The answer to a group, without ST and SE: each set accepted, or accepted with errors where findings were passed over and
/// `detail` is wanted; rejected for this reason where `refused` gives one (AK502).
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
        let result = match refused(set) {
            Some(reason) => Segment::new("AK5", [Verdict::Rejected.code(), reason]),
            None if detail && !of_set.is_empty() => {
                accepted += 1;
                all_clean = false;
                detail_of(set, &of_set, first, &mut out)
            }
            None => {
                accepted += 1;
                Segment::new("AK5", [Verdict::Accepted.code()])
            }
        };
        out.push(result);
    }
    let verdict = match accepted {
        all if all == group.sets.len() && all_clean => Verdict::Accepted,
        all if all == group.sets.len() => Verdict::AcceptedWithErrors,
        0 => Verdict::Rejected,
        _ => Verdict::Partly,
    };
    let count = group.sets.len().to_string();
    out.push(Segment::new("AK9", [verdict.code(), count.as_str(), &count, &accepted.to_string()]));
    out
}

/// The answer to a group of which nothing was read, for this reason (AK905).
pub fn refuse_group(group: &Group, reason: &str) -> Vec<Segment> {
    let count = group.sets.len().to_string();
    vec![
        Segment::new("AK1", [group.code(), group.control()]),
        Segment::new("AK9", [Verdict::Rejected.code(), count.as_str(), &count, "0", reason]),
    ]
}

/// AK3 for each segment that something was passed over in, and the result.
fn detail_of(set: &Set, findings: &[&Finding], first: usize, out: &mut Vec<Segment>) -> Segment {
    let mut counts = false;
    let mut controls = false;
    for finding in findings {
        let place = (finding.at + 1 - first).to_string();
        let error = match finding.kind {
            FindingKind::SegmentCount => {
                counts = true;
                continue;
            }
            FindingKind::SetControl => {
                controls = true;
                continue;
            }
            FindingKind::TooOften => "5",
            FindingKind::UnknownSegment => "6",
            FindingKind::ElementLength | FindingKind::BadDate | FindingKind::BadNumber | FindingKind::HalfPair => "8",
            _ => continue,
        };
        let id = set.segments.iter().find(|segment| segment.at == finding.at).map_or("", |segment| segment.id.as_str());
        if matches!(id.len(), 2 | 3) {
            out.push(Segment::new("AK3", [id, place.as_str(), "", error]));
        }
    }
    let reasons = [(counts, "4"), (controls, "3"), (!counts && !controls, "5")];
    let reasons = reasons.into_iter().filter(|(is_one, _)| *is_one).map(|(_, reason)| reason);
    Segment::new("AK5", std::iter::once(Verdict::AcceptedWithErrors.code()).chain(reasons))
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
