//! `POST /emulator/v1/messages`: a person sends a text.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;

use super::Reply;
use crate::error::{self, ApiError};
use crate::messaging;
use crate::rest::Problem;
use crate::server::App;
use crate::state::address::{Address, WHATSAPP};
use crate::state::events::Origin;
use crate::state::{Answer, MediaFields, Mutation, Text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    from: String,
    /// The account's number if unset.
    to: Option<String>,
    body: Option<String>,
    media: Option<Vec<File>>,
    #[serde(default)]
    channel: Channel,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Channel {
    #[default]
    Sms,
    Whatsapp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    content_type: String,
    filename: Option<String>,
    /// Base64.
    data: String,
}

pub(super) async fn send(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Reply {
    let body = body.map_err(|_| Problem(error::TOO_LARGE))?;
    let request: Request = serde_json::from_slice(&body).map_err(|_| ApiError::parameter("body is not such a text"))?;
    let text = text(request, &app.account.phone_number)?;
    let origin = Origin::Channel(text.from.source());
    match app.mutate(Mutation::Text(text), origin).await? {
        Answer::Text(answer) => {
            messaging::answer(&app, answer.channel_message_sid);
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
        _ => Err(Problem(ApiError::new(500, 20500, "Internal Server Error"))),
    }
}

fn text(request: Request, own_number: &str) -> Result<Text, ApiError> {
    let channel = request.channel;
    let from = address(&request.from, channel).ok_or_else(|| ApiError::parameter("from"))?;
    // The sender's own prefix says enough.
    let channel = if matches!(from, Address::WhatsApp(_)) { Channel::Whatsapp } else { channel };
    let to = request.to.as_deref().unwrap_or(own_number);
    let to = address(to, channel).ok_or_else(|| ApiError::parameter("to"))?;
    let media = request.media.unwrap_or_default().into_iter().map(|file| {
        let content = STANDARD.decode(&file.data).map_err(|_| ApiError::parameter("media data"))?;
        let File { content_type, filename, .. } = file;
        Ok(MediaFields { content_type, filename, author: Some(from.to_string()), content: content.into() })
    });
    Ok(Text {
        media: media.collect::<Result<_, ApiError>>()?,
        from,
        to,
        body: request.body,
        author: None,
        attributes: None,
        friendly_name: None,
    })
}

/// An address on a channel; a bare number becomes one of that channel.
fn address(text: &str, channel: Channel) -> Option<Address> {
    match channel {
        Channel::Whatsapp if !text.starts_with(WHATSAPP) => format!("{WHATSAPP}{text}").parse().ok(),
        _ => text.parse().ok(),
    }
}

/// Longest text with its files, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 24 * 1024 * 1024;
