//! `POST /ConversationWithParticipants`: a conversation and up to ten participants in one request.
//!
//! Who cannot join is left out, as long as somebody can. When nobody can the conversation is closed and the answer is
//! 50427. Twilio may also answer 202 and go on afterwards; here everything is done when the answer is given.

use axum::extract::State;
use serde::Deserialize;

use super::call::{Call, Form};
use super::{Problem, Reply, conversations, created, render, unexpected};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::{Answer, ConversationFields, Mutation, ParticipantFields};

/// One `Participant`, a JSON object as text.
#[derive(Deserialize)]
struct Given {
    identity: Option<String>,
    attributes: Option<String>,
    role_sid: Option<String>,
    messaging_binding: Option<Binding>,
}

#[derive(Deserialize)]
struct Binding {
    address: Option<String>,
    proxy_address: Option<String>,
    projected_address: Option<String>,
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let participants = participants(&form)?;
    let fields = ConversationFields { service_sid: Some(call.service), ..conversations::fields(&form)? };
    let Answer::Conversation(record) = app.mutate(Mutation::CreateConversation(fields), call.origin).await? else {
        return Err(unexpected());
    };
    let conversation = record.sid.to_string();
    let (mut joined, wanted) = (0_usize, participants.len());
    for fields in participants {
        let mutation = Mutation::AddParticipant { conversation: conversation.clone(), fields };
        joined = joined.saturating_add(usize::from(app.mutate(mutation, call.origin).await.is_ok()));
    }
    if wanted > 0 && joined == 0 {
        let fields = ConversationFields { state: Some("closed".to_owned()), ..ConversationFields::default() };
        app.mutate(Mutation::UpdateConversation { conversation, fields }, call.origin).await?;
        return Err(Problem(error::NO_PARTICIPANT_JOINED));
    }
    Ok(created(render::conversation(&app.account, &call.base(), &record)))
}

fn participants(form: &Form) -> Result<Vec<ParticipantFields>, ApiError> {
    let given = form.all("Participant").unwrap_or_default();
    if given.len() > MAX_PARTICIPANTS {
        return Err(error::TOO_MANY_IN_ONE_REQUEST);
    }
    let read = |text: &String| {
        let given: Given = serde_json::from_str(text).map_err(|_| ApiError::parameter("Participant"))?;
        let binding =
            given.messaging_binding.unwrap_or(Binding { address: None, proxy_address: None, projected_address: None });
        Ok(ParticipantFields {
            identity: given.identity,
            attributes: given.attributes,
            role_sid: given.role_sid,
            address: binding.address,
            proxy_address: binding.proxy_address,
            projected_address: binding.projected_address,
            ..ParticipantFields::default()
        })
    };
    given.iter().map(read).collect()
}

/// Twilio's limit for one request.
const MAX_PARTICIPANTS: usize = 10;
