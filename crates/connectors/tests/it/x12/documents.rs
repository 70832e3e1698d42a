//! What is written is what is read, whatever customers type.

use connectors::x12::{
    Acknowledgement, Envelope, Group, Order, OrderCarrier, OrderParty, OrderedLine, Party, Segment, Separators, Set,
    Syntax, Verdict, answer, interchange, read,
};
use jiff::civil::date;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

use super::{one, sample, set};

pub fn envelope(syntax: Syntax) -> Envelope {
    let party = |id: &str| Party { qualifier: "ZZ".to_owned(), id: id.to_owned() };
    Envelope {
        sender: party("BPMERCHANT"),
        receiver: party("THREEPL"),
        group_sender: "BPMERCHANT".to_owned(),
        group_receiver: "THREEPL".to_owned(),
        version: "004010".to_owned(),
        test: true,
        acknowledge: false,
        syntax,
    }
}

pub fn write(code: &str, group: &str, segments: &[Segment], control: u32) -> Result<String, String> {
    let envelope = envelope(Syntax::default());
    let written = envelope.syntax.set(code, segments)?;
    let at = date(2026, 11, 23).at(6, 30, 0, 0);
    Ok(interchange(&envelope, control, at, group, &[(code.to_owned(), written)]))
}

/// What people type: words with accents, line ends and the very characters that part elements.
fn typed() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Za-z0-9]{1,8}",
        Just("Zo\u{eb}".to_owned()),
        Just("*~>^\r\n".to_owned()),
        Just("\u{201c}a\u{201d} \u{2013} b".to_owned()),
        Just("  ".to_owned()),
        Just("x".repeat(70)),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn order() -> impl Strategy<Value = Order> {
    let line = ("[A-Z0-9-]{1,40}", 1_u32..5000, typed(), proptest::option::of("[A-Z0-9]{1,20}"));
    let lines = proptest::collection::vec(line, 1..5);
    ("[A-Z0-9-]{1,22}", typed(), typed(), typed(), typed(), any::<bool>(), lines).prop_map(
        |(key, name, street, city, note, change, lines)| Order {
            status: if change { "R" } else { "N" }.to_owned(),
            key,
            parties: vec![OrderParty {
                role: "ST".to_owned(),
                name,
                id: Some(("92".to_owned(), "C1".to_owned())),
                streets: vec![street],
                city: format!("Leeds {}", city.chars().take(10).collect::<String>()),
                country: "GB".to_owned(),
                ..OrderParty::default()
            }],
            dates: vec![("10".to_owned(), date(2026, 11, 23))],
            notes: vec![("WHI".to_owned(), note)],
            carrier: Some(OrderCarrier {
                payment: "PP".to_owned(),
                method: "U".to_owned(),
                routing: "UPS GROUND".to_owned(),
                scac: "UPSN".to_owned(),
            }),
            lines: lines
                .into_iter()
                .enumerate()
                .map(|(place, (sku, quantity, description, lot))| OrderedLine {
                    quantity: Decimal::new(i64::from(quantity), 1).normalize(),
                    unit: "EA".to_owned(),
                    ids: vec![("VN".to_owned(), sku)],
                    lot,
                    description,
                    line_number: (place + 1).to_string(),
                })
                .collect(),
            ..Order::default()
        },
    )
}

proptest! {
    #[test]
    fn an_order_that_is_written_is_read_as_it_was(order in order(), control in 1_u32..999_999_999) {
        let written = write("940", "OW", &order.segments(&Syntax::default()).unwrap(), control).unwrap();
        let interchange = one(written.as_bytes());
        prop_assert_eq!(&interchange.findings, &[]);
        prop_assert_eq!(written.lines().next().unwrap().len(), 106, "the ISA has its fixed length");
        prop_assert_eq!(interchange.control(), format!("{control:09}"));
        let read = Order::read(&set(written.as_bytes())).unwrap();
        prop_assert_eq!((&read.status, &read.key, &read.dates, &read.carrier), (&order.status, &order.key, &order.dates, &order.carrier));
        prop_assert_eq!(read.lines.len(), order.lines.len());
        for (read, line) in read.lines.iter().zip(&order.lines) {
            prop_assert_eq!((read.quantity, &read.ids, &read.lot, &read.line_number), (line.quantity, &line.ids, &line.lot, &line.line_number));
        }
        // Nothing a customer typed got lost, but what no document can hold.
        let letters = |text: &str| Syntax::default().text(text).unwrap().replace(' ', "");
        let to = (order.parties.first().unwrap(), read.parties.first().unwrap());
        let name = format!("{}{}", to.1.name, to.1.more_names.concat());
        prop_assert_eq!(letters(&name), letters(&to.0.name));
        prop_assert_eq!(letters(&to.1.streets.concat()), letters(&to.0.streets.concat()));
        let notes: String = read.notes.iter().map(|(_, text)| text.as_str()).collect();
        prop_assert_eq!(letters(&notes), letters(&order.notes.first().unwrap().1));
    }

    #[test]
    fn whatever_comes_in_is_read_or_refused_in_words(
        name in proptest::sample::select(vec!["reference/945.edi", "reference/846.edi", "collected/940_isa_ends_with_two_hashes.edi"]),
        cuts in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..6),
    ) {
        let mut content = sample(name);
        for (place, byte) in cuts {
            let place = usize::from(place) % content.len();
            content[place] = byte;
        }
        match read(&content) {
            Ok(interchanges) => prop_assert!(!interchanges.is_empty()),
            Err(broken) => prop_assert!(!broken.why.is_empty() && broken.at > 0),
        }
    }

    #[test]
    fn a_group_is_answered_set_by_set(refused in proptest::collection::vec(any::<bool>(), 1..6)) {
        let sets = refused.iter().enumerate().map(|(place, _)| {
            let control = format!("{:04}", place + 1);
            Set { code: "945".to_owned(), control, segments: Vec::new(), version: "004010".to_owned() }
        });
        let head = Segment::new("GS", ["SW", "THREEPL", "BPMERCHANT", "20261123", "0630", "77", "X", "004010"]);
        let group = Group { head, sets: sets.collect(), end: None };
        let said = answer(&group, &[], |set| {
            let place: usize = set.control.parse().unwrap();
            refused[place - 1].then_some("1")
        }, false);
        let written = write("997", "FA", &said, 5).unwrap();
        let read = Acknowledgement::read(&set(written.as_bytes())).unwrap();
        prop_assert_eq!((read.group.as_str(), read.control.as_str()), ("SW", "77"));
        for (place, refused) in refused.iter().enumerate() {
            prop_assert_eq!(read.of_set(&format!("{:04}", place + 1)).0.is_accepted(), !refused);
        }
        let expected = match refused.iter().filter(|refused| **refused).count() {
            0 => Verdict::Accepted,
            all if all == refused.len() => Verdict::Rejected,
            _ => Verdict::Partly,
        };
        prop_assert_eq!(read.verdict, expected);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let order = |key: &str, sku: &str, postcode: &str, state: &str| Order {
        status: "N".to_owned(),
        key: key.to_owned(),
        parties: vec![OrderParty {
            role: "ST".to_owned(),
            name: "Jane".to_owned(),
            streets: vec!["1 High St".to_owned()],
            city: "Leeds".to_owned(),
            state: state.to_owned(),
            postcode: postcode.to_owned(),
            country: "GB".to_owned(),
            ..OrderParty::default()
        }],
        lines: vec![OrderedLine {
            quantity: 1.into(),
            unit: "EA".to_owned(),
            ids: vec![("VN".to_owned(), sku.to_owned())],
            ..OrderedLine::default()
        }],
        ..Order::default()
    };
    let write = |order: Order| write("940", "OW", &order.segments(&Syntax::default())?, 1);
    assert!(write(order("BPacme-O1", "SKU", "LS1 1AA", "")).is_ok());
    for (order, told) in [
        (order(&"K".repeat(23), "SKU", "LS1 1AA", ""), "W0502"),
        (order("K", &"S".repeat(49), "LS1 1AA", ""), "W0105"),
        (order("K", "SKU", "0123456789ABCDEF", ""), "N403"),
        (order("K", "SKU", "LS1 1AA", "WEST YORKSHIRE"), "N402"),
    ] {
        let problem = write(order).unwrap_err();
        assert!(problem.contains(told), "{problem}");
    }
}

#[test]
fn another_partner_s_separators_are_written_and_kept_out_of_the_data() {
    let separators = Separators { element: '|', component: Some(':'), repetition: Some('^'), terminator: '\n' };
    let syntax = Syntax { separators, upper_case: false, ..Syntax::default() };
    let mut envelope = envelope(syntax);
    envelope.version = "005010".to_owned();
    let order = Order {
        status: "N".to_owned(),
        key: "BPacme-O1".to_owned(),
        notes: vec![("WHI".to_owned(), "a|b:c^d*e".to_owned())],
        lines: vec![OrderedLine { quantity: 2.into(), unit: "EA".to_owned(), ..OrderedLine::default() }],
        ..Order::default()
    };
    let segments = envelope.syntax.set("940", &order.segments(&envelope.syntax).unwrap()).unwrap();
    let at = date(2026, 11, 23).at(6, 30, 0, 0);
    let written = interchange(&envelope, 7, at, "OW", &[("940".to_owned(), segments)]);
    let read = one(written.as_bytes());
    assert_eq!((read.separators, read.findings.as_slice()), (separators, &[][..]));
    assert_eq!(read.groups.first().unwrap().version(), "005010");
    assert_eq!(Order::read(&set(written.as_bytes())).unwrap().notes, [("WHI".to_owned(), "a b c d*e".to_owned())]);
}
