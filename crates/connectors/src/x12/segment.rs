//! What a document is made of: elements in segments, and the characters between them.

/// The characters that part an interchange. They are the sender's choice and stand in the ISA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separators {
    /// Between elements; usually `*`.
    pub element: char,
    /// Between the parts of an element; usually `>` or `:`. `None` where the ISA names none.
    pub component: Option<char>,
    /// Between repeats of an element; 005010 only, where ISA11 is not `U`.
    pub repetition: Option<char>,
    /// Behind each segment; usually `~`. A line feed stands for every form of line end.
    pub terminator: char,
}

impl Separators {
    /// Whether this character parts something, so that it cannot stand in data.
    pub fn contain(&self, character: char) -> bool {
        character == self.element
            || character == self.terminator
            || self.component == Some(character)
            || self.repetition == Some(character)
    }
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// In upper case, e.g. `W05`.
    pub id: String,
    /// Without spaces at both ends; empty elements at the end are left off.
    pub elements: Vec<String>,
    /// Its place in the file, from 1, the ISA counted; 0 when it was made to be written.
    pub at: usize,
}

impl Segment {
    /// A segment to write. Empty elements at the end are left off, as the standard wants it.
    pub fn new<'a>(id: &str, elements: impl IntoIterator<Item = &'a str>) -> Self {
        let mut elements: Vec<String> = elements.into_iter().map(str::to_owned).collect();
        while elements.last().is_some_and(String::is_empty) {
            elements.pop();
        }
        Self { id: id.to_owned(), elements, at: 0 }
    }

    /// An element by its number, from 1; empty when it is not there.
    pub fn get(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|place| self.elements.get(place)).map_or("", String::as_str)
    }

    /// An element by its number, from 1; `None` when it is empty or not there.
    pub fn text(&self, number: usize) -> Option<&str> {
        Some(self.get(number)).filter(|text| !text.is_empty())
    }

    /// Qualifier and value of the pairs that begin at these elements, where both are there.
    pub fn pairs(&self, begins: &[usize]) -> Vec<(String, String)> {
        let pair = |begin: &usize| {
            let (qualifier, value) = (self.text(*begin)?, self.text(*begin + 1)?);
            Some((qualifier.to_owned(), value.to_owned()))
        };
        begins.iter().filter_map(pair).collect()
    }
}

/// The first value under this qualifier.
pub(super) fn value_of<'a>(pairs: &'a [(String, String)], qualifier: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == qualifier).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Segment, value_of};

    #[test]
    fn elements_are_counted_from_one_and_what_is_not_there_is_empty() {
        let segment = Segment::new("W01", ["5", "EA", "", "VN", "SKU-A", "UP", "", ""]);
        assert_eq!((segment.get(0), segment.get(1), segment.get(3), segment.get(99)), ("", "5", "", ""));
        assert_eq!(segment.text(3), None);
        assert_eq!(segment.elements.len(), 6, "empty elements at the end are left off");
        // A qualifier without a value is no pair.
        assert_eq!(segment.pairs(&[4, 6]), [("VN".to_owned(), "SKU-A".to_owned())]);
        assert_eq!(value_of(&segment.pairs(&[4]), "VN"), Some("SKU-A"));
    }
}
