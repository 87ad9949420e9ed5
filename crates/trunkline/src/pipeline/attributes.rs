//! What a platform keeps beside a conversation, where its webhook of that never came.

use std::time::Duration;

use trunkline_store::{ConversationRow, StoreError};

use super::Context;

/// How long a turn waits for the platform; then it goes by what is known.
const WAIT: Duration = Duration::from_secs(2);

/// Asks the platform for the attributes of a conversation, once, if routes need them and nobody has told them. What cannot
/// be told now is asked for with the next turn.
pub(super) async fn learn(context: &Context, row: &ConversationRow) -> Result<(), StoreError> {
    let store = &context.store;
    if !context.agents.need_attributes()
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
        Ok(Err(error)) => tracing::warn!(error.code = error.code, "the attributes of a conversation are not known"),
        Err(_) => tracing::warn!("the attributes of a conversation are not known in time"),
    }
    Ok(())
}
