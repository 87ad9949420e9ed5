//! A model that listens and speaks itself.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use trunkline_core::Pii;

use crate::SpeechError;
use crate::live::{AudioSink, Frame};

/// Events that may wait to be taken; the model's connection waits when there are more.
pub const MAX_EVENTS: usize = 128;
/// Orders that may wait; more are refused.
pub const MAX_ORDERS: usize = 32;

/// What a dialogue begins with.
#[derive(Debug, Clone, Default)]
pub struct DialogueRequest {
    /// Who the model is and what it may do.
    pub instructions: String,
    /// What was said before, oldest first: whether by the person, and the words.
    pub history: Vec<(bool, Pii<String>)>,
    /// Whether the model speaks first.
    pub greets: bool,
    /// Whether there is somebody to whom the model may hand the person over.
    pub may_hand_over: bool,
}

/// What the model is told while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Stop speaking: the person interrupts.
    Cancel,
    /// Of `item`, only so much was heard: forget the rest.
    Truncate {
        /// The item, as [`DialogueEvent::Audio`] named it.
        item: String,
        /// How much was heard.
        heard: Duration,
    },
    /// Something was typed instead of spoken, such as digits.
    Say(Pii<String>),
}

/// What the model does.
#[derive(Debug, Clone, PartialEq)]
pub enum DialogueEvent {
    /// It hears the person begin to speak.
    SpeechStarted,
    /// It hears the person end.
    SpeechEnded,
    /// What the person said.
    Heard(Pii<String>),
    /// A piece of its answer, as μ-law of any size.
    Audio {
        /// Which of its answers; offsets for [`Order::Truncate`] begin anew with each.
        item: String,
        /// The audio.
        audio: Bytes,
    },
    /// The words of an answer, as far as they are known; pieces joined are the answer.
    Said {
        /// Which of its answers.
        item: String,
        /// The piece.
        text: Pii<String>,
    },
    /// The answer is complete.
    Done,
    /// The model wants the call to end when what it has said was heard.
    EndsCall,
    /// The model wants a person to take over; only where it may ([`DialogueRequest::may_hand_over`]).
    HandsOver,
}

/// A model that takes part in a call by itself.
#[async_trait]
pub trait SpeechModel: Send + Sync {
    /// Its name, as in metrics.
    fn name(&self) -> &'static str;

    /// Begins a dialogue. Audio may be written at once.
    ///
    /// # Errors
    /// [`SpeechError`]; the same errors may come out of [`Dialogue::next`] later.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future or the dialogue ends it.
    async fn open(&self, request: DialogueRequest) -> Result<Dialogue, SpeechError>;
}

/// A dialogue that is under way. Dropping it ends it.
pub struct Dialogue {
    audio: AudioSink,
    orders: mpsc::Sender<Order>,
    events: mpsc::Receiver<Result<DialogueEvent, SpeechError>>,
    _running: DropGuard,
}

impl Dialogue {
    /// Joins the ends of a dialogue. `running` is cancelled when the dialogue is dropped.
    pub const fn new(
        audio: AudioSink,
        orders: mpsc::Sender<Order>,
        events: mpsc::Receiver<Result<DialogueEvent, SpeechError>>,
        running: DropGuard,
    ) -> Self {
        Self { audio, orders, events, _running: running }
    }

    /// Adds 20 ms of what the caller says; never waits.
    pub fn write(&self, frame: &Frame) {
        self.audio.write(frame);
    }

    /// Tells the model something; never waits. Says whether the model could be told.
    pub fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// The next event, or `None` when the model has ended. An error is the last that comes.
    ///
    /// # Cancel safety
    /// Cancel-safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<DialogueEvent, SpeechError>> {
        self.events.recv().await
    }
}
