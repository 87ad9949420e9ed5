//! Opening the database.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::StoreError;
use crate::search::Codes;

/// Readers that may work at once. SQLite has one writer.
const READERS: u32 = 4;
/// How long to wait for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Cheap to clone; all clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: writers queue here, not in SQLite's busy loop.
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    /// What the table of vectors has, or had a moment ago.
    pub(crate) codes: Arc<RwLock<Codes>>,
}

impl Store {
    /// Opens or creates the SQLite file at `path` and brings its tables up to date.
    ///
    /// # Errors
    /// `store.unavailable`, `store.migration`.
    ///
    /// # Cancel safety
    /// Cancel-safe: each migration is one transaction.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            // What is deleted is overwritten.
            .pragma("secure_delete", "ON")
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("migrations/sqlite").run(&writer).await.map_err(StoreError::Migration)?;
        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.read_only(true).create_if_missing(false));
        Ok(Self { writer, reader, codes: Arc::default() })
    }

    /// Proves that the store can write, by writing.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.set_cursor("probe", jiff::Timestamp::now().as_millisecond()).await
    }

    /// Waits for what is in flight and closes every connection.
    ///
    /// # Cancel safety
    /// Call it again to wait for the end.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// The present, as it stands in the tables.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A new identifier; later ones sort behind earlier ones.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// A stored time.
pub(crate) fn timestamp(ms: i64, column: &'static str) -> Result<jiff::Timestamp, StoreError> {
    jiff::Timestamp::from_millisecond(ms).map_err(|_| StoreError::Unreadable { column })
}
