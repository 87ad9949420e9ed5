//! Webhooks: accepted when signed and whole. A subject without webhooks passes.

use trunkline_core::messaging::{ErrorCode, Operation};

use super::Subject;
use super::checks::{Ended, done, ensure, next, refused, running, with_person};

pub(super) async fn a_webhook_reaches_the_streams(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let Some(webhook) = subject.webhook(&id, "by webhook") else { return Ok(()) };
    let mut stream = done(backend.receive_messages(&id).await)?;
    done(backend.handle_webhook(&webhook).await)?;
    let message = next(&mut stream).await?.ok_or_else(|| "the stream ended".to_owned())?;
    let is_it = message.body.expose() == "by webhook" && message.conversation == id;
    ensure(is_it, || format!("another message came, in {}", message.conversation))
}

pub(super) async fn a_forged_webhook_reaches_nobody(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let Some(webhook) = subject.webhook(&id, "forged") else { return Ok(()) };
    let mut stream = done(backend.receive_messages(&id).await)?;
    let unsigned = trunkline_core::messaging::WebhookEvent { headers: Vec::new(), ..webhook.clone() };
    for wrong in [subject.forged(webhook), unsigned] {
        let result = backend.handle_webhook(&wrong).await;
        refused(result, Operation::HandleWebhook, ErrorCode::InvalidSignature)?;
    }
    done(backend.close_conversation(&id).await)?;
    let heard = next(&mut stream).await?;
    ensure(heard.is_none(), || "the message was handed on all the same".to_owned())
}

pub(super) async fn an_incomplete_webhook_is_refused(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let Some(webhook) = subject.incomplete_webhook() else { return Ok(()) };
    refused(backend.handle_webhook(&webhook).await, Operation::HandleWebhook, ErrorCode::InvalidWebhook)
}
