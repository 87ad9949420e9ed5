//! The API of 2010-04-01: calls, recordings, streams, notifications, numbers and messages.

mod beside;
mod calls;
mod create;
mod media;
mod messages;
mod numbers;
mod pages;
mod recordings;
mod render;
mod streams;
mod transcriptions;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use super::call::{Call, Form};
use super::{MAX_FORM_BYTES, missing, wrong_method};
use crate::error::ApiError;
use crate::server::App;
use crate::state::events::Target;
use crate::state::limits;
use crate::state::records::Method;

/// Everything under `/2010-04-01/Accounts/{AC}`.
pub(super) fn router(app: &App) -> Router<App> {
    let account = Router::new()
        .route("/Calls.json", get(calls::list).post(create::create))
        .route("/Calls/{call}", get(calls::fetch).post(calls::update).delete(calls::remove))
        .route("/Calls/{call}/Recordings.json", get(recordings::of_call).post(recordings::start))
        .route(
            "/Calls/{call}/Recordings/{recording}",
            get(recordings::fetch).post(recordings::update).delete(recordings::remove),
        )
        .route("/Calls/{call}/Streams.json", post(streams::start))
        .route("/Calls/{call}/Streams/{stream}", post(streams::update))
        .route("/Calls/{call}/Transcriptions.json", post(transcriptions::start))
        .route("/Calls/{call}/Transcriptions/{transcription}", post(transcriptions::update))
        .route("/Calls/{call}/Notifications.json", get(calls::notifications))
        .route("/Recordings.json", get(recordings::list))
        .route("/Recordings/{recording}", get(recordings::fetch).delete(recordings::remove))
        .route("/Messages.json", get(messages::list).post(messages::create))
        .route("/Messages/{message}", get(messages::fetch).post(messages::update).delete(messages::remove))
        .route("/Messages/{message}/Feedback.json", post(messages::feedback))
        .route("/Messages/{message}/Media.json", get(media::list))
        .route("/Messages/{message}/Media/{media}", get(media::fetch).delete(media::remove))
        .route("/IncomingPhoneNumbers.json", get(numbers::list).post(numbers::create))
        .route("/IncomingPhoneNumbers/Local.json", get(numbers::list).post(numbers::create))
        .route("/IncomingPhoneNumbers/{number}", get(numbers::fetch).post(numbers::update).delete(numbers::remove))
        .layer(from_fn_with_state(app.clone(), known_account))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES));
    Router::new()
        .nest("/2010-04-01/Accounts/{account}", account.fallback(missing).method_not_allowed_fallback(wrong_method))
}

/// There is one account; every other SID is missing.
async fn known_account(State(app): State<App>, call: Call, request: Request, next: Next) -> Response {
    if call.path("account") == app.account.account_sid.as_str() { next.run(request).await } else { missing(call).await }
}

/// A part of the path without `.json`, which every resource ends with.
fn name(call: &Call, part: &str) -> String {
    let text = call.path(part);
    text.strip_suffix(".json").unwrap_or(text).to_owned()
}

/// A URL and how it is requested, from two parameters.
fn target(form: &Form, url: &'static str, method: &'static str) -> Result<Option<Target>, ApiError> {
    let how = self::method(form, method)?.unwrap_or(Method::Post);
    let Some(url) = form.text(url).filter(|url| !url.is_empty()) else { return Ok(None) };
    limits::check_url(url).map_err(|_| crate::error::CALL_URL)?;
    Ok(Some(Target { url: url.to_owned(), method: how }))
}

fn method(form: &Form, name: &'static str) -> Result<Option<Method>, ApiError> {
    form.text(name).map(|text| Method::parse(text).ok_or_else(|| ApiError::parameter(name))).transpose()
}
