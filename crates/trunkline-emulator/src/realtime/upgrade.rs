//! The WebSocket handshake. The connection underneath is kept as it is, so that a fault can break a frame in two.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::Instrument as _;

use super::socket;
use crate::error::ApiError;
use crate::faults::Connection;
use crate::rest::Problem;
use crate::server::App;

pub(super) async fn upgrade(State(app): State<App>, mut request: Request) -> Response {
    let headers = request.headers();
    let key = headers.get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let is_websocket = says(headers, &CONNECTION, "upgrade")
        && says(headers, &UPGRADE, "websocket")
        && says(headers, &SEC_WEBSOCKET_VERSION, "13");
    let accept = key.filter(|_| is_websocket).and_then(|key| HeaderValue::from_str(&key).ok());
    let Some(accept) = accept else {
        return Problem(ApiError::new(426, 20001, "This path takes WebSockets only")).into_response();
    };
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    let base = format!("http://{host}");
    // Sockets count as connections for as long as they live.
    let room = request.extensions().get::<Connection>().map(|connection| connection.room.clone());
    let upgraded = hyper::upgrade::on(&mut request);
    let work = {
        let app = app.clone();
        async move {
            match upgraded.await {
                Ok(io) => {
                    let io = TokioIo::new(io);
                    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config())).await;
                    socket::run(app, socket, base).await;
                }
                Err(problem) => tracing::debug!(error = %problem, "a socket was not opened"),
            }
            drop(room);
        }
    };
    app.connections.spawn(work.instrument(tracing::debug_span!("emulator.socket")));
    let headers = [
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Whether one of the words of a header is this one.
fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(MAX_CLIENT_FRAME_BYTES))
        .max_frame_size(Some(MAX_CLIENT_FRAME_BYTES))
}

/// Small: there are many sockets, and most of them are silent.
const BUFFER_BYTES: usize = 4096;
/// Longest message of a client, in bytes: a token, or a text of 32 KB with its attributes, fits many times.
const MAX_CLIENT_FRAME_BYTES: usize = 1024 * 1024;
