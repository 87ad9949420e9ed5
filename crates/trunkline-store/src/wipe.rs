//! What was deleted, out of the files too.

use crate::{Store, StoreError};

/// A database up to this size, in bytes, is written anew. A larger one would hold up whoever writes for too long.
const MAX_REWRITTEN: i64 = 128 << 20;

impl Store {
    /// Makes sure that what was deleted is in no file any more. Deleted rows are overwritten as they go; here the
    /// database is written anew, so that pages that were reorganised keep nothing of them, and the log before it is
    /// emptied. Returns false where the database is too large to be written anew (128 MiB): then stale copies may be left
    /// in pages until `VACUUM` is run with the gateway stopped. What is in memory of vectors goes too.
    ///
    /// # Errors
    /// `store.unavailable`; what was deleted stays deleted.
    ///
    /// # Cancel safety
    /// It may have been done; doing it again is harmless.
    pub async fn wipe(&self) -> Result<bool, StoreError> {
        self.forget_codes();
        let mut writer = self.writer.acquire().await?;
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *writer).await?;
        let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *writer).await?;
        let is_small = pages.saturating_mul(page_bytes) <= MAX_REWRITTEN;
        if is_small {
            sqlx::query("VACUUM").execute(&mut *writer).await?;
        }
        let (busy, _, _): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await?;
        Ok(is_small && busy == 0)
    }
}
