//! Recordings of calls.

use std::time::Duration;

use bytes::Bytes;
use trunkline_proto::calls::Recording;
use trunkline_proto::sid::{CallSid, RecordingSid};

use super::super::client::{Call as Request, Form};
use super::super::{Listing, RestError};
use super::{Calls, RecordCall};

const OF_CALL: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Recordings.json";
const ONE_OF_CALL: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Recordings/{recording}.json";
const ONE: &str = "/2010-04-01/Accounts/{account}/Recordings/{recording}.json";

/// The largest recording that is downloaded, in bytes: four hours of two channels of 16 bits at 8 kHz, and a little.
pub const MAX_RECORDING_BYTES: u64 = 512 * 1024 * 1024;

/// A recording to be begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecording {
    /// Its channels.
    pub channels: RecordCall,
    /// Told when it is there.
    pub status_callback: Option<String>,
}

/// What is done to a recording that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingStatus {
    /// Go on.
    InProgress,
    /// Leave out what is said from now on.
    Paused,
    /// End it.
    Stopped,
}

/// A recording on its way here: nothing but the piece at hand is in memory.
#[derive(Debug)]
pub struct RecordingDownload {
    response: reqwest::Response,
    left: u64,
    patience: Duration,
}

impl RecordingDownload {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// `twilio.rest.too_long` after [`MAX_RECORDING_BYTES`], `twilio.rest.unavailable` when no piece comes in the time
    /// of an attempt, `twilio.rest.unknown_outcome` when the connection is lost.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RestError> {
        let chunk = tokio::time::timeout(self.patience, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| RestError::Unavailable { status: 504, code: 504 })?;
        let Some(chunk) = chunk.map_err(RestError::transport)? else { return Ok(None) };
        self.left = self.left.checked_sub(chunk.len() as u64).ok_or(RestError::TooLong)?;
        Ok(Some(chunk))
    }
}

impl Calls {
    /// Begins to record a call that is answered.
    ///
    /// # Cancel safety
    /// Not cancel-safe: it may be recorded.
    pub async fn start_recording(&self, call: CallSid, new: &NewRecording) -> Result<Recording, RestError> {
        let mut form = Form::default();
        form.set("RecordingChannels", Some(new.channels.as_str()));
        form.set("RecordingStatusCallback", new.status_callback.as_deref());
        self.rest.fetch(Request::create(self.one(call, &["Recordings.json"])?, OF_CALL, form)).await
    }

    /// Pauses, resumes or ends a recording that runs.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn update_recording(
        &self,
        call: CallSid,
        recording: RecordingSid,
        status: RecordingStatus,
    ) -> Result<Recording, RestError> {
        let mut form = Form::default();
        let word = match status {
            RecordingStatus::InProgress => "in-progress",
            RecordingStatus::Paused => "paused",
            RecordingStatus::Stopped => "stopped",
        };
        form.set("Status", Some(word));
        if status == RecordingStatus::Paused {
            // What is not to be recorded is not to be heard as silence either.
            form.set("PauseBehavior", Some("skip"));
        }
        let url = self.one(call, &["Recordings", &format!("{recording}.json")])?;
        self.rest.fetch(Request::update(url, ONE_OF_CALL, form)).await
    }

    /// The recordings of a call.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list_recordings(&self, call: CallSid, limit: usize) -> Result<Listing<Recording>, RestError> {
        self.list_at(self.one(call, &["Recordings.json"])?, OF_CALL, limit).await
    }

    /// Fetches what is known of a recording.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch_recording(&self, recording: RecordingSid) -> Result<Recording, RestError> {
        self.rest.fetch(Request::read(self.url(&["Recordings", &format!("{recording}.json")])?, ONE)).await
    }

    /// Begins to download a recording as WAV, each side in a channel of its own if it was recorded so.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn download_recording(&self, recording: RecordingSid) -> Result<RecordingDownload, RestError> {
        let url = self.url(&["Recordings", &format!("{recording}.wav")])?;
        let patience = self.rest.config().attempt_timeout;
        let response = tokio::time::timeout(patience, self.rest.open(url)).await;
        let response = response.map_err(|_| RestError::Unavailable { status: 504, code: 504 })??;
        if response.content_length().is_some_and(|length| length > MAX_RECORDING_BYTES) {
            return Err(RestError::TooLong);
        }
        Ok(RecordingDownload { response, left: MAX_RECORDING_BYTES, patience })
    }

    /// Deletes a recording.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn delete_recording(&self, recording: RecordingSid) -> Result<(), RestError> {
        let url = self.url(&["Recordings", &format!("{recording}.json")])?;
        self.rest.execute(Request::delete(url, ONE)).await.map(drop)
    }
}
