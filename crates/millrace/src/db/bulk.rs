//! Bulk actions that a person has seen the outcome of and may carry out once.

use connect::TenantId;
use jiff::{SignedDuration, Timestamp};

use super::{Database, DbError, R};

/// What was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkPreview {
    /// Which action.
    pub action: String,
    /// Why, for actions that need it.
    pub reason: String,
    /// The orders' ids.
    pub orders: Vec<String>,
}

/// How long a preview may be carried out.
pub const PREVIEW_KEPT: SignedDuration = SignedDuration::from_mins(30);

impl Database {
    /// Keeps a preview under the hash of its token.
    pub async fn keep_preview(
        &self,
        tenant: &TenantId,
        token_sha256: &str,
        actor: &str,
        preview: BulkPreview,
    ) -> R<()> {
        let (tenant, hash, actor) = (tenant.clone(), token_sha256.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "keep_preview", move |tx| {
            Box::pin(async move {
                let old = tx.now.checked_sub(PREVIEW_KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
                tx.execute("DELETE FROM bulk_preview WHERE tenant = $1 AND at < $2", &[(&tenant).into(), old.into()])
                    .await?;
                let now = tx.now;
                tx.execute(
                    "INSERT INTO bulk_preview (tenant, token_sha256, actor, action, reason, orders, at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    &[
                        (&tenant).into(),
                        hash.into(),
                        actor.into(),
                        preview.action.into(),
                        preview.reason.into(),
                        super::sql::json(&preview.orders)?.into(),
                        now.into(),
                    ],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Takes a preview to carry it out: it is gone then.
    ///
    /// # Errors
    /// [`DbError::NotFound`] where there is none for this actor, or it is too old.
    pub async fn take_preview(&self, tenant: &TenantId, token_sha256: &str, actor: &str) -> R<BulkPreview> {
        let (tenant, hash, actor) = (tenant.clone(), token_sha256.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "take_preview", move |tx| {
            Box::pin(async move {
                let old = tx.now.checked_sub(PREVIEW_KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
                let row = tx
                    .first(
                        "DELETE FROM bulk_preview WHERE tenant = $1 AND token_sha256 = $2 AND actor = $3 AND at >= $4
                         RETURNING action, reason, orders",
                        &[(&tenant).into(), hash.into(), actor.into(), old.into()],
                    )
                    .await?
                    .ok_or_else(|| DbError::NotFound("a preview with this token".to_owned()))?;
                Ok(BulkPreview { action: row.string(0)?, reason: row.string(1)?, orders: row.json(2)? })
            })
        })
        .await
    }
}
