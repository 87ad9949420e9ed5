//! Status callbacks of one call, one after the other.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;
use tracing::Instrument as _;
use trunkline_proto::sid::CallSid;

use super::Exchange;
use crate::clock::rfc2822;
use crate::faults::CALL_CALLBACK;
use crate::state::events::{Params, Target};

/// Tells in order. Dropped, it tells what waits and ends.
#[derive(Debug)]
pub(crate) struct Callbacks {
    queue: mpsc::Sender<(Target, Params)>,
    sequence: AtomicU32,
}

/// Who hears of a call's way.
#[derive(Debug, Clone, Default)]
pub(crate) struct StatusCallback {
    pub(crate) target: Option<Target>,
    /// Names of events; without any it is `completed`.
    pub(crate) events: Vec<String>,
}

impl StatusCallback {
    pub(crate) fn wants(&self, event: &str) -> Option<&Target> {
        let wanted =
            if self.events.is_empty() { event == "completed" } else { self.events.iter().any(|one| one == event) };
        self.target.as_ref().filter(|_| wanted)
    }
}

impl Callbacks {
    pub(crate) fn start(net: &Exchange, sid: CallSid) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(Target, Params)>(MAX_WAITING);
        let sender = net.sender().clone();
        let quit = net.quit();
        let work = async move {
            while let Some((target, params)) = waiting.recv().await {
                match sender.call_back(CALL_CALLBACK, &target, &params).await {
                    None => tracing::debug!("a fault lost a callback"),
                    Some(Ok(reply)) => tracing::debug!(status = reply.status.as_u16(), "callback sent"),
                    Some(Err(problem)) => tracing::debug!(error = %problem, "callback failed"),
                }
            }
        };
        let span = tracing::debug_span!("emulator.callbacks", call = %sid);
        let until_quit = async move { quit.run_until_cancelled_owned(work).await.unwrap_or_default() };
        net.tasks().spawn(until_quit.instrument(span));
        Self { queue, sequence: AtomicU32::new(0) }
    }

    /// Tells of the call's way, with a number that says which came first.
    pub(crate) fn progress(&self, net: &Exchange, target: Target, mut params: Params) {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        params.push(("Timestamp", rfc2822(net.clock().now())));
        params.push(("CallbackSource", "call-progress-events".to_owned()));
        params.push(("SequenceNumber", number.to_string()));
        self.tell(target, params);
    }

    /// Tells of anything else.
    pub(crate) fn tell(&self, target: Target, params: Params) {
        if self.queue.try_send((target, params)).is_err() {
            tracing::warn!("a call has too many callbacks waiting, one was dropped");
        }
    }
}

/// Callbacks of one call that wait.
const MAX_WAITING: usize = 500;
