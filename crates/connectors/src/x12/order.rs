//! 940, warehouse shipping order: what a warehouse is asked to ship, in its new, changed and cancelled form.

use jiff::civil;
use rust_decimal::Decimal;

use super::{
    dictionary,
    finding::Broken,
    reader::Set,
    segment::Segment,
    writer::{Syntax, quantity},
};

/// Longest text of one note segment (NTE02).
const NOTE_LENGTH: usize = 80;
/// Longest street (N301, N302).
const STREET_LENGTH: usize = 55;
/// Longest name (N102, N201, N202).
const NAME_LENGTH: usize = 60;
/// Pieces of a street that a party has room for: two N3 of two.
pub(super) const STREETS: usize = 4;
/// Pieces of names that a party has room for: the N1, and two N2 of two.
pub(super) const NAMES: usize = 5;
/// Longest description (G6901).
const DESCRIPTION_LENGTH: usize = 45;

/// An order as a document says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// W0501: `N` new, `R` change, `F` cancel, or a partner's own.
    pub status: String,
    /// W0502: the depositor order number, the same in the shipping advice.
    pub key: String,
    /// W0503.
    pub purchase_order: String,
    /// W0504; six digits, empty where it is not used.
    pub link: String,
    /// W0505.
    pub master_reference: String,
    /// Who is concerned.
    pub parties: Vec<OrderParty>,
    /// Other numbers: qualifier, number, description.
    pub references: Vec<(String, String, String)>,
    /// Dates by qualifier.
    pub dates: Vec<(String, civil::Date)>,
    /// Words: kind and text.
    pub notes: Vec<(String, String)>,
    /// How it goes; not in a cancel.
    pub carrier: Option<OrderCarrier>,
    /// What to ship; none in a cancel.
    pub lines: Vec<OrderedLine>,
}

/// A party with its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderParty {
    /// N101: `ST` ship to, `DE` depositor, `WH` warehouse, …
    pub role: String,
    /// N102.
    pub name: String,
    /// N103 and N104.
    pub id: Option<(String, String)>,
    /// N2: the rest of a long name, or the company of a person.
    pub more_names: Vec<String>,
    /// N3: at most four.
    pub streets: Vec<String>,
    /// N401.
    pub city: String,
    /// N402: two letters.
    pub state: String,
    /// N403.
    pub postcode: String,
    /// N404.
    pub country: String,
    /// PER*DC: name, and numbers by kind (`TE`, `EM`, …), at most three.
    pub contact: Option<(String, Vec<(String, String)>)>,
}

/// W66.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderCarrier {
    /// W6601: who pays.
    pub payment: String,
    /// W6602.
    pub method: String,
    /// W6605: the warehouse's name of the service.
    pub routing: String,
    /// W6610: carrier code (SCAC).
    pub scac: String,
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderedLine {
    /// W0101.
    pub quantity: Decimal,
    /// W0102.
    pub unit: String,
    /// Product ids by qualifier, at most three.
    pub ids: Vec<(String, String)>,
    /// W0113, or `N9*LT` where it is longer.
    pub lot: Option<String>,
    /// G6901.
    pub description: String,
    /// `N9*LI`.
    pub line_number: String,
}

impl Order {
    /// The document, without ST and SE. Long names, streets and notes go into further segments; a party that needs more of
    /// them than the document has room for is refused by [`Syntax::set`].
    ///
    /// # Errors
    /// When a text cannot be written in the letters of the receiver.
    pub fn segments(&self, syntax: &Syntax) -> Result<Vec<Segment>, String> {
        let mut out = vec![Segment::new(
            "W05",
            [self.status.as_str(), &self.key, &self.purchase_order, &self.link, &self.master_reference],
        )];
        for party in &self.parties {
            party.write(syntax, &mut out)?;
        }
        for (qualifier, number, description) in &self.references {
            if !syntax.text(number)?.is_empty() {
                out.push(Segment::new("N9", [qualifier.as_str(), number, description]));
            }
        }
        for (qualifier, date) in &self.dates {
            out.push(Segment::new("G62", [qualifier.as_str(), &date.strftime("%Y%m%d").to_string()]));
        }
        for (kind, text) in &self.notes {
            let pieces = pieces(&syntax.text(text)?, NOTE_LENGTH);
            out.extend(pieces.iter().map(|piece| Segment::new("NTE", [kind.as_str(), piece])));
        }
        if let Some(carrier) = &self.carrier {
            let OrderCarrier { payment, method, routing, scac } = carrier;
            out.push(Segment::new("W66", [payment.as_str(), method, "", "", routing, "", "", "", "", scac]));
        }
        for (place, line) in self.lines.iter().enumerate() {
            out.push(Segment::new("LX", [(place + 1).to_string().as_str()]));
            line.write(syntax, &mut out)?;
        }
        let total: Decimal = self.lines.iter().map(|line| line.quantity).sum();
        out.push(match self.lines.is_empty() {
            // A cancel: nothing of nothing, in the form in which partners know it.
            true => Segment::new("W76", ["0", "0", "LB"]),
            false => Segment::new("W76", [quantity(total).as_str()]),
        });
        Ok(out)
    }

    /// The order that a document says.
    ///
    /// # Errors
    /// When it has no W05, or a quantity cannot be read.
    pub fn read(set: &Set) -> Result<Self, Broken> {
        let mut order = Self::default();
        let mut head = None;
        for segment in &set.segments {
            match segment.id.as_str() {
                "W05" => {
                    head = Some(segment.at);
                    order.status = segment.get(1).to_owned();
                    order.key = segment.get(2).to_owned();
                    order.purchase_order = segment.get(3).to_owned();
                    order.link = segment.get(4).to_owned();
                    order.master_reference = segment.get(5).to_owned();
                }
                "W01" => order.lines.push(OrderedLine::read(segment)?),
                "G69" => {
                    if let Some(line) = order.lines.last_mut() {
                        line.description = segment.get(1).to_owned();
                    }
                }
                "N9" => match order.lines.last_mut() {
                    Some(line) if segment.get(1) == "LI" => line.line_number = segment.get(2).to_owned(),
                    Some(line) if segment.get(1) == "LT" => line.lot = segment.text(2).map(str::to_owned),
                    Some(_) => {}
                    None => {
                        let [qualifier, number, description] = [1, 2, 3].map(|place| segment.get(place).to_owned());
                        order.references.push((qualifier, number, description));
                    }
                },
                // Under a line it is about that line alone.
                "G62" if order.lines.is_empty() => {
                    if let Some(date) = dictionary::date(segment.get(2)) {
                        order.dates.push((segment.get(1).to_owned(), date));
                    }
                }
                "NTE" if order.lines.is_empty() => {
                    order.notes.push((segment.get(1).to_owned(), segment.get(2).to_owned()));
                }
                "W66" => {
                    let [payment, method, routing, scac] = [1, 2, 5, 10].map(|place| segment.get(place).to_owned());
                    order.carrier = Some(OrderCarrier { payment, method, routing, scac });
                }
                "N1" if order.lines.is_empty() => order.parties.push(OrderParty::read(segment)),
                _ => {
                    if let (true, Some(party)) = (order.lines.is_empty(), order.parties.last_mut()) {
                        party.add(segment);
                    }
                }
            }
        }
        match head {
            Some(_) => Ok(order),
            None => Err(Broken::new(
                set.segments.first().map_or(0, |segment| segment.at),
                "024",
                "the 940 has no W05, so it names no order",
            )),
        }
    }
}

impl OrderParty {
    fn write(&self, syntax: &Syntax, out: &mut Vec<Segment>) -> Result<(), String> {
        let mut names = self.name_pieces(syntax)?.into_iter();
        let (qualifier, id) = self.id.as_ref().map_or(("", ""), |(qualifier, id)| (qualifier.as_str(), id.as_str()));
        out.push(Segment::new("N1", [self.role.as_str(), &names.next().unwrap_or_default(), qualifier, id]));
        let more: Vec<String> = names.collect();
        out.extend(more.chunks(2).map(|two| Segment::new("N2", two.iter().map(String::as_str))));
        let streets = self.street_pieces(syntax)?;
        out.extend(streets.chunks(2).map(|two| Segment::new("N3", two.iter().map(String::as_str))));
        if [&self.city, &self.state, &self.postcode, &self.country].iter().any(|part| !part.is_empty()) {
            out.push(Segment::new("N4", [self.city.as_str(), &self.state, &self.postcode, &self.country]));
        }
        if let Some((name, numbers)) = &self.contact {
            let mut elements = vec!["DC".to_owned(), syntax.text(name)?.chars().take(NAME_LENGTH).collect()];
            for (kind, number) in numbers.iter().take(3) {
                let number = syntax.text(number)?;
                if !number.is_empty() {
                    elements.extend([kind.clone(), number]);
                }
            }
            if elements.len() > 2 {
                out.push(Segment::new("PER", elements.iter().map(String::as_str)));
            }
        }
        Ok(())
    }

    /// Its names as they are written: the first into N1, the others into N2.
    pub(super) fn name_pieces(&self, syntax: &Syntax) -> Result<Vec<String>, String> {
        let more = self.more_names.iter();
        in_pieces(std::iter::once(&self.name).chain(more), NAME_LENGTH, syntax)
    }

    /// Its streets as they are written into N3.
    pub(super) fn street_pieces(&self, syntax: &Syntax) -> Result<Vec<String>, String> {
        in_pieces(self.streets.iter(), STREET_LENGTH, syntax)
    }

    fn read(segment: &Segment) -> Self {
        let id = segment.pairs(&[3]).into_iter().next();
        Self { role: segment.get(1).to_owned(), name: segment.get(2).to_owned(), id, ..Self::default() }
    }

    fn add(&mut self, segment: &Segment) {
        match segment.id.as_str() {
            "N2" => self.more_names.extend(segment.elements.iter().filter(|name| !name.is_empty()).cloned()),
            "N3" => self.streets.extend(segment.elements.iter().filter(|street| !street.is_empty()).cloned()),
            "N4" => {
                [&mut self.city, &mut self.state, &mut self.postcode, &mut self.country]
                    .into_iter()
                    .enumerate()
                    .for_each(|(place, part)| *part = segment.get(place + 1).to_owned());
            }
            "PER" => self.contact = Some((segment.get(2).to_owned(), segment.pairs(&[3, 5, 7]))),
            _ => {}
        }
    }
}

impl OrderedLine {
    fn write(&self, syntax: &Syntax, out: &mut Vec<Segment>) -> Result<(), String> {
        let amount = quantity(self.quantity);
        let pair =
            |place: usize| self.ids.get(place).map_or(("", ""), |(qualifier, id)| (qualifier.as_str(), id.as_str()));
        let ((q1, id1), (q2, id2), (q3, id3)) = (pair(0), pair(1), pair(2));
        let lot = self.lot.as_deref().unwrap_or_default();
        let (lot_here, lot_below) = if lot.chars().count() <= 12 { (lot, "") } else { ("", lot) };
        out.push(Segment::new(
            "W01",
            [amount.as_str(), &self.unit, "", q1, id1, q2, id2, "", "", "", "", "", lot_here, "", q3, id3],
        ));
        // A description is for the eye; one piece of it is enough.
        if let Some(description) = pieces(&syntax.text(&self.description)?, DESCRIPTION_LENGTH).first() {
            out.push(Segment::new("G69", [description.as_str()]));
        }
        if !self.line_number.is_empty() {
            out.push(Segment::new("N9", ["LI", &self.line_number]));
        }
        if !lot_below.is_empty() {
            out.push(Segment::new("N9", ["LT", lot_below]));
        }
        Ok(())
    }

    fn read(segment: &Segment) -> Result<Self, Broken> {
        let quantity = dictionary::number(segment.get(1))
            .ok_or_else(|| Broken::new(segment.at, "024", format!("the quantity {:?} is no number", segment.get(1))))?;
        Ok(Self {
            quantity,
            unit: segment.get(2).to_owned(),
            ids: segment.pairs(&[4, 6, 15]),
            lot: segment.text(13).map(str::to_owned),
            ..Self::default()
        })
    }
}

/// Texts in pieces of at most so many characters. Cleaned before they are parted: an accent that is taken off may make one
/// longer.
fn in_pieces<'a>(texts: impl Iterator<Item = &'a String>, most: usize, syntax: &Syntax) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(pieces(&syntax.text(text)?, most));
    }
    Ok(all)
}

/// A text in pieces of at most so many characters, parted at spaces where there are any.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut piece = String::new();
    let push = |piece: &mut String, pieces: &mut Vec<String>| {
        if !piece.is_empty() {
            pieces.push(std::mem::take(piece));
        }
    };
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if !piece.is_empty() && piece.chars().count() + 1 + word.len() > most {
            push(&mut piece, &mut pieces);
        }
        if !piece.is_empty() {
            piece.push(' ');
        }
        while word.len() > most {
            let rest = word.split_off(most);
            piece.extend(word);
            push(&mut piece, &mut pieces);
            word = rest;
        }
        piece.extend(word);
    }
    push(&mut piece, &mut pieces);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::pieces;

    proptest! {
        #[test]
        fn pieces_hold_every_letter_and_none_is_too_long(text in "[a-zA-Z ]{0,200}", most in 2_usize..60) {
            let pieces = pieces(&text, most);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.chars().count() <= most));
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&pieces.concat()), letters(&text));
        }
    }
}
