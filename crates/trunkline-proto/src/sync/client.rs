//! The client's side of subscriptions: which objects are followed, from where, and what of their events is new.
//!
//! A live event that comes before its subscription is established waits: what is replayed is older. After a loss of
//! the connection every object is asked for again from the last event that was seen.
//!
//! Not here: sending requests, what events mean. `T` is whatever the user of this calls an object.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::event::SYNC_EVENT;
use super::subscription::{EVENT_PROTOCOL_VERSION, MAX_BATCH_SIZE};
use super::{
    Action, Change, Event, Notification, ObjectKind, Outcome, ReplayStatus, SubscriptionAnswer, SubscriptionBatch,
    SubscriptionRequest, Told,
};

/// How long requests gather before a batch is sent.
pub const GATHER: Duration = Duration::from_millis(20);

/// The waits before a failed batch is repeated.
pub const MIN_RETRY: Duration = Duration::from_millis(100);
/// See [`MIN_RETRY`].
pub const MAX_RETRY: Duration = Duration::from_mins(2);

/// How long the outcome of a batch may take unless the server says otherwise.
const USUAL_DELIVERY: Duration = Duration::from_secs(5);

/// The bytes of all events that wait for replays; beyond that the object is asked for anew.
pub const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// The wait before an object is asked for again whose replay was interrupted and brought nothing.
const NO_PROGRESS: Duration = Duration::from_secs(1);

/// Live events of one object that wait for its replay; beyond that the object is asked for anew.
pub const MAX_WAITING_EVENTS: usize = 1000;

/// See the [module](self).
#[derive(Debug)]
pub struct Subscriptions<T> {
    objects: HashMap<Box<str>, Followed<T>>,
    /// Objects to be asked for; one that is followed no longer is skipped.
    wanted: Vec<Box<str>>,
    /// Objects whose events are wanted no longer.
    unwanted: Vec<(Box<str>, ObjectKind)>,
    flush_at: Option<Duration>,
    /// Batches of which something has not come, by correlation id.
    asked: BTreeMap<u64, Asked>,
    renew_at: Option<Duration>,
    is_renewal: bool,
    failures: u32,
    max_batch: usize,
    delivery: Duration,
    correlation: u64,
    retried: usize,
    /// The bytes of all events that wait.
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Followed<T> {
    what: T,
    kind: ObjectKind,
    last_event_id: u64,
    /// The last event that was known when it was asked for.
    asked_from: u64,
    phase: Phase,
    waiting: Vec<Event>,
}

#[derive(Debug)]
struct Asked {
    /// When what has not come is asked for again.
    until: Duration,
    /// How many objects that are.
    open: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Wanted,
    Asked { correlation: u64 },
    Established,
}

/// What a notification came to.
#[derive(Debug)]
pub enum Heard<T> {
    /// Something of an object that is new.
    Event(T, Event),
    /// The object cannot be followed: the server does not know it, or not any more. It is followed no longer.
    Gone(T),
}

impl<T: Copy> Subscriptions<T> {
    /// Nothing is followed. `correlation` begins the ids of batches: the time in milliseconds since 1970.
    pub fn new(correlation: u64) -> Self {
        Self {
            objects: HashMap::new(),
            wanted: Vec::new(),
            unwanted: Vec::new(),
            flush_at: None,
            asked: BTreeMap::new(),
            renew_at: None,
            is_renewal: false,
            failures: 0,
            max_batch: MAX_BATCH_SIZE,
            delivery: USUAL_DELIVERY,
            correlation,
            retried: 0,
            waiting_bytes: 0,
        }
    }

    /// Follows an object from its last event on.
    pub fn follow(&mut self, now: Duration, sid: &str, kind: ObjectKind, last_event_id: u64, what: T) {
        let followed = Followed {
            what,
            kind,
            last_event_id,
            asked_from: last_event_id,
            phase: Phase::Wanted,
            waiting: Vec::new(),
        };
        if let Some(before) = self.objects.insert(sid.into(), followed) {
            self.unwait(&before.waiting);
        }
        self.want(now, sid.into());
    }

    /// Follows an object no longer.
    pub fn leave(&mut self, now: Duration, sid: &str) {
        if let Some((sid, followed)) = self.objects.remove_entry(sid)
            && followed.phase != Phase::Wanted
        {
            self.settle(followed.phase);
            self.unwait(&followed.waiting);
            self.unwanted.push((sid, followed.kind));
            self.flush_by(now + GATHER);
        }
    }

    /// Forgets an object that is going to be followed anew. The server is not told: a cancellation could overtake what
    /// is asked for next.
    pub fn forget(&mut self, sid: &str) {
        if let Some(followed) = self.objects.remove(sid) {
            self.settle(followed.phase);
            self.unwait(&followed.waiting);
        }
    }

    /// These events wait no longer.
    fn unwait(&mut self, events: &[Event]) {
        let bytes: usize = events.iter().map(length).sum();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
    }

    /// How many objects are followed, and how many of them are established.
    pub fn count(&self) -> (usize, usize) {
        let established = self.objects.values().filter(|followed| followed.phase == Phase::Established).count();
        (self.objects.len(), established)
    }

    /// The connection works: everything is asked for.
    pub fn connected(&mut self, now: Duration) {
        self.failures = 0;
        if !self.wanted.is_empty() {
            self.flush_by(now);
        }
    }

    /// The connection is gone, and with it what the server knew.
    pub fn lost(&mut self) {
        self.asked.clear();
        self.unwanted.clear();
        self.flush_at = None;
        self.renew_at = None;
        self.is_renewal = false;
        self.retried = 0;
        self.waiting_bytes = 0;
        self.wanted = self.objects.keys().cloned().collect();
        for followed in self.objects.values_mut() {
            followed.phase = Phase::Wanted;
            followed.waiting = Vec::new();
        }
    }

    /// The next batch that is due; to be asked until there is none, while connected.
    pub fn poll_batch(&mut self, now: Duration) -> Option<SubscriptionBatch> {
        if self.flush_at.is_none_or(|at| at > now) {
            return None;
        }
        if !self.unwanted.is_empty() {
            let rest = self.unwanted.split_off(self.unwanted.len().min(self.max_batch));
            let requests = std::mem::replace(&mut self.unwanted, rest).into_iter().map(|(sid, object_type)| {
                SubscriptionRequest { object_sid: sid.into(), object_type, last_event_id: None }
            });
            let requests = requests.collect();
            self.sent();
            return Some(self.batch(Action::Cancel, requests));
        }
        let correlation = self.correlation + 1;
        let mut requests = Vec::new();
        while requests.len() < self.max_batch {
            let Some(sid) = self.wanted.pop() else { break };
            let Some(followed) = self.objects.get_mut(&sid).filter(|followed| followed.phase == Phase::Wanted) else {
                continue;
            };
            followed.phase = Phase::Asked { correlation };
            followed.asked_from = followed.last_event_id;
            requests.push(SubscriptionRequest {
                object_sid: sid.into(),
                object_type: followed.kind,
                last_event_id: Some(followed.last_event_id),
            });
        }
        if requests.is_empty() {
            self.flush_at = None;
            return None;
        }
        self.asked.insert(correlation, Asked { until: now + MAX_RETRY, open: requests.len() });
        self.sent();
        Some(self.batch(Action::Establish, requests))
    }

    fn sent(&mut self) {
        if self.wanted.is_empty() && self.unwanted.is_empty() {
            self.flush_at = None;
        }
    }

    fn batch(&mut self, action: Action, requests: Vec<SubscriptionRequest>) -> SubscriptionBatch {
        self.correlation += 1;
        SubscriptionBatch {
            event_protocol_version: EVENT_PROTOCOL_VERSION,
            action,
            correlation_id: self.correlation,
            retried_requests: std::mem::take(&mut self.retried).min(requests.len()),
            ttl_in_s: -1,
            requests,
            reason: (action == Action::Establish && self.is_renewal).then(|| "ttl".to_owned()),
        }
    }

    /// The answer to a batch; `None` if there was none or it was refused.
    pub fn answered(&mut self, now: Duration, correlation: u64, answer: Option<&SubscriptionAnswer>) {
        let Some(answer) = answer else {
            let wait = MIN_RETRY.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(MAX_RETRY);
            self.failures = (self.failures + 1).min(30);
            return self.ask_again(now + wait, correlation);
        };
        self.failures = 0;
        if let Some(size) = answer.max_batch_size {
            self.max_batch = size.clamp(1, MAX_BATCH_SIZE);
        }
        if let Some(estimate) = answer.estimated_delivery_in_ms.filter(|estimate| *estimate > 0) {
            self.delivery = Duration::from_millis(estimate).clamp(MIN_RETRY, MAX_RETRY);
        }
        if let Some(seconds) = answer.ttl_in_s.and_then(|ttl| u64::try_from(ttl).ok()).filter(|ttl| *ttl > 0) {
            self.renew_at.get_or_insert(now + Duration::from_secs(seconds));
        }
        self.delay(now, Some(correlation));
    }

    /// Something came of a batch: the rest has time again.
    fn delay(&mut self, now: Duration, correlation: Option<u64>) {
        if let Some(asked) = correlation.and_then(|correlation| self.asked.get_mut(&correlation)) {
            asked.until = now + self.delivery;
        }
    }

    fn ask_again(&mut self, at: Duration, correlation: u64) {
        if self.asked.remove(&correlation).is_none() {
            return;
        }
        let again = self.objects.iter_mut().filter(|(_, object)| object.phase == Phase::Asked { correlation });
        for (sid, followed) in again {
            followed.phase = Phase::Wanted;
            self.wanted.push(sid.clone());
            self.retried += 1;
        }
        self.flush_by(at);
    }

    /// What a notification tells that is new, in order.
    pub fn hear(&mut self, now: Duration, message_type: &str, notification: Notification, heard: &mut Vec<Heard<T>>) {
        let correlation = notification.correlation_id;
        self.delay(now, correlation);
        let is_replay = message_type == SYNC_EVENT;
        for told in notification.told {
            match told {
                Told::Event(event) => self.event(now, is_replay, event, heard),
                Told::Outcome(outcome) => self.outcome(now, correlation, outcome, heard),
                Told::Other => {}
            }
        }
    }

    fn event(&mut self, now: Duration, is_replay: bool, event: Event, heard: &mut Vec<Heard<T>>) {
        let Some(followed) = self.objects.get_mut(event.object_sid.as_str()) else { return };
        let is_known = event.id <= followed.last_event_id;
        if is_replay {
            if !is_known {
                followed.last_event_id = event.id;
                heard.push(Heard::Event(followed.what, event));
            }
        } else if followed.phase == Phase::Established {
            // Live events of one list or map may overtake each other: its items tell what is new to them.
            if !is_known || !matches!(event.change, Change::DocumentUpdated { .. }) {
                followed.last_event_id = followed.last_event_id.max(event.id);
                heard.push(Heard::Event(followed.what, event));
            }
        } else if followed.waiting.len() < MAX_WAITING_EVENTS
            && self.waiting_bytes + length(&event) <= MAX_WAITING_BYTES
        {
            self.waiting_bytes += length(&event);
            followed.waiting.push(event);
        } else {
            // The replay that is still to come has them too.
            let dropped: usize = std::mem::take(&mut followed.waiting).iter().map(length).sum();
            self.waiting_bytes = self.waiting_bytes.saturating_sub(dropped);
            let phase = std::mem::replace(&mut followed.phase, Phase::Wanted);
            self.settle(phase);
            let sid = event.object_sid.into_boxed_str();
            self.want(now, sid);
        }
    }

    fn outcome(&mut self, now: Duration, correlation: Option<u64>, outcome: Outcome, heard: &mut Vec<Heard<T>>) {
        let sid = outcome.object_sid();
        let Some(followed) = self.objects.get_mut(sid) else { return };
        // What belongs to an earlier batch is late.
        if !matches!(followed.phase, Phase::Asked { correlation: asked } if Some(asked) == correlation) {
            return;
        }
        let phase = followed.phase;
        match outcome {
            Outcome::Established { replay_status: ReplayStatus::Completed, last_event_id, .. } => {
                followed.phase = Phase::Established;
                followed.last_event_id = followed.last_event_id.max(last_event_id);
                let replayed = followed.last_event_id;
                let mut waiting = std::mem::take(&mut followed.waiting);
                let bytes: usize = waiting.iter().map(length).sum();
                self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
                waiting.retain(|event| event.id > replayed);
                waiting.sort_by_key(|event| event.id);
                for event in waiting {
                    followed.last_event_id = event.id;
                    heard.push(Heard::Event(followed.what, event));
                }
            }
            Outcome::Established { replay_status: ReplayStatus::Interrupted, object_sid, .. }
            | Outcome::Canceled { object_sid } => {
                followed.phase = Phase::Wanted;
                let wait = if followed.last_event_id > followed.asked_from { GATHER } else { NO_PROGRESS };
                self.wanted.push(object_sid.into());
                self.flush_by(now + wait);
            }
            Outcome::Failed { status: 404, object_sid, .. } => {
                if let Some(followed) = self.objects.remove(object_sid.as_str()) {
                    self.unwait(&followed.waiting);
                    heard.push(Heard::Gone(followed.what));
                }
            }
            Outcome::Failed { object_sid, .. } => {
                followed.phase = Phase::Wanted;
                self.wanted.push(object_sid.into());
                self.flush_by(now + MIN_RETRY.saturating_mul(10));
            }
        }
        self.settle(phase);
    }

    /// One object of a batch is open no longer; a batch without any is forgotten.
    fn settle(&mut self, phase: Phase) {
        let Phase::Asked { correlation } = phase else { return };
        let Some(asked) = self.asked.get_mut(&correlation) else { return };
        asked.open = asked.open.saturating_sub(1);
        if asked.open == 0 {
            self.asked.remove(&correlation);
            self.is_renewal &= !self.asked.is_empty();
        }
    }

    /// Time has passed.
    pub fn elapsed(&mut self, now: Duration) {
        let late: Vec<u64> =
            self.asked.iter().filter(|(_, asked)| asked.until <= now).map(|(correlation, _)| *correlation).collect();
        for correlation in late {
            self.ask_again(now, correlation);
        }
        if self.renew_at.is_some_and(|at| at <= now) {
            self.renew_at = None;
            self.is_renewal = true;
            for (sid, followed) in &mut self.objects {
                if followed.phase == Phase::Established {
                    followed.phase = Phase::Wanted;
                    self.wanted.push(sid.clone());
                }
            }
            self.flush_by(now);
        }
    }

    /// When [`elapsed`](Self::elapsed) and [`poll_batch`](Self::poll_batch) have to be called next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let asked = self.asked.values().map(|asked| asked.until).min();
        [self.flush_at, asked, self.renew_at].into_iter().flatten().min()
    }

    fn want(&mut self, now: Duration, sid: Box<str>) {
        self.wanted.push(sid);
        self.flush_by(now + GATHER);
    }

    fn flush_by(&mut self, at: Duration) {
        self.flush_at = Some(self.flush_at.map_or(at, |flush_at| flush_at.min(at)));
    }
}

/// The bytes of an event that count.
fn length(event: &Event) -> usize {
    let data = match &event.change {
        Change::ItemAdded(item) | Change::ItemUpdated(item) => Some(&item.data),
        Change::ItemRemoved { data, .. } => data.as_ref(),
        Change::DocumentUpdated { data } => Some(data),
        Change::Removed => None,
    };
    EVENT_BYTES + data.map_or(0, |data| data.text().len())
}

/// What an event takes beside its data.
const EVENT_BYTES: usize = 256;

#[cfg(test)]
mod tests;
