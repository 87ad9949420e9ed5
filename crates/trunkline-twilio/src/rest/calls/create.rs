//! What a call is created with.

use std::time::Duration;

use super::super::RestError;
use super::super::client::Form;

/// The longest document that goes along with a request, in characters.
pub const MAX_TWIML_CHARS: usize = 4_000;

/// The most keys that are pressed after an answer.
const MAX_DIGITS: usize = 32;

/// Whether the whole call is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordCall {
    /// Both sides in one channel.
    Mono,
    /// Each side in a channel of its own.
    Dual,
}

/// A call to be placed. What is `None` or empty is Twilio's default.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NewCall {
    /// Whom to call.
    pub to: String,
    /// The number to call from.
    pub from: String,
    /// What to do when it is answered: a document of at most [`MAX_TWIML_CHARS`] characters.
    pub twiml: Option<String>,
    /// Where to ask what to do when it is answered. Only without `twiml`.
    pub url: Option<String>,
    /// Where to post how it goes.
    pub status_callback: Option<String>,
    /// What to post: `initiated`, `ringing`, `answered`, `completed`.
    pub status_callback_events: Vec<String>,
    /// How long it may ring, in whole seconds, at most 600 s. Default 60 s.
    pub timeout: Option<Duration>,
    /// How long it may last, in whole seconds.
    pub time_limit: Option<Duration>,
    /// Keys to press when it is answered: `0-9 * # w`, at most 32.
    pub send_digits: Option<String>,
    /// `Enable` or `DetectMessageEnd`.
    pub machine_detection: Option<String>,
    /// Where to post what answered, while the call goes on already.
    pub async_amd_status_callback: Option<String>,
    /// Whether to record.
    pub record: Option<RecordCall>,
    /// Where to post that the recording is there.
    pub recording_status_callback: Option<String>,
}

impl NewCall {
    pub(super) fn form(&self) -> Result<Form, RestError> {
        if self.twiml.is_some() == self.url.is_some() {
            return Err(RestError::BadArgument("a call with both a document and an address, or with neither,"));
        }
        if let Some(document) = &self.twiml {
            check_twiml(document)?;
        }
        let is_key = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'w' | b'W');
        let digits = self.send_digits.as_deref().filter(|digits| !digits.is_empty());
        if digits.is_some_and(|digits| digits.len() > MAX_DIGITS || !digits.bytes().all(is_key)) {
            return Err(RestError::BadArgument("digits other than 0-9 * # w, or more than 32 of them,"));
        }
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs().to_string());
        let mut form = Form::default();
        form.set("To", Some(self.to.as_str()));
        form.set("From", Some(self.from.as_str()));
        form.set("Twiml", self.twiml.as_deref());
        form.set("Url", self.url.as_deref());
        form.set("StatusCallback", self.status_callback.as_deref());
        for event in &self.status_callback_events {
            form.set("StatusCallbackEvent", Some(event.as_str()));
        }
        form.set("Timeout", seconds(self.timeout));
        form.set("TimeLimit", seconds(self.time_limit));
        form.set("SendDigits", digits);
        form.set("MachineDetection", self.machine_detection.as_deref());
        if self.machine_detection.is_some() && self.async_amd_status_callback.is_some() {
            form.set("AsyncAmd", Some("true"));
            form.set("AsyncAmdStatusCallback", self.async_amd_status_callback.as_deref());
        }
        if let Some(record) = self.record {
            form.set("Record", Some("true"));
            form.set("RecordingChannels", Some(record.as_str()));
            form.set("RecordingStatusCallback", self.recording_status_callback.as_deref());
        }
        Ok(form)
    }
}

impl RecordCall {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Mono => "mono",
            Self::Dual => "dual",
        }
    }
}

pub(super) fn check_twiml(document: &str) -> Result<(), RestError> {
    match document.chars().nth(MAX_TWIML_CHARS) {
        Some(_) => Err(RestError::BadArgument("a document of more than 4000 characters")),
        None => Ok(()),
    }
}
