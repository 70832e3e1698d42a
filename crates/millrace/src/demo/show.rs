//! What the demonstration prints.
#![expect(clippy::print_stdout, reason = "the terminal is where the demonstration is shown")]

use std::{
    io::{IsTerminal as _, stdout},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::ends::{Latencies, State};

/// Bars in a terminal, lines elsewhere.
pub(super) struct Show {
    bars: Option<Bars>,
    last: String,
}

struct Bars {
    all: MultiProgress,
    placed: ProgressBar,
    warehouse: ProgressBar,
    told: ProgressBar,
    stock: ProgressBar,
}

impl Show {
    pub(super) fn new(orders: usize) -> Self {
        let bars = stdout().is_terminal().then(|| {
            let all = MultiProgress::new();
            let style = ProgressStyle::with_template("{prefix:>26} {bar:40} {pos:>3}/{len:<3} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = |name: &'static str| {
                let bar = all.add(ProgressBar::new(u64::try_from(orders).unwrap_or(u64::MAX)));
                bar.set_style(style.clone());
                bar.set_prefix(name);
                bar
            };
            Bars {
                placed: bar("orders placed"),
                warehouse: bar("at the warehouse"),
                told: bar("shipped and told"),
                stock: bar("orders closed"),
                all,
            }
        });
        Self { bars, last: String::new() }
    }

    pub(super) fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| println!("{text}")),
            None => println!("{text}"),
        }
    }

    pub(super) fn update(&mut self, state: &State) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        if let Some(bars) = &self.bars {
            bars.placed.set_position(count(state.placed));
            bars.warehouse.set_position(count(state.at_warehouse));
            bars.told.set_position(count(state.told));
            bars.told.set_length(count(state.shipments.max(state.placed)));
            bars.stock.set_position(count(state.told_orders));
            bars.stock.set_message(format!("{} SKUs differ", state.stock_differences));
            return;
        }
        let line = format!(
            "placed {:>3} · at the warehouse {:>3} · shipments {:>3}, told {:>3} · orders closed {:>3} · SKUs that differ {:>3}",
            state.placed, state.at_warehouse, state.shipments, state.told, state.told_orders, state.stock_differences
        );
        if line != self.last {
            println!("{line}");
            self.last = line;
        }
    }

    /// The summary. Whether everything is as it should be.
    pub(super) fn summary(
        &mut self,
        state: &State,
        latencies: &Latencies,
        (calls, busiest): (u64, usize),
        census: Option<u64>,
        budget: Value,
        took: Duration,
    ) -> bool {
        if let Some(bars) = self.bars.take() {
            for bar in [&bars.placed, &bars.warehouse, &bars.told, &bars.stock] {
                bar.abandon();
            }
        }
        let unaccounted = state.placed.saturating_sub(state.told_orders);
        let orders = u64::try_from(state.placed.max(1)).unwrap_or(u64::MAX);
        println!("\nSummary, from the ledgers of the two simulators");
        println!("  orders placed              {}", state.placed);
        println!("  at the warehouse, once     {}", state.at_warehouse);
        println!("  shipped twice              {}", state.audit.duplicates.len());
        println!("  shipments, told once       {} of {}", state.told, state.shipments);
        println!("  unaccounted                {unaccounted}");
        println!("  SKUs that differ           {}", state.stock_differences);
        println!(
            "  Brightpearl calls          {calls} ({} for 1,000 orders; at most {busiest} in any minute)",
            calls * 1_000 / orders
        );
        println!("  placed → at the warehouse  {}", spread(&latencies.to_warehouse));
        println!("  shipped → in Brightpearl   {}", spread(&latencies.to_brightpearl));
        println!("  time                       {} s", took.as_secs());
        match census {
            Some(count) => println!("  Millrace's own census      unaccounted: {count}"),
            None => println!("  Millrace's own census      did not end in time"),
        }
        if let Some(purposes) = purposes(&budget) {
            println!("  where the hub says its calls went: {purposes}");
        }
        let problems = state.audit.problems();
        for problem in &problems {
            println!("  PROBLEM: {problem}");
        }
        let good = problems.is_empty()
            && unaccounted == 0
            && census == Some(0)
            && state.stock_differences == 0
            && busiest <= 200;
        println!(
            "{}",
            if good { "\nEverything is where it should be." } else { "\nSomething is not as it should be." }
        );
        good
    }
}

fn spread(times: &[Duration]) -> String {
    let at = |percent: usize| times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or_default();
    format!("p50 {:.1} s, p99 {:.1} s", at(50).as_secs_f64(), at(99).as_secs_f64())
}

fn purposes(budget: &Value) -> Option<String> {
    let account = budget.as_object()?.values().next().or_else(|| budget.get("items")?.get(0))?;
    let account = account.get(0).unwrap_or(account);
    let calls = account.get("calls")?.as_object()?;
    let parts: Vec<String> = calls.iter().map(|(purpose, count)| format!("{purpose} {count}")).collect();
    Some(parts.join(", "))
}
