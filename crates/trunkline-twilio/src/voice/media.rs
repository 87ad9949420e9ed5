//! The audio of one call over its socket: the path of every frame.
//!
//! Nothing here is allocated per frame in the steady state, and nothing crosses a queue between tasks: whoever owns the
//! call polls the socket. A message comes in, is read where it lies, and is decoded into a frame; a frame goes out
//! through one buffer that is used again and again.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use trunkline_core::voice::{AudioEvent, AudioTransport, FRAME_BYTES, Operation, VoiceError};
use trunkline_proto::media::{Event, Fault, Limits, Payload, ServerSession, Start, Track};

use super::backend::StreamGuard;
use super::failure::stream_failed;
use super::over::Over;
use super::socket::{CallSocket, SocketError};

/// Bytes that wait for a peer who reads slowly, at most: more than a minute of audio as it is written.
pub const MAX_QUEUED_BYTES: usize = 1024 * 1024;
/// Bytes of audio in one message, at most: a second.
const MAX_MESSAGE_AUDIO: usize = 50 * FRAME_BYTES;
/// Messages of a stream that may be wrong; a peer who is worse is not Twilio.
const MAX_FAULTS: u64 = 1_000;
/// What is kept of the room for events that wait: as many frames as are read at once. Nearly always it is one.
const USUAL_EVENTS: usize = 16;
/// Events of a peer who never falls silent, before it is looked whether its session is over.
const MAX_IN_A_ROW: u32 = 16;
/// What is kept of the buffer for odd sizes when it is empty.
const USUAL_CARRY: usize = 8 * FRAME_BYTES;

struct Piece {
    len: usize,
    /// Of audio; none in a mark.
    frames: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Over,
}

/// The audio of a call over a socket of Twilio's.
pub(super) struct MediaTransport<S> {
    socket: CallSocket<S>,
    reading: Reading,
    /// What came and was not asked for yet: more than one only if several messages were read at once.
    events: VecDeque<AudioEvent>,
    phase: Phase,
    /// Messages that wait to be written, one after the other, and how long each is.
    queue: Vec<u8>,
    /// What is kept of the room for them: the first words of an answer need more.
    usual_queue: usize,
    pieces: VecDeque<Piece>,
    over: Over,
    /// Events that were handed out since the peer last had nothing to say.
    in_a_row: u32,
}

/// What reads the messages of a stream.
struct Reading {
    session: ServerSession,
    /// Audio that did not come in whole frames.
    carry: Vec<u8>,
    /// Why the stream cannot go on.
    failure: Option<VoiceError>,
    guard: StreamGuard,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> MediaTransport<S> {
    pub(super) fn new(socket: CallSocket<S>, buffer: usize, over: Over, guard: StreamGuard) -> Self {
        let session = ServerSession::new(Limits::default());
        Self {
            socket,
            reading: Reading { session, carry: Vec::new(), failure: None, guard },
            events: VecDeque::new(),
            phase: Phase::Open,
            queue: Vec::with_capacity(buffer),
            usual_queue: buffer,
            pieces: VecDeque::with_capacity(16),
            over,
            in_a_row: 0,
        }
    }

    /// Waits for the message that says of which call this is.
    pub(super) fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<Result<Start, VoiceError>> {
        loop {
            if self.over.poll(context).is_ready() {
                return Poll::Ready(Err(stream_failed(Operation::StreamAudio, "the call is over")));
            }
            let (reading, events, mut started) = (&mut self.reading, &mut self.events, None);
            let read = self.socket.poll_receive(context, |text| match reading.session(text) {
                Some(Event::Start(start)) => started = Some(*start),
                Some(event) => reading.event(event, &mut |event| events.push_back(event)),
                None => {}
            });
            if let Some(failure) = self.reading.failure.take() {
                self.phase = Phase::Over;
                return Poll::Ready(Err(failure));
            }
            if let Some(start) = started {
                return Poll::Ready(Ok(start));
            }
            if !ready!(read).map_err(lost)? {
                let message = "the socket was closed before its start";
                return Poll::Ready(Err(stream_failed(Operation::StreamAudio, message)));
            }
        }
    }

    fn put(&mut self, frames: u64, write: impl FnOnce(&ServerSession, &mut Vec<u8>) -> bool) -> Result<(), VoiceError> {
        let before = self.queue.len();
        if self.phase == Phase::Open && self.events.contains(&AudioEvent::Stopped) {
            // It is over, and whoever leads the call is about to be told. There is nobody who could hear it.
            return Ok(());
        }
        if self.phase == Phase::Over || !write(&self.reading.session, &mut self.queue) {
            return Err(stream_failed(Operation::StreamAudio, "the stream is over"));
        }
        if self.queue.len() > MAX_QUEUED_BYTES {
            self.end();
            return Err(stream_failed(Operation::StreamAudio, "the peer reads too slowly"));
        }
        self.pieces.push_back(Piece { len: self.queue.len() - before, frames });
        Ok(())
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.queue.clear();
        self.pieces.clear();
    }
}

impl Reading {
    /// What a message says; nothing if it was wrong.
    fn session<'t>(&mut self, text: Option<&'t str>) -> Option<Event<'t>> {
        let said = match text {
            Some(text) => self.session.text(text),
            None => Err(self.session.binary()),
        };
        said.map_err(|fault| self.fault(fault)).ok()
    }

    /// Counts a message that was wrong, and notes if the stream cannot go on.
    fn fault(&mut self, fault: Fault) {
        self.guard.fault();
        if fault.may_go_on() && self.session.counters().faults <= MAX_FAULTS {
            return;
        }
        self.failure.get_or_insert_with(|| {
            stream_failed(Operation::StreamAudio, "the stream cannot go on after a message that was wrong")
                .with_source(fault)
        });
    }

    /// What an event is to whoever leads the call.
    fn event(&mut self, event: Event<'_>, take: &mut impl FnMut(AudioEvent)) {
        match event {
            Event::Media(media) if media.track == Track::Inbound => self.heard(&media.payload, take),
            Event::Dtmf { digit } => take(AudioEvent::Digit(digit)),
            Event::Mark { name } => take(AudioEvent::Mark(name.into_owned())),
            Event::Stop => take(AudioEvent::Stopped),
            Event::Connected | Event::Start(_) | Event::Media(_) | Event::Ignored(_) => {}
        }
    }

    /// The audio of a message, in whole frames.
    fn heard(&mut self, payload: &Payload<'_>, take: &mut impl FnMut(AudioEvent)) {
        if self.carry.is_empty() && payload.decoded_len() == FRAME_BYTES {
            let mut frame = [0; FRAME_BYTES];
            if payload.decode_into(&mut frame) == Ok(FRAME_BYTES) {
                self.guard.heard(1);
                take(AudioEvent::Frame(frame));
                return;
            }
        } else if payload.decode_onto(&mut self.carry).is_ok() {
            let (frames, _) = self.carry.as_chunks::<FRAME_BYTES>();
            self.guard.heard(frames.len() as u64);
            for frame in frames {
                take(AudioEvent::Frame(*frame));
            }
            let whole = frames.len() * FRAME_BYTES;
            self.carry.drain(..whole);
            self.carry.shrink_to(USUAL_CARRY);
            return;
        }
        self.fault(Fault::Missing("media.payload"));
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> AudioTransport for MediaTransport<S> {
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<AudioEvent, VoiceError>>> {
        loop {
            // The end of the session is looked for when the peer has nothing to say, and else now and then.
            if self.in_a_row >= MAX_IN_A_ROW {
                self.in_a_row = 0;
                if self.phase == Phase::Open && self.over.is_over() {
                    self.events.clear();
                    self.end();
                    return Poll::Ready(Some(Ok(AudioEvent::Stopped)));
                }
            }
            if let Some(event) = self.events.pop_front() {
                self.in_a_row += 1;
                if event == AudioEvent::Stopped {
                    self.events.clear();
                    self.end();
                }
                return Poll::Ready(Some(Ok(event)));
            }
            self.events.shrink_to(USUAL_EVENTS);
            if let Some(failure) = self.reading.failure.take() {
                self.end();
                return Poll::Ready(Some(Err(failure)));
            }
            if self.phase == Phase::Over {
                return Poll::Ready(None);
            }
            let (reading, events, mut first) = (&mut self.reading, &mut self.events, None);
            let read = self.socket.poll_receive(context, |text| {
                if let Some(event) = reading.session(text) {
                    reading.event(event, &mut |event| match first {
                        None => first = Some(event),
                        Some(_) => events.push_back(event),
                    });
                }
            });
            if let Some(first) = first {
                // Nearly always it is the only one.
                self.events.push_front(first);
            }
            match read {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => self.end(),
                Poll::Ready(Err(error)) => {
                    self.reading.failure.get_or_insert_with(|| lost(error));
                }
                Poll::Pending => {
                    self.in_a_row = 0;
                    ready!(self.over.poll(context));
                    self.end();
                    return Poll::Ready(Some(Ok(AudioEvent::Stopped)));
                }
            }
        }
    }

    fn audio(&mut self, audio: &[u8]) -> Result<(), VoiceError> {
        audio.chunks(MAX_MESSAGE_AUDIO).try_for_each(|audio| {
            self.put((audio.len() / FRAME_BYTES) as u64, |session, out| session.write_media(audio, out))
        })
    }

    fn mark(&mut self, name: &str) -> Result<(), VoiceError> {
        self.put(0, |session, out| session.write_mark(name, out))
    }

    /// Marks that wait here go out after the clear: they come back like those that Twilio has already.
    fn clear(&mut self) -> Result<(), VoiceError> {
        let waiting = std::mem::take(&mut self.queue);
        let pieces = std::mem::take(&mut self.pieces);
        self.put(0, ServerSession::write_clear)?;
        let mut rest = waiting.as_slice();
        for piece in pieces {
            let Some((bytes, after)) = rest.split_at_checked(piece.len) else { break };
            if piece.frames == 0 {
                self.queue.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
            rest = after;
        }
        Ok(())
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VoiceError>> {
        while !self.pieces.is_empty() {
            let mut rest = self.queue.as_slice();
            let texts = self.pieces.iter().map_while(|piece| {
                let (text, after) = rest.split_at_checked(piece.len)?;
                rest = after;
                Some(text)
            });
            let count = ready!(self.socket.poll_send(context, texts)).map_err(lost)?;
            let mut written = 0;
            for piece in self.pieces.drain(..count) {
                written += piece.len;
                self.reading.guard.sent(piece.frames);
            }
            self.queue.drain(..written);
            self.queue.shrink_to(self.usual_queue);
        }
        self.socket.poll_flush(context).map_err(lost)
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VoiceError>> {
        if self.phase == Phase::Open {
            ready!(self.poll_flush(context))?;
        }
        let closed = ready!(self.socket.poll_close(context));
        self.end();
        Poll::Ready(closed.map_err(lost))
    }
}

impl<S> Drop for MediaTransport<S> {
    fn drop(&mut self) {
        self.reading.guard.gaps(self.reading.session.counters().gaps);
    }
}

fn lost(error: SocketError) -> VoiceError {
    stream_failed(Operation::StreamAudio, "the socket was lost").with_source(error)
}

#[cfg(test)]
mod tests;
