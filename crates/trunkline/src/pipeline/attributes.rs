//! What a platform keeps beside a conversation, where its webhook of that never came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use trunkline_store::{ConversationRow, StoreError};

use super::Context;

/// How long a turn waits for the platform; then it goes by what is known.
const WAIT: Duration = Duration::from_secs(2);

/// How long a platform that could not tell is not asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(30);
/// Conversations of which that is remembered; of more, the platform is asked with each turn.
const MAX_UNTOLD: usize = 10_000;

/// The conversations of which a platform could not tell lately, and since when. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Untold(Arc<Mutex<HashMap<String, Instant>>>);

impl Untold {
    fn has(&self, conversation_id: &str) -> bool {
        let untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.get(conversation_id).is_some_and(|since| since.elapsed() < ASKED_AGAIN)
    }

    fn add(&self, conversation_id: &str) {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.retain(|_, since| since.elapsed() < ASKED_AGAIN);
        if untold.len() < MAX_UNTOLD {
            untold.insert(conversation_id.to_owned(), Instant::now());
        }
    }
}

/// Asks the platform for the attributes of a conversation, once, if routes need them and nobody has told them. What cannot
/// be told now is asked for with a later turn.
pub(super) async fn learn(context: &Context, row: &ConversationRow) -> Result<(), StoreError> {
    let store = &context.store;
    if !context.agents.need_attributes()
        || context.untold.has(&row.id)
        || store.attributes_of_conversation(&row.connector, &row.external_id).await?.is_some()
    {
        return Ok(());
    }
    let Some(connector) = context.connectors.named(&row.connector) else { return Ok(()) };
    match tokio::time::timeout(WAIT, connector.describe(&row.external_id)).await {
        Ok(Ok(Some(told))) => {
            if !store.is_erased(&row.connector, &told.conversation, told.changed).await? {
                store.name_conversation(&row.connector, &told).await?;
            }
        }
        Ok(Ok(None)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error.code = error.code, "the attributes of a conversation are not known");
            context.untold.add(&row.id);
        }
        Err(_) => {
            tracing::warn!("the attributes of a conversation are not known in time");
            context.untold.add(&row.id);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_platform_that_could_not_tell_is_left_alone_for_a_while() {
        let untold = Untold::default();
        untold.add("a");
        assert!(untold.has("a") && !untold.has("b"));
        tokio::time::advance(ASKED_AGAIN).await;
        assert!(!untold.has("a"));
        untold.add("b");
        assert_eq!(untold.0.lock().unwrap().len(), 1, "what is over is forgotten");
    }
}
