//! The warehouse's latest figures.

use std::collections::{BTreeMap, BTreeSet};

use connect::StockFeed;
use jiff::Timestamp;

use super::{
    ConnectionKey, Database, LevelView, R,
    effects::key_values,
    sql::{Tx, Value},
};

impl Database {
    /// The warehouse's latest figures: all of them, or those of some facilities.
    pub async fn latest_levels(&self, key: &ConnectionKey, facilities: Option<&BTreeSet<String>>) -> R<Vec<LevelView>> {
        let (key, facilities) = (key.clone(), facilities.cloned());
        self.read(&key.clone(), "latest_levels", move |tx| {
            Box::pin(async move {
                let fixed = key_values(&key);
                let rows = match facilities {
                    None => {
                        tx.query(
                            "SELECT sku, facility, available, physical, cut_off, feed FROM stock_level
                             WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                            &fixed,
                        )
                        .await?
                    }
                    Some(facilities) => {
                        tx.among(
                            "SELECT sku, facility, available, physical, cut_off, feed FROM stock_level
                             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND facility IN (",
                            ")",
                            &fixed,
                            facilities,
                        )
                        .await?
                    }
                };
                let mut levels = rows
                    .iter()
                    .map(|row| {
                        Ok(LevelView {
                            sku: row.string(0)?,
                            facility: row.string(1)?,
                            available: row.opt_parsed(2)?,
                            physical: row.opt_parsed(3)?,
                            cut_off: row.time(4)?,
                            feed: row.string(5)?,
                        })
                    })
                    .collect::<R<Vec<_>>>()?;
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

/// The latest figures, unless a later feed has been seen already.
pub(super) async fn keep_levels(tx: &mut Tx, key: &ConnectionKey, feed: &StockFeed) -> R<()> {
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
        tx.among(
            "DELETE FROM stock_level WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND cut_off <= $4 AND facility IN (",
            ")",
            &[tenant, merchant, connection, feed.cut_off.into()],
            facilities,
        )
        .await?;
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
