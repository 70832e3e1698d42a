//! The name of a process among those that share a database: `HOST-PID` unless the operator gives another.

use std::{fs, path::Path};

/// The name of this process.
pub fn name() -> String {
    format!("{}-{}", host(), std::process::id())
}

/// Whether the process with this name ran on this machine and has ended, so that nobody need wait for what it held. Only where
/// that is certain: a name that an operator gave, another machine's, or a system without `/proc` says nothing.
pub fn is_gone(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(at, pid)| at == host() && has_ended(pid, Path::new("/proc")))
}

/// A number that was given anew, to another program, is as good as none.
fn has_ended(pid: &str, processes: &Path) -> bool {
    let program = |pid: &str| fs::read_to_string(processes.join(pid).join("comm"));
    let Ok(own) = program("self") else { return false };
    pid.parse::<u32>().is_ok()
        && program(pid).map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |other| other != own)
}

/// The name of this machine.
fn host() -> String {
    let given = std::env::var("HOSTNAME").ok();
    // A service is not told its machine's name.
    let asked = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = given.filter(|name| !name.is_empty()).or_else(asked).unwrap_or_default();
    if name.trim().is_empty() { "node".to_owned() } else { name.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_certainly_ended_is_gone() {
        assert!(!is_gone(&name()), "this process runs");
        for other in ["", "-", "blue", "blue-7", "elsewhere-1", &format!("{}-x", host())] {
            assert!(!is_gone(other), "{other}");
        }
        let folder = tempfile::tempdir().unwrap();
        let process = |pid: &str, program: &str| {
            fs::create_dir(folder.path().join(pid)).unwrap();
            fs::write(folder.path().join(pid).join("comm"), program).unwrap();
        };
        assert!(!has_ended("7", folder.path()), "nothing is known of processes here");
        process("self", "millrace\n");
        process("8", "millrace\n");
        process("9", "bash\n");
        assert_eq!(["7", "8", "9", "x"].map(|pid| has_ended(pid, folder.path())), [true, false, true, false]);
    }
}
