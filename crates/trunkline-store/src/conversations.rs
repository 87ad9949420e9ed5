//! Conversations: what is known of each, and lists for the console.

use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::{FromRow, Sqlite, Transaction};
use trunkline_core::event::ConversationPhase;

use crate::changes::read_attributes;
use crate::store::{new_id, now_ms, timestamp};
use crate::{NewInbound, Store, StoreError, contacts, sessions};

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ConversationRow {
    /// Our name for it.
    pub id: String,
    /// The connector that it came by.
    pub connector: String,
    /// The connector's name for it.
    pub external_id: String,
    /// The channel, as a lower-case word.
    pub channel: String,
    /// The person's address as the connector writes it.
    pub address: String,
    /// Who the person is.
    pub contact_id: String,
    /// `active`, `inactive` or `closed`.
    pub state: String,
    /// Every message up to this index is recorded; -1 while none is.
    pub read_index: i64,
    /// Our address that the person writes to, if the connector has told it.
    pub own_address: Option<String>,
    /// The agent that was chosen for it.
    pub agent: Option<String>,
    /// Since when a person of ours answers in place of an agent, in milliseconds since the epoch.
    pub handed_over_at: Option<i64>,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationSummary {
    /// The conversation.
    pub conversation: ConversationRow,
    /// When something last happened in it.
    pub updated_at: Timestamp,
    /// Its last message: direction, text, time.
    pub last_message: Option<(String, String, Timestamp)>,
    /// Messages that wait for an answer, and answers that wait to be sent.
    pub pending: i64,
    /// The last message is one of ours that could not be delivered.
    pub failed: bool,
    /// The person wants nothing from us.
    pub opted_out: bool,
    /// What it is called, if it is.
    pub friendly_name: Option<String>,
    /// What its platform keeps beside it, as far as it has told.
    pub attributes: Map<String, Value>,
}

#[derive(FromRow)]
struct SummaryRow {
    #[sqlx(flatten)]
    conversation: ConversationRow,
    updated_at: i64,
    last_direction: Option<String>,
    last_body: Option<String>,
    last_at: Option<i64>,
    pending: i64,
    last_status: Option<String>,
    opted_out: bool,
    friendly_name: Option<String>,
    attributes: Option<String>,
}

const SUMMARY: &str = "
SELECT c.id, c.connector, c.external_id, c.channel, c.address, c.contact_id, c.state, c.read_index, c.own_address,
       c.agent, c.handed_over_at, c.updated_at,
       m.direction AS last_direction, m.body AS last_body, m.created_at AS last_at, m.status AS last_status,
       (SELECT count(*) FROM message w WHERE w.conversation_id = c.id AND w.answer = 'waiting')
       + (SELECT count(*) FROM outbox o WHERE o.conversation_id = c.id AND o.state IN ('pending', 'sending')) AS pending,
       COALESCE((SELECT d.opted_out FROM consent d
                 WHERE d.address = c.address
                   AND (d.sender = '' OR c.own_address IS NULL OR d.sender = c.own_address)
                 ORDER BY d.changed_at DESC LIMIT 1), FALSE) AS opted_out,
       n.friendly_name, n.attributes
FROM conversation c
LEFT JOIN conversation_name n ON n.connector = c.connector AND n.external_id = c.external_id
LEFT JOIN message m ON m.id = (
    SELECT id FROM message WHERE conversation_id = c.id ORDER BY place DESC, id DESC LIMIT 1)";

impl Store {
    /// The conversation that `connector` calls `external_id`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn conversation_by_external(
        &self,
        connector: &str,
        external_id: &str,
    ) -> Result<Option<ConversationRow>, StoreError> {
        let sql =
            "SELECT id, connector, external_id, channel, address, contact_id, state, read_index, own_address, agent,
                          handed_over_at
                   FROM conversation WHERE connector = $1 AND external_id = $2";
        Ok(sqlx::query_as(sql).bind(connector).bind(external_id).fetch_optional(&self.reader).await?)
    }

    /// The conversation with our name `id`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn conversation(&self, id: &str) -> Result<Option<ConversationRow>, StoreError> {
        let sql =
            "SELECT id, connector, external_id, channel, address, contact_id, state, read_index, own_address, agent,
                          handed_over_at
                   FROM conversation WHERE id = $1";
        Ok(sqlx::query_as(sql).bind(id).fetch_optional(&self.reader).await?)
    }

    /// The latest conversations, newest change first: at most `limit`, before the cursor `(updated_at ms, id)`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn latest_conversations(
        &self,
        limit: u32,
        before: Option<(i64, &str)>,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let (at, id) = before.unwrap_or((i64::MAX, ""));
        let sql = format!(
            "{SUMMARY} WHERE c.updated_at < $1 OR (c.updated_at = $1 AND c.id < $2)
             ORDER BY c.updated_at DESC, c.id DESC LIMIT $3"
        );
        let rows: Vec<SummaryRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(at)
            .bind(id)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(summary).collect()
    }

    /// One conversation as it stands in the list.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn conversation_summary(&self, id: &str) -> Result<Option<ConversationSummary>, StoreError> {
        let row: Option<SummaryRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE c.id = $1")))
            .bind(id)
            .fetch_optional(&self.reader)
            .await?;
        row.map(summary).transpose()
    }

    /// The conversations of a person, the latest change first: at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn conversations_of(&self, contact_id: &str, limit: u32) -> Result<Vec<ConversationSummary>, StoreError> {
        let sql = format!("{SUMMARY} WHERE c.contact_id = $1 ORDER BY c.updated_at DESC, c.id DESC LIMIT $2");
        let rows: Vec<SummaryRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(contact_id)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(summary).collect()
    }

    /// How many conversations there are.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn conversation_count(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM conversation").fetch_one(&self.reader).await?)
    }

    /// Conversations in which messages wait for an agent's answer, the longest wait first: at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn conversations_waiting(&self, limit: u32) -> Result<Vec<ConversationRow>, StoreError> {
        let sql = "SELECT c.id, c.connector, c.external_id, c.channel, c.address, c.contact_id, c.state, c.read_index,
                          c.own_address, c.agent, c.handed_over_at
                   FROM conversation c JOIN message m ON m.conversation_id = c.id AND m.answer = 'waiting'
                   WHERE c.handed_over_at IS NULL GROUP BY c.id ORDER BY min(m.created_at) LIMIT $1";
        Ok(sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(&self.reader).await?)
    }

    /// How many conversations are active, and how many participants they have; one of whom nobody has told has one.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn active_counts(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT count(*), COALESCE(sum(COALESCE(n.people, 1)), 0)
                   FROM conversation c
                   LEFT JOIN (SELECT connector, conversation,
                                     sum(CASE WHEN removed_at IS NULL THEN 1 ELSE 0 END) AS people
                              FROM participant GROUP BY connector, conversation) n
                          ON n.connector = c.connector AND n.conversation = c.external_id
                   WHERE c.state = 'active'";
        let (conversations, people): (i64, i64) = sqlx::query_as(sql).fetch_one(&self.reader).await?;
        Ok((conversations.unsigned_abs(), people.unsigned_abs()))
    }

    /// Notes what a conversation can still do. Closed is final but for a text that is written later: then nothing waits
    /// any more, and the session is over. Returns our name for it, if that is news of a conversation that is known.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted.
    pub async fn set_conversation_state(
        &self,
        connector: &str,
        external_id: &str,
        state: ConversationPhase,
    ) -> Result<Option<String>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let now = now_ms();
        let sql = "UPDATE conversation SET state = $3, updated_at = $4,
                          closed_at = CASE $3 WHEN 'closed' THEN $4 ELSE closed_at END
                   WHERE connector = $1 AND external_id = $2 AND state <> 'closed' AND state <> $3 RETURNING id";
        let changed: Option<String> = sqlx::query_scalar(sql)
            .bind(connector)
            .bind(external_id)
            .bind(state.as_str())
            .bind(now)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(id) = changed.as_deref().filter(|_| state == ConversationPhase::Closed) {
            sessions::end(&mut transaction, id, now).await?;
        }
        transaction.commit().await?;
        Ok(changed)
    }

    /// Notes that every message up to `index` was read back from the provider and recorded.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted.
    pub async fn set_read_index(&self, conversation_id: &str, index: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE conversation SET read_index = $2 WHERE id = $1 AND read_index < $2")
            .bind(conversation_id)
            .bind(index)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

fn summary(row: SummaryRow) -> Result<ConversationSummary, StoreError> {
    let last_message = match (row.last_direction, row.last_body, row.last_at) {
        (Some(direction), Some(body), Some(at)) => Some((direction, body, timestamp(at, "message.created_at")?)),
        _ => None,
    };
    let failed = matches!(row.last_status.as_deref(), Some("failed" | "undelivered"));
    Ok(ConversationSummary {
        conversation: row.conversation,
        updated_at: timestamp(row.updated_at, "conversation.updated_at")?,
        last_message,
        pending: row.pending,
        failed,
        opted_out: row.opted_out,
        friendly_name: row.friendly_name,
        attributes: row.attributes.map_or(Ok(Map::new()), |told| read_attributes(&told))?,
    })
}

/// The conversation of an inbound message, made if it is new. Returns its id and how far it was read.
pub(crate) async fn conversation_of(
    transaction: &mut Transaction<'_, Sqlite>,
    inbound: &NewInbound,
) -> Result<(String, i64), StoreError> {
    let known: Option<(String, i64)> =
        sqlx::query_as("SELECT id, read_index FROM conversation WHERE connector = $1 AND external_id = $2")
            .bind(&inbound.connector)
            .bind(&inbound.conversation)
            .fetch_optional(&mut **transaction)
            .await?;
    if let Some((id, read_index)) = known {
        // A text that was written after the end begins anew; one that only comes late does not.
        sqlx::query(
            "UPDATE conversation SET updated_at = $2,
                    state = CASE WHEN state = 'inactive' OR (state = 'closed' AND $3 > closed_at)
                        THEN 'active' ELSE state END,
                    handed_over_at = CASE WHEN state = 'closed' AND $3 > closed_at THEN NULL ELSE handed_over_at END
             WHERE id = $1",
        )
        .bind(&id)
        .bind(now_ms())
        .bind(inbound.created_at.as_millisecond())
        .execute(&mut **transaction)
        .await?;
        return Ok((id, read_index));
    }
    let contact_id = contacts::contact_of(transaction, &inbound.from).await?;
    let id = new_id();
    sqlx::query(
        "INSERT INTO conversation
             (id, connector, external_id, channel, address, contact_id, state, read_index, created_at, updated_at,
              own_address)
         VALUES ($1, $2, $3, $4, $5, $6, 'active', -1, $7, $7, $8)",
    )
    .bind(&id)
    .bind(&inbound.connector)
    .bind(&inbound.conversation)
    .bind(inbound.channel.as_str())
    .bind(inbound.from.to_wire())
    .bind(contact_id)
    .bind(now_ms())
    .bind(&inbound.to)
    .execute(&mut **transaction)
    .await?;
    Ok((id, -1))
}

/// Moves the read index over the messages that follow it without a gap.
pub(crate) async fn advance_read_index(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    mut read_index: i64,
) -> Result<i64, StoreError> {
    loop {
        let next: Option<i64> =
            sqlx::query_scalar("SELECT position FROM message WHERE conversation_id = $1 AND position = $2 LIMIT 1")
                .bind(conversation_id)
                .bind(read_index + 1)
                .fetch_optional(&mut **transaction)
                .await?;
        let Some(next) = next else { break };
        read_index = next;
    }
    sqlx::query("UPDATE conversation SET read_index = $2 WHERE id = $1 AND read_index < $2")
        .bind(conversation_id)
        .bind(read_index)
        .execute(&mut **transaction)
        .await?;
    Ok(read_index)
}
