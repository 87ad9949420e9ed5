//! Who wants to hear from us, and until when anything may be said to them.
//!
//! A decision is about one address of ours and one of a person's. The latest one counts, by the time at which the person
//! wrote it: what is read back later does not undo it.

use jiff::Timestamp;
use sqlx::{FromRow, Sqlite, SqliteConnection, Transaction};
use trunkline_core::Pii;

use crate::replies::say;
use crate::store::{new_id, now_ms, timestamp};
use crate::{Answer, NewInbound, Reply, ReplyKind, Say, Store, StoreError, scheduled};

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

/// A keyword, and what is said to it. It is about the address of ours that the message went to; where that is not known,
/// about all of them.
#[derive(Debug, Clone)]
pub struct HeardKeyword {
    /// Which.
    pub keyword: Keyword,
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

    /// Whether a person with this address wants nothing from one of our addresses at least.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn has_ever_opted_out(&self, address: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM consent WHERE address = $1 AND opted_out LIMIT 1";
        let found: Option<i64> = sqlx::query_scalar(sql).bind(address).fetch_optional(&self.reader).await?;
        Ok(found.is_some() || self.opted_out_and_erased(address).await?)
    }

    /// Notes that a provider refuses messages to the person of a conversation because they want none. With a
    /// `participant`, whose messages those are: nothing is noted of anybody else in the conversation. Nor is it where it
    /// is not known which address of ours is meant.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn consent_withdrawn(&self, conversation_id: &str, participant: Option<&str>) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin().await?;
        let known: Option<(String, Option<String>, Option<i64>, bool)> = sqlx::query_as(
            "SELECT c.address, COALESCE(c.own_address, p.own_address), c.last_in_at, $2 IS NULL OR p.address IS NOT NULL
             FROM conversation c
             LEFT JOIN participant p ON p.connector = c.connector AND p.conversation = c.external_id
                                    AND p.external_id = $2 AND p.address = c.address
             WHERE c.id = $1",
        )
        .bind(conversation_id)
        .bind(participant)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((address, Some(sender), heard, true)) = known else { return Ok(()) };
        let place = Place { address: &address, sender: &sender };
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
    address: &'a str,
    sender: &'a str,
}

async fn consent_in(connection: &mut SqliteConnection, conversation_id: &str) -> Result<Consent, StoreError> {
    let decisions: Vec<Decision> = sqlx::query_as(
        "SELECT d.sender, d.opted_out, d.changed_at FROM consent d JOIN conversation c ON c.id = $1
         WHERE d.address = c.address",
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
        "INSERT INTO consent (address, sender, opted_out, told_by, changed_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (address, sender) DO UPDATE SET opted_out = $3, told_by = $4, changed_at = $5
             WHERE consent.changed_at < $5 OR (consent.changed_at = $5 AND $4 = 'person')",
    )
    .bind(place.address)
    .bind(place.sender)
    .bind(opted_out)
    .bind(told_by)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whoever wants nothing more gets no answer to what they wrote before either, and nothing that was promised for later.
async fn nothing_waits(transaction: &mut Transaction<'_, Sqlite>, conversation_id: &str) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE message SET answer = 'history', updated_at = $2 WHERE conversation_id = $1 AND answer = 'waiting'",
    )
    .bind(conversation_id)
    .bind(now_ms())
    .execute(&mut **transaction)
    .await?;
    scheduled::take_back(transaction, conversation_id, "opted_out").await
}

/// Nor do they hear what was to be said to a keyword before.
async fn nothing_is_confirmed(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation_id: &str,
) -> Result<(), StoreError> {
    let taken: Vec<String> = sqlx::query_scalar(
        "UPDATE outbox SET state = 'superseded', updated_at = $2
         WHERE conversation_id = $1 AND kind = $3 AND state = 'pending' AND attempts = 0 RETURNING id",
    )
    .bind(conversation_id)
    .bind(now_ms())
    .bind(ReplyKind::Keyword.as_str())
    .fetch_all(&mut **transaction)
    .await?;
    for outbox_id in taken {
        sqlx::query("DELETE FROM message WHERE outbox_id = $1").bind(outbox_id).execute(&mut **transaction).await?;
    }
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
    if let Some(sender) = &inbound.to {
        sqlx::query("UPDATE conversation SET own_address = $2 WHERE id = $1")
            .bind(conversation_id)
            .bind(sender)
            .execute(&mut **transaction)
            .await?;
    }
    // Where it is not clear whether they are, they are answered: before anything is sent it is found out.
    let is_out = consent_in(transaction, conversation_id).await? == Consent::Withdrawn;
    let Some(heard) = &inbound.keyword else {
        return Ok((if is_out { Answer::History } else { asked }, None));
    };
    let address = inbound.from.to_wire();
    let place = Place { address: &address, sender: inbound.to.as_deref().unwrap_or_default() };
    let at = inbound.created_at.as_millisecond();
    match heard.keyword {
        Keyword::Stop => {
            if !decide(transaction, &place, true, "person", at).await? {
                // They have thought better of it since.
                return Ok((Answer::History, None));
            }
            nothing_waits(transaction, conversation_id).await?;
            nothing_is_confirmed(transaction, conversation_id).await?;
            if is_out {
                return Ok((Answer::History, None));
            }
        }
        Keyword::Start => {
            // Noted also of somebody who has not opted out: a STOP from before may still be read back.
            let is_latest = decide(transaction, &place, false, "person", at).await?;
            if !is_out {
                return Ok((asked, None));
            }
            if !is_latest {
                return Ok((Answer::History, None));
            }
        }
        Keyword::Help if !is_out => {}
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
