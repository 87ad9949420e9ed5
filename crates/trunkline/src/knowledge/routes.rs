//! `/api/v1/knowledge`: collections and their documents, for whoever has the console's token.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_core::Pii;
use trunkline_store::{DocumentRow, Found, Scope, best_sentences, terms};

use super::ingest::{Document, Refusal};
use super::{Knowledge, codes};
use crate::console::{Access, Failure, bad, guarded};
use crate::meaning::PATIENCE;

/// The longest name of a collection, in characters.
const MAX_COLLECTION: usize = 64;
/// The longest title of a document, in bytes.
const MAX_TITLE: usize = 300;
/// What is found, if nothing else is asked for.
const FOUND: u32 = 10;
/// What is searched for, in bytes.
const MAX_WORDS: usize = 2_000;
/// The part of a passage that is shown first, in characters.
const EXCERPT: usize = 300;

/// The routes, for whoever has the console's token.
pub(crate) fn knowledge_routes(knowledge: Knowledge, access: &Access) -> Router {
    // One more, so that a document that is a little too large is told so.
    let most = knowledge.settings.max_bytes + 1;
    let routes = Router::new()
        .route("/api/v1/knowledge", get(collections))
        .route("/api/v1/knowledge/search", get(search))
        .route("/api/v1/knowledge/{collection}", delete(remove_collection))
        .route("/api/v1/knowledge/{collection}/documents", get(documents).post(add))
        .route("/api/v1/knowledge/{collection}/documents/{document}", delete(remove))
        .layer(DefaultBodyLimit::max(most))
        .with_state(Arc::new(knowledge));
    guarded(routes, access)
}

async fn collections(State(knowledge): State<Arc<Knowledge>>) -> Result<Json<Value>, Failure> {
    let rows = knowledge.store.collections().await?;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| json!({ "collection": row.collection, "documents": row.documents, "passages": row.passages }))
        .collect();
    Ok(Json(json!({ "collections": shown })))
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<String>,
}

async fn documents(
    State(knowledge): State<Arc<Knowledge>>,
    Path(collection): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Failure> {
    let rows = knowledge.store.documents(&collection, page.cursor.as_deref()).await?;
    let next = rows.last().filter(|_| rows.len() >= 1_000).map(|row| row.title.clone());
    Ok(Json(json!({ "documents": rows.iter().map(document).collect::<Vec<_>>(), "next": next })))
}

fn document(row: &DocumentRow) -> Value {
    json!({
        "id": row.id,
        "collection": row.collection,
        "title": row.title,
        "content_type": row.content_type,
        "sha256": row.hash,
        "size": row.size,
        "passages": row.passages,
        "created_at": row.created_at.to_string(),
        "updated_at": row.updated_at.to_string(),
    })
}

#[derive(Deserialize)]
struct Title {
    title: Option<String>,
}

async fn add(
    State(knowledge): State<Arc<Knowledge>>,
    Path(collection): Path<String>,
    Query(Title { title }): Query<Title>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let collection = named(&collection)?;
    let title = title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty());
    let title = title.filter(|title| title.len() <= MAX_TITLE && !title.chars().any(char::is_control));
    let title = title.ok_or_else(|| bad("title", "must be given, with at most 300 bytes"))?;
    let content = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(&knowledge),
        _ => bad("the body", "did not come whole"),
    })?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let taken = knowledge.take_in(Document { collection, title, content_type, content }).await;
    let (row, changed) = taken.map_err(|refusal| refused(&knowledge, refusal))?;
    let status = if changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "changed": changed, "document": document(&row) }))))
}

fn too_large(knowledge: &Knowledge) -> Failure {
    let reason = format!("the document has more than {} bytes", knowledge.settings.max_bytes);
    Failure(StatusCode::PAYLOAD_TOO_LARGE, codes::TOO_LARGE, reason)
}

fn refused(knowledge: &Knowledge, refusal: Refusal) -> Failure {
    let code = match refusal {
        Refusal::Store(error) => return error.into(),
        Refusal::Document(codes::TOO_LARGE) => return too_large(knowledge),
        Refusal::Document(code) => code,
    };
    let (status, reason) = match code {
        codes::UNSUPPORTED => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "only text, Markdown, HTML and PDF are read"),
        codes::ENCRYPTED => (StatusCode::UNPROCESSABLE_ENTITY, "the PDF needs a password"),
        codes::TOO_HEAVY => {
            (StatusCode::UNPROCESSABLE_ENTITY, "reading the document takes more time, memory or text than it may")
        }
        codes::EMPTY => (StatusCode::UNPROCESSABLE_ENTITY, "there is no text in the document"),
        codes::NO_PDF => (StatusCode::NOT_IMPLEMENTED, "PDFs are not read here; see TRUNKLINE_PDF_PROGRAM"),
        codes::BUSY => (StatusCode::SERVICE_UNAVAILABLE, "other documents are being read; try again in a moment"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "the document cannot be read"),
    };
    Failure(status, code, reason.to_owned())
}

async fn remove(
    State(knowledge): State<Arc<Knowledge>>,
    Path((collection, document)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    removed(&knowledge, &collection, Some(&document)).await
}

async fn remove_collection(
    State(knowledge): State<Arc<Knowledge>>,
    Path(collection): Path<String>,
) -> Result<Json<Value>, Failure> {
    removed(&knowledge, &collection, None).await
}

async fn removed(knowledge: &Knowledge, collection: &str, document: Option<&str>) -> Result<Json<Value>, Failure> {
    match knowledge.store.remove_documents(collection, document).await? {
        0 => {
            let reason = "there is no such collection or document".to_owned();
            Err(Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, reason))
        }
        documents => Ok(Json(json!({ "documents": documents }))),
    }
}

/// A name of a collection: it stands in paths and in the index.
fn named(collection: &str) -> Result<String, Failure> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_usable = !collection.is_empty() && collection.len() <= MAX_COLLECTION && collection.chars().all(is_of_name);
    if !is_usable || matches!(collection, "search" | "." | "..") {
        return Err(bad("collection", "must be letters, digits, -, _ and ., at most 64, and not `search`"));
    }
    Ok(collection.to_owned())
}

#[derive(Deserialize)]
struct Wanted {
    q: String,
    collection: Option<String>,
    limit: Option<u32>,
}

async fn search(State(knowledge): State<Arc<Knowledge>>, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Failure> {
    let words = words(&wanted.q)?;
    let scope = Scope::Collections(wanted.collection.into_iter().collect());
    let limit = wanted.limit.unwrap_or(FOUND).clamp(1, 100);
    let sought = knowledge.finder.find(&words, vec![scope], limit, None, PATIENCE).await?;
    Ok(Json(json!({ "passages": shown(&words, &sought.found), "meaning": sought.meaning })))
}

/// What is searched for.
pub(super) fn words(q: &str) -> Result<Pii<String>, Failure> {
    if q.trim().is_empty() || q.len() > MAX_WORDS {
        return Err(bad("q", "must be what to look for, in at most 2000 bytes"));
    }
    Ok(Pii::new(q.to_owned()))
}

/// Passages as the API shows them.
pub(super) fn shown(words: &Pii<String>, found: &[Found]) -> Vec<Value> {
    let terms = terms(words.expose());
    let passage = |found: &Found| {
        json!({
            "id": found.id,
            "kind": found.kind.as_str(),
            "source": { "id": found.source_id, "title": found.source, "collection": found.collection },
            "contact": found.contact_id,
            "title": found.title.expose(),
            "excerpt": best_sentences(&terms, found.text.expose(), EXCERPT),
            "text": found.text.expose(),
            "score": found.score,
            "coverage": found.coverage,
            "at": found.at.to_string(),
        })
    };
    found.iter().map(passage).collect()
}
