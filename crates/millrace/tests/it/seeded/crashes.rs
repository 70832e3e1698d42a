//! Every place at which the process can die, one after the other: a small world in which nothing else goes wrong, played
//! again and again, with the death one crossing later each time, until there is none left to die at. Then pairs: a second
//! death while the process that took over is still mending what the first one left.

use std::time::Duration;

use super::{
    brightpearl::account::NEW,
    faults::Plant,
    run::{Front, Outcome, Run, STEPS, play, warehouse_sku},
    trace::Fate,
};

/// A death: after so many crossings of the process, in this way.
pub type Death = (u64, Fate);

/// Longer than a claim lasts: what the dead process held is free.
const GONE: u64 = 100_000;

/// A small world: how its warehouse is reached, and its seed.
pub type World = (Front, u64);

/// Plays this small world; each process dies as said, as long as something is said. How many died.
pub fn with_deaths((front, seed): World, deaths: &[Death]) -> (Outcome, usize) {
    play(front, seed, Plant::Nothing, true, async |run: &mut Run| run.small_world(deaths).await)
}

/// Every way to die in this small world, by playing it to its end once. A read or a commit is a place to die at;
/// a change is three: before it leaves, on its way, and when it is done.
pub fn every_death((front, seed): World) -> Vec<Death> {
    let (_, (crossings, changes)) = play(front, seed, Plant::Nothing, true, async |run: &mut Run| {
        run.small_world(&[]).await;
        (run.trace.crossings(), run.trace.changes())
    });
    let ways = |crossing: u64| match changes.binary_search(&crossing) {
        Ok(_) => vec![Fate::DiesBefore, Fate::DiesMeanwhile, Fate::DiesAfter],
        Err(_) => vec![Fate::DiesBefore],
    };
    (0..crossings).flat_map(|crossing| ways(crossing).into_iter().map(move |way| (crossing, way))).collect()
}

impl Run {
    async fn small_world(&mut self, deaths: &[Death]) -> usize {
        let mode = format!("worlds in mode {:?}", self.settings.start_mode);
        self.count(&mode);
        let mut process = self.start();
        let mut died = 0;
        self.prepare(deaths.first());
        for round in 0..10 {
            self.little_by_little(round);
            if !self.steps(&process.runtime, &STEPS, false).await {
                died += 1;
                drop(process);
                process = self.another_takes_its_place(GONE).await;
                self.prepare(deaths.get(died));
            }
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
        died
    }

    fn prepare(&self, death: Option<&Death>) {
        if let Some((crossings, way)) = death {
            self.trace.die_in(*crossings, *way);
        }
    }

    /// One order with two lines, shipped in two parts; a unit that is found.
    fn little_by_little(&mut self, round: u32) {
        let now = self.clock.true_time();
        match round {
            0 => {
                let lines = [(Some(1001), 3), (Some(1002), 2)];
                let order = self.account.state().account.place(now, 49, &lines, true);
                let state = self.account.state();
                debug_assert_eq!(state.account.orders[&order].status, NEW);
                drop(state);
                if self.settings.start_mode == engine::settings::StartMode::GoodsOutNote {
                    self.person_makes_note();
                }
            }
            2 => self.warehouse.pull(now),
            3 => {
                self.warehouse.ships(now, true);
                self.warehouse.report(now);
            }
            4 => {
                self.warehouse.ships(now, false);
                self.warehouse.report(now);
            }
            6 => {
                self.warehouse.finds(now, &warehouse_sku(1002), 1);
                self.watch.finds(1002, 1);
                self.warehouse.count(now);
            }
            _ => {}
        }
    }
}
