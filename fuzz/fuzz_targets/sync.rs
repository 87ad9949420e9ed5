//! Notifications of Sync: as many events as are allowed, and each is written so that it is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::sync::event::MAX_EVENTS;
use trunkline_proto::sync::{Notification, Object, Page, SubscriptionAnswer, SubscriptionBatch, Told};

fuzz_target!(|bytes: &[u8]| {
    let _read = serde_json::from_slice::<Object>(bytes).is_ok() | serde_json::from_slice::<Page>(bytes).is_ok();
    let _read = serde_json::from_slice::<SubscriptionBatch>(bytes).is_ok();
    let _read = serde_json::from_slice::<SubscriptionAnswer>(bytes).is_ok();
    let Ok(notification) = Notification::decode(bytes) else { return };
    assert!(notification.told.len() <= MAX_EVENTS);
    for told in notification.told {
        let correlation = notification.correlation_id;
        let written = match &told {
            Told::Event(event) => event.encode(correlation),
            Told::Outcome(outcome) => outcome.encode(correlation.unwrap_or_default()),
            _ => continue,
        };
        let again = Notification::decode(&written).expect("what was written is read");
        assert_eq!(again.told, [told]);
    }
});
