//! Flat CSV files described by a map: a folder and a real OpenSSH server, with a simulated warehouse at the other end that
//! has titles, marks and a clock of its own.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use connect::{
    Armed, EffectDraft, EffectKind, FeedCursor, FoundAgain, Prepared, Probe, RemoteRef, RequestState, Role, Sent,
    ShipmentPage, StockPage, Warehouse,
};
use simulators::{
    dsfx::{self, Dsfx, Handling, SeedStock},
    openssh::OpenSsh,
};
use tempfile::TempDir;

use crate::hub::{HandClock, NoNetwork, arm, at, context, effects, folder, request, settings, warehouse};

const NOW: &str = "2026-11-23T06:30:00Z";

/// The settings for the simulated warehouse.
pub const FLAT: [(&str, &str); 8] = [
    ("order_files", "ORDERS_*.csv"),
    (
        "order_columns",
        "Order=order_number\nRef=reference\nName=name\nCompany=company\nStreet=address1\nStreet 2=address2\nTown=city\n\
         County=state\nPostcode=postcode\nCountry=country\nPhone=phone\nE-mail=email\nShip by=ship_method\nNotes=notes\n\
         Line=line_number\nItem=sku\nQty=quantity",
    ),
    (
        "shipment_columns",
        "shipment_id=Despatch No\norder_number=Order\nshipped_at=Despatched\ncarrier=Carrier\nservice=Service\n\
         package_number=Parcel\ntracking_number=Tracking\nline_number=Line\nsku=Item\nquantity=Qty\nlot=Lot\nserial=Serials\n\
         status=Status",
    ),
    ("stock_columns", "sku=Item, facility_id=Site, available=Free, on_hand=Physical, counted_at=Counted"),
    ("delimiter", "semicolon"),
    ("decimal", "comma"),
    ("dates", "DD.MM.YYYY HH:mm:ss"),
    ("time_zone", "Europe/Berlin"),
];

struct Exchange {
    root: PathBuf,
    clock: Arc<HandClock>,
    connector: Arc<dyn Warehouse>,
    simulator: Dsfx,
    _ssh: Option<OpenSsh>,
    _folder: TempDir,
}

impl Exchange {
    fn by_folder(more: &[(&str, &str)]) -> Self {
        Self::new(more, false)
    }

    fn new(more: &[(&str, &str)], by_sftp: bool) -> Self {
        let holder = tempfile::tempdir().unwrap();
        let root = holder.path().join("root");
        let simulator = Dsfx::open(dsfx::Config {
            flat: true,
            stock: ["SKU-A", "SKU-LOT"].map(|sku| SeedStock::plain(sku, "1", 100.into())).to_vec(),
            ..dsfx::Config::new(&root)
        })
        .unwrap();
        let ssh =
            by_sftp.then(|| OpenSsh::start(&root).expect("sshd; if it is missing: apt-get install openssh-server"));
        let shown = root.display().to_string();
        let port = ssh.as_ref().map(|ssh| ssh.port().to_string()).unwrap_or_default();
        let mut values: BTreeMap<&str, &str> = FLAT.into_iter().collect();
        let mut secrets = Vec::new();
        match &ssh {
            Some(ssh) => {
                values.extend([("host", "127.0.0.1"), ("port", port.as_str()), ("user", ssh.user())]);
                values.extend([("host_key", ssh.host_key()), ("root", shown.as_str())]);
                secrets.push(("private_key", ssh.private_key()));
            }
            None => values.extend([("transport", "folder"), ("folder", shown.as_str())]),
        }
        values.extend(more.iter().copied());
        let clock = HandClock::new();
        let hub = context(Arc::clone(&clock), Arc::new(NoNetwork), None);
        let values: Vec<(&str, &str)> = values.into_iter().collect();
        let connector = warehouse("csv", &settings(&values, &secrets), &hub);
        Self { root, clock, connector, simulator, _ssh: ssh, _folder: holder }
    }

    fn plan(&self, key: &str) -> EffectDraft {
        self.connector.plan_submit(&[request(key)], at(NOW)).remove(0).unwrap()
    }

    async fn send(&self, drafts: &[EffectDraft]) -> Vec<Armed> {
        let effects = effects(drafts);
        let armed = arm(&effects, &self.connector.prepare(&effects).await.unwrap());
        let sent = self.connector.send(&armed, Duration::from_secs(1_000_000)).await;
        assert!(sent.outcomes.iter().all(|outcome| matches!(outcome, Sent::Accepted { .. })), "{sent:?}");
        armed
    }

    /// Two looks.
    async fn shipments(&self) -> ShipmentPage {
        self.connector.shipments(&FeedCursor::default()).await.unwrap();
        self.clock.pass(Duration::from_secs(60));
        self.connector.shipments(&FeedCursor::default()).await.unwrap()
    }

    async fn stock(&self) -> StockPage {
        self.connector.stock().await.unwrap();
        self.clock.pass(Duration::from_secs(60));
        self.connector.stock().await.unwrap()
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root.join("out").join(name), content).unwrap();
    }
}

const ORDERS: &str = "\"Order\";\"Ref\";\"Name\";\"Company\";\"Street\";\"Street 2\";\"Town\";\"County\";\"Postcode\";\"Country\";\"Phone\";\"E-mail\";\"Ship by\";\"Notes\";\"Line\";\"Item\";\"Qty\"\n\
\"BPacme-O1\";\"PO4500\";\"Jane Doe\";\"\";\"1 High St\";\"Flat 2\";\"Leeds\";\"\";\"LS1 1AA\";\"GB\";\"01130000000\";\"jane@example.test\";\"UPS Ground\";\"Leave with neighbour\";\"1\";\"SKU-A\";\"5\"\n\
\"BPacme-O1\";\"PO4500\";\"Jane Doe\";\"\";\"1 High St\";\"Flat 2\";\"Leeds\";\"\";\"LS1 1AA\";\"GB\";\"01130000000\";\"jane@example.test\";\"UPS Ground\";\"Leave with neighbour\";\"2\";\"SKU-LOT\";\"3\"\n";

/// The whole conversation, through a folder and through OpenSSH's server.
#[tokio::test]
async fn an_order_goes_out_and_what_left_comes_back() {
    for by_sftp in [false, true] {
        let exchange = Exchange::new(&[], by_sftp);
        let checked = exchange.connector.check().await.unwrap();
        // The test's own clock stands still, and only a server has another than this machine's.
        let off: Vec<bool> = checked.warnings.iter().map(|line| line.contains("The file server's clock is")).collect();
        assert_eq!(off, if by_sftp { vec![true] } else { vec![] }, "{checked:?}");
        exchange.send(&[exchange.plan("BPacme-O1")]).await;
        assert_eq!(folder(&exchange.root.join("in"))["ORDERS_BPacme-O1_261123063000.csv"], ORDERS);

        exchange.simulator.tell("BPacme-O1", Handling::Boxes(2));
        exchange.simulator.tick(at("2026-11-23T06:31:00Z")).unwrap();
        assert_eq!(exchange.simulator.ledger().rejected, [], "the warehouse takes the file");
        exchange.simulator.tick(at("2026-11-23T06:41:00Z")).unwrap();
        let page = exchange.shipments().await;
        assert_eq!((page.rejected.len(), page.taken.len()), (0, 1), "{page:?}");
        let [shipment] = page.shipments.as_slice() else { panic!("{page:?}") };
        assert_eq!((shipment.key.as_str(), shipment.reference.as_str()), ("BPacme-O1", "DS00000001"));
        assert_eq!((shipment.packages.len(), shipment.tracking_numbers().len(), shipment.loose.len()), (2, 2, 0));
        assert_eq!(shipment.lines().map(|line| line.quantity).sum::<rust_decimal::Decimal>(), 8.into());
        assert!(shipment.is_final && shipment.lines().all(|line| line.line_number.is_some()));
        // The warehouse's clock is an hour ahead.
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
            .map(|level| format!("{} {} {}", level.sku, level.available.unwrap(), level.physical.unwrap()))
            .collect();
        assert_eq!(figures, ["SKU-A 95 95", "SKU-LOT 97 97"]);
    }
}

#[tokio::test]
async fn a_crash_at_any_point_neither_loses_nor_doubles_an_order() {
    let exchange = Exchange::by_folder(&[]);
    let connector = exchange.connector.as_ref();
    let planned =
        effects(&[exchange.plan("A"), exchange.connector.plan_submit(&[request("B")], at(NOW)).remove(0).unwrap()]);
    let first = &planned[..1];
    let armed = arm(first, &connector.prepare(first).await.unwrap());
    // Crash between arming and renaming: the temporary file says so.
    assert_eq!(connector.probe(&armed).await.unwrap(), [Probe::Absent]);
    connector.send(&armed, Duration::from_secs(1_000_000)).await;
    let there = Probe::Equal(RemoteRef::new("ORDERS_A_261123063000.csv"));
    assert_eq!(connector.probe(&armed).await.unwrap(), std::slice::from_ref(&there));
    // A second send does nothing, and a restored backup finds the file, also once the warehouse has taken it in.
    let again: Vec<Armed> = armed.iter().map(|armed| Armed { attempt: 2, ..armed.clone() }).collect();
    assert!(matches!(
        connector.send(&again, Duration::from_secs(1_000_000)).await.outcomes[..],
        [Sent::Unknown { .. }]
    ));
    assert_eq!(connector.prepare(first).await.unwrap(), [Prepared::Found(there.clone())]);
    exchange.simulator.read_orders(at(NOW)).unwrap();
    assert_eq!(connector.probe(&armed).await.unwrap(), std::slice::from_ref(&there));
    assert_eq!(connector.prepare(first).await.unwrap(), [Prepared::Found(there.clone())]);
    assert_eq!(exchange.simulator.ledger().orders["A"].len(), 1);

    // A journal that was lost planned both again, on another day.
    let later = connector.plan_submit(&[request("A"), request("B")], at("2026-11-25T06:30:00Z"));
    let later: Vec<EffectDraft> = later.into_iter().map(Result::unwrap).collect();
    let lost: Vec<Armed> = effects(&later)
        .into_iter()
        .map(|effect| Armed { effect, baseline: serde_json::Value::Null, attempt: 0, armed_at: at(NOW) })
        .collect();
    let found = connector.find_again(&lost, at("2020-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(found, [FoundAgain::Seen(there), FoundAgain::Seen(Probe::Absent)]);
}

const SHIPPED: &str = "Despatch No;Order;Despatched;Carrier;Service;Parcel;Tracking;Line;Item;Qty;Lot;Serials;Status\n";

#[tokio::test]
async fn a_wrong_row_is_shown_by_itself_and_the_rest_is_used() {
    let exchange = Exchange::by_folder(&[]);
    exchange.put(
        "SHP_1.CSV",
        format!(
            "{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;PART\n\
             D2;B;23.11.2026 07:00:00;UPS;Ground;1;1Z2;1;SKU-A;1,5;L1;N1;COMPLETE\n\
             D3;C;23.11.2026 07:00:00;UPS;Ground;1;1Z3;1;SKU-A;five;;;COMPLETE\n\
             D4;D;23.11.2026 07:00:00;UPS;Ground;1;1Z4;1;SKU-A;0;;;Cancelled\n"
        ),
    );
    let page = exchange.shipments().await;
    let left: Vec<(&str, bool)> =
        page.shipments.iter().map(|shipment| (shipment.key.as_str(), shipment.is_final)).collect();
    assert_eq!(left, [("A", false), ("B", true)]);
    assert_eq!(page.shipments[1].lines().next().unwrap().quantity, "1.5".parse().unwrap());
    assert_eq!(page.states, [("D".to_owned(), RequestState::Cancelled)]);
    let [bad] = page.rejected.as_slice() else { panic!("{page:?}") };
    assert_eq!(bad.input.name, "SHP_1.CSV#C-D3");
    assert!(bad.reason.contains("line 4, column 10 (quantity)") && bad.reason.contains("five"), "{}", bad.reason);
    assert!(String::from_utf8_lossy(&bad.input.content).starts_with("D3;C;"), "what it was is kept");
    exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    assert_eq!(folder(&exchange.root.join("out/archive")).len(), 1, "the file was used");

    // The same with the row mended: what was known is the same, to the last letter.
    exchange.put(
        "shp_2.csv",
        format!(
            "{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;PART\n\
             D3;C;23.11.2026 07:00:00;UPS;Ground;1;1Z3;1;SKU-A;4;;;COMPLETE\n"
        ),
    );
    let again = exchange.shipments().await;
    assert_eq!(
        again.shipments[0], page.shipments[0],
        "known by the number of the despatch, whatever the file is called"
    );
    assert_eq!((again.shipments[1].key.as_str(), again.rejected.len()), ("C", 0));

    exchange.put(
        "inv_1.csv",
        "Item;Site;Free;Physical;Counted\nSKU-A;1;5;;23.11.2026 07:00:00\nSKU-B;1;many;;23.11.2026 07:00:00\n",
    );
    let page = exchange.stock().await;
    assert_eq!((page.feeds[0].levels.len(), page.rejected.len()), (1, 1), "{page:?}");
    assert_eq!(page.rejected[0].input.name, "inv_1.csv#SKU-B");

    // A file of which nothing can be used is set aside whole.
    exchange.put("shp_3.csv", "Order,Item\nA,SKU-A\n");
    let page = exchange.shipments().await;
    assert!(page.taken.iter().all(|input| input.name != "shp_3.csv"));
    assert!(page.rejected[0].reason.contains("Nothing of the file was used"), "{page:?}");
    exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    assert!(exchange.root.join("out/rejected/shp_3.csv").exists());
}

/// Which of two counts is the newer one is told by their times, so a count of an hour that the clock showed twice, or never, is
/// not used. When goods left decides nothing of that kind, and is read as well as it can be.
#[tokio::test]
async fn a_report_of_a_time_that_came_twice_is_not_guessed() {
    for (counted, told) in [("25.10.2026 02:30:00", "came twice"), ("29.03.2026 02:30:00", "never was")] {
        let exchange = Exchange::by_folder(&[]);
        let rows = format!("SKU-A;1;5;;25.10.2026 01:59:00\nSKU-B;1;4;;{counted}\n");
        exchange.put("inv_1.csv", format!("Item;Site;Free;Physical;Counted\n{rows}"));
        let page = exchange.stock().await;
        let [rejected] = page.rejected.as_slice() else { panic!("{page:?}") };
        assert!(page.feeds.is_empty() && rejected.input.name == "inv_1.csv", "{page:?}");
        let reason = &rejected.reason;
        assert!(reason.contains("line 3, column 5 (counted_at)") && reason.contains(told), "{reason}");
        assert!(reason.contains("count again"), "{reason}");

        let row = format!("D1;A;{counted};UPS;Ground;1;1Z1;1;SKU-A;5;;;PART\n");
        exchange.put("shp_1.csv", format!("{SHIPPED}{row}"));
        let page = exchange.shipments().await;
        assert_eq!((page.shipments.len(), page.rejected.len()), (1, 0), "{page:?}");
    }
    // The hour before and the one after are told in one way only.
    for (counted, moment) in
        [("25.10.2026 01:59:59", "2026-10-24T23:59:59Z"), ("25.10.2026 03:00:00", "2026-10-25T02:00:00Z")]
    {
        let exchange = Exchange::by_folder(&[]);
        exchange.put("inv_1.csv", format!("Item;Site;Free;Physical;Counted\nSKU-A;1;5;;{counted}\n"));
        let page = exchange.stock().await;
        let [feed] = page.feeds.as_slice() else { panic!("{page:?}") };
        assert_eq!(feed.cut_off.to_string(), moment);
    }
}

#[tokio::test]
async fn a_file_that_is_still_written_is_left_alone() {
    let exchange = Exchange::by_folder(&[]);
    exchange.put("shp_1.csv", format!("{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU"));
    exchange
        .put("shp_2.csv.filepart", format!("{SHIPPED}D2;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;PART\n"));
    let page = exchange.shipments().await;
    assert!(page.shipments.is_empty() && page.rejected.is_empty() && page.more, "{page:?}");
    exchange.put("shp_1.csv", format!("{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;PART\n"));
    let page = exchange.connector.shipments(&FeedCursor::default()).await.unwrap();
    assert!(page.shipments.is_empty(), "it has just changed");
    assert_eq!(exchange.shipments().await.shipments.len(), 1);
}

/// RFC 4180 leaves the end of the last line to the writer.
#[tokio::test]
async fn a_last_line_without_an_end_is_waited_for_and_then_used() {
    let exchange = Exchange::by_folder(&[]);
    exchange.put("shp_1.csv", format!("{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;\"PART\""));
    exchange.connector.shipments(&FeedCursor::default()).await.unwrap();
    exchange.clock.pass(Duration::from_secs(5));
    let page = exchange.connector.shipments(&FeedCursor::default()).await.unwrap();
    assert!(page.shipments.is_empty() && page.rejected.is_empty(), "it may still grow: {page:?}");
    let page = exchange.shipments().await;
    assert_eq!((page.shipments.len(), page.taken.len(), page.rejected.len()), (1, 1, 0), "{page:?}");
    // A cell that was cut off passes for a shorter one.
    let bare = Exchange::by_folder(&[]);
    bare.put("shp_1.csv", format!("{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;PA"));
    let page = bare.shipments().await;
    assert!(page.shipments.is_empty() && page.rejected.is_empty() && page.more, "{page:?}");
    // But one that has all its columns and has stood still for minutes ends there: no rule makes its writer end the line.
    bare.clock.pass(Duration::from_secs(300));
    let page = bare.connector.shipments(&FeedCursor::default()).await.unwrap();
    assert_eq!((page.shipments.len(), page.taken.len(), page.rejected.len()), (1, 1, 0), "{page:?}");
    // Where the last cell names the delivery, the order or the goods, a shorter one would be another.
    for (columns, row) in [
        ("shipment_id=1, order_number=2, quantity=3, sku=4", "D1;A;5;SKU-A"),
        ("shipment_id=1, sku=2, quantity=3, order_number=4", "D1;SKU-A;5;A"),
        ("order_number=1, sku=2, quantity=3, shipment_id=4", "A;SKU-A;5;D1"),
    ] {
        let names = Exchange::by_folder(&[("shipment_has_header", "false"), ("shipment_columns", columns)]);
        names.put("shp_1.csv", row);
        assert_eq!(names.shipments().await.rejected, []);
        names.clock.pass(Duration::from_secs(700));
        let page = names.connector.shipments(&FeedCursor::default()).await.unwrap();
        assert!(page.shipments.is_empty() && page.rejected[0].reason.contains("cut off"), "{columns}: {page:?}");
    }
    // A row without all its columns never is whole, and a figure of a count is not taken for a shorter one.
    let cut = Exchange::by_folder(&[]);
    cut.put("shp_1.csv", format!("{SHIPPED}D1;A;23.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5"));
    cut.put("inv_1.csv", "Item;Site;Free;Physical;Counted\nSKU-A;1;5;5;23.11.2026 07:00:00");
    assert!(cut.shipments().await.rejected.is_empty() && cut.stock().await.rejected.is_empty());
    cut.clock.pass(Duration::from_secs(700));
    let page = cut.connector.shipments(&FeedCursor::default()).await.unwrap();
    assert!(page.shipments.is_empty() && page.rejected[0].reason.contains("cut off"), "{page:?}");
    let page = cut.connector.stock().await.unwrap();
    assert!(page.feeds.is_empty() && page.rejected[0].reason.contains("cut off"), "{page:?}");
    // A count of everything from which the rest is cut off would empty a shop.
    let whole = Exchange::by_folder(&[("full_snapshot", "true")]);
    whole.put("inv_1.csv", "Item;Site;Free;Physical;Counted\nSKU-A;1;5;5;\"23.11.2026 07:00:00\"");
    assert!(whole.stock().await.feeds.is_empty());
    whole.clock.pass(Duration::from_secs(700));
    let page = whole.connector.stock().await.unwrap();
    assert!(page.feeds.is_empty() && page.rejected[0].reason.contains("is not ended"), "{page:?}");
}

/// Numbers of despatches count within their order; what comes again a day later says the same (x12.md §8.5).
#[tokio::test]
async fn one_number_of_two_orders_is_two_shipments() {
    let exchange = Exchange::by_folder(&[]);
    let row = |order: &str, day: &str| format!("D1;{order};{day}.11.2026 07:00:00;UPS;Ground;1;1Z1;1;SKU-A;5;;;PART\n");
    exchange.put("shp_1.csv", format!("{SHIPPED}{}{}", row("A", "23"), row("B", "23")));
    let page = exchange.shipments().await;
    let named: Vec<(&str, &str, bool)> =
        page.shipments.iter().map(|one| (one.reference.as_str(), one.key.as_str(), one.within_order)).collect();
    assert_eq!(named, [("D1", "A", true), ("D1", "B", true)]);
}

#[tokio::test]
async fn files_without_titles_and_in_an_older_encoding() {
    let exchange = Exchange::by_folder(&[
        ("encoding", "windows-1252"),
        ("order_has_header", "false"),
        ("shipment_has_header", "false"),
        ("shipment_columns", "order_number=1, shipped_at=2, sku=3, quantity=4, carrier=5, trailer=END"),
        ("quoting", "needed"),
        ("line_end", "crlf"),
        ("delimiter", "pipe"),
        ("orders_per_file", "1"),
    ]);
    let mut order = request("A");
    order.ship_to.name = "Jos\u{e9}".to_owned();
    let draft = exchange.connector.plan_submit(&[order], at(NOW)).remove(0).unwrap();
    exchange.send(&[draft]).await;
    let written = fs::read(exchange.root.join("in/ORDERS_A_261123063000.csv")).unwrap();
    assert!(written.starts_with(b"A|PO4500|Jos\xe9||1 High St|"), "{}", String::from_utf8_lossy(&written));
    assert!(written.ends_with(b"|2|SKU-LOT|3\r\n"));
    exchange.put(
        "shp_1.csv",
        b"A|2026-11-23T06:00:00Z|SKU-A|1|Caf\xe9\r\nA|2026-11-23T06:00:00Z|SKU-B|2|Caf\xe9\r\nEND|2\r\n",
    );
    let page = exchange.shipments().await;
    let [shipment] = page.shipments.as_slice() else { panic!("{page:?}") };
    assert_eq!((shipment.reference.as_str(), shipment.ship_method.carrier.as_str()), ("20261123T060000Z", "Caf\u{e9}"));
    assert_eq!(shipment.loose.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_set_or_written_is_said() {
    let build = |more: &[(&str, &str)]| {
        let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
        values.extend_from_slice(more);
        let hub = context(HandClock::new(), Arc::new(NoNetwork), None);
        match connectors::find("csv").unwrap().role {
            Role::Warehouse(build) => build(&settings(&values, &[]), &hub).err().map(|error| error.to_string()),
            Role::OrderSource(_) => None,
        }
    };
    assert_eq!(build(&[]), None, "the defaults are whole");
    for least in ["order_number=a, sku=b, quantity=c", "order_number=a"] {
        assert_eq!(build(&[("shipment_columns", least)]), None, "{least}");
    }
    for (values, told) in [
        ([("order_columns", "Order=order_number"), ("quote", "double")], "order_columns: name must be"),
        ([("order_files", "orders.csv"), ("quote", "double")], "order_files: must hold one *"),
        ([("stock_files", "shp_*.csv"), ("quote", "double")], "must differ"),
        ([("stock_columns", "sku=sku"), ("quote", "double")], "available or on_hand"),
        ([("shipment_columns", "sku=sku"), ("quote", "double")], "order_number must be there"),
        ([("dates", "DD/MM"), ("quote", "double")], "year, month and day"),
        ([("decimal", "comma"), ("quote", "none")], "nothing is quoted"),
        ([("orders_per_file", "0"), ("quote", "double")], "from 1 to 1000"),
    ] {
        let problem = build(&values).unwrap_or_default();
        assert!(problem.contains(told), "{values:?}: {problem}");
    }
    let exchange = Exchange::by_folder(&[]);
    let problem = |change: fn(&mut connect::ShipmentRequest)| {
        let mut order = request("BPacme-O1");
        change(&mut order);
        exchange.connector.plan_submit(&[order], at(NOW)).remove(0).unwrap_err()
    };
    assert_eq!(problem(|order| order.ship_to.city = "\u{2028}".to_owned()).address, Some("town"));
    for (told, why) in [
        ("no line", problem(|order| order.lines.clear()).why),
        ("carrier", problem(|order| order.ship_method.carrier.clear()).why),
        ("two-letter", problem(|order| order.ship_to.country = "England".to_owned()).why),
        ("something to ship", problem(|order| order.lines[0].quantity = 0.into()).why),
        ("has no SKU", problem(|order| order.lines[1].sku.clear()).why),
        ("letters, digits", problem(|order| order.key = "A/B".to_owned()).why),
        ("shorten", problem(|order| order.notes = "x".repeat(5000)).why),
    ] {
        assert!(why.contains(told), "{told}: {why}");
    }
    assert!(exchange.connector.plan_cancel("A", &RemoteRef::new("x"), at(NOW)).is_err());
    assert!(exchange.connector.capabilities(EffectKind::CancelRequest).is_none());
}

/// All that is needed to tell what left: whose it is, and how many of what.
#[tokio::test]
async fn where_nothing_names_a_shipment_its_file_does() {
    let columns = ("shipment_columns", "order_number=Order, sku=Item, quantity=Qty");
    let exchange = Exchange::new(&[columns], false);
    let content = "Order;Item;Qty\nBPacme-O1;SKU-A;2\nBPacme-O1;SKU-LOT;1\nBPacme-O2;SKU-A;1\n";
    exchange.put("shp_1.csv", content);
    let first = exchange.shipments().await;
    assert_eq!(first.rejected, []);
    let said = |page: &ShipmentPage| -> Vec<(String, String, usize)> {
        page.shipments.iter().map(|one| (one.key.clone(), one.reference.clone(), one.lines().count())).collect()
    };
    let (of_one, of_two) = match said(&first).as_slice() {
        [(one, reference, 2), (two, other, 1)] if one == "BPacme-O1" && two == "BPacme-O2" => {
            (reference.clone(), other.clone())
        }
        other => panic!("two shipments: {other:?}"),
    };
    assert!(of_one == of_two && of_one.starts_with("shp_1.csv-"), "they count within their orders: {of_one}");
    let again = exchange.connector.shipments(&FeedCursor::default()).await.unwrap();
    assert_eq!(said(&again), said(&first), "read again, it says the same");
    exchange.connector.acknowledge(&first.taken, &[]).await.unwrap();
    // The same again under another name is what left again: two boxes with the same in them are no rarity.
    exchange.put("shp_2.csv", content);
    let second = exchange.shipments().await;
    assert!(said(&second).iter().all(|(_, reference, _)| reference.starts_with("shp_2.csv-")), "{second:?}");
    exchange.connector.acknowledge(&second.taken, &[]).await.unwrap();
    // Other content under the same name is another one, too; the same content is the file that was there before.
    exchange.put("shp_1.csv", content.replace(";2\n", ";3\n"));
    let third = exchange.shipments().await;
    assert!(said(&third).iter().all(|(_, reference, _)| reference.starts_with("shp_1.csv-") && *reference != of_one));
    exchange.connector.acknowledge(&third.taken, &[]).await.unwrap();
    exchange.put("shp_1.csv", content);
    let copy = exchange.shipments().await;
    assert_eq!(said(&copy), said(&first));
    exchange.connector.acknowledge(&copy.taken, &[]).await.unwrap();
    assert_eq!(folder(&exchange.root.join("out/archive")).len(), 4);

    // A hub that lost its memory makes the same of what lies in the archive, under whatever names it was put away.
    let all = |pages: &[&ShipmentPage]| -> BTreeMap<(String, String), usize> {
        let rows = pages.iter().flat_map(|page| said(page));
        rows.map(|(key, reference, lines)| ((key, reference), lines)).collect()
    };
    let found = exchange.connector.shipments_again(at("2020-01-01T00:00:00Z"), &FeedCursor::default()).await.unwrap();
    assert_eq!(found.rejected, []);
    assert_eq!(all(&[&found]), all(&[&first, &second, &third]));
}

/// A warehouse that reports a row for each order, without its goods.
#[tokio::test]
async fn a_row_may_be_all_of_its_order() {
    let columns = ("shipment_columns", "order_number=Order, carrier=Carrier, tracking_number=Tracking");
    let exchange = Exchange::new(&[columns], false);
    exchange.put("shp_1.csv", "Order;Carrier;Tracking\nBPacme-O1;UPS;1Z1\nBPacme-O1;UPS;1Z2\nBPacme-O2;DPD;\n");
    let page = exchange.shipments().await;
    assert_eq!(page.rejected, []);
    let said: Vec<(&str, bool, usize)> =
        page.shipments.iter().map(|one| (one.key.as_str(), one.whole, one.packages.len())).collect();
    assert_eq!(said, [("BPacme-O1", true, 2), ("BPacme-O2", true, 0)]);
    for (wrong, why) in [
        ("order_number=Order, tracking_number=Tracking, quantity=Qty", "quantity is said of goods"),
        ("order_number=Order, tracking_number=Tracking, status=Status", "status is said of goods"),
        ("order_number=Order, tracking_number=Tracking, sku=Item", "sku needs quantity"),
    ] {
        let root = exchange.root.display().to_string();
        let values = [("transport", "folder"), ("folder", root.as_str()), ("shipment_columns", wrong)];
        let hub = context(HandClock::new(), Arc::new(NoNetwork), None);
        let connect::Role::Warehouse(build) = connectors::csv::SPEC.role else { panic!("a warehouse") };
        let error = build(&settings(&values, &[]), &hub).err().expect("it is refused").to_string();
        assert!(error.contains(why), "{wrong}: {error}");
    }
}
