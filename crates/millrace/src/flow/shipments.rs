//! Shipments: warehouse → what the source is told.

use connect::{
    FeedCursor, Inbound, Letters, Shipment, ShipmentPage,
    planted::{Planted, planted},
};

use engine::key;

use super::{FlowError, counts};
use crate::{
    db::{ChannelKind, Counts, NewEffect, NewShipment, Ran, ShipmentsRecorded, Subject},
    runtime::Runtime,
};

/// Readings taken one after the other before others get their turn.
const MOST_READINGS: usize = 50;

/// Pause before looking again at something that is not complete yet.
const INCOMPLETE: std::time::Duration = std::time::Duration::from_millis(500);

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// New shipments.
    pub new: usize,
    /// Read before.
    pub known: usize,
    /// Same reference, other content: shown as exceptions.
    pub changed: usize,
    /// For keys the hub does not know: shown as exceptions.
    pub unknown: usize,
    /// Files or pages that could not be used.
    pub rejected: usize,
    /// Nothing was left to read when it ended.
    pub exhausted: bool,
    /// It did not go on from the middle of an earlier reading.
    pub from_start: bool,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} new, {} known, {} changed, {} for unknown orders, {} inputs rejected",
            self.new, self.known, self.changed, self.unknown, self.rejected
        )
    }
}

impl Summary {
    /// For the history of runs.
    pub fn ran(&self) -> Ran {
        Ran { words: self.to_string(), counts: self.counts() }
    }

    fn counts(&self) -> Counts {
        counts([
            ("new", self.new),
            ("known", self.known),
            ("changed", self.changed),
            ("for_unknown_orders", self.unknown),
            ("inputs_rejected", self.rejected),
        ])
    }
}

/// Reads what left since last time, until there is nothing more to read.
///
/// # Errors
/// When a read or the database fails; what was read so far is kept, with the place to go on from.
pub async fn run(runtime: &Runtime) -> Result<Summary, FlowError> {
    let mut got_to_its_end = runtime.memory.reading.lock().await;
    let mut summary = Summary { from_start: std::mem::take(&mut *got_to_its_end), ..Summary::default() };
    for _ in 0..MOST_READINGS {
        let channels = runtime.db.channels(&runtime.key).await?;
        let cursor = channels
            .into_iter()
            .find(|channel| channel.kind == ChannelKind::Shipments)
            .and_then(|channel| channel.cursor);
        let mut page = runtime.warehouse.shipments(&FeedCursor(cursor)).await?;
        let more = page.more;
        let nothing = page.shipments.is_empty() && page.taken.is_empty() && page.rejected.is_empty();
        leave_out_others(&runtime.key_head(), &mut page);
        if planted(Planted::PutAwayFirst) {
            put_away(runtime, &page.taken, &page.rejected).await;
        }
        summary.rejected += page.rejected.len();
        let seen = seen(runtime, &page.taken).await?;
        // A file that was taken in before, content and all, brings nothing: it was not put away in time.
        let all_seen = !page.taken.is_empty() && seen.iter().all(|seen| *seen) && page.rejected.is_empty();
        if !all_seen {
            let named = by_reference(runtime, page.by_reference).await?;
            let shipments = page
                .shipments
                .into_iter()
                .chain(named)
                .map(|shipment| NewShipment { id: runtime.shipment_id(), shipment })
                .collect();
            let recorded: ShipmentsRecorded = runtime
                .db
                .record_shipments(&runtime.key, shipments, page.states, &page.taken, &page.rejected, &page.next)
                .await?;
            summary.new += recorded.new;
            summary.known += recorded.known;
            summary.changed += recorded.changed;
            summary.unknown += recorded.unknown_key;
            if recorded.new > 0 {
                runtime.wake.advance.notify_one();
            }
        }
        // Once what stands in them is kept: a message that is known brings nothing more.
        keep_letters(runtime, page.letters).await?;
        put_away(runtime, &page.taken, &page.rejected).await;
        let read = summary.new + summary.known + summary.changed + summary.unknown;
        runtime.tell_progress(ChannelKind::Shipments, read, None, summary.counts()).await;
        if !more {
            (summary.exhausted, *got_to_its_end) = (true, true);
            break;
        }
        if nothing {
            // Something is there that is not complete yet (a file being written): give it time.
            runtime.clock.sleep(runtime.scaled(INCOMPLETE)).await;
        }
    }
    runtime.metrics.orders("shipped", summary.new);
    let missing = runtime.db.raise_unacknowledged(&runtime.key, runtime.waits.factor).await?;
    if missing > 0 {
        tracing::warn!(connection.id = %runtime.key.connection, "{missing} messages were not acknowledged in time");
    }
    Ok(summary)
}

/// A page of a warehouse that others use as well holds their orders too: neither what left of them nor what is wrong with them
/// concerns anybody here. A file in our folder is meant for us, whatever it names.
pub(super) fn leave_out_others(head: &str, page: &mut ShipmentPage) {
    if !page.taken.is_empty() {
        return;
    }
    let ours = |key: &str| key.starts_with(head);
    page.shipments.retain(|shipment| ours(&shipment.key));
    page.states.retain(|(key, _)| ours(key));
    page.rejected.retain(|one| one.key.as_deref().is_none_or(ours));
}

/// Puts the request's key where the warehouse gave the order's reference. Where there is no such request, or more than one, the
/// reference stays, and a person is asked as of any key that is not known.
async fn by_reference(runtime: &Runtime, shipments: Vec<Shipment>) -> Result<Vec<Shipment>, FlowError> {
    if shipments.is_empty() {
        return Ok(shipments);
    }
    let references = shipments.iter().map(|shipment| shipment.key.clone()).collect();
    let keys = runtime.db.keys_by_reference(&runtime.key, references).await?;
    let named = shipments.into_iter().map(|mut shipment| {
        if let Some(key) = keys.get(&shipment.key) {
            shipment.key.clone_from(key);
        }
        shipment
    });
    Ok(named.collect())
}

/// Keeps what a reading says about messages, and plans the answers to them.
pub(super) async fn keep_letters(runtime: &Runtime, letters: Letters) -> Result<(), FlowError> {
    if letters.is_empty() {
        return Ok(());
    }
    let Letters { marks, answers, receipts, known_for } = letters;
    let answered = !answers.is_empty();
    let answers = answers
        .into_iter()
        .map(|draft| NewEffect {
            id: runtime.effect_id(),
            lane: key::letter_lane(runtime.key.connection.as_str(), &draft.key),
            draft,
            subject: Subject::default(),
            not_before: None,
        })
        .collect();
    runtime.db.keep_letters(&runtime.key, &marks, answers, &receipts).await?;
    if let (Some(known_for), false) = (known_for, marks.is_empty()) {
        runtime.db.forget_letters(&runtime.key, known_for).await?;
    }
    if answered {
        runtime.wake.warehouse.notify_one();
    }
    Ok(())
}

async fn seen(runtime: &Runtime, taken: &[Inbound]) -> Result<Vec<bool>, FlowError> {
    Ok(runtime.db.inputs_seen(&runtime.key, taken).await?)
}

/// Puts away what is committed. A failure here loses nothing: it is read again and known.
pub(super) async fn put_away(runtime: &Runtime, taken: &[Inbound], rejected: &[connect::RejectedInput]) {
    if taken.is_empty() && rejected.is_empty() {
        return;
    }
    // While nothing is sent nothing is taken away either: this may be a copy, and another installation waits for the files.
    match runtime.db.may_put_away().await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::warn!(connection.id = %runtime.key.connection, "what was read is put away later: {error}");
            return;
        }
    }
    for input in rejected {
        tracing::warn!(
            connection.id = %runtime.key.connection, input.name = %input.input.name,
            "input set aside: {}", input.reason
        );
    }
    if let Err(error) = runtime.warehouse.acknowledge(taken, rejected).await {
        tracing::warn!(connection.id = %runtime.key.connection, "what was read could not be put away yet: {error}");
    }
}

#[cfg(test)]
mod tests {
    use connect::{Inbound, RejectedInput, RequestState, ShipmentPage};

    use super::leave_out_others;

    #[test]
    fn what_is_wrong_with_an_order_of_others_concerns_nobody_here() {
        let input = |name: &str| Inbound { name: name.to_owned(), content_hash: String::new(), content: Vec::new() };
        let rejected = |key: Option<&str>| RejectedInput {
            input: input("transfer WH/OUT/00001"),
            reason: "2 units of a product without a SKU left".to_owned(),
            beside: false,
            key: key.map(str::to_owned),
        };
        let page = |taken: Vec<Inbound>| ShipmentPage {
            states: vec![
                ("PO-4711".to_owned(), RequestState::Working),
                ("BPacme-O1".to_owned(), RequestState::Working),
            ],
            rejected: vec![rejected(Some("PO-4711")), rejected(Some("BPacme-O1")), rejected(None)],
            taken,
            ..ShipmentPage::default()
        };
        let left = |page: &ShipmentPage| {
            let keys: Vec<Option<String>> = page.rejected.iter().map(|one| one.key.clone()).collect();
            (keys, page.states.len())
        };
        let mut shared = page(Vec::new());
        leave_out_others("BPacme-", &mut shared);
        assert_eq!(
            left(&shared),
            (vec![Some("BPacme-O1".to_owned()), None], 1),
            "ours, and what says nothing of whose it is"
        );
        let mut file = page(vec![input("shp_1.csv")]);
        leave_out_others("BPacme-", &mut file);
        assert_eq!((file.rejected.len(), file.states.len()), (3, 2), "a file in our folder is meant for us");
    }
}
