//! Requests as bytes, prepared before the clock runs: the generator is to cost less than the server.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trunkline_proto::sid::{ConversationSid, MessageSid, ParticipantSid};
use trunkline_proto::signature::{Algorithm, sign};
use url::form_urlencoded;

/// The longest answer that is read.
const MAX_ANSWER: usize = 4096;

/// Signed `onMessageAdded` webhooks, each a different message.
pub(super) struct Signer {
    pub(super) url: String,
    pub(super) host: String,
    pub(super) account_sid: String,
    pub(super) auth_token: String,
}

impl Signer {
    pub(super) fn request(&self) -> Vec<u8> {
        self.request_saying("Hello, I would like to know when you are open tomorrow, please.")
    }

    pub(super) fn request_saying(&self, text: &str) -> Vec<u8> {
        let conversation = ConversationSid::from_random(rand::random());
        let params: Vec<(String, String)> = [
            ("AccountSid", self.account_sid.clone()),
            ("EventType", "onMessageAdded".to_owned()),
            ("Source", "SMS".to_owned()),
            ("ConversationSid", conversation.to_string()),
            ("MessageSid", MessageSid::from_random(rand::random()).to_string()),
            ("ParticipantSid", ParticipantSid::from_random(rand::random()).to_string()),
            ("Index", "0".to_owned()),
            ("Author", "+15550001111".to_owned()),
            ("Body", text.to_owned()),
            ("Attributes", "{}".to_owned()),
            ("DateCreated", jiff::Timestamp::now().to_string()),
            ("RetryCount", "0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let signature = sign(Algorithm::HmacSha1, self.auth_token.as_bytes(), &self.url, &params);
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
        let head = format!(
            "POST /webhooks/twilio HTTP/1.1\r\nhost: {}\r\nx-twilio-signature: {signature}\r\n\
             content-type: application/x-www-form-urlencoded; charset=utf-8\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    }
}

/// Sends one request and waits for its empty 200.
pub(super) async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Result<(), String> {
    let lost = |error: std::io::Error| format!("the connection was lost: {error}");
    stream.write_all(request).await.map_err(lost)?;
    buffer.clear();
    while !buffer.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(buffer).await.map_err(lost)? == 0 || buffer.len() > MAX_ANSWER {
            return Err("the server does not answer as it should".to_owned());
        }
    }
    if buffer.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    Err(format!("the server answered {:?}", String::from_utf8_lossy(buffer).lines().next().unwrap_or_default()))
}
