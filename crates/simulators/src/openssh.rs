//! A real OpenSSH server on this machine, for tests of SFTP: not a simulator but the program itself.
//!
//! It listens on 127.0.0.1 only, with host and user keys made for it, serves nothing but SFTP below one folder, and lets
//! in the user who started it. It is stopped when the value is dropped. Needs `/usr/sbin/sshd` and `ssh-keygen`
//! (`apt-get install openssh-server`).

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const SSHD: &str = "/usr/sbin/sshd";

/// A running OpenSSH server.
#[derive(Debug)]
pub struct OpenSsh {
    root: PathBuf,
    state: PathBuf,
    port: u16,
    user: String,
    private_key: String,
    host_key: String,
    child: Option<Child>,
}

impl OpenSsh {
    /// Serves the folder `root`, which must exist, on a free port. Keys, configuration and log lie in a new folder beside
    /// it and go with the server.
    ///
    /// # Errors
    /// When OpenSSH is not installed or does not start; the text says what to type.
    pub fn start(root: &Path) -> io::Result<Self> {
        if !Path::new(SSHD).exists() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{SSHD} is missing; type: apt-get install openssh-server"),
            ));
        }
        let root = root.canonicalize()?;
        let state =
            root.with_file_name(format!("{}-sshd", root.file_name().and_then(|name| name.to_str()).unwrap_or("root")));
        fs::create_dir_all(&state)?;
        let mut server = Self {
            root,
            port: 0,
            user: run(Command::new("id").arg("-un"))?,
            private_key: String::new(),
            host_key: String::new(),
            child: None,
            state,
        };
        make_key(&server.state.join("userkey"))?;
        fs::copy(server.state.join("userkey.pub"), server.state.join("authorized_keys"))?;
        server.private_key = fs::read_to_string(server.state.join("userkey"))?;
        server.new_host_key()?;
        server.listen()?;
        Ok(server)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who may sign in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The key to sign in with, in OpenSSH form.
    #[must_use]
    pub fn private_key(&self) -> &str {
        &self.private_key
    }

    /// Fingerprint of the host key, `SHA256:…`, as `ssh-keygen` prints it.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// The folder served. Paths of the SFTP session are relative to it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the server logged so far, in detail: every sign-in that was tried is there.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.state.join("log")).unwrap_or_default()
    }

    /// Stops the server and every session of it from doing anything, without ending them: connections stay up and nothing
    /// answers. [`OpenSsh::kill`] and dropping end them all the same.
    pub fn pause(&self) {
        if let Some(child) = &self.child {
            signal(child.id(), "-STOP");
        }
    }

    /// Kills the server and every session of it at once, as a power cut would.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "-KILL");
        let _ = child.wait();
    }

    /// Starts it again on the same port with the same keys.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill();
        self.listen()
    }

    /// Starts it again with another host key, as somebody in the middle would have.
    ///
    /// # Errors
    /// When the key cannot be made or the server does not start.
    pub fn restart_with_new_host_key(&mut self) -> io::Result<()> {
        self.kill();
        self.new_host_key()?;
        self.listen()
    }

    fn new_host_key(&mut self) -> io::Result<()> {
        let path = self.state.join("hostkey");
        make_key(&path)?;
        let shown = run(Command::new("ssh-keygen").arg("-lf").arg(path.with_extension("pub")))?;
        self.host_key = shown
            .split_whitespace()
            .find(|word| word.starts_with("SHA256:"))
            .ok_or_else(|| io::Error::other(format!("no fingerprint in {shown:?}")))?
            .to_owned();
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        // Started by root it wants this folder; otherwise it does not need it and it cannot be made.
        let _ = fs::create_dir_all("/run/sshd");
        if self.port == 0 {
            self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        }
        let state = self.state.display();
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {state}/hostkey\nPidFile none\n\
             AuthorizedKeysFile {state}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\nLogLevel DEBUG1\n\
             Subsystem sftp internal-sftp\nForceCommand internal-sftp -d {}\n",
            self.port,
            self.root.display(),
        );
        let file = self.state.join("sshd_config");
        fs::write(&file, config)?;
        let child = Command::new(SSHD)
            .arg("-D")
            .arg("-f")
            .arg(&file)
            .arg("-E")
            .arg(self.state.join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let child = self.child.insert(child);
        for _ in 0..200 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if child.try_wait()?.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(25));
        }
        Err(io::Error::other(format!("sshd did not start: {}", self.log())))
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        self.kill();
        // A folder that stays behind holds nothing but keys that open nothing any more.
        let _ = fs::remove_dir_all(&self.state);
    }
}

fn signal(server: u32, signal: &str) {
    for process in descendants(server).into_iter().chain([server]) {
        // A process that has ended by itself meanwhile is no trouble.
        let _ = Command::new("kill").args([signal, &process.to_string()]).stderr(Stdio::null()).status();
    }
}

fn make_key(path: &Path) -> io::Result<()> {
    for old in [path.to_path_buf(), path.with_extension("pub")] {
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path)).map(drop)
}

fn run(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(io::Error::other(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr))))
    }
}

/// The processes started by this one, directly or not. Sessions leave the process group of the server, so they are found
/// by their parents.
fn descendants(ancestor: u32) -> Vec<u32> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may hold anything; the parent is the second word behind it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (process, parent)));
    }
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    found.split_off(1)
}
