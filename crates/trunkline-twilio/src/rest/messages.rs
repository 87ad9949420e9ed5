//! Messages.

use std::collections::VecDeque;

use trunkline_proto::rest::{MAX_PAGE_SIZE, Message, Receipt};
use trunkline_proto::sid::{ContentSid, MediaSid, MessageSid};

use super::client::{Call, Form};
use super::pages::Pages;
use super::{Listing, RestClient, RestError};

const ALL: &str = "/v1/Conversations/{conversation}/Messages";
const ONE: &str = "/v1/Conversations/{conversation}/Messages/{message}";
const RECEIPTS: &str = "/v1/Conversations/{conversation}/Messages/{message}/Receipts";

/// The most messages that [`RestClient::messages_after`] walks down from the newest before it walks up from the oldest
/// instead: 100 requests.
pub const MAX_WALKED: usize = 10_000;

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
    /// A template; text and file do not count then.
    pub content_sid: Option<ContentSid>,
    /// What is filled in there: a JSON object as text.
    pub content_variables: Option<String>,
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
        form.set("ContentSid", new.content_sid.as_ref().map(ContentSid::as_str));
        form.set("ContentVariables", new.content_variables.as_deref());
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

    /// The messages from the newest on, newest first, up to the first that `stop` says yes to (which is left out), until
    /// `limit` are found. Complete if `stop` or the conversation's beginning ended it. `stop` sees each message once,
    /// and none after its yes.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn messages_until(
        &self,
        conversation: &str,
        mut stop: impl FnMut(&Message) -> bool,
        limit: usize,
    ) -> Result<Listing<Message>, RestError> {
        self.messages_while(conversation, Order::Descending, MAX_PAGE_SIZE, limit, |message| !stop(message)).await
    }

    /// The oldest `limit` messages with an index above `index` (of all for `None`), oldest first. Not complete if newer
    /// ones were left out: ask again from the last index that was given.
    ///
    /// Twilio cannot filter by index, so the newest are walked over first, holding `limit` and a page. If the index is
    /// further than [`MAX_WALKED`] away, the search begins anew at the oldest; if that does not reach it within
    /// [`MAX_PAGES`](super::MAX_PAGES) either, nothing is found and the listing is not complete.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn messages_after(
        &self,
        conversation: &str,
        index: Option<u64>,
        limit: usize,
    ) -> Result<Listing<Message>, RestError> {
        match self.walk_down_to(conversation, index, limit).await? {
            Some(found) => Ok(found),
            None => self.walk_up_from(conversation, index, limit).await,
        }
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

    /// From the newest down to `index`, dropping the newest that are over `limit`; `None` if it is too far.
    async fn walk_down_to(
        &self,
        conversation: &str,
        index: Option<u64>,
        limit: usize,
    ) -> Result<Option<Listing<Message>>, RestError> {
        let mut pages = self.message_pages(conversation, Order::Descending, MAX_PAGE_SIZE)?;
        let mut oldest = VecDeque::new();
        let mut walked = 0;
        let mut lowest = None;
        'pages: loop {
            let Some(page) = pages.next::<Message>().await? else {
                if pages.is_at_end() {
                    break;
                }
                return Ok(None);
            };
            for message in page {
                if index.is_some_and(|index| message.index <= index) {
                    break 'pages;
                }
                if lowest.is_some_and(|lowest| message.index >= lowest) {
                    // A message that came meanwhile has pushed this one onto the next page.
                    continue;
                }
                if walked == MAX_WALKED {
                    return Ok(None);
                }
                walked += 1;
                lowest = Some(message.index);
                oldest.push_back(message);
                if oldest.len() > limit {
                    oldest.pop_front();
                }
            }
        }
        let is_complete = walked == oldest.len();
        Ok(Some(Listing { items: oldest.into_iter().rev().collect(), is_complete }))
    }

    /// From the oldest up, over everything that is not above `index`.
    async fn walk_up_from(
        &self,
        conversation: &str,
        index: Option<u64>,
        limit: usize,
    ) -> Result<Listing<Message>, RestError> {
        let mut pages = self.message_pages(conversation, Order::Ascending, MAX_PAGE_SIZE)?;
        let mut items = Vec::new();
        while let Some(page) = pages.next::<Message>().await? {
            for message in page.into_iter().filter(|message| index.is_none_or(|index| message.index > index)) {
                if items.len() == limit {
                    return Ok(Listing { items, is_complete: false });
                }
                items.push(message);
            }
        }
        Ok(Listing { items, is_complete: pages.is_at_end() })
    }

    /// Lists until the first message that is not wanted.
    async fn messages_while(
        &self,
        conversation: &str,
        order: Order,
        page_size: u32,
        limit: usize,
        mut is_wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Listing<Message>, RestError> {
        let mut pages = self.message_pages(conversation, order, page_size)?;
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

    fn message_pages(&self, conversation: &str, order: Order, page_size: u32) -> Result<Pages<'_>, RestError> {
        let mut url = self.conversation_url(conversation, &["Messages"])?;
        url.query_pairs_mut().append_pair("Order", order.as_str());
        Ok(self.pages(url, ALL, page_size))
    }
}
