//! Facts of the bus as events of workflows: what expressions see, and what an event is about.

use serde_json::{Map, Value, json};
use trunkline_agent::workflow::{EventType, event_of_fact};
use trunkline_core::event::MESSAGE_RECEIVED;
use trunkline_core::{ContactAddress, Envelope, Pii};
use trunkline_store::{ConversationRow, StoreError};

use super::codes;
use crate::pipeline::{Context, record_text};

/// The largest event, in bytes of JSON.
pub(super) const MAX_EVENT_BYTES: usize = 128 << 10;

/// An event.
pub(super) struct Event {
    /// The id of its envelope.
    pub(super) id: String,
    /// The name of its type; `request` or `schedule` for what is no fact.
    pub(super) kind: String,
    /// As expressions see it.
    pub(super) json: Value,
    /// The person's address.
    pub(super) person: Option<String>,
    /// Our name for the person.
    pub(super) contact: Option<String>,
    pub(super) traceparent: Option<String>,
}

impl Event {
    /// An event that is no fact of the bus.
    pub(super) fn of_ours(kind: &str, id: String, time: &str, data: &Value) -> Self {
        let person = data.get("person").and_then(Value::as_str).map(str::to_owned);
        let json = json!({
            "type": kind, "id": id, "source": "trunkline", "subject": "", "time": time, "data": data,
            "person": person.clone().unwrap_or_default(), "contact": "", "conversation": "", "call": "",
        });
        Self { id, kind: kind.to_owned(), json, person, contact: None, traceparent: None }
    }

    /// Names of what it is about, by which a step may wait for it.
    pub(super) fn about(json: &Value) -> Vec<&str> {
        let data = json.get("data");
        let own = ["person", "contact", "conversation", "call", "subject"].map(|name| json.get(name));
        let told = ["conversation", "call", "provider_call", "message", "outbox_id", "from", "address", "identity"];
        let told = told.map(|name| data.and_then(|data| data.get(name)));
        let mut names: Vec<_> =
            own.into_iter().chain(told).flatten().filter_map(Value::as_str).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The provider's name for the call that it is of.
    pub(super) fn provider_call(&self) -> Option<&str> {
        self.json.get("data")?.get("provider_call")?.as_str()
    }
}

/// The type of an envelope's event, if it has one.
pub(super) fn kind_of(envelope: &Envelope) -> Option<&'static EventType> {
    // Only this fact tells by its data which event it is.
    let is_new = envelope.kind == "conversation.changed.v1"
        && envelope.data::<Value>().is_ok_and(|data| data.get("created") == Some(&Value::Bool(true)));
    event_of_fact(&envelope.kind, is_new)
}

/// The event that an envelope brings; `None` if nobody can read it, which is told.
///
/// # Errors
/// What the store refuses.
///
/// # Cancel safety
/// Cancel-safe.
pub(super) async fn read(
    context: &Context,
    envelope: &Envelope,
    kind: &'static EventType,
) -> Result<Option<Event>, StoreError> {
    let data = match envelope.data::<Value>() {
        Ok(Value::Object(data)) if data_bytes(&data) <= MAX_EVENT_BYTES => data,
        Ok(Value::Object(_)) => {
            tracing::warn!(error.code = codes::EVENT_TOO_LARGE, event = kind.name, "an event starts no workflow");
            return Ok(None);
        }
        // Whoever records it makes it a dead letter.
        _ => return Ok(None),
    };
    if envelope.kind == MESSAGE_RECEIVED {
        // Recorded before a workflow hears of it: then it can answer at once. Mostly the lanes were faster, and looking is
        // cheaper than writing.
        let message = data.get("metadata").and_then(|metadata| metadata.get("message")).and_then(Value::as_str);
        if !context.store.is_recorded(&envelope.source, message.unwrap_or_default()).await? {
            record_text(context, envelope).await?;
        }
    }
    let conversation = conversation(context, envelope, &data).await?;
    let person = person(&data, conversation.as_ref());
    let contact = match (&conversation, &person) {
        (Some(row), _) => Some(row.contact_id.clone()),
        (None, Some(person)) => match address(kind, person) {
            Some(address) => context.store.contact_at(address.address()).await?,
            None => None,
        },
        (None, None) => None,
    };
    let call = data.get("call").and_then(Value::as_str).unwrap_or_default();
    let json = json!({
        "type": kind.name,
        "id": envelope.id,
        "source": envelope.source,
        "subject": envelope.subject,
        "time": envelope.time.to_string(),
        "person": person.clone().unwrap_or_default(),
        "contact": contact.clone().unwrap_or_default(),
        "conversation": conversation.map(|row| row.id).unwrap_or_default(),
        "call": call,
        "data": data,
    });
    Ok(Some(Event {
        id: envelope.id.clone(),
        kind: kind.name.to_owned(),
        json,
        person,
        contact,
        traceparent: envelope.traceparent.clone(),
    }))
}

fn data_bytes(data: &Map<String, Value>) -> usize {
    serde_json::to_string(data).map_or(usize::MAX, |text| text.len())
}

fn address(kind: &EventType, person: &str) -> Option<ContactAddress> {
    let is_call = kind.name.starts_with("call.");
    if is_call { ContactAddress::of_call(person).ok() } else { ContactAddress::parse(person).ok() }
}

/// The conversation that a fact belongs to, if it is one of ours.
async fn conversation(
    context: &Context,
    envelope: &Envelope,
    data: &Map<String, Value>,
) -> Result<Option<ConversationRow>, StoreError> {
    let named = data.get("conversation").or_else(|| data.get("metadata")?.get("conversation"));
    match named.and_then(Value::as_str) {
        Some(name) => context.store.conversation_by_external(&envelope.source, name).await,
        None => Ok(None),
    }
}

/// The address of whom a fact is about.
fn person(data: &Map<String, Value>, conversation: Option<&ConversationRow>) -> Option<String> {
    let told = ["from", "person", "address"].into_iter().find_map(|name| data.get(name)?.as_str());
    let told = told.filter(|address| !address.is_empty());
    told.map(str::to_owned).or_else(|| conversation.map(|row| row.address.clone()))
}

/// As the store keeps it.
pub(super) fn kept(json: &Value) -> Pii<String> {
    Pii::new(json.to_string())
}
