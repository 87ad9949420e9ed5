//! What the real-time side says of itself, for the console and its API.

use serde_json::{Value, json};
use trunkline_twilio::realtime::ConnectionState;

use super::Realtime;

/// The state as one word. A refused token is an error: it is tried again with another one.
pub(crate) fn word(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Connected => "connected",
        ConnectionState::Connecting => "connecting",
        ConnectionState::Denied => "error",
        ConnectionState::Disconnected => "disconnected",
    }
}

/// The whole snapshot.
pub(crate) fn status(realtime: &Realtime) -> Value {
    let snapshot = realtime.client().snapshot();
    let counters = snapshot.counters;
    let last_error = snapshot
        .last_error
        .map(|loss| json!({ "code": loss.code, "reason": loss.reason, "twilio_code": loss.twilio_code }));
    json!({
        "state": word(snapshot.state),
        "identity": snapshot.identity,
        "initialized": snapshot.is_initialized,
        "conversations": snapshot.conversations,
        "open_conversations": snapshot.open_conversations,
        "missing_conversations": realtime.coverage().missing(),
        "subscriptions": snapshot.subscriptions,
        "confirmed_subscriptions": snapshot.confirmed_subscriptions,
        "counters": {
            "connections": counters.connections,
            "losses": counters.losses,
            "messages_received": counters.messages_received,
            "messages_sent": counters.messages_sent,
            "commands_failed": counters.commands_failed,
            "payloads_refused": counters.payloads_refused,
            "over_limit": counters.over_limit,
        },
        "last_error": last_error,
        "last_message_at": snapshot.last_message.map(|at| at.to_string()),
    })
}
