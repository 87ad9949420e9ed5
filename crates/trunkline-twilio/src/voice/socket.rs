//! The socket of a call, over whatever carries its bytes.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{io, mem};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline_proto::websocket::{self, Message, Reader, Violation};

/// The largest message that a call's socket may bring, in bytes; a larger one ends it.
pub const MAX_SOCKET_MESSAGE: usize = 1 << 20;
/// What is read, or written, at once: about ten frames of audio.
const AT_ONCE: usize = 4 << 10;
/// Bytes of answers to pings that wait for a peer who does not read; who asks more gets no answer.
const MAX_PONGS: usize = 1 << 10;
/// What is kept of the room for bytes that could not be written.
const USUAL_REST: usize = 512;

thread_local! {
    /// Where the sockets of this thread read and write, one after the other.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; AT_ONCE]);
}

/// Why a socket is over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The connection is lost.
    #[error("the connection is lost")]
    Lost(#[from] io::Error),
    /// The peer does what it may not.
    #[error("the peer breaks the rules of WebSocket")]
    Violation(#[from] Violation),
}

impl SocketError {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Lost(_) => "socket.lost",
            Self::Violation(violation) => violation.code(),
        }
    }
}

/// The server's end of a WebSocket whose handshake is over. One task polls it.
#[derive(Debug)]
pub struct CallSocket<S> {
    io: S,
    /// What was read with the handshake.
    early: Vec<u8>,
    reader: Reader,
    /// What could not be written: the end of a text, answers to pings, a close.
    rest: Vec<u8>,
    is_read: bool,
    is_closing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> CallSocket<S> {
    /// Takes over a connection after its handshake; `early` is what has been read of it beyond that.
    pub fn server(io: S, early: &[u8]) -> Self {
        let reader = Reader::new(MAX_SOCKET_MESSAGE);
        Self { io, early: early.to_vec(), reader, rest: Vec::new(), is_read: false, is_closing: false }
    }

    /// Reads once, and hands over each text, and each message that is none, which no protocol of a call has. `false`:
    /// the peer has closed, and nothing more comes. Pings and the peer's close are answered.
    ///
    /// # Errors
    /// Nothing more comes; the messages before it have been handed over.
    pub(super) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        mut take: impl FnMut(Option<&str>),
    ) -> Poll<Result<bool, SocketError>> {
        if self.is_read {
            return Poll::Ready(Ok(false));
        }
        if !self.rest.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_rest(context)
        {
            return Poll::Ready(self.over(error));
        }
        let read = if self.early.is_empty() {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut room = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.io).poll_read(context, &mut room)).map_err(SocketError::Lost)?;
                let bytes = room.filled_mut();
                if bytes.is_empty() {
                    let gone = io::Error::new(io::ErrorKind::UnexpectedEof, "it ended without a close");
                    return Poll::Ready(Err(SocketError::Lost(gone)));
                }
                Poll::Ready(self.understand(bytes, &mut take))
            })
        } else {
            let mut early = mem::take(&mut self.early);
            Poll::Ready(self.understand(&mut early, &mut take))
        };
        match ready!(read) {
            Ok(()) => {
                // An answer goes out now or with whatever is written next.
                if !self.rest.is_empty() {
                    let _later = self.poll_rest(context).is_pending();
                }
                Poll::Ready(Ok(true))
            }
            Err(error) => {
                let over = self.over(error);
                // Why goes out now or never.
                let _later = self.poll_rest(context).is_pending();
                Poll::Ready(over)
            }
        }
    }

    /// Finds the messages in what was read.
    fn understand(&mut self, bytes: &mut [u8], take: &mut impl FnMut(Option<&str>)) -> Result<(), SocketError> {
        let (rest, is_read) = (&mut self.rest, &mut self.is_read);
        let read = self.reader.read(bytes, |message| match message {
            Message::Text(text) => take(Some(text)),
            Message::Binary => take(None),
            Message::Ping(payload) if rest.len() < MAX_PONGS => websocket::write_pong(payload, rest),
            Message::Ping(_) => {}
            Message::Close(code) => {
                *is_read = true;
                websocket::write_close(code, rest);
            }
        });
        read.map_err(SocketError::Violation)
    }

    fn over(&mut self, error: SocketError) -> Result<bool, SocketError> {
        self.is_read = true;
        if let SocketError::Violation(violation) = &error
            && !self.is_closing
        {
            self.is_closing = true;
            websocket::write_close(Some(violation.close_code()), &mut self.rest);
        }
        Err(error)
    }

    /// Writes as many of these texts as there is room for, and says how many; they are not needed any more.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn poll_send<'t>(
        &mut self,
        context: &mut Context<'_>,
        texts: impl Iterator<Item = &'t [u8]>,
    ) -> Poll<Result<usize, SocketError>> {
        ready!(self.poll_rest(context))?;
        if self.is_read || self.is_closing {
            // After a close, by whichever side, nothing may be sent (section 5.5.1), and nobody reads it.
            return Poll::Ready(Ok(texts.count()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            let mut count = 0;
            for text in texts {
                if count > 0 && scratch.len() + websocket::written_len(text.len()) > AT_ONCE {
                    break;
                }
                websocket::write_text(text, scratch);
                count += 1;
            }
            let written = Pin::new(&mut self.io).poll_write(context, scratch);
            let sent = match written {
                Poll::Ready(Ok(0)) => Poll::Ready(Err(SocketError::Lost(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(length)) => {
                    self.rest.extend_from_slice(scratch.get(length..).unwrap_or_default());
                    Poll::Ready(Ok(count))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(SocketError::Lost(error))),
                Poll::Pending => Poll::Pending,
            };
            scratch.resize(AT_ONCE, 0);
            scratch.shrink_to(AT_ONCE);
            sent
        })
    }

    /// Writes out what waits here.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        ready!(self.poll_rest(context))?;
        Pin::new(&mut self.io).poll_flush(context).map_err(SocketError::Lost)
    }

    /// Says goodbye, if that has not been said, and ends the connection.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        if !self.is_closing {
            self.is_closing = true;
            if !self.is_read {
                websocket::write_close(Some(NORMAL), &mut self.rest);
            }
        }
        ready!(self.poll_flush(context))?;
        Pin::new(&mut self.io).poll_shutdown(context).map_err(SocketError::Lost)
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        while !self.rest.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(context, &self.rest)) {
                Ok(0) => return Poll::Ready(Err(SocketError::Lost(io::ErrorKind::WriteZero.into()))),
                Ok(length) => drop(self.rest.drain(..length)),
                Err(error) => return Poll::Ready(Err(SocketError::Lost(error))),
            }
            self.rest.shrink_to(USUAL_REST);
        }
        Poll::Ready(Ok(()))
    }
}

/// Section 7.4.1 of RFC 6455: the purpose of the connection is fulfilled.
const NORMAL: u16 = 1000;

#[cfg(test)]
mod tests;
