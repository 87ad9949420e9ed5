//! Reading back what was missed on a platform that lists messages of all conversations together.

use jiff::{SignedDuration, Timestamp};
use trunkline_core::event::MessageReceived;
use trunkline_store::Answer;

use super::read_back::{ReadBackError, tell};
use super::{Context, changes, keywords};
use crate::connectors::Connector;

/// How far before the last pass is looked again: a list may lag behind what has happened.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Records what is not known of everything since the last time; returns how many messages had been missed, or `None` if
/// the connector keeps conversations to be read back one by one.
pub(super) async fn read_inbox(context: &Context, connector: &dyn Connector) -> Result<Option<usize>, ReadBackError> {
    let cursor = format!("inbox:{}", connector.name());
    let begun = Timestamp::now();
    let last = context.store.cursor(&cursor).await?.and_then(|at| Timestamp::from_millisecond(at).ok());
    let since = last.map_or_else(|| context.horizon.first(), |last| last - OVERLAP);
    let Some(inbox) = connector.inbox(since).await? else { return Ok(None) };
    let mut missed = 0;
    for received in inbox.messages {
        match record(context, connector, received).await {
            Ok(is_new) => missed += usize::from(is_new),
            Err(error) => {
                wake(context, missed);
                return Err(error);
            }
        }
    }
    wake(context, missed);
    if inbox.is_complete {
        context.store.set_cursor(&cursor, begun.as_millisecond()).await?;
    } else {
        tracing::warn!(connector = connector.name(), "more was missed than is read back at once");
    }
    Ok(Some(missed))
}

fn wake(context: &Context, missed: usize) {
    if missed > 0 {
        context.missed.wake();
    }
}

/// Records one message; whether it is new and waits for an answer.
async fn record(
    context: &Context,
    connector: &dyn Connector,
    received: MessageReceived,
) -> Result<bool, ReadBackError> {
    let id = connector.fact_id(&received);
    if context.store.is_recorded(connector.name(), &received.metadata.message).await? {
        return Ok(false);
    }
    let mut message = match keywords::read(context, connector.name(), received.clone(), None).await {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(error.code = error.code(), "a message is from nobody who can be answered");
            return Ok(false);
        }
    };
    changes::beside_conversations(context, &mut message).await?;
    tell(context, id, &message, &received).await?;
    let recorded = context.store.record_inbound(&message).await?;
    keywords::confirm(context, &recorded).await;
    if recorded.is_new {
        context.live.changed(&recorded.conversation_id);
    }
    Ok(recorded.is_new && recorded.answer == Answer::Waiting)
}
