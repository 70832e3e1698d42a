//! What segments and elements are called, and what may stand in them: for reading with findings, for the viewer, and for the
//! detail of acknowledgements.
//!
//! Lengths and types are those of version 004010; 005010 has the same for everything named here as far as is known.

use jiff::civil;
use rust_decimal::Decimal;

use super::{
    finding::{ElementFault, Finding, FindingKind},
    reader::Set,
    segment::Segment,
};
use crate::numbers;

/// What kind of text an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// AN: text.
    Text,
    /// ID: a code.
    Code,
    /// N0: a whole number.
    Whole,
    /// R: a number with a written decimal point.
    Number,
    /// DT: a date, `CCYYMMDD`.
    Date,
    /// TM: a time, `HHMM` or longer.
    Time,
}

/// One element of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Its number in the segment, from 1.
    pub number: usize,
    /// What it is called.
    pub name: &'static str,
    /// What kind of text.
    pub kind: ElementType,
    /// Shortest, in characters.
    pub least: usize,
    /// Longest, in characters; sign and point of a number do not count.
    pub most: usize,
}

/// One kind of segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentKind {
    /// E.g. `W05`.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Its elements as far as they are used.
    pub elements: &'static [Element],
    /// Elements that are the qualifier of the one behind them: both or none.
    pub pairs: &'static [usize],
}

macro_rules! element {
    ($number:literal $kind:ident $least:literal $most:literal $name:literal) => {
        Element { number: $number, name: $name, kind: ElementType::$kind, least: $least, most: $most }
    };
}

macro_rules! segments {
    ($($id:literal $name:literal [$($pair:literal)*] { $($number:literal $kind:ident $least:literal $most:literal $text:literal),* $(,)? })*) => {
        &[$(SegmentKind {
            id: $id,
            name: $name,
            elements: &[$(element!($number $kind $least $most $text)),*],
            pairs: &[$($pair),*],
        }),*]
    };
}

/// Every kind of segment that is known by name.
static SEGMENTS: &[SegmentKind] = segments! {
    "ISA" "Interchange" [] {
        1 Code 2 2 "Authorisation qualifier", 2 Text 0 10 "Authorisation", 3 Code 2 2 "Security qualifier",
        4 Text 0 10 "Security", 5 Code 2 2 "Sender qualifier", 6 Text 1 15 "Sender", 7 Code 2 2 "Receiver qualifier",
        8 Text 1 15 "Receiver", 9 Text 6 6 "Date (YYMMDD)", 10 Text 4 4 "Time", 11 Text 1 1 "Standard, or repetition separator",
        12 Code 5 5 "Version", 13 Whole 9 9 "Interchange control number", 14 Code 1 1 "TA1 asked for",
        15 Code 1 1 "Test or production", 16 Text 1 1 "Component separator"
    }
    "IEA" "End of interchange" [] { 1 Whole 1 5 "Number of groups", 2 Whole 9 9 "Interchange control number" }
    "TA1" "Interchange acknowledgement" [] {
        1 Whole 9 9 "Control number of the interchange", 2 Text 6 6 "Its date", 3 Text 4 4 "Its time",
        4 Code 1 1 "Result", 5 Code 3 3 "Note"
    }
    "GS" "Group" [] {
        1 Code 2 2 "Kind of documents", 2 Text 2 15 "Sender", 3 Text 2 15 "Receiver", 4 Date 8 8 "Date", 5 Time 4 8 "Time",
        6 Whole 1 9 "Group control number", 7 Code 1 2 "Standard", 8 Text 1 12 "Version"
    }
    "GE" "End of group" [] { 1 Whole 1 6 "Number of sets", 2 Whole 1 9 "Group control number" }
    "ST" "Document" [] { 1 Code 3 3 "Set", 2 Text 4 9 "Set control number" }
    "SE" "End of document" [] { 1 Whole 1 10 "Number of segments", 2 Text 4 9 "Set control number" }
    "W05" "Shipping order" [] {
        1 Code 1 1 "Order status", 2 Text 1 22 "Depositor order number", 3 Text 1 22 "Purchase order number",
        4 Whole 6 6 "Link sequence number", 5 Text 1 22 "Master reference number", 6 Code 2 2 "Transaction type",
        7 Code 1 2 "Action"
    }
    "N1" "Party" [3] {
        1 Code 2 3 "Role", 2 Text 1 60 "Name", 3 Code 1 2 "Kind of id", 4 Text 2 80 "Id"
    }
    "N2" "More name" [] { 1 Text 1 60 "Name", 2 Text 1 60 "Name" }
    "N3" "Street" [] { 1 Text 1 55 "Street", 2 Text 1 55 "Street" }
    "N4" "Place" [] {
        1 Text 2 30 "City", 2 Code 2 2 "State or province", 3 Code 3 15 "Postcode", 4 Code 2 3 "Country"
    }
    "PER" "Contact" [3 5 7] {
        1 Code 2 2 "Function", 2 Text 1 60 "Name", 3 Code 2 2 "Kind of number", 4 Text 1 80 "Number",
        5 Code 2 2 "Kind of number", 6 Text 1 80 "Number", 7 Code 2 2 "Kind of number", 8 Text 1 80 "Number"
    }
    "N9" "Reference" [] {
        1 Code 2 3 "Kind of reference", 2 Text 1 30 "Reference", 3 Text 1 45 "Description", 4 Date 8 8 "Date", 5 Time 4 8 "Time"
    }
    "REF" "Reference" [] { 1 Code 2 3 "Kind of reference", 2 Text 1 30 "Reference", 3 Text 1 80 "Description" }
    "G61" "Contact" [3] {
        1 Code 2 2 "Function", 2 Text 1 60 "Name", 3 Code 2 2 "Kind of number", 4 Text 1 80 "Number"
    }
    "G62" "Date" [1 3] {
        1 Code 2 2 "Kind of date", 2 Date 8 8 "Date", 3 Code 1 2 "Kind of time", 4 Time 4 8 "Time"
    }
    "DTM" "Date" [] { 1 Code 3 3 "Kind of date", 2 Date 8 8 "Date", 3 Time 4 8 "Time" }
    "NTE" "Note" [] { 1 Code 3 3 "Kind of note", 2 Text 1 80 "Text" }
    "W09" "Temperature" [] { 1 Code 2 2 "Equipment" }
    "W66" "Carrier" [] {
        1 Code 2 2 "Payment", 2 Code 1 2 "Transport method", 5 Text 1 35 "Routing", 10 Code 2 4 "Carrier code (SCAC)"
    }
    "LX" "Line or box" [] { 1 Whole 1 6 "Counter" }
    "MAN" "Marks" [4] {
        1 Code 1 2 "Kind of mark", 2 Text 1 48 "Mark", 3 Text 1 48 "End of range", 4 Code 1 2 "Kind of mark", 5 Text 1 48 "Mark"
    }
    "W01" "Ordered line" [4 6 15] {
        1 Number 1 15 "Quantity ordered", 2 Code 2 2 "Unit", 3 Text 12 12 "Case code (UPC)", 4 Code 2 2 "Kind of product id",
        5 Text 1 48 "Product id", 6 Code 2 2 "Kind of product id", 7 Text 1 48 "Product id", 12 Whole 6 6 "Pallet block",
        13 Text 1 12 "Warehouse lot", 15 Code 2 2 "Kind of product id", 16 Text 1 48 "Product id"
    }
    "G69" "Description" [] { 1 Text 1 45 "Description" }
    "W20" "Packing" [] { 1 Whole 1 6 "Pack", 4 Number 1 10 "Weight" }
    "W76" "Total ordered" [] {
        1 Number 1 15 "Total quantity", 2 Number 1 10 "Weight", 3 Code 2 2 "Unit of weight", 4 Number 1 8 "Volume",
        5 Code 2 2 "Unit of volume"
    }
    "W06" "Shipping advice" [] {
        1 Code 1 1 "Reporting", 2 Text 1 22 "Depositor order number", 3 Date 8 8 "Date", 4 Text 1 30 "Shipment id",
        5 Text 1 12 "Agent's shipment id", 6 Text 1 22 "Purchase order number", 7 Text 1 22 "Master reference number",
        8 Whole 6 6 "Link sequence number"
    }
    "W27" "Carrier" [] {
        1 Code 1 2 "Transport method", 2 Code 2 4 "Carrier code (SCAC)", 3 Text 1 35 "Routing", 4 Code 2 2 "Payment"
    }
    "W28" "Consolidation" [] { 1 Code 1 1 "Consolidation" }
    "W10" "Load" [] { 1 Code 2 2 "Unit load", 2 Whole 1 3 "Pallets" }
    "W12" "Shipped line" [7 17 21] {
        1 Code 2 2 "Status", 2 Number 1 15 "Quantity ordered", 3 Number 1 10 "Quantity shipped", 4 Number 1 9 "Difference",
        5 Code 2 2 "Unit", 6 Text 12 12 "Case code (UPC)", 7 Code 2 2 "Kind of product id", 8 Text 1 48 "Product id",
        9 Text 1 12 "Warehouse lot", 10 Number 1 10 "Weight", 11 Code 1 2 "Kind of weight", 12 Code 1 1 "Unit of weight", 17 Code 2 2 "Kind of product id", 18 Text 1 48 "Product id",
        21 Code 2 2 "Kind of product id", 22 Text 1 48 "Product id"
    }
    "W03" "Total shipped" [] {
        1 Number 1 10 "Units shipped", 2 Number 1 10 "Weight", 3 Code 2 2 "Unit of weight", 4 Number 1 8 "Volume",
        5 Code 2 2 "Unit of volume", 6 Number 1 15 "Lading quantity", 7 Code 2 3 "Unit of lading"
    }
    "W04" "Sent line" [4 6 14] {
        1 Number 1 10 "Quantity", 2 Code 2 2 "Unit", 3 Text 12 12 "Case code (UPC)", 4 Code 2 2 "Kind of product id",
        5 Text 1 48 "Product id", 6 Code 2 2 "Kind of product id", 7 Text 1 48 "Product id", 13 Code 2 2 "Condition",
        14 Code 2 2 "Kind of product id", 15 Text 1 48 "Product id"
    }
    "W17" "Receipt" [] {
        1 Code 1 1 "Reporting", 2 Date 8 8 "Date", 3 Text 1 12 "Warehouse receipt number", 4 Text 1 22 "Depositor order number",
        5 Text 1 30 "Shipment id", 8 Text 1 22 "Master reference number"
    }
    "W07" "Received line" [4 6 10] {
        1 Number 1 7 "Quantity received", 2 Code 2 2 "Unit", 3 Text 12 12 "Case code (UPC)", 4 Code 2 2 "Kind of product id",
        5 Text 1 48 "Product id", 6 Code 2 2 "Kind of product id", 7 Text 1 48 "Product id", 8 Text 1 12 "Warehouse lot",
        10 Code 2 2 "Kind of product id", 11 Text 1 48 "Product id"
    }
    "W13" "Exception" [] {
        1 Number 1 15 "Quantity", 2 Code 2 2 "Unit", 3 Code 2 2 "Condition", 4 Text 1 12 "Warehouse lot"
    }
    "W14" "Total received" [] { 1 Whole 1 7 "Received", 2 Whole 1 7 "Shipped", 3 Whole 1 7 "Damaged" }
    "BIA" "Stock report" [] {
        1 Code 2 2 "Purpose", 2 Code 2 2 "Kind of report", 3 Text 1 30 "Reference", 4 Date 8 8 "Date", 5 Time 4 8 "Time"
    }
    "LIN" "Product" [2 4 6 8 10 12 14] {
        1 Text 1 20 "Line", 2 Code 2 2 "Kind of product id", 3 Text 1 48 "Product id", 4 Code 2 2 "Kind of product id",
        5 Text 1 48 "Product id", 6 Code 2 2 "Kind of product id", 7 Text 1 48 "Product id", 8 Code 2 2 "Kind of product id",
        9 Text 1 48 "Product id", 10 Code 2 2 "Kind of product id", 11 Text 1 48 "Product id",
        12 Code 2 2 "Kind of product id", 13 Text 1 48 "Product id", 14 Code 2 2 "Kind of product id", 15 Text 1 48 "Product id"
    }
    "PID" "Description" [] { 1 Code 1 1 "Form", 5 Text 1 80 "Description" }
    "QTY" "Quantity" [] { 1 Code 2 2 "Kind of quantity", 2 Number 1 15 "Quantity", 3 Text 1 20 "Unit" }
    "CTT" "Totals" [] { 1 Whole 1 6 "Number of lines", 2 Number 1 10 "Hash total" }
    "W15" "Stock adjustment" [] {
        1 Date 8 8 "Date", 2 Text 1 22 "Warehouse adjustment number", 3 Text 1 22 "Depositor adjustment number"
    }
    "W19" "Adjusted line" [5 7 17] {
        1 Code 2 2 "Reason", 2 Number 1 10 "Change", 3 Code 2 2 "Unit", 4 Text 12 12 "Case code (UPC)",
        5 Code 2 2 "Kind of product id", 6 Text 1 48 "Product id", 7 Code 2 2 "Kind of product id", 8 Text 1 48 "Product id",
        9 Text 1 12 "Warehouse lot", 16 Code 1 2 "Transaction type", 17 Code 2 2 "Kind of product id", 18 Text 1 48 "Product id"
    }
    "AK1" "Acknowledged group" [] { 1 Code 2 2 "Kind of documents", 2 Whole 1 9 "Group control number" }
    "AK2" "Acknowledged document" [] { 1 Code 3 3 "Set", 2 Text 4 9 "Set control number" }
    "AK3" "Segment in error" [] {
        1 Code 2 3 "Segment", 2 Whole 1 6 "Place, counted from ST", 3 Text 1 6 "Loop", 4 Code 1 3 "Error"
    }
    "AK4" "Element in error" [] { 1 Text 1 6 "Its place in the segment", 2 Whole 1 4 "Data element", 3 Code 1 3 "Error", 4 Text 1 99 "Bad data" }
    "AK5" "Result of the document" [] {
        1 Code 1 1 "Result", 2 Code 1 3 "Reason", 3 Code 1 3 "Reason", 4 Code 1 3 "Reason", 5 Code 1 3 "Reason", 6 Code 1 3 "Reason"
    }
    "AK9" "Result of the group" [] {
        1 Code 1 1 "Result", 2 Whole 1 6 "Sets said to be in it", 3 Whole 1 6 "Sets received", 4 Whole 1 6 "Sets accepted",
        5 Code 1 3 "Reason", 6 Code 1 3 "Reason", 7 Code 1 3 "Reason", 8 Code 1 3 "Reason", 9 Code 1 3 "Reason"
    }
};

/// A kind of document: set, group code, name, and the segments that it may hold beside the named ones.
struct SetKind {
    code: &'static str,
    group: &'static str,
    name: &'static str,
    /// Empty: its segments are not known one by one, so that none is found to be unknown.
    segments: &'static [&'static str],
}

static SETS: &[SetKind] = &[
    SetKind {
        code: "940",
        group: "OW",
        name: "Warehouse shipping order",
        segments: &[
            "W05", "N1", "N2", "N3", "N4", "PER", "N9", "G61", "G62", "NTE", "W09", "W66", "W6", "R2", "BNX", "LM",
            "LX", "MAN", "SDQ", "W01", "G69", "W20", "QTY", "AMT", "G66", "W76", "MEA", "LQ", "LS", "LE", "SLN", "TD1",
            "W79", "R4", "N10",
        ],
    },
    SetKind {
        code: "945",
        group: "SW",
        name: "Warehouse shipping advice",
        segments: &[
            "W06", "N1", "N2", "N3", "N4", "PER", "N9", "G61", "G62", "NTE", "W27", "W6", "W28", "W10", "G72", "LM",
            "LX", "MAN", "PAL", "W12", "G69", "QTY", "MEA", "AMT", "R4", "W03", "LQ", "LS", "LE", "N10", "SLN",
        ],
    },
    SetKind {
        code: "943",
        group: "AR",
        name: "Warehouse stock transfer shipment advice",
        segments: &[
            "W06", "N1", "N2", "N3", "N4", "PER", "N9", "G61", "G62", "NTE", "W27", "W28", "W10", "W04", "G69", "W20",
            "W03", "QTY", "MEA", "LM", "LQ",
        ],
    },
    SetKind {
        code: "944",
        group: "RE",
        name: "Warehouse stock transfer receipt advice",
        segments: &[
            "W17", "N1", "N2", "N3", "N4", "PER", "N9", "G61", "G62", "NTE", "W08", "W18", "G08", "W07", "G69", "W20",
            "W13", "W14", "QTY", "MEA", "LM", "LQ",
        ],
    },
    SetKind {
        code: "846",
        group: "IB",
        name: "Inventory advice",
        segments: &[
            "BIA", "CUR", "DTM", "REF", "PER", "MEA", "N1", "N2", "N3", "N4", "LM", "LQ", "LIN", "PID", "PKG", "CTP",
            "SAC", "SLN", "QTY", "UIT", "LDT", "SCH", "LS", "LE", "REF", "CTT", "TD5", "TD1", "MAN", "FOB", "PO4",
            "ACT", "CS", "DD", "G53",
        ],
    },
    SetKind {
        code: "947",
        group: "AW",
        name: "Warehouse inventory adjustment advice",
        segments: &[
            "W15", "N1", "N2", "N3", "N4", "PER", "N9", "G61", "G62", "NTE", "LM", "LQ", "W19", "G69", "CS", "AMT",
            "LX", "QTY", "MEA",
        ],
    },
    SetKind {
        code: "997",
        group: "FA",
        name: "Functional acknowledgement",
        segments: &["AK1", "AK2", "AK3", "AK4", "AK5", "AK9"],
    },
    SetKind { code: "856", group: "SH", name: "Ship notice", segments: &[] },
    SetKind { code: "990", group: "GF", name: "Response to a load tender", segments: &[] },
];

/// The group code (GS01) of a set, where it is known.
pub fn group_code(set: &str) -> Option<&'static str> {
    SETS.iter().find(|kind| kind.code == set).map(|kind| kind.group)
}

/// What a set is called, where it is known.
pub fn set_name(set: &str) -> Option<&'static str> {
    SETS.iter().find(|kind| kind.code == set).map(|kind| kind.name)
}

/// A kind of segment, where it is known.
pub fn segment_kind(id: &str) -> Option<&'static SegmentKind> {
    SEGMENTS.iter().find(|kind| kind.id == id)
}

/// A number as X12 writes it: digits with at most one point, which may be first or last, and a minus in front.
pub(super) fn number(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if !plain {
        return None;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    numbers::decimal_text(&format!("{sign}0{}", digits.trim_end_matches('.'))).map(|number| number.normalize())
}

/// A date, `CCYYMMDD`.
pub(super) fn date(text: &str) -> Option<civil::Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i16>().ok());
    civil::Date::new(part(0, 4)?, i8::try_from(part(4, 6)?).ok()?, i8::try_from(part(6, 8)?).ok()?).ok()
}

/// A time, `HHMM`, with seconds and parts of them or without.
pub(super) fn time(text: &str) -> Option<civil::Time> {
    if !(4..=8).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| match text.get(from..to) {
        Some(digits) => digits.parse::<i8>().ok(),
        None => Some(0),
    };
    civil::Time::new(part(0, 2)?, part(2, 4)?, part(4, 6)?, 0).ok()
}

/// What is wrong with the elements of a set, and which segments do not belong to it.
pub(super) fn look_over(set: &Set) -> Vec<Finding> {
    let known = SETS.iter().find(|kind| kind.code == set.code).map_or(&[][..], |kind| kind.segments);
    let mut findings = Vec::new();
    let mut products = 0;
    // N2 and N3 of the party that was named last.
    let mut of_party = [0_usize; 2];
    for segment in &set.segments {
        let envelope = matches!(segment.id.as_str(), "ST" | "SE");
        if !envelope && !known.is_empty() && !known.contains(&segment.id.as_str()) {
            let words = format!("a {} has no segment {}", set.code, segment.id);
            findings.push(Finding::new(FindingKind::UnknownSegment, segment.at, words));
        }
        if let Some(kind) = segment_kind(&segment.id).filter(|_| !envelope) {
            look_at(segment, kind, &mut findings);
        }
        let [names, streets] = &mut of_party;
        let counted = match segment.id.as_str() {
            "N1" => {
                of_party = [0; 2];
                None
            }
            "N2" => Some(names),
            "N3" => Some(streets),
            _ => None,
        };
        if let (Some(count), Some(most)) = (counted, most_of_party(&set.code, &segment.id)) {
            *count += 1;
            if *count > most {
                let words = format!("{} stands there more than {most} times for one party", segment.id);
                findings.push(Finding::new(FindingKind::TooOften, segment.at, words));
            }
        }
        match segment.id.as_str() {
            "LIN" => products += 1,
            // In an 856 it counts levels, not products.
            "CTT" if set.code == "846" && segment.get(1).parse::<usize>().ok() != Some(products) => {
                let words = format!("CTT01 counts {} lines, and there are {products}", segment.get(1));
                findings.push(Finding::new(FindingKind::LineCount, segment.at, words));
            }
            _ => {}
        }
    }
    findings
}

/// How often a segment may stand under one party, where it is known and may be reached (x12.md §4, §5).
fn most_of_party(set: &str, segment: &str) -> Option<usize> {
    match (set, segment) {
        ("940", "N2" | "N3") | ("945", "N3") => Some(2),
        ("945", "N2") => Some(1),
        _ => None,
    }
}

fn look_at(segment: &Segment, kind: &SegmentKind, findings: &mut Vec<Finding>) {
    let id = &segment.id;
    for element in kind.elements {
        let Some(text) = segment.text(element.number) else { continue };
        let Some((kind, code, what)) = fault(element, text) else { continue };
        let words = format!("{id}{:02} ({}) is {text:?}{what}", element.number, element.name);
        let fault = ElementFault { number: element.number, code, text: text.to_owned() };
        findings.push(Finding::of_element(kind, segment.at, fault, words));
    }
    for begin in kind.pairs {
        let missing = match (segment.text(*begin), segment.text(*begin + 1)) {
            (Some(_), None) => *begin + 1,
            (None, Some(_)) => *begin,
            _ => continue,
        };
        let words = format!("{id}{begin:02} and {id}{:02} belong together, and one is missing", begin + 1);
        let fault = ElementFault { number: missing, code: "2", text: String::new() };
        findings.push(Finding::of_element(FindingKind::HalfPair, segment.at, fault, words));
    }
}

/// What is wrong with the text of an element: the fault, its code (AK403), and the words for it.
fn fault(element: &Element, text: &str) -> Option<(FindingKind, &'static str, String)> {
    let no = |kind, code, what: &str| Some((kind, code, format!(", which is no {what}")));
    match element.kind {
        ElementType::Date if date(text).is_none() => return no(FindingKind::BadDate, "8", "date"),
        ElementType::Time if time(text).is_none() => return no(FindingKind::BadDate, "9", "time"),
        ElementType::Number if number(text).is_none() => return no(FindingKind::BadNumber, "6", "number"),
        ElementType::Whole if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
            return no(FindingKind::BadNumber, "6", "whole number");
        }
        ElementType::Date | ElementType::Time => return None,
        ElementType::Number | ElementType::Whole | ElementType::Text | ElementType::Code => {}
    }
    let counts = |character: &char| match element.kind {
        ElementType::Number | ElementType::Whole => !matches!(character, '-' | '.'),
        _ => true,
    };
    let length = text.chars().filter(counts).count();
    let code = match (length < element.least, length > element.most) {
        (true, _) => "4",
        (_, true) => "5",
        _ => return None,
    };
    let what = format!(": {length} characters, where {} to {} are meant", element.least, element.most);
    Some((FindingKind::ElementLength, code, what))
}

#[cfg(test)]
mod tests {
    use super::{date, number, time};

    #[test]
    fn numbers_are_plain() {
        for (text, value) in
            [("5", "5"), ("-2", "-2"), ("4.50", "4.5"), (".5", "0.5"), ("5.", "5"), ("007", "7"), ("-.25", "-0.25")]
        {
            assert_eq!(number(text).unwrap().to_string(), value, "{text}");
        }
        for text in ["", "-", ".", "1,000", "1e3", "+5", "--1", "1.2.3", "5-", "\u{661}", "9999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn dates_and_times_are_those_of_a_calendar_and_a_clock() {
        assert_eq!(date("20261123").unwrap().to_string(), "2026-11-23");
        for text in ["200", "20261301", "20260230", "2026112", "2026-1-1", "+0261123", "20261123 "] {
            assert_eq!(date(text), None, "{text}");
        }
        assert_eq!(time("0630").unwrap().to_string(), "06:30:00");
        assert_eq!(time("06301599").unwrap().to_string(), "06:30:15");
        for text in ["630", "2460", "06:30", "+630", ""] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
