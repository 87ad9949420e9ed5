//! Commands in: each becomes a row of the outbox before it is accepted.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::Serialize;
use trunkline_core::event::{SEND_MESSAGE, SendMessage};
use trunkline_core::messaging::ErrorCode;
use trunkline_core::{Envelope, Pii, derived_name};
use trunkline_store::{Content, MediaRow, NewCommand};

use super::failure::Failure;
use super::{BusApi, codes};
use crate::config::is_content_sid;
use crate::connectors::Connector;
use crate::connectors::codes::NO_FILES;
use crate::media::is_hash;
use crate::pipeline::submit;

/// The longest `id`, `source`, name of a conversation and name of a message, in bytes.
pub(super) const MAX_WORD_BYTES: usize = 200;
/// Messages that one command may answer.
const MAX_ANSWERED: usize = 50;
/// What a template may have filled in: places, and bytes of their names and values.
const MAX_PLACES: usize = 100;
const MAX_PLACES_BYTES: usize = 16 << 10;

/// What became of a command.
#[derive(Serialize)]
pub(super) struct Accepted {
    /// The row of the outbox.
    outbox_id: String,
    /// False if the same command was accepted before.
    new: bool,
}

/// `POST /api/v1/bus/egress`: accepts a `message.send.v1`. 202 says that it is on disk and will be carried out once.
pub(super) async fn accept(
    State(api): State<Arc<BusApi>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Accepted>), Failure> {
    let body = body.map_err(|rejection| Failure(rejection.status(), codes::BAD_REQUEST, rejection.body_text()))?;
    let envelope = Envelope::from_json(&body)?;
    let send = checked(&api, &envelope)?;
    let outbox_id = outbox_id(&envelope);
    let command = NewCommand {
        outbox_id: outbox_id.clone(),
        media: media_of(&api, &send).await?,
        content: content(&send),
        connector: send.connector,
        conversation: send.conversation,
        in_reply_to: send.in_reply_to,
        body: Pii::new(send.text),
        more: Vec::new(),
        author: envelope.source,
        traceparent: envelope.traceparent,
    };
    let adopted = submit(&api.context, &command).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { outbox_id, new: adopted.is_new })))
}

fn checked(api: &BusApi, envelope: &Envelope) -> Result<SendMessage, Failure> {
    let no_command = |why: String| Failure(StatusCode::BAD_REQUEST, codes::NOT_A_COMMAND, why);
    if envelope.kind != SEND_MESSAGE {
        return Err(no_command(format!("type: must be {SEND_MESSAGE}")));
    }
    let mut send: SendMessage = envelope.data()?;
    if !send.outbox_id.is_empty() {
        return Err(no_command("data.outbox_id: is the gateway's to give; leave it out".to_owned()));
    }
    let words = [("id", &envelope.id), ("source", &envelope.source), ("data.conversation", &send.conversation)];
    for (what, word) in words.into_iter().chain(send.in_reply_to.iter().map(|word| ("data.in_reply_to", word))) {
        if word.is_empty() || word.len() > MAX_WORD_BYTES {
            return Err(Failure::bad(format!("{what}: must have 1 to {MAX_WORD_BYTES} bytes")));
        }
    }
    if send.in_reply_to.len() > MAX_ANSWERED {
        return Err(Failure::bad(format!("data.in_reply_to: names more than {MAX_ANSWERED} messages")));
    }
    send.in_reply_to.sort_unstable();
    send.in_reply_to.dedup();
    if send.text.trim().is_empty() {
        send.text.clear();
        if send.in_reply_to.is_empty() && send.content_sid.is_none() && send.media_sha256.is_none() {
            let why = "data.text: is blank, and data.in_reply_to names no message that is answered by that";
            return Err(Failure(StatusCode::BAD_REQUEST, codes::NOTHING_TO_SAY, why.to_owned()));
        }
    }
    let Some(connector) = api.context.connectors.named(&send.connector) else {
        let why = "data.connector: this gateway has no connector of that name; use the source of the text's envelope";
        return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, codes::UNKNOWN_CONNECTOR, why.to_owned()));
    };
    bounded("data.text", &send.text, connector.max_text_chars())?;
    check_content(content(&send).as_ref(), connector.as_ref())?;
    Ok(send)
}

/// A text that one message takes.
pub(super) fn bounded(what: &str, text: &str, most: usize) -> Result<(), Failure> {
    if text.chars().count() <= most {
        return Ok(());
    }
    let why = format!("{what}: has more than {most} characters, which is what one message takes");
    Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, codes::TEXT_TOO_LONG, why))
}

async fn media_of(api: &BusApi, send: &SendMessage) -> Result<Option<MediaRow>, Failure> {
    match api.context.connectors.named(&send.connector) {
        Some(connector) => kept(api, send.media_sha256.as_deref(), connector.as_ref()).await,
        None => Ok(None),
    }
}

/// The file with this hash, if one is named. One that cannot be sent is the contract's `ErrCodeInvalidMessage`.
pub(super) async fn kept(
    api: &BusApi,
    hash: Option<&str>,
    connector: &dyn Connector,
) -> Result<Option<MediaRow>, Failure> {
    let Some(hash) = hash else { return Ok(None) };
    let invalid =
        |why: &str| Failure(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::InvalidMessage.as_str(), why.to_owned());
    match connector.takes_files() {
        Ok(()) => {}
        Err(error) if error.code == NO_FILES => return Err(invalid("this connector sends no files")),
        Err(error) => return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, error.code, error.message)),
    }
    let found = if is_hash(hash) { api.context.store.media(hash).await? } else { None };
    found.map(Some).ok_or_else(|| invalid("media_sha256: there is no such file; send it to /api/v1/media first"))
}

/// A template that the connector can send.
pub(super) fn check_content(content: Option<&Content>, connector: &dyn Connector) -> Result<(), Failure> {
    let Some(content) = content else { return Ok(()) };
    let places = content.variables.expose();
    let bytes: usize = places.iter().map(|(name, value)| name.len() + value.len()).sum();
    let why = if !connector.takes_templates() {
        "this connector sends no templates".to_owned()
    } else if !is_content_sid(&content.sid) {
        "content_sid: must be HX and 32 hexadecimal digits".to_owned()
    } else if places.len() > MAX_PLACES || bytes > MAX_PLACES_BYTES {
        format!("content_variables: more than {MAX_PLACES} places, or {MAX_PLACES_BYTES} bytes in them")
    } else {
        return Ok(());
    };
    Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, codes::BAD_TEMPLATE, why))
}

fn content(send: &SendMessage) -> Option<Content> {
    let sid = send.content_sid.clone()?;
    Some(Content { sid, variables: Pii::new(send.content_variables.clone()) })
}

/// The same for the same `source` and `id`, which is what makes two CloudEvents one.
fn outbox_id(envelope: &Envelope) -> String {
    format!("command-{}", derived_name(format!("{}\0{}", envelope.source, envelope.id)))
}
