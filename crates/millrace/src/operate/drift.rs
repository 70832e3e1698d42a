//! Explained drift: where the warehouse and Brightpearl differ, and what explains it.

use std::{cmp::Reverse, collections::BTreeMap};

use connect::FeedBasis;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, connections, paging, stock};
use crate::flow::{self, drift::Row};

/// Which products.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DriftQuery {
    /// SKUs of the warehouse with this text.
    pub sku: Option<String>,
    /// Those that agree as well.
    pub all: bool,
    /// Most lines, 1 to 5000; 500 where not given. The headline counts all of them.
    pub limit: Option<u32>,
    /// The `next` of the page before. Both sides are read again for each page: take large ones.
    pub cursor: Option<String>,
}

/// Where the warehouse and Brightpearl differ.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DriftOut {
    /// `N SKUs differ, U unexplained units`, and what else is to be known at once.
    pub headline: String,
    /// When both sides were read.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What the warehouse's figures mean: `available` (compared with on hand) or `physical` (with in stock).
    pub basis: String,
    /// Products and SKUs looked at.
    pub compared: usize,
    /// Those that differ.
    pub differing: usize,
    /// Units that nothing explains, signs apart.
    #[schema(value_type = String)]
    pub unexplained: Decimal,
    /// The largest unexplained first.
    pub lines: Vec<DriftLineOut>,
    /// Give it as `cursor` to go on; absent with the last lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What could not be looked at.
    pub notes: Vec<String>,
}

/// One product.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DriftLineOut {
    /// The warehouse's SKUs that feed it.
    pub skus: Vec<String>,
    /// Brightpearl's warehouse; absent where the SKU cannot be placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<i64>,
    /// Brightpearl's product; absent where the SKU cannot be placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<i64>,
    /// The warehouse's figure.
    #[schema(value_type = String)]
    pub counted: Decimal,
    /// Brightpearl's figure.
    #[schema(value_type = String)]
    pub brightpearl: Decimal,
    /// `counted` less `brightpearl`: the sum of the `parts` that were read and `unexplained`.
    #[schema(value_type = String)]
    pub difference: Decimal,
    /// The named parts, signed; docs/stock.md explains each. One that is absent is nil; one that is null was not read, so that
    /// what is unexplained may be of it.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    pub parts: BTreeMap<String, Option<Decimal>>,
    /// What nothing explains that was read.
    #[schema(value_type = String)]
    pub unexplained: Decimal,
    /// When the warehouse counted; absent where it never reported the product.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub counted_at: Option<Timestamp>,
    /// Age of the count in minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_minutes: Option<i64>,
    /// What else is to be known, e.g. that a person holds it.
    pub notes: Vec<String>,
}

/// Where the warehouse and Brightpearl differ now, the largest unexplained difference first. Changes nothing; what it asks
/// Brightpearl for waits behind everything else.
///
/// # Errors
/// When there is no such connection for this caller, a remote system cannot be read, or the cursor is none of this list.
pub async fn drift(hub: &Hub, caller: &Caller, named: &str, query: &DriftQuery) -> Result<DriftOut, Failure> {
    let most = usize::try_from(query.limit.unwrap_or(500).clamp(1, 5000)).unwrap_or(500);
    survey(hub, caller, named, query, most).await
}

/// The same, with every line that differs.
///
/// # Errors
/// As [`drift`].
pub(super) async fn whole(hub: &Hub, caller: &Caller, named: &str) -> Result<DriftOut, Failure> {
    survey(hub, caller, named, &DriftQuery::default(), usize::MAX).await
}

async fn survey(hub: &Hub, caller: &Caller, named: &str, query: &DriftQuery, most: usize) -> Result<DriftOut, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let text = query.sku.as_deref().unwrap_or_default().trim();
    let runtime = stock::ready(hub, &key).await?;
    let rows = flow::drift::survey(&runtime, text).await?;
    let basis = runtime.settings.stock.basis;
    report(rows, basis, hub.seams.clock.now(), query, most)
}

fn report(
    rows: Vec<Row>,
    basis: FeedBasis,
    at: Timestamp,
    query: &DriftQuery,
    most: usize,
) -> Result<DriftOut, Failure> {
    let compared = rows.len();
    // Where the difference is nil although something explains one, the two sides differ all the same.
    let differs = |row: &Row| !row.drift.difference.is_zero() || !row.drift.unexplained.is_zero();
    let differing = rows.iter().filter(|row| differs(row)).count();
    let unexplained: Decimal = rows.iter().map(|row| row.drift.unexplained.abs()).sum();
    let mut notes = vec![
        "goods that the warehouse received and Brightpearl has not are not read: what is unexplained may be of them"
            .to_owned(),
    ];
    let oldest = rows.iter().filter_map(|row| row.counted_at).min();
    if compared == 0 {
        notes.push("the warehouse has not reported any stock yet".to_owned());
    }
    let shown: Vec<Row> = rows.into_iter().filter(|row| query.all || differs(row)).collect();
    let page = paging::page(shown, (most, query.cursor.as_deref()), place)?;
    let age = oldest.map(|oldest| at.duration_since(oldest).as_mins());
    let headline = format!(
        "{differing} SKUs differ, {} unexplained units{}",
        unexplained.normalize(),
        age.map(|age| format!(" (of {compared} compared; the oldest count is {age} minutes old)")).unwrap_or_default()
    );
    Ok(DriftOut {
        headline,
        at,
        basis: match basis {
            FeedBasis::Available => "available",
            FeedBasis::Physical => "physical",
        }
        .to_owned(),
        compared,
        differing,
        unexplained,
        lines: page.items.into_iter().map(|row| line(row, at)).collect(),
        next: page.next,
        notes,
    })
}

/// The largest unexplained difference first.
fn place(row: &Row) -> (Reverse<Decimal>, Reverse<Decimal>, Vec<String>, i64, i64) {
    let (unexplained, difference) = (row.drift.unexplained.abs(), row.drift.difference.abs());
    (Reverse(unexplained), Reverse(difference), row.skus.clone(), row.warehouse_id, row.product_id)
}

fn line(row: Row, at: Timestamp) -> DriftLineOut {
    DriftLineOut {
        skus: row.skus,
        warehouse: (row.warehouse_id > 0).then_some(row.warehouse_id),
        product: (row.product_id > 0).then_some(row.product_id),
        counted: row.figure,
        brightpearl: row.drift.source_figure,
        difference: row.drift.difference,
        parts: {
            let read = row.drift.parts.iter().map(|(part, units)| (part.as_str().to_owned(), Some(*units)));
            read.chain(row.drift.not_read.iter().map(|part| (part.as_str().to_owned(), None))).collect()
        },
        unexplained: row.drift.unexplained,
        counted_at: row.counted_at,
        age_minutes: row.counted_at.map(|counted_at| at.duration_since(counted_at).as_mins()),
        notes: row.notes,
    }
}
