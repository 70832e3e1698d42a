//! How often signing in was tried: counted in the database, so that all nodes count together.

use jiff::Timestamp;

use super::{
    Access, Database, R,
    records::INSTALLATION,
    sql::{Row, Tx},
};
use crate::accounts::throttle::{FORGOTTEN, Rule, Tries, admit, forgive};

fn tries(row: &Row) -> R<Tries> {
    Ok(Tries { failures: row.u32(0)?, last_at: row.time(1)?, free_at: row.time(2)? })
}

/// What is known of a subject. The row is locked until the commit, and made where it is missing, so that tries at the same
/// time, here or on another node, are counted one after the other.
async fn locked(tx: &mut Tx, subject: &str) -> R<Option<Tries>> {
    let made = tx
        .execute(
            "INSERT INTO sign_in_try (tenant, subject, failures, last_at, free_at) VALUES ($1, $2, 0, 0, 0)
             ON CONFLICT (tenant, subject) DO NOTHING",
            &[INSTALLATION.into(), subject.into()],
        )
        .await?;
    if made > 0 {
        return Ok(None);
    }
    let row = tx
        .first(
            "UPDATE sign_in_try SET failures = failures WHERE tenant = $1 AND subject = $2
             RETURNING failures, last_at, free_at",
            &[INSTALLATION.into(), subject.into()],
        )
        .await?;
    row.as_ref().map(tries).transpose()
}

async fn keep(tx: &mut Tx, subject: &str, tries: Tries) -> R<()> {
    // Written anew where it was forgotten meanwhile.
    tx.execute(
        "INSERT INTO sign_in_try (tenant, subject, failures, last_at, free_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at,
             free_at = excluded.free_at",
        &[INSTALLATION.into(), subject.into(), tries.failures.into(), tries.last_at.into(), tries.free_at.into()],
    )
    .await?;
    Ok(())
}

impl Database {
    /// Counts a try for each of these subjects, always named in the same order, or says from when on one is looked at: then
    /// nothing is counted.
    pub async fn begin_try(&self, subjects: Vec<(String, Rule)>) -> R<Result<(), Timestamp>> {
        self.write(Access::System, "begin_try", move |tx| {
            Box::pin(async move {
                let mut counted = Vec::with_capacity(subjects.len());
                for (subject, rule) in subjects {
                    let known = locked(tx, &subject).await?;
                    // Waiting for the row took its time.
                    let now = tx.fresh_now().await?;
                    match admit(known, rule, now) {
                        Ok(tries) => counted.push((subject, tries)),
                        Err(until) => return Ok(Err(until)),
                    }
                }
                for (subject, tries) in counted {
                    keep(tx, &subject, tries).await?;
                }
                Ok(Ok(()))
            })
        })
        .await
    }

    /// Removes what nobody tried for a day.
    pub async fn forget_tries(&self) -> R<()> {
        self.write(Access::System, "forget_tries", move |tx| {
            Box::pin(async move {
                let old = tx.now.checked_sub(FORGOTTEN).unwrap_or(Timestamp::UNIX_EPOCH);
                tx.execute(
                    "DELETE FROM sign_in_try WHERE tenant = $1 AND last_at < $2",
                    &[INSTALLATION.into(), old.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The try was right: it is taken off again. `cleared` is the subject whose earlier failures are forgotten as well.
    pub async fn end_try(&self, forgiven: Vec<String>, cleared: Option<String>) -> R<()> {
        self.write(Access::System, "end_try", move |tx| {
            Box::pin(async move {
                for subject in forgiven {
                    if let Some(known) = locked(tx, &subject).await? {
                        let now = tx.now;
                        keep(tx, &subject, forgive(known, now)).await?;
                    }
                }
                if let Some(subject) = cleared {
                    tx.execute(
                        "DELETE FROM sign_in_try WHERE tenant = $1 AND subject = $2",
                        &[INSTALLATION.into(), subject.into()],
                    )
                    .await?;
                }
                Ok(())
            })
        })
        .await
    }
}
