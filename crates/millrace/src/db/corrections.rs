//! Stock corrections beside the journal: planned only on what is still true, and taken back once.

use std::collections::{BTreeMap, BTreeSet};

use connect::EffectId;
use engine::effect::EffectState;
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    ConnectionKey, Database, DbError, NewEffect, R, audit,
    effects::{self, key_values},
    holds,
    sql::{Row, Tx, Value},
};

/// A stock correction to plan.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCorrection {
    /// How it is made. Its subject names the source's warehouse and the product.
    pub effect: NewEffect,
    /// What it moves, signed.
    pub difference: Decimal,
    /// [`super::InFlight::corrections`] of the product when the source's figure was read: a correction made since then is not in
    /// that figure, and this one is not planned.
    pub mark: i64,
    /// The correction that it takes back.
    pub undoes: Option<EffectId>,
}

/// Why a correction is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A line of a run.
    Run,
    /// A person takes a line of a run back.
    Undo,
    /// The inverse of one that showed after it was given up.
    Late,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Undo => "undo",
            Self::Late => "late",
        }
    }
}

/// One correction of a run, with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrectionView {
    /// The correction.
    pub effect: EffectId,
    /// The source's warehouse.
    pub warehouse_id: i64,
    /// The product.
    pub product_id: i64,
    /// What it moves, signed.
    pub difference: Decimal,
    /// Where it stands.
    pub state: EffectState,
    /// What takes it back and where that stands, where something does.
    pub undone_by: Option<(EffectId, EffectState)>,
    /// Another correction of the product came after it and was made, or may have been.
    pub touched_later: bool,
}

/// What the hub's own corrections contribute to a product's drift.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnCorrections {
    /// Sum of those under way, signed.
    pub under_way: Decimal,
    /// Sum of those that took something back while the product is held, signed; done or under way.
    pub undone: Decimal,
    /// The markers of all of them, which the source keeps in their words.
    pub markers: BTreeSet<String>,
}

/// Why corrections were left out, by warehouse and product.
pub(super) type LeftOut = BTreeMap<(i64, i64), String>;

/// States in which nothing of a correction happened.
const NOTHING_HAPPENED: [EffectState; 2] = [EffectState::Refused, EffectState::Voided];

/// Keeps every other run and planning of corrections of this connection out until the transaction ends, so it comes before
/// any run is touched. SQLite has one writer.
pub(super) async fn lock(tx: &mut Tx, key: &ConnectionKey) -> R<()> {
    if tx.is_postgres() {
        tx.query(
            "SELECT id FROM connection WHERE tenant = $1 AND merchant = $2 AND id = $3 FOR NO KEY UPDATE",
            &key_values(key),
        )
        .await?;
    }
    Ok(())
}

/// A number for each of these products that grows with every correction planned, claimed or decided; nil without any.
pub(super) async fn marks(
    tx: &mut Tx,
    key: &ConnectionKey,
    warehouse_id: i64,
    products: &BTreeSet<i64>,
) -> R<BTreeMap<i64, (i64, bool)>> {
    let [tenant, merchant, connection] = key_values(key);
    let rows = tx
        .among(
            "SELECT product_id, CAST(sum(fence + 1) AS BIGINT),
                 max(CASE WHEN state NOT IN ('applied', 'refused', 'voided', 'superseded') THEN 1 ELSE 0 END)
             FROM effect
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND warehouse_id = $4 AND product_id IS NOT NULL
                 AND kind = 'correct_stock' AND product_id IN (",
            ") GROUP BY product_id",
            &[tenant, merchant, connection, warehouse_id.into()],
            products.iter().copied(),
        )
        .await?;
    rows.iter().map(|row| Ok((row.int(0)?, (row.int(1)?, row.flag(2)?)))).collect()
}

/// Plans corrections as far as what they were worked out from is still true, and says why the others were left out.
pub(super) async fn plan(
    tx: &mut Tx,
    key: &ConnectionKey,
    run: Option<&str>,
    origin: Origin,
    corrections: Vec<NewCorrection>,
) -> R<LeftOut> {
    let mut left_out = LeftOut::new();
    if corrections.is_empty() {
        return Ok(left_out);
    }
    lock(tx, key).await?;
    let mut by_warehouse: BTreeMap<i64, Vec<NewCorrection>> = BTreeMap::new();
    for correction in corrections {
        let (Some(warehouse_id), Some(_)) =
            (correction.effect.subject.warehouse_id, correction.effect.subject.product_id)
        else {
            return Err(DbError::Refused("a stock correction names its warehouse and its product".to_owned()));
        };
        by_warehouse.entry(warehouse_id).or_default().push(correction);
    }
    let mut kept = Vec::new();
    for (warehouse_id, corrections) in by_warehouse {
        let products: BTreeSet<i64> =
            corrections.iter().filter_map(|correction| correction.effect.subject.product_id).collect();
        let marks = marks(tx, key, warehouse_id, &products).await?;
        let held = if origin == Origin::Run {
            holds::of_products(tx, key, warehouse_id, &products).await?
        } else {
            BTreeMap::new()
        };
        for correction in corrections {
            let product_id = correction.effect.subject.product_id.unwrap_or_default();
            let mark = marks.get(&product_id).map_or(0, |(mark, _)| *mark);
            let why = if mark != correction.mark {
                Some("another correction of it came in between".to_owned())
            } else {
                held.get(&product_id).cloned()
            };
            match why {
                Some(why) => drop(left_out.insert((warehouse_id, product_id), why)),
                None => kept.push(correction),
            }
        }
    }
    insert(tx, key, run, origin, kept).await?;
    Ok(left_out)
}

async fn insert(
    tx: &mut Tx,
    key: &ConnectionKey,
    run: Option<&str>,
    origin: Origin,
    corrections: Vec<NewCorrection>,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let rows = corrections
        .iter()
        .map(|correction| {
            vec![
                tenant.clone(),
                merchant.clone(),
                (&correction.effect.id).into(),
                connection.clone(),
                run.into(),
                origin.as_str().into(),
                correction.effect.subject.warehouse_id.into(),
                correction.effect.subject.product_id.into(),
                correction.difference.into(),
                correction.undoes.as_ref().into(),
                0_i64.into(),
                now.into(),
            ]
        })
        .collect();
    effects::plan(tx, key, corrections.into_iter().map(|correction| correction.effect).collect()).await?;
    tx.many(
        "INSERT INTO correction (tenant, merchant, effect, connection, run, origin, warehouse_id, product_id, difference,
             undoes, given_up, planned_at) VALUES ",
        "",
        &[],
        rows,
    )
    .await?;
    Ok(())
}

/// The corrections of a run; `$4` is the run.
const OF_RUN: &str = "SELECT c.effect, c.warehouse_id, c.product_id, c.difference, e.state, u.effect, ue.state,
     CASE WHEN EXISTS (SELECT 1 FROM effect AS l WHERE l.tenant = c.tenant AND l.merchant = c.merchant
         AND l.connection = c.connection AND l.warehouse_id = c.warehouse_id AND l.product_id = c.product_id
         AND l.product_id IS NOT NULL AND l.kind = 'correct_stock' AND l.id > c.effect AND l.id <> coalesce(u.effect, '')
         AND l.state NOT IN ('refused', 'voided')) THEN 1 ELSE 0 END
     FROM correction AS c
     JOIN effect AS e ON e.tenant = c.tenant AND e.merchant = c.merchant AND e.id = c.effect
     LEFT JOIN correction AS u ON u.tenant = c.tenant AND u.merchant = c.merchant AND u.undoes = c.effect AND u.given_up = 0
     LEFT JOIN effect AS ue ON ue.tenant = u.tenant AND ue.merchant = u.merchant AND ue.id = u.effect
     WHERE c.tenant = $1 AND c.merchant = $2 AND c.connection = $3 AND c.run = $4 AND c.origin = 'run'";

fn view(row: &Row) -> R<CorrectionView> {
    let undone_by: Option<(EffectId, EffectState)> = match (row.opt_parsed(5)?, row.opt_parsed(6)?) {
        // One that certainly did not happen takes nothing back.
        (Some(effect), Some(state)) if !NOTHING_HAPPENED.contains(&state) => Some((effect, state)),
        _ => None,
    };
    Ok(CorrectionView {
        effect: row.parsed(0)?,
        warehouse_id: row.int(1)?,
        product_id: row.int(2)?,
        difference: row.parsed(3)?,
        state: row.parsed(4)?,
        undone_by,
        touched_later: row.flag(7)?,
    })
}

async fn of_run(tx: &mut Tx, key: &ConnectionKey, run: &str) -> R<Vec<CorrectionView>> {
    let [tenant, merchant, connection] = key_values(key);
    let mut found: Vec<CorrectionView> =
        tx.query(OF_RUN, &[tenant, merchant, connection, run.into()]).await?.iter().map(view).collect::<R<_>>()?;
    found.sort_by(|a, b| a.effect.cmp(&b.effect));
    Ok(found)
}

impl Database {
    /// The corrections that came from a run, in the order they were planned.
    pub async fn corrections_of_run(&self, key: &ConnectionKey, run: &str) -> R<Vec<CorrectionView>> {
        let (key, run) = (key.clone(), run.to_owned());
        self.read(&key.clone(), "corrections_of_run", move |tx| Box::pin(async move { of_run(tx, &key, &run).await }))
            .await
    }

    /// A person takes corrections of a run back: each once, only what is done, and only while nothing else has touched the
    /// product since its figure was read. The products are held from then on; `skus` names them for people, by warehouse and
    /// product. What was left out comes back with the reason.
    ///
    /// # Errors
    /// [`DbError::Refused`] when nothing could be taken back; then nothing is written.
    pub async fn undo_run(
        &self,
        key: &ConnectionKey,
        run: &str,
        corrections: Vec<NewCorrection>,
        skus: BTreeMap<(i64, i64), String>,
        actor: &str,
        reason: &str,
    ) -> R<BTreeMap<(i64, i64), String>> {
        let (key, run, actor, reason) = (key.clone(), run.to_owned(), actor.to_owned(), reason.to_owned());
        self.write(&key.clone(), "undo_run", move |tx| {
            Box::pin(async move { undo(tx, &key, &run, corrections, &skus, &actor, &reason).await })
        })
        .await
    }

    /// What the hub's own corrections of these products contribute to their drift, as far as it is not older than `since`.
    pub async fn own_corrections(
        &self,
        key: &ConnectionKey,
        warehouse_id: i64,
        products: &[i64],
        since: Timestamp,
    ) -> R<BTreeMap<i64, OwnCorrections>> {
        let (key, products) = (key.clone(), products.to_vec());
        self.read(&key.clone(), "own_corrections", move |tx| {
            Box::pin(async move { own(tx, &key, warehouse_id, &products, since).await })
        })
        .await
    }
}

async fn undo(
    tx: &mut Tx,
    key: &ConnectionKey,
    run: &str,
    corrections: Vec<NewCorrection>,
    skus: &BTreeMap<(i64, i64), String>,
    actor: &str,
    reason: &str,
) -> R<LeftOut> {
    lock(tx, key).await?;
    let known: BTreeMap<EffectId, CorrectionView> =
        of_run(tx, key, run).await?.into_iter().map(|view| (view.effect.clone(), view)).collect();
    let mut left_out = LeftOut::new();
    let mut wanted = Vec::new();
    for correction in corrections {
        let place = place(&correction);
        let original = correction.undoes.as_ref().and_then(|undoes| known.get(undoes));
        let why = match original {
            None => Some("it is not a correction of this run".to_owned()),
            Some(view) if view.undone_by.is_some() => Some("it is undone already".to_owned()),
            Some(view) if view.state != EffectState::Applied => {
                Some(format!("only what is done can be undone, and it is {}", view.state))
            }
            Some(view) if correction.difference != -view.difference => {
                Some("it would not take back what was done".to_owned())
            }
            Some(_) => None,
        };
        match why {
            Some(why) => drop(left_out.insert(place, why)),
            None => wanted.push(correction),
        }
    }
    give_up_ended(tx, key, &wanted).await?;
    let mut places: BTreeSet<(i64, i64)> = wanted.iter().map(place).collect();
    let named: Vec<String> = wanted.iter().filter_map(|one| Some(one.undoes.as_ref()?.to_string())).collect();
    left_out.extend(plan(tx, key, Some(run), Origin::Undo, wanted).await?);
    places.retain(|place| !left_out.contains_key(place));
    if places.is_empty() {
        let why = left_out.values().next().cloned().unwrap_or_else(|| "no line was named".to_owned());
        return Err(DbError::Refused(format!("nothing of stock run {run} can be undone: {why}")));
    }
    let why = format!("undone by {actor}: {reason}");
    for place in &places {
        let sku = skus.get(place).cloned().unwrap_or_default();
        holds::hold(tx, key, *place, &sku, &why, actor).await?;
    }
    tx.event("run", run, "undone");
    let detail = serde_json::json!({ "reason": reason, "lines": places.len(), "corrections": named }).to_string();
    audit::append(tx, key.scope.tenant.as_str(), actor, "stock.undo", run, &detail).await?;
    Ok(left_out)
}

fn place(correction: &NewCorrection) -> (i64, i64) {
    let subject = &correction.effect.subject;
    (subject.warehouse_id.unwrap_or_default(), subject.product_id.unwrap_or_default())
}

/// What was to take these back and certainly did not happen stands in the way no longer.
async fn give_up_ended(tx: &mut Tx, key: &ConnectionKey, corrections: &[NewCorrection]) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    tx.among(
        "UPDATE correction SET given_up = 1
         WHERE tenant = $1 AND merchant = $2 AND given_up = 0
             AND EXISTS (SELECT 1 FROM effect AS e WHERE e.tenant = correction.tenant AND e.merchant = correction.merchant
                 AND e.id = correction.effect AND e.state IN ('refused', 'voided'))
             AND undoes IN (",
        ")",
        &[tenant, merchant],
        corrections.iter().filter_map(|correction| correction.undoes.as_ref()),
    )
    .await?;
    Ok(())
}

async fn own(
    tx: &mut Tx,
    key: &ConnectionKey,
    warehouse_id: i64,
    products: &[i64],
    since: Timestamp,
) -> R<BTreeMap<i64, OwnCorrections>> {
    let [tenant, merchant, connection] = key_values(key);
    let fixed: [Value; 4] = [tenant, merchant, connection, warehouse_id.into()];
    let mut with_time = fixed.to_vec();
    with_time.push(since.into());
    let mut own: BTreeMap<i64, OwnCorrections> = BTreeMap::new();
    let rows = tx
        .among(
            "SELECT e.product_id, e.state, e.key, c.difference FROM effect AS e
             LEFT JOIN correction AS c ON c.tenant = e.tenant AND c.merchant = e.merchant AND c.effect = e.id
             WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.warehouse_id = $4
                 AND e.product_id IS NOT NULL AND e.kind = 'correct_stock' AND e.changed_at >= $5 AND e.product_id IN (",
            ")",
            &with_time,
            products.iter().copied(),
        )
        .await?;
    for row in &rows {
        let state: EffectState = row.parsed(1)?;
        let of_product = own.entry(row.int(0)?).or_default();
        of_product.markers.insert(row.string(2)?);
        if state != EffectState::Applied && !NOTHING_HAPPENED.contains(&state) {
            of_product.under_way += row.opt_parsed::<Decimal>(3)?.unwrap_or_default();
        }
    }
    let rows = tx
        .among(
            "SELECT c.product_id, c.difference, e.state FROM stock_hold AS h
             JOIN correction AS c ON c.tenant = h.tenant AND c.merchant = h.merchant AND c.connection = h.connection
                 AND c.warehouse_id = h.warehouse_id AND c.product_id = h.product_id AND c.origin = 'undo'
                 AND c.planned_at >= h.at
             JOIN effect AS e ON e.tenant = c.tenant AND e.merchant = c.merchant AND e.id = c.effect
             WHERE h.tenant = $1 AND h.merchant = $2 AND h.connection = $3 AND h.warehouse_id = $4 AND h.product_id IN (",
            ")",
            &fixed,
            products.iter().copied(),
        )
        .await?;
    for row in &rows {
        let state: EffectState = row.parsed(2)?;
        if !NOTHING_HAPPENED.contains(&state) {
            own.entry(row.int(0)?).or_default().undone += row.parsed::<Decimal>(1)?;
        }
    }
    Ok(own)
}
