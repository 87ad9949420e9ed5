//! An HTTP server with the limits that a stranger needs to meet.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::process::open_files;

/// Connections that may be open at once, if the system has files for twice as many; more wait in its queue.
const MAX_CONNECTIONS: u64 = 8192;
/// Connections that may be open at once on the smallest of systems.
const MIN_CONNECTIONS: u64 = 16;
/// How long a new connection may take until its first request has arrived, whatever protocol it turns out to speak.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an HTTP/2 peer may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// The wait after the system could not give a connection (too many open files).
const ACCEPT_WAIT: Duration = Duration::from_millis(100);
/// How often connections that could not be accepted are told.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// A listening socket.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; name another address with --listen or TRUNKLINE_LISTEN")]
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

    /// Serves `router`, whose handlers find the peer's address in `ConnectInfo<SocketAddr>`, until `stop`; then takes no more and gives open requests `grace` to end.
    ///
    /// # Cancel safety
    /// Dropping it closes the socket; open connections go on until their tasks are dropped with the runtime.
    pub async fn serve(self, router: Router, stop: CancellationToken, grace: Duration) {
        let permits = Arc::new(Semaphore::new(max_connections(open_files())));
        let tasks = TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let hurry = CancellationToken::new();
        let mut failures = Failures::default();
        loop {
            let (stream, peer, permit) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.listener, &permits, &mut failures) => match accepted {
                    Some(accepted) => accepted,
                    None => continue,
                },
            };
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).keep_alive(true);
            builder.http2().timer(TokioTimer::new());
            builder.http2().keep_alive_interval(HEADER_TIMEOUT).keep_alive_timeout(PING_TIMEOUT);
            let asked = Arc::new(AtomicBool::new(false));
            let mark = Arc::clone(&asked);
            let service =
                TowerToHyperService::new(router.clone().map_request(move |mut request: Request<Incoming>| {
                    mark.store(true, Ordering::Relaxed);
                    request.extensions_mut().insert(ConnectInfo(peer));
                    request
                }));
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            let hurry = hurry.clone();
            let work = async move {
                tokio::select! {
                    ended = connection => if let Err(error) = ended {
                        tracing::debug!(error = %error, "a connection ended early");
                    },
                    () = silence(&asked) => tracing::debug!("a connection asked nothing in time"),
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

/// Half of the files that may be open: the rest is for the databases, for calls to the provider and to the model.
fn max_connections(open_files: Option<u64>) -> usize {
    let limit = open_files.map_or(MAX_CONNECTIONS, |files| (files / 2).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS));
    usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS)
}

/// Ends when the first request should have been there and was not. The time-out for heads begins only once the
/// protocol is known, and a peer that sends nothing never tells it.
async fn silence(asked: &AtomicBool) {
    tokio::time::sleep(FIRST_REQUEST).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    failures: &mut Failures,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Only a hint to the system: answers are small and wanted at once.
            let _no_hint = stream.set_nodelay(true).is_err();
            Some((stream, peer, permit))
        }
        Err(error) => {
            failures.tell(&error);
            tokio::time::sleep(ACCEPT_WAIT).await;
            None
        }
    }
}

/// Connections that could not be accepted. They come many at once, and one line a minute says as much.
#[derive(Default)]
struct Failures {
    told: Option<Instant>,
    since: u64,
}

impl Failures {
    fn tell(&mut self, error: &io::Error) {
        self.since += 1;
        if self.told.is_none_or(|told| told.elapsed() >= COMPLAIN_EVERY) {
            tracing::warn!(%error, failures = self.since, "connections could not be accepted");
            *self = Self { told: Some(Instant::now()), since: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    async fn serve(tasks: &TaskTracker, stop: &CancellationToken) -> SocketAddr {
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = server.address();
        let router = Router::new().route("/", get(async || "here"));
        tasks.spawn(server.serve(router, stop.clone(), Duration::ZERO));
        tasks.close();
        address
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_is_closed() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let address = serve(&tasks, &stop).await;
        for said in [b"".as_slice(), b"P", PREFACE, b"GET / HTTP/1.1\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said).await.unwrap();
            let begun = Instant::now();
            // A reset is an end as well.
            let ended = timeout(FIRST_REQUEST * 10, stream.read_to_end(&mut Vec::new())).await;
            assert!(ended.is_ok(), "{said:?}");
            assert!(begun.elapsed() <= FIRST_REQUEST * 2, "{said:?} {:?}", begun.elapsed());
        }
        stop.cancel();
        tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_asked_may_ask_again_later() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut stream = TcpStream::connect(serve(&tasks, &stop).await).await.unwrap();
        for _ in 0..3 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            let mut told = Vec::new();
            while !told.ends_with(b"here") {
                assert_ne!(stream.read_buf(&mut told).await.unwrap(), 0);
            }
            tokio::time::advance(FIRST_REQUEST + Duration::from_secs(1)).await;
        }
        stop.cancel();
        tasks.wait().await;
    }

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (files, connections) in [(Some(0), 16), (Some(1024), 512), (Some(1 << 20), 8192), (None, 8192)] {
            assert_eq!(max_connections(files), connections, "{files:?}");
        }
    }
}
