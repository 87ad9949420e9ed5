//! Participants: added once, removed once.

use trunkline_core::messaging::{ErrorCode, NewParticipant, Operation};

use super::Subject;
use super::checks::{Ended, done, ensure, refused, running, with_room};

fn agent() -> NewParticipant {
    NewParticipant { identity: Some("agent".to_owned()), ..NewParticipant::default() }
}

pub(super) async fn a_participant_is_added_as_they_are(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    let person = subject.person();
    let added = done(backend.add_participant(&id, person.clone()).await)?;
    ensure(added.conversation == id, || format!("they are in {}, not in {id}", added.conversation))?;
    ensure(added.identity == person.identity, || "they have another identity".to_owned())?;
    let address = |binding: Option<&trunkline_core::messaging::Binding>| binding.map(|one| one.address.clone());
    let is_same = address(added.binding.as_ref()) == address(person.binding.as_ref());
    ensure(is_same, || "they have another address".to_owned())
}

pub(super) async fn a_participant_who_is_there_already_is_a_success(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    for one in [agent(), subject.person()] {
        let first = done(backend.add_participant(&id, one.clone()).await)?;
        let again = done(backend.add_participant(&id, one).await)?;
        ensure(first.id == again.id, || format!("{} was added, and again as {}", first.id, again.id))?;
    }
    Ok(())
}

pub(super) async fn an_invalid_participant_is_refused(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    let nameless = NewParticipant { identity: Some(String::new()), ..NewParticipant::default() };
    for wrong in [NewParticipant::default(), nameless] {
        let result = backend.add_participant(&id, wrong).await;
        refused(result, Operation::AddParticipant, ErrorCode::InvalidParticipant)?;
    }
    Ok(())
}

pub(super) async fn nobody_is_added_to_an_unknown_conversation(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let (unknown, _) = subject.unknown();
    let result = backend.add_participant(&unknown, agent()).await;
    refused(result, Operation::AddParticipant, ErrorCode::ConversationNotFound)
}

pub(super) async fn a_participant_leaves_once(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    let added = done(backend.add_participant(&id, agent()).await)?;
    done(backend.remove_participant(&id, &added.id).await)?;
    let (_, nobody) = subject.unknown();
    for gone in [&added.id, &nobody] {
        let result = backend.remove_participant(&id, gone).await;
        refused(result, Operation::RemoveParticipant, ErrorCode::ParticipantNotFound)?;
    }
    Ok(())
}

pub(super) async fn nobody_leaves_an_unknown_conversation(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let (unknown, nobody) = subject.unknown();
    let result = backend.remove_participant(&unknown, &nobody).await;
    refused(result, Operation::RemoveParticipant, ErrorCode::ConversationNotFound)
}
