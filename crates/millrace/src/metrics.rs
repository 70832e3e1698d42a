//! What is counted, for Prometheus. Labels never hold anything a merchant's customer wrote.

use std::time::Duration;

use connect::{EffectKind, Sent};

/// Counters and histograms of one connection.
#[derive(Debug, Clone)]
pub struct Metrics {
    connection: String,
}

impl Metrics {
    /// For the connection of this id.
    pub fn new(connection: impl Into<String>) -> Self {
        Self { connection: connection.into() }
    }

    /// One change was sent.
    pub fn sent(&self, kind: EffectKind, outcome: &Sent, took: Duration) {
        let outcome = match outcome {
            Sent::NotSent { .. } => "not_sent",
            Sent::Throttled { .. } => "throttled",
            Sent::Accepted { .. } => "accepted",
            Sent::Refused { .. } => "refused",
            Sent::Unknown { .. } => "unknown",
        };
        metrics::counter!(
            "millrace_effects_sent_total",
            "connection" => self.connection.clone(), "kind" => kind.as_str(), "outcome" => outcome
        )
        .increment(1);
        metrics::histogram!("millrace_effect_seconds", "kind" => kind.as_str()).record(took.as_secs_f64());
    }

    /// A channel ran.
    pub fn ran(&self, channel: &'static str, ok: bool, took: Duration) {
        metrics::counter!(
            "millrace_channel_runs_total",
            "connection" => self.connection.clone(), "channel" => channel, "ok" => if ok { "true" } else { "false" }
        )
        .increment(1);
        metrics::histogram!("millrace_channel_run_seconds", "channel" => channel).record(took.as_secs_f64());
    }

    /// How many orders the last census could not account for.
    pub fn unaccounted(&self, count: usize) {
        // Counts stay far below where a float is no longer exact.
        let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        metrics::gauge!("millrace_census_unaccounted", "connection" => self.connection.clone()).set(count);
    }

    /// Orders went one step.
    pub fn orders(&self, step: &'static str, count: usize) {
        metrics::counter!("millrace_orders_total", "connection" => self.connection.clone(), "step" => step)
            .increment(u64::try_from(count).unwrap_or(u64::MAX));
    }
}
