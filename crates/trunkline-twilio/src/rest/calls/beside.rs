//! What runs beside a call: streams that only listen, and transcriptions.

use trunkline_proto::calls::{CallStream, CallTranscription};
use trunkline_proto::sid::{CallSid, StreamSid, TranscriptionSid};

use super::super::RestError;
use super::super::client::{Call as Request, Form};
use super::Calls;

const STREAMS: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Streams.json";
const STREAM: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Streams/{stream}.json";
const TRANSCRIPTIONS: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Transcriptions.json";
const TRANSCRIPTION: &str = "/2010-04-01/Accounts/{account}/Calls/{call}/Transcriptions/{transcription}.json";

/// A stream to be begun. It only listens: one that speaks too is begun by a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewStream {
    /// `wss://…`, without a query.
    pub url: String,
    /// To stop it by. Unique in the call.
    pub name: Option<String>,
    /// `inbound_track` (default), `outbound_track` or `both_tracks`.
    pub track: Option<String>,
    /// Told of its beginning, end and failure.
    pub status_callback: Option<String>,
}

/// A transcription to be begun. What is `None` is Twilio's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewTranscription {
    /// To stop it by.
    pub name: Option<String>,
    /// `both_tracks` (default), `inbound_track` or `outbound_track`.
    pub track: Option<String>,
    /// Told of what is said.
    pub status_callback_url: Option<String>,
    /// Such as `en-US`.
    pub language_code: Option<String>,
    /// `google` or `deepgram`.
    pub transcription_engine: Option<String>,
    /// Whether words are told before they are certain.
    pub partial_results: Option<bool>,
    /// Phrases to expect, separated by commas.
    pub hints: Option<String>,
}

impl Calls {
    /// Begins a stream that listens.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the stream may have begun.
    pub async fn create_stream(&self, call: CallSid, stream: &NewStream) -> Result<CallStream, RestError> {
        let mut form = Form::default();
        form.set("Url", Some(stream.url.as_str()));
        form.set("Name", stream.name.as_deref());
        form.set("Track", stream.track.as_deref());
        form.set("StatusCallback", stream.status_callback.as_deref());
        self.rest.fetch(Request::create(self.one(call, &["Streams.json"])?, STREAMS, form)).await
    }

    /// Stops a stream.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn stop_stream(&self, call: CallSid, stream: StreamSid) -> Result<CallStream, RestError> {
        let url = self.one(call, &["Streams", &format!("{stream}.json")])?;
        self.rest.fetch(Request::update(url, STREAM, stopped())).await
    }

    /// Begins a transcription.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the transcription may have begun.
    pub async fn create_transcription(
        &self,
        call: CallSid,
        transcription: &NewTranscription,
    ) -> Result<CallTranscription, RestError> {
        let mut form = Form::default();
        form.set("Name", transcription.name.as_deref());
        form.set("Track", transcription.track.as_deref());
        form.set("StatusCallbackUrl", transcription.status_callback_url.as_deref());
        form.set("LanguageCode", transcription.language_code.as_deref());
        form.set("TranscriptionEngine", transcription.transcription_engine.as_deref());
        form.set("PartialResults", transcription.partial_results.map(|wanted| wanted.to_string()));
        form.set("Hints", transcription.hints.as_deref());
        self.rest.fetch(Request::create(self.one(call, &["Transcriptions.json"])?, TRANSCRIPTIONS, form)).await
    }

    /// Stops a transcription.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn stop_transcription(
        &self,
        call: CallSid,
        transcription: TranscriptionSid,
    ) -> Result<CallTranscription, RestError> {
        let url = self.one(call, &["Transcriptions", &format!("{transcription}.json")])?;
        self.rest.fetch(Request::update(url, TRANSCRIPTION, stopped())).await
    }
}

fn stopped() -> Form {
    let mut form = Form::default();
    form.set("Status", Some("stopped"));
    form
}
