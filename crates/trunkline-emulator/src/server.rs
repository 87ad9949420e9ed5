//! The listener: one task per connection, all paths on one port, and connections that faults can cut.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::account::Account;
use crate::clock::Clock;
use crate::faults::{Connection, Faults};
use crate::journal::Journal;
use crate::owner::{OwnerHandle, PhoneUpdate};
use crate::telephone::Exchange;
use crate::webhooks::{Dispatcher, Sender};
use crate::{control, phone_page, realtime, rest};

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) owner: OwnerHandle,
    pub(crate) account: Arc<Account>,
    pub(crate) sender: Sender,
    pub(crate) exchange: Exchange,
    pub(crate) faults: Arc<Faults>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) phones: broadcast::Sender<PhoneUpdate>,
    pub(crate) stop: CancellationToken,
    /// Connections, and sockets that were made of them.
    pub(crate) connections: TaskTracker,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Clock,
    /// Number of the next socket.
    pub(crate) next_socket: Arc<AtomicU64>,
    pub(crate) base_url: Arc<str>,
    /// Whether only this machine can reach the emulator.
    pub(crate) loopback: bool,
}

/// All paths.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .merge(rest::router(&app))
        .merge(control::router(&app))
        .merge(realtime::router())
        .merge(phone_page::router())
        .with_state(app)
}

/// Where clients connect their socket, from the base URL.
pub(crate) fn twilsock_url(base_url: &str) -> String {
    format!("{}/v3/wsconnect", base_url.replacen("http", "ws", 1))
}

/// Accepts connections until `stop`; then the open ones finish what they are at.
pub(crate) async fn serve(listener: TcpListener, router: Router, tasks: TaskTracker, stop: CancellationToken) {
    let mut failures = Failures::default();
    let room = Arc::new(Semaphore::new(max_connections(getrlimit(Resource::Nofile).current)));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let span = tracing::debug_span!("emulator.connection", %peer);
                tasks.spawn(connection(stream, peer, router.clone(), permit, stop.clone()).instrument(span));
            }
            Err(problem) => {
                failures.tell(&problem);
                // Most likely there are no file descriptors left: give the others time to close.
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    permit: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    // Answers are small and waited for.
    drop(stream.set_nodelay(true));
    let cut = CancellationToken::new();
    let mark = Connection { cut: cut.clone(), room: Arc::new(permit) };
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = Arc::clone(&asked);
    let service = router.map_request(move |mut request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(mark.clone());
        request.map(Body::new)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    builder.http2().keep_alive_interval(HEADER_TIMEOUT).keep_alive_timeout(PING_TIMEOUT);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        // Dropping the connection closes the socket without another byte.
        () = cut.cancelled() => return,
        () = silence(&asked) => return,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = serving.as_mut() => outcome,
                () = cut.cancelled() => return,
            }
        }
    };
    if let Err(problem) = outcome {
        tracing::debug!(%peer, error = %problem, "a connection ended badly");
    }
}

/// A quarter of the files that may be open: with `trunkline up` a gateway is in the same process and takes half.
fn max_connections(open_files: Option<u64>) -> usize {
    let limit = open_files.map_or(MAX_CONNECTIONS, |files| (files / 4).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS));
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

/// Connections that were not accepted. They come many at once, and one line a minute says as much.
#[derive(Default)]
struct Failures {
    told: Option<Instant>,
    since: u64,
}

impl Failures {
    fn tell(&mut self, problem: &io::Error) {
        self.since += 1;
        if self.told.is_none_or(|told| told.elapsed() >= COMPLAIN_EVERY) {
            tracing::warn!(error = %problem, failures = self.since, "connections were not accepted");
            *self = Self { told: Some(Instant::now()), since: 0 };
        }
    }
}

/// Connections at the same time, if the system has files for four times as many; more wait to be accepted.
const MAX_CONNECTIONS: u64 = 4096;
/// Connections at the same time on the smallest of systems.
const MIN_CONNECTIONS: u64 = 16;
/// How long a new connection may take until its first request has arrived.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an HTTP/2 client may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(serve(listener, Router::new(), tasks.clone(), stop.clone()));
        for said in [b"".as_slice(), b"P", b"GET / HTTP/1.1\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said).await.unwrap();
            let begun = Instant::now();
            // A reset is an end as well.
            assert!(timeout(FIRST_REQUEST * 10, stream.read_to_end(&mut Vec::new())).await.is_ok(), "{said:?}");
            assert!(begun.elapsed() <= FIRST_REQUEST * 2, "{said:?} {:?}", begun.elapsed());
        }
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
