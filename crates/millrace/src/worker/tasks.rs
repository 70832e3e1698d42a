//! The loops of one connection: three channels, the watch for cancels, the journal on each side, the next steps of requests, and
//! the census.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use connect::Side;
use jiff::Timestamp;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    db::{Channel, ChannelKind, DbError, Lost},
    flow::{self, FlowError},
    journal,
    reconcile::{self, Reconciler},
    runtime::Runtime,
};

/// Looks taken even when nothing wakes a loop: waking is a courtesy, looking is the truth.
const LOOK: Duration = Duration::from_secs(5);
/// Between two tries to read a connection again after a loss: each reads both sides whole.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// How often orders at the warehouse are looked at in the source for cancels and changes.
const WATCH: Duration = Duration::from_secs(600);

/// How soon it is tried again when the source could not be read.
const WATCH_AGAIN: Duration = Duration::from_secs(60);

/// Starts every loop of a connection.
pub(super) fn spawn(tasks: &mut JoinSet<()>, runtime: &Arc<Runtime>, stop: &CancellationToken) {
    for kind in ChannelKind::ALL {
        tasks.spawn(channel(Arc::clone(runtime), kind, stop.clone()));
    }
    for side in [Side::Source, Side::Warehouse] {
        tasks.spawn(effects(Arc::clone(runtime), side, stop.clone()));
    }
    tasks.spawn(watch(Arc::clone(runtime), stop.clone()));
    tasks.spawn(advance(Arc::clone(runtime), stop.clone()));
    tasks.spawn(recover(Arc::clone(runtime), stop.clone()));
}

/// Reads the connection again after a loss of the journal, once for each loss.
async fn recover(runtime: Arc<Runtime>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match runtime.db.pass_wanted(&runtime.key).await {
            Ok(Some(lost)) => match read_again(&runtime, &lost).await {
                Err(error) if !stop.is_cancelled() => {
                    tracing::warn!(connection.id = %runtime.key.connection, "reading it again failed: {error}");
                    let told = serde_json::json!({ "failed": error.to_string() });
                    if let Err(error) = runtime.db.keep_pass(&runtime.key, &lost, &told, false).await {
                        failed(&runtime, "recovery", &error);
                    }
                    READ_AGAIN
                }
                _ => LOOK,
            },
            Ok(None) => LOOK,
            Err(error) => {
                failed(&runtime, "recovery", &error);
                LOOK
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = runtime.clock.sleep(runtime.scaled(pause)) => {}
        }
    }
}

async fn read_again(runtime: &Runtime, lost: &Lost) -> Result<(), FlowError> {
    let report = flow::recover::run(runtime, lost).await?;
    runtime.db.keep_pass(&runtime.key, lost, &report, true).await?;
    tracing::warn!(
        connection.id = %runtime.key.connection,
        "read again after a loss: {} orders found at the warehouse, {} not there, {} to be compared by a person, {} shipments",
        report.found, report.not_there.len(), report.to_compare.len(), report.shipments
    );
    for wake in [&runtime.wake.orders, &runtime.wake.source, &runtime.wake.warehouse] {
        wake.notify_one();
    }
    Ok(())
}

async fn effects(runtime: Arc<Runtime>, side: Side, stop: CancellationToken) {
    let wake = match side {
        Side::Source => &runtime.wake.source,
        Side::Warehouse => &runtime.wake.warehouse,
    };
    let mut learned = BTreeMap::new();
    while !stop.is_cancelled() {
        let wait = match journal::drive(&runtime, side).await {
            Ok(driven) if driven.claimed > 0 => {
                keep_learned(&runtime, side, &mut learned).await;
                continue;
            }
            Ok(_) => until_due(&runtime, side).await,
            Err(error) => failed(&runtime, "journal", &error),
        };
        rest(&runtime, wake, wait, &stop).await;
    }
}

/// Keeps what the source's connector has learned, once.
async fn keep_learned(runtime: &Runtime, side: Side, kept: &mut BTreeMap<&'static str, String>) {
    let learned = runtime.source.learned();
    if side == Side::Warehouse || learned == *kept {
        return;
    }
    match runtime.db.keep_learned(&runtime.key, learned.clone()).await {
        Ok(()) => *kept = learned,
        Err(error) => {
            failed(runtime, "what was learned", &error);
        }
    }
}

async fn until_due(runtime: &Runtime, side: Side) -> Duration {
    let look = runtime.scaled(LOOK);
    match runtime.db.next_effect_due(&runtime.key, side).await {
        Ok(Some(due)) => until(runtime.clock.now(), due).min(look),
        Ok(None) => look,
        Err(error) => failed(runtime, "journal", &error),
    }
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO).max(Duration::from_millis(1))
}

fn failed(runtime: &Runtime, part: &str, error: &DbError) -> Duration {
    tracing::error!(connection.id = %runtime.key.connection, "{part}: {error}");
    runtime.scaled(LOOK)
}

async fn advance(runtime: Arc<Runtime>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match flow::advance::run(&runtime).await {
            Ok(count) if count > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(connection.id = %runtime.key.connection, "next steps: {error}");
            }
        }
        rest(&runtime, &runtime.wake.advance, runtime.scaled(LOOK), &stop).await;
    }
}

async fn channel(runtime: Arc<Runtime>, kind: ChannelKind, stop: CancellationToken) {
    let wake = match kind {
        ChannelKind::Orders => &runtime.wake.orders,
        ChannelKind::Shipments => &runtime.wake.shipments,
        ChannelKind::Stock => &runtime.wake.stock,
    };
    while !stop.is_cancelled() {
        let wait = match runtime.db.channels(&runtime.key).await {
            Ok(channels) => match channels.iter().find(|channel| channel.kind == kind) {
                Some(channel) => {
                    let wait = next_run(&runtime, channel);
                    if wait.is_zero() {
                        let span = tracing::info_span!(
                            "channel", connection.id = %runtime.key.connection, channel.kind = kind.as_str()
                        );
                        run_once(&runtime, kind).instrument(span).await;
                        continue;
                    }
                    wait
                }
                None => runtime.scaled(LOOK),
            },
            Err(error) => failed(&runtime, kind.as_str(), &error),
        };
        rest(&runtime, wake, wait.min(runtime.scaled(LOOK)), &stop).await;
    }
}

/// Time until the channel runs; zero: it is due.
fn next_run(runtime: &Runtime, channel: &Channel) -> Duration {
    if !channel.enabled {
        return runtime.scaled(LOOK);
    }
    let now = runtime.clock.now();
    // What was asked for while a run was under way may be about something that the run had already passed.
    if channel.wanted_at.is_some_and(|wanted_at| channel.started_at.is_none_or(|started_at| wanted_at >= started_at)) {
        return Duration::ZERO;
    }
    let due = channel.due(runtime.waits.factor);
    if due <= now { Duration::ZERO } else { until(now, due) }
}

/// Runs a channel once and writes down how it went.
async fn run_once(runtime: &Runtime, kind: ChannelKind) {
    let started = runtime.clock.monotonic();
    let run = match runtime.start_run(kind).await {
        Ok(run) => run,
        Err(error) => {
            let wait = failed(runtime, kind.as_str(), &error);
            runtime.clock.sleep(wait).await;
            return;
        }
    };
    let outcome = match kind {
        ChannelKind::Orders => flow::orders::run(runtime).await.map(|summary| summary.ran()),
        ChannelKind::Shipments => flow::shipments::run(runtime).await.map(|summary| summary.ran()),
        ChannelKind::Stock => flow::stock::run(runtime).await.map(|summary| summary.ran()),
    };
    let took = runtime.clock.monotonic().saturating_sub(started);
    runtime.metrics.ran(kind.as_str(), outcome.is_ok(), took);
    if let Err(error) = &outcome {
        tracing::warn!(connection.id = %runtime.key.connection, channel.kind = kind.as_str(), "channel run failed: {error}");
    }
    let refused = outcome.as_ref().err().filter(|error| error.is_credentials()).map(ToString::to_string);
    let written = runtime.db.finish_run(&runtime.key, kind, &run, outcome.map_err(|error| error.to_string())).await;
    if let Err(error) = written {
        failed(runtime, kind.as_str(), &error);
    }
    if let Some(why) = refused {
        let side = if kind == ChannelKind::Orders { Side::Source } else { Side::Warehouse };
        tracing::warn!(connection.id = %runtime.key.connection, connection.side = ?side, "credentials refused: {why}");
    }
}

/// Looks for cancels and changes of orders at the warehouse, whatever the orders channel does: a schedule, a switch or a failing
/// import limits what is taken in, not what may have to be stopped.
async fn watch(runtime: Arc<Runtime>, stop: CancellationToken) {
    let mut wait = runtime.scaled(WATCH);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = runtime.clock.sleep(wait) => {}
        }
        wait = match flow::sent::watch_sent(&runtime).await {
            Ok(_) => runtime.scaled(WATCH),
            Err(error) => {
                tracing::warn!(connection.id = %runtime.key.connection, "the watch for cancels failed: {error}");
                runtime.scaled(WATCH_AGAIN)
            }
        };
    }
}

/// Takes the census when it is due or wanted. When the last one ran is in the database, so a restart neither forgets nor
/// repeats one.
pub(super) async fn census(runtime: Arc<Runtime>, mut reconciler: Reconciler, stop: CancellationToken) {
    let look = runtime.scaled(LOOK);
    if let Err(error) = runtime.db.begin_census(&runtime.key).await {
        failed(&runtime, "census", &error);
    }
    while !stop.is_cancelled() {
        let wait = match runtime.db.census_runs(&runtime.key).await {
            Ok(runs) => match reconcile::next(&runs, |wait| runtime.scaled(wait)) {
                Some((extent, due)) if due <= runtime.clock.now() => {
                    reconciler.author = runtime.source.note_author().or(reconciler.author);
                    let started = runtime.clock.monotonic();
                    let ended = tokio::select! {
                        biased;
                        // It only reads: cutting it off loses nothing, and it is begun again.
                        () = stop.cancelled() => break,
                        ended = reconciler.run(extent) => ended,
                    };
                    let took = runtime.clock.monotonic().saturating_sub(started);
                    runtime.metrics.ran("census", ended.is_ok(), took);
                    match ended {
                        Ok(report) => {
                            runtime.metrics.unaccounted(report.unaccounted);
                            if report.unaccounted > 0 {
                                tracing::error!(
                                    connection.id = %runtime.key.connection, census.unaccounted = report.unaccounted,
                                    "census: orders that nobody can account for"
                                );
                            }
                            continue;
                        }
                        Err(error) => {
                            tracing::warn!(connection.id = %runtime.key.connection, "census failed: {error}");
                        }
                    }
                    look
                }
                Some((_, due)) => until(runtime.clock.now(), due).min(look),
                None => look,
            },
            Err(error) => failed(&runtime, "census", &error),
        };
        rest(&runtime, &runtime.wake.census, wait, &stop).await;
    }
}

/// Rests until woken, until the time is over, or until told to stop.
async fn rest(runtime: &Runtime, wake: &Notify, wait: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = wake.notified() => {}
        () = runtime.clock.sleep(wait) => {}
    }
}
