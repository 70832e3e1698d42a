//! Erasing people from what a merchant's finished orders left: names, addresses, telephones, e-mails, notes, and the payloads that held
//! them. Looked at first; done by an administrator who has just given the password; written down.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub,
    endpoints::{self, MerchantOut},
    id, reason,
};
use crate::db::{Erasable, Scope};

/// How much of a merchant's data has people in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErasureOut {
    /// Whose.
    pub merchant: MerchantOut,
    /// Finished orders with people in them: what erasing erases.
    pub orders: i64,
    /// Orders that are not finished, or of which something may still be sent. They keep their people.
    pub in_flight: i64,
    /// Files and pages of warehouses, kept as they came.
    pub inputs: i64,
    /// Inputs that could not be used and that somebody has dealt with.
    pub exceptions: i64,
}

/// What is to be erased, by whoever has looked.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureIn {
    /// How many orders the look said. When they are others meanwhile, nothing is erased.
    pub orders: i64,
    /// Why, in a few words; kept in the audit trail.
    pub reason: String,
}

/// What erasing would erase now. Changes nothing.
///
/// # Errors
/// When the caller does not administer the tenant, or there is no such merchant.
pub async fn preview(hub: &Hub, caller: &Caller, named: &str) -> Result<ErasureOut, Failure> {
    caller.administers()?;
    let merchant = endpoints::merchant(hub, caller, named).await?;
    let scope = Scope { tenant: caller.tenant.clone(), merchant: id(&merchant.id)? };
    let Erasable { orders, in_flight, inputs, exceptions } = hub.db.erasable(&scope).await?;
    Ok(ErasureOut { merchant, orders, in_flight, inputs, exceptions })
}

/// Erases them. It goes on to its end even if whoever asked goes away; asked for again, it goes on with what is left. What was there
/// before is answered, so `in_flight` says what keeps its people.
///
/// # Errors
/// When the caller does not administer the tenant or gave the password too long ago, there is no such merchant, or there are other
/// orders than the caller has seen.
pub async fn erase(hub: &Arc<Hub>, caller: &Caller, named: &str, given: &ErasureIn) -> Result<ErasureOut, Failure> {
    let seen = preview(hub, caller, named).await?;
    caller.proves(hub)?;
    let why = reason(&given.reason)?.to_owned();
    if seen.orders != given.orders {
        return Err(Failure::conflict(format!(
            "{} orders would be erased now, and you have seen {}: nothing was erased",
            seen.orders, given.orders
        ))
        .remedy("Look again, then decide anew."));
    }
    let scope = Scope { tenant: caller.tenant.clone(), merchant: id(&seen.merchant.id)? };
    let (hub, caller) = (Arc::clone(hub), caller.clone());
    let task = tokio::spawn(async move {
        let (access, target) = (caller.access(), &seen.merchant.id);
        let detail = json!({ "reason": why, "orders": seen.orders });
        hub.db.audit(&access, &caller.actor, "merchant.erase", target, &detail).await?;
        let mut orders = 0;
        loop {
            let some = hub.db.erase_orders(&scope).await?;
            if some == 0 {
                break;
            }
            orders += some;
        }
        hub.db.erase_inputs(&scope).await?;
        let detail = json!({ "orders": orders, "inputs": seen.inputs, "exceptions": seen.exceptions });
        hub.db.audit(&access, &caller.actor, "merchant.erased", target, &detail).await?;
        Ok::<_, Failure>(seen)
    });
    task.await.map_err(|_| Failure::new(FailureKind::Internal, "erasing stopped by a fault of the program"))?
}
