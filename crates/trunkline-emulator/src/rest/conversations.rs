//! `/Conversations` and `/Conversations/{CH or unique name}`.

use axum::extract::State;

use super::call::{Call, Form};
use super::moment::moment;
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render, unexpected};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::records::ConversationState;
use crate::state::{Answer, ConversationFields, ConversationFilter, Mutation};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let filter = filter(&call.query)?;
    let service = call.service;
    let slice = app.owner.call(move |state| state.list_conversations(service, &filter, page.size, page.cursor)).await?;
    let base = call.base();
    let body = page.body(&call, "conversations", slice, |record| render::conversation(&app.account, &base, &record));
    Ok(ok(body))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = ConversationFields { service_sid: Some(call.service), ..fields(&form)? };
    match app.mutate(Mutation::CreateConversation(fields), call.origin).await? {
        Answer::Conversation(record) => Ok(created(render::conversation(&app.account, &call.base(), &record))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let name = call.owned("conversation");
    let record = app.owner.call(move |state| state.conversation(&name).map(|one| one.record.clone())).await??;
    Ok(ok(render::conversation(&app.account, &call.base(), &record)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::UpdateConversation { conversation: call.owned("conversation"), fields: fields(&form)? };
    match app.mutate(mutation, call.origin).await? {
        Answer::Conversation(record) => Ok(ok(render::conversation(&app.account, &call.base(), &record))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    app.mutate(Mutation::DeleteConversation { conversation: call.owned("conversation") }, call.origin).await?;
    Ok(deleted())
}

pub(super) fn fields(form: &Form) -> Result<ConversationFields, ApiError> {
    Ok(ConversationFields {
        service_sid: None,
        friendly_name: form.owned("FriendlyName"),
        unique_name: form.owned("UniqueName"),
        attributes: form.owned("Attributes"),
        messaging_service_sid: form.owned("MessagingServiceSid"),
        state: form.owned("State"),
        inactive_timer: form.owned("Timers.Inactive"),
        closed_timer: form.owned("Timers.Closed"),
        email_address: form.owned("Bindings.Email.Address"),
        email_name: form.owned("Bindings.Email.Name"),
        date_created: form.date("DateCreated")?,
        date_updated: form.date("DateUpdated")?,
    })
}

fn filter(query: &Form) -> Result<ConversationFilter, ApiError> {
    let state = query.text("State").map(|text| ConversationState::parse(text).ok_or(error::STATE)).transpose()?;
    let from = query.text("StartDate").map(|text| moment(text, "StartDate", false)).transpose()?;
    let until = query.text("EndDate").map(|text| moment(text, "EndDate", true)).transpose()?;
    Ok(ConversationFilter { state, from, until })
}

const MAX_PAGE: usize = 100;
