//! The rules of the state, without a socket or a clock.

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::address::Address;
use super::events::{EventType, Origin};
use super::paging::Order;
use super::records::DeliveryStatus;
use super::*;
use crate::account::AccountConfig;
use crate::error;

const NUMBER: &str = "+15557654321";
const PERSON: &str = "+15550001111";
const SMS: Origin = Origin::Channel("SMS");
const SILENT: Origin = Origin::Rest { webhooks: false };
const ALOUD: Origin = Origin::Rest { webhooks: true };

fn account() -> Account {
    let config = AccountConfig { phone_number: Some(NUMBER.to_owned()), ..AccountConfig::default() };
    Account::resolve(config, None, &mut StdRng::seed_from_u64(1)).unwrap()
}

fn state() -> State {
    let clock = Clock::from_fn(|| "2026-11-21T02:06:51Z".parse().unwrap());
    State::new(account(), clock, StdRng::seed_from_u64(2))
}

fn text(from: &str, body: &str) -> Text {
    let from: Address = from.parse().unwrap();
    Text {
        to: match from {
            Address::Sms(_) => NUMBER.parse().unwrap(),
            Address::WhatsApp(_) => format!("whatsapp:{NUMBER}").parse().unwrap(),
        },
        from,
        body: Some(body.to_owned()),
        media: Vec::new(),
        author: None,
        attributes: None,
        friendly_name: None,
    }
}

fn receive(state: &mut State, from: &str, body: &str) -> texts::TextAnswer {
    state.receive_text(&text(from, body), SMS).unwrap()
}

/// The conversation that a text went into.
fn place(answer: &texts::TextAnswer) -> String {
    answer.conversation_sid.unwrap().to_string()
}

fn say(state: &mut State, conversation: &str, body: &str) -> records::Message {
    let fields =
        MessageFields { body: Some(body.to_owned()), author: Some("bot".to_owned()), ..MessageFields::default() };
    state.create_message(conversation, fields, SILENT).unwrap()
}

fn close(state: &mut State, conversation: &str) {
    let fields = ConversationFields { state: Some("closed".to_owned()), ..ConversationFields::default() };
    state.update_conversation(conversation, &fields, SILENT).unwrap();
}

fn listen(state: &mut State, events: &[&str]) {
    let fields = WebhookConfigFields {
        post_webhook_url: Some("http://127.0.0.1:9/".to_owned()),
        pre_webhook_url: Some("http://127.0.0.1:9/".to_owned()),
        filters: Some(events.iter().map(|event| (*event).to_owned()).collect()),
        ..WebhookConfigFields::default()
    };
    state.update_webhooks(&fields).unwrap();
    state.take_effects();
}

fn told(state: &mut State) -> Vec<EventType> {
    state.take_effects().events.into_iter().map(|event| EventType::parse(event.kind).unwrap()).collect()
}

#[test]
fn a_pair_belongs_to_one_open_conversation() {
    let mut state = state();
    let first = receive(&mut state, PERSON, "one");
    assert_eq!(receive(&mut state, PERSON, "two").conversation_sid, first.conversation_sid);
    close(&mut state, &place(&first));
    let second = receive(&mut state, PERSON, "three");
    assert_ne!(second.conversation_sid, first.conversation_sid);
    // Deleting the old conversation does not free the pair of the new one.
    state.delete_conversation(&place(&first), SILENT).unwrap();
    assert_eq!(receive(&mut state, PERSON, "four").conversation_sid, second.conversation_sid);
    state.delete_conversation(&place(&second), SILENT).unwrap();
    assert_ne!(receive(&mut state, PERSON, "five").conversation_sid, second.conversation_sid);
}

#[test]
fn a_closed_conversation_only_goes_away() {
    let mut state = state();
    let sid = place(&receive(&mut state, PERSON, "one"));
    close(&mut state, &sid);
    let reopened = ConversationFields { state: Some("active".to_owned()), ..ConversationFields::default() };
    assert_eq!(state.update_conversation(&sid, &reopened, SILENT).unwrap_err(), error::CLOSED);
    let fields = ParticipantFields { identity: Some("bot".to_owned()), ..ParticipantFields::default() };
    assert_eq!(state.add_participant(&sid, &fields, SILENT).unwrap_err(), error::CLOSED);
    assert_eq!(state.delete_conversation(&sid, SILENT), Ok(()));
}

#[test]
fn indexes_only_grow() {
    let mut state = state();
    let sid = place(&receive(&mut state, PERSON, "zero"));
    let one = say(&mut state, &sid, "one");
    state.remove_message(&sid, one.sid.as_str(), SILENT).unwrap();
    assert_eq!(say(&mut state, &sid, "two").index, 2);
    let page = state.list_messages(&sid, Order::Ascending, 10, None).unwrap();
    assert_eq!(page.items.iter().map(|message| message.index).collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn a_new_message_wakes_an_inactive_conversation() {
    let mut state = state();
    listen(&mut state, &["onConversationStateUpdated", "onMessageAdded"]);
    let sid = place(&receive(&mut state, PERSON, "one"));
    let sleep = ConversationFields { state: Some("inactive".to_owned()), ..ConversationFields::default() };
    state.update_conversation(&sid, &sleep, ALOUD).unwrap();
    state.take_effects();
    receive(&mut state, PERSON, "two");
    assert_eq!(told(&mut state), [EventType::ConversationStateUpdated, EventType::MessageAdded]);
    assert_eq!(state.conversation(&sid).unwrap().record.state, ConversationState::Active);
}

#[test]
fn receipts_go_forward_and_end_with_their_message() {
    let mut state = state();
    listen(&mut state, &["onDeliveryUpdated"]);
    let sid = place(&receive(&mut state, PERSON, "hello"));
    let message = say(&mut state, &sid, "hi");
    let effects = state.take_effects();
    assert_eq!(effects.events.len(), 1);
    let [delivery] = effects.deliveries.as_slice() else { panic!("{:?}", effects.deliveries) };
    assert_eq!(state.phone(PERSON)[1].status, DeliveryStatus::Sent);
    state.deliver(delivery);
    state.deliver(delivery);
    assert_eq!(told(&mut state), [EventType::DeliveryUpdated]);
    assert_eq!(state.phone(PERSON)[1].status, DeliveryStatus::Delivered);

    say(&mut state, &sid, "again");
    let late = state.take_effects().deliveries;
    state.remove_message(&sid, message.sid.as_str(), SILENT).unwrap();
    state.delete_conversation(&sid, SILENT).unwrap();
    for delivery in late {
        state.deliver(&delivery);
    }
    assert_eq!(told(&mut state), []);
    assert_eq!(state.phone(PERSON)[2].status, DeliveryStatus::Delivered);
    // A phone keeps what it got.
    assert_eq!(state.phone(PERSON).len(), 3);
}

#[test]
fn nobody_is_asked_about_silent_changes() {
    let mut state = state();
    listen(&mut state, &["onConversationAdd", "onMessageAdd"]);
    let create = || Mutation::CreateConversation(ConversationFields::default());
    assert!(matches!(state.begin(create(), SILENT), Ok(Step::Done(Answer::Conversation(_)))));
    let Ok(Step::Ask(event, _)) = state.begin(create(), ALOUD) else { panic!("nobody was asked") };
    assert_eq!(event.kind, EventType::ConversationAdd);
    let Ok(Step::Ask(event, mutation)) = state.begin(Mutation::Text(text(PERSON, "hi")), SMS) else { panic!() };
    assert_eq!(event.kind, EventType::ConversationAdd);
    // While it was asked another text made the conversation: this one joins it.
    let first = receive(&mut state, PERSON, "faster");
    let Ok(Answer::Text(second)) = state.execute(mutation, SMS) else { panic!() };
    assert_eq!(second.conversation_sid, first.conversation_sid);
}

#[test]
fn timers_run_from_the_last_change() {
    let mut state = state();
    let fields = ConversationFields {
        inactive_timer: Some("PT1M".to_owned()),
        closed_timer: Some("PT10M".to_owned()),
        ..ConversationFields::default()
    };
    let record = state.create_conversation(&fields, SILENT).unwrap();
    let after = |minutes| Some(record.date_updated + SignedDuration::from_mins(minutes));
    assert_eq!(record.timer_dates(), (after(1), after(10)));
    let sid = record.sid.to_string();
    let none = ConversationFields { closed_timer: Some(String::new()), ..ConversationFields::default() };
    let record = state.update_conversation(&sid, &none, SILENT).unwrap();
    assert_eq!(record.timer_dates(), (Some(record.date_updated + SignedDuration::from_mins(1)), None));
}

#[test]
fn a_phone_forgets_its_oldest_lines() {
    let mut state = state();
    let sid = receive(&mut state, PERSON, "first").conversation_sid;
    let line = state.phone(PERSON).remove(0);
    for _ in 0..limits::MAX_LINES_PER_PHONE {
        state.add_line(PERSON, PhoneMessage { body: None, ..line.clone() });
    }
    let lines = state.phone(PERSON);
    assert_eq!(lines.len(), limits::MAX_LINES_PER_PHONE);
    assert_eq!((lines[0].body.as_ref(), lines[0].conversation_sid), (None, sid));
}

#[test]
fn what_is_stored_makes_the_same_state() {
    let mut state = state();
    let sid = place(&receive(&mut state, PERSON, "hello"));
    say(&mut state, &sid, "hi");
    let mut stored = Stored::default();
    for key in &state.take_effects().dirty {
        let text = state.record_text(key).unwrap().unwrap();
        stored.records.entry(key.name().0.to_owned()).or_default().push(text);
    }
    let known = stored.account().unwrap().unwrap();
    let (mut again, deliveries) =
        State::load(known, Clock::from_fn(Timestamp::default), StdRng::seed_from_u64(3), &stored).unwrap();
    assert_eq!(deliveries.len(), 1);
    assert_eq!(again.phone(PERSON), state.phone(PERSON));
    assert_eq!(again.configuration, state.configuration);
    assert_eq!(place(&receive(&mut again, PERSON, "again")), sid);
    assert_eq!(say(&mut again, &sid, "next").index, 3);
    assert!(again.next_position > state.next_position);
}

#[test]
fn a_bad_record_names_its_kind() {
    let mut stored = Stored::default();
    stored.records.insert("message".to_owned(), vec!["{}".to_owned()]);
    let problem = State::load(account(), Clock::system(), StdRng::seed_from_u64(3), &stored).unwrap_err();
    assert_eq!(problem.to_string(), "a stored message cannot be read");
}

#[test]
fn an_identity_is_in_a_thousand_open_conversations_at_most() {
    let mut state = state();
    let join = |state: &mut State| {
        let conversation = state.create_conversation(&ConversationFields::default(), SILENT).unwrap().sid.to_string();
        let fields = ParticipantFields { identity: Some("bot".to_owned()), ..ParticipantFields::default() };
        (state.add_participant(&conversation, &fields, SILENT).map(|_| ()), conversation)
    };
    let (_, first) = join(&mut state);
    for _ in 1..limits::MAX_CONVERSATIONS_PER_IDENTITY {
        assert_eq!(join(&mut state).0, Ok(()));
    }
    assert_eq!(join(&mut state).0, Err(error::TOO_MANY_CONVERSATIONS));
    close(&mut state, &first);
    assert_eq!(join(&mut state).0, Ok(()));
}
