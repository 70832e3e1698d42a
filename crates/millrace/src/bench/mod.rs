//! Measures, and prints a table with the machine and the command beside it. `docs/performance.md` keeps the latest one.
//!
//! Method and aims are in `docs/performance.md`. Figures are whole-path: real SQLite with `synchronous=FULL`, real files, real
//! HTTP on loopback to the simulator; only the first measure replaces the order source by one that answers at once.

mod api;
mod fill;
mod forward;
mod machine;
mod round;
mod setup;
mod source;

use std::time::Duration;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchOptions {
    /// Orders of the forwarding measure.
    #[arg(long, default_value_t = 20_000)]
    pub forward: i64,
    /// Orders of the round trip to an unthrottled Brightpearl.
    #[arg(long, default_value_t = 1_000)]
    pub round: usize,
    /// Orders kept when memory is read.
    #[arg(long, default_value_t = 100_000)]
    pub kept: i64,
    /// Effects in flight when start-up is timed.
    #[arg(long, default_value_t = 10_000)]
    pub in_flight: i64,
    /// Measures one thing by itself instead.
    #[command(subcommand)]
    pub part: Option<Part>,
}

/// What is measured by itself.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Part {
    /// The API under load: lists over many orders, with clients and event streams.
    Api(ApiBench),
}

/// How the API is loaded.
#[derive(Debug, Clone, clap::Args)]
pub struct ApiBench {
    /// Orders stored before it begins.
    #[arg(long, default_value_t = 100_000)]
    pub orders: i64,
    /// Clients that ask for lists.
    #[arg(long, default_value_t = 50)]
    pub clients: usize,
    /// Event streams that are listened to meanwhile.
    #[arg(long, default_value_t = 200)]
    pub streams: usize,
    /// How long.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Each client rests for so long after an answer, as people and programs do.
    #[arg(long, default_value_t = 200)]
    pub rest_ms: u64,
    /// An empty database, e.g. `postgres://…`; a SQLite file in a temporary folder where not given.
    #[arg(long)]
    pub database: Option<String>,
}

/// One line of the table.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Figure {
    /// What.
    pub what: String,
    /// How much, with its unit.
    pub value: String,
    /// What was aimed at; empty where nothing was.
    pub aim: String,
    /// Whether the aim was met; `None` without one.
    pub met: Option<bool>,
}

impl Figure {
    fn new(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into(), aim: String::new(), met: None }
    }

    fn aim(mut self, aim: impl Into<String>, met: bool) -> Self {
        self.aim = aim.into();
        self.met = Some(met);
        self
    }
}

/// Measures everything and prints the table, or JSON.
///
/// # Errors
/// When a measure cannot be taken.
#[expect(clippy::print_stdout, reason = "the table is the command's output")]
pub async fn run(options: BenchOptions, json: bool) -> anyhow::Result<()> {
    let mut figures = Vec::new();
    match &options.part {
        Some(Part::Api(load)) => figures.extend(api::measure(load).await?),
        None => {
            figures.extend(forward::measure(&options).await?);
            figures.extend(round::measure(&options).await?);
        }
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
        return Ok(());
    }
    println!("{}\n", machine::describe());
    println!("| Figure | Measured | Aim | |");
    println!("|---|---|---|---|");
    for figure in figures {
        let met = figure.met.map_or("", |met| if met { "met" } else { "missed" });
        println!("| {} | {} | {} | {met} |", figure.what, figure.value, figure.aim);
    }
    Ok(())
}

fn per_second(count: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a rate to show to people")]
    let count = count as f64;
    count / time.as_secs_f64().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::{BenchOptions, forward, round};

    /// The measures measure something: a small run of the hub alone ends with every order forwarded and every effect settled.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_small_run_of_the_hub_alone() {
        let options = BenchOptions { forward: 600, round: 0, kept: 300, in_flight: 250, part: None };
        let figures = forward::measure(&options).await.expect("every measure is taken");
        assert_eq!(figures.len(), 5);
    }

    /// The whole line: every order reaches the warehouse, everything that left is told, stock is corrected.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_small_run_of_the_whole_line() {
        let options = BenchOptions { forward: 0, round: 30, kept: 0, in_flight: 0, part: None };
        let figures = round::measure(&options).await.expect("every measure is taken");
        assert!(figures.iter().any(|figure| figure.what.contains("correction calls")), "{figures:?}");
    }
}
