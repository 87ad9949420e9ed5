//! The names of spans and metrics: those of the contracts *Conversational Backend API* and *Voice Backend API* 1.0.0 and
//! of the package, and ours where none has one.

use trunkline_core::messaging::Operation;
use trunkline_core::voice;

/// The names of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationNames<O> {
    /// The operation.
    pub operation: O,
    /// Its span.
    pub span: &'static str,
    /// Its counter.
    pub total: &'static str,
    /// Its histogram, in seconds.
    pub duration: &'static str,
}

macro_rules! operations {
    ($(#[$doc:meta])* $name:ident, $of:path { $($operation:ident: $span:literal, $metric:literal;)+ }) => {
        $(#[$doc])*
        pub const $name: &[OperationNames<$of>] = &[$(OperationNames {
            operation: <$of>::$operation,
            span: $span,
            total: concat!($metric, "_total"),
            duration: concat!($metric, "_duration_seconds"),
        }),+];
    };
}

operations! {
    /// Every messaging operation that has a span, in the order of the contract.
    OPERATIONS, Operation {
        Start: "twilio.messaging.backend.start", "twilio_messaging_backend_start";
        Stop: "twilio.messaging.backend.stop", "twilio_messaging_backend_stop";
        CreateConversation: "twilio.conversation.create", "twilio_conversation_create";
        GetConversation: "twilio.conversation.get", "twilio_conversation_get";
        ListConversations: "twilio.conversations.list", "twilio_conversations_list";
        CloseConversation: "twilio.conversation.close", "twilio_conversation_close";
        SendMessage: "twilio.message.send", "twilio_message_send";
        ReceiveMessages: "twilio.messages.receive", "twilio_messages_receive";
        AddParticipant: "twilio.participant.add", "twilio_participant_add";
        RemoveParticipant: "twilio.participant.remove", "twilio_participant_remove";
        HandleWebhook: "twilio.messaging.webhook.handle", "twilio_messaging_webhook";
        HealthCheck: "twilio.messaging.backend.health_check", "twilio_messaging_backend_health_check";
    }
}

operations! {
    /// Every voice operation that has a span: those of the contract, then what it leaves unnamed, named alike.
    VOICE_OPERATIONS, voice::Operation {
        Start: "twilio.backend.start", "twilio_backend_start";
        Stop: "twilio.backend.stop", "twilio_backend_stop";
        CreateSession: "twilio.call.create", "twilio_call_create";
        GetSession: "twilio.session.get", "twilio_session_get";
        ListSessions: "twilio.sessions.list", "twilio_sessions_list";
        CloseSession: "twilio.session.close", "twilio_session_close";
        HealthCheck: "twilio.backend.health_check", "twilio_backend_health_check";
        UpdateConfig: "twilio.backend.update_config", "twilio_backend_update_config";
        HandleInboundCall: "twilio.call.inbound", "twilio_call_inbound";
        StreamAudio: "twilio.stream.audio", "twilio_stream_audio";
        StreamText: "twilio.stream.text", "twilio_stream_text";
        Control: "twilio.call.control", "twilio_call_control";
    }
}

/// All operations of the voice backend, by `operation` and `outcome`.
pub const VOICE_OPERATIONS_TOTAL: &str = "twilio_backend_operations_total";
/// Their duration.
pub const VOICE_DURATION: &str = "twilio_backend_operation_duration_seconds";
/// Those that failed, by `operation` and `error_code`.
pub const VOICE_ERRORS: &str = "twilio_backend_errors_total";
/// Calls that are live now.
pub const SESSION_ACTIVE: &str = "twilio_session_active";
/// The same, as `GetActiveSessionCount` has it.
pub const BACKEND_ACTIVE_SESSIONS: &str = "twilio_backend_active_sessions";
/// Streams that are open now.
pub const STREAM_ACTIVE: &str = "twilio_stream_active";
/// Whether the provider can be worked with: 1 connected, 0 disconnected, -1 error.
pub const CONNECTION_STATE: &str = "twilio_backend_connection_state";

/// All operations of the backend, by `operation` and `outcome`.
pub const BACKEND_OPERATIONS: &str = "twilio_messaging_backend_operations_total";
/// Their duration.
pub const BACKEND_DURATION: &str = "twilio_messaging_backend_operation_duration_seconds";
/// Those that failed, by `operation` and `error_code`.
pub const BACKEND_ERRORS: &str = "twilio_messaging_backend_errors_total";
/// Conversations that are active now.
pub const CONVERSATION_ACTIVE: &str = "twilio_conversation_active";
/// People in them.
pub const PARTICIPANT_ACTIVE: &str = "twilio_participant_active";

/// The package's own: all operations, by `operation`, `provider` and `outcome`.
pub const OPERATIONS_TOTAL: &str = "messaging_operations_total";
/// Their duration.
pub const OPERATION_DURATION: &str = "messaging_operation_duration_seconds";
/// Those that failed.
pub const ERRORS_TOTAL: &str = "messaging_errors_total";
/// Conversations created.
pub const CONVERSATIONS_TOTAL: &str = "messaging_conversations_total";
/// Messages sent.
pub const MESSAGES_TOTAL: &str = "messaging_messages_total";
/// Conversations that are active now.
pub const ACTIVE_CONVERSATIONS: &str = "messaging_active_conversations";

/// Webhooks that came in, by `webhook_type`.
pub const WEBHOOK_RECEIVED: &str = "twilio_webhook_received_total";
/// Webhooks that were committed or deliberately passed over, by `event_type`.
pub const WEBHOOK_PROCESSED: &str = "twilio_webhook_processed_total";
/// Webhooks that were refused or could not be committed, by `error_code`.
pub const WEBHOOK_ERRORS: &str = "twilio_webhook_errors_total";
/// From the last byte in to the first byte out.
pub const WEBHOOK_DURATION: &str = "twilio_webhook_duration_seconds";
/// Parameters that this version does not know.
pub const WEBHOOK_UNKNOWN_PARAMETERS: &str = "twilio_webhook_unknown_parameters_total";
/// The span around a webhook.
pub const WEBHOOK_SPAN: &str = "twilio.webhook.handle";

/// Turns of agents, by `outcome`.
pub const TURNS: &str = "trunkline_turns_total";
/// From the last text of a burst to the committed reply.
pub const TURN_DURATION: &str = "trunkline_turn_duration_seconds";
/// What agents were reminded of, by `outcome`: found, nothing, late (after the deadline), failed; and by `meaning`: used,
/// late or failed (the words alone decided), off.
pub const RECALL: &str = "trunkline_recall_total";
/// How long that took.
pub const RECALL_DURATION: &str = "trunkline_recall_duration_seconds";
/// Passages that were to have a vector, by `outcome`: embedded, refused (or failed over each time); and tries that failed altogether: failed.
pub const EMBEDDINGS: &str = "trunkline_embeddings_total";
/// Passages that wait for a vector.
pub const EMBEDDINGS_WAITING: &str = "trunkline_embeddings_waiting";
/// Running summaries, by `outcome`: made (by a model), selected, failed, outdated.
pub const SUMMARIES: &str = "trunkline_summaries_total";
/// Texts that agents had promised, by `outcome`: sent, or why not.
pub const SCHEDULED: &str = "trunkline_scheduled_texts_total";
/// From the committed reply to its acceptance by the provider.
pub const SEND_LATENCY: &str = "trunkline_send_latency_seconds";
/// Replies taken back before they were sent.
pub const SUPERSEDED: &str = "trunkline_replies_superseded_total";
/// Sends, by `outcome`: sent, refused, later, unknown, found.
pub const SENDS: &str = "trunkline_sends_total";
/// Messages that were read back because their webhook never came, by `cause`.
pub const CAUGHT_UP: &str = "trunkline_caught_up_messages_total";
/// What was given up, by `code`.
pub const DEAD_LETTERS: &str = "trunkline_dead_letters_total";
/// Envelopes that wait on the bus, by `consumer`.
pub const BACKLOG: &str = "trunkline_bus_backlog";
/// Tasks of conversations that have work now, by `kind`: conversation, send, typing.
pub const LANES: &str = "trunkline_lanes";
/// Sockets of the web chat that are open now.
pub const WEBCHAT_SOCKETS: &str = "trunkline_webchat_sockets";
/// Messages of web chats, by `direction`: in (accepted), out (shown to a page, once for each that is open).
pub const WEBCHAT_MESSAGES: &str = "trunkline_webchat_messages_total";
/// Sockets, frames and messages of web chats that were turned away, by `code`.
pub const WEBCHAT_REFUSED: &str = "trunkline_webchat_refused_total";
/// Whether the real-time connection stands: 1 or 0.
pub const REALTIME_CONNECTED: &str = "twilio_realtime_connected";
/// Times that it was lost, by `code`.
pub const REALTIME_LOSSES: &str = "twilio_realtime_losses_total";
/// Conversations of which it hears.
pub const REALTIME_CONVERSATIONS: &str = "twilio_realtime_conversations";
/// Open conversations of the account of which it does not hear.
pub const REALTIME_MISSING: &str = "twilio_realtime_missing_conversations";
/// Messages of people that it brought.
pub const REALTIME_MESSAGES: &str = "twilio_realtime_messages_total";
/// Messages that it brought and that the bus cannot take.
pub const REALTIME_REFUSED: &str = "twilio_realtime_refused_total";
/// Tries to add our identity to a conversation, by `outcome`: added, present, later, refused, gone.
pub const PARTICIPATION: &str = "twilio_participation_total";
/// Events that handlers of the program were told of, by `event` and `outcome`: handled, failed, panicked,
/// `timed_out`, dropped. Questions have the event `question`, and besides rejected, changed.
pub const HANDLERS: &str = "trunkline_handlers_total";
/// Runs of workflows that are over, by `workflow` and `outcome`: done, compensated, failed.
pub const WORKFLOW_RUNS: &str = "trunkline_workflow_runs_total";
/// How long they were worked on since they were last taken up; one that took too long, since its beginning.
pub const WORKFLOW_RUN_DURATION: &str = "trunkline_workflow_run_duration_seconds";
/// Tries of steps of workflows, by `kind` and `outcome`: done, failed.
pub const WORKFLOW_STEPS: &str = "trunkline_workflow_steps_total";
/// How long they took.
pub const WORKFLOW_STEP_DURATION: &str = "trunkline_workflow_step_duration_seconds";
/// From an event's arrival at the engine to the first step of the run that it begins, where a place was free.
pub const WORKFLOW_FIRST_STEP: &str = "trunkline_workflow_first_step_seconds";
/// Conditions that could not be evaluated over an event, by `workflow`.
pub const WORKFLOW_CONDITIONS_FAILED: &str = "trunkline_workflow_conditions_failed_total";
/// Tasks that ended by a panic.
pub const PANICS: &str = "trunkline_panics_total";

/// Frames of audio, 20 ms each, that went over the streams of calls, by `direction`: in, out.
pub const STREAM_FRAMES: &str = "twilio_stream_frames_total";
/// Times that the sequence number of a stream was not the next one, counted when it ends.
pub const STREAM_GAPS: &str = "twilio_stream_gaps_total";
/// Messages of streams that were wrong.
pub const STREAM_FAULTS: &str = "twilio_stream_faults_total";
/// Sockets of calls that were turned away.
pub const STREAM_REFUSALS: &str = "twilio_stream_refusals_total";
/// Calls that live now.
pub const CALLS_LIVE: &str = "trunkline_calls_live";
/// Calls that ended, by `outcome`.
pub const CALLS_ENDED: &str = "trunkline_calls_ended_total";
/// How long they lasted.
pub const CALL_DURATION: &str = "trunkline_call_duration_seconds";
/// From the end of a person's speech to the first sound of the answer.
pub const CALL_LATENCY: &str = "trunkline_call_turn_latency_seconds";
/// How often the far end was told to forget what it had not played.
pub const CALL_CLEARS: &str = "trunkline_call_clears_total";
/// How often the far end made no progress.
pub const CALL_STALLS: &str = "trunkline_call_stalls_total";
/// Tokens of language models: `model`, and `kind` (`input`, `output`).
pub const MODEL_TOKENS: &str = "trunkline_model_tokens_total";
/// From a question to a language model to the first thing that it says: `model`.
pub const MODEL_FIRST_TOKEN: &str = "trunkline_model_first_token_seconds";
/// Calls of tools: `tool`, and `outcome` (`ok`, or the code of the error).
pub const TOOL_CALLS: &str = "trunkline_tool_calls_total";
/// How long a tool took: `tool`.
pub const TOOL_DURATION: &str = "trunkline_tool_duration_seconds";
/// What failed in calls, by `code`.
pub const CALL_FAILURES: &str = "trunkline_call_failures_total";
/// Engines of speech that failed, by `engine` and `code`.
pub const SPEECH_FAILURES: &str = "trunkline_speech_failures_total";

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the contract, written out: span, counter, histogram of each method.
    #[test]
    fn operations_are_named_as_in_the_contract() {
        let table: Vec<_> = OPERATIONS.iter().map(|names| (names.span, names.total, names.duration)).collect();
        assert_eq!(table.len(), 12, "all but GetConfig, which has neither");
        assert!(table.contains(&(
            "twilio.messaging.webhook.handle",
            "twilio_messaging_webhook_total",
            "twilio_messaging_webhook_duration_seconds"
        )));
        assert!(table.contains(&(
            "twilio.message.send",
            "twilio_message_send_total",
            "twilio_message_send_duration_seconds"
        )));
    }
}
