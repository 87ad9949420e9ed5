//! A WebSocket to a provider: text comes in, text and sound go out, and silence is noticed.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use url::Url;

use super::http::by_status;
use super::{Endpoint, Timeouts};
use crate::SpeechError;

/// The longest message that is taken, in bytes. A second of speech is a tenth of it.
pub(crate) const MAX_MESSAGE_BYTES: usize = 256 << 10;
/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes read at once. The library's default of 128 KiB is for few and busy sockets.
const READ_BUFFER: usize = 4096;

/// An open connection.
pub(crate) struct Socket {
    engine: &'static str,
    /// Boxed: it is large, and moves.
    stream: Box<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    idle: Duration,
    heard_at: Instant,
    ping_at: Instant,
}

/// Connects.
pub(crate) async fn open(
    engine: &'static str,
    endpoint: &Endpoint,
    url: &Url,
    timeouts: Timeouts,
) -> Result<Socket, SpeechError> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_MESSAGE_BYTES * 2)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let mut request = url
        .as_str()
        .into_client_request()
        .map_err(|_| SpeechError::Config("the address of the provider's socket cannot be used".to_owned()))?;
    if let Some((name, value)) = endpoint.credential() {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    let connecting = connect_async_with_config(request, Some(config), true);
    let (stream, _) = tokio::time::timeout(timeouts.connect, connecting)
        .await
        .map_err(|_| SpeechError::Timeout { engine, after: timeouts.connect })?
        .map_err(|error| match error {
            Error::Http(answer) => by_status(engine, answer.status().as_u16()),
            _ => SpeechError::Unreachable { engine },
        })?;
    let now = Instant::now();
    Ok(Socket {
        engine,
        stream: Box::new(stream),
        idle: timeouts.idle,
        heard_at: now,
        ping_at: now + timeouts.idle / 4,
    })
}

impl Socket {
    /// The next text. An error when the connection has ended, or shows no sign of life: it is asked for one four times
    /// in the time that it may be idle.
    ///
    /// Cancel-safe: no text is lost, at most a ping.
    pub(crate) async fn receive(&mut self) -> Result<Utf8Bytes, SpeechError> {
        loop {
            tokio::select! {
                // What is there counts, however late it is read.
                biased;
                message = self.stream.next() => {
                    self.heard_at = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => return Ok(text),
                        Some(Ok(Message::Binary(_))) => return Err(self.malformed("a binary message")),
                        Some(Ok(Message::Close(frame))) => {
                            let code = frame.map_or(1005, |frame| u16::from(frame.code));
                            return Err(self.ended(format!("it closed the socket with code {code}")));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Err(self.broken(&error)),
                        None => return Err(self.ended("the socket is closed".to_owned())),
                    }
                }
                () = tokio::time::sleep_until(self.ping_at) => {
                    if self.heard_at.elapsed() >= self.idle {
                        return Err(SpeechError::Timeout { engine: self.engine, after: self.idle });
                    }
                    self.ping_at = Instant::now() + self.idle / 4;
                    self.send(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    /// Writes a message. Not cancel-safe.
    pub(crate) async fn send(&mut self, message: Message) -> Result<(), SpeechError> {
        match tokio::time::timeout(self.idle, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(SpeechError::Timeout { engine: self.engine, after: self.idle }),
        }
    }

    /// Says goodbye, with a last message if there is one.
    pub(crate) async fn close(mut self, last: Option<Message>) {
        let goodbye = async {
            if let Some(last) = last {
                self.stream.feed(last).await?;
            }
            self.stream.as_mut().close(None).await
        };
        // Whoever does not listen any more needs no goodbye.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await);
    }

    pub(crate) const fn malformed(&self, what: &'static str) -> SpeechError {
        SpeechError::Malformed { engine: self.engine, what }
    }

    const fn ended(&self, reason: String) -> SpeechError {
        SpeechError::Ended { engine: self.engine, reason }
    }

    fn broken(&self, error: &Error) -> SpeechError {
        match error {
            Error::Capacity(_) => {
                SpeechError::TooLong { what: "a message of the provider", limit: format!("{MAX_MESSAGE_BYTES} bytes") }
            }
            Error::Protocol(_) | Error::Utf8(_) => {
                // A connection that is cut without goodbye also counts as a breach of the protocol.
                self.ended("the socket broke".to_owned())
            }
            Error::Io(error) => self.ended(format!("the socket broke: {}", error.kind())),
            _ => self.ended("the socket is closed".to_owned()),
        }
    }
}
