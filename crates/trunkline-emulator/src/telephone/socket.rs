//! The WebSocket of a stream or a relay: signed, bounded, with small buffers.

use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use trunkline_proto::media::MAX_MESSAGE;
use trunkline_proto::signature::{Algorithm, sign};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens the socket at a URL as it is given, or says with which of Twilio's errors that failed.
pub(super) async fn open(url: &str, auth_token: &str) -> Result<Socket, u32> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    // Twilio takes wss only; on this machine there are seldom certificates.
    if !matches!(scheme, Some("wss" | "ws")) {
        return Err(31922);
    }
    let mut request = url.into_client_request().map_err(|_| 31923_u32)?;
    let signature = sign(Algorithm::HmacSha1, auth_token.as_bytes(), url, &[]);
    let signature = HeaderValue::from_str(&signature).map_err(|_| 31923_u32)?;
    request.headers_mut().insert("x-twilio-signature", signature);
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    // Boxed: the handshake's state is large, and only for a moment.
    let connecting = Box::pin(connect_async_with_config(request, Some(config), true));
    match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(_))) => Err(31920),
        Ok(Err(Error::Io(problem))) if problem.kind() == std::io::ErrorKind::ConnectionRefused => Err(31902),
        Ok(Err(Error::Io(_))) => Err(31904),
        Ok(Err(Error::Tls(_))) => Err(31910),
        Ok(Err(_)) => Err(31924),
        Err(_) => Err(31901),
    }
}

/// Small: there are many calls.
const BUFFER_BYTES: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(10);
