//! What is said to the server, and what it says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{NAME, OpenAiRealtime};
use crate::SpeechError;
use crate::dialogue::DialogueRequest;

/// The longest instructions, in bytes.
const MAX_INSTRUCTIONS_BYTES: usize = 64 << 10;
/// What was said before, at most: the newest is sent.
const MAX_HISTORY: usize = 50;

/// The functions that the model may call.
pub(super) const HANG_UP: &str = "hang_up";
pub(super) const HAND_OVER: &str = "hand_over";

/// What is sent first: the session's settings, then what was said before, then the wish to be greeted.
pub(super) struct Opening {
    pub(super) session: String,
    pub(super) before: Vec<String>,
    pub(super) greets: bool,
}

pub(super) fn opening(engine: &OpenAiRealtime, request: &DialogueRequest) -> Result<Opening, SpeechError> {
    if request.instructions.len() > MAX_INSTRUCTIONS_BYTES {
        let limit = format!("{MAX_INSTRUCTIONS_BYTES} bytes");
        return Err(SpeechError::TooLong { what: "the model's instructions", limit });
    }
    let mut tools = vec![tool(HANG_UP, "Ends the call, once the caller has nothing more to say. Say goodbye first.")];
    if request.may_hand_over {
        tools.push(tool(HAND_OVER, "Connects the caller with a person, if they ask for one. Tell them so first."));
    }
    let format = json!({ "type": "audio/pcmu" });
    let session = json!({
        "type": "session.update",
        "session": {
            "type": "realtime",
            "model": engine.model,
            "instructions": request.instructions,
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": format,
                    "transcription": { "model": engine.transcription_model },
                    "turn_detection": {
                        "type": "server_vad",
                        "create_response": true,
                        "interrupt_response": false,
                    },
                },
                "output": { "format": format, "voice": engine.voice },
            },
            "tools": tools,
            "tool_choice": "auto",
        },
    });
    let too_old = request.history.len().saturating_sub(MAX_HISTORY);
    let before =
        request.history.iter().skip(too_old).map(|(is_person, words)| item(*is_person, words.expose())).collect();
    Ok(Opening { session: session.to_string(), before, greets: request.greets })
}

/// Something that was said, or is said by writing.
pub(super) fn item(is_person: bool, text: &str) -> String {
    let (role, kind) = if is_person { ("user", "input_text") } else { ("assistant", "output_text") };
    let content = json!([{ "type": kind, "text": text }]);
    json!({
        "type": "conversation.item.create",
        "item": { "type": "message", "role": role, "content": content },
    })
    .to_string()
}

fn tool(name: &str, description: &str) -> Value {
    json!({
        "type": "function",
        "name": name,
        "description": description,
        "parameters": { "type": "object", "properties": {} },
    })
}

/// What came of a function that the model called.
pub(super) fn called(call: &str, is_known: bool) -> String {
    let output = json!({ "ok": is_known }).to_string();
    json!({
        "type": "conversation.item.create",
        "item": { "type": "function_call_output", "call_id": call, "output": output },
    })
    .to_string()
}

pub(super) fn create_response() -> String {
    json!({ "type": "response.create" }).to_string()
}

pub(super) fn cancel() -> String {
    json!({ "type": "response.cancel" }).to_string()
}

pub(super) fn truncate(item: &str, content_index: u32, heard: Duration) -> String {
    let heard_ms = u64::try_from(heard.as_millis()).unwrap_or(u64::MAX);
    json!({
        "type": "conversation.item.truncate",
        "item_id": item,
        "content_index": content_index,
        "audio_end_ms": heard_ms,
    })
    .to_string()
}

/// Sound of the person. Written by hand: it is the one message that is sent all the time.
pub(super) fn append(audio: &[u8]) -> String {
    let mut message = String::with_capacity(audio.len() * 4 / 3 + 64);
    message.push_str(r#"{"type":"input_audio_buffer.append","audio":""#);
    STANDARD.encode_string(audio, &mut message);
    message.push_str("\"}");
    message
}

/// What the server says. What is not known, or needs nothing, is [`Event::Other`].
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Event {
    #[serde(rename = "session.updated")]
    Updated,
    #[serde(rename = "input_audio_buffer.speech_started")]
    SpeechStarted,
    #[serde(rename = "input_audio_buffer.speech_stopped")]
    SpeechStopped,
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    Heard { transcript: String },
    #[serde(rename = "response.created")]
    ResponseCreated { response: Response },
    #[serde(rename = "response.output_audio.delta", alias = "response.audio.delta")]
    Audio {
        response_id: String,
        item_id: String,
        #[serde(default)]
        content_index: u32,
        #[serde(deserialize_with = "decoded")]
        delta: Bytes,
    },
    #[serde(rename = "response.output_audio_transcript.delta", alias = "response.audio_transcript.delta")]
    Said { response_id: String, item_id: String, delta: String },
    #[serde(rename = "response.output_item.done")]
    ItemDone { item: Item },
    #[serde(rename = "response.done")]
    ResponseDone { response: Response },
    #[serde(rename = "error")]
    Error { error: Problem },
    #[serde(other)]
    Other,
}

/// An item of an answer; of interest are calls of functions.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Item {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    call_id: Option<String>,
}

impl Item {
    /// The function that is called, and the call's name.
    pub(super) fn call(self) -> Option<(String, String)> {
        self.name.zip(self.call_id)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Response {
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    status_details: Option<Value>,
}

impl Response {
    /// Why there is no answer, if there is none for the server's sake.
    pub(super) fn failure(&self) -> Option<SpeechError> {
        if self.status.as_deref() != Some("failed") {
            return None;
        }
        let details = self.status_details.as_ref().and_then(|details| details.get("error"));
        let problem = details.and_then(|error| Problem::deserialize(error).ok()).unwrap_or_default();
        Some(problem.into_error(500))
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Problem {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

impl Problem {
    /// As an error. The API names no HTTP status here; these are what its other endpoints say to the same.
    pub(super) fn into_error(self, otherwise: u16) -> SpeechError {
        let is = |name: &str| self.kind.as_deref() == Some(name) || self.code.as_deref() == Some(name);
        if is("rate_limit_exceeded") || is("rate_limit_error") || is("insufficient_quota") {
            return SpeechError::Unavailable { engine: NAME, status: 429 };
        }
        if is("server_error") {
            return SpeechError::Unavailable { engine: NAME, status: 500 };
        }
        crate::provider::http::by_status(NAME, otherwise)
    }

    /// Whether the session is over with it. Most errors are about one message, and the session goes on.
    pub(super) fn is_the_end(&self) -> bool {
        self.code.as_deref() == Some("session_expired")
    }
}

fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    STANDARD.decode(text.as_bytes()).map(Bytes::from).map_err(|_| serde::de::Error::custom("not Base64"))
}
