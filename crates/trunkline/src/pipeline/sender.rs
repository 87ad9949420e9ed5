//! Takes commands from the bus and has their connector send them, in order within a conversation, once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use trunkline_bus::{BusError, Consumer, ConsumerOptions, Delivery};
use trunkline_core::event::{SEND_MESSAGE, SendMessage};
use trunkline_store::StoreError;

use super::ingress::next;
use super::job::{FIRST_WAIT, Job, MAX_WAIT, Step};
use super::lanes::{Inbox, Lanes};
use super::pace::Pace;
use super::wait::{backoff, holding};
use super::{Context, codes};
use crate::telemetry::set_parent;

/// The durable name of this consumer.
pub(crate) const CONSUMER: &str = "connectors";
/// Sends that may be in hand at once, over all conversations.
const MAX_IN_FLIGHT: usize = 4096;
/// Commands that wait in a lane; more come again from the bus.
const LANE_CAPACITY: usize = 256;
/// The wait of a command that is not the first of its conversation, when the first is not in the same lane.
const BEHIND_WAIT: Duration = Duration::from_millis(100);

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
        let pace: Arc<Mutex<Pace>> = Arc::default();
        let mut lanes = Lanes::new("send", LANE_CAPACITY, self.context.metrics.clone(), move |_, inbox| {
            run_lane(context.clone(), inbox, Arc::clone(&pace), stopping.clone(), hurry.clone())
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

async fn run_lane(
    context: Context,
    mut inbox: Inbox<Delivery>,
    pace: Arc<Mutex<Pace>>,
    stop: CancellationToken,
    hurry: CancellationToken,
) {
    let mut behind = BEHIND_WAIT;
    while let Some(delivery) = inbox.next().await {
        let span = tracing::info_span!("text.send", messaging.message.id = delivery.envelope.id.as_str());
        set_parent(&span, delivery.envelope.traceparent.as_deref());
        let held = [delivery];
        let work = holding(&held, settle(&context, &held, &pace, &stop)).instrument(span);
        let settled = tokio::select! {
            settled = work => settled,
            () = hurry.cancelled() => Settled::Later,
        };
        let [delivery] = held;
        let outcome = match settled {
            Settled::Done => {
                behind = BEHIND_WAIT;
                delivery.ack().await
            }
            Settled::Hopeless(code) => {
                context.metrics.dead_letter(code);
                delivery.bury(code, "the command cannot be carried out").await
            }
            Settled::Behind => delivery.nak(behind).await,
            Settled::TooMany(wait) => {
                behind = wait.max(BEHIND_WAIT);
                delivery.nak(wait).await
            }
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
    /// Its sender has as much to send as is kept in hand.
    TooMany(Duration),
    Later,
    Hopeless(&'static str),
}

async fn settle(context: &Context, held: &[Delivery; 1], pace: &Mutex<Pace>, stop: &CancellationToken) -> Settled {
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
            Err(StoreError::NotFound { .. }) => unknown_row(context, &command).await,
            Err(_) => Settled::Behind,
        };
    };
    let mut job = Job {
        context,
        connector: connector.as_ref(),
        command: &command,
        pace,
        stop,
        committed: delivery.envelope.time,
        unknown_since: None,
    };
    let mut tries = 0;
    loop {
        match job.step(tries).await {
            Ok(Step::Done) => return Settled::Done,
            Ok(Step::Behind) => return Settled::Behind,
            Ok(Step::Stopped) => return Settled::Later,
            Ok(Step::TooMany(wait)) => return Settled::TooMany(wait),
            Ok(Step::Wait(wait)) => {
                tries += 1;
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => return Settled::Later,
                }
            }
            Err(StoreError::NotFound { .. }) => return unknown_row(context, &command).await,
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

/// A row that is not in the store: of a person who was erased since, or of another store.
async fn unknown_row(context: &Context, command: &SendMessage) -> Settled {
    match context.store.is_erased(&command.connector, &command.conversation, Timestamp::UNIX_EPOCH).await {
        Ok(true) => Settled::Done,
        Ok(false) => Settled::Hopeless(codes::UNKNOWN_OUTBOX_ROW),
        Err(_) => Settled::Behind,
    }
}
