//! What a tenant types in is dialled only where the operator permits it: over HTTP and over SFTP, with real listeners that
//! count who knocks.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use connect::{
    FileErrorKind, FileLocation, FileStores as _, Guard, HttpRequest, HttpTransport, HttpWaits, Network, Resolver,
    Secret, Transport as _, TransportError, Waits,
};
use connectors::files::Files;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Counts connections, and answers each with the same bytes.
struct Door {
    port: u16,
    knocks: Arc<AtomicUsize>,
}

impl Door {
    async fn open(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (knocks, answer) = (Arc::new(AtomicUsize::new(0)), answer.into());
        let counted = Arc::clone(&knocks);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, SeqCst);
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, knocks }
    }

    fn knocks(&self) -> usize {
        self.knocks.load(SeqCst)
    }
}

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// A public address when first asked, this machine from then on: the name server of an attacker.
#[derive(Default)]
struct Rebinding {
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl Resolver for Rebinding {
    async fn resolve(&self, _name: &str) -> std::io::Result<Vec<IpAddr>> {
        let first = self.asked.fetch_add(1, SeqCst) == 0;
        Ok(vec![if first { "93.184.215.14" } else { "127.0.0.1" }.parse().unwrap()])
    }
}

fn transport(guard: Guard) -> HttpTransport {
    let waits = HttpWaits { connect: Duration::from_secs(2), total: Duration::from_secs(5), ..HttpWaits::default() };
    HttpTransport::new(waits, guard).unwrap()
}

async fn get(guard: &Guard, address: &str) -> Result<u16, TransportError> {
    let request = HttpRequest::new("GET", address.parse().unwrap());
    transport(guard.clone()).send(request).await.map(|answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_elsewhere_the_second_time_is_not_followed() {
    let door = Door::open(FINE).await;
    let resolver = Arc::new(Rebinding::default());
    let guard = Guard::new(&[], &[door.port], false).resolving(Arc::clone(&resolver) as Arc<dyn Resolver>);
    // The check when it was typed in saw a public address.
    assert!(guard.sftp("rebind.example", door.port).await.is_ok());
    let sent = get(&guard, &format!("https://rebind.example:{}/", door.port)).await;
    assert!(matches!(&sent, Err(TransportError::NotSent(why)) if why.contains("does not lead to public")), "{sent:?}");
    let sent = get(&guard, &format!("http://rebind.example:{}/", door.port)).await;
    assert!(matches!(sent, Err(TransportError::NotSent(_))), "{sent:?}");
    assert_eq!((door.knocks(), resolver.asked.load(SeqCst)), (0, 3));

    // Permitted, the connection goes to what was checked: the name is asked for once.
    let network: Network = "127.0.0.0/8".parse().unwrap();
    let resolver = Arc::new(Rebinding { asked: AtomicUsize::new(1) });
    let guard = Guard::new(&[network], &[door.port], false).resolving(Arc::clone(&resolver) as Arc<dyn Resolver>);
    assert_eq!(get(&guard, &format!("http://inside.example:{}/", door.port)).await.unwrap(), 200);
    assert_eq!((door.knocks(), resolver.asked.load(SeqCst)), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_knocks_at_this_machine() {
    let door = Door::open(FINE).await;
    let guard = Guard::new(&[], &[door.port], false);
    for host in
        ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
    {
        for scheme in ["http", "https"] {
            let address = format!("{scheme}://{host}:{}/", door.port);
            assert!(matches!(get(&guard, &address).await, Err(TransportError::NotSent(_))), "{address}");
        }
        let server = FileLocation::Sftp {
            host: host.to_owned(),
            port: door.port,
            user: "user".to_owned(),
            password: Some(Secret::new("password")),
            private_key: None,
            host_key: None,
            root: String::new(),
        };
        let store = Files::new(Waits::default(), guard.clone()).open(server);
        let seen = store.host_key().await.unwrap_err();
        assert_eq!(seen.kind, FileErrorKind::NotReached, "{host}: {seen}");
        assert!(seen.message.contains("public"), "{host}: {seen}");
    }
    assert_eq!(door.knocks(), 0);
    // The door does answer: with the operator's word it is reached.
    assert_eq!(get(&Guard::stand_ins(), &format!("http://localhost:{}/", door.port)).await.unwrap(), 200);
    assert_eq!(door.knocks(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let inside = Door::open(FINE).await;
    for target in
        ["http://169.254.169.254/latest/meta-data/".to_owned(), format!("http://127.0.0.1:{}/secret", inside.port)]
    {
        for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
            let answer =
                format!("HTTP/1.1 {status}\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let door = Door::open(answer).await;
            let told = get(&Guard::stand_ins(), &format!("http://127.0.0.1:{}/", door.port)).await.unwrap();
            assert_eq!(told.to_string(), status[..3]);
        }
    }
    assert_eq!(inside.knocks(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_not_read_to_it() {
    let long = "x".repeat(300_000);
    let door = Door::open(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{long}")).await;
    let waits = HttpWaits { largest_answer: 100_000, ..HttpWaits::default() };
    let request = HttpRequest::new("GET", format!("http://127.0.0.1:{}/", door.port).parse().unwrap());
    let told = HttpTransport::new(waits, Guard::stand_ins()).unwrap().send(request).await;
    assert!(matches!(&told, Err(TransportError::Unknown(why)) if why.contains("larger than")), "{told:?}");
}
