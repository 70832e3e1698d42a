//! How many may listen to events at one time, so that clients that forget to hang up cannot use up the installation, nor one
//! tenant the share of the others. Counted in this process, as allowances are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use connect::TenantId;

use crate::operate::{Failure, FailureKind};

/// Of the whole installation: half of the connections that the server holds ([`Patience`](crate::serving::Patience)), so that the
/// others can still sign in.
const MOST: usize = 512;
/// Of one tenant.
const OF_A_TENANT: usize = 256;

/// Who listens.
#[derive(Debug, Clone, Default)]
pub(super) struct Listeners {
    by_tenant: Arc<Mutex<BTreeMap<TenantId, usize>>>,
}

/// One that listens, for as long as this is held.
#[derive(Debug)]
pub(super) struct Listening {
    all: Listeners,
    tenant: TenantId,
}

impl Listeners {
    /// One more.
    ///
    /// # Errors
    /// [`FailureKind::Unavailable`] where there are too many.
    pub(super) fn admit(&self, tenant: &TenantId) -> Result<Listening, Failure> {
        let mut by_tenant = self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner);
        let own = by_tenant.get(tenant).copied().unwrap_or(0);
        if own >= OF_A_TENANT || by_tenant.values().sum::<usize>() >= MOST {
            return Err(Failure::new(FailureKind::Unavailable, "too many listeners at the moment")
                .remedy("Close some, then try again."));
        }
        by_tenant.insert(tenant.clone(), own + 1);
        Ok(Listening { all: self.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut by_tenant = self.all.by_tenant.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_tenant.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Listeners, Listening, MOST, OF_A_TENANT};
    use crate::serving::Patience;

    fn fill(listeners: &Listeners, tenant: &str) -> Vec<Listening> {
        let tenant = tenant.parse().unwrap();
        std::iter::from_fn(|| listeners.admit(&tenant).ok()).collect()
    }

    #[test]
    fn no_tenant_takes_the_share_of_another() {
        assert!(2 * MOST <= Patience::default().connections, "streams leave room for everybody else");
        let listeners = Listeners::default();
        let tenant = |number: usize| format!("ten_{number:026}");
        let mut held: Vec<_> = (0..MOST / OF_A_TENANT).map(|number| fill(&listeners, &tenant(number))).collect();
        assert!(held.iter().all(|of_one| of_one.len() == OF_A_TENANT));
        assert!(fill(&listeners, &tenant(9)).is_empty(), "the installation is full");
        // Whoever hangs up makes room.
        held[0].pop();
        assert_eq!(fill(&listeners, &tenant(9)).len(), 1);
        drop(held);
        assert!(listeners.by_tenant.lock().unwrap().is_empty());
    }
}
