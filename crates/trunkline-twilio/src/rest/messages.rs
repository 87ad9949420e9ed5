//! Messages.

use trunkline_proto::rest::{MAX_PAGE_SIZE, Message, Receipt};
use trunkline_proto::sid::{MediaSid, MessageSid};

use super::client::{Call, Form};
use super::{Listing, RestClient, RestError};

const ALL: &str = "/v1/Conversations/{conversation}/Messages";
const ONE: &str = "/v1/Conversations/{conversation}/Messages/{message}";
const RECEIPTS: &str = "/v1/Conversations/{conversation}/Messages/{message}/Receipts";

/// What a message is created with. No `Debug`: it holds what someone wrote.
#[derive(Clone, Default)]
pub struct NewMessage {
    /// Who wrote it; `system` by default.
    pub author: Option<String>,
    /// The text, at most 1600 characters for channels.
    pub body: Option<String>,
    /// JSON as text, at most 4 KB.
    pub attributes: Option<String>,
    /// A file that was uploaded before.
    pub media_sid: Option<MediaSid>,
}

/// In which order messages are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

impl RestClient {
    /// Creates a message, as soon as the sender's rate allows. It is never sent a second time when the first may have
    /// been carried out.
    ///
    /// # Errors
    /// `twilio.rest.throttled` also if the sender's own rate is used up for longer than an operation may take.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the message may exist.
    pub async fn create_message(&self, conversation: &str, new: &NewMessage) -> Result<Message, RestError> {
        let mut form = Form::default();
        form.set("Author", new.author.as_deref());
        form.set("Body", new.body.as_deref());
        form.set("Attributes", new.attributes.as_deref());
        form.set("MediaSid", new.media_sid.as_ref().map(MediaSid::as_str));
        let url = self.conversation_url(conversation, &["Messages"])?;
        self.fetch_at_rate(Call::create(url, ALL, form)).await
    }

    /// Fetches a message.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_message(&self, conversation: &str, message: MessageSid) -> Result<Message, RestError> {
        let url = self.conversation_url(conversation, &["Messages", message.as_str()])?;
        self.fetch(Call::read(url, ONE)).await
    }

    /// Lists messages in `order`, `page_size` a request (1 to 100), until `limit` are found.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list_messages(
        &self,
        conversation: &str,
        order: Order,
        page_size: u32,
        limit: usize,
    ) -> Result<Listing<Message>, RestError> {
        self.messages_while(conversation, order, page_size, limit, |_| true).await
    }

    /// The messages with an index above `index` (all for `None`), oldest first. If there are more than `limit`, the
    /// newest are given and the listing is not complete.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn messages_after(
        &self,
        conversation: &str,
        index: Option<u64>,
        limit: usize,
    ) -> Result<Listing<Message>, RestError> {
        let is_new = |message: &Message| index.is_none_or(|index| message.index > index);
        let mut found = self.messages_while(conversation, Order::Descending, MAX_PAGE_SIZE, limit, is_new).await?;
        found.items.reverse();
        Ok(found)
    }

    /// What became of a message, one receipt a recipient.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list_receipts(
        &self,
        conversation: &str,
        message: MessageSid,
        limit: usize,
    ) -> Result<Listing<Receipt>, RestError> {
        let url = self.conversation_url(conversation, &["Messages", message.as_str(), "Receipts"])?;
        self.list(url, RECEIPTS, limit).await
    }

    /// Lists until the first message that is not wanted.
    async fn messages_while(
        &self,
        conversation: &str,
        order: Order,
        page_size: u32,
        limit: usize,
        is_wanted: impl Fn(&Message) -> bool,
    ) -> Result<Listing<Message>, RestError> {
        let mut url = self.conversation_url(conversation, &["Messages"])?;
        url.query_pairs_mut().append_pair("Order", order.as_str());
        let mut pages = self.pages(url, ALL, page_size);
        let mut items = Vec::new();
        while let Some(page) = pages.next::<Message>().await? {
            for message in page {
                if !is_wanted(&message) {
                    return Ok(Listing { items, is_complete: true });
                }
                if items.len() == limit {
                    return Ok(Listing { items, is_complete: false });
                }
                items.push(message);
            }
        }
        Ok(Listing { items, is_complete: pages.is_at_end() })
    }
}
