//! `/Services`: the one service, and its configuration.

use axum::extract::State;

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, ok, render};
use crate::clock::iso;
use crate::server::App;
use crate::state::paging::Slice;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let first = page.cursor.is_none();
    let slice = Slice { items: if first { vec![()] } else { Vec::new() }, next: None, previous: None };
    let base = call.service_base(app.account.chat_service_sid.as_str());
    let since = iso(app.started);
    Ok(ok(page.body(&call, "services", slice, |()| render::service(&app.account, &base, &since))))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let base = call.service_base(app.account.chat_service_sid.as_str());
    Ok(ok(render::service(&app.account, &base, &iso(app.started))))
}

pub(super) async fn configuration(State(app): State<App>, call: Call) -> Reply {
    let configuration = app.owner.call(|state| state.configuration.clone()).await?;
    Ok(ok(render::service_configuration(&app.account, &call.base(), &configuration)))
}

pub(super) async fn configure(State(app): State<App>, call: Call, form: Form) -> Reply {
    let enabled = form.boolean("ReachabilityEnabled")?;
    let configuration = app.owner.call(move |state| state.set_reachability(enabled)).await??;
    Ok(ok(render::service_configuration(&app.account, &call.base(), &configuration)))
}

const MAX_PAGE: usize = 100;
