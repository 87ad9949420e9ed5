//! What the provider is told of a call: that it is over, handed on, on hold, or cannot be led.

use trunkline_core::voice::{CallControl, ErrorCode, VoiceSession};

use super::live_calls::CallOrder;
use super::{CallContext, CallSettings, Outcome};

/// What the provider is told when we are done. `control` is what an order asked for.
pub(super) async fn end(context: &CallContext, session: &VoiceSession, outcome: Outcome, control: Option<CallControl>) {
    let by_agent = || {
        let to = context.settings.transfer_to.clone().filter(|_| outcome == Outcome::HandedOver)?;
        Some(CallControl::Transfer { to, briefing: None, ring_timeout: context.settings.transfer_timeout })
    };
    if let Some(control) = control.or_else(by_agent) {
        match context.backend.control(session.id(), control).await {
            Ok(()) => return,
            Err(error) => tracing::error!(error.code = error.code().as_str(), %error, "a call could not be handed on"),
        }
    }
    close(context, session).await;
}

/// What an order means to the provider, and how our part of the call ends by it.
pub(super) fn control_of(settings: &CallSettings, order: CallOrder) -> Option<(Outcome, CallControl)> {
    match order {
        CallOrder::Transfer { to, briefing } => {
            let ring_timeout = settings.transfer_timeout;
            Some((Outcome::HandedOver, CallControl::Transfer { to, briefing, ring_timeout }))
        }
        CallOrder::Hold { announcement } => Some((Outcome::Held, CallControl::Hold { announcement })),
        _ => None,
    }
}

/// It is over.
pub(super) async fn close(context: &CallContext, session: &VoiceSession) {
    if let Err(error) = context.backend.close_session(session.id()).await
        && error.code() != ErrorCode::SessionNotFound
    {
        tracing::warn!(error.code = error.code().as_str(), %error, "a call could not be closed");
    }
}

/// A call that cannot be led: the person hears so.
pub(super) async fn give_up(context: &CallContext, session: &VoiceSession) {
    let apology = CallControl::Apologise(context.settings.apology.clone());
    if context.backend.control(session.id(), apology).await.is_err() {
        close(context, session).await;
    }
}
