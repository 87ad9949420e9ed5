use proptest::prelude::*;
use serde_json::json;

use super::event::ChangedItem;
use super::*;

fn event(kind: ObjectKind, change: Change) -> Event {
    Event {
        kind,
        object_sid: "MP1".into(),
        id: 7,
        date_created: Some("2026-11-21T00:00:00.000Z".into()),
        revision: Some("3".into()),
        change,
    }
}

fn item(key: ItemKey) -> ChangedItem {
    ChangedItem {
        key, url: Some("https://x/1".into()), revision: Some("0".into()), data: Data::of(&json!({"a": "ß"}))
    }
}

#[test]
fn every_event_is_read_as_written() {
    let index = || item(ItemKey::Index(4));
    let key = || item(ItemKey::Key("MB1".into()));
    let data = || Data::of(&json!({"sid": "CH1"}));
    for (name, event) in [
        ("map_item_added", event(ObjectKind::Map, Change::ItemAdded(key()))),
        ("map_item_updated", event(ObjectKind::Map, Change::ItemUpdated(key()))),
        ("map_item_removed", event(ObjectKind::Map, Change::ItemRemoved { key: key().key, data: Some(data()) })),
        ("map_removed", event(ObjectKind::Map, Change::Removed)),
        ("list_item_added", event(ObjectKind::List, Change::ItemAdded(index()))),
        ("list_item_updated", event(ObjectKind::List, Change::ItemUpdated(index()))),
        ("list_item_removed", event(ObjectKind::List, Change::ItemRemoved { key: index().key, data: None })),
        ("list_removed", event(ObjectKind::List, Change::Removed)),
        ("document_updated", event(ObjectKind::Document, Change::DocumentUpdated { data: data() })),
        ("document_removed", event(ObjectKind::Document, Change::Removed)),
    ] {
        assert_eq!(event.event_type(), name);
        let payload = event.encode(Some(11));
        let read = Notification::decode(&payload).unwrap();
        assert_eq!(read, Notification { correlation_id: Some(11), told: vec![Told::Event(event)] }, "{name}");
    }
}

#[test]
fn every_outcome_is_read_as_written() {
    let object_sid = || "ES1".to_owned();
    for outcome in [
        Outcome::Established { object_sid: object_sid(), replay_status: ReplayStatus::Interrupted, last_event_id: 9 },
        Outcome::Canceled { object_sid: object_sid() },
        Outcome::Failed { object_sid: object_sid(), status: 404, code: 20404, message: "gone".into() },
    ] {
        let read = Notification::decode(&outcome.encode(5)).unwrap();
        assert_eq!(read, Notification { correlation_id: Some(5), told: vec![Told::Outcome(outcome)] });
    }
}

#[test]
fn several_events_come_in_one_notification() {
    let payload = json!({"event_type": "document_updated", "events": [
        {"id": 1, "document_sid": "ET1", "document_data": {}},
        {"id": 2, "document_sid": "ET2", "document_data": {}},
    ]});
    let read = Notification::decode(payload.to_string().as_bytes()).unwrap();
    assert_eq!(read.told.len(), 2);
    let many = vec![json!({"id": 1, "document_sid": "ET1", "document_data": {}}); event::MAX_EVENTS + 1];
    let payload = json!({"event_type": "document_updated", "events": many}).to_string();
    assert_eq!(Notification::decode(payload.as_bytes()).unwrap_err().code(), "proto.sync.invalid");
}

#[test]
fn what_is_not_known_is_let_pass() {
    for kind in ["stream_message_published", "live_query_item_updated", "list_context_updated", "news"] {
        let payload = json!({"event_type": kind, "event": {"id": 1}}).to_string();
        assert_eq!(Notification::decode(payload.as_bytes()).unwrap().told, [Told::Other], "{kind}");
    }
}

#[test]
fn an_event_without_its_object_or_data_is_refused() {
    for event in
        [json!({"id": 1, "item_index": 1, "item_data": {}}), json!({"id": 1, "list_sid": "ES1", "item_index": 1})]
    {
        let payload = json!({"event_type": "list_item_added", "event": event}).to_string();
        assert!(Notification::decode(payload.as_bytes()).is_err(), "{event}");
    }
}

#[test]
fn objects_and_batches_have_the_forms_of_the_wire() {
    let object = json!({
        "sid": "MP1", "unique_name": "CH1.roster", "url": "https://x", "revision": 3, "last_event_id": 661,
        "links": {"items": "https://x/Items"},
        "items": [{"key": "MB1", "url": "u", "revision": "0", "last_event_id": 5, "data": {"identity": "a"}}],
    });
    let object: Object = serde_json::from_value(object).unwrap();
    assert_eq!(object.revision, "3");
    assert_eq!(object.items.unwrap()[0].item_key(), Some(ItemKey::Key("MB1".into())));
    let batch = SubscriptionBatch {
        event_protocol_version: subscription::EVENT_PROTOCOL_VERSION,
        action: Action::Establish,
        correlation_id: 1,
        retried_requests: 0,
        ttl_in_s: -1,
        requests: vec![SubscriptionRequest {
            object_sid: "MP1".into(),
            object_type: ObjectKind::Map,
            last_event_id: Some(661),
        }],
        reason: None,
    };
    let wire = json!({
        "event_protocol_version": 4, "action": "establish", "correlation_id": 1, "retried_requests": 0, "ttl_in_s": -1,
        "requests": [{"object_sid": "MP1", "object_type": "map", "last_event_id": 661}],
    });
    assert_eq!(serde_json::to_value(&batch).unwrap(), wire);
    assert_eq!(serde_json::from_value::<SubscriptionBatch>(wire).unwrap(), batch);
}

#[test]
fn data_does_not_print_itself() {
    assert_eq!(format!("{:?}", Data::of(&"secret")), "Data(8 bytes)");
}

proptest! {
    #[test]
    fn no_payload_makes_it_panic(text in r#"\{"event_type":"[a-z_]{0,20}","event":.{0,60}\}"#, bytes: Vec<u8>) {
        let _ = (Notification::decode(text.as_bytes()).is_ok(), Notification::decode(&bytes).is_ok());
    }
}
