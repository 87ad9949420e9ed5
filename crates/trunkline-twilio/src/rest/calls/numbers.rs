//! The account's telephone numbers, and where their calls and messages go.

use trunkline_proto::calls::IncomingPhoneNumber;
use trunkline_proto::sid::PhoneNumberSid;

use super::super::RestError;
use super::super::client::{Call as Request, Form};
use super::Calls;

const ALL: &str = "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json";
const ONE: &str = "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{number}.json";

/// Where a number's calls go. Both by POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberUpdate {
    /// Asked what to do with a call.
    pub voice_url: String,
    /// Told how calls end.
    pub status_callback: String,
}

impl Calls {
    /// Finds a number of the account.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn find_number(&self, number: &str) -> Result<Option<IncomingPhoneNumber>, RestError> {
        let mut url = self.url(&["IncomingPhoneNumbers.json"])?;
        url.query_pairs_mut().append_pair("PhoneNumber", number);
        // Twilio takes a part of a number for a pattern.
        let found = self.list_at::<IncomingPhoneNumber>(url, ALL, 20).await?;
        Ok(found.items.into_iter().find(|one| one.phone_number.as_deref() == Some(number)))
    }

    /// Changes where a number's calls go.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn update_number(
        &self,
        number: PhoneNumberSid,
        update: &NumberUpdate,
    ) -> Result<IncomingPhoneNumber, RestError> {
        let mut form = Form::default();
        form.set("VoiceUrl", Some(update.voice_url.as_str()));
        form.set("VoiceMethod", Some("POST"));
        form.set("StatusCallback", Some(update.status_callback.as_str()));
        form.set("StatusCallbackMethod", Some("POST"));
        let url = self.url(&["IncomingPhoneNumbers", &format!("{number}.json")])?;
        self.rest.fetch(Request::update(url, ONE, form)).await
    }

    /// Changes where a number's messages go, by POST.
    ///
    /// # Cancel safety
    /// May have taken effect; it may be done again.
    pub async fn update_messages_of(
        &self,
        number: PhoneNumberSid,
        sms_url: &str,
    ) -> Result<IncomingPhoneNumber, RestError> {
        let mut form = Form::default();
        form.set("SmsUrl", Some(sms_url));
        form.set("SmsMethod", Some("POST"));
        let url = self.url(&["IncomingPhoneNumbers", &format!("{number}.json")])?;
        self.rest.fetch(Request::update(url, ONE, form)).await
    }
}
