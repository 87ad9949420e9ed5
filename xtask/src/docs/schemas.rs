//! `docs/schemas/*.json` and `docs/asyncapi.json`: what crosses a process, for programs in other languages.
//!
//! The schemas are JSON Schema 2020-12, made from the Rust types that are sent and read. The AsyncAPI document says where
//! each of them travels; its place in `docs` makes its references relative paths.

use anyhow::{Context, Result};
use schemars::{JsonSchema, schema_for};
use serde_json::{Map, Value, json};
use trunkline_core::event::{
    CALL_ENDED, CALL_STARTED, CONVERSATION_CHANGED, CONVERSATION_UPDATED, CallEnded, CallProgressed, CallStarted,
    ConversationChanged, ConversationUpdated, DEAD_LETTER, DELIVERY_UPDATED, DeadLetter, DeliveryUpdated,
    MESSAGE_RECEIVED, MESSAGE_REMOVED, MESSAGE_UPDATED, MessageReceived, MessageRemoved, MessageUpdated,
    PARTICIPANT_ADDED, PARTICIPANT_REMOVED, PARTICIPANT_UPDATED, ParticipantChanged, SEND_MESSAGE, SendMessage,
    TURN_COMMITTED, TURN_SPOKEN, TurnCommitted, TurnSpoken,
};
use trunkline_core::turn::{FileToSend, Remembered, TextPiece, TurnAnswer, TurnRequest};
use trunkline_core::{Envelope, SPEC_VERSION};

use super::Document;

const ASYNCAPI_VERSION: &str = "3.0.0";
const JSON: &str = "application/json";
const CLOUD_EVENT: &str = "application/cloudevents+json";

/// Stands for the types of what the provider tells of a call: `call.ringing.v1` and so on.
const CALL_PROGRESSED: &str = "call.progressed.v1";

/// What travels on the ingress subject.
const FACTS: &[&str] = &[
    MESSAGE_RECEIVED,
    DELIVERY_UPDATED,
    CONVERSATION_CHANGED,
    MESSAGE_UPDATED,
    MESSAGE_REMOVED,
    CONVERSATION_UPDATED,
    PARTICIPANT_ADDED,
    PARTICIPANT_UPDATED,
    PARTICIPANT_REMOVED,
    CALL_STARTED,
    TURN_COMMITTED,
    TURN_SPOKEN,
    CALL_ENDED,
    CALL_PROGRESSED,
];

/// A type of envelope, and the schema of its data.
struct Kind {
    name: &'static str,
    data: Value,
}

fn kinds() -> Vec<Kind> {
    vec![
        Kind { name: MESSAGE_RECEIVED, data: schema::<MessageReceived>() },
        Kind { name: DELIVERY_UPDATED, data: schema::<DeliveryUpdated>() },
        Kind { name: CONVERSATION_CHANGED, data: schema::<ConversationChanged>() },
        Kind { name: MESSAGE_UPDATED, data: schema::<MessageUpdated>() },
        Kind { name: MESSAGE_REMOVED, data: schema::<MessageRemoved>() },
        Kind { name: CONVERSATION_UPDATED, data: schema::<ConversationUpdated>() },
        Kind { name: PARTICIPANT_ADDED, data: schema::<ParticipantChanged>() },
        Kind { name: PARTICIPANT_UPDATED, data: schema::<ParticipantChanged>() },
        Kind { name: PARTICIPANT_REMOVED, data: schema::<ParticipantChanged>() },
        Kind { name: CALL_STARTED, data: schema::<CallStarted>() },
        Kind { name: TURN_COMMITTED, data: schema::<TurnCommitted>() },
        Kind { name: TURN_SPOKEN, data: schema::<TurnSpoken>() },
        Kind { name: CALL_ENDED, data: schema::<CallEnded>() },
        Kind { name: CALL_PROGRESSED, data: schema::<CallProgressed>() },
        Kind { name: SEND_MESSAGE, data: schema::<SendMessage>() },
        Kind { name: DEAD_LETTER, data: schema::<DeadLetter>() },
    ]
}

/// Every schema, and the document that joins them.
pub(super) fn documents() -> Result<Vec<Document>> {
    let kinds = kinds();
    let asyncapi = asyncapi(&kinds);
    let data = kinds.into_iter().map(|kind| (kind.name, kind.data));
    let forms = [
        ("envelope", schema::<Envelope>()),
        ("turn.request", schema::<TurnRequest>()),
        ("turn.answer", schema::<TurnAnswer>()),
        ("turn.text", schema::<TextPiece>()),
        ("turn.remember", schema::<Remembered>()),
        ("turn.file", schema::<FileToSend>()),
    ];
    let mut documents = vec![document("docs/asyncapi.json".to_owned(), &asyncapi)?];
    for (name, schema) in data.chain(forms) {
        documents.push(document(format!("docs/schemas/{name}.json"), &schema)?);
    }
    Ok(documents)
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).to_value()
}

fn document(name: String, value: &Value) -> Result<Document> {
    let mut text = serde_json::to_string_pretty(value).with_context(|| format!("writing {name}"))?;
    text.push('\n');
    Ok(Document { name, text })
}

fn asyncapi(kinds: &[Kind]) -> Value {
    let mut messages: Map<String, Value> = kinds.iter().map(|kind| (kind.name.to_owned(), envelope_of(kind))).collect();
    for (name, about) in [
        ("turn.request", "Texts of a person that want one answer."),
        ("turn.answer", "The answer, or the same in pieces as server-sent events."),
    ] {
        messages.insert(name.to_owned(), json!({
            "name": name, "summary": about, "contentType": JSON, "payload": { "$ref": format!("schemas/{name}.json") },
        }));
    }
    let about = "What the gateway tells and is told. Facts and commands are CloudEvents 1.0 in JSON, delivered at \
                 least once; `id` is the dedupe key. docs/agents.md explains how they are read and given over HTTP.";
    json!({
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Trunkline", "version": env!("CARGO_PKG_VERSION"), "description": about,
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "defaultContentType": JSON,
        "channels": {
            "ingress": {
                "address": "internal.ingress.v1",
                "description": "Facts from connectors. Over HTTP: GET /api/v1/bus/ingress.",
                "messages": refs(FACTS),
            },
            "egress": {
                "address": "internal.egress.v1.{instance}",
                "description": "Commands to the connectors of one gateway. Over HTTP: POST /api/v1/bus/egress.",
                "parameters": { "instance": { "description": "TRUNKLINE_INSTANCE", "default": "main" } },
                "messages": refs(&[SEND_MESSAGE]),
            },
            "deadLetters": {
                "address": null,
                "description": "What was given up and waits for an operator: trunkline dlq.",
                "messages": refs(&[DEAD_LETTER]),
            },
            "turn": {
                "address": null,
                "description": "One POST to TRUNKLINE_AGENT_URL for each try of a turn.",
                "messages": refs(&["turn.request", "turn.answer"]),
            },
        },
        "operations": {
            "tellFacts": operation("send", "ingress", FACTS),
            "takeCommands": operation("receive", "egress", &[SEND_MESSAGE]),
            "keepDeadLetters": operation("send", "deadLetters", &[DEAD_LETTER]),
            "askAgent": {
                "action": "send",
                "channel": { "$ref": "#/channels/turn" },
                "messages": [message_ref("turn", "turn.request")],
                "reply": {
                    "channel": { "$ref": "#/channels/turn" },
                    "messages": [message_ref("turn", "turn.answer")],
                },
            },
        },
        "components": { "messages": messages },
    })
}

/// The envelope with its type and data said.
fn envelope_of(kind: &Kind) -> Value {
    let about = kind.data.get("description").and_then(Value::as_str).unwrap_or_default();
    json!({
        "name": kind.name,
        "summary": about,
        "contentType": CLOUD_EVENT,
        "payload": { "allOf": [
            { "$ref": "schemas/envelope.json" },
            { "type": "object", "properties": {
                "specversion": { "const": SPEC_VERSION },
                "type": { "const": kind.name },
                "data": { "$ref": format!("schemas/{}.json", kind.name) },
            } },
        ] },
    })
}

fn refs(names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }))).collect()
}

fn message_ref(channel: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}/messages/{name}") })
}

fn operation(action: &str, channel: &str, names: &[&str]) -> Value {
    json!({
        "action": action,
        "channel": { "$ref": format!("#/channels/{channel}") },
        "messages": names.iter().map(|name| message_ref(channel, name)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_envelope_has_a_schema_and_a_channel() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/trunkline-core/src/event.rs");
        let source = std::fs::read_to_string(path).expect("the source");
        let declared = source.lines().filter(|line| line.starts_with("pub const") && line.contains(": &str = \""));
        let declared: Vec<_> = declared.filter_map(|line| line.split('"').nth(1)).collect();
        let known: Vec<_> = kinds().iter().map(|kind| kind.name).collect();
        assert!(declared.len() > 4 && declared.iter().all(|kind| known.contains(kind)), "{declared:?}");
        let asyncapi = asyncapi(&kinds());
        let channels = asyncapi["channels"].as_object().expect("channels");
        for kind in known {
            assert!(channels.values().any(|channel| channel["messages"].get(kind).is_some()), "{kind}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|field| references(field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let documents = documents().expect("documents");
        for document in &documents {
            let value: Value = serde_json::from_str(&document.text).expect("JSON");
            let mut found = Vec::new();
            references(&value, &mut found);
            for reference in found {
                let is_there = match reference.strip_prefix('#') {
                    // No name here holds a slash or a tilde, so that dots need no escape.
                    Some(pointer) => value.pointer(pointer).is_some(),
                    None => documents.iter().any(|other| other.name == format!("docs/{reference}")),
                };
                assert!(is_there, "{}: {reference}", document.name);
            }
        }
    }
}
