//! Recordings: what is known of them. Their sound is in files.

use trunkline_proto::sid::{CallSid, RecordingSid};

use super::records::{RecordingRecord, RecordingStatus};
use crate::error::{self, ApiError};
use crate::state::limits;
use crate::state::paging::{Cursor, Order, Slice, slice};
use crate::state::{Key, State};

/// A recording that begins.
#[derive(Debug, Clone)]
pub(crate) struct NewRecording {
    pub(crate) call_sid: CallSid,
    pub(crate) channels: u16,
    pub(crate) track: &'static str,
    pub(crate) source: &'static str,
}

impl State {
    pub(crate) fn create_recording(&mut self, new: &NewRecording) -> Result<RecordingRecord, ApiError> {
        let bytes: u64 = self.calls.recordings.values().map(|one| one.bytes).sum();
        if self.calls.recordings.len() >= limits::MAX_RECORDINGS || bytes >= limits::MAX_RECORDING_BYTES {
            return Err(error::FULL);
        }
        let now = self.now();
        let record = RecordingRecord {
            sid: self.random_sid(RecordingSid::from_random),
            position: self.position(),
            call_sid: new.call_sid,
            status: RecordingStatus::InProgress,
            channels: new.channels,
            track: new.track.to_owned(),
            source: new.source.to_owned(),
            milliseconds: 0,
            bytes: 0,
            date_created: now,
            date_updated: now,
        };
        self.index_recording(record.clone());
        self.effects.dirty.insert(Key::Recording(record.position));
        Ok(record)
    }

    /// Changes a recording; nothing if it was deleted meanwhile.
    pub(crate) fn change_recording(
        &mut self,
        sid: RecordingSid,
        change: impl FnOnce(&mut RecordingRecord),
    ) -> Option<RecordingRecord> {
        let now = self.now();
        let position = self.calls.recording_sids.get(&sid)?;
        let record = self.calls.recordings.get_mut(position)?;
        change(record);
        record.date_updated = now;
        self.effects.dirty.insert(Key::Recording(*position));
        Some(record.clone())
    }

    /// A recording, of this call if one is named.
    pub(crate) fn recording(&self, sid: &str, call: Option<&str>) -> Result<&RecordingRecord, ApiError> {
        let position = sid.parse().ok().and_then(|sid: RecordingSid| self.calls.recording_sids.get(&sid));
        position
            .and_then(|position| self.calls.recordings.get(position))
            .filter(|record| call.is_none_or(|call| record.call_sid.as_str() == call))
            .ok_or_else(|| ApiError::not_found(&format!("/Recordings/{sid}.json")))
    }

    pub(crate) fn list_recordings(
        &self,
        call: Option<&str>,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<RecordingRecord> {
        slice(&self.calls.recordings, Order::Descending, size, cursor, |record| {
            call.is_none_or(|call| record.call_sid.as_str() == call).then(|| record.clone())
        })
    }

    pub(crate) fn delete_recording(&mut self, sid: &str, call: Option<&str>) -> Result<RecordingSid, ApiError> {
        let record = self.recording(sid, call)?;
        let (position, sid) = (record.position, record.sid);
        self.calls.recordings.remove(&position);
        self.calls.recording_sids.remove(&sid);
        self.effects.dirty.insert(Key::Recording(position));
        Ok(sid)
    }

    pub(in crate::state) fn index_recording(&mut self, record: RecordingRecord) {
        self.calls.recording_sids.insert(record.sid, record.position);
        self.calls.recordings.insert(record.position, record);
    }
}
