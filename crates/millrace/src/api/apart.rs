//! What goes on to its end although nobody waits for it any more.

use crate::operate::{Failure, FailureKind};

/// In a task of its own: a caller that hangs up half way does not stop what follows what is kept.
pub(super) async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(_) => Err(Failure::new(FailureKind::Unavailable, "it could not be finished; look whether it was done")),
    }
}
