//! 945, warehouse shipping advice: what left, as the document says it.
//!
//! Partners put the same thing into different places, and nest it differently; all places are read here, and which of them
//! counts is decided where the advice becomes a shipment.

use std::collections::BTreeMap;

use connect::plausible_weight;
use jiff::civil;
use rust_decimal::Decimal;

use super::{
    dictionary,
    finding::Broken,
    reader::Set,
    segment::{Segment, value_of},
};

/// What a partner's own line statuses stand for, and those of the standard that it uses in another sense.
pub type OwnStatuses = BTreeMap<String, LineStatus>;

/// What became of a line (W1201).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineStatus {
    /// `CC`, `CL`: complete.
    Complete,
    /// `CP`: part of it left, the rest is cancelled.
    RestCancelled,
    /// `BP`, `BO`: part of it or nothing left, the rest follows.
    RestFollows,
    /// `CM`: more than ordered.
    More,
    /// `CS`: something else in its place.
    Substituted,
    /// `DS`, `IC`, `CU`: nothing more of it will leave.
    Cancelled,
    /// A partner's own code.
    Other(String),
}

impl LineStatus {
    fn of(code: &str, own: &OwnStatuses) -> Self {
        if let Some(status) = own.get(code) {
            return status.clone();
        }
        match code {
            "CC" | "CL" => Self::Complete,
            "CP" => Self::RestCancelled,
            "BP" | "BO" => Self::RestFollows,
            "CM" => Self::More,
            "CS" => Self::Substituted,
            "DS" | "IC" | "CU" => Self::Cancelled,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A line that was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdviceLine {
    /// Its segment in the file.
    pub at: usize,
    /// W1201.
    pub status: LineStatus,
    /// W1202.
    pub ordered: Option<Decimal>,
    /// W1203; where it is missing and the line is complete, what was ordered.
    pub shipped: Decimal,
    /// W1205.
    pub unit: String,
    /// W1206, and the pairs of qualifier and id.
    pub ids: Vec<(String, String)>,
    /// W1209.
    pub lot: Option<String>,
    /// W1210 in kilograms, where W1212 says in which unit it is.
    pub weight: Option<Decimal>,
    /// `N9` under it: qualifier and value.
    pub references: Vec<(String, String)>,
}

/// One LX: a box, or a line, as the partner has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdviceBox {
    /// LX01.
    pub counter: String,
    /// `MAN`: kind and number of each box; `CP` the carrier's own, `GM` an SSCC.
    pub marks: Vec<(String, String)>,
    /// `N9` before its first line: qualifier and value.
    pub references: Vec<(String, String)>,
    /// Its lines.
    pub lines: Vec<AdviceLine>,
}

/// A shipping advice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advice {
    /// W0602: the key of the order.
    pub key: Option<String>,
    /// W0603, as it stands.
    pub date: String,
    /// W0604.
    pub shipment_id: Option<String>,
    /// W0606.
    pub purchase_order: Option<String>,
    /// `G62*11`.
    pub shipped_on: Option<civil::Date>,
    /// W2702: carrier code (SCAC).
    pub scac: String,
    /// W2703: the warehouse's name of the service.
    pub routing: String,
    /// `N9` in the head: qualifier and value, of all boxes.
    pub references: Vec<(String, String)>,
    /// By LX.
    pub boxes: Vec<AdviceBox>,
    /// W0301.
    pub total: Option<Decimal>,
    /// W0302 in kilograms, where W0303 says in which unit it is.
    pub weight: Option<Decimal>,
}

impl Advice {
    /// Every line, in order.
    pub fn lines(&self) -> impl Iterator<Item = &AdviceLine> {
        self.boxes.iter().flat_map(|one| one.lines.iter())
    }

    /// The advice that a document says, its line statuses as the standard has them.
    ///
    /// # Errors
    /// When it has no W06, or a quantity cannot be read.
    pub fn read(set: &Set) -> Result<Self, Broken> {
        Self::read_as(set, &OwnStatuses::new())
    }

    /// The same, with the line statuses of a partner that has some of its own.
    ///
    /// # Errors
    /// When it has no W06, or a quantity cannot be read.
    pub fn read_as(set: &Set, own: &OwnStatuses) -> Result<Self, Broken> {
        let mut advice = Self::default();
        let mut headed = false;
        for segment in &set.segments {
            match segment.id.as_str() {
                "W06" => {
                    headed = true;
                    advice.key = segment.text(2).map(str::to_owned);
                    advice.date = segment.get(3).to_owned();
                    advice.shipment_id = segment.text(4).map(str::to_owned);
                    advice.purchase_order = segment.text(6).map(str::to_owned);
                }
                "G62" if segment.get(1) == "11" && advice.boxes.is_empty() => {
                    advice.shipped_on = dictionary::date(segment.get(2));
                }
                // Under a line it is about that line; the head's came first.
                "W27" if advice.scac.is_empty() && advice.routing.is_empty() => {
                    advice.scac = segment.get(2).to_owned();
                    advice.routing = segment.get(3).to_owned();
                }
                "LX" => {
                    advice.boxes.push(AdviceBox { counter: segment.get(1).to_owned(), ..AdviceBox::default() });
                }
                "MAN" => advice.in_box(|open| open.marks.extend(segment.pairs(&[1, 4]))),
                "W12" => {
                    let line = AdviceLine::read(segment, own)?;
                    advice.in_box(|open| open.lines.push(line));
                }
                "N9" => advice.refer(segment),
                "W03" => {
                    advice.total = Some(number(segment, 1, "the number of units shipped")?);
                    advice.weight = weight(segment, 2, 3);
                }
                _ => {}
            }
        }
        if headed {
            return Ok(advice);
        }
        let at = set.segments.first().map_or(0, |segment| segment.at);
        Err(Broken::new(at, "024", "the 945 has no W06, so it names no order"))
    }

    /// Where no line names one of ours (`N9*LI`), names each by its LX: the warehouse may keep our numbers there. Whether it has done
    /// so.
    pub(super) fn name_by_counter(&mut self) -> bool {
        let counted = |one: &AdviceBox| one.lines.is_empty() || one.counter.parse().is_ok_and(|number: u32| number > 0);
        if self.lines().any(|line| line.line_number().is_some()) || !self.boxes.iter().all(counted) {
            return false;
        }
        for one in &mut self.boxes {
            let named = ("LI".to_owned(), one.counter.clone());
            one.lines.iter_mut().for_each(|line| line.references.push(named.clone()));
        }
        true
    }

    /// Does something to the LX that is being read; a partner may leave the first one out.
    fn in_box(&mut self, work: impl FnOnce(&mut AdviceBox)) {
        if self.boxes.is_empty() {
            self.boxes.push(AdviceBox::default());
        }
        if let Some(open) = self.boxes.last_mut() {
            work(open);
        }
    }

    fn refer(&mut self, segment: &Segment) {
        let references = match self.boxes.last_mut() {
            None => &mut self.references,
            Some(open) => match open.lines.last_mut() {
                None => &mut open.references,
                Some(line) => &mut line.references,
            },
        };
        references.extend(segment.pairs(&[1]));
    }
}

impl AdviceLine {
    /// `N9*LI`: our line.
    pub fn line_number(&self) -> Option<&str> {
        value_of(&self.references, "LI")
    }

    fn read(segment: &Segment, own: &OwnStatuses) -> Result<Self, Broken> {
        let status = LineStatus::of(segment.get(1), own);
        let ordered = optional(segment, 2, "the quantity ordered")?;
        let shipped = match (optional(segment, 3, "the quantity shipped")?, &status) {
            (Some(shipped), _) => shipped,
            (None, LineStatus::Complete) => ordered.ok_or_else(|| {
                Broken::new(segment.at, "024", "the line is complete and says neither what was ordered nor what left")
            })?,
            (None, _) => Decimal::ZERO,
        };
        if shipped < Decimal::ZERO {
            return Err(Broken::new(segment.at, "024", format!("less than nothing cannot leave: {shipped}")));
        }
        let ids = segment.pairs(&[7, 17, 21]);
        let upc = segment.text(6).map(|upc| ("UP".to_owned(), upc.to_owned()));
        Ok(Self {
            at: segment.at,
            status,
            ordered,
            shipped,
            unit: segment.get(5).to_owned(),
            lot: segment.text(9).map(str::to_owned),
            weight: weight(segment, 10, 12),
            ids: ids.into_iter().chain(upc).collect(),
            references: Vec::new(),
        })
    }
}

/// A weight in kilograms. `None` where it is none, cannot be true, or does not say its unit: what left is worth more than what it
/// weighs, so nothing is held for it.
fn weight(segment: &Segment, element: usize, unit: usize) -> Option<Decimal> {
    let weight = dictionary::number(segment.get(element))?;
    let kilograms = match segment.get(unit) {
        "KG" | "K" => Decimal::ONE,
        "GR" | "G" => Decimal::from_parts(1, 0, 0, false, 3),
        // The international pound and its sixteenth, exactly.
        "LB" | "L" => Decimal::from_parts(45_359_237, 0, 0, false, 8),
        "OZ" | "O" => Decimal::from_parts(2_579_719_349, 6, 0, false, 12),
        _ => return None,
    };
    let weighed = weight.checked_mul(kilograms).and_then(|weight| plausible_weight(weight.round_dp(3).normalize()));
    if weighed.is_none() {
        tracing::info!(
            segment.at = segment.at,
            "passed over in a document of the warehouse: a weight that cannot be true"
        );
    }
    weighed
}

/// A number that may be missing.
pub(super) fn optional(segment: &Segment, element: usize, what: &str) -> Result<Option<Decimal>, Broken> {
    segment.text(element).map(|_| number(segment, element, what)).transpose()
}

/// A number that must be there.
pub(super) fn number(segment: &Segment, element: usize, what: &str) -> Result<Decimal, Broken> {
    dictionary::number(segment.get(element)).ok_or_else(|| {
        let text = segment.get(element);
        Broken::new(
            segment.at,
            "024",
            format!("{what} ({}{element:02}) is {text:?}, which is no plain number", segment.id),
        )
    })
}
