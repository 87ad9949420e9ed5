//! Fetching what came with texts, before an agent is asked about them.
//!
//! What became of a file is noted once, good or bad, so that a turn that is redone, by this process or the next, finds the
//! same. A few files are fetched at once, over all conversations.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use trunkline_agent::{Attachment, MediaKind};
use trunkline_core::event::MediaRef;
use trunkline_core::{Pii, Retry};
use trunkline_store::{MediaRow, MessageFile, MessageRow, Store, StoreError};

use super::{MediaFolder, codes, sniff};
use crate::config::MediaSettings;
use crate::connectors::Connector;

/// Files that are fetched at once.
const AT_ONCE: usize = 8;
/// Tries of one file.
const TRIES: u32 = 3;
/// The wait before another try.
const WAIT: Duration = Duration::from_millis(250);
/// Files of one message that are looked at; Twilio's limit is 10.
const MAX_FILES: usize = 10;

/// What fetching needs. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    pub(crate) folder: MediaFolder,
    pub(crate) settings: Arc<MediaSettings>,
    slots: Arc<Semaphore>,
    /// Where agents elsewhere find this gateway.
    base: Arc<str>,
}

impl Media {
    /// Keeps files in `folder`; programs elsewhere get them under `base`.
    pub fn new(folder: MediaFolder, settings: MediaSettings, base: String) -> Self {
        let base = if settings.base_url.is_empty() { base } else { settings.base_url.clone() };
        Self { folder, settings: settings.into(), slots: Arc::new(Semaphore::new(AT_ONCE)), base: base.into() }
    }

    /// Where a program with the console's token gets a file.
    fn url(&self, hash: &str) -> String {
        format!("{}/api/v1/media/{hash}", self.base)
    }
}

/// The files of some texts.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Those that are there, each with the text that it came with.
    pub(crate) attachments: Vec<Attachment>,
    /// Whether there are some that are not taken.
    pub(crate) refused: bool,
}

/// The files of texts that wait for an answer, fetched if they were not before. Takes as long as `media.timeout`.
///
/// # Errors
/// What the store refuses. A file that cannot be had is none.
///
/// # Cancel safety
/// Cancel-safe: what was not fetched is fetched the next time.
pub(crate) async fn gather(
    media: &Media,
    store: &Store,
    connector: Option<&Arc<dyn Connector>>,
    texts: &[MessageRow],
) -> Result<Gathered, StoreError> {
    let deadline = Instant::now() + media.settings.timeout;
    let mut gathered = Gathered::default();
    for (input, text) in texts.iter().enumerate().filter(|(_, text)| !text.media.is_empty()) {
        let known = store.files_of(&text.id).await?;
        let missing = text.media.iter().take(MAX_FILES).enumerate();
        let missing = missing.filter(|(position, _)| known.iter().all(|(known, _)| known != position));
        let fetched = missing.map(|(position, file)| async move {
            let file = fetch((media, store), connector, file, deadline).await;
            if let MessageFile::Kept(row) = &file {
                store.keep_media(row).await?;
            }
            store.set_file(&text.id, position, &file).await?;
            Ok((position, file))
        });
        let fetched: Result<Vec<_>, StoreError> = join_all(fetched).await.into_iter().collect();
        let mut files = known;
        files.extend(fetched?);
        files.sort_unstable_by_key(|(position, _)| *position);
        for (position, file) in files {
            match file {
                MessageFile::Kept(row) => {
                    let filename = text.media.get(position).and_then(|file| file.filename.clone());
                    gathered.attachments.extend(attachment(media, input, row, filename));
                }
                MessageFile::Refused(_) => gathered.refused = true,
            }
        }
        gathered.refused |= text.media.len() > MAX_FILES;
    }
    Ok(gathered)
}

fn attachment(media: &Media, input: usize, row: MediaRow, filename: Option<String>) -> Option<Attachment> {
    Some(Attachment {
        input,
        kind: MediaKind::from_name(&row.kind)?,
        size: row.size.unsigned_abs(),
        path: media.folder.path(&row.hash),
        url: media.url(&row.hash),
        content_type: row.content_type,
        hash: row.hash,
        filename: filename.map(Pii::new),
    })
}

/// Fetches and keeps one file, or says why not.
async fn fetch(
    (media, store): (&Media, &Store),
    connector: Option<&Arc<dyn Connector>>,
    file: &MediaRef,
    deadline: Instant,
) -> MessageFile {
    let outcome = match timeout_at(deadline, fetched(media, connector, file)).await {
        Ok(Ok(bytes)) => keep(media, store, bytes).await,
        Ok(Err(code)) => Err(code),
        Err(_) => Err(codes::UNREACHABLE),
    };
    outcome.map_or_else(
        |code| {
            tracing::warn!(error.code = code, "a file that came with a text is not taken");
            MessageFile::Refused(code.to_owned())
        },
        MessageFile::Kept,
    )
}

async fn fetched(
    media: &Media,
    connector: Option<&Arc<dyn Connector>>,
    file: &MediaRef,
) -> Result<Bytes, &'static str> {
    let max_bytes = media.settings.max_bytes;
    if file.size > max_bytes as u64 {
        return Err(codes::TOO_LARGE);
    }
    let connector = connector.ok_or(codes::UNREACHABLE)?;
    let _slot = media.slots.acquire().await.map_err(|_| codes::UNREACHABLE)?;
    let mut tries = 0;
    loop {
        tries += 1;
        match connector.fetch_media(file, max_bytes).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.retry != Retry::No && tries < TRIES => tokio::time::sleep(WAIT * tries).await,
            Err(error) => return Err(error.code),
        }
    }
}

/// Looks at what was fetched, and keeps it.
pub(super) async fn keep(media: &Media, store: &Store, bytes: Bytes) -> Result<MediaRow, &'static str> {
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let (kind, content_type) = accepted(&media.settings, &bytes)?;
    let kept = store.media_bytes().await.map_err(|_| codes::UNREACHABLE)?;
    if kept.saturating_add(size.unsigned_abs()) > media.settings.max_total_bytes
        && !media.folder.has(bytes.clone()).await
    {
        tracing::warn!(error.code = codes::FULL, "a file is not kept: there is no room for more");
        return Err(codes::FULL);
    }
    let hash = media.folder.keep(bytes).await.map_err(|error| {
        tracing::error!(%error, "a file cannot be written to the data folder");
        codes::UNREACHABLE
    })?;
    Ok(MediaRow { hash, kind: kind.as_str().to_owned(), content_type: content_type.to_owned(), size })
}

/// What a file is, if such files are taken.
fn accepted(settings: &MediaSettings, bytes: &[u8]) -> Result<(MediaKind, &'static str), &'static str> {
    let known = sniff(bytes).filter(|(_, content_type)| settings.types.iter().any(|taken| taken == content_type));
    known.ok_or(codes::UNSUPPORTED)
}
