//! Joins the outbox of the store to the bus: what was committed is published, also after a crash in between.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use trunkline_bus::BusError;
use trunkline_core::Envelope;
use trunkline_core::event::{SEND_MESSAGE, SendMessage};
use trunkline_store::{OutboxRow, StoreError};

use super::Context;

/// A committed reply on its way to the bus.
pub struct EgressCommand {
    /// What to send.
    pub send: SendMessage,
    /// The trace of its turn.
    pub traceparent: Option<String>,
}

/// Commands that may wait here; what finds it full is found by the next sweep.
const QUEUE: usize = 4096;
/// How often the outbox is swept for what was committed and not published.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// What is younger than this is on its way.
const SWEEP_AGE: SignedDuration = SignedDuration::from_secs(2);
const SWEEP_PAGE: u32 = 500;

/// Tells the relay of a reply. Cheap to clone.
#[derive(Clone)]
pub struct RelayHandle(mpsc::Sender<EgressCommand>);

impl RelayHandle {
    /// A reply was committed. Never waits: what does not fit is found by the next sweep.
    pub fn notify(&self, command: EgressCommand) {
        if self.0.try_send(command).is_err() {
            tracing::debug!("the relay is busy; the next sweep takes it");
        }
    }
}

/// The second stage of the pipeline.
pub struct Relay {
    context: Context,
    commands: mpsc::Receiver<EgressCommand>,
    /// Rows that this process has published.
    published: HashSet<String>,
}

impl Relay {
    /// A relay, and the way to tell it.
    pub fn new(context: Context) -> (Self, RelayHandle) {
        let (sender, commands) = mpsc::channel(QUEUE);
        (Self { context, commands, published: HashSet::new() }, RelayHandle(sender))
    }

    /// Publishes what is committed until `stop`, and then what is still queued.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not published is found by the next sweep.
    pub async fn run(mut self, stop: CancellationToken) {
        self.sweep(Timestamp::now()).await;
        let mut sweeps = interval(SWEEP_EVERY);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweeps.reset();
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.publish(command).await,
                    None => return,
                },
                () = stop.cancelled() => break,
                _ = sweeps.tick() => self.sweep(Timestamp::now() - SWEEP_AGE).await,
            }
        }
        while let Ok(command) = self.commands.try_recv() {
            self.publish(command).await;
        }
    }

    async fn publish(&mut self, command: EgressCommand) {
        let id = command.send.outbox_id.clone();
        match publish(&self.context, command).await {
            Ok(()) => {
                self.published.insert(id);
            }
            Err(error) => tracing::error!(error.code = error.code(), %error, "a reply waits for the bus"),
        }
    }

    /// Publishes every open row that was committed before `before` and not published by this process.
    async fn sweep(&mut self, before: Timestamp) {
        if let Err(error) = self.try_sweep(before).await {
            tracing::error!(error.code = error.code(), %error, "the outbox could not be swept");
        }
    }

    async fn try_sweep(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let mut open = HashSet::new();
        let mut after = 0;
        loop {
            let page = self.context.store.open_outbox(after, before, SWEEP_PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, row) in page {
                open.insert(row.id.clone());
                if self.published.contains(&row.id) {
                    continue;
                }
                self.publish(command(row)).await;
            }
        }
        // What is settled is forgotten; what was published after `before` is looked at next time.
        self.published.retain(|id| open.contains(id));
        Ok(())
    }
}

/// The command that has a row sent.
pub(crate) fn command(row: OutboxRow) -> EgressCommand {
    let (content_sid, variables) = row.content.map(|content| (content.sid, content.variables)).unzip();
    let send = SendMessage {
        connector: row.connector,
        conversation: row.conversation,
        text: row.body.into_inner(),
        content_sid,
        content_variables: variables.unwrap_or_default().into_inner(),
        media_sha256: row.media,
        channel: row.channel.parse().ok(),
        outbox_id: row.id,
        in_reply_to: Vec::new(),
    };
    EgressCommand { send, traceparent: row.traceparent }
}

/// Publishes a committed row. Publishing it again is harmless.
pub(crate) async fn publish(context: &Context, command: EgressCommand) -> Result<(), BusError> {
    let EgressCommand { send, traceparent } = command;
    let (id, subject) = (send.outbox_id.clone(), send.conversation.clone());
    let envelope =
        Envelope::new(id, "trunkline", SEND_MESSAGE, subject, Timestamp::now(), &send)?.with_traceparent(traceparent);
    context.bus.publish(&context.subjects.egress, &envelope).await.map(drop)
}
