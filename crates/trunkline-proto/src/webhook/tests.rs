//! Parsing of every event, and the keys that make two reports one.

use proptest::prelude::*;

use super::*;
use crate::rest::{BindingType, ConversationState, DeliveryStatus};

const AC: &str = "AC00000000000000000000000000000001";
const CH: &str = "CH00000000000000000000000000000001";
const IM: &str = "IM00000000000000000000000000000001";
const MB: &str = "MB00000000000000000000000000000001";
const DY: &str = "DY00000000000000000000000000000001";
const US: &str = "US00000000000000000000000000000001";

/// Everything that any event may have, so that each can be parsed from the same parameters.
fn params(event: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let base = [
        ("AccountSid", AC),
        ("EventType", event),
        ("Source", "SMS"),
        ("RetryCount", "0"),
        ("ConversationSid", CH),
        ("MessageSid", IM),
        ("ParticipantSid", MB),
        ("Index", "3"),
        ("Author", "+15005550006"),
        ("Body", "Hello"),
        ("Attributes", "{}"),
        ("DateCreated", "2026-11-20T10:11:12.345Z"),
        ("DateUpdated", "2026-11-20T10:11:13Z"),
        ("DeliveryReceiptSid", DY),
        ("ChannelMessageSid", "SM00000000000000000000000000000001"),
        ("Status", "delivered"),
        ("ErrorCode", "0"),
        ("StateFrom", "active"),
        ("StateTo", "closed"),
        ("UserSid", US),
    ];
    let is_replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
    let kept = base.into_iter().filter(|(name, _)| !is_replaced(name));
    kept.chain(more.iter().copied()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn parse(event: &str, more: &[(&str, &str)]) -> ConversationsWebhook {
    ConversationsWebhook::parse(&params(event, more)).unwrap()
}

#[test]
fn all_twenty_three_events_are_known_by_name() {
    assert_eq!(EventType::ALL.len(), 23);
    for event_type in EventType::ALL {
        let webhook = parse(event_type.as_str(), &[]);
        assert_eq!(webhook.event.event_type(), *event_type);
        assert_eq!(event_type.is_pre_event(), !event_type.as_str().ends_with("ed"), "{event_type}");
    }
}

#[test]
fn a_message_is_read_whole() {
    let media = r#"[{"Sid":"ME00000000000000000000000000000001","Filename":"cat.jpg","ContentType":"image/jpeg","Size":9},
        {"sid":"ME00000000000000000000000000000002","filename":null,"content_type":"image/png","size":7}]"#;
    let webhook = parse("onMessageAdded", &[("Media", media), ("Body", ""), ("Flavour", "mint"), ("Index", "4")]);
    assert_eq!(webhook.common.source, Some(Source::Sms));
    assert_eq!((webhook.common.retry_count, webhook.common.client_identity), (Some(0), None));
    assert!(webhook.unknown.contains(&("Flavour".to_owned(), "mint".to_owned())));
    let ConversationsEvent::OnMessageAdded(added) = webhook.event else { panic!("a message") };
    assert_eq!((added.conversation_sid.as_str(), added.message_sid.as_str(), added.index), (CH, IM, 4));
    assert_eq!((added.body.as_str(), added.author.as_str()), ("", "+15005550006"));
    assert_eq!(added.participant_sid.unwrap().as_str(), MB);
    assert_eq!(added.date_created.unwrap().to_string(), "2026-11-20T10:11:12.345Z");
    let [jpeg, png] = &added.media[..] else { panic!("two files") };
    assert_eq!((jpeg.filename.as_deref(), jpeg.size), (Some("cat.jpg"), Some(9)));
    assert_eq!((png.content_type.as_deref(), png.size), (Some("image/png"), Some(7)));
}

#[test]
fn a_binding_is_read_without_regard_to_case() {
    for kind in ["WHATSAPP", "whatsapp", "WhatsApp"] {
        let address = ("MessagingBinding.Address", "whatsapp:+15005550006");
        let webhook = parse("onParticipantAdded", &[("MessagingBinding.Type", kind), address]);
        let ConversationsEvent::OnParticipantAdded(added) = webhook.event else { panic!("a participant") };
        assert_eq!(added.messaging_binding.kind, Some(BindingType::WhatsApp));
        assert_eq!(added.messaging_binding.address.as_deref(), Some("whatsapp:+15005550006"));
    }
}

#[test]
fn a_delivery_and_a_state_are_read() {
    let ConversationsEvent::OnDeliveryUpdated(delivery) = parse("onDeliveryUpdated", &[]).event else { panic!("one") };
    assert_eq!((delivery.status, delivery.error_code), (DeliveryStatus::Delivered, Some(0)));
    let ConversationsEvent::OnConversationStateUpdated(state) = parse("onConversationStateUpdated", &[]).event else {
        panic!("a state")
    };
    assert_eq!((state.state_from, state.state_to), (ConversationState::Active, ConversationState::Closed));
}

#[test]
fn an_unknown_event_is_kept_whole() {
    let webhook = parse("onMessageTranslated", &[]);
    assert_eq!(webhook.event, ConversationsEvent::Unknown("onMessageTranslated".into()));
    assert!(webhook.unknown.contains(&("MessageSid".to_owned(), IM.to_owned())));
    assert!(!webhook.unknown.iter().any(|(name, _)| name == "AccountSid"));
    assert_eq!(webhook.event.conversation_sid(), None);
}

#[test]
fn the_first_of_two_values_counts_and_the_other_is_kept() {
    let mut params = params("onMessageAdded", &[]);
    params.push(("Index".to_owned(), "9".to_owned()));
    let webhook = ConversationsWebhook::parse(&params).unwrap();
    let ConversationsEvent::OnMessageAdded(added) = &webhook.event else { panic!("a message") };
    assert_eq!(added.index, 3);
    assert!(webhook.unknown.contains(&("Index".to_owned(), "9".to_owned())));
}

#[test]
fn what_an_event_needs_is_missed_by_name() {
    let check = |event: &str, name: &'static str| {
        let without: Vec<_> = params(event, &[]).into_iter().filter(|(known, _)| known != name).collect();
        let error = ConversationsWebhook::parse(&without).unwrap_err();
        assert_eq!(error, WebhookError::MissingParameter { name: name.into() });
        assert_eq!(error.code(), "proto.webhook.missing_parameter");
        assert_eq!(ConversationsWebhook::parse(&params(event, &[(name, "")])).unwrap_err(), error);
    };
    for name in ["AccountSid", "EventType", "ConversationSid", "MessageSid", "Index", "Author"] {
        check("onMessageAdded", name);
    }
    for name in ["ConversationSid", "MessageSid", "DeliveryReceiptSid", "Status"] {
        check("onDeliveryUpdated", name);
    }
    for name in ["ConversationSid", "StateFrom", "StateTo"] {
        check("onConversationStateUpdated", name);
    }
    check("onConversationAdded", "ConversationSid");
    check("onParticipantAdded", "ParticipantSid");
    check("onUserUpdated", "UserSid");
}

#[test]
fn what_is_malformed_is_named_and_not_repeated() {
    for (name, value) in [
        ("AccountSid", "secret"),
        ("ConversationSid", IM),
        ("MessageSid", "IM1"),
        ("Index", "-1"),
        ("RetryCount", "many"),
        ("DateCreated", "yesterday"),
        ("Media", "{]"),
    ] {
        let error = ConversationsWebhook::parse(&params("onMessageAdded", &[(name, value)])).unwrap_err();
        assert_eq!(error, WebhookError::BadParameter { name: name.into() });
        assert_eq!(error.to_string(), format!("the parameter {name} is malformed"));
        assert_eq!(error.code(), "proto.webhook.bad_parameter");
    }
}

#[test]
fn a_message_has_one_key_however_it_is_seen() {
    let webhook = parse("onMessageAdded", &[]);
    let key = format!("{IM}:onMessageAdded");
    assert_eq!(webhook.dedupe_key(None), key);
    assert_eq!(webhook.dedupe_key(Some("token")), key);
    assert_eq!(message_added_key(IM.parse().unwrap()), key);
    assert_eq!(parse("onMessageAdded", &[("RetryCount", "1")]).dedupe_key(None), key);
}

#[test]
fn a_token_is_the_key_of_everything_else() {
    let webhook = parse("onDeliveryUpdated", &[]);
    assert_eq!(webhook.dedupe_key(Some("t1")), "t1:onDeliveryUpdated");
    let fallback = format!("{DY}:onDeliveryUpdated:delivered");
    assert_eq!(webhook.dedupe_key(None), fallback);
    assert_eq!(webhook.dedupe_key(Some("")), fallback);
    assert_eq!(webhook.dedupe_key(Some(&"t".repeat(129))), fallback);
}

#[test]
fn keys_tell_changes_apart_and_repetitions_not() {
    let differs = |event: &str, more: &[(&str, &str)]| {
        let key = parse(event, &[]).dedupe_key(None);
        assert_eq!(key, parse(event, &[("RetryCount", "2")]).dedupe_key(None), "{event}");
        assert_ne!(key, parse(event, more).dedupe_key(None), "{event} {more:?}");
    };
    differs("onDeliveryUpdated", &[("Status", "read")]);
    differs("onConversationStateUpdated", &[("StateTo", "inactive")]);
    differs("onMessageUpdated", &[("Body", "Hello!")]);
    differs("onMessageUpdated", &[("DateUpdated", "2026-11-20T10:11:14Z")]);
    differs("onConversationUpdated", &[("FriendlyName", "A")]);
    differs("onParticipantUpdated", &[("LastReadMessageIndex", "1")]);
    differs("onUserUpdated", &[("isOnline", "true")]);
    differs("onConversationAdd", &[("MessageBody", "x")]);
    differs("onMessageAdd", &[("Body", "x")]);
    differs("onParticipantAdd", &[("Identity", "x")]);
    differs("onSomethingNew", &[("Body", "x")]);
    let keys: std::collections::BTreeSet<_> =
        EventType::ALL.iter().map(|event| parse(event.as_str(), &[]).dedupe_key(None)).collect();
    assert_eq!(keys.len(), EventType::ALL.len());
}

#[test]
fn keys_hold_no_address_and_no_text() {
    let more = [("MessagingBinding.Address", "+15005550006"), ("MessageBody", "Hello"), ("FriendlyName", "Hello")];
    for event in EventType::ALL.iter().map(EventType::as_str).chain(["onSomethingNew"]) {
        let key = parse(event, &more).dedupe_key(None);
        assert!(!key.contains("+1500") && !key.contains("Hello"), "{key}");
    }
}

proptest! {
    #[test]
    fn no_parameters_make_it_panic(event in 0..24_usize, name in 0..20_usize, value in ".{0,40}") {
        let event = EventType::ALL.get(event).map_or("onSomethingNew", EventType::as_str);
        let mut params = params(event, &[]);
        params[name].1 = value;
        if let Ok(webhook) = ConversationsWebhook::parse(&params) {
            prop_assert!(!webhook.dedupe_key(None).is_empty());
        }
    }
}
