//! The listener: one task per connection, all paths on one port, and connections that faults can cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::account::Account;
use crate::faults::{Connection, Faults};
use crate::owner::{OwnerHandle, PhoneUpdate};
use crate::webhooks::{Dispatcher, Sender};
use crate::{control, phone_page, rest};

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) owner: OwnerHandle,
    pub(crate) account: Arc<Account>,
    pub(crate) sender: Sender,
    pub(crate) faults: Arc<Faults>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) phones: broadcast::Sender<PhoneUpdate>,
    pub(crate) stop: CancellationToken,
    pub(crate) base_url: Arc<str>,
    pub(crate) started: Timestamp,
    /// Whether only this machine can reach the emulator.
    pub(crate) loopback: bool,
}

/// All paths.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .merge(rest::router(&app))
        .merge(control::router(&app))
        .merge(phone_page::router())
        .with_state(app)
}

/// Accepts connections until `stop`; then the open ones finish what they are at.
pub(crate) async fn serve(listener: TcpListener, router: Router, tasks: TaskTracker, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
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
                tracing::warn!(error = %problem, "a connection was not accepted");
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
    _permit: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    // Answers are small and waited for.
    drop(stream.set_nodelay(true));
    let cut = CancellationToken::new();
    let mark = Connection(cut.clone());
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(mark.clone());
        request.map(Body::new)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        // Dropping the connection closes the socket without another byte.
        () = cut.cancelled() => return,
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

/// Connections at the same time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;
/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
