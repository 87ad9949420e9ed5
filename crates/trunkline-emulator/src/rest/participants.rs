//! `/Conversations/{CH}/Participants` and `…/{MB or identity}`.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render, unexpected};
use crate::error::ApiError;
use crate::server::App;
use crate::state::{Answer, Mutation, ParticipantFields};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let name = call.owned("conversation");
    let slice = app.owner.call(move |state| state.list_participants(&name, page.size, page.cursor)).await??;
    let base = call.base();
    Ok(ok(page.body(&call, "participants", slice, |one| call.shown(render::participant(&app.account, &base, &one)))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::AddParticipant { conversation: call.owned("conversation"), fields: fields(&form)? };
    match app.mutate(mutation, call.origin).await? {
        Answer::Participant(one) => Ok(created(call.shown(render::participant(&app.account, &call.base(), &one)))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (conversation, participant) = (call.owned("conversation"), call.owned("participant"));
    let one = app.owner.call(move |state| state.participant(&conversation, &participant).cloned()).await??;
    Ok(ok(call.shown(render::participant(&app.account, &call.base(), &one))))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::UpdateParticipant {
        conversation: call.owned("conversation"),
        participant: call.owned("participant"),
        fields: fields(&form)?,
    };
    match app.mutate(mutation, call.origin).await? {
        Answer::Participant(one) => Ok(ok(call.shown(render::participant(&app.account, &call.base(), &one)))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (conversation, participant) = (call.owned("conversation"), call.owned("participant"));
    app.mutate(Mutation::RemoveParticipant { conversation, participant }, call.origin).await?;
    Ok(deleted())
}

fn fields(form: &Form) -> Result<ParticipantFields, ApiError> {
    Ok(ParticipantFields {
        identity: form.owned("Identity"),
        address: form.owned("MessagingBinding.Address"),
        proxy_address: form.owned("MessagingBinding.ProxyAddress"),
        projected_address: form.owned("MessagingBinding.ProjectedAddress"),
        attributes: form.owned("Attributes"),
        role_sid: form.owned("RoleSid"),
        read_horizon: form.read_horizon()?,
        muted: None,
        last_read_timestamp: form.owned("LastReadTimestamp"),
        date_created: form.date("DateCreated")?,
        date_updated: form.date("DateUpdated")?,
    })
}

const MAX_PAGE: usize = 100;
