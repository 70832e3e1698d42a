//! What must hold when a run has come to rest, by the ledgers of the account and the warehouse. What the hub itself keeps is
//! asked only for what it says it could not do.

use std::collections::{BTreeMap, BTreeSet};

use connect::FeedBasis;
use engine::settings::{ShortShip, StartMode};
use jiff::{SignedDuration, Timestamp};

use super::{
    brightpearl::{
        Change,
        account::{
            AT_WAREHOUSE, Account, CANCELLED, HUB, NEW, Note, OrderRow, PARTLY_SHIPPED, SET_ASIDE, SHIPPED, SalesOrder,
        },
        id_set,
    },
    rest::State,
    run::{Run, warehouse_sku},
    warehouse::Left,
    wire::PATIENCE,
};

/// An order is read once more before it is sent, at most so long before.
const LAST_LOOK: SignedDuration = SignedDuration::from_secs(45);
/// The contract's time to come to rest, with the longest pause between two tries and the wait for late calls before it; two such
/// waits more where what is late may be later (`Run::works_on`).
const LONGEST_DRAIN: u64 = 15 * 60;
/// The contract's aim for a backlog, in seconds.
const FIVE_MINUTES: u64 = 5 * 60;

/// Everything.
pub fn at_rest(run: &mut Run) {
    // Nothing that happened since the last round is left out.
    run.warehouse.pull(run.clock.true_time());
    let account = std::sync::Arc::clone(&run.account);
    let state = account.state();
    let mut findings = Vec::new();
    let shown = shown(run);
    one_order_per_key(run, &mut findings);
    keys_are_deterministic(run, &mut findings);
    refused_is_not_done(run, &state.changes, &mut findings);
    let rest = run.rest.clone();
    let rest = rest.state();
    refused_is_not_done(run, &rest.changes, &mut findings);
    repeats(run, &rest.changes, &rest.looks, rest.lag, &mut findings);
    made_once(&rest.changes, &mut findings);
    cancels_were_wanted(run, &state.account, &rest.changes, &mut findings);
    nobody_is_lost(run, &state.account, &shown, &mut findings);
    cancelled_is_not_sent(run, &state.account, &mut findings);
    let by_staff: BTreeSet<i64> = rest.by_staff.iter().map(|(_, key)| order_of(key)).collect();
    what_was_asked(run, &state.account, &by_staff, &mut findings);
    requests_are_of_their_moment(run, &state.account, &mut findings);
    nothing_ready_stays(run, &state.account, &shown, &mut findings);
    parks_are_explained(run, &state.account, &by_staff, &shown, &mut findings);
    let told = shipments_are_told(run, &state.account, &shown, &mut findings);
    never_more_than_ordered(&state.account, &state.changes, &mut findings);
    let left_out = stock(run, &state.account, &rest, &mut findings);
    *run.counts.entry("products whose stock waits for a person".to_owned()).or_default() += left_out;
    findings.extend(state.account.balances().err());
    repeats(run, &state.changes, &state.looks, 0, &mut findings);
    let busiest = calls(&state.calls, &mut findings);
    if run.counts["seconds until at rest"] > FIVE_MINUTES {
        run.count("worlds that took more than five minutes to come to rest");
    }
    for (state, _) in shown.values() {
        run.count(&format!("orders shown as {state}"));
    }
    if run.counts["seconds until at rest"] > LONGEST_DRAIN + 2 * run.works_longer().as_secs() {
        findings.push(format!("L1: it took {} s to come to rest", run.counts["seconds until at rest"]));
    }
    for (fault, times) in state.faults.iter().chain(&run.folder.held().faults).chain(&rest.faults) {
        *run.counts.entry(format!("fault {fault}")).or_default() += times;
    }
    for (_, why) in shown.values().filter(|(state, _)| state == "error") {
        let words: String = why.chars().filter(|letter| !letter.is_ascii_digit()).take(110).collect();
        *run.counts.entry(format!("why: {words}")).or_default() += 1;
    }
    let closed = shown.values().filter(|(state, _)| state == "closed").count() as u64;
    for (what, count) in [
        ("orders closed", closed),
        ("orders shown as needing a person", shown.values().filter(|(state, _)| state == "error").count() as u64),
        ("shipments", run.warehouse.left.len() as u64),
        ("shipments told", told),
        ("corrections", state.account.corrections.len() as u64),
        ("calls", state.calls.len() as u64),
        ("calls to a warehouse behind an API", rest.calls),
        (
            "orders cancelled at the warehouse",
            run.warehouse.orders.iter().filter(|order| order.cancelled).count() as u64,
        ),
        ("calls in the busiest minute", busiest as u64),
        ("changes", state.changes.len() as u64),
        (
            "changes of unknown outcome",
            state.changes.iter().filter(|change| change.done.is_none() && !change.turned_away).count() as u64,
        ),
        ("crossings", run.trace.crossings()),
    ] {
        *run.counts.entry(what.to_owned()).or_default() += count;
    }
    for (cell, hits) in run.trace.cells() {
        *run.counts.entry(cell).or_default() += hits;
    }
    drop((state, rest));
    for finding in findings {
        run.watch.finding(finding);
    }
}

/// After a loss: the order numbers of shipments that are shown as belonging to no known request.
fn unmatched(run: &Run) -> BTreeSet<String> {
    if !run.lost_something() {
        return BTreeSet::new();
    }
    run.witness.rows("SELECT key FROM shipment WHERE request IS NULL").concat().into_iter().collect()
}

/// What the hub shows of each order: state and reason.
fn shown(run: &Run) -> BTreeMap<i64, (String, String)> {
    let rows = run.witness.rows("SELECT order_id, state, state_reason FROM orders");
    rows.into_iter().map(|row| (row[0].parse().unwrap(), (row[1].clone(), row[2].clone()))).collect()
}

/// `BPacme-O{order}`, and `-G{note}` or `-S{n}` behind it.
fn order_of(key: &str) -> i64 {
    let rest = key.strip_prefix("BPacme-O").unwrap_or_default();
    rest.split('-').next().unwrap_or_default().parse().unwrap_or(0)
}

/// Orders of which the warehouse works on something, or something has left. What is held there nobody works on.
fn at_warehouse(run: &Run) -> BTreeSet<i64> {
    let there = run.warehouse.orders.iter().filter(|order| !order.cancelled && !order.held);
    there.map(|order| order_of(&order.key)).collect()
}

/// O1.
fn one_order_per_key(run: &Run, findings: &mut Vec<String>) {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for order in run.warehouse.orders.iter().filter(|order| !order.cancelled) {
        *seen.entry(&order.key).or_default() += 1;
    }
    findings.extend(
        seen.iter().filter(|(_, times)| **times > 1).map(|(key, times)| format!("O1: {key} came {times} times")),
    );
}

/// O1: behind an API a number is used once, whatever became of the order that had it.
fn made_once(changes: &[Change], findings: &mut Vec<String>) {
    let mut made: BTreeMap<&str, u32> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.kind == "warehouse order/post" && was_done(change)) {
        *made.entry(change.body["referenceNum"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let twice = made.into_iter().filter(|(_, times)| *times > 1);
    findings.extend(twice.map(|(key, times)| format!("O1: {key} was made {times} times")));
}

/// Nothing is cancelled at the warehouse that nobody wanted stopped or changed, and what the hub calls stopped there is.
fn cancels_were_wanted(run: &Run, account: &Account, changes: &[Change], findings: &mut Vec<String>) {
    for change in changes.iter().filter(|change| change.kind == "warehouse order canceler/post" && was_done(change)) {
        let reference = |id: &i64| Some(run.warehouse.orders.iter().find(|order| order.is(*id))?.key.clone());
        let Some(key) = change.target.first().and_then(reference) else { continue };
        let id = order_of(&key);
        let was_cancelled =
            account.statuses.iter().any(|(at, of, status)| *of == id && *status == CANCELLED && *at <= change.arrived);
        let note_ended = note_of(&key).is_some_and(|note| {
            account.gone.contains_key(&note)
                || account.notes.get(&note).is_some_and(|note| note.shipped.is_some_and(|(_, by)| by != HUB))
        });
        if !was_cancelled && !note_ended && account.orders.get(&id).is_none_or(|order| order.person_edit.is_none()) {
            findings
                .push(format!("O4: at {} {key} is cancelled at the warehouse, and nobody wanted that", change.arrived));
        }
    }
    let stopped = run.witness.rows(
        "SELECT r.key FROM race AS c JOIN request AS r ON r.tenant = c.tenant AND r.merchant = c.merchant AND r.id = c.request
         WHERE c.outcome = 'accepted' AND c.answer IS NULL",
    );
    for key in stopped.concat() {
        let lives = run.warehouse.orders.iter().any(|order| order.key == key && !order.cancelled);
        let left = run.warehouse.left.iter().any(|left| left.key == key);
        if run.warehouse.is_rest() && (lives || left) {
            findings.push(format!("O4: {key} counts as stopped at the warehouse, and is not"));
        }
    }
}

/// A key follows from the order and the note that asks for it, never from a time or a number drawn (§4.1).
fn keys_are_deterministic(run: &Run, findings: &mut Vec<String>) {
    for order in &run.warehouse.orders {
        let rest = order.key.strip_prefix("BPacme-O").unwrap_or_default();
        let mut parts = rest.split('-');
        let number = |text: Option<&str>| text.is_some_and(|text| text.parse::<u32>().is_ok());
        // Only what can be stopped goes again under another number.
        let marks: &[char] = if run.warehouse.is_rest() { &['G', 'R', 'S'] } else { &['G', 'S'] };
        let good = number(parts.next()) && parts.all(|part| marks.iter().any(|mark| number(part.strip_prefix(*mark))));
        if !good {
            findings.push(format!("O1: {} is no key that could be found again", order.key));
        }
    }
}

/// It was carried out, and not refused.
fn was_done(change: &Change) -> bool {
    change.done.as_ref().is_some_and(|(_, (status, _))| (200..300).contains(status))
}

/// What the account carried out was not refused, whatever its answer looked like.
fn refused_is_not_done(run: &Run, changes: &[Change], findings: &mut Vec<String>) {
    let refused: BTreeSet<String> =
        run.witness.rows("SELECT id FROM effect WHERE state = 'refused'").concat().into_iter().collect();
    for change in changes.iter().filter(|change| was_done(change)) {
        for effect in change.effects.iter().filter(|effect| refused.contains(*effect)) {
            findings.push(format!("J3: {effect} ({}) counts as refused, and was carried out", change.kind));
        }
    }
}

/// O2.
fn nobody_is_lost(run: &Run, account: &Account, shown: &BTreeMap<i64, (String, String)>, findings: &mut Vec<String>) {
    let there = at_warehouse(run);
    // After a loss, one that stood at no status of the hub's and cannot be looked for is named to a person, and otherwise left
    // alone; a change that the lost journal had asked for may move it later.
    let told = run.witness.rows("SELECT coalesce(report, '') FROM recovery_pass").concat();
    let named = |id: &i64| told.iter().any(|report| report.contains(&format!("\"order {id}: ")));
    for (id, order) in &account.orders {
        let in_scope = match run.settings.start_mode {
            // What is shipped altogether is not looked for any more.
            StartMode::Order => {
                let ships = |row: &OrderRow| row.product.is_some() && row.quantity > 0;
                let open =
                    |(row_id, row): (&i64, &OrderRow)| ships(row) && account.shipped(*id, *row_id) < row.quantity;
                // The hub itself moves an order on once it counts as sent: that it came there is looked for all the same.
                [NEW, AT_WAREHOUSE, PARTLY_SHIPPED, SHIPPED].contains(&order.status) && order.rows.iter().any(open)
            }
            StartMode::GoodsOutNote => account.notes.values().any(|note| note.order == *id && note.shipped.is_none()),
        };
        match shown.get(id) {
            None if in_scope && !named(id) => findings.push(format!("O2: order {id} is not known to the hub")),
            Some((state, why)) if !there.contains(id) && in_scope => {
                // A status that was on its way may come after somebody has cancelled the order, and hide that.
                let was_cancelled = || account.statuses.iter().any(|(_, of, status)| of == id && *status == CANCELLED);
                let visible = ["new", "held", "skipped", "error"].contains(&state.as_str()) && !why.is_empty()
                    || state == "cancelled" && was_cancelled();
                if !visible {
                    findings.push(format!("O2: order {id} is not at the warehouse, and is shown as {state} ({why})"));
                }
            }
            _ => {}
        }
    }
}

/// L2: what is left to a person is left for a reason that happened here, the one that is shown.
fn parks_are_explained(
    run: &Run,
    account: &Account,
    by_staff: &BTreeSet<i64>,
    shown: &BTreeMap<i64, (String, String)>,
    findings: &mut Vec<String>,
) {
    let twice: BTreeSet<String> = run
        .witness
        .rows("SELECT o.order_id FROM effect AS e JOIN orders AS o ON o.id = e.order_ref WHERE e.attempt > 1")
        .concat()
        .into_iter()
        .collect();
    for (id, (_, why)) in shown.iter().filter(|(_, (state, _))| state == "error") {
        let Some(order) = account.orders.get(id) else { continue };
        let by_person = order.person_edit.is_some() || order.person_status.is_some() || by_staff.contains(id);
        let explained = if why.contains("its outcome was unknown twice") {
            twice.contains(&id.to_string())
        } else if why.contains("less left than goods-out note") {
            run.settings.short_ship == ShortShip::Hold
        } else {
            by_person
        };
        if !explained {
            findings.push(format!("L2: order {id} needs a person, and nothing that happened says why: {why}"));
        }
    }
}

/// O4. What is at the warehouse already, held, is let go unless it is cancelled: another status that somebody sets is no wish to
/// stop it (docs/cancels-and-changes.md).
fn cancelled_is_not_sent(run: &Run, account: &Account, findings: &mut Vec<String>) {
    let published = run.watch.published().into_iter().map(|sent| (sent, true));
    let released = run.watch.released().into_iter().map(|sent| (sent, false));
    for ((at, key), is_new) in published.chain(released) {
        let order = order_of(&key);
        let before =
            |limit: Timestamp| account.statuses.iter().rev().find(|(when, id, _)| *id == order && *when < limit);
        let out = match run.settings.start_mode {
            StartMode::Order if is_new => vec![CANCELLED, SET_ASIDE],
            _ => vec![CANCELLED],
        };
        // It was so for a while, and nothing came in between.
        if let (Some((when, _, status)), Some((since, _, _))) = (before(at), before(at - LAST_LOOK))
            && when == since
            && out.contains(status)
        {
            findings.push(format!("O4: {key} was sent at {at}, and the order stood at {status} since {since}"));
        }
    }
}

/// O3, of orders that nobody changed: what the warehouse was asked for is what was ordered, once. Of the others, under whatever
/// numbers: never more than was ever ordered.
fn what_was_asked(run: &Run, account: &Account, by_staff: &BTreeSet<i64>, findings: &mut Vec<String>) {
    for (id, order) in &account.orders {
        let mut most: BTreeMap<String, i64> = BTreeMap::new();
        for row in order.rows.values() {
            let Some(product) = row.product else { continue };
            *most.entry(warehouse_sku(product)).or_default() += row.most;
        }
        let mut asked: BTreeMap<String, i64> = BTreeMap::new();
        for line in run
            .warehouse
            .orders
            .iter()
            .filter(|order| order_of(&order.key) == *id && !order.cancelled)
            .flat_map(|order| &order.lines)
        {
            *asked.entry(line.sku.clone()).or_default() += line.asked;
        }
        if asked.iter().any(|(sku, units)| *units > most.get(sku).copied().unwrap_or(0)) {
            findings.push(format!(
                "O3: of order {id} {asked:?} was asked for in all, and never more than {most:?} was ordered"
            ));
        }
    }
    let untouched = |id: &i64, order: &SalesOrder| order.person_edit.is_none() && !by_staff.contains(id);
    for (id, order) in account.orders.iter().filter(|(id, order)| untouched(id, order)) {
        let mut asked: BTreeMap<String, i64> = BTreeMap::new();
        let here = run.warehouse.orders.iter().filter(|order| order_of(&order.key) == *id && !order.cancelled);
        for line in here.flat_map(|order| &order.lines) {
            *asked.entry(line.sku.clone()).or_default() += line.asked;
        }
        let wanted: BTreeMap<String, i64> =
            order.rows.values().filter_map(|row| Some((warehouse_sku(row.product?), row.quantity))).collect();
        if !asked.is_empty() && asked != wanted {
            findings.push(format!("O3: of order {id} {asked:?} was asked for, and {wanted:?} is ordered"));
        }
    }
}

/// The goods-out note that a key is for.
fn note_of(key: &str) -> Option<i64> {
    key.split('-').find_map(|part| part.strip_prefix('G')?.parse().ok())
}

/// O3 and O4, request by request, whatever people changed later: it asks for what was wanted when it was sent, or at the last look
/// before it. One for a goods-out note asks for that note's goods, and the note was there and not shipped by anybody.
fn requests_are_of_their_moment(run: &Run, account: &Account, findings: &mut Vec<String>) {
    for (asked, key) in run.watch.released() {
        let Some(note) = note_of(&key) else { continue };
        let ended = account.gone.get(&note).map(|(at, _)| *at);
        let ended = ended.or(account.notes.get(&note).and_then(|note| note.shipped).map(|(at, _)| at));
        if let Some(at) = ended.filter(|at| *at < asked - LAST_LOOK) {
            findings.push(format!("O4: {key} was let go at {asked}, and its note was gone or shipped since {at}"));
        }
    }
    for (asked, key) in run.watch.published() {
        let Some(came) = run.warehouse.orders.iter().find(|order| order.key == key) else { continue };
        let looked = asked - LAST_LOOK;
        let mut units: BTreeMap<String, i64> = BTreeMap::new();
        for line in &came.lines {
            *units.entry(line.sku.clone()).or_default() += line.asked;
        }
        if let Some(id) = note_of(&key) {
            let gone = account.gone.get(&id).map(|(at, _)| *at);
            let Some(note) = account.notes.get(&id).or(account.gone.get(&id).map(|(_, note)| note)) else {
                findings.push(format!("O3: {key} is for a goods-out note that never was"));
                continue;
            };
            let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
            for (product, quantity) in note.rows.values() {
                *wanted.entry(warehouse_sku(*product)).or_default() += quantity;
            }
            if units != wanted {
                findings.push(format!("O3: {key} asks for {units:?}, and its note is over {wanted:?}"));
            }
            let ended = gone.or(note.shipped.map(|(at, _)| at)).filter(|at| *at < looked);
            if let Some(at) = ended {
                findings.push(format!("O4: {key} was sent at {asked}, and its note was gone or shipped since {at}"));
            }
            continue;
        }
        let id = order_of(&key);
        let theirs = |note: &Note| note.order == id && note.created_by != HUB;
        if account.notes.values().any(theirs) || account.gone.values().any(|(_, note)| theirs(note)) {
            continue;
        }
        let rows = &account.orders[&id].rows;
        let moments: BTreeSet<Timestamp> =
            rows.values().flat_map(|row| &row.was).map(|(since, _)| *since).chain([looked]).collect();
        let wanted_at = |moment: Timestamp| {
            let mut wanted: BTreeMap<String, i64> = BTreeMap::new();
            for row in rows.values() {
                let Some(product) = row.product else { continue };
                *wanted.entry(warehouse_sku(product)).or_default() += row.at(moment);
            }
            wanted
        };
        if !moments.into_iter().filter(|at| (looked..=asked).contains(at)).any(|at| wanted_at(at) == units) {
            findings
                .push(format!("O3: {key} asks for {units:?}, and when it was sent {:?} was wanted", wanted_at(asked)));
        }
    }
}

/// O2: what nobody ever touched and is wholly set aside goes to the warehouse; nothing holds it, and nothing it waits for will come.
fn nothing_ready_stays(
    run: &Run,
    account: &Account,
    shown: &BTreeMap<i64, (String, String)>,
    findings: &mut Vec<String>,
) {
    if run.settings.start_mode != StartMode::Order || run.lost_something() {
        return;
    }
    let there = at_warehouse(run);
    for (id, order) in account.orders.iter().filter(|(id, _)| !there.contains(id)) {
        let touched = order.person_edit.is_some() || order.person_status.is_some();
        let mut goods = order.rows.values().filter(|row| row.product.is_some()).peekable();
        let ready = goods.peek().is_some() && goods.all(|row| row.reserved == row.quantity);
        match shown.get(id) {
            Some((state, why)) if ready && !touched && state != "error" => {
                findings.push(format!("O2: order {id} is ready, and stays {state} ({why})"));
            }
            _ => {}
        }
    }
}

/// Rows of the order and their units that left with a shipment.
fn left_rows(account: &Account, left: &Left) -> BTreeMap<i64, i64> {
    let order = &account.orders[&order_of(&left.key)];
    let mut rows = BTreeMap::new();
    for (_, sku, units) in left.boxes.iter().flat_map(|(_, lines)| lines) {
        let row = order.rows.iter().find(|(_, row)| row.product.is_some_and(|product| warehouse_sku(product) == *sku));
        *rows.entry(*row.unwrap().0).or_default() += units;
    }
    rows
}

/// What the note of a shipment says: every tracking number, or as many as fit and how many do not.
fn is_reference(text: &str, numbers: &[String]) -> bool {
    let whole = numbers.join(", ");
    if whole.len() <= 64 {
        return text == whole;
    }
    let Some((shown, missing)) = text.rsplit_once(" +") else { return false };
    let shown: Vec<&str> = shown.split(", ").collect();
    missing.parse() == Ok(numbers.len() - shown.len())
        && numbers.iter().zip(&shown).all(|(number, shown)| number == shown)
}

/// S1 and S3: a shipped note cannot be changed, so what it says now was written before it was shipped. How many were told.
fn shipments_are_told(
    run: &Run,
    account: &Account,
    shown: &BTreeMap<i64, (String, String)>,
    findings: &mut Vec<String>,
) -> u64 {
    let needs_person = |order: i64| shown.get(&order).is_some_and(|(state, why)| state == "error" && !why.is_empty());
    let unmatched = unmatched(run);
    let mut used: BTreeMap<i64, &str> = BTreeMap::new();
    let mut told = 0;
    for left in &run.warehouse.left {
        let (order, rows, numbers) = (order_of(&left.key), left_rows(account, left), left.tracking());
        let notes: Vec<(i64, bool)> = account
            .notes
            .iter()
            .filter(|(_, note)| {
                note.order == order && note.shipped.is_some() && is_reference(&note.reference, &numbers)
            })
            .map(|(id, note)| {
                (*id, note.rows.iter().map(|(row, (_, units))| (*row, *units)).collect::<BTreeMap<_, _>>() == rows)
            })
            .collect();
        match notes.as_slice() {
            [(note, true)] => {
                told += 1;
                if let Some(other) = used.insert(*note, &left.id) {
                    findings.push(format!("S1: note {note} tells of shipments {other} and {}", left.id));
                }
                let fits = numbers.join(", ").len() <= 64;
                let listed = account
                    .order_notes
                    .iter()
                    .filter(|note| note.order == order && numbers.iter().all(|number| note.text.contains(number)));
                match listed.count() {
                    0 if !fits && !needs_person(order) => {
                        findings.push(format!("S1: the numbers of shipment {} do not fit and stand nowhere", left.id));
                    }
                    times if times > 1 => {
                        findings.push(format!("S1: the numbers of shipment {} stand on {times} order notes", left.id))
                    }
                    _ => {}
                }
            }
            [] if needs_person(order) || unmatched.contains(&left.key) => {}
            [] => findings.push(format!(
                "S1: shipment {} of {} is told by no note, and the order is shown as {:?}",
                left.id,
                left.key,
                shown.get(&order)
            )),
            other => findings
                .push(format!("S1: shipment {} of {} is told by {other:?} (note, same rows)", left.id, left.key)),
        }
    }
    // The request of which the hub made part notes was deleted, so after a loss nothing says that they are its own to end: the
    // shipments are shown as of no known order.
    let orders_unmatched: BTreeSet<i64> = unmatched.iter().map(|key| order_of(key)).collect();
    let by_person = |note: &Note| note.shipped.is_some_and(|(_, by)| by != HUB);
    for (id, note) in account.notes.iter().filter(|(id, note)| note.created_by == HUB && !used.contains_key(id)) {
        if by_person(note) {
            continue;
        }
        let what = if note.shipped.is_some() { "is shipped and tells of no shipment" } else { "is left open" };
        if note.shipped.is_some() || !needs_person(note.order) && !orders_unmatched.contains(&note.order) {
            findings.push(format!("S1: note {id} of order {}, made by the hub, {what}", note.order));
        }
    }
    told
}

/// S2. Where the account takes too much (A3 does not hold) and a person makes a note while one of the hub's is on its way, or
/// lowers what is ordered meanwhile, nobody can keep the sum down; otherwise the hub's own notes must do so still.
fn never_more_than_ordered(account: &Account, changes: &[Change], findings: &mut Vec<String>) {
    for (id, order) in &account.orders {
        let on_its_way = |lowered: &Timestamp| {
            changes.iter().any(|change| {
                change.kind == "goods-out-note/post"
                    && change.target.first() == Some(id)
                    && change.arrived <= *lowered
                    && change.done.as_ref().is_some_and(|(done, (status, _))| done >= lowered && *status == 200)
            })
        };
        for (row_id, row) in &order.rows {
            if account.takes_too_much && row.lowered.iter().any(on_its_way) {
                continue;
            }
            let by_hub: i64 = account
                .notes
                .values()
                .filter(|note| note.order == *id && note.created_by == HUB)
                .filter_map(|note| note.rows.get(row_id))
                .map(|(_, units)| units)
                .sum();
            let all = account.on_notes(*id, *row_id);
            let noted = if account.takes_too_much && all > by_hub { by_hub } else { all };
            if noted > row.quantity {
                findings.push(format!(
                    "S2: row {row_id} of order {id} is ordered {} times and on notes {noted} times",
                    row.quantity
                ));
            }
        }
    }
}

/// K2, K3 and K5. How many products were left out, since what of them is where waits for a person.
fn stock(run: &Run, account: &Account, rest: &State, findings: &mut Vec<String>) -> u64 {
    let mut left_out = 0;
    let mut markers: BTreeMap<&str, u32> = BTreeMap::new();
    for line in &account.corrections {
        *markers.entry(&line.reason).or_default() += 1;
    }
    findings.extend(
        markers
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(marker, times)| format!("K3: {marker:?} is there {times} times")),
    );
    let unsettled: BTreeSet<String> = run
        .witness
        .rows("SELECT DISTINCT product_id FROM effect WHERE kind = 'correct_stock' AND state IN ('parked', 'conflict')")
        .concat()
        .into_iter()
        .collect();
    let last = run.witness.rows("SELECT state, reason, cut_off FROM stock_run ORDER BY cut_off DESC LIMIT 1");
    if last.is_empty() || last[0][0] != "planned" {
        findings.push(format!("K2: the last count was not acted upon: {last:?}"));
    }
    let unmatched = unmatched(run);
    let of_unmatched: BTreeSet<&String> = run
        .warehouse
        .left
        .iter()
        .filter(|left| unmatched.contains(&left.key))
        .flat_map(|left| left.boxes.iter().flat_map(|(_, lines)| lines.iter().map(|(_, sku, _)| sku)))
        .collect();
    for (id, product) in &account.products {
        let sku = warehouse_sku(*id);
        // What has left and belongs to nothing that the hub knows is a difference like any other.
        if of_unmatched.contains(&sku) {
            left_out += 1;
            continue;
        }
        // What has left and is not posted is still in the account's figure. A note that a person shipped although nothing left for
        // it says nothing of the shelves.
        let mut waits: BTreeMap<i64, i64> = BTreeMap::new();
        for left in &run.warehouse.left {
            let lines = left.boxes.iter().flat_map(|(_, lines)| lines).filter(|(_, of, _)| *of == sku);
            *waits.entry(order_of(&left.key)).or_default() += lines.map(|(_, _, units)| units).sum::<i64>();
        }
        for note in account.notes.values().filter(|note| note.shipped.is_some()) {
            let rows = note.rows.values().filter(|(product, _)| product == id);
            *waits.entry(note.order).or_default() -= rows.map(|(_, units)| units).sum::<i64>();
        }
        let should_be = run.warehouse.stock[&sku] + waits.values().map(|units| units.max(&0)).sum::<i64>();
        if unsettled.contains(&id.to_string()) || is_explained(run, account, *id) {
            left_out += 1;
            continue;
        }
        if product.in_stock != should_be {
            findings.push(format!("K2: {sku} should be {should_be} in stock, and is {}", product.in_stock));
        }
        // K5: what can be sold is there. What somebody changed at one end the other may not know of.
        let untouched = |order: &SalesOrder| order.person_edit.is_none() && order.person_status.is_none();
        let of_product = |order: &&SalesOrder| order.rows.values().any(|row| row.product == Some(*id));
        let on_hand = product.in_stock - product.allocated;
        let committed = if run.warehouse.is_rest() { rest.committed(&sku) } else { run.warehouse.committed(&sku) };
        let available = run.warehouse.stock[&sku] - committed;
        if on_hand > available && account.orders.values().filter(of_product).all(untouched) {
            findings.push(format!("K5: {on_hand} of {sku} can be sold, and {available} are available"));
        }
    }
    left_out
}

/// Whether an order of the product waits for a person: then the equation waits with it. Or whether it was changed after a
/// journal that is lost had sent it, and the person who was asked whether the warehouse has it said yes: what of it the
/// warehouse believes to be wanted nobody has asked.
fn is_explained(run: &Run, account: &Account, product: i64) -> bool {
    if run.lost_something() && believed(run, product) != sent(run, product) {
        return true;
    }
    let mut waiting =
        run.witness.rows("SELECT order_id FROM orders WHERE state = 'error' OR held_reason IS NOT NULL").concat();
    if run.settings.stock.basis == FeedBasis::Available {
        // What a lost journal sent, and how much of it, only a person's word says.
        let by_word = "SELECT r.order_id FROM effect AS e JOIN request AS r ON r.id = e.request_ref
             WHERE e.kind = 'submit_request' AND e.state = 'applied' AND e.attempt = 0
                 AND e.recovery IN ('conflict', 'cannot_ask') AND r.done = 0";
        waiting.extend(run.witness.rows(by_word).concat());
    }
    waiting.iter().any(|order| {
        let order = &account.orders[&order.parse::<i64>().unwrap()];
        order.rows.values().any(|row| row.product == Some(product))
    })
}

/// Units of a product in open requests, by key, as the hub believes.
fn believed(run: &Run, product: i64) -> BTreeMap<String, i64> {
    let mut units = BTreeMap::new();
    for row in run.witness.rows("SELECT key, lines FROM request WHERE live = 1 AND done = 0") {
        let lines: serde_json::Value = serde_json::from_str(&row[1]).unwrap();
        let of_product = lines.as_array().into_iter().flatten().filter(|line| line["product_id"] == product);
        let asked = of_product.map(|line| line["quantity"].as_str().unwrap().parse::<i64>().unwrap()).sum::<i64>();
        units.insert(row[0].clone(), asked);
    }
    units
}

/// The same of the same keys, as it came in at the warehouse.
fn sent(run: &Run, product: i64) -> BTreeMap<String, i64> {
    let sku = warehouse_sku(product);
    let mut units = believed(run, product);
    for order in &run.warehouse.orders {
        if let Some(asked) = units.get_mut(&order.key) {
            *asked = order.lines.iter().filter(|line| line.sku == sku).map(|line| line.asked).sum();
        }
    }
    units
}

/// J2: what only a look guards is not sent again before two looks found nothing and nothing late can come any more; a stock
/// difference is never sent again.
fn repeats(run: &Run, changes: &[Change], reads: &[(Timestamp, String)], lag: i64, findings: &mut Vec<String>) {
    // The longest time in which a call may still take effect, less the clocks' difference (Tq).
    let late = SignedDuration::try_from(PATIENCE + run.works_on).unwrap();
    let mut before: BTreeMap<&str, &Change> = BTreeMap::new();
    for change in changes {
        for effect in &change.effects {
            let earlier = before.insert(effect, change).filter(|earlier| !earlier.turned_away);
            let Some(earlier) = earlier else { continue };
            let gap = change.arrived.duration_since(earlier.arrived);
            // A refusal in documented form, once read, is as good as a look.
            let refused = earlier.done.is_some() && !was_done(earlier);
            match change.kind {
                "stock-correction/post" => {
                    findings.push(format!("J2: {effect} (a stock difference) was sent twice, {gap:#} apart"))
                }
                "goods-out-note/post" | "order-status/put" | "order-note/post" | "warehouse order/post" if !refused => {
                    let (from, to) = (earlier.arrived.as_millisecond(), change.arrived.as_millisecond());
                    // The hub's clock may be off by some seconds, or by minutes where somebody sets it.
                    let off = if run.sets_clock { 605_000 } else { 5_000 };
                    let looks = run.witness.count(&format!(
                        "SELECT count(*) FROM attempt WHERE effect = '{effect}' AND what = 'probe'
                             AND recorded_at BETWEEN {from} - {off} AND {to} + {off}"
                    ));
                    // By the account's own ledger as well: it answered such looks in full, the last one when nothing late could come.
                    let answered: Vec<Timestamp> = reads
                        .iter()
                        .filter(|(at, path)| (earlier.arrived..=change.arrived).contains(at) && tells_of(path, change))
                        .map(|(at, _)| *at)
                        .collect();
                    // What a search shows may be as old as it lags.
                    let late = match change.kind {
                        "warehouse order/post" => late + SignedDuration::from_secs(lag),
                        _ => late,
                    };
                    if answered.len() < 2 || answered.iter().all(|at| at.duration_since(earlier.arrived) < late) {
                        findings.push(format!(
                            "J2: {effect} ({}) was sent again {gap:#} later, and the account answered {} looks",
                            change.kind,
                            answered.len()
                        ));
                    }
                    // The attempts of before are gone with what the database lost; the wait is not.
                    let forgotten = run.lost_last().is_some_and(|lost| earlier.arrived < lost);
                    if gap < late || looks < 2 && !forgotten {
                        findings.push(format!(
                            "J2: {effect} ({}) was sent again {gap:#} later, after {looks} looks",
                            change.kind
                        ));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether the answer to a read shows what such a change does to this order.
fn tells_of(path: &str, change: &Change) -> bool {
    if change.kind == "warehouse order/post" {
        let key = change.body["referenceNum"].as_str().unwrap_or_default();
        return path.split(['(', ')', ',', ';']).any(|part| part.strip_prefix("referenceNum==") == Some(key));
    }
    let path: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let asks =
        |ids: &str| id_set(ids).is_some_and(|ids| change.target.first().is_some_and(|order| ids.contains(order)));
    match (change.kind, path.as_slice()) {
        ("goods-out-note/post", ["warehouse-service", "order", ids, "goods-note", "goods-out"])
        | ("order-status/put", ["order-service", "order", ids])
        | ("order-note/post", ["order-service", "order", ids, "note"]) => asks(ids),
        _ => false,
    }
}

/// RL1. Calls of the busiest minute.
fn calls(calls: &[Timestamp], findings: &mut Vec<String>) -> usize {
    let mut busiest = 0;
    for (place, from) in calls.iter().enumerate() {
        let within = calls[place..].iter().take_while(|at| at.duration_since(*from).as_secs() < 60).count();
        busiest = busiest.max(within);
        if within > 200 {
            findings.push(format!("RL1: {within} calls within a minute of {from}"));
            break;
        }
    }
    busiest
}
