//! A visitor of the web chat: a page's socket without the page.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{DEADLINE, World};

/// Twilio is switched off: nobody but the web chat is there.
pub(crate) const WEBCHAT_ALONE: [(&str, &str); 2] = [("TRUNKLINE_WEBCHAT", "true"), ("TWILIO_ENABLED", "false")];

pub(crate) struct Visitor {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) token: String,
    pub(crate) conversation: String,
    /// What the welcome told.
    pub(crate) welcome: Value,
}

/// Opens a socket as a page of `origin` does; the HTTP status if it is refused.
pub(crate) async fn open(
    world: &World,
    origin: Option<&str>,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, u16> {
    open_at(&world.gateway_url(""), origin).await
}

async fn open_at(base: &str, origin: Option<&str>) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, u16> {
    let url = format!("{}/chat/socket", base.replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

impl Visitor {
    /// A new visitor.
    pub(crate) async fn new(world: &World) -> Self {
        Self::greet(world, json!({})).await
    }

    /// The same visitor on a socket of its own, who has everything up to `after`.
    pub(crate) async fn again(&self, world: &World, after: Option<u64>) -> Self {
        Self::greet(world, json!({ "token": self.token, "after": after })).await
    }

    /// Whoever says hello like this.
    pub(crate) async fn greet(world: &World, hello: Value) -> Self {
        Self::greet_at(&world.gateway_url(""), hello).await
    }

    /// The same at a gateway that is a process of its own.
    pub(crate) async fn greet_at(base: &str, hello: Value) -> Self {
        let mut visitor = Self::begin(base, hello).await;
        let welcome = visitor.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        let text = |key: &str| welcome[key].as_str().unwrap().to_owned();
        (visitor.token, visitor.conversation) = (text("token"), text("conversation"));
        visitor.welcome = welcome;
        visitor
    }

    /// The answer to a hello, whatever it is.
    pub(crate) async fn try_greet(world: &World, hello: Value) -> Value {
        Self::begin(&world.gateway_url(""), hello).await.next().await
    }

    async fn begin(base: &str, mut hello: Value) -> Self {
        let socket = open_at(base, None).await.unwrap();
        let mut visitor = Self { socket, token: String::new(), conversation: String::new(), welcome: Value::Null };
        hello["type"] = "hello".into();
        visitor.send(&hello).await;
        visitor
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.raw(&frame.to_string()).await;
    }

    pub(crate) async fn raw(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn says(&mut self, id: &str, text: &str) {
        self.send(&json!({ "type": "message", "id": id, "text": text })).await;
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Value {
        self.try_next().await.unwrap()
    }

    /// The next frame, or the code with which the socket was closed.
    pub(crate) async fn try_next(&mut self) -> Result<Value, u16> {
        loop {
            match timeout(DEADLINE, self.socket.next()).await.unwrap() {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next frame of this type; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The next frame that is no sign of typing.
    pub(crate) async fn next_said(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] != "typing" {
                return frame;
            }
        }
    }

    /// The next thing that is shown: index, who, text.
    pub(crate) async fn shown(&mut self) -> (u64, String, String) {
        line(&self.next_of("message").await)
    }
}

/// A line of a conversation: index, who, text.
pub(crate) fn line(frame: &Value) -> (u64, String, String) {
    let text = |key: &str| frame[key].as_str().unwrap().to_owned();
    (frame["index"].as_u64().unwrap(), text("from"), text("text"))
}

/// The lines that a welcome brought.
pub(crate) fn lines(welcome: &Value) -> Vec<(u64, String, String)> {
    welcome["messages"].as_array().unwrap().iter().map(line).collect()
}
