//! Findings, and the repairs that a person has made. Looking is free; nothing is mended before somebody presses the button.

use connect::{EffectDraft, PlanError};
use engine::{
    finding::{Finding, FindingKind, Repair, Subject},
    key,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, PageOut, ReasonIn, Role, connections, limit, reason, switches};
use crate::{
    db::{CensusOrder, ChannelKind, FindingQuery, FindingRow, NewEffect, RepairPlan, Subject as EffectSubject},
    runtime::Runtime,
};

/// Which findings.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct FindingsQuery {
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Of this kind; several with commas.
    pub kind: Option<String>,
    /// Only those about goods-out notes.
    pub notes: bool,
    /// Those that are gone as well.
    pub all: bool,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// Something that a comparison of the ledgers showed to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FindingOut {
    /// Its id.
    pub id: String,
    /// Which connection's.
    pub connection: String,
    /// Which kind, e.g. `orphan_note`; all of them are in the documentation of the census.
    pub kind: String,
    /// What it is about, e.g. `goods-out note 5021`.
    pub subject: String,
    /// Brightpearl's order, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<i64>,
    /// What is wrong.
    pub what: String,
    /// Why it matters.
    pub matters: String,
    /// What would mend it: `delete_note`, `look_again`, `write_tracking` or `mark_for_person`.
    pub repair: String,
    /// What that does.
    pub does: String,
    /// Seen first.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// Seen last.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// When it was gone, or settled by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// Who had it repaired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub repaired_at: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair_reason: Option<String>,
    /// The effect that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// For people and programs.
pub(super) fn out(row: FindingRow) -> FindingOut {
    let kind = row.finding.kind;
    FindingOut {
        id: row.id,
        connection: row.key.connection.to_string(),
        kind: kind.as_str().to_owned(),
        subject: row.finding.subject.to_string(),
        order: row.finding.order_id,
        what: row.finding.what,
        matters: kind.matters().to_owned(),
        repair: kind.repair().as_str().to_owned(),
        does: kind.repair().does().to_owned(),
        first_at: row.first_at,
        last_at: row.last_at,
        resolved_at: row.resolved_at,
        repaired_by: row.repair_by,
        repaired_at: row.repair_at,
        repair_reason: row.repair_reason,
        effect: row.repair_effect.map(|effect| effect.to_string()),
    }
}

fn kinds(query: &FindingsQuery) -> Result<Vec<FindingKind>, Failure> {
    let named = query.kind.as_deref().unwrap_or_default();
    let mut kinds = Vec::new();
    for name in named.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        kinds.push(name.parse::<FindingKind>().map_err(|error| {
            let all = FindingKind::ALL.map(FindingKind::as_str).join(", ");
            Failure::invalid(
                format!("{error}; there are: {all}"),
                vec![super::Problem::new("kind", format!("choose among: {all}"))],
            )
        })?);
    }
    if query.notes {
        let about_notes = |kind: &FindingKind| kind.is_about_notes() && (kinds.is_empty() || kinds.contains(kind));
        kinds = FindingKind::ALL.into_iter().filter(about_notes).collect();
    }
    Ok(kinds)
}

/// The findings the caller may see, newest first.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn list(hub: &Hub, caller: &Caller, query: FindingsQuery) -> Result<PageOut<FindingOut>, Failure> {
    let connection = match &query.connection {
        Some(named) => Some(connections::find(hub, caller, named).await?),
        None => None,
    };
    let kinds = kinds(&query)?;
    let page = hub
        .db
        .list_findings(
            &caller.access(),
            FindingQuery { connection, kinds, resolved: query.all, after: query.cursor, limit: limit(query.limit) },
        )
        .await?;
    Ok(PageOut { items: page.items.into_iter().map(out).collect(), next: page.next })
}

/// One finding.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, finding: &str) -> Result<FindingOut, Failure> {
    Ok(out(hub.db.find_finding(&caller.access(), finding).await?))
}

/// Has a finding repaired as proposed. Both sides are looked at once more first: one that does not hold any more is refused.
///
/// # Errors
/// When it does not hold any more, is being repaired, or something of the same order is on its way.
pub async fn repair(hub: &Hub, caller: &Caller, finding: &str, given: &ReasonIn) -> Result<FindingOut, Failure> {
    caller.needs(Role::Staff)?;
    let why = reason(&given.reason)?;
    let row = hub.db.find_finding(&caller.access(), finding).await?;
    if row.resolved_at.is_some() {
        return Err(Failure::conflict("the finding is gone already; nothing was done"));
    }
    if matches!(row.finding.kind.repair(), Repair::DeleteNote | Repair::WriteTracking) && hub.db.frozen().await? {
        return Err(Failure::conflict("sending is frozen: what the lost journal made may look like nobody's")
            .remedy("See `millrace safety`; repair it after sending is released, if it still shows."));
    }
    let runtime = match hub.workers.runtime(&row.key) {
        Some(runtime) => runtime,
        // It runs on another node, or not at all: built for this one decision, which the journal carries out wherever it runs.
        None => std::sync::Arc::new(hub.workers.build(&row.key).await?),
    };
    let fresh = still_holds(hub, &row).await?;
    let known = match row.finding.order_id {
        Some(order_id) => hub.db.census_orders(&row.key, &[order_id]).await?.remove(&order_id),
        None => None,
    };
    let plan = plan(&runtime, &row, &fresh, known.as_ref())?;
    hub.db.repair(&row.key, finding, plan, &caller.actor, why).await?;
    if row.finding.kind.repair() == Repair::LookAgain {
        look_again(hub, &row).await?;
    }
    runtime.wake.source.notify_one();
    show(hub, caller, finding).await
}

/// The finding as it shows now.
async fn still_holds(hub: &Hub, row: &FindingRow) -> Result<Finding, Failure> {
    let (kind, subject) = (row.finding.kind, &row.finding.subject);
    let Some(order_id) = row.finding.order_id.filter(|_| kind != FindingKind::EffectUnknown) else {
        // It is about no order: what is settled here is settled by the person's word, or by the journal itself.
        return Ok(row.finding.clone());
    };
    let reconciler = hub.workers.reconciler(&row.key).await?;
    let found = reconciler.examine(order_id).await?;
    found.into_iter().find(|finding| finding.kind == kind && finding.subject == *subject).ok_or_else(|| {
        Failure::conflict(format!("it does not hold any more: {}", row.finding.what))
            .remedy("Nothing was done. The next census takes it off the list.")
    })
}

/// What the button does. Nothing is sent here: an effect is planned, and the journal carries it out.
fn plan(
    runtime: &Runtime,
    row: &FindingRow,
    fresh: &Finding,
    known: Option<&CensusOrder>,
) -> Result<RepairPlan, Failure> {
    let finding = &row.finding;
    let order_id = finding.order_id.unwrap_or_default();
    let key = format!("{}-O{order_id}/repair/{}", runtime.account, row.id);
    let effect = |draft: EffectDraft| NewEffect {
        id: runtime.effect_id(),
        draft,
        lane: key::order_lane(&runtime.account, order_id),
        // On the order's page, and no step of any of its requests or shipments.
        subject: EffectSubject { order: known.map(|known| known.id.clone()), ..EffectSubject::default() },
        not_before: None,
    };
    let refused = |error: PlanError| Failure::conflict(format!("it cannot be repaired so: {error}"));
    Ok(match finding.kind.repair() {
        Repair::DeleteNote => {
            let Subject::Note(note_id) = finding.subject else {
                return Err(Failure::conflict("the finding names no goods-out note"));
            };
            let draft = runtime.source.plan_note_deletion(&key, order_id, note_id).map_err(refused)?;
            RepairPlan { effect: Some(effect(draft)), deletes_note: Some(note_id), ..RepairPlan::default() }
        }
        Repair::WriteTracking => {
            let shipment = known.into_iter().flat_map(|known| &known.shipments).find(|shipment| {
                finding.subject == Subject::Shipment(shipment.reference.clone()) && !shipment.tracking.is_empty()
            });
            let shipment = shipment
                .ok_or_else(|| Failure::conflict("Millrace does not hold the tracking of this shipment any more"))?;
            let note = shipment.note_id.map(|id| format!(" (goods-out note {id})")).unwrap_or_default();
            let text = format!("Tracking of shipment {}{note}: {}", shipment.reference, shipment.tracking.join(", "));
            let draft = runtime.source.plan_order_note(&key, order_id, &text).map_err(refused)?;
            RepairPlan { effect: Some(effect(draft)), resolves: true, ..RepairPlan::default() }
        }
        Repair::LookAgain => RepairPlan::default(),
        Repair::MarkForPerson => RepairPlan {
            mark: Some(fresh.what.clone()),
            resolves: finding.kind == FindingKind::MarkerTwice,
            ..RepairPlan::default()
        },
    })
}

/// Reads and decides again: the flows and the journal do what they would do by themselves, only now.
async fn look_again(hub: &Hub, row: &FindingRow) -> Result<(), Failure> {
    let effect = match &row.finding.subject {
        Subject::Effect(id) => Some(id.as_str()),
        _ => None,
    };
    hub.db.look_again(&row.key, row.finding.order_id, effect).await?;
    for channel in [ChannelKind::Orders, ChannelKind::Shipments] {
        switches::want(hub, &row.key, channel, None).await?;
    }
    if let Some(runtime) = hub.workers.runtime(&row.key) {
        runtime.wake.advance.notify_one();
        runtime.wake.warehouse.notify_one();
    }
    Ok(())
}
