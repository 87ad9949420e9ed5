//! The receivers of messages. One that is too slow loses its stream, not its messages.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;
use trunkline_core::messaging::{ConversationId, Message};

/// Messages that wait for a slow receiver unless [`STREAM_BUFFER_SETTING`] says otherwise.
pub const STREAM_BUFFER: usize = 256;

/// The setting with that number, 1 to 65536.
pub const STREAM_BUFFER_SETTING: &str = "stream_buffer_size";

type Senders = HashMap<ConversationId, Vec<(u64, mpsc::Sender<Message>)>>;

#[derive(Debug)]
pub(super) struct Streams {
    open: Mutex<(Senders, u64)>,
    buffer: usize,
}

impl Streams {
    pub(super) fn new(buffer: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), buffer })
    }

    pub(super) fn open(self: &Arc<Self>, conversation: &ConversationId) -> Receiver {
        let (sender, messages) = mpsc::channel(self.buffer);
        let mut open = self.lock();
        let (senders, next) = &mut *open;
        *next = next.wrapping_add(1);
        let id = *next;
        senders.entry(conversation.clone()).or_default().push((id, sender));
        Receiver { messages, id, conversation: conversation.clone(), streams: Arc::clone(self) }
    }

    /// Hands a message on without waiting; receivers without room end after what they have.
    pub(super) fn deliver(&self, message: &Message) {
        self.retain(&message.conversation, |_, sender| sender.try_send(message.clone()).is_ok());
    }

    pub(super) fn close(&self, conversation: &ConversationId) {
        self.lock().0.remove(conversation);
    }

    pub(super) fn close_all(&self) {
        self.lock().0.clear();
    }

    /// Conversations with a receiver.
    pub(super) fn conversations(&self) -> usize {
        self.lock().0.len()
    }

    fn retain(&self, conversation: &ConversationId, keep: impl Fn(u64, &mpsc::Sender<Message>) -> bool) {
        let mut open = self.lock();
        let Some(senders) = open.0.get_mut(conversation) else { return };
        senders.retain(|(id, sender)| keep(*id, sender));
        if senders.is_empty() {
            open.0.remove(conversation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Senders, u64)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One receiver; dropping it ends it.
pub(super) struct Receiver {
    messages: mpsc::Receiver<Message>,
    id: u64,
    conversation: ConversationId,
    streams: Arc<Streams>,
}

impl Stream for Receiver {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.messages.poll_recv(context)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.streams.retain(&self.conversation, |id, _| id != self.id);
    }
}
