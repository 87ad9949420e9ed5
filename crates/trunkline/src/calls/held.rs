//! A person who waits: the call goes on, without its audio, until it is taken back, handed on or over.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use trunkline_agent::turns::EndReason;
use trunkline_core::voice::{CallControl, VoiceSession};

use super::live_calls::{CallOrder, LiveCall};
use super::provider::control_of;
use super::{CallContext, Outcome};

/// What is shown of a call that is on hold.
pub(super) const ON_HOLD: &str = "on_hold";
/// How loud somebody is who is not heard.
const SILENT_DBFS: f32 = -96.0;
/// How often it is looked whether somebody who waits has hung up.
const CHECK: Duration = Duration::from_millis(250);

/// How the wait ended.
pub(super) enum Next {
    /// The person is connected with us again.
    Back,
    /// The call is over for us; what the provider is to be told.
    Over(Outcome, Option<CallControl>),
}

/// Puts a person on hold, by `control`. From then on their audio, or their words, are the provider's. `false`: the provider
/// could not be told.
pub(super) async fn begin(context: &CallContext, live: &LiveCall, control: Option<CallControl>) -> bool {
    if let Some(control) = control
        && !tell(context, &live.session, control).await
    {
        return false;
    }
    live.show(ON_HOLD, SILENT_DBFS);
    context.pipeline.live.calls_changed();
    true
}

/// Waits for what becomes of somebody who is on hold, until the call has lasted as long as it may.
pub(super) async fn wait(
    context: &CallContext,
    live: &LiveCall,
    orders: &mut mpsc::Receiver<CallOrder>,
    until: Instant,
) -> Next {
    let next = tokio::time::timeout_at(until, until_over(context, &live.session, orders)).await;
    let next = next.unwrap_or(Next::Over(Outcome::Ended(EndReason::MaxDuration), None));
    if matches!(next, Next::Back) {
        live.show("listening", SILENT_DBFS);
        context.pipeline.live.calls_changed();
    }
    next
}

async fn until_over(context: &CallContext, session: &VoiceSession, orders: &mut mpsc::Receiver<CallOrder>) -> Next {
    let mut check = tokio::time::interval(CHECK);
    // Why the call is over when it is.
    let mut over = Outcome::Caller;
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            _ = check.tick() => {
                if session.state().is_over() {
                    return Next::Over(over, None);
                }
                continue;
            }
        };
        match order {
            Some(CallOrder::Resumed) => return Next::Back,
            Some(CallOrder::HangUp) | None if over != Outcome::Caller => return Next::Over(over, None),
            Some(CallOrder::HangUp) | None => return Next::Over(Outcome::Ended(EndReason::Operator), None),
            Some(CallOrder::Drain) => {
                // They hear it from the provider, which hangs up then: there is no audio of ours.
                over = Outcome::Ended(EndReason::Draining);
                let goodbye = CallControl::Apologise(context.settings.draining.clone());
                if !tell(context, session, goodbye).await {
                    return Next::Over(over, None);
                }
            }
            Some(CallOrder::Machine) => {}
            Some(CallOrder::Say(_) | CallOrder::Digits(_)) => {
                tracing::warn!("who is on hold cannot be spoken to; they hear what they were put on hold with");
            }
            Some(order @ (CallOrder::Transfer { .. } | CallOrder::Hold { .. })) => {
                match control_of(&context.settings, order) {
                    Some((Outcome::Held, control)) => {
                        // With another announcement. If that fails, they go on waiting with the one before.
                        let _told = tell(context, session, control).await;
                    }
                    Some((outcome, control)) => return Next::Over(outcome, Some(control)),
                    None => {}
                }
            }
        }
    }
}

async fn tell(context: &CallContext, session: &VoiceSession, control: CallControl) -> bool {
    let told = context.backend.control(session.id(), control).await;
    if let Err(error) = &told {
        tracing::error!(error.code = error.code().as_str(), %error, "a call that is on hold could not be told what to do");
    }
    told.is_ok()
}
