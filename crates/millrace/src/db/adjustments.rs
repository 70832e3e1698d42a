//! Changes of figures that warehouses give reasons for.

use std::collections::{BTreeMap, BTreeSet};

use connect::StockAdjustment;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::{
    ConnectionKey, Database, R,
    effects::{key_values, sha256},
    inbox,
    sql::{Tx, Value, json},
};

/// What an exception about an adjustment that came again with other content is called.
const CHANGED: &str = "changed_adjustment";

/// So far back they explain a difference, by the day on which the warehouse made them; older ones are not kept. What is older is
/// in every count.
const ADJUSTMENTS_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Most that are shown together.
const MOST: i64 = 5_000;

/// Most old ones that go when new ones come.
const TAKEN_AWAY: i64 = 1_000;

impl Database {
    /// Keeps what the warehouse says of its own changes. One that is known is left as it is, and told to a person where it came
    /// again with other content.
    pub async fn keep_adjustments(&self, key: &ConnectionKey, adjustments: Vec<StockAdjustment>) -> R<()> {
        if adjustments.is_empty() {
            return Ok(());
        }
        let key = key.clone();
        self.write(&key.clone(), "keep_adjustments", move |tx| {
            Box::pin(async move {
                let mut known = known(tx, &key, &adjustments).await?;
                let mut rows = Vec::new();
                for lines in documents(&adjustments) {
                    let Some(first) = lines.first() else { continue };
                    match known.get(&first.reference) {
                        None => {
                            known.insert(first.reference.clone(), said(lines));
                            rows.extend(lines.iter().map(|line| row(&key, line, tx.now)));
                        }
                        Some(before) if *before == said(lines) => {}
                        Some(_) => changed(tx, &key, first, lines).await?,
                    }
                }
                tx.many(
                    "INSERT INTO stock_adjustment (tenant, merchant, connection, reference, line, sku, change, reason,
                         made_on, at) VALUES ",
                    " ON CONFLICT (tenant, merchant, connection, reference, line) DO NOTHING",
                    &[],
                    rows,
                )
                .await?;
                take_away(tx, &key).await
            })
        })
        .await
    }

    /// The changes that explain something while they are kept, newest first.
    pub async fn adjustments(&self, key: &ConnectionKey) -> R<Vec<StockAdjustment>> {
        let key = key.clone();
        self.read(&key.clone(), "adjustments", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let since = explain_since(tx.now);
                let rows = tx
                    .query(
                        "SELECT reference, line, sku, change, reason, made_on FROM stock_adjustment
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND made_on >= $4
                         ORDER BY made_on DESC, reference, line LIMIT $5",
                        &[tenant, merchant, connection, since.into(), MOST.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(StockAdjustment {
                            reference: row.string(0)?,
                            line: row.u32(1)?,
                            sku: row.string(2)?,
                            change: row.parsed(3)?,
                            reason: row.string(4)?,
                            made_on: row.time(5)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }
}

/// What an adjustment says, by line: the SKU, by how much, why. Its day is left out: where the warehouse names none, it is that
/// of the message it came in, and another one when it comes again.
type Said = BTreeMap<u32, (String, Decimal, String)>;

fn said(lines: &[StockAdjustment]) -> Said {
    lines.iter().map(|line| (line.line, (line.sku.clone(), line.change, line.reason.clone()))).collect()
}

/// The adjustments of a reading one by one: each has its lines together, counted up.
fn documents(adjustments: &[StockAdjustment]) -> impl Iterator<Item = &[StockAdjustment]> {
    adjustments.chunk_by(|one, next| one.reference == next.reference && one.line < next.line)
}

/// What is kept of the adjustments with these references.
async fn known(tx: &mut Tx, key: &ConnectionKey, adjustments: &[StockAdjustment]) -> R<BTreeMap<String, Said>> {
    let references: BTreeSet<&String> = adjustments.iter().map(|line| &line.reference).collect();
    let rows = tx
        .among(
            "SELECT reference, line, sku, change, reason FROM stock_adjustment
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND reference IN (",
            ")",
            &key_values(key),
            references,
        )
        .await?;
    let mut known: BTreeMap<String, Said> = BTreeMap::new();
    for row in &rows {
        let line = (row.string(2)?, row.parsed(3)?, row.string(4)?);
        known.entry(row.string(0)?).or_default().insert(row.u32(1)?, line);
    }
    Ok(known)
}

fn row(key: &ConnectionKey, line: &StockAdjustment, now: Timestamp) -> Vec<Value> {
    let [tenant, merchant, connection] = key_values(key);
    vec![
        tenant,
        merchant,
        connection,
        (&line.reference).into(),
        i64::from(line.line).into(),
        (&line.sku).into(),
        line.change.to_string().into(),
        (&line.reason).into(),
        line.made_on.into(),
        now.into(),
    ]
}

/// Tells that an adjustment came again under its number with other content.
async fn changed(tx: &mut Tx, key: &ConnectionKey, first: &StockAdjustment, lines: &[StockAdjustment]) -> R<()> {
    let document = json(&lines)?;
    let subject = format!("{}/{}", first.reference, sha256(format!("{:?}", said(lines)).as_bytes()));
    let reason = format!(
        "stock adjustment {} came again with other content: what is known of it was left as it is. Ask the warehouse which of \
         the two is right; drift goes on naming the first",
        first.reference
    );
    inbox::raise(tx, key, CHANGED, &subject, &reason, Some(document.as_bytes())).await
}

fn explain_since(now: Timestamp) -> Timestamp {
    now.checked_sub(ADJUSTMENTS_KEPT).unwrap_or(Timestamp::UNIX_EPOCH)
}

async fn take_away(tx: &mut Tx, key: &ConnectionKey) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let before = explain_since(tx.now);
    tx.execute(
        "DELETE FROM stock_adjustment WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND made_on < $4
             AND reference IN (
                 SELECT a.reference FROM stock_adjustment AS a
                 WHERE a.tenant = $1 AND a.merchant = $2 AND a.connection = $3 AND a.made_on < $4
                 ORDER BY a.made_on LIMIT $5)",
        &[tenant, merchant, connection, before.into(), TAKEN_AWAY.into()],
    )
    .await?;
    Ok(())
}
