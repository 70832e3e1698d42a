//! Sets of ids as they stand in paths and filters: `5`, `1-9`, `1,8,9`, `1.8.4`, `1-5,8`, `*`.

use std::collections::BTreeMap;

/// A set of ids, as ranges with both ends inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IdSet {
    /// `*`: every id.
    All,
    /// The ranges in the order they were written.
    Ranges(Vec<(i64, i64)>),
}

/// Why a text is not an id set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdSetError {
    /// It cannot be read at all.
    Unreadable,
    /// A comma list whose ids do not ascend.
    NotAscending,
}

impl IdSet {
    /// Reads a set. A comma list must ascend, a list with full stops need not.
    pub(crate) fn parse(text: &str) -> Result<Self, IdSetError> {
        if text == "*" {
            return Ok(Self::All);
        }
        let mut ranges = Vec::new();
        let mut ascending = true;
        let mut last = i64::MIN;
        for part in text.split(',') {
            for (place, single) in part.split('.').enumerate() {
                let range = range(single).ok_or(IdSetError::Unreadable)?;
                // Only the comma promises an order.
                if place == 0 && range.0 <= last {
                    ascending = false;
                }
                last = last.max(range.1);
                ranges.push(range);
            }
        }
        if ascending { Ok(Self::Ranges(ranges)) } else { Err(IdSetError::NotAscending) }
    }

    /// Reads a set whose comma lists may be in any order.
    pub(crate) fn parse_unordered(text: &str) -> Result<Self, IdSetError> {
        if text == "*" {
            return Ok(Self::All);
        }
        let ranges = text.split([',', '.']).map(range).collect::<Option<Vec<_>>>();
        ranges.map(Self::Ranges).ok_or(IdSetError::Unreadable)
    }

    /// How many ids it names; [`u64::MAX`] for `*`.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::All => u64::MAX,
            Self::Ranges(ranges) => {
                ranges.iter().fold(0, |sum: u64, (first, last)| sum.saturating_add(last.abs_diff(*first) + 1))
            }
        }
    }

    pub(crate) fn contains(&self, id: i64) -> bool {
        match self {
            Self::All => true,
            Self::Ranges(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&id)),
        }
    }

    /// The ids of `map` in the set, ascending, each once.
    pub(crate) fn present_in<T>(&self, map: &BTreeMap<i64, T>) -> Vec<i64> {
        match self {
            Self::All => map.keys().copied().collect(),
            Self::Ranges(ranges) => {
                let mut ids: Vec<i64> =
                    ranges.iter().flat_map(|(first, last)| map.range(*first..=*last).map(|(id, _)| *id)).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            }
        }
    }
}

fn range(text: &str) -> Option<(i64, i64)> {
    match text.split_once('-') {
        None => id(text).map(|id| (id, id)),
        Some((first, last)) => {
            let (first, last) = (id(first)?, id(last)?);
            (first < last).then_some((first, last))
        }
    }
}

fn id(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Writes ascending ids as an id set, consecutive ones folded into a range.
pub(crate) fn fold(ids: &[i64]) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            _ => runs.push((id, id)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::{IdSet, IdSetError, fold};

    #[test]
    fn forms() {
        assert_eq!(IdSet::parse("5"), Ok(IdSet::Ranges(vec![(5, 5)])));
        assert_eq!(IdSet::parse("1-5,8"), Ok(IdSet::Ranges(vec![(1, 5), (8, 8)])));
        assert_eq!(IdSet::parse("1.8.4"), Ok(IdSet::Ranges(vec![(1, 1), (8, 8), (4, 4)])));
        assert_eq!(IdSet::parse("*"), Ok(IdSet::All));
        assert_eq!(IdSet::parse("4-99,1,2"), Err(IdSetError::NotAscending));
        for bad in ["", "a", "5-1", "1,,2", "-3", "3-"] {
            assert_eq!(IdSet::parse(bad), Err(IdSetError::Unreadable), "{bad}");
        }
    }

    #[test]
    fn folding_gives_the_recorded_form() {
        let ids: Vec<i64> =
            (1..=2).chain([5, 8]).chain(10..=41).chain(43..=44).chain(46..=100).chain(320..=321).collect();
        assert_eq!(fold(&ids), "1-2,5,8,10-41,43-44,46-100,320-321");
    }
}
