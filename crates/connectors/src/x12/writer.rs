//! Writing an interchange: strict, since it is read by programs that refuse what is not as the standard has it.
//!
//! Nothing in X12 is escaped, so what parts elements is taken out of the data first. What does not fit its element is an
//! error before anything is sent, never cut: half a postcode is another place.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use jiff::civil;
use rust_decimal::Decimal;

use super::{
    dictionary,
    reader::{Party, Set},
    segment::{Segment, Separators},
};

/// How documents are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// The characters that part them.
    pub separators: Separators,
    /// Whether each segment stands on a line of its own.
    pub line_feeds: bool,
    /// Whether letters are written in upper case.
    pub upper_case: bool,
    /// Whether accents are taken off, since the receiver takes plain letters only.
    pub ascii_only: bool,
}

impl Default for Syntax {
    fn default() -> Self {
        let separators = Separators { element: '*', component: Some('>'), repetition: None, terminator: '~' };
        Self { separators, line_feeds: true, upper_case: false, ascii_only: true }
    }
}

/// The envelope of what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Us (ISA05, ISA06).
    pub sender: Party,
    /// Them (ISA07, ISA08).
    pub receiver: Party,
    /// Us, in the group (GS02).
    pub group_sender: String,
    /// Them, in the group (GS03).
    pub group_receiver: String,
    /// GS08, e.g. `004010`; its first five characters are ISA12.
    pub version: String,
    /// Whether it is a test (ISA15).
    pub test: bool,
    /// Whether a TA1 is asked for (ISA14).
    pub acknowledge: bool,
    /// How it is written.
    pub syntax: Syntax,
}

impl Syntax {
    /// A text as it is written: composed, without what parts elements and without control characters, with single spaces, in
    /// the letters the receiver takes.
    ///
    /// # Errors
    /// When it holds letters that have no plain form.
    pub fn text(&self, text: &str) -> Result<String, String> {
        let composed = ComposingNormalizerBorrowed::new_nfc().normalize(text);
        let plain = if self.ascii_only { plain(&composed)? } else { composed.into_owned() };
        let plain = if self.upper_case { plain.to_uppercase() } else { plain };
        let kept = |character: char| {
            let parts = self.separators.contain(character) || matches!(character, '~' | '^') || character.is_control();
            if parts || character.is_whitespace() { ' ' } else { character }
        };
        let replaced: String = plain.chars().map(kept).collect();
        Ok(replaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    }

    /// The segments of a set as they will be written, checked against the dictionary.
    ///
    /// # Errors
    /// What does not fit, for people.
    pub fn set(&self, code: &str, segments: &[Segment]) -> Result<Vec<Segment>, String> {
        let mut written = Vec::with_capacity(segments.len());
        for segment in segments {
            let elements = segment.elements.iter().map(|text| self.text(text)).collect::<Result<Vec<_>, _>>()?;
            written.push(Segment::new(&segment.id, elements.iter().map(String::as_str)));
        }
        let set = Set { code: code.to_owned(), control: "0001".to_owned(), segments: written, version: String::new() };
        match dictionary::look_over(&set).first() {
            Some(finding) => Err(finding.words.clone()),
            None => Ok(set.segments),
        }
    }
}

/// Stands for the control number in nine digits, in a text that has none yet. No data can hold it.
const PADDED_MARK: &str = "\u{1}";
/// Stands for the control number without zeros in front.
const PLAIN_MARK: &str = "\u{2}";

/// An interchange with one group, whose sets are numbered from 0001. Interchange and group have the same control number. The
/// sets come from [`Syntax::set`].
pub fn interchange(
    envelope: &Envelope,
    control: u32,
    at: civil::DateTime,
    group: &str,
    sets: &[(String, Vec<Segment>)],
) -> String {
    numbered(&unnumbered(envelope, at, group, sets), control)
}

/// The same without its control number, which [`numbered`] puts in: what is planned before the number is taken.
pub(super) fn unnumbered(
    envelope: &Envelope,
    at: civil::DateTime,
    group: &str,
    sets: &[(String, Vec<Segment>)],
) -> String {
    let mut writing = Writing { out: String::new(), syntax: &envelope.syntax };
    let (date, time) = (at.strftime("%Y%m%d").to_string(), at.strftime("%H%M").to_string());
    writing.isa(envelope, &date, &time);
    let (sender, receiver) = (&envelope.group_sender, &envelope.group_receiver);
    writing.segment(&Segment::new("GS", [group, sender, receiver, &date, &time, PLAIN_MARK, "X", &envelope.version]));
    for (place, (code, segments)) in sets.iter().enumerate() {
        let control = format!("{:04}", place + 1);
        writing.segment(&Segment::new("ST", [code.as_str(), &control]));
        for segment in segments {
            writing.segment(segment);
        }
        writing.segment(&Segment::new("SE", [(segments.len() + 2).to_string().as_str(), &control]));
    }
    writing.segment(&Segment::new("GE", [sets.len().to_string().as_str(), PLAIN_MARK]));
    writing.segment(&Segment::new("IEA", ["1", PADDED_MARK]));
    writing.out
}

/// The document with its control number.
pub(super) fn numbered(text: &str, control: u32) -> String {
    text.replace(PADDED_MARK, &format!("{control:09}")).replace(PLAIN_MARK, &control.to_string())
}

/// A quantity as it is written: plain digits, no zeros at the end.
pub(super) fn quantity(number: Decimal) -> String {
    number.normalize().to_string()
}

struct Writing<'a> {
    out: String,
    syntax: &'a Syntax,
}

impl Writing<'_> {
    fn isa(&mut self, envelope: &Envelope, date: &str, time: &str) {
        let Separators { element, component, repetition, terminator } = self.syntax.separators;
        // A receiver that reads by position needs a component separator to stand where one stands.
        let component = component.unwrap_or('>');
        let isa12: String = envelope.version.chars().take(5).collect();
        let padded = |text: &str, length: usize| -> String {
            let cut: String = text.chars().take(length).collect();
            format!("{cut:<length$}")
        };
        let elements = [
            "ISA".to_owned(),
            "00".to_owned(),
            padded("", 10),
            "00".to_owned(),
            padded("", 10),
            padded(&envelope.sender.qualifier, 2),
            padded(&envelope.sender.id, 15),
            padded(&envelope.receiver.qualifier, 2),
            padded(&envelope.receiver.id, 15),
            date.chars().skip(2).collect(),
            time.to_owned(),
            repetition.unwrap_or('U').to_string(),
            isa12,
            PADDED_MARK.to_owned(),
            if envelope.acknowledge { "1" } else { "0" }.to_owned(),
            if envelope.test { "T" } else { "P" }.to_owned(),
            component.to_string(),
        ];
        self.out.push_str(&elements.join(&element.to_string()));
        self.end(terminator);
    }

    fn segment(&mut self, segment: &Segment) {
        let Separators { element, terminator, .. } = self.syntax.separators;
        self.out.push_str(&segment.id);
        for text in &segment.elements {
            self.out.push(element);
            self.out.push_str(text);
        }
        self.end(terminator);
    }

    fn end(&mut self, terminator: char) {
        self.out.push(terminator);
        if self.syntax.line_feeds && terminator != '\n' {
            self.out.push('\n');
        }
    }
}

/// In the letters A to Z, with accents taken off.
fn plain(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for character in DecomposingNormalizerBorrowed::new_nfkd().normalize(text).chars() {
        match character {
            _ if character.is_ascii() => out.push(character),
            '\u{300}'..='\u{36f}' => {}
            'ß' => out.push_str("ss"),
            'ẞ' => out.push_str("SS"),
            'æ' => out.push_str("ae"),
            'Æ' => out.push_str("AE"),
            'œ' => out.push_str("oe"),
            'Œ' => out.push_str("OE"),
            'ø' => out.push('o'),
            'Ø' => out.push('O'),
            'ł' => out.push('l'),
            'Ł' => out.push('L'),
            'đ' | 'ð' => out.push('d'),
            'Đ' | 'Ð' => out.push('D'),
            'þ' => out.push_str("th"),
            'Þ' => out.push_str("TH"),
            'ı' => out.push('i'),
            'ħ' => out.push('h'),
            'Ħ' => out.push('H'),
            '‘' | '’' | '‚' | '′' | '´' => out.push('\''),
            '“' | '”' | '„' | '″' | '«' | '»' => out.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '−' => out.push('-'),
            '×' => out.push('x'),
            '€' => out.push_str("EUR"),
            '£' => out.push_str("GBP"),
            '•' | '·' => out.push('.'),
            '⁄' => out.push('/'),
            // Says nothing by itself: marks of direction, joiners, pictures and their variants.
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{ad}' => {}
            '©' | '®' => {}
            '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => out.push(' '),
            other if other.is_whitespace() || other.is_control() => out.push(' '),
            other => {
                return Err(format!(
                    "{text:?} holds {other:?}, which has no plain letter: write it in the letters A to Z on the order, or agree \
                     with the warehouse on documents that are not ASCII only"
                ));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::Syntax;

    #[test]
    fn what_parts_elements_is_taken_out_and_accents_are_taken_off() {
        let syntax = Syntax { upper_case: true, ..Syntax::default() };
        for (text, written) in [
            ("Zoë Ångström", "ZOE ANGSTROM"),
            ("A*B>C~D^E", "A B C D E"),
            ("  two\r\n lines\t", "TWO LINES"),
            ("Straße 5 – “left”", "STRASSE 5 - \"LEFT\""),
            ("e\u{301}t\u{e9}", "ETE"),
            ("½ \u{1f600} ok", "1/2 OK"),
            ("***", ""),
        ] {
            assert_eq!(syntax.text(text).unwrap(), written, "{text}");
        }
        assert!(syntax.text("東京").unwrap_err().contains("plain letter"));
        let wide = Syntax { ascii_only: false, upper_case: false, ..Syntax::default() };
        assert_eq!(wide.text("Zoe\u{308} 東京*").unwrap(), "Zo\u{eb} 東京");
    }
}
