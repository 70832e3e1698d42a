//! The API under load: a database full of orders, the real server on loopback, clients that ask for lists, and event streams
//! that are listened to while orders change.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use connect::{Guard, HttpTransport, HttpWaits, OsRandom, SystemClock, Waits};
use futures_util::StreamExt as _;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{ApiBench, Figure, fill::fill, machine};
use crate::{config::Config, operate, worker::Seams};

/// An order changes so often, for the streams to hear of.
const CHANGE: Duration = Duration::from_millis(200);
/// The aim of `docs/performance.md` for the slowest hundredth of the lists.
const AIM: Duration = Duration::from_millis(50);

/// Fills a database, loads the API, and says how long answers took.
///
/// # Errors
/// When anything of it fails, an answer that is not as expected included.
pub(super) async fn measure(load: &ApiBench) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let mut config = Config { allow_stand_ins: true, ..Config::in_folder(folder.path()) };
    if let Some(database) = &load.database {
        config.database.clone_from(database);
    }
    let seams = seams()?;
    let key = operate::init(&config, &seams).await.map_err(failed)?.administrator_key;
    fill(&config, &seams, folder.path(), load.orders).await?;
    let server = Server::start(folder.path(), &config.database).await?;
    under_load(load, &server, &key).await
}

/// The real program, in a process of its own, so that its memory is its own.
struct Server {
    process: Child,
    /// Where its API is.
    base: String,
}

impl Server {
    async fn start(folder: &Path, database: &str) -> anyhow::Result<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?;
        let log = std::fs::File::create(folder.join("serve.log"))?;
        let process = Command::new(std::env::current_exe()?)
            .arg("--data")
            .arg(folder)
            .args(["--allow-stand-ins", "serve", "--listen", &address.to_string()])
            // What the machine can do is measured, not what one key may ask.
            .args(["--requests-per-minute", "0"])
            // Not as an argument: an address may hold a password, and arguments are seen by everybody.
            .env("MILLRACE_DATABASE", database)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let server = Self { process, base: format!("http://{address}/api/v1") };
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the server does not answer: {}", std::fs::read_to_string(folder.join("serve.log"))?)
    }

    fn memory(&self) -> anyhow::Result<u64> {
        machine::resident(self.process.id()).context("the server's memory cannot be read")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        if self.process.kill().is_ok() {
            let _ = self.process.wait();
        }
    }
}

fn failed(failure: operate::Failure) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", failure.detail, failure.remedy)
}

fn seams() -> anyhow::Result<Seams> {
    Ok(Seams {
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(OsRandom),
        transport: Arc::new(HttpTransport::new(HttpWaits::default(), Guard::stand_ins())?),
        files: Arc::new(connectors::files::Files::new(Waits::default(), Guard::stand_ins())),
    })
}

/// What the clients ask for, by the name it is printed under: each filter of the app's lists, and as many rows as the app asks for.
fn routes(first_page: &serde_json::Value, orders: i64) -> Vec<(&'static str, String)> {
    let id = first_page["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    let merchant = first_page["items"][0]["merchant"].as_str().unwrap_or_default().to_owned();
    let (rare, cursor) = (orders / 2, first_page["next"].as_str().unwrap_or_default().to_owned());
    let lists = [
        ("orders", "orders?limit=100".to_owned()),
        ("orders, a later page", format!("orders?limit=100&cursor={cursor}")),
        ("orders of a connection", "orders?limit=100&connection=bench".to_owned()),
        ("orders of a merchant", format!("orders?limit=100&merchant={merchant}")),
        ("orders by state", "orders?limit=100&state=held".to_owned()),
        ("orders by several states", "orders?limit=100&state=held,error,new".to_owned()),
        ("orders by a state that none has", "orders?limit=100&state=error".to_owned()),
        ("orders of a connection by state", "orders?limit=100&connection=bench&state=open".to_owned()),
        ("orders of a merchant by state", format!("orders?limit=100&merchant={merchant}&state=held,error")),
        ("orders by text, one found", format!("orders?limit=100&text=WEB-{rare}")),
        ("orders by text, many found", "orders?limit=100&text=recipient".to_owned()),
        ("orders by text, none found", "orders?limit=100&text=nowhere-to-be-found".to_owned()),
        ("orders by text and state", "orders?limit=100&text=recipient&state=open".to_owned()),
        ("orders by text and a state that none has", "orders?limit=100&text=recipient&state=error".to_owned()),
        ("orders by date", "orders?limit=100&placed_from=2001-01-01T00:00:00Z".to_owned()),
        ("orders by date, none found", "orders?limit=100&placed_to=2001-01-01T00:00:00Z".to_owned()),
        ("shipments", "shipments?limit=50".to_owned()),
        ("shipments of a connection", "shipments?limit=50&connection=bench".to_owned()),
        ("shipments that are told", "shipments?limit=50&confirmed=true".to_owned()),
        ("shipments that are not told", "shipments?limit=50&confirmed=false".to_owned()),
        ("shipments that need a person", "shipments?limit=50&connection=bench&needs_person=true".to_owned()),
        ("shipments by text, one found", format!("shipments?limit=50&text={rare}")),
        ("shipments by text, many found", "shipments?limit=50&text=1zbench".to_owned()),
        ("shipments by text, none found", "shipments?limit=50&text=nowhere-to-be-found".to_owned()),
        ("shipments by text that need a person", "shipments?limit=50&text=1zbench&needs_person=true".to_owned()),
        ("effects", "effects?limit=100".to_owned()),
        ("effects of a connection", "effects?limit=100&connection=bench".to_owned()),
        ("effects by state, none found", "effects?limit=100&state=unknown".to_owned()),
        ("effects by kind, many found", "effects?limit=100&kind=submit_request".to_owned()),
        ("effects by kind, none found", "effects?limit=100&kind=correct_stock".to_owned()),
        (
            "effects of a connection by kind and state",
            "effects?limit=100&connection=bench&kind=submit_request&state=applied".to_owned(),
        ),
        ("effects that need a person", "effects?limit=100&needs_person=true".to_owned()),
        ("runs of a channel", "connections/bench/channels/orders/runs?limit=25".to_owned()),
        ("exceptions", "exceptions?limit=200".to_owned()),
        ("exceptions of a connection", "exceptions?limit=200&connection=bench".to_owned()),
        ("exceptions, dealt with as well", "exceptions?limit=200&all=true".to_owned()),
        ("exceptions by cause", "exceptions/groups".to_owned()),
        ("findings", "findings?limit=50".to_owned()),
        ("findings of a connection", "findings?limit=50&connection=bench".to_owned()),
        ("findings, gone ones as well", "findings?limit=50&all=true".to_owned()),
        ("stock levels", "connections/bench/stock/levels?limit=100".to_owned()),
        ("stock levels by text, one found", "connections/bench/stock/levels?limit=100&text=sku-04321".to_owned()),
        ("stock levels by text, none found", "connections/bench/stock/levels?limit=100&text=nowhere".to_owned()),
        ("stock runs", "connections/bench/stock/runs?limit=30".to_owned()),
        ("audit", "audit?limit=50".to_owned()),
        ("audit by who", "audit?limit=50&actor=person%207".to_owned()),
        ("audit by what", "audit?limit=50&action=order.".to_owned()),
        ("audit by target, one found", "audit?limit=50&target=ord_17".to_owned()),
        ("audit by date, none found", "audit?limit=50&to=2001-01-01T00:00:00Z".to_owned()),
        ("alerts", "alerts/issues?limit=50".to_owned()),
        ("alerts, closed ones as well", "alerts/issues?limit=50&all=true".to_owned()),
        ("connections", "connections?limit=500".to_owned()),
    ];
    lists.into_iter().chain([("one order", format!("orders/{id}"))]).collect()
}

async fn under_load(load: &ApiBench, server: &Server, key: &str) -> anyhow::Result<Vec<Figure>> {
    let base = server.base.as_str();
    let client = reqwest::Client::builder().no_proxy().build()?;
    let page = get(&client, base, key, "orders?state=open&limit=100").await?;
    let routes = Arc::new(routes(&serde_json::from_str(&page)?, load.orders));
    // Holding one that waits changes its state, and so does releasing it: the streams hear of both.
    let waiting = get(&client, base, key, "orders?state=new&limit=100").await?;
    let waiting: serde_json::Value = serde_json::from_str(&waiting)?;
    let waiting = waiting["items"].as_array().into_iter().flatten();
    let waiting: Vec<String> = waiting.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect();
    anyhow::ensure!(!waiting.is_empty(), "there is no waiting order to change");
    let stop = CancellationToken::new();
    let heard = Arc::new(AtomicU64::new(0));
    let mut streams = JoinSet::new();
    for _ in 0..load.streams {
        streams.spawn(listen(
            client.clone(),
            format!("{base}/events"),
            key.to_owned(),
            stop.clone(),
            Arc::clone(&heard),
        ));
    }
    let changing = tokio::spawn(change(client.clone(), base.to_owned(), key.to_owned(), waiting, stop.clone()));
    // What opens and warms up is not measured.
    let mut warm = JoinSet::new();
    for (_, path) in routes.iter() {
        let (client, base, key, path) = (client.clone(), base.to_owned(), key.to_owned(), path.clone());
        warm.spawn(async move { get(&client, &base, &key, &path).await.map(drop) });
    }
    while let Some(warmed) = warm.join_next().await {
        warmed??;
    }
    let mut memory = Vec::new();
    // The first tick is now.
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    minutes.tick().await;
    memory.push(server.memory()?);
    let end = Instant::now() + Duration::from_secs(load.seconds);
    let mut clients = JoinSet::new();
    for number in 0..load.clients {
        let (client, routes) = (client.clone(), Arc::clone(&routes));
        let (base, key, rest) = (base.to_owned(), key.to_owned(), Duration::from_millis(load.rest_ms));
        clients.spawn(async move { ask(&client, &base, &key, &routes, number, rest, end).await });
    }
    let mut times: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    loop {
        tokio::select! {
            asked = clients.join_next() => {
                let Some(asked) = asked else { break };
                for (route, took) in asked?? {
                    times.entry(route).or_default().push(took);
                }
            }
            _ = minutes.tick() => memory.push(server.memory()?),
        }
    }
    memory.push(server.memory()?);
    stop.cancel();
    let changed = changing.await??;
    while let Some(stream) = streams.join_next().await {
        stream??;
    }
    let mut figures: Vec<Figure> = Vec::new();
    for (route, mut times) in times {
        let Some((name, _)) = routes.get(route) else { continue };
        times.sort_unstable();
        let (middle, slow) = (share(&times, 50), share(&times, 99));
        figures.push(
            Figure::new(
                format!("{name}: p50, p99 of {} requests", times.len()),
                format!("{}, {}", ms(middle), ms(slow)),
            )
            .aim("p99 under 50 ms", slow < AIM),
        );
    }
    anyhow::ensure!(!figures.is_empty(), "no client was answered");
    let heard = heard.load(Ordering::Relaxed);
    anyhow::ensure!(load.streams == 0 || heard > 0, "no stream heard of {changed} changes");
    figures.push(Figure::new(
        format!("events heard by {} streams, of {changed} changes", load.streams),
        heard.to_string(),
    ));
    let memory: Vec<String> = memory.iter().map(|bytes| format!("{} MB", bytes / 1_000_000)).collect();
    figures.push(Figure::new(
        "resident memory of the server, at the start, after each minute, and at the end",
        memory.join(", "),
    ));
    Ok(figures)
}

/// Asks for one route after the other, beginning elsewhere than the other clients, until the end.
async fn ask(
    client: &reqwest::Client,
    base: &str,
    key: &str,
    routes: &[(&'static str, String)],
    number: usize,
    rest: Duration,
    end: Instant,
) -> anyhow::Result<Vec<(usize, Duration)>> {
    let mut times = Vec::new();
    for (route, (_, path)) in routes.iter().enumerate().cycle().skip(number % routes.len().max(1)) {
        if Instant::now() >= end {
            break;
        }
        let start = Instant::now();
        get(client, base, key, path).await?;
        times.push((route, start.elapsed()));
        tokio::time::sleep(rest).await;
    }
    Ok(times)
}

async fn get(client: &reqwest::Client, base: &str, key: &str, path: &str) -> anyhow::Result<String> {
    let answer =
        client.get(format!("{base}/{path}")).bearer_auth(key).header("millrace-tenant", "default").send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    anyhow::ensure!(status.is_success(), "{path}: {status}: {text}");
    Ok(text)
}

/// Counts what a stream hears.
async fn listen(
    client: reqwest::Client,
    address: String,
    key: String,
    stop: CancellationToken,
    heard: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let answer = client.get(address).bearer_auth(key).header("millrace-tenant", "default").send().await?;
    anyhow::ensure!(answer.status().is_success(), "a stream was answered with {}", answer.status());
    let mut lines = answer.bytes_stream();
    loop {
        let chunk = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            chunk = lines.next() => chunk.context("a stream ended")??,
        };
        let events = chunk.windows(6).filter(|part| part == b"\ndata:").count();
        heard.fetch_add(u64::try_from(events)?, Ordering::Relaxed);
    }
}

/// Holds and releases orders, one at a time. How many changes there were.
async fn change(
    client: reqwest::Client,
    base: String,
    key: String,
    orders: Vec<String>,
    stop: CancellationToken,
) -> anyhow::Result<u64> {
    let mut changes = 0;
    loop {
        for (action, body) in [("hold", serde_json::json!({ "reason": "bench" })), ("release", serde_json::Value::Null)]
        {
            for order in &orders {
                tokio::select! {
                    () = stop.cancelled() => return Ok(changes),
                    () = tokio::time::sleep(CHANGE) => {}
                }
                let request = client.post(format!("{base}/orders/{order}/{action}")).bearer_auth(&key);
                let request = request.header("millrace-tenant", "default");
                let request = if body.is_null() { request } else { request.json(&body) };
                let status = request.send().await?.status();
                anyhow::ensure!(status.is_success(), "{action} was answered with {status}");
                changes += 1;
            }
        }
    }
}

/// So many of a hundred took at most this long. The times are sorted.
fn share(times: &[Duration], hundredths: usize) -> Duration {
    let place = (times.len() * hundredths).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
