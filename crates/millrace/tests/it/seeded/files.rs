//! The folder that hub and warehouse exchange files in, in memory. The seed decides what goes wrong on the hub's side of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use connect::{FileEntry, FileError, FileErrorKind, FileStore, Renamed};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::seeded::{
    cells::{self, Kind, Moment},
    clock::ModelClock,
    random::Dice,
    trace::{Fate, Trace},
};

/// Looks on as files get their final names.
pub trait Publishing: Send + Sync {
    /// A file is about to be published under its final name, or the attempt is made. `asked` is when the caller asked for it,
    /// however much later it happens.
    fn publishes(&self, name: &str, content: &str, asked: Timestamp, happens: bool);
}

#[derive(Debug, Clone)]
struct File {
    content: Vec<u8>,
    written: Timestamp,
}

/// A rename whose caller has gone.
#[derive(Debug)]
struct Late {
    asked: Timestamp,
    at: Timestamp,
    from: String,
    to: String,
}

/// What lies in the folder.
#[derive(Default)]
pub struct Held {
    files: BTreeMap<String, File>,
    /// How often things go wrong; 0: never.
    pub strength: u64,
    /// Times each fault happened.
    pub faults: BTreeMap<String, u64>,
    /// The server may still carry out a rename so long after its caller has gone, in milliseconds.
    works_on: i64,
    /// Renames that the server has yet to carry out.
    late: Vec<Late>,
}

impl Held {
    /// The names in a folder, in order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let inside = |path: &String| {
            path.strip_prefix(folder)?.strip_prefix('/').filter(|name| !name.contains('/')).map(str::to_owned)
        };
        self.files.keys().filter_map(inside).collect()
    }

    /// The other side takes a file out.
    pub fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(path).map(|file| file.content)
    }

    /// The other side writes a file.
    pub fn put(&mut self, path: &str, content: Vec<u8>, now: Timestamp) {
        self.files.insert(path.to_owned(), File { content, written: now });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    NotReached,
    LostBefore,
    LostAfter,
    Half,
    /// The server carries it out after its caller has given up.
    Late,
}

/// The one folder.
pub struct ModelFolder {
    clock: Arc<ModelClock>,
    trace: Arc<Trace>,
    dice: Dice,
    watcher: Arc<dyn Publishing>,
    held: Mutex<Held>,
}

impl ModelFolder {
    pub fn new(
        seed: u64,
        clock: Arc<ModelClock>,
        trace: Arc<Trace>,
        watcher: Arc<dyn Publishing>,
        works_on: Duration,
    ) -> Self {
        let dice = Dice::new(seed, "files");
        let works_on = works_on.as_millis() as i64;
        let held = Held { strength: *dice.pick(&[0, 1, 1, 2, 4]), works_on, ..Held::default() };
        Self { clock, trace, dice, watcher, held: Mutex::new(held) }
    }

    /// What lies there.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.catch_up(&mut held);
        held
    }

    /// What is due of the renames that came late.
    fn catch_up(&self, held: &mut Held) {
        let now = self.clock.true_time();
        let (due, later): (Vec<Late>, Vec<Late>) =
            std::mem::take(&mut held.late).into_iter().partition(|late| late.at <= now);
        held.late = later;
        for Late { asked, at, from, to } in due {
            let done = self.publish(held, asked, &from, &to);
            self.trace.note(&format!("{at} files rename {from} {to}, late: {done:?}"));
        }
    }

    fn publish(&self, held: &mut Held, asked: Timestamp, from: &str, to: &str) -> Renamed {
        if held.files.contains_key(to) {
            return Renamed::TargetExists;
        }
        let Some(file) = held.files.remove(from) else { return Renamed::SourceGone };
        if let Some(name) = order_file(to) {
            self.watcher.publishes(name, &String::from_utf8_lossy(&file.content), asked, true);
        }
        held.files.insert(to.to_owned(), file);
        Renamed::Done
    }

    fn fault(&self, held: &mut Held, writes: bool) -> Fault {
        if !self.dice.chance(12 * held.strength) {
            return Fault::None;
        }
        let fault = match writes {
            true => *self.dice.pick(&[
                Fault::NotReached,
                Fault::LostBefore,
                Fault::LostAfter,
                Fault::LostAfter,
                Fault::Half,
                Fault::Late,
            ]),
            false => *self.dice.pick(&[Fault::NotReached, Fault::LostBefore]),
        };
        *held.faults.entry(format!("{fault:?}")).or_default() += 1;
        fault
    }

    /// One operation: what it does happens as it arrives; the answer takes its time.
    async fn cross<T: std::fmt::Debug>(
        &self,
        what: String,
        writes: bool,
        publishes: Option<(&str, &str)>,
        act: impl FnOnce(&mut Held, Timestamp, Fault) -> Result<T, FileError> + Send,
    ) -> Result<T, FileError> {
        let cell = publishes.and_then(|_| cells::change("order file"));
        let fate = self.trace.crossing(cell);
        if let (Fate::DiesMeanwhile, Some((from, to))) = (fate, publishes) {
            self.carry_out_later(from, to);
        }
        if matches!(fate, Fate::Dead | Fate::DiesBefore | Fate::DiesMeanwhile) {
            return std::future::pending().await;
        }
        let loud = self.dice.chance(500);
        let (fault, answer) = {
            let mut held = self.held();
            let mut fault = self.fault(&mut held, writes);
            if fault == Fault::Late && publishes.is_none() || fault == Fault::Half && what.starts_with("rename") {
                fault = Fault::LostBefore;
            }
            let lost = || Err(FileError::new(FileErrorKind::Unknown, "the connection was lost"));
            let now = self.clock.true_time();
            let no_answer = if loud { Kind::Reset } else { Kind::TimedOut };
            let answer = match fault {
                Fault::NotReached => {
                    self.trace.struck(cell, Kind::Refused, Moment::BeforeSend);
                    Err(FileError::new(FileErrorKind::NotReached, "no connection"))
                }
                Fault::LostBefore => {
                    self.trace.struck(cell, no_answer, Moment::OnItsWay);
                    lost()
                }
                Fault::Late => {
                    self.trace.struck(cell, Kind::Late, Moment::OnItsWay);
                    lost()
                }
                Fault::LostAfter | Fault::Half => {
                    match fault {
                        // The bytes of the order file go before its name.
                        Fault::Half => {
                            self.trace.struck(cells::change("order file"), Kind::Truncated, Moment::OnItsWay)
                        }
                        _ => self.trace.struck(cell, no_answer, Moment::AfterEffect),
                    }
                    // What it would have answered is lost with the connection.
                    let _answer = act(&mut held, now, fault);
                    lost()
                }
                Fault::None => act(&mut held, now, fault),
            };
            (fault, answer)
        };
        if let (Fault::Late, Some((from, to))) = (fault, publishes) {
            self.carry_out_later(from, to);
        }
        self.trace.note(&format!("{} files {what} {fault:?} -> {answer:?}", self.clock.true_time()));
        if fate == Fate::DiesAfter {
            return std::future::pending().await;
        }
        let quick = Duration::from_millis(self.dice.between(2, 40).unsigned_abs());
        let wait = match (fault, loud) {
            (Fault::None, _) => quick,
            (_, true) => Duration::from_secs(4),
            (_, false) => Duration::from_secs(30),
        };
        tokio::time::sleep(wait).await;
        answer
    }

    fn carry_out_later(&self, from: &str, to: &str) {
        let asked = self.clock.true_time();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let at = asked + SignedDuration::from_millis(self.dice.between(0, held.works_on));
        held.late.push(Late { asked, at, from: from.to_owned(), to: to.to_owned() });
    }
}

/// The name of an order file under its final path.
fn order_file(path: &str) -> Option<&str> {
    path.strip_prefix("in/").filter(|name| name.starts_with("ord_") && name.ends_with(".csv"))
}

fn entry(path: &str, file: &File) -> FileEntry {
    FileEntry {
        name: path.rsplit('/').next().unwrap_or(path).to_owned(),
        size: file.content.len() as u64,
        modified: Some(file.written),
    }
}

fn hash(content: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(content).into();
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl FileStore for ModelFolder {
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        self.cross(format!("list {folder}"), false, None, |held, _, _| {
            Ok(held.names(folder).iter().map(|name| entry(name, &held.files[&format!("{folder}/{name}")])).collect())
        })
        .await
    }

    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        let read = self.cross(format!("read {path}"), false, None, |held, _, _| match held.files.get(path) {
            None => Err(FileError::new(FileErrorKind::NotFound, format!("{path} does not exist"))),
            Some(file) if file.content.len() as u64 > largest => {
                Err(FileError::new(FileErrorKind::Refused, format!("{path} is larger than {largest} bytes")))
            }
            Some(file) => Ok(file.content.clone()),
        });
        read.await
    }

    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        self.cross(format!("stat {path}"), false, None, |held, _, _| {
            Ok(held.files.get(path).map(|file| entry(path, file)))
        })
        .await
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        self.cross(format!("write {path} {}", hash(content)), true, None, |held, now, fault| {
            let end = if fault == Fault::Half { content.len() / 2 } else { content.len() };
            held.put(path, content[..end].to_vec(), now);
            Ok(())
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError> {
        let watched = order_file(to);
        if let Some(name) = watched
            && !self.trace.is_dead()
        {
            let content = self.held().files.get(from).map(|file| String::from_utf8_lossy(&file.content).into_owned());
            self.watcher.publishes(name, &content.unwrap_or_default(), self.clock.true_time(), false);
        }
        let publishes = watched.map(|_| (from, to));
        self.cross(format!("rename {from} {to}"), true, publishes, |held, now, _| Ok(self.publish(held, now, from, to)))
            .await
    }

    async fn remove(&self, path: &str) -> Result<(), FileError> {
        self.cross(format!("remove {path}"), true, None, |held, _, _| {
            held.files.remove(path);
            Ok(())
        })
        .await
    }

    async fn create_folder(&self, path: &str) -> Result<(), FileError> {
        self.cross(format!("create folder {path}"), true, None, |_, _, _| Ok(())).await
    }

    async fn host_key(&self) -> Result<Option<String>, FileError> {
        Ok(None)
    }
}
