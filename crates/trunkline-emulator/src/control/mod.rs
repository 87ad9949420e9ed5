//! The emulator's own API under `/emulator/v1`: phones, calls, the account, sockets, faults, reset. No credentials; see [`guard`].

mod calls;
mod events;
mod faults;
mod guard;
mod line;
mod phones;
mod realtime;
mod rules;
mod texts;

use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, Uri};
use serde_json::json;

use crate::error::{self, ApiError};
use crate::rest::Problem;
use crate::server::App;

type Reply = Result<Response, Problem>;

pub(crate) fn router(app: &App) -> Router<App> {
    let api = Router::new()
        .route("/messages", post(texts::send).layer(DefaultBodyLimit::max(texts::MAX_TEXT_BYTES)))
        .route("/phones", get(phones::list))
        .route("/phones/{address}/messages", get(phones::messages))
        .route("/phones/{address}/messages/{message}/status", post(rules::report))
        .route(
            "/phones/{address}/receiving",
            get(rules::receiving).put(rules::set_receiving).delete(rules::forget_receiving),
        )
        .route("/phones/{address}/events", get(events::watch))
        .route("/phones/{address}/line", get(line::open))
        .route(
            "/phones/{address}/answering",
            get(calls::answering)
                .put(calls::set_answering)
                .delete(calls::forget_answering)
                .layer(DefaultBodyLimit::max(calls::MAX_SCRIPT_BYTES)),
        )
        .route("/calls", get(calls::live).post(calls::call).layer(DefaultBodyLimit::max(calls::MAX_SCRIPT_BYTES)))
        .route("/calls/{sid}", get(calls::result))
        .route("/numbers", post(calls::set_number))
        .route("/rules", get(rules::fetch).put(rules::set))
        .route("/clock", get(rules::clock).post(rules::shift))
        .route("/bindings", post(rules::bind))
        .route("/account", get(account))
        .route("/reset", post(reset))
        .route("/webhooks", get(webhooks))
        .route("/realtime", get(realtime::list))
        .route("/realtime/cut", post(realtime::cut))
        .route("/realtime/expire", post(realtime::expire))
        .route("/log", get(realtime::log))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/faults/{id}", axum::routing::delete(faults::remove))
        .fallback(async |uri: Uri| Problem(ApiError::not_found(uri.path())))
        .method_not_allowed_fallback(async || Problem(error::METHOD_NOT_ALLOWED))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(from_fn_with_state(app.clone(), guard::own_pages_only));
    Router::new().nest("/emulator/v1", api)
}

/// What a client needs to work with this emulator.
async fn account(State(app): State<App>) -> Response {
    let account = &app.account;
    Json(json!({
        "account_sid": account.account_sid,
        "auth_token": account.auth_token,
        "api_key": account.api_key,
        "api_secret": account.api_secret,
        "chat_service_sid": account.chat_service_sid,
        "identity": account.identity,
        "messaging_service_sid": account.messaging_service,
        "phone_number": account.phone_number,
        "base_url": &*app.base_url,
        "twilsock_url": crate::server::twilsock_url(&app.base_url),
    }))
    .into_response()
}

/// Empties everything but the account and its own address configurations. Faults go too.
async fn reset(State(app): State<App>) -> Reply {
    app.exchange.hang_up_all();
    app.faults.clear();
    app.journal.clear();
    app.owner.call(crate::state::State::reset).await?;
    // There may never have been a recording.
    drop(tokio::fs::remove_dir_all(app.exchange.folder()).await);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// How webhooks fare: waiting, sent, failed, dropped.
async fn webhooks(State(app): State<App>) -> Response {
    Json(app.dispatcher.stats()).into_response()
}

/// Longest request without files.
const MAX_JSON_BYTES: usize = 64 * 1024;
