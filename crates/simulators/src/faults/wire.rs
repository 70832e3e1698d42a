//! Connections that can be broken from inside a request.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::middleware;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::play::{Stage, play};
use super::{FaultPlan, Vendor};

/// Serves `router` on `listener` with the faults of `plan`, until `shutdown` is cancelled.
///
/// At shutdown idle connections close and requests at work lose theirs.
pub fn serve(
    listener: TcpListener,
    router: Router,
    plan: FaultPlan,
    vendor: Arc<dyn Vendor>,
    shutdown: CancellationToken,
) -> JoinHandle<()> {
    let stage = Stage { plan, vendor, shutdown: shutdown.clone() };
    let app = router.layer(middleware::from_fn_with_state(stage, play));
    let server = axum::serve(Breakable(listener), app.into_make_service_with_connect_info::<Hold>());
    tokio::spawn(async move {
        // Accepting never fails, so the only end is the shutdown.
        if let Err(error) = server.with_graceful_shutdown(shutdown.cancelled_owned()).await {
            tracing::warn!(%error, "a simulator stopped listening");
        }
    })
}

/// The grip a request has on its own connection.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<AtomicBool>);

impl Hold {
    /// Makes every further write fail, so the client sees the connection break with nothing (more) sent.
    pub fn reset(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_reset(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Hold {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.io().hold.clone()
    }
}

struct Breakable(TcpListener);

impl Listener for Breakable {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (inner, address) = <TcpListener as Listener>::accept(&mut self.0).await;
        // Small answers would otherwise wait for the client's acknowledgement of the one before.
        if let Err(error) = inner.set_nodelay(true) {
            tracing::debug!(%error, "the connection keeps Nagle's algorithm");
        }
        (BreakableStream { inner, hold: Hold::default() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

struct BreakableStream {
    inner: TcpStream,
    hold: Hold,
}

impl BreakableStream {
    fn broken(&self) -> Option<io::Error> {
        if !self.hold.is_reset() {
            return None;
        }
        // With no lingering the peer sees a reset instead of an orderly end.
        let _ = self.inner.set_zero_linger();
        Some(io::Error::from(io::ErrorKind::ConnectionReset))
    }
}

impl AsyncRead for BreakableStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.broken() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
