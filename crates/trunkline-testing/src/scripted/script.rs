//! What goes wrong, in which operation, and how often.

use std::time::Duration;

use trunkline_core::Retry;
use trunkline_core::messaging::{ErrorCode, MessagingError, Operation};

/// One step of a script: how the next calls of an operation go. Give it to
/// [`ScriptedBackend::script`](super::ScriptedBackend::script).
///
/// ```
/// use std::time::Duration;
/// use trunkline_core::Retry;
/// use trunkline_core::messaging::{ErrorCode, Operation};
/// use trunkline_testing::Step;
///
/// // Two sends are refused for now, the third is carried out and its answer is lost.
/// let throttled = Step::fail(Operation::SendMessage, ErrorCode::RateLimit)
///     .retry(Retry::After(Duration::from_millis(50)))
///     .times(2);
/// let lost = Step::fail(Operation::SendMessage, ErrorCode::NetworkError).after_effect();
/// # let _ = (throttled, lost);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing happens before the backend has it"]
pub struct Step {
    pub(super) operation: Operation,
    pub(super) failure: Option<(ErrorCode, Retry)>,
    pub(super) is_after: bool,
    pub(super) delay: Duration,
    /// How many calls are left; `None` for all.
    pub(super) left: Option<u64>,
}

impl Step {
    /// The next call of `operation` fails with `code` and has no effect. By default it may not be tried again:
    /// [`Retry::No`].
    pub const fn fail(operation: Operation, code: ErrorCode) -> Self {
        let failure = Some((code, Retry::No));
        Self { operation, failure, is_after: false, delay: Duration::ZERO, left: Some(1) }
    }

    /// The next call of `operation` begins this much later, by the runtime's clock, and then does what it always does.
    pub const fn delay(operation: Operation, delay: Duration) -> Self {
        Self { operation, failure: None, is_after: false, delay, left: Some(1) }
    }

    /// What the error says about a second try.
    pub const fn retry(mut self, retry: Retry) -> Self {
        if let Some((code, _)) = self.failure {
            self.failure = Some((code, retry));
        }
        self
    }

    /// The call is carried out first, and fails then; with [`Retry::Unknown`], as when an answer is lost. A later
    /// [`retry`](Self::retry) says otherwise. A step that does not fail stays as it is.
    pub const fn after_effect(mut self) -> Self {
        self.is_after = true;
        self.retry(Retry::Unknown)
    }

    /// It also begins this much later. Default: at once.
    pub const fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// It holds for so many calls. Default 1.
    pub const fn times(mut self, calls: u64) -> Self {
        self.left = Some(calls);
        self
    }

    /// It holds until the script is cleared.
    pub const fn always(mut self) -> Self {
        self.left = None;
        self
    }
}

/// The steps that are left, in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Step>);

impl Script {
    pub(super) fn add(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether a step with a fixed number of calls is left.
    pub(super) fn is_played(&self) -> bool {
        self.0.iter().all(|step| step.left.is_none())
    }

    /// The step of the next call of `operation`, used up by one.
    pub(super) fn next(&mut self, operation: Operation) -> Option<Step> {
        self.0.retain(|step| step.left != Some(0));
        let step = self.0.iter_mut().find(|step| step.operation == operation)?;
        step.left = step.left.map(|left| left.saturating_sub(1));
        let found = step.clone();
        self.0.retain(|step| step.left != Some(0));
        Some(found)
    }
}

impl Step {
    pub(super) fn error(&self) -> Option<MessagingError> {
        let (code, retry) = self.failure?;
        Some(MessagingError::new(self.operation, code, "the script says so").with_retry(retry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_used_up_in_order_and_by_operation() {
        let mut script = Script::default();
        script.add(Step::fail(Operation::SendMessage, ErrorCode::RateLimit).times(2));
        script.add(Step::fail(Operation::SendMessage, ErrorCode::MessageFailed));
        script.add(Step::delay(Operation::GetConversation, Duration::from_secs(1)).always());
        let mut code = || script.next(Operation::SendMessage).and_then(|step| step.error()).map(|error| error.code());
        let codes = [code(), code(), code(), code()];
        let limit = Some(ErrorCode::RateLimit);
        assert_eq!(codes, [limit, limit, Some(ErrorCode::MessageFailed), None]);
        assert!(script.is_played());
        for _ in 0..3 {
            assert_eq!(script.next(Operation::GetConversation).unwrap().delay, Duration::from_secs(1));
        }
        script.clear();
        assert!(script.next(Operation::GetConversation).is_none());
    }

    #[test]
    fn a_failure_after_the_effect_is_of_unknown_outcome_unless_told_otherwise() {
        let step = Step::fail(Operation::SendMessage, ErrorCode::NetworkError).after_effect();
        assert_eq!(step.error().unwrap().retry(), Retry::Unknown);
        assert_eq!(step.retry(Retry::No).error().unwrap().retry(), Retry::No);
    }
}
