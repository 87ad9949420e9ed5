//! The streams that wait for messages, by conversation.
//!
//! A message is handed on without waiting. A receiver that is so slow that its buffer is full loses its stream, not its
//! messages: it gets what was buffered, then the end, and can read the rest back and subscribe again. So one slow
//! receiver never delays a webhook's answer, and nothing is ever skipped in silence.
//!
//! Webhooks may repeat and overtake each other, and so may messages here; their index tells.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;
use trunkline_core::messaging::Message;
use trunkline_proto::sid::ConversationSid;

/// The most streams of all conversations together.
pub const MAX_STREAMS: usize = 16_384;

/// The most streams of one conversation.
pub const MAX_STREAMS_PER_CONVERSATION: usize = 16;

/// All streams of a backend.
#[derive(Debug)]
pub(super) struct Streams {
    open: Mutex<Open>,
    buffer: usize,
}

#[derive(Debug, Default)]
struct Open {
    by_conversation: HashMap<ConversationSid, Vec<Entry>>,
    count: usize,
    next_id: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    sender: mpsc::Sender<Message>,
}

impl Streams {
    /// Each stream holds up to `buffer` messages.
    pub(super) fn new(buffer: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), buffer })
    }

    /// Opens a stream; `None` if there are too many.
    pub(super) fn subscribe(self: &Arc<Self>, conversation: ConversationSid) -> Option<Subscription> {
        let mut open = self.open();
        if open.count >= MAX_STREAMS {
            return None;
        }
        let id = open.next_id;
        let entries = open.by_conversation.entry(conversation).or_default();
        if entries.len() >= MAX_STREAMS_PER_CONVERSATION {
            return None;
        }
        let (sender, receiver) = mpsc::channel(self.buffer);
        entries.push(Entry { id, sender });
        open.next_id += 1;
        open.count += 1;
        Some(Subscription { receiver, streams: Arc::clone(self), conversation, id })
    }

    /// Hands a message to every stream of its conversation. The number of streams that were too slow and have ended.
    pub(super) fn deliver(&self, conversation: ConversationSid, message: &Message) -> usize {
        self.retain(conversation, |entry| entry.sender.try_send(message.clone()).is_ok())
    }

    /// Ends the streams of a conversation, after what they hold.
    pub(super) fn close(&self, conversation: ConversationSid) {
        self.retain(conversation, |_| false);
    }

    /// Ends every stream, after what they hold.
    pub(super) fn close_all(&self) {
        let mut open = self.open();
        open.by_conversation.clear();
        open.count = 0;
    }

    /// The number of conversations with a stream.
    pub(super) fn conversations(&self) -> usize {
        self.open().by_conversation.len()
    }

    fn retain(&self, conversation: ConversationSid, keep: impl FnMut(&Entry) -> bool) -> usize {
        let mut open = self.open();
        let Some(entries) = open.by_conversation.get_mut(&conversation) else { return 0 };
        let before = entries.len();
        let mut keep = keep;
        entries.retain(&mut keep);
        let removed = before - entries.len();
        if entries.is_empty() {
            open.by_conversation.remove(&conversation);
        }
        open.count = open.count.saturating_sub(removed);
        removed
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One receiver's stream. Dropping it ends the subscription.
pub(super) struct Subscription {
    receiver: mpsc::Receiver<Message>,
    streams: Arc<Streams>,
    conversation: ConversationSid,
    id: u64,
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.streams.retain(self.conversation, |entry| entry.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    fn conversation(n: u8) -> ConversationSid {
        ConversationSid::from_random([n; 16])
    }

    fn message(index: u64) -> Message {
        Message::new("IM1".into(), "CH1".into(), index, "author".into(), "body".into())
    }

    #[tokio::test]
    async fn every_stream_of_the_conversation_gets_the_message_and_no_other() {
        let streams = Streams::new(4);
        let [mut one, mut two, other] = [1, 1, 2].map(|n| streams.subscribe(conversation(n)).unwrap());
        assert_eq!(streams.conversations(), 2);
        assert_eq!(streams.deliver(conversation(1), &message(7)), 0);
        assert_eq!(one.next().await.unwrap().index, 7);
        assert_eq!(two.next().await.unwrap().index, 7);
        assert!(other.receiver.is_empty());
    }

    #[tokio::test]
    async fn a_slow_receiver_gets_what_was_buffered_and_then_the_end() {
        let streams = Streams::new(2);
        let mut slow = streams.subscribe(conversation(1)).unwrap();
        let ended: Vec<_> = (0..4).map(|index| streams.deliver(conversation(1), &message(index))).collect();
        assert_eq!(ended, [0, 0, 1, 0]);
        assert_eq!(slow.next().await.unwrap().index, 0);
        assert_eq!(slow.next().await.unwrap().index, 1);
        assert!(slow.next().await.is_none());
        assert_eq!(streams.conversations(), 0);
    }

    #[tokio::test]
    async fn closing_ends_and_dropping_unsubscribes() {
        let streams = Streams::new(2);
        let mut closed = streams.subscribe(conversation(1)).unwrap();
        let dropped = streams.subscribe(conversation(2)).unwrap();
        let mut last = streams.subscribe(conversation(3)).unwrap();
        streams.deliver(conversation(1), &message(0));
        streams.close(conversation(1));
        assert!(closed.next().await.is_some());
        assert!(closed.next().await.is_none());
        drop(dropped);
        assert_eq!(streams.conversations(), 1);
        streams.close_all();
        assert!(last.next().await.is_none());
        drop((closed, last));
        assert_eq!(streams.open().count, 0);
    }

    #[test]
    fn the_limits_hold() {
        let streams = Streams::new(1);
        let held: Vec<_> =
            (0..MAX_STREAMS_PER_CONVERSATION).map(|_| streams.subscribe(conversation(1)).unwrap()).collect();
        assert!(streams.subscribe(conversation(1)).is_none());
        drop(held);
        assert!(streams.subscribe(conversation(1)).is_some());
        assert_eq!(streams.open().count, 0);

        streams.open().count = MAX_STREAMS;
        assert!(streams.subscribe(conversation(1)).is_none());
    }
}
