//! Every sample document is read, with exactly the faults that are in it.

use connectors::x12::{
    Acknowledgement, Adjustment, Advice, FindingKind, InterchangeAcknowledgement, Inventory, LineStatus, Order,
    Receipt, Verdict, read,
};
use jiff::civil::date;

use super::{one, sample, samples, set};

fn findings(name: &str) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = one(&sample(name)).findings.iter().map(|finding| finding.kind).collect();
    kinds.sort();
    kinds
}

#[test]
fn valid_documents_are_read_without_a_finding() {
    let mut seen = 0;
    for entry in std::fs::read_dir(samples().join("reference")).unwrap() {
        let path = entry.unwrap().path();
        let interchange = one(&std::fs::read(&path).unwrap());
        assert_eq!(interchange.findings, [], "{}", path.display());
        assert!(interchange.is_test() && !interchange.wants_acknowledgement(), "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 17, "only {seen} documents are there");
}

#[test]
fn faults_met_in_practice_are_passed_over_and_named() {
    use FindingKind::{
        BadDate, ElementLength, GroupCode, GroupControl, HalfPair, InterchangeControl, IsaEnd, IsaNotPadded,
        LineBreakInside, NoComponentSeparator, SegmentCount, SetCount, VersionsDisagree,
    };
    for (name, expected) in [
        ("940_envelope_numbers_disagree", &[GroupControl, InterchangeControl, VersionsDisagree][..]),
        ("940_line_break_inside_segment", &[LineBreakInside, LineBreakInside]),
        ("940_cancel_isa16_is_terminator", &[NoComponentSeparator]),
        ("940_newline_after_isa_only", &[IsaEnd, SegmentCount]),
        ("940_isa_ends_with_two_hashes", &[IsaEnd, SegmentCount]),
        ("940_shortest", &[SegmentCount]),
        ("940_5010_segment_count_wrong", &[SegmentCount]),
        ("945_5010_segment_count_wrong", &[SegmentCount, ElementLength, HalfPair]),
        ("846_5010", &[]),
        ("856_isa_not_padded", &[IsaNotPadded, SegmentCount]),
        ("856_boxes", &[SegmentCount]),
        ("856_wrong_group_code_and_counts", &[SetCount, GroupCode, VersionsDisagree, BadDate]),
    ] {
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(findings(&format!("collected/{name}.edi")), expected, "{name}");
    }
}

#[test]
fn an_isa_whose_end_cannot_be_told_is_refused() {
    let broken = read(&sample("collected/940_isa_seventeen_elements.edi")).unwrap_err();
    assert_eq!(broken.note, "022");
    assert!(broken.why.contains("more than 16 elements"), "{broken}");
}

#[test]
fn what_the_envelope_says_is_kept_also_where_it_is_nonsense() {
    let interchange = one(&sample("collected/940_every_field_full.edi"));
    assert_eq!(interchange.separators.component, None);
    assert_eq!(interchange.sender.id, "ABCDEFGHIJKLMNO");
    assert_eq!(interchange.groups.first().unwrap().version(), "999999");
    let interchange = one(&sample("collected/940_envelope_numbers_disagree.edi"));
    assert_eq!(interchange.separators.component, Some('\\'));
    assert_eq!(interchange.groups.first().unwrap().version(), "004010UCS");
}

#[test]
fn orders_are_read() {
    let order = Order::read(&set(&sample("reference/940.edi"))).unwrap();
    assert_eq!(
        (order.status.as_str(), order.key.as_str(), order.purchase_order.as_str()),
        ("N", "BP100001-1", "PO4500")
    );
    let to = order.parties.first().unwrap();
    assert_eq!((to.role.as_str(), to.streets.len(), to.city.as_str(), to.state.as_str()), ("ST", 2, "LEEDS", ""));
    assert_eq!(order.dates, [("10".to_owned(), date(2026, 11, 23)), ("02".to_owned(), date(2026, 11, 26))]);
    assert_eq!(order.carrier.unwrap().scac, "UPSN");
    let [first, second] = order.lines.as_slice() else { panic!("two lines") };
    assert_eq!((first.quantity, first.line_number.as_str()), (5.into(), "1"));
    // Its lot stands in the place of the commodity code (W0111), not in that of the lot (W0113).
    assert_eq!((second.quantity, second.lot.as_deref(), second.ids.len()), (3.into(), None, 2));

    let sets: Vec<Order> =
        one(&sample("reference/940_two_orders.edi")).sets().map(|(_, set)| Order::read(set).unwrap()).collect();
    assert_eq!(sets.len(), 2);

    let cancel = Order::read(&set(&sample("reference/940_cancel.edi"))).unwrap();
    assert_eq!((cancel.status.as_str(), cancel.lines.len()), ("F", 0));
    assert_eq!(Order::read(&set(&sample("reference/940_change.edi"))).unwrap().status, "R");

    // The two of one shipper belong together; line breaks inside W01 leave its later elements where they are.
    let order = set(&sample("collected/940_line_break_inside_segment.edi"));
    let line = order.segments.iter().find(|segment| segment.id == "W01").unwrap();
    assert_eq!((line.get(15), line.get(16)), ("PI", "001089"));
    let order = Order::read(&order).unwrap();
    assert_eq!((order.key.as_str(), order.lines.len()), ("70061923", 2));
    let cancel = Order::read(&set(&sample("collected/940_cancel_isa16_is_terminator.edi"))).unwrap();
    assert_eq!((cancel.status.as_str(), cancel.key), ("F", order.key));
    assert_eq!(Order::read(&set(&sample("collected/940_envelope_numbers_disagree.edi"))).unwrap().lines.len(), 3);
    assert_eq!(Order::read(&set(&sample("collected/940_shortest.edi"))).unwrap().lines.len(), 0);
}

#[test]
fn shipping_advices_are_read() {
    let advice = Advice::read(&set(&sample("reference/945.edi"))).unwrap();
    assert_eq!((advice.key.as_deref(), advice.shipment_id.as_deref()), (Some("BP100001-1"), Some("SHP9001")));
    assert_eq!((advice.scac.as_str(), advice.total), ("UPSN", Some(5.into())));
    let pair = |kind: &str, value: &str| (kind.to_owned(), value.to_owned());
    assert!(advice.references.contains(&pair("BM", "BOL9001")) && advice.references.len() == 2, "{advice:?}");
    let [first, second] = advice.boxes.as_slice() else { panic!("two boxes") };
    let kinds: Vec<&str> = first.marks.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!((first.marks.first(), kinds), (Some(&pair("CP", "1Z999AA10123456784")), vec!["CP", "GM"]));
    let line = first.lines.first().unwrap();
    assert_eq!((&line.status, line.shipped, line.line_number()), (&LineStatus::RestCancelled, 2.into(), Some("1")));
    let line = second.lines.first().unwrap();
    assert!(line.references.contains(&pair("SE", "SN001")), "{line:?}");
    assert_eq!((line.lot.as_deref(), line.line_number()), (Some("LOT1"), Some("2")));

    let advice = Advice::read(&set(&sample("reference/945_no_boxes.edi"))).unwrap();
    assert_eq!(advice.references, [pair("2I", "1Z999AA10123456823")]);
    let statuses: Vec<&LineStatus> = advice.lines().map(|line| &line.status).collect();
    assert_eq!(statuses, [&LineStatus::Complete, &LineStatus::Cancelled]);

    let advice = Advice::read(&set(&sample("collected/945_5010_segment_count_wrong.edi"))).unwrap();
    let line = advice.lines().next().unwrap();
    assert_eq!((line.shipped, line.ordered, line.lot.as_deref()), (3000.into(), Some(3000.into()), Some("LOT12314")));
    assert_eq!(advice.total, Some(3000.into()));
}

#[test]
fn stock_reports_and_adjustments_are_read() {
    let report = Inventory::read(&set(&sample("reference/846.edi"))).unwrap();
    assert_eq!((report.reference.as_str(), report.facility.as_deref()), ("INV20261123", Some("WH1")));
    assert_eq!((report.date, report.time.unwrap().to_string()), (Some(date(2026, 11, 23)), "06:30:00".to_owned()));
    let figures: Vec<(&str, i64)> = report
        .items
        .iter()
        .flat_map(|item| &item.figures)
        .map(|figure| (figure.qualifier.as_str(), figure.quantity.try_into().unwrap()))
        .collect();
    assert_eq!(figures, [("33", 97), ("17", 100), ("33", 7)]);

    let report = Inventory::read(&set(&sample("collected/846_5010.edi"))).unwrap();
    let figures: Vec<String> = report
        .items
        .iter()
        .flat_map(|item| &item.figures)
        .map(|figure| format!("{} {}", figure.qualifier, figure.quantity))
        .collect();
    assert_eq!(figures, ["33 100", "20 10", "33 50"]);

    let adjustment = Adjustment::read(&set(&sample("reference/947.edi"))).unwrap();
    assert_eq!(adjustment.number, "ADJ551");
    let line = adjustment.lines.first().unwrap();
    assert_eq!((line.reason.as_str(), line.change, line.lot.as_deref()), ("AA", (-2).into(), Some("LOT1")));
}

#[test]
fn goods_on_their_way_and_their_receipt_are_read() {
    let sent = Receipt::read(&set(&sample("reference/943.edi"))).unwrap();
    assert_eq!((sent.key.as_str(), sent.total, sent.number.as_str()), ("PO778", Some(102.into()), "ASN55"));
    assert_eq!(sent.lines.first().unwrap().lot.as_deref(), Some("LOT1"));
    let received = Receipt::read(&set(&sample("reference/944.edi"))).unwrap();
    assert_eq!((received.key.as_str(), received.number.as_str()), ("PO778", "RCPT881"));
    let line = received.lines.first().unwrap();
    assert_eq!((line.quantity, line.exceptions.as_slice()), (100.into(), &[(2.into(), "02".to_owned())][..]));
}

#[test]
fn acknowledgements_are_read() {
    let read = |name: &str| Acknowledgement::read(&set(&sample(&format!("reference/997_{name}.edi")))).unwrap();
    let accept = read("accept");
    assert_eq!((accept.group.as_str(), accept.control.as_str(), accept.verdict), ("OW", "101", Verdict::Accepted));
    let reject = read("reject");
    let (verdict, errors) = reject.of_set("0001");
    assert_eq!(verdict, Verdict::Rejected);
    assert!(errors.iter().any(|error| error.contains("segment W01 at 16")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("too long")), "{errors:?}");
    let partial = read("partial");
    assert_eq!(partial.verdict, Verdict::Partly);
    assert!(partial.of_set("0001").0.is_accepted() && !partial.of_set("0002").0.is_accepted());
    // Nothing is said of the sets one by one: what is said of the group holds for each.
    assert!(read("group_only").sets.is_empty() && read("group_only").of_set("0001").0.is_accepted());

    let ta1 = |name: &str| {
        let interchange = one(&sample(&format!("reference/ta1_{name}.edi")));
        InterchangeAcknowledgement::read(interchange.acknowledgements.first().unwrap())
    };
    assert_eq!((ta1("accept").verdict, ta1("accept").is_duplicate()), (Verdict::Accepted, false));
    assert_eq!((ta1("duplicate").verdict, ta1("duplicate").is_duplicate()), (Verdict::Rejected, true));
}

#[test]
fn what_was_cut_off_is_refused_wherever_it_was_cut() {
    let whole = sample("reference/945.edi");
    let text = String::from_utf8(whole).unwrap();
    // Up to the last segment every cut loses an end.
    let last = text.find("IEA").unwrap();
    for cut in 0..last {
        assert!(read(&text.as_bytes()[..cut]).is_err(), "cut after {cut} bytes");
    }
}

#[test]
fn separators_are_found_whatever_they_are() {
    let text = String::from_utf8(sample("reference/945.edi")).unwrap();
    let plain = text.replace('\n', "");
    let advice = Advice::read(&set(text.as_bytes())).unwrap();
    for (element, component, terminator) in [
        ('|', ':', "~"),
        ('\u{1d}', '\u{1f}', "\u{1c}"),
        ('+', '>', "'\r\n"),
        ('*', '>', "\n"),
        ('*', ':', "\r\n"),
        ('^', '\\', "|"),
    ] {
        let other: String = plain
            .chars()
            .map(|character| match character {
                '*' => element.to_string(),
                '>' => component.to_string(),
                '~' => terminator.to_owned(),
                other => other.to_string(),
            })
            .collect();
        let read = set(other.as_bytes());
        assert_eq!(
            Advice::read(&read).unwrap().boxes.len(),
            advice.boxes.len(),
            "{element:?} {component:?} {terminator:?}"
        );
        assert_eq!(one(other.as_bytes()).separators.component, Some(component));
        assert_eq!(one(other.as_bytes()).findings, []);
    }
}

/// A line end inside the first segment behind the ISA, or before its end, ends nothing (x12.md §9.1); where line ends are the
/// terminator, empty lines are none.
#[test]
fn a_line_end_in_the_head_of_a_group_is_no_terminator() {
    for (whole, first) in [("reference/945.edi", "GS*"), ("reference/ta1_accept.edi", "TA1*")] {
        let text = String::from_utf8(sample(whole)).unwrap();
        let plain = text.replace("~\n", "~");
        let right = one(plain.as_bytes());
        let from = plain.find(first).unwrap() + first.len();
        let to = from + plain[from..].find('~').unwrap();
        for place in from..=to {
            for end in ["\n", "\r\n", "\n\n"] {
                for text in [&plain, &text] {
                    let from = text.find(first).unwrap() + first.len() - from;
                    let (before, behind) = text.split_at(place + from);
                    let read = one(format!("{before}{end}{behind}").as_bytes());
                    assert_eq!((read.separators, &read.groups), (right.separators, &right.groups), "{place} {end:?}");
                    assert_eq!(read.acknowledgements, right.acknowledgements, "{place} {end:?}");
                    let inside = |finding: &&connectors::x12::Finding| finding.kind == FindingKind::LineBreakInside;
                    assert_eq!(read.findings.iter().filter(inside).count(), usize::from(place < to), "{place} {end:?}");
                }
            }
        }
        for end in ["\n", "\r\n", "\n\n"] {
            let read = one(plain.replace('~', end).as_bytes());
            assert_eq!((read.separators.terminator, &read.groups), ('\n', &right.groups), "{end:?}");
            assert_eq!(read.findings, [], "{end:?}");
        }
    }
    // The end of an interchange with nothing in it, alone and before another one.
    let text = String::from_utf8(sample("reference/945.edi")).unwrap().replace("~\n", "\n");
    let (head, end) = (text.split_once('\n').unwrap().0, "IEA*0*000005001\n");
    let empty = format!("{head}\n{end}");
    assert_eq!(read(empty.as_bytes()).unwrap().len(), 1);
    assert_eq!(read(format!("{empty}{text}").as_bytes()).unwrap()[1].groups.len(), 1);
}

#[test]
fn several_interchanges_of_one_file_are_read_in_order() {
    let mut both = sample("reference/945_part_backorder.edi");
    both.extend(b"\r\n");
    both.extend(sample("collected/856_boxes.edi"));
    both.extend(b"\n\x1a");
    let interchanges = read(&both).unwrap();
    let codes: Vec<&str> = interchanges.iter().flat_map(|one| one.sets().map(|(_, set)| set.code.as_str())).collect();
    assert_eq!(codes, ["945", "856"]);
    both.extend(b"and something else");
    assert!(read(&both).is_err(), "what cannot be told may be a lost document");
}

/// Segment ids are compared in upper case (x12.md §9.1).
#[test]
fn ids_in_lower_case_are_ids() {
    let lower = |text: &str| -> String {
        let small = |line: &str| match line.split_once('*') {
            Some((id, rest)) => format!("{}*{rest}", id.to_lowercase()),
            None => line.to_owned(),
        };
        text.split('\n').map(small).collect::<Vec<_>>().join("\n")
    };
    for name in ["945", "846", "947", "997_reject", "ta1_accept"] {
        let text = String::from_utf8(sample(&format!("reference/{name}.edi"))).unwrap();
        let small = lower(&text);
        assert!(small.starts_with("isa*") && small.contains("\niea*") && !small.contains("\nST*"), "{small}");
        assert_eq!(one(small.as_bytes()), one(text.as_bytes()), "{name}");
        // Without line ends, where the end of the ISA must be found by what follows it.
        assert_eq!(one(small.replace('\n', "").as_bytes()), one(text.as_bytes()), "{name}");
        let mixed = text.replace("GS*", "Gs*").replace("TA1*", "tA1*").replace("IEA*", "iEa*");
        assert_eq!(one(mixed.as_bytes()), one(text.as_bytes()), "{name}");
    }
}

/// A byte-order mark and white space are skipped before every interchange, not before the first alone (x12.md §9.1).
#[test]
fn marks_between_interchanges_are_skipped() {
    let whole = sample("reference/945.edi");
    for between in ["", "\u{feff}", "\r\n\u{feff}", " \u{feff} \u{feff}\n"] {
        let mut both = Vec::new();
        for _ in 0..3 {
            both.extend(between.as_bytes());
            both.extend(&whole);
        }
        both.extend(between.as_bytes());
        assert_eq!(read(&both).map(|read| read.len()), Ok(3), "{between:?}");
    }
    // One of them is Latin-1, so that the bytes of the mark are no mark any more.
    let latin = String::from_utf8(whole).unwrap().replace("LEEDS", "K\u{f6}LN");
    let latin: Vec<u8> = latin.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let both = [b"\xef\xbb\xbf", latin.as_slice(), b"\r\n\xef\xbb\xbf", &latin].concat();
    assert_eq!(read(&both).map(|read| read.len()), Ok(2));
}
