//! Putting files into a folder that another program reads, each exactly once.
//!
//! A file is written whole under a temporary name, read back, and then renamed. The rename is the commit, and the temporary
//! file its witness ([`super::witness`]).

use std::{collections::BTreeMap, sync::Arc};

use connect::{
    Armed, Capture, ConnectorError, Delivery, ErrorKind, FileError, FileErrorKind, FileStore, Prepared, Probe, Random,
    Renamed, Sent,
    planted::{Planted, planted},
};

use super::{
    outbox::sha256,
    witness::{self, Baseline, Fate},
};

/// Largest file compared with what would be written, in bytes; files that are sent are far smaller.
pub(crate) const LARGEST: u64 = 64 * 1024 * 1024;

/// The folder the other side reads.
pub(crate) struct Mailbox {
    pub(crate) store: Arc<dyn FileStore>,
    /// Names the place; see [`Baseline::place`].
    pub(crate) place: String,
    pub(crate) folder: String,
    /// Makes names that nothing else has.
    pub(crate) random: Arc<dyn Random>,
}

impl Mailbox {
    /// Puts a file under a temporary name, ready to be renamed.
    pub(crate) async fn put(
        &self,
        target: String,
        content: &[u8],
        keys: Vec<String>,
    ) -> Result<Baseline, ConnectorError> {
        let temp = format!("{target}.{}.part", nonce(&*self.random));
        if let Err(error) = self.write_whole(&temp, content).await {
            // Nothing was armed with it, so nothing will ever rename it; what is left of it is only in the way.
            let _left_behind = self.store.remove(&temp).await;
            return Err(error);
        }
        let (size, sha256) = (content.len() as u64, sha256(content));
        Ok(Baseline { place: self.place.clone(), temp, target, sha256, size, keys })
    }

    async fn write_whole(&self, temp: &str, content: &[u8]) -> Result<(), ConnectorError> {
        self.store.write(temp, content).await?;
        match witness::holds(&*self.store, temp, content).await? {
            true => Ok(()),
            false => Err(ConnectorError::transient(format!(
                "{temp} does not hold what was written to it; it is written again"
            ))),
        }
    }

    pub(crate) async fn send(&self, batch: &[Armed]) -> Delivery {
        let not_sent = |why: &str| Delivery::all(batch.len(), &Sent::not_sent(ErrorKind::Transient, why), None);
        let Some(baseline) = batch.first().and_then(|armed| Baseline::of(&armed.baseline)) else {
            return not_sent("there is no prepared file for it; it is prepared again");
        };
        let sent_keys: Vec<&str> = batch.iter().map(|armed| armed.effect.key.as_str()).collect();
        let all_in = baseline.keys.len() == sent_keys.len()
            && sent_keys.iter().all(|key| baseline.keys.iter().any(|known| known == key));
        if !all_in || batch.iter().any(|armed| Baseline::of(&armed.baseline).as_ref() != Some(&baseline)) {
            return not_sent("the prepared file does not hold exactly these; it is prepared again");
        }
        if baseline.place != self.place {
            return not_sent("the file was prepared for another place; it is prepared again");
        }
        let renamed = match planted(Planted::SentUnpublished) {
            true => Ok(Renamed::Done),
            false => self.store.rename(&baseline.temp, &baseline.target).await,
        };
        let (outcome, told) = match renamed {
            Ok(Renamed::Done) => (Sent::Accepted { reference: Some(baseline.file()) }, "renamed".to_owned()),
            Ok(Renamed::TargetExists) => self.taken_name(&baseline).await,
            // Nobody has renamed it before, so somebody has removed it: nothing was published, and it is written anew.
            Ok(Renamed::SourceGone) if batch.iter().all(|armed| armed.attempt == 1) => self.removed(&baseline).await,
            // An earlier try may have renamed it; that is for the probe to say.
            Ok(Renamed::SourceGone) => {
                let why = format!("{} is not there any more", baseline.temp);
                (Sent::unknown(why.clone()), why)
            }
            Err(error) => (outcome_of(&error), error.message),
        };
        let capture = Capture {
            request: format!("rename {} to {}", baseline.temp, baseline.target),
            request_body: format!(
                "{} in it, {} bytes, SHA-256 {}",
                baseline.keys.len(),
                baseline.size,
                baseline.sha256
            ),
            status: 0,
            response_body: told,
        };
        Delivery::all(batch.len(), &outcome, Some(capture))
    }

    /// The final name is taken. A server that renames by a second name may have been stopped between its two steps: then
    /// the file there is ours, and the order has been sent.
    async fn taken_name(&self, baseline: &Baseline) -> (Sent, String) {
        match self.is_published(baseline).await {
            Ok(true) => (Sent::Accepted { reference: Some(baseline.file()) }, "it lies there already".to_owned()),
            Ok(false) => {
                let message = format!("{} exists already and is another file", baseline.target);
                (Sent::Refused { code: "exists".to_owned(), message: message.clone() }, message)
            }
            Err(error) => (Sent::unknown(error.message.clone()), error.message),
        }
    }

    async fn removed(&self, baseline: &Baseline) -> (Sent, String) {
        let why =
            format!("{} was removed by somebody before it got its final name; it is written again", baseline.temp);
        match self.is_published(baseline).await {
            Ok(true) => {
                return (Sent::Accepted { reference: Some(baseline.file()) }, "it lies there already".to_owned());
            }
            Ok(false) => {}
            Err(error) => return (Sent::unknown(error.message.clone()), error.message),
        }
        match witness::mark_removed(&*self.store, baseline).await {
            Ok(()) => (Sent::not_sent(ErrorKind::Transient, why.clone()), why),
            Err(error) => (Sent::unknown(format!("{why}; {}", error.message)), why),
        }
    }

    async fn is_published(&self, baseline: &Baseline) -> Result<bool, FileError> {
        match self.store.read(&baseline.target, baseline.size).await {
            Ok(content) => Ok(sha256(&content) == baseline.sha256),
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => Ok(false),
            // A file of another size is not ours. One of the same size that may not be read may be.
            Err(refused) if refused.kind == FileErrorKind::Refused => match self.store.stat(&baseline.target).await? {
                Some(there) if there.size == baseline.size => Err(refused),
                Some(_) | None => Ok(false),
            },
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        let mut known: BTreeMap<String, Probe> = BTreeMap::new();
        let mut answers = Vec::with_capacity(effects.len());
        for armed in effects {
            let baseline = Baseline::of(&armed.baseline)
                .ok_or_else(|| ConnectorError::unexpected("what was prepared for it cannot be read back"))?;
            if baseline.place != self.place {
                return Err(ConnectorError::unexpected(format!(
                    "it was being sent to {}, and the settings now name {}: whether it arrived must be seen there",
                    baseline.place, self.place
                )));
            }
            if !known.contains_key(&baseline.temp) {
                let answer = match witness::fate(&*self.store, &baseline).await? {
                    // Both names at once: the server was stopped half-way through a rename that makes a second name first.
                    Fate::Waits if self.is_published(&baseline).await? => Probe::Equal(baseline.file()),
                    Fate::Waits | Fate::Withdrawn => Probe::Absent,
                    Fate::Published => Probe::Equal(baseline.file()),
                };
                known.insert(baseline.temp.clone(), answer);
            }
            answers.extend(known.get(&baseline.temp).cloned());
        }
        Ok(answers)
    }
}

/// It is there, as an earlier attempt left it.
pub(crate) fn equal(tried: &Baseline) -> Prepared {
    Prepared::Found(Probe::Equal(tried.file()))
}

fn nonce(random: &dyn Random) -> String {
    let mut bytes = [0_u8; 5];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn json(baseline: &Baseline) -> Result<serde_json::Value, ConnectorError> {
    serde_json::to_value(baseline).map_err(|error| ConnectorError::unexpected(error.to_string()))
}

fn outcome_of(error: &FileError) -> Sent {
    let message = error.message.clone();
    match error.kind {
        FileErrorKind::NotReached => Sent::not_sent(ErrorKind::Transient, message),
        FileErrorKind::Credentials => Sent::not_sent(ErrorKind::Credentials, message),
        FileErrorKind::Refused | FileErrorKind::NotFound => Sent::Refused { code: "file".to_owned(), message },
        FileErrorKind::Unknown => Sent::Unknown { why: message },
    }
}
