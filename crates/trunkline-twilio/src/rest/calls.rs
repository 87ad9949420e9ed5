//! Calls, and everything else of the API of 2010 that is needed around them.
//!
//! [`Calls`] is a [`RestClient`] that knows the account: every path of this API begins with it. A call is never created
//! twice from here: when the outcome of a create is not known, [`Calls::find`] looks it up.
//!
//! Source: Twilio's description of the API of 2010-04-01, call, recording, stream and transcription resources.

use jiff::Timestamp;
use trunkline_proto::calls::Call;
use trunkline_proto::sid::{AccountSid, CallSid};
use url::Url;

use super::client::{Call as Request, Form, address};
use super::{Listing, RestClient, RestError};

mod beside;
mod create;
mod list;
mod numbers;
mod recordings;

pub use self::beside::{NewStream, NewTranscription};
pub use self::create::{MAX_TWIML_CHARS, NewCall, RecordCall};
pub use self::list::{CallFilter, MAX_CALLS_PAGE};
pub use self::numbers::NumberUpdate;
pub use self::recordings::{MAX_RECORDING_BYTES, NewRecording, RecordingDownload, RecordingStatus};

const ALL: &str = "/2010-04-01/Accounts/{account}/Calls.json";
const ONE: &str = "/2010-04-01/Accounts/{account}/Calls/{call}.json";

/// The version of this API.
pub const CALLS_API_VERSION: &str = "2010-04-01";

/// What is changed of a call that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallUpdate {
    /// Go on with this document.
    Twiml(String),
    /// Go on with the document at this address.
    Url(String),
    /// End it, whether it rings or is answered.
    Complete,
    /// Take it back if nobody has answered yet.
    Cancel,
}

/// The API of 2010 for one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Calls {
    rest: RestClient,
    account: AccountSid,
    version: String,
}

impl RestClient {
    /// The API of 2010, for the things of `account`. `version` is [`CALLS_API_VERSION`] unless Twilio has a newer one.
    pub fn calls(&self, account: AccountSid, version: impl Into<String>) -> Calls {
        Calls { rest: self.clone(), account, version: version.into() }
    }
}

impl Calls {
    /// The client underneath.
    pub fn rest(&self) -> &RestClient {
        &self.rest
    }

    /// The same, but failures are reported at once.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { rest: self.rest.without_retries(), ..self.clone() }
    }

    /// Places a call.
    ///
    /// # Errors
    /// `twilio.rest.bad_argument` for what Twilio would refuse anyway. [`RestError::retry`] is `Unknown` when the
    /// telephone may ring.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the call may have been placed. [`Self::find`] finds it.
    pub async fn create(&self, call: &NewCall) -> Result<Call, RestError> {
        let url = self.url(&["Calls.json"])?;
        self.rest.fetch(Request::create(url, ALL, call.form()?)).await
    }

    /// Fetches a call. What was changed a moment ago may not be there yet.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn fetch(&self, call: CallSid) -> Result<Call, RestError> {
        self.rest.fetch(Request::read(self.one(call, &[])?, ONE)).await
    }

    /// Changes a call that lives. Twilio answers 21220 if it does not.
    ///
    /// # Errors
    /// `twilio.rest.bad_argument` for a document of more than [`MAX_TWIML_CHARS`] characters.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn update(&self, call: CallSid, update: &CallUpdate) -> Result<Call, RestError> {
        let mut form = Form::default();
        match update {
            CallUpdate::Twiml(document) => {
                create::check_twiml(document)?;
                form.set("Twiml", Some(document.as_str()));
            }
            CallUpdate::Url(url) => {
                form.set("Url", Some(url.as_str()));
                form.set("Method", Some("POST"));
            }
            CallUpdate::Complete => form.set("Status", Some("completed")),
            CallUpdate::Cancel => form.set("Status", Some("canceled")),
        }
        self.rest.fetch(Request::update(self.one(call, &[])?, ONE, form)).await
    }

    /// Lists calls, the newest first.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn list(&self, filter: &CallFilter, limit: usize) -> Result<Listing<Call>, RestError> {
        let mut url = self.url(&["Calls.json"])?;
        filter.put_into(&mut url);
        self.list_at(url, ALL, limit).await
    }

    /// Looks for a call between two numbers that was made at `since` or later: what became of a create whose answer was
    /// lost. The list may lag behind a moment, so that nothing found at once does not mean that nothing happened.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn find(&self, to: &str, from: &str, since: Timestamp) -> Result<Option<Call>, RestError> {
        let filter = CallFilter {
            to: Some(to.to_owned()),
            from: Some(from.to_owned()),
            started_since: Some(since),
            ..CallFilter::default()
        };
        let found = self.list(&filter, 20).await?;
        // The list takes days only; a call without a date is as new as can be.
        let is_since = |call: &Call| call.date_created.is_none_or(|made| made.as_second() >= since.as_second());
        Ok(found.items.into_iter().rfind(is_since))
    }

    /// Asks for the account itself: whether it is there and takes our credentials.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn verify(&self) -> Result<(), RestError> {
        let mut url = self.url(&["Calls.json"])?;
        url.query_pairs_mut().append_pair("PageSize", "1");
        self.rest.execute(Request::read(url, ALL)).await.map(drop)
    }

    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, RestError> {
        let all = [&["Accounts", self.account.as_str()], segments].concat();
        address(&self.rest.config().endpoints.api, &self.version, &all)
    }

    /// `Calls/{CA}.json`, or a resource below it.
    fn one(&self, call: CallSid, below: &[&str]) -> Result<Url, RestError> {
        if below.is_empty() {
            return self.url(&["Calls", &format!("{call}.json")]);
        }
        self.url(&[&["Calls", call.as_str()], below].concat())
    }
}
