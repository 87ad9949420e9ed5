//! What the socket tells, as facts on the bus. A message is the same event as its webhook's, with the same key.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_core::{Envelope, Retry};
use trunkline_twilio::realtime::{ConnectionState, Event, MessageChange};

use super::status::word;
use super::{ParticipationHandle, Realtime};
use crate::connectors::Connector;
use crate::edge::People;
use crate::edge::from_twilio::{SOURCE, heard};
use crate::pipeline::{Context, read_back_conversation};
use crate::telemetry::traceparent;

/// Conversations that were joined and wait to be read back; more are found by a pass.
const MAX_JOINED: usize = 1024;
/// The wait before a fact that the bus could not take is published again. The socket waits with it.
const BUS_WAIT: Duration = Duration::from_millis(500);

/// Hears what the socket tells.
pub(crate) struct Listener {
    context: Context,
    realtime: Realtime,
    participation: ParticipationHandle,
    people: People,
    connector: Arc<dyn Connector>,
    /// What was joined since the start: the pass at the start has read the others.
    has_begun: bool,
}

impl Listener {
    pub(crate) fn new(
        context: Context,
        realtime: Realtime,
        participation: ParticipationHandle,
        people: People,
        connector: Arc<dyn Connector>,
    ) -> Self {
        Self { context, realtime, participation, people, connector, has_begun: false }
    }

    /// Listens until `stop`. The connection stays until `unused`, because answers may go over it; then it says goodbye.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was heard and is not on the bus is read back after the next start.
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        stop: CancellationToken,
        unused: CancellationToken,
    ) {
        let (joined, to_read) = mpsc::channel(MAX_JOINED);
        let reading = read_joined(self.context.clone(), Arc::clone(&self.connector), to_read);
        let client = self.realtime.client().clone();
        let listening = async {
            while let Some(event) = events.recv().await {
                self.hear(event, &joined).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = listening => {}
            () = reading => {}
        }
        // Events that nobody takes would hold the connection up.
        let draining = async { while events.recv().await.is_some() {} };
        tokio::select! {
            () = unused.cancelled() => {}
            () = draining => {}
        }
        client.stop().await;
    }

    async fn hear(&mut self, event: Event, joined: &mpsc::Sender<String>) {
        match event {
            Event::ConnectionStateChanged(state, loss) => {
                self.context.metrics.realtime_connected(state == ConnectionState::Connected);
                if let Some(loss) = loss {
                    self.context.metrics.realtime_lost(loss.code);
                    tracing::warn!(
                        state = word(state),
                        error.code = loss.code,
                        twilio.code = loss.twilio_code,
                        reason = loss.reason,
                        "the real-time connection is lost; webhooks go on, and it is made anew"
                    );
                } else {
                    tracing::info!(state = word(state), "the real-time connection");
                }
            }
            Event::Initialized => {
                self.has_begun = true;
                // Now it can be told which open conversations are not among ours.
                self.context.missed.request_of(SOURCE);
                self.realtime.coverage().count();
            }
            Event::ConversationJoined(data) => {
                self.participation.joined(&data.sid);
                self.realtime.coverage().joined(&data.sid);
                // What was said before we were in it was told to nobody here.
                if self.has_begun && joined.try_send(data.sid).is_err() {
                    self.context.missed.request();
                }
            }
            Event::ConversationLeft { conversation } | Event::ConversationRemoved { conversation } => {
                self.participation.left(&conversation);
                self.realtime.coverage().count();
            }
            Event::MessageAdded(message) => self.message(message).await,
            Event::TypingStarted { conversation, .. } => self.typing(&conversation, true).await,
            Event::TypingEnded { conversation, .. } => self.typing(&conversation, false).await,
            _ => {}
        }
    }

    async fn message(&self, message: MessageChange) {
        let envelope = match heard(&message, &self.people, Timestamp::now()) {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(error.code = error.code(), "a message of the socket cannot be told");
                return;
            }
        };
        self.context.metrics.realtime_message();
        let span = tracing::info_span!(
            "realtime.message",
            otel.name = "twilio.realtime.message",
            otel.kind = "consumer",
            conversation.id = message.conversation,
        );
        self.publish(envelope).instrument(span).await;
    }

    /// Publishes until the bus has it. The socket is not read meanwhile, and what it brings is replayed.
    async fn publish(&self, envelope: Envelope) {
        let envelope = envelope.with_traceparent(traceparent());
        while let Err(error) = self.context.bus.publish(&self.context.subjects.ingress, &envelope).await {
            if error.retry() == Retry::No {
                self.context.metrics.realtime_refused();
                tracing::error!(error.code = error.code(), "a message of the socket cannot be kept and is left out");
                return;
            }
            tracing::warn!(error.code = error.code(), "a message of the socket could not be made safe; trying again");
            tokio::time::sleep(BUS_WAIT).await;
        }
    }

    /// A person's typing, for whoever watches the console. It is kept nowhere.
    async fn typing(&self, conversation: &str, is_typing: bool) {
        if let Ok(Some(row)) = self.context.store.conversation_by_external(SOURCE, conversation).await {
            self.context.live.typing(&row.id, is_typing);
        }
    }
}

/// Reads back what was said in a conversation before we were in it, one conversation after the other.
async fn read_joined(context: Context, connector: Arc<dyn Connector>, mut joined: mpsc::Receiver<String>) {
    while let Some(conversation) = joined.recv().await {
        match read_back_conversation(&context, connector.as_ref(), &conversation).await {
            Ok(0) => {}
            Ok(found) => context.metrics.caught_up("joined", found),
            Err(error) => {
                tracing::warn!(conversation.id = conversation, %error, "a joined conversation could not be read");
                context.missed.request();
            }
        }
    }
    std::future::pending::<()>().await;
}
