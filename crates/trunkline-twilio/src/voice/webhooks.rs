//! The webhooks of calls: verified, read, and applied to their sessions.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use trunkline_core::Pii;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{
    AnsweredBy, CallDirection, CallStatus, ErrorCode, Operation, SessionId, SessionState, VoiceError, VoiceSession,
    WebhookAnswer,
};
use trunkline_proto::calls::CallWebhook;
use trunkline_proto::signature::RequestKind;

use super::backend::{Current, Inner, TwilioVoice};
use super::document;
use super::events::{CallEvent, CallEventKind};
use super::failure::{session_not_found, too_many};
use super::live::Live;
use super::paths::query;
use super::sessions::Door;
use crate::{codes, signed};

const OPERATION: Operation = Operation::HandleInboundCall;

/// A webhook that is believed, and the session that it is about.
struct Told {
    webhook: CallWebhook,
    live: Option<Arc<Live>>,
    session: Option<SessionId>,
    received_at: Timestamp,
}

impl Told {
    fn event(&self, name: &'static str, is_news: bool, kind: CallEventKind) -> CallEvent {
        CallEvent {
            name,
            session: self.session.clone(),
            call: self.webhook.call_sid.to_string(),
            person: self.person(),
            direction: self.direction(),
            at: self.webhook.timestamp.unwrap_or(self.received_at),
            is_news,
            kind,
        }
    }

    /// By the session, where there is one: not every callback tells.
    fn direction(&self) -> Option<CallDirection> {
        if let Some(live) = &self.live {
            return Some(live.session.direction());
        }
        match self.webhook.direction.as_deref()? {
            "inbound" => Some(CallDirection::Inbound),
            "outbound-api" => Some(CallDirection::Outbound),
            _ => None,
        }
    }

    fn person(&self) -> Option<Pii<String>> {
        if let Some(live) = &self.live {
            return Some(Pii::new(live.session.person().expose().clone()));
        }
        let address = match self.direction()? {
            CallDirection::Inbound => &self.webhook.from,
            CallDirection::Outbound => &self.webhook.to,
        };
        (!address.is_empty()).then(|| Pii::new(address.clone()))
    }

    fn needed(&self, name: &str) -> Result<&str, VoiceError> {
        self.webhook.param(name).ok_or_else(|| invalid("the webhook is not complete"))
    }
}

fn invalid(message: &str) -> VoiceError {
    VoiceError::new(OPERATION, ErrorCode::InvalidWebhook, message).with_provider(codes::INVALID_WEBHOOK, None)
}

fn verify(event: &WebhookEvent, current: &Current) -> Result<(), VoiceError> {
    let verified = signed::verify(event, signed::kind_of(event), &current.settings.signing_keys);
    verified.map(drop).map_err(|error| {
        VoiceError::new(OPERATION, ErrorCode::InvalidSignature, "the webhook's signature is not valid")
            .with_provider(codes::INVALID_WEBHOOK, None)
            .with_source(error)
    })
}

impl Inner {
    fn read(&self, event: &WebhookEvent) -> Result<Told, VoiceError> {
        verify(event, &self.current())?;
        let decoded = match event.url.split_once('?') {
            // A GET has its parameters where its signature covers them: in the URL.
            Some((_, query)) if signed::kind_of(event) == RequestKind::Get => {
                trunkline_proto::form::decode(query.as_bytes())
                    .map_err(|error| invalid("the webhook's query is malformed").with_source(error))?
            }
            _ => event.params.clone(),
        };
        let webhook =
            CallWebhook::parse(&decoded).map_err(|error| invalid("the webhook is not complete").with_source(error))?;
        let call = webhook.call_sid.as_str();
        let named = query(&event.url, "session").map(SessionId::new);
        let live = match &named {
            Some(id) => self.sessions.get(id),
            None => self.sessions.of_call(call),
        };
        // A leg that was dialled from the call has a name of its own; it is not ours to follow.
        if let Some(live) = &live
            && !self.sessions.bind(live, call)
        {
            return Err(invalid("the webhook is of another call than its session"));
        }
        let session = named.or_else(|| live.as_ref().map(|live| live.session.id().clone()));
        Ok(Told { webhook, live, session, received_at: event.received_at })
    }

    pub(super) fn inbound(&self, event: &WebhookEvent) -> Result<VoiceSession, VoiceError> {
        let told = self.read(event)?;
        let current = self.current();
        let Some(places) = &current.settings.places else {
            let message = "webhook_url is not set, and streams need it";
            return Err(VoiceError::new(OPERATION, ErrorCode::InvalidConfig, message));
        };
        if let Some(live) = told.live {
            // Twilio asks again when it got no answer. While a socket is open, or may be opened with what was answered
            // before, that is the answer again: a call has one stream, and a token that was used opens no second one.
            let door = if live.as_text { Door::Text } else { Door::Audio };
            let is_answered = live.has_socket() || self.sessions.is_expected(live.session.id(), door);
            if live.session.answer().is_none() || !is_answered {
                let answer = document::connect(&live, &self.sessions, places);
                live.session.set_answer(document::answer(&answer));
            }
            return Ok(live.session.clone());
        }
        let CallWebhook { call_sid, from, to, call_status, .. } = told.webhook;
        let id = SessionId::new(uuid::Uuid::now_v7().to_string());
        let now = Timestamp::now();
        let as_text = current.settings.is_relay(&to);
        let session = VoiceSession::new(id, CallDirection::Inbound, from, to.clone(), now);
        session.set_call(call_sid.as_str());
        session.set_state(SessionState::Connecting, now);
        if let Some(status) = call_status.as_deref().and_then(CallStatus::from_name) {
            session.set_status(status, now);
        }
        let patience = current.settings.stream_timeout;
        let live = Arc::new(Live::new(session.clone(), Arc::clone(&current), to, as_text, patience));
        let answer = document::connect(&live, &self.sessions, places);
        session.set_answer(document::answer(&answer));
        if !self.sessions.insert(&live, current.settings.max_calls) {
            self.sessions.end(&live, SessionState::Error);
            return Err(too_many(OPERATION));
        }
        Ok(session)
    }
}

impl TwilioVoice {
    /// What a caller gets whom [`handle_inbound_call`](trunkline_core::voice::VoiceBackend::handle_inbound_call) turned
    /// away with `ErrCodeRateLimit`: an apology, or a while to wait and another try.
    pub fn overflow_answer(&self, event: &WebhookEvent) -> WebhookAnswer {
        let wait = query(&event.url, "wait").and_then(|wait| wait.parse().ok()).unwrap_or(0);
        document::answer(&document::overflow(&self.inner().current().settings, wait))
    }

    /// Reads a status callback and moves the session with it: forward only, whatever the order of arrival.
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`, `ErrCodeInvalidWebhook`.
    pub fn handle_status(&self, event: &WebhookEvent) -> Result<CallEvent, VoiceError> {
        let told = self.inner().read(event)?;
        let status = CallStatus::from_name(told.needed("CallStatus")?);
        let status = status.ok_or_else(|| invalid("the webhook has a status that is not known"))?;
        let mut is_news = false;
        if let Some(live) = &told.live {
            let is_late = {
                let mut progress = live.progress();
                let number = told.webhook.sequence_number;
                let is_late = number.is_some() && number <= progress.sequence;
                progress.sequence = progress.sequence.max(number);
                is_late
            };
            let now = told.received_at;
            is_news = (!is_late || status.is_final()) && live.session.set_status(status, now);
            if is_news && status == CallStatus::InProgress && live.session.state() < SessionState::Connected {
                live.session.set_state(SessionState::Connected, now);
            }
            if status.is_final() {
                let failed = matches!(status, CallStatus::Failed);
                let state = if failed { SessionState::Error } else { SessionState::Disconnected };
                self.inner().sessions.end(live, state);
            }
        }
        let name = match status {
            CallStatus::Queued | CallStatus::Initiated => "call.initiated",
            CallStatus::Ringing => "call.ringing",
            CallStatus::InProgress => "call.answered",
            CallStatus::Completed => "call.completed",
            CallStatus::Busy | CallStatus::Failed | CallStatus::NoAnswer | CallStatus::Canceled => "call.failed",
        };
        let duration = seconds(told.webhook.param("CallDuration"));
        let sip_code = told.webhook.param("SipResponseCode").and_then(|code| code.parse().ok());
        Ok(told.event(name, is_news, CallEventKind::Status { status, duration, sip_code }))
    }

    /// Reads what a stream reports.
    ///
    /// # Errors
    /// As [`Self::handle_status`].
    pub fn handle_stream_event(&self, event: &WebhookEvent) -> Result<CallEvent, VoiceError> {
        let told = self.inner().read(event)?;
        let name = match told.needed("StreamEvent")? {
            "stream-started" => "stream.started",
            "stream-stopped" => "stream.ended",
            "stream-error" => "stream.failed",
            _ => return Err(invalid("the webhook has an event that is not known")),
        };
        let stream = told.needed("StreamSid")?.to_owned();
        Ok(told.event(name, true, CallEventKind::Stream { stream }))
    }

    /// Reads what a recording reports.
    ///
    /// # Errors
    /// As [`Self::handle_status`].
    pub fn handle_recording(&self, event: &WebhookEvent) -> Result<CallEvent, VoiceError> {
        let told = self.inner().read(event)?;
        let name = match told.needed("RecordingStatus")? {
            "in-progress" => "recording.started",
            "completed" => "recording.completed",
            "absent" | "failed" => "recording.failed",
            _ => return Err(invalid("the webhook has a status that is not known")),
        };
        let recording = told.needed("RecordingSid")?.to_owned();
        let duration = seconds(told.webhook.param("RecordingDuration"));
        let channels = told.webhook.param("RecordingChannels").and_then(|count| count.parse().ok());
        Ok(told.event(name, true, CallEventKind::Recording { recording, duration, channels }))
    }

    /// Reads what answered a call of ours.
    ///
    /// # Errors
    /// As [`Self::handle_status`].
    pub fn handle_amd(&self, event: &WebhookEvent) -> Result<CallEvent, VoiceError> {
        let told = self.inner().read(event)?;
        let who = match told.needed("AnsweredBy")? {
            "human" => AnsweredBy::Human,
            "fax" => AnsweredBy::Fax,
            "machine_start" => AnsweredBy::Machine,
            ended if ended.starts_with("machine_end_") => AnsweredBy::MachineReady,
            _ => AnsweredBy::Unknown,
        };
        let is_news = told.live.as_ref().is_some_and(|live| live.session.answered_by() != Some(who));
        if let Some(live) = &told.live {
            live.session.set_answered_by(who, told.received_at);
        }
        Ok(told.event("call.answered_by", is_news, CallEventKind::AnsweredBy(who)))
    }

    /// Reads what Twilio's own recogniser heard; `None` for words that are not certain yet and for its beginning and end.
    ///
    /// # Errors
    /// As [`Self::handle_status`].
    pub fn handle_transcription(&self, event: &WebhookEvent) -> Result<Option<CallEvent>, VoiceError> {
        #[derive(Deserialize)]
        struct Data {
            transcript: String,
        }
        let told = self.inner().read(event)?;
        let is_content = told.needed("TranscriptionEvent")? == "transcription-content";
        if !is_content || told.webhook.param("Final").is_some_and(|is_final| is_final == "false") {
            return Ok(None);
        }
        let data: Data = serde_json::from_str(told.needed("TranscriptionData")?)
            .map_err(|_| invalid("the webhook's TranscriptionData is malformed"))?;
        let track = told.webhook.param("Track").map(str::to_owned);
        let kind = CallEventKind::Transcription { text: Pii::new(data.transcript), track };
        Ok(Some(told.event("transcription.completed", true, kind)))
    }

    /// Reads that a call comes back to us, and says what it is to do next: what [`CallControl`] asked for, our stream
    /// again after a transfer that nobody answered, or else to hang up. After that the session is over.
    ///
    /// [`CallControl`]: trunkline_core::voice::CallControl
    ///
    /// # Errors
    /// As [`Self::handle_status`]; `ErrCodeSessionNotFound` for a session that is over.
    pub fn handle_action(&self, event: &WebhookEvent) -> Result<(CallEvent, WebhookAnswer), VoiceError> {
        let told = self.inner().read(event)?;
        let after = query(&event.url, "after");
        let dial = told.webhook.param("DialCallStatus");
        let was_transferred = (after == Some("transfer")).then_some(matches!(dial, Some("completed" | "answered")));
        let kind = CallEventKind::Returned {
            was_transferred,
            handoff: told.webhook.param("HandoffData").map(|data| Pii::new(data.to_owned())),
            message: told.webhook.param("RecordingSid").map(str::to_owned),
        };
        let returned = told.event("call.returned", told.live.is_some(), kind);
        let Some(live) = &told.live else { return Ok((returned, document::answer(&document::hangup()))) };
        if live.session.state() == SessionState::Streaming {
            live.session.set_state(SessionState::Connected, told.received_at);
        }
        let is_over =
            told.webhook.call_status.as_deref().and_then(CallStatus::from_name).is_some_and(CallStatus::is_final);
        let next = live.progress().next.take().filter(|_| !is_over);
        if let Some(body) = next {
            return Ok((returned, WebhookAnswer { content_type: "text/xml", body }));
        }
        if let (Some(false), Some(places), false) = (was_transferred, live.current.settings.places.as_ref(), is_over) {
            let again = document::connect(live, &self.inner().sessions, places);
            return Ok((returned, document::answer(&again)));
        }
        live.session.set_status(CallStatus::Completed, told.received_at);
        self.inner().sessions.end(live, SessionState::Disconnected);
        Ok((returned, document::answer(&document::hangup())))
    }

    /// What whoever takes a call over is told, by the token in the path below [`BRIEFING`](super::paths::BRIEFING).
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`; `ErrCodeSessionNotFound` for a token that was never given or whose call is over.
    pub fn briefing(&self, token: &str, event: &WebhookEvent) -> Result<WebhookAnswer, VoiceError> {
        verify(event, &self.inner().current())?;
        let live = self.inner().sessions.redeem(token, Door::Briefing).ok_or_else(|| session_not_found(OPERATION))?;
        let text = live.progress().briefing.as_ref().map(|text| text.expose().clone()).unwrap_or_default();
        Ok(document::answer(&document::briefing(&text)))
    }
}

fn seconds(text: Option<&str>) -> Option<Duration> {
    Some(Duration::from_secs(text?.parse().ok()?))
}
