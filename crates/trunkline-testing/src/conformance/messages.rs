//! Messages that are sent.

use trunkline_core::Retry;
use trunkline_core::messaging::{ErrorCode, Operation, OutgoingMessage};

use super::Subject;
use super::checks::{Ended, done, ensure, received, refused, running, with_person, with_room};

pub(super) async fn messages_are_received_in_order(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let texts: Vec<_> = (0..10).map(|number| format!("number {number}")).collect();
    let mut last = None;
    for text in &texts {
        let sent = done(backend.send_message(&id, subject.message(text)).await)?;
        ensure(last.is_none_or(|last| last < sent.index), || format!("index {} follows {last:?}", sent.index))?;
        last = Some(sent.index);
    }
    received(subject, &id, &texts).await
}

pub(super) async fn an_invalid_message_is_refused(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_person(subject).await?;
    let broken = OutgoingMessage { attributes: Some("{".to_owned()), ..subject.message("x") };
    for wrong in [subject.message(""), broken] {
        refused(backend.send_message(&id, wrong).await, Operation::SendMessage, ErrorCode::InvalidMessage)?;
    }
    done(backend.send_message(&id, subject.message("right")).await)?;
    received(subject, &id, &["right".to_owned()]).await
}

pub(super) async fn nothing_is_sent_to_an_unknown_conversation(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let (unknown, _) = subject.unknown();
    let result = backend.send_message(&unknown, subject.message("x")).await;
    refused(result, Operation::SendMessage, ErrorCode::ConversationNotFound)
}

pub(super) async fn nothing_is_sent_to_a_closed_conversation(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    done(backend.close_conversation(&id).await)?;
    let result = backend.send_message(&id, subject.message("x")).await;
    let error = result.err().ok_or_else(|| "a closed conversation took a message".to_owned())?;
    ensure(error.retry() == Retry::No, || format!("it stays closed, but it says {:?}", error.retry()))
}
