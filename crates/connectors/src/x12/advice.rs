//! 945, warehouse shipping advice: what left, as the document says it.
//!
//! Partners put the same thing into different places, and nest it differently; all places are read here, and which of them
//! counts is decided where the advice becomes a shipment.

use jiff::civil;
use rust_decimal::Decimal;

use super::{
    dictionary,
    finding::Broken,
    reader::Set,
    segment::{Segment, value_of},
};

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
    fn of(code: &str) -> Self {
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
    /// W1209, an id `LT`, or `N9*LT`.
    pub lot: Option<String>,
    /// `N9*SE`.
    pub serials: Vec<String>,
    /// `N9*LI`.
    pub line_number: Option<String>,
    /// `N9*2I`, `N9*CN`.
    pub tracking: Vec<String>,
}

/// One LX: a box, or a line, as the partner has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdviceBox {
    /// LX01.
    pub counter: String,
    /// `MAN*CP`: the carrier's number of each box.
    pub tracking: Vec<String>,
    /// `MAN*GM`: SSCC of each box.
    pub sscc: Vec<String>,
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
    /// `N9*BM`.
    pub bill_of_lading: Option<String>,
    /// `N9*2I`, `N9*CN` in the head: of all boxes.
    pub tracking: Vec<String>,
    /// By LX.
    pub boxes: Vec<AdviceBox>,
    /// W0301.
    pub total: Option<Decimal>,
}

impl Advice {
    /// Every line, in order.
    pub fn lines(&self) -> impl Iterator<Item = &AdviceLine> {
        self.boxes.iter().flat_map(|one| one.lines.iter())
    }

    /// The advice that a document says.
    ///
    /// # Errors
    /// When it has no W06, or a quantity cannot be read.
    pub fn read(set: &Set) -> Result<Self, Broken> {
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
                "MAN" => advice.in_box(|open| open.mark(segment)),
                "W12" => {
                    let line = AdviceLine::read(segment)?;
                    advice.in_box(|open| open.lines.push(line));
                }
                "N9" => advice.refer(segment),
                "W03" => {
                    advice.total = Some(number(segment, 1, "the number of units shipped")?);
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
        let (qualifier, Some(value)) = (segment.get(1), segment.text(2)) else { return };
        let value = value.to_owned();
        let open = self.boxes.last_mut();
        let line = match open {
            Some(open) => match open.lines.last_mut() {
                Some(line) => line,
                None => {
                    if is_tracking(qualifier) {
                        open.tracking.push(value);
                    }
                    return;
                }
            },
            None => {
                match qualifier {
                    "BM" => self.bill_of_lading = Some(value),
                    _ if is_tracking(qualifier) => self.tracking.push(value),
                    _ => {}
                }
                return;
            }
        };
        match qualifier {
            "LI" => line.line_number = Some(value),
            "SE" => line.serials.push(value),
            "LT" => line.lot = line.lot.take().or(Some(value)),
            _ if is_tracking(qualifier) => line.tracking.push(value),
            _ => {}
        }
    }
}

fn is_tracking(qualifier: &str) -> bool {
    matches!(qualifier, "2I" | "CN")
}

impl AdviceBox {
    fn mark(&mut self, segment: &Segment) {
        for (qualifier, value) in segment.pairs(&[1, 4]) {
            match qualifier.as_str() {
                "CP" => self.tracking.push(value),
                "GM" => self.sscc.push(value),
                _ => {}
            }
        }
    }
}

impl AdviceLine {
    fn read(segment: &Segment) -> Result<Self, Broken> {
        let status = LineStatus::of(segment.get(1));
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
        let lot = segment.text(9).or_else(|| value_of(&ids, "LT")).map(str::to_owned);
        let upc = segment.text(6).map(|upc| ("UP".to_owned(), upc.to_owned()));
        Ok(Self {
            at: segment.at,
            status,
            ordered,
            shipped,
            unit: segment.get(5).to_owned(),
            lot,
            ids: ids.into_iter().chain(upc).collect(),
            serials: Vec::new(),
            line_number: None,
            tracking: Vec::new(),
        })
    }
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
