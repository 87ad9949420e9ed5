//! Who wants to hear from us, and until when anything may be said to them.
//!
//! A decision is about one address of ours and one of a person's. The latest one counts, by the time at which the person
//! wrote it: what is read back later does not undo it.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, SqliteConnection, Transaction};
use trunkline_core::Pii;

use crate::replies::say;
use crate::store::{new_id, now_ms, timestamp};
use crate::{Answer, NewInbound, Reply, ReplyKind, Say, Store, StoreError};

/// What a person asks for with a whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// Nothing more, please.
    Stop,
    /// Messages again.
    Start,
    /// Who is this, and how do I stop it?
    Help,
}

/// A keyword, and what is said to it.
#[derive(Debug, Clone)]
pub struct HeardKeyword {
    /// Which.
    pub keyword: Keyword,
    /// Our address that it was written to; `None` if that is not known: then it is about all of them.
    pub sender: Option<String>,
    /// What the person hears; `None` if somebody else tells them.
    pub confirmation: Option<Pii<String>>,
    /// Who speaks.
    pub author: String,
}

/// Whether a person may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// They may.
    Given,
    /// They want nothing from this address of ours.
    Withdrawn,
    /// They want nothing from one of our addresses, and which one this conversation has is not known.
    Unclear,
}

#[derive(FromRow)]
struct Decision {
    sender: String,
    opted_out: bool,
    changed_at: i64,
}

impl Store {
    /// Whether the person of a conversation may be written to.
    ///
    /// # Errors
    /// `store.not_found`, `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn consent(&self, conversation_id: &str) -> Result<Consent, StoreError> {
        let mut reader = self.reader.acquire().await?;
        consent_in(&mut reader, conversation_id).await
    }

    /// Notes that a provider refuses messages to the person of a conversation because they want none.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn consent_withdrawn(&self, conversation_id: &str) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let known: Option<(String, String, Option<String>, Option<i64>)> =
            sqlx::query_as("SELECT connector, address, own_address, last_in_at FROM conversation WHERE id = $1")
                .bind(conversation_id)
                .fetch_optional(&mut *transaction)
                .await?;
        let Some((connector, address, sender, heard)) = known else { return Ok(()) };
        let place = Place { connector: &connector, address: &address, sender: sender.as_deref().unwrap_or_default() };
        // By the provider's clock: what the person writes from now on is later, whatever ours says.
        decide(&mut transaction, &place, true, "provider", heard.unwrap_or_else(now_ms)).await?;
        nothing_waits(&mut transaction, conversation_id).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes which address of ours a conversation has.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted.
    pub async fn set_sender(&self, conversation_id: &str, sender: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE conversation SET own_address = $2 WHERE id = $1 AND (own_address IS NULL OR own_address <> $2)",
        )
        .bind(conversation_id)
        .bind(sender)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Our address in a conversation, if it is known.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn sender_of(&self, conversation_id: &str) -> Result<Option<String>, StoreError> {
        let sender: Option<Option<String>> = sqlx::query_scalar("SELECT own_address FROM conversation WHERE id = $1")
            .bind(conversation_id)
            .fetch_optional(&self.reader)
            .await?;
        Ok(sender.flatten())
    }

    /// When the person of a conversation last wrote to us, in it or in another one with the same address of ours.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn last_heard(&self, conversation_id: &str) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT max(c.last_in_at) FROM conversation c JOIN conversation this ON this.id = $1
             WHERE c.connector = this.connector AND c.address = this.address
               AND (c.id = this.id OR c.own_address = this.own_address)",
        )
        .bind(conversation_id)
        .fetch_one(&self.reader)
        .await?;
        at.map(|at| timestamp(at, "conversation.last_in_at")).transpose()
    }
}

/// Addresses of a person and of ours.
struct Place<'a> {
    connector: &'a str,
    address: &'a str,
    sender: &'a str,
}

async fn consent_in(connection: &mut SqliteConnection, conversation_id: &str) -> Result<Consent, StoreError> {
    let decisions: Vec<Decision> = sqlx::query_as(
        "SELECT d.sender, d.opted_out, d.changed_at FROM consent d JOIN conversation c ON c.id = $1
         WHERE d.connector = c.connector AND d.address = c.address",
    )
    .bind(conversation_id)
    .fetch_all(&mut *connection)
    .await?;
    if decisions.iter().all(|decision| !decision.opted_out) {
        return Ok(Consent::Given);
    }
    let sender: Option<Option<String>> = sqlx::query_scalar("SELECT own_address FROM conversation WHERE id = $1")
        .bind(conversation_id)
        .fetch_optional(connection)
        .await?;
    let Some(sender) = sender.flatten() else { return Ok(Consent::Unclear) };
    let about = decisions.iter().filter(|decision| decision.sender.is_empty() || decision.sender == sender);
    let latest = about.max_by_key(|decision| decision.changed_at);
    Ok(if latest.is_some_and(|decision| decision.opted_out) { Consent::Withdrawn } else { Consent::Given })
}

/// Notes a decision, unless a later one is known. Returns whether it changed anything.
async fn decide(
    transaction: &mut Transaction<'_, Sqlite>,
    place: &Place<'_>,
    opted_out: bool,
    told_by: &str,
    at: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO consent (connector, address, sender, opted_out, told_by, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (connector, address, sender) DO UPDATE
             SET opted_out = $4, told_by = $5, changed_at = $6 WHERE consent.changed_at <= $6",
    )
    .bind(place.connector)
    .bind(place.address)
    .bind(place.sender)
    .bind(opted_out)
    .bind(told_by)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whoever wants nothing more gets no answer to what they wrote before either.
async fn nothing_waits(transaction: &mut Transaction<'_, Sqlite>, conversation_id: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE message SET answer = 'history', updated_at = $2 WHERE conversation_id = $1 AND answer = 'waiting'",
    )
    .bind(conversation_id)
    .bind(now_ms())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What becomes of a new message, by what its person has decided and by the keyword that it may be. It is recorded
/// already, and `asked` to be so. With the row of the outbox that confirms the keyword, if one does.
pub(crate) async fn heed(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
    message_id: &str,
    inbound: &NewInbound,
    asked: Answer,
) -> Result<(Answer, Option<String>), StoreError> {
    if let Some(sender) = inbound.keyword.as_ref().and_then(|heard| heard.sender.as_ref()) {
        sqlx::query("UPDATE conversation SET own_address = $2 WHERE id = $1")
            .bind(conversation_id)
            .bind(sender)
            .execute(&mut **transaction)
            .await?;
    }
    let is_out = consent_in(transaction, conversation_id).await? != Consent::Given;
    let Some(heard) = &inbound.keyword else {
        return Ok((if is_out { Answer::History } else { asked }, None));
    };
    let address = inbound.from.to_wire();
    let sender = heard.sender.as_deref().unwrap_or_default();
    let place = Place { connector: &inbound.connector, address: &address, sender };
    let at = inbound.created_at.as_millisecond();
    match heard.keyword {
        Keyword::Stop => {
            let is_new = decide(transaction, &place, true, "person", at).await? && !is_out;
            nothing_waits(transaction, conversation_id).await?;
            if !is_new {
                return Ok((Answer::History, None));
            }
        }
        Keyword::Start if is_out => {
            if !decide(transaction, &place, false, "person", at).await? {
                return Ok((Answer::History, None));
            }
        }
        Keyword::Help if !is_out => {}
        Keyword::Start => return Ok((asked, None)),
        Keyword::Help => return Ok((Answer::History, None)),
    }
    let Some(confirmation) = heard.confirmation.as_ref().filter(|_| asked == Answer::Waiting) else {
        return Ok((Answer::History, None));
    };
    let outbox_id = new_id();
    sqlx::query("UPDATE message SET answered_by = $2 WHERE id = $1")
        .bind(message_id)
        .bind(&outbox_id)
        .execute(&mut **transaction)
        .await?;
    let reply = Reply {
        author: heard.author.clone(),
        kind: ReplyKind::Keyword,
        traceparent: inbound.traceparent.clone(),
        ..Reply::of(conversation_id)
    };
    say(transaction, &reply, &Say::text(confirmation.clone()), &outbox_id, None, now_ms()).await?;
    Ok((Answer::Answered, Some(outbox_id)))
}
