//! How a backend is doing.

use std::fmt;

/// The three answers of a health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthState {
    /// The provider's API answers and the configuration is valid.
    Healthy,
    /// The API answers, but something is off: rate limits, an open circuit, a webhook that points elsewhere.
    Degraded,
    /// The API does not answer, or the configuration is not valid.
    Unhealthy,
}

impl HealthState {
    /// The word in JSON answers and metrics: `healthy`, `degraded` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer of a health check, with the reasons for anything but healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthStatus {
    /// The verdict: the worst of all reasons.
    pub state: HealthState,
    /// Why, in words fit for an operator; empty when healthy. No secrets, no personal data.
    pub reasons: Vec<String>,
    /// Conversations that this backend has live state for.
    pub active_conversations: usize,
}

impl HealthStatus {
    /// Healthy, with nothing live yet.
    pub const fn healthy() -> Self {
        Self { state: HealthState::Healthy, reasons: Vec::new(), active_conversations: 0 }
    }

    /// Adds a reason and lets the verdict sink to `state` if it was better.
    #[must_use]
    pub fn because(mut self, state: HealthState, reason: impl Into<String>) -> Self {
        self.state = self.state.max(state);
        self.reasons.push(reason.into());
        self
    }

    /// Sets the number of live conversations.
    #[must_use]
    pub const fn with_active_conversations(mut self, count: usize) -> Self {
        self.active_conversations = count;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_worst_reason() {
        let status = HealthStatus::healthy()
            .because(HealthState::Unhealthy, "the API does not answer")
            .because(HealthState::Degraded, "rate limited");
        assert_eq!(status.state, HealthState::Unhealthy);
        assert_eq!(status.reasons.len(), 2);
    }
}
