//! Taking a document in.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use trunkline_store::{DocumentRow, NewDocument, NewPassage, Store, StoreError};

use super::block::{Block, MAX_TEXT_BYTES};
use super::kind::Kind;
use super::{chunk, codes, html, markdown, pdf, plain};
use crate::config::KnowledgeSettings;
use crate::meaning::Finder;

/// Passages of one document; one with more is refused.
const MAX_PASSAGES: usize = 20_000;
/// Documents that are read at once.
const AT_ONCE: usize = 2;

/// Why a document is not taken in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is the document, by this code.
    Document(&'static str),
    /// It is the store.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A document as it comes.
pub(super) struct Document {
    pub(super) collection: String,
    pub(super) title: String,
    pub(super) content_type: Option<String>,
    pub(super) content: Bytes,
}

/// What is known. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Knowledge {
    pub(super) store: Store,
    pub(super) finder: Finder,
    pub(super) settings: Arc<KnowledgeSettings>,
    reading: Arc<Semaphore>,
}

impl Knowledge {
    pub(crate) fn new(store: Store, finder: Finder, settings: KnowledgeSettings) -> Self {
        Self { store, finder, settings: Arc::new(settings), reading: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Takes a document in, in the place of one of its title. Returns it, and whether anything is different.
    ///
    /// # Errors
    /// As [`Refusal`].
    ///
    /// # Cancel safety
    /// It may have been taken in; taking it in again is harmless.
    pub(super) async fn take_in(&self, document: Document) -> Result<(DocumentRow, bool), Refusal> {
        if document.content.len() > self.settings.max_bytes {
            return Err(Refusal::Document(codes::TOO_LARGE));
        }
        let _turn = self.reading.try_acquire().map_err(|_| Refusal::Document(codes::BUSY))?;
        let Document { collection, title, content_type, content } = document;
        let kind = Kind::of(&content, content_type.as_deref(), &title);
        let kind = kind.ok_or(Refusal::Document(codes::UNSUPPORTED))?;
        let size = content.len() as u64;
        let hash = hash_of(content.clone()).await;
        let known = self.store.document_titled(&collection, &title).await?;
        if let Some(known) = known.filter(|known| known.hash == hash && known.content_type == kind.content_type()) {
            return Ok((known, false));
        }
        let passages = self.passages(kind, content).await.map_err(Refusal::Document)?;
        let content_type = kind.content_type().to_owned();
        let new = NewDocument { collection, title, content_type, hash, size };
        Ok((self.store.put_document(&new, &passages).await?, true))
    }

    async fn passages(&self, kind: Kind, content: Bytes) -> Result<Vec<NewPassage>, &'static str> {
        let text = match kind {
            Kind::Pdf => pdf::text(self.settings.pdf.as_deref(), content).await?,
            Kind::Text | Kind::Markdown | Kind::Html => String::from_utf8_lossy(&content).into_owned(),
        };
        if text.len() > MAX_TEXT_BYTES {
            return Err(codes::TOO_HEAVY);
        }
        let work = move || chunk::passages(&blocks(kind, &text));
        let passages = tokio::task::spawn_blocking(work).await.map_err(|_| codes::UNREADABLE)?;
        match passages.len() {
            0 => Err(codes::EMPTY),
            few if few <= MAX_PASSAGES => Ok(passages),
            _ => Err(codes::TOO_HEAVY),
        }
    }
}

fn blocks(kind: Kind, text: &str) -> Vec<Block> {
    let text = text.trim_start_matches('\u{feff}');
    match kind {
        Kind::Markdown => markdown::blocks(text),
        Kind::Html => html::blocks(text),
        Kind::Text | Kind::Pdf => plain::blocks(text),
    }
}

async fn hash_of(content: Bytes) -> String {
    let digest = tokio::task::spawn_blocking(move || <[u8; 32]>::from(Sha256::digest(&content)));
    let digest = digest.await.unwrap_or_default();
    let (high, low) = digest.split_at(16);
    let number = |half: &[u8]| half.iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("{:032x}{:032x}", number(high), number(low))
}
