//! The damage is damage, is the seed's, and a campaign notices what it is there to notice.

use std::panic::catch_unwind;

use rand::{SeedableRng as _, rngs::StdRng};

use super::{Campaign, Form, damaged};

const DOCUMENT: &[u8] = br#"{"response":[{"id":1,"rows":{"17":{"quantity":"2.0000"}},"at":"2026-01-01T00:00:00Z"}]}"#;
const TABLE: &[u8] = b"sku,available\nA,5\nB,7\n";

#[test]
fn the_same_seed_damages_alike_and_json_often_stays_json() {
    let all = |form, document: &'static [u8], seed| -> Vec<Vec<u8>> {
        (0..300_u64)
            .map(|number| damaged(form, document, &[DOCUMENT], &mut StdRng::seed_from_u64(seed + number)))
            .collect()
    };
    for (form, document) in [(Form::Json, DOCUMENT), (Form::Csv, TABLE), (Form::Text, TABLE)] {
        assert_eq!(all(form, document, 5), all(form, document, 5));
        let changed = all(form, document, 5).iter().filter(|copy| copy.as_slice() != document).count();
        assert!(changed > 270, "{form:?}: {changed} of 300 differ");
    }
    let read = all(Form::Json, DOCUMENT, 5);
    let read = read.iter().filter(|copy| serde_json::from_slice::<serde_json::Value>(copy).is_ok()).count();
    assert!((60..290).contains(&read), "{read} of 300 are JSON still");
}

#[test]
fn a_campaign_finds_what_is_wrong_and_keeps_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let campaign = || Campaign::new("sample", &folder.path().join("kept"), folder.path());
    let make = |dice: &mut StdRng| damaged(Form::Json, DOCUMENT, &[], dice);
    campaign().run(make, |_| Ok(()));

    let empty = |input: &[u8]| if input.is_empty() { Err("it is empty".to_owned()) } else { Ok(()) };
    for (problem, drive) in [("it panicked", None), ("it is empty", Some(empty))] {
        let found = catch_unwind(|| {
            campaign().run(
                |dice| if rand::RngExt::random_bool(dice, 0.05) { Vec::new() } else { DOCUMENT.to_vec() },
                |input| match drive {
                    Some(drive) => drive(input),
                    None => input.first().map(drop).ok_or(()).map_err(|()| panic!("nothing in it")),
                },
            );
        });
        let words = found.unwrap_err().downcast::<String>().unwrap();
        assert!(words.contains(problem) && words.contains("MILLRACE_FUZZ_INPUT"), "{words}");
    }
    let kept: Vec<_> = std::fs::read_dir(folder.path().join("fuzz")).unwrap().collect();
    assert_eq!(kept.len(), 1, "the same seed fails at the same input");

    // Kept inputs are played first.
    std::fs::create_dir_all(folder.path().join("kept/sample")).unwrap();
    std::fs::write(folder.path().join("kept/sample/one"), "").unwrap();
    let found = catch_unwind(|| campaign().run(|_| DOCUMENT.to_vec(), empty));
    assert!(found.unwrap_err().downcast::<String>().unwrap().contains("it is empty"));
}
