//! What a run of the census says to people, as it is kept.

use std::collections::BTreeMap;

use engine::census::Bucket;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Places, lost};
use crate::db::Extent;

/// Most entries of the list of what is unaccounted; the number counts all.
const MOST: usize = 500;

/// Most reasons told apart in one bucket.
const REASONS: usize = 20;

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// `recent` or `full`.
    pub extent: String,
    /// When it began to look.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When it had seen everything.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Orders (in goods-out-note mode: notes) that nobody can account for. There must be none.
    pub unaccounted: usize,
    /// Orders (notes) looked at; each is in exactly one bucket.
    pub counted: usize,
    /// How many are where, every bucket named.
    pub buckets: Vec<BucketCount>,
    /// Those that nobody can account for, at most 500.
    pub lost: Vec<LostEntry>,
    /// Why the warehouse's own word is missing, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_not_asked: Option<String>,
    /// What else could not be looked for, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
    /// Findings that it made, those of what is unaccounted included. One that it could not look for stays open beside these.
    pub findings: usize,
}

/// How many are in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BucketCount {
    /// `at_warehouse`, `shipped`, `waiting`, `on_its_way`, `held`, `needs_person`, `excluded`, `filtered`, `cancelled` or
    /// `unaccounted`.
    pub bucket: String,
    /// How many.
    pub count: usize,
    /// Why they are there, the most frequent first, at most 20 reasons.
    pub reasons: Vec<ReasonCount>,
}

/// A reason with how many it is given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonCount {
    /// Why.
    pub why: String,
    /// How many.
    pub count: usize,
}

/// Something that nobody can account for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LostEntry {
    /// Brightpearl's order id.
    pub order: i64,
    /// The goods-out note, where notes are the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<i64>,
    /// How it is lost.
    pub why: String,
}

impl Report {
    pub(super) fn of(
        extent: Extent,
        from: Timestamp,
        to: Timestamp,
        places: &Places,
        warehouse_not_asked: Option<String>,
        unchecked: Vec<String>,
        findings: usize,
    ) -> Self {
        let mut by_bucket: BTreeMap<Bucket, BTreeMap<&str, usize>> = BTreeMap::new();
        for place in places.values() {
            *by_bucket.entry(place.bucket).or_default().entry(&place.why).or_default() += 1;
        }
        let buckets = Bucket::ALL.into_iter().map(|bucket| {
            let reasons = by_bucket.remove(&bucket).unwrap_or_default();
            let count = reasons.values().sum();
            let mut reasons: Vec<ReasonCount> =
                reasons.into_iter().map(|(why, count)| ReasonCount { why: why.to_owned(), count }).collect();
            reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.why.cmp(&b.why)));
            reasons.truncate(REASONS);
            BucketCount { bucket: bucket.as_str().to_owned(), count, reasons }
        });
        Self {
            extent: extent.as_str().to_owned(),
            from,
            to,
            buckets: buckets.collect(),
            unaccounted: lost(places).count(),
            counted: places.len(),
            lost: lost(places)
                .take(MOST)
                .map(|((order, note), place)| LostEntry { order: *order, note: *note, why: place.why.clone() })
                .collect(),
            warehouse_not_asked,
            unchecked,
            findings,
        }
    }
}
