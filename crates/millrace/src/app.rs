//! The composition root: everything that runs is put together here, by the command line and by every test alike.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, Api},
    config::Config,
    db::DbError,
    node,
    notify::Notifier,
    operate::{
        Failure, FailureKind, Hub,
        links::{self, LinkOut},
        safety,
    },
    serving,
    tls::Tls,
    worker::Seams,
};

/// Why the program did not start, or stopped by itself.
pub type AppError = Failure;

/// Runs the program until `shutdown`: database, workers and web, as the configuration's roles say. Without a listener the web
/// role listens where the configuration says.
///
/// # Errors
/// When there is no installation, the database cannot be opened, or the address cannot be listened on.
pub async fn run(
    config: Config,
    listener: Option<TcpListener>,
    seams: Seams,
    shutdown: CancellationToken,
) -> Result<(), AppError> {
    let prometheus = prometheus()?;
    let hub = Hub::open(config, seams).await?;
    safety::start(&hub).await?;
    let notifier = Arc::new(Notifier::new(Arc::clone(&hub))?);
    let stop = shutdown.child_token();
    let web = if hub.config.roles.web {
        let listener = match listener {
            Some(listener) => listener,
            None => listen(hub.config.listen, hub.config.tls.is_some()).await?,
        };
        let tls = hub.config.tls.clone().map(Tls::open).transpose().map_err(|error| {
            Failure::new(FailureKind::Setup, error.to_string())
                .remedy("Give --tls-certificate the certificate with its chain, and --tls-key its private key, both as PEM files.")
        })?;
        let tls = tls.map(Arc::new);
        let address = listener.local_addr().map_err(|error| Failure::new(FailureKind::Setup, error.to_string()))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        tracing::info!(web.address = %address, "listening on {scheme}://{address}");
        hub.hashing.prepare().await?;
        if let Some(link) = links::set_up(&hub, address).await? {
            invite_the_first(&link);
        }
        let router = api::router(Api::new(Arc::clone(&hub), prometheus, stop.clone()));
        Some(serving::serve(listener, router, hub.config.patience, tls, stop.clone()))
    } else {
        None
    };
    let workers = async {
        if hub.config.roles.workers {
            let alive = node::Alive::show(&hub.config.key_file, &hub.config.node)
                .inspect_err(|error| {
                    tracing::warn!("if this process is killed, the next one waits until its leases end: {error}");
                })
                .ok();
            let follows = alive.as_ref().is_some_and(|alive| alive.follows_a_killed_one);
            if let Err(error) = take_over(&hub, follows).await {
                tracing::warn!("what a process that has ended held is waited for: {error}");
            }
            tracing::info!(node.name = %hub.config.node, "workers run");
            let (workers, halt) = (Arc::clone(&hub.workers), stop.clone());
            let quiet = stop.child_token();
            let telling = tokio::spawn(Arc::clone(&notifier).run(quiet.clone()));
            let looking = tokio::spawn(Arc::clone(&hub.workers).run_preflights(quiet.clone()));
            let ended = tokio::spawn(async move { workers.run(halt).await }).await;
            quiet.cancel();
            // A fault in telling the outside is said and does not end the main job.
            if telling.await.is_err() {
                tracing::error!("notifications stopped by a fault of the program; restart it to tell again");
            }
            if looking.await.is_err() {
                tracing::error!("pre-flights stopped by a fault of the program; restart it to go on with them");
            }
            if ended.is_err() {
                return Err(Failure::new(FailureKind::Internal, "the workers stopped by a fault of the program"));
            }
        } else {
            stop.cancelled().await;
        }
        Ok(())
    };
    let web = async {
        match web {
            Some(web) => web.await,
            None => stop.cancelled().await,
        }
        Ok(())
    };
    // One part that ends by itself ends the other: half a program would look healthy and do nothing.
    let ended_by = |ended: Result<(), Failure>| {
        stop.cancel();
        ended
    };
    let (workers, web) = tokio::join!(async { ended_by(workers.await) }, async { ended_by(web.await) });
    hub.db.close().await;
    tracing::info!("stopped");
    workers.and(web)
}

/// Ends what nodes held that ran here and were killed: their claims on effects first, then their leases on accounts, so that
/// whoever gets an account finds its effects free. Nothing of theirs is on its way out of this machine any more; whether the
/// remote system has it is looked up as ever, after the same time. `follows`: one of them had this node's own name.
async fn take_over(hub: &Hub, follows: bool) -> Result<(), DbError> {
    let own = &hub.config.node;
    let is_gone = |name: &str| if name == own { follows } else { node::is_gone(&hub.config.key_file, name) };
    let mut gone = BTreeSet::new();
    for tenant in hub.db.tenants().await? {
        for owner in hub.db.claim_holders(&tenant.id).await? {
            if is_gone(&owner) {
                let claims = hub.db.end_claims(&tenant.id, &owner).await?;
                tracing::info!(tenant.id = %tenant.id, "{claims} claims taken over from {owner}, which has ended");
                gone.insert(owner);
            }
        }
    }
    for (account, (owner, _)) in hub.db.account_holders().await? {
        if owner != *own && is_gone(&owner) {
            tracing::info!(account.code = account, "taken over from {owner}, which has ended");
            hub.db.release_account(&account, &owner).await?;
            gone.insert(owner);
        }
    }
    for name in gone.iter().filter(|name| *name != own) {
        node::forget(&hub.config.key_file, name);
    }
    Ok(())
}

/// Says how the first administrator comes in: on standard output, because a log is kept and read by others.
fn invite_the_first(link: &LinkOut) {
    let told = writeln!(
        io::stdout(),
        "Nobody can sign in yet. The first administrator opens this, once, before {}:\n\n  {}\n",
        link.expires_at.strftime("%F %H:%M UTC"),
        link.link
    );
    if let Err(error) = told {
        tracing::warn!("the link for the first administrator could not be shown: {error}; start again to get one");
    }
}

async fn listen(address: SocketAddr, tls: bool) -> Result<TcpListener, Failure> {
    if !address.ip().is_loopback() && !tls {
        tracing::warn!(
            web.address = %address,
            "listening beyond this machine without TLS: put a server with a certificate in front, or give --tls-certificate"
        );
    }
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(FailureKind::Setup, format!("cannot listen on {address}: {error}"))
            .remedy("Choose another address with --listen, or end what uses this one.")
    })
}

/// The recorder of this process; made once, however many programs a test runs in it.
fn prometheus() -> Result<PrometheusHandle, Failure> {
    static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        PrometheusBuilder::new()
            .set_buckets_for_metric(
                Matcher::Suffix("_seconds".to_owned()),
                &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0],
            )
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| error.to_string())
    });
    handle.clone().map_err(|why| Failure::new(FailureKind::Internal, format!("metrics cannot be kept: {why}")))
}
