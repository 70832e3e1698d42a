//! The main job, live in a terminal: simulators of both ends and the real program between them, in one process.
//!
//! The connection is made through the public API, as anybody would. The summary at the end is read from the *simulators'*
//! ledgers; the hub's own census is told beside it.

mod api;
mod ends;
mod show;

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use connect::{Guard, HttpTransport, HttpWaits, OsRandom, Secret, SystemClock, Waits};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    app,
    config::Config,
    operate::{
        self,
        demo::{DemoLink, LIFE},
        endpoints::SecretIn,
        links::{self, RedeemIn},
        sign_in::Visitor,
    },
    worker::Seams,
};
use api::Api;
use ends::Ends;
use show::Show;

/// A census waits until nothing else wants to call.
const CENSUS: Duration = Duration::from_secs(60);

/// What to show.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoOptions {
    /// Orders to place.
    #[arg(long, default_value_t = 60)]
    pub orders: usize,
    /// Go on serving afterwards, until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// Use a plain folder even where an OpenSSH server is installed.
    #[arg(long)]
    pub folder: bool,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 300)]
    pub limit: u64,
}

/// Runs the demonstration. `Ok(false)`: something was not as it should be, and the summary says what.
///
/// # Errors
/// When it cannot be set up.
pub async fn run(options: DemoOptions, shutdown: CancellationToken) -> anyhow::Result<bool> {
    let folder = tempfile::Builder::new().prefix("millrace-demo-").tempdir()?;
    let mut show = Show::new(options.orders);
    show.say("Starting a simulated Brightpearl with 2,000 products, and a warehouse that picks, packs and counts.");
    let mut ends = Ends::start(folder.path(), &options).await?;
    show.say(&ends.describe());

    let Started { address, administrator, password, token, stop, program } =
        program(folder.path().join("data")).await?;
    show.say(&format!("Millrace listens on http://{address}; its database is one SQLite file."));
    show.say(&format!("Sign in as {PERSON} with the password {password}, or open this, which signs you in:"));
    let token = token.expose();
    show.say(&format!("http://{address}/sign-in#email={PERSON}&password={password}&demo={token}"));
    show.say(&format!("(Once, within {} minutes. After that it fills in the form.)", LIFE.as_mins()));
    let api = Api::new(address, administrator)?;
    let connection = api.connect(&ends).await?;
    show.say("A connection was made through the public API: store, warehouse, mappings, three channels. It is on.");

    let outcome = tokio::select! {
        outcome = watch(&options, &mut ends, &api, &connection, &mut show) => outcome,
        () = shutdown.cancelled() => Ok(false),
    };
    let good = match outcome {
        Ok(good) => good,
        Err(error) => {
            show.say(&format!("It stopped: {error:#}"));
            false
        }
    };
    if options.keep && !shutdown.is_cancelled() {
        show.say(&format!("Still serving on http://{address}/api/v1 (key: {}). Ctrl-C ends it.", api.key()));
        show.say("Press Enter to place one more order in Brightpearl.");
        place_more(&mut ends, options.orders, &show, &shutdown).await?;
    }
    stop.cancel();
    program.await.context("the program ended badly")??;
    ends.stop().await;
    Ok(good)
}

/// Places an order for every line that is typed, until it is to end.
async fn place_more(ends: &mut Ends, first: usize, show: &Show, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut lines = typed();
    for number in first.. {
        tokio::select! {
            () = shutdown.cancelled() => break,
            line = lines.recv() => match line {
                Some(()) => show.say(&format!("Order {} was placed.", ends.place(number)?)),
                None => {
                    shutdown.cancelled().await;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// The lines that are typed. They are read by a thread of their own, for which nobody waits at the end.
fn typed() -> mpsc::Receiver<()> {
    let (send, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || send.blocking_send(()).is_err() {
                break;
            }
        }
    });
    lines
}

/// Who signs in.
const PERSON: &str = "demo@example.com";

/// The program, running.
struct Started {
    address: SocketAddr,
    /// The administrator's key.
    administrator: String,
    /// The password of [`PERSON`].
    password: String,
    /// Signs them in, once.
    token: Secret,
    stop: CancellationToken,
    program: tokio::task::JoinHandle<Result<(), app::AppError>>,
}

async fn program(data: PathBuf) -> anyhow::Result<Started> {
    std::fs::create_dir_all(&data)?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let waits = Waits::default();
    let http = HttpWaits { connect: waits.connect, total: waits.http, ..HttpWaits::default() };
    let seams = Seams {
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(OsRandom),
        transport: Arc::new(HttpTransport::new(http, Guard::stand_ins())?),
        files: Arc::new(connectors::files::Files::new(waits, Guard::stand_ins())),
    };
    let (link, token) = DemoLink::draw(PERSON, &*seams.random, &*seams.clock);
    let config = Config { listen: address, allow_stand_ins: true, waits, demo: Some(link), ..Config::in_folder(&data) };
    let installed = operate::init(&config, &seams).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let password = first_person(&config, &seams, address).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    let stop = CancellationToken::new();
    let program = tokio::spawn(app::run(config, Some(listener), seams, stop.clone()));
    Ok(Started { address, administrator: installed.administrator_key, password, token, stop, program })
}

/// Uses the link for the first administrator, as the person at the screen would. The password.
async fn first_person(config: &Config, seams: &Seams, address: SocketAddr) -> Result<String, operate::Failure> {
    let hub = operate::Hub::open(config.clone(), seams.clone()).await?;
    let mut bytes = [0_u8; 10];
    seams.random.fill(&mut bytes);
    let password = bytes.map(|byte| format!("{byte:02x}")).concat();
    if let Some(link) = links::set_up(&hub, address).await? {
        let given = RedeemIn {
            token: SecretIn::new(Secret::new(link.token)),
            password: SecretIn::new(Secret::new(password.as_str())),
            email: Some(PERSON.to_owned()),
            name: Some("Demo".to_owned()),
        };
        let visitor = Visitor { address: address.ip().to_string(), agent: "demo".to_owned() };
        links::redeem(&hub, &visitor, given).await?;
    }
    hub.db.close().await;
    Ok(password)
}

/// Places orders, lets everything happen, and judges it.
async fn watch(
    options: &DemoOptions,
    ends: &mut Ends,
    api: &Api,
    connection: &str,
    show: &mut Show,
) -> anyhow::Result<bool> {
    let start = Instant::now();
    let limit = Duration::from_secs(options.limit);
    let mut placed: BTreeSet<i64> = BTreeSet::new();
    let mut approved = false;
    let mut disturbed = false;
    loop {
        // A shop on a good day: a few orders every second.
        while placed.len() < options.orders && placed.len() < 3 * (1 + usize::try_from(start.elapsed().as_secs())?) {
            placed.insert(ends.place(placed.len())?);
        }
        let state = ends.state(&placed);
        show.update(&state);
        let told = placed.len() == options.orders && state.audit.is_clean() && state.told_orders == options.orders;
        if told && !disturbed {
            disturbed = true;
            let wrong = ends.disturb()?;
            show.say(&format!(
                "Every order is told. Now Brightpearl is made wrong about {wrong} SKUs, and the warehouse counts."
            ));
        }
        if disturbed && !approved {
            // A first run waits for a person; this is the person.
            if let Some(run) = api.waiting_run(connection).await? {
                show.say(&format!("The first stock run waits for approval ({} changes). Approved.", run.changes));
                api.approve(&run.id).await?;
                approved = true;
            }
        }
        if disturbed && approved && told && state.stock_differences == 0 {
            break;
        }
        if start.elapsed() > limit {
            show.say("Time is up.");
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let state = ends.state(&placed);
    let took = start.elapsed();
    show.say("Everything is over. Millrace takes its census: it looks for every order on both sides once more.");
    let census = api.census(connection, CENSUS).await?;
    let api_calls = api.calls().await?;
    Ok(show.summary(&state, &ends.latencies(), ends.calls(), census, api_calls, took))
}
