//! From documents of the warehouse to shipments and stock: which documents are for us, and what of them counts.

use std::collections::BTreeMap;

use connect::{
    LineRef, LinesEnded, Package, PackageLine, ShipMethod, Shipment, StockAdjustment, StockFeed, StockLevel,
};
use jiff::{Timestamp, civil};
use rust_decimal::Decimal;

use super::{
    advice::{Advice, AdviceLine, LineStatus},
    codes::meaning,
    dictionary,
    finding::Broken,
    inventory::{AdjustedLine, Adjustment, Inventory, Item},
    profile::Profile,
    reader::{Interchange, Set},
    segment::value_of,
};
use crate::times::only_moment;

/// TA105 for a version that is not read.
pub(super) const UNKNOWN_VERSION: &str = "003";

/// What became of one set.
#[derive(Debug)]
pub(super) enum Said {
    /// Goods left.
    Shipment(Shipment),
    /// Goods left of the order with this reference (W0606), which stands where the key should.
    ByReference(Shipment),
    /// Nothing has left; what is said of lines of this order.
    Nothing(String, LinesEnded),
}

impl Profile {
    /// Whether an interchange is for us, and from whom we expect it.
    ///
    /// # Errors
    /// Why nothing may be taken from it.
    pub(super) fn judge(&self, interchange: &Interchange) -> Result<(), Broken> {
        let at = interchange.head.at;
        let (them, us) = (&self.envelope.receiver, &self.envelope.sender);
        if interchange.sender.id != them.id {
            let why = format!("it comes from {:?}, and {:?} is expected", interchange.sender.id, them.id);
            return Err(Broken::new(at, "006", why));
        }
        if interchange.receiver.id != us.id {
            let why = format!("it is meant for {:?}, and we are {:?}", interchange.receiver.id, us.id);
            return Err(Broken::new(at, "009", why));
        }
        if interchange.is_test() && !self.envelope.test {
            return Err(Broken::new(at, "020", "it is marked as a test, and this connection is in production"));
        }
        for group in &interchange.groups {
            if !self.reads(group.version()) {
                let why = format!(
                    "its version {:?} is none of those that are read here ({})",
                    group.version(),
                    self.versions_in.join(", ")
                );
                return Err(Broken::new(group.head.at, UNKNOWN_VERSION, why));
            }
        }
        Ok(())
    }

    /// What a shipping advice says.
    ///
    /// # Errors
    /// Why it is held for a person.
    pub(super) fn shipment(&self, interchange: &Interchange, set: &Set) -> Result<Said, Broken> {
        let advice = Advice::read_as(set, &self.places.statuses)?;
        let at = set.segments.first().map_or(0, |segment| segment.at);
        let hold = |why: String| Broken::new(at, "024", why);
        let Some(key) = advice.key.clone().or_else(|| advice.purchase_order.clone()) else {
            return Err(hold("it names no order (W0602, W0606): ask the warehouse which order left".to_owned()));
        };
        if advice.lines().next().is_none() {
            return Err(hold(format!("it names no line of order {key}: ask the warehouse what left")));
        }
        let left: Decimal = advice.lines().map(|line| line.shipped).sum();
        if let Some(total) = advice.total
            && total != left
        {
            return Err(hold(format!(
                "order {key}: its lines add up to {left}, and its total (W0301) says {total}: ask the warehouse what left"
            )));
        }
        for line in advice.lines() {
            self.look_at_line(&key, line)?;
        }
        // The total was counted in the units of the document.
        let mut advice = self.units.in_ours(advice)?;
        // Without its article a number that may be a box's says nothing of a line.
        let numbers_may_be_theirs =
            advice.lines().all(|line| self.sku(&line.ids).is_some()) && advice.name_by_counter();
        if left.is_zero() {
            if advice.key.is_none() {
                return Err(hold(format!("it names {key} alone (W0606), and that nothing left: ask the warehouse")));
            }
            let said = LinesEnded { numbers_may_be_theirs, ..self.nothing_left(&advice)? };
            return Ok(Said::Nothing(key, said));
        }
        let shipped_at = self.shipped_at(interchange, &advice);
        let (packages, loose) = self.boxes(&advice)?;
        let reference =
            advice.shipment_id.clone().unwrap_or_else(|| format!("{}-{}", interchange.control(), set.control));
        let ended =
            advice.lines().filter(|line| self.ends(line)).map(|line| self.line_ref(line)).collect::<Result<_, _>>()?;
        let carrier = if advice.scac.is_empty() { advice.routing.clone() } else { advice.scac.clone() };
        let shipment = Shipment {
            reference,
            key,
            shipped_at,
            ship_method: ShipMethod { carrier, service: advice.routing.clone() },
            packages,
            loose,
            is_final: false,
            ended,
            whole: false,
            within_order: true,
            numbers_may_be_theirs,
        };
        Ok(if advice.key.is_some() { Said::Shipment(shipment) } else { Said::ByReference(shipment) })
    }

    /// What an advice says with which nothing left. Other lines of the order may come with others (x12.md §8.1).
    fn nothing_left(&self, advice: &Advice) -> Result<LinesEnded, Broken> {
        let mut said = LinesEnded::default();
        for line in advice.lines() {
            let lines = if self.ends(line) { &mut said.ended } else { &mut said.none_left };
            lines.push(self.line_ref(line)?);
            let complete = matches!(line.status, LineStatus::Complete | LineStatus::More | LineStatus::Other(_));
            if complete && line.ordered.is_none_or(|ordered| !ordered.is_zero()) {
                said.odd =
                    Some("it calls a line complete of which nothing left: ask the warehouse what left".to_owned());
            }
        }
        Ok(said)
    }

    /// Whether nothing more of a line will leave than it says.
    fn ends(&self, line: &AdviceLine) -> bool {
        self.part_is_final && matches!(line.status, LineStatus::RestCancelled | LineStatus::Cancelled)
    }

    fn line_ref(&self, line: &AdviceLine) -> Result<LineRef, Broken> {
        let line_number = line.line_number().and_then(|number| number.parse().ok());
        match self.sku(&line.ids) {
            None if line_number.is_none() => Err(self.no_article(line)),
            sku => Ok(LineRef { line_number, sku: sku.unwrap_or_default().to_owned() }),
        }
    }

    fn no_article(&self, line: &AdviceLine) -> Broken {
        let words =
            format!("the line has no product id of kind {}: which goods left?", self.sku_qualifiers_in.join(" or "));
        Broken::new(line.at, "024", words)
    }

    fn look_at_line(&self, key: &str, line: &AdviceLine) -> Result<(), Broken> {
        let hold = |why: String| Err(Broken::new(line.at, "024", format!("order {key}: {why}")));
        if !self.units.reads(&line.unit) {
            return hold(format!(
                "it is counted in {}, and was ordered in {}: ask the warehouse how many that is",
                line.unit, self.units.ours
            ));
        }
        let short = line.ordered.is_some_and(|ordered| line.shipped < ordered);
        match &line.status {
            LineStatus::Other(code) if short => {
                hold(format!("the line status {code:?} does not say whether the rest follows: ask the warehouse"))
            }
            LineStatus::Substituted => hold(
                "something else left in place of what was ordered (CS): decide what the customer is told".to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn sku<'a>(&self, ids: &'a [(String, String)]) -> Option<&'a str> {
        self.sku_qualifiers_in.iter().find_map(|qualifier| value_of(ids, qualifier))
    }

    /// The boxes, and the goods of which the document does not say in which box they are.
    fn boxes(&self, advice: &Advice) -> Result<(Vec<Package>, Vec<PackageLine>), Broken> {
        let (mut packages, mut loose): (Vec<Package>, Vec<PackageLine>) = (Vec::new(), Vec::new());
        let everywhere = self.places.of_all(advice);
        for one in &advice.boxes {
            let mut lines = Vec::new();
            for line in one.lines.iter().filter(|line| !line.shipped.is_zero()) {
                lines.push(self.package_line(line)?);
            }
            match self.places.of_box(one).as_slice() {
                [] => loose.extend(lines),
                [tracking] => {
                    let weight = weight_of(&one.lines);
                    match packages.iter_mut().find(|known| known.tracking.as_deref() == Some(tracking)) {
                        Some(known) => {
                            known.weight = known.weight.zip(weight).map(|(known, more)| known + more);
                            known.lines.extend(lines);
                        }
                        None => packages.push(Package { tracking: Some(tracking.clone()), weight, lines }),
                    }
                }
                several => {
                    let numbered =
                        several.iter().map(|number| Package { tracking: Some(number.clone()), ..Package::default() });
                    packages.extend(numbered);
                    loose.extend(lines);
                }
            }
        }
        // Numbers of the head are of all boxes: they count where no box has one of its own.
        if packages.is_empty() {
            match everywhere.as_slice() {
                [only] => packages.push(Package {
                    tracking: Some(only.clone()),
                    weight: weight_of(advice.lines()),
                    lines: std::mem::take(&mut loose),
                }),
                several => {
                    packages.extend(
                        several.iter().map(|number| Package { tracking: Some(number.clone()), ..Package::default() }),
                    );
                }
            }
        }
        // The weight of everything is that of a box only where there is one.
        if let ([only], Some(weight)) = (packages.as_mut_slice(), advice.weight) {
            only.weight = Some(weight);
        }
        Ok((packages, loose))
    }

    fn package_line(&self, line: &AdviceLine) -> Result<PackageLine, Broken> {
        let sku = self.sku(&line.ids).ok_or_else(|| self.no_article(line))?;
        let serials = self.places.serials(line);
        // Fewer are said where not every unit has one; of more than left, some did not, and nobody knows which.
        if Decimal::from(serials.len()) > line.shipped {
            let words = format!(
                "{} of {sku} left, and {} serial numbers are named: ask the warehouse what left",
                line.shipped.normalize(),
                serials.len()
            );
            return Err(Broken::new(line.at, "024", words));
        }
        Ok(PackageLine {
            line_number: line.line_number().and_then(|number| number.parse().ok()),
            sku: sku.to_owned(),
            quantity: line.shipped,
            lot: self.places.lot(line),
            serials,
        })
    }

    /// The date of the advice; of today's, the moment the interchange was written.
    fn shipped_at(&self, interchange: &Interchange, advice: &Advice) -> Timestamp {
        let written = self.written(interchange);
        let date = self.places.left_on(advice);
        match (date, written) {
            (Some(date), Some(written)) if written.date() == date => self.moment(written),
            (Some(date), _) => self.moment(date.at(0, 0, 0, 0)),
            (None, Some(written)) => self.moment(written),
            (None, None) => Timestamp::UNIX_EPOCH,
        }
    }

    /// The moment of ISA09 and ISA10.
    pub(super) fn written_at(&self, interchange: &Interchange) -> Option<Timestamp> {
        self.written(interchange).map(|written| self.moment(written))
    }

    /// ISA09 and ISA10.
    fn written(&self, interchange: &Interchange) -> Option<civil::DateTime> {
        let date = dictionary::date(&format!("20{}", interchange.head.get(9)))?;
        let time = dictionary::time(interchange.head.get(10)).unwrap_or_default();
        Some(date.to_datetime(time))
    }

    fn moment(&self, at: civil::DateTime) -> Timestamp {
        at.to_zoned(self.place.zone.clone()).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
    }

    /// The stock of a report.
    ///
    /// # Errors
    /// Why no figure of it may be used.
    pub(super) fn feed(
        &self,
        interchange: &Interchange,
        set: &Set,
        reference: &str,
        content_hash: &str,
    ) -> Result<StockFeed, Broken> {
        if let Some(finding) = interchange.findings_of_stock().find(|finding| finding.spoils_stock()) {
            return Err(Broken::new(
                finding.at,
                "024",
                format!(
                    "{}: a damaged stock report could empty a shop. Ask the warehouse to send it again",
                    finding.words
                ),
            ));
        }
        let report = Inventory::read(set)?;
        let at = set.segments.first().map_or(0, |segment| segment.at);
        let mut levels: BTreeMap<(String, Option<String>), Sum> = BTreeMap::new();
        for item in &report.items {
            self.add(&report, item, &mut levels)?;
        }
        if levels.is_empty() {
            return Err(Broken::new(
                at,
                "024",
                "it names no product with a figure that is read here: an empty report must not mean that all stock is gone",
            ));
        }
        let written = self.written(interchange);
        let cut_off = match (report.date, report.time) {
            (Some(date), Some(time)) => Some(date.to_datetime(time)),
            (Some(date), None) => {
                Some(written.filter(|written| written.date() == date).unwrap_or_else(|| date.at(0, 0, 0, 0)))
            }
            (None, _) => written,
        };
        let cut_off =
            cut_off.ok_or_else(|| Broken::new(at, "024", "neither BIA nor the envelope says of when it is"))?;
        let cut_off = only_moment(cut_off, &self.place.zone)
            .map_err(|why| Broken::new(at, "024", format!("it is of {cut_off}: {why}")))?;
        Ok(StockFeed {
            reference: reference.to_owned(),
            content_hash: content_hash.to_owned(),
            cut_off,
            sequence: None,
            absent_is_zero: self.full_snapshot,
            names_all: self.full_snapshot,
            levels: levels
                .into_iter()
                .map(|((sku, facility), sum)| StockLevel {
                    sku,
                    facility,
                    available: sum.available.filter(|_| !sum.lacks_available),
                    physical: sum.physical.filter(|_| !sum.lacks_physical),
                })
                .collect(),
        })
    }

    /// What a 947 explains.
    ///
    /// # Errors
    /// Why it is held for a person: nothing of it is used, so that what comes again under its number can be told from it.
    pub(super) fn adjustment(&self, interchange: &Interchange, set: &Set) -> Result<Vec<StockAdjustment>, Broken> {
        let said = Adjustment::read(set)?;
        let number = match said.number.is_empty() {
            true => format!("{}-{}", interchange.control(), set.control),
            false => said.number.clone(),
        };
        let day = said.date.map(|date| date.at(0, 0, 0, 0)).or_else(|| self.written(interchange));
        let made_on = day.map_or(Timestamp::UNIX_EPOCH, |day| self.moment(day));
        (1..)
            .zip(&said.lines)
            .map(|(line, one)| {
                let (sku, change) = self.adjusted(&number, one)?;
                let reason = meaning("W19", 1, &one.reason).unwrap_or("another reason");
                Ok(StockAdjustment {
                    reference: number.clone(),
                    line,
                    sku: sku.to_owned(),
                    change,
                    reason: format!("{reason} ({})", one.reason),
                    made_on,
                })
            })
            .collect()
    }

    /// Whose figure a line changed and by how many, where it says so in what is read here.
    fn adjusted<'a>(&self, number: &str, line: &'a AdjustedLine) -> Result<(&'a str, Decimal), Broken> {
        let hold = |why: String| Broken::new(line.at, "024", format!("adjustment {number}: {why}"));
        let change = self.units.count(line.change, &line.unit).ok_or_else(|| {
            let read = self.units.named();
            hold(format!(
                "a line is counted in {}, and {read} is read here: ask the warehouse how many that is, or set units_in",
                line.unit
            ))
        })?;
        let sku = self.sku(&line.ids).ok_or_else(|| {
            let kinds = self.sku_qualifiers_in.join(" or ");
            hold(format!("a line has no product id of kind {kinds}: ask the warehouse which product it is"))
        })?;
        Ok((sku, change))
    }

    fn add(
        &self,
        report: &Inventory,
        item: &Item,
        levels: &mut BTreeMap<(String, Option<String>), Sum>,
    ) -> Result<(), Broken> {
        let wrong = |why: String| Broken::new(item.at, "024", why);
        let sku = self
            .sku(&item.ids)
            .ok_or_else(|| wrong(format!("the product has no id of kind {}", self.sku_qualifiers_in.join(" or "))))?;
        for (facility, figures) in item.by_facility() {
            let counts = |kind: &String| self.available.contains(kind) || self.on_hand.contains(kind);
            if !figures.iter().any(|figure| counts(&figure.qualifier)) {
                continue;
            }
            if let Some(other) = figures.iter().find(|figure| !self.units.reads(&figure.unit)) {
                return Err(wrong(format!(
                    "{sku} is counted in {}, and {} is read here",
                    other.unit,
                    self.units.named()
                )));
            }
            let of = |qualifiers: &[String]| -> Option<Decimal> {
                let mut found = figures.iter().filter(|figure| qualifiers.contains(&figure.qualifier)).peekable();
                found.peek()?;
                found.map(|figure| self.units.count(figure.quantity, &figure.unit)).sum()
            };
            let (available, damaged) = (of(&self.available), of(&self.damaged).unwrap_or_default());
            let physical = of(&self.on_hand).map(|physical| physical - damaged);
            if damaged < Decimal::ZERO || physical.is_some_and(|physical| physical < Decimal::ZERO) {
                return Err(wrong(format!("{sku}: less than nothing cannot lie on a shelf")));
            }
            let facility = facility.map(str::to_owned).or_else(|| report.facility.clone());
            let sum = levels.entry((sku.to_owned(), facility)).or_default();
            sum.lacks_available |= available.is_none();
            sum.lacks_physical |= physical.is_none();
            // The lots of one SKU are one figure.
            sum.available = add(sum.available, available);
            sum.physical = add(sum.physical, physical);
        }
        Ok(())
    }
}

/// What these lines weigh together, where it is said of each of which something left.
fn weight_of<'a>(lines: impl IntoIterator<Item = &'a AdviceLine>) -> Option<Decimal> {
    let weights: Option<Vec<Decimal>> =
        lines.into_iter().filter(|line| !line.shipped.is_zero()).map(|line| line.weight).collect();
    weights.filter(|weights| !weights.is_empty()).map(|weights| weights.into_iter().sum())
}

/// A figure of a SKU over its lots. One that a lot lacks is not known.
#[derive(Default)]
struct Sum {
    available: Option<Decimal>,
    physical: Option<Decimal>,
    lacks_available: bool,
    lacks_physical: bool,
}

fn add(sum: Option<Decimal>, more: Option<Decimal>) -> Option<Decimal> {
    match (sum, more) {
        (Some(sum), Some(more)) => sum.checked_add(more),
        (one, other) => one.or(other),
    }
}
