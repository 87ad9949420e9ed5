//! Clients that are connected at once, two of them in each conversation, and what they hear.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_twilio::realtime::{ConnectionState, Event, MessageChange, RealtimeClient};

use super::world::World;

/// How long all clients together may take to open.
const OPEN_PATIENCE: Duration = Duration::from_mins(2);

/// Clients in pairs: the two of a pair share their conversations.
pub(super) struct Crowd {
    pub(super) pairs: Vec<Pair>,
    tasks: TaskTracker,
}

pub(super) struct Pair {
    pub(super) writer: RealtimeClient,
    pub(super) receiver: RealtimeClient,
    pub(super) conversations: Vec<String>,
    /// What the receiver heard.
    pub(super) heard: Arc<Heard>,
}

/// Messages that came to one client.
pub(super) struct Heard {
    begun: Instant,
    count: AtomicUsize,
    came: Mutex<Came>,
}

#[derive(Default)]
struct Came {
    latencies: Vec<Duration>,
    /// The next index of each conversation.
    next: HashMap<String, u64>,
    out_of_order: usize,
}

impl Crowd {
    /// Starts the clients of these pairs, each with its conversations.
    pub(super) fn start(world: &World, conversations: Vec<Vec<String>>) -> Result<Self, String> {
        let tasks = TaskTracker::new();
        let mut pairs = Vec::new();
        let begun = Instant::now();
        for (number, conversations) in conversations.into_iter().enumerate() {
            let heard = Arc::new(Heard { begun, count: AtomicUsize::new(0), came: Mutex::default() });
            let start = |identity: &str, heard: Option<Arc<Heard>>| {
                let (client, events) = RealtimeClient::start(world.tokens(identity)?, world.socket());
                tasks.spawn(listen(events, heard).instrument(tracing::Span::none()));
                Ok::<_, String>(client)
            };
            let [writer, receiver] = identities(number);
            let (writer, receiver) = (start(&writer, None)?, start(&receiver, Some(Arc::clone(&heard)))?);
            pairs.push(Pair { writer, receiver, conversations, heard });
        }
        tasks.close();
        Ok(Self { pairs, tasks })
    }

    /// Waits until every client has all its conversations open and follows everything in them.
    pub(super) async fn is_open(&self, conversations: usize) -> Result<(), String> {
        let open = self.clients().map(|client| {
            let mut watched = client.watch();
            async move {
                watched
                    .wait_for(|now| {
                        now.state == ConnectionState::Connected
                            && now.open_conversations == conversations
                            && now.confirmed_subscriptions == now.subscriptions
                    })
                    .await
                    .is_ok()
            }
        });
        let all = tokio::time::timeout(OPEN_PATIENCE, join_all(open)).await;
        if all.is_ok_and(|all| all.into_iter().all(|is_open| is_open)) {
            return Ok(());
        }
        let open = self.clients().filter(|client| client.snapshot().open_conversations == conversations).count();
        let why = self.clients().find_map(|client| client.snapshot().last_error).map(|loss| loss.reason);
        Err(format!(
            "{open} of {} clients are open after {} s{}",
            self.pairs.len() * 2,
            OPEN_PATIENCE.as_secs(),
            why.map(|why| format!("; one was lost because {why}")).unwrap_or_default()
        ))
    }

    /// Times that a connection was lost, over all clients.
    pub(super) fn losses(&self) -> u64 {
        self.clients().map(|client| client.snapshot().counters.losses).sum()
    }

    pub(super) async fn stop(self) {
        join_all(self.clients().map(RealtimeClient::stop)).await;
        self.tasks.wait().await;
    }

    fn clients(&self) -> impl Iterator<Item = &RealtimeClient> {
        self.pairs.iter().flat_map(|pair| [&pair.writer, &pair.receiver])
    }
}

/// The writer and the receiver of a pair.
pub(super) fn identities(pair: usize) -> [String; 2] {
    [format!("writer-{pair}"), format!("receiver-{pair}")]
}

/// The body of a message that is sent now.
pub(super) fn body(heard: &Heard) -> String {
    format!("{} is when this was sent, in nanoseconds", heard.begun.elapsed().as_nanos())
}

impl Heard {
    /// Messages that came.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How long each message took, and how many came out of their order.
    pub(super) fn came(&self) -> (Vec<Duration>, usize) {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        (came.latencies.clone(), came.out_of_order)
    }

    fn note(&self, message: MessageChange) {
        let now = self.begun.elapsed();
        let text = message.data.text.unwrap_or_default();
        let sent = text.split(' ').next().and_then(|sent| sent.parse().ok()).map(Duration::from_nanos);
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.latencies.extend(sent.map(|sent| now.saturating_sub(sent)));
        let next = came.next.entry(message.conversation).or_default();
        let is_next = message.data.index == *next;
        *next = message.data.index + 1;
        came.out_of_order += usize::from(!is_next);
        drop(came);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn listen(mut events: mpsc::Receiver<Event>, heard: Option<Arc<Heard>>) {
    while let Some(event) = events.recv().await {
        if let (Event::MessageAdded(message), Some(heard)) = (event, &heard) {
            heard.note(message);
        }
    }
}
