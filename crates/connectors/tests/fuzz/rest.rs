//! Every read and every change of a connector that talks over HTTP, with damaged answers.

use std::sync::Arc;

use connect::{BuildContext, EffectKind, FeedCursor, FoundAgain, Sent, ShipmentPage, Waits, Warehouse};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::{
    PASSWORD, campaign,
    replay::{Dial, Replay, SEND_BY, context},
    runtime, said,
    session::{Answer, Session, Written, corpus, damage},
};

/// Everything the hub asks of this warehouse.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    Check,
    Choices,
    Shipments { cursor: FeedCursor },
    ShipmentsAgain { since: Timestamp },
    KeysAgain { since: Timestamp },
    Stock,
    Sightings { keys: Vec<String> },
    Prepare { effects: Vec<Written> },
    Send { effects: Vec<Written> },
    Probe { effects: Vec<Written> },
    FindAgain { effects: Vec<Written>, since: Timestamp },
}

/// What the keys of the recorded sessions begin with.
const HEAD: &str = "BPacme-";

/// A connector whose answers are damaged.
pub struct Subject {
    /// Of the target.
    pub name: &'static str,
    /// The recorded sessions.
    pub corpus: &'static str,
    /// Builds it.
    pub connector: fn(&str, &BuildContext) -> Arc<dyn Warehouse>,
    /// Whether an outcome may be taken from the answers that were given.
    pub classified: fn(EffectKind, &Sent, &[Answer]) -> Result<(), String>,
}

/// What is told of shipments can be of a shipment.
fn told(page: &ShipmentPage) -> Result<(), String> {
    for shipment in &page.shipments {
        if shipment.key.is_empty() || shipment.lines().any(|line| line.quantity <= 0.into()) {
            return Err(format!("a shipment of nothing, or of nobody: {shipment:?}"));
        }
    }
    match page.rejected.iter().any(|rejected| rejected.reason.trim().is_empty()) {
        true => Err("something was set aside without a reason".to_owned()),
        false => Ok(()),
    }
}

impl Subject {
    /// Does what is asked. The flag says whether it came to an end without an error.
    async fn perform(&self, connector: &dyn Warehouse, session: &Session<Op>, replay: &Replay) -> Result<bool, String> {
        let at = session.at;
        let ended = match &session.op {
            Op::Check => said(connector.check().await)?.is_some(),
            Op::Choices => said(connector.choices().await)?.is_some(),
            Op::Shipments { cursor } => {
                let Some(page) = said(connector.shipments(cursor).await)? else { return Ok(false) };
                told(&page)?;
                self.reads_on(&page.next).await?;
                true
            }
            Op::ShipmentsAgain { since } => {
                let page = said(connector.shipments_again(*since, &FeedCursor::default()).await)?;
                if let Some(page) = &page {
                    told(page)?;
                }
                page.is_some()
            }
            Op::KeysAgain { since } => {
                let Some(listed) = said(connector.keys_again(HEAD, *since).await)? else { return Ok(false) };
                if let Some(key) = listed.keys.iter().find(|key| !key.starts_with(HEAD)) {
                    return Err(format!("{key} is told, and is nobody's here"));
                }
                true
            }
            Op::Stock => said(connector.stock().await)?.is_some(),
            Op::Sightings { keys } => {
                let Some(sightings) = said(connector.sightings(keys).await)? else { return Ok(false) };
                if let Some(key) = sightings.found.keys().find(|key| !keys.contains(key)) {
                    return Err(format!("{key} is seen, and nobody asked for it"));
                }
                true
            }
            Op::Prepare { effects } => {
                let effects: Vec<_> = effects.iter().map(|effect| effect.effect(at)).collect();
                let prepared = said(connector.prepare(&effects).await)?;
                if prepared.as_ref().is_some_and(|prepared| prepared.len() != effects.len()) {
                    return Err("not one preparation for each effect".to_owned());
                }
                prepared.is_some()
            }
            Op::Probe { effects } => {
                let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
                let probes = said(connector.probe(&armed).await)?;
                if probes.as_ref().is_some_and(|probes| probes.len() != armed.len()) {
                    return Err("not one probe for each effect".to_owned());
                }
                probes.is_some()
            }
            Op::FindAgain { effects, since } => {
                let lost: Vec<_> = effects.iter().map(|effect| effect.lost(at)).collect();
                let found = said(connector.find_again(&lost, *since).await)?;
                if found.as_ref().is_some_and(|found| found.len() != lost.len()) {
                    return Err("not one finding for each effect".to_owned());
                }
                let words = |found: &FoundAgain| match found {
                    FoundAgain::CannotBeAsked { compare } => !compare.trim().is_empty(),
                    FoundAgain::Seen(_) | FoundAgain::AnyOf(_) => true,
                };
                if !found.iter().flatten().all(words) {
                    return Err("a person is to compare, and is not told what".to_owned());
                }
                found.is_some()
            }
            Op::Send { effects } => {
                let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
                let delivery = connector.send(&armed, SEND_BY).await;
                if delivery.outcomes.len() != armed.len() {
                    return Err(format!("{} outcomes of {} effects", delivery.outcomes.len(), armed.len()));
                }
                if format!("{delivery:?}").contains(PASSWORD) {
                    return Err("a secret is in the delivery".to_owned());
                }
                for (effect, outcome) in effects.iter().zip(&delivery.outcomes) {
                    (self.classified)(effect.kind, outcome, &replay.served())?;
                }
                true
            }
        };
        Ok(ended)
    }

    /// One damaged reading must not spoil those that follow: with good answers again, reading goes on from its cursor.
    async fn reads_on(&self, next: &FeedCursor) -> Result<(), String> {
        let sessions: Vec<Session<Op>> = corpus(self.corpus);
        let mut told = "no reading of shipments is recorded".to_owned();
        for good in sessions.iter().filter(|session| matches!(session.op, Op::Shipments { .. })) {
            let (replay, dial) = (Replay::new(&good.answers), Dial::at(good.at));
            let connector = (self.connector)("http://127.0.0.1:9", &context(replay, dial, Waits::default()));
            match connector.shipments(next).await {
                Ok(_) => return Ok(()),
                // The recorded answers are those to another cursor, so they may not fit together; they are read again.
                Err(error) if error.is_passing() => return Ok(()),
                Err(error) => told = format!("reading cannot go on from {next:?}: {error}"),
            }
        }
        Err(told)
    }

    async fn drive(&self, session: &Session<Op>) -> Result<(), String> {
        let (replay, dial) = (Replay::new(&session.answers), Dial::at(session.at));
        let connector =
            (self.connector)("http://127.0.0.1:9", &context(replay.clone(), dial.clone(), Waits::default()));
        self.perform(connector.as_ref(), session, &replay).await?;
        replay.bounded()?;
        dial.bounded()
    }

    /// Asks what no session was recorded for, and is answered with what was recorded: its own answers first, then those of all
    /// sessions from the last to the first, since what was sent shows in the later ones. What was answered is the session; `None`
    /// when that is nothing, or no whole answer.
    async fn asked(&self, op: Op, of: &Session<Op>, recorded: &[Session<Op>]) -> Option<Session<Op>> {
        let others = recorded.iter().rev().flat_map(|session| &session.answers);
        let answers: Vec<Answer> = of.answers.iter().chain(others).cloned().collect();
        let (replay, dial) = (Replay::new(&answers), Dial::at(of.at));
        let connector = (self.connector)("http://127.0.0.1:9", &context(replay.clone(), dial, Waits::default()));
        let session = Session { op, at: of.at, answers: Vec::new() };
        let ended = self.perform(connector.as_ref(), &session, &replay).await;
        let ended = ended.unwrap_or_else(|problem| panic!("undamaged {:?}: {problem}", session.op));
        let answers = replay.served();
        (ended && !answers.is_empty()).then_some(Session { answers, ..session })
    }

    /// A session for each reading that the recorded ones leave out.
    fn beside(&self, recorded: &[Session<Op>], runtime: &Runtime) -> Vec<Session<Op>> {
        let mut sessions = Vec::new();
        for of in recorded {
            let asked = match &of.op {
                Op::Check => vec![Op::Choices],
                Op::Shipments { .. } => vec![Op::ShipmentsAgain { since: of.at }],
                Op::Probe { effects } => {
                    let keys = effects.iter().map(|effect| effect.key.clone()).collect();
                    let found = Op::FindAgain { effects: effects.clone(), since: of.at };
                    vec![Op::Sightings { keys }, found, Op::KeysAgain { since: of.at }]
                }
                _ => Vec::new(),
            };
            sessions.extend(asked.into_iter().filter_map(|op| runtime.block_on(self.asked(op, of, recorded))));
        }
        let answered = |is_it: fn(&Op) -> bool| sessions.iter().any(|session| is_it(&session.op));
        assert!(answered(|op| matches!(op, Op::Choices)), "{}: its lists are among the recorded answers", self.name);
        assert!(answered(|op| matches!(op, Op::Sightings { .. })), "{}: what was sent can be looked for", self.name);
        assert!(answered(|op| matches!(op, Op::FindAgain { .. })), "{}: what was sent is found again", self.name);
        assert!(answered(|op| matches!(op, Op::KeysAgain { .. })), "{}: what was sent is listed", self.name);
        sessions
    }

    /// Plays every session as it was recorded, then damaged ones.
    pub fn fuzz(&self) {
        let (mut sessions, runtime): (Vec<Session<Op>>, _) = (corpus(self.corpus), runtime());
        let beside = self.beside(&sessions, &runtime);
        sessions.extend(beside);
        let bodies: Vec<Vec<u8>> =
            sessions.iter().flat_map(|session| &session.answers).map(|answer| answer.body.clone()).collect();
        let donors: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        for session in &sessions {
            runtime
                .block_on(self.drive(session))
                .unwrap_or_else(|problem| panic!("undamaged {:?}: {problem}", session.op));
        }
        campaign(self.name).run(
            |dice| {
                let session = &sessions[rand::RngExt::random_range(dice, 0..sessions.len())];
                serde_json::to_vec(&damage(session, &donors, dice)).unwrap()
            },
            |input| {
                let session =
                    serde_json::from_slice(input).map_err(|error| format!("the input is not a session: {error}"))?;
                runtime.block_on(self.drive(&session))
            },
        );
    }
}
