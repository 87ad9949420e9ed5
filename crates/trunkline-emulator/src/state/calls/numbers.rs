//! The account's numbers, and how phones answer.

use trunkline_proto::sid::PhoneNumberSid;

use super::number_missing;
use super::records::{AnsweringRecord, NumberRecord};
use crate::error::{self, ApiError};
use crate::state::limits;
use crate::state::paging::{Cursor, Order, Slice, slice};
use crate::state::records::Method;
use crate::state::{Key, State};

/// What a caller says of a number. `None` is not said; an empty text takes a URL away.
#[derive(Debug, Clone, Default)]
pub(crate) struct NumberFields {
    pub(crate) friendly_name: Option<String>,
    pub(crate) voice_url: Option<String>,
    pub(crate) voice_method: Option<Method>,
    pub(crate) voice_fallback_url: Option<String>,
    pub(crate) voice_fallback_method: Option<Method>,
    pub(crate) status_callback: Option<String>,
    pub(crate) status_callback_method: Option<Method>,
    pub(crate) sms_url: Option<String>,
    pub(crate) sms_method: Option<Method>,
    pub(crate) sms_fallback_url: Option<String>,
    pub(crate) sms_fallback_method: Option<Method>,
}

impl NumberFields {
    fn check(&self) -> Result<(), ApiError> {
        for url in [&self.sms_url, &self.sms_fallback_url].into_iter().flatten().filter(|url| !url.is_empty()) {
            limits::check_url(url).map_err(|_| error::SMS_URL)?;
        }
        let urls = [&self.voice_url, &self.voice_fallback_url, &self.status_callback];
        for url in urls.into_iter().flatten().filter(|url| !url.is_empty()) {
            limits::check_url(url).map_err(|_| error::CALL_URL)?;
        }
        Ok(())
    }

    fn apply(self, record: &mut NumberRecord) {
        let url = |field: &mut Option<String>, said: Option<String>| {
            if let Some(said) = said {
                *field = Some(said).filter(|url| !url.is_empty());
            }
        };
        url(&mut record.voice_url, self.voice_url);
        url(&mut record.voice_fallback_url, self.voice_fallback_url);
        url(&mut record.status_callback, self.status_callback);
        url(&mut record.sms_url, self.sms_url);
        url(&mut record.sms_fallback_url, self.sms_fallback_url);
        record.sms_method = self.sms_method.unwrap_or(record.sms_method);
        record.sms_fallback_method = self.sms_fallback_method.unwrap_or(record.sms_fallback_method);
        record.friendly_name = self.friendly_name.unwrap_or_else(|| record.friendly_name.clone());
        record.voice_method = self.voice_method.unwrap_or(record.voice_method);
        record.voice_fallback_method = self.voice_fallback_method.unwrap_or(record.voice_fallback_method);
        record.status_callback_method = self.status_callback_method.unwrap_or(record.status_callback_method);
    }
}

impl State {
    /// The account's own number is one of its numbers from the beginning.
    pub(in crate::state) fn add_own_number(&mut self) {
        let number = self.account.phone_number.clone();
        if self.number_of(&number).is_none() {
            // The number was checked when the account was made.
            drop(self.put_number(&number, self.calls.own_voice.clone()));
        }
    }

    /// Sets what answers the account's own number, now and after each reset.
    pub(crate) fn set_own_voice(&mut self, fields: NumberFields) -> Result<(), ApiError> {
        let number = self.account.phone_number.clone();
        self.calls.own_voice = fields.clone();
        self.put_number(&number, fields).map(|_| ())
    }

    /// Makes a number the account's, or changes one that is.
    pub(crate) fn put_number(&mut self, number: &str, fields: NumberFields) -> Result<NumberRecord, ApiError> {
        fields.check()?;
        let known = self.number_of(number).map(|record| record.position);
        if known.is_none() && self.calls.numbers.len() >= limits::MAX_NUMBERS {
            return Err(error::FULL);
        }
        let now = self.now();
        let mut record = match known.and_then(|position| self.calls.numbers.get(&position)) {
            Some(record) => record.clone(),
            None => NumberRecord {
                sid: self.random_sid(PhoneNumberSid::from_random),
                position: self.position(),
                number: number.to_owned(),
                friendly_name: number.to_owned(),
                voice_url: None,
                voice_method: Method::Post,
                voice_fallback_url: None,
                voice_fallback_method: Method::Post,
                status_callback: None,
                status_callback_method: Method::Post,
                sms_url: None,
                sms_method: Method::Post,
                sms_fallback_url: None,
                sms_fallback_method: Method::Post,
                date_created: now,
                date_updated: now,
            },
        };
        fields.apply(&mut record);
        record.date_updated = now;
        self.effects.dirty.insert(Key::Number(record.position));
        self.calls.numbers.insert(record.position, record.clone());
        Ok(record)
    }

    /// Makes a number the account's that is not yet.
    pub(crate) fn buy_number(&mut self, number: &str, fields: NumberFields) -> Result<NumberRecord, ApiError> {
        if !limits::is_phone_number(number) {
            return Err(error::NUMBER_INVALID);
        }
        if self.number_of(number).is_some() {
            return Err(error::NUMBER_TAKEN);
        }
        self.put_number(number, fields)
    }

    /// Gives a number back. The account's own stays.
    pub(crate) fn remove_number(&mut self, sid: &str) -> Result<(), ApiError> {
        let (number, position) = self.number(sid).map(|record| (record.number.clone(), record.position))?;
        if number == self.account.phone_number {
            return Err(error::NUMBER_IN_USE);
        }
        self.calls.numbers.remove(&position);
        self.effects.dirty.insert(Key::Number(position));
        Ok(())
    }

    pub(crate) fn number_of(&self, number: &str) -> Option<&NumberRecord> {
        self.calls.numbers.values().find(|record| record.number == number)
    }

    pub(crate) fn number(&self, sid: &str) -> Result<&NumberRecord, ApiError> {
        let sid: Option<PhoneNumberSid> = sid.parse().ok();
        self.calls.numbers.values().find(|record| Some(record.sid) == sid).ok_or_else(|| number_missing(sid))
    }

    pub(crate) fn list_numbers(
        &self,
        number: Option<&str>,
        size: usize,
        cursor: Option<Cursor>,
    ) -> Slice<NumberRecord> {
        slice(&self.calls.numbers, Order::Descending, size, cursor, |record| {
            number.is_none_or(|number| record.number == number).then(|| record.clone())
        })
    }

    /// How a phone answers, as it was said; nothing if nobody said.
    pub(crate) fn answering(&self, number: &str) -> Option<String> {
        self.calls.answering.get(number).map(|record| record.rule.clone())
    }

    pub(crate) fn set_answering(&mut self, number: String, rule: String) -> Result<(), ApiError> {
        let known = self.calls.answering.contains_key(&number);
        if !known && self.calls.answering.len() >= limits::MAX_ANSWERING_RULES {
            return Err(error::FULL);
        }
        self.effects.dirty.insert(Key::Answering(number.clone()));
        self.calls.answering.insert(number.clone(), AnsweringRecord { number, rule });
        Ok(())
    }

    /// Forgets how a phone answers.
    pub(crate) fn remove_answering(&mut self, number: &str) {
        if self.calls.answering.remove(number).is_some() {
            self.effects.dirty.insert(Key::Answering(number.to_owned()));
        }
    }
}
