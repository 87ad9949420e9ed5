//! `/api/v1/transcripts/search`: what was said in calls and conversations, for whoever has the console's token.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_store::{PassageKind, Scope};

use super::routes::{shown, words};
use crate::console::{Access, Failure, bad, guarded};
use crate::meaning::{Finder, PATIENCE};

/// What is found, if nothing else is asked for.
const FOUND: u32 = 10;

/// The routes, for whoever has the console's token.
pub(crate) fn transcript_routes(finder: Finder, access: &Access) -> Router {
    guarded(Router::new().route("/api/v1/transcripts/search", get(search)).with_state(Arc::new(finder)), access)
}

#[derive(Deserialize)]
struct Wanted {
    q: String,
    contact: Option<String>,
    kind: Option<String>,
    limit: Option<u32>,
}

async fn search(State(finder): State<Arc<Finder>>, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Failure> {
    let kinds = match wanted.kind.as_deref() {
        None => vec![PassageKind::Transcript, PassageKind::Conversation],
        Some("transcript") => vec![PassageKind::Transcript],
        Some("conversation") => vec![PassageKind::Conversation],
        Some(_) => return Err(bad("kind", "must be transcript or conversation")),
    };
    let scope = wanted.contact.map_or_else(|| Scope::Kinds(kinds.clone()), Scope::Contact);
    let limit = wanted.limit.unwrap_or(FOUND).clamp(1, 100);
    let words = words(&wanted.q)?;
    let mut sought = finder.find(&words, vec![scope], limit, None, PATIENCE).await?;
    sought.found.retain(|one| kinds.contains(&one.kind));
    Ok(Json(json!({ "passages": shown(&words, &sought.found), "meaning": sought.meaning })))
}
