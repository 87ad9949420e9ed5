//! A WebSocket of the listener as the frames of a call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::{Sink, Stream};
use trunkline_twilio::voice::Frame;

/// The socket of one call.
pub(super) struct CallSocket(pub(super) WebSocket);

impl Stream for CallSocket {
    type Item = Result<Frame, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.0).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Message::Text(text))) => Frame::Text(text.into()),
                Some(Ok(Message::Binary(_))) => Frame::Binary,
                Some(Ok(Message::Close(_))) => Frame::Close,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            };
            return Poll::Ready(Some(Ok(frame)));
        }
    }
}

impl Sink<Frame> for CallSocket {
    type Error = axum::Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.0).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Frame) -> Result<(), axum::Error> {
        let message = match frame {
            Frame::Text(text) => Message::Text(Utf8Bytes::try_from(text).map_err(axum::Error::new)?),
            Frame::Binary => Message::Binary(Bytes::new()),
            Frame::Close => Message::Close(None),
        };
        Pin::new(&mut self.0).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}
