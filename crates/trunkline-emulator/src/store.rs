//! The data file: one SQLite table of records as JSON, one of file contents.
//!
//! A commit survives the death of the process (WAL, `synchronous=NORMAL`); a power failure may cost the last ones.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::{Connection, params};

use crate::state::{Effects, Key, State, Stored};

/// A data file that cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refuses the file.
    #[error("the data file {path} cannot be used")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// A commit or a read failed: disk full, file damaged.
    #[error("the data file cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The file holds a record that this version cannot read, or one cannot be written.
    #[error("a record in the data file cannot be read or written")]
    Record(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file was written by a later version.
    #[error("the data file has schema version {found}, this version knows up to {known}")]
    Version {
        /// What the file says.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
}

impl StoreError {
    /// `emulator.store.open`, `emulator.store.io`, `emulator.store.record` or `emulator.store.version`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "emulator.store.open",
            Self::Sqlite(_) => "emulator.store.io",
            Self::Record(_) => "emulator.store.record",
            Self::Version { .. } => "emulator.store.version",
        }
    }
}

/// The open data file.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the file, creating it if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let wrong = |source| StoreError::Open { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(wrong)?;
        connection.pragma_update(None, "journal_mode", "wal").map_err(wrong)?;
        connection.pragma_update(None, "synchronous", "normal").map_err(wrong)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(wrong)?;
        if found > SCHEMA_VERSION {
            return Err(StoreError::Version { found, known: SCHEMA_VERSION });
        }
        connection.execute_batch(SCHEMA).map_err(wrong)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(wrong)?;
        Ok(Self { connection })
    }

    /// Everything in the file.
    pub(crate) fn read(&self) -> Result<Stored, StoreError> {
        let mut stored = Stored::default();
        let mut records = self.connection.prepare("SELECT kind, body FROM record")?;
        let mut rows = records.query([])?;
        while let Some(row) = rows.next()? {
            let kind: String = row.get(0)?;
            stored.records.entry(kind).or_default().push(row.get(1)?);
        }
        let mut contents = self.connection.prepare("SELECT sid, content FROM media_content")?;
        let mut rows = contents.query([])?;
        while let Some(row) = rows.next()? {
            let content: Vec<u8> = row.get(1)?;
            stored.media.push((row.get(0)?, Bytes::from(content)));
        }
        Ok(stored)
    }

    /// Writes what changed, all or nothing.
    pub(crate) fn commit(&mut self, state: &State, effects: &Effects) -> Result<(), StoreError> {
        if effects.dirty.is_empty() && !effects.cleared {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        if effects.cleared {
            transaction.execute("DELETE FROM record", [])?;
            transaction.execute("DELETE FROM media_content", [])?;
        }
        for key in &effects.dirty {
            let (kind, id) = key.name();
            let record = state.record_text(key).transpose().map_err(|error| StoreError::Record(Box::new(error)))?;
            if let Some(body) = record {
                transaction.prepare_cached(PUT)?.execute(params![kind, id, body])?;
            } else {
                transaction.prepare_cached(DELETE)?.execute(params![kind, id])?;
                if let Key::Media(sid) = key {
                    transaction.prepare_cached(DELETE_CONTENT)?.execute(params![sid.as_str()])?;
                }
            }
            if let Key::Media(sid) = key
                && let Some((_, content)) = state.media_content(*sid)
            {
                let bytes: &[u8] = &content;
                transaction.prepare_cached(PUT_CONTENT)?.execute(params![sid.as_str(), bytes])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS record (
        kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS media_content (sid TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
";
const PUT: &str = "INSERT INTO record (kind, id, body) VALUES (?1, ?2, ?3)
    ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body";
const DELETE: &str = "DELETE FROM record WHERE kind = ?1 AND id = ?2";
const DELETE_CONTENT: &str = "DELETE FROM media_content WHERE sid = ?1";
const PUT_CONTENT: &str = "INSERT INTO media_content (sid, content) VALUES (?1, ?2) ON CONFLICT (sid) DO NOTHING";
