//! Which of the counts that lie on the desk is acted upon next.

use std::collections::BTreeSet;

use connect::{ConnectorError, Inbound, PostedCount, StockPage};

/// The oldest count that says anything which no later one says again. Those before it are taken with it: they are outdated.
///
/// One a reading, because the hub acts on the newest count of a reading only, and a count may name just the SKUs that changed.
pub(super) fn next(counts: Vec<PostedCount>) -> Result<StockPage, ConnectorError> {
    let mut page = StockPage::default();
    let place = (0..counts.len()).find(|place| !is_outdated(&counts, *place));
    let Some(place) = place else { return Ok(page) };
    for (at, count) in counts.into_iter().enumerate().take(place.saturating_add(1)) {
        let content = serde_json::to_vec(&count.feed.levels)
            .map_err(|error| ConnectorError::unexpected(format!("a count cannot be written down: {error}")))?;
        page.taken.push(Inbound { name: count.id, content_hash: count.feed.content_hash.clone(), content });
        if at == place {
            page.feeds.push(count.feed);
        }
    }
    Ok(page)
}

/// Whether a later count, of a later moment, says everything that this one says.
fn is_outdated(counts: &[PostedCount], place: usize) -> bool {
    let Some(count) = counts.get(place) else { return false };
    let mut open: BTreeSet<(&str, Option<&str>)> =
        count.feed.levels.iter().map(|level| (level.sku.as_str(), level.facility.as_deref())).collect();
    for later in counts.iter().skip(place + 1).filter(|later| later.feed.cut_off >= count.feed.cut_off) {
        if later.feed.absent_is_zero {
            let facilities: BTreeSet<Option<&str>> =
                later.feed.levels.iter().map(|level| level.facility.as_deref()).collect();
            open.retain(|(_, facility)| !facilities.contains(facility));
        }
        for level in &later.feed.levels {
            open.remove(&(level.sku.as_str(), level.facility.as_deref()));
        }
    }
    // What it says of SKUs that it does not name, no count of some SKUs says again.
    let whole = counts.iter().skip(place + 1).any(|later| later.feed.absent_is_zero);
    open.is_empty() && (!count.feed.absent_is_zero || whole)
}

#[cfg(test)]
mod tests {
    use connect::{PostedCount, StockFeed, StockLevel};

    use super::next;

    fn count(id: &str, minute: i64, whole: bool, skus: &[&str]) -> PostedCount {
        let levels = skus
            .iter()
            .map(|sku| StockLevel { sku: (*sku).to_owned(), facility: None, available: None, physical: Some(1.into()) })
            .collect();
        let cut_off = jiff::Timestamp::from_second(minute * 60).unwrap();
        let feed = StockFeed {
            reference: id.to_owned(),
            content_hash: id.to_owned(),
            cut_off,
            sequence: None,
            absent_is_zero: whole,
            levels,
        };
        PostedCount { id: id.to_owned(), feed }
    }

    fn taken(counts: Vec<PostedCount>) -> (Vec<String>, Vec<String>) {
        let page = next(counts).unwrap();
        (
            page.feeds.into_iter().map(|feed| feed.reference).collect(),
            page.taken.into_iter().map(|input| input.name).collect(),
        )
    }

    #[test]
    fn nothing_of_a_count_is_lost_and_nothing_is_said_twice() {
        assert_eq!(taken(Vec::new()), (vec![], vec![]));
        let first = count("a", 1, false, &["X", "Y"]);
        let names = |feeds: &[&str], taken: &[&str]| {
            (feeds.iter().map(|one| (*one).to_owned()).collect(), taken.iter().map(|one| (*one).to_owned()).collect())
        };
        // Y is said by nobody else.
        assert_eq!(taken(vec![first.clone(), count("b", 2, false, &["X"])]), names(&["a"], &["a"]));
        // Both are said again, by two together.
        let both = vec![first.clone(), count("b", 2, false, &["X"]), count("c", 3, false, &["Y"])];
        assert_eq!(taken(both), names(&["b"], &["a", "b"]));
        // A whole count says everything.
        assert_eq!(taken(vec![first.clone(), count("b", 2, true, &["Z"])]), names(&["b"], &["a", "b"]));
        // An older moment says nothing about a later one.
        assert_eq!(taken(vec![first, count("b", 0, true, &["X", "Y"])]), names(&["a"], &["a"]));
        // Some SKUs do not stand for the rest of a whole count.
        let whole = vec![count("a", 1, true, &["X"]), count("b", 2, false, &["X"])];
        assert_eq!(taken(whole), names(&["a"], &["a"]));
    }
}
