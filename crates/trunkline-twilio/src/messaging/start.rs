//! Start: are the credentials good, is Twilio there, do webhooks come here?

use trunkline_core::messaging::{ErrorCode, MessagingError, Operation};
use trunkline_proto::rest::WebhookConfiguration;
use trunkline_proto::sid::ServiceSid;
use trunkline_proto::webhook::EventType;

use super::failure::failed;
use crate::rest::{RestClient, RestError, WebhookUpdate};

/// The events that a registered webhook is asked for.
pub const HANDLED_EVENTS: &[EventType] = &[
    EventType::OnConversationAdded,
    EventType::OnConversationUpdated,
    EventType::OnConversationRemoved,
    EventType::OnConversationStateUpdated,
    EventType::OnMessageAdded,
    EventType::OnMessageUpdated,
    EventType::OnMessageRemoved,
    EventType::OnParticipantAdded,
    EventType::OnParticipantUpdated,
    EventType::OnParticipantRemoved,
    EventType::OnDeliveryUpdated,
];

const METHOD: &str = "POST";

/// Verifies credentials and reachability. The service that uploads go to, if Twilio names one.
pub(super) async fn verify(rest: &RestClient) -> Result<Option<ServiceSid>, MessagingError> {
    let failed = |error| failed(Operation::Start, error);
    match rest.config().service_sid {
        Some(sid) => match rest.fetch_service(sid).await {
            Ok(service) => Ok(Some(service.sid)),
            Err(error) if error.is_not_found() => {
                let message = "chat_service_sid names no service of this account";
                Err(MessagingError::new(Operation::Start, ErrorCode::InvalidConfig, message).with_source(error))
            }
            Err(error) => Err(failed(error)),
        },
        None => Ok(rest.fetch_configuration().await.map_err(failed)?.default_chat_service_sid),
    }
}

/// What was found where webhooks are registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookRegistration {
    /// No `webhook_url` is set.
    NotWanted,
    /// They come to `webhook_url` already.
    Kept,
    /// They went nowhere, or not all of them came; now they do.
    Made,
    /// They went elsewhere; now they come to `webhook_url`.
    Taken,
}

/// Points the post-webhook at `url`, and the pre-webhook if there are pre-events that we want to be `asked` of, unless
/// they do already.
pub(super) async fn register_webhook(
    rest: &RestClient,
    operation: Operation,
    url: &str,
    asked: &[EventType],
) -> Result<WebhookRegistration, MessagingError> {
    let failed = |error: RestError| match &error {
        RestError::Refused { .. } => {
            let message = "Twilio refused webhook_url";
            MessagingError::new(operation, ErrorCode::InvalidConfig, message).with_source(error)
        }
        _ => failed(operation, error),
    };
    let present = rest.fetch_webhooks().await.map_err(failed)?;
    if is_registered(&present, url, asked) {
        return Ok(WebhookRegistration::Kept);
    }
    let asked_before = present.pre_webhook_url.as_deref().unwrap_or_default();
    if !asked.is_empty() && !asked_before.is_empty() && asked_before != url {
        tracing::warn!("somebody else was asked before Twilio acts; now this gateway is");
    }
    let update = WebhookUpdate {
        pre_webhook_url: (!asked.is_empty()).then(|| url.to_owned()),
        post_webhook_url: Some(url.to_owned()),
        method: Some(METHOD.to_owned()),
        filters: filters(&present, asked),
    };
    rest.update_webhooks(&update).await.map_err(failed)?;
    tracing::info!("the webhook was registered with Twilio");
    let found = present.post_webhook_url.as_deref().unwrap_or_default();
    Ok(if found.is_empty() || found == url { WebhookRegistration::Made } else { WebhookRegistration::Taken })
}

/// Whether webhooks for all handled events, and questions about all that we want to be asked of, come to `url`.
pub(super) fn is_registered(present: &WebhookConfiguration, url: &str, asked: &[EventType]) -> bool {
    let filters = present.filters.as_deref().unwrap_or_default();
    let is_asked = asked.is_empty() || present.pre_webhook_url.as_deref() == Some(url);
    is_asked
        && present.post_webhook_url.as_deref() == Some(url)
        && present.method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case(METHOD))
        && HANDLED_EVENTS.iter().chain(asked).all(|event| filters.iter().any(|filter| filter == event.as_str()))
}

/// The handled events, those that we want to be asked of, and the pre-events that someone else's pre-webhook was asked
/// for: one list serves all.
fn filters(present: &WebhookConfiguration, asked: &[EventType]) -> Vec<String> {
    let has_pre_webhook = present.pre_webhook_url.as_deref().is_some_and(|url| !url.is_empty());
    let kept = present.filters.iter().flatten().filter(|name| EventType::from(name.as_str()).is_pre_event());
    let kept = kept.filter(|name| has_pre_webhook && !asked.iter().any(|event| event.as_str() == name.as_str()));
    let handled = HANDLED_EVENTS.iter().chain(asked).map(|event| event.as_str().to_owned());
    handled.chain(kept.cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(pre: Option<&str>, filters: &[&str]) -> WebhookConfiguration {
        WebhookConfiguration {
            account_sid: "AC00000000000000000000000000000001".parse().unwrap(),
            chat_service_sid: None,
            pre_webhook_url: pre.map(str::to_owned),
            post_webhook_url: Some("https://h/x".to_owned()),
            method: Some("POST".to_owned()),
            filters: Some(filters.iter().map(|&filter| filter.to_owned()).collect()),
            target: None,
            url: None,
        }
    }

    #[test]
    fn a_foreign_pre_webhook_keeps_its_events() {
        let theirs = ["onMessageAdd", "onUserAdded"];
        assert_eq!(filters(&present(None, &theirs), &[]).len(), HANDLED_EVENTS.len());
        let kept = filters(&present(Some("https://other/pre"), &theirs), &[]);
        assert_eq!(kept.last().map(String::as_str), Some("onMessageAdd"));
        assert_eq!(kept.len(), HANDLED_EVENTS.len() + 1);
    }

    #[test]
    fn registered_means_address_method_and_every_event() {
        let all: Vec<_> = HANDLED_EVENTS.iter().map(EventType::as_str).collect();
        assert!(is_registered(&present(None, &all), "https://h/x", &[]));
        assert!(!is_registered(&present(None, &all), "https://h/y", &[]));
        assert!(!is_registered(&present(None, &all[1..]), "https://h/x", &[]));
        let with_get = WebhookConfiguration { method: Some("GET".to_owned()), ..present(None, &all) };
        assert!(!is_registered(&with_get, "https://h/x", &[]));
    }

    #[test]
    fn who_wants_to_be_asked_is_registered_for_that_too() {
        let all: Vec<_> = HANDLED_EVENTS.iter().map(EventType::as_str).collect();
        let asked = [EventType::OnMessageAdd];
        let registered = present(None, &all);
        assert!(is_registered(&registered, "https://h/x", &[]));
        assert!(!is_registered(&registered, "https://h/x", &asked));
        let wanted = filters(&present(Some("https://h/x"), &["onMessageAdd"]), &asked);
        assert_eq!(wanted.iter().filter(|filter| *filter == "onMessageAdd").count(), 1);
        let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
        assert!(is_registered(&present(Some("https://h/x"), &wanted), "https://h/x", &asked));
    }
}
