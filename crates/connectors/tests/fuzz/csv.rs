//! Files of a warehouse with a layout of its own, damaged: rows are used or set aside one by one.

use std::{sync::Arc, time::Duration};

use connect::{BuildContext, Clock as _, FeedCursor, Sample, SampleKind, Waits};
use rand::RngExt as _;
use simulators::fuzz::{Form, damaged};

use super::{
    campaign,
    dsfx::{Layout, Shelf},
    replay::{Dial, Replay, context},
    runtime, said,
};
use crate::hub::{at, settings, warehouse};

const SHIPMENTS: &str = "Despatch No;Order;Despatched;Parcel;Tracking;Item;Qty;Lot;Serials;Status\n\
    D1;BPacme-O1;23.11.2026 07:00:00;1;1Z999AA1;SKU-A;2;L1;;PART\n\
    D1;BPacme-O1;23.11.2026 07:00:00;2;1Z999AA2;SKU-B;1,5;;A1;PART\n\
    D2;BPacme-O2;23.11.2026 08:00:00;;;\"SKU; \"\"odd\"\"\";3;;;COMPLETE\n\
    D3;BPacme-O3;23.11.2026 08:00:00;;;SKU-A;0;;;CANCELLED\n";
const STOCK: &str = "Item;Site;Free;Physical;Counted\n\
    SKU-A;1;5;7;23.11.2026 07:00:00\nSKU-B;1;0;0;23.11.2026 07:00:00\n\"SKU; C\";2;12,5;13;23.11.2026 07:00:00\n";
const BARE_SHIPMENTS: &str = "BPacme-O1|2026-11-22|SKU-A|2\nBPacme-O2|2026-11-22|SKU-A|2\nTRAILER|2\n";
const BARE_STOCK: &str = "SKU-A|5|4\nSKU-B|-1|4\nTRAILER|2|4\n";

pub fn layouts() -> [Layout; 3] {
    let titled = vec![
        (
            "shipment_columns",
            "shipment_id=Despatch No, order_number=Order, shipped_at=Despatched, package_number=Parcel, \
             tracking_number=Tracking, sku=Item, quantity=Qty, lot=Lot, serial=Serials, status=Status",
        ),
        ("stock_columns", "sku=Item, facility_id=Site, available=Free, on_hand=Physical, counted_at=Counted"),
        ("delimiter", "semicolon"),
        ("decimal", "comma"),
        ("dates", "DD.MM.YYYY HH:mm:ss"),
    ];
    let mut other = titled.clone();
    other.extend([("encoding", "windows-1252"), ("full_snapshot", "true"), ("after_reading", "keep")]);
    let bare = vec![
        ("shipment_columns", "order_number=1, shipped_at=2, sku=3, quantity=4, trailer=TRAILER"),
        ("shipment_has_header", "false"),
        ("stock_columns", "sku=1, available=2, trailer=TRAILER, sequence=3"),
        ("stock_has_header", "false"),
        ("delimiter", "pipe"),
        ("quote", "none"),
    ];
    [(titled, [SHIPMENTS, STOCK]), (other, [SHIPMENTS, STOCK]), (bare, [BARE_SHIPMENTS, BARE_STOCK])]
}

/// One file, looked at until it must have been taken in or set aside, and shown to the person who describes it.
async fn read(layout: u8, is_stock: bool, content: &[u8]) -> Result<(), String> {
    let (shelf, dial) = (Shelf::default(), Dial::at(at("2026-11-23T06:30:00Z")));
    let layouts = layouts();
    let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
    values.extend_from_slice(&layouts[usize::from(layout) % layouts.len()].0);
    let settings = settings(&values, &[]);
    let context =
        BuildContext { files: Arc::new(shelf.clone()), ..context(Replay::new(&[]), dial.clone(), Waits::default()) };
    let connector = warehouse("csv", &settings, &context);
    let name = if is_stock { "inv_1.csv" } else { "shp_1.csv" };
    let kind = if is_stock { SampleKind::Stock } else { SampleKind::Shipments };
    let sample = Sample { kind, name, content, written_at: at("2026-11-23T06:00:00Z") };
    let shown = connectors::csv::SPEC.show.unwrap()(&settings, &sample).map_err(|error| error.to_string())?;
    shelf.put(&format!("out/{name}"), content);
    let (mut taken, mut set_aside, mut found) = (0, 0, 0);
    for _ in 0..3 {
        let rejected = if is_stock {
            let page = said(connector.stock().await)?.ok_or("the folder works, and reading it failed")?;
            if page.feeds.len() != page.taken.len() {
                return Err("a file that was not taken in gave figures".to_owned());
            }
            let levels = || page.feeds.iter().flat_map(|feed| &feed.levels);
            if levels().any(|level| level.sku.is_empty() || level.physical.is_some_and(|units| units < 0.into())) {
                return Err("figures of no SKU, or below nothing".to_owned());
            }
            if page.feeds.iter().any(|feed| feed.absent_is_zero)
                && page.rejected.iter().any(|one| one.input.name != name)
            {
                return Err("a SKU that was set aside counts as none".to_owned());
            }
            found += page.feeds.len();
            taken += page.taken.len();
            said(connector.acknowledge(&page.taken, &page.rejected).await)?;
            page.rejected
        } else {
            let page = said(connector.shipments(&FeedCursor::default()).await)?.ok_or("reading the folder failed")?;
            if page.taken.is_empty() && !(page.shipments.is_empty() && page.states.is_empty()) {
                return Err("a file that was not taken in gave shipments".to_owned());
            }
            if page.shipments.iter().flat_map(|shipment| shipment.lines()).any(|line| line.quantity <= 0.into()) {
                return Err("less than nothing left".to_owned());
            }
            if page.shipments.iter().any(|shipment| shipment.key.is_empty() || shipment.reference.is_empty()) {
                return Err("a shipment of nothing".to_owned());
            }
            found += page.shipments.len() + page.states.len();
            taken += page.taken.len();
            said(connector.acknowledge(&page.taken, &page.rejected).await)?;
            page.rejected
        };
        if rejected.iter().any(|rejected| rejected.reason.trim().is_empty() || rejected.input.content_hash.is_empty()) {
            return Err("something was set aside without a reason, or without what it was".to_owned());
        }
        set_aside += rejected.iter().filter(|rejected| rejected.input.name == name).count();
        dial.sleep(Duration::from_secs(550)).await;
    }
    if !matches!((taken, set_aside), (1, 0) | (0, 1)) {
        return Err(format!("one file was taken in {taken} times and set aside {set_aside} times"));
    }
    // A file whose end is missing is never taken, and is shown as what it would be with it.
    if taken == 1 && shown.found.is_empty() != (found == 0) {
        return Err(format!("what is shown is not what is read: {shown:?}"));
    }
    Ok(())
}

#[test]
fn csv_files() {
    let (layouts, runtime) = (layouts(), runtime());
    for (layout, (_, files)) in layouts.iter().enumerate() {
        for (which, content) in files.iter().enumerate() {
            runtime.block_on(read(u8::try_from(layout).unwrap(), which == 1, content.as_bytes())).unwrap();
        }
    }
    campaign("csv_files").run(
        |dice| {
            let (layout, which) = (dice.random_range(0..layouts.len()), dice.random_range(0..2_usize));
            let mut input = vec![u8::try_from(layout).unwrap(), u8::try_from(which).unwrap()];
            input.extend(damaged(Form::Csv, layouts[layout].1[which].as_bytes(), &[SHIPMENTS.as_bytes()], dice));
            input
        },
        |input| match input {
            [layout, which, content @ ..] => runtime.block_on(read(*layout, *which == 1, content)),
            _ => Err("the input is too short".to_owned()),
        },
    );
}
