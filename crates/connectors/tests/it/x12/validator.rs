//! Every kind of document that is written, held against a validator that is not ours (docs/decisions/0027).
//!
//! It checks lengths, types, counts and what must be there; code values, the order of segments and totals are for the tests
//! beside this one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use connectors::x12::{Order, OrderCarrier, OrderParty, OrderedLine, Segment, Separators, Syntax, answer, interchange};
use jiff::civil::date;

use super::{documents::envelope, one, sample, samples};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the validator says of each file that it refuses.
pub fn refused(files: &[PathBuf]) -> Vec<String> {
    let python = root().join(".dev/x12/bin/python");
    assert!(python.exists(), "the X12 validator is not installed, and without it nothing is proven; type: ./dev setup");
    let output = Command::new(python).arg(root().join("bench/validate_x12.py")).args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.len(), files.len(), "the validator answers for every file: {failed}");
    lines.into_iter().filter(|line| line["valid"] != true).map(|line| line.to_string()).collect()
}

fn party(role: &str, name: &str) -> OrderParty {
    OrderParty {
        role: role.to_owned(),
        name: name.to_owned(),
        id: Some(("92".to_owned(), "X77".to_owned())),
        ..OrderParty::default()
    }
}

fn order(status: &str) -> Order {
    let long =
        "Care of the very long named Society for the Preservation of Unusually Long Names and Addresses of Places";
    Order {
        status: status.to_owned(),
        key: "BPacme-O100001".to_owned(),
        purchase_order: "PO4500".to_owned(),
        master_reference: "100001".to_owned(),
        parties: vec![
            OrderParty {
                more_names: vec!["Müller & Söhne GmbH".to_owned()],
                streets: vec!["1 High St".to_owned(), long.to_owned()],
                city: "Leeds".to_owned(),
                state: "NY".to_owned(),
                postcode: "LS1 1AA".to_owned(),
                country: "GB".to_owned(),
                contact: Some((
                    "Jane".to_owned(),
                    vec![("TE".to_owned(), "0113".to_owned()), ("EM".to_owned(), "jane@example.test".to_owned())],
                )),
                ..party("ST", long)
            },
            party("DE", "BP MERCHANT"),
            party("WH", "THREEPL"),
        ],
        references: vec![("OQ".to_owned(), "100001".to_owned(), "ORDER".to_owned())],
        dates: vec![("10".to_owned(), date(2026, 11, 23)), ("02".to_owned(), date(2026, 11, 26))],
        notes: vec![("WHI".to_owned(), format!("{long} * {long} ~ {long}"))],
        carrier: Some(OrderCarrier {
            payment: "PP".to_owned(),
            method: "U".to_owned(),
            routing: "UPS Ground".to_owned(),
            scac: "UPSN".to_owned(),
        }),
        lines: vec![
            line("1", "SKU-A", "5", None),
            line("2", "SKU-LOT", "0.25", Some("LOT1")),
            line("3", &"S".repeat(48), "99999", Some("A-LOT-LONGER-THAN-TWELVE")),
        ],
        ..Order::default()
    }
}

fn line(number: &str, sku: &str, quantity: &str, lot: Option<&str>) -> OrderedLine {
    OrderedLine {
        quantity: quantity.parse().unwrap(),
        unit: "EA".to_owned(),
        ids: vec![("VN".to_owned(), sku.to_owned()), ("UP".to_owned(), "012345678905".to_owned())],
        lot: lot.map(str::to_owned),
        description: format!("Goods {sku}"),
        line_number: number.to_owned(),
    }
}

fn cancel() -> Order {
    Order { carrier: None, lines: Vec::new(), notes: vec![("WHI".to_owned(), "CANCELLED".to_owned())], ..order("F") }
}

#[test]
fn every_document_written_passes_the_independent_validator() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut keep = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        files.push(path);
    };
    let at = date(2026, 11, 23).at(6, 30, 0, 0);
    let upper = Syntax { upper_case: true, line_feeds: false, ..Syntax::default() };
    let other = Syntax {
        separators: Separators { element: '|', component: Some(':'), repetition: None, terminator: '\'' },
        ..Syntax::default()
    };
    for (kind, syntax) in [("plain", Syntax::default()), ("upper", upper), ("separators", other)] {
        for version in ["004010", "005010"] {
            let mut envelope = envelope(syntax.clone());
            version.clone_into(&mut envelope.version);
            if version == "005010" {
                envelope.syntax.separators.repetition = Some('^');
            }
            for (status, order) in [("new", order("N")), ("change", order("R")), ("cancel", cancel())] {
                let segments = order.segments(&envelope.syntax).unwrap();
                let set = ("940".to_owned(), envelope.syntax.set("940", &segments).unwrap());
                keep(
                    &format!("940-{status}-{kind}-{version}.edi"),
                    interchange(&envelope, 101, at, "OW", std::slice::from_ref(&set)),
                );
                // Several orders in one group are numbered from 0001.
                let several = interchange(&envelope, 999_999_999, at, "OW", &[set.clone(), set]);
                keep(&format!("940-{status}-{kind}-{version}-two.edi"), several);
            }
            for (name, refused, detail) in [
                ("reference/945.edi", None, false),
                ("reference/846.edi", Some("1"), false),
                ("collected/945_5010_segment_count_wrong.edi", None, true),
                ("collected/945_5010_segment_count_wrong.edi", Some("5"), true),
                ("collected/856_boxes.edi", Some("1"), true),
                ("collected/856_wrong_group_code_and_counts.edi", None, true),
                ("collected/856_wrong_group_code_and_counts.edi", None, false),
            ] {
                let incoming = one(&sample(name));
                let group = incoming.groups.first().unwrap();
                let said: Vec<Segment> = answer(group, &incoming.findings, |_| refused, detail);
                let set = ("997".to_owned(), envelope.syntax.set("997", &said).unwrap());
                let stem = name.rsplit('/').next().unwrap();
                let said = format!("{}-{detail}", refused.unwrap_or("read"));
                keep(&format!("997-{kind}-{version}-{said}-{stem}"), interchange(&envelope, 7, at, "FA", &[set]));
            }
        }
    }
    assert_eq!(files.len(), 78);
    let refused = refused(&files);
    assert!(refused.is_empty(), "{} of {} are refused:\n{}", refused.len(), files.len(), refused.join("\n"));
}

/// What the validator refuses for being there too often is refused before it is written.
#[test]
fn a_party_with_more_segments_than_there_is_room_for_is_not_written() {
    let syntax = Syntax::default();
    for (told, wide) in [("N3", vec!["S".repeat(55); 5]), ("N2", vec![])] {
        let mut order = order("N");
        let party = &mut order.parties[0];
        party.streets = wide;
        if told == "N2" {
            party.more_names = vec!["M".repeat(60); 4];
        }
        let segments = order.segments(&syntax).unwrap();
        let why = syntax.set("940", &segments).unwrap_err();
        assert!(why.contains(told) && why.contains("more than 2 times"), "{why}");
        let at = date(2026, 11, 23).at(6, 30, 0, 0);
        let text = interchange(&envelope(syntax.clone()), 101, at, "OW", &[("940".to_owned(), segments)]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("940.edi");
        fs::write(&path, text).unwrap();
        assert_eq!(refused(&[path]).len(), 1, "the validator says the same of {told}");
    }
}

/// A validator that refuses nothing would prove nothing.
#[test]
fn the_validator_refuses_what_is_wrong() {
    let wrong = [
        "collected/945_5010_segment_count_wrong.edi",
        "collected/940_shortest.edi",
        "collected/856_isa_not_padded.edi",
    ];
    let files: Vec<PathBuf> = wrong.iter().map(|name| samples().join(name)).collect();
    assert_eq!(refused(&files).len(), wrong.len());
    assert_eq!(refused(&[samples().join("reference/940.edi")]), Vec::<String>::new());
}
