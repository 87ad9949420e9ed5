//! Clients with a socket: Twilsock at `/v3/wsconnect`, and everything that travels inside it.
//!
//! | Module | Does |
//! |---|---|
//! | [`upgrade`] | turns a request into a WebSocket |
//! | [`socket`] | drives one socket: its session, its requests, its queue, its faults |
//! | [`hub`] | knows who is subscribed to what, and hands changes out; lives with the owner of the state |
//! | [`upstream`] | routes the requests inside a socket by their path |
//! | [`sync_requests`] | Sync objects, items, subscriptions |
//! | [`client_requests`] | conversations, messages, participants, users, typing |
//! | [`token`] | whether an access token is good |
//! | [`media`] | the media service, by access token |

mod client_requests;
mod hub;
mod media;
mod render;
mod socket;
mod sync_requests;
mod token;
mod upgrade;
mod upstream;

use axum::Router;
use axum::routing::get;

pub(crate) use self::hub::{Hub, SocketOrder};
use crate::server::App;

/// The socket and the media service.
pub(crate) fn router() -> Router<App> {
    Router::new().route("/v3/wsconnect", get(upgrade::upgrade)).merge(media::router())
}

#[cfg(test)]
mod simulation;
