//! A small client of the emulator's socket, by hand: it knows the frames and nothing of what the gateway's client does.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use trunkline_emulator::Account;
use trunkline_proto::access_token::AccessToken;
use trunkline_proto::twilsock::{
    ClientMessage, HttpRequest, Init, Params, Reply, ServerFrame, ServerMessage, Status, TokenText,
};

use super::{DEADLINE, World};

/// Something that the server said of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Notification(String, Value),
    Update(String),
    Close(u16),
    /// The socket ended.
    End,
}

pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: VecDeque<Heard>,
    replies: BTreeMap<String, (Reply, Value)>,
    next: u64,
}

/// A token of the account for an identity, that lives for so many seconds.
pub(crate) fn mint(account: &Account, identity: &str, seconds: i64) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let token = AccessToken {
        account_sid: account.account_sid.to_string(),
        key_sid: account.api_key.to_string(),
        identity: identity.to_owned(),
        chat_service_sid: Some(account.chat_service_sid.to_string()),
        issued_at: now.min(now + seconds),
        not_before: None,
        expires_at: now + seconds,
        region: None,
    };
    token.mint(account.api_secret.as_bytes())
}

impl Socket {
    /// A socket that has said nothing yet.
    pub(crate) async fn open(world: &World) -> Self {
        let (stream, _) = connect_async(world.emulator.twilsock_url()).await.unwrap();
        Self { stream, heard: VecDeque::new(), replies: BTreeMap::new(), next: 0 }
    }

    /// A socket of somebody with an hour's token.
    pub(crate) async fn connect(world: &World, identity: &str) -> Self {
        let mut socket = Self::open(world).await;
        let (reply, _) = socket.init(&mint(world.emulator.account(), identity, 3600)).await;
        assert_eq!(reply.status.code, 200, "{:?}", reply.status);
        socket
    }

    pub(crate) async fn init(&mut self, token: &str) -> (Reply, Value) {
        let init = Init {
            token: TokenText(token.to_owned()),
            continuation_token: None,
            metadata: BTreeMap::new(),
            registrations: Vec::new(),
            tweaks: None,
            capabilities: vec!["client_update".to_owned()],
        };
        let id = self.send(&ClientMessage::Init(Box::new(init)), &[]).await;
        self.reply(&id).await
    }

    pub(crate) async fn update(&mut self, token: &str) -> Reply {
        let id = self.send(&ClientMessage::Update { token: TokenText(token.to_owned()) }, &[]).await;
        self.reply(&id).await.0
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
    }

    async fn send(&mut self, message: &ClientMessage, payload: &[u8]) -> String {
        self.next += 1;
        let id = format!("TM{}", self.next);
        self.raw(&message.encode(&id, payload)).await;
        id
    }

    /// Asks without waiting for the answer.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &Value) -> String {
        let payload = if body.is_null() { String::new() } else { body.to_string() };
        self.ask_form(method, path, &payload).await
    }

    /// Asks with any text as the body.
    pub(crate) async fn ask_form(&mut self, method: &str, path: &str, body: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let request = HttpRequest {
            host: "somewhere.else.example.com".to_owned(),
            path: path.to_owned(),
            method: method.to_owned(),
            params: pairs.map(|(name, value)| (name.to_owned(), Params::One(value.to_owned()))).collect(),
            headers: BTreeMap::new(),
        };
        self.send(&ClientMessage::Request(Box::new(request)), body.as_bytes()).await
    }

    /// Status and body of the answer to what was asked.
    pub(crate) async fn answer(&mut self, id: &str) -> (u16, Value) {
        let (reply, body) = self.reply(id).await;
        assert_eq!(reply.status.code, 200, "{:?}", reply.status);
        (reply.http_status.unwrap().code, body)
    }

    /// Asks, and gives status and body of the answer.
    pub(crate) async fn request(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let id = self.ask(method, path, &body).await;
        self.answer(&id).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.request("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn reply(&mut self, id: &str) -> (Reply, Value) {
        loop {
            if let Some(reply) = self.replies.remove(id) {
                return reply;
            }
            let end = self.read().await;
            assert!(!end, "the socket ended before the answer to {id}");
        }
    }

    /// Subscribes to objects, each from the event that it is known to; the outcomes are events.
    pub(crate) async fn subscribe(&mut self, objects: &[&Value]) {
        let kind = |sid: &str| match sid.get(..2) {
            Some("MP") => "map",
            Some("ES") => "list",
            _ => "document",
        };
        let request = |object: &&Value| {
            let sid = object["sid"].as_str().unwrap();
            json!({"object_sid": sid, "object_type": kind(sid), "last_event_id": object["last_event_id"]})
        };
        let body = json!({
            "event_protocol_version": 4, "action": "establish", "correlation_id": 7, "retried_requests": 0,
            "ttl_in_s": -1, "requests": objects.iter().map(request).collect::<Vec<_>>(),
        });
        let (status, answer) = self.request("POST", "/v4/Subscriptions", body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The next thing that the server says by itself.
    pub(crate) async fn heard(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return heard;
            }
            if self.read().await {
                return Heard::End;
            }
        }
    }

    /// The next notification: kind of event and event.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        match self.heard().await {
            Heard::Notification(_, payload) => {
                (payload["event_type"].as_str().unwrap_or_default().to_owned(), payload["event"].clone())
            }
            other => panic!("no event: {other:?}"),
        }
    }

    /// Skips to the next event of this kind.
    pub(crate) async fn event_of(&mut self, kind: &str) -> Value {
        loop {
            let (found, event) = self.event().await;
            if found == kind {
                return event;
            }
        }
    }

    /// Reads one message; `true` at the end of the socket.
    async fn read(&mut self) -> bool {
        let message = timeout(DEADLINE, self.stream.next()).await.unwrap();
        let bytes = match message {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return true,
            Some(Ok(_)) => return false,
        };
        let frame = ServerFrame::decode(&bytes).unwrap();
        let payload =
            if frame.payload.is_empty() { Value::Null } else { serde_json::from_slice(frame.payload).unwrap() };
        let heard = match frame.message {
            ServerMessage::Reply(reply) => {
                self.replies.insert(frame.id, (*reply, payload));
                return false;
            }
            ServerMessage::Notification { message_type } => Heard::Notification(message_type, payload),
            ServerMessage::ClientUpdate { client_update_type } => Heard::Update(client_update_type),
            ServerMessage::Close { status } => Heard::Close(status.code),
            other => panic!("{other:?}"),
        };
        self.heard.push_back(heard);
        let acknowledgement = ClientMessage::Reply { status: Status::ok() }.encode(&frame.id, &[]);
        // The server may be gone already.
        drop(self.stream.send(Message::Binary(acknowledgement.into())).await);
        false
    }
}
