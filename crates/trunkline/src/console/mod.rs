//! The console: pages from the program itself, and the API that they read. Nobody gets in without the token.

mod api;
mod assets;
mod auth;
mod body;
mod calls;
mod care;
mod codes;
mod conversations;
mod events;
mod tools;

use std::sync::Arc;

use axum::Router;
use trunkline_bus::{Bus, Subject};
use trunkline_store::Store;

use crate::agents::Agents;
use crate::calls::Calls;
use crate::connectors::Connectors;
use crate::edge::Readiness;
use crate::live::Live;
use crate::pipeline::{CatchUpTrigger, TurnsUnderWay};
pub(crate) use api::{Failure, bad, message, no_conversation, summary};
pub use auth::Access;
pub(crate) use body::Body;
pub(crate) use calls::past_call;
pub(crate) use conversations::said_in_short;
pub(crate) use tools::shown as tool_calls;

/// What the console reads.
pub struct ConsoleState {
    /// The system of record.
    pub store: Store,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// Its subject of facts.
    pub ingress: Subject,
    /// The ways out.
    pub connectors: Connectors,
    /// Whether texts flow.
    pub readiness: Readiness,
    /// Calls, where there are any.
    pub calls: Option<Calls>,
    /// What changes.
    pub live: Live,
    /// Who answers.
    pub agents: Agents,
    /// Wakes the lanes of what waits.
    pub missed: CatchUpTrigger,
    /// Ends the turn of an agent.
    pub under_way: TurnsUnderWay,
    /// Who gets in.
    pub access: Access,
}

/// The pages, the log-in, and the API under `/api/v1` but for the events.
pub fn console_routes(state: Arc<ConsoleState>) -> Router {
    let access = state.access.clone();
    guarded(api::routes(Arc::clone(&state)).merge(calls::routes(state)), &access)
        .merge(auth::routes(access))
        .merge(assets::routes())
}

/// `/api/v1/events`, which goes on for as long as somebody listens: no time-out may cut it.
pub fn event_routes(state: Arc<ConsoleState>) -> Router {
    let access = state.access.clone();
    guarded(events::routes(state), &access)
}

/// Lets in whoever has the token.
pub(crate) fn guarded(routes: Router, access: &Access) -> Router {
    routes.route_layer(axum::middleware::from_fn_with_state(access.clone(), auth::require))
}
