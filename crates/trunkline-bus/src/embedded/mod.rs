//! The embedded engine: one SQLite file in WAL mode with `synchronous=FULL`.
//!
//! One thread owns the writing connection and takes every command that waits into one transaction, so that
//! concurrent publishers share one fsync (group commit). Another thread owns a reading connection. A consumer keeps
//! its leases in memory: this engine is for one process, and what a dead process held is free at once. Several
//! processes may open the file (an operator's command beside a running gateway), but a durable consumer belongs to one.
//!
//! Invariants: a sequence number is never used twice; a consumer's floor is below every delivery that is not settled;
//! a delivery that is buried stays unsettled until its letter is on disk.

mod consumer;
mod erase;
mod in_flight;
mod reader;
mod schema;
mod writer;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use trunkline_core::Envelope;
use trunkline_core::event::{DEAD_LETTER, DeadLetter};

use crate::{Bus, BusError, Consumer, ConsumerOptions, Erased, Published, StoredDeadLetter, Subject};
use consumer::EmbeddedConsumer;
use erase::{Eraser, Progress};

/// Where the file is and how large things may get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// The SQLite file; created if it is not there.
    pub path: PathBuf,
    /// Size at which the bus refuses to take more. Default 8 GiB.
    pub max_file_bytes: u64,
    /// How long an acknowledged envelope, and with it its dedupe key, is kept. Default 7 days.
    pub retention: Duration,
    /// How many commands may share one commit. Default 512; 1 turns group commit off, to measure what it saves.
    pub max_batch: usize,
}

impl EmbeddedOptions {
    /// The defaults, with the file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_file_bytes: 8 << 30, retention: Duration::from_hours(7 * 24), max_batch: 512 }
    }
}

/// Commands that may wait for the writer, and reads for the reader. Publishers wait when it is full.
const QUEUE: usize = 4096;
/// The largest envelope that is taken, in bytes of JSON.
const MAX_ENVELOPE_BYTES: usize = 1 << 20;

/// What consumers and the bus share.
struct Shared {
    writer: mpsc::Sender<writer::Command>,
    reader: mpsc::Sender<reader::Read>,
    /// Grows with each commit that appended something; consumers wait on it.
    appended: watch::Receiver<u64>,
    running: Mutex<HashSet<String>>,
}

impl Shared {
    async fn write<T>(&self, command: impl FnOnce(writer::Reply<T>) -> writer::Command) -> Result<T, BusError> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(command(reply)).await.map_err(|_| BusError::Closed)?;
        answer.await.map_err(|_| BusError::Closed)?
    }

    async fn read<T>(&self, read: impl FnOnce(writer::Reply<T>) -> reader::Read) -> Result<T, BusError> {
        let (reply, answer) = oneshot::channel();
        self.reader.send(read(reply)).await.map_err(|_| BusError::Closed)?;
        answer.await.map_err(|_| BusError::Closed)?
    }
}

/// The embedded bus. Dropping it lets its threads finish what is queued; [`Bus::close`] waits for them.
pub struct EmbeddedBus {
    shared: Arc<Shared>,
}

impl EmbeddedBus {
    /// Opens or creates the file and starts the two threads.
    ///
    /// # Errors
    /// `bus.unavailable` if the file cannot be opened, is not a database, or was written by a newer version.
    pub fn open(options: &EmbeddedOptions) -> Result<Self, BusError> {
        let connection = schema::open(options)?;
        let reading = schema::open_reader(&options.path)?;
        let (appended_sender, appended) = watch::channel(0);
        let (writer, commands) = mpsc::channel(QUEUE);
        let (reader, reads) = mpsc::channel(QUEUE);
        writer::spawn(connection, commands, appended_sender, options)?;
        reader::spawn(reading, reads)?;
        Ok(Self { shared: Arc::new(Shared { writer, reader, appended, running: Mutex::default() }) })
    }
}

fn encode(envelope: &Envelope) -> Result<Vec<u8>, BusError> {
    let payload = envelope.to_json()?;
    if payload.len() > MAX_ENVELOPE_BYTES {
        return Err(BusError::TooLarge { bytes: payload.len(), limit: MAX_ENVELOPE_BYTES });
    }
    Ok(payload)
}

fn encode_letter(letter: &DeadLetter) -> Result<(String, Vec<u8>), BusError> {
    let id = format!("dead:{}", letter.envelope.id);
    let subject = letter.envelope.subject.clone();
    let envelope = Envelope::new(id.clone(), "trunkline", DEAD_LETTER, subject, jiff::Timestamp::now(), letter)?;
    // A letter is the envelope and a little more: it may exceed the limit that the envelope itself has met.
    Ok((id, envelope.to_json()?))
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn publish(&self, subject: &Subject, envelope: &Envelope) -> Result<Published, BusError> {
        let payload = encode(envelope)?;
        let (subject, id) = (subject.as_str().to_owned(), envelope.id.clone());
        self.shared.write(|reply| writer::Command::Publish { subject, id, payload, reply }).await
    }

    async fn consume(&self, options: ConsumerOptions) -> Result<Box<dyn Consumer>, BusError> {
        let claim = consumer::Claim::new(&self.shared, &options.durable)?;
        let (durable, subject) = (options.durable.clone(), options.subject.as_str().to_owned());
        let stored = self.shared.write(|reply| writer::Command::Register { durable, subject, reply }).await?;
        Ok(Box::new(EmbeddedConsumer::new(claim, options, stored)))
    }

    async fn forget(&self, durable: &str) -> Result<(), BusError> {
        // Held until it is done, so that nobody starts it meanwhile.
        let _claim = consumer::Claim::new(&self.shared, durable)?;
        let durable = durable.to_owned();
        self.shared.write(|reply| writer::Command::Forget { durable, reply }).await
    }

    async fn backlog(&self, durable: &str) -> Result<u64, BusError> {
        let durable = durable.to_owned();
        self.shared.read(|reply| reader::Read::Backlog { durable, reply }).await
    }

    async fn bury(&self, letter: &DeadLetter) -> Result<(), BusError> {
        let (id, payload) = encode_letter(letter)?;
        self.shared.write(|reply| writer::Command::Bury { id, payload, delivery: None, reply }).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<StoredDeadLetter>, BusError> {
        let rows = self.shared.read(|reply| reader::Read::DeadLetters { limit, reply }).await?;
        rows.into_iter()
            .map(|(id, payload)| {
                let envelope = Envelope::from_json(&payload)?;
                Ok(StoredDeadLetter { id, at: envelope.time, letter: envelope.data()? })
            })
            .collect()
    }

    async fn dead_letter_count(&self) -> Result<u64, BusError> {
        self.shared.read(|reply| reader::Read::DeadLetterCount { reply }).await
    }

    async fn replay(&self, id: &str) -> Result<(), BusError> {
        let id = id.to_owned();
        self.shared.write(|reply| writer::Command::Replay { id, reply }).await
    }

    async fn erase(&self, identifiers: &[String]) -> Result<Erased, BusError> {
        let eraser = Arc::new(Eraser::new(identifiers)?);
        let mut counts = [0; 2];
        for (count, is_log) in counts.iter_mut().zip([true, false]) {
            let mut progress = Progress::default();
            while !progress.is_done {
                let eraser = Arc::clone(&eraser);
                progress =
                    self.shared.write(|reply| writer::Command::Erase { eraser, is_log, progress, reply }).await?;
            }
            *count = progress.erased;
        }
        let [envelopes, dead_letters] = counts;
        let is_wiped = self.shared.write(|reply| writer::Command::Wipe { reply }).await?;
        Ok(Erased { envelopes, dead_letters, is_wiped })
    }

    async fn probe(&self) -> Result<(), BusError> {
        self.shared.write(|reply| writer::Command::Probe { reply }).await
    }

    async fn close(&self) {
        // An error means that the thread is gone already, which is what was asked for.
        let _closed = self.shared.write(|reply| writer::Command::Close { reply }).await;
        let _closed = self.shared.read(|reply| reader::Read::Close { reply }).await;
    }
}

/// A `std` mutex that lives through a panic of its holder: every critical section here leaves the value whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
