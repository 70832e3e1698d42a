//! Pages of lists that are put together as a whole each time: of figures that are worked out, not of rows that the database has in order.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::{Failure, FailureKind, PageOut, Problem};

/// The entries behind the cursor, in the order of their places, at most so many. The cursor is the place of the last entry that was
/// shown, and how many of that place were: whether it is there still or not, so that what comes and goes meanwhile neither repeats nor
/// hides others.
///
/// # Errors
/// When the cursor is none of this list.
pub(super) fn page<T, K>(
    mut items: Vec<T>,
    (limit, cursor): (usize, Option<&str>),
    place: impl Fn(&T) -> K,
) -> Result<PageOut<T>, Failure>
where
    K: Ord + Serialize + DeserializeOwned,
{
    items.sort_by_cached_key(&place);
    let from = match cursor {
        None => 0,
        Some(cursor) => {
            let (last, shown): (K, usize) = read(cursor).ok_or_else(|| unknown(cursor))?;
            let start = items.partition_point(|item| place(item) < last);
            start + items.iter().skip(start).take_while(|item| place(item) == last).take(shown).count()
        }
    };
    let end = items.len().min(from.saturating_add(limit));
    let mut next = None;
    if let Some(last) = items.get(from..end).and_then(<[T]>::last).filter(|_| end < items.len()) {
        let last = place(last);
        let shown = items.iter().take(end).rev().take_while(|item| place(item) == last).count();
        let cursor = serde_json::to_vec(&(last, shown))
            .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        next = Some(URL_SAFE_NO_PAD.encode(cursor));
    }
    items.truncate(end);
    Ok(PageOut { items: items.split_off(from), next })
}

fn read<K: DeserializeOwned>(cursor: &str) -> Option<K> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

fn unknown(cursor: &str) -> Failure {
    Failure::invalid(
        format!("{} is no cursor of this list", super::quoted(cursor)),
        vec![Problem::new("cursor", "give the `next` of the page before, as it is")],
    )
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::page;

    /// The largest figure first, as drift is.
    fn place(item: &(i64, String)) -> (Reverse<Decimal>, Vec<String>) {
        (Reverse(Decimal::new(item.0, 1)), vec![item.1.clone()])
    }

    proptest! {
        #[test]
        fn pages_put_together_are_all_of_it(
            // Some of them alike.
            items in proptest::collection::vec((-2_i64..2, "[a\"é ]{0,2}"), 0..40),
            limit in 1_usize..7,
        ) {
            let mut wanted = items.clone();
            wanted.sort_by_key(place);
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = page(items.clone(), (limit, cursor.as_deref()), place).unwrap();
                prop_assert!(page.items.len() <= limit);
                seen.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen, wanted);
        }
    }

    #[test]
    fn where_a_page_ended_may_be_gone() {
        let items = |names: &[&str]| names.iter().map(|name| (0, (*name).to_owned())).collect::<Vec<_>>();
        let first = page(items(&["a", "b", "c", "d"]), (2, None), place).unwrap();
        let rest = page(items(&["a", "aa", "c", "d"]), (9, first.next.as_deref()), place).unwrap();
        assert_eq!(rest.items, items(&["c", "d"]));
        assert!(rest.next.is_none());
        assert!(page(items(&["a"]), (9, Some("nonsense")), place).is_err());
    }
}
