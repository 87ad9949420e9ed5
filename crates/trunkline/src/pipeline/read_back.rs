//! Reading a conversation back from its provider into the store.

use jiff::Timestamp;
use trunkline_bus::BusError;
use trunkline_core::Envelope;
use trunkline_core::event::{MESSAGE_RECEIVED, MessageReceived};
use trunkline_store::{Answer, NewInbound, StoreError};

use super::ingress::is_forgotten;
use super::{Context, keywords};
use crate::connectors::{Connector, ConnectorError};

/// Messages that are read and recorded at once.
const CHUNK: usize = 500;
/// Chunks that are read in a row; what is behind them is read the next time.
const MAX_CHUNKS: usize = 20;

/// Why a conversation could not be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadBackError {
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Records everything behind index `after`, oldest first, and counts in `found` what was not known before and waits for
/// an answer, also when it fails half way. The read index only moves over what was read.
pub(super) async fn read_back(
    context: &Context,
    connector: &dyn Connector,
    conversation: &str,
    mut after: i64,
    found: &mut usize,
) -> Result<(), ReadBackError> {
    for _ in 0..MAX_CHUNKS {
        let read = connector.messages_after(conversation, after, CHUNK).await?;
        let Some(last) = read.last_index else { break };
        *found += record(context, connector, conversation, read.messages, last).await?;
        after = i64::try_from(last).unwrap_or(i64::MAX);
        if read.is_complete {
            break;
        }
    }
    Ok(())
}

/// Records one chunk; returns how many of it are new and wait for an answer.
async fn record(
    context: &Context,
    connector: &dyn Connector,
    conversation: &str,
    messages: Vec<MessageReceived>,
    last_index: u64,
) -> Result<usize, ReadBackError> {
    let mut inbound = Vec::with_capacity(messages.len());
    for received in messages {
        let id = connector.fact_id(&received);
        match keywords::read(context, connector.name(), received.clone(), None).await {
            Ok(message) if is_forgotten(context, &message).await? => {}
            Ok(message) => {
                tell(context, id, &message, &received).await?;
                inbound.push(message);
            }
            Err(error) => tracing::warn!(error.code = error.code(), "a message is from nobody who can be answered"),
        }
    }
    let recorded = context.store.record_read_back(&inbound, last_index).await?;
    for one in &recorded {
        keywords::confirm(context, one).await;
    }
    if let Some(first) = recorded.first() {
        context.live.changed(&first.conversation_id);
    } else if let Some(row) = context.store.conversation_by_external(connector.name(), conversation).await? {
        // Only messages of ours.
        context.store.set_read_index(&row.id, i64::try_from(last_index).unwrap_or(i64::MAX)).await?;
    }
    let history = recorded.iter().filter(|recorded| recorded.is_new && recorded.answer == Answer::History).count();
    if history > 0 {
        tracing::info!(messages = history, "messages from before our time were recorded; they are not answered");
    }
    Ok(recorded.iter().filter(|recorded| recorded.is_new && recorded.answer == Answer::Waiting).count())
}

/// Where nobody here answers, whoever reads the bus must hear of the text too. Before it is recorded, so that a crash in
/// between does not lose it; what came by webhook as well has the same id and is kept once.
pub(super) async fn tell(
    context: &Context,
    id: String,
    message: &NewInbound,
    received: &MessageReceived,
) -> Result<(), BusError> {
    if context.agents.is_anyone_here() || !message.to_be_answered {
        return Ok(());
    }
    let (source, subject) = (&message.connector, &message.conversation);
    let envelope = Envelope::new(id, source, MESSAGE_RECEIVED, subject, Timestamp::now(), received)?;
    context.bus.publish(&context.subjects.ingress, &envelope).await.map(drop)
}
