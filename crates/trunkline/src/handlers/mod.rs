//! Handlers of a program that embeds the gateway: told of what Twilio's webhooks tell, asked before Twilio acts.
//!
//! [`Handlers::on`] registers a handler for one type of event, several for one type if need be. Each works by itself: one
//! that fails, panics or stalls is counted and logged, and disturbs neither the others nor the gateway. Handlers are
//! told when the fact is safe on the bus. They are told at most once by this process, and perhaps a second time when
//! Twilio repeats a webhook; whoever must not miss anything reads the bus.
//!
//! [`Handlers::before`] registers a handler for a question: Twilio waits for its answer and then acts, acts differently,
//! or does not act. A question that is not answered within [`ANSWER_DEADLINE`], or whose handler fails, is answered with
//! yes. Where a question is registered, the gateway has Twilio ask it at start, if a public webhook address is set.
//!
//! ```
//! use trunkline::handlers::{Answer, HandlerError, Handlers, MessageChanges, Rejection, event, question};
//!
//! let handlers = Handlers::new()
//!     .on(event::ParticipantAdded, |joined| async move {
//!         let who = joined.identity.as_deref().ok_or(HandlerError::new("crm.nobody"))?;
//!         assert!(!who.is_empty());
//!         Ok(())
//!     })
//!     .before(question::MessageAdd, |message| async move {
//!         Ok(match message.body.as_str() {
//!             "" => Answer::Allow,
//!             body if body.contains("secret") => Answer::Reject(Rejection::FORBIDDEN),
//!             body => Answer::Change(MessageChanges { body: Some(body.trim().to_owned()), ..Default::default() }),
//!         })
//!     });
//! assert_eq!(handlers.len(), 2);
//! // Gateway::start_with(settings, server, &telemetry, handlers).await?;
//! ```

mod answer;
mod codes;
mod dispatch;
pub mod event;
pub mod question;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use answer::{Answer, Changes, ConversationChanges, MessageChanges, NoChanges, Rejection};
pub use dispatch::Dispatcher;
pub(crate) use dispatch::Replied;
use event::{Event, Happened};
use question::Question;
use trunkline_proto::webhook::{ConversationsEvent, EventType};

use self::answer::Verdict;

/// How long a handler may work on one event.
pub const HANDLER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a question may wait for its answer. Twilio waits 5 s.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(3);
/// Events that one handler works on at the same time.
pub const MAX_AT_ONCE: usize = 16;
/// Events that one handler holds, those that wait included; what comes then it is not told of.
pub const MAX_WAITING: usize = 1_024;

/// Why a handler did not do its part. The code is logged, so that it must not hold anything personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerError {
    reason: &'static str,
}

impl HandlerError {
    /// A failure that logs know by this name, such as `crm.unavailable`.
    pub const fn new(reason: &'static str) -> Self {
        Self { reason }
    }

    /// The name.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for HandlerError {}

type Work<T> = Pin<Box<dyn Future<Output = Result<T, HandlerError>> + Send>>;
type Told = Arc<dyn Fn(&Happened) -> Option<Work<()>> + Send + Sync>;
type Asked = Arc<dyn Fn(&ConversationsEvent) -> Option<Work<Verdict>> + Send + Sync>;

/// The handlers of a program.
#[derive(Clone, Default)]
pub struct Handlers {
    told: Vec<(&'static str, Told)>,
    asked: Vec<(EventType, Asked)>,
}

impl Handlers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells `handler` of every event of this type. Several events are handled at the same time, in any order.
    #[must_use]
    pub fn on<E, F, W>(mut self, event: E, handler: F) -> Self
    where
        E: Event,
        F: Fn(E::Payload) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let told = move |happened: &Happened| -> Option<Work<()>> { Some(Box::pin(handler(event.of(happened)?))) };
        self.told.push((E::NAME, Arc::new(told)));
        self
    }

    /// Asks `handler` before Twilio acts. Several handlers of a question are asked at the same time: one that rejects
    /// wins, and of two that change the same the one that was registered later.
    #[must_use]
    pub fn before<Q, F, W>(mut self, question: Q, handler: F) -> Self
    where
        Q: Question,
        F: Fn(Q::Payload) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Answer<Q::Changes>, HandlerError>> + Send + 'static,
    {
        let event_type = question.event_type();
        let asked = move |event: &ConversationsEvent| -> Option<Work<Verdict>> {
            let answer = handler(question.of(event)?);
            Some(Box::pin(async move { Ok(answer.await?.into_verdict()) }))
        };
        self.asked.push((event_type, Arc::new(asked)));
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.told.len() + self.asked.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The questions that somebody wants to be asked.
    pub(crate) fn questions(&self) -> Vec<EventType> {
        let mut all: Vec<_> = self.asked.iter().map(|(event_type, _)| event_type.clone()).collect();
        all.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        all.dedup();
        all
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").field("told", &self.told.len()).field("asked", &self.asked.len()).finish()
    }
}
