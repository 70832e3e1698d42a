//! Whether the database is the one that ran here last, and where it ran (docs/recovery.md).
//!
//! A journal that has been lost (a restore, a copy, a fail-over to a replica that lagged) looks like any other: nothing inside it
//! says that it forgot. So the number of its commitments (intents to send, inputs put away, posts answered for) is also kept
//! outside, in a small file beside the key, written after each commit and before anything comes of it; and what the database
//! runs on is kept inside. Where the two disagree, nothing may be sent until a person has looked.

use serde::{Deserialize, Serialize};

/// Where an installation runs, as far as it can be told. Kept in the database; what is `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Home {
    /// Address under which the world reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The data folder, where the database is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// The database server, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
}

/// A data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Folder {
    /// Drawn once for the witness file that lies in it.
    pub id: String,
    /// The machine's own id; empty where it has none.
    pub machine: String,
    /// Its absolute path.
    pub path: String,
    /// Its number in the file system; 0 where there is none.
    pub inode: u64,
    /// When the database's file in it was made, as the file system says, in microseconds since 1970; 0 where it does not say.
    pub born: i64,
}

/// A database server and the database on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Drawn by `initdb`; the same for a server and its replicas. Empty where it cannot be read.
    pub system: String,
    /// Grows when a replica is promoted or a backup is recovered; empty where it cannot be read.
    pub timeline: String,
    /// The database's number on its server; a copy made there has another one.
    pub database: String,
}

/// What the witness file beside the key says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Fingerprint of the installation it speaks of.
    pub installation: String,
    /// Drawn once for this file.
    pub folder: String,
    /// Commitments that had been made when it was last written.
    pub armed: i64,
}

/// What the database says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Fingerprint of the installation.
    pub installation: String,
    /// Commitments made.
    pub armed: i64,
    /// Where it ran last; `None`: never, or before this was kept.
    pub home: Option<Home>,
}

/// Whether this may be a journal that has forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the database that ran here last, or one that runs for the first time.
    Same,
    /// It was moved on by the server without anything that could be lost, as the operator declared.
    Promoted,
    /// It is older than what ran here last.
    Restored(String),
    /// It is a copy, or runs somewhere else.
    Cloned(String),
    /// Another server answers, and nobody vouches for its having everything.
    FailedOver(String),
}

/// Compares. `synchronous`: the operator declares that a replica has every commit before it is reported.
pub fn judge(kept: &Kept, witness: Option<&Witness>, here: &Home, synchronous: bool) -> Verdict {
    let of_this = witness.filter(|witness| witness.installation == kept.installation);
    if let Some(witness) = of_this
        && witness.armed > kept.armed
    {
        return Verdict::Restored(format!(
            "the database counts {} intents and inputs, and {} had been counted when it ran here last: it is an older copy",
            kept.armed, witness.armed
        ));
    }
    let Some(home) = &kept.home else { return Verdict::Same };
    if let (Some(before), Some(now)) = (&home.public_url, &here.public_url)
        && before != now
    {
        return Verdict::Cloned(format!("it ran under the address {before}, and this installation has {now}"));
    }
    if let (Some(before), Some(now)) = (&home.folder, &here.folder) {
        if of_this.is_none() {
            return Verdict::Cloned(
                "the witness file that belongs to the database is not beside the key: the database was put here from elsewhere, or \
                 the file was taken away"
                    .to_owned(),
            );
        }
        if let Some(difference) = moved(before, now) {
            return Verdict::Cloned(difference);
        }
    }
    match (&home.server, &here.server) {
        (Some(before), Some(now)) => server(before, now, synchronous),
        _ => Verdict::Same,
    }
}

/// A folder that was renamed keeps its number, one that was mounted anew keeps its path; a copy has neither. Files that were put
/// back in place (both the database and what lies beside it) are other files than those that were there.
fn moved(before: &Folder, now: &Folder) -> Option<String> {
    if before.id != now.id {
        return Some("it ran in another data folder".to_owned());
    }
    if !before.machine.is_empty() && !now.machine.is_empty() && before.machine != now.machine {
        return Some("it ran on another machine".to_owned());
    }
    if before.born != 0 && now.born != 0 && before.born != now.born {
        return Some(format!(
            "the database in {} is another file than the one that ran here: it was put back from a backup, or copied",
            now.path
        ));
    }
    (before.path != now.path && before.inode != now.inode)
        .then(|| format!("it ran in the data folder {}, and this is a copy in {}", before.path, now.path))
}

/// What became of the server between two looks.
pub fn server(before: &Server, now: &Server, synchronous: bool) -> Verdict {
    let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    if differ(&before.system, &now.system) {
        return Verdict::Cloned(format!(
            "it ran on the database server {}, and this one is {}: it was restored or copied to another server",
            before.system, now.system
        ));
    }
    if differ(&before.database, &now.database) {
        return Verdict::Cloned("it is a copy beside the database that ran here before".to_owned());
    }
    if differ(&before.timeline, &now.timeline) {
        if synchronous {
            return Verdict::Promoted;
        }
        return Verdict::FailedOver(format!(
            "the database server went from timeline {} to {}: a replica was promoted or a backup recovered, and it is not declared \
             that replicas have every commit (--synchronous-replication)",
            before.timeline, now.timeline
        ));
    }
    Verdict::Same
}

#[cfg(test)]
mod tests;
