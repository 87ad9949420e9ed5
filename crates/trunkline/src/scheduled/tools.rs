//! The tools by which agents promise texts, look at what they promised, and take it back.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use trunkline_agent::tools::{Tool, ToolContext, ToolError, ToolOutput, ToolSpec};
use trunkline_core::{Channel, Pii};
use trunkline_store::{Consent, ConversationRow, MAX_SCHEDULED, NewScheduled, Scheduling};

use super::ScheduledTexts;
use crate::agents::{failed, outbox_id, stored, with_caller, words};

/// The latest time for which a text can be promised.
const MAX_AHEAD: Duration = Duration::from_hours(35 * 24);

/// What models are told of these tools.
pub(crate) fn specs() -> [ToolSpec; 3] {
    [schedule_spec(), list_spec(), cancel_spec()]
}

/// `schedule_text`: a text to the person at a later time.
pub(super) struct ScheduleText {
    spec: ToolSpec,
    texts: ScheduledTexts,
}

impl ScheduleText {
    pub(super) fn new(texts: ScheduledTexts) -> Self {
        Self { spec: schedule_spec(), texts }
    }

    /// Where the text goes: the conversation at hand, or the texts with the telephone at which the person is.
    async fn conversation(&self, call: &ToolContext) -> Result<ConversationRow, ToolError> {
        let inner = &self.texts.0;
        if call.channel == Channel::Voice {
            return with_caller(&inner.context, &inner.own, &call.conversation).await;
        }
        let known = inner.context.store.conversation(&call.conversation).await.map_err(|error| stored(&error))?;
        known.ok_or_else(|| failed("there is no conversation to write in"))
    }
}

#[async_trait]
impl Tool for ScheduleText {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, arguments: Value, call: &ToolContext) -> Result<ToolOutput, ToolError> {
        let inner = &self.texts.0;
        let text = words(&arguments, "text")?;
        let due_at = due_at(&arguments, inner.clock.now()).map_err(ToolError::BadArguments)?;
        let row = self.conversation(call).await?;
        let store = &inner.context.store;
        if store.consent(&row.id).await.map_err(|error| stored(&error))? == Consent::Withdrawn {
            return Err(failed("this person wants no messages"));
        }
        let new = NewScheduled {
            id: outbox_id(&call.key),
            conversation_id: row.id,
            body: Pii::new(text),
            due_at,
            traceparent: call.traceparent.clone(),
        };
        match store.schedule_text(&new).await.map_err(|error| stored(&error))? {
            Scheduling::Waits(id) => {
                inner.new.notify_one();
                inner.context.live.changed(&new.conversation_id);
                Ok(ToolOutput::text(json!({ "id": id, "at": due_at.to_string() }).to_string()))
            }
            Scheduling::Sent => Err(failed("this text was promised before and is sent already")),
            Scheduling::TakenBack => Err(failed("this text was promised before and was taken back")),
            Scheduling::Full => Err(failed(&format!("{MAX_SCHEDULED} texts wait for this person; cancel one first"))),
        }
    }
}

/// The time that is meant, if it can be.
fn due_at(arguments: &Value, now: Timestamp) -> Result<Timestamp, String> {
    let due =
        match (arguments.get("at").filter(|at| !at.is_null()), arguments.get("in_minutes").filter(|n| !n.is_null())) {
            (Some(at), None) => at
                .as_str()
                .and_then(|at| at.parse().ok())
                .ok_or_else(|| "at: must be a time with its offset, such as 2026-12-01T09:00:00+01:00".to_owned())?,
            (None, Some(minutes)) => minutes
                .as_i64()
                .and_then(|minutes| now.checked_add(SignedDuration::try_from_mins(minutes)?).ok())
                .ok_or_else(|| "in_minutes: must be a whole number".to_owned())?,
            _ => return Err("either at or in_minutes must be given, and not both".to_owned()),
        };
    let latest = now.checked_add(MAX_AHEAD).unwrap_or(Timestamp::MAX);
    if due <= now || due > latest {
        return Err(format!("the time must be later than now, which is {}, and within 35 days", whole(now)));
    }
    Ok(due)
}

/// `scheduled_texts`: what was promised to the person, and what time it is.
pub(super) struct ListScheduled {
    spec: ToolSpec,
    texts: ScheduledTexts,
}

impl ListScheduled {
    pub(super) fn new(texts: ScheduledTexts) -> Self {
        Self { spec: list_spec(), texts }
    }
}

#[async_trait]
impl Tool for ListScheduled {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn acts(&self) -> bool {
        false
    }

    async fn call(&self, _: Value, call: &ToolContext) -> Result<ToolOutput, ToolError> {
        let inner = &self.texts.0;
        let waiting = inner.context.store.scheduled_for(&call.contact).await.map_err(|error| stored(&error))?;
        let one = |row: &trunkline_store::ScheduledRow| json!({ "id": row.id, "text": row.body.expose(), "at": row.due_at.to_string() });
        let waiting: Vec<_> = waiting.iter().map(one).collect();
        Ok(ToolOutput::text(json!({ "now": whole(inner.clock.now()), "waiting": waiting }).to_string()))
    }
}

/// `cancel_text`: takes a promise back.
pub(super) struct CancelText {
    spec: ToolSpec,
    texts: ScheduledTexts,
}

impl CancelText {
    pub(super) fn new(texts: ScheduledTexts) -> Self {
        Self { spec: cancel_spec(), texts }
    }
}

#[async_trait]
impl Tool for CancelText {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, arguments: Value, call: &ToolContext) -> Result<ToolOutput, ToolError> {
        let inner = &self.texts.0;
        let id = words(&arguments, "id")?;
        let cancelled = inner.context.store.cancel_scheduled(&id, &call.contact, "agent").await;
        if cancelled.map_err(|error| stored(&error))? {
            inner.context.metrics.scheduled("agent");
            return Ok(ToolOutput::text("cancelled"));
        }
        Err(failed("no such text waits for this person"))
    }
}

/// A time to the second, as models write it.
fn whole(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn schedule_spec() -> ToolSpec {
    let description = "Promise the person a text message for later, such as a reminder; it is sent by itself. Give the \
                       time as `at`, or as `in_minutes` from now. Ask for the time zone if you do not know it; \
                       `scheduled_texts` tells what time it is now. Say what you have promised, and for when.";
    let properties = json!({
        "text": {"type": "string", "description": "The whole message."},
        "at": {"type": "string", "description": "RFC 3339 with offset, such as 2026-12-01T09:00:00+01:00."},
        "in_minutes": {"type": "integer", "minimum": 1},
    });
    spec("schedule_text", description, &properties, &["text"])
}

fn list_spec() -> ToolSpec {
    let description = "What time it is now, and which texts were promised to this person and are still to be sent.";
    spec("scheduled_texts", description, &json!({}), &[])
}

fn cancel_spec() -> ToolSpec {
    let description = "Take back a text that was promised to this person, by the id that `scheduled_texts` gives.";
    spec("cancel_text", description, &json!({"id": {"type": "string"}}), &["id"])
}

fn spec(name: &str, description: &str, properties: &Value, required: &[&str]) -> ToolSpec {
    let parameters =
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_one_way_and_lies_ahead() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let check = |arguments: Value, expected: Result<&str, &str>| match (due_at(&arguments, now), expected) {
            (Ok(due), Ok(at)) => assert_eq!(due, at.parse().unwrap(), "{arguments}"),
            (Err(why), Err(words)) => assert!(why.contains(words), "{arguments}: {why}"),
            (found, _) => panic!("{arguments}: {found:?}"),
        };
        check(json!({"in_minutes": 5}), Ok("2026-11-28T12:05:00Z"));
        check(json!({"at": "2026-11-29T09:00:00+01:00", "in_minutes": null}), Ok("2026-11-29T08:00:00Z"));
        check(json!({"in_minutes": 35 * 24 * 60}), Ok("2027-01-02T12:00:00Z"));
        check(json!({"in_minutes": 35 * 24 * 60 + 1}), Err("within 35 days"));
        check(json!({"at": "2026-11-28T12:59:59+01:00"}), Err("now, which is 2026-11-28T12:00:00Z"));
        for minutes in [0, -5] {
            check(json!({ "in_minutes": minutes }), Err("later than now"));
        }
        for wrong in [json!(i64::MAX), json!("5"), json!(1.5)] {
            check(json!({ "in_minutes": wrong }), Err("in_minutes: must be a whole number"));
        }
        for wrong in ["tomorrow", "2026-11-29", "2026-11-29T09:00:00", ""] {
            check(json!({ "at": wrong }), Err("at: must be a time with its offset"));
        }
        check(json!({}), Err("either"));
        check(json!({"at": "2026-11-29T09:00:00Z", "in_minutes": 5}), Err("not both"));
    }
}
