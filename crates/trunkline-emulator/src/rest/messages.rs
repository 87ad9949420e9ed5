//! `/Conversations/{CH}/Messages`, `…/{IM}` and its delivery receipts.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render, unexpected};
use crate::error::{self, ApiError};
use crate::server::App;
use crate::state::paging::Order;
use crate::state::{Answer, MessageFields, Mutation};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let order = match call.query.text("Order") {
        None | Some("asc") => Order::Ascending,
        Some("desc") => Order::Descending,
        Some(_) => return Err(ApiError::parameter("Order").into()),
    };
    let name = call.owned("conversation");
    let slice = app.owner.call(move |state| state.list_messages(&name, order, page.size, page.cursor)).await??;
    let base = call.base();
    Ok(ok(page.body(&call, "messages", slice, |message| call.shown(render::message(&app.account, &base, &message)))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::CreateMessage { conversation: call.owned("conversation"), fields: fields(&form)? };
    match app.mutate(mutation, call.origin).await? {
        Answer::Message(message) => Ok(created(call.shown(render::message(&app.account, &call.base(), &message)))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (conversation, message) = (call.owned("conversation"), call.owned("message"));
    let message = app.owner.call(move |state| state.message(&conversation, &message).cloned()).await??;
    Ok(ok(call.shown(render::message(&app.account, &call.base(), &message))))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let mutation = Mutation::UpdateMessage {
        conversation: call.owned("conversation"),
        message: call.owned("message"),
        fields: fields(&form)?,
    };
    match app.mutate(mutation, call.origin).await? {
        Answer::Message(message) => Ok(ok(call.shown(render::message(&app.account, &call.base(), &message)))),
        _ => Err(unexpected()),
    }
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (conversation, message) = (call.owned("conversation"), call.owned("message"));
    app.mutate(Mutation::RemoveMessage { conversation, message }, call.origin).await?;
    Ok(deleted())
}

pub(super) async fn receipts(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_RECEIPT_PAGE)?;
    let (conversation, message) = (call.owned("conversation"), call.owned("message"));
    let listed = app.owner.call(move |state| state.list_receipts(&conversation, &message, page.size, page.cursor));
    let (message, slice) = listed.await??;
    let base = call.base();
    let body = page.body(&call, "delivery_receipts", slice, |receipt| {
        call.shown(render::receipt(&app.account, &base, &message, &receipt))
    });
    Ok(ok(body))
}

pub(super) async fn receipt(State(app): State<App>, call: Call) -> Reply {
    let (conversation, message) = (call.owned("conversation"), call.owned("message"));
    let message = app.owner.call(move |state| state.message(&conversation, &message).cloned()).await??;
    let receipt = message.receipts.values().find(|receipt| receipt.sid.as_str() == call.path("receipt"));
    let receipt = receipt.ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    Ok(ok(call.shown(render::receipt(&app.account, &call.base(), &message, receipt))))
}

/// What a channel says of a message beyond its receipts: nothing here.
pub(super) async fn channel_metadata(State(app): State<App>, call: Call) -> Reply {
    let (conversation, message) = (call.owned("conversation"), call.owned("message"));
    app.owner.call(move |state| state.message(&conversation, &message).map(|_| ())).await??;
    Err(error::NO_CHANNEL_METADATA.into())
}

fn fields(form: &Form) -> Result<MessageFields, ApiError> {
    Ok(MessageFields {
        author: form.owned("Author"),
        body: form.owned("Body"),
        attributes: form.owned("Attributes"),
        media_sids: form.all("MediaSid").unwrap_or_default(),
        subject: form.owned("Subject"),
        content_sid: form.owned("ContentSid"),
        content_variables: form.owned("ContentVariables"),
        date_created: form.date("DateCreated")?,
        date_updated: form.date("DateUpdated")?,
    })
}

const MAX_PAGE: usize = 100;
const MAX_RECEIPT_PAGE: usize = 50;
