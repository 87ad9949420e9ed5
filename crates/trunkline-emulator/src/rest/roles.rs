//! `/Roles` and `…/{RL}`.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render};
use crate::server::App;
use crate::state::RoleFields;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let service = call.service;
    let slice = app.owner.call(move |state| state.list_roles(service, page.size, page.cursor)).await?;
    let base = call.base();
    Ok(ok(page.body(&call, "roles", slice, |role| render::role(&app.account, &base, &role))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let service = call.service;
    let fields = RoleFields {
        friendly_name: form.owned("FriendlyName"),
        kind: form.owned("Type"),
        permissions: form.all("Permission").unwrap_or_default(),
    };
    let role = app.owner.call(move |state| state.add_role(service, fields)).await??;
    Ok(created(render::role(&app.account, &call.base(), &role)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (service, sid) = (call.service, call.owned("role"));
    let role = app.owner.call(move |state| state.role(service, &sid).cloned()).await??;
    Ok(ok(render::role(&app.account, &call.base(), &role)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let (service, sid) = (call.service, call.owned("role"));
    let permissions = form.all("Permission").unwrap_or_default();
    let role = app.owner.call(move |state| state.update_role(service, &sid, permissions)).await??;
    Ok(ok(render::role(&app.account, &call.base(), &role)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (service, sid) = (call.service, call.owned("role"));
    app.owner.call(move |state| state.remove_role(service, &sid)).await??;
    Ok(deleted())
}

const MAX_PAGE: usize = 50;
