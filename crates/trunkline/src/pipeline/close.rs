//! The end of a conversation that was closed at its platform by us.

use jiff::Timestamp;
use trunkline_bus::{Bus, Subject};
use trunkline_core::Envelope;
use trunkline_core::event::{CONVERSATION_CHANGED, ConversationChanged, ConversationPhase};
use trunkline_store::{ConversationRow, Store};

use super::Context;
use crate::live::Live;

/// Tells everybody and notes it. The platform tells nobody what it was told by us: whoever reads the bus hears it from
/// here.
///
/// # Errors
/// The code of what did not work; it may be done again.
pub(crate) async fn tell_closed(
    (store, bus, ingress, live): (&Store, &dyn Bus, &Subject, &Live),
    row: &ConversationRow,
) -> Result<(), &'static str> {
    let now = Timestamp::now();
    let fact = ConversationChanged {
        conversation: row.external_id.clone(),
        state: ConversationPhase::Closed,
        friendly_name: None,
        attributes: None,
        created: false,
    };
    let key = format!("{}:closed:{}", row.id, now.as_millisecond());
    let envelope = Envelope::new(key, &row.connector, CONVERSATION_CHANGED, &row.external_id, now, &fact)
        .map_err(|error| error.code())?;
    bus.publish(ingress, &envelope).await.map_err(|error| error.code())?;
    store
        .set_conversation_state(&row.connector, &row.external_id, ConversationPhase::Closed)
        .await
        .map_err(|error| error.code())?;
    live.changed(&row.id);
    Ok(())
}

/// As [`tell_closed`], for whoever has everything.
pub(crate) async fn close_conversation(context: &Context, row: &ConversationRow) -> Result<(), &'static str> {
    tell_closed((&context.store, &*context.bus, &context.subjects.ingress, &context.live), row).await
}
