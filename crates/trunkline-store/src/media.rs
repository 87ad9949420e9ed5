//! Files that are kept, by their content, and which message brought which.

use sqlx::FromRow;
use trunkline_core::event::MediaRef;

use crate::store::now_ms;
use crate::{Store, StoreError};

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct MediaRow {
    /// SHA-256 of its content, in hexadecimal.
    pub hash: String,
    /// `image`, `video` or `audio`.
    pub kind: String,
    /// Its media type, by its content.
    pub content_type: String,
    /// Its size in bytes.
    pub size: i64,
}

impl MediaRow {
    /// The file as a message of ours refers to it.
    pub(crate) fn reference(&self) -> MediaRef {
        MediaRef {
            id: self.hash.clone(),
            content_type: self.content_type.clone(),
            size: self.size.unsigned_abs(),
            filename: None,
        }
    }
}

/// What became of a file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageFile {
    /// It is kept.
    Kept(MediaRow),
    /// It is not, by this code.
    Refused(String),
}

#[derive(FromRow)]
struct Row {
    position: i64,
    error_code: Option<String>,
    hash: Option<String>,
    kind: Option<String>,
    content_type: Option<String>,
    size: Option<i64>,
}

impl Store {
    /// Notes a file that is kept, once.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn keep_media(&self, media: &MediaRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO media (hash, kind, content_type, size, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (hash) DO NOTHING",
        )
        .bind(&media.hash)
        .bind(&media.kind)
        .bind(&media.content_type)
        .bind(media.size)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The file with this hash, if it is kept.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn media(&self, hash: &str) -> Result<Option<MediaRow>, StoreError> {
        let sql = "SELECT hash, kind, content_type, size FROM media WHERE hash = $1";
        Ok(sqlx::query_as(sql).bind(hash).fetch_optional(&self.reader).await?)
    }

    /// How many bytes all files that are kept have together.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn media_bytes(&self) -> Result<u64, StoreError> {
        let sql = "SELECT COALESCE(SUM(size), 0) FROM media";
        let bytes: i64 = sqlx::query_scalar(sql).fetch_one(&self.reader).await?;
        Ok(bytes.unsigned_abs())
    }

    /// What became of the files of a message that were looked at, with their places in it.
    ///
    /// # Errors
    /// `store.unavailable`, `store.unreadable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn files_of(&self, message_id: &str) -> Result<Vec<(usize, MessageFile)>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT f.position, f.error_code, m.hash, m.kind, m.content_type, m.size
             FROM message_media f LEFT JOIN media m ON m.hash = f.hash WHERE f.message_id = $1 ORDER BY f.position",
        )
        .bind(message_id)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(file).collect()
    }

    /// Notes what became of a file of a message. The first that is noted counts.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// It may have been noted; noting it again is harmless.
    pub async fn set_file(&self, message_id: &str, position: usize, file: &MessageFile) -> Result<(), StoreError> {
        let (hash, error_code) = match file {
            MessageFile::Kept(media) => (Some(&media.hash), None),
            MessageFile::Refused(code) => (None, Some(code)),
        };
        sqlx::query(
            "INSERT INTO message_media (message_id, position, hash, error_code, updated_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (message_id, position) DO NOTHING",
        )
        .bind(message_id)
        .bind(i64::try_from(position).unwrap_or(i64::MAX))
        .bind(hash)
        .bind(error_code)
        .bind(now_ms())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

fn file(row: Row) -> Result<(usize, MessageFile), StoreError> {
    let unreadable = || StoreError::Unreadable { column: "message_media.hash" };
    let position = usize::try_from(row.position).map_err(|_| unreadable())?;
    let file = match (row.error_code, row.hash, row.kind, row.content_type, row.size) {
        (Some(code), ..) => MessageFile::Refused(code),
        (None, Some(hash), Some(kind), Some(content_type), Some(size)) => {
            MessageFile::Kept(MediaRow { hash, kind, content_type, size })
        }
        _ => return Err(unreadable()),
    };
    Ok((position, file))
}
