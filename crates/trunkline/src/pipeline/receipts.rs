//! What a provider tells of a message after it was accepted, and what follows from it.

use trunkline_core::event::DeliveryUpdated;
use trunkline_store::StoreError;

use super::Context;
use super::gate::{OPTED_OUT_AT_TWILIO, WINDOW_CLOSED_AT_TWILIO, filled};
use super::keywords::send_row;

/// Draws the consequences of a receipt that was noted. Doing it twice is harmless.
pub(super) async fn heed(
    context: &Context,
    receipt: &DeliveryUpdated,
    conversation_id: &str,
) -> Result<(), StoreError> {
    match receipt.error {
        Some(OPTED_OUT_AT_TWILIO) => {
            context.store.consent_withdrawn(conversation_id, receipt.participant.as_deref()).await
        }
        Some(WINDOW_CLOSED_AT_TWILIO) => {
            let Some(template) = &context.settings.whatsapp.template else { return Ok(()) };
            let again = context.store.say_as_template(&receipt.message, |text| filled(template, text)).await?;
            if let Some(outbox_id) = again {
                tracing::info!("a message came too late for WhatsApp; it is sent again as a template");
                send_row(context, &outbox_id).await;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
