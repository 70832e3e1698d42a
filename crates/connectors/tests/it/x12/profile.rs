//! What a partner profile holds: each setting against the documents that it changes, and today's documents without them.

use std::sync::Arc;

use connect::{RemoteRef, Role, ShipmentRequest};
use rust_decimal::Decimal;

use super::{
    exchange::{Exchange, NOW, PARTNERS, document},
    validator::refused,
};
use crate::hub::{HandClock, NoNetwork, at, context, folder, request, settings};

/// The lines between the envelopes of the order that is written with these settings; the validator has passed it.
async fn written(more: &[(&str, &str)], change: impl Fn(&mut ShipmentRequest)) -> Vec<String> {
    let exchange = Exchange::by_folder(more);
    let mut order = request("BPacme-O1-G55");
    change(&mut order);
    let draft = exchange.connector.plan_submit(&[order], at(NOW)).remove(0).unwrap();
    exchange.send(draft).await;
    only_file(&exchange)
}

fn only_file(exchange: &Exchange) -> Vec<String> {
    let inbox = exchange.root.join("in");
    let files: Vec<(String, String)> =
        folder(&inbox).into_iter().filter(|(name, _)| name.starts_with("940_")).collect();
    let [(name, text)] = files.as_slice() else { panic!("one file: {files:?}") };
    assert_eq!(refused(&[inbox.join(name)]), Vec::<String>::new());
    let lines = text.lines().skip_while(|line| !line.starts_with("ST*"));
    lines.take_while(|line| !line.starts_with("GE*")).map(str::to_owned).collect()
}

fn wrong(setting: &str, value: &str) -> String {
    let values = [PARTNERS[0], PARTNERS[1], ("transport", "folder"), ("folder", "/nowhere"), (setting, value)];
    let Role::Warehouse(build) = connectors::x12::SPEC.role else { panic!("a warehouse") };
    let hub = context(HandClock::new(), Arc::new(NoNetwork), None);
    build(&settings(&values, &[]), &hub).err().unwrap_or_else(|| panic!("{setting} {value}: it is refused")).to_string()
}

/// An order as it was written before there was anything to agree on.
const PLAIN: [&str; 22] = [
    "ST*940*0001~",
    "W05*N*BPacme-O1-G55*PO4500**100001~",
    "N1*ST*Jane Doe~",
    "N3*1 High St*Flat 2~",
    "N4*Leeds**LS1 1AA*GB~",
    "PER*DC*Jane Doe*TE*01130000000*EM*jane@example.test~",
    "N1*DE*BPMERCHANT*ZZ*BPMERCHANT~",
    "N1*WH*THREEPL~",
    "N9*OQ*100001*ORDER~",
    "G62*10*20261123~",
    "NTE*WHI*Leave with neighbour~",
    "W66*PP*U***Ground*****UPS~",
    "LX*1~",
    "W01*5*EA**VN*SKU-A~",
    "G69*Goods SKU-A~",
    "N9*LI*1~",
    "LX*2~",
    "W01*3*EA**VN*SKU-LOT~",
    "G69*Goods SKU-LOT~",
    "N9*LI*2~",
    "W76*8~",
    "SE*22*0001~",
];

#[tokio::test]
async fn codes_and_ids_of_an_order_can_be_agreed() {
    assert_eq!(written(&[], |_| {}).await, PLAIN);
    let wanted = |order: &mut ShipmentRequest| order.deliver_on = Some(at("2026-11-26T12:00:00Z"));
    for (settings, lines) in [
        (vec![("order_qualifier", "CO")], vec!["N9*CO*100001*ORDER~"]),
        (vec![("goods_out_qualifier", "ZZ")], vec!["N9*OQ*100001*ORDER~", "N9*ZZ*55*GOODS-OUT NOTE~"]),
        (vec![("ship_date_qualifier", "37")], vec!["G62*37*20261123~", "G62*02*20261126~"]),
        (vec![("delivery_date_qualifier", "38")], vec!["G62*10*20261123~", "G62*38*20261126~"]),
        (vec![("instruction_code", "DEL")], vec!["NTE*DEL*Leave with neighbour~"]),
        (vec![("depositor_id", "D77"), ("depositor_qualifier", "91")], vec!["N1*DE*BPMERCHANT*91*D77~"]),
        (vec![("depositor_id", "none")], vec!["N1*DE*BPMERCHANT~"]),
        (vec![("warehouse_code", "WH1")], vec!["N1*WH*THREEPL*92*WH1~"]),
        (vec![("warehouse_code", "WH1"), ("warehouse_qualifier", "9")], vec!["N1*WH*THREEPL*9*WH1~"]),
        (vec![("ship_to_id", "B2C")], vec!["N1*ST*Jane Doe*92*B2C~"]),
        (vec![("ship_to_id", "B2C"), ("ship_to_qualifier", "91")], vec!["N1*ST*Jane Doe*91*B2C~"]),
    ] {
        let text = written(&settings, wanted).await;
        for line in lines {
            assert!(text.iter().any(|there| there == line), "{settings:?} {line}: {text:?}");
        }
    }
    // A day is that day in whatever zone the warehouse is.
    for zone in ["America/Chicago", "Pacific/Auckland"] {
        let of_a_day = |order: &mut ShipmentRequest| order.deliver_on = Some(at("2022-01-20T00:00:00Z"));
        let text = written(&[("time_zone", zone)], of_a_day).await;
        assert!(text.iter().any(|line| line == "G62*02*20220120~"), "{zone}: {text:?}");
    }
    // What is not wanted is not written.
    for (setting, begins) in
        [("order_qualifier", "N9*OQ"), ("ship_date_qualifier", "G62*10"), ("delivery_date_qualifier", "G62*02")]
    {
        assert!(written(&[], wanted).await.iter().any(|line| line.starts_with(begins)), "{begins}");
        let text = written(&[(setting, "none")], wanted).await;
        assert!(!text.iter().any(|line| line.starts_with(begins)), "{setting}: {text:?}");
    }
    let of_an_order = written(&[("goods_out_qualifier", "ZZ")], |order| order.key = "BPacme-O1".to_owned()).await;
    assert!(!of_an_order.iter().any(|line| line.starts_with("N9*ZZ")), "no note, no number: {of_an_order:?}");

    // A cancel says its words under the same code, and names the same parties.
    let exchange = Exchange::by_folder(&[("instruction_code", "GEN"), ("depositor_id", "D77")]);
    exchange.send(exchange.connector.plan_cancel("A", &RemoteRef::new("x"), at(NOW)).unwrap()).await;
    let text = only_file(&exchange);
    for line in ["W05*F*A~", "N1*DE*BPMERCHANT*ZZ*D77~", "NTE*GEN*CANCELLED - DO NOT SHIP~"] {
        assert!(text.iter().any(|there| there == line), "{line}: {text:?}");
    }
    for (setting, value) in [
        ("order_qualifier", "O"),
        ("goods_out_qualifier", "ZZZZ"),
        ("ship_date_qualifier", "010"),
        ("delivery_date_qualifier", "*2"),
        ("instruction_code", "WH"),
        ("depositor_id", "D"),
        ("depositor_qualifier", "ZZZ"),
        ("warehouse_qualifier", "***"),
        ("ship_to_id", "A*B"),
        ("ship_to_qualifier", "~"),
    ] {
        let told = wrong(setting, value);
        assert!(told.contains(setting), "{setting} {value}: {told}");
    }
}

const UNITS: (&str, &str) = ("units_in", "EA=1, PC=1, CA=12, KG=0.5");

#[tokio::test]
async fn units_that_were_agreed_are_counted_in_ours() {
    let advice = document("reference/945.edi");
    let cases = advice.replace("W12*CP*5*2*-3*EA", "W12*CP*5*2*-3*CA").replace("W12*CC*3*3*0*EA", "W12*CC*3*3*0*PC");
    let shipped = async |settings: &[(&str, &str)], text: &str| {
        let exchange = Exchange::by_folder(settings);
        exchange.put("945.edi", text);
        exchange.shipments().await
    };
    let page = shipped(&[UNITS], &cases).await;
    assert_eq!(page.rejected, []);
    let counted: Vec<String> = page.shipments[0].lines().map(|line| line.quantity.to_string()).collect();
    assert_eq!(counted, ["24", "3"], "the total of the document is of its own units");
    // What is no whole number of ours is a decimal, and is not rounded.
    let weighed = cases.replace("W12*CP*5*2*-3*CA", "W12*CP*5*2.5*-2.5*KG").replace("W03*5*", "W03*5.5*");
    let page = shipped(&[UNITS], &weighed).await;
    let counted: Vec<String> = page.shipments[0].lines().map(|line| line.quantity.to_string()).collect();
    assert_eq!(counted, ["1.25", "3"]);
    // What was not agreed is held, as ever; and so is what does not add up.
    for (settings, text) in [
        (vec![], cases.clone()),
        (vec![("units_in", "PC=1")], cases.clone()),
        (vec![UNITS], cases.replace("W03*5*", "W03*27*")),
    ] {
        let page = shipped(&settings, &text).await;
        assert_eq!((page.shipments.len(), page.rejected.len()), (0, 1), "{settings:?}");
    }

    let exchange = Exchange::by_folder(&[UNITS]);
    let report = document("reference/846.edi");
    exchange.put("846.edi", &report.replace("QTY*33*97*EA", "QTY*33*8*CA").replace("QTY*17*100*EA", "QTY*17*100*PC"));
    exchange.put("947.edi", &document("reference/947.edi").replace("W19*AA*-2*EA", "W19*AA*-2*CA"));
    let page = exchange.stock().await;
    assert_eq!(page.rejected, []);
    let level = &page.feeds[0].levels[0];
    assert_eq!((level.available, level.physical), (Some(96.into()), Some(100.into())));
    assert_eq!(page.adjustments[0].change, Decimal::from(-24));

    for value in ["CA", "CA=", "CA=0", "CA=-1", "CA=1e3", "CA=1000001", "CASE=12", "CA=12, CA=6", "EA=2"] {
        let told = wrong("units_in", value);
        assert!(told.contains("units_in"), "{value}: {told}");
    }
}

#[tokio::test]
async fn damaged_goods_can_be_taken_off_what_lies_there() {
    let stock = async |settings: &[(&str, &str)], from: &str, to: &str| {
        let exchange = Exchange::by_folder(settings);
        let text = document("reference/846.edi");
        assert!(text.contains(from), "{from}");
        exchange.put("846.edi", &text.replace(from, to).replace("SE*12", "SE*13"));
        exchange.stock().await
    };
    let on_hand = "QTY*17*100*EA";
    for (settings, physical) in [(vec![], 100), (vec![("damaged", "74, QD")], 96)] {
        let page = stock(&settings, on_hand, "QTY*17*100*EA~\nQTY*74*4*EA").await;
        let level = &page.feeds[0].levels[0];
        assert_eq!((level.available, level.physical), (Some(97.into()), Some(physical.into())), "{settings:?}");
    }
    let page = stock(&[("damaged", "74")], on_hand, "QTY*17*100*EA~\nQTY*74*101*EA").await;
    assert!(page.feeds.is_empty() && page.rejected[0].reason.contains("less than nothing"), "{page:?}");
    assert!(wrong("damaged", "74, 17").contains("damaged"));
}

#[tokio::test]
async fn where_it_says_when_it_left_can_be_agreed() {
    let text = document("reference/945.edi")
        .replace("W06*F*BP100001-1*20261123", "W06*F*BP100001-1*20261121")
        .replace("G62*11*20261123", "G62*11*20261122");
    for (place, moment) in [
        ("any", "2026-11-21T00:00:00Z"),
        ("head", "2026-11-21T00:00:00Z"),
        ("date", "2026-11-22T00:00:00Z"),
        ("envelope", "2026-11-23T06:30:00Z"),
    ] {
        let exchange = Exchange::by_folder(&[("ship_date_at", place)]);
        exchange.put("945.edi", &text);
        assert_eq!(exchange.shipments().await.shipments[0].shipped_at, at(moment), "{place}");
    }
    // Where the chosen place has none, no other place but the envelope counts.
    let exchange = Exchange::by_folder(&[("ship_date_at", "date")]);
    exchange.put("945.edi", &text.replace("G62*11*20261122~\n", "").replace("SE*24", "SE*23"));
    assert_eq!(exchange.shipments().await.shipments[0].shipped_at, at("2026-11-23T06:30:00Z"));
}

#[tokio::test]
async fn what_is_passed_over_can_be_held_or_set_aside() {
    // Two documents in one file: the first has a time that is none.
    let one = document("reference/945.edi");
    let sets = |text: &str| {
        let from = text.find("ST*945").unwrap();
        text[from..text.find("GE*1").unwrap()].to_owned()
    };
    let good = sets(&one);
    let odd = good.replace("G62*11*20261123~", "G62*11*20261323~").replace("SHP9001", "SHP9002");
    let second = good.replace("ST*945*0001", "ST*945*0002").replace("SE*24*0001", "SE*24*0002");
    let two = one.replace(&good, &format!("{odd}{second}")).replace("GE*1*", "GE*2*");
    let wrong_count = one.replace("GE*1*", "GE*7*");
    for (leniency, text, shipped, held, used, answer) in [
        ("", &two, vec!["SHP9002", "SHP9001"], 0, 1, "A"),
        ("bad_date=accept, set_count=hold", &two, vec!["SHP9002", "SHP9001"], 0, 1, "A"),
        ("bad_date=hold", &two, vec!["SHP9001"], 1, 1, "A"),
        ("bad_date = quarantine", &two, vec![], 1, 0, "R"),
        ("", &wrong_count, vec!["SHP9001"], 0, 1, "A"),
        // Of the envelope, and so of all that is in it.
        ("set_count=hold", &wrong_count, vec![], 1, 1, "A"),
    ] {
        let exchange = Exchange::by_folder(&[("leniency", leniency)]);
        exchange.put("945.edi", text);
        let page = exchange.shipments().await;
        let references: Vec<&str> = page.shipments.iter().map(|shipment| shipment.reference.as_str()).collect();
        assert_eq!(references, shipped, "{leniency}");
        assert_eq!((page.rejected.len(), page.taken.len()), (held, used), "{leniency}: {:?}", page.rejected);
        let told = page.rejected.iter().all(|one| one.reason.contains("(leniency, "));
        assert!(told, "{leniency}: {:?}", page.rejected);
        let [said] = page.letters.answers.as_slice() else { panic!("{leniency}: {:?}", page.letters) };
        assert!(said.body.contains(&format!("AK9*{answer}*")), "{leniency}: {}", said.body);
    }

    // Stock is used whole or not at all; what spoils it is never passed over.
    let stock = document("reference/846.edi").replace("*ZZ*THREEPL        *", "*ZZ*THREEPL*");
    for (leniency, feeds) in [("", 1), ("isa_not_padded=hold", 0), ("isa_not_padded=quarantine", 0)] {
        let exchange = Exchange::by_folder(&[("leniency", leniency)]);
        exchange.put("846.edi", &stock);
        let page = exchange.stock().await;
        assert_eq!((page.feeds.len(), page.rejected.len()), (feeds, 1 - feeds), "{leniency}: {:?}", page.rejected);
    }
    let exchange = Exchange::by_folder(&[("leniency", "line_count=accept")]);
    exchange.put("846.edi", &document("reference/846.edi").replace("CTT*2", "CTT*3"));
    assert!(exchange.stock().await.feeds.is_empty());

    for value in ["bad_date", "bad_date=ignore", "BadDate=hold", "other=hold", "bad_date=hold, bad_date=accept"] {
        let told = wrong("leniency", value);
        assert!(told.contains("leniency"), "{value}: {told}");
    }
}
