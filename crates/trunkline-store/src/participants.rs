//! Who is in a conversation.

use jiff::Timestamp;
use sqlx::FromRow;
use trunkline_core::Pii;
use trunkline_core::event::ParticipantChanged;

use crate::store::timestamp;
use crate::{Store, StoreError};

/// Participants of one conversation that are told; Twilio's limit is 1000.
const MAX_PARTICIPANTS: i64 = 1_000;

/// What happened to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// They joined.
    Added,
    /// Something of them is different.
    Updated,
    /// They left or were removed.
    Removed,
}

/// Someone who is in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantRow {
    /// The connector's name for them.
    pub external_id: String,
    /// The chat identity.
    pub identity: Option<Pii<String>>,
    /// How they write, as a lower-case word.
    pub channel: Option<String>,
    /// Their address.
    pub address: Option<Pii<String>>,
    /// Our address that they write to.
    pub own_address: Option<String>,
    /// The role, as the provider names it.
    pub role: Option<String>,
    /// The index of the last message that they have read.
    pub read_index: Option<i64>,
    /// When they joined, if that was told.
    pub joined_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    external_id: String,
    identity: Option<String>,
    channel: Option<String>,
    address: Option<String>,
    own_address: Option<String>,
    role: Option<String>,
    read_index: Option<i64>,
    joined_at: Option<i64>,
}

impl Store {
    /// Notes what happened to a participant. What is told late changes nothing: an older state does not replace a newer
    /// one, and who has left does not come back under the same name. Returns our name for the conversation, if it is
    /// recorded.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn note_participant(
        &self,
        connector: &str,
        presence: Presence,
        told: &ParticipantChanged,
    ) -> Result<Option<String>, StoreError> {
        let at = told.changed.as_millisecond();
        sqlx::query(
            "INSERT INTO participant (connector, conversation, external_id, identity, channel, address, own_address,
                                      role, read_index, joined_at, changed_at, removed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (connector, conversation, external_id) DO UPDATE SET
                 joined_at = COALESCE(participant.joined_at, excluded.joined_at),
                 removed_at = COALESCE(participant.removed_at, excluded.removed_at),
                 identity = CASE WHEN excluded.changed_at >= participant.changed_at
                     THEN COALESCE(excluded.identity, participant.identity) ELSE participant.identity END,
                 channel = COALESCE(excluded.channel, participant.channel),
                 address = COALESCE(excluded.address, participant.address),
                 own_address = CASE WHEN excluded.changed_at >= participant.changed_at
                     THEN COALESCE(excluded.own_address, participant.own_address) ELSE participant.own_address END,
                 role = CASE WHEN excluded.changed_at >= participant.changed_at
                     THEN COALESCE(excluded.role, participant.role) ELSE participant.role END,
                 read_index = CASE WHEN COALESCE(excluded.read_index, -1) > COALESCE(participant.read_index, -1)
                     THEN excluded.read_index ELSE participant.read_index END,
                 changed_at = CASE WHEN excluded.changed_at > participant.changed_at
                     THEN excluded.changed_at ELSE participant.changed_at END",
        )
        .bind(connector)
        .bind(&told.conversation)
        .bind(&told.participant)
        .bind(&told.identity)
        .bind(told.channel.map(trunkline_core::Channel::as_str))
        .bind(&told.address)
        .bind(&told.own_address)
        .bind(&told.role)
        .bind(told.read_index.and_then(|index| i64::try_from(index).ok()))
        .bind((presence == Presence::Added).then_some(at))
        .bind(at)
        .bind((presence == Presence::Removed).then_some(at))
        .execute(&self.writer)
        .await?;
        let known = self.conversation_by_external(connector, &told.conversation).await?;
        Ok(known.map(|row| row.id))
    }

    /// Who is in the conversation that `connector` calls `conversation`, in the order in which they joined.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn participants(&self, connector: &str, conversation: &str) -> Result<Vec<ParticipantRow>, StoreError> {
        let sql = "SELECT external_id, identity, channel, address, own_address, role, read_index, joined_at
                   FROM participant WHERE connector = $1 AND conversation = $2 AND removed_at IS NULL
                   ORDER BY COALESCE(joined_at, changed_at), external_id LIMIT $3";
        let rows: Vec<Row> = sqlx::query_as(sql)
            .bind(connector)
            .bind(conversation)
            .bind(MAX_PARTICIPANTS)
            .fetch_all(&self.reader)
            .await?;
        rows.into_iter().map(participant).collect()
    }

    /// Whether a message that a person wrote to an address of ours at that time went into a conversation of another
    /// connector.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn is_bound_elsewhere(
        &self,
        connector: &str,
        address: &str,
        own: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM participant p
                   LEFT JOIN conversation c ON c.connector = p.connector AND c.external_id = p.conversation
                   WHERE p.address = $1 AND p.own_address = $2 AND p.connector <> $3
                     AND (p.removed_at IS NULL OR p.removed_at >= $4)
                     AND (COALESCE(c.state, 'active') <> 'closed' OR c.updated_at >= $4) LIMIT 1";
        let found: Option<i64> = sqlx::query_scalar(sql)
            .bind(address)
            .bind(own)
            .bind(connector)
            .bind(at.as_millisecond())
            .fetch_optional(&self.reader)
            .await?;
        Ok(found.is_some())
    }
}

fn participant(row: Row) -> Result<ParticipantRow, StoreError> {
    Ok(ParticipantRow {
        external_id: row.external_id,
        identity: row.identity.map(Pii::new),
        channel: row.channel,
        address: row.address.map(Pii::new),
        own_address: row.own_address,
        role: row.role,
        read_index: row.read_index,
        joined_at: row.joined_at.map(|at| timestamp(at, "participant.joined_at")).transpose()?,
    })
}
