//! The fields that each kind of node has of its own.

use std::time::Duration;

use super::definition::{Awaited, Kind, METHODS};
use super::event::{EventType, similar};
use super::fields::{Fields, Text};
use super::problem::Source;
use super::read::{event_named, shown};

/// Every kind of node.
const KINDS: &[&str] = &[
    "agent",
    "send_text",
    "place_call",
    "http",
    "tool",
    "condition",
    "wait",
    "add_participant",
    "remove_participant",
    "close_conversation",
    "store",
    "hand_over",
    "join",
    "parallel",
];
/// How long a telephone rings unless the node says otherwise, and at most.
const RING: Duration = Duration::from_secs(30);
const MAX_RING: Duration = Duration::from_mins(10);

/// A kind, and the events that it waits for.
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) awaits: Vec<&'static EventType>,
}

/// Reads what a node does; `None` if that was not understood, and told.
pub(super) fn read(name: &Text, fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Read> {
    let kind = match name.value.as_str() {
        "agent" => {
            let (agent, conversation) = (fields.text("agent", source), fields.template("conversation", source));
            let input = fields.required_template("input", source)?;
            Kind::Agent { agent: agent.map(|text| text.value), input, conversation }
        }
        "send_text" => send_text(fields, source)?,
        "place_call" => place_call(fields, source)?,
        "http" => http(fields, source)?,
        "tool" => {
            let tool = fields.required("tool", source);
            let arguments = fields.structure("arguments", source);
            let conversation = fields.template("conversation", source);
            let arguments = arguments.unwrap_or(super::Structure::Table(std::collections::BTreeMap::new()));
            Kind::Tool { tool: tool?.value, arguments, conversation }
        }
        "condition" => {
            let test = fields.condition("if", source);
            if test.is_none() && fields.value("if").is_none() {
                source.problem(fields.at, format!("{} needs if", fields.what));
            }
            Kind::Condition { test: test? }
        }
        "wait" => return wait(fields, source),
        "add_participant" => {
            let conversation = fields.required_template("conversation", source);
            let (identity, address) = (fields.template("identity", source), fields.template("address", source));
            let own_address = fields.template("own_address", source);
            if identity.is_some() == address.is_some() {
                source.problem(fields.at, format!("{} needs either identity or address", fields.what));
            }
            Kind::AddParticipant { conversation: conversation?, identity, address, own_address }
        }
        "remove_participant" => {
            let conversation = fields.required_template("conversation", source);
            let participant = fields.required_template("participant", source);
            Kind::RemoveParticipant { conversation: conversation?, participant: participant? }
        }
        "close_conversation" => {
            Kind::CloseConversation { conversation: fields.required_template("conversation", source)? }
        }
        "store" => {
            let (conversation, person) = (fields.template("conversation", source), fields.template("person", source));
            if conversation.is_some() == person.is_some() {
                source.problem(fields.at, format!("{} needs either conversation or person", fields.what));
            }
            let values = fields.templates("values", source);
            if values.is_empty() {
                source.problem(fields.at, format!("{} needs values", fields.what));
            }
            Kind::Store { conversation, person, values }
        }
        "hand_over" => Kind::HandOver { conversation: fields.required_template("conversation", source)? },
        "join" | "parallel" => Kind::Join,
        other => {
            let meant = similar(other, KINDS.iter().copied());
            let hint =
                meant.map_or_else(|| format!("; kinds are {}", KINDS.join(", ")), |it| format!("; is {it} meant?"));
            source.problem(name.span.start, format!("there is no kind of node {}{hint}", shown(other)));
            return None;
        }
    };
    Some(Read { kind, awaits: Vec::new() })
}

fn send_text(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Kind> {
    let (to, conversation) = (fields.template("to", source), fields.template("conversation", source));
    let from = fields.template("from", source);
    if fields.value("to").is_some() == fields.value("conversation").is_some() {
        source.problem(fields.at, format!("{} needs either to or conversation", fields.what));
    }
    let content_sid = fields.template("content_sid", source);
    let variables = fields.templates("variables", source);
    let text = fields.required_template("text", source)?;
    if content_sid.is_none() && text.plain().is_some_and(|text| text.trim().is_empty()) {
        source.problem(fields.at, format!("{} has nothing to say: text is blank", fields.what));
    }
    Some(Kind::SendText { to, conversation, from, text, content_sid, variables })
}

fn place_call(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Kind> {
    let (from, digits) = (fields.template("from", source), fields.template("digits", source));
    let ring = fields.duration("ring", source).unwrap_or(RING);
    if ring > MAX_RING || ring < Duration::from_secs(1) {
        source.problem(fields.at, "ring must be from 1s to 10m");
    }
    let as_text = fields.boolean("as_text", source).unwrap_or_default();
    Some(Kind::PlaceCall { to: fields.required_template("to", source)?, from, ring, as_text, digits })
}

fn http(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Kind> {
    let method = fields.text("method", source);
    if let Some(method) = method.as_ref().filter(|method| !METHODS.contains(&method.value.as_str())) {
        source.problem(method.span.start, format!("method must be one of {}", METHODS.join(", ")));
    }
    let headers = fields.templates("headers", source);
    let body = fields.structure("body", source);
    let url = fields.required_template("url", source)?;
    if let Some(plain) = url.plain()
        && !url::Url::parse(plain).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        source.problem(fields.at, format!("{}: url must be http://… or https://…", fields.what));
    }
    Some(Kind::Http { method: method.map_or_else(|| "GET".to_owned(), |method| method.value), url, headers, body })
}

fn wait(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Read> {
    let names = fields.texts("event", source);
    let awaits: Vec<_> = names.iter().filter_map(|name| event_named(name, source)).collect();
    let (about, matches) = (fields.template("about", source), fields.condition("match", source));
    let (within, until) = (fields.duration("for", source), fields.template("until", source));
    let has = |fields: &mut Fields<'_, '_>, key| fields.value(key).is_some();
    let (for_event, for_time) = (has(fields, "event"), has(fields, "for") || has(fields, "until"));
    if !for_event && !for_time {
        source.problem(fields.at, format!("{} waits for nothing: it needs event, for or until", fields.what));
        return None;
    }
    if has(fields, "for") && has(fields, "until") {
        source.problem(fields.at, format!("{} has for and until; one of them is enough", fields.what));
    }
    if !for_event && (has(fields, "match") || has(fields, "about")) {
        source.problem(
            fields.at,
            format!("{}: match and about say something of an event, and there is none", fields.what),
        );
    }
    let event = for_event.then(|| Awaited { events: awaits.clone(), about, matches });
    Some(Read { kind: Kind::Wait { event, within, until }, awaits })
}
