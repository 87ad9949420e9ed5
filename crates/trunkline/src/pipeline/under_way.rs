//! The turns that are under way, so that a person who takes a conversation over ends the one of the agent at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Turns by conversation; one has one turn at a time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TurnsUnderWay(Arc<Mutex<HashMap<String, CancellationToken>>>);

/// A turn that is under way until this is dropped.
pub(super) struct UnderWay {
    turns: TurnsUnderWay,
    conversation_id: String,
    ended: CancellationToken,
}

impl TurnsUnderWay {
    /// Ends the turn of a conversation, if there is one. What its tools have begun goes on to its end.
    pub fn end(&self, conversation_id: &str) {
        if let Some(ended) = self.all().get(conversation_id) {
            ended.cancel();
        }
    }

    pub(super) fn begin(&self, conversation_id: &str) -> UnderWay {
        let ended = CancellationToken::new();
        self.all().insert(conversation_id.to_owned(), ended.clone());
        UnderWay { turns: self.clone(), conversation_id: conversation_id.to_owned(), ended }
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// Waits for somebody to end it.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.turns.all().remove(&self.conversation_id);
    }
}
