//! Taking a stock run back, and letting go again what is held since.

use std::collections::{BTreeMap, BTreeSet};

use engine::undo::Undo;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, PageOut, PagingQuery, Problem, Role, connections, paging, reason, stock};
use crate::{
    db::{ConnectionKey, StockHold},
    flow::{
        self,
        stock::{UndoLine, Undone},
    },
};

/// Which corrections are taken back, and why.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoIn {
    /// In a few words; kept in the audit trail and shown with what is held.
    pub reason: String,
    /// Only the corrections of these SKUs of the warehouse. Naming one also says yes to undoing it although a later correction
    /// has changed it since.
    #[serde(default)]
    pub skus: BTreeSet<String>,
}

/// How it is taken back.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct UndoQuery {
    /// Shows what would be written, and writes nothing.
    pub dry_run: bool,
}

/// What became of a run that was taken back, or would.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UndoOut {
    /// The run.
    pub run: String,
    /// Which connection's.
    pub connection: String,
    /// Nothing was written.
    pub dry_run: bool,
    /// Corrections that take something back.
    pub undone: usize,
    /// Lines that stay as they are.
    pub stay: usize,
    /// What follows from it, for people.
    pub told: String,
    /// Each correction of the run, or each that was named.
    pub lines: Vec<UndoLineOut>,
}

/// One correction of the run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UndoLineOut {
    /// The warehouse's SKUs.
    pub skus: Vec<String>,
    /// Brightpearl's warehouse.
    pub warehouse: i64,
    /// Brightpearl's product.
    pub product: i64,
    /// What the run changed it by.
    #[schema(value_type = String)]
    pub changed_by: Decimal,
    /// What takes that back; absent where it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub undo_by: Option<Decimal>,
    /// Free stock in Brightpearl when it was looked at.
    #[schema(value_type = String)]
    pub brightpearl_on_hand: Decimal,
    /// Why it stays; empty where it is taken back.
    pub reason: String,
    /// The correction (`eff_…`).
    pub effect: String,
    /// The correction that takes it back (`eff_…`), once it is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_effect: Option<String>,
}

/// A product whose stock is not written until it is released.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldOut {
    /// The warehouse's SKU.
    pub sku: String,
    /// Brightpearl's warehouse.
    pub warehouse: i64,
    /// Brightpearl's product.
    pub product: i64,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Which products are let go again.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StockReleaseIn {
    /// The warehouse's SKUs.
    pub skus: BTreeSet<String>,
    /// Every held product of the connection.
    pub all: bool,
}

/// Takes a run back. Its products are held from then on.
///
/// # Errors
/// When there is no such run for this caller, nothing of it can be undone, or a remote system cannot be read.
pub async fn undo(hub: &Hub, caller: &Caller, run: &str, given: &UndoIn, dry_run: bool) -> Result<UndoOut, Failure> {
    caller.needs(Role::Staff)?;
    if !dry_run {
        caller.proves(hub)?;
    }
    let why = if dry_run { given.reason.trim() } else { reason(&given.reason)? };
    let key = hub.db.find_run(&caller.access(), run).await?;
    let safety = hub.db.safety().await?;
    if !dry_run && safety.frozen.is_some() {
        return Err(Failure::conflict("sending is frozen: a difference planned now would be old when it is sent")
            .remedy("See `millrace safety`; undo the run after sending is released."));
    }
    let made_at = hub.db.run(&key, run).await?.made_at;
    if safety.lost.is_some_and(|lost| made_at <= lost.until) {
        return Err(Failure::conflict(
            "the run is from before the journal was lost: whether it was undone already is not known",
        )
        .remedy("Let the next count show what differs, and approve that."));
    }
    let runtime = stock::ready(hub, &key).await?;
    let told = (!dry_run).then_some((caller.actor.as_str(), why));
    let undone = flow::stock::undo(&runtime, run, &given.skus, told).await?;
    Ok(out(&key, &runtime.name, undone, dry_run))
}

fn out(key: &ConnectionKey, name: &str, undone: Undone, dry_run: bool) -> UndoOut {
    let lines: Vec<UndoLineOut> = undone.lines.into_iter().map(line).collect();
    let count = lines.iter().filter(|line| line.undo_by.is_some()).count();
    let corrections = if count == 1 { "1 correction".to_owned() } else { format!("{count} corrections") };
    let told = match (dry_run, count) {
        (_, 0) => "nothing of it can be undone".to_owned(),
        (true, _) => format!(
            "nothing was written. Undoing it plans {corrections} and holds what is corrected: no count changes it in \
             Brightpearl until you release it"
        ),
        (false, _) => format!(
            "{corrections} will be made in a moment. What is corrected is held: no count changes it in Brightpearl until you \
             release it, and the first count after that corrects it again if it still differs. \
             Release: millrace stock release {name:?} --sku SKU"
        ),
    };
    UndoOut {
        run: undone.run.id,
        connection: key.connection.to_string(),
        dry_run,
        undone: count,
        stay: lines.len() - count,
        told,
        lines,
    }
}

fn line(line: UndoLine) -> UndoLineOut {
    let (undo_by, reason) = match line.verdict {
        Undo::By(back) => (Some(back), String::new()),
        Undo::Stays(why) => (None, why),
    };
    UndoLineOut {
        skus: line.skus,
        warehouse: line.correction.warehouse_id,
        product: line.correction.product_id,
        changed_by: line.correction.difference,
        undo_by,
        brightpearl_on_hand: line.on_hand,
        reason,
        effect: line.correction.effect.to_string(),
        undo_effect: line.by.map(|by| by.to_string()),
    }
}

fn hold_out(hold: StockHold) -> HoldOut {
    let StockHold { warehouse_id, product_id, sku, reason, actor, at } = hold;
    HoldOut { sku, warehouse: warehouse_id, product: product_id, reason, actor, at }
}

/// The products of a connection whose stock is not written until they are released, by SKU.
///
/// # Errors
/// When there is no such connection for this caller, or the cursor is none of this list.
pub async fn holds(hub: &Hub, caller: &Caller, named: &str, query: &PagingQuery) -> Result<PageOut<HoldOut>, Failure> {
    let all = all_holds(hub, caller, named).await?;
    paging::page(all, query.asked(), |hold| (hold.sku.clone(), hold.warehouse, hold.product))
}

/// All of them.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn all_holds(hub: &Hub, caller: &Caller, named: &str) -> Result<Vec<HoldOut>, Failure> {
    let key = connections::find(hub, caller, named).await?;
    Ok(hub.db.stock_holds(&key).await?.into_iter().map(hold_out).collect())
}

/// Lets held products go again: the next count writes their stock. Those that were released.
///
/// # Errors
/// When there is no such connection for this caller, or one of the SKUs is not held.
pub async fn release(hub: &Hub, caller: &Caller, named: &str, given: &StockReleaseIn) -> Result<Vec<HoldOut>, Failure> {
    caller.needs(Role::Staff)?;
    // As approving: the stock of everything that is let go is written again.
    caller.proves(hub)?;
    let key = connections::find(hub, caller, named).await?;
    let held = hub.db.stock_holds(&key).await?;
    let mut by_sku: BTreeMap<&str, Vec<&StockHold>> = BTreeMap::new();
    for hold in &held {
        // A product that several SKUs feed is held under all of them.
        for sku in hold.sku.split(", ") {
            by_sku.entry(sku).or_default().push(hold);
        }
    }
    if given.skus.is_empty() && !given.all {
        return Err(Failure::invalid("name the SKUs to release, or all of them", Vec::new()));
    }
    let unknown: Vec<Problem> = given
        .skus
        .iter()
        .filter(|sku| !by_sku.contains_key(sku.as_str()))
        .map(|sku| Problem::new("skus", format!("{} is not held", super::quoted(sku))))
        .collect();
    if !unknown.is_empty() {
        let what = unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(Failure::invalid(what, unknown).remedy("The list of held products shows what there is."));
    }
    let released: Vec<StockHold> = held
        .iter()
        .filter(|hold| given.all || hold.sku.split(", ").any(|sku| given.skus.contains(sku)))
        .cloned()
        .collect();
    let places: Vec<(i64, i64)> = released.iter().map(|hold| (hold.warehouse_id, hold.product_id)).collect();
    hub.db.release_holds(&key, &places, &caller.actor).await?;
    Ok(released.into_iter().map(hold_out).collect())
}
