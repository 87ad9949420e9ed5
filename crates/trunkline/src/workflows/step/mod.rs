//! What steps do. Each is carried out at least once under a name of its own, so that what it does is done once: texts by
//! their row of the outbox, calls by looking them up first, requests by an `Idempotency-Key`.

mod agents;
mod calls;
mod conversations;
pub(super) mod http;
mod texts;
mod tools;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use trunkline_agent::workflow::{ExpressionError, Kind, Scope, Template};
use trunkline_core::Retry;
use trunkline_core::messaging::MessagingError;
use trunkline_store::{ConversationRow, StoreError};

use super::codes;
use super::engine::Workflows;
use crate::pipeline::{SubmitError, why_refused};

/// A step that is to be carried out.
pub(super) struct Effect {
    pub(super) engine: Workflows,
    pub(super) scope: Scope,
    pub(super) event: Value,
    /// The same at each try, also after a restart.
    pub(super) name: String,
    /// Which try, from 1.
    pub(super) attempt: u32,
    /// Whether it surely has had no effect yet.
    pub(super) is_first: bool,
    /// When its first try began.
    pub(super) begun_at: Timestamp,
    /// How long this try may take.
    pub(super) timeout: Duration,
}

/// What a step came to.
#[derive(Debug)]
pub(super) struct StepDone {
    pub(super) output: Value,
    /// The far side's name for what it did.
    pub(super) effect_id: Option<String>,
}

impl StepDone {
    const fn new(output: Value) -> Self {
        Self { output, effect_id: None }
    }
}

/// Why a step did not work. No personal data.
#[derive(Debug)]
pub(super) struct StepError {
    pub(super) code: &'static str,
    pub(super) reason: String,
    /// Whether another try may work.
    pub(super) may_retry: bool,
    /// Not before this long.
    pub(super) after: Duration,
}

impl StepError {
    pub(super) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), may_retry: false, after: Duration::ZERO }
    }

    pub(super) fn retryable(self) -> Self {
        Self { may_retry: true, ..self }
    }

    fn advised(self, retry: Retry) -> Self {
        match retry {
            Retry::No => self,
            Retry::After(after) => Self { may_retry: true, after, ..self },
            // What it did is named, or looked up first: another try does no harm.
            Retry::Unknown => self.retryable(),
        }
    }
}

impl From<ExpressionError> for StepError {
    fn from(error: ExpressionError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string()).advised(error.retry())
    }
}

impl From<MessagingError> for StepError {
    fn from(error: MessagingError) -> Self {
        Self::new(error.code().as_str(), error.to_string()).advised(error.retry())
    }
}

impl From<SubmitError> for StepError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => error.into(),
            SubmitError::Connector(error) => Self::new(error.code, error.message).advised(error.retry),
            SubmitError::Refused(code) => Self::new(codes::REFUSED, format!("{code}: {}", why_refused(code))),
        }
    }
}

/// Carries a step out.
///
/// # Cancel safety
/// It may have had its effect; the next try is under the same name.
pub(super) async fn carry_out(effect: &Effect, kind: Option<&Kind>) -> Result<StepDone, StepError> {
    let Some(kind) = kind else { return Err(StepError::new(codes::NO_DEFINITION, "there is no such node")) };
    match kind {
        Kind::SendText { .. } => texts::send(effect, kind).await,
        Kind::PlaceCall { to, from, ring, as_text, digits } => {
            let wish = calls::Wish { to, from: from.as_ref(), ring: *ring, as_text: *as_text, digits: digits.as_ref() };
            calls::place(effect, &wish).await
        }
        Kind::Http { method, url, headers, body } => http::request(effect, method, url, headers, body.as_ref()).await,
        Kind::Agent { agent, input, conversation } => {
            agents::answer(effect, agent.as_deref(), input, conversation.as_ref()).await
        }
        Kind::AddParticipant { conversation, identity, address, own_address } => {
            let who = (identity.as_ref(), address.as_ref(), own_address.as_ref());
            conversations::add(effect, conversation, who).await
        }
        Kind::RemoveParticipant { conversation, participant } => {
            conversations::remove(effect, conversation, participant).await
        }
        Kind::CloseConversation { conversation } => conversations::close(effect, conversation).await,
        Kind::HandOver { conversation } => conversations::hand_over(effect, conversation).await,
        Kind::Store { conversation, person, values } => {
            conversations::remember(effect, conversation.as_ref(), person.as_ref(), values).await
        }
        Kind::Tool { tool, arguments, conversation } => {
            tools::call(effect, tool, arguments, conversation.as_ref()).await
        }
        // Done without anybody's help.
        Kind::Condition { .. } | Kind::Wait { .. } | Kind::Join => Ok(StepDone::new(Value::Null)),
    }
}

impl Effect {
    fn text(&self, template: &Template) -> Result<String, StepError> {
        Ok(template.text(&self.scope)?)
    }

    /// The text of a field that may be missing; one that is empty is missing too.
    fn optional(&self, template: Option<&Template>) -> Result<Option<String>, StepError> {
        let text = template.map(|template| self.text(template)).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// The conversation that a field names: by our name, or by the provider's.
    async fn conversation(&self, template: &Template) -> Result<ConversationRow, StepError> {
        let name = self.text(template)?;
        let context = &self.engine.0.context;
        if let Some(row) = context.store.conversation(&name).await? {
            return Ok(row);
        }
        for connector in context.connectors.iter() {
            if let Some(row) = context.store.conversation_by_external(connector.name(), &name).await? {
                return Ok(row);
            }
        }
        Err(StepError::new(codes::NO_CONVERSATION, "there is no conversation of that name"))
    }
}
