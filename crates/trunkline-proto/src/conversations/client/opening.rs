//! Opening a conversation: its document, its messages, its participants; and, if it was open before, what was missed.
//!
//! Some conversations are opened at once and the others wait. What fails is tried again, later each time; what the
//! server does not know is forgotten.

use std::time::Duration;

use super::conversation::{
    Key, MAX_ALL_PARTICIPANTS, MAX_NAME_BYTES, MAX_PARTICIPANTS, Member, Objects, Opened, Stage,
};
use super::following::is_too_long;
use super::hosts::escaped;
use super::my_conversations::{items_url, opened, page};
use super::{Client, Event, MAX_START_RETRY, MIN_START_RETRY, Object, ParticipantChange, Purpose};
use crate::conversations::{ConversationData, MessageData, ParticipantData};
use crate::sync::{Item, ItemKey, Object as SyncObject, ObjectKind};
use crate::twilsock::client::{Answer, RequestError};

/// Conversations that are opened at the same time.
const MAX_OPENING: usize = 32;

/// A conversation that was open for this long is opened anew without a wait.
const CALM: Duration = Duration::from_secs(10);

fn retry_wait(failures: u32) -> Duration {
    MIN_START_RETRY.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(MAX_START_RETRY)
}

impl Client {
    /// Begins to open conversations that wait, as far as there is room.
    pub(super) fn open_next(&mut self, now: Duration) {
        if !self.to_retry.is_empty() {
            let (due, later) = std::mem::take(&mut self.to_retry).into_iter().partition(|(at, _)| *at <= now);
            self.to_retry = later;
            let due: Vec<(Duration, Key)> = due;
            self.to_open.extend(due.into_iter().map(|(_, key)| key));
        }
        while self.opening < MAX_OPENING {
            let Some(key) = self.to_open.pop_front() else { break };
            let Some(conversation) = self.conversations.get_mut(&key) else { continue };
            if conversation.stage != Stage::Waiting {
                continue;
            }
            conversation.stage = Stage::Opening;
            self.opening += 1;
            let url = self.hosts.sync(&format!("/v3/Documents/{}", escaped(&conversation.document)));
            let request = self.hosts.get(&url);
            self.request(now, request, Vec::new(), Purpose::Document(key));
        }
        if !self.is_initialized && self.mine.is_complete() && self.opening == 0 && self.to_open.is_empty() {
            self.is_initialized = true;
            self.tell(Event::Initialized);
        }
    }

    /// Something of the conversation cannot be followed any more: it is opened anew, from what is known of it.
    pub(super) fn reopen(&mut self, now: Duration, key: Key) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        if conversation.stage != Stage::Open {
            return;
        }
        // What has to be opened again and again waits longer each time.
        let is_calm = conversation.reopened.is_none_or(|at| at + CALM <= now);
        conversation.reopened = Some(now);
        conversation.reopenings = if is_calm { 0 } else { (conversation.reopenings + 1).min(30) };
        let wait = match conversation.reopenings {
            0 => Duration::ZERO,
            count => retry_wait(count),
        };
        conversation.stage = Stage::Waiting;
        conversation.is_reopened = true;
        let sids: Vec<Box<str>> = conversation.take_objects().collect();
        for sid in sids {
            self.subscriptions.forget(&sid);
        }
        self.to_retry.push((now + wait, key));
    }

    /// A step did not work: the conversation is forgotten if it does not exist, and opened later otherwise.
    fn opening_failed(&mut self, now: Duration, key: Key, error: Option<&RequestError>) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        // Several requests of one opening may fail.
        if conversation.stage != Stage::Opening {
            return;
        }
        if matches!(error, Some(RequestError::Refused { status: 404, .. })) {
            return self.removed(now, key);
        }
        conversation.stage = Stage::Waiting;
        self.opening = self.opening.saturating_sub(1);
        // Nothing is followed before all is open, and nothing is kept of what came to nothing.
        drop(conversation.take_objects());
        conversation.data = None;
        conversation.new_roster = Vec::new();
        if matches!(error, Some(RequestError::Disconnected | RequestError::Stopped)) {
            self.to_open.push_back(key);
            return;
        }
        let wait = retry_wait(conversation.failures);
        conversation.failures = (conversation.failures + 1).min(30);
        self.to_retry.push((now + wait, key));
    }

    pub(super) fn document_opened(&mut self, now: Duration, key: Key, outcome: &Result<Answer, RequestError>) {
        let read = |answer: &Answer| {
            let object: SyncObject = serde_json::from_slice(&answer.body).ok()?;
            let data: ConversationData = object.data.filter(|data| !is_too_long(data))?.read().ok()?;
            if object.sid.len() > MAX_NAME_BYTES {
                return None;
            }
            let last_event_id = object.last_event_id.unwrap_or_default();
            Some((Opened { sid: object.sid.into(), last_event_id, items: Box::default() }, data))
        };
        let (document, data) = match outcome.as_ref().map(read) {
            Ok(Some(opened)) => opened,
            Ok(None) => return self.opening_failed(now, key, None),
            Err(error) => return self.opening_failed(now, key, Some(error)),
        };
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        conversation.objects.document = Some(document);
        if !conversation.is_reopened {
            conversation.seen.begin(data.last_message.as_ref().and_then(|last| last.index));
        }
        let (messages, roster) = (escaped(&data.messages), escaped(&data.roster));
        conversation.data = Some(Box::new(data));
        let messages = self.hosts.sync(&format!("/v3/Lists/{messages}"));
        let roster = self.hosts.sync(&format!("/v3/Maps/{roster}"));
        let request = self.hosts.get(&messages);
        self.request(now, request, Vec::new(), Purpose::Messages(key));
        let request = self.hosts.get(&roster);
        self.request(now, request, Vec::new(), Purpose::Roster(key));
    }

    pub(super) fn messages_opened(&mut self, now: Duration, key: Key, outcome: &Result<Answer, RequestError>) {
        self.object_opened(now, key, outcome, |objects| &mut objects.messages);
    }

    pub(super) fn roster_opened(&mut self, now: Duration, key: Key, outcome: &Result<Answer, RequestError>) {
        self.object_opened(now, key, outcome, |objects| &mut objects.roster);
    }

    /// Notes a list or a map of the conversation. When both are open, the roster is read.
    fn object_opened(
        &mut self,
        now: Duration,
        key: Key,
        outcome: &Result<Answer, RequestError>,
        place: impl Fn(&mut Objects) -> &mut Option<Opened>,
    ) {
        let object = match outcome.as_ref().map(opened) {
            Ok(Some(object)) => object,
            Ok(None) => return self.opening_failed(now, key, None),
            Err(error) => return self.opening_failed(now, key, Some(error)),
        };
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        if conversation.stage != Stage::Opening {
            return;
        }
        *place(&mut conversation.objects) = Some(object);
        let Objects { messages: Some(_), roster: Some(roster), .. } = &conversation.objects else { return };
        let request = self.hosts.get(&items_url(&roster.items));
        conversation.new_roster = Vec::new();
        self.request(now, request, Vec::new(), Purpose::RosterItems(key));
    }

    pub(super) fn roster_came(&mut self, now: Duration, key: Key, outcome: &Result<Answer, RequestError>) {
        let page = match outcome.as_ref().map(page) {
            Ok(Some(page)) => page,
            Ok(None) => return self.opening_failed(now, key, None),
            Err(error) => return self.opening_failed(now, key, Some(error)),
        };
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        let before = conversation.new_roster.len();
        // What is read takes the place of what is there.
        let others = self.participants.saturating_sub(conversation.roster.len());
        let room = MAX_PARTICIPANTS.min(MAX_ALL_PARTICIPANTS.saturating_sub(others));
        let (mut refused, mut over) = (0, 0);
        for item in page.items {
            let data = item.data.read::<ParticipantData>().ok();
            let member = item.key.zip(data).and_then(|(sid, data)| Member::new(&sid, &data, item.last_event_id));
            let Some(member) = member else {
                refused += 1;
                continue;
            };
            let is_new = conversation.new_roster.iter().all(|known| known.sid != member.sid);
            if is_new && conversation.new_roster.len() < room {
                conversation.new_roster.push(member);
            } else if is_new {
                over += 1;
            }
        }
        let last = conversation.new_roster.iter().map(|member| &*member.sid).max().map(escaped);
        let more = page.meta.has_next() && conversation.new_roster.len() > before;
        let roster = conversation.objects.roster.as_ref().map(|map| items_url(&map.items));
        self.counters.payloads_refused += refused;
        self.counters.over_limit += over;
        if let (true, Some(last), Some(roster)) = (more, last, roster) {
            let request = self.hosts.get(&format!("{roster}&From={last}"));
            self.request(now, request, Vec::new(), Purpose::RosterItems(key));
            return;
        }
        self.roster_is_whole(key);
        let is_reopened = self.conversations.get(&key).is_some_and(|conversation| conversation.is_reopened);
        if is_reopened { self.read_missed(now, key) } else { self.open(now, key) }
    }

    /// Puts the roster that was read in the place of the old one, and tells who came and went meanwhile.
    fn roster_is_whole(&mut self, key: Key) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        let new = std::mem::take(&mut conversation.new_roster);
        let old = std::mem::replace(&mut conversation.roster, new);
        self.participants = (self.participants + conversation.roster.len()).saturating_sub(old.len());
        if !conversation.is_announced {
            return;
        }
        let sid = conversation.sid.to_string();
        let change = |member: &Member| ParticipantChange {
            conversation: sid.clone(),
            participant: member.sid.to_string(),
            data: Box::new(member.data()),
        };
        let is_in = |members: &[Member], sid: &str| members.iter().any(|member| *member.sid == *sid);
        let left = old.iter().filter(|member| !is_in(&conversation.roster, &member.sid)).map(change);
        let mut events: Vec<Event> = left.map(Event::ParticipantLeft).collect();
        let came = conversation.roster.iter().filter(|member| !is_in(&old, &member.sid)).map(change);
        events.extend(came.map(Event::ParticipantJoined));
        for event in events {
            self.tell(event);
        }
    }

    /// Reads messages behind the last one that came.
    fn read_missed(&mut self, now: Duration, key: Key) {
        let Some(conversation) = self.conversations.get(&key) else { return };
        let from = conversation.seen.next();
        let Some(messages) = &conversation.objects.messages else { return };
        let request = self.hosts.get(&format!("{}&From={from}", items_url(&messages.items)));
        self.request(now, request, Vec::new(), Purpose::Missed(key));
    }

    pub(super) fn missed_came(&mut self, now: Duration, key: Key, outcome: &Result<Answer, RequestError>) {
        let page = match outcome.as_ref().map(page) {
            Ok(Some(page)) => page,
            Ok(None) => return self.opening_failed(now, key, None),
            Err(error) => return self.opening_failed(now, key, Some(error)),
        };
        let before = self.conversations.get(&key).and_then(|conversation| conversation.seen.highest);
        let has_next = page.meta.has_next();
        for item in page.items {
            self.missed(now, key, &item);
        }
        let after = self.conversations.get(&key).and_then(|conversation| conversation.seen.highest);
        if has_next && after > before { self.read_missed(now, key) } else { self.open(now, key) }
    }

    fn missed(&mut self, now: Duration, key: Key, item: &Item) {
        match (item.item_key(), item.data.read::<MessageData>()) {
            (Some(ItemKey::Index(index)), Ok(data)) if !is_too_long(&item.data) => {
                self.message_came(now, key, index, data);
            }
            _ => self.counters.payloads_refused += 1,
        }
    }

    /// Everything is open: the conversation is followed and told.
    fn open(&mut self, now: Duration, key: Key) {
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        if conversation.stage != Stage::Opening {
            return;
        }
        conversation.stage = Stage::Open;
        conversation.failures = 0;
        conversation.is_reopened = false;
        self.opening = self.opening.saturating_sub(1);
        let is_new = !std::mem::replace(&mut conversation.is_announced, true);
        let data = conversation.data.take();
        let objects = &conversation.objects;
        let follow = [
            (&objects.document, ObjectKind::Document, Object::Document(key)),
            (&objects.messages, ObjectKind::List, Object::Messages(key)),
            (&objects.roster, ObjectKind::Map, Object::Roster(key)),
        ];
        for (opened, kind, object) in follow {
            if let Some(opened) = opened {
                self.subscriptions.follow(now, &opened.sid, kind, opened.last_event_id, object);
            }
        }
        match data {
            Some(data) if is_new => {
                self.tell(Event::ConversationAdded(data.clone()));
                self.tell(Event::ConversationJoined(data));
            }
            Some(data) => self.tell(Event::ConversationUpdated(data)),
            None => {}
        }
    }
}
