//! The contract of a messaging backend as a suite of checks.
//!
//! Whoever writes a [`ConversationalBackend`] implements [`Subject`], which says how to make a backend and how to be the
//! person at its other end, and runs [`check`] in a test of one line. Every check has a backend of its own, a time-out, and
//! a name; a check that fails or panics does not keep the others from running.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use trunkline_core::messaging::{ConversationId, ConversationalBackend, NewParticipant, ParticipantId};
//! use trunkline_testing::ScriptedBackend;
//! use trunkline_testing::conformance::{self, Subject};
//!
//! struct Scripted(Arc<ScriptedBackend>);
//!
//! #[async_trait]
//! impl Subject for Scripted {
//!     fn backend(&self) -> Arc<dyn ConversationalBackend> {
//!         self.0.clone()
//!     }
//!     fn person(&self) -> NewParticipant {
//!         NewParticipant { identity: Some("ada".to_owned()), ..NewParticipant::default() }
//!     }
//!     async fn person_says(&self, conversation: &ConversationId, body: &str) {
//!         self.0.person_says(conversation, "ada", body).unwrap();
//!     }
//!     async fn person_received(&self, conversation: &ConversationId) -> Vec<String> {
//!         self.0.received_by(conversation, "ada")
//!     }
//!     fn unknown(&self) -> (ConversationId, ParticipantId) {
//!         ("nowhere".into(), "nobody".into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! conformance::check(async || Scripted(Arc::default())).await.assert_passed();
//! # }
//! ```

mod checks;
mod conversations;
mod lifecycle;
mod messages;
mod participants;
mod streams;
mod verdict;
mod webhooks;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::time::timeout;
use trunkline_core::messaging::{
    ConversationId, ConversationalBackend, NewParticipant, OutgoingMessage, ParticipantId, WebhookEvent,
};

pub use self::checks::{CHECKS, Check};
pub use self::verdict::{Outcome, Verdict};
use crate::runner::said;

/// How long one check may take, with the making of its subject.
pub const CHECK_TIMEOUT: Duration = Duration::from_mins(1);

/// A backend under test, and the far side of it. Each check has a new one, which is dropped when the check is over.
///
/// A subject may panic when the far side fails: the check fails then, with what the panic says.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The backend: stopped, or started already; always the same.
    fn backend(&self) -> Arc<dyn ConversationalBackend>;

    /// The person, as they are added to a conversation. Only one conversation of a subject ever has them.
    fn person(&self) -> NewParticipant;

    /// The person writes in a conversation that they were added to. When the provider calls webhooks, one gets to the
    /// backend.
    ///
    /// # Cancel safety
    /// It is not dropped before it returns, unless a check runs out of time.
    async fn person_says(&self, conversation: &ConversationId, body: &str);

    /// The texts that the person has received in a conversation, oldest first. Asked again until they are all there.
    ///
    /// # Cancel safety
    /// As [`person_says`](Self::person_says).
    async fn person_received(&self, conversation: &ConversationId) -> Vec<String>;

    /// Names, well formed, that nothing has at the provider.
    fn unknown(&self) -> (ConversationId, ParticipantId);

    /// A message that does not depend on the provider's defaults. Default: the text and nothing else.
    fn message(&self, body: &str) -> OutgoingMessage {
        OutgoingMessage { body: trunkline_core::Pii::new(body.to_owned()), ..OutgoingMessage::default() }
    }

    /// More messages than a stream holds whose receiver does not read. Default 300.
    fn flood(&self) -> usize {
        300
    }

    /// A webhook, rightly signed, that tells of a new message of the person. `None`, the default, leaves out the checks of
    /// webhooks.
    fn webhook(&self, conversation: &ConversationId, body: &str) -> Option<WebhookEvent> {
        let _ = (conversation, body);
        None
    }

    /// The same with another signature.
    fn forged(&self, webhook: WebhookEvent) -> WebhookEvent {
        let wrong = |(name, _): (String, String)| (name, "forged".to_owned());
        WebhookEvent { headers: webhook.headers.into_iter().map(wrong).collect(), ..webhook }
    }

    /// A webhook, rightly signed, that lacks what its type needs. `None`, the default, leaves out its check.
    fn incomplete_webhook(&self) -> Option<WebhookEvent> {
        None
    }
}

/// Runs every check, each with a new subject, and tells what came of them.
///
/// # Errors
/// None: what fails, panics or takes longer than [`CHECK_TIMEOUT`] is in the verdict by its name.
///
/// # Cancel safety
/// Dropped before it returns, the check that runs is cut off and there is no verdict.
pub async fn check<S: Subject>(make: impl AsyncFn() -> S) -> Verdict {
    check_only(make, |_| true).await
}

/// As [`check`], for the checks that `wanted` says yes to.
///
/// # Errors
/// As [`check`].
///
/// # Cancel safety
/// As [`check`].
pub async fn check_only<S: Subject>(make: impl AsyncFn() -> S, wanted: impl Fn(&Check) -> bool) -> Verdict {
    let mut outcomes = Vec::new();
    for check in CHECKS.iter().filter(|check| wanted(check)) {
        let work = async {
            let subject = make().await;
            check.run(&subject).await
        };
        let ended = timeout(CHECK_TIMEOUT, AssertUnwindSafe(work).catch_unwind()).await;
        let result = match ended {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(said(panic)),
            Err(_) => Err(format!("it took longer than {} s", CHECK_TIMEOUT.as_secs())),
        };
        outcomes.push(Outcome::new(check, result));
    }
    Verdict::new(outcomes)
}
