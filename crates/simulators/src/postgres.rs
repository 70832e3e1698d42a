//! A PostgreSQL server of one's own, from the machine's packages: started in a folder under `/tmp`, reached over loopback
//! only, stopped and removed when dropped. It is the real server, so that what is proved on it holds.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The server's administrator, who bypasses row-level security.
const ADMINISTRATOR: &str = "postgres";
/// Who owns the databases made here: may make roles, and is no administrator.
const OWNER: &str = "millrace";
/// For both; the server is reached over loopback and lives as long as a test.
const PASSWORD: &str = "millrace";
/// A server that is not up by then has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What keeps the server from running.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Not on this machine.
    #[error("PostgreSQL is not installed; type: apt-get install postgresql")]
    NotInstalled,
    /// It must not run as root, and there is no user for it.
    #[error(
        "PostgreSQL does not run as root and this machine has no user {ADMINISTRATOR}; type: apt-get install postgresql"
    )]
    NoUser,
    /// One of its programs failed.
    #[error("{program} failed: {why}")]
    Failed {
        /// Which.
        program: String,
        /// Its words.
        why: String,
    },
    /// The machine.
    #[error(transparent)]
    Machine(#[from] io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    user: Option<(u32, u32)>,
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
}

impl Postgres {
    /// Makes a fresh server with one empty database, `millrace`, and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed (with the line to type), or does not start.
    pub fn start() -> Result<Self, PostgresError> {
        let programs = find_programs()?;
        let user = unprivileged()?;
        let port = free_port()?;
        let folder = PathBuf::from(format!("/tmp/millrace-postgres-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&folder, Some(user), Some(group))?;
        }
        let mut server = Self { programs, user, folder, port, server: None };
        let password = server.folder.join("password");
        fs::write(&password, PASSWORD)?;
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&password, Some(user), Some(group))?;
        }
        server.run(
            server
                .command("initdb")
                // Nothing of it has to outlive the machine.
                .args([
                    "--no-sync",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--username",
                    ADMINISTRATOR,
                ])
                .arg("--pwfile")
                .arg(&password)
                .arg("-D")
                .arg(server.data()),
        )?;
        server.launch_on_a_free_port()?;
        server.sql("postgres", &format!("CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'"))?;
        server.create_database("millrace")?;
        Ok(server)
    }

    /// Makes an empty database whose owner is no administrator.
    ///
    /// # Errors
    /// When it exists, or the server does not run.
    pub fn create_database(&self, name: &str) -> Result<(), PostgresError> {
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER}")).map(drop)
    }

    /// The address of a database, for its owner.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a database, for the server's administrator, who sees everything.
    pub fn administrator_url(&self, database: &str) -> String {
        format!("postgres://{ADMINISTRATOR}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements as the administrator, and returns what they print: values separated by `|`, rows by line ends.
    ///
    /// # Errors
    /// When a statement is refused, or the server does not run.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String, PostgresError> {
        let mut psql = self.command("psql");
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1"])
            .arg("--dbname")
            .arg(self.administrator_url(database))
            .args(["--command", statements]);
        let output = self.run(&mut psql)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Puts a dump in the place of a database: the database is made anew, under the same name.
    ///
    /// # Errors
    /// When somebody is connected to it, or a statement is refused.
    pub fn load(&self, database: &str, dump: &[u8]) -> Result<(), PostgresError> {
        let file = self.folder.join("load.sql");
        fs::write(&file, dump)?;
        self.own(&file)?;
        self.sql("postgres", &format!("DROP DATABASE {database} WITH (FORCE)"))?;
        self.create_database(database)?;
        let mut psql = self.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname"])
            .arg(self.administrator_url(database))
            .arg("--file")
            .arg(&file);
        self.run(&mut psql).map(drop)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a second server that follows this one by streaming replication. With `synchronous`, from now on this one reports a
    /// commit only when the follower has it on disk.
    ///
    /// # Errors
    /// When either does not do what it is told.
    pub fn replica(&self, synchronous: bool) -> Result<Self, PostgresError> {
        let folder_of = |port: u16| PathBuf::from(format!("/tmp/millrace-postgres-{}-{port}", std::process::id()));
        let port = free_port()?;
        let folder = folder_of(port);
        fs::create_dir_all(&folder)?;
        let mut follower =
            Self { programs: self.programs.clone(), user: self.user, folder: folder.clone(), port, server: None };
        follower.own(&folder)?;
        let source = format!(
            "host=127.0.0.1 port={} user={ADMINISTRATOR} password={PASSWORD} application_name=follower_{port}",
            self.port
        );
        follower.run(
            follower
                .command("pg_basebackup")
                .args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--pgdata"])
                .arg(follower.data())
                .arg("--dbname")
                .arg(&source),
        )?;
        // The new server must not wait for a follower of its own, as the settings it was copied with may say.
        let settings = follower.data().join("postgresql.auto.conf");
        let kept: Vec<String> = fs::read_to_string(&settings)?
            .lines()
            .filter(|line| !line.starts_with("synchronous_standby_names"))
            .map(str::to_owned)
            .collect();
        fs::write(&settings, format!("{}\n", kept.join("\n")))?;
        follower.own(&settings)?;
        follower.launch_on_a_free_port()?;
        if synchronous {
            self.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = 'follower_{port}'"))?;
            self.sql("postgres", "SELECT pg_reload_conf()")?;
            let since = Instant::now();
            while self.sql("postgres", "SELECT sync_state FROM pg_stat_replication")? != "sync" {
                if since.elapsed() > PATIENCE {
                    return Err(PostgresError::Failed {
                        program: "postgres".to_owned(),
                        why: "the follower did not become synchronous".to_owned(),
                    });
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(follower)
    }

    /// Makes a follower a server of its own, and waits until it takes writes.
    ///
    /// # Errors
    /// When it does not.
    pub fn promote(&self) -> Result<(), PostgresError> {
        let mut control = self.command("pg_ctl");
        control.args(["promote", "--wait", "-D"]).arg(self.data());
        self.run(&mut control).map(drop)
    }

    /// Kills the server and everything it started, as the loss of its machine would: no process of it ends in good order.
    ///
    /// # Errors
    /// When there is nobody to kill.
    pub fn kill_hard(&mut self) -> Result<(), PostgresError> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        // Its children first would be restarted by it; they end by themselves when it is gone.
        server.kill()?;
        server.wait()?;
        Ok(())
    }

    /// Gives a file to the user that the server runs as.
    fn own(&self, path: &Path) -> io::Result<()> {
        match self.user {
            Some((user, group)) => std::os::unix::fs::chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Everything in a database, as text: what a backup holds.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn dump(&self, database: &str) -> Result<Vec<u8>, PostgresError> {
        let mut dump = self.command("pg_dump");
        dump.arg("--dbname").arg(self.administrator_url(database));
        Ok(self.run(&mut dump)?.stdout)
    }

    /// Stops the server in good order.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn stop(&mut self) -> Result<(), PostgresError> {
        self.halt("fast")
    }

    /// Stops the server as a crash would: nothing is finished, it recovers when started again.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        self.halt("immediate")
    }

    /// Starts the server again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        if self.server.is_some() {
            self.stop()?;
        }
        self.launch()
    }

    fn halt(&mut self, mode: &str) -> Result<(), PostgresError> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let mut control = self.command("pg_ctl");
        control.args(["stop", "--wait", "--mode", mode, "-D"]).arg(self.data());
        let stopped = self.run(&mut control);
        if stopped.is_err() {
            server.kill()?;
        }
        server.wait()?;
        stopped.map(drop)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Launches for the first time. Between finding a port free and listening on it somebody else may take it.
    fn launch_on_a_free_port(&mut self) -> Result<(), PostgresError> {
        let mut tries = 0;
        loop {
            match self.launch() {
                Err(PostgresError::Failed { why, .. }) if why.contains("Address already in use") && tries < 5 => {
                    tries += 1;
                    fs::remove_file(self.folder.join("log"))?;
                    self.server = None;
                    self.port = free_port()?;
                }
                launched => return launched,
            }
        }
    }

    fn launch(&mut self) -> Result<(), PostgresError> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-k"])
            .arg(&self.folder)
            .stdout(log.try_clone()?)
            .stderr(log);
        self.server = Some(command.spawn()?);
        let since = Instant::now();
        loop {
            // Another test's server may have taken the port meanwhile: only one with these data is ours.
            if self.sql("postgres", "SHOW data_directory").is_ok_and(|answer| Path::new(&answer) == self.data()) {
                return Ok(());
            }
            let ended = match &mut self.server {
                Some(server) => server.try_wait()?.is_some(),
                None => true,
            };
            if ended || since.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(PostgresError::Failed { program: "postgres".to_owned(), why: log });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(&self.folder).stdin(Stdio::null()).env("LC_ALL", "C");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    fn run(&self, command: &mut Command) -> Result<Output, PostgresError> {
        let output = command.output()?;
        if output.status.success() {
            return Ok(output);
        }
        let said = [output.stdout, output.stderr].concat();
        Err(PostgresError::Failed {
            program: command.get_program().to_string_lossy().into_owned(),
            why: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Nobody is left to be told; the folder is under /tmp.
        let _stopped = self.halt("immediate");
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The newest of the versions that Debian and Ubuntu install side by side.
fn find_programs() -> Result<PathBuf, PostgresError> {
    let versions = fs::read_dir("/usr/lib/postgresql").map_err(|_| PostgresError::NotInstalled)?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists() && programs.join("postgres").exists())
        .collect();
    found.sort_unstable();
    found.pop().map(|(_, programs)| programs).ok_or(PostgresError::NotInstalled)
}

/// User and group to run as: PostgreSQL refuses to run as root.
fn unprivileged() -> Result<Option<(u32, u32)>, PostgresError> {
    let number = |arguments: &[&str]| -> Result<u32, PostgresError> {
        let output = Command::new("id").args(arguments).output()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| PostgresError::NoUser)
    };
    if number(&["-u"])? != 0 {
        return Ok(None);
    }
    Ok(Some((number(&["-u", ADMINISTRATOR])?, number(&["-g", ADMINISTRATOR])?)))
}

#[cfg(test)]
mod tests {

    use super::Postgres;

    #[test]
    fn survives_a_crash() {
        let mut postgres = Postgres::start().unwrap();
        postgres.create_database("one").unwrap();
        postgres.sql("one", "CREATE TABLE kept (value text); INSERT INTO kept VALUES ('still here')").unwrap();
        postgres.kill().unwrap();
        assert!(postgres.sql("one", "SELECT 1").is_err());
        postgres.restart().unwrap();
        assert_eq!(postgres.sql("one", "SELECT value FROM kept").unwrap(), "still here");
    }

    /// Somebody takes the port between the look and the start, and is another PostgreSQL.
    #[test]
    fn a_port_that_was_taken_meanwhile_is_changed() {
        let other = Postgres::start().unwrap();
        let mut late = Postgres::start().unwrap();
        late.stop().unwrap();
        late.port = other.port;
        assert!(late.launch().is_err(), "the other server is not taken for this one");
        late.port = other.port;
        late.launch_on_a_free_port().unwrap();
        assert_ne!(late.port, other.port);
        late.sql("millrace", "SELECT 1").unwrap();
    }

    #[test]
    fn a_promoted_follower_has_every_commit() {
        let mut first = Postgres::start().unwrap();
        let second = first.replica(true).unwrap();
        first.create_database("one").unwrap();
        first.sql("one", "CREATE TABLE kept (value text); INSERT INTO kept VALUES ('still here')").unwrap();
        first.kill_hard().unwrap();
        second.promote().unwrap();
        assert_eq!(second.sql("one", "SELECT value FROM kept").unwrap(), "still here");
        second.sql("one", "INSERT INTO kept VALUES ('and more')").unwrap();
    }
}
