//! Where a partner puts what an advice says of goods and boxes (x12.md §8.3). Each place is looked at in turn, unless the partner
//! has named one.

use connect::{Field, FieldKind, Settings, SettingsError};
use jiff::civil;

use super::{
    advice::{Advice, AdviceBox, AdviceLine, LineStatus, OwnStatuses},
    dictionary,
    segment::value_of,
};
use crate::files::place::field;

pub(super) const TRACKING_AT: Field = field(
    "tracking_at",
    "Where tracking numbers are",
    FieldKind::Choice(&[
        ("any", "Wherever there is one"),
        ("box", "With the box (MAN*CP)"),
        ("line", "Under the line (N9)"),
        ("head", "In the head (N9)"),
        ("shipment_id", "It is the shipment id (W0604)"),
    ]),
    Some("any"),
    "In the 945. Wherever: with the box, else under its lines, else in the head, else the shipment id where it looks like one. \
     What stands in other places than the chosen one is no tracking number.",
);
pub(super) const TRACKING_QUALIFIERS: Field = field(
    "tracking_qualifiers",
    "Kinds of tracking number",
    FieldKind::Text,
    Some("2I, CN"),
    "N901 of a tracking number, several with commas.",
);
pub(super) const LOT_AT: Field = field(
    "lot_at",
    "Where lots are",
    FieldKind::Choice(&[
        ("any", "Wherever there is one"),
        ("element", "In the line (W1209)"),
        ("id", "A product id LT"),
        ("reference", "Under the line (N9*LT)"),
    ]),
    Some("any"),
    "In the 945. Wherever: in the line, else a product id LT, else under the line.",
);
pub(super) const SERIAL_QUALIFIERS: Field = field(
    "serial_qualifiers",
    "Kinds of serial number",
    FieldKind::Text,
    Some("SE"),
    "N901 of a serial number under a line, several with commas.",
);
pub(super) const LINE_STATUSES: Field = field(
    "line_statuses",
    "Line statuses of its own",
    FieldKind::Text,
    None,
    "W1201 that the standard does not have, or that the warehouse means otherwise: CODE=meaning, several with commas. Meanings: \
     complete, rest_cancelled, rest_follows, more, substituted, cancelled.",
);

pub(super) const SHIP_DATE_AT: Field = field(
    "ship_date_at",
    "Where it says when it left",
    FieldKind::Choice(&[
        ("any", "Wherever it does"),
        ("head", "In the head (W0603)"),
        ("date", "G62*11"),
        ("envelope", "When the file was written (ISA)"),
    ]),
    Some("any"),
    "In the 945. Wherever: in the head, else G62*11, else the envelope. Where the chosen place has no date, the envelope's counts.",
);

/// Where tracking numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrackingAt {
    Any,
    Box,
    Line,
    Head,
    ShipmentId,
}

/// Where lots count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LotAt {
    Any,
    Element,
    Id,
    Reference,
}

/// Where the date of a shipment counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShipDateAt {
    Any,
    Head,
    Date,
    Envelope,
}

/// What was agreed about places.
pub(super) struct Places {
    tracking_at: TrackingAt,
    tracking_qualifiers: Vec<String>,
    lot_at: LotAt,
    serial_qualifiers: Vec<String>,
    ship_date_at: ShipDateAt,
    pub(super) statuses: OwnStatuses,
}

impl Places {
    pub(super) fn of(settings: &Settings, fields: &[Field]) -> Result<Self, SettingsError> {
        let given = |name: &str| settings.require(fields, name);
        Ok(Self {
            tracking_at: match given("tracking_at")?.as_str() {
                "box" => TrackingAt::Box,
                "line" => TrackingAt::Line,
                "head" => TrackingAt::Head,
                "shipment_id" => TrackingAt::ShipmentId,
                _ => TrackingAt::Any,
            },
            tracking_qualifiers: qualifiers("tracking_qualifiers", &given("tracking_qualifiers")?, 3)?,
            lot_at: match given("lot_at")?.as_str() {
                "element" => LotAt::Element,
                "id" => LotAt::Id,
                "reference" => LotAt::Reference,
                _ => LotAt::Any,
            },
            serial_qualifiers: qualifiers("serial_qualifiers", &given("serial_qualifiers")?, 3)?,
            ship_date_at: match given("ship_date_at")?.as_str() {
                "head" => ShipDateAt::Head,
                "date" => ShipDateAt::Date,
                "envelope" => ShipDateAt::Envelope,
                _ => ShipDateAt::Any,
            },
            statuses: statuses(&settings.get(fields, "line_statuses").unwrap_or_default())
                .map_err(|why| SettingsError::field("line_statuses", why))?,
        })
    }

    /// The tracking numbers of one box, each once.
    pub(super) fn of_box(&self, one: &AdviceBox) -> Vec<String> {
        let marks = || values(&one.marks, |qualifier| qualifier == "CP");
        // Of the box as a whole, though it is no mark.
        let beside = || self.tracking(&one.references);
        let under_lines = || one.lines.iter().flat_map(|line| self.tracking(&line.references)).collect();
        match self.tracking_at {
            TrackingAt::Box => once(marks()),
            TrackingAt::Line => once([beside(), under_lines()].concat()),
            TrackingAt::Any => {
                let of_box = [marks(), beside()].concat();
                once(if of_box.is_empty() { under_lines() } else { of_box })
            }
            TrackingAt::Head | TrackingAt::ShipmentId => Vec::new(),
        }
    }

    /// The tracking numbers of all boxes together, each once.
    pub(super) fn of_all(&self, advice: &Advice) -> Vec<String> {
        let head = || self.tracking(&advice.references);
        let id = |fits: fn(&str) -> bool| advice.shipment_id.iter().filter(|id| fits(id)).cloned().collect();
        match self.tracking_at {
            TrackingAt::Head => once(head()),
            TrackingAt::ShipmentId => id(|_| true),
            TrackingAt::Any => {
                let given = once(head());
                if given.is_empty() { id(looks_like_tracking) } else { given }
            }
            TrackingAt::Box | TrackingAt::Line => Vec::new(),
        }
    }

    fn tracking(&self, references: &[(String, String)]) -> Vec<String> {
        values(references, |qualifier| self.tracking_qualifiers.iter().any(|known| known == qualifier))
    }

    /// The day on which it left; `None`: that of the envelope.
    pub(super) fn left_on(&self, advice: &Advice) -> Option<civil::Date> {
        let head = dictionary::date(&advice.date);
        match self.ship_date_at {
            ShipDateAt::Any => head.or(advice.shipped_on),
            ShipDateAt::Head => head,
            ShipDateAt::Date => advice.shipped_on,
            ShipDateAt::Envelope => None,
        }
    }

    /// The lot of a line.
    pub(super) fn lot(&self, line: &AdviceLine) -> Option<String> {
        let element = line.lot.as_deref();
        let (id, reference) = (value_of(&line.ids, "LT"), value_of(&line.references, "LT"));
        let lot = match self.lot_at {
            LotAt::Any => element.or(id).or(reference),
            LotAt::Element => element,
            LotAt::Id => id,
            LotAt::Reference => reference,
        };
        lot.map(str::to_owned)
    }

    /// The serial numbers of a line.
    pub(super) fn serials(&self, line: &AdviceLine) -> Vec<String> {
        values(&line.references, |qualifier| self.serial_qualifiers.iter().any(|known| known == qualifier))
    }
}

/// The entries of a list with commas.
pub(super) fn listed(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// A list of qualifiers, of two characters at least and `longest` at most.
pub(super) fn qualifiers(name: &str, text: &str, longest: usize) -> Result<Vec<String>, SettingsError> {
    let list = listed(text);
    let fits =
        |one: &String| (2..=longest).contains(&one.len()) && one.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if list.is_empty() || !list.iter().all(fits) {
        let why = format!("must be codes of 2 to {longest} letters or digits, with commas between them");
        return Err(SettingsError::field(name, why));
    }
    Ok(list)
}

fn statuses(text: &str) -> Result<OwnStatuses, String> {
    let mut statuses = OwnStatuses::new();
    for entry in listed(text) {
        let (code, meaning) = entry.split_once('=').ok_or_else(|| format!("{entry:?} is not CODE=meaning"))?;
        let code = code.trim();
        if code.is_empty() {
            return Err(format!("{entry:?} names no code"));
        }
        let status = match meaning.trim() {
            "complete" => LineStatus::Complete,
            "rest_cancelled" => LineStatus::RestCancelled,
            "rest_follows" => LineStatus::RestFollows,
            "more" => LineStatus::More,
            "substituted" => LineStatus::Substituted,
            "cancelled" => LineStatus::Cancelled,
            other => {
                return Err(format!(
                    "{other:?} is none of complete, rest_cancelled, rest_follows, more, substituted, cancelled"
                ));
            }
        };
        if statuses.insert(code.to_owned(), status).is_some() {
            return Err(format!("{code:?} stands there twice"));
        }
    }
    Ok(statuses)
}

fn values(pairs: &[(String, String)], counts: impl Fn(&str) -> bool) -> Vec<String> {
    pairs.iter().filter(|(qualifier, _)| counts(qualifier)).map(|(_, value)| value.clone()).collect()
}

fn once(numbers: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::with_capacity(numbers.len());
    for number in numbers {
        if !seen.contains(&number) {
            seen.push(number);
        }
    }
    seen
}

/// Whether a shipment id is really a tracking number: of UPS, of the post, or all digits and long.
fn looks_like_tracking(id: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let ups = id.len() == 18 && id.starts_with("1Z") && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let post = id.len() == 13
        && id.get(..2).is_some_and(|letters| letters.bytes().all(|byte| byte.is_ascii_uppercase()))
        && id.get(2..11).is_some_and(digits)
        && id.get(11..).is_some_and(|letters| letters.bytes().all(|byte| byte.is_ascii_uppercase()));
    ups || post || ((12..=22).contains(&id.len()) && digits(id))
}
