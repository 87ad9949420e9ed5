//! What a question may be answered with.

use serde_json::{Map, Value};

/// The answer to a question. `C` is what can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<C> {
    /// Go on.
    Allow,
    /// Do not. Whoever asked Twilio for it is told that it was refused.
    Reject(Rejection),
    /// Go on, but with these changes.
    Change(C),
}

/// How something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection(u16);

impl Rejection {
    /// With status 403.
    pub const FORBIDDEN: Self = Self(403);

    /// With another status of HTTP; `None` if it is no refusal (400 to 599).
    pub const fn with_status(status: u16) -> Option<Self> {
        if status >= 400 && status <= 599 { Some(Self(status)) } else { None }
    }

    /// The status.
    pub const fn status(self) -> u16 {
        self.0
    }
}

/// What a question lets be changed. Sealed: Twilio knows these and no others.
pub trait Changes: private::Sealed + Send + 'static {
    #[doc(hidden)]
    fn into_fields(self) -> Vec<(&'static str, Option<String>)>;
}

/// Changes of a message; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageChanges {
    /// What it says.
    pub body: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// A JSON object as text.
    pub attributes: Option<String>,
}

/// Changes of a conversation; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationChanges {
    /// Its name for people.
    pub friendly_name: Option<String>,
}

/// Nothing can be changed: there is no value of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChanges {}

impl Changes for MessageChanges {
    fn into_fields(self) -> Vec<(&'static str, Option<String>)> {
        vec![("body", self.body), ("author", self.author), ("attributes", self.attributes)]
    }
}

impl Changes for ConversationChanges {
    fn into_fields(self) -> Vec<(&'static str, Option<String>)> {
        vec![("friendly_name", self.friendly_name)]
    }
}

impl Changes for NoChanges {
    fn into_fields(self) -> Vec<(&'static str, Option<String>)> {
        match self {}
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::MessageChanges {}
    impl Sealed for super::ConversationChanges {}
    impl Sealed for super::NoChanges {}
}

/// An answer whose type of changes does not matter any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Reject(Rejection),
    Change(Map<String, Value>),
}

impl<C: Changes> Answer<C> {
    pub(super) fn into_verdict(self) -> Verdict {
        match self {
            Self::Allow => Verdict::Allow,
            Self::Reject(rejection) => Verdict::Reject(rejection),
            Self::Change(changes) => Verdict::Change(
                changes
                    .into_fields()
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_refuse_and_only_what_is_given_changes() {
        assert_eq!(Rejection::with_status(418).map(Rejection::status), Some(418));
        assert!([0, 200, 399, 600].iter().all(|status| Rejection::with_status(*status).is_none()));
        let change = Answer::Change(MessageChanges { body: Some("b".into()), ..MessageChanges::default() });
        let Verdict::Change(fields) = change.into_verdict() else { panic!("a change") };
        assert_eq!(Value::Object(fields), serde_json::json!({ "body": "b" }));
        assert_eq!(Answer::<NoChanges>::Allow.into_verdict(), Verdict::Allow);
    }
}
