//! How the rest of a program talks to the client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_proto::conversations::NewMessage;
use trunkline_proto::conversations::client::{Done, Event};
use trunkline_proto::twilsock::client::RequestError;

use super::RealtimeSettings;
use super::driver::{Command, Driver, Reply};
use super::snapshot::RealtimeSnapshot;
use super::token::TokenProvider;

/// Commands that wait for the driver; whoever gives another one waits.
const COMMANDS: usize = 256;

/// How long a command may take in all: longer than waiting for a connection and for the answer.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// Its index in the conversation.
    pub index: u64,
    /// `IM…`, if the server said so.
    pub message: Option<String>,
}

/// Why a command was not carried out, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RealtimeError {
    /// The client was stopped.
    #[error("the real-time client is stopped")]
    Stopped,
    /// The request failed.
    #[error("{0}")]
    Request(RequestError),
}

impl RealtimeError {
    /// The stable code of this error: that of the request, or `realtime.stopped`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stopped => RequestError::Stopped.code(),
            Self::Request(error) => error.code(),
        }
    }

    /// Whether it may have been carried out.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_unknown())
    }
}

/// A real-time client that runs in a task of its own. Cheap to clone; it stops with [`stop`](Self::stop), or when the
/// last clone and the receiver of its events are gone.
#[derive(Clone)]
pub struct RealtimeClient {
    commands: mpsc::Sender<Command>,
    snapshot: watch::Receiver<RealtimeSnapshot>,
    stop: CancellationToken,
    task: TaskTracker,
}

impl fmt::Debug for RealtimeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealtimeClient").field("state", &self.snapshot.borrow().state).finish_non_exhaustive()
    }
}

impl RealtimeClient {
    /// Starts to connect, and stays connected. The events are in order; who does not take them holds the client up.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(tokens: impl TokenProvider + 'static, settings: RealtimeSettings) -> (Self, mpsc::Receiver<Event>) {
        let (commands, received) = mpsc::channel(COMMANDS);
        let (events, told) = mpsc::channel(settings.event_buffer.max(1));
        let stop = CancellationToken::new();
        let (driver, snapshot) = Driver::new(settings, Arc::new(tokens), received, events, stop.clone());
        let task = TaskTracker::new();
        task.spawn(driver.run().instrument(tracing::debug_span!("twilio.realtime")));
        task.close();
        (Self { commands, snapshot, stop, task }, told)
    }

    /// The client at this moment.
    pub fn snapshot(&self) -> RealtimeSnapshot {
        self.snapshot.borrow().clone()
    }

    /// Follows the snapshot.
    pub fn watch(&self) -> watch::Receiver<RealtimeSnapshot> {
        self.snapshot.clone()
    }

    /// Says something in a conversation, `CH…`. Waits for a connection for at most 20 s.
    ///
    /// # Errors
    ///
    /// `realtime.offline`, `realtime.queue_full`, `realtime.stopped`: nothing was sent. `realtime.outcome_unknown`,
    /// `realtime.no_answer`, `realtime.transport`: it may have been. `realtime.request_refused`: the service refused.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: it may have been sent.
    pub async fn send(&self, conversation: &str, message: NewMessage) -> Result<SentMessage, RealtimeError> {
        let conversation = conversation.to_owned();
        let done = self.command(|done| Command::Send { conversation, message: Box::new(message), done }).await?;
        match done {
            Done::Sent { index, message } => Ok(SentMessage { index, message }),
            _ => Err(RealtimeError::Request(RequestError::Transport { code: 200 })),
        }
    }

    /// Tells that the client types; at most every 5 s, and only where it takes part: otherwise it does nothing.
    ///
    /// # Errors
    ///
    /// See [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, although it may have been told.
    pub async fn typing(&self, conversation: &str) -> Result<(), RealtimeError> {
        let conversation = conversation.to_owned();
        self.command(|done| Command::Typing { conversation, done }).await.map(drop)
    }

    /// Tells how far the client has read; `None` for nothing.
    ///
    /// # Errors
    ///
    /// See [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, although it may have been told.
    pub async fn set_read_horizon(&self, conversation: &str, index: Option<u64>) -> Result<(), RealtimeError> {
        let conversation = conversation.to_owned();
        self.command(|done| Command::ReadHorizon { conversation, index, done }).await.map(drop)
    }

    /// The conversations in which the client takes part.
    ///
    /// # Errors
    ///
    /// `realtime.stopped`.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn conversations(&self) -> Result<Vec<String>, RealtimeError> {
        let (answer, received) = oneshot::channel();
        self.commands.send(Command::Conversations { answer }).await.map_err(|_| RealtimeError::Stopped)?;
        received.await.map_err(|_| RealtimeError::Stopped)
    }

    /// Says goodbye and waits until the socket is closed. Commands that wait fail.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the client stops all the same.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.task.wait().await;
    }

    async fn command(&self, command: impl FnOnce(Reply) -> Command) -> Result<Done, RealtimeError> {
        let (done, outcome) = oneshot::channel();
        let asked = async {
            self.commands.send(command(done)).await.map_err(|_| RealtimeError::Stopped)?;
            outcome.await.map_err(|_| RealtimeError::Stopped)?.map_err(RealtimeError::Request)
        };
        // The machine has limits of its own; this one holds when its driver does not come to it.
        let late = |_| Err(RealtimeError::Request(RequestError::Timeout));
        tokio::time::timeout(COMMAND_TIMEOUT, asked).await.unwrap_or_else(late)
    }
}
