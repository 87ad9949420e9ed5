//! Telling whoever watches that something changed.

use tokio::sync::broadcast;

/// Changes that a watcher may be behind by; one that is further behind misses some and reads everything again.
const BEHIND: usize = 1024;

/// Announces conversations that changed. Cheap to clone.
#[derive(Clone)]
pub struct Live(broadcast::Sender<String>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Live {
    /// Something happened in a conversation.
    pub fn changed(&self, conversation_id: &str) {
        if self.0.receiver_count() > 0 {
            // Nobody may be left by now, which is fine.
            let _nobody = self.0.send(conversation_id.to_owned()).is_err();
        }
    }

    /// Conversations that change from now on.
    pub fn watch(&self) -> broadcast::Receiver<String> {
        self.0.subscribe()
    }
}
