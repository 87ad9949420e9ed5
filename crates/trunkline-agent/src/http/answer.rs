//! The answer, whole or in pieces, as events of the agent.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream;
use reqwest::Response;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};
use trunkline_core::Pii;
use trunkline_core::turn::{
    DONE_EVENT, END_CALL_EVENT, FILE_EVENT, FileToSend, HAND_OVER_EVENT, REMEMBER_EVENT, Remembered, TEXT_EVENT,
    TextPiece, TurnAnswer,
};

use crate::sse::{Event, Parser};
use crate::{AgentError, AgentEvent, AgentStream};

/// An answer that is one JSON object may have this many bytes.
const MAX_JSON_BYTES: usize = 256 << 10;
/// A streamed answer may have this many bytes, comments included.
const MAX_STREAM_BYTES: usize = 1 << 20;
/// One answer may ask to remember this many things.
const MAX_REMEMBERED: usize = 100;

/// How long one try may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) by: Instant,
    pub(super) all: Duration,
}

impl Patience {
    pub(super) const fn over(&self) -> AgentError {
        AgentError::Timeout(self.all)
    }
}

/// The agent has nothing to say.
pub(super) fn nothing() -> AgentStream {
    Box::pin(stream::empty())
}

/// Reads an answer that is one JSON object.
pub(super) async fn whole(mut response: Response, patience: Patience) -> Result<AgentStream, AgentError> {
    let mut body = Vec::new();
    while let Some(piece) = next_piece(&mut response, patience).await? {
        if body.len() + piece.len() > MAX_JSON_BYTES {
            return Err(AgentError::ReplyTooLong { limit: MAX_JSON_BYTES });
        }
        body.extend_from_slice(&piece);
    }
    let answer: TurnAnswer = object(&body).ok_or(AgentError::Malformed("its body is not an answer in JSON"))?;
    let mut events = Vec::new();
    for (name, value) in answer.remember {
        events.push(Ok(remember(Remembered { name, value }, events.len())?));
    }
    if answer.hand_over {
        events.push(Ok(AgentEvent::HandOver));
    }
    if answer.end_call {
        events.push(Ok(AgentEvent::EndCall));
    }
    events.extend(answer.media.into_iter().map(|hash| Ok(AgentEvent::File(hash))));
    events.extend(answer.text.filter(|text| !text.is_empty()).map(|text| Ok(AgentEvent::Text(Pii::new(text)))));
    Ok(Box::pin(stream::iter(events)))
}

/// An answer in pieces, each as it comes.
pub(super) fn streamed(response: Response, patience: Patience) -> AgentStream {
    let hearing =
        Hearing { response, patience, parser: Parser::default(), heard: VecDeque::new(), bytes: 0, remembered: 0 };
    Box::pin(stream::unfold(Some(hearing), |hearing| async move {
        let mut hearing = hearing?;
        match hearing.next().await {
            Ok(event) => event.map(|event| (Ok(event), Some(hearing))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

/// A stream that is being listened to.
struct Hearing {
    response: Response,
    patience: Patience,
    parser: Parser,
    heard: VecDeque<Event>,
    bytes: usize,
    remembered: usize,
}

impl Hearing {
    /// The next event; `None` when the agent says that it is done.
    async fn next(&mut self) -> Result<Option<AgentEvent>, AgentError> {
        loop {
            let Some(event) = self.heard.pop_front() else {
                let piece = next_piece(&mut self.response, self.patience).await?.ok_or(AgentError::Incomplete)?;
                self.bytes += piece.len();
                if self.bytes > MAX_STREAM_BYTES {
                    return Err(AgentError::ReplyTooLong { limit: MAX_STREAM_BYTES });
                }
                self.parser.take(&piece, &mut self.heard)?;
                continue;
            };
            let event = match event.kind.as_str() {
                TEXT_EVENT => AgentEvent::Text(Pii::new(read::<TextPiece>(&event)?.text)),
                REMEMBER_EVENT => {
                    let event = remember(read(&event)?, self.remembered)?;
                    self.remembered += 1;
                    event
                }
                FILE_EVENT => AgentEvent::File(read::<FileToSend>(&event)?.sha256),
                HAND_OVER_EVENT => AgentEvent::HandOver,
                END_CALL_EVENT => AgentEvent::EndCall,
                DONE_EVENT => return Ok(None),
                _ => {
                    return Err(AgentError::Malformed(
                        "it has an event that is not text, remember, file, hand_over, end_call or done",
                    ));
                }
            };
            return Ok(Some(event));
        }
    }
}

async fn next_piece(response: &mut Response, patience: Patience) -> Result<Option<bytes::Bytes>, AgentError> {
    let piece = timeout_at(patience.by, response.chunk()).await.map_err(|_| patience.over())?;
    piece.map_err(|_| AgentError::Unreachable)
}

fn read<T: DeserializeOwned>(event: &Event) -> Result<T, AgentError> {
    object(event.data.as_bytes()).ok_or(AgentError::Malformed("the data of an event does not fit its type"))
}

/// Reads an object. By itself the reader would also take a list of the fields' values.
fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let fields: Map<String, Value> = serde_json::from_slice(json).ok()?;
    serde_json::from_value(Value::Object(fields)).ok()
}

fn remember(memory: Remembered, before: usize) -> Result<AgentEvent, AgentError> {
    if memory.name.is_empty() || memory.name.starts_with('.') {
        return Err(AgentError::Malformed("the name of a memory is empty or begins with a dot"));
    }
    if before >= MAX_REMEMBERED {
        return Err(AgentError::Malformed("it asks to remember more than 100 things"));
    }
    Ok(AgentEvent::Remember { name: memory.name, value: Pii::new(memory.value) })
}
