//! Who may open the socket of a call: whoever has its token, over a request that Twilio signed.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use trunkline_core::messaging::WebhookEvent;
use trunkline_core::voice::{AudioStream, ErrorCode, Operation, SessionState, VoiceError, VoiceSession};
use trunkline_proto::signature::RequestKind;

use super::backend::{Inner, StreamGuard, TwilioVoice};
use super::failure::stream_failed;
use super::live::{Live, OpenSocket};
use super::media::MediaTransport;
use super::relay::RelayText;
use super::sessions::Door;
use super::socket::CallSocket;
use crate::{codes, signed};

/// What a socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketKind {
    /// Audio: below [`MEDIA`](super::paths::MEDIA).
    Audio,
    /// Words: below [`RELAY`](super::paths::RELAY).
    Text,
}

/// The right to open one socket, once.
pub struct Admission {
    live: Arc<Live>,
    inner: Arc<Inner>,
    kind: SocketKind,
    socket: OpenSocket,
}

impl TwilioVoice {
    /// Verifies the request that opens a socket, and uses up its token. `event` has the public URL, with `ws` or `wss`
    /// as its scheme, and the headers. Answer a refusal with 403.
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`; `ErrCodeStreamFailed` for a token that was never given, was used, or is too old.
    pub fn admit(&self, token: &str, kind: SocketKind, event: &WebhookEvent) -> Result<Admission, VoiceError> {
        let operation = kind.operation();
        let current = self.inner().current();
        // The signature comes first, so that nobody else can use a token up.
        let signed_as = RequestKind::WebSocket { accept_slash_twin: true };
        signed::verify(event, signed_as, &current.settings.signing_keys).map_err(|error| {
            self.inner().counters.refuse();
            VoiceError::new(operation, ErrorCode::InvalidSignature, "the upgrade's signature is not valid")
                .with_provider(codes::INVALID_WEBHOOK, None)
                .with_source(error)
        })?;
        let door = match kind {
            SocketKind::Audio => Door::Audio,
            SocketKind::Text => Door::Text,
        };
        let Some(live) = self.inner().sessions.redeem(token, door) else {
            self.inner().counters.refuse();
            return Err(stream_failed(operation, "the token is unknown, used or too old"));
        };
        let socket = live.open_socket();
        Ok(Admission { live, inner: Arc::clone(self.inner()), kind, socket })
    }
}

impl SocketKind {
    const fn operation(self) -> Operation {
        match self {
            Self::Audio => Operation::StreamAudio,
            Self::Text => Operation::StreamText,
        }
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("session", self.live.session.id())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Admission {
    /// The session that it is for.
    pub fn session(&self) -> &VoiceSession {
        &self.live.session
    }

    /// Takes the socket over as the call's audio: waits for its start, and gives it to whoever waits in
    /// [`stream_audio`](trunkline_core::voice::VoiceBackend::stream_audio).
    ///
    /// # Errors
    /// `ErrCodeStreamFailed`: the start did not come in time, or is of another call. The socket is closed.
    ///
    /// # Cancel safety
    /// The socket is closed; its token is used up.
    pub async fn audio<S>(self, socket: CallSocket<S>) -> Result<(), VoiceError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { live, inner, kind, socket: open } = self;
        let settings = &live.current.settings;
        let guard = StreamGuard::new(&inner.counters, &live.session, Some(open));
        let mut transport = MediaTransport::new(socket, settings.stream_buffer, live.over.clone(), guard);
        let start = tokio::time::timeout(settings.stream_timeout, poll_fn(|context| transport.poll_start(context)));
        let start = start.await.map_err(|_| late(kind))??;
        check(&inner, &live, kind, &start.call_sid)?;
        live.audio.put(AudioStream::new(transport));
        Ok(())
    }

    /// As [`Self::audio`], for words.
    ///
    /// # Errors
    /// As [`Self::audio`].
    ///
    /// # Cancel safety
    /// As [`Self::audio`].
    pub async fn text<S>(self, socket: CallSocket<S>) -> Result<(), VoiceError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Self { live, inner, kind, socket: open } = self;
        let guard = StreamGuard::new(&inner.counters, &live.session, Some(open));
        let mut relay = RelayText::new(socket, live.over.clone(), guard);
        let patience = live.current.settings.stream_timeout;
        let setup = tokio::time::timeout(patience, relay.set_up()).await.map_err(|_| late(kind))??;
        check(&inner, &live, kind, &setup.call_sid)?;
        live.text.put(Box::new(relay));
        Ok(())
    }
}

fn late(kind: SocketKind) -> VoiceError {
    stream_failed(kind.operation(), "the stream did not start in time")
}

/// The call of the socket must be the session's; where that is not known yet it is now.
fn check(inner: &Inner, live: &Live, kind: SocketKind, call: &str) -> Result<(), VoiceError> {
    if live.over.is_over() || !inner.sessions.bind(live, call) {
        inner.counters.refuse();
        return Err(stream_failed(kind.operation(), "the stream is of another call, or of one that is over"));
    }
    live.session.set_state(SessionState::Streaming, Timestamp::now());
    Ok(())
}
