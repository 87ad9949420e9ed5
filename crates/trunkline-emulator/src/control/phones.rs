//! `GET /emulator/v1/phones` and what is on one phone.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::Reply;
use crate::clock::iso_millis;
use crate::server::App;
use crate::state::records::{Direction, PhoneMessage};

pub(super) async fn list(State(app): State<App>) -> Reply {
    let phones = app.owner.call(|state| state.phones()).await?;
    Ok(Json(json!({"phones": phones})).into_response())
}

pub(super) async fn messages(State(app): State<App>, Path(address): Path<String>) -> Reply {
    let messages = app.owner.call(move |state| state.phone(&address)).await?;
    let messages: Vec<Value> = messages.iter().map(line).collect();
    Ok(Json(json!({"messages": messages})).into_response())
}

/// One line as lists and streams show it.
pub(super) fn line(message: &PhoneMessage) -> Value {
    let media: Vec<_> = message
        .media
        .iter()
        .map(|file| {
            json!({"sid": file.sid, "filename": file.filename, "content_type": file.content_type, "size": file.size})
        })
        .collect();
    let mut line = json!({
        "direction": match message.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        },
        "from": message.from,
        "to": message.to,
        "body": message.body.as_deref().unwrap_or_default(),
        "media": media,
        "status": message.status.as_str(),
        "conversation_sid": message.conversation_sid,
        "message_sid": message.message_sid,
        "at": iso_millis(message.at),
    });
    if let (Some(code), Value::Object(fields)) = (message.error_code, &mut line) {
        fields.insert("error_code".to_owned(), json!(code));
    }
    line
}
