//! The bus over HTTP, for programs that are not part of the gateway: facts out, commands in.
//!
//! The embedded bus is a file of the gateway's process, so whoever is outside reads and writes it here. What travels is
//! what lies on the bus: the same envelopes, at least once, under durable names. A delivery is leased; one that is not
//! acknowledged by the end of its lease comes again. A command is a row of the outbox before it is accepted, so that the
//! promises of the pipeline hold for it: carried out once, in order, whatever is restarted. `docs/agents.md` explains it
//! to those who write such a program.

mod codes;
mod consumers;
mod egress;
mod failure;
mod ingress;
mod operator;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

use crate::console::{Access, guarded};
use crate::edge::Readiness;
use crate::pipeline::Context;
use consumers::Consumers;

/// The largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 64 << 10;
/// The longest that a request may wait for a fact.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What the routes share.
pub(crate) struct BusApi {
    context: Context,
    readiness: Readiness,
    consumers: Consumers,
}

impl BusApi {
    pub(crate) fn new(context: Context, readiness: Readiness) -> Self {
        let consumers = Consumers::new(Arc::clone(&context.bus), context.subjects.ingress.clone());
        Self { context, readiness, consumers }
    }
}

/// What is answered at once: acknowledgements, commands, the end of a consumer.
pub(crate) fn bus_routes(api: Arc<BusApi>, access: &Access) -> Router {
    let routes = Router::new()
        .route("/api/v1/bus/ack", post(ingress::settle))
        .route("/api/v1/bus/egress", post(egress::accept))
        .route("/api/v1/conversations/{id}/messages", post(operator::accept))
        .route("/api/v1/bus/consumers/{name}", delete(ingress::forget))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(api);
    guarded(routes, access)
}

/// `/api/v1/bus/ingress`, which waits for as long as it is asked to: the time-out of the other routes would cut it.
pub(crate) fn poll_routes(api: Arc<BusApi>, access: &Access) -> Router {
    guarded(Router::new().route("/api/v1/bus/ingress", get(ingress::poll)).with_state(api), access)
}
