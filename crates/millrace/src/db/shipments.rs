//! What left the building, as warehouses report it.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    FeedCursor, Inbound, LineRef, LinesEnded, OrderId, RejectedInput, RequestId, RequestLine, RequestState, Shipment,
    ShipmentId,
};
use engine::{
    ended::{is_over, merge},
    line,
};
use jiff::Timestamp;

use super::{
    ChannelKind, ConnectionKey, Database, NewShipment, R, Scope, ShipmentsRecorded,
    effects::{key_values, sha256},
    facts::{self, scope_values},
    forgotten, inbox,
    orders::hold_rest,
    sql::{Tx, json},
    words,
};

impl Database {
    /// Keeps one reading of shipments with the place to go on from, in one transaction. A reference that is known with other
    /// content is shown as an exception and changes nothing; a shipment whose key is not known waits for it.
    pub async fn record_shipments(
        &self,
        key: &ConnectionKey,
        shipments: Vec<NewShipment>,
        states: Vec<(String, RequestState)>,
        taken: &[Inbound],
        rejected: &[RejectedInput],
        cursor: &FeedCursor,
    ) -> R<ShipmentsRecorded> {
        let (key, taken, rejected, cursor) = (key.clone(), taken.to_vec(), rejected.to_vec(), cursor.clone());
        self.write(&key.clone(), "record_shipments", move |tx| {
            Box::pin(async move {
                let recorded = record(tx, &key, shipments, states).await?;
                inbox::keep_inputs(tx, &key, &taken, &rejected, inbox::SHIPMENT_INPUT).await?;
                let [tenant, merchant, connection] = key_values(&key);
                tx.execute(
                    "UPDATE channel SET cursor = $5
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4",
                    &[tenant, merchant, connection, ChannelKind::Shipments.as_str().into(), cursor.0.into()],
                )
                .await?;
                Ok(recorded)
            })
        })
        .await
    }

    /// The key of the one open request of each of these orders' references; none where there is none or more than one.
    pub async fn keys_by_reference(
        &self,
        key: &ConnectionKey,
        references: BTreeSet<String>,
    ) -> R<BTreeMap<String, String>> {
        let key = key.clone();
        self.read(&key.clone(), "keys_by_reference", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT o.reference, min(r.key) FROM request AS r
                         JOIN orders AS o ON o.tenant = r.tenant AND o.merchant = r.merchant AND o.id = r.order_ref
                         WHERE r.tenant = $1 AND r.merchant = $2 AND r.connection = $3 AND r.live = 1 AND r.done = 0
                             AND o.reference IN (",
                        ") GROUP BY o.reference HAVING count(*) = 1",
                        &key_values(&key),
                        references.iter().filter(|reference| !reference.is_empty()),
                    )
                    .await?;
                rows.iter().map(|row| Ok((row.string(0)?, row.string(1)?))).collect()
            })
        })
        .await
    }

    /// The keys of shipments of no known request, one for each shipment.
    pub async fn unclaimed_shipments(&self, key: &ConnectionKey) -> R<Vec<String>> {
        let key = key.clone();
        self.read(&key.clone(), "unclaimed_shipments", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT key FROM shipment
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND request IS NULL",
                        &key_values(&key),
                    )
                    .await?;
                rows.iter().map(|row| row.string(0)).collect()
            })
        })
        .await
    }

    /// Whether each of these inputs was taken in before, name and content.
    pub async fn inputs_seen(&self, key: &ConnectionKey, inputs: &[Inbound]) -> R<Vec<bool>> {
        let key = key.clone();
        let names: Vec<(String, String)> =
            inputs.iter().map(|input| (input.name.clone(), input.content_hash.clone())).collect();
        self.read(&key.clone(), "inputs_seen", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT name, content_sha256 FROM input
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND name IN (",
                        ")",
                        &key_values(&key),
                        names.iter().map(|(name, _)| name),
                    )
                    .await?;
                let mut seen = BTreeSet::new();
                for row in &rows {
                    seen.insert((row.string(0)?, row.string(1)?));
                }
                Ok(names.iter().map(|input| seen.contains(input)).collect())
            })
        })
        .await
    }
}

/// A request as a shipment finds it.
struct Target {
    id: RequestId,
    key: String,
    order: OrderId,
    /// The warehouse had cancelled it, and it was asked for again under another key.
    retired: bool,
    /// The warehouse was asked for it, or is to be. One that was given up before it was sent was asked for by a journal that was
    /// lost, if at all: what leaves under its key waits until it is planned again, like that of a key nobody knows.
    asked: bool,
}

async fn targets(tx: &mut Tx, key: &ConnectionKey, keys: &BTreeSet<String>) -> R<BTreeMap<String, Target>> {
    let rows = tx
        .among(
            "SELECT key, id, order_ref, retired, live FROM request
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND key IN (",
            ")",
            &key_values(key),
            keys,
        )
        .await?;
    rows.iter()
        .map(|row| {
            let key = row.string(0)?;
            Ok((
                key.clone(),
                Target {
                    id: row.parsed(1)?,
                    key,
                    order: row.parsed(2)?,
                    retired: row.flag(3)?,
                    asked: row.flag(3)? || row.flag(4)?,
                },
            ))
        })
        .collect()
}

async fn record(
    tx: &mut Tx,
    key: &ConnectionKey,
    shipments: Vec<NewShipment>,
    states: Vec<(String, RequestState)>,
) -> R<ShipmentsRecorded> {
    if tx.is_postgres() {
        // The stock channel reads shipments too. Each would find the other's unknown, and one of them fail.
        let lock = format!("{}/shipments", key.connection);
        tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))::text", &[lock.into()]).await?;
    }
    let mut recorded = ShipmentsRecorded::default();
    let mut keys: BTreeSet<String> = shipments.iter().map(|new| new.shipment.key.clone()).collect();
    keys.extend(states.iter().map(|(key, _)| key.clone()));
    let targets = targets(tx, key, &keys).await?;
    let mut known = known_contents(tx, key, &shipments).await?;
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let mut rows = Vec::new();
    let mut finished: BTreeSet<RequestId> = BTreeSet::new();
    let mut cancelled: BTreeSet<RequestId> = BTreeSet::new();
    let mut touched: BTreeSet<RequestId> = BTreeSet::new();
    let mut shipped_all_the_same: BTreeMap<OrderId, String> = BTreeMap::new();
    let mut orders: BTreeSet<OrderId> = BTreeSet::new();
    let mut found_by: Vec<(OrderId, String)> = Vec::new();
    let mut found_themselves: Vec<(ShipmentId, String, Option<i64>)> = Vec::new();
    let mut not_asked: BTreeSet<String> = BTreeSet::new();
    let mut ended: BTreeMap<RequestId, Vec<LineRef>> = BTreeMap::new();
    let mut rests = shipments.iter().any(|new| new.shipment.whole).then(Rests::default);
    for NewShipment { id, mut shipment } in shipments {
        // Whether they are ours is known once the request is, and says nothing of what left: a copy is known without them.
        let numbered = shipment.numbers_may_be_theirs.then(|| shipment.clone());
        line::take_out(&mut shipment);
        let mut document = json(&shipment)?;
        let hash = content_hash(&shipment, &document)?;
        let reference = identity(&shipment, &known);
        match known.get(&reference) {
            // Until the time was left out of it, the hash was that of the whole document.
            Some(same) if same.hash == hash || same.hash == sha256(document.as_bytes()) => {
                recorded.known += 1;
                continue;
            }
            Some(_) => {
                recorded.changed += 1;
                let subject = format!("{reference}/{hash}");
                let reason = format!(
                    "shipment {} of {} came again with other content: nothing was changed; look at both, and correct by hand \
                     what the source was told",
                    shipment.reference, shipment.key
                );
                inbox::raise(tx, key, "changed_shipment", &subject, &reason, Some(document.as_bytes())).await?;
                continue;
            }
            None => {}
        }
        let target = targets.get(&shipment.key).filter(|target| target.asked);
        if let (Some(target), Some(mut numbered)) = (target, numbered)
            && line::are_ours(&lines_of(tx, key, target).await?, &mut numbered)
        {
            shipment = numbered;
            document = json(&shipment)?;
        }
        if let (Some(target), Some(rests)) = (target, &mut rests) {
            if !rests.work_out(tx, key, target, &mut shipment).await? {
                recorded.known += 1;
                nothing_left(tx, key, &reference, &shipment).await?;
                continue;
            }
            document = json(&shipment)?;
        }
        known.insert(reference.clone(), Known { key: shipment.key.clone(), hash: hash.clone() });
        recorded.new += 1;
        match target {
            Some(target) => {
                touched.insert(target.id.clone());
                orders.insert(target.order.clone());
                if shipment.is_final {
                    finished.insert(target.id.clone());
                }
                merge(ended.entry(target.id.clone()).or_default(), shipment.ended.clone());
                if target.retired {
                    shipped_all_the_same.insert(target.order.clone(), shipment.key.clone());
                    let reason = format!(
                        "shipment {} is for {}, which the warehouse had cancelled or not read and which goes again under another \
                         key: it is not told to the source; ask the warehouse what left, and correct by hand",
                        shipment.reference, shipment.key
                    );
                    inbox::raise(tx, key, "shipped_after_cancel", &reference, &reason, Some(document.as_bytes()))
                        .await?;
                }
            }
            None => {
                recorded.unknown_key += 1;
                not_asked.insert(shipment.key.clone());
                let reason = format!(
                    "shipment {} is for {}, which this connection has not asked for: it is kept, and used when a request of \
                     that key is known",
                    shipment.reference, shipment.key
                );
                inbox::raise(tx, key, "unknown_key", &reference, &reason, Some(document.as_bytes())).await?;
            }
        }
        let tracking = shipment.tracking_numbers().join(" ");
        let search = format!("{} {} {tracking}", shipment.reference, shipment.key).to_lowercase();
        if let Some(target) = target {
            found_by.push((target.order.clone(), search.clone()));
        }
        found_themselves.push((id.clone(), search.clone(), engine::key::order_id(&shipment.key)));
        tx.event("shipment", id.as_str(), "new");
        rows.push(vec![
            tenant.clone(),
            merchant.clone(),
            (&id).into(),
            connection.clone(),
            target.map(|target| &target.id).into(),
            target.map(|target| &target.order).into(),
            reference.into(),
            shipment.key.into(),
            hash.into(),
            document.into(),
            tracking.into(),
            search.into(),
            shipment.shipped_at.into(),
            now.into(),
        ]);
    }
    for (request, state) in states {
        let Some(target) = targets.get(&request) else { continue };
        match state {
            RequestState::Finished => finished.insert(target.id.clone()),
            RequestState::Cancelled | RequestState::Gone => cancelled.insert(target.id.clone()),
            RequestState::LinesEnded(lines) => {
                let said = lines_ended(tx, key, target, lines).await?;
                merge(ended.entry(target.id.clone()).or_default(), said);
                false
            }
            RequestState::Waiting | RequestState::Held | RequestState::Working => continue,
        };
        touched.insert(target.id.clone());
        orders.insert(target.order.clone());
    }
    tx.many(
        "INSERT INTO shipment (tenant, merchant, id, connection, request, order_ref, reference, key, content_sha256, document,
             tracking, search, shipped_at, created_at) VALUES ",
        "",
        &[],
        rows,
    )
    .await?;
    words::keep(tx, &key.scope, "shipment", false, &found_by).await?;
    words::keep_of_shipments(tx, &key.scope, &found_themselves).await?;
    mark(tx, key, finished, cancelled).await?;
    end_lines(tx, &key.scope, ended).await?;
    for (order, gone) in shipped_all_the_same {
        let why =
            format!("the warehouse has shipped {gone} all the same; see what left before anything more of it is sent");
        hold_rest(tx, &key.scope, &order, &why).await?;
    }
    if !not_asked.is_empty() {
        orders.extend(forgotten::left(tx, key, &not_asked).await?);
    }
    facts::flag(tx, &key.scope, &touched).await?;
    facts::refresh(tx, &key.scope, &orders).await?;
    Ok(recorded)
}

/// What has left of requests, while shipments are taken in that say no more than that it is all of it.
#[derive(Default)]
struct Rests {
    /// Of each request asked about, its lines and what has left of it, this reading included.
    known: BTreeMap<RequestId, (Vec<RequestLine>, Vec<Shipment>)>,
    /// What this reading brought of others, in its order; none of it is kept yet.
    here: BTreeMap<RequestId, Vec<Shipment>>,
}

impl Rests {
    /// Puts the goods into a shipment that names none; one that names some counts towards what has left. `false` where all had left
    /// before: then it says nothing that could be told.
    async fn work_out(
        &mut self,
        tx: &mut Tx,
        key: &ConnectionKey,
        target: &Target,
        shipment: &mut Shipment,
    ) -> R<bool> {
        let request = &target.id;
        if shipment.whole {
            if !self.known.contains_key(request) {
                let (lines, mut left) = left_of(tx, key, target).await?;
                left.extend(self.here.remove(request).unwrap_or_default());
                self.known.insert(request.clone(), (lines, left));
            }
            let none = (Vec::new(), Vec::new());
            let (lines, left) = self.known.get(request).unwrap_or(&none);
            let goods = engine::confirm::rest(lines, left);
            if goods.is_empty() {
                return Ok(false);
            }
            match shipment.packages.as_mut_slice() {
                [only] => only.lines = goods,
                _ => shipment.loose = goods,
            }
            shipment.whole = false;
        }
        match self.known.get_mut(request) {
            Some((_, left)) => left.push(shipment.clone()),
            None => self.here.entry(request.clone()).or_default().push(shipment.clone()),
        }
        Ok(true)
    }
}

/// The lines of a request, and what of it is known to have left.
async fn left_of(tx: &mut Tx, key: &ConnectionKey, target: &Target) -> R<(Vec<RequestLine>, Vec<Shipment>)> {
    let [tenant, merchant] = scope_values(&key.scope);
    let of = [tenant, merchant, (&target.id).into()];
    let left = tx
        .query("SELECT document FROM shipment WHERE tenant = $1 AND merchant = $2 AND request = $3 ORDER BY id", &of)
        .await?;
    Ok((lines_of(tx, key, target).await?, left.iter().map(|row| row.json(0)).collect::<R<_>>()?))
}

async fn lines_of(tx: &mut Tx, key: &ConnectionKey, target: &Target) -> R<Vec<RequestLine>> {
    let [tenant, merchant] = scope_values(&key.scope);
    let of = [tenant, merchant, (&target.id).into()];
    let lines = tx.first("SELECT lines FROM request WHERE tenant = $1 AND merchant = $2 AND id = $3", &of).await?;
    lines.map_or_else(|| Ok(Vec::new()), |row| row.json(0))
}

/// A shipment that is all of an order of which nothing was left is for a person; it is not kept as one that left.
async fn nothing_left(tx: &mut Tx, key: &ConnectionKey, reference: &str, shipment: &Shipment) -> R<()> {
    let reason = format!(
        "shipment {} says that all of {} has left, and all of it had left before: the source is told nothing of it; ask the warehouse \
         what left",
        shipment.reference, shipment.key
    );
    inbox::raise(tx, key, "nothing_left", reference, &reason, Some(json(shipment)?.as_bytes())).await
}

/// A shipment that is kept, by what it is known by here.
struct Known {
    key: String,
    hash: String,
}

async fn known_contents(tx: &mut Tx, key: &ConnectionKey, shipments: &[NewShipment]) -> R<BTreeMap<String, Known>> {
    let names: BTreeSet<String> =
        shipments.iter().flat_map(|new| [new.shipment.reference.clone(), of_its_order(&new.shipment)]).collect();
    let rows = tx
        .among(
            "SELECT reference, key, content_sha256 FROM shipment
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND reference IN (",
            ")",
            &key_values(key),
            names,
        )
        .await?;
    rows.iter().map(|row| Ok((row.string(0)?, Known { key: row.string(1)?, hash: row.string(2)? }))).collect()
}

/// What a shipment is known by here: its id at the warehouse, and its order as well where another order's shipment has that id.
fn identity(shipment: &Shipment, known: &BTreeMap<String, Known>) -> String {
    let full = of_its_order(shipment);
    let taken = || known.get(&shipment.reference).is_some_and(|other| other.key != shipment.key);
    if shipment.within_order && (known.contains_key(&full) || taken()) { full } else { shipment.reference.clone() }
}

fn of_its_order(shipment: &Shipment) -> String {
    format!("{} {}", shipment.reference, shipment.key)
}

/// The hash that tells whether a shipment says the same again. Where ids are given order by order, the time may be that of the
/// document and not of the goods: it says nothing of what left.
fn content_hash(shipment: &Shipment, document: &str) -> R<String> {
    if !shipment.within_order {
        return Ok(sha256(document.as_bytes()));
    }
    let timeless = Shipment { shipped_at: Timestamp::UNIX_EPOCH, ..shipment.clone() };
    Ok(sha256(json(&timeless)?.as_bytes()))
}

/// Which lines a report with which nothing left ends: where the request was to be stopped, all that it names.
async fn lines_ended(tx: &mut Tx, key: &ConnectionKey, target: &Target, mut said: LinesEnded) -> R<Vec<LineRef>> {
    if said.numbers_may_be_theirs && !line::are_ours(&lines_of(tx, key, target).await?, &mut said) {
        line::take_out(&mut said);
    }
    let LinesEnded { mut ended, none_left, odd, .. } = said;
    if none_left.is_empty() {
        return Ok(ended);
    }
    let [tenant, merchant] = scope_values(&key.scope);
    let stopping = tx
        .first(
            "SELECT 1 FROM race WHERE tenant = $1 AND merchant = $2 AND request = $3
                 AND (what = 'cancel' OR resend = 1) AND outcome IN ('pending', 'silent')",
            &[tenant, merchant, (&target.id).into()],
        )
        .await?;
    if stopping.is_some() {
        ended.extend(none_left);
    } else if let Some(why) = odd {
        let reason = format!("the warehouse reports {} with nothing in it: {why}", target.key);
        let lines = sha256(json(&none_left)?.as_bytes());
        let subject = format!("{}/{}", target.key, lines.get(..8).unwrap_or_default());
        inbox::raise(tx, key, "nothing_left", &subject, &reason, None).await?;
    }
    Ok(ended)
}

/// Keeps which lines of these requests ended, and marks those that are over: finished where something of them left, and else
/// cancelled there.
async fn end_lines(tx: &mut Tx, scope: &Scope, said: BTreeMap<RequestId, Vec<LineRef>>) -> R<()> {
    if said.is_empty() {
        return Ok(());
    }
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    let requests = tx
        .among(
            "SELECT id, lines, ended FROM request WHERE tenant = $1 AND merchant = $2 AND id IN (",
            ")",
            &scope_values(scope),
            said.keys(),
        )
        .await?;
    for row in &requests {
        let id: RequestId = row.parsed(0)?;
        let lines: Vec<RequestLine> = row.json(1)?;
        let known: Vec<LineRef> = if row.text(2)?.is_empty() { Vec::new() } else { row.json(2)? };
        let mut ended = known.clone();
        merge(&mut ended, said.get(&id).cloned().unwrap_or_default());
        if ended.is_empty() {
            continue;
        }
        let shipments = tx
            .query(
                "SELECT document FROM shipment WHERE tenant = $1 AND merchant = $2 AND request = $3",
                &[tenant.clone(), merchant.clone(), (&id).into()],
            )
            .await?;
        let left = shipments.iter().map(|row| row.json(0)).collect::<R<Vec<Shipment>>>()?;
        let over = is_over(&lines, left.iter().flat_map(Shipment::lines), &ended);
        let (finished, cancelled) = (over && !left.is_empty(), over && left.is_empty());
        tx.execute(
            "UPDATE request SET ended = $4, finished = CASE WHEN $5 = 1 THEN 1 ELSE finished END,
                 cancelled_by_warehouse = CASE WHEN $6 = 1 THEN 1 ELSE cancelled_by_warehouse END,
                 ended_at = CASE WHEN $7 = 1 THEN $8 ELSE ended_at END,
                 freed_at = CASE WHEN $7 = 1 THEN COALESCE(freed_at, $8) ELSE freed_at END
             WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[
                tenant.clone(),
                merchant.clone(),
                (&id).into(),
                json(&ended)?.into(),
                i64::from(finished).into(),
                i64::from(cancelled).into(),
                i64::from(ended.len() > known.len()).into(),
                now.into(),
            ],
        )
        .await?;
    }
    Ok(())
}

async fn mark(
    tx: &mut Tx,
    key: &ConnectionKey,
    finished: BTreeSet<RequestId>,
    cancelled: BTreeSet<RequestId>,
) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    let now = tx.now;
    tx.among(
        "UPDATE request SET ended_at = CASE WHEN finished = 1 THEN ended_at ELSE $3 END, finished = 1
         WHERE tenant = $1 AND merchant = $2 AND id IN (",
        ")",
        &[tenant.clone(), merchant.clone(), now.into()],
        finished.iter(),
    )
    .await?;
    tx.among(
        "UPDATE request SET ended_at = CASE WHEN cancelled_by_warehouse = 1 THEN ended_at ELSE $3 END,
             freed_at = COALESCE(freed_at, $3), cancelled_by_warehouse = 1
         WHERE tenant = $1 AND merchant = $2 AND id IN (",
        ")",
        &[tenant, merchant, now.into()],
        cancelled.iter(),
    )
    .await?;
    Ok(())
}

/// Gives shipments that waited for their key to the request that now has it.
pub(super) async fn match_keys(tx: &mut Tx, key: &ConnectionKey, keys: &BTreeSet<String>) -> R<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let waiting = tx
        .among(
            "SELECT id, key, reference, document, search FROM shipment
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND request IS NULL AND key IN (",
            ") ORDER BY id",
            &key_values(key),
            keys,
        )
        .await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let targets = targets(tx, key, keys).await?;
    let [tenant, merchant, connection] = key_values(key);
    let mut touched = BTreeSet::new();
    let mut finished = BTreeSet::new();
    let mut ended: BTreeMap<RequestId, Vec<LineRef>> = BTreeMap::new();
    for row in &waiting {
        let Some(target) = targets.get(row.text(1)?).filter(|target| target.asked) else { continue };
        let now = tx.now;
        tx.execute(
            "UPDATE exception SET resolved_at = $5, resolved_by = 'millrace' WHERE tenant = $1 AND merchant = $2
                 AND connection = $3 AND kind = 'unknown_key' AND subject = $4 AND resolved_at IS NULL",
            &[tenant.clone(), merchant.clone(), connection.clone(), row.text(2)?.into(), now.into()],
        )
        .await?;
        let mut shipment: Shipment = row.json(3)?;
        // Those before it are kept as the request's by now, and counted with what left.
        if !Rests::default().work_out(tx, key, target, &mut shipment).await? {
            nothing_left(tx, key, row.text(2)?, &shipment).await?;
            continue;
        }
        tx.execute(
            "UPDATE shipment SET request = $4, order_ref = $5, document = $6 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[
                tenant.clone(),
                merchant.clone(),
                row.text(0)?.into(),
                (&target.id).into(),
                (&target.order).into(),
                json(&shipment)?.into(),
            ],
        )
        .await?;
        if shipment.is_final {
            finished.insert(target.id.clone());
        }
        merge(ended.entry(target.id.clone()).or_default(), shipment.ended);
        words::keep(tx, &key.scope, "shipment", false, &[(target.order.clone(), row.string(4)?)]).await?;
        let number = engine::key::order_id(row.text(2)?);
        words::keep_of_shipments(tx, &key.scope, &[(row.parsed(0)?, row.string(4)?, number)]).await?;
        touched.insert(target.id.clone());
    }
    mark(tx, key, finished, BTreeSet::new()).await?;
    end_lines(tx, &key.scope, ended).await?;
    facts::flag(tx, &key.scope, &touched).await
}
