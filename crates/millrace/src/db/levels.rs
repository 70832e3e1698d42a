//! The warehouse's latest figures.

use std::collections::{BTreeMap, BTreeSet};

use connect::StockFeed;
use jiff::Timestamp;

use super::{
    ConnectionKey, Database, LevelView, R, RunState,
    effects::key_values,
    queries::{LEVEL, level_view},
    sql::{Tx, Value},
    stock,
};

/// The latest figure of a SKU in one facility, and whether it may be acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLevel {
    /// The figure.
    pub level: LevelView,
    /// The run of the count that it came with, where that was not let through; `None`: it was.
    pub stopped: Option<Stopped>,
}

/// A run whose count nobody has let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The run.
    pub run: String,
    /// [`RunState::Waiting`] or [`RunState::Dropped`]: of a count that is refused no figure is kept.
    pub state: RunState,
}

impl Database {
    /// The latest figures of some facilities, each with what became of the count that it came with. The figures of a count that
    /// waits or was dropped are kept, since they are the latest that the warehouse says; they are not to be acted upon.
    pub async fn levels_of(&self, key: &ConnectionKey, facilities: &BTreeSet<String>) -> R<Vec<KeptLevel>> {
        let (key, facilities) = (key.clone(), facilities.clone());
        self.read(&key.clone(), "levels_of", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        // The columns of `LEVEL`.
                        "SELECT sku, facility, available, physical, cut_off, feed FROM stock_level
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND facility IN (",
                        ")",
                        &key_values(&key),
                        facilities,
                    )
                    .await?;
                let levels = rows.iter().map(level_view).collect::<R<Vec<_>>>()?;
                let times: BTreeSet<Timestamp> = levels.iter().map(|level| level.cut_off).collect();
                let stopped = stock::stopped_at(tx, &key, times).await?;
                Ok(levels
                    .into_iter()
                    .map(|level| KeptLevel {
                        stopped: stopped
                            .iter()
                            .find(|one| {
                                one.cut_off == level.cut_off && one.feed == level.feed && one.counts(&level.facility)
                            })
                            .map(|one| one.run.clone()),
                        level,
                    })
                    .collect())
            })
        })
        .await
    }

    /// The facilities that the latest figures name.
    pub async fn facilities_counted(&self, key: &ConnectionKey) -> R<BTreeSet<String>> {
        let key = key.clone();
        self.read(&key.clone(), "facilities_counted", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT DISTINCT facility FROM stock_level
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND facility <> ''",
                        &key_values(&key),
                    )
                    .await?;
                rows.iter().map(|row| row.string(0)).collect()
            })
        })
        .await
    }

    /// All of the warehouse's latest figures, by SKU and facility.
    pub async fn latest_levels(&self, key: &ConnectionKey) -> R<Vec<LevelView>> {
        let key = key.clone();
        self.read(&key.clone(), "latest_levels", move |tx| {
            Box::pin(async move {
                let sql =
                    format!("SELECT {LEVEL} FROM stock_level WHERE tenant = $1 AND merchant = $2 AND connection = $3");
                let rows = tx.query_built(sql, &key_values(&key)).await?;
                let mut levels = rows.iter().map(level_view).collect::<R<Vec<_>>>()?;
                levels.sort_by(|a, b| (&a.sku, &a.facility).cmp(&(&b.sku, &b.facility)));
                Ok(levels)
            })
        })
        .await
    }
}

/// The latest time that figures of this feed's facilities speak of, whichever feeds they came with.
pub(super) async fn newest(tx: &mut Tx, key: &ConnectionKey, feed: &StockFeed) -> R<Option<Timestamp>> {
    let facilities: BTreeSet<String> =
        feed.levels.iter().map(|level| level.facility.clone().unwrap_or_default()).collect();
    let rows = tx
        .among(
            "SELECT max(cut_off) FROM stock_level WHERE tenant = $1 AND merchant = $2 AND connection = $3
                 AND facility IN (",
            ") GROUP BY facility",
            &key_values(key),
            &facilities,
        )
        .await?;
    let times = rows.iter().map(|row| row.opt_time(0)).collect::<R<Vec<_>>>()?;
    Ok(times.into_iter().flatten().max())
}

/// The latest figures, unless a later feed has been seen already. `let_through`: its run is acted upon.
pub(super) async fn keep_levels(tx: &mut Tx, key: &ConnectionKey, feed: &StockFeed, let_through: bool) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let mut levels: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for level in &feed.levels {
        let facility = level.facility.as_deref().unwrap_or_default();
        levels.insert(
            (&level.sku, facility),
            vec![
                tenant.clone(),
                merchant.clone(),
                connection.clone(),
                (&level.sku).into(),
                facility.into(),
                level.available.into(),
                level.physical.into(),
                feed.cut_off.into(),
                (&feed.reference).into(),
            ],
        );
    }
    if feed.absent_is_zero && !feed.levels.is_empty() {
        // Of the facilities that it counts: it says nothing of the others.
        let facilities: BTreeSet<String> = levels.keys().map(|(_, facility)| (*facility).to_owned()).collect();
        let fixed = [tenant, merchant, connection, feed.cut_off.into(), (&feed.reference).into()];
        if let_through {
            tx.among(
                "DELETE FROM stock_level WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND cut_off <= $4 AND facility IN (",
                ")",
                &fixed[..4],
                facilities,
            )
            .await?;
        } else {
            // A figure that is gone could not say that it went by a count which nobody has let through.
            tx.among(
                "UPDATE stock_level SET available = CASE WHEN available IS NULL THEN NULL ELSE '0' END,
                     physical = CASE WHEN physical IS NULL THEN NULL ELSE '0' END, cut_off = $4, feed = $5
                 WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND cut_off <= $4 AND facility IN (",
                ")",
                &fixed,
                facilities,
            )
            .await?;
        }
    }
    tx.many(
        "INSERT INTO stock_level (tenant, merchant, connection, sku, facility, available, physical, cut_off, feed) VALUES ",
        " ON CONFLICT (tenant, merchant, connection, sku, facility) DO UPDATE SET available = excluded.available,
             physical = excluded.physical, cut_off = excluded.cut_off, feed = excluded.feed
         WHERE stock_level.cut_off <= excluded.cut_off",
        &[],
        levels.into_values().collect(),
    )
    .await?;
    Ok(())
}
