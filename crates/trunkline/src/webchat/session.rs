//! One socket: its greeting, what the visitor writes, and what they are shown, in order and once.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use trunkline_core::Secret;
use trunkline_store::{ChatLine, StoreError};

use super::hub::{Push, Seat};
use super::intake::Writer;
use super::limits::{HISTORY, MAX_BAD_FRAMES, MAX_TOKEN_BYTES, TYPING_EVERY, WRITE_WITHIN};
use super::places::Place;
use super::wire::{FromPage, Line, Notice, ToPage};
use super::{SOURCE, WebChat, codes, message};

/// Lines that are read from the log at once.
const PAGE: u32 = 100;
/// The close code of a server that comes back soon (IANA WebSocket close code registry: service restart).
const RESTART: u16 = 1012;

const BAD_FRAME: ToPage<'_> =
    ToPage::Error { code: codes::BAD_FRAME, message: "not a frame of this chat: hello, message or typing, as JSON" };
const UNREADABLE: ToPage<'_> =
    ToPage::Error { code: codes::BAD_FRAME, message: "not a WebSocket text frame of at most 32 KiB" };
const HELLO_FIRST: ToPage<'_> = ToPage::Error { code: codes::HELLO_FIRST, message: "the first frame must be hello" };
const TOO_MANY_SOCKETS: ToPage<'_> =
    ToPage::Error { code: codes::TOO_MANY_SOCKETS, message: "this conversation is open in too many windows" };
const UNKNOWN_TOKEN: Notice =
    Notice { code: codes::UNKNOWN_TOKEN, message: "the earlier conversation is not known here; a new one has begun" };

/// Why a session ended.
enum End {
    /// The page went away, or takes nothing any more.
    Gone,
    /// The page does not keep to the rules.
    Policy,
    /// The store cannot be read, or the gateway stops: come back later.
    Later,
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        tracing::error!(error.code = error.code(), %error, "a chat could not be read; its page comes back");
        Self::Later
    }
}

/// Talks with one page until it goes, does not keep to the rules, or the gateway stops.
pub(super) async fn run(chat: Arc<WebChat>, socket: WebSocket, peer: IpAddr, place: Place) {
    let metrics = chat.context.metrics.clone();
    metrics.webchat_socket(1);
    let stopping = chat.readiness.until_stopping();
    let mut line = Wire { socket, chat: Arc::clone(&chat), bad_frames: 0 };
    let end = tokio::select! {
        end = talk(&mut line, &chat, peer) => end,
        () = stopping => End::Later,
    };
    let (code, reason) = match end {
        End::Gone => (close_code::NORMAL, ""),
        End::Policy => (close_code::POLICY, "the rules of docs/webchat.md"),
        End::Later => (RESTART, "come back in a moment"),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    // A page that is gone takes no farewell.
    let _taken = timeout(WRITE_WITHIN, line.socket.send(close)).await.is_ok();
    metrics.webchat_socket(-1);
    drop(place);
}

async fn talk(wire: &mut Wire, chat: &WebChat, peer: IpAddr) -> End {
    let greeted = match timeout(chat.patience.hello, wire.hello()).await {
        Ok(greeted) => greeted,
        Err(_) => match wire.error(&HELLO_FIRST).await {
            Ok(()) => Err(End::Policy),
            Err(end) => Err(end),
        },
    };
    let talked = async {
        let (token, after) = greeted?;
        Visitor::welcome(wire, chat, peer, token, after).await?.talk(wire).await
    };
    match talked.await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

enum Never {}

/// Frames in and out.
struct Wire {
    socket: WebSocket,
    chat: Arc<WebChat>,
    bad_frames: u32,
}

impl Wire {
    /// The next frame that makes sense; `None` for one that only shows that somebody is there. Cancel-safe but for what
    /// is told of bad frames.
    async fn next(&mut self) -> Result<Option<FromPage>, End> {
        match self.socket.recv().await {
            None | Some(Ok(Message::Close(_))) => Err(End::Gone),
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(frame) => Ok(Some(frame)),
                Err(_) => self.error(&BAD_FRAME).await.map(|()| None),
            },
            Some(Ok(Message::Binary(_))) => self.error(&BAD_FRAME).await.map(|()| None),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Err(_)) => {
                self.error(&UNREADABLE).await?;
                Err(End::Policy)
            }
        }
    }

    async fn hello(&mut self) -> Result<(Option<Secret>, i64), End> {
        loop {
            match self.next().await? {
                Some(FromPage::Hello { token, after }) => {
                    return Ok((token.map(Secret::new), after.map_or(-1, i64::from)));
                }
                Some(FromPage::Message { .. } | FromPage::Typing { .. }) => self.error(&HELLO_FIRST).await?,
                None => {}
            }
        }
    }

    async fn tell(&mut self, frame: &ToPage<'_>) -> Result<(), End> {
        let text = serde_json::to_string(frame).map_err(|_| End::Later)?;
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(WRITE_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    /// Says what was wrong; too much of that is the end.
    async fn error(&mut self, frame: &ToPage<'_>) -> Result<(), End> {
        if let ToPage::Error { code, .. } = frame {
            self.chat.context.metrics.webchat_refused(code);
        }
        self.bad_frames += 1;
        self.tell(frame).await?;
        if self.bad_frames >= MAX_BAD_FRAMES { Err(End::Policy) } else { Ok(()) }
    }
}

/// Whoever has been greeted.
struct Visitor<'a> {
    chat: &'a WebChat,
    peer: IpAddr,
    conversation: String,
    token_hash: String,
    /// Whether the conversation is in the log. A visitor who only looks leaves no trace.
    is_begun: bool,
    seat: Seat,
    /// The highest index that the page has.
    seen: i64,
    typing: Typing,
}

/// What the console was told of the visitor's typing.
#[derive(Default)]
struct Typing {
    /// Our name for the conversation, once it is known.
    conversation_id: Option<String>,
    is_shown: bool,
    told: Option<Instant>,
}

impl<'a> Visitor<'a> {
    async fn welcome(
        wire: &mut Wire,
        chat: &'a WebChat,
        peer: IpAddr,
        token: Option<Secret>,
        after: i64,
    ) -> Result<Self, End> {
        let store = &chat.context.store;
        let brought = token.is_some();
        let known = match &token {
            Some(token) if token.expose().len() <= MAX_TOKEN_BYTES => store.chat_of_token(&hash(token)).await?,
            _ => None,
        };
        let is_begun = known.is_some();
        let (token, conversation, after) = match (token, known) {
            (Some(token), Some(conversation)) => (token, conversation, after),
            _ => (new_token(), message::new_conversation(), -1),
        };
        // Before the log is read, so that nothing is said in between.
        let Some(seat) = chat.hub.join(&conversation) else {
            wire.error(&TOO_MANY_SOCKETS).await?;
            return Err(End::Policy);
        };
        let lines = if is_begun { store.latest_chat_lines(&conversation, after, HISTORY).await? } else { Vec::new() };
        let first = lines.first().map_or(after, index_of);
        let seen = match lines.last() {
            Some(last) => index_of(last),
            // A page may claim to have more than there is: a log was put back, say. It gets what comes from now on.
            None if is_begun => store.latest_chat_lines(&conversation, -1, 1).await?.last().map_or(-1, index_of),
            None => -1,
        };
        let frame = ToPage::Welcome {
            token: token.expose(),
            conversation: &conversation,
            resumed: is_begun,
            earlier: !lines.is_empty() && first > after + 1,
            notice: (brought && !is_begun).then_some(UNKNOWN_TOKEN),
            messages: lines.iter().map(Line::from).collect(),
        };
        wire.tell(&frame).await?;
        if seat.is_typing {
            wire.tell(&ToPage::Typing { on: true }).await?;
        }
        let token_hash = hash(&token);
        Ok(Self { chat, peer, conversation, token_hash, is_begun, seat, seen, typing: Typing::default() })
    }

    async fn talk(mut self, wire: &mut Wire) -> Result<Never, End> {
        let mut pings = interval(self.chat.patience.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = wire.next() => {
                    heard = Instant::now();
                    if let Some(frame) = frame? {
                        self.take(wire, frame).await?;
                    }
                }
                push = self.seat.next() => match push {
                    Push::Lines => self.show(wire).await?,
                    Push::Typing(on) => wire.tell(&ToPage::Typing { on }).await?,
                },
                _ = pings.tick() => {
                    if heard.elapsed() > self.chat.patience.idle {
                        return Err(End::Gone);
                    }
                    wire.send(Message::Ping(Vec::new().into())).await?;
                }
            }
        }
    }

    async fn take(&mut self, wire: &mut Wire, frame: FromPage) -> Result<(), End> {
        match frame {
            FromPage::Hello { .. } => wire.error(&BAD_FRAME).await,
            FromPage::Typing { on } => self.typing(on).await,
            FromPage::Message { id, text } => {
                let Self { conversation, token_hash, peer, is_begun, .. } = &*self;
                let writer = Writer { conversation, token_hash, peer: *peer, is_begun: *is_begun };
                match self.chat.take(&writer, &id, text).await {
                    Ok(index) => {
                        self.is_begun = true;
                        wire.tell(&ToPage::Accepted { id: &id, index }).await
                    }
                    Err(refusal) => {
                        let super::intake::Refusal { code, message, retry } = refusal;
                        wire.tell(&ToPage::Refused { id: &id, code, message, retry }).await
                    }
                }
            }
        }
    }

    /// Shows what is in the log behind what the page has.
    async fn show(&mut self, wire: &mut Wire) -> Result<(), End> {
        loop {
            let lines = self.chat.context.store.chat_lines_after(&self.conversation, self.seen, PAGE).await?;
            for line in &lines {
                wire.tell(&ToPage::Message(Line::from(line))).await?;
                self.seen = index_of(line);
                if matches!(line.side, trunkline_store::ChatSide::Agent { .. }) {
                    self.chat.context.metrics.webchat_message("out");
                }
            }
            if lines.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Passes on that the visitor is typing, to whoever watches and to nobody else. What comes too often is left out: a
    /// page cannot make the console flicker.
    async fn typing(&mut self, on: bool) -> Result<(), End> {
        let is_news =
            if on { self.typing.told.is_none_or(|told| told.elapsed() >= TYPING_EVERY) } else { self.typing.is_shown };
        if !self.is_begun || !is_news {
            return Ok(());
        }
        if self.typing.conversation_id.is_none() {
            let row = self.chat.context.store.conversation_by_external(SOURCE, &self.conversation).await?;
            self.typing.conversation_id = row.map(|row| row.id);
        }
        if let Some(id) = &self.typing.conversation_id {
            self.chat.context.live.typing(id, on);
            self.typing.is_shown = on;
            self.typing.told = Some(Instant::now());
        }
        Ok(())
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.typing.conversation_id
            && self.typing.is_shown
        {
            self.chat.context.live.typing(id, false);
        }
    }
}

fn index_of(line: &ChatLine) -> i64 {
    i64::try_from(line.index).unwrap_or(i64::MAX)
}

/// 256 random bits in hexadecimal.
fn new_token() -> Secret {
    Secret::new(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
}

/// What is kept of a token.
fn hash(token: &Secret) -> String {
    let digest: [u8; 32] = Sha256::digest(token.expose()).into();
    let (high, low) = digest.split_at(16);
    let hex = |half: &[u8]| half.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{:032x}{:032x}", hex(high), hex(low))
}
