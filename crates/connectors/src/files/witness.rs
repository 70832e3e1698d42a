//! The temporary file of a file that is sent, which is the witness of its rename (docs/reliability.md).
//!
//! An attempt renames one temporary file, whose name nothing else ever has. While it lies there the rename has not happened;
//! once it is gone the rename has, however late and whatever was answered, even if the warehouse has taken the file away
//! since. The hub itself takes it away only by renaming it to its *withdrawn* name: of two renames of one file one wins, so a
//! withdrawn file can never be published any more. Nobody else may remove temporary files.

use connect::{
    Effect, FileError, FileErrorKind, FileStore, RemoteRef, Renamed,
    planted::{Planted, planted},
};
use serde::{Deserialize, Serialize};

/// What the effects of a file keep between preparing, sending and probing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Where the temporary file was written. In another place its absence would say nothing.
    pub(crate) place: String,
    pub(crate) temp: String,
    #[serde(rename = "final")]
    pub(crate) target: String,
    pub(crate) sha256: String,
    pub(crate) size: u64,
    /// What is in it, by key. What is not sent with the others must not travel along.
    pub(crate) keys: Vec<String>,
}

impl Baseline {
    /// What was kept, where it was kept by this connector.
    pub(crate) fn of(kept: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(kept.clone()).ok()
    }

    /// Of the last attempt at this place, where there was one.
    pub(crate) fn tried(effect: &Effect, place: &str) -> Option<Self> {
        effect.tried.as_ref().and_then(Self::of).filter(|tried| tried.place == place)
    }

    /// The file, as people know it.
    pub(crate) fn file(&self) -> RemoteRef {
        RemoteRef::new(self.target.rsplit('/').next().unwrap_or(&self.target))
    }

    /// The name under which the temporary file is out of reach of every rename to the final one.
    fn withdrawn(&self) -> String {
        format!("{}-withdrawn.part", self.temp.trim_end_matches(".part"))
    }
}

/// What became of a temporary file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lies where it was written.
    Waits,
    /// It is out of reach: nothing of it was published, and nothing will be.
    Withdrawn,
    /// It got its final name.
    Published,
}

/// Where it stands now.
pub(crate) async fn fate(store: &dyn FileStore, baseline: &Baseline) -> Result<Fate, FileError> {
    if store.stat(&baseline.temp).await?.is_some() {
        return Ok(Fate::Waits);
    }
    gone(store, baseline).await
}

/// What became of one that is not where it was written.
async fn gone(store: &dyn FileStore, baseline: &Baseline) -> Result<Fate, FileError> {
    match store.stat(&baseline.withdrawn()).await? {
        Some(_) => Ok(Fate::Withdrawn),
        None if planted(Planted::GoneIsNotSent) => Ok(Fate::Withdrawn),
        None => Ok(Fate::Published),
    }
}

/// Takes a temporary file out of reach, unless it was published: never [`Fate::Waits`].
pub(crate) async fn withdraw(store: &dyn FileStore, baseline: &Baseline) -> Result<Fate, FileError> {
    match store.rename(&baseline.temp, &baseline.withdrawn()).await? {
        Renamed::Done | Renamed::TargetExists => Ok(Fate::Withdrawn),
        Renamed::SourceGone => gone(store, baseline).await,
    }
}

/// Notes that somebody removed a temporary file that no rename had touched, as if it had been withdrawn.
pub(crate) async fn mark_removed(store: &dyn FileStore, baseline: &Baseline) -> Result<(), FileError> {
    store.write(&baseline.withdrawn(), b"removed by somebody\n").await
}

/// Whether a file is there with exactly this content.
pub(crate) async fn holds(store: &dyn FileStore, path: &str, content: &[u8]) -> Result<bool, FileError> {
    let size = content.len() as u64;
    if store.stat(path).await?.map(|entry| entry.size) != Some(size) {
        return Ok(false);
    }
    match store.read(path, size).await {
        Ok(there) => Ok(there == content),
        Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
