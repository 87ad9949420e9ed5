//! Codes of requests about promised texts.

/// There is no such promise in this conversation, or it does not wait any more. Answered 404.
pub(super) const NOT_WAITING: &str = "scheduled.not_waiting";
