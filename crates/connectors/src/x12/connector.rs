//! The warehouse that is driven with X12 documents in files.
//!
//! An order becomes one file with one interchange, whose control number was taken with its plan: a repeat is the same bytes
//! under the same number and name, so that the receiver's own duplicate check protects both sides.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, Clock, ConnectorError, ConnectorSpec, Delivery, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, FileError, FileErrorKind, FileStore, FoundAgain, Inbound, KeysAgain, Letters,
    Marks, PlanError, Prepared, Probe, Random, RejectedInput, RemoteRef, RequestState, Role, Sent, Settings,
    SettingsError, ShipmentPage, ShipmentRequest, Sighting, Sightings, StockPage, Warehouse, WarehouseCheck,
    WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;

use super::{
    answering::acknowledged,
    channel::{Concern, concern},
    order::Order,
    outgoing::{Outgoing, key_of_file, orders_of},
    profile::{FIELDS, Profile},
    reader::read,
    repeats::{Memory, half_taken},
    taking::Opened,
};
use crate::files::{
    again,
    exchange::is_unfinished,
    mailbox::{LARGEST, Mailbox, equal, json},
    outbox::{Complete, Outbox, Unended, sha256},
    place::{DESTINATION, IN_FOLDER, OUT_FOLDER},
    proof,
    witness::{self, Baseline, Fate},
};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "x12",
    title: "X12 (EDI)",
    summary: "Orders (940), shipping advices (945) and stock reports (846) as X12 documents, in a folder or over SFTP.",
    proven: "a real OpenSSH server; documents against an independent validator; the conversation against no real partner",
    role: Role::Warehouse(build),
    fields: FIELDS,
    destination: DESTINATION,
    show: None,
    documents: Some(super::view::document),
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let profile = Profile::new(settings)?;
    let store = context.files.open(profile.place.location.clone());
    Ok(Arc::new(X12 {
        to: Mailbox {
            store: Arc::clone(&store),
            place: profile.place.place.clone(),
            folder: profile.place.in_folder.clone(),
            random: Arc::clone(&context.random),
        },
        from: Outbox::new(
            Arc::clone(&store),
            Arc::clone(&context.clock),
            &profile.place.out_folder,
            profile.place.archive,
            Box::new(|_, content| is_whole(content)),
            context.waits,
        ),
        random: Arc::clone(&context.random),
        clock: Arc::clone(&context.clock),
        marks: Arc::clone(&context.marks),
        store,
        profile,
    }))
}

/// A document that is cut off has no end of its interchange. What is wrong otherwise will not become right by waiting.
fn is_whole(content: &[u8]) -> Result<(), Unended> {
    match read(content) {
        Err(broken) if broken.note == "023" || content.len() < SHORTEST => {
            Err(Unended { why: broken.why, readable: false })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Shorter than the head of an interchange.
const SHORTEST: usize = 106;

fn is_ours(name: &str) -> bool {
    !is_unfinished(name)
}

struct X12 {
    profile: Profile,
    store: Arc<dyn FileStore>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    marks: Arc<dyn Marks>,
    to: Mailbox,
    from: Outbox,
}

/// What a cancel that was delivered has come to.
fn asked(mut reference: RemoteRef, kind: EffectKind) -> RemoteRef {
    if kind == EffectKind::CancelRequest {
        reference = reference.with("outcome", "asked");
    }
    reference
}

impl X12 {
    async fn prepare_one(&self, effect: &Effect) -> Result<Prepared, ConnectorError> {
        if self.capabilities(effect.kind).is_none() {
            return Err(ConnectorError::unsupported("there is no document for this"));
        }
        let impossible = |why: &str| Ok(Prepared::Impossible { why: why.to_owned() });
        let Ok(outgoing) = serde_json::from_str::<Outgoing>(&effect.body) else {
            return impossible("its document cannot be read back; plan it again");
        };
        let Some(number) = effect.number else {
            return impossible("it was planned without a control number; plan it again");
        };
        let (name, text) = outgoing.file(number);
        let (target, content) = (format!("{}/{name}", self.to.folder), text.into_bytes());
        if let Some(tried) = Baseline::tried(effect, &self.to.place) {
            let same = tried.target == target && tried.sha256 == sha256(&content);
            let fate = witness::fate(&*self.store, &tried).await?;
            match fate {
                // The same file once more: whichever attempt renames it, it is published once.
                Fate::Waits if same && witness::holds(&*self.store, &tried.temp, &content).await? => {
                    return Ok(match self.lies_there(&name, &content).await? {
                        Some(found) => found,
                        None => Prepared::Ready { baseline: json(&tried)? },
                    });
                }
                Fate::Published => return Ok(equal(&tried)),
                // Another attempt must not come late any more; if it did just now, it is what was sent.
                Fate::Waits | Fate::Withdrawn => {
                    if witness::withdraw(&*self.store, &tried).await? == Fate::Published {
                        return Ok(equal(&tried));
                    }
                }
            }
        }
        if let Some(found) = self.lies_there(&name, &content).await? {
            return Ok(found);
        }
        let baseline = self.to.put(target, &content, vec![effect.key.clone()]).await?;
        Ok(Prepared::Ready { baseline: json(&baseline)? })
    }

    /// The files with something for a channel, with what was taken in before of those that stand in them.
    async fn open<'a>(
        &self,
        files: &'a [Complete],
        not_of: Concern,
    ) -> Result<(Vec<Opened<'a>>, Memory), ConnectorError> {
        let every = files.iter().map(|file| self.profile.open(file));
        let opened: Vec<Opened<'a>> = every.filter(|one| one.concern() != not_of).collect();
        let interchanges = opened.iter().flat_map(|one| &one.interchanges);
        let shared = opened.iter().filter_map(|one| one.shared.as_deref());
        let memory = Memory::of(interchanges, shared, &*self.marks, self.clock.now()).await?;
        Ok((opened, memory))
    }

    /// Acknowledgements that a lost journal may have sent. One that is not found is sent again: that a group is acknowledged a
    /// second time tells its sender nothing new.
    async fn find_acknowledgements(
        &self,
        effects: &[Armed],
        since: Timestamp,
    ) -> Result<Vec<FoundAgain>, ConnectorError> {
        let is_one = |name: &str| name.starts_with("997_") && name.ends_with(".edi");
        let memory = again::orders(&self.to, since, is_one, acknowledged).await?;
        let one = |armed: &Armed| {
            let outgoing = serde_json::from_str::<Outgoing>(&armed.effect.body).ok();
            let said = outgoing.and_then(|outgoing| acknowledged(outgoing.text_alone().as_bytes()).into_iter().next());
            let (group, said) = said.ok_or_else(|| ConnectorError::unexpected("its document cannot be read back"))?;
            Ok(match memory.of(&group, &said, |there| there.verdict == said.verdict) {
                found @ FoundAgain::Seen(Probe::Equal(_)) => found,
                FoundAgain::Seen(Probe::Many(mut several)) => match several.pop() {
                    Some(last) => FoundAgain::Seen(Probe::Equal(last)),
                    None => FoundAgain::Seen(Probe::Absent),
                },
                _ => FoundAgain::Seen(Probe::Absent),
            })
        };
        effects.iter().map(one).collect()
    }

    /// The orders and cancels that files of the window hold.
    async fn orders_again(&self, since: Timestamp) -> Result<again::Memory<Order>, ConnectorError> {
        let is_order = |name: &str| key_of_file(name).is_some();
        let by_key = |content: &[u8]| orders_of(content).into_iter().map(|order| (order.key.clone(), order));
        again::orders(&self.to, since, is_order, by_key).await
    }

    /// What lies under the final name, or in the archive under it; `None` when nothing does.
    async fn lies_there(&self, name: &str, content: &[u8]) -> Result<Option<Prepared>, ConnectorError> {
        for path in [format!("{}/{name}", self.to.folder), format!("{}/archive/{name}", self.to.folder)] {
            let reference = RemoteRef::new(name);
            let there = match self.store.read(&path, LARGEST).await {
                Ok(there) => there,
                Err(FileError { kind: FileErrorKind::NotFound, .. }) => continue,
                Err(FileError { kind: FileErrorKind::Refused, .. }) => match self.store.stat(&path).await? {
                    Some(_) => Vec::new(),
                    None => continue,
                },
                Err(error) => return Err(error.into()),
            };
            return Ok(Some(Prepared::Found(if there == content {
                Probe::Equal(reference)
            } else {
                Probe::Different {
                    reference,
                    difference: format!("{path} is there already and is not what would be written"),
                }
            })));
        }
        Ok(None)
    }
}

#[async_trait]
impl Effects for X12 {
    /// C1 as in every exchange of files: a given temporary file can be renamed only once.
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        let can = match kind {
            EffectKind::SubmitRequest => true,
            EffectKind::CancelRequest => self.profile.cancel.is_some(),
            EffectKind::Acknowledge => self.profile.answering.groups,
            _ => false,
        };
        can.then_some(Capabilities { classes: &[Capability::IdempotencyKey], index_lag: Duration::ZERO })
    }

    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let mut prepared = Vec::with_capacity(effects.len());
        for effect in effects {
            prepared.push(match self.prepare_one(effect).await? {
                Prepared::Found(Probe::Equal(reference)) => {
                    Prepared::Found(Probe::Equal(asked(reference, effect.kind)))
                }
                other => other,
            });
        }
        Ok(prepared)
    }

    // A rename that comes late is known by its witness, so that no clock decides about it.
    async fn send(&self, batch: &[Armed], _until: Duration) -> Delivery {
        let mut delivery = self.to.send(batch).await;
        for (outcome, armed) in delivery.outcomes.iter_mut().zip(batch) {
            if let Sent::Accepted { reference } = outcome {
                *reference = reference.take().map(|reference| asked(reference, armed.effect.kind));
            }
        }
        delivery
    }

    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        let probes = self.to.probe(effects).await?;
        let with = |(probe, armed): (Probe, &Armed)| match probe {
            Probe::Equal(reference) => Probe::Equal(asked(reference, armed.effect.kind)),
            other => other,
        };
        Ok(probes.into_iter().zip(effects).map(with).collect())
    }

    async fn find_again(&self, effects: &[Armed], since: Timestamp) -> Result<Vec<FoundAgain>, ConnectorError> {
        if effects.iter().all(|armed| armed.effect.kind == EffectKind::Acknowledge) {
            return self.find_acknowledgements(effects, since).await;
        }
        let memory = self.orders_again(since).await?;
        let one = |armed: &Armed| {
            let order = serde_json::from_str::<Outgoing>(&armed.effect.body).ok().and_then(|outgoing| outgoing.order());
            let order = order.ok_or_else(|| ConnectorError::unexpected("its document cannot be read back"))?;
            // A cancel of the same key is another document.
            Ok(match memory.of(&order.key, &order, |there| there.status == order.status) {
                FoundAgain::Seen(Probe::Equal(reference)) => {
                    FoundAgain::Seen(Probe::Equal(asked(reference, armed.effect.kind)))
                }
                other => other,
            })
        };
        effects.iter().map(one).collect()
    }
}

#[async_trait]
impl Warehouse for X12 {
    fn takes_from(&self) -> Option<String> {
        Some(self.profile.place.takes_from())
    }

    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        let place = &self.profile.place;
        let mut check = WarehouseCheck::default();
        if place.host_key_missing() {
            proof::host_key(&*self.store, &mut check).await?;
            return Ok(check);
        }
        let orders = proof::list(&*self.store, &place.in_folder, &IN_FOLDER).await?;
        check.reached.push(format!("The folder for orders ({}) holds {} files.", place.in_folder, orders.len()));
        let results = proof::list(&*self.store, &place.out_folder, &OUT_FOLDER).await?;
        check.reached.push(format!("The folder for results ({}) holds {} files.", place.out_folder, results.len()));
        proof::prove(&*self.store, (&*self.random, place.their_clock(&*self.clock)), &place.in_folder, &mut check)
            .await?;
        if place.archive {
            for folder in ["archive", "rejected"] {
                self.store.create_folder(&format!("{}/{folder}", place.out_folder)).await?;
            }
            check.reached.push(format!("Files that were read go to {0}/archive and {0}/rejected.", place.out_folder));
        }
        let envelope = &self.profile.envelope;
        if !self.profile.answering.groups {
            check.reached.push("What the warehouse sends is not acknowledged.".to_owned());
        }
        check.reached.push(format!(
            "Documents go from {} {} to {} {}, version {}, {}.",
            envelope.sender.qualifier,
            envelope.sender.id,
            envelope.receiver.qualifier,
            envelope.receiver.id,
            envelope.version,
            if envelope.test { "as tests" } else { "in production" }
        ));
        Ok(check)
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        match self.profile.cancel {
            Some(_) => &[WarehouseFeature::Stock, WarehouseFeature::Cancel, WarehouseFeature::CancelUnanswered],
            None => &[WarehouseFeature::Stock],
        }
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], now: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        requests.iter().map(|request| self.profile.plan_order(request, now)).collect()
    }

    fn plan_release(&self, _: &str, _: &RemoteRef) -> Option<EffectDraft> {
        None
    }

    fn plan_cancel(&self, key: &str, _: &RemoteRef, now: Timestamp) -> Result<EffectDraft, PlanError> {
        self.profile.plan_cancelling(key, now)
    }

    /// The cursor is the name of the last file while one reading is spread over several pages; which files are new is for the
    /// folder to say.
    async fn shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let mut reading = self.from.read(is_ours, cursor.0.as_deref()).await?;
        // A count that was cut off is told by the stock channel, and says nothing of what left.
        reading.rejected.retain(|rejected| concern(&rejected.input.content, &[]) != Concern::Stock);
        let mut page = ShipmentPage {
            more: reading.more_after.is_some() || reading.incomplete,
            next: FeedCursor(reading.more_after),
            rejected: reading.rejected,
            ..ShipmentPage::default()
        };
        let (opened, mut memory) = self.open(&reading.files, Concern::Stock).await?;
        for one in &opened {
            self.profile.take(one, &mut memory, &mut page);
        }
        page.letters.known_for = Some(self.profile.numbers_again);
        Ok(page)
    }

    /// Of one whose cancel is there too nobody knows whether it came too late.
    async fn keys_again(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        Ok(self.orders_again(since).await?.keys(head))
    }

    async fn shipments_again(&self, since: Timestamp, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let out = &self.profile.place.out_folder;
        let found = again::put_away(&*self.store, out, since, cursor.0.as_deref(), is_ours).await?;
        let mut page = ShipmentPage { more: found.more, next: FeedCursor(found.last), ..ShipmentPage::default() };
        // All of it was known once, and is to be known again; what was answered is not answered a second time.
        let mut memory = Memory::empty(self.clock.now());
        let every = found.files.iter().map(|file| self.profile.open(file));
        for one in every.filter(|one| one.concern() != Concern::Stock) {
            self.profile.take(&one, &mut memory, &mut page);
        }
        page.letters = Letters::default();
        Ok(page)
    }

    /// A folder can be looked into, and the warehouse behind it cannot be asked: order files that still lie there are seen;
    /// one that has been taken says nothing more, and not finding it proves nothing.
    async fn sightings(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let mut sightings = Sightings::blind(
            "a file exchange cannot be asked: only order files that were not taken yet can be seen in the folder",
        );
        for entry in self.store.list(&self.to.folder).await? {
            let Some(key) = key_of_file(&entry.name).filter(|key| keys.iter().any(|known| known == key)) else {
                continue;
            };
            let there = sightings.found.entry(key.to_owned()).or_insert_with(|| Sighting {
                references: Vec::new(),
                state: RequestState::Waiting,
                left: Vec::new(),
                since: None,
            });
            // A cancel lies beside the order it is for, and is not a second one.
            if there.references.is_empty() {
                there.references.push(entry.name);
            }
        }
        Ok(sightings)
    }

    async fn stock(&self) -> Result<StockPage, ConnectorError> {
        let mut reading = self.from.read(is_ours, None).await?;
        // Told here, another file that was cut off would be no input that says what left, and no count would wait for it.
        reading.rejected.retain(|rejected| concern(&rejected.input.content, &[]) == Concern::Stock);
        let mut page = StockPage { rejected: reading.rejected, ..StockPage::default() };
        let (opened, mut memory) = self.open(&reading.files, Concern::Shipments).await?;
        for one in &opened {
            self.profile.take_stock(one, &mut memory, &mut page);
        }
        page.letters.known_for = Some(self.profile.numbers_again);
        page.feeds.sort_by(|a, b| (a.cut_off, &a.reference).cmp(&(b.cut_off, &b.reference)));
        Ok(page)
    }

    /// A file with something for both channels goes when both have kept their part: a crash before that finds it again.
    async fn acknowledge(&self, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), ConnectorError> {
        let hashes = taken.iter().map(|input| input.content_hash.as_str());
        let half_taken = half_taken(hashes, &*self.marks).await?;
        let done = taken.iter().filter(|input| !half_taken.contains(&input.content_hash));
        self.from.put_away(&done.cloned().collect::<Vec<_>>(), rejected).await
    }

    async fn parse_webhook(&self, _: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        Err(ConnectorError::unsupported("an exchange of files does not call"))
    }
}
