//! Each disturbance as both ends of a line see it.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use rand::{SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{Disturbance, Proxy, Way, Weather};

/// Nothing here takes long; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers every byte with the same byte.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    address
}

/// Sends 1,000 bytes, half-closes, and reads to the end: what came back, and how it ended.
async fn talk(proxy: &Proxy) -> (Vec<u8>, Result<(), ErrorKind>) {
    let sent: Vec<u8> = (0..1_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let talk = async {
        let mut stream = match TcpStream::connect(proxy.address()).await {
            Ok(stream) => stream,
            Err(error) => return (Vec::new(), Err(error.kind())),
        };
        let mut heard = Vec::new();
        // Either may fail when the line is cut; the reading says how.
        let _ = stream.write_all(&sent).await;
        let _ = stream.shutdown().await;
        let end = stream.read_to_end(&mut heard).await.map(drop).map_err(|error| error.kind());
        assert!(sent.starts_with(&heard), "what arrives is a beginning of what was sent");
        (heard, end)
    };
    timeout(PATIENCE, talk).await.expect("the line does not hang")
}

#[tokio::test]
async fn a_quiet_line_carries_everything_both_ways() {
    let proxy = Proxy::start(echo().await, 1).await.unwrap();
    let (heard, end) = talk(&proxy).await;
    assert_eq!((heard.len(), end), (1_000, Ok(())));
    assert!(proxy.met().is_empty());
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn resets_and_ends_fall_where_they_were_put() {
    let proxy = Proxy::start(echo().await, 1).await.unwrap();
    for (disturbance, most, reset) in [
        (Disturbance::Reset { way: Way::Request, after: 0 }, 0, true),
        (Disturbance::Reset { way: Way::Request, after: 300 }, 300, true),
        (Disturbance::Reset { way: Way::Answer, after: 300 }, 300, true),
        (Disturbance::End { way: Way::Request, after: 300 }, 300, false),
        (Disturbance::End { way: Way::Answer, after: 300 }, 300, false),
    ] {
        proxy.next(disturbance);
        let (heard, end) = talk(&proxy).await;
        assert!(heard.len() <= most, "{disturbance:?}: {} bytes came back", heard.len());
        // Bytes that were on their way when the connection ended make the other end see a reset.
        assert!(end.is_err() || !reset, "{disturbance:?}");
        assert_eq!(proxy.met().get(disturbance.name()).copied().unwrap_or_default(), 1, "{disturbance:?}");
        assert_eq!(talk(&proxy).await.0.len(), 1_000, "the next one is quiet");
        proxy.shared.state(|state| state.met.clear());
    }
}

#[tokio::test]
async fn silence_keeps_the_connection_open_and_tells_nobody() {
    let proxy = Proxy::start(echo().await, 1).await.unwrap();
    let silence = |hold| Disturbance::Silence { way: Way::Answer, after: 100, hold };
    proxy.next(silence(Duration::from_secs(3_600)));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(&[7; 1_000]).await.unwrap();
    let mut heard = [0_u8; 100];
    timeout(PATIENCE, stream.read_exact(&mut heard)).await.expect("the first 100 bytes come").unwrap();
    let more = timeout(Duration::from_millis(300), stream.read(&mut heard)).await;
    assert!(more.is_err(), "nothing comes and nothing ends: {more:?}");
    proxy.next(silence(Duration::from_millis(50)));
    assert!(talk(&proxy).await.1.is_err(), "after its time it is reset");
    assert_eq!(proxy.met().values().sum::<u64>(), 2);
}

#[tokio::test]
async fn slow_lines_carry_everything() {
    let proxy = Proxy::start(echo().await, 1).await.unwrap();
    proxy.next(Disturbance::Delay { hold: Duration::from_millis(50) });
    proxy.next(Disturbance::Drip { way: Way::Answer, piece: 64, pause: Duration::from_millis(1) });
    proxy.next(Disturbance::Drip { way: Way::Request, piece: 64, pause: Duration::from_millis(1) });
    for _ in 0..3 {
        let (heard, end) = talk(&proxy).await;
        assert_eq!((heard.len(), end), (1_000, Ok(())));
    }
}

#[tokio::test]
async fn a_shut_line_refuses_and_a_cut_one_resets() {
    let proxy = Proxy::start(echo().await, 1).await.unwrap();
    let mut open = TcpStream::connect(proxy.address()).await.unwrap();
    open.write_all(b"a").await.unwrap();
    let mut byte = [0_u8; 1];
    timeout(PATIENCE, open.read_exact(&mut byte)).await.expect("it answers").unwrap();
    proxy.shut().await;
    assert_eq!(talk(&proxy).await.1, Err(ErrorKind::ConnectionRefused));
    open.write_all(b"b").await.unwrap();
    timeout(PATIENCE, open.read_exact(&mut byte)).await.expect("open connections go on").unwrap();
    proxy.open().await.unwrap();
    assert_eq!(talk(&proxy).await.0.len(), 1_000);
    proxy.cut();
    let end = timeout(PATIENCE, open.read(&mut byte)).await.expect("it ends");
    assert!(end.is_err(), "{end:?}");
    // Somebody else answers from now on, or nobody.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    proxy.aim(address);
    assert!(talk(&proxy).await.1.is_err());
    proxy.aim(echo().await);
    assert_eq!(talk(&proxy).await.0.len(), 1_000);
}

#[test]
fn the_weather_is_the_seeds() {
    let weather = Weather::bad(Duration::from_secs(1));
    let draw = |seed| {
        let mut dice = StdRng::seed_from_u64(seed);
        (0..2_000).map(|_| weather.draw(&mut dice)).collect::<Vec<_>>()
    };
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    let mut names: Vec<_> = draw(3).iter().flatten().map(Disturbance::name).collect();
    assert!((400..900).contains(&names.len()), "{} of 2,000", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 9, "every disturbance comes: {names:?}");
}
