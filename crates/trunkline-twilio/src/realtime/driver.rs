//! The task that owns socket and timers. Every decision is the state machine's.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::OptionFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trunkline_proto::conversations::NewMessage;
use trunkline_proto::conversations::client::{Client, ClientOutput, ClientSettings, Done, Event};
use trunkline_proto::twilsock::TokenText;
use trunkline_proto::twilsock::client::{RequestError, RequestId};
use uuid::Uuid;

use super::RealtimeSettings;
use super::snapshot::RealtimeSnapshot;
use super::socket::{self, Socket};
use super::token::{AccessTokenGrant, TokenError, TokenProvider};

/// Messages that are read before what they cause is written: acknowledgements travel together.
const READ_AT_ONCE: usize = 64;

/// How old the snapshot may be. A new state of the connection is told at once.
const SNAPSHOT_AGE: Duration = Duration::from_millis(100);

/// Something that the client is told to do.
pub(super) enum Command {
    Send { conversation: String, message: Box<NewMessage>, done: Reply },
    Typing { conversation: String, done: Reply },
    ReadHorizon { conversation: String, index: Option<u64>, done: Reply },
    Conversations { answer: oneshot::Sender<Vec<String>> },
}

pub(super) type Reply = oneshot::Sender<Result<Done, RequestError>>;

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) struct Driver {
    client: Client,
    settings: RealtimeSettings,
    tokens: Arc<dyn TokenProvider>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    snapshot: watch::Sender<RealtimeSnapshot>,
    stop: CancellationToken,
    began: Instant,
    started: Timestamp,
    socket: Option<Socket>,
    opening: Option<Pending<Result<Socket, String>>>,
    minting: Option<Pending<Result<AccessTokenGrant, TokenError>>>,
    waiting: HashMap<RequestId, Reply>,
    /// Events that nobody has taken yet. While there are any the socket is not read; commands and timers go on.
    untold: VecDeque<Event>,
    /// When the snapshot is to be told, if something happened since it was.
    tell_at: Option<Instant>,
}

/// What woke the driver.
enum Woken {
    Opened(Result<Socket, String>),
    Token(Result<AccessTokenGrant, TokenError>),
    Received(Result<Bytes, String>),
    Command(Option<Command>),
    Elapsed,
    Told,
    Taken,
    Stopped,
}

impl Driver {
    pub(super) fn new(
        settings: RealtimeSettings,
        tokens: Arc<dyn TokenProvider>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
        stop: CancellationToken,
    ) -> (Self, watch::Receiver<RealtimeSnapshot>) {
        let started = Timestamp::now();
        let client = Client::new(&ClientSettings {
            region: settings.region.clone(),
            edge: settings.edge.clone(),
            seed: rand::random(),
            started_ms: u64::try_from(started.as_millisecond()).unwrap_or_default(),
        });
        let (snapshot, watched) = watch::channel(RealtimeSnapshot::new(client.snapshot(), started));
        let driver = Self {
            client,
            settings,
            tokens,
            commands,
            events,
            snapshot,
            stop,
            began: Instant::now(),
            started,
            socket: None,
            opening: None,
            minting: None,
            waiting: HashMap::new(),
            untold: VecDeque::new(),
            tell_at: None,
        };
        (driver, watched)
    }

    /// Runs until it is stopped, or until nobody takes events and nobody gives commands any more.
    pub(super) async fn run(mut self) {
        self.client.start(self.began.elapsed());
        loop {
            self.carry_out().await;
            match self.wait().await {
                Woken::Opened(Ok(socket)) => {
                    self.opening = None;
                    self.socket = Some(socket);
                    self.client.opened(self.began.elapsed());
                }
                Woken::Opened(Err(reason)) => {
                    self.opening = None;
                    self.client.closed(self.began.elapsed(), &reason);
                }
                Woken::Token(grant) => {
                    self.minting = None;
                    self.token(grant);
                }
                Woken::Received(received) => self.received(received),
                Woken::Command(Some(command)) => self.command(command),
                Woken::Elapsed => self.client.elapsed(self.began.elapsed()),
                Woken::Told => self.tell(),
                Woken::Taken => {}
                Woken::Command(None) | Woken::Stopped => break,
            }
        }
        self.client.stop(self.began.elapsed());
        // What is still to be told goes to whoever still listens; nobody is waited for.
        self.commands.close();
        self.say_goodbye().await;
    }

    async fn wait(&mut self) -> Woken {
        let deadline = self.client.next_deadline().map(|at| self.began + at);
        let sleep: OptionFuture<_> = deadline.map(tokio::time::sleep_until).into();
        let telling: OptionFuture<_> = self.tell_at.map(tokio::time::sleep_until).into();
        let opening: OptionFuture<_> = self.opening.as_mut().into();
        let minting: OptionFuture<_> = self.minting.as_mut().into();
        let is_behind = !self.untold.is_empty();
        let receiving: OptionFuture<_> = self.socket.as_mut().filter(|_| !is_behind).map(Socket::receive).into();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Woken::Stopped,
            Some(opened) = opening => Woken::Opened(opened),
            Some(grant) = minting => Woken::Token(grant),
            Some(()) = sleep => Woken::Elapsed,
            Some(()) = telling => Woken::Told,
            room = self.events.reserve_many(self.untold.len().min(self.events.max_capacity())), if is_behind => {
                let Ok(room) = room else { return Woken::Stopped };
                for (place, event) in room.zip(std::iter::from_fn(|| self.untold.pop_front())) {
                    place.send(event);
                }
                Woken::Taken
            }
            Some(received) = receiving => Woken::Received(received),
            command = self.commands.recv() => Woken::Command(command),
        }
    }

    /// Hands a message to the machine, and those that are there already, up to a bound.
    fn received(&mut self, first: Result<Bytes, String>) {
        let mut next = Some(first);
        let mut count = 0;
        while let Some(received) = next {
            match received {
                Ok(bytes) => self.client.received(self.began.elapsed(), &bytes),
                Err(reason) => {
                    self.socket = None;
                    return self.client.closed(self.began.elapsed(), &reason);
                }
            }
            count += 1;
            // What is taken from the socket is handed on: at the bound nothing more is taken.
            let socket = self.socket.as_mut().filter(|_| count < READ_AT_ONCE);
            next = socket.and_then(Socket::receive_now);
        }
    }

    fn token(&mut self, grant: Result<AccessTokenGrant, TokenError>) {
        let now = self.began.elapsed();
        match grant {
            Ok(grant) => self.client.token(now, TokenText(grant.token.expose().to_owned()), grant.lifetime),
            Err(error) => self.client.no_token(now, &error.reason),
        }
    }

    fn command(&mut self, command: Command) {
        let now = self.began.elapsed();
        let (outcome, done) = match command {
            Command::Send { conversation, message, done } => {
                let mutation = Uuid::new_v4().to_string();
                (self.client.send_message(now, &conversation, &message, &mutation).map(Some), done)
            }
            Command::Typing { conversation, done } => (self.client.typing(now, &conversation), done),
            Command::ReadHorizon { conversation, index, done } => {
                let mutation = Uuid::new_v4().to_string();
                (self.client.set_read_horizon(now, &conversation, index, &mutation).map(Some), done)
            }
            Command::Conversations { answer } => {
                drop(answer.send(self.client.conversations().map(str::to_owned).collect()));
                return;
            }
        };
        // Nobody may be waiting any more.
        match outcome {
            Ok(Some(request)) => drop(self.waiting.insert(request, done)),
            Ok(None) => drop(done.send(Ok(Done::Told))),
            Err(error) => drop(done.send(Err(error))),
        }
    }

    /// Does what the machine asks for.
    async fn carry_out(&mut self) {
        let mut is_news = false;
        while let Some(output) = self.client.poll_output() {
            self.tell_at.get_or_insert_with(|| Instant::now() + SNAPSHOT_AGE);
            match output {
                ClientOutput::Open => {
                    self.opening =
                        Some(Box::pin(socket::open(self.settings.socket_url(), self.settings.connect_timeout)));
                }
                ClientOutput::Send(bytes) => {
                    if let Some(socket) = &mut self.socket
                        && let Err(reason) = socket.feed(bytes).await
                    {
                        self.lost(&reason);
                    }
                }
                ClientOutput::Close => {
                    self.opening = None;
                    if let Some(socket) = self.socket.take() {
                        socket.close().await;
                    }
                }
                ClientOutput::NeedToken => {
                    let tokens = Arc::clone(&self.tokens);
                    self.minting = Some(Box::pin(async move { tokens.token().await }));
                }
                ClientOutput::Event(Event::Done { command, outcome }) => {
                    if let Some(done) = self.waiting.remove(&command) {
                        // Nobody may be waiting any more.
                        drop(done.send(outcome));
                    }
                }
                ClientOutput::Event(event) => {
                    is_news |= matches!(event, Event::ConnectionStateChanged(..) | Event::Initialized);
                    self.untold.push_back(event);
                }
                _ => {}
            }
        }
        if let Some(socket) = &mut self.socket
            && let Err(reason) = socket.flush().await
        {
            self.lost(&reason);
        }
        if is_news {
            self.tell();
        }
    }

    fn lost(&mut self, reason: &str) {
        self.socket = None;
        self.client.closed(self.began.elapsed(), reason);
    }

    fn tell(&mut self) {
        self.tell_at = None;
        self.snapshot.send_replace(RealtimeSnapshot::new(self.client.snapshot(), self.started));
    }

    async fn say_goodbye(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match (output, &mut self.socket) {
                (ClientOutput::Send(bytes), Some(socket)) => drop(socket.feed(bytes).await),
                (ClientOutput::Event(Event::Done { command, outcome }), _) => {
                    if let Some(done) = self.waiting.remove(&command) {
                        drop(done.send(outcome));
                    }
                }
                _ => {}
            }
        }
        if let Some(socket) = self.socket.take() {
            socket.close().await;
        }
        self.tell();
    }
}
