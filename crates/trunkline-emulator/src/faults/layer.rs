//! Makes requests suffer: the middleware in front of Twilio's paths.

use std::future::pending;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{Spoiling, StatusPlan};
use crate::rest::Problem;
use crate::server::App;

/// The TCP connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// Cutting it closes the socket without an answer.
    pub(crate) cut: CancellationToken,
    /// Its place among the connections; whoever takes the connection over holds on to it.
    pub(crate) room: Arc<OwnedSemaphorePermit>,
}

/// Applies the faults that match a request.
pub(crate) async fn inject(State(app): State<App>, request: Request, next: Next) -> Response {
    let plan = app.faults.request(request.method().as_str(), request.uri().path());
    let connection = request.extensions().get::<Connection>().cloned();
    if plan.drop_before {
        return cut(connection).await;
    }
    super::pause(plan.delay).await;
    if let Some(status) = plan.status.filter(|status| !status.after) {
        return failed(status);
    }
    let response = next.run(request).await;
    if plan.drop_after {
        return cut(connection).await;
    }
    let response = plan.status.map_or(response, failed);
    match plan.spoiled {
        None => response,
        Some(spoiling) => spoil(response, spoiling).await,
    }
}

/// An answer whose body is not what it should be.
async fn spoil(response: Response, spoiling: Spoiling) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = to_bytes(body, MAX_SPOILED).await else { return StatusCode::BAD_GATEWAY.into_response() };
    match spoiling {
        Spoiling::NotJson => {
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(NOT_JSON))
        }
        Spoiling::Truncated(bytes) => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
            let first = whole.slice(..bytes.min(whole.len().saturating_sub(1)));
            let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a fault that was asked for");
            let end = async {
                // What came before is written first.
                tokio::task::yield_now().await;
                Err(broken)
            };
            Response::from_parts(parts, Body::from_stream(stream::iter([Ok(first)]).chain(stream::once(end))))
        }
    }
}

fn failed(plan: StatusPlan) -> Response {
    let mut response = Problem(plan.problem()).into_response();
    if let Some(after) = plan.retry_after {
        // Whole seconds, as the header wants them.
        let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Closes the connection; the request that waits here ends with it.
async fn cut(connection: Option<Connection>) -> Response {
    if let Some(connection) = connection {
        connection.cut.cancel();
    }
    pending().await
}

/// Longest answer that can be spoiled, in bytes.
const MAX_SPOILED: usize = 160 * 1024 * 1024;
/// What stands in place of JSON.
const NOT_JSON: &str = "<html><body>502 Bad Gateway</body>";
