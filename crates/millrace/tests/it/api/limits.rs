//! Clients that are slow, silent or endless (control 22), over real connections to the real program.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use millrace::{app, config::Config, operate, serving::Patience};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::seams;

/// Longest time that anything waited for here may take.
const LIMIT: Duration = Duration::from_secs(60);

struct Program {
    address: SocketAddr,
    key: String,
    stop: CancellationToken,
    running: JoinHandle<Result<(), app::AppError>>,
    _folder: tempfile::TempDir,
}

impl Program {
    /// The whole program, impatient, without workers' work to do.
    async fn start(connections: usize) -> Self {
        Self::with(connections, |_| {}).await
    }

    async fn with(connections: usize, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let short = Duration::from_millis(700);
        let patience = Patience { head: short, pause: short, unread: short, connections };
        let mut config = Config { patience, ..Config::in_folder(folder.path()) };
        change(&mut config);
        let key = operate::init(&config, &seams()).await.unwrap().administrator_key;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(app::run(config, Some(listener), seams(), stop.clone()));
        Self { address, key, stop, running, _folder: folder }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends what is given and reads to the end of the connection.
    async fn talk(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        rest(&mut stream).await
    }

    async fn is_well(&self) {
        let answer = self.talk(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.running).await.expect("it ends").unwrap().unwrap();
    }
}

/// Everything until the other side hangs up.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    // A reset is an end as well, when something of ours was not read.
    drop(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_what_it_wants_is_let_go() {
    let program = Program::start(8).await;
    // Every place is taken by somebody who says nothing, or one byte at a time for ever.
    let mut crowd = Vec::new();
    for number in 0..8 {
        let mut stream = program.connect().await;
        crowd.push(tokio::spawn(async move {
            if number % 2 == 0 {
                stream.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
                // Until the program hangs up.
                while stream.write_all(b"a").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            } else {
                rest(&mut stream).await;
            }
        }));
    }
    program.is_well().await;
    for one in crowd {
        tokio::time::timeout(LIMIT, one).await.expect("it is let go").unwrap();
    }
    // An idle connection that was used is let go too.
    let mut stream = program.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_half_way_is_answered() {
    let program = Program::start(8).await;
    let key = &program.key;
    for more in ["", "idempotency-key: one\r\n"] {
        let head = format!(
            "POST /api/v1/merchants HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n{more}content-type: \
             application/json\r\ncontent-length: 500\r\n\r\n{{\"name\":"
        );
        let answer = program.talk(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    program.is_well().await;
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_refused_at_its_limit() {
    let program = Program::start(8).await;
    let key = &program.key;
    let head = |path: &str, more: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\ncontent-type: \
             application/json\r\n{more}\r\n"
        )
    };
    // Said to be ten gigabytes: refused before any of it.
    for path in ["/api/v1/merchants", "/hooks/brightpearl/0123456789", "/api/v1/connections/x/mappings/listings.csv"] {
        let answer = program.talk(head(path, "content-length: 10737418240\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        assert!(answer.contains("too_large"), "{path}: {answer}");
    }
    // Not said, and without end.
    let mut stream = program.connect().await;
    stream.write_all(head("/api/v1/merchants", "transfer-encoding: chunked\r\n").as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut sent = 0_usize;
    while stream.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 0x10000;
        assert!(sent < 256 * 1024 * 1024, "it goes on taking it in");
    }
    program.is_well().await;
    // A head without end.
    let mut stream = program.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut sent = 0_usize;
    while stream.write_all(format!("x-{sent}: {}\r\n", "y".repeat(4000)).as_bytes()).await.is_ok() {
        sent += 4000;
        assert!(sent < 64 * 1024 * 1024, "it goes on taking it in");
    }
    program.is_well().await;
    program.end().await;
}

/// One caller who asks thousands of times a second: whatever is beyond its allowance is refused in a word, nothing goes wrong, and
/// everybody else is served.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_requests_at_once_harm_nobody() {
    const CONNECTIONS: usize = 50;
    const EACH: usize = 60;
    const ALLOWED: u32 = 300;
    let program = Program::with(CONNECTIONS + 8, |config| config.requests_per_minute = NonZeroU32::new(ALLOWED)).await;
    let one = |last: bool| {
        let end = if last { "connection: close\r\n" } else { "" };
        format!("GET /api/v1/merchants HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n{end}\r\n", program.key)
    };
    // All of them at once, without waiting for any answer.
    let asked = (1..=EACH).map(|number| one(number == EACH)).collect::<String>();
    let mut crowd = Vec::new();
    for _ in 0..CONNECTIONS {
        let (mut stream, asked) = (program.connect().await, asked.clone());
        crowd.push(tokio::spawn(async move {
            stream.write_all(asked.as_bytes()).await.unwrap();
            rest(&mut stream).await
        }));
    }
    program.is_well().await;
    let (mut served, mut refused) = (0, 0);
    for one in crowd {
        let answers = tokio::time::timeout(LIMIT, one).await.expect("it is answered").unwrap();
        let answers: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).collect();
        assert_eq!(answers.len(), EACH, "each is answered");
        for answer in answers {
            match answer.get(..3) {
                Some("200") => served += 1,
                Some("429") => {
                    assert!(answer.contains("too_many_requests") && answer.contains("retry-after: "), "{answer}");
                    refused += 1;
                }
                _ => panic!("neither served nor refused: {answer}"),
            }
        }
    }
    // What flows back meanwhile is served too.
    assert!(served >= ALLOWED && refused > served, "{served} served and {refused} refused of {}", CONNECTIONS * EACH);
    program.is_well().await;
    program.end().await;
}

/// An answer without end, to a client that takes nothing of it. It is for the system to notice.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_the_answer_is_let_go() {
    let endless = || async {
        let chunk = axum::body::Bytes::from(vec![b'x'; 0x10000]);
        axum::body::Body::from_stream(futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
    };
    let router = axum::Router::new().route("/", axum::routing::get(endless));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    // One place: who comes next is served only once the first has lost it.
    let patience = Patience { unread: Duration::from_millis(700), connections: 1, ..Patience::default() };
    let serving = tokio::spawn(millrace::serving::serve(listener, router, patience, None, stop.clone()));
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    idle.read_exact(&mut [0; 15]).await.unwrap();
    let mut next = TcpStream::connect(address).await.unwrap();
    next.write_all(b"GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let answer = rest(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    stop.cancel();
    tokio::time::timeout(LIMIT, serving).await.expect("it ends").unwrap();
}
