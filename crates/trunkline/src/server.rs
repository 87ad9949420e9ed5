//! An HTTP server with the limits that a stranger needs to meet.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Connections that may be open at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 8192;
/// How long the head of a request may take, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait after the system could not give a connection (too many open files).
const ACCEPT_WAIT: Duration = Duration::from_millis(100);

/// A listening socket.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServerError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

impl Server {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let refused = |source| ServerError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until `stop`; then takes no more and gives open requests `grace` to end.
    ///
    /// # Cancel safety
    /// Dropping it closes the socket; open connections go on until their tasks are dropped with the runtime.
    pub async fn serve(self, router: Router, stop: CancellationToken, grace: Duration) {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let tasks = TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let hurry = CancellationToken::new();
        loop {
            let (stream, permit) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.listener, &permits) => match accepted {
                    Some(accepted) => accepted,
                    None => continue,
                },
            };
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).keep_alive(true);
            builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_TIMEOUT);
            let service = TowerToHyperService::new(router.clone());
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            let hurry = hurry.clone();
            let work = async move {
                tokio::select! {
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(error = %error, "a connection ended early");
                    },
                    () = hurry.cancelled() => {}
                }
                drop(permit);
            };
            tasks.spawn(work.instrument(tracing::debug_span!("connection")));
        }
        drop(self.listener);
        // Whoever is not done by then (an open event stream, say) is cut.
        let _in_time = tokio::time::timeout(grace, graceful.shutdown()).await.is_ok();
        hurry.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Only a hint to the system: answers are small and wanted at once.
            let _no_hint = stream.set_nodelay(true).is_err();
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_WAIT).await;
            None
        }
    }
}
