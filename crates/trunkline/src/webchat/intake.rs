//! Taking what a visitor writes: into the chat log, then onto the bus, and only then is it accepted.

use std::net::IpAddr;

use tracing::Instrument as _;
use trunkline_core::Pii;
use trunkline_store::ChatSide;

use super::hub::Push;
use super::limits::{MAX_ID_BYTES, MAX_TEXT_BYTES};
use super::{WebChat, codes, message};
use crate::telemetry::traceparent;

/// Whose message it is.
pub(super) struct Writer<'a> {
    pub(super) conversation: &'a str,
    pub(super) token_hash: &'a str,
    pub(super) peer: IpAddr,
    /// Whether the conversation is in the log already.
    pub(super) is_begun: bool,
}

/// Why a message was not taken.
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    /// Whether the same message may be taken later.
    pub(super) retry: bool,
}

const fn never(code: &'static str, message: &'static str) -> Refusal {
    Refusal { code, message, retry: false }
}

const fn later(code: &'static str, message: &'static str) -> Refusal {
    Refusal { code, message, retry: true }
}

const UNSAFE: Refusal = later(codes::UNAVAILABLE, "the message could not be made safe; send it again");

impl WebChat {
    /// Takes a message; returns its index. The same id again is the same message, whatever its text.
    ///
    /// Cancel-safe in effect: what is in the log and not on the bus is read back, or sent again by the page.
    pub(super) async fn take(&self, writer: &Writer<'_>, id: &str, text: String) -> Result<u64, Refusal> {
        let span = tracing::info_span!("webchat.message", otel.kind = "server");
        let taken = self.try_take(writer, id, text).instrument(span).await;
        match &taken {
            Ok(_) => self.context.metrics.webchat_message("in"),
            Err(refusal) => self.context.metrics.webchat_refused(refusal.code),
        }
        taken
    }

    async fn try_take(&self, writer: &Writer<'_>, id: &str, text: String) -> Result<u64, Refusal> {
        if !is_id(id) {
            return Err(never(codes::BAD_ID, "the id must be 1 to 64 letters, digits, - or _"));
        }
        if text.trim().is_empty() {
            return Err(never(codes::EMPTY, "the message has no text"));
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(never(codes::TOO_LONG, "the text is longer than 4096 bytes; split it"));
        }
        if !writer.is_begun && !self.limits.may_come(writer.peer) {
            let message = "too many new conversations come from this address; try again in a minute";
            return Err(later(codes::TOO_MANY_VISITORS, message));
        }
        if !self.limits.may_write(writer.conversation) {
            return Err(later(codes::TOO_FAST, "too many messages in a short time; wait a little and send it again"));
        }
        if self.readiness.is_data_lost() {
            return Err(UNSAFE);
        }
        let index = self.record(writer, id, text).await?;
        self.hub.tell(writer.conversation, Push::Lines);
        Ok(index)
    }

    async fn record(&self, writer: &Writer<'_>, id: &str, text: String) -> Result<u64, Refusal> {
        let unsafe_store = |error: trunkline_store::StoreError| {
            tracing::error!(error.code = error.code(), %error, "a message of a visitor could not be written down");
            UNSAFE
        };
        let store = &self.context.store;
        if !writer.is_begun {
            store.begin_chat(writer.conversation, writer.token_hash).await.map_err(unsafe_store)?;
        }
        let side = ChatSide::Visitor { client_id: id.to_owned() };
        let line = store.add_chat_line(writer.conversation, &side, &Pii::new(text)).await.map_err(unsafe_store)?;
        let envelope = message::envelope(writer.conversation, id, &line).map_err(|error| {
            tracing::error!(error.code = error.code(), "a message of a visitor could not be put into an envelope");
            UNSAFE
        })?;
        let envelope = envelope.with_traceparent(traceparent());
        if let Err(error) = self.context.bus.publish(&self.context.subjects.ingress, &envelope).await {
            tracing::error!(error.code = error.code(), %error, "a message of a visitor waits for the bus");
            self.readiness.bus_failed(&error.to_string());
            return Err(UNSAFE);
        }
        Ok(line.index)
    }
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
