//! Starting and stopping an emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::account::{Account, AccountConfig, AccountError};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::owner::Owner;
use crate::realtime::Hub;
use crate::server::{self, App};
use crate::state::calls::NumberFields;
use crate::state::{State, Stored};
use crate::store::{Store, StoreError};
use crate::telephone::{Exchange, Services};
use crate::webhooks::{Dispatcher, Sender, Tell};

/// An emulator that did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("the emulator cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The account's settings are wrong.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The data file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client for webhooks, or the owner's thread, cannot be made.
    #[error("the emulator cannot start its work")]
    Work(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StartError {
    /// `emulator.start.listen`, `emulator.start.work`, or the code of the account's or store's error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "emulator.start.listen",
            Self::Account(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Work(_) => "emulator.start.work",
        }
    }
}

/// Settings of an emulator. Each has a default.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    listen: SocketAddr,
    account: AccountConfig,
    data_file: Option<PathBuf>,
    clock: Clock,
    webhook_timeout: Duration,
    delivery_delay: Duration,
    voice_url: Option<String>,
    voice_status_callback: Option<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            account: AccountConfig::default(),
            data_file: None,
            clock: Clock::system(),
            webhook_timeout: WEBHOOK_TIMEOUT,
            delivery_delay: Duration::ZERO,
            voice_url: None,
            voice_status_callback: None,
        }
    }
}

impl Builder {
    /// Where to listen. Default `127.0.0.1:8090`; port 0 takes a free one.
    ///
    /// The control API has no credentials: an address that other machines can reach opens it to them.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The account. What is unset is made up.
    pub fn account(mut self, account: AccountConfig) -> Self {
        self.account = account;
        self
    }

    /// A file from which everything comes back after a restart. Without one everything is in memory only.
    pub fn data_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_file = Some(path.into());
        self
    }

    /// Where dates come from. Default: the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long a webhook may take. Default 5 s, Twilio's limit for Conversations.
    pub fn webhook_timeout(mut self, timeout: Duration) -> Self {
        self.webhook_timeout = timeout;
        self
    }

    /// How long a message is `sent` before it is `delivered`. Default: no time at all.
    pub fn delivery_delay(mut self, delay: Duration) -> Self {
        self.delivery_delay = delay;
        self
    }

    /// What answers calls to the account's number, and what hears of their way. Default: what was set before, else
    /// nothing. A reset goes back to it.
    pub fn voice(mut self, url: impl Into<String>, status_callback: Option<String>) -> Self {
        self.voice_url = Some(url.into());
        self.voice_status_callback = status_callback;
        self
    }

    /// Starts the emulator. It answers when this returns.
    ///
    /// # Errors
    ///
    /// [`StartError`] with its code.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it returns, it leaves nothing running.
    pub async fn start(self) -> Result<Emulator, StartError> {
        let listen = self.listen;
        let recordings = Recordings::of(self.data_file.as_deref()).map_err(work)?;
        let refused = |source| StartError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;

        let prepared =
            tokio::task::spawn_blocking(move || prepare(self.account, self.data_file.as_deref(), self.clock));
        let Prepared { state, store, deliveries, clock } = prepared.await.map_err(work)??;

        let stop = CancellationToken::new();
        let quit = CancellationToken::new();
        let tasks = TaskTracker::new();
        let account = Arc::new(state.account.clone());
        let faults = Arc::new(Faults::default());
        let sender =
            Sender::new(account.auth_token.clone(), self.webhook_timeout, Arc::clone(&faults)).map_err(work)?;
        let journal = Arc::new(Journal::default());
        let tell = Tell { journal: Arc::clone(&journal), clock: clock.clone() };
        let dispatcher = Dispatcher::new(sender.clone(), Arc::clone(&faults), tell, tasks.clone(), quit.clone());
        let connections = TaskTracker::new();
        let (phones, _) = broadcast::channel(PHONE_UPDATES);
        let owner = Owner {
            state,
            store,
            dispatcher: dispatcher.clone(),
            hub: Hub::new(Arc::clone(&journal), clock.clone()),
            phones: phones.clone(),
            delivery_delay: self.delivery_delay,
            deliveries,
        };
        let (owner, run) = owner.split();
        let (ended, owner_ended) = oneshot::channel();
        spawn_owner(run, ended).map_err(work)?;

        let url: Arc<str> = format!("http://{address}").into();
        let exchange = Exchange::new(Services {
            owner: owner.clone(),
            account: Arc::clone(&account),
            sender: sender.clone(),
            clock: clock.clone(),
            journal: Arc::clone(&journal),
            base_url: Arc::clone(&url),
            folder: recordings.path().to_owned(),
            calls: connections.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            quit: quit.clone(),
        });
        if let Some(voice_url) = self.voice_url {
            let fields = NumberFields {
                voice_url: Some(voice_url),
                status_callback: self.voice_status_callback,
                ..NumberFields::default()
            };
            let set = owner.call(move |state| state.set_own_voice(fields)).await;
            set.map_err(work)?.map_err(work)?;
        }
        let app = App {
            owner,
            exchange,
            account: Arc::clone(&account),
            sender,
            faults,
            dispatcher,
            phones,
            stop: stop.clone(),
            connections: connections.clone(),
            journal,
            next_socket: Arc::new(AtomicU64::new(1)),
            base_url: Arc::clone(&url),
            clock,
            loopback: address.ip().is_loopback(),
        };
        let span = tracing::info_span!("emulator", %address);
        let serving = server::serve(listener, server::router(app), connections.clone(), stop.clone());
        connections.spawn(serving.instrument(span));
        tracing::info!(%address, "the emulator listens");
        let ends =
            Ends { recordings, stop: stop.drop_guard(), quit: quit.drop_guard(), connections, tasks, owner_ended };
        Ok(Emulator { address, url, account, ends })
    }
}

/// A running emulator. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    url: Arc<str>,
    account: Arc<Account>,
    ends: Ends,
}

#[derive(Debug)]
struct Ends {
    recordings: Recordings,
    /// No new connections; open ones finish.
    stop: tokio_util::sync::DropGuard,
    /// No more webhooks.
    quit: tokio_util::sync::DropGuard,
    connections: TaskTracker,
    tasks: TaskTracker,
    owner_ended: oneshot::Receiver<()>,
}

impl Emulator {
    /// Starts one for a test: on a free port of this machine, with a made-up account, in memory only. When it is dropped
    /// it ends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), trunkline_emulator::StartError> {
    /// let twilio = trunkline_emulator::Emulator::start_for_tests().await?;
    /// assert!(twilio.url().starts_with("http://127.0.0.1:"));
    /// assert_eq!(twilio.account().account_sid.as_str().len(), 34);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError`] with its code.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it returns, it leaves nothing running.
    pub async fn start_for_tests() -> Result<Self, StartError> {
        Self::builder().listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).start().await
    }

    /// Settings to start one with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The base URL, without a slash at the end (`http://127.0.0.1:8090`). It takes the place of all of Twilio's hosts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where clients with an access token connect their socket (`ws://127.0.0.1:8090/v3/wsconnect`).
    pub fn twilsock_url(&self) -> String {
        server::twilsock_url(&self.url)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The account it serves, with everything that was made up.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Stops: no new connections, what is being answered is answered, webhooks that wait get a moment, and the data
    /// file is closed. Takes at most five seconds.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it returns, everything stops without waiting.
    pub async fn shutdown(self) {
        let Ends { recordings, stop, quit, connections, tasks, owner_ended } = self.ends;
        drop(stop);
        connections.close();
        let calm = tokio::time::timeout(CONNECTION_GRACE, connections.wait()).await.is_ok();
        tasks.close();
        let told = tokio::time::timeout(WEBHOOK_GRACE, tasks.wait()).await.is_ok();
        drop(quit);
        // With the connections the owner's last handle goes.
        let committed = tokio::time::timeout(OWNER_GRACE, owner_ended).await.is_ok();
        drop(recordings);
        tracing::info!(address = %self.address, calm, told, committed, "the emulator stopped");
    }
}

/// Where recordings are: beside the data file, or in a folder that goes with the emulator.
#[derive(Debug)]
enum Recordings {
    Kept(PathBuf),
    Passing(tempfile::TempDir),
}

impl Recordings {
    fn of(data_file: Option<&Path>) -> std::io::Result<Self> {
        match data_file {
            Some(file) => Ok(Self::Kept(file.with_extension("recordings"))),
            None => tempfile::Builder::new().prefix("trunkline-recordings-").tempdir().map(Self::Passing),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

struct Prepared {
    state: State,
    store: Option<Store>,
    deliveries: Vec<crate::state::Delivery>,
    clock: Clock,
}

/// Opens the data file and makes the state. Blocks.
fn prepare(config: AccountConfig, data_file: Option<&Path>, clock: Clock) -> Result<Prepared, StartError> {
    let mut random: StdRng = StdRng::from_rng(&mut rand::rng());
    let bad_record = |error| StartError::Store(StoreError::Record(Box::new(error)));
    let store = data_file.map(Store::open).transpose()?;
    let stored = store.as_ref().map_or_else(|| Ok(Stored::default()), Store::read)?;
    let known = stored.account().map_err(bad_record)?;
    let is_new = known.is_none();
    let account = Account::resolve(config, known, &mut random)?;
    let (state, deliveries) = if is_new {
        (State::new(account, clock.clone(), random), Vec::new())
    } else {
        State::load(account, clock.clone(), random, &stored).map_err(bad_record)?
    };
    Ok(Prepared { state, store, deliveries, clock })
}

/// Gives the state its own thread: commits block, and nothing else should wait for them.
fn spawn_owner(run: impl Future<Output = ()> + Send + 'static, ended: oneshot::Sender<()>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new().name("emulator-state".to_owned()).spawn(move || {
        runtime.block_on(run);
        // Nobody waits if the emulator was dropped.
        ended.send(()).unwrap_or_default();
    })?;
    Ok(())
}

fn work(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    StartError::Work(error.into())
}

const DEFAULT_PORT: u16 = 8090;
/// Twilio's limit for a Conversations webhook.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Phone updates that a watcher may be behind before it is disconnected.
const PHONE_UPDATES: usize = 1024;
const CONNECTION_GRACE: Duration = Duration::from_secs(2);
const WEBHOOK_GRACE: Duration = Duration::from_secs(1);
const OWNER_GRACE: Duration = Duration::from_secs(2);
