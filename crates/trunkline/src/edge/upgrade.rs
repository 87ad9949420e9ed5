//! From an HTTP request to the socket of a call.
//!
//! Not by `axum`'s extractor: its WebSocket is made for two tasks, over a connection that it cannot see. Here the
//! connection itself is taken back from the HTTP server, so that a frame passes nothing but [`CallSocket`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_twilio::voice::CallSocket;

use super::codes;
use super::intake::Refusal;

/// A request that may become a socket.
pub(super) struct Upgrade {
    on_upgrade: OnUpgrade,
    response: Response,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let refused = |reason: &str| Refusal::new(StatusCode::BAD_REQUEST, codes::NO_SOCKET, reason);
        let mut request = http::Request::builder().method(parts.method.clone()).version(parts.version);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&parts.headers);
        }
        let request = request.body(()).map_err(|_| refused("this is not the handshake of a WebSocket"))?;
        let response = create_response(&request).map_err(|error| refused(&error.to_string()))?;
        let on_upgrade = parts.extensions.remove().ok_or_else(|| refused("this connection cannot become a socket"))?;
        Ok(Self { on_upgrade, response: response.map(|()| Body::empty()) })
    }
}

impl Upgrade {
    /// The answer to the request; when that has been sent, `lead` gets the socket.
    pub(super) fn lead<F>(
        self,
        tasks: &TaskTracker,
        lead: impl FnOnce(CallSocket<Connection>) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self { on_upgrade, response } = self;
        let work = async move {
            match on_upgrade.await {
                Ok(upgraded) => lead(socket(upgraded)).await,
                Err(error) => tracing::debug!(%error, "a connection did not become a socket"),
            }
        };
        tasks.spawn(work.in_current_span());
        response
    }
}

fn socket(upgraded: Upgraded) -> CallSocket<Connection> {
    match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => CallSocket::server(Connection::Bare(parts.io.into_inner()), &parts.read_buf),
        // Served by another server than ours; what was read early is inside.
        Err(upgraded) => CallSocket::server(Connection::Wrapped(TokioIo::new(upgraded)), &[]),
    }
}

/// What carries a socket.
pub(super) enum Connection {
    Bare(TcpStream),
    Wrapped(TokioIo<Upgraded>),
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(bare) => Pin::new(bare).poll_read(context, out),
            Self::Wrapped(wrapped) => Pin::new(wrapped).poll_read(context, out),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Bare(bare) => Pin::new(bare).poll_write(context, bytes),
            Self::Wrapped(wrapped) => Pin::new(wrapped).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(bare) => Pin::new(bare).poll_flush(context),
            Self::Wrapped(wrapped) => Pin::new(wrapped).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Bare(bare) => Pin::new(bare).poll_shutdown(context),
            Self::Wrapped(wrapped) => Pin::new(wrapped).poll_shutdown(context),
        }
    }
}
