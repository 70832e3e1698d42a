//! Every read and every change of a connector that talks over HTTP, with damaged answers.

use std::sync::Arc;

use connect::{BuildContext, EffectKind, FeedCursor, Sent, Waits, Warehouse};
use serde::{Deserialize, Serialize};

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
    Shipments { cursor: FeedCursor },
    Stock,
    Sightings { keys: Vec<String> },
    Prepare { effects: Vec<Written> },
    Send { effects: Vec<Written> },
    Probe { effects: Vec<Written> },
}

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

impl Subject {
    async fn perform(&self, connector: &dyn Warehouse, session: &Session<Op>, replay: &Replay) -> Result<(), String> {
        let at = session.at;
        match &session.op {
            Op::Check => drop(said(connector.check().await)?),
            Op::Shipments { cursor } => {
                let Some(page) = said(connector.shipments(cursor).await)? else { return Ok(()) };
                for shipment in &page.shipments {
                    if shipment.key.is_empty() || shipment.lines().any(|line| line.quantity <= 0.into()) {
                        return Err(format!("a shipment of nothing, or of nobody: {shipment:?}"));
                    }
                }
                if page.rejected.iter().any(|rejected| rejected.reason.trim().is_empty()) {
                    return Err("something was set aside without a reason".to_owned());
                }
                return self.reads_on(&page.next).await;
            }
            Op::Stock => drop(said(connector.stock().await)?),
            Op::Sightings { keys } => {
                let sightings = said(connector.sightings(keys).await)?.unwrap_or_default();
                if let Some(key) = sightings.found.keys().find(|key| !keys.contains(key)) {
                    return Err(format!("{key} is seen, and nobody asked for it"));
                }
            }
            Op::Prepare { effects } => {
                let effects: Vec<_> = effects.iter().map(|effect| effect.effect(at)).collect();
                let prepared = said(connector.prepare(&effects).await)?;
                if prepared.is_some_and(|prepared| prepared.len() != effects.len()) {
                    return Err("not one preparation for each effect".to_owned());
                }
            }
            Op::Probe { effects } => {
                let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
                let probes = said(connector.probe(&armed).await)?;
                if probes.is_some_and(|probes| probes.len() != armed.len()) {
                    return Err("not one probe for each effect".to_owned());
                }
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
            }
        }
        Ok(())
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

    /// Plays every session as it was recorded, then damaged ones.
    pub fn fuzz(&self) {
        let (sessions, runtime): (Vec<Session<Op>>, _) = (corpus(self.corpus), runtime());
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
