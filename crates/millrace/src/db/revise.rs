//! Keeping imported orders: claims on the source's rows, requests, and the effects that put them at the warehouse.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, EffectKind, Order, OrderId, RequestId};
use engine::{
    effect::EffectState,
    erasure::{self, ERASED},
    key as keys,
    order::Disposition,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    ConnectionKey, ImportedOrder, NewEffect, NewRequest, R, Recorded, Scope, Subject,
    effects::{self, Replan, key_values, sha256},
    facts::{self, Bundle, RequestRow, disposition, row_units, scope_values},
    forgotten,
    orders::{PART_NOT_SENT, given_up_by_person},
    payload::pack_json,
    races, shipments,
    sql::{Tx, Value, json},
    words,
};

/// An order that is known already.
struct Known {
    id: OrderId,
    archived: bool,
    /// The people in it were erased.
    erased: bool,
    edition: i64,
    search: String,
    disposition: Disposition,
    problem: Option<String>,
    bundle: Bundle,
}

/// Everything one slice of orders changes, gathered first and written with few statements.
#[derive(Default)]
struct Changes {
    orders: Vec<Vec<Value>>,
    claims: Vec<Vec<Value>>,
    new_requests: Vec<Vec<Value>>,
    changed_requests: Vec<Vec<Value>>,
    ended_requests: Vec<RequestId>,
    new_effects: Vec<NewEffect>,
    voids: Vec<EffectId>,
    replans: Vec<Replan>,
    /// Requests that go again under their own key, because nothing of them was ever sent.
    renewed: Vec<RequestId>,
    /// Orders of which something is planned anew.
    planned: BTreeSet<OrderId>,
    /// What orders are found by, where that is new.
    words: Vec<(OrderId, String)>,
}

pub(super) async fn record(
    tx: &mut Tx,
    key: &ConnectionKey,
    account: &str,
    imported: Vec<ImportedOrder>,
    documents: Vec<Vec<u8>>,
) -> R<Vec<Recorded>> {
    let order_ids: Vec<i64> = imported.iter().map(|one| one.order.order_id).collect();
    // First of all: on PostgreSQL this locks the orders' rows against other connections until the commit.
    let others = claims_of_others(tx, key, account, &order_ids).await?;
    let mut known = load_known(tx, key, &order_ids).await?;
    let mut changes = Changes::default();
    let mut recorded = Vec::with_capacity(imported.len());
    let mut touched = BTreeSet::new();
    for (one, document) in imported.iter().zip(documents) {
        let known = known.remove(&one.order.order_id);
        let none = BTreeMap::new();
        let claimed = others.get(&one.order.order_id).unwrap_or(&none);
        touched.insert(known.as_ref().map_or_else(|| one.id.clone(), |known| known.id.clone()));
        recorded.push(consider(tx, key, account, one, document, known, claimed, &mut changes)?);
    }
    let keys: BTreeSet<String> =
        imported.iter().flat_map(|one| one.requests.iter().map(|request| request.key.clone())).collect();
    let planned = std::mem::take(&mut changes.planned);
    write(tx, key, account, &order_ids, changes).await?;
    shipments::match_keys(tx, key, &keys).await?;
    touched.extend(forgotten::planned(tx, key, &keys, &planned).await?);
    facts::refresh(tx, &key.scope, &touched).await?;
    Ok(recorded)
}

/// What other connections hold of a row: units, and who, as far as it may be told.
#[derive(Debug, Default, Clone)]
struct Claimed {
    units: Decimal,
    holder: String,
}

/// By order and row, what other connections of the whole installation have claimed.
async fn claims_of_others(
    tx: &mut Tx,
    key: &ConnectionKey,
    account: &str,
    order_ids: &[i64],
) -> R<BTreeMap<i64, BTreeMap<i64, Claimed>>> {
    let [tenant, _, connection] = key_values(key);
    let rows = if tx.is_postgres() {
        // The one narrow way to look beyond the tenant.
        tx.query(
            "SELECT order_id, row_id, quantity, holder FROM claims_of_others($1, $2, $3, $4)",
            &[account.into(), json(&order_ids)?.into(), tenant, connection],
        )
        .await?
    } else {
        tx.among(
            "SELECT c.order_id, c.row_id, c.quantity, n.name FROM claim AS c
             LEFT JOIN connection AS n
                 ON n.tenant = c.tenant AND n.merchant = c.merchant AND n.id = c.connection AND c.tenant = $2
             WHERE c.account = $1 AND NOT (c.tenant = $2 AND c.connection = $3) AND c.order_id IN (",
            ")",
            &[account.into(), tenant, connection],
            order_ids.iter().copied(),
        )
        .await?
    };
    let mut claims: BTreeMap<i64, BTreeMap<i64, Claimed>> = BTreeMap::new();
    for row in &rows {
        let claimed = claims.entry(row.int(0)?).or_default().entry(row.int(1)?).or_default();
        claimed.units += row.parsed::<Decimal>(2)?;
        claimed.holder = match row.opt_text(3)? {
            Some(name) => format!("claimed by connection {name}"),
            None => "held by another connection of this installation".to_owned(),
        };
    }
    Ok(claims)
}

/// Another connection of the installation that an order is, in whole or in part, the business of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldElsewhere {
    /// Who, as far as it may be told.
    pub holder: String,
    /// The rows of the order that it holds.
    pub rows: BTreeSet<i64>,
}

/// Who else holds rows of these orders, and which.
pub(super) async fn holders(
    tx: &mut Tx,
    key: &ConnectionKey,
    account: &str,
    order_ids: &[i64],
) -> R<BTreeMap<i64, HeldElsewhere>> {
    let claims = claims_of_others(tx, key, account, order_ids).await?;
    Ok(claims
        .into_iter()
        .filter_map(|(order, claimed)| {
            let holder = claimed.values().next()?.holder.clone();
            Some((order, HeldElsewhere { holder, rows: claimed.into_keys().collect() }))
        })
        .collect())
}

async fn load_known(tx: &mut Tx, key: &ConnectionKey, order_ids: &[i64]) -> R<BTreeMap<i64, Known>> {
    // Locked until the commit, so that no edit comes between what is looked at here and what is written.
    let lock = if tx.is_postgres() { ") ORDER BY id FOR NO KEY UPDATE" } else { ")" };
    let rows = tx
        .among(
            "SELECT order_id, id, archived, disposition, disposition_reason, problem, edition, search, ship_to FROM orders
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id IN (",
            lock,
            &key_values(key),
            order_ids.iter().copied(),
        )
        .await?;
    let mut ids = BTreeSet::new();
    for row in &rows {
        ids.insert(row.parsed(1)?);
    }
    let mut bundles = facts::load(tx, &key.scope, &ids).await?;
    let mut known = BTreeMap::new();
    for row in &rows {
        let id: OrderId = row.parsed(1)?;
        let bundle = bundles.remove(&id).unwrap_or_default();
        let one = Known {
            id,
            archived: row.flag(2)?,
            erased: row.text(8)? == ERASED,
            edition: row.int(6)?,
            search: row.string(7)?,
            disposition: disposition(row.text(3)?, row.text(4)?)?,
            problem: row.opt_string(5)?,
            bundle,
        };
        known.insert(row.int(0)?, one);
    }
    Ok(known)
}

/// Decides what changes for one order.
#[expect(clippy::too_many_arguments, reason = "one step of one loop, apart only to be read apart")]
fn consider(
    tx: &Tx,
    key: &ConnectionKey,
    account: &str,
    one: &ImportedOrder,
    document: Vec<u8>,
    known: Option<Known>,
    claimed: &BTreeMap<i64, Claimed>,
    changes: &mut Changes,
) -> R<Recorded> {
    let id = known.as_ref().map_or_else(|| one.id.clone(), |known| known.id.clone());
    if let Some(known) = &known
        && known.edition != one.edition
    {
        // Edited while it was being decided: it is still marked to be read again.
        keep_claims(key, account, one.order.order_id, held_claims(&known.bundle), &BTreeMap::new(), changes);
        return Ok(Recorded::EditedMeanwhile);
    }
    // Put away and erased, it stays so, whoever reads it once more: nothing of it will need an address.
    let erased = known.as_ref().filter(|known| known.archived && known.erased);
    let erased = erased.map(|_| erasure::order(one.order.clone()));
    let (ship_to, search, document) = match &erased {
        Some(order) => (ERASED.to_owned(), words::line_of(order, ""), pack_json(order)?),
        None => {
            let ship_to = ship_to(&one.order);
            let search = words::line_of(&one.order, &ship_to);
            (ship_to, search, document)
        }
    };
    if known.as_ref().is_none_or(|known| known.search != search) {
        changes.words.push((id.clone(), search.clone()));
    }
    let found_by = (ship_to, search);
    if let Some(known) = &known
        && known.archived
    {
        let row =
            order_row(tx.now, key, account, one, document, &id, &known.disposition, known.problem.clone(), found_by);
        changes.orders.push(row);
        keep_claims(key, account, one.order.order_id, held_claims(&known.bundle), &BTreeMap::new(), changes);
        return Ok(Recorded::Kept);
    }
    let none = Bundle::default();
    let bundle = known.as_ref().map_or(&none, |known| &known.bundle);
    let wanted: &[NewRequest] = if one.disposition == Disposition::Requested { &one.requests } else { &[] };
    // Given up before it was looked for, what a lost journal had sent would be forgotten, and its goods asked for again.
    let may_be_there = |request: &RequestRow| {
        bundle.sent(request) || bundle.suspected(request) && !wanted.iter().any(|new| new.key == request.key)
    };
    // What the warehouse has cancelled stays where it is and asks for nothing any more.
    let gone = |request: &RequestRow| bundle.cancelled(request);
    let (sent, over): (Vec<_>, Vec<_>) = bundle
        .requests
        .iter()
        .filter(|request| request.live && may_be_there(request))
        .partition(|request| !gone(request));
    let changed = wanted.iter().any(|new| {
        sent.iter().any(|request| request.key == new.key && row_units(&request.lines) != row_units(&new.lines))
    });
    // What was sent, and what a person gave up, is not planned again by import.
    let mut fresh: Vec<&NewRequest> = wanted
        .iter()
        .filter(|new| {
            !sent.iter().chain(&over).any(|request| request.key == new.key) && !given_up_by_person(bundle, &new.key)
        })
        .collect();
    if changed {
        fresh.clear();
    }
    let mut mine: BTreeMap<i64, Decimal> = BTreeMap::new();
    for new in &fresh {
        for (row, units) in row_units(&new.lines) {
            *mine.entry(row).or_default() += units;
        }
    }
    let held = claims_of(bundle, may_be_there);
    let mut shown = if sent.is_empty() { one.disposition.clone() } else { Disposition::Requested };
    let mut problem = None;
    let mut recorded = Recorded::Kept;
    if let Some(reason) = overlap(&one.order, &one.ordered, &mine, &held, claimed) {
        mine.clear();
        fresh.clear();
        if sent.is_empty() {
            shown = Disposition::Skipped(reason.clone());
        } else {
            problem = Some(reason.clone());
        }
        recorded = Recorded::ClaimedElsewhere(reason);
    } else if changed {
        // Where the change is a race, that is what is shown.
        let races = sent.iter().all(|request| bundle.races.contains_key(&request.id));
        problem = (!races).then(|| "the order changed at the source after it was sent to the warehouse".to_owned());
        recorded = Recorded::ChangedAfterSending;
    } else if !sent.is_empty() && bundle.requests.iter().any(|request| !request.live && !request.retired) {
        // Shown as sent, nobody would see that a part of it is not, and what that waits for.
        problem = match &one.disposition {
            Disposition::Waiting(reason) | Disposition::Held(reason) => Some(format!("{PART_NOT_SENT}{reason}")),
            _ => None,
        };
    }
    changes.orders.push(order_row(tx.now, key, account, one, document, &id, &shown, problem, found_by));
    keep_claims(key, account, one.order.order_id, held, &mine, changes);
    // Unsent ones that are not wanted any more.
    for request in bundle.requests.iter().filter(|request| request.live && !may_be_there(request)) {
        if !fresh.iter().any(|new| new.key == request.key) {
            changes.ended_requests.push(request.id.clone());
            changes.voids.extend(bundle.submit(request).map(|submit| submit.id.clone()));
        }
    }
    for new in fresh {
        plan_request(tx, key, account, &one.order, &id, bundle, new, changes)?;
    }
    Ok(recorded)
}

/// Units that requests of the order hold, whatever becomes of it.
fn held_claims(bundle: &Bundle) -> BTreeMap<i64, Decimal> {
    claims_of(bundle, |request| bundle.may_have_left(request))
}

/// Units that requests already there hold: those that may be at the warehouse, and those a person gave up and may bring back.
fn claims_of(bundle: &Bundle, may_be_there: impl Fn(&RequestRow) -> bool) -> BTreeMap<i64, Decimal> {
    let mut held: BTreeMap<i64, Decimal> = BTreeMap::new();
    for request in &bundle.requests {
        let counts = (request.live && may_be_there(request)) || given_up_by_person(bundle, &request.key);
        if counts && !bundle.cancelled(request) {
            for (row, units) in row_units(&request.lines) {
                *held.entry(row).or_default() += units;
            }
        }
    }
    held
}

/// Claims of an order as its requests hold them now: what a cancelled one held is free again.
pub(super) async fn renew_claims(tx: &mut Tx, scope: &Scope, bundle: &Bundle, request: &RequestId) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let row = tx
        .first(
            "SELECT connection, account, order_id FROM request WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant.clone(), merchant.clone(), request.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(()) };
    let key = ConnectionKey { scope: scope.clone(), connection: row.parsed(0)? };
    let (account, order_id) = (row.string(1)?, row.int(2)?);
    tx.execute(
        "DELETE FROM claim WHERE account = $1 AND tenant = $2 AND merchant = $3 AND connection = $4 AND order_id = $5",
        &[(&account).into(), tenant, merchant, (&key.connection).into(), order_id.into()],
    )
    .await?;
    let mut changes = Changes::default();
    keep_claims(&key, &account, order_id, held_claims(bundle), &BTreeMap::new(), &mut changes);
    write_claims(tx, changes.claims).await
}

async fn write_claims(tx: &mut Tx, claims: Vec<Vec<Value>>) -> R<()> {
    tx.many(
        "INSERT INTO claim (account, order_id, row_id, tenant, merchant, connection, quantity) VALUES ",
        "",
        &[],
        claims,
    )
    .await?;
    Ok(())
}

/// Why these rows cannot be claimed, `None` if they can: what all connections have claimed of a row never exceeds what is
/// ordered.
fn overlap(
    order: &Order,
    ordered: &BTreeMap<i64, Decimal>,
    mine: &BTreeMap<i64, Decimal>,
    held: &BTreeMap<i64, Decimal>,
    claimed: &BTreeMap<i64, Claimed>,
) -> Option<String> {
    for (row, units) in mine {
        let of_order = || order.lines.iter().find(|line| line.row_id == *row).map(|line| line.quantity);
        let most = ordered.get(row).copied().or_else(of_order).unwrap_or_default();
        let ours = *units + held.get(row).copied().unwrap_or_default();
        let theirs = claimed.get(row);
        if ours + theirs.map(|theirs| theirs.units).unwrap_or_default() > most {
            return Some(theirs.map_or_else(
                || format!("row {row} would be sent more often than it is ordered ({most})"),
                |theirs| theirs.holder.clone(),
            ));
        }
    }
    None
}

fn keep_claims(
    key: &ConnectionKey,
    account: &str,
    order_id: i64,
    mut claims: BTreeMap<i64, Decimal>,
    mine: &BTreeMap<i64, Decimal>,
    changes: &mut Changes,
) {
    for (row, units) in mine {
        *claims.entry(*row).or_default() += *units;
    }
    let [tenant, merchant, connection] = key_values(key);
    for (row, units) in claims.into_iter().filter(|(_, units)| !units.is_zero()) {
        changes.claims.push(vec![
            account.into(),
            order_id.into(),
            row.into(),
            tenant.clone(),
            merchant.clone(),
            connection.clone(),
            units.into(),
        ]);
    }
}

/// Name and place, one line.
fn ship_to(order: &Order) -> String {
    let to = &order.deliver_to;
    let parts = [&to.name, &to.company, &to.postcode, &to.city, &to.country];
    parts.into_iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::too_many_arguments, reason = "the columns of one row")]
fn order_row(
    now: Timestamp,
    key: &ConnectionKey,
    account: &str,
    one: &ImportedOrder,
    document: Vec<u8>,
    id: &OrderId,
    shown: &Disposition,
    problem: Option<String>,
    (ship_to, search): (String, String),
) -> Vec<Value> {
    let [tenant, merchant, connection] = key_values(key);
    let order = &one.order;
    vec![
        tenant,
        merchant,
        id.into(),
        connection,
        account.into(),
        order.order_id.into(),
        (&order.reference).into(),
        ship_to.into(),
        search.into(),
        order.placed_at.into(),
        now.into(),
        now.into(),
        (&one.seen).into(),
        shown.kind().into(),
        shown.reason().into(),
        document.into(),
        false.into(),
        Value::Text(None),
        problem.into(),
        // The state follows from the facts in the same transaction.
        "".into(),
        "".into(),
    ]
}

#[expect(clippy::too_many_arguments, reason = "one step of one loop, apart only to be read apart")]
fn plan_request(
    tx: &Tx,
    key: &ConnectionKey,
    account: &str,
    source: &Order,
    order: &OrderId,
    bundle: &Bundle,
    new: &NewRequest,
    changes: &mut Changes,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let order_id = source.order_id;
    let lines = json(&new.lines)?;
    let ship_to = json(&source.deliver_to)?;
    let Some(request) = bundle.requests.iter().find(|request| request.key == new.key) else {
        changes.new_requests.push(vec![
            tenant,
            merchant,
            (&new.id).into(),
            connection,
            account.into(),
            order.into(),
            order_id.into(),
            (&new.key).into(),
            new.note_id.into(),
            new.warehouse_id.into(),
            lines.into(),
            true.into(),
            false.into(),
            false.into(),
            false.into(),
            false.into(),
            tx.now.into(),
            1_i64.into(),
            tx.now.into(),
            ship_to.into(),
        ]);
        changes.planned.insert(order.clone());
        changes.new_effects.push(submit(tx, account, order_id, order, &new.id, new));
        return Ok(());
    };
    changes.changed_requests.push(vec![
        (&request.id).into(),
        new.note_id.into(),
        new.warehouse_id.into(),
        lines.into(),
        ship_to.into(),
    ]);
    let Some(effect) = bundle.submit(request) else {
        changes.planned.insert(order.clone());
        changes.new_effects.push(submit(tx, account, order_id, order, &request.id, new));
        return Ok(());
    };
    let same = effect.body_sha256 == sha256(new.submit.body.as_bytes());
    let again = match effect.state {
        EffectState::Planned | EffectState::NotSent if !same => {
            changes.voids.push(effect.id.clone());
            true
        }
        EffectState::Refused => !same,
        EffectState::Voided => true,
        _ => false,
    };
    if again {
        changes.planned.insert(order.clone());
        changes.renewed.push(request.id.clone());
        changes.replans.push(Replan {
            id: effect.id.clone(),
            batch: new.submit.batch.clone(),
            body: new.submit.body.clone(),
            title: new.submit.title.clone(),
        });
    }
    Ok(())
}

fn submit(tx: &Tx, account: &str, order_id: i64, order: &OrderId, request: &RequestId, new: &NewRequest) -> NewEffect {
    debug_assert_eq!(new.submit.kind, EffectKind::SubmitRequest);
    NewEffect {
        id: EffectId::generate(tx.now, &*tx.random),
        draft: new.submit.clone(),
        lane: keys::order_lane(account, order_id),
        subject: Subject { order: Some(order.clone()), request: Some(request.clone()), ..Subject::default() },
        not_before: new.not_before,
    }
}

/// Requests that are given up before anything was sent.
pub(super) async fn end_requests(tx: &mut Tx, scope: &Scope, requests: impl IntoIterator<Item = &RequestId>) -> R<()> {
    tx.among(
        "UPDATE request SET live = 0, flagged = 0, version = version + 1
         WHERE tenant = $1 AND merchant = $2 AND id IN (",
        ")",
        &scope_values(scope),
        requests,
    )
    .await?;
    Ok(())
}

async fn write(tx: &mut Tx, key: &ConnectionKey, account: &str, order_ids: &[i64], changes: Changes) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    tx.many(
        "INSERT INTO orders (tenant, merchant, id, connection, account, order_id, reference, ship_to, search, placed_at,
             imported_at, changed_at, seen, disposition, disposition_reason, document, archived, held_reason, problem, state,
             state_reason) VALUES ",
        " ON CONFLICT (tenant, merchant, connection, order_id) DO UPDATE SET reference = excluded.reference,
             ship_to = excluded.ship_to, search = excluded.search, seen = excluded.seen, disposition = excluded.disposition,
             disposition_reason = excluded.disposition_reason, document = excluded.document, problem = excluded.problem",
        &[],
        changes.orders,
    )
    .await?;
    words::keep(tx, &key.scope, "order", true, &changes.words).await?;
    tx.among(
        "DELETE FROM claim WHERE account = $1 AND tenant = $2 AND merchant = $3 AND connection = $4 AND order_id IN (",
        ")",
        &[account.into(), tenant.clone(), merchant.clone(), connection],
        order_ids.iter().copied(),
    )
    .await?;
    write_claims(tx, changes.claims).await?;
    // What is given up first: a note may be the request of one order only at a time.
    effects::void_unsent(tx, key, &changes.voids, "it is not wanted any more as it was planned").await?;
    end_requests(tx, &key.scope, &changes.ended_requests).await?;
    tx.many(
        "INSERT INTO request (tenant, merchant, id, connection, account, order_ref, order_id, key, note_id, warehouse_id, lines,
             live, finished, cancelled_by_warehouse, done, flagged, flagged_at, version, created_at, ship_to) VALUES ",
        "",
        &[],
        changes.new_requests,
    )
    .await?;
    tx.many(
        "UPDATE request SET note_id = v.column2, warehouse_id = v.column3, lines = v.column4, ship_to = v.column5, live = 1,
             version = version + 1
         FROM (VALUES ",
        ") AS v WHERE request.tenant = $1 AND request.merchant = $2 AND request.id = v.column1 AND request.id IN ({first})",
        &[tenant, merchant],
        changes.changed_requests,
    )
    .await?;
    races::forget(tx, &key.scope, &changes.renewed).await?;
    effects::replan(tx, key, changes.replans).await?;
    effects::plan(tx, key, changes.new_effects).await
}
