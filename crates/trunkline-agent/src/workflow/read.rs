//! Reading a definition from its text.

use std::time::Duration;

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use toml::de::{DeTable, DeValue};

use super::definition::{Join, MAX_NAME_BYTES, MAX_NODES, MAX_SOURCE_BYTES, MAX_TRIGGERS, Retry, Trigger, Workflow};
use super::draft::{Draft, DraftNode};
use super::event::{EVENTS, EventType, event_type, similar};
use super::fields::{Fields, Text};
use super::kinds;
use super::problem::{InvalidWorkflow, Source};
use super::schedule::{SHORTEST_EVERY, Schedule};

/// Time-out of one try of a node unless it says otherwise.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a run may take unless the workflow says otherwise.
const RUN_TIMEOUT: Duration = Duration::from_hours(24 * 7);
/// Runs at work at once unless the workflow says otherwise, and at most.
const AT_ONCE: usize = 16;
const MAX_AT_ONCE: u64 = 1_000;
const ATTEMPTS: u32 = 3;
const MAX_ATTEMPTS: u64 = 100;
const BACKOFF: Duration = Duration::from_secs(1);

impl Workflow {
    /// Reads and validates a definition.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and column.
    pub fn parse(text: &str) -> Result<Self, InvalidWorkflow> {
        let mut source = Source::new(text);
        if text.len() > MAX_SOURCE_BYTES {
            source.problem(0, format!("a definition may have at most {MAX_SOURCE_BYTES} bytes"));
            source.finish()?;
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            source.problem(error.span().map_or(0, |span| span.start), error.message().to_owned());
        }
        // What could not be read would look like something that is missing.
        if !errors.is_empty() {
            source.finish()?;
        }
        let mut fields = Fields::of(&table, "a workflow");
        let draft = draft(&mut fields, &mut source);
        fields.end(&mut source);
        let workflow = draft.and_then(|draft| draft.finish(text, revision(text), &mut source));
        source.finish()?;
        // Whatever kept it from being one was told.
        workflow.ok_or_else(|| InvalidWorkflow { problems: Vec::new() })
    }
}

fn revision(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let (high, low) = digest.split_at(16);
    let half = |bytes: &[u8]| bytes.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{:032x}{:032x}", half(high), half(low))
}

fn draft(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Draft> {
    let name = fields.required("name", source).filter(|name| is_name(name, "name", source));
    let description = fields.text("description", source).map(|text| text.value).unwrap_or_default();
    let timeout = fields.duration("timeout", source).unwrap_or(RUN_TIMEOUT);
    let at_once = fields.number("at_once", 1..MAX_AT_ONCE + 1, source).and_then(|number| usize::try_from(number).ok());
    let on_failure = fields.text("on_failure", source);
    let triggers = triggers(fields, source);
    let nodes = nodes(fields, source);
    Some(Draft {
        name: name?.value,
        description,
        timeout,
        at_once: at_once.unwrap_or(AT_ONCE),
        on_failure,
        triggers,
        nodes,
    })
}

/// Names stand in expressions, addresses and metrics.
fn is_name(text: &Text, what: &str, source: &mut Source<'_>) -> bool {
    let is_fine = is_word(&text.value);
    if !is_fine {
        let message = format!("{what} must be 1 to {MAX_NAME_BYTES} letters, digits, - and _, and begin with a letter");
        source.problem(text.span.start, message);
    }
    is_fine
}

fn is_word(text: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= MAX_NAME_BYTES
        && text.bytes().all(is_fine)
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn triggers(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Vec<(Trigger, Vec<super::reference::Reference>)> {
    let at = fields.at;
    let Some(value) = fields.value("trigger") else {
        source.problem(at, "nothing starts it: a workflow needs a [[trigger]]");
        return Vec::new();
    };
    let items: Vec<_> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    if items.len() > MAX_TRIGGERS {
        source.problem(value.span().start, format!("a workflow may have at most {MAX_TRIGGERS} triggers"));
    }
    let mut found = Vec::new();
    for item in items.into_iter().take(MAX_TRIGGERS) {
        if let Some(mut fields) = Fields::of_value(item, "a trigger", source) {
            let trigger = trigger(&mut fields, source);
            let refers = std::mem::take(&mut fields.refers);
            fields.end(source);
            found.extend(trigger.map(|trigger| (trigger, refers)));
        }
    }
    found
}

fn trigger(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Option<Trigger> {
    let (on, every) = (fields.text("on", source), fields.text("every", source));
    let (cron, api) = (fields.text("cron", source), fields.boolean("api", source));
    let given = [on.is_some(), every.is_some(), cron.is_some(), api.is_some()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        source.problem(fields.at, "a trigger has one of on, every, cron and api");
        return None;
    }
    let when = fields.condition("when", source);
    let zone = fields.text("timezone", source);
    if when.is_some() && on.is_none() {
        source.problem(fields.at, "only a trigger with on has a when");
    }
    if let Some(zone) = zone.as_ref().filter(|_| cron.is_none()) {
        source.problem(zone.span.start, "only a trigger with cron has a timezone");
    }
    if let Some(on) = on {
        return Some(Trigger::Event { event: event_named(&on, source)?, when });
    }
    if every.is_some() {
        let every = fields.duration("every", source)?;
        if every < SHORTEST_EVERY {
            source.problem(fields.at, "every must be at least 1s");
        }
        return Some(Trigger::Schedule(Schedule::Every(every)));
    }
    if let Some(cron) = cron {
        let zone = match zone {
            None => TimeZone::UTC,
            Some(zone) => TimeZone::get(&zone.value)
                .inspect_err(|_| {
                    source.problem(
                        zone.span.start,
                        "timezone must be a name such as Europe/Berlin that this system knows",
                    );
                })
                .ok()?,
        };
        return match Schedule::cron(&cron.value, zone) {
            Ok(schedule) => Some(Trigger::Schedule(schedule)),
            Err(reason) => {
                source.problem(cron.span.start, format!("cron must be five fields such as 0 9 * * 1-5: {reason}"));
                None
            }
        };
    }
    if api == Some(false) {
        source.problem(fields.at, "api is true, or the trigger is left out");
    }
    Some(Trigger::Request)
}

/// The type of event that a text names.
pub(super) fn event_named(name: &Text, source: &mut Source<'_>) -> Option<&'static EventType> {
    let found = event_type(&name.value);
    if found.is_none() {
        let meant = similar(&name.value, EVENTS.iter().map(|event| event.name));
        let hint = meant.map(|meant| format!("; is {meant} meant?")).unwrap_or_default();
        source.problem(name.span.start, format!("there is no event {}{hint}", shown(&name.value)));
    }
    found
}

/// A name as it may be repeated: short.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME_BYTES).collect()
}

fn nodes(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Vec<DraftNode> {
    let at = fields.at;
    let Some(value) = fields.value("node") else {
        source.problem(at, "it does nothing: a workflow needs a [node.NAME]");
        return Vec::new();
    };
    let Some(table) = Fields::of_value(value, "node", source) else { return Vec::new() };
    let mut entries: Vec<_> = table.entries().collect();
    // In the order of the text, so that what is drawn and listed looks like it.
    entries.sort_by_key(|(_, at, _)| *at);
    if entries.is_empty() {
        source.problem(at, "it does nothing: a workflow needs a [node.NAME]");
    }
    if entries.len() > MAX_NODES {
        source.problem(value.span().start, format!("a workflow may have at most {MAX_NODES} nodes"));
    }
    let mut found = Vec::new();
    for (name, at, value) in entries.into_iter().take(MAX_NODES) {
        if !is_word(&name) {
            let message = format!(
                "the name of a node must be 1 to {MAX_NAME_BYTES} letters, digits, - and _, and begin with a letter"
            );
            source.problem(at, message);
        }
        if let Some(mut fields) = Fields::of_value(value, format!("node {}", shown(&name)), source) {
            fields.at = at;
            found.push(node(name, &mut fields, source));
            fields.end(source);
        }
    }
    found
}

fn node(name: String, fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> DraftNode {
    let kind = fields.required("kind", source);
    let needs = fields.texts("needs", source);
    let join = match fields.text("join", source) {
        None => Join::All,
        Some(text) => match text.value.as_str() {
            "all" => Join::All,
            "any" => Join::Any,
            _ => {
                source.problem(text.span.start, "join must be all or any");
                Join::All
            }
        },
    };
    let when = fields.condition("when", source);
    let retry = retry(fields, source);
    let timeout = fields.duration("timeout", source).unwrap_or(STEP_TIMEOUT);
    let on_failure = fields.text("on_failure", source);
    let read = kind.as_ref().and_then(|kind| kinds::read(kind, fields, source));
    let (kind, awaits) = read.map_or((None, Vec::new()), |read| (Some(read.kind), read.awaits));
    let refers = std::mem::take(&mut fields.refers);
    DraftNode { name, at: fields.at, kind, awaits, needs, join, when, retry, timeout, on_failure, refers }
}

fn retry(fields: &mut Fields<'_, '_>, source: &mut Source<'_>) -> Retry {
    let mut retry = Retry { attempts: ATTEMPTS, backoff: BACKOFF };
    let Some(value) = fields.value("retry") else { return retry };
    let Some(mut table) = Fields::of_value(value, "retry", source) else { return retry };
    let attempts = table.number("attempts", 1..MAX_ATTEMPTS + 1, source);
    retry.attempts = attempts.and_then(|number| u32::try_from(number).ok()).unwrap_or(ATTEMPTS);
    retry.backoff = table.duration("backoff", source).unwrap_or(BACKOFF);
    table.end(source);
    retry
}
