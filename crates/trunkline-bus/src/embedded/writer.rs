//! The thread that owns the writing connection: group commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};
use tokio::sync::{mpsc, oneshot, watch};
use trunkline_core::Envelope;
use trunkline_core::event::DeadLetter;

use super::EmbeddedOptions;
use super::erase::{self, Eraser, Progress};
use super::schema::unavailable;
use crate::{BusError, Published};

pub(super) type Reply<T> = oneshot::Sender<Result<T, BusError>>;

/// A delivery that is done, and the consumer's floor after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) consumer: i64,
    pub(super) seq: i64,
    pub(super) floor: i64,
}

/// A delivery that its consumer still holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) consumer: i64,
    pub(super) seq: i64,
}

/// What is known of a consumer when it starts.
#[derive(Debug, Default)]
pub(super) struct StoredConsumer {
    pub(super) key: i64,
    pub(super) floor: i64,
    pub(super) acked: HashSet<i64>,
    pub(super) attempts: HashMap<i64, u32>,
}

pub(super) enum Command {
    Publish {
        subject: String,
        id: String,
        payload: Vec<u8>,
        reply: Reply<Published>,
    },
    Ack(Settled),
    Attempt {
        consumer: i64,
        seq: i64,
        attempts: u32,
    },
    Bury {
        id: String,
        payload: Vec<u8>,
        delivery: Option<Held>,
        reply: Reply<()>,
    },
    Register {
        durable: String,
        subject: String,
        reply: Reply<StoredConsumer>,
    },
    Forget {
        durable: String,
        reply: Reply<()>,
    },
    Replay {
        id: String,
        reply: Reply<()>,
    },
    Erase {
        eraser: Arc<Eraser>,
        is_log: bool,
        progress: Progress,
        reply: Reply<Progress>,
    },
    /// Alone, after what was asked for before: a file is not written anew within a transaction.
    Wipe {
        reply: Reply<bool>,
    },
    Probe {
        reply: Reply<()>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// An answer that waits for the commit.
enum Answer {
    Published(Reply<Published>, Published),
    Done(Reply<()>),
    Registered(Reply<StoredConsumer>, StoredConsumer),
    Erased(Reply<Progress>, Progress),
}

impl Answer {
    fn send(self, outcome: &Result<(), BusError>) {
        // A publisher who has gone away does not want to know.
        let _gone = match self {
            Self::Published(reply, published) => reply.send(outcome.clone().map(|()| published)).is_err(),
            Self::Done(reply) => reply.send(outcome.clone()).is_err(),
            Self::Registered(reply, stored) => reply.send(outcome.clone().map(|()| stored)).is_err(),
            Self::Erased(reply, progress) => reply.send(outcome.clone().map(|()| progress)).is_err(),
        };
    }
}

/// How often old envelopes are looked for, and how many go at once.
const PRUNE_EVERY: Duration = Duration::from_mins(10);
const PRUNE_ROWS: i64 = 10_000;

pub(super) fn spawn(
    connection: Connection,
    commands: mpsc::Receiver<Command>,
    appended: watch::Sender<u64>,
    options: &EmbeddedOptions,
) -> Result<(), BusError> {
    let writer = Writer {
        connection,
        appended,
        max_batch: options.max_batch.max(1),
        max_file_bytes: options.max_file_bytes,
        retention: options.retention,
        pruned: Instant::now(),
    };
    thread::Builder::new()
        .name("bus-writer".to_owned())
        .spawn(move || writer.run(commands))
        .map(drop)
        .map_err(|error| BusError::Unavailable { reason: error.to_string() })
}

struct Writer {
    connection: Connection,
    appended: watch::Sender<u64>,
    max_batch: usize,
    max_file_bytes: u64,
    retention: Duration,
    pruned: Instant,
}

impl Writer {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(self.max_batch);
        while let Some(first) = commands.blocking_recv() {
            batch.push(first);
            while batch.len() < self.max_batch {
                let Ok(next) = commands.try_recv() else { break };
                batch.push(next);
            }
            if let Some(close) = self.commit(&mut batch) {
                commands.close();
                // What was queued before the channel closed is still written.
                while let Ok(rest) = commands.try_recv() {
                    batch.push(rest);
                }
                self.commit(&mut batch);
                drop(self.connection);
                let _gone = close.send(Ok(()));
                return;
            }
        }
    }

    /// Applies the batch in one transaction, answers everyone after the commit, and returns who asked to close.
    fn commit(&mut self, batch: &mut Vec<Command>) -> Option<Reply<()>> {
        let mut close = None;
        let mut wipes = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        let mut refused = Vec::new();
        let prune = self.pruned.elapsed() >= PRUNE_EVERY;
        let mut applied = Ok(0);
        match self.connection.transaction() {
            Ok(transaction) => {
                let mut work = Work { transaction: &transaction, answers: &mut answers, refused: &mut refused };
                let mut added = 0;
                for command in batch.drain(..) {
                    if let Command::Close { reply } = command {
                        close = Some(reply);
                    } else if let Command::Wipe { reply } = command {
                        wipes.push(reply);
                    } else if applied.is_ok() {
                        match work.apply(command) {
                            Ok(rows) => added += rows,
                            Err(error) => applied = Err(error),
                        }
                    } else {
                        work.skip(command);
                    }
                }
                if prune && applied.is_ok() {
                    applied = work.prune(self.retention).map(|()| added);
                } else if applied.is_ok() {
                    applied = Ok(added);
                }
                if applied.is_ok()
                    && let Err(error) = transaction.commit()
                {
                    applied = Err(error);
                }
            }
            Err(error) => {
                applied = Err(error);
                let mut rest = Vec::new();
                for command in batch.drain(..) {
                    match command {
                        Command::Close { reply } => close = Some(reply),
                        other => rest.push(other),
                    }
                }
                for command in rest {
                    skip(command, &mut answers);
                }
            }
        }
        if prune {
            self.pruned = Instant::now();
        }
        let outcome = match applied {
            Ok(added) => {
                if added > 0 {
                    self.appended.send_modify(|count| *count += added);
                }
                Ok(())
            }
            Err(error) => Err(self.error(error)),
        };
        if let Err(error) = &outcome {
            tracing::error!(error.code = error.code(), error = %error, "the bus could not write");
        }
        for answer in answers {
            answer.send(&outcome);
        }
        for (reply, error) in refused {
            let _gone = reply.send(Err(error));
        }
        for reply in wipes {
            let _gone = reply.send(erase::wipe(&self.connection).map_err(unavailable));
        }
        close
    }

    fn error(&self, error: rusqlite::Error) -> BusError {
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            return BusError::Full { limit_bytes: self.max_file_bytes };
        }
        unavailable(error)
    }
}

/// One transaction being filled.
struct Work<'a> {
    transaction: &'a Transaction<'a>,
    answers: &'a mut Vec<Answer>,
    refused: &'a mut Vec<(Reply<()>, BusError)>,
}

impl Work<'_> {
    /// Applies one command; returns how many envelopes it appended. On an error its answer is queued all the same.
    fn apply(&mut self, command: Command) -> Result<u64, rusqlite::Error> {
        match command {
            Command::Publish { subject, id, payload, reply } => {
                let added = self.append(&subject, &id, &payload);
                let published = if matches!(added, Ok(1)) { Published::New } else { Published::Duplicate };
                self.answers.push(Answer::Published(reply, published));
                added
            }
            Command::Ack(settled) => self.settle(settled).map(|()| 0),
            Command::Attempt { consumer, seq, attempts } => {
                let sql = "INSERT INTO attempt (consumer, seq, attempts) VALUES (?1, ?2, ?3)
                           ON CONFLICT (consumer, seq) DO UPDATE SET attempts = excluded.attempts";
                self.transaction.prepare_cached(sql)?.execute(params![consumer, seq, attempts])?;
                Ok(0)
            }
            Command::Bury { id, payload, delivery, reply } => {
                self.answers.push(Answer::Done(reply));
                let sql = "INSERT INTO dead_letter (id, payload) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING";
                self.transaction.prepare_cached(sql)?.execute(params![id, payload])?;
                delivery.map_or(Ok(()), |held| self.note_done(held)).map(|()| 0)
            }
            Command::Register { durable, subject, reply } => {
                let (stored, outcome) = match self.register(&durable, &subject) {
                    Ok(stored) => (stored, Ok(0)),
                    Err(error) => (StoredConsumer::default(), Err(error)),
                };
                self.answers.push(Answer::Registered(reply, stored));
                outcome
            }
            Command::Forget { durable, reply } => {
                self.answers.push(Answer::Done(reply));
                self.forget(&durable).map(|()| 0)
            }
            Command::Replay { id, reply } => self.replay(&id, reply),
            Command::Probe { reply } => {
                self.answers.push(Answer::Done(reply));
                let sql = "INSERT INTO probe (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = excluded.at";
                self.transaction.prepare_cached(sql)?.execute(params![now_ms()])?;
                Ok(0)
            }
            Command::Erase { eraser, is_log, progress, reply } => {
                let (progress, outcome) = match erase::step(self.transaction, &eraser, is_log, progress) {
                    Ok(progress) => (progress, Ok(0)),
                    Err(error) => (progress, Err(error)),
                };
                self.answers.push(Answer::Erased(reply, progress));
                outcome
            }
            Command::Wipe { .. } | Command::Close { .. } => Ok(0),
        }
    }

    /// Queues the answer of a command whose transaction has failed already.
    fn skip(&mut self, command: Command) {
        skip(command, self.answers);
    }

    fn append(&self, subject: &str, id: &str, payload: &[u8]) -> Result<u64, rusqlite::Error> {
        let sql = "INSERT INTO log (subject, id, payload, at) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (subject, id) DO NOTHING";
        let added = self.transaction.prepare_cached(sql)?.execute(params![subject, id, payload, now_ms()])?;
        Ok(added as u64)
    }

    fn settle(&self, settled: Settled) -> Result<(), rusqlite::Error> {
        let Settled { consumer, seq, floor } = settled;
        self.transaction
            .prepare_cached("DELETE FROM attempt WHERE consumer = ?1 AND seq = ?2")?
            .execute(params![consumer, seq])?;
        if seq > floor {
            self.transaction
                .prepare_cached("INSERT INTO acked (consumer, seq) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![consumer, seq])?;
            return Ok(());
        }
        self.transaction
            .prepare_cached("UPDATE consumer SET floor = ?2 WHERE key = ?1 AND floor < ?2")?
            .execute(params![consumer, floor])?;
        self.transaction
            .prepare_cached("DELETE FROM acked WHERE consumer = ?1 AND seq <= ?2")?
            .execute(params![consumer, floor])?;
        Ok(())
    }

    /// Takes note that a delivery is done without moving the floor, which only the consumer knows, and only after the
    /// commit.
    fn note_done(&self, held: Held) -> Result<(), rusqlite::Error> {
        self.transaction
            .prepare_cached("DELETE FROM attempt WHERE consumer = ?1 AND seq = ?2")?
            .execute(params![held.consumer, held.seq])?;
        let sql = "INSERT INTO acked (consumer, seq) SELECT key, ?2 FROM consumer WHERE key = ?1 AND floor < ?2
                   ON CONFLICT DO NOTHING";
        self.transaction.prepare_cached(sql)?.execute(params![held.consumer, held.seq])?;
        Ok(())
    }

    fn register(&self, durable: &str, subject: &str) -> Result<StoredConsumer, rusqlite::Error> {
        self.transaction.execute(
            "INSERT INTO consumer (durable, subject) VALUES (?1, ?2)
             ON CONFLICT (durable) DO UPDATE SET subject = excluded.subject",
            params![durable, subject],
        )?;
        let (key, floor) = self.transaction.query_row(
            "SELECT key, floor FROM consumer WHERE durable = ?1",
            params![durable],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut acked = self.transaction.prepare("SELECT seq FROM acked WHERE consumer = ?1")?;
        let acked = acked.query_map(params![key], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut attempts = self.transaction.prepare("SELECT seq, attempts FROM attempt WHERE consumer = ?1")?;
        let attempts =
            attempts.query_map(params![key], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(StoredConsumer { key, floor, acked, attempts })
    }

    fn forget(&self, durable: &str) -> Result<(), rusqlite::Error> {
        for table in ["acked", "attempt"] {
            let sql = format!("DELETE FROM {table} WHERE consumer IN (SELECT key FROM consumer WHERE durable = ?1)");
            self.transaction.execute(&sql, params![durable])?;
        }
        self.transaction.execute("DELETE FROM consumer WHERE durable = ?1", params![durable]).map(drop)
    }

    fn replay(&mut self, id: &str, reply: Reply<()>) -> Result<u64, rusqlite::Error> {
        let found: Result<Option<Vec<u8>>, _> = self
            .transaction
            .query_row("SELECT payload FROM dead_letter WHERE id = ?1", params![id], |row| row.get(0))
            .optional();
        let payload = match found {
            Ok(Some(payload)) => payload,
            Ok(None) => {
                self.refused.push((reply, BusError::NoSuchDeadLetter));
                return Ok(0);
            }
            Err(error) => {
                self.answers.push(Answer::Done(reply));
                return Err(error);
            }
        };
        let letter = match Envelope::from_json(&payload).and_then(|envelope| envelope.data::<DeadLetter>()) {
            Ok(letter) => letter,
            Err(error) => {
                self.refused.push((reply, error.into()));
                return Ok(0);
            }
        };
        match self.put_back(letter) {
            Ok(Ok(())) => {
                self.answers.push(Answer::Done(reply));
                self.transaction.execute("DELETE FROM dead_letter WHERE id = ?1", params![id])?;
                Ok(1)
            }
            Ok(Err(refusal)) => {
                self.refused.push((reply, refusal));
                Ok(0)
            }
            Err(error) => {
                self.answers.push(Answer::Done(reply));
                Err(error)
            }
        }
    }

    /// Appends the envelope of a letter under the first replay number that the log has not seen: who buries it may have
    /// rebuilt it as it was before earlier replays.
    fn put_back(&self, letter: DeadLetter) -> Result<Result<(), BusError>, rusqlite::Error> {
        let mut envelope = letter.envelope;
        loop {
            envelope = envelope.replayed();
            let payload = match envelope.to_json() {
                Ok(payload) => payload,
                Err(error) => return Ok(Err(error.into())),
            };
            if self.append(&letter.origin, &envelope.id, &payload)? > 0 {
                return Ok(Ok(()));
            }
        }
    }

    /// Removes what every consumer of its subject is done with and what is older than the retention. The newest row
    /// always stays, so that its number is not given out again.
    fn prune(&self, retention: Duration) -> Result<(), rusqlite::Error> {
        let before = now_ms().saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
        let sql = "DELETE FROM log WHERE seq IN (
                       SELECT seq FROM log
                       WHERE at < ?1
                         AND seq < (SELECT max(seq) FROM log)
                         AND seq <= (SELECT ifnull(min(floor), 0) FROM consumer WHERE consumer.subject = log.subject)
                       ORDER BY seq LIMIT ?2)";
        let removed = self.transaction.execute(sql, params![before, PRUNE_ROWS])?;
        if removed > 0 {
            tracing::debug!(removed, "removed old envelopes from the bus");
        }
        Ok(())
    }
}

fn skip(command: Command, answers: &mut Vec<Answer>) {
    match command {
        Command::Publish { reply, .. } => answers.push(Answer::Published(reply, Published::Duplicate)),
        Command::Bury { reply, .. }
        | Command::Forget { reply, .. }
        | Command::Replay { reply, .. }
        | Command::Probe { reply } => {
            answers.push(Answer::Done(reply));
        }
        Command::Register { reply, .. } => answers.push(Answer::Registered(reply, StoredConsumer::default())),
        Command::Erase { progress, reply, .. } => answers.push(Answer::Erased(reply, progress)),
        Command::Wipe { reply } => {
            let _gone = reply.send(Ok(false));
        }
        // Not written, so it will come again: that is what a consumer is prepared for.
        Command::Ack(_) | Command::Attempt { .. } | Command::Close { .. } => {}
    }
}

pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
