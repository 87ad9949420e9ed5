//! Makes requests suffer: the middleware in front of Twilio's paths.

use std::future::pending;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::RETRY_AFTER;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::StatusPlan;
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
    if plan.drop_after { cut(connection).await } else { plan.status.map_or(response, failed) }
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
