//! The server's end of a WebSocket after its handshake: bytes to messages and back. RFC 6455, without extensions.
//!
//! Libraries for sockets in general keep buffers for each connection, and hand out messages that outlive them. A call
//! has fifty short messages a second each way, each of which is done with before the next one comes. Here they are
//! unmasked and read where they were received, in a buffer that all sockets of a thread share; only what is incomplete
//! is kept. See `docs/decisions/0009`.

use std::mem;

/// A frame's head, at most: two bytes, eight of length, four of mask.
const MAX_HEAD: usize = 14;
/// The longest control frame (section 5.5).
const MAX_CONTROL: usize = 125;
/// What is kept of the room for incomplete messages when there are none.
const USUAL_PARTIAL: usize = 1 << 10;

/// What the peer says. Pongs do not come here: nothing is asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text.
    Text(&'a str),
    /// Bytes, which no protocol of a call has.
    Binary,
    /// It wants to know whether we are there: [`write_pong`] with the same bytes, at most 125.
    Ping(&'a [u8]),
    /// It closes, for this reason (section 7.4): [`write_close`] with the same, then nothing more.
    Close(Option<u16>),
}

/// What a peer may not do. The socket is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A frame that the protocol does not have.
    #[error("a frame is against the protocol: {0}")]
    Protocol(&'static str),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// A message is longer than the limit.
    #[error("a message is longer than {0} bytes")]
    TooLong(usize),
}

impl Violation {
    /// Stable across releases; listed in `docs/errors.md`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Protocol(_) => "websocket.protocol",
            Self::NotText => "websocket.not_text",
            Self::TooLong(_) => "websocket.too_long",
        }
    }

    /// The reason to close with (section 7.4.1).
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::NotText => 1007,
            Self::TooLong(_) => 1009,
        }
    }
}

/// Finds the messages in what a client sends.
#[derive(Debug)]
pub struct Reader {
    /// Bytes of a message, at most.
    max_message: usize,
    /// What came of a frame that is not complete.
    partial: Vec<u8>,
    /// The frames so far of a message that comes in several, and whether it is a text.
    fragments: Vec<u8>,
    fragmented: Option<bool>,
    is_closed: bool,
}

/// A frame, of which the payload is unmasked.
struct Frame {
    is_last: bool,
    opcode: u8,
    head: usize,
    length: usize,
}

impl Reader {
    /// A socket on which nothing has been said; longer messages than `max_message` bytes end it.
    pub fn new(max_message: usize) -> Self {
        Self { max_message, partial: Vec::new(), fragments: Vec::new(), fragmented: None, is_closed: false }
    }

    /// Reads what has come, and hands over each message in it. The bytes are changed: they are unmasked in place.
    /// What comes after a close is left alone.
    ///
    /// # Errors
    /// What is wrong; the messages before it have been handed over.
    pub fn read(&mut self, bytes: &mut [u8], mut take: impl FnMut(Message<'_>)) -> Result<(), Violation> {
        if self.partial.is_empty() {
            let used = self.messages(bytes, &mut take)?;
            self.partial.extend_from_slice(bytes.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut partial = mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let used = self.messages(&mut partial, &mut take)?;
        partial.drain(..used);
        if partial.is_empty() {
            partial.shrink_to(USUAL_PARTIAL);
        }
        self.partial = partial;
        Ok(())
    }

    /// Hands over the whole messages, and says how many bytes they were.
    fn messages(&mut self, bytes: &mut [u8], take: &mut impl FnMut(Message<'_>)) -> Result<usize, Violation> {
        let mut used = 0;
        while !self.is_closed {
            let rest = bytes.get_mut(used..).unwrap_or_default();
            let Some(frame) = frame(rest, self.max_message)? else { return Ok(used) };
            let end = frame.head + frame.length;
            let payload = rest.get(frame.head..end).unwrap_or_default();
            used += end;
            self.message(&frame, payload, take)?;
        }
        Ok(bytes.len())
    }

    fn message(&mut self, frame: &Frame, payload: &[u8], take: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
        match (frame.opcode, self.fragmented) {
            (CONTINUATION, None) => return Err(Violation::Protocol("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => return Err(Violation::Protocol("a message within a message")),
            (TEXT, None) if frame.is_last => take(Message::Text(text(payload)?)),
            (BINARY, None) if frame.is_last => take(Message::Binary),
            (TEXT | BINARY, None) => {
                self.fragmented = Some(frame.opcode == TEXT);
                self.fragments.extend_from_slice(payload);
            }
            (CONTINUATION, Some(is_text)) => {
                if self.fragments.len() + payload.len() > self.max_message {
                    return Err(Violation::TooLong(self.max_message));
                }
                self.fragments.extend_from_slice(payload);
                if frame.is_last {
                    self.fragmented = None;
                    let whole = mem::take(&mut self.fragments);
                    take(if is_text { Message::Text(text(&whole)?) } else { Message::Binary });
                }
            }
            (PING, _) => take(Message::Ping(payload)),
            (PONG, _) => {}
            (CLOSE, _) => {
                self.is_closed = true;
                take(Message::Close(close_code(payload)?));
            }
            _ => return Err(Violation::Protocol("an unknown kind of frame")),
        }
        Ok(())
    }
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The frame at the beginning; none if it is not whole.
fn frame(bytes: &mut [u8], max_message: usize) -> Result<Option<Frame>, Violation> {
    let Some(&[first, second]) = bytes.first_chunk() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Violation::Protocol("a reserved bit is set"));
    }
    if second & 0x80 == 0 {
        return Err(Violation::Protocol("a client's frame is not masked"));
    }
    let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
    let rest = bytes.get(2..).unwrap_or_default();
    let (length_bytes, length) = match second & 0x7f {
        126 => {
            let Some(length) = rest.first_chunk().map(|length| u16::from_be_bytes(*length)) else { return Ok(None) };
            (2, u64::from(length))
        }
        127 => {
            let Some(length) = rest.first_chunk().map(|length| u64::from_be_bytes(*length)) else { return Ok(None) };
            (8, length)
        }
        short => (0, u64::from(short)),
    };
    let shortest = match length_bytes {
        2 => length > 125,
        8 => length > u64::from(u16::MAX),
        _ => true,
    };
    if !shortest {
        return Err(Violation::Protocol("a length is not written the short way"));
    }
    if opcode >= CLOSE && (!is_last || length > MAX_CONTROL as u64) {
        return Err(Violation::Protocol("a control frame is long, or in pieces"));
    }
    let too_long = Violation::TooLong(max_message);
    let length = usize::try_from(length).ok().filter(|length| *length <= max_message).ok_or(too_long)?;
    let head = 2 + length_bytes + 4;
    let Some((before, payload)) = bytes.split_at_mut_checked(head) else { return Ok(None) };
    let (Some(mask), Some(payload)) = (before.last_chunk(), payload.get_mut(..length)) else { return Ok(None) };
    unmask(payload, *mask);
    Ok(Some(Frame { is_last, opcode, head, length }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (eights, rest) = payload.as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ twice).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

fn text(payload: &[u8]) -> Result<&str, Violation> {
    str::from_utf8(payload).map_err(|_| Violation::NotText)
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::Protocol("half a reason to close")) };
    };
    text(reason)?;
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(Some(code)),
        _ => Err(Violation::Protocol("a reason to close that may not be sent")),
    }
}

/// Appends a text, which is to be UTF-8.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write(TEXT, text, out);
}

/// Appends the answer to a ping.
pub fn write_pong(payload: &[u8], out: &mut Vec<u8>) {
    write(PONG, payload, out);
}

/// Appends a close, for this reason.
pub fn write_close(code: Option<u16>, out: &mut Vec<u8>) {
    match code {
        Some(code) => write(CLOSE, &code.to_be_bytes(), out),
        None => write(CLOSE, &[], out),
    }
}

/// The most that [`write_text`] appends to a text of this length.
pub const fn written_len(text: usize) -> usize {
    text + MAX_HEAD
}

fn write(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => out.push(short),
        (_, Ok(length)) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
