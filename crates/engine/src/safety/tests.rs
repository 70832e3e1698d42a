use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Folder, Home, Kept, Server, Verdict, Witness, judge};

fn folder() -> impl Strategy<Value = Folder> {
    ("[a-d]{1,2}", prop_oneof![Just(String::new()), "[a-d]{2}"], "/[a-d]{1,2}", 1u64..5, 0i64..3)
        .prop_map(|(id, machine, path, inode, born)| Folder { id, machine, path, inode, born })
}

fn home() -> impl Strategy<Value = Home> {
    let server =
        ("[1-3]?", "[1-3]?", "[1-3]?").prop_map(|(system, timeline, database)| Server { system, timeline, database });
    let one =
        prop_oneof![folder().prop_map(|folder| (Some(folder), None)), server.prop_map(|server| (None, Some(server))),];
    (proptest::option::of("https://[ab]/"), one).prop_map(|(public_url, (folder, server))| Home {
        public_url,
        folder,
        server,
    })
}

fn kept(armed: i64, home: Option<Home>) -> Kept {
    Kept { installation: "one".to_owned(), armed, home }
}

fn witness(armed: i64, home: &Home) -> Witness {
    let folder = home.folder.as_ref().map(|folder| folder.id.clone()).unwrap_or_default();
    Witness { installation: "one".to_owned(), folder, armed }
}

proptest! {
    /// A restart where it ran before, at whatever point between commit and witness it was stopped.
    #[test]
    fn a_restart_never_freezes(home in home(), written in 0i64..1000, later in 0i64..10, synchronous in any::<bool>()) {
        let found = judge(&kept(written + later, Some(home.clone())), Some(&witness(written, &home)), &home, synchronous);
        prop_assert_eq!(found, Verdict::Same);
    }

    /// A new installation and one from before this was kept, whatever lies beside the key from another installation.
    #[test]
    fn a_first_start_never_freezes(home in home(), armed in 0i64..1000, foreign in any::<bool>()) {
        let other = Witness { installation: "other".to_owned(), folder: "x".to_owned(), armed: 5000 };
        let found = judge(&kept(armed, None), foreign.then_some(&other), &home, false);
        prop_assert_eq!(found, Verdict::Same);
    }

    /// Whatever else is so: a database that forgot an intent this node has committed is noticed.
    #[test]
    fn an_older_copy_is_always_noticed(
        before in proptest::option::of(home()), here in home(), armed in 0i64..1000, more in 1i64..1000,
        synchronous in any::<bool>(),
    ) {
        let found = judge(&kept(armed, before), Some(&witness(armed + more, &here)), &here, synchronous);
        prop_assert!(matches!(found, Verdict::Restored(_)));
    }

    /// A copy of a data folder, witness file and all, in another place.
    #[test]
    fn a_copied_folder_is_noticed(before in folder(), written in 0i64..1000) {
        let here = Folder { path: format!("{}/copy", before.path), inode: before.inode + 10, ..before.clone() };
        let home = |folder: Folder| Home { folder: Some(folder), ..Home::default() };
        let found = judge(&kept(written, Some(home(before))), Some(&witness(written, &home(here.clone()))), &home(here), false);
        prop_assert!(matches!(found, Verdict::Cloned(_)));
    }

    /// Database and witness file put back together, where they were. Where the file system does not say when a file was made,
    /// nothing tells.
    #[test]
    fn files_put_back_in_place_are_noticed(before in folder(), written in 0i64..1000, again in 0i64..5) {
        let here = Folder { born: again, ..before.clone() };
        let home = |folder: Folder| Home { folder: Some(folder), ..Home::default() };
        let found =
            judge(&kept(written, Some(home(before.clone()))), Some(&witness(written, &home(here.clone()))), &home(here), false);
        let tells = before.born != 0 && again != 0 && before.born != again;
        prop_assert_eq!(matches!(found, Verdict::Cloned(_)), tells);
    }

    /// A folder that was renamed, or mounted under another number, is still the same.
    #[test]
    fn a_moved_folder_is_the_same(before in folder(), renamed in any::<bool>()) {
        let here = if renamed {
            Folder { path: format!("{}/new", before.path), ..before.clone() }
        } else {
            Folder { inode: before.inode + 10, ..before.clone() }
        };
        let home = |folder: Folder| Home { folder: Some(folder), ..Home::default() };
        let found = judge(&kept(3, Some(home(before))), Some(&witness(3, &home(here.clone()))), &home(here), false);
        prop_assert_eq!(found, Verdict::Same);
    }
}

fn on_server(system: &str, timeline: &str, database: &str) -> Home {
    let server = Server { system: system.to_owned(), timeline: timeline.to_owned(), database: database.to_owned() };
    Home { server: Some(server), ..Home::default() }
}

#[test]
fn a_database_without_its_witness_is_a_copy_where_it_is_a_file() {
    let folder = Folder { id: "a".to_owned(), path: "/data".to_owned(), inode: 1, ..Folder::default() };
    let home = Home { folder: Some(folder), ..Home::default() };
    assert!(matches!(judge(&kept(3, Some(home.clone())), None, &home, false), Verdict::Cloned(_)));
    // A node that has not been there before says nothing about a server's database.
    let home = on_server("7", "1", "5");
    assert_eq!(judge(&kept(3, Some(home.clone())), None, &home, false), Verdict::Same);
}

#[test]
fn another_address_is_another_installation() {
    let at = |url: Option<&str>| Home { public_url: url.map(str::to_owned), ..on_server("7", "1", "5") };
    let look = |before, now| judge(&kept(3, Some(at(before))), None, &at(now), false);
    assert!(matches!(look(Some("https://a/"), Some("https://b/")), Verdict::Cloned(_)));
    assert_eq!(look(Some("https://a/"), None), Verdict::Same);
    assert_eq!(look(None, Some("https://a/")), Verdict::Same);
}

#[test]
fn a_promoted_replica_is_trusted_only_where_it_is_declared() {
    let look = |now: Home, synchronous| judge(&kept(3, Some(on_server("7", "1", "5"))), None, &now, synchronous);
    assert!(matches!(look(on_server("7", "2", "5"), false), Verdict::FailedOver(_)));
    assert_eq!(look(on_server("7", "2", "5"), true), Verdict::Promoted);
    assert!(matches!(look(on_server("8", "1", "5"), true), Verdict::Cloned(_)));
    assert!(matches!(look(on_server("7", "1", "6"), true), Verdict::Cloned(_)));
    assert_eq!(look(on_server("", "", "5"), false), Verdict::Same);
}
