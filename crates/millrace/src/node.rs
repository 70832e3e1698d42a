//! Processes that share a database: their names, and which of them have certainly ended.
//!
//! While a process runs it holds the lock on a small file beside the key. The system lets go of it however the process ends, so
//! whoever can take it knows: nothing is guessed from numbers of processes, which containers and other users hide.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The name of this process, unless the operator gives another: `HOST-PID`.
pub fn name() -> String {
    format!("{}-{}", host(), std::process::id())
}

/// The name of this machine.
fn host() -> String {
    let given = std::env::var("HOSTNAME").ok();
    // A service is not told its machine's name.
    let asked = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = given.filter(|name| !name.is_empty()).or_else(asked).unwrap_or_default();
    if name.trim().is_empty() { "node".to_owned() } else { name.trim().to_owned() }
}

/// Shows that a node runs, until it is dropped or the process ends.
pub struct Alive {
    path: PathBuf,
    _locked: File,
    /// A process of the same name was killed: it holds its lock no longer, and did not put its file away.
    pub follows_a_killed_one: bool,
}

impl Alive {
    /// Of the node with this name, for those that use the same key file.
    ///
    /// # Errors
    /// When the file cannot be written or locked; then others wait for what this node holds when it was killed.
    pub fn show(key_file: &Path, name: &str) -> io::Result<Self> {
        let path = beside(key_file, name).ok_or_else(|| io::Error::other("the node's name is no file name"))?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let follows_a_killed_one = path.exists();
        let file = options.open(&path)?;
        file.try_lock().map_err(|error| io::Error::other(format!("another process has this name: {error}")))?;
        Ok(Self { path, _locked: file, follows_a_killed_one })
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the node with this name used the same key file and has ended, so that nobody need wait for what it held. What cannot
/// be told is taken to run.
pub fn is_gone(key_file: &Path, name: &str) -> bool {
    let Some(path) = beside(key_file, name) else { return false };
    fs::OpenOptions::new().write(true).open(&path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Forgets a node that is gone, once nothing is held by it any more.
pub fn forget(key_file: &Path, name: &str) {
    if let Some(path) = beside(key_file, name).filter(|_| is_gone(key_file, name)) {
        let _ = fs::remove_file(path);
    }
}

fn beside(key_file: &Path, name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    plain.then(|| key_file.with_extension(format!("{name}.runs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_certainly_ended_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("millrace.key");
        for unknown in ["", "never-1", "../elsewhere", "with space"] {
            assert!(!is_gone(&key, unknown), "{unknown}");
        }
        let alive = Alive::show(&key, "here-1").unwrap();
        assert!(!is_gone(&key, "here-1") && Alive::show(&key, "here-1").is_err(), "it runs");
        // Killed: the lock goes and the file stays.
        let killed = beside(&key, "here-2").unwrap();
        fs::write(&killed, "").unwrap();
        assert!(is_gone(&key, "here-2") && is_gone(&key, "here-2"), "whatever it held is asked for one by one");
        forget(&key, "here-1");
        forget(&key, "here-2");
        assert!(!killed.exists() && alive.path.exists());
        assert!(!alive.follows_a_killed_one);
        fs::write(&killed, "").unwrap();
        assert!(Alive::show(&key, "here-2").unwrap().follows_a_killed_one);
        let path = alive.path.clone();
        drop(alive);
        assert!(!path.exists() && !is_gone(&key, "here-1"), "it gave everything back itself");
    }
}
