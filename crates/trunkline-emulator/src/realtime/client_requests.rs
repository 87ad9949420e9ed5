//! Conversations, messages, participants, users and typing, as clients ask for them inside a socket.
//!
//! A change goes the way of one by REST, with the client as its origin: it may be refused by a pre-webhook, and it is
//! told to post-webhooks.

use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_proto::conversations::data::TYPING_TIMEOUT_SECONDS;
use trunkline_proto::conversations::{AddParticipant, NewMessage};

use super::render;
use super::upstream::{Client, Reply, Request};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::events::Origin;
use crate::state::paging::Cursor;
use crate::state::{
    Answer, ConversationFields, MessageFields, Mutation, ParticipantFields, ReadHorizon, State, UserFields,
};

/// Routes what comes after `/Client/v2/Services/{IS}`. Nothing if there is no such resource.
pub(super) async fn route(app: &App, client: &Client, request: &Request<'_>, rest: &[&str]) -> Option<Reply> {
    Some(match (request.method, rest) {
        ("POST", ["Conversations"]) => create(app, client, request).await,
        ("GET", ["Conversations", conversation]) => fetch(app, client, conversation).await,
        ("POST", ["Conversations", conversation]) => update(app, client, request, conversation).await,
        ("DELETE", ["Conversations", conversation]) => {
            let mutation = Mutation::DeleteConversation { conversation: (*conversation).to_owned() };
            change(app, client, mutation).await
        }
        ("POST", ["Conversations", conversation, "Participants"]) => add(app, client, request, conversation).await,
        ("POST", ["Conversations", conversation, "Participants", participant]) => {
            let Attributed { attributes } = match request.json() {
                Ok(body) => body,
                Err(problem) => return Some(Err(problem)),
            };
            let fields = ParticipantFields { attributes, ..ParticipantFields::default() };
            let (conversation, participant) = ((*conversation).to_owned(), (*participant).to_owned());
            change(app, client, Mutation::UpdateParticipant { conversation, participant, fields }).await
        }
        ("DELETE", ["Conversations", conversation, "Participants", participant]) => {
            let (conversation, participant) = ((*conversation).to_owned(), (*participant).to_owned());
            change(app, client, Mutation::RemoveParticipant { conversation, participant }).await
        }
        ("POST", ["Conversations", conversation, "Messages"]) => send(app, client, request, conversation).await,
        ("POST", ["Conversations", conversation, "Messages", message]) => {
            edit(app, client, request, conversation, message).await
        }
        ("DELETE", ["Conversations", conversation, "Messages", message]) => {
            let (conversation, message) = ((*conversation).to_owned(), (*message).to_owned());
            change(app, client, Mutation::RemoveMessage { conversation, message }).await
        }
        ("GET", ["Conversations", conversation, "Messages", message, "Receipts"]) => {
            receipts(app, client, conversation, message).await
        }
        ("GET", ["Conversations", _, "Messages", _, "ChannelMetadata"]) => Err(error::NO_CHANNEL_METADATA),
        ("GET", ["Conversations", conversation, "MessageRecipients"]) => {
            let checked = reading(app, client, conversation, |_, _| Ok(())).await;
            checked.map(|()| (200, json!({"message_recipients": [], "meta": {"next_token": null}})))
        }
        ("GET", ["Users", user]) => fetch_user(app, user).await,
        ("POST", ["Users", user]) => update_user(app, client, request, user).await,
        ("GET", ["Users", user, "Conversations"]) => list_own(app, client, request, user).await,
        ("GET", ["Users", user, "Conversations", conversation]) => own(app, client, user, conversation).await,
        ("POST", ["Users", user, "Conversations", conversation]) => {
            update_own(app, client, request, user, conversation).await
        }
        _ => return None,
    })
}

#[derive(Deserialize)]
struct NewConversation {
    friendly_name: Option<String>,
    unique_name: Option<String>,
    attributes: Option<String>,
}

impl From<NewConversation> for ConversationFields {
    fn from(body: NewConversation) -> Self {
        let NewConversation { friendly_name, unique_name, attributes } = body;
        Self { friendly_name, unique_name, attributes, ..Self::default() }
    }
}

#[derive(Deserialize)]
struct Attributed {
    attributes: Option<String>,
}

/// A participant as a client adds one: with an identity, or with addresses.
#[derive(Deserialize)]
struct NewParticipant {
    #[serde(flatten)]
    chat: Option<AddParticipant>,
    attributes: Option<String>,
    messaging_binding: Option<Pair>,
}

#[derive(Deserialize)]
struct Pair {
    address: Option<String>,
    proxy_address: Option<String>,
}

impl Client {
    fn origin(&self) -> Origin {
        Origin::Sdk { user: self.user }
    }
}

/// A change whose answer is the thing itself, or nothing for what is gone.
async fn change(app: &App, client: &Client, mutation: Mutation) -> Reply {
    let answer = app.mutate(mutation, client.origin()).await?;
    Ok(match answer {
        Answer::Deleted => (204, Value::Null),
        Answer::Participant(participant) => (200, render::participant(&participant)),
        Answer::Message(message) => (200, render::message(&message)),
        Answer::Conversation(record) => {
            let base = client.base.clone();
            let body = app.owner.call(move |state| render::conversation(state, &base, record.position)).await?;
            (200, body.ok_or_else(|| ApiError::not_found("/Conversations"))?)
        }
        Answer::Text(_) | Answer::User(_) => return Err(error::FORBIDDEN),
    })
}

async fn create(app: &App, client: &Client, request: &Request<'_>) -> Reply {
    let body: NewConversation = request.json()?;
    let (_, body) = change(app, client, Mutation::CreateConversation(body.into())).await?;
    Ok((201, body))
}

async fn update(app: &App, client: &Client, request: &Request<'_>, conversation: &str) -> Reply {
    let body: NewConversation = request.json()?;
    change(app, client, Mutation::UpdateConversation { conversation: conversation.to_owned(), fields: body.into() })
        .await
}

async fn fetch(app: &App, client: &Client, conversation: &str) -> Reply {
    let base = client.base.clone();
    let body = reading(app, client, conversation, move |state, position| {
        render::conversation(state, &base, position).ok_or_else(|| ApiError::not_found("/Conversations"))
    });
    Ok((200, body.await?))
}

/// Reads something of a conversation that the client may read.
async fn reading<R: Send + 'static>(
    app: &App,
    client: &Client,
    conversation: &str,
    read: impl FnOnce(&State, u64) -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    let (conversation, user) = (conversation.to_owned(), client.user);
    app.owner
        .call(move |state| {
            let position = state.conversation(&conversation)?.record.position;
            state.check_reader(position, user)?;
            read(state, position)
        })
        .await?
}

async fn add(app: &App, client: &Client, request: &Request<'_>, conversation: &str) -> Reply {
    let body: NewParticipant = request.json()?;
    let (address, proxy_address) =
        body.messaging_binding.map_or((None, None), |pair| (pair.address, pair.proxy_address));
    let fields = ParticipantFields {
        identity: body.chat.map(|chat| chat.identity),
        attributes: body.attributes,
        address,
        proxy_address,
        ..ParticipantFields::default()
    };
    let mutation = Mutation::AddParticipant { conversation: conversation.to_owned(), fields };
    let (_, body) = change(app, client, mutation).await?;
    Ok((201, body))
}

async fn send(app: &App, client: &Client, request: &Request<'_>, conversation: &str) -> Reply {
    let body: NewMessage = request.json()?;
    let media_sids = body.media_sids.unwrap_or_default();
    if media_sids.len() > crate::state::limits::MAX_MEDIA_PER_MESSAGE {
        return Err(ApiError::parameter("media_sids"));
    }
    let fields = MessageFields {
        author: Some(client.identity.clone()),
        body: body.body,
        attributes: body.attributes,
        media_sids,
        ..MessageFields::default()
    };
    let (_, body) =
        change(app, client, Mutation::CreateMessage { conversation: conversation.to_owned(), fields }).await?;
    Ok((201, body))
}

async fn edit(app: &App, client: &Client, request: &Request<'_>, conversation: &str, message: &str) -> Reply {
    let body: NewMessage = request.json()?;
    let fields = MessageFields { body: body.body, attributes: body.attributes, ..MessageFields::default() };
    let (conversation, message) = (conversation.to_owned(), message.to_owned());
    change(app, client, Mutation::UpdateMessage { conversation, message, fields }).await
}

async fn receipts(app: &App, client: &Client, conversation: &str, message: &str) -> Reply {
    let (name, message) = (conversation.to_owned(), message.to_owned());
    let body = reading(app, client, conversation, move |state, _| {
        let message = state.message(&name, &message)?;
        let receipts: Vec<Value> = message.receipts.values().map(|one| render::receipt(message, one)).collect();
        Ok(json!({"delivery_receipts": receipts, "meta": {"next_token": null}}))
    });
    Ok((200, body.await?))
}

async fn fetch_user(app: &App, user: &str) -> Reply {
    let user = user.to_owned();
    let body = app.owner.call(move |state| {
        // Somebody who was never seen may still be asked about, as Twilio does for identities to come.
        let position = state.user(&user).map(|user| user.position)?;
        Ok::<Value, ApiError>(render::user(state, position))
    });
    Ok((200, body.await??))
}

async fn update_user(app: &App, client: &Client, request: &Request<'_>, user: &str) -> Reply {
    let body: NewConversation = request.json()?;
    let fields = UserFields { friendly_name: body.friendly_name, attributes: body.attributes, role_sid: None };
    app.mutate(Mutation::UpdateUser { user: user.to_owned(), fields }, client.origin()).await?;
    let own = client.user;
    Ok((200, app.owner.call(move |state| render::user(state, own)).await?))
}

/// The user in the path must be the one who asks.
fn own_user(state: &State, user: &str, own: u64) -> Result<(), ApiError> {
    if state.user(user)?.position == own { Ok(()) } else { Err(error::FORBIDDEN) }
}

async fn list_own(app: &App, client: &Client, request: &Request<'_>, user: &str) -> Reply {
    let size = request.page_size()?;
    let cursor = match request.parameter("PageToken") {
        Some(token) => Some(Cursor::parse(token).ok_or_else(|| ApiError::parameter("PageToken"))?),
        None => None,
    };
    let (user, own) = (user.to_owned(), client.user);
    let body = app.owner.call(move |state| {
        own_user(state, &user, own)?;
        let after = |position: &u64| match cursor {
            Some(Cursor::After(last)) => *position > last,
            _ => true,
        };
        let mut found: Vec<_> = state.memberships(own).filter(|(position, _)| after(position)).take(size + 1).collect();
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().map(|(position, _)| Cursor::After(*position).token());
        let conversations: Vec<Value> =
            found.into_iter().map(|(position, participant)| render::own(state, position, participant, false)).collect();
        Ok::<Value, ApiError>(json!({"conversations": conversations, "meta": {"next_token": last.filter(|_| more)}}))
    });
    Ok((200, body.await??))
}

async fn own(app: &App, client: &Client, user: &str, conversation: &str) -> Reply {
    let (user, own, conversation) = (user.to_owned(), client.user, conversation.to_owned());
    let body = app.owner.call(move |state| {
        own_user(state, &user, own)?;
        own_body(state, own, &conversation)
    });
    Ok((200, body.await??))
}

fn own_body(state: &State, user: u64, conversation: &str) -> Result<Value, ApiError> {
    let position = state.conversation(conversation)?.record.position;
    let participant = state.membership(position, user);
    // Whoever is not in a conversation does not learn that it is there.
    let participant = participant.ok_or_else(|| ApiError::not_found(&format!("/Conversations/{conversation}")))?;
    Ok(render::own(state, position, participant, true))
}

async fn update_own(app: &App, client: &Client, request: &Request<'_>, user: &str, conversation: &str) -> Reply {
    let body: Value = request.json()?;
    let read_horizon = match body.get("last_read_message_index") {
        None => None,
        Some(Value::Null) => Some(ReadHorizon::Unset),
        Some(index) => {
            let index = index.as_u64().ok_or_else(|| ApiError::parameter("last_read_message_index"))?;
            Some(ReadHorizon::At(index))
        }
    };
    let muted = match body.get("notification_level").and_then(Value::as_str) {
        None => None,
        Some("default") => Some(false),
        Some("muted") => Some(true),
        Some(_) => return Err(ApiError::parameter("notification_level")),
    };
    let (user, own, name) = (user.to_owned(), client.user, conversation.to_owned());
    let participant = app.owner.call(move |state| {
        own_user(state, &user, own)?;
        let position = state.conversation(&name)?.record.position;
        let participant = state.membership(position, own).ok_or_else(|| ApiError::not_found("/Conversations"))?;
        Ok::<String, ApiError>(participant.sid.to_string())
    });
    let participant = participant.await??;
    let fields = ParticipantFields { read_horizon, muted, ..ParticipantFields::default() };
    let mutation = Mutation::UpdateParticipant { conversation: conversation.to_owned(), participant, fields };
    app.mutate(mutation, client.origin()).await?;
    let conversation = conversation.to_owned();
    let own = client.user;
    Ok((200, app.owner.call(move |state| own_body(state, own, &conversation)).await??))
}

/// `POST …/Typing`, a form.
pub(super) async fn typing(app: &App, client: &Client, request: &Request<'_>) -> Reply {
    let conversation = request.form("ChannelSid").and_then(|sid| sid.parse().ok());
    let conversation = conversation.ok_or_else(|| ApiError::parameter("ChannelSid"))?;
    let user = client.user;
    app.owner.call(move |state| state.typing(conversation, user)).await??;
    Ok((200, json!({"typing_timeout": TYPING_TIMEOUT_SECONDS})))
}
