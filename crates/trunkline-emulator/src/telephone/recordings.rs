//! Recordings of a call: begun, paused, ended, and told of.

use trunkline_proto::sid::RecordingSid;

use super::Exchange;
use super::callbacks::StatusCallback;
use super::leg::Leg;
use super::place::RecordPlan;
use super::recorder::{Paused, Recorder};
use crate::clock::rfc2822;
use crate::state::calls::NewRecording;
use crate::state::calls::records::{RecordingRecord, RecordingStatus};
use crate::state::events::Params;

impl Exchange {
    /// Where a recording's file is.
    pub(crate) fn recording_file(&self, sid: RecordingSid) -> std::path::PathBuf {
        self.folder().join(format!("{sid}.wav"))
    }

    /// The URL of a recording, without `.wav` or `.json`.
    pub(crate) fn recording_url(&self, sid: RecordingSid) -> String {
        let account = self.account().account_sid;
        format!("{}/2010-04-01/Accounts/{account}/Recordings/{sid}", self.base_url())
    }
}

impl Leg {
    /// Begins a recording. Nothing if there is no room for it.
    pub(crate) async fn start_recording(&self, plan: RecordPlan) -> Option<RecordingSid> {
        let new = NewRecording {
            call_sid: self.sid,
            channels: plan.sides.channels(),
            track: plan.sides.track(),
            source: plan.source,
        };
        if self.plane().recorders.len() >= MAX_RECORDERS {
            return None;
        }
        let record = self.net.owner().call(move |state| state.create_recording(&new)).await.ok()?.ok();
        let Some(record) = record else {
            self.note(13249, 0, "There is no room for another recording").await;
            return None;
        };
        let path = self.net.recording_file(record.sid);
        let (sid, sides) = (record.sid, plan.sides);
        let made = tokio::task::spawn_blocking(move || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            Recorder::create(sid, sides, &path)
        });
        let Ok(Ok(mut recorder)) = made.await else {
            self.note(13249, 0, "The recording's file cannot be written").await;
            return None;
        };
        recorder.callback = plan.callback;
        self.tell_recording(&record, "in-progress", &recorder.callback);
        self.change(|plane| plane.recorders.push(recorder));
        Some(sid)
    }

    /// Pauses or goes on. `false` if there is no such recording.
    pub(crate) fn pause_recording(&self, sid: RecordingSid, paused: Option<Paused>) -> bool {
        let mut plane = self.plane();
        let found = plane.recorders.iter_mut().find(|recorder| recorder.sid == sid);
        found.map(|recorder| recorder.paused = paused).is_some()
    }

    /// The recording that was begun last.
    pub(crate) fn current_recording(&self) -> Option<RecordingSid> {
        self.plane().recorders.last().map(|recorder| recorder.sid)
    }

    /// Ends a recording and tells of it.
    pub(crate) async fn stop_recording(&self, sid: RecordingSid) -> Option<RecordingRecord> {
        let recorder = {
            let mut plane = self.plane();
            let place = plane.recorders.iter().position(|recorder| recorder.sid == sid)?;
            plane.recorders.remove(place)
        };
        let callback = recorder.callback.clone();
        let finished = tokio::task::spawn_blocking(move || recorder.finish()).await;
        let (milliseconds, bytes) = finished.ok().and_then(Result::ok).unwrap_or_default();
        let status = if bytes == 0 { RecordingStatus::Absent } else { RecordingStatus::Completed };
        let changed = self.net.owner().call(move |state| {
            state.change_recording(sid, |record| {
                record.status = status;
                record.milliseconds = milliseconds;
                record.bytes = bytes;
            })
        });
        let record = changed.await.ok().flatten()?;
        self.tell_recording(&record, status.as_str(), &callback);
        self.set_recording(vec![
            ("RecordingUrl", self.net.recording_url(sid)),
            ("RecordingSid", sid.to_string()),
            ("RecordingDuration", seconds(&record)),
        ]);
        Some(record)
    }

    pub(super) async fn finish_recordings(&self) {
        while let Some(sid) = self.current_recording() {
            self.stop_recording(sid).await;
        }
    }

    fn tell_recording(&self, record: &RecordingRecord, event: &str, callback: &StatusCallback) {
        let Some(target) = callback.wants(event) else { return };
        let params: Params = vec![
            ("AccountSid", self.net.account().account_sid.to_string()),
            ("CallSid", self.sid.to_string()),
            ("RecordingSid", record.sid.to_string()),
            ("RecordingUrl", self.net.recording_url(record.sid)),
            ("RecordingStatus", event.to_owned()),
            ("RecordingDuration", seconds(record)),
            ("RecordingChannels", record.channels.to_string()),
            ("RecordingStartTime", rfc2822(record.date_created)),
            ("RecordingSource", record.source.clone()),
            ("RecordingTrack", record.track.clone()),
        ];
        self.callbacks.tell(target.clone(), params);
    }
}

/// Whole seconds of a recording, rounded up.
pub(crate) fn seconds(record: &RecordingRecord) -> String {
    record.milliseconds.div_ceil(1000).to_string()
}

/// Recordings of one call at once.
const MAX_RECORDERS: usize = 5;
