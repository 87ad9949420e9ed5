//! Places a call and plays back whatever is said, until the telephone is hung up.
//!
//! Twilio comes to this program, so it needs an address that Twilio reaches: `WEBHOOK_URL` is that address, `LISTEN` is
//! where it arrives. Webhooks are not answered here: a call that is placed needs only its socket.
//!
//! ```text
//! TWILIO_ACCOUNT_SID=AC… TWILIO_AUTH_TOKEN=… TWILIO_PHONE_NUMBER=+1… WEBHOOK_URL=https://… LISTEN=127.0.0.1:8080 \
//!     cargo run -p trunkline-twilio --example echo_call -- +15550001111
//! ```
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that is read more than it is run")]
#![expect(clippy::result_large_err, reason = "the refusal is what the WebSocket crate asks for")]

use std::env::var;
use std::error::Error;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use trunkline_core::Config;
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{AudioEvent, SessionConfig, VoiceBackend as _};
use trunkline_twilio::voice::{CallSocket, SocketKind, TwilioVoice, paths};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let to = std::env::args().nth(1).ok_or("whom to call?")?;
    let public = var("WEBHOOK_URL")?;
    let mut config = Config::builder()
        .provider("twilio")
        .setting("account_sid", var("TWILIO_ACCOUNT_SID")?)
        .secret("auth_token", var("TWILIO_AUTH_TOKEN")?)
        .setting("phone_number", var("TWILIO_PHONE_NUMBER")?)
        .setting("webhook_url", public.as_str());
    if let Ok(base_url) = var("TWILIO_BASE_URL") {
        config = config.setting("base_url", base_url);
    }
    let voice = TwilioVoice::new(config.build()?)?;
    let listener = TcpListener::bind(var("LISTEN")?).await?;
    voice.start().await?;
    let session = voice.create_session(SessionConfig::to(to.parse()?)).await?;

    // The socket that opens the call's audio; whoever else comes is refused.
    let admission = loop {
        let (socket, _) = listener.accept().await?;
        let mut admitted = None;
        let upgrade = |request: &Request, response: Response| {
            admitted = token_of(request)
                .and_then(|token| voice.admit(token, SocketKind::Audio, &event_of(&public, request)).ok());
            match admitted {
                Some(_) => Ok(response),
                None => Err(refusal()),
            }
        };
        let opened = accept_hdr_async(socket, upgrade).await;
        if let (Ok(socket), Some(admission)) = (opened, admitted) {
            break admission.audio(CallSocket::server(socket.into_inner(), &[]));
        }
    };
    admission.await?;

    let mut stream = voice.stream_audio(session.id()).await?;
    println!("connected");
    while let Some(event) = stream.next().await {
        match event? {
            AudioEvent::Frame(frame) => {
                stream.audio(&frame)?;
                stream.flush().await?;
            }
            AudioEvent::Digit(digit) => println!("the key {digit}"),
            AudioEvent::Mark(_) => {}
            AudioEvent::Stopped => break,
        }
    }
    voice.stop().await?;
    Ok(())
}

fn token_of(request: &Request) -> Option<&str> {
    request.uri().path().strip_prefix(paths::MEDIA)
}

/// The request as Twilio signed it: with the public address.
fn event_of(public: &str, request: &Request) -> WebhookEvent {
    let base = public.trim_end_matches('/').trim_start_matches("http");
    let header = |(name, value): (&tokio_tungstenite::tungstenite::http::HeaderName, _)| {
        let value: &tokio_tungstenite::tungstenite::http::HeaderValue = value;
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    WebhookEvent {
        url: format!("ws{base}{}", request.uri().path()),
        method: "GET".to_owned(),
        headers: request.headers().iter().filter_map(header).collect(),
        params: Vec::new(),
        body: Bytes::new(),
        received_at: Timestamp::now(),
    }
}

fn refusal() -> ErrorResponse {
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = StatusCode::FORBIDDEN;
    refusal
}
