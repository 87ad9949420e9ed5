//! A call while it lives: its session, and what waits for its socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use trunkline_core::Pii;
use trunkline_core::voice::{AudioStream, TextStream, VoiceSession};
use trunkline_proto::sid::RecordingSid;

use super::backend::Current;
use super::over::Over;

/// Something that comes once and is waited for.
pub(super) struct Slot<T> {
    value: Mutex<Option<T>>,
    came: Notify,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: Mutex::new(None), came: Notify::new() }
    }
}

impl<T> Slot<T> {
    /// Puts a value in; one that nobody took is dropped.
    pub(super) fn put(&self, value: T) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.came.notify_waiters();
    }

    pub(super) fn take(&self) -> Option<T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Cancel-safe: a value that was not handed out stays.
    pub(super) async fn wait(&self) -> T {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            // First listen, then look: what comes in between is not missed.
            came.as_mut().enable();
            if let Some(value) = self.take() {
                return value;
            }
            came.await;
        }
    }
}

/// What changes while a call lives.
#[derive(Default)]
pub(super) struct Progress {
    /// The highest sequence number of its status callbacks.
    pub(super) sequence: Option<u64>,
    /// The document to go on with when Twilio asks, if it asks before it is told.
    pub(super) next: Option<String>,
    /// The document that keeps the person waiting.
    pub(super) is_held: bool,
    pub(super) recording: Option<RecordingSid>,
    /// What whoever takes the call over is told.
    pub(super) briefing: Option<Pii<String>>,
    /// When Twilio was last asked whether it is over.
    pub(super) asked_at: Option<Timestamp>,
}

/// A socket of a call, from its admission to its end.
pub(super) struct OpenSocket(Arc<AtomicUsize>);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call while it lives.
pub(super) struct Live {
    pub(super) session: VoiceSession,
    /// The settings that it began with.
    pub(super) current: Arc<Current>,
    /// Our number in it.
    pub(super) ours: String,
    /// Whether Twilio recognises and speaks.
    pub(super) as_text: bool,
    /// How long its socket may take to come.
    pub(super) patience: Duration,
    /// How long the call may last, if that was said when it was placed.
    pub(super) limit: Option<Duration>,
    pub(super) audio: Slot<AudioStream>,
    pub(super) text: Slot<Box<dyn TextStream>>,
    pub(super) over: Over,
    sockets: Arc<AtomicUsize>,
    progress: Mutex<Progress>,
}

impl Live {
    pub(super) fn new(
        session: VoiceSession,
        current: Arc<Current>,
        ours: String,
        as_text: bool,
        patience: Duration,
    ) -> Self {
        Self {
            session,
            current,
            ours,
            as_text,
            patience,
            limit: None,
            audio: Slot::default(),
            text: Slot::default(),
            over: Over::default(),
            sockets: Arc::default(),
            progress: Mutex::default(),
        }
    }

    /// A socket of it is admitted.
    pub(super) fn open_socket(&self) -> OpenSocket {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        OpenSocket(Arc::clone(&self.sockets))
    }

    /// Whether a socket of it is open, or is being opened.
    pub(super) fn has_socket(&self) -> bool {
        self.sockets.load(Ordering::Relaxed) > 0
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
