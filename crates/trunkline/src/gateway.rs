//! The composition root: builds every part from its settings, runs them, and takes them down in stages.

mod data_files;
mod messaging;
mod probe;
mod provider;
mod routes;
mod speech;
mod stages;
mod supervision;
mod twilio;
mod voice;
mod webhook_watch;
mod workflows;

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument as _;
use trunkline_bus::{Bus, BusError, EmbeddedBus, EmbeddedOptions};
use trunkline_core::ConfigError;
use trunkline_core::messaging::{ConversationalBackend, MessagingError};
use trunkline_core::voice::{VoiceBackend, VoiceError};
use trunkline_store::{Store, StoreError};

use self::data_files::{DataFiles, watch};
use self::probe::probe;
use self::routes::{REQUEST_TIMEOUT, routes};
use self::stages::{Stages, and_then};
use self::supervision::supervised;
use self::twilio::{RealtimeParts, Twilio};
use self::voice::Voice;
use self::webhook_watch::keep_registered;
use crate::Clock;
use crate::agents::{self, Additions, Agents, McpServers, Own, StoreJournal};
use crate::calls::Calls;
use crate::config::{Settings, console_token};
use crate::connectors::{Connector, Connectors, WebChatConnector};
use crate::console::{Access, ConsoleState};
use crate::edge::Readiness;
use crate::edge::from_messaging::SOURCE as MESSAGING;
use crate::extensions::Extensions;
use crate::handlers::{Dispatcher, Handlers};
use crate::knowledge::{Indexer, Knowledge, knowledge_routes, transcript_routes};
use crate::live::Live;
use crate::meaning::{Embedding, Finder, ModelOfMeaning};
use crate::media::{Media, MediaFolder, MediaLinks, public_routes};
use crate::people::{People, people_routes};
use crate::pipeline::{
    CatchUp, CatchUpTrigger, Context, Horizon, Ingress, Relay, Sender, TurnsUnderWay, Typing, Untold,
};
use crate::realtime::{Joining, Listener, PARTICIPATION_CONSUMER, Participation};
use crate::recall::Recall;
use crate::scheduled::{ScheduledTexts, scheduled_routes};
use crate::server::{Server, ServerError};
use crate::summaries::Summaries;
use crate::telemetry::Telemetry;
use crate::webchat::{self, Hub, WebChat, chat_routes};
use crate::workflows::{FolderError, Workflows, WorkflowsError, workflow_routes};

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The data folder cannot be used.
    #[error("{path} cannot be used as the data folder (TRUNKLINE_DATA_DIR): {source}")]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process uses the data folder.
    #[error("another gateway is using the data folder {path}; stop it, or name another one with --data-dir")]
    DataDirInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// The bus cannot be opened.
    #[error("the bus cannot be opened: {0}")]
    Bus(#[from] BusError),
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The provider refuses the configuration or the credentials.
    #[error("{0}")]
    Refused(MessagingError),
    /// The provider refuses the configuration or the credentials of calls.
    #[error("{0}")]
    VoiceRefused(VoiceError),
    /// The definitions of workflows cannot be used.
    #[error("the workflows cannot be used:\n{0}")]
    Workflows(FolderError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ServerError),
}

/// A running gateway.
pub struct Gateway {
    address: SocketAddr,
    console_url: String,
    chat_url: Option<String>,
    readiness: Readiness,
    stages: Stages,
    tasks: TaskTracker,
    bus: Arc<dyn Bus>,
    store: Store,
    backend: Option<Arc<dyn ConversationalBackend>>,
    voice: Option<(Calls, Arc<dyn VoiceBackend>)>,
    missed: CatchUpTrigger,
    agents: Agents,
    drain: Duration,
    handlers: Dispatcher,
    workflows: Option<Workflows>,
    scheduled: ScheduledTexts,
    clock: Clock,
    /// Held for as long as the gateway lives.
    _lock: File,
}

impl Gateway {
    /// As [`start_with`](Self::start_with), without handlers.
    ///
    /// # Errors
    /// [`GatewayError`].
    ///
    /// # Cancel safety
    /// Not cancel-safe: parts of it may be left running.
    pub async fn start(settings: Settings, server: Server, telemetry: &Telemetry) -> Result<Self, GatewayError> {
        Box::pin(Self::start_with(settings, server, telemetry, Handlers::new())).await
    }

    /// Builds and starts everything, with handlers, tools and agents of the program's own. It listens when this returns; [`is_ready`](Self::is_ready) tells when texts flow.
    ///
    /// # Errors
    /// [`GatewayError`]. A provider that cannot be reached is not one: it is tried until it answers.
    ///
    /// # Cancel safety
    /// Not cancel-safe: parts of it may be left running.
    pub async fn start_with(
        settings: Settings,
        server: Server,
        telemetry: &Telemetry,
        extensions: impl Into<Extensions>,
    ) -> Result<Self, GatewayError> {
        let Extensions { handlers, tools, agents: of_program } = extensions.into();
        let address = server.address();
        let lock = claim_folder(&settings.data_dir)?;
        let token = console_token(&settings.console, &settings.data_dir)
            .map_err(|source| GatewayError::DataDir { path: settings.data_dir.clone(), source })?;
        let bus: Arc<dyn Bus> = Arc::new(EmbeddedBus::open(&EmbeddedOptions::new(settings.data_dir.join("bus.db")))?);
        let store = Store::open(&settings.data_dir.join("store.db")).await?;
        let files = DataFiles::opened(&settings.data_dir, &["bus.db", "store.db"])
            .map_err(|source| GatewayError::DataDir { path: settings.data_dir.clone(), source })?;
        let readiness = Readiness::starting();
        let questions = handlers.questions();
        let meter = telemetry.meter();
        let links = MediaLinks::open(&settings.data_dir)
            .map_err(|source| GatewayError::DataDir { path: settings.data_dir.clone(), source })?;
        let clock = Clock::default();
        let mut twilio = match &settings.twilio {
            Some(twilio) => {
                let files = (MediaFolder::within(&settings.data_dir), links.clone());
                Some(Twilio::build(twilio.clone(), address, &meter, telemetry.metrics(), &store, files, &clock)?)
            }
            None => None,
        };
        if let Some(twilio) = &twilio {
            twilio.backend.ask_before(questions);
        }
        let hub = Hub::default();
        let chat_connector = WebChatConnector::new(store.clone(), hub.clone());
        let chat_connector = settings.webchat.as_ref().map(|_| Arc::new(chat_connector) as Arc<dyn Connector>);
        let of_twilio = twilio.iter().flat_map(Twilio::connectors);
        let connectors = Connectors::new(of_twilio.chain(chat_connector));
        for connector in connectors.iter() {
            readiness.connector_starting(connector.name());
        }
        let model = match &settings.embeddings {
            Some(settings) => Some(ModelOfMeaning::of(settings).await?),
            None => None,
        };
        let finder = Finder::new(store.clone(), model.clone());
        let (typing, typing_handle) = Typing::new();
        let agents = Agents::default();
        let context = Context {
            bus: Arc::clone(&bus),
            subjects: settings.subjects.clone(),
            horizon: Horizon::open(&store, settings.catch_up.look_back, settings.catch_up.max_age).await?,
            store: store.clone(),
            connectors,
            agents: agents.clone(),
            settings: Arc::new(settings.pipeline.clone()),
            catch_up: settings.catch_up.clone(),
            media: Media::new(
                MediaFolder::within(&settings.data_dir),
                settings.media.clone(),
                format!("http://{address}"),
            ),
            recall: Recall::new(finder.clone(), settings.recall, telemetry.metrics()),
            summaries: Summaries::new(store.clone(), agents, settings.summary, telemetry.metrics()),
            metrics: telemetry.metrics(),
            live: Live::default(),
            missed: CatchUpTrigger::default(),
            typing: typing_handle,
            untold: Untold::default(),
            under_way: TurnsUnderWay::default(),
        };
        let base = twilio.as_ref().map(|twilio| twilio.settings.edge.public_base.clone()).unwrap_or_default();
        let account = twilio.as_ref().map(|twilio| twilio.settings.account_sid.clone()).unwrap_or_default();
        let number = twilio.as_ref().and_then(|twilio| twilio.settings.phone_number.clone());
        let own = Own { account: account.clone(), number };
        let scheduled = ScheduledTexts::new(context.clone(), own.clone(), clock.clone());
        let own = agents::own_tools(&context, own).into_iter().chain(scheduled.tools());
        let tasks = TaskTracker::new();
        let journal = StoreJournal::new(store.clone(), telemetry.metrics(), context.live.clone());
        let additions = Additions {
            tools: own.chain(tools).collect(),
            agents: of_program,
            journal: Some(Arc::new(journal)),
            acting: tasks.clone(),
        };
        let mut servers = McpServers::default();
        let roster = agents::build(&settings.agents, &additions, &mut servers).await?;
        context.agents.replace(roster);
        let voice = match settings.voice {
            Some(voice) => Some(Voice::build(*voice, base, address, &context, readiness.clone(), (&account, &meter))?),
            None => None,
        };
        let stages = Stages::default();
        let stop = stages.taking.clone();
        let workflows =
            workflows::build(settings.workflows, &context, twilio.as_ref(), voice.as_ref(), (clock.clone(), stop))
                .await?;
        let gateway = Self {
            address,
            voice: voice.as_ref().map(|voice| (voice.calls.clone(), voice.backend())),
            console_url: format!("http://{address}/login?token={}", token.expose()),
            chat_url: settings.webchat.is_some().then(|| format!("http://{address}/chat")),
            readiness: readiness.clone(),
            stages,
            tasks,
            bus,
            store,
            backend: twilio.as_ref().map(|twilio| Arc::clone(&twilio.observed)),
            missed: context.missed.clone(),
            agents: context.agents.clone(),
            drain: settings.drain,
            handlers: Dispatcher::new(handlers, telemetry.metrics()),
            workflows,
            scheduled,
            clock,
            _lock: lock,
        };
        let console = Arc::new(ConsoleState {
            store: gateway.store.clone(),
            bus: Arc::clone(&gateway.bus),
            ingress: context.subjects.ingress.clone(),
            connectors: context.connectors.clone(),
            readiness: readiness.clone(),
            calls: voice.as_ref().map(|voice| voice.calls.clone()),
            live: context.live.clone(),
            agents: context.agents.clone(),
            missed: context.missed.clone(),
            under_way: context.under_way.clone(),
            access: Access::new(&token),
        });
        let people = People {
            store: gateway.store.clone(),
            bus: Arc::clone(&gateway.bus),
            media: context.media.folder.clone(),
            recordings: settings.recordings,
            numbers: settings.numbers,
            tasks: gateway.tasks.clone(),
        };
        let chat = settings.webchat.map(|chat| Arc::new(WebChat::new(context.clone(), chat, readiness.clone(), hub)));
        let voice_edge = voice.as_ref().map(|voice| Arc::clone(&voice.edge));
        let handlers = gateway.handlers.clone();
        let knowledge = Knowledge::new(gateway.store.clone(), finder.clone(), settings.knowledge);
        let rooms = people_routes(people.clone(), &console.access)
            .merge(knowledge_routes(knowledge, &console.access))
            .merge(transcript_routes(finder, &console.access))
            .merge(scheduled_routes(&context, &console.access));
        gateway.until_taken("index", Indexer::new(gateway.store.clone(), settings.search).run());
        if let Some(model) = model {
            let embedding = Embedding::new(gateway.store.clone(), model, telemetry.metrics());
            gateway.until_taken("embeddings", embedding.run());
        }
        let mut router =
            routes(console, twilio.as_ref(), voice_edge, &context, &readiness, (telemetry.registry(), handlers), rooms);
        gateway.tasks.spawn(async move { people.finish_erasures().await }.in_current_span());
        if twilio.is_some() {
            router = router.merge(public_routes(context.media.folder.clone(), links).layer(CatchPanicLayer::new()));
        }
        let access = Access::new(&token);
        let served = workflow_routes(gateway.workflows.clone(), &access);
        let served = served.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT));
        router = router.merge(served.layer(CatchPanicLayer::new()));
        if let Some(chat) = &chat {
            router = router.merge(chat_routes(Arc::clone(chat)).layer(CatchPanicLayer::new()));
        }
        gateway.until_taken("data files", watch(files, readiness.clone()));
        let lost = gateway.store.end_lost_calls().await?;
        if lost > 0 {
            tracing::warn!(calls = lost, "calls of an earlier run were cut off");
        }
        let follow =
            agents::follow(context.agents.clone(), settings.agents_source, additions, settings.agents, servers);
        gateway.until_taken("agents", follow);
        gateway.work(&context, typing).await?;
        gateway.serve(server, router);
        if let Some(chat) = chat {
            gateway.chat(chat, &context);
        }
        if twilio.as_ref().is_none_or(|twilio| twilio.realtime.is_none()) {
            // What an earlier run had not read would be kept for ever.
            gateway.bus.forget(PARTICIPATION_CONSUMER).await?;
        }
        if let Some(twilio) = &mut twilio {
            if let Some(parts) = twilio.realtime.take() {
                Box::pin(gateway.take_part(twilio, parts, &context)).await?;
            }
            Box::pin(gateway.connect(twilio, &context)).await?;
            gateway.readiness.connector_started(MESSAGING);
            gateway.until_taken("messaging", messaging::keep(twilio, &context));
            gateway.until_taken("webhook", keep_registered(Arc::clone(&twilio.backend), context.missed.clone()));
        }
        if let Some(voice) = voice {
            let started = match Box::pin(voice.start()).await {
                Ok(started) => started,
                Err(error) => {
                    gateway.stages.serving.cancel();
                    return Err(error);
                }
            };
            gateway.until_taken("calls", voice.keep(started));
            gateway.until_taken("call gauges", voice.count());
        }
        gateway.until_taken("summaries", context.summaries.clone().run());
        gateway.until_taken("scheduled texts", gateway.scheduled.clone().run());
        if let Some(workflows) = gateway.workflows.clone() {
            // Last: what an earlier run was at goes on at once, and may send and call.
            if let Err(error) = workflows.start().await {
                gateway.stages.serving.cancel();
                return Err(match error {
                    WorkflowsError::Store(error) => error.into(),
                    WorkflowsError::Bus(error) => error.into(),
                });
            }
            gateway.spawn("workflows", async move { workflows.ended().await });
        }
        Ok(gateway)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A link that opens the console: it carries the token.
    pub fn console_url(&self) -> &str {
        &self.console_url
    }

    /// The visitor's page of the web chat, if it runs.
    pub fn chat_url(&self) -> Option<&str> {
        self.chat_url.as_deref()
    }

    /// Whether texts flow.
    pub fn is_ready(&self) -> bool {
        self.readiness.reasons().is_empty()
    }

    /// The workflows that run here, if there are any.
    pub const fn workflows(&self) -> Option<&Workflows> {
        self.workflows.as_ref()
    }

    /// The time by which workflows and promised texts wait.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let work = supervised(name, work, self.readiness.clone(), self.stages.serving.clone());
        self.tasks.spawn(work.instrument(tracing::debug_span!("task", task.name = name)));
    }

    /// Runs `work` for as long as texts are taken.
    fn until_taken(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stages.taking.clone();
        self.spawn(name, async move {
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
    }

    fn serve(&self, server: Server, router: Router) {
        let (stop, grace) = (self.stages.serving.clone(), self.drain);
        self.spawn("serve", server.serve(router, stop, grace));
    }

    async fn work(&self, context: &Context, typing: Typing) -> Result<(), BusError> {
        let (relay, handle) = Relay::new(context.clone());
        let ingress = Ingress::open(context.clone(), handle).await?.run(self.stages.taking.clone());
        let sender = Sender::open(context.clone()).await?.run(self.stages.sending.clone(), self.stages.hurried.clone());
        let relay = relay.run(self.stages.relaying.clone());
        self.spawn("relay", and_then(relay, self.stages.relayed.clone()));
        self.spawn("ingress", and_then(ingress, self.stages.taken.clone()));
        self.spawn("sender", sender);
        self.until_taken(
            "typing",
            typing.run(context.connectors.clone(), context.metrics.clone(), self.stages.taking.clone()),
        );
        self.until_taken("probe", probe(context.clone(), self.readiness.clone()));
        self.readiness.pipeline_started();
        Ok(())
    }

    /// The web chat needs nobody else: it is there as soon as it is served.
    fn chat(&self, chat: Arc<WebChat>, context: &Context) {
        self.readiness.connector_started(webchat::SOURCE);
        if let Some(connector) = context.connectors.named(webchat::SOURCE) {
            let catch_up = CatchUp::new(context.clone(), Arc::clone(connector));
            // A disabled catch-up ends at once, which is no reason to start the gateway again.
            let stop = self.stages.taking.clone();
            self.spawn("webchat", async move {
                catch_up.run(stop.clone()).await;
                stop.cancelled().await;
                chat.ended().await;
            });
        }
    }

    /// Takes part in conversations over the socket. It is an addition: texts flow by webhooks alone while it is not there.
    async fn take_part(&self, twilio: &Twilio, parts: RealtimeParts, context: &Context) -> Result<(), BusError> {
        let RealtimeParts { realtime, events, participation, wishes } = parts;
        let joining = Joining { rest: twilio.backend.rest().clone(), identity: twilio.settings.identity.clone() };
        let ingress = context.subjects.ingress.clone();
        let joins = Participation::open(&*context.bus, ingress, joining, context.metrics.clone(), wishes).await?;
        self.spawn("participation", joins.run(self.stages.taking.clone()));
        let (people, connector) = (twilio.settings.people(), Arc::clone(&twilio.connector));
        let listener = Listener::new(context.clone(), realtime, participation, people, connector);
        self.spawn("realtime", listener.run(events, self.stages.taking.clone(), self.stages.sending.clone()));
        Ok(())
    }
}

fn claim_folder(path: &Path) -> Result<File, GatewayError> {
    let unusable = |source| GatewayError::DataDir { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
    let lock = File::create(path.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(GatewayError::DataDirInUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}
