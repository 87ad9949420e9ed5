//! Subscribing: what was missed, how it went, and typing.

use serde_json::json;
use trunkline_proto::sid::ConversationSid;
use trunkline_proto::sync::{Action, Outcome, ReplayStatus, SubscriptionBatch, SubscriptionRequest};

use super::super::State;
use super::changes::Change;
use super::replay::Replay;
use super::{ObjectId, Outgoing, SocketId, Subscribed};
use crate::error::{self, ApiError};

impl State {
    /// Carries out a batch of subscriptions. `gap` says how many missed events of an object get lost by a fault.
    pub(crate) fn subscribe(
        &mut self,
        socket: SocketId,
        user: u64,
        batch: &SubscriptionBatch,
        gap: &dyn Fn(&str) -> usize,
    ) -> Result<(), ApiError> {
        if batch.requests.len() > MAX_BATCH {
            return Err(ApiError::parameter("requests"));
        }
        for request in &batch.requests {
            let outgoing = match batch.action {
                Action::Establish => self.establish(socket, user, batch.correlation_id, request, gap),
                Action::Cancel => self.cancel(socket, batch.correlation_id, request),
            };
            for outgoing in outgoing {
                self.send(outgoing);
            }
        }
        Ok(())
    }

    fn establish(
        &self,
        socket: SocketId,
        user: u64,
        correlation_id: u64,
        request: &SubscriptionRequest,
        gap: &dyn Fn(&str) -> usize,
    ) -> Vec<Outgoing> {
        let object_sid = request.object_sid.clone();
        let failed = |problem: &ApiError| {
            let outcome = Outcome::Failed {
                object_sid: object_sid.clone(),
                status: problem.status,
                code: problem.code,
                message: problem.message.to_string(),
            };
            vec![Outgoing::Told { socket, payload: outcome.encode(correlation_id) }]
        };
        let found = self.object(request.object_type, &object_sid).and_then(|object| {
            self.check_object(object, user)?;
            Ok(object)
        });
        let object = match found {
            Ok(object) => object,
            Err(problem) => return failed(&problem),
        };
        let now = self.object_event(object);
        // Without an event to begin from there is nothing to replay.
        let since = request.last_event_id.unwrap_or(now);
        let Replay::Changes(mut changes) = self.replay(object, since) else {
            return failed(&ApiError::not_found(&format!("/{}/{object_sid}", object.kind().collection())));
        };
        if !changes.is_empty() {
            let lost = gap(&self.object_name(object)).min(changes.len());
            changes.drain(..lost);
        }
        let is_whole = changes.len() <= MAX_REPLAY;
        changes.truncate(MAX_REPLAY);
        let covered = if is_whole { now.max(since) } else { changes.last().map_or(since, |change| change.id) };
        let mut payloads: Vec<Vec<u8>> = changes.iter().map(|change| change.payload(Some(correlation_id))).collect();
        let replay_status = if is_whole { ReplayStatus::Completed } else { ReplayStatus::Interrupted };
        let outcome = Outcome::Established { object_sid: object_sid.clone(), replay_status, last_event_id: covered };
        payloads.push(outcome.encode(correlation_id));
        vec![Outgoing::Subscribed(Subscribed { socket, object, object_sid, correlation_id, payloads, is_whole })]
    }

    fn cancel(&self, socket: SocketId, correlation_id: u64, request: &SubscriptionRequest) -> Vec<Outgoing> {
        let outcome = Outcome::Canceled { object_sid: request.object_sid.clone() };
        let told = Outgoing::Told { socket, payload: outcome.encode(correlation_id) };
        match self.object(request.object_type, &request.object_sid) {
            Ok(object) => vec![Outgoing::Cancelled { socket, object }, told],
            Err(_) => vec![told],
        }
    }

    /// A user is typing: everybody else in the conversation is told.
    pub(crate) fn typing(&mut self, conversation: ConversationSid, user: u64) -> Result<(), ApiError> {
        let position = self.find(conversation.as_str())?;
        let Some(own) = self.membership(position, user).and_then(|own| own.identity.clone()) else {
            return Err(error::FORBIDDEN);
        };
        let identities = self.at(position)?.participants.values().filter_map(|one| one.identity.as_ref());
        let others = identities.filter(|identity| **identity != own).cloned().collect();
        self.send(Outgoing::Typing { conversation, identity: own, others });
        Ok(())
    }
}

impl Change {
    /// The payload of its notification; with a correlation id when it is replayed.
    pub(crate) fn payload(&self, correlation_id: Option<u64>) -> Vec<u8> {
        let mut envelope = json!({"event_type": self.event_type, "event": self.body});
        if let (Some(id), Some(fields)) = (correlation_id, envelope.as_object_mut()) {
            fields.insert("correlation_id".to_owned(), json!(id));
        }
        serde_json::to_vec(&envelope).unwrap_or_default()
    }

    /// Whether the object itself is gone.
    pub(crate) fn ends_object(&self) -> bool {
        matches!(self.event_type.as_str(), "map_removed" | "list_removed" | "document_removed")
    }

    /// What the change is about, for the journal: a conversation that somebody is in now, or a new message's index.
    pub(crate) fn news(&self) -> Option<News> {
        match (self.object, self.event_type.as_str()) {
            (ObjectId::Conversations(_), "map_item_added") => {
                Some(News::Joined(self.body.get("item_key")?.as_str()?.parse().ok()?))
            }
            (ObjectId::Messages(_), "list_item_added") => {
                let digits = self.body.get("list_sid")?.as_str()?.strip_prefix("ES")?;
                Some(News::Message(format!("CH{digits}").parse().ok()?, self.body.get("item_index")?.as_u64()?))
            }
            _ => None,
        }
    }
}

/// See [`Change::news`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Joined(ConversationSid),
    Message(ConversationSid, u64),
}

/// Requests of one batch; the answer to each names it.
pub(crate) const MAX_BATCH: usize = 100;
/// Events that one subscription replays; with more it is interrupted and the client asks again from there.
pub(crate) const MAX_REPLAY: usize = 1000;
