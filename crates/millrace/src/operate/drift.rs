//! Explained drift: where the warehouse and Brightpearl differ, and what explains it.

use std::collections::BTreeMap;

use connect::FeedBasis;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, connections, stock};
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
    /// `counted` less `brightpearl`: the sum of `parts` and `unexplained`.
    #[schema(value_type = String)]
    pub difference: Decimal,
    /// The named parts, signed; docs/stock.md explains each.
    #[schema(value_type = BTreeMap<String, String>)]
    pub parts: BTreeMap<String, Decimal>,
    /// What nothing explains.
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
/// When there is no such connection for this caller, or a remote system cannot be read.
pub async fn drift(hub: &Hub, caller: &Caller, named: &str, query: &DriftQuery) -> Result<DriftOut, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let text = query.sku.as_deref().unwrap_or_default().trim();
    let runtime = stock::ready(hub, &key).await?;
    let rows = flow::drift::survey(&runtime, text).await?;
    let basis = runtime.settings.stock.basis;
    Ok(report(rows, basis, hub.seams.clock.now(), query))
}

fn report(rows: Vec<Row>, basis: FeedBasis, at: Timestamp, query: &DriftQuery) -> DriftOut {
    let compared = rows.len();
    // Where the difference is nil although something explains one, the two sides differ all the same.
    let differs = |row: &Row| !row.drift.difference.is_zero() || !row.drift.unexplained.is_zero();
    let differing = rows.iter().filter(|row| differs(row)).count();
    let unexplained: Decimal = rows.iter().map(|row| row.drift.unexplained.abs()).sum();
    let mut notes = vec![
        "goods that the warehouse received and Brightpearl has not are not read yet: their part is nil".to_owned(),
    ];
    let oldest = rows.iter().filter_map(|row| row.counted_at).min();
    if compared == 0 {
        notes.push("the warehouse has not reported any stock yet".to_owned());
    }
    let most = usize::try_from(query.limit.unwrap_or(500).clamp(1, 5000)).unwrap_or(500);
    let shown: Vec<Row> = rows.into_iter().filter(|row| query.all || differs(row)).collect();
    if shown.len() > most {
        notes.push(format!("{} of {} lines are shown", most, shown.len()));
    }
    let age = oldest.map(|oldest| at.duration_since(oldest).as_mins());
    let headline = format!(
        "{differing} SKUs differ, {} unexplained units{}",
        unexplained.normalize(),
        age.map(|age| format!(" (of {compared} compared; the oldest count is {age} minutes old)")).unwrap_or_default()
    );
    DriftOut {
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
        lines: shown.into_iter().take(most).map(|row| line(row, at)).collect(),
        notes,
    }
}

fn line(row: Row, at: Timestamp) -> DriftLineOut {
    DriftLineOut {
        skus: row.skus,
        warehouse: (row.warehouse_id > 0).then_some(row.warehouse_id),
        product: (row.product_id > 0).then_some(row.product_id),
        counted: row.figure,
        brightpearl: row.drift.source_figure,
        difference: row.drift.difference,
        parts: row.drift.parts.iter().map(|(part, units)| (part.as_str().to_owned(), *units)).collect(),
        unexplained: row.drift.unexplained,
        counted_at: row.counted_at,
        age_minutes: row.counted_at.map(|counted_at| at.duration_since(counted_at).as_mins()),
        notes: row.notes,
    }
}
