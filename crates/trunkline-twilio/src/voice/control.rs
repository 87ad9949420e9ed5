//! What is done to a call from outside of its audio: by an update over REST.

use std::time::Duration;

use jiff::Timestamp;
use trunkline_core::voice::{CallControl, CallStatus, ErrorCode, Operation, RecordingMode, SessionState, VoiceError};
use trunkline_proto::sid::{CallSid, RecordingSid};
use trunkline_proto::twiml::Response;

use super::backend::Inner;
use super::document;
use super::failure::{NOT_IN_PROGRESS, failed, session_not_found};
use super::live::Live;
use super::paths::{self, Places};
use super::sessions::Door;
use crate::codes;
use crate::rest::RestError;
use crate::rest::calls::{CallUpdate, NewRecording, RecordCall, RecordingStatus};

const OPERATION: Operation = Operation::Control;
/// How long a briefing may be asked for after its transfer began, besides the ringing.
const BRIEFING_TIME: Duration = Duration::from_mins(5);

fn refused(message: &str) -> VoiceError {
    VoiceError::new(OPERATION, ErrorCode::CallFailed, message).with_provider(codes::CALL_FAILED, None)
}

impl Inner {
    pub(super) async fn control(&self, live: &Live, control: CallControl) -> Result<(), VoiceError> {
        let call = call_of(OPERATION, live)?;
        let places = live.current.settings.places.as_ref().ok_or_else(|| {
            VoiceError::new(OPERATION, ErrorCode::InvalidConfig, "webhook_url is not set, and calls come back to it")
        });
        match control {
            CallControl::Complete => self.complete(OPERATION, live).await,
            CallControl::Transfer { to, briefing, ring_timeout } => {
                let places = places?;
                let token = briefing.map(|text| {
                    live.progress().briefing = Some(text);
                    self.sessions.issue(live.session.id(), Door::Briefing, ring_timeout + BRIEFING_TIME)
                });
                let document = document::transfer(live, places, to.as_str(), token.as_deref(), ring_timeout);
                self.redirect(live, call, &document).await
            }
            CallControl::Hold { announcement } => {
                self.redirect(live, call, &document::hold(announcement.as_deref())).await?;
                live.progress().is_held = true;
                Ok(())
            }
            CallControl::Resume => {
                if !live.progress().is_held {
                    return Err(refused("the call is not on hold"));
                }
                let document = document::connect(live, &self.sessions, places?);
                self.redirect(live, call, &document).await?;
                live.progress().is_held = false;
                Ok(())
            }
            CallControl::Apologise(text) => self.redirect(live, call, &document::apology(&text)).await,
            CallControl::Voicemail { greeting, max } => {
                let document = document::voicemail(live, places?, &greeting, max);
                self.redirect(live, call, &document).await
            }
            CallControl::StartRecording(mode) => self.start_recording(live, call, mode, places.ok()).await,
            CallControl::PauseRecording => self.recording(live, call, RecordingStatus::Paused).await,
            CallControl::ResumeRecording => self.recording(live, call, RecordingStatus::InProgress).await,
            CallControl::StopRecording => {
                self.recording(live, call, RecordingStatus::Stopped).await?;
                live.progress().recording = None;
                Ok(())
            }
            _ => Err(refused("Twilio has nothing of the kind")),
        }
    }

    /// Ends the call if it lives, and the session.
    pub(super) async fn complete(&self, operation: Operation, live: &Live) -> Result<(), VoiceError> {
        let call = call_of(operation, live)?;
        match live.current.calls.update(call, &CallUpdate::Complete).await {
            Ok(_) => {}
            Err(error) if is_over(&error) => {}
            Err(error) => return Err(self.noted(operation, error)),
        }
        live.session.set_status(CallStatus::Completed, Timestamp::now());
        self.sessions.end(live, SessionState::Disconnected);
        Ok(())
    }

    /// Has the call go on with a document, whoever is first: our update, or Twilio asking when a stream ended.
    async fn redirect(&self, live: &Live, call: CallSid, document: &Response) -> Result<(), VoiceError> {
        let document = document.to_xml();
        live.progress().next = Some(document.clone());
        let outcome = live.current.calls.update(call, &CallUpdate::Twiml(document)).await;
        live.progress().next = None;
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if is_over(&error) => {
                self.sessions.end(live, SessionState::Disconnected);
                Err(session_not_found(OPERATION).with_source(error))
            }
            Err(error) => Err(self.noted(OPERATION, error)),
        }
    }

    async fn start_recording(
        &self,
        live: &Live,
        call: CallSid,
        mode: RecordingMode,
        places: Option<&Places>,
    ) -> Result<(), VoiceError> {
        let channels = match mode {
            RecordingMode::Off => return Ok(()),
            RecordingMode::Mono => RecordCall::Mono,
            RecordingMode::Dual => RecordCall::Dual,
        };
        if live.progress().recording.is_some() {
            return Err(refused("the call is recorded already"));
        }
        let status_callback = places.map(|places| places.about(paths::RECORDING, live.session.id().as_str()));
        let new = NewRecording { channels, status_callback };
        let recording = live.current.calls.start_recording(call, &new).await;
        let recording = recording.map_err(|error| self.noted(OPERATION, error))?;
        live.progress().recording = Some(recording.sid);
        Ok(())
    }

    async fn recording(&self, live: &Live, call: CallSid, status: RecordingStatus) -> Result<(), VoiceError> {
        let known: Option<RecordingSid> = live.progress().recording;
        let Some(recording) = known else { return Err(refused("the call is not recorded by an order of ours")) };
        let updated = live.current.calls.update_recording(call, recording, status).await;
        updated.map(drop).map_err(|error| self.noted(OPERATION, error))
    }

    /// The contract's error, after its meaning for the connection was noted.
    pub(super) fn noted(&self, operation: Operation, error: RestError) -> VoiceError {
        self.note(&error);
        failed(operation, error)
    }
}

/// Whether the call was over before it could be changed.
pub(super) fn is_over(error: &RestError) -> bool {
    error.is_not_found() || error.twilio_code() == Some(NOT_IN_PROGRESS)
}

fn call_of(operation: Operation, live: &Live) -> Result<CallSid, VoiceError> {
    let call = live.session.call().and_then(|call| call.parse().ok());
    call.ok_or_else(|| {
        let code = if operation == Operation::CloseSession { ErrorCode::CloseFailed } else { ErrorCode::CallFailed };
        VoiceError::new(operation, code, "the call is only just being placed")
            .with_retry(trunkline_core::Retry::After(Duration::from_millis(200)))
    })
}
