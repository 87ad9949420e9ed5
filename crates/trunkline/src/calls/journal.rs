//! What a call leaves behind: facts on the bus, rows in the store. Written beside the call, in order; the call never waits.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_core::event::{
    CALL_ENDED, CALL_STARTED, CallEnded, CallStarted, TURN_COMMITTED, TURN_SPOKEN, TurnCommitted, TurnSpoken,
};
use trunkline_core::voice::VoiceSession;
use trunkline_core::{ContactAddress, Envelope};
use trunkline_store::{CallTurn, NewCall, StoreError};

use super::kept::Kept;
use crate::agents::tool_calls;
use crate::pipeline::Context;
use crate::telemetry::traceparent;

/// Entries that may wait for the disk; a call that makes more in that time loses them, and they are counted.
const MAX_WAITING: usize = 256;

/// How long an answer waits for what was heard before to be written down.
const SETTLE_PATIENCE: Duration = Duration::from_millis(200);

enum Entry {
    Began(Box<CallTurn>),
    Spoke(Box<CallTurn>, Box<Kept>),
}

/// The journal of one call.
pub(super) struct Journal {
    entries: mpsc::Sender<Entry>,
    writer: JoinHandle<()>,
    context: Context,
    source: &'static str,
    call: String,
    turns: u64,
    /// Calls of tools that answers have taken account of since the last turn began.
    settled: Vec<String>,
}

/// What is known of the person when a call begins.
pub(super) struct Known {
    /// Our name for the person.
    pub(super) contact: String,
    /// The last turn that is kept of the call: it was with somebody else meanwhile.
    pub(super) turns: i64,
    /// What was said before, on any channel: whether by the person, and the words.
    pub(super) said: Vec<(bool, trunkline_core::Pii<String>)>,
    /// What is remembered.
    pub(super) memories: BTreeMap<String, String>,
}

/// How much of what was said before an agent is given.
const MAX_HISTORY: u32 = 40;

/// Records that a call begins, and reads what is known of the person.
pub(super) async fn open(
    context: &Context,
    tasks: &TaskTracker,
    session: &VoiceSession,
    source: &'static str,
    address: ContactAddress,
) -> Result<(Journal, Known), StoreError> {
    let call = session.id().to_string();
    let provider_call = session.call().unwrap_or_else(|| call.clone());
    let new = NewCall {
        id: call.clone(),
        connector: source.to_owned(),
        external_id: provider_call.clone(),
        address,
        direction: session.direction(),
        traceparent: traceparent(),
        started_at: session.created_at(),
    };
    let (contact, turns) = context.store.begin_call(&new).await?;
    context.recall.warm(&contact);
    let said = context.store.said_with(&contact, MAX_HISTORY).await?;
    let memories = context.store.memories_of_contact(&contact, None).await?;
    let started = CallStarted {
        call: call.clone(),
        provider_call,
        direction: session.direction().as_str().to_owned(),
        person: session.person().expose().clone(),
        contact: contact.clone(),
    };
    publish(context, source, CALL_STARTED, &call, "started", &started).await;
    let (entries, waiting) = mpsc::channel(MAX_WAITING);
    let work = write(context.clone(), source, call.clone(), contact.clone(), waiting);
    let writer = tasks.spawn(work.in_current_span());
    let journal = Journal { entries, writer, context: context.clone(), source, call, turns: 0, settled: Vec::new() };
    Ok((journal, Known { contact, turns, said, memories }))
}

impl Journal {
    /// A turn begins.
    pub(super) fn began(&mut self, turn: &CallTurn) {
        self.turns = self.turns.max(turn.number.unsigned_abs());
        self.enter(Entry::Began(Box::new(turn.clone())));
    }

    /// A turn was spoken, as far as it was heard.
    pub(super) fn spoke(&mut self, turn: &CallTurn, kept: Kept) {
        self.settled.extend(accounts_for(turn, &kept));
        self.enter(Entry::Spoke(Box::new(turn.clone()), Box::new(kept)));
    }

    /// What answers that were heard have taken account of is no news for the next one. The entries are written beside the
    /// call, and may be behind; this is awaited before the next answer is made.
    pub(super) fn settled(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let (keys, store) = (std::mem::take(&mut self.settled), self.context.store.clone());
        async move {
            // The entries settle them too, some time.
            let settled = tokio::time::timeout(SETTLE_PATIENCE, store.settle_tool_calls(&keys)).await;
            if let Ok(Err(error)) = settled {
                tracing::error!(error.code = error.code(), "the tool calls of a call could not be settled");
            }
        }
    }

    fn enter(&self, entry: Entry) {
        if self.entries.try_send(entry).is_err() {
            self.context.metrics.call_entry_lost();
            tracing::error!("the journal of a call is behind; an entry is lost");
        }
    }

    /// Writes the rest and the end.
    pub(super) async fn close(self, outcome: &str, recording: Option<&str>, duration_ms: u64) {
        let Self { entries, writer, context, source, call, turns, .. } = self;
        drop(entries);
        if writer.await.is_err() {
            tracing::error!("the journal of a call broke off");
        }
        if let Err(error) = context.store.end_call(&call, outcome, recording).await {
            tracing::error!(error.code = error.code(), "the end of a call could not be recorded");
        }
        let ended = CallEnded { call: call.clone(), outcome: outcome.to_owned(), duration_ms, turns };
        publish(&context, source, CALL_ENDED, &call, "ended", &ended).await;
        context.live.calls_changed();
    }
}

/// The calls of tools that an answer takes account of, if it was heard to its end.
fn accounts_for(turn: &CallTurn, kept: &Kept) -> Vec<String> {
    if turn.interrupted { Vec::new() } else { kept.accounts_for() }
}

/// The name of a turn of a call.
pub(super) fn turn_id(call: impl Display, number: impl Display) -> String {
    format!("{call}-{number}")
}

async fn write(
    context: Context,
    source: &'static str,
    call: String,
    contact: String,
    mut entries: mpsc::Receiver<Entry>,
) {
    while let Some(entry) = entries.recv().await {
        let (turn, mut kept, is_spoken) = match entry {
            Entry::Began(turn) => (turn, Box::<Kept>::default(), false),
            Entry::Spoke(turn, kept) => (turn, kept, true),
        };
        kept.usage.iter().for_each(|usage| context.metrics.model_used(usage));
        let accounts_for = accounts_for(&turn, &kept);
        let tools = tool_calls(&context.metrics, &turn_id(&call, turn.number), std::mem::take(&mut kept.tools));
        if !tools.is_empty()
            && let Err(error) = context.store.keep_tool_calls_of_call(&call, &tools).await
        {
            tracing::error!(error.code = error.code(), "the tool calls of a call could not be kept");
        }
        let settled = if is_spoken && kept.has_failed() {
            context.store.turn_of_call_failed(&call).await
        } else {
            context.store.settle_tool_calls(&accounts_for).await
        };
        if let Err(error) = settled {
            tracing::error!(error.code = error.code(), "the tool calls of a call could not be settled");
        }
        if let Err(error) = context.store.keep_call_turn(&call, &contact, &turn, &kept.memories).await {
            tracing::error!(error.code = error.code(), "a turn of a call could not be kept");
        }
        let number = turn.number.unsigned_abs();
        if is_spoken {
            let spoken = TurnSpoken {
                call: call.clone(),
                turn: number,
                heard: turn.agent.expose().clone(),
                interrupted: turn.interrupted,
                latency_ms: turn.latency_ms.map(i64::unsigned_abs),
            };
            publish(&context, source, TURN_SPOKEN, &call, &format!("spoken:{number}"), &spoken).await;
        } else {
            let committed = TurnCommitted {
                call: call.clone(),
                turn: number,
                at_ms: turn.at_ms.unsigned_abs(),
                text: turn.person.expose().clone(),
            };
            publish(&context, source, TURN_COMMITTED, &call, &format!("committed:{number}"), &committed).await;
        }
    }
}

async fn publish<T: Serialize + Sync>(context: &Context, source: &str, kind: &str, call: &str, what: &str, data: &T) {
    let envelope = Envelope::new(format!("{call}:{what}"), source, kind, call, Timestamp::now(), data);
    let published = match envelope {
        Ok(envelope) => {
            let envelope = envelope.with_traceparent(traceparent());
            context.bus.publish(&context.subjects.ingress, &envelope).await.map(drop).map_err(|error| error.code())
        }
        Err(error) => Err(error.code()),
    };
    if let Err(code) = published {
        tracing::error!(error.code = code, fact = kind, "a fact of a call could not be published");
    }
}

/// The other end of a session. A number that is withheld is a person of its own for each call.
pub(super) fn address_of(session: &VoiceSession) -> ContactAddress {
    let anonymous = || ContactAddress::of_call(&format!("anonymous-{}", session.id()));
    // The fallback is neither empty nor too long.
    #[expect(clippy::expect_used, reason = "a name of ours is an address")]
    let address = session
        .person()
        .expose()
        .parse::<trunkline_core::E164>()
        .ok()
        .and_then(|number| ContactAddress::of_call(number.as_str()).ok())
        .unwrap_or_else(|| anonymous().expect("a session's name is an address"));
    address
}
