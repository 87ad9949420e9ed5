//! Codes of workflows: of requests that are turned away, and of steps and runs that fail.

/// Workflows are switched off: no folder is configured. Answered 404.
pub(crate) const OFF: &str = "workflow.off";
/// There is no such workflow or run. Answered 404.
pub(crate) const NOT_FOUND: &str = "workflow.not_found";
/// The workflow has no trigger `api = true`, and starts by itself only. Answered 409.
pub(crate) const NOT_STARTABLE: &str = "workflow.not_startable";
/// The run is not in a state in which that can be done. Answered 409.
pub(crate) const WRONG_STATE: &str = "workflow.wrong_state";
/// A parameter of the request has no meaning, or the data is larger than an event may be. Answered 400.
pub(crate) const BAD_REQUEST: &str = "workflow.bad_request";
/// An event is larger than any that a workflow is started by; it starts none.
pub(crate) const EVENT_TOO_LARGE: &str = "workflow.event_too_large";
/// A run has taken longer than its workflow allows.
pub(crate) const RUN_TIMEOUT: &str = "workflow.run_timeout";
/// A try of a step has taken longer than its node allows.
pub(crate) const STEP_TIMEOUT: &str = "workflow.step_timeout";
/// The process ended during the last try of a step.
pub(crate) const INTERRUPTED: &str = "workflow.interrupted";
/// A step panicked, which is a fault of this program.
pub(crate) const PANICKED: &str = "workflow.panicked";
/// The text that a run began with cannot be read any more.
pub(crate) const NO_DEFINITION: &str = "workflow.no_definition";
/// A field of a step came to something that cannot be used: an address, a time, a name.
pub(crate) const BAD_VALUE: &str = "workflow.bad_value";
/// A step needs something that is not configured: calls, numbers, an agent.
pub(crate) const NOT_CONFIGURED: &str = "workflow.not_configured";
/// The conversation of a step is not known, or closed.
pub(crate) const NO_CONVERSATION: &str = "workflow.no_conversation";
/// The person may not be sent this, by the rules of the channel; the log says which.
pub(crate) const REFUSED: &str = "workflow.refused";
/// A request goes to an address that is not of the public internet, and whose host is not allowed by name.
pub(crate) const PRIVATE_ADDRESS: &str = "workflow.private_address";
/// The far side of a request cannot be reached.
pub(crate) const UNREACHABLE: &str = "workflow.unreachable";
/// The far side of a request answered with a status that is no success.
pub(crate) const HTTP_STATUS: &str = "workflow.http_status";
/// The answer to a request is larger than is read.
pub(crate) const ANSWER_TOO_LARGE: &str = "workflow.answer_too_large";
/// A text needs more messages than one answer may have.
pub(crate) const TEXT_TOO_LONG: &str = "workflow.text_too_long";
/// What became of a call cannot be told: the provider could not be asked.
pub(crate) const OUTCOME_UNKNOWN: &str = "workflow.outcome_unknown";
