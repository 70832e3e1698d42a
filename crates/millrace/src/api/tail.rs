//! What changes, read from the database once for all who listen with the same rights, however many they are.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::db::{Access, Database, DbError, Event};

/// Events read with one look.
pub(super) const SLICE: u32 = 200;
/// A look is taken even if nothing wakes it.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// Events that wait for a listener who is slow; whoever is slower reads what was missed from the database.
const WAITING: usize = 1024;

/// Who is told, by what they may see.
type Told = Vec<(Access, broadcast::Sender<Event>)>;

/// Every reading that goes on.
pub(super) struct Tails {
    db: Database,
    shutdown: CancellationToken,
    told: Arc<Mutex<Told>>,
}

impl Tails {
    /// Reads nothing yet.
    pub(super) fn new(db: Database, shutdown: CancellationToken) -> Self {
        Self { db, shutdown, told: Arc::default() }
    }

    /// Every event from now on that whoever has this access may see, in its order, and the number of the last one before. What was
    /// there before is read from the database **afterwards**: then nothing is missed, and what comes both ways is told apart by
    /// its number.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub(super) async fn listen(&self, access: &Access) -> Result<(i64, broadcast::Receiver<Event>), DbError> {
        let head = self.db.last_event().await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sender)) = told.iter().find(|(known, _)| known == access) {
            return Ok((head, sender.subscribe()));
        }
        let (sender, receiver) = broadcast::channel(WAITING);
        told.push((access.clone(), sender.clone()));
        tokio::spawn(read(
            self.db.clone(),
            access.clone(),
            head,
            sender,
            Arc::clone(&self.told),
            self.shutdown.clone(),
        ));
        Ok((head, receiver))
    }
}

/// However a reading ends, nobody begins to listen to it afterwards, and whoever does already hears that it has ended.
struct Ends {
    told: Arc<Mutex<Told>>,
    sender: broadcast::Sender<Event>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(_, known)| !known.same_channel(&self.sender));
    }
}

/// Reads and tells for as long as somebody listens.
async fn read(
    db: Database,
    access: Access,
    mut after: i64,
    sender: broadcast::Sender<Event>,
    told: Arc<Mutex<Told>>,
    shutdown: CancellationToken,
) {
    let ends = Ends { told, sender };
    let mut changes = db.changes();
    loop {
        match db.events_after(&access, after, SLICE).await {
            Ok(events) if !events.is_empty() => {
                for event in events {
                    after = event.number;
                    // Nobody listens any more: that is looked at below.
                    let _ = ends.sender.send(event);
                }
                continue;
            }
            Ok(_) => {}
            // It keeps its place; the database may come back.
            Err(error) => tracing::warn!("events cannot be read: {error}"),
        }
        {
            // Under the lock, so that nobody begins to listen to a reading that ends.
            let mut told = ends.told.lock().unwrap_or_else(PoisonError::into_inner);
            if ends.sender.receiver_count() == 0 {
                told.retain(|(_, known)| !known.same_channel(&ends.sender));
                drop(told);
                return;
            }
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = changes.any() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
