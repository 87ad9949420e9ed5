//! The request: body, signature, headers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use sha2::Sha256;
use trunkline_core::Secret;
use trunkline_core::turn::{RecalledPassage, Said, Speaker, TurnMedia, TurnRequest};
use url::{Host, Url};

use super::HttpAgent;
use crate::{AgentError, Attachment, Passage, Role, Turn};

/// Names the turn, the same at each try.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// When it was signed, and the signature.
const SIGNATURE: &str = "trunkline-signature";
const TRACEPARENT: &str = "traceparent";

impl HttpAgent {
    pub(super) fn request(&self, turn: &Turn) -> Result<RequestBuilder, AgentError> {
        let body = serde_json::to_vec(&self.body(turn))
            .map_err(|_| AgentError::Malformed("the turn cannot be written as JSON"))?;
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header(IDEMPOTENCY_KEY, &turn.id);
        if let Some(traceparent) = &turn.traceparent {
            request = request.header(TRACEPARENT, traceparent);
        }
        let secret = &self.config.secret;
        if !secret.is_empty() {
            request = request.header(SIGNATURE, signature(secret, unix_time(), &body));
            if is_private(&self.url) {
                request = request.bearer_auth(secret.expose());
            }
        }
        Ok(request.body(body))
    }

    fn body(&self, turn: &Turn) -> TurnRequest {
        let mut budget = self.config.max_history_bytes;
        let mut history = VecDeque::new();
        for utterance in turn.history.iter().rev().take(self.config.max_history) {
            let text = utterance.text.expose();
            let Some(left) = budget.checked_sub(text.len()) else { break };
            budget = left;
            let role = match utterance.role {
                Role::Person => Speaker::Person,
                Role::Agent => Speaker::Agent,
            };
            history.push_front(Said { role, text: text.clone() });
        }
        // Names with a dot are the gateway's own notes.
        let known = turn.memories.iter().filter(|(name, _)| !name.starts_with('.'));
        TurnRequest {
            turn: turn.id.clone(),
            attempt: turn.attempt,
            deadline_ms: u64::try_from(turn.deadline.as_millis()).unwrap_or(u64::MAX),
            conversation: turn.conversation.clone(),
            contact: turn.contact.clone(),
            channel: turn.channel,
            media: turn.attachments.iter().map(media).collect(),
            input: turn.input.iter().map(|text| text.expose().clone()).collect(),
            history: history.into(),
            recalled: turn.recalled.iter().map(recalled).collect(),
            summary: turn.summary.as_ref().map(|summary| summary.expose().clone()),
            memories: known.map(|(name, value)| (name.clone(), value.clone())).collect::<BTreeMap<_, _>>(),
        }
    }
}

fn recalled(passage: &Passage) -> RecalledPassage {
    RecalledPassage {
        kind: passage.kind.clone(),
        source: passage.source.expose().clone(),
        title: passage.title.expose().clone(),
        text: passage.text.expose().clone(),
    }
}

fn media(file: &Attachment) -> TurnMedia {
    TurnMedia {
        input: file.input,
        kind: file.kind.as_str().to_owned(),
        content_type: file.content_type.clone(),
        size: file.size,
        sha256: file.hash.clone(),
        filename: file.filename.as_ref().map(|name| name.expose().clone()),
        url: file.url.clone(),
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256, keyed with the secret, over the seconds, a dot and the body.
fn signature(secret: &Secret, seconds: u64, body: &[u8]) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mut header = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        let digit = |value: u8| char::from_digit(u32::from(value), 16);
        header.extend([digit(byte >> 4), digit(byte & 15)].into_iter().flatten());
    }
    header
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since: Duration| since.as_secs())
}

/// Whether nobody on the way can read the request: it is encrypted, or does not leave this machine.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_an_independent_tool_makes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let made = signature(&Secret::new("0123456789abcdef"), 1_700_000_000, br#"{"a":1}"#);
        assert_eq!(made, "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23");
    }

    #[test]
    fn the_token_goes_over_wires_that_nobody_reads() {
        let private = |url: &str| is_private(&Url::parse(url).expect("a URL"));
        for url in ["https://agent.example.com", "http://127.0.0.2:9/turn", "http://[::1]:9", "http://localhost:9"] {
            assert!(private(url), "{url}");
        }
        for url in ["http://agent.example.com", "http://10.0.0.1", "http://localhost.example.com"] {
            assert!(!private(url), "{url}");
        }
    }
}
