//! Sockets of which nothing is heard, and more sockets than there is room for. With less patience than in life.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;
use trunkline_agent::Concierge;
use trunkline_bus::{EmbeddedBus, EmbeddedOptions};
use trunkline_store::Store;

use super::*;
use crate::Server;
use crate::agents::{Agents, Roster};
use crate::config::{Reader, Settings};
use crate::connectors::Connectors;
use crate::live::Live;
use crate::media::{Media, MediaFolder};
use crate::pipeline::{CatchUpTrigger, Horizon, TurnsUnderWay, Typing, Untold};
use crate::recall::Recall;
use crate::summaries::Summaries;
use crate::telemetry::Metrics;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const DEADLINE: Duration = Duration::from_secs(30);

/// A served chat. Nobody answers in it.
struct Served {
    chat: Arc<WebChat>,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    _folder: TempDir,
}

impl Served {
    async fn start(change: impl FnOnce(&mut WebChat)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = [("TWILIO_ENABLED", "false"), ("TRUNKLINE_WEBCHAT", "true")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::load(&Reader::new(env)).unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        let context = Context {
            bus: Arc::new(EmbeddedBus::open(&EmbeddedOptions::new(folder.path().join("bus.db"))).unwrap()),
            subjects: settings.subjects,
            horizon: Horizon::open(&store, Duration::ZERO, Duration::ZERO).await.unwrap(),
            recall: Recall::off(store.clone(), Metrics::new(&opentelemetry::global::meter("test"))),
            summaries: Summaries::off(store.clone(), Metrics::new(&opentelemetry::global::meter("test"))),
            store,
            connectors: Connectors::default(),
            agents: Agents::new(Roster::of(Arc::new(Concierge::built_in().unwrap()))),
            settings: Arc::new(settings.pipeline),
            catch_up: settings.catch_up,
            media: Media::new(MediaFolder::within(folder.path()), settings.media, String::new()),
            metrics: Metrics::new(&opentelemetry::global::meter("test")),
            live: Live::default(),
            missed: CatchUpTrigger::default(),
            typing: Typing::new().1,
            untold: Untold::default(),
            under_way: TurnsUnderWay::default(),
        };
        let mut chat = WebChat::new(context, settings.webchat.unwrap(), Readiness::starting(), Hub::default());
        change(&mut chat);
        let chat = Arc::new(chat);
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let (address, stop, tasks) = (server.address(), CancellationToken::new(), TaskTracker::new());
        tasks.spawn(server.serve(chat_routes(Arc::clone(&chat)), stop.clone(), Duration::ZERO));
        Self { chat, address, stop, tasks, _folder: folder }
    }

    async fn open(&self) -> Result<Socket, Error> {
        connect_async(format!("ws://{}/chat/socket", self.address)).await.map(|(socket, _)| socket)
    }

    async fn end(self) {
        self.chat.readiness.stopping();
        timeout(DEADLINE, self.chat.ended()).await.unwrap();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What is said until the socket is closed, and the code of that.
async fn rest(socket: &mut Socket) -> (Vec<String>, u16) {
    let mut said = Vec::new();
    loop {
        match timeout(DEADLINE, socket.next()).await.unwrap() {
            Some(Ok(Message::Text(text))) => said.push(text.to_string()),
            Some(Ok(Message::Close(frame))) => return (said, frame.map_or(1005, |frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (said, 1006),
        }
    }
}

#[tokio::test]
async fn a_socket_that_does_not_say_hello_is_closed() {
    let served = Served::start(|chat| chat.patience.hello = Duration::from_millis(50)).await;
    let mut socket = served.open().await.unwrap();
    let (said, code) = rest(&mut socket).await;
    assert!(said.first().is_some_and(|frame| frame.contains(codes::HELLO_FIRST)), "{said:?}");
    assert_eq!(code, 1008);
    served.end().await;
}

#[tokio::test]
async fn a_page_that_answers_no_ping_is_let_go_and_one_that_does_is_kept() {
    let patience = Patience { ping_every: Duration::from_millis(20), idle: Duration::from_millis(200), ..PATIENCE };
    let served = Served::start(|chat| chat.patience = patience).await;
    let hello = || Message::text(r#"{"type":"hello"}"#);
    // Pings are answered by whoever reads.
    let mut deaf = served.open().await.unwrap();
    deaf.send(hello()).await.unwrap();
    let mut awake = served.open().await.unwrap();
    awake.send(hello()).await.unwrap();
    let mut pings = 0;
    // Both are there by the fifth ping; then one of them goes.
    while pings < 5 || served.chat.sessions.len() > 1 {
        let message = timeout(DEADLINE, awake.next()).await.unwrap().unwrap().unwrap();
        pings += u32::from(message.is_ping());
    }
    assert_eq!(served.chat.sessions.len(), 1);
    awake.send(Message::text(r#"{"type":"sing"}"#)).await.unwrap();
    let answered = async {
        loop {
            let message = awake.next().await.unwrap().unwrap();
            if message.to_text().is_ok_and(|text| text.contains(codes::BAD_FRAME)) {
                return;
            }
        }
    };
    timeout(DEADLINE, answered).await.unwrap();
    served.end().await;
}

#[tokio::test]
async fn more_sockets_than_there_is_room_for_are_turned_away() {
    for (places, why) in [(Places::new(1, 2), codes::TOO_MANY_SOCKETS), (Places::new(2, 1), codes::ADDRESS_FULL)] {
        let served = Served::start(|chat| chat.places = places).await;
        let mut first = served.open().await.unwrap();
        let Err(Error::Http(refused)) = served.open().await else { panic!("there is no room") };
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = refused.into_body().unwrap_or_default();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&body["code"], &body["status"]), (&json!(why), &json!(503)));
        first.close(None).await.unwrap();
        let (_, code) = rest(&mut first).await;
        assert!(matches!(code, 1000 | 1005 | 1006), "{code}");
        let left = async {
            while !served.chat.sessions.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, left).await.unwrap();
        assert!(served.open().await.is_ok());
        served.end().await;
    }
}
