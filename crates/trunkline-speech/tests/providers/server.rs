//! Servers of one test each.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use tokio_util::task::TaskTracker;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, base)
}

pub(crate) async fn requests(router: Router) -> String {
    let (listener, base) = listen().await;
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    base
}

/// Answers everything with `status`.
pub(crate) async fn refusing(status: u16) -> String {
    let status = StatusCode::from_u16(status).expect("a status");
    requests(Router::new().fallback(move || async move { (status, "the key sk-secret is wrong") })).await
}

/// Takes connections and says nothing.
pub(crate) async fn silent() -> String {
    let (listener, base) = listen().await;
    TaskTracker::new().spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    base
}

/// Nobody listens there.
pub(crate) async fn nobody() -> String {
    listen().await.1
}

/// Reads the head of a request, answers with `bytes`, and cuts the connection.
pub(crate) async fn raw(bytes: &'static [u8]) -> String {
    let (listener, base) = listen().await;
    TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = vec![0; 64 << 10];
        let read = stream.read(&mut head).await.expect("a request");
        assert!(read > 0);
        stream.write_all(bytes).await.expect("written");
    });
    base
}

/// How a socket was asked for.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) authorization: String,
}

/// The server's end of a socket.
pub(crate) struct Peer(pub(crate) WebSocketStream<TcpStream>);

impl Peer {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("sent");
    }

    /// The next message that is not part of the protocol below.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            match self.0.next().await? {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => return Some(message),
                Err(_) => return None,
            }
        }
    }

    /// The next message as JSON.
    pub(crate) async fn hear(&mut self) -> Value {
        let message = self.next().await.expect("a message");
        serde_json::from_str(message.to_text().expect("text")).expect("JSON")
    }

    /// Reads on so that pings are answered, until the client goes.
    pub(crate) async fn stay(mut self) {
        while self.next().await.is_some() {}
    }
}

/// One socket that follows `script`.
#[expect(clippy::result_large_err, reason = "the library's signature")]
pub(crate) async fn socket<Script, Work>(script: Script) -> String
where
    Script: FnOnce(Asked, Peer) -> Work + Send + 'static,
    Work: Future<Output = ()> + Send + 'static,
{
    let (listener, base) = listen().await;
    TaskTracker::new().spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let asked = Arc::new(Mutex::new(Asked::default()));
        let seen = Arc::clone(&asked);
        let look = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            let authorization = request.headers().get("authorization").map(|value| value.to_str().expect("text"));
            *seen.lock().expect("free") = Asked {
                target: request.uri().to_string(),
                authorization: authorization.unwrap_or_default().to_owned(),
            };
            Ok(response)
        };
        let stream = accept_hdr_async(stream, look).await.expect("a socket");
        let asked = asked.lock().expect("free").clone();
        script(asked, Peer(stream)).await;
    });
    base
}
