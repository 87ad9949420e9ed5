//! Every payload of Conversations: whatever is read is written so that it is read as the same.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_proto::conversations::{
    AddParticipant, Configuration, ConversationData, MessageData, MyConversation, MyConversationUpdate,
    MyConversations, NewMessage, ParticipantData, SentMessage, Typing, TypingAnswer, UserValue,
};

fn check<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&read).expect("it is JSON");
        let again: T = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!(again, read);
    }
}

fuzz_target!(|bytes: &[u8]| {
    check::<AddParticipant>(bytes);
    check::<ConversationData>(bytes);
    check::<MessageData>(bytes);
    check::<MyConversation>(bytes);
    check::<MyConversationUpdate>(bytes);
    check::<MyConversations>(bytes);
    check::<NewMessage>(bytes);
    check::<ParticipantData>(bytes);
    check::<SentMessage>(bytes);
    check::<Typing>(bytes);
    check::<TypingAnswer>(bytes);
    check::<UserValue>(bytes);
    let _read = serde_json::from_slice::<Configuration>(bytes).is_ok();
});
