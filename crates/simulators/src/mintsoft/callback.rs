//! Call-backs: the order as it stands, posted to the addresses that came with it. Unsigned, once, and sometimes not at all.

use std::time::Duration;

use rand::RngExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Handle;
use super::ledger::Call;

/// How call-backs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRules {
    /// Share, in percent, that is never made.
    pub lost_percent: u8,
    /// Share, in percent, that is made twice.
    pub repeat_percent: u8,
    /// A receiver that has not answered by then has not answered.
    pub answer_within: Duration,
}

impl Default for CallRules {
    fn default() -> Self {
        Self { lost_percent: 0, repeat_percent: 0, answer_within: Duration::from_secs(10) }
    }
}

/// A call that is due.
struct Due {
    order: u64,
    code: &'static str,
    url: String,
    body: Value,
    lost: bool,
    times: u8,
}

/// Makes the calls that events cause, until told to stop.
pub(super) async fn deliver(handle: Handle, shutdown: CancellationToken) {
    let rules = handle.shared.config.calls;
    let client = reqwest::Client::builder().no_proxy().timeout(rules.answer_within).build().unwrap_or_default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = handle.shared.events.notified() => {}
        }
        for due in handle.due() {
            for _ in 0..due.times {
                let mut status = None;
                if !due.lost {
                    let request = client.post(&due.url).json(&due.body).send();
                    status = request.await.ok().map(|answer| answer.status().as_u16());
                }
                handle.with(|world, now| {
                    world.calls.push(Call {
                        at: now,
                        order_id: due.order,
                        code: due.code.to_owned(),
                        url: due.url.clone(),
                        lost: due.lost,
                        status,
                    });
                });
            }
        }
    }
}

impl Handle {
    fn due(&self) -> Vec<Due> {
        let rules = self.shared.config.calls;
        self.with(|world, _| {
            let mut due = Vec::new();
            for event in std::mem::take(&mut world.floor.events) {
                let Some(order) = world.floor.orders.get(&event.order) else { continue };
                let Some(url) = order.calls.get(event.code).filter(|url| !url.is_empty()) else { continue };
                due.push(Due {
                    order: event.order,
                    code: event.code,
                    url: url.clone(),
                    body: world.floor.order_document(order, true),
                    lost: world.rng.random_range(0..100_u8) < rules.lost_percent,
                    times: if world.rng.random_range(0..100_u8) < rules.repeat_percent { 2 } else { 1 },
                });
            }
            due
        })
    }
}
