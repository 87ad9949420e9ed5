//! `/emulator/v1/realtime`: the connected sockets, and ending them; `/emulator/v1/log`: what happened, in order.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::Reply;
use crate::error;
use crate::realtime::SocketOrder;
use crate::rest::Problem;
use crate::server::App;
use crate::state::sync::Outgoing;

/// Whose sockets are meant; everybody's if it is not said.
#[derive(Deserialize)]
pub(super) struct Whose {
    identity: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct After {
    /// Only what comes after this entry.
    #[serde(default)]
    after: u64,
}

/// Who is connected, since when, with how many subscriptions, and what it was sent.
pub(super) async fn list(State(app): State<App>) -> Reply {
    let sockets = ask(&app, SocketOrder::List).await?;
    Ok(Json(json!({"sockets": sockets})).into_response())
}

/// Ends sockets without a word.
pub(super) async fn cut(State(app): State<App>, Query(Whose { identity }): Query<Whose>) -> Reply {
    let count = ask(&app, |reply| SocketOrder::Cut(identity, reply)).await?;
    Ok(Json(json!({"cut": count})).into_response())
}

/// Ends the tokens of sockets now.
pub(super) async fn expire(State(app): State<App>, Query(Whose { identity }): Query<Whose>) -> Reply {
    let count = ask(&app, |reply| SocketOrder::Expire(identity, reply)).await?;
    Ok(Json(json!({"expired": count})).into_response())
}

pub(super) async fn log(State(app): State<App>, Query(After { after }): Query<After>) -> Reply {
    Ok(Json(json!({"entries": app.journal.after(after)})).into_response())
}

async fn ask<R: Send + 'static>(
    app: &App,
    order: impl FnOnce(oneshot::Sender<R>) -> SocketOrder,
) -> Result<R, Problem> {
    let (reply, answer) = oneshot::channel();
    let order = Outgoing::Sockets(order(reply));
    app.owner.call(move |state| state.send(order)).await?;
    answer.await.map_err(|_| Problem(error::STOPPING))
}
