//! Reading parameters by name while remembering which were read. An empty value counts as missing.

use std::str::FromStr;

use super::{Binding, WebhookError};
use crate::rest::MessageMedia;

/// The parameters of one request.
pub(super) struct Parameters<'a> {
    all: &'a [(String, String)],
    is_read: Vec<bool>,
}

#[expect(clippy::unnecessary_wraps, reason = "the payload tables read every field the same way")]
impl<'a> Parameters<'a> {
    pub(super) fn new(all: &'a [(String, String)]) -> Self {
        Self { all, is_read: vec![false; all.len()] }
    }

    /// The first value of `name` unless it is empty.
    fn value(&mut self, name: &str) -> Option<&'a str> {
        let (position, (_, value)) = self.all.iter().enumerate().find(|(_, (known, _))| known == name)?;
        if let Some(is_read) = self.is_read.get_mut(position) {
            *is_read = true;
        }
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, WebhookError> {
        Ok(self.value(name).map(str::to_owned))
    }

    /// A text, empty if it is missing.
    pub(super) fn text_or_empty(&mut self, name: &'static str) -> Result<String, WebhookError> {
        Ok(self.value(name).unwrap_or_default().to_owned())
    }

    /// A value of an enumeration that keeps what it does not know.
    pub(super) fn kept<T: From<&'a str>>(&mut self, name: &'static str) -> Result<Option<T>, WebhookError> {
        Ok(self.value(name).map(T::from))
    }

    pub(super) fn required_kept<T: From<&'a str>>(&mut self, name: &'static str) -> Result<T, WebhookError> {
        self.value(name).map(T::from).ok_or(WebhookError::MissingParameter { name: name.into() })
    }

    /// A SID, a number or a date.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>, WebhookError> {
        let bad = |_| WebhookError::BadParameter { name: name.into() };
        self.value(name).map(str::parse).transpose().map_err(bad)
    }

    pub(super) fn required<T: FromStr>(&mut self, name: &'static str) -> Result<T, WebhookError> {
        self.parsed(name)?.ok_or(WebhookError::MissingParameter { name: name.into() })
    }

    /// `Media`, a JSON array as text.
    pub(super) fn media(&mut self, name: &'static str) -> Result<Vec<MessageMedia>, WebhookError> {
        let media = self.value(name).map(serde_json::from_str::<Option<Vec<MessageMedia>>>).transpose();
        let media = media.map_err(|_| WebhookError::BadParameter { name: name.into() })?;
        Ok(media.flatten().unwrap_or_default())
    }

    /// The parameters whose names start with `MessagingBinding.`.
    pub(super) fn binding(&mut self) -> Result<Binding, WebhookError> {
        Binding::parse(self)
    }

    /// What nobody read.
    pub(super) fn rest(self) -> Vec<(String, String)> {
        let unread = self.all.iter().zip(self.is_read).filter(|(_, is_read)| !is_read);
        unread.map(|(parameter, _)| parameter.clone()).collect()
    }
}
