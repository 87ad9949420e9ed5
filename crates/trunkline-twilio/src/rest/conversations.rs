//! Conversations.

use trunkline_proto::rest::{Conversation, ConversationState};
use url::Url;

use super::client::{Call, Form};
use super::{Listing, RestClient, RestError};

const ALL: &str = "/v1/Conversations";
const ONE: &str = "/v1/Conversations/{conversation}";

/// What a conversation is created with; all of it may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewConversation {
    /// A name for people, at most 256 characters.
    pub friendly_name: Option<String>,
    /// A name that can stand for the SID.
    pub unique_name: Option<String>,
    /// JSON as text, at most 16 KB.
    pub attributes: Option<String>,
    /// The state to start in; `active` by default.
    pub state: Option<ConversationState>,
}

/// What is changed; what is left out stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationUpdate {
    /// A name for people, at most 256 characters.
    pub friendly_name: Option<String>,
    /// JSON as text, at most 16 KB.
    pub attributes: Option<String>,
    /// The new state; `closed` is final.
    pub state: Option<ConversationState>,
}

/// Which conversations are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationFilter {
    /// Only those in this state.
    pub state: Option<ConversationState>,
    /// Only those created or changed on this day or later, `YYYY-MM-DD` in UTC.
    pub start_date: Option<String>,
    /// Only those created or changed on this day or earlier, `YYYY-MM-DD` in UTC.
    pub end_date: Option<String>,
}

impl RestClient {
    /// Creates a conversation.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the conversation may exist.
    pub async fn create_conversation(&self, new: &NewConversation) -> Result<Conversation, RestError> {
        let mut form = Form::default();
        form.set("FriendlyName", new.friendly_name.as_deref());
        form.set("UniqueName", new.unique_name.as_deref());
        form.set("Attributes", new.attributes.as_deref());
        form.set("State", new.state.as_ref().map(ConversationState::as_str));
        self.fetch(Call::create(self.scoped(&["Conversations"])?, ALL, form)).await
    }

    /// Fetches a conversation by its SID or unique name.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_conversation(&self, conversation: &str) -> Result<Conversation, RestError> {
        self.fetch(Call::read(self.conversation_url(conversation, &[])?, ONE)).await
    }

    /// Changes a conversation. It is repeated freely: the same values make the same conversation.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn update_conversation(
        &self,
        conversation: &str,
        update: &ConversationUpdate,
    ) -> Result<Conversation, RestError> {
        let mut form = Form::default();
        form.set("FriendlyName", update.friendly_name.as_deref());
        form.set("Attributes", update.attributes.as_deref());
        form.set("State", update.state.as_ref().map(ConversationState::as_str));
        self.fetch(Call::update(self.conversation_url(conversation, &[])?, ONE, form)).await
    }

    /// Deletes a conversation with all its messages.
    ///
    /// # Cancel safety
    /// May have taken effect; deleting again answers "not found".
    pub async fn delete_conversation(&self, conversation: &str) -> Result<(), RestError> {
        self.execute(Call::delete(self.conversation_url(conversation, &[])?, ONE)).await.map(drop)
    }

    /// Lists conversations, following the pages until `limit` are found.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list_conversations(
        &self,
        filter: &ConversationFilter,
        limit: usize,
    ) -> Result<Listing<Conversation>, RestError> {
        let mut url = self.scoped(&["Conversations"])?;
        let state = filter.state.as_ref().map(ConversationState::as_str);
        let filters =
            [("State", state), ("StartDate", filter.start_date.as_deref()), ("EndDate", filter.end_date.as_deref())];
        for (name, value) in filters {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        self.list(url, ALL, limit).await
    }

    /// The address of a conversation or of something in it.
    pub(super) fn conversation_url(&self, conversation: &str, rest: &[&str]) -> Result<Url, RestError> {
        self.scoped(&[&["Conversations", conversation], rest].concat())
    }
}
