//! Who types, and until when.

use std::time::Duration;

use super::conversation::MAX_NAME_BYTES;
use super::{Client, Event};
use crate::conversations::Typing;
use crate::conversations::data::TYPING_TIMEOUT_SECONDS;

/// People of whom a client remembers that they type.
pub(super) const MAX_TYPISTS: usize = 1000;

/// The longest that typing holds without another word.
const MAX_TYPING: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct Typist {
    conversation: Box<str>,
    identity: Box<str>,
    until: Duration,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Typists(Vec<Typist>);

impl Typists {
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.0.iter().map(|typist| typist.until).min()
    }

    pub(super) fn forget(&mut self, conversation: &str) {
        self.0.retain(|typist| *typist.conversation != *conversation);
    }
}

impl Client {
    /// Somebody told that they type.
    pub(super) fn somebody_types(&mut self, now: Duration, payload: &[u8]) {
        let Ok(typing) = serde_json::from_slice::<Typing>(payload) else {
            self.counters.payloads_refused += 1;
            return;
        };
        // Only of conversations in which the client takes part, and not of itself.
        if self.find(&typing.channel_sid).is_none() || typing.identity == self.identity() {
            return;
        }
        let seconds = if typing.typing_timeout == 0 { TYPING_TIMEOUT_SECONDS } else { typing.typing_timeout };
        let until = now + Duration::from_secs(seconds).min(MAX_TYPING);
        let is_same =
            |typist: &&mut Typist| *typist.conversation == *typing.channel_sid && *typist.identity == *typing.identity;
        if let Some(typist) = self.typists.0.iter_mut().find(is_same) {
            typist.until = until;
            return;
        }
        if self.typists.0.len() >= MAX_TYPISTS || typing.identity.len() > MAX_NAME_BYTES {
            self.counters.over_limit += 1;
            return;
        }
        let (conversation, identity) = (typing.channel_sid, typing.identity);
        self.typists.0.push(Typist {
            conversation: conversation.as_str().into(),
            identity: identity.as_str().into(),
            until,
        });
        self.tell(Event::TypingStarted { conversation, identity });
    }

    /// Whoever wrote, or left, types no longer.
    pub(super) fn wrote(&mut self, conversation: &str, identity: &str) {
        let place = self
            .typists
            .0
            .iter()
            .position(|typist| *typist.conversation == *conversation && *typist.identity == *identity);
        if let Some(place) = place {
            self.typists.0.swap_remove(place);
            let (conversation, identity) = (conversation.to_owned(), identity.to_owned());
            self.tell(Event::TypingEnded { conversation, identity });
        }
    }

    /// Whoever has not told for too long types no longer.
    pub(super) fn end_typing(&mut self, now: Duration) {
        let ended: Vec<Typist> = self.typists.0.extract_if(.., |typist| typist.until <= now).collect();
        for Typist { conversation, identity, .. } in ended {
            self.tell(Event::TypingEnded { conversation: conversation.into(), identity: identity.into() });
        }
    }
}
