//! How cells are parted and written: delimiter, quotes, encoding, numbers and times.

use connect::wanted_in;
use encoding_rs::{Encoding, UTF_8};
use jiff::{Timestamp, civil, fmt::strtime, tz::TimeZone};
use rust_decimal::Decimal;

use crate::{numbers, times};

/// Years that a shipment or a count can be of. Another one is a time that was read in the wrong form.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;

/// How cells are parted and written.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) delimiter: char,
    /// Around cells that need it; `None` where nothing is quoted.
    pub(crate) quote: Option<char>,
    /// Before the decimals.
    pub(crate) decimal: char,
    /// How times are written; `None` for ISO 8601.
    pub(crate) dates: Option<Dates>,
    /// Of times that name none.
    pub(crate) zone: TimeZone,
    pub(crate) encoding: &'static Encoding,
}

/// A form of times, such as `DD/MM/YYYY HH:mm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dates {
    /// As it was given.
    shown: String,
    /// As the calendar reads it.
    pattern: String,
}

/// The parts a form of times is made of, longest first where one begins like another.
const PARTS: [(&str, &str); 8] =
    [("YYYY", "%Y"), ("YY", "%y"), ("MMM", "%b"), ("MM", "%m"), ("DD", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S")];

/// Reads a form of times.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn dates(text: &str) -> Result<Dates, String> {
    let (mut rest, mut pattern) = (text.trim(), String::new());
    while let Some(first) = rest.chars().next() {
        match PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
            Some((part, meaning)) => {
                pattern.push_str(meaning);
                rest = rest.strip_prefix(part).unwrap_or_default();
            }
            None if first.is_alphabetic() && first != 'T' || first == '%' => {
                let parts = PARTS.map(|(part, _)| part).join(", ");
                return Err(format!("{first:?} means nothing in it; it is made of {parts} and the marks between them"));
            }
            None => {
                pattern.push(first);
                rest = rest.strip_prefix(first).unwrap_or_default();
            }
        }
    }
    let has = |part: &str| pattern.contains(part);
    if (has("%Y") || has("%y")) && (has("%m") || has("%b")) && has("%d") {
        return Ok(Dates { shown: text.trim().to_owned(), pattern });
    }
    Err("year, month and day must be in it, such as DD/MM/YYYY or YYYYMMDD".to_owned())
}

impl Form {
    /// RFC 4180 in UTF-8, with a decimal point, ISO 8601 and UTC.
    pub(crate) fn plain() -> Self {
        Self { delimiter: ',', quote: Some('"'), decimal: '.', dates: None, zone: TimeZone::UTC, encoding: UTF_8 }
    }

    /// The text of a file. What cannot be read in the encoding becomes U+FFFD, which no cell may hold.
    pub(crate) fn decode(&self, content: &[u8]) -> String {
        let (text, _) = self.encoding.decode_without_bom_handling(content);
        text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
    }

    /// The bytes of a text.
    ///
    /// # Errors
    /// When it holds characters that the encoding cannot carry.
    pub(crate) fn encode(&self, text: String) -> Result<Vec<u8>, String> {
        if self.encoding == UTF_8 {
            return Ok(text.into_bytes());
        }
        let (content, _, lost) = self.encoding.encode(&text);
        if lost { Err(format!("the file does not fit {}", self.encoding.name())) } else { Ok(content.into_owned()) }
    }

    /// Whether the encoding can carry a text.
    pub(crate) fn carries(&self, text: &str) -> bool {
        self.encoding == UTF_8 || !self.encoding.encode(text).2
    }

    /// A number in plain digits: no exponent, no thousands, nothing a spreadsheet makes of numbers.
    pub(super) fn number(&self, cell: &str) -> Option<Decimal> {
        if self.decimal == '.' {
            return plain_decimal(cell);
        }
        if cell.contains('.') { None } else { plain_decimal(&cell.replace(self.decimal, ".")) }
    }

    /// A number as it is written.
    pub(crate) fn written(&self, number: Decimal) -> String {
        number.normalize().to_string().replace('.', &self.decimal.to_string())
    }

    /// A moment: with an offset as it stands, without one in the zone. ISO 8601 is understood beside the form that was agreed.
    pub(super) fn moment(&self, cell: &str) -> Option<Timestamp> {
        within_years(match self.time_in(cell)? {
            Time::Moment(moment) => moment,
            Time::Local(local) => local.to_zoned(self.zone.clone()).ok()?.timestamp(),
        })
    }

    /// Why a time, where it is one, can only be guessed: a local time that was not once.
    pub(super) fn doubt(&self, cell: &str) -> Option<&'static str> {
        match self.time_in(cell)? {
            Time::Moment(_) => None,
            Time::Local(local) => times::only_moment(local, &self.zone).err(),
        }
    }

    fn time_in(&self, cell: &str) -> Option<Time> {
        let agreed = self.dates.as_ref().and_then(|dates| {
            let parsed = strtime::parse(&dates.pattern, cell).ok()?;
            Some(parsed.to_date().ok()?.to_datetime(parsed.to_time().ok()?))
        });
        agreed.map(Time::Local).or_else(|| iso(cell))
    }

    /// A moment as it is written: in the form that was agreed and the zone, else ISO 8601 in UTC.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        match &self.dates {
            Some(dates) => at.to_zoned(self.zone.clone()).strftime(&dates.pattern).to_string(),
            None => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    /// When an order is wanted, as a moment is written: a day without a time stays that day in the zone.
    pub(crate) fn wanted(&self, at: Timestamp) -> String {
        match &self.dates {
            Some(dates) => wanted_in(at, &self.zone).strftime(&dates.pattern).to_string(),
            None => self.time(at),
        }
    }

    /// How times are written, for people.
    pub(super) fn times(&self) -> String {
        self.dates.as_ref().map_or_else(
            || "an ISO 8601 time, such as 2026-11-23T06:30:00Z".to_owned(),
            |dates| format!("a time in the form {}", dates.shown),
        )
    }
}

/// Whether a character keeps a text in its line: no reader takes it for an end or for a command.
pub(crate) fn is_one_line(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Digits with at most one point and a minus sign.
fn plain_decimal(cell: &str) -> Option<Decimal> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|character| character.is_ascii_digit() || character == '.')
        && digits.matches('.').count() <= 1;
    if plain { numbers::decimal_text(cell).map(|number| number.normalize()) } else { None }
}

/// A time as it stands in a cell.
enum Time {
    Moment(Timestamp),
    /// Without an offset.
    Local(civil::DateTime),
}

fn within_years(moment: Timestamp) -> Option<Timestamp> {
    YEARS.contains(&moment.to_zoned(TimeZone::UTC).year()).then_some(moment)
}

fn iso(cell: &str) -> Option<Time> {
    if let Ok(moment) = cell.parse::<Timestamp>() {
        return Some(Time::Moment(moment));
    }
    // The civil parser would drop an offset in silence; a text with one has been tried above.
    if cell.chars().skip(10).any(|character| matches!(character, '+' | '-' | 'Z' | 'z' | '[')) {
        return None;
    }
    cell.parse::<civil::DateTime>().ok().map(Time::Local)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{Form, dates, plain_decimal};

    #[test]
    fn numbers_are_plain() {
        for (cell, plain) in [("5", "5"), ("5.50", "5.5"), ("-3", "-3"), ("0", "0"), ("0012", "12")] {
            assert_eq!(plain_decimal(cell).unwrap().to_string(), plain);
        }
        for cell in ["", "-", "1e3", "1,000", "1_000", "+5", "0x1", "1.2.3", ".5", "NaN", "\u{661}", "--1"] {
            assert_eq!(plain_decimal(cell), None, "{cell}");
        }
        let comma = Form { decimal: ',', ..Form::plain() };
        assert_eq!(comma.number("1,50").unwrap().to_string(), "1.5");
        assert_eq!(comma.written("1.50".parse().unwrap()), "1,5");
        for cell in ["1.50", "1.000,5", "1,000,5"] {
            assert_eq!(comma.number(cell), None, "{cell}");
        }
    }

    #[test]
    fn times_without_an_offset_are_the_zones() {
        let form = Form { zone: TimeZone::get("America/New_York").unwrap(), ..Form::plain() };
        for (cell, utc) in [
            ("2026-11-23T06:30:00Z", "2026-11-23T06:30:00Z"),
            ("2026-11-23T06:30:00+02:00", "2026-11-23T04:30:00Z"),
            ("2026-11-23T06:30:00", "2026-11-23T11:30:00Z"),
            ("2026-11-23 06:30:00", "2026-11-23T11:30:00Z"),
            ("2026-07-01", "2026-07-01T04:00:00Z"),
        ] {
            assert_eq!(form.moment(cell).unwrap().to_string(), utc, "{cell}");
        }
        for cell in ["", "yesterday", "23/11/2026", "2026-13-01", "2026-11-23T06:30:00+99:00", "0026-11-23"] {
            assert_eq!(form.moment(cell), None, "{cell}");
        }
    }

    #[test]
    fn a_form_of_times_is_read_and_written() {
        let zone = TimeZone::get("Europe/London").unwrap();
        for (given, cell, utc) in [
            ("DD/MM/YYYY HH:mm", "01/07/2026 09:05", "2026-07-01T08:05:00Z"),
            ("DD.MM.YY", "23.11.26", "2026-11-23T00:00:00Z"),
            ("YYYYMMDD", "20261123", "2026-11-23T00:00:00Z"),
            ("DD-MMM-YYYY", "23-Nov-2026", "2026-11-23T00:00:00Z"),
        ] {
            let form = Form { dates: Some(dates(given).unwrap()), zone: zone.clone(), ..Form::plain() };
            let moment = form.moment(cell).unwrap_or_else(|| panic!("{given}: {cell}"));
            assert_eq!(moment.to_string(), utc, "{given}");
            assert_eq!(form.time(moment), cell);
            assert_eq!(form.wanted(moment), cell);
            // ISO 8601 cannot be mistaken for any of them.
            assert_eq!(form.moment("2026-11-23T06:30:00Z").unwrap().to_string(), "2026-11-23T06:30:00Z");
            assert_eq!(form.moment("11/23/2026"), None);
        }
        // A day without a time, for a warehouse west of Greenwich.
        let zone = TimeZone::get("America/Chicago").unwrap();
        let form = Form { dates: Some(dates("DD/MM/YYYY").unwrap()), zone, ..Form::plain() };
        assert_eq!(form.wanted("2022-01-20T00:00:00Z".parse().unwrap()), "20/01/2022");
        for (given, told) in
            [("DD/MM", "year, month and day"), ("DD/MM/JJJJ", "'J'"), ("%Y-%m-%d", "'%'"), ("", "year")]
        {
            assert!(dates(given).unwrap_err().contains(told), "{given}");
        }
    }
}
