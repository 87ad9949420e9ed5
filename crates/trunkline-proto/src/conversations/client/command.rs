//! What a client can be told to do.
//!
//! Every command comes to its end with [`Event::Done`]. While there is no connection commands wait, within the bounds
//! of the connection's queue; what is not sent by then has surely not been carried out. None is ever sent twice.

use std::time::Duration;

use super::hosts::escaped;
use super::{Client, Done, Event, Purpose};
use crate::conversations::request::MUTATION_ID;
use crate::conversations::{MyConversationUpdate, NewMessage, SentMessage};
use crate::twilsock::HttpRequest;
use crate::twilsock::client::{Answer, RequestError, RequestId};

/// How often typing is told for one conversation at most.
const TYPING_INTERVAL: Duration = Duration::from_secs(super::super::data::TYPING_TIMEOUT_SECONDS);

impl Client {
    /// Says something in a conversation, `CH…`. `mutation` names the attempt, unique for all time.
    ///
    /// # Errors
    ///
    /// `realtime.offline` before the first connection: nobody knows yet where to send to. Whatever else goes wrong comes
    /// with [`Event::Done`].
    pub fn send_message(
        &mut self,
        now: Duration,
        conversation: &str,
        message: &NewMessage,
        mutation: &str,
    ) -> Result<RequestId, RequestError> {
        let base = self.configuration.as_ref().map(|configuration| &configuration.links.conversations);
        let url = format!("{}/{}/Messages", base.ok_or(RequestError::Offline)?, escaped(conversation));
        let body = serde_json::to_vec(message).unwrap_or_default();
        let request = self.mutation(&url, mutation);
        let id = self.request(now, request, body, Purpose::Send);
        self.work(now);
        Ok(id)
    }

    /// Tells how far the client has read; `None` for nothing.
    ///
    /// # Errors
    ///
    /// See [`send_message`](Self::send_message).
    pub fn set_read_horizon(
        &mut self,
        now: Duration,
        conversation: &str,
        last_read_message_index: Option<u64>,
        mutation: &str,
    ) -> Result<RequestId, RequestError> {
        let base = self.configuration.as_ref().map(|configuration| &configuration.links.my_conversations);
        let url = format!("{}/{}", base.ok_or(RequestError::Offline)?, escaped(conversation));
        let body = serde_json::to_vec(&MyConversationUpdate { last_read_message_index }).unwrap_or_default();
        let request = self.mutation(&url, mutation);
        let id = self.request(now, request, body, Purpose::Tell);
        self.work(now);
        Ok(id)
    }

    /// Tells that the client types. `None` if it was told a moment ago, or if the client is not in that conversation.
    ///
    /// # Errors
    ///
    /// See [`send_message`](Self::send_message).
    pub fn typing(&mut self, now: Duration, conversation: &str) -> Result<Option<RequestId>, RequestError> {
        let base = self.configuration.as_ref().map(|configuration| &configuration.links.typing);
        let mut request = self.hosts.to("POST", base.ok_or(RequestError::Offline)?);
        request.headers.insert("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let key = self.find(conversation).map(|(key, _)| key);
        let Some(known) = key.and_then(|key| self.conversations.get_mut(&key)) else { return Ok(None) };
        if known.typing_told.is_some_and(|told| told + TYPING_INTERVAL > now) {
            return Ok(None);
        }
        known.typing_told = Some(now);
        let body = format!("ChannelSid={}", escaped(conversation)).into_bytes();
        let id = self.request(now, request, body, Purpose::Tell);
        self.work(now);
        Ok(Some(id))
    }

    fn mutation(&self, url: &str, mutation: &str) -> HttpRequest {
        let mut request = self.hosts.post_json(url);
        request.headers.insert(MUTATION_ID.to_owned(), mutation.to_owned());
        request
    }

    pub(super) fn command_done(
        &mut self,
        command: RequestId,
        purpose: &Purpose,
        outcome: Result<Answer, RequestError>,
    ) {
        let outcome = outcome.and_then(|answer| match purpose {
            Purpose::Send => serde_json::from_slice(&answer.body)
                .map(|SentMessage { sid, index }| Done::Sent { index, message: sid })
                // It was carried out; where the message is has to be looked up.
                .map_err(|_| RequestError::Transport { code: answer.status }),
            _ => Ok(Done::Told),
        });
        match &outcome {
            Ok(Done::Sent { .. }) => self.counters.messages_sent += 1,
            Ok(Done::Told) => {}
            Err(_) => self.counters.commands_failed += 1,
        }
        self.tell(Event::Done { command, outcome });
    }
}
