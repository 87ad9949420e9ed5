//! How calls begin: a REST request calls a phone, or a phone calls a number of the account.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;

use super::callbacks::StatusCallback;
use super::clip::Sound;
use super::document::Document;
use super::leg::Leg;
use super::line::ToLine;
use super::party::Party;
use super::script::{Prepared, ScriptRun, SharedReport};
use super::{Exchange, lock, run};
use crate::error::{self, ApiError};
use crate::state::calls::NewCall;
use crate::state::calls::records::{CallDirection, CallRecord, CallStatus};
use crate::state::events::Target;
use crate::telephone::recorder::Sides;

/// A call that the account makes.
pub(crate) struct Outbound {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) document: Document,
    pub(crate) fallback: Option<Target>,
    pub(crate) callback: StatusCallback,
    /// Tones that are played when it is answered.
    pub(crate) send_digits: Option<Sound>,
    pub(crate) timeout: Duration,
    pub(crate) time_limit: Duration,
    pub(crate) record: Option<RecordPlan>,
    pub(crate) machine_detection: Option<MachineDetection>,
}

/// What is recorded, and who hears of it.
#[derive(Debug, Clone)]
pub(crate) struct RecordPlan {
    pub(crate) sides: Sides,
    pub(crate) source: &'static str,
    pub(crate) callback: StatusCallback,
}

/// How it is found out who answered.
#[derive(Debug, Clone)]
pub(crate) struct MachineDetection {
    /// Waits for the end of a machine's greeting.
    pub(crate) message_end: bool,
    pub(crate) timeout: Duration,
    pub(crate) speech_threshold: Duration,
    pub(crate) speech_end: Duration,
    pub(crate) silence: Duration,
    /// Told, instead of holding the document back.
    pub(crate) callback: Option<Target>,
    pub(crate) asynchronous: bool,
}

/// Who calls a number of the account.
pub(crate) enum Caller {
    Script { steps: Vec<Prepared>, record: bool },
    Line { party: super::line::LineParty },
}

impl Exchange {
    /// Calls a phone.
    pub(crate) async fn place(&self, outbound: Outbound) -> Result<CallRecord, ApiError> {
        let new = NewCall {
            from: outbound.from.clone(),
            to: outbound.to.clone(),
            direction: CallDirection::OutboundApi,
            parent: None,
            status: CallStatus::Queued,
        };
        let callback = outbound.callback.clone();
        let (record, _) = self.begin(new, callback, |leg| run::outbound(leg, outbound)).await?;
        Ok(record)
    }

    /// Calls a number of the account from a phone.
    pub(crate) async fn dial_in(&self, from: String, to: String, caller: Caller) -> Result<CallRecord, ApiError> {
        let wanted = to.clone();
        let number = self.owner().call(move |state| state.number_of(&wanted).cloned()).await?;
        let number = number.ok_or_else(|| ApiError::parameter("to is not a number of this account"))?;
        let new = NewCall { from, to, direction: CallDirection::Inbound, parent: None, status: CallStatus::Ringing };
        let callback = StatusCallback {
            target: number.status_callback.clone().map(|url| Target { url, method: number.status_callback_method }),
            events: Vec::new(),
        };
        let (record, _) = self.begin(new, callback, |leg| run::inbound(leg, number, caller)).await?;
        Ok(record)
    }

    /// Notes a call and starts its task.
    pub(super) async fn begin<F: Future<Output = ()> + Send + 'static>(
        &self,
        new: NewCall,
        callback: StatusCallback,
        work: impl FnOnce(Arc<Leg>) -> F,
    ) -> Result<(CallRecord, Arc<Leg>), ApiError> {
        let permit = Arc::clone(&self.0.room).try_acquire_owned().map_err(|_| error::TOO_MANY_CALLS)?;
        if self.0.services.stop.is_cancelled() {
            return Err(error::STOPPING);
        }
        let record = self.owner().call(move |state| state.create_call(new)).await??;
        let leg = Leg::new(self.clone(), &record, callback);
        lock(&self.0.live).insert(leg.sid, Arc::clone(&leg));
        let work = work(Arc::clone(&leg));
        let (net, sid) = (self.clone(), leg.sid);
        let stop = self.0.services.stop.clone();
        let ended = Arc::clone(&leg);
        let task = async move {
            let stopping = async {
                stop.cancelled().await;
                ended.hang_up(super::plane::HungUpBy::Network);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = work => {}
                () = stopping => {}
            }
            lock(&net.0.live).remove(&sid);
            drop(permit);
        };
        self.0.services.calls.spawn(task.instrument(tracing::debug_span!("emulator.call", call = %record.sid)));
        Ok((record, leg))
    }
}

impl Caller {
    /// The person at the phone, what they will tell, and whether the call is recorded.
    pub(super) fn party(self) -> (Party, Option<SharedReport>, bool) {
        match self {
            Self::Script { steps, record } => {
                let report = SharedReport::default();
                (Party::Script(Box::new(ScriptRun::new(steps, false, report.clone()))), Some(report), record)
            }
            Self::Line { party } => (Party::Line(party), None, false),
        }
    }
}

/// Tells a browser; one that does not read misses it.
pub(super) fn tell_line(to_line: &tokio::sync::mpsc::Sender<ToLine>, message: serde_json::Value) {
    drop(to_line.try_send(ToLine::Message(message)));
}
