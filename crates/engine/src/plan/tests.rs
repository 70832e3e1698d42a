mod properties;

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Address, Allocation, BundleRole, GoodsOutNote, LineStock, NoteRow, NoteState, Order, OrderLine, Product, Progress,
    ShipMethod,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{Facts, Plan, PlannedRequest, Tables, decide, note_rows};
use crate::{
    order::Disposition,
    settings::{ConnectionSettings, StartMode, UnmappedSku},
};

const OURS: i64 = 2;
const OTHERS: i64 = 3;
const READY: i64 = 10;
const CANCELLED: i64 = 19;
const METHOD: i64 = 70;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn number(value: i64) -> Decimal {
    Decimal::from(value)
}

/// An order line of product `100 + row_id`, SKU `S{row_id}`.
fn row(row_id: i64, quantity: i64) -> OrderLine {
    OrderLine {
        row_id,
        product_id: Some(100 + row_id),
        sku: format!("S{row_id}"),
        name: format!("Thing {row_id}"),
        quantity: number(quantity),
        unit_price: None,
        stock: LineStock::Stocked,
        bundle: BundleRole::None,
        sequence: row_id * 10,
    }
}

fn note(note_id: i64, warehouse_id: i64, rows: &[(i64, i64)]) -> GoodsOutNote {
    GoodsOutNote {
        note_id,
        order_id: 5,
        warehouse_id,
        transfer: false,
        state: NoteState::Unshipped,
        shipped_at: None,
        created_by: 4,
        created_at: at("2026-03-01T09:00:00Z"),
        release_at: None,
        ship_method_id: 0,
        reference: String::new(),
        version: 1,
        rows: rows
            .iter()
            .map(|(row_id, quantity)| NoteRow {
                row_id: *row_id,
                product_id: 100 + row_id,
                quantity: number(*quantity),
            })
            .collect(),
    }
}

fn shipped(note: GoodsOutNote) -> GoodsOutNote {
    GoodsOutNote { state: NoteState::Shipped, shipped_at: Some(at("2026-03-01T10:00:00Z")), ..note }
}

/// Everything a decision follows from, owned. Starts as an order that is requested whole.
#[derive(Debug, Clone)]
struct World {
    settings: ConnectionSettings,
    listings: BTreeMap<String, String>,
    kits: BTreeMap<String, Vec<(String, Decimal)>>,
    ship_methods: BTreeMap<i64, ShipMethod>,
    locations: BTreeMap<String, i64>,
    names: BTreeMap<i64, String>,
    order: Order,
    notes: Vec<GoodsOutNote>,
    drop_shipped: BTreeMap<i64, Decimal>,
    drop_ship_unread: Option<&'static str>,
    known_notes: BTreeSet<i64>,
    goes_again: bool,
    products: BTreeMap<i64, Product>,
}

impl World {
    fn new(lines: Vec<OrderLine>) -> Self {
        Self {
            settings: ConnectionSettings {
                import_statuses: BTreeSet::from([READY]),
                warehouse: Some(OURS),
                ..ConnectionSettings::default()
            },
            listings: (1..20).map(|row| (format!("S{row}"), format!("W{row}"))).collect(),
            kits: BTreeMap::new(),
            ship_methods: BTreeMap::from([(METHOD, method("UPS"))]),
            locations: BTreeMap::new(),
            names: BTreeMap::from([(71, "Van".to_owned())]),
            order: Order {
                order_id: 5,
                parent_id: None,
                version: 1,
                reference: "PO-1".to_owned(),
                status_id: READY,
                warehouse_id: Some(OURS),
                channel_id: Some(1),
                ship_method_id: Some(METHOD),
                placed_at: at("2026-03-01T08:00:00Z"),
                updated_at: None,
                deliver_on: None,
                notes: String::new(),
                is_sale: true,
                allocation: Allocation::All,
                fulfilment: Progress::None,
                shipping: Progress::None,
                deliver_to: Address::default(),
                bill_to: Address::default(),
                lines,
            },
            notes: Vec::new(),
            drop_shipped: BTreeMap::new(),
            drop_ship_unread: None,
            known_notes: BTreeSet::new(),
            goes_again: false,
            products: BTreeMap::new(),
        }
    }

    fn note_mode(mut self) -> Self {
        self.settings.start_mode = StartMode::GoodsOutNote;
        self.settings.import_statuses.clear();
        self
    }

    fn with_notes(mut self, notes: Vec<GoodsOutNote>) -> Self {
        self.notes = notes;
        self
    }

    fn plan(&self) -> Plan {
        decide(&Facts {
            account: "acme",
            settings: &self.settings,
            tables: Tables {
                listings: &self.listings,
                kits: &self.kits,
                ship_methods: &self.ship_methods,
                locations: &self.locations,
                ship_method_names: &self.names,
            },
            cancelled_status: Some(CANCELLED),
            order: &self.order,
            notes: &self.notes,
            drop_shipped: &self.drop_shipped,
            drop_ship_unread: self.drop_ship_unread,
            known_notes: &self.known_notes,
            goes_again: self.goes_again,
            products: &self.products,
        })
    }

    fn requests(&self) -> Vec<PlannedRequest> {
        let plan = self.plan();
        assert_eq!(plan.disposition, Disposition::Requested);
        plan.requests
    }

    /// The kind of a disposition that is not *requested*, with its reason.
    fn refused(&self) -> (&'static str, String) {
        let plan = self.plan();
        assert!(plan.requests.is_empty());
        (plan.disposition.kind(), plan.disposition.reason().to_owned())
    }
}

fn method(carrier: &str) -> ShipMethod {
    ShipMethod { carrier: carrier.to_owned(), service: String::new() }
}

fn product(product_id: i64, sku: &str, stock_tracked: bool, components: &[(i64, i64)]) -> Product {
    Product {
        product_id,
        sku: sku.to_owned(),
        stock_tracked,
        archived: false,
        components: components.iter().map(|(id, each)| (*id, number(*each))).collect(),
    }
}

/// (row, warehouse SKU, quantity) of each line.
fn lines(request: &PlannedRequest) -> Vec<(i64, &str, i64)> {
    request.lines.iter().map(|line| (line.row_id, line.sku.as_str(), line.quantity.try_into().unwrap())).collect()
}

#[test]
fn whole_order_is_requested() {
    let requests = World::new(vec![row(2, 1), row(1, 3)]).requests();
    let [request] = requests.as_slice() else { panic!("one request, not {requests:?}") };
    assert_eq!(request.key, "BPacme-O5");
    assert_eq!(request.note_id, None);
    assert_eq!(request.warehouse_id, Some(OURS));
    assert_eq!(request.ship_method, method("UPS"));
    assert_eq!(lines(request), [(1, "W1", 3), (2, "W2", 1)]);
    assert_eq!(request.lines.iter().map(|line| line.line_number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(request.lines[0].product_id, 101);
}

#[test]
fn every_filter_names_itself() {
    type Change = fn(&mut World);
    let cases: [(&str, &str, Change); 9] = [
        ("skipped", "not a sales order", |world| world.order.is_sale = false),
        ("cancelled", "cancelled in Brightpearl", |world| world.order.status_id = CANCELLED),
        ("skipped", "filter statuses", |world| world.order.status_id = 11),
        ("skipped", "filter warehouses", |world| world.order.warehouse_id = Some(OTHERS)),
        ("skipped", "filter warehouses", |world| world.order.warehouse_id = None),
        ("skipped", "filter channels", |world| world.settings.channels = BTreeSet::from([9])),
        ("skipped", "filter channels", |world| {
            world.settings.channels = BTreeSet::from([1]);
            world.order.channel_id = None;
        }),
        ("skipped", "filter order date", |world| world.settings.placed_from = Some(at("2026-03-01T08:00:01Z"))),
        ("skipped", "shipped already", |world| world.order.shipping = Progress::All),
    ];
    for (kind, words, change) in cases {
        let mut world = World::new(vec![row(1, 1)]);
        change(&mut world);
        let (found, reason) = world.refused();
        assert_eq!(found, kind, "{reason}");
        assert!(reason.contains(words), "{reason:?} does not say {words:?}");
    }
}

#[test]
fn filters_let_in_what_they_name() {
    let mut world = World::new(vec![row(1, 1)]);
    world.settings.channels = BTreeSet::from([1, 2]);
    world.settings.placed_from = Some(world.order.placed_at);
    world.settings.import_warehouses = BTreeSet::from([OURS, OTHERS]);
    world.order.warehouse_id = Some(OTHERS);
    assert_eq!(world.requests().len(), 1);
}

#[test]
fn status_set_for_one_request_does_not_stop_the_other() {
    let mut world = World::new(vec![row(1, 2)]).with_notes(vec![note(77, OURS, &[(1, 1)])]);
    world.settings.at_warehouse_status = Some(12);
    world.order.status_id = 12;
    assert_eq!(world.refused().0, "skipped", "the hub has sent nothing, so somebody else moved the order on");
    world.known_notes.insert(77);
    assert_eq!(world.requests().len(), 2);
}

/// A supplier sends what is on a drop-ship note, which is no goods-out note and counts as fulfilled all the same.
#[test]
fn what_a_supplier_sends_is_not_asked_for() {
    let mut world = World::new(vec![row(1, 3), row(2, 1)]);
    world.drop_shipped = BTreeMap::from([(2, number(1))]);
    assert_eq!(lines(&world.requests()[0]), [(1, "W1", 3)]);
    world.drop_shipped = BTreeMap::from([(1, number(2)), (2, number(1))]);
    assert_eq!(lines(&world.requests()[0]), [(1, "W1", 1)]);
    world.drop_shipped = BTreeMap::from([(1, number(3)), (2, number(1))]);
    assert_eq!(world.refused().0, "skipped");
}

#[test]
fn what_a_supplier_sends_of_an_order_must_be_known() {
    let mut world = World::new(vec![row(1, 3), row(2, 1)]);
    world.drop_ship_unread = Some("CMNC-403 not permitted");
    let (state, why) = world.refused();
    assert_eq!(state, "waiting");
    assert!(why.contains("CMNC-403 not permitted") && why.contains("right to read"), "{why}");
    // Where notes ask for all of it, nothing is left to ask for.
    world.notes = vec![note(77, OURS, &[(1, 3), (2, 1)])];
    assert_eq!(world.requests().len(), 1);
}

/// An open note of another warehouse may be deleted, and nothing on the order need show that it was: it is read again.
#[test]
fn an_order_that_another_warehouse_has_in_hand_is_waited_for() {
    let mut world = World::new(vec![row(1, 1)]).with_notes(vec![note(77, OTHERS, &[(1, 1)])]);
    assert_eq!(world.refused().0, "waiting");
    world.notes = vec![shipped(note(77, OTHERS, &[(1, 1)]))];
    assert_eq!(world.refused().0, "skipped");
}

#[test]
fn waits_for_allocation() {
    for (allocation, words) in [
        (Allocation::None, "not allocated"),
        (Allocation::Part, "partly allocated"),
        (Allocation::NotRequired, "not worked out"),
    ] {
        let mut world = World::new(vec![row(1, 1)]);
        world.order.allocation = allocation;
        let (kind, reason) = world.refused();
        assert_eq!(kind, "waiting");
        assert!(reason.contains(words), "{reason}");
        // A noted part does not go without the rest, which nothing would send afterwards.
        let mut noted = World::new(vec![row(1, 2)]).with_notes(vec![note(77, OURS, &[(1, 1)])]);
        noted.order.allocation = allocation;
        assert_eq!(noted.refused().0, "waiting");
        // A note holds its goods by itself.
        noted.order.lines[0].quantity = number(1);
        assert_eq!(noted.requests().len(), 1);
        assert_eq!(noted.note_mode().requests().len(), 1);
    }
}

#[test]
fn only_goods_kept_in_stock_are_asked_for() {
    let mut free_text = row(2, 1);
    free_text.product_id = None;
    free_text.stock = LineStock::FreeText;
    let mut service = row(3, 1);
    service.stock = LineStock::NotStocked;
    let mut read_service = row(4, 1);
    read_service.stock = LineStock::Unknown;
    let mut read_goods = row(5, 2);
    read_goods.stock = LineStock::Unknown;
    let refund = row(6, -1);
    let nothing = row(7, 0);
    let mut world = World::new(vec![row(1, 1), free_text, service, read_service, read_goods, refund, nothing]);
    world.products = BTreeMap::from([(104, product(104, "S4", false, &[])), (105, product(105, "S5", true, &[]))]);
    assert_eq!(lines(&world.requests()[0]), [(1, "W1", 1), (5, "W5", 2)]);

    world.order.lines.retain(|line| line.row_id != 1 && line.row_id != 5);
    assert_eq!(world.refused(), ("skipped", "nothing on it is kept in stock".to_owned()));

    world.products.clear();
    let (kind, reason) = world.refused();
    assert_eq!(kind, "held");
    assert!(reason.contains("product 104 on row 4 does not exist"), "{reason}");
}

#[test]
fn of_a_bundle_the_components_are_sent() {
    let mut parent = row(1, 1);
    parent.bundle = BundleRole::Parent;
    let mut child = row(2, 4);
    child.bundle = BundleRole::Child(1);
    let world = World::new(vec![parent.clone(), child]);
    assert_eq!(lines(&world.requests()[0]), [(2, "W2", 4)]);

    // A source document that does not say so: the product does.
    parent.bundle = BundleRole::None;
    parent.stock = LineStock::Unknown;
    let mut alone = World::new(vec![parent, row(3, 1)]);
    alone.products.insert(101, product(101, "S1", false, &[(102, 4)]));
    let (kind, reason) = alone.refused();
    assert_eq!(kind, "held");
    assert!(reason.contains("bundle (S1) without component rows"), "{reason}");
}

#[test]
fn kits_are_exploded() {
    let mut world = World::new(vec![row(1, 2), row(2, 3)]);
    world.kits.insert("S1".to_owned(), vec![("P".to_owned(), number(2)), ("Q".to_owned(), number(1))]);
    let requests = world.requests();
    assert_eq!(lines(&requests[0]), [(1, "P", 4), (1, "Q", 2), (2, "W2", 3)]);
    let rows: Vec<_> = note_rows(&requests[0].lines).into_iter().map(|row| (row.row_id, row.quantity)).collect();
    assert_eq!(rows, [(1, number(2)), (2, number(3))]);

    for parts in [vec![], vec![("P".to_owned(), Decimal::ZERO)], vec![(" ".to_owned(), number(1))]] {
        world.kits.insert("S1".to_owned(), parts);
        let (kind, reason) = world.refused();
        assert_eq!(kind, "held");
        assert!(reason.contains("kit S1"), "{reason}");
    }
}

#[test]
fn unmapped_skus_are_held_or_passed_through() {
    let mut world = World::new(vec![row(1, 1), row(30, 1), row(31, 1)]);
    let (kind, reason) = world.refused();
    assert_eq!(kind, "held");
    assert!(reason.contains("SKU S30 ") && reason.contains("SKU S31 ") && !reason.contains("SKU S1 "), "{reason}");
    world.listings.insert("S30".to_owned(), " ".to_owned());
    assert!(world.refused().1.contains("SKU S30 "), "a blank listing maps nothing");
    world.settings.unmapped_sku = UnmappedSku::PassThrough;
    assert_eq!(lines(&world.requests()[0]), [(1, "W1", 1), (30, "S30", 1), (31, "S31", 1)]);

    // The row's SKU is a snapshot; where it is blank the product's own counts, and without one nothing can be sent.
    world.order.lines.truncate(1);
    world.order.lines[0].sku = String::new();
    assert!(world.refused().1.contains("row 1 (Thing 1) has no SKU"));
    world.products.insert(101, product(101, "S2", true, &[]));
    assert_eq!(lines(&world.requests()[0]), [(1, "W2", 1)]);
}

#[test]
fn shipping_method_is_mapped_or_the_default() {
    let mut world = World::new(vec![row(1, 2)]);
    world.order.ship_method_id = Some(71);
    assert!(world.refused().1.contains("shipping method Van is not mapped"));
    world.order.ship_method_id = Some(0);
    assert!(world.refused().1.contains("it has no shipping method"));
    world.settings.default_ship_method = Some(method("POST"));
    assert_eq!(world.requests()[0].ship_method, method("POST"));
    world.order.ship_method_id = Some(METHOD);
    assert_eq!(world.requests()[0].ship_method, method("UPS"));
    // The note's own method goes before the order's.
    world.ship_methods.insert(72, method("DHL"));
    let mut given = note(77, OURS, &[(1, 1)]);
    given.ship_method_id = 72;
    world.notes.push(given);
    let methods: Vec<_> = world.requests().into_iter().map(|request| request.ship_method).collect();
    assert_eq!(methods, [method("DHL"), method("UPS")]);
}

#[test]
fn in_note_mode_the_note_is_the_request() {
    let mut transfer = note(80, OURS, &[(1, 1)]);
    transfer.transfer = true;
    let notes =
        vec![note(78, OURS, &[(2, 1)]), note(77, OURS, &[(1, 1), (1, 1)]), note(79, OTHERS, &[(1, 1)]), transfer];
    let mut world = World::new(vec![row(1, 3), row(2, 1)]).note_mode().with_notes(notes);
    // Neither status nor the order's own warehouse nor its allocation matter: the note says what leaves.
    world.order.status_id = 99;
    world.order.warehouse_id = Some(OTHERS);
    world.order.allocation = Allocation::Part;
    let requests = world.requests();
    let keys: Vec<_> = requests.iter().map(|request| (request.key.as_str(), request.note_id)).collect();
    assert_eq!(keys, [("BPacme-O5-G77", Some(77)), ("BPacme-O5-G78", Some(78))]);
    assert_eq!(lines(&requests[0]), [(1, "W1", 2)]);
    assert_eq!(lines(&requests[1]), [(2, "W2", 1)]);

    world.notes.retain(|note| note.transfer || note.warehouse_id == OTHERS);
    assert_eq!(world.refused().0, "waiting");
    world.notes.push(shipped(note(81, OURS, &[(1, 1)])));
    assert_eq!(world.refused().0, "skipped");
}

#[test]
fn a_note_that_does_not_fit_the_order_is_held() {
    for (notes, words) in [
        (vec![note(77, OURS, &[(9, 1)])], "names row 9"),
        (vec![note(77, OURS, &[(1, 3)])], "ask for 3, but 2 are ordered"),
        (vec![note(77, OURS, &[(1, 1)]), shipped(note(78, OTHERS, &[(1, 2)]))], "ask for 3, but 2 are ordered"),
        (vec![note(77, OURS, &[(1, -1)])], "not a whole number"),
        (vec![note(77, OURS, &[(1, 0)])], "nothing on it can be shipped"),
    ] {
        for world in [World::new(vec![row(1, 2)]), World::new(vec![row(1, 2)]).note_mode()] {
            let mut world = world.with_notes(notes.clone());
            // In order mode nothing else is to be asked for.
            world.order.lines[0].quantity = number(2);
            if world.settings.start_mode == StartMode::Order && words.starts_with("nothing") {
                continue;
            }
            let (kind, reason) = world.refused();
            assert_eq!(kind, "held", "{reason}");
            assert!(reason.contains(words), "{reason}");
        }
    }
}

#[test]
fn in_order_mode_notes_reduce_the_rest() {
    let mut transfer = note(90, OTHERS, &[(1, 4)]);
    transfer.transfer = true;
    type Asked<'a> = Vec<(i64, &'a str, i64)>;
    let cases: [(Vec<GoodsOutNote>, Vec<Asked<'_>>); 5] = [
        // Another warehouse ships some of it.
        (vec![note(77, OTHERS, &[(1, 3)])], vec![vec![(1, "W1", 2), (2, "W2", 1)]]),
        // Part-shipped: only the rest.
        (vec![shipped(note(77, OURS, &[(1, 5)]))], vec![vec![(2, "W2", 1)]]),
        // Made by others for us before anything was forwarded: it is the request, beside the rest.
        (vec![note(77, OURS, &[(1, 2)])], vec![vec![(1, "W1", 2)], vec![(1, "W1", 3), (2, "W2", 1)]]),
        // It covers everything.
        (vec![note(77, OURS, &[(1, 5), (2, 1)])], vec![vec![(1, "W1", 5), (2, "W2", 1)]]),
        // A transfer is no goods-out of the order.
        (vec![transfer], vec![vec![(1, "W1", 5), (2, "W2", 1)]]),
    ];
    for (notes, expected) in cases {
        let world = World::new(vec![row(1, 5), row(2, 1)]).with_notes(notes);
        let requests = world.requests();
        assert_eq!(requests.iter().map(lines).collect::<Vec<_>>(), expected);
        let keys: BTreeSet<&str> = requests.iter().map(|request| request.key.as_str()).collect();
        assert_eq!(keys.len(), requests.len(), "each request has its own key");
    }
    let gone = World::new(vec![row(1, 5)]).with_notes(vec![shipped(note(77, OTHERS, &[(1, 5)]))]);
    assert_eq!(gone.refused().0, "skipped");
}

#[test]
fn split_off_order_is_an_order_of_its_own() {
    let mut world = World::new(vec![row(1, 1)]);
    world.order.order_id = 6;
    world.order.parent_id = Some(5);
    assert_eq!(world.requests()[0].key, "BPacme-O6");
}

#[test]
fn same_sku_on_two_rows_keeps_two_lines() {
    let mut second = row(2, 1);
    second.sku = "S1".to_owned();
    assert_eq!(lines(&World::new(vec![row(1, 2), second]).requests()[0]), [(1, "W1", 2), (2, "W1", 1)]);
}

#[test]
fn warehouse_comes_from_the_locations_table_first() {
    let mut world = World::new(vec![row(1, 1)]);
    world.settings.import_warehouses = BTreeSet::from([OURS, OTHERS]);
    world.order.warehouse_id = Some(OTHERS);
    let place = |world: &World| {
        let request = world.requests().remove(0);
        (request.warehouse_id, request.facility)
    };
    assert_eq!(place(&world), (Some(OURS), None), "Warehouse Name where the table says nothing");
    world.locations = BTreeMap::from([("North".to_owned(), OURS), ("South".to_owned(), OTHERS)]);
    assert_eq!(place(&world), (Some(OTHERS), Some("South".to_owned())));
    world.settings.facility = Some("North".to_owned());
    assert_eq!(place(&world), (Some(OURS), Some("North".to_owned())));
    world.settings.facility = None;
    world.locations.insert("South 2".to_owned(), OTHERS);
    assert_eq!(place(&world), (Some(OTHERS), None), "of two facilities the warehouse chooses");
    world.notes.push(note(77, OURS, &[(1, 1)]));
    assert_eq!(place(&world), (Some(OURS), Some("North".to_owned())), "a note says where it leaves from");
    world.notes.clear();
    world.locations.clear();
    world.settings.warehouse = None;
    assert_eq!(place(&world), (Some(OTHERS), None), "else the order's own");
}
