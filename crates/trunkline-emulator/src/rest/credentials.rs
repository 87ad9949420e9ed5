//! `/Credentials`, and `/Services/{IS}/Bindings`: push notifications, which are kept and never sent.

use axum::extract::State;
use serde_json::{Value, json};

use super::call::{Call, Form};
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok};
use crate::account::Account;
use crate::clock::iso;
use crate::error::ApiError;
use crate::server::App;
use crate::state::{Credential, CredentialFields, PushBinding, PushKind};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let slice = app.owner.call(move |state| state.list_credentials(page.size, page.cursor)).await?;
    let base = call.account_base();
    Ok(ok(page.body(&call, "credentials", slice, |one| credential(&app.account, &base, &one))))
}

pub(super) async fn create(State(app): State<App>, call: Call, form: Form) -> Reply {
    let fields = fields(&form)?;
    let one = app.owner.call(move |state| state.add_credential(&fields)).await??;
    Ok(created(credential(&app.account, &call.account_base(), &one)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let sid = call.owned("credential");
    let one = app.owner.call(move |state| state.credential(&sid).cloned()).await??;
    Ok(ok(credential(&app.account, &call.account_base(), &one)))
}

pub(super) async fn update(State(app): State<App>, call: Call, form: Form) -> Reply {
    let (sid, fields) = (call.owned("credential"), fields(&form)?);
    let one = app.owner.call(move |state| state.update_credential(&sid, &fields)).await??;
    Ok(ok(credential(&app.account, &call.account_base(), &one)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let sid = call.owned("credential");
    app.owner.call(move |state| state.remove_credential(&sid)).await??;
    Ok(deleted())
}

pub(super) async fn bindings(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let kind = |name: String| PushKind::parse(&name).ok_or_else(|| ApiError::parameter("BindingType"));
    // A socket is a binding as well with Twilio; here it is none, so that asking for those finds nothing.
    let asked = call.query.all("BindingType").unwrap_or_default();
    let only_sockets = !asked.is_empty() && asked.iter().all(|name| name == SOCKET);
    let kinds: Vec<_> = asked.into_iter().filter(|name| name != SOCKET).map(kind).collect::<Result<_, _>>()?;
    let identities = call.query.all("Identity").unwrap_or_default();
    let service = call.service;
    let listed = app.owner.call(move |state| {
        let size = if only_sockets { 0 } else { page.size };
        state.list_push_bindings(service, &kinds, &identities, size, page.cursor)
    });
    let mut slice = listed.await?;
    if only_sockets {
        (slice.next, slice.previous) = (None, None);
    }
    let base = call.base();
    Ok(ok(page.body(&call, "bindings", slice, |one| binding(&app.account, &base, &one))))
}

pub(super) async fn binding_fetch(State(app): State<App>, call: Call) -> Reply {
    let (service, sid) = (call.service, call.owned("binding"));
    let one = app.owner.call(move |state| state.push_binding(service, &sid).cloned()).await??;
    Ok(ok(binding(&app.account, &call.base(), &one)))
}

pub(super) async fn binding_remove(State(app): State<App>, call: Call) -> Reply {
    let (service, sid) = (call.service, call.owned("binding"));
    app.owner.call(move |state| state.remove_push_binding(service, &sid)).await??;
    Ok(deleted())
}

fn fields(form: &Form) -> Result<CredentialFields, ApiError> {
    let given = |name: &str| form.text(name).is_some_and(|text| !text.is_empty());
    Ok(CredentialFields {
        kind: form.owned("Type"),
        friendly_name: form.owned("FriendlyName"),
        sandbox: form.boolean("Sandbox")?,
        has_certificate: given("Certificate") && given("PrivateKey"),
        has_secret: given("ApiKey") || given("Secret"),
    })
}

fn credential(account: &Account, base: &str, one: &Credential) -> Value {
    json!({
        "sid": one.sid,
        "account_sid": account.account_sid,
        "friendly_name": one.friendly_name,
        "type": one.kind.as_str(),
        "sandbox": one.sandbox.map(|sandbox| if sandbox { "True" } else { "False" }),
        "date_created": iso(one.date_created),
        "date_updated": iso(one.date_updated),
        "url": format!("{base}/Credentials/{}", one.sid),
    })
}

pub(crate) fn binding(account: &Account, base: &str, one: &PushBinding) -> Value {
    json!({
        "sid": one.sid,
        "account_sid": account.account_sid,
        "chat_service_sid": one.service_sid,
        "credential_sid": one.credential_sid,
        "endpoint": one.endpoint,
        "identity": one.identity,
        "binding_type": one.kind.as_str(),
        "message_types": one.message_types,
        "date_created": iso(one.date_created),
        "date_updated": iso(one.date_updated),
        "url": format!("{base}/Bindings/{}", one.sid),
    })
}

const SOCKET: &str = "twilsock";
const MAX_PAGE: usize = 50;
