//! What a call's socket says, whoever holds the socket.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::Sink;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

/// A frame of a call's socket. Pings and pongs are the socket's own affair and do not come here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text, in UTF-8.
    Text(Bytes),
    /// Something else, which no protocol of a call has.
    Binary,
    /// The peer closes.
    Close,
}

/// A socket of `tokio-tungstenite` as frames. Other sockets are mapped by whoever has them.
#[derive(Debug)]
pub struct TungsteniteSocket<S>(WebSocketStream<S>);

impl<S> TungsteniteSocket<S> {
    /// Wraps a socket that is open.
    pub fn new(socket: WebSocketStream<S>) -> Self {
        Self(socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for TungsteniteSocket<S> {
    type Item = Result<Frame, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Message::Text(text))) => Frame::Text(text.into()),
                Some(Ok(Message::Binary(_))) => Frame::Binary,
                Some(Ok(Message::Close(_))) => Frame::Close,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            };
            return Poll::Ready(Some(Ok(frame)));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Frame> for TungsteniteSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Frame) -> Result<(), Error> {
        let message = match frame {
            Frame::Text(text) => {
                Message::Text(Utf8Bytes::try_from(text).map_err(|error| Error::Utf8(error.to_string()))?)
            }
            Frame::Binary => Message::Binary(Bytes::new()),
            Frame::Close => Message::Close(None),
        };
        Pin::new(&mut self.0).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}
