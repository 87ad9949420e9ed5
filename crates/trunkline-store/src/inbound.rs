//! Recording what people wrote.

use jiff::Timestamp;
use sqlx::{Sqlite, Transaction};
use trunkline_core::event::MediaRef;
use trunkline_core::{Channel, ContactAddress, Pii};

use crate::changes::removed_before;
use crate::consent::{HeardKeyword, heed};
use crate::conversations::{advance_read_index, conversation_of};
use crate::store::{new_id, now_ms};
use crate::{Store, StoreError, tool_journal};

/// The highest place in a conversation that is kept apart from the others; a provider counts from 0.
const MAX_POSITION: i64 = i64::MAX / 4;

/// A message from a person, as a connector saw it.
#[derive(Debug, Clone)]
pub struct NewInbound {
    /// The connector.
    pub connector: String,
    /// Its name for the conversation.
    pub conversation: String,
    /// Its name for the message.
    pub message: String,
    /// Place in the conversation.
    pub index: u64,
    /// Who wrote it.
    pub from: ContactAddress,
    /// Our address that they wrote to, if the connector tells it with the message.
    pub to: Option<String>,
    /// How it came.
    pub channel: Channel,
    /// What they wrote.
    pub body: Pii<String>,
    /// What they sent along.
    pub media: Vec<MediaRef>,
    /// When the provider accepted it.
    pub created_at: Timestamp,
    /// False for what was written before we were asked to answer.
    pub to_be_answered: bool,
    /// The keyword that it is, if it is one.
    pub keyword: Option<HeardKeyword>,
    /// The trace that it came with.
    pub traceparent: Option<String>,
}

/// Whether a message has its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It waits for one.
    Waiting,
    /// A reply is committed.
    Answered,
    /// It is not ours to answer.
    History,
}

impl Answer {
    /// The lower-case word in the store and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Answered => "answered",
            Self::History => "history",
        }
    }

    fn from_name(name: Option<&str>) -> Result<Self, StoreError> {
        match name {
            Some("waiting") => Ok(Self::Waiting),
            Some("answered") => Ok(Self::Answered),
            Some("history") => Ok(Self::History),
            _ => Err(StoreError::Unreadable { column: "message.answer" }),
        }
    }
}

/// What recording a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Our name for the conversation.
    pub conversation_id: String,
    /// Our name for the message.
    pub message_id: String,
    /// False if it was recorded before.
    pub is_new: bool,
    /// Whether it has its answer.
    pub answer: Answer,
    /// Every message of the conversation up to this index is recorded. Lower than the message's own: there is a gap.
    pub read_index: i64,
    /// The row of the outbox that confirms a keyword, if it was made by this call.
    pub confirmation: Option<String>,
}

impl Store {
    /// Records a message once, with its conversation and contact if they are new.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// It may have been recorded; recording it again is harmless.
    pub async fn record_inbound(&self, inbound: &NewInbound) -> Result<Recorded, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let (conversation_id, read_index) = conversation_of(&mut transaction, inbound).await?;
        let Inserted { message_id, is_new, answer, confirmation } =
            insert(&mut transaction, &conversation_id, inbound).await?;
        let read_index = if is_new && position(inbound.index) == read_index + 1 {
            advance_read_index(&mut transaction, &conversation_id, read_index).await?
        } else {
            read_index
        };
        transaction.commit().await?;
        Ok(Recorded { conversation_id, message_id, is_new, answer, read_index, confirmation })
    }

    /// Records messages of one conversation that were read back from the provider, all or none, and notes that
    /// everything up to `last_index` is now known. Returns what became of each, in their order.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// They may have been recorded; recording them again is harmless.
    pub async fn record_read_back(
        &self,
        messages: &[NewInbound],
        last_index: u64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let Some(first) = messages.first() else { return Ok(Vec::new()) };
        let mut transaction = self.writer.begin().await?;
        let (conversation_id, read_index) = conversation_of(&mut transaction, first).await?;
        let read_index = read_index.max(position(last_index));
        let mut recorded = Vec::with_capacity(messages.len());
        for inbound in messages {
            let Inserted { message_id, is_new, answer, confirmation } =
                insert(&mut transaction, &conversation_id, inbound).await?;
            let conversation_id = conversation_id.clone();
            recorded.push(Recorded { conversation_id, message_id, is_new, answer, read_index, confirmation });
        }
        advance_read_index(&mut transaction, &conversation_id, read_index).await?;
        transaction.commit().await?;
        Ok(recorded)
    }

    /// Makes a message wait again for the `replay`-th time, once: an operator asked for another treatment. Returns
    /// whether it waits because of this call.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again changes nothing.
    pub async fn reopen(&self, message_id: &str, replay: u32) -> Result<bool, StoreError> {
        let sql = "UPDATE message SET answer = 'waiting', answered_by = NULL, replays = $2, updated_at = $3
                   WHERE id = $1 AND direction = 'in' AND replays < $2 AND removed_at IS NULL";
        let mut transaction = self.writer.begin().await?;
        let done = sqlx::query(sql).bind(message_id).bind(i64::from(replay)).bind(now_ms()).execute(&mut *transaction);
        let is_reopened = done.await?.rows_affected() > 0;
        if is_reopened {
            tool_journal::reopen_of_message(&mut transaction, message_id).await?;
        }
        transaction.commit().await?;
        Ok(is_reopened)
    }
}

fn position(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(MAX_POSITION).min(MAX_POSITION)
}

/// What became of a message.
struct Inserted {
    message_id: String,
    is_new: bool,
    answer: Answer,
    confirmation: Option<String>,
}

/// Inserts a message unless it is there.
async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    inbound: &NewInbound,
) -> Result<Inserted, StoreError> {
    let known: Option<(String, Option<String>)> =
        sqlx::query_as("SELECT id, answer FROM message WHERE conversation_id = $1 AND external_id = $2")
            .bind(conversation_id)
            .bind(&inbound.message)
            .fetch_optional(&mut **transaction)
            .await?;
    if let Some((message_id, answer)) = known {
        let answer = Answer::from_name(answer.as_deref())?;
        return Ok(Inserted { message_id, is_new: false, answer, confirmation: None });
    }
    let message_id = new_id();
    let removed_at = removed_before(transaction, &inbound.connector, &inbound.conversation, &inbound.message).await?;
    let asked = if inbound.to_be_answered && removed_at.is_none() { Answer::Waiting } else { Answer::History };
    let media = match removed_at {
        None => serde_json::to_string(&inbound.media).unwrap_or_else(|_| "[]".to_owned()),
        Some(_) => "[]".to_owned(),
    };
    sqlx::query(
        "INSERT INTO message (id, conversation_id, direction, external_id, position, place, author, body, media,
                              status, status_rank, answer, traceparent, created_at, updated_at, removed_at)
         VALUES ($1, $2, 'in', $3, $4, $4 * 2, $5, $6, $7, 'received', 0, $8, $9, $10, $11, $12)",
    )
    .bind(&message_id)
    .bind(conversation_id)
    .bind(&inbound.message)
    .bind(position(inbound.index))
    .bind(inbound.from.to_wire())
    .bind(if removed_at.is_some() { "" } else { inbound.body.expose().as_str() })
    .bind(media)
    .bind(asked.as_str())
    .bind(&inbound.traceparent)
    .bind(inbound.created_at.as_millisecond())
    .bind(now_ms())
    .bind(removed_at)
    .execute(&mut **transaction)
    .await?;
    let at = inbound.created_at.as_millisecond();
    sqlx::query("UPDATE conversation SET last_in_at = $2 WHERE id = $1 AND (last_in_at IS NULL OR last_in_at < $2)")
        .bind(conversation_id)
        .bind(at)
        .execute(&mut **transaction)
        .await?;
    let (answer, confirmation) = heed(transaction, conversation_id, &message_id, inbound, asked).await?;
    if answer != asked {
        sqlx::query("UPDATE message SET answer = $2 WHERE id = $1")
            .bind(&message_id)
            .bind(answer.as_str())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(Inserted { message_id, is_new: true, answer, confirmation })
}
