//! The call budget of one remote account: who may call next, and how many calls there were for what.
//!
//! A remote system that allows 200 calls a minute counts every call of everybody, failed ones included. The budget keeps
//! below a limit of its own in **any** rolling window: a bucket of `burst` tokens refilled at `limit − burst` per window
//! never lets more than `limit` through (a plain bucket of `limit` tokens would let twice as many through, once full and
//! once refilled). What the answers say about the calls left is believed at once.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::sync::Notify;

use crate::Clock;

/// Who goes first when calls are scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Shipment posts and what they need.
    Shipments,
    /// Order import.
    Orders,
    /// Stock.
    Stock,
    /// Sweeps, checks, lists for pickers.
    Sweeps,
}

/// A limit of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Most calls in any rolling window.
    pub calls: u32,
    /// Most calls at once after a quiet time; less than `calls`.
    pub burst: u32,
    /// The window.
    pub window: Duration,
    /// Stop when an answer says that only so many calls are left in the pool, which others share.
    pub reserve: u32,
}

impl Limit {
    /// `calls` per window with a burst of an eighth of them, and a reserve for others of 5.
    pub fn new(calls: u32, window: Duration) -> Self {
        let calls = calls.max(2);
        Self { calls, burst: (calls / 8).max(1), window, reserve: 5 }
    }
}

/// Budgets by owner and account.
type ByAccount = BTreeMap<(String, String), Arc<Budget>>;

/// The budgets of one process, one per remote account and owner. Owners share nothing, even where they name the same account: what
/// one of them names need not be theirs.
pub struct Budgets {
    clock: Arc<dyn Clock>,
    by_account: Arc<Mutex<ByAccount>>,
    /// Whose accounts this handle is for.
    owner: String,
    /// The word that every call through this handle is counted under, as a sweep.
    sweep: Option<&'static str>,
}

impl Budgets {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, by_account: Arc::default(), owner: String::new(), sweep: None }
    }

    /// The same budgets for the accounts of this owner.
    #[must_use]
    pub fn for_owner(&self, owner: &str) -> Self {
        Self { owner: owner.to_owned(), ..self.handle() }
    }

    /// The same budgets for a sweep: whatever a connector built with them calls for, the call lets all others go first and
    /// is counted for `purpose`. The connector itself need not know.
    #[must_use]
    pub fn for_sweep(&self, purpose: &'static str) -> Self {
        Self { sweep: Some(purpose), ..self.handle() }
    }

    fn handle(&self) -> Self {
        let (clock, by_account) = (Arc::clone(&self.clock), Arc::clone(&self.by_account));
        Self { clock, by_account, owner: self.owner.clone(), sweep: self.sweep }
    }

    /// Tells the budgets of one hub from those of another: the same for every handle on the same budgets.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.by_account).addr()
    }

    /// The budget of this account; the first caller's limit holds until [`Budget::set_limit`].
    pub fn account(&self, account: &str, limit: Limit) -> Arc<Budget> {
        let mut budgets = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = budgets
            .entry((self.owner.clone(), account.to_owned()))
            .or_insert_with(|| Arc::new(Budget::new(Arc::clone(&self.clock), limit)))
            .clone();
        match self.sweep {
            Some(purpose) => Arc::new(Budget { bucket: Arc::clone(&budget.bucket), sweep: Some(purpose) }),
            None => budget,
        }
    }

    /// Where the calls of every account went, by owner and account.
    pub fn reports(&self) -> BTreeMap<(String, String), BudgetReport> {
        let budgets = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.iter().map(|(account, budget)| (account.clone(), budget.report())).collect()
    }
}

/// Where an account's calls went.
#[derive(Debug, Clone, Serialize)]
pub struct BudgetReport {
    /// Most calls in any window.
    pub limit: u32,
    /// Calls since the program started, by purpose.
    pub calls: BTreeMap<&'static str, u64>,
    /// Calls the remote system still allowed when it last said so.
    pub remaining: Option<u32>,
    /// Calls that others made in the pool, as far as the answers show: drops in the remaining figure that ours do not explain.
    pub foreign_calls: u64,
    /// Throttle answers received.
    pub throttled: u64,
    /// Calls waiting now.
    pub waiting: usize,
}

/// The call budget of one account.
pub struct Budget {
    bucket: Arc<Bucket>,
    /// See [`Budgets::for_sweep`].
    sweep: Option<&'static str>,
}

/// What all who spend one budget share.
struct Bucket {
    clock: Arc<dyn Clock>,
    changed: Notify,
    state: Mutex<State>,
}

struct State {
    limit: Limit,
    /// In millionths of a call, so that slow refill is not lost to rounding.
    micro_tokens: u64,
    refilled_at: Duration,
    paused_until: Duration,
    next_ticket: u64,
    waiting: Vec<Waiting>,
    served: BTreeMap<String, u64>,
    calls: BTreeMap<&'static str, u64>,
    remaining: Option<u32>,
    since_remaining: u32,
    foreign_calls: u64,
    throttled: u64,
}

struct Waiting {
    ticket: u64,
    priority: Priority,
    share: String,
    since: Duration,
}

const MICRO: u64 = 1_000_000;

impl Budget {
    /// A bucket with one call in it. What a process before this one has spent is not known: one that was killed and started
    /// again would spend a burst twice within a window (RL1).
    pub fn new(clock: Arc<dyn Clock>, limit: Limit) -> Self {
        let now = clock.monotonic();
        let bucket = Bucket {
            clock,
            changed: Notify::new(),
            state: Mutex::new(State {
                limit,
                micro_tokens: MICRO,
                refilled_at: now,
                paused_until: Duration::ZERO,
                next_ticket: 0,
                waiting: Vec::new(),
                served: BTreeMap::new(),
                calls: BTreeMap::new(),
                remaining: None,
                since_remaining: 0,
                foreign_calls: 0,
                throttled: 0,
            }),
        };
        Self { bucket: Arc::new(bucket), sweep: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.bucket.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the limit, e.g. after a change of settings.
    pub fn set_limit(&self, limit: Limit) {
        let mut state = self.state();
        state.limit = limit;
        state.micro_tokens = state.micro_tokens.min(u64::from(limit.burst) * MICRO);
        drop(state);
        self.bucket.changed.notify_waiters();
    }

    /// Waits until one call may be made, and counts it for `purpose`. `share` is whom the call is made for: among callers of
    /// one priority the one that has had the fewest calls goes first.
    pub async fn acquire(&self, priority: Priority, purpose: &'static str, share: &str) {
        let (priority, purpose) = match self.sweep {
            Some(sweep) => (Priority::Sweeps, sweep),
            None => (priority, purpose),
        };
        let place = self.queue(priority, share);
        loop {
            // Registered before looking, so that a change between the look and the wait is not missed.
            let changed = self.bucket.changed.notified();
            let wait = {
                let now = self.bucket.clock.monotonic();
                let mut state = self.state();
                state.refill(now);
                if state.is_next(place.ticket, now) {
                    match state.time_to_token(now) {
                        None => {
                            state.take(purpose, share);
                            break;
                        }
                        Some(wait) => Some(wait),
                    }
                } else {
                    None
                }
            };
            match wait {
                Some(wait) => {
                    tokio::select! { biased; () = changed => {}, () = self.bucket.clock.sleep(wait) => {} }
                }
                None => changed.await,
            }
        }
        // Leaving the queue lets the next caller look.
        drop(place);
    }

    fn queue(&self, priority: Priority, share: &str) -> Place<'_> {
        let since = self.bucket.clock.monotonic();
        let mut state = self.state();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push(Waiting { ticket, priority, share: share.to_owned(), since });
        Place { budget: self, ticket }
    }

    /// Takes in what an answer says: calls left in the pool, and the time until it refills.
    pub fn observe(&self, remaining: u32, refills_in: Duration) {
        let now = self.bucket.clock.monotonic();
        let mut state = self.state();
        if let Some(before) = state.remaining
            && remaining < before
        {
            let gone = before - remaining;
            state.foreign_calls += u64::from(gone.saturating_sub(state.since_remaining));
        }
        state.remaining = Some(remaining);
        state.since_remaining = 0;
        if remaining <= state.limit.reserve {
            let until = now + refills_in.min(state.limit.window);
            state.paused_until = state.paused_until.max(until);
        }
        drop(state);
        self.bucket.changed.notify_waiters();
    }

    /// Takes in a throttle answer: nobody calls until `wait` is over (the rest of a window where it was not told).
    pub fn throttled(&self, wait: Option<Duration>) {
        let now = self.bucket.clock.monotonic();
        let mut state = self.state();
        state.throttled += 1;
        state.micro_tokens = 0;
        let wait = wait.unwrap_or(state.limit.window / 2).min(state.limit.window);
        state.paused_until = state.paused_until.max(now + wait);
    }

    /// Where the calls went.
    pub fn report(&self) -> BudgetReport {
        let state = self.state();
        BudgetReport {
            limit: state.limit.calls,
            calls: state.calls.clone(),
            remaining: state.remaining,
            foreign_calls: state.foreign_calls,
            throttled: state.throttled,
            waiting: state.waiting.len(),
        }
    }
}

/// A place in the queue; given up when the caller goes away, whether it was served or not.
struct Place<'a> {
    budget: &'a Budget,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.budget.state().waiting.retain(|waiting| waiting.ticket != self.ticket);
        self.budget.bucket.changed.notify_waiters();
    }
}

impl State {
    fn refill(&mut self, now: Duration) {
        let full = u64::from(self.limit.burst) * MICRO;
        let per_window = u64::from(self.limit.calls.saturating_sub(self.limit.burst).max(1)) * MICRO;
        let window = self.limit.window.as_nanos().max(1);
        let passed = now.saturating_sub(self.refilled_at).as_nanos();
        let gained = u64::try_from(u128::from(per_window) * passed / window).unwrap_or(full);
        // Only whole gains move the mark, so that many short looks lose nothing.
        if gained > 0 {
            self.micro_tokens = (self.micro_tokens + gained).min(full);
            self.refilled_at = now;
        }
    }

    fn is_next(&self, ticket: u64, now: Duration) -> bool {
        // A caller that has waited for two windows rises one step, so that sweeps are late but never starved.
        let step = (self.limit.window * 2).as_nanos().max(1);
        let rank = |waiting: &Waiting| {
            let risen = now.saturating_sub(waiting.since).as_nanos() / step;
            let base = match waiting.priority {
                Priority::Shipments => 0_u128,
                Priority::Orders => 1,
                Priority::Stock => 2,
                Priority::Sweeps => 3,
            };
            let served = self.served.get(&waiting.share).copied().unwrap_or(0);
            (base.saturating_sub(risen), served, waiting.ticket)
        };
        self.waiting.iter().max_by_key(|waiting| Reverse(rank(waiting))).is_some_and(|first| first.ticket == ticket)
    }

    /// `None` when a call may be made now.
    fn time_to_token(&self, now: Duration) -> Option<Duration> {
        if self.paused_until > now {
            return Some(self.paused_until - now);
        }
        let missing = MICRO.saturating_sub(self.micro_tokens);
        if missing == 0 {
            return None;
        }
        let per_window = u64::from(self.limit.calls.saturating_sub(self.limit.burst).max(1)) * MICRO;
        let nanos = u128::from(missing) * self.limit.window.as_nanos() / u128::from(per_window);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)) + Duration::from_micros(10))
    }

    fn take(&mut self, purpose: &'static str, share: &str) {
        self.micro_tokens = self.micro_tokens.saturating_sub(MICRO);
        self.since_remaining += 1;
        *self.calls.entry(purpose).or_default() += 1;
        // A share that was quiet for long must not then shut out the others until it has caught up.
        let least = self
            .waiting
            .iter()
            .filter(|waiting| waiting.share != share)
            .filter_map(|waiting| self.served.get(&waiting.share))
            .min()
            .copied()
            .unwrap_or(0);
        let served = self.served.entry(share.to_owned()).or_default();
        *served = (*served).max(least.saturating_sub(u64::from(self.limit.burst))) + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use async_trait::async_trait;
    use jiff::Timestamp;
    use proptest::prelude::{prop, prop_assert, proptest};

    use super::{Budget, Budgets, Limit, Priority};
    use crate::Clock;

    /// Tokio's paused clock.
    struct Paused(tokio::time::Instant);

    #[async_trait]
    impl Clock for Paused {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }
        async fn sleep(&self, time: Duration) {
            tokio::time::sleep(time).await;
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_in_any_window(calls in 2_u32..60, pauses in prop::collection::vec(0_u64..90, 1..80)) {
            let limit = Limit::new(calls, Duration::from_secs(60));
            let times = run(async move {
                let clock = Arc::new(Paused(tokio::time::Instant::now()));
                let budget = Budget::new(clock.clone(), limit);
                let mut times = Vec::new();
                for pause in pauses {
                    clock.sleep(Duration::from_secs(if pause < 60 { 0 } else { pause })).await;
                    budget.acquire(Priority::Orders, "test", "a").await;
                    times.push(clock.monotonic());
                }
                times
            });
            for (index, start) in times.iter().enumerate() {
                let within = times.iter().skip(index).filter(|time| **time < *start + Duration::from_secs(60)).count();
                prop_assert!(within <= calls as usize, "{within} calls within a minute of {start:?}, limit {calls}");
            }
        }
    }

    #[test]
    fn owners_who_name_the_same_account_share_nothing() {
        run(async {
            let budgets = Budgets::new(Arc::new(Paused(tokio::time::Instant::now())));
            let (one, other) = (budgets.for_owner("one"), budgets.for_owner("other"));
            one.account("a", Limit::new(200, Duration::from_secs(60))).acquire(Priority::Orders, "import", "x").await;
            other
                .account("a", Limit::new(200, Duration::from_secs(60)))
                .set_limit(Limit::new(2, Duration::from_secs(60)));
            let reports = budgets.reports();
            let of = |owner: &str| &reports[&(owner.to_owned(), "a".to_owned())];
            assert_eq!((of("one").limit, of("one").calls.get("import")), (200, Some(&1)));
            assert_eq!((of("other").limit, of("other").calls.get("import")), (2, None));
            assert_eq!(one.for_sweep("census").owner, "one");
            assert_eq!(one.identity(), other.identity(), "log-ins are told apart by user and password");
        });
    }

    #[test]
    fn a_sweep_spends_the_same_calls_last_and_under_its_own_name() {
        run(async {
            let clock = Arc::new(Paused(tokio::time::Instant::now()));
            let budgets = Budgets::new(clock.clone());
            let limit = Limit { calls: 2, burst: 1, window: Duration::from_secs(60), reserve: 0 };
            let for_sweep = budgets.for_sweep("census");
            assert_eq!(for_sweep.identity(), budgets.identity());
            let (own, sweep) = (budgets.account("a", limit), for_sweep.account("a", limit));
            own.acquire(Priority::Orders, "import", "x").await;
            let served = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for (name, budget, priority) in [("sweep", &sweep, Priority::Shipments), ("stock", &own, Priority::Stock)] {
                let (budget, served) = (Arc::clone(budget), Arc::clone(&served));
                tasks.push(tokio::spawn(async move {
                    budget.acquire(priority, name, "x").await;
                    served.lock().unwrap().push(name);
                }));
                tokio::task::yield_now().await;
            }
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*served.lock().unwrap(), ["stock", "sweep"], "it asked first and as urgently as can be");
            let report = budgets.reports().remove(&(String::new(), "a".to_owned())).unwrap();
            assert_eq!(report.calls, [("census", 1), ("import", 1), ("stock", 1)].into());
        });
    }

    #[test]
    fn shipments_go_first_and_shares_take_turns() {
        let order = run(async {
            let clock = Arc::new(Paused(tokio::time::Instant::now()));
            let budget =
                Arc::new(Budget::new(clock, Limit { calls: 2, burst: 1, window: Duration::from_secs(60), reserve: 0 }));
            budget.acquire(Priority::Orders, "test", "a").await;
            let served = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for (name, priority, share) in [
                ("a1", Priority::Stock, "a"),
                ("a2", Priority::Stock, "a"),
                ("b1", Priority::Stock, "b"),
                ("post", Priority::Shipments, "a"),
            ] {
                let (budget, served) = (budget.clone(), served.clone());
                tasks.push(tokio::spawn(async move {
                    budget.acquire(priority, "test", share).await;
                    served.lock().unwrap().push(name);
                }));
                tokio::task::yield_now().await;
            }
            for task in tasks {
                task.await.unwrap();
            }
            Arc::try_unwrap(served).unwrap().into_inner().unwrap()
        });
        assert_eq!(order, ["post", "b1", "a1", "a2"]);
    }

    #[test]
    fn believes_the_answers() {
        run(async {
            let clock = Arc::new(Paused(tokio::time::Instant::now()));
            let budget = Budget::new(clock.clone(), Limit::new(150, Duration::from_secs(60)));
            budget.acquire(Priority::Orders, "import", "a").await;
            budget.observe(120, Duration::from_secs(30));
            budget.acquire(Priority::Orders, "import", "a").await;
            budget.observe(4, Duration::from_secs(30));
            let before = clock.monotonic();
            budget.acquire(Priority::Shipments, "shipping", "a").await;
            assert!(clock.monotonic() - before >= Duration::from_secs(30));
            let report = budget.report();
            assert_eq!(report.foreign_calls, 115);
            assert_eq!(report.calls.get("import"), Some(&2));
        });
    }
}
