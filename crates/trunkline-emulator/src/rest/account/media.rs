//! `/Messages/{SM}/Media.json`, and each file: what it is with `.json`, its bytes without.

use axum::extract::State;
use axum::response::IntoResponse;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use serde_json::{Value, json};

use super::super::{Reply, deleted, ok};
use super::pages::MAX_PAGE;
use super::{Call, name};
use crate::account::Account;
use crate::clock::rfc2822;
use crate::error::ApiError;
use crate::rest::pages::PageRequest;
use crate::server::App;
use crate::state::messaging::ChannelMessage;
use crate::state::paging::{Order, slice};
use crate::state::records::MediaRef;

pub(super) async fn list(State(app): State<App>, call: Call) -> Reply {
    let page = PageRequest::of(&call, MAX_PAGE)?;
    let sid = name(&call, "message");
    let message = app.owner.call(move |state| state.channel_message(&sid).cloned()).await??;
    let files = (0..).zip(&message.media).collect();
    let slice = slice(&files, Order::Ascending, page.size, page.cursor, |file| Some((*file).clone()));
    Ok(ok(page.flat_body(&call, "media_list", slice, |file| render(&app.account, &message, &file))))
}

pub(super) async fn fetch(State(app): State<App>, call: Call) -> Reply {
    let (sid, media) = (name(&call, "message"), name(&call, "media"));
    let found = app.owner.call(move |state| {
        let (message, file) = state.channel_media(&sid, &media)?;
        Ok::<_, ApiError>((message.clone(), file.clone(), state.media_content(file.sid)))
    });
    let (message, file, content) = found.await??;
    if call.path("media").ends_with(JSON) {
        return Ok(ok(render(&app.account, &message, &file)));
    }
    let (_, content) = content.ok_or_else(|| ApiError::not_found(&call.uri_path))?;
    // A file is a stranger's: the browser must not take it for a page of this origin.
    let headers = [
        (CONTENT_TYPE, file.content_type.as_str()),
        (CONTENT_DISPOSITION, "attachment"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, content).into_response())
}

pub(super) async fn remove(State(app): State<App>, call: Call) -> Reply {
    let (sid, media) = (name(&call, "message"), name(&call, "media"));
    app.owner.call(move |state| state.delete_channel_media(&sid, &media)).await??;
    Ok(deleted())
}

fn render(account: &Account, message: &ChannelMessage, file: &MediaRef) -> Value {
    let account = account.account_sid;
    json!({
        "sid": file.sid,
        "account_sid": account,
        "parent_sid": message.sid,
        "content_type": file.content_type,
        "date_created": rfc2822(message.date_created),
        "date_updated": rfc2822(message.date_created),
        "uri": format!("/2010-04-01/Accounts/{account}/Messages/{}/Media/{}.json", message.sid, file.sid),
    })
}

const JSON: &str = ".json";
