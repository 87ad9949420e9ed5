//! The suite that every messaging backend passes, on a whole local Twilio: texts of a phone, webhooks, answers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use trunkline_core::messaging::{
    Binding, ConversationId, ConversationalBackend, NewParticipant, ParticipantId, WebhookEvent,
};
use trunkline_core::{Channel, Pii};
use trunkline_proto::signature::{Algorithm, SIGNATURE_HEADER, sign};
use trunkline_testing::conformance::{self, CHECKS, Subject};

use crate::emulator::{ADA, World, world_with};

struct Twilio(World);

impl Twilio {
    fn signed(&self, params: &[(&str, &str)]) -> WebhookEvent {
        let account = self.0.emulator.account();
        let service = account.chat_service_sid.to_string();
        let common = [("AccountSid", account.account_sid.as_str()), ("ChatServiceSid", &service), ("Source", "SMS")];
        let params = common.iter().chain(params).map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let params: Vec<_> = params.collect();
        let url = "https://gateway.example.com/webhooks/twilio".to_owned();
        let signature = sign(Algorithm::HmacSha1, account.auth_token.as_bytes(), &url, &params);
        WebhookEvent {
            url,
            method: "POST".to_owned(),
            headers: vec![(SIGNATURE_HEADER.to_owned(), signature)],
            params,
            body: Bytes::new(),
            received_at: Timestamp::UNIX_EPOCH,
        }
    }
}

#[async_trait]
impl Subject for Twilio {
    fn backend(&self) -> Arc<dyn ConversationalBackend> {
        self.0.backend.clone()
    }

    fn person(&self) -> NewParticipant {
        let address = Pii::new(ADA.to_owned());
        let binding = Some(Binding { channel: Channel::Sms, address, proxy_address: None });
        NewParticipant { binding, ..NewParticipant::default() }
    }

    async fn person_says(&self, conversation: &ConversationId, body: &str) {
        assert_eq!(self.0.text(body).await, *conversation);
    }

    async fn person_received(&self, _: &ConversationId) -> Vec<String> {
        self.0.received().await
    }

    fn unknown(&self) -> (ConversationId, ParticipantId) {
        ("CH00000000000000000000000000000009".into(), "MB00000000000000000000000000000009".into())
    }

    fn flood(&self) -> usize {
        40
    }

    fn webhook(&self, conversation: &ConversationId, body: &str) -> Option<WebhookEvent> {
        Some(self.signed(&[
            ("EventType", "onMessageAdded"),
            ("ConversationSid", conversation.as_str()),
            ("MessageSid", "IM00000000000000000000000000000001"),
            ("Index", "0"),
            ("Author", ADA),
            ("Body", body),
        ]))
    }

    fn incomplete_webhook(&self) -> Option<WebhookEvent> {
        Some(self.signed(&[("EventType", "onMessageAdded")]))
    }
}

#[tokio::test]
async fn twilio_keeps_the_contract_as_every_backend_does() {
    let make = async || Twilio(world_with(|config| config.setting("stream_buffer_size", "16")).await);
    let verdict = conformance::check(make).await;
    verdict.assert_passed();
    assert_eq!(verdict.outcomes().len(), CHECKS.len());
}
