//! Looking into the engines' files from outside.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

fn open(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// How many rows a table has.
pub(crate) fn rows(file: &Path, table: &str) -> i64 {
    open(file).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// The texts that a query with one column finds.
pub(crate) fn column(file: &Path, sql: &str) -> Vec<String> {
    let database = open(file);
    let mut query = database.prepare(sql).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Every envelope in a table of the bus.
pub(crate) fn envelopes(file: &Path, table: &str) -> Vec<serde_json::Value> {
    let bus = open(file);
    let mut rows = bus.prepare(&format!("SELECT payload FROM {table}")).unwrap();
    let payloads = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    payloads.map(|payload| serde_json::from_slice(&payload.unwrap()).unwrap()).collect()
}

/// How many rows of the outbox are in a state.
pub(crate) fn outbox(folder: &Path, state: &str) -> i64 {
    let sql = "SELECT count(*) FROM outbox WHERE state = ?1";
    open(&folder.join("store.db")).query_row(sql, [state], |row| row.get(0)).unwrap()
}

/// How many texts of a person are recorded.
pub(crate) fn recorded(folder: &Path, person: &str) -> i64 {
    let sql = "SELECT count(*) FROM message WHERE direction = 'in' AND author = ?1";
    open(&folder.join("store.db")).query_row(sql, [person], |row| row.get(0)).unwrap()
}
