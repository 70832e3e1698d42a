//! What a service gives to whoever signs in there, a key or a token, shared by all who call it.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use connect::{ConnectorError, Secret};
use tokio::sync::Mutex;

/// A key or a token.
pub(crate) struct Pass {
    pub(crate) text: Secret,
    /// On the monotonic clock: from then on it is not used any more.
    pub(crate) until: Duration,
}

/// The pass in use.
#[derive(Default)]
pub(crate) struct Passes {
    /// One lock, so that many callers that find it old make one call for a new one.
    kept: Mutex<Option<Pass>>,
    refused_in_a_row: AtomicU32,
}

impl Passes {
    /// The pass in use, or the one that `sign_in` brings.
    pub(crate) async fn get(
        &self,
        now: Duration,
        sign_in: impl Future<Output = Result<Pass, ConnectorError>> + Send,
    ) -> Result<Secret, ConnectorError> {
        let mut kept = self.kept.lock().await;
        if let Some(pass) = kept.as_ref().filter(|pass| now < pass.until) {
            return Ok(pass.text.clone());
        }
        let pass = sign_in.await?;
        let text = pass.text.clone();
        *kept = Some(pass);
        Ok(text)
    }

    /// Forgets a pass that was refused, unless another caller has renewed it already. Whether it was the one in use.
    pub(crate) async fn forget(&self, refused: &Secret) -> bool {
        let mut kept = self.kept.lock().await;
        let in_use = kept.as_ref().is_some_and(|pass| pass.text.expose() == refused.expose());
        if in_use {
            *kept = None;
        }
        in_use
    }

    /// A change was refused for its pass, which is forgotten. Whether that is no accident: a new one was refused as well. Calls that
    /// left together meet the end of their pass together: that is one refusal.
    pub(crate) async fn refused(&self, pass: &Secret) -> bool {
        self.forget(pass).await && self.refused_in_a_row.fetch_add(1, Ordering::Relaxed) > 0
    }

    /// A change got past the door.
    pub(crate) fn accepted(&self) {
        self.refused_in_a_row.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connect::Secret;

    use super::{Pass, Passes};

    async fn get(passes: &Passes, now: u64, brings: &str) -> Secret {
        let new = Pass { text: Secret::new(brings), until: Duration::from_secs(now + 10) };
        passes.get(Duration::from_secs(now), async { Ok(new) }).await.unwrap()
    }

    #[tokio::test]
    async fn a_pass_is_used_until_it_ends_or_is_refused() {
        let passes = Passes::default();
        let first = get(&passes, 0, "first").await;
        assert_eq!(get(&passes, 9, "second").await.expose(), "first");
        assert_eq!(get(&passes, 10, "second").await.expose(), "second");
        // Refused late, when it is not in use any more: the new one stays.
        assert!(!passes.forget(&first).await);
        assert_eq!(get(&passes, 11, "third").await.expose(), "second");
        assert!(passes.forget(&Secret::new("second")).await);
        assert_eq!(get(&passes, 12, "third").await.expose(), "third");
    }

    #[tokio::test]
    async fn only_a_new_pass_that_is_refused_as_well_is_no_accident() {
        let passes = Passes::default();
        let first = get(&passes, 0, "first").await;
        // Three that left together: before anybody has renewed it, and after.
        assert!(!passes.refused(&first).await);
        assert!(!passes.refused(&first).await);
        let second = get(&passes, 1, "second").await;
        assert!(!passes.refused(&first).await);
        assert!(passes.refused(&second).await, "a new one is refused as well");
        let third = get(&passes, 2, "third").await;
        passes.accepted();
        assert!(!passes.refused(&third).await, "it was good for something");
    }
}
