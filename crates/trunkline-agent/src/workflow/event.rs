//! What a workflow can be started by or wait for: the names of events, the facts that they are, and what those carry.

/// A type of event.
#[derive(Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its name in definitions.
    pub name: &'static str,
    /// Fields of `event.data`.
    pub fields: &'static [&'static str],
}

const CALL: &[&str] =
    &["call", "provider_call", "event", "status", "duration_s", "about", "text", "person", "direction"];
const PARTICIPANT: &[&str] =
    &["conversation", "participant", "identity", "channel", "address", "own_address", "role", "read_index", "changed"];
const CONVERSATION: &[&str] = &["conversation", "state", "friendly_name"];

macro_rules! events {
    ($($name:literal: $fields:expr;)+) => {
        /// Every type of event.
        pub const EVENTS: &[EventType] = &[$(EventType { name: $name, fields: $fields }),+];
    };
}

events! {
    "message.added": &["from", "text", "media", "channel", "metadata"];
    "message.updated": &["conversation", "message", "text", "changed"];
    "message.removed": &["conversation", "message", "removed"];
    "message.delivery.updated": &["conversation", "message", "status", "error", "participant", "outbox_id"];
    "conversation.created": CONVERSATION;
    "conversation.updated": &["conversation", "friendly_name", "unique_name", "changed"];
    "conversation.state.updated": CONVERSATION;
    "participant.added": PARTICIPANT;
    "participant.updated": PARTICIPANT;
    "participant.removed": PARTICIPANT;
    "call.initiated": CALL;
    "call.ringing": CALL;
    "call.answered": CALL;
    "call.completed": CALL;
    "call.failed": CALL;
    "call.answered_by": CALL;
    "call.returned": CALL;
    "call.started": &["call", "provider_call", "direction", "person", "contact"];
    "call.ended": &["call", "outcome", "duration_ms", "turns"];
    "call.turn.committed": &["call", "turn", "at_ms", "text"];
    "call.turn.spoken": &["call", "turn", "heard", "interrupted", "latency_ms"];
    "stream.started": CALL;
    "stream.ended": CALL;
    "stream.failed": CALL;
    "recording.started": CALL;
    "recording.completed": CALL;
    "recording.failed": CALL;
    "transcription.completed": CALL;
}

/// The type of this name.
pub fn event_type(name: &str) -> Option<&'static EventType> {
    EVENTS.iter().find(|event| event.name == name)
}

/// The type of an envelope of this `kind`. A conversation that changed was created when `is_new` says so.
pub fn event_of_fact(kind: &str, is_new: bool) -> Option<&'static EventType> {
    let name = match kind {
        "message.received.v1" => "message.added",
        "conversation.changed.v1" if is_new => "conversation.created",
        "conversation.changed.v1" => "conversation.state.updated",
        kind => kind.strip_suffix(".v1")?,
    };
    event_type(name)
}

/// The name that somebody may have meant.
pub(super) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|other| (distance(name, other), other)).min()?;
    (near.0 <= 3 && near.0 < name.len()).then_some(near.1)
}

/// How many letters have to be put in, left out or changed.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, letter) in one.chars().enumerate() {
        let (mut left, mut corner) = (at + 1, at);
        let mut next = vec![left];
        for (above, second) in row.iter().skip(1).zip(other.chars()) {
            left = (left + 1).min(above + 1).min(corner + usize::from(letter != second));
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_have_the_names_of_events() {
        let name = |kind, is_new| event_of_fact(kind, is_new).map(|event| event.name);
        assert_eq!(name("message.received.v1", false), Some("message.added"));
        assert_eq!(name("conversation.changed.v1", true), Some("conversation.created"));
        assert_eq!(name("conversation.changed.v1", false), Some("conversation.state.updated"));
        assert_eq!(name("call.failed.v1", false), Some("call.failed"));
        assert_eq!(name("message.send.v1", false), None);
        assert_eq!(name("dead.letter.v1", false), None);
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let names = || EVENTS.iter().map(|event| event.name);
        assert_eq!(similar("mesage.added", names()), Some("message.added"));
        assert_eq!(similar("calls.failed", names()), Some("call.failed"));
        assert_eq!(similar("weather", names()), None);
        assert_eq!((distance("kitten", "sitting"), distance("", "ab"), distance("ab", "ab")), (3, 2, 0));
    }
}
