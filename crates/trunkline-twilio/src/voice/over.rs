//! The end of a session, told to whoever works for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio_util::sync::CancellationToken;

/// Whether a session is over. Clones tell of the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Over(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_over: AtomicBool,
    /// The stream of audio looks fifty times a second, for which a token has too many locks. There is one at a time.
    stream: AtomicWaker,
    token: CancellationToken,
}

impl Over {
    /// It is over.
    pub(super) fn end(&self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.stream.wake();
        self.0.token.cancel();
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    /// For the one stream of audio: ready when it is over. The last context that asked is woken.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        // Looked at after the registration: an end in between is seen here.
        self.0.stream.register(context.waker());
        if self.is_over() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// For everybody else.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(super) async fn wait(&self) {
        self.0.token.cancelled().await;
    }
}
