//! The translation tables of a connection.

use connect::ShipMethod;

use super::{
    ConnectionKey, Database, Mappings, R, config,
    effects::key_values,
    sql::{Tx, Value},
};

impl Database {
    /// The translation tables of a connection.
    pub async fn mappings(&self, key: &ConnectionKey) -> R<Mappings> {
        let key = key.clone();
        self.read(&key.clone(), "mappings", move |tx| Box::pin(async move { load(tx, &key).await })).await
    }

    /// Puts these tables in the place of the former ones.
    pub async fn replace_mappings(&self, key: &ConnectionKey, mappings: &Mappings) -> R<()> {
        let (key, mappings) = (key.clone(), mappings.clone());
        self.write(&key.clone(), "replace_mappings", move |tx| {
            Box::pin(async move {
                let values = key_values(&key);
                for sql in [
                    "DELETE FROM listing WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    "DELETE FROM kit WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    "DELETE FROM ship_method WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    "DELETE FROM source_method WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    "DELETE FROM location WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                ] {
                    tx.execute(sql, &values).await?;
                }
                insert(tx, &key, mappings).await?;
                config::touch(tx, &key).await
            })
        })
        .await
    }

    /// Adds these entries to the tables; an entry of the same left side is replaced.
    pub async fn put_mappings(&self, key: &ConnectionKey, mappings: &Mappings) -> R<()> {
        let (key, mappings) = (key.clone(), mappings.clone());
        self.write(&key.clone(), "put_mappings", move |tx| {
            Box::pin(async move {
                remove(tx, &key, &mappings).await?;
                insert(tx, &key, mappings).await?;
                config::touch(tx, &key).await
            })
        })
        .await
    }

    /// Removes the entries with these left sides.
    pub async fn delete_mappings(&self, key: &ConnectionKey, mappings: &Mappings) -> R<()> {
        let (key, mappings) = (key.clone(), mappings.clone());
        self.write(&key.clone(), "delete_mappings", move |tx| {
            Box::pin(async move {
                remove(tx, &key, &mappings).await?;
                config::touch(tx, &key).await
            })
        })
        .await
    }
}

async fn load(tx: &mut Tx, key: &ConnectionKey) -> R<Mappings> {
    let values = key_values(key);
    let mut mappings = Mappings::default();
    let rows = tx
        .query(
            "SELECT source_sku, warehouse_sku FROM listing WHERE tenant = $1 AND merchant = $2 AND connection = $3",
            &values,
        )
        .await?;
    for row in &rows {
        mappings.listings.insert(row.string(0)?, row.string(1)?);
    }
    let rows = tx
        .query(
            "SELECT source_sku, warehouse_sku, units FROM kit
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 ORDER BY source_sku, place",
            &values,
        )
        .await?;
    for row in &rows {
        mappings.kits.entry(row.string(0)?).or_default().push((row.string(1)?, row.parsed(2)?));
    }
    let rows = tx
        .query(
            "SELECT source_method, carrier, service FROM ship_method
             WHERE tenant = $1 AND merchant = $2 AND connection = $3",
            &values,
        )
        .await?;
    for row in &rows {
        let method = ShipMethod { carrier: row.string(1)?, service: row.string(2)? };
        mappings.ship_methods.insert(row.int(0)?, method);
    }
    let rows = tx
        .query(
            "SELECT carrier, service, source_method FROM source_method
             WHERE tenant = $1 AND merchant = $2 AND connection = $3",
            &values,
        )
        .await?;
    for row in &rows {
        let method = ShipMethod { carrier: row.string(0)?, service: row.string(1)? };
        mappings.source_methods.insert(method, row.int(2)?);
    }
    let rows = tx
        .query(
            "SELECT facility, warehouse_id FROM location WHERE tenant = $1 AND merchant = $2 AND connection = $3",
            &values,
        )
        .await?;
    for row in &rows {
        mappings.locations.insert(row.string(0)?, row.int(1)?);
    }
    Ok(mappings)
}

fn with_key(key: &ConnectionKey, values: Vec<Value>) -> Vec<Value> {
    let mut row = key_values(key).to_vec();
    row.extend(values);
    row
}

async fn insert(tx: &mut Tx, key: &ConnectionKey, mappings: Mappings) -> R<()> {
    let Mappings { listings, kits, ship_methods, source_methods, locations } = mappings;
    let rows = listings.into_iter().map(|(ours, theirs)| with_key(key, vec![ours.into(), theirs.into()])).collect();
    tx.many("INSERT INTO listing (tenant, merchant, connection, source_sku, warehouse_sku) VALUES ", "", &[], rows)
        .await?;
    let mut rows = Vec::new();
    for (ours, parts) in kits {
        for (place, (theirs, units)) in (0_i64..).zip(parts) {
            rows.push(with_key(key, vec![(&ours).into(), place.into(), theirs.into(), units.into()]));
        }
    }
    tx.many(
        "INSERT INTO kit (tenant, merchant, connection, source_sku, place, warehouse_sku, units) VALUES ",
        "",
        &[],
        rows,
    )
    .await?;
    let rows = ship_methods
        .into_iter()
        .map(|(id, method)| with_key(key, vec![id.into(), method.carrier.into(), method.service.into()]))
        .collect();
    tx.many(
        "INSERT INTO ship_method (tenant, merchant, connection, source_method, carrier, service) VALUES ",
        "",
        &[],
        rows,
    )
    .await?;
    let rows = source_methods
        .into_iter()
        .map(|(method, id)| with_key(key, vec![method.carrier.into(), method.service.into(), id.into()]))
        .collect();
    tx.many(
        "INSERT INTO source_method (tenant, merchant, connection, carrier, service, source_method) VALUES ",
        "",
        &[],
        rows,
    )
    .await?;
    let rows = locations.into_iter().map(|(facility, id)| with_key(key, vec![facility.into(), id.into()])).collect();
    tx.many("INSERT INTO location (tenant, merchant, connection, facility, warehouse_id) VALUES ", "", &[], rows)
        .await?;
    Ok(())
}

async fn remove(tx: &mut Tx, key: &ConnectionKey, mappings: &Mappings) -> R<()> {
    let values = key_values(key);
    tx.among(
        "DELETE FROM listing WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND source_sku IN (",
        ")",
        &values,
        mappings.listings.keys(),
    )
    .await?;
    tx.among(
        "DELETE FROM kit WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND source_sku IN (",
        ")",
        &values,
        mappings.kits.keys(),
    )
    .await?;
    tx.among(
        "DELETE FROM ship_method WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND source_method IN (",
        ")",
        &values,
        mappings.ship_methods.keys().copied(),
    )
    .await?;
    for method in mappings.source_methods.keys() {
        let [tenant, merchant, connection] = key_values(key);
        tx.execute(
            "DELETE FROM source_method
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND carrier = $4 AND service = $5",
            &[tenant, merchant, connection, (&method.carrier).into(), (&method.service).into()],
        )
        .await?;
    }
    tx.among(
        "DELETE FROM location WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND facility IN (",
        ")",
        &values,
        mappings.locations.keys(),
    )
    .await?;
    Ok(())
}
