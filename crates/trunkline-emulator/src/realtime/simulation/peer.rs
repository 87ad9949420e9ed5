//! The client's end: its state machine, driven over wires that break.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use futures_util::future::OptionFuture;
use futures_util::{SinkExt as _, StreamExt};
use jiff::Timestamp;
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use trunkline_proto::conversations::NewMessage;
use trunkline_proto::conversations::client::{Client, ClientOutput, ClientSettings, Event};
use trunkline_proto::twilsock::TokenText;
use trunkline_proto::twilsock::client::RequestId;

use super::script::{Action, Script};
use super::wire::{self, Wire};
use super::world::World;

/// What became of a text of the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Open,
    Sent,
    Unknown,
    NotSent,
}

pub(super) struct Peer {
    pub(super) client: Client,
    /// What it told, and when.
    pub(super) events: Vec<(Timestamp, Event)>,
    /// The bot's texts.
    pub(super) sent: BTreeMap<String, Outcome>,
    commands: HashMap<RequestId, String>,
    wires: VecDeque<Wire>,
    socket: Option<WebSocketStream<DuplexStream>>,
    /// Messages that this connection still brings.
    left: usize,
    /// How long tokens live.
    token_seconds: i64,
    began: Instant,
}

impl Peer {
    pub(super) fn new(wires: Vec<Wire>, seed: u64) -> Self {
        let settings = ClientSettings { region: None, edge: None, seed, started_ms: 1_800_000_000_000 };
        Self {
            client: Client::new(&settings),
            events: Vec::new(),
            sent: BTreeMap::new(),
            commands: HashMap::new(),
            wires: wires.into(),
            socket: None,
            left: usize::MAX,
            token_seconds: [20, 60, 3600].into_iter().cycle().nth(usize::from(seed.to_le_bytes()[0])).unwrap_or(3600),
            began: Instant::now(),
        }
    }

    /// Plays a script until `end`.
    pub(super) async fn play(&mut self, world: &World, mut script: Script, end: Instant) {
        self.client.start(Duration::ZERO);
        loop {
            self.carry_out(world).await;
            let deadline = self.client.next_deadline().map_or(end, |at| self.began + at).min(end);
            let action = script.0.front().map_or(end, |(at, _)| self.began + *at);
            let receiving: OptionFuture<_> = self.socket.as_mut().map(StreamExt::next).into();
            tokio::select! {
                biased;
                () = sleep_until(action) => match script.0.pop_front() {
                    Some((_, Action::BotSays(number))) => self.say(world, number),
                    Some((_, action)) => world.act(action).await,
                    None => return,
                },
                () = sleep_until(deadline) => {
                    if Instant::now() >= end {
                        return;
                    }
                    self.client.elapsed(self.began.elapsed());
                }
                Some(message) = receiving => self.received(message),
            }
        }
    }

    fn received(&mut self, message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) {
        let now = self.began.elapsed();
        self.left = self.left.saturating_sub(1);
        match message {
            Some(Ok(Message::Binary(bytes))) if self.left > 0 => self.client.received(now, &bytes),
            Some(Ok(message)) if self.left > 0 && !message.is_close() => {}
            _ => {
                self.socket = None;
                self.client.closed(now, "cut");
            }
        }
    }

    fn say(&mut self, world: &World, number: usize) {
        let Some(conversation) = world.conversation(number) else { return };
        let body = format!("{conversation} {}", self.sent.len());
        let message = NewMessage { body: Some(body.clone()), ..NewMessage::default() };
        match self.client.send_message(self.began.elapsed(), &conversation, &message, &body) {
            Ok(command) => {
                self.commands.insert(command, body.clone());
                self.sent.insert(body, Outcome::Open);
            }
            Err(_) => drop(self.sent.insert(body, Outcome::NotSent)),
        }
    }

    async fn carry_out(&mut self, world: &World) {
        while let Some(output) = self.client.poll_output() {
            let now = self.began.elapsed();
            match output {
                ClientOutput::NeedToken => {
                    let token = TokenText(world.token(self.token_seconds));
                    self.client.token(now, token, Duration::from_secs(self.token_seconds.unsigned_abs()));
                }
                ClientOutput::Open => {
                    let wire = self.wires.pop_front().unwrap_or(Wire::Whole);
                    let (ours, theirs) = wire::ends(&world.tasks, wire);
                    self.left = if let Wire::Messages(count) = wire { count } else { usize::MAX };
                    world.serve(theirs).await;
                    self.socket = Some(WebSocketStream::from_raw_socket(ours, Role::Client, None).await);
                    self.client.opened(now);
                }
                ClientOutput::Send(bytes) => {
                    if let Some(socket) = &mut self.socket
                        && socket.send(Message::Binary(bytes.into())).await.is_err()
                    {
                        self.socket = None;
                        self.client.closed(self.began.elapsed(), "cut");
                    }
                }
                ClientOutput::Close => self.socket = None,
                ClientOutput::Event(Event::Done { command, outcome }) => {
                    let Some(body) = self.commands.remove(&command) else { continue };
                    let outcome = match outcome {
                        Ok(_) => Outcome::Sent,
                        Err(error) if error.is_unknown() => Outcome::Unknown,
                        Err(_) => Outcome::NotSent,
                    };
                    self.sent.insert(body, outcome);
                }
                ClientOutput::Event(event) => self.events.push((world.now(), event)),
                _ => {}
            }
        }
    }
}
