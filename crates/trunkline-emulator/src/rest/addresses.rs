//! `/Configuration/Addresses` and `…/{IG or address}`.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render};
use crate::error::ApiError;
use crate::server::App;
use crate::state::AddressFields;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let kind = call.query.owned("Type");
    let slice = app.owner.call(move |state| state.list_addresses(kind.as_deref(), page.size, page.cursor)).await?;
    let base = call.account_base();
    let body = page.body(&call, "address_configurations", slice, |one| render::address(&app.account, &base, &one));
    Ok(ok(body))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = fields(&form)?;
    let one = app.owner.call(move |state| state.add_address(&fields)).await??;
    Ok(created(render::address(&app.account, &call.account_base(), &one)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let name = call.owned("address");
    let one = app.owner.call(move |state| state.address(&name).cloned()).await??;
    Ok(ok(render::address(&app.account, &call.account_base(), &one)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let (name, fields) = (call.owned("address"), fields(&form)?);
    let one = app.owner.call(move |state| state.update_address(&name, &fields)).await??;
    Ok(ok(render::address(&app.account, &call.account_base(), &one)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let name = call.owned("address");
    app.owner.call(move |state| state.remove_address(&name)).await??;
    Ok(deleted())
}

fn fields(form: &Form) -> Result<AddressFields, ApiError> {
    Ok(AddressFields {
        kind: form.owned("Type"),
        address: form.owned("Address"),
        friendly_name: form.owned("FriendlyName"),
        address_country: form.owned("AddressCountry"),
        enabled: form.boolean("AutoCreation.Enabled")?,
        auto_creation: form.owned("AutoCreation.Type"),
        conversation_service_sid: form.owned("AutoCreation.ConversationServiceSid"),
        webhook_url: form.owned("AutoCreation.WebhookUrl"),
        webhook_method: form.owned("AutoCreation.WebhookMethod"),
        webhook_filters: form.all("AutoCreation.WebhookFilters"),
        studio_flow_sid: form.owned("AutoCreation.StudioFlowSid"),
        studio_retry_count: form.number("AutoCreation.StudioRetryCount")?,
    })
}

const MAX_PAGE: usize = 50;
