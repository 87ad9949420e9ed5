//! What was asked of the backend.

use std::collections::VecDeque;

use trunkline_core::messaging::{ConversationId, ErrorCode, Operation};

/// The most calls that are remembered; the oldest are forgotten first.
pub const MAX_CALLS: usize = 65_536;

/// One call of an operation that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The conversation that it was about, if it named one.
    pub conversation: Option<ConversationId>,
    /// The error that the caller got, if any.
    pub error: Option<ErrorCode>,
}

#[derive(Debug, Default)]
pub(super) struct Calls(VecDeque<Call>);

impl Calls {
    pub(super) fn add(&mut self, call: Call) {
        if self.0.len() >= MAX_CALLS {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    pub(super) fn all(&self) -> Vec<Call> {
        self.0.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
