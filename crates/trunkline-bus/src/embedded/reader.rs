//! The thread that owns the reading connection.

use std::thread;

use rusqlite::{Connection, params};
use tokio::sync::mpsc;

use super::schema::unavailable;
use super::writer::Reply;
use crate::BusError;

/// An envelope as it lies in the log.
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) payload: Vec<u8>,
}

/// A piece of a stream, and how far it reaches even where it has no rows.
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) read_to: i64,
}

pub(super) enum Read {
    Page { subject: String, after: i64, limit: usize, reply: Reply<Page> },
    Backlog { durable: String, reply: Reply<u64> },
    DeadLetters { limit: usize, reply: Reply<Vec<(String, Vec<u8>)>> },
    DeadLetterCount { reply: Reply<u64> },
    Close { reply: Reply<()> },
}

pub(super) fn spawn(connection: Connection, reads: mpsc::Receiver<Read>) -> Result<(), BusError> {
    thread::Builder::new()
        .name("bus-reader".to_owned())
        .spawn(move || run(connection, reads))
        .map(drop)
        .map_err(|error| BusError::Unavailable { reason: error.to_string() })
}

fn run(connection: Connection, mut reads: mpsc::Receiver<Read>) {
    while let Some(read) = reads.blocking_recv() {
        // Whoever asked and has gone away does not want to know.
        let _gone = match read {
            Read::Page { subject, after, limit, reply } => {
                reply.send(page(&connection, &subject, after, limit).map_err(unavailable)).is_err()
            }
            Read::Backlog { durable, reply } => {
                reply.send(backlog(&connection, &durable).map_err(unavailable)).is_err()
            }
            Read::DeadLetters { limit, reply } => {
                reply.send(dead_letters(&connection, limit).map_err(unavailable)).is_err()
            }
            Read::DeadLetterCount { reply } => {
                let count = connection.query_row("SELECT count(*) FROM dead_letter", [], |row| row.get::<_, i64>(0));
                reply.send(count.map(i64::unsigned_abs).map_err(unavailable)).is_err()
            }
            Read::Close { reply } => {
                reads.close();
                drop(connection);
                let _gone = reply.send(Ok(()));
                return;
            }
        };
    }
}

fn page(connection: &Connection, subject: &str, after: i64, limit: usize) -> Result<Page, rusqlite::Error> {
    // Read before the rows: what is appended between the two statements is then read next time, not skipped.
    let newest: i64 =
        connection.prepare_cached("SELECT ifnull(max(seq), 0) FROM log")?.query_row([], |row| row.get(0))?;
    let sql = "SELECT seq, payload FROM log WHERE seq > ?1 AND subject = ?2 ORDER BY seq LIMIT ?3";
    let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<Row> = connection
        .prepare_cached(sql)?
        .query_map(params![after, subject, limit_rows], |row| Ok(Row { seq: row.get(0)?, payload: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    let last = rows.last().map_or(after, |row| row.seq);
    let read_to = if rows.len() < limit { last.max(newest) } else { last };
    Ok(Page { rows, read_to })
}

fn backlog(connection: &Connection, durable: &str) -> Result<u64, rusqlite::Error> {
    let sql = "SELECT (SELECT count(*) FROM log WHERE log.subject = consumer.subject AND log.seq > consumer.floor)
                    - (SELECT count(*) FROM acked WHERE acked.consumer = consumer.key AND acked.seq > consumer.floor
                         AND EXISTS (SELECT 1 FROM log WHERE log.seq = acked.seq))
               FROM consumer WHERE durable = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![durable])?;
    rows.next()?.map_or(Ok(0), |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn dead_letters(connection: &Connection, limit: usize) -> Result<Vec<(String, Vec<u8>)>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT id, payload FROM dead_letter ORDER BY key LIMIT ?1")?
        .query_map(params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
