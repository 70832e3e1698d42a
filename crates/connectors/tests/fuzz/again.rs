//! Files that a hub which lost its memory reads again (docs/recovery.md), damaged: those it sent itself, which lie in the archive
//! of the warehouse, and those of the warehouse that were put away.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use connect::{
    Armed, BuildContext, Clock as _, EffectDraft, EffectKind, FeedCursor, FoundAgain, PlanError, Probe, RemoteRef,
    Sent, Waits, Warehouse,
};
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::Value;
use simulators::fuzz::{Form, damaged};

use super::{
    campaign, csv,
    dsfx::{self, Layout, Shelf},
    replay::{Dial, Replay, SEND_BY, context},
    runtime, said, x12,
};
use crate::hub::{arm, at, effects, request, settings, warehouse};

/// The orders that were sent, and the SKUs of each.
const KEYS: [&str; 2] = ["BPacme-O1", "BPacme-O2"];
const SKUS: [&str; 2] = ["SKU-A", "SKU-LOT"];

/// When everything happens.
fn now() -> Timestamp {
    at("2026-11-23T06:30:00Z")
}

/// From when on it is looked for.
fn since() -> Timestamp {
    at("2026-11-23T00:00:00Z")
}

/// A warehouse that is driven by files.
struct Exchange {
    platform: &'static str,
    values: Vec<(&'static str, &'static str)>,
    /// What a file of the warehouse is called.
    name: &'static str,
    /// Files of the warehouse.
    files: Vec<Vec<u8>>,
    form: Form,
}

/// A file that was sent, and what the hub has of it that lost its memory.
struct Lost {
    name: String,
    content: Vec<u8>,
    effects: Vec<Armed>,
}

fn of_rows(platform: &'static str, (values, [shipments, _]): Layout) -> Exchange {
    let files = vec![shipments.as_bytes().to_vec()];
    Exchange { platform, values, name: "shp_1.csv", files, form: Form::Csv }
}

fn exchanges() -> Vec<Exchange> {
    let mut all: Vec<Exchange> = dsfx::layouts().into_iter().map(|layout| of_rows("dsfx", layout)).collect();
    all.extend(csv::layouts().into_iter().map(|layout| of_rows("csv", layout)));
    let (values, files) = (x12::PARTIES.to_vec(), x12::documents());
    all.push(Exchange { platform: "x12", values, name: "1.edi", files, form: Form::Text });
    all
}

fn planned(drafts: Vec<Result<EffectDraft, PlanError>>) -> Vec<EffectDraft> {
    drafts.into_iter().map(Result::unwrap).collect()
}

impl Exchange {
    fn open(&self, shelf: &Shelf, dial: &Arc<Dial>) -> Arc<dyn Warehouse> {
        let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
        values.extend_from_slice(&self.values);
        let context = BuildContext {
            files: Arc::new(shelf.clone()),
            ..context(Replay::new(&[]), dial.clone(), Waits::default())
        };
        warehouse(self.platform, &settings(&values, &[]), &context)
    }

    /// Sends what travels in one file.
    async fn send(&self, drafts: &[EffectDraft]) -> Lost {
        let (shelf, dial) = (Shelf::default(), Dial::at(now()));
        let connector = self.open(&shelf, &dial);
        let effects = effects(drafts);
        let prepared = connector.prepare(&effects).await.unwrap();
        let armed = arm(&effects, &prepared);
        let outcomes = connector.send(&armed, SEND_BY).await.outcomes;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Sent::Accepted { .. })), "{outcomes:?}");
        let sent = shelf.files().into_iter().find(|(path, _)| path.starts_with("in/") && !path.ends_with(".part"));
        let (path, content) = sent.unwrap();
        let effects = armed.into_iter().map(|armed| Armed { baseline: Value::Null, ..armed }).collect();
        Lost { name: path.trim_start_matches("in/").to_owned(), content, effects }
    }

    /// Everything that may have been sent, a file of each kind.
    async fn sent(&self) -> Vec<Lost> {
        let (shelf, dial) = (Shelf::default(), Dial::at(now()));
        let connector = self.open(&shelf, &dial);
        if self.platform != "x12" {
            return vec![self.send(&planned(connector.plan_submit(&KEYS.map(request), now()))).await];
        }
        let order = planned(connector.plan_submit(&[request(KEYS[0])], now()));
        let cancel = connector.plan_cancel(KEYS[0], &RemoteRef::new("940"), now()).unwrap();
        vec![self.send(&order).await, self.send(&[cancel]).await, self.send(&[self.acknowledgement().await]).await]
    }

    /// What acknowledges the first of the warehouse's documents that is acknowledged.
    async fn acknowledgement(&self) -> EffectDraft {
        for file in &self.files {
            let (shelf, dial) = (Shelf::default(), Dial::at(now()));
            let connector = self.open(&shelf, &dial);
            shelf.put("out/1.edi", file);
            // A file is read once it has stayed as it is.
            for _ in 0..2 {
                let page = connector.shipments(&FeedCursor::default()).await.unwrap();
                if let Some(answer) = page.letters.answers.into_iter().next() {
                    return answer;
                }
                dial.sleep(Duration::from_secs(650)).await;
            }
        }
        panic!("none of the documents is acknowledged")
    }

    /// Looks for what was sent, where the archive holds this in the place of its file. Gives how many were found as they were sent.
    async fn find(&self, lost: &Lost, content: &[u8]) -> Result<usize, String> {
        let (shelf, dial) = (Shelf::default(), Dial::at(now()));
        let connector = self.open(&shelf, &dial);
        shelf.put(&format!("in/archive/{}", lost.name), content);
        let there = shelf.files();
        let found = said(connector.find_again(&lost.effects, since()).await)?;
        let found = found.ok_or("the folder works, and looking into it failed")?;
        if found.len() != lost.effects.len() {
            return Err(format!("{} findings of {} effects", found.len(), lost.effects.len()));
        }
        // Quotes and ends of lines may stand around and between cells.
        let text = String::from_utf8_lossy(content).replace(['"', '\r', '\n'], "");
        let mut equal = 0;
        for (armed, found) in lost.effects.iter().zip(&found) {
            let key = armed.effect.key.as_str();
            let told = match armed.effect.kind {
                EffectKind::SubmitRequest => vec![key, SKUS[0], SKUS[1]],
                EffectKind::CancelRequest => vec![key],
                _ => Vec::new(),
            };
            match found {
                FoundAgain::Seen(Probe::Equal(reference)) if reference.id != lost.name => {
                    return Err(format!("{key} is found in {reference:?}, which is not there"));
                }
                FoundAgain::Seen(Probe::Equal(_)) => {
                    if let Some(word) = told.into_iter().find(|word| !text.contains(word)) {
                        return Err(format!("{key} is found as it was sent, and {word} does not stand in the file"));
                    }
                    equal += 1;
                }
                FoundAgain::Seen(Probe::Absent | Probe::Different { .. } | Probe::Many(_)) => {}
                other => return Err(format!("{other:?}, and the archive was looked into")),
            }
        }
        let listed = said(connector.keys_again("BPacme-", since()).await)?;
        let listed = listed.ok_or("the folder works, and listing it failed")?;
        // What is not UTF-8 is read as something else than it is shown as here.
        let stands = |key: &str| !key.is_ascii() || text.contains(&key.replace(['"', '\r', '\n'], ""));
        if let Some(key) = listed.keys.iter().find(|key| !key.starts_with("BPacme-") || !stands(key)) {
            return Err(format!("{key} is told, and does not stand in the file"));
        }
        if shelf.files() != there {
            return Err("looking has changed the folder".to_owned());
        }
        // Not taken yet, it is seen where the warehouse is asked what it has.
        shelf.put(&format!("in/{}", lost.name), content);
        let keys = [KEYS[0].to_owned()];
        let sightings = said(connector.sightings(&keys).await)?.ok_or("looking into the folder failed")?;
        match sightings.found.keys().find(|key| !keys.contains(key)) {
            Some(key) => Err(format!("{key} is seen, and nobody asked for it")),
            None => Ok(equal),
        }
    }

    /// Reads again what the warehouse wrote, where this was put away. Gives how much it told.
    async fn read(&self, content: &[u8]) -> Result<usize, String> {
        let (shelf, dial) = (Shelf::default(), Dial::at(now()));
        let connector = self.open(&shelf, &dial);
        shelf.put(&format!("out/archive/{}", self.name), content);
        let there = shelf.files();
        let page = said(connector.shipments_again(since(), &FeedCursor::default()).await)?;
        let page = page.ok_or("the folder works, and reading it again failed")?;
        if page.shipments.iter().flat_map(|shipment| shipment.lines()).any(|line| line.quantity <= 0.into()) {
            return Err("less than nothing left".to_owned());
        }
        if page.shipments.iter().any(|shipment| shipment.key.is_empty() || shipment.reference.is_empty()) {
            return Err("a shipment of nothing".to_owned());
        }
        if page.rejected.iter().any(|rejected| rejected.reason.trim().is_empty()) {
            return Err("a file was set aside without a reason".to_owned());
        }
        if !page.letters.is_empty() {
            return Err("what was answered is answered a second time".to_owned());
        }
        if page.more || page.next != FeedCursor(Some(self.name.to_owned())) {
            return Err(format!("one file was read, and reading goes on from {:?}", page.next));
        }
        let rest = said(connector.shipments_again(since(), &page.next).await)?.ok_or("reading on failed")?;
        if rest.more || !rest.shipments.is_empty() || !rest.states.is_empty() {
            return Err("a file was read twice".to_owned());
        }
        match shelf.files() == there {
            true => Ok(page.shipments.len() + page.states.len()),
            false => Err("reading again has changed the folder".to_owned()),
        }
    }
}

#[test]
fn files_again() {
    let runtime = runtime();
    let all: Vec<(Exchange, Vec<Lost>)> = exchanges()
        .into_iter()
        .map(|exchange| {
            let sent = runtime.block_on(exchange.sent());
            (exchange, sent)
        })
        .collect();
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for (exchange, sent) in &all {
        for lost in sent {
            let found = runtime.block_on(exchange.find(lost, &lost.content));
            assert_eq!(found, Ok(lost.effects.len()), "undamaged {} of {}", lost.name, exchange.platform);
        }
        for file in &exchange.files {
            *told.entry(exchange.platform).or_default() += runtime.block_on(exchange.read(file)).unwrap();
        }
    }
    assert!(told.values().all(|told| *told > 0), "undamaged files tell something: {told:?}");
    // The first byte says which warehouse it is, the second which file: one of those that were sent, else one of its own.
    campaign("files_again").run(
        |dice| {
            let place = dice.random_range(0..all.len());
            let (exchange, sent) = &all[place];
            let which = dice.random_range(0..=sent.len());
            let content = match sent.get(which) {
                Some(lost) => &lost.content,
                None => &exchange.files[dice.random_range(0..exchange.files.len())],
            };
            let donor = &exchange.files[dice.random_range(0..exchange.files.len())];
            let mut input = vec![u8::try_from(place).unwrap(), u8::try_from(which).unwrap()];
            input.extend(damaged(exchange.form, content, &[donor.as_slice(), sent[0].content.as_slice()], dice));
            input
        },
        |input| match input {
            [place, which, content @ ..] => {
                let (exchange, sent) = &all[usize::from(*place) % all.len()];
                let ended = match sent.get(usize::from(*which)) {
                    Some(lost) => runtime.block_on(exchange.find(lost, content)),
                    None => runtime.block_on(exchange.read(content)),
                };
                ended.map(drop)
            }
            _ => Err("the input is too short".to_owned()),
        },
    );
}
