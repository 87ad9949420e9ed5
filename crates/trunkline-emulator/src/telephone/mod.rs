//! The telephone network: calls with real sound, between phones of this emulator and the documents of the account.
//!
//! | Module | Is |
//! |---|---|
//! | [`leg`] | one call: what everybody who works on it shares |
//! | [`plane`] | its audio, 20 ms at a time |
//! | [`run`] | its task: rings, is answered, ticks, ends |
//! | [`interpreter`] | its near side: what the documents say |
//! | [`party`] | its far side: a silent phone, a script, a browser |
//! | [`studio`] | voices and ears, offline |
//!
//! A call is one task with one clock of 20 ms. Its audio has a lock of its own, which nobody else's call touches. Only
//! changes that a caller of the API can see go to the [`owner`](crate::owner) of the state.

mod amd;
pub(crate) mod answering;
pub(crate) mod callbacks;
pub(crate) mod clip;
mod dial;
pub(crate) mod document;
mod gather;
mod interpreter;
pub(crate) mod leg;
pub(crate) mod line;
mod overlap;
mod party;
pub(crate) mod place;
pub(crate) mod plane;
mod player;
mod record;
pub(crate) mod recorder;
mod recordings;
mod relay;
pub(crate) mod report;
mod run;
mod script;
mod socket;
pub(crate) mod stream;
pub(crate) mod studio;
pub(crate) mod transcription;
mod utterance;
mod wav;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunkline_proto::sid::CallSid;

pub(crate) use self::document::resolve;
pub(crate) use self::interpreter::tones;
pub(crate) use self::leg::Leg;
use self::line::{LineCall, ToLine};
use self::report::ScriptResult;
use self::studio::Studio;
use crate::account::Account;
use crate::clock::Clock;
use crate::journal::{Happening, Journal, Noted};
use crate::owner::OwnerHandle;
use crate::webhooks::Sender;

/// All calls that are going on, and what they need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Exchange(Arc<Inner>);

/// What calls need of the rest of the emulator.
pub(crate) struct Services {
    pub(crate) owner: OwnerHandle,
    pub(crate) account: Arc<Account>,
    pub(crate) sender: Sender,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal>,
    pub(crate) base_url: Arc<str>,
    /// Where recordings are.
    pub(crate) folder: PathBuf,
    /// Calls; they are waited for when the emulator stops.
    pub(crate) calls: TaskTracker,
    /// Callbacks.
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) quit: CancellationToken,
}

struct Inner {
    services: Services,
    studio: Studio,
    room: Arc<Semaphore>,
    live: Mutex<HashMap<CallSid, Arc<Leg>>>,
    lines: Mutex<HashMap<String, Line>>,
    scripts: Mutex<Scripts>,
}

/// A browser that is a phone.
struct Line {
    id: u64,
    messages: mpsc::Sender<ToLine>,
    /// Calls that ring or go on there, told to the socket.
    calls: mpsc::Sender<LineCall>,
}

#[derive(Default)]
struct Scripts {
    results: BTreeMap<u64, (CallSid, ScriptResult)>,
    next: u64,
}

impl Exchange {
    pub(crate) fn new(services: Services) -> Self {
        let inner = Inner {
            services,
            studio: Studio::find(),
            room: Arc::new(Semaphore::new(MAX_LIVE_CALLS)),
            live: Mutex::default(),
            lines: Mutex::default(),
            scripts: Mutex::default(),
        };
        Self(Arc::new(inner))
    }

    pub(crate) fn owner(&self) -> &OwnerHandle {
        &self.0.services.owner
    }

    pub(crate) fn account(&self) -> &Account {
        &self.0.services.account
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.0.services.sender
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.services.clock
    }

    pub(crate) fn studio(&self) -> &Studio {
        &self.0.studio
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.services.base_url
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.services.tasks
    }

    pub(crate) fn quit(&self) -> CancellationToken {
        self.0.services.quit.clone()
    }

    pub(crate) fn calls(&self) -> &TaskTracker {
        &self.0.services.calls
    }

    pub(crate) fn folder(&self) -> &PathBuf {
        &self.0.services.folder
    }

    /// Writes down what happened to a call.
    pub(crate) fn log(&self, call: CallSid, what: Happening) {
        self.0.services.journal.add(Noted { at: self.clock().now(), conversation: None, call: Some(call), what });
    }

    /// A call that is going on.
    pub(crate) fn live(&self, sid: &str) -> Option<Arc<Leg>> {
        let sid: CallSid = sid.parse().ok()?;
        lock(&self.0.live).get(&sid).cloned()
    }

    /// SIDs of all calls that are going on.
    pub(crate) fn live_calls(&self) -> Vec<CallSid> {
        lock(&self.0.live).keys().copied().collect()
    }

    /// Makes a browser the phone of a number; the one before is told. Returns the line's id.
    pub(crate) fn open_line(
        &self,
        number: &str,
        to_line: mpsc::Sender<ToLine>,
        calls: mpsc::Sender<LineCall>,
    ) -> Option<u64> {
        let mut lines = lock(&self.0.lines);
        if lines.len() >= MAX_LINES && !lines.contains_key(number) {
            return None;
        }
        let id = rand::random();
        if let Some(before) = lines.insert(number.to_owned(), Line { id, messages: to_line, calls }) {
            drop(before.messages.try_send(ToLine::Replaced));
        }
        Some(id)
    }

    /// The line is gone, unless another one has its place.
    pub(crate) fn close_line(&self, number: &str, id: u64) {
        let mut lines = lock(&self.0.lines);
        if lines.get(number).is_some_and(|line| line.id == id) {
            lines.remove(number);
        }
    }

    fn line(&self, number: &str) -> Option<(mpsc::Sender<ToLine>, mpsc::Sender<LineCall>)> {
        lock(&self.0.lines).get(number).map(|line| (line.messages.clone(), line.calls.clone()))
    }

    /// What came of a script. Nothing while it runs.
    pub(crate) fn script_result(&self, sid: CallSid) -> Option<ScriptResult> {
        let scripts = lock(&self.0.scripts);
        scripts.results.values().rev().find(|(call, _)| *call == sid).map(|(_, result)| result.clone())
    }

    fn keep_result(&self, sid: CallSid, result: ScriptResult) {
        let mut scripts = lock(&self.0.scripts);
        let number = scripts.next;
        scripts.next = number.saturating_add(1);
        scripts.results.insert(number, (sid, result));
        if scripts.results.len() > MAX_RESULTS {
            scripts.results.pop_first();
        }
    }

    /// Ends every call: the account was emptied.
    pub(crate) fn hang_up_all(&self) {
        let live: Vec<Arc<Leg>> = lock(&self.0.live).values().cloned().collect();
        for leg in live {
            leg.hang_up(plane::HungUpBy::Network);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls at once; more are refused.
const MAX_LIVE_CALLS: usize = 2000;
/// Browsers that are phones at once.
const MAX_LINES: usize = 200;
/// Results of scripts that are kept; the oldest go first.
const MAX_RESULTS: usize = 5000;
