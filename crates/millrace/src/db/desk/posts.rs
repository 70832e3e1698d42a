//! What a warehouse puts down on its desk: shipments, counts, and what else it says of its requests.

use connect::{DeskState, PackageLine, PostedCount, RequestState, Shipment, StockFeed, Told, ToldPage};
use engine::desk::{Fault, faults, is_complete};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    super::{
        ChannelKind, Database, R,
        payload::{pack_json, unpack_json},
        sql::Tx,
    },
    DeskKey, as_kept, desk_values, find, keep, turn,
};

const SHIPMENT: &str = "shipment";
const COUNT: &str = "count";
const STATE: &str = "state";

/// A count is known by its id for so long after it was dealt with. One that is posted again later is older than what was counted
/// since, and changes nothing.
const COUNTS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What was said of a request is known for so long after the request came to its end.
const SAID_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);
/// A run of the shipments channel that succeeded so long after something was said has read it, however much there was to read.
const SURELY_READ: SignedDuration = SignedDuration::from_hours(24);
/// Most old posts of each sort that one new post takes away.
const TAKEN_AWAY: i64 = 100;

/// What became of something that was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted<T> {
    /// It is kept now.
    New(T),
    /// It was posted before, the same: as it was answered then.
    Again(T),
    /// Something else was posted under its id before. Nothing of it is kept.
    Differs,
    /// The request it names is not on the desk. Nothing of it is kept.
    NoRequest,
    /// It cannot be true. Nothing of it is kept.
    Wrong(Vec<Fault>),
}

impl<T> Posted<T> {
    /// Whether whoever posted it may take it for known.
    fn is_kept(&self) -> bool {
        matches!(self, Self::New(_) | Self::Again(_))
    }
}

/// A shipment as it was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedShipment {
    /// Nothing more will come for its request.
    pub is_final: bool,
    /// When it was taken in.
    pub at: Timestamp,
    /// What is odd about it, although it is kept: goods that left are a fact.
    pub warning: Option<String>,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct KeptShipment {
    shipment: Shipment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// One that was posted under this id.
struct Known {
    content: Vec<u8>,
    hash: String,
    at: Timestamp,
}

async fn known(tx: &mut Tx, key: &DeskKey, kind: &'static str, id: &str) -> R<Option<Known>> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let row = tx
        .first(
            "SELECT content, content_sha256, at FROM desk_post
             WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND kind = $4 AND id = $5",
            &[tenant, merchant, warehouse, kind.into(), id.into()],
        )
        .await?;
    row.map(|row| Ok(Known { content: row.blob(0)?.to_vec(), hash: row.string(1)?, at: row.time(2)? })).transpose()
}

/// A post to be kept.
struct New<'a> {
    kind: &'static str,
    id: &'a str,
    number: i64,
    request: &'a str,
    content: Vec<u8>,
    hash: &'a str,
}

async fn insert(tx: &mut Tx, key: &DeskKey, new: New<'_>) -> R<()> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let now = tx.now;
    tx.execute(
        "INSERT INTO desk_post (tenant, merchant, warehouse, kind, id, number, request, content, content_sha256, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            tenant,
            merchant,
            warehouse,
            new.kind.into(),
            new.id.into(),
            new.number.into(),
            new.request.into(),
            new.content.into(),
            new.hash.into(),
            now.into(),
        ],
    )
    .await?;
    tx.wakes.work = true;
    take_away(tx, key).await
}

/// Takes old posts away: counts that were dealt with, and what was said of requests at their end, once the connection whose
/// request it is has read it.
async fn take_away(tx: &mut Tx, key: &DeskKey) -> R<()> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let ago = |time| tx.now.checked_sub(time).unwrap_or(Timestamp::UNIX_EPOCH);
    let (counts, said) = (ago(COUNTS_KEPT), ago(SAID_KEPT));
    tx.execute(
        "DELETE FROM desk_post WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND number IN (
             SELECT p.number FROM desk_post AS p
             WHERE p.tenant = $1 AND p.merchant = $2 AND p.warehouse = $3 AND p.kind = $4 AND p.at < $5
                 AND p.put_away_at < $5
             ORDER BY p.at LIMIT $6)",
        &[tenant.clone(), merchant.clone(), warehouse.clone(), COUNT.into(), counts.into(), TAKEN_AWAY.into()],
    )
    .await?;
    tx.execute(
        "DELETE FROM desk_post WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND number IN (
             SELECT p.number FROM desk_post AS p
             JOIN desk_request AS r ON r.tenant = p.tenant AND r.merchant = p.merchant AND r.warehouse = p.warehouse
                 AND r.key = p.request
             WHERE p.tenant = $1 AND p.merchant = $2 AND p.warehouse = $3 AND p.kind IN ($4, $5) AND p.at < $6
                 AND r.state IN ('closed', 'cancelled', 'given_up') AND r.changed_at < $6
                 AND NOT EXISTS (
                     SELECT 1 FROM connection AS n
                     JOIN request AS q ON q.tenant = n.tenant AND q.merchant = n.merchant AND q.connection = n.id
                         AND q.key = p.request
                     WHERE n.tenant = $1 AND n.merchant = $2 AND n.warehouse = $3 AND NOT EXISTS (
                         SELECT 1 FROM channel AS c
                         WHERE c.tenant = q.tenant AND c.merchant = q.merchant AND c.connection = q.connection
                             AND c.kind = $7 AND c.succeeded_at > p.at + $8))
             ORDER BY p.at LIMIT $9)",
        &[
            tenant,
            merchant,
            warehouse,
            SHIPMENT.into(),
            STATE.into(),
            said.into(),
            ChannelKind::Shipments.as_str().into(),
            i64::try_from(SURELY_READ.as_millis()).unwrap_or(i64::MAX).into(),
            TAKEN_AWAY.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Keeps that a request moved without shipping.
pub(super) async fn say(tx: &mut Tx, key: &DeskKey, number: i64, request: &str, state: RequestState) -> R<()> {
    let id = format!("{request}/{number}");
    insert(tx, key, New { kind: STATE, id: &id, number, request, content: pack_json(&state)?, hash: "" }).await
}

/// What has left of a request, oldest first.
pub(super) async fn shipments(tx: &mut Tx, key: &DeskKey, request: &str) -> R<Vec<Shipment>> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let rows = tx
        .query(
            "SELECT content FROM desk_post WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND request = $4
                 AND kind = $5 ORDER BY number",
            &[tenant, merchant, warehouse, request.into(), SHIPMENT.into()],
        )
        .await?;
    rows.iter().map(|row| Ok(unpack_json::<KeptShipment>(row.blob(0)?)?.shipment)).collect()
}

impl Database {
    /// Takes in what left. Once this returns [`Posted::New`] it is durable (W1). `hash` tells what was posted from something
    /// else under the same id.
    pub async fn post_shipment(&self, key: &DeskKey, shipment: Shipment, hash: &str) -> R<Posted<PostedShipment>> {
        let (key, mut shipment, hash) = (key.clone(), shipment, hash.to_owned());
        self.write_witnessed(&key.scope.clone(), "post_shipment", Posted::is_kept, move |tx| {
            Box::pin(async move {
                let number = turn(tx, &key).await?;
                if let Some(Known { content, hash: before, at }) =
                    known(tx, &key, SHIPMENT, &shipment.reference).await?
                {
                    if before != hash {
                        return Ok(Posted::Differs);
                    }
                    let KeptShipment { shipment, warning } = unpack_json(&content)?;
                    return Ok(Posted::Again(PostedShipment { is_final: shipment.is_final, at, warning }));
                }
                let Some(mut row) = find(tx, &key, &shipment.key).await? else { return Ok(Posted::NoRequest) };
                let before: Vec<PackageLine> = shipments(tx, &key, &shipment.key)
                    .await?
                    .iter()
                    .flat_map(|shipment| shipment.lines().cloned().collect::<Vec<_>>())
                    .collect();
                let wrong = faults(&row.request.lines, &before, &shipment);
                if !wrong.is_empty() {
                    return Ok(Posted::Wrong(wrong));
                }
                if shipment.ship_method.carrier.is_empty() {
                    shipment.ship_method = row.request.ship_method.clone();
                }
                shipment.is_final |= is_complete(&row.request.lines, before.iter().chain(shipment.lines()));
                let warning = match row.standing.state {
                    DeskState::Cancelled => Some("the request was cancelled; that some has left is told all the same"),
                    DeskState::GivenUp => Some("the request was given up; that some has left is told all the same"),
                    DeskState::Waiting | DeskState::Acknowledged | DeskState::Closed => None,
                };
                let warning = warning.map(str::to_owned);
                let after = match row.standing.state {
                    DeskState::Waiting | DeskState::Acknowledged if shipment.is_final => DeskState::Closed,
                    // Whoever ships it has it.
                    DeskState::Waiting => DeskState::Acknowledged,
                    other => other,
                };
                if after != row.standing.state {
                    row.standing.state = after;
                    keep(tx, &key, &row).await?;
                }
                let told =
                    PostedShipment { is_final: shipment.is_final, at: as_kept(tx.now), warning: warning.clone() };
                let (id, request) = (shipment.reference.clone(), shipment.key.clone());
                let content = pack_json(&KeptShipment { shipment, warning })?;
                let new = New { kind: SHIPMENT, id: &id, number, request: &request, content, hash: &hash };
                insert(tx, &key, new).await?;
                Ok(Posted::New(told))
            })
        })
        .await
    }

    /// Takes in a count; as [`Database::post_shipment`]. When it was taken in.
    pub async fn post_count(&self, key: &DeskKey, feed: StockFeed) -> R<Posted<Timestamp>> {
        let key = key.clone();
        self.write_witnessed(&key.scope.clone(), "post_count", Posted::is_kept, move |tx| {
            Box::pin(async move {
                let number = turn(tx, &key).await?;
                if let Some(before) = known(tx, &key, COUNT, &feed.reference).await? {
                    return Ok(if before.hash == feed.content_hash {
                        Posted::Again(before.at)
                    } else {
                        Posted::Differs
                    });
                }
                let content = pack_json(&feed)?;
                let new =
                    New { kind: COUNT, id: &feed.reference, number, request: "", content, hash: &feed.content_hash };
                insert(tx, &key, new).await?;
                Ok(Posted::New(as_kept(tx.now)))
            })
        })
        .await
    }

    /// What a warehouse has said of its requests after this number.
    pub async fn told_at_desk(&self, key: &DeskKey, after: i64, limit: u32) -> R<ToldPage> {
        let key = key.clone();
        self.read(&key.scope.clone(), "told_at_desk", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, warehouse] = desk_values(&key);
                let rows = tx
                    .query(
                        "SELECT number, kind, request, content FROM desk_post
                         WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND number > $4 AND kind <> $5
                         ORDER BY number LIMIT $6",
                        &[tenant, merchant, warehouse, after.into(), COUNT.into(), limit.into()],
                    )
                    .await?;
                let mut page = ToldPage { told: Vec::with_capacity(rows.len()), reached: after, more: false };
                page.more = u32::try_from(rows.len()).is_ok_and(|count| count >= limit);
                for row in &rows {
                    page.reached = row.int(0)?;
                    page.told.push(match row.text(1)? {
                        SHIPMENT => Told::Shipment(unpack_json::<KeptShipment>(row.blob(3)?)?.shipment),
                        _ => Told::State(row.string(2)?, unpack_json(row.blob(3)?)?),
                    });
                }
                Ok(page)
            })
        })
        .await
    }

    /// Counts that nobody has dealt with, in the order in which they were taken in.
    pub async fn counts_at_desk(&self, key: &DeskKey, limit: u32) -> R<Vec<PostedCount>> {
        let key = key.clone();
        self.read(&key.scope.clone(), "counts_at_desk", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, warehouse] = desk_values(&key);
                let rows = tx
                    .query(
                        "SELECT id, content FROM desk_post WHERE tenant = $1 AND merchant = $2 AND warehouse = $3
                             AND kind = $4 AND put_away_at IS NULL ORDER BY number LIMIT $5",
                        &[tenant, merchant, warehouse, COUNT.into(), limit.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| Ok(PostedCount { id: row.string(0)?, feed: unpack_json(row.blob(1)?)? }))
                    .collect()
            })
        })
        .await
    }

    /// These counts were dealt with.
    pub async fn put_counts_away(&self, key: &DeskKey, counts: &[String]) -> R<()> {
        let (key, counts) = (key.clone(), counts.to_vec());
        self.write(&key.scope.clone(), "put_counts_away", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, warehouse] = desk_values(&key);
                let now = tx.now;
                tx.among(
                    "UPDATE desk_post SET put_away_at = $5 WHERE tenant = $1 AND merchant = $2 AND warehouse = $3
                         AND kind = $4 AND put_away_at IS NULL AND id IN (",
                    ")",
                    &[tenant, merchant, warehouse, COUNT.into(), now.into()],
                    &counts,
                )
                .await?;
                Ok(())
            })
        })
        .await
    }
}
