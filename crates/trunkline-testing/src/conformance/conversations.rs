//! Conversations: created, found, listed, closed.

use trunkline_core::messaging::{ConversationConfig, ConversationState, ErrorCode, Operation};

use super::Subject;
use super::checks::{Ended, done, ensure, refused, running, with_room};

fn named(number: usize) -> ConversationConfig {
    ConversationConfig {
        friendly_name: Some(format!("Room {number}")),
        unique_name: Some(format!("room-{number}")),
        attributes: Some(r#"{"kept":true}"#.to_owned()),
        state: None,
    }
}

pub(super) async fn a_conversation_is_created_as_it_was_asked_for(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let made = done(backend.create_conversation(named(1)).await)?;
    let found = done(backend.get_conversation(&made.id).await)?;
    for one in [made, found] {
        let names = (one.friendly_name.as_deref(), one.unique_name.as_deref());
        ensure(names == (Some("Room 1"), Some("room-1")), || format!("its names are {names:?}"))?;
        let attributes = serde_json::from_str::<serde_json::Value>(&one.attributes).ok();
        let is_kept = attributes == Some(serde_json::json!({"kept": true}));
        ensure(is_kept, || format!("its attributes are {}", one.attributes))?;
        ensure(one.state == ConversationState::Active, || format!("it is {}", one.state.as_str()))?;
    }
    Ok(())
}

pub(super) async fn a_wrong_configuration_is_refused(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    for attributes in ["[1]", "{", "word"] {
        let wrong = ConversationConfig { attributes: Some(attributes.to_owned()), ..named(1) };
        refused(backend.create_conversation(wrong).await, Operation::CreateConversation, ErrorCode::InvalidConfig)?;
    }
    let there = done(backend.list_conversations().await)?;
    ensure(there.is_empty(), || format!("{} conversations were created all the same", there.len()))
}

pub(super) async fn what_was_created_is_found(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    let other = done(backend.create_conversation(named(2)).await)?.id;
    for wanted in [&id, &other] {
        let found = done(backend.get_conversation(wanted).await)?.id;
        ensure(found == *wanted, || format!("{wanted} was asked for, {found} found"))?;
    }
    Ok(())
}

pub(super) async fn an_unknown_conversation_is_not_found(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let (unknown, _) = subject.unknown();
    let result = backend.get_conversation(&unknown).await;
    refused(result, Operation::GetConversation, ErrorCode::ConversationNotFound)
}

pub(super) async fn every_conversation_is_listed_once(subject: &dyn Subject) -> Ended {
    /// More than a page of most providers.
    const MANY: usize = 60;
    let backend = running(subject).await?;
    let mut made = Vec::new();
    for number in 0..MANY {
        made.push(done(backend.create_conversation(named(number)).await)?.id);
    }
    let listed = done(backend.list_conversations().await)?;
    let mut listed: Vec<_> = listed.into_iter().map(|one| one.id).collect();
    listed.sort_unstable();
    made.sort_unstable();
    ensure(listed == made, || format!("{MANY} were made, {} are listed", listed.len()))
}

pub(super) async fn closing_is_final(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    done(backend.close_conversation(&id).await)?;
    let state = done(backend.get_conversation(&id).await)?.state;
    ensure(state == ConversationState::Closed, || format!("it was closed and is {}", state.as_str()))
}

pub(super) async fn closing_twice_is_a_success(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    done(backend.close_conversation(&id).await)?;
    done(backend.close_conversation(&id).await)
}

pub(super) async fn an_unknown_conversation_is_not_closed(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let (unknown, _) = subject.unknown();
    let result = backend.close_conversation(&unknown).await;
    refused(result, Operation::CloseConversation, ErrorCode::ConversationNotFound)
}
