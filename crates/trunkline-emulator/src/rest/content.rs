//! `/Content`: templates. Twilio has them on a host of its own, and takes JSON there.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde_json::{Value, json};

use super::call::Call;
use super::pages::PageRequest;
use super::{Reply, created, deleted, ok};
use crate::account::Account;
use crate::clock::iso;
use crate::error::ApiError;
use crate::server::App;
use crate::state::{ContentFields, ContentTemplate};

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let slice = app.owner.call(move |state| state.list_contents(page.size, page.cursor)).await?;
    let base = call.account_base();
    Ok(ok(page.body(&call, "contents", slice, |one| template(&app.account, &base, &one))))
}

pub(super) async fn create(
    State(app): State<App>,
    call: Call,
    body: Result<Json<ContentFields>, JsonRejection>,
) -> Reply {
    let Json(fields) = body.map_err(|_| ApiError::parameter("body is no such template"))?;
    let one = app.owner.call(move |state| state.add_content(fields)).await??;
    Ok(created(template(&app.account, &call.account_base(), &one)))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let sid = call.owned("content");
    let one = app.owner.call(move |state| state.content(&sid).cloned()).await??;
    Ok(ok(template(&app.account, &call.account_base(), &one)))
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let sid = call.owned("content");
    app.owner.call(move |state| state.remove_content(&sid)).await??;
    Ok(deleted())
}

/// What WhatsApp says of a template: it is approved.
pub(super) async fn approval(State(app): State<App>, call: Call) -> Reply {
    let sid = call.owned("content");
    let one = app.owner.call(move |state| state.content(&sid).cloned()).await??;
    Ok(ok(json!({
        "sid": one.sid,
        "account_sid": app.account.account_sid,
        "whatsapp": {
            "type": "whatsapp",
            "name": one.friendly_name,
            "category": "UTILITY",
            "content_type": one.types.as_object().and_then(|types| types.keys().next()),
            "status": "approved",
            "rejection_reason": "",
            "allow_category_change": true,
        },
        "url": call.own_url(),
    })))
}

fn template(account: &Account, base: &str, one: &ContentTemplate) -> Value {
    let url = format!("{base}/Content/{}", one.sid);
    json!({
        "sid": one.sid,
        "account_sid": account.account_sid,
        "friendly_name": one.friendly_name,
        "language": one.language,
        "variables": one.variables,
        "types": one.types,
        "date_created": iso(one.date_created),
        "date_updated": iso(one.date_updated),
        "url": url,
        "links": {
            "approval_create": format!("{url}/ApprovalRequests/whatsapp"),
            "approval_fetch": format!("{url}/ApprovalRequests"),
        },
    })
}

const MAX_PAGE: usize = 100;
