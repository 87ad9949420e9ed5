//! The web chat's connector: what it sends goes into the chat log, and whoever looks at the conversation is told.

use async_trait::async_trait;
use trunkline_core::Pii;
use trunkline_core::event::SendMessage;
use trunkline_store::{ChatLine, ChatSide, Sent, Store, StoreError};

use super::{Connector, ConnectorError, ReadBack};
use crate::webchat::{Hub, Push, SOURCE, message_id, received};

/// The longest answer, in characters.
const MAX_ANSWER_CHARS: usize = 8000;

/// The connector named `webchat`.
pub struct WebChatConnector {
    store: Store,
    hub: Hub,
}

impl WebChatConnector {
    /// A connector over the chat log of `store`, which tells the sessions of `hub`.
    pub const fn new(store: Store, hub: Hub) -> Self {
        Self { store, hub }
    }
}

#[async_trait]
impl Connector for WebChatConnector {
    fn name(&self) -> &str {
        SOURCE
    }

    /// A page has room: what is longer than a few screens nobody reads.
    fn max_text_chars(&self) -> usize {
        MAX_ANSWER_CHARS
    }

    async fn send(&self, message: &SendMessage) -> Result<Sent, ConnectorError> {
        let side = ChatSide::Agent { outbox_id: message.outbox_id.clone() };
        let text = Pii::new(message.text.clone());
        let line =
            self.store.add_chat_line(&message.conversation, &side, &text).await.map_err(|error| failed(&error))?;
        self.hub.tell(&message.conversation, Push::Lines);
        Ok(sent(&message.conversation, &line))
    }

    async fn find_sent(&self, conversation: &str, outbox_id: &str, _: i64) -> Result<Option<Sent>, ConnectorError> {
        let line = self.store.chat_line_of_outbox(conversation, outbox_id).await.map_err(|error| failed(&error))?;
        Ok(line.map(|line| sent(conversation, &line)))
    }

    async fn messages_after(&self, conversation: &str, after: i64, limit: usize) -> Result<ReadBack, ConnectorError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let lines = self.store.chat_lines_after(conversation, after, limit).await.map_err(|error| failed(&error))?;
        Ok(ReadBack {
            last_index: lines.last().map(|line| line.index),
            is_complete: lines.len() < limit as usize,
            messages: lines.iter().filter_map(|line| received(conversation, line)).collect(),
        })
    }

    async fn open_conversations(&self, limit: usize) -> Result<Vec<String>, ConnectorError> {
        self.store.latest_chats(u32::try_from(limit).unwrap_or(u32::MAX)).await.map_err(|error| failed(&error))
    }

    async fn typing(&self, conversation: &str, is_typing: bool) {
        self.hub.tell(conversation, Push::Typing(is_typing));
    }
}

fn sent(conversation: &str, line: &ChatLine) -> Sent {
    Sent { external_id: message_id(conversation, line.index), index: line.index }
}

/// Adding a line twice adds it once, so that every failure may be repeated but for those that stay as they are.
fn failed(error: &StoreError) -> ConnectorError {
    ConnectorError {
        code: error.code(),
        provider_number: None,
        message: error.to_string(),
        retry: error.retry(),
        unreachable: false,
    }
}

#[cfg(test)]
mod tests {
    use trunkline_core::Retry;

    use super::*;

    fn answer(outbox_id: &str) -> SendMessage {
        SendMessage {
            connector: SOURCE.to_owned(),
            conversation: "chat-1".to_owned(),
            text: format!("answer {outbox_id}"),
            channel: None,
            outbox_id: outbox_id.to_owned(),
            ..SendMessage::default()
        }
    }

    #[tokio::test]
    async fn an_answer_is_sent_once_and_found_and_the_visitor_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let connector = WebChatConnector::new(store.clone(), Hub::default());
        let nowhere = connector.send(&answer("a")).await.unwrap_err();
        assert_eq!((nowhere.code, nowhere.retry), ("store.not_found", Retry::No));

        store.begin_chat("chat-1", "hash").await.unwrap();
        for id in ["m1", "m2"] {
            let side = ChatSide::Visitor { client_id: id.to_owned() };
            store.add_chat_line("chat-1", &side, &Pii::new(id.to_owned())).await.unwrap();
        }
        assert_eq!(connector.find_sent("chat-1", "a", -1).await.unwrap(), None);
        let sent = connector.send(&answer("a")).await.unwrap();
        assert_eq!((sent.index, sent.external_id.as_str()), (2, "chat-1/2"));
        assert_eq!(connector.send(&answer("a")).await.unwrap(), sent);
        assert_eq!(connector.find_sent("chat-1", "a", -1).await.unwrap(), Some(sent));

        assert_eq!(connector.open_conversations(10).await.unwrap(), ["chat-1"]);
        let first = connector.messages_after("chat-1", -1, 2).await.unwrap();
        let texts: Vec<_> = first.messages.iter().map(|message| message.text.as_str()).collect();
        assert_eq!((texts, first.last_index, first.is_complete), (vec!["m1", "m2"], Some(1), false));
        let rest = connector.messages_after("chat-1", 1, 2).await.unwrap();
        assert_eq!((rest.messages.len(), rest.last_index, rest.is_complete), (0, Some(2), true));
    }
}
