//! Calls, recordings, the account's numbers, and how phones answer.
//!
//! Sound never comes here: what a call is at the moment lives in [`telephone`](crate::telephone), and tells this state
//! when something that a caller can ask for has changed.

mod numbers;
mod recordings;
pub(crate) mod records;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use trunkline_proto::sid::{CallSid, PhoneNumberSid, RecordingSid};

use self::records::{
    AnsweringRecord, CallDirection, CallRecord, CallStatus, Notification, NumberRecord, RecordingRecord, StreamRecord,
};
use super::limits;
use super::paging::{Cursor, Order, Slice, slice};
use super::{Key, State};
use crate::error::{self, ApiError};

pub(crate) use self::numbers::NumberFields;
pub(crate) use self::recordings::NewRecording;

/// Everything about calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) legs: BTreeMap<u64, CallRecord>,
    by_sid: HashMap<CallSid, u64>,
    pub(super) recordings: BTreeMap<u64, RecordingRecord>,
    recording_sids: HashMap<RecordingSid, u64>,
    pub(super) numbers: BTreeMap<u64, NumberRecord>,
    pub(super) answering: BTreeMap<String, AnsweringRecord>,
    /// What answers the account's own number unless somebody says otherwise; a reset goes back to it.
    pub(super) own_voice: NumberFields,
}

impl Calls {
    /// Nothing, but for the setting that survives a reset.
    pub(super) fn emptied(&self) -> Self {
        Self { own_voice: self.own_voice.clone(), ..Self::default() }
    }
}

/// A call that begins.
#[derive(Debug, Clone)]
pub(crate) struct NewCall {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) direction: CallDirection,
    pub(crate) parent: Option<CallSid>,
    pub(crate) status: CallStatus,
}

/// What a list of calls shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallFilter {
    pub(crate) to: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) status: Option<CallStatus>,
    /// Start from here on, and before here.
    pub(crate) started: (Option<Timestamp>, Option<Timestamp>),
    pub(crate) ended: (Option<Timestamp>, Option<Timestamp>),
}

impl CallFilter {
    fn shows(&self, call: &CallRecord) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let within = |(from, until): (Option<Timestamp>, Option<Timestamp>), at: Option<Timestamp>| {
            from.is_none_or(|from| at.is_some_and(|at| at >= from))
                && until.is_none_or(|until| at.is_some_and(|at| at < until))
        };
        same(&self.to, &call.to)
            && same(&self.from, &call.from)
            && same(&self.parent, call.parent.as_ref().map(CallSid::as_str).unwrap_or_default())
            && self.status.is_none_or(|status| status == call.status)
            && within(self.started, call.start)
            && within(self.ended, call.end)
    }
}

impl State {
    pub(crate) fn create_call(&mut self, new: NewCall) -> Result<CallRecord, ApiError> {
        if self.calls.legs.len() >= limits::MAX_CALLS {
            self.forget_oldest_call()?;
        }
        let now = self.now();
        let own = if new.direction == CallDirection::Inbound { &new.to } else { &new.from };
        let record = CallRecord {
            phone_number_sid: self.number_of(own).map(|number| number.sid),
            sid: self.random_sid(CallSid::from_random),
            position: self.position(),
            parent: new.parent,
            to: new.to,
            from: new.from,
            direction: new.direction,
            status: new.status,
            answered_by: None,
            start: None,
            end: None,
            date_created: now,
            date_updated: now,
            notifications: Vec::new(),
            streams: Vec::new(),
        };
        self.index_call(record.clone());
        self.effects.dirty.insert(Key::Call(record.position));
        Ok(record)
    }

    /// Moves a call on. A call that is over stays as it is.
    pub(crate) fn set_call_status(&mut self, sid: CallSid, status: CallStatus) -> Result<CallRecord, ApiError> {
        let now = self.now();
        self.change_call(sid, |call| {
            if call.status.is_over() {
                return;
            }
            call.status = status;
            if status == CallStatus::InProgress {
                call.start = Some(now);
            }
            if status.is_over() {
                call.end = Some(now);
                call.streams.iter_mut().for_each(|stream| stream.stopped = true);
            }
        })
    }

    pub(crate) fn set_answered_by(&mut self, sid: CallSid, by: &str) -> Result<CallRecord, ApiError> {
        self.change_call(sid, |call| call.answered_by = Some(by.to_owned()))
    }

    /// Notes a warning or an error; beyond the limit nothing more.
    pub(crate) fn notify_call(&mut self, sid: CallSid, code: u32, level: u8, text: String) -> Result<(), ApiError> {
        let notification = Notification {
            sid: self.random_sid(trunkline_proto::sid::NotificationSid::from_random),
            code,
            level,
            text,
            at: self.now(),
        };
        self.change_call(sid, |call| {
            if call.notifications.len() < limits::MAX_NOTIFICATIONS_PER_CALL {
                call.notifications.push(notification);
            }
        })?;
        Ok(())
    }

    pub(crate) fn put_stream(&mut self, sid: CallSid, stream: StreamRecord) -> Result<(), ApiError> {
        self.change_call(sid, |call| {
            if let Some(known) = call.streams.iter_mut().find(|one| one.sid == stream.sid) {
                *known = stream;
            } else if call.streams.len() < limits::MAX_STREAMS_PER_CALL {
                call.streams.push(stream);
            }
        })?;
        Ok(())
    }

    pub(crate) fn call(&self, sid: &str) -> Result<&CallRecord, ApiError> {
        let position = sid.parse().ok().and_then(|sid: CallSid| self.calls.by_sid.get(&sid));
        position.and_then(|position| self.calls.legs.get(position)).ok_or_else(|| missing(sid))
    }

    pub(crate) fn list_calls(&self, filter: &CallFilter, size: usize, cursor: Option<Cursor>) -> Slice<CallRecord> {
        slice(&self.calls.legs, Order::Descending, size, cursor, |call| filter.shows(call).then(|| call.clone()))
    }

    /// Removes a call that is over.
    pub(crate) fn delete_call(&mut self, sid: &str) -> Result<(), ApiError> {
        let call = self.call(sid)?;
        if !call.status.is_over() {
            return Err(error::CALL_IN_PROGRESS);
        }
        let position = call.position;
        self.forget_call(position);
        Ok(())
    }

    fn change_call(&mut self, sid: CallSid, change: impl FnOnce(&mut CallRecord)) -> Result<CallRecord, ApiError> {
        let now = self.now();
        let position = self.calls.by_sid.get(&sid).copied();
        let call = position.and_then(|position| self.calls.legs.get_mut(&position));
        let call = call.ok_or_else(|| missing(sid.as_str()))?;
        change(call);
        call.date_updated = now;
        let call = call.clone();
        self.effects.dirty.insert(Key::Call(call.position));
        Ok(call)
    }

    fn forget_oldest_call(&mut self) -> Result<(), ApiError> {
        let oldest = self.calls.legs.values().find(|call| call.status.is_over()).map(|call| call.position);
        self.forget_call(oldest.ok_or(error::FULL)?);
        Ok(())
    }

    fn forget_call(&mut self, position: u64) {
        if let Some(call) = self.calls.legs.remove(&position) {
            self.calls.by_sid.remove(&call.sid);
            self.effects.dirty.insert(Key::Call(position));
        }
    }

    pub(super) fn index_call(&mut self, call: CallRecord) {
        self.calls.by_sid.insert(call.sid, call.position);
        self.calls.legs.insert(call.position, call);
    }

    /// Calls that were going on when the emulator was killed ended with it.
    pub(super) fn end_lost_calls(&mut self) {
        let now = self.now();
        for call in self.calls.legs.values_mut().filter(|call| !call.status.is_over()) {
            call.status = CallStatus::Failed;
            call.end = Some(now);
            call.date_updated = now;
            self.effects.dirty.insert(Key::Call(call.position));
        }
        for recording in self.calls.recordings.values_mut() {
            if matches!(recording.status, records::RecordingStatus::InProgress | records::RecordingStatus::Paused) {
                recording.status = records::RecordingStatus::Completed;
                self.effects.dirty.insert(Key::Recording(recording.position));
            }
        }
    }
}

fn missing(sid: &str) -> ApiError {
    ApiError::not_found(&format!("/Calls/{sid}.json"))
}

/// The number of a SID.
pub(super) fn number_missing(sid: Option<PhoneNumberSid>) -> ApiError {
    let sid = sid.map(|sid| sid.to_string()).unwrap_or_default();
    ApiError::not_found(&format!("/IncomingPhoneNumbers/{sid}.json"))
}
