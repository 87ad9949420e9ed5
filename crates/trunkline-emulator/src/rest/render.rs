//! Resources as Twilio writes them: every key of its documents, absolute URLs, dates in whole seconds.
//!
//! `base` is the absolute URL of the collection that was asked: `…/v1` or `…/v1/Services/{IS}`.

use serde_json::{Map, Value, json};

use trunkline_proto::sid::ServiceSid;

use crate::account::Account;
use crate::clock::iso;
use crate::state::records::{
    AddressConfiguration, AutoCreationKind, Configuration, ConversationRecord, EmailBinding, MediaRecord, MediaRef,
    Message, Method, Participant, Receipt, ScopedTarget, ScopedWebhook, User, WebhookConfig,
};
use crate::state::{Notification, Role, Service};

pub(super) fn conversation(account: &Account, base: &str, record: &ConversationRecord) -> Value {
    let url = format!("{base}/Conversations/{}", record.sid);
    json!({
        "sid": record.sid,
        "account_sid": account.account_sid,
        "chat_service_sid": record.service_sid,
        "messaging_service_sid": record.messaging_service_sid,
        "friendly_name": record.friendly_name,
        "unique_name": record.unique_name,
        "attributes": record.attributes,
        "state": record.state.as_str(),
        "date_created": iso(record.date_created),
        "date_updated": iso(record.date_updated),
        "timers": timers(record),
        "bindings": email(record),
        "url": url,
        "links": {
            "participants": format!("{url}/Participants"),
            "messages": format!("{url}/Messages"),
            "webhooks": format!("{url}/Webhooks"),
            "export": format!("{url}/Export"),
        },
    })
}

fn email(record: &ConversationRecord) -> Value {
    match &record.email {
        EmailBinding { address: None, name: None } => json!({}),
        EmailBinding { address, name } => json!({"email": {"address": address, "name": name}}),
    }
}

/// The addresses of a participant; nothing for one that has none.
pub(super) fn binding(participant: &Participant) -> Option<Value> {
    let mut fields = match &participant.binding {
        Some(binding) => {
            let proxy = Some(&binding.proxy_address).filter(|_| binding.is_whole());
            json!({"type": binding.channel, "address": binding.address, "proxy_address": proxy})
        }
        None => participant.projected_address.as_ref().map(|_| json!({"type": "sms"}))?,
    };
    if let (Some(projected), Value::Object(fields)) = (&participant.projected_address, &mut fields) {
        fields.insert("projected_address".to_owned(), json!(projected));
    }
    Some(fields)
}

/// When the timers of a conversation run out.
pub(super) fn timers(record: &ConversationRecord) -> Map<String, Value> {
    let (inactive, closed) = record.timer_dates();
    let dates = [("date_inactive", inactive), ("date_closed", closed)];
    dates.into_iter().filter_map(|(name, date)| Some((name.to_owned(), Value::String(iso(date?))))).collect()
}

pub(super) fn participant(account: &Account, base: &str, participant: &Participant) -> Value {
    json!({
        "sid": participant.sid,
        "account_sid": account.account_sid,
        "conversation_sid": participant.conversation_sid,
        "identity": participant.identity,
        "attributes": participant.attributes,
        "messaging_binding": binding(participant),
        "role_sid": participant.role_sid,
        "last_read_message_index": participant.last_read_message_index,
        "last_read_timestamp": participant.last_read_timestamp,
        "date_created": iso(participant.date_created),
        "date_updated": iso(participant.date_updated),
        "url": format!("{base}/Conversations/{}/Participants/{}", participant.conversation_sid, participant.sid),
    })
}

pub(super) fn message(account: &Account, base: &str, message: &Message) -> Value {
    let url = format!("{base}/Conversations/{}/Messages/{}", message.conversation_sid, message.sid);
    let media = (!message.media.is_empty()).then(|| message.media.iter().map(media_ref).collect::<Vec<_>>());
    json!({
        "sid": message.sid,
        "account_sid": account.account_sid,
        "conversation_sid": message.conversation_sid,
        "index": message.index,
        "author": message.author,
        "body": message.body,
        "media": media,
        "attributes": message.attributes,
        "participant_sid": message.participant_sid,
        "date_created": iso(message.date_created),
        "date_updated": iso(message.date_updated),
        "delivery": message.delivery(),
        "content_sid": message.content_sid,
        "url": url,
        "links": {
            "delivery_receipts": format!("{url}/Receipts"),
            "channel_metadata": format!("{url}/ChannelMetadata"),
        },
    })
}

fn media_ref(file: &MediaRef) -> Value {
    json!({"sid": file.sid, "filename": file.filename, "content_type": file.content_type, "size": file.size})
}

pub(super) fn receipt(account: &Account, base: &str, message: &Message, receipt: &Receipt) -> Value {
    let conversation = message.conversation_sid;
    json!({
        "sid": receipt.sid,
        "account_sid": account.account_sid,
        "conversation_sid": conversation,
        "message_sid": message.sid,
        "channel_message_sid": receipt.channel_message_sid,
        "participant_sid": receipt.participant_sid,
        "status": receipt.status.as_str(),
        "error_code": receipt.error_code,
        "date_created": iso(receipt.date_created),
        "date_updated": iso(receipt.date_updated),
        "url": format!("{base}/Conversations/{conversation}/Messages/{}/Receipts/{}", message.sid, receipt.sid),
    })
}

pub(super) fn scoped_webhook(account: &Account, base: &str, webhook: &ScopedWebhook) -> Value {
    let (target, configuration) = match &webhook.target {
        ScopedTarget::Webhook { url, method, filters } => {
            ("webhook", json!({"url": url, "method": method.lower(), "filters": filters}))
        }
        ScopedTarget::Trigger { url, method, triggers } => {
            ("trigger", json!({"url": url, "method": method.lower(), "filters": triggers}))
        }
        ScopedTarget::Studio { flow_sid } => ("studio", json!({"flow_sid": flow_sid})),
    };
    json!({
        "sid": webhook.sid,
        "account_sid": account.account_sid,
        "conversation_sid": webhook.conversation_sid,
        "target": target,
        "configuration": configuration,
        "date_created": iso(webhook.date_created),
        "date_updated": iso(webhook.date_updated),
        "url": format!("{base}/Conversations/{}/Webhooks/{}", webhook.conversation_sid, webhook.sid),
    })
}

pub(super) fn configuration(
    account: &Account,
    base: &str,
    configuration: &Configuration,
    service: ServiceSid,
) -> Value {
    json!({
        "account_sid": account.account_sid,
        "default_chat_service_sid": service,
        "default_messaging_service_sid": configuration.default_messaging_service_sid,
        "default_inactive_timer": configuration.default_inactive_timer,
        "default_closed_timer": configuration.default_closed_timer,
        "url": format!("{base}/Configuration"),
        "links": {
            "service": format!("{base}/Services/{service}/Configuration"),
            "webhooks": format!("{base}/Configuration/Webhooks"),
        },
    })
}

pub(super) fn account_webhooks(account: &Account, base: &str, config: &WebhookConfig) -> Value {
    json!({
        "account_sid": account.account_sid,
        "pre_webhook_url": config.pre_webhook_url,
        "post_webhook_url": config.post_webhook_url,
        "method": config.method.map_or("POST", |method| method.upper()),
        "filters": config.filters.as_deref().unwrap_or_default(),
        "target": if config.flex { "flex" } else { "webhook" },
        "url": format!("{base}/Configuration/Webhooks"),
    })
}

pub(super) fn service_webhooks(account: &Account, base: &str, service: &Service) -> Value {
    let config = &service.webhooks;
    json!({
        "account_sid": account.account_sid,
        "chat_service_sid": service.sid,
        "pre_webhook_url": config.pre_webhook_url,
        "post_webhook_url": config.post_webhook_url,
        "method": config.method.map(Method::upper),
        "filters": config.filters,
        "url": format!("{base}/Configuration/Webhooks"),
    })
}

pub(super) fn service_configuration(base: &str, service: &Service) -> Value {
    json!({
        "chat_service_sid": service.sid,
        "default_conversation_creator_role_sid": service.creator_role,
        "default_conversation_role_sid": service.participant_role,
        "default_chat_service_role_sid": service.user_role,
        "reachability_enabled": service.reachability_enabled,
        "url": format!("{base}/Configuration"),
        "links": {
            "notifications": format!("{base}/Configuration/Notifications"),
            "webhooks": format!("{base}/Configuration/Webhooks"),
        },
    })
}

pub(super) fn notifications(account: &Account, base: &str, service: &Service) -> Value {
    let all = &service.notifications;
    let kind = |one: &Notification| json!({"enabled": one.enabled, "template": one.template, "sound": one.sound});
    let mut new_message = kind(&all.new_message);
    if let Value::Object(fields) = &mut new_message {
        fields.insert("badge_count_enabled".to_owned(), json!(all.badge_count_enabled));
        let with_media = json!({"enabled": all.with_media_enabled, "template": all.with_media_template});
        fields.insert("with_media".to_owned(), with_media);
    }
    json!({
        "account_sid": account.account_sid,
        "chat_service_sid": service.sid,
        "new_message": new_message,
        "added_to_conversation": kind(&all.added),
        "removed_from_conversation": kind(&all.removed),
        "log_enabled": all.log_enabled,
        "url": format!("{base}/Configuration/Notifications"),
    })
}

pub(super) fn service(account: &Account, base: &str, service: &Service) -> Value {
    json!({
        "sid": service.sid,
        "account_sid": account.account_sid,
        "friendly_name": service.friendly_name,
        "date_created": iso(service.date_created),
        "date_updated": iso(service.date_updated),
        "url": base,
        "links": {
            "conversations": format!("{base}/Conversations"),
            "users": format!("{base}/Users"),
            "roles": format!("{base}/Roles"),
            "bindings": format!("{base}/Bindings"),
            "configuration": format!("{base}/Configuration"),
            "participant_conversations": format!("{base}/ParticipantConversations"),
            "conversation_with_participants": format!("{base}/ConversationWithParticipants"),
        },
    })
}

pub(super) fn role(account: &Account, base: &str, role: &Role) -> Value {
    json!({
        "sid": role.sid,
        "account_sid": account.account_sid,
        "chat_service_sid": role.service_sid,
        "friendly_name": role.friendly_name,
        "type": role.scope.as_str(),
        "permissions": role.permissions,
        "date_created": iso(role.date_created),
        "date_updated": iso(role.date_updated),
        "url": format!("{base}/Roles/{}", role.sid),
    })
}

pub(super) fn address(account: &Account, base: &str, address: &AddressConfiguration) -> Value {
    let rule = &address.auto_creation;
    let mut auto_creation = json!({
        "enabled": rule.enabled,
        "type": rule.kind.as_str(),
        "conversation_service_sid": rule.service_sid.unwrap_or(account.chat_service_sid),
    });
    let more = match rule.kind {
        AutoCreationKind::Webhook => json!({
            "webhook_url": rule.webhook_url,
            "webhook_method": rule.webhook_method.map_or("POST", |method| method.upper()),
            "webhook_filters": rule.webhook_filters,
        }),
        AutoCreationKind::Studio => json!({
            "studio_flow_sid": rule.studio_flow_sid,
            "studio_retry_count": rule.studio_retry_count.unwrap_or_default(),
        }),
        AutoCreationKind::Default => json!({}),
    };
    if let (Value::Object(all), Value::Object(more)) = (&mut auto_creation, more) {
        all.extend(more);
    }
    json!({
        "sid": address.sid,
        "account_sid": account.account_sid,
        "type": address.kind,
        "address": address.address,
        "friendly_name": address.friendly_name,
        "address_country": address.address_country,
        "auto_creation": auto_creation,
        "date_created": iso(address.date_created),
        "date_updated": iso(address.date_updated),
        "url": format!("{base}/Configuration/Addresses/{}", address.sid),
    })
}

pub(super) fn user(account: &Account, base: &str, user: &User) -> Value {
    let url = format!("{base}/Users/{}", user.sid);
    json!({
        "sid": user.sid,
        "account_sid": account.account_sid,
        "chat_service_sid": user.service_sid,
        "role_sid": user.role_sid,
        "identity": user.identity,
        "friendly_name": user.friendly_name,
        "attributes": user.attributes,
        // Known only with the reachability indicator, which is not emulated.
        "is_online": null,
        "is_notifiable": null,
        "date_created": iso(user.date_created),
        "date_updated": iso(user.date_updated),
        "url": url,
        "links": {"user_conversations": format!("{url}/Conversations")},
    })
}

/// A file whose own address is `url`.
pub(crate) fn media(account: &Account, url: &str, file: &MediaRecord) -> Value {
    json!({
        "sid": file.sid,
        "service_sid": account.chat_service_sid,
        "date_created": iso(file.date_created),
        "date_updated": iso(file.date_updated),
        "size": file.size,
        "content_type": file.content_type,
        "filename": file.filename,
        "author": file.author,
        "category": "media",
        "message_sid": file.message_sid,
        "channel_sid": file.conversation_sid,
        "url": url,
        "links": {
            "content_direct_temporary": format!("{url}/Content"),
            "content": format!("{url}/Content"),
        },
        "is_multipart_upstream": false,
    })
}
