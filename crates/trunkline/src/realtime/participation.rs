//! Puts our identity into every conversation that a webhook tells of, so that the socket hears of it.
//!
//! What is to be joined comes from the bus and is acknowledged when it is done: a crash, a second replica or a repeated
//! webhook does it again, and being a participant already is success. A conversation that cannot be joined now is tried
//! again, later each time; one that never can is told and let go. Nothing here is ever a dead letter: its envelope also
//! belongs to the lanes, and a replay would be answered twice.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_bus::{Bus, BusError, Consumer, ConsumerOptions, Delivery, Subject};
use trunkline_core::Envelope;
use trunkline_core::Retry;
use trunkline_core::event::{
    CONVERSATION_CHANGED, ConversationChanged, ConversationPhase, MESSAGE_RECEIVED, MessageReceived,
};
use trunkline_twilio::rest::{NewParticipant, RestError};

use super::Joining;
use crate::edge::from_twilio::SOURCE;
use crate::telemetry::Metrics;

/// The durable name of this consumer.
pub(crate) const CONSUMER: &str = "participation";
/// Conversations that are joined at once.
const AT_ONCE: usize = 16;
/// Conversations that are known to be joined; beyond that the oldest are joined again when they are heard of, which is
/// harmless.
const MAX_KNOWN: usize = 100_000;
/// For how long a conversation that cannot be joined is left alone, and how many of those are remembered.
const REFUSED_FOR: Duration = Duration::from_hours(1);
const MAX_REFUSED: usize = 10_000;
/// Wishes from elsewhere that wait; what does not fit is wished again by the next look.
const WISHES: usize = 1024;
/// The waits before a conversation is tried again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_mins(1);
/// The wait before the bus is read again.
const BUS_WAIT: Duration = Duration::from_secs(1);

/// Twilio's number for a participant that is there already.
const ALREADY_PARTICIPANT: u32 = 50433;
/// Conflicts of another kind: the people of a conversation are together in another one already.
const OTHER_CONFLICTS: [u32; 2] = [50437, 50438];

/// Wishes for conversations to be joined, and news of where we are. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ParticipationHandle {
    wishes: mpsc::Sender<String>,
    known: Arc<Known>,
}

impl ParticipationHandle {
    /// This conversation is to be joined. Never waits.
    pub(crate) fn wish(&self, conversation: &str) {
        if !self.known.contains(conversation) && self.wishes.try_send(conversation.to_owned()).is_err() {
            tracing::debug!("too many conversations wait to be joined; the next look finds them again");
        }
    }

    /// We are in this conversation.
    pub(crate) fn joined(&self, conversation: &str) {
        self.known.insert(conversation);
    }

    /// We are in this conversation no longer.
    pub(crate) fn left(&self, conversation: &str) {
        self.known.remove(conversation);
    }
}

/// Conversations that are known to be joined.
#[derive(Default)]
struct Known(Mutex<KnownSet>);

#[derive(Default)]
struct KnownSet {
    /// Those that cannot be joined, and until when they are left alone.
    refused: HashMap<Arc<str>, Instant>,
    set: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Known {
    fn contains(&self, conversation: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set.contains(conversation)
    }

    fn insert(&self, conversation: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = conversation.into();
        if known.set.insert(Arc::clone(&name)) {
            known.order.push_back(name);
        }
        while known.order.len() > MAX_KNOWN {
            if let Some(oldest) = known.order.pop_front() {
                known.set.remove(&oldest);
            }
        }
    }

    fn refuse(&self, conversation: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.refused.retain(|_, until| *until > now);
        if known.refused.len() < MAX_REFUSED {
            known.refused.insert(conversation.into(), now + REFUSED_FOR);
        }
    }

    fn is_refused(&self, conversation: &str) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.refused.get(conversation).is_some_and(|until| *until > Instant::now())
    }

    fn remove(&self, conversation: &str) {
        // It stays in the order, whose length is bounded.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set.remove(conversation);
    }
}

/// The work itself.
pub(crate) struct Participation {
    joiner: Arc<Joiner>,
    consumer: Box<dyn Consumer>,
    wishes: mpsc::Receiver<String>,
}

struct Joiner {
    joining: Joining,
    known: Arc<Known>,
    metrics: Metrics,
}

/// What came of one try.
enum Joined {
    Yes,
    /// It is tried again after this long.
    Later(Duration),
    /// It cannot be done.
    Never,
}

/// The other end of a [`ParticipationHandle`].
pub(crate) struct Wishes(mpsc::Receiver<String>, Arc<Known>);

impl Participation {
    /// A handle, and what [`open`](Self::open) needs of it.
    pub(crate) fn wishes() -> (ParticipationHandle, Wishes) {
        let (sender, receiver) = mpsc::channel(WISHES);
        let known = Arc::<Known>::default();
        (ParticipationHandle { wishes: sender, known: Arc::clone(&known) }, Wishes(receiver, known))
    }

    /// Reads `ingress` from where it left off.
    ///
    /// # Errors
    /// When the consumer cannot be started.
    pub(crate) async fn open(
        bus: &dyn Bus,
        ingress: Subject,
        joining: Joining,
        metrics: Metrics,
        Wishes(wishes, known): Wishes,
    ) -> Result<Self, BusError> {
        let options = ConsumerOptions { max_deliveries: u32::MAX, ..ConsumerOptions::new(CONSUMER, ingress) };
        let consumer = bus.consume(options).await?;
        Ok(Self { joiner: Arc::new(Joiner { joining, known, metrics }), consumer, wishes })
    }

    /// Works until `stop`.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not settled comes again.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let (tasks, room) = (TaskTracker::new(), Arc::new(Semaphore::new(AT_ONCE)));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
            let joiner = Arc::clone(&self.joiner);
            tokio::select! {
                () = stop.cancelled() => break,
                next = self.consumer.next() => match next {
                    Ok(delivery) => match conversation_of(&delivery.envelope) {
                        Some(conversation) if !joiner.known.contains(&conversation) => {
                            let work = async move {
                                joiner.settle(&conversation, delivery).await;
                                drop(permit);
                            };
                            tasks.spawn(work.in_current_span());
                        }
                        _ => acknowledge(delivery).await,
                    },
                    Err(BusError::Closed) => break,
                    Err(error) => {
                        tracing::warn!(error.code = error.code(), "the bus cannot be read; trying again");
                        tokio::time::sleep(BUS_WAIT).await;
                    }
                },
                Some(conversation) = self.wishes.recv() => {
                    let work = async move {
                        // Whatever does not work is wished again by the next look.
                        let _outcome = joiner.join(&conversation, 1).await;
                        drop(permit);
                    };
                    tasks.spawn(work.in_current_span());
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }
}

/// The conversation that an envelope tells of, if it is one of Twilio's and open.
fn conversation_of(envelope: &Envelope) -> Option<String> {
    if envelope.source != SOURCE {
        return None;
    }
    match envelope.kind.as_str() {
        MESSAGE_RECEIVED => envelope.data::<MessageReceived>().ok().map(|received| received.metadata.conversation),
        CONVERSATION_CHANGED => {
            let changed: ConversationChanged = envelope.data().ok()?;
            (changed.state == ConversationPhase::Active).then_some(changed.conversation)
        }
        _ => None,
    }
}

async fn acknowledge(delivery: Delivery) {
    if let Err(error) = delivery.ack().await {
        tracing::debug!(error.code = error.code(), "a delivery could not be settled; it comes again");
    }
}

impl Joiner {
    async fn settle(&self, conversation: &str, delivery: Delivery) {
        match self.join(conversation, delivery.attempt).await {
            Joined::Yes | Joined::Never => acknowledge(delivery).await,
            Joined::Later(wait) => {
                if let Err(error) = delivery.nak(wait).await {
                    tracing::debug!(error.code = error.code(), "a delivery could not be settled; it comes again");
                }
            }
        }
    }

    async fn join(&self, conversation: &str, attempt: u32) -> Joined {
        if self.known.contains(conversation) {
            return Joined::Yes;
        }
        if self.known.is_refused(conversation) {
            return Joined::Never;
        }
        let participant = NewParticipant { identity: Some(self.joining.identity.clone()), ..NewParticipant::default() };
        let Err(error) = self.joining.rest.add_participant(conversation, &participant).await else {
            self.known.insert(conversation);
            self.metrics.participation("added");
            return Joined::Yes;
        };
        if is_there_already(&error) {
            self.known.insert(conversation);
            self.metrics.participation("present");
            return Joined::Yes;
        }
        if error.is_not_found() {
            // It went away in the meantime.
            self.metrics.participation("gone");
            return Joined::Never;
        }
        let wait = FIRST_WAIT.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let wait = wait.min(MAX_WAIT);
        match (&error, error.retry()) {
            // Adding twice is adding once: an unknown outcome is as good as none.
            (RestError::Auth { .. }, _) | (_, Retry::After(_) | Retry::Unknown) => {
                self.metrics.participation("later");
                tracing::warn!(
                    conversation.id = conversation,
                    error.code = error.code(),
                    twilio.code = error.twilio_code(),
                    attempt,
                    "our identity could not be added to a conversation; trying again"
                );
                Joined::Later(wait)
            }
            _ => {
                self.known.refuse(conversation);
                self.metrics.participation("refused");
                tracing::error!(
                    conversation.id = conversation,
                    error.code = error.code(),
                    twilio.code = error.twilio_code(),
                    "our identity cannot be added to a conversation; only webhooks tell of it"
                );
                Joined::Never
            }
        }
    }
}

/// Whether Twilio says that we are in it: by its number, or as a conflict.
fn is_there_already(error: &RestError) -> bool {
    match error {
        RestError::Refused { code, .. } if OTHER_CONFLICTS.contains(code) => false,
        RestError::Refused { code, status } => *code == ALREADY_PARTICIPANT || *status == 409,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_there_already_is_known_by_number_and_by_conflict() {
        let refused = |status, code| RestError::Refused { status, code };
        assert!(is_there_already(&refused(400, ALREADY_PARTICIPANT)));
        assert!(is_there_already(&refused(409, 0)));
        assert!(!is_there_already(&refused(400, 50416)));
        assert!(!is_there_already(&refused(409, 50438)));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let known = Known::default();
        for number in 0..=MAX_KNOWN {
            known.insert(&number.to_string());
        }
        assert!(!known.contains("0") && known.contains("1") && known.contains(&MAX_KNOWN.to_string()));
        known.remove("1");
        assert!(!known.contains("1"));
    }
}
