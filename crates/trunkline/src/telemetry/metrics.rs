//! The gateway's own instruments.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};
use trunkline_agent::ModelUsage;
use trunkline_agent::tools::ToolReport;

use super::agents::AgentInstruments;
use super::names;

/// Upper bounds of the buckets of a duration, in seconds.
pub(super) const BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Instruments of the edge and the pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Instruments>);

struct Instruments {
    webhook_received: Counter<u64>,
    webhook_processed: Counter<u64>,
    webhook_errors: Counter<u64>,
    webhook_duration: Histogram<f64>,
    unknown_parameters: Counter<u64>,
    turns: Counter<u64>,
    turn_duration: Histogram<f64>,
    recall: Counter<u64>,
    recall_duration: Histogram<f64>,
    scheduled: Counter<u64>,
    summaries: Counter<u64>,
    embeddings: Counter<u64>,
    embeddings_waiting: Gauge<u64>,
    send_latency: Histogram<f64>,
    superseded: Counter<u64>,
    sends: Counter<u64>,
    caught_up: Counter<u64>,
    dead_letters: Counter<u64>,
    backlog: Gauge<u64>,
    conversation_active: Gauge<u64>,
    participant_active: Gauge<u64>,
    active_conversations: Gauge<u64>,
    lanes: UpDownCounter<i64>,
    webchat_sockets: UpDownCounter<i64>,
    webchat_messages: Counter<u64>,
    webchat_refused: Counter<u64>,
    realtime_connected: Gauge<u64>,
    realtime_losses: Counter<u64>,
    realtime_conversations: Gauge<u64>,
    realtime_missing: Gauge<u64>,
    realtime_messages: Counter<u64>,
    realtime_refused: Counter<u64>,
    participation: Counter<u64>,
    handlers: Counter<u64>,
    workflow_runs: Counter<u64>,
    workflow_run_duration: Histogram<f64>,
    workflow_steps: Counter<u64>,
    workflow_step_duration: Histogram<f64>,
    workflow_first_step: Histogram<f64>,
    workflow_conditions_failed: Counter<u64>,
    panics: Counter<u64>,
    calls_live: Gauge<u64>,
    calls_ended: Counter<u64>,
    call_duration: Histogram<f64>,
    call_latency: Histogram<f64>,
    call_clears: Counter<u64>,
    call_stalls: Counter<u64>,
    call_failures: Counter<u64>,
    speech_failures: Counter<u64>,
    agents: AgentInstruments,
}

pub(super) fn seconds(meter: &Meter, name: &'static str) -> Histogram<f64> {
    meter.f64_histogram(name).with_boundaries(BUCKETS.to_vec()).build()
}

impl Metrics {
    /// Instruments of `meter`.
    pub fn new(meter: &Meter) -> Self {
        Self(Arc::new(Instruments {
            webhook_received: meter.u64_counter(names::WEBHOOK_RECEIVED).build(),
            webhook_processed: meter.u64_counter(names::WEBHOOK_PROCESSED).build(),
            webhook_errors: meter.u64_counter(names::WEBHOOK_ERRORS).build(),
            webhook_duration: seconds(meter, names::WEBHOOK_DURATION),
            unknown_parameters: meter.u64_counter(names::WEBHOOK_UNKNOWN_PARAMETERS).build(),
            turns: meter.u64_counter(names::TURNS).build(),
            turn_duration: seconds(meter, names::TURN_DURATION),
            recall: meter.u64_counter(names::RECALL).build(),
            recall_duration: seconds(meter, names::RECALL_DURATION),
            scheduled: meter.u64_counter(names::SCHEDULED).build(),
            summaries: meter.u64_counter(names::SUMMARIES).build(),
            embeddings: meter.u64_counter(names::EMBEDDINGS).build(),
            embeddings_waiting: meter.u64_gauge(names::EMBEDDINGS_WAITING).build(),
            send_latency: seconds(meter, names::SEND_LATENCY),
            superseded: meter.u64_counter(names::SUPERSEDED).build(),
            sends: meter.u64_counter(names::SENDS).build(),
            caught_up: meter.u64_counter(names::CAUGHT_UP).build(),
            dead_letters: meter.u64_counter(names::DEAD_LETTERS).build(),
            backlog: meter.u64_gauge(names::BACKLOG).build(),
            conversation_active: meter.u64_gauge(names::CONVERSATION_ACTIVE).build(),
            participant_active: meter.u64_gauge(names::PARTICIPANT_ACTIVE).build(),
            active_conversations: meter.u64_gauge(names::ACTIVE_CONVERSATIONS).build(),
            lanes: meter.i64_up_down_counter(names::LANES).build(),
            webchat_sockets: meter.i64_up_down_counter(names::WEBCHAT_SOCKETS).build(),
            webchat_messages: meter.u64_counter(names::WEBCHAT_MESSAGES).build(),
            webchat_refused: meter.u64_counter(names::WEBCHAT_REFUSED).build(),
            realtime_connected: meter.u64_gauge(names::REALTIME_CONNECTED).build(),
            realtime_losses: meter.u64_counter(names::REALTIME_LOSSES).build(),
            realtime_conversations: meter.u64_gauge(names::REALTIME_CONVERSATIONS).build(),
            realtime_missing: meter.u64_gauge(names::REALTIME_MISSING).build(),
            realtime_messages: meter.u64_counter(names::REALTIME_MESSAGES).build(),
            realtime_refused: meter.u64_counter(names::REALTIME_REFUSED).build(),
            participation: meter.u64_counter(names::PARTICIPATION).build(),
            handlers: meter.u64_counter(names::HANDLERS).build(),
            workflow_runs: meter.u64_counter(names::WORKFLOW_RUNS).build(),
            workflow_run_duration: seconds(meter, names::WORKFLOW_RUN_DURATION),
            workflow_steps: meter.u64_counter(names::WORKFLOW_STEPS).build(),
            workflow_step_duration: seconds(meter, names::WORKFLOW_STEP_DURATION),
            workflow_first_step: seconds(meter, names::WORKFLOW_FIRST_STEP),
            workflow_conditions_failed: meter.u64_counter(names::WORKFLOW_CONDITIONS_FAILED).build(),
            panics: meter.u64_counter(names::PANICS).build(),
            calls_live: meter.u64_gauge(names::CALLS_LIVE).build(),
            calls_ended: meter.u64_counter(names::CALLS_ENDED).build(),
            call_duration: seconds(meter, names::CALL_DURATION),
            call_latency: seconds(meter, names::CALL_LATENCY),
            call_clears: meter.u64_counter(names::CALL_CLEARS).build(),
            call_stalls: meter.u64_counter(names::CALL_STALLS).build(),
            call_failures: meter.u64_counter(names::CALL_FAILURES).build(),
            speech_failures: meter.u64_counter(names::SPEECH_FAILURES).build(),
            agents: AgentInstruments::new(meter),
        }))
    }

    /// A webhook of a kind (`conversations`) came in.
    pub fn webhook_received(&self, kind: &'static str) {
        self.0.webhook_received.add(1, &[KeyValue::new("webhook_type", kind)]);
    }

    /// A webhook is done with.
    pub fn webhook_processed(&self, event_type: &'static str, took: Duration, unknown_parameters: usize) {
        self.0.webhook_processed.add(1, &[KeyValue::new("event_type", event_type)]);
        self.0.webhook_duration.record(took.as_secs_f64(), &[]);
        if unknown_parameters > 0 {
            self.0.unknown_parameters.add(unknown_parameters as u64, &[]);
        }
    }

    /// A webhook was turned away.
    pub fn webhook_error(&self, code: &'static str, took: Duration) {
        self.0.webhook_errors.add(1, &[KeyValue::new("error_code", code)]);
        self.0.webhook_duration.record(took.as_secs_f64(), &[]);
    }

    /// A turn ended: `answered`, `retried`, `superseded`, `given_up`.
    pub fn turn(&self, outcome: &'static str, took: Duration) {
        self.0.turns.add(1, &[KeyValue::new("outcome", outcome)]);
        self.0.turn_duration.record(took.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
    }

    /// A promised text was sent, or was not: `sent`, `agent`, `opted_out`, `closed`, `unsendable`.
    pub fn scheduled(&self, outcome: &'static str) {
        self.0.scheduled.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// A summary was to be made: `made`, `selected`, `failed`, `outdated`.
    pub fn summary(&self, outcome: &'static str) {
        self.0.summaries.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// An agent was to be reminded: `found`, `nothing`, `late`, `failed`; what the words mean was `used`, `late`,
    /// `failed` or `off`.
    pub fn recall(&self, outcome: &'static str, meaning: &'static str, took: Duration) {
        self.0.recall.add(1, &[KeyValue::new("outcome", outcome), KeyValue::new("meaning", meaning)]);
        self.0.recall_duration.record(took.as_secs_f64(), &[]);
    }

    /// So many passages were `embedded` or `refused`, or a try `failed`.
    pub fn embedded(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.0.embeddings.add(count, &[KeyValue::new("outcome", outcome)]);
        }
    }

    /// So many passages wait for a vector.
    pub fn embeddings_waiting(&self, count: u64) {
        self.0.embeddings_waiting.record(count, &[]);
    }

    /// The provider has accepted a reply, this long after it was committed.
    pub fn sent_after(&self, latency: Duration) {
        self.0.send_latency.record(latency.as_secs_f64(), &[]);
    }

    /// Replies were taken back.
    pub fn superseded(&self, count: usize) {
        self.0.superseded.add(count as u64, &[]);
    }

    /// A send came to an outcome.
    pub fn send(&self, outcome: &'static str) {
        self.0.sends.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// Messages were read back: because of a `gap`, or by a `pass`.
    pub fn caught_up(&self, cause: &'static str, count: usize) {
        self.0.caught_up.add(count as u64, &[KeyValue::new("cause", cause)]);
    }

    /// Something was given up.
    pub fn dead_letter(&self, code: &'static str) {
        self.0.dead_letters.add(1, &[KeyValue::new("code", code)]);
    }

    /// What waits on the bus.
    pub fn backlog(&self, consumer: &'static str, count: u64) {
        self.0.backlog.record(count, &[KeyValue::new("consumer", consumer)]);
    }

    /// What is live.
    pub fn live(&self, conversations: u64, participants: u64) {
        self.0.conversation_active.record(conversations, &[]);
        self.0.active_conversations.record(conversations, &[]);
        self.0.participant_active.record(participants, &[]);
    }

    /// So many more lanes of a kind have work.
    pub fn lane(&self, kind: &'static str, change: i64) {
        self.0.lanes.add(change, &[KeyValue::new("kind", kind)]);
    }

    /// So many more sockets of the web chat are open.
    pub fn webchat_socket(&self, change: i64) {
        self.0.webchat_sockets.add(change, &[]);
    }

    /// A message of a web chat was accepted (`in`) or shown (`out`).
    pub fn webchat_message(&self, direction: &'static str) {
        self.0.webchat_messages.add(1, &[KeyValue::new("direction", direction)]);
    }

    /// The web chat turned something away.
    pub fn webchat_refused(&self, code: &'static str) {
        self.0.webchat_refused.add(1, &[KeyValue::new("code", code)]);
    }

    /// The real-time connection stands, or does not.
    pub fn realtime_connected(&self, is_connected: bool) {
        self.0.realtime_connected.record(u64::from(is_connected), &[]);
    }

    /// The real-time connection was lost.
    pub fn realtime_lost(&self, code: &'static str) {
        self.0.realtime_losses.add(1, &[KeyValue::new("code", code)]);
    }

    /// So many conversations are heard of, and so many open ones are not.
    pub fn realtime_conversations(&self, heard: usize, missing: usize) {
        self.0.realtime_conversations.record(heard as u64, &[]);
        self.0.realtime_missing.record(missing as u64, &[]);
    }

    /// The socket brought a message of a person.
    pub fn realtime_message(&self) {
        self.0.realtime_messages.add(1, &[]);
    }

    /// The socket brought a message that the bus cannot take.
    pub fn realtime_refused(&self) {
        self.0.realtime_refused.add(1, &[]);
    }

    /// Our identity was to be added to a conversation.
    pub fn participation(&self, outcome: &'static str) {
        self.0.participation.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// So many calls live.
    pub fn calls_live(&self, count: usize) {
        self.0.calls_live.record(count as u64, &[]);
    }

    /// A call ended.
    pub fn call_ended(&self, outcome: &'static str, lasted: Duration) {
        self.0.calls_ended.add(1, &[KeyValue::new("outcome", outcome)]);
        self.0.call_duration.record(lasted.as_secs_f64(), &[]);
    }

    /// An answer sounded, this long after the person had finished.
    pub fn call_turn(&self, latency: Duration, was_interrupted: bool) {
        self.0.call_latency.record(latency.as_secs_f64(), &[KeyValue::new("interrupted", was_interrupted)]);
    }

    /// The far end was told to forget what it had not played.
    pub fn call_cleared(&self) {
        self.0.call_clears.add(1, &[]);
    }

    /// The far end of a call made no progress.
    pub fn call_stalled(&self) {
        self.0.call_stalls.add(1, &[]);
    }

    /// What a question to a language model has cost.
    pub fn model_used(&self, usage: &ModelUsage) {
        self.0.agents.used(usage);
    }

    /// A tool was called.
    pub fn tool_called(&self, report: &ToolReport) {
        self.0.agents.called(report);
    }

    /// A reply could not be made.
    pub fn call_reply_failed(&self, code: &'static str) {
        self.0.call_failures.add(1, &[KeyValue::new("code", code)]);
    }

    /// No recognizer listens to a call any more.
    pub fn call_deaf(&self) {
        self.0.call_failures.add(1, &[KeyValue::new("code", "call.deaf")]);
    }

    /// An entry of a call's journal was lost.
    pub fn call_entry_lost(&self) {
        self.0.call_failures.add(1, &[KeyValue::new("code", "call.entry_lost")]);
    }

    /// An engine of speech failed.
    pub fn speech_failed(&self, engine: &'static str, code: &'static str) {
        self.0.speech_failures.add(1, &[KeyValue::new("engine", engine), KeyValue::new("code", code)]);
    }

    /// A handler was told of an event, or asked.
    pub fn handler(&self, event: &'static str, outcome: &'static str) {
        self.0.handlers.add(1, &[KeyValue::new("event", event), KeyValue::new("outcome", outcome)]);
    }

    /// A run of a workflow is over. Workflows have names that an operator gave them; there are few.
    pub fn workflow_run(&self, workflow: &str, outcome: &'static str, worked: Duration) {
        let labels = [KeyValue::new("workflow", workflow.to_owned()), KeyValue::new("outcome", outcome)];
        self.0.workflow_runs.add(1, &labels);
        self.0.workflow_run_duration.record(worked.as_secs_f64(), &labels);
    }

    /// A try of a step of a workflow is over.
    pub fn workflow_step(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        let labels = [KeyValue::new("kind", kind), KeyValue::new("outcome", outcome)];
        self.0.workflow_steps.add(1, &labels);
        self.0.workflow_step_duration.record(took.as_secs_f64(), &labels);
    }

    /// The first step of a run begins, this long after the event came.
    pub fn workflow_first_step(&self, latency: Duration) {
        self.0.workflow_first_step.record(latency.as_secs_f64(), &[]);
    }

    /// A condition of a workflow could not be evaluated over an event.
    pub fn workflow_condition_failed(&self, workflow: &str) {
        self.0.workflow_conditions_failed.add(1, &[KeyValue::new("workflow", workflow.to_owned())]);
    }

    /// A task ended by a panic.
    pub fn panic(&self, task: &'static str) {
        self.0.panics.add(1, &[KeyValue::new("task", task)]);
    }
}
