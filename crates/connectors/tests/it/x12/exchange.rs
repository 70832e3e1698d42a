//! The warehouse that is driven with X12: a folder and a real OpenSSH server, with a simulated warehouse at the other end.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use connect::{
    Armed, BuildContext, Clock as _, ConnectorError, EffectDraft, EffectKind, FeedCursor, FoundAgain, Known, LineRef,
    LinesEnded, Marks, Prepared, Probe, Reception, RemoteRef, RequestState, Sent, Settings, ShipmentPage, StockPage,
    Warehouse,
};
use connectors::x12::{Acknowledgement, Order, Verdict};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use simulators::{
    dsfx::{self, Dsfx, Handling, OrderState, SeedStock},
    openssh::OpenSsh,
};
use tempfile::TempDir;

use super::{set, validator::refused};
use crate::hub::{HandClock, NoNetwork, arm, at, context, effects, folder, request, settings, warehouse};

/// A connector, and the folder between it and a warehouse.
pub(super) struct Exchange {
    pub(super) root: PathBuf,
    clock: Arc<HandClock>,
    pub(super) connector: Arc<dyn Warehouse>,
    simulator: Dsfx,
    settings: Settings,
    _ssh: Option<OpenSsh>,
    _folder: TempDir,
}

pub(super) const NOW: &str = "2026-11-23T06:30:00Z";
pub(super) const PARTNERS: [(&str, &str); 2] = [("our_id", "BPMERCHANT"), ("their_id", "THREEPL")];

impl Exchange {
    pub(super) fn by_folder(more: &[(&str, &str)]) -> Self {
        Self::new(more, false)
    }

    fn new(more: &[(&str, &str)], by_sftp: bool) -> Self {
        let holder = tempfile::tempdir().unwrap();
        let root = holder.path().join("root");
        let simulator = Dsfx::open(dsfx::Config {
            x12: Some(dsfx::Partners::default()),
            stock: ["SKU-A", "SKU-LOT"].map(|sku| SeedStock::plain(sku, "1", 100.into())).to_vec(),
            ..dsfx::Config::new(&root)
        })
        .unwrap();
        let ssh =
            by_sftp.then(|| OpenSsh::start(&root).expect("sshd; if it is missing: apt-get install openssh-server"));
        let shown = root.display().to_string();
        let port = ssh.as_ref().map(|ssh| ssh.port().to_string()).unwrap_or_default();
        let mut values = PARTNERS.to_vec();
        let mut secrets = Vec::new();
        match &ssh {
            Some(ssh) => {
                values.extend([("host", "127.0.0.1"), ("port", port.as_str()), ("user", ssh.user())]);
                values.extend([("host_key", ssh.host_key()), ("root", shown.as_str())]);
                secrets.push(("private_key", ssh.private_key()));
            }
            None => values.extend([("transport", "folder"), ("folder", shown.as_str())]),
        }
        values.extend_from_slice(more);
        let clock = HandClock::new();
        let hub = context(Arc::clone(&clock), Arc::new(NoNetwork), None);
        let settings = settings(&values, &secrets);
        let connector = warehouse("x12", &settings, &hub);
        Self { root, clock, connector, simulator, settings, _ssh: ssh, _folder: holder }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The same, of a connection that has taken in something before.
    pub(super) fn remember(&mut self, marks: Arc<dyn Marks>) {
        let hub = context(Arc::clone(&self.clock), Arc::new(NoNetwork), None);
        self.connector = warehouse("x12", &self.settings, &BuildContext { marks, ..hub });
    }

    fn plan(&self, key: &str) -> EffectDraft {
        self.connector.plan_submit(&[request(key)], at(NOW)).remove(0).unwrap()
    }

    pub(super) async fn send(&self, draft: EffectDraft) -> Vec<Armed> {
        let effects = effects(&[draft]);
        let armed = arm(&effects, &self.connector.prepare(&effects).await.unwrap());
        let sent = self.connector.send(&armed, Duration::from_secs(1_000_000)).await;
        assert!(matches!(sent.outcomes[..], [Sent::Accepted { .. }]), "{sent:?}");
        armed
    }

    /// Two looks.
    pub(super) async fn shipments(&self) -> ShipmentPage {
        self.connector.shipments(&FeedCursor::default()).await.unwrap();
        self.clock.pass(Duration::from_secs(60));
        self.connector.shipments(&FeedCursor::default()).await.unwrap()
    }

    pub(super) async fn stock(&self) -> StockPage {
        self.connector.stock().await.unwrap();
        self.clock.pass(Duration::from_secs(60));
        self.connector.stock().await.unwrap()
    }

    pub(super) fn put(&self, name: &str, content: &str) {
        fs::write(self.root.join("out").join(name), content).unwrap();
    }
}

/// The whole conversation, through a folder and through OpenSSH's server.
#[tokio::test]
async fn an_order_goes_out_and_what_left_comes_back() {
    for by_sftp in [false, true] {
        let exchange = Exchange::new(&[], by_sftp);
        let checked = exchange.connector.check().await.unwrap();
        // The test's own clock stands still, and only a server has another than this machine's.
        let off: Vec<bool> = checked.warnings.iter().map(|line| line.contains("The file server's clock is")).collect();
        assert_eq!(off, if by_sftp { vec![true] } else { vec![] }, "{checked:?}");
        exchange.send(exchange.plan("BPacme-O1")).await;
        let name = "940_BPMERCHANT_000000001_BPacme-O1.edi";
        let files = folder(&exchange.root.join("in"));
        let order = Order::read(&set(files[name].as_bytes())).unwrap();
        assert_eq!((order.key.as_str(), order.lines.len(), order.status.as_str()), ("BPacme-O1", 2, "N"));
        assert_eq!(refused(&[exchange.root.join("in").join(name)]), Vec::<String>::new());

        exchange.simulator.tell("BPacme-O1", Handling::Boxes(2));
        exchange.simulator.tick(at("2026-11-23T06:31:00Z")).unwrap();
        assert_eq!(exchange.simulator.ledger().rejected, [], "the warehouse takes the document");
        exchange.simulator.tick(at("2026-11-23T06:41:00Z")).unwrap();
        let page = exchange.shipments().await;
        assert_eq!(page.rejected, []);
        assert_eq!(page.taken.len(), 2, "the acknowledgement and the shipping advice");
        let [shipment] = page.shipments.as_slice() else { panic!("{page:?}") };
        assert_eq!((shipment.key.as_str(), shipment.reference.as_str()), ("BPacme-O1", "DS00000001"));
        assert_eq!((shipment.packages.len(), shipment.tracking_numbers().len(), shipment.loose.len()), (2, 2, 0));
        assert_eq!(shipment.lines().map(|line| line.quantity).sum::<rust_decimal::Decimal>(), 8.into());
        assert!(shipment.lines().all(|line| line.line_number.is_some()));
        assert_eq!(shipment.ship_method.carrier, "UPS");
        assert_eq!(shipment.shipped_at, at("2026-11-23T06:41:00Z"));
        exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
        assert!(folder(&exchange.root.join("out")).is_empty(), "what was read is put away");

        exchange.simulator.count(at("2026-11-23T06:42:07Z")).unwrap();
        assert!(exchange.shipments().await.taken.is_empty(), "stock is for the stock channel");
        let page = exchange.stock().await;
        let [feed] = page.feeds.as_slice() else { panic!("{page:?}") };
        assert_eq!((feed.cut_off, feed.absent_is_zero), (at("2026-11-23T06:42:07Z"), false));
        let figures: Vec<String> = feed
            .levels
            .iter()
            .map(|level| {
                format!("{} {:?} {} {}", level.sku, level.facility, level.available.unwrap(), level.physical.unwrap())
            })
            .collect();
        assert_eq!(figures, ["SKU-A Some(\"1\") 95 95", "SKU-LOT Some(\"1\") 97 97"]);
    }
}

#[tokio::test]
async fn a_crash_at_any_point_neither_loses_nor_doubles_an_order() {
    let exchange = Exchange::by_folder(&[]);
    let connector = exchange.connector.as_ref();
    let planned = effects(&[exchange.plan("A")]);
    let armed = arm(&planned, &connector.prepare(&planned).await.unwrap());
    // Crash between arming and renaming: the temporary file says so.
    assert_eq!(connector.probe(&armed).await.unwrap(), [Probe::Absent]);
    assert!(matches!(
        connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[..],
        [Sent::Accepted { .. }]
    ));
    let there = Probe::Equal(RemoteRef::new("940_BPMERCHANT_000000001_A.edi"));
    assert_eq!(connector.probe(&armed).await.unwrap(), std::slice::from_ref(&there));
    // A second send does nothing, and a restored backup finds the file, also once the warehouse has taken it in.
    let again: Vec<Armed> = armed.iter().map(|armed| Armed { attempt: 2, ..armed.clone() }).collect();
    assert!(matches!(
        connector.send(&again, Duration::from_secs(1_000_000)).await.outcomes[..],
        [Sent::Unknown { .. }]
    ));
    assert_eq!(connector.prepare(&planned).await.unwrap(), [Prepared::Found(there.clone())]);
    exchange.simulator.read_orders(at(NOW)).unwrap();
    assert_eq!(connector.probe(&armed).await.unwrap(), std::slice::from_ref(&there));
    assert_eq!(connector.prepare(&planned).await.unwrap(), [Prepared::Found(there.clone())]);
    assert_eq!(exchange.simulator.ledger().orders["A"].len(), 1);

    // A journal that was lost planned it again, on another day and without its number.
    let later = connector.plan_submit(&[request("A")], at("2026-11-25T06:30:00Z")).remove(0).unwrap();
    let lost =
        Armed { effect: effects(&[later]).remove(0), baseline: serde_json::Value::Null, attempt: 0, armed_at: at(NOW) };
    let found = connector.find_again(std::slice::from_ref(&lost), at("2020-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(found, [FoundAgain::Seen(there)]);
    let other = Armed { effect: effects(&[exchange.plan("B")]).remove(0), ..lost };
    let found = connector.find_again(&[other], at("2020-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(found, [FoundAgain::Seen(Probe::Absent)]);
}

#[tokio::test]
async fn a_repeat_is_the_same_bytes_and_a_number_is_needed() {
    let exchange = Exchange::by_folder(&[]);
    let draft = exchange.plan("A");
    let numbering = draft.numbering.clone().unwrap();
    assert_eq!(numbering.series, "x12 ZZ:BPMERCHANT ZZ:THREEPL P");
    assert_eq!((numbering.first, numbering.last), (1, 999_999_999));
    let planned = effects(&[draft]);
    for _ in 0..2 {
        exchange.connector.prepare(&planned).await.unwrap();
    }
    let written: Vec<String> = folder(&exchange.root.join("in")).into_values().collect();
    assert_eq!(written.len(), 2, "each attempt has a file of its own");
    assert_eq!(written[0], written[1]);
    let mut without = planned;
    without[0].number = None;
    let prepared = exchange.connector.prepare(&without).await.unwrap();
    assert!(matches!(&prepared[0], Prepared::Impossible { why } if why.contains("control number")), "{prepared:?}");
}

#[tokio::test]
async fn a_cancel_is_told_and_the_next_advice_answers() {
    let exchange = Exchange::by_folder(&[]);
    exchange.simulator.tell("A", Handling::Wait);
    exchange.send(exchange.plan("A")).await;
    exchange.simulator.tick(at(NOW)).unwrap();
    let mut cancel = exchange.connector.plan_cancel("A", &RemoteRef::new("x"), at(NOW)).unwrap();
    assert_eq!(cancel.kind, EffectKind::CancelRequest);
    cancel.numbering.as_mut().unwrap().first = 2;
    let planned = effects(&[cancel]);
    let armed = arm(&planned, &exchange.connector.prepare(&planned).await.unwrap());
    let sent = exchange.connector.send(&armed, Duration::from_secs(1_000_000)).await;
    let [Sent::Accepted { reference: Some(reference) }] = sent.outcomes.as_slice() else { panic!("{sent:?}") };
    // Delivered is not obeyed.
    assert_eq!(reference.facts.get("outcome").map(String::as_str), Some("asked"));
    assert_eq!(refused(&[exchange.root.join("in/940_BPMERCHANT_000000002_A.edi")]), Vec::<String>::new());
    exchange.simulator.tick(at(NOW)).unwrap();
    assert_eq!(exchange.simulator.ledger().orders["A"][0].state, OrderState::Cancelled);
    let page = exchange.shipments().await;
    let [(key, RequestState::LinesEnded(said))] = page.states.as_slice() else { panic!("{page:?}") };
    let ended: Vec<&str> = said.ended.iter().map(|line| line.sku.as_str()).collect();
    assert_eq!((key.as_str(), ended, said.none_left.len()), ("A", vec!["SKU-A", "SKU-LOT"], 0));
    assert!(page.shipments.is_empty() && page.rejected.is_empty(), "{page:?}");

    let silent = Exchange::by_folder(&[("cancel", "none")]);
    assert!(silent.connector.plan_cancel("A", &RemoteRef::new("x"), at(NOW)).is_err());
    assert!(silent.connector.capabilities(EffectKind::CancelRequest).is_none());
}

#[tokio::test]
async fn what_cannot_be_written_is_said_before_it_is_sent() {
    let exchange = Exchange::by_folder(&[]);
    let plan = |change: &dyn Fn(&mut connect::ShipmentRequest)| {
        let mut order = request("BPacme-O1");
        change(&mut order);
        exchange.connector.plan_submit(&[order], at(NOW)).remove(0)
    };
    assert!(plan(&|_| {}).is_ok());
    for (told, problem) in [
        ("order key prefix", plan(&|order| order.key = "K".repeat(23)).unwrap_err()),
        ("order key prefix", plan(&|order| order.key = "A B".to_owned()).unwrap_err()),
        ("no line", plan(&|order| order.lines.clear()).unwrap_err()),
        ("cannot be written as it is", plan(&|order| order.lines[0].sku = "SKU*A".to_owned()).unwrap_err()),
        ("something to ship", plan(&|order| order.lines[0].quantity = 0.into()).unwrap_err()),
        ("carrier", plan(&|order| order.ship_method.carrier.clear()).unwrap_err()),
        ("two-letter", plan(&|order| order.ship_to.country = "GBR".to_owned()).unwrap_err()),
        ("town", plan(&|order| order.ship_to.city = "~".to_owned()).unwrap_err()),
        ("plain letter", plan(&|order| order.ship_to.name = "東京".to_owned()).unwrap_err()),
        ("needs 5 pieces", plan(&|order| long_address(order, "West Yorkshire")).unwrap_err()),
        ("long_state", plan(&|order| long_address(order, "West Yorkshire")).unwrap_err()),
        ("the company on the order", plan(&|order| order.ship_to.company = "C ".repeat(121 + 30)).unwrap_err()),
        ("N403", plan(&|order| order.ship_to.postcode = "0123456789ABCDEF".to_owned()).unwrap_err()),
    ] {
        assert!(problem.why.contains(told), "{told}: {problem}");
    }
    let capitals = Exchange::by_folder(&[("upper_case", "true")]);
    let problem = capitals.connector.plan_submit(&[request("BPacme-O1")], at(NOW)).remove(0).unwrap_err();
    assert!(problem.why.contains("capitals"), "{problem}");
    assert!(capitals.connector.plan_submit(&[request("BPACME-O1")], at(NOW)).remove(0).is_ok());
    // A county is kept, where it does not pass for a state.
    let county = plan(&|order| order.ship_to.state = "West Yorkshire".to_owned()).unwrap();
    assert!(county.body.contains("West Yorkshire") && !county.body.contains("N4*Leeds*W"), "{}", county.body);
}

/// Two lines of two pieces each: the longest street there is room for, when no county goes behind it.
fn long_address(order: &mut connect::ShipmentRequest, state: &str) {
    order.ship_to.line1 = format!("{} {}", "A".repeat(55), "B".repeat(55));
    order.ship_to.line2 = format!("{} {}", "C".repeat(55), "D".repeat(55));
    state.clone_into(&mut order.ship_to.state);
}

#[tokio::test]
async fn the_longest_address_that_fits_passes_the_validator() {
    let exchange = Exchange::by_folder(&[("long_state", "leave_out")]);
    let mut order = request("BPacme-O1");
    long_address(&mut order, "West Yorkshire");
    order.ship_to.name = format!("{} {}", "N".repeat(60), "M".repeat(60));
    order.ship_to.company = ["P", "Q", "R"].map(|letter| letter.repeat(60)).join(" ");
    let draft = exchange.connector.plan_submit(&[order.clone()], at(NOW)).remove(0).unwrap();
    exchange.send(draft).await;
    let name = "940_BPMERCHANT_000000001_BPacme-O1.edi";
    let text = folder(&exchange.root.join("in"))[name].clone();
    assert_eq!((text.matches("\nN2*").count(), text.matches("\nN3*").count()), (2, 2), "{text}");
    assert_eq!(refused(&[exchange.root.join("in").join(name)]), Vec::<String>::new());
    // One piece more of either is said in words.
    for (part, change) in [
        ("street", (|order| order.ship_to.line2.push_str(" E")) as fn(&mut connect::ShipmentRequest)),
        ("name", |order| order.ship_to.company.push_str(" S")),
    ] {
        let mut order = order.clone();
        change(&mut order);
        let problem = exchange.connector.plan_submit(&[order], at(NOW)).remove(0).unwrap_err();
        assert_eq!(problem.address, Some(part), "{problem}");
        assert!(problem.why.contains("has room for") && problem.why.contains("shorten"), "{problem}");
    }
}

/// A sample of the warehouse, for a production connection.
pub(super) fn document(name: &str) -> String {
    String::from_utf8(super::sample(name)).unwrap().replace("*0*T*>", "*0*P*>")
}

#[tokio::test]
async fn advices_of_every_shape_become_shipments() {
    let exchange = Exchange::by_folder(&[]);
    for name in ["945", "945_part_backorder", "945_rest", "945_no_boxes"] {
        exchange.put(&format!("{name}.edi"), &document(&format!("reference/{name}.edi")));
    }
    let page = exchange.shipments().await;
    assert_eq!(page.rejected, []);
    let shipment = |reference: &str| page.shipments.iter().find(|shipment| shipment.reference == reference).unwrap();
    let short = shipment("SHP9001");
    let ended: Vec<&str> = short.ended.iter().map(|line| line.sku.as_str()).collect();
    assert_eq!(
        (ended, short.is_final),
        (vec!["SKU-A"], false),
        "the rest of line 1 is cancelled, and of that line alone"
    );
    assert_eq!(short.tracking_numbers(), ["1Z999AA10123456784", "1Z999AA10123456795"]);
    assert_eq!(short.packages[1].lines[0].serials, ["SN001"], "as many as it says");
    assert_eq!(short.packages[1].lines[0].lot.as_deref(), Some("LOT1"));
    assert_eq!(short.shipped_at, at("2026-11-23T06:30:00Z"));
    // Its number in the head is of everything, and the cancelled line adds nothing.
    let bare = shipment("1Z999AA10123456823");
    assert_eq!((bare.packages.len(), bare.lines().count(), bare.loose.len()), (1, 1, 0));
    assert_eq!(bare.ship_method.carrier, "RDWY");
    let parts: Vec<bool> = page
        .shipments
        .iter()
        .filter(|shipment| shipment.reference != "SHP9001" && shipment.reference != "1Z999AA10123456823")
        .map(|shipment| !shipment.ended.is_empty())
        .collect();
    assert_eq!(parts, [false, false], "of an order in two parts neither says that nothing follows");
}

/// Partners put one thing into different places; a place that was agreed on is the only one that counts (x12.md §8.3).
#[tokio::test]
async fn where_things_sit_can_be_agreed() {
    let shipment = async |settings: &[(&str, &str)], from: &str, to: &str| {
        let exchange = Exchange::by_folder(settings);
        let text = document("reference/945.edi");
        assert!(text.contains(from), "{from}");
        exchange.put("945.edi", &text.replace(from, to));
        let page = exchange.shipments().await;
        assert_eq!(page.rejected, [], "{settings:?}");
        page.shipments.into_iter().next().expect("a shipment")
    };
    let (first, second, head) = ("1Z999AA10123456784", "1Z999AA10123456795", "PRO778");
    let in_head = "N9*CN*PRO778";
    for (at, numbers) in [
        ("any", vec![first, second]),
        ("box", vec![first, second]),
        ("line", vec![]),
        ("head", vec![head]),
        ("shipment_id", vec!["SHP9001"]),
    ] {
        let read = shipment(&[("tracking_at", at)], "N9*CN*1Z999AA10123456784", in_head).await;
        assert_eq!(read.tracking_numbers(), numbers, "{at}");
        assert_eq!(read.lines().map(|line| line.quantity).sum::<Decimal>(), 5.into(), "{at}: nothing is lost");
    }
    // Under the line, and under a kind of its own.
    let under_line = "N9*SE*SN001~\nN9*08*1ZLINE";
    let settings = [("tracking_at", "line"), ("tracking_qualifiers", "08")];
    let read = shipment(&settings, "N9*SE*SN001", under_line).await;
    assert_eq!(read.tracking_numbers(), ["1ZLINE"]);
    let standing = shipment(&[("tracking_qualifiers", "08")], "N9*SE*SN001", under_line).await;
    assert_eq!(standing.tracking_numbers(), [first, second], "a mark of the box comes first");

    let lotted = |read: &connect::Shipment| {
        let line = read.lines().find(|line| line.sku == "SKU-LOT").expect("the line").clone();
        (line.lot, line.serials)
    };
    let three_lots = "W12*CC*3*3*0*EA**VN*SKU-LOT*IN-LINE********LT*AS-ID~\nN9*LT*BELOW";
    for (at, lot) in [("any", "IN-LINE"), ("element", "IN-LINE"), ("id", "AS-ID"), ("reference", "BELOW")] {
        let read = shipment(&[("lot_at", at)], "W12*CC*3*3*0*EA**VN*SKU-LOT*LOT1", three_lots).await;
        assert_eq!(lotted(&read).0.as_deref(), Some(lot), "{at}");
    }
    let read = shipment(&[("serial_qualifiers", "SE, LV")], "N9*SE*SN001", "N9*SE*SN001~\nN9*LV*SN002").await;
    assert_eq!(lotted(&read).1, ["SN001", "SN002"]);
    let three = "N9*SE*SN001~\nN9*SE*SN002~\nN9*SE*SN003";
    assert_eq!(lotted(&shipment(&[], "N9*SE*SN001", three).await).1.len(), 3, "each unit has its own");

    // It answers under other product ids than it was asked under.
    let read = shipment(&[("sku_qualifiers_in", "SK, VN")], "VN*SKU-A", "SK*SKU-A").await;
    assert_eq!(read.lines().map(|line| line.sku.as_str()).collect::<Vec<_>>(), ["SKU-A", "SKU-LOT"]);

    // A status of its own, which without a meaning stops a line that is short.
    let own = ("W12*CP*5*2*-3*EA", "W12*ZX*5*2*-3*EA");
    let exchange = Exchange::by_folder(&[]);
    exchange.put("945.edi", &document("reference/945.edi").replace(own.0, own.1));
    assert_eq!(exchange.shipments().await.rejected.len(), 1);
    for (meaning, ended) in [("rest_cancelled", 1), ("rest_follows", 0), ("cancelled", 1)] {
        let read = shipment(&[("line_statuses", &format!("QQ=more, ZX={meaning}"))], own.0, own.1).await;
        assert_eq!(read.ended.len(), ended, "{meaning}");
    }
    for (setting, wrong) in [
        ("line_statuses", "ZX"),
        ("line_statuses", "=complete"),
        ("line_statuses", "ZX=gone"),
        ("line_statuses", "ZX=more, ZX=complete"),
        ("tracking_qualifiers", ","),
        ("serial_qualifiers", "SE;LV"),
        ("sku_qualifiers_in", ","),
        ("sku_qualifiers_in", "VN;SK"),
    ] {
        let values = [PARTNERS[0], PARTNERS[1], ("transport", "folder"), ("folder", "/nowhere"), (setting, wrong)];
        let connect::Role::Warehouse(build) = connectors::x12::SPEC.role else { panic!("a warehouse") };
        let hub = context(HandClock::new(), Arc::new(NoNetwork), None);
        let error = build(&crate::hub::settings(&values, &[]), &hub).err().expect("it is refused").to_string();
        assert!(error.contains(setting), "{setting} {wrong}: {error}");
    }
    let complete = shipment(&[("line_statuses", "ZX = complete")], own.0, "W12*ZX*2**0*EA").await;
    assert_eq!(
        complete.lines().map(|line| line.quantity).sum::<Decimal>(),
        5.into(),
        "what was ordered, where it is complete"
    );
}

/// Our line is what `N9*LI` says, else the number of its LX where the warehouse may have kept ours there (x12.md §8.3).
#[tokio::test]
async fn a_line_is_named_by_its_own_number_or_by_lx() {
    let numbers = async |changes: &[(&str, &str)]| {
        let exchange = Exchange::by_folder(&[]);
        let text = changes.iter().fold(document("reference/945.edi"), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        exchange.put("945.edi", &text);
        let page = exchange.shipments().await;
        let [shipment] = page.shipments.as_slice() else { panic!("{page:?}") };
        let numbers: Vec<Option<u32>> = shipment.lines().map(|line| line.line_number).collect();
        let ended: Vec<Option<u32>> = shipment.ended.iter().map(|line| line.line_number).collect();
        (shipment.numbers_may_be_theirs, numbers, ended)
    };
    let (first, second, one, two) = (("N9*LI*1~\n", ""), ("N9*LI*2~\n", ""), Some(1), Some(2));
    assert_eq!(numbers(&[]).await, (false, vec![one, two], vec![one]));
    assert_eq!(numbers(&[first]).await, (false, vec![None, two], vec![None]), "it numbers lines, and left one out");
    assert_eq!(numbers(&[first, second]).await, (true, vec![one, two], vec![one]));
    let swapped = [first, second, ("LX*1~", "LX*0003~"), ("LX*2~", "LX*7~")];
    assert_eq!(numbers(&swapped).await, (true, vec![Some(3), Some(7)], vec![Some(3)]));
    for no_number in ["LX*0~", "LX*B2~", "LX~"] {
        let changes = [first, second, ("LX*2~", no_number)];
        assert_eq!(numbers(&changes).await, (false, vec![None, None], vec![None]), "{no_number}");
    }
}

/// What a box weighs is kept in kilograms; the weight of everything is a box's where there is one (x12.md §8.3).
#[tokio::test]
async fn weights_are_kept_in_kilograms() {
    let weights = async |name: &str, changes: &[(&str, &str)]| {
        let exchange = Exchange::by_folder(&[]);
        let text = changes.iter().fold(document(name), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        exchange.put("945.edi", &text);
        let page = exchange.shipments().await;
        assert_eq!(page.rejected, [], "{changes:?}");
        let shipment = page.shipments.into_iter().next().expect("a shipment");
        let told = |weight: Option<Decimal>| weight.map_or_else(String::new, |weight| weight.to_string());
        shipment.packages.iter().map(|package| told(package.weight)).collect::<Vec<_>>()
    };
    let rest = "reference/945_rest.edi";
    assert_eq!(weights(rest, &[]).await, ["1.225"], "2.7 pounds");
    for (unit, kilograms) in [("*2.7*KG", "2.7"), ("*2700*GR", "2.7"), ("*16*OZ", "0.454")] {
        assert_eq!(weights(rest, &[("*2.7*LB", unit)]).await, [kilograms], "{unit}");
    }
    // Without a unit, or one that cannot be true: the shipment counts all the same.
    for unit in ["*2.7", "*2.7*XX", "*-2.7*LB", "*0*LB", "*9999999*KG"] {
        assert_eq!(weights(rest, &[("*2.7*LB", unit)]).await, [""], "{unit}");
    }
    // Of two boxes, each as its lines weigh.
    let two = "reference/945.edi";
    assert_eq!(weights(two, &[]).await, ["", ""]);
    let by_line = [("*SKU-A~", "*SKU-A**1.5*G*K~"), ("*LOT1~", "*LOT1*2*G*L~")];
    assert_eq!(weights(two, &by_line).await, ["1.5", "0.907"]);
}

/// One 945 for each zone or wave is normal (x12.md §8.1): what it says of its lines, it says of no others.
#[tokio::test]
async fn what_an_advice_with_nothing_in_it_says_of_its_lines() {
    let of_line_1 =
        "LX*1~\nMAN*CP*1Z999AA10123456784~\nMAN*GM*00012345678905000012~\nW12*CP*5*2*-3*EA**VN*SKU-A~\nN9*LI*1~\n";
    let zone =
        document("reference/945.edi").replace(of_line_1, "").replace("W03*5*", "W03*0*").replace("SE*24*", "SE*19*");
    let said = async |line: &str, settings: &[(&str, &str)]| {
        let exchange = Exchange::by_folder(settings);
        exchange.put("945.edi", &zone.replace("W12*CC*3*3*0*", line));
        let page = exchange.shipments().await;
        assert!(page.shipments.is_empty() && page.rejected.is_empty(), "{line}: {page:?}");
        let [(key, RequestState::LinesEnded(lines))] = page.states.as_slice() else { panic!("{line}: {page:?}") };
        assert_eq!(key, "BP100001-1");
        lines.clone()
    };
    let second = vec![LineRef { line_number: Some(2), sku: "SKU-LOT".to_owned() }];
    let ended = LinesEnded { ended: second.clone(), ..LinesEnded::default() };
    let none_left = LinesEnded { none_left: second, ..LinesEnded::default() };
    assert_eq!(said("W12*IC*3*0*-3*", &[]).await, ended);
    assert_eq!(said("W12*DS*3*0*-3*", &[]).await, ended);
    // The rest follows; and a zone that has none of it says nothing of the others.
    assert_eq!(said("W12*BO*3*0*-3*", &[]).await, none_left);
    assert_eq!(said("W12*DS*3*0*-3*", &[("part_is_final", "false")]).await, none_left);
    let odd = said("W12*CC*3*0*-3*", &[]).await;
    assert!(odd.odd.is_some() && odd.none_left == none_left.none_left, "{odd:?}");
}

#[tokio::test]
async fn a_document_of_another_kind_is_shown_and_holds_nothing_up() {
    let exchange = Exchange::by_folder(&[]);
    let advice = document("reference/945.edi");
    exchange.put(
        "a.edi",
        &advice.replace("ST*945*", "ST*850*").replace("*000005001", "*000005009").replace("*5001", "*5009"),
    );
    exchange.put("README.txt", "Files of this month lie in the folder of this month, and those of the others in theirs. Please do not delete what you have not read yet.\n");
    exchange.put("b.edi", &advice);
    let page = exchange.shipments().await;
    assert_eq!(page.shipments.len(), 1, "{page:?}");
    let beside: Vec<(bool, bool)> =
        page.rejected.iter().map(|one| (one.beside, one.reason.contains("kind 850"))).collect();
    assert!(beside.contains(&(true, true)) && beside.iter().all(|(beside, _)| *beside), "{:?}", page.rejected);
    // What may be a damaged advice holds counts up.
    let exchange = Exchange::by_folder(&[]);
    exchange.put("c.edi", &advice.replace("W06*F*BP100001-1*20261123*SHP9001**PO4500", "W06*F**20261123*SHP9001"));
    let page = exchange.shipments().await;
    assert!(page.rejected.len() == 1 && !page.rejected[0].beside, "{:?}", page.rejected);
}

/// Without our key the customer's number says whose it is (x12.md §5); the hub knows whether that is one order's.
#[tokio::test]
async fn an_advice_without_the_key_is_named_by_the_purchase_order() {
    let exchange = Exchange::by_folder(&[]);
    exchange.put("945.edi", &document("reference/945.edi").replace("W06*F*BP100001-1*", "W06*F**"));
    let page = exchange.shipments().await;
    assert!(page.shipments.is_empty() && page.rejected.is_empty(), "{page:?}");
    let [named] = page.by_reference.as_slice() else { panic!("{page:?}") };
    assert_eq!((named.key.as_str(), named.reference.as_str()), ("PO4500", "SHP9001"));
}

/// A place may stand before the figures that lie there, as the grammar has it, or behind them (x12.md §6).
#[tokio::test]
async fn a_figure_belongs_to_the_place_named_for_it() {
    let levels = async |lines: &str| {
        let exchange = Exchange::by_folder(&[]);
        let whole = document("reference/846.edi");
        let (head, tail) = (whole.split("LIN*1*").next().unwrap(), whole.split("CTT*2~").nth(1).unwrap());
        let count = lines.matches('~').count() + 6;
        exchange.put("846.edi", &format!("{head}{lines}CTT*1~{}", tail.replace("SE*12*", &format!("SE*{count}*"))));
        let page = exchange.stock().await;
        let [feed] = page.feeds.as_slice() else { panic!("{lines}: {page:?}") };
        let level = |level: &connect::StockLevel| {
            (
                level.facility.clone().unwrap_or_default(),
                level.available.map(|units| units.to_string()).unwrap_or_default(),
            )
        };
        let mut found: Vec<(String, String)> = feed.levels.iter().map(level).collect();
        found.sort();
        found
    };
    let pair = |at: &str, units: &str| (at.to_owned(), units.to_owned());
    assert_eq!(levels("LIN*1*VN*SKU-A~QTY*33*7*EA~").await, [pair("WH1", "7")]);
    assert_eq!(levels("LIN*1*VN*SKU-A~REF*ZZ*WH2~QTY*33*7*EA~").await, [pair("WH2", "7")]);
    assert_eq!(levels("LIN*1*VN*SKU-A~QTY*33*7*EA~REF*ZZ*WH2~").await, [pair("WH2", "7")]);
    let two = [pair("WH1", "4"), pair("WH2", "7")];
    assert_eq!(levels("LIN*1*VN*SKU-A~REF*ZZ*WH1~QTY*33*4*EA>CA~REF*ZZ*WH2~QTY*33*7*EA~").await, two);
    assert_eq!(levels("LIN*1*VN*SKU-A~QTY*33*4*EA~REF*ZZ*WH1~QTY*33*7*EA~REF*ZZ*WH2~").await, two);
}

/// Which of two counts is the newer one is told by their times: one of an hour that the clock showed twice, or never, is not used,
/// whether BIA names it or the envelope does. When goods left is read as well as it can be.
#[tokio::test]
async fn a_report_of_a_time_that_came_twice_is_not_guessed() {
    let zone = [("time_zone", "America/New_York")];
    let of = |bia: &str, envelope: &str| {
        document("reference/846.edi").replace("*20261123*0630~", bia).replace("*261123*0630*", envelope)
    };
    for (report, told) in [
        (of("*20261101*0130~", "*261101*0630*"), "came twice"),
        (of("*20260308*0230~", "*260308*0630*"), "never was"),
        (of("*20261101~", "*261101*0130*"), "came twice"),
        (of("~", "*261101*0130*"), "came twice"),
    ] {
        let exchange = Exchange::by_folder(&zone);
        exchange.put("846.edi", &report);
        let page = exchange.stock().await;
        let [rejected] = page.rejected.as_slice() else { panic!("{page:?}") };
        assert!(page.feeds.is_empty() && rejected.reason.contains(told), "{}", rejected.reason);
        assert!(rejected.reason.contains("count again"), "{}", rejected.reason);
    }
    for (report, moment) in [
        (of("*20261101*0030~", "*261101*0630*"), "2026-11-01T04:30:00Z"),
        (of("*20261101*0200~", "*261101*0130*"), "2026-11-01T07:00:00Z"),
    ] {
        let exchange = Exchange::by_folder(&zone);
        exchange.put("846.edi", &report);
        let page = exchange.stock().await;
        let [feed] = page.feeds.as_slice() else { panic!("{page:?}") };
        assert_eq!(feed.cut_off.to_string(), moment);
    }
    let exchange = Exchange::by_folder(&zone);
    let advice =
        document("reference/945.edi").replace("*261123*0630*", "*261101*0130*").replace("20261123", "20261101");
    exchange.put("945.edi", &advice);
    let page = exchange.shipments().await;
    assert_eq!((page.shipments.len(), page.rejected.len()), (1, 0), "{page:?}");
    assert_eq!(page.shipments[0].shipped_at.to_string(), "2026-11-01T05:30:00Z");
}

/// Whole counts of one moment are one count: what one of them does not name is not gone.
#[tokio::test]
async fn a_count_in_two_documents_is_one() {
    let exchange = Exchange::by_folder(&[("full_snapshot", "true")]);
    let one = document("reference/846.edi");
    let (begin, end) = (one.find("ST*846").unwrap(), one.find("GE*1*").unwrap());
    let second = one[begin..end].replace("*0001~", "*0002~").replace("SKU-A", "SKU-C").replace("SKU-LOT", "SKU-D");
    exchange.put("846.edi", &format!("{}{second}{}", &one[..end], one[end..].replace("GE*1*", "GE*2*")));
    let page = exchange.stock().await;
    let [feed] = page.feeds.as_slice() else { panic!("{page:?}") };
    assert_eq!(feed.levels.len(), 4, "{feed:?}");
    let exchange = Exchange::by_folder(&[("full_snapshot", "true")]);
    let again = second.replace("SKU-C", "SKU-A");
    exchange.put("846.edi", &format!("{}{again}{}", &one[..end], one[end..].replace("GE*1*", "GE*2*")));
    let page = exchange.stock().await;
    assert!(page.feeds.is_empty() && page.rejected[0].reason.contains("two reports"), "{page:?}");
}

#[tokio::test]
async fn what_is_not_for_us_or_damaged_is_set_aside_with_the_reason() {
    let good = document("reference/945.edi");
    for (told, content) in [
        ("THREEPL", good.replace("*ZZ*THREEPL ", "*ZZ*SOMEBODY")),
        ("BPMERCHANT", good.replace("*ZZ*BPMERCHANT ", "*ZZ*OTHERMERCH ")),
        ("marked as a test", good.replace("*0*P*>", "*0*T*>")),
        ("version", good.replace("*X*004010", "*X*999999")),
        ("more than 16", good.replace("*0*P*>~", "*0*P*>*MORE~")),
    ] {
        let exchange = Exchange::by_folder(&[]);
        exchange.put("945.edi", &content);
        let page = exchange.shipments().await;
        assert!(page.shipments.is_empty() && page.taken.is_empty(), "{told}: {page:?}");
        assert!(page.rejected.len() == 1 && page.rejected[0].reason.contains(told), "{told}: {:?}", page.rejected);
        exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
        assert!(exchange.root.join("out/rejected/945.edi").exists(), "{told}");
    }
    // One document that a person must look at does not hold up the file.
    for (told, content) in [
        ("W0301", good.replace("W03*5*", "W03*6*")),
        ("names no order", good.replace("W06*F*BP100001-1*20261123*SHP9001**PO4500", "W06*F**20261123*SHP9001")),
        ("was ordered in EA", good.replace("*3*3*0*EA*", "*3*3*0*CA*")),
        ("no plain number", good.replace("W12*CC*3*3*", "W12*CC*3*3,0*")),
        ("whether the rest follows", good.replace("W12*CP*5*2*", "W12*XX*5*2*")),
        ("in place of", good.replace("W12*CP*5*2*", "W12*CS*5*2*")),
        ("3 of SKU-LOT left, and 4 serial numbers", good.replace("N9*SE*SN001~", &"N9*SE*SN001~\n".repeat(4))),
    ] {
        let exchange = Exchange::by_folder(&[]);
        exchange.put("945.edi", &content);
        let page = exchange.shipments().await;
        assert!(page.shipments.is_empty() && page.taken.len() == 1, "{told}: {page:?}");
        assert!(page.rejected.len() == 1 && page.rejected[0].reason.contains(told), "{told}: {:?}", page.rejected);
    }
    // Cut off: it is waited for, and set aside when nothing more comes.
    let exchange = Exchange::by_folder(&[]);
    exchange.put("945.edi", &good[..good.len() / 2]);
    let page = exchange.shipments().await;
    assert!(page.taken.is_empty() && page.rejected.is_empty() && page.more, "{page:?}");
    exchange.clock.pass(Duration::from_secs(600));
    let page = exchange.connector.shipments(&FeedCursor::default()).await.unwrap();
    assert!(page.rejected[0].reason.contains("cut off"), "{page:?}");
}

#[tokio::test]
async fn refusals_of_the_warehouse_are_shown() {
    let exchange = Exchange::by_folder(&[]);
    for name in ["997_accept", "997_reject", "997_partial", "997_group_only", "ta1_accept", "ta1_duplicate"] {
        exchange.put(&format!("{name}.edi"), &document(&format!("reference/{name}.edi")));
    }
    exchange.put(
        "ta1_refused.edi",
        &document("reference/ta1_duplicate.edi").replace("*R*025", "*R*009").replace("5014", "5019"),
    );
    // A word that is not known, and two that contradict one another.
    let rejecting = document("reference/997_reject.edi");
    for (number, (from, to)) in [("AK9*R*", "AK9*Q*"), ("AK5*R*", "AK5*A*")].into_iter().enumerate() {
        assert!(rejecting.contains(from), "{rejecting}");
        let again = rejecting.replace(from, to).replace("AK1*OW*101", &format!("AK1*OW*20{number}"));
        exchange.put(&format!("997_unclear_{number}.edi"), &again.replace("5006", &format!("700{number}")));
    }
    let page = exchange.shipments().await;
    assert_eq!((page.taken.len(), page.rejected.len()), (9, 0), "{page:?}");
    assert_eq!(page.letters.answers, [], "acknowledgements are not acknowledged");
    let (mut read, mut refused, mut unclear) = (0, Vec::new(), Vec::new());
    for receipt in &page.letters.receipts {
        match &receipt.reception {
            Reception::Read => read += 1,
            Reception::Refused(why) => refused.push((receipt.number, why.as_str())),
            Reception::Unclear(why) => unclear.push((receipt.number, why.as_str())),
        }
    }
    assert_eq!((read, refused.len(), unclear.len()), (2, 2, 3), "{page:?}");
    let told = |of: &[(u32, &str)], number, words| of.iter().any(|(one, why)| *one == number && why.contains(words));
    assert!(told(&refused, 101, "too long") && told(&refused, 101, "unknown receiver"), "{refused:?}");
    assert!(
        told(&unclear, 105, "940 0002") && told(&unclear, 200, "neither") && told(&unclear, 201, "neither"),
        "{unclear:?}"
    );
}

/// Sends the answers of a reading, as the journal would, and gives what each says.
pub(super) async fn answered(
    exchange: &Exchange,
    answers: Vec<EffectDraft>,
    first: u32,
) -> Vec<(PathBuf, Acknowledgement)> {
    let mut said = Vec::new();
    for (place, mut draft) in answers.into_iter().enumerate() {
        assert_eq!(draft.kind, EffectKind::Acknowledge);
        draft.numbering.as_mut().unwrap().first = first + u32::try_from(place).unwrap();
        let armed = exchange.send(draft).await;
        let Probe::Equal(file) = exchange.connector.probe(&armed).await.unwrap().remove(0) else { panic!("{armed:?}") };
        let path = exchange.root.join("in").join(file.id);
        let content = fs::read(&path).unwrap();
        said.push((path, Acknowledgement::read(&set(&content)).unwrap()));
    }
    said
}

/// Every group that is read is answered, in the codes of the standard, and what is written is valid.
#[tokio::test]
async fn what_comes_in_is_acknowledged() {
    let exchange = Exchange::by_folder(&[]);
    for name in ["945", "944", "997_accept"] {
        exchange.put(&format!("{name}.edi"), &document(&format!("reference/{name}.edi")));
    }
    let theirs = ("BPMERCHANT     *ZZ*THREEPL        ", "THREEPL        *ZZ*BPMERCHANT     ");
    exchange.put("943.edi", &document("reference/943.edi").replace(theirs.0, theirs.1));
    exchange.put("a_850.edi", &document("reference/944.edi").replace("ST*944*", "ST*850*").replace("000005", "000009"));
    exchange.put("b_held.edi", &document("reference/945_rest.edi").replace("W12*CC*3*3*", "W12*CC*3*3,0*"));
    exchange.put("c_version.edi", &document("reference/945_no_boxes.edi").replace("*X*004010", "*X*003040"));
    exchange.put("d_test.edi", &String::from_utf8(super::sample("reference/945_part_backorder.edi")).unwrap());
    exchange.put("e_stock.edi", &document("reference/846.edi"));
    exchange.put("f_adjusted.edi", &document("reference/947.edi"));
    exchange.put("g_damaged.edi", &document("reference/846_zero_and_lots.edi").replace("CTT*", "CTT*9"));
    let page = exchange.shipments().await;
    let stock = exchange.stock().await;
    let keys: Vec<&str> = page.letters.answers.iter().map(|draft| draft.key.as_str()).collect();
    let again = exchange.connector.shipments(&FeedCursor::default()).await.unwrap();
    let later: Vec<&str> = again.letters.answers.iter().map(|draft| draft.key.as_str()).collect();
    assert_eq!(keys, later, "read twice it has the same keys, so that it is answered once");
    let mut answers = page.letters.answers.clone();
    answers.extend(stock.letters.answers);
    let said = answered(&exchange, answers, 1).await;
    let files: Vec<PathBuf> = said.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(refused(&files), Vec::<String>::new());
    let mut results: Vec<String> = said
        .iter()
        .map(|(_, said)| {
            let sets: Vec<String> = said
                .sets
                .iter()
                .map(|set| format!("{} {:?} {}", set.code, set.verdict, set.errors.join(",")))
                .collect();
            format!("{} {:?} {}{}", said.group, said.verdict, said.errors.join(","), sets.join(","))
        })
        .collect();
    results.sort();
    let expected = [
        "AR Accepted 943 Accepted ",
        "AW Accepted 947 Accepted ",
        "IB Accepted 846 Accepted ",
        "IB Rejected 846 Rejected reason 5 (segments in error)",
        "RE Accepted 944 Accepted ",
        "RE Rejected 850 Rejected reason 1 (set not supported)",
        "SW Accepted 945 Accepted ",
        "SW Rejected 945 Rejected reason 5 (segments in error)",
        "SW Rejected reason 2 (version not supported)",
    ];
    assert_eq!(results, expected);
    let (_, plain) = said.iter().find(|(_, said)| said.group == "SW" && said.verdict == Verdict::Accepted).unwrap();
    assert_eq!(plain.control, "5001");

    // Named is what was passed over, where the partner wants to know it; else it is accepted as it is.
    for (setting, verdict) in [("yes", Verdict::Accepted), ("detail", Verdict::AcceptedWithErrors)] {
        let exchange = Exchange::by_folder(&[("send_997", setting)]);
        exchange.put("945.edi", &document("reference/945.edi").replace("W10*", "W10*1*").replace("SE*", "SE*9"));
        let page = exchange.shipments().await;
        let said = answered(&exchange, page.letters.answers, 1).await;
        assert_eq!(said[0].1.sets[0].verdict, verdict, "{said:?}");
        assert_eq!(refused(&[said[0].0.clone()]), Vec::<String>::new());
    }
    // Silence, where that was agreed.
    for (settings, count) in [(("send_997", "no"), 0), (("refused_997", "silent"), 0), (("refused_997", "reject"), 1)] {
        let exchange = Exchange::by_folder(&[settings]);
        exchange.put("b_held.edi", &document("reference/945.edi").replace("W12*CC*3*3*", "W12*CC*3*3,0*"));
        assert_eq!(exchange.shipments().await.letters.answers.len(), count, "{settings:?}");
    }
    let none = Exchange::by_folder(&[("send_997", "no")]);
    assert!(none.connector.capabilities(EffectKind::Acknowledge).is_none());
}

/// Each element that something was passed over in is named to who wrote it, and the counts are those of both sides (x12.md §6,
/// §7, §9.2).
#[tokio::test]
async fn what_was_passed_over_is_named_element_by_element() {
    let good = document("reference/945.edi");
    let faulty = good
        .replace("W06*F*BP100001-1*20261123*", "W06*F*BP100001-1*20261399*")
        .replace("W10*", "W10*1*")
        .replace("VN*SKU-LOT*LOT1", "VN*SKU-LOT*LOT1********UP")
        .replace("N9*SE*SN001", "ZZZ*1~\nN9*S*SN001")
        .replace("SE*24*", "SE*25*");
    let cases = [
        ("yes", good.replace("GE*1*", "GE*3*"), &["AK5*A", "AK9*A*3*1*1"][..]),
        ("detail", good.clone(), &["AK5*A", "AK9*A*1*1*1"]),
        ("detail", good.replace("GE*1*", "GE*3*"), &["AK5*A", "AK9*E*3*1*1*5"]),
        ("detail", good.replace("GE*1*", "GE*x*"), &["AK5*A", "AK9*E*1*1*1*5"]),
        ("detail", good.replace("GE*1*5001", "GE*1*5002"), &["AK5*A", "AK9*E*1*1*1*4"]),
        (
            "detail",
            faulty.clone(),
            &[
                "AK3*W06*2**8",
                "AK4*3**8*20261399",
                "AK3*W10*12**8",
                "AK4*1**4*1",
                "AK4*2**6*CT",
                "AK3*W12*20**8",
                "AK4*18**2",
                "AK3*ZZZ*22**6",
                "AK3*N9*23**8",
                "AK4*1**4*S",
                "AK5*E*5",
                "AK9*E*1*1*1",
            ],
        ),
        ("detail", faulty.replace("SE*25*", "SE*9*"), &["AK5*E*4*5"]),
        (
            "detail",
            good.replace("W12*CC*3*3*", "W12*CC*3*3,0*").replace("GE*1*", "GE*2*"),
            &["AK3*W12*20**8", "AK4*3**6*3,0", "AK5*R*5", "AK9*R*2*1*0*5"],
        ),
        ("yes", good.replace("*X*004010", "*X*003040").replace("GE*1*", "GE*2*"), &["AK9*R*2*1*0*2*5"]),
    ];
    for (setting, content, expected) in cases {
        let exchange = Exchange::by_folder(&[("send_997", setting)]);
        exchange.put("945.edi", &content);
        let page = exchange.shipments().await;
        let said = answered(&exchange, page.letters.answers, 1).await;
        let [(path, _)] = said.as_slice() else { panic!("{content}: {said:?}") };
        let text = fs::read_to_string(path).unwrap();
        let kept = ["AK3", "AK4", "AK5", "AK9"];
        let lines: Vec<&str> =
            text.lines().map(|line| line.trim_end_matches('~')).filter(|line| kept.contains(&&line[..3])).collect();
        match expected {
            [only] => assert!(lines.contains(only), "{lines:?}"),
            _ => assert_eq!(lines, expected, "{content}"),
        }
        assert_eq!(refused(std::slice::from_ref(path)), Vec::<String>::new(), "{text}");
    }
}

/// What products are called is no document (an `ST` that begins no segment), and ids may be in lower case: a count is for the
/// stock channel, and is accepted.
#[tokio::test]
async fn a_count_is_a_count_whatever_its_products_are_called() {
    for (from, to) in [
        ("LIN*1*VN*SKU-A", "LIN*1*VN*POST-100"),
        ("LIN*1*VN*SKU-A", "LIN*1*VN*SKU-A~\nPID*F****STAND ST-450"),
        ("LIN*1*VN*SKU-A", "LIN*1*VN*SKU-A~\nN3*12 HIGH ST*100 DOCK ROAD"),
        ("ST*846*", "st*846*"),
    ] {
        let exchange = Exchange::by_folder(&[]);
        let good = document("reference/846.edi");
        assert!(good.contains(from), "{from}");
        let more = to.matches('~').count();
        let count = good.replace(from, to).replace("SE*12*", &format!("SE*{}*", 12 + more));
        exchange.put("846.edi", &count);
        let page = exchange.shipments().await;
        assert!(page.taken.is_empty() && page.rejected.is_empty() && page.letters.is_empty(), "{to}: {page:?}");
        let page = exchange.stock().await;
        assert_eq!((page.feeds.len(), page.rejected.len()), (1, 0), "{to}: {page:?}");
        let said = answered(&exchange, page.letters.answers, 1).await;
        assert_eq!(said[0].1.verdict, Verdict::Accepted, "{to}: {said:?}");
        // Cut off, it is for the same channel to say so.
        let exchange = Exchange::by_folder(&[]);
        exchange.put("846.edi", count.split("IEA").next().unwrap());
        exchange.shipments().await;
        exchange.clock.pass(Duration::from_secs(600));
        assert_eq!(exchange.shipments().await.rejected, [], "{to}");
        assert_eq!(exchange.stock().await.rejected.len(), 1, "{to}");
    }
}

/// An adjustment that cannot be used is told, as an advice is, and may come again mended under its number.
#[tokio::test]
async fn an_adjustment_that_cannot_be_used_is_told() {
    let good = document("reference/947.edi");
    let line = "W19*AA*-2*EA**VN*SKU-A***LOT1";
    assert!(good.contains(line));
    for (told, content) in [
        ("no plain number", good.replace("W19*AA*-2*", "W19*AA*-1,5*")),
        ("by how much", good.replace("W19*AA*-2*", "W19*AA**")),
        ("counted in CA", good.replace(line, "W19*AA*-2*CA**VN*SKU-A")),
        ("no product id of kind VN", good.replace(line, "W19*AA*-2*EA**UP*012345678905")),
        ("no W15", good.replace("W15*20261123*ADJ551*ADJ551", "N9*ZZ*W15").replace(line, "N9*ZZ*LINE")),
        ("no line", good.replace(line, "N9*ZZ*NOTHING")),
        ("second W15", good.replace(line, &format!("{line}~\nW15*20261123*ADJ552~\n{line}"))),
        ("before the W15", good.replace("W15*", &format!("{line}~\nW15*"))),
    ] {
        let exchange = Exchange::by_folder(&[]);
        exchange.put("947.edi", &content);
        let page = exchange.stock().await;
        let [aside] = page.rejected.as_slice() else { panic!("{told}: {page:?}") };
        assert!(aside.reason.contains(told) && !aside.beside, "{told}: {}", aside.reason);
        assert!(
            aside.input.name == "947.edi#000005003-0001" && aside.input.content.starts_with(b"ST*947"),
            "{aside:?}"
        );
        assert!(
            page.adjustments.is_empty() && page.taken.len() == 1 && page.letters.marks.is_empty(),
            "{told}: {page:?}"
        );
        // Its number is free for the mended one.
        exchange.put("947_mended.edi", &good);
        let page = exchange.stock().await;
        assert!(page.adjustments.len() == 1 && page.letters.marks.len() == 1, "{told}: {page:?}");
    }
    // What stands beside it in its file is used.
    let exchange = Exchange::by_folder(&[]);
    let (begin, end) = (good.find("ST*947").unwrap(), good.find("GE*1*").unwrap());
    let other = good[begin..end].replace("*0001~", "*0002~").replace("ADJ551", "ADJ552").replace("*EA*", "*CA*");
    exchange.put("947.edi", &format!("{}{other}{}", &good[..end], good[end..].replace("GE*1*", "GE*2*")));
    let page = exchange.stock().await;
    assert_eq!((page.adjustments.len(), page.rejected.len()), (1, 1), "{page:?}");
    assert!(page.rejected[0].reason.contains("ADJ552"), "{}", page.rejected[0].reason);
}

/// A journal that was lost finds the acknowledgement that it had sent, and sends one that it had not.
#[tokio::test]
async fn acknowledgements_are_found_again() {
    let exchange = Exchange::by_folder(&[]);
    exchange.put("945.edi", &document("reference/945.edi"));
    exchange.put("947.edi", &document("reference/947.edi"));
    let answers = exchange.shipments().await.letters.answers;
    let armed = exchange.send(answers[0].clone()).await;
    let Probe::Equal(there) = exchange.connector.probe(&armed).await.unwrap().remove(0) else { panic!("{armed:?}") };
    let lost = |draft: &EffectDraft| Armed {
        effect: effects(std::slice::from_ref(draft)).remove(0),
        baseline: serde_json::Value::Null,
        attempt: 0,
        armed_at: at(NOW),
    };
    let since = at("2020-01-01T00:00:00Z");
    let found = exchange.connector.find_again(&[lost(&answers[0])], since).await.unwrap();
    assert_eq!(found, [FoundAgain::Seen(Probe::Equal(there))]);
    let other = exchange.stock().await.letters.answers.remove(0);
    let found = exchange.connector.find_again(&[lost(&other)], since).await.unwrap();
    assert_eq!(found, [FoundAgain::Seen(Probe::Absent)]);
}

/// What is known of what came before.
struct Before(BTreeMap<String, Known>);

#[async_trait::async_trait]
impl Marks for Before {
    async fn known(&self, names: &[String]) -> Result<BTreeMap<String, Known>, ConnectorError> {
        Ok(self
            .0
            .iter()
            .filter(|(name, _)| names.contains(name))
            .map(|(name, known)| (name.clone(), known.clone()))
            .collect())
    }

    async fn highest(&self, series: &str) -> Result<Option<(u64, Known)>, ConnectorError> {
        let number = |name: &str| name.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let numbers = self.0.iter().filter_map(|(name, known)| Some((number(name)?, known.clone())));
        Ok(numbers.max_by_key(|(number, _)| *number))
    }
}

/// Partners begin their numbers again, with new software or a new year (x12.md §8.5).
#[tokio::test]
async fn numbers_that_begin_again_are_taken() {
    let series = "x12 ZZ:THREEPL ZZ:BPMERCHANT P";
    let day = |days: i64| at("2026-11-23T06:30:00Z") - SignedDuration::from_hours(24 * days);
    let known = |number: u32, taken: i64, written: Option<i64>| {
        let known = Known { content_hash: "another".to_owned(), at: day(taken), written: written.map(day) };
        (format!("{series} {number}"), known)
    };
    // The document that comes has number 5001, and was written on day 0.
    for (what, before, used) in [
        ("a higher number came, and both are older", vec![known(5001, 30, Some(30)), known(9000, 1, Some(1))], true),
        ("of some nobody knows when they were written", vec![known(5001, 30, None), known(9000, 1, None)], true),
        ("taken in late, and written before", vec![known(5001, -1, Some(30)), known(9000, -1, Some(1))], true),
        ("it is the highest number itself", vec![known(5001, 30, Some(30)), known(4000, 1, Some(1))], false),
        ("none but it is known", vec![known(5001, 30, Some(30))], false),
        ("its number came on the same day", vec![known(5001, 0, Some(0)), known(9000, 1, Some(1))], false),
        ("a higher number came later", vec![known(5001, 30, Some(30)), known(9000, -1, Some(-1))], false),
        (
            "taken in before it was written, for all that is known",
            vec![known(5001, -1, None), known(9000, 1, None)],
            false,
        ),
    ] {
        let mut exchange = Exchange::by_folder(&[]);
        exchange.remember(Arc::new(Before(before.into_iter().collect())));
        exchange.put("945.edi", &document("reference/945.edi"));
        let page = exchange.shipments().await;
        assert_eq!(page.shipments.len(), usize::from(used), "{what}: {page:?}");
        assert_eq!(page.rejected.len(), usize::from(!used), "{what}: {page:?}");
        if used {
            let [mark] = page.letters.marks.as_slice() else { panic!("{what}: {page:?}") };
            assert_eq!((mark.instead_of.as_deref(), mark.written), (Some("another"), Some(day(0))), "{what}");
            assert_eq!(page.letters.answers.len(), 1, "{what}");
        } else {
            assert!(page.rejected[0].reason.contains("came before"), "{what}: {}", page.rejected[0].reason);
        }
    }
    // In one reading: the old numbers, then the new ones, and a stray one of the new.
    let exchange = Exchange::by_folder(&[]);
    let numbered = |number: u32, date: &str, shipment: &str| {
        let text = document("reference/945.edi").replace("SHP9001", shipment);
        text.replace("000005001", &format!("{number:09}")).replace("*261123*", &format!("*{date}*"))
    };
    for (name, content) in [
        ("a.edi", numbered(7, "261120", "A")),
        ("b.edi", numbered(8, "261121", "B")),
        ("c.edi", numbered(7, "261122", "C")),
        ("d.edi", numbered(7, "261122", "D")),
    ] {
        exchange.put(name, &content);
    }
    let page = exchange.shipments().await;
    let left: Vec<&str> = page.shipments.iter().map(|shipment| shipment.reference.as_str()).collect();
    let aside: Vec<&str> = page.rejected.iter().map(|aside| aside.input.name.as_str()).collect();
    assert_eq!((left, aside), (vec!["A", "B", "C"], vec!["d.edi"]), "{page:?}");
}

#[tokio::test]
async fn an_interchange_is_used_once_and_its_number_too() {
    let exchange = Exchange::by_folder(&[]);
    exchange.put("a.edi", &document("reference/945.edi"));
    exchange.put("b.edi", &document("reference/945.edi"));
    exchange.put("c.edi", &document("reference/945.edi").replace("SHP9001", "SHP9002"));
    let page = exchange.shipments().await;
    // In one reading: the first is used, the second says nothing new, the third is another one under the same number.
    assert_eq!((page.shipments.len(), page.taken.len(), page.letters.answers.len()), (1, 2, 1), "{page:?}");
    let [aside] = page.rejected.as_slice() else { panic!("{page:?}") };
    assert!(aside.input.name == "c.edi" && aside.reason.contains("came before"), "{}", aside.reason);
    let [mark] = page.letters.marks.as_slice() else { panic!("{page:?}") };
    assert_eq!((mark.name.as_str(), &mark.instead_of), ("x12 ZZ:THREEPL ZZ:BPMERCHANT P 5001", &None));
    // In a later one, and when the number is so old that it may come again.
    for (days, used) in [(1, false), (179, false), (181, true)] {
        let mut later = Exchange::by_folder(&[]);
        let known = Known {
            content_hash: mark.content_hash.clone(),
            at: later.now() - SignedDuration::from_hours(24 * days),
            written: mark.written,
        };
        later.remember(Arc::new(Before([(mark.name.clone(), known)].into())));
        later.put("a.edi", &document("reference/945.edi"));
        later.put("c.edi", &document("reference/945.edi").replace("SHP9001", "SHP9002"));
        let page = later.shipments().await;
        assert_eq!(page.shipments.len(), usize::from(used), "{days}: {page:?}");
        assert_eq!(page.rejected.len(), usize::from(!used), "{days}: {page:?}");
        assert!(page.taken.iter().any(|taken| taken.name == "a.edi"), "{days}: {page:?}");
        if used {
            assert_eq!(page.letters.marks[0].instead_of.as_ref(), Some(&mark.content_hash));
        }
    }
    // Of a stock report nothing is used either, and one that was set aside may come again mended under its number.
    let exchange = Exchange::by_folder(&[]);
    exchange.put("a.edi", &document("reference/846.edi").replace("CTT*2", "CTT*3"));
    exchange.put("b.edi", &document("reference/846.edi"));
    exchange.put("c.edi", &document("reference/846.edi").replace("QTY*33*97", "QTY*33*96"));
    let page = exchange.stock().await;
    assert_eq!((page.feeds.len(), page.taken.len(), page.letters.marks.len()), (1, 1, 1), "{page:?}");
    let aside: Vec<&str> = page.rejected.iter().map(|rejected| rejected.input.name.as_str()).collect();
    assert_eq!(aside, ["a.edi", "c.edi"]);
}

#[tokio::test]
async fn stock_is_summed_over_lots_and_damaged_stock_is_never_used() {
    let exchange = Exchange::by_folder(&[("full_snapshot", "true")]);
    exchange.put("a.edi", &document("reference/846_zero_and_lots.edi"));
    exchange.put("b.edi", &document("reference/947.edi"));
    let page = exchange.stock().await;
    assert_eq!(
        (page.rejected.len(), page.taken.len()),
        (0, 2),
        "an adjustment is filed, and changes nothing: {page:?}"
    );
    let adjusted: Vec<(&str, String, &str)> =
        page.adjustments.iter().map(|one| (one.sku.as_str(), one.change.to_string(), one.reason.as_str())).collect();
    assert_eq!(adjusted[0], ("SKU-A", "-2".to_owned(), "physical count (AA)"), "{adjusted:?}");
    assert_eq!(page.adjustments[0].made_on, at("2026-11-23T00:00:00Z"));
    assert_eq!((page.adjustments[0].reference.as_str(), page.adjustments[0].line), ("ADJ551", 1));
    let [feed] = page.feeds.as_slice() else { panic!("{page:?}") };
    let figures: Vec<(&str, Option<&str>, String, String)> = feed
        .levels
        .iter()
        .map(|level| {
            let (available, physical) = (level.available.unwrap(), level.physical.unwrap());
            (level.sku.as_str(), level.facility.as_deref(), available.to_string(), physical.to_string())
        })
        .collect();
    let expected = [("SKU-A", "0", "3"), ("SKU-LOT", "10", "13")];
    let expected =
        expected.map(|(sku, available, physical)| (sku, Some("WH1"), available.to_owned(), physical.to_owned()));
    assert_eq!(figures, expected);
    assert!(feed.absent_is_zero && feed.cut_off == at("2026-11-24T06:30:00Z"));

    let good = document("reference/846.edi");
    for (told, content) in [
        ("CTT01", good.replace("CTT*2", "CTT*3")),
        ("SE01", good.replace("SE*12", "SE*11")),
        ("ends as number", good.replace("GE*1*5002", "GE*1*5003")),
        ("which is no number", good.replace("QTY*33*97", "QTY*33*1,097")),
        ("counted in CA", good.replace("QTY*33*97*EA", "QTY*33*97*CA")),
        ("less than nothing", good.replace("QTY*17*100", "QTY*17*-1")),
        ("no product with a figure", good.replace("QTY*33", "QTY*QA").replace("QTY*17", "QTY*QH")),
        ("stands there twice", good.replace("QTY*17*100*EA", "QTY*33*100*EA")),
    ] {
        let exchange = Exchange::by_folder(&[]);
        exchange.put("846.edi", &content);
        let page = exchange.stock().await;
        assert!(page.feeds.is_empty() && page.taken.is_empty(), "{told}: {page:?}");
        assert!(page.rejected.len() == 1 && page.rejected[0].reason.contains(told), "{told}: {:?}", page.rejected);
    }
}
