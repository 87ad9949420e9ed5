//! One call: what everybody who works on it shares.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use trunkline_proto::sid::CallSid;

use super::Exchange;
use super::callbacks::{Callbacks, StatusCallback};
use super::clip::Sound;
use super::document::Document;
use super::plane::{HungUpBy, Phase, Plane};
use crate::state::calls::records::{CallDirection, CallRecord, CallStatus};
use crate::state::events::{Params, Target};

/// A call that is going on.
pub(crate) struct Leg {
    pub(crate) sid: CallSid,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) direction: CallDirection,
    pub(crate) parent: Option<CallSid>,
    pub(crate) net: Exchange,
    pub(crate) callbacks: Callbacks,
    pub(crate) begun: Instant,
    plane: Mutex<Plane>,
    changed: watch::Sender<u64>,
    status: Mutex<Told>,
}

/// What the requests about a call say.
struct Told {
    callback: StatusCallback,
    status: &'static str,
    answered_by: Option<String>,
    /// `RecordingSid` and its like, for the last callback.
    recording: Option<Params>,
    fallback: Option<Target>,
}

/// Why a verb did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    HungUp,
    /// Another document takes over.
    Redirected,
}

impl Leg {
    pub(crate) fn new(net: Exchange, record: &CallRecord, callback: StatusCallback) -> Arc<Self> {
        let callbacks = Callbacks::start(&net, record.sid);
        Arc::new(Self {
            sid: record.sid,
            from: record.from.clone(),
            to: record.to.clone(),
            direction: record.direction,
            parent: record.parent,
            net,
            callbacks,
            begun: Instant::now(),
            plane: Mutex::new(Plane::new()),
            changed: watch::Sender::new(0),
            status: Mutex::new(Told {
                callback,
                status: record.status.as_str(),
                answered_by: None,
                recording: None,
                fallback: None,
            }),
        })
    }

    /// The number at the far side: a phone's.
    pub(crate) fn phone(&self) -> &str {
        if self.direction == CallDirection::Inbound { &self.from } else { &self.to }
    }

    pub(crate) fn plane(&self) -> MutexGuard<'_, Plane> {
        self.plane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the audio, and wakes whoever waits for a change.
    pub(crate) fn change<T>(&self, work: impl FnOnce(&mut Plane) -> T) -> T {
        let outcome = work(&mut self.plane());
        self.wake();
        outcome
    }

    pub(crate) fn wake(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits for something; ends early when the call ends or another document takes over.
    pub(crate) async fn until<T>(&self, mut check: impl FnMut(&mut Plane) -> Option<T>) -> Result<T, Stopped> {
        let mut changes = self.changed.subscribe();
        loop {
            {
                let mut plane = self.plane();
                if let Some(stopped) = stopped(&plane) {
                    return Err(stopped);
                }
                if let Some(found) = check(&mut plane) {
                    return Ok(found);
                }
            }
            if changes.changed().await.is_err() {
                return Err(Stopped::HungUp);
            }
        }
    }

    /// Waits whether or not the call goes on.
    pub(crate) async fn until_even_after<T>(&self, mut check: impl FnMut(&mut Plane) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = check(&mut self.plane()) {
                return found;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Does something that takes time; ends early when the call ends or another document takes over.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            stopped = self.stopped() => Err(stopped),
            outcome = work => Ok(outcome),
        }
    }

    /// Waits until the call ends or another document takes over.
    pub(crate) async fn stopped(&self) -> Stopped {
        self.until_even_after(|plane| stopped(plane)).await
    }

    /// Waits until the call ends.
    pub(crate) async fn ended(&self) {
        self.until_even_after(|plane| (stopped(plane) == Some(Stopped::HungUp)).then_some(())).await;
    }

    /// Ends the call, if it has not ended already.
    pub(crate) fn hang_up(&self, by: HungUpBy) {
        self.change(|plane| {
            plane.hung_up.get_or_insert(by);
        });
    }

    /// Goes on with another document.
    pub(crate) fn redirect(&self, document: Document) {
        self.change(|plane| plane.next = Some(document));
    }

    /// Plays a sound and waits for its end.
    pub(crate) async fn play(&self, sound: Sound, times: u32) -> Result<(), Stopped> {
        let Some(id) = self.plane().clips().push(sound, times) else { return Ok(()) };
        self.until(|plane| plane.clips().has_finished(id).then_some(())).await
    }

    /// Notes a warning (level 1) or an error (level 0) for whoever debugs the call.
    pub(crate) async fn note(&self, code: u32, level: u8, text: &str) {
        let sid = self.sid;
        let text = text.to_owned();
        self.net.log(sid, crate::journal::Happening::CallNotified { code });
        // The call may have been deleted meanwhile, and a stopping emulator notes nothing.
        drop(self.net.owner().call(move |state| state.notify_call(sid, code, level, text)).await);
    }

    pub(crate) fn set_callback(&self, target: Target) {
        self.told().callback.target = Some(target);
    }

    pub(crate) fn set_fallback(&self, fallback: Option<Target>) {
        self.told().fallback = fallback;
    }

    pub(crate) fn fallback(&self) -> Option<Target> {
        self.told().fallback.clone()
    }

    pub(crate) fn set_answered_by(&self, by: &str) {
        self.told().answered_by = Some(by.to_owned());
    }

    pub(crate) fn set_recording(&self, params: Params) {
        self.told().recording = Some(params);
    }

    /// What every request about this call says.
    pub(crate) fn params(&self) -> Params {
        let told = self.told();
        let mut params = vec![
            ("CallSid", self.sid.to_string()),
            ("AccountSid", self.net.account().account_sid.to_string()),
            ("From", self.from.clone()),
            ("To", self.to.clone()),
            ("Caller", self.from.clone()),
            ("Called", self.to.clone()),
            ("CallStatus", told.status.to_owned()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("Direction", self.direction.as_str().to_owned()),
        ];
        let country = |number: &str| if number.starts_with("+1") { "US" } else { "" };
        let places: [(&str, [&'static str; 8]); 2] = [
            (
                &self.from,
                [
                    "FromCity",
                    "FromState",
                    "FromZip",
                    "FromCountry",
                    "CallerCity",
                    "CallerState",
                    "CallerZip",
                    "CallerCountry",
                ],
            ),
            (
                &self.to,
                ["ToCity", "ToState", "ToZip", "ToCountry", "CalledCity", "CalledState", "CalledZip", "CalledCountry"],
            ),
        ];
        for (number, names) in places {
            for name in names {
                let value = if name.ends_with("Country") { country(number) } else { "" };
                params.push((name, value.to_owned()));
            }
        }
        if let Some(parent) = self.parent {
            params.push(("ParentCallSid", parent.to_string()));
        }
        if let Some(by) = &told.answered_by {
            params.push(("AnsweredBy", by.clone()));
        }
        params
    }

    /// Moves the call on: in the state, to whoever listens, and to those who wait. Returns the seconds of talk.
    pub(crate) async fn move_on(&self, status: CallStatus, event: &'static str, sip: Option<u16>) -> u64 {
        let sid = self.sid;
        let outcome = self.net.owner().call(move |state| state.set_call_status(sid, status)).await;
        self.net.log(sid, crate::journal::Happening::CallStatus { status: status.as_str() });
        self.told().status = status.as_str();
        let seconds = outcome.ok().and_then(Result::ok).and_then(|call| call.duration()).unwrap_or_default();
        self.tell(event, status.as_str(), |params| {
            if status.is_over() {
                params.push(("Duration", seconds.div_ceil(60).to_string()));
                params.push(("CallDuration", seconds.to_string()));
                let code = sip.unwrap_or(if status == CallStatus::Completed { 200 } else { 487 });
                params.push(("SipResponseCode", code.to_string()));
            }
        });
        let phase = match status {
            CallStatus::InProgress => Some(Phase::Talking),
            status if status.is_over() => Some(Phase::Over(status)),
            _ => None,
        };
        if let Some(phase) = phase {
            self.change(|plane| plane.phase = phase);
        }
        seconds
    }

    /// Tells of an event under its name for subscribers and its name in the request.
    pub(crate) fn tell(&self, event: &str, status: &str, more: impl FnOnce(&mut Params)) {
        let (target, recording) = {
            let told = self.told();
            (told.callback.wants(event).cloned(), told.recording.clone())
        };
        let Some(target) = target else { return };
        let mut params = self.params();
        for (name, value) in &mut params {
            if *name == "CallStatus" {
                status.clone_into(value);
            }
        }
        more(&mut params);
        if event == "completed" {
            params.extend(recording.unwrap_or_default());
        }
        self.callbacks.progress(&self.net, target, params);
    }
}

fn stopped(plane: &Plane) -> Option<Stopped> {
    if plane.hung_up.is_some() || matches!(plane.phase, Phase::Over(_)) {
        Some(Stopped::HungUp)
    } else {
        plane.next.is_some().then_some(Stopped::Redirected)
    }
}
