//! X12 documents that are damaged: read in every way there is, and through the folder of a warehouse.

use std::time::Duration;

use connect::{BuildContext, Clock as _, FeedCursor, Waits};
use connectors::x12::{Acknowledgement, Adjustment, Advice, Inventory, Order, Receipt, answer, read};
use rand::RngExt as _;
use simulators::fuzz::{Form, damaged};

use super::{
    campaign,
    dsfx::Shelf,
    replay::{Dial, Replay, context},
    runtime, said,
};
use crate::hub::{at, settings, warehouse};

/// Between whom the sample documents go.
pub const PARTIES: [(&str, &str); 2] = [("our_id", "BPMERCHANT"), ("their_id", "THREEPL")];

/// The sample documents, marked for production.
pub fn documents() -> Vec<Vec<u8>> {
    let mut documents = Vec::new();
    for folder in ["reference", "collected"] {
        let path = super::folder().join("../../../../fixtures/x12").join(folder);
        let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for name in names {
            let text = String::from_utf8(std::fs::read(name).unwrap()).unwrap();
            documents.push(text.replace("*0*T*", "*0*P*").into_bytes());
        }
    }
    documents
}

/// Nothing ends the program, and every refusal has words.
fn parse(content: &[u8]) -> Result<(), String> {
    let interchanges = match read(content) {
        Ok(interchanges) => interchanges,
        Err(broken) if broken.why.trim().is_empty() => return Err("refused without a word".to_owned()),
        Err(_) => return Ok(()),
    };
    for interchange in &interchanges {
        if interchange.findings.iter().any(|finding| finding.words.trim().is_empty() || finding.at == 0) {
            return Err("a finding without words or place".to_owned());
        }
        for group in &interchange.groups {
            answer(group, &interchange.findings, |_| None, true);
        }
        for (_, set) in interchange.sets() {
            let refused = [
                Order::read(set).err(),
                Advice::read(set).err(),
                Inventory::read(set).err(),
                Adjustment::read(set).err(),
                Receipt::read(set).err(),
                Acknowledgement::read(set).err(),
            ];
            if refused.iter().flatten().any(|broken| broken.why.trim().is_empty()) {
                return Err("a document is refused without a word".to_owned());
            }
        }
    }
    Ok(())
}

/// One file in the warehouse's folder, looked at by both channels until one has taken it in or set it aside.
async fn exchange(content: &[u8]) -> Result<(), String> {
    let (shelf, dial) = (Shelf::default(), Dial::at(at("2026-11-23T06:30:00Z")));
    let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
    values.extend(PARTIES);
    let context = BuildContext {
        files: std::sync::Arc::new(shelf.clone()),
        ..context(Replay::new(&[]), dial.clone(), Waits::default())
    };
    let connector = warehouse("x12", &settings(&values, &[]), &context);
    shelf.put("out/1.edi", content);
    let (mut taken, mut set_aside) = (0, 0);
    for _ in 0..3 {
        let page = said(connector.shipments(&FeedCursor::default()).await)?.ok_or("reading the folder failed")?;
        let stock = said(connector.stock().await)?.ok_or("reading the folder failed")?;
        if page.taken.is_empty() && !(page.shipments.is_empty() && page.states.is_empty()) {
            return Err("a file that was not taken in gave shipments".to_owned());
        }
        if stock.taken.is_empty() && !stock.feeds.is_empty() {
            return Err("a file that was not taken in gave figures".to_owned());
        }
        if page.shipments.iter().flat_map(|shipment| shipment.lines()).any(|line| line.quantity <= 0.into()) {
            return Err("less than nothing left".to_owned());
        }
        if page.shipments.iter().any(|shipment| shipment.key.is_empty() || shipment.reference.is_empty()) {
            return Err("a shipment of nothing".to_owned());
        }
        let physical = stock.feeds.iter().flat_map(|feed| &feed.levels).filter_map(|level| level.physical);
        if physical.into_iter().any(|physical| physical < 0.into()) {
            return Err("less than nothing lies on a shelf".to_owned());
        }
        let rejected: Vec<_> = page.rejected.iter().chain(&stock.rejected).cloned().collect();
        if rejected.iter().any(|rejected| rejected.reason.trim().is_empty()) {
            return Err("a file was set aside without a reason".to_owned());
        }
        taken += page.taken.len() + stock.taken.len();
        // Both channels say so of one that is not whole.
        set_aside += usize::from(rejected.iter().any(|rejected| rejected.input.name == "1.edi"));
        said(connector.acknowledge(&page.taken, &page.rejected).await)?;
        said(connector.acknowledge(&stock.taken, &stock.rejected).await)?;
        dial.sleep(Duration::from_secs(650)).await;
    }
    match (taken, set_aside) {
        (1, 0) | (0, 1) => Ok(()),
        (taken, rejected) => Err(format!("one file was taken in {taken} times and set aside {rejected} times")),
    }
}

#[test]
fn x12_documents() {
    let (documents, runtime) = (documents(), runtime());
    assert!(documents.len() > 30, "the sample documents are there");
    for document in &documents {
        parse(document).unwrap();
        runtime.block_on(exchange(document)).unwrap();
    }
    campaign("x12_documents").run(
        |dice| {
            let document = &documents[dice.random_range(0..documents.len())];
            let donor = &documents[dice.random_range(0..documents.len())];
            damaged(Form::Text, document, &[donor.as_slice()], dice)
        },
        |input| {
            parse(input)?;
            runtime.block_on(exchange(input))
        },
    );
}
