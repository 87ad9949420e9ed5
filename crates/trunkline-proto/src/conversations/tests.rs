use serde_json::{Value, json};

use super::*;

/// The smallest form that is read, and the whole one, which is written back as it was.
fn both<T: serde::de::DeserializeOwned + serde::Serialize>(smallest: &Value, whole: &Value) -> T {
    let read: T = serde_json::from_value(whole.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), whole);
    serde_json::from_value(smallest.clone()).unwrap()
}

#[test]
fn an_item_of_my_conversations() {
    let smallest: MyConversation = both(
        &json!({"status": "joined", "channel": "CH1.channel"}),
        &json!({
            "status": "joined", "channel": "CH1.channel", "messages": "CH1.messages", "roster": "CH1.roster",
            "lastConsumedMessageIndex": 3, "notificationLevel": "default",
        }),
    );
    assert_eq!(smallest.last_consumed_message_index, None);
}

#[test]
fn a_conversation() {
    let smallest: ConversationData = both(
        &json!({"sid": "CH1", "messages": "m", "roster": "r", "attributes": {"a": 1}}),
        &json!({
            "sid": "CH1", "friendlyName": "n", "uniqueName": null, "attributes": "{}", "createdBy": "alice",
            "dateCreated": "d", "dateUpdated": "d", "messages": "m", "roster": "r",
            "lastMessage": {"index": 7, "timestamp": "d"}, "state": {"current": "active", "dateUpdated": "d"},
            "bindings": {},
        }),
    );
    assert_eq!(smallest.attributes, r#"{"a":1}"#);
}

#[test]
fn a_message() {
    let media = json!({"sid": "ME1", "category": "media", "filename": "a.txt", "contentType": "text/plain", "size": 5});
    let smallest: MessageData = both(
        &json!({"sid": "IM1", "index": 0}),
        &json!({
            "sid": "IM1", "index": 7, "author": "alice", "text": "hello", "type": "media", "timestamp": "d",
            "dateUpdated": "d", "lastUpdatedBy": null, "attributes": "{}", "memberSid": "MB1", "subject": null,
            "medias": [media], "media": media, "delivery": {"total": 1},
        }),
    );
    assert_eq!((smallest.attributes.as_str(), smallest.author), ("{}", None));
}

#[test]
fn a_participant() {
    let smallest: ParticipantData = both(
        &json!({"type": "sms"}),
        &json!({
            "identity": "alice", "attributes": "{}", "dateCreated": "d", "dateUpdated": "d", "roleSid": "RL1",
            "type": "chat", "userInfo": "US1.info", "lastConsumedMessageIndex": null,
            "lastConsumptionTimestamp": null, "bindings": {},
        }),
    );
    assert_eq!(smallest.identity, None);
}

#[test]
fn typing_and_the_configuration() {
    let typing: Typing = both(
        &json!({"channel_sid": "CH1", "identity": "bob"}),
        &json!({"channel_sid": "CH1", "identity": "bob", "typing_timeout": 5}),
    );
    assert_eq!(typing.typing_timeout, 5);
    let smallest: Configuration = serde_json::from_value(json!({
        "identity": "bob", "sync_objects": {"my_user_info": "US1.info", "my_conversations": "US1.channels"},
        "links": {"my_conversations": "https://m", "conversations": "https://c", "typing": "https://t", "new": "https://n"},
    }))
    .unwrap();
    assert_eq!(smallest.links.other.len(), 1);
}
