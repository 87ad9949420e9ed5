//! The file: its tables, its version, how its connections are set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::EmbeddedOptions;
use crate::BusError;

/// `PRAGMA user_version` of the tables below.
const VERSION: i64 = 1;
const PAGE_BYTES: u64 = 4096;
/// How long to wait for another process's write: well below the 5 s in which a provider wants its webhook answered.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const CACHED_STATEMENTS: usize = 32;

const TABLES: &str = "
CREATE TABLE log (
    seq     INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    id      TEXT NOT NULL,
    payload BLOB NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (subject, id)
);
CREATE TABLE consumer (
    key     INTEGER PRIMARY KEY,
    durable TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    floor   INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE acked (
    consumer INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (consumer, seq)
) WITHOUT ROWID;
CREATE TABLE attempt (
    consumer INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (consumer, seq)
) WITHOUT ROWID;
CREATE TABLE dead_letter (
    key     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    payload BLOB NOT NULL
);
CREATE TABLE probe (one INTEGER PRIMARY KEY, at INTEGER NOT NULL);
";

/// Opens the writing connection and brings the tables up to date.
pub(super) fn open(options: &EmbeddedOptions) -> Result<Connection, BusError> {
    let mut connection = Connection::open(&options.path).map_err(unavailable)?;
    set_up(&connection)?;
    // A transaction that reads first and writes later is refused at once when another process wrote in between;
    // one that begins as a writer waits its turn.
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let pages = i64::try_from(options.max_file_bytes / PAGE_BYTES).unwrap_or(i64::MAX);
    connection.pragma_update(None, "max_page_count", pages).map_err(unavailable)?;

    let transaction = connection.transaction().map_err(unavailable)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(unavailable)?;
    match version {
        VERSION => {}
        0 => {
            transaction.execute_batch(TABLES).map_err(unavailable)?;
            transaction.pragma_update(None, "user_version", VERSION).map_err(unavailable)?;
        }
        newer => {
            return Err(BusError::Unavailable {
                reason: format!("its file has version {newer}, this program knows up to {VERSION}"),
            });
        }
    }
    transaction.commit().map_err(unavailable)?;
    Ok(connection)
}

/// Opens the reading connection of a file that [`open`] has set up.
pub(super) fn open_reader(path: &Path) -> Result<Connection, BusError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unavailable)?;
    set_up(&connection)?;
    connection.pragma_update(None, "query_only", true).map_err(unavailable)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<(), BusError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(unavailable)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(unavailable)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(unavailable)?;
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", true).map_err(unavailable)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(())
}

/// What SQLite said, as an error of the bus. SQLite's texts name tables and conditions, never values.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn unavailable(error: rusqlite::Error) -> BusError {
    BusError::Unavailable { reason: error.to_string() }
}
