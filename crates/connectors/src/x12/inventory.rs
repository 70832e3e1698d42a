//! 846, inventory advice, and 947, inventory adjustment advice: what the warehouse counts, and why it changed a figure.

use std::collections::BTreeMap;

use jiff::civil;
use rust_decimal::Decimal;

use super::{
    advice::{number, optional},
    dictionary,
    finding::Broken,
    reader::Set,
    segment::{Segment, value_of},
};

/// One figure of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// QTY01: what is counted, e.g. `33` available, `17` on hand.
    pub qualifier: String,
    /// QTY02; below zero where more is promised than there is.
    pub quantity: Decimal,
    /// QTY03.
    pub unit: String,
    /// Where it lies, where the document says so for this figure.
    pub facility: Option<String>,
}

/// One LIN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Its segment in the file.
    pub at: usize,
    /// Pairs of qualifier and id.
    pub ids: Vec<(String, String)>,
    /// Id `LT`, or `REF*LT`.
    pub lot: Option<String>,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// A facility named before any figure: it is of the figures behind it, and so is each that is named later.
    ahead: Option<String>,
}

/// A stock report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// BIA01: `00` original.
    pub purpose: String,
    /// BIA03: with the date, its identity.
    pub reference: String,
    /// BIA04.
    pub date: Option<civil::Date>,
    /// BIA05.
    pub time: Option<civil::Time>,
    /// `N1*WH` or `REF*ZZ` in the head: where everything lies.
    pub facility: Option<String>,
    /// By LIN.
    pub items: Vec<Item>,
}

impl Inventory {
    /// The report that a document says.
    ///
    /// # Errors
    /// When it has no BIA, a figure cannot be read, or the same figure of an item stands there twice.
    pub fn read(set: &Set) -> Result<Self, Broken> {
        let mut report = Self::default();
        let mut headed = false;
        for segment in &set.segments {
            match segment.id.as_str() {
                "BIA" => {
                    headed = true;
                    report.purpose = segment.get(1).to_owned();
                    report.reference = segment.get(3).to_owned();
                    report.date = dictionary::date(segment.get(4));
                    report.time = dictionary::time(segment.get(5));
                }
                "LIN" => {
                    let ids = segment.pairs(&[2, 4, 6, 8, 10, 12, 14]);
                    let lot = value_of(&ids, "LT").map(str::to_owned);
                    report.items.push(Item { at: segment.at, ids, lot, ..Item::default() });
                }
                "QTY" => {
                    let quantity = number(segment, 2, "the quantity")?;
                    if let Some(item) = report.items.last_mut() {
                        item.count(segment, quantity)?;
                    }
                }
                "REF" if segment.get(1) == "LT" => {
                    if let (Some(item), Some(lot)) = (report.items.last_mut(), segment.text(2)) {
                        item.lot.get_or_insert_with(|| lot.to_owned());
                    }
                }
                _ => {
                    if let Some(facility) = facility(segment) {
                        match report.items.last_mut() {
                            Some(item) => item.place(segment, facility),
                            // The party names the place better than a number that two have agreed on.
                            None if segment.id == "N1" => report.facility = Some(facility.to_owned()),
                            None => _ = report.facility.get_or_insert_with(|| facility.to_owned()),
                        }
                    }
                }
            }
        }
        if headed {
            return Ok(report);
        }
        let at = set.segments.first().map_or(0, |segment| segment.at);
        Err(Broken::new(at, "024", "the 846 has no BIA, so it does not say of when it is"))
    }
}

/// The facility that a segment names.
fn facility(segment: &Segment) -> Option<&str> {
    match (segment.id.as_str(), segment.get(1)) {
        ("N1", "WH") => segment.text(4).or_else(|| segment.text(2)),
        ("REF", "ZZ") => segment.text(2),
        _ => None,
    }
}

impl Item {
    fn count(&mut self, segment: &Segment, quantity: Decimal) -> Result<(), Broken> {
        let qualifier = segment.get(1).to_owned();
        // Where places are named behind their figures, one that has none yet belongs to the same place.
        if self.figures.iter().any(|known| known.qualifier == qualifier && known.facility == self.ahead) {
            let words = format!(
                "QTY {qualifier} stands there twice for one product and place: which one counts cannot be told"
            );
            return Err(Broken::new(segment.at, "024", words));
        }
        // A composite: the unit itself is its first part.
        let unit = segment.get(3);
        let unit = unit.split(|mark: char| !mark.is_alphanumeric()).next().unwrap_or_default().to_owned();
        self.figures.push(Figure { qualifier, quantity, unit, facility: self.ahead.clone() });
        Ok(())
    }

    /// The facility of its figures: of those behind it where it stands before the first, of those before it otherwise.
    fn place(&mut self, segment: &Segment, facility: &str) {
        if self.figures.is_empty() || self.ahead.is_some() {
            let named = self.ahead.is_some() && !self.figures.iter().any(|known| known.facility == self.ahead);
            // The party names the place better than a number that two have agreed on.
            if segment.id == "N1" || !named {
                self.ahead = Some(facility.to_owned());
            }
            return;
        }
        for figure in self.figures.iter_mut().filter(|figure| figure.facility.is_none()) {
            figure.facility = Some(facility.to_owned());
        }
    }

    /// Its figures by facility.
    pub fn by_facility(&self) -> BTreeMap<Option<&str>, Vec<&Figure>> {
        let mut places: BTreeMap<Option<&str>, Vec<&Figure>> = BTreeMap::new();
        for figure in &self.figures {
            places.entry(figure.facility.as_deref()).or_default().push(figure);
        }
        places
    }
}

/// One changed figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjustedLine {
    /// Its segment in the file.
    pub at: usize,
    /// W1901.
    pub reason: String,
    /// W1902: signed.
    pub change: Decimal,
    /// W1903.
    pub unit: String,
    /// Pairs of qualifier and id.
    pub ids: Vec<(String, String)>,
    /// W1909.
    pub lot: Option<String>,
}

/// An adjustment: an explanation, which no figure is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adjustment {
    /// W1501.
    pub date: Option<civil::Date>,
    /// W1502: its identity.
    pub number: String,
    /// Its lines.
    pub lines: Vec<AdjustedLine>,
}

impl Adjustment {
    /// The adjustment that a document says.
    ///
    /// # Errors
    /// When it has no W15 or no line, two of them stand in it, or a change cannot be read.
    pub fn read(set: &Set) -> Result<Self, Broken> {
        let mut adjustment: Option<Self> = None;
        let at = set.segments.first().map_or(0, |segment| segment.at);
        let broken = |at: usize, why: &str| Broken::new(at, "024", why);
        for segment in &set.segments {
            match (segment.id.as_str(), &mut adjustment) {
                ("W15", None) => {
                    adjustment = Some(Self {
                        date: dictionary::date(segment.get(1)),
                        number: segment.get(2).to_owned(),
                        lines: Vec::new(),
                    });
                }
                ("W15", Some(_)) => {
                    return Err(broken(segment.at, "a second W15: whose lines are whose cannot be told"));
                }
                ("W19", Some(open)) => {
                    let ids = segment.pairs(&[5, 7, 17]);
                    let lot = segment.text(9).or_else(|| value_of(&ids, "LT")).map(str::to_owned);
                    let change = optional(segment, 2, "the change")?
                        .ok_or_else(|| broken(segment.at, "the line does not say by how much"))?;
                    let (reason, unit) = (segment.get(1).to_owned(), segment.get(3).to_owned());
                    open.lines.push(AdjustedLine { at: segment.at, reason, change, unit, ids, lot });
                }
                ("W19", None) => return Err(broken(segment.at, "a line (W19) stands before the W15 it belongs to")),
                _ => {}
            }
        }
        let adjustment = adjustment.ok_or_else(|| broken(at, "the 947 has no W15"))?;
        match adjustment.lines.is_empty() {
            true => Err(broken(at, "the 947 has no line (W19)")),
            false => Ok(adjustment),
        }
    }
}
