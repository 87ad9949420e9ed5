//! Placing a call, once.
//!
//! The provider takes no name for a call from us. So the step is noted before the call is placed, and every further try
//! first looks whether the call is there: one of ours, between the two numbers, made since the first try began, that is
//! nobody else's.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use trunkline_agent::workflow::Template;
use trunkline_core::E164;
use trunkline_core::voice::{ErrorCode, SessionConfig, VoiceError};
use trunkline_proto::calls::Call;
use trunkline_twilio::rest::calls::CallFilter;
use trunkline_twilio::voice::TwilioVoice;

use super::{Effect, StepDone, StepError};
use crate::workflows::codes;
use crate::workflows::engine::MAX_FOUND_CALLS;

/// Calls that are looked through.
const MAX_LOOKED_THROUGH: usize = 100;
/// Our clock and the provider's may differ by this much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// The call that is wanted.
pub(super) struct Wish<'a> {
    pub(super) to: &'a Template,
    pub(super) from: Option<&'a Template>,
    pub(super) ring: Duration,
    pub(super) as_text: bool,
    pub(super) digits: Option<&'a Template>,
}

pub(super) async fn place(effect: &Effect, wish: &Wish<'_>) -> Result<StepDone, StepError> {
    let inner = &effect.engine.0;
    let Some((calls, twilio)) = &inner.provider.calls else {
        return Err(StepError::new(codes::NOT_CONFIGURED, "calls are switched off"));
    };
    let to = number(&effect.text(wish.to)?)?;
    let from = effect.optional(wish.from)?.map(|from| number(&from)).transpose()?;
    if !effect.is_first {
        let ours = from.as_ref().map(E164::as_str).or(inner.provider.number.as_deref());
        if let Some(found) = look_up(effect, twilio, to.as_str(), ours).await? {
            tracing::info!(twilio.call_sid = found.sid.as_str(), "a call of a workflow was placed before");
            let call = found.sid.as_str();
            return Ok(StepDone {
                output: json!({ "call": "", "provider_call": call }),
                effect_id: Some(call.to_owned()),
            });
        }
    }
    let mut config = SessionConfig::to(to);
    config.from = from;
    config.ring_timeout = wish.ring;
    config.as_text = wish.as_text;
    config.send_digits = effect.optional(wish.digits)?;
    let session = calls.place(config).await.map_err(|error| failed(&error))?;
    let provider_call = session.call();
    Ok(StepDone {
        output: json!({ "call": session.id().as_str(), "provider_call": provider_call.clone().unwrap_or_default() }),
        effect_id: provider_call,
    })
}

fn number(text: &str) -> Result<E164, StepError> {
    let number = text.strip_prefix("whatsapp:").unwrap_or(text).parse();
    number.map_err(|_| StepError::new(codes::BAD_VALUE, "it is no number in E.164 form: +, then 7 to 15 digits"))
}

fn failed(error: &VoiceError) -> StepError {
    let step = StepError::new(error.code().as_str(), error.to_string());
    match error.code() {
        // Before the backend has started, and while there are too many calls.
        ErrorCode::NotRunning | ErrorCode::RateLimit => step.retryable(),
        _ => step.advised(error.retry()),
    }
}

/// The call that an earlier try has placed, if it has.
async fn look_up(
    effect: &Effect,
    twilio: &TwilioVoice,
    to: &str,
    from: Option<&str>,
) -> Result<Option<Call>, StepError> {
    let inner = &effect.engine.0;
    let filter = CallFilter { to: Some(to.to_owned()), from: from.map(str::to_owned), ..CallFilter::default() };
    let listed = twilio.calls().list(&filter, MAX_LOOKED_THROUGH).await.map_err(|error| {
        StepError::new(codes::OUTCOME_UNKNOWN, format!("calls cannot be looked up ({})", error.code())).retryable()
    })?;
    let since = effect.begun_at.checked_sub(CLOCK_SKEW).unwrap_or(effect.begun_at);
    let cause = effect.event.get("data").and_then(|data| data.get("provider_call")).and_then(Value::as_str);
    let mut found = Vec::new();
    for call in listed.items {
        let is_ours = call.direction.as_deref() == Some("outbound-api");
        let is_since = call.date_created.is_none_or(|made| made >= since);
        if is_ours && is_since && cause != Some(call.sid.as_str()) && is_free(effect, call.sid.as_str()).await? {
            found.push(call);
        }
    }
    // The oldest: whoever called later did so for a reason of their own.
    let mut taken = inner.found_calls.lock().unwrap_or_else(PoisonError::into_inner);
    if taken.len() >= MAX_FOUND_CALLS {
        taken.clear();
    }
    Ok(found.into_iter().rev().find(|call| taken.insert(call.sid.as_str().to_owned())))
}

/// Whether a call may be the one of this step: it is no other step's, and was not begun before this step was.
async fn is_free(effect: &Effect, sid: &str) -> Result<bool, StepError> {
    let store = &effect.engine.0.context.store;
    if store.workflow_of_effect(sid).await?.is_some() {
        return Ok(false);
    }
    let began = store.call_began_at(sid).await?.and_then(|at| Timestamp::from_millisecond(at).ok());
    Ok(began.is_none_or(|began| began >= effect.begun_at))
}
