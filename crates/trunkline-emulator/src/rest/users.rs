//! `/Users`, `/Users/{US or identity}` and the conversations that a user is in.

use axum::extract::State;
use serde_json::{Value, json};

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render, unexpected};
use crate::clock::iso;
use crate::error::ApiError;
use crate::server::App;
use crate::state::paging::Slice;
use crate::state::records::{ConversationRecord, Participant, User};
use crate::state::{Answer, Mutation, ParticipantFields, State as Emulated, UserFields};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let service = call.service;
    let slice = app.owner.call(move |state| state.list_users(service, page.size, page.cursor)).await?;
    let base = call.base();
    Ok(ok(page.body(&call, "users", slice, |user| render::user(&app.account, &base, &user))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let identity = form.owned("Identity").ok_or_else(|| ApiError::parameter("Identity"))?;
    let (fields, service, origin) = (fields(&form), call.service, call.origin);
    let user = app.owner.call(move |state| state.create_user(service, &identity, &fields, origin)).await??;
    Ok(created(render::user(&app.account, &call.base(), &user)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let name = call.owned("user");
    let user = app.owner.call(move |state| state.user(&name).cloned()).await??;
    Ok(ok(render::user(&app.account, &call.base(), &user)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::UpdateUser { user: call.owned("user"), fields: fields(&form) };
    match app.mutate(mutation, call.origin).await? {
        Answer::User(user) => Ok(ok(render::user(&app.account, &call.base(), &user))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (name, origin) = (call.owned("user"), call.origin);
    app.owner.call(move |state| state.delete_user(&name, origin)).await??;
    Ok(deleted())
}

pub(super) async fn conversations(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let name = call.owned("user");
    let slice = app.owner.call(move |state| {
        let position = state.user(&name)?.position;
        Ok::<Slice<Membership>, ApiError>(state.list_memberships(position, page.size, page.cursor, Membership::of))
    });
    let slice = slice.await??;
    let base = call.base();
    let body = page.body(&call, "conversations", slice, |one| one.render(&app, &base));
    Ok(ok(body))
}

pub(super) async fn conversation(State(app): State<App>, call: Call) -> Reply {
    let membership = find(&app, &call).await?;
    Ok(ok(membership.render(&app, &call.base())))
}

pub(super) async fn update_conversation(State(app): State<App>, call: Call, form: Form) -> Reply {
    let membership = find(&app, &call).await?;
    let muted = match form.text("NotificationLevel") {
        None => None,
        Some("default") => Some(false),
        Some("muted") => Some(true),
        Some(_) => return Err(ApiError::parameter("NotificationLevel").into()),
    };
    let fields = ParticipantFields {
        read_horizon: form.read_horizon()?,
        last_read_timestamp: form.owned("LastReadTimestamp"),
        muted,
        ..ParticipantFields::default()
    };
    let mutation = Mutation::UpdateParticipant {
        conversation: membership.record.sid.to_string(),
        participant: membership.participant.sid.to_string(),
        fields,
    };
    app.mutate(mutation, call.origin).await?;
    Ok(ok(find(&app, &call).await?.render(&app, &call.base())))
}

/// The user leaves the conversation.
pub(super) async fn leave(State(app): State<App>, call: Call) -> Reply {
    let Membership { record, participant, .. } = find(&app, &call).await?;
    let (conversation, participant) = (record.sid.to_string(), participant.sid.to_string());
    app.mutate(Mutation::RemoveParticipant { conversation, participant }, call.origin).await?;
    Ok(deleted())
}

async fn find(app: &App, call: &Call) -> Result<Membership, ApiError> {
    let (name, conversation, path) = (call.owned("user"), call.owned("conversation"), call.uri_path.clone());
    app.owner
        .call(move |state| {
            let user = state.user(&name)?.position;
            let position = state.conversation(&conversation)?.record.position;
            let participant = state.membership(position, user).ok_or_else(|| ApiError::not_found(&path))?;
            Membership::of(state, user, position, participant).ok_or_else(|| ApiError::not_found(&path))
        })
        .await?
}

/// A user in a conversation.
pub(super) struct Membership {
    user: User,
    participant: Participant,
    record: ConversationRecord,
    unread: Option<usize>,
}

impl Membership {
    fn of(state: &Emulated, user: u64, position: u64, participant: &Participant) -> Option<Self> {
        let conversation = state.conversation_at(position)?;
        let horizon = participant.last_read_message_index;
        Some(Self {
            user: state.user_at(user)?.clone(),
            participant: participant.clone(),
            record: conversation.record.clone(),
            unread: horizon.map(|index| conversation.messages.range(index.saturating_add(1)..).count()),
        })
    }

    fn render(&self, app: &App, base: &str) -> Value {
        let Self { user, participant, record, unread } = self;
        json!({
            "account_sid": app.account.account_sid,
            "chat_service_sid": record.service_sid,
            "conversation_sid": record.sid,
            "participant_sid": participant.sid,
            "user_sid": user.sid,
            "unread_messages_count": unread,
            "last_read_message_index": participant.last_read_message_index,
            "notification_level": participant.notification_level(),
            "friendly_name": record.friendly_name,
            "unique_name": record.unique_name,
            "attributes": record.attributes,
            "conversation_state": record.state.as_str(),
            "timers": render::timers(record),
            "created_by": record.created_by.as_deref().unwrap_or("system"),
            "date_created": iso(record.date_created),
            "date_updated": iso(record.date_updated),
            "url": format!("{base}/Users/{}/Conversations/{}", user.sid, record.sid),
            "links": {
                "participant": format!("{base}/Conversations/{}/Participants/{}", record.sid, participant.sid),
                "conversation": format!("{base}/Conversations/{}", record.sid),
            },
        })
    }
}

fn fields(form: &Form) -> UserFields {
    UserFields {
        friendly_name: form.owned("FriendlyName"),
        attributes: form.owned("Attributes"),
        role_sid: form.owned("RoleSid"),
    }
}

const MAX_PAGE: usize = 50;
