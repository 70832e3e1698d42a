//! People's yeses to stock that two approve.

use jiff::Timestamp;

use super::{ConnectionKey, Database, R, audit, corrections, facts::scope_values, sql::Row};

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assent {
    /// The SKUs of the lines it is for; none: the run itself.
    pub skus: Vec<String>,
    /// Who: the id of a person (`per_…`).
    pub person: String,
    /// The same, as the audit trail names them.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Who said it may still sign in: otherwise it is as if it had not been said.
    pub counts: bool,
}

fn assent(row: &Row) -> R<Assent> {
    let what = row.string(0)?;
    let skus = what.split('\n').filter(|sku| !sku.is_empty()).map(str::to_owned).collect();
    let counts = !row.flag(4)?;
    Ok(Assent { skus, actor: row.string(1)?, at: row.time(2)?, person: row.string(3)?, counts })
}

impl Database {
    /// A person says yes to a run, or to the lines of these SKUs. Whether somebody else, who may still sign in, has said yes to the
    /// same: then it is agreed. However often one says it, it is one yes.
    pub async fn assent(&self, key: &ConnectionKey, run: &str, skus: &[&str], person: &str, actor: &str) -> R<bool> {
        let (key, run, what) = (key.clone(), run.to_owned(), skus.join("\n"));
        let (person, actor) = (person.to_owned(), actor.to_owned());
        self.write(&key.clone(), "assent", move |tx| {
            Box::pin(async move {
                // Of two who say yes at the same moment, the second one sees the first one's.
                corrections::lock(tx, &key).await?;
                let [tenant, merchant] = scope_values(&key.scope);
                let now = tx.now;
                let new = tx
                    .execute(
                        "INSERT INTO stock_assent (tenant, merchant, run, what, person, actor, at)
                         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                        &[
                            tenant.clone(),
                            merchant.clone(),
                            (&run).into(),
                            (&what).into(),
                            (&person).into(),
                            (&actor).into(),
                            now.into(),
                        ],
                    )
                    .await?;
                if new > 0 {
                    let skus: Vec<&str> = what.split('\n').filter(|sku| !sku.is_empty()).collect();
                    let detail = serde_json::json!({ "skus": skus }).to_string();
                    audit::append(tx, key.scope.tenant.as_str(), &actor, "stock.assent", &run, &detail).await?;
                }
                let other = tx
                    .first(
                        "SELECT 1 FROM stock_assent AS c
                         WHERE c.tenant = $1 AND c.merchant = $2 AND c.run = $3 AND c.what = $4 AND c.person <> $5
                             AND NOT EXISTS (SELECT 1 FROM person AS p
                                 WHERE p.tenant = $1 AND p.id = c.person AND p.disabled = 1)
                         LIMIT 1",
                        &[tenant, merchant, run.into(), what.into(), person.into()],
                    )
                    .await?;
                Ok(other.is_some())
            })
        })
        .await
    }

    /// The yeses to a run and to lines of it, oldest first.
    pub async fn assents(&self, key: &ConnectionKey, run: &str) -> R<Vec<Assent>> {
        let (key, run) = (key.clone(), run.to_owned());
        self.read(&key.clone(), "assents", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&key.scope);
                let rows = tx
                    .query(
                        "SELECT a.what, a.actor, a.at, a.person, COALESCE(p.disabled, 0)
                         FROM stock_assent AS a LEFT JOIN person AS p ON p.tenant = a.tenant AND p.id = a.person
                         WHERE a.tenant = $1 AND a.merchant = $2 AND a.run = $3 ORDER BY a.at, a.person, a.what",
                        &[tenant, merchant, run.into()],
                    )
                    .await?;
                rows.iter().map(assent).collect()
            })
        })
        .await
    }
}
