//! Backups, restores and copies, typed.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use super::Desk;

/// A command on another data folder than the desk's own.
fn on(desk: &Desk, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.arg("--data").arg(data).env_remove("MILLRACE_KEY").env_remove("RUST_LOG").current_dir(desk.path());
    command
}

/// Starts the server and waits until it says that it runs, or that nothing is sent; what it said until then.
fn serve(desk: &Desk, data: &Path) -> (Child, String) {
    let mut child = on(desk, data)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| told.send(line)));
    let mut said = String::new();
    while !said.contains("workers run") {
        let line = heard.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|error| panic!("{error}: {said}"));
        said.push_str(&line);
        said.push('\n');
    }
    (child, said)
}

fn stop(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn safety(desk: &Desk, data: &Path) -> serde_json::Value {
    let output = on(desk, data).args(["safety", "--json"]).output().unwrap();
    super::ended(&output).json()
}

#[test]
fn a_backup_holds_no_key_and_comes_back_frozen() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let (server, _) = serve(&desk, &desk.data());
    let file = desk.path().join("hub.backup");
    let file = file.to_str().unwrap();
    let told = desk.works(&["backup", "--to", file, "--json"]).json();
    assert_eq!(told["keys"], serde_json::json!([]), "nothing is sealed yet");
    let content = fs::read(file).unwrap();
    let key = fs::read_to_string(desk.data().join("millrace.key")).unwrap();
    let contains = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
    assert!(!contains(key.trim().as_bytes()), "the wrapping key is in the backup");
    assert_eq!(desk.type_in(&["backup", "--to", file]).code, 1, "never over a file");
    assert!(safety(&desk, &desk.data())["backed_up_at"].is_string());
    let left: Vec<_> = fs::read_dir(desk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");

    let told = desk.type_in(&["restore", file, "--replace"]);
    assert!(told.code == 1 && told.err.contains("in use"), "{}", told.all());
    stop(server);
    let told = desk.type_in(&["restore", file]);
    assert!(told.code == 1 && told.err.contains("--replace"), "{}", told.all());
    let garbage = desk.path().join("garbage");
    fs::write(&garbage, &content[..content.len() / 2]).unwrap();
    let told = desk.type_in(&["restore", garbage.to_str().unwrap(), "--replace"]);
    assert!(told.code == 3 && told.err.contains("Nothing was changed"), "{}", told.all());
    let told = desk.type_in(&["restore", desk.data().join("millrace.db").to_str().unwrap(), "--replace"]);
    assert!(told.code == 3 && told.err.contains("no backup"), "a database is no backup: {}", told.all());

    let told = desk.works(&["restore", file, "--replace", "--json"]).json();
    assert!(Path::new(told["set_aside"].as_str().unwrap()).exists());
    assert_eq!(told["missing_keys"], serde_json::json!([]));
    let told = desk.type_in(&["safety"]);
    assert!(told.code == 5 && told.out.contains("restored") && told.out.contains("recover --since"), "{}", told.all());
    assert_eq!(desk.type_in(&["release-sending", "--reason", "now"]).code, 5, "nothing was looked up");
    let told = desk.type_in(&["release-sending", "--reason", "now", "--force"]);
    assert!(told.code == 5 && told.err.contains("recover --since"), "no window, nothing in doubt: {}", told.all());
    let told = desk.type_in(&["recover", "--since", "2999-01-01T00:00:00Z"]);
    assert!(told.code == 3 && told.err.contains("ahead"), "{}", told.all());
    let (server, said) = serve(&desk, &desk.data());
    assert!(said.contains("SENDING IS FROZEN"), "{said}");
    desk.works(&["recover", "--since", told_time(&desk).as_str(), "--wait"]);
    desk.works(&["release-sending", "--reason", "nothing had been sent"]);
    assert_eq!(desk.type_in(&["safety"]).code, 0);
    assert_eq!(desk.type_in(&["release-sending", "--reason", "again"]).code, 1);
    stop(server);
    // It is the same installation as before: its next start is like any other.
    let (server, said) = serve(&desk, &desk.data());
    assert!(!said.contains("FROZEN"), "{said}");
    stop(server);
}

/// The time of the backup, as the restored database names it.
fn told_time(desk: &Desk) -> String {
    let next = safety(desk, &desk.data())["next"].as_str().unwrap().to_owned();
    let (_, rest) = next.split_once("taken at ").unwrap_or_else(|| panic!("{next}"));
    rest.split(')').next().unwrap().to_owned()
}

#[test]
fn a_copied_folder_sends_nothing_and_a_moved_one_goes_on() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let (server, said) = serve(&desk, &desk.data());
    assert!(!said.contains("FROZEN"), "a first start: {said}");
    stop(server);
    let moved = desk.path().join("moved");
    fs::rename(desk.data(), &moved).unwrap();
    let (server, said) = serve(&desk, &moved);
    assert!(!said.contains("FROZEN"), "a folder that was renamed: {said}");
    stop(server);

    let copy = desk.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(&moved).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let (server, said) = serve(&desk, &copy);
    assert!(said.contains("SENDING IS FROZEN") && said.contains("cloned"), "{said}");
    stop(server);
    let state = safety(&desk, &copy);
    assert_eq!((&state["frozen"], &state["kind"]), (&serde_json::json!(true), &serde_json::json!("cloned")));
    let (server, said) = serve(&desk, &moved);
    assert!(!said.contains("FROZEN"), "the original goes on: {said}");
    stop(server);

    // A person stops it, and lets it go on.
    fs::rename(&moved, desk.data()).unwrap();
    let (server, said) = serve(&desk, &desk.data());
    assert!(!said.contains("FROZEN"), "moved back: {said}");
    stop(server);
    desk.works(&["freeze-sending", "--reason", "stocktake"]);
    let told = desk.type_in(&["check"]);
    assert!(told.code == 5 && told.all().contains("stocktake"), "{}", told.all());
    desk.works(&["release-sending", "--reason", "counted"]);
    assert_eq!(desk.type_in(&["safety"]).code, 0);
}

/// As a snapshot of the disk or an archive of the folder is put back: database and witness file together, where they were.
#[test]
fn a_folder_put_back_in_place_sends_nothing() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let (server, said) = serve(&desk, &desk.data());
    assert!(!said.contains("FROZEN"), "a first start: {said}");
    stop(server);
    let made = fs::metadata(desk.data().join("millrace.db")).unwrap().created();
    let files = || {
        let paths = fs::read_dir(desk.data()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_file()).collect::<Vec<_>>()
    };
    let kept: Vec<_> = files().into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let (server, said) = serve(&desk, &desk.data());
    assert!(!said.contains("FROZEN"), "a start like any other: {said}");
    stop(server);
    // Which files the database has beside it differs from stop to stop.
    for path in files() {
        fs::remove_file(path).unwrap();
    }
    for (content, path) in &kept {
        fs::write(path, content).unwrap();
    }
    let told = desk.type_in(&["check"]);
    let (server, said) = serve(&desk, &desk.data());
    stop(server);
    // Where the file system does not say when a file was made, nothing tells (docs/recovery.md, Limits).
    if made.is_ok() {
        assert!(told.all().contains("the next start will send nothing (cloned)"), "{}", told.all());
        assert!(
            said.contains("SENDING IS FROZEN") && said.contains("another file than the one that ran here"),
            "{said}"
        );
    } else {
        assert!(!said.contains("FROZEN"), "{said}");
    }
}
