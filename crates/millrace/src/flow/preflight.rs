//! Pre-flight: the orders of the past, read and planned as the orders channel would, and counted. Nothing is written but the
//! count, and nothing is sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{ErrorKind, GoodsOutNote, Order};
use engine::{
    cause::{Cause, CauseKind},
    plan::{self, Facts},
    preflight::{self, Tally},
    settings::ConnectionSettings,
};

use super::{
    FlowError,
    orders::{Read, SLICE, plan_submits, read, shipment_request, tables},
};
use crate::{
    db::{PreflightRow, PreflightWork},
    runtime::Runtime,
};

/// How a run ended, as far as it is this node's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was looked at.
    All,
    /// Somebody ended it, or another node has it.
    Stopped,
}

/// A run that met a fault which waiting may mend is taken up again after this time.
pub const AGAIN: Duration = Duration::from_secs(60);

/// Looks at everything that the run has not looked at yet. How far it has come is kept after each slice of orders, so that a
/// node which goes on loses one slice; a changed configuration begins it anew. `runtime` must have been built for looking.
///
/// # Errors
/// When the settings cannot be used, or a read or the database fails; what was counted so far is kept.
pub async fn run(runtime: &Runtime, run: &PreflightRow) -> Result<Ended, FlowError> {
    let problems = runtime.settings.problems();
    if !problems.is_empty() {
        return Err(FlowError::Settings(problems.join("; ")));
    }
    let settings = preflight::settings(&runtime.settings);
    let goes_on = run.revision == Some(runtime.revision);
    let (mut place, mut tally) = if goes_on { (run.place, run.tally.clone()) } else { (0, Tally::default()) };
    let ids = runtime.source.scan_history(run.since).await?;
    let total = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let left: Vec<i64> = ids.into_iter().filter(|order_id| *order_id > place).collect();
    let keep = async |place: i64, tally: &Tally| {
        let work = PreflightWork { revision: runtime.revision, total, place, tally: tally.clone() };
        runtime.db.advance_preflight(&runtime.key, &run.id, &runtime.owner, work).await
    };
    if !keep(place, &tally).await? {
        return Ok(Ended::Stopped);
    }
    for slice in left.chunks(SLICE) {
        let read = read(runtime, slice).await?;
        let known = runtime.db.known_orders(&runtime.key, slice).await?;
        for order in read.orders.values() {
            let sent = known.get(&order.order_id).is_some_and(|known| known.sent);
            tally.add(order.order_id, &causes(runtime, &settings, &read, order, sent).await?);
        }
        place = slice.last().copied().unwrap_or(place);
        if !keep(place, &tally).await? {
            return Ok(Ended::Stopped);
        }
    }
    Ok(Ended::All)
}

/// Whether waiting may mend it: then the run is taken up again by itself.
pub fn is_passing(error: &FlowError) -> bool {
    match error {
        FlowError::Connector(error) => error.is_passing(),
        FlowError::Db(error) => error.is_passing(),
        FlowError::Settings(_) => false,
    }
}

/// What a person reads when a run cannot be carried out.
pub fn words(error: &FlowError) -> String {
    match error {
        FlowError::Connector(error) if error.kind == ErrorKind::Credentials => {
            format!("{error}. Test the connection, and correct the credentials.")
        }
        error => error.to_string(),
    }
}

/// What would have kept the order; empty where nothing.
async fn causes(
    runtime: &Runtime,
    settings: &ConnectionSettings,
    read: &Read,
    order: &Order,
    sent: bool,
) -> Result<Vec<Cause>, FlowError> {
    let no_notes: &[GoodsOutNote] = &[];
    let notes = read.notes.get(&order.order_id).map_or(no_notes, Vec::as_slice);
    let (order, notes) = preflight::as_it_stood(order, notes, settings);
    let plan = plan::decide(&Facts {
        account: &runtime.account,
        settings,
        tables: tables(runtime, read),
        cancelled_status: read.cancelled_status,
        order: &order,
        notes: &notes,
        drop_shipped: &BTreeMap::new(),
        drop_ship_unread: None,
        known_notes: &BTreeSet::new(),
        goes_again: false,
        products: &read.products,
    });
    if !plan.causes.is_empty() {
        return named(runtime, preflight::of_missing_notes(plan.causes, &order, settings, sent)).await;
    }
    let requests: Vec<_> = plan.requests.iter().map(|planned| shipment_request(runtime, &order, planned)).collect();
    let drafts = plan_submits(runtime, &requests, runtime.clock.now());
    Ok(drafts
        .into_iter()
        .filter_map(Result::err)
        .map(|error| match error.address {
            Some(part) => Cause::new(CauseKind::Address, part),
            None => Cause::new(CauseKind::Other, error.why),
        })
        .collect())
}

/// The causes with the account's names in the place of its ids.
async fn named(runtime: &Runtime, causes: Vec<Cause>) -> Result<Vec<Cause>, FlowError> {
    let choices = runtime.choices().await?;
    let name = |Cause { kind, subject }: Cause| {
        let id = subject.parse::<i64>().ok();
        let found = match kind {
            CauseKind::Status => choices.statuses.iter().find(|one| Some(one.id) == id).map(|one| &one.name),
            CauseKind::Warehouse => choices.warehouses.iter().find(|one| Some(one.id) == id).map(|one| &one.name),
            CauseKind::Channel => choices.channels.iter().find(|one| Some(one.id) == id).map(|one| &one.name),
            _ => None,
        };
        Cause { kind, subject: found.cloned().unwrap_or(subject) }
    };
    Ok(causes.into_iter().map(name).collect())
}
