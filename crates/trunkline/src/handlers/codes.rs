//! Codes of what becomes of handlers, in logs.

/// A handler said that it failed.
pub(super) const FAILED: &str = "handler.failed";
/// A handler panicked.
pub(super) const PANICKED: &str = "handler.panicked";
/// A handler took too long over an event, or over a question, which was answered with yes.
pub(super) const TIMED_OUT: &str = "handler.timed_out";
/// A handler holds as many events as it can and was not told of one.
pub(super) const OVERLOADED: &str = "handler.overloaded";
