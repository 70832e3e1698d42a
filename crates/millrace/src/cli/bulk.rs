//! Actions on many orders, typed: what would happen first, and the doing with `--yes`.

use clap::{Args, ValueEnum};

use super::{
    Session,
    print::{self, Printer, table},
};
use crate::operate::{
    Failure,
    bulk::{self, BulkAction, BulkFilterIn, BulkIn, BulkOrderOut, BulkRunIn},
};

/// What to do with many orders.
#[derive(Debug, Args)]
pub struct Bulk {
    /// What to do.
    #[arg(value_enum)]
    action: ActionName,
    /// These orders (ids or Brightpearl numbers); without, those that the options find. At most 1,000.
    orders: Vec<String>,
    /// In this state; several with commas. Without, all but archived ones.
    #[arg(long, conflicts_with = "orders")]
    state: Option<String>,
    /// With words that begin so.
    #[arg(long, conflicts_with = "orders")]
    text: Option<String>,
    /// Of this merchant (name or id).
    #[arg(long, conflicts_with = "orders")]
    merchant: Option<String>,
    /// Of this connection (name or id).
    #[arg(long, conflicts_with = "orders")]
    connection: Option<String>,
    /// Placed at or after, e.g. 2026-01-31T00:00:00Z.
    #[arg(long, conflicts_with = "orders")]
    placed_from: Option<jiff::Timestamp>,
    /// Placed before.
    #[arg(long, conflicts_with = "orders")]
    placed_to: Option<jiff::Timestamp>,
    /// First imported at or after.
    #[arg(long, conflicts_with = "orders")]
    imported_from: Option<jiff::Timestamp>,
    /// First imported before.
    #[arg(long, conflicts_with = "orders")]
    imported_to: Option<jiff::Timestamp>,
    /// Why; needed to hold and to cancel.
    #[arg(long, default_value = "")]
    reason: String,
    /// Do it. Without, only what would happen is shown.
    #[arg(long)]
    yes: bool,
}

/// What can be done to many orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActionName {
    /// Read again and plan anew.
    Retry,
    /// Keep from being sent.
    Hold,
    /// Let go on.
    Release,
    /// Put away.
    Archive,
    /// Take out again.
    Unarchive,
    /// Stop.
    Cancel,
}

impl From<ActionName> for BulkAction {
    fn from(name: ActionName) -> Self {
        match name {
            ActionName::Retry => Self::Retry,
            ActionName::Hold => Self::Hold,
            ActionName::Release => Self::Release,
            ActionName::Archive => Self::Archive,
            ActionName::Unarchive => Self::Unarchive,
            ActionName::Cancel => Self::Cancel,
        }
    }
}

/// Shows what would happen, or does it.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, asked: Bulk, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    let filter = asked.orders.is_empty().then_some(BulkFilterIn {
        state: asked.state,
        text: asked.text,
        merchant: asked.merchant,
        connection: asked.connection,
        placed_from: asked.placed_from,
        placed_to: asked.placed_to,
        imported_from: asked.imported_from,
        imported_to: asked.imported_to,
    });
    let given = BulkIn { action: asked.action.into(), reason: asked.reason, orders: asked.orders, filter };
    let preview = bulk::preview(hub, caller, given).await?;
    if asked.yes {
        let done = bulk::run(hub, caller, &BulkRunIn { token: preview.token }).await?;
        // Those that the preview refused were not tried.
        let refused = preview.orders.into_iter().filter(|order| order.refused.is_some());
        let answer = bulk::BulkOut {
            refused: done.refused + preview.refused,
            orders: done.orders.into_iter().chain(refused).collect(),
            ..done
        };
        return printer
            .answer(&answer, |told| format!("{}\n{} done, {} refused.", shown(&told.orders), told.done, told.refused));
    }
    printer.answer(&preview, |preview| {
        format!(
            "{}\nIt would happen to {}, {} are refused. Nothing was done: give --yes to do it.",
            shown(&preview.orders),
            preview.would,
            preview.refused
        )
    })
}

fn shown(orders: &[BulkOrderOut]) -> String {
    let rows = orders.iter().map(|order| {
        [
            order.number.map_or_else(|| print::clean(&order.order), |number| number.to_string()),
            order.state.clone().unwrap_or_default(),
            order.outcome.clone().unwrap_or_default(),
            order.refused.clone().unwrap_or_default(),
        ]
    });
    table(["ORDER", "STATE", "WHAT HAPPENS", "WHY NOT"], rows)
}
