//! The web chat: visitors of a page who write to us over a WebSocket. Here we are the platform ourselves.
//!
//! ```text
//! page ─▶ session ─▶ intake: chat log, then bus ─▶ (pipeline) ─▶ WebChatConnector: chat log ─▶ hub ─▶ session ─▶ page
//! ```
//!
//! The chat log in the store is what a provider would keep for us: the connector sends into it, looks answers up in it
//! and reads it back. The hub only tells sessions that there is more to read, so whatever it loses is found in the log.
//! The frames are in `docs/webchat.md`.

mod codes;
mod hub;
mod intake;
mod limits;
mod message;
mod origin;
mod pages;
mod places;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use self::limits::{
    Limits, MAX_FRAME_BYTES, PATIENCE, Patience, READ_BUFFER_BYTES, max_sockets, max_sockets_per_address,
};
use self::places::Places;
use crate::config::WebChatSettings;
use crate::edge::Readiness;
use crate::pipeline::Context;

pub use hub::Hub;
pub(crate) use hub::Push;
pub(crate) use message::{SOURCE, message_id, received};

/// What the routes and sessions of the web chat work with.
pub struct WebChat {
    context: Context,
    settings: WebChatSettings,
    readiness: Readiness,
    hub: Hub,
    limits: Limits,
    patience: Patience,
    places: Places,
    sessions: TaskTracker,
}

impl WebChat {
    /// A chat that tells its sessions by `hub`, which its connector tells.
    pub fn new(context: Context, settings: WebChatSettings, readiness: Readiness, hub: Hub) -> Self {
        Self {
            context,
            limits: Limits::new(settings.new_visitors),
            patience: PATIENCE,
            places: Places::new(max_sockets(), max_sockets_per_address(settings.new_visitors)),
            settings,
            readiness,
            hub,
            sessions: TaskTracker::new(),
        }
    }

    /// Waits until every session has ended; they end when the gateway begins to stop.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn ended(&self) {
        self.sessions.close();
        self.sessions.wait().await;
    }
}

/// The pages under `/chat`, and the socket.
pub fn chat_routes(chat: Arc<WebChat>) -> Router {
    let pages = pages::routes(&chat.settings.origins);
    Router::new().route("/chat/socket", get(socket)).with_state(chat).merge(pages)
}

async fn socket(
    State(chat): State<Arc<WebChat>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin::is_allowed(&headers, &chat.settings.origins) {
        let reason =
            "pages of this origin may not use the chat; the operator can allow it in TRUNKLINE_WEBCHAT_ORIGINS";
        return refusal(&chat, StatusCode::FORBIDDEN, codes::ORIGIN, reason);
    }
    let place = match chat.places.take(peer.ip()) {
        Ok(place) => place,
        Err(full) => {
            let (code, message) = full.told();
            return refusal(&chat, StatusCode::SERVICE_UNAVAILABLE, code, message);
        }
    };
    let upgrade = upgrade
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0);
    upgrade.on_upgrade(move |socket| {
        let span = tracing::debug_span!("webchat.session");
        let sessions = chat.sessions.clone();
        sessions.track_future(session::run(chat, socket, peer.ip(), place).instrument(span))
    })
}

fn refusal(chat: &WebChat, status: StatusCode, code: &'static str, message: &'static str) -> Response {
    chat.context.metrics.webchat_refused(code);
    (status, Json(json!({ "code": code, "message": message, "status": status.as_u16() }))).into_response()
}
