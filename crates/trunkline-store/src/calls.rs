//! Calls: when they were, what was said, how they ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use trunkline_core::voice::CallDirection;
use trunkline_core::{ContactAddress, Pii};

use crate::contacts::contact_of;
use crate::memory::remember_of_contact;
use crate::store::{now_ms, timestamp};
use crate::{Store, StoreError};

/// The outcome of a call that lived when its gateway was killed.
pub const OUTCOME_LOST: &str = "lost";

/// A call that begins.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// The session's name.
    pub id: String,
    /// Who brings it.
    pub connector: String,
    /// The connector's name for it.
    pub external_id: String,
    /// The person.
    pub address: ContactAddress,
    /// Who called whom.
    pub direction: CallDirection,
    /// W3C trace context of the call.
    pub traceparent: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// The session's name.
    pub id: String,
    /// The connector's name for it.
    pub external_id: String,
    /// The person.
    pub contact_id: String,
    /// Their address.
    pub address: Pii<String>,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// Why it ended; none while it lives.
    pub outcome: Option<String>,
    /// The name of its recording's file.
    pub recording: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What was said at one turn of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTurn {
    /// Its number in the call.
    pub number: i64,
    /// `answer`, `announcement`, `reprompt` or `goodbye`.
    pub kind: String,
    /// When it began, in milliseconds since the call's start.
    pub at_ms: i64,
    /// What the person said; empty where they were silent.
    pub person: Pii<String>,
    /// What of the reply was heard.
    pub agent: Pii<String>,
    /// From the end of the person's speech to the first sound, in milliseconds.
    pub latency_ms: Option<i64>,
    /// Whether the person spoke over it.
    pub interrupted: bool,
}

#[derive(FromRow)]
struct RawCall {
    id: String,
    external_id: String,
    contact_id: String,
    address: String,
    direction: String,
    outcome: Option<String>,
    recording: Option<String>,
    started_at: i64,
    ended_at: Option<i64>,
}

impl TryFrom<RawCall> for CallRow {
    type Error = StoreError;

    fn try_from(raw: RawCall) -> Result<Self, StoreError> {
        Ok(Self {
            id: raw.id,
            external_id: raw.external_id,
            contact_id: raw.contact_id,
            address: Pii::new(raw.address),
            direction: raw.direction,
            outcome: raw.outcome,
            recording: raw.recording,
            started_at: timestamp(raw.started_at, "started_at")?,
            ended_at: raw.ended_at.map(|at| timestamp(at, "ended_at")).transpose()?,
        })
    }
}

#[derive(FromRow)]
struct RawTurn {
    number: i64,
    kind: String,
    at_ms: i64,
    person: String,
    agent: String,
    latency_ms: Option<i64>,
    interrupted: bool,
}

impl From<RawTurn> for CallTurn {
    fn from(raw: RawTurn) -> Self {
        Self {
            number: raw.number,
            kind: raw.kind,
            at_ms: raw.at_ms,
            person: Pii::new(raw.person),
            agent: Pii::new(raw.agent),
            latency_ms: raw.latency_ms,
            interrupted: raw.interrupted,
        }
    }
}

macro_rules! select_calls {
    ($rest:literal) => {
        concat!(
            "SELECT id, external_id, contact_id, address, direction, outcome, recording, started_at, ended_at FROM call ",
            $rest
        )
    };
}

impl Store {
    /// Records that a call begins, or goes on after it was with somebody else; makes its contact. Returns the contact, and
    /// the number of the last turn that is kept of the call.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been recorded; recording it again is harmless.
    pub async fn begin_call(&self, call: &NewCall) -> Result<(String, i64), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let contact_id = contact_of(&mut transaction, &call.address).await?;
        sqlx::query(
            "INSERT INTO call (id, connector, external_id, contact_id, address, direction, traceparent, started_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (id) DO UPDATE SET outcome = NULL, ended_at = NULL",
        )
        .bind(&call.id)
        .bind(&call.connector)
        .bind(&call.external_id)
        .bind(&contact_id)
        .bind(call.address.address())
        .bind(call.direction.as_str())
        .bind(&call.traceparent)
        .bind(call.started_at.as_millisecond())
        .execute(&mut *transaction)
        .await?;
        let turns: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM call_turn WHERE call_id = $1")
            .bind(&call.id)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok((contact_id, turns))
    }

    /// Keeps a turn, in the place of what was kept under its number, and what the agent chose to remember at it.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been kept; keeping it again is harmless.
    pub async fn keep_call_turn(
        &self,
        call_id: &str,
        contact_id: &str,
        turn: &CallTurn,
        memories: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        sqlx::query(
            "INSERT INTO call_turn (call_id, number, kind, at_ms, person, agent, latency_ms, interrupted)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (call_id, number) DO UPDATE SET person = excluded.person, agent = excluded.agent,
                 latency_ms = excluded.latency_ms, interrupted = excluded.interrupted",
        )
        .bind(call_id)
        .bind(turn.number)
        .bind(&turn.kind)
        .bind(turn.at_ms)
        .bind(turn.person.expose())
        .bind(turn.agent.expose())
        .bind(turn.latency_ms)
        .bind(turn.interrupted)
        .execute(&mut *transaction)
        .await?;
        remember_of_contact(&mut transaction, contact_id, memories).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Records how a call ended; the first end counts.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been recorded; recording it again is harmless.
    pub async fn end_call(&self, call_id: &str, outcome: &str, recording: Option<&str>) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE call SET outcome = $2, recording = COALESCE($3, recording), ended_at = $4
             WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(call_id)
        .bind(outcome)
        .bind(recording)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Ends what an earlier run left open: those calls are lost. Returns how many.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn end_lost_calls(&self) -> Result<u64, StoreError> {
        let ended = sqlx::query("UPDATE call SET outcome = $1, ended_at = $2 WHERE ended_at IS NULL")
            .bind(OUTCOME_LOST)
            .bind(now_ms())
            .execute(&self.writer)
            .await?;
        Ok(ended.rows_affected())
    }

    /// A call by the session's name.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn call(&self, call_id: &str) -> Result<Option<CallRow>, StoreError> {
        let raw: Option<RawCall> =
            sqlx::query_as(select_calls!("WHERE id = $1")).bind(call_id).fetch_optional(&self.reader).await?;
        raw.map(CallRow::try_from).transpose()
    }

    /// Calls that are over, the latest first; `before` is the start in milliseconds and the name of the last one of the
    /// page before.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn past_calls(&self, limit: u32, before: Option<(i64, &str)>) -> Result<Vec<CallRow>, StoreError> {
        let (at, id) = before.unwrap_or((i64::MAX, ""));
        let sql = select_calls!(
            "WHERE ended_at IS NOT NULL AND (started_at < $1 OR (started_at = $1 AND id < $2))
             ORDER BY started_at DESC, id DESC LIMIT $3"
        );
        let rows: Vec<RawCall> = sqlx::query_as(sql).bind(at).bind(id).bind(limit).fetch_all(&self.reader).await?;
        rows.into_iter().map(CallRow::try_from).collect()
    }

    /// The calls of a person, the latest first: at most `limit`.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn calls_of(&self, contact_id: &str, limit: u32) -> Result<Vec<CallRow>, StoreError> {
        let sql = select_calls!("WHERE contact_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2");
        let rows: Vec<RawCall> = sqlx::query_as(sql).bind(contact_id).bind(limit).fetch_all(&self.reader).await?;
        rows.into_iter().map(CallRow::try_from).collect()
    }

    /// The first words of the person in each of these calls, at most 160 characters; of those in which they said some.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn first_words_of_calls(&self, calls: &[&str]) -> Result<BTreeMap<String, Pii<String>>, StoreError> {
        // One parameter however many calls there are.
        let ids = serde_json::to_string(calls).unwrap_or_default();
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT t.call_id, substr(t.person, 1, 160) FROM call_turn t
             JOIN (SELECT call_id, MIN(number) AS number FROM call_turn
                   WHERE person <> '' AND call_id IN (SELECT value FROM json_each($1)) GROUP BY call_id) f
             ON f.call_id = t.call_id AND f.number = t.number",
        )
        .bind(ids)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(call, words)| (call, Pii::new(words))).collect())
    }

    /// What was said in a call, in order.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn call_turns(&self, call_id: &str) -> Result<Vec<CallTurn>, StoreError> {
        let rows: Vec<RawTurn> = sqlx::query_as(
            "SELECT number, kind, at_ms, person, agent, latency_ms, interrupted FROM call_turn
             WHERE call_id = $1 ORDER BY number",
        )
        .bind(call_id)
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(CallTurn::from).collect())
    }

    /// What was said with a contact on any channel, oldest first: the latest `limit` of it. Whether the person said it,
    /// and the words.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn said_with(&self, contact_id: &str, limit: u32) -> Result<Vec<(bool, Pii<String>)>, StoreError> {
        let mut rows: Vec<(bool, String)> = sqlx::query_as(
            "SELECT is_person, text FROM (
                 SELECT m.direction = 'in' AS is_person, m.body AS text, m.created_at AS at, m.place AS place
                 FROM message m JOIN conversation c ON c.id = m.conversation_id
                 WHERE c.contact_id = $1 AND m.status <> 'failed'
                 UNION ALL
                 SELECT TRUE, t.person, k.started_at + t.at_ms, 2 * t.number
                 FROM call_turn t JOIN call k ON k.id = t.call_id WHERE k.contact_id = $1
                 UNION ALL
                 SELECT FALSE, t.agent, k.started_at + t.at_ms, 2 * t.number + 1
                 FROM call_turn t JOIN call k ON k.id = t.call_id WHERE k.contact_id = $1
             ) WHERE text <> '' ORDER BY at DESC, place DESC LIMIT $2",
        )
        .bind(contact_id)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.reverse();
        Ok(rows.into_iter().map(|(is_person, text)| (is_person, Pii::new(text))).collect())
    }
}
