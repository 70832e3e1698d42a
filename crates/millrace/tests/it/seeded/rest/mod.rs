//! A small warehouse behind an API: orders are made held, let go and cancelled at the version that was read, and a search shows
//! them with a delay. Written from what Extensiv publishes of its 3PL Warehouse Manager (orders, completer, canceler, packages,
//! stock summaries); it knows nothing of the hub. What is documented nowhere the seed decides. Changing an order in place (`PUT`)
//! and the warehouse's own holds are not modelled.
//!
//! | Module | Holds |
//! |---|---|
//! | `order` | its orders as they stand and stood, and what a run knows of it |
//! | `changes` | what makes, lets go and cancels an order |
//! | `reads` | its documents, and the lists of them |
//! | `filter` | what of a list is asked for |
//! | `answers` | the forms of answers, and of refusals |
//! | `staff` | what its own people do |
//! | `calls` | one call: sign-in, and the ledger of changes |

mod answers;
mod calls;
mod changes;
mod filter;
mod order;
mod reads;
mod staff;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use order::State;

use super::{clock::ModelClock, random::Dice, run::warehouse_sku, trace::Trace, watch::Watch};

/// Where it is reached.
pub const HOST: &str = "secure-wms.com";
/// Whose orders they are, and where they are picked.
pub const CUSTOMER: i64 = 7;
pub const FACILITY: i64 = 1;
/// Another customer of the same warehouse, whom the same credentials may see.
const STRANGER: i64 = 8;

/// The warehouse, as the hub reaches it.
pub struct RestWarehouse {
    clock: Arc<ModelClock>,
    trace: Arc<Trace>,
    dice: Dice,
    watch: Arc<Watch>,
    state: Mutex<State>,
    /// A second order of one number is refused.
    refuses_repeats: bool,
    /// What was let go can be told from what is held.
    shows_release: bool,
    /// What was let go can be cancelled until somebody works on it.
    stops_late: bool,
    /// A cancelled order counts as closed, too.
    closes_cancelled: bool,
    /// An order tells what is in its boxes; otherwise only the list below it does.
    shows_boxes: bool,
    /// What of another customer's lies there, under whatever SKU.
    stock_of_stranger: BTreeMap<String, i64>,
    /// Seconds for which a token is good.
    token_life: i64,
}

impl RestWarehouse {
    pub fn new(seed: u64, clock: Arc<ModelClock>, trace: Arc<Trace>, watch: Arc<Watch>, works_on: Duration) -> Self {
        let dice = Dice::new(seed, "rest warehouse");
        let state = State::new(&dice, clock.true_time(), works_on);
        let (refuses_repeats, shows_release, stops_late) = (dice.chance(500), dice.chance(700), dice.chance(500));
        let (closes_cancelled, shows_boxes) = (dice.chance(300), dice.chance(700));
        let stock_of_stranger = [warehouse_sku(1001), "OTHER-1".to_owned()].map(|sku| (sku, dice.between(10, 500)));
        let token_life = dice.between(30 * 60, 60 * 60);
        Self {
            clock,
            trace,
            dice,
            watch,
            state: Mutex::new(state),
            refuses_repeats,
            shows_release,
            stops_late,
            closes_cancelled,
            shows_boxes,
            stock_of_stranger: BTreeMap::from(stock_of_stranger),
            token_life,
        }
    }

    /// It as it stands now: whatever was due has happened.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.true_time();
        while let Some((change, at)) = state.late.take_due(now) {
            self.carry_out(&mut state, change, at);
        }
        state
    }
}
