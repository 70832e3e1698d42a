//! Pre-flights, typed: carried out, listed, shown again and ended, with exit code 5 where something would have stood still.
//! What they count goes through the API: `api::preflight`.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use simulators::brightpearl::{NewLine, NewOrder};

use super::{Desk, account, ended, typed};

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_flight_is_typed_and_its_exit_code_says_what_it_found() {
    let source = account(0, "example-password").await;
    let brightpearl = source.handle();
    let products = brightpearl.plain_products("acme").unwrap();
    let (mapped, unmapped) = (&products[0], &products[1]);
    let desk = Arc::new(Desk::new());
    desk.works(&["init"]);
    let listings = format!("listings = [[{:?}, \"W-1\"]]", mapped.1);
    let strict = ("unmapped_sku = \"pass_through\"", "unmapped_sku = \"strict\"");
    desk.configure(&source.base_url(), &[strict, ("listings = [[\"A\", \"B\"], [\"C\", \"D\"]]", listings.as_str())]);
    let applied = typed(&desk, &["apply", "-f", "millrace.toml"]).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    let ready = brightpearl.status_id("acme", "Ready to ship").unwrap();
    let place = |sku: &str| {
        let order = NewOrder {
            status_id: Some(ready),
            warehouse_id: Some(5),
            shipping_method_id: Some(6),
            ..NewOrder::of([NewLine::sku(sku, 1)])
        };
        brightpearl.create_order("acme", order).unwrap()
    };
    for (product, _) in [mapped, unmapped] {
        brightpearl.change_stock("acme", *product, 5, 1_000).unwrap();
    }
    place(&mapped.1);
    place(&mapped.1);

    // All of it would have gone.
    let well = typed(&desk, &["--json", "preflight", "main", "--days", "7"]).await;
    assert_eq!(well.code, 0, "{}", well.all());
    let well = well.json();
    assert_eq!((&well["state"], &well["days"]), (&json!("finished"), &json!(7)), "{well}");
    assert_eq!((&well["orders"], &well["through"], &well["stuck"]), (&json!(2), &json!(2), &json!(0)), "{well}");

    // One of them would not, and it says which, why, and what mends it.
    let stuck = place(&unmapped.1);
    let found = typed(&desk, &["preflight", "main"]).await;
    assert_eq!(found.code, 5, "{}", found.all());
    let order = stuck.to_string();
    for told in [
        "3 orders since",
        "2 would have gone, 1 would have stood still",
        "unknown sku",
        &unmapped.1,
        &order,
        "Map the SKU",
    ] {
        assert!(found.out.contains(told), "{told} is not in\n{}", found.out);
    }

    // The newest first, and each can be shown again: with the exit code that it had.
    let listed = typed(&desk, &["--json", "preflight", "main", "--list"]).await;
    assert_eq!(listed.code, 0, "{}", listed.all());
    let listed = listed.json();
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids[1]), (2, well["id"].as_str().unwrap()), "{listed}");
    assert!(typed(&desk, &["preflight", "main", "--list"]).await.out.contains("STAND STILL"));
    for (id, code, stuck) in [(ids[1], 0, 0), (ids[0], 5, 1)] {
        let shown = typed(&desk, &["--json", "preflight", "main", "--run", id]).await;
        assert_eq!((shown.code, &shown.json()["stuck"]), (code, &json!(stuck)), "{}", shown.all());
    }
    let shown = typed(&desk, &["--json", "preflight", "main", "--run", ids[0]]).await.json();
    assert_eq!(shown["causes"][0]["kind"], "unknown_sku", "{shown}");
    assert_eq!(shown["before"]["id"], well["id"], "{shown}");
    // Ending one that has ended changes nothing of it.
    let ended_before = typed(&desk, &["--json", "preflight", "main", "--cancel", ids[1]]).await;
    assert_eq!((ended_before.code, &ended_before.json()["state"]), (0, &json!("finished")), "{}", ended_before.all());
    let none = "pre_00000000000000000000000000";
    for (wrong, code) in [
        (&["preflight", "main", "--days", "0"][..], 3),
        (&["preflight", "main", "--days", "91"], 3),
        (&["preflight", "nothing"], 4),
        (&["preflight", "main", "--run", none], 4),
        (&["preflight", "main", "--cancel", none], 4),
        (&["preflight", "main", "--list", "--days", "7"], 2),
        (&["preflight", "main", "--run", none, "--cancel", none], 2),
    ] {
        let refused = typed(&desk, wrong).await;
        assert_eq!(refused.code, code, "{wrong:?}: {}", refused.all());
    }

    // Brightpearl is away, so one waits for it until a person ends it; then one until its own process is asked to end.
    source.shutdown().await;
    for by in ["a person", "a signal"] {
        let waiting = desk
            .command()
            .args(["preflight", "main"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = begun(&desk).await;
        let id = begun["id"].as_str().unwrap();
        let why = if by == "a person" {
            let cancelled = typed(&desk, &["--json", "preflight", "main", "--cancel", id]).await;
            assert_eq!(cancelled.code, 0, "{}", cancelled.all());
            assert_eq!(cancelled.json()["state"], "cancelled");
            "was ended by somebody"
        } else {
            let process = waiting.id().to_string();
            let kill = std::process::Command::new("kill").args(["-TERM", &process]).status().unwrap();
            assert!(kill.success());
            "was ended before it had looked at everything"
        };
        let over = tokio::task::spawn_blocking(move || waiting.wait_with_output().unwrap()).await.unwrap();
        let over = ended(&over);
        assert_eq!(over.code, 1, "{by}: {}", over.all());
        assert!(over.err.contains(why), "{by}: {}", over.err);
        let shown = typed(&desk, &["--json", "preflight", "main", "--run", id]).await.json();
        assert_eq!(shown["state"], "cancelled", "{by}: {shown}");
    }
}

/// The run that has begun and not ended.
async fn begun(desk: &Arc<Desk>) -> Value {
    let start = Instant::now();
    loop {
        let listed = typed(desk, &["--json", "preflight", "main", "--list"]).await.json();
        let newest = listed["items"][0].clone();
        if newest["ended_at"].is_null() && newest["started_at"].is_string() {
            return newest;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it does not begin: {listed}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
