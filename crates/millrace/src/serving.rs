//! Connections of the web role: how many, how long they may take to say what they want, and how they end.
//!
//! A client that sends its request a byte at a time costs it nothing and costs a server a connection, until there are none
//! left (security control 22). So a request's head is here within [`Patience::head`], the same is the longest a connection
//! may idle; a body may not pause for longer than [`Patience::pause`]; who takes nothing of an answer for
//! [`Patience::unread`] is let go; and the number of connections has a limit of its own,
//! below that of the machine, so that the workers keep theirs.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, Router, extract::ConnectInfo, middleware::AddExtension};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::timeout::{RequestBodyTimeout, RequestBodyTimeoutLayer};

use crate::tls::Tls;

/// What answers the requests of one connection.
type Service = AddExtension<RequestBodyTimeout<Router>, ConnectInfo<SocketAddr>>;

/// How long a client may take, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the head of a request is here; also how long a connection may idle between two.
    pub head: Duration,
    /// Longest pause within a body.
    pub pause: Duration,
    /// Longest that a client may leave what was sent to it unread. Kept by the system, where it can (Linux).
    pub unread: Duration,
    /// Connections at one time; further ones wait.
    pub connections: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(20),
            pause: Duration::from_secs(15),
            unread: Duration::from_secs(60),
            connections: 1024,
        }
    }
}

/// How long the last answers may take when the program is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// After a failed accept: long enough to let descriptors come back, short enough not to be noticed.
const BREATHER: Duration = Duration::from_millis(200);

/// Serves until told to stop, then lets answers under way end. With `tls` nothing is said in the clear.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    tls: Option<Arc<Tls>>,
    stop: CancellationToken,
) {
    let router = RequestBodyTimeoutLayer::new(patience.pause).layer(router);
    let places = Arc::new(Semaphore::new(patience.connections));
    let ending = GracefulShutdown::new();
    loop {
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = next(&listener, &places, patience.unread) => next,
        };
        let Some((stream, peer, place)) = next else { break };
        let service = Extension(ConnectInfo(peer)).layer(router.clone());
        let (watcher, tls, head) = (ending.watcher(), tls.clone(), patience.head);
        tokio::spawn(async move {
            // The place is given back however the connection ends, and also when its task does.
            let _place: OwnedSemaphorePermit = place;
            let ended = match tls {
                // What is said before the first request is part of its head.
                Some(tls) => match tokio::time::timeout(head, tls.accept(stream)).await {
                    Ok(Ok(stream)) => speak(stream, service, head, watcher).await,
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("it did not begin to speak TLS in time".to_owned()),
                },
                None => speak(stream, service, head, watcher).await,
            };
            if let Err(error) = ended {
                tracing::debug!(peer.address = %peer, "connection ended: {error}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(LAST_ANSWERS, ending.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

/// Answers the requests of one connection until it ends.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    service: Service,
    head: Duration,
    watcher: Watcher,
) -> Result<(), String> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    watcher.watch(connection).await.map_err(|error| error.to_string())
}

/// The next connection and its place; `None` when there are no places any more, which does not happen.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    unread: Duration,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A short answer must not wait for the acknowledgement of the one before it.
                if let Err(error) = stream.set_nodelay(true).and_then(|()| give_up_after(&stream, unread)) {
                    tracing::debug!(peer.address = %peer, "connection with the system's own waits: {error}");
                }
                return Some((stream, peer, place));
            }
            Err(error) => {
                // Out of descriptors, or a client that left at once: neither ends the server.
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

/// The system ends the connection when what was sent is not taken for so long.
#[cfg(target_os = "linux")]
fn give_up_after(stream: &TcpStream, unread: Duration) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(unread))
}

#[cfg(not(target_os = "linux"))]
fn give_up_after(_: &TcpStream, _: Duration) -> std::io::Result<()> {
    Ok(())
}
