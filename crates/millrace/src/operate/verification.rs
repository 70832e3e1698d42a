//! Whether the audit trails are as they were written (AU1, security control 25).

use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, Failure, Hub};
use crate::db::{Access, AuditChain};

/// One audit trail, read from its beginning.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditTrailOut {
    /// Whose: a tenant's name, or `installation` for what concerns no tenant.
    pub of: String,
    /// Every row is as it was written.
    pub whole: bool,
    /// Rows read.
    pub rows: i64,
    /// Number of the first row that was altered, taken out or put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altered: Option<i64>,
    /// Hash of the last row that is as it was written. Note it elsewhere: rows cut off at the end show by comparing.
    pub head: String,
}

impl AuditTrailOut {
    fn new(of: impl Into<String>, chain: AuditChain) -> Self {
        let AuditChain { rows, altered, head } = chain;
        Self { of: of.into(), whole: altered.is_none(), rows, altered, head }
    }
}

/// Every audit trail that the caller may see.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditVerificationOut {
    /// All of them are as they were written.
    pub whole: bool,
    /// One by one.
    pub trails: Vec<AuditTrailOut>,
}

/// Works out the chain of the caller's audit trail anew; for whoever administers the installation that of every tenant, and
/// the installation's own.
///
/// # Errors
/// When the caller may not see it, or the database cannot be read.
pub async fn verify(hub: &Hub, caller: &Caller) -> Result<AuditVerificationOut, Failure> {
    caller.administers()?;
    let mut trails = Vec::new();
    for tenant in hub.db.tenants().await? {
        if caller.installation || tenant.id == caller.tenant {
            let chain = hub.db.audit_chain(&Access::Tenant(tenant.id)).await?;
            trails.push(AuditTrailOut::new(tenant.name, chain));
        }
    }
    if caller.installation {
        trails.push(AuditTrailOut::new("installation", hub.db.audit_chain(&Access::System).await?));
    }
    Ok(AuditVerificationOut { whole: trails.iter().all(|trail| trail.whole), trails })
}
