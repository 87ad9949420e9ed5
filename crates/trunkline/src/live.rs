//! Telling whoever watches that something changed.

use tokio::sync::broadcast;

/// Changes that a watcher may be behind by; one that is further behind misses some and reads everything again.
const BEHIND: usize = 1024;

/// Something that a watcher may want to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something happened in this conversation.
    Conversation(String),
    /// A call began, went on or ended.
    Calls,
    /// A run of a workflow began, went on or ended.
    Workflow(String),
    /// The person of this conversation writes, or has stopped. Kept nowhere.
    Typing {
        /// Our name for the conversation.
        conversation_id: String,
        /// Whether they write.
        is_typing: bool,
    },
}

/// Announces what changes. Cheap to clone.
#[derive(Clone)]
pub struct Live(broadcast::Sender<Change>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Live {
    /// Something happened in a conversation.
    pub fn changed(&self, conversation_id: &str) {
        self.tell(|| Change::Conversation(conversation_id.to_owned()));
    }

    /// A call began, went on or ended.
    pub fn calls_changed(&self) {
        self.tell(|| Change::Calls);
    }

    /// A run of a workflow began, went on or ended.
    pub fn workflow_changed(&self, run_id: &str) {
        self.tell(|| Change::Workflow(run_id.to_owned()));
    }

    /// A person writes, or has stopped.
    pub fn typing(&self, conversation_id: &str, is_typing: bool) {
        self.tell(|| Change::Typing { conversation_id: conversation_id.to_owned(), is_typing });
    }

    /// What changes from now on.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    fn tell(&self, change: impl FnOnce() -> Change) {
        if self.0.receiver_count() > 0 {
            // Nobody may be left by now, which is fine.
            let _nobody = self.0.send(change()).is_err();
        }
    }
}
