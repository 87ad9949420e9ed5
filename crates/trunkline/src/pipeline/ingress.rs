//! Takes facts from the bus, records them, and hands texts to the lane of their conversation.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trunkline_bus::{BusError, Consumer, ConsumerOptions, Delivery};
use trunkline_core::event::{
    CONVERSATION_CHANGED, ConversationChanged, ConversationPhase, DELIVERY_UPDATED, DeliveryUpdated, MESSAGE_RECEIVED,
    MessageReceived, is_of_call,
};
use trunkline_core::{ContactAddress, Envelope, Pii};
use trunkline_store::{Answer, NewInbound, StoreError};

use super::lane::{self, Heard};
use super::lanes::Lanes;
use super::relay::RelayHandle;
use super::{Context, changes, codes, keywords, receipts};

/// The durable name of this consumer.
pub(crate) const CONSUMER: &str = "lanes";
/// Conversations that may be in hand at once, with the few texts that wait in their lanes.
const MAX_IN_FLIGHT: usize = 16_384;
/// Texts that wait in a lane; more are found in the store. Small, so that one phone cannot fill what all share.
const LANE_CAPACITY: usize = 4;
/// Conversations that are resumed at a start; more come by the bus, which has not seen their texts acknowledged.
const MAX_RESUMED: u32 = 10_000;
/// The wait before something that the store could not take is tried again.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// A receipt may be faster than our note of the message that it is for: how often and how long to wait for that.
const RECEIPT_TRIES: u32 = 6;
const RECEIPT_WAIT: Duration = Duration::from_millis(500);

/// The first stage of the pipeline.
pub struct Ingress {
    recorder: Recorder,
    relay: RelayHandle,
    consumer: Box<dyn Consumer>,
}

/// Records what comes.
struct Recorder {
    context: Context,
}

impl Ingress {
    /// A stage that tells `relay` of each reply.
    ///
    /// # Errors
    /// When the consumer cannot be started.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open(context: Context, relay: RelayHandle) -> Result<Self, BusError> {
        let options = ConsumerOptions {
            max_in_flight: MAX_IN_FLIGHT,
            max_deliveries: u32::MAX,
            ..ConsumerOptions::new(CONSUMER, context.subjects.ingress.clone())
        };
        let consumer = context.bus.consume(options).await?;
        Ok(Self { recorder: Recorder { context }, relay, consumer })
    }

    /// Works until `stop`, then lets every lane finish what it holds.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not settled comes again.
    pub async fn run(self, stop: CancellationToken) {
        let Self { recorder, relay, mut consumer } = self;
        let context = recorder.context.clone();
        let mut lanes = Lanes::new("conversation", LANE_CAPACITY, context.metrics.clone(), move |key, inbox| {
            lane::run(context.clone(), relay.clone(), key, inbox)
        });
        recorder.resume(&mut lanes).await;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                next = next(&mut consumer) => match next {
                    Some(delivery) => {
                        lanes.reap_ready();
                        recorder.take(delivery, &mut lanes).await;
                    }
                    None => break,
                },
                () = recorder.context.missed.woken() => recorder.resume(&mut lanes).await,
                () = lanes.reap() => {}
            }
        }
        drop(consumer);
        lanes.finish().await;
    }
}

impl Recorder {
    async fn take(&self, delivery: Delivery, lanes: &mut Lanes<Heard>) {
        let settled = match delivery.envelope.kind.as_str() {
            MESSAGE_RECEIVED => self.message(delivery, lanes).await,
            DELIVERY_UPDATED => self.receipt(delivery).await,
            CONVERSATION_CHANGED => self.conversation(delivery).await,
            kind if changes::is_change(kind) => changes::settle(&self.context, delivery).await,
            kind if is_of_call(kind) => delivery.ack().await,
            _ => bury(&self.context, delivery, codes::UNKNOWN_FACT, "no one here knows this type of envelope").await,
        };
        if let Err(error) = settled {
            tracing::warn!(error.code = error.code(), "a delivery could not be settled; it comes again");
        }
    }

    async fn message(&self, delivery: Delivery, lanes: &mut Lanes<Heard>) -> Result<(), BusError> {
        let received: MessageReceived = match delivery.envelope.data() {
            Ok(received) => received,
            Err(error) => {
                return bury(&self.context, delivery, error.code(), "the data is not a received message").await;
            }
        };
        let (source, traceparent) = (&delivery.envelope.source, delivery.envelope.traceparent.clone());
        let mut inbound = match keywords::read(&self.context, source, received, traceparent).await {
            Ok(inbound) => inbound,
            Err(error) => return bury(&self.context, delivery, error.code(), &error.to_string()).await,
        };
        match is_forgotten(&self.context, &inbound).await {
            Ok(false) => {}
            Ok(true) => return delivery.ack().await,
            Err(error) => return later(delivery, &error).await,
        }
        if let Err(error) = changes::beside_conversations(&self.context, &mut inbound).await {
            return later(delivery, &error).await;
        }
        let mut recorded = match self.context.store.record_inbound(&inbound).await {
            Ok(recorded) => recorded,
            Err(error) => return later(delivery, &error).await,
        };
        keywords::confirm(&self.context, &recorded).await;
        if delivery.envelope.replay > 0 {
            match self.context.store.reopen(&recorded.message_id, delivery.envelope.replay).await {
                Ok(true) => recorded.answer = Answer::Waiting,
                Ok(false) => {}
                Err(error) => return later(delivery, &error).await,
            }
        }
        self.context.live.changed(&recorded.conversation_id);
        if recorded.answer != Answer::Waiting {
            return delivery.ack().await;
        }
        match lanes.hand(&recorded.conversation_id, Heard { delivery: Some(delivery) }) {
            Ok(()) | Err(Heard { delivery: None }) => Ok(()),
            // The lane has a queue of texts and will find this one, which is recorded, when it comes to its end.
            Err(Heard { delivery: Some(delivery) }) => delivery.ack().await,
        }
    }

    /// Starts the lanes of what is recorded and not answered: by an earlier process, or because it was read back.
    async fn resume(&self, lanes: &mut Lanes<Heard>) {
        let waiting = match self.context.store.conversations_waiting(MAX_RESUMED).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::error!(error.code = error.code(), %error, "unanswered conversations could not be resumed");
                return;
            }
        };
        for row in waiting {
            // A lane that is full already has more than this to do.
            let _busy = lanes.hand(&row.id, Heard { delivery: None }).is_err();
        }
    }

    async fn receipt(&self, delivery: Delivery) -> Result<(), BusError> {
        let receipt: DeliveryUpdated = match delivery.envelope.data() {
            Ok(receipt) => receipt,
            Err(error) => return bury(&self.context, delivery, error.code(), "the data is not a receipt").await,
        };
        if let Some(outbox_id) = &receipt.outbox_id
            && let Err(error) = self.context.store.note_sent(outbox_id, &receipt.message).await
        {
            return later(delivery, &error).await;
        }
        match self.context.store.advance_status(&receipt.message, receipt.status, receipt.error).await {
            Ok(Some(conversation_id)) => {
                if let Err(error) = receipts::heed(&self.context, &receipt, &conversation_id).await {
                    return later(delivery, &error).await;
                }
                self.context.live.changed(&conversation_id);
                delivery.ack().await
            }
            Ok(None) if delivery.attempt < RECEIPT_TRIES => delivery.nak(RECEIPT_WAIT).await,
            // Not a message of ours: someone else writes in that conversation too.
            Ok(None) => delivery.ack().await,
            Err(error) => later(delivery, &error).await,
        }
    }

    async fn conversation(&self, delivery: Delivery) -> Result<(), BusError> {
        let changed: ConversationChanged = match delivery.envelope.data() {
            Ok(changed) => changed,
            Err(error) => return bury(&self.context, delivery, error.code(), "the data is not a change").await,
        };
        let connector = &delivery.envelope.source;
        if let Some(error) = changes::first_name(&self.context, connector, &changed).await {
            return later(delivery, &error).await;
        }
        match self.context.store.set_conversation_state(connector, &changed.conversation, changed.state).await {
            Ok(known) => {
                if let Some(conversation_id) = known {
                    self.context.live.changed(&conversation_id);
                }
                if changed.state == ConversationPhase::Closed
                    && let Ok(Some(row)) =
                        self.context.store.conversation_by_external(connector, &changed.conversation).await
                {
                    self.context.summaries.over(&row.id);
                }
                delivery.ack().await
            }
            Err(error) => later(delivery, &error).await,
        }
    }
}

/// The next delivery; waits through what the bus cannot do now. `None` at the end.
pub(super) async fn next(consumer: &mut Box<dyn Consumer>) -> Option<Delivery> {
    loop {
        match consumer.next().await {
            Ok(delivery) => return Some(delivery),
            Err(BusError::Closed) => return None,
            Err(error) => {
                tracing::error!(error.code = error.code(), %error, "the bus cannot be read; trying again");
                tokio::time::sleep(STORE_WAIT).await;
            }
        }
    }
}

/// A received message as the store takes it.
pub(super) fn inbound(
    context: &Context,
    connector: &str,
    received: MessageReceived,
    traceparent: Option<String>,
) -> Result<NewInbound, trunkline_core::AddressError> {
    let metadata = received.metadata;
    Ok(NewInbound {
        connector: connector.to_owned(),
        conversation: metadata.conversation,
        message: metadata.message,
        index: metadata.index,
        from: ContactAddress::parse(&received.from)?,
        to: metadata.to,
        channel: received.channel,
        body: Pii::new(received.text),
        media: received.media,
        created_at: metadata.created,
        to_be_answered: context.horizon.includes(metadata.created, Timestamp::now()),
        keyword: None,
        traceparent,
    })
}

/// Records the text that an envelope brings, before anybody outside hears of it, so that they can answer it at once.
/// Returns whether it has its answer; `None` if the envelope brings no text, or one that no one can read.
pub(crate) async fn record_text(context: &Context, envelope: &Envelope) -> Result<Option<Answer>, StoreError> {
    let received = match envelope.data::<MessageReceived>() {
        Ok(received) if envelope.kind == MESSAGE_RECEIVED => received,
        _ => return Ok(None),
    };
    let Ok(mut inbound) = keywords::read(context, &envelope.source, received, envelope.traceparent.clone()).await
    else {
        return Ok(None);
    };
    if is_forgotten(context, &inbound).await? {
        return Ok(None);
    }
    changes::beside_conversations(context, &mut inbound).await?;
    let recorded = context.store.record_inbound(&inbound).await?;
    keywords::confirm(context, &recorded).await;
    if envelope.replay > 0 && context.store.reopen(&recorded.message_id, envelope.replay).await? {
        return Ok(Some(Answer::Waiting));
    }
    Ok(Some(recorded.answer))
}

/// Whether a message is of a person who was erased since they wrote it: a platform tells of it again.
pub(super) async fn is_forgotten(context: &Context, inbound: &NewInbound) -> Result<bool, StoreError> {
    context.store.is_erased(&inbound.connector, &inbound.conversation, inbound.created_at).await
}

pub(super) async fn bury(
    context: &Context,
    delivery: Delivery,
    code: &'static str,
    reason: &str,
) -> Result<(), BusError> {
    tracing::error!(error.code = code, reason, "an envelope cannot be dealt with; it is now a dead letter");
    context.metrics.dead_letter(code);
    delivery.bury(code, reason).await
}

pub(super) async fn later(delivery: Delivery, error: &StoreError) -> Result<(), BusError> {
    tracing::error!(error.code = error.code(), %error, "the store cannot be used; trying again");
    delivery.nak(STORE_WAIT).await
}
