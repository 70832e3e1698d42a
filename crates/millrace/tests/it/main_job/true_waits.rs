//! The main job with few orders and a few faults, at the speed of the factor that is given. `./dev nightly true-waits` plays it
//! with `MILLRACE_FACTOR=1`: every wait as it is in production, which every other test divides.

use std::time::Duration;

use simulators::faults::{Fault, FaultRule};

use super::{
    faults::drains,
    flow::{place, stock},
};
use crate::world::{FACTOR, Setup, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_orders_at_the_speed_that_is_given() {
    let factor = std::env::var("MILLRACE_FACTOR").ok().map_or(FACTOR, |text| text.parse().expect("a number"));
    let mut world = World::new(Setup { factor, seed: 31, ..Setup::default() }).await;
    // Longer than a call may take, so that the program gives up and not the other side.
    let hold = Duration::from_secs(60) / factor;
    for (fault, method) in [
        (Fault::TimeoutAfterEffect { hold }, "POST"),
        (Fault::TimeoutBeforeEffect { hold }, "PUT"),
        (Fault::ErrorAfterEffect { html: true }, "PUT"),
        (Fault::LateEffect { delay: Duration::from_secs(40) / factor }, "POST"),
        (Fault::Throttled, "POST"),
    ] {
        world.brightpearl.faults().add(FaultRule::new(fault).method(method).path_contains("service/").first(1));
    }
    let expected = place(&world, 20, 31).expected;
    world.start();
    let decided = drains(&mut world, &expected, Duration::from_secs(120)).await;
    stock(&mut world).await;
    let fired = world.brightpearl.faults().fired().len();
    assert_eq!(fired, 5, "each fault was played once");
    if let Some(file) = std::env::var_os("MILLRACE_TOTALS") {
        let totals = serde_json::json!({
            "runs": 1, "orders": expected.len(), "faults": fired, "decided": decided, "factor": factor,
        });
        std::fs::write(file, totals.to_string()).expect("the totals are written");
    }
}
