//! Start, stop, health and configuration.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use trunkline_core::HealthState;
use trunkline_core::messaging::{ConversationConfig, Operation, WebhookEvent};

use super::Subject;
use super::checks::{Ended, done, ensure, not_running, running, with_room};

pub(super) async fn starting_twice_is_a_success(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    done(backend.start().await)
}

pub(super) async fn it_starts_again_after_a_stop(subject: &dyn Subject) -> Ended {
    let (backend, id) = with_room(subject).await?;
    done(backend.stop().await)?;
    done(backend.start().await)?;
    let found = done(backend.get_conversation(&id).await)?;
    ensure(found.id == id, || format!("{} was asked for, {} found", id, found.id))
}

pub(super) async fn stopping_twice_is_a_success(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    done(backend.stop().await)?;
    done(backend.stop().await)
}

pub(super) async fn every_operation_refuses_when_stopped(subject: &dyn Subject) -> Ended {
    use Operation as Op;
    let (backend, id) = with_room(subject).await?;
    done(backend.stop().await)?;
    let (_, nobody) = subject.unknown();
    let webhook = subject.webhook(&id, "too late").unwrap_or_else(|| WebhookEvent {
        url: "https://gateway.example.com/webhooks".to_owned(),
        method: "POST".to_owned(),
        headers: Vec::new(),
        params: Vec::new(),
        body: Bytes::new(),
        received_at: Timestamp::UNIX_EPOCH,
    });
    not_running(backend.create_conversation(ConversationConfig::default()).await, Op::CreateConversation)?;
    not_running(backend.get_conversation(&id).await, Op::GetConversation)?;
    not_running(backend.list_conversations().await, Op::ListConversations)?;
    not_running(backend.close_conversation(&id).await, Op::CloseConversation)?;
    not_running(backend.send_message(&id, subject.message("too late")).await, Op::SendMessage)?;
    not_running(backend.receive_messages(&id).await, Op::ReceiveMessages)?;
    not_running(backend.add_participant(&id, subject.person()).await, Op::AddParticipant)?;
    not_running(backend.remove_participant(&id, &nobody).await, Op::RemoveParticipant)?;
    not_running(backend.handle_webhook(&webhook).await, Op::HandleWebhook)
}

pub(super) async fn health_is_told_running_and_stopped(subject: &dyn Subject) -> Ended {
    let backend = running(subject).await?;
    let status = done(backend.health_check().await)?;
    let is_well = status.state == HealthState::Healthy && status.reasons.is_empty();
    ensure(is_well, || format!("it runs and is {}: {:?}", status.state, status.reasons))?;
    done(backend.stop().await)?;
    let status = done(backend.health_check().await)?;
    let is_ill = status.state == HealthState::Unhealthy && !status.reasons.is_empty();
    ensure(is_ill, || format!("it is stopped and {}: {:?}", status.state, status.reasons))
}

pub(super) async fn the_configuration_stays_the_same(subject: &dyn Subject) -> Ended {
    let before = subject.backend().config();
    ensure(!before.provider().is_empty(), || "the configuration names no provider".to_owned())?;
    let backend = running(subject).await?;
    ensure(Arc::clone(&before) == backend.config(), || "starting changed the configuration".to_owned())?;
    done(backend.stop().await)?;
    ensure(before == backend.config(), || "stopping changed the configuration".to_owned())
}
