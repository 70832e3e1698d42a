//! Plays the scenarios over a connector.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use connect::{
    Armed, Clock as _, Effect, EffectDraft, EffectKind, FeedCursor, FoundAgain, Prepared, Probe, RemoteRef,
    RequestState, Sent, Shipment, Warehouse, WarehouseFeature,
};
use rust_decimal::Decimal;
use simulators::audit::{Units, WarehouseOrder};

use super::{
    classes,
    harness::{Can, Does, Entry, Opening, Site, Trouble},
    scenarios::{SCENARIOS, Scenario, Step},
};
use crate::hub::{at, effect, request};

const NOW: &str = "2026-11-23T06:30:00Z";
/// Longer than any wait after an unknown outcome, and than any lag of a search.
pub const QUIET: Duration = Duration::from_secs(600);

/// Everything, over one connector.
pub async fn every_scenario(entry: &Entry) {
    let left_out = scenarios(entry, |_| true).await;
    troubles(entry).await;
    classes::every_class(entry).await;
    #[expect(clippy::print_stdout, reason = "shown when asked for")]
    {
        println!("{}: not expressed by its system: {}", entry.platform, left_out.join(", "));
    }
}

/// Those of stock alone, for an entry that differs from another one in how stock is read.
pub async fn stock_scenarios(entry: &Entry) {
    let left_out = scenarios(entry, |scenario| scenario.steps.contains(&Step::Count)).await;
    assert_eq!(left_out, Vec::<String>::new(), "{}", entry.platform);
}

/// Plays these scenarios. Names of what the system cannot express.
async fn scenarios(entry: &Entry, chosen: fn(&Scenario) -> bool) -> Vec<String> {
    let mut left_out = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| chosen(scenario)) {
        if let Some(need) = scenario.needs.iter().find(|need| !entry.can.contains(need)) {
            left_out.push(format!("{} ({need:?})", scenario.name));
            continue;
        }
        let mut play = Play::new(
            entry,
            scenario.name,
            Opening {
                tracked: [Can::NameLotsAndSerials, Can::NameLotsOrSerials]
                    .iter()
                    .any(|tracked| scenario.needs.contains(tracked)),
                calls: [Can::Call, Can::CallAtASecretAddress].iter().any(|call| scenario.needs.contains(call)),
            },
        )
        .await;
        play.scenario(scenario).await;
    }
    left_out
}

/// Unknown outcomes of each kind, throttles and ended sign-ins, for every effect that is declared.
async fn troubles(entry: &Entry) {
    for trouble in
        [Trouble::LostAfter, Trouble::LostBefore, Trouble::Throttled, Trouble::SignInEnded, Trouble::Nonsense]
    {
        let expressed = match trouble {
            Trouble::LostAfter | Trouble::LostBefore => true,
            Trouble::Throttled => entry.can.contains(&Can::Throttle),
            Trouble::SignInEnded => entry.can.contains(&Can::EndASignIn),
            Trouble::Nonsense => entry.can.contains(&Can::AnswerNonsense),
        };
        for (kind, _) in entry.declares.iter().filter(|_| expressed) {
            let mut play = Play::new(entry, &format!("{trouble:?} of {kind}"), Opening::default()).await;
            play.trouble(trouble, *kind).await;
        }
    }
}

/// One connector with its simulator, and what was done with them so far.
pub struct Play<'e> {
    pub entry: &'e Entry,
    pub site: Box<dyn Site>,
    pub(super) name: String,
    numbers: u32,
    /// What was sent last, by kind and key.
    sent: BTreeMap<(EffectKind, String), Armed>,
    references: BTreeMap<String, RemoteRef>,
    pub(super) cursor: FeedCursor,
    pub(super) read: BTreeMap<String, Shipment>,
    pub(super) states: BTreeMap<String, RequestState>,
    pub(super) held: Vec<String>,
    /// Answers to messages that were read.
    pub(super) answers: Vec<EffectDraft>,
}

impl<'e> Play<'e> {
    pub async fn new(entry: &'e Entry, name: &str, opening: Opening) -> Self {
        Self {
            entry,
            site: (entry.open)(opening).await,
            name: format!("{}: {name}", entry.platform),
            numbers: 0,
            sent: BTreeMap::new(),
            references: BTreeMap::new(),
            cursor: FeedCursor::default(),
            read: BTreeMap::new(),
            states: BTreeMap::new(),
            held: Vec::new(),
            answers: Vec::new(),
        }
    }

    pub fn warehouse(&self) -> Arc<dyn Warehouse> {
        Arc::clone(self.site.warehouse())
    }

    pub fn declares(&self, kind: EffectKind) -> bool {
        self.entry.declares.iter().any(|(known, _)| *known == kind)
    }

    pub(super) fn can(&self, can: Can) -> bool {
        self.entry.can.contains(&can)
    }

    pub async fn scenario(&mut self, scenario: &Scenario) {
        for step in scenario.steps {
            self.step(*step).await;
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Order(key) => self.order(key).await,
            Step::Put(key) => self.put(key).await,
            Step::SendAgain(key) => self.send_again(key).await,
            Step::LookAgain(key) => {
                let found = self.look(key, false).await;
                assert!(matches!(found, FoundAgain::Seen(Probe::Equal(_))), "{}: {found:?}", self.name);
                let (warehouse, since) = (self.warehouse(), at("2020-01-01T00:00:00Z"));
                let ours = warehouse.keys_again("BPacme-", since).await.unwrap();
                let others = warehouse.keys_again("BPother-", since).await.unwrap();
                assert_eq!(ours.keys.contains(key), self.can(Can::ListWhatItHas), "{}: {ours:?}", self.name);
                assert!(others.keys.is_empty(), "{}: {others:?}", self.name);
            }
            Step::LookChanged(key) => {
                let found = self.look(key, true).await;
                assert!(matches!(found, FoundAgain::Seen(Probe::Different { .. })), "{}: {found:?}", self.name);
            }
            Step::Cancel(key) => self.cancel(key).await,
            Step::CancelLate(key) => self.cancel_late(key).await,
            Step::Work(key, does) => {
                self.site.take_in();
                self.site.work(key, does);
            }
            Step::Read(key, count, last) => self.shipments(key, count, last).await,
            Step::Boxes(key, count) => {
                let boxes: usize = self.of(key).iter().map(|shipment| shipment.packages.len()).sum();
                assert_eq!(boxes, count, "{}", self.name);
                if self.can(Can::NameBoxes) {
                    assert!(self.of(key).iter().all(|shipment| shipment.loose.is_empty()), "{}", self.name);
                }
            }
            Step::TrackedApart(key) => {
                let lines = self.lines(key);
                let of = |sku: &str| lines.iter().filter(|line| line.sku == sku).cloned().collect::<Vec<_>>();
                let serials: BTreeSet<String> = of("SKU-A").into_iter().flat_map(|line| line.serials).collect();
                assert_eq!(serials.len(), 5, "{}: {lines:?}", self.name);
                assert!(of("SKU-A").iter().all(|line| line.lot.is_none()), "{}: {lines:?}", self.name);
                let lots = of("SKU-LOT");
                assert!(!lots.is_empty() && lots.iter().all(|line| line.lot.as_deref() == Some("L1")), "{}", self.name);
                assert!(lots.iter().all(|line| line.serials.is_empty()), "{}: {lots:?}", self.name);
            }
            Step::Tracked(key) => {
                let lines = self.lines(key);
                let tracked: Vec<_> = lines.iter().filter(|line| line.sku == "SKU-LOT").collect();
                let serials: BTreeSet<&str> =
                    tracked.iter().flat_map(|line| line.serials.iter().map(String::as_str)).collect();
                assert_eq!(serials.len(), 3, "{}: {tracked:?}", self.name);
                assert!(tracked.iter().all(|line| line.lot.as_deref() == Some("L1")), "{}: {tracked:?}", self.name);
            }
            Step::Substituted(key) => {
                self.read_all().await;
                let passed_off = self
                    .of(key)
                    .iter()
                    .flat_map(|shipment| shipment.lines().cloned().collect::<Vec<_>>())
                    .any(|line| line.sku == "SKU-A");
                assert!(!passed_off, "{}: {:?}", self.name, self.read);
                let told = self.of(key).iter().any(|shipment| shipment.lines().any(|line| line.sku == "SKU-B"));
                assert!(told || !self.held.is_empty(), "{}: it was lost", self.name);
            }
            Step::GivenUp(key) => {
                self.read_all().await;
                assert!(self.is_cancelled(key), "{}: {:?}", self.name, self.states.get(key));
                assert!(self.of(key).is_empty(), "{}", self.name);
            }
            Step::ReadAgain => self.read_again().await,
            Step::Once(key) => self.once(key),
            Step::Count => self.count().await,
            Step::Shelve(sku, units) => self.site.shelve(sku, units.into()),
            Step::Disorder => self.site.disorder(),
            Step::Nonsense => self.nonsense().await,
            Step::Call => self.call().await,
            Step::CallsInDisorder => self.calls_in_disorder().await,
        }
    }

    /// As the journal would: at once where a repeat is safe, otherwise not before a look, which finds what is there.
    async fn send_again(&mut self, key: &str) {
        let armed = self.last(EffectKind::SubmitRequest, key);
        let can = self.warehouse().capabilities(EffectKind::SubmitRequest).expect("it takes orders");
        if can.repeat_is_safe() {
            let sent = self.send(&Armed { attempt: 2, ..armed.clone() }).await;
            // Whatever it says: it must not be told that another one was made.
            if let Sent::Accepted { reference: Some(reference) } = &sent {
                assert_eq!(reference.id, self.references[key].id, "{}", self.name);
            }
        }
        let again = self.prepare(&Effect { tried: Some(armed.baseline), ..armed.effect }).await;
        assert!(matches!(again, Prepared::Found(Probe::Equal(_))), "{}: {again:?}", self.name);
    }

    /// The effect as the journal would have it: a running number is taken once.
    pub fn effect(&mut self, draft: &EffectDraft) -> Effect {
        let number = draft.numbering.as_ref().map(|_| {
            self.numbers += 1;
            self.numbers
        });
        Effect { number, ..effect(draft) }
    }

    pub async fn prepare(&self, effect: &Effect) -> Prepared {
        let prepared = self.warehouse().prepare(std::slice::from_ref(effect)).await;
        prepared.unwrap_or_else(|error| panic!("{}: {error}", self.name)).remove(0)
    }

    pub async fn ready(&self, effect: &Effect) -> Armed {
        match self.prepare(effect).await {
            Prepared::Ready { baseline } => {
                Armed { effect: effect.clone(), baseline, attempt: 1, armed_at: self.site.clock().now() }
            }
            other => panic!("{}: {} is not ready: {other:?}", self.name, effect.kind),
        }
    }

    pub async fn send(&self, armed: &Armed) -> Sent {
        let until = self.site.clock().monotonic() + Duration::from_secs(30);
        let delivery = self.warehouse().send(std::slice::from_ref(armed), until).await;
        assert_eq!(delivery.outcomes.len(), 1, "{}: one outcome each", self.name);
        delivery.outcomes.into_iter().next().unwrap()
    }

    pub async fn probe(&self, armed: &Armed) -> Probe {
        let probes = self.warehouse().probe(std::slice::from_ref(armed)).await;
        probes.unwrap_or_else(|error| panic!("{}: {error}", self.name)).remove(0)
    }

    /// Prepared, sent, accepted, and found there.
    pub async fn done(&mut self, draft: &EffectDraft) -> RemoteRef {
        let effect = self.effect(draft);
        let armed = self.ready(&effect).await;
        let sent = self.send(&armed).await;
        let Sent::Accepted { reference } = sent else { panic!("{}: {sent:?}", self.name) };
        self.sent.insert((draft.kind, draft.key.clone()), armed.clone());
        self.site.clock().pass(QUIET);
        match self.probe(&armed).await {
            Probe::Equal(found) => reference.unwrap_or(found),
            // Which field moves is not documented everywhere; the answer said yes.
            Probe::Absent if draft.kind == EffectKind::ReleaseRequest => reference.unwrap_or(RemoteRef::new("")),
            other => panic!("{}: {} was accepted and is {other:?}", self.name, draft.kind),
        }
    }

    pub fn plan(&self, key: &str) -> EffectDraft {
        let mut plans = self.warehouse().plan_submit(&[request(key)], at(NOW));
        plans.remove(0).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub async fn put(&mut self, key: &str) {
        let draft = self.plan(key);
        let reference = self.done(&draft).await;
        self.references.insert(key.to_owned(), reference);
        self.site.take_in();
    }

    pub async fn order(&mut self, key: &str) {
        self.put(key).await;
        if let Some(draft) = self.warehouse().plan_release(key, &self.references[key].clone()) {
            assert!(self.declares(EffectKind::ReleaseRequest), "{}: it plans what it does not declare", self.name);
            self.done(&draft).await;
        } else {
            assert!(!self.declares(EffectKind::ReleaseRequest), "{}: it declares what it does not plan", self.name);
        }
        self.site.take_in();
    }

    /// The plan of an effect for an order that is there.
    pub fn plan_of(&self, kind: EffectKind, key: &str) -> EffectDraft {
        let reference = self.references.get(key).cloned().unwrap_or_else(|| RemoteRef::new("1"));
        match kind {
            EffectKind::SubmitRequest => self.plan(key),
            EffectKind::ReleaseRequest => self.warehouse().plan_release(key, &reference).expect("a plan to release"),
            EffectKind::CancelRequest => {
                self.warehouse().plan_cancel(key, &reference, at(NOW)).expect("a plan to cancel")
            }
            other => panic!("{other} is not for warehouses"),
        }
    }

    /// The same, also where something must have been read first.
    pub async fn draft_of(&mut self, kind: EffectKind, key: &str) -> EffectDraft {
        if kind != EffectKind::Acknowledge {
            return self.plan_of(kind, key);
        }
        self.ship(key);
        self.read_all().await;
        self.answers.pop().unwrap_or_else(|| panic!("{}: nothing that was read is acknowledged", self.name))
    }

    async fn look(&mut self, key: &str, changed: bool) -> FoundAgain {
        let mut again = request(key);
        if changed {
            again.lines[0].quantity = Decimal::from(6);
        }
        let draft = self.warehouse().plan_submit(&[again], at("2026-11-24T09:00:00Z")).remove(0).unwrap();
        let effect = self.effect(&draft);
        let lost = Armed { effect, baseline: serde_json::Value::Null, attempt: 0, armed_at: self.site.clock().now() };
        let found = self.warehouse().find_again(&[lost], at("2020-01-01T00:00:00Z")).await;
        found.unwrap_or_else(|error| panic!("{}: {error}", self.name)).remove(0)
    }

    /// Whether the warehouse has said that nothing of the order will leave: of the order, or line by line.
    fn is_cancelled(&self, key: &str) -> bool {
        match self.states.get(key) {
            Some(RequestState::LinesEnded(said)) => {
                ["SKU-A", "SKU-LOT"].iter().all(|sku| said.ended.iter().any(|line| line.sku == *sku))
            }
            state => state == Some(&RequestState::Cancelled),
        }
    }

    async fn cancel(&mut self, key: &str) {
        if !self.declares(EffectKind::CancelRequest) {
            classes::refuses(self, EffectKind::CancelRequest, key).await;
            return;
        }
        let draft = self.plan_of(EffectKind::CancelRequest, key);
        let reference = self.done(&draft).await;
        let outcome = reference.facts.get("outcome").map(String::as_str);
        assert!(matches!(outcome, None | Some("asked")), "{}: {outcome:?}", self.name);
        self.site.take_in();
        self.site.work_off();
        self.read_all().await;
        assert!(self.of(key).is_empty(), "{}: it left although it was cancelled", self.name);
        assert!(self.under(key).iter().all(|order| !order.live), "{}: it is still alive", self.name);
        if outcome == Some("asked") {
            assert!(self.is_cancelled(key), "{}: nobody told: {:?}", self.name, self.states.get(key));
        }
    }

    async fn cancel_late(&mut self, key: &str) {
        if !self.declares(EffectKind::CancelRequest) {
            return;
        }
        let draft = self.plan_of(EffectKind::CancelRequest, key);
        let effect = self.effect(&draft);
        let told = match self.prepare(&effect).await {
            Prepared::Found(Probe::Equal(reference)) => reference.facts.get("outcome").cloned(),
            Prepared::Ready { baseline } => {
                let armed = Armed { effect, baseline, attempt: 1, armed_at: self.site.clock().now() };
                match self.send(&armed).await {
                    Sent::Accepted { reference } => {
                        reference.and_then(|reference| reference.facts.get("outcome").cloned())
                    }
                    Sent::Refused { code, .. } if self.warehouse().too_late(&code) => Some("too_late".to_owned()),
                    other => panic!("{}: {other:?}", self.name),
                }
            }
            other => panic!("{}: {other:?}", self.name),
        };
        let told = told.unwrap_or_default();
        assert!(told == "too_late" || told == "asked", "{}: what left is said to be cancelled ({told})", self.name);
        self.site.take_in();
    }

    /// What the warehouse has under a key.
    pub fn under(&self, key: &str) -> Vec<WarehouseOrder> {
        self.site.orders().into_iter().filter(|order| order.key == key).collect()
    }

    pub fn once(&self, key: &str) {
        self.site.take_in();
        let there = self.under(key);
        assert!(there.len() == 1 && there[0].live, "{}: {key} is there like this: {there:?}", self.name);
        let asked: Units = [("SKU-A", 5), ("SKU-LOT", 3)].map(|(sku, units)| (sku.to_owned(), units.into())).into();
        assert_eq!(there[0].asked, asked, "{}", self.name);
    }

    /// Every line that was read of an order.
    fn lines(&self, key: &str) -> Vec<connect::PackageLine> {
        self.of(key).into_iter().flat_map(|shipment| shipment.lines().cloned().collect::<Vec<_>>()).collect()
    }

    pub(super) fn of(&self, key: &str) -> Vec<&Shipment> {
        self.read.values().filter(|shipment| shipment.key == key).collect()
    }

    /// One change meets trouble: what is said of it is true, and in the end it was made once.
    async fn trouble(&mut self, trouble: Trouble, kind: EffectKind) {
        const KEY: &str = "BPacme-O1";
        if kind != EffectKind::SubmitRequest {
            self.put(KEY).await;
        }
        let draft = self.draft_of(kind, KEY).await;
        let effect = self.effect(&draft);
        let mut armed = self.ready(&effect).await;
        self.site.trouble(trouble, kind);
        let sent = self.send(&armed).await;
        let fits = match trouble {
            Trouble::LostAfter | Trouble::Nonsense => matches!(sent, Sent::Unknown { .. }),
            Trouble::LostBefore => matches!(sent, Sent::Unknown { .. } | Sent::NotSent { .. }),
            Trouble::Throttled => matches!(sent, Sent::Throttled { .. }),
            Trouble::SignInEnded => matches!(sent, Sent::NotSent { .. } | Sent::Unknown { .. } | Sent::Accepted { .. }),
        };
        assert!(fits, "{}: it says {sent:?}", self.name);
        self.site.clock().pass(QUIET);
        let made = match self.probe(&armed).await {
            Probe::Equal(_) => true,
            Probe::Absent => false,
            other => panic!("{}: {other:?}", self.name),
        };
        match trouble {
            Trouble::LostAfter | Trouble::Nonsense => assert!(made, "{}: it was made, and is not found", self.name),
            Trouble::LostBefore | Trouble::Throttled => assert!(!made, "{}: it was not made, and is found", self.name),
            Trouble::SignInEnded => assert_eq!(made, matches!(sent, Sent::Accepted { .. }), "{}", self.name),
        }
        // The journal goes on from here: looked for, and made if it is not there.
        match self.prepare(&Effect { tried: Some(armed.baseline.clone()), ..effect.clone() }).await {
            Prepared::Found(Probe::Equal(_)) => assert!(made, "{}: it is found although it was not made", self.name),
            Prepared::Ready { baseline } => {
                assert!(!made, "{}: it would be made twice", self.name);
                armed = Armed { baseline, attempt: 2, armed_at: self.site.clock().now(), ..armed };
                let sent = self.send(&armed).await;
                assert!(matches!(sent, Sent::Accepted { .. }), "{}: {sent:?}", self.name);
            }
            other => panic!("{}: {other:?}", self.name),
        }
        self.site.take_in();
        match kind {
            EffectKind::CancelRequest => {
                self.site.work_off();
                assert!(self.under(KEY).iter().all(|order| !order.live), "{}", self.name);
            }
            EffectKind::Acknowledge => assert_eq!(self.site.acknowledged(), 1, "{}", self.name),
            _ => self.once(KEY),
        }
    }

    /// Works off what may leave and says whether anything did.
    pub fn leaves(&self, key: &str) -> bool {
        self.site.take_in();
        self.site.work_off();
        self.under(key).iter().any(|order| !order.shipments.is_empty())
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn offers(&self, feature: WarehouseFeature) -> bool {
        self.warehouse().features().contains(&feature)
    }

    /// A shipment of all of an order, for what comes after one.
    pub fn ship(&self, key: &str) {
        self.site.work(key, Does::All);
    }

    /// The effect that was sent last.
    pub fn last(&self, kind: EffectKind, key: &str) -> Armed {
        self.sent[&(kind, key.to_owned())].clone()
    }
}
