//! `POST /api/v1/conversations/{id}/messages`: an operator, or a program, says something in a conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use trunkline_core::{Pii, derived_name};
use trunkline_store::{Content, ConversationRow, NewCommand, StoreError};

use super::egress::{MAX_WORD_BYTES, bounded, check_content, kept};
use super::failure::Failure;
use super::{BusApi, codes};
use crate::pipeline::{Limits, is_taken, limits, split, submit};
use crate::telemetry::traceparent;

/// Who speaks when no author is named.
const AUTHOR: &str = "operator";

/// Texts that one word of the operator answers.
const MAX_ANSWERED: u32 = 500;

/// What to say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// The text, or what the history shows of a template.
    #[serde(default)]
    text: String,
    content_sid: Option<String>,
    #[serde(default)]
    content_variables: BTreeMap<String, String>,
    /// A file, by the hash under which it is kept (`POST /api/v1/media`).
    media_sha256: Option<String>,
    /// Names the wish: the same one is carried out once.
    id: Option<String>,
    author: Option<String>,
}

/// What became of it.
#[derive(Serialize)]
pub(super) struct Taken {
    outbox_id: String,
    /// False if the same wish was taken before.
    new: bool,
}

/// 202: it is on disk and will be sent once. 409 with `compliance.opted_out` or `compliance.window_closed`: it will not.
pub(super) async fn accept(
    State(api): State<Arc<BusApi>>,
    Path(conversation): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Taken>), Failure> {
    let body = body.map_err(|rejection| Failure(rejection.status(), codes::BAD_REQUEST, rejection.body_text()))?;
    let wish: Wish = serde_json::from_slice(&body).map_err(|_| {
        Failure::bad("the body is not an object with text, content_sid, content_variables, media_sha256, id, author")
    })?;
    for (what, word) in [("id", &wish.id), ("author", &wish.author)] {
        if word.as_ref().is_some_and(|word| word.is_empty() || word.len() > MAX_WORD_BYTES) {
            return Err(Failure::bad(format!("{what}: must have 1 to {MAX_WORD_BYTES} bytes")));
        }
    }
    let row = api.context.store.conversation(&conversation).await?;
    let row = row.ok_or(StoreError::NotFound { what: "conversation" })?;
    let Some(connector) = api.context.connectors.named(&row.connector) else {
        let why = "the connector of this conversation is switched off";
        return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, codes::UNKNOWN_CONNECTOR, why.to_owned()));
    };
    let outbox_id = wish.id.map_or_else(fresh, |id| named(&row.id, &id));
    let is_taken = is_taken(&api.context, &outbox_id).await?;
    if row.state == "closed" && !is_taken {
        let why = "the conversation is closed; the next message of the person opens another one";
        return Err(Failure(StatusCode::CONFLICT, codes::CLOSED, why.to_owned()));
    }
    let media = kept(&api, wish.media_sha256.as_deref(), connector.as_ref()).await?;
    if wish.text.trim().is_empty() && wish.content_sid.is_none() && media.is_none() {
        let why = "text: is blank, and neither content_sid nor media_sha256 is given";
        return Err(Failure(StatusCode::BAD_REQUEST, codes::NOTHING_TO_SAY, why.to_owned()));
    }
    // What the history shows of a template is one text; anything else is split, as answers are.
    let mut parts = if wish.content_sid.is_some() {
        bounded("text", &wish.text, connector.max_text_chars())?;
        Vec::new()
    } else {
        let limits = limits(&api.context, &row);
        // Nothing that somebody wrote on purpose is left out.
        let parts = split(&wish.text, Limits { parts: limits.parts.saturating_add(1), ..limits });
        if parts.len() > limits.parts {
            let why = format!("text: needs more than {} messages", limits.parts);
            return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, codes::TEXT_TOO_LONG, why));
        }
        parts
    };
    let first = if parts.is_empty() { wish.text } else { parts.remove(0) };
    let content = wish.content_sid.map(|sid| Content { sid, variables: Pii::new(wish.content_variables) });
    check_content(content.as_ref(), connector.as_ref())?;
    let in_reply_to =
        if is_taken { api.context.store.answered_by(&outbox_id).await? } else { answered(&api, &row).await? };
    let command = NewCommand {
        outbox_id,
        connector: row.connector,
        conversation: row.external_id,
        in_reply_to,
        body: Pii::new(first),
        more: parts.into_iter().map(Pii::new).collect(),
        content,
        media,
        author: wish.author.unwrap_or_else(|| AUTHOR.to_owned()),
        traceparent: traceparent(),
    };
    let adopted = submit(&api.context, &command).await?;
    Ok((StatusCode::ACCEPTED, Json(Taken { outbox_id: command.outbox_id, new: adopted.is_new })))
}

/// The texts that this answers, as their connector names them: where a person of ours answers, what waits.
async fn answered(api: &BusApi, row: &ConversationRow) -> Result<Vec<String>, StoreError> {
    if row.handed_over_at.is_none() {
        return Ok(Vec::new());
    }
    let waiting = api.context.store.waiting(&row.id, MAX_ANSWERED).await?;
    Ok(waiting.into_iter().filter_map(|message| message.external_id).collect())
}

fn fresh() -> String {
    format!("message-{:032x}", rand::random::<u128>())
}

/// The same for the same name in the same conversation.
fn named(conversation: &str, id: &str) -> String {
    format!("message-{}", derived_name(format!("{conversation}\0{id}")))
}
