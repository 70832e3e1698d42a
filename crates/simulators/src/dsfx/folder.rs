//! The folder both sides share: `in/` is read, `out/` is written.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::feed::{Fault, Feed, Table};
use super::ledger::FileWritten;

/// What becomes of an order file that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterReading {
    /// Moved to `in/archive/`.
    Archive,
    /// Deleted.
    Delete,
}

struct Half {
    due: Timestamp,
    path: PathBuf,
    rest: Vec<u8>,
}

struct Held {
    name: String,
    bytes: Vec<u8>,
    entry: FileWritten,
}

struct Repair {
    due: Timestamp,
    name: String,
}

pub(super) struct Folder {
    root: PathBuf,
    label: String,
    /// How names of order files begin and end.
    orders: (&'static [&'static str], &'static str),
    after_reading: AfterReading,
    repair_after: Option<Duration>,
    written: u64,
    queued: BTreeMap<Feed, VecDeque<Fault>>,
    random: (u8, Vec<Fault>),
    rng: StdRng,
    halves: Vec<Half>,
    held: Vec<Held>,
    repairs: Vec<Repair>,
    /// Intact shipment files by name, so that any of them can be sent again.
    sent: BTreeMap<String, Table>,
}

impl Folder {
    pub(super) fn open(
        root: &Path,
        label: &str,
        after_reading: AfterReading,
        repair_after: Option<Duration>,
        seed: u64,
        orders: (&'static [&'static str], &'static str),
    ) -> io::Result<Self> {
        for part in ["in/archive", "in/rejected", "out"] {
            fs::create_dir_all(root.join(part))?;
        }
        Ok(Self {
            root: root.to_owned(),
            label: label.to_owned(),
            orders,
            after_reading,
            repair_after,
            written: 0,
            queued: BTreeMap::new(),
            random: (0, Vec::new()),
            rng: StdRng::seed_from_u64(seed),
            halves: Vec::new(),
            held: Vec::new(),
            repairs: Vec::new(),
            sent: BTreeMap::new(),
        })
    }

    pub(super) fn queue_fault(&mut self, feed: Feed, fault: Fault) {
        self.queued.entry(feed).or_default().push_back(fault);
    }

    pub(super) fn set_random_faults(&mut self, percent: u8, faults: Vec<Fault>) {
        self.random = (percent, faults);
    }

    /// Names of the order files that lie ready, sorted. A name that does not begin and end as theirs do is
    /// somebody's unfinished business and is left alone.
    pub(super) fn order_files(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join("in"))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if self.orders.0.iter().any(|begin| name.starts_with(begin))
                && name.ends_with(self.orders.1)
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The bytes of an order file; `None` when it has gone since it was listed.
    pub(super) fn order_file(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        present(fs::read(self.root.join("in").join(name)))
    }

    /// Puts a file that was taken in out of the way; `false` when it has gone since it was read.
    pub(super) fn consume(&self, name: &str) -> io::Result<bool> {
        let path = self.root.join("in").join(name);
        let moved = match self.after_reading {
            AfterReading::Archive => fs::rename(path, unused(&self.root.join("in/archive"), name)),
            AfterReading::Delete => fs::remove_file(path),
        };
        Ok(present(moved)?.is_some())
    }

    /// Puts a refused file aside with the reason beside it; `false` when it has gone since it was read.
    pub(super) fn reject(&self, name: &str, reason: &str) -> io::Result<bool> {
        let target = unused(&self.root.join("in/rejected"), name);
        if present(fs::rename(self.root.join("in").join(name), &target))?.is_none() {
            return Ok(false);
        }
        let mut beside = target.into_os_string();
        beside.push(".reason.txt");
        fs::write(beside, format!("{reason}\n"))?;
        Ok(true)
    }

    /// Writes one file, with the next fault that waits for this feed.
    pub(super) fn deliver(&mut self, table: &Table, now: Timestamp) -> io::Result<Vec<FileWritten>> {
        let fault = self.next_fault(table.feed);
        let name = self.name(table.feed, fault.as_ref(), now, table.ending());
        let bytes = table.render(fault.as_ref(), now);
        let entry = FileWritten {
            name: name.clone(),
            at: now,
            feed: table.feed,
            fault: fault.clone(),
            rows: table.len(),
            repeats: None,
        };
        if table.feed == Feed::Shipments {
            self.sent.insert(name.clone(), table.clone());
            if let Some(after) = self.repair_after
                && fault.as_ref().is_some_and(Fault::damages)
            {
                self.repairs.push(Repair { due: now.checked_add(after).unwrap_or(Timestamp::MAX), name: name.clone() });
            }
        }
        let mut entries = Vec::new();
        match fault {
            Some(Fault::Reordered) => {
                self.held.push(Held { name, bytes, entry });
                return Ok(entries);
            }
            Some(Fault::HalfWritten { pause }) => {
                let (first, rest) = bytes.split_at(bytes.len() / 2);
                let path = self.root.join("out").join(&name);
                fs::File::create_new(&path)?.write_all(first)?;
                self.halves.push(Half {
                    due: now.checked_add(pause).unwrap_or(Timestamp::MAX),
                    path,
                    rest: rest.to_vec(),
                });
                entries.push(entry);
            }
            Some(Fault::DuplicateFile) => {
                self.put(&name, &bytes)?;
                let again = self.name(table.feed, None, now, table.ending());
                self.put(&again, &bytes)?;
                entries.push(entry.clone());
                entries.push(FileWritten { name: again, repeats: Some(name), ..entry });
            }
            Some(_) | None => {
                self.put(&name, &bytes)?;
                entries.push(entry);
            }
        }
        entries.extend(self.release(table.feed, now)?);
        Ok(entries)
    }

    /// Finishes half-written files and sends damaged shipment files again, where their time has come.
    pub(super) fn catch_up(&mut self, now: Timestamp) -> io::Result<Vec<FileWritten>> {
        for half in std::mem::take(&mut self.halves) {
            if half.due > now {
                self.halves.push(half);
                continue;
            }
            // A reader may have taken the first half away: then nothing is left to finish.
            if let Some(mut file) = present(fs::OpenOptions::new().append(true).open(&half.path))? {
                file.write_all(&half.rest)?;
            }
        }
        let mut entries = Vec::new();
        for repair in std::mem::take(&mut self.repairs) {
            if repair.due > now {
                self.repairs.push(repair);
            } else if let Some(entry) = self.resend(&repair.name, now)? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// Writes the intact content of an earlier shipment file under a new name; `None` when there was no such file.
    pub(super) fn resend(&mut self, name: &str, now: Timestamp) -> io::Result<Option<FileWritten>> {
        let Some(table) = self.sent.get(name).cloned() else {
            return Ok(None);
        };
        let again = self.name(table.feed, None, now, table.ending());
        self.put(&again, &table.render(None, now))?;
        Ok(Some(FileWritten {
            name: again,
            at: now,
            feed: table.feed,
            fault: None,
            rows: table.len(),
            repeats: Some(name.to_owned()),
        }))
    }

    /// Whether a file is still to be finished, released or repeated.
    pub(super) fn is_settled(&self) -> bool {
        self.halves.is_empty() && self.held.is_empty() && self.repairs.is_empty()
    }

    /// Writes out what was held back, whether a later file has come or not.
    pub(super) fn release(&mut self, feed: Feed, now: Timestamp) -> io::Result<Vec<FileWritten>> {
        let mut entries = Vec::new();
        for held in std::mem::take(&mut self.held) {
            if held.entry.feed == feed {
                self.put(&held.name, &held.bytes)?;
                entries.push(FileWritten { at: now, ..held.entry });
            } else {
                self.held.push(held);
            }
        }
        Ok(entries)
    }

    fn next_fault(&mut self, feed: Feed) -> Option<Fault> {
        if let Some(fault) = self.queued.get_mut(&feed).and_then(VecDeque::pop_front) {
            return Some(fault);
        }
        let (percent, faults) = &self.random;
        let fitting: Vec<&Fault> = faults.iter().filter(|fault| fault.fits(feed)).collect();
        if fitting.is_empty() || self.rng.random_range(0..100_u8) >= *percent {
            return None;
        }
        let at = self.rng.random_range(0..fitting.len());
        fitting.get(at).map(|fault| (*fault).clone())
    }

    /// A name no earlier file had, whether or not that file is still there.
    fn name(&mut self, feed: Feed, fault: Option<&Fault>, now: Timestamp, ending: &str) -> String {
        let prefix = feed.prefix();
        let time = now.strftime("%Y%m%d%H%M%S");
        loop {
            self.written += 1;
            let (label, number) = (&self.label, self.written);
            let name = if fault == Some(&Fault::OddFileName) {
                format!("{prefix}_{label} ö %2e%2e $(x) 'a\" & b;_{number:06}_{time}{ending}")
            } else {
                format!("{prefix}_{label}_{number:06}_{time}{ending}")
            };
            if !self.root.join("out").join(&name).exists() {
                return name;
            }
        }
    }

    /// Writes a file that belongs to no feed.
    pub(super) fn tell(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(name, bytes)
    }

    /// Temporary name, then rename: a reader never sees a part of the file.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let out = self.root.join("out");
        let temporary = out.join(format!("{name}.part"));
        fs::write(&temporary, bytes)?;
        fs::rename(temporary, out.join(name))
    }
}

/// A file that somebody else took away is no error.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `name` in `folder`, with a number behind it when it is taken.
fn unused(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(name);
    if !plain.exists() {
        return plain;
    }
    let mut number = 1_u64;
    loop {
        let candidate = folder.join(format!("{name}.{number}"));
        if !candidate.exists() {
            return candidate;
        }
        number += 1;
    }
}
