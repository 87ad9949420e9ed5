//! What came of the checks.

use std::fmt;

use trunkline_core::messaging::Operation;

use super::Check;

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The check's name.
    pub check: &'static str,
    /// The operation that it is about.
    pub operation: Operation,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl Outcome {
    pub(super) fn new(check: &Check, result: Result<(), String>) -> Self {
        Self { check: check.name, operation: check.operation, failure: result.err() }
    }
}

/// What came of all of them. `Display` names each that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    outcomes: Vec<Outcome>,
}

impl Verdict {
    pub(super) const fn new(outcomes: Vec<Outcome>) -> Self {
        Self { outcomes }
    }

    /// Every check that ran, in order.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Those that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_some())
    }

    /// Whether all passed.
    pub fn is_passed(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Panics with the name and the reason of each check that failed, if one did.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.is_passed(), "{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} checks passed", self.outcomes.len() - self.failed().count(), self.outcomes.len())?;
        for Outcome { check, operation, failure } in self.failed() {
            write!(f, "\n  {check} ({operation}): {}", failure.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }
}
