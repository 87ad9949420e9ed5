//! The audio of one call over its socket: the path of every frame.
//!
//! Nothing here is allocated per frame in the steady state, and nothing crosses a queue between tasks: whoever owns the
//! call polls the socket. A message comes in, is read where it lies, and is decoded into a frame on the stack; a frame
//! goes out through one buffer that is used again and again.

use std::collections::VecDeque;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_core::Stream;
use futures_util::Sink;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use trunkline_core::voice::{AudioEvent, AudioTransport, FRAME_BYTES, Operation, VoiceError};
use trunkline_proto::media::{Event, Fault, Limits, Payload, ServerSession, Start, Track};

use super::backend::StreamGuard;
use super::failure::stream_failed;
use super::socket::Frame;

/// Bytes that wait for a peer who reads slowly, at most: more than a minute of audio as it is written.
pub const MAX_QUEUED_BYTES: usize = 1024 * 1024;
/// Bytes of audio in one message, at most: a second.
const MAX_MESSAGE_AUDIO: usize = 50 * FRAME_BYTES;
/// Messages of a stream that may be wrong; a peer who is worse is not Twilio.
const MAX_FAULTS: u64 = 1_000;
/// A message with a frame, and some room.
const USUAL_MESSAGE: usize = 384;
/// What is kept of the buffer for odd sizes when it is empty.
const USUAL_CARRY: usize = 8 * FRAME_BYTES;

struct Piece {
    len: usize,
    is_audio: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Over,
}

/// The audio of a call over a socket of Twilio's.
pub(super) struct MediaTransport<S> {
    socket: S,
    session: ServerSession,
    phase: Phase,
    /// Where a message is written before it is queued.
    scratch: Vec<u8>,
    queue: BytesMut,
    pieces: VecDeque<Piece>,
    /// Audio that did not come in whole frames, from `carried_to` on.
    carry: Vec<u8>,
    carried_to: usize,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
    guard: StreamGuard,
}

impl<S, E> MediaTransport<S>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Send + Unpin,
    E: Error + Send + Sync + 'static,
{
    pub(super) fn new(socket: S, buffer: usize, over: CancellationToken, guard: StreamGuard) -> Self {
        Self {
            socket,
            session: ServerSession::new(Limits::default()),
            phase: Phase::Open,
            scratch: Vec::with_capacity(USUAL_MESSAGE),
            queue: BytesMut::with_capacity(buffer),
            pieces: VecDeque::with_capacity(16),
            carry: Vec::new(),
            carried_to: 0,
            over: Box::pin(over.cancelled_owned()),
            guard,
        }
    }

    /// Waits for the message that says of which call this is.
    pub(super) fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<Result<Start, VoiceError>> {
        loop {
            if self.over.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(stream_failed(Operation::StreamAudio, "the call is over")));
            }
            let bytes = match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Frame::Text(bytes))) => bytes,
                Some(Ok(Frame::Binary)) => {
                    self.binary()?;
                    continue;
                }
                Some(Err(error)) => return Poll::Ready(Err(lost(error))),
                None | Some(Ok(Frame::Close)) => {
                    let message = "the socket was closed before its start";
                    return Poll::Ready(Err(stream_failed(Operation::StreamAudio, message)));
                }
            };
            let Ok(text) = str::from_utf8(&bytes) else {
                self.binary()?;
                continue;
            };
            match self.session.text(text) {
                Ok(Event::Start(start)) => return Poll::Ready(Ok(*start)),
                Ok(_) => {}
                Err(fault) => self.fault(fault)?,
            }
        }
    }

    fn binary(&mut self) -> Result<(), VoiceError> {
        let fault = self.session.binary();
        self.fault(fault)
    }

    /// Counts a message that was wrong; an error if the stream cannot go on.
    fn fault(&mut self, fault: Fault) -> Result<(), VoiceError> {
        self.guard.fault();
        if fault.may_go_on() && self.session.counters().faults <= MAX_FAULTS {
            return Ok(());
        }
        self.phase = Phase::Over;
        Err(stream_failed(Operation::StreamAudio, "the stream cannot go on after a message that was wrong")
            .with_source(fault))
    }

    /// A frame from what came in odd sizes.
    fn carried(&mut self) -> Option<AudioEvent> {
        let left = self.carry.get(self.carried_to..)?;
        let frame = left.first_chunk::<FRAME_BYTES>().copied();
        if let Some(frame) = frame {
            self.carried_to += FRAME_BYTES;
            return Some(AudioEvent::Frame(frame));
        }
        if self.carried_to > 0 {
            self.carry.drain(..self.carried_to);
            self.carried_to = 0;
            if self.carry.capacity() > USUAL_CARRY {
                self.carry.shrink_to(USUAL_CARRY);
            }
        }
        None
    }

    /// The audio of a message; a frame if it is one.
    fn heard(&mut self, payload: &Payload<'_>) -> Result<Option<AudioEvent>, VoiceError> {
        if self.carry.is_empty() && payload.decoded_len() == FRAME_BYTES {
            let mut frame = [0; FRAME_BYTES];
            if payload.decode_into(&mut frame) == Ok(FRAME_BYTES) {
                return Ok(Some(AudioEvent::Frame(frame)));
            }
        } else if payload.decode_onto(&mut self.carry).is_ok() {
            return Ok(self.carried());
        }
        self.fault(Fault::Missing("media.payload"))?;
        Ok(None)
    }

    fn put(
        &mut self,
        is_audio: bool,
        write: impl FnOnce(&ServerSession, &mut Vec<u8>) -> bool,
    ) -> Result<(), VoiceError> {
        self.scratch.clear();
        if self.phase == Phase::Over || !write(&self.session, &mut self.scratch) {
            return Err(stream_failed(Operation::StreamAudio, "the stream is over"));
        }
        if self.queue.len() + self.scratch.len() > MAX_QUEUED_BYTES {
            self.phase = Phase::Over;
            return Err(stream_failed(Operation::StreamAudio, "the peer reads too slowly"));
        }
        self.queue.extend_from_slice(&self.scratch);
        self.pieces.push_back(Piece { len: self.scratch.len(), is_audio });
        Ok(())
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.queue.clear();
        self.pieces.clear();
    }
}

impl<S, E> AudioTransport for MediaTransport<S>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Send + Unpin,
    E: Error + Send + Sync + 'static,
{
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AudioEvent, VoiceError>>> {
        loop {
            if let Some(frame) = self.carried() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.phase == Phase::Over {
                return Poll::Ready(None);
            }
            if self.over.as_mut().poll(context).is_ready() {
                self.end();
                return Poll::Ready(Some(Ok(AudioEvent::Stopped)));
            }
            let bytes = match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Frame::Text(bytes))) => bytes,
                Some(Ok(Frame::Binary)) => {
                    self.binary()?;
                    continue;
                }
                Some(Err(error)) => {
                    self.end();
                    return Poll::Ready(Some(Err(lost(error))));
                }
                None | Some(Ok(Frame::Close)) => {
                    self.end();
                    return Poll::Ready(None);
                }
            };
            let Ok(text) = str::from_utf8(&bytes) else {
                self.binary()?;
                continue;
            };
            match self.session.text(text) {
                Ok(Event::Media(media)) if media.track == Track::Inbound => {
                    if let Some(event) = self.heard(&media.payload)? {
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Ok(Event::Dtmf { digit }) => return Poll::Ready(Some(Ok(AudioEvent::Digit(digit)))),
                Ok(Event::Mark { name }) => return Poll::Ready(Some(Ok(AudioEvent::Mark(name.into_owned())))),
                Ok(Event::Stop) => {
                    self.end();
                    return Poll::Ready(Some(Ok(AudioEvent::Stopped)));
                }
                Ok(Event::Connected | Event::Start(_) | Event::Media(_) | Event::Ignored(_)) => {}
                Err(fault) => self.fault(fault)?,
            }
        }
    }

    fn audio(&mut self, audio: &[u8]) -> Result<(), VoiceError> {
        audio
            .chunks(MAX_MESSAGE_AUDIO)
            .try_for_each(|audio| self.put(true, |session, out| session.write_media(audio, out)))
    }

    fn mark(&mut self, name: &str) -> Result<(), VoiceError> {
        self.put(false, |session, out| session.write_mark(name, out))
    }

    /// Marks that wait here go out after the clear: they come back like those that Twilio has already.
    fn clear(&mut self) -> Result<(), VoiceError> {
        let waiting = self.queue.split();
        let pieces = std::mem::take(&mut self.pieces);
        self.put(false, ServerSession::write_clear)?;
        let mut rest = &waiting[..];
        for piece in pieces {
            let Some((bytes, after)) = rest.split_at_checked(piece.len) else { break };
            if !piece.is_audio {
                self.queue.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
            rest = after;
        }
        Ok(())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VoiceError>> {
        while let Some(piece) = self.pieces.front() {
            ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(lost)?;
            let message = self.queue.split_to(piece.len.min(self.queue.len())).freeze();
            self.pieces.pop_front();
            Pin::new(&mut self.socket).start_send(Frame::Text(message)).map_err(lost)?;
        }
        Pin::new(&mut self.socket).poll_flush(context).map_err(lost)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VoiceError>> {
        if self.phase == Phase::Open {
            ready!(self.poll_flush(context))?;
        }
        let closed = ready!(Pin::new(&mut self.socket).poll_close(context));
        self.end();
        Poll::Ready(closed.map_err(lost))
    }
}

fn lost(error: impl Error + Send + Sync + 'static) -> VoiceError {
    stream_failed(Operation::StreamAudio, "the socket was lost").with_source(error)
}

#[cfg(test)]
mod tests;
