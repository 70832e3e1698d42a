//! Which column of a file holds what.

use std::collections::BTreeMap;

use super::read::MOST_COLUMNS;

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// Under the first of these column names that is there, without case and spaces.
    Named(Vec<String>),
    /// At this place, from 0.
    At(usize),
}

/// A column map, as a setting gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(super) columns: BTreeMap<&'static str, Column>,
    pub(super) header: bool,
    /// Fields that every file must have.
    pub(super) required: &'static [&'static str],
    /// What a file may look like instead, and then others may be missing.
    pub(super) records: Option<Records>,
    /// The last row begins with this word and holds the number of rows before it.
    pub(crate) trailer: Option<String>,
    /// Place of the sequence in the trailer row, from 0.
    pub(super) trailer_sequence: Option<usize>,
}

/// Rows that say in their first cell what they are, with columns by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records {
    /// What the first cell says.
    pub(super) word: &'static str,
    /// Where each field stands, from 0.
    pub(super) places: BTreeMap<&'static str, usize>,
}

impl Layout {
    /// Reads `field=column name or position, …`. A column name with a comma, an equals sign or `|` in it stands in double quotes;
    /// several names of one column are parted by `|`.
    ///
    /// # Errors
    /// What is wrong with the text, for the person who gave it.
    pub(crate) fn parse(
        text: &str,
        header: bool,
        known: &'static [&'static str],
        required: &'static [&'static str],
    ) -> Result<Self, String> {
        let mut layout =
            Self { columns: BTreeMap::new(), header, required, records: None, trailer: None, trailer_sequence: None };
        for part in entries(text) {
            let (field, column) = part
                .split_once('=')
                .map(|(field, column)| (field.trim(), column.trim()))
                .filter(|(_, column)| !column.is_empty())
                .ok_or_else(|| format!("{part:?} is not of the form field=column"))?;
            if field == "trailer" && layout.trailer.is_none() {
                layout.trailer = Some(unquoted(column).to_owned());
                continue;
            }
            let field =
                known.iter().copied().find(|name| *name == field).ok_or_else(|| {
                    format!("{field:?} is not a field here; there are: {}, trailer", known.join(", "))
                })?;
            let column = match column.parse::<usize>() {
                Ok(0) => return Err(format!("{field}: positions count from 1")),
                Ok(position) if position > MOST_COLUMNS => {
                    return Err(format!("{field}: there is no column {position}"));
                }
                Ok(position) => Column::At(position - 1),
                Err(_) if header => Column::Named(names(column)),
                Err(_) => return Err(format!("{field}: without column names in the file, give a position from 1")),
            };
            if layout.columns.insert(field, column).is_some() {
                return Err(format!("{field} is given twice"));
            }
        }
        if layout.trailer.is_some()
            && let Some(column) = layout.columns.remove("sequence")
        {
            match column {
                Column::At(place) => layout.trailer_sequence = Some(place),
                Column::Named(_) => {
                    return Err("sequence: with a trailer, give its position in the trailer row".to_owned());
                }
            }
        }
        match required.iter().find(|field| !layout.columns.contains_key(*field)) {
            Some(missing) => Err(format!("{missing} must be there")),
            None => Ok(layout),
        }
    }

    /// Nobody has said how the files of this warehouse look: rows that begin with this word have these columns behind it, column
    /// names or not, and of columns with names those that are not required may be missing.
    pub(crate) fn or_records(mut self, word: &'static str, fields: &[&'static str]) -> Self {
        let places = fields.iter().enumerate().map(|(place, field)| (*field, place + 1)).collect();
        self.records = Some(Records { word, places });
        self
    }

    /// Whether a file with these column names may do without the field. What a customer is told must not be missed because its
    /// column has another name: then the map is a person's to make.
    pub(super) fn may_lack(&self, field: &str, titles: &[String]) -> bool {
        let known = |title: &String| {
            self.columns.values().any(|column| matches!(column, Column::Named(names) if names.contains(title)))
        };
        self.records.is_some()
            && !self.required.contains(&field)
            && (!matches!(field, "tracking_number" | "carrier") || titles.iter().all(known))
    }

    /// Whether the field is mapped.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.columns.contains_key(field)
    }

    /// The fields that are mapped.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.columns.keys().copied()
    }
}

/// The entries of a map: one a line, or parted by commas; not at those inside double quotes.
pub(crate) fn entries(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(|character| {
        quoted ^= character == '"';
        character == '\n' || (character == ',' && !quoted)
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The names of a column.
fn names(column: &str) -> Vec<String> {
    match column.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => vec![folded(quoted)],
        None => column.split('|').map(folded).filter(|name| !name.is_empty()).collect(),
    }
}

/// A text without the double quotes around it.
pub(crate) fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// A column name without case and spaces.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{Layout, entries};

    const KNOWN: &[&str] = &["sku", "quantity", "sequence"];

    #[test]
    fn what_is_wrong_with_a_map_is_told() {
        for (text, header, told) in [
            ("sku", true, "form field=column"),
            ("sku=", true, "form field=column"),
            ("colour=1", true, "not a field"),
            ("sku=0", true, "count from 1"),
            ("sku=9999", true, "no column"),
            ("sku=name", false, "position"),
            ("sku=1, sku=2", true, "twice"),
            ("quantity=1", true, "sku must be there"),
            ("sku=1, trailer=T, sequence=name", true, "position in the trailer"),
        ] {
            let problem = Layout::parse(text, header, KNOWN, &["sku"]).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }

    #[test]
    fn names_with_commas_stand_in_quotes() {
        assert_eq!(entries("a=1, b=\"x, y\"\nc=3,"), ["a=1", "b=\"x, y\"", "c=3"]);
        let quoted = Layout::parse("sku=\"Item, no\"", true, KNOWN, &[]).unwrap();
        assert_eq!(quoted.columns["sku"], super::Column::Named(vec!["item,no".to_owned()]));
        let several = Layout::parse("sku=Item No|sku", true, KNOWN, &[]).unwrap();
        assert_eq!(several.columns["sku"], super::Column::Named(vec!["itemno".to_owned(), "sku".to_owned()]));
    }
}
