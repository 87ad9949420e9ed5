//! Takes commands from the bus and has their connector send them, in order within a conversation, once.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_bus::{BusError, Consumer, ConsumerOptions, Delivery};
use trunkline_core::Retry;
use trunkline_core::event::{SEND_MESSAGE, SendMessage};
use trunkline_store::{Claim, Content, OutboxRow, ReplyKind, StoreError};

use super::gate::{OPTED_OUT_AT_TWILIO, WINDOW_CLOSED_AT_TWILIO, filled};
use super::ingress::next;
use super::lanes::{Inbox, Lanes};
use super::wait::{backoff, holding};
use super::{Context, Gate, GateError, Outgoing, codes, gate};
use crate::connectors::{Connector, ConnectorError};
use crate::telemetry::set_parent;

/// The durable name of this consumer.
pub(crate) const CONSUMER: &str = "connectors";
/// Sends that may be in hand at once, over all conversations.
const MAX_IN_FLIGHT: usize = 4096;
/// Commands that wait in a lane; more come again from the bus.
const LANE_CAPACITY: usize = 256;
/// The wait of a command that is not the first of its conversation, when the first is not in the same lane.
const BEHIND_WAIT: Duration = Duration::from_millis(100);
/// The wait after the first failure, and the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MAX_WAIT: Duration = Duration::from_secs(5);

/// The last stage of the pipeline.
pub struct Sender {
    context: Context,
    consumer: Box<dyn Consumer>,
}

impl Sender {
    /// A stage over `context`.
    ///
    /// # Errors
    /// When the consumer cannot be started.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open(context: Context) -> Result<Self, BusError> {
        let options = ConsumerOptions {
            max_in_flight: MAX_IN_FLIGHT,
            max_deliveries: u32::MAX,
            ..ConsumerOptions::new(CONSUMER, context.subjects.egress.clone())
        };
        let consumer = context.bus.consume(options).await?;
        Ok(Self { context, consumer })
    }

    /// Works until `stop`; then lets the sends that are under way finish until `hurry`.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not settled comes again, and what may have been sent is looked up first.
    pub async fn run(mut self, stop: CancellationToken, hurry: CancellationToken) {
        let context = self.context.clone();
        let stopping = stop.clone();
        let mut lanes = Lanes::new("send", LANE_CAPACITY, self.context.metrics.clone(), move |_, inbox| {
            run_lane(context.clone(), inbox, stopping.clone(), hurry.clone())
        });
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                next = next(&mut self.consumer) => match next {
                    Some(delivery) => {
                        lanes.reap_ready();
                        let key = format!("{}/{}", delivery.envelope.source, delivery.envelope.subject);
                        if let Err(refused) = lanes.hand(&key, delivery)
                            && let Err(error) = refused.nak(BEHIND_WAIT).await
                        {
                            tracing::warn!(error.code = error.code(), "a delivery could not be settled; it comes again");
                        }
                    }
                    None => break,
                },
                () = lanes.reap() => {}
            }
        }
        drop(self.consumer);
        lanes.finish().await;
    }
}

async fn run_lane(context: Context, mut inbox: Inbox<Delivery>, stop: CancellationToken, hurry: CancellationToken) {
    while let Some(delivery) = inbox.next().await {
        let span = tracing::info_span!("text.send", messaging.message.id = delivery.envelope.id.as_str());
        set_parent(&span, delivery.envelope.traceparent.as_deref());
        let held = [delivery];
        let work = holding(&held, settle(&context, &held, &stop)).instrument(span);
        let settled = tokio::select! {
            settled = work => settled,
            () = hurry.cancelled() => Settled::Later,
        };
        let [delivery] = held;
        let outcome = match settled {
            Settled::Done => delivery.ack().await,
            Settled::Hopeless(code) => {
                context.metrics.dead_letter(code);
                delivery.bury(code, "the command cannot be carried out").await
            }
            Settled::Behind => delivery.nak(BEHIND_WAIT).await,
            // A stopping gateway: it comes again to the next one, which looks before it sends.
            Settled::Later => return,
        };
        if let Err(error) = outcome {
            tracing::warn!(error.code = error.code(), "a delivery could not be settled; it comes again");
        }
    }
}

enum Settled {
    Done,
    Behind,
    Later,
    Hopeless(&'static str),
}

/// What to do next with a row.
enum Step {
    Wait(Duration),
    Behind,
    Done,
}

async fn settle(context: &Context, held: &[Delivery; 1], stop: &CancellationToken) -> Settled {
    let [delivery] = held;
    if delivery.envelope.kind != SEND_MESSAGE {
        return Settled::Hopeless(codes::UNKNOWN_COMMAND);
    }
    let command = match delivery.envelope.data::<SendMessage>() {
        Ok(command) => command,
        Err(error) => return Settled::Hopeless(error.code()),
    };
    let Some(connector) = context.connectors.named(&command.connector) else {
        // Whatever else is to be said in that conversation does not wait for it.
        return match fail_row(context, &command.outbox_id).await {
            Ok(()) => Settled::Hopeless(codes::UNKNOWN_CONNECTOR),
            Err(StoreError::NotFound { .. }) => Settled::Hopeless(codes::UNKNOWN_OUTBOX_ROW),
            Err(_) => Settled::Behind,
        };
    };
    let mut job = Job {
        context,
        connector: connector.as_ref(),
        command: &command,
        committed: delivery.envelope.time,
        unknown_since: None,
    };
    let mut tries = 0;
    loop {
        match job.step(tries).await {
            Ok(Step::Done) => return Settled::Done,
            Ok(Step::Behind) => return Settled::Behind,
            Ok(Step::Wait(wait)) => {
                tries += 1;
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => return Settled::Later,
                }
            }
            Err(StoreError::NotFound { .. }) => return Settled::Hopeless(codes::UNKNOWN_OUTBOX_ROW),
            Err(error) => {
                tries += 1;
                tracing::error!(error.code = error.code(), %error, "the store cannot be used; a send waits");
                tokio::time::sleep(backoff(FIRST_WAIT, tries, MAX_WAIT)).await;
            }
        }
    }
}

async fn fail_row(context: &Context, outbox_id: &str) -> Result<(), StoreError> {
    let row = context.store.outbox_row(outbox_id).await?;
    context.store.mark_failed(&row, codes::UNKNOWN_CONNECTOR).await
}

struct Job<'a> {
    context: &'a Context,
    connector: &'a dyn Connector,
    command: &'a SendMessage,
    /// When the reply was committed.
    committed: Timestamp,
    /// Since when this process does not know the outcome. Not the time of the claim: a request may have been given up
    /// long after it left, and clocks are set.
    unknown_since: Option<Instant>,
}

impl Job<'_> {
    /// Claims the row and does what it needs.
    async fn step(&mut self, tries: u32) -> Result<Step, StoreError> {
        match self.context.store.claim(&self.command.outbox_id).await? {
            Claim::Settled => Ok(Step::Done),
            Claim::Behind => Ok(Step::Behind),
            Claim::Yours(row) => self.send(&row, tries).await,
            Claim::Unknown(row) => self.look_up(&row, tries).await,
        }
    }

    async fn send(&mut self, row: &OutboxRow, tries: u32) -> Result<Step, StoreError> {
        let content = match self.gate(row).await {
            Ok(Gate::Open) => row.content.clone(),
            Ok(Gate::AsTemplate(content)) => {
                self.context.store.set_content(&row.id, &content).await?;
                Some(content)
            }
            Ok(Gate::Refused(code)) => return self.refused(row, code).await,
            Err(GateError::Store(error)) => return Err(error),
            Err(GateError::Connector(error)) => return self.later(row, &error, Duration::ZERO, tries).await,
        };
        let template = self.context.settings.whatsapp.template.as_ref().filter(|_| content.is_none());
        let mut sent = self.connector.send(&self.worded(content)).await;
        if let (Err(error), Some(template)) = (&sent, template)
            && error.provider_number == Some(WINDOW_CLOSED_AT_TWILIO)
        {
            let content = filled(template, &self.command.text);
            self.context.store.set_content(&row.id, &content).await?;
            sent = self.connector.send(&self.worded(Some(content))).await;
        }
        let error = match sent {
            Ok(sent) => {
                self.reached();
                return self.sent(row, &sent, "sent").await;
            }
            Err(error) => error,
        };
        if error.provider_number == Some(OPTED_OUT_AT_TWILIO) {
            self.context.store.consent_withdrawn(&row.conversation_id).await?;
        }
        match error.retry {
            Retry::No => self.failed(row, &error).await,
            Retry::After(wait) => self.later(row, &error, wait, tries).await,
            Retry::Unknown => {
                self.context.metrics.send("unknown");
                self.note(&error);
                self.unknown_since = Some(Instant::now());
                Ok(Step::Wait(self.context.settings.settle))
            }
        }
    }

    /// Looks at what the channel of the conversation allows now.
    async fn gate(&self, row: &OutboxRow) -> Result<Gate, GateError> {
        let outgoing = Outgoing {
            conversation_id: &row.conversation_id,
            channel: &row.channel,
            text: row.body.expose(),
            is_template: row.content.is_some(),
            is_confirmation: row.kind == ReplyKind::Keyword.as_str(),
        };
        gate(self.context, &row.connector, &outgoing).await
    }

    /// What is sent: the command, as this template if there is one.
    fn worded(&self, content: Option<Content>) -> SendMessage {
        let (content_sid, variables) = content.map(|content| (content.sid, content.variables)).unzip();
        let content_variables = variables.unwrap_or_default().into_inner();
        SendMessage { content_sid, content_variables, ..self.command.clone() }
    }

    /// Nothing was sent: it is tried again.
    async fn later(
        &self,
        row: &OutboxRow,
        error: &ConnectorError,
        wait: Duration,
        tries: u32,
    ) -> Result<Step, StoreError> {
        self.context.metrics.send("later");
        self.note(error);
        self.context.store.release(&row.id).await?;
        Ok(Step::Wait(wait.max(backoff(FIRST_WAIT, tries, MAX_WAIT))))
    }

    /// Not allowed: nobody is asked to send it.
    async fn refused(&self, row: &OutboxRow, code: &'static str) -> Result<Step, StoreError> {
        self.context.metrics.send("refused");
        tracing::info!(error.code = code, "a message is not sent");
        self.context.store.mark_failed(row, code).await?;
        self.context.live.changed(&row.conversation_id);
        Ok(Step::Done)
    }

    /// Refused for good, or gone: the conversation goes on without it.
    async fn failed(&self, row: &OutboxRow, error: &ConnectorError) -> Result<Step, StoreError> {
        self.context.metrics.send("refused");
        tracing::error!(
            error.code = error.code,
            provider.error = error.provider_number,
            "a message was refused for good"
        );
        let code =
            error.provider_number.map_or_else(|| error.code.to_owned(), |number| format!("{}/{number}", error.code));
        self.context.store.mark_failed(row, &code).await?;
        self.context.live.changed(&row.conversation_id);
        Ok(Step::Done)
    }

    /// The outcome of an earlier try is not known: find the message, or make sure that there is none.
    async fn look_up(&mut self, row: &OutboxRow, tries: u32) -> Result<Step, StoreError> {
        let since = *self.unknown_since.get_or_insert_with(Instant::now);
        let wait = self.context.settings.settle.saturating_sub(since.elapsed());
        if !wait.is_zero() {
            return Ok(Step::Wait(wait));
        }
        let after = row.claimed_after.unwrap_or(-1);
        match self.connector.find_sent(&self.command.conversation, &self.command.outbox_id, after).await {
            Ok(Some(sent)) => {
                self.reached();
                self.sent(row, &sent, "found").await
            }
            Ok(None) => {
                self.reached();
                self.unknown_since = None;
                self.context.store.release(&row.id).await?;
                Ok(Step::Wait(Duration::ZERO))
            }
            Err(error) if error.retry == Retry::No => self.failed(row, &error).await,
            Err(error) => {
                self.note(&error);
                Ok(Step::Wait(backoff(FIRST_WAIT, tries, MAX_WAIT)))
            }
        }
    }

    async fn sent(
        &self,
        row: &OutboxRow,
        sent: &trunkline_store::Sent,
        outcome: &'static str,
    ) -> Result<Step, StoreError> {
        self.context.store.mark_sent(row, sent).await?;
        self.context.metrics.send(outcome);
        let latency = Timestamp::now().duration_since(self.committed);
        self.context.metrics.sent_after(Duration::try_from(latency).unwrap_or_default());
        self.context.live.changed(&row.conversation_id);
        Ok(Step::Done)
    }

    fn note(&self, error: &ConnectorError) {
        tracing::warn!(
            error.code = error.code,
            provider.error = error.provider_number,
            "a message could not be sent yet"
        );
        if error.unreachable {
            self.context.missed.lost(self.connector.name());
        }
    }

    fn reached(&self) {
        self.context.missed.reached(self.connector.name());
    }
}
