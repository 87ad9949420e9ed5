//! One conversation at a time: gathers a burst of texts, has it answered, commits the answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trunkline_agent::Agent;
use trunkline_bus::{BusError, Delivery};
use trunkline_store::{ConversationRow, MessageRow, StoreError};

use super::Context;
use super::attributes;
use super::lanes::Inbox;
use super::read_back::read_back;
use super::relay::RelayHandle;
use super::turn::{self, Turned};
use super::wait::{backoff, holding};

/// A text that was recorded and waits for its answer, or, without a delivery, one that an earlier process has left.
pub(super) struct Heard {
    pub(super) delivery: Option<Delivery>,
}

/// Why a lane could not commit.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaneError {
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("the bus: {0}")]
    Bus(#[from] BusError),
}

impl LaneError {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Bus(error) => error.code(),
        }
    }
}

/// A burst may last this many times the debounce before it is answered all the same.
const MAX_BURST: u32 = 10;
/// A turn is redone for a newer text this many times; then the person gets what there is.
const MAX_REDONE: u32 = 5;
/// Texts that one answer may cover.
const MAX_TEXTS: u32 = 50;
const GAP_TRIES: u32 = 5;
const GAP_WAIT: Duration = Duration::from_millis(250);
const MAX_GAP_WAIT: Duration = Duration::from_secs(4);
/// The wait before something that could not be committed is tried again.
const COMMIT_WAIT: Duration = Duration::from_secs(1);

/// The task of a lane.
pub(super) async fn run(context: Context, relay: RelayHandle, conversation_id: String, mut inbox: Inbox<Heard>) {
    let mut lane = Lane { context, relay, conversation_id, held: None, sought: -1 };
    while let Some(first) = inbox.next().await {
        lane.hear(first).await;
        lane.gather(&mut inbox).await;
        while let Err(error) = lane.answer(&mut inbox).await {
            tracing::error!(error.code = error.code(), %error, "a turn could not be committed; trying again");
            holding(lane.held.as_slice(), tokio::time::sleep(COMMIT_WAIT)).await;
        }
        lane.settle().await;
    }
}

struct Lane {
    context: Context,
    relay: RelayHandle,
    conversation_id: String,
    held: Option<Delivery>,
    /// What is missing up to this index was looked for, whether it was found or not.
    sought: i64,
}

impl Lane {
    fn merges(&self) -> bool {
        !self.context.settings.debounce.is_zero()
    }

    /// Keeps one delivery until everything is answered, so that a crash brings the conversation again. The others are
    /// recorded, which is all that they are needed for.
    async fn hear(&mut self, heard: Heard) {
        let Some(delivery) = heard.delivery else { return };
        if self.held.is_none() {
            self.held = Some(delivery);
        } else if let Err(error) = delivery.ack().await {
            tracing::warn!(error.code = error.code(), "a delivery could not be settled; it comes again");
        }
    }

    /// Takes what follows within the debounce; without one, what is there already.
    async fn gather(&mut self, inbox: &mut Inbox<Heard>) {
        let debounce = self.context.settings.debounce;
        let latest = Instant::now() + debounce * MAX_BURST;
        loop {
            let heard = if self.merges() {
                let quiet = (Instant::now() + debounce).min(latest);
                timeout_at(quiet, inbox.more()).await.ok().flatten()
            } else {
                inbox.waiting()
            };
            let Some(heard) = heard else { return };
            self.hear(heard).await;
        }
    }

    /// Answers what waits, until nothing does or a new burst has begun.
    async fn answer(&mut self, inbox: &mut Inbox<Heard>) -> Result<(), LaneError> {
        // Of a person who was erased meanwhile nothing waits.
        let Some(row) = self.context.store.conversation(&self.conversation_id).await? else { return Ok(()) };
        attributes::learn(&self.context, &row).await?;
        if self.merges() && self.agent().await?.1.is_some() {
            let taken_back = self.context.store.supersede(&self.conversation_id).await?;
            if taken_back > 0 {
                self.context.metrics.superseded(taken_back);
            }
        }
        let mut redone = 0;
        loop {
            let texts = if self.merges() { MAX_TEXTS } else { 1 };
            let waiting = self.context.store.waiting(&self.conversation_id, texts).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            if self.fill_gap(&waiting).await? {
                continue;
            }
            // The texts are recorded and complete: whoever reads the bus answers them, or the operator.
            let (conversation, Some(agent)) = self.agent().await? else { return Ok(()) };
            let agent = &*agent;
            self.context.store.open_session(&self.conversation_id, agent.name()).await?;
            let may_redo = redone < MAX_REDONE;
            let interrupt = Some(&mut *inbox).filter(|_| may_redo && self.merges());
            match self.turn(agent, &conversation, &waiting, interrupt, may_redo).await? {
                Turned::Committed(commands) => {
                    for command in commands {
                        self.relay.notify(command);
                    }
                    self.context.live.changed(&self.conversation_id);
                    self.context.summaries.turned(&self.conversation_id);
                    if self.merges() && inbox.has_more() {
                        return Ok(());
                    }
                }
                Turned::AnsweredElsewhere => {}
                Turned::Edited => redone += 1,
                Turned::Interrupted(heard) => {
                    redone += 1;
                    self.hear(*heard).await;
                    self.gather(inbox).await;
                }
            }
        }
    }

    /// The conversation, and who answers in it now; nobody if that is whoever reads the bus, or a person of ours.
    async fn agent(&self) -> Result<(ConversationRow, Option<Arc<dyn Agent>>), LaneError> {
        let known = self.context.store.conversation(&self.conversation_id).await?;
        let row = known.ok_or(StoreError::NotFound { what: "conversation" })?;
        let agent = self.context.agents.of_conversation(&self.context.store, &row).await?;
        let agent = agent.filter(|_| row.handed_over_at.is_none());
        Ok((row, agent))
    }

    /// Reads back what is missing before the last of `waiting`, if anything is. Then there may be more that waits. A
    /// text is recorded before its lane hears of it, so that only what is recorded tells whether there is a gap.
    async fn fill_gap(&mut self, waiting: &[MessageRow]) -> Result<bool, LaneError> {
        let last = waiting.iter().filter_map(|message| message.index).max().unwrap_or(-1);
        if last <= self.sought {
            return Ok(false);
        }
        let Some(row) = self.context.store.conversation(&self.conversation_id).await? else { return Ok(false) };
        let is_counted = self.context.connectors.named(&row.connector).is_none_or(|connector| connector.is_counted());
        if last <= row.read_index || !is_counted {
            return Ok(false);
        }
        self.sought = last;
        holding(self.held.as_slice(), fill(&self.context, &row)).await;
        Ok(true)
    }

    async fn turn(
        &self,
        agent: &dyn Agent,
        conversation: &ConversationRow,
        waiting: &[MessageRow],
        interrupt: Option<&mut Inbox<Heard>>,
        may_redo: bool,
    ) -> Result<Turned, LaneError> {
        let work = turn::run(&self.context, agent, conversation, waiting, interrupt, may_redo);
        holding(self.held.as_slice(), work).await
    }

    /// Everything is answered: the conversation need not come again.
    async fn settle(&mut self) {
        let Some(delivery) = self.held.take() else { return };
        if let Err(error) = delivery.ack().await {
            tracing::warn!(error.code = error.code(), "a delivery could not be settled; it comes again");
        }
    }
}

/// Reads back and records what is missing. Gives up after a while: the text at hand is answered all the same, and the
/// next pass finds what is missing.
async fn fill(context: &Context, conversation: &ConversationRow) {
    let Some(connector) = context.connectors.named(&conversation.connector) else { return };
    for tries in 0..GAP_TRIES {
        let mut found = 0;
        let after = conversation.read_index;
        let read = read_back(context, connector.as_ref(), &conversation.external_id, after, &mut found).await;
        if found > 0 {
            context.metrics.caught_up("gap", found);
        }
        match read {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(%error, "a gap could not be read back");
                tokio::time::sleep(backoff(GAP_WAIT, tries, MAX_GAP_WAIT)).await;
            }
        }
    }
    context.missed.request_of(&conversation.connector);
}
