//! Sets of ids as Brightpearl writes them in paths and webhooks: `1-5,8` (Brightpearl help: *ID sets*, article
//! 211125046).

use std::collections::BTreeSet;

/// Ids in ascending order with neighbours folded into ranges; the API refuses lists that do not ascend.
pub(super) fn compact(ids: &BTreeSet<i64>) -> String {
    let mut text = String::new();
    let mut push = |first: i64, last: i64| {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&first.to_string());
        if last > first {
            text.push('-');
            text.push_str(&last.to_string());
        }
    };
    let mut range: Option<(i64, i64)> = None;
    for &id in ids {
        range = match range {
            Some((first, last)) if last.checked_add(1) == Some(id) => Some((first, id)),
            Some((first, last)) => {
                push(first, last);
                Some((id, id))
            }
            None => Some((id, id)),
        };
    }
    if let Some((first, last)) = range {
        push(first, last);
    }
    text
}

/// Ids in ascending order, each written out: what INTEGER filters of searches take.
pub(super) fn list(ids: &BTreeSet<i64>) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// The ids in ascending order, each once, in groups of at most `cap`. Ids below 1 name nothing and are left out.
pub(super) fn chunks(ids: &[i64], cap: usize) -> Vec<BTreeSet<i64>> {
    let all: BTreeSet<i64> = ids.iter().copied().filter(|id| *id > 0).collect();
    let all: Vec<i64> = all.into_iter().collect();
    all.chunks(cap.max(1)).map(|chunk| chunk.iter().copied().collect()).collect()
}

/// Both halves of a set of at least two ids, in order.
pub(super) fn halves(ids: &BTreeSet<i64>) -> Option<(BTreeSet<i64>, BTreeSet<i64>)> {
    if ids.len() < 2 {
        return None;
    }
    let middle = ids.len() / 2;
    Some((ids.iter().copied().take(middle).collect(), ids.iter().copied().skip(middle).collect()))
}

/// A text that is not a set of ids, or names too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdSetError {
    /// It does not have the form of an id set.
    #[error("{0:?} is not a set of ids such as 1-5,8")]
    Form(String),
    /// It names more ids than are taken in at once.
    #[error("the set names more than {0} ids")]
    TooMany(usize),
}

/// Every id of a set, ascending, each once; ranges count as many ids as they span. At most `most`.
pub(super) fn expand(text: &str, most: usize) -> Result<Vec<i64>, IdSetError> {
    let form = || IdSetError::Form(text.chars().take(80).collect());
    let mut ids = BTreeSet::new();
    for part in text.trim().split([',', '.']) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: i64 = first.trim().parse().map_err(|_| form())?;
        let last: i64 = last.trim().parse().map_err(|_| form())?;
        if first < 1 || last < first {
            return Err(form());
        }
        // Counted before it is walked: a range may span billions.
        if usize::try_from(last - first).map_or(true, |span| span >= most) {
            return Err(IdSetError::TooMany(most));
        }
        ids.extend(first..=last);
        if ids.len() > most {
            return Err(IdSetError::TooMany(most));
        }
    }
    Ok(ids.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::{IdSetError, chunks, compact, expand, halves, list};

    #[test]
    fn folds_neighbours() {
        assert_eq!(compact(&BTreeSet::from([5, 1, 2, 3, 9])), "1-3,5,9");
        assert_eq!(compact(&BTreeSet::from([320, 321])), "320-321");
        assert_eq!(compact(&BTreeSet::new()), "");
        assert_eq!(list(&BTreeSet::from([3, 1])), "1,3");
    }

    #[test]
    fn expands_what_webhooks_send() {
        assert_eq!(expand("1-5,99,202", 1000).unwrap(), [1, 2, 3, 4, 5, 99, 202]);
        assert_eq!(expand("12000001-12000003", 10).unwrap(), [12_000_001, 12_000_002, 12_000_003]);
        assert_eq!(expand(" 7 ", 1).unwrap(), [7]);
        assert_eq!(expand("8.3", 5).unwrap(), [3, 8]);
        for wrong in ["", "a", "5-1", "0", "-4", "1,,2", "*", "1-"] {
            assert!(matches!(expand(wrong, 10), Err(IdSetError::Form(_))), "{wrong}");
        }
        assert_eq!(expand("1-9223372036854775807", 1000), Err(IdSetError::TooMany(1000)));
        assert_eq!(expand("1-3,5", 3), Err(IdSetError::TooMany(3)));
    }

    proptest! {
        #[test]
        fn compact_and_expand_are_inverse(ids in prop::collection::btree_set(1_i64..5_000, 1..300)) {
            let text = compact(&ids);
            prop_assert_eq!(expand(&text, 10_000).unwrap(), ids.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn chunks_keep_every_id_once(ids in prop::collection::vec(-3_i64..400, 0..500), cap in 1_usize..60) {
            let wanted: BTreeSet<i64> = ids.iter().copied().filter(|id| *id > 0).collect();
            let chunks = chunks(&ids, cap);
            prop_assert!(chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= cap));
            prop_assert_eq!(chunks.iter().map(BTreeSet::len).sum::<usize>(), wanted.len());
            prop_assert_eq!(chunks.into_iter().flatten().collect::<BTreeSet<_>>(), wanted);
        }

        #[test]
        fn halves_are_parts(ids in prop::collection::btree_set(1_i64..1_000, 2..50)) {
            let (low, high) = halves(&ids).unwrap();
            prop_assert!(!low.is_empty() && !high.is_empty());
            prop_assert!(low.is_disjoint(&high));
            prop_assert_eq!(low.union(&high).copied().collect::<BTreeSet<_>>(), ids);
        }

        #[test]
        fn expanding_never_panics(text in ".{0,60}") {
            let _ = expand(&text, 100);
        }
    }
}
