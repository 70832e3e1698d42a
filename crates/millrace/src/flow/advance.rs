//! What comes next for a request: release, statuses, and telling the source of each shipment, one step at a time.
//!
//! Called whenever an effect ends or a shipment comes in. A step is planned once; its key is made of what it is about, so
//! planning it again after a crash finds it there.

use std::collections::BTreeSet;

use connect::{
    EffectDraft, EffectKind, NewNote, NoteRow, PlanError, Shipment, ShippingDetails,
    planted::{Planted, planted},
};
use engine::{
    confirm::{self, Done, NextStep, ShipmentSteps},
    effect::{EffectState, later},
    plan,
    race::Outcome,
    settings::StartMode,
};

use super::{FlowError, orders};
use crate::{
    db::{Advance, NewEffect, RequestWork, ShipmentFacts, StepState, Subject},
    runtime::Runtime,
};

/// Requests looked at in one go.
const SLICE: usize = 200;

/// Decides the next steps of every request that asks for it. How many were looked at.
///
/// # Errors
/// When the database cannot be reached.
pub async fn run(runtime: &Runtime) -> Result<usize, FlowError> {
    let work = runtime.db.requests_to_advance(&runtime.key, SLICE).await?;
    let count = work.len();
    for request in work {
        let mut wait_until = None;
        let steps = next_steps(runtime, &request, &mut wait_until);
        let planned = !steps.effects.is_empty();
        // Before the step is written: a time set and a step lost is looked at once more; the other way round, never again.
        if let Some(at) = wait_until {
            runtime.db.schedule_advance(&runtime.key, &request.id, at).await?;
        }
        runtime.db.advance(&runtime.key, &request.id, request.version, steps).await?;
        if planned {
            runtime.wake.source.notify_one();
            runtime.wake.warehouse.notify_one();
        }
    }
    Ok(count)
}

fn next_steps(runtime: &Runtime, request: &RequestWork, wait_until: &mut Option<jiff::Timestamp>) -> Advance {
    let mut steps = Advance::default();
    let mut problem = None;
    match warehouse_steps(runtime, request, wait_until, &mut steps) {
        Ok(drafts) => plan_all(runtime, request, None, drafts, &mut steps),
        Err(error) => problem = Some(error.to_string()),
    }
    let mut note_used = false;
    let mut earlier: Vec<&Shipment> = Vec::new();
    for shipment in &request.shipments {
        // One after the other: what an earlier one holds (the note that was the request, the rows of a line) must be settled
        // before a later one is told.
        let waits = !shipment.confirmed;
        if waits {
            advance_shipment(runtime, request, shipment, &earlier, note_used, &mut steps);
        }
        if waits && !steps.confirmed.contains(&shipment.id) {
            break;
        }
        let confirmed_nothing = shipment.rows.as_ref().is_some_and(Vec::is_empty)
            || steps.rows.iter().any(|(id, rows)| *id == shipment.id && rows.is_empty());
        note_used |= !confirmed_nothing;
        earlier.push(&shipment.shipment);
    }
    let matters = |step: &StepState| !request.race.as_ref().is_some_and(|race| race.outcome.ends(step.kind));
    if let Some(failed) = request.effects.iter().find(|step| step.state.needs_person() && matters(step)) {
        problem.get_or_insert_with(|| confirm::stopped(failed.kind, failed.state, &failed.note));
    }
    let everything: Vec<&Shipment> = request.shipments.iter().map(|facts| &facts.shipment).collect();
    let odd = confirm::odd_parts(&request.lines, &everything);
    if request.finished && !odd.is_empty() {
        let parts: Vec<String> =
            odd.iter().map(|(sku, quantity)| format!("{} × {sku}", quantity.normalize())).collect();
        problem.get_or_insert_with(|| format!("parts of a kit left without the rest: {}", parts.join(", ")));
    }
    match status_steps(runtime, request) {
        Ok(drafts) => plan_all(runtime, request, None, drafts, &mut steps),
        Err(error) => problem = Some(error.to_string()),
    }
    steps.request_problem = Some(problem);
    steps
}

fn plan_all(
    runtime: &Runtime,
    request: &RequestWork,
    shipment: Option<&ShipmentFacts>,
    drafts: Vec<EffectDraft>,
    steps: &mut Advance,
) {
    for draft in drafts {
        steps.effects.push(NewEffect {
            id: runtime.effect_id(),
            draft,
            lane: orders::lane(runtime, request.order_id),
            subject: Subject {
                order: Some(request.order.clone()),
                request: Some(request.id.clone()),
                shipment: shipment.map(|shipment| shipment.id.clone()),
                product_id: None,
                warehouse_id: None,
            },
            not_before: None,
        });
    }
}

/// Release and cancel.
fn warehouse_steps(
    runtime: &Runtime,
    request: &RequestWork,
    wait_until: &mut Option<jiff::Timestamp>,
    steps: &mut Advance,
) -> Result<Vec<EffectDraft>, PlanError> {
    let find = |kind| request.effects.iter().find(|step| step.kind == kind);
    let Some(submit) = find(EffectKind::SubmitRequest) else { return Ok(Vec::new()) };
    if submit.state != EffectState::Applied {
        return Ok(Vec::new());
    }
    let Some(reference) = &submit.remote else { return Ok(Vec::new()) };
    let mut drafts = Vec::new();
    let cancel = find(EffectKind::CancelRequest);
    // A request that somebody wants stopped or changed is not released before it is known what becomes of it.
    let race = request.race.as_ref().filter(|race| !race.outcome.answered());
    if request.cancel_wanted.is_some() {
        if race.is_some_and(|race| race.outcome == Outcome::Pending) {
            *wait_until = race.map(|race| race.deadline);
        }
        // One that was withdrawn before this was asked is asked once more. One that the warehouse has answered is not, nor one
        // that a person has given up since.
        let may_ask = cancel.is_none_or(|cancel| {
            cancel.state == EffectState::Voided
                && cancel.remote.is_none()
                && request.race_asked_at.is_some_and(|asked_at| cancel.changed_at <= asked_at)
        });
        if may_ask && request.shipments.is_empty() {
            match runtime.warehouse.plan_cancel(&request.key, reference, runtime.clock.now()) {
                Ok(draft) => drafts.push(draft),
                Err(error) => steps.by_hand = Some(error.to_string()),
            }
        }
        return Ok(drafts);
    }
    if race.is_some_and(|race| race.undecided) || cancel.is_some_and(|cancel| cancel.state.open()) {
        return Ok(drafts);
    }
    if find(EffectKind::ReleaseRequest).is_none()
        && let Some(draft) = runtime.warehouse.plan_release(&request.key, reference)
    {
        let release_at = later(submit.changed_at, runtime.scaled(runtime.settings.hold()));
        if release_at > runtime.clock.now() {
            *wait_until = Some(release_at);
        } else {
            drafts.push(draft);
        }
    }
    Ok(drafts)
}

/// The next step of one shipment.
fn advance_shipment(
    runtime: &Runtime,
    request: &RequestWork,
    facts: &ShipmentFacts,
    earlier: &[&Shipment],
    note_used: bool,
    steps: &mut Advance,
) {
    let rows = match &facts.rows {
        Some(rows) => rows.clone(),
        None => match confirm::rows(&request.lines, earlier, &facts.shipment) {
            Ok(rows) => {
                steps.rows.push((facts.id.clone(), rows.clone()));
                rows
            }
            Err(hold) => {
                steps.shipment_problems.push((facts.id.clone(), Some(hold.to_string())));
                return;
            }
        },
    };
    let done: Vec<Done> = facts
        .effects
        .iter()
        .filter(|step| step.kind != EffectKind::AddOrderNote)
        .map(|step| Done {
            kind: step.kind,
            state: step.state,
            note_id: step.remote.as_ref().and_then(|reference| reference.id.parse().ok()),
            note: step.note.clone(),
        })
        .collect();
    let given_rows = plan::note_rows(&request.lines);
    let given_note = request.note_id.filter(|_| !note_used).map(|note_id| (note_id, given_rows.as_slice()));
    let next =
        confirm::next(&ShipmentSteps { rows: &rows, given_note, short_ship: runtime.settings.short_ship, done: &done });
    let drafts = match step(runtime, request, facts, &rows, &next) {
        Ok(drafts) => drafts,
        Err(error) => {
            steps.shipment_problems.push((facts.id.clone(), Some(error.to_string())));
            return;
        }
    };
    match next {
        NextStep::Hold(why) => steps.shipment_problems.push((facts.id.clone(), Some(why))),
        NextStep::Confirmed => {
            steps.confirmed.push(facts.id.clone());
            steps.shipment_problems.push((facts.id.clone(), None));
        }
        _ if facts.problem.is_some() => steps.shipment_problems.push((facts.id.clone(), None)),
        _ => {}
    }
    plan_all(runtime, request, Some(facts), drafts, steps);
}

fn step(
    runtime: &Runtime,
    request: &RequestWork,
    facts: &ShipmentFacts,
    rows: &[NoteRow],
    next: &NextStep,
) -> Result<Vec<EffectDraft>, PlanError> {
    let key = format!("{}/{}", request.key, facts.shipment.reference);
    let shipment = &facts.shipment;
    match next {
        NextStep::DeleteNote { note_id } => {
            Ok(vec![runtime.source.plan_note_deletion(&key, request.order_id, *note_id)?])
        }
        NextStep::CreateNote => {
            let warehouse_id = source_warehouse(runtime, request).ok_or_else(|| {
                PlanError::new(
                    "it is not known which Brightpearl warehouse the goods left from; choose Warehouse Name, or map the facility under Locations",
                )
            })?;
            let note = NewNote {
                order_id: request.order_id,
                warehouse_id,
                released_at: shipment.shipped_at,
                ship_method_id: source_method(runtime, shipment)?,
                rows: rows.to_vec(),
            };
            Ok(vec![runtime.source.plan_note(&key, &note)?])
        }
        NextStep::UpdateShipping { note_id } => {
            let details = ShippingDetails {
                order_id: request.order_id,
                note_id: *note_id,
                tracking: shipment
                    .tracking_numbers()
                    .into_iter()
                    .map(str::to_owned)
                    .take(if planted(Planted::FirstBoxOnly) { 1 } else { usize::MAX })
                    .collect(),
                ship_method_id: source_method(runtime, shipment)?,
                boxes: u32::try_from(shipment.packages.len().max(1)).unwrap_or(u32::MAX),
                weight: shipment.weight(),
            };
            runtime.source.plan_shipping(&key, &details)
        }
        NextStep::PostShipped { note_id } => {
            Ok(vec![runtime.source.plan_shipped(&key, request.order_id, *note_id, rows, shipment.shipped_at)?])
        }
        NextStep::Wait | NextStep::Hold(_) | NextStep::Confirmed => Ok(Vec::new()),
    }
}

fn source_warehouse(runtime: &Runtime, request: &RequestWork) -> Option<i64> {
    request.warehouse_id.or_else(|| runtime.settings.default_warehouse())
}

/// The source's shipping method for how the goods went; `None` leaves the note's own.
fn source_method(runtime: &Runtime, shipment: &Shipment) -> Result<Option<i64>, PlanError> {
    let went = &shipment.ship_method;
    if went.carrier.is_empty() {
        return Ok(runtime.settings.default_source_method);
    }
    let any_service = connect::ShipMethod { carrier: went.carrier.clone(), service: String::new() };
    let mapped = runtime
        .mappings
        .source_methods
        .get(went)
        .or_else(|| runtime.mappings.source_methods.get(&any_service))
        .copied()
        // A carrier mapped on the way out is known on the way back, unless several methods go by it.
        .or_else(|| {
            let mut same = runtime.mappings.ship_methods.iter().filter(|(_, method)| *method == went);
            match (same.next(), same.next()) {
                (Some((id, _)), None) => Some(*id),
                _ => None,
            }
        })
        .or(runtime.settings.default_source_method);
    match mapped {
        Some(id) => Ok(Some(id)),
        None => Err(PlanError::new(format!(
            "carrier {} {} is not mapped to a shipping method of Brightpearl; map it, or set a default",
            went.carrier, went.service
        ))),
    }
}

/// The order's status: at the warehouse, partly shipped, shipped. It never moves back (S4): each is set only while the order
/// stands at one of those before it.
fn status_steps(runtime: &Runtime, request: &RequestWork) -> Result<Vec<EffectDraft>, PlanError> {
    let settings = &runtime.settings;
    let accepted =
        request.effects.iter().any(|step| step.kind == EffectKind::SubmitRequest && step.state == EffectState::Applied);
    if !accepted || request.cancel_wanted.is_some() {
        return Ok(Vec::new());
    }
    let mut from: BTreeSet<i64> = settings.import_statuses.clone();
    let mut drafts = Vec::new();
    let mut plan = |to: Option<i64>, now: bool, from: &mut BTreeSet<i64>| -> Result<(), PlanError> {
        let Some(to) = to else { return Ok(()) };
        // One per order, however many requests it has.
        let key = format!("{}-O{}/status/{to}", runtime.account, request.order_id);
        let known = request.effects.iter().any(|step| step.kind == EffectKind::SetStatus && step.key == key);
        if now && !known {
            let name = runtime.status_name(to);
            drafts.push(runtime.source.plan_status(&key, request.order_id, from, to, name.as_deref())?);
        }
        from.insert(to);
        Ok(())
    };
    // In goods-out-note mode the order's status is not what made it a request, so any status may be the former one that the
    // person chose; without a choice nothing is overwritten.
    let any_shipped = request.shipments.iter().any(|shipment| shipment.confirmed);
    if settings.start_mode == StartMode::GoodsOutNote && from.is_empty() {
        return Ok(Vec::new());
    }
    plan(settings.at_warehouse_status, !any_shipped && !request.order_complete, &mut from)?;
    plan(settings.partly_shipped_status, any_shipped && !request.order_complete, &mut from)?;
    plan(settings.shipped_status, request.order_complete, &mut from)?;
    Ok(drafts)
}
