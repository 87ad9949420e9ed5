//! Telling people that an answer is being made. A hint, never more: it holds up no turn, it is not kept, and a platform
//! that is slow to take it only misses it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lanes::{Inbox, Lanes};
use crate::connectors::Connectors;
use crate::telemetry::Metrics;

/// Hints that may wait here; what does not fit is left out.
const QUEUE: usize = 1024;
/// Hints that may wait for one conversation: only the latest is told.
const LANE_CAPACITY: usize = 4;
/// How long a connector may take over a hint.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is said again that someone is typing: platforms forget it after five seconds or so.
const REPEAT_EVERY: Duration = Duration::from_secs(4);
/// How often at most: a hint whose end was left out ends by itself, after ten minutes.
const MAX_REPEATS: u32 = 150;

struct Hint {
    connector: String,
    conversation: String,
    is_typing: bool,
}

/// Tells of turns as they begin and end. Cheap to clone.
#[derive(Clone)]
pub struct TypingHandle(mpsc::Sender<Hint>);

impl TypingHandle {
    /// An answer is being made in `conversation` until the guard is dropped. Never waits.
    pub(super) fn begin(&self, connector: &str, conversation: &str) -> TypingGuard {
        let guard = TypingGuard {
            handle: self.clone(),
            connector: connector.to_owned(),
            conversation: conversation.to_owned(),
        };
        guard.tell(true);
        guard
    }
}

/// While it lives, an answer is being made.
pub(super) struct TypingGuard {
    handle: TypingHandle,
    connector: String,
    conversation: String,
}

impl TypingGuard {
    fn tell(&self, is_typing: bool) {
        let (connector, conversation) = (self.connector.clone(), self.conversation.clone());
        let hint = Hint { connector, conversation, is_typing };
        if self.handle.0.try_send(hint).is_err() {
            tracing::debug!("nobody has time to tell that an answer is being made");
        }
    }
}

impl Drop for TypingGuard {
    fn drop(&mut self) {
        self.tell(false);
    }
}

/// The task that hands hints to connectors, in order within a conversation.
pub struct Typing {
    hints: mpsc::Receiver<Hint>,
}

impl Typing {
    /// The task, and the way to tell it.
    pub fn new() -> (Self, TypingHandle) {
        let (sender, hints) = mpsc::channel(QUEUE);
        (Self { hints }, TypingHandle(sender))
    }

    /// Works until `stop`.
    ///
    /// # Cancel safety
    /// Cancel-safe: hints that were not told are left out.
    pub async fn run(mut self, connectors: Connectors, metrics: Metrics, stop: CancellationToken) {
        let stopping = stop.clone();
        let mut lanes = Lanes::new("typing", LANE_CAPACITY, metrics, move |_, inbox| {
            let (connectors, stop) = (connectors.clone(), stopping.clone());
            async move {
                tokio::select! {
                    () = tell(&connectors, inbox) => {}
                    () = stop.cancelled() => {}
                }
            }
        });
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                hint = self.hints.recv() => {
                    let Some(hint) = hint else { break };
                    lanes.reap_ready();
                    let key = format!("{}/{}", hint.connector, hint.conversation);
                    if lanes.hand(&key, hint).is_err() {
                        tracing::debug!("a platform is too slow to be told that an answer is being made");
                    }
                }
                () = lanes.reap() => {}
            }
        }
        lanes.finish().await;
    }
}

/// The lane of one conversation: tells the latest hint, and repeats it while an answer is being made.
async fn tell(connectors: &Connectors, mut inbox: Inbox<Hint>) {
    while let Some(mut hint) = inbox.next().await {
        let mut repeats = 0;
        loop {
            while let Some(later) = inbox.waiting() {
                hint = later;
                repeats = 0;
            }
            let Some(connector) = connectors.named(&hint.connector) else { break };
            if timeout(PATIENCE, connector.typing(&hint.conversation, hint.is_typing)).await.is_err() {
                tracing::debug!(connector = connector.name(), "a platform took too long over a hint");
            }
            if !hint.is_typing {
                break;
            }
            repeats += 1;
            if repeats >= MAX_REPEATS {
                hint.is_typing = false;
                continue;
            }
            match timeout(REPEAT_EVERY, inbox.more()).await {
                Ok(Some(later)) => {
                    hint = later;
                    repeats = 0;
                }
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use tokio_util::task::TaskTracker;
    use trunkline_core::event::SendMessage;
    use trunkline_store::Sent;

    use super::*;
    use crate::connectors::{Connector, ConnectorError, ReadBack};

    #[derive(Default)]
    struct Platform {
        told: Mutex<Vec<(String, bool)>>,
        is_stuck: bool,
    }

    #[async_trait]
    impl Connector for Platform {
        fn name(&self) -> &'static str {
            if self.is_stuck { "stuck" } else { "quick" }
        }
        async fn send(&self, _: &SendMessage) -> Result<Sent, ConnectorError> {
            unreachable!("nothing is sent here")
        }
        async fn find_sent(&self, _: &str, _: &str, _: i64) -> Result<Option<Sent>, ConnectorError> {
            Ok(None)
        }
        async fn messages_after(&self, _: &str, _: i64, _: usize) -> Result<ReadBack, ConnectorError> {
            Ok(ReadBack::default())
        }
        async fn open_conversations(&self, _: usize) -> Result<Vec<String>, ConnectorError> {
            Ok(Vec::new())
        }
        async fn typing(&self, conversation: &str, is_typing: bool) {
            self.told.lock().unwrap().push((conversation.to_owned(), is_typing));
            if self.is_stuck {
                std::future::pending::<()>().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_told_repeated_and_ended_beside_a_platform_that_is_stuck() {
        let quick = Arc::new(Platform::default());
        let stuck = Arc::new(Platform { is_stuck: true, ..Platform::default() });
        let connectors = Connectors::new([Arc::clone(&quick) as Arc<dyn Connector>, Arc::clone(&stuck) as _]);
        let (typing, handle) = Typing::new();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let metrics = Metrics::new(&opentelemetry::global::meter("test"));
        tasks.spawn(typing.run(connectors, metrics, stop.clone()));
        let held = handle.begin("stuck", "1");
        let turn = handle.begin("quick", "2");
        let count = |platform: &Arc<Platform>| platform.told.lock().unwrap().len();
        let begun = tokio::time::Instant::now();
        while count(&quick) < 3 {
            tokio::task::yield_now().await;
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        assert!(begun.elapsed() >= REPEAT_EVERY * 2 && begun.elapsed() < REPEAT_EVERY * 3);
        drop(turn);
        drop(held);
        while count(&quick) < 4 {
            tokio::task::yield_now().await;
        }
        assert_eq!(quick.told.lock().unwrap().last().unwrap(), &("2".to_owned(), false));
        assert!(count(&stuck) >= 1);
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
