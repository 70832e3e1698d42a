//! What is counted, for Prometheus. Labels never hold anything a merchant's customer wrote.

use std::time::Duration;

use connect::{EffectKind, Sent, budget::BudgetReport};

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
            "connection" => self.connection.clone(), "channel" => channel,
            "outcome" => if ok { "done" } else { "failed" }
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

/// What went to one tenant's account of a remote system since the program started.
pub fn calls(tenant: &str, account: &str, report: &BudgetReport) {
    let labels = [("tenant", tenant.to_owned()), ("account", account.to_owned())];
    for (purpose, calls) in &report.calls {
        let [tenant, account] = labels.clone();
        let labels = [tenant, account, ("purpose", (*purpose).to_owned())];
        metrics::counter!("millrace_calls_total", &labels).absolute(*calls);
    }
    metrics::counter!("millrace_throttled_total", &labels).absolute(report.throttled);
    metrics::counter!("millrace_foreign_calls_total", &labels).absolute(report.foreign_calls);
    let waiting = u32::try_from(report.waiting).unwrap_or(u32::MAX);
    metrics::gauge!("millrace_calls_waiting", &labels).set(f64::from(waiting));
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };

    use connect::{EffectKind, Sent};
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::{BudgetReport, Metrics, calls};

    /// Names with their labels, as whoever watches them was told.
    fn documented() -> BTreeMap<String, BTreeSet<String>> {
        let page = include_str!("../../../docs/operating.md");
        let section = page.split("### Metrics").nth(1).and_then(|rest| rest.split("### ").next()).unwrap();
        let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        let mut rows = BTreeMap::new();
        for line in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split('|').collect();
            let labels: BTreeSet<String> = quoted(cells[2]).into_iter().collect();
            rows.extend(quoted(cells[1]).into_iter().map(|name| (name, labels.clone())));
        }
        rows
    }

    #[test]
    fn what_is_counted_is_what_the_documentation_names() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let report = BudgetReport {
            limit: 200,
            calls: BTreeMap::from([("orders", 5)]),
            remaining: None,
            foreign_calls: 0,
            throttled: 0,
            waiting: 0,
        };
        metrics::with_local_recorder(&recorder, || {
            let of_one = Metrics::new("con_1");
            of_one.sent(EffectKind::SubmitRequest, &Sent::Unknown { why: String::new() }, Duration::from_millis(20));
            of_one.ran("orders", true, Duration::from_secs(1));
            of_one.unaccounted(3);
            of_one.orders("imported", 2);
            calls("ten_1", "acme", &report);
        });
        let text = recorder.handle().render();
        let mut counted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, labels) = line.split_once('{').unwrap_or((line, ""));
            // A distribution is given as its quantiles, its sum and their number.
            let name = ["_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let labels = labels.split(',').filter_map(|pair| pair.split_once("=\"")).map(|(label, _)| label.to_owned());
            counted.entry(name.to_owned()).or_default().extend(labels.filter(|label| label != "quantile"));
        }
        assert_eq!(counted, documented());
        assert!(text.contains(r#"millrace_census_unaccounted{connection="con_1"} 3"#), "{text}");
        assert!(text.contains(r#"millrace_channel_runs_total{connection="con_1",channel="orders",outcome="done"} 1"#));
    }
}
