//! Messages that go, or go again, as a template.

use sqlx::FromRow;
use trunkline_core::Pii;

use crate::replies::say;
use crate::store::now_ms;
use crate::{Content, Reply, ReplyKind, Say, Store, StoreError};

#[derive(FromRow)]
struct Late {
    id: String,
    conversation_id: String,
    body: String,
    author: String,
    traceparent: Option<String>,
}

impl Store {
    /// Notes that a row is sent as a template.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn set_content(&self, outbox_id: &str, content: &Content) -> Result<(), StoreError> {
        sqlx::query("UPDATE outbox SET content_sid = $2, content_variables = $3, updated_at = $4 WHERE id = $1")
            .bind(outbox_id)
            .bind(&content.sid)
            .bind(content.variables_json())
            .bind(now_ms())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Says a message of ours once more as a template, which `fill` makes of its text: one that the provider calls
    /// `external_id`, was no template and was not said again before. Returns the row of the outbox that says it.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again changes nothing.
    pub async fn say_as_template(
        &self,
        external_id: &str,
        fill: impl FnOnce(&str) -> Content + Send,
    ) -> Result<Option<String>, StoreError> {
        let mut transaction = self.writer.begin().await?;
        let late: Option<Late> = sqlx::query_as(
            "SELECT o.id, o.conversation_id, o.body, m.author, o.traceparent
             FROM message m JOIN outbox o ON o.id = m.outbox_id
             WHERE m.external_id = $1 AND o.content_sid IS NULL AND o.kind <> 'template'",
        )
        .bind(external_id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(late) = late else { return Ok(None) };
        let outbox_id = format!("template-{}", late.id);
        let known: Option<i64> = sqlx::query_scalar("SELECT seq FROM outbox WHERE id = $1")
            .bind(&outbox_id)
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_some() {
            return Ok(None);
        }
        let one = Say { content: Some(fill(&late.body)), ..Say::text(Pii::new(late.body)) };
        let reply = Reply {
            author: late.author,
            kind: ReplyKind::Template,
            traceparent: late.traceparent,
            ..Reply::of(late.conversation_id)
        };
        say(&mut transaction, &reply, &one, &outbox_id, None, now_ms()).await?;
        transaction.commit().await?;
        Ok(Some(outbox_id))
    }
}
