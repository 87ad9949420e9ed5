//! `/Conversations/{CH}/Webhooks` and `…/{WH}`.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok, render};
use crate::server::App;
use crate::state::ScopedWebhookFields;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let name = call.owned("conversation");
    let slice = app.owner.call(move |state| state.list_scoped_webhooks(&name, page.size, page.cursor)).await??;
    let base = call.base();
    Ok(ok(page
        .body(&call, "webhooks", slice, |webhook| call.shown(render::scoped_webhook(&app.account, &base, &webhook)))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let replay_after = form.number("Configuration.ReplayAfter")?;
    let (name, fields) = (call.owned("conversation"), ScopedWebhookFields { replay_after, ..fields(&form) });
    let webhook = app.owner.call(move |state| state.add_scoped_webhook(&name, &fields)).await??;
    Ok(created(call.shown(render::scoped_webhook(&app.account, &call.base(), &webhook))))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (name, webhook) = (call.owned("conversation"), call.owned("webhook"));
    let webhook = app.owner.call(move |state| state.scoped_webhook(&name, &webhook).cloned()).await??;
    Ok(ok(call.shown(render::scoped_webhook(&app.account, &call.base(), &webhook))))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let (name, webhook, fields) = (call.owned("conversation"), call.owned("webhook"), fields(&form));
    let webhook = app.owner.call(move |state| state.update_scoped_webhook(&name, &webhook, &fields)).await??;
    Ok(ok(call.shown(render::scoped_webhook(&app.account, &call.base(), &webhook))))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (name, webhook) = (call.owned("conversation"), call.owned("webhook"));
    app.owner.call(move |state| state.remove_scoped_webhook(&name, &webhook)).await??;
    Ok(deleted())
}

fn fields(form: &Form) -> ScopedWebhookFields {
    ScopedWebhookFields {
        target: form.owned("Target"),
        url: form.owned("Configuration.Url"),
        method: form.owned("Configuration.Method"),
        filters: form.all("Configuration.Filters"),
        triggers: form.all("Configuration.Triggers"),
        flow_sid: form.owned("Configuration.FlowSid"),
        replay_after: None,
    }
}

const MAX_PAGE: usize = 5;
