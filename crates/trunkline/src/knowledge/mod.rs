//! Knowledge: documents that agents may answer from.
//!
//! ```text
//! bytes ─▶ kind ─▶ text | markdown | html | pdf (in a process of its own) ─▶ blocks ─▶ chunk ─▶ store
//! ```
//!
//! A document is read whole, or it is refused with a code. What is in it is data: it is found and quoted, and never
//! carried out. The same room makes passages of what was said in calls and conversations (`indexer`).

mod block;
mod chunk;
pub(crate) mod codes;
mod html;
mod indexer;
mod ingest;
mod kind;
mod markdown;
mod pdf;
pub mod pdf_text;
mod plain;
mod routes;
mod said;
mod transcripts;

pub(crate) use indexer::Indexer;
pub(crate) use ingest::Knowledge;
pub(crate) use routes::knowledge_routes;
pub(crate) use transcripts::transcript_routes;
