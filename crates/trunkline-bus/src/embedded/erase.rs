//! Taking everything that names somebody out of the log and of the dead letters.
//!
//! A piece at a time, so that publishers need not wait for the whole of a long log. The newest number of the log is
//! given to a row that says nothing, so that it is not given out again when the row that had it is gone.

use aho_corasick::AhoCorasick;
use rusqlite::{Connection, Transaction, params};

use super::writer::now_ms;
use crate::BusError;

/// Envelopes that are looked at in one transaction.
const ROWS: i64 = 2_000;
/// A log up to this size, in bytes, is written anew afterwards.
const MAX_REWRITTEN: i64 = 128 << 20;
/// The stream of the row that keeps the newest number. Nobody reads it.
const MARKER: &str = "internal.erased";

/// Finds envelopes in which one of several identifiers stands.
pub(super) struct Eraser(AhoCorasick);

impl Eraser {
    /// # Errors
    /// `bus.unavailable` if there is too much to look for.
    pub(super) fn new(identifiers: &[String]) -> Result<Self, BusError> {
        let wanted = identifiers.iter().filter(|one| !one.is_empty());
        AhoCorasick::new(wanted).map(Self).map_err(|error| BusError::Unavailable { reason: error.to_string() })
    }

    /// Whether an identifier stands in it as a whole: a longer number is somebody else's.
    fn finds(&self, payload: &[u8]) -> bool {
        let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        self.0.find_overlapping_iter(payload).any(|found| {
            let (start, end) = (found.start(), found.end());
            let before = start.checked_sub(1).and_then(|at| payload.get(at));
            let starts_with_sign = payload.get(start).is_some_and(|byte| !byte.is_ascii_alphanumeric());
            (starts_with_sign || !is_part(before)) && !is_part(payload.get(end))
        })
    }
}

/// How far a table was looked through.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) after: i64,
    pub(super) erased: u64,
    pub(super) is_done: bool,
}

/// Looks through the next piece of the log, or of the dead letters.
pub(super) fn step(
    transaction: &Transaction<'_>,
    eraser: &Eraser,
    is_log: bool,
    progress: Progress,
) -> Result<Progress, rusqlite::Error> {
    let (table, key) = if is_log { ("log", "seq") } else { ("dead_letter", "key") };
    if is_log && progress.after == 0 {
        mark(transaction)?;
    }
    let sql = format!("SELECT {key}, payload FROM {table} WHERE {key} > ?1 ORDER BY {key} LIMIT ?2");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![progress.after, ROWS])?;
    let (mut found, mut last, mut seen) = (Vec::new(), progress.after, 0);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        seen += 1;
        if eraser.finds(row.get_ref(1)?.as_blob()?) {
            found.push(last);
        }
    }
    for key_of in &found {
        transaction.prepare_cached(&format!("DELETE FROM {table} WHERE {key} = ?1"))?.execute(params![key_of])?;
        if is_log {
            for of_consumers in ["DELETE FROM acked WHERE seq = ?1", "DELETE FROM attempt WHERE seq = ?1"] {
                transaction.prepare_cached(of_consumers)?.execute(params![key_of])?;
            }
        }
    }
    Ok(Progress { after: last, erased: progress.erased + found.len() as u64, is_done: seen < ROWS })
}

fn mark(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    let newest: i64 = transaction.query_row("SELECT ifnull(max(seq), 0) FROM log", [], |row| row.get(0))?;
    transaction.execute("DELETE FROM log WHERE subject = ?1 AND seq < ?2", params![MARKER, newest])?;
    let sql = "INSERT INTO log (seq, subject, id, payload, at) VALUES (?1, ?2, ?3, x'', ?4)";
    transaction.execute(sql, params![newest + 1, MARKER, (newest + 1).to_string(), now_ms()]).map(drop)
}

/// Makes sure that what was deleted is in no file any more; false where the file is too large to be written anew.
pub(super) fn wipe(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let value = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let is_small = value("page_count")?.saturating_mul(value("page_size")?) <= MAX_REWRITTEN;
    if is_small {
        connection.execute_batch("VACUUM")?;
    }
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(is_small && busy == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_found_whole_and_not_as_a_part_of_another() {
        let eraser = Eraser::new(&["+15550001111".to_owned(), "CH12".to_owned()]).expect("eraser");
        for payload in ["{\"from\":\"+15550001111\"}", "whatsapp:+15550001111", "\"CH12\"", "CH123 CH12"] {
            assert!(eraser.finds(payload.as_bytes()), "{payload}");
        }
        for payload in ["+155500011112", "xCH12", "CH123", "15550001111", ""] {
            assert!(!eraser.finds(payload.as_bytes()), "{payload}");
        }
    }
}
