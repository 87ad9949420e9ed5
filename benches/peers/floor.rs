//! The floor that `trunkline bench calls --peers` compares with: one thread and one epoll that send every message of a
//! WebSocket back, bytes as they came. It unmasks, because it must; it reads nothing of what is in there.
//!
//! `cargo build --release -p trunkline --example peer-floor`; then `peer-floor 127.0.0.1:PORT`.

use std::collections::HashMap;
use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags, add, create, wait};

/// `Sec-WebSocket-Accept` for the one key that the bench sends, the example of RFC 6455.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const LISTENER: u64 = u64::MAX;
/// Read at once.
const READ: usize = 16 << 10;

struct Peer {
    socket: TcpStream,
    is_open: bool,
    unread: Vec<u8>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: peer-floor ADDRESS")?;
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let epoll = create(CreateFlags::CLOEXEC)?;
    add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut peers: HashMap<u64, Peer> = HashMap::new();
    let mut next = 0;
    let mut events: Vec<Event> = Vec::with_capacity(256);
    let mut buffer = vec![0; READ];
    let mut out = Vec::with_capacity(READ);
    loop {
        events.clear();
        wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                let (socket, _) = listener.accept()?;
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
                add(&epoll, &socket, EventData::new_u64(next), EventFlags::IN)?;
                peers.insert(next, Peer { socket, is_open: false, unread: Vec::new() });
                next += 1;
            } else if let Some(peer) = peers.get_mut(&number)
                && peer.serve(&mut buffer, &mut out).is_err()
            {
                // Closing the socket takes it out of the epoll.
                peers.remove(&number);
            }
        }
    }
}

impl Peer {
    fn serve(&mut self, buffer: &mut [u8], out: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
        let read = match self.socket.read(buffer) {
            Ok(0) => return Err("closed".into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let bytes = buffer.get_mut(..read).unwrap_or_default();
        out.clear();
        if !self.is_open {
            self.unread.extend_from_slice(bytes);
            if self.unread.ends_with(b"\r\n\r\n") {
                self.unread.clear();
                self.is_open = true;
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
                );
                self.socket.write_all(answer.as_bytes())?;
            }
            return Ok(());
        }
        if self.unread.is_empty() {
            let used = echo(bytes, out);
            self.unread.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut unread = std::mem::take(&mut self.unread);
            unread.extend_from_slice(bytes);
            let used = echo(&mut unread, out);
            unread.drain(..used);
            self.unread = unread;
        }
        if !out.is_empty() {
            self.socket.write_all(out)?;
        }
        Ok(())
    }
}

/// Writes each whole message that has audio to `out`, unmasked, and says how many bytes all of them were.
fn echo(bytes: &mut [u8], out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while let Some(rest) = bytes.get_mut(at..) {
        let (head, length) = match rest {
            [_, short, high, low, ..] if *short & 0x7f == 126 => (8, usize::from(u16::from_be_bytes([*high, *low]))),
            [_, short, ..] => (6, usize::from(*short & 0x7f)),
            _ => break,
        };
        let Some((framing, text)) = rest.get_mut(..head + length).and_then(|frame| frame.split_at_mut_checked(head))
        else {
            break;
        };
        let mask = framing.last_chunk::<4>().copied().unwrap_or_default();
        for piece in text.chunks_mut(4) {
            for (byte, key) in piece.iter_mut().zip(mask) {
                *byte ^= key;
            }
        }
        if text.starts_with(b"{\"event\":\"media\"") {
            write(text, out);
        }
        at += head + length;
    }
    at
}

fn write(text: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    match u16::try_from(text.len()) {
        Ok(length) if length >= 126 => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => out.push(u8::try_from(text.len()).unwrap_or_default()),
    }
    out.extend_from_slice(text);
}
