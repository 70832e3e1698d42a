//! File stores: a folder on this machine, and one behind a real OpenSSH server.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use connect::{FileErrorKind, FileLocation, FileStore, FileStores as _, Guard, Renamed, Secret, Waits};
use connectors::files::Files;
use russh::{
    MethodKind, MethodSet,
    server::{Auth, Config, Handler, Response, run_stream},
};
use simulators::{
    openssh::OpenSsh,
    proxy::{Disturbance, Proxy, Way},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

struct Place {
    server: OpenSsh,
    // Dropped after the server that works in it.
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        for name in ["in", "out"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let server = OpenSsh::start(&root).expect("sshd runs; if it is missing: apt-get install openssh-server");
        Self { server, _folder: folder }
    }

    fn root(&self) -> &Path {
        self.server.root()
    }

    fn location(&self, port: u16, host_key: Option<&str>) -> FileLocation {
        FileLocation::Sftp {
            host: "127.0.0.1".to_owned(),
            port,
            user: self.server.user().to_owned(),
            password: None,
            private_key: Some(Secret::new(self.server.private_key())),
            host_key: host_key.map(str::to_owned),
            root: self.root().display().to_string(),
        }
    }

    fn store(&self) -> Arc<dyn FileStore> {
        Files::new(Waits::default(), Guard::stand_ins())
            .open(self.location(self.server.port(), Some(self.server.host_key())))
    }
}

/// What every store does the same.
async fn behaves(store: &dyn FileStore, root: &Path) {
    assert!(store.list("in").await.unwrap().is_empty());
    store.write("in/b.part", b"one").await.unwrap();
    store.write("in/a.csv", b"two").await.unwrap();
    let listed = store.list("in").await.unwrap();
    assert_eq!(
        listed.iter().map(|entry| (entry.name.as_str(), entry.size)).collect::<Vec<_>>(),
        [("a.csv", 3), ("b.part", 3)]
    );
    assert!(listed.iter().all(|entry| entry.modified.is_some()));

    assert_eq!(store.rename("in/b.part", "in/a.csv").await.unwrap(), Renamed::TargetExists);
    assert_eq!(store.read("in/a.csv", 10).await.unwrap(), b"two", "a rename must not replace");
    assert_eq!(store.read("in/b.part", 10).await.unwrap(), b"one");
    assert_eq!(store.rename("in/none", "in/c.csv").await.unwrap(), Renamed::SourceGone);
    assert_eq!(store.rename("in/b.part", "in/c.csv").await.unwrap(), Renamed::Done);
    assert_eq!(store.stat("in/b.part").await.unwrap(), None);
    assert_eq!(store.stat("in/c.csv").await.unwrap().unwrap().size, 3);

    store.write("in/c.csv", b"a shorter text replaces a longer").await.unwrap();
    store.write("in/c.csv", b"x").await.unwrap();
    assert_eq!(store.read("in/c.csv", 1).await.unwrap(), b"x");
    store.write("in/c.csv", b"xy").await.unwrap();
    assert_eq!(store.read("in/c.csv", 1).await.unwrap_err().kind, FileErrorKind::Refused, "larger than asked for");

    store.create_folder("out/archive/2026").await.unwrap();
    store.create_folder("out/archive").await.unwrap();
    assert!(root.join("out/archive/2026").is_dir());
    let names = [("in/a.csv", "out/archive/a.csv"), ("in/none", "in/n"), ("in/c.csv", "out/archive/a.csv")];
    let names: Vec<_> = names.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    let outcomes: Vec<_> = store.rename_all(&names).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes, [Renamed::Done, Renamed::SourceGone, Renamed::TargetExists]);
    assert!(store.list("out").await.unwrap().is_empty(), "folders are not files");

    store.remove("in/c.csv").await.unwrap();
    store.remove("in/c.csv").await.unwrap();
    assert_eq!(store.read("in/c.csv", 1).await.unwrap_err().kind, FileErrorKind::NotFound);
    assert_eq!(store.list("nowhere").await.unwrap_err().kind, FileErrorKind::NotFound);
    // A file in a folder that is not there is not "no file": an unmounted folder must not look like work done.
    assert_eq!(store.stat("nowhere/a").await.unwrap_err().kind, FileErrorKind::NotFound);
    assert!(store.write("nowhere/a", b"").await.is_err());
    assert!(store.rename("out/archive/a.csv", "nowhere/a").await.is_err());
    assert!(store.stat("out/archive/a.csv").await.unwrap().is_some());

    for bad in ["/etc/passwd", "../x", "in/../../x", "in/\0", ""] {
        assert_eq!(store.read(bad, 10).await.unwrap_err().kind, FileErrorKind::Refused, "{bad:?}");
        assert_eq!(store.write(bad, b"").await.unwrap_err().kind, FileErrorKind::Refused, "{bad:?}");
        assert!(store.rename("out/archive/a.csv", bad).await.is_err(), "{bad:?}");
    }

    let outside = root.with_file_name("outside");
    fs::write(&outside, "secret").unwrap();
    symlink(&outside, root.join("in/link.csv")).unwrap();
    assert!(store.list("in").await.unwrap().is_empty(), "links are not listed");
    assert_eq!(store.read("in/link.csv", 100).await.unwrap_err().kind, FileErrorKind::Refused);
    assert_eq!(store.stat("in/link.csv").await.unwrap_err().kind, FileErrorKind::Refused);
}

#[tokio::test]
async fn a_local_folder_behaves() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("in")).unwrap();
    fs::create_dir_all(root.join("out")).unwrap();
    let store = Files::new(Waits::default(), Guard::stand_ins()).open(FileLocation::Folder(root.clone()));
    behaves(store.as_ref(), &root).await;
    assert_eq!(store.host_key().await.unwrap(), None);

    // A linked folder, a linked file to write to, and a pipe that nobody writes into.
    let outside = folder.path().join("elsewhere");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, root.join("away")).unwrap();
    assert!(store.write("away/x", b"1").await.is_err());
    assert!(store.write("in/link.csv", b"1").await.is_err());
    assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "secret");
    assert!(std::process::Command::new("mkfifo").arg(root.join("in/pipe")).status().unwrap().success());
    assert_eq!(store.read("in/pipe", 10).await.unwrap_err().kind, FileErrorKind::Refused);
    assert!(store.write("in/pipe", b"1").await.is_err());

    let gone =
        Files::new(Waits::default(), Guard::stand_ins()).open(FileLocation::Folder(folder.path().join("unmounted")));
    assert_eq!(gone.stat("in/x").await.unwrap_err().kind, FileErrorKind::NotFound);
}

/// Somebody else who may write in the folder puts links in place of a file and of a folder, and takes them away again, while both
/// are used: between any look and any operation. Nothing leads outside, ever (ASVS 5.3.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_put_in_place_meanwhile_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    fs::create_dir_all(root.join("in/kept")).unwrap();
    fs::create_dir_all(outside.join("kept")).unwrap();
    for name in ["a.csv", "secret.csv", "kept/a.csv"] {
        fs::write(outside.join(name), "secret").unwrap();
    }
    fs::write(root.join("in/a.csv"), "ours").unwrap();
    fs::write(root.join("in/kept/a.csv"), "ours").unwrap();
    let store = Files::new(Waits::default(), Guard::stand_ins()).open(FileLocation::Folder(root.clone()));

    let over = Arc::new(AtomicUsize::new(0));
    let (stop, away) = (Arc::clone(&over), outside.clone());
    let there = root.clone();
    let swapping = std::thread::spawn(move || {
        let mut swaps = 0_usize;
        while stop.load(SeqCst) == 0 {
            // The folder, by two renames; the file, by one that replaces.
            symlink(&away, there.join("link")).unwrap();
            fs::rename(there.join("in"), there.join("real")).unwrap();
            fs::rename(there.join("link"), there.join("in")).unwrap();
            std::thread::yield_now();
            fs::remove_file(there.join("in")).unwrap();
            fs::rename(there.join("real"), there.join("in")).unwrap();
            symlink(away.join("secret.csv"), there.join("link")).unwrap();
            fs::rename(there.join("link"), there.join("in/kept/a.csv")).unwrap();
            std::thread::yield_now();
            fs::write(there.join("plain"), "ours").unwrap();
            fs::rename(there.join("plain"), there.join("in/kept/a.csv")).unwrap();
            swaps += 1;
        }
        swaps
    });
    let (mut went, mut refused) = (0, 0);
    let start = std::time::Instant::now();
    // Until both were met often enough, and not for ever.
    while (went < 100 || refused < 100) && start.elapsed() < Duration::from_secs(60) {
        for path in ["in/a.csv", "in/kept/a.csv"] {
            match store.read(path, 100).await {
                Ok(content) => {
                    // It is written anew below, and may be read in the middle of that.
                    let content = String::from_utf8(content).unwrap();
                    assert!(["", "ours", "our own"].contains(&content.as_str()), "{path}: {content}");
                    went += 1;
                }
                Err(_) => refused += 1,
            }
            let _ = store.write(path, b"our own").await;
        }
        if let Ok(listed) = store.list("in").await {
            assert!(listed.iter().all(|file| file.name != "secret.csv"), "{listed:?}");
        }
        let _ = store.stat("in/secret.csv").await.map(|found| assert_eq!(found, None));
        let _ = store.write("in/made.part", b"our own").await;
        let _ = store.rename("in/made.part", "in/made.csv").await;
        let _ = store.rename("in/secret.csv", "in/taken.csv").await;
        let _ = store.remove("in/secret.csv").await;
    }
    over.store(1, SeqCst);
    let swaps = swapping.join().expect("nothing but this test removes what it moves");
    assert!(went >= 100 && refused >= 100, "{went} went, {refused} were refused, over {swaps} swaps");
    // Outside everything is as it was, and nothing came to it.
    let mut names: Vec<String> =
        fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["a.csv", "kept", "secret.csv"]);
    for name in ["a.csv", "secret.csv", "kept/a.csv"] {
        assert_eq!(fs::read_to_string(outside.join(name)).unwrap(), "secret", "{name}");
    }
}

#[tokio::test]
async fn a_folder_behind_openssh_behaves() {
    let place = Place::new();
    behaves(place.store().as_ref(), place.root()).await;
}

#[tokio::test]
async fn fifty_megabytes_go_through_openssh() {
    let place = Place::new();
    let store = place.store();
    let content: Vec<u8> = (0..50 * 1024 * 1024_u32).map(|at| u8::try_from((at >> 3) % 251).unwrap()).collect();
    store.write("in/large.part", &content).await.unwrap();
    assert_eq!(store.stat("in/large.part").await.unwrap().unwrap().size, content.len() as u64);
    assert!(fs::read(place.root().join("in/large.part")).unwrap() == content, "what lies there is what was written");
    assert!(store.read("in/large.part", 64 * 1024 * 1024).await.unwrap() == content, "what is read is what lies there");
}

#[tokio::test]
async fn a_host_key_is_shown_before_anything_is_told() {
    let place = Place::new();
    let store = Files::new(Waits::default(), Guard::stand_ins()).open(place.location(place.server.port(), None));
    assert_eq!(store.host_key().await.unwrap().as_deref(), Some(place.server.host_key()));
    let refused = store.list("in").await.unwrap_err();
    assert_eq!(refused.kind, FileErrorKind::Credentials);
    assert!(!place.server.log().contains("userauth-request"), "{}", place.server.log());
}

#[tokio::test]
async fn a_changed_host_key_gets_no_credentials() {
    let mut place = Place::new();
    let agreed = place.server.host_key().to_owned();
    place.store().list("in").await.unwrap();
    assert!(place.server.log().contains("userauth-request"), "the log shows sign-ins, or this test proves nothing");
    let before = place.server.log().matches("userauth-request").count();

    place.server.restart_with_new_host_key().unwrap();
    let store =
        Files::new(Waits::default(), Guard::stand_ins()).open(place.location(place.server.port(), Some(&agreed)));
    let refused = store.list("in").await.unwrap_err();
    assert_eq!(refused.kind, FileErrorKind::Credentials);
    assert!(refused.message.contains(&agreed) && refused.message.contains(place.server.host_key()), "{refused}");
    assert_eq!(store.rename("in/a", "in/b").await.unwrap_err().kind, FileErrorKind::Credentials);
    assert_eq!(place.server.log().matches("userauth-request").count(), before, "{}", place.server.log());
}

#[tokio::test]
async fn a_refused_sign_in_is_told() {
    let place = Place::new();
    let FileLocation::Sftp { host, port, user, host_key, root, .. } =
        place.location(place.server.port(), Some(place.server.host_key()))
    else {
        unreachable!("it is behind SFTP")
    };
    let with = |password: Option<&str>, private_key: Option<&str>| {
        Files::new(Waits::default(), Guard::stand_ins()).open(FileLocation::Sftp {
            host: host.clone(),
            port,
            user: user.clone(),
            password: password.map(Secret::new),
            private_key: private_key.map(Secret::new),
            host_key: host_key.clone(),
            root: root.clone(),
        })
    };
    for store in [with(Some("wrong"), None), with(None, Some("no key at all")), with(None, None)] {
        let refused = store.list("in").await.unwrap_err();
        assert_eq!(refused.kind, FileErrorKind::Credentials, "{refused}");
        assert!(!refused.message.contains("wrong"), "the password is not repeated: {refused}");
    }
}

/// Wherever the line breaks, nothing is said of the credentials: who is refused is not let in again before a person looks.
#[tokio::test]
async fn a_line_that_breaks_during_the_sign_in_refuses_nobody() {
    let place = Place::new();
    let line = Proxy::start(([127, 0, 0, 1], place.server.port()).into(), 7).await.unwrap();
    let mut refused = Vec::new();
    let mut broke = 0;
    for way in [Way::Request, Way::Answer] {
        for after in (0..6_000).step_by(150) {
            let disturbance = match after % 300 {
                0 => Disturbance::Reset { way, after },
                _ => Disturbance::End { way, after },
            };
            line.next(disturbance);
            let store = Files::new(Waits::default(), Guard::stand_ins())
                .open(place.location(line.port(), Some(place.server.host_key())));
            match store.list("in").await {
                Err(error) if error.kind == FileErrorKind::Credentials => {
                    refused.push(format!("{disturbance:?}: {error}"))
                }
                Err(_) => broke += 1,
                Ok(_) => {}
            }
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(broke > 10, "the line broke {broke} sign-ins");
}

/// A server that takes the password as the answer to a question only, and then says no or breaks off.
#[derive(Clone, Copy)]
struct Asks {
    breaks_off: bool,
}

impl Handler for Asks {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        match response {
            None => Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            }),
            Some(_) if self.breaks_off => Err(russh::Error::Disconnect),
            Some(_) => Ok(Auth::reject()),
        }
    }
}

/// Where only questions are asked, nothing has been said of the password before they are answered.
#[tokio::test]
async fn a_line_that_breaks_over_the_questions_refuses_nobody() {
    let place = Place::new();
    let key = russh::keys::decode_secret_key(place.server.private_key(), None).unwrap();
    let host_key = key.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    for (breaks_off, expected) in [(true, FileErrorKind::NotReached), (false, FileErrorKind::Credentials)] {
        let config = Arc::new(Config {
            methods: MethodSet::from(&[MethodKind::KeyboardInteractive][..]),
            auth_rejection_time: Duration::ZERO,
            keys: vec![key.clone()],
            ..Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let session = run_stream(Arc::clone(&config), client, Asks { breaks_off }).await.unwrap();
                tokio::spawn(session);
            }
        });
        let store = Files::new(Waits::default(), Guard::stand_ins()).open(FileLocation::Sftp {
            host: "127.0.0.1".to_owned(),
            port,
            user: "someone".to_owned(),
            password: Some(Secret::new("a password")),
            private_key: None,
            host_key: Some(host_key.clone()),
            root: "/".to_owned(),
        });
        let error = store.list("in").await.unwrap_err();
        assert_eq!(error.kind, expected, "{error}");
    }
}

#[tokio::test]
async fn a_dead_server_is_not_reached_and_a_new_one_is_found_again() {
    let mut place = Place::new();
    let store = place.store();
    store.write("in/a.part", b"one").await.unwrap();
    place.server.kill();
    assert_eq!(store.rename("in/a.part", "in/a.csv").await.unwrap_err().kind, FileErrorKind::NotReached);
    assert_eq!(store.list("in").await.unwrap_err().kind, FileErrorKind::NotReached);
    assert!(place.root().join("in/a.part").exists());
    place.server.restart().unwrap();
    assert_eq!(store.rename("in/a.part", "in/a.csv").await.unwrap(), Renamed::Done);

    // The connection that the store keeps dies; the next operation finds a new one by itself.
    place.server.restart().unwrap();
    assert_eq!(store.rename("in/a.csv", "in/b.csv").await.unwrap(), Renamed::Done);
}

/// Passes bytes on in both directions. Once told so, it passes on that many more messages of the client and swallows every
/// answer from the last of them on, then drops the line: the server hears, and is not heard.
async fn failing_line(server: u16) -> (u16, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = Arc::clone(&left);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let (asked, answered) = (Arc::clone(&told), Arc::clone(&told));
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(read) = from_client.read(&mut buffer).await
                    && read > 0
                {
                    if asked.load(SeqCst) != usize::MAX {
                        asked.fetch_sub(1, SeqCst);
                    }
                    to_server.write_all(&buffer[..read]).await.unwrap();
                }
            });
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(read) = from_server.read(&mut buffer).await
                    && read > 0
                    && answered.load(SeqCst) > 0
                {
                    to_client.write_all(&buffer[..read]).await.unwrap();
                }
                let _ = to_client.shutdown().await;
            });
        }
    });
    (port, left)
}

#[tokio::test]
async fn a_rename_whose_answer_is_lost_is_unknown() {
    let place = Place::new();
    let (port, left) = failing_line(place.server.port()).await;
    let store =
        Files::new(Waits::default(), Guard::stand_ins()).open(place.location(port, Some(place.server.host_key())));
    store.write("in/a.part", b"one").await.unwrap();

    // The look before the rename is answered, the rename is not.
    left.store(2, SeqCst);
    let lost = store.rename("in/a.part", "in/a.csv").await.unwrap_err();
    assert_eq!(lost.kind, FileErrorKind::Unknown, "{lost}");
    assert!(place.root().join("in/a.csv").exists(), "the server had heard");

    // The next look goes over a new line and finds out.
    left.store(usize::MAX, SeqCst);
    assert_eq!(store.stat("in/a.part").await.unwrap(), None);
}

#[tokio::test]
async fn a_silent_server_does_not_hold_anybody_up() {
    let place = Place::new();
    let waits = Waits { http: Duration::from_millis(500), ..Waits::default() };
    let store =
        Files::new(waits, Guard::stand_ins()).open(place.location(place.server.port(), Some(place.server.host_key())));
    store.list("in").await.unwrap();
    // Every session of the server is stopped, so that nothing answers and nothing breaks either.
    place.server.pause();
    let error = store.stat("in/a.part").await.unwrap_err();
    assert_ne!(error.kind, FileErrorKind::NotFound, "silence says nothing about a file: {error}");
}
