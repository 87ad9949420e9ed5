//! The callers: one thread, one epoll, a frame for each call every 20 ms.
//!
//! The clock alone wakes this thread, never an answer: a process that sleeps in its epoll has to be woken by whoever
//! sends to it, on the same machine, and that is a cost that no server has when its peer is elsewhere. It would fall on
//! servers unevenly, too: whoever answers before this thread has gone to sleep does not pay.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags, add, create, wait};
use rustix::fd::OwnedFd;

use super::talk::{Caller, Talk};
use super::wire::{Opened, PAYLOAD, Stamp, Template, mark, messages};

/// The time of a frame.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// What comes back later than this would be heard.
const LATE: Duration = Duration::from_millis(20);
/// How long after the last frame answers are awaited.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// How often the clock wakes this thread: what a round trip is exact to.
const TICK: Duration = Duration::from_micros(250);
/// Bytes that a server may leave unread.
const MAX_UNREAD: usize = 256 << 10;
/// Read at once.
const READ: usize = 32 << 10;

/// What the callers do.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// Every frame carries a stamp and comes back.
    Echo,
    /// People who speak, listen and talk over the answer.
    Talk(&'a Talk),
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) late: u64,
    /// Frames out of order or not as they were sent.
    pub(super) wrong: u64,
    pub(super) round_trips: Vec<Duration>,
    /// How late the frames left here.
    pub(super) lags: Vec<Duration>,
    /// From the end of a person's speech to the first frame of the answer.
    pub(super) answers: Vec<Duration>,
    /// From the first frame that talks over an answer to its clear.
    pub(super) clears: Vec<Duration>,
    /// How long the far end's audio ran dry within an answer.
    pub(super) gaps: Vec<Duration>,
}

impl Seen {
    pub(super) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

struct Line {
    socket: TcpStream,
    stream: String,
    template: Template,
    /// Messages and frames that were sent.
    sequence: u32,
    frames: u32,
    expected: u32,
    unsent: Vec<u8>,
    unread: Vec<u8>,
    caller: Option<Caller>,
}

/// Calls whose sockets are open.
pub(super) struct Lines {
    epoll: OwnedFd,
    all: Vec<Line>,
    events: Vec<Event>,
    buffer: Vec<u8>,
    epoch: Instant,
}

impl Lines {
    pub(super) fn new(opened: Vec<Opened>, part: Part<'_>) -> Result<Self, String> {
        let failed = |error: rustix::io::Errno| format!("epoll cannot be used: {error}");
        let epoll = create(CreateFlags::CLOEXEC).map_err(failed)?;
        let mut lines = Vec::with_capacity(opened.len());
        for (number, Opened { socket, stream }) in opened.into_iter().enumerate() {
            add(&epoll, &socket, EventData::new_u64(number as u64), EventFlags::IN).map_err(failed)?;
            let caller = match part {
                Part::Echo => None,
                Part::Talk(talk) => Some(talk.caller(number)),
            };
            let template = Template::new(&stream);
            lines.push(Line {
                socket,
                stream,
                template,
                sequence: 0,
                frames: 0,
                expected: 0,
                unsent: Vec::new(),
                unread: Vec::new(),
                caller,
            });
        }
        Ok(Self { epoll, all: lines, events: Vec::with_capacity(256), buffer: vec![0; READ], epoch: Instant::now() })
    }

    /// Sends and hears for `time`. May be done again.
    pub(super) fn run(&mut self, time: Duration, part: Part<'_>) -> Result<Seen, String> {
        let mut seen = Seen::default();
        let calls = u32::try_from(self.all.len()).unwrap_or(u32::MAX).max(1);
        let rounds = u32::try_from(time.as_millis() / FRAME.as_millis()).unwrap_or(u32::MAX);
        let begun = Instant::now();
        for round in 0..rounds {
            for number in 0..calls {
                let due = begun + FRAME * round + FRAME * number / calls;
                let mut now = Instant::now();
                while now < due {
                    self.hear(&mut seen)?;
                    tick();
                    now = Instant::now();
                }
                seen.lags.push(now.saturating_duration_since(due));
                self.send(number as usize, due, part, &mut seen)?;
            }
        }
        let until = Instant::now() + AFTERWARDS;
        while Instant::now() < until {
            self.hear(&mut seen)?;
            tick();
        }
        Ok(seen)
    }

    fn send(&mut self, number: usize, due: Instant, part: Part<'_>, seen: &mut Seen) -> Result<(), String> {
        let Some(line) = self.all.get_mut(number) else { return Ok(()) };
        let at_us = u64::try_from(due.saturating_duration_since(self.epoch).as_micros()).unwrap_or_default();
        let stamp = Stamp { at_us, number: line.frames };
        let Line { socket, stream, template, sequence, frames, unsent, caller, .. } = line;
        let audio = match (part, caller) {
            (Part::Talk(talk), Some(caller)) => {
                while let Some(name) = caller.heard(due) {
                    *sequence += 1;
                    write(socket, unsent, &mark(stream, *sequence, &name))?;
                }
                Some(caller.says(talk, due))
            }
            _ => None,
        };
        *frames += 1;
        *sequence += 1;
        seen.sent += 1;
        write(socket, unsent, template.frame(*sequence, stamp, audio))
    }

    /// Takes what has come.
    fn hear(&mut self, seen: &mut Seen) -> Result<(), String> {
        self.events.clear();
        match wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&Timespec::default())) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("epoll cannot be used: {error}")),
        }
        for event in &self.events {
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let Some(line) = self.all.get_mut(number) else { continue };
            match line.socket.read(&mut self.buffer) {
                Ok(0) => return Err("the server closed a socket".to_owned()),
                Ok(read) => line.take(self.buffer.get(..read).unwrap_or_default(), self.epoch, seen)?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(format!("a socket was lost: {error}")),
            }
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "this thread has no reactor, and is to sleep")]
fn tick() {
    std::thread::sleep(TICK);
}

impl Line {
    fn take(&mut self, bytes: &[u8], epoch: Instant, seen: &mut Seen) -> Result<(), String> {
        let now = Instant::now();
        if self.unread.is_empty() {
            let used = self.messages(bytes, now, epoch, seen)?;
            self.unread.extend_from_slice(bytes.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut unread = std::mem::take(&mut self.unread);
        unread.extend_from_slice(bytes);
        let used = self.messages(&unread, now, epoch, seen)?;
        unread.drain(..used);
        self.unread = unread;
        Ok(())
    }

    fn messages(&mut self, bytes: &[u8], now: Instant, epoch: Instant, seen: &mut Seen) -> Result<usize, String> {
        let mut marks = Vec::new();
        let used = messages(bytes, |text| match (text.get(10..12), &mut self.caller) {
            (Some(b"me"), None) => {
                let end = text.len().saturating_sub(3);
                let payload = text.get(end.saturating_sub(PAYLOAD)..end).unwrap_or_default();
                echoed(payload, &self.template, &mut self.expected, now.saturating_duration_since(epoch), seen);
            }
            (Some(b"me"), Some(caller)) => caller.hears(now, seen),
            (Some(b"ma"), caller) => {
                let name = text.rsplit(|byte| *byte == b'"').nth(1).unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                match caller {
                    Some(caller) => caller.marked(name),
                    None => marks.push(name),
                }
            }
            (Some(b"cl"), Some(caller)) => caller.cleared(now, seen),
            _ => {}
        })?;
        for name in marks {
            self.sequence += 1;
            let mark = mark(&self.stream, self.sequence, &name);
            self.write(&mark)?;
        }
        Ok(used)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        write(&mut self.socket, &mut self.unsent, bytes)
    }
}

fn echoed(payload: &[u8], template: &Template, expected: &mut u32, now: Duration, seen: &mut Seen) {
    let Some(stamp) = Stamp::read(payload) else {
        seen.wrong += 1;
        return;
    };
    seen.received += 1;
    seen.wrong += u64::from(stamp.number != *expected || !template.is_mine(payload));
    *expected = stamp.number + 1;
    let round_trip = now.saturating_sub(Duration::from_micros(stamp.at_us));
    seen.late += u64::from(round_trip > LATE);
    seen.round_trips.push(round_trip);
}

fn write(socket: &mut TcpStream, unsent: &mut Vec<u8>, bytes: &[u8]) -> Result<(), String> {
    if unsent.is_empty() {
        let sent = written(socket, bytes)?;
        unsent.extend_from_slice(bytes.get(sent..).unwrap_or_default());
        return Ok(());
    }
    unsent.extend_from_slice(bytes);
    let sent = written(socket, unsent)?;
    unsent.drain(..sent);
    if unsent.len() > MAX_UNREAD { Err("the server does not read".to_owned()) } else { Ok(()) }
}

fn written(socket: &mut TcpStream, bytes: &[u8]) -> Result<usize, String> {
    match socket.write(bytes) {
        Ok(sent) => Ok(sent),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        Err(error) => Err(format!("a socket was lost: {error}")),
    }
}
