//! One look at everything: what flows, what needs somebody, how long it takes.

use std::collections::BTreeMap;

use engine::order::OrderState;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub,
    activity::{self, BudgetOut},
};
use crate::db::{HourCount, OrderQuery, TroubleKind};

/// Hours shown.
const HOURS: i64 = 24;

/// What the first page shows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OverviewOut {
    /// When it was looked.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What flowed in each of the last 24 hours, oldest first; the last one is not over yet.
    pub hours: Vec<HourOut>,
    /// How many orders there are of each state.
    pub states: BTreeMap<String, i64>,
    /// What needs somebody.
    pub needs: NeedsOut,
    /// How long each hop took, over the last day.
    pub latency: Vec<LatencyOut>,
    /// Where the calls of this process went, by remote account.
    pub budgets: BTreeMap<String, BudgetOut>,
    /// Orders that the last census of each connection could not account for; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unaccounted: Option<i64>,
    /// When the oldest of those last ones ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub census_at: Option<Timestamp>,
}

/// One hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HourOut {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Orders first imported.
    pub orders: i64,
    /// Shipments read.
    pub shipments: i64,
}

/// How many things need somebody.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NeedsOut {
    /// Orders in error.
    pub orders_in_error: i64,
    /// Orders held, by what they lack or by a person.
    pub orders_held: i64,
    /// What came in and could not be used.
    pub exceptions: i64,
    /// Changes that were refused, or whose outcome a person has to find out.
    pub changes: i64,
    /// Comparisons of stock that wait for a decision.
    pub stock_runs: i64,
    /// Findings of the census and the doctor.
    pub findings: i64,
    /// Open issues of the alerts.
    pub issues: i64,
}

/// How long one hop took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LatencyOut {
    /// `placed_to_imported`, `imported_to_accepted` (by the warehouse), `shipped_to_told` (a shipment read, and Brightpearl knows
    /// all of it).
    pub hop: String,
    /// How many were measured: the newest 2,000 of the last day.
    pub count: usize,
    /// Half of them took no longer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<i64>,
    /// 99 of 100 took no longer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<i64>,
}

/// The figures of the first page.
///
/// # Errors
/// When the database cannot be reached.
pub async fn show(hub: &Hub, caller: &Caller) -> Result<OverviewOut, Failure> {
    let access = caller.access();
    let now = hub.db.now().await?;
    let since = now.checked_sub(SignedDuration::from_hours(HOURS)).unwrap_or(Timestamp::UNIX_EPOCH);
    let figures = hub.db.figures(&access, since).await?;
    let counted = hub.db.count_orders(&access, OrderQuery::default()).await?;
    let troubles: BTreeMap<TroubleKind, i64> = hub.db.count_troubles(&access).await?.into_iter().collect();
    let count = |state: OrderState| counted.get(&state).copied().unwrap_or_default();
    let trouble = |kind: TroubleKind| troubles.get(&kind).copied().unwrap_or_default();
    Ok(OverviewOut {
        at: now,
        hours: hours(now, &figures.orders, &figures.shipments),
        states: OrderState::ALL.into_iter().map(|state| (state.as_str().to_owned(), count(state))).collect(),
        needs: NeedsOut {
            orders_in_error: count(OrderState::Error),
            orders_held: count(OrderState::Held),
            exceptions: trouble(TroubleKind::Exception),
            changes: trouble(TroubleKind::Refused) + trouble(TroubleKind::Unclear),
            stock_runs: figures.stock_runs_waiting,
            findings: figures.findings_open,
            issues: figures.issues_open,
        },
        latency: vec![
            latency("placed_to_imported", figures.placed_to_imported),
            latency("imported_to_accepted", figures.imported_to_accepted),
            latency("shipped_to_told", figures.shipped_to_told),
        ],
        budgets: activity::budgets(hub, caller).await?,
        unaccounted: (!figures.census.is_empty()).then(|| figures.census.iter().map(|(count, _)| count).sum()),
        census_at: figures.census.iter().map(|(_, at)| *at).min(),
    })
}

/// Every hour up to now, those without anything too.
fn hours(now: Timestamp, orders: &[HourCount], shipments: &[HourCount]) -> Vec<HourOut> {
    let last = now.as_second().div_euclid(3_600);
    let of =
        |counts: &[HourCount], hour: i64| counts.iter().find(|count| count.hour == hour).map_or(0, |count| count.count);
    ((last - HOURS + 1)..=last)
        .filter_map(|hour| {
            let at = Timestamp::from_second(hour * 3_600).ok()?;
            Some(HourOut { at, orders: of(orders, hour), shipments: of(shipments, hour) })
        })
        .collect()
}

fn latency(hop: &str, mut samples: Vec<i64>) -> LatencyOut {
    samples.iter_mut().for_each(|sample| *sample = (*sample).max(0));
    samples.sort_unstable();
    LatencyOut {
        hop: hop.to_owned(),
        count: samples.len(),
        p50_ms: percentile(&samples, 50),
        p99_ms: percentile(&samples, 99),
    }
}

/// The smallest of sorted samples that so many of a hundred do not exceed.
fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99)), (Some(7), Some(7)));
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (Some(50), Some(99)));
        assert_eq!(percentile(&[1, 2, 3], 50), Some(2));
        // A clock that went back is no negative wait.
        assert_eq!(latency("x", vec![-5, 5]).p50_ms, Some(0));
    }

    #[test]
    fn every_hour_is_there_once() {
        let now: Timestamp = "2026-05-01T10:30:00Z".parse().unwrap();
        let this = now.as_second() / 3_600;
        let shown = hours(now, &[HourCount { hour: this, count: 3 }], &[HourCount { hour: this - 23, count: 2 }]);
        assert_eq!(shown.len(), 24);
        assert_eq!(
            shown.last().map(|hour| (hour.orders, hour.at.to_string())),
            Some((3, "2026-05-01T10:00:00Z".into()))
        );
        assert_eq!(shown.first().map(|hour| (hour.shipments, hour.orders)), Some((2, 0)));
    }
}
