//! The sessions that are active, by their names, and the tokens that admit to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use trunkline_core::voice::{SessionId, SessionState, VoiceSession};

use super::live::Live;

/// What a token admits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Audio,
    Text,
    /// Read as often as Twilio asks; it ends with the session.
    Briefing,
}

struct Token {
    session: SessionId,
    door: Door,
    expires: Instant,
}

#[derive(Default)]
struct Maps {
    by_id: BTreeMap<SessionId, Arc<Live>>,
    by_call: HashMap<String, SessionId>,
    tokens: HashMap<String, Token>,
}

/// All sessions. An entry is the permit of its call: what is not in here does not count.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Maps>);

impl Sessions {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a session unless `most` are active.
    pub(super) fn insert(&self, live: &Arc<Live>, most: usize) -> bool {
        let mut maps = self.maps();
        if maps.by_id.len() >= most {
            return false;
        }
        if let Some(call) = live.session.call() {
            maps.by_call.insert(call, live.session.id().clone());
        }
        maps.by_id.insert(live.session.id().clone(), Arc::clone(live));
        true
    }

    pub(super) fn get(&self, id: &SessionId) -> Option<Arc<Live>> {
        self.maps().by_id.get(id).cloned()
    }

    pub(super) fn of_call(&self, call: &str) -> Option<Arc<Live>> {
        let maps = self.maps();
        maps.by_call.get(call).and_then(|id| maps.by_id.get(id)).cloned()
    }

    /// Ties a session to its call, by whoever is told first. False if it is tied to another one.
    pub(super) fn bind(&self, live: &Live, call: &str) -> bool {
        let mut maps = self.maps();
        live.session.set_call(call);
        if live.session.call().as_deref() != Some(call) {
            return false;
        }
        if maps.by_id.contains_key(live.session.id()) {
            maps.by_call.insert(call.to_owned(), live.session.id().clone());
        }
        true
    }

    /// Ends a session and all that belongs to it.
    pub(super) fn end(&self, live: &Live, state: SessionState) {
        let mut maps = self.maps();
        let id = live.session.id();
        maps.by_id.remove(id);
        maps.by_call.retain(|_, session| session != id);
        maps.tokens.retain(|_, token| token.session != *id);
        drop(maps);
        live.session.set_state(state, Timestamp::now());
        live.over.end();
        // A stream that nobody took holds its socket open.
        drop(live.audio.take());
        drop(live.text.take());
    }

    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.maps().by_id.values().cloned().collect()
    }

    /// Oldest first.
    pub(super) fn list(&self) -> Vec<VoiceSession> {
        let mut sessions: Vec<_> = self.all().iter().map(|live| live.session.clone()).collect();
        sessions.sort_by(|a, b| (a.created_at(), a.id()).cmp(&(b.created_at(), b.id())));
        sessions
    }

    pub(super) fn len(&self) -> usize {
        self.maps().by_id.len()
    }

    /// A token of 128 random bits. An earlier one of the same session for the same door is void from now on.
    pub(super) fn issue(&self, session: &SessionId, door: Door, lifetime: Duration) -> String {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut maps = self.maps();
        let now = Instant::now();
        maps.tokens.retain(|_, token| token.expires > now && (token.session != *session || token.door != door));
        let entry = Token { session: session.clone(), door, expires: now + lifetime };
        maps.tokens.insert(token.clone(), entry);
        token
    }

    /// Whether a token of this session and door was issued and not used.
    pub(super) fn is_expected(&self, session: &SessionId, door: Door) -> bool {
        let now = Instant::now();
        let fits = |token: &Token| token.session == *session && token.door == door && token.expires > now;
        self.maps().tokens.values().any(fits)
    }

    /// The session that a token admits to; one for a socket is used up by this.
    pub(super) fn redeem(&self, token: &str, door: Door) -> Option<Arc<Live>> {
        let mut maps = self.maps();
        let found = maps.tokens.get(token).filter(|found| found.door == door && found.expires > Instant::now())?;
        let session = found.session.clone();
        if door != Door::Briefing {
            maps.tokens.remove(token);
        }
        maps.by_id.get(&session).cloned()
    }
}
