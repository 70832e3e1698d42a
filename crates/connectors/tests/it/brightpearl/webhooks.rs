//! Subscriptions, and the calls that come of them.

use std::sync::{Arc, Mutex};

use connect::Secret;
use connectors::brightpearl::webhooks::{EVENTS, parse_call};
use simulators::faults::{Fault, FaultRule};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{ACCOUNT, Bench};

/// Answers every call with 200 and keeps the bodies.
async fn listen() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hooks/abc", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                let mut part = [0_u8; 4096];
                while let Ok(read @ 1..) = stream.read(&mut part).await {
                    bytes.extend_from_slice(&part[..read]);
                    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                    let length =
                        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                    if bytes.len() >= end + 4 + length.unwrap_or(0) {
                        kept.lock().unwrap().push(bytes[end + 4..].to_vec());
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                            .await
                            .ok();
                        return;
                    }
                }
            });
        }
    });
    (address, bodies)
}

#[tokio::test]
async fn registering_twice_leaves_one_subscription_for_each_event() {
    let bench = Bench::small().await;
    let (address, bodies) = listen().await;
    let secret = Secret::new("hook-secret");
    // The answer to the second subscription is lost, so that registration has to be repeated.
    bench.sim.faults().add(FaultRule::new(Fault::ResetMidBody).method("POST").path_contains("/webhook").nth(2));
    assert!(bench.connector.register_webhooks(&address, &secret).await.is_err());
    for _ in 0..2 {
        let subscriptions = bench.connector.register_webhooks(&address, &secret).await.unwrap();
        let mut events: Vec<&str> = subscriptions.iter().map(|subscription| subscription.event.as_str()).collect();
        events.sort_unstable();
        let mut wanted = EVENTS.to_vec();
        wanted.sort_unstable();
        assert_eq!(events, wanted);
    }

    let order = bench.order(&[1]);
    bench.sim.set_status(ACCOUNT, order, bench.status("On hold")).unwrap();
    let heard = async {
        loop {
            let calls: Vec<_> = bodies.lock().unwrap().iter().map(|body| parse_call(body).unwrap()).collect();
            if let Some(call) = calls
                .into_iter()
                .find(|call| call.resource == "order" && call.ids.iter().flatten().any(|id| *id == order))
            {
                return call;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let call = tokio::time::timeout(std::time::Duration::from_secs(20), heard).await.expect("Brightpearl calls");
    assert_eq!((call.account.as_str(), call.secret.expose()), (ACCOUNT, "hook-secret"));

    // Another secret replaces them; another address is left alone.
    bench.connector.register_webhooks("http://127.0.0.1:9/other", &secret).await.unwrap();
    bench.connector.register_webhooks(&address, &Secret::new("new-secret")).await.unwrap();
    assert_eq!(bench.connector.list_webhooks(&address).await.unwrap().len(), EVENTS.len());
    assert_eq!(bench.connector.unregister_webhooks(&address).await.unwrap(), EVENTS.len());
    assert_eq!(bench.connector.list_webhooks("http://127.0.0.1:9/other").await.unwrap().len(), EVENTS.len());
}
