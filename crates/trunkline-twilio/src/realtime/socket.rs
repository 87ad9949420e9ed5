//! The WebSocket under the client: one binary message each way at a time, with limits.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use trunkline_proto::twilsock::frame::MAX_FRAME_BYTES;

/// How long a server may refuse to take what is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes read at once. The library's default of 128 KiB is for few and busy sockets.
const READ_BUFFER: usize = 4096;

/// Boxed: it is large, and moves.
pub(super) struct Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>);

/// Opens a socket. The error is for people and holds neither address nor token.
pub(super) async fn open(url: String, timeout: Duration) -> Result<Socket, String> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_FRAME_BYTES * 2)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let opening = connect_async_with_config(url, Some(config), true);
    match tokio::time::timeout(timeout, opening).await {
        Ok(Ok((socket, _))) => Ok(Socket(Box::new(socket))),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err("the server did not open the socket in time".to_owned()),
    }
}

impl Socket {
    /// The next binary message; an error when the socket is gone. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Result<Bytes, String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(_))) | None => return Err("the server closed the socket".to_owned()),
                // The protocol has binary messages only; pings are answered by the library.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(reason(&error)),
            }
        }
    }

    /// The next binary message if it is there already.
    pub(super) fn receive_now(&mut self) -> Option<Result<Bytes, String>> {
        self.receive().now_or_never()
    }

    /// Puts a message into the buffer. Not cancel-safe.
    pub(super) async fn feed(&mut self, bytes: Vec<u8>) -> Result<(), String> {
        in_time(self.0.feed(Message::Binary(bytes.into()))).await
    }

    /// Writes what is in the buffer. Not cancel-safe.
    pub(super) async fn flush(&mut self) -> Result<(), String> {
        in_time(self.0.flush()).await
    }

    /// Says goodbye, if the server listens.
    pub(super) async fn close(mut self) {
        drop(tokio::time::timeout(CLOSE_TIMEOUT, self.0.as_mut().close(None)).await);
    }
}

async fn in_time(work: impl Future<Output = Result<(), Error>>) -> Result<(), String> {
    match tokio::time::timeout(WRITE_TIMEOUT, work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err("the server takes nothing any more".to_owned()),
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("the socket broke: {}", error.kind()),
        Error::Tls(_) => "the secure connection failed".to_owned(),
        Error::Http(response) => format!("the server answered {} to the opening of the socket", response.status()),
        Error::Capacity(_) => "the server sent more than is taken at once".to_owned(),
        Error::Url(_) | Error::HttpFormat(_) => "the socket's address is wrong".to_owned(),
        _ => "the socket broke".to_owned(),
    }
}
