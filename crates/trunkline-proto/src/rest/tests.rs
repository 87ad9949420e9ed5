//! Golden answers from Twilio's own description are read and written back key for key.

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!("../../tests/data/rest/", $file))
    };
}

/// Reads `text` as a `T`, writes it, and wants the same JSON back.
fn check<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let value: T = serde_json::from_str(text).unwrap();
    let expect: Value = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), expect);
    value
}

#[test]
fn conversations_are_read_and_written_back() {
    let full: Conversation = check(golden!("conversation.json"));
    assert_eq!(full.state, ConversationState::Inactive);
    assert_eq!(full.timers.date_closed.unwrap().to_string(), "2015-12-16T22:28:38Z");
    let bare: Conversation = check(golden!("conversation_without_timers.json"));
    assert_eq!((bare.timers, bare.attributes.as_str()), (Timers::default(), "{}"));
    let page: Page<Conversation> = check(golden!("conversations_page.json"));
    assert_eq!((page.items.len(), page.meta.next_page_url), (1, None));
}

#[test]
fn messages_and_receipts_are_read_and_written_back() {
    let text: Message = check(golden!("message.json"));
    assert_eq!((text.index, text.body.as_deref(), text.media), (0, Some("Hello"), None));
    assert_eq!(text.delivery.unwrap().delivered, DeliveryAmount::Some);
    let media: Message = check(golden!("message_with_media.json"));
    assert_eq!(media.body, None);
    assert_eq!(media.media.unwrap()[0].size, Some(42056));
    let receipts: Page<Receipt> = check(golden!("receipts_page.json"));
    assert_eq!((&receipts.items[0].status, receipts.items[0].error_code), (&DeliveryStatus::Failed, 3000));
}

#[test]
fn participants_are_read_and_written_back() {
    let page: Page<Participant> = check(golden!("participants_page.json"));
    let [phone, chat] = &page.items[..] else { panic!("two participants") };
    assert_eq!(phone.messaging_binding.as_ref().unwrap().kind, BindingType::Sms);
    assert_eq!((chat.identity.as_deref(), &chat.messaging_binding), (Some("IDENTITY"), &None));
    let group: Participant = check(golden!("participant_group_mms.json"));
    assert_eq!(group.messaging_binding.unwrap().address, None);
}

#[test]
fn webhooks_are_read_and_written_back() {
    let account: WebhookConfiguration = check(golden!("account_webhooks.json"));
    assert_eq!((account.chat_service_sid, account.target), (None, Some(WebhookTarget::Webhook)));
    let service: WebhookConfiguration = check(golden!("service_webhooks.json"));
    assert!(service.chat_service_sid.is_some());
    let empty: WebhookConfiguration = check(golden!("service_webhooks_empty.json"));
    assert_eq!((empty.filters, empty.method), (None, None));
    let scoped: Page<ScopedWebhook> = check(golden!("scoped_webhooks_page.json"));
    assert_eq!(scoped.items[2].target, WebhookTarget::Studio);
}

#[test]
fn settings_are_read_and_written_back() {
    let configuration: Configuration = check(golden!("configuration.json"));
    assert_eq!(configuration.default_inactive_timer.as_deref(), Some("PT1M"));
    let service: Service = check(golden!("service.json"));
    assert_eq!(service.friendly_name.as_deref(), Some("My First Service"));
    let addresses: Page<AddressConfiguration> = check(golden!("addresses_page.json"));
    assert_eq!(addresses.items[1].auto_creation.as_ref().unwrap().studio_retry_count, Some(3));
}

#[test]
fn a_file_of_the_media_service_is_read_with_and_without_its_links() {
    let text = json!({
        "sid": "ME00000000000000000000000000000001", "service_sid": "IS00000000000000000000000000000001",
        "date_created": "2026-11-20T10:11:12.345Z", "date_updated": null, "size": 7, "content_type": "image/png",
        "filename": null, "author": "system", "category": "media", "message_sid": null, "channel_sid": null,
        "url": "https://mcs.us1.twilio.com/x", "links": {"content": "/c", "content_direct_temporary": null},
        "is_multipart_upstream": false
    });
    let media: Media = serde_json::from_value(text).unwrap();
    assert_eq!(media.links, Links::from([("content".to_owned(), "/c".to_owned())]));
    assert_eq!(serde_json::to_value(&media).unwrap()["date_created"], "2026-11-20T10:11:12Z");
}

#[test]
fn unknown_fields_and_values_are_tolerated() {
    let mut text: Value = serde_json::from_str(golden!("conversation.json")).unwrap();
    text["state"] = json!("Hibernating");
    text["colour"] = json!({"of": "tomorrow"});
    text["attributes"] = Value::Null;
    text["timers"] = Value::Null;
    let conversation: Conversation = serde_json::from_value(text).unwrap();
    assert_eq!(conversation.state, ConversationState::Unknown("Hibernating".into()));
    assert_eq!(conversation.attributes, "{}");
}

#[test]
fn both_shapes_of_a_refusal_give_code_and_status() {
    let classic: ApiError = check(r#"{"code":50433,"message":"m","more_info":"i","status":409}"#);
    assert_eq!((classic.code(), classic.status()), (50433, Some(409)));
    let problem: ApiError = check(
        r#"{"type":"t","title":"x","status":400,"code":20001,"detail":"d","errors":[{"detail":"e","pointer":"/p"}]}"#,
    );
    assert!(matches!(problem, ApiError::Problem(_)));
    assert_eq!((problem.code(), problem.status()), (20001, Some(400)));
    let bare: ApiError = serde_json::from_str(r#"{"code":20404}"#).unwrap();
    assert_eq!((bare.code(), bare.status()), (20404, None));
}

#[test]
fn a_refusal_prints_numbers_only() {
    let text = r#"{"code":50416,"message":"+15005550006 is bound","status":409}"#;
    let error: ApiError = serde_json::from_str(text).unwrap();
    assert_eq!(format!("{error:?}"), "ApiError { code: 50416, status: Some(409), .. }");
}

#[test]
fn a_page_without_its_items_is_an_error() {
    for text in [r#"{"items":[]}"#, r#"{"meta":{"key":"a"},"b":[]}"#, r#"{"meta":{"key":"a"},"a":{}}"#, r#"{"meta":1}"#]
    {
        assert!(serde_json::from_str::<Page<Message>>(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in ".{0,80}", key in "[a-z]{0,5}") {
        prop_assert!(serde_json::from_str::<Message>(&text).is_err());
        let page = format!(r#"{{"meta":{{"key":"{key}"}},"a":[{text}]}}"#);
        if let Ok(page) = serde_json::from_str::<Page<Value>>(&page) {
            prop_assert_eq!(page.meta.key, "a");
        }
    }
}
