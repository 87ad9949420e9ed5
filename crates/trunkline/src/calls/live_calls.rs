//! The calls that live now: what is shown of them, and the way to reach them.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use trunkline_core::voice::{SessionId, VoiceSession};
use trunkline_core::{E164, Pii};
use trunkline_store::CallTurn;

use super::held::ON_HOLD;

/// Turns that are shown of a call; the others are in the store.
const MAX_TURNS: usize = 20;
/// What is shown of the provider's own transcript, in utterances.
const MAX_TRANSCRIPT: usize = 50;
/// Orders that may wait for a call.
const MAX_ORDERS: usize = 16;

/// What somebody outside wants of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOrder {
    /// Hang up now.
    HangUp,
    /// Say something.
    Say(Pii<String>),
    /// Connect the person with somebody else.
    Transfer {
        /// Whom to.
        to: E164,
        /// What whoever takes over is told first.
        briefing: Option<Pii<String>>,
    },
    /// Let the person wait, until the session is resumed.
    Hold {
        /// What they hear again and again; silence if none.
        announcement: Option<String>,
    },
    /// The person who was on hold is connected with us again.
    Resumed,
    /// The provider has found out that a machine listens.
    Machine,
    /// Press keys: the far end hears their tones.
    Digits(String),
    /// Say goodbye and hang up: the gateway stops.
    Drain,
}

/// What is shown of a call.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Who has the floor.
    pub machine: &'static str,
    /// How loud the person is, in dBFS.
    pub level_dbfs: f32,
    /// The latest turns.
    pub turns: VecDeque<CallTurn>,
    /// What the provider's own recogniser heard last, if it was asked to: whose side, and the words.
    pub transcript: VecDeque<(Option<String>, Pii<String>)>,
}

/// A call that lives.
#[derive(Debug)]
pub struct LiveCall {
    /// The session at the provider.
    pub session: VoiceSession,
    shown: Mutex<Shown>,
    is_leaving: AtomicBool,
    orders: mpsc::Sender<CallOrder>,
}

impl LiveCall {
    /// What is shown of it now.
    pub fn shown(&self) -> Shown {
        self.with(|shown| shown.clone())
    }

    /// Whether the person is on hold.
    pub fn is_on_hold(&self) -> bool {
        self.with(|shown| shown.machine == ON_HOLD)
    }

    /// Whether it is over, and only being put away.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    pub(super) fn leaves(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Wants something of it. Says whether the call could be told.
    pub fn order(&self, order: CallOrder) -> bool {
        self.orders.try_send(order).is_ok()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shown) -> T) -> T {
        work(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn show(&self, machine: &'static str, level_dbfs: f32) {
        self.with(|shown| {
            shown.machine = machine;
            shown.level_dbfs = level_dbfs;
        });
    }

    /// The provider's own recogniser heard something.
    pub(crate) fn show_transcript(&self, side: Option<String>, text: Pii<String>) {
        self.with(|shown| {
            if shown.transcript.len() == MAX_TRANSCRIPT {
                shown.transcript.pop_front();
            }
            shown.transcript.push_back((side, text));
        });
    }

    pub(super) fn show_turn(&self, turn: &CallTurn) {
        self.with(|shown| {
            match shown.turns.iter_mut().find(|known| known.number == turn.number) {
                Some(known) => known.clone_from(turn),
                None => shown.turns.push_back(turn.clone()),
            }
            if shown.turns.len() > MAX_TURNS {
                shown.turns.pop_front();
            }
        });
    }
}

/// All calls that live. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LiveCalls(Arc<Mutex<HashMap<SessionId, Arc<LiveCall>>>>);

impl LiveCalls {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<SessionId, Arc<LiveCall>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Enters a call. None: it is there already.
    pub(super) fn enter(&self, session: &VoiceSession) -> Option<(Arc<LiveCall>, mpsc::Receiver<CallOrder>)> {
        self.with(|calls| {
            if calls.contains_key(session.id()) {
                return None;
            }
            let (orders, receiver) = mpsc::channel(MAX_ORDERS);
            let call = Arc::new(LiveCall {
                session: session.clone(),
                shown: Mutex::default(),
                is_leaving: AtomicBool::new(false),
                orders,
            });
            calls.insert(session.id().clone(), Arc::clone(&call));
            Some((call, receiver))
        })
    }

    pub(super) fn leave(&self, id: &SessionId) {
        self.with(|calls| calls.remove(id));
    }

    /// A call by our name for it.
    pub fn get(&self, id: &str) -> Option<Arc<LiveCall>> {
        self.with(|calls| calls.get(&SessionId::new(id)).cloned())
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Arc<LiveCall>> {
        let mut all: Vec<_> = self.with(|calls| calls.values().cloned().collect());
        all.sort_by_key(|call| call.session.created_at());
        all
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.with(|calls| calls.len())
    }
}

/// Waits for a stream, unless somebody hangs up before it is there. Other orders wait for the stream.
pub(super) async fn or_hung_up<T>(
    stream: impl Future<Output = T>,
    live: &LiveCall,
    orders: &mut mpsc::Receiver<CallOrder>,
) -> Option<T> {
    let mut others = Vec::new();
    let hung_up = async {
        while let Some(order) = orders.recv().await {
            if matches!(order, CallOrder::HangUp | CallOrder::Drain) {
                return;
            }
            others.push(order);
            if others.len() == MAX_ORDERS {
                // No more than fit: whoever comes now is told so.
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let stream = tokio::select! {
        stream = stream => Some(stream),
        () = hung_up => None,
    };
    for order in others {
        if !live.order(order) {
            tracing::warn!("an order that came before a call's stream is left out; there were too many");
        }
    }
    stream
}
