//! A server that calls connect their socket to: it checks the signature, and the test is what it does.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use trunkline_emulator::Account;
use trunkline_proto::signature::{Algorithm, sign};

use super::DEADLINE;

pub(crate) struct Server {
    listener: TcpListener,
    token: String,
}

/// The server's end of one socket.
pub(crate) struct Peer(WebSocketStream<TcpStream>);

impl Server {
    pub(crate) async fn start(account: &Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, token: account.auth_token.clone() }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/socket", self.listener.local_addr().unwrap())
    }

    /// Waits for a call to connect.
    #[expect(clippy::result_large_err, reason = "the signature that the library asks for")]
    pub(crate) async fn accept(&self) -> Peer {
        let accepted = tokio::time::timeout(DEADLINE, self.listener.accept()).await;
        let (stream, _) = accepted.unwrap().unwrap();
        let expect = sign(Algorithm::HmacSha1, self.token.as_bytes(), &self.url(), &[]);
        let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.headers()["x-twilio-signature"], expect.as_str());
            assert_eq!(request.uri().query(), None);
            Ok(response)
        };
        Peer(accept_hdr_async(stream, check).await.unwrap())
    }
}

impl Peer {
    /// The next message; nothing when the socket was closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.0.next()).await.unwrap();
            match message {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next message that is not one of `passed_over`.
    pub(crate) async fn other_than(&mut self, passed_over: &str) -> Option<Value> {
        loop {
            let message = self.next().await?;
            if message["event"] != passed_over {
                return Some(message);
            }
        }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self) {
        self.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    }

    pub(crate) async fn close(mut self) {
        self.0.close(None).await.unwrap();
    }
}
